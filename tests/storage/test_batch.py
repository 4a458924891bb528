"""Many rows in one statement: the same on both databases."""

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, insert, select, update

from lockbridge.domain.code import Pin
from lockbridge.domain.placement import Ended
from lockbridge.storage.batch import Batch
from lockbridge.storage.tables import MESSAGE, PLACEMENT
from tests.storage.facts import DAY, NOW, furnish

MADRID = timezone(timedelta(hours=2))
NEW_MESSAGES = Batch(insert(MESSAGE))
NEW_PLACEMENTS = Batch(insert(PLACEMENT))
PUT_OFF = Batch(
    update(MESSAGE)
    .where(MESSAGE.c.key == bindparam("_key"), MESSAGE.c.state == "waiting")
    .values(next_at=bindparam("at"), lease_until=bindparam("at"))
)


@pytest.fixture
def ana(database, vault):
    with database.write() as connection:
        return furnish(connection, vault, "ana")


def message(owner, key, **more):
    row = {"host_id": owner.host, "kind": "welcome", "facts": {}, "told": {}, "created_at": NOW, "next_at": None}
    return row | {"key": key} | more


def stored(connection, table, *columns):
    return connection.execute(select(*(table.c[name] for name in columns)).order_by(table.c.id)).all()[1:]


def test_each_kind_of_value_comes_back_as_it_was(database, ana):
    exact = NOW.replace(microsecond=123_456)
    wish = {"pin_sealed": bytes(range(256)), "name": 'Zoë \\x41 \\u0041 "O\'Neil" 🔑\n%s ?', "ended": Ended.MOVED}
    times = {"opens_at": exact.astimezone(MADRID), "closes_at": None, "push_at": NOW, "made_at": NOW}
    row = {"host_id": ana.host, "code_id": ana.code, "lock_id": ana.lock, "kind": "guest", **wish, **times}
    with database.write() as connection:
        NEW_PLACEMENTS.write(connection, [row, {**row, "name": "", "pin_sealed": None, "closes_at": exact}])
        found = stored(connection, PLACEMENT, "pin_sealed", "name", "ended", "opens_at", "closes_at")
    assert found == [(*wish.values(), exact, None), (None, "", "moved", exact, exact)]


def test_columns_the_rows_leave_out_get_their_defaults(database, ana):
    with database.write() as connection:
        NEW_MESSAGES.write(connection, [message(ana, "a"), message(ana, "b")])
        NEW_MESSAGES.write(connection, [message(ana, "c", language="es")])
        found = stored(connection, MESSAGE, "key", "language", "state", "to_host", "attempts")
    assert found == [(key, language, "waiting", False, 0) for key, language in (("a", "en"), ("b", "en"), ("c", "es"))]


def test_documents_are_documents(database, ana):
    facts = {"names": ["Ü", None, 1.5, True], "nested": {"at": NOW}, "zero": "a\0b"}
    with database.write() as connection:
        NEW_MESSAGES.write(connection, [message(ana, "a", facts=facts)])
        (found,) = stored(connection, MESSAGE, "facts")
    assert found.facts == {**facts, "nested": {"at": "2026-06-10T12:30:00Z"}, "zero": "a\ufffdb"}


def test_rows_are_numbered_in_the_order_they_are_given(database, ana):
    keys = [f"{number * 7919 % 1000:03}" for number in range(1000)]
    with database.write() as connection:
        NEW_MESSAGES.write(connection, [message(ana, key) for key in keys])
        assert [row.key for row in stored(connection, MESSAGE, "key")] == keys


def test_a_change_takes_its_own_terms_and_each_rows_values(database, ana):
    with database.write() as connection:
        NEW_MESSAGES.write(connection, [message(ana, "a"), message(ana, "b")])
        NEW_MESSAGES.write(connection, [message(ana, "c", state="sent")])
        PUT_OFF.write(connection, [{"_key": "a", "at": NOW}, {"_key": "b", "at": NOW + DAY}, {"_key": "c", "at": NOW}])
        found = stored(connection, MESSAGE, "next_at", "lease_until")
    assert found == [(NOW, NOW), (NOW + DAY, NOW + DAY), (None, None)]


def test_no_rows_are_no_statement(database):
    with database.read() as connection:
        NEW_MESSAGES.write(connection, [])


@pytest.mark.parametrize("wrong", [{"next_at": datetime(2026, 6, 10)}, {"facts": {"pin": Pin("4711")}}])  # noqa: DTZ001 - the mistake
def test_a_naive_instant_and_digits_in_a_document_are_refused(database, ana, wrong):
    with pytest.raises((ValueError, TypeError)), database.write() as connection:
        NEW_MESSAGES.write(connection, [message(ana, "a", **wrong)])


def test_a_forgotten_parameter_is_an_error(sqlite_database):
    with pytest.raises(KeyError), sqlite_database.write() as connection:
        PUT_OFF.write(connection, [{"_key": "a"}])
