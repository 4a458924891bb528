"""The pool of backup codes on each lock: kept full, given to one stay each, renewed at once (R25)."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from lockbridge.domain.backup import Backup, given_until, pick, shortage
from lockbridge.domain.book import loses_code
from lockbridge.domain.code import CodeKind, Window
from lockbridge.domain.ids import CodeId, LockId, PlacementId
from lockbridge.domain.messages import GuestMessage, HostAlarm, message_key
from lockbridge.domain.pins import NoCommonLength, PinReason, pin_length, random_pin
from lockbridge.domain.placement import Ended, Placement
from lockbridge.domain.rules import Trigger
from lockbridge.domain.settings import CodeSettings
from lockbridge.storage import codes, hosts, journal, locks, outbox, stays
from lockbridge.storage.journal import Entry
from lockbridge.storage.locks import LockRow
from lockbridge.storage.outbox import NewMessage
from lockbridge.storage.rows import seal_pin
from lockbridge.storage.stays import StayRow
from lockbridge.workflows import alarms, rules
from lockbridge.workflows.book import lock_books
from lockbridge.workflows.ports import Tools


def replenish(connection: Connection, tools: Tools, ids: Collection[LockId], now: datetime) -> int:
    """Make the backups these locks lack, and end those they should not have. How many were made or ended."""
    changed = 0
    codes.guard_locks(connection, ids)
    for lock in locks.by_ids(connection, ids).values():
        settings = _settings(connection, tools, lock)
        pool = codes.backups_on(connection, tools.vault, lock.id)
        if settings is None:
            changed += _end(connection, tools, lock, [backup for backup in pool if backup.given_to is None], now)
        else:
            missing = shortage(pool, tools.policy.backups_per_lock)
            changed += sum(_make(connection, tools, lock, settings, now) for _ in range(missing))
    return changed


def _settings(connection: Connection, tools: Tools, lock: LockRow) -> CodeSettings | None:
    """The settings of a property that wants backups on this lock; None when none does or the lock chooses its PINs."""
    if lock.capabilities.chooses_pin:
        return None
    places = hosts.properties(connection, hosts.properties_of_lock(connection, lock.id)).values()
    chosen = hosts.host_settings(connection, {place.host for place in places})
    for place in places:
        settings = tools.policy.codes.with_overrides(chosen[place.host]).with_overrides(place.settings)
        if settings.backups:
            return settings
    return None


def _end(connection: Connection, tools: Tools, lock: LockRow, pool: Collection[Backup], now: datetime) -> int:
    gone = [replace(backup.placement, ended=Ended.UNMATCHED, remove_at=now, hold_until=None) for backup in pool]
    codes.rewish(connection, tools.vault, lock.host, gone)
    if gone:
        locks.poke_locks(connection, [lock.id], now)
    return len(gone)


def _make(connection: Connection, tools: Tools, lock: LockRow, settings: CodeSettings, now: datetime) -> bool:
    """One fresh backup: random, without end, known to nobody. False when no digits are free."""
    window = Window(now, None)
    code = codes.reserve_ids(connection, 1)[0]
    space = lock_books(connection, tools, {lock.id: lock})[lock.id].space(window, code)
    try:
        pin = random_pin(pin_length(settings.pin_length, [space]), [space], tools.below)
    except NoCommonLength:
        pin = None
    if pin is None:
        return False
    name = f"Backup {code}"
    row = {
        "id": code,
        "host_id": lock.host,
        "kind": CodeKind.BACKUP.value,
        "lock_id": lock.id,
        "pin_sealed": seal_pin(tools.vault, pin),
        "pin_reason": PinReason.RANDOM_SETTING.value,
        "name": name,
        "opens_at": now,
        "created_at": now,
    }
    placement = Placement(
        id=PlacementId(0),
        code=code,
        lock=lock.id,
        kind=CodeKind.BACKUP,
        pin=pin,
        name=name,
        window=window,
        push_at=now,
        made_at=now,
    )
    codes.insert_codes(connection, [row])
    codes.insert_placements(connection, tools.vault, lock.host, [placement])
    locks.poke_locks(connection, [lock.id], now)
    return True


def give(
    connection: Connection, tools: Tools, stay: StayRow, lock: LockRow, window: Window, now: datetime, *, why: str
) -> bool:
    """Give a stay a backup code on this lock until its window ends, tell the guest, renew the pool.

    False when the pool is empty: then the host was told at once – or when the stay has lost its code meanwhile.
    Giving twice gives the same one.
    """
    codes.guard_locks(connection, [lock.id])
    if loses_code(stays.by_ids(connection, tools.vault, [stay.id])[stay.id].booked(owner_codes=True)):
        return False
    backup = pick(codes.backups_on(connection, tools.vault, lock.id), stay.id)
    if backup is None:
        _pool_empty(connection, tools, lock, now)
        return False
    ends = window.ends or now
    if backup.given_to is None and codes.give_backup(connection, backup.code, stay.id, ends, now):
        codes.rewish(connection, tools.vault, lock.host, [given_until(backup.placement, ends)])
        locks.poke_locks(connection, [lock.id], now)
        _tell(connection, tools, stay, backup.code, lock, why, now)
        replenish(connection, tools, [lock.id], now)
    return True


def _tell(
    connection: Connection, tools: Tools, stay: StayRow, code: CodeId, lock: LockRow, why: str, now: datetime
) -> None:
    kind = GuestMessage.BACKUP_CODE.value
    usual = NewMessage(stay.host, message_key(kind, code), kind, now, stay.id, language=stay.language or "en")
    rules.happened_to(connection, tools, stay.id, Trigger.BACKUP_GIVEN, [usual], now)
    outbox.rewrite_fields(connection, [stay.id], now)
    said = f"a backup code of {lock.name} was given: {why}"
    journal.write(connection, [Entry(now, stay.host, "backup_given", said, stay.id, stay.code, lock.id)])


def _pool_empty(connection: Connection, tools: Tools, lock: LockRow, now: datetime) -> None:
    app = hosts.lock_apps(connection, tools.vault, [lock.app])[lock.app]
    facts = {"lock_name": lock.name, "lock_app_name": app.name}
    alarms.begin(connection, lock.host, HostAlarm.POOL_EMPTY, f"lock-{lock.id}", facts, now)


def refilled(connection: Connection, tools: Tools, lock: LockRow, now: datetime) -> None:
    """End the alarm of an empty pool once a backup is ready again."""
    if any(backup.ready for backup in codes.backups_on(connection, tools.vault, lock.id)):
        alarms.end(connection, lock.host, HostAlarm.POOL_EMPTY, f"lock-{lock.id}", now)
