"""A real browser before the real pages: served on loopback, over the whole engine, with a clock that tests move."""

import os
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from pytest_asyncio import fixture as async_fixture
from pytest_asyncio import is_async_test

from lockbridge.domain.people import Role
from lockbridge.storage import people
from lockbridge.storage.database import Database
from lockbridge.web.app import build_web
from lockbridge.web.server import listen
from lockbridge.workflows import sign_in
from lockbridge.workflows.sign_in import FirstOwner
from tests.browser import chromium
from tests.web.conftest import served_at
from tests.workflows.engine import Engine

HERE = Path(__file__).parent
PASSWORD = "a door for everyone"
PHONE, DESKTOP = (360, 740), (1280, 900)
PICTURES = "LOCKBRIDGE_SCREENSHOTS"
"""Names the folder that screenshots are written to; without it none are taken."""
COVER = """() => {
  const style = document.createElement("style");
  style.textContent = "input[readonly], .once code { filter: blur(6px); }";
  document.head.append(style);
}"""
"""Secrets that a page shows once are not to be read in a picture."""
AXE = Path(AXE_FILE_PATH).read_text("utf-8")
PATIENCE = 20_000
"""Milliseconds after which something that should be on a page counts as missing."""
TALLEST = 12_000
"""Pixels of a picture; WebP itself ends at 16,383."""
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser; its absence is a failure that says what to do."""
    found = chromium.find()
    if found is None:
        pytest.fail(chromium.HELP, pytrace=False)
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs before the browser shares its event loop: it is started once, which takes a second."""
    shared_loop = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if item.path.parent == HERE and is_async_test(item):
            item.add_marker(shared_loop, append=False)


