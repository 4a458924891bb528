"""The planner alone, and – with the state machine – on a model lock that is worked as the push workflow works it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockbridge.domain.book import cancelled, ended
from lockbridge.domain.code import CodeKind, Pin, Window
from lockbridge.domain.ids import CodeRef, PlacementId
from lockbridge.domain.lock import Readback
from lockbridge.domain.observe import Observation, observe
from lockbridge.domain.placement import Ended, PlacementState, Verb, spec_for
from lockbridge.domain.plan import Action, Plan, plan_lock, preview
from lockbridge.domain.seen import CodeState, SeenCode
from tests.domain.model_lock import (
    ALGORITHMIC,
    ALL,
    ASYNC,
    BLIND,
    CRASH_DONE,
    CRASH_UNDONE,
    DAY,
    FIXED,
    FIXED_SLOTS,
    HOUR,
    LOST_DONE,
    LOST_UNDONE,
    MASKED,
    NOW,
    OK,
    READABLE,
    REJECTED,
    SLOTS,
    SYNC,
    UNREACHABLE,
    WINDOW_ONLY,
    Desk,
    ModelLock,
    backup,
    placement,
)

EMPTY = Observation({}, {}, ())


def listed(one, capabilities=SYNC, ref=None, **changes):
    """The placement's code as the lock app lists it."""
    spec = spec_for(one, capabilities)
    shown = SeenCode(CodeRef(ref or f"r{one.id}"), pin=spec.pin, name=spec.name or None, window=spec.window)
    return replace(shown, **changes)


def on_lock(one, capabilities=SYNC, state=PlacementState.SET, **changes):
    """The placement after its code was confirmed."""
    spec = spec_for(one, capabilities)
    known = {"ref": CodeRef(f"r{one.id}"), "asked": spec, "confirmed_at": NOW - DAY}
    return replace(one, state=state, **known | changes)


def plan(capabilities, placements, seen, now=NOW, **options):
    return plan_lock(capabilities, placements, observe(placements, seen), now, **options)


def verbs(found: Plan):
    return [(action.verb, action.placement) for action in found.actions]


def stranger(number, state=CodeState.SET):
    return SeenCode(CodeRef(f"x{number}"), pin=Pin(f"{1000 + number}"), name=f"Somebody {number}", state=state)


# ------------------------------------------------------------------------------------------------- single decisions


def test_law_4_a_lock_that_could_not_be_looked_at_is_left_alone():
    due, over = placement(1), on_lock(placement(2, starts=-200))
    assert plan_lock(SYNC, [due, over], None, NOW) == Plan()
    assert preview(SYNC, [due, over], None, NOW) == Plan()


def test_r17_a_code_is_pushed_when_its_push_time_has_come_and_not_before():
    one = placement(1, starts=100)
    assert not plan_lock(SYNC, [one], EMPTY, one.push_at - timedelta(seconds=1)).actions
    (action,) = plan_lock(SYNC, [one], EMPTY, one.push_at).actions
    assert action == Action(Verb.SET, one.id, "its push time has come", None, spec_for(one, SYNC))


def test_r17_a_lock_without_a_clock_gets_the_code_ten_minutes_before():
    one = placement(1, starts=1, capabilities=SLOTS)
    assert not plan_lock(SLOTS, [one], EMPTY, NOW + timedelta(minutes=49)).actions
    assert verbs(plan_lock(SLOTS, [one], EMPTY, NOW + timedelta(minutes=50))) == [(Verb.SET, 1)]


def test_r42_a_staff_code_is_pushed_and_removed_like_any_other():
    one = placement(1, kind=CodeKind.STAFF)
    assert verbs(plan(SYNC, [one], [])) == [(Verb.SET, 1)]
    gone = ended(on_lock(one), Ended.REVOKED, NOW)
    (action,) = plan(SYNC, [gone], [listed(one)]).actions
    assert (action.verb, action.why) == (Verb.REMOVE, "it was revoked")


def test_r42_a_standing_staff_code_is_never_over():
    one = on_lock(placement(1, kind=CodeKind.STAFF, window=Window(NOW - DAY, None)))
    assert not plan(SYNC, [one], [listed(one)], NOW + 4000 * DAY).actions


