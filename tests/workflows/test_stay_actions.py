"""What a host does to one stay: a backup, other digits, no code at all, another try, other times."""

from datetime import UTC, datetime, timedelta

import pytest

from lockbridge.domain.ids import HostId
from lockbridge.domain.stay import StayStatus
from lockbridge.workflows import reservations, stay_actions
from lockbridge.workflows.connect import BadInput, change_settings
from tests.platforms.make_believe import Booking
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, OPENS

TWO = {"front": "standard", "flat": "queueing"}


async def act(engine, action, *args, ref=Booking.id, **options):
    """A host's action on a stay, and everything that is due then."""
    said = await action(engine.services, engine.host, engine.stay(ref).id, *args, engine.now, **options)
    await engine.work()
    return said


# ------------------------------------------------------------------------------------------------------ a backup code


async def test_r25_a_backup_that_a_host_gives_opens_until_the_stay_ends_and_the_guest_is_told(start):
    engine = await start()
    await engine.book()
    await engine.until(OPENS + HOUR)
    said = await act(engine, stay_actions.give_backup, engine.locks["front"])
    assert "is given" in said
    (line,) = [line for line in engine.view().access if line.is_backup]
    assert line.pin.digits in engine.told_guest("backup_code")[0].text
    assert engine.opens("front", line.pin.digits)
    await engine.until(CLOSES + MINUTE)
    assert not engine.opens("front", line.pin.digits)


async def test_r25_a_second_backup_for_the_same_stay_and_lock_is_never_given(start):
    engine = await start()
    await engine.book()
    await engine.until(OPENS + HOUR)
    await act(engine, stay_actions.give_backup, engine.locks["front"])
    said = await act(engine, stay_actions.give_backup, engine.locks["front"])
    assert "given to this stay already" in said
    assert len([line for line in engine.view().access if line.is_backup]) == 1
    assert len(engine.told_guest("backup_code")) == 1


async def test_r25_without_a_backup_that_is_ready_the_host_reads_so_and_is_told(start):
    engine = await start(settings={"backups": False})
    await engine.book()
    await engine.until(OPENS + HOUR)
    with pytest.raises(BadInput, match="no backup code is ready"):
        await act(engine, stay_actions.give_backup, engine.locks["front"])
    await engine.work()
    assert len(engine.told_host("pool_empty")) == 1


async def test_a_backup_is_not_given_long_ahead_nor_on_a_lock_of_another_property_nor_for_a_stay_that_is_over(start):
    engine = await start()
    engine.app.add_account("second", token="t2")
    await engine.connect_locks({"far": "standard"}, account="second")
    await engine.book()
    with pytest.raises(BadInput, match="24 hours before"):
        await act(engine, stay_actions.give_backup, engine.locks["front"])
    await engine.until(OPENS - HOUR)
    with pytest.raises(BadInput, match="none of the stay's doors"):
        await act(engine, stay_actions.give_backup, engine.locks["far"])
    await engine.until(CLOSES + HOUR)
    with pytest.raises(BadInput, match="is over"):
        await act(engine, stay_actions.give_backup, engine.locks["front"])
    assert [line for line in engine.view().access if line.is_backup] == []


# ------------------------------------------------------------------------------------------------------- other digits


@pytest.mark.parametrize("rules", ["standard", "queueing", "unique-names", "first-four", "hourly", "masked", "nuki"])
async def test_r11_a_reissued_code_opens_every_lock_and_the_old_one_none(start, rules):
    engine = await start({"front": rules, "side": "standard"})
    await engine.book()
    await engine.until(OPENS + HOUR)
    old = engine.pin()
    await act(engine, stay_actions.reissue)
    await engine.passes(5 * MINUTE)
    assert engine.pin() != old
    for lock in engine.locks:
        assert engine.opens(lock, engine.pin())
        assert not engine.opens(lock, old)


