from dataclasses import replace
from datetime import timedelta

import pytest

from lockbridge.domain.book import cancelled, ended
from lockbridge.domain.code import Pin, Window
from lockbridge.domain.ids import CodeRef
from lockbridge.domain.lock import Readback
from lockbridge.domain.observe import Observation
from lockbridge.domain.placement import Ended, PlacementState, Verb, spec_for
from lockbridge.domain.plan import Action
from lockbridge.domain.retry import STEPS, next_healthcheck
from lockbridge.domain.seen import CodeState, Kind, Receipt, Remedy, SeenCode, Trouble, Written
from lockbridge.domain.settle import (
    Choose,
    NoteKind,
    after_call,
    after_look,
    after_trouble,
    before_call,
    left_behind,
    next_due,
    out_of_room,
    room_made,
    stopped,
)
from tests.domain.model_lock import (
    ALGORITHMIC,
    ASYNC,
    BLIND,
    DAY,
    HOUR,
    MASKED,
    NOW,
    OK,
    REJECTED,
    SLOTS,
    SYNC,
    UNKNOWN,
    UNREACHABLE,
    Desk,
    ModelLock,
    placement,
)

EMPTY = Observation({}, {}, ())
SECOND = timedelta(seconds=1)
PIN_TAKEN = Trouble(Kind.PIN_TAKEN, Remedy.REPLAN, "the PIN is taken")
LOCK_FULL = Trouble(Kind.LOCK_FULL, Remedy.ASK, "full")


def action(verb, one, ref=None, capabilities=SYNC):
    spec = None if verb is Verb.REMOVE else spec_for(one, capabilities)
    return Action(verb, one.id, "because", ref and CodeRef(ref), spec)


def called(one, verb, answer, ref=None, capabilities=SYNC, now=NOW):
    """The placement after one call."""
    what = action(verb, one, ref, capabilities)
    return after_call(before_call(one, what, now), what, answer, capabilities, now)


def confirmed(capabilities=SYNC, now=NOW, **changes):
    one = placement(1, capabilities=capabilities)
    return replace(
        called(
            one, Verb.SET, Written(Receipt.DONE, CodeRef("a")), None, replace(capabilities, confirms=True), now
        ).placement,
        **changes,
    )


def accepted(capabilities=ASYNC, now=NOW):
    one = placement(1, capabilities=capabilities)
    return called(one, Verb.SET, Written(Receipt.ACCEPTED, CodeRef("a")), None, capabilities, now).placement


def looked(one, code=None, capabilities=SYNC, now=NOW, replaced=None):
    ours = {one.id: code} if code else {}
    return after_look(one, Observation(ours, {one.id: replaced} if replaced else {}, ()), capabilities, now)


def listed(one, capabilities=SYNC, **changes):
    spec = spec_for(one, capabilities)
    return replace(SeenCode(CodeRef("a"), spec.pin, spec.name or None, spec.window), **changes)


def kinds(step):
    return [note.kind for note in step.notes]


# ------------------------------------------------------------------------------------------------------------- calls


def test_law_5_the_intent_is_written_down_before_the_call():
    one = placement(1)
    before = before_call(one, action(Verb.SET, one), NOW)
    assert (before.intent, before.asked, before.asked_at) == (Verb.SET, spec_for(one, SYNC), NOW)


def test_law_5_an_update_does_not_forget_what_the_lock_is_known_to_hold():
    one = replace(confirmed(), pin=Pin("4444"))
    before = before_call(one, action(Verb.UPDATE, one, "a"), NOW)
    assert (before.intent, before.asked, before.ref) == (Verb.UPDATE, one.asked, "a")
    assert called(one, Verb.UPDATE, Written(Receipt.DONE), "a").placement.asked.pin == Pin("4444")