@pytest.mark.parametrize("readable", [True, False])
def test_r28_and_law_6_codes_of_strangers_appear_in_no_action(readable):
    strangers = [stranger(number) if readable else replace(stranger(number), pin=None) for number in range(5)]
    found = plan(SYNC, [placement(1), on_lock(placement(2, starts=-200))], strangers)
    assert {action.ref for action in found.actions} <= {None}


def test_r29_a_finished_code_stays_24_hours_where_the_lock_keeps_the_window():
    one = on_lock(placement(1, starts=-50, lasts=48))
    seen = [listed(one)]
    assert not plan(SYNC, [one], seen, one.window.ends + DAY - timedelta(seconds=1)).actions
    assert verbs(plan(SYNC, [one], seen, one.window.ends + DAY)) == [(Verb.REMOVE, 1)]


def test_r29_where_the_lock_has_no_clock_it_goes_when_the_window_closes():
    one = on_lock(placement(1, starts=-50, lasts=48, capabilities=SLOTS), SLOTS)
    assert verbs(plan(SLOTS, [one], [listed(one, SLOTS)], one.window.ends)) == [(Verb.REMOVE, 1)]


def test_r29_a_finished_code_that_the_lock_app_dropped_is_not_put_back():
    one = placement(1, starts=-50, lasts=48)
    assert one.window.over(NOW)
    assert not plan(SYNC, [one], []).actions


def test_r29_a_lock_that_holds_a_longer_window_than_the_finished_one_is_cleared_at_once():
    long = on_lock(placement(1, starts=-50, lasts=90))
    short = replace(long, window=Window(long.window.starts, NOW - HOUR), remove_at=NOW + 23 * HOUR)
    assert verbs(plan(SYNC, [short], [listed(long)])) == [(Verb.REMOVE, 1)]


def test_r30_a_cancelled_code_is_left_for_its_24_hours_and_not_pushed_or_corrected():
    far = placement(1, starts=60)
    gone = cancelled(far, NOW)
    assert gone.push_at < NOW < gone.remove_at
    assert not plan(SYNC, [gone], []).actions
    assert not plan(SYNC, [on_lock(gone)], [listed(far, name="Other")]).actions
    assert verbs(plan(SYNC, [on_lock(gone)], [listed(far)], NOW + DAY)) == [(Verb.REMOVE, 1)]


def test_r30_a_cancelled_code_whose_old_window_is_still_on_the_lock_goes_at_once():
    old = on_lock(placement(1, starts=-1))
    moved = replace(old, window=Window(NOW + 9 * DAY, NOW + 12 * DAY), state=PlacementState.ASKED)
    assert verbs(plan(SYNC, [cancelled(moved, NOW)], [listed(old)])) == [(Verb.REMOVE, 1)]


def test_r30_a_cancelled_code_that_works_now_goes_at_once():
    one = cancelled(on_lock(placement(1)), NOW)
    (action,) = plan(SYNC, [one], [listed(one)]).actions
    assert (action.verb, action.why) == (Verb.REMOVE, "the stay was cancelled")


def test_r31_a_code_that_is_being_removed_is_not_removed_twice_and_keeps_its_slot():
    over, due = on_lock(placement(1, starts=-200)), placement(2)
    small = replace(SYNC, max_codes=1)
    found = plan(small, [over, due], [listed(over, state=CodeState.REMOVING)])
    assert not found.actions
    assert found.no_room == {2}


def test_r4_an_unmatched_lock_loses_the_code_even_of_a_guest_in_the_house():
    one = ended(on_lock(placement(1)), Ended.UNMATCHED, NOW)
    assert verbs(plan(SYNC, [one], [listed(one)])) == [(Verb.REMOVE, 1)]


def test_r32_and_r33_what_is_missing_is_put_back():
    one = replace(placement(1), confirmed_at=NOW - DAY)
    (action,) = plan(SYNC, [one], []).actions
    assert (action.verb, action.why) == (Verb.SET, "it was on the lock and is missing: put back")


