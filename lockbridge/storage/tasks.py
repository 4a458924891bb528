"""Questions about long work that somebody has started and watches."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from lockbridge.domain.ids import HostId, TaskId
from lockbridge.storage.tables import TASK


@dataclass(frozen=True, slots=True)
class TaskRow:
    """Long work. ``state``: running, done, failed; ``line`` is what it does now, or why it failed."""

    id: TaskId
    host: HostId
    kind: str
    title: str
    who: str
    state: str
    done: int
    total: int
    line: str
    report: Mapping[str, Any]
    started_at: datetime
    seen_at: datetime
    ended_at: datetime | None


def _to_task(row: Row[Any]) -> TaskRow:
    return TaskRow(
        TaskId(row.id),
        HostId(row.host_id),
        row.kind,
        row.title,
        row.who,
        row.state,
        row.done,
        row.total,
        row.line,
        row.report,
        row.started_at,
        row.seen_at,
        row.ended_at,
    )


def begin(connection: Connection, host: HostId, kind: str, title: str, who: str, now: datetime) -> TaskId:
    """Store work that begins."""
    values = {"host_id": host, "kind": kind, "title": title, "who": who, "report": {}, "started_at": now}
    new = insert(TASK).values(**values, state="running", done=0, total=0, line="", seen_at=now)
    return TaskId(connection.execute(new.returning(TASK.c.id)).scalar_one())


def note(connection: Connection, task: TaskId, values: Mapping[str, Any]) -> None:
    """Note how far it has come."""
    connection.execute(update(TASK).where(TASK.c.id == task).values(**values))


def get(connection: Connection, host: HostId, task: TaskId) -> TaskRow | None:
    """One piece of work of this host."""
    row = connection.execute(select(TASK).where(TASK.c.host_id == host, TASK.c.id == task)).one_or_none()
    return None if row is None else _to_task(row)


def forget(connection: Connection, before: datetime) -> None:
    """Forget work that began before an instant, and its reports."""
    connection.execute(delete(TASK).where(TASK.c.started_at < before))
