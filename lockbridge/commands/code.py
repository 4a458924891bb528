"""``lockbridge code``: the codes on the locks."""

from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from lockbridge.commands.session import HostOption, JsonOption, RevealOption, run, the_host
from lockbridge.commands.show import as_json, table
from lockbridge.commands.stay import pin_text
from lockbridge.domain.ids import HostId, LockId
from lockbridge.domain.status import shown
from lockbridge.services import Services
from lockbridge.storage import codes, locks

app = typer.Typer(no_args_is_help=True)


@app.callback()
def code() -> None:
    """The codes on the locks."""


@app.command("list")
def list_codes(
    context: typer.Context,
    lock: Annotated[int | None, typer.Option(help="Only those on this lock.")] = None,
    reveal: RevealOption = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most this many.")] = 200,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """List a host's codes that are on locks or are to come, by when they open. Instants are UTC."""

    async def work(built: Services) -> list[dict[str, Any]]:
        owner, now = await the_host(built, host), built.clock.now()
        return await built.database.ask(_codes, built, owner, lock, limit, now, reveal)

    rows = run(context, work)
    if json:
        as_json(rows)
    else:
        table(rows, empty="there are no codes")


def _codes(
    connection: Connection,
    built: Services,
    host: HostId,
    lock: int | None,
    limit: int,
    now: datetime,
    reveal: bool,
) -> list[dict[str, Any]]:
    names = {row.id: row.name for row in locks.locks_of_host(connection, host)}
    wanted = None if lock is None else LockId(lock)
    found = [item.placement for item in codes.of_host(connection, built.vault, host, lock=wanted, limit=limit)]
    return [
        {
            "code": placement.code,
            "lock": names[placement.lock],
            "pin": pin_text(placement.pin, reveal=reveal),
            "name": placement.name,
            "kind": placement.kind.value,
            "opens": placement.window.starts,
            "closes": placement.window.ends,
            "status": shown(placement, now).status.value,
            "reason": shown(placement, now).reason,
        }
        for placement in found
    ]
