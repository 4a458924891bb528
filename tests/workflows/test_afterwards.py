"""What a host did to a stay holds, whatever happens afterwards: revoked codes stay off, issued digits stay."""

import pytest

from lockbridge.domain.messages import HostAlarm
from lockbridge.storage import activity, audit, journal, locks, people
from lockbridge.workflows import (
    backup,
    clean_up,
    connect,
    demo_host,
    guest,
    guest_at_door,
    healthcheck,
    push,
    resync,
    stay_actions,
)
from lockbridge.workflows.connect import BadInput
from tests.platforms.make_believe import Booking
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, OPENS

TWO = {"front": "standard", "flat": "queueing"}


async def act(engine, action, *args, ref=Booking.id, **options):
    said = await action(engine.services, engine.host, engine.stay(ref).id, *args, engine.now, **options)
    await engine.work()
    return said


async def _match_again(engine):
    await engine.unmatch("front")
    await engine.work()
    await engine.match("front")


async def _move_and_back(engine):
    await engine.add_property("Other", "prop-8")
    await engine.book(home="prop-8", departure="2026-06-20")
    await engine.passes(MINUTE)
    await engine.book(home="prop-7", departure="2026-06-20")


async def _cancel_and_confirm(engine):
    await engine.book(status="cancelled", departure="2026-06-20")
    await engine.passes(MINUTE)
    await engine.book(departure="2026-06-20")


async def _resync(engine):
    await resync.resync(engine.services, engine.locks["front"], engine.now)


async def _next_booking(engine):
    await engine.book(id="R2", code="HM2", arrival="2026-06-20", departure="2026-06-22")


async def _phone(engine):
    await engine.book(phone="+15550149876", departure="2026-06-20")


async def _settings(engine):
    await connect.change_settings(engine.services, engine.host, engine.place, {"pin_length": 6}, engine.now)


EVENTS = [_match_again, _move_and_back, _cancel_and_confirm, _resync, _next_booking, _phone, _settings]


@pytest.mark.parametrize("event", EVENTS)
async def test_a_revoked_code_and_its_backups_stay_off_whatever_happens_next(start, event):
    engine = await start(TWO)
    await engine.book(departure="2026-06-20")
    await engine.until(OPENS + HOUR)
    await act(engine, stay_actions.give_backup, engine.locks["front"])
    pins = {engine.pin(), *(line.pin.digits for line in engine.view().access if line.is_backup)}
    assert len(pins) == 2
    await act(engine, stay_actions.revoke)
    await event(engine)
    for _ in range(40):
        await engine.passes(2 * HOUR)
        assert not any(engine.opens(lock, pin) for lock in TWO for pin in pins)
    assert engine.told_guest("correction") == []
    assert len(engine.told_guest("backup_code")) == 1


@pytest.mark.parametrize("event", EVENTS)
async def test_issued_digits_stay_whatever_happens_next(start, event):
    engine = await start(TWO, settings={"pin_mode": "phone"})
    await engine.book(departure="2026-06-20")
    await engine.until(OPENS + HOUR)
    old = engine.pin()
    await act(engine, stay_actions.reissue)
    await engine.passes(HOUR)
    fresh = engine.pin()
    await event(engine)
    await engine.passes(HOUR)
    assert engine.pin() == fresh
    assert all(engine.opens(lock, fresh) and not engine.opens(lock, old) for lock in TWO)
    assert len(engine.told_guest("correction")) == 1


@pytest.mark.parametrize("action", [stay_actions.restore, stay_actions.reissue])
async def test_a_code_that_is_back_before_it_was_told_is_told_once(start, action):
    engine = await start()
    await engine.book()
    await engine.until(OPENS - 3 * DAY + HOUR)
    await act(engine, stay_actions.revoke)
    await act(engine, action)
    await engine.until(CLOSES)
    (told,) = engine.told_guest("access_code")
    assert engine.pin() in told.text
    assert engine.told_guest("correction") == []


async def test_nothing_is_done_to_a_stay_that_was_over_before_it_was_known(start):
    engine = await start(at=CLOSES + 2 * DAY)
    await engine.book()
    assert engine.stay().code is None
    for action, *more in ((stay_actions.give_backup, engine.locks["front"]), (stay_actions.reissue,)):
        with pytest.raises(BadInput, match="is over"):
            await act(engine, action, *more)
    assert engine.told_guest("backup_code") == []


async def test_a_revoked_code_that_a_lock_cannot_take_back_is_said_to_stay_valid(start):
    engine = await start({"front": "algorithmic"})
    await engine.book(departure="2026-06-20")
    await engine.until(OPENS + HOUR)
    pin = engine.pin(lock="front")
    said = await act(engine, stay_actions.revoke)
    assert engine.opens("front", pin)
    assert "stays valid on front" in said


async def test_r25_guests_who_share_a_code_get_one_backup_on_a_lock(start):
    engine = await start()
    await engine.book()
    await engine.book(id="R2", code="HM2", arrival="2026-06-16", departure="2026-06-18")
    await engine.until(OPENS + HOUR)
    await act(engine, stay_actions.give_backup, engine.locks["front"])
    said = await act(engine, stay_actions.give_backup, engine.locks["front"], ref="R2")
    assert "given to this stay already" in said


