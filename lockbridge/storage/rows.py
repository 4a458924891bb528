"""Rows into values and back: the only code that knows both. Sealed columns are opened and sealed here."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Row

from lockbridge.domain.code import CodeKind, CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeId, CodeRef, LockId, PlacementId
from lockbridge.domain.lock import Capabilities, NameRules, PinRules, Readback, Rounding
from lockbridge.domain.placement import Ended, Placement, PlacementState, Verb
from lockbridge.storage.tables import PLACEMENT
from lockbridge.storage.vault import Vault

PIN = "pin"
ASKED = "asked"
CONTACT = "contact"
API_ANSWER = "api answer"
GUEST_LINK = "guest link"
"""The contexts sealed columns are bound to: a value sealed for one cannot be opened as another."""


def seal_json(vault: Vault, value: Mapping[str, Any], context: str) -> bytes:
    """A small document, sealed."""
    return vault.seal(orjson.dumps(value), context)


def open_json(vault: Vault, blob: bytes | None, context: str) -> dict[str, Any]:
    """The document behind a sealed column; empty for NULL (never stored, or erased)."""
    return {} if blob is None else orjson.loads(vault.open_bytes(blob, context))


def seal_pin(vault: Vault, pin: Pin | None) -> bytes | None:
    """The digits, sealed; NULL stays NULL."""
    return None if pin is None else vault.seal(pin.digits, PIN)


def open_pin(vault: Vault, blob: bytes | None) -> Pin | None:
    """The digits behind a sealed column."""
    return None if blob is None else Pin(vault.open(blob, PIN))


def index_pin(vault: Vault, pin: Pin | None, host: int) -> bytes | None:
    """The keyed index under which the digits are found again, within one host."""
    return None if pin is None else vault.index(pin.digits, host)


def _seal_asked(vault: Vault, specs: Sequence[CodeSpec | None]) -> list[bytes | None]:
    sealed = iter(vault.seal_all([_dump_spec(asked) for asked in specs if asked is not None], ASKED))
    return [None if asked is None else next(sealed) for asked in specs]


def _dump_spec(spec: CodeSpec) -> bytes:
    window = spec.window and (spec.window.starts, spec.window.ends)
    return orjson.dumps((spec.pin and spec.pin.digits, spec.name, window))


def _open_asked(vault: Vault, blob: bytes | None) -> CodeSpec | None:
    if blob is None:
        return None
    pin, name, window = orjson.loads(vault.open_bytes(blob, ASKED))
    return CodeSpec(pin and Pin(pin), name, window and Window(_instant(window[0]), window[1] and _instant(window[1])))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def to_placement(row: Row[Any], vault: Vault) -> Placement:
    """A row of ``placement`` as the rules see it."""
    return Placement(
        id=PlacementId(row.id),
        code=CodeId(row.code_id),
        lock=LockId(row.lock_id),
        kind=CodeKind(row.kind),
        pin=open_pin(vault, row.pin_sealed),
        name=row.name,
        window=Window(row.opens_at, row.closes_at),
        push_at=row.push_at,
        remove_at=row.remove_at,
        ended=Ended(row.ended) if row.ended else None,
        made_at=row.made_at,
        state=PlacementState(row.state),
        ref=CodeRef(row.ref) if row.ref is not None else None,
        replaces=CodeRef(row.replaces) if row.replaces is not None else None,
        asked=_open_asked(vault, row.asked_sealed),
        asked_at=row.asked_at,
        intent=Verb(row.intent) if row.intent else None,
        confirmed_at=row.confirmed_at,
        hold_until=row.hold_until,
        watch_at=row.watch_at,
        failures=row.failures,
        waits=row.waits,
        looks=row.looks,
        reason=row.reason,
        detail=row.detail,
    )


UNSEALED = tuple(
    PLACEMENT.c[name]
    for name in (
        *("id", "code_id", "lock_id", "kind", "name", "opens_at", "closes_at", "push_at", "remove_at", "ended"),
        *("made_at", "state", "hold_until", "failures", "reason", "detail"),
    )
)
"""What lists of many stays read of a placement: nothing that would have to be unsealed."""


def to_unsealed(row: Row[Any]) -> Placement:
    """A row of these columns as the rules see it, without its digits."""
    return Placement(
        id=PlacementId(row.id),
        code=CodeId(row.code_id),
        lock=LockId(row.lock_id),
        kind=CodeKind(row.kind),
        pin=None,
        name=row.name,
        window=Window(row.opens_at, row.closes_at),
        push_at=row.push_at,
        remove_at=row.remove_at,
        ended=Ended(row.ended) if row.ended else None,
        made_at=row.made_at,
        state=PlacementState(row.state),
        hold_until=row.hold_until,
        failures=row.failures,
        reason=row.reason,
        detail=row.detail,
    )


def wish_values(placement: Placement, vault: Vault, host: int) -> dict[str, Any]:
    """The columns that say what is wanted; booking writes them."""
    return {
        "pin_sealed": seal_pin(vault, placement.pin),
        "pin_index": index_pin(vault, placement.pin, host),
        "name": placement.name,
        "opens_at": placement.window.starts,
        "closes_at": placement.window.ends,
        "push_at": placement.push_at,
        "remove_at": placement.remove_at,
        "ended": placement.ended,
        "watch_at": placement.watch_at,
        "live_at": placement.window.starts if placement.live else None,
    }


def progress_values(placements: Sequence[Placement], vault: Vault) -> list[dict[str, Any]]:
    """The columns that say how far each has come; the push workflow writes them."""
    sealed = _seal_asked(vault, [placement.asked for placement in placements])
    return [_progress(placement, asked) for placement, asked in zip(placements, sealed, strict=True)]


def _progress(placement: Placement, asked_sealed: bytes | None) -> dict[str, Any]:
    return {
        "state": placement.state.value,
        "ref": placement.ref,
        "replaces": placement.replaces,
        "asked_sealed": asked_sealed,
        "asked_at": placement.asked_at,
        "intent": placement.intent and placement.intent.value,
        "confirmed_at": placement.confirmed_at,
        "hold_until": placement.hold_until,
        "failures": placement.failures,
        "waits": placement.waits,
        "looks": placement.looks,
        "reason": placement.reason,
        "detail": placement.detail,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError


def dump_capabilities(capabilities: Capabilities) -> str:
    """Capabilities as JSON text."""
    return orjson.dumps(asdict(capabilities), default=_plain, option=orjson.OPT_SORT_KEYS).decode()


@lru_cache(maxsize=4096)
def load_capabilities(text: str) -> Capabilities:
    """Capabilities from JSON text; equal texts give the same frozen value."""
    raw = orjson.loads(text)
    pin, name = raw.pop("pin_rules"), raw.pop("name_rules")
    for field in ("lead", "confirm_within"):
        raw[field] = timedelta(seconds=raw[field])
    raw |= {
        "readback": Readback(raw["readback"]),
        "rounding": Rounding(raw["rounding"]),
        "updates": frozenset(raw["updates"]),
    }
    pin |= {
        "lengths": frozenset(pin["lengths"]),
        "forbidden_digits": frozenset(pin["forbidden_digits"]),
        "forbidden_prefixes": tuple(pin["forbidden_prefixes"]),
    }
    return Capabilities(**raw, pin_rules=PinRules(**pin), name_rules=NameRules(**name))
