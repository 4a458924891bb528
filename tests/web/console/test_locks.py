"""Locks in the console: how they are, what they hold, resync, preview, opening, work at keypads."""

import pytest

from lockbridge.domain.people import Role
from lockbridge.storage import notes, readings, tasks
from lockbridge.workflows import connect
from providers.simulator import Fault, Verb
from tests.web.conftest import shows
from tests.web.console.conftest import plain
from tests.workflows.engine import DAY, HOUR, MINUTE, OPENS


async def ask_the_lock_app(console):
    """The account is asked for its locks, and how they are."""
    await console.owner.post(f"lock-apps/{console.engine.account}/test")
    await console.finish()


async def test_the_list_names_locks_in_trouble_first_and_says_what_is_wrong(opened, sqlite_url):
    console = await opened(sqlite_url, {"annex": "standard", "front": "standard"})
    engine = console.engine
    engine.app.offline("front")
    await ask_the_lock_app(console)
    text = await console.owner.text("locks")
    assert "1 in trouble" in text
    assert text.index("front") < text.index("annex")
    assert "it cannot be reached" in text
    only = await console.owner.text("locks?state=problems")
    assert "1 of 2 locks" in only
    assert "annex" not in only
    assert "No lock is like that" in await console.owner.text("locks?q=cellar")
    assert "annex" in await console.owner.text("locks?q=LAKE"), "found by the property it opens"


async def test_a_lock_shows_what_it_holds_and_digits_only_when_asked_for(any_console):
    engine, owner = any_console.engine, any_console.owner
    engine.app.add_by_hand("front", "Cleaner", "739106")
    await engine.book()
    await engine.passes(DAY * 2)
    lock, pin = engine.locks["front"], engine.pin()
    page = (await owner.get(f"locks/{lock}")).text
    text = plain(page)
    assert "Guests (1)" in text
    assert "Backup codes (2)" in text
    assert "Cleaner" in text
    assert "4 of 100 codes" in text
    assert "It will not be full with what is booked" in text
    assert not shows(page, pin)
    assert not shows(page, "739106")
    placement = engine.placed()[0].placement.id
    assert pin in await owner.text(f"locks/{lock}?show={placement}")
    assert "looked at the code of" in await owner.text("activity")
    staff = await any_console.person(Role.STAFF)
    assert not shows((await staff.get(f"locks/{lock}?show={placement}")).text, pin)
    support = await any_console.person(Role.SUPPORT)
    assert not shows((await support.get(f"locks/{lock}?show={placement}")).text, pin)


async def test_r32_resync_puts_back_what_was_deleted_by_hand_and_its_page_says_so(console):
    engine, owner = console.engine, console.owner
    await engine.book()
    await engine.until(OPENS - HOUR)
    lock, pin = engine.locks["front"], engine.pin()
    ref = next(code.ref for code in engine.app.holds("front") if code.pin == pin)
    engine.app.delete_by_hand("front", ref)
    assert "put on" in await owner.text(f"locks/{lock}/preview")
    assert not engine.opens("front", pin, OPENS), "a preview changes nothing"
    answer = await owner.post(f"locks/{lock}/resync")
    await console.finish()
    text = await owner.follow(answer)
    assert "1 code put on" in text
    assert "2 kept" in text
    assert engine.opens("front", pin, OPENS)
    assert "Nothing: it holds exactly what is wanted" in await owner.text(f"locks/{lock}/preview")


async def test_r32_a_resync_shows_code_by_code_how_far_it_is(console):
    engine = console.engine
    for number in range(3):
        await engine.book(id=f"R{number}", code=f"HM{number}", guest=f"Guest {number}")
    await engine.until(OPENS - HOUR)
    for code in engine.held():
        engine.app.delete_by_hand("front", code.ref)
    seen = []

    async def note(verb, _lock):
        if verb == "set":
            task = engine.ask(tasks.get, engine.host, 1)
            seen.append((task.state, task.done, task.total))

    engine.tap.before = note
    await console.owner.post(f"locks/{engine.locks['front']}/resync")
    await console.finish()
    assert seen == [("running", done, 3) for done in range(3)]
    assert engine.ask(tasks.get, engine.host, 1).report["locks"][0]["pushed"] == 3


async def test_support_resyncs_all_locks_and_one_that_cannot_be_read_is_said(opened, sqlite_url):
    console = await opened(sqlite_url, {"cellar": "slots", "front": "standard"})
    console.engine.app.offline("cellar")
    support = await console.person(Role.SUPPORT)
    answer = await support.post("locks/resync", all="yes")
    await console.finish()
    text = await support.follow(answer)
    assert "1 of 2 locks was read" in text
    assert "1 could not be read" in text
    assert "the lock cannot be reached" in text
    staff = await console.person(Role.STAFF)
    assert (await staff.post("locks/resync", all="yes")).status_code == 403


async def test_resync_of_nothing_asks_which_locks(console):
    assert "No lock was chosen" in await console.owner.follow(await console.owner.post("locks/resync"))


async def test_resync_of_a_lock_whose_account_refuses_us_says_what_to_do(console):
    engine = console.engine
    engine.app.disconnect()
    await engine.look_at()
    answer = await console.owner.post(f"locks/{engine.locks['front']}/resync")
    await console.finish()
    text = await console.owner.follow(answer)
    assert "App main does not let lockbridge in: reconnect it first" in text
    assert "App main does not let lockbridge in" in await console.owner.text(f"locks/{engine.locks['front']}")


