"""The state machine of a placement: what a look and an answer make of it. Pure; every step returns a new value.

``after_look`` is told what a successful look found; ``before_call`` writes the intent down; ``after_call`` reads the
answer. Each returns the placement as it now stands and the notes for its history (R40).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from lockbridge.domain.code import Window
from lockbridge.domain.health import HORIZON
from lockbridge.domain.lock import Capabilities, Readback
from lockbridge.domain.observe import Observation, differences, settled
from lockbridge.domain.placement import Phase, Placement, PlacementState, Verb, spec_for
from lockbridge.domain.plan import Action, closed, unwanted
from lockbridge.domain.retry import look_again, next_attempt, next_healthcheck, wait_for
from lockbridge.domain.seen import CodeState, Kind, Receipt, Remedy, SeenCode, Trouble, Written

SHOWN_WITHIN = timedelta(seconds=30)
"""A lock app may list a code a moment after it said that the lock has it."""

ROOM_WITHIN = timedelta(minutes=15)
"""How often it is looked whether there is room by now for a guest who comes within a day."""


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
    CANNOT_TAKE_BACK = "cannot_take_back"
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


def _with(placement: Placement, **values: Any) -> Placement:
    """The placement with these values: itself where it has them, since a new one of so many fields takes its time."""
    same = all(getattr(placement, name) == value for name, value in values.items())
    return placement if same else replace(placement, **values)


def _healthy(placement: Placement, **values: Any) -> Placement:
    """All is well with it, and it has these values."""
    return _with(placement, **values, failures=0, waits=0, looks=0, hold_until=None, reason=None, detail=None)


def _forgotten(placement: Placement) -> Placement:
    """Not on the lock: nothing of what was asked for stands any more."""
    return _with(placement, ref=None, asked=None, asked_at=None, intent=None)


def _looking_again(placement: Placement, now: datetime) -> Placement:
    return replace(placement, hold_until=now + look_again(placement.looks), looks=placement.looks + 1)


def after_look(placement: Placement, observation: Observation, capabilities: Capabilities, now: datetime) -> Settled:
    """What a successful look makes of a placement."""
    if not placement.live:
        return Settled(placement)
    placement = _replaced_is_gone(placement, observation, capabilities, now)
    code = observation.ours.get(placement.id)
    if code is None:
        return _not_there(placement, capabilities, now)
    adopted = placement.intent is not None and placement.ref is None
    placement = _with(_answered(placement, code, capabilities), ref=code.ref)
    notes = (Note(NoteKind.ADOPTED, "found on the lock: the call had reached it"),) if adopted else ()
    if unwanted(placement, code, capabilities, now):
        step = _to_be_removed(placement, code, capabilities, now)
    else:
        placement, chosen = _chosen_late(placement, code, capabilities)
        notes = (*notes, *chosen)
        step = _there(placement, code, capabilities, now)
    return replace(step, notes=(*notes, *step.notes))


def _chosen_late(
    placement: Placement, code: SeenCode, capabilities: Capabilities
) -> tuple[Placement, tuple[Note, ...]]:
    """Digits that a lock app chooses may come after its answer: then a look is the first to show them."""
    if not capabilities.chooses_pin or code.pin is None or code.pin == placement.pin:
        return placement, ()
    return replace(placement, pin=code.pin), (Note(NoteKind.PIN_CHOSEN, "the lock app chose the digits"),)


def _answered(placement: Placement, code: SeenCode, capabilities: Capabilities) -> Placement:
    """The look takes the place of the answer that was lost. Digits it cannot read are then not known to be right."""
    if placement.intent is Verb.REMOVE:
        return replace(placement, intent=None, asked_at=None)
    unread = code.pin is None or capabilities.readback is Readback.MASKED
    if placement.intent is Verb.UPDATE and unread and "pin" in capabilities.updates and placement.asked is not None:
        return replace(placement, intent=None, asked=replace(placement.asked, pin=None))
    return _with(placement, intent=None)


def _replaced_is_gone(
    placement: Placement, observation: Observation, capabilities: Capabilities, now: datetime
) -> Placement:
    """Follow the replaced code until it is gone – where it cannot be taken back, only until it is replaced."""
    old = observation.replaced.get(placement.id)
    if old is None or not capabilities.can_remove:
        return _with(placement, replaces=None)
    if old.state is CodeState.REMOVING and not placement.held(now):
        return _looking_again(placement, now)
    return placement


def _to_be_removed(placement: Placement, code: SeenCode, capabilities: Capabilities, now: datetime) -> Settled:
    """Still there though it must not be. What cannot be taken back is left until its own window ends."""
    is_news = placement.state is not PlacementState.REMOVING
    if is_news:
        placement = _healthy(placement, state=PlacementState.REMOVING, asked_at=None)
    if placement.held(now):
        return Settled(placement)
    if not capabilities.can_remove:
        notes = _stays_valid(placement, code, now) if is_news and placement.ended is not None else ()
        return Settled(replace(placement, hold_until=_gone_by_itself(placement, code, now)), notes)
    if code.state is CodeState.REMOVING or _removal_awaited(placement, capabilities, now):
        return Settled(_looking_again(placement, now))
    return Settled(placement) if placement.asked_at is None else _unheeded(placement, capabilities, now)


def left_behind(placement: Placement, action: Action, capabilities: Capabilities, now: datetime) -> tuple[Note, ...]:
    """What the host must hear when a code is replaced whose old digits go on opening at times not wanted any more."""
    if action.verb is not Verb.SET or action.ref is None or action.spec is None or capabilities.can_remove:
        return ()
    old = placement.asked.window if placement.asked else None
    new = action.spec.window
    if old is None or new is None or old.over(now) or _covers(new, old, now):
        return ()
    return (_cannot_take_back(old.ends),)


def _covers(new: Window, old: Window, now: datetime) -> bool:
    """Whether what is left of the old window lies within the new one."""
    ends_in_time = new.ends is None or (old.ends is not None and old.ends <= new.ends)
    return ends_in_time and max(old.starts, now) >= new.starts


def _stays_valid(placement: Placement, code: SeenCode, now: datetime) -> tuple[Note, ...]:
    ends = _ends(placement, code)
    return () if ends is not None and ends <= now else (_cannot_take_back(ends),)


def _cannot_take_back(ends: datetime | None) -> Note:
    until = f"until {ends:%a %d %b %Y %H:%M} UTC" if ends else "until somebody deletes them at the lock"
    return Note(NoteKind.CANNOT_TAKE_BACK, f"the lock app cannot take it back: its digits open {until}")


def _ends(placement: Placement, code: SeenCode) -> datetime | None:
    return code.window.ends if code.window else placement.window.ends


def _gone_by_itself(placement: Placement, code: SeenCode, now: datetime) -> datetime:
    ends = _ends(placement, code)
    return ends if ends is not None and ends > now else next_healthcheck(now)


def _unheeded(placement: Placement, capabilities: Capabilities, now: datetime) -> Settled:
    """What was accepted and not done in the driver's own patience counts as a failed attempt (R21, R31)."""
    failed = _failed(replace(placement, asked_at=None), now)
    return Settled(
        failed, (Note(NoteKind.NOT_CONFIRMED, f"not confirmed within {_minutes(capabilities.confirm_within)}"),)
    )


