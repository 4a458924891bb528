"""Connecting booking platforms and calendars by the command line, against a make-believe Hostaway over HTTP."""

from collections.abc import Iterator

import pytest

from lockbridge.platforms import PLATFORMS
from tests.commands.conftest import Command
from tests.contract.serving import serving
from tests.platforms.vendor import Booking
from tests.platforms.vendors.hostaway import VENDOR

SECRET = "front-desk:an-invented-password"


@pytest.fixture
def hostaway(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where a make-believe Hostaway with one reservation listens; the secrets stand in the environment."""
    cloud = VENDOR.cloud()
    assert cloud is not None
    cloud.put(Booking(arrival="2027-06-14", departure="2027-06-16"))
    monkeypatch.setenv("HOSTAWAY_KEY", VENDOR.settings["api_key"])
    monkeypatch.setenv("HOSTAWAY_SECRET", SECRET)
    with serving() as served:
        served.asgi = cloud.app
        yield served.url


def form(url: str, key: str = "HOSTAWAY_KEY") -> list[str]:
    account = VENDOR.settings["account_id"]
    return ["--set", f"url={url}/v1", "--set", f"account_id={account}", "--from-env", f"api_key={key}"]


def test_an_account_is_connected_listed_tried_and_read_again(connected: Command, hostaway):
    said = connected(
        "platform", "connect", "hostaway", "Our Hostaway", *form(hostaway), "--secret-env", "HOSTAWAY_SECRET"
    )
    assert said.code == 0, said.err
    assert "connected source 1, Our Hostaway, with 1 property" in said.out
    assert "/webhooks/hostaway/" in said.out
    assert SECRET not in said.out
    (row,) = [row for row in connected("platform", "list", "--json").json if row["source"]]
    assert (row["name"], row["state"]) == ("Our Hostaway", "connected")
    assert len(connected("platform", "properties", 1, "--json").json) == 1
    assert "with the worker's next tick" in connected("platform", "sync", 1, "--whole").out
    assert "is connected" in connected("platform", "reconnect", 1).out


def test_an_account_that_does_not_let_us_in_is_not_stored(connected: Command, hostaway, monkeypatch):
    monkeypatch.setenv("WRONG", "another-key")
    said = connected("platform", "connect", "hostaway", *form(hostaway, "WRONG"), "--secret-env", "HOSTAWAY_SECRET")
    assert said.code != 0
    assert said.err.endswith("lockbridge: Hostaway does not let this account in\n")
    assert "another-key" not in said.err
    assert connected("platform", "list", "--json").json == []


def test_a_calendar_at_a_private_address_is_not_fetched(connected: Command, monkeypatch):
    monkeypatch.setenv("FEED", "https://127.0.0.1/ical/1.ics?s=invented")
    said = connected("platform", "connect", "ical", "--from-env", "url=FEED", "--property", 1)
    assert said.code != 0
    assert "does not lead to a public computer" in said.err
    assert "invented" not in said.err + said.out


def test_a_calendar_needs_to_know_its_property(connected: Command, monkeypatch):
    monkeypatch.setenv("FEED", "https://calendar.example/1.ics")
    said = connected("platform", "connect", "ical", "--from-env", "url=FEED")
    assert (said.code, "--property" in said.err) == (2, True)
    said = connected("platform", "connect", "ical", "--from-env", "url=FEED", "--property", 99)
    assert (said.code, "no property 99" in said.err) == (2, True)


def test_a_platform_that_signs_nothing_is_not_connected_by_its_webhooks_alone(connected: Command):
    said = connected("platform", "connect", "smoobu", "--webhooks-only")
    assert (said.code, "only hints" in said.err) == (2, True)


def test_every_platform_says_what_it_asks_for_and_what_it_can(lockbridge: Command):
    rows = {row["platform"]: row for row in lockbridge("platform", "kinds", "--json").json}
    assert rows.keys() == PLATFORMS.keys()
    assert rows["ical"]["by"] == ["calendar"]
    assert "API" in rows["guesty"]["by"]


def test_a_source_of_somebody_else_is_no_source(connected: Command, hostaway):
    connected("platform", "connect", "hostaway", *form(hostaway), "--secret-env", "HOSTAWAY_SECRET")
    connected("host", "add", "Ben", "ben@example.com")
    said = connected("platform", "properties", 1, "--host", 2)
    assert (said.code, "no source 1" in said.err) == (2, True)


def test_without_a_secret_of_their_own_a_login_and_password_are_drawn(connected: Command, hostaway):
    made = connected("platform", "connect", "hostaway", *form(hostaway), "--json").json
    login, _, password = made["secret"].partition(":")
    assert (login, len(password) >= 22) == ("lockbridge", True)


def test_a_secret_that_cannot_be_used_leaves_nothing_behind(connected: Command, hostaway, monkeypatch):
    monkeypatch.setenv("ODD", "no colon")
    said = connected("platform", "connect", "hostaway", *form(hostaway), "--secret-env", "ODD")
    assert (said.code, "login:password" in said.err, "no colon" in said.err) == (2, True, False)
    assert connected("platform", "list", "--json").json == []
