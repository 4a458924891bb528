from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, Table, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError

from lockbridge.domain.code import Pin
from lockbridge.storage.types import Json, UtcDateTime, dump_json, load_json, storable

NOON = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def notes(database, scratch):
    table = Table(
        "notes", scratch, Column("id", Integer, primary_key=True), Column("at", UtcDateTime), Column("doc", Json)
    )
    with database.write() as connection:
        table.create(connection)
    return table


def keep(database, table, **values):
    with database.write() as connection:
        connection.execute(insert(table), [values])
    with database.read() as connection:
        return connection.execute(select(table)).mappings().one()


@pytest.mark.parametrize(
    "given_instant",
    [
        NOON,
        NOON.astimezone(ZoneInfo("America/Vancouver")),
        NOON.astimezone(timezone(timedelta(hours=5, minutes=45))),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(9999, 1, 1, tzinfo=UTC),
    ],
)
def test_an_instant_comes_back_to_the_microsecond_and_in_utc(database, notes, given_instant):
    kept = keep(database, notes, at=given_instant)["at"]
    assert kept == given_instant
    assert kept.tzinfo is UTC


def test_no_instant_stays_none(database, notes):
    assert keep(database, notes, at=None)["at"] is None


def test_instants_are_ordered_and_compared_by_the_database(database, notes):
    hours = [NOON + timedelta(hours=n) for n in (3, -200_000, 0)]
    with database.write() as connection:
        connection.execute(insert(notes), [{"at": hour} for hour in hours])
        due = select(notes.c.at).where(notes.c.at <= NOON.astimezone(ZoneInfo("Asia/Tokyo"))).order_by(notes.c.at)
        assert connection.scalars(due).all() == [hours[1], hours[2]]
        assert connection.scalar(select(sqlalchemy.func.max(notes.c.at))) == hours[0]


@pytest.mark.parametrize(("wrong", "words"), [(datetime(2026, 7, 1), "no time zone"), (date(2026, 7, 1), "not date")])  # noqa: DTZ001
def test_what_is_no_instant_is_refused(database, notes, wrong, words):
    with pytest.raises((StatementError, TypeError), match=words):
        keep(database, notes, at=wrong)


@given(st.datetimes(timezones=st.just(UTC)))
def test_sqlite_keeps_instants_as_numbers_in_their_order(instant):
    kind, dialect = UtcDateTime(), sqlite.dialect()
    kept = kind.process_bind_param(instant, dialect)
    assert isinstance(kept, int)
    assert kind.process_result_value(kept, dialect) == instant
    assert (kept < 0) == (instant < datetime(1970, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("dialect", "text"),
    [(sqlite.dialect(), "1782907200123456"), (postgresql.dialect(), "2026-07-01 12:00:00.123456+00:00")],
)
def test_a_statement_can_be_shown_with_its_instants(dialect, text):
    shown = select(sqlalchemy.literal(NOON, UtcDateTime)).compile(
        dialect=dialect, compile_kwargs={"literal_binds": True}
    )
    assert text in str(shown)


@pytest.mark.parametrize("document", [{"a": [1, 2.5, None, True], "ü": "ß😀"}, [], "text", 0, {"deep": {"er": {}}}])
def test_a_document_comes_back_as_it_was(database, notes, document):
    assert keep(database, notes, doc=document)["doc"] == document


def test_no_document_is_sql_null(database, notes):
    assert keep(database, notes, doc=None)["doc"] is None
    with database.read() as connection:
        assert connection.scalar(select(sqlalchemy.func.count()).where(notes.c.doc.is_(None))) == 1


def test_character_zero_in_a_document_is_replaced_on_both_databases(database, notes):
    kept = keep(database, notes, doc={"name": "A\0B", "path": "C:\\u0000"})["doc"]
    assert kept == {"name": "A\ufffdB", "path": "C:\\u0000"}


@given(st.recursive(st.text() | st.integers(-(2**63), 2**63 - 1), lambda inner: st.dictionaries(st.text(), inner)))
def test_json_text_loses_nothing_but_character_zero(document):
    def cleaned(value):
        if isinstance(value, dict):
            return {cleaned(key): cleaned(inner) for key, inner in value.items()}
        return value.replace("\0", "\ufffd") if isinstance(value, str) else value

    assert load_json(dump_json(document)) == cleaned(document)


def test_a_pin_never_slips_into_a_document():
    with pytest.raises(TypeError):
        dump_json({"pin": Pin("0165")})


def test_text_that_no_database_can_keep_is_made_storable():
    assert storable("a\0b\ud83dc 😀") == "a\ufffdb\ufffdc 😀"
