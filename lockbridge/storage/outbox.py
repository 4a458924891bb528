"""Questions about messages: what is to be said to whom, when, and what was said."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.domain.ids import CodeId, HostId, MessageId, StayId
from lockbridge.storage.batch import Batch
from lockbridge.storage.tables import CODE, MESSAGE
from lockbridge.storage.vault import Vault

TEXT = "message"


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be sent at ``next_at``. ``key`` makes it one: a second one with the same key is the same message."""

    host: HostId
    key: str
    kind: str
    next_at: datetime
    stay: StayId | None = None
    to_host: bool = False
    language: str = "en"
    facts: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as it is stored. ``state``: waiting, held, sent, cancelled, refused."""

    id: MessageId
    host: HostId
    stay: StayId | None
    key: str
    kind: str
    to_host: bool
    language: str
    facts: Mapping[str, Any]
    state: str
    attempts: int
    error: str | None
    created_at: datetime
    sent_at: datetime | None
    next_at: datetime | None
    text: str | None


def _add(new: postgresql.Insert | sqlite.Insert) -> Batch:
    unsent = and_(MESSAGE.c.state != "sent", MESSAGE.c.state != "refused")
    return Batch(
        new.on_conflict_do_update(
            index_elements=["host_id", "key"],
            set_={"next_at": new.excluded.next_at, "state": "waiting", "stay_id": new.excluded.stay_id},
            where=unsent,
        )
    )


_ADD = {"postgresql": _add(postgresql.insert(MESSAGE)), "sqlite": _add(sqlite.insert(MESSAGE))}


def add(connection: Connection, messages: Sequence[NewMessage], now: datetime) -> None:
    """Store messages to be sent; one whose key is known keeps what became of it, and if unsent gets the new time."""
    news = {(message.host, message.key): _values(message, now) for message in messages}
    _ADD[connection.dialect.name].write(connection, list(news.values()))


def _values(message: NewMessage, now: datetime) -> dict[str, Any]:
    return {
        "host_id": message.host,
        "stay_id": message.stay,
        "key": message.key,
        "kind": message.kind,
        "to_host": message.to_host,
        "language": message.language,
        "facts": dict(message.facts or {}),
        "told": {},
        "created_at": now,
        "next_at": message.next_at,
    }


def claim(connection: Connection, now: datetime, until: datetime, lease: str, limit: int) -> list[MessageId]:
    """Lease messages that are due; a lease that ends makes them due again."""
    due = (
        select(MESSAGE.c.id)
        .where(MESSAGE.c.next_at <= now, or_(MESSAGE.c.lease_until.is_(None), MESSAGE.c.lease_until <= now))
        .order_by(MESSAGE.c.next_at, MESSAGE.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = update(MESSAGE).where(MESSAGE.c.id.in_(due)).values(lease=lease, lease_until=until)
    return sorted(MessageId(row.id) for row in connection.execute(claimed.returning(MESSAGE.c.id)))


def leased(connection: Connection, vault: Vault, ids: Collection[MessageId], lease: str) -> list[MessageRow]:
    """The messages this lease holds."""
    mine = select(MESSAGE).where(MESSAGE.c.id.in_(ids), MESSAGE.c.lease == lease).order_by(MESSAGE.c.id)
    return [_message(row, vault) for row in connection.execute(mine)]


def of_stay(connection: Connection, vault: Vault, host: HostId, stay: StayId) -> list[MessageRow]:
    """Everything said, or to be said, about a stay."""
    mine = select(MESSAGE).where(MESSAGE.c.host_id == host, MESSAGE.c.stay_id == stay).order_by(MESSAGE.c.id)
    return [_message(row, vault) for row in connection.execute(mine)]


def of_host(connection: Connection, vault: Vault, host: HostId, *, limit: int = 100) -> list[MessageRow]:
    """The latest messages of a host."""
    mine = select(MESSAGE).where(MESSAGE.c.host_id == host).order_by(MESSAGE.c.id.desc()).limit(limit)
    return [_message(row, vault) for row in connection.execute(mine)]


def _message(row: Row[Any], vault: Vault) -> MessageRow:
    return MessageRow(
        MessageId(row.id),
        HostId(row.host_id),
        row.stay_id and StayId(row.stay_id),
        row.key,
        row.kind,
        row.to_host,
        row.language,
        row.facts,
        row.state,
        row.attempts,
        row.error,
        row.created_at,
        row.sent_at,
        row.next_at,
        vault.open(row.text_sealed, TEXT) if row.text_sealed else None,
    )


def note_sent(connection: Connection, vault: Vault, message: MessageId, text: str, now: datetime) -> None:
    """The message was accepted; its text is kept, sealed."""
    values = {"state": "sent", "sent_at": now, "next_at": None, "text_sealed": vault.seal(text, TEXT), "error": None}
    _release(connection, message, values)


def note_later(connection: Connection, message: MessageId, state: str, next_at: datetime, error: str | None) -> None:
    """The message is tried again at ``next_at``: ``held`` for its code, or ``waiting`` after an error."""
    attempts = MESSAGE.c.attempts + (1 if error else 0)
    _release(connection, message, {"state": state, "next_at": next_at, "error": error, "attempts": attempts})


def note_dropped(connection: Connection, message: MessageId, state: str, error: str | None) -> None:
    """The message will not be sent: ``cancelled`` or ``refused``."""
    _release(connection, message, {"state": state, "next_at": None, "error": error})


def _release(connection: Connection, message: MessageId, values: Mapping[str, Any]) -> None:
    done = update(MESSAGE).where(MESSAGE.c.id == message)
    connection.execute(done.values(lease=None, lease_until=None, **values))


def wake_held(connection: Connection, stays: Collection[StayId], now: datetime) -> None:
    """Messages held for a code of these stays are looked at again now."""
    if stays:
        held = update(MESSAGE).where(MESSAGE.c.stay_id.in_(stays), MESSAGE.c.state == "held")
        connection.execute(held.values(next_at=now))


def wake_for_codes(connection: Connection, codes: Collection[CodeId]) -> None:
    """Messages that were held until one of these codes is confirmed are due."""
    if codes:
        theirs = select(CODE.c.stay_id).where(CODE.c.id.in_(codes))
        held = update(MESSAGE).where(MESSAGE.c.state == "held", MESSAGE.c.stay_id.in_(theirs))
        connection.execute(held.values(next_at=MESSAGE.c.created_at))


def cancel_unsent(connection: Connection, stays: Collection[StayId]) -> None:
    """The messages of these stays that were not sent yet are no longer due."""
    if stays:
        unsent = (MESSAGE.c.stay_id.in_(stays), MESSAGE.c.to_host.is_(False), MESSAGE.c.state.in_(("waiting", "held")))
        connection.execute(update(MESSAGE).where(*unsent).values(state="cancelled", next_at=None))


def next_due_at(connection: Connection) -> datetime | None:
    """When the next message is due."""
    soonest: datetime | None = connection.execute(select(func.min(MESSAGE.c.next_at))).scalar_one()
    return soonest


def erase_texts(connection: Connection, stays: Collection[StayId]) -> None:
    """Erase what was said to guests whose data is erased (R45)."""
    if stays:
        connection.execute(update(MESSAGE).where(MESSAGE.c.stay_id.in_(stays)).values(text_sealed=None))


def erase_texts_of(connection: Connection, kind: str, before: datetime) -> None:
    """Erase what was said in messages of a kind that quotes digits and belongs to no stay (R45)."""
    old = update(MESSAGE).where(MESSAGE.c.kind == kind, MESSAGE.c.created_at < before, MESSAGE.c.state == "sent")
    connection.execute(old.values(text_sealed=None))


def erase_facts(connection: Connection, before: datetime) -> None:
    """Erase what was said in messages older than an instant (R45); that they were sent is kept."""
    old = update(MESSAGE).where(MESSAGE.c.created_at < before, MESSAGE.c.state.in_(("sent", "refused", "cancelled")))
    connection.execute(old.values(facts={}, text_sealed=None))


def counts(connection: Connection) -> dict[str, int]:
    """How many messages are in which state."""
    states = select(MESSAGE.c.state, func.count()).group_by(MESSAGE.c.state)
    return {row[0]: row[1] for row in connection.execute(states)}
