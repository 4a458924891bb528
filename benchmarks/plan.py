"""T6: 100,000 stays become windows, free PINs, names and rows; the rows cost little more than a raw driver's insert."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, Table, select

from benchmarks.figures import Figure, ratio
from benchmarks.ground import NOW, Ground, vault
from lockbridge.bootstrap import Instead, services
from lockbridge.config import Settings
from lockbridge.domain.lock import Capabilities
from lockbridge.services import Services
from lockbridge.storage import tables
from lockbridge.storage.database import Database
from lockbridge.storage.rows import dump_capabilities
from lockbridge.storage.stays import Contact, add_many
from lockbridge.workflows import book

PER_PROPERTY = 50
BATCH = 1_000
WRITTEN = ("code", "placement", "message", "history")


@dataclass
class Writing:
    """How long writing the decisions of all batches took, Core and commits included."""

    seconds: float = 0.0

    def watch(self, database: Database) -> None:
        """Time the write step of booking, and this database's commits."""
        book._write = self._timed(book._write)  # noqa: SLF001 - the step that is measured
        database._commit = self._timed(database._commit)  # type: ignore[method-assign] # noqa: SLF001 - its commit

    def _timed(self, act: Callable[..., None]) -> Callable[..., None]:
        def timed(*args: Any, **kwargs: Any) -> None:
            started = time.perf_counter()
            act(*args, **kwargs)
            self.seconds += time.perf_counter() - started

        return timed


async def measure(ground: Ground, stays: int) -> Sequence[Figure]:
    """T6 on both databases."""
    figures: list[Figure] = []
    for kind, goal in (("sqlite", 0.45), ("postgresql", 0.80)):
        url = ground.fresh(kind)
        database = Database(url, read_threads=0)
        async with services(Settings(), Instead(database=database, vault=vault(), inline=True)) as built:
            _people(built, stays)
            writing, step = Writing(), book._write  # noqa: SLF001 - put back below
            writing.watch(database)
            started = time.perf_counter()
            while await book.book_due(built, NOW, BATCH):
                pass
            whole = time.perf_counter() - started
            book._write = step  # noqa: SLF001
            raw = _raw(ground.fresh(kind), _dump(database))
        note = f"{writing.seconds:.1f} s; raw {raw:.1f} s"
        figures.append(
            ratio(
                "T6",
                f"{kind}: writing {stays:,} planned stays ÷ raw batched insert",
                raw / writing.seconds,
                goal,
                note=note,
            )
        )
        planning = whole - writing.seconds
        figures.append(
            Figure(
                "T6", f"{kind}: planning time beside it", f"{planning:.1f} s, {planning / stays * 1e6:.0f} µs a stay"
            )
        )
    return figures


def _people(built: Services, stays: int) -> None:
    """A host with properties of one lock each, and stays that follow each other."""
    places = stays // PER_PROPERTY
    text = dump_capabilities(Capabilities(max_codes=1000))
    with built.database.write() as connection:
        connection.execute(
            tables.HOST.insert(), [{"id": 1, "name": "Bench", "language": "en", "settings": {}, "created_at": NOW}]
        )
        app = {"id": 1, "host_id": 1, "provider": "simulator", "name": "App", "state": "connected", "created_at": NOW}
        connection.execute(tables.LOCK_APP.insert(), [app])
        connection.execute(tables.PROPERTY.insert(), [_property(key) for key in range(1, places + 1)])
        connection.execute(tables.LOCK.insert(), [_lock(key, text) for key in range(1, places + 1)])
        matched = [{"property_id": key, "lock_id": key, "host_id": 1} for key in range(1, places + 1)]
        connection.execute(tables.MATCH.insert(), matched)
        add_many(connection, built.vault, cast("Any", 1), [_stay(key) for key in range(stays)])


def _property(key: int) -> dict[str, Any]:
    zone = ("America/New_York", "Europe/Berlin", "Australia/Sydney")[key % 3]
    usual = {"check_in": "16:00", "check_out": "11:00", "settings": {}, "created_at": NOW}
    return {"id": key, "host_id": 1, "name": f"House {key}", "zone": zone, "country": "US", **usual}


