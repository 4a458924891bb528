"""``lockbridge host``: who rents out properties."""

from typing import Annotated

import typer

from lockbridge.commands.session import JsonOption, make_ready, run, settings_of, to_stderr
from lockbridge.commands.show import as_json, say, table
from lockbridge.domain.ids import HostId
from lockbridge.services import Services
from lockbridge.storage import hosts
from lockbridge.storage.hosts import HostRow
from lockbridge.workflows import connect

app = typer.Typer(no_args_is_help=True)


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The host's name.")],
    email: Annotated[str, typer.Argument(help="Where alarms about locks and codes are sent.")],
    language: Annotated[str, typer.Option(help="The language of e-mails to the host.")] = "en",
    json: JsonOption = False,
) -> None:
    """Add a host. On the very first run this makes the SQLite database and the key."""

    async def work(built: Services) -> HostId:
        return await connect.add_host(built, name, email, built.clock.now(), language=language)

    make_ready(settings_of(context), to_stderr)
    host = run(context, work)
    if json:
        as_json({"host": host})
    else:
        say(f"added host {host}, {name}; now connect a lock app: lockbridge lock-app add --help")


@app.command("list")
def list_hosts(context: typer.Context, json: JsonOption = False) -> None:
    """List the hosts."""

    async def work(built: Services) -> list[HostRow]:
        return await built.database.ask(hosts.all_hosts, built.vault)

    rows = [
        {"host": row.id, "name": row.name, "e-mail": row.email, "language": row.language} for row in run(context, work)
    ]
    if json:
        as_json(rows)
    else:
        table(rows, empty="there is no host yet: lockbridge host add NAME EMAIL")
