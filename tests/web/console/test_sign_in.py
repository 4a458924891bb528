"""Signing in, the first run, and what a page refuses."""

from lockbridge.workflows import sign_in
from tests.web.console.conftest import PASSWORD, Browser, plain


async def test_somebody_who_is_not_signed_in_is_asked_to_and_comes_back(any_console):
    client = await any_console.stranger()
    answer = await client.get("/console")
    assert answer.headers["location"] == "/sign-in?next=/console"
    visitor = Browser(client, any_console.engine.services, "")
    fields = {"email": f"OWNER{any_console.host}@example.com ", "password": PASSWORD}
    answer = await visitor.post("/sign-in", next="/console?x=1", **fields)
    assert answer.headers["location"] == "/console?x=1"
    assert (await client.get("/console")).headers["location"] == f"/console/{any_console.host}"


async def test_a_wrong_password_and_an_unknown_address_are_told_apart_by_nobody(console):
    visitor = Browser(await console.stranger(), console.engine.services, "")
    wrong = await visitor.post("/sign-in", email=f"owner{console.host}@example.com", password="not this one")
    unknown = await visitor.post("/sign-in", email="nobody@example.com", password="not this one")
    assert wrong.status_code == unknown.status_code == 401
    assert "do not belong together" in plain(wrong.text)
    assert "do not belong together" in plain(unknown.text)


async def test_guessing_is_stopped_even_when_the_right_password_comes_at_last(console):
    visitor = Browser(await console.stranger(), console.engine.services, "")
    email = f"owner{console.host}@example.com"
    for _ in range(sign_in.TRIES_PER_PERSON):
        await visitor.post("/sign-in", email=email, password="not this one")
    assert (await visitor.post("/sign-in", email=email, password=PASSWORD)).status_code == 429
    console.engine.clock.advance(sign_in.WINDOW)
    assert (await visitor.post("/sign-in", email=email, password=PASSWORD)).status_code == 303


async def test_signing_in_leads_to_no_other_site(console):
    visitor = Browser(await console.stranger(), console.engine.services, "")
    fields = {"email": f"owner{console.host}@example.com", "password": PASSWORD}
    answer = await visitor.post("/sign-in", next="//evil.example/", **fields)
    assert answer.headers["location"] == "/console"


async def test_a_form_from_another_site_is_refused(console):
    owner = console.owner
    assert (await owner.client.post("/sign-out", data={"csrf": "0.0"})).status_code == 403
    elsewhere = {"sec-fetch-site": "cross-site"}
    owner.client.headers.update(elsewhere)
    assert (await owner.post("/sign-out")).status_code == 403


async def test_the_first_owner_is_made_once_with_the_link_that_was_printed(opened, sqlite_url):
    console = await opened(sqlite_url)
    services, now = console.engine.services, console.engine.now
    assert await sign_in.first_run_ticket(services, now) is None, "somebody can sign in already"
    visitor = Browser(await console.stranger(), services, "")
    answer = await visitor.get("/first-run/guessed")
    assert answer.headers["location"] == "/sign-in"
    answer = await visitor.post("/first-run/guessed", host="H", name="N", email="n@example.com", password=PASSWORD)
    assert answer.status_code == 422