def _lock(key: int, text: str) -> dict[str, Any]:
    zero = {"missing": False, "seen_count": 0, "waits": 0}
    return {
        "id": key,
        "host_id": 1,
        "lock_app_id": 1,
        "ref": f"L{key}",
        "name": f"Lock {key}",
        "capabilities": text,
        **zero,
    }


def _stay(key: int) -> tuple[dict[str, Any], Contact]:
    place, number = key // PER_PROPERTY + 1, key % PER_PROPERTY
    arrival = (NOW + timedelta(days=5 + number * 4)).date()
    row = {
        "property_id": place,
        "property_ref": f"P{place}",
        "platform": "generic",
        "external_id": f"R{key}",
        "reservation_code": f"HM{key}",
        "status": "confirmed",
        "raw_status": "confirmed",
        "arrival": arrival,
        "departure": arrival + timedelta(days=3),
        "guest_name": f"Guest {key}",
        "language": "en",
        "created_at": NOW,
        "plan_at": NOW,
    }
    return row, Contact(phone=f"+1415{key % 9_000_000 + 1_000_000}", email=f"guest{key}@example.com")


# --------------------------------------------------------------------------------------------------------- reference


def _dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """The rows that were written, as the driver keeps them; parents first."""
    with database.read() as connection:
        return {table.name: [tuple(map(_adapted, row)) for row in _raw_rows(connection, table)] for table in _order()}


def _order() -> Iterable[Table]:
    names = ("host", "lock_app", "property", "lock", "match", "stay", *WRITTEN)
    return [tables.metadata.tables[name] for name in names]


def _raw_rows(connection: Connection, table: Table) -> list[tuple[Any, ...]]:
    statement = str(select(table).compile(dialect=connection.dialect))
    return [tuple(row) for row in connection.exec_driver_sql(statement)]


def _raw(url: str, rows: dict[str, list[tuple[Any, ...]]]) -> float:
    """Insert the same rows with the raw driver, 1,000 stays to a transaction; only what T6 writes is timed."""
    with _raw_connection(url) as (insert, commit):
        for name in ("host", "lock_app", "property", "lock", "match", "stay"):
            for batch in _batches(rows[name]):
                insert(name, batch)
        commit()
        started = time.perf_counter()
        for index in range(0, len(rows["code"]), BATCH):
            for name in WRITTEN:
                share = len(rows[name]) // max(1, len(rows["code"]))
                insert(name, rows[name][index * share : (index + BATCH) * share])
            _restamp(insert, rows["stay"][index : index + BATCH], url)
            commit()
        return time.perf_counter() - started


def _restamp(insert: Any, stays: Sequence[tuple[Any, ...]], url: str) -> None:
    """Planning also updates each stay."""
    columns = list(tables.STAY.c.keys())
    key, code, ends = columns.index("id"), columns.index("code_id"), columns.index("ends_at")
    mark = "?" if url.startswith("sqlite") else "%s"
    statement = f"UPDATE stay SET code_id = {mark}, ends_at = {mark}, plan_at = NULL, trouble = NULL WHERE id = {mark}"
    insert.many(statement, [(row[code], row[ends], row[key]) for row in stays])


def _batches(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


class _Insert:
    """Raw batched inserts through a driver's ``executemany``."""

    def __init__(self, cursor: Any, mark: str) -> None:
        self._cursor, self._mark = cursor, mark

    def __call__(self, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            columns = tables.metadata.tables[name].c.keys()
            marks = ", ".join([self._mark] * len(columns))
            self.many(f'INSERT INTO "{name}" ({", ".join(columns)}) VALUES ({marks})', rows)

    def many(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._cursor.executemany(statement, rows)


def _adapted(value: Any) -> Any:
    return psycopg.types.json.Jsonb(value) if isinstance(value, dict) else value


@contextmanager
def _raw_connection(url: str) -> Iterator[tuple[_Insert, Any]]:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        yield _Insert(connection, "?"), connection.commit
        connection.close()
    else:
        with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as link, link.cursor() as cursor:
            yield _Insert(cursor, "%s"), link.commit
