"""What a lock can do and what it refuses, as data (R13): drivers fill it in, rules read it."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from lockbridge.domain.ids import LockId


class Readback(StrEnum):
    """What a look at the lock tells about the digits of a code."""

    FULL = "full"
    MASKED = "masked"
    NONE = "none"
    """The lock cannot be asked what it holds (algorithmic codes)."""


class Rounding(StrEnum):
    """How a lock app rounds windows; ours are rounded outwards before they are sent (R18)."""

    NONE = "none"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    """Whole days: both ends at the same time of day as the start (daily algorithmic codes)."""


class LockClass(StrEnum):
    """The three classes of lock app (architecture: the provider contract)."""

    KEEPS_WINDOWS = "A"
    ALGORITHMIC = "B"
    SLOT_WITHOUT_CLOCK = "C"


@dataclass(frozen=True, slots=True)
class PinRules:
    """Which digits a lock takes (R13). Empty rules take any PIN of an allowed length."""

    lengths: frozenset[int] = frozenset(range(4, 9))
    forbidden_digits: frozenset[str] = frozenset()
    forbidden_prefixes: tuple[str, ...] = ()
    min_distinct_digits: int = 1
    no_run: bool = False
    """No ascending or descending run through the whole PIN (1234, 4321)."""
    no_equal_digits: bool = False
    one_length_per_lock: bool = False
    """All codes on the lock have one length: that of the codes it already holds."""
    unique_first_four: bool = False
    """The first four digits must be unique on the lock."""


@dataclass(frozen=True, slots=True)
class NameRules:
    """Which code names a lock takes (R13)."""

    min_length: int = 1
    max_length: int = 64
    unique: bool = False
    charset: str | None = None
    """The characters allowed; None: those of R14 only."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one lock can do, a frozen value told by its driver; the core gates on nothing else.

    ``lead`` is how long before its window a code may be pushed (R17): 3 days, or 10 minutes for a lock that
    cannot hold a future code. ``confirm_within`` is how long an accepted code may stay unconfirmed before that
    counts as a failed attempt.
    """

    keeps_windows: bool = True
    chooses_pin: bool = False
    can_remove: bool = True
    """False: what was given out lives until its window ends (algorithmic codes)."""
    keeps_names: bool = True
    readback: Readback = Readback.FULL
    lead: timedelta = timedelta(days=3)
    updates: frozenset[str] = frozenset({"pin", "name", "window"})
    """Which of pin, name and window can be changed in place."""
    holds_same_pin_apart: bool = False
    """Two codes with the same digits and disjoint windows can be on the lock together (R10)."""
    max_codes: int = 100
    rounding: Rounding = Rounding.NONE
    confirms: bool = True
    """The answer to a push already is the confirmation."""
    confirm_within: timedelta = timedelta(minutes=15)
    can_open: bool = False
    has_log: bool = False
    """The lock's own log can be asked for: who opened when, as far as the lock app tells."""
    pin_rules: PinRules = field(default_factory=PinRules)
    name_rules: NameRules = field(default_factory=NameRules)

    @property
    def lock_class(self) -> LockClass:
        """A, B or C, as it follows from what the lock can do."""
        if self.chooses_pin:
            return LockClass.ALGORITHMIC
        return LockClass.KEEPS_WINDOWS if self.keeps_windows else LockClass.SLOT_WITHOUT_CLOCK


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock as the rules see it."""

    id: LockId
    name: str
    capabilities: Capabilities
