"""``lockbridge platform``: where stays come from – booking platforms, calendar feeds, and their webhooks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from lockbridge.capabilities import platforms_markdown
from lockbridge.commands.addresses import SecretEnvOption, SecretOption, given_secret, show_address
from lockbridge.commands.answers import fill_in, from_environment, pairs
from lockbridge.commands.session import HostOption, JsonOption, run, the_host
from lockbridge.commands.show import as_json, counted, say, table, working
from lockbridge.domain.ids import HostId, PropertyId
from lockbridge.inbound import Hook
from lockbridge.platforms import PLATFORMS
from lockbridge.platforms.contract import Event, FoundProperty, Platform
from lockbridge.services import Services
from lockbridge.storage import hosts, sources
from lockbridge.storage.sources import SourceRow
from lockbridge.storage.vault import Vault
from lockbridge.workflows import connect
from lockbridge.workflows import sources as connecting
from lockbridge.workflows.connect import Address, BadInput
from lockbridge.workflows.sources import ConnectedAccount, ConnectedFeed

app = typer.Typer(no_args_is_help=True)

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="An answer to the form. Others can see it: no secrets."),
]
FromEnvironmentOption = Annotated[
    list[str] | None,
    typer.Option("--from-env", metavar="NAME=VARIABLE", help="An answer that an environment variable holds."),
]
SourceArgument = Annotated[int, typer.Argument(metavar="SOURCE", help="Its number, as `platform list` shows it.")]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a host asks to be connected."""

    platform: Platform
    name: str
    settings: dict[str, str]
    secret: str | None
    property: int | None


@app.command("connect")
def connect_platform(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="PLATFORM", help="Which one, as `platform kinds` shows them.")],
    name: Annotated[str | None, typer.Argument(help="What you call the account or calendar.")] = None,
    given: SetOption = None,
    variables: FromEnvironmentOption = None,
    place: Annotated[
        int | None,
        typer.Option("--property", metavar="NUMBER", help="A calendar's property, as `property list` has it."),
    ] = None,
    secret: SecretOption = False,
    secret_env: SecretEnvOption = None,
    webhooks_only: Annotated[
        bool, typer.Option("--webhooks-only", help="Make a webhook address without connecting the account's API.")
    ] = False,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Connect a booking platform or a calendar, and make the address its webhooks go to (shown this once).

    Nothing is stored when it does not let us in.
    """
    platform = _platform(key)
    answers = {**pairs(given or [], "--set"), **from_environment(variables or [])}
    with_account = bool(platform.fields) and not webhooks_only
    settings = fill_in(platform, answers) if with_account else {}
    known = _usable(platform.hook, given_secret(platform.title, secret_env, asked=secret)) if platform.hook else None
    wanted = _Wanted(platform, name or platform.title, settings, known, place)
    if platform.feed is not None:
        _connect_feed(context, wanted, host, json=json)
    elif with_account and platform.connect is not None:
        _connect_account(context, wanted, host, json=json)
    else:
        _address_only(context, wanted, host, json=json)


def _usable(hook: Hook[Event], secret: str | None) -> str | None:
    """The secret, before anything is stored for it. Raises BadInput."""
    if secret is not None and (problem := hook.secret_problem(secret)):
        msg = f"the secret cannot be used: {problem}"
        raise BadInput(msg)
    return secret


def _platform(key: str) -> Platform:
    if key not in PLATFORMS:
        msg = f"{key!r} is no booking platform here: one of {', '.join(sorted(PLATFORMS))}"
        raise BadInput(msg)
    return PLATFORMS[key]


def _connect_account(context: typer.Context, wanted: _Wanted, host: int | None, *, json: bool) -> None:
    async def work(built: Services) -> tuple[ConnectedAccount, Address | None]:
        owner, now, key = await the_host(built, host), built.clock.now(), wanted.platform.key
        made = await connecting.connect_account(built, owner, key, wanted.name, wanted.settings, now)
        if wanted.platform.hook is None:
            return made, None
        return made, await connect.add_address(built, owner, key, wanted.secret, now, source=made.source.id)

    with working(f"asking {wanted.platform.title} for its properties"):
        made, address = run(context, work)
    if not json:
        shown = counted(len(made.properties), "property", "properties")
        say(f"connected source {made.source.id}, {wanted.name}, with {shown}:")
        table([_found(each) for each in made.properties], empty="the account has no properties")
        say(f"Tell lockbridge which of yours each is: lockbridge property add … --ref {wanted.platform.key}:NUMBER")
    if address is not None and wanted.platform.hook is not None:
        also = {"source": made.source.id, "properties": [_found(each) for each in made.properties]}
        _show(context, wanted.platform.hook, address, wanted, json=json, also=also)


def _connect_feed(context: typer.Context, wanted: _Wanted, host: int | None, *, json: bool) -> None:
    if wanted.property is None:
        msg = "a calendar belongs to a property: say which with --property NUMBER (`lockbridge property list`)"
        raise BadInput(msg)
    place = PropertyId(wanted.property)

    async def work(built: Services) -> ConnectedFeed:
        owner, now = await the_host(built, host), built.clock.now()
        return await connecting.connect_feed(
            built, owner, wanted.platform.key, place, wanted.name, wanted.settings, now
        )

    with working("reading the calendar"):
        made = run(context, work)
    if json:
        as_json({"source": made.source.id, "stays": len(made.read.events), "publisher": made.read.publisher})
        return
    say(f"connected source {made.source.id}, {wanted.name}: {counted(len(made.read.events), 'entry', 'entries')}")
    for remark in made.read.remarks:
        say(f"  {remark}")
    if not made.read.unattended:
        say(
            "This calendar does not tell bookings from closed days, so no code is made by itself: look at its stays "
            "with `lockbridge stay list` and confirm those that are bookings with `lockbridge stay confirm STAY`."
        )


def _address_only(context: typer.Context, wanted: _Wanted, host: int | None, *, json: bool) -> None:
    hook = wanted.platform.hook
    if hook is None:
        msg = f"{wanted.platform.title} sends no webhooks: connect its account"
        raise BadInput(msg)
    if hook.secret_is_address:
        msg = f"{wanted.platform.title} signs nothing, so its webhooks are only hints: connect its account, too"
        raise BadInput(msg)

    async def work(built: Services) -> Address:
        owner = await the_host(built, host)
        return await connect.add_address(built, owner, wanted.platform.key, wanted.secret, built.clock.now())

    _show(context, hook, run(context, work), wanted, json=json)


def _show(
    context: typer.Context,
    hook: Hook[Event],
    address: Address,
    wanted: _Wanted,
    *,
    json: bool,
    also: Mapping[str, Any] | None = None,
) -> None:
    show_address(context, hook, address, given=bool(wanted.secret), json=json, also=also)


def _found(found: FoundProperty) -> dict[str, Any]:
    return {
        "number": found.ref,
        "name": found.name,
        "zone": found.zone,
        "check-in": found.check_in and f"{found.check_in:%H:%M}",
    }


@app.command()
def kinds(json: JsonOption = False) -> None:
    """List the booking platforms there are, what each asks for and what it can do."""
    rows = [_kind(platform) for platform in PLATFORMS.values()]
    if json:
        as_json(rows)
    else:
        table(rows, empty="there are none")


@app.command()
def matrix() -> None:
    """Print what every booking platform can do, as docs/platforms.md shows it."""
    typer.echo(platforms_markdown(PLATFORMS), nl=False)


def _kind(platform: Platform) -> dict[str, Any]:
    ways = [("webhooks", platform.hook), ("API", platform.connect), ("calendar", platform.feed)]
    return {
        "platform": platform.key,
        "title": platform.title,
        "by": [name for name, way in ways if way is not None],
        "asks for": [f"{field.name}{' (secret)' if field.secret else ''}" for field in platform.fields],
        "takes the code": platform.writes_codes,
        "messages": platform.sends_messages,
    }


@app.command("list")
def list_platforms(context: typer.Context, host: HostOption = None, json: JsonOption = False) -> None:
    """List where a host's stays come from, and the addresses made for webhooks."""

    async def work(built: Services) -> list[dict[str, Any]]:
        return await built.database.ask(_connected, built.vault, await the_host(built, host))

    rows = run(context, work)
    if json:
        as_json(rows)
    else:
        table(rows, empty="nothing is connected yet: lockbridge platform kinds, lockbridge platform connect --help")


