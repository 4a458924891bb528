"""A new webhook address: asking for the secret its sender signs with, and showing both this once."""

import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from lockbridge.commands.session import settings_of
from lockbridge.commands.show import as_json, say
from lockbridge.config import Settings
from lockbridge.inbound import Hook
from lockbridge.workflows.connect import Address, BadInput

SecretOption = Annotated[
    bool, typer.Option("--secret", help="Ask for the secret the sender signs with, instead of drawing one.")
]
SecretEnvOption = Annotated[
    str | None, typer.Option(metavar="VARIABLE", help="The environment variable that holds that secret.")
]


def given_secret(sender: str, variable: str | None, *, asked: bool) -> str | None:
    """The secret from the environment or the keyboard; None: draw one. Raises BadInput for an empty variable."""
    if variable is not None and not os.environ.get(variable):
        msg = f"the environment variable {variable} is empty or missing"
        raise BadInput(msg)
    if variable is not None:
        return os.environ[variable]
    if not asked:
        return None
    if sys.stdin.isatty():
        return str(typer.prompt(f"The secret {sender} signs with", hide_input=True))
    return sys.stdin.readline().strip() or None


def show_address(
    context: typer.Context,
    hook: Hook[Any],
    address: Address,
    *,
    given: bool,
    json: bool,
    also: Mapping[str, Any] | None = None,
) -> None:
    """Say where the sender is to post to, and what it signs with; ``also`` stands with it in JSON."""
    url = f"{base_url(settings_of(context))}/webhooks/{hook.key}/{address.token}"
    if json:
        as_json({"endpoint": address.id, "platform": hook.key, "url": url, "secret": address.secret, **(also or {})})
        return
    say("Keep both secret; they are not shown again.")
    say(f"  address  {url}")
    if not hook.secret_is_address:
        say(f"  secret   {'as you gave it' if given else address.secret}")
    say(hook.setup_help)


def base_url(settings: Settings) -> str:
    """How the internet reaches the server."""
    return settings.server.public_url or f"http://{settings.server.host}:{settings.server.port}"