@pytest.mark.parametrize(
    "changes", [{"pin": Pin("8888")}, {"name": "Changed"}, {"window": Window(NOW - DAY, NOW + 30 * DAY)}]
)
def test_r32_and_r33_what_differs_is_corrected_in_place(changes):
    one = on_lock(placement(1), state=PlacementState.ASKED)
    (action,) = plan(SYNC, [one], [listed(one, **changes)]).actions
    assert action == Action(Verb.UPDATE, one.id, f"{next(iter(changes))} changed", CodeRef("r1"), spec_for(one, SYNC))


def test_r33_a_name_is_not_worth_taking_a_code_off_a_door():
    one = on_lock(placement(1))
    assert not plan(FIXED, [one], [listed(one, name="Changed")]).actions


def test_r19_a_lock_that_cannot_update_but_hold_both_gets_the_new_code_first():
    one = on_lock(placement(1), FIXED, state=PlacementState.ASKED, pin=Pin("4444"))
    (action,) = plan(FIXED, [replace(one, ref=CodeRef("r1"))], [listed(placement(1))]).actions
    assert (action.verb, action.ref) == (Verb.SET, "r1")


def test_r19_a_lock_that_cannot_hold_both_loses_the_old_one_first_and_the_new_one_follows():
    one = on_lock(placement(1), FIXED, state=PlacementState.ASKED)
    assert verbs(plan(FIXED, [one], [listed(one, window=Window(NOW - DAY, NOW + DAY))])) == [(Verb.REMOVE, 1)]


def test_r19_without_a_slot_for_both_the_old_code_makes_room_for_the_new_one():
    one = on_lock(placement(1), FIXED, state=PlacementState.ASKED, pin=Pin("4444"))
    full = replace(FIXED, max_codes=1)
    assert verbs(plan(full, [one], [listed(placement(1))])) == [(Verb.REMOVE, 1)]


def test_r19_of_a_pair_the_old_code_goes_only_when_the_new_one_is_confirmed():
    new = on_lock(placement(1), state=PlacementState.ASKED, replaces=CodeRef("old"))
    seen = [listed(new, state=CodeState.SETTING), listed(new, ref="old", pin=Pin("9999"))]
    assert not plan(FIXED, [new], seen).actions
    done = replace(new, state=PlacementState.SET)
    (action,) = plan(FIXED, [done], [listed(new), seen[1]]).actions
    assert (action.verb, action.ref) == (Verb.REMOVE, "old")


def test_r19_a_third_wish_never_forgets_the_first_code():
    third = on_lock(placement(1), FIXED, state=PlacementState.ASKED, replaces=CodeRef("first"), pin=Pin("3333"))
    first, second = listed(placement(1), ref="first", pin=Pin("1111")), listed(placement(1), pin=Pin("2222"))
    (works,) = plan(FIXED, [third], [first, second]).actions
    (not_yet,) = plan(FIXED, [third], [first, replace(second, state=CodeState.SETTING)]).actions
    assert (works.verb, works.ref) == (Verb.REMOVE, "first")
    assert (not_yet.verb, not_yet.ref) == (Verb.REMOVE, "r1")


def test_r19_a_replaced_code_whose_successor_comes_later_goes_now():
    later = placement(1, starts=300, replaces=CodeRef("old"))
    (action,) = plan(FIXED, [later], [listed(later, ref="old", pin=Pin("9999"))]).actions
    assert (action.verb, action.ref) == (Verb.REMOVE, "old")


def test_r19_an_early_code_on_a_lock_without_a_clock_is_taken_off_until_its_time():
    one = on_lock(placement(1, starts=30, capabilities=SLOTS), SLOTS, state=PlacementState.ASKED)
    (action,) = plan(SLOTS, [one], [listed(one, SLOTS)]).actions
    assert (action.verb, action.why) == (Verb.REMOVE, "its time has not come and the lock has no clock")


def test_r21_a_code_that_was_not_confirmed_is_asked_for_again_in_place_or_anew():
    one = on_lock(placement(1), state=PlacementState.FAILED)
    seen = [listed(one, state=CodeState.SETTING)]
    assert verbs(plan(SYNC, [one], seen)) == [(Verb.UPDATE, 1)]
    assert verbs(plan(FIXED, [one], seen)) == [(Verb.REMOVE, 1)]


