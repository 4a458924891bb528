"""Wanted against seen: what to ask of one lock now (a pure function, and a plan can be refused).

The planner is the only place that decides what happens on a lock; the push workflow, the preview (R47) and resync
(R32) all run this same function. Carrying a plan out and planning again comes to rest with nothing to do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lockbridge.domain.code import CodeKind, CodeSpec
from lockbridge.domain.ids import CodeRef, PlacementId
from lockbridge.domain.lock import Capabilities
from lockbridge.domain.observe import Observation, differences, settled
from lockbridge.domain.placement import Ended, Phase, Placement, PlacementState, Verb, spec_for
from lockbridge.domain.seen import CodeState, SeenCode

MAX_REMOVALS = 20
"""More codes that somebody may still need are not removed at once (law 7)."""


@dataclass(frozen=True, slots=True)
class Action:
    """One call to make: the verb, for which placement, on which code of the lock app, and why (for people)."""

    verb: Verb
    placement: PlacementId
    why: str
    ref: CodeRef | None = None
    spec: CodeSpec | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do on one lock, in order. ``refused`` says why a plan must not be carried out (law 7)."""

    actions: tuple[Action, ...] = ()
    no_room: frozenset[PlacementId] = frozenset()
    """Placements that wait for a free slot (R26)."""
    refused: str | None = None


def plan_lock(
    capabilities: Capabilities,
    placements: Sequence[Placement],
    observation: Observation | None,
    now: datetime,
    *,
    max_removals: int = MAX_REMOVALS,
) -> Plan:
    """What to ask of a lock so that it holds what is wanted; at most one call for each placement.

    ``observation=None`` means the lock could not be looked at: then nothing is planned (law 4). Codes of
    strangers appear in no action. Placements held back until later (``hold_until``) are left for then. A slot that
    this plan frees is filled by the next one, once the lock was seen without the code (R31).
    """
    if observation is None:
        return Plan()
    draft = _draft(capabilities, placements, observation, now, max_removals)
    return Plan(refused=draft.refused) if draft.refused else draft


def preview(
    capabilities: Capabilities, placements: Sequence[Placement], observation: Observation | None, now: datetime
) -> Plan:
    """The same planner, run dry and without regard to waiting times: what would be done in the end (R47).

    A plan that would be refused is shown with its actions.
    """
    if observation is None:
        return Plan()
    unheld = [replace(placement, hold_until=None) for placement in placements]
    return _draft(capabilities, unheld, observation, now, MAX_REMOVALS)


def closed(placement: Placement, now: datetime) -> bool:
    """Whether the code serves nobody any more, though it may stay on the lock for a while (R29, R30)."""
    return placement.ended is Ended.CANCELLED or placement.window.over(now)


def unwanted(placement: Placement, code: SeenCode, capabilities: Capabilities, now: datetime) -> bool:
    """Whether this code of ours must come off the lock now.

    It is over; or its time has not come and the lock has no clock; or it serves nobody any more and the lock may
    still open, since it holds another window than the last one wanted.
    """
    phase = placement.phase(now)
    if phase is Phase.OVER:
        return True
    if not capabilities.keeps_windows:
        return capabilities.can_remove and (phase is Phase.EARLY or placement.window.over(now))
    return closed(placement, now) and "window" in differences(placement, code, capabilities)


def _draft(
    capabilities: Capabilities,
    placements: Sequence[Placement],
    observation: Observation,
    now: datetime,
    max_removals: int,
) -> Plan:
    ready = sorted(
        (placement for placement in placements if placement.live and not placement.held(now)), key=_urgency(now)
    )
    removals = [action for placement in ready for action in _removal(placement, observation, capabilities, now)]
    busy = {action.placement for action in removals}
    room = capabilities.max_codes - observation.count
    changes: list[Action] = []
    for placement in ready:
        change = None if placement.id in busy else _change(placement, observation, capabilities, now, room)
        if change is not None:
            changes.append(change)
            room -= change.verb is Verb.SET
    busy.update(action.placement for action in changes)
    movable = [
        placement
        for placement in ready
        if placement.id not in busy and _movable(placement, observation, capabilities, now)
    ]
    missing = [placement for placement in ready if placement.id not in busy and _missing(placement, observation, now)]
    freeing = len(removals) + _being_removed(observation)
    displaced, sets, waiting = _allot(missing, movable, observation, capabilities, _Room(room, freeing), now)
    refused = _refusal(removals, placements, now, max_removals)
    return Plan((*removals, *displaced, *changes, *sets), frozenset(waiting), refused)


