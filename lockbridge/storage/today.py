"""Questions of the first page: who comes and goes, whose code is not where it should be, which locks are in trouble.

Each fetches only what is shown, without opening anything that is sealed. Dates are the properties' own; who asks adds a
day at both ends and looks at the instants.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from lockbridge.domain.ids import CodeId, HostId, LockAppId, LockId, PropertyId, SourceId, StayId
from lockbridge.domain.placement import Placement, PlacementState
from lockbridge.domain.stay import StayStatus
from lockbridge.storage.journal import AlarmRow
from lockbridge.storage.rows import UNSEALED, to_unsealed
from lockbridge.storage.tables import ALARM, CODE, LOCK, LOCK_APP, MATCH, PLACEMENT, PROPERTY, SOURCE, STAY


@dataclass(frozen=True, slots=True)
class Home:
    """A property in brief. Times of day are local, ``HH:MM``."""

    id: PropertyId
    name: str
    zone: str
    check_in: str
    check_out: str
    has_locks: bool


def homes(connection: Connection, host: HostId) -> dict[PropertyId, Home]:
    """All properties of a host in brief."""
    matched = select(MATCH.c.lock_id).where(MATCH.c.property_id == PROPERTY.c.id).exists()
    columns = (PROPERTY.c.id, PROPERTY.c.name, PROPERTY.c.zone, PROPERTY.c.check_in, PROPERTY.c.check_out)
    mine = select(*columns, matched.label("has_locks")).where(PROPERTY.c.host_id == host)
    return {
        PropertyId(row.id): Home(
            PropertyId(row.id), row.name, row.zone, row.check_in, row.check_out, bool(row.has_locks)
        )
        for row in connection.execute(mine).all()
    }


@dataclass(frozen=True, slots=True)
class Move:
    """That a guest comes or goes: the day, and the local time of day where the stay has its own."""

    stay: StayId
    property: PropertyId | None
    day: date
    at: str | None


def arriving(connection: Connection, host: HostId, first: date, last: date) -> list[Move]:
    """The confirmed stays that begin on these days, by day."""
    at = func.coalesce(STAY.c.host_check_in, STAY.c.check_in)
    return _moves(connection, host, STAY.c.arrival, at, first, last)


def leaving(connection: Connection, host: HostId, first: date, last: date) -> list[Move]:
    """The confirmed stays that end on these days, by day."""
    at = func.coalesce(STAY.c.host_check_out, STAY.c.check_out)
    return _moves(connection, host, STAY.c.departure, at, first, last)


def _moves(
    connection: Connection, host: HostId, day: Any, at: ColumnElement[Any], first: date, last: date
) -> list[Move]:
    theirs = select(STAY.c.id, STAY.c.property_id, day, at).where(
        STAY.c.host_id == host, day >= first, day <= last, STAY.c.status == StayStatus.CONFIRMED, _FOR_GUESTS
    )
    found = connection.execute(theirs.order_by(day, STAY.c.id)).all()
    return [Move(StayId(key), home and PropertyId(home), on, own) for key, home, on, own in found]


_FOR_GUESTS = or_(STAY.c.owner_stay.is_(False), STAY.c.code_id.is_not(None))
"""Not the owner's own stays, unless they get codes."""


def worrying(
    connection: Connection, host: HostId, leave_from: date, arrive_by: date, now: datetime, limit: int
) -> set[StayId]:
    """The stays at which something may be wrong: no code, a trouble, sources that disagree, a code not confirmed.

    Where the host has taken the code back, there is to be none.
    """
    there = (STAY.c.host_id == host, STAY.c.departure >= leave_from, STAY.c.arrival <= arrive_by)
    lockless = ~select(MATCH.c.lock_id).where(MATCH.c.property_id == STAY.c.property_id).exists()
    codeless = or_(STAY.c.code_id.is_(None), lockless)
    without = and_(STAY.c.status == StayStatus.CONFIRMED, _FOR_GUESTS, STAY.c.revoked_at.is_(None), codeless)
    odd = select(STAY.c.id).where(*there, or_(without, STAY.c.trouble.is_not(None), STAY.c.disagreement.is_not(None)))
    unset = (
        select(STAY.c.id)
        .join(PLACEMENT, PLACEMENT.c.code_id == STAY.c.code_id)
        .where(*there, STAY.c.status == StayStatus.CONFIRMED, _ON_ITS_WAY, PLACEMENT.c.push_at <= now)
        .where(PLACEMENT.c.state != PlacementState.SET)
        .distinct()
    )
    by_arrival = (STAY.c.arrival, STAY.c.id)
    both = (odd, unset.add_columns(STAY.c.arrival))
    found = [connection.execute(each.order_by(*by_arrival).limit(limit)).scalars() for each in both]
    return {StayId(key) for keys in found for key in keys}


