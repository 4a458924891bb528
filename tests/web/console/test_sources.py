"""Where bookings come from: connecting, the address to paste, hearing the first webhook, and what came."""

import re
from datetime import date

import pytest

from lockbridge import signatures
from lockbridge.contract import AccountRefused
from lockbridge.domain.people import Role
from lockbridge.storage import hosts
from lockbridge.workflows import connect
from tests.platforms.make_believe import Booking, Generic
from tests.web.console.conftest import plain
from tests.workflows.engine import HOUR, MINUTE, OPENS
from tests.workflows.pms import BOOKING_COM, KEY, TOKEN, airbnb, booking, booking_com, calendar

URL = "https://calendars.example/lake.ics"
WAITING, HEARD = "Waiting for the first webhook", "Webhooks arrive here"


def pasted(page):
    """The address and the secret as the page shows them to be copied."""
    found = dict(re.findall(r'<input id="(address-\w+)" class="copy" value="([^"]*)"', page))
    return found.get("address-url"), found.get("address-secret")


async def new_address(console, browser=None):
    """Somebody makes a webhook address for a system of their own; the page that shows it."""
    browser = browser or console.owner
    answer = await browser.post("sources/new/generic", way="webhook")
    assert answer.status_code == 303, plain(answer.text)
    return answer.headers["location"]


async def knock(console, url, secret, *, event="evt-web-1", **facts):
    """A webhook arrives at an address, over HTTP."""
    body = Generic().body(Booking(**facts))
    headers = signatures.sign_standard_webhook(secret, event, console.engine.now, body)
    return await console.owner.client.post(url, content=body, headers=headers)


# Addresses


async def test_a_new_address_waits_for_its_first_webhook_and_then_says_that_it_was_heard(any_console):
    owner = any_console.owner
    page = (await owner.get(await new_address(any_console))).text
    url, secret = pasted(page)
    assert url.startswith("http://lockbridge.test/webhooks/generic/")
    assert WAITING in plain(page)
    answer = await knock(any_console, url, secret)
    assert answer.status_code == 200
    address = (await new_address_pages(any_console))[-1]
    assert HEARD in await owner.text(address)
    assert WAITING not in await owner.text(address)


async def new_address_pages(console):
    page = (await console.owner.get("sources")).text
    return re.findall(r'href="(/console/\d+/sources/addresses/\d+)"', page)


async def test_a_webhook_with_a_wrong_signature_is_said_and_a_right_one_after_it_turns_the_page_green(console):
    owner, where = console.owner, await new_address(console)
    url, secret = pasted((await owner.get(where)).text)
    assert (await knock(console, url, Generic.other_secret)).status_code == 401
    said = await owner.text(where)
    assert "A webhook was refused" in said
    assert "webhook-signature does not match: wrong secret" in said
    assert "refused" in await owner.text("sources")
    console.engine.clock.advance(MINUTE)
    assert (await knock(console, url, secret)).status_code == 200
    assert HEARD in await owner.text(where)
    assert "A webhook was refused" not in await owner.text(where)


async def test_address_and_secret_are_shown_in_the_browser_that_made_them_only_and_not_for_ever(console):
    where = await new_address(console)
    assert pasted((await console.owner.get(where)).text)[1].startswith("whsec_")
    colleague = await console.person(Role.MANAGER)
    assert pasted((await colleague.get(where)).text) == (None, None)
    console.engine.clock.advance(61 * MINUTE)
    later = await console.owner.text(where)
    assert "not shown again" in later


async def test_a_copied_cookie_shows_the_secret_to_nobody_else(console):
    where = await new_address(console)
    colleague = await console.person(Role.MANAGER)
    colleague.client.cookies.set("address", console.owner.client.cookies["address"])
    assert pasted((await colleague.get(where)).text) == (None, None)


