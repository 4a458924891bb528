"""Properties in the console: added, described, their codes' settings changed after a look, their doors put in order."""

import pytest

from lockbridge.domain.people import Role
from lockbridge.domain.rules import is_language
from lockbridge.storage import hosts
from lockbridge.workflows import properties
from tests.web.console.conftest import plain
from tests.web.console.test_matching import agree
from tests.workflows.engine import DAY, MINUTE, OPENS

FACTS = {"name": "Lake House", "zone": "America/New_York", "country": "US", "check_in": "16:00", "check_out": "11:00"}


@pytest.fixture
async def tomorrow(opened, sqlite_url):
    """A stay that begins tomorrow."""
    console = await opened(sqlite_url, at=OPENS - DAY)
    await console.engine.book()
    await console.engine.passes(MINUTE)
    return console


def place_of(console):
    engine = console.engine
    return engine.ask(hosts.properties, [engine.place])[engine.place]


async def test_a_property_is_added_and_says_that_it_has_no_lock_yet(any_console):
    owner = any_console.owner
    new = {"name": "Boat House", "zone": "Europe/Berlin", "country": "de", "check_in": "15:00", "check_out": "10:00"}
    said = await owner.follow(await owner.post("properties/new", **new))
    assert "Now say which locks open it" in said
    assert "Its guests get no code until you say which locks open it" in said
    page = await owner.text("properties")
    assert "2 properties" in page
    assert "15:00 – 10:00 Europe/Berlin" in page
    assert "Boat House" not in await owner.text("properties?q=lake")
    assert "No property has “xyz”" in await owner.text("properties?q=xyz")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"zone": "Berlin"}, "'Berlin' is no time zone"),
        ({"check_in": "4 pm"}, "is no time of day for check-in"),
        ({"name": "  "}, "must have 1 to 200 characters"),
        ({"country": "Germany"}, "is no country: write its two letters"),
        ({"language": "german"}, "is no language: write its two letters"),
        ({"pin_length": "40"}, "pin length: '40' is no whole number from 3 to 12"),
        ({"buffer_before_minutes": "-5"}, "is no whole number from 0 to 2880"),
        ({"pin_mode": "magic"}, "is neither of phone and random"),
        ({"address": "x" * 2001}, "at most 2000"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_what_was_typed_still_there(console, wrong, said):
    before = place_of(console)
    fields = FACTS | {"arrival_note": "left of the gate"} | wrong
    answer = await console.owner.post(f"properties/{console.engine.place}", **fields)
    assert answer.status_code == 422
    assert said in plain(answer.text)
    assert "left of the gate" in answer.text
    assert place_of(console) == before


async def test_a_change_that_touches_no_lock_is_made_at_once(tomorrow):
    engine, owner = tomorrow.engine, tomorrow.owner
    fields = FACTS | {"name": "Sea House", "address": "1 Pier", "language": "de"}
    said = await owner.follow(await owner.post(f"properties/{engine.place}", **fields))
    assert "Saved." in said
    row = place_of(tomorrow)
    assert (row.name, row.address, row.language) == ("Sea House", "1 Pier", "de")


async def test_other_settings_are_shown_with_every_code_they_move_and_then_made(tomorrow):
    engine, owner = tomorrow.engine, tomorrow.owner
    fields = FACTS | {"buffer_before_minutes": "120", "backups": "no"}
    answer = await owner.post(f"properties/{engine.place}", **fields)
    page = plain(answer.text)
    assert "Codes changed: 1" in page
    assert "other window" in page
    assert "2 backup codes taken off" in page
    (before,) = engine.held()
    await owner.follow(await agree(owner, answer))
    await engine.work()
    (after,) = engine.held()
    assert (after.pin, before.window.starts - after.window.starts) == (before.pin, 120 * MINUTE)
    assert engine.backup_pins() == set()
    assert place_of(tomorrow).settings == {"buffer_before_minutes": 120, "backups": False}
    page = (await owner.get(f"properties/{engine.place}")).text
    assert 'value="120"' in page


async def test_leaving_a_setting_empty_has_it_as_the_host_has_it_again(tomorrow):
    engine, owner = tomorrow.engine, tomorrow.owner
    await owner.follow(await owner.post(f"properties/{engine.place}", **FACTS, pin_mode="random"))
    assert place_of(tomorrow).settings == {"pin_mode": "random"}
    await owner.follow(await owner.post(f"properties/{engine.place}", **FACTS, pin_mode=""))
    assert place_of(tomorrow).settings == {}


async def test_another_zone_moves_the_windows_by_the_hours_between(tomorrow):
    engine, owner = tomorrow.engine, tomorrow.owner
    answer = await owner.post(f"properties/{engine.place}", **(FACTS | {"zone": "America/Chicago"}))
    assert "Codes changed: 1" in plain(answer.text)
    await owner.follow(await agree(owner, answer))
    await engine.work()
    assert engine.held()[0].window.starts == OPENS + 60 * MINUTE


async def test_doors_are_put_in_the_order_in_which_a_guest_comes_to_them(any_console):
    engine, owner = any_console.engine, any_console.owner
    engine.app.add_account("annex", token="annex")
    await engine.connect_locks({"gate": "standard", "flat": "standard"}, account="annex")
    await engine.match("gate")
    await engine.match("flat")
    where = f"properties/{engine.place}"

    def doors():
        names = {key: name for name, key in engine.locks.items()}
        return [names[lock] for _, lock in engine.ask(hosts.matches, [engine.place])]

    assert doors() == ["front", "gate", "flat"]
    await owner.follow(await owner.post(f"{where}/doors", lock=engine.locks["gate"], move="up"))
    assert doors() == ["gate", "front", "flat"]
    await owner.follow(await owner.post(f"{where}/doors", lock=engine.locks["gate"], move="down"))
    await owner.follow(await owner.post(f"{where}/doors", lock=engine.locks["gate"], move="down"))
    await owner.follow(await owner.post(f"{where}/doors", lock=engine.locks["gate"], move="down"))
    assert doors() == ["front", "flat", "gate"]
    assert (await owner.post(f"{where}/doors", lock=99, move="up")).status_code == 404
    assert (await owner.post(f"{where}/doors", lock="9" * 30, move="up")).status_code == 404


async def test_bookings_that_came_under_a_name_get_their_codes_when_it_is_noted(tomorrow):
    engine, owner = tomorrow.engine, tomorrow.owner
    await engine.book(
        id="R2", code="HM2", guest="Bo Second", home="prop-99", arrival="2026-06-17", departure="2026-06-19"
    )
    where = f"properties/{engine.place}/names"
    answer = await owner.post(where, platform="generic", ref="prop-99")
    assert "Codes added: 1" in plain(answer.text)
    assert "Bo Second" in plain(answer.text)
    said = await owner.follow(await agree(owner, answer))
    assert "prop-99" in said
    await engine.work()
    assert {code.name for code in engine.held()} == {"Ida Example"}
    await engine.passes(DAY)
    assert {code.name for code in engine.held()} == {"Ida Example", "Bo Second"}
    await owner.follow(await owner.post(f"{where}/forget", platform="generic", ref="prop-99"))
    assert engine.ask(hosts.find_property, engine.host, "generic", "prop-99") is None
    assert (await owner.post(f"{where}/forget", platform="generic", ref="prop-99")).status_code == 404


async def test_a_name_of_another_property_is_not_taken_from_it_by_mistake(tomorrow):
    engine, owner = tomorrow.engine, tomorrow.owner
    other = await engine.add_property("Boat House", "prop-8")
    answer = await owner.post(f"properties/{other}/names", platform="generic", ref="prop-7")
    assert answer.status_code == 422
    assert "is Lake House already" in plain(answer.text)
    assert (await owner.post(f"properties/{other}/names", platform="nobody", ref="1")).status_code == 422


async def test_staff_see_a_property_and_change_nothing(tomorrow):
    staff = await tomorrow.person(Role.STAFF)
    page = await staff.text(f"properties/{tomorrow.engine.place}")
    assert "Lake House" in page
    assert "Save" not in page
    assert (await staff.post(f"properties/{tomorrow.engine.place}", **FACTS)).status_code == 403
    assert (await staff.get("properties/new")).status_code == 403
    assert (await staff.get("properties/12345")).status_code == 404


async def test_guests_whose_language_is_not_known_are_written_to_in_that_of_the_property(opened, sqlite_url):
    console = await opened(sqlite_url, at=OPENS - DAY)
    engine, owner = console.engine, console.owner
    await owner.follow(await owner.post(f"properties/{engine.place}", **FACTS, language="de"))
    await engine.book(guest="Bo Second")
    await engine.passes(60 * MINUTE)
    (email,) = engine.mails("bo.second@example.com")
    assert "Ihr" in email.subject


def test_the_zones_to_choose_from_are_those_people_know():
    assert {"Europe/Berlin", "America/New_York"} <= set(properties.zones())
    assert not any(name.startswith("Etc/") for name in properties.zones())
    assert is_language("de")
