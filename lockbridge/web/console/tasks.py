"""Long work on a page of its own: how far it has come while it runs, and what came of it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.domain.ids import TaskId
from lockbridge.storage import tasks
from lockbridge.storage.tasks import TaskRow
from lockbridge.web.desk import Desk, NotHere, Seeing
from lockbridge.web.streaming import Event, stream

router = APIRouter()

SILENT = timedelta(minutes=2)
"""Work that has said nothing for so long broke off with its process."""
GLANCE_SECONDS = 0.5
"""How often a watched piece of work is looked at."""
BEAT = 20
"""After how many looks without news a watcher is sent a sign of life."""

Back = tuple[str, str]
BACK: Mapping[str, Back] = {
    "connect": ("lock-apps", "Lock apps"),
    "resync": ("locks", "Locks"),
    "import": ("properties", "Properties"),
    "demo": ("", "Today"),
}
"""Where one goes back to from each kind of work."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A piece of work as its page shows it. ``state``: running, done, failed, broke off."""

    task: TaskRow
    state: str

    @property
    def running(self) -> bool:
        """Whether there is something to wait for."""
        return self.state == "running"

    @property
    def back(self) -> Back:
        """The page it was started from, and its name; its report may know better."""
        path, label = BACK.get(self.task.kind, ("", "Today"))
        return self.task.report.get("back", path), self.task.report.get("back_label", label)


def watched(task: TaskRow, now: datetime) -> Watched:
    """The work as it stands: a report that names a problem is a failure, and silence is the end."""
    if task.state == "running":
        return Watched(task, "broke off" if now - task.seen_at > SILENT else "running")
    return Watched(task, "failed" if task.report.get("problem") else task.state)


@router.get("/tasks/{task}")
async def show(desk: Seeing, task: int) -> Response:
    """The work, its progress or its report."""
    seen = await _watched(desk, TaskId(task))
    shown = {"watched": seen, "task": seen.task, "report": seen.task.report}
    return desk.page("console/tasks/task.html", {"part": seen.back[0], **shown})


async def _watched(desk: Desk, task: TaskId) -> Watched:
    row = await desk.services.database.ask(tasks.get, desk.host, task)
    if row is None:
        raise NotHere
    return watched(row, desk.services.clock.now())


@router.get("/tasks/{task}/live")
async def live(desk: Seeing, task: int) -> Response:
    """Says ``changed`` each time the work has come further, and ``done`` when there is nothing more to wait for."""
    return stream(desk.request, _steps(desk, await _watched(desk, TaskId(task))))


async def _steps(desk: Desk, seen: Watched) -> AsyncGenerator[Event, None]:
    """The events of a stream, until the work ends."""
    yield Event("changed")
    quiet = 0
    while seen.running:
        await asyncio.sleep(GLANCE_SECONDS)
        before, seen = seen, await _watched(desk, seen.task.id)
        quiet = 0 if seen != before else quiet + 1
        if not quiet:
            yield Event("changed")
        elif not quiet % BEAT:
            yield Event()
    yield Event("done")