def test_r17_an_answer_that_confirms_sets_the_code():
    step = called(placement(1), Verb.SET, Written(Receipt.DONE, CodeRef("a")))
    assert step.placement.confirmed
    assert (step.placement.ref, step.placement.confirmed_at, step.placement.intent) == ("a", NOW, None)
    assert kinds(step) == [NoteKind.CONFIRMED]


@pytest.mark.parametrize(("capabilities", "receipt"), [(SYNC, Receipt.ACCEPTED), (ASYNC, Receipt.DONE)])
def test_an_accepted_code_is_looked_at_again_before_anybody_is_told(capabilities, receipt):
    step = called(placement(1), Verb.SET, Written(receipt, CodeRef("a")), None, capabilities)
    assert step.placement.state is PlacementState.ASKED
    assert step.placement.hold_until == NOW + timedelta(seconds=5)
    assert kinds(step) == [NoteKind.ACCEPTED]


def test_digits_chosen_by_the_lock_app_become_those_of_the_placement():
    one = placement(1, capabilities=ALGORITHMIC)
    step = called(one, Verb.SET, Written(Receipt.DONE, CodeRef("a"), Pin("1234567")), None, ALGORITHMIC)
    assert step.placement.pin == Pin("1234567")
    assert kinds(step) == [NoteKind.PIN_CHOSEN, NoteKind.CONFIRMED]


def test_r31_a_confirmed_clear_ends_a_placement_that_is_over():
    over = replace(confirmed(), state=PlacementState.REMOVING, remove_at=NOW)
    step = called(over, Verb.REMOVE, Receipt.DONE, "a")
    assert not step.placement.live
    assert (step.placement.ref, step.placement.asked) == (None, None)


def test_r31_an_accepted_removal_is_not_a_clear():
    over = replace(confirmed(), state=PlacementState.REMOVING, remove_at=NOW)
    step = called(over, Verb.REMOVE, Receipt.ACCEPTED, "a")
    assert step.placement.live
    assert step.placement.state is PlacementState.REMOVING
    assert step.placement.ref == "a"


def test_r26_a_displaced_code_is_made_anew_later():
    later = replace(confirmed(), window=Window(NOW + DAY, NOW + 2 * DAY), remove_at=NOW + 3 * DAY)
    step = called(later, Verb.REMOVE, Receipt.DONE, "a")
    assert (step.placement.state, step.placement.confirmed_at) == (PlacementState.MADE, None)


def test_r19_a_replacement_remembers_the_old_code_until_it_is_gone():
    one = confirmed(ASYNC)
    new = called(one, Verb.SET, Written(Receipt.DONE, CodeRef("b")), "a").placement
    assert (new.ref, new.replaces) == ("b", "a")
    accepted_removal = called(new, Verb.REMOVE, Receipt.ACCEPTED, "a").placement
    assert (accepted_removal.replaces, accepted_removal.state) == ("a", PlacementState.SET)
    assert called(new, Verb.REMOVE, Receipt.DONE, "a").placement.replaces is None
    assert looked(new, listed(new, ref=CodeRef("b"))).placement.replaces is None


def test_r19_a_placement_is_not_closed_while_its_old_code_is_on_the_lock():
    both = replace(confirmed(), replaces=CodeRef("old"), remove_at=NOW, state=PlacementState.REMOVING)
    left = called(both, Verb.REMOVE, Receipt.DONE, "a").placement
    assert (left.live, left.replaces) == (True, "old")
    assert looked(left, replaced=SeenCode(CodeRef("old"))).placement.live
    assert not looked(left).placement.live
    assert next_due(left, NOW) <= NOW


def test_r19_that_the_old_code_cannot_be_removed_does_not_make_the_new_one_fail():
    both = replace(confirmed(), replaces=CodeRef("old"))
    step = called(both, Verb.REMOVE, REJECTED, "old")
    assert step.placement.confirmed
    assert step.placement.replaces == "old"
    assert step.choose is None
    assert next_due(step.placement, NOW) > NOW


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("state", [PlacementState.MADE, PlacementState.SET, PlacementState.REMOVING])
def test_r22_to_wait_uses_up_none_of_the_attempts(state):
    step = after_trouble(placement(1, state=state), replace(UNREACHABLE, retry_after=timedelta(minutes=7)), NOW)
    assert step.placement.hold_until == NOW + timedelta(minutes=7)
    assert (step.placement.state, step.placement.failures, step.placement.waits) == (state, 0, 1)
    assert kinds(step) == [NoteKind.WAITING]


