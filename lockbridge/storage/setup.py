"""Questions about the guided start: what a host has set up so far, and what they said about its steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, exists, func, select, update

from lockbridge.domain.ids import HostId
from lockbridge.domain.start import Progress
from lockbridge.storage.tables import DELIVERY, ENDPOINT, HOST, LOCK_APP, MATCH, PROPERTY, SOURCE


@dataclass(frozen=True, slots=True)
class Setup:
    """How far a host has come; ``said`` is what they chose on the way, by name."""

    progress: Progress
    said: Mapping[str, Any]


def of_host(connection: Connection, host: HostId) -> Setup | None:
    """How far a host has come. One statement."""
    theirs = (ENDPOINT.c.host_id == host, ENDPOINT.c.lock_app_id.is_(None), DELIVERY.c.endpoint_id == ENDPOINT.c.id)
    columns = (
        HOST.c.setup,
        *(_number(table, host).label(table.name) for table in (LOCK_APP, PROPERTY, MATCH, SOURCE)),
        exists(select(DELIVERY.c.id).where(*theirs)).label("heard"),
    )
    row = connection.execute(select(*columns).where(HOST.c.id == host)).one_or_none()
    if row is None:
        return None
    said = row.setup or {}
    return Setup(
        Progress(
            lock_apps=row.lock_app,
            properties=row.property,
            matches=row.match,
            sources=row.source,
            heard=bool(row.heard),
            messages_seen=bool(said.get("messages_seen")),
        ),
        said,
    )


def _number(table: Any, host: HostId) -> Any:
    return select(func.count()).select_from(table).where(table.c.host_id == host).scalar_subquery()


def say(connection: Connection, host: HostId, values: Mapping[str, Any]) -> None:
    """Keep what a host chose, beside what they chose before; a value of None is forgotten."""
    mine = HOST.c.id == host
    before = connection.execute(select(HOST.c.setup).where(mine).with_for_update()).scalar_one() or {}
    after = {name: value for name, value in {**before, **values}.items() if value is not None}
    connection.execute(update(HOST).where(mine).values(setup=after))
