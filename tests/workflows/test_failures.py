"""What goes wrong between the engine and a lock, and what is done about each kind of it."""

from datetime import timedelta
from itertools import pairwise

import pytest

from lockbridge.contract import LockNotFound
from lockbridge.storage import hosts
from lockbridge.workflows import connect, housekeeping
from providers.simulator import Fault, Faults, Verb
from tests.platforms.make_believe import Booking
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, OPENS

SECOND = timedelta(seconds=1)


def moments(engine, verb="asked_to_set"):
    return [entry.at for entry in engine.view().history if entry.kind == verb]


def gaps(engine, verb="asked_to_set"):
    at = moments(engine, verb)
    return [later - earlier for earlier, later in pairwise(at)]


async def account(engine):
    return engine.ask(hosts.lock_apps, engine.services.vault, [engine.account])[engine.account]


async def test_r21_a_refused_push_is_tried_four_more_times_that_day_and_then_with_every_8_00_check(start):
    engine = await start(at=OPENS - 3 * DAY + MINUTE, settings={"backups": False})
    engine.app.script("front", *[Fault.REJECTED] * 20, on=[Verb.SET])
    await engine.book()
    await engine.until(OPENS - MINUTE)
    first = gaps(engine)[:4]
    assert first[0] <= MINUTE * 5
    assert first[1:4] == [30 * MINUTE, 2 * HOUR, 6 * HOUR]
    assert all((at.hour, at.minute) == (12, 0) for at in moments(engine)[5:7])
    assert engine.statuses() == {"front": "failed"}


async def test_r21_the_attempts_are_compressed_when_the_window_opens_sooner_and_30_seconds_apart_at_least(start):
    engine = await start(at=OPENS - 10 * MINUTE, settings={"backups": False})
    engine.app.script("front", *[Fault.REJECTED] * 4, on=[Verb.SET])
    await engine.book()
    await engine.until(OPENS - 5 * SECOND)
    assert len(moments(engine)) >= 4
    await engine.until(OPENS + MINUTE)
    assert engine.opens("front")
    assert min(gaps(engine)[1:]) >= 30 * SECOND


async def test_r21_a_code_that_is_taken_and_never_confirmed_counts_as_a_failed_attempt(start):
    engine = await start({"front": "queueing"}, at=OPENS - 5 * HOUR)
    engine.app.script("front", Fault.NEVER_CONFIRMED)
    await engine.book()
    await engine.passes(MINUTE)
    assert engine.statuses() != {"front": "scheduled"}
    await engine.passes(HOUR)
    assert engine.statuses() == {"front": "scheduled"}
    assert len(engine.held()) == 1


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.ERROR_AFTER])
@pytest.mark.parametrize("rules", ["standard", "nuki", "slots", "masked"])
async def test_r22_a_lost_answer_is_looked_for_before_anything_is_sent_again(start, fault, rules):
    engine = await start({"front": rules}, at=OPENS - 5 * MINUTE)
    engine.app.script("front", fault, on=[Verb.SET])
    await engine.book()
    await engine.passes(4 * MINUTE)
    assert [code.pin for code in engine.held()] == [engine.pin()]
    assert engine.statuses() == {"front": "scheduled"}
    guests = [entry for entry in engine.app.journal if entry.verb is Verb.SET and entry.by == "us"]
    assert len(guests) == 2 + 1


async def test_r22_an_algorithmic_lock_whose_answer_was_lost_is_asked_again_for_the_same_digits(start):
    engine = await start({"front": "algorithmic"}, at=OPENS - HOUR)
    engine.app.script("front", Fault.LOST_ANSWER, on=[Verb.SET])
    await engine.book()
    await engine.passes(10 * MINUTE)
    assert len(engine.app.holds("front")) == 1
    assert engine.opens("front", at=OPENS)


@pytest.mark.parametrize("verb", [Verb.SET, Verb.LIST_CODES])
async def test_r22_a_busy_lock_app_is_left_alone_as_long_as_it_asks_and_no_attempt_is_used_up(start, verb):
    engine = await start({"front": "standard", "back": "standard"}, at=OPENS - HOUR)
    engine.app.set_faults(Faults(retry_after=10 * MINUTE))
    engine.app.script(None, Fault.RATE_LIMITED, on=[verb])
    engine.tap.calls.clear()
    await engine.book()
    calls = len(engine.tap.calls)
    assert calls <= 4
    await engine.passes(10 * MINUTE - SECOND)
    assert len(engine.tap.calls) == calls
    await engine.passes(10 * SECOND)
    assert engine.statuses() == {"front": "scheduled", "back": "scheduled"}
    assert engine.mails("host@example.com") == []


