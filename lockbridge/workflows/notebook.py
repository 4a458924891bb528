"""Locks without connection: a person programs the keypad. They are told what to do, and say when it is done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection

from lockbridge.clock import Clock
from lockbridge.contract import CodeGone, CodeState, Receipt, SeenCode
from lockbridge.domain.code import CodeSpec
from lockbridge.domain.ids import CodeRef, HostId, LockAppId, LockRef, NoteId
from lockbridge.domain.messages import HostAlarm, message_key
from lockbridge.domain.stay import to_local
from lockbridge.storage import locks, notes, outbox
from lockbridge.storage.commit import Commit
from lockbridge.storage.database import Database
from lockbridge.storage.notes import NoteRow
from lockbridge.storage.outbox import NewMessage
from lockbridge.storage.vault import Vault
from lockbridge.workflows.ports import Tools, in_one, transact

GATHER = timedelta(minutes=1)
"""How long new work waits for more, so that one e-mail tells it all."""
_STATES = {notes.TO_SET: CodeState.SETTING, notes.SET: CodeState.SET, notes.TO_REMOVE: CodeState.REMOVING}


class Keeping(Protocol):
    """What keeping a notebook takes."""

    @property
    def database(self) -> Database:
        """Where it is read."""
        ...

    @property
    def commit(self) -> Commit:
        """How it is written."""
        ...

    @property
    def vault(self) -> Vault:
        """What seals the digits."""
        ...

    @property
    def clock(self) -> Clock:
        """When things were asked."""
        ...


@dataclass(frozen=True, slots=True)
class AccountNotebook:
    """The notebook of one account: what its driver reads and writes instead of calling a lock app."""

    host: HostId
    app: LockAppId
    keeping: Keeping

    async def codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """What is or should be at the keypad, by what people said."""
        rows = await self.keeping.database.ask(notes.of_lock, self.keeping.vault, self.app, lock)
        return [SeenCode(CodeRef(str(row.id)), row.pin, row.name, row.window, _STATES[row.state]) for row in rows]

    async def ask_to_set(self, lock: LockRef, spec: CodeSpec) -> CodeRef:
        """Have the host program a code."""
        now = self.keeping.clock.now()
        return await in_one(self.keeping.commit, lambda c: self._add(c, lock, spec, now))

    def _add(self, connection: Connection, lock: LockRef, spec: CodeSpec, now: datetime) -> CodeRef:
        note = notes.add(connection, self.keeping.vault, self.host, self.app, lock, spec, now)
        _tell(connection, self.host, self.app, now)
        return CodeRef(str(note))

    async def ask_to_remove(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Have the host take a code off. Raises CodeGone.

        One that is not said to be there yet does not count any more at once; who was told of it is told so.
        """
        now = self.keeping.clock.now()
        return await in_one(self.keeping.commit, lambda c: self._remove(c, lock, ref, now))

    def _remove(self, connection: Connection, lock: LockRef, ref: CodeRef, now: datetime) -> Receipt:
        found = {str(row.id): row for row in self._noted(connection, lock)}
        note = found.get(ref)
        if note is None:
            msg = "nobody noted such a code for this lock"
            raise CodeGone(msg)
        if note.state == notes.TO_SET and now < note.asked_at + GATHER:
            notes.drop(connection, [note.id])
            return Receipt.DONE
        if note.state == notes.TO_SET:
            notes.mark(connection, note.id, notes.UNWANTED, now)
            _tell(connection, self.host, self.app, now)
            return Receipt.DONE
        if note.state == notes.SET:
            notes.mark(connection, note.id, notes.TO_REMOVE, now)
            _tell(connection, self.host, self.app, now)
        return Receipt.ACCEPTED

    def _noted(self, connection: Connection, lock: LockRef) -> list[NoteRow]:
        return notes.of_lock(connection, self.keeping.vault, self.app, lock, for_update=True)


def _tell(connection: Connection, host: HostId, app: LockAppId, now: datetime) -> None:
    """Have the host told of everything that is to be done, once for what comes together."""
    kind, due = HostAlarm.KEYPAD_WORK.value, now + GATHER
    key = message_key("host", kind, app, f"{due:%Y%m%dT%H%M}")
    outbox.add(connection, [NewMessage(host, key, kind, due, to_host=True, facts={"app": app})], now)


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
    change: Callable[[], None] = {
        notes.TO_SET: lambda: notes.mark(connection, note, notes.SET, now),
        notes.TO_REMOVE: lambda: notes.drop(connection, [note]),
        notes.UNWANTED: lambda: notes.drop(connection, [note]),
    }[row.state]
    change()
    locks.look_soon(connection, row.app, [row.lock], now)
    return row
