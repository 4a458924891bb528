"""The guided start: from nothing to a code on a lock, by clicks; each step can be left and resumed."""

import re

import pytest

from lockbridge.domain.people import Role
from lockbridge.signatures import sign_standard_webhook
from lockbridge.web.app import build_web
from lockbridge.workflows import connect, start
from tests.web.conftest import shows
from tests.web.console.conftest import URL, Browser, plain
from tests.web.console.test_matching import agree
from tests.web.console.test_sources import pasted
from tests.workflows.engine import MINUTE


async def nothing(scope, receive, send):
    """A simulated lock app that is asked by its driver in this process, not over HTTP."""


@pytest.fixture
async def fresh(any_console):
    """Somebody whose host has nothing yet, on a server with a simulated lock app."""
    engine = any_console.engine
    any_console.web = build_web(engine.services, max_body=1_000_000, url=URL, simulator=lambda: nothing)
    engine.host = await connect.add_host(engine.services, "New Host", "new@example.com", engine.now)
    browser = await any_console.person(Role.OWNER, name="Nora")
    return Fresh(any_console, browser)


class Fresh:
    """The console of a new host, and its owner."""

    def __init__(self, console, owner: Browser):
        self.console, self.engine, self.owner = console, console.engine, owner

    async def steps(self):
        """The steps, and what stands beside each."""
        page = (await self.owner.get("start")).text
        found = re.findall(r'<li class="(?:good)?"><a href="[^"]*step=(\w+)"[^>]*>.*?</a>(.*?)</li>', page, re.DOTALL)
        return {name: plain(badge) for name, badge in found}

    async def step(self, name=""):
        return await self.owner.text(f"start?step={name}" if name else "start")


async def test_the_whole_start_by_clicks_ends_with_a_code_for_the_test_booking_on_the_simulated_lock(fresh):
    owner, engine = fresh.owner, fresh.engine
    assert "0 of 5" in await fresh.step()
    assert "Try it with simulated locks" in await fresh.step()
    await owner.post("lock-apps/simulator")
    await fresh.console.finish()
    assert "front" in await fresh.step("lock_app")

    assert "is added" in await owner.follow(await owner.post("start/property", name="Tiny House", zone="Europe/Berlin"))
    page = (await owner.get("start?step=match")).text
    place, lock = re.findall(r'<option value="(\d+)">', page)
    back = f"{owner.base}/start?step=match"
    asked = await owner.post("matching", property=place, lock=lock, back=back)
    assert "Nothing has been changed yet" in plain(asked.text)
    answer = await agree(owner, asked)
    assert answer.headers["location"] == back
    assert "front opens Tiny House" in await fresh.step("match")

    answer = await owner.post("start/address")
    page = (await owner.get(answer.headers["location"])).text
    assert pasted(page)[1].startswith("whsec_")
    assert "Waiting for the first webhook" in plain(page)
    await owner.follow(await owner.post("start/test-booking", place=place))
    await engine.work()
    page = await fresh.step("bookings")
    assert "Webhooks arrive here" in page
    assert "Test Guest" in page
    (held,) = [code for code in engine.app.holds("front") if "Test" in code.name]
    assert not shows(page, held.pin)
    assert engine.app.opens("front", held.pin, engine.now)

    page = await fresh.step("messages")
    assert "24 hours before check-in" in page
    assert "Here is your door code for Tiny House" in page
    assert "All is set up" in await owner.follow(await owner.post("start/looks-right"))
    assert set((await fresh.steps()).values()) == {"done"}
    assert not engine.ask(start.open_steps, engine.host)

    await engine.passes(MINUTE)
    await owner.follow(await owner.post("start/test-booking/cancel"))
    await engine.passes(5 * MINUTE)
    assert [code for code in engine.app.holds("front") if "Test" in code.name] == []


