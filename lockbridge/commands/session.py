"""What every command needs: the settings, services that are closed at the end, and which host is meant."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeVar

import sqlalchemy
import typer

from lockbridge import log
from lockbridge.bootstrap import open_database, services
from lockbridge.config import Settings, load
from lockbridge.domain.ids import HostId
from lockbridge.services import Services
from lockbridge.storage import hosts
from lockbridge.storage.database import Database, SchemaError, check_schema, migrate, schema_revision
from lockbridge.workflows.connect import BadInput

T = TypeVar("T")

HostOption = Annotated[
    int | None, typer.Option("--host", help="The host's number; may be left out while there is only one.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
RevealOption = Annotated[bool, typer.Option("--reveal", help="Show PINs and contacts instead of hiding them.")]


@dataclass
class Chosen:
    """The options that stand before the command."""

    settings_file: Path | None

    @cached_property
    def settings(self) -> Settings:
        """The settings, read when they are first needed. Raises ConfigError."""
        return load(self.settings_file)


def settings_of(context: typer.Context) -> Settings:
    """The settings a command works with. Raises ConfigError."""
    chosen: Chosen = context.obj
    return chosen.settings


def run(context: typer.Context, work: Callable[[Services], Awaitable[T]]) -> T:
    """Do the work with services from the settings. Raises whatever ``lockbridge.cli`` has an exit code for."""
    settings = settings_of(context)
    log.set_up("error", settings.log.format)
    return asyncio.run(_run(settings, work))


async def _run(settings: Settings, work: Callable[[Services], Awaitable[T]]) -> T:
    check_schema_of(settings)
    async with services(settings) as built:
        return await work(built)


def check_schema_of(settings: Settings) -> None:
    """Raises SchemaError unless the tables fit, StorageUnavailable when the database does not answer."""
    database = open_database(settings)
    try:
        check_schema(database)
    finally:
        database.dispose()


async def the_host(built: Services, host: int | None) -> HostId:
    """The host that is meant: the one that was named, or the only one. Raises BadInput."""
    known = await built.database.ask(hosts.all_hosts, built.vault)
    if host is None and len(known) == 1:
        return known[0].id
    if not known:
        msg = "there is no host yet: add one with 'lockbridge host add NAME EMAIL'"
        raise BadInput(msg)
    if host not in {row.id for row in known}:
        names = ", ".join(f"{row.id} {row.name}" for row in known[:10])
        msg = f"there is no host {host}" if host is not None else "there are several hosts"
        msg = f"{msg}: say which with --host ({names}{', …' if len(known) > 10 else ''})"  # noqa: PLR2004 - a line's worth
        raise BadInput(msg)
    return HostId(host)


def make_ready(settings: Settings, say: Callable[[str], None]) -> None:
    """On the very first run, make the SQLite database. A PostgreSQL database is left to ``lockbridge migrate``.

    Raises SchemaError, StorageUnavailable, OSError.
    """
    database = open_database(settings)
    try:
        if database.file is None or schema_revision(database) is not None:
            check_schema(database)
            return
        _refuse_strange(database)
    finally:
        database.dispose()
    database.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    migrate(settings.database.url)
    say(f"made a new database: {database.file}")
    if not settings.secrets.key.get_secret_value() and not settings.secrets.key_file.exists():
        say(f"its key will be in {settings.secrets.key_file}: keep a copy of it apart from the database")


def _refuse_strange(database: Database) -> None:
    if database.file is None or not database.file.exists():
        return
    with database.read() as connection:
        strange = sqlalchemy.inspect(connection).get_table_names()
    if strange:
        msg = f"the database {database.where} holds tables of another program ({strange[0]}): set database.url"
        raise SchemaError(msg)


def to_stderr(text: str) -> None:
    """Tell the person at the terminal without getting into what the command prints for programs."""
    typer.echo(text, err=True)


def instant(text: str, what: str) -> datetime:
    """An instant that somebody wrote, in UTC. Raises BadInput."""
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        written = None
    if written is None or written.tzinfo is None:
        msg = f"{text!r} is no instant for {what}: write it with its offset, like 2026-06-14T16:00+02:00"
        raise BadInput(msg)
    return written.astimezone(UTC)
