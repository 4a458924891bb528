"""What the Sciener cloud sends and takes: locks with their features, gateways, passcodes, times in milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from lockbridge.contract import CodeState, Rejected, SeenCode, Trouble
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, PinRules, Readback, Rounding

ONCE, PERMANENT, PERIOD = 1, 2, 3
"""Types of passcode (page "Get a random passcode"); 4 clears the lock, 5 to 14 recur."""
ONCE_LASTS = timedelta(hours=6)
NO_END = datetime(2099, 12, 1, tzinfo=UTC)
"""Stands for a window without end: the locks' own calendar ends in 2099."""
OPENS_REMOTELY, HAS_WIFI = 1 << 10, 1 << 56
"""Bits of ``featureValue``."""

GATEWAY = Capabilities(
    max_codes=250,
    rounding=Rounding.MINUTE,
    pin_rules=PinRules(lengths=frozenset(range(4, 10)), no_run=True, no_equal_digits=True),
)
"""A lock behind a gateway: custom passcodes, done when the answer says so (page "Add a custom passcode")."""
WIFI = replace(GATEWAY, confirms=False, confirm_within=timedelta(hours=6))
"""A lock with Wi-Fi of its own: one that saves power fetches its passcodes when it next wakes up."""
RANDOM = Capabilities(
    chooses_pin=True,
    can_remove=False,
    readback=Readback.NONE,
    updates=frozenset(),
    max_codes=250,
    rounding=Rounding.HOUR,
    pin_rules=PinRules(lengths=frozenset(range(6, 10))),
)
"""A lock nobody reaches from afar: passcodes computed by the cloud (page "Get a random passcode").

They are kept to full hours, last a year at most, and are dead when not used within 24 hours of their start.
"""

KINDS: Mapping[str, Capabilities] = MappingProxyType(
    {
        "behind a gateway": replace(GATEWAY, can_open=True),
        "with Wi-Fi": replace(WIFI, can_open=True),
        "Bluetooth only": RANDOM,
    }
)
"""What the locks can do, by what connects them."""

_NORMAL, _INVALID, _DELETING, _DELETE_FAILED = 1, 2, 8, 9
_FAILED = frozenset({5, 7})
_UNDER_WAY = frozenset({3, 4, 5, 6, 7})
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATES: Mapping[int, CodeState] = MappingProxyType(
    {**dict.fromkeys(_UNDER_WAY, CodeState.SETTING), _DELETING: CodeState.REMOVING}
)


@dataclass(frozen=True, slots=True)
class RawLock:
    """One lock of a list."""

    ref: LockRef
    name: str
    battery: float | None
    capabilities: Capabilities

    @property
    def has_gateway(self) -> bool:
        """Whether commands go through a gateway."""
        return not self.capabilities.chooses_pin and self.capabilities.confirms


def milliseconds(at: datetime) -> int:
    """An instant as the cloud writes it."""
    return (at - _EPOCH) // _MILLISECOND


def instant(raw: Any) -> datetime:
    """An instant as the cloud writes it, in UTC; beyond the calendar its end. Raises TypeError or ValueError."""
    try:
        return _EPOCH + int(raw) * _MILLISECOND
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def ident(raw: Any) -> str:
    """An identity, which is a number on TTLock's wire and now and then a text on Sifely's."""
    if isinstance(raw, bool) or not isinstance(raw, int | str) or raw == "":
        raise TypeError
    return str(raw)


def payload(raw: Any) -> Any:
    """What an answer is about: Sifely wraps some in ``{code, data}``."""
    inner = raw.get("data")
    return inner if isinstance(inner, dict) else raw


def nothing(raw: Any) -> None:
    """The answer to a write that tells nothing. Raises LookupError when it does not even say that it was done."""
    if "errcode" not in raw and "code" not in raw:
        raise LookupError


def is_on(raw: Any) -> bool:
    """A yes, which the cloud writes as 1 or as true."""
    return raw in {1, "1"}


# -- locks ----------------------------------------------------------------------------------------------------


def lock_in(raw: Mapping[str, Any]) -> RawLock:
    """A lock of ``/v3/lock/list`` or a key of ``/v3/key/list``."""
    ref = LockRef(ident(raw["lockId"]))
    name = raw.get("lockAlias") or raw.get("lockName") or ref
    return RawLock(ref, str(name), battery_in(raw), capabilities_in(raw))


def capabilities_in(raw: Mapping[str, Any]) -> Capabilities:
    """What a lock can do, by its features and whether it has a gateway."""
    features = _features_in(raw.get("featureValue"))
    if not features & HAS_WIFI and not is_on(raw.get("hasGateway")):
        return RANDOM
    return replace(WIFI if features & HAS_WIFI else GATEWAY, can_open=bool(features & OPENS_REMOTELY))