async def test_open_now_reaches_the_door_and_is_written_down(console):
    engine, lock = console.engine, console.engine.locks["front"]
    text = await console.owner.follow(await console.owner.post(f"locks/{lock}/open"))
    assert "front is open" in text
    assert [entry.verb for entry in engine.app.journal if entry.verb is Verb.OPEN] == [Verb.OPEN]
    assert "opened from afar by Owner" in text
    log = await console.owner.text(f"locks/{lock}/log")
    assert "the door was opened from afar" in log


async def test_a_door_that_did_not_open_is_said_and_so_is_one_that_may_have(console):
    engine, lock = console.engine, console.engine.locks["front"]
    engine.app.offline("front")
    answer = await console.owner.post(f"locks/{lock}/open")
    assert answer.status_code == 502
    assert "The door was not opened: the lock cannot be reached" in plain(answer.text)
    engine.app.online("front")
    engine.app.script("front", Fault.LOST_ANSWER, on={Verb.OPEN})
    answer = await console.owner.post(f"locks/{lock}/open")
    assert "The door may be open all the same" in plain(answer.text)
    for role in (Role.STAFF, Role.SUPPORT):
        person = await console.person(role)
        assert (await person.post(f"locks/{lock}/open")).status_code == 403


async def test_a_lock_that_cannot_be_opened_from_afar_offers_no_button(opened, sqlite_url):
    console = await opened(sqlite_url, {"cellar": "slots"})
    lock = console.engine.locks["cellar"]
    assert "Open the door" not in await console.owner.text(f"locks/{lock}")
    answer = await console.owner.post(f"locks/{lock}/open")
    assert answer.status_code == 422
    assert "cannot be opened from afar" in plain(answer.text)
    log = await console.owner.get(f"locks/{lock}/log")
    assert "has no log" in plain(log.text)


async def test_the_chart_tells_battery_and_outages(any_console):
    engine, owner = any_console.engine, any_console.owner
    lock = engine.locks["front"]
    assert "Nothing was noted" not in await owner.text(f"locks/{lock}"), "it was noted when the lock was connected"
    engine.app.battery("front", 0.5)
    await engine.passes(2 * DAY)
    engine.app.offline("front")
    await ask_the_lock_app(any_console)
    await engine.passes(6 * HOUR)
    engine.app.online("front")
    engine.app.battery("front", 0.4)
    await ask_the_lock_app(any_console)
    await engine.passes(DAY)
    page = (await owner.get(f"locks/{lock}?days=30")).text
    assert "battery now 40 %, at the lowest 40 %" in plain(page.replace('aria-label="', ">"))
    assert 'class="out"' in page
    kept = engine.ask(readings.of_lock, engine.host, lock, engine.now - 30 * DAY)
    assert {reading.online for reading in kept} == {True, False}
    assert 0.5 in {reading.battery for reading in kept}


async def test_readings_are_forgotten_after_400_days(any_console):
    engine, lock = any_console.engine, any_console.engine.locks["front"]
    first = engine.now
    await engine.write(lambda c: readings.note_all(c, first))
    await engine.write(lambda c: readings.note_all(c, first + DAY))
    await engine.write(lambda c: readings.forget(c, first + DAY))
    (kept,) = engine.ask(readings.of_lock, engine.host, lock, first)
    assert kept.at == first + DAY


@pytest.mark.parametrize("path", ["locks/{}", "locks/{}/preview", "locks/{}/log", "tasks/{}", "lock-apps/{}"])
async def test_what_is_not_the_hosts_is_not_there(console, path):
    assert (await console.owner.get(path.format(999))).status_code == 404


async def test_a_full_lock_says_since_when_and_who_waits(opened, sqlite_url):
    console = await opened(sqlite_url, {"front": "standard"})
    engine = console.engine
    engine.app.fill("front", leave=0)
    await engine.look_at()
    await engine.book()
    text = await console.owner.text(f"locks/{engine.locks['front']}")
    assert "will have to wait for a free slot" in text
    assert "98 on it are not lockbridge’s" in text


async def test_work_at_keypads_is_ticked_off_by_staff_and_its_digits_are_for_those_who_may_see_them(opened, sqlite_url):
    console = await opened(sqlite_url, at=OPENS - HOUR)
    engine = console.engine
    await a_keypad(console)
    await engine.book()
    await engine.until(OPENS - MINUTE * 5)
    staff = await console.person(Role.STAFF)
    assert "to do at keypads" in await staff.text("locks")
    text = await staff.text("keypads")
    pin = engine.pin()
    assert "Shed: program" in text
    assert pin not in text
    assert not shows((await staff.get("keypads?show=1")).text, pin)
    assert "looked at the codes" not in await console.owner.text("activity")
    assert pin in await console.owner.text("keypads?show=1")
    assert "looked at the codes" in await console.owner.text("activity")
    note = next(row for row in keypad_work(console) if row.pin.digits == pin)
    assert "EDT" in text, "on the clock of the place"
    said = await staff.follow(await staff.post(f"keypads/{note.id}/done"))
    assert "noted as programmed" in said
    await engine.work()
    assert engine.statuses()["Shed"] in {"scheduled", "set"}
    support = await console.person(Role.SUPPORT)
    assert (await support.get("keypads?show=1")).status_code == 403


async def a_keypad(console):
    engine = console.engine
    _, rows = await connect.add_lock_app(
        engine.services, engine.host, "manual", "Shed keypads", {"locks": "Shed"}, engine.now
    )
    await connect.match(engine.services, engine.host, engine.place, rows[0].id, engine.now)


def keypad_work(console):
    engine = console.engine
    return engine.ask(notes.to_do, engine.services.vault, engine.host)
