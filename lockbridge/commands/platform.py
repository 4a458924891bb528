"""``lockbridge platform``: the booking platforms, and the addresses they send webhooks to."""

import os
import sys
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from lockbridge.commands.session import HostOption, JsonOption, run, settings_of, the_host
from lockbridge.commands.show import as_json, say, table
from lockbridge.config import Settings
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
    secret: Annotated[
        bool, typer.Option("--secret", help="Ask for the secret the platform signs with, instead of drawing one.")
    ] = False,
    secret_env: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="The environment variable that holds that secret.")
    ] = None,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Make an address that a platform sends webhooks to. Address and secret are shown this once."""
    if key not in PLATFORMS:
        msg = f"{key!r} is no booking platform here: one of {', '.join(sorted(PLATFORMS))}"
        raise BadInput(msg)
    known = _secret(key, secret_env, asked=secret)

    async def work(built: Services) -> Address:
        return await connect.add_address(built, await the_host(built, host), key, known, built.clock.now())

    address = run(context, work)
    url = f"{base_url(settings_of(context))}/webhooks/{key}/{address.token}"
    if json:
        as_json({"endpoint": address.id, "platform": key, "url": url, "secret": address.secret})
        return
    say("Keep both secret; they are not shown again.")
    say(f"  address  {url}")
    say(f"  secret   {'as you gave it' if known else address.secret}")
    say(PLATFORMS[key].setup_help)


def _secret(key: str, variable: str | None, *, asked: bool) -> str | None:
    if variable is not None and not os.environ.get(variable):
        msg = f"the environment variable {variable} is empty or missing"
        raise BadInput(msg)
    if variable is not None:
        return os.environ[variable]
    if not asked:
        return None
    if sys.stdin.isatty():
        return str(typer.prompt(f"The secret {PLATFORMS[key].title} signs with", hide_input=True))
    return sys.stdin.readline().strip() or None


def base_url(settings: Settings) -> str:
    """How the internet reaches the server."""
    return settings.server.public_url or f"http://{settings.server.host}:{settings.server.port}"


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
