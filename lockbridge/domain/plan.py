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
from lockbridge.domain.observe import Observation, differences
from lockbridge.domain.placement import Phase, Placement, PlacementState, Verb, spec_for
from lockbridge.domain.seen import CodeState, SeenCode


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
    max_removals: int = 20,
) -> Plan:
    """What to ask of a lock so that it holds what is wanted.

    ``observation=None`` means the lock could not be looked at: then nothing is planned (law 4). Codes of
    strangers appear in no action. Placements held back until later (``hold_until``) are left for then.
    """
    if observation is None:
        return Plan()
    ready = [placement for placement in placements if placement.live and not placement.held(now)]
    removals = [action for placement in ready for action in _removal(placement, observation, capabilities, now)]
    refused = _refusal(removals, placements, now, max_removals)
    if refused:
        return Plan(refused=refused)
    changes = [action for placement in ready for action in _change(placement, observation, capabilities, now)]
    missing = [placement for placement in ready if _missing(placement, observation, now)]
    room = capabilities.max_codes - observation.count
    displaced, sets, waiting = _allot(missing, placements, observation, capabilities, room, now)
    return Plan((*removals, *displaced, *changes, *sets), frozenset(waiting))


def preview(
    capabilities: Capabilities, placements: Sequence[Placement], observation: Observation | None, now: datetime
) -> Plan:
    """The same planner, run dry and without regard to waiting times: what would be done in the end (R47)."""
    return plan_lock(capabilities, [replace(placement, hold_until=None) for placement in placements], observation, now)


def _removal(
    placement: Placement, observation: Observation, capabilities: Capabilities, now: datetime
) -> Iterable[Action]:
    """Take off what is over, what is early on a lock without a clock, and what another code has replaced."""
    if not capabilities.can_remove:
        return
    old = observation.replaced.get(placement.id)
    code = observation.ours.get(placement.id)
    phase = placement.phase(now)
    if old is not None and old.state is not CodeState.REMOVING and (placement.confirmed or phase is Phase.OVER):
        yield Action(Verb.REMOVE, placement.id, "replaced by the new code", old.ref)
    if code is None or code.state is CodeState.REMOVING:
        return
    if phase is Phase.OVER:
        yield Action(Verb.REMOVE, placement.id, _why_over(placement), code.ref)
    elif phase is Phase.EARLY and not capabilities.keeps_windows:
        yield Action(Verb.REMOVE, placement.id, "its time has not come and the lock has no clock", code.ref)


def _why_over(placement: Placement) -> str:
    return f"the stay was {placement.ended}" if placement.ended else "the stay is over"


def _change(
    placement: Placement, observation: Observation, capabilities: Capabilities, now: datetime
) -> Iterable[Action]:
    """Correct what the lock holds otherwise than wanted: in place where it can, else by replacing it (R19, R33)."""
    code = observation.ours.get(placement.id)
    if code is None or code.state is CodeState.REMOVING or not _wanted(placement, capabilities, now):
        return
    spec = spec_for(placement, capabilities)
    changed = differences(placement, code, capabilities)
    if changed and changed <= capabilities.updates:
        yield Action(Verb.UPDATE, placement.id, f"{', '.join(sorted(changed))} changed", code.ref, spec)
    elif changed and _holds_both(changed, capabilities):
        yield Action(Verb.SET, placement.id, f"{', '.join(sorted(changed))} changed; new code first", code.ref, spec)
    elif changed:
        yield Action(
            Verb.REMOVE, placement.id, f"{', '.join(sorted(changed))} changed; the lock cannot hold both", code.ref
        )
        yield Action(Verb.SET, placement.id, "put back as wanted", None, spec)
    elif placement.state is PlacementState.FAILED or code.trouble is not None:
        yield Action(Verb.UPDATE, placement.id, "asked again: it was not confirmed", code.ref, spec)


def _holds_both(changed: frozenset[str], capabilities: Capabilities) -> bool:
    """Whether old and new can be on the lock together: other digits, and no name in the way."""
    if capabilities.chooses_pin:
        return True
    return "pin" in changed and not (capabilities.name_rules.unique and "name" not in changed)


def _wanted(placement: Placement, capabilities: Capabilities, now: datetime) -> bool:
    phase = placement.phase(now)
    return phase is Phase.DUE or (phase is Phase.EARLY and capabilities.keeps_windows)


def _missing(placement: Placement, observation: Observation, now: datetime) -> bool:
    return placement.phase(now) is Phase.DUE and placement.id not in observation.ours


def _allot(
    missing: Sequence[Placement],
    placements: Sequence[Placement],
    observation: Observation,
    capabilities: Capabilities,
    room: int,
    now: datetime,
) -> tuple[list[Action], list[Action], list[PlacementId]]:
    """Give the free slots to the soonest (R26); where there are none, later stays' codes make room for sooner ones."""
    movable = sorted(
        (p for p in placements if p.id in observation.ours and _may_be_displaced(p, observation.ours[p.id], now)),
        key=_urgency(now),
    )
    displaced: list[Action] = []
    sets: list[Action] = []
    waiting: list[PlacementId] = []
    for placement in sorted(missing, key=_urgency(now)):
        if room > 0:
            room -= 1
            sets.append(
                Action(Verb.SET, placement.id, _why_now(placement, now), None, spec_for(placement, capabilities))
            )
            continue
        waiting.append(placement.id)
        if capabilities.can_remove and movable and _urgency(now)(placement) < _urgency(now)(movable[-1]):
            later = movable.pop()
            displaced.append(
                Action(
                    Verb.REMOVE,
                    later.id,
                    "the lock is full and a sooner stay needs the slot",
                    observation.ours[later.id].ref,
                )
            )
    return displaced, sets, waiting


def _may_be_displaced(placement: Placement, code: SeenCode, now: datetime) -> bool:
    return (
        placement.kind is CodeKind.GUEST
        and not placement.window.holds(now)
        and placement.phase(now) is not Phase.OVER
        and code.state is not CodeState.REMOVING
    )


class _urgency:  # noqa: N801 - used as a sort key, like operator.itemgetter
    """Who gets a slot first: a guest in the house, a standing code, then the soonest stay."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self, placement: Placement) -> tuple[bool, datetime, int]:
        return (not placement.window.holds(self._now), placement.window.starts, placement.id)


def _why_now(placement: Placement, now: datetime) -> str:
    if placement.kind is CodeKind.BACKUP:
        return "a backup code is kept ready on the lock"
    if placement.confirmed_at is not None:
        return "it was on the lock and is missing: put back"
    return "the guest's window is open" if placement.window.holds(now) else "its push time has come"


def _refusal(removals: Sequence[Action], placements: Sequence[Placement], now: datetime, limit: int) -> str | None:
    if len(removals) > limit:
        return f"it would remove {len(removals)} codes at once; the limit is {limit}"
    by_id = {placement.id: placement for placement in placements}
    for action in removals:
        placement = by_id[action.placement]
        if placement.phase(now) is Phase.OVER and placement.ended is None and placement.in_house(now):
            return "it would take the code of a guest in the house"
    return None
