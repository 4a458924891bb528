"""``lockbridge inbox``: the webhooks that came in."""

from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from lockbridge.commands.session import HostOption, JsonOption, instant, run, the_host
from lockbridge.commands.show import as_json, counted, say, table
from lockbridge.domain.ids import DeliveryId, HostId
from lockbridge.services import Services
from lockbridge.storage import inbox
from lockbridge.workflows import receive
from lockbridge.workflows.connect import BadInput

app = typer.Typer(no_args_is_help=True)
STATES = ("waiting", "done", "ignored", "dead")


@app.command("list")
def list_deliveries(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help=f"Only those that are {', '.join(STATES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many.")] = 50,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """List a host's webhooks, newest first, and what became of them. Dead ones were given up."""
    if state is not None and state not in STATES:
        msg = f"--state {state!r}: a webhook is {', '.join(STATES)}"
        raise BadInput(msg)

    async def work(built: Services) -> list[dict[str, Any]]:
        return await built.database.ask(_deliveries, built, await the_host(built, host), state, limit)

    rows = run(context, work)
    if json:
        as_json(rows)
    else:
        table(rows, empty="there are none")


def _deliveries(
    connection: Connection, built: Services, host: HostId, state: str | None, limit: int
) -> list[dict[str, Any]]:
    return [
        {
            "delivery": row.id,
            "received": row.received_at,
            "platform": row.platform,
            "state": row.state,
            "attempts": row.attempts,
            "bytes": len(row.body),
            "trouble": row.error,
        }
        for row in inbox.of_host(connection, built.vault, host, state=state, limit=limit)
    ]


@app.command()
def replay(
    context: typer.Context,
    delivery: Annotated[int | None, typer.Argument(metavar="DELIVERY", help="One, by its number.")] = None,
    since: Annotated[str | None, typer.Option(metavar="INSTANT", help="All that came since then.")] = None,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Have webhooks read again: one, all since an instant, or – neither given – all dead ones. That is harmless."""
    if delivery is not None and since is not None:
        msg = "give the number of a webhook or --since, not both"
        raise BadInput(msg)
    after = instant(since, "--since") if since else None

    async def work(built: Services) -> int:
        owner, one = await the_host(built, host), None if delivery is None else DeliveryId(delivery)
        return await receive.replay(built, owner, built.clock.now(), delivery=one, since=after)

    count = run(context, work)
    if delivery is not None and not count:
        msg = f"this host has no webhook {delivery}: 'lockbridge inbox list' shows them"
        raise BadInput(msg)
    if json:
        as_json({"replayed": count})
    else:
        say(f"{counted(count, 'webhook')} to be read again by the worker" if count else "none is to be read again")
