"""Properties: what is rented, how its codes are made, which doors open it in which order, how platforms name it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, LockId, PropertyId
from lockbridge.domain.settings import CodeSettings
from lockbridge.domain.stay import to_local
from lockbridge.storage import hosts, locks, stays
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.locks import LockRow
from lockbridge.web.console.previewing import Proposal, decide
from lockbridge.web.desk import Connecting, Desk, NotHere, Seeing
from lockbridge.workflows import properties
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.properties import BadField

router = APIRouter()

PART = "properties"
PAGE = 50
SETTINGS = tuple(CodeSettings.__dataclass_fields__)
USUAL = {"name": "", "zone": "", "country": "", "check_in": "16:00", "check_out": "11:00"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A property as the list shows it."""

    row: PropertyRow
    doors: Sequence[LockRow]
    coming: int
    first: date | None


def listed(connection: Connection, host: HostId, wanted: str, today: date) -> list[Listed]:
    """The properties of a host whose name contains what is wanted, with their locks in the order of the doors."""
    rows = {row.id: row for row in locks.locks_of_host(connection, host)}
    doors: dict[PropertyId, list[LockRow]] = {}
    for place, lock in hosts.matches_of_host(connection, host):
        doors.setdefault(place, []).append(rows[lock])
    booked = stays.coming(connection, host, today)
    return [
        Listed(row, doors.get(row.id, []), *booked.get(row.id, (0, None)))
        for row in hosts.properties_of_host(connection, host)
        if wanted.casefold() in row.name.casefold()
    ]


def key_of(text: str) -> int:
    """The number of something, as a form tells it. Raises NotHere for what cannot be one."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):  # noqa: PLR2004 - the digits of a key
        raise NotHere
    return int(text)


@router.get("/properties")
async def list_properties(desk: Seeing, q: str = "", after: int = 0) -> Response:
    """All properties by name, a page at a time."""
    found = await desk.services.database.ask(listed, desk.host, q.strip(), to_local(desk.now, "UTC").date())
    start = max(0, min(after, len(found)))
    page = found[start : start + PAGE]
    shown = {"part": PART, "found": page, "q": q, "count": len(found), "start": start, "size": PAGE}
    return desk.page("console/properties/list.html", shown)


@router.get("/properties/new")
async def new_property(desk: Connecting) -> Response:
    """The form for another property; its zone is that of the one added last."""
    rows = await desk.services.database.ask(hosts.properties_of_host, desk.host)
    zone = max(rows, key=lambda row: row.id).zone if rows else ""
    country = max(rows, key=lambda row: row.id).country if rows else ""
    return _new(desk, USUAL | {"zone": zone, "country": country or ""})


def _new(desk: Desk, values: Mapping[str, str], error: BadInput | None = None) -> Response:
    shown = {"part": PART, "values": values, "zones": properties.zones(), **_told(error)}
    return desk.page("console/properties/new.html", shown, status=422 if error else 200)


def _told(error: BadInput | None) -> dict[str, str]:
    return {"error": str(error or ""), "field": error.field if isinstance(error, BadField) else ""}


@router.post("/properties/new")
async def add_property(desk: Connecting) -> Response:
    """Add a property; then say which locks open it."""
    said = {name: desk.text(name) for name in USUAL}
    try:
        place = await properties.add(desk.services, desk.host, properties.checked(said), desk.now)
    except BadInput as error:
        return _new(desk, said, error)
    await desk.note("added", f"property {place}")
    return desk.go(f"{desk.base}/properties/{place}", "Added. Now say which locks open it.")


# ------------------------------------------------------------------------------------------------------- one property


@dataclass(frozen=True, slots=True)
class Whole:
    """A property with everything its page shows."""

    row: PropertyRow
    doors: Sequence[LockRow]
    others: Sequence[LockRow]
    refs: Sequence[tuple[str, str]]
    coming: int
    first: date | None


def _whole(connection: Connection, host: HostId, place: PropertyId, today: date) -> Whole:
    row = hosts.properties(connection, [place]).get(place)
    if row is None or row.host != host:
        raise NotHere
    matched = [lock for _, lock in hosts.matches(connection, [place])]
    rows = {each.id: each for each in locks.locks_of_host(connection, host)}
    refs = [(platform, ref) for key, platform, ref in hosts.refs_of_host(connection, host) if key == place]
    others = [each for each in rows.values() if each.id not in matched]
    booked = stays.coming(connection, host, today).get(place, (0, None))
    return Whole(row, [rows[lock] for lock in matched], others, refs, *booked)


async def _find(desk: Desk, place: int) -> Whole:
    today = to_local(desk.now, "UTC").date()
    return await desk.services.database.ask(_whole, desk.host, PropertyId(place), today)


@router.get("/properties/{place}")
async def show_property(desk: Seeing, place: int) -> Response:
    """Everything about a property, to be changed by those who may."""
    return _page(desk, await _find(desk, place))


def _page(desk: Desk, found: Whole, said: Mapping[str, str] | None = None, error: BadInput | None = None) -> Response:
    usual = desk.services.policy.codes.with_overrides(desk.row.settings)
    shown = {
        "part": PART,
        "place": found.row,
        "found": found,
        "values": said or _values(found.row),
        "usual": usual,
        "zones": properties.zones(),
        "platforms": _named(desk),
        **_told(error),
    }
    return desk.page("console/properties/property.html", shown, status=422 if error else 200)


def _named(desk: Desk) -> dict[str, str]:
    """The platforms that name properties in their own way; a calendar's name is its feed's number, not for people."""
    every = desk.services.platforms.values()
    return {each.key: each.title for each in every if each.hook is not None or each.connect is not None}


def _values(row: PropertyRow) -> dict[str, str]:
    facts = {name: getattr(row, name) or "" for name in properties.FACTS}
    return facts | {name: _written(row.settings.get(name)) for name in SETTINGS}


def _written(value: Any) -> str:
    """A setting as a form writes it; empty: as the host has it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


