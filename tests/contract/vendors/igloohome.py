"""A make-believe igloohome: its cloud, its algorithm and its bridges, as told by the public SDK ``igloohome-api``.

The cloud gives out algoPINs and remembers none: the same lock, window and variance are the same digits. A bridge
carries jobs out; what became of one is asked for by its id. Nothing lists codes.
"""

import re
from base64 import b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge.contract import (
    AccountRefused,
    LockNotFound,
    LockOffline,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    Unreachable,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import LockRef
from lockbridge.domain.lock import Capabilities, NameRules, PinRules, Readback, Rounding
from providers.igloohome import PROVIDER
from providers.simulator import MAIN, RuleSet, SimulatedLockApp
from tests.contract.brands import Brand

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ON_THE_HOUR = re.compile(r"\d{4}-\d\d-\d\dT\d\d:00:00[+-]\d\d:00")
ON_THE_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00[+-]\d\d:00")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SCOPES = frozenset(
    f"igloohomeapi/{name}"
    for name in (
        "algopin-hourly",
        "algopin-daily",
        "algopin-permanent",
        "algopin-onetime",
        "get-devices",
        "get-job-status",
        "create-pin-bridge-proxied-job",
        "delete-pin-bridge-proxied-job",
        "lock-bridge-proxied-job",
        "unlock-bridge-proxied-job",
        "get-device-status-bridge-proxied-job",
    )
)

NAMES = NameRules(max_length=32)
OF_THE_ALGORITHM = Capabilities(
    chooses_pin=True,
    can_remove=False,
    readback=Readback.NONE,
    updates=frozenset(),
    max_codes=199,
    rounding=Rounding.HOUR,
    pin_rules=PinRules(lengths=frozenset({7, 8, 9})),
    name_rules=NAMES,
)
WITH_A_BRIDGE = Capabilities(
    chooses_pin=True,
    can_remove=False,
    readback=Readback.NONE,
    updates=frozenset(),
    max_codes=199,
    rounding=Rounding.HOUR,
    can_open=True,
    pin_rules=PinRules(lengths=frozenset({7, 8, 9})),
    name_rules=NAMES,
)
BY_THE_BRIDGE = Capabilities(
    readback=Readback.NONE,
    updates=frozenset(),
    max_codes=199,
    rounding=Rounding.MINUTE,
    can_open=True,
    pin_rules=PinRules(lengths=frozenset({4, 5, 6})),
    name_rules=NAMES,
)
KEYBOX = RuleSet("igloohome keybox", OF_THE_ALGORITHM, variants=3)
BRIDGED = RuleSet("igloohome lock with a bridge", WITH_A_BRIDGE, variants=3)
REMOTE = RuleSet("igloohome lock through its bridge", BY_THE_BRIDGE)


class Refusal(Exception):
    """A no of the cloud's own."""

    def __init__(self, status: int, message: str = "Bad request") -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Job:
    """What a bridge was given to do. ``asked`` counts how often somebody wanted to know."""

    number: int
    kind: int
    done: bool
    asked: int = 0


