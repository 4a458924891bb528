"""A make-believe RemoteLock: the paths, bodies and refusals of its API documentation v1, over the simulated world.

People belong to the account and are nowhere until they are granted access to a lock: only then does the world have a
code, and it is called by the person's id. What somebody does to the world by hand is done to a person in the portal.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import wraps
from math import ceil
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge.contract import (
    CodeGone,
    CodeState,
    FoundLock,
    LockFull,
    LockNotFound,
    LockOffline,
    NameRefused,
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    ProviderError,
    RateLimited,
    SeenCode,
    Unreachable,
    WindowRefused,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, NameRules, PinRules, Rounding
from providers.remotelock import PROVIDER
from providers.simulator import MAIN, RuleSet, SimulatedLockApp
from providers.simulator.lock import SimulatedLock
from tests.contract.brands import Brand, BrandHarness

PER_MINUTE = 120
HEARTBEAT = 1200
SOON = timedelta(seconds=20), timedelta(minutes=5)
ACCEPTED = re.compile(r"application/vnd\.lockstate(\.v1\+json|\+json; version=1)")
LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
STATUSES = ("current", "upcoming")
WORDS = {PinTaken: "pin", PinRefused: "pin", NameRefused: "name", WindowRefused: "starts_at", LockFull: "accessible"}


def _rules(kind: str, digits: range, max_codes: int, waits: int, **other: Any) -> RuleSet:
    can = Capabilities(
        confirms=False,
        confirm_within=timedelta(minutes=waits),
        can_open=True,
        rounding=Rounding.MINUTE,
        max_codes=max_codes,
        pin_rules=PinRules(lengths=frozenset(digits), one_length_per_lock=kind == "schlage_home_lock"),
        name_rules=NameRules(max_length=64),
        **other,
    )
    return RuleSet(kind, can, confirm_delay=SOON, queues_offline=True, forgets_expired=True)


RULES = {
    rules.key: rules
    for rules in (
        _rules("lock", range(4, 11), 500, 55),
        _rules("zwave_lock", range(4, 9), 30, 25, lead=timedelta(minutes=10)),
        _rules("schlage_home_lock", range(4, 9), 100, 15),
        _rules("connector_lock", range(4, 9), 100, 15),
    )
}
"""The types of lock by RemoteLock's own word for them."""

Handler = Callable[["MakeBelieve", Request], Awaitable[Response]]


class Refusal(Exception):
    """A no of the cloud's own: with an attribute it is one of validation."""

    def __init__(self, status: int, attribute: str | None = None, kind: str = "error") -> None:
        super().__init__(status)
        self.status, self.attribute, self.kind = status, attribute, kind


@dataclass
class Person:
    """Somebody of the account, and their access to locks."""

    id: str
    kind: str
    said: dict[str, Any]
    made: int
    deactivated: bool = False
    accesses: dict[LockRef, str] = field(default_factory=dict)


def api(handler: Handler) -> Handler:
    """Only with a good token and version, within the limit, and after people have done what they do by hand."""

    @wraps(handler)
    async def checked(self: "MakeBelieve", request: Request) -> Response:
        if request.headers.get("authorization") not in {f"Bearer {token}" for token in self.tokens}:
            return JSONResponse({"message": "The access token is invalid", "type": "unauthorized"}, 401)
        if not ACCEPTED.fullmatch(request.headers.get("accept", "")):
            return JSONResponse({"message": "Unknown version", "type": "not_acceptable"}, 406)
        self.log.append(f"{request.method} {request.url.path}")
        self.catch_up()
        return self.limited(await handler(self, request))

    return checked