@router.post("/properties/{place}")
async def change_property(desk: Connecting, place: int) -> Response:
    """Change facts and settings, after a look at what that does to the locks."""
    found = await _find(desk, place)
    said = {name: desk.text(name) for name in (*properties.FACTS, *SETTINGS)}
    try:
        facts = properties.checked({name: said[name] for name in properties.FACTS})
        settings = properties.checked_settings({name: said[name] for name in SETTINGS})
        change = properties.changing(desk.host, found.row.id, facts | {"settings": settings}, desk.now)
        return await decide(desk, _proposal(desk, found.row, change, f"other settings for {found.row.name}", "changed"))
    except BadInput as error:
        return _page(desk, found, said, error)


def _proposal(desk: Desk, place: PropertyRow, change: Any, title: str, deed: str) -> Proposal:
    back = f"{desk.base}/properties/{place.id}"
    return Proposal(change, title, back, "Saved.", deed, f"property {place.id}", PART, zone=place.zone)


@router.post("/properties/{place}/doors")
async def move_door(desk: Connecting, place: int) -> Response:
    """Have guests come to a lock one door earlier or later."""
    found = await _find(desk, place)
    lock, up = key_of(desk.text("lock")), desk.text("move") == "up"
    moved = await properties.move_door(desk.services, desk.host, found.row.id, LockId(lock), up=up)
    if not moved:
        raise NotHere
    await desk.note("changed the order of doors of", f"property {place}")
    return desk.go(f"{desk.base}/properties/{place}#doors")


@router.post("/properties/{place}/names")
async def name_property(desk: Connecting, place: int) -> Response:
    """Note how a platform names the property; stays that came under that name get their codes."""
    found = await _find(desk, place)
    platform, ref = desk.text("platform"), desk.text("ref")
    try:
        change = properties.naming(desk.host, found.row.id, platform, ref, desk.now)
        proposal = _proposal(desk, found.row, change, f"a name for {found.row.name}", "noted a platform's name of")
        return await decide(desk, proposal)
    except BadInput as error:
        return _page(desk, found, None, error)


@router.post("/properties/{place}/names/forget")
async def forget_name(desk: Connecting, place: int) -> Response:
    """Forget how a platform names the property."""
    found = await _find(desk, place)
    if not await properties.forget_ref(desk.services, desk.host, found.row.id, desk.text("platform"), desk.text("ref")):
        raise NotHere
    await desk.note("took a platform's name from", f"property {place}")
    return desk.go(f"{desk.base}/properties/{place}#names", "Forgotten. Stays that came under that name stay here.")