def test_r21_a_placement_held_back_is_left_for_then():
    held = replace(placement(1), hold_until=NOW + HOUR)
    over = replace(on_lock(placement(2, starts=-200)), hold_until=NOW + HOUR)
    assert not plan(SYNC, [held, over], [listed(over)]).actions
    assert len(plan(SYNC, [held, over], [listed(over)], NOW + HOUR).actions) == 2


def test_r26_a_lock_holds_a_hundred_codes_unless_its_driver_says_otherwise():
    seen = [stranger(number) for number in range(99)]
    found = plan(SYNC, [placement(1), placement(2, starts=10)], seen)
    assert verbs(found) == [(Verb.SET, 1)]
    assert found.no_room == {2}


def test_r26_the_soonest_stays_win_when_the_lock_is_full():
    later, sooner, house = placement(1, starts=50), placement(2, starts=5), placement(3, starts=-5)
    found = plan(replace(SYNC, max_codes=2), [later, sooner, house], [])
    assert verbs(found) == [(Verb.SET, 3), (Verb.SET, 2)]
    assert found.no_room == {1}


def test_r26_a_later_stay_gives_way_to_a_sooner_one_and_is_put_back_when_there_is_room():
    small = replace(SYNC, max_codes=1)
    desk = Desk(ModelLock(small), [placement(1, starts=50)])
    desk.work(NOW)
    desk.add(placement(2, starts=5, lasts=3))
    desk.work(NOW + HOUR)
    assert (desk[1].state, desk[2].state) == (PlacementState.NO_ROOM, PlacementState.SET)
    desk.work(NOW + HOUR, NOW + 49 * HOUR)
    assert (desk[1].state, desk[2].state) == (PlacementState.SET, PlacementState.REMOVED)
    assert len(desk.lock.calls) == 5


def test_r26_a_guest_in_the_house_is_never_displaced():
    house = on_lock(placement(1))
    found = plan(replace(SYNC, max_codes=1), [house, placement(2, starts=-3)], [listed(house)])
    assert found == Plan(no_room=frozenset({PlacementId(2)}))


def test_r26_nobody_is_displaced_while_slots_are_being_freed():
    later, over = on_lock(placement(1, starts=50)), on_lock(placement(2, starts=-200))
    found = plan(replace(SYNC, max_codes=2), [later, over, placement(3)], [listed(later), listed(over)])
    assert verbs(found) == [(Verb.REMOVE, 2)]
    assert found.no_room == {3}


def test_r26_a_cancelled_code_in_its_24_hours_gives_way_before_a_stay_does():
    gone, later = on_lock(cancelled(placement(1, starts=60), NOW)), on_lock(placement(2, starts=70))
    seen = [listed(gone), listed(later)]
    found = plan(replace(SYNC, max_codes=2), [gone, later, placement(3, starts=71)], seen)
    assert verbs(found) == [(Verb.REMOVE, 1)]


def test_r25_and_r26_a_spare_backup_displaces_no_stay():
    later = on_lock(placement(1, starts=70))
    small = replace(SYNC, max_codes=1)
    assert not plan(small, [later, backup()], [listed(later)]).actions
    assert verbs(plan(small, [placement(1, starts=70), backup()], [])) == [(Verb.SET, 1)]


def test_r25_a_given_backup_is_not_taken_off_a_lock_to_be_given_an_end():
    given = on_lock(backup(), FIXED, state=PlacementState.ASKED)
    given = replace(given, window=Window(given.window.starts, NOW + DAY), remove_at=NOW + DAY)
    seen = [listed(backup())]
    assert not plan(FIXED, [given], seen).actions
    assert verbs(plan(SYNC, [given], seen)) == [(Verb.UPDATE, 90)]
    assert verbs(plan(FIXED, [given], seen, NOW + DAY)) == [(Verb.REMOVE, 90)]


def test_law_7_a_plan_that_would_take_the_code_of_a_guest_in_the_house_is_refused():
    house = replace(on_lock(placement(1)), remove_at=NOW - HOUR)
    found = plan(SYNC, [house, placement(2)], [listed(house)])
    assert found == Plan(refused="it would take the code of a guest in the house")


