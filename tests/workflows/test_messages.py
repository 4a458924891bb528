"""What guests and hosts are told, when, and only once."""

from datetime import timedelta

import pytest

from lockbridge.domain.messages import WhenNotReady
from lockbridge.messaging.channel import SendLater, SendRefused, SendUnknown
from lockbridge.storage import outbox
from lockbridge.storage.outbox import NewMessage
from providers.simulator import Fault, Verb
from tests.platforms.make_believe import Booking
from tests.workflows.engine import CLOSES, DAY, GUEST_EMAIL, HOST_EMAIL, HOUR, MINUTE, OPENS

BROKEN = [Fault.REJECTED] * 60


async def test_r34_the_guest_is_told_the_pin_that_opens_the_door_the_locks_and_the_local_times(start):
    engine = await start({"front": "standard", "side": "standard"}, at=OPENS - 2 * DAY)
    await engine.book()
    await engine.until(OPENS - DAY)
    (mail,) = engine.mails()
    for fact in (engine.pin(), "Ida", "Lake House", "front", "side", "4:00 PM", "11:00 AM"):
        assert fact in mail.text
    assert engine.pin() not in mail.subject


async def test_r34_on_divergent_locks_the_message_has_one_line_for_each_lock(start):
    engine = await start({"front": "standard", "box": "algorithmic"}, at=OPENS - 2 * DAY)
    await engine.book()
    await engine.until(OPENS - DAY + MINUTE)
    (mail,) = engine.mails()
    lines = [line.strip() for line in mail.text.splitlines()]
    for lock in ("front", "box"):
        assert any(lock in line and engine.pin(lock=lock) in line for line in lines)


async def test_r35_a_message_whose_code_is_not_ready_is_held_and_goes_with_the_confirmation(start):
    engine = await start(at=OPENS - DAY)
    engine.app.offline("front")
    await engine.book()
    await engine.passes(2 * HOUR)
    assert engine.mails() == []
    (held,) = [row for row in engine.view().messages if row.kind == "access_code"]
    assert held.state == "held"
    engine.app.online("front")
    await engine.passes(20 * MINUTE)
    assert len(engine.told_guest("access_code")) == 1


async def test_r36_at_the_windows_opening_at_the_latest_the_guest_is_told(start):
    engine = await start(at=OPENS - DAY, settings={"backups": False})
    engine.app.script("front", *BROKEN, on=[Verb.SET])
    await engine.book()
    await engine.until(OPENS - MINUTE)
    assert engine.mails() == []
    await engine.until(OPENS + MINUTE)
    (mail,) = engine.mails()
    assert engine.pin() in mail.text


async def test_r35_a_host_may_choose_a_fallback_text_for_a_code_that_is_not_ready(start):
    engine = await start(at=OPENS - DAY, settings={"backups": False}, when_not_ready=WhenNotReady.FALLBACK)
    engine.app.offline("front")
    await engine.book()
    await engine.passes(HOUR)
    (mail,) = engine.mails()
    assert engine.pin() not in mail.text
    assert len(engine.told_guest("fallback")) == 1
    engine.app.online("front")
    await engine.passes(HOUR)
    assert engine.pin() in engine.mails()[-1].text
    assert len(engine.mails()) == 2


async def test_r35_a_host_may_choose_the_backup_code_for_a_code_that_is_not_ready(start):
    engine = await start(at=OPENS - DAY, when_not_ready=WhenNotReady.BACKUP)
    engine.app.offline("front")
    await engine.book()
    await engine.passes(MINUTE)
    (mail,) = engine.mails()
    assert any(pin in mail.text for pin in engine.backup_pins())


async def test_r36_whether_a_pin_was_told_is_judged_from_the_text_that_was_sent(start):
    engine = await start(at=OPENS - DAY)
    await engine.book()
    (line,) = [line for line in engine.view().access if not line.is_backup]
    assert len(engine.told_guest("access_code")) == 1
    placed = engine.placed()
    assert [item.told for item in placed] == [True]
    assert [item.told_another for item in placed] == [False]
    assert line.shown.status == "scheduled"


