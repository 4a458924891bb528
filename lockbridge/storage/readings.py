"""Questions about how locks were: reachable, how full their batteries, over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.domain.ids import HostId, LockId
from lockbridge.storage.tables import LOCK, LOCK_READING
from lockbridge.storage.types import UtcDateTime

_COLUMNS = ("lock_id", "at", "host_id", "online", "battery", "held")


@dataclass(frozen=True, slots=True)
class Reading:
    """How a lock was at an instant. None: not known. ``held``: how many codes, ours and others'."""

    lock: LockId
    host: HostId
    at: datetime
    online: bool | None
    battery: float | None
    held: int | None = None


def note(connection: Connection, readings: Sequence[Reading]) -> None:
    """Keep how locks are; of two readings at one instant the later one counts."""
    rows = [
        dict(zip(_COLUMNS, (each.lock, each.at, each.host, each.online, each.battery, each.held), strict=True))
        for each in readings
    ]
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(LOCK_READING)
    told = {name: new.excluded[name] for name in ("online", "battery", "held")}
    connection.execute(new.on_conflict_do_update(index_elements=["lock_id", "at"], set_=told), rows)


def note_all(connection: Connection, now: datetime) -> None:
    """Keep how every lock is now, by what is known of it."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    held = func.coalesce(LOCK.c.seen_count, 0)
    known = select(LOCK.c.id, literal(now, UtcDateTime), LOCK.c.host_id, LOCK.c.online, LOCK.c.battery, held)
    new = dialect.insert(LOCK_READING).from_select(list(_COLUMNS), known.where(LOCK.c.missing.is_(False)))
    connection.execute(new.on_conflict_do_nothing())


def of_lock(connection: Connection, host: HostId, lock: LockId, since: datetime) -> list[Reading]:
    """How a lock was since an instant, in order; first the last reading before it, where there is one."""
    mine = (LOCK_READING.c.host_id == host, LOCK_READING.c.lock_id == lock)
    before = select(func.max(LOCK_READING.c.at)).where(*mine, LOCK_READING.c.at <= since).scalar_subquery()
    wanted = select(LOCK_READING).where(*mine, LOCK_READING.c.at >= func.coalesce(before, literal(since, UtcDateTime)))
    return [
        Reading(LockId(row.lock_id), HostId(row.host_id), row.at, row.online, row.battery, row.held)
        for row in connection.execute(wanted.order_by(LOCK_READING.c.at))
    ]


def forget(connection: Connection, before: datetime) -> None:
    """Forget how locks were before an instant."""
    connection.execute(delete(LOCK_READING).where(LOCK_READING.c.at < before))
