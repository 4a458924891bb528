"""Questions about what happened, what is wrong, and which scheduled runs were taken."""

import pytest

from lockbridge.storage import journal
from lockbridge.storage.journal import Entry
from tests.storage.facts import DAY, NOW, furnish


@pytest.fixture
def two(database, vault):
    with database.write() as connection:
        return furnish(connection, vault, "ana"), furnish(connection, vault, "bob")


def test_no_host_sees_anothers_history_or_alarms(database, two):
    ana, bob = two
    with database.read() as connection:
        assert [one.why for one in journal.of_stay(connection, ana.host, ana.stay, [ana.code])] == ["by ana"]
        assert journal.of_stay(connection, bob.host, ana.stay, [ana.code]) == []
        assert journal.of_lock(connection, bob.host, ana.lock) == []
        assert [alarm.host for alarm in journal.open_alarms(connection, ana.host)] == [ana.host]


def test_r40_history_is_told_in_the_order_it_was_written(database, two):
    ana, _ = two
    with database.write() as connection:
        journal.write(
            connection, [Entry(NOW, ana.host, "pin", "chosen", code=ana.code), Entry(NOW, ana.host, "x", "y")]
        )
        journal.write(connection, [])
        told = journal.of_stay(connection, ana.host, ana.stay, [ana.code])
        assert [one.kind for one in told] == ["booked", "pin"]


def test_r27_trouble_is_news_once_and_news_again_after_it_was_over(database, two):
    ana, bob = two
    with database.write() as connection:
        known = ("lock_offline:1", "lock_offline", {}, NOW)
        assert journal.open_alarm(connection, ana.host, *known) is False
        assert journal.close_alarm(connection, ana.host, "lock_offline:1", NOW) is True
        assert journal.close_alarm(connection, ana.host, "lock_offline:1", NOW) is False
        assert journal.open_alarms(connection, ana.host) == []
        assert len(journal.open_alarms(connection, bob.host)) == 1
        assert journal.open_alarm(connection, ana.host, *known) is True


def test_alarms_without_an_end_of_their_own_end_after_a_day(database, two):
    ana, _ = two
    with database.write() as connection:
        assert journal.close_stale_alarms(connection, ["lock_offline"], NOW + DAY) == 0
        assert journal.close_stale_alarms(connection, ["other"], NOW + 2 * DAY) == 0
        assert journal.close_stale_alarms(connection, ["lock_offline"], NOW + 2 * DAY) == 2
        assert journal.open_alarms(connection, ana.host) == []


def test_r23_a_run_is_taken_once_and_taken_over_only_when_it_was_left(database, two):
    with database.write() as connection:
        assert journal.take_run(connection, "healthcheck", NOW, NOW) is True
        assert journal.take_run(connection, "healthcheck", NOW, NOW) is False
        assert journal.take_run(connection, "healthcheck", NOW + DAY, NOW) is True
        assert journal.take_over_run(connection, "healthcheck", NOW, NOW, NOW + DAY) is False
        assert journal.take_over_run(connection, "healthcheck", NOW, NOW + DAY, NOW + 2 * DAY) is True
        assert journal.take_over_run(connection, "healthcheck", NOW, NOW + DAY, NOW + 2 * DAY) is False
        journal.finish_run(connection, "healthcheck", NOW, NOW + 2 * DAY, {"looked_at": 7})
        assert journal.take_over_run(connection, "healthcheck", NOW, NOW + 9 * DAY, NOW + 9 * DAY) is False
        assert journal.last_run(connection, "healthcheck").scheduled_for == NOW + DAY
        assert journal.last_run(connection, "something else") is None


def test_r45_details_of_alarms_that_are_over_are_erased(database, two):
    ana, _ = two
    with database.write() as connection:
        journal.open_alarm(connection, ana.host, "push_failed:1", "push_failed", {"guest_name": "Ida"}, NOW)
        journal.erase_facts(connection, NOW + DAY)
        assert "Ida" in str(journal.open_alarms(connection, ana.host))
        journal.close_alarm(connection, ana.host, "push_failed:1", NOW)
        journal.erase_facts(connection, NOW + DAY)
        left = connection.exec_driver_sql("SELECT facts FROM alarm WHERE key = 'push_failed:1'").scalar_one()
        assert "Ida" not in str(left)
