"""Questions about calling vendors' accounts: whose turn it is, and the access token that all processes share."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import orjson
from sqlalchemy import Column, Connection, Table, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.contract import Grant
from lockbridge.domain.ids import LockAppId, SourceId
from lockbridge.storage.rows import open_json, seal_json
from lockbridge.storage.tables import ACCESS_TOKEN, LOCK_APP, SOURCE, SOURCE_TOKEN
from lockbridge.storage.vault import Vault

TOKEN = "access token"  # noqa: S105 - the name of a context


@dataclass(frozen=True, slots=True)
class Account:
    """An account that is called: of a lock app or of a booking platform. ``number`` is its key in its own table."""

    number: int
    table: Table
    tokens: Table

    @property
    def of_token(self) -> Column[int]:
        """By what its row in ``tokens`` is found."""
        return next(iter(self.tokens.primary_key))


def of_lock_app(app: LockAppId) -> Account:
    """The account of a lock app."""
    return Account(app, LOCK_APP, ACCESS_TOKEN)


def of_source(source: SourceId) -> Account:
    """The account on a booking platform."""
    return Account(source, SOURCE, SOURCE_TOKEN)


@dataclass(frozen=True, slots=True)
class Turns:
    """How many calls a process asks to make, how far apart they must be, and how long it would wait for the first."""

    account: Account
    count: int
    apart: timedelta
    patience: timedelta


def take_turns(connection: Connection, wanted: Turns, now: datetime) -> datetime | None:
    """When the first of these turns is (UTC); the others follow at their distance. None: later than the patience."""
    table = wanted.account.table
    mine = select(table.c.paced_until).where(table.c.id == wanted.account.number)
    free_at = connection.execute(mine.with_for_update()).scalar_one_or_none()
    first = max(free_at or now, now)
    if first - now > wanted.patience:
        return None
    rest_until(connection, wanted.account, first + wanted.count * wanted.apart)
    return first


def rest_until(connection: Connection, account: Account, until: datetime) -> None:
    """No turns before ``until``, for any process."""
    table = account.table
    earlier = or_(table.c.paced_until.is_(None), table.c.paced_until < until)
    connection.execute(update(table).where(table.c.id == account.number, earlier).values(paced_until=until))


@dataclass(frozen=True, slots=True)
class StoredToken:
    """An access token as it is kept. ``made_of`` is the digest of the settings it was fetched with."""

    made_of: str
    grant: Grant


def digest(settings: Mapping[str, str]) -> str:
    """Which settings a token was fetched with: other settings need another token."""
    return sha256(orjson.dumps(dict(settings), option=orjson.OPT_SORT_KEYS)).hexdigest()


def token_of(connection: Connection, vault: Vault, account: Account) -> StoredToken | None:
    """The account's access token; None when none was fetched yet."""
    kept_sealed = select(account.tokens.c.token_sealed).where(account.of_token == account.number)
    sealed = connection.execute(kept_sealed).scalar()
    if sealed is None:
        return None
    kept = open_json(vault, sealed, TOKEN)
    expires = kept["expires_at"] and datetime.fromisoformat(kept["expires_at"])
    return StoredToken(kept["made_of"], Grant(kept["access"], expires, kept["refresh"]))


def lease_token(connection: Connection, account: Account, lease: str, now: datetime, until: datetime) -> bool:
    """Take the right to fetch a new token until then; False while another process has it."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    tokens, key = account.tokens, account.of_token
    row = dialect.insert(tokens).values({key.name: account.number})
    connection.execute(row.on_conflict_do_nothing(index_elements=[key.name]))
    is_free = or_(tokens.c.lease_until.is_(None), tokens.c.lease_until <= now)
    taken = update(tokens).where(key == account.number, is_free)
    return connection.execute(taken.values(lease=lease, lease_until=until)).rowcount == 1


def save_token(connection: Connection, vault: Vault, account: Account, lease: str, token: StoredToken) -> bool:
    """Keep a new token and give the lease back; False when the lease was lost meanwhile: then nothing is kept."""
    mine = (account.of_token == account.number, account.tokens.c.lease == lease)
    values = {"token_sealed": _sealed(vault, token), "lease": None, "lease_until": None}
    return connection.execute(update(account.tokens).where(*mine).values(**values)).rowcount == 1


def put_token(connection: Connection, vault: Vault, account: Account, token: StoredToken) -> None:
    """Keep the token that an account was connected with; whoever is fetching one for its old settings keeps nothing."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"token_sealed": _sealed(vault, token), "lease": None, "lease_until": None}
    key = account.of_token.name
    row = dialect.insert(account.tokens).values({key: account.number, **values})
    connection.execute(row.on_conflict_do_update(index_elements=[key], set_=values))


def leave_token(connection: Connection, account: Account, lease: str) -> None:
    """Give the lease back without a new token."""
    mine = (account.of_token == account.number, account.tokens.c.lease == lease)
    connection.execute(update(account.tokens).where(*mine).values(lease=None, lease_until=None))


def _sealed(vault: Vault, token: StoredToken) -> bytes:
    grant = token.grant
    expires = grant.expires_at and grant.expires_at.isoformat()
    kept = {"made_of": token.made_of, "access": grant.access, "expires_at": expires, "refresh": grant.refresh}
    return seal_json(vault, kept, TOKEN)