def _removal(
    placement: Placement, observation: Observation, capabilities: Capabilities, now: datetime
) -> Iterable[Action]:
    """Take off what is over, what is early on a lock without a clock, and what another code has replaced."""
    if not capabilities.can_remove:
        return
    old = observation.replaced.get(placement.id)
    code = observation.ours.get(placement.id)
    if code is not None and code.state is not CodeState.REMOVING and unwanted(placement, code, capabilities, now):
        yield Action(Verb.REMOVE, placement.id, _why_off(placement, now), code.ref)
    elif old is not None and old.state is not CodeState.REMOVING and _superseded(placement, code, capabilities, now):
        yield Action(Verb.REMOVE, placement.id, "replaced by the new code", old.ref)


def _superseded(placement: Placement, code: SeenCode | None, capabilities: Capabilities, now: datetime) -> bool:
    """Whether the old code of a pair can go: the new one is on the lock, needs the slot or comes later, or is over."""
    if placement.confirmed or placement.state is PlacementState.NO_ROOM:
        return True
    comes_later = code is None and placement.phase(now) is Phase.EARLY
    return comes_later or not _wanted(placement, capabilities, now)


def _why_off(placement: Placement, now: datetime) -> str:
    if placement.ended is not None:
        return f"the stay was {placement.ended}" if placement.kind is CodeKind.GUEST else f"it was {placement.ended}"
    if placement.phase(now) is Phase.EARLY:
        return "its time has not come and the lock has no clock"
    return "the stay is over" if placement.kind is CodeKind.GUEST else "its time is over"


def _change(
    placement: Placement, observation: Observation, capabilities: Capabilities, now: datetime, room: int
) -> Action | None:
    """Correct what the lock holds otherwise than wanted: in place where it can, else by replacing it (R19, R33)."""
    code = observation.ours.get(placement.id)
    if code is None or code.state is CodeState.REMOVING or not _wanted(placement, capabilities, now):
        return None
    changed = differences(placement, code, capabilities)
    if not changed:
        return _asked_again(placement, code, capabilities)
    what = f"{', '.join(sorted(changed))} changed"
    if changed <= capabilities.updates:
        return Action(Verb.UPDATE, placement.id, what, code.ref, spec_for(placement, capabilities))
    return _replacement(placement, code, observation.replaced.get(placement.id), changed, capabilities, room, what)


def _replacement(
    placement: Placement,
    code: SeenCode,
    old: SeenCode | None,
    changed: frozenset[str],
    capabilities: Capabilities,
    room: int,
    what: str,
) -> Action | None:
    """The new code first where the lock can hold both; else the old one goes and the next plan puts the new one on.

    Only one old code is remembered for a placement: while there is one, it or the one that came after it goes first.
    """
    if not capabilities.can_remove:
        return Action(Verb.SET, placement.id, f"{what}; a new code", code.ref, spec_for(placement, capabilities))
    if not _holds_both(changed, capabilities) or (room <= 0 and old is None):
        return Action(Verb.REMOVE, placement.id, f"{what}; the lock cannot hold both", code.ref)
    if old is None:
        return Action(Verb.SET, placement.id, f"{what}; new code first", code.ref, spec_for(placement, capabilities))
    if old.state is CodeState.REMOVING:
        return None
    spare = old if settled(code) else code
    return Action(Verb.REMOVE, placement.id, f"{what} again; one old code at a time", spare.ref)


def _asked_again(placement: Placement, code: SeenCode, capabilities: Capabilities) -> Action | None:
    if placement.state is not PlacementState.FAILED and code.trouble is None:
        return None
    again = "asked again: it was not confirmed"
    if capabilities.updates:
        return Action(Verb.UPDATE, placement.id, again, code.ref, spec_for(placement, capabilities))
    if capabilities.can_remove:
        return Action(Verb.REMOVE, placement.id, f"to be {again}", code.ref)
    return Action(Verb.SET, placement.id, again, code.ref, spec_for(placement, capabilities))