def test_law_7_a_plan_that_would_remove_many_codes_at_once_is_refused():
    gone = [ended(on_lock(placement(number, starts=50)), Ended.UNMATCHED, NOW) for number in range(1, 23)]
    seen = [listed(one) for one in gone]
    assert plan(SYNC, gone, seen).refused == "it would remove 22 codes at once; the limit is 20"
    assert not plan(SYNC, gone, seen).actions
    assert len(plan(SYNC, gone, seen, max_removals=22).actions) == 22


def test_law_7_finished_stays_are_no_reason_to_refuse_after_a_long_outage():
    gone = [on_lock(placement(number, starts=-300)) for number in range(1, 40)]
    assert len(plan(SYNC, gone, [listed(one) for one in gone]).actions) == 39


def test_r47_a_preview_shows_what_would_be_done_in_the_end_even_if_it_would_be_refused():
    held = replace(placement(90), hold_until=NOW + DAY)
    assert verbs(preview(SYNC, [held], EMPTY, NOW)) == [(Verb.SET, 90)]
    gone = [ended(on_lock(placement(number, starts=50)), Ended.UNMATCHED, NOW) for number in range(1, 23)]
    shown = preview(SYNC, gone, observe(gone, [listed(one) for one in gone]), NOW)
    assert shown.refused
    assert len(shown.actions) == 22


def test_an_algorithmic_lock_is_never_asked_to_take_a_code_back():
    one = on_lock(placement(1, starts=-200, capabilities=ALGORITHMIC), ALGORITHMIC)
    assert not plan(ALGORITHMIC, [one], [listed(one, ALGORITHMIC)]).actions


# ------------------------------------------------------------------------------------------------------ properties


@st.composite
def locks(draw, kinds=ALL, rooms=(1, 2, 3, 90)):
    capabilities = kinds[draw(st.sampled_from(sorted(kinds)))]
    strangers = draw(st.integers(0, 2))
    if capabilities.can_remove:
        capabilities = replace(capabilities, max_codes=strangers + draw(st.sampled_from(rooms)))
    readable = capabilities.readback is not Readback.NONE
    return ModelLock(
        capabilities,
        strangers=strangers,
        gives_refs=not readable or draw(st.booleans()),
        lists_pending=draw(st.booleans()),
        reuses_refs=draw(st.booleans()),
        forgets_expired=readable and capabilities.keeps_windows and draw(st.booleans()),
    )


@st.composite
def desks(draw, kinds=ALL, rooms=(1, 2, 3, 90), starts=(-80, 320), lasts=(3, 24, 72)):
    lock = draw(locks(kinds, rooms))
    starting = draw(st.lists(st.integers(*starts), min_size=1, max_size=5))
    lasts = st.sampled_from(lasts)
    return Desk(
        lock,
        [
            placement(number, starts=start + number / 7, lasts=draw(lasts), capabilities=lock.capabilities)
            for number, start in enumerate(starting, 1)
        ],
    )


ENDINGS = [OK, LOST_DONE, LOST_UNDONE, CRASH_DONE, CRASH_UNDONE, UNREACHABLE, REJECTED]
scripts = st.lists(st.sampled_from(ENDINGS), max_size=6)
waits = st.sampled_from([timedelta(0), timedelta(seconds=10), timedelta(minutes=1), 2 * HOUR, DAY])


def full(desk):
    return any(one.state is PlacementState.NO_ROOM for one in desk.placements.values())


def last_end(desk):
    return max(one.window.ends for one in desk.placements.values()) + 60 * DAY


@given(desks())
def test_law_5_a_plan_comes_to_rest_with_what_is_wanted_and_the_strangers(desk):
    now = desk.rest(NOW, hours=1)
    if full(desk):
        assert len(desk.lock.codes) >= desk.capabilities.max_codes
        waiting = [one for one in desk.placements.values() if one.state is PlacementState.NO_ROOM]
        holding = [one for one in desk.placements.values() if one.confirmed and not one.window.over(now)]
        first = min(waiting, key=lambda one: (not one.window.holds(now), one.window.starts))
        assert all(
            one.window.holds(now) or (not first.window.holds(now) and one.window.starts <= first.window.starts)
            for one in holding
        )
    else:
        desk.assert_at_rest(now)
    assert len(desk.lock.calls) <= 3 * len(desk.placements) or desk.capabilities.readback is Readback.NONE