async def test_r36_a_guest_who_was_told_the_old_digits_gets_one_correction_for_all_doors(start):
    engine = await start(TWO)
    await engine.book()
    await engine.until(OPENS + HOUR)
    assert engine.pin() in engine.told_guest("access_code")[0].text
    await act(engine, stay_actions.reissue)
    await engine.until(CLOSES + DAY)
    (correction,) = engine.told_guest("correction")
    assert engine.pin() in correction.text
    assert len(engine.told_guest("access_code")) == 1


async def test_r36_a_guest_who_was_told_nothing_yet_is_told_the_new_digits_only(start):
    engine = await start()
    await engine.book()
    old = engine.pin()
    await act(engine, stay_actions.reissue)
    await engine.until(CLOSES + DAY)
    assert engine.told_guest("correction") == []
    (told,) = engine.told_guest("access_code")
    assert engine.pin() in told.text
    assert old not in told.text


async def test_r36_the_correction_waits_for_the_lock_since_the_old_digits_open_until_then(start):
    engine = await start()
    await engine.book()
    await engine.until(OPENS + HOUR)
    old = engine.pin()
    engine.app.offline("front")
    await act(engine, stay_actions.reissue)
    await engine.passes(HOUR)
    assert engine.told_guest("correction") == []
    assert engine.opens("front", old)
    engine.app.online("front")
    await engine.passes(7 * HOUR)
    assert len(engine.told_guest("correction")) == 1
    assert engine.opens("front")
    assert not engine.opens("front", old)


async def test_r36_two_codes_issued_one_after_the_other_lead_to_one_correction_with_the_last(start):
    engine = await start()
    await engine.book()
    await engine.until(OPENS + HOUR)
    stay = engine.stay().id
    await stay_actions.reissue(engine.services, engine.host, stay, engine.now)
    await stay_actions.reissue(engine.services, engine.host, stay, engine.now)
    await engine.passes(HOUR)
    (correction,) = engine.told_guest("correction")
    assert engine.pin() in correction.text


async def test_digits_of_the_phone_do_not_come_back_when_the_stay_is_planned_again(start):
    engine = await start(settings={"pin_mode": "phone"})
    await engine.book(phone="+15550105678")
    assert engine.pin() == "5678"
    await act(engine, stay_actions.reissue)
    fresh = engine.pin()
    assert fresh != "5678"
    assert engine.view().code.pin_reason == "reissued"
    await engine.book(phone="+15550105678", departure="2026-06-18")
    await change_settings(engine.services, engine.host, engine.place, {"pin_mode": "phone"}, engine.now)
    await engine.until(OPENS)
    assert engine.pin() == fresh
    assert engine.opens("front")


async def test_r44_stays_that_share_a_code_share_the_new_one(start):
    engine = await start()
    await engine.book()
    await engine.book(id="R2", code="HM2", arrival="2026-06-16", departure="2026-06-18")
    await engine.until(OPENS + HOUR)
    assert engine.pin() == engine.pin("R2")
    await act(engine, stay_actions.reissue, ref="R2")
    assert engine.pin() == engine.pin("R2")
    await engine.until(CLOSES + DAY)
    assert engine.opens("front")


async def test_a_lock_whose_app_chooses_the_digits_cannot_be_given_others_and_nothing_changes(start):
    engine = await start({"front": "algorithmic"})
    await engine.book()
    await engine.until(OPENS + HOUR)
    before = engine.placed()
    with pytest.raises(BadInput, match="chooses the digits itself"):
        await act(engine, stay_actions.reissue)
    assert engine.placed() == before


# ------------------------------------------------------------------------------------------------------------ no code


