"""Matching with the mouse, and without scripts: each time a preview first, and then the code on the lock."""

from pytest_asyncio import fixture as async_fixture

from tests.browser.conftest import PHONE
from tests.workflows.engine import DAY, MINUTE, OPENS


@async_fixture(loop_scope="session")
async def house(office):
    """A stay from tomorrow on; a side entrance that opens nothing yet."""
    at = await office({"Front door": "standard"}, at=OPENS - DAY)
    at.engine.app.add_account("annex", token="annex")
    await at.engine.connect_locks({"Side entrance": "standard"}, account="annex")
    await at.engine.book()
    await at.engine.passes(MINUTE)
    return at


async def test_a_lock_is_dragged_onto_a_property_previewed_and_holds_the_code(house):
    window = await house.window()
    await window.open(f"{house.base}/matching")
    chip = window.page.locator(".palette [data-lock]", has_text="Side entrance").first
    await chip.drag_to(window.page.locator("[data-property]").first)
    await window.page.wait_for_selector("text=Before it happens: Side entrance opens Lake House")
    await window.look("matching-preview")
    assert house.engine.held("Side entrance") == []
    await window.press("Do it")
    await window.page.wait_for_selector("text=Side entrance opens Lake House.")
    await house.engine.work()
    assert [code.pin for code in house.engine.held("Side entrance")] == [house.engine.pin(lock="Front door")]


async def test_without_scripts_the_same_is_done_by_choosing_on_a_phone(house):
    window = await house.window(size=PHONE, scripts=False)
    await window.open(f"{house.base}/matching")
    await window.page.locator("[data-property] select").select_option(label="Side entrance")
    await window.press("Preview")
    await window.page.wait_for_selector("text=Codes added: 1")
    await window.press("Do it")
    await window.page.wait_for_selector("text=Side entrance opens Lake House.")
    await house.engine.work()
    assert len(house.engine.held("Side entrance")) == 1