def test_r22_an_unknown_outcome_is_looked_at_before_anything_else():
    step = called(placement(1), Verb.SET, UNKNOWN)
    assert step.placement.intent is Verb.SET
    assert step.placement.hold_until == NOW + timedelta(seconds=5)
    assert step.placement.failures == 0


@pytest.mark.parametrize(
    ("kind", "choose"),
    [
        (Kind.PIN_TAKEN, Choose.PIN),
        (Kind.PIN_REFUSED, Choose.PIN),
        (Kind.NAME_TAKEN, Choose.NAME),
        (Kind.NAME_REFUSED, Choose.NAME),
        (Kind.WINDOW_REFUSED, None),
    ],
)
def test_r11_r14_and_r22_a_refusal_says_what_to_choose_differently(kind, choose):
    step = called(placement(1), Verb.SET, Trouble(kind, Remedy.REPLAN, "no"))
    assert step.choose is choose
    assert step.placement.state is PlacementState.FAILED
    assert (step.placement.failures, step.placement.reason) == (1, kind)


def test_r14_the_first_rejection_without_a_reason_is_put_down_to_the_name():
    first = called(placement(1), Verb.SET, REJECTED)
    assert first.choose is Choose.NAME
    assert called(first.placement, Verb.SET, REJECTED).choose is None


def test_law_6_a_refused_code_is_not_recognised_in_the_one_that_stood_in_its_way():
    refused = called(placement(1, capabilities=SLOTS), Verb.SET, PIN_TAKEN, None, SLOTS).placement
    assert refused.asked is None


def test_r33_a_refused_change_of_digits_that_cannot_be_read_is_not_taken_for_done():
    wished = replace(confirmed(MASKED), pin=Pin("4444"), state=PlacementState.ASKED)
    step = called(wished, Verb.UPDATE, UNREACHABLE, "a", MASKED)
    again = looked(step.placement, listed(confirmed(MASKED), pin=None), MASKED, NOW + HOUR)
    assert not again.placement.confirmed


def test_r21_five_attempts_in_the_first_day_then_one_at_each_check():
    one, now = placement(1, starts=60), NOW
    for step in STEPS:
        one = called(one, Verb.SET, REJECTED, None, SYNC, now).placement
        assert one.hold_until == now + step
        now = one.hold_until
    for _ in range(3):
        one = called(one, Verb.SET, REJECTED, None, SYNC, now).placement
        assert one.hold_until == next_healthcheck(now)
        now = one.hold_until


def test_r21_a_code_that_is_never_confirmed_is_asked_for_five_times_that_day():
    lock = ModelLock(ASYNC, delay=400 * DAY)
    desk = Desk(lock, [placement(1, starts=60)])
    desk.work(NOW, NOW + 20 * HOUR)
    assert [call.verb for call in lock.calls] == [Verb.SET] + [Verb.UPDATE] * 4
    assert desk[1].state is PlacementState.FAILED
    assert desk[1].failures == 5


def test_r21_a_code_that_is_accepted_and_dropped_counts_as_a_failed_attempt():
    lock = ModelLock(ASYNC)
    desk = Desk(lock, [placement(1, starts=60)])
    lock.on_call = lambda _: lock.codes.clear()
    desk.work(NOW, NOW + 20 * HOUR)
    assert len(lock.calls) == 5
    assert desk[1].failures == 5


