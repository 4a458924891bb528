"""The time, read once at the top of a loop and passed down; and where time-zone rules come from."""

import zoneinfo
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol


class Clock(Protocol):
    """Something that knows what time it is."""

    def now(self) -> datetime:
        """The instant, aware, its ``tzinfo`` being ``datetime.UTC``."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant in UTC."""
        return datetime.now(UTC)


class VirtualClock:
    """A clock that stands still until it is moved, and never goes back."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        if start.tzinfo is None:
            msg = f"a clock starts at an aware instant, not {start!r}"
            raise ValueError(msg)

    def now(self) -> datetime:
        """The instant the clock shows, in UTC."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move on by a duration; the new instant."""
        return self.set(self._now + by)

    def set(self, instant: datetime) -> datetime:
        """Move on to an aware instant; that instant in UTC. Raises ``ValueError`` for one that has passed."""
        if instant < self._now:
            msg = f"time does not go back from {self._now.isoformat()} to {instant.isoformat()}"
            raise ValueError(msg)
        self._now = instant.astimezone(UTC)
        return self._now


class TimeZonesMissing(Exception):
    """The package with the time-zone rules is not installed."""


def use_packaged_time_zones() -> str:
    """Take time-zone rules from the ``tzdata`` package instead of the machine; the version of the rules.

    A machine's own rules are as old as its last update. Raises :class:`TimeZonesMissing`.
    """
    try:
        found = version("tzdata")
    except PackageNotFoundError:
        msg = "the package tzdata is not installed: run 'pip install tzdata'"
        raise TimeZonesMissing(msg) from None
    if zoneinfo.TZPATH:
        zoneinfo.reset_tzpath(to=())
        zoneinfo.ZoneInfo.clear_cache()
    return found
