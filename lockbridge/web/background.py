"""Long work that goes on while its page shows how far it has come: started by a form, kept in the database."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from lockbridge.contract import ProviderError
from lockbridge.domain.ids import HostId, TaskId
from lockbridge.services import Services
from lockbridge.storage import tasks
from lockbridge.storage.database import StorageUnavailable
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.ports import transact

BROKE_OFF = "something went wrong in lockbridge itself; it is in the log. What was done until then stays done"


@dataclass(frozen=True, slots=True)
class Progress:
    """How a piece of work says how far it has come."""

    services: Services
    task: TaskId

    async def say(self, line: str, done: int = 0, total: int = 0) -> None:
        """What it does now, and how many of how many things are done. No digits, no names of guests."""
        values = {"line": line, "done": done, "total": total, "seen_at": self.services.clock.now()}
        await transact(self.services, lambda c: tasks.note(c, self.task, values))


Work = Callable[[Progress], Awaitable[Mapping[str, Any]]]
"""The work; what it returns is its report, for the page: plain values, no digits."""


@dataclass
class Background:
    """The work under way in this process."""

    services: Services
    running: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, host: HostId, kind: str, title: str, who: str, work: Work) -> TaskId:
        """Begin the work; its page is ``tasks/<id>`` of the host. ``kind`` names the template of its report."""
        now = self.services.clock.now()
        number = await transact(self.services, lambda c: tasks.begin(c, host, kind, title, who, now))
        running = asyncio.create_task(self._run(Progress(self.services, number), work))
        self.running.add(running)
        running.add_done_callback(self.running.discard)
        return number

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for."""
        running = asyncio.create_task(work)
        self.running.add(running)
        running.add_done_callback(self.running.discard)

    async def _run(self, progress: Progress, work: Work) -> None:
        try:
            values: dict[str, Any] = {"state": "done", "report": dict(await work(progress))}
        except (BadInput, ProviderError, StorageUnavailable) as error:
            values = {"state": "failed", "line": str(error)}
        except Exception:  # the edge of the work: whoever watches must learn that it ended
            self.services.log.exception("work that somebody watched broke off", task=progress.task)
            values = {"state": "failed", "line": BROKE_OFF}
        values["ended_at"] = values["seen_at"] = self.services.clock.now()
        await transact(self.services, lambda c: tasks.note(c, progress.task, values))

    async def finish(self) -> None:
        """Wait for what is under way."""
        while self.running:
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*self.running, return_exceptions=True)