class Igloo:
    """One account. ``granted``: what its credentials may ask for; ``slow``: how often a job is still under way."""

    client = "client:secret"

    def __init__(self, app: SimulatedLockApp, *, granted: Collection[str] = SCOPES, page: int = 2) -> None:
        self._app = app
        self._page = page
        self._given: dict[tuple[LockRef, datetime, datetime, int], str] = {}
        self.granted = frozenset(granted)
        self.slow = 1
        self.jobs: dict[str, Job] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.sign_ins: list[Mapping[str, str]] = []

    def asgi(self) -> Starlette:
        device = "/igloohome/devices/{device}"
        routes = [
            Route("/oauth2/token", self.sign_in, methods=["POST"]),
            Route("/igloohome/devices", self.list_devices, methods=["GET"]),
            Route(device, self.one_device, methods=["GET"]),
            Route(device + "/algopin/{kind}", self.give_out, methods=["POST"]),
            Route(device + "/jobs/bridges/{bridge}", self.take_job, methods=["POST"]),
            Route("/igloohome/jobs/{job}", self.one_job, methods=["GET"]),
        ]
        return Starlette(routes=routes, exception_handlers={Refusal: refused, ProviderError: failed})

    async def sign_in(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.sign_ins.append(form)
        scheme, _, basic = request.headers.get("authorization", "").partition(" ")
        if scheme != "Basic" or b64decode(basic).decode() != self.client:
            return JSONResponse({"error": "invalid_client"}, 400)
        if form["grant_type"] != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if not self.granted.issuperset(form.get("scope", "").split()):
            return JSONResponse({"error": "invalid_scope"}, 400)
        return JSONResponse({"access_token": "token", "expires_in": 86400, "token_type": "Bearer"})

    async def list_devices(self, request: Request) -> Response:
        await self._seen(request, "get-devices")
        devices = [self._device(lock.ref) for lock in self._app.list_locks(MAIN)]
        bridged = [device for device in devices if device["linkedDevices"]]
        devices += [self._bridge([device["deviceId"] for device in bridged])] if bridged else []
        begin = int(request.query_params.get("cursor", "0"))
        cursor = str(begin + self._page) if begin + self._page < len(devices) else ""
        return JSONResponse({"nextCursor": cursor, "payload": devices[begin : begin + self._page]})

    async def one_device(self, request: Request) -> Response:
        await self._seen(request, "get-devices")
        return JSONResponse(self._device(self._known(request)))

    async def give_out(self, request: Request) -> Response:
        """An algoPIN; the simulated world holds one code for each window and variance that was asked for."""
        kind = request.path_params["kind"]
        body = await self._seen(request, f"algopin-{kind}")
        lock, window = self._known(request), self._window(kind, body)
        if type(body.get("variance")) is not int or body["variance"] not in {1, 2, 3}:
            raise Refusal(400, "'variance' must be 1, 2 or 3")
        assert window.ends is not None
        slot = (lock, window.starts, window.ends, body["variance"])
        name = self._given.setdefault(slot, f"variance {body['variance']}")
        written = self._app.set_code(MAIN, lock, CodeSpec(None, name, window))
        assert written.pin is not None
        return JSONResponse({"pin": written.pin.digits, "pinId": written.ref})

    async def take_job(self, request: Request) -> Response:
        body = await self._seen(request)
        lock, kind, data = self._known(request), body.get("jobType"), body.get("jobData")
        if not self._has_bridge(lock) or request.path_params["bridge"] != "bridge-1":
            raise Refusal(404, "Bridge not found")
        done = {2: self._unlock, 4: self._create, 5: self._delete, 10: self._reach}.get(kind)
        if done is None:
            raise Refusal(400, "'jobType' is not valid")
        try:
            was_done = done(lock, data)
        except LockOffline:
            raise Refusal(406, "Unable to contact bridge") from None
        job = Job(len(self.jobs) + 1, kind, was_done)
        self.jobs[f"job-{job.number}"] = job
        return JSONResponse({"jobId": f"job-{job.number}"}, 201)

    async def one_job(self, request: Request) -> Response:
        await self._seen(request, "get-job-status")
        job = self.jobs.get(request.path_params["job"])
        if job is None:
            raise Refusal(404, "Job not found")
        job.asked += 1
        ended = job.asked > self.slow
        answer = {"jobStatus": 0 if job.done else 2} if ended else {}
        expires = (self._app.now() + HOUR).isoformat()
        told = {"jobId": f"job-{job.number}", "expiryDate": expires, "jobType": job.kind}
        return JSONResponse({**told, "completed": ended and job.done, "jobResponse": answer})

    # -- what a bridge does: whether it did it ------------------------------------------------------------------

    def _unlock(self, lock: LockRef, data: Any) -> bool:
        self._app.open_door(MAIN, lock)
        return True

    def _reach(self, lock: LockRef, data: Any) -> bool:
        if not self._app.check_lock(MAIN, lock).online:
            raise LockOffline
        return True

    def _create(self, lock: LockRef, data: Any) -> bool:
        self._permitted("create-pin-bridge-proxied-job")
        if not isinstance(data, dict) or set(data) != {"accessName", "pin", "pinType", "startDate", "endDate"}:
            raise Refusal(400, "'jobData' is not valid")
        if data["pinType"] != 4 or not re.fullmatch(r"\d{4,6}", data["pin"]):
            raise Refusal(400, "'pin' is not valid")
        window = _between(data, ON_THE_MINUTE)
        if window.starts < self._app.now():
            raise Refusal(400, "'startDate' is in the past")
        return self._at_the_lock(lambda: self._app.set_code(MAIN, lock, _spec(data, window)))

    def _delete(self, lock: LockRef, data: Any) -> bool:
        self._permitted("delete-pin-bridge-proxied-job")
        if not isinstance(data, dict) or set(data) != {"pin"} or not re.fullmatch(r"\d{4,6}", data["pin"]):
            raise Refusal(400, "'pin' is not valid")
        self._reach(lock, data)
        found = [code.ref for code in self._app.locks[lock].codes.values() if code.pin == data["pin"]]
        return bool(found) and self._at_the_lock(lambda: self._app.remove_code(MAIN, lock, found[0]))

    def _at_the_lock(self, act: Any) -> bool:
        try:
            act()
        except (LockOffline, RateLimited, Unreachable, OutcomeUnknown):
            raise
        except ProviderError:
            return False
        return True

    # -- what is asked, and about what ----------------------------------------------------------------------------

    async def _seen(self, request: Request, scope: str | None = None) -> dict[str, Any]:
        """The request's object, signed in and permitted."""
        body = await request.json() if await request.body() else {}
        self.requests.append((request.method, request.url.path, body))
        if request.headers.get("authorization") != "Bearer token":
            raise Refusal(401, "Unauthorized")
        if scope is not None:
            self._permitted(scope)
        if not isinstance(body, dict):
            raise Refusal(400)
        return body

    def _permitted(self, scope: str) -> None:
        if f"igloohomeapi/{scope}" not in self.granted:
            raise Refusal(403, "Forbidden")

    def _known(self, request: Request) -> LockRef:
        lock = LockRef(request.path_params["device"])
        if lock not in self._app.locks:
            raise Refusal(404, "Device not found")
        return lock

    def _has_bridge(self, lock: LockRef) -> bool:
        return self._app.rules_of(lock).capabilities.can_open

    def _device(self, lock: LockRef) -> dict[str, Any]:
        held, bridged = self._app.locks[lock], self._has_bridge(lock)
        device = {
            "id": f"id-{lock}",
            "type": "Lock" if bridged else "Keybox",
            "deviceId": lock,
            "deviceName": held.name,
            "pairedAt": "2026-01-05T10:00:00+00:00",
            "homeId": ["home-1"],
            "linkedDevices": [{"type": "Bridge", "deviceId": "bridge-1"}] if bridged else [],
        }
        return device if held.battery is None else {**device, "batteryLevel": round(held.battery * 100)}

    def _bridge(self, locks: Collection[str]) -> dict[str, Any]:
        linked = [{"type": "Lock", "deviceId": lock} for lock in locks]
        device = {"id": "id-bridge-1", "type": "Bridge", "deviceId": "bridge-1", "deviceName": "Hallway bridge"}
        return {**device, "pairedAt": "2026-01-05T10:00:00+00:00", "homeId": ["home-1"], "linkedDevices": linked}

    def _window(self, kind: str, body: Mapping[str, Any]) -> Window:
        """The window of an algoPIN. Whatever has no end here lasts longer than anybody looks."""
        if not isinstance(body.get("accessName"), str) or not body["accessName"]:
            raise Refusal(400, "'accessName' is required")
        now = self._app.now()
        if kind == "permanent":
            starts = _date(body, "startDate", ON_THE_HOUR)
            return Window(starts, starts + 20_000 * DAY)
        window = _between(body, ON_THE_HOUR)
        assert window.ends is not None
        length = window.ends - window.starts
        days, odd = divmod(length, DAY)
        fits = HOUR <= length <= 672 * HOUR if kind == "hourly" else not odd and 29 <= days <= 367
        if kind not in {"hourly", "daily"} or not fits or window.starts < now - (now - EPOCH) % HOUR:
            raise Refusal(400, "'endDate' is out of range")
        return window


def _spec(data: Mapping[str, Any], window: Window) -> CodeSpec:
    return CodeSpec(Pin(data["pin"]), data["accessName"], window)


def _between(body: Mapping[str, Any], form: re.Pattern[str]) -> Window:
    starts, ends = _date(body, "startDate", form), _date(body, "endDate", form)
    if ends <= starts:
        raise Refusal(400, "'endDate' must be after 'startDate'")
    return Window(starts, ends)


def _date(body: Mapping[str, Any], name: str, form: re.Pattern[str]) -> datetime:
    text = body.get(name)
    if not isinstance(text, str) or not form.fullmatch(text):
        raise Refusal(400, f"'{name}' must be in format YYYY-MM-DDTHH:00:00+hh:mm")
    return datetime.fromisoformat(text).astimezone(UTC)


STATUSES: Mapping[type[ProviderError], int] = {
    AccountRefused: 401,
    LockNotFound: 404,
    Unreachable: 503,
    OutcomeUnknown: 502,
    RateLimited: 429,
}


async def failed(request: Request, error: Exception) -> Response:
    """What the world refuses, with 400 for whatever the cloud has no better status for."""
    return await refused(request, Refusal(next((s for kind, s in STATUSES.items() if isinstance(error, kind)), 400)))


async def refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return JSONResponse({"message": str(error)}, error.status)


BRAND = Brand(
    spec=PROVIDER,
    rules={"keybox": KEYBOX, "lock-with-a-bridge": BRIDGED},
    serve=lambda app: Igloo(app).asgi(),
    settings=lambda url: {
        "client_id": "client",
        "client_secret": "secret",
        "url": f"{url}/igloohome",
        "auth_url": url,
    },
)
"""The third kind of lock, :data:`REMOTE`, is examined in ``tests/providers/test_igloohome.py``: its jobs do not say why
they failed and nothing lists what they wrote, which is what the suite asks of every lock that takes our digits."""
