"""From a booking to a door that opens, and back: matching, windows, changes, deletion."""

from datetime import UTC, datetime, timedelta

import pytest

from lockbridge.storage import stays
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, OPENS

TWO = {"front": "standard", "flat": "queueing"}


async def test_r2_a_stay_has_one_pin_that_opens_every_lock_of_its_property_in_its_window_only(start):
    engine = await start({"front": "standard", "side": "nuki", "flat": "slots"})
    await engine.book()
    pin = engine.pin()
    assert len(pin) == 6
    for lock in engine.locks:
        assert not engine.opens(lock, pin)
    await engine.until(OPENS - MINUTE)
    assert not engine.opens("front", pin)
    for moment in (OPENS, CLOSES - MINUTE):
        await engine.until(moment)
        assert [engine.opens(lock, pin) for lock in engine.locks] == [True] * 3
    await engine.until(CLOSES + MINUTE)
    assert [engine.opens(lock, pin) for lock in engine.locks] == [False] * 3


async def test_r1_r2_a_lock_shared_by_two_properties_holds_the_codes_of_both_with_different_digits(start):
    engine = await start({"gate": "standard", "flat": "standard"})
    other = await engine.add_property("Boat House", "prop-8")
    await engine.match("gate", other)
    await engine.book()
    await engine.book(id="R2", code="HM2", home="prop-8", first_name="Max")
    await engine.until(OPENS)
    assert engine.pin("R2") != engine.pin()
    assert {code.pin for code in engine.held("gate")} == {engine.pin(), engine.pin("R2")}
    assert {code.pin for code in engine.held("flat")} == {engine.pin()}


async def test_r3_a_lock_matched_later_gets_the_codes_of_coming_stays_and_of_the_one_in_progress(start):
    engine = await start({"front": "standard"})
    await engine.book(id="R1", code="HM1", arrival="2026-06-10", departure="2026-06-12", phone="+15550101111")
    await engine.book(
        id="R2", code="HM2", arrival="2026-06-12", departure="2026-06-14", phone="+15550102222", guest="Max Other"
    )
    await engine.until(datetime(2026, 6, 11, 0, 0, tzinfo=UTC))
    engine.app.add_account("second", token="t2")
    await engine.connect_locks({"back": "standard"}, account="second")
    await engine.match("back")
    await engine.work()
    assert engine.opens("back", engine.pin("R1"))
    assert {code.pin for code in engine.held("back")} == {engine.pin("R1"), engine.pin("R2")}


async def test_r4_unmatching_takes_off_what_was_made_for_that_property_and_nothing_else(start):
    engine = await start({"gate": "standard"})
    other = await engine.add_property("Boat House", "prop-8")
    await engine.match("gate", other)
    engine.app.add_by_hand("gate", "Cleaner", "7391")
    await engine.book()
    await engine.book(id="R2", code="HM2", home="prop-8", first_name="Max", phone="+15550105678")
    await engine.until(OPENS + HOUR)
    await engine.unmatch("gate", other)
    await engine.work()
    assert {code.pin for code in engine.held("gate")} == {engine.pin()}
    assert engine.opens("gate", "7391")
    assert engine.opens("gate")


async def test_r4_a_lock_of_no_property_loses_everything_of_ours_and_keeps_what_others_made(start):
    engine = await start({"gate": "standard"})
    engine.app.add_by_hand("gate", "Cleaner", "7391")
    await engine.book()
    await engine.book(id="R0", code="HM0", arrival="2026-06-10", departure="2026-06-11", phone="+15550109999")
    await engine.until(datetime(2026, 6, 11, 20, 0, tzinfo=UTC))
    assert len(engine.app.holds("gate")) == 1 + 2 + 2
    await engine.unmatch("gate")
    await engine.work()
    assert [code.name for code in engine.app.holds("gate")] == ["Cleaner"]
    assert engine.statuses() == {"gate": "removed"}


async def test_r4_matching_again_brings_the_codes_back_with_the_same_digits(start):
    engine = await start()
    await engine.book(arrival="2026-06-11")
    pin = engine.pin()
    await engine.unmatch("front")
    await engine.work()
    assert engine.app.holds("front") == ()
    await engine.match("front")
    await engine.work()
    assert [code.pin for code in engine.held()] == [pin]
    assert len(engine.backup_pins()) == 2


async def test_r16_buffers_widen_the_window_before_and_after(start):
    engine = await start(settings={"buffer_before_minutes": 90, "buffer_after_minutes": 60})
    await engine.book()
    await engine.until(OPENS - 2 * HOUR)
    assert not engine.opens("front", at=OPENS - 91 * MINUTE)
    assert engine.opens("front", at=OPENS - 90 * MINUTE)
    assert engine.opens("front", at=CLOSES + 59 * MINUTE)
    assert not engine.opens("front", at=CLOSES + 60 * MINUTE)


