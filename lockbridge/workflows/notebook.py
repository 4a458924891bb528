"""Locks without connection: a person programs the keypad. They are told what to do, and say when it is done."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from lockbridge.contract import CodeGone, Receipt
from lockbridge.domain.code import CodeSpec
from lockbridge.domain.ids import CodeRef, HostId, LockAppId, LockRef, NoteId
from lockbridge.domain.messages import HostAlarm, message_key
from lockbridge.domain.stay import to_local
from lockbridge.storage import locks, notes, outbox
from lockbridge.storage.notes import NoteRow
from lockbridge.storage.outbox import NewMessage
from lockbridge.storage.vault import Vault
from lockbridge.workflows.ports import Tools, transact

GATHER = timedelta(minutes=1)
"""How long new work waits for more, so that one e-mail tells it all."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose keypads these are."""

    host: HostId
    app: LockAppId


def ask_to_set(
    connection: Connection, vault: Vault, account: Account, lock: LockRef, spec: CodeSpec, now: datetime
) -> CodeRef:
    """Have the host program a code."""
    note = notes.add(connection, vault, account.host, account.app, lock, spec, now)
    _tell(connection, account, now)
    return CodeRef(str(note))


def ask_to_remove(
    connection: Connection, vault: Vault, account: Account, lock: LockRef, ref: CodeRef, now: datetime
) -> Receipt:
    """Have the host take a code off. Raises CodeGone.

    One that is not said to be there yet does not count any more at once; who was told of it is told so.
    """
    noted = notes.of_lock(connection, vault, account.app, lock, for_update=True)
    note = next((row for row in noted if str(row.id) == ref), None)
    if note is None:
        msg = "nobody noted such a code for this lock"
        raise CodeGone(msg)
    if note.state == notes.TO_SET and now < note.asked_at + GATHER:
        notes.drop(connection, [note.id])
        return Receipt.DONE
    is_there = note.state != notes.TO_SET
    if note.state != notes.TO_REMOVE:
        notes.mark(connection, note.id, notes.TO_REMOVE if is_there else notes.UNWANTED, now)
        _tell(connection, account, now)
    return Receipt.ACCEPTED if is_there else Receipt.DONE


def _tell(connection: Connection, account: Account, now: datetime) -> None:
    """Have the host told of everything that is to be done, once for what comes together."""
    kind, due = HostAlarm.KEYPAD_WORK.value, now + GATHER
    key = message_key("host", kind, account.app, f"{due:%Y%m%dT%H%M}")
    outbox.add(connection, [NewMessage(account.host, key, kind, due, to_host=True, facts={"app": account.app})], now)


def facts(connection: Connection, vault: Vault, host: HostId, app: LockAppId) -> dict[str, Any]:
    """What the e-mail to the host says; its list is empty when everything was done meanwhile."""
    work = notes.to_do(connection, vault, host, app)
    return {"lock_app_name": notes.app_name(connection, app), "work": [task(note) for note in work]}


def task(note: NoteRow) -> str:
    """One thing to do at a keypad, in a sentence, with the digits."""
    number, digits = f"no. {note.id} – {note.lock_name}", note.pin.digits if note.pin else ""
    if note.state == notes.TO_REMOVE:
        return f"{number}: take the code {digits} ({note.name}) off the keypad, now"
    if note.state == notes.UNWANTED:
        return f"{number}: the code {digits} ({note.name}) is not wanted any more: take it off if you programmed it"
    return f"{number}: program the code {digits} ({note.name}), {_when(note)}"


def _when(note: NoteRow) -> str:
    """In the time of the place: that is what a person reads off the keypad's clock."""
    if note.window is None:
        waits = note.needed_at is not None and note.needed_at > note.asked_at
        by = f"by {_wall(note.needed_at, note.zone)} ({note.zone})" if waits else "as soon as you can"
        return f"{by}: you are told when it is to come off"
    ends = f" until {_wall(note.window.ends, note.zone)}" if note.window.ends else ""
    return f"to open from {_wall(note.window.starts, note.zone)}{ends} ({note.zone})"


def _wall(instant: datetime | None, zone: str) -> str:
    return f"{to_local(instant, zone):%a %d %b %Y %H:%M}" if instant else ""


async def done(tools: Tools, host: HostId, note: NoteId, now: datetime) -> NoteRow | None:
    """A person says that a thing was done: the code is on the lock now, or off it. None: there is no such work."""
    return await transact(tools, lambda c: _done(c, tools, host, note, now))


def _done(connection: Connection, tools: Tools, host: HostId, note: NoteId, now: datetime) -> NoteRow | None:
    row = notes.lock_one(connection, tools.vault, host, note)
    if row is None or row.state == notes.SET:
        return None
    if row.state == notes.TO_SET:
        notes.mark(connection, note, notes.SET, now)
    else:
        notes.drop(connection, [note])
    locks.look_soon(connection, row.app, [row.lock], now)
    return row
