"""The state machine of a placement: what a look and an answer make of it. Pure; every step returns a new value.

``after_look`` is told what a successful look found; ``before_call`` writes the intent down; ``after_call`` reads the
answer. Each returns the placement as it now stands and the notes for its history (R40).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from lockbridge.domain.lock import Capabilities, Readback
from lockbridge.domain.observe import Observation, differences, settled
from lockbridge.domain.placement import Phase, Placement, PlacementState, Verb, spec_for
from lockbridge.domain.plan import Action
from lockbridge.domain.retry import look_again, next_attempt, next_healthcheck, wait_for
from lockbridge.domain.seen import CodeState, Kind, Receipt, Remedy, SeenCode, Trouble, Written


class NoteKind(StrEnum):
    """What can happen to a placement, as its history tells it."""

    ASKED_TO_SET = "asked_to_set"
    ASKED_TO_UPDATE = "asked_to_update"
    ASKED_TO_REMOVE = "asked_to_remove"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    ADOPTED = "adopted"
    VANISHED = "vanished"
    CHANGED_BY_HAND = "changed_by_hand"
    REMOVED = "removed"
    REMOVING = "removing"
    REFUSED = "refused"
    WAITING = "waiting"
    UNKNOWN = "outcome_unknown"
    NOT_CONFIRMED = "not_confirmed"
    NO_ROOM = "no_room"
    PIN_CHOSEN = "pin_chosen"


@dataclass(frozen=True, slots=True)
class Note:
    """One line of a placement's history: what happened and why, without digits."""

    kind: NoteKind
    why: str


class Choose(StrEnum):
    """What must be chosen anew before the next attempt (R11, R14)."""

    PIN = "pin"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Settled:
    """A placement after a step, its history's notes, and what must be chosen differently."""

    placement: Placement
    notes: tuple[Note, ...] = ()
    choose: Choose | None = None


def _healthy(placement: Placement) -> Placement:
    return replace(placement, failures=0, waits=0, looks=0, hold_until=None, reason=None, detail=None)


def _forgotten(placement: Placement) -> Placement:
    """Not on the lock: nothing of what was asked for stands any more."""
    return replace(placement, ref=None, asked=None, asked_at=None, intent=None)


def after_look(placement: Placement, observation: Observation, capabilities: Capabilities, now: datetime) -> Settled:
    """What a successful look makes of a placement."""
    placement = _replaced_is_gone(placement, observation)
    code = observation.ours.get(placement.id)
    if code is None:
        return _not_there(placement, now)
    adopted = placement.intent is not None and placement.ref is None
    asked = None if _unproven(placement, capabilities) else placement.asked
    placement = replace(placement, ref=code.ref, intent=None, asked=asked)
    notes = (Note(NoteKind.ADOPTED, "found on the lock: the call had reached it"),) if adopted else ()
    if placement.phase(now) is Phase.OVER:
        return Settled(_to_be_removed(placement, code, capabilities, now), notes)
    step = _there(placement, code, capabilities, now)
    return replace(step, notes=(*notes, *step.notes))


def _to_be_removed(placement: Placement, code: SeenCode, capabilities: Capabilities, now: datetime) -> Placement:
    """Still there though it is over. What cannot be taken back is left until its own window ends."""
    placement = replace(placement, state=PlacementState.REMOVING)
    if not capabilities.can_remove:
        return replace(placement, hold_until=code.window.ends if code.window else placement.window.ends)
    if code.state is CodeState.REMOVING and not placement.held(now):
        return replace(placement, hold_until=now + look_again(placement.looks), looks=placement.looks + 1)
    return placement


def _unproven(placement: Placement, capabilities: Capabilities) -> bool:
    """Whether a change of digits may or may not have been made and the look cannot tell: then it is made again."""
    return placement.intent is Verb.UPDATE and capabilities.readback is not Readback.FULL


def _replaced_is_gone(placement: Placement, observation: Observation) -> Placement:
    if placement.replaces is None or placement.id in observation.replaced:
        return placement
    return replace(placement, replaces=None)


