"""Questions about rules and texts of hosts."""

from datetime import time

import pytest

from lockbridge.domain.messages import WhenNotReady
from lockbridge.domain.rules import By, Rule, Trigger
from lockbridge.storage import hosts, rules
from lockbridge.storage.hosts import HostHook
from lockbridge.storage.rules import Chosen, Written
from tests.storage.facts import NOW, furnish

TIPS = Rule(
    name="tips",
    trigger=Trigger.AFTER_CHECK_IN,
    template="tips",
    days=1,
    at=time(9, 30),
    channel=By.SMS,
    language="de",
    when_not_ready=WhenNotReady.FALLBACK,
    enabled=False,
)
PLAIN = Rule(name="tips", trigger=Trigger.BOOKED, template="thanks")


@pytest.fixture
def two(database, vault):
    with database.write() as connection:
        return furnish(connection, vault, "ana"), furnish(connection, vault, "bob")


def test_a_rule_is_read_as_it_was_stored_and_one_of_its_name_takes_its_place(database, two):
    ana, bob = two
    with database.write() as connection:
        rules.set_rule(connection, ana.host, None, PLAIN, NOW)
        rules.set_rule(connection, ana.host, None, TIPS, NOW)
        rules.set_rule(connection, ana.host, ana.place, PLAIN, NOW)
        rules.set_rule(connection, ana.host, ana.place, PLAIN, NOW)
        rules.set_rule(connection, bob.host, bob.place, TIPS, NOW)
        assert rules.of_hosts(connection, [ana.host, bob.host]) == {
            ana.host: Chosen((TIPS,), {ana.place: (PLAIN,)}),
            bob.host: Chosen((), {bob.place: (TIPS,)}),
        }


def test_a_rule_that_is_forgotten_leaves_those_of_other_levels_and_hosts(database, two):
    ana, bob = two
    with database.write() as connection:
        for owner in two:
            rules.set_rule(connection, owner.host, None, TIPS, NOW)
            rules.set_rule(connection, owner.host, owner.place, TIPS, NOW)
        assert rules.drop_rule(connection, ana.host, ana.place, "tips")
        assert not rules.drop_rule(connection, ana.host, ana.place, "tips")
        assert not rules.drop_rule(connection, ana.host, bob.place, "tips")
        found = rules.of_hosts(connection, [ana.host, bob.host])
        assert (found[ana.host].at, len(found[bob.host].at)) == ({}, 1)
        assert rules.drop_rule(connection, ana.host, None, "tips")
        assert list(rules.of_hosts(connection, [ana.host, bob.host])) == [bob.host]


def test_a_text_is_one_for_each_language_and_nobody_elses(database, two):
    ana, bob = two
    with database.write() as connection:
        for body in ("Hallo", "Guten Tag"):
            rules.set_text(connection, ana.host, Written("tips", "de", "Zu Ihrem Aufenthalt", body), NOW)
        rules.set_text(connection, ana.host, Written("tips", "en", "Your stay", "Hello"), NOW)
        found = rules.texts_of(connection, [ana.host, bob.host])
        assert {key: text.body for key, text in found[ana.host]["tips"].items()} == {"de": "Guten Tag", "en": "Hello"}
        assert found[bob.host] == {}


def test_where_a_host_is_told_by_webhook_is_sealed_and_can_be_taken_back(database, vault, two):
    ana, _ = two
    hook = HostHook("https://hooks.example.com/ana", "whsec_invented")
    with database.write() as connection:
        hosts.set_hook(connection, vault, ana.host, hook)
        assert [hosts.has_hook(connection, owner.host) for owner in two] == [True, False]
        assert hosts.hook_of(connection, vault, ana.host) == hook
        assert hosts.get_host(connection, vault, ana.host).hook == hook
        stored = connection.exec_driver_sql("SELECT hook_sealed FROM host WHERE hook_sealed IS NOT NULL").scalar_one()
        assert b"hooks.example.com" not in bytes(stored)
        hosts.set_hook(connection, vault, ana.host, None)
        assert hosts.hook_of(connection, vault, ana.host) is None
    assert "invented" not in repr(hook)
