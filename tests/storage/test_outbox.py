"""Questions about messages."""

from datetime import timedelta

import pytest

from lockbridge.storage import outbox, stays
from lockbridge.storage.due import next_due
from lockbridge.storage.outbox import NewMessage, Sent
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
        outbox.note_sent(connection, vault, only(connection, vault, ana).id, Sent("your code"), NOW)
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
        assert next_due(connection).outbox == NOW
        assert only(connection, vault, bob).next_at == NOW + DAY
        outbox.wake_for_codes(connection, [])


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
            outbox.note_sent(connection, vault, only(connection, vault, owner).id, Sent("your code is 4711"), NOW)
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


def test_an_alarm_that_is_leased_brings_along_all_that_are_due_for_its_host_and_no_guests_message(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        for owner in two:
            outbox.cancel_unsent(connection, [owner.stay])
        alarms = [
            NewMessage(owner.host, f"host:{number}", "lock_offline", NOW, to_host=True)
            for number in range(3)
            for owner in two
        ]
        later = NewMessage(ana.host, "host:later", "lock_offline", NOW + DAY, to_host=True)
        outbox.add(connection, [*alarms, later, message(ana, key="access_code:9")], NOW)
        mine = outbox.claim(connection, NOW, UNTIL, "mine", 1)
        assert {row.host for row in outbox.leased(connection, vault, mine, "mine")} == {ana.host}
        assert len(mine) == 3


def test_r38_what_booking_does_not_plan_any_more_is_cancelled_and_what_it_plans_is_moved(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        planned = [message(ana, key=f"rule:tips-{number}:1") for number in range(2)]
        second = message(ana, key="rule:tips-0:1:sms", channel="sms")
        made = message(ana, key="correction:1:now")
        outbox.add(connection, [*planned, second, made], NOW)
        outbox.cancel_others(connection, [ana.stay], {(ana.host, "rule:tips-0:1")})
        outbox.cancel_others(connection, [], set())
        states = {row.key: row.state for row in outbox.of_stay(connection, vault, ana.host, ana.stay)}
    assert states == {
        "access_code:1": "cancelled",
        "rule:tips-0:1": "waiting",
        "rule:tips-1:1": "cancelled",
        "rule:tips-0:1:sms": "waiting",
        "correction:1:now": "waiting",
    }


def test_r36_what_was_told_by_which_way_is_remembered_by_index_and_forgotten_in_time(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        key = only(connection, vault, ana).id
        sent = Sent("your code is 4711", "sms", {str(ana.placement): "c0ffee"})
        outbox.note_sent(connection, vault, key, sent, NOW)
        outbox.note_sent(connection, vault, only(connection, vault, bob).id, Sent("no code in it"), NOW)
        (telling,) = outbox.tellings(connection, [ana.stay, bob.stay])[ana.stay]
        assert (telling.way, telling.told) == ("sms", {ana.placement: "c0ffee"})
        assert outbox.tellings(connection, [bob.stay]) == {}
        assert outbox.sent_since(connection, [ana.stay], NOW - DAY) == {ana.stay: [NOW]}
        assert outbox.sent_since(connection, [ana.stay], NOW) == {}
        outbox.erase_texts(connection, [ana.stay])
        assert outbox.tellings(connection, [ana.stay]) == {}


def test_r36_a_message_of_an_earlier_version_counts_as_told_by_email(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE message SET state = 'sent', channel = 'auto'")
        (telling,) = outbox.tellings(connection, [ana.stay])[ana.stay]
        assert (telling.way, telling.told) == ("email", None)


def test_a_door_code_that_a_platform_may_hold_is_never_just_left_there(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        for owner in two:
            outbox.cancel_unsent(connection, [owner.stay])
        fields = [message(owner, key=f"rule:door-code:{owner.stay}", channel="field") for owner in two]
        outbox.add(connection, fields, NOW)
        written = next(row for row in outbox.of_stay(connection, vault, ana.host, ana.stay) if row.channel == "field")
        outbox.note_later(connection, written.id, "waiting", NOW + DAY, "an answer was lost")
        outbox.cancel_unsent(connection, [ana.stay, bob.stay])
        outbox.rewrite_fields(connection, [ana.stay, bob.stay], NOW)
        states = {
            owner.host: [
                row.state for row in outbox.of_stay(connection, vault, owner.host, owner.stay) if row.channel == "field"
            ]
            for owner in two
        }
        assert states == {ana.host: ["waiting"], bob.host: ["cancelled"]}
        assert next_due(connection).outbox == NOW
        stays.set_values(connection, ana.stay, {"code_id": ana.code})
        outbox.note_sent(connection, vault, written.id, Sent("4711", "field"), NOW)
        outbox.rewrite_fields_of(connection, [ana.code], NOW + DAY)
        assert next_due(connection).outbox == NOW + DAY
