"""A make-believe Nuki Web: the paths, bodies and refusals of Nuki's published description, over the simulated world.

The cloud is asked, the lock is told later: writes are answered with 204 and nothing, and until the lock has taken one
its authorization bears an ``operationId`` and is locked (423). An authorization that is being deleted is not listed.
"""

import binascii
import zlib
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    FoundLock,
    LockFull,
    LockNotFound,
    LockOffline,
    NameRefused,
    OutcomeUnknown,
    PinTaken,
    ProviderError,
    RateLimited,
    SeenCode,
    Unreachable,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, NameRules, PinRules
from lockbridge.domain.seen import CodeState
from providers.nuki import PROVIDER
from providers.simulator import MAIN, RuleSet, SimulatedLockApp
from tests.contract.brands import Brand

SOON = timedelta(seconds=5), timedelta(seconds=60)
PINS = PinRules(lengths=frozenset({6}), forbidden_digits=frozenset("0"), forbidden_prefixes=("12",))


def _rules(key: str, max_codes: int) -> RuleSet:
    can = Capabilities(
        confirms=False,
        can_open=True,
        has_log=True,
        max_codes=max_codes,
        pin_rules=PINS,
        name_rules=NameRules(max_length=20),
    )
    return RuleSet(key, can, confirm_delay=SOON, queues_offline=True, returns_ref=False)


SMART_LOCK_2 = _rules("nuki smart lock 2", 100)
SMART_LOCK_4 = _rules("nuki smart lock 4", 200)
OPENER = _rules("nuki opener", 100)
NO_KEYPAD = _rules("nuki smart lock 4 without keypad", 0)
TYPES = {SMART_LOCK_2.key: 0, SMART_LOCK_4.key: 4, OPENER.key: 2, NO_KEYPAD.key: 4}
OPENING = {0: {3}, 2: {3}, 4: {3}}
ZONES = {"Europe/Berlin": 37, "Europe/London": 40}

LIMITS = {"allowedFromDate": str, "allowedUntilDate": str, "allowedWeekDays": int}
CREATED = {"name": str, "type": int, "code": int, "remoteAllowed": bool, **LIMITS}
UPDATED = {"name": str, "code": int, "enabled": bool, "remoteAllowed": bool, **LIMITS}
Handler = Callable[["NukiWeb", Request], Awaitable[Response]]


class Refusal(Exception):
    """A no of the cloud's own."""

    def __init__(self, status: int, detail: str = "") -> None:
        super().__init__(detail)
        self.status = status


