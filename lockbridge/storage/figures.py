"""Questions about the whole of it, for operators: how much there is, and how much waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from lockbridge.storage import inbox, outbox
from lockbridge.storage.tables import ALARM, LOCK, LOCK_APP, STAY


@dataclass(frozen=True, slots=True)
class Figures:
    """How much there is at one instant. Crosses hosts: for the operator only."""

    webhooks: Mapping[str, int]
    """By state: waiting, dead."""
    messages: Mapping[str, int]
    """By state."""
    alarms: Mapping[str, int]
    """Open ones, by kind."""
    accounts: Mapping[str, int]
    """Lock-app accounts, by state."""
    stays_to_plan: int
    locks: int
    locks_due: int
    locks_offline: int


def figures(connection: Connection, now: datetime) -> Figures:
    """The figures at an instant."""
    open_alarms = select(ALARM.c.kind, func.count()).where(ALARM.c.ended_at.is_(None)).group_by(ALARM.c.kind)
    accounts = select(LOCK_APP.c.state, func.count()).group_by(LOCK_APP.c.state)
    return Figures(
        webhooks=inbox.counts(connection),
        messages=outbox.counts(connection),
        alarms={row[0]: row[1] for row in connection.execute(open_alarms)},
        accounts={row[0]: row[1] for row in connection.execute(accounts)},
        stays_to_plan=connection.execute(select(func.count()).where(STAY.c.plan_at <= now)).scalar_one(),
        locks=connection.execute(select(func.count()).select_from(LOCK)).scalar_one(),
        locks_due=connection.execute(select(func.count()).where(LOCK.c.next_at <= now)).scalar_one(),
        locks_offline=connection.execute(select(func.count()).where(LOCK.c.online.is_(False))).scalar_one(),
    )
