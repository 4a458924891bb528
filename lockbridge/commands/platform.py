"""``lockbridge platform``: the booking platforms, and the addresses they send webhooks to."""

from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from lockbridge.commands.addresses import SecretEnvOption, SecretOption, given_secret, show_address
from lockbridge.commands.session import HostOption, JsonOption, run, the_host
from lockbridge.commands.show import as_json, table
from lockbridge.domain.ids import HostId
from lockbridge.platforms import PLATFORMS
from lockbridge.services import Services
from lockbridge.storage import hosts
from lockbridge.workflows import connect
from lockbridge.workflows.connect import Address, BadInput

app = typer.Typer(no_args_is_help=True)


@app.command("connect")
def connect_platform(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="PLATFORM", help="Which one, as `platform list` shows them.")],
    secret: SecretOption = False,
    secret_env: SecretEnvOption = None,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Make an address that a platform sends webhooks to. Address and secret are shown this once."""
    if key not in PLATFORMS:
        msg = f"{key!r} is no booking platform here: one of {', '.join(sorted(PLATFORMS))}"
        raise BadInput(msg)
    known = given_secret(PLATFORMS[key].title, secret_env, asked=secret)

    async def work(built: Services) -> Address:
        return await connect.add_address(built, await the_host(built, host), key, known, built.clock.now())

    show_address(context, PLATFORMS[key], run(context, work), given=bool(known), json=json)


@app.command("list")
def list_platforms(context: typer.Context, host: HostOption = None, json: JsonOption = False) -> None:
    """List the booking platforms there are, and a host's addresses for them."""

    async def work(built: Services) -> list[dict[str, Any]]:
        return await built.database.ask(_platforms, await the_host(built, host))

    rows = run(context, work)
    if json:
        as_json(rows)
    else:
        table(rows, empty="there are none")


def _platforms(connection: Connection, host: HostId) -> list[dict[str, Any]]:
    made = hosts.endpoints_of_host(connection, host)
    return [
        {
            "platform": each.key,
            "title": each.title,
            "addresses": [f"{endpoint} since {since:%Y-%m-%d}" for endpoint, key, since in made if key == each.key],
        }
        for each in PLATFORMS.values()
    ]
