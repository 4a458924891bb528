"""The rules by which guests are told: which hold, what they plan, and what a host changes about them."""

from datetime import time, timedelta

import pytest

from lockbridge.domain.messages import UnknownShortCode, WhenNotReady
from lockbridge.domain.rules import BadRule, By, Rule, Trigger
from lockbridge.storage import codes, hosts, outbox
from lockbridge.storage.outbox import NewMessage
from lockbridge.storage.rules import Written
from lockbridge.workflows import host_settings, rules, staff
from tests.platforms.make_believe import Booking
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, OPENS

WELCOME = "Dear %guest_first_name%, welcome to %property_name% on %check_in_date%."
NO_CODES = "The door opens with what we told you."


async def says(engine, rule, *, place=None):
    """The host sets a rule."""
    await rules.set_rule(engine.services, engine.host, place, rule, engine.now)
    await engine.work()


async def writes(engine, name, body, *, language="en", subject="About your stay"):
    """The host writes a text."""
    await rules.set_text(engine.services, engine.host, Written(name, language, subject, body), engine.now)


def welcome(**parts):
    return Rule(**{"name": "welcome", "trigger": Trigger.BEFORE_CHECK_IN, "template": "welcome", "days": 2, **parts})


def rows(engine, rule, ref=Booking.id):
    return [row for row in engine.view(ref).messages if row.rule == rule]


# What works out of the box


async def test_r34_out_of_the_box_the_guest_gets_the_code_a_day_ahead_and_thanks_two_hours_after_check_out(start):
    engine = await start(at=OPENS - 3 * DAY)
    await engine.book()
    await engine.until(CLOSES + 2 * HOUR - MINUTE)
    assert [mail.subject for mail in engine.mails()] == ["Your door code for Lake House"]
    await engine.until(CLOSES + 2 * HOUR + MINUTE)
    assert engine.mails()[-1].subject == "Thank you for staying at Lake House"
    assert engine.pin() not in engine.mails()[-1].text
    assert len(engine.mails()) == 2


async def test_a_cancelled_stay_is_not_thanked(start):
    engine = await start(at=OPENS - 3 * DAY)
    await engine.book()
    await engine.until(OPENS + HOUR)
    await engine.book(happening="cancelled", status="cancelled")
    await engine.until(CLOSES + DAY)
    assert engine.told_guest("thanks") == []
    assert [row.state for row in rows(engine, "thanks")] == ["cancelled"]


async def test_r44_a_guest_who_stays_on_is_thanked_once_at_the_end(start):
    engine = await start(at=OPENS - 3 * DAY)
    await engine.book()
    await engine.book(id="R2", code="HM2", arrival="2026-06-16", departure="2026-06-18")
    await engine.until(CLOSES + 3 * HOUR)
    assert engine.told_guest("thanks") == []
    await engine.until(CLOSES + 2 * DAY + 3 * HOUR)
    assert len([mail for mail in engine.mails() if "Thank you" in mail.subject]) == 1


async def test_thanks_follow_a_stay_that_is_moved(start):
    engine = await start(at=OPENS - 3 * DAY)
    await engine.book()
    await engine.book(happening="changed", arrival="2026-06-20", departure="2026-06-22")
    await engine.until(CLOSES + DAY)
    assert engine.told_guest("thanks") == []
    await engine.until(CLOSES + 7 * DAY)
    assert len(engine.told_guest("thanks")) == 1


@pytest.mark.parametrize("kind", ["access_code", "correction", "backup_code"])
async def test_r38_messages_of_an_earlier_version_that_wait_are_sent_under_their_keys(start, kind):
    engine = await start(at=OPENS - 2 * DAY)
    await engine.book()
    await engine.write(lambda c: c.exec_driver_sql("UPDATE message SET rule = NULL"))
    old = NewMessage(engine.host, f"{kind}:77", kind, engine.now, engine.stay().id, facts={"placement": 1})
    await engine.write(lambda c: outbox.add(c, [old], engine.now))
    await engine.until(OPENS + HOUR)
    assert len(engine.told_guest("access_code")) == 1 + (kind == "access_code")
    (row,) = [row for row in engine.view().messages if row.key == f"{kind}:77"]
    assert row.state == {"correction": "cancelled"}.get(kind, "sent")


# What a host sets


async def test_r34_a_host_says_what_is_told_when_in_which_words(start):
    engine = await start(at=OPENS - 5 * DAY)
    await writes(engine, "welcome", WELCOME)
    await says(engine, welcome())
    await engine.book()
    await engine.until(OPENS - 2 * DAY - MINUTE)
    assert engine.mails() == []
    await engine.until(OPENS - 2 * DAY + MINUTE)
    (mail,) = engine.mails()
    assert mail.text == "Dear Ida, welcome to Lake House on Sunday, 14 June."
    assert "welcome sent by e-mail" in engine.whys()


