"""What every answer tells the browser, and who is let in where."""

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from lockbridge.domain.people import Role
from lockbridge.web import console as console_pages
from lockbridge.web.app import build_web
from lockbridge.web.security import POLICY
from lockbridge.workflows import connect
from tests.web.console.conftest import Browser, Console


def pages(router: APIRouter, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of every page of a router and of those it includes."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield from ((method, prefix + route.path) for method in route.methods if method != "HEAD")
        else:
            yield from pages(route.original_router, prefix + route.include_context.prefix)


def routes() -> list[tuple[str, str]]:
    """Method and path of every page of a host."""
    found = sorted(each for each in pages(console_pages.router) if each[1].startswith("/console/{host}"))
    assert len(found) > 60, "the console has this many pages, or they are not found any more"
    return found


async def test_every_answer_keeps_other_sites_out(console):
    for path in ("/sign-in", "", "nothing", "/static/console.css", "/first-run/x"):
        answer = await console.owner.get(path)
        assert answer.headers["content-security-policy"] == POLICY, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
    assert "unsafe" not in POLICY


async def test_pages_are_kept_by_nobody_and_files_for_ever(console):
    assert (await console.owner.get("")).headers["cache-control"] == "no-store"
    page = (await console.owner.get("/sign-in")).text
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', (await console.owner.get("")).text)
    assert files
    for path in files:
        answer = await console.owner.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert "http://" not in page.replace("http://www.w3.org", "")


async def test_over_https_cookies_stay_on_https(console):
    web = build_web(console.engine.services, max_body=1000, url="https://codes.example.com")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=web), base_url="https://codes.example.com"
    ) as client:
        page = await client.get("/sign-in")
        token = re.search('name="csrf" value="([^"]+)"', page.text)
        fields = {"csrf": token[1], "email": f"owner{console.host}@example.com", "password": "a door for everyone"}
        answer = await client.post("/sign-in", data=fields)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-lockbridge=")
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    assert "max-age" in answer.headers["strict-transport-security"]


async def test_every_page_of_another_host_is_not_here(console):
    """The whole of the console, asked for by the owner of another host: its address, and our things at theirs."""
    stranger = await _neighbour(console)
    let_in = [
        f"{method} {path}: {answer.status_code}"
        for method, path in routes()
        if (answer := await _ask(stranger, method, _filled(path, console.host))).status_code != 404
    ]
    assert let_in == []


async def test_our_things_are_not_there_at_another_host(console):
    stranger = await _neighbour(console)
    own = int(stranger.base.rpartition("/")[2])
    let_in = [
        f"{method} {path}: {answer.status_code}"
        for method, path in routes()
        if len(re.findall("{", path)) > 1 and not path.endswith(NOT_A_THING)
        if (answer := await _ask(stranger, method, _filled(path, own))).status_code != 404
    ]
    assert let_in == []


NOT_A_THING = ("{kind}.{ending}", "/texts/{name}/{language}/drop", "/reveal")
"""Where a path names a word, not somebody's thing; and what an owner has no right to at their own host either."""


async def _neighbour(console: Console) -> Browser:
    """The owner of another host, who has nothing yet; ours has one of each thing, numbered 1."""
    engine = console.engine
    other = await connect.add_host(engine.services, "Bo Other", "bo@example.com", engine.now)
    await engine.book()
    found = await console.person(Role.OWNER, host=other, name="Bo")
    found.base = f"/console/{other}"
    await found.get("")
    return found


def _filled(path: str, host: int) -> str:
    return re.sub(r"{(\w+)(?::\w+)?}", lambda name: str(host) if name[1] == "host" else "1", path)


async def _ask(browser, method: str, path: str) -> httpx.Response:
    return await (browser.get(path) if method == "GET" else browser.post(path))


@pytest.mark.parametrize("role", [Role.STAFF, Role.SUPPORT])
async def test_nobody_changes_anything_whose_role_is_not_for_it(console, role):
    """Every form of the console, sent empty by somebody who may only look: refused before it is read."""
    somebody = await console.person(role)
    await somebody.get("")
    allowed = ALLOWED[role]
    for method, path in routes():
        if method == "GET" or any(re.search(pattern, path) for pattern in allowed):
            continue
        answer = await somebody.post(_filled(path, console.host))
        assert answer.status_code in {403, 404}, (method, path, answer.status_code)


ALLOWED = {
    Role.STAFF: [r"/keypads"],
    Role.SUPPORT: [r"resync", r"/reveal", r"/inbox", r"/health-check", r"replay", r"/lock-apps/{\w+}/test"],
}
"""What somebody of the role may send."""
