"""What people do at the console, in a real browser, and what comes of it on the locks."""

import pytest
from playwright.async_api import expect

from lockbridge.domain.people import Role
from tests.browser.conftest import PHONE, Window
from tests.browser.season import busy
from tests.workflows.engine import DAY, HOUR, MINUTE

SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["with-javascript", "without-javascript"])


@SCRIPTS
async def test_a_match_is_previewed_and_then_a_code_is_on_the_lock(office, scripts):
    at = await office({"Front door": "standard"})
    engine = at.engine
    engine.app.add_account("second", token="second")
    await engine.connect_locks({"Back door": "standard"}, account="second")
    await engine.passes(2 * DAY)
    await engine.book()
    window = await at.window(scripts=scripts, size=PHONE)
    await window.open(f"{at.base}/properties/{engine.place}")
    await window.page.get_by_label("Another lock that opens it").select_option(label="Back door")
    await window.press("See what would happen")
    await expect(window.page.get_by_text("Ida Example")).to_be_visible()
    await look(window, "match-preview", scripts=scripts)
    assert engine.held("Back door") == []
    await window.press("Do it")
    await expect(window.page.get_by_role("status")).to_be_visible()
    await engine.work()
    assert [code.pin for code in engine.held("Back door")] == [engine.pin()]
    assert engine.opens("Back door", at=engine.now + 3 * DAY)


@SCRIPTS
async def test_a_resync_shows_how_far_it_has_come_and_puts_a_code_back(office, scripts):
    at = await office({"Front door": "standard"})
    engine = at.engine
    await engine.passes(2 * DAY)
    await engine.book()
    await engine.passes(HOUR)
    (code,) = engine.held("Front door")
    engine.app.delete_by_hand("Front door", code.ref)
    window = await at.window(scripts=scripts, size=PHONE)
    await window.open(f"{at.base}/locks/{engine.locks['Front door']}")
    await window.press("Resync")
    await expect(window.page.get_by_text("1 code put on")).to_be_visible()
    await look(window, "resync-report", scripts=scripts)
    assert [code.pin for code in engine.held("Front door")] == [engine.pin()]


@SCRIPTS
async def test_a_refused_code_stands_first_under_today_and_is_mended_with_its_button(office, scripts):
    at = await busy(office)
    engine = at.engine
    assert engine.statuses("S1") == {"Flat door": "failed"}
    window = await at.window(scripts=scripts, size=PHONE)
    await window.open(at.base)
    first = window.page.get_by_role("table").first.get_by_role("row").nth(1)
    await expect(first).to_contain_text("Ben Traveller")
    await look(window, "today-refused", scripts=scripts)
    engine.app.locks["Flat door"].script.clear()
    await first.get_by_role("button").click()
    await expect(window.page.get_by_role("status").first).to_be_visible()
    await engine.passes(MINUTE)
    assert engine.opens("Flat door", ref="S1")
    await window.open(at.base)
    needy = (
        window.page.get_by_role("row").filter(has_text="Ben Traveller").filter(has=window.page.get_by_role("button"))
    )
    await expect(needy).to_have_count(0)


async def look(window: Window, name: str, *, scripts: bool) -> None:
    """A picture of a step; without JavaScript there is no axe-core to ask."""
    if scripts:
        await window.look(name)
    else:
        assert window.complaints == []


async def test_what_happens_elsewhere_appears_on_an_open_page(office):
    at = await busy(office)
    window = await at.window()
    await window.open(at.base)
    await expect(window.page.get_by_text("Gil Latecomer")).to_have_count(0)
    await at.engine.book(id="S9", code="HMX9", guest="Gil Latecomer", arrival="2026-06-11", departure="2026-06-12")
    await expect(window.page.get_by_text("Gil Latecomer").first).to_be_visible()


async def test_support_sees_masks_and_digits_only_with_a_reason_that_the_owner_reads(office):
    at = await busy(office)
    pin = at.engine.pin("S0")
    support = await at.window(Role.SUPPORT)
    await support.open(f"{at.base}/stays/{at.engine.stay('S0').id}")
    await expect(support.page.get_by_role("heading", name="Ida Example")).to_be_visible()
    assert pin not in await support.page.content()
    assert at.engine.stay("S0").contact.phone not in await support.page.content()
    await support.look("support-masked")
    await support.page.get_by_label("Why do you need them?").fill("Guest is on the phone before the door")
    await support.press("Show codes and contacts once")
    await expect(support.page.get_by_text(pin).first).to_be_visible()
    owner = await at.window(Role.OWNER)
    await owner.open(f"{at.base}/activity")
    await expect(owner.page.get_by_text("Guest is on the phone before the door")).to_be_visible()
    await owner.look("activity-reveal")


async def test_staff_may_look_but_not_at_digits_and_have_nothing_to_press(office):
    at = await busy(office)
    cleaner = await at.window(Role.STAFF, size=PHONE)
    await cleaner.open(f"{at.base}/stays/{at.engine.stay('S0').id}?show=1")
    assert at.engine.pin("S0") not in await cleaner.page.content()
    await expect(cleaner.page.get_by_role("button", name="Re-issue code")).to_have_count(0)
    await cleaner.look("staff-stay")


async def test_a_lock_dragged_onto_a_property_leads_to_the_preview(office):
    at = await busy(office)
    window = await at.window()
    await window.open(f"{at.base}/matching")
    await window.page.get_by_text("All locks").click()
    lock = window.page.locator("details [data-lock]").filter(has_text="Cabin door").first
    place = window.page.locator("[data-property]").filter(has_text="City Flat").first
    await lock.drag_to(place)
    await expect(window.page.get_by_role("heading", name="Cabin door opens City Flat")).to_be_visible()