async def test_a_rule_for_one_property_goes_before_that_for_all(start):
    engine = await start(at=OPENS - 5 * DAY)
    await writes(engine, "welcome", WELCOME)
    await says(engine, welcome())
    await says(engine, welcome(days=1), place=engine.place)
    await engine.book()
    await engine.until(OPENS - 2 * DAY + MINUTE)
    assert engine.mails() == []
    held = {each.rule.name: each.said_by for each in await rules.rules_of(engine.services, engine.host, engine.place)}
    assert (held["welcome"], held["access-code"]) == ("property", "default")
    await rules.reset_rule(engine.services, engine.host, engine.place, "welcome", engine.now)
    await engine.work()
    assert len(engine.mails()) == 1


async def test_a_changed_rule_holds_for_messages_not_sent_yet_and_doubles_none_that_was(start):
    engine = await start(at=OPENS - 5 * DAY)
    await writes(engine, "welcome", WELCOME)
    await says(engine, welcome())
    await engine.book()
    await says(engine, welcome(days=4))
    await engine.until(OPENS - 4 * DAY + MINUTE)
    assert len(engine.mails()) == 1
    await says(engine, welcome(days=3))
    await engine.until(OPENS - 3 * DAY + MINUTE)
    assert len(engine.mails()) == 1


async def test_a_rule_that_is_switched_off_sends_nothing_more_and_can_come_back(start):
    engine = await start(at=OPENS - 5 * DAY)
    await engine.book()
    await rules.switch_off(engine.services, engine.host, None, "access-code", engine.now)
    await engine.work()
    assert [row.state for row in rows(engine, "access-code")] == ["cancelled"]
    await engine.until(OPENS + HOUR)
    assert engine.mails() == []
    await rules.reset_rule(engine.services, engine.host, None, "access-code", engine.now)
    await engine.work()
    assert len(engine.told_guest("access_code")) == 1


async def test_a_new_rule_greets_nobody_who_is_in_the_house_already(start):
    engine = await start(at=OPENS - DAY)
    await engine.book()
    await engine.until(OPENS + DAY)
    await writes(engine, "welcome", WELCOME)
    await says(engine, welcome())
    assert rows(engine, "welcome") == []


