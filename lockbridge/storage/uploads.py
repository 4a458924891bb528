"""Questions about sheets that somebody wants to import: kept, sealed, until they were imported or for a day."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from lockbridge.domain.ids import HostId
from lockbridge.storage.rows import open_json, seal_json
from lockbridge.storage.tables import UPLOAD
from lockbridge.storage.vault import Vault

ROWS = "upload"
"""The context the rows are sealed for: they name guests."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A sheet: its heading, and each row with its number in the file."""

    id: int
    kind: str
    name: str
    header: Sequence[str]
    rows: Sequence[tuple[int, Sequence[str]]] = field(repr=False)
    created_at: datetime


def add(connection: Connection, vault: Vault, host: HostId, new: Upload) -> int:
    """Keep a sheet. Its number."""
    sealed = seal_json(vault, {"header": list(new.header), "rows": [[key, list(row)] for key, row in new.rows]}, ROWS)
    values = {"host_id": host, "kind": new.kind, "name": new.name, "rows_sealed": sealed, "created_at": new.created_at}
    return int(connection.execute(insert(UPLOAD).values(**values).returning(UPLOAD.c.id)).scalar_one())


def get(connection: Connection, vault: Vault, host: HostId, upload: int) -> Upload | None:
    """One sheet of this host."""
    row = connection.execute(select(UPLOAD).where(UPLOAD.c.host_id == host, UPLOAD.c.id == upload)).one_or_none()
    if row is None:
        return None
    kept = open_json(vault, row.rows_sealed, ROWS)
    rows = [(key, cells) for key, cells in kept["rows"]]
    return Upload(row.id, row.kind, row.name, kept["header"], rows, row.created_at)


def drop(connection: Connection, host: HostId, upload: int) -> None:
    """Forget a sheet."""
    connection.execute(delete(UPLOAD).where(UPLOAD.c.host_id == host, UPLOAD.c.id == upload))


def forget_before(connection: Connection, before: datetime) -> int:
    """Forget the sheets that nobody has imported. How many."""
    return connection.execute(delete(UPLOAD).where(UPLOAD.c.created_at < before)).rowcount