def signed_in(handler: Handler) -> Handler:
    """Only with an access token that was given out."""

    @wraps(handler)
    async def checked(self: "NukiWeb", request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            raise Refusal(401)
        return await handler(self, request)

    return checked


class NukiWeb:
    """One account of Nuki Web, and one OAuth2 client that may use it."""

    client = "client:secret"

    def __init__(self, app: SimulatedLockApp) -> None:
        self._app = app
        self.tokens = {"token"}
        self.refresh = "refresh-1"

    def asgi(self) -> Starlette:
        lock, auths, auth = "/smartlock/{lock}", "/smartlock/{lock}/auth", "/smartlock/{lock}/auth/{auth}"
        routes = [
            Route("/oauth/token", self.sign_in, methods=["POST"]),
            Route("/smartlock", self.list_locks, methods=["GET"]),
            Route(lock, self.one_lock, methods=["GET"]),
            Route(f"{lock}/action", self.act, methods=["POST"]),
            Route(auths, self.list_auths, methods=["GET"]),
            Route(auths, self.create, methods=["PUT"]),
            Route(auth, self.update, methods=["POST"]),
            Route(auth, self.delete, methods=["DELETE"]),
        ]
        return Starlette(routes=routes, exception_handlers={Refusal: _refused, ProviderError: _failed})

    async def sign_in(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if _basic(request) != self.client:
            return JSONResponse({"error": "invalid_client"}, 401)
        if form != {"grant_type": "refresh_token", "refresh_token": self.refresh}:
            return JSONResponse({"error": "invalid_grant"}, 400)
        number = int(self.refresh.rpartition("-")[2]) + 1
        self.tokens, self.refresh = {"token", f"access-{number}"}, f"refresh-{number}"
        tokens = {"access_token": f"access-{number}", "refresh_token": self.refresh}
        return JSONResponse({**tokens, "token_type": "bearer", "expires_in": 3600})

    @signed_in
    async def list_locks(self, request: Request) -> Response:
        return JSONResponse([self._lock(lock) for lock in self._app.list_locks(MAIN)])

    @signed_in
    async def one_lock(self, request: Request) -> Response:
        lock = _lock_ref(request)
        self._app.check_lock(MAIN, lock)
        found = next(found for found in self._app.list_locks(MAIN) if found.ref == lock)
        return JSONResponse(self._lock(found))

    @signed_in
    async def list_auths(self, request: Request) -> Response:
        lock, types = self._known(request), _types(request)
        codes = [code for code in self._app.list_codes(MAIN, lock) if code.state is not CodeState.REMOVING]
        auths = [_owner(lock), *(_auth(lock, code, self._app.now()) for code in codes)]
        return JSONResponse([auth for auth in auths if types is None or auth["type"] in types])

    @signed_in
    async def create(self, request: Request) -> Response:
        lock, body = self._known(request), await _body(request, CREATED, {"name", "remoteAllowed"})
        has_keypad = self._app.rules_of(lock).capabilities.max_codes > 0
        if body.get("type") != 13 or not has_keypad:
            raise Refusal(400, "The supplied value for parameter 'type' is not valid")
        if "code" not in body:
            raise Refusal(400, "The supplied value 'null' for parameter 'code' is not valid")
        self._app.set_code(MAIN, lock, _spec(body))
        return Response(status_code=204)

    @signed_in
    async def update(self, request: Request) -> Response:
        lock, body = self._known(request), await _body(request, UPDATED, {"name"})
        self._app.update_code(MAIN, lock, self._free(lock, request), _spec(body))
        return Response(status_code=204)

    @signed_in
    async def delete(self, request: Request) -> Response:
        lock = self._known(request)
        self._app.remove_code(MAIN, lock, self._free(lock, request))
        return Response(status_code=204)

    @signed_in
    async def act(self, request: Request) -> Response:
        """The cloud takes an action whether or not it reaches the lock."""
        lock, body = self._known(request), await _body(request, {"action": int, "option": int}, {"action"})
        if body["action"] not in OPENING[TYPES[self._app.rules_of(lock).key]]:
            raise Refusal(400, "this does not open the door")
        with suppress(LockOffline):
            self._app.open_door(MAIN, lock)
        return Response(status_code=204)

    def _known(self, request: Request) -> LockRef:
        """Nuki's description knows no 404 for the authorizations of a lock that is not the account's."""
        lock = _lock_ref(request)
        if lock not in self._app.locks:
            raise Refusal(403)
        return lock

    def _free(self, lock: LockRef, request: Request) -> CodeRef:
        """An authorization that no operation is under way on."""
        ref, held = CodeRef(request.path_params["auth"]), self._app.locks[lock]
        held.settle(self._app.now())
        code = held.codes.get(ref)
        if code is not None and code.change and not code.trouble:
            raise Refusal(423)
        return ref

    def _lock(self, lock: FoundLock) -> dict[str, Any]:
        kind, has_keypad = TYPES[self._app.rules_of(lock.ref).key], lock.capabilities.max_codes > 0
        config = {
            "name": lock.name,
            "latitude": 47.07,
            "longitude": 15.44,
            "timezoneId": ZONES.get(lock.zone or "", 65535),
            "timezoneOffset": 0,
            "advertisingMode": 0,
            "singleLock": False,
            "keypadPaired": has_keypad and kind != 4,
            "keypad2Paired": has_keypad and kind == 4,
        }
        state = {"mode": 2, "state": 1, "trigger": 0, "lastAction": 2, "batteryCritical": False, "doorState": 2}
        charge = {} if lock.status.battery is None else {"batteryCharge": round(lock.status.battery * 100)}
        return {
            "smartlockId": _wire_id(lock.ref),
            "accountId": 1,
            "authId": 1,
            "type": kind,
            "name": lock.name,
            "favorite": False,
            "config": config,
            "state": {**state, **charge, "ringToOpenTimer": 0, "nightMode": False},
            "serverState": 0 if lock.status.online else 4,
            "adminPinState": 0,
        }


def _wire_id(lock: LockRef) -> int | str:
    """A number, as Nuki has it, wherever the lock is called by one."""
    return int(lock) if lock.isdecimal() else lock


def _lock_ref(request: Request) -> LockRef:
    return LockRef(request.path_params["lock"])


def _basic(request: Request) -> str:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        return b64decode(encoded, validate=True).decode() if scheme == "Basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _types(request: Request) -> set[int] | None:
    asked = request.query_params.get("types")
    if asked is None:
        return None
    if not all(word.isdecimal() for word in asked.split(",")):
        raise Refusal(400, "types")
    return {int(word) for word in asked.split(",")}


async def _body(request: Request, fields: Mapping[str, type], required: set[str]) -> dict[str, Any]:
    """The request's object: every field known and of its type, none of the required missing."""
    try:
        body = await request.json()
    except ValueError:
        raise Refusal(400, "no JSON") from None
    if not isinstance(body, dict) or not required <= set(body) <= set(fields):
        raise Refusal(400, "fields")
    if any(type(value) is not fields[name] for name, value in body.items()):
        raise Refusal(400, "types of the fields")
    if not 0 <= body.get("allowedWeekDays", 127) <= 127:
        raise Refusal(400, "allowedWeekDays")
    return body


def _spec(body: Mapping[str, Any]) -> CodeSpec:
    """What is asked for; dates that are left out are dropped."""
    starts, ends = _instant(body.get("allowedFromDate")), _instant(body.get("allowedUntilDate"))
    if starts is None and ends is not None:
        raise Refusal(400, "allowedFromDate")
    window = Window(starts, ends) if starts else None
    return CodeSpec(Pin(str(body["code"])) if "code" in body else None, body["name"], window)


def _instant(text: str | None) -> datetime | None:
    """RFC 3339 in UTC with milliseconds."""
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refusal(400, "date") from None


def _date(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def _owner(lock: LockRef) -> dict[str, Any]:
    """The app of the lock's owner: an authorization that is no code."""
    auth = {"id": "5f0000000000000000000001", "authId": 1, "type": 0, "name": "Ada's phone", "lockCount": 7}
    return {**auth, "smartlockId": _wire_id(lock), "enabled": True, "remoteAllowed": True}


def _auth(lock: LockRef, code: SeenCode, now: datetime) -> dict[str, Any]:
    window, pin = code.window, code.pin
    assert pin is not None
    auth: dict[str, Any] = {
        "id": code.ref,
        "smartlockId": _wire_id(lock),
        "authId": zlib.crc32(code.ref.encode()) & 0x7FFF,
        "type": 13,
        "name": code.name,
        "code": int(pin.digits),
        "enabled": not (window and window.over(now)),
        "remoteAllowed": False,
        "lockCount": 0,
    }
    if window is not None:
        auth |= {"allowedWeekDays": 127, "allowedFromDate": _date(window.starts)}
        auth |= {"allowedUntilDate": _date(window.ends)} if window.ends else {}
    if code.trouble is not None:
        auth["error"] = "K_ERROR_TIMEOUT"
    elif code.state is not CodeState.SET:
        auth["operationId"] = {"timestamp": 1705095875, "counter": 16384}
    return auth


_STATUSES: Mapping[type[ProviderError], int] = {
    AccountRefused: 401,
    LockNotFound: 404,
    CodeGone: 404,
    PinTaken: 409,
    NameRefused: 422,
    LockFull: 422,
    Unreachable: 503,
    OutcomeUnknown: 502,
}


async def _failed(request: Request, error: Exception) -> Response:
    """What the world refuses, in Nuki's terms: 400 for whatever it has no better status for."""
    if isinstance(error, RateLimited):
        pause = error.retry_after or timedelta(seconds=1)
        return Response(status_code=429, headers={"retry-after": str(round(pause.total_seconds()))})
    status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 400)
    return await _refused(request, Refusal(status))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    detail = {"detailMessage": str(error)} if str(error) else {}
    return JSONResponse({**detail, "stackTrace": [], "suppressedExceptions": []}, error.status)


BRAND = Brand(
    spec=PROVIDER,
    rules={"smart-lock-2": SMART_LOCK_2, "smart-lock-4": SMART_LOCK_4, "opener": OPENER},
    serve=lambda app: NukiWeb(app).asgi(),
    settings=lambda url: {"url": url, "token": "token"},
)
