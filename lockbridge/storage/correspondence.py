"""Questions about what a host's guests were told lately and what they are to be told, with whose stay it is."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, select

from lockbridge.domain.ids import HostId, MessageId, StayId
from lockbridge.storage.outbox import TEXT
from lockbridge.storage.tables import MESSAGE, PROPERTY, STAY
from lockbridge.storage.vault import Vault


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to a guest, with its stay. ``zone`` is the property's; ``text`` is opened for a single one only."""

    id: MessageId
    stay: StayId
    guest: str
    place: str | None
    zone: str | None
    kind: str
    rule: str | None
    channel: str
    language: str
    state: str
    attempts: int
    error: str | None
    sent_at: datetime | None
    next_at: datetime | None
    text: str | None = field(default=None, repr=False)


_COLUMNS = (
    MESSAGE,
    STAY.c.guest_name,
    STAY.c.reservation_code,
    PROPERTY.c.name.label("place"),
    PROPERTY.c.zone,
)


def _letters(*which: ColumnElement[bool]) -> Select[Any]:
    of_stay = MESSAGE.join(STAY, STAY.c.id == MESSAGE.c.stay_id).outerjoin(
        PROPERTY, PROPERTY.c.id == STAY.c.property_id
    )
    return select(*_COLUMNS).select_from(of_stay).where(MESSAGE.c.to_host.is_(False), *which)


def coming(connection: Connection, host: HostId, limit: int) -> list[Letter]:
    """What is to be said to the host's guests, the soonest first."""
    due = and_(MESSAGE.c.host_id == host, MESSAGE.c.next_at.is_not(None))
    found = _letters(due).order_by(MESSAGE.c.next_at, MESSAGE.c.id).limit(limit)
    return [_letter(row) for row in connection.execute(found)]


def lately(connection: Connection, host: HostId, limit: int, before: MessageId | None = None) -> list[Letter]:
    """What was said to the host's guests, or could not be, the latest first; ``before``: what came before that one."""
    over = and_(MESSAGE.c.host_id == host, MESSAGE.c.state.in_(("sent", "refused")))
    found = _letters(over).order_by(MESSAGE.c.id.desc()).limit(limit)
    older = found.where(MESSAGE.c.id < before) if before is not None else found
    return [_letter(row) for row in connection.execute(older)]


def get(connection: Connection, vault: Vault, host: HostId, message: MessageId) -> Letter | None:
    """One message to a guest of this host, with its words where they are still kept."""
    one = _letters(MESSAGE.c.host_id == host, MESSAGE.c.id == message)
    row = connection.execute(one).one_or_none()
    if row is None:
        return None
    return _letter(row, vault.open(row.text_sealed, TEXT) if row.text_sealed else None)


def _letter(row: Row[Any], text: str | None = None) -> Letter:
    return Letter(
        MessageId(row.id),
        StayId(row.stay_id),
        row.guest_name or row.reservation_code,
        row.place,
        row.zone,
        row.kind,
        row.rule,
        row.channel,
        row.language,
        row.state,
        row.attempts,
        row.error,
        row.sent_at,
        row.next_at,
        text,
    )
