"""What somebody sends who means no good: too much, numbers that there are not, and who lies about where they are."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from argon2 import PasswordHasher

from lockbridge.domain.people import Role, Scope
from lockbridge.storage import api_keys, people, tasks
from lockbridge.storage.api_keys import NewApiKey
from lockbridge.storage.rules import Written
from lockbridge.storage.tables import AUDIT
from lockbridge.web.app import build_web
from lockbridge.web.desk import local_path
from lockbridge.web.security import MOST_FORM, MOST_UPLOAD
from lockbridge.workflows import account, guest, rules, sign_in
from providers.simulator import simulator_asgi
from tests.web.console.conftest import URL, Browser, plain
from tests.workflows.engine import HOUR, OPENS

ENDLESS = "9" * 30


# ------------------------------------------------------------------------------------------------------------ too much


@pytest.mark.parametrize("path", ["/sign-in", "/g/nobody/help", "/console/1/import"])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=xx"])
async def test_of_a_form_without_end_only_so_much_is_read(console, path, kind):
    """Whoever sends it: nobody has to be signed in to be asked for the form's token."""
    read = 0

    async def without_end() -> AsyncIterator[bytes]:
        nonlocal read
        yield b'--xx\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        while read < 10 * MOST_UPLOAD:
            read += 100_000
            yield b"a" * 100_000

    for client in (await console.stranger(), console.owner.client):
        read = 0
        answer = await client.post(path, content=without_end(), headers={"content-type": kind})
        assert answer.status_code in {400, 413}, plain(answer.text)
        assert read <= (MOST_UPLOAD if kind.startswith("multipart") else MOST_FORM) + 100_000


@pytest.mark.parametrize(
    "path",
    [
        f"inbox?before={ENDLESS}",
        f"messages?before={ENDLESS}",
        f"lock-apps/connect/simulator?task={ENDLESS}",
        f"locks/-{ENDLESS}",
        f"tasks/-{ENDLESS}",
        f"import/-{ENDLESS}",
        f"tasks/{'1_' * 25}1",
    ],
)
async def test_a_number_no_database_counts_to_is_the_number_of_nothing(console, path):
    assert (await console.owner.get(path)).status_code == 404


async def test_nor_is_it_in_a_form(console):
    owner = console.owner
    preview = await owner.post("messages/preview", name="x", language="en", body="Hello", about=ENDLESS)
    assert "Hello" in plain(preview.text)
    made = await owner.post("staff", name="Cleaner", lock=ENDLESS)
    assert "no lock was chosen" in plain(made.text)
    asked = await owner.post("sources/new/ical", property=ENDLESS, **{"set-url": "https://example.com/a.ics"})
    assert "choose which" in plain(asked.text)
    assert (await owner.post("start/test-booking", place=ENDLESS)).status_code == 422


# --------------------------------------------------------------------------------------------------- who tries, and how


async def test_an_address_nobody_has_costs_no_more_time_than_one_that_somebody_has(console, monkeypatch):
    """Each look at a password costs one hash: two for an unknown address could be told by the clock."""
    hashed = []

    class Counting(PasswordHasher):
        def hash(self, *args, **kwargs):
            hashed.append("made")
            return super().hash(*args, **kwargs)

        def verify(self, *args, **kwargs):
            hashed.append("looked at")
            return super().verify(*args, **kwargs)

    monkeypatch.setattr(sign_in, "_HASHER", Counting(time_cost=1, memory_cost=64))
    assert not await sign_in.matches(None, "whatever")
    hashed.clear()
    assert not await sign_in.matches(None, "whatever")
    assert hashed == ["looked at"]
    person = console.engine.ask(people.by_email, console.engine.services.vault, f"owner{console.host}@example.com")
    hashed.clear()
    assert not await sign_in.matches(person, "whatever")
    assert hashed == ["looked at"]


async def test_tries_behind_a_proxy_are_counted_for_each_place_they_come_from(console):
    for number in range(account.RESETS_PER_ADDRESS):
        assert (await _ask_reset(console, number, "198.51.100.7")).status_code == 200
    assert (await _ask_reset(console, 99, "198.51.100.7")).status_code == 429
    assert (await _ask_reset(console, 99, "6.6.6.6, 198.51.100.7")).status_code == 429, "what the proxy adds counts"
    assert (await _ask_reset(console, 99, "203.0.113.9")).status_code == 200


async def test_nobody_but_a_proxy_on_this_machine_says_where_a_try_comes_from(console):
    far = ("198.51.100.7", 4711)
    for number in range(account.RESETS_PER_ADDRESS):
        assert (await _ask_reset(console, number, f"203.0.113.{number}", far)).status_code == 200
    assert (await _ask_reset(console, 99, "203.0.113.99", far)).status_code == 429