async def test_the_messages_of_the_test_booking_go_to_whoever_sent_it(fresh):
    engine, owner = fresh.engine, fresh.owner
    place = await connect.add_property(
        engine.services, engine.host, connect.NewProperty("Tiny House", "America/New_York"), [], engine.now
    )
    _, (row, *_) = await connect.add_lock_app(engine.services, engine.host, "simulator", "Sim", {}, engine.now)
    await connect.match(engine.services, engine.host, place, row.id, engine.now)
    await owner.post("start/address")
    await owner.post("start/test-booking", place=str(place))
    await engine.work()
    mails = engine.mails(f"nora{engine.host}@example.com")
    assert [mail.subject for mail in mails] == ["Your door code for Tiny House"]


async def test_a_step_is_left_for_later_and_taken_up_again(fresh):
    owner = fresh.owner
    answer = await owner.post("start/later/lock_app")
    assert answer.headers["location"].endswith("start?step=properties")
    assert (await fresh.steps())["lock_app"] == "later"
    assert "Take it up again" in await fresh.step("lock_app")
    await owner.follow(await owner.post("start/resume/lock_app"))
    assert (await fresh.steps())["lock_app"] == ""
    for name in ("lock_app", "properties", "match", "bookings"):
        await owner.post(f"start/later/{name}")
    assert "That is all for now" in await owner.follow(await owner.post("start/later/messages"))
    assert (await owner.post("start/later/dance")).status_code == 404


async def test_today_reminds_of_what_is_open_until_that_is_not_wanted(fresh):
    engine, owner = fresh.engine, fresh.owner
    await owner.post("start/later/lock_app")
    found = engine.ask(start.open_steps, engine.host)
    assert [(step.name.value, step.later) for step in found][:2] == [("lock_app", True), ("properties", False)]
    assert len(found) == 5
    await owner.post("start/no-reminder")
    assert not engine.ask(start.open_steps, engine.host)
    assert "0 of 5" in await fresh.step(), "it is still there"


async def test_a_real_webhook_turns_the_step_green_and_one_with_a_wrong_secret_is_said(fresh):
    owner, engine = fresh.owner, fresh.engine
    answer = await owner.post("start/address")
    url, secret = pasted((await owner.get(answer.headers["location"])).text)
    body = b'{"type": "ping"}'
    wrong = sign_standard_webhook("whsec_" + "A" * 40, "evt-1", engine.now, body)
    assert (await owner.client.post(url, content=body, headers=wrong)).status_code == 401
    assert "A webhook was refused" in await fresh.step("bookings")
    assert (await fresh.steps())["bookings"] == ""
    engine.clock.advance(MINUTE)
    right = sign_standard_webhook(secret, "evt-2", engine.now, body)
    assert (await owner.client.post(url, content=body, headers=right)).status_code == 200
    assert "Webhooks arrive here" in await fresh.step("bookings")
    assert (await fresh.steps())["bookings"] == "done"


async def test_what_is_wrong_with_a_property_is_said_and_what_was_typed_stays(fresh):
    answer = await fresh.owner.post("start/property", name="Tiny House", zone="Berlin")
    assert answer.status_code == 422
    assert "'Berlin' is no time zone" in plain(answer.text)
    assert 'value="Tiny House"' in answer.text


async def test_a_test_booking_needs_an_address_and_a_property_of_ones_own(fresh):
    engine, owner = fresh.engine, fresh.owner
    theirs = str(engine.place)
    assert "not yours" in plain((await owner.post("start/test-booking", place=theirs)).text)
    place = await connect.add_property(
        engine.services, engine.host, connect.NewProperty("Tiny House", "Europe/Berlin"), [], engine.now
    )
    assert "make one first" in plain((await owner.post("start/test-booking", place=str(place))).text)
    assert "no test booking to take back" in plain((await owner.post("start/test-booking/cancel")).text)


async def test_staff_see_the_start_and_cannot_take_its_steps(console):
    staff = await console.person(Role.STAFF)
    page = await staff.text("start?step=bookings")
    assert "Send a test booking" not in page
    assert "Later" not in page
    assert (await staff.post("start/address")).status_code == 403
