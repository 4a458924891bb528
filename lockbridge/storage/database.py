"""The database: one URL, SQLite or PostgreSQL; where reads and writes begin, and where "not now" gets its name.

Reads and writes use connections of their own: a read connection cannot write, so that :mod:`lockbridge.storage.commit`
stays the one way in. On SQLite a write takes the write lock when it begins, and waits for it for up to 30 s; processes
that share the file take turns.
"""

import asyncio
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from lockbridge import assets
from lockbridge.storage.turns import Turns
from lockbridge.storage.types import dump_json, load_json

P = ParamSpec("P")
T = TypeVar("T")
Synchronous = Literal["FULL", "NORMAL", "EXTRA", "OFF"]
"""When SQLite waits for the disk. FULL and EXTRA keep every commit over a power cut; OFF suits throw-away data."""

BUSY_SECONDS = 30
OLDEST_SQLITE = (3, 35)
"""The first with RETURNING."""
MIGRATION_LOCK = 0x6C6F636B
"""The advisory lock on PostgreSQL that lets one process migrate at a time."""


class StorageUnavailable(Exception):
    """The database cannot take or give anything now (full, locked, gone). Nothing was stored unless it says so."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta = timedelta(seconds=5),
        may_be_stored: bool = False,
        worth_repeating: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """How long a client does well to wait."""
        self.may_be_stored = may_be_stored
        """The connection was lost while the commit was under way: only a look can tell."""
        self.worth_repeating = worth_repeating
        """The same transaction, begun anew at once, may well succeed."""

    def copy(self) -> "StorageUnavailable":
        """An equal error for somebody else to raise."""
        twin = StorageUnavailable(
            str(self),
            retry_after=self.retry_after,
            may_be_stored=self.may_be_stored,
            worth_repeating=self.worth_repeating,
        )
        twin.__cause__ = self.__cause__
        return twin


DATABASE_FAILS = (StorageUnavailable, sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError)
"""What is raised inside a transaction because of the database, and not because of what was asked of it."""


class SchemaError(Exception):
    """The tables do not fit this program. The message says what to do."""


class SchemaMissing(SchemaError):
    """There are no tables yet."""


class SchemaOlder(SchemaError):
    """The tables are those of an earlier version."""


class SchemaNewer(SchemaError):
    """The tables are those of a later version."""


# --------------------------------------------------------------------------------------------------- what went wrong

_SQLITE_TROUBLE = {
    sqlite3.SQLITE_BUSY: "is busy: another process has held it for {busy} s; it will be free again",
    sqlite3.SQLITE_LOCKED: "is busy: another connection has held it for {busy} s; it will be free again",
    sqlite3.SQLITE_FULL: "could not grow, its disk is full: free some space on the disk that holds it",
    sqlite3.SQLITE_IOERR: "could not be read or written ({detail}): check the disk that holds it",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check that its folder exists and that this user may write there",
    sqlite3.SQLITE_READONLY: "is read-only: give this user the right to write the file and its folder",
    sqlite3.SQLITE_PERM: "may not be used by this user: give it the right to write the file and its folder",
    sqlite3.SQLITE_CORRUPT: "is damaged ({detail}): stop lockbridge and restore the latest copy",
    sqlite3.SQLITE_NOTADB: "is not a SQLite database: check database.url, or restore the latest copy",
    sqlite3.SQLITE_NOMEM: "ran out of memory: free some memory on this machine",
}
_POSTGRES_TROUBLE = {
    "40001": "asks for the transaction to be repeated",
    "40P01": "broke a deadlock; the transaction can be repeated",
    "55P03": "is busy: another session has held a lock for {busy} s; it will be free again",
    "57014": "stopped a statement that took too long; it can be repeated",
    "25006": "takes no writes now, it is read-only: point database.url at the primary server",
    "53100": "has a full disk: free some space on its server",
    "53": "is out of resources ({detail}): raise its limits or lower the number of lockbridge processes",
    "57P": "is stopping or starting: wait until it is up",
    "58": "met an error of its machine ({detail}): look into the log of the server",
    "08": "cannot be reached ({detail}): check that it runs and that database.url is right",
}
_REPEATABLE = {"40001", "40P01"}
_REFUSED_WRITES = {sqlite3.SQLITE_READONLY, "25006"}


def as_unavailable(
    error: SQLAlchemyError, where: str, *, reading: bool = False, committing: bool = False
) -> StorageUnavailable | None:
    """The error as "not now", or ``None`` when it is about the statement itself (a broken constraint, a typo).

    ``where`` names the database in the message. A write in a read transaction is a mistake, not an outage.
    """
    if isinstance(error, PoolTimeout):
        return StorageUnavailable(f"the database {where} is busy: every connection is in use; try again soon")
    if not isinstance(error, DBAPIError):
        return None
    code, trouble = _trouble(error)
    if trouble is None or (reading and code in _REFUSED_WRITES):
        return None
    lost = error.connection_invalidated
    return StorageUnavailable(
        f"the database {where} {trouble.format(busy=BUSY_SECONDS, detail=_first_line(error))}",
        may_be_stored=lost and committing,
        worth_repeating=code in _REPEATABLE or (lost and not committing),
    )


def _trouble(error: DBAPIError) -> tuple[int | str | None, str | None]:
    """The driver's code, and our words for it when it means "not now"."""
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        return code, _SQLITE_TROUBLE.get(code)
    state = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated or (state is None and isinstance(error, sqlalchemy.exc.OperationalError)):
        return state, _POSTGRES_TROUBLE["08"]
    known = next((prefix for prefix in _POSTGRES_TROUBLE if state and state.startswith(prefix)), None)
    return state, _POSTGRES_TROUBLE[known] if known else None


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]


