"""What a match or an unmatch would do to a lock, without doing it (R47): the same planner, run dry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, LockId, PropertyId
from lockbridge.domain.lock import Readback
from lockbridge.domain.observe import from_memory, observe
from lockbridge.domain.placement import Placement
from lockbridge.domain.plan import Plan, preview
from lockbridge.domain.seen import SeenCode
from lockbridge.storage import hosts, locks, stays
from lockbridge.storage.locks import LockRow
from lockbridge.workflows import book
from lockbridge.workflows.connect import BadInput, match_in, unmatch_in
from lockbridge.workflows.ports import Tools, transact


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be wanted on a lock, and what would be asked of it now."""

    lock: LockRow
    before: Sequence[Placement]
    wanted: Sequence[Placement]
    plan: Plan


class _Undone(Exception):
    """Carries what was found out of a transaction, which is thereby rolled back."""

    def __init__(self, before: Sequence[Placement], wanted: Sequence[Placement]) -> None:
        super().__init__()
        self.before = before
        self.wanted = wanted


async def preview_match(
    tools: Tools, host: HostId, property_id: PropertyId, lock: LockId, now: datetime, *, matched: bool
) -> Preview:
    """What matching a lock with a property (or, not ``matched``, unmatching it) would do now.

    Raises BadInput, ProviderError.
    """
    row, codes = await _look(tools, host, lock)
    try:
        await transact(tools, lambda c: _try(c, tools, row, property_id, now, matched=matched))
    except _Undone as tried:
        observation = from_memory(tried.wanted, now) if codes is None else observe(tried.wanted, codes)
        return Preview(row, tried.before, tried.wanted, preview(row.capabilities, tried.wanted, observation, now))
    raise AssertionError  # the trial always ends in _Undone


async def _look(tools: Tools, host: HostId, lock: LockId) -> tuple[LockRow, Sequence[SeenCode] | None]:
    row = await tools.database.ask(locks.get_lock, host, lock)
    if row is None:
        msg = f"this host has no lock {lock}: 'lockbridge lock list' shows them"
        raise BadInput(msg)
    if row.capabilities.readback is Readback.NONE:
        return row, None
    apps = await tools.database.ask(hosts.lock_apps, tools.vault, [row.app])
    app = apps[row.app]
    async with tools.accounts.gate(app):
        return row, await tools.accounts.provider(app).list_codes(row.ref)


def _try(
    connection: Connection, tools: Tools, lock: LockRow, property_id: PropertyId, now: datetime, *, matched: bool
) -> None:
    before = locks.live_placements(connection, tools.vault, lock.id)
    change = match_in if matched else unmatch_in
    change(connection, tools, lock.host, property_id, lock.id, now)
    due = stays.due_for_planning(connection, now, MOST)
    book.book_stays(connection, tools, [(stay, at) for stay, at in due if at == property_id], now)
    raise _Undone(before, locks.live_placements(connection, tools.vault, lock.id))


MOST = 10_000
"""More stays than these do not wait to be planned at once."""
