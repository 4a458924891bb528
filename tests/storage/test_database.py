import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest
import sqlalchemy
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Integer, LargeBinary, String, Table, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from lockbridge import assets
from lockbridge.storage import database as module
from lockbridge.storage.database import (
    Database,
    SchemaMissing,
    SchemaNewer,
    SchemaOlder,
    StorageUnavailable,
    check_schema,
    known_revisions,
    migrate,
    schema_revision,
)

BOTH = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


@pytest.fixture
def words(database, scratch):
    table = Table("words", scratch, Column("id", Integer, primary_key=True), Column("word", String, unique=True))
    with database.write() as connection:
        table.create(connection)
    return table


def write(database, *acts):
    with database.write() as connection:
        for act in acts:
            act(connection)


def count(database, table):
    with database.read() as connection:
        return connection.scalar(select(sqlalchemy.func.count()).select_from(table))


def python(script):
    """A process that runs the script; its output is to be read."""
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own


# ------------------------------------------------------------------------------------------------------- transactions


def test_what_was_written_can_be_read(database, words):
    with database.write() as connection:
        connection.execute(insert(words), [{"word": "a"}, {"word": "b"}])
    assert count(database, words) == 2


def test_an_error_rolls_everything_back_and_comes_out_as_it_is(database, words):
    def half():
        with database.write() as connection:
            connection.execute(insert(words), [{"word": "a"}])
            raise LookupError

    with pytest.raises(LookupError):
        half()
    assert count(database, words) == 0


def test_a_broken_constraint_is_not_an_outage_and_does_not_show_what_was_written(database, words):
    with pytest.raises(IntegrityError) as error, database.write() as connection:
        connection.execute(insert(words), [{"word": "s3cret"}, {"word": "s3cret"}])
    assert "parameters" not in str(error.value) or "hidden" in str(error.value)


def test_a_read_connection_cannot_write(database, words):
    with (
        pytest.raises((OperationalError, sqlalchemy.exc.DBAPIError), match=r"read-?only"),
        database.read() as connection,
    ):
        connection.execute(insert(words), [{"word": "a"}])
    assert count(database, words) == 0


def test_references_are_enforced(database, scratch):
    parent = Table("parent", scratch, Column("id", Integer, primary_key=True))
    child = Table("child", scratch, Column("parent", sqlalchemy.ForeignKey("parent.id")))
    with database.write() as connection:
        scratch.create_all(connection, tables=[parent, child])
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(child), [{"parent": 7}])


@pytest.mark.parametrize("level", [("FULL", 2), ("NORMAL", 1), ("EXTRA", 3)])
def test_sqlite_writes_ahead_and_waits_for_the_disk_as_asked(sqlite_url, open_database, level):
    database = open_database(sqlite_url, synchronous=level[0])
    with database.write() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert pragmas == ["wal", level[1]]
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000


def test_postgresql_speaks_utc(postgres_database):
    with postgres_database.read() as connection:
        assert connection.scalar(text("SHOW timezone")) == "UTC"


def test_a_sqlite_reader_is_not_held_up_by_a_writer(sqlite_database):
    with sqlite_database.write() as writer:
        writer.exec_driver_sql("CREATE TABLE t (a)")
        with sqlite_database.read() as reader:
            assert not sqlalchemy.inspect(reader).has_table("t")


async def test_a_question_is_answered_in_a_thread_of_its_own(database):
    def which(connection, number, *, more):
        return threading.current_thread().name, connection.scalar(select(sqlalchemy.literal(number))) + more

    name, answer = await database.ask(which, 40, more=2)
    assert answer == 42
    assert name.startswith("lockbridge-read")


async def test_without_threads_a_question_is_answered_by_the_caller(database_url, open_database):
    database = open_database(database_url, read_threads=0)
    assert await database.ask(lambda _: threading.current_thread()) is threading.current_thread()