def _not_there(placement: Placement, capabilities: Capabilities, now: datetime) -> Settled:
    over = placement.phase(now) is Phase.OVER or closed(placement, now)
    if _may_still_arrive(placement, capabilities, now, over=over):
        waiting = replace(placement, state=PlacementState.ASKED) if over else placement
        return Settled(waiting if placement.held(now) else _looking_again(waiting, now))
    return _off(placement, "it is not on the lock") if over else _not_on_it(placement, capabilities, now)


def _not_on_it(placement: Placement, capabilities: Capabilities, now: datetime) -> Settled:
    """Wanted or still to come, and certainly not on the lock."""
    if placement.confirmed:
        gone = replace(_forgotten(placement), state=PlacementState.MADE, hold_until=None)
        return Settled(gone, (Note(NoteKind.VANISHED, "it was set and is no longer on the lock"),))
    if _awaited(placement, capabilities):
        return _unheeded(_forgotten(placement), capabilities, now)
    if placement.intent is not None or placement.state in (PlacementState.ASKED, PlacementState.REMOVING):
        return Settled(replace(_forgotten(placement), state=PlacementState.MADE, hold_until=None))
    return Settled(_forgotten(placement))


def _awaited(placement: Placement, capabilities: Capabilities) -> bool:
    """Whether the lock app took what is wanted now and has not confirmed it yet."""
    return (
        placement.state is PlacementState.ASKED
        and placement.intent is None
        and placement.asked_at is not None
        and placement.asked == spec_for(placement, capabilities)
    )