async def test_the_secret_that_a_platform_gave_afterwards_can_be_entered(console):
    owner, where = console.owner, await new_address(console)
    url, _ = pasted((await owner.get(where)).text)
    refused = await owner.post(f"{where}/secret", secret="too short")
    assert refused.status_code == 422
    assert "the secret cannot be used" in plain(refused.text)
    assert "too short" not in plain(refused.text)
    await owner.follow(await owner.post(f"{where}/secret", secret=Generic.other_secret))
    assert (await knock(console, url, Generic.other_secret)).status_code == 200


async def test_a_platform_that_signs_nothing_gets_no_address_without_its_account(console):
    answer = await console.owner.post("sources/new/smoobu", way="webhook")
    assert answer.status_code == 422
    assert "connect its account, too" in plain(answer.text)


# Accounts


async def connect_acme(console):
    answer = await console.owner.post(f"sources/new/{KEY}", **{"name": "Acme", "set-token": TOKEN, "secret": TOKEN})
    assert answer.status_code == 303, plain(answer.text)
    return answer.headers["location"]


async def test_an_account_is_connected_its_properties_taken_in_and_its_bookings_get_codes(any_console):
    engine, owner = any_console.engine, any_console.owner
    engine.world.pms.put(booking())
    page = await owner.get(await connect_acme(any_console))
    assert "same name" in plain(page.text)
    answer = await owner.post(str(page.url.path), **{"place-prop-7": str(engine.place), "zone": ""})
    assert "0 added, 1 matched" in await owner.follow(answer)
    await engine.work()
    await engine.until(OPENS - HOUR)
    assert engine.statuses("HMA1") == {"front": "scheduled"}
    text = await owner.text(answer.headers["location"])
    assert "A1" in text
    assert "confirmed" in text


async def test_properties_of_an_account_can_be_added_with_the_times_it_says(console):
    owner, engine = console.owner, console.engine
    where = await connect_acme(console)
    await owner.follow(await owner.post(where, **{"place-prop-7": "new", "zone": "Europe/Berlin"}))
    added = [row for row in engine.ask(hosts.properties_of_host, engine.host) if row.id != engine.place]
    assert [(row.name, row.zone, row.check_in) for row in added] == [("Lake House", "America/New_York", "16:00")]


async def test_an_account_that_refuses_us_is_not_kept_and_no_secret_comes_back(console):
    console.engine.world.pms.faults = [AccountRefused("acme refuses the token")]
    answer = await console.owner.post(f"sources/new/{KEY}", **{"name": "Acme", "set-token": "a-wrong-token"})
    assert answer.status_code == 422
    assert "acme refuses the token" in plain(answer.text)
    assert "a-wrong-token" not in answer.text
    assert 'value="Acme"' in answer.text
    assert "Acme" not in await console.owner.text("sources")


async def test_what_is_missing_in_the_form_is_named(console):
    answer = await console.owner.post(f"sources/new/{KEY}")
    assert answer.status_code == 422
    assert "“API token” is empty" in plain(answer.text)


async def test_a_source_is_read_now_read_whole_and_connected_again(console):
    engine, owner = console.engine, console.owner
    where = (await connect_acme(console)).removesuffix("/properties")
    await engine.work()
    engine.world.pms.asked.clear()
    await owner.follow(await owner.post(f"{where}/read"))
    await engine.work()
    await owner.follow(await owner.post(f"{where}/read", whole="yes"))
    await engine.work()
    assert engine.world.pms.asked == ["changes", "everything"]
    engine.world.pms.faults = [AccountRefused("acme refuses the token")]
    await owner.post(f"{where}/read")
    await engine.work()
    page = await owner.text(where)
    assert "does not let us in: acme refuses the token" in page
    assert "has to be connected again" in await owner.text("sources")
    assert "has to be connected again first" in await owner.follow(await owner.post(f"{where}/read"))
    assert "lets us in" in await owner.follow(await owner.post(f"{where}/reconnect", **{"set-token": ""}))
    assert "has to be connected again" not in await owner.text("sources")


