"""Questions about the keys: whether the ring at hand belongs to this database, and sealing everything anew.

``SEALED`` names every sealed column with the context its values are bound to; a test holds it complete.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.storage import accounts, hosts, inbox, outbox, people, rows, sources, tables, uploads
from lockbridge.storage.tables import HOST, KEY_CHECK
from lockbridge.storage.vault import MissingKey, Vault, WrongKey

CHECK = "key check"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed column and the context of its values."""

    table: Table
    column: str
    context: str


SEALED = (
    Sealed(tables.HOST, "email_sealed", hosts.EMAIL),
    Sealed(tables.HOST, "hook_sealed", hosts.HOOK),
    Sealed(tables.HOST, "guests_sealed", hosts.GUESTS),
    Sealed(tables.PERSON, "email_sealed", people.EMAIL),
    Sealed(tables.PERSON, "totp_sealed", people.TOTP),
    Sealed(tables.TICKET, "email_sealed", people.TICKET_EMAIL),
    Sealed(tables.API_ANSWER, "body_sealed", rows.API_ANSWER),
    Sealed(tables.UPLOAD, "rows_sealed", uploads.ROWS),
    Sealed(tables.GUEST_LINK, "token_sealed", rows.GUEST_LINK),
    Sealed(tables.SOURCE, "settings_sealed", sources.SETTINGS),
    Sealed(tables.SOURCE_TOKEN, "token_sealed", accounts.TOKEN),
    Sealed(tables.LOCK_APP, "settings_sealed", hosts.CREDENTIALS),
    Sealed(tables.ACCESS_TOKEN, "token_sealed", accounts.TOKEN),
    Sealed(tables.NOTE, "pin_sealed", rows.PIN),
    Sealed(tables.ENDPOINT, "secret_sealed", hosts.SECRET),
    Sealed(tables.DELIVERY, "body_sealed", inbox.BODY),
    Sealed(tables.STAY, "contact_sealed", rows.CONTACT),
    Sealed(tables.CODE, "pin_sealed", rows.PIN),
    Sealed(tables.PLACEMENT, "pin_sealed", rows.PIN),
    Sealed(tables.PLACEMENT, "asked_sealed", rows.ASKED),
    Sealed(tables.SEEN_CODE, "pin_sealed", rows.PIN),
    Sealed(tables.MESSAGE, "text_sealed", outbox.TEXT),
)


def is_new(connection: Connection) -> bool:
    """Whether nothing was ever sealed here: only then may a key be made."""
    used = connection.execute(select(KEY_CHECK.c.key_id).limit(1)).one_or_none()
    return used is None and connection.execute(select(HOST.c.id).limit(1)).one_or_none() is None


def check_keys(connection: Connection, vault: Vault) -> bool:
    """Whether the primary key is noted here. Raises MissingKey or WrongKey when the ring is another database's."""
    noted = {row.key_id: row.sealed for row in connection.execute(select(KEY_CHECK))}
    for key_id, sealed in noted.items():
        _check_key(vault, key_id, sealed)
    return vault.ring.ids[0] in noted


def _check_key(vault: Vault, key_id: str, sealed: bytes) -> None:
    remedy = "put the key file (or secrets.key) back that this database was made with, from your copy"
    try:
        vault.open(sealed, CHECK)
    except MissingKey:
        msg = f"the key {key_id} of this database is not in the key ring (it has {', '.join(vault.ring.ids)}): {remedy}"
        raise MissingKey(msg) from None
    except WrongKey:
        msg = f"the key {key_id} in the key ring is not the one this database was sealed with: {remedy}"
        raise WrongKey(msg) from None


def note_key(connection: Connection, vault: Vault, now: datetime) -> None:
    """Note that the ring's primary key is in use here."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    key_id = vault.ring.ids[0]
    statement = dialect.insert(KEY_CHECK).values(key_id=key_id, sealed=vault.seal(key_id, CHECK), created_at=now)
    connection.execute(statement.on_conflict_do_nothing())


def forget_other_keys(connection: Connection, vault: Vault) -> None:
    """Note that only the primary key is in use any more."""
    connection.execute(delete(KEY_CHECK).where(KEY_CHECK.c.key_id != vault.ring.ids[0]))


def sealed_page(connection: Connection, sealed: Sealed, after: Sequence[Any] | None, limit: int) -> list[Sequence[Any]]:
    """The next page of a sealed column: its row's key parts, then the value."""
    key, column = sealed.table.primary_key.columns, sealed.table.c[sealed.column]
    page = select(*key, column).where(column.is_not(None)).order_by(*key).limit(limit)
    if after is not None:
        page = page.where(tuple_(*key) > tuple_(*after))
    return [tuple(row) for row in connection.execute(page)]


def reseal(connection: Connection, vault: Vault, sealed: Sealed, page: Sequence[Sequence[Any]]) -> int:
    """Seal the values of a page with the primary key, those that were changed meanwhile excepted. How many."""
    key, column = sealed.table.primary_key.columns, sealed.table.c[sealed.column]
    changed = 0
    for *parts, value in page:
        if vault.needs_rotation(value):
            same = [part == wanted for part, wanted in zip(key, parts, strict=True)]
            anew = {sealed.column: vault.reseal(value, sealed.context)}
            changed += connection.execute(update(sealed.table).where(*same, column == value).values(anew)).rowcount
    return changed
