"""What locks themselves noted: asked of their lock apps, where these have a log."""

from datetime import datetime

from sqlalchemy import Connection

from lockbridge.contract import LockEvent
from lockbridge.domain.ids import LockId
from lockbridge.storage import hosts
from lockbridge.storage.locks import LockRow
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.ports import Tools


async def of_lock(tools: Tools, lock: LockRow, since: datetime, limit: int) -> list[LockEvent]:
    """The last things a lock noted since an instant, the newest first. Raises BadInput, ProviderError."""
    if not lock.capabilities.has_log:
        msg = f"{lock.name} has no log that its lock app tells"
        raise BadInput(msg)
    apps = await tools.database.ask(hosts.lock_apps, tools.vault, [lock.app])
    app = apps[lock.app]
    async with tools.accounts.gate(app):
        found = await tools.accounts.log(app).activity(lock.ref, since, limit)
    return sorted(found, key=lambda event: event.at, reverse=True)[:limit]


def zone_of(connection: Connection, lock: LockId) -> str:
    """On whose clock a lock's events are told: that of a property it opens."""
    places = hosts.properties(connection, hosts.properties_of_lock(connection, lock))
    return min((place.zone for place in places.values()), default="UTC")
