"""``lockbridge lock-app``: the accounts that locks are reached through."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import typer

from lockbridge.bootstrap import lock_app_kinds
from lockbridge.capabilities import markdown
from lockbridge.commands.addresses import SecretEnvOption, SecretOption, given_secret, show_address
from lockbridge.commands.answers import fill_in, from_environment, pairs
from lockbridge.commands.session import HostOption, JsonOption, run, the_host
from lockbridge.commands.show import as_json, counted, say, table, working
from lockbridge.contract import ProviderSpec
from lockbridge.domain.ids import HostId, LockAppId
from lockbridge.inbound import Hook
from lockbridge.services import Services
from lockbridge.storage import hosts
from lockbridge.storage.hosts import LockAppRow
from lockbridge.storage.locks import LockRow
from lockbridge.workflows import connect
from lockbridge.workflows.connect import Address, BadInput

app = typer.Typer(no_args_is_help=True)
T = TypeVar("T")

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="An answer to the lock app's form. Others can see it: no secrets."
    ),
]
FromEnvironmentOption = Annotated[
    list[str] | None,
    typer.Option("--from-env", metavar="NAME=VARIABLE", help="An answer that an environment variable holds."),
]
AppArgument = Annotated[int, typer.Argument(metavar="LOCK-APP", help="Its number, as `lock-app list` shows it.")]


@app.command()
def kinds(json: JsonOption = False) -> None:
    """List the lock apps there are drivers for, and what each asks for."""
    rows = [
        {
            "lock app": spec.key,
            "title": spec.title,
            "asks for": [f"{field.name}{' (secret)' if field.secret else ''}" for field in spec.fields],
            "maturity": spec.maturity,
        }
        for spec in lock_app_kinds().values()
    ]
    if json:
        as_json(rows)
    else:
        table(rows, empty="there are none")


@app.command()
def matrix() -> None:
    """Print what every lock app can do, as docs/providers.md shows it."""
    typer.echo(markdown(lock_app_kinds()), nl=False)


@app.command()
def add(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="LOCK-APP", help="Which one, as `lock-app kinds` shows them.")],
    name: Annotated[str | None, typer.Argument(help="What you call the account.")] = None,
    given: SetOption = None,
    variables: FromEnvironmentOption = None,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Connect an account and list its locks. Nothing is stored when it does not let us in.

    A secret is asked for without showing it, or read from standard input, one line for each.
    """
    spec = _spec(kind)
    settings = fill_in(spec, {**pairs(given or [], "--set"), **from_environment(variables or [])})

    async def work(built: Services) -> tuple[LockAppId, list[LockRow]]:
        owner = await the_host(built, host)
        adding = connect.add_lock_app(built, owner, kind, name or spec.title, settings, built.clock.now())
        return await connect.in_time(adding, name or spec.title)

    with working(f"asking {spec.title} for its locks"):
        account, locks = run(context, work)
    if json:
        as_json({"lock_app": account, "locks": [_lock(row) for row in locks]})
        return
    say(f"connected lock app {account}, {name or spec.title}, with {counted(len(locks), 'lock')}:")
    table([_lock(row) for row in locks], empty="the account has no locks")


@app.command("list")
def list_apps(context: typer.Context, host: HostOption = None, json: JsonOption = False) -> None:
    """List a host's accounts, and whether they let us in."""

    async def work(built: Services) -> list[LockAppRow]:
        return await built.database.ask(hosts.lock_apps_of_host, built.vault, await the_host(built, host))

    rows = [
        {"lock-app": row.id, "name": row.name, "kind": row.provider, "state": row.state, "why": row.state_detail}
        for row in run(context, work)
    ]
    if json:
        as_json(rows)
    else:
        table(rows, empty="no lock app is connected yet: lockbridge lock-app add --help")


@app.command("test")
def try_account(
    context: typer.Context, account: AppArgument, host: HostOption = None, json: JsonOption = False
) -> None:
    """Ask an account for its locks now. One that answers counts as connected again."""

    async def work(built: Services) -> tuple[LockAppRow, list[LockRow]]:
        row = await _account(built, await the_host(built, host), account)
        return row, await connect.in_time(connect.sync_locks(built, row, built.clock.now()), row.name)

    with working("asking for the locks"):
        row, locks = run(context, work)
    offline = [lock.name for lock in locks if lock.online is False]
    if json:
        as_json({"lock_app": row.id, "locks": len(locks), "offline": offline})
    else:
        say(f"{row.name} answers: {counted(len(locks), 'lock')}{', offline: ' + ', '.join(offline) if offline else ''}")


@app.command()
def change(
    context: typer.Context,
    account: AppArgument,
    given: SetOption = None,
    variables: FromEnvironmentOption = None,
    secrets: Annotated[bool, typer.Option("--secrets", help="Ask for every secret anew.")] = False,
    host: HostOption = None,
) -> None:
    """Give an account another password or address. It stays as it was when that does not let us in."""
    new = {**pairs(given or [], "--set"), **from_environment(variables or [])}

    async def row_of(built: Services) -> LockAppRow:
        return await _account(built, await the_host(built, host), account)

    row = run(context, row_of)
    spec = _spec(row.provider)
    hidden = {field.name for field in spec.fields if field.secret and secrets}
    settings = fill_in(spec, new, {name: value for name, value in row.settings.items() if name not in hidden})

    async def work(built: Services) -> list[LockRow]:
        return await connect.in_time(connect.reconnect(built, row, settings, built.clock.now()), row.name)

    with working(f"asking {spec.title} for its locks"):
        locks = run(context, work)
    say(f"{row.name} is connected, with {counted(len(locks), 'lock')}")


@app.command()
def webhook(
    context: typer.Context,
    account: AppArgument,
    secret: SecretOption = False,
    secret_env: SecretEnvOption = None,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Make an address to which the lock app's cloud sends its webhooks. Address and secret are shown this once."""

    async def row_of(built: Services) -> LockAppRow:
        return await _account(built, await the_host(built, host), account)

    row = run(context, row_of)
    known = given_secret(row.name, secret_env, asked=secret)

    async def work(built: Services) -> tuple[Hook[Any], Address]:
        address = await connect.add_hook(built, row, known, built.clock.now())
        return built.accounts.hooks[row.provider], address

    show_address(context, *run(context, work), given=bool(known), json=json)


async def _account(built: Services, host: HostId, account: int) -> LockAppRow:
    every: Sequence[LockAppRow] = await built.database.ask(hosts.lock_apps_of_host, built.vault, host)
    row = next((row for row in every if row.id == account), None)
    if row is None:
        msg = f"this host has no lock app {account}: 'lockbridge lock-app list' shows them"
        raise BadInput(msg)
    return row


def _spec(kind: str) -> ProviderSpec:
    spec = lock_app_kinds().get(kind)
    if spec is None:
        msg = f"there is no driver for {kind!r}: one of {', '.join(sorted(lock_app_kinds()))}"
        raise BadInput(msg)
    return spec


def _lock(row: LockRow) -> dict[str, Any]:
    return {"lock": row.id, "name": row.name, "class": row.capabilities.lock_class.value, "online": row.online}
