"""``lockbridge person``: who signs in to the console, and the operator's support."""

import os
import sys
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from lockbridge.commands.session import HostOption, JsonOption, run, the_host
from lockbridge.commands.show import as_json, say, table
from lockbridge.domain.ids import HostId, PersonId
from lockbridge.domain.people import Role
from lockbridge.services import Services
from lockbridge.storage import people
from lockbridge.storage.vault import Vault
from lockbridge.workflows import account, sign_in
from lockbridge.workflows import people as working
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.sign_in import FirstOwner

app = typer.Typer(no_args_is_help=True)

EmailArgument = Annotated[str, typer.Argument(help="With which they sign in.")]
PasswordEnvOption = Annotated[
    str | None, typer.Option(metavar="VARIABLE", help="The environment variable that holds the password.")
]


def given_password(variable: str | None) -> str:
    """The password from the environment, the keyboard (without echo, twice), or a line of standard input.

    Raises BadInput when there is none.
    """
    if variable is not None:
        found = os.environ.get(variable, "")
    elif sys.stdin.isatty():
        found = str(typer.prompt("Their password", hide_input=True, confirmation_prompt=True))
    else:
        found = sys.stdin.readline().rstrip("\r\n")
    if not found:
        where = f"the environment variable {variable}" if variable is not None else "standard input"
        msg = f"there is no password in {where}: put one there, or use --password-env VARIABLE"
        raise BadInput(msg)
    return found


@app.command()
def add(
    context: typer.Context,
    email: EmailArgument,
    name: Annotated[str, typer.Argument(help="What they are called.")],
    role: Annotated[str, typer.Option(help="owner, manager or staff of the host.")] = "manager",
    support: Annotated[
        bool, typer.Option("--support", help="Of no host: the operator's support, across hosts.")
    ] = False,
    password_env: PasswordEnvOption = None,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Add somebody who signs in with a password. It is asked for without showing it."""
    wanted = Role.SUPPORT if support else working.member_role(role)
    new = FirstOwner("", name, email, given_password(password_env))

    async def work(built: Services) -> PersonId:
        at = HostId(0) if support else await the_host(built, host)
        return await sign_in.add_person(built, at, new, wanted, built.clock.now())

    number = run(context, work)
    if json:
        as_json({"person": number, "role": wanted.value})
    else:
        say(f"added person {number}, {name}, as {wanted.value}")


@app.command("list")
def list_people(context: typer.Context, json: JsonOption = False) -> None:
    """List who signs in, and for which hosts they work."""

    async def work(built: Services) -> list[dict[str, Any]]:
        return await built.database.ask(_everybody, built.vault)

    rows = run(context, work)
    if json:
        as_json(rows)
    else:
        table(rows, empty="nobody signs in yet: lockbridge person add --help, or open the link that serve prints")


def _everybody(connection: Connection, vault: Vault) -> list[dict[str, Any]]:
    return [
        {
            "person": row.id,
            "name": row.name,
            "e-mail": row.email,
            "works for": [f"{place.host} {place.name} ({place.role.value})" for place in places],
            "support": row.is_support,
            "one-time codes": row.totp is not None,
        }
        for row, places in people.all_people(connection, vault)
    ]


@app.command()
def support(
    context: typer.Context,
    email: EmailArgument,
    off: Annotated[bool, typer.Option("--off", help="They are support no more.")] = False,
) -> None:
    """Make somebody who signs in already the operator's support, across hosts; or take that away."""

    async def work(built: Services) -> None:
        await account.set_support(built, email, is_support=not off)

    run(context, work)
    say(f"{email} is support {'no more' if off else 'now, across all hosts'}")


@app.command()
def recover(context: typer.Context, email: EmailArgument, password_env: PasswordEnvOption = None) -> None:
    """Let somebody in again who has lost password and phone: a new password, no one-time codes, no session left."""
    password = given_password(password_env)

    async def work(built: Services) -> None:
        await account.recover(built, email, password, built.clock.now())

    run(context, work)
    say(f"{email} signs in with the new password now, without one-time codes")