def test_r31_a_failing_removal_is_retried_like_a_push_however_long_the_window_is_over():
    over = placement(1, starts=-100, lasts=4, state=PlacementState.REMOVING)
    holds, now = [], NOW
    for _ in range(4):
        over = called(over, Verb.REMOVE, REJECTED, "a", SYNC, now).placement
        holds.append(over.hold_until - now)
        now = over.hold_until
    assert tuple(holds) == STEPS
    assert over.state is PlacementState.REMOVING


def test_r31_a_removal_that_is_accepted_and_not_done_is_asked_for_again_after_a_while():
    lock = ModelLock(ASYNC)
    desk = Desk(lock, [placement(1, lasts=4)])
    end = desk.work(NOW, NOW + HOUR)
    lock.on_call = lambda _: [setattr(held, "gone_at", None) for held in lock.codes.values()]
    desk.work(end, NOW + 4 * HOUR + DAY)
    assert sum(call.verb is Verb.REMOVE for call in lock.calls) in (2, 3)
    assert desk[1].failures > 0


def test_r31_a_lock_that_cannot_be_looked_at_is_believed_that_a_code_is_gone():
    gone = Trouble(Kind.CODE_GONE, Remedy.LOOK, "no such code")
    over = replace(confirmed(BLIND), state=PlacementState.REMOVING, remove_at=NOW)
    assert not called(over, Verb.REMOVE, gone, "a", BLIND).placement.live
    assert called(over, Verb.REMOVE, gone, "a").placement.live
    again = called(confirmed(BLIND), Verb.UPDATE, gone, "a", BLIND)
    assert (again.placement.state, again.placement.ref) == (PlacementState.MADE, None)


def test_r26_a_lock_app_that_says_full_makes_the_placement_wait():
    today, later = placement(1), placement(1, starts=90)
    soon, check = called(today, Verb.SET, LOCK_FULL), called(later, Verb.SET, LOCK_FULL)
    assert soon.placement.state is check.placement.state is PlacementState.NO_ROOM
    assert soon.placement.hold_until == NOW + timedelta(seconds=30)
    assert check.placement.hold_until == next_healthcheck(NOW)


def test_r26_who_waits_for_room_is_noted_once_and_tried_when_a_slot_was_cleared():
    first = out_of_room(placement(1, starts=60))
    assert kinds(first) == [NoteKind.NO_ROOM]
    assert out_of_room(first.placement).notes == ()
    assert next_due(first.placement, NOW) == next_healthcheck(NOW)
    assert next_due(out_of_room(placement(1)).placement, NOW) == NOW + timedelta(minutes=15)
    assert next_due(room_made(first.placement), NOW) <= NOW
    assert room_made(placement(2)) == placement(2)


# ------------------------------------------------------------------------------------------------------------- looks


def test_law_5_a_code_whose_answer_was_lost_is_adopted_when_it_is_found():
    lost = called(placement(1), Verb.SET, UNKNOWN).placement
    step = looked(lost, listed(lost))
    assert step.placement.confirmed
    assert (step.placement.ref, step.placement.intent) == ("a", None)
    assert kinds(step) == [NoteKind.ADOPTED, NoteKind.CONFIRMED]


def test_law_5_an_unanswered_call_gets_a_moment_to_arrive_then_it_is_made_again():
    lost = called(placement(1), Verb.SET, UNKNOWN).placement
    waiting = looked(lost, now=NOW + 4 * SECOND).placement
    assert waiting.intent is Verb.SET
    again = looked(lost, now=NOW + 6 * SECOND).placement
    assert (again.state, again.intent, again.asked) == (PlacementState.MADE, None, None)


def test_law_5_where_answers_do_not_confirm_an_unanswered_call_gets_the_lock_apps_own_time():
    lost = called(placement(1), Verb.SET, UNKNOWN, None, ASYNC).placement
    assert looked(lost, None, ASYNC, NOW + timedelta(minutes=14)).placement.intent is Verb.SET
    assert looked(lost, None, ASYNC, NOW + timedelta(minutes=16)).placement.intent is None


