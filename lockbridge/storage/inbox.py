"""Questions about the inbox: webhooks as they came, what became of them, what is still to be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.domain.ids import DeliveryId, EndpointId, HostId
from lockbridge.storage.batch import Batch
from lockbridge.storage.tables import DELIVERY, ENDPOINT
from lockbridge.storage.vault import Vault

BODY = "delivery"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A verified webhook to be stored as it came."""

    host: HostId
    endpoint: EndpointId
    platform: str
    dedupe_key: str
    received_at: datetime
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored webhook. ``state``: waiting, done, ignored, dead."""

    id: DeliveryId
    host: HostId
    endpoint: EndpointId
    platform: str
    dedupe_key: str
    received_at: datetime
    headers: Mapping[str, str]
    body: bytes
    state: str
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Read:
    """What became of a delivery."""

    id: DeliveryId
    state: str
    attempts: int
    error: str | None
    next_at: datetime | None


def _store(new: postgresql.Insert | sqlite.Insert) -> Batch:
    return Batch(new.on_conflict_do_nothing(index_elements=["endpoint_id", "dedupe_key"]))


_STORE = {"postgresql": _store(postgresql.insert(DELIVERY)), "sqlite": _store(sqlite.insert(DELIVERY))}


def store(connection: Connection, vault: Vault, items: Sequence[Incoming]) -> list[None]:
    """Store webhooks; one that is stored already (same endpoint and key) is left as it is."""
    _STORE[connection.dialect.name].write(connection, [_values(item, vault) for item in items])
    return [None] * len(items)


def _values(item: Incoming, vault: Vault) -> dict[str, Any]:
    return {
        "host_id": item.host,
        "endpoint_id": item.endpoint,
        "platform": item.platform,
        "dedupe_key": item.dedupe_key,
        "received_at": item.received_at,
        "headers": item.headers,
        "body_sealed": vault.seal(item.body, BODY),
        "next_at": item.received_at,
    }


def waiting(connection: Connection, vault: Vault, now: datetime, limit: int) -> list[Stored]:
    """Webhooks to be read now, the oldest first, kept from other processes until this transaction ends."""
    due = (
        select(DELIVERY)
        .where(DELIVERY.c.next_at <= now)
        .order_by(DELIVERY.c.next_at, DELIVERY.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_stored(row, vault) for row in connection.execute(due)]


def get(connection: Connection, vault: Vault, host: HostId, delivery: DeliveryId) -> Stored | None:
    """One webhook of this host."""
    mine = select(DELIVERY).where(DELIVERY.c.host_id == host, DELIVERY.c.id == delivery)
    row = connection.execute(mine).one_or_none()
    return _stored(row, vault) if row else None


def of_host(
    connection: Connection, vault: Vault, host: HostId, *, state: str | None = None, limit: int = 50
) -> list[Stored]:
    """A host's latest webhooks, newest first."""
    mine = select(DELIVERY).where(DELIVERY.c.host_id == host).order_by(DELIVERY.c.id.desc()).limit(limit)
    wanted = mine.where(DELIVERY.c.state == state) if state else mine
    return [_stored(row, vault) for row in connection.execute(wanted)]


@dataclass(frozen=True, slots=True)
class Line:
    """A webhook as a list shows it: whose, when, and what became of it; not what it says."""

    id: DeliveryId
    platform: str
    received_at: datetime
    state: str
    attempts: int
    error: str | None
    next_at: datetime | None
    readable: bool
    """Whether it can be read again: what it said is still kept."""


def lines(
    connection: Connection, host: HostId, *, state: str | None, before: DeliveryId | None, limit: int
) -> list[Line]:
    """A host's webhooks, newest first; ``before``: those that came before that one."""
    kept = DELIVERY.c.body_sealed.is_not(None).label("readable")
    names = ("id", "platform", "received_at", "state", "attempts", "error", "next_at")
    wanted = select(*(DELIVERY.c[name] for name in names), kept).where(DELIVERY.c.host_id == host)
    if state is not None:
        wanted = wanted.where(DELIVERY.c.state == state)
    if before is not None:
        wanted = wanted.where(DELIVERY.c.id < before)
    found = connection.execute(wanted.order_by(DELIVERY.c.id.desc()).limit(limit))
    return [
        Line(
            DeliveryId(row.id),
            row.platform,
            row.received_at,
            row.state,
            row.attempts,
            row.error,
            row.next_at,
            bool(row.readable),
        )
        for row in found
    ]


def _stored(row: Row[Any], vault: Vault) -> Stored:
    return Stored(
        DeliveryId(row.id),
        HostId(row.host_id),
        EndpointId(row.endpoint_id),
        row.platform,
        row.dedupe_key,
        row.received_at,
        row.headers,
        vault.open_bytes(row.body_sealed, BODY) if row.body_sealed else b"",
        row.state,
        row.attempts,
        row.error,
    )


_NOTE = (
    update(DELIVERY)
    .where(DELIVERY.c.id == bindparam("_id"))
    .values({name: bindparam(name) for name in ("state", "attempts", "error", "next_at")})
)


def note(connection: Connection, results: Sequence[Read]) -> None:
    """Write down what became of deliveries."""
    rows = [
        {"_id": item.id, "state": item.state, "attempts": item.attempts, "error": item.error, "next_at": item.next_at}
        for item in results
    ]
    if rows:
        connection.execute(_NOTE, rows)


def replay(
    connection: Connection,
    host: HostId,
    now: datetime,
    *,
    delivery: DeliveryId | None,
    since: datetime | None,
    dead: bool,
) -> int:
    """Have stored webhooks read again: one, those since an instant, or all dead ones. How many."""
    chosen = [DELIVERY.c.host_id == host]
    if delivery is not None:
        chosen.append(DELIVERY.c.id == delivery)
    if since is not None:
        chosen.append(DELIVERY.c.received_at >= since)
    if dead:
        chosen.append(DELIVERY.c.state == "dead")
    again = update(DELIVERY).where(*chosen).values(state="waiting", attempts=0, error=None, next_at=now)
    return connection.execute(again).rowcount


def erase_bodies(connection: Connection, before: datetime) -> None:
    """Erase webhooks as they came that were received before an instant (R45); that they came is kept."""
    old = update(DELIVERY).where(DELIVERY.c.received_at < before, DELIVERY.c.body_sealed.is_not(None))
    connection.execute(old.values(body_sealed=None, next_at=None))


def erase_hints(connection: Connection, before: datetime) -> None:
    """Erase what lock apps' clouds sent before an instant: it may quote the digits of codes (R45)."""
    theirs = select(ENDPOINT.c.id).where(ENDPOINT.c.lock_app_id.is_not(None))
    old = update(DELIVERY).where(DELIVERY.c.received_at < before, DELIVERY.c.body_sealed.is_not(None))
    connection.execute(old.where(DELIVERY.c.endpoint_id.in_(theirs)).values(body_sealed=None, next_at=None))


def counts(connection: Connection) -> dict[str, int]:
    """How many webhooks wait, and how many are dead."""
    states = select(DELIVERY.c.state, func.count()).where(DELIVERY.c.state.in_(("waiting", "dead")))
    return {row[0]: row[1] for row in connection.execute(states.group_by(DELIVERY.c.state))}
