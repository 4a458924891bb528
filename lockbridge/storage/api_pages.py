"""Questions of the public API: pages that continue after an id, so that each row is found exactly once."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from lockbridge.domain.code import CodeKind
from lockbridge.domain.ids import CodeId, HostId, LockId, PlacementId, PropertyId, StayId
from lockbridge.domain.stay import StayStatus
from lockbridge.storage.journal import Entry
from lockbridge.storage.locks import LockRow, to_lock
from lockbridge.storage.stays import StayRow, to_stay
from lockbridge.storage.tables import CODE, HISTORY, LOCK, PLACEMENT, PROPERTY, SEEN_CODE, SIGHTING, STAY
from lockbridge.storage.vault import Vault

SETTLED = timedelta(seconds=10)
"""Where several processes write at once, a line with a smaller number may become visible a moment after a larger one:
younger lines wait for so long, so that whoever reads on after a number misses none."""


@dataclass(frozen=True, slots=True)
class StayFilter:
    """Which stays are meant; None: any."""

    property: PropertyId | None = None
    status: StayStatus | None = None
    arrival_from: date | None = None
    arrival_to: date | None = None
    departure_from: date | None = None
    departure_to: date | None = None
    changed_since: datetime | None = None
    reservation_code: str | None = None


def stays_after(
    connection: Connection, vault: Vault, host: HostId, after: int, limit: int, wanted: StayFilter
) -> list[StayRow]:
    """A host's stays with a number above ``after``, in the order they became known."""
    mine = select(STAY).where(STAY.c.host_id == host, STAY.c.id > after, *_wanted(host, wanted))
    return [to_stay(row, vault) for row in connection.execute(mine.order_by(STAY.c.id).limit(limit))]


def _wanted(host: HostId, wanted: StayFilter) -> list[ColumnElement[bool]]:
    named = (
        (wanted.property, STAY.c.property_id.__eq__),
        (wanted.status, STAY.c.status.__eq__),
        (wanted.reservation_code, STAY.c.reservation_code.__eq__),
        (wanted.arrival_from, STAY.c.arrival.__ge__),
        (wanted.arrival_to, STAY.c.arrival.__le__),
        (wanted.departure_from, STAY.c.departure.__ge__),
        (wanted.departure_to, STAY.c.departure.__le__),
    )
    found: list[ColumnElement[bool]] = [compare(value) for value, compare in named if value is not None]
    return found if wanted.changed_since is None else [*found, _changed(host, wanted.changed_since)]


def _changed(host: HostId, since: datetime) -> ColumnElement[bool]:
    """Whether the history says anything of a stay or its code since an instant."""
    lines = (HISTORY.c.host_id == host, HISTORY.c.at >= since)
    told = select(HISTORY.c.stay_id).where(*lines, HISTORY.c.stay_id.is_not(None))
    coded = select(HISTORY.c.code_id).where(*lines, HISTORY.c.code_id.is_not(None))
    return or_(STAY.c.id.in_(told), STAY.c.code_id.in_(coded), STAY.c.created_at >= since)


def told_as(connection: Connection, host: HostId, platform: str, external_id: str) -> StayId | None:
    """The stay that a platform calls so, told by it alone or beside another source."""
    own = select(STAY.c.id).where(
        STAY.c.host_id == host, STAY.c.platform == platform, STAY.c.external_id == external_id
    )
    beside = select(SIGHTING.c.stay_id).where(
        SIGHTING.c.host_id == host, SIGHTING.c.platform == platform, SIGHTING.c.external_id == external_id
    )
    found = connection.execute(own).scalar_one_or_none() or connection.execute(beside).scalar_one_or_none()
    return None if found is None else StayId(found)


@dataclass(frozen=True, slots=True)
class CodeFilter:
    """Which codes are meant; None: any. ``gone``: those that were taken off, too."""

    stay: StayId | None = None
    lock: LockId | None = None
    kind: CodeKind | None = None
    gone: bool = False


