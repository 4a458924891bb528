"""Codes for people who work at a property (R42): on chosen locks, with a window or standing, by the same rules."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from lockbridge.domain.code import CodeKind, Pin, Window
from lockbridge.domain.ids import CodeId, HostId, LockId, PlacementId
from lockbridge.domain.naming import choose_name
from lockbridge.domain.pins import NoCommonLength, PinReason, PinSpace, pin_length, random_pin
from lockbridge.domain.placement import Ended, Placement
from lockbridge.domain.stay import push_time, removal_time
from lockbridge.storage import codes, journal, locks
from lockbridge.storage.journal import Entry
from lockbridge.storage.locks import LockRow
from lockbridge.storage.rows import seal_pin
from lockbridge.workflows.book import lock_books
from lockbridge.workflows.connect import BadInput, clean_name
from lockbridge.workflows.ports import Tools, transact

USUAL = timedelta(days=365)
"""A staff code ends after a year unless told otherwise."""


@dataclass(frozen=True, slots=True)
class NewStaffCode:
    """A code to be made. ``ends=None``: a year after it starts; ``standing``: without end."""

    name: str
    locks: Collection[LockId]
    starts: datetime
    ends: datetime | None = None
    standing: bool = False

    def window(self) -> Window:
        """When it opens."""
        return Window(self.starts, None if self.standing else self.ends or self.starts + USUAL)


async def add(tools: Tools, host: HostId, new: NewStaffCode, now: datetime) -> CodeId:
    """Make a staff code on these locks, with one PIN for all. Raises BadInput."""
    _check(new, now)
    return await transact(tools, lambda c: _add(c, tools, host, new, now))


def _check(new: NewStaffCode, now: datetime) -> None:
    clean_name(new.name, "the name of whose code it is")
    try:
        window = new.window()
    except ValueError:
        msg = "the code would end before it begins: give it a later end"
        raise BadInput(msg) from None
    if window.over(now):
        msg = "the code would be over already: give it a later end"
        raise BadInput(msg)


def _add(connection: Connection, tools: Tools, host: HostId, new: NewStaffCode, now: datetime) -> CodeId:
    codes.guard_locks(connection, new.locks)
    rows = {key: row for key, row in locks.by_ids(connection, new.locks).items() if row.host == host}
    if not rows or len(rows) != len(set(new.locks)):
        msg = "a staff code needs locks of this host: `lockbridge lock list` shows them"
        raise BadInput(msg)
    code, window = codes.reserve_ids(connection, 1)[0], new.window()
    books = lock_books(connection, tools, rows)
    pin = _free_pin(tools, [book.space(window, code) for book in books.values()])
    name = choose_name(
        new.name,
        f"Staff {code}",
        [row.capabilities.name_rules for row in rows.values()],
        taken=lambda text: any(book.name_taken(text, code) for book in books.values()),
    )
    made = {"id": code, "host_id": host, "kind": CodeKind.STAFF.value, "created_at": now}
    decided = {"name": name.name, "name_reason": name.reason.value, "name_detail": name.detail}
    digits = {"pin_sealed": seal_pin(tools.vault, pin), "pin_reason": PinReason.RANDOM_SETTING.value}
    codes.insert_codes(connection, [{**made, **digits, **decided, "opens_at": window.starts, "closes_at": window.ends}])
    wanted = [_placement(code, lock, pin, name.name, window, now) for lock in rows.values()]
    codes.insert_placements(connection, tools.vault, host, wanted)
    locks.poke_locks(connection, list(rows), now)
    why = f"made for {len(rows)} lock{'s' if len(rows) != 1 else ''}"
    journal.write(connection, [Entry(now, host, "staff_code", why, code=code)])
    return code


def _free_pin(tools: Tools, spaces: Sequence[PinSpace]) -> Pin:
    """One PIN that is free on all these locks. Raises BadInput."""
    try:
        pin = random_pin(pin_length(tools.policy.codes.pin_length, spaces), spaces, tools.below)
    except NoCommonLength as error:
        raise BadInput(str(error)) from error
    if pin is None:
        msg = "no PIN is free on all of these locks"
        raise BadInput(msg)
    return pin


def _placement(code: CodeId, lock: LockRow, pin: Pin, name: str, window: Window, now: datetime) -> Placement:
    return Placement(
        id=PlacementId(0),
        code=code,
        lock=lock.id,
        kind=CodeKind.STAFF,
        pin=pin,
        name=name,
        window=window,
        push_at=push_time(window, lock.capabilities.lead, now),
        remove_at=removal_time(window, keeps_windows=lock.capabilities.keeps_windows),
        made_at=now,
    )


async def revoke(tools: Tools, host: HostId, code: CodeId, now: datetime) -> bool:
    """Take a staff code off all its locks now. False when the host has no such staff code."""
    return await transact(tools, lambda c: _revoke(c, tools, host, code, now))


def _revoke(connection: Connection, tools: Tools, host: HostId, code: CodeId, now: datetime) -> bool:
    found = codes.placements_of(connection, tools.vault, [code])[code]
    placed = [item for item in found if item.host == host and item.placement.kind is CodeKind.STAFF]
    gone = [
        replace(item.placement, ended=Ended.REVOKED, remove_at=now, hold_until=None, watch_at=None) for item in placed
    ]
    codes.rewish(connection, tools.vault, host, gone)
    locks.poke_locks(connection, [placement.lock for placement in gone], now)
    entries = [Entry(now, host, "staff_code", f"revoked on {len(gone)} locks", code=code)] if gone else []
    journal.write(connection, entries)
    return bool(gone)
