"""Lock apps in the console: connecting one, what is said when it refuses us, changing it."""

import asyncio

import httpx
import pytest

from lockbridge.domain.people import Role
from lockbridge.storage import hosts, tasks
from lockbridge.web.app import build_web
from providers import PROVIDERS
from providers.simulator import simulator_asgi
from tests.web.console.conftest import URL, Browser, plain
from tests.workflows.engine import DAY, MINUTE


@pytest.fixture
async def console(opened, sqlite_url):
    """A console whose server runs a simulated lock app, reached by HTTP as a host's browser would name it."""
    found = await opened(sqlite_url)
    engine, accounts = found.engine, found.engine.services.accounts
    await accounts.http.aclose()
    found.web = build_web(engine.services, max_body=1_000_000, url=URL, simulator=lambda: simulator_asgi(engine.app))
    accounts.providers = {**PROVIDERS}
    accounts.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=found.web))
    for account in accounts_of(found):
        await engine.write(
            lambda c, app=account: hosts.change_lock_app(c, engine.services.vault, found.host, app.id, OPEN)
        )
    found.owner = await found.person(name="Ola")
    return found


OPEN = {"url": f"{URL}/simulator", "token": "simulator"}


def accounts_of(console):
    engine = console.engine
    return engine.ask(hosts.lock_apps_of_host, engine.services.vault, engine.host)


async def connected(console, answer, by: Browser | None = None) -> str:
    """What the page says that a form led to, when its work is done."""
    await console.finish()
    return await (by or console.owner).follow(answer)


async def test_the_simulator_is_one_click_and_shows_its_locks(console):
    engine, (other,) = console.engine, accounts_of(console)
    elsewhere = {**OPEN, "url": "http://elsewhere.test"}
    await engine.write(lambda c: hosts.change_lock_app(c, engine.services.vault, engine.host, other.id, elsewhere))
    engine.app.add_lock("gate", name="Garden gate")
    text = await connected(console, await console.owner.post("lock-apps/simulator"))
    assert "lets lockbridge in: 2 locks" in text
    assert "Garden gate" in text
    assert "Garden gate" in await console.owner.text("locks")
    assert len(accounts_of(console)) == 2


async def test_the_log_of_a_lock_is_asked_for_over_http(console):
    engine, lock = console.engine, console.engine.locks["front"]
    engine.app.add_by_hand("front", "Cleaner", "739106")
    log = await console.owner.text(f"locks/{lock}/log")
    assert "a code was made Cleaner, by hand" in log
    assert "739106" not in log
    for _ in range(2):
        engine.clock.advance(8 * DAY)
        later = await console.owner.text(f"locks/{lock}/log")
    assert "The log is empty" in later
    engine.app.disconnect()
    answer = await console.owner.get(f"locks/{lock}/log")
    assert answer.status_code == 502
    assert "does not let this account in" in plain(answer.text)


async def test_one_account_is_not_connected_twice(console):
    answer = await console.owner.post("lock-apps/connect/simulator", **OPEN, called="Once more")
    assert answer.status_code == 422
    assert "this account is connected already: it is called App main" in plain(answer.text)
    assert (await console.owner.post("lock-apps/simulator")).status_code == 422
    assert len(accounts_of(console)) == 1


async def test_a_wrong_token_is_said_and_nothing_is_stored_and_what_was_typed_is_kept(console):
    form = {"url": f"{URL}/simulator", "token": "not-this-one", "called": "Lakeside doors"}
    answer = await console.owner.post("lock-apps/connect/simulator", **form)
    text = await connected(console, answer)
    assert "does not let this account in" in text
    assert "failed" in text
    assert "It is not connected, and no secret was kept" in text
    assert "Lakeside" not in str(console.engine.ask(tasks.get, console.host, 1).report)
    assert len(accounts_of(console)) == 1
    task = answer.headers["location"].rpartition("/")[2]
    again = (await console.owner.get(f"lock-apps/connect/simulator?task={task}")).text
    assert "Lakeside doors" in again
    assert "not-this-one" not in again
    text = await connected(
        console,
        await console.owner.post(
            "lock-apps/connect/simulator", **{**form, "url": f"{URL}/simulator/", "token": "simulator"}
        ),
    )
    assert "Lakeside doors lets lockbridge in" in text


async def test_a_field_that_is_needed_and_empty_is_named(console):
    answer = await console.owner.post("lock-apps/connect/simulator", url=f"{URL}/simulator", token="")
    assert answer.status_code == 422
    assert "“Token” is empty" in plain(answer.text)
    assert f"{URL}/simulator" in answer.text


