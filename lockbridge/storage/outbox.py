"""Questions about messages: what is to be said to whom, when, and what was said."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, not_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.domain.ids import CodeId, HostId, MessageId, PlacementId, StayId
from lockbridge.domain.rules import By
from lockbridge.storage.batch import Batch
from lockbridge.storage.claiming import chosen
from lockbridge.storage.tables import CODE, MESSAGE, STAY
from lockbridge.storage.vault import Vault

TEXT = "message"
PLANNED = ("access_code:", "extended:", "rule:")
"""How the keys of messages begin that booking plans; others are made when something happens."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be sent at ``next_at``. ``key`` makes it one: a second one with the same key is the same message.

    ``rule``: the name of the rule it follows. ``channel``: by which way it goes; ``auto`` is decided when it goes.
    """

    host: HostId
    key: str
    kind: str
    next_at: datetime
    stay: StayId | None = None
    to_host: bool = False
    language: str = "en"
    facts: Mapping[str, Any] | None = None
    rule: str | None = None
    channel: str = By.AUTO.value


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as it is stored. ``state``: waiting, held, sent, cancelled, refused.

    ``channel``: by which way it went, or was tried; ``told``: which digits it told (placement: index), or the group of
    alarms it went with.
    """

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
    text: str | None = field(repr=False)
    rule: str | None = None
    channel: str = By.AUTO.value
    told: Mapping[str, Any] = field(default_factory=dict)


