"""``lockbridge key``: the key that PINs, credentials and phone numbers are encrypted with."""

import asyncio
from functools import partial
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from lockbridge.bootstrap import open_database, vault_for
from lockbridge.clock import SystemClock
from lockbridge.commands.session import settings_of
from lockbridge.commands.show import say, working
from lockbridge.config import Settings
from lockbridge.storage import keys
from lockbridge.storage.commit import InlineCommit
from lockbridge.storage.database import Database
from lockbridge.storage.keys import Sealed
from lockbridge.storage.vault import Vault, replace_key_file
from lockbridge.workflows.connect import BadInput

app = typer.Typer(no_args_is_help=True)
PAGE = 500


@app.callback()
def key() -> None:
    """The key that PINs, credentials and phone numbers are encrypted with."""


@app.command()
def rotate(
    context: typer.Context,
    drop_old: Annotated[
        bool,
        typer.Option("--drop-old", help="Make no new key; take the older ones, no longer needed, out of the file."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether the other processes are stopped.")] = False,
) -> None:
    """Make a new key and encrypt everything anew with it. Stop `serve` and `worker` before, start them afterwards.

    It can be repeated when it was cut off. The older keys stay in the file until --drop-old.
    """
    settings = settings_of(context)
    if settings.secrets.key.get_secret_value():
        msg = (
            "the key comes from secrets.key, which this command cannot change: put it into a file of its own "
            "(secrets.key_file) and remove the setting"
        )
        raise BadInput(msg)
    if not yes:
        typer.confirm("Are 'lockbridge serve' and 'lockbridge worker' stopped everywhere?", abort=True)
    asyncio.run(_rotate(settings, drop_old=drop_old))


async def _rotate(settings: Settings, *, drop_old: bool) -> None:
    database, now = open_database(settings), SystemClock().now()
    vault = vault_for(database, settings, now)
    file = settings.secrets.key_file
    try:
        if not drop_old:
            vault = Vault(vault.ring.rotated())
            replace_key_file(file, vault.ring)
            vault = vault_for(database, settings, now)
            say(f"{file} has a new key, {vault.ring.ids[0]}: make a new copy of the file")
        with working("encrypting everything anew"):
            changed = await _reseal_all(database, vault)
        say(f"{changed} values were encrypted anew")
        if drop_old:
            with database.write() as connection:
                keys.forget_other_keys(connection, vault)
            replace_key_file(file, vault.ring.only_primary())
            say(f"{file} has one key now, {vault.ring.ids[0]}; older copies of the database need older copies of it")
    finally:
        database.dispose()


async def _reseal_all(database: Database, vault: Vault) -> int:
    commit = InlineCommit(database)
    try:
        return sum([await _reseal(database, commit, vault, sealed) for sealed in keys.SEALED])
    finally:
        await commit.close()


async def _reseal(database: Database, commit: InlineCommit, vault: Vault, sealed: Sealed) -> int:
    changed, after = 0, None
    while page := await database.ask(keys.sealed_page, sealed, after, PAGE):
        changed += await commit.write(partial(_step, vault, sealed), page)
        after = page[-1][:-1]
    return changed


def _step(vault: Vault, sealed: Sealed, connection: Connection, pages: Any) -> list[int]:
    return [keys.reseal(connection, vault, sealed, page) for page in pages]
