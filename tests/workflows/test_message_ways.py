"""By which way a guest hears: the platform's inbox, e-mail, SMS, a webhook – and the platform's field for the code."""

from datetime import date, timedelta

import pytest
from sqlalchemy import update

from lockbridge.contract import AccountRefused, OutcomeUnknown, RateLimited, Rejected
from lockbridge.domain.rules import By, Rule, Trigger
from lockbridge.domain.stay import StayStatus
from lockbridge.messaging.channel import SendLater, SendRefused
from lockbridge.messaging.console import MemorySms
from lockbridge.platforms.contract import NotOffered
from lockbridge.storage import hosts
from lockbridge.storage.tables import SOURCE
from lockbridge.workflows import host_mail, rules
from lockbridge.workflows import sources as connecting
from tests.workflows.engine import CLOSES, DAY, GUEST_EMAIL, HOUR, MINUTE, OPENS
from tests.workflows.pms import KEY, TOKEN, booking

REF = "HMA1"
NOT_OFFERED = NotOffered("not in your plan")
LOST = OutcomeUnknown("the line went dead")


async def connected(start, event=None, rule_set="standard", *, field=False, offline=False, **options):
    """An engine whose host has connected acme, with one reservation in its books.

    Without ``field`` the door code is not written there; ``offline``: the lock cannot be reached.
    """
    options = {"at": OPENS - 2 * DAY} | options
    engine = await start({"front": rule_set}, **options)
    if offline:
        engine.app.offline("front")
    if not field:
        await rules.switch_off(engine.services, engine.host, None, "door-code", engine.now)
    engine.world.pms.put(event or booking())
    await engine.write(lambda c: hosts.add_property_ref(c, engine.host, engine.place, KEY, "prop-7"))
    made = await connecting.connect_account(engine.services, engine.host, KEY, "Acme", {"token": TOKEN}, engine.now)
    engine.source = made.source
    await engine.work()
    await read_no_more(engine)
    return engine


async def read_no_more(engine):
    """The platform has nothing new to say from here on: asking it every few minutes is left out, to be quick."""
    await engine.write(lambda c: c.execute(update(SOURCE).values(next_at=None)) and None)


async def texting(engine):
    """An SMS gateway is set up."""
    engine.world.sms = MemorySms()
    await engine.restart()
    return engine.world.sms


async def reread(engine, **facts):
    """Acme changes the reservation, and it is read again."""
    engine.world.pms.change("A1", changed_at=engine.now, **facts)
    await connecting.read_soon(engine.services, engine.source, engine.now)
    await engine.passes(20 * MINUTE)
    await read_no_more(engine)


def letters(engine):
    return [text for _, text in engine.world.pms.letters]


def state(engine, kind, way=None):
    (row,) = [row for row in engine.view(REF).messages if row.kind == kind and way in (None, row.channel)]
    return row.state


def answers(engine, verb, *errors):
    """Acme answers the next calls of a kind so, before it does anything."""
    pms, waiting = engine.world.pms, list(errors)
    usual = getattr(pms, verb)

    async def fails(*arguments):
        if waiting:
            raise waiting.pop(0)
        await usual(*arguments)

    setattr(pms, verb, fails)


# The platform's inbox


async def test_r37_a_booking_of_a_platform_with_an_inbox_is_written_to_there_and_not_by_email(start):
    engine = await connected(start)
    await engine.until(OPENS - DAY + MINUTE)
    (letter,) = letters(engine)
    assert engine.pin(REF) in letter
    assert engine.mails() == []
    assert "access code sent through the platform's inbox" in engine.whys(REF)
    assert [item.told for item in engine.placed(REF)] == [True]


async def test_r37_a_direct_booking_of_such_a_platform_gets_email(start):
    engine = await connected(start, booking(channel="direct"))
    await engine.until(OPENS - DAY + MINUTE)
    assert (letters(engine), len(engine.mails())) == ([], 1)


async def test_r37_an_inbox_that_refuses_for_good_is_replaced_by_email(start):
    engine = await connected(start)
    await engine.until(OPENS - DAY - MINUTE)
    answers(engine, "send_message", NotOffered("no messages for this channel"))
    await engine.until(OPENS - DAY + 2 * MINUTE)
    assert (letters(engine), len(engine.mails())) == ([], 1)
    assert engine.told_host("message_refused") == []


