"""Resetting every code that lockbridge wants on a lock (R32): read, put back, correct, remove. Foreign codes stay."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import Connection

from lockbridge.domain.ids import LockId
from lockbridge.storage import hosts, journal, locks
from lockbridge.workflows import push
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.push import Tally

PATIENCE = timedelta(minutes=5)
"""How long a resync that is being run elsewhere is waited for."""
GLANCE = 0.2
"""Seconds between looks at a resync that is being run elsewhere."""
AT_ONCE = 16
"""How many locks are resynced side by side."""

Watch: TypeAlias = Callable[[str, int, int], Awaitable[None]]
"""Told what is being done, and how many of how many things are done."""


async def unwatched(_line: str, _done: int, _total: int) -> None:
    """Nobody watches."""


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


async def resync(tools: Tools, lock: LockId, now: datetime, watch: Watch = unwatched) -> Report:
    """Reset a lock's codes and report. A second call while one runs joins it."""
    name = run_of(lock)
    if not await transact(tools, lambda c: _take(c, name, now)):
        await watch("a resync of this lock is running already: waiting for its report", 0, 0)
        return await _join(tools, name)
    await watch("reading the lock and comparing it with what is wanted", 0, 0)
    report = await _run(tools, lock, now, watch)
    await transact(tools, lambda c: journal.finish_run(c, name, _slot(c, name, now), now, asdict(report)))
    return report


async def resync_all(
    tools: Tools, chosen: Sequence[LockId], now: Callable[[], datetime], watch: Watch = unwatched
) -> list[Report]:
    """Resync several locks side by side; the reports in the order of ``chosen``. One alone is told code by code."""
    if len(chosen) == 1:
        return [await resync(tools, chosen[0], now(), watch)]
    room, done, total = asyncio.Semaphore(AT_ONCE), 0, len(chosen)

    async def one(lock: LockId) -> Report:
        nonlocal done
        async with room:
            report = await resync(tools, lock, now())
        done += 1
        await watch(f"{done} of {total} locks are done", done, total)
        return report

    await watch("reading the locks and putting right what differs", 0, total)
    return await asyncio.gather(*(one(lock) for lock in chosen))


def run_of(lock: LockId) -> str:
    """Under which the ledger keeps the resyncs of a lock."""
    return f"resync:{lock}"


def _take(connection: Connection, name: str, now: datetime) -> bool:
    latest = journal.last_run(connection, name)
    if latest is not None and latest.done_at is None and latest.taken_at > now - PATIENCE:
        return False
    return journal.take_run(connection, name, now, now)


def _slot(connection: Connection, name: str, now: datetime) -> datetime:
    latest = journal.last_run(connection, name)
    return latest.scheduled_for if latest else now


async def _run(tools: Tools, lock: LockId, now: datetime, watch: Watch) -> Report:
    async def heard(done: int, total: int) -> None:
        await watch("putting right what differs, code by code", done, total)

    tallies = await push.attend_to(tools, [lock], now, heard=heard)
    tally = tallies.get(lock) or Tally(unread=await tools.database.ask(_why_not, tools, lock, now))
    return Report(tally.pushed, max(tally.kept, 0), tally.corrected, tally.removed, tally.failed, tally.unread)


def _why_not(connection: Connection, tools: Tools, lock: LockId, now: datetime) -> str:
    """Why a lock was not attended to."""
    row = locks.by_ids(connection, [lock]).get(lock)
    if row is None or row.missing:
        return "the lock is gone from its lock app"
    app = hosts.lock_apps(connection, tools.vault, [row.app])[row.app]
    if app.state != "connected":
        return f"{app.name} does not let lockbridge in: reconnect it first"
    if app.blocked_until is not None and app.blocked_until > now:
        return f"{app.name} asks for fewer calls: try again in some minutes"
    return "somebody else is attending to this lock: try again in a moment"


async def _join(tools: Tools, name: str) -> Report:
    for _ in range(int(PATIENCE.total_seconds() / GLANCE)):
        latest = await tools.database.ask(journal.last_run, name)
        if latest is not None and latest.done_at is not None:
            return Report(**{**latest.report, "joined": True})
        await asyncio.sleep(GLANCE)
    return Report(unread="the resync that is running did not end in time", joined=True)