async def test_no_backup_is_given_to_a_stay_whose_code_was_revoked_meanwhile(start):
    engine = await start()
    await engine.book()
    await engine.until(OPENS + HOUR)
    before, (item,) = engine.stay(), engine.placed()
    await act(engine, stay_actions.revoke)
    lock = engine.lock_row()
    gave = await engine.write(
        lambda c: backup.give(c, engine.services, before, lock, item.placement.window, engine.now, why="late")
    )
    await engine.work()
    assert not gave
    assert engine.told_guest("backup_code") == []


async def test_a_guest_whose_code_was_revoked_is_led_to_the_host_only(start):
    engine = await start()
    await engine.book()
    await engine.until(OPENS + HOUR)
    token = await guest.link(engine.services, engine.host, engine.stay().id, engine.now)
    await act(engine, stay_actions.revoke)

    async def look(_lock):
        await engine.work()

    step = await guest_at_door.ask(engine.services, token, engine.locks["front"], look, engine.now)
    assert step == "call"
    page = await guest.visit(engine.services, token, engine.now)
    assert all(door.pin is None and door.backup is None for door in page.doors)
    assert HostAlarm.GUEST_AT_DOOR in {alarm.partition(":")[0] for alarm in engine.alarms()}


@pytest.mark.parametrize("facts", [{"home": "nowhere"}, {"status": "pending"}, {"status": "cancelled"}])
async def test_r45_guests_of_stays_that_never_got_a_code_are_forgotten_too(start, facts):
    engine = await start()
    await engine.book(**facts)
    assert engine.stay().guest_name
    engine.clock.set(CLOSES + 399 * DAY)
    await clean_up.clean_up(engine.services, engine.now)
    assert engine.stay().guest_name
    engine.clock.set(CLOSES + 402 * DAY)
    await clean_up.clean_up(engine.services, engine.now)
    assert engine.stay().guest_name is None
    assert engine.stay().contact.phone is None


async def test_what_was_run_for_a_demo_host_is_not_told_of_the_next_host_of_its_number(start):
    """SQLite gives the number of a row that is gone to the next one."""
    engine = await start()
    services = engine.services
    engine.app.add_lock("demo-door", name="Demo door", rules="standard")
    person = await engine.write(lambda c: people.add(c, services.vault, "ida@example.com", "Ida", engine.now))
    host = await demo_host.make(services, engine.ask(people.get, services.vault, person), {}, engine.now)
    await engine.work()
    doors = [row.id for row in engine.ask(locks.locks_of_host, host)]
    await healthcheck.check_host(services, host, engine.now, push.nobody)
    await resync.resync(services, doors[0], engine.now)
    names = [healthcheck.run_of(host), resync.run_of(doors[0])]
    assert all(engine.ask(journal.last_run, name) for name in names)
    await demo_host.remove(services, host, engine.now)
    assert not any(engine.ask(journal.last_run, name) for name in names)


async def test_a_property_that_is_called_like_a_stay_with_an_endless_number_is_only_a_name(start):
    engine = await start()
    deed = audit.Deed(engine.now, engine.host, "Ida", "added the property", f"stay {'9' * 30}")
    await engine.write(lambda c: audit.write(c, deed))
    wanted = activity.Wanted(engine=False)
    (found,) = engine.ask(activity.search, engine.host, wanted, activity.Place(), 10)
    assert found.stay is None
    assert engine.ask(activity.names, engine.host, [found]).stays == {}


async def test_a_code_that_waits_for_a_phone_number_is_issued_at_once_and_keeps_its_digits(start):
    engine = await start(settings={"pin_mode": "phone"})
    await engine.book(phone=None)
    assert engine.view().code is None or engine.view().code.pin is None
    await act(engine, stay_actions.reissue)
    issued = engine.pin()
    await engine.book(phone="+15550149876")
    await engine.until(OPENS + HOUR)
    assert engine.pin() == issued
    assert engine.opens("front", issued)
    (told,) = engine.told_guest("access_code")
    assert issued in told.text


@pytest.mark.parametrize("rules", ["standard", "queueing", "slots"])
async def test_r36_digits_issued_while_the_lock_is_out_of_reach_are_told_when_it_has_them_and_once(start, rules):
    engine = await start({"front": rules}, settings={"backups": False})
    await engine.book(departure="2026-06-20")
    await engine.until(OPENS + HOUR)
    old = engine.pin()
    engine.app.offline("front")
    await act(engine, stay_actions.reissue)
    await engine.passes(HOUR)
    await act(engine, stay_actions.reissue)
    await engine.passes(9 * HOUR)
    assert engine.opens("front", old)
    assert engine.told_guest("correction") == []
    engine.app.online("front")
    await engine.until(CLOSES)
    (correction,) = engine.told_guest("correction")
    assert engine.pin() in correction.text
    assert engine.opens("front")
    assert not engine.opens("front", old)
