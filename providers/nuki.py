"""Nuki: smart locks and openers with a keypad, through the Nuki Web API (documentation 1.5.3, description 4.4.1).

A keypad code is an authorization of type 13. Nuki's cloud takes writes with 204 and no body, then tells the lock,
which takes seconds while it is online: what came of it is seen in the list of authorizations, never in the answer.
Codes whose window is over are switched off by the lock, not deleted.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

import orjson

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    CodeState,
    Connection,
    FormField,
    FoundLock,
    Grant,
    Hint,
    LockEvent,
    LockFull,
    LockNotFound,
    LockOffline,
    LockStatus,
    LookAt,
    NameRefused,
    PinRefused,
    PinTaken,
    ProviderError,
    ProviderSpec,
    Receipt,
    Rejected,
    Renew,
    SeenCode,
    Trouble,
    Unreachable,
    WindowRefused,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, NameRules, PinRules
from lockbridge.domain.pins import refusal
from lockbridge.inbound import Delivery, Hook, Ignored, Unreadable, dedupe_key_for
from lockbridge.outbound import ErrorTable, Request, SignIn, TokenRefused, Vendor, is_http
from lockbridge.signatures import any_secret_problem, hmac_hex

T = TypeVar("T")

DEFAULT_URL = "https://api.nuki.io"
KEYPAD_CODE = 13
EVERY_DAY = 127
OPENER = 2
LONGEST_LOG = 50
_RING_TO_OPEN_ONLY = 2
_OK, _OFFLINE = 0, 4
_CRITICAL = 0.1
"""What a battery counts as of which Nuki says only that it is critical."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_OPENS: Mapping[int, int] = MappingProxyType({0: 3, 1: 1, OPENER: 3, 3: 3, 4: 3, 5: 3})
"""By type of device, the action that opens the door: unlatch, a box' unlock, an opener's electric strike."""
_ROOM: Mapping[int, int] = MappingProxyType({3: 200, 4: 200, 5: 200})
"""By type of device, how many keypad codes it holds; all others 100."""

_PIN_RULES = PinRules(lengths=frozenset({6}), forbidden_digits=frozenset({"0"}), forbidden_prefixes=("12",))
_NAME_RULES = NameRules(max_length=20)
_KEYPAD = Capabilities(confirms=False, can_open=True, has_log=True, pin_rules=_PIN_RULES, name_rules=_NAME_RULES)
_NO_KEYPAD = replace(_KEYPAD, max_codes=0)

_DEVICE_ERRORS: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        "K_ERROR_CODE_ALREADY_EXISTS": PinTaken,
        "K_ERROR_CODE_INVALID": PinRefused,
        "K_ERROR_TOO_MANY_ENTRIES": LockFull,
        "P_ERROR_MAX_USER": LockFull,
    }
)
"""What a lock says of a code it did not take, of the words in Nuki's list of device errors that concern codes."""

_ZONES = (  # noqa: SIM905 - a list would take a line for each
    "Africa/Cairo Africa/Lagos Africa/Maputo Africa/Nairobi America/Anchorage America/Argentina/Buenos_Aires "
    "America/Chicago America/Denver America/Halifax America/Los_Angeles America/Manaus America/Mexico_City "
    "America/New_York America/Phoenix America/Regina America/Santiago America/Sao_Paulo America/St_Johns "
    "Asia/Bangkok Asia/Dubai Asia/Hong_Kong Asia/Jerusalem Asia/Karachi Asia/Kathmandu Asia/Kolkata Asia/Riyadh "
    "Asia/Seoul Asia/Shanghai Asia/Tehran Asia/Tokyo Asia/Yangon Australia/Adelaide Australia/Brisbane "
    "Australia/Darwin Australia/Hobart Australia/Perth Australia/Sydney Europe/Berlin Europe/Helsinki "
    "Europe/Istanbul Europe/London Europe/Moscow Pacific/Auckland Pacific/Guam Pacific/Honolulu Pacific/Pago_Pago"
).split()
"""The zones of Nuki's devices in the order of their ``timezoneId`` (Nuki Smart Lock Bluetooth API 2, 0 to 45)."""


class _Forbidden(AccountRefused):
    """403: the access lacks a right, or the lock is not the account's."""

    def __init__(self, _: str) -> None:
        super().__init__("the access to Nuki lacks a right: it must view, operate and authorize on all its locks")


class _Unpaid(AccountRefused):
    """402 and 426: keypad codes by API want a subscription."""

    def __init__(self, _: str) -> None:
        super().__init__("Nuki wants a subscription (Smart Hosting) for this lock, or an outstanding payment")


