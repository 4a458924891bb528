"""``lockbridge keypad``: what somebody has to program at locks that have no connection."""

from typing import Annotated, Any

import typer

from lockbridge.commands.session import HostOption, JsonOption, run, the_host
from lockbridge.commands.show import as_json, say, table
from lockbridge.domain.ids import HostId, NoteId
from lockbridge.services import Services
from lockbridge.storage import notes
from lockbridge.storage.notes import NoteRow
from lockbridge.workflows import notebook
from lockbridge.workflows.connect import BadInput

app = typer.Typer(no_args_is_help=True)
HideOption = Annotated[bool, typer.Option("--hide", help="Show only the last two digits of the codes.")]


@app.command("list")
def list_work(
    context: typer.Context, hide: HideOption = False, host: HostOption = None, json: JsonOption = False
) -> None:
    """List what is to be programmed and taken off, the most urgent first. The codes are shown: they must be typed."""

    async def work(built: Services) -> list[NoteRow]:
        owner = await the_host(built, host)
        return await built.database.ask(notes.to_do, built.vault, owner)

    rows = [_shown(note, hide=hide) for note in run(context, work)]
    if json:
        as_json(rows)
    else:
        table(rows, empty="nothing is to be done at any keypad")


_TO_DO = {
    notes.TO_SET: "program",
    notes.TO_REMOVE: "take off",
    notes.UNWANTED: "take off if programmed: not wanted any more",
}


def _shown(note: NoteRow, *, hide: bool) -> dict[str, Any]:
    pin = note.pin and (note.pin.masked if hide else note.pin.digits)
    return {
        "number": note.id,
        "lock": note.lock_name,
        "do": _TO_DO[note.state],
        "code": pin,
        "name": note.name,
        "opens": note.window.starts if note.window else note.needed_at,
        "closes": note.window and note.window.ends,
    }


@app.command()
def done(
    context: typer.Context,
    numbers: Annotated[list[int], typer.Argument(metavar="NUMBER...", help="Which work, as `keypad list` shows it.")],
    host: HostOption = None,
) -> None:
    """Say that something was done: the code is at the keypad now, or off it. Guests are told only after that."""

    async def work(built: Services) -> None:
        owner = await the_host(built, host)
        for number in numbers:
            await _tick_off(built, owner, NoteId(number))

    run(context, work)


async def _tick_off(built: Services, owner: HostId, number: NoteId) -> None:
    note = await notebook.done(built, owner, number, built.clock.now())
    if note is None:
        msg = f"there is no work {number} to be done: `lockbridge keypad list` shows what there is"
        raise BadInput(msg)
    where = "at the keypad" if note.state == notes.TO_SET else "not at the keypad"
    say(f"noted: {note.name} is {where}")
