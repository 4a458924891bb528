"""Finding stays among many: by words, by when, by what is wrong – in pages, nothing sealed opened."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, false, func, or_, select

from lockbridge.domain.ids import CodeId, HostId, LockId, PropertyId, StayId
from lockbridge.domain.placement import Placement, PlacementState
from lockbridge.domain.stay import StayStatus, to_local
from lockbridge.storage.rows import UNSEALED, to_unsealed
from lockbridge.storage.tables import CODE, PLACEMENT, PROPERTY, STAY

PAGE = 50


class When(StrEnum):
    """Which stays by their days, on their properties' clocks; ``now`` from the day of arrival to that of departure."""

    OPEN = "open"
    """Now or to come."""
    NOW = "now"
    COMING = "coming"
    PAST = "past"
    """The latest first."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which stays are looked for. ``words`` is part of the guest's name, the property's name or a reservation code."""

    words: str = ""
    when: When = When.OPEN
    property: PropertyId | None = None
    status: StayStatus | None = None
    platform: str = ""
    troubled: bool = False
    """Only those at which something is wrong."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """From which stay on; ``back``: the page before it."""

    arrival: date
    stay: StayId
    back: bool = False

    def __str__(self) -> str:
        return f"{self.arrival}.{self.stay}"


@dataclass(frozen=True, slots=True)
class Found:
    """A stay as a list shows it. Times of day are those that hold for it, local to ``zone``."""

    id: StayId
    guest_name: str | None
    reservation_code: str
    property: PropertyId | None
    place: str
    """The property's name, or what the platform calls one that is not known here."""
    zone: str | None
    platform: str
    booked_on: str | None
    status: StayStatus
    arrival: date
    departure: date
    check_in: str | None
    check_out: str | None
    code: CodeId | None
    trouble: str | None
    disagreement: str | None
    revoked_at: datetime | None
    placements: Sequence[Placement] = ()
    """Its code on the locks, removed ones too, without digits."""
    helped: frozenset[LockId] = frozenset()
    """The locks on which it has a backup code."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some stays in order, and from where the pages before and after go on; None: there is none."""

    stays: Sequence[Found]
    before: Cursor | None
    after: Cursor | None


def search(
    connection: Connection, host: HostId, wanted: Wanted, at: Cursor | None, now: datetime, limit: int = PAGE
) -> Page:
    """A page of a host's stays by arrival, past ones from the latest on."""
    falling = wanted.when is When.PAST
    back = at is not None and at.back
    order = [column.desc() if falling is not back else column.asc() for column in (STAY.c.arrival, STAY.c.id)]
    terms = [*_terms(connection, host, wanted, now), *_beyond(at, falling=falling is not back)]
    statement = select(*_COLUMNS).join(PROPERTY, PROPERTY.c.id == STAY.c.property_id, isouter=True)
    rows = connection.execute(statement.where(*terms).order_by(*order).limit(limit + 1)).all()
    more, shown = len(rows) > limit, list(rows[:limit])
    if back:
        shown.reverse()
    stays = _found(connection, host, shown)
    first, last = (stays[0], stays[-1]) if stays else (None, None)
    earlier = first is not None and (more if back else at is not None)
    later = last is not None and (more or back)
    return Page(
        stays,
        Cursor(first.arrival, first.id, back=True) if first is not None and earlier else None,
        Cursor(last.arrival, last.id) if last is not None and later else None,
    )


def platforms(connection: Connection, host: HostId) -> list[str]:
    """From where a host's stays came."""
    told = select(STAY.c.platform).where(STAY.c.host_id == host).distinct().order_by(STAY.c.platform)
    return list(connection.execute(told).scalars())


_COLUMNS: tuple[Any, ...] = (
    STAY.c.id,
    STAY.c.guest_name,
    STAY.c.reservation_code,
    STAY.c.property_id,
    func.coalesce(PROPERTY.c.name, STAY.c.property_ref).label("place"),
    PROPERTY.c.zone,
    STAY.c.platform,
    STAY.c.booked_on,
    STAY.c.status,
    STAY.c.arrival,
    STAY.c.departure,
    func.coalesce(STAY.c.host_check_in, STAY.c.check_in, PROPERTY.c.check_in).label("begins"),
    func.coalesce(STAY.c.host_check_out, STAY.c.check_out, PROPERTY.c.check_out).label("ends"),
    STAY.c.code_id,
    STAY.c.trouble,
    STAY.c.disagreement,
    STAY.c.revoked_at,
)


# ------------------------------------------------------------------------------------------------------------- terms


def _beyond(at: Cursor | None, *, falling: bool) -> list[ColumnElement[bool]]:
    if at is None:
        return []
    if falling:
        return [STAY.c.arrival <= at.arrival, or_(STAY.c.arrival < at.arrival, STAY.c.id < at.stay)]
    return [STAY.c.arrival >= at.arrival, or_(STAY.c.arrival > at.arrival, STAY.c.id > at.stay)]


