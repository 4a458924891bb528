"""Questions about locks without connection: what a person has to do at the keypad, and what they did."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, String, cast, delete, func, insert, select, update

from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import HostId, LockAppId, LockRef, NoteId
from lockbridge.storage.rows import open_pin, seal_pin
from lockbridge.storage.tables import LOCK, LOCK_APP, MATCH, NOTE, PLACEMENT, PROPERTY
from lockbridge.storage.vault import Vault

TO_SET = "to_set"
SET = "set"
TO_REMOVE = "to_remove"
UNWANTED = "unwanted"
"""Asked for, told to the host, and not wanted any more before they said that it was done: it may be there or not."""


@dataclass(frozen=True, slots=True)
class NoteRow:
    """One code at a keypad. ``state``: ``to_set``, ``set``, ``to_remove`` or ``unwanted``.

    ``needed_at``: when somebody begins to need it, where the keypad itself keeps no times; ``zone``: the lock's place.
    """

    id: NoteId
    app: LockAppId
    lock: LockRef
    state: str
    pin: Pin | None = field(repr=False)
    name: str
    window: Window | None
    asked_at: datetime
    lock_name: str = ""
    needed_at: datetime | None = None
    zone: str = "UTC"


def add(
    connection: Connection, vault: Vault, host: HostId, app: LockAppId, lock: LockRef, spec: CodeSpec, now: datetime
) -> NoteId:
    """Note a code that is to be programmed."""
    values = {
        "host_id": host,
        "lock_app_id": app,
        "lock_ref": lock,
        "state": TO_SET,
        "pin_sealed": seal_pin(vault, spec.pin),
        "name": spec.name,
        "opens_at": spec.window and spec.window.starts,
        "closes_at": spec.window and spec.window.ends,
        "asked_at": now,
    }
    return NoteId(connection.execute(insert(NOTE).values(**values).returning(NOTE.c.id)).scalar_one())


def of_lock(
    connection: Connection, vault: Vault, app: LockAppId, lock: LockRef, *, for_update: bool = False
) -> list[NoteRow]:
    """The codes that are or are to be at one lock. ``for_update``: nobody else changes them meanwhile."""
    mine = select(NOTE).where(NOTE.c.lock_app_id == app, NOTE.c.lock_ref == lock, NOTE.c.state != UNWANTED)
    wanted = mine.order_by(NOTE.c.id)
    return [_note(row, vault) for row in connection.execute(wanted.with_for_update() if for_update else wanted)]


def lock_one(connection: Connection, vault: Vault, host: HostId, note: NoteId) -> NoteRow | None:
    """One note of this host, which nobody else changes in this transaction."""
    mine = select(NOTE).where(NOTE.c.host_id == host, NOTE.c.id == note).with_for_update()
    row = connection.execute(mine).one_or_none()
    return _note(row, vault) if row else None


def to_do(connection: Connection, vault: Vault, host: HostId, app: LockAppId | None = None) -> list[NoteRow]:
    """What a host still has to do at keypads – of one account, or all – with the locks' names; soonest first."""
    mine = _placed().where(NOTE.c.host_id == host, NOTE.c.state != SET)
    wanted = mine.where(NOTE.c.lock_app_id == app) if app is not None else mine
    rows = [
        replace(_note(row, vault), lock_name=row.lock_name, needed_at=row.needed_at, zone=row.zone or "UTC")
        for row in connection.execute(wanted)
    ]
    return sorted(rows, key=lambda note: (note.window.starts if note.window else note.asked_at, note.id))


def _placed() -> Select[Any]:
    """Notes with their lock's name, the zone of a property it opens, and when what is noted is needed."""
    zone = select(func.min(PROPERTY.c.zone)).join(MATCH, MATCH.c.property_id == PROPERTY.c.id)
    placed = (
        (PLACEMENT.c.lock_id == LOCK.c.id)
        & (PLACEMENT.c.ref == cast(NOTE.c.id, String))
        & PLACEMENT.c.live_at.is_not(None)
    )
    needed = select(func.min(PLACEMENT.c.opens_at)).where(placed)
    return select(
        NOTE,
        LOCK.c.name.label("lock_name"),
        zone.where(MATCH.c.lock_id == LOCK.c.id).scalar_subquery().label("zone"),
        needed.scalar_subquery().label("needed_at"),
    ).join(LOCK, (LOCK.c.lock_app_id == NOTE.c.lock_app_id) & (LOCK.c.ref == NOTE.c.lock_ref))


def mark(connection: Connection, note: NoteId, state: str, now: datetime) -> None:
    """Note what a code is now."""
    when = "done_at" if state == SET else "asked_at"
    connection.execute(update(NOTE).where(NOTE.c.id == note).values({"state": state, when: now}))


def drop(connection: Connection, notes: Sequence[NoteId]) -> None:
    """Forget codes that are not at the keypad any more."""
    connection.execute(delete(NOTE).where(NOTE.c.id.in_(notes)))


def forget_unwanted(connection: Connection, before: datetime) -> None:
    """Forget what has not been wanted since before an instant, done or not (R45)."""
    connection.execute(delete(NOTE).where(NOTE.c.state == UNWANTED, NOTE.c.asked_at < before))


def app_name(connection: Connection, app: LockAppId) -> str:
    """What the host calls the account."""
    return str(connection.execute(select(LOCK_APP.c.name).where(LOCK_APP.c.id == app)).scalar_one())


def _note(row: Row[Any], vault: Vault) -> NoteRow:
    window = Window(row.opens_at, row.closes_at) if row.opens_at is not None else None
    return NoteRow(
        NoteId(row.id),
        LockAppId(row.lock_app_id),
        LockRef(row.lock_ref),
        row.state,
        open_pin(vault, row.pin_sealed),
        row.name,
        window,
        row.asked_at,
    )