@given(desks(READABLE, rooms=[90]), scripts, waits)
def test_law_5_whatever_answers_are_lost_the_code_ends_on_the_lock_exactly_once(desk, script, wait):
    desk.lock.script = script
    now = desk.work(NOW, NOW + wait)
    desk.lock.script = []
    desk.assert_at_rest(desk.rest(now))


@given(desks(READABLE), scripts)
def test_r28_r29_and_r31_after_the_stay_nothing_of_ours_is_left(desk, script):
    desk.lock.script = script
    now = desk.work(NOW, last_end(desk))
    desk.one_pass(now)
    assert not any(one.live for one in desk.placements.values())
    assert not desk.lock.ours or not desk.capabilities.can_remove
    assert len(desk.lock.codes) - len(desk.lock.ours) == desk.lock.strangers


@st.composite
def changes_of_mind(draw):
    return draw(
        st.lists(
            st.tuples(
                st.sampled_from(["pin", "window", "extend", "cancel", "again", "by hand", "wait"]),
                st.integers(0, 9),
                st.integers(-20, 200),
                waits,
                scripts,
            ),
            max_size=5,
        )
    )


def change(desk, what, which, hours, now):
    """Booking, or somebody with the lock app, changes something about one placement."""
    one = list(desk.placements.values())[which % len(desk.placements)]
    if not one.live or one.window.over(now) or (one.ended and what in ("pin", "extend")):
        return
    if what == "pin" and not desk.capabilities.chooses_pin:
        desk.wish(one.id, now, pin=Pin(str(next(desk.fresh_pins))))
    if what == "window":
        desk.wish(one.id, now, window=Window(now + hours * HOUR, now + (hours + 48) * HOUR))
    if what == "extend":
        desk.wish(one.id, now, window=Window(one.window.starts, one.window.ends + abs(hours) * HOUR + HOUR))
    if what == "cancel":
        desk.add(cancelled(one, now))
    if what == "again" and one.ended:
        desk.wish(one.id, now)
    if what == "by hand" and one.ref in desk.lock.codes and desk.capabilities.readback is not Readback.NONE:
        del desk.lock.codes[one.ref]


@settings(max_examples=300)
@given(desks(), changes_of_mind())
def test_r19_and_r30_whatever_changes_on_the_way_the_lock_ends_as_wanted_and_nothing_leaks(desk, changes):
    now = NOW
    for what, which, hours, wait, script in changes:
        readable = desk.capabilities.readback is not Readback.NONE
        desk.lock.script = script if readable else [how for how in script if how not in (LOST_DONE, CRASH_DONE)]
        change(desk, what, which, hours, now)
        desk.work(now, now + wait)
        now += wait + timedelta(seconds=1)
    desk.lock.script = []
    now = desk.rest(now)
    if not full(desk):
        desk.assert_at_rest(now)
    now = desk.work(now, last_end(desk))
    desk.one_pass(now)
    assert not desk.lock.ours or not desk.capabilities.can_remove
    assert not any(one.live for one in desk.placements.values())


CHANGE_WINDOWS = {key: value for key, value in ALL.items() if "window" in value.updates or not value.keeps_windows}


in_house = desks(CHANGE_WINDOWS, rooms=[90], starts=(-40, -1), lasts=[72])


@given(in_house, st.integers(1, 90), scripts, waits)
def test_r19_an_extension_never_interrupts_access(desk, hours, script, wait):
    now = desk.work(NOW, NOW + HOUR)
    guest = desk[1]

    def still_opens(at):
        assert desk.lock.opens(guest.pin, at) or not desk.capabilities.confirms

    desk.lock.on_call, desk.lock.script = still_opens, script
    desk.wish(guest.id, now, window=Window(guest.window.starts, guest.window.ends + hours * HOUR))
    desk.work(now, now + wait)
    removed = [action for action in desk.lock.calls if action.verb is Verb.REMOVE and action.placement == guest.id]
    assert not removed