_ON_ITS_WAY = and_(PLACEMENT.c.live_at.is_not(None), PLACEMENT.c.ended.is_(None))


@dataclass(frozen=True, slots=True)
class Brief:
    """A stay in brief."""

    id: StayId
    property: PropertyId | None
    property_ref: str
    platform: str
    status: StayStatus
    guest: str
    arrival: date
    departure: date
    check_in: str | None
    check_out: str | None
    code: CodeId | None
    trouble: str
    disagreement: str
    disagreed_at: datetime | None


def brief(connection: Connection, host: HostId, ids: Collection[StayId]) -> dict[StayId, Brief]:
    """These stays in brief."""
    if not ids:
        return {}
    found = select(*_BRIEF).where(STAY.c.host_id == host, STAY.c.id.in_(ids))
    return {StayId(row.id): _brief(row) for row in connection.execute(found).all()}


_BRIEF: tuple[Any, ...] = (
    STAY.c.id,
    STAY.c.property_id,
    STAY.c.property_ref,
    STAY.c.platform,
    STAY.c.status,
    func.coalesce(STAY.c.guest_name, STAY.c.reservation_code).label("guest"),
    STAY.c.arrival,
    STAY.c.departure,
    func.coalesce(STAY.c.host_check_in, STAY.c.check_in).label("check_in"),
    func.coalesce(STAY.c.host_check_out, STAY.c.check_out).label("check_out"),
    STAY.c.code_id,
    STAY.c.trouble,
    STAY.c.disagreement,
    STAY.c.disagreed_at,
)


def _brief(row: Row[Any]) -> Brief:
    return Brief(
        StayId(row.id),
        row.property_id and PropertyId(row.property_id),
        row.property_ref,
        row.platform,
        StayStatus(row.status),
        row.guest,
        row.arrival,
        row.departure,
        row.check_in,
        row.check_out,
        row.code_id and CodeId(row.code_id),
        row.trouble or "",
        row.disagreement or "",
        row.disagreed_at,
    )


# ------------------------------------------------------------------------------------------------------- their codes


def placements(connection: Connection, host: HostId, codes: Collection[CodeId]) -> dict[CodeId, list[Placement]]:
    """The live placements of these codes that are not ended, without their digits."""
    found: dict[CodeId, list[Placement]] = defaultdict(list)
    if codes:
        theirs = select(*UNSEALED).where(PLACEMENT.c.host_id == host, PLACEMENT.c.code_id.in_(codes), _ON_ITS_WAY)
        for row in connection.execute(theirs.order_by(PLACEMENT.c.id)).all():
            found[CodeId(row.code_id)].append(to_unsealed(row))
    return found


def helped(connection: Connection, host: HostId, ids: Collection[StayId]) -> set[tuple[StayId, LockId]]:
    """Which of these stays have a backup code, and for which lock."""
    if not ids:
        return set()
    given = (
        select(CODE.c.given_to, PLACEMENT.c.lock_id)
        .join(PLACEMENT, PLACEMENT.c.code_id == CODE.c.id)
        .where(CODE.c.host_id == host, CODE.c.given_to.in_(ids), PLACEMENT.c.live_at.is_not(None))
    )
    return {(StayId(stay), LockId(lock)) for stay, lock in connection.execute(given)}


def with_backup(connection: Connection, host: HostId, ids: Collection[LockId]) -> set[LockId]:
    """Which of these locks hold a backup that may be given."""
    if not ids:
        return set()
    ready = (
        select(CODE.c.lock_id)
        .join(PLACEMENT, PLACEMENT.c.code_id == CODE.c.id)
        .where(CODE.c.lock_id.in_(ids), CODE.c.host_id == host, CODE.c.given_to.is_(None))
        .where(_ON_ITS_WAY, PLACEMENT.c.state == PlacementState.SET)
    )
    return {LockId(key) for key in connection.execute(ready).scalars()}


# ------------------------------------------------------------------------------------------------------------- locks


@dataclass(frozen=True, slots=True)
class LockState:
    """How a lock and its account are."""

    id: LockId
    name: str
    app: LockAppId
    app_name: str
    connected: bool
    battery: float | None
    offline_since: datetime | None
    low_since: datetime | None
    full_since: datetime | None
    refused_since: datetime | None
    missing: bool


def states(connection: Connection, host: HostId, ids: Collection[LockId]) -> dict[LockId, LockState]:
    """How these locks are."""
    if not ids:
        return {}
    found = connection.execute(_STATES.where(LOCK.c.host_id == host, LOCK.c.id.in_(ids)))
    return {LockId(row.id): _state(row) for row in found}