def _holds_both(changed: frozenset[str], capabilities: Capabilities) -> bool:
    """Whether old and new can be on the lock together: other digits, and no name in the way."""
    if capabilities.chooses_pin:
        return True
    return "pin" in changed and not (capabilities.name_rules.unique and "name" not in changed)


def _wanted(placement: Placement, capabilities: Capabilities, now: datetime) -> bool:
    phase = placement.phase(now)
    if phase is Phase.OVER or closed(placement, now):
        return False
    return phase is Phase.DUE or capabilities.keeps_windows


def _missing(placement: Placement, observation: Observation, now: datetime) -> bool:
    return placement.phase(now) is Phase.DUE and not closed(placement, now) and placement.id not in observation.ours


def _being_removed(observation: Observation) -> int:
    seen = (*observation.ours.values(), *observation.replaced.values(), *observation.strangers)
    return sum(1 for code in seen if code.state is CodeState.REMOVING)


@dataclass(frozen=True, slots=True)
class _Room:
    """Slots that are free, and slots that will be soon because their codes are being removed."""

    free: int
    freeing: int


def _allot(
    missing: Sequence[Placement],
    movable: Sequence[Placement],
    observation: Observation,
    capabilities: Capabilities,
    room: _Room,
    now: datetime,
) -> tuple[list[Action], list[Action], list[PlacementId]]:
    """Give the free slots to the soonest (R26); where there are none, later stays' codes make room for sooner ones.

    Both sequences come in order of urgency.
    """
    free = max(0, room.free)
    sets = [
        Action(Verb.SET, placement.id, _why_now(placement, now), None, spec_for(placement, capabilities))
        for placement in missing[:free]
    ]
    waiting = missing[free:]
    later = list(movable)
    displaced: list[Action] = []
    for placement in waiting[room.freeing :]:
        if not later or _urgency(now)(placement) >= _urgency(now)(later[-1]):
            break
        gives_way = later.pop()
        ref = observation.ours[gives_way.id].ref
        displaced.append(Action(Verb.REMOVE, gives_way.id, "the lock is full and a sooner stay needs the slot", ref))
    return displaced, sets, [placement.id for placement in waiting]


def _movable(placement: Placement, observation: Observation, capabilities: Capabilities, now: datetime) -> bool:
    """Whether the code may give way to a more urgent one: that of a guest who is not in the house."""
    code = observation.ours.get(placement.id)
    return (
        capabilities.can_remove
        and placement.kind is CodeKind.GUEST
        and not placement.window.holds(now)
        and code is not None
        and code.state is not CodeState.REMOVING
        and placement.id not in observation.replaced
    )


class _urgency:  # noqa: N801 - used as a sort key, like operator.itemgetter
    """Who gets a slot first: who may open the door now (a guest in the house first), the soonest stay, then spares.

    Spares are backup codes nobody has, and codes that are on the lock for nobody any more.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self, placement: Placement) -> tuple[int, datetime, int]:
        return (self._rank(placement), placement.window.starts, placement.id)

    def _rank(self, placement: Placement) -> int:
        if closed(placement, self._now):
            return 4
        if placement.kind is CodeKind.BACKUP and placement.remove_at is None:
            return 3
        if not placement.window.holds(self._now):
            return 2
        return 0 if placement.kind is CodeKind.GUEST else 1


def _why_now(placement: Placement, now: datetime) -> str:
    if placement.kind is CodeKind.BACKUP:
        return "a backup code is kept ready on the lock"
    if placement.confirmed_at is not None:
        return "it was on the lock and is missing: put back"
    return "the guest's window is open" if placement.window.holds(now) else "its push time has come"


def _refusal(removals: Sequence[Action], placements: Sequence[Placement], now: datetime, limit: int) -> str | None:
    """Why these removals must not be made (law 7). Codes whose window has closed do not count: nobody needs them."""
    by_id = {placement.id: placement for placement in placements}
    taken = [by_id[action.placement] for action in removals if action.ref != by_id[action.placement].replaces]
    if any(placement.ended is None and placement.in_house(now) for placement in taken):
        return "it would take the code of a guest in the house"
    harmful = sum(1 for placement in taken if not placement.window.over(now))
    return f"it would remove {harmful} codes at once; the limit is {limit}" if harmful > limit else None