def _terms(connection: Connection, host: HostId, wanted: Wanted, now: datetime) -> list[ColumnElement[bool]]:
    terms: list[ColumnElement[bool]] = [STAY.c.host_id == host]
    if wanted.words:
        terms.append(_says(wanted.words))
    if wanted.when is not When.ALL:
        terms.append(_when(_days(connection, host, now), wanted.when))
    if wanted.property is not None:
        terms.append(STAY.c.property_id == wanted.property)
    if wanted.status is not None:
        terms.append(STAY.c.status == wanted.status.value)
    if wanted.platform:
        terms.append(STAY.c.platform == wanted.platform)
    return [*terms, _troubled(now)] if wanted.troubled else terms


def _says(words: str) -> ColumnElement[bool]:
    """SQLite compares letters beyond ASCII as they are: they are looked for in several cases."""
    forms = {words} if words.isascii() else {words, words.lower(), words.upper(), words.title()}
    fields = (STAY.c.guest_name, STAY.c.reservation_code, STAY.c.external_id, PROPERTY.c.name, STAY.c.property_ref)
    return or_(*(each.icontains(form, autoescape=True) for each in fields for form in sorted(forms)))


def _days(connection: Connection, host: HostId, now: datetime) -> dict[date, list[str]]:
    """Which day it is, and in which of the host's zones."""
    days: dict[date, list[str]] = defaultdict(list)
    zones = select(PROPERTY.c.zone).where(PROPERTY.c.host_id == host).distinct()
    for zone in connection.execute(zones).scalars():
        days[to_local(now, zone).date()].append(zone)
    days[now.astimezone(UTC).date()] += []
    return days


def _when(days: dict[date, list[str]], when: When) -> ColumnElement[bool]:
    return or_(*(and_(there, _on(day, when)) for day, there in _there(days)))


def _there(days: dict[date, list[str]]) -> Iterable[tuple[date, ColumnElement[bool]]]:
    """A stay whose property is not known has the day of UTC, which comes last."""
    utc = list(days)[-1]
    for day, zones in days.items():
        in_zone = PROPERTY.c.zone.in_(zones) if zones else false()
        yield day, or_(in_zone, PROPERTY.c.zone.is_(None)) if day == utc else in_zone


def _on(day: date, when: When) -> ColumnElement[bool]:
    if when is When.NOW:
        return and_(STAY.c.arrival <= day, STAY.c.departure >= day)
    if when is When.COMING:
        return STAY.c.arrival > day
    return STAY.c.departure < day if when is When.PAST else STAY.c.departure >= day


def _troubled(now: datetime) -> ColumnElement[bool]:
    """No code could be made, two sources disagree, or a lock that should hold the code by now does not."""
    live = or_(STAY.c.ends_at.is_(None), STAY.c.ends_at > now)
    bad = or_(PLACEMENT.c.state.in_((PlacementState.FAILED, PlacementState.NO_ROOM)), PLACEMENT.c.opens_at <= now)
    unset = select(PLACEMENT.c.id).where(
        PLACEMENT.c.code_id == STAY.c.code_id,
        PLACEMENT.c.live_at.is_not(None),
        PLACEMENT.c.ended.is_(None),
        PLACEMENT.c.state != PlacementState.SET,
        bad,
    )
    return and_(live, or_(STAY.c.trouble.is_not(None), STAY.c.disagreement.is_not(None), unset.exists()))


# ------------------------------------------------------------------------------------------------------------- codes


def _found(connection: Connection, host: HostId, rows: Sequence[Row[Any]]) -> list[Found]:
    placed = _placements(connection, host, {row.code_id for row in rows if row.code_id is not None})
    helped = _helped(connection, host, {row.id for row in rows})
    return [_stay(row, placed.get(row.code_id, ()), frozenset(helped.get(row.id, ()))) for row in rows]


def _stay(row: Row[Any], placed: Sequence[Placement], helped: frozenset[LockId]) -> Found:
    return Found(
        StayId(row.id),
        row.guest_name,
        row.reservation_code,
        row.property_id and PropertyId(row.property_id),
        row.place,
        row.zone,
        row.platform,
        row.booked_on,
        StayStatus(row.status),
        row.arrival,
        row.departure,
        row.begins,
        row.ends,
        row.code_id and CodeId(row.code_id),
        row.trouble,
        row.disagreement,
        row.revoked_at,
        placed,
        helped,
    )


def _placements(connection: Connection, host: HostId, codes: Collection[int]) -> dict[int, list[Placement]]:
    found: dict[int, list[Placement]] = defaultdict(list)
    if codes:
        theirs = select(*UNSEALED).where(PLACEMENT.c.host_id == host, PLACEMENT.c.code_id.in_(codes))
        for row in connection.execute(theirs.order_by(PLACEMENT.c.id)):
            found[row.code_id].append(to_unsealed(row))
    return found


def _helped(connection: Connection, host: HostId, stays: Collection[int]) -> dict[int, list[LockId]]:
    found: dict[int, list[LockId]] = defaultdict(list)
    if stays:
        given = (
            select(CODE.c.given_to, PLACEMENT.c.lock_id)
            .join(PLACEMENT, PLACEMENT.c.code_id == CODE.c.id)
            .where(CODE.c.host_id == host, CODE.c.given_to.in_(stays), PLACEMENT.c.live_at.is_not(None))
        )
        for stay, lock in connection.execute(given):
            found[stay].append(LockId(lock))
    return found