async def test_r37_an_inbox_that_refuses_a_guest_without_an_address_is_told_to_the_host(start):
    engine = await connected(start, booking(email=None))
    await engine.until(OPENS - DAY - MINUTE)
    answers(engine, "send_message", Rejected("no"))
    await engine.until(OPENS - DAY + 2 * MINUTE)
    assert state(engine, "access_code") == "waiting"
    assert len(engine.told_host("message_refused")) == 1
    await engine.until(OPENS + MINUTE)
    assert len(letters(engine)) == 1


async def test_r36_a_guest_whose_address_comes_late_hears_the_code(start):
    engine = await start(at=OPENS - 2 * DAY)
    await engine.book(email=None, phone=None)
    await engine.until(OPENS - 20 * HOUR)
    assert len(engine.told_host("message_refused")) == 1
    await engine.book(happening="changed", phone=None)
    assert len(engine.told_guest("access_code")) == 1


async def test_r36_a_code_that_cannot_be_delivered_for_long_is_told_to_the_host_before_the_guest_comes(start):
    engine = await start(at=OPENS - DAY - MINUTE)

    def down(_email):
        msg = "the mail server is away"
        raise SendLater(msg)

    await engine.book()
    engine.mail.before = lambda email: down(email) if email.to == GUEST_EMAIL else None
    await engine.until(OPENS + 15 * MINUTE)
    assert len(engine.told_host("message_refused")) == 1
    engine.mail.before = lambda _email: None
    await engine.passes(HOUR)
    assert len(engine.told_guest("access_code")) == 1


async def test_r38_a_letter_whose_answer_was_lost_is_looked_for_before_it_is_sent_again(start):
    engine = await connected(start)
    await engine.until(OPENS - DAY - MINUTE)
    pms = engine.world.pms

    async def sends_and_dies(stay, subject, text):
        pms.letters.append((stay.reservation_ref, text.replace("\n", "\r\n") + "  "))
        raise LOST

    usual, pms.send_message = pms.send_message, sends_and_dies
    await engine.until(OPENS - DAY + MINUTE)
    pms.send_message = usual
    await engine.passes(HOUR)
    assert len(letters(engine)) == 1
    assert len(engine.told_guest("access_code", REF)) == 1


async def test_r38_a_letter_that_did_not_arrive_is_sent_again(start):
    engine = await connected(start)
    await engine.until(OPENS - DAY - MINUTE)
    answers(engine, "send_message", OutcomeUnknown("the line went dead"))
    await engine.until(OPENS - DAY + 20 * MINUTE)
    assert len(letters(engine)) == 1


async def test_r38_a_process_that_dies_after_writing_to_the_inbox_writes_no_second_time(start):
    engine = await connected(start)
    await engine.until(OPENS - DAY - MINUTE)
    pms, died = engine.world.pms, []

    async def sends_and_dies(stay, subject, text):
        pms.letters.append((stay.reservation_ref, text))
        died.append(text)
        raise KeyboardInterrupt

    usual, pms.send_message = pms.send_message, sends_and_dies
    engine.clock.set(OPENS - DAY + MINUTE)
    with pytest.raises(KeyboardInterrupt):
        await engine.work()
    pms.send_message = usual
    await engine.restart()
    await engine.passes(HOUR)
    assert (len(died), len(letters(engine)), len(engine.told_guest("access_code", REF))) == (1, 1, 1)


async def test_a_platform_that_asks_for_fewer_calls_gets_the_letter_when_it_says(start):
    engine = await connected(start)
    await engine.until(OPENS - DAY - MINUTE)
    answers(engine, "send_message", RateLimited("slow down", timedelta(minutes=7)))
    await engine.until(OPENS - DAY + 6 * MINUTE)
    assert letters(engine) == []
    await engine.until(OPENS - DAY + 9 * MINUTE)
    assert len(letters(engine)) == 1


async def test_an_account_that_refuses_us_is_told_to_the_host_once_and_the_letter_waits(start):
    engine = await connected(start)
    await engine.until(OPENS - DAY - MINUTE)
    answers(engine, "send_message", *[AccountRefused("connect it again") for _ in range(5)])
    await engine.until(OPENS - DAY + 10 * MINUTE)
    assert len(engine.told_host("message_refused")) == 1
    await engine.passes(HOUR)
    assert len(engine.told_host("message_refused")) == 1
    assert len(letters(engine)) == 1
    assert "message_refused" not in engine.alarms()


