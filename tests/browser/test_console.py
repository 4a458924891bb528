"""What the console's script adds to every page."""

from playwright.async_api import expect


async def test_instants_of_no_property_are_on_the_readers_clock_and_without_scripts_in_utc(office):
    at = await office()
    for scripts, shown in ((True, "Wed 10 Jun 2026, 14:30 CEST"), (False, "Wed 10 Jun 2026, 12:30 UTC")):
        window = await at.window(scripts=scripts)
        await window.open(f"{at.base}/sources")
        await expect(window.page.get_by_text(shown).first).to_be_visible()


async def test_escape_closes_the_menu_and_gives_the_focus_back(office):
    at = await office()
    window = await at.window(size=(360, 740))
    await window.open(at.base)
    menu = window.page.get_by_text("Menu", exact=True)
    await menu.press("Enter")
    await expect(window.page.get_by_role("link", name="Staff codes")).to_be_visible()
    await window.page.keyboard.press("Escape")
    await expect(window.page.get_by_role("link", name="Staff codes")).to_be_hidden()
    await expect(menu).to_be_focused()
