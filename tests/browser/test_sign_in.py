"""Signing in, in a real browser."""

from playwright.async_api import expect

from tests.browser.conftest import PASSWORD, PHONE


async def test_somebody_signs_in_on_a_phone_and_at_a_desk(office):
    at = await office()
    await at.window()  # the owner exists
    for name, options in (("phone", {"size": PHONE}), ("desktop-dark", {"dark": True})):
        window = await at.window(None, **options)
        await window.open("/")
        await window.look(f"sign-in-{name}")
        await window.page.get_by_label("E-mail").fill("owner@example.com")
        await window.page.get_by_label("Password").fill(PASSWORD)
        await window.press("Sign in")
        await expect(window.page).to_have_url(at.url + at.base)
