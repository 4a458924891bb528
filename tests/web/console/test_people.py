"""One's own account, the ways in that come by e-mail, and who works for a host."""

import re
from datetime import timedelta

import pyotp

from lockbridge.domain.people import INVITATION_LIFE, RESET_LIFE, Role
from lockbridge.messaging.channel import SendLater
from lockbridge.storage import people
from lockbridge.web.devices import in_words
from lockbridge.workflows import account, sign_in
from tests.web.console.conftest import PASSWORD, Browser, Console, plain

NEW = "another door for all"


def owner_email(console: Console) -> str:
    return f"owner{console.host}@example.com"


def link_in(console: Console, to: str, path: str) -> str:
    """The path of the link in the last e-mail to somebody."""
    mail = [mail for mail in console.engine.mail.sent if mail.to == to][-1]
    return re.search(rf"http://lockbridge\.test(/{path}/[\w-]+)", mail.text)[1]


async def visitor(console: Console) -> Browser:
    return Browser(await console.stranger(), console.engine.services, console.owner.base)


async def signed_in(console: Console, email: str, password: str = PASSWORD) -> Browser:
    found = await visitor(console)
    answer = await found.post("/sign-in", email=email, password=password)
    assert answer.status_code == 303, plain(answer.text)
    return found


def said(console: Console) -> list[str]:
    """What the host's history of deeds says."""
    from sqlalchemy import text  # noqa: PLC0415 - the one look behind the pages

    with console.engine.world.database.read() as connection:
        return list(connection.execute(text("SELECT what FROM audit ORDER BY id")).scalars())


# --------------------------------------------------------------------------------------------------------- own account


async def test_somebody_sees_who_they_are_for_whom_they_work_and_where_they_are_signed_in(any_console):
    page = await any_console.owner.text("/account")
    assert owner_email(any_console) in page
    assert "Ana Host owner" in page
    assert "this one" in page
    assert "End all others" not in page


async def test_a_new_name_is_shown_everywhere_and_noted(console):
    await console.owner.post("/account/name", name=" Ina  Owner ")
    assert "Ina Owner" in await console.owner.text("settings/members")
    assert said(console) == ["is called Ina Owner now"]
    refused = await console.owner.post("/account/name", name=" ")
    assert refused.status_code == 422


async def test_a_changed_password_ends_all_other_sessions_and_is_told_to_its_owner(any_console):
    console, email = any_console, owner_email(any_console)
    other = await signed_in(console, email)
    answer = await console.owner.post("/account/password", present=PASSWORD, new=NEW)
    assert "Your password is changed" in await console.owner.follow(answer)
    assert (await other.get("/account")).status_code == 303, "the other session is over"
    assert (await (await visitor(console)).post("/sign-in", email=email, password=PASSWORD)).status_code == 401
    await signed_in(console, email, NEW)
    assert "password was changed" in console.engine.mail.sent[-1].subject


async def test_without_the_present_password_nothing_changes_and_guessing_it_is_stopped(console):
    for _ in range(sign_in.TRIES_PER_PERSON):
        answer = await console.owner.post("/account/password", present="not this one", new=NEW)
        assert answer.status_code == 401
    assert (await console.owner.post("/account/password", present=PASSWORD, new=NEW)).status_code == 429
    await signed_in(console, owner_email(console))


async def test_a_weak_new_password_is_refused_with_the_reason(console):
    answer = await console.owner.post("/account/password", present=PASSWORD, new="short")
    assert answer.status_code == 422
    assert "at least 10" in plain(answer.text)


async def test_sessions_are_named_and_ended_one_by_one_or_all_others(console):
    agent = "Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0"
    phone, laptop = await visitor(console), await visitor(console)
    phone.client.headers["user-agent"] = agent
    for each in (phone, laptop):
        await each.post("/sign-in", email=owner_email(console), password=PASSWORD)
    page = (await console.owner.get("/account")).text
    assert "Firefox on Windows" in page
    first = re.search(r"/account/sessions/(\d+)/end", page)[1]
    await console.owner.post(f"/account/sessions/{first}/end")
    alive = [(await each.get("/account")).status_code for each in (phone, laptop)]
    assert sorted(alive) == [200, 303]
    await console.owner.post("/account/sessions/end-others")
    assert [(await each.get("/account")).status_code for each in (phone, laptop)] == [303, 303]
    assert (await console.owner.get("/account")).status_code == 200


