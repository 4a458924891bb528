"""``lockbridge message`` and ``host hook``: what a host sets about messages, and sees of them."""

import asyncio
from datetime import timedelta

import pytest

from lockbridge.bootstrap import services
from lockbridge.config import load
from lockbridge.domain.ids import HostId
from lockbridge.storage import stays
from lockbridge.storage.stays import Contact
from lockbridge.workflows import book
from lockbridge.workflows.ports import transact
from tests.commands.conftest import Command

PHONE = "+15550101234"


@pytest.fixture
def stay(connected: Command) -> str:
    """A stay three days ahead, planned; the code is the end of the phone number."""
    asyncio.run(_book())
    return "HMR1"


async def _book() -> None:
    async with services(load()) as built:
        now = built.clock.now()
        said = {
            "property_id": 1,
            "property_ref": "P1",
            "platform": "generic",
            "external_id": "R1",
            "reservation_code": "HMR1",
            "status": "confirmed",
            "raw_status": "confirmed",
            "arrival": (now + timedelta(days=3)).date(),
            "departure": (now + timedelta(days=5)).date(),
            "guest_name": "Ida Example",
            "created_at": now,
            "plan_at": now,
        }
        contact = Contact(phone=PHONE, email="ida@example.com")
        await transact(built, lambda c: stays.add(c, built.vault, HostId(1), said, contact))
        await book.book_due(built, now)


def test_the_rules_that_work_out_of_the_box_are_listed_and_who_said_so(connected: Command):
    rows = {row["rule"]: row for row in connected("message", "rule", "list", "--json").json}
    assert rows["access-code"]["when"] == "24 h before check in"
    assert (rows["thanks"]["said_by"], rows["door-code"]["by"]) == ("default", "field")
    connected("message", "rule", "set", "thanks", "--days", "1", "--at", "09:00", "--property", "1")
    here = {row["rule"]: row for row in connected("message", "rule", "list", "--property", "1", "--json").json}
    assert (here["thanks"]["when"], here["thanks"]["said_by"]) == ("1 day after check out at 09:00", "property")
    everywhere = {row["rule"]: row for row in connected("message", "rule", "list", "--json").json}
    assert everywhere["thanks"]["said_by"] == "default"


def test_r34_a_text_is_stored_listed_shown_and_refused_with_a_short_code_that_does_not_exist(connected, tmp_path):
    file = tmp_path / "tips.txt"
    file.write_text("Dear %guest_frist_name%", encoding="utf-8")
    words = ["message", "text", "set", "tips", "--language", "en", "--subject", "Tips", "--file", file]
    refused = connected(*words)
    assert refused.code == 2
    assert (
        "the text 'tips' (en): %guest_frist_name% is not a short code, did you mean %guest_first_name%?" in refused.err
    )
    file.write_text("Dear %guest_first_name%", encoding="utf-8")
    assert connected(*words).code == 0
    assert connected("message", "text", "list", "--json").json == [
        {"text": "tips", "language": "en", "subject": "Tips", "characters": 23}
    ]
    assert "Dear %guest_first_name%" in connected("message", "text", "show", "tips").out
    assert connected("message", "text", "show", "tricks").code == 2


def test_r34_a_preview_shows_each_message_with_when_and_how_and_the_digits_only_when_asked(stay, connected, tmp_path):
    shown = connected("message", "preview", stay, "--json").json
    assert [(row["rule"], row["by"]) for row in shown] == [("access-code", ["email"]), ("thanks", ["email"])]
    assert "••••" in shown[0]["text"]
    assert "1234" not in str(shown)
    assert "Hello Ida" in shown[0]["text"]
    told = connected("message", "preview", stay, "--show-codes")
    assert "1234" in told.out
    assert "access-code" in told.out
    (tmp_path / "tips.txt").write_text("On %check_in_date%: %smartlock_code%", encoding="utf-8")
    words = ["--language", "en", "--subject", "Tips", "--file", tmp_path / "tips.txt"]
    connected("message", "text", "set", "tips", *words)
    connected("message", "rule", "set", "tips", "--on", "before_check_in", "--days", "2", "--text", "tips")
    connected("message", "rule", "off", "tips")
    (row,) = connected("message", "preview", stay, "--rule", "tips", "--json").json
    assert row["note"] == "its rule was switched off"
    assert row["text"].endswith(": ••••")
    assert connected("message", "preview", stay, "--rule", "tricks").code == 2


def test_what_was_and_will_be_said_about_a_stay_is_listed(stay, connected):
    rows = connected("message", "list", stay, "--json").json
    assert [(row["message"], row["rule"], row["state"]) for row in rows] == [
        ("access code", "access-code", "waiting"),
        ("thanks", "thanks", "waiting"),
    ]
    assert all(row["next"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("message rule set tips --text thanks", "say what it waits for with --on"),
        ("message rule set tips --on booked --text tips", "there is no text 'tips'"),
        ("message rule set thanks --at noon", "write it like 18:00"),
        ("message rule off tips", "there is no rule 'tips' there: there are access-code"),
        ("message rule reset thanks", "no rule 'thanks' was set for all properties"),
        ("message rule list --property 9", "this host has no property 9"),
        ("message text set Tips --language en --subject x", "a name is small letters"),
        ("message text set tips --language English --subject x", "a language is two letters"),
        ("message text set tips --language en --subject x", "something to say"),
        ("message preview nobody", "this host has no stay 'nobody'"),
        ("host hook", "say where to, or --off"),
        ("host hook ftp://x", "write it like https://example.com"),
    ],
)
def test_a_mistake_is_exit_code_2_and_one_clear_line(connected: Command, arguments, words):
    said = connected(*arguments.split())
    assert said.code == 2, said.out
    assert words in said.err
    assert (said.err.count("\n"), said.out) == (1, "")


def test_a_rule_is_changed_in_part_switched_off_and_forgotten(connected: Command):
    assert connected("message", "rule", "set", "thanks", "--hours", "20").code == 0
    assert "20 h after check out" in connected("message", "rule", "list").out
    connected("message", "rule", "off", "thanks")
    rows = {row["rule"]: row for row in connected("message", "rule", "list", "--json").json}
    assert (rows["thanks"]["on"], rows["thanks"]["when"]) == ("off", "20 h after check out")
    assert connected("message", "rule", "reset", "thanks").code == 0
    rows = {row["rule"]: row for row in connected("message", "rule", "list", "--json").json}
    assert (rows["thanks"]["on"], rows["thanks"]["when"]) == ("yes", "2 h after check out")


def test_a_hosts_webhook_shows_its_secret_once_and_is_taken_back(connected: Command):
    said = connected("host", "hook", "https://hooks.example.com/a")
    assert "whsec_" in said.out
    assert "whsec_" not in connected("host", "list", "--json").out
    assert "no more webhooks are sent" in connected("host", "hook", "--off").out
