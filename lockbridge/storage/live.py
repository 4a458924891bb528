"""A cheap question, asked often: whether anything of a host has changed that a page may show."""

from datetime import datetime
from hashlib import blake2b
from typing import Any

from sqlalchemy import Column, Connection, Integer, ScalarSelect, Table, case, cast, func, select

from lockbridge.domain.ids import HostId
from lockbridge.storage.tables import ALARM, AUDIT, DELIVERY, HISTORY, LOCK, LOCK_APP, SOURCE, TASK

Mark = tuple[int, ...]
"""Numbers that are others when something has changed."""


def mark(connection: Connection, host: HostId) -> Mark:
    """What a host's pages depend on, as numbers: history, deeds, work, alarms, how locks and accounts are.

    Each is a look at the end of an index, or at the host's few locks and accounts.
    """
    latest = [_latest(table, host) for table in (HISTORY, AUDIT, TASK, DELIVERY)]
    counted = [*_alarms(host), *_locks(host), _refused(LOCK_APP, host), _refused(SOURCE, host), _read(host)]
    row = connection.execute(select(*latest, *counted)).one()
    return tuple(_number(value) for value in row)


def token(seen: Mark) -> str:
    """A mark as a browser keeps it."""
    return blake2b(repr(seen).encode(), digest_size=8).hexdigest()


def _number(value: Any) -> int:
    """What the database said, as a number: instants in whole seconds."""
    return int(value.timestamp()) if isinstance(value, datetime) else int(value or 0)


def _latest(table: Table, host: HostId) -> ScalarSelect[Any]:
    mine = select(table.c.id).where(table.c.host_id == host).order_by(table.c.host_id.desc(), table.c.id.desc())
    return mine.limit(1).scalar_subquery()


def _alarms(host: HostId) -> list[ScalarSelect[Any]]:
    still_open = (ALARM.c.host_id == host, ALARM.c.ended_at.is_(None))
    return [select(what).where(*still_open).scalar_subquery() for what in (func.count(), func.max(ALARM.c.id))]


def _locks(host: HostId) -> list[ScalarSelect[Any]]:
    """How many are offline, low, full, gone, refusing; and their battery levels in whole per cent, summed up."""
    troubles = [func.count(LOCK.c[name]) for name in ("offline_since", "low_since", "full_since", "refused_since")]
    gone = func.sum(cast(LOCK.c.missing, Integer))
    level = func.sum(cast(LOCK.c.battery * 100, Integer))
    online = func.sum(_weighed(LOCK.c.online))
    return [
        select(what).where(LOCK.c.host_id == host).scalar_subquery()
        for what in (*troubles, gone, level, online, func.count())
    ]


def _weighed(online: Column[Any]) -> Any:
    """A lock's state by its number, so that one coming and another going do not make up for each other."""
    return case((online.is_(True), LOCK.c.id), else_=0)


def _refused(table: Table, host: HostId) -> ScalarSelect[Any]:
    refused = select(func.count()).where(table.c.host_id == host, table.c.state != "connected")
    return refused.scalar_subquery()


def _read(host: HostId) -> ScalarSelect[Any]:
    """When bookings were last asked for."""
    return select(func.max(SOURCE.c.read_at)).where(SOURCE.c.host_id == host).scalar_subquery()
