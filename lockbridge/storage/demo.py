"""Making a host a demo host, and taking everything of one away again."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, update

from lockbridge.domain.ids import HostId
from lockbridge.storage.tables import (
    ACCESS_TOKEN,
    HOST,
    LOCK,
    LOCK_APP,
    MEMBERSHIP,
    SOURCE,
    SOURCE_TOKEN,
    metadata,
)

THROUGH = {ACCESS_TOKEN: (ACCESS_TOKEN.c.lock_app_id, LOCK_APP), SOURCE_TOKEN: (SOURCE_TOKEN.c.source_id, SOURCE)}
"""Tables whose rows belong to a host by way of another table."""


def mark(connection: Connection, host: HostId) -> None:
    """Make a host a demo host, which no alarm is written about to anybody."""
    connection.execute(update(HOST).where(HOST.c.id == host).values(is_demo=True, email_sealed=None))


def is_demo(connection: Connection, host: HostId) -> bool:
    """Whether a host is a demo host."""
    return bool(connection.execute(select(HOST.c.is_demo).where(HOST.c.id == host)).scalar_one_or_none())


def of_person(connection: Connection, person: int) -> tuple[HostId, str] | None:
    """The demo host somebody works for: its number and name."""
    mine = select(HOST.c.id, HOST.c.name).join(MEMBERSHIP, MEMBERSHIP.c.host_id == HOST.c.id)
    row = connection.execute(mine.where(MEMBERSHIP.c.person_id == person, HOST.c.is_demo).limit(1)).first()
    return None if row is None else (HostId(row.id), row.name)


def is_busy(connection: Connection, host: HostId, now: datetime) -> bool:
    """Whether somebody is at a lock of the host just now."""
    busy = (LOCK.c.host_id == host, LOCK.c.lease.is_not(None), LOCK.c.lease_until > now)
    return connection.execute(select(func.count()).select_from(LOCK).where(*busy)).scalar_one() > 0


def remove(connection: Connection, host: HostId) -> None:
    """Delete every row of a host, of those tables first that point to others."""
    for table in reversed(metadata.sorted_tables):
        if (mine := _of(table, host)) is not None:
            connection.execute(delete(table).where(mine))
    connection.execute(delete(HOST).where(HOST.c.id == host))


def _of(table: Table, host: HostId) -> ColumnElement[bool] | None:
    """Which rows of a table belong to a host; None: it holds none of any host."""
    if table in THROUGH:
        column, owner = THROUGH[table]
        return column.in_(select(owner.c.id).where(owner.c.host_id == host))
    return table.c.host_id == host if "host_id" in table.c else None