async def test_r38_a_mail_server_that_is_not_ready_gets_the_same_message_again_later(start):
    engine = await start(at=OPENS - DAY)
    refusals = [SendLater("greylisted", timedelta(minutes=7)), SendUnknown("the line went dead")]

    def refuses(_email) -> None:
        if refusals:
            raise refusals.pop(0)

    engine.mail.before = refuses
    await engine.book()
    assert engine.mails() == []
    await engine.passes(7 * MINUTE - timedelta(seconds=1))
    assert engine.mails() == []
    await engine.passes(20 * MINUTE)
    assert len(engine.mails()) == 1
    assert len(engine.told_guest("access_code")) == 1


async def test_r38_a_message_accepted_without_our_knowing_is_sent_again_under_the_same_message_id(start):
    engine = await start(at=OPENS - DAY)
    unsure = [SendUnknown("the line went dead")]

    def dies(_email) -> None:
        if unsure:
            raise unsure.pop()

    engine.mail.after = dies
    await engine.book()
    await engine.passes(HOUR)
    assert len(engine.mails()) == 2
    assert len({mail.message_id for mail in engine.mails()}) == 1


async def test_a_guest_whose_address_is_refused_is_told_to_the_host_once(start):
    engine = await start(at=OPENS - DAY)

    def refuses(email) -> None:
        if email.to == GUEST_EMAIL:
            raise SendRefused

    engine.mail.before = refuses
    await engine.book()
    await engine.until(OPENS)
    assert len(engine.told_host("message_refused")) == 1
    assert engine.mails() == []


async def test_a_guest_without_an_address_is_told_to_the_host(start):
    engine = await start(at=OPENS - DAY)
    await engine.book(email=None)
    assert len(engine.told_host("message_refused")) == 1


async def test_a_mistake_of_ours_in_one_message_keeps_no_other_from_being_sent(start):
    engine = await start(at=OPENS - DAY)
    broken = NewMessage(engine.host, "broken:1", "no such kind", engine.now - HOUR, to_host=True)
    await engine.write(lambda c: outbox.add(c, [broken], engine.now))
    await engine.book()
    assert len(engine.mails()) == 1
    (row,) = [row for row in engine.ask(outbox.of_host, engine.services.vault, engine.host) if row.key == "broken:1"]
    assert row.state == "waiting"
    assert "our mistake" in row.error


async def test_a_mail_server_that_takes_minutes_keeps_no_message_from_another_process(start, monkeypatch):
    engine = await start(at=OPENS - DAY)
    seconds = [0.0]
    monkeypatch.setattr("lockbridge.workflows.notify.monotonic", lambda: seconds[0])

    def slow(_email) -> None:
        seconds[0] += 100

    engine.mail.before = slow
    for number in range(4):
        await engine.say(Booking(id=f"R{number}", code=f"HM{number}"), guest=f"Guest {number}")
    await engine.tick()
    assert len(engine.mail.sent) == 1
    await engine.passes(11 * MINUTE)
    assert len(engine.mail.sent) == 4
    assert len({mail.message_id for mail in engine.mail.sent}) == 4


async def test_a_cancelled_stay_is_told_nothing_more(start):
    engine = await start(at=OPENS - 3 * DAY)
    await engine.book()
    await engine.book(happening="cancelled", status="cancelled")
    await engine.until(CLOSES)
    assert engine.mails() == []


async def test_a_stay_moved_to_later_dates_is_told_in_time_for_these(start):
    engine = await start(at=OPENS - 3 * DAY)
    await engine.book()
    await engine.book(happening="changed", arrival="2026-06-20", departure="2026-06-22")
    await engine.until(OPENS + DAY)
    assert engine.mails() == []
    await engine.until(OPENS + 6 * DAY)
    assert len(engine.mails()) == 1


async def test_the_hosts_mails_go_to_the_host_and_hold_no_digits(start):
    engine = await start(at=OPENS - DAY, settings={"backups": False})
    engine.app.script("front", *BROKEN, on=[Verb.SET])
    await engine.book()
    await engine.until(OPENS + HOUR)
    told = engine.mails(HOST_EMAIL)
    assert told
    assert not any(engine.pin() in mail.text for mail in told)


@pytest.mark.parametrize("moment", [OPENS - 25 * HOUR, OPENS - 23 * HOUR])
async def test_the_code_message_goes_a_day_ahead_or_at_once(start, moment):
    engine = await start(at=OPENS - 3 * DAY)
    await engine.until(moment)
    await engine.book()
    assert len(engine.mails()) == (moment > OPENS - DAY)
    await engine.until(OPENS - DAY + MINUTE if moment < OPENS - DAY else moment)
    assert len(engine.mails()) == 1
