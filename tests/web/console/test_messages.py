"""What guests are told, at the console: rules, texts with their preview, and what was said."""

import re
from datetime import timedelta

import pytest

from lockbridge.domain.people import Role
from lockbridge.messaging.channel import SendRefused
from lockbridge.workflows import connect
from tests.web.conftest import shows
from tests.web.console.conftest import plain
from tests.workflows.engine import DAY, GUEST_EMAIL, HOUR, OPENS

RULE = {
    "trigger": "before_check_in",
    "template": "access_code",
    "hours": "24",
    "channel": "auto",
    "when_not_ready": "hold",
    "enabled": "yes",
}
TEXT = {"subject": "Come in", "body": "Dear %guest_first_name%, type %smartlock_code%."}


# Rules


async def test_a_rule_that_is_changed_changes_what_a_guest_gets_in_the_mailbox_and_when(any_console):
    engine, owner = any_console.engine, any_console.owner
    await engine.book()
    await owner.follow(
        await owner.post("messages/texts/house-rules/en", subject="House rules", body="No %guest_name%.")
    )
    new = {**RULE, "name": "house-rules", "is_new": "yes", "template": "house-rules", "hours": "", "days": "1"}
    said = await owner.follow(await owner.post("messages/rules/save", **new, clock="18:00"))
    assert "1 day before check-in, at 18:00" in said
    await owner.follow(await owner.post("messages/rules/save", **{**RULE, "name": "access-code", "hours": "6"}))
    await engine.until(OPENS - 7 * HOUR)
    assert [mail.subject for mail in engine.mails()] == ["House rules"]
    assert "No Ida Example." in engine.mails()[0].text
    await engine.until(OPENS)
    assert [mail.subject for mail in engine.mails()] == ["House rules", "Your door code for Lake House"]


async def test_a_rule_is_switched_off_and_on_and_back_to_what_it_was(console):
    engine, owner = console.engine, console.owner
    await engine.book()
    await owner.follow(await owner.post("messages/rules/off/access-code"))
    await engine.until(OPENS - HOUR)
    assert engine.mails() == []
    page = (await owner.get("messages/rules")).text
    assert "you, for all" in plain(page)
    await owner.follow(await owner.post("messages/rules/reset/access-code"))
    assert "you, for all" not in await owner.text("messages/rules")
    await engine.work()
    assert [mail.subject for mail in engine.mails()] == ["Your door code for Lake House"]