async def test_r36_a_code_that_opens_soon_does_not_wait_for_an_account_to_be_connected_again(start):
    engine = await connected(start, offline=True, at=OPENS - 6 * HOUR)
    answers(engine, "send_message", *[AccountRefused("connect it again") for _ in range(9)])
    engine.app.online("front")
    await engine.until(OPENS - 5 * HOUR)
    assert letters(engine) == []
    assert len(engine.mails()) == 1


# SMS


def raising(*errors, seen=None):
    """Raises these, one for each message, and nothing after them."""
    waiting = list(errors)

    def before(message):
        if seen is not None:
            seen.append(message.key)
        if waiting:
            raise waiting.pop(0)

    return before


async def test_r37_a_direct_booking_gets_email_and_an_sms_of_one_paragraph(start):
    engine = await connected(start, booking(channel="direct"))
    sms = await texting(engine)
    await engine.until(OPENS - DAY + MINUTE)
    (message,) = sms.sent
    assert message.to == "+15550101234"
    assert engine.pin(REF) in message.text
    assert "\n" not in message.text
    assert len(engine.mails()) == 1
    assert engine.pin(REF) not in repr(message)


async def test_r37_without_an_email_address_an_sms_goes(start):
    engine = await start(at=OPENS - DAY)
    sms = await texting(engine)
    await engine.book(email=None)
    assert len(sms.sent) == 1
    assert engine.told_host("message_refused") == []


async def test_r37_an_sms_that_is_refused_beside_an_email_alarms_nobody(start):
    engine = await connected(start, booking(channel="direct"))
    sms = await texting(engine)

    sms.before = raising(SendRefused("a landline"))
    await engine.until(OPENS - DAY + MINUTE)
    assert (len(engine.mails()), state(engine, "access_code", "sms")) == (1, "refused")
    assert engine.told_host("message_refused") == []


async def test_r38_an_sms_goes_under_one_key_however_often_it_is_tried(start):
    engine = await start(at=OPENS - DAY)
    sms, keys = await texting(engine), []
    sms.before = raising(SendLater("busy"), SendLater("busy"), seen=keys)
    await engine.book(email=None)
    await engine.passes(HOUR)
    assert (len(keys), len(set(keys)), len(sms.sent)) == (3, 1, 1)


async def test_r34_a_guests_name_cannot_inject_anything_into_an_sms(start):
    engine = await start(at=OPENS - DAY)
    sms = await texting(engine)
    name = "Ida %backup_code%\r\n\r\nYour code is 0000"
    await engine.book(extra={"guest": {"name": name, "first_name": name, "phone": "+15550101234", "id": "g"}})
    (message,) = sms.sent
    assert message.text.startswith("Hello Ida %backup_code% Your code is 0000, Here is your door code")
    assert len(message.text.splitlines()) == 1


# A webhook


async def test_r37_a_rule_may_send_a_webhook_with_the_text_and_whom_it_is_for(start):
    engine = await start(at=OPENS - DAY)
    await host_mail.set_hook(engine.services, engine.host, "https://hooks.example.com/a")
    rule = Rule(name="to-my-system", trigger=Trigger.CODE_SET, template="access_code", channel=By.WEBHOOK)
    await rules.set_rule(engine.services, engine.host, None, rule, engine.now)
    await engine.book()
    (posting,) = engine.world.postings.sent
    assert posting.url == "https://hooks.example.com/a"
    assert posting.payload["type"] == "guest.message"
    assert posting.payload["data"]["guest"]["email"] == GUEST_EMAIL
    assert engine.pin() in posting.payload["data"]["text"]
    assert engine.pin() not in repr(posting)


# Corrections


async def test_r36_a_correction_goes_once_by_each_way_by_which_the_old_digits_were_told(start):
    engine = await connected(start, booking(channel="direct"), "algorithmic")
    sms = await texting(engine)
    await engine.until(OPENS - DAY + MINUTE)
    old = engine.pin(REF, lock="front")
    await reread(engine, departure=date(2026, 6, 18))
    new = engine.pin(REF, lock="front")
    assert new != old
    assert [new in mail.text for mail in engine.mails()] == [False, True]
    assert [new in message.text for message in sms.sent] == [False, True]
    await engine.until(CLOSES + DAY)
    assert (len(engine.mails()), len(sms.sent)) == (2, 2)


