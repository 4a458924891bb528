"""From a webhook to a stay: verify, store, answer; read later, as often as needed (R20)."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from lockbridge.contract import Hint, LookAt
from lockbridge.domain.ids import DeliveryId, HostId, LockAppId, StayId
from lockbridge.domain.intake import DETAILS, Known, Mark, mark_of, merge
from lockbridge.domain.messages import HostAlarm
from lockbridge.domain.retry import wait_for
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Hook, Unreadable
from lockbridge.platforms.contract import Event, Notice, ReservationEvent
from lockbridge.storage import hosts, inbox, journal, locks, stays
from lockbridge.storage.hosts import EndpointRow
from lockbridge.storage.inbox import Incoming, Read, Stored
from lockbridge.storage.journal import Entry
from lockbridge.storage.stays import Contact, StayRow
from lockbridge.workflows import alarms
from lockbridge.workflows.ports import Tools, transact

KEPT_HEADERS = ("content-type", "user-agent", "webhook-id", "webhook-timestamp", "svix-id", "svix-timestamp")
"""What of a delivery's headers is worth keeping; signatures and authorization are not."""
GATHER_HINTS = timedelta(seconds=5)
"""How long after a lock app's hint its locks are looked at."""


async def accept(tools: Tools, endpoint: EndpointRow, hook: Hook[Any], delivery: Delivery, now: datetime) -> None:
    """Verify a webhook and store it as it came; returns once it is durable.

    Raises Unauthenticated for a wrong signature and StorageUnavailable when it could not be stored.
    """
    hook.authenticate(delivery, endpoint.secret, now)
    incoming = Incoming(
        endpoint.host,
        endpoint.id,
        hook.key,
        hook.dedupe_key(delivery),
        now,
        {name: delivery.headers[name] for name in KEPT_HEADERS if name in delivery.headers},
        delivery.body,
    )
    await tools.commit.write(tools.steps.store, incoming)


async def refused(tools: Tools, endpoint: EndpointRow, hook: Hook[Any], reason: str, now: datetime) -> None:
    """A webhook with a wrong signature arrived: the host is told once a day, platforms may never send it again."""
    facts = {"platform": hook.title, "reason": reason, "received": alarms.moment(now)}
    about = f"endpoint-{endpoint.id}"
    await transact(tools, lambda c: alarms.begin(c, endpoint.host, HostAlarm.BAD_SIGNATURE, about, facts, now))


async def read_deliveries(tools: Tools, now: datetime, limit: int = 100) -> int:
    """Read waiting webhooks and bring their stays up to date. How many were read."""
    return await transact(tools, lambda connection: _read_batch(connection, tools, now, limit))


def _read_batch(connection: Connection, tools: Tools, now: datetime, limit: int) -> int:
    waiting = inbox.waiting(connection, tools.vault, now, limit)
    inbox.note(connection, [_read_one(connection, tools, stored, now) for stored in waiting])
    return len(waiting)


def _read_one(connection: Connection, tools: Tools, stored: Stored, now: datetime) -> Read:
    """What becomes of one delivery. One that cannot be read never stands in the way of the others."""
    delivery = Delivery(stored.headers, stored.body, stored.received_at)
    try:
        with connection.begin_nested():
            events = hook_of(tools, stored.platform).read(delivery)
            for event in events:
                _apply(connection, tools, stored, event, now)
    except Unreadable as error:
        return _poison(connection, tools, stored, str(error), now)
    except (LookupError, ValueError, TypeError, AttributeError) as error:  # a mistake of ours, kept for a replay
        tools.log.error("delivery could not be read", delivery=stored.id, kind=type(error).__name__)  # noqa: TRY400 - a traceback's message may quote the guest
        return _poison(connection, tools, stored, f"it could not be read ({type(error).__name__})", now)
    ignored = all(not isinstance(event, ReservationEvent | LookAt) for event in events)
    return Read(stored.id, "ignored" if ignored else "done", stored.attempts + 1, None, None)


def _poison(connection: Connection, tools: Tools, stored: Stored, reason: str, now: datetime) -> Read:
    attempts = stored.attempts + 1
    if attempts < tools.policy.inbox_attempts:
        return Read(stored.id, "waiting", attempts, reason, now + wait_for(attempts, None))
    facts = {
        "platform": stored.platform,
        "delivery": str(stored.id),
        "attempts": str(attempts),
        "reason": reason,
        "received": alarms.moment(stored.received_at),
    }
    alarms.begin(connection, stored.host, HostAlarm.DELIVERY_DEAD, f"delivery-{stored.id}", facts, now)
    return Read(stored.id, "dead", attempts, reason, None)


def hook_of(tools: Tools, key: str) -> Hook[Event | Hint]:
    """Who sends webhooks under this key: a booking platform or a kind of lock app. Raises KeyError."""
    return tools.platforms.get(key) or tools.accounts.hooks[key]