# -------------------------------------------------------------------------------------------------------------- URLs


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "is not a URL"),
        ("mysql://localhost/x", "works on sqlite and postgresql"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_url_that_cannot_work_is_refused_with_an_example(url, words):
    with pytest.raises(ValueError, match=words):
        Database(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_works_and_the_password_is_not_shown(scheme, open_database):
    database = open_database(f"{scheme}://me:s3cret@db.example/lockbridge")
    assert database.dialect == "postgresql"
    assert repr(database) == "Database(postgresql://me:***@db.example/lockbridge)"


def test_options_in_the_url_are_kept(postgres_url, open_database):
    database = open_database(f"{postgres_url}&options=-c%20work_mem%3D5MB")
    with database.read() as connection:
        assert connection.scalar(text("SHOW work_mem")) == "5MB"


def test_postgresql_plans_a_question_once_that_is_asked_often(postgres_url, open_database):
    database = open_database(f"{postgres_url}&options=-c%20work_mem%3D5MB")  # with a session that knows no plan yet
    for _ in range(8):
        with database.read() as connection:
            connection.execute(text("SELECT 'often'"))
    with database.read() as connection:
        prepared = connection.execute(text("SELECT statement FROM pg_prepared_statements")).scalars().all()
    assert prepared == ["SELECT 'often'"]


# ----------------------------------------------------------------------------------------------------------- outages


def test_a_locked_sqlite_file_is_an_outage_that_passes(sqlite_url, open_database, monkeypatch):
    monkeypatch.setattr(module, "BUSY_SECONDS", 0)
    database = open_database(sqlite_url)
    with open_database(sqlite_url).write(), pytest.raises(StorageUnavailable, match="is busy: another process"):
        database.write().__enter__()
    with database.write():
        pass


def test_a_new_sqlite_file_that_another_process_opens_at_the_same_time_is_waited_for(
    tmp_path, open_database, monkeypatch
):
    file = tmp_path / "new.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(module.time, "sleep", lambda _seconds: other.execute("COMMIT"))
        with open_database(f"sqlite:///{file}").write() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_full_sqlite_database_stores_nothing_and_says_what_to_do(sqlite_database, scratch):
    table = Table("big", scratch, Column("body", LargeBinary))
    with sqlite_database.write() as connection:
        table.create(connection)
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 4}")
    rows = [{"body": bytes(4000)} for _ in range(50)]
    with pytest.raises(StorageUnavailable, match="its disk is full: free some space") as error:
        write(sqlite_database, lambda connection: connection.execute(insert(table), rows))
    assert not error.value.may_be_stored
    assert count(sqlite_database, table) == 0


FULL_DISK = """
import resource, signal
from lockbridge.storage.database import Database, StorageUnavailable

def write(statement):
    with database.write() as connection:
        connection.exec_driver_sql(statement)

def allow(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

database = Database({url!r})
write("CREATE TABLE big (body)")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
allow(1_000_000)
try:
    write("INSERT INTO big VALUES (zeroblob(3000000))")
except StorageUnavailable as error:
    print(error)
allow(resource.RLIM_INFINITY)
write("INSERT INTO big VALUES (1)")
with database.read() as connection:
    print(connection.exec_driver_sql("SELECT count(*) FROM big").scalar())
"""


def test_a_disk_that_refuses_more_bytes_is_an_outage(sqlite_url):
    """The limit on file size stands for the disk: a write beyond it fails."""
    said = python(FULL_DISK.format(url=sqlite_url)).communicate()[0]
    assert re.fullmatch(r"the database sqlite:.* disk.*\n1\n", said)


def test_a_folder_that_is_not_there_is_named(tmp_path, open_database):
    database = open_database(f"sqlite:///{tmp_path}/missing/x.sqlite3")
    with pytest.raises(StorageUnavailable, match=r"x\.sqlite3 cannot be opened: check that its folder exists"):
        database.connect()


@pytest.mark.parametrize("way", [Database.read, Database.write, Database.connect])
def test_a_file_that_is_no_database_is_named(tmp_path, open_database, way):
    (tmp_path / "x.sqlite3").write_text("a diary, not a database" * 100)
    database = open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    with pytest.raises(StorageUnavailable, match="is not a SQLite database"), way(database) as connection:
        connection.exec_driver_sql("SELECT * FROM t")


def test_a_server_that_is_not_there_is_named_without_the_password(open_database):
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        database = open_database(f"postgresql://me:s3cret@127.0.0.1:{unused.getsockname()[1]}/lockbridge")
        with pytest.raises(StorageUnavailable, match="cannot be reached") as error:
            database.connect()
    assert "s3cret" not in str(error.value)


END_OTHER_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname = current_database()
"""


def ask_something(connection):
    connection.execute(text("SELECT 1"))


def lose_connections(connection):
    """The server ends every session, as when it restarts."""
    with connection.engine.connect() as other:
        other.execute(text(END_OTHER_SESSIONS))


def test_a_connection_lost_before_the_commit_may_be_tried_again(postgres_database):
    with pytest.raises(StorageUnavailable, match="cannot be reached") as error:
        write(postgres_database, ask_something, lose_connections, ask_something)
    assert error.value.worth_repeating
    assert not error.value.may_be_stored


def test_a_connection_lost_during_the_commit_leaves_it_open_what_happened(postgres_database):
    with pytest.raises(StorageUnavailable) as error:
        write(postgres_database, ask_something, lose_connections)
    assert error.value.may_be_stored
    assert not error.value.worth_repeating


def test_reading_goes_on_after_the_server_dropped_every_connection(postgres_database):
    with postgres_database.read() as connection:
        connection.execute(text("SELECT 1"))
    with postgres_database.connect() as other:
        lose_connections(other)
    with postgres_database.read() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize(
    ("state", "words", "again"),
    [
        ("40P01", "deadlock", True),
        ("40001", "repeated", True),
        ("55P03", "busy", False),
        ("57P01", "stopping or starting", False),
        ("53100", "full disk", False),
        ("53300", "out of resources", False),
        ("25006", "read-only", False),
    ],
)
def test_what_postgresql_reports_as_passing_is_an_outage(postgres_database, state, words, again):
    with pytest.raises(StorageUnavailable, match=words) as error, postgres_database.write() as connection:
        connection.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$"))
    assert error.value.worth_repeating is again


def test_a_mistake_in_a_statement_is_not_an_outage(database):
    with pytest.raises((ProgrammingError, OperationalError)), database.write() as connection:
        connection.execute(text("SELECT nothing FROM nowhere"))


# ------------------------------------------------------------------------------------------------------------ schema


@BOTH
def test_a_new_database_is_migrated_and_then_fits(kind, empty_database_url, open_database):
    url = empty_database_url(kind)
    with pytest.raises(SchemaMissing, match="run 'lockbridge migrate'"):
        check_schema(open_database(url))
    assert migrate(url) == known_revisions()
    check_schema(open_database(url))
    assert migrate(url) == []


def test_asking_for_the_schema_makes_no_file(tmp_path, open_database):
    assert schema_revision(open_database(f"sqlite:///{tmp_path}/x.sqlite3")) is None
    assert list(tmp_path.iterdir()) == []


@BOTH
def test_migrations_make_exactly_the_tables_of_the_program(kind, empty_database_url, open_database, make_tables):
    """Columns, types, keys, references and indexes with their conditions, as the database itself describes them."""
    migrated, declared = open_database(empty_database_url(kind)), empty_database_url(kind)
    migrate(migrated.url.render_as_string(hide_password=False))
    found = description(migrated)
    if kind == "sqlite":
        shutil.move(migrated.file, migrated.file.with_suffix(".old"))
        for rest in migrated.file.parent.glob("*-*"):
            rest.unlink()
        migrated.dispose()
    make_tables(declared)
    assert found == description(open_database(declared))


SQLITE_DESCRIPTION = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name <> 'alembic_version'"
POSTGRES_DESCRIPTION = """
SELECT 'column', table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL
SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
UNION ALL
SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass
"""


def description(database):
    with database.read() as connection:
        rows = connection.exec_driver_sql(
            SQLITE_DESCRIPTION if database.dialect == "sqlite" else POSTGRES_DESCRIPTION
        ).all()
    return {(kind, name): parts(sql) for kind, name, sql in rows}


def parts(sql):
    """The definition without regard to spacing, quotes and the order of columns and constraints."""
    return sorted(" ".join(part.replace('"', "").split()).rstrip(") ") for part in re.split(r",(?![^(]*\))\s*", sql))


@BOTH
def test_a_database_of_a_newer_version_is_refused_and_left_alone(kind, empty_database_url, open_database):
    url = empty_database_url(kind)
    migrate(url)
    database = open_database(url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for act in (lambda: check_schema(database), lambda: migrate(url)):
        with pytest.raises(SchemaNewer, match=r"newer version of lockbridge \(schema 9999"):
            act()
    assert schema_revision(database) == "9999"


def test_a_database_of_an_older_version_asks_for_migrate(database, monkeypatch):
    monkeypatch.setattr(module, "known_revisions", lambda: [*known_revisions(), "9999"])
    with pytest.raises(SchemaOlder, match="not yet 9999: run 'lockbridge migrate'"):
        check_schema(database)


BAD_MIGRATION = """
from alembic import op

revision = "9000"
down_revision = "{last}"

def upgrade():
    op.execute("CREATE TABLE half (a INTEGER)")
    op.execute("SELECT nothing FROM nowhere")
"""


@BOTH
def test_a_migration_that_fails_half_way_leaves_nothing(kind, empty_database_url, open_database, tmp_path, monkeypatch):
    copy = shutil.copytree(assets.migrations(), tmp_path / "assets")
    (copy / "versions" / "9000_bad.py").write_text(BAD_MIGRATION.format(last=known_revisions()[-1]))
    url = empty_database_url(kind)
    migrate(url)
    monkeypatch.setattr(assets, "migrations", lambda: copy)
    with pytest.raises((ProgrammingError, OperationalError)):
        migrate(url)
    database = open_database(url)
    with database.read() as connection:
        assert not sqlalchemy.inspect(connection).has_table("half")
    with pytest.raises(SchemaOlder):
        check_schema(database)


@BOTH
def test_processes_that_migrate_at_once_take_turns(kind, empty_database_url):
    url = empty_database_url(kind)
    script = f"from lockbridge.storage.database import migrate; print(len(migrate({url!r})))"
    both = [python(script), python(script)]
    assert sorted(process.communicate()[0] for process in both) == ["0\n", f"{len(known_revisions())}\n"]


def test_the_revisions_are_numbered_in_the_order_alembic_walks_them():
    config = Config()
    config.set_main_option("script_location", str(assets.migrations()))
    walked = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert walked == known_revisions()[::-1]


def test_the_tests_reach_this_machine_only():
    with (
        closing(socket.socket()) as outside,
        pytest.warns(UserWarning, match="tried to use"),
        pytest.raises(RuntimeError, match="tried to use"),
    ):
        outside.connect(("192.0.2.1", 443))