async def test_webhooks_of_an_account_are_heard_on_its_page(console):
    engine, owner = console.engine, console.owner
    engine.world.pms.put(booking())
    where = (await connect_acme(console)).removesuffix("/properties")
    page = await owner.get(where)
    url, secret = pasted(page.text)
    assert secret is None, "the host gave it"
    assert WAITING in plain(page.text)
    answer = await owner.client.post(url, content=b"A1#1", headers={"x-acme-secret": TOKEN})
    assert answer.status_code == 200
    assert HEARD in await owner.text(where)


# Calendars


async def test_a_calendar_is_connected_to_a_property_and_shows_its_stays(console):
    engine, owner = console.engine, console.owner
    engine.world.calendars.pages[URL] = calendar(airbnb("HMABC123", date(2026, 6, 14), date(2026, 6, 16)))
    nowhere = await owner.post("sources/new/ical", **{"set-url": URL, "name": "Lake"})
    assert "choose which" in plain(nowhere.text)
    answer = await owner.post("sources/new/ical", **{"set-url": URL, "name": "Lake", "property": str(engine.place)})
    assert "Lake is connected: 1 entries" in await owner.follow(answer)
    await engine.work()
    said = await owner.text(answer.headers["location"])
    assert "Calendar of Lake House" in said
    assert "Sun 14 Jun 2026" in said


async def test_a_calendar_that_tells_no_bookings_from_closed_days_says_what_to_do(console):
    engine, owner = console.engine, console.owner
    closed = booking_com(date(2026, 6, 14), date(2026, 6, 16), "u1")
    engine.world.calendars.pages[URL] = calendar(closed, head=BOOKING_COM)
    answer = await owner.post("sources/new/ical", **{"set-url": URL, "property": str(engine.place)})
    assert "confirm its stays that are bookings" in await owner.follow(answer)


# What came


async def test_what_could_not_be_read_is_listed_without_its_body_and_read_again_when_asked(any_console):
    engine, owner = any_console.engine, any_console.owner
    await engine.deliver(b'{"type": "reservation.created", "data": {"id": "secret-guest"}}')
    await engine.passes(24 * 60 * MINUTE)
    page = await owner.text("inbox?state=dead")
    assert "given up after 8 tries" in page
    assert "data.status is missing" in page, "why"
    assert "secret-guest" not in page
    assert "could not be read and was given up" in await owner.text("sources")
    answer = await owner.post("inbox/replay")
    assert "1 to be read again" in await owner.follow(answer)
    assert "given up after" not in await owner.text("inbox")


async def test_support_may_have_a_webhook_read_again_and_may_connect_nothing(console):
    engine = console.engine
    await engine.book()
    support = await console.person(Role.SUPPORT)
    page = (await support.get("inbox")).text
    (number,) = re.findall(r"/inbox/(\d+)/replay", page)
    assert "is read again in a moment" in await support.follow(await support.post(f"inbox/{number}/replay"))
    assert (await support.get("sources/new")).status_code == 403
    assert (await support.post("sources/new/generic", way="webhook")).status_code == 403


async def test_staff_see_where_bookings_come_from_and_can_change_nothing(console):
    staff = await console.person(Role.STAFF)
    page = await staff.text("sources")
    assert "Connect another" not in page
    assert (await staff.post("inbox/replay")).status_code == 403


@pytest.mark.parametrize("path", ["sources/999", "sources/addresses/999", "sources/999/properties", "sources/new/nope"])
async def test_what_is_not_there_is_not_there(console, path):
    assert (await console.owner.get(path)).status_code == 404


async def test_a_host_with_nothing_is_told_what_to_do(console):
    other = await connect.add_host(console.engine.services, "Other", "other@example.com", console.engine.now)
    browser = await console.person(Role.OWNER, host=other, name="Olga")
    text = plain((await browser.get(f"/console/{other}/sources")).text)
    assert "No bookings come in yet" in text
    assert "Connect a booking platform" in text
