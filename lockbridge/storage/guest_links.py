"""Questions about the addresses of guests' pages: one for each stay, until it is withdrawn."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from lockbridge.domain.ids import HostId, StayId
from lockbridge.storage.people import digest
from lockbridge.storage.rows import GUEST_LINK
from lockbridge.storage.tables import GUEST_LINK as LINK
from lockbridge.storage.vault import Vault


@dataclass(frozen=True, slots=True)
class Linked:
    """Whose page an address leads to."""

    host: HostId
    stay: StayId


def of_stay(connection: Connection, vault: Vault, host: HostId, stay: StayId) -> str | None:
    """The secret in the address of a stay's page; None: there is no address now."""
    mine = select(LINK.c.token_sealed).where(
        LINK.c.host_id == host, LINK.c.stay_id == stay, LINK.c.revoked_at.is_(None), LINK.c.token_sealed.is_not(None)
    )
    row = connection.execute(mine.order_by(LINK.c.id).limit(1)).one_or_none()
    return None if row is None else vault.open(row.token_sealed, GUEST_LINK)


def add(connection: Connection, vault: Vault, at: Linked, token: str, now: datetime) -> None:
    """Store the address of a stay's page: found again by its hash, shown again from what is sealed."""
    values = {
        "host_id": at.host,
        "stay_id": at.stay,
        "token_hash": digest(token),
        "token_sealed": vault.seal(token, GUEST_LINK),
        "created_at": now,
    }
    connection.execute(insert(LINK).values(**values))


def find(connection: Connection, token: str) -> Linked | None:
    """Whose page this address leads to; None: nobody's, or it was withdrawn."""
    mine = (LINK.c.token_hash == digest(token), LINK.c.revoked_at.is_(None))
    row = connection.execute(select(LINK.c.host_id, LINK.c.stay_id).where(*mine)).one_or_none()
    return None if row is None else Linked(HostId(row.host_id), StayId(row.stay_id))


def revoke(connection: Connection, host: HostId, stay: StayId, now: datetime) -> bool:
    """Withdraw the address of a stay's page: what is sealed is forgotten, too. False: there was none."""
    mine = (LINK.c.host_id == host, LINK.c.stay_id == stay, LINK.c.revoked_at.is_(None))
    gone = update(LINK).where(*mine).values(revoked_at=now, token_sealed=None)
    return connection.execute(gone).rowcount > 0


def erase(connection: Connection, stays: Collection[StayId]) -> None:
    """Forget the addresses of these stays' pages (R45)."""
    if stays:
        connection.execute(delete(LINK).where(LINK.c.stay_id.in_(stays)))