async def test_a_late_booking_gets_what_it_missed_at_once(start):
    engine = await start(at=OPENS - 5 * HOUR)
    await writes(engine, "welcome", WELCOME)
    await says(engine, welcome())
    await engine.book()
    assert len(engine.mails()) == 2


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (welcome(template="wellcome"), "there is no text 'wellcome'"),
        (welcome(name="Welcome!"), "a name is small letters"),
        (welcome(name="extended"), "this name is taken"),
        (welcome(channel=By.FIELD), "the platform's field is written with the trigger code_set"),
        (Rule(name="correction", trigger=Trigger.BOOKED, template="correction"), "the trigger code_changed"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused(start, rule, words):
    engine = await start()
    await writes(engine, "welcome", WELCOME)
    with pytest.raises(BadRule, match=words):
        await says(engine, rule)


# Short codes in a host's own words


async def test_r34_a_text_with_an_unknown_short_code_is_refused_with_the_one_that_was_meant(start):
    engine = await start()
    with pytest.raises(UnknownShortCode, match=r"the text 'welcome' \(de\): .*did you mean %guest_first_name%"):
        await writes(engine, "welcome", "Hallo %guest_firstname%", language="de")
    with pytest.raises(UnknownShortCode, match="the subject of the text"):
        await writes(engine, "welcome", "Hallo", subject="%nonsense%")
    assert await rules.texts_of(engine.services, engine.host) == []


@pytest.mark.parametrize(
    "name", ["%smartlock_code%", "{{ 7 * 7 }}", "<script>alert(1)</script>", "Ida\r\nBcc: eve@example.org", "{% raw %}"]
)
async def test_r34_a_guests_name_cannot_inject_anything(start, name):
    engine = await start(at=OPENS - DAY)
    await writes(engine, "welcome", "Dear %guest_name%, welcome.", subject="For %guest_name%")
    await says(engine, welcome())
    await engine.book(guest=None, extra={"guest": {"name": name, "email": "ida@example.com", "id": "g"}})
    (mail,) = [mail for mail in engine.mails() if "welcome" in mail.text]
    plain = " ".join(name.split())
    assert mail.text == f"Dear {plain}, welcome."
    assert (mail.subject, "<script>" in mail.html) == (f"For {plain}", False)


async def test_r34_a_text_is_read_in_the_guests_language_else_the_rules_else_english_else_any(start):
    engine = await start(at=OPENS - 5 * DAY)
    await writes(engine, "welcome", "Hallo", language="de")
    await says(engine, welcome(days=3))
    for ref, language in (("R1", "pt-BR"), ("R2", None)):
        guest = {"name": f"Guest {ref}", "email": f"{ref}@example.com", "id": ref, "language": language}
        await engine.book(id=ref, code=ref, extra={"guest": guest})
    await engine.until(OPENS - 3 * DAY)
    assert [mail.text for mail in engine.mail.sent if mail.to != "host@example.com"] == ["Hallo", "Hallo"]
    await writes(engine, "welcome", "Hello")
    await writes(engine, "welcome", "Ola", language="pt")
    await writes(engine, "welcome", "Salut", language="fr")
    await says(engine, welcome(days=2, name="again", language="fr"))
    await engine.until(OPENS - 2 * DAY + MINUTE)
    assert {mail.text for mail in engine.mail.sent} >= {"Ola", "Salut"}


async def test_a_guest_whose_language_is_not_known_is_spoken_to_in_the_hosts_until_the_property_says_another(start):
    engine = await start(at=OPENS - 5 * DAY)
    await host_settings.change_host(engine.services, engine.host, "Ana Host", "host@example.com", "pt")
    for language, text in (("en", "Hello"), ("pt", "Ola"), ("fr", "Salut")):
        await writes(engine, "welcome", text, language=language)
    await says(engine, welcome(days=3))
    await engine.book(extra={"guest": {"name": "Ida Example", "email": "ida@example.com", "id": "g", "language": None}})
    await engine.until(OPENS - 3 * DAY)
    assert [mail.text for mail in engine.mails()] == ["Ola"]
    await says(engine, welcome(days=2, name="again"))
    await engine.write(lambda c: hosts.change_property(c, engine.host, engine.place, {"language": "fr"}))
    await engine.until(OPENS - 2 * DAY + MINUTE)
    assert engine.mails()[-1].text == "Salut"


async def test_r34_the_staff_code_of_the_property_can_be_told(start):
    engine = await start({"front": "standard"}, at=OPENS - DAY)
    new = staff.NewStaffCode("Cleaner", [engine.locks["front"]], engine.now)
    made = await staff.add(engine.services, engine.host, new, engine.now)
    pin = engine.ask(codes.by_ids, engine.services.vault, [made])[made].pin
    await writes(engine, "welcome", "The cleaner has %operations_smartlock_code% .")
    await says(engine, welcome())
    await engine.book()
    assert f"The cleaner has {pin.digits} ." in {mail.text for mail in engine.mails()}


# Codes in a host's own words


async def test_r35_an_own_text_with_the_code_is_held_until_the_code_is_on_the_lock(start):
    engine = await start(at=OPENS - 23 * HOUR)
    await writes(engine, "directions", "Your code is %smartlock_code% .")
    await says(engine, welcome(name="directions", template="directions", days=0, hours=21))
    engine.app.offline("front")
    await engine.book()
    await engine.until(OPENS - 20 * HOUR)
    assert engine.mails() == []
    engine.app.online("front")
    await engine.passes(HOUR)
    assert {mail.text for mail in engine.mails()} > {f"Your code is {engine.pin()} ."}


@pytest.mark.parametrize(("wish", "kind"), [(WhenNotReady.FALLBACK, "fallback"), (WhenNotReady.BACKUP, "backup_code")])
async def test_r35_each_rule_says_what_happens_when_the_code_is_not_ready(start, wish, kind):
    engine = await start(at=OPENS - 23 * HOUR)
    await rules.switch_off(engine.services, engine.host, None, "access-code", engine.now)
    await writes(engine, "directions", "Your code is %smartlock_code% .")
    await says(engine, welcome(name="directions", template="directions", days=0, hours=21, when_not_ready=wish))
    engine.app.offline("front")
    await engine.book()
    await engine.until(OPENS - 20 * HOUR)
    assert len(engine.told_guest(kind)) == 1


async def test_r35_a_fallback_text_that_waited_for_the_morning_is_not_sent_after_the_code(start):
    engine = await start(at=OPENS - 17 * HOUR, when_not_ready=WhenNotReady.FALLBACK)
    engine.app.offline("front")
    await engine.book()
    engine.app.online("front")
    await engine.until(OPENS)
    assert [row.state for row in engine.view().messages if row.kind == "fallback"] == ["cancelled"]
    assert len(engine.told_guest("access_code")) == 1


async def test_r35_a_text_about_a_backup_that_was_not_given_never_goes_with_a_hole(start):
    engine = await start(at=OPENS - DAY)
    await writes(engine, "spare", "If all else fails: %backup_code%")
    await says(engine, welcome(name="spare", template="spare", days=0, hours=2))
    await engine.book()
    await engine.until(CLOSES + HOUR)
    assert [row.state for row in rows(engine, "spare")] == ["cancelled"]


async def test_r36_an_access_text_without_the_code_leaves_it_to_be_told_at_the_opening(start):
    engine = await start(at=OPENS - 2 * DAY)
    await writes(engine, "arrival", "See you soon, %guest_first_name%.")
    await says(engine, Rule(name="access-code", trigger=Trigger.BEFORE_CHECK_IN, template="arrival", days=1))
    await engine.book()
    await engine.until(OPENS - MINUTE)
    assert [engine.pin() in mail.text for mail in engine.mails()] == [False]
    await engine.until(OPENS + MINUTE)
    assert [engine.pin() in mail.text for mail in engine.mails()] == [False, True]


async def test_r36_the_code_is_told_at_the_opening_at_the_latest_whatever_the_rule_says(start):
    engine = await start(at=OPENS - 2 * DAY)
    await says(engine, Rule(name="access-code", trigger=Trigger.AFTER_CHECK_IN, template="access_code", hours=5))
    await engine.book()
    await engine.until(OPENS + MINUTE)
    assert len(engine.told_guest("access_code")) == 1


async def test_a_rule_for_the_code_that_is_set_goes_when_it_is(start):
    engine = await start(at=OPENS - 2 * DAY)
    await rules.switch_off(engine.services, engine.host, None, "access-code", engine.now)
    await writes(engine, "ready", NO_CODES)
    await says(engine, Rule(name="ready", trigger=Trigger.CODE_SET, template="ready"))
    engine.app.offline("front")
    await engine.book()
    await engine.passes(5 * HOUR)
    assert engine.mails() == []
    engine.app.online("front")
    await engine.passes(HOUR)
    assert [mail.text for mail in engine.mails()] == [NO_CODES]


async def test_r36_more_than_one_rule_can_follow_a_changed_code(start):
    engine = await start({"front": "algorithmic"}, at=OPENS - 2 * DAY)
    await writes(engine, "changed", "Now it is %smartlock_code% .")
    await says(engine, Rule(name="and-again", trigger=Trigger.CODE_CHANGED, template="changed"))
    await engine.book()
    await engine.until(OPENS - DAY + MINUTE)
    await change_digits(engine)
    assert [len(engine.told_guest(kind)) for kind in ("correction", "and-again")] == [1, 1]


async def change_digits(engine):
    """The stay grows longer, and the lock works out other digits for it."""
    old = engine.pin(lock="front")
    await engine.book(happening="changed", departure="2026-06-18")
    await engine.passes(MINUTE)
    assert engine.pin(lock="front") != old


# Sleep, and not too much at once


async def test_what_can_wait_is_not_sent_at_night_and_a_code_that_opens_soon_is(start):
    at_eleven = OPENS - 17 * HOUR
    engine = await start(at=at_eleven)
    await writes(engine, "welcome", WELCOME)
    await says(engine, welcome())
    await engine.book()
    assert engine.mails() == []
    await engine.until(OPENS - 12 * HOUR + MINUTE)
    assert [engine.pin() in mail.text for mail in engine.mails()] == [True]
    await engine.until(OPENS - 9 * HOUR + MINUTE)
    assert [engine.pin() in mail.text for mail in engine.mails()] == [True, False]


async def test_a_guest_gets_no_more_messages_in_an_hour_than_the_limit_and_none_is_lost(start):
    engine = await start(at=OPENS - 5 * DAY, per_stay_per_hour=2)
    for number in range(5):
        await writes(engine, f"tip-{number}", f"Tip {number}")
        await says(engine, welcome(name=f"tip-{number}", template=f"tip-{number}", days=3))
    await engine.book()
    await engine.until(OPENS - 3 * DAY + MINUTE)
    assert len(engine.mails()) == 2
    await engine.until(OPENS - 3 * DAY + 2 * HOUR + 2 * MINUTE)
    assert sorted(mail.text for mail in engine.mails()) == [f"Tip {number}" for number in range(5)]


async def test_a_correction_waits_neither_for_the_morning_nor_for_its_turn(start):
    engine = await start({"front": "algorithmic"}, at=OPENS - DAY, per_stay_per_hour=1)
    await engine.book()
    await engine.until(OPENS - 14 * HOUR)
    await change_digits(engine)
    assert len(engine.told_guest("correction")) == 1


async def test_rules_are_planned_on_the_clock_of_the_property(start):
    engine = await start(at=OPENS - 5 * DAY)
    await writes(engine, "welcome", WELCOME)
    await says(engine, welcome(days=3, at=time(18, 30)))
    await engine.book()
    (row,) = rows(engine, "welcome")
    assert row.next_at == OPENS - 3 * DAY + timedelta(hours=2, minutes=30)
