"""Codes for people who work at a property (R42): listed, made, taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from lockbridge.domain.ids import CodeId, HostId, LockId
from lockbridge.domain.people import Right
from lockbridge.domain.placement import Placement
from lockbridge.domain.status import Shown, shown
from lockbridge.domain.stay import known_zone, to_utc
from lockbridge.storage import codes, hosts, locks
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.locks import LockRow
from lockbridge.web.desk import Desk, NotHere, RunningStays, Seeing, number_in
from lockbridge.workflows import staff
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.ports import Tools
from lockbridge.workflows.staff import NewStaffCode

router = APIRouter()

PART = {"part": "staff"}


@dataclass(frozen=True, slots=True)
class OnLock:
    """One staff code on one lock."""

    lock: LockRow
    placement: Placement
    shown: Shown


@dataclass(frozen=True, slots=True)
class StaffCode:
    """A staff code and the locks it is, or is to be, on. ``zone`` is that of the places it opens."""

    code: CodeId
    on: Sequence[OnLock]
    zone: str

    @property
    def placement(self) -> Placement:
        """What all its locks have in common: name, window, digits."""
        return self.on[0].placement

    @property
    def leaving(self) -> bool:
        """Whether it has been taken back and is coming off its locks."""
        return all(each.placement.ended is not None for each in self.on)


@router.get("/staff")
async def list_codes(desk: Seeing, show: int = 0) -> Response:
    """The host's staff codes. ``show`` reveals one, where one may."""
    found = await desk.services.database.ask(_of_host, desk.services, desk.host, desk.now)
    revealed = await _revealed(desk, found, show)
    return desk.page("console/staff_codes/list.html", {**PART, "codes": found, "revealed": revealed})


def _of_host(connection: Connection, tools: Tools, host: HostId, now: datetime) -> list[StaffCode]:
    placed = [item.placement for item in codes.staff_of_host(connection, tools.vault, host)]
    rows = locks.by_ids(connection, {placement.lock for placement in placed})
    zones = _zones_of_locks(connection, host)
    found: dict[CodeId, list[Placement]] = {}
    for placement in placed:
        found.setdefault(placement.code, []).append(placement)
    return [
        StaffCode(code, [OnLock(rows[one.lock], one, shown(one, now)) for one in each], zones.get(each[0].lock, "UTC"))
        for code, each in found.items()
    ]


def _zones_of_locks(connection: Connection, host: HostId) -> dict[LockId, str]:
    matched = hosts.matches_of_host(connection, host)
    places = hosts.properties(connection, {place for place, _ in matched})
    return {lock: places[place].zone for place, lock in matched}


async def _revealed(desk: Desk, found: Sequence[StaffCode], show: int) -> CodeId | None:
    if not show or not desk.may(Right.SEE_PINS) or show not in {each.code for each in found}:
        return None
    await desk.note("looked at the staff code", str(show))
    return CodeId(show)


# -- making one ----------------------------------------------------------------------------------------------


@router.get("/staff/new")
async def ask(desk: RunningStays) -> Response:
    """The form."""
    return await _form(desk, {})


async def _form(desk: Desk, typed: dict[str, Any], error: str = "", *, status: int = 200) -> Response:
    rows, places = await desk.services.database.ask(_choices, desk.host)
    zones = sorted({place.zone for place in places} | {"UTC"}, key=lambda zone: (zone == "UTC", zone))
    given = {"name": "", "starts": "", "ends": "", "zone": zones[0], "standing": False, "chosen": [], **typed}
    shown_ = {**PART, **given, "locks": rows, "zones": [(zone, zone) for zone in zones], "error": error}
    return desk.page("console/staff_codes/new.html", shown_, status=status)


def _choices(connection: Connection, host: HostId) -> tuple[list[LockRow], list[PropertyRow]]:
    rows = [row for row in locks.locks_of_host(connection, host) if not row.missing]
    return rows, hosts.properties_of_host(connection, host)


@router.post("/staff")
async def make(desk: RunningStays) -> Response:
    """Make a code, the same on all the chosen locks."""
    typed: dict[str, Any] = {
        **{name: desk.text(name) for name in ("name", "starts", "ends", "zone")},
        "standing": desk.checked("standing"),
        "chosen": desk.chosen("lock"),
    }
    try:
        code = await staff.add(desk.services, desk.host, _new(typed, desk.now), desk.now)
    except BadInput as error:
        return await _form(desk, typed, str(error), status=422)
    await desk.note("made a staff code for", typed["name"])
    said = "The code is made; within a minute it is on the locks that are due."
    return desk.go(f"{desk.base}/staff?show={code}" if desk.may(Right.SEE_PINS) else f"{desk.base}/staff", said)


def _new(typed: dict[str, Any], now: datetime) -> NewStaffCode:
    """The code as the form asks for it. Raises BadInput."""
    chosen = [LockId(number) for each in typed["chosen"] if (number := number_in(each))]
    if not chosen:
        msg = "no lock was chosen: tick at least one"
        raise BadInput(msg)
    starts = instant(typed["starts"], typed["zone"], "From") if typed["starts"] else now
    ends = instant(typed["ends"], typed["zone"], "Until", end=True) if typed["ends"] else None
    if ends is not None and typed["standing"]:
        msg = "a standing code has no end: give an end or tick “standing”, not both"
        raise BadInput(msg)
    return NewStaffCode(typed["name"], chosen, starts, ends, typed["standing"])


def instant(text: str, zone: str, what: str, *, end: bool = False) -> datetime:
    """The instant of a local time as a form gives it. Raises BadInput."""
    try:
        local = datetime.fromisoformat(text)
        if local.tzinfo is None and known_zone(zone):
            return to_utc(local.date(), local.time(), zone, end=end)
    except ValueError:
        pass
    msg = f"“{what}” is no date and time: write it like 2026-06-01 09:00, in a time zone of the list"
    raise BadInput(msg)


@router.post("/staff/{code}/revoke")
async def revoke(desk: RunningStays, code: int) -> Response:
    """Take the code back: it comes off all its locks now."""
    if not await staff.revoke(desk.services, desk.host, CodeId(code), desk.now):
        raise NotHere
    await desk.note("took back the staff code", str(code))
    return desk.go(f"{desk.base}/staff", "The code is taken back: it comes off its locks now.")