# ----------------------------------------------------------------------------------------------------------- engines


def parse_url(url: str) -> URL:
    """The database URL, with its driver. Raises ``ValueError`` for anything but a SQLite file or PostgreSQL."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        msg = "database.url is not a URL: write sqlite:///path/to/file or postgresql://user:password@host/name"
        raise ValueError(msg) from None
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
        msg = f"database.url asks for {parsed.drivername!r}: lockbridge works on sqlite and postgresql"
        raise ValueError(msg)
    if parsed.database in {None, "", ":memory:"} or (parsed.database or "").startswith("file:"):
        msg = "database.url names no file: lockbridge needs sqlite:///path/to/file (a database in memory forgets)"
        raise ValueError(msg)
    return parsed.set(drivername="sqlite+pysqlite")


def _sqlite_engine(url: URL, begin: str, pragmas: dict[str, str | int], *, echo: bool) -> Engine:
    """An engine whose transactions start with ``begin`` and whose connections have these pragmas."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        msg = f"SQLite {sqlite3.sqlite_version} is too old: lockbridge needs 3.35 or later"
        raise ValueError(msg)
    engine = _engine(url, echo=echo, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for name, value in pragmas.items():
            _set_pragma(connection, f"PRAGMA {name}={value}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _set_pragma(connection: sqlite3.Connection, pragma: str) -> None:
    """Set a pragma. Where two processes open a new file at once, one finds it busy, and SQLite waits for no WAL."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(pragma)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _postgres_engine(url: URL, *, read_only: bool, echo: bool) -> Engine:
    options = [
        str(url.query.get("options", "")),
        "-c timezone=UTC",
        f"-c lock_timeout={BUSY_SECONDS}s",
        f"-c default_transaction_read_only={'on' if read_only else 'off'}",
    ]
    connect = {"options": " ".join(options).strip(), "connect_timeout": 10, "application_name": "lockbridge"}
    return _engine(url, echo=echo, pool_pre_ping=True, connect_args=connect)


def _engine(url: URL, **options: Any) -> Engine:
    """``hide_parameters``: what is stored never shows in an error."""
    return sqlalchemy.create_engine(
        url,
        pool_size=5,
        max_overflow=20,
        pool_timeout=BUSY_SECONDS,
        hide_parameters=True,
        json_serializer=dump_json,
        json_deserializer=load_json,
        **options,
    )


class Database:
    """One database, opened by any number of threads. Opens its first connection when it is first used.

    ``read_threads=0`` answers :meth:`ask` on the caller's thread, for a simulation or a command. ``gives_way`` leaves a
    SQLite file to other processes where these wait to write. Raises ``ValueError`` for a URL that lockbridge cannot
    use.
    """

    def __init__(
        self,
        url: str,
        *,
        synchronous: Synchronous = "FULL",
        read_threads: int = 4,
        echo: bool = False,
        gives_way: bool = False,
    ) -> None:
        self.url = parse_url(url)
        self.dialect: Literal["sqlite", "postgresql"] = "sqlite" if "sqlite" in self.url.drivername else "postgresql"
        self.synchronous = synchronous
        self._reader, self._writer = self._engines(echo=echo)
        self._threads = ThreadPoolExecutor(read_threads, "lockbridge-read") if read_threads else None
        self._turn = nullcontext if self.file is None else Turns(self.file, gives_way=gives_way).turn

    def _engines(self, *, echo: bool) -> tuple[Engine, Engine]:
        if self.dialect == "postgresql":
            return (
                _postgres_engine(self.url, read_only=True, echo=echo),
                _postgres_engine(self.url, read_only=False, echo=echo),
            )
        writing = _write_pragmas(self.synchronous)
        return (
            _sqlite_engine(self.url, "BEGIN DEFERRED", {"query_only": "ON"}, echo=echo),
            _sqlite_engine(self.url, "BEGIN IMMEDIATE", writing, echo=echo),
        )

    def __repr__(self) -> str:
        return f"Database({self.where})"

    @property
    def where(self) -> str:
        """The URL without its password, for people."""
        return self.url.set(drivername=self.dialect).render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database."""
        return Path(self.url.database or "") if self.dialect == "sqlite" else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for questions, in one transaction that leaves no trace. Raises :class:`StorageUnavailable`.

        It ends with a commit: psycopg forgets at a rollback which statements it had PostgreSQL prepare, and each
        question would be planned anew each time (measured: what PostgreSQL does for an engine's ticks, halved).
        """
        try:
            with self._reader.connect() as connection, connection.begin():
                yield connection
        except SQLAlchemyError as error:
            self._raise_unavailable(error, reading=True)
            raise

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on any error. Raises :class:`StorageUnavailable`.

        For migrations, tools and tests; a running service writes through a ``GroupCommit``.
        """
        with self.connect() as connection, self.transaction(connection):
            yield connection

    def connect(self) -> Connection:
        """A connection of one's own that may write; close it. Raises :class:`StorageUnavailable`."""
        try:
            return self._writer.connect()
        except SQLAlchemyError as error:
            self._raise_unavailable(error)
            raise

    @contextmanager
    def transaction(self, connection: Connection) -> Iterator[None]:
        """One transaction on a connection that may write. Raises :class:`StorageUnavailable`."""
        try:
            with self._turn(), connection.begin() as transaction:
                yield
                self._commit(transaction)
        except SQLAlchemyError as error:
            self._raise_unavailable(error)
            raise

    def _commit(self, transaction: sqlalchemy.RootTransaction) -> None:
        try:
            transaction.commit()
        except SQLAlchemyError as error:
            self._raise_unavailable(error, committing=True)
            raise

    def _raise_unavailable(self, error: SQLAlchemyError, *, reading: bool = False, committing: bool = False) -> None:
        unavailable = as_unavailable(error, self.where, reading=reading, committing=committing)
        if unavailable is not None:
            raise unavailable from error

    async def ask(self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer to ``question(connection, …)``, found in a pool of threads. Raises what the question raises."""
        answer = partial(self._answer, question, *args, **kwargs)
        if self._threads is None:
            return answer()
        return await asyncio.get_running_loop().run_in_executor(self._threads, answer)

    def _answer(self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self.read() as connection:
            return question(connection, *args, **kwargs)

    def dispose(self) -> None:
        """Close every connection that is not in use. Harmless twice."""
        if self._threads is not None:
            self._threads.shutdown()
        self._reader.dispose()
        self._writer.dispose()


def _write_pragmas(synchronous: Synchronous) -> dict[str, str | int]:
    return {
        "journal_mode": "WAL",
        "synchronous": synchronous,
        "foreign_keys": "ON",
        "journal_size_limit": 64 * 1024 * 1024,
    }


# ------------------------------------------------------------------------------------------------------------ schema


def known_revisions() -> list[str]:
    """The revisions this program has migrations for, oldest first."""
    names = (re.fullmatch(r"(\d{4})_\w+", file.stem) for file in (assets.migrations() / "versions").glob("*.py"))
    return sorted(name[1] for name in names if name)


def check_schema(database: Database) -> None:
    """Raises :class:`SchemaMissing`, :class:`SchemaOlder` or :class:`SchemaNewer` unless the tables fit."""
    found, known = schema_revision(database), known_revisions()
    if found is None:
        msg = f"the database {database.where} has no tables yet: run 'lockbridge migrate'"
        raise SchemaMissing(msg)
    if found not in known:
        msg = (
            f"the database {database.where} comes from a newer version of lockbridge (schema {found}, this one knows "
            f"{known[-1] if known else 'none'}): install that version, or restore a copy made before it"
        )
        raise SchemaNewer(msg)
    if found != known[-1]:
        msg = f"the database {database.where} has schema {found}, not yet {known[-1]}: run 'lockbridge migrate'"
        raise SchemaOlder(msg)


def schema_revision(database: Database) -> str | None:
    """The revision of the tables; ``None`` when there are none. Never creates the file."""
    if database.file is not None and not database.file.exists():
        return None
    with database.read() as connection:
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def migrate(url: str) -> list[str]:
    """Bring the tables to this program's version, all or nothing; the revisions that were applied.

    Makes the SQLite file and its folder when missing. Of several processes one migrates, the others wait. Raises
    :class:`SchemaNewer` for a database of a later version, and :class:`StorageUnavailable`.
    """
    database = Database(url, read_threads=0)
    try:
        if database.file is not None:
            database.file.parent.mkdir(parents=True, exist_ok=True)
        if schema_revision(database) not in {None, *known_revisions()}:
            check_schema(database)
        return _upgrade(database)
    finally:
        database.dispose()


def _upgrade(database: Database) -> list[str]:
    """Run alembic on one connection, in one transaction that holds the database's migration lock."""
    from alembic import command  # noqa: PLC0415 - 8 MB that only this command needs
    from alembic.config import Config  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", str(assets.migrations()).replace("%", "%%"))
    with database.connect() as connection:
        _foreign_keys(connection, enforced=False)
        with database.transaction(connection):
            if database.dialect == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            before = _revision(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            _refuse_broken_references(connection)
        _foreign_keys(connection, enforced=True)
    return [revision for revision in known_revisions() if before is None or revision > before]


def _foreign_keys(connection: Connection, *, enforced: bool) -> None:
    """SQLite rebuilds a table by dropping it; meanwhile its references hang in the air."""
    if connection.dialect.name == "sqlite":
        driver = connection.connection.dbapi_connection
        assert driver is not None  # noqa: S101 - an open connection has one
        driver.cursor().execute(f"PRAGMA foreign_keys={'ON' if enforced else 'OFF'}")


def _refuse_broken_references(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            msg = f"the migration leaves {len(broken)} rows of {broken[0][0]} pointing at nothing: nothing was changed"
            raise SchemaError(msg)
