"""Questions about webhooks as they came."""

from datetime import timedelta

import pytest

from lockbridge.storage import hosts, inbox
from lockbridge.storage.due import next_due
from lockbridge.storage.hosts import NewEndpoint
from lockbridge.storage.inbox import Incoming, Read
from tests.storage.facts import DAY, NOW, furnish


@pytest.fixture
def two(database, vault):
    with database.write() as connection:
        return furnish(connection, vault, "ana"), furnish(connection, vault, "bob")


def incoming(owner, key, at=NOW, body=b"{}"):
    return Incoming(owner.host, owner.endpoint, "generic", key, at, {"webhook-id": key}, body)


def test_a_delivery_is_stored_once_for_each_address(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        again = incoming(ana, "evt-1", body=b"something else")
        assert inbox.store(connection, vault, [again, incoming(bob, "evt-2"), again]) == [None] * 3
        assert [one.body for one in inbox.of_host(connection, vault, ana.host)] == [b"ana"]
        assert [one.dedupe_key for one in inbox.of_host(connection, vault, bob.host)] == ["evt-2", "evt-1"]


def test_no_host_sees_anothers_deliveries(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        (mine,) = inbox.of_host(connection, vault, ana.host)
        assert inbox.get(connection, vault, bob.host, mine.id) is None
        assert inbox.get(connection, vault, ana.host, mine.id) == mine
        assert inbox.replay(connection, bob.host, NOW, delivery=mine.id, since=None, dead=False) == 0


def test_deliveries_wait_in_the_order_they_came_until_they_are_read(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        inbox.store(connection, vault, [incoming(ana, "evt-3", NOW + timedelta(seconds=2))])
        inbox.store(connection, vault, [incoming(ana, "evt-2", NOW + timedelta(seconds=1))])
        soon = NOW + timedelta(seconds=5)
        assert [one.dedupe_key for one in inbox.waiting(connection, vault, soon, 10)][-2:] == ["evt-2", "evt-3"]
        assert len(inbox.waiting(connection, vault, NOW, 10)) == 2
        assert len(inbox.waiting(connection, vault, soon, 1)) == 1
        first = inbox.waiting(connection, vault, soon, 1)[0]
        inbox.note(connection, [Read(first.id, "done", 1, None, None)])
        assert first.id not in [one.id for one in inbox.waiting(connection, vault, soon, 10)]
        assert next_due(connection).inbox == NOW


def test_dead_deliveries_are_counted_and_replayed(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        (mine,) = inbox.of_host(connection, vault, ana.host)
        inbox.note(connection, [Read(mine.id, "dead", 8, "it makes no sense", None)])
        assert inbox.counts(connection) == {"waiting": 1, "dead": 1}
        assert inbox.replay(connection, ana.host, NOW + DAY, delivery=None, since=None, dead=True) == 1
        (again,) = inbox.of_host(connection, vault, ana.host, state="waiting")
        assert (again.attempts, again.error) == (0, None)
        assert inbox.replay(connection, ana.host, NOW + DAY, delivery=None, since=NOW + DAY, dead=False) == 0


def test_two_processes_never_read_one_delivery(postgres_database, vault):
    with postgres_database.write() as connection:
        furnish(connection, vault, "ana")
    with postgres_database.write() as mine, postgres_database.write() as other:
        assert len(inbox.waiting(mine, vault, NOW, 10)) == 1
        assert inbox.waiting(other, vault, NOW, 10) == []


def test_what_came_long_ago_is_erased_and_not_read_again(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        inbox.erase_bodies(connection, NOW)
        assert inbox.of_host(connection, vault, ana.host)[0].body == b"ana"
        inbox.erase_bodies(connection, NOW + DAY)
        assert inbox.of_host(connection, vault, ana.host)[0].body == b""
        assert inbox.waiting(connection, vault, NOW + DAY, 10) == []


def test_r45_what_a_lock_apps_cloud_sent_may_quote_digits_and_is_erased_before_a_booking_is(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        new = NewEndpoint(ana.host, "seam", b"the cloud's token", "whsec", ana.app)
        endpoint = hosts.add_endpoint(connection, vault, new, NOW)
        inbox.store(connection, vault, [inbox.Incoming(ana.host, endpoint, "seam", "evt-2", NOW, {}, b"code 4711")])
        inbox.erase_hints(connection, NOW)
        assert {row.body for row in inbox.of_host(connection, vault, ana.host)} == {b"ana", b"code 4711"}
        inbox.erase_hints(connection, NOW + DAY)
        assert {row.body for row in inbox.of_host(connection, vault, ana.host)} == {b"ana", b""}