async def test_r22_an_outage_uses_up_no_attempt_and_is_over_when_it_is_over(start):
    engine = await start(at=OPENS - 20 * HOUR)
    engine.app.script("front", *[Fault.ERROR_BEFORE] * 12, on=[Verb.SET])
    await engine.book()
    await engine.passes(3 * HOUR)
    assert engine.statuses() == {"front": "scheduled"}
    (placement,) = [line for line in engine.view().access if not line.is_backup]
    assert placement.shown.reason == ""


async def test_r22_calls_that_were_not_made_because_of_a_pause_do_not_count_as_made(start):
    engine = await start({"front": "nuki"}, at=OPENS - HOUR, settings={"pin_mode": "random", "pin_length": 6})
    engine.app.script("front", Fault.RATE_LIMITED, on=[Verb.SET])
    await engine.say(Booking())
    await engine.say(Booking(id="R2", code="HM2", arrival="2026-06-16", departure="2026-06-17"), guest="Max Other")
    await engine.say(Booking(id="R3", code="HM3", arrival="2026-06-16", departure="2026-06-17"), guest="Eve Third")
    await engine.work()
    await engine.passes(3 * MINUTE)
    assert len(engine.held()) == 3


@pytest.mark.parametrize("rules", ["standard", "slots", "nuki"])
async def test_r22_a_lie_that_a_code_is_gone_is_not_believed_before_a_look(start, rules):
    engine = await start({"front": rules}, at=OPENS - 5 * MINUTE)
    await engine.book()
    await engine.passes(2 * MINUTE)
    engine.app.script("front", Fault.FALSE_GONE)
    await engine.book(happening="changed", departure="2026-06-17")
    await engine.passes(2 * MINUTE)
    assert [code.pin for code in engine.held()] == [engine.pin()]
    await engine.until(OPENS)
    assert engine.opens("front")
    engine.app.script("front", Fault.FALSE_GONE, on=[Verb.REMOVE])
    await engine.book(happening="cancelled", status="cancelled")
    await engine.passes(5 * MINUTE)
    assert engine.held() == []


async def test_r22_a_refused_account_is_not_called_again_until_it_is_reconnected_and_the_host_is_told_once(start):
    engine = await start({"front": "standard", "back": "standard"}, at=OPENS - 2 * DAY)
    engine.app.disconnect()
    await engine.book()
    engine.tap.calls.clear()
    await engine.passes(DAY)
    assert engine.tap.calls == []
    assert len(engine.told_host("account_disconnected")) == 1
    assert "account_disconnected" in engine.alarms()
    engine.app.reconnect()
    await connect.sync_locks(engine.services, await account(engine), engine.now)
    await engine.work()
    assert engine.statuses() == {"front": "scheduled", "back": "scheduled"}
    assert len(engine.told_host("account_connected")) == 1
    assert "account_disconnected" not in engine.alarms()


async def test_r22_a_reconnect_tried_too_early_changes_nothing(start):
    engine = await start(at=OPENS - 2 * DAY)
    engine.app.disconnect()
    await engine.book()
    with pytest.raises(Exception, match="does not let this account in"):
        await connect.sync_locks(engine.services, await account(engine), engine.now)
    await engine.work()
    assert len(engine.told_host("account_disconnected")) == 1


async def test_r22_r27_a_lock_that_left_the_account_is_told_once_and_looked_after_again_when_it_is_back(start):
    engine = await start(at=OPENS - 2 * DAY)

    async def gone(_verb, lock):
        if lock:
            raise LockNotFound

    engine.tap.before = gone
    await engine.book()
    engine.tap.calls.clear()
    await engine.passes(HOUR)
    assert engine.tap.calls == []
    assert len(engine.told_host("lock_offline")) == 1
    engine.tap.before = _fine
    await housekeeping.list_locks(engine.services, engine.now)
    await engine.work()
    assert engine.statuses() == {"front": "scheduled"}
    assert len(engine.told_host("lock_online")) == 1


