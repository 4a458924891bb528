"""What is done once a day for every host: locks listed anew and noted, backup pools filled, old data erased."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from lockbridge.contract import ProviderError
from lockbridge.domain.ids import LockId
from lockbridge.storage import api_answers, hosts, journal, locks, people, readings, tasks
from lockbridge.storage.hosts import LockAppRow
from lockbridge.workflows import backup, reservations
from lockbridge.workflows.clean_up import clean_up
from lockbridge.workflows.connect import sync_locks
from lockbridge.workflows.ports import Tools, transact

PAGE = 100
READINGS_KEPT = timedelta(days=400)
"""How long it is remembered how locks were."""
TASKS_KEPT = timedelta(days=30)
"""How long the report of long work can be read."""


async def keep_house(tools: Tools, now: datetime) -> None:
    """Do what has not been done yet today (UTC), once over all processes; each time fill pools, weigh disagreements."""
    await fill_pools(tools, now)
    await transact(tools, lambda c: reservations.weigh_again(c, tools, now))
    await _once_a_day(tools, "clean up", lambda: clean_up(tools, now), now)
    await _once_a_day(tools, "list locks", lambda: list_and_note(tools, now), now)


async def _once_a_day(tools: Tools, name: str, work: Callable[[], Awaitable[object]], now: datetime) -> None:
    slot = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if await tools.database.ask(journal.is_done, name, slot):
        return
    if not await transact(tools, lambda c: journal.take_run(c, name, slot, now)):
        return
    await work()
    await transact(tools, lambda c: journal.finish_run(c, name, slot, now, {}))


async def fill_pools(tools: Tools, now: datetime) -> int:
    """See that every matched lock has its backups (R25). How many codes were made or ended."""
    matched = await tools.database.ask(locks.matched_locks)
    changed = 0
    for start in range(0, len(matched), PAGE):
        page = matched[start : start + PAGE]
        changed += await transact(tools, partial(_fill, tools=tools, page=page, now=now))
    return changed


def _fill(connection: Connection, tools: Tools, page: list[LockId], now: datetime) -> int:
    changed = backup.replenish(connection, tools, page, now)
    for lock in locks.by_ids(connection, page).values():
        backup.refilled(connection, tools, lock, now)
    return changed


async def list_and_note(tools: Tools, now: datetime) -> None:
    """List the locks of every account anew, and keep how they are."""
    await list_locks(tools, now)
    await transact(tools, lambda c: _keep_records(c, now))


async def list_locks(tools: Tools, now: datetime) -> None:
    """Ask every connected account for its locks: new ones, changed rules, other names."""
    for app in await tools.database.ask(_accounts, tools):
        try:
            await sync_locks(tools, app, now)
        except ProviderError as error:
            tools.log.warning("a lock app could not list its locks", account=app.id, kind=error.kind.value)


def _keep_records(connection: Connection, now: datetime) -> None:
    """How every lock is today is kept; how they were long ago is forgotten, and what is over or was long reported."""
    readings.note_all(connection, now)
    readings.forget(connection, now - READINGS_KEPT)
    tasks.forget(connection, now - TASKS_KEPT)
    people.forget_over(connection, now)
    api_answers.forget_over(connection, now)


def _accounts(connection: Connection, tools: Tools) -> list[LockAppRow]:
    every = (
        hosts.lock_apps_of_host(connection, tools.vault, host.id) for host in hosts.all_hosts(connection, tools.vault)
    )
    return [app for apps in every for app in apps if app.state == "connected"]
