"""Recognising our own codes in what a lock app lists (architecture, law 5 and 6).

A code is ours when the lock app calls it by the reference it gave us, or – where it gave none, or its answer was
lost – when it bears the name and digits we asked for (the name and window, where digits cannot be read). Everything
else is a stranger's: it takes up room and digits and is never touched.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lockbridge.domain.code import CodeKind, CodeSpec
from lockbridge.domain.ids import CodeRef, PlacementId
from lockbridge.domain.lock import Capabilities, Readback
from lockbridge.domain.placement import Placement, Verb, spec_for
from lockbridge.domain.seen import CodeState, SeenCode


@dataclass(frozen=True, slots=True)
class Observation:
    """A successful look: which listed code is which placement's, and which are strangers'."""

    ours: dict[PlacementId, SeenCode]
    replaced: dict[PlacementId, SeenCode]
    """Codes of ours that another code of the same placement is taking the place of."""
    strangers: tuple[SeenCode, ...]

    @property
    def count(self) -> int:
        """How many codes the lock holds, ours or not."""
        return len(self.ours) + len(self.replaced) + len(self.strangers)


def observe(placements: Sequence[Placement], seen: Iterable[SeenCode]) -> Observation:
    """Pair each listed code with the placement it belongs to."""
    left = {code.ref: code for code in seen}
    ours: dict[PlacementId, SeenCode] = {}
    replaced: dict[PlacementId, SeenCode] = {}
    for placement in sorted(placements, key=_asked_last, reverse=True):
        code = left.get(placement.ref) if placement.ref is not None else None
        if code is not None and not _somebody_elses(placement, code):
            ours[placement.id] = left.pop(code.ref)
        if placement.replaces is not None and placement.replaces in left:
            replaced[placement.id] = left.pop(placement.replaces)
    for bears in (_bears_exactly, _bears):
        for placement in placements:
            ref = None if placement.id in ours else _recognised(placement, left.values(), bears)
            if ref is not None:
                ours[placement.id] = left.pop(ref)
    return Observation(ours, replaced, tuple(left.values()))


def _asked_last(placement: Placement) -> tuple[bool, datetime]:
    """Lock apps give a freed slot's reference again: it is that of the placement for which it was given last."""
    return placement.asked_at is not None, placement.asked_at or placement.made_at


def _somebody_elses(placement: Placement, code: SeenCode) -> bool:
    """Whether our reference now is another's code: neither the name nor the digits are those confirmed (law 6)."""
    asked = placement.asked
    if not placement.confirmed or asked is None or asked.pin is None or not asked.name:
        return False
    return code.pin not in (None, asked.pin) and code.name not in (None, asked.name)


def _recognised(
    placement: Placement, codes: Iterable[SeenCode], bears: Callable[[SeenCode, CodeSpec], bool]
) -> CodeRef | None:
    asked = placement.asked
    if asked is None or (placement.ref is not None and placement.intent is None):
        return None
    specs = (asked, replace(asked, pin=asked.pin and placement.pin, name=asked.name and placement.name))
    wanted = specs if placement.intent is Verb.UPDATE else specs[:1]
    return next((code.ref for code in codes if any(bears(code, spec) for spec in wanted)), None)


def _bears_exactly(code: SeenCode, asked: CodeSpec) -> bool:
    """Same digits, name and window, as far as they can be read – and the digits or the name can."""
    names = None if code.name is None or not asked.name else code.name == asked.name
    pins = _same_pin(code, asked)
    return (pins, names) != (None, None) and pins is not False and names is not False and code.window == asked.window


def _bears(code: SeenCode, asked: CodeSpec) -> bool:
    """Same digits, and the same name where it can be read. A name alone is not enough: a stranger may bear it."""
    return _same_pin(code, asked) is True and (code.name is None or not asked.name or code.name == asked.name)


def _same_pin(code: SeenCode, asked: CodeSpec) -> bool | None:
    return None if code.pin is None or asked.pin is None else code.pin == asked.pin


def from_memory(placements: Sequence[Placement], now: datetime) -> Observation:
    """What a lock that cannot be asked is taken to hold: what it took, until it said that it has it no more.

    Digits that the lock app chose itself (algorithmic codes) are gone by themselves when their window is over.
    """
    last = {
        placement.ref: placement.id for placement in sorted(placements, key=_asked_last) if placement.ref is not None
    }
    ours = {
        placement.id: SeenCode(
            ref=placement.ref,
            pin=placement.asked.pin or placement.pin,
            name=placement.asked.name,
            window=placement.asked.window,
        )
        for placement in placements
        if placement.ref is not None
        and placement.asked is not None
        and last[placement.ref] == placement.id
        and not (placement.asked.pin is None and placement.asked.window and placement.asked.window.over(now))
    }
    replaced = {
        placement.id: SeenCode(ref=placement.replaces) for placement in placements if placement.replaces is not None
    }
    return Observation(ours, replaced, ())


def differences(placement: Placement, code: SeenCode, capabilities: Capabilities) -> frozenset[str]:
    """Which of ``pin``, ``name`` and ``window`` the lock holds otherwise than wanted, as far as it can be read.

    What is not worth taking a code off the door counts as right where it cannot be changed in place: a name, and the
    end of a backup code, which is taken off by us when it comes.
    """
    spec = spec_for(placement, capabilities)
    found = set()
    if not capabilities.chooses_pin and _pin_differs(placement, code, capabilities):
        found.add("pin")
    if spec.name and "name" in capabilities.updates and code.name not in (None, spec.name):
        found.add("name")
    in_place = "window" in capabilities.updates or placement.kind is not CodeKind.BACKUP
    if capabilities.keeps_windows and in_place and code.window != spec.window:
        found.add("window")
    return frozenset(found)


def _pin_differs(placement: Placement, code: SeenCode, capabilities: Capabilities) -> bool:
    if capabilities.readback is Readback.FULL and code.pin is not None:
        return code.pin != placement.pin
    return placement.asked is not None and placement.asked.pin != placement.pin


def settled(code: SeenCode) -> bool:
    """Whether the lock app says the lock holds this code."""
    return code.state is CodeState.SET and code.trouble is None
