"""The key: made once, checked at every start, and replaced without losing anything."""

from pathlib import Path

import pytest

from lockbridge.bootstrap import vault_for
from lockbridge.clock import SystemClock
from lockbridge.config import load
from lockbridge.storage import keys
from lockbridge.storage.database import Database
from lockbridge.storage.tables import metadata
from lockbridge.storage.vault import KeyRing, create_key_file, read_key_file
from tests.commands.conftest import Command

FILE = Path("data/lockbridge.key")


def test_every_sealed_column_is_sealed_anew_with_the_rest():
    sealed = {(table.name, column.name) for table in metadata.tables.values() for column in table.columns
              if column.name.endswith("_sealed")}  # fmt: skip
    assert {(each.table.name, each.column) for each in keys.SEALED} == sealed


@pytest.mark.usefixtures("stored")
def test_only_a_new_database_has_its_key_made(lockbridge: Command):
    lockbridge("host", "add", "Ana", "ana@example.com")
    FILE.unlink()
    for command in (["host", "list"], ["host", "add", "Ben", "b@example.com"], ["serve"], ["worker"]):
        said = lockbridge(*command)
        assert said.code == 1
        assert "the key file data/lockbridge.key is missing" in said.err
    assert not FILE.exists()
    assert "is missing" in lockbridge("doctor").out


@pytest.mark.usefixtures("stored")
def test_the_key_of_another_database_is_found_at_start(lockbridge: Command):
    lockbridge("host", "add", "Ana", "ana@example.com")
    FILE.unlink()
    create_key_file(FILE)
    said = lockbridge("host", "list")
    assert said.code == 1
    assert "is not in the key ring" in said.err
    assert "from your copy" in said.err


@pytest.mark.usefixtures("stored")
def test_another_key_under_the_same_id_is_found_at_start(lockbridge: Command):
    lockbridge("host", "add", "Ana", "ana@example.com")
    ring = read_key_file(FILE)
    forged = KeyRing({ring.primary: bytes(32)}, ring.index_root)
    FILE.write_text(forged.text())
    said = lockbridge("host", "list")
    assert said.code == 1
    assert "is not the one this database was sealed with" in said.err


def test_a_key_file_that_others_can_read_is_refused(lockbridge: Command):
    lockbridge("host", "add", "Ana", "ana@example.com")
    FILE.chmod(0o644)
    assert "chmod 600" in lockbridge("host", "list").err


def test_a_key_in_the_environment_makes_no_file(lockbridge: Command, monkeypatch):
    monkeypatch.setenv("LOCKBRIDGE_SECRETS__KEY", "nonsense")
    said = lockbridge("host", "add", "Ana", "ana@example.com")
    assert (said.code, "is not the base64 of 32 bytes" in said.err) == (1, True)
    monkeypatch.setenv("LOCKBRIDGE_SECRETS__KEY", "q" * 43 + "=")
    assert lockbridge("host", "add", "Ana", "ana@example.com").code == 0
    assert not FILE.exists()
    said = lockbridge("key", "rotate", "--yes")
    assert (said.code, "a file of its own" in said.err) == (2, True)


def _reads_everything(lockbridge: Command) -> bool:
    return "ana@example.com" in lockbridge("host", "list").out and lockbridge("lock-app", "test", 1).code == 0


def test_a_rotated_key_seals_everything_anew_and_the_old_one_can_go(connected: Command):
    connected("platform", "connect", "generic")
    old = read_key_file(FILE)
    said = connected("key", "rotate", "--yes")
    assert said.code == 0, said.err
    ring = read_key_file(FILE)
    assert (len(ring.ids), ring.ids[1:], ring.index_root) == (2, old.ids, old.index_root)
    assert _reads_everything(connected)
    assert connected("key", "rotate", "--drop-old", "--yes").code == 0
    assert read_key_file(FILE).ids == ring.ids[:1]
    assert _reads_everything(connected)
    assert connected("code", "list", "--reveal").code == 0


def test_a_rotation_in_pages_leaves_nothing_behind(connected: Command, monkeypatch):
    monkeypatch.setattr("lockbridge.commands.key.PAGE", 1)
    connected("key", "rotate", "--yes")
    settings = load()
    database = Database(settings.database.url, read_threads=0)
    vault = vault_for(database, settings, SystemClock().now())
    with database.read() as connection:
        left = [
            row
            for sealed in keys.SEALED
            for *_, row in keys.sealed_page(connection, sealed, None, 1000)
            if vault.needs_rotation(row)
        ]
    database.dispose()
    assert not left


def test_a_rotation_asks_first_and_does_nothing_without_a_yes(lockbridge: Command):
    lockbridge("host", "add", "Ana", "ana@example.com")
    before = FILE.read_text()
    said = lockbridge("key", "rotate")
    assert (said.code, FILE.read_text()) == (1, before)
