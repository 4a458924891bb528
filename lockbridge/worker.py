"""The clock: a few ticks that knock on the workflows with ``now``. All state is in the database (laws 2 and 3).

APScheduler only says when; what is due is found in the tables, so losing a tick, or the process, loses nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from lockbridge.services import Services
from lockbridge.workflows import book, healthcheck, housekeeping, notify, push, receive, sync

Tick = Callable[[Services, datetime], Awaitable[Any]]

PATIENCE = timedelta(seconds=20)
"""How long a stopping worker waits for the calls that are under way."""


@dataclass(frozen=True, slots=True)
class Job:
    """One tick: what it calls and how often, in multiples of the setting ``worker.tick_seconds``."""

    name: str
    tick: Tick
    every: int


HEALTHCHECK = Job("healthcheck", healthcheck.daily_if_due, 60)
JOBS = (
    Job("inbox", receive.read_deliveries, 1),
    Job("ask", sync.ask_due, 1),
    Job("sources", sync.read_due, 5),
    Job("book", book.book_due, 1),
    Job("push", push.push_due, 1),
    Job("watch", healthcheck.watch_due, 1),
    Job("outbox", notify.send_due, 1),
    HEALTHCHECK,
    Job("housekeeping", housekeeping.keep_house, 600),
)


async def run_once(services: Services, now: datetime) -> None:
    """Every tick once, in the order in which a booking passes through them."""
    for job in JOBS:
        await job.tick(services, now)


@dataclass
class Worker:
    """Runs the ticks until it is stopped. A tick never overlaps itself; one that breaks off is tried again."""

    services: Services
    tick_seconds: float = 1.0
    scheduler: AsyncIOScheduler = field(default_factory=lambda: AsyncIOScheduler(timezone="UTC"))
    running: set[asyncio.Task[Any]] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    ticked_at: datetime | None = None
    """When the last tick ended, well or not: a worker that hangs ends none."""

    def start(self) -> None:
        """Begin to tick, in the running event loop."""
        for job in JOBS:
            every = IntervalTrigger(seconds=job.every * self.tick_seconds)
            self._add(job, every, job.name, at_once=True)
        eight = CronTrigger(hour=8, timezone="America/New_York")
        self._add(HEALTHCHECK, eight, "healthcheck at eight", at_once=False)
        self.scheduler.start()

    def _add(self, job: Job, trigger: Any, name: str, *, at_once: bool) -> None:
        options: dict[str, Any] = {"next_run_time": self.services.clock.now()} if at_once else {}
        self.scheduler.add_job(
            self._knock,
            trigger,
            args=[job],
            id=name,
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
            **options,
        )

    async def _knock(self, job: Job) -> None:
        task = asyncio.ensure_future(self._tick(job))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:  # it took longer than the patience at the end: the scheduler need not complain
            if not self.services.stopping.is_set():
                raise

    async def _tick(self, job: Job) -> None:
        """One tick; an outage is logged once when it begins and once when it ends (law 12)."""
        try:
            await job.tick(self.services, self.services.clock.now())
        except Exception as error:  # noqa: BLE001 - the edge of a tick: the next one tries again
            if job.name not in self.failing:
                self.failing.add(job.name)
                kind = type(error).__name__
                self.services.log.error("a tick fails", tick=job.name, kind=kind, where=push.place_of(error))  # noqa: TRY400 - a traceback's message may hold digits
        else:
            if job.name in self.failing:
                self.failing.discard(job.name)
                self.services.log.info("a tick works again", tick=job.name)
        self.ticked_at = self.services.clock.now()

    async def stop(self) -> None:
        """Start nothing more, and give what is under way a moment to write down what came of it."""
        self.services.stopping.set()
        self.scheduler.pause()
        if self.running:
            await asyncio.wait(self.running, timeout=PATIENCE.total_seconds())
        self.scheduler.shutdown(wait=False)