def _not_there(placement: Placement, now: datetime) -> Settled:
    if placement.phase(now) is Phase.OVER:
        return Settled(_removed(placement), (Note(NoteKind.REMOVED, "it is not on the lock"),))
    if placement.confirmed:
        gone = replace(_forgotten(placement), state=PlacementState.MADE, hold_until=None)
        return Settled(gone, (Note(NoteKind.VANISHED, "it was set and is no longer on the lock"),))
    if placement.intent is not None or placement.state is PlacementState.ASKED:
        return Settled(replace(_forgotten(placement), state=PlacementState.MADE, hold_until=None))
    return Settled(placement)


def _removed(placement: Placement) -> Placement:
    return replace(_forgotten(_healthy(placement)), state=PlacementState.REMOVED, watch_at=None)


def _there(placement: Placement, code: SeenCode, capabilities: Capabilities, now: datetime) -> Settled:
    if code.trouble is not None:
        return after_trouble(placement, code.trouble, now)
    changed = differences(placement, code, capabilities)
    if not changed and settled(code):
        return _confirmed(placement, code, capabilities, now)
    if changed and placement.confirmed and placement.asked == spec_for(placement, capabilities):
        why = f"its {' and '.join(sorted(changed))} changed in the lock app"
        return Settled(_doubtful(placement), (Note(NoteKind.CHANGED_BY_HAND, why),))
    if changed:
        return Settled(_doubtful(placement))
    return _unconfirmed(placement, capabilities, now)


def _doubtful(placement: Placement) -> Placement:
    hold = None if placement.confirmed else placement.hold_until
    return replace(placement, state=PlacementState.ASKED, hold_until=hold)


def _confirmed(placement: Placement, code: SeenCode, capabilities: Capabilities, now: datetime) -> Settled:
    spec = spec_for(placement, capabilities)
    if placement.confirmed:
        return Settled(replace(placement, asked=spec))
    done = replace(_healthy(placement), state=PlacementState.SET, asked=spec, confirmed_at=now, ref=code.ref)
    return Settled(done, (Note(NoteKind.CONFIRMED, "the lock app says the lock holds it"),))


def _unconfirmed(placement: Placement, capabilities: Capabilities, now: datetime) -> Settled:
    """Taken, but not on the lock yet: look again, and after the driver's own patience count a failed attempt (R21)."""
    asked_at = placement.asked_at or now
    if now < asked_at + capabilities.confirm_within:
        held = replace(placement, state=PlacementState.ASKED)
        if held.held(now):
            return Settled(held)
        return Settled(replace(held, hold_until=now + look_again(placement.looks), looks=placement.looks + 1))
    if placement.held(now):
        return Settled(placement)
    failed = _failed(replace(placement, asked_at=now), now)
    return Settled(
        failed, (Note(NoteKind.NOT_CONFIRMED, f"not confirmed within {_minutes(capabilities.confirm_within)}"),)
    )


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} minutes"


def before_call(placement: Placement, action: Action, now: datetime) -> Placement:
    """The intent, to be stored before the call is made (law 5)."""
    if action.verb is Verb.REMOVE:
        return replace(placement, intent=Verb.REMOVE, asked_at=now)
    replaces = action.ref if action.verb is Verb.SET and action.ref is not None else placement.replaces
    ref = None if action.verb is Verb.SET else placement.ref
    return replace(placement, intent=action.verb, asked=action.spec, asked_at=now, ref=ref, replaces=replaces)


def after_call(
    placement: Placement, action: Action, answer: Written | Receipt | Trouble, capabilities: Capabilities, now: datetime
) -> Settled:
    """What the answer to a call makes of a placement."""
    if isinstance(answer, Trouble):
        return after_trouble(placement, answer, now)
    if isinstance(answer, Written):
        return _written(placement, answer, capabilities, now)
    return _taken_off(placement, action, answer, now)


