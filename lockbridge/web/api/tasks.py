"""Tasks: long work that goes on in the background, and how far it has come."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import Field

from lockbridge.domain.ids import TaskId
from lockbridge.domain.people import Scope
from lockbridge.storage import tasks as stored
from lockbridge.storage.tasks import TaskRow
from lockbridge.web.api.calls import at, resource
from lockbridge.web.api.keys import Caller, Calling
from lockbridge.web.api.problems import not_found
from lockbridge.web.api.shapes import Shown, TaskNumber

router = resource()
SILENT = timedelta(minutes=2)
"""Work that has said nothing for so long broke off with its process."""
OF_PAGES = ("back", "back_label", "form", "typed")
"""What reports say to the console's pages only."""


class TaskState(StrEnum):
    """How it stands with a task."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class TaskShown(Shown):
    """Long work."""

    id: int = Field(examples=[7])
    kind: str = Field(examples=["resync"])
    title: str = Field(examples=["Resync of Front door"])
    state: TaskState
    line: str = Field(description="What is being done now, or why it failed.")
    done: int = Field(description="How many things are done …")
    total: int = Field(description="… of how many; 0: not known.")
    report: dict[str, Any] = Field(
        description="What came of it. Of a resync, of each of `locks`: how many codes were pushed, kept, corrected, "
        "removed and failed, and in `unread` why it could not be read.",
        examples=[{"locks": [{"id": 5, "name": "Front door", "pushed": 1, "kept": 4, "unread": None}]}],
    )
    started_at: datetime
    ended_at: datetime | None


@router.get("/tasks/{task}", tags=["Locks"], summary="Show a task", **at(Scope.LOCKS_READ))
async def show_task(caller: Calling, task: TaskNumber) -> TaskShown:
    """Ask every second or two until `state` is not `running`."""
    return await show(caller, TaskId(task))


async def show(caller: Caller, task: TaskId) -> TaskShown:
    """A task as callers see it. Raises Problem."""
    row = await caller.services.database.ask(stored.get, caller.host, task)
    if row is None:
        raise not_found(task, "task")
    return TaskShown(
        id=row.id,
        kind=row.kind,
        title=row.title,
        state=_state(row, caller.services.clock.now()),
        line=row.line,
        done=row.done,
        total=row.total,
        report={name: value for name, value in row.report.items() if name not in OF_PAGES},
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def _state(row: TaskRow, now: datetime) -> TaskState:
    if row.state == TaskState.RUNNING and now - row.seen_at > SILENT:
        return TaskState.FAILED
    return TaskState(row.state)
