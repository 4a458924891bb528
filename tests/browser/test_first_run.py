"""The whole first run, as somebody new does it: the real server process, its worker, and the simulated lock app."""

import asyncio
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.conftest import DESKTOP, PASSWORD, Window, opened, window

FIRST_LINK = re.compile(r"http://\S+/first-run/\S+")


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[str]:
    """``lockbridge serve`` in an empty folder; the link that it prints."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    chosen = {
        "DATABASE__URL": f"sqlite:///{folder}/lockbridge.sqlite3",
        "SECRETS__KEY_FILE": f"{folder}/lockbridge.key",
        "SERVER__PORT": str(port),
        "WORKER__TICK_SECONDS": "0.2",
    }
    environment = {**os.environ, **{f"LOCKBRIDGE_{name}": value for name, value in chosen.items()}}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockbridge", "serve", stderr=asyncio.subprocess.PIPE, cwd=folder, env=environment
    )
    said, link = [], None
    while link is None and (line := await process.stderr.readline()):
        said.append(line.decode())
        link = FIRST_LINK.search(said[-1])
    assert link, "".join(said)
    drain = asyncio.create_task(process.stderr.read())
    try:
        yield link[0]
    finally:
        process.terminate()
        await process.wait()
        await drain


async def test_from_nothing_to_a_code_on_a_lock(browser: Browser, pictures: Path, tmp_path: Path):
    async with serving(tmp_path) as link, opened(browser, DESKTOP) as context:
        desk = await window(context, link.partition("/first-run")[0], pictures)
        await desk.page.goto(link)
        await desk.look("first-run-1-welcome")
        await _make_account(desk)
        await _lock_app(desk)
        await _property(desk)
        await _match(desk)
        await _bookings(desk)
        await _messages(desk)
        await expect(desk.page.get_by_text("All is set up")).to_be_visible()
        await desk.look("first-run-9-done")
        await desk.page.goto(link)
        await expect(desk.page).to_have_url(re.compile(r"/console/1(/start)?$"))


async def _make_account(desk: Window) -> None:
    page = desk.page
    await page.get_by_label("What your business is called").fill("Lakeside Homes")
    await page.get_by_label("Your name").fill("Ana Example")
    await page.get_by_label("Your e-mail").fill("ana@example.com")
    await page.get_by_label("A password").fill(PASSWORD)
    await desk.press("Make my account")
    await expect(page.get_by_role("heading", name="Guided start")).to_be_visible()
    await desk.look("first-run-2-start")


async def _lock_app(desk: Window) -> None:
    await desk.press("Try it with simulated locks")
    await expect(desk.page.locator("#task .badge.good").first).to_be_visible()
    await desk.page.goto(f"{desk.url}/console/1/start?step=lock_app")
    await expect(desk.page.get_by_text("5 locks found")).to_be_visible()
    await desk.look("first-run-3-lock-app")
    await desk.follow("Go on")


async def _property(desk: Window) -> None:
    await desk.page.get_by_label("Name", exact=True).fill("Lake House")
    await desk.page.get_by_label("Time zone").fill("Europe/Berlin")
    await desk.press("Add")
    await desk.page.goto(f"{desk.url}/console/1/start?step=properties")
    await expect(desk.page.get_by_role("link", name="Lake House")).to_be_visible()
    await desk.look("first-run-4-property")
    await desk.follow("Go on")


async def _match(desk: Window) -> None:
    await desk.page.get_by_label("is opened by").select_option(label="Front door")
    await desk.press("Show what would happen")
    await expect(desk.page.get_by_role("heading", name="Front door", exact=True)).to_be_visible()
    await desk.look("first-run-5-preview")
    await desk.press("Do it")
    await desk.page.goto(f"{desk.url}/console/1/start?step=match")
    await expect(desk.page.get_by_text("Front door opens Lake House")).to_be_visible()
    await desk.follow("Go on")


async def _bookings(desk: Window) -> None:
    await desk.press("An address for my own system")
    await expect(desk.page.get_by_text("Waiting for the first webhook")).to_be_visible()
    await desk.look("first-run-6-address")
    await desk.press("Send a test booking")
    test = desk.page.locator("#test")
    await expect(test.get_by_text("set", exact=True)).to_be_visible()
    await expect(desk.page.locator("#hearing .badge.good").first).to_be_visible()
    await desk.look("first-run-7-test-booking")
    await desk.page.goto(f"{desk.url}/console/1/start?step=bookings")
    await desk.follow("Go on")


async def _messages(desk: Window) -> None:
    await expect(desk.page.get_by_role("button", name="Looks right")).to_be_visible()
    await desk.look("first-run-8-messages")
    await desk.press("Looks right")
