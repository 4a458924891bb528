"""Rows that a process takes for itself, on a PostgreSQL that may plan the taking in any way it likes."""

from datetime import timedelta

import pytest

from lockbridge.domain.ids import SourceId
from lockbridge.storage import locks, outbox, sources
from lockbridge.storage.hosts import Credentials
from lockbridge.storage.sources import SourceRow
from tests.storage.facts import NOW, furnish

UNTIL = NOW + timedelta(minutes=2)
OTHER_WAYS = ("hashjoin", "mergejoin", "hashagg", "material", "memoize", "sort")
"""Without these PostgreSQL goes through the table and asks for each row anew which rows are wanted."""
CLAIMS = {
    "locks": lambda connection: locks.claim_locks(connection, NOW, UNTIL, "mine", 1),
    "messages": lambda connection: outbox.claim(connection, NOW, UNTIL, "mine", 1),
    "sources": lambda connection: sources.claim(connection, NOW, UNTIL, "mine", 1),
}


@pytest.mark.parametrize("what", CLAIMS)
def test_no_more_is_claimed_than_asked_for_however_postgresql_looks_for_it(postgres_database, vault, what):
    with postgres_database.write() as connection:
        for host in ("ana", "bob", "cleo"):
            mine = furnish(connection, vault, host)
            feed = SourceRow(SourceId(0), mine.host, "ical", host, mine.place, Credentials({}))
            sources.add(connection, vault, feed, NOW)
    with postgres_database.write() as connection:
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_custom_plan")
        for way in OTHER_WAYS:
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        assert len(CLAIMS[what](connection)) == 1
