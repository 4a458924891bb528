"""Questions about the webhook addresses of booking platforms: whose they are, and what was heard there last."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from lockbridge.domain.ids import EndpointId, HostId, LockAppId, SourceId
from lockbridge.storage.hosts import SECRET, EndpointRow, Secret
from lockbridge.storage.tables import DELIVERY, ENDPOINT
from lockbridge.storage.vault import Vault


@dataclass(frozen=True, slots=True)
class Heard:
    """The latest webhook that came to an address, and what became of it: waiting, done, ignored, dead."""

    at: datetime
    state: str
    error: str | None


@dataclass(frozen=True, slots=True)
class AddressRow:
    """An address without what is secret in it. ``source``: the account whose webhooks come there."""

    id: EndpointId
    platform: str
    source: SourceId | None
    since: datetime
    heard: Heard | None


def of_host(connection: Connection, host: HostId) -> list[AddressRow]:
    """A host's addresses for booking platforms, in the order in which they were made."""
    mine = select(ENDPOINT).where(ENDPOINT.c.host_id == host, ENDPOINT.c.lock_app_id.is_(None)).order_by(ENDPOINT.c.id)
    rows = connection.execute(mine).all()
    heard = _heard(connection, [row.id for row in rows])
    return [
        AddressRow(
            EndpointId(row.id),
            row.platform,
            None if row.source_id is None else SourceId(row.source_id),
            row.created_at,
            heard.get(row.id),
        )
        for row in rows
    ]


def _heard(connection: Connection, endpoints: Collection[int]) -> dict[int, Heard]:
    last = select(func.max(DELIVERY.c.id)).where(DELIVERY.c.endpoint_id.in_(endpoints)).group_by(DELIVERY.c.endpoint_id)
    columns = (DELIVERY.c.endpoint_id, DELIVERY.c.received_at, DELIVERY.c.state, DELIVERY.c.error)
    found = connection.execute(select(*columns).where(DELIVERY.c.id.in_(last)))
    return {row.endpoint_id: Heard(row.received_at, row.state, row.error) for row in found}


def get(connection: Connection, vault: Vault, host: HostId, endpoint: EndpointId) -> EndpointRow | None:
    """One address of this host, with what its sender signs with."""
    row = connection.execute(
        select(ENDPOINT).where(ENDPOINT.c.host_id == host, ENDPOINT.c.id == endpoint)
    ).one_or_none()
    if row is None:
        return None
    secret = Secret(vault.open(row.secret_sealed, SECRET) if row.secret_sealed else "")
    app = None if row.lock_app_id is None else LockAppId(row.lock_app_id)
    return EndpointRow(EndpointId(row.id), HostId(row.host_id), row.platform, secret, app)


def change_secret(connection: Connection, vault: Vault, host: HostId, endpoint: EndpointId, secret: str) -> None:
    """What the sender signs with from now on."""
    mine = (ENDPOINT.c.host_id == host, ENDPOINT.c.id == endpoint)
    connection.execute(update(ENDPOINT).where(*mine).values(secret_sealed=vault.seal(secret, SECRET)))