@pytest.mark.parametrize(("rules", "takes"), [("standard", 0), ("unique-names", 0), ("slots", 1), ("nuki", 2)])
async def test_a_revoked_code_opens_no_door_from_now_on_and_stays_off(start, rules, takes):
    engine = await start({"front": rules, "side": "standard"})
    await engine.book()
    await engine.until(OPENS + HOUR)
    pin = engine.pin()
    await stay_actions.revoke(engine.services, engine.host, engine.stay().id, engine.now)
    await engine.passes(takes * MINUTE)
    for lock in engine.locks:
        assert not engine.opens(lock, pin)
    await engine.book(departure="2026-06-18", check_out="12:00")
    await change_settings(engine.services, engine.host, engine.place, {"buffer_after_minutes": 60}, engine.now)
    await engine.passes(DAY)
    for lock in engine.locks:
        assert engine.held(lock) == []
        assert not engine.opens(lock, pin)
    assert set(engine.statuses().values()) == {"removed"}


async def test_a_code_that_is_revoked_long_before_the_stay_comes_off_at_once_and_is_never_told(start):
    engine = await start(settings={})
    await engine.book()
    await engine.until(OPENS - 2 * DAY)
    assert len(engine.held()) == 1
    await act(engine, stay_actions.revoke)
    assert engine.held() == []
    await engine.until(CLOSES + DAY)
    assert engine.told_guest("access_code") == []


async def test_revoking_takes_off_backups_that_were_given_too(start):
    engine = await start()
    await engine.book()
    await engine.until(OPENS + HOUR)
    await act(engine, stay_actions.give_backup, engine.locks["front"])
    (line,) = [line for line in engine.view().access if line.is_backup]
    await act(engine, stay_actions.revoke)
    assert not engine.opens("front", line.pin.digits)
    with pytest.raises(BadInput, match="was revoked"):
        await act(engine, stay_actions.give_backup, engine.locks["front"])


@pytest.mark.parametrize("waits", [timedelta(0), DAY])
async def test_a_code_issued_after_a_revocation_has_other_digits_and_the_guest_is_told_once(start, waits):
    engine = await start(TWO)
    await engine.book(departure="2026-06-20")
    await engine.until(OPENS + HOUR)
    old = engine.pin()
    await act(engine, stay_actions.revoke)
    await engine.passes(waits)
    await act(engine, stay_actions.reissue)
    await engine.passes(HOUR)
    for lock in engine.locks:
        assert engine.opens(lock)
        assert not engine.opens(lock, old)
    (correction,) = engine.told_guest("correction")
    assert engine.pin() in correction.text


async def test_a_revocation_that_is_taken_back_leaves_everything_as_it_was(start):
    engine = await start(TWO)
    await engine.book()
    await engine.until(OPENS + HOUR)
    pin = engine.pin()
    await act(engine, stay_actions.revoke)
    await act(engine, stay_actions.restore)
    await engine.passes(HOUR)
    assert engine.pin() == pin
    assert all(engine.opens(lock, pin) for lock in engine.locks)
    assert engine.told_guest("correction") == []
    with pytest.raises(BadInput, match="was not revoked"):
        await act(engine, stay_actions.restore)


async def test_r44_revoking_one_of_two_stays_with_one_code_takes_the_code_from_both(start):
    engine = await start()
    await engine.book()
    await engine.book(id="R2", code="HM2", arrival="2026-06-16", departure="2026-06-18")
    await engine.until(OPENS + HOUR)
    await act(engine, stay_actions.revoke)
    await engine.until(CLOSES + DAY)
    assert engine.held() == []


async def test_a_lock_that_cannot_be_reached_loses_a_revoked_code_as_soon_as_it_can(start):
    engine = await start()
    await engine.book()
    await engine.until(OPENS + HOUR)
    pin = engine.pin()
    engine.app.offline("front")
    said = await act(engine, stay_actions.revoke)
    assert "removing" in said
    engine.app.online("front")
    await engine.passes(6 * HOUR)
    assert not engine.opens("front", pin)


# --------------------------------------------------------------------------------------------- another try, other times