def _add(new: postgresql.Insert | sqlite.Insert) -> Batch:
    unsent = and_(MESSAGE.c.state != "sent", MESSAGE.c.state != "refused")
    return Batch(
        new.on_conflict_do_update(
            index_elements=["host_id", "key"],
            set_={
                "next_at": new.excluded.next_at,
                "state": "waiting",
                "stay_id": new.excluded.stay_id,
                "rule": new.excluded.rule,
            },
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
        "rule": message.rule,
        "channel": message.channel,
        "language": message.language,
        "facts": dict(message.facts or {}),
        "told": {},
        "created_at": now,
        "next_at": message.next_at,
    }


def claim(connection: Connection, now: datetime, until: datetime, lease: str, limit: int) -> list[MessageId]:
    """Lease messages that are due, and with an alarm all others that are due for its host: these go out together.

    A lease that ends makes them due again.
    """
    soonest = select(MESSAGE.c.id).where(_is_due(now)).order_by(MESSAGE.c.next_at, MESSAGE.c.id).limit(limit)
    claimed = _lease(connection, soonest, until, lease)
    hosts = {row.host_id for row in claimed if row.to_host}
    if hosts:
        along = select(MESSAGE.c.id).where(_is_due(now), MESSAGE.c.to_host, MESSAGE.c.host_id.in_(hosts))
        claimed += _lease(connection, along, until, lease)
    return sorted(MessageId(row.id) for row in claimed)


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(MESSAGE.c.next_at <= now, or_(MESSAGE.c.lease_until.is_(None), MESSAGE.c.lease_until <= now))


def _lease(connection: Connection, due: Select[Any], until: datetime, lease: str) -> list[Row[Any]]:
    claimed = update(MESSAGE).where(MESSAGE.c.id.in_(chosen(due))).values(lease=lease, lease_until=until)
    return list(connection.execute(claimed.returning(MESSAGE.c.id, MESSAGE.c.host_id, MESSAGE.c.to_host)))


def leased(connection: Connection, vault: Vault, ids: Collection[MessageId], lease: str) -> list[MessageRow]:
    """The messages this lease holds."""
    mine = select(MESSAGE).where(MESSAGE.c.id.in_(ids), MESSAGE.c.lease == lease).order_by(MESSAGE.c.id)
    return [_message(row, vault) for row in connection.execute(mine)]


def let_go(connection: Connection, ids: Collection[MessageId], lease: str) -> None:
    """Give back what was leased and not come to: it is loaded anew, as things are then."""
    mine = (MESSAGE.c.id.in_(ids), MESSAGE.c.lease == lease)
    connection.execute(update(MESSAGE).where(*mine).values(lease=None, lease_until=None))


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
        row.rule,
        row.channel,
        row.told,
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """How a message went: its words, the way, and which digits it told (placement: index)."""

    text: str = field(repr=False)
    channel: str = By.EMAIL.value
    told: Mapping[str, str] = field(default_factory=dict)


def note_sent(connection: Connection, vault: Vault, message: MessageId, sent: Sent, now: datetime) -> None:
    """The message was accepted; its text is kept, sealed."""
    how = {"text_sealed": vault.seal(sent.text, TEXT), "channel": sent.channel, "told": dict(sent.told)}
    _release(connection, message, {"state": "sent", "sent_at": now, "next_at": None, "error": None, **how})


def note_way(connection: Connection, message: MessageId, channel: str) -> None:
    """The message is about to go this way: if nothing is heard of it any more, it may have gone."""
    connection.execute(update(MESSAGE).where(MESSAGE.c.id == message).values(channel=channel))


def note_group(connection: Connection, messages: Collection[MessageId], group: str) -> None:
    """These alarms are about to go out as one e-mail; tried again, they are the same e-mail."""
    connection.execute(update(MESSAGE).where(MESSAGE.c.id.in_(messages)).values(told={"group": group}))


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


def wake_for_codes(connection: Connection, codes: Collection[CodeId]) -> None:
    """Messages that were held until one of these codes is confirmed are due."""
    if codes:
        theirs = select(CODE.c.stay_id).where(CODE.c.id.in_(codes))
        held = update(MESSAGE).where(MESSAGE.c.state == "held", MESSAGE.c.stay_id.in_(theirs))
        connection.execute(held.values(next_at=MESSAGE.c.created_at))


def cancel_unsent(connection: Connection, stays: Collection[StayId]) -> None:
    """The messages of these stays that were not sent yet are no longer due."""
    if stays:
        unsent = (MESSAGE.c.stay_id.in_(stays), MESSAGE.c.to_host.is_(False), _UNSENT, not_(_TOUCHED_FIELD))
        connection.execute(update(MESSAGE).where(*unsent).values(state="cancelled", next_at=None))


_UNSENT = MESSAGE.c.state.in_(("waiting", "held"))
_TOUCHED_FIELD = and_(
    MESSAGE.c.channel == By.FIELD.value,
    or_(MESSAGE.c.sent_at.is_not(None), MESSAGE.c.attempts > 0, MESSAGE.c.lease.is_not(None)),
)
"""The platform may have the door code already: it is put right there, never just left."""


def cancel_others(connection: Connection, stays: Collection[StayId], keys: Collection[tuple[HostId, str]]) -> None:
    """Of what booking planned for these stays and was not sent yet, what has none of these keys is no longer due."""
    if not stays:
        return
    planned = or_(*(MESSAGE.c.key.startswith(prefix) for prefix in PLANNED))
    theirs = select(MESSAGE.c.id, MESSAGE.c.host_id, MESSAGE.c.key).where(
        MESSAGE.c.stay_id.in_(stays), MESSAGE.c.to_host.is_(False), _UNSENT, planned
    )
    unwanted = [
        row.id
        for row in connection.execute(theirs)
        if not any((row.host_id, key) in keys for key in (row.key, row.key.rpartition(":")[0]))
    ]
    if unwanted:
        gone = update(MESSAGE).where(MESSAGE.c.id.in_(unwanted), not_(_TOUCHED_FIELD))
        connection.execute(gone.values(state="cancelled", next_at=None))
        _rewrite(connection, MESSAGE.c.id.in_(unwanted))


def rewrite_fields(connection: Connection, stays: Collection[StayId], now: datetime) -> None:
    """The door codes of these stays that stand with their platforms are compared with what holds now."""
    if stays:
        _rewrite(connection, MESSAGE.c.stay_id.in_(stays), now)


def rewrite_fields_of(connection: Connection, codes: Collection[CodeId], now: datetime) -> None:
    """The same for all stays with one of these codes."""
    if codes:
        theirs = select(STAY.c.id).where(STAY.c.code_id.in_(codes))
        _rewrite(connection, MESSAGE.c.stay_id.in_(theirs), now)


def _rewrite(connection: Connection, which: ColumnElement[bool], now: datetime | None = None) -> None:
    known = MESSAGE.c.state.in_(("sent", "waiting", "held"))
    due = MESSAGE.c.created_at if now is None else now
    fields = update(MESSAGE).where(which, _TOUCHED_FIELD, known)
    connection.execute(fields.values(state="waiting", next_at=due, attempts=0))


def sent_since(connection: Connection, stays: Collection[StayId], since: datetime) -> dict[StayId, list[datetime]]:
    """When the guests of these stays were written to since an instant, the earliest first."""
    lately = (MESSAGE.c.stay_id.in_(stays), MESSAGE.c.sent_at > since, MESSAGE.c.to_host.is_(False))
    texts = select(MESSAGE.c.stay_id, MESSAGE.c.sent_at).where(*lately, MESSAGE.c.channel != By.FIELD.value)
    found: dict[StayId, list[datetime]] = defaultdict(list)
    for row in connection.execute(texts.order_by(MESSAGE.c.sent_at)):
        found[StayId(row.stay_id)].append(row.sent_at)
    return found


@dataclass(frozen=True, slots=True)
class Telling:
    """Which digits (by index) one sent message told, by placement; None: an earlier version did not note it."""

    rule: str | None
    way: By
    told: Mapping[PlacementId, str] | None


def tellings(connection: Connection, stays: Collection[StayId]) -> dict[StayId, list[Telling]]:
    """The messages that told the guests of these stays digits, in order; a field that is being rewritten told some."""
    went = or_(MESSAGE.c.state == "sent", MESSAGE.c.channel == By.FIELD.value)
    sent = (MESSAGE.c.stay_id.in_(stays), went, MESSAGE.c.to_host.is_(False))
    columns = (MESSAGE.c.stay_id, MESSAGE.c.rule, MESSAGE.c.channel, MESSAGE.c.told)
    found: dict[StayId, list[Telling]] = defaultdict(list)
    for row in connection.execute(select(*columns).where(*sent).order_by(MESSAGE.c.sent_at, MESSAGE.c.id)):
        way = By(row.channel)
        if way is By.AUTO:
            found[StayId(row.stay_id)].append(Telling(row.rule, By.EMAIL, None))
        elif row.told:
            told = {PlacementId(int(key)): index for key, index in row.told.items()}
            found[StayId(row.stay_id)].append(Telling(row.rule, way, told))
    return found


def erase_texts(connection: Connection, stays: Collection[StayId]) -> None:
    """Erase what was said to guests whose data is erased (R45)."""
    if stays:
        connection.execute(update(MESSAGE).where(MESSAGE.c.stay_id.in_(stays)).values(text_sealed=None, told={}))


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
