"""Matching in the console: nothing happens without a preview, and then exactly what it showed."""

import re

import pytest

from lockbridge.domain.people import Role
from tests.web.conftest import shows
from tests.web.console.conftest import plain
from tests.workflows.engine import DAY, OPENS


def hidden(page: str) -> dict[str, str]:
    """What the preview's form carries."""
    form = page.split('class="decide"', 1)[1].split("</form>", 1)[0]
    return {
        name: value
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
        if name != "csrf"
    }


async def agree(browser, answer, do: str = "it"):
    """The person presses a button of the preview."""
    assert answer.status_code == 200, plain(answer.text)
    return await browser.post(str(answer.url.path), do=do, **hidden(answer.text))


@pytest.fixture
async def booked(opened, sqlite_url):
    """A stay that begins tomorrow, on the front door; a side door that opens nothing yet."""
    console = await opened(sqlite_url, {"front": "standard"}, at=OPENS - DAY)
    console.engine.app.add_account("annex", token="annex")
    await console.engine.connect_locks({"side": "standard"}, account="annex")
    await console.engine.book()
    return console


async def test_a_match_is_shown_first_and_then_does_just_that(booked):
    engine, owner = booked.engine, booked.owner
    answer = await owner.post("matching", change="match", property=engine.place, lock=engine.locks["side"])
    page = plain(answer.text)
    assert "Before it happens: side opens Lake House" in page
    assert "Codes added: 1" in page
    assert "Ida Example" in page
    assert "2 backup codes made" in page
    assert not shows(page, engine.pin())
    await engine.work()
    assert engine.held("side") == []
    said = await owner.follow(await agree(owner, answer))
    assert "side opens Lake House" in said
    await engine.work()
    assert [code.pin for code in engine.held("side")] == [engine.pin()]


async def test_digits_are_shown_to_those_who_may_see_them_when_they_ask_and_it_is_written_down(booked):
    engine, owner = booked.engine, booked.owner
    answer = await owner.post("matching", change="match", property=engine.place, lock=engine.locks["side"])
    shown = await agree(owner, answer, do="show")
    assert engine.pin() in plain(shown.text)
    assert (await agree(owner, shown)).status_code == 303


async def test_an_unmatch_names_the_codes_that_go_and_leaves_those_of_others(booked):
    engine, owner = booked.engine, booked.owner
    engine.app.add_by_hand("front", "Neighbour", "777888")
    answer = await owner.post("matching", change="unmatch", property=engine.place, lock=engine.locks["front"])
    page = plain(answer.text)
    assert "Codes removed: 1" in page
    assert "Ida Example" in page
    assert "2 backup codes taken off" in page
    assert "1 code that lockbridge did not make stays untouched" in page
    await owner.follow(await agree(owner, answer))
    await engine.work()
    assert [code.name for code in engine.app.holds("front")] == ["Neighbour"]


async def test_when_the_world_has_changed_meanwhile_the_new_effect_is_shown_and_nothing_done(booked):
    engine, owner = booked.engine, booked.owner
    answer = await owner.post("matching", change="match", property=engine.place, lock=engine.locks["side"])
    await engine.book(id="R2", code="HM2", guest="Bo Second", arrival="2026-06-20", departure="2026-06-22")
    again = await agree(owner, answer)
    page = plain(again.text)
    assert "Something has changed since the preview was made" in page
    assert "Bo Second" in page
    assert engine.held("side") == []
    await owner.follow(await agree(owner, again))
    await engine.passes(DAY)
    assert len(engine.held("side")) == 1


async def test_a_lock_that_cannot_be_read_is_previewed_from_memory_and_said_so(booked):
    engine, owner = booked.engine, booked.owner
    engine.app.disconnect()
    answer = await owner.post("matching", change="unmatch", property=engine.place, lock=engine.locks["front"])
    page = plain(answer.text)
    assert "could not be read" in page
    assert "told from memory" in page
    assert "Codes removed: 1" in page


async def test_the_list_offers_every_lock_and_says_which_open_nothing(booked):
    page = await booked.owner.text("matching")
    assert "Locks that open no property yet" in page
    assert "side" in page
    assert "Lake House" in page


async def test_staff_see_what_is_matched_and_change_nothing(booked):
    staff = await booked.person(Role.STAFF)
    assert "Lake House" in await staff.text("matching")
    answer = await staff.post("matching", change="unmatch", property=booked.engine.place, lock=1)
    assert answer.status_code == 403


async def test_nothing_of_another_host_can_be_matched(booked):
    engine = booked.engine
    answer = await booked.owner.post("matching", change="match", property=engine.place, lock=99)
    assert answer.status_code == 404
    answer = await booked.owner.post("matching", change="match", property="x", lock=engine.locks["side"])
    assert answer.status_code == 404
    answer = await booked.owner.post("matching", change="match", property=engine.place, lock="")
    assert "Choose a lock first" in await booked.owner.follow(answer)
