"""The chart of a lock's battery and connection, as points in a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from lockbridge.storage.readings import Reading

WIDTH, HEIGHT = 640, 120
"""The picture's size in its own units."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which the lock could not be reached: where it begins in the picture, and how wide it is."""

    x: float
    width: float
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Chart:
    """The battery as lines (with gaps where it is not known), outages as bars, and where the weeks begin."""

    begins: datetime
    ends: datetime
    lines: Sequence[str]
    outages: Sequence[Outage]
    lowest: float | None
    last: float | None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.lines and not self.outages

    @property
    def offline(self) -> timedelta:
        """How long the lock could not be reached, all in all."""
        return sum((outage.until - outage.since for outage in self.outages), timedelta(0))


def chart(readings: Sequence[Reading], begins: datetime, ends: datetime) -> Chart:
    """The picture of these readings, in order; each holds until the next, the last until ``ends``."""
    scale = WIDTH / max((ends - begins).total_seconds(), 1)

    def x(at: datetime) -> float:
        return round((min(max(at, begins), ends) - begins).total_seconds() * scale, 1)

    spans = [(a, a.at, b.at) for a, b in pairwise(readings)] + [(r, r.at, ends) for r in readings[-1:]]
    outages = [
        Outage(x(since), max(round(x(until) - x(since), 1), 1.0), max(since, begins), until)
        for reading, since, until in spans
        if reading.online is False and until > begins
    ]
    steps = [(reading.battery, x(since), x(until)) for reading, since, until in spans if until >= begins]
    levels = [level for level, _, _ in steps if level is not None]
    return Chart(begins, ends, list(_lines(steps)), outages, min(levels, default=None), levels[-1] if levels else None)


def _lines(steps: Sequence[tuple[float | None, float, float]]) -> Iterator[str]:
    """Each stretch of known levels as the points of one line."""
    points: list[str] = []
    for level, left, right in steps:
        if level is None:
            if points:
                yield " ".join(points)
            points = []
            continue
        y = round((1 - level) * HEIGHT, 1)
        points += [f"{left},{y}", f"{right},{y}"]
    if points:
        yield " ".join(points)