def _may_still_arrive(placement: Placement, capabilities: Capabilities, now: datetime, *, over: bool) -> bool:
    """Whether a call that was sent may reach the lock after this look (law 5).

    Somebody waits for a wanted code: its unanswered call is repeated after a short while where the answer would have
    been the confirmation. One that is over is only closed when nothing can come of what was asked, so that no door
    keeps it.
    """
    unanswered = placement.intent in (Verb.SET, Verb.UPDATE)
    if placement.asked_at is None:
        return False
    if placement.confirmed:
        return now < placement.asked_at + SHOWN_WITHIN
    if not unanswered and placement.state is not PlacementState.ASKED:
        return False
    patient = now < placement.asked_at + capabilities.confirm_within
    if over or not unanswered or not capabilities.confirms:
        return patient
    return placement.held(now) or now < placement.asked_at + look_again(0)


def _off(placement: Placement, why: str) -> Settled:
    """Not on the lock and not wanted there: closed, unless an older code of it is still there."""
    if placement.replaces is not None:
        return Settled(replace(_forgotten(placement), state=PlacementState.REMOVING))
    closed_now = replace(_forgotten(_healthy(placement)), state=PlacementState.REMOVED, watch_at=None)
    return Settled(closed_now, (Note(NoteKind.REMOVED, why),))


def _there(placement: Placement, code: SeenCode, capabilities: Capabilities, now: datetime) -> Settled:
    if code.state is CodeState.REMOVING or _removal_awaited(placement, capabilities, now):
        return _going(placement, now)
    if closed(placement, now):
        left = placement.state is PlacementState.REMOVING
        return Settled(replace(placement, state=PlacementState.ASKED, asked_at=None) if left else placement)
    if code.trouble is not None and placement.asked == spec_for(placement, capabilities):
        known = placement.state is PlacementState.FAILED or placement.held(now)
        return Settled(placement) if known else after_trouble(placement, code.trouble, now)
    return _compared(placement, code, capabilities, now)


def _compared(placement: Placement, code: SeenCode, capabilities: Capabilities, now: datetime) -> Settled:
    changed = differences(placement, code, capabilities)
    if not changed and settled(code):
        return _confirmed(placement, code, capabilities, now)
    if changed and placement.confirmed and placement.asked == spec_for(placement, capabilities):
        why = f"its {' and '.join(sorted(changed))} changed in the lock app"
        return Settled(_doubtful(placement), (Note(NoteKind.CHANGED_BY_HAND, why),))
    if changed and not _awaited(placement, capabilities):
        return Settled(_doubtful(placement))
    return _unconfirmed(placement, capabilities, now)


def _removal_awaited(placement: Placement, capabilities: Capabilities, now: datetime) -> bool:
    """Whether a removal was accepted a short while ago."""
    return (
        placement.state is PlacementState.REMOVING
        and placement.asked_at is not None
        and now < placement.asked_at + capabilities.confirm_within
    )


def _going(placement: Placement, now: datetime) -> Settled:
    """Wanted, but on its way off the lock: put back once it is gone."""
    notes = (Note(NoteKind.VANISHED, "it was set and is being removed"),) if placement.confirmed else ()
    if placement.state is not PlacementState.REMOVING:
        placement = replace(placement, state=PlacementState.REMOVING, asked_at=None, hold_until=None)
    return Settled(placement if placement.held(now) else _looking_again(placement, now), notes)


def _doubtful(placement: Placement) -> Placement:
    if placement.state is PlacementState.FAILED:
        return placement
    hold = None if placement.confirmed else placement.hold_until
    return replace(placement, state=PlacementState.ASKED, asked_at=None, hold_until=hold)


def _confirmed(placement: Placement, code: SeenCode, capabilities: Capabilities, now: datetime) -> Settled:
    spec = spec_for(placement, capabilities)
    if placement.confirmed:
        return Settled(_with(placement, asked=spec, looks=0))
    done = _healthy(placement, state=PlacementState.SET, asked=spec, confirmed_at=now, ref=code.ref)
    return Settled(done, (Note(NoteKind.CONFIRMED, "the lock app says the lock holds it"),))


