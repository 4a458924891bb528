"""Questions about what happened: the append-only history, alarms that are open, scheduled runs that were taken."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.domain.ids import CodeId, HostId, LockId, StayId
from lockbridge.storage.batch import Batch
from lockbridge.storage.tables import ALARM, HISTORY, RUN


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of history: what happened at ``at`` and why, without digits (R40)."""

    at: datetime
    host: HostId
    kind: str
    why: str
    stay: StayId | None = None
    code: CodeId | None = None
    lock: LockId | None = None


_ENTRIES = Batch(insert(HISTORY))


def write(connection: Connection, entries: Sequence[Entry]) -> None:
    """Append to the history."""
    rows = [
        {
            "host_id": entry.host,
            "at": entry.at,
            "stay_id": entry.stay,
            "code_id": entry.code,
            "lock_id": entry.lock,
            "kind": entry.kind,
            "why": entry.why,
        }
        for entry in entries
    ]
    _ENTRIES.write(connection, rows)


def of_stay(connection: Connection, host: HostId, stay: StayId, codes: Sequence[CodeId]) -> list[Entry]:
    """Everything that happened to a stay and its codes, in order."""
    theirs = or_(HISTORY.c.stay_id == stay, HISTORY.c.code_id.in_(codes))
    return _entries(connection, host, theirs)


def of_lock(connection: Connection, host: HostId, lock: LockId) -> list[Entry]:
    """Everything that happened on a lock, in order."""
    return _entries(connection, host, HISTORY.c.lock_id == lock)


def latest_of_lock(connection: Connection, host: HostId, lock: LockId, limit: int) -> list[Entry]:
    """The last things that happened on a lock, the newest first."""
    mine = select(HISTORY.c.id).where(HISTORY.c.host_id == host, HISTORY.c.lock_id == lock)
    last = mine.order_by(HISTORY.c.id.desc()).limit(limit).scalar_subquery()
    return _entries(connection, host, HISTORY.c.id.in_(last))[::-1]


def _entries(connection: Connection, host: HostId, about: Any) -> list[Entry]:
    found = select(HISTORY).where(HISTORY.c.host_id == host, about).order_by(HISTORY.c.id)
    return [
        Entry(
            row.at,
            HostId(row.host_id),
            row.kind,
            row.why,
            row.stay_id and StayId(row.stay_id),
            row.code_id and CodeId(row.code_id),
            row.lock_id and LockId(row.lock_id),
        )
        for row in connection.execute(found)
    ]


def open_alarm(
    connection: Connection, host: HostId, key: str, kind: str, facts: Mapping[str, Any], now: datetime
) -> bool:
    """Note that something is wrong. True when it is news, False when it was known (R27: told once)."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(ALARM).values(host_id=host, key=key, kind=kind, facts=dict(facts), began_at=now)
    still_open = ALARM.c.ended_at.is_(None)
    statement = statement.on_conflict_do_nothing(index_elements=["host_id", "key"], index_where=still_open)
    return connection.execute(statement.returning(ALARM.c.id)).first() is not None


def close_alarm(connection: Connection, host: HostId, key: str, now: datetime) -> bool:
    """Note that it is over. True when it had been open."""
    mine = update(ALARM).where(ALARM.c.host_id == host, ALARM.c.key == key, ALARM.c.ended_at.is_(None))
    return connection.execute(mine.values(ended_at=now)).rowcount == 1


def close_stale_alarms(connection: Connection, kinds: Sequence[str], now: datetime) -> int:
    """End alarms of kinds that have no end of their own after a day, so that they can be news again."""
    stale = (ALARM.c.kind.in_(kinds), ALARM.c.ended_at.is_(None), ALARM.c.began_at < now - timedelta(days=1))
    return connection.execute(update(ALARM).where(*stale).values(ended_at=now)).rowcount


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """Something that is wrong now."""

    host: HostId
    key: str
    kind: str
    facts: Mapping[str, Any]
    began_at: datetime


def open_alarms(connection: Connection, host: HostId) -> list[AlarmRow]:
    """What is wrong now, the longest first."""
    mine = select(ALARM).where(ALARM.c.host_id == host, ALARM.c.ended_at.is_(None)).order_by(ALARM.c.began_at)
    return [
        AlarmRow(HostId(row.host_id), row.key, row.kind, row.facts, row.began_at) for row in connection.execute(mine)
    ]


_OPEN_OF_KIND = select(ALARM).where(ALARM.c.kind == bindparam("kind"), ALARM.c.ended_at.is_(None)).order_by(ALARM.c.id)


def open_alarms_of(connection: Connection, kind: str) -> list[AlarmRow]:
    """What is wrong now in one way, of all hosts."""
    return [
        AlarmRow(HostId(row.host_id), row.key, row.kind, row.facts, row.began_at)
        for row in connection.execute(_OPEN_OF_KIND, {"kind": kind})
    ]


def erase_facts(connection: Connection, before: datetime) -> None:
    """Erase the details of alarms that ended before an instant (R45)."""
    connection.execute(update(ALARM).where(ALARM.c.ended_at < before).values(facts={}))


_DONE = select(RUN.c.name).where(
    RUN.c.name == bindparam("name"), RUN.c.scheduled_for == bindparam("scheduled_for"), RUN.c.done_at.is_not(None)
)


def is_done(connection: Connection, name: str, scheduled_for: datetime) -> bool:
    """Whether a scheduled run was taken and finished: asked often, before anything is written."""
    return connection.execute(_DONE, {"name": name, "scheduled_for": scheduled_for}).first() is not None


def take_run(connection: Connection, name: str, scheduled_for: datetime, now: datetime) -> bool:
    """Take a scheduled run. True for exactly one caller, in whichever process (R23)."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(RUN).values(name=name, scheduled_for=scheduled_for, taken_at=now, report={})
    return connection.execute(statement.on_conflict_do_nothing().returning(RUN.c.name)).first() is not None


def finish_run(
    connection: Connection, name: str, scheduled_for: datetime, now: datetime, report: Mapping[str, Any]
) -> None:
    """Note that a scheduled run is done, and what it came to."""
    mine = (RUN.c.name == name, RUN.c.scheduled_for == scheduled_for)
    connection.execute(update(RUN).where(*mine).values(done_at=now, report=dict(report)))


def forget_runs(connection: Connection, names: Collection[str]) -> None:
    """Forget the runs of these names, for good: what they were about is gone, and its number may be given again."""
    connection.execute(delete(RUN).where(RUN.c.name.in_(names)))


def take_over_run(
    connection: Connection, name: str, scheduled_for: datetime, taken_before: datetime, now: datetime
) -> bool:
    """Take over a run whose process died: taken before an instant and never done. True when it is ours now."""
    mine = (
        RUN.c.name == name,
        RUN.c.scheduled_for == scheduled_for,
        RUN.c.done_at.is_(None),
        RUN.c.taken_at < taken_before,
    )
    return connection.execute(update(RUN).where(*mine).values(taken_at=now)).rowcount == 1


@dataclass(frozen=True, slots=True)
class RunRow:
    """The last run of a scheduled task."""

    scheduled_for: datetime
    taken_at: datetime
    done_at: datetime | None
    report: Mapping[str, Any]


def last_run(connection: Connection, name: str) -> RunRow | None:
    """The last run taken of a scheduled task."""
    latest = select(RUN).where(RUN.c.name == name).order_by(RUN.c.scheduled_for.desc()).limit(1)
    row = connection.execute(latest).one_or_none()
    return RunRow(row.scheduled_for, row.taken_at, row.done_at, row.report) if row else None