@async_fixture(scope="session", loop_scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """A browser without a window."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium_path, args=list(chromium.ARGUMENTS))
        yield started
        await started.close()


@dataclass
class Window:
    """One window of somebody: its page, and what is looked at on every screen."""

    page: Page
    url: str
    pictures: Path | None
    complaints: list[str]

    async def open(self, path: str) -> None:
        """Go to a page of the site."""
        await self.page.goto(self.url + path)

    async def look(self, name: str, *, picture: bool = True) -> None:
        """Look at the screen as it is: no serious barrier (axe-core), nothing wider than the window.

        Where pictures are wanted, one is kept; secrets that a page shows once are covered in it.
        """
        if picture:
            await self.picture(name)
        assert await self.wide() == [], f"{name}: wider than the window"
        assert await self.barriers() == [], name
        assert self.complaints == [], name

    async def picture(self, name: str) -> None:
        """Keep a picture of the whole page, if any are wanted.

        As WebP, a third of what PNG takes, which Playwright does not write.
        """
        if self.pictures is None:
            return
        await self.page.evaluate(COVER)
        chrome = await self.page.context.new_cdp_session(self.page)
        size = (await chrome.send("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {**size, "height": min(size["height"], TALLEST), "scale": 1}
        wanted = {"format": "webp", "quality": 70, "captureBeyondViewport": True, "clip": clip}
        taken = await chrome.send("Page.captureScreenshot", wanted)
        await chrome.detach()
        (self.pictures / f"{name}.webp").write_bytes(b64decode(taken["data"]))

    async def wide(self) -> list[str]:
        """What sticks out of the window to the right."""
        return await self.page.evaluate(
            """() => document.documentElement.scrollWidth <= innerWidth ? [] :
            [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
            .map(e => e.tagName + "." + e.className + ": " + e.textContent.trim().slice(0, 40)).slice(0, 5)"""
        )

    async def barriers(self) -> list[str]:
        """The serious findings of axe-core, each with the first place."""
        if not await self.page.evaluate("() => 'axe' in window"):
            await self.page.evaluate(AXE)
        found = await self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {each['nodes'][0]['html'][:120]} – {each['nodes'][0]['failureSummary'][:300]}"
            for each in found["violations"]
            if each["impact"] in SERIOUS
        ]

    async def press(self, name: str) -> None:
        """Press the button of this name."""
        await self.page.get_by_role("button", name=name, exact=True).first.click()

    async def follow(self, name: str) -> None:
        """Follow the link of this name that can be seen."""
        await self.page.get_by_role("link", name=name, exact=True).locator("visible=true").first.click()


@dataclass
class Office:
    """A host's console, served, and the windows in front of it."""

    engine: Engine
    url: str
    browser: Browser
    pictures: Path | None
    stack: AsyncExitStack
    web: Any

    @property
    def base(self) -> str:
        return f"/console/{self.engine.host}"

    async def window(
        self,
        role: Role | None = Role.OWNER,
        *,
        size: tuple[int, int] = DESKTOP,
        dark: bool = False,
        scripts: bool = True,
    ) -> Window:
        """A window in which somebody of this role is signed in (None: nobody is)."""
        context = await self.stack.enter_async_context(opened(self.browser, size, dark=dark, scripts=scripts))
        if role is not None:
            await context.add_cookies([{"name": "lockbridge", "value": await self._token(role), "url": self.url}])
        return await window(context, self.url, self.pictures)

    async def _token(self, role: Role) -> str:
        services, now = self.engine.services, self.engine.now
        email = f"{role.value}@example.com"
        row = await services.database.ask(people.by_email, services.vault, email)
        if row is None:
            new = FirstOwner("", NAMES[role], email, PASSWORD)
            number = await sign_in.add_person(services, self.engine.host, new, role, now)
            row = await services.database.ask(people.get, services.vault, number)
        return (await sign_in.begin(services, row, "Chromium on a test machine", now)).token


NAMES = {Role.OWNER: "Ana Host", Role.MANAGER: "Max Manager", Role.STAFF: "Cleo Cleaner", Role.SUPPORT: "Sam Support"}


async def window(context: BrowserContext, url: str, pictures: Path | None) -> Window:
    """A new window that notes what the browser complains about."""
    page, complaints = await context.new_page(), []
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.on("dialog", lambda dialog: dialog.accept())
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if _is_complaint(said) else None)
    return Window(page, url, pictures, complaints)


def _is_complaint(said: Any) -> bool:
    return said.type == "error" and not re.search(r"status of (4|5)\d\d", said.text)


@asynccontextmanager
async def opened(
    browser: Browser, size: tuple[int, int], *, dark: bool = False, scripts: bool = True
) -> AsyncIterator[BrowserContext]:
    """A browser of somebody's own: nothing in it is known to others."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
        bypass_csp=True,  # axe-core is put into the page by the test; test_security holds the policy itself
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Berlin",
        has_touch=size == PHONE,
    )
    try:
        yield context
    finally:
        await context.close()


@pytest.fixture
def pictures() -> Path | None:
    """Where screenshots go, if anybody wants them: to take one costs as much as half the looking."""
    if not os.environ.get(PICTURES):
        return None
    folder = Path(os.environ[PICTURES])
    folder.mkdir(parents=True, exist_ok=True)
    return folder


OpenOffice = Callable[..., Awaitable[Office]]


@async_fixture(loop_scope="session")
async def office(
    browser: Browser, pictures: Path | None, open_database: Callable[..., Database], sqlite_url: str
) -> AsyncIterator[OpenOffice]:
    """Opens a host's console: ``await office({"Front door": "standard"}, …)``."""
    async with AsyncExitStack() as stack:

        async def open_one(rules: dict[str, Any] | None = None, **options: Any) -> Office:
            engine = await Engine.start(open_database(sqlite_url, read_threads=0), rules, **options)
            stack.push_async_callback(engine.close)
            at = listen("127.0.0.1", 0)
            url = f"http://127.0.0.1:{at.getsockname()[1]}"
            web = build_web(engine.services, max_body=1_000_000, url=url)
            await stack.enter_async_context(served_at(web, at))
            return Office(engine, url, browser, pictures, stack, web)

        yield open_one
