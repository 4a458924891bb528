"""Questions about what API calls with an idempotency key were answered: kept for a day, sealed."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.domain.ids import ApiKeyId, HostId
from lockbridge.storage.rows import API_ANSWER as CONTEXT
from lockbridge.storage.rows import open_json, seal_json
from lockbridge.storage.tables import API_ANSWER
from lockbridge.storage.vault import Vault

KEPT = timedelta(hours=24)
"""A key means the same request for so long."""
PATIENCE = timedelta(minutes=2)
"""A first call that has not ended by then died with its process: another one may do the work."""


class Begun(StrEnum):
    """What a call finds that was not answered before."""

    OURS = "ours"
    """It is the first, or takes the place of one that died: it does the work."""
    AT_WORK = "at work"
    """The first is still at work."""
    ANOTHER = "another"
    """The key was used for another request."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call. ``digest`` is equal for equal requests; ``at`` is when it began."""

    api_key: ApiKeyId
    host: HostId
    key: str
    digest: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


def begin(connection: Connection, vault: Vault, asked: Asked) -> Begun | Answer:
    """Begin a call, or find what it was answered when it came before."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(API_ANSWER).values(api_key_id=asked.api_key, host_id=asked.host, key=asked.key, **_anew(asked))
    if connection.execute(new.on_conflict_do_nothing().returning(API_ANSWER.c.key)).first() is not None:
        return Begun.OURS
    row = connection.execute(select(API_ANSWER).where(*_mine(asked)).with_for_update()).one_or_none()
    if row is None:
        return Begun.AT_WORK
    return _found(connection, vault, asked, row)


def _found(connection: Connection, vault: Vault, asked: Asked, row: Row[Any]) -> Begun | Answer:
    died = row.status is None and row.created_at <= asked.at - PATIENCE
    over = row.created_at <= asked.at - KEPT
    if row.request_digest != asked.digest and not over:
        return Begun.ANOTHER
    if died or over:
        connection.execute(update(API_ANSWER).where(*_mine(asked)).values(**_anew(asked)))
        return Begun.OURS
    return Begun.AT_WORK if row.status is None else _answer(vault, row)


def _anew(asked: Asked) -> dict[str, Any]:
    return {"request_digest": asked.digest, "status": None, "body_sealed": None, "created_at": asked.at}


def _mine(asked: Asked) -> tuple[Any, ...]:
    return API_ANSWER.c.api_key_id == asked.api_key, API_ANSWER.c.key == asked.key


def _at_work(asked: Asked) -> tuple[Any, ...]:
    return *_mine(asked), API_ANSWER.c.status.is_(None), API_ANSWER.c.created_at == asked.at


def _answer(vault: Vault, row: Row[Any]) -> Answer:
    said = open_json(vault, row.body_sealed, CONTEXT)
    return Answer(row.status, said["headers"], base64.b64decode(said["body"]))


def finish(connection: Connection, vault: Vault, asked: Asked, answer: Answer) -> bool:
    """Keep what a call was answered. False: another one has taken its place meanwhile."""
    said = {"headers": dict(answer.headers), "body": base64.b64encode(answer.body).decode()}
    values = {"status": answer.status, "body_sealed": seal_json(vault, said, CONTEXT)}
    return connection.execute(update(API_ANSWER).where(*_at_work(asked)).values(**values)).rowcount == 1


def let_go(connection: Connection, asked: Asked) -> None:
    """Free the key of a call that changed nothing."""
    connection.execute(delete(API_ANSWER).where(*_at_work(asked)))


def forget_over(connection: Connection, now: datetime) -> None:
    """Forget answers that are older than a day."""
    connection.execute(delete(API_ANSWER).where(API_ANSWER.c.created_at <= now - KEPT))