def placements_after(
    connection: Connection, host: HostId, after: int, limit: int, wanted: CodeFilter
) -> list[tuple[PlacementId, StayId | None]]:
    """A host's codes on locks with a number above ``after``, and whose they are: a given backup is the stay's."""
    whose = func.coalesce(CODE.c.stay_id, CODE.c.given_to).label("stay")
    mine = select(PLACEMENT.c.id, whose).join(CODE, CODE.c.id == PLACEMENT.c.code_id)
    page = mine.where(PLACEMENT.c.host_id == host, PLACEMENT.c.id > after, *_codes(wanted))
    rows = connection.execute(page.order_by(PLACEMENT.c.id).limit(limit))
    return [(PlacementId(row.id), None if row.stay is None else StayId(row.stay)) for row in rows]


def _codes(wanted: CodeFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [] if wanted.gone else [PLACEMENT.c.live_at.is_not(None)]
    if wanted.lock is not None:
        found.append(PLACEMENT.c.lock_id == wanted.lock)
    if wanted.kind is not None:
        found.append(PLACEMENT.c.kind == wanted.kind)
    if wanted.stay is not None:
        shared = select(STAY.c.code_id).where(STAY.c.id == wanted.stay, STAY.c.code_id.is_not(None))
        found.append(or_(CODE.c.stay_id == wanted.stay, CODE.c.given_to == wanted.stay, CODE.c.id.in_(shared)))
    return found


def locks_after(connection: Connection, host: HostId, after: int, limit: int) -> list[LockRow]:
    """A host's locks with a number above ``after``."""
    mine = select(LOCK).where(LOCK.c.host_id == host, LOCK.c.id > after)
    return [to_lock(row) for row in connection.execute(mine.order_by(LOCK.c.id).limit(limit))]


@dataclass(frozen=True, slots=True)
class Held:
    """How many codes a lock holds: ours that it confirmed, and others' that the last look found."""

    ours: int = 0
    others: int = 0


def held(connection: Connection, locks: list[LockId]) -> dict[LockId, Held]:
    """What these locks hold."""
    on_lock = (PLACEMENT.c.lock_id.in_(locks), PLACEMENT.c.live_at.is_not(None))
    confirmed = PLACEMENT.c.state.in_(("set", "removing"))
    ours = _counts(connection, PLACEMENT.c.lock_id, *on_lock, confirmed)
    others = _counts(connection, SEEN_CODE.c.lock_id, SEEN_CODE.c.lock_id.in_(locks))
    return {lock: Held(ours.get(lock, 0), others.get(lock, 0)) for lock in locks}


def _counts(connection: Connection, by: ColumnElement[Any], *which: ColumnElement[bool]) -> dict[int, int]:
    found = select(by, func.count()).where(*which).group_by(by)
    return {row[0]: row[1] for row in connection.execute(found)}


def property_ids_after(connection: Connection, host: HostId, after: int, limit: int) -> list[PropertyId]:
    """A host's properties with a number above ``after``."""
    mine = select(PROPERTY.c.id).where(PROPERTY.c.host_id == host, PROPERTY.c.id > after)
    return [PropertyId(row.id) for row in connection.execute(mine.order_by(PROPERTY.c.id).limit(limit))]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a host's history with its number."""

    id: int
    entry: Entry = field(repr=False)


def events_after(
    connection: Connection, host: HostId, after: int, limit: int, kind: str | None, now: datetime
) -> list[Line]:
    """A host's history with a number above ``after``, in order."""
    mine = select(HISTORY).where(HISTORY.c.host_id == host, HISTORY.c.id > after)
    wanted = mine if kind is None else mine.where(HISTORY.c.kind == kind)
    rows = connection.execute(wanted.order_by(HISTORY.c.id).limit(limit))
    if connection.dialect.name == "postgresql":
        return [_line(row) for row in takewhile(lambda row: row.at <= now - SETTLED, rows)]
    return [_line(row) for row in rows]


def _line(row: Any) -> Line:
    stay = None if row.stay_id is None else StayId(row.stay_id)
    code = None if row.code_id is None else CodeId(row.code_id)
    lock = None if row.lock_id is None else LockId(row.lock_id)
    return Line(row.id, Entry(row.at, HostId(row.host_id), row.kind, row.why, stay, code, lock))
