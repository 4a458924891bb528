"""Why things are as they are (R39, R40): the history of a stay, its codes and messages, and what happens next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from lockbridge.domain.code import Pin
from lockbridge.domain.ids import HostId, LockId, StayId
from lockbridge.domain.status import Shown, shown
from lockbridge.storage import codes, hosts, journal, locks, outbox, stays
from lockbridge.storage.codes import CodeRow, Placed
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.journal import Entry
from lockbridge.storage.outbox import MessageRow
from lockbridge.storage.stays import StayRow
from lockbridge.workflows.ports import Tools


@dataclass(frozen=True, slots=True)
class Access:
    """One line of Property Access: a lock, the PIN on it, its name there and its status (R39)."""

    lock: LockId
    lock_name: str
    pin: Pin | None
    code_name: str
    shown: Shown
    is_backup: bool = False


@dataclass(frozen=True, slots=True)
class StayView:
    """Everything there is to say about a stay."""

    stay: StayRow
    place: PropertyRow | None
    code: CodeRow | None
    access: Sequence[Access]
    history: Sequence[Entry]
    messages: Sequence[MessageRow]


def view(connection: Connection, tools: Tools, host: HostId, stay: StayId, now: datetime) -> StayView | None:
    """A stay with its access, history and messages; None when it is not this host's."""
    row = stays.get(connection, tools.vault, host, stay)
    if row is None:
        return None
    place = hosts.properties(connection, [row.property]).get(row.property) if row.property is not None else None
    code = codes.by_ids(connection, tools.vault, [row.code]).get(row.code) if row.code is not None else None
    own = codes.all_placements_of(connection, tools.vault, host, [row.code]) if row.code is not None else []
    backups = codes.backups_given_to(connection, tools.vault, [stay]).get(stay, [])
    mine = [item.placement.code for item in (*own, *backups)]
    return StayView(
        row,
        place,
        code,
        access_of(connection, own, backups, now),
        journal.of_stay(connection, host, stay, mine),
        outbox.of_stay(connection, tools.vault, host, stay),
    )


def access_of(connection: Connection, own: Sequence[Placed], backups: Sequence[Placed], now: datetime) -> list[Access]:
    """The lines of Property Access for a stay's codes and the backups it was given."""
    names = {key: row.name for key, row in locks.by_ids(connection, _lock_ids([*own, *backups])).items()}
    helped = {item.placement.lock for item in backups}
    lines = [(item, False) for item in own] + [(item, True) for item in backups]
    return [
        Access(
            item.placement.lock,
            names[item.placement.lock],
            item.placement.pin,
            item.placement.name,
            shown(item.placement, now, backup_given=not is_backup and item.placement.lock in helped),
            is_backup,
        )
        for item, is_backup in lines
    ]


def _lock_ids(items: Sequence[Placed]) -> set[LockId]:
    return {item.placement.lock for item in items}
