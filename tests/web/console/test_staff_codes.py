"""Staff codes in the console (R42): made, looked at, taken back."""

from datetime import UTC, datetime

from lockbridge.domain.people import Role
from lockbridge.storage import codes
from tests.web.conftest import shows
from tests.web.console.conftest import plain
from tests.workflows.engine import DAY, HOUR, MINUTE


def staff_pin(console):
    engine = console.engine
    (one, *_) = engine.ask(codes.staff_of_host, engine.services.vault, engine.host)
    return one.placement.pin.digits


async def make(console, **fields):
    given = {"name": "Cleaner Cleo", "lock": console.engine.locks["front"], "zone": "America/New_York", **fields}
    return await console.owner.post("staff", **given)


async def test_r42_a_staff_code_opens_the_simulated_door_in_its_window_and_no_longer(any_console):
    engine = any_console.engine
    said = await any_console.owner.follow(await make(any_console, starts="2026-06-11T09:00", ends="2026-06-11T12:00"))
    pin = staff_pin(any_console)
    assert "The code is made" in said
    assert pin in said
    assert "Thu 11 Jun 2026, 09:00 EDT" in said
    await engine.passes(MINUTE)
    nine = datetime(2026, 6, 11, 13, 0, tzinfo=UTC)
    assert [engine.app.opens("front", pin, nine + after) for after in (-MINUTE, MINUTE, 4 * HOUR)] == [
        False,
        True,
        False,
    ]
    await engine.passes(DAY * 3)
    assert "There are no staff codes" in await any_console.owner.text("staff")


async def test_digits_are_hidden_until_asked_for_and_never_shown_to_staff(console):
    await make(console, standing="yes")
    pin = staff_pin(console)
    page = await console.owner.text("staff")
    assert "standing : it has no end" in page
    assert not shows(page, pin)
    code = console.engine.ask(codes.staff_of_host, console.engine.services.vault, console.host)[0].placement.code
    assert pin in await console.owner.text(f"staff?show={code}")
    for role in (Role.STAFF, Role.SUPPORT):
        person = await console.person(role)
        assert not shows((await person.get(f"staff?show={code}")).text, pin)
        assert (await person.post("staff", name="Me")).status_code == 403


async def test_taking_a_code_back_takes_it_off_the_lock(console):
    engine = console.engine
    await make(console, standing="yes")
    await engine.passes(MINUTE)
    pin = staff_pin(console)
    assert engine.app.opens("front", pin, engine.now)
    code = engine.ask(codes.staff_of_host, engine.services.vault, engine.host)[0].placement.code
    text = await console.owner.follow(await console.owner.post(f"staff/{code}/revoke"))
    assert "comes off its locks now" in text
    await engine.passes(MINUTE)
    assert not engine.app.opens("front", pin, engine.now)
    assert "There are no staff codes" in await console.owner.text("staff")
    assert (await console.owner.post(f"staff/{code}/revoke")).status_code == 404


async def test_a_guests_code_cannot_be_taken_back_as_a_staff_code(console):
    engine = console.engine
    await engine.book()
    assert (await console.owner.post(f"staff/{engine.code()}/revoke")).status_code == 404
    assert engine.placed()[0].placement.ended is None


async def test_what_makes_no_sense_is_said_and_what_was_typed_is_kept(console):
    wrong = {
        "no lock was chosen": {"lock": ""},
        "would end before it begins": {"starts": "2026-06-12T09:00", "ends": "2026-06-11T09:00"},
        "would be over already": {"starts": "2026-06-01T09:00", "ends": "2026-06-02T09:00"},
        "“Until” is no date and time": {"ends": "soon"},
        "in a time zone of the list": {"starts": "2026-06-12T09:00", "zone": "Lake"},
        "not both": {"ends": "2026-06-12T09:00", "standing": "yes"},
        "needs locks of this host": {"lock": "999"},
        "must have 1 to 200 characters": {"name": " "},
    }
    for words, fields in wrong.items():
        answer = await make(console, **fields)
        assert answer.status_code == 422, words
        assert words in plain(answer.text)
        assert fields.get("name", "Cleaner Cleo") in answer.text
    assert "There are no staff codes" in await console.owner.text("staff")