def test_law_5_what_may_still_arrive_is_not_closed_though_it_is_over():
    lost = cancelled(called(placement(1), Verb.SET, UNKNOWN).placement, NOW)
    waiting = looked(lost, now=NOW + 6 * SECOND).placement
    assert waiting.live
    assert next_due(waiting, NOW + 6 * SECOND) > NOW + 6 * SECOND
    assert not looked(waiting, now=NOW + timedelta(minutes=16)).placement.live
    found = looked(waiting, listed(lost), now=NOW + timedelta(minutes=1)).placement
    assert (found.state, found.ref) == (PlacementState.REMOVING, "a")


def test_r33_a_code_that_vanished_is_noted_and_wanted_again_at_once():
    step = looked(confirmed(), now=NOW + HOUR)
    assert kinds(step) == [NoteKind.VANISHED]
    assert step.placement.state is PlacementState.MADE
    assert next_due(step.placement, NOW + HOUR) <= NOW + HOUR


def test_r33_a_lock_app_may_list_a_code_a_moment_after_it_confirmed_it():
    step = looked(confirmed(), now=NOW + 2 * SECOND)
    assert step.placement.confirmed
    assert step.notes == ()
    assert next_due(step.placement, NOW + 2 * SECOND) == NOW + 7 * SECOND


def test_r33_a_code_changed_by_hand_is_noted_once():
    one = confirmed()
    step = looked(one, listed(one, pin=Pin("9999")))
    assert [(note.kind, note.why) for note in step.notes] == [
        (NoteKind.CHANGED_BY_HAND, "its pin changed in the lock app")
    ]
    assert looked(step.placement, listed(one, pin=Pin("9999"))).notes == ()


def test_r19_a_wish_that_changed_is_not_put_down_to_somebodys_hand():
    one = confirmed()
    wished = replace(one, window=Window(NOW, NOW + 9 * DAY), state=PlacementState.ASKED)
    assert looked(wished, listed(one)).notes == ()


def test_r29_a_finished_code_that_the_lock_app_dropped_is_closed_and_not_put_back():
    one = confirmed()
    step = looked(one, now=one.window.ends + SECOND)
    assert not step.placement.live
    assert kinds(step) == [NoteKind.REMOVED]


def test_r30_a_cancelled_code_that_never_came_to_the_lock_is_closed_at_the_next_look():
    assert not looked(cancelled(placement(1, starts=60), NOW)).placement.live


def test_r31_a_hold_of_the_push_does_not_delay_the_removal():
    failed = replace(confirmed(), state=PlacementState.FAILED, failures=5, hold_until=NOW + 9 * DAY)
    assert next_due(failed, failed.remove_at) == failed.remove_at
    step = looked(failed, listed(failed), now=failed.remove_at)
    assert (step.placement.state, step.placement.hold_until) == (PlacementState.REMOVING, None)


def test_r31_a_code_that_is_being_removed_is_looked_at_again_at_growing_distances():
    one = replace(confirmed(), remove_at=NOW)
    now, holds = NOW, []
    for _ in range(9):
        one = looked(one, listed(one, state=CodeState.REMOVING), now=now).placement
        holds.append(one.hold_until - now)
        now = one.hold_until
    assert holds == sorted(holds)
    assert holds[-1] == timedelta(minutes=15)


def test_what_cannot_be_taken_back_is_left_until_its_own_window_ends():
    one = ended(confirmed(ALGORITHMIC), Ended.REVOKED, NOW)
    kept = looked(one, listed(one, ALGORITHMIC), ALGORITHMIC)
    assert next_due(kept.placement, NOW) == one.asked.window.ends
    standing = looked(one, listed(one, ALGORITHMIC, window=Window(NOW, None)), ALGORITHMIC)
    assert next_due(standing.placement, NOW) == next_healthcheck(NOW)