@pytest.mark.parametrize("capabilities", [FIXED, FIXED_SLOTS], ids=["keeps windows", "slots"])
def test_r19_other_digits_never_lock_a_guest_out_where_the_lock_can_hold_both(capabilities):
    lock = ModelLock(capabilities)
    desk = Desk(lock, [placement(1, capabilities=capabilities)])
    desk.work(NOW)
    old, new = desk[1].pin, Pin("4444")
    seen = []
    lock.on_call = lambda at: seen.append(lock.opens(old, at) or lock.opens(new, at))
    desk.wish(1, NOW + HOUR, pin=new)
    desk.work(NOW + HOUR, NOW + 2 * HOUR)
    assert all(seen)
    assert [held.pin for held in lock.ours.values()] == [new]


@pytest.mark.parametrize("how", [LOST_DONE, LOST_UNDONE, CRASH_DONE, CRASH_UNDONE])
@pytest.mark.parametrize("gives_refs", [True, False])
@pytest.mark.parametrize("capabilities", READABLE.values(), ids=READABLE)
def test_law_5_other_digits_after_a_lost_answer_end_on_the_lock_once(capabilities, gives_refs, how):
    lock = ModelLock(capabilities, gives_refs=gives_refs, script=[how])
    desk = Desk(lock, [placement(1, capabilities=capabilities)])
    desk.one_pass(NOW)
    desk.wish(1, NOW, pin=Pin("4444"))
    now = desk.work(NOW + timedelta(seconds=6), NOW + DAY)
    desk.assert_at_rest(now)
    assert [held.pin for held in lock.ours.values()] == [Pin("4444")]


@pytest.mark.parametrize("how", [LOST_DONE, LOST_UNDONE, CRASH_DONE, CRASH_UNDONE])
@pytest.mark.parametrize("capabilities", [SYNC, ASYNC, MASKED, BLIND], ids=["full", "async", "masked", "blind"])
def test_law_5_a_change_of_digits_whose_answer_was_lost_is_made_sure_of(capabilities, how):
    lock = ModelLock(capabilities)
    desk = Desk(lock, [placement(1, capabilities=capabilities)])
    desk.work(NOW, NOW + HOUR)
    lock.script = [how]
    desk.wish(1, NOW + HOUR, pin=Pin("4444"))
    desk.one_pass(NOW + HOUR)
    desk.wish(1, NOW + HOUR, pin=Pin("5555"))
    now = desk.work(NOW + HOUR + timedelta(seconds=6), NOW + DAY)
    desk.assert_at_rest(now)
    assert [held.pin for held in lock.ours.values()] == [Pin("5555")]


def test_law_5_digits_that_cannot_be_read_are_asked_for_again_when_they_are_wished_back():
    lock = ModelLock(MASKED)
    desk = Desk(lock, [placement(1, capabilities=MASKED)])
    desk.work(NOW)
    first = desk[1].pin
    lock.script = [LOST_DONE]
    desk.wish(1, NOW + HOUR, pin=Pin("4444"))
    desk.one_pass(NOW + HOUR)
    desk.wish(1, NOW + HOUR, pin=first)
    desk.work(NOW + HOUR + timedelta(seconds=6), NOW + DAY)
    assert [held.pin for held in lock.ours.values()] == [first]


@given(desks(READABLE, rooms=[1, 2]))
def test_r26_there_is_no_ping_pong_on_a_full_lock(desk):
    desk.work(NOW, last_end(desk))
    removed = [action.placement for action in desk.lock.calls if action.verb is Verb.REMOVE]
    assert all(removed.count(key) <= len(desk.placements) for key in removed)


@given(desks({"window only": WINDOW_ONLY, "sync": SYNC, "slots": SLOTS}), st.integers(1, 60))
def test_r46_a_look_at_a_lock_at_rest_changes_nothing(desk, minutes):
    now = desk.work(NOW, NOW + HOUR)
    desk.one_pass(now)
    before = dict(desk.placements)
    again = now + timedelta(minutes=minutes)
    if not full(desk) and (desk.due(now) or again + DAY) > again:
        assert not desk.one_pass(again).actions
        assert desk.placements == before