def _apply(connection: Connection, tools: Tools, stored: Stored, event: Event | Hint, now: datetime) -> None:
    if isinstance(event, ReservationEvent):
        apply_reservation(connection, tools, stored.host, event, stored.received_at, now)
    elif isinstance(event, LookAt) and (app := hosts.app_of_endpoint(connection, stored.endpoint)) is not None:
        look(connection, app, event, now)
    elif isinstance(event, Notice):
        journal.write(connection, [Entry(now, stored.host, f"notice.{event.kind}", event.text)])


def look(connection: Connection, app: LockAppId, hint: LookAt, now: datetime) -> None:
    """A lock app's webhook is a hint and nothing more; hints that come together lead to one look."""
    locks.look_soon(connection, app, hint.locks, now + GATHER_HINTS)


def apply_reservation(
    connection: Connection, tools: Tools, host: HostId, event: ReservationEvent, said_at: datetime, now: datetime
) -> StayId:
    """Bring one stay up to date with what its platform said at ``said_at``, and have it planned (R20)."""
    before = stays.find(connection, tools.vault, host, event.platform, event.external_id)
    values = _values(event)
    mark = mark_of(event.changed_at or said_at, event.status, values)
    known = merge(_known(before) if before else None, mark, values, {name: getattr(event, name) for name in DETAILS})
    row, contact = _row(connection, host, known, now)
    if before is None:
        stay = stays.add(connection, tools.vault, host, {**row, "created_at": said_at, "plan_at": now}, contact)
        if stay is None:
            return apply_reservation(connection, tools, host, event, said_at, now)
        _tell(connection, host, stay, row, "booked", now)
        return stay
    if contact != before.contact or _differs(before, row):
        stays.change(connection, tools.vault, before.id, {**row, "plan_at": now}, contact)
        _tell(connection, host, before.id, row, "changed", now)
    return before.id


def _values(event: ReservationEvent) -> dict[str, Any]:
    """What a later statement replaces as a whole."""
    return {
        "platform": event.platform,
        "external_id": event.external_id,
        "reservation_code": event.reservation_code,
        "property_ref": event.property_ref,
        "status": (StayStatus.BLOCKED if event.owner_stay else event.status).value,
        "raw_status": event.raw_status,
        "arrival": event.arrival,
        "departure": event.departure,
        "check_in": event.check_in and event.check_in.isoformat("minutes"),
        "check_out": event.check_out and event.check_out.isoformat("minutes"),
    }


def _known(before: StayRow) -> Known:
    marks = {name: Mark(datetime.fromisoformat(at), rank, digest) for name, (at, rank, digest) in before.contact.marks}
    values = {name: getattr(before, name) for name in _STATED} | {"status": before.status.value}
    details = {name: (_detail(before, name), marks[name]) for name in DETAILS if name in marks}
    return Known(marks[""], values, details)


_STATED = (
    "platform",
    "external_id",
    "reservation_code",
    "property_ref",
    "status",
    "raw_status",
    "arrival",
    "departure",
    "check_in",
    "check_out",
)


def _detail(before: StayRow, name: str) -> Any:
    return getattr(before.contact if name in ("phone", "email", "platform_guest") else before, name)


def _row(connection: Connection, host: HostId, known: Known, now: datetime) -> tuple[dict[str, Any], Contact]:
    values = known.values
    is_cancelled = values["status"] in (StayStatus.CANCELLED, StayStatus.BLOCKED)
    row = {
        **values,
        "property_id": hosts.find_property(connection, host, values["platform"], values["property_ref"]),
        "guest_name": known.detail("guest_name"),
        "guest_first_name": known.detail("guest_first_name"),
        "language": known.detail("language"),
        "changed_at": known.mark.at,
        "cancelled_at": min(known.mark.at, now) if is_cancelled else None,
    }
    marks = {"": known.mark} | {name: mark for name, (_, mark) in known.details.items()}
    plain = tuple((name, (mark.at.isoformat(), mark.rank, mark.digest)) for name, mark in sorted(marks.items()))
    return row, Contact(known.detail("phone"), known.detail("email"), known.detail("platform_guest"), plain)


def _differs(before: StayRow, row: Mapping[str, Any]) -> bool:
    stored = asdict(before)
    stored |= {"property_id": before.property}
    return any(stored[name] != value for name, value in row.items())


def _tell(connection: Connection, host: HostId, stay: StayId, row: Mapping[str, Any], kind: str, now: datetime) -> None:
    begins, ends = (row[name] or "(usual time)" for name in ("check_in", "check_out"))
    times = f"{row['arrival']} {begins} to {row['departure']} {ends}"
    why = f"{row['platform']} says {row['status']} ({row['raw_status']}): {times}"
    if row["property_id"] is None:
        why += "; the property is not known here: connect it with `lockbridge property add`"
    journal.write(connection, [Entry(now, host, kind, why, stay=stay)])


async def replay(
    tools: Tools, host: HostId, now: datetime, *, delivery: DeliveryId | None = None, since: datetime | None = None
) -> int:
    """Have stored webhooks read again: one, those since an instant, or – neither given – all dead ones. How many."""
    dead = delivery is None and since is None
    return await transact(tools, lambda c: inbox.replay(c, host, now, delivery=delivery, since=since, dead=dead))
