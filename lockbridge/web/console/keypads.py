"""Keypads without connection: what somebody has to program or take off, and saying that it is done."""

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.domain.ids import NoteId
from lockbridge.domain.people import Right
from lockbridge.storage import notes
from lockbridge.web.desk import AtKeypad, NotHere
from lockbridge.workflows import notebook

router = APIRouter()

TO_DO = {
    notes.TO_SET: "program",
    notes.TO_REMOVE: "take off",
    notes.UNWANTED: "take off, if you programmed it",
}
DONE = {
    notes.TO_SET: "noted as programmed: its guest may be told now.",
    notes.TO_REMOVE: "noted as taken off.",
    notes.UNWANTED: "noted as not at the keypad.",
}


@router.get("/keypads")
async def work(desk: AtKeypad, show: int = 0) -> Response:
    """What is to be done, the most urgent first; digits for those who may see them and ask, which is written down."""
    found = await desk.services.database.ask(notes.to_do, desk.services.vault, desk.host)
    shown = bool(show and found) and desk.may(Right.SEE_PINS)
    if shown:
        await desk.note("looked at the codes to be typed at", f"{len({note.lock for note in found})} keypads")
    return desk.page("console/locks/keypads.html", {"part": "locks", "work": found, "show": shown, "to_do": TO_DO})


@router.post("/keypads/{note}/done")
async def done(desk: AtKeypad, note: int) -> Response:
    """A person says that it is done."""
    row = await notebook.done(desk.services, desk.host, NoteId(note), desk.now)
    if row is None:
        raise NotHere
    await desk.note(f"said “{TO_DO[row.state]}” is done", f"keypad work {note}")
    shown = "?show=1" if desk.checked("show") else ""
    return desk.go(f"{desk.base}/keypads{shown}", f"{row.name}: {DONE[row.state]}")
