"""What a code is: digits that hide themselves, a name beside them, a window in which they open."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """The digits of a code. Always a string of ASCII digits, so that ``0123`` stays ``0123``.

    ``repr``, ``str`` and formatting show only the last two digits; ``digits`` is the one way to the rest.
    Raises ``ValueError`` (without the text) when the value is not 1–16 ASCII digits.
    """

    digits: str

    def __post_init__(self) -> None:
        if not (self.digits.isascii() and self.digits.isdigit() and len(self.digits) <= 16):  # noqa: PLR2004 - longest PIN any vendor takes is 12
            msg = "a PIN is 1 to 16 ASCII digits"
            raise ValueError(msg)

    def __repr__(self) -> str:
        return f"Pin({self.masked})"

    def __str__(self) -> str:
        return self.masked

    def __format__(self, spec: str) -> str:
        return format(self.masked, spec)

    @property
    def masked(self) -> str:
        """For people who may know which PIN is meant, not what it is: ``••••65``."""
        shown = self.digits[-2:] if len(self.digits) > 3 else ""  # noqa: PLR2004 - two of three digits would give it away
        return "•" * (len(self.digits) - len(shown)) + shown


@dataclass(frozen=True, slots=True)
class Window:
    """When a code opens: ``[starts, ends)``, two UTC instants. ``ends=None`` means without end.

    Raises ``ValueError`` for a naive or non-UTC instant, or when the end is not after the start.
    """

    starts: datetime
    ends: datetime | None

    def __post_init__(self) -> None:
        for instant in (self.starts, self.ends):
            if instant is not None and instant.tzinfo is not UTC:
                msg = f"a window is two UTC instants, not {instant!r}"
                raise ValueError(msg)
        if self.ends is not None and self.ends <= self.starts:
            msg = f"a window ends after it starts: {self.starts:%Y-%m-%d %H:%M} to {self.ends:%Y-%m-%d %H:%M} UTC"
            raise ValueError(msg)

    def holds(self, instant: datetime) -> bool:
        """Whether the instant lies in the window (its end does not)."""
        return self.starts <= instant and not self.over(instant)

    def over(self, instant: datetime) -> bool:
        """Whether the window has closed by then."""
        return self.ends is not None and self.ends <= instant

    def overlaps(self, other: "Window", *, margin: timedelta = timedelta(0)) -> bool:
        """Whether the two share an instant, each being stretched by ``margin`` at its end."""
        return (self.ends is None or other.starts < self.ends + margin) and (
            other.ends is None or self.starts < other.ends + margin
        )


class CodeKind(StrEnum):
    """For whom a code is made."""

    GUEST = "guest"
    STAFF = "staff"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True)
class CodeSpec:
    """What a lock app is asked to hold. ``pin=None`` where the provider chooses the digits itself."""

    pin: Pin | None
    name: str
    window: Window | None
    """None: standing, without begin or end."""
