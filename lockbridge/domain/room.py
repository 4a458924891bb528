"""When a lock will be full (R26): what is booked, against how many codes it holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, chain

from lockbridge.domain.code import Window
from lockbridge.domain.placement import Placement


@dataclass(frozen=True, slots=True)
class Forecast:
    """How many codes a lock is to hold from now on, as far as is booked.

    ``full_at`` is the first instant at which every slot is taken (None: never, within what is booked); at ``peak_at``
    the most codes – ``peak`` – are wanted at once. Instants are UTC.
    """

    room: int
    now_held: int
    peak: int
    peak_at: datetime
    full_at: datetime | None

    @property
    def waiting(self) -> int:
        """How many codes will find no slot at the peak."""
        return max(0, self.peak - self.room)


def occupied(placement: Placement, now: datetime) -> Window | None:
    """From when to when a code takes up a slot; None for one that does not any more."""
    starts = now if placement.ref is not None else max(now, placement.push_at)
    ends = placement.remove_at
    if not placement.live or (ends is not None and ends <= starts):
        return None
    return Window(starts, ends)


def forecast(slots: Iterable[Window], always: int, room: int, now: datetime) -> Forecast:
    """How full the lock gets, given when each code takes up a slot, and how many others are there all the time."""
    current = [window for window in slots if not window.over(now)]
    moments = chain([(now, 0)], *(_moments(window, now) for window in current))
    held = list(_levels(moments, always))
    peak = max(count for _, count in held)
    return Forecast(
        room=room,
        now_held=held[0][1],
        peak=peak,
        peak_at=next(at for at, count in held if count == peak),
        full_at=next((at for at, count in held if count >= room), None),
    )


def _moments(window: Window, now: datetime) -> list[tuple[datetime, int]]:
    begins = (max(window.starts, now), 1)
    return [begins] if window.ends is None else [begins, (window.ends, -1)]


def _levels(moments: Iterable[tuple[datetime, int]], always: int) -> Iterable[tuple[datetime, int]]:
    """How many are held from each instant on at which that changes."""
    changes: dict[datetime, int] = {}
    for at, change in moments:
        changes[at] = changes.get(at, 0) + change
    instants = sorted(changes)
    counts = accumulate((changes[at] for at in instants), initial=always)
    next(counts)
    return zip(instants, counts, strict=True)
