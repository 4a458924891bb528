"""What a change comes to on one lock, as people are shown it before it happens (R47)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lockbridge.domain.code import CodeKind
from lockbridge.domain.lock import Capabilities
from lockbridge.domain.observe import Observation
from lockbridge.domain.placement import Placement, Verb
from lockbridge.domain.plan import Action, Plan, preview


class Doing(StrEnum):
    """What a change does to one code on one lock."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


class When(StrEnum):
    """When the lock app is asked for it."""

    NOW = "now"
    LATER = "later"
    NO_ROOM = "no_room"
    """As soon as the lock has a free slot (R26)."""
    NOT_THERE = "not_there"
    """Never: the lock does not hold it, or holds it as wanted already."""
    BY_ITSELF = "by_itself"
    """Never: the lock takes nothing back, the code ends with its window."""


@dataclass(frozen=True, slots=True)
class Line:
    """One code of ours that the change concerns. ``at`` is when it is asked for, where that is later."""

    doing: Doing
    placement: Placement
    when: When
    at: datetime | None = None
    differs: tuple[str, ...] = ()
    """What is another than before: ``PIN``, ``name``, ``window``."""

    @property
    def is_backup(self) -> bool:
        """Whether it is nobody's code yet."""
        return self.placement.kind is CodeKind.BACKUP


@dataclass(frozen=True, slots=True)
class Anyway:
    """What is asked of the lock now whether the change is made or not."""

    action: Action
    placement: Placement


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change comes to on one lock; strangers' codes appear as a number only: nothing is done to them."""

    lines: tuple[Line, ...]
    anyway: tuple[Anyway, ...]
    held: int
    """How many codes the lock holds now, ours and strangers'."""
    after: int
    """How many it will hold when what is asked now is done."""
    room: int
    strangers: int
    kept: int
    """How many of ours stay as they are."""
    refused: str | None

    def of(self, doing: Doing, *, backups: bool) -> list[Line]:
        """The codes to which this is done: of guests and staff, or backups."""
        return [line for line in self.lines if line.doing is doing and line.is_backup is backups]


def effect_of(
    capabilities: Capabilities,
    before: Sequence[Placement],
    wanted: Sequence[Placement],
    observation: Observation,
    now: datetime,
) -> tuple[Effect, Plan]:
    """What a change from the codes ``before`` to those ``wanted`` comes to on a lock that holds what was observed."""
    plan = preview(capabilities, wanted, observation, now)
    lines = tuple(_timed(line, plan, capabilities, observation, now) for line in differing(before, wanted))
    concerned = {line.placement.id for line in lines}
    by_id = {placement.id: placement for placement in wanted}
    others = (Anyway(action, by_id[action.placement]) for action in plan.actions if action.placement not in concerned)
    asked = [action.verb for action in plan.actions]
    busy = concerned | {action.placement for action in plan.actions}
    effect = Effect(
        lines=lines,
        anyway=tuple(others),
        held=observation.count,
        after=observation.count + asked.count(Verb.SET) - asked.count(Verb.REMOVE),
        room=capabilities.max_codes,
        strangers=len(observation.strangers),
        kept=sum(1 for key in observation.ours if key not in busy),
        refused=plan.refused,
    )
    return effect, plan


def differing(before: Sequence[Placement], wanted: Sequence[Placement]) -> list[Line]:
    """The codes that are wanted otherwise than before, by when they open; when they are asked for is not known yet."""
    known = {placement.id: placement for placement in before}
    found = [line for placement in wanted if (line := _line(known.get(placement.id), placement)) is not None]
    left = {placement.id for placement in wanted}
    gone = [Line(Doing.REMOVED, placement, When.NOT_THERE) for placement in before if placement.id not in left]
    return sorted((*found, *gone), key=lambda line: (line.placement.window.starts, line.placement.name, line.doing))


def _line(before: Placement | None, wanted: Placement) -> Line | None:
    if before is None:
        return None if wanted.ended is not None else Line(Doing.ADDED, wanted, When.NOW)
    if wanted.ended is not None:
        return None if before.ended is not None else Line(Doing.REMOVED, wanted, When.NOW)
    if before.ended is not None:
        return Line(Doing.ADDED, wanted, When.NOW)
    differs = tuple(what for what, of in _FEATURES.items() if of(before) != of(wanted))
    return Line(Doing.CHANGED, wanted, When.NOW, differs=differs) if differs else None


_FEATURES: Mapping[str, Callable[[Placement], object]] = {
    "PIN": lambda placement: placement.pin,
    "name": lambda placement: placement.name,
    "window": lambda placement: placement.window,
}


def _timed(line: Line, plan: Plan, capabilities: Capabilities, observation: Observation, now: datetime) -> Line:
    when, at = _when(line, plan, capabilities, observation, now)
    return Line(line.doing, line.placement, when, at, line.differs)


def _when(
    line: Line, plan: Plan, capabilities: Capabilities, observation: Observation, now: datetime
) -> tuple[When, datetime | None]:
    placement = line.placement
    if any(action.placement == placement.id for action in plan.actions):
        return When.NOW, None
    if placement.id in plan.no_room:
        return When.NO_ROOM, None
    if line.doing is Doing.REMOVED:
        return _when_off(placement, capabilities, observation, now)
    if placement.push_at > now and placement.id not in observation.ours:
        return When.LATER, placement.push_at
    return When.NOT_THERE, None


def _when_off(
    placement: Placement, capabilities: Capabilities, observation: Observation, now: datetime
) -> tuple[When, datetime | None]:
    if placement.id not in observation.ours and placement.id not in observation.replaced:
        return When.NOT_THERE, None
    if not capabilities.can_remove:
        return When.BY_ITSELF, placement.window.ends
    later = placement.remove_at if placement.remove_at is not None and placement.remove_at > now else None
    return (When.LATER, later) if later is not None else (When.NOW, None)


def fingerprint(before: Sequence[Placement], wanted: Sequence[Placement]) -> str:
    """The change as text: equal where the same is done to the same codes. Holds digits: digest it with a key.

    A backup code is nobody's: which digits it has makes no difference.
    """
    return "\n".join(_told(line) for line in differing(before, wanted))


def _told(line: Line) -> str:
    placement = line.placement
    if placement.kind is CodeKind.BACKUP:
        return f"{line.doing} backup"
    digits = placement.pin.digits if placement.pin else ""
    window = placement.window
    return f"{line.doing} {placement.kind} {placement.name!r} {digits} {window.starts} {window.ends} {placement.ended}"
