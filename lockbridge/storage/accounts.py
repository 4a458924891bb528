"""Questions about calling lock-app accounts: whose turn it is, and the access token that all processes share."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import orjson
from sqlalchemy import Connection, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.contract import Grant
from lockbridge.domain.ids import LockAppId
from lockbridge.storage.rows import open_json, seal_json
from lockbridge.storage.tables import ACCESS_TOKEN, LOCK_APP
from lockbridge.storage.vault import Vault

TOKEN = "access token"  # noqa: S105 - the name of a context


@dataclass(frozen=True, slots=True)
class Turns:
    """How many calls a process asks to make, how far apart they must be, and how long it would wait for the first."""

    app: LockAppId
    count: int
    apart: timedelta
    patience: timedelta


def take_turns(connection: Connection, wanted: Turns, now: datetime) -> datetime | None:
    """When the first of these turns is (UTC); the others follow at their distance. None: later than the patience."""
    free_at = connection.execute(
        select(LOCK_APP.c.paced_until).where(LOCK_APP.c.id == wanted.app).with_for_update()
    ).scalar_one_or_none()
    first = max(free_at or now, now)
    if first - now > wanted.patience:
        return None
    rest_until(connection, wanted.app, first + wanted.count * wanted.apart)
    return first


def rest_until(connection: Connection, app: LockAppId, until: datetime) -> None:
    """No turns before ``until``, for any process."""
    paced = LOCK_APP.c.paced_until
    earlier = or_(paced.is_(None), paced < until)
    connection.execute(update(LOCK_APP).where(LOCK_APP.c.id == app, earlier).values(paced_until=until))


@dataclass(frozen=True, slots=True)
class StoredToken:
    """An access token as it is kept. ``made_of`` is the digest of the settings it was fetched with."""

    made_of: str
    grant: Grant


def digest(settings: Mapping[str, str]) -> str:
    """Which settings a token was fetched with: other settings need another token."""
    return sha256(orjson.dumps(dict(settings), option=orjson.OPT_SORT_KEYS)).hexdigest()


def token_of(connection: Connection, vault: Vault, app: LockAppId) -> StoredToken | None:
    """The account's access token; None when none was fetched yet."""
    sealed = connection.execute(select(ACCESS_TOKEN.c.token_sealed).where(ACCESS_TOKEN.c.lock_app_id == app)).scalar()
    if sealed is None:
        return None
    kept = open_json(vault, sealed, TOKEN)
    expires = kept["expires_at"] and datetime.fromisoformat(kept["expires_at"])
    return StoredToken(kept["made_of"], Grant(kept["access"], expires, kept["refresh"]))


def lease_token(connection: Connection, app: LockAppId, lease: str, now: datetime, until: datetime) -> bool:
    """Take the right to fetch a new token until then; False while another process has it."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = dialect.insert(ACCESS_TOKEN).values(lock_app_id=app).on_conflict_do_nothing(index_elements=["lock_app_id"])
    connection.execute(row)
    is_free = or_(ACCESS_TOKEN.c.lease_until.is_(None), ACCESS_TOKEN.c.lease_until <= now)
    taken = update(ACCESS_TOKEN).where(ACCESS_TOKEN.c.lock_app_id == app, is_free)
    return connection.execute(taken.values(lease=lease, lease_until=until)).rowcount == 1


def save_token(connection: Connection, vault: Vault, app: LockAppId, lease: str, token: StoredToken) -> bool:
    """Keep a new token and give the lease back; False when the lease was lost meanwhile: then nothing is kept."""
    mine = (ACCESS_TOKEN.c.lock_app_id == app, ACCESS_TOKEN.c.lease == lease)
    values = {"token_sealed": _sealed(vault, token), "lease": None, "lease_until": None}
    return connection.execute(update(ACCESS_TOKEN).where(*mine).values(**values)).rowcount == 1


def put_token(connection: Connection, vault: Vault, app: LockAppId, token: StoredToken) -> None:
    """Keep the token that an account was connected with; whoever is fetching one for its old settings keeps nothing."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"token_sealed": _sealed(vault, token), "lease": None, "lease_until": None}
    row = dialect.insert(ACCESS_TOKEN).values(lock_app_id=app, **values)
    connection.execute(row.on_conflict_do_update(index_elements=["lock_app_id"], set_=values))


def leave_token(connection: Connection, app: LockAppId, lease: str) -> None:
    """Give the lease back without a new token."""
    mine = (ACCESS_TOKEN.c.lock_app_id == app, ACCESS_TOKEN.c.lease == lease)
    connection.execute(update(ACCESS_TOKEN).where(*mine).values(lease=None, lease_until=None))


def _sealed(vault: Vault, token: StoredToken) -> bytes:
    grant = token.grant
    expires = grant.expires_at and grant.expires_at.isoformat()
    kept = {"made_of": token.made_of, "access": grant.access, "expires_at": expires, "refresh": grant.refresh}
    return seal_json(vault, kept, TOKEN)