async def _fine(_verb, _lock):
    pass


async def test_r27_a_lock_that_stays_offline_is_told_when_it_begins_with_the_arrivals_and_when_it_is_over(start):
    engine = await start(at=OPENS - DAY)
    engine.app.offline("front")
    await engine.book()
    await engine.passes(20 * MINUTE)
    assert engine.told_host("lock_offline") == []
    await engine.passes(HOUR)
    (told,) = engine.told_host("lock_offline")
    assert "Ida Example" in told.text
    assert "hub" in told.text
    await engine.passes(3 * HOUR)
    assert len(engine.told_host("lock_offline")) == 1
    engine.app.online("front")
    await engine.passes(HOUR)
    assert len(engine.told_host("lock_online")) == 1
    assert engine.opens("front", at=OPENS)


async def test_r27_a_lock_with_nothing_to_do_that_is_offline_is_noticed_by_the_nightly_look_and_followed(start):
    engine = await start()
    engine.app.offline("front")
    await engine.passes(DAY)
    assert len(engine.told_host("lock_offline")) == 1
    engine.app.online("front")
    await engine.passes(HOUR)
    assert len(engine.told_host("lock_online")) == 1


async def test_r27_a_low_battery_is_told_once_and_once_when_it_is_replaced(start):
    engine = await start(at=OPENS - 3 * DAY)
    await engine.book()
    engine.app.battery("front", 0.11)
    await engine.passes(3 * DAY)
    (told,) = engine.told_host("battery_low")
    assert "11" in told.text
    assert "batter" in told.text
    engine.app.battery("front", 1.0)
    await engine.passes(DAY)
    assert len(engine.told_host("battery_ok")) == 1
    assert engine.alarms() == set()


@pytest.mark.parametrize("rules", ["standard", "slots"])
async def test_r31_a_deletion_that_fails_is_tried_until_the_lock_is_clear(start, rules):
    engine = await start({"front": rules}, at=OPENS - 5 * MINUTE)
    await engine.book()
    await engine.until(CLOSES - MINUTE)
    engine.app.offline("front")
    await engine.until(CLOSES + DAY + HOUR)
    assert len(engine.held()) == 1
    assert engine.statuses() == {"front": "removing"}
    engine.app.online("front")
    await engine.passes(DAY)
    assert engine.held() == []
    assert engine.statuses() == {"front": "removed"}


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.RATE_LIMITED])
async def test_r31_a_deletion_whose_answer_is_a_failure_is_done_in_the_end(start, fault):
    engine = await start(at=OPENS - 5 * MINUTE)
    await engine.book()
    await engine.until(OPENS)
    engine.app.script("front", fault, fault, on=[Verb.REMOVE])
    await engine.book(happening="cancelled", status="cancelled")
    await engine.passes(15 * MINUTE)
    assert engine.held() == []
    assert engine.statuses() == {"front": "removed"}


async def test_r31_a_slot_is_free_only_when_the_lock_was_seen_without_the_code(start):
    engine = await start({"front": "slots"}, at=OPENS - 5 * MINUTE, settings={"backups": False})
    engine.app.fill("front", leave=1)
    await engine.book()
    await engine.until(CLOSES - MINUTE)
    await engine.book(
        id="R2", code="HM2", arrival="2026-06-16", departure="2026-06-17", check_in="11:00", guest="Max Other"
    )
    assert engine.statuses("R2") == {"front": "failed"}
    await engine.until(CLOSES + MINUTE)
    assert engine.statuses("R2") == {"front": "set"}
    assert [code.pin for code in engine.held()] == [engine.pin("R2")]


@pytest.mark.parametrize("rules", ["standard", "unique-names", "hourly", "first-four"])
async def test_r33_a_code_edited_by_hand_is_put_back_and_the_host_is_told_once(start, rules):
    engine = await start({"front": rules}, at=OPENS - HOUR)
    await engine.book()
    await engine.until(OPENS)
    (code,) = engine.held()
    engine.app.edit_by_hand("front", code.ref, pin=engine.app.free_pin("front"))
    await engine.look_at()
    await engine.passes(10 * MINUTE)
    assert [code.pin for code in engine.held()] == [engine.pin()]
    assert len(engine.told_host("code_changed_by_hand")) == 1