def _unconfirmed(placement: Placement, capabilities: Capabilities, now: datetime) -> Settled:
    """Taken, but not on the lock yet: look again, and after the driver's own patience count a failed attempt (R21)."""
    if placement.state is PlacementState.FAILED:
        return Settled(placement)
    asked_at = now if placement.confirmed else placement.asked_at or now
    placement = replace(placement, state=PlacementState.ASKED, asked_at=asked_at)
    if placement.held(now):
        return Settled(placement)
    if now < asked_at + capabilities.confirm_within:
        return Settled(_looking_again(placement, now))
    return _unheeded(placement, capabilities, now)


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} minutes"


def before_call(placement: Placement, action: Action, now: datetime) -> Placement:
    """The intent, to be stored before the call is made (law 5).

    A new code is recognised by what was asked for, so that is written down now; a code that is changed has its
    reference, and ``asked`` goes on saying what the lock is known to hold.
    """
    if action.verb is not Verb.SET:
        return replace(placement, intent=action.verb, asked_at=now)
    replaces = action.ref if action.ref is not None else placement.replaces
    return replace(placement, intent=Verb.SET, asked=action.spec, asked_at=now, ref=None, replaces=replaces)


def after_call(
    placement: Placement, action: Action, answer: Written | Receipt | Trouble, capabilities: Capabilities, now: datetime
) -> Settled:
    """What the answer to a call makes of a placement."""
    if isinstance(answer, Written):
        return _written(placement, action, answer, capabilities, now)
    if isinstance(answer, Receipt):
        return _taken_off(placement, action, answer, now)
    if answer.kind is Kind.CODE_GONE and action.verb is not Verb.SET and capabilities.readback is Readback.NONE:
        return _believed_gone(placement, action, now)
    step = after_trouble(placement, answer, now)
    if action.verb is not Verb.REMOVE:
        return step
    return replace(step, placement=replace(step.placement, state=placement.state), choose=None)


def _believed_gone(placement: Placement, action: Action, now: datetime) -> Settled:
    """A lock that cannot be looked at says that it has no such code: there is no better witness."""
    if action.verb is Verb.REMOVE:
        return _taken_off(placement, action, Receipt.ALREADY, now)
    gone = replace(_forgotten(placement), state=PlacementState.MADE)
    return Settled(gone, (Note(NoteKind.VANISHED, "the lock app has no such code"),))


def _written(
    placement: Placement, action: Action, answer: Written, capabilities: Capabilities, now: datetime
) -> Settled:
    pin, ref = answer.pin or placement.pin, answer.ref or placement.ref
    taken = {"intent": None, "asked": action.spec, "ref": ref, "pin": pin}
    chosen = (Note(NoteKind.PIN_CHOSEN, "the lock app chose the digits"),) if answer.pin else ()
    if answer.receipt is not Receipt.ACCEPTED and capabilities.confirms:
        done = _healthy(placement, **taken, state=PlacementState.SET, confirmed_at=now)
        return Settled(done, (*chosen, Note(NoteKind.CONFIRMED, "the lock app confirmed it")))
    waiting = _with(placement, **taken, state=PlacementState.ASKED, hold_until=now + look_again(0), looks=1)
    return Settled(
        waiting, (*chosen, Note(NoteKind.ACCEPTED, "the lock app took it; looking again before telling anyone"))
    )


def _taken_off(placement: Placement, action: Action, answer: Receipt, now: datetime) -> Settled:
    if action.ref is not None and action.ref == placement.replaces:
        kept = replace(placement, intent=None, asked_at=None)
        return Settled(
            _looking_again(kept, now) if answer is Receipt.ACCEPTED else replace(kept, replaces=None, hold_until=None)
        )
    if answer is Receipt.ACCEPTED:
        waiting = replace(placement, intent=None, hold_until=now + look_again(0), looks=1)
        return Settled(replace(waiting, state=PlacementState.REMOVING), (Note(NoteKind.REMOVING, "removal accepted"),))
    if placement.phase(now) is Phase.OVER or closed(placement, now):
        return _off(placement, action.why)
    back = replace(_forgotten(placement), state=PlacementState.MADE, confirmed_at=None, hold_until=None)
    return Settled(back, (Note(NoteKind.REMOVED, action.why),))


