"""What every test may ask for: a database of each kind with its tables, a vault; and no network but loopback."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from lockbridge.clock import use_packaged_time_zones
from lockbridge.storage import tables
from lockbridge.storage.database import Database, known_revisions
from lockbridge.storage.vault import KeyRing, Vault
from lockbridge.workflows import sign_in
from tests.postgres import Engines, PostgresServer, start_postgres

HERE = Path(__file__).parent
LONG = {"browser", "commands", "simulation", "workflows"}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """The run may reach this machine only (pytest-socket reads these options); zones are those of the package."""
    settings.register_profile("lockbridge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("lockbridge")  # a busy machine is no failure: speed is measured by `make bench`
    config.option.allow_hosts = "127.0.0.1,::1,localhost"
    config.option.allow_unix_socket = True
    use_packaged_time_zones()
    compile_statements_once()
    sign_in._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # slow on purpose; tests hash hundreds


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Rooms with long files first, so that in the end no process waits for what another has only begun."""
    items.sort(key=lambda item: item.path.relative_to(HERE).parts[0] not in LONG)


def compile_statements_once() -> None:
    """All databases of one kind share what SQLAlchemy has compiled; it would do that anew for every test's database."""
    first: dict[tuple[str, int], sqlalchemy.Engine] = {}
    made = Database._engines

    def sharing(self: Database, *, echo: bool) -> Engines:
        reader, writer = made(self, echo=echo)
        for role, engine in enumerate((reader, writer)):
            known = first.get((self.dialect, role))
            if known is not None and getattr(known.dialect, "server_version_info", None):
                engine.dialect, engine._compiled_cache = known.dialect, known._compiled_cache
            else:  # none yet, or it never reached its database and so knows nothing about it
                first[self.dialect, role] = engine
        return reader, writer

    Database._engines = sharing


def make_tables(url: str) -> None:
    """The tables of this program, marked as migrated. A test holds them equal to what the migrations make."""
    database = Database(url, synchronous="OFF", read_threads=0)
    with database.write() as connection:
        tables.metadata.create_all(connection)
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        for revision in known_revisions()[-1:]:
            connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{revision}')")  # noqa: S608 - our own
    database.dispose()


@pytest.fixture(scope="session", name="make_tables")
def make_tables_fixture() -> Callable[[str], None]:
    """Makes the tables in the database of a URL, straight from their declaration."""
    return make_tables


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server, started by the tests."""
    server, folder = start_postgres(make_tables)
    with sharing_engines(server):
        yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def sharing_engines(server: PostgresServer) -> Iterator[None]:
    """Whoever opens a database that is handed on from test to test uses the connections that it has."""
    made = Database._engines

    def shared(self: Database, *, echo: bool) -> Engines:
        return server.shared(self.url, lambda: made(self, echo=echo))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_engines", shared)
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables, to be copied."""
    file = tmp_path_factory.mktemp("template") / "lockbridge.sqlite3"
    make_tables(f"sqlite:///{file}")
    return file


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a fresh SQLite database with the tables."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'lockbridge.sqlite3')}"


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database with the tables."""
    name = postgres.create()
    yield postgres.url(name)
    postgres.leave(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh database with the tables, once of each kind; for tests that start processes."""
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


@pytest.fixture
def open_database() -> Iterator[Callable[..., Database]]:
    """Opens databases (``open_database(url, **options)``) and closes them after the test."""
    opened: list[Database] = []

    def open_one(url: str, **options) -> Database:
        opened.append(Database(url, **{"synchronous": "OFF", **options}))
        return opened[-1]

    yield open_one
    for database in opened:
        database.dispose()


@pytest.fixture
def database(database_url: str, open_database: Callable[..., Database]) -> Database:
    """A fresh database with the tables, once of each kind."""
    return open_database(database_url)


@pytest.fixture
def sqlite_database(sqlite_url: str, open_database: Callable[..., Database]) -> Database:
    """A fresh SQLite database with the tables."""
    return open_database(sqlite_url)


@pytest.fixture
def postgres_database(postgres_url: str, open_database: Callable[..., Database]) -> Database:
    """A fresh PostgreSQL database with the tables."""
    return open_database(postgres_url)


@pytest.fixture
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Gives the URL of a database without tables, of the kind that is asked for."""
    made: list[str] = []

    def url_of(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / 'new' / 'lockbridge.sqlite3'}"
        server = request.getfixturevalue("postgres")
        made.append(server.create_empty())
        return server.url(made[-1])

    yield url_of
    for name in made:
        request.getfixturevalue("postgres").leave(name)


@pytest.fixture
def vault() -> Vault:
    """A vault with a key of its own."""
    return Vault(KeyRing.fresh())


@pytest.fixture
def scratch() -> sqlalchemy.MetaData:
    """Metadata for tables that only one test knows."""
    return sqlalchemy.MetaData()
