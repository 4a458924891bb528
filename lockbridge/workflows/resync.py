"""Resetting every code that lockbridge wants on a lock (R32): read, put back, correct, remove. Foreign codes stay."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from lockbridge.domain.ids import LockId
from lockbridge.storage import journal
from lockbridge.workflows import push
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.push import Tally

PATIENCE = timedelta(minutes=5)
"""How long a resync that is being run elsewhere is waited for."""
GLANCE = 0.2
"""Seconds between looks at a resync that is being run elsewhere."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a resync came to. ``joined``: somebody else was running it, this is their report."""

    pushed: int = 0
    kept: int = 0
    corrected: int = 0
    removed: int = 0
    failed: int = 0
    unread: str | None = None
    joined: bool = False


async def resync(tools: Tools, lock: LockId, now: datetime, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Reset a lock's codes and report. A second call while one runs joins it."""
    name = f"resync:{lock}"
    if not await transact(tools, lambda c: _take(c, name, now)):
        progress("a resync of this lock is running: waiting for it")
        return await _join(tools, name)
    progress("reading the lock and comparing it with what is wanted")
    report = await _run(tools, lock, now)
    await transact(tools, lambda c: journal.finish_run(c, name, _slot(c, name, now), now, asdict(report)))
    return report


def _take(connection: Connection, name: str, now: datetime) -> bool:
    latest = journal.last_run(connection, name)
    if latest is not None and latest.done_at is None and latest.taken_at > now - PATIENCE:
        return False
    return journal.take_run(connection, name, now, now)


def _slot(connection: Connection, name: str, now: datetime) -> datetime:
    latest = journal.last_run(connection, name)
    return latest.scheduled_for if latest else now


async def _run(tools: Tools, lock: LockId, now: datetime) -> Report:
    tallies = await push.attend_to(tools, [lock], now)
    tally = tallies.get(lock) or Tally(unread="somebody else is attending to this lock: try again in a moment")
    return Report(tally.pushed, max(tally.kept, 0), tally.corrected, tally.removed, tally.failed, tally.unread)


async def _join(tools: Tools, name: str) -> Report:
    for _ in range(int(PATIENCE.total_seconds() / GLANCE)):
        latest = await tools.database.ask(journal.last_run, name)
        if latest is not None and latest.done_at is not None:
            return Report(**{**latest.report, "joined": True})
        await asyncio.sleep(GLANCE)
    return Report(unread="the resync that is running did not end in time", joined=True)
