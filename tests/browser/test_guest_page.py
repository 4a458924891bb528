"""The guest's page in a real browser: before, during and after the stay, and at a closed door without JavaScript."""

from playwright.async_api import expect

from lockbridge.storage import hosts
from lockbridge.storage.hosts import GuestHelp
from lockbridge.workflows import guest
from tests.browser.conftest import DESKTOP, PHONE
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, OPENS

HELP = GuestHelp("Ana Host", "+1 555 0100", "ana@example.com", "I live next door.", may_open=True)
PLACE = {"address": "7 Lake Road\nSpringfield", "arrival_note": "Past the boat house, then the blue door."}
START = OPENS - DAY - 2 * HOUR


async def a_stay(office):
    """An office with a stay in a house of two doors; and the path of its guest's page."""
    at = await office({"Garden gate": "standard", "Front door": "standard"}, at=START)
    engine = at.engine
    await engine.write(lambda c: hosts.set_guest_help(c, engine.services.vault, engine.host, HELP))
    await engine.write(lambda c: hosts.change_property(c, engine.host, engine.place, PLACE))
    await engine.book()
    return at, "/g/" + await guest.link(engine.services, engine.host, engine.stay().id, engine.now)


async def test_the_page_before_during_and_after_the_stay(office):
    at, path = await a_stay(office)
    phone, desk = await at.window(None, size=PHONE), await at.window(None, size=DESKTOP, dark=True)
    for window, name in ((phone, "phone"), (desk, "desktop-dark")):
        await window.open(path)
        await expect(window.page.get_by_text("Your code appears here on Saturday").first).to_be_visible()
        await window.look(f"guest-before-{name}")
    await at.engine.until(OPENS + HOUR)
    for window, name in ((phone, "phone"), (desk, "desktop-dark")):
        await window.open(path)
        code = window.page.locator("#door-" + str(at.engine.locks["Front door"]) + " .code [aria-hidden]")
        assert at.engine.opens("Front door", await code.inner_text())
        await window.look(f"guest-during-{name}")
    await phone.follow("Deutsch")
    await expect(phone.page.get_by_role("heading", name="Ihr Weg hinein")).to_be_visible()
    await phone.look("guest-during-phone-de")
    await at.engine.until(CLOSES + DAY)
    for window, name in ((phone, "phone"), (desk, "desktop-dark")):
        await window.open(path)
        await expect(window.page.get_by_role("heading", name="Your stay is over")).to_be_visible()
        await window.look(f"guest-after-{name}")


async def test_a_closed_door_opens_step_by_step_on_a_phone_without_javascript(office):
    at, path = await a_stay(office)
    await at.engine.until(OPENS + HOUR)
    (own, *_) = at.engine.held("Front door")
    at.engine.app.delete_by_hand("Front door", own.ref)
    window = await at.window(None, size=PHONE, scripts=False)
    await window.open(path)
    door = window.page.locator("#door-" + str(at.engine.locks["Front door"]))
    for name, title in (
        ("The code does not work", "Please type it once more"),
        ("It still does not work", "Here is a backup code"),
        ("It still does not work", "We have opened the door"),
        ("It still does not work", "Please call your host"),
    ):
        at.engine.clock.advance(MINUTE)
        await door.get_by_role("button", name=name).click()
        await expect(door.get_by_role("heading", name=title)).to_be_visible()
        picture = title.lower().replace(" ", "-")
        await window.picture(f"guest-step-{picture}")
    assert await window.wide() == []
    assert await window.page.get_by_role("link", name="Call +1 555 0100").count() == 2
    backup = await door.locator(".code [aria-hidden]").first.inner_text()
    assert at.engine.opens("Front door", backup)
    assert ("open", "Front door") in at.engine.tap.calls


async def test_a_code_on_its_way_appears_by_itself(office):
    at = await office({"Front door": "standard"}, at=START, settings={"backups": False})
    engine = at.engine
    engine.app.offline("Front door")
    await engine.book()
    path = "/g/" + await guest.link(engine.services, engine.host, engine.stay().id, engine.now)
    await engine.until(OPENS - HOUR)
    window = await at.window(None, size=PHONE)
    await window.page.clock.install()
    await window.open(path)
    await expect(window.page.get_by_text("Your code is on its way")).to_be_visible()
    await window.look("guest-waiting-phone")
    engine.app.online("Front door")
    await engine.passes(HOUR)
    await window.page.clock.fast_forward(13_000)
    await expect(window.page.locator(".code [aria-hidden]")).to_have_text(engine.pin())
