"""From a webhook to a stay: verify, store, answer; read later, as often as needed (R20)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from lockbridge.contract import Hint, LookAt
from lockbridge.domain.ids import DeliveryId, HostId, LockAppId
from lockbridge.domain.messages import HostAlarm
from lockbridge.domain.retry import wait_for
from lockbridge.inbound import Delivery, Hook, Ignored, Unreadable
from lockbridge.platforms.contract import Event, Notice, PropertyMerged, Reread, ReservationEvent
from lockbridge.storage import hosts, inbox, journal, locks, sources
from lockbridge.storage.database import DATABASE_FAILS
from lockbridge.storage.hosts import EndpointRow
from lockbridge.storage.inbox import Incoming, Read, Stored
from lockbridge.storage.journal import Entry
from lockbridge.storage.sources import SourceRow
from lockbridge.workflows import alarms, reservations
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.reservations import Said

KEPT_HEADERS = ("content-type", "user-agent", "webhook-id", "webhook-timestamp", "svix-id", "svix-timestamp")
"""What of a delivery's headers is worth keeping; signatures and authorization are not."""
GATHER_HINTS = timedelta(seconds=5)
"""How long after a hint its locks are looked at, or its reservation is asked for: hints come in bursts."""


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
            origin = _From(stored, _source_of(connection, tools, stored, now))
            for event in events:
                _apply(connection, tools, origin, event, now)
    except Unreadable as error:
        return _poison(connection, tools, stored, str(error), now)
    except DATABASE_FAILS:
        raise
    except Exception as error:  # noqa: BLE001 - a mistake of ours, kept for a replay: it must not stop the others
        tools.log.error("delivery could not be read", delivery=stored.id, kind=type(error).__name__)  # noqa: TRY400 - a traceback's message may quote the guest
        return _poison(connection, tools, stored, f"it could not be read ({type(error).__name__})", now)
    ignored = all(isinstance(event, Ignored | Notice) for event in events)
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
    platform = tools.platforms.get(key)
    return platform.hook if platform is not None and platform.hook is not None else tools.accounts.hooks[key]


def _source_of(connection: Connection, tools: Tools, stored: Stored, now: datetime) -> SourceRow | None:
    """The connected account whose webhook this is; that one came ends the worry that none do."""
    source = sources.of_endpoint(connection, stored.endpoint)
    if source is None:
        return None
    row = sources.by_ids(connection, tools.vault, [source])[source]
    if sources.announced(connection, source, now):
        about = {"source_name": row.name, "since": alarms.moment(now)}
        over = HostAlarm.WEBHOOKS_HEARD
        alarms.end(connection, row.host, HostAlarm.WEBHOOKS_SILENT, f"source-{source}", now, over=over, facts=about)
    return row


@dataclass(frozen=True, slots=True)
class _From:
    """Where a delivery came from, as far as reading it needs that."""

    stored: Stored
    source: SourceRow | None
    """The connected account; None: only its webhooks are known here."""

    def said(self, title: str) -> Said:
        who = self.source.name if self.source else title
        source = self.source.id if self.source else None
        return Said(self.stored.host, self.stored.received_at, who, source, hint=source is not None)


def _apply(connection: Connection, tools: Tools, origin: _From, event: Event | Hint, now: datetime) -> None:
    host = origin.stored.host
    match event:
        case ReservationEvent():
            reservations.apply(connection, tools, origin.said(tools.platforms[event.platform].title), event, now)
            _ask_again(connection, origin.source, event.ref, now)
        case Reread(ref):
            if origin.source is None:
                msg = "this says only that something changed: connect the account, so that it can be asked what"
                raise Unreadable(msg)
            _ask_again(connection, origin.source, ref, now)
        case PropertyMerged(previous, ref):
            known = reservations.adopt_property(connection, host, origin.stored.platform, previous, ref, now)
            text = f"property {previous} is called {ref} now" + ("" if known else "; it is not known here")
            journal.write(connection, [Entry(now, host, "notice.property.merged", text)])
        case LookAt():
            app = hosts.app_of_endpoint(connection, origin.stored.endpoint)
            if app is not None:
                look(connection, app, event, now)
        case Notice(kind, text):
            journal.write(connection, [Entry(now, host, f"notice.{kind}", text)])


def _ask_again(connection: Connection, source: SourceRow | None, ref: str, now: datetime) -> None:
    """A webhook is a hint: where the API is connected, it is asked what is true (bursts lead to one question)."""
    if source is not None:
        sources.ask_again(connection, source.host, source.id, [ref], now, now + GATHER_HINTS)


def look(connection: Connection, app: LockAppId, hint: LookAt, now: datetime) -> None:
    """A lock app's webhook is a hint and nothing more; hints that come together lead to one look."""
    locks.look_soon(connection, app, hint.locks, now + GATHER_HINTS)


async def replay(
    tools: Tools, host: HostId, now: datetime, *, delivery: DeliveryId | None = None, since: datetime | None = None
) -> int:
    """Have stored webhooks read again: one, those since an instant, or – neither given – all dead ones. How many."""
    dead = delivery is None and since is None
    return await transact(tools, lambda c: inbox.replay(c, host, now, delivery=delivery, since=since, dead=dead))