async def test_r16_times_the_booking_does_not_say_are_the_propertys_in_its_own_zone(start):
    engine = await start()
    berlin = await engine.add_property("Altbau", "prop-9", zone="Europe/Berlin", country="DE", check_in="15:00")
    await engine.match("front", berlin)
    await engine.book(home="prop-9", check_in=None, check_out=None)
    await engine.until(datetime(2026, 6, 14, 13, 0, tzinfo=UTC))
    assert engine.opens("front")
    assert not engine.opens("front", at=datetime(2026, 6, 14, 12, 59, tzinfo=UTC))
    assert not engine.opens("front", at=datetime(2026, 6, 16, 9, 0, tzinfo=UTC))


@pytest.mark.parametrize(("rules", "lead"), [("standard", timedelta(days=3)), ("slots", timedelta(minutes=10))])
async def test_r17_a_code_is_made_at_once_and_pushed_its_locks_lead_time_before_the_window(start, rules, lead):
    engine = await start({"front": rules})
    await engine.book()
    assert len(engine.pin()) == 4
    await engine.until(OPENS - lead - MINUTE)
    assert engine.held() == []
    assert engine.statuses() == {"front": "pending"}
    await engine.until(OPENS - lead + MINUTE)
    assert [code.pin for code in engine.held()] == [engine.pin()]
    assert engine.statuses() == {"front": "scheduled"}
    await engine.until(OPENS)
    assert engine.statuses() == {"front": "set"}


async def test_r17_a_booking_inside_the_lead_time_is_pushed_at_once(start):
    engine = await start(TWO, at=OPENS - HOUR)
    await engine.book()
    await engine.passes(3 * MINUTE)
    assert engine.opens("front", at=OPENS)
    assert engine.opens("flat", at=OPENS)


async def test_r18_a_lock_that_counts_in_hours_opens_no_later_and_closes_no_sooner_than_the_stay(start):
    engine = await start({"front": "hourly"})
    await engine.book(check_in="16:20", check_out="10:40")
    await engine.until(OPENS)
    assert engine.opens("front", at=OPENS)
    assert not engine.opens("front", at=OPENS - MINUTE)
    assert engine.opens("front", at=CLOSES - MINUTE)
    assert not engine.opens("front", at=CLOSES)


@pytest.mark.parametrize("rules", ["standard", "unique-names", "first-four", "hourly", "queueing", "masked", "nuki"])
async def test_r19_other_dates_keep_the_pin_and_move_the_window(start, rules):
    engine = await start({"front": rules}, at=OPENS - 2 * DAY)
    await engine.book()
    await engine.passes(3 * MINUTE)
    pin = engine.pin()
    await engine.book(arrival="2026-06-15", departure="2026-06-18")
    await engine.passes(3 * MINUTE)
    assert engine.pin() == pin
    assert [code.pin for code in engine.held()] == [pin]
    assert not engine.opens("front", at=OPENS)
    assert engine.opens("front", at=OPENS + DAY)
    assert engine.opens("front", at=CLOSES + 2 * DAY - MINUTE)
    assert not engine.opens("front", at=CLOSES + 2 * DAY + HOUR)


@pytest.mark.parametrize("rules", ["standard", "unique-names", "first-four", "hourly", "queueing", "slots", "nuki"])
async def test_r19_an_extension_during_the_stay_never_interrupts_access(start, rules):
    engine = await start({"front": rules}, at=OPENS - DAY)
    await engine.book()
    await engine.until(CLOSES - HOUR)

    async def try_the_door(_verb: str = "", _lock: str = "") -> None:
        assert engine.opens("front")

    engine.tap.before = engine.tap.after = try_the_door
    engine.watchers = [lambda: _opens(engine)]
    await engine.book(departure="2026-06-18")
    await engine.until(CLOSES + 2 * DAY - MINUTE)
    assert [code.pin for code in engine.held()] == [engine.pin()]
    engine.watchers.clear()
    engine.tap.before = engine.tap.after = _nothing
    await engine.until(CLOSES + 4 * DAY)
    assert engine.held() == []


def _opens(engine):
    assert engine.opens("front")


async def _nothing(_verb, _lock):
    pass