def _connected(connection: Connection, vault: Vault, host: HostId) -> list[dict[str, Any]]:
    rows = [_source(row) for row in sources.of_host(connection, vault, host)]
    made = hosts.endpoints_of_host(connection, host)
    return rows + [
        {"source": None, "platform": key, "name": f"webhook address {endpoint}", "state": f"since {since:%Y-%m-%d}"}
        for endpoint, key, since in made
    ]


def _source(row: SourceRow) -> dict[str, Any]:
    read = f"{row.read_at:%Y-%m-%d %H:%M} UTC" if row.read_at else None
    state = {"source": row.id, "platform": row.platform, "name": row.name, "state": row.state}
    return state | {"last read": read, "why": row.state_detail}


@app.command()
def properties(
    context: typer.Context, number: SourceArgument, host: HostOption = None, json: JsonOption = False
) -> None:
    """Ask an account for its properties now: also how to see whether it lets us in."""

    async def work(built: Services) -> Sequence[FoundProperty]:
        row = await connecting.source_of(built, await the_host(built, host), number)
        return await connecting.reconnect(built, row, row.settings, built.clock.now())

    with working("asking for the properties"):
        rows = [_found(each) for each in run(context, work)]
    if json:
        as_json(rows)
    else:
        table(rows, empty="it answers, and shows no properties")


@app.command()
def reconnect(
    context: typer.Context,
    number: SourceArgument,
    given: SetOption = None,
    variables: FromEnvironmentOption = None,
    secrets: Annotated[bool, typer.Option("--secrets", help="Ask for every secret anew.")] = False,
    host: HostOption = None,
) -> None:
    """Give a source another password or address. It stays as it was when that does not let us in."""
    new = {**pairs(given or [], "--set"), **from_environment(variables or [])}

    async def row_of(built: Services) -> SourceRow:
        return await connecting.source_of(built, await the_host(built, host), number)

    row = run(context, row_of)
    platform = _platform(row.platform)
    hidden = {field.name for field in platform.fields if field.secret and secrets}
    settings = fill_in(platform, new, {name: value for name, value in row.settings.items() if name not in hidden})

    async def work(built: Services) -> None:
        await connecting.reconnect(built, row, settings, built.clock.now())

    with working(f"asking {platform.title}"):
        run(context, work)
    say(f"{row.name} is connected")


@app.command()
def sync(
    context: typer.Context,
    number: SourceArgument,
    whole: Annotated[bool, typer.Option("--whole", help="Read everything, not only what has changed.")] = False,
    host: HostOption = None,
) -> None:
    """Have a source read at once, by whichever process runs the worker."""

    async def work(built: Services) -> SourceRow:
        row = await connecting.source_of(built, await the_host(built, host), number)
        await connecting.read_soon(built, row, built.clock.now(), whole=whole)
        return row

    say(f"{run(context, work).name} is read with the worker's next tick: `lockbridge platform list` shows when")
