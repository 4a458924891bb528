"""Whether an arrival is safe: the looks before it, and what is done when its code is not on the lock.

R23: 8:00 am America/New_York. R43: 24 h and 3 h before the window opens. R24: when it opens.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from lockbridge.domain.code import Window
from lockbridge.domain.placement import Placement

HORIZON = timedelta(hours=24)
"""How far ahead the daily check looks (R23)."""
WATCHES = (timedelta(hours=24), timedelta(hours=3))
"""How long before the window opens an arrival is looked at (R43)."""
GRACE = timedelta(minutes=2)
"""How long a code that became due only now, or was lost only now, has before the final check judges it."""


class Check(StrEnum):
    """Which look at an arrival this is."""

    DAILY = "daily"
    AHEAD = "24 h before"
    SOON = "3 h before"
    FINAL = "window opens"


class Verdict(StrEnum):
    """What is done about a code that an attempt did not put on its lock."""

    FINE = "fine"
    WAIT = "wait"
    """The next check comes in time."""
    GIVE_BACKUP = "give backup"
    TELL_HOST = "tell host"


def concerns_daily_check(placement: Placement, now: datetime) -> bool:
    """Whether the 8:00 check must look after this code (R23): due, not confirmed, open or opening within 24 h."""
    return (
        placement.live
        and not placement.confirmed
        and placement.push_at <= now
        and placement.window.starts <= now + HORIZON
        and not placement.window.over(now)
        and placement.ended is None
    )


def which(placement: Placement, now: datetime) -> Check:
    """Which of the looks of R24 and R43 is due for an arrival watched at ``now``."""
    ahead = placement.window.starts - now
    if ahead <= timedelta(0):
        return Check.FINAL
    return Check.SOON if ahead <= WATCHES[1] else Check.AHEAD


def verdict(check: Check, placement: Placement, *, backups_on: bool, backup_ready: bool) -> Verdict:
    """What is done after the attempt of a check (R23, R24, R43)."""
    if placement.confirmed or placement.ended is not None:
        return Verdict.FINE
    if check is Check.AHEAD or (check is Check.SOON and _pushed_late(placement)):
        return Verdict.WAIT
    if check is Check.SOON:
        return Verdict.TELL_HOST
    return Verdict.GIVE_BACKUP if backups_on and backup_ready else Verdict.TELL_HOST


def _pushed_late(placement: Placement) -> bool:
    """Whether its push is not due yet 3 h before its window opens: that is no failure, the final check judges it."""
    return placement.push_at > placement.window.starts - WATCHES[1]


def next_watch(window: Window, opens: datetime, now: datetime) -> datetime | None:
    """When an arrival is looked at next, strictly after ``now``: 24 h before, 3 h before, when it opens; then never.

    ``opens`` is when the final check looks: the window's start, or the check-in time without the buffer (R24).
    """
    moments = (*(window.starts - ahead for ahead in WATCHES), opens)
    return min((moment for moment in moments if moment > now), default=None)


def first_watch(window: Window, opens: datetime, now: datetime) -> datetime | None:
    """When a code made or lost at ``now`` is looked at first: as usual, or after a short grace if it is open."""
    if window.over(now):
        return None
    usual = next_watch(window, opens, now)
    return usual if usual is not None and opens > now + GRACE else now + GRACE


@dataclass(frozen=True, slots=True)
class Threat:
    """A lock in trouble and the arrivals it threatens (R43)."""

    lock_name: str
    arrivals: int
    first: datetime | None