async def test_nobody_ends_the_session_of_somebody_else(console):
    other = await console.person(Role.MANAGER)
    page = (await console.owner.get("/account")).text
    assert "/end" not in page
    mine = console.engine.ask(people.by_email, console.engine.services.vault, owner_email(console))
    (session,) = console.engine.ask(people.sessions_of, mine.id, console.engine.now)
    assert (await other.post(f"/account/sessions/{session.id}/end")).status_code == 404
    assert (await console.owner.get("/account")).status_code == 200


def test_browsers_are_told_apart_in_words():
    assert (
        in_words("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) AppleWebKit Version/17.0 Safari/604.1") == "Safari on iPhone"
    )
    chrome = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"
    assert in_words(chrome) == "Chrome on Android"
    assert in_words("") == "an unnamed device"
    assert in_words("curl/8.0") == "curl/8.0"


# ------------------------------------------------------------------------------------------------------- second factor


async def set_up_codes(console: Console) -> tuple[str, Browser]:
    page = (await console.owner.get("/account/codes")).text
    secret = re.search(r'id="secret">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
    offer = re.search(r'name="offer" value="(\w+)"', page)[1]
    code = pyotp.TOTP(secret).at(console.engine.now)
    answer = await console.owner.post("/account/codes", offer=offer, code=code)
    assert "asked for a code" in await console.owner.follow(answer)
    return secret, console.owner


async def test_one_time_codes_count_once_a_code_has_proved_them(any_console):
    console = any_console
    page = (await console.owner.get("/account/codes")).text
    assert "<svg" in page
    offer = re.search(r'name="offer" value="(\w+)"', page)[1]
    wrong = await console.owner.post("/account/codes", offer=offer, code="000000")
    assert wrong.status_code == 422
    assert f'value="{offer}"' not in wrong.text or "svg" in wrong.text
    assert "Set up one-time codes" in await console.owner.text("/account"), "a wrong code sets nothing up"
    secret, _ = await set_up_codes(console)
    other = await visitor(console)
    answer = await other.post("/sign-in", email=owner_email(console), password=PASSWORD)
    assert answer.headers["location"].startswith("/sign-in/code")
    assert (await other.get("/account")).status_code == 303, "the password alone is not enough now"
    used = await other.post("/sign-in/code", code=pyotp.TOTP(secret).at(console.engine.now))
    assert used.status_code == 401, "the code that set it up is used up"
    console.engine.clock.advance(timedelta(seconds=60))
    assert (await other.post("/sign-in/code", code=pyotp.TOTP(secret).at(console.engine.now))).status_code == 303


async def test_an_offer_made_to_somebody_else_is_not_taken(console):
    other = await console.person(Role.MANAGER)
    page = (await other.get("/account/codes")).text
    offer = re.search(r'name="offer" value="(\w+)"', page)[1]
    secret = re.search(r'id="secret">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
    answer = await console.owner.post("/account/codes", offer=offer, code=pyotp.TOTP(secret).at(console.engine.now))
    assert answer.status_code == 422


async def test_switching_one_time_codes_off_asks_for_the_password(console):
    await set_up_codes(console)
    assert (await console.owner.post("/account/codes/off", password="not this one")).status_code == 401
    await console.owner.post("/account/codes/off", password=PASSWORD)
    await signed_in(console, owner_email(console))
    other = await visitor(console)
    answer = await other.post("/sign-in", email=owner_email(console), password=PASSWORD)
    assert answer.headers["location"] == "/console"


# -------------------------------------------------------------------------------------------------- forgotten password


async def test_a_forgotten_password_is_replaced_with_a_link_that_works_once(any_console):
    console, email = any_console, owner_email(any_console)
    stranger = await visitor(console)
    assert "a link is on its way" in plain((await stranger.post("/password", email=email.upper())).text)
    await console.finish()
    link = link_in(console, email, "password")
    assert (await stranger.get(link)).status_code == 200
    assert (await stranger.post(link, password="short")).status_code == 422, "and the link still works"
    answer = await stranger.post(link, password=NEW)
    assert "Your new password is set" in await stranger.follow(answer)
    assert (await console.owner.get("/account")).status_code == 303, "every session is over"
    await signed_in(console, email, NEW)
    assert (await stranger.get(link)).status_code == 404
    assert (await stranger.post(link, password=PASSWORD)).status_code == 422


async def test_nobody_learns_from_the_answer_who_has_an_account(console):
    stranger = await visitor(console)
    known = await stranger.post("/password", email=owner_email(console))
    unknown = await stranger.post("/password", email="nobody@example.com")
    await console.finish()
    assert plain(known.text) == plain(unknown.text)
    assert known.status_code == unknown.status_code == 200
    assert [mail.to for mail in console.engine.mail.sent] == [owner_email(console)]


async def test_a_link_for_a_new_password_is_too_old_after_an_hour(console):
    stranger = await visitor(console)
    await stranger.post("/password", email=owner_email(console))
    await console.finish()
    console.engine.clock.advance(RESET_LIFE)
    link = link_in(console, owner_email(console), "password")
    assert (await stranger.get(link)).status_code == 404
    assert (await stranger.post(link, password=NEW)).status_code == 422


async def test_somebody_is_not_flooded_with_links_and_nobody_asks_without_end(console):
    stranger = await visitor(console)
    for _ in range(account.RESETS_PER_PERSON + 2):
        assert (await stranger.post("/password", email=owner_email(console))).status_code == 200
    await console.finish()
    assert len(console.engine.mail.sent) == account.RESETS_PER_PERSON
    for number in range(account.RESETS_PER_ADDRESS):
        answer = await stranger.post("/password", email=f"somebody{number}@example.com")
    assert answer.status_code == 429


async def test_a_mail_server_that_is_down_shows_nothing_to_the_one_who_asks(console):
    def down(_):
        msg = "the mail server does not answer"
        raise SendLater(msg)

    console.engine.mail.before = down
    answer = await (await visitor(console)).post("/password", email=owner_email(console))
    await console.finish()
    assert "a link is on its way" in plain(answer.text)
    assert "/password/" not in answer.text


# ------------------------------------------------------------------------------------------------ members, invitations


async def invite(console: Console, email: str, role: str = "manager") -> str:
    answer = await console.owner.post("settings/members/invite", email=email, role=role)
    assert "on its way" in await console.owner.follow(answer)
    return link_in(console, email, "invitation")


async def test_somebody_invited_takes_a_name_and_a_password_and_works_there(any_console):
    console = any_console
    link = await invite(console, "kim@example.com", "staff")
    assert "kim@example.com" in await console.owner.text("settings/members")
    kim = await visitor(console)
    page = await kim.text(link)
    assert "Ana Host" in page
    assert "staff" in page
    answer = await kim.post(link, name="Kim Lee", password=PASSWORD)
    assert answer.headers["location"] == f"/console/{console.host}"
    assert "Ana Host staff" in await kim.text("/account")
    members = await console.owner.text("settings/members")
    assert "Kim Lee" in members
    assert "There is none" in members, "the invitation is used up"
    assert (await kim.get(link)).status_code == 404
    assert "joined as staff" in said(console)


async def test_somebody_who_has_an_account_signs_in_and_joins(console):
    link = await invite(console, "kim@example.com")
    kim = await visitor(console)
    await kim.post(link, name="Kim Lee", password=PASSWORD)
    number = console.engine.ask(people.by_email, console.engine.services.vault, "kim@example.com").id
    await console.owner.post(f"settings/members/{number}/remove")
    link = await invite(console, "Kim@Example.com", "owner")
    stranger = await visitor(console)
    assert "Sign in to join" in await stranger.text(link)
    refused = await stranger.post(link, name="Somebody Else", password=NEW)
    assert refused.status_code == 422, "an account is not taken over by a link"
    answer = await kim.post(link)
    assert answer.headers["location"] == f"/console/{console.host}"
    assert "Ana Host owner" in await kim.text("/account")


async def test_an_invitation_is_for_nobody_else(console):
    link = await invite(console, "kim@example.com")
    staff = await console.person(Role.STAFF)
    assert "with another address" in await staff.text(link)
    assert (await staff.post(link)).status_code == 422
    assert "Ana Host staff" in await staff.text("/account")


async def test_an_invitation_can_be_withdrawn_and_is_too_old_after_a_week(console):
    link = await invite(console, "kim@example.com")
    page = (await console.owner.get("settings/members")).text
    number = re.search(r"invitations/(\d+)/withdraw", page)[1]
    await console.owner.post(f"settings/invitations/{number}/withdraw")
    stranger = await visitor(console)
    assert (await stranger.get(link)).status_code == 404
    assert (await console.owner.post(f"settings/invitations/{number}/withdraw")).status_code == 404
    link = await invite(console, "kim@example.com")
    console.engine.clock.advance(INVITATION_LIFE)
    assert (await stranger.get(link)).status_code == 404
    assert (await stranger.post(link, name="Kim", password=PASSWORD)).status_code == 404
    assert "Kim" not in await console.owner.text("settings/members")


async def test_a_second_invitation_to_the_same_address_makes_the_first_useless(console):
    first = await invite(console, "kim@example.com", "owner")
    second = await invite(console, "kim@example.com", "staff")
    stranger = await visitor(console)
    assert (await stranger.get(first)).status_code == 404
    assert "staff" in await stranger.text(second)


async def test_an_invitation_that_cannot_be_sent_is_said_and_there_is_none(console):
    def down(_):
        msg = "the mail server does not answer"
        raise SendLater(msg)

    console.engine.mail.before = down
    answer = await console.owner.post("settings/members/invite", email="kim@example.com", role="staff")
    assert answer.status_code == 422
    page = plain(answer.text)
    assert "could not be sent: the mail server does not answer" in page
    assert "/invitation/" not in answer.text
    assert "There is none" in page


async def test_a_member_is_not_invited_again_and_a_role_must_be_one(console):
    staff = await console.owner.post("settings/members/invite", email=owner_email(console), role="staff")
    assert "works here already" in plain(staff.text)
    odd = await console.owner.post("settings/members/invite", email="kim@example.com", role="support")
    assert odd.status_code == 422
    assert console.engine.mail.sent == []


async def test_the_last_owner_can_neither_leave_nor_be_demoted(any_console):
    console = any_console
    number = console.engine.ask(people.by_email, console.engine.services.vault, owner_email(console)).id
    for path, fields in (("role", {"role": "staff"}), ("remove", {})):
        answer = await console.owner.post(f"settings/members/{number}/{path}", **fields)
        assert answer.status_code == 422
        assert "last owner" in plain(answer.text)
    await console.person(Role.OWNER, name="Second")
    answer = await console.owner.post(f"settings/members/{number}/remove")
    assert answer.headers["location"] == "/console"
    assert (await console.owner.get("settings/members")).status_code == 404


async def test_a_role_is_changed_and_holds_at_once(console):
    staff = await console.person(Role.STAFF)
    number = console.engine.ask(people.by_email, console.engine.services.vault, f"staff{console.host}@example.com").id
    assert (await staff.get("settings/members")).status_code == 403
    page = await console.owner.follow(await console.owner.post(f"settings/members/{number}/role", role="owner"))
    assert "Staff is owner now" in page
    assert (await staff.get("settings/members")).status_code == 200
    assert "made Staff owner" in said(console)


async def test_people_who_do_not_work_there_are_nobodys_members(console):
    stranger = await console.person(Role.SUPPORT)
    number = console.engine.ask(people.by_email, console.engine.services.vault, f"support{console.host}@example.com").id
    assert (await console.owner.post(f"settings/members/{number}/role", role="staff")).status_code == 404
    assert (await console.owner.post(f"settings/members/{number}/remove")).status_code == 404
    for part in ("members", "keys", "webhooks", "alarms", "host", "demo"):
        assert (await stranger.get(f"settings/{part}")).status_code == 403