@pytest.mark.parametrize("rules", ["standard", "slots", "nuki"])
async def test_r33_a_code_deleted_by_hand_is_put_back_and_the_host_is_told_once(start, rules):
    engine = await start({"front": rules}, at=OPENS - HOUR)
    await engine.book()
    await engine.until(OPENS)
    (code,) = engine.held()
    engine.app.delete_by_hand("front", code.ref)
    assert not engine.opens("front")
    await engine.look_at()
    await engine.passes(10 * MINUTE)
    assert engine.opens("front")
    assert len(engine.told_host("code_changed_by_hand")) == 1


async def test_r33_a_look_that_failed_never_counts_as_deleted(start):
    engine = await start(at=OPENS - HOUR)
    await engine.book()
    await engine.until(OPENS)
    sets = engine.app.calls[Verb.SET]
    engine.app.script("front", *[Fault.ERROR_BEFORE, Fault.LOST_ANSWER] * 2, on=[Verb.LIST_CODES])
    for _ in range(4):
        await engine.look_at()
        await engine.passes(HOUR)
    assert engine.statuses() == {"front": "set"}
    assert engine.app.calls[Verb.SET] == sets
    assert engine.told_host("code_changed_by_hand") == []


async def test_r46_every_lock_is_looked_at_once_a_night_and_only_differences_are_acted_on(start):
    engine = await start({"front": "standard", "back": "slots"})
    await engine.passes(MINUTE)
    writes = engine.app.calls[Verb.SET]
    engine.tap.calls.clear()
    await engine.passes(2 * DAY)
    assert engine.tap.calls.count(("list_codes", "front")) == 2
    assert engine.tap.calls.count(("list_codes", "back")) == 2
    assert engine.app.calls[Verb.SET] == writes
    (spare, *_) = engine.app.holds("back")
    engine.app.delete_by_hand("back", spare.ref)
    await engine.passes(DAY)
    assert len(engine.app.holds("back")) == 2


async def test_r22_an_account_whose_driver_is_gone_is_told_to_the_host(start):
    engine = await start(at=OPENS - HOUR)
    engine.services.accounts.providers.clear()
    engine.services.accounts._connected.clear()
    await engine.book()
    assert len(engine.told_host("account_disconnected")) == 1


async def test_r30_a_code_that_cannot_be_taken_back_is_said_to_the_host_once_with_its_end(start):
    engine = await start({"front": "algorithmic"}, at=OPENS - HOUR)
    await engine.book()
    await engine.passes(10 * MINUTE)
    await engine.book(happening="cancelled", status="cancelled", changed_at=f"{engine.now:%Y-%m-%dT%H:%M:%SZ}")
    await engine.passes(2 * DAY)
    (told,) = engine.told_host("code_stays_valid")
    assert "should not open the door any more" in told.text
    assert f"{CLOSES:%d %b %Y}" in told.text
    assert "cannot take it back" in engine.whys()


async def test_r19_old_digits_that_open_longer_than_the_stay_that_was_shortened_are_said_to_the_host_once(start):
    engine = await start({"front": "algorithmic"}, at=OPENS - HOUR)
    await engine.book()
    await engine.passes(10 * MINUTE)
    changed = {"happening": "changed", "departure": "2026-06-15", "changed_at": f"{engine.now:%Y-%m-%dT%H:%M:%SZ}"}
    await engine.book(**changed)
    await engine.passes(2 * HOUR)
    (told,) = engine.told_host("code_stays_valid")
    assert f"until {CLOSES:%a %d %b %Y %H:%M} UTC" in told.text


async def test_r19_a_longer_stay_leaves_nothing_behind_that_the_host_must_hear_of(start):
    engine = await start({"front": "algorithmic"}, at=OPENS - HOUR)
    await engine.book()
    await engine.passes(10 * MINUTE)
    changed = {"happening": "changed", "departure": "2026-06-18", "changed_at": f"{engine.now:%Y-%m-%dT%H:%M:%SZ}"}
    await engine.book(**changed)
    await engine.passes(2 * HOUR)
    assert engine.told_host("code_stays_valid") == []