async def test_trying_again_does_not_wait_for_what_a_lock_was_to_wait_for(start):
    engine = await start(at=OPENS - HOUR)
    engine.app.offline("front")
    await engine.book()
    await engine.passes(20 * MINUTE)
    assert not engine.opens("front", at=OPENS)
    engine.app.online("front")
    said = await act(engine, stay_actions.try_again)
    assert "front: scheduled" in said
    assert engine.opens("front", at=OPENS)


async def test_trying_again_says_what_is_still_wrong(start):
    engine = await start(at=OPENS - HOUR)
    engine.app.offline("front")
    await engine.book()
    assert "front: pending" in (said := await act(engine, stay_actions.try_again)) or "failed" in said
    assert engine.pin() not in said


async def test_r41_other_times_of_a_stay_move_its_window_and_empty_ones_take_that_back(start):
    engine = await start()
    await engine.book()
    await act(engine, stay_actions.set_times, "14:00", "13:30")
    await engine.until(OPENS - 2 * HOUR)
    assert engine.opens("front")
    assert engine.opens("front", at=CLOSES + 2 * HOUR)
    await act(engine, stay_actions.set_times, "", "")
    await engine.passes(MINUTE)
    assert not engine.opens("front")
    assert engine.opens("front", at=OPENS)
    assert not engine.opens("front", at=CLOSES + HOUR)


@pytest.mark.parametrize(("begins", "ends"), [("25:00", ""), ("", "noon"), ("4 pm", "")])
async def test_r41_times_that_are_none_are_refused_with_how_to_write_them(start, begins, ends):
    engine = await start()
    await engine.book()
    with pytest.raises(BadInput, match="write it like 16:00"):
        await act(engine, stay_actions.set_times, begins, ends)


async def test_r41_a_stay_cannot_end_before_it_begins(start):
    engine = await start()
    await engine.book(arrival="2026-06-14", departure="2026-06-14", check_in="10:00", check_out="18:00")
    with pytest.raises(BadInput, match="make no stay"):
        await act(engine, stay_actions.set_times, "20:00", "09:00")
    assert engine.stay().host_check_in is None


async def test_nobody_does_anything_to_another_hosts_stay(start):
    engine = await start()
    await engine.book()
    stay, other = engine.stay().id, HostId(engine.host + 1)
    for action, args in (
        (stay_actions.give_backup, (engine.locks["front"],)),
        (stay_actions.reissue, ()),
        (stay_actions.revoke, ()),
        (stay_actions.restore, ()),
        (stay_actions.try_again, ()),
        (stay_actions.set_times, ("14:00", "")),
    ):
        with pytest.raises(BadInput, match="no such stay"):
            await action(engine.services, other, stay, *args, engine.now)


async def test_a_cancelled_stay_gets_no_new_code(start):
    engine = await start()
    await engine.book()
    await reservations.decide(engine.services, engine.host, engine.stay().id, StayStatus.CANCELLED, engine.now)
    with pytest.raises(BadInput, match="confirm it first"):
        await act(engine, stay_actions.reissue)


async def test_r40_each_action_is_told_in_the_stays_history_and_none_says_digits(start):
    engine = await start(at=datetime(2026, 6, 14, 12, 0, tzinfo=UTC))
    await engine.book()
    pins = {engine.pin()}
    said = [await act(engine, stay_actions.give_backup, engine.locks["front"])]
    times = (stay_actions.set_times, ("15:00", ""))
    for action, args in ((stay_actions.reissue, ()), times, (stay_actions.revoke, ())):
        said.append(await act(engine, action, *args))
        pins.add(engine.pin())
    said += [await act(engine, stay_actions.restore), await act(engine, stay_actions.try_again)]
    kinds = {entry.kind for entry in engine.view().history}
    assert {"backup_given", "reissued", "times", "revoked", "restored", "tried_again"} <= kinds
    assert not any(pin in f"{engine.whys()} {said}" for pin in pins)
