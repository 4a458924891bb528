"""The simulator's JSON: how locks, codes and refusals look on the wire, for its server and its driver.

PINs are strings, instants ISO 8601 in UTC, a window without begin or end is null.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    CodeState,
    FoundLock,
    LockEvent,
    LockFull,
    LockNotFound,
    LockOffline,
    LockStatus,
    NameRefused,
    NameTaken,
    PinRefused,
    PinTaken,
    ProviderError,
    Receipt,
    Rejected,
    SeenCode,
    WindowRefused,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from providers.simulator.rules import RULE_SETS
from providers.simulator.world import HeldCode

ERRORS: Mapping[str, tuple[int, type[ProviderError]]] = MappingProxyType(
    {
        "account_refused": (401, AccountRefused),
        "lock_not_found": (404, LockNotFound),
        "code_gone": (404, CodeGone),
        "lock_offline": (409, LockOffline),
        "pin_refused": (409, PinRefused),
        "pin_taken": (409, PinTaken),
        "name_refused": (409, NameRefused),
        "name_taken": (409, NameTaken),
        "window_refused": (409, WindowRefused),
        "rejected": (409, Rejected),
        "lock_full": (409, LockFull),
    }
)
"""The simulator's words for a no, each with its status and its error."""


def instant_in(raw: Any) -> datetime:
    """An instant from the wire. Raises ValueError for one without a zone, TypeError for no text."""
    instant = datetime.fromisoformat(raw)
    if instant.tzinfo is None:
        msg = "an instant has a zone"
        raise ValueError(msg)
    return instant.astimezone(UTC)


def window_in(raw: Mapping[str, Any]) -> Window | None:
    """The window of a code on the wire; None for a standing one."""
    starts, ends = raw.get("starts"), raw.get("ends")
    if starts is None:
        return None
    return Window(instant_in(starts), None if ends is None else instant_in(ends))


def _window_out(window: Window | None) -> dict[str, str | None]:
    if window is None:
        return {"starts": None, "ends": None}
    return {"starts": window.starts.isoformat(), "ends": window.ends.isoformat() if window.ends else None}


def spec_out(spec: CodeSpec) -> dict[str, str | None]:
    """A code to ask for."""
    return {"pin": spec.pin.digits if spec.pin else None, "name": spec.name, **_window_out(spec.window)}


def spec_in(raw: Mapping[str, Any]) -> CodeSpec:
    """A code that is asked for. Raises LookupError, TypeError or ValueError for anything else."""
    return CodeSpec(_pin_in(raw.get("pin")), _text(raw["name"]), window_in(raw))


def try_in(raw: Mapping[str, Any]) -> tuple[str, datetime | None]:
    """What is typed at a door, and when (None: now)."""
    return _text(raw["pin"]), instant_in(raw["at"]) if raw.get("at") else None


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        msg = "not a text"
        raise TypeError(msg)
    return raw


def _pin_in(raw: Any) -> Pin | None:
    return None if raw is None else Pin(_text(raw))


def code_out(code: SeenCode) -> dict[str, str | None]:
    """A code the lock holds."""
    return {
        "ref": code.ref,
        "pin": code.pin.digits if code.pin else None,
        "name": code.name,
        **_window_out(code.window),
        "state": code.state.value,
        "trouble": code.trouble.kind.value if code.trouble else None,
    }


def held_out(code: HeldCode) -> dict[str, str | None]:
    """A code as it physically is on a lock."""
    window = _window_out(code.window)
    return {"ref": code.ref, "pin": code.pin, "name": code.name, **window, "made_by": code.made_by}


def code_in(raw: Mapping[str, Any]) -> SeenCode:
    """A code the lock holds. Raises LookupError, TypeError or ValueError for anything else."""
    trouble = raw.get("trouble")
    return SeenCode(
        ref=CodeRef(_text(raw["ref"])),
        pin=_pin_in(raw["pin"]),
        name=raw["name"],
        window=window_in(raw),
        state=CodeState(raw["state"]),
        trouble=ERRORS[trouble][1]("the lock app could not put the code on the lock").trouble if trouble else None,
    )


def codes_in(raw: Mapping[str, Any]) -> list[SeenCode]:
    """Everything a lock holds."""
    return [code_in(code) for code in raw["codes"]]


def written_out(written: Written) -> dict[str, str | None]:
    """The answer to a set or an update."""
    return {
        "status": written.receipt.value,
        "ref": written.ref,
        "pin": written.pin.digits if written.pin else None,
        **_window_out(written.window),
    }


def written_in(raw: Mapping[str, Any]) -> Written:
    """The answer to a set or an update."""
    ref = raw.get("ref")
    return Written(receipt_in(raw), CodeRef(_text(ref)) if ref else None, _pin_in(raw.get("pin")), window_in(raw))


def receipt_in(raw: Mapping[str, Any]) -> Receipt:
    """The answer to a removal."""
    return Receipt(raw["status"])


def status_out(status: LockStatus) -> dict[str, bool | float | None]:
    """How a lock is."""
    return {"online": status.online, "battery": status.battery}


def status_in(raw: Mapping[str, Any]) -> LockStatus:
    """How a lock is."""
    battery = raw["battery"]
    return LockStatus(online=raw["online"] is True, battery=None if battery is None else float(battery))


def event_out(event: LockEvent) -> dict[str, str]:
    """One thing that was done to a lock."""
    return {"at": event.at.isoformat(), "what": event.what, "by": event.by}


def events_in(raw: Mapping[str, Any]) -> list[LockEvent]:
    """A lock's log."""
    return [LockEvent(instant_in(each["at"]), _text(each["what"]), _text(each["by"])) for each in raw["events"]]


def lock_out(lock: FoundLock, rules: str) -> dict[str, Any]:
    """One lock of an account, with the name of its rule set."""
    return {
        "ref": lock.ref,
        "name": lock.name,
        "rules": rules,
        "max_codes": lock.capabilities.max_codes,
        "zone": lock.zone,
        **status_out(lock.status),
    }


def locks_in(raw: Mapping[str, Any]) -> list[FoundLock]:
    """Every lock of an account."""
    return [_lock_in(lock) for lock in raw["locks"]]


def _lock_in(raw: Mapping[str, Any]) -> FoundLock:
    capabilities = replace(RULE_SETS[raw["rules"]].capabilities, max_codes=int(raw["max_codes"]))
    return FoundLock(LockRef(_text(raw["ref"])), _text(raw["name"]), capabilities, status_in(raw), raw["zone"])