class MakeBelieve:
    """One account, and one application that may use it by its own right or with a refresh token."""

    def __init__(self, app: SimulatedLockApp) -> None:
        self.app = app
        self.tokens = {"token"}
        self.refresh = "refresh-1"
        self.people: dict[str, Person] = {}
        self.log: list[str] = []
        self.made = 0

    def asgi(self) -> Starlette:
        person, device = "/access_persons/{person}", "/devices/{device}"
        routes = [
            Route("/oauth/token", self.sign_in, methods=["POST"]),
            Route("/devices", self.list_devices, methods=["GET"]),
            Route("/locations", self.list_locations, methods=["GET"]),
            Route("/models", self.list_models, methods=["GET"]),
            Route(device, self.one_device, methods=["GET"]),
            Route(f"{device}/unlock", self.unlock, methods=["PUT"]),
            Route(f"{device}/access_person_accesses", self.list_at_device, methods=["GET"]),
            Route("/access_persons", self.list_people, methods=["GET"]),
            Route("/access_persons", self.create, methods=["POST"]),
            Route(person, self.update, methods=["PUT"]),
            Route(f"{person}/deactivate", self.deactivate, methods=["PUT"]),
            Route(f"{person}/accesses", self.list_of_person, methods=["GET"]),
            Route(f"{person}/accesses", self.grant, methods=["POST"]),
            Route(f"{person}/accesses/{{access}}", self.revoke, methods=["DELETE"]),
        ]
        app = Starlette(routes=routes, exception_handlers={Refusal: _refused, ProviderError: _failed})
        app.state.vendor = self
        return app

    # -- signing in -------------------------------------------------------------------------------------------

    async def sign_in(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if (form.pop("client_id", ""), form.pop("client_secret", "")) != ("client", "secret"):
            return JSONResponse({"error": "invalid_client"}, 401)
        granted = {"access_token": "token", "token_type": "bearer", "expires_in": 7200}
        if form == {"grant_type": "client_credentials"}:
            return JSONResponse(granted)
        if form != {"grant_type": "refresh_token", "refresh_token": self.refresh}:
            return JSONResponse({"error": "invalid_grant"}, 400)
        number = int(self.refresh.rpartition("-")[2]) + 1
        self.refresh = f"refresh-{number}"
        self.tokens = {"token", f"access-{number}"}
        return JSONResponse({**granted, "access_token": f"access-{number}", "refresh_token": self.refresh})

    def limited(self, response: Response) -> Response:
        now = self.app.now().timestamp()
        headers = {"Limit": PER_MINUTE, "Remaining": PER_MINUTE - 1, "Reset": ceil(now / 60) * 60}
        response.headers.update({f"X-RateLimit-{name}": str(value) for name, value in headers.items()})
        return response

    # -- devices ----------------------------------------------------------------------------------------------

    @api
    async def list_devices(self, request: Request) -> Response:
        return _listed(request, [self.device(lock) for lock in self.app.list_locks(MAIN)])

    @api
    async def one_device(self, request: Request) -> Response:
        return JSONResponse({"data": self.device(self.found(_device(request)))})

    @api
    async def unlock(self, request: Request) -> Response:
        lock = self.found(_device(request))
        device = self.device(lock)
        with suppress(LockOffline):
            self.app.open_door(MAIN, lock.ref)
            device["attributes"]["state"] = "unlocked"
        return JSONResponse({"data": device})

    @api
    async def list_locations(self, request: Request) -> Response:
        zones = sorted({lock.zone or "UTC" for lock in self.app.locks.values()})
        places = [_thing("location", _place(zone), {"name": zone, "time_zone": zone}) for zone in zones]
        return _listed(request, places)

    @api
    async def list_models(self, request: Request) -> Response:
        models = []
        for kind in RULES:
            capabilities = {"pin_credential": True, "guest_deferrable": kind == "zwave_lock"}
            models.append(_thing("model", f"model-{kind}", {"number": kind, "capabilities": capabilities}))
        return _listed(request, models)

    def found(self, ref: LockRef) -> FoundLock:
        for lock in self.app.list_locks(MAIN):
            if lock.ref == ref:
                return lock
        raise LockNotFound(ref)

    def device(self, lock: FoundLock) -> dict[str, Any]:
        kind, online = self.app.rules_of(lock.ref).key, lock.status.online
        level = None if lock.status.battery is None else round(lock.status.battery * 100)
        said = {"name": lock.name, "state": "locked", "connected": online, "power_level": level}
        said |= {"location_id": _place(lock.zone or "UTC"), "model_id": f"model-{kind}"}
        if kind == "lock":
            said |= {"alive": online, "heartbeat_interval": HEARTBEAT, "connected": False, "local_pins": []}
        return _thing(kind, lock.ref, said)

    # -- people -----------------------------------------------------------------------------------------------

    @api
    async def list_people(self, request: Request) -> Response:
        newest_first = request.query_params.get("sort") == "-created_at"
        people = sorted(self.people.values(), key=lambda person: person.made, reverse=newest_first)
        return _listed(request, [self.shown(person) for person in people if self.status(person) in STATUSES])

    @api
    async def create(self, request: Request) -> Response:
        body = await _body(request)
        kind = body.get("type")
        if kind not in {"access_guest", "access_user"}:
            raise Refusal(422, "type")
        said = self.checked(kind, body.get("attributes"), None)
        self.made += 1
        person = self.people[f"person-{self.made}"] = Person(f"person-{self.made}", kind, said, self.made)
        return JSONResponse({"data": self.shown(person)}, 201)

    @api
    async def update(self, request: Request) -> Response:
        person = self.person(request)
        if self.status(person) not in STATUSES:
            raise Refusal(403)
        attributes = (await _body(request)).get("attributes")
        said = self.checked(person.kind, {**person.said, **attributes}, person)
        for lock in person.accesses:
            self.app.update_code(MAIN, lock, CodeRef(person.id), self.spec(person.kind, said, lock))
        person.said = said
        return JSONResponse({"data": self.shown(person)})

    @api
    async def deactivate(self, request: Request) -> Response:
        person = self.person(request)
        for lock in tuple(person.accesses):
            self.take_off(person, lock)
        person.deactivated = True
        return JSONResponse({"data": self.shown(person)})

    def person(self, request: Request) -> Person:
        person = self.people.get(request.path_params["person"])
        if person is None:
            raise Refusal(404)
        return person

    def checked(self, kind: str, said: Any, own: Person | None) -> dict[str, Any]:
        """The attributes of a person as they may be; digits are unique among those who are on locks."""
        allowed = {"name", "pin", *(("starts_at", "ends_at") if kind == "access_guest" else ())}
        if not isinstance(said, dict) or set(said) - allowed:
            raise Refusal(400)
        if not isinstance(said.get("name"), str) or not 1 <= len(said["name"]) <= 64:
            raise Refusal(422, "name")
        if not re.fullmatch(r"[0-9]{4,10}", str(said.get("pin"))) or not isinstance(said["pin"], str):
            raise Refusal(422, "pin")
        for name in allowed - {"name", "pin"}:
            if not isinstance(said.get(name), str) or not LOCAL.fullmatch(said[name]):
                raise Refusal(422, name)
        if kind == "access_guest" and said["ends_at"] <= said["starts_at"]:
            raise Refusal(422, "ends_at")
        others = (each for each in self.people.values() if each is not own and self.status(each) in STATUSES)
        if any(each.said["pin"] == said["pin"] for each in others):
            raise Refusal(422, "pin")
        return said

    def status(self, person: Person) -> str:
        if person.deactivated:
            return "deactivated"
        zone = next((self.app.locks[lock].zone for lock in person.accesses), None) or "UTC"
        window = _window(person.kind, person.said, zone)
        if window is None or window.holds(self.app.now()):
            return "current"
        return "expired" if window.over(self.app.now()) else "upcoming"

    def shown(self, person: Person) -> dict[str, Any]:
        said = {"email": None, "phone": None, "card_number": None, "source": None, **person.said}
        return _thing(person.kind, person.id, {**said, "status": self.status(person)})

    # -- accesses ---------------------------------------------------------------------------------------------

    @api
    async def list_at_device(self, request: Request) -> Response:
        lock = _device(request)
        seen = {code.ref: code for code in self.app.list_codes(MAIN, lock)}
        include = request.query_params.get("include") == "access_person"
        at_lock = [person for person in self.people.values() if lock in person.accesses]
        return _listed(
            request, [self.access(person, lock, seen[CodeRef(person.id)], include=include) for person in at_lock]
        )

    @api
    async def list_of_person(self, request: Request) -> Response:
        person = self.person(request)
        return _listed(request, [self.access(person, lock) for lock in person.accesses])

    @api
    async def grant(self, request: Request) -> Response:
        person, said = self.person(request), (await _body(request)).get("attributes")
        if not isinstance(said, dict) or set(said) != {"accessible_id", "accessible_type"}:
            raise Refusal(422, "accessible_type")
        lock = LockRef(said["accessible_id"])
        if self.found(lock) and said["accessible_type"] != self.app.rules_of(lock).key:
            raise Refusal(404)
        if lock in person.accesses:
            raise Refusal(409)
        written = self.app.set_code(MAIN, lock, self.spec(person.kind, person.said, lock))
        _rename(self.app.locks[lock], written.ref, person.id)
        person.accesses[lock] = f"access-of-{person.id}-to-{lock}"
        return JSONResponse({"data": self.access(person, lock)}, 201)

    @api
    async def revoke(self, request: Request) -> Response:
        person = self.person(request)
        for lock, access in tuple(person.accesses.items()):
            if access == request.path_params["access"]:
                self.take_off(person, lock)
                return Response(status_code=204)
        raise Refusal(404)

    def take_off(self, person: Person, lock: LockRef) -> None:
        self.app.remove_code(MAIN, lock, CodeRef(person.id))
        del person.accesses[lock]

    def access(
        self, person: Person, lock: LockRef, seen: SeenCode | None = None, *, include: bool = False
    ) -> dict[str, Any]:
        synced = seen is not None and seen.state is CodeState.SET
        failed = seen is not None and seen.trouble is not None
        said = {
            "devices_count": 1,
            "devices_synced_count": int(synced),
            "devices_pending_sync_count": int(not synced and not failed),
            "devices_failed_sync_count": int(failed),
            "accessible_id": lock,
            "accessible_type": self.app.rules_of(lock).key,
            "access_person_id": person.id,
            "access_person_type": person.kind,
        }
        thing = _thing("access_person_access", person.accesses[lock], said)
        return {**thing, "relationships": {"access_person": self.shown(person)}} if include else thing

    def spec(self, kind: str, said: Mapping[str, Any], lock: LockRef) -> CodeSpec:
        zone = self.app.locks[lock].zone or "UTC"
        return CodeSpec(Pin(said["pin"]), said["name"], _window(kind, said, zone))

    # -- by hand ----------------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """What was done to the world by hand is done to people; whose code is gone from every lock is deleted."""
        for ref, lock in self.app.locks.items():
            lock.settle(self.app.now())
            for code in lock.codes.values():
                if code.ref not in self.people:
                    self.made += 1
                    said, kind = _by_hand(code.pin, code.name, code.window, lock.zone or "UTC")
                    self.people[code.ref] = Person(
                        code.ref, kind, said, self.made, accesses={ref: f"access-{code.ref}"}
                    )
        for person in tuple(self.people.values()):
            gone = [ref for ref in person.accesses if person.id not in self.app.locks[ref].codes]
            for ref in gone:
                del person.accesses[ref]
            if gone and not person.accesses:
                del self.people[person.id]


def _rename(lock: SimulatedLock, old: CodeRef | None, new: str) -> None:
    """Have the world call a code by the person's id."""
    assert old is not None
    code, change = lock.codes[old], lock.codes[old].change
    lock.drop(code)
    code.ref = CodeRef(new)
    lock.put(code)
    if change is not None:
        lock.send(code, change)


def _by_hand(pin: str, name: str | None, window: Window | None, zone: str) -> tuple[dict[str, Any], str]:
    said = {"name": name or "", "pin": pin}
    if window is None or window.ends is None:
        return said, "access_user"
    starts, ends = (at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in (window.starts, window.ends))
    return {**said, "starts_at": starts.isoformat(), "ends_at": ends.isoformat()}, "access_guest"


def _window(kind: str, said: Mapping[str, Any], zone: str) -> Window | None:
    """The lock opens at the first and closes at the second of two times that the clock shows alike."""
    if kind == "access_user":
        return None
    starts, ends = (
        datetime.fromisoformat(said[name]).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)
        for name, fold in (("starts_at", 0), ("ends_at", 1))
    )
    return Window(starts, ends)