@pytest.mark.parametrize("rules", ["standard", "slots"])
async def test_r19_an_extension_that_comes_as_the_stay_ends_finds_its_way_onto_the_lock(start, rules):
    engine = await start({"front": rules}, at=OPENS - DAY)
    await engine.book()
    await engine.until(CLOSES + MINUTE)
    await engine.book(departure="2026-06-18")
    await engine.passes(MINUTE)
    assert engine.opens("front")
    assert engine.opens("front", at=CLOSES + DAY) or rules == "slots"


async def test_r19_a_stay_moved_to_another_property_takes_its_pin_along(start):
    engine = await start({"front": "standard", "boat": "standard"}, at=OPENS - DAY)
    other = await engine.add_property("Boat House", "prop-8")
    await engine.unmatch("boat")
    await engine.match("boat", other)
    await engine.book()
    pin = engine.pin()
    assert engine.opens("front", at=OPENS)
    await engine.book(home="prop-8")
    assert engine.pin() == pin
    assert engine.held("front") == []
    assert engine.opens("boat", pin, at=OPENS)
    assert engine.statuses() == {"front": "removed", "boat": "scheduled"}


async def test_r19_r36_a_moved_stay_whose_pin_is_taken_there_gets_another_and_the_guest_is_told(start):
    engine = await start({"front": "standard", "boat": "standard"}, at=OPENS - DAY)
    other = await engine.add_property("Boat House", "prop-8")
    await engine.unmatch("boat")
    await engine.match("boat", other)
    await engine.book()
    pin = engine.pin()
    assert len(engine.told_guest("access_code")) == 1
    engine.app.add_by_hand("boat", "Cleaner", pin)
    await engine.look_at("boat")
    await engine.book(home="prop-8")
    assert engine.pin(lock="boat") != pin
    assert engine.opens("boat", engine.pin(lock="boat"), at=OPENS)
    (correction,) = engine.told_guest("correction")
    assert engine.pin(lock="boat") in correction.text
    assert "boat" in correction.text
    await engine.until(CLOSES)
    assert len(engine.told_guest("correction")) == 1


async def test_r19_more_and_fewer_locks_follow_with_the_same_pin(start):
    engine = await start(TWO, at=OPENS - DAY)
    await engine.unmatch("flat")
    await engine.book()
    pin = engine.pin()
    await engine.match("flat")
    await engine.passes(3 * MINUTE)
    assert engine.opens("flat", pin, at=OPENS)
    await engine.unmatch("front")
    await engine.work()
    assert engine.held("front") == []
    assert engine.opens("flat", pin, at=OPENS)
    await engine.until(OPENS)
    assert len(engine.told_guest("access_code")) == 1
    assert engine.told_guest("correction") == []


async def test_r19_a_stay_moved_to_a_property_that_is_not_known_leaves_its_locks_and_finds_its_pin_again(start):
    engine = await start({"front": "standard", "boat": "standard"}, at=OPENS - DAY)
    await engine.unmatch("boat")
    await engine.book()
    pin = engine.pin()
    await engine.book(home="prop-8")
    assert engine.held("front") == []
    assert "not known here" in engine.stay().trouble
    other = await engine.add_property("Boat House", "prop-8")
    await engine.match("boat", other)
    await engine.work()
    assert engine.opens("boat", pin, at=OPENS)


@pytest.mark.parametrize(("rules", "stays_on"), [("standard", DAY), ("slots", timedelta(0))])
async def test_r29_a_finished_code_comes_off_24_hours_later_or_at_once_from_a_lock_without_a_clock(
    start, rules, stays_on
):
    engine = await start({"front": rules}, at=OPENS - HOUR)
    await engine.book()
    await engine.until(CLOSES - MINUTE)
    assert engine.opens("front")
    await engine.until(CLOSES + MINUTE)
    assert not engine.opens("front")
    if stays_on:
        await engine.until(CLOSES + stays_on - MINUTE)
        assert len(engine.held()) == 1
    await engine.until(CLOSES + stays_on + MINUTE)
    assert engine.held() == []
    assert engine.statuses() == {"front": "removed"}


async def test_r28_nothing_that_others_made_is_ever_touched(start):
    engine = await start({"front": "standard", "flat": "slots"}, at=OPENS - HOUR)
    for lock in engine.locks:
        engine.app.add_by_hand(lock, "Ida Example", "7391")
        engine.app.add_by_hand(lock, "Cleaner", "7392")
    await engine.book()
    await engine.until(CLOSES + 2 * DAY)
    for lock in engine.locks:
        assert {code.pin for code in engine.app.holds(lock) if code.made_by == "hand"} == {"7391", "7392"}
    touched = [entry for entry in engine.app.journal if entry.by == "us" and entry.made_by == "hand"]
    assert touched == []