def _written(placement: Placement, answer: Written, capabilities: Capabilities, now: datetime) -> Settled:
    taken = replace(
        placement,
        intent=None,
        ref=answer.ref or placement.ref,
        pin=answer.pin or placement.pin,
    )
    chosen = (Note(NoteKind.PIN_CHOSEN, "the lock app chose the digits"),) if answer.pin else ()
    if answer.receipt is not Receipt.ACCEPTED and capabilities.confirms:
        done = replace(_healthy(taken), state=PlacementState.SET, confirmed_at=now)
        return Settled(done, (*chosen, Note(NoteKind.CONFIRMED, "the lock app confirmed it")))
    waiting = replace(taken, state=PlacementState.ASKED, hold_until=now + look_again(0), looks=1)
    return Settled(
        waiting, (*chosen, Note(NoteKind.ACCEPTED, "the lock app took it; looking again before telling anyone"))
    )


def _taken_off(placement: Placement, action: Action, answer: Receipt, now: datetime) -> Settled:
    if action.ref is not None and action.ref == placement.replaces:
        return Settled(replace(placement, replaces=None, intent=None))
    if answer is Receipt.ACCEPTED:
        waiting = replace(placement, intent=None, hold_until=now + look_again(0), looks=1)
        return Settled(replace(waiting, state=PlacementState.REMOVING), (Note(NoteKind.REMOVING, "removal accepted"),))
    if placement.phase(now) is Phase.OVER:
        return Settled(_removed(placement), (Note(NoteKind.REMOVED, action.why),))
    back = replace(_forgotten(placement), state=PlacementState.MADE, confirmed_at=None)
    return Settled(back, (Note(NoteKind.REMOVED, action.why),))


def after_trouble(placement: Placement, trouble: Trouble, now: datetime) -> Settled:
    """What an error makes of a placement; its remedy decides, never its words (R22)."""
    told = replace(placement, reason=str(trouble.kind), detail=trouble.detail)
    if trouble.remedy is Remedy.LOOK:
        held = replace(told, hold_until=now + look_again(placement.looks), looks=placement.looks + 1)
        return Settled(held, (Note(NoteKind.UNKNOWN, trouble.detail),))
    told = replace(told, intent=None, asked=None)
    if trouble.remedy is Remedy.WAIT:
        held = replace(told, hold_until=now + wait_for(placement.waits, trouble.retry_after), waits=placement.waits + 1)
        return Settled(held, (Note(NoteKind.WAITING, trouble.detail),))
    if trouble.kind is Kind.LOCK_FULL:
        full = replace(told, state=PlacementState.NO_ROOM, hold_until=next_healthcheck(now))
        return Settled(full, (Note(NoteKind.NO_ROOM, trouble.detail),))
    return Settled(_failed(told, now), (Note(NoteKind.REFUSED, trouble.detail),), _choose(told, trouble))


def _failed(placement: Placement, now: datetime) -> Placement:
    failures = placement.failures + 1
    state = PlacementState.REMOVING if placement.phase(now) is Phase.OVER else PlacementState.FAILED
    hold = next_attempt(failures, now, placement.window.starts)
    return replace(placement, state=state, failures=failures, hold_until=hold)


def _choose(placement: Placement, trouble: Trouble) -> Choose | None:
    if trouble.kind in (Kind.PIN_TAKEN, Kind.PIN_REFUSED):
        return Choose.PIN
    if trouble.kind in (Kind.NAME_TAKEN, Kind.NAME_REFUSED):
        return Choose.NAME
    if trouble.kind is Kind.REJECTED and placement.failures == 0:
        return Choose.NAME
    return None


def out_of_room(placement: Placement) -> Settled:
    """The lock is full: the placement waits for a slot; any removal on the lock lets it try again (R26)."""
    if placement.state is PlacementState.NO_ROOM:
        return Settled(placement)
    waiting = replace(placement, state=PlacementState.NO_ROOM, reason=str(Kind.LOCK_FULL), detail="the lock is full")
    return Settled(waiting, (Note(NoteKind.NO_ROOM, "the lock is full; the soonest stays go first"),))


def next_due(placement: Placement, now: datetime) -> datetime | None:
    """When this placement needs its lock's attention next; None when never again."""
    if not placement.live:
        return None
    if placement.held(now):
        return placement.hold_until
    if placement.phase(now) is Phase.OVER:
        return placement.remove_at
    if placement.confirmed:
        return placement.remove_at
    if placement.state is PlacementState.NO_ROOM:
        return next_healthcheck(now)
    return max(placement.push_at, placement.hold_until or placement.push_at)
