"""What is wanted on all locks of a host at an instant, so that a change can be compared with what was before."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from lockbridge.domain.ids import HostId, LockId
from lockbridge.domain.placement import Placement
from lockbridge.storage.rows import to_placement
from lockbridge.storage.tables import PLACEMENT
from lockbridge.storage.vault import Vault


class Snapshot:
    """The live placements of a host. What is sealed in them is opened for the locks that are asked about."""

    def __init__(self, rows: Sequence[Row[Any]], vault: Vault) -> None:
        self._vault = vault
        self._on: dict[int, list[Row[Any]]] = defaultdict(list)
        self.wishes = {row.id: (row.lock_id, row.wish) for row in rows}
        for row in rows:
            self._on[row.lock_id].append(row)

    def on(self, lock: LockId) -> list[Placement]:
        """Every code of ours that is, or is to be, on a lock."""
        return [to_placement(row, self._vault) for row in self._on.get(lock, ())]

    def changed_since(self, before: "Snapshot") -> set[LockId]:
        """The locks on which something is wanted otherwise than before."""
        return {LockId(lock) for _, (lock, _) in self.wishes.items() ^ before.wishes.items()}


def of_host(connection: Connection, vault: Vault, host: HostId) -> Snapshot:
    """What is wanted on the locks of a host now."""
    live = select(PLACEMENT).where(PLACEMENT.c.host_id == host, PLACEMENT.c.live_at.is_not(None))
    return Snapshot(connection.execute(live.order_by(PLACEMENT.c.id)).all(), vault)