@pytest.mark.parametrize("rules", ["standard", "slots"])
async def test_r30_a_cancelled_code_that_works_now_comes_off_at_once(start, rules):
    engine = await start({"front": rules}, at=OPENS - HOUR)
    await engine.book()
    await engine.until(OPENS + MINUTE)
    assert engine.opens("front")
    await engine.book(happening="cancelled", status="cancelled")
    await engine.passes(MINUTE)
    assert engine.held() == []
    assert engine.statuses() == {"front": "removed"}


async def test_r30_a_code_cancelled_well_ahead_comes_off_24_hours_later(start):
    engine = await start(at=OPENS - 2 * DAY)
    await engine.book()
    assert len(engine.held()) == 1
    await engine.book(happening="cancelled", status="cancelled")
    await engine.passes(DAY - MINUTE)
    assert len(engine.held()) == 1
    assert engine.statuses() == {"front": "removing"}
    await engine.passes(2 * MINUTE)
    assert engine.held() == []
    assert engine.mails() == []


async def test_r30_a_cancellation_taken_back_puts_the_same_pin_back(start):
    engine = await start(at=OPENS - DAY)
    await engine.book()
    pin = engine.pin()
    await engine.book(happening="cancelled", status="cancelled")
    assert engine.held() == []
    await engine.passes(MINUTE)
    await engine.book(happening="changed")
    assert engine.opens("front", pin, at=OPENS)
    assert engine.pin() == pin


async def test_a_cancelled_reservation_never_gets_a_code(start):
    engine = await start(at=OPENS - HOUR)
    await engine.book(happening="cancelled", status="cancelled")
    await engine.until(OPENS + HOUR)
    assert engine.held() == []
    assert engine.stay().code is None
    assert engine.mails() == []


@pytest.mark.parametrize("status", ["pending", "blocked"])
async def test_r17_only_a_confirmed_reservation_gets_a_code(start, status):
    engine = await start(at=OPENS - HOUR)
    await engine.book(status=status)
    assert engine.held() == []
    await engine.passes(MINUTE)
    await engine.book(happening="changed")
    assert len(engine.held()) == 1


async def test_r39_property_access_follows_a_code_through_its_life(start):
    engine = await start({"front": "standard"})
    seen = []
    await engine.book()
    for moment in (engine.now, OPENS - 2 * DAY, OPENS, CLOSES + DAY):
        await engine.until(moment)
        seen.append(engine.statuses()["front"])
    assert seen == ["pending", "scheduled", "set", "removed"]


async def test_r40_the_history_of_a_stay_tells_what_was_decided_and_why_in_order_and_without_digits(start):
    engine = await start(at=OPENS - 4 * DAY)
    await engine.book()
    await engine.until(CLOSES + 2 * DAY)
    history = engine.view().history
    kinds = [entry.kind for entry in history]
    made = ["booked", "pin", "name", "planned", "asked_to_set", "confirmed"]
    story = [*made, "message_sent", "message_sent", "asked_to_remove"]
    assert [kind for kind in kinds if kind in story] == story
    assert kinds[-1] == "removed"
    assert [entry.at for entry in history] == sorted(entry.at for entry in history)
    assert not any(engine.pin(lock=None) in entry.why for entry in history)


async def test_r41_the_host_may_let_a_guest_in_earlier_and_stay_longer(start):
    engine = await start(at=OPENS - DAY)
    await engine.book()
    stay = engine.stay()
    changed = await engine.write(lambda c: stays.set_host_times(c, engine.host, stay.id, "12:00", "14:30", engine.now))
    await engine.work()
    assert changed
    assert engine.opens("front", at=OPENS - 4 * HOUR)
    assert engine.opens("front", at=CLOSES + 3 * HOUR + 29 * MINUTE)
    await engine.book(happening="changed", last_name="Changed")
    assert engine.opens("front", at=OPENS - 4 * HOUR)


async def test_a_stay_whose_usual_times_make_no_window_is_told_to_the_host_and_harms_no_other(start):
    engine = await start(at=OPENS - DAY)
    await engine.book(
        id="R9", code="HM9", departure="2026-06-14", check_in="12:00", check_out="13:00", guest="Max Other"
    )
    stay = engine.stay("R9").id
    await engine.write(lambda c: stays.set_host_times(c, engine.host, stay, "14:00", None, engine.now))
    await engine.book()
    assert engine.opens("front", at=OPENS)
    assert "is not after the check-in" in engine.stay("R9").trouble
    assert len(engine.told_host("pin_space_exhausted")) == 1
    await engine.write(lambda c: stays.set_host_times(c, engine.host, stay, None, None, engine.now))
    await engine.work()
    assert engine.stay("R9").trouble is None
    assert len(engine.held()) == 2
