"""Questions about the keys of the public API: of a key only its hash is kept."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from lockbridge.domain.ids import ApiKeyId, HostId, PersonId
from lockbridge.domain.people import Scope
from lockbridge.storage.tables import API_KEY


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """A key of a host. ``hint`` is how it ends; a revoked one is of no use any more."""

    id: ApiKeyId
    host: HostId
    name: str
    hint: str
    scopes: frozenset[Scope]
    created_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key to be stored."""

    name: str
    hint: str
    scopes: frozenset[Scope]
    made_by: PersonId | None = None


def _to_key(row: Row[Any]) -> ApiKeyRow:
    return ApiKeyRow(
        ApiKeyId(row.id),
        HostId(row.host_id),
        row.name,
        row.hint,
        frozenset(scope for scope in Scope if scope in row.scopes["scopes"]),
        row.created_at,
        row.used_at,
        row.revoked_at,
    )


def add(connection: Connection, host: HostId, token_hash: bytes, new: NewApiKey, now: datetime) -> ApiKeyId:
    """Store a key."""
    values = {
        "host_id": host,
        "name": new.name,
        "token_hash": token_hash,
        "hint": new.hint,
        "scopes": {"scopes": sorted(_plain(new.scopes))},
        "made_by": new.made_by,
        "created_at": now,
    }
    return ApiKeyId(connection.execute(insert(API_KEY).values(**values).returning(API_KEY.c.id)).scalar_one())


def _plain(scopes: Collection[Scope]) -> list[str]:
    return [scope.value for scope in scopes]


def find(connection: Connection, token_hash: bytes) -> ApiKeyRow | None:
    """The key with this token, unless it was revoked."""
    mine = select(API_KEY).where(API_KEY.c.token_hash == token_hash, API_KEY.c.revoked_at.is_(None))
    row = connection.execute(mine).one_or_none()
    return None if row is None else _to_key(row)


def of_host(connection: Connection, host: HostId) -> list[ApiKeyRow]:
    """A host's keys, those that can be used first, then the newest."""
    mine = select(API_KEY).where(API_KEY.c.host_id == host)
    ordered = mine.order_by(API_KEY.c.revoked_at.is_not(None), API_KEY.c.id.desc())
    return [_to_key(row) for row in connection.execute(ordered)]


def revoke(connection: Connection, host: HostId, key: ApiKeyId, now: datetime) -> bool:
    """Make a key useless for good. False: the host has no such key in use."""
    mine = (API_KEY.c.host_id == host, API_KEY.c.id == key, API_KEY.c.revoked_at.is_(None))
    return connection.execute(update(API_KEY).where(*mine).values(revoked_at=now)).rowcount == 1


def used(connection: Connection, key: ApiKeyId, now: datetime) -> None:
    """Note when a key was last used."""
    connection.execute(update(API_KEY).where(API_KEY.c.id == key).values(used_at=now))
