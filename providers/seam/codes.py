"""Codes on Seam's wire: how one stands, what is asked for, and what the answers mean."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from lockbridge.contract import (
    CodeState,
    Receipt,
    Rejected,
    SeenCode,
    WindowRefused,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from providers.seam.words import OF_THE_LOCK, object_in, text_in, trouble_in

T = TypeVar("T")

_NOT_YET = frozenset({"creating", "deferring_creation", "updating_code", "updating_time_frame"})
"""Pending mutations that concern what opens the door; a name that is being changed does not."""


def codes_in(items: Sequence[Mapping[str, Any]], lock: LockRef) -> list[SeenCode]:
    """Those on this lock: Seam's own fake, for one, lists the codes of all (@seamapi/fake-seam-connect 1.86.0)."""
    return [_code_in(item) for item in items if item["device_id"] == lock]


def _code_in(item: Mapping[str, Any]) -> SeenCode:
    state = _state(item)
    return SeenCode(
        ref=CodeRef(text_in(item["access_code_id"])),
        pin=_pin_in(item["code"]),
        name=item["name"],
        window=_window_in(item),
        state=state,
        trouble=trouble_in(item, besides=OF_THE_LOCK if state is CodeState.SET else ()),
    )


def _state(item: Mapping[str, Any]) -> CodeState:
    """SET when Seam says the lock has it: it opens now, or the lock keeps it for its time (``is_scheduled_on_device``).

    ``unset`` and ``setting`` are on their way; ``unknown`` is what Seam cannot vouch for.
    """
    pending = {each["mutation_code"] for each in item.get("pending_mutations") or ()}
    if item["status"] == "removing" or "deleting" in pending or _has_warning(item, "being_deleted"):
        return CodeState.REMOVING
    is_there = item["status"] == "set" or item.get("is_scheduled_on_device") is True
    is_pending = item.get("is_waiting_for_code_assignment") is True or not pending.isdisjoint(_NOT_YET)
    return CodeState.SET if is_there and not is_pending else CodeState.SETTING


def _has_warning(item: Mapping[str, Any], word: str) -> bool:
    return any(warning["warning_code"] == word for warning in item.get("warnings") or ())


def _pin_in(code: str | None) -> Pin | None:
    """The digits; None where there are none yet, or where they are no digits (a stranger's may be letters)."""
    try:
        return None if code is None else Pin(code)
    except ValueError:
        return None


def _window_in(item: Mapping[str, Any]) -> Window | None:
    """The window; None for a code that is always on, and for a stranger's whose times are none."""
    starts, ends = (_instant_in(item.get(name)) for name in ("starts_at", "ends_at"))
    if starts is None or (ends is not None and ends <= starts):
        return None
    return Window(starts, ends)


def _instant_in(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _times_out(window: Window | None) -> dict[str, str]:
    """ISO 8601, UTC; both ends or none. Raises WindowRefused for a window without end, which Seam does not know."""
    if window is None:
        return {}
    if window.ends is None:
        msg = "Seam takes a code with a begin and an end, or with neither"
        raise WindowRefused(msg)
    ends = {"starts_at": window.starts, "ends_at": window.ends}
    return {name: f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03}Z" for name, instant in ends.items()}


def spec_out(spec: CodeSpec) -> dict[str, str]:
    """What a code is to be; digits are left out where the lock's maker chooses them."""
    digits = {} if spec.pin is None else {"code": spec.pin.digits}
    return {"name": spec.name, **digits, **_times_out(spec.window)}


def written_in(raw: Mapping[str, Any], *, asked_for_digits: bool) -> Written:
    """The new code, taken and not yet on the lock; with the digits that were asked for, if they are known by now."""
    code = raw["access_code"]
    ref = CodeRef(text_in(code["access_code_id"]))
    if not asked_for_digits:
        return Written(Receipt.ACCEPTED, ref)
    return Written(Receipt.ACCEPTED, ref, _pin_in(code["code"]), _window_in(code))


def attempt_in(raw: Mapping[str, Any]) -> Receipt:
    """How something that was asked for stands. Raises Rejected when it has failed for a reason nobody knows."""
    status = raw["action_attempt"]["status"]
    if status == "error":
        msg = "the lock app tried and failed"
        raise Rejected(msg)
    return {"success": Receipt.DONE, "pending": Receipt.ACCEPTED}[status]


def page_in(raw: Mapping[str, Any], name: str, read: Callable[[Sequence[Any]], T]) -> tuple[T, str | None]:
    """One page, and the cursor of the next. Raises TypeError where a list or a cursor is missing."""
    items, pagination = raw[name], object_in(raw.get("pagination"))
    if not isinstance(items, list):
        raise TypeError(name)
    return read(items), text_in(pagination["next_page_cursor"]) if pagination.get("has_next_page") else None