def in_trouble(connection: Connection, host: HostId, limit: int) -> list[LockState]:
    """The locks of a host that are offline, low on battery, full, gone, or refuse what is asked of them."""
    since = (LOCK.c.offline_since, LOCK.c.low_since, LOCK.c.full_since, LOCK.c.refused_since)
    wrong = or_(LOCK.c.missing.is_(True), *(column.is_not(None) for column in since))
    found = _STATES.where(LOCK.c.host_id == host, wrong).order_by(LOCK.c.name, LOCK.c.id).limit(limit)
    return [_state(row) for row in connection.execute(found)]


_STATES: Select[Any] = select(
    LOCK.c.id,
    LOCK.c.name,
    LOCK.c.lock_app_id,
    LOCK_APP.c.name.label("app_name"),
    LOCK_APP.c.state,
    LOCK.c.battery,
    LOCK.c.offline_since,
    LOCK.c.low_since,
    LOCK.c.full_since,
    LOCK.c.refused_since,
    LOCK.c.missing,
).join(LOCK_APP, LOCK_APP.c.id == LOCK.c.lock_app_id)


def _state(row: Row[Any]) -> LockState:
    return LockState(
        LockId(row.id),
        row.name,
        LockAppId(row.lock_app_id),
        row.app_name,
        row.state == "connected",
        row.battery,
        row.offline_since,
        row.low_since,
        row.full_since,
        row.refused_since,
        row.missing,
    )


@dataclass(frozen=True, slots=True)
class Threatened:
    """An arrival on a lock in trouble. ``is_set``: its code is on the lock already."""

    lock: LockId
    stay: StayId
    guest: str
    property: PropertyId | None
    opens_at: datetime
    is_set: bool


def threatened(
    connection: Connection, host: HostId, locks: Collection[LockId], now: datetime, until: datetime, limit: int
) -> list[Threatened]:
    """The arrivals on these locks up to an instant, the soonest first; those who are in the house count (R43)."""
    if not locks:
        return []
    guest = func.coalesce(STAY.c.guest_name, STAY.c.reservation_code)
    coming = (
        select(PLACEMENT.c.lock_id, STAY.c.id, guest, STAY.c.property_id, PLACEMENT.c.opens_at, PLACEMENT.c.state)
        .join(CODE, CODE.c.id == PLACEMENT.c.code_id)
        .join(STAY, STAY.c.id == CODE.c.stay_id)
        .where(PLACEMENT.c.host_id == host, PLACEMENT.c.lock_id.in_(locks), _ON_ITS_WAY)
        .where(PLACEMENT.c.live_at <= until, PLACEMENT.c.closes_at > now)
        .order_by(PLACEMENT.c.opens_at, PLACEMENT.c.id)
        .limit(limit)
    )
    return [
        Threatened(LockId(lock), StayId(stay), name, home and PropertyId(home), at, state == PlacementState.SET)
        for lock, stay, name, home, at, state in connection.execute(coming)
    ]


# ------------------------------------------------------------------------------------------------ accounts and alarms


@dataclass(frozen=True, slots=True)
class Refused:
    """An account that lets us in no more until a person connects it again."""

    id: int
    name: str
    detail: str


def refused_apps(connection: Connection, host: HostId) -> list[Refused]:
    """The lock apps of a host that need a person."""
    mine = select(LOCK_APP.c.id, LOCK_APP.c.name, LOCK_APP.c.state_detail).where(
        LOCK_APP.c.host_id == host, LOCK_APP.c.state != "connected"
    )
    return [Refused(LockAppId(row.id), row.name, row.state_detail or "") for row in connection.execute(mine)]


def refused_sources(connection: Connection, host: HostId) -> list[Refused]:
    """The booking platforms and calendars of a host that need a person."""
    mine = select(SOURCE.c.id, SOURCE.c.name, SOURCE.c.state_detail).where(
        SOURCE.c.host_id == host, SOURCE.c.state != "connected"
    )
    return [Refused(SourceId(row.id), row.name, row.state_detail or "") for row in connection.execute(mine)]


def alarms(connection: Connection, host: HostId, without: Collection[str], limit: int) -> list[AlarmRow]:
    """What is wrong now and of none of these kinds, the latest first."""
    mine = (
        select(ALARM)
        .where(ALARM.c.host_id == host, ALARM.c.ended_at.is_(None), ALARM.c.kind.not_in(without))
        .order_by(ALARM.c.began_at.desc(), ALARM.c.id.desc())
        .limit(limit)
    )
    return [
        AlarmRow(HostId(row.host_id), row.key, row.kind, row.facts, row.began_at) for row in connection.execute(mine)
    ]


def any_lock(connection: Connection, host: HostId) -> bool:
    """Whether the host has a lock at all."""
    return connection.execute(select(LOCK.c.id).where(LOCK.c.host_id == host).limit(1)).first() is not None