def _features_in(raw: Any) -> int:
    """``featureValue`` is a number in hexadecimal digits."""
    return int(raw, 16) if raw else 0


def battery_in(raw: Mapping[str, Any]) -> float | None:
    """``electricQuantity`` is 0 to 100; below 0 the cloud does not know."""
    level = raw.get("electricQuantity")
    return None if level is None or int(level) < 0 else min(int(level) / 100, 1.0)


def gateway_in(raw: Mapping[str, Any]) -> tuple[str, bool]:
    """A gateway and whether it is online (page "Get the gateway list of an account")."""
    return ident(raw["gatewayId"]), is_on(raw["isOnline"])


def in_reach_in(raw: Mapping[str, Any]) -> tuple[LockRef, int]:
    """A lock in a gateway's reach, and how strong the signal is (negative, in dBm)."""
    return LockRef(ident(raw["lockId"])), int(raw.get("rssi") or -100)


# -- passcodes ------------------------------------------------------------------------------------------------


def code_in(raw: Mapping[str, Any]) -> SeenCode:
    """A passcode of ``/v3/lock/listKeyboardPwd``, anybody's."""
    status = int(raw.get("status") or _NORMAL)
    return SeenCode(
        ref=CodeRef(ident(raw["keyboardPwdId"])),
        pin=_pin_in(raw.get("keyboardPwd")),
        name=raw.get("keyboardPwdName"),
        window=_window_in(raw),
        state=_STATES.get(status, CodeState.SET),
        trouble=_trouble_in(status),
    )


def _trouble_in(status: int) -> Trouble | None:
    """Page "Status codes": 5 and 7 are failures, 2 is a passcode the lock no longer takes.

    One that could not be deleted (9) stands whole on the lock, and is to be deleted again.
    """
    if status in _FAILED:
        return Rejected("the lock did not take the passcode").trouble
    return Rejected("the passcode is no longer valid on the lock").trouble if status == _INVALID else None


def _pin_in(raw: Any) -> Pin | None:
    """None for what cannot be read as digits: a stranger's odd entry must not hide all others."""
    try:
        return Pin(pin_text(raw))
    except (TypeError, ValueError):
        return None


def pin_text(raw: Any) -> str:
    """Digits on the wire; a JSON number may have lost its leading zeros and is none."""
    if not isinstance(raw, str):
        raise TypeError
    return raw


def _window_in(raw: Mapping[str, Any]) -> Window | None:
    """When a passcode opens; recurring ones, and those that make no sense, occupy their digits all the time."""
    kind, begins, ends = int(raw["keyboardPwdType"]), raw.get("startDate"), raw.get("endDate")
    if kind not in {ONCE, PERIOD} or not begins:
        return None
    starts = instant(begins)
    if kind == ONCE and not ends:
        return Window(starts, starts + ONCE_LASTS)
    closes = instant(ends or 0)
    if closes >= NO_END:
        return Window(starts, None)
    return Window(starts, closes) if closes > starts else None


def dates_out(window: Window | None) -> dict[str, str | int]:
    """``startDate`` and ``endDate``; two zeros say standing."""
    if window is None:
        return {"startDate": 0, "endDate": 0}
    return {"startDate": milliseconds(window.starts), "endDate": milliseconds(window.ends or NO_END)}


def custom_out(spec: CodeSpec, pin: Pin) -> dict[str, str | int]:
    """A custom passcode to add."""
    kind = PERMANENT if spec.window is None else PERIOD
    dates = {} if spec.window is None else dates_out(spec.window)
    return {"keyboardPwd": pin.digits, "keyboardPwdName": spec.name, "keyboardPwdType": kind, **dates}


def random_out(spec: CodeSpec, now: datetime) -> dict[str, str | int]:
    """A random passcode to ask for. It begins no earlier than this hour: 24 hours later it must have been used."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    window = spec.window or Window(hour, None)
    kind = PERMANENT if window.ends is None else PERIOD
    fields: dict[str, str | int] = {"keyboardPwdType": kind, "keyboardPwdName": spec.name}
    fields["startDate"] = milliseconds(max(window.starts, hour))
    return fields if window.ends is None else {**fields, "endDate": milliseconds(window.ends)}


def changes_out(spec: CodeSpec, seen: SeenCode) -> dict[str, str | int]:
    """A passcode as it is to become: its name, and of digits and window what is otherwise.

    All of it where the last change did not arrive. Digits a lock has already would be a duplicate of themselves.
    """
    settled = seen.state is CodeState.SET and seen.trouble is None
    fields: dict[str, str | int] = {"keyboardPwdName": spec.name}
    if spec.pin is not None and (not settled or spec.pin != seen.pin):
        fields["newKeyboardPwd"] = spec.pin.digits
    return {**fields, **dates_out(spec.window)} if not settled or spec.window != seen.window else fields