class _Busy(Unreachable):
    """423: an earlier change is still being carried out, and nothing was done."""

    def __init__(self, _: str) -> None:
        super().__init__("Nuki is still carrying out an earlier change")


_ERRORS = ErrorTable(
    statuses={
        401: TokenRefused,
        402: _Unpaid,
        403: _Forbidden,
        404: LockNotFound,
        409: PinTaken,
        423: _Busy,
        426: _Unpaid,
    }
)
_CODE_ERRORS = replace(_ERRORS, statuses={**_ERRORS.statuses, 404: CodeGone})
_SIGN_IN_ERRORS = ErrorTable(statuses=dict.fromkeys((400, 401, 403), AccountRefused))


class Nuki:
    """One Nuki Web account."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    async def list_locks(self) -> Sequence[FoundLock]:
        """All devices of the account; those without a keypad hold no codes (``max_codes`` is 0)."""
        return await self._vendor.ask(Request("GET", "/smartlock"), _locks_in)

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """Every keypad code that Nuki's cloud knows of the lock, strangers' too; also while the lock is offline."""
        request = Request("GET", _auths(lock), params={"types": KEYPAD_CODE})
        now = self._vendor.now()
        return await self._ask(lock, request, lambda raw: _codes_in(raw, now))

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        """Make a keypad code; Nuki tells no id. Raises LockFull for a lock that is full or has no keypad."""
        body = {"type": KEYPAD_CODE, **self._body(spec)}
        try:
            await self._ask(lock, Request("PUT", _auths(lock), body=body), _nothing)
        except Rejected:
            await self._check_room(lock)
            raise
        return Written(Receipt.ACCEPTED)

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Make an authorization what is asked for, and switch it on: what is left out of an update is dropped."""
        body = {"enabled": True, **self._body(spec)}
        await self._ask(lock, Request("POST", _auth(lock, ref), body=body, errors=_CODE_ERRORS), _nothing)
        return Written(Receipt.ACCEPTED, ref)

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Delete an authorization."""
        await self._ask(lock, Request("DELETE", _auth(lock, ref), errors=_CODE_ERRORS), _nothing)
        return Receipt.ACCEPTED

    async def check_lock(self, lock: LockRef) -> LockStatus:
        """Whether Nuki's cloud reaches the lock, and the battery of lock and keypad."""
        return await self._ask(lock, Request("GET", _path(lock)), _status_in)

    async def open_door(self, lock: LockRef) -> Receipt:
        """Unlatch the door. Raises LockOffline by what the cloud says of the lock: it takes the action in any case."""
        found, action = await self._ask(lock, Request("GET", _path(lock)), _opening_in)
        if action is None:
            msg = "this device opens no door"
            raise Rejected(msg)
        if not found.status.online:
            msg = "the lock cannot be reached"
            raise LockOffline(msg)
        await self._ask(lock, Request("POST", f"{_path(lock)}/action", body={"action": action, "option": 0}), _nothing)
        return Receipt.DONE

    async def activity(self, lock: LockRef, since: datetime, limit: int) -> Sequence[LockEvent]:
        """The last lines of the lock's log; Nuki tells 50 at most."""
        wanted = {"fromDate": _instant_out(since), "limit": min(limit, LONGEST_LOG)}
        return await self._ask(lock, Request("GET", f"{_path(lock)}/log", params=wanted), _events_in)

    async def _ask(self, lock: LockRef, request: Request, parse: Callable[[Any], T]) -> T:
        """Ask about one lock. 403 and 404 mean many things: LockNotFound only when the account does not list it."""
        try:
            return await self._vendor.ask(request, parse)
        except (_Forbidden, CodeGone, LockNotFound):
            if any(found.ref == lock for found in await self.list_locks()):
                raise
        msg = "the account has no such lock"
        raise LockNotFound(msg)

    async def _check_room(self, lock: LockRef) -> None:
        """Raise LockFull when that is why a code was refused: Nuki's 400 and 422 do not say."""
        found, _ = await self._ask(lock, Request("GET", _path(lock)), _opening_in)
        room = found.capabilities.max_codes
        if room == 0:
            msg = "no keypad is paired with this lock"
            raise LockFull(msg)
        if len(await self.list_codes(lock)) >= room:
            msg = "the lock is full"
            raise LockFull(msg)

    def _body(self, spec: CodeSpec) -> dict[str, object]:
        """The code on the wire. Raises, before anything is sent, what Nuki would refuse without saying why."""
        if spec.pin is None:
            msg = "a Nuki lock does not choose digits itself"
            raise Rejected(msg)
        if why := refusal(spec.pin, _PIN_RULES):
            raise PinRefused(why)
        if not _NAME_RULES.min_length <= len(spec.name) <= _NAME_RULES.max_length:
            msg = f"a name has {_NAME_RULES.min_length} to {_NAME_RULES.max_length} characters"
            raise NameRefused(msg)
        if spec.window and spec.window.over(self._vendor.now()):
            msg = "the window is over"
            raise WindowRefused(msg)
        return {"name": spec.name, "code": int(spec.pin.digits), "remoteAllowed": False, **_window_out(spec.window)}


