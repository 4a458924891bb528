"""Opening a door from afar, where its lock can: asked for by a person, written down whatever comes of it."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from lockbridge.contract import OutcomeUnknown, ProviderError
from lockbridge.domain.ids import HostId, LockId, StayId
from lockbridge.storage import hosts, journal, locks
from lockbridge.storage.hosts import LockAppRow
from lockbridge.storage.journal import Entry
from lockbridge.storage.locks import LockRow
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.ports import Tools, transact

PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Opening:
    """Which door is to be opened, who asks, and – where a guest stands before it – for which stay."""

    host: HostId
    lock: LockId
    who: str
    stay: StayId | None = None


async def open_door(tools: Tools, opening: Opening, now: datetime) -> LockRow:
    """Open the door now. Raises BadInput where this lock cannot, ProviderError when it did not or nobody knows."""
    row, app = await tools.database.ask(_known, tools, opening)
    if not row.capabilities.can_open:
        msg = f"{row.name} cannot be opened from afar: its lock app does not offer it"
        raise BadInput(msg)
    try:
        await _ask(tools, row, app)
    except ProviderError as error:
        await _write_down(tools, opening, "door_not_opened", f"{opening.who} asked to open the door: {error}", now)
        raise
    await _write_down(tools, opening, "door_opened", f"opened from afar by {opening.who}", now)
    return row


def _known(connection: Connection, tools: Tools, opening: Opening) -> tuple[LockRow, LockAppRow]:
    row = locks.get_lock(connection, opening.host, opening.lock)
    if row is None:
        msg = f"this host has no lock {opening.lock}"
        raise BadInput(msg)
    return row, hosts.lock_apps(connection, tools.vault, [row.app])[row.app]


async def _ask(tools: Tools, row: LockRow, app: LockAppRow) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), tools.accounts.gate(app):
            await tools.accounts.provider(app).open_door(row.ref)
    except TimeoutError:
        msg = f"{app.name} did not answer within {PATIENCE_SECONDS} s: the door may be open, go and look"
        raise OutcomeUnknown(msg) from None


async def _write_down(tools: Tools, opening: Opening, kind: str, why: str, now: datetime) -> None:
    entry = Entry(now, opening.host, kind, why, opening.stay, lock=opening.lock)
    await transact(tools, lambda c: journal.write(c, [entry]))