async def test_every_lock_app_has_a_form_that_says_what_it_asks_for(console):
    choice = (await console.owner.get("lock-apps/connect")).text
    for spec in PROVIDERS.values():
        page = (await console.owner.get(f"lock-apps/connect/{spec.key}")).text
        assert all(f'name="{field.name}"' in page for field in spec.fields), spec.key
        assert page.count('type="password"') == sum(field.secret for field in spec.fields), spec.key
        assert spec.key == "simulator" or f"/lock-apps/connect/{spec.key}" in choice
    assert (await console.owner.get("lock-apps/connect/doorbell")).status_code == 404


async def test_an_account_that_refuses_us_is_shown_and_reconnecting_keeps_secrets_left_empty(console):
    engine = console.engine
    (account,) = accounts_of(console)
    engine.app.disconnect()
    failed = await connected(console, await console.owner.post(f"lock-apps/{account.id}/test"))
    assert "does not let this account in" in failed
    page = await console.owner.text(f"lock-apps/{account.id}")
    assert "No code reaches its locks until it is reconnected" in page
    assert "Reconnect" in await console.owner.text("lock-apps")
    engine.app.reconnect()
    form = {"url": f"{URL}/simulator/", "token": ""}
    text = await connected(console, await console.owner.post(f"lock-apps/{account.id}/change", **form))
    assert "lets lockbridge in: 1 lock" in text
    (account,) = accounts_of(console)
    assert (account.state, account.settings) == ("connected", {**OPEN, "url": f"{URL}/simulator/"})


async def test_a_change_that_does_not_let_us_in_leaves_the_account_as_it_was(console):
    (account,) = accounts_of(console)
    form = {"url": f"{URL}/simulator", "token": "stolen"}
    text = await connected(console, await console.owner.post(f"lock-apps/{account.id}/change", **form))
    assert "The account stays as it was" in text
    assert accounts_of(console)[0].settings == OPEN


async def test_the_page_of_an_account_shows_no_secret(console):
    (account,) = accounts_of(console)
    page = (await console.owner.get(f"lock-apps/{account.id}")).text
    assert f"{URL}/simulator" in page
    assert 'value="simulator"' not in page


async def test_an_account_gets_another_name(console):
    (account,) = accounts_of(console)
    text = await console.owner.follow(await console.owner.post(f"lock-apps/{account.id}/name", name="  Lake  doors "))
    assert "It is called Lake doors now" in text
    answer = await console.owner.post(f"lock-apps/{account.id}/name", name=" ")
    assert answer.status_code == 422


async def test_the_address_for_webhooks_is_shown_once_and_works(console):
    engine = console.engine
    await engine.write(
        lambda c: hosts.add_lock_app(c, engine.services.vault, engine.host, "nuki", "Nuki", {"token": "t"}, engine.now)
    )
    account = next(row for row in accounts_of(console) if row.provider == "nuki")
    answer = await console.owner.post(f"lock-apps/{account.id}/webhook")
    page = plain(answer.text.replace('value="', ">"))
    assert answer.status_code == 200
    assert f"{URL}/webhooks/nuki/" in page
    assert "not shown again" in page
    later = (await console.owner.get(f"lock-apps/{account.id}")).text
    assert "/webhooks/nuki/" not in later
    assert "It has an address since" in plain(later)
    simulated = accounts_of(console)[0]
    assert "sends none" in await console.owner.text(f"lock-apps/{simulated.id}")
    assert (await console.owner.post(f"lock-apps/{simulated.id}/webhook")).status_code == 404


async def test_staff_sees_accounts_and_changes_none_and_support_may_test(console):
    (account,) = accounts_of(console)
    staff, support = await console.person(Role.STAFF), await console.person(Role.SUPPORT)
    assert "App main" in await staff.text("lock-apps")
    for path in ("lock-apps/simulator", f"lock-apps/{account.id}/change", f"lock-apps/{account.id}/test"):
        assert (await staff.post(path)).status_code == 403
    assert (await support.post(f"lock-apps/{account.id}/change")).status_code == 403
    tested = await connected(console, await support.post(f"lock-apps/{account.id}/test"), support)
    assert "lets lockbridge in" in tested


async def test_an_account_that_never_answers_is_given_up_on(console, monkeypatch):
    monkeypatch.setattr("lockbridge.workflows.connect.PATIENCE_SECONDS", 0.01)
    (account,) = accounts_of(console)

    class Silent:
        async def list_locks(self):
            await asyncio.sleep(MINUTE.total_seconds())

    monkeypatch.setattr(console.engine.services.accounts, "provider", lambda _: Silent())
    text = await connected(console, await console.owner.post(f"lock-apps/{account.id}/test"))
    assert "did not answer within" in text
