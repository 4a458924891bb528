"""Which locks open which properties: many to many, by list or by drag, and never without a preview."""

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, LockId, PropertyId
from lockbridge.domain.stay import to_local
from lockbridge.storage import hosts, locks
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.locks import LockRow
from lockbridge.web.console.previewing import Proposal, decide
from lockbridge.web.console.properties import PART, key_of, listed
from lockbridge.web.desk import Connecting, NotHere, Seeing, local_path
from lockbridge.workflows import preview

router = APIRouter()

PAGE = 50


@router.get("/matching")
async def show_matching(desk: Seeing, q: str = "", lock: int = 0, after: int = 0) -> Response:
    """Every property with its locks, and the locks that open none yet; ``lock`` has this one offered first."""
    found = await desk.services.database.ask(listed, desk.host, q.strip(), to_local(desk.now, "UTC").date())
    rows = await desk.services.database.ask(locks.locks_of_host, desk.host)
    used = await desk.services.database.ask(_used, desk.host)
    start = max(0, min(after, len(found)))
    shown = {
        "part": PART,
        "found": found[start : start + PAGE],
        "count": len(found),
        "start": start,
        "size": PAGE,
        "q": q,
        "locks": rows,
        "idle": [row for row in rows if row.id not in used],
        "chosen": lock,
    }
    return desk.page("console/properties/matching.html", shown)


def _used(connection: Connection, host: HostId) -> set[LockId]:
    return {lock for _, lock in hosts.matches_of_host(connection, host)}


@router.post("/matching")
async def change_matching(desk: Connecting) -> Response:
    """Match locks with a property, or take them from it, after a look at what that does to each."""
    matched = desk.text("change") != "unmatch"
    place, rows = await desk.services.database.ask(
        _pair, desk.host, key_of(desk.text("property")), [key_of(text) for text in desk.chosen("lock") if text]
    )
    back = local_path(desk.text("back"), f"{desk.base}/matching")
    if not rows:
        return desk.go(back, "Choose a lock first.", trouble=True)
    pairs = [(place.id, row.id) for row in rows]
    change = preview.matching(desk.host, pairs, desk.now, matched=matched)
    return await decide(desk, _proposal(place, rows, change, back, matched=matched))


def _proposal(
    place: PropertyRow, rows: Sequence[LockRow], change: preview.Change, back: str, *, matched: bool
) -> Proposal:
    opens = f"{', '.join(row.name for row in rows)} {'opens' if len(rows) == 1 else 'open'} {place.name}"
    title = opens if matched else f"{opens} no more"
    return Proposal(
        change,
        title,
        back,
        f"{title}." if matched else f"{title}. What lockbridge made for it comes off within a minute.",
        "matched" if matched else "unmatched",
        f"property {place.id} and {', '.join(f'lock {row.id}' for row in rows)}",
        PART,
        concerned=[row.id for row in rows],
        zone=place.zone,
    )


def _pair(
    connection: Connection, host: HostId, place: int, chosen: Sequence[int]
) -> tuple[PropertyRow, Sequence[LockRow]]:
    home = hosts.properties(connection, [PropertyId(place)]).get(PropertyId(place))
    rows = [locks.get_lock(connection, host, LockId(lock)) for lock in dict.fromkeys(chosen)]
    if home is None or home.host != host or None in rows:
        raise NotHere
    return home, [row for row in rows if row is not None]
