"""What a pass over a lock has brought to light, and who must hear of it (R22, R26, R27, R33, R43)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from lockbridge.contract import LockStatus
from lockbridge.domain.messages import HostAlarm
from lockbridge.domain.placement import Placement
from lockbridge.domain.seen import Kind, Trouble
from lockbridge.domain.settle import Note, NoteKind
from lockbridge.storage import codes, hosts, locks, readings, stays
from lockbridge.storage.hosts import LockAppRow
from lockbridge.storage.locks import LockRow
from lockbridge.storage.readings import Reading
from lockbridge.workflows import alarms
from lockbridge.workflows.ports import Tools

AHEAD = timedelta(hours=48)
"""How far ahead arrivals are named together with the lock that threatens them (R43)."""
DEFAULT_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Found:
    """What one pass found out about a lock and its account."""

    lock: LockRow
    app: LockAppRow
    trouble: Trouble | None
    unread: bool
    status: LockStatus | None
    refused: str | None
    full: bool
    ours: int
    held: int
    remarkable: Sequence[tuple[Placement, Note]]

    @property
    def notable(self) -> bool:
        """Whether there is anything to write down at all."""
        known = self.lock.offline_since or self.lock.full_since or self.lock.refused_since
        return bool(self.trouble or self.status or self.refused or self.full or self.remarkable or known)

    @property
    def offline(self) -> bool | None:
        """Whether the lock is offline; None where this pass cannot tell."""
        if self.trouble is not None and self.trouble.kind is Kind.LOCK_OFFLINE:
            return True
        return None if self.status is None else not self.status.online


def report(connection: Connection, tools: Tools, found: Found, now: datetime) -> None:
    """Write down what was found and tell the host what begins and what is over."""
    _account(connection, found, now)
    _presence(connection, tools, found, now)
    _battery(connection, tools, found, now)
    _remember(connection, found, now)
    _room(connection, found, now)
    _refusal(connection, found, now)
    for placement, note in found.remarkable:
        tell = _stays_valid if note.kind is NoteKind.CANNOT_TAKE_BACK else _by_hand
        tell(connection, found, placement, note, now)


def _names(found: Found) -> dict[str, Any]:
    return {"lock_name": found.lock.name, "lock_app_name": found.app.name}


def _account(connection: Connection, found: Found, now: datetime) -> None:
    trouble = found.trouble
    if trouble is None:
        return
    if trouble.kind is Kind.RATE_LIMITED:
        hosts.block_account(connection, found.app.id, now + (trouble.retry_after or DEFAULT_PAUSE))
    elif trouble.kind is Kind.ACCOUNT_REFUSED:
        account_refused(connection, found.app, trouble.detail, now)
    elif trouble.kind is Kind.LOCK_NOT_FOUND:
        locks.set_lock_status(connection, found.lock.id, missing=True, offline_since=found.lock.offline_since or now)
        facts = _names(found) | {"others_offline": False, "since": alarms.moment(now), "arrivals": []}
        alarms.begin(connection, found.lock.host, HostAlarm.LOCK_OFFLINE, _about(found.lock), facts, now)


def account_refused(connection: Connection, app: LockAppRow, reason: str, now: datetime) -> None:
    """The account refuses us: no more calls until the host reconnects it, and the host is told once (R22)."""
    hosts.account_needs_person(connection, app.id, reason)
    facts = {"lock_app_name": app.name, "reason": reason, "since": alarms.moment(now)}
    alarms.begin(connection, app.host, HostAlarm.ACCOUNT_DISCONNECTED, f"account-{app.id}", facts, now)


def _about(lock: LockRow) -> str:
    return f"lock-{lock.id}"


def _presence(connection: Connection, tools: Tools, found: Found, now: datetime) -> None:
    offline, lock = found.offline, found.lock
    if offline is None:
        return
    since = (lock.offline_since or now) if offline else None
    if (lock.online, lock.offline_since) != (not offline, since):
        locks.set_lock_status(connection, lock.id, online=not offline, offline_since=since)
    if since is not None and now - since >= tools.policy.offline_alarm_after:
        facts = _names(found) | {
            "others_offline": _others_offline(connection, lock),
            "since": alarms.moment(since),
            "arrivals": arrivals(connection, tools, lock, now),
        }
        alarms.begin(connection, lock.host, HostAlarm.LOCK_OFFLINE, _about(lock), facts, now)
    elif since is None and lock.offline_since is not None:
        facts = _names(found) | {"since": alarms.moment(now)}
        over = HostAlarm.LOCK_ONLINE
        alarms.end(connection, lock.host, HostAlarm.LOCK_OFFLINE, _about(lock), now, over=over, facts=facts)


def _others_offline(connection: Connection, lock: LockRow) -> bool:
    """Whether it is more than this one lock: then the advice is another (the hub, not the lock)."""
    return any(
        other.offline_since is not None and other.id != lock.id and other.app == lock.app
        for other in locks.locks_of_host(connection, lock.host)
    )


def arrivals(connection: Connection, tools: Tools, lock: LockRow, now: datetime) -> list[str]:
    """The arrivals a lock in trouble threatens, as lines for the host (R43)."""
    coming = codes.threatened(connection, lock.id, now + AHEAD)
    rows = stays.by_ids(connection, tools.vault, {stay for stay, _ in coming})
    places = hosts.properties(connection, {row.property for row in rows.values() if row.property is not None})
    lines = []
    for stay, _ in coming:
        row = rows[stay]
        place = places[row.property] if row.property is not None else None
        if place is not None:
            lines.append(arrival_line(row, place))
    return lines


def arrival_line(stay: stays.StayRow, place: hosts.PropertyRow) -> str:
    """One arrival as a host reads it: ``Fri 05 Jun 2026 15:00 Europe/Berlin – Beach House – Ana Reyes``."""
    at = stay.host_check_in or stay.check_in or place.check_in
    return f"{stay.arrival:%a %d %b %Y} {at} {place.zone} – {place.name} – {stay.guest_name or stay.reservation_code}"


def _battery(connection: Connection, tools: Tools, found: Found, now: datetime) -> None:
    if found.status is None or found.status.battery is None:
        return
    lock, level = found.lock, found.status.battery
    low = level < tools.policy.battery_low
    since = (lock.low_since or now) if low else None
    if (lock.battery, lock.low_since) != (level, since):
        locks.set_lock_status(connection, lock.id, battery=level, low_since=since)
    facts: Mapping[str, Any] = _names(found) | {"percent": f"{level:.0%}".rstrip("%")}
    if low:
        threshold = f"{tools.policy.battery_low:.0%}".rstrip("%")
        facts = {**facts, "threshold": threshold, "arrivals": arrivals(connection, tools, lock, now)}
        alarms.begin(connection, lock.host, HostAlarm.BATTERY_LOW, _about(lock), facts, now)
    elif lock.low_since is not None:
        over = HostAlarm.BATTERY_OK
        alarms.end(connection, lock.host, HostAlarm.BATTERY_LOW, _about(lock), now, over=over, facts=facts)


def _remember(connection: Connection, found: Found, now: datetime) -> None:
    """Keep how the lock is, where that is news: for its chart."""
    lock, told = found.lock, found.status
    online = lock.online if found.offline is None else not found.offline
    battery = lock.battery if told is None or told.battery is None else told.battery
    if (online, battery) != (lock.online, lock.battery):
        readings.note(connection, [Reading(lock.id, lock.host, now, online, battery, found.held)])


def _room(connection: Connection, found: Found, now: datetime) -> None:
    lock = found.lock
    if found.full and lock.full_since is None:
        locks.set_lock_status(connection, lock.id, full_since=now)
        waiting = len(codes.waiting_for_room(connection, lock.id))
        facts = _names(found) | {
            "held": str(found.held),
            "ours": str(found.ours),
            "room": str(lock.capabilities.max_codes),
            "waiting": str(waiting),
        }
        alarms.begin(connection, lock.host, HostAlarm.LOCK_FULL, _about(lock), facts, now)
    elif not found.full and not found.unread and lock.full_since is not None:
        locks.set_lock_status(connection, lock.id, full_since=None)
        alarms.end(connection, lock.host, HostAlarm.LOCK_FULL, _about(lock), now)


def _refusal(connection: Connection, found: Found, now: datetime) -> None:
    lock = found.lock
    if found.refused and lock.refused_since is None:
        locks.set_lock_status(connection, lock.id, refused_since=now)
        facts = _names(found) | {"reason": found.refused}
        alarms.begin(connection, lock.host, HostAlarm.PLAN_REFUSED, _about(lock), facts, now)
    elif not found.refused and not found.unread and lock.refused_since is not None:
        locks.set_lock_status(connection, lock.id, refused_since=None)
        alarms.end(connection, lock.host, HostAlarm.PLAN_REFUSED, _about(lock), now)


def _by_hand(connection: Connection, found: Found, placement: Placement, note: Note, now: datetime) -> None:
    """A code was changed or deleted in the lock app: it is put back, and the host is told once (R33)."""
    facts = _names(found) | {"code_name": placement.name, "deleted": note.kind is NoteKind.VANISHED}
    about = f"placement-{placement.id}-{now:%Y%m%dT%H%M%S}"
    alarms.tell(connection, found.lock.host, HostAlarm.CODE_CHANGED_BY_HAND, about, facts, now)


def _stays_valid(connection: Connection, found: Found, placement: Placement, note: Note, now: datetime) -> None:
    """A code that is not to open any more and cannot be taken back: only the host can do something, at the lock."""
    facts = _names(found) | {"code_name": placement.name, "reason": note.why}
    about = f"placement-{placement.id}-{now:%Y%m%dT%H%M%S}"
    alarms.tell(connection, found.lock.host, HostAlarm.CODE_STAYS_VALID, about, facts, now)
