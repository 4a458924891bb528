"""``lockbridge staff``: codes for people who work at a property (R42)."""

from typing import Annotated

import typer

from lockbridge.commands.session import HostOption, JsonOption, instant, run, the_host
from lockbridge.commands.show import as_json, say
from lockbridge.domain.code import Pin
from lockbridge.domain.ids import CodeId, LockId
from lockbridge.services import Services
from lockbridge.storage import codes
from lockbridge.workflows import staff
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.staff import NewStaffCode

app = typer.Typer(no_args_is_help=True)


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose code it is; the locks show it where they keep names.")],
    lock: Annotated[list[int], typer.Option(help="A lock it opens. May be given again.")],
    starts: Annotated[
        str | None, typer.Option("--from", metavar="INSTANT", help="When it opens; now, if left out.")
    ] = None,
    ends: Annotated[
        str | None, typer.Option("--until", metavar="INSTANT", help="When it closes; a year later, if left out.")
    ] = None,
    standing: Annotated[bool, typer.Option("--standing", help="It has no end.")] = False,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Make a code for somebody who works there, the same on all these locks. The PIN is shown this once."""
    closes = instant(ends, "--until") if ends else None
    if closes is not None and standing:
        msg = "a standing code has no end: give --until or --standing, not both"
        raise BadInput(msg)

    async def work(built: Services) -> tuple[CodeId, Pin | None]:
        now = built.clock.now()
        opens = instant(starts, "--from") if starts else now
        new = NewStaffCode(name, [LockId(each) for each in lock], opens, closes, standing)
        made = await staff.add(built, await the_host(built, host), new, now)
        rows = await built.database.ask(codes.by_ids, built.vault, [made])
        return made, rows[made].pin

    made, pin = run(context, work)
    digits = pin.digits if pin else None
    if json:
        as_json({"code": made, "pin": digits})
    else:
        say(f"made code {made} for {name}: {digits}; the worker puts it on the locks")


@app.command()
def revoke(
    context: typer.Context,
    code: Annotated[int, typer.Argument(metavar="CODE", help="Its number, as `code list` shows it.")],
    host: HostOption = None,
) -> None:
    """Take a staff code off its locks now."""

    async def work(built: Services) -> bool:
        return await staff.revoke(built, await the_host(built, host), CodeId(code), built.clock.now())

    if not run(context, work):
        msg = f"this host has no code {code} on a lock: 'lockbridge code list' shows them"
        raise BadInput(msg)
    say(f"code {code} comes off its locks; the worker does it")
