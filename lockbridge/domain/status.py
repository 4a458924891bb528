"""What a host is shown for a code on a lock (R39): one word, the reason, and what happens next."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lockbridge.domain.placement import Ended, Phase, Placement, PlacementState


class Status(StrEnum):
    """The words of the Property Access list."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    SET = "set"
    FAILED = "failed"
    BACKUP_GIVEN = "backup given"
    REMOVING = "removing"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Shown:
    """A status with its reason and the next step, in words for a host."""

    status: Status
    reason: str = ""
    next_at: datetime | None = None
    """When something happens next, where that is known (UTC)."""


def shown(placement: Placement, now: datetime, *, backup_given: bool = False) -> Shown:
    """The status of one placement at ``now`` (R39).

    ``scheduled`` means confirmed on the lock before its window opens, ``set`` from then on.
    """
    if not placement.live:
        return Shown(Status.REMOVED)
    if placement.phase(now) is Phase.OVER or placement.ended is Ended.CANCELLED:
        return _going(placement, now)
    if placement.confirmed:
        status = Status.SET if placement.window.starts <= now else Status.SCHEDULED
        return Shown(status, next_at=placement.remove_at)
    if backup_given:
        return Shown(Status.BACKUP_GIVEN, placement.detail or "", placement.hold_until)
    if placement.state in (PlacementState.FAILED, PlacementState.NO_ROOM):
        return Shown(Status.FAILED, placement.detail or "", placement.hold_until)
    return Shown(
        Status.PENDING, placement.detail or "", max(placement.push_at, placement.hold_until or placement.push_at)
    )


_GRAVEST = (
    Status.FAILED,
    Status.BACKUP_GIVEN,
    Status.PENDING,
    Status.REMOVING,
    Status.SCHEDULED,
    Status.SET,
    Status.REMOVED,
)


def together(lines: Iterable[Shown]) -> Shown | None:
    """How a code stands on all its locks: as on the one where it stands worst. None: it is on no lock."""
    return min(lines, key=lambda line: _GRAVEST.index(line.status), default=None)


def _going(placement: Placement, now: datetime) -> Shown:
    if placement.phase(now) is Phase.OVER:
        return Shown(Status.REMOVING, placement.detail or "", placement.hold_until)
    return Shown(Status.REMOVING, "the stay was cancelled", placement.remove_at)