def after_trouble(placement: Placement, trouble: Trouble, now: datetime) -> Settled:
    """What an error makes of a placement; its remedy decides, never its words (R22)."""
    told = replace(placement, reason=str(trouble.kind), detail=trouble.detail)
    if trouble.remedy is Remedy.LOOK:
        return Settled(_looking_again(told, now), (Note(NoteKind.UNKNOWN, trouble.detail),))
    told = _refused(told)
    if trouble.remedy is Remedy.WAIT:
        held = replace(told, hold_until=now + wait_for(placement.waits, trouble.retry_after), waits=placement.waits + 1)
        return Settled(held, (Note(NoteKind.WAITING, trouble.detail),))
    if trouble.kind is Kind.LOCK_FULL:
        return Settled(_full(told, now), (Note(NoteKind.NO_ROOM, trouble.detail),))
    return Settled(_failed(told, now), (Note(NoteKind.REFUSED, trouble.detail),), _choose(told, trouble))


def _full(placement: Placement, now: datetime) -> Placement:
    """The lock app says that the lock is full: a guest who comes today asks again soon, others wait for the check."""
    placement = replace(placement, state=PlacementState.NO_ROOM, waits=placement.waits + 1)
    if placement.window.starts > now + HORIZON:
        return replace(placement, hold_until=next_healthcheck(now))
    return replace(placement, hold_until=min(now + wait_for(placement.waits - 1, None), next_healthcheck(now)))


def _refused(placement: Placement) -> Placement:
    """Nothing came of the call: a refused new code must not be recognised in the one that stood in its way."""
    if placement.intent is None:
        return placement
    asked = None if placement.intent is Verb.SET else placement.asked
    return replace(placement, intent=None, asked=asked, asked_at=None)


def _failed(placement: Placement, now: datetime) -> Placement:
    """A removal has no window to be in time for: its attempts follow their steps."""
    failures = placement.failures + 1
    going = placement.state is PlacementState.REMOVING or placement.phase(now) is Phase.OVER
    state = PlacementState.REMOVING if going else PlacementState.FAILED
    hold = next_attempt(failures, now, None if going else placement.window.starts)
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


def room_made(placement: Placement) -> Placement:
    """A slot of its lock was cleared: a placement that waits for one is tried again at once (R26)."""
    if placement.state is not PlacementState.NO_ROOM:
        return placement
    return replace(placement, state=PlacementState.MADE, hold_until=None)


def stopped(placement: Placement, why: str, now: datetime) -> Settled:
    """Its lock's plan was refused (law 7): nothing is done before the next 8:00 check, or a changed wish."""
    due = next_due(placement, now)
    if due is None or due > now:
        return Settled(placement)
    return Settled(replace(placement, hold_until=next_healthcheck(now)), (Note(NoteKind.WAITING, why),))


def next_due(placement: Placement, now: datetime) -> datetime | None:
    """When this placement needs its lock's attention next; None when never again.

    After a pass it lies in the future, unless the pass left something to be done at once.
    """
    if not placement.live:
        return None
    if placement.phase(now) is Phase.OVER:
        return _off_due(placement, now)
    wakes = [at for at in (_own_due(placement, now), placement.remove_at) if at is not None]
    return min(wakes, default=None)


def _off_due(placement: Placement, now: datetime) -> datetime | None:
    """A hold of the time before the end does not delay the end."""
    waits = placement.state in (PlacementState.REMOVING, PlacementState.ASKED)
    return placement.hold_until if waits and placement.held(now) else placement.remove_at


def _own_due(placement: Placement, now: datetime) -> datetime | None:
    """When it needs attention before its end, as far as it is known; None: at its end."""
    maybe_there = placement.ref is not None or placement.asked is not None or placement.intent is not None
    if placement.held(now):
        return _held_due(placement, now, maybe_there=maybe_there)
    if placement.intent is not None or placement.state is PlacementState.REMOVING:
        return now
    idle = placement.confirmed or closed(placement, now)
    goes = idle or placement.state is PlacementState.NO_ROOM or placement.phase(now) is Phase.EARLY
    if placement.replaces is not None and goes:
        return now
    if placement.state is PlacementState.NO_ROOM and not idle:
        soon = placement.window.starts <= now + HORIZON
        return min(now + ROOM_WITHIN, next_healthcheck(now)) if soon else next_healthcheck(now)
    return None if idle else now if maybe_there else placement.push_at


def _held_due(placement: Placement, now: datetime, *, maybe_there: bool) -> datetime | None:
    """A code that may be on the lock otherwise than wanted is looked at when its window closes, held or not."""
    ends = placement.window.ends
    wrong = maybe_there and not placement.confirmed and ends is not None and ends > now
    return min(placement.hold_until, ends) if wrong and ends and placement.hold_until else placement.hold_until