def test_r21_trouble_that_a_lock_app_lists_with_a_code_counts_once_for_each_attempt():
    one = accepted()
    bad = listed(one, trouble=PIN_TAKEN)
    step = looked(one, bad, ASYNC, NOW + 6 * SECOND)
    assert (step.choose, step.placement.failures) == (Choose.PIN, 1)
    assert looked(step.placement, bad, ASYNC, NOW + 7 * SECOND) == looked(step.placement, bad, ASYNC, NOW + HOUR)
    assert looked(step.placement, bad, ASYNC, NOW + HOUR).placement.failures == 1


def test_r11_trouble_with_the_old_digits_is_not_held_against_the_new_ones():
    one = replace(accepted(), pin=Pin("4444"), hold_until=None)
    step = looked(one, listed(accepted(), trouble=PIN_TAKEN), ASYNC, NOW + 6 * SECOND)
    assert (step.choose, step.placement.failures, step.placement.state) == (None, 0, PlacementState.ASKED)


def test_a_change_that_was_accepted_is_waited_for_and_not_asked_for_at_every_look():
    lock = ModelLock(ASYNC, delay=timedelta(minutes=4))
    desk = Desk(lock, [placement(1)])
    now = desk.work(NOW, NOW + HOUR)
    desk.wish(1, now, pin=Pin("4444"))
    desk.work(now, now + HOUR)
    assert [call.verb for call in lock.calls] == [Verb.SET, Verb.UPDATE]
    assert desk[1].confirmed


def test_a_confirmed_code_that_is_being_set_again_gets_the_usual_time():
    one = confirmed()
    step = looked(one, listed(one, state=CodeState.SETTING), now=NOW + HOUR)
    assert (step.placement.state, step.placement.failures) == (PlacementState.ASKED, 0)


def test_r33_a_wanted_code_on_its_way_off_is_put_back_when_it_is_gone():
    one = confirmed()
    going = looked(one, listed(one, state=CodeState.REMOVING), now=NOW + HOUR)
    assert kinds(going) == [NoteKind.VANISHED]
    assert next_due(going.placement, NOW + HOUR) > NOW + HOUR
    assert looked(going.placement, now=NOW + 2 * HOUR).placement.state is PlacementState.MADE


def test_r19_an_early_code_on_a_lock_without_a_clock_is_not_confirmed_but_taken_off():
    one = replace(accepted(SLOTS), window=Window(NOW + DAY, NOW + 2 * DAY), push_at=NOW + DAY, remove_at=NOW + 2 * DAY)
    step = looked(one, listed(one, SLOTS), SLOTS)
    assert step.placement.state is PlacementState.REMOVING
    assert step.notes == ()


def test_a_placement_that_is_gone_is_never_touched_again():
    gone = replace(placement(1), state=PlacementState.REMOVED)
    assert looked(gone).placement == gone
    assert next_due(gone, NOW) is None


# ---------------------------------------------------------------------------------------------------- wanted again


@pytest.mark.parametrize("capabilities", [SYNC, ASYNC, SLOTS], ids=["sync", "async", "slots"])
@pytest.mark.parametrize("seconds", [0, 3, 600])
def test_r30_a_stay_that_is_cancelled_and_confirmed_again_has_its_code(capabilities, seconds):
    lock = ModelLock(capabilities)
    desk = Desk(lock, [placement(1, capabilities=capabilities)])
    now = desk.work(NOW, NOW + HOUR)
    desk.add(cancelled(desk[1], now))
    desk.work(now, now + seconds * SECOND)
    if desk[1].live:
        desk.wish(1, now + seconds * SECOND)
        now = desk.work(now + seconds * SECOND, now + DAY)
        desk.assert_at_rest(now)
        assert len(lock.ours) == 1
    else:
        assert not lock.ours


