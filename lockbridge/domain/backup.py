"""The pool of backup codes: two on each lock, unknown to any guest until one is given (R25)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lockbridge.domain.ids import CodeId, StayId
from lockbridge.domain.placement import Placement

POOL = 2


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup code of a lock: its placement, and to which stay it was given."""

    code: CodeId
    placement: Placement
    given_to: StayId | None = None
    given_at: datetime | None = None

    @property
    def ready(self) -> bool:
        """Whether it may be given: on the lock, and nobody's yet."""
        return self.given_to is None and self.placement.confirmed_at is not None and self.placement.live


def shortage(pool: Sequence[Backup], wanted: int) -> int:
    """How many fresh backups must be made so that ``wanted`` are nobody's."""
    return max(0, wanted - sum(1 for backup in pool if backup.given_to is None and backup.placement.live))


def pick(pool: Sequence[Backup], stay: StayId) -> Backup | None:
    """The backup a stay gets on this lock: the one it has already, else the one longest on the lock, else none.

    A backup is never given to two stays. One whose lock cannot be reached now still counts: it is on the lock.
    """
    theirs = next((backup for backup in pool if backup.given_to == stay), None)
    ready = (backup for backup in pool if backup.ready)
    return theirs or min(ready, key=lambda b: (not b.placement.confirmed, b.placement.made_at, b.code), default=None)
