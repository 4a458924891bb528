"""One question for whoever waits: when is the next thing to be done, of each kind?"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from lockbridge.storage.tables import DELIVERY, LOCK, LOCK_APP, MESSAGE, PLACEMENT, REREAD, SOURCE, STAY


@dataclass(frozen=True, slots=True)
class NextDue:
    """When each kind of work is due next; None: nothing waits. What cannot go on yet may lie in the past."""

    inbox: datetime | None
    ask: datetime | None
    """A reservation, at its source."""
    sources: datetime | None
    book: datetime | None
    push: datetime | None
    watch: datetime | None
    outbox: datetime | None


_CONNECTED = select(LOCK_APP.c.id).where(LOCK_APP.c.state == "connected")
_READABLE = select(SOURCE.c.id).where(SOURCE.c.state == "connected")
_NEXT = select(
    select(func.min(DELIVERY.c.next_at)).scalar_subquery(),
    select(func.min(REREAD.c.next_at)).where(REREAD.c.source_id.in_(_READABLE)).scalar_subquery(),
    select(func.min(SOURCE.c.next_at)).where(SOURCE.c.state == "connected").scalar_subquery(),
    select(func.min(STAY.c.plan_at)).scalar_subquery(),
    select(func.min(LOCK.c.next_at)).where(LOCK.c.lock_app_id.in_(_CONNECTED)).scalar_subquery(),
    select(func.min(PLACEMENT.c.watch_at)).scalar_subquery(),
    select(func.min(MESSAGE.c.next_at)).scalar_subquery(),
)


def next_due(connection: Connection) -> NextDue:
    """When the engine has to be knocked at next."""
    return NextDue(*connection.execute(_NEXT).one())