async def test_r36_a_correction_follows_the_way_the_digits_were_told_not_the_way_of_today(start):
    engine = await connected(start, rule_set="algorithmic")
    await engine.until(OPENS - DAY + MINUTE)
    await reread(engine, departure=date(2026, 6, 18), channel="direct")
    assert len(letters(engine)) == 2
    assert engine.mails() == []


# The platform's field


async def test_r36_the_door_code_is_written_to_the_platform_as_soon_as_it_is_on_the_lock(start):
    engine = await connected(start, field=True)
    await engine.until(OPENS - DAY - HOUR)
    assert engine.world.pms.codes == {"A1": engine.pin(REF)}
    assert [item.told for item in engine.placed(REF)] == [True]
    assert "the door code was written to the platform" in engine.whys(REF)
    assert letters(engine) == []


async def test_r35_a_code_that_is_not_on_the_lock_is_not_written_before_the_window_opens(start):
    engine = await connected(start, field=True, offline=True, settings={"backups": False})
    await engine.until(OPENS - HOUR)
    before = dict(engine.world.pms.codes)
    engine.app.online("front")
    await engine.until(OPENS)
    assert (before, engine.world.pms.codes) == ({}, {"A1": engine.pin(REF)})


async def test_r36_a_changed_code_is_written_again_and_needs_no_words(start):
    engine = await connected(start, rule_set="algorithmic", field=True)
    await rules.switch_off(engine.services, engine.host, None, "access-code", engine.now)
    await engine.passes(HOUR)
    old = engine.world.pms.codes["A1"]
    await reread(engine, departure=date(2026, 6, 18))
    new = engine.pin(REF, lock="front")
    assert (new != old, engine.world.pms.codes["A1"]) == (True, new)
    await engine.until(CLOSES)
    assert engine.told_guest("correction", REF) == []
    assert letters(engine) == []


async def test_r36_a_code_told_by_words_and_by_the_field_is_corrected_by_both(start):
    engine = await connected(start, rule_set="algorithmic", field=True)
    await engine.until(OPENS - DAY + MINUTE)
    await reread(engine, departure=date(2026, 6, 18))
    new = engine.pin(REF, lock="front")
    assert engine.world.pms.codes["A1"] == new
    assert [new in letter for letter in letters(engine)] == [False, True]


async def test_a_cancelled_stays_code_is_taken_off_the_platform(start):
    engine = await connected(start, field=True)
    await engine.passes(HOUR)
    assert engine.world.pms.codes
    await reread(engine, status=StayStatus.CANCELLED)
    assert engine.world.pms.codes == {}
    await reread(engine, status=StayStatus.CONFIRMED)
    assert engine.world.pms.codes == {"A1": engine.pin(REF)}


async def test_a_platform_that_says_yes_and_keeps_no_code_is_asked_again_and_told_to_the_host(start):
    engine = await connected(start, field=True)
    engine.world.pms.ignores_codes = True
    await engine.until(OPENS - DAY - 12 * HOUR)
    assert engine.told_host("field_not_written") == []
    await engine.until(OPENS - DAY - 2 * HOUR)
    assert len(engine.told_host("field_not_written")) <= 1
    engine.world.pms.ignores_codes = False
    await engine.until(OPENS)
    assert engine.world.pms.codes == {"A1": engine.pin(REF)}
    assert "field_not_written" not in engine.alarms()


def refusing(asked):
    async def write_code(stay, _note):
        asked.append(stay.external_id)
        raise NOT_OFFERED

    return write_code


async def test_a_platform_without_a_field_for_this_account_is_asked_once(start):
    engine = await start({"front": "standard"}, at=OPENS - 2 * DAY)
    asked = []
    engine.world.pms.write_code = refusing(asked)
    engine.world.pms.put(booking())
    await engine.write(lambda c: hosts.add_property_ref(c, engine.host, engine.place, KEY, "prop-7"))
    await connecting.connect_account(engine.services, engine.host, KEY, "Acme", {"token": TOKEN}, engine.now)
    await engine.work()
    await read_no_more(engine)
    await engine.until(CLOSES)
    assert asked == ["A1"]
    assert len(engine.told_host("field_not_written")) == 1


async def test_a_booking_whose_platform_keeps_no_code_has_no_such_message(start):
    engine = await start(at=OPENS - 2 * DAY)
    await engine.book()
    assert [row for row in engine.view().messages if row.rule == "door-code"] == []
