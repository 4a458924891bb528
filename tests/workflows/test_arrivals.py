"""Looking after arrivals: the 8:00 check, the looks before and at the door, backup codes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from lockbridge.storage import codes, hosts, journal, locks
from lockbridge.workflows import backup, connect, healthcheck, housekeeping, push
from lockbridge.workflows.ports import transact
from providers.simulator import Fault, Verb
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, OPENS

EIGHT = datetime(2026, 6, 14, 12, 0, tzinfo=UTC)
"""8:00 in New York on the day of arrival."""
BROKEN = [Fault.REJECTED] * 60


async def with_a_broken_lock(start, *, at=OPENS - DAY, **options):
    """A lock that has its backups and refuses every other code."""
    engine = await start(at=at, **options)
    engine.app.script("front", *BROKEN, on=[Verb.SET])
    await engine.book()
    return engine


async def test_r23_at_8_00_a_code_that_is_not_set_and_cannot_be_is_replaced_by_a_backup_for_the_guest(start):
    engine = await with_a_broken_lock(start)
    await engine.until(EIGHT - MINUTE)
    assert engine.told_guest("backup_code") == []
    spare = engine.backup_pins()
    await engine.until(EIGHT)
    (told,) = engine.told_guest("backup_code")
    (given,) = [pin for pin in spare if pin in told.text]
    assert engine.opens("front", given, at=OPENS)
    assert engine.statuses() == {"front": "backup given"}
    assert engine.told_host("push_failed") == []
    assert "backup code of front was given" in engine.whys()


async def test_r23_a_guest_of_several_doors_hears_with_the_backup_what_opens_the_others(start):
    engine = await with_a_broken_lock(start, rules={"front": "standard", "gate": "standard"})
    await engine.until(EIGHT)
    (told,) = engine.told_guest("backup_code")
    others = told.text.partition("The other doors open with:")[2]
    assert f"gate: {engine.pin(lock='gate')}" in others
    assert "front" not in others


async def test_r23_without_backups_the_host_is_told_at_8_00_with_the_reason_and_what_happens_next(start):
    engine = await with_a_broken_lock(start, settings={"backups": False})
    await engine.until(EIGHT)
    (told,) = engine.told_host("push_failed")
    for fact in ("Ida Example", "Lake House", "front", "refused", "switched off"):
        assert fact in told.text
    assert engine.told_guest("backup_code") == []


async def test_r23_the_check_attempts_first_and_says_nothing_when_the_attempt_succeeds(start):
    engine = await start(at=OPENS - DAY)
    engine.app.offline("front")
    await engine.book()
    await engine.until(EIGHT - MINUTE)
    assert engine.held() == []
    engine.app.online("front")
    await engine.until(EIGHT)
    assert engine.statuses() == {"front": "scheduled"}
    assert engine.told_host("push_failed") == []
    assert engine.told_guest("backup_code") == []


async def test_r23_a_code_whose_lead_time_has_not_begun_is_no_failure(start):
    engine = await start({"front": "slots"}, at=EIGHT - HOUR)
    await engine.book()
    await engine.until(EIGHT + MINUTE)
    assert engine.told_host("push_failed") == []
    assert engine.told_guest("backup_code") == []
    assert engine.statuses() == {"front": "pending"}


async def test_r23_the_check_runs_once_a_day_at_8_00_in_new_york_in_summer_and_in_winter(start):
    engine = await start(at=datetime(2026, 10, 30, 13, 0, tzinfo=UTC))
    ran = []
    for _ in range(4):
        await engine.passes(DAY)
        ran.append(engine.ask(journal.last_run, healthcheck.RUN).taken_at)
    assert [(at.day, at.hour) for at in ran] == [(31, 12), (1, 13), (2, 13), (3, 13)]


async def test_r23_a_check_that_was_missed_is_made_up_when_the_process_is_back(start):
    engine = await with_a_broken_lock(start, at=EIGHT - 2 * DAY)
    await engine.until(EIGHT - DAY / 2)
    engine.clock.set(EIGHT + 2 * HOUR)
    await engine.restart()
    await engine.tick()
    assert engine.ask(journal.last_run, healthcheck.RUN).scheduled_for == EIGHT
    await engine.work()
    assert len(engine.told_guest("backup_code")) == 1


async def test_r23_a_check_left_by_a_process_that_died_is_taken_over_an_hour_later(start):
    engine = await with_a_broken_lock(start)
    engine.clock.set(EIGHT)
    assert await engine.write(lambda c: journal.take_run(c, healthcheck.RUN, EIGHT, engine.now))
    await engine.passes(59 * MINUTE)
    assert engine.told_guest("backup_code") == []
    await engine.passes(3 * MINUTE)
    assert len(engine.told_guest("backup_code")) == 1


async def test_r23_of_several_processes_exactly_one_runs_the_check(postgres_url, crowd):
    engine, processes = await crowd(postgres_url, 3, at=OPENS - DAY)
    engine.app.script("front", *BROKEN, on=[Verb.SET])
    await engine.book()
    engine.clock.set(EIGHT)
    reports = await asyncio.gather(*(healthcheck.daily_if_due(services, engine.now) for services in processes))
    assert len([report for report in reports if report is not None]) == 1
    await engine.work()
    assert len(engine.told_guest("backup_code")) == 1


async def test_r24_when_the_window_opens_a_code_that_is_not_on_its_lock_is_made_good(start):
    engine = await start({"front": "slots"}, at=EIGHT + HOUR)
    await engine.book()
    engine.app.script("front", *BROKEN, on=[Verb.SET])
    await engine.until(OPENS - MINUTE)
    assert engine.told_guest("backup_code") == []
    await engine.until(OPENS + MINUTE)
    (told,) = engine.told_guest("backup_code")
    assert any(pin in told.text and engine.opens("front", pin) for pin in engine.backup_pins())


@pytest.mark.parametrize(("includes", "when"), [(True, OPENS - 2 * HOUR), (False, OPENS)])
async def test_r24_the_final_check_counts_the_buffer_or_looks_at_check_in_time(start, includes, when):
    settings = {"buffer_before_minutes": 120, "final_check_includes_buffer": includes}
    engine = await with_a_broken_lock(start, at=EIGHT + MINUTE, settings=settings)
    await engine.until(when - MINUTE)
    assert engine.told_guest("backup_code") == []
    await engine.until(when + MINUTE)
    assert len(engine.told_guest("backup_code")) == 1


async def test_r24_a_booking_made_while_its_window_is_open_has_a_moment_before_it_is_judged(start):
    engine = await with_a_broken_lock(start, at=OPENS + HOUR)
    assert engine.told_guest("backup_code") == []
    await engine.passes(3 * MINUTE)
    assert len(engine.told_guest("backup_code")) == 1


async def test_r24_an_arrival_is_not_judged_while_its_lock_is_being_worked_on_but_in_the_end_it_is(start):
    engine = await start(at=OPENS - HOUR, lease=HOUR)
    engine.app.offline("front")
    await engine.book()
    await engine.until(OPENS - MINUTE)
    assert len(await push.claim(engine.services, engine.now, 1, only=[engine.locks["front"]])) == 1
    await engine.until(OPENS + 4 * MINUTE)
    assert engine.told_guest("backup_code") == []
    await engine.until(OPENS + 6 * MINUTE)
    assert len(engine.told_guest("backup_code")) == 1


async def test_r24_a_code_that_is_lost_during_the_stay_and_cannot_be_put_back_is_replaced_by_a_backup(start):
    engine = await start(at=OPENS - HOUR)
    await engine.book()
    await engine.until(OPENS + HOUR)
    (code,) = engine.held()
    engine.app.delete_by_hand("front", code.ref)
    engine.app.script("front", *BROKEN, on=[Verb.SET])
    await engine.write(lambda c: locks.poke_locks(c, [engine.locks["front"]], engine.now))
    await engine.passes(5 * MINUTE)
    assert len(engine.told_guest("backup_code")) == 1


async def test_r25_each_lock_keeps_two_backups_of_different_digits_without_end(start):
    engine = await start({"front": "standard", "side": "nuki", "flat": "slots"})
    await engine.passes(5 * MINUTE)
    for lock in engine.locks:
        held = engine.app.holds(lock)
        assert len({code.pin for code in held}) == 2
        assert all(engine.app.opens(lock, code.pin, engine.now + 400 * DAY) for code in held)


async def test_r25_a_lock_that_chooses_its_digits_and_a_property_without_backups_keep_none(start):
    engine = await start({"front": "algorithmic"})
    assert engine.app.holds("front") == ()
    other = await engine.add_property("Boat House", "prop-8", settings={"backups": False})
    engine.app.add_account("second", token="t2")
    await engine.connect_locks({"boat": "standard"}, account="second")
    await engine.match("boat", other)
    await engine.passes(HOUR)
    assert engine.app.holds("boat") == ()


async def test_r25_a_given_backup_works_to_the_end_of_the_stay_is_deleted_then_and_renewed_at_once(start):
    engine = await with_a_broken_lock(start)
    await engine.until(EIGHT - MINUTE)
    engine.app.locks["front"].script.clear()
    engine.app.script("front", *[Fault.REJECTED] * 2, on=[Verb.SET])
    before = engine.backup_pins()
    await engine.until(EIGHT)
    (told,) = engine.told_guest("backup_code")
    (given,) = [pin for pin in before if pin in told.text]
    await engine.until(EIGHT + 10 * MINUTE)
    assert len([one for one in engine.backups() if one.given_to is None and one.ready]) == 2
    await engine.until(CLOSES - MINUTE)
    assert engine.opens("front", given)
    await engine.until(CLOSES + MINUTE)
    assert not engine.opens("front", given)
    assert given not in {code.pin for code in engine.app.holds("front")}


async def test_r25_two_stays_that_need_one_get_two(start):
    engine = await start({"gate": "standard"}, at=OPENS - DAY)
    other = await engine.add_property("Boat House", "prop-8")
    await engine.match("gate", other)
    engine.app.script("gate", *BROKEN, on=[Verb.SET])
    await engine.book()
    await engine.book(id="R2", code="HM2", home="prop-8", guest="Max Other")
    await engine.until(EIGHT)
    (one,) = engine.told_guest("backup_code")
    (two,) = engine.told_guest("backup_code", "R2")
    pins = engine.backup_pins("gate")
    assert {pin for pin in pins if pin in one.text}.isdisjoint(pin for pin in pins if pin in two.text)


async def test_r25_of_processes_that_give_at_once_each_stay_gets_one_of_its_own(postgres_url, crowd):
    engine, processes = await crowd(postgres_url, 4, {"gate": "standard"}, at=OPENS - DAY)
    for number in (1, 2):
        place = await engine.add_property(f"House {number}", f"prop-{number}")
        await engine.match("gate", place)
        await engine.book(id=f"R{number}", code=f"HM{number}", home=f"prop-{number}", guest=f"Guest {number}")
    lock = engine.lock_row("gate")

    async def give(services, ref):
        stay, window = engine.stay(ref), engine.ask(_window, engine, ref)
        return await transact(
            services, lambda c: backup.give(c, services, stay, lock, window, engine.now, why="a race")
        )

    given = await asyncio.gather(*(give(services, f"R{n % 2 + 1}") for n, services in enumerate(processes)))
    assert given == [True] * 4
    theirs = engine.ask(codes.backups_given_to, engine.services.vault, [engine.stay("R1").id, engine.stay("R2").id])
    assert [len(mine) for mine in theirs.values()] == [1, 1]
    assert len({mine[0].placement.pin for mine in theirs.values()}) == 2
    assert len([one for one in engine.backups("gate") if one.given_to is None]) == 2


def _window(connection, engine, ref):
    return codes.placements_of(connection, engine.services.vault, [engine.code(ref)])[engine.code(ref)][
        0
    ].placement.window


async def test_r25_processes_that_fill_pools_at_once_make_two_backups_on_each_lock(postgres_url, crowd):
    engine, processes = await crowd(postgres_url, 4, {"gate": "standard"}, backups_per_lock=0)
    await asyncio.gather(*(housekeeping.fill_pools(services, engine.now) for services in processes))
    assert len(engine.backups("gate")) == 2


async def test_r25_when_the_pool_is_empty_the_host_is_told_at_once_and_once(start):
    engine = await with_a_broken_lock(start, backups_per_lock=0)
    await engine.until(EIGHT)
    assert len(engine.told_host("push_failed")) == 1
    stay, lock = engine.stay(), engine.lock_row()
    window = engine.ask(_window, engine, "res-4711")
    for _ in range(2):
        given = await engine.write(
            lambda c: backup.give(c, engine.services, stay, lock, window, engine.now, why="a test")
        )
        assert given is False
    await engine.work()
    assert len(engine.told_host("pool_empty")) == 1


async def test_r25_a_lock_that_cannot_be_reached_still_has_its_backups_to_give(start):
    engine = await start(at=OPENS - DAY)
    engine.app.offline("front")
    await engine.book()
    await engine.until(OPENS + MINUTE)
    (told,) = engine.told_guest("backup_code")
    assert any(pin in told.text and engine.opens("front", pin) for pin in engine.backup_pins())


async def test_r25_a_backup_follows_when_the_stay_is_extended(start):
    engine = await with_a_broken_lock(start)
    await engine.until(EIGHT)
    (told,) = engine.told_guest("backup_code")
    (given,) = [pin for pin in engine.backup_pins() if pin in told.text]
    await engine.book(happening="changed", departure="2026-06-17")
    await engine.until(CLOSES + DAY - MINUTE)
    assert engine.opens("front", given)
    await engine.until(CLOSES + DAY + MINUTE)
    assert not engine.opens("front", given)


async def test_r43_three_hours_before_the_host_is_told_once_about_all_arrivals_at_risk(start):
    engine = await start({"front": "standard", "boat": "standard"}, at=EIGHT + HOUR)
    other = await engine.add_property("Boat House", "prop-8")
    await engine.unmatch("boat")
    await engine.match("boat", other)
    for lock in engine.locks:
        engine.app.script(lock, *BROKEN, on=[Verb.SET])
    await engine.book()
    await engine.book(id="R2", code="HM2", home="prop-8", guest="Max Other")
    await engine.until(OPENS - 3 * HOUR - MINUTE)
    assert engine.told_host("arrivals_at_risk") == []
    await engine.until(OPENS - MINUTE)
    (told,) = engine.told_host("arrivals_at_risk")
    assert "Ida Example" in told.text
    assert "Max Other" in told.text


async def test_r43_twenty_four_hours_before_an_arrival_an_unset_code_is_attempted(start):
    engine = await start(at=OPENS - DAY - HOUR)
    engine.app.script("front", *[Fault.REJECTED] * 3, on=[Verb.SET])
    await engine.book()
    await engine.passes(10 * MINUTE)
    tried = _attempts(engine)
    await engine.until(OPENS - DAY + MINUTE)
    assert OPENS - DAY in set(_attempts(engine)) - set(tried)
    assert engine.statuses() == {"front": "scheduled"}


def _attempts(engine):
    return [entry.at for entry in engine.view().history if entry.kind == "asked_to_set"]


async def test_r43_a_lock_low_on_battery_is_told_together_with_the_arrivals_it_threatens(start):
    engine = await start(at=OPENS - 2 * DAY)
    await engine.book()
    engine.app.battery("front", 0.05)
    await engine.until(OPENS - DAY)
    (told,) = engine.told_host("battery_low")
    assert "Ida Example" in told.text


async def test_r23_a_long_time_without_any_process_ends_in_order(start):
    engine = await start(at=OPENS - 10 * DAY)
    await engine.book()
    engine.clock.set(CLOSES - timedelta(hours=30))
    await engine.restart()
    await engine.work()
    await engine.passes(5 * MINUTE)
    assert engine.opens("front")
    assert len(engine.told_guest("access_code")) == 1


async def test_r43_a_lock_that_its_app_lists_as_offline_is_looked_at_at_once(start):
    engine = await start()
    engine.app.offline("front")
    (app,) = engine.ask(hosts.lock_apps_of_host, engine.services.vault, engine.host)
    await connect.sync_locks(engine.services, app, engine.now)
    await engine.work()
    row = engine.ask(locks.get_lock, engine.host, engine.locks["front"])
    assert row.offline_since == engine.now
