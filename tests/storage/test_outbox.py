"""Questions about messages."""

from datetime import timedelta

import pytest

from lockbridge.storage import outbox
from lockbridge.storage.outbox import NewMessage
from tests.storage.facts import DAY, NOW, furnish

UNTIL = NOW + timedelta(minutes=5)


@pytest.fixture
def two(database, vault):
    with database.write() as connection:
        return furnish(connection, vault, "ana"), furnish(connection, vault, "bob")


def message(owner, key="access_code:1", at=NOW, **more):
    return NewMessage(owner.host, key, "access_code", at, owner.stay, **more)


def only(connection, vault, owner):
    (row,) = outbox.of_stay(connection, vault, owner.host, owner.stay)
    return row


def test_no_host_sees_anothers_messages(database, vault, two):
    ana, bob = two
    with database.read() as connection:
        assert outbox.of_stay(connection, vault, bob.host, ana.stay) == []
        assert [row.host for row in outbox.of_host(connection, vault, ana.host)] == [ana.host]


def test_r38_a_key_is_one_message_and_a_sent_one_is_not_sent_again(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        outbox.add(connection, [message(ana, at=NOW + DAY)], NOW)
        assert only(connection, vault, ana).next_at == NOW + DAY
        outbox.note_sent(connection, vault, only(connection, vault, ana).id, "your code", NOW)
        outbox.add(connection, [message(ana)], NOW)
        row = only(connection, vault, ana)
        assert (row.state, row.next_at, row.text) == ("sent", None, "your code")
        outbox.add(connection, [], NOW)


def test_r38_a_key_said_twice_in_one_batch_is_one_message(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        outbox.add(connection, [message(ana, at=NOW + 2 * DAY), message(ana, at=NOW + DAY)], NOW)
        assert only(connection, vault, ana).next_at == NOW + DAY


def test_a_leased_message_is_nobody_elses_until_the_lease_ends(database, vault, two):
    with database.write() as connection:
        mine = outbox.claim(connection, NOW, UNTIL, "mine", 10)
        assert len(mine) == 2
        assert outbox.claim(connection, NOW, UNTIL, "other", 10) == []
        assert outbox.leased(connection, vault, mine, "other") == []
        assert len(outbox.leased(connection, vault, mine, "mine")) == 2
        assert outbox.claim(connection, UNTIL, UNTIL + DAY, "other", 1) == mine[:1]


def test_two_processes_never_send_one_message(postgres_database, vault):
    with postgres_database.write() as connection:
        furnish(connection, vault, "ana")
    with postgres_database.write() as mine, postgres_database.write() as other:
        assert len(outbox.claim(mine, NOW, UNTIL, "mine", 10)) == 1
        assert outbox.claim(other, NOW, UNTIL, "other", 10) == []


def test_a_held_message_is_woken_by_the_confirmation_of_its_code(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        for owner in two:
            outbox.note_later(connection, only(connection, vault, owner).id, "held", NOW + DAY, None)
        outbox.wake_for_codes(connection, [ana.code])
        assert outbox.next_due_at(connection) == NOW
        assert only(connection, vault, bob).next_at == NOW + DAY
        outbox.wake_held(connection, [bob.stay], NOW)
        assert only(connection, vault, bob).next_at == NOW
        outbox.wake_for_codes(connection, [])
        outbox.wake_held(connection, [], NOW)


def test_errors_count_as_attempts_and_waiting_does_not(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        key = only(connection, vault, ana).id
        outbox.note_later(connection, key, "held", NOW, None)
        assert only(connection, vault, ana).attempts == 0
        outbox.note_later(connection, key, "waiting", NOW, "greylisted")
        assert (only(connection, vault, ana).attempts, only(connection, vault, ana).error) == (1, "greylisted")
        outbox.note_dropped(connection, key, "refused", "no such mailbox")
        assert only(connection, vault, ana).next_at is None
        outbox.add(connection, [message(ana)], NOW)
        assert only(connection, vault, ana).state == "refused"
        assert outbox.counts(connection) == {"refused": 1, "waiting": 1}


def test_what_was_not_sent_to_a_guest_is_cancelled_and_can_come_back(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        outbox.cancel_unsent(connection, [ana.stay])
        outbox.cancel_unsent(connection, [])
        assert only(connection, vault, ana).state == "cancelled"
        assert only(connection, vault, bob).state == "waiting"
        outbox.add(connection, [message(ana)], NOW)
        assert only(connection, vault, ana).state == "waiting"


def test_r45_texts_are_sealed_and_erased(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        for owner in two:
            outbox.note_sent(connection, vault, only(connection, vault, owner).id, "your code is 4711", NOW)
        stored = connection.exec_driver_sql("SELECT text_sealed FROM message").fetchall()
        assert b"4711" not in bytes(stored[0][0])
        outbox.erase_texts(connection, [ana.stay])
        outbox.erase_texts(connection, [])
        assert only(connection, vault, ana).text is None
        assert only(connection, vault, bob).text is not None
        outbox.erase_facts(connection, NOW)
        assert only(connection, vault, bob).text is not None
        outbox.erase_facts(connection, NOW + DAY)
        assert only(connection, vault, bob).text is None
