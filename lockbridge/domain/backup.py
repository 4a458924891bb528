"""The pool of backup codes: two on each lock, unknown to any guest until one is given (R25)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lockbridge.domain.code import Window
from lockbridge.domain.ids import CodeId, StayId
from lockbridge.domain.placement import Placement, PlacementState

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
        """Whether it may be given: on the lock as far as is known, to stay there, and nobody's yet."""
        return self.given_to is None and self.placement.confirmed and self.placement.ended is None


def shortage(pool: Sequence[Backup], wanted: int) -> int:
    """How many fresh backups must be made so that ``wanted`` are nobody's."""
    spare = sum(
        1 for backup in pool if backup.given_to is None and backup.placement.live and backup.placement.ended is None
    )
    return max(0, wanted - spare)


def given_until(placement: Placement, ends: datetime) -> Placement:
    """A given backup: works until the stay's window ends, then it is deleted (R25)."""
    state = PlacementState.ASKED if placement.asked is not None else placement.state
    window = Window(min(placement.window.starts, ends - timedelta(minutes=1)), ends)
    return replace(placement, window=window, remove_at=ends, state=state, hold_until=None)


def pick(pool: Sequence[Backup], stay: StayId) -> Backup | None:
    """The backup a stay gets on this lock: the one it has already, else the one longest on the lock, else none.

    A backup is never given to two stays. One whose lock cannot be reached now still counts: it is on the lock.
    """
    theirs = next((backup for backup in pool if backup.given_to == stay and backup.placement.live), None)
    ready = (backup for backup in pool if backup.ready)
    return theirs or min(ready, key=lambda backup: (backup.placement.made_at, backup.code), default=None)
