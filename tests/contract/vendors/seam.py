"""A make-believe Seam: paths, bodies and refusals of its published OpenAPI (@seamapi/types 1.977.0), over the world.

Everything is a POST with JSON. Codes made through Seam are managed, those made by hand are not, and each kind has its
own list. An answer to a write is an attempt that is under way. Lists come in pages of two; a device that is not there
has none, as with Seam's own fake.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    CodeState,
    LockFull,
    LockNotFound,
    LockOffline,
    NameRefused,
    NameTaken,
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    ProviderError,
    RateLimited,
    Receipt,
    SeenCode,
    Unreachable,
    WindowRefused,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, NameRules, PinRules, Rounding
from providers.seam import PROVIDER
from providers.simulator import MAIN, RuleSet, SimulatedLockApp
from tests.contract.brands import Brand

PAGE = 2
SOON = timedelta(seconds=5), timedelta(seconds=60)
NATIVE = Capabilities(
    confirms=False,
    confirm_within=timedelta(minutes=30),
    rounding=Rounding.MINUTE,
    can_open=True,
    max_codes=30,
)


class Kind(NamedTuple):
    """What Seam says of one kind of device, and what the driver must make of it."""

    device_type: str
    lengths: tuple[int, ...]
    constraints: tuple[Mapping[str, Any], ...]
    capabilities: Capabilities


def _constraints(*names: str) -> tuple[Mapping[str, Any], ...]:
    return tuple({"constraint_type": name} for name in names)


def _lengths(*lengths: int, **rules: Any) -> PinRules:
    return PinRules(lengths=frozenset(lengths), **rules)


KINDS = {
    "august": Kind("august_lock", (4, 5, 6), (), replace(NATIVE, pin_rules=_lengths(4, 5, 6))),
    "nuki": Kind(
        "nuki_lock",
        (6,),
        (*_constraints("no_zeros", "cannot_start_with_12"), {"constraint_type": "name_length", "max_length": 20}),
        replace(
            NATIVE,
            pin_rules=_lengths(6, forbidden_digits=frozenset("0"), forbidden_prefixes=("12",)),
            name_rules=NameRules(max_length=20),
        ),
    ),
    "schlage": Kind(
        "schlage_lock",
        (4, 5, 6, 7, 8),
        _constraints("unique_first_four_digits"),
        replace(NATIVE, pin_rules=_lengths(4, 5, 6, 7, 8, unique_first_four=True)),
    ),
    "tedee": Kind(
        "tedee_lock",
        (5, 6, 7, 8),
        _constraints("no_ascending_or_descending_sequence", "at_least_three_unique_digits"),
        replace(NATIVE, pin_rules=_lengths(5, 6, 7, 8, min_distinct_digits=3, no_run=True)),
    ),
    "ttlock": Kind(
        "ttlock_lock",
        (4, 5, 6, 7, 8, 9),
        _constraints("cannot_contain_0789"),
        replace(NATIVE, pin_rules=_lengths(4, 5, 6, 7, 8, 9, forbidden_digits=frozenset("0789"))),
    ),
    "kwikset": Kind(
        "kwikset_lock",
        (4, 5, 6, 7, 8),
        (
            *_constraints("start_date_in_future", "name_must_be_unique"),
            {"constraint_type": "name_length", "min_length": 2, "max_length": 24},
        ),
        replace(
            NATIVE,
            can_open=False,
            pin_rules=_lengths(4, 5, 6, 7, 8),
            name_rules=NameRules(min_length=2, max_length=24, unique=True),
        ),
    ),
    "smartthings": Kind(
        "smartthings_lock",
        (4, 5, 6, 7, 8),
        (),
        replace(NATIVE, lead=timedelta(hours=1), pin_rules=_lengths(4, 5, 6, 7, 8)),
    ),
    "salto": Kind(
        "salto_lock",
        (6,),
        _constraints("cannot_specify_pin_code"),
        replace(NATIVE, chooses_pin=True, updates=frozenset(), pin_rules=_lengths(6)),
    ),
}
TIMES = {"starts_at": str, "ends_at": str}
CREATED = {
    "device_id": str,
    "name": str,
    "code": str,
    **TIMES,
    "prefer_native_scheduling": bool,
    "allow_external_modification": bool,
    "use_backup_access_code_pool": bool,
    "attempt_for_offline_device": bool,
}
UPDATED = {"access_code_id": str, "name": str, "code": str, "type": str, **TIMES}
LISTED = {"device_id": str, "page_cursor": str}

REFUSALS: dict[type[ProviderError], tuple[int, str, str | None]] = {
    AccountRefused: (401, "unauthorized", None),
    LockNotFound: (404, "device_not_found", None),
    CodeGone: (404, "access_code_not_found", None),
    PinTaken: (409, "duplicate_access_code", None),
    PinRefused: (400, "invalid_input", "code"),
    NameRefused: (400, "invalid_input", "name"),
    WindowRefused: (400, "invalid_input", "ends_at"),
    NameTaken: (400, "wyze_duplicate_code_name", None),
    LockFull: (400, "no_space_for_access_code_on_device", None),
    Unreachable: (503, "service_unavailable", None),
    OutcomeUnknown: (500, "internal_server_error", None),
}
"""Status, type of error, and which field of the request it is about."""


class Refusal(Exception):
    """A no of Seam's own: what was sent is not what its description asks for."""


