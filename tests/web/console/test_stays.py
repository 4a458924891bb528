"""Stays in the console: found among many, shown to each as they may see them, and helped."""

import re
from datetime import date, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine as AnyEngine

from lockbridge.domain.people import Role
from lockbridge.storage import finding, stays
from lockbridge.storage.finding import Wanted, When
from lockbridge.storage.stays import Contact
from lockbridge.storage.tables import AUDIT
from lockbridge.workflows import connect
from tests.web.console.conftest import plain
from tests.workflows.engine import DAY, GUEST_EMAIL, HOUR, MINUTE, OPENS

PHONE = "+15550101234"


async def in_house(console, **facts):
    """A guest in the house who was told the code; the stay's path."""
    await console.engine.book(**facts)
    await console.engine.until(OPENS + HOUR)
    return f"stays/{console.engine.stay().id}"


def deeds(console):
    return [
        (row.who, row.what, row.about, row.why) for row in console.engine.ask(lambda c: c.execute(AUDIT.select()).all())
    ]


async def add_stays(console, number, *, arrival=date(2026, 7, 1), **values):
    """Many bookings at once, one a day."""
    engine = console.engine
    rows = [
        (
            {
                "platform": "generic",
                "external_id": f"many-{values.get('prefix', '')}{n}",
                "property_ref": "prop-7",
                "property_id": engine.place,
                "reservation_code": f"CODE{n:04}",
                "status": "confirmed",
                "raw_status": "confirmed",
                "arrival": arrival + timedelta(days=n // 3),
                "departure": arrival + timedelta(days=n // 3 + 2),
                "guest_name": f"Guest Number{n:04}",
                "created_at": engine.now,
                **{key: value for key, value in values.items() if key != "prefix"},
            },
            Contact(),
        )
        for n in range(number)
    ]
    await engine.write(lambda c: stays.add_many(c, engine.services.vault, engine.host, rows))


def shows(page, digits):
    """Whether the page has these digits as a word of their own: not within a token of a form."""
    return len(re.findall(rf"(?<![\w.]){re.escape(digits)}(?![\w.])", page))


def links(page):
    return re.findall(r'<th scope="row"><a href="[^"]*/stays/(\d+)"', page)


# ----------------------------------------------------------------------------------------------------------- the list


async def test_every_stay_is_found_exactly_once_page_by_page_and_back(any_console):
    await add_stays(any_console, 2 * finding.PAGE + 7)
    forth, path = [], "stays"
    while path:
        page = (await any_console.owner.get(path)).text
        forth.append(links(page))
        path = next(iter(re.findall(r'rel="next" href="([^"]*)"', page)), "").replace("&amp;", "&")
    back, path = [], re.findall(r'rel="prev" href="([^"]*)"', page)[0].replace("&amp;", "&")
    while path:
        page = (await any_console.owner.get(path)).text
        back.insert(0, links(page))
        path = next(iter(re.findall(r'rel="prev" href="([^"]*)"', page)), "").replace("&amp;", "&")
    assert [len(each) for each in forth] == [finding.PAGE, finding.PAGE, 7]
    assert back == forth[:-1]
    assert len({number for each in forth for number in each}) == 2 * finding.PAGE + 7


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_now_coming_and_past_are_all_stays_and_none_twice(any_console, limit):
    await add_stays(any_console, 20, arrival=any_console.engine.now.date() - 3 * DAY)
    engine = any_console.engine

    def every(when):
        found, at = [], None
        while True:
            page = engine.ask(finding.search, engine.host, Wanted(when=when), at, engine.now, limit)
            found.extend(stay.id for stay in page.stays)
            if page.after is None:
                return found
            at = page.after

    parts = [every(when) for when in (When.PAST, When.NOW, When.COMING)]
    assert all(parts)
    assert sorted(stay for part in parts for stay in part) == sorted(every(When.ALL))
    assert every(When.OPEN) == parts[1] + parts[2]
    assert parts[0] == sorted(parts[0], reverse=True), "the latest first"


async def test_a_stay_is_found_by_part_of_the_guests_name_its_code_or_its_property(any_console):
    await add_stays(any_console, 5)
    await any_console.engine.book(guest="Özlem Kaya", code="HMÖ7%X")
    other = await any_console.engine.add_property("Seaside_Flat", "prop-8")
    await any_console.engine.book(id="R9", code="SEA1", home="prop-8", guest="Max Other")
    for words, guests in {
        "number0003": {"Guest Number0003"},
        "ÖZLEM": {"Özlem Kaya"},
        "7%x": {"Özlem Kaya"},
        "seaside_f": {"Max Other"},
        "nobody": set(),
        "%": {"Özlem Kaya"},
    }.items():
        answer = await any_console.owner.get("stays", params={"q": words, "when": "all"})
        found = set(re.findall(r'/stays/\d+">([^<]*)</a>', answer.text))
        assert found == guests, words
    narrowed = await any_console.owner.text(f"stays?property={other}&when=all")
    assert "Max Other" in narrowed
    assert "Özlem" not in narrowed
    assert "No stay is like that" in await any_console.owner.text("stays?status=cancelled")
    assert "No stay is like that" in await any_console.owner.text("stays?problems=yes")


async def test_only_stays_at_which_something_is_wrong_are_found_by_their_problems(any_console):
    engine = any_console.engine
    await engine.until(OPENS - MINUTE)
    engine.app.offline("front")
    await engine.book()
    await engine.book(id="R8", code="FINE", guest="Fine Guest", arrival="2026-07-14", departure="2026-07-16")
    await engine.passes(2 * MINUTE)
    text = await any_console.owner.text("stays?problems=yes")
    assert "Ida" in text
    assert "Fine Guest" not in text


async def test_a_host_without_stays_reads_what_to_do(console):
    assert "Connect a booking platform" in await console.owner.text("stays?when=all")


@pytest.mark.parametrize(
    "query", ["after=x", "before=2026-07-01.", "after=2026-99-99.1", "property=x", "when=soon", "status=?"]
)
async def test_an_address_that_makes_no_sense_narrows_nothing(console, query):
    await add_stays(console, 2)
    assert len(links((await console.owner.get(f"stays?{query}")).text)) == 2


async def test_the_list_asks_few_questions_however_long_it_is(console):
    await console.engine.book()
    await add_stays(console, finding.PAGE)
    asked = []

    def count(*arguments):
        asked.append(arguments[2])

    event.listen(AnyEngine, "before_cursor_execute", count)
    try:
        assert len(links((await console.owner.get("stays")).text)) == finding.PAGE
    finally:
        event.remove(AnyEngine, "before_cursor_execute", count)
    assert len([each for each in asked if not each.startswith(("BEGIN", "COMMIT", "PRAGMA"))]) <= 15


# ------------------------------------------------------------------------------------------------------ who sees what


@pytest.mark.parametrize("role", list(Role))
async def test_nobody_sees_digits_or_contacts_before_asking_for_them(console, role):
    path = await in_house(console, phone=PHONE)
    person = await console.person(role, name=f"Another-{role}")
    page = (await person.get(path)).text
    assert not shows(page, console.engine.pin())
    assert PHONE not in page
    assert GUEST_EMAIL not in page
    assert "Property Access" in page
    assert "access code" in plain(page)
    assert not deeds(console)


@pytest.mark.parametrize("role", [Role.OWNER, Role.MANAGER])
async def test_owner_and_manager_see_digits_and_contacts_when_they_ask_and_that_is_written_down(console, role):
    path = await in_house(console, phone=PHONE)
    person = await console.person(role, name=f"Another-{role}")
    page = (await person.get(f"{path}?show=1")).text
    assert shows(page, console.engine.pin()) >= 2, "on the lock and in the message"
    assert PHONE in page
    assert GUEST_EMAIL in page
    assert deeds(console) == [(f"Another-{role}", "looked at the code of", path.replace("stays/", "stay "), "")]
    assert "data-stream" not in page, "a page that shows digits is not fetched again by itself"


@pytest.mark.parametrize("role", [Role.STAFF, Role.SUPPORT])
async def test_staff_and_support_do_not_see_digits_by_asking_for_them_in_the_address(console, role):
    path = await in_house(console, phone=PHONE)
    person = await console.person(role, name=f"Another-{role}")
    page = (await person.get(f"{path}?show=1")).text
    assert not shows(page, console.engine.pin())
    assert PHONE not in page
    assert GUEST_EMAIL not in page


async def test_support_sees_digits_once_with_a_reason_that_the_owner_reads(console):
    path = await in_house(console, phone=PHONE)
    support = await console.person(Role.SUPPORT)
    short = await support.post(f"{path}/reveal", why="because")
    assert short.status_code == 422
    assert not shows(short.text, console.engine.pin())
    assert not deeds(console)
    answer = await support.post(f"{path}/reveal", why="the guest stands before the door")
    assert answer.status_code == 200
    assert shows(answer.text, console.engine.pin())
    assert PHONE in answer.text
    assert not shows((await support.get(path)).text, console.engine.pin())
    ((who, what, about, why),) = deeds(console)
    assert (what, about, why) == (
        "revealed the code of",
        path.replace("stays/", "stay "),
        "the guest stands before the door",
    )
    assert "support" in who


async def test_staff_cannot_reveal_and_nobody_without_the_right_changes_anything(console):
    path = await in_house(console)
    staff, support = await console.person(Role.STAFF), await console.person(Role.SUPPORT)
    assert (await staff.post(f"{path}/reveal", why="I would like to know it")).status_code == 403
    assert (await console.owner.post(f"{path}/reveal", why="I would like to know it")).status_code == 403
    actions = ("try-again", "give-backup", "reissue", "restore", "revoke", "times", "decide", "erase", "guest-link")
    for person in (staff, support):
        page = (await person.get(path)).text
        for action in actions:
            assert f"{path}/{action}" not in page
            answer = await person.post(f"{path}/{action}", sure="yes", word="cancel", lock="1")
            assert answer.status_code == 403, action
    assert console.engine.opens("front")


async def test_another_hosts_stay_is_not_there(console):
    await in_house(console)
    engine = console.engine
    other = await connect.add_host(engine.services, "Other", "other@example.com", engine.now)
    stranger = await console.person(Role.OWNER, host=other, name="Stranger")
    for path in (f"stays/{engine.stay().id}", "stays/999", f"stays/{2**70}", "stays/0", "stays/-1", "stays/x"):
        stranger.base = f"/console/{other}"
        assert (await stranger.get(path)).status_code == 404, path
        for action in ("reveal", "reissue", "revoke", "erase", "guest-link"):
            assert (await stranger.post(f"{path}/{action}", sure="yes")).status_code in (403, 404), path
    assert engine.opens("front")
    assert engine.stay().guest_name is not None


# ------------------------------------------------------------------------------------------------ what the page shows


async def test_the_page_says_what_is_on_each_lock_why_and_what_was_and_will_be_said(opened, sqlite_url):
    console = await opened(sqlite_url, {"front": "standard", "side": "standard"})
    engine = console.engine
    await engine.book(check_in=None)
    await engine.until(OPENS - 2 * DAY)
    text = await console.owner.text(f"stays/{engine.stay().id}")
    for said in (
        "scheduled",
        "it comes off the lock",
        "the property's usual time",
        "America/New_York",
        "planned access code by e-mail",
        "Why this PIN",
        "confirmed",
        "to be on the lock from",
    ):
        assert said in text, said
    engine.app.offline("side")
    await engine.write(lambda c: c.exec_driver_sql("UPDATE stay SET disagreement = 'the calendar shows other dates'"))
    assert "the calendar shows other dates" in await console.owner.text(f"stays/{engine.stay().id}")


async def test_a_failed_code_says_why_and_when_it_is_tried_next_and_trying_again_mends_it(console):
    engine = console.engine
    await engine.until(OPENS - 2 * HOUR)
    engine.app.offline("front")
    await engine.book()
    await engine.passes(10 * MINUTE)
    path = f"stays/{engine.stay().id}"
    text = await console.owner.text(path)
    assert "front" in text
    assert "scheduled" not in text
    engine.app.online("front")
    said = await console.owner.follow(await console.owner.post(f"{path}/try-again"))
    assert "Tried again. front: scheduled." in said
    assert engine.opens("front", at=OPENS)


# ------------------------------------------------------------------------------------------------ what one does to it


async def test_a_reissued_code_is_seen_on_the_lock_and_told_once_to_the_guest(any_console):
    path = await in_house(any_console)
    engine = any_console.engine
    old = engine.pin()
    said = await any_console.owner.follow(await any_console.owner.post(f"{path}/reissue"))
    assert "A new code was chosen. front: set." in said
    await engine.passes(HOUR)
    assert engine.opens("front")
    assert not engine.opens("front", old)
    (correction,) = engine.told_guest("correction")
    assert engine.pin() in correction.text
    assert deeds(any_console)[-1][1] == "re-issued the code of"


async def test_revoking_asks_once_more_then_closes_the_door_at_once_and_can_be_undone(any_console):
    path = await in_house(any_console)
    owner, engine = any_console.owner, any_console.engine
    pin = engine.pin()
    asked = await owner.post(f"{path}/revoke")
    assert "Yes, revoke it now" in plain(asked.text)
    assert engine.opens("front", pin)
    said = await owner.follow(await owner.post(f"{path}/revoke", sure="yes"))
    assert "The code is revoked. front: removed." in said
    assert not engine.opens("front", pin)
    assert "Undo the revocation" in said
    await owner.follow(await owner.post(f"{path}/restore"))
    assert engine.opens("front", pin)


async def test_other_times_move_the_window_and_nonsense_is_refused_with_what_was_typed(console):
    engine = console.engine
    await engine.book()
    path = f"stays/{engine.stay().id}"
    refused = await console.owner.post(f"{path}/times", check_in="half past four", check_out="13:00")
    assert refused.status_code == 422
    assert "write it like 16:00" in refused.text
    assert "half past four" in refused.text
    said = await console.owner.follow(await console.owner.post(f"{path}/times", check_in="14:00", check_out=""))
    assert "check-in is 14:00" in said
    assert "set by you for this stay" in said
    await engine.until(OPENS - 2 * HOUR)
    assert engine.opens("front")
    await console.owner.post(f"{path}/times", check_in="", check_out="")
    await engine.passes(MINUTE)
    assert not engine.opens("front")


async def test_a_backup_is_given_once_and_shown_beside_the_code(console):
    path = await in_house(console)
    owner, engine = console.owner, console.engine
    lock = str(engine.locks["front"])
    said = await owner.follow(await owner.post(f"{path}/give-backup", lock=lock))
    assert "A backup code of front is given" in said
    assert "backup code" in said
    again = await owner.follow(await owner.post(f"{path}/give-backup", lock=lock))
    assert "given to this stay already" in again
    assert len([line for line in engine.view().access if line.is_backup]) == 1
    for nonsense in ("", "x", "999"):
        answer = await owner.post(f"{path}/give-backup", lock=nonsense)
        assert answer.status_code == 422
        assert "none of the stay's doors" in plain(answer.text)


async def test_after_an_action_one_is_back_where_one_came_from_and_nowhere_else(console):
    path = await in_house(console)
    answer = await console.owner.post(f"{path}/try-again", back=console.owner.base)
    assert answer.headers["location"] == console.owner.base
    answer = await console.owner.post(f"{path}/try-again", back="//evil.example")
    assert answer.headers["location"] == f"{console.owner.base}/{path}"
    answer = await console.owner.post(f"{path}/give-backup", back=console.owner.base, lock="999")
    assert answer.headers["location"] == console.owner.base
    assert "none of the stay's doors" in await console.owner.text(console.owner.base + "/stays")


async def test_the_hosts_own_word_cancels_confirms_and_is_taken_back(console):
    path = await in_house(console)
    owner, engine = console.owner, console.engine
    pin = engine.pin()
    await owner.follow(await owner.post(f"{path}/decide", word="cancel"))
    await engine.work()
    assert not engine.opens("front", pin)
    await owner.follow(await owner.post(f"{path}/decide", word="follow"))
    await engine.work()
    assert engine.opens("front", pin)
    assert "You said" in await owner.follow(await owner.post(f"{path}/decide", word="confirm"))
    assert (await owner.post(f"{path}/decide", word="perhaps")).status_code == 422


async def test_a_guest_is_erased_when_it_is_meant(console):
    path = await in_house(console, phone=PHONE)
    owner, engine = console.owner, console.engine
    assert "Yes, erase" in plain((await owner.post(f"{path}/erase")).text)
    assert engine.stay().guest_name is not None
    said = await owner.follow(await owner.post(f"{path}/erase", sure="yes"))
    assert "The guest's data was erased" in said
    page = (await owner.get(f"{path}?show=1")).text
    assert PHONE not in page
    assert "Ida" not in page


async def test_the_guests_link_is_shown_to_those_who_may_see_codes_and_can_be_withdrawn(console):
    path = await in_house(console)
    owner = console.owner
    answer = await owner.post(f"{path}/guest-link")
    page = (await owner.get(answer.headers["location"].partition("#")[0])).text
    (link,) = re.findall(r'value="([^"]*/g/[^"]*)"', page)
    secret = link.rpartition("/")[2]
    assert secret not in (await owner.get(path)).text
    assert secret not in (await (await console.person(Role.STAFF)).get(f"{path}?show=1")).text
    await owner.post(f"{path}/guest-link/revoke")
    assert secret not in (await owner.get(f"{path}?show=1")).text


async def test_whoever_books_an_unknown_property_gets_a_code_when_the_host_says_on_the_stay_which_it_is(console):
    engine, owner = console.engine, console.owner
    await engine.until(OPENS - DAY)
    await engine.book(home="prop-99")
    where = f"stays/{engine.stay().id}"
    assert "which of your properties is prop-99 of Your own system" in await owner.text(where)
    assert "An owner or manager says which property" in await (await console.person(Role.STAFF)).text(where)
    assert (await owner.post(f"{where}/property", property="999")).status_code == 404
    preview = (await owner.post(f"{where}/property", property=str(engine.place))).text
    assert "prop-99 is Lake House" in plain(preview)
    assert engine.held() == []
    fields = dict(re.findall(r'name="(property|draw|seen)" value="([^"]*)"', preview))
    said = await owner.follow(await owner.post(f"{where}/property", **fields, do="it"))
    assert "Lake House, from now on" in said
    await engine.work()
    assert engine.opens("front", at=OPENS)