def _thing(kind: str, ref: str, said: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "attributes": said, "id": ref, "links": {}}


def _place(zone: str) -> str:
    return f"location-{zone.replace('/', '-')}"


def _device(request: Request) -> LockRef:
    return LockRef(request.path_params["device"])


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type") != "application/json":
        raise Refusal(415)
    body = orjson.loads(await request.body())
    if not isinstance(body, dict):
        raise Refusal(400)
    return body


def _listed(request: Request, things: list[dict[str, Any]]) -> Response:
    page, per_page = (int(request.query_params.get(name, usual)) for name, usual in (("page", 1), ("per_page", 25)))
    if page < 1 or not 1 <= per_page <= 50:
        raise Refusal(400)
    total = len(things)
    meta = {"page": page, "per_page": per_page, "total_count": total, "total_pages": ceil(total / per_page)}
    return JSONResponse({"data": things[(page - 1) * per_page : page * per_page], "meta": meta})


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    if error.attribute is None:
        return JSONResponse({"message": "No.", "type": error.kind}, error.status)
    told = {"attribute": error.attribute, "messages": ["is no good"], "full_messages": ["It is no good"]}
    return JSONResponse({"attributes": {}, "errors": [told]}, error.status)


async def _failed(request: Request, error: Exception) -> Response:
    """The answer for everything the world raises."""
    if type(error) in WORDS:
        return await _refused(request, Refusal(422, WORDS[type(error)]))
    if isinstance(error, RateLimited):
        return JSONResponse({"message": "Your account has exceeded the rate limit"}, 429, {"Retry-After": "60"})
    if isinstance(error, OutcomeUnknown):
        return JSONResponse({"message": "Bad gateway"}, 502)
    statuses = {CodeGone: 404, LockNotFound: 404, Unreachable: 503}
    return JSONResponse({"message": "No.", "type": "error"}, statuses.get(type(error), 422))


class RemoteLockHarness(BrandHarness):
    """A set takes two requests: when the answer to the first is lost, the second is never made."""

    sets_at_once = False


BRAND = Brand(
    spec=PROVIDER,
    rules=RULES,
    serve=lambda app: MakeBelieve(app).asgi(),
    settings=lambda url: {"url": url, "sign_in": url, "client_id": "client", "client_secret": "secret"},
    harness=RemoteLockHarness,
)