def _refused(status: int, kind: str, field: str | None = None, headers: Mapping[str, str] | None = None) -> Response:
    error: dict[str, Any] = {"type": kind, "message": "words for people", "request_id": "r-1"}
    if kind == "invalid_input":
        error["validation_errors"] = {"_errors": [], **({field: {"_errors": ["is not allowed"]}} if field else {})}
    return JSONResponse({"ok": False, "error": error}, status, headers)


class SeamApi:
    """One workspace."""

    def __init__(self, app: SimulatedLockApp) -> None:
        self._app = app
        self.routes = [
            self._route("/locks/list", {"page_cursor": str}, (), self._list_locks),
            self._route("/locks/get", {"device_id": str}, ("device_id",), self._get_lock),
            self._route("/locks/unlock_door", {"device_id": str}, ("device_id",), self._unlock),
            self._route("/access_codes/list", LISTED, ("device_id",), lambda body: self._list(body, "us")),
            self._route("/access_codes/unmanaged/list", LISTED, ("device_id",), lambda body: self._list(body, "hand")),
            self._route("/access_codes/create", CREATED, ("device_id",), self._create),
            self._route("/access_codes/update", UPDATED, ("access_code_id",), self._update),
            self._route("/access_codes/delete", {"access_code_id": str}, ("access_code_id",), self._delete),
        ]

    def _route(
        self,
        path: str,
        fields: Mapping[str, type],
        required: tuple[str, ...],
        act: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> Route:
        async def handle(request: Request) -> Response:
            if request.headers.get("authorization") != "Bearer token":
                return _refused(401, "unauthorized")
            try:
                body = await request.json()
                _check(body, fields, required)
                return JSONResponse({**act(body), "ok": True}, headers={"seam-request-id": "r-1"})
            except (Refusal, ValueError):
                return _refused(400, "invalid_input")
            except RateLimited as error:
                pause = str(int(error.retry_after.total_seconds())) if error.retry_after else "60"
                return _refused(429, "too_many_requests", headers={"retry-after": pause})
            except ProviderError as error:
                return _refused(*REFUSALS.get(type(error), _kin(error)))

        return Route(path, handle, methods=["POST"])

    # -- devices ---------------------------------------------------------------------------------------------

    def _list_locks(self, body: dict[str, Any]) -> dict[str, Any]:
        devices = [self._device(lock.ref) for lock in self._app.list_locks(MAIN)]
        page = _page(devices, body)
        return {"locks": page[0], "devices": page[0], "pagination": page[1]}

    def _get_lock(self, body: dict[str, Any]) -> dict[str, Any]:
        self._app.check_lock(MAIN, LockRef(body["device_id"]))
        device = self._device(LockRef(body["device_id"]))
        return {"lock": device, "device": device}

    def _device(self, ref: LockRef) -> dict[str, Any]:
        lock = self._app.locks[ref]
        kind, online = KINDS[lock.rules.key], lock.is_online(self._app.now())
        unreachable = {"error_code": "device_disconnected", "message": "words", "is_device_error": True}
        return {
            "device_id": ref,
            "device_type": kind.device_type,
            "display_name": lock.name,
            "capabilities_supported": ["access_code", "lock"],
            "can_remotely_unlock": lock.capabilities.can_open,
            "can_program_online_access_codes": True,
            "is_managed": True,
            "location": {"time_zone": lock.zone} if lock.zone else None,
            "errors": [] if online else [unreachable],
            "warnings": [],
            "properties": {
                "online": online,
                "battery": None if lock.battery is None else {"level": lock.battery, "status": "good"},
                "supported_code_lengths": list(map(float, kind.lengths)),
                "max_active_codes_supported": float(lock.capabilities.max_codes),
                "code_constraints": list(kind.constraints),
            },
        }

    def _unlock(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            self._app.open_door(MAIN, LockRef(body["device_id"]))
        except LockOffline:
            return _attempt("UNLOCK_DOOR", "error", {"type": "device_disconnected", "message": "words for people"})
        return _attempt("UNLOCK_DOOR", "success")

    # -- codes -----------------------------------------------------------------------------------------------

    def _list(self, body: dict[str, Any], maker: str) -> dict[str, Any]:
        lock = LockRef(body["device_id"])
        try:
            seen = self._app.list_codes(MAIN, lock)
        except LockNotFound:
            seen = []
        codes = [self._code(lock, code) for code in seen if self._app.locks[lock].codes[code.ref].made_by == maker]
        page = _page(codes, body)
        return {"access_codes": page[0], "pagination": page[1]}

    def _code(self, lock: LockRef, code: SeenCode) -> dict[str, Any]:
        window, now = code.window, self._app.now()
        starts, ends = (window.starts, window.ends) if window else (None, None)
        early = code.state is CodeState.SET and window is not None and now < window.starts
        trouble = {"error_code": "failed_to_set_on_device", "message": "words", "is_access_code_error": True}
        return {
            "access_code_id": code.ref,
            "device_id": lock,
            "name": code.name,
            "code": code.pin.digits if code.pin else None,
            "type": "time_bound" if window else "ongoing",
            "starts_at": _instant_out(starts),
            "ends_at": _instant_out(ends),
            "status": "unset" if early else code.state.value,
            "is_scheduled_on_device": early,
            "is_managed": self._app.locks[lock].codes[code.ref].made_by == "us",
            "errors": [trouble] if code.trouble else [],
            "warnings": [],
            "pending_mutations": [],
        }

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        lock = LockRef(body["device_id"])
        if body.get("use_backup_access_code_pool") and "starts_at" not in body:
            raise Refusal
        written = self._app.set_code(MAIN, lock, _spec_in(body, _window_in(body)))
        (made,) = [code for code in self._app.list_codes(MAIN, lock) if code.ref == written.ref]
        return {"access_code": self._code(lock, made), **_attempt("CREATE_ACCESS_CODE", "pending")}

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        lock, ref = self._managed(body)
        if body.get("type") not in (None, "ongoing", "time_bound"):
            raise Refusal
        if (body.get("type") == "time_bound") != ("starts_at" in body):
            raise Refusal
        self._app.update_code(MAIN, lock, ref, _spec_in(body, _window_in(body)))
        return _attempt("UPDATE_ACCESS_CODE", "pending")

    def _delete(self, body: dict[str, Any]) -> dict[str, Any]:
        receipt = self._app.remove_code(MAIN, *self._managed(body))
        return _attempt("DELETE_ACCESS_CODE", "success" if receipt is Receipt.DONE else "pending")

    def _managed(self, body: dict[str, Any]) -> tuple[LockRef, CodeRef]:
        """Where a code is that was made through Seam; others are not to be changed by these calls."""
        ref = CodeRef(body["access_code_id"])
        self._app.account_of("simulator")
        for lock in self._app.locks.values():
            lock.settle(self._app.now())
            if ref in lock.codes and lock.codes[ref].made_by == "us":
                return lock.ref, ref
        raise CodeGone


def _kin(error: ProviderError) -> tuple[int, str, None]:
    known = next((said for kind, said in REFUSALS.items() if isinstance(error, kind)), (400, "unsupported", None))
    return known[0], known[1], None


def _check(body: Any, fields: Mapping[str, type], required: tuple[str, ...]) -> None:
    """An object with these fields only, of these types, and none of the required missing."""
    if not isinstance(body, dict) or not set(required) <= body.keys() <= fields.keys():
        raise Refusal
    if any(type(value) is not fields[name] for name, value in body.items()):
        raise Refusal


def _spec_in(body: Mapping[str, Any], window: Window | None) -> CodeSpec:
    code = body.get("code")
    if code is not None and not (code.isascii() and code.isdigit()):
        raise Refusal
    if code is not None and not 4 <= len(code) <= 12:
        raise PinRefused
    return CodeSpec(None if code is None else Pin(code), body["name"], window)


def _window_in(body: Mapping[str, Any]) -> Window | None:
    """Both ends or none."""
    given = [body[name] for name in TIMES if name in body]
    if len(given) == 1:
        raise Refusal
    if not given:
        return None
    starts, ends = (datetime.fromisoformat(text).astimezone(UTC) for text in given)
    return Window(starts, ends)


def _instant_out(instant: datetime | None) -> str | None:
    return instant and f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03}Z"


def _page(items: list[Any], body: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    begin = int(body.get("page_cursor", "0"))
    more = len(items) > begin + PAGE
    following = str(begin + PAGE) if more else None
    pagination = {"has_next_page": more, "next_page_cursor": following, "next_page_url": None}
    return items[begin : begin + PAGE], pagination


def _attempt(kind: str, status: str, error: Mapping[str, str] | None = None) -> dict[str, Any]:
    attempt = {"action_attempt_id": "a-1", "action_type": kind, "status": status, "result": None, "error": error}
    return {"action_attempt": attempt}


def _rules(key: str, kind: Kind) -> RuleSet:
    return RuleSet(
        key, kind.capabilities, confirm_delay=SOON, queues_offline=True, forgets_expired=True, variants=kind.lengths[0]
    )


BRAND = Brand(
    spec=PROVIDER,
    rules={key: _rules(key, kind) for key, kind in KINDS.items()},
    serve=lambda app: Starlette(routes=SeamApi(app).routes),
    settings=lambda url: {"url": url, "api_key": "token"},
)