def _path(lock: LockRef) -> str:
    return f"/smartlock/{quote(lock, safe='')}"


def _auths(lock: LockRef) -> str:
    return f"{_path(lock)}/auth"


def _auth(lock: LockRef, ref: CodeRef) -> str:
    return f"{_auths(lock)}/{quote(ref, safe='')}"


def _nothing(raw: Any) -> None:
    """Nuki answers a write with 204: anything else is not Nuki's."""
    if raw is not None:
        raise ValueError


# -- codes ----------------------------------------------------------------------------------------------------


def _window_out(window: Window | None) -> dict[str, object]:
    """RFC 3339 in UTC with milliseconds; nothing at all for a standing code."""
    if window is None:
        return {}
    limits = {"allowedFromDate": window.starts, "allowedUntilDate": window.ends}
    dates = {name: _instant_out(instant) for name, instant in limits.items() if instant is not None}
    return {"allowedWeekDays": EVERY_DAY, **dates}


def _instant_out(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _instant_in(raw: Any) -> datetime | None:
    """An instant; None for none. Raises ValueError for one without a zone."""
    if raw is None:
        return None
    instant = datetime.fromisoformat(raw)
    if instant.tzinfo is None:
        raise ValueError
    return instant.astimezone(UTC)


def _window_in(raw: Mapping[str, Any]) -> Window | None:
    """The window; a stranger's that never opens counts as standing, since its digits are taken all the same."""
    starts, ends = _instant_in(raw.get("allowedFromDate")), _instant_in(raw.get("allowedUntilDate"))
    if starts is None and ends is None:
        return None
    starts = starts or _LONG_AGO
    return None if ends is not None and ends <= starts else Window(starts, ends)


def _codes_in(raw: Any, now: datetime) -> list[SeenCode]:
    return [_code_in(auth, now) for auth in raw if auth["type"] == KEYPAD_CODE]


def _code_in(raw: Mapping[str, Any], now: datetime) -> SeenCode:
    window, code = _window_in(raw), raw.get("code")
    state = CodeState.SETTING if raw.get("operationId") else CodeState.SET
    return SeenCode(
        ref=CodeRef(_text(raw["id"])),
        pin=Pin(str(int(code))) if code else None,
        name=raw.get("name"),
        window=window,
        state=state,
        trouble=_trouble_in(raw, is_off=state is CodeState.SET and not (window and window.over(now))),
    )


def _trouble_in(raw: Mapping[str, Any], *, is_off: bool) -> Trouble | None:
    """What is wrong with an authorization; ``is_off`` says that one which is switched off ought to be on."""
    error = raw.get("error")
    if error:
        return _DEVICE_ERRORS.get(str(error), Rejected)("the lock did not take the code").trouble
    if is_off and raw.get("enabled") is False:
        return Rejected("the code is switched off at Nuki").trouble
    return None


# -- locks ----------------------------------------------------------------------------------------------------


def _locks_in(raw: Any) -> list[FoundLock]:
    return [_lock_in(lock) for lock in raw]


def _lock_in(raw: Mapping[str, Any]) -> FoundLock:
    ref, name = _lock_ref(raw["smartlockId"]), _text(raw["name"])
    return FoundLock(ref, name, _capabilities_in(raw), _status_in(raw), _zone_in(_config(raw).get("timezoneId")))


def _zone_in(raw: Any) -> str | None:
    return _ZONES[raw] if isinstance(raw, int) and 0 <= raw < len(_ZONES) else None


def _opening_in(raw: Mapping[str, Any]) -> tuple[FoundLock, int | None]:
    """A lock, and the action that opens its door; None: none does."""
    found = _lock_in(raw)
    return found, _OPENS[raw["type"]] if found.capabilities.can_open else None


def _capabilities_in(raw: Mapping[str, Any]) -> Capabilities:
    kind, config = raw["type"], _config(raw)
    has_keypad = bool(config.get("keypadPaired") or config.get("keypad2Paired"))
    rings_only = kind == OPENER and config.get("capabilities") == _RING_TO_OPEN_ONLY
    return replace(
        _KEYPAD if has_keypad else _NO_KEYPAD,
        max_codes=_ROOM.get(kind, _KEYPAD.max_codes) if has_keypad else 0,
        can_open=kind in _OPENS and not rings_only,
    )


def _status_in(raw: Mapping[str, Any]) -> LockStatus:
    """``serverState``: 0 in reach, 4 offline, 1 to 3 no longer known to Nuki's cloud."""
    server, state = raw["serverState"], raw.get("state") or {}
    lost = LockNotFound("Nuki Web is no longer connected with this lock: activate it anew in the Nuki app")
    return LockStatus(server == _OK, _battery_in(state), None if server in {_OK, _OFFLINE} else lost.trouble)


def _battery_in(state: Mapping[str, Any]) -> float | None:
    """0 to 1. Full when Nuki says only that it is not critical; a keypad's critical battery counts like the lock's."""
    critical = state.get("batteryCritical") or state.get("keypadBatteryCritical")
    charge = state.get("batteryCharge")
    if charge is None:
        if "batteryCritical" not in state:
            return None
        charge = 100
    return min(max(charge / 100, 0.0), _CRITICAL if critical else 1.0)


def _config(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    return raw.get("config") or {}


def _lock_ref(raw: Any) -> LockRef:
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise TypeError
    return LockRef(str(raw))


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise TypeError
    return raw


# -- the log --------------------------------------------------------------------------------------------------

_ACTS: Mapping[int, str] = MappingProxyType(
    {
        1: "unlocked",
        2: "locked",
        3: "unlatched: the door is open",
        4: "unlocked, to be locked again",
        5: "unlatched, to be locked again",
        208: "the door stands ajar",
        209: "the door sensor and the lock disagree",
        224: "the bell was rung",
        240: "the door was opened",
        241: "the door was closed",
        242: "the door sensor is jammed",
        243: "its software was renewed",
        253: "calibrated",
    }
)
_FAILED: Mapping[int, str] = MappingProxyType(
    {
        1: "the motor is blocked",
        2: "cancelled",
        3: "too soon after the last time",
        4: "busy",
        5: "the battery is too weak",
        6: "the clutch failed",
        7: "the motor has no power",
        8: "not completed",
        9: "refused",
        10: "refused at night",
        224: "a wrong code",
        225: "a finger it does not know",
        226: "a tag it does not know",
    }
)
_TRIGGERS: Mapping[int, str] = MappingProxyType(
    {1: "by hand", 2: "button", 3: "automatic", 4: "web", 5: "app", 6: "auto lock", 7: "accessory", 255: "keypad"}
)


def _events_in(raw: Any) -> list[LockEvent]:
    return [_event_in(line) for line in raw]


def _event_in(raw: Mapping[str, Any]) -> LockEvent:
    at = _instant_in(raw["date"])
    if at is None:
        raise ValueError
    act, state = int(raw["action"]), int(raw.get("state") or _OK)
    what = _ACTS.get(act, f"action {act}")
    failed = f"not {what.partition(':')[0]}: {_FAILED.get(state, 'it failed')}" if state != _OK else what
    by = [_text(raw.get("name") or ""), _TRIGGERS.get(int(raw.get("trigger") or 0), "")]
    return LockEvent(at, failed, ", ".join(word for word in by if word))


# -- webhooks -------------------------------------------------------------------------------------------------

_ABOUT: Mapping[str, str | None] = MappingProxyType(
    {
        "DEVICE_AUTHS": "smartlockAuth",
        "DEVICE_LOGS": "smartlockLog",
        "DEVICE_STATUS": None,
        "DEVICE_CONFIG": None,
        "DEVICE_MASTERDATA": None,
    }
)
"""The webhooks that concern a lock, each with the part of its body that names it (None: the body itself)."""


def _hints_in(delivery: Delivery) -> list[Hint]:
    body = _object_in(delivery.body)
    feature = body.get("feature")
    if not isinstance(feature, str):
        if "requestId" in body:
            return [Ignored("it answers a request of another program")]
        msg = "feature: it is missing; send Nuki's device webhooks here"
        raise Unreadable(msg)
    if feature not in _ABOUT:
        return [Ignored("it is about no lock's codes")]
    key = _ABOUT[feature]
    about = body if key is None else body.get(key)
    if not isinstance(about, dict):
        msg = f"{key}: it is missing; send Nuki's device webhooks here as they are"
        raise Unreadable(msg)
    if feature == "DEVICE_LOGS" and about.get("state", _OK) != _OK:
        return [Ignored("nothing was done at the lock (a wrong code, say)")]
    return [LookAt((_lock_named(about.get("smartlockId", body.get("smartlockId"))),))]


def _object_in(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        msg = "body: it is no JSON object; send Nuki's webhooks here as they are"
        raise Unreadable(msg)
    return body


def _lock_named(raw: Any) -> LockRef:
    if isinstance(raw, bool) or not isinstance(raw, int):
        msg = "smartlockId: it is no number; send Nuki's webhooks here as they are"
        raise Unreadable(msg)
    return LockRef(str(raw))


def _dedupe_key(delivery: Delivery) -> str:
    """Nuki numbers no delivery and tells in the same words that a door is locked again: only for a minute is it one."""
    return dedupe_key_for(None, f"{delivery.received_at:%Y-%m-%dT%H:%M}\n".encode() + delivery.body)


_HOOK: Hook[Hint] = Hook(
    key="nuki",
    title="Nuki",
    authenticate=hmac_hex("x-nuki-signature-sha256"),
    dedupe_key=_dedupe_key,
    read=_hints_in,
    secret_problem=any_secret_problem,
    setup_help=(
        "With Nuki's Advanced API (Nuki Web → API) register this address for DEVICE_STATUS, DEVICE_AUTHS and "
        "DEVICE_LOGS. The secret is the client secret shown there; that of a decentral webhook is in Nuki's answer."
    ),
)


# -- connecting -----------------------------------------------------------------------------------------------


def connect(connection: Connection) -> Nuki:
    """The account of these settings. Raises AccountRefused when they cannot be an address and credentials."""
    settings = {name: value.strip() for name, value in connection.settings.items()}
    base = (settings.get("url") or DEFAULT_URL).rstrip("/")
    if not is_http(base) or not all(value.isascii() and value.isprintable() for value in settings.values()):
        msg = "Nuki's address begins with https://, and its tokens are plain ASCII"
        raise AccountRefused(msg)
    vendor = Vendor(connection.http, base, _ERRORS, connection.now, pace=connection.pace)
    if token := settings.get("token"):
        return Nuki(replace(vendor, headers={"authorization": f"Bearer {token}"}))
    if not all(settings.get(name) for name in ("client_id", "client_secret", "refresh_token")):
        msg = "give Nuki's API token, or client id, client secret and refresh token"
        raise AccountRefused(msg)
    return Nuki(replace(vendor, sign_in=SignIn(connection.tokens, _renewal(vendor, settings))))


def _renewal(vendor: Vendor, settings: Mapping[str, str]) -> Renew:
    """How a token is got with the one before: Nuki's refresh token changes with each use, and each is kept."""
    basic = b64encode(f"{settings['client_id']}:{settings['client_secret']}".encode()).decode()
    door = replace(vendor, errors=_SIGN_IN_ERRORS, headers={"authorization": f"Basic {basic}"})

    async def renew(before: Grant | None) -> Grant:
        refresh = (before and before.refresh) or settings["refresh_token"]
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        now = vendor.now()
        return await door.ask(Request("POST", "/oauth/token", form=form), lambda raw: _grant_in(raw, now, refresh))

    return renew


def _grant_in(raw: Mapping[str, Any], now: datetime, refresh: str) -> Grant:
    """The new token, for an hour unless Nuki says otherwise; ``refresh`` stays where Nuki gives no new one."""
    ends = now + timedelta(seconds=int(raw.get("expires_in", 3600)))
    return Grant(_text(raw["access_token"]), ends, _text(raw.get("refresh_token") or refresh))


PROVIDER = ProviderSpec(
    key="nuki",
    title="Nuki",
    fields=(
        FormField("url", "Address", help="leave it unless Nuki told you another one", default=DEFAULT_URL),
        FormField(
            "token",
            "API token",
            secret=True,
            help="Nuki Web → API → Generate API token, for all locks, with the rights to view, operate and authorize",
            default="",
        ),
        FormField("client_id", "Client ID", help="instead of a token: Nuki Web → API → OAuth2", default=""),
        FormField("client_secret", "Client secret", secret=True, help="beside the client ID", default=""),
        FormField(
            "refresh_token",
            "Refresh token",
            secret=True,
            help="what Nuki's OAuth2 code flow gave for this account; it is renewed by itself from then on",
            default="",
        ),
    ),
    connect=connect,
    max_parallel=4,
    kinds=MappingProxyType(
        {
            "Smart Lock 1 or 2 with Keypad": _KEYPAD,
            "Smart Lock 3 or later, or Smart Door, with Keypad": replace(_KEYPAD, max_codes=200),
            "Opener with Keypad": _KEYPAD,
            "without Keypad": _NO_KEYPAD,
        }
    ),
    hook=_HOOK,
    maturity="tested against its published schema",
)
