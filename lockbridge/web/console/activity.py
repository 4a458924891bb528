"""Activity: who did what and what the engine decided, with filters, page by page, and as a sheet."""

import csv
import io
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, LockId, StayId
from lockbridge.domain.stay import to_local, to_utc
from lockbridge.storage import activity
from lockbridge.storage.activity import Happening, Names, Place, Wanted
from lockbridge.web.desk import Desk, Seeing
from lockbridge.web.sheets import guarded
from lockbridge.workflows.connect import BadInput

router = APIRouter()

A_PAGE = 50
A_BATCH = 500
MOST_STAYS = 100
FILTERS = ("who", "kind", "about", "stay", "lock", "since", "until")

KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "people": ("What people did", ()),
    "looks": ("Codes looked at", ()),
    "bookings": (
        "Bookings",
        ("booked", "changed", "cancelled", "decided", "told_by", "times", "unannounced", "notice.*"),
    ),
    "codes": (
        "Codes: what was decided",
        (
            *("planned", "replanned", "pin*", "name", "waiting", "reissued", "revoked", "restored", "tried_again"),
            *("backup_given", "staff_code", "guest_link"),
        ),
    ),
    "locks": (
        "Codes: what happened on locks",
        (
            *(
                "asked_*",
                "confirmed",
                "accepted",
                "adopted",
                "vanished",
                "changed_by_hand",
                "cannot_take_back",
            ),
            *("remov*", "refused", "outcome_unknown", "not_confirmed", "no_room", "door_*"),
        ),
    ),
    "messages": ("Messages", ("message_*", "field_*")),
}
"""What one can look for: the words, and patterns of the kinds of history it stands for."""

BAD = frozenset({"refused", "message_refused", "no_room", "not_confirmed", "cannot_take_back", "vanished"})
GOOD = frozenset({"confirmed", "message_sent", "adopted"})


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters as they were chosen."""

    who: str = ""
    kind: str = ""
    about: str = ""
    stay: str = ""
    lock: str = ""
    since: str = ""
    until: str = ""

    @property
    def query(self) -> str:
        """The filters as they stand in an address."""
        chosen = {name: getattr(self, name) for name in FILTERS if getattr(self, name)}
        return urlencode(chosen)

    def at(self, path: str, **more: str) -> str:
        """The address of a page with these filters."""
        query = "&".join(part for part in (self.query, urlencode(more)) if part)
        return f"{path}?{query}" if query else path


@dataclass(frozen=True, slots=True)
class Found:
    """One page of what was looked for."""

    happenings: Sequence[Happening]
    names: Names
    zone: str
    everybody: Sequence[str] = ()
    more: Place | None = field(default=None)


def _asked(desk: Desk) -> Asked:
    given = desk.request.query_params
    return Asked(**{name: given.get(name, "").strip()[:200] for name in FILTERS})


def _wanted(connection: Connection, host: HostId, asked: Asked, zone: str) -> Wanted:
    stays, locks = _about(connection, host, asked)
    people = not asked.kind or asked.kind in {"people", "looks"}
    engine = not asked.who and asked.kind not in {"people", "looks"}
    return Wanted(
        people=people,
        engine=engine,
        who=asked.who,
        looks=asked.kind == "looks",
        kinds=KINDS[asked.kind][1] if asked.kind in KINDS else (),
        stays=stays,
        locks=locks,
        since=_begin(asked.since, zone),
        until=_begin(asked.until, zone, later=timedelta(days=1)),
    )


def _about(connection: Connection, host: HostId, asked: Asked) -> tuple[list[StayId] | None, list[LockId] | None]:
    """The stays and locks looked for; None and None: whatever it is about."""
    if not (asked.about or asked.stay or asked.lock):
        return None, None
    stays = activity.stays_called(connection, host, asked.about, MOST_STAYS) if asked.about else []
    locks = activity.locks_called(connection, host, asked.about) if asked.about else []
    stays += [StayId(int(asked.stay))] if _is_number(asked.stay) else []
    locks += [LockId(int(asked.lock))] if _is_number(asked.lock) else []
    return stays, locks


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,15}", text) is not None


def _begin(day: str, zone: str, *, later: timedelta = timedelta(0)) -> datetime | None:
    """When a day begins in the zone. Raises BadInput."""
    if not day:
        return None
    try:
        return to_utc(date.fromisoformat(day) + later, time(0), zone)
    except (ValueError, OverflowError):
        msg = f"{day!r} is not a day: write it like 2026-06-14"
        raise BadInput(msg) from None


def _place(text: str) -> Place:
    """Where a page begins, from its address; anything else begins at the newest."""
    deed, _, entry = text.partition(".")
    return Place(int(deed), int(entry)) if _is_number(deed) and _is_number(entry) else Place()


def _look(connection: Connection, host: HostId, asked: Asked, place: Place, limit: int) -> Found:
    zone = activity.main_zone(connection, host)
    happenings = activity.search(connection, host, _wanted(connection, host, asked, zone), place, limit + 1)
    shown = happenings[:limit]
    more = place.after(shown) if len(happenings) > limit else None
    everybody = activity.everybody(connection, host)
    return Found(shown, activity.names(connection, host, shown), zone, everybody, more)


@router.get("/activity")
async def show(desk: Seeing, after: str = "") -> Response:
    """What happened, the newest first."""
    asked = _asked(desk)
    empty = Found((), Names({}, {}), "UTC")
    shown: dict[str, Any] = {"part": "activity", "asked": asked, "kinds": KINDS, "bad": BAD, "good": GOOD}
    try:
        found = await desk.services.database.ask(_look, desk.host, asked, _place(after), A_PAGE)
    except BadInput as error:
        return desk.page("console/activity/list.html", {**shown, "found": empty, "error": str(error)}, status=422)
    return desk.page("console/activity/list.html", {**shown, "found": found, "error": "", "after": after})


@router.get("/activity.csv")
async def export(desk: Seeing) -> Response:
    """The same as a sheet, all of it."""
    asked = _asked(desk)
    first = await desk.services.database.ask(_look, desk.host, asked, Place(), A_BATCH)
    await desk.note("exported", "the activity")
    name = f"activity-{desk.now:%Y-%m-%d}.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_sheet(desk, asked, first), media_type="text/csv; charset=utf-8", headers=headers)


async def _sheet(desk: Desk, asked: Asked, found: Found) -> AsyncIterator[str]:
    yield "\ufeff" + _lines([("when", "utc", "who", "what", "guest", "lock", "about", "why")])
    while True:
        yield _lines([_cells(each, found) for each in found.happenings])
        if found.more is None:
            return
        found = await desk.services.database.ask(_look, desk.host, asked, found.more, A_BATCH)


def _cells(each: Happening, found: Found) -> tuple[str, ...]:
    local = to_local(each.at, found.zone)
    guest = found.names.stays.get(each.stay, "") if each.stay is not None else ""
    lock = found.names.locks.get(each.lock, "") if each.lock is not None else ""
    about = each.about or (f"stay {each.stay}" if each.stay is not None else "")
    when = f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"
    utc = f"{each.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return when, utc, each.who or "lockbridge", each.what.replace("_", " "), guest, lock, about, each.why


def _lines(rows: Sequence[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows([guarded(cell) for cell in row] for row in rows)
    return written.getvalue()