async def test_a_rule_of_one_property_leaves_the_others_alone(console):
    engine, owner = console.engine, console.owner
    place = str(engine.place)
    await owner.follow(
        await owner.post("messages/rules/save", **{**RULE, "name": "access-code", "hours": "2"}, at=place)
    )
    assert "2 hours before check-in" in await owner.text(f"messages/rules?at={place}")
    assert "you, for this property" in await owner.text(f"messages/rules?at={place}")
    assert "24 hours before check-in" in await owner.text("messages/rules")
    await owner.follow(await owner.post("messages/rules/on/access-code", at=place))
    assert (await owner.get("messages/rules?at=999")).status_code == 404
    assert (await owner.post("messages/rules/save", **{**RULE, "name": "access-code"}, at="999")).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "access-code", "is_new": "yes"}, "there is a rule 'access-code' already"),
        ({"name": "Two Words", "is_new": "yes"}, "small letters, digits and hyphens"),
        ({"name": "x", "hours": "many"}, "whole numbers"),
        ({"name": "x", "hours": "2", "clock": "18:00"}, "not both"),
        ({"name": "x", "template": "poem"}, "there is no text 'poem'"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused_with_the_reason(console, wrong, said):
    answer = await console.owner.post("messages/rules/save", **{**RULE, **wrong})
    assert answer.status_code == 422
    assert said in plain(answer.text)


# Texts


async def test_an_unknown_short_code_is_refused_and_the_nearest_named_in_the_preview_and_when_it_is_stored(console):
    owner = console.owner
    wrong = {"subject": "Come in", "body": "Dear %guest_firstname%"}
    piece = await owner.post("messages/preview", name="access_code", language="en", about="", **wrong)
    assert piece.status_code == 200
    assert "%guest_firstname% is not a short code, did you mean %guest_first_name%?" in plain(piece.text)
    assert "<html" not in piece.text
    stored = await owner.post("messages/texts/access_code/en", do="save", **wrong)
    assert stored.status_code == 422
    assert "did you mean %guest_first_name%?" in plain(stored.text)
    assert "Dear %guest_firstname%" in stored.text, "what was typed is kept"
    assert "yours" not in plain((await owner.get("messages/texts/access_code/en")).text.split("<form")[0])


async def test_the_preview_reads_as_an_invented_guest_would_or_a_real_one_without_digits(console):
    engine, owner = console.engine, console.owner
    await engine.book()
    invented = await owner.post("messages/preview", name="x", language="en", about="", **TEXT)
    assert "Dear Ida, type 482915." in plain(invented.text)
    real = await owner.post("messages/preview", name="x", language="en", about=str(engine.stay().id), **TEXT)
    assert "Dear Ida, type ••••." in plain(real.text)
    assert not shows(real.text, engine.pin())


async def test_the_preview_says_where_a_stay_leaves_a_hole(console):
    engine, owner = console.engine, console.owner
    await engine.book()
    text = {"subject": "Backup", "body": "Type %backup_code%."}
    real = await owner.post("messages/preview", name="x", language="en", about=str(engine.stay().id), **text)
    assert "nothing for %backup_code% yet" in plain(real.text)


async def test_the_stay_of_another_host_is_no_example(any_console):
    engine = any_console.engine
    await engine.book()
    other = await connect.add_host(engine.services, "Other", "other@example.com", engine.now)
    browser = await any_console.person(Role.OWNER, host=other, name="Olga")
    browser.base = f"/console/{other}"
    number = str(engine.stay().id)
    found = await browser.post("messages/preview", name="x", language="en", about=number, **TEXT)
    assert "(invented)" in plain(found.text)


async def test_without_javascript_the_page_itself_shows_the_preview_and_stores_nothing(console):
    answer = await console.owner.post("messages/texts/house-rules/en", do="preview", about="", **TEXT)
    assert answer.status_code == 200
    assert "Dear Ida, type 482915." in plain(answer.text)
    assert "house-rules" not in await console.owner.text("messages/texts")


async def test_a_text_of_ones_own_takes_the_place_of_ours_until_it_is_dropped(console):
    engine, owner = console.engine, console.owner
    page = (await owner.get("messages/texts/access_code/de")).text
    assert "hier ist Ihr Türcode für %property_name%:" in plain(page), "one begins with ours"
    await owner.follow(await owner.post("messages/texts/access_code/en", do="save", **TEXT))
    await engine.book()
    await engine.until(OPENS)
    assert engine.mails()[0].subject == "Come in"
    assert f"type {engine.pin()}." in engine.mails()[0].text
    await owner.follow(await owner.post("messages/texts/access_code/en/drop"))
    await engine.book(id="res-2", code="HM2", arrival="2026-06-20", departure="2026-06-22", guest="Bo Sample")
    await engine.passes(6 * DAY)
    assert engine.mails("bo.sample@example.com")[0].subject == "Your door code for Lake House"


async def test_a_text_that_a_rule_uses_is_not_dropped(console):
    owner = console.owner
    await owner.post("messages/texts/house-rules/en", do="save", **TEXT)
    await owner.post("messages/rules/save", **{**RULE, "name": "welcome", "template": "house-rules", "is_new": "yes"})
    said = await owner.follow(await owner.post("messages/texts/house-rules/en/drop"))
    assert "is used by welcome" in said
    assert "house-rules" in said


async def test_a_test_goes_to_its_writer_and_stores_nothing(console):
    engine, owner = console.engine, console.owner
    answer = await owner.post("messages/texts/house-rules/en", do="test", **TEXT)
    assert f"A test is on its way to owner{console.host}@example.com" in plain(answer.text)
    (mail,) = engine.mails(f"owner{console.host}@example.com")
    assert (mail.subject, "Dear Ida, type 482915." in mail.text) == ("[Test] Come in", True)
    assert "house-rules" not in await owner.text("messages/texts")


async def test_a_test_that_cannot_be_sent_says_why(console):
    def refuse(_):
        msg = "the mail server takes no mail for this address"
        raise SendRefused(msg)

    console.engine.mail.before = refuse
    answer = await console.owner.post("messages/texts/house-rules/en", do="test", **TEXT)
    assert answer.status_code == 422
    assert "the mail server takes no mail" in plain(answer.text)


async def test_a_text_in_html_is_shown_as_it_was_written_and_is_no_html(console):
    text = {"subject": "x", "body": "<script>alert(1)</script> %guest_name%"}
    piece = await console.owner.post("messages/preview", name="x", language="en", about="", **text)
    assert "<script>" not in piece.text
    assert "&lt;script&gt;" in piece.text


# What was said


async def test_what_was_said_and_what_is_coming_is_listed_with_times_and_without_words(any_console):
    engine, owner = any_console.engine, any_console.owner
    await engine.book()
    page = await owner.text("messages")
    assert "Coming" in page
    assert "Sat 13 Jun 2026, 16:00 EDT" in page
    assert "Thanks" in page
    await engine.until(OPENS + timedelta(hours=1))
    page = await owner.text("messages")
    assert "Said lately" in page
    assert "by e-mail" in page
    assert not shows(page, engine.pin())


async def test_the_words_of_a_message_are_shown_when_asked_for_and_that_is_written_down(console):
    engine, owner = console.engine, console.owner
    await engine.book()
    await engine.until(OPENS)
    assert engine.mails(GUEST_EMAIL)
    (letter,) = re.findall(
        r'href="(/console/\d+/messages/sent/\d+)"[^>]*>Access code', (await owner.get("messages")).text
    )
    assert not shows((await owner.get(letter)).text, engine.pin())
    assert engine.pin() in (await owner.get(f"{letter}?show=1")).text
    assert "read the message" in await owner.text("activity")
    for role in (Role.STAFF, Role.SUPPORT):
        somebody = await console.person(role)
        assert not shows((await somebody.get(f"{letter}?show=1")).text, engine.pin())


async def test_a_message_of_nobody_is_not_there(console):
    assert (await console.owner.get("messages/sent/999")).status_code == 404
    assert (await console.owner.get("messages/rules/edit/nope")).status_code == 404
    assert (await console.owner.get("messages/texts/NOT A NAME/en")).status_code == 404


async def test_staff_may_look_at_rules_and_change_none(console):
    staff = await console.person(Role.STAFF)
    assert "New rule" not in await staff.text("messages/rules")
    assert (await staff.post("messages/rules/off/thanks")).status_code == 403
    assert (await staff.get("messages/texts/thanks/en")).status_code == 403
