"""``lockbridge host``: who rents out properties."""

from typing import Annotated

import typer

from lockbridge.commands.session import HostOption, JsonOption, make_ready, run, settings_of, the_host, to_stderr
from lockbridge.commands.show import as_json, say, table
from lockbridge.domain.ids import HostId
from lockbridge.services import Services
from lockbridge.storage import hosts
from lockbridge.storage.hosts import HostRow
from lockbridge.workflows import connect, host_mail
from lockbridge.workflows.connect import BadInput

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


@app.command()
def hook(
    context: typer.Context,
    url: Annotated[str | None, typer.Argument(help="Where webhooks are sent.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Send no more of them.")] = False,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Have alarms sent to a system of your own, too, as signed webhooks. The secret is shown this once."""
    if off == (url is not None):
        msg = "say where to, or --off"
        raise BadInput(msg)

    async def work(built: Services) -> str | None:
        return await host_mail.set_hook(built, await the_host(built, host), url)

    secret = run(context, work)
    if json:
        as_json({"secret": secret})
    elif secret is None:
        say("no more webhooks are sent")
    else:
        say(f"alarms are posted there, signed as Standard Webhooks say with this secret, shown only now:\n{secret}")
