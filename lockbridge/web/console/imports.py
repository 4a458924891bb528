"""Sheets in and out: upload, what is wrong with it, what it would do, and then the import with its progress."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection
from starlette.datastructures import UploadFile

from lockbridge.domain.ids import HostId
from lockbridge.services import Services
from lockbridge.storage import uploads
from lockbridge.storage.uploads import Upload
from lockbridge.web import sheets as files
from lockbridge.web.background import Progress
from lockbridge.web.console.previewing import context
from lockbridge.web.desk import Connecting, Desk, NotHere
from lockbridge.workflows import preview, sheets
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.ports import transact
from lockbridge.workflows.preview import Agreed
from lockbridge.workflows.sheets import COLUMNS, Checked, Good, Kind, Table

router = APIRouter()

PART = "properties"
MOST_FAULTS = 200


@router.get("/import")
async def show_import(desk: Connecting, kind: str = "") -> Response:
    """What can be imported and exported, and how a sheet has to look."""
    return _page(desk, kind)


def _page(desk: Desk, kind: str, error: str = "") -> Response:
    shown = {"part": PART, "sheets": COLUMNS, "kind": kind, "error": error, "most": files.MOST_ROWS}
    return desk.page("console/import/start.html", shown, status=422 if error else 200)


@router.post("/import")
async def upload(desk: Connecting) -> Response:
    """Take a sheet; what it says is shown before anything happens."""
    kind = desk.text("kind")
    try:
        name, table = await _uploaded(desk)
    except BadInput as error:
        return _page(desk, kind, str(error))
    found = Kind(kind) if kind in set(Kind) else sheets.kind_of(table.header)
    if found is None:
        return _page(desk, kind, "no column of the file is known here: see below how a sheet has to look")
    number = await sheets.keep(desk.services, desk.host, found, name, table, desk.now)
    return desk.go(f"{desk.base}/import/{number}")


async def _uploaded(desk: Desk) -> tuple[str, Table]:
    """The name of the file that was chosen, and what stands in it. Raises BadInput."""
    file = desk.form.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            msg = "choose a file first"
            raise BadInput(msg)
        body = await file.read(files.MOST_BYTES + 1)
        return file.filename[:100], await asyncio.to_thread(files.read, body)
    finally:
        await desk.form.close()


# ------------------------------------------------------------------------------------------------------------ one sheet


async def _kept(desk: Desk, number: int) -> Upload:
    found = await desk.services.database.ask(uploads.get, desk.services.vault, desk.host, number)
    if found is None:
        raise NotHere
    return found


async def _checked(tools: Services, host: HostId, kept: Upload) -> Checked:
    table = Table(kept.header, kept.rows)
    return await tools.database.ask(sheets.check, tools, host, Kind(kept.kind), table)


@router.get("/import/{number}")
async def show_sheet(desk: Connecting, number: int) -> Response:
    """What is wrong with a sheet, and what its good rows would do to every lock."""
    return await _sheet(desk, await _kept(desk, number))


async def _sheet(desk: Desk, kept: Upload, error: str = "") -> Response:
    checked = await _checked(desk.services, desk.host, kept)
    shown: dict[str, Any] = {
        "part": PART,
        "kept": kept,
        "checked": checked,
        "faults": checked.faults[:MOST_FAULTS],
        "error": error,
        "first": sheets.AT_ONCE,
        "found": None,
    }
    if checked.good:
        shown |= await _foreseen(desk, checked)
    return desk.page("console/import/sheet.html", shown, status=422 if error else 200)


async def _foreseen(desk: Desk, checked: Checked) -> Mapping[str, Any]:
    """What the rows that are imported in one go would do: of a longer sheet, the first ones."""
    some = Checked(checked.kind, checked.good[: sheets.AT_ONCE], [])
    counted: Counter[str] = Counter()
    change = sheets.importing(desk.host, some, desk.now, counted)
    found = await preview.preview(desk.services, desk.host, change, desk.now)
    return {**await context(desk, found), "counted": dict(counted)}


@router.post("/import/{number}")
async def start_import(desk: Connecting, number: int) -> Response:
    """Import the good rows, in the background."""
    kept = await _kept(desk, number)
    checked = await _checked(desk.services, desk.host, kept)
    if not checked.good:
        return await _sheet(desk, kept, "there is no row that can be imported: correct the sheet and choose it again")
    if checked.faults and not desk.checked("good"):
        return await _sheet(
            desk, kept, "nothing was imported: tick that the good rows are to be imported without the others"
        )
    agreed = Agreed(desk.text("draw"), desk.text("seen"))
    await desk.note(f"imported a sheet of {kept.kind}", f"{len(checked.good)} rows")
    title = f"Import of {kept.kind} ({len(checked.good)} rows)"
    work = _Import(desk, kept, len(checked.faults), agreed)
    task = await desk.site.background.start(desk.host, "import", title, desk.who, work)
    return desk.go(f"{desk.base}/tasks/{task}")


class _Import:
    """The work of an import: all of a short sheet as it was shown, a long one portion by portion."""

    def __init__(self, desk: Desk, kept: Upload, faulty: int, agreed: Agreed) -> None:
        self._tools, self._host, self._now = desk.services, desk.host, desk.now
        self._kept, self._faulty, self._agreed = kept, faulty, agreed

    async def __call__(self, progress: Progress) -> Mapping[str, Any]:
        """Import. Raises BadInput when the world has changed since the preview."""
        await progress.say("looking at the rows again")
        checked = await _checked(self._tools, self._host, self._kept)
        if len(checked.faults) != self._faulty:
            raise BadInput(_OTHERWISE)
        short = len(checked.good) <= sheets.AT_ONCE
        came = await self._at_once(checked, progress) if short else await self._in_chunks(checked, progress)
        await transact(self._tools, lambda c: uploads.drop(c, self._host, self._kept.id))
        return {"came": dict(came), "left_out": self._faulty, "kind": self._kept.kind}

    async def _at_once(self, checked: Checked, progress: Progress) -> Counter[str]:
        await progress.say("importing", 0, len(checked.good))
        counted: Counter[str] = Counter()
        change = sheets.importing(self._host, checked, self._now, counted)
        if await preview.carry_out(self._tools, self._host, change, self._agreed, self._now) is not None:
            raise BadInput(_OTHERWISE)
        return counted

    async def _in_chunks(self, checked: Checked, progress: Progress) -> Counter[str]:
        came: Counter[str] = Counter()
        for done, rows in enumerate(sheets.chunks(checked.good)):
            await progress.say("importing", done * sheets.CHUNK, len(checked.good))
            came += await transact(self._tools, partial(self._write, rows, checked.kind))
        return came

    def _write(self, rows: Sequence[Good], kind: Kind, connection: Connection) -> Counter[str]:
        return sheets.apply_in(connection, self._tools, self._host, kind, rows, self._now)


_OTHERWISE = (
    "nothing was imported: something has changed since the preview, so the sheet would do something else now; "
    "open the sheet again and look"
)


# ---------------------------------------------------------------------------------------------------------------- out


@router.get("/import/example/{kind}.{ending}")
async def example(_: Connecting, kind: str, ending: str) -> Response:
    """A sheet of one row that shows how it has to look."""
    return _file(sheets.example(_kind(kind)), f"example-{kind}", ending)


@router.get("/export/{kind}.{ending}")
async def export(desk: Connecting, kind: str, ending: str) -> Response:
    """Everything of a kind, without contacts and digits."""
    return await _exported(desk, _kind(kind), ending, private=False)


@router.post("/export/{kind}.{ending}")
async def export_private(desk: Connecting, kind: str, ending: str) -> Response:
    """The same; with contacts and digits for those who may see them and ticked the box. That is written down."""
    private = desk.checked("private") and desk.may("see_pins")
    return await _exported(desk, _kind(kind), ending, private=private)


async def _exported(desk: Desk, kind: Kind, ending: str, *, private: bool) -> Response:
    table = await desk.services.database.ask(sheets.export, desk.services, desk.host, kind, private=private)
    await desk.note(f"exported {kind} with contacts and codes" if private else f"exported {kind}")
    return await asyncio.to_thread(_file, table, f"{kind}-{desk.now:%Y-%m-%d}", ending)


def _kind(name: str) -> Kind:
    if name not in set(Kind):
        raise NotHere
    return Kind(name)


def _file(table: Table, name: str, ending: str) -> Response:
    if ending not in files.KINDS:
        raise NotHere
    headers = {"content-disposition": f'attachment; filename="{name}.{ending}"'}
    return Response(files.written(table, ending), media_type=files.KINDS[ending], headers=headers)