def test_r19_a_stay_moved_to_later_leaves_a_lock_without_a_clock_and_comes_back():
    lock = ModelLock(SLOTS)
    desk = Desk(lock, [placement(1, starts=0, capabilities=SLOTS)])
    now = desk.work(NOW, NOW + HOUR)
    later = Window(NOW + 5 * DAY, NOW + 8 * DAY)
    desk.wish(1, now, window=later)
    now = desk.work(now, now + HOUR)
    assert not lock.ours
    assert desk.due(now) == later.starts - timedelta(minutes=10)
    desk.work(now, later.starts)
    assert lock.opens(desk[1].pin, later.starts)


def test_law_7_a_refused_plan_is_not_tried_in_circles():
    desk = Desk(ModelLock(SYNC), [placement(1)])
    desk.work(NOW)
    desk.add(replace(desk[1], remove_at=NOW))
    desk.one_pass(NOW + HOUR)
    assert desk.plans[-1].refused
    assert desk.due(NOW + HOUR) == next_healthcheck(NOW + HOUR)
    assert len(desk.lock.ours) == 1
    assert stopped(placement(2, starts=300), "why", NOW).notes == ()


@pytest.mark.parametrize("how", [OK, UNREACHABLE, REJECTED, UNKNOWN, PIN_TAKEN, LOCK_FULL])
@pytest.mark.parametrize("starts", [-1, 40, -60])
@pytest.mark.parametrize("capabilities", [SYNC, ASYNC, SLOTS, ALGORITHMIC], ids=["sync", "async", "slots", "alg"])
def test_r22_no_error_makes_a_lock_run_in_circles(capabilities, starts, how):
    lock = ModelLock(capabilities, script=[how] * 9)
    desk = Desk(lock, [placement(1, starts=starts, capabilities=capabilities)])
    desk.work(NOW, NOW + 12 * HOUR)
    assert len(lock.calls) <= 12


def test_r36_digits_that_a_lock_app_chooses_later_are_learned_from_the_look_and_only_there():
    late = replace(ALGORITHMIC, readback=Readback.FULL)
    one = replace(placement(), pin=None, state=PlacementState.ASKED, asked=None, ref=CodeRef("c1"))
    seen = SeenCode(CodeRef("c1"), Pin("8642"), one.name, one.window)
    settled = after_look(one, Observation({one.id: seen}, {}, ()), late, NOW)
    assert settled.placement.pin == Pin("8642")
    assert NoteKind.PIN_CHOSEN in {note.kind for note in settled.notes}
    mine = replace(one, pin=Pin("1111"))
    assert after_look(mine, Observation({mine.id: seen}, {}, ()), SYNC, NOW).placement.pin == Pin("1111")


def test_r30_what_cannot_be_taken_back_is_said_to_open_as_long_as_it_does():
    one = ended(confirmed(ALGORITHMIC), Ended.REVOKED, NOW)
    (note,) = looked(one, listed(one, ALGORITHMIC), ALGORITHMIC).notes
    assert f"until {one.window.ends:%a %d %b %Y %H:%M} UTC" in note.why
    (note,) = looked(one, listed(one, ALGORITHMIC, window=Window(NOW, None)), ALGORITHMIC).notes
    assert "until somebody deletes them at the lock" in note.why
    assert looked(one, listed(one, ALGORITHMIC, window=Window(NOW - DAY, NOW - HOUR)), ALGORITHMIC).notes == ()


@pytest.mark.parametrize(
    ("starts", "ends", "said"),
    [(0, 0, False), (0, 1, False), (-1, 0, False), (0, -1, True), (2, 2, True)],
)
def test_r19_old_digits_that_open_when_they_should_not_any_more_are_told_of(starts, ends, said):
    one = confirmed(ALGORITHMIC)
    moved = replace(one, window=Window(one.window.starts + starts * DAY, one.window.ends + ends * DAY))
    replacing = action(Verb.SET, moved, "a", ALGORITHMIC)
    assert bool(left_behind(one, replacing, ALGORITHMIC, NOW)) is said
    assert left_behind(one, replacing, SYNC, NOW) == ()
    assert left_behind(one, replacing, ALGORITHMIC, one.window.ends + DAY) == ()