async def _ask_reset(console, number: int, said: str, client: tuple[str, int] = ("127.0.0.1", 1)) -> httpx.Response:
    transport = httpx.ASGITransport(app=console.web, client=client)
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers={"x-forwarded-for": said}) as browser:
        return await Browser(browser, console.engine.services, "").post("/password", email=f"{number}@example.com")


async def test_the_simulated_lock_app_of_the_server_is_there_for_this_machine_alone(console):
    """Everybody knows its token: whoever reached it would read what the hosts who try things out have put there."""
    engine = console.engine
    web = build_web(engine.services, max_body=1000, url=URL, simulator=lambda: simulator_asgi(engine.app))
    known = {"authorization": "Bearer simulator"}
    answers = [
        await _simulated(web, known, ("127.0.0.1", 1)),
        await _simulated(web, known, ("198.51.100.7", 1)),
        await _simulated(web, known | {"x-forwarded-for": "198.51.100.7"}, ("127.0.0.1", 1)),
    ]
    assert answers == [200, 404, 404]


async def _simulated(web, headers: dict[str, str], client: tuple[str, int]) -> int:
    transport = httpx.ASGITransport(app=web, client=client)
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as somebody:
        return (await somebody.get("/simulator/locks")).status_code


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", ""])
def test_a_path_that_leads_to_another_site_is_none(path):
    assert local_path(path, "/console") == "/console"
    assert local_path("/console/1/stays?q=Ida Example", "/") == "/console/1/stays?q=Ida Example"


async def test_over_https_signing_out_takes_the_cookie_away(console):
    """A browser takes news of a cookie with this prefix only with its Secure."""
    engine = console.engine
    web = build_web(engine.services, max_body=1000, url="https://codes.example.com")
    person = engine.ask(people.by_email, engine.services.vault, f"owner{console.host}@example.com")
    begun = await sign_in.begin(engine.services, person, "a test", engine.now)
    transport = httpx.ASGITransport(app=web)
    cookies = {"__Host-lockbridge": begun.token}
    async with httpx.AsyncClient(transport=transport, base_url="https://codes.example.com", cookies=cookies) as client:
        page = await client.get("/account")
        (token, *_) = re.findall('name="csrf" value="([^"]+)"', page.text)
        answer = await client.post("/sign-out", data={"csrf": token})
    gone = next(cookie for cookie in answer.headers.get_list("set-cookie") if cookie.startswith("__Host-lockbridge="))
    assert "Max-Age=0" in gone
    assert "Secure" in gone


# -------------------------------------------------------------------------------------------------- what is not shown


async def test_support_that_reveals_a_code_once_is_not_handed_the_guests_link(console):
    """With the link they would see codes, and have doors opened, long after, and nobody would read of it."""
    engine = console.engine
    text = Written("access_code", "en", "Your way in", "Type %smartlock_code%, or see %guest_page%")
    await rules.set_text(engine.services, engine.host, text, engine.now)
    await engine.book()
    await engine.until(OPENS + HOUR)
    stay = engine.stay().id
    link = await guest.address(engine.services, engine.host, stay, engine.now)
    support = await console.person(Role.SUPPORT)
    revealed = await support.post(f"stays/{stay}/reveal", why="the guest stands before the door")
    assert f"Type {engine.pin()}, or see (a link)" in plain(revealed.text)
    assert link not in revealed.text
    assert link in (await console.owner.get(f"stays/{stay}?show=1")).text


async def test_r45_who_read_a_message_is_written_down_and_whose_guest_it_was_by_number(console):
    """What is written down stays when the guest is erased."""
    engine, owner = console.engine, console.owner
    await engine.book()
    await engine.until(OPENS + HOUR)
    (letter, *_) = re.findall(r"messages/sent/[0-9]+", (await owner.get("messages")).text)
    assert engine.stay().guest_name in await owner.text(f"{letter}?show=1")
    (deed,) = engine.ask(lambda c: c.execute(AUDIT.select()).all())
    assert deed.what.startswith("read the message")
    assert deed.about == f"stay {engine.stay().id}"


async def test_what_was_typed_into_a_form_is_not_told_to_programs(console):
    engine = console.engine
    task = await engine.write(lambda c: tasks.begin(c, console.host, "connect", "Connecting Mine", "Ida", engine.now))
    report = {"problem": "no", "typed": "00ff", "form": "lock-apps/connect/simulator"}
    await engine.write(lambda c: tasks.note(c, task, {"state": "failed", "report": report}))
    new = NewApiKey("Key", "last", frozenset({Scope.LOCKS_READ}))
    await engine.write(lambda c: api_keys.add(c, console.host, people.digest("lbk_test"), new, engine.now))
    client = await console.stranger()
    answer = await client.get(f"/api/v1/tasks/{task}", headers={"authorization": "Bearer lbk_test"})
    assert answer.status_code == 200
    assert answer.json()["report"] == {"problem": "no"}
