"""The rule sets a simulated lock can have: what it tells of itself, how its lock app behaves, what it refuses.

The checks here are written for the simulator alone: the engine's own rules are judged by them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType

from lockbridge.contract import NameRefused, PinRefused, WindowRefused
from lockbridge.domain.code import Window
from lockbridge.domain.lock import Capabilities, NameRules, PinRules, Readback, Rounding

Delay = tuple[timedelta, timedelta]
"""The shortest and the longest time something takes."""

_STEPS = {Rounding.MINUTE: timedelta(minutes=1), Rounding.HOUR: timedelta(hours=1), Rounding.DAY: timedelta(days=1)}
_MIDNIGHT = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One kind of lock. ``capabilities`` is what its driver tells; the rest is how its lock app behaves.

    ``confirm_delay`` is how long a write takes to reach the lock (None: its answer is the confirmation);
    ``queues_offline``: writes to a lock out of reach are accepted and done later; ``returns_ref``: the answer to a
    set names the code; ``forgets_expired``: codes vanish by themselves when their window is over;
    ``variants``: how many codes an algorithmic lock gives out for one window.
    """

    key: str
    capabilities: Capabilities = field(default_factory=Capabilities)
    confirm_delay: Delay | None = None
    queues_offline: bool = False
    returns_ref: bool = True
    forgets_expired: bool = False
    variants: int = 2


def _seconds(shortest: int, longest: int) -> Delay:
    return timedelta(seconds=shortest), timedelta(seconds=longest)


_ALL = (
    RuleSet("standard", Capabilities(can_open=True, has_log=True)),
    RuleSet(
        "nuki",
        Capabilities(
            confirms=False,
            can_open=True,
            has_log=True,
            pin_rules=PinRules(
                lengths=frozenset({6}), forbidden_digits=frozenset({"0"}), forbidden_prefixes=("12",), no_run=False
            ),
            name_rules=NameRules(max_length=20),
        ),
        confirm_delay=_seconds(5, 60),
        returns_ref=False,
    ),
    RuleSet("one-length", Capabilities(pin_rules=PinRules(one_length_per_lock=True))),
    RuleSet(
        "unique-names",
        Capabilities(
            updates=frozenset({"name", "window"}), name_rules=NameRules(min_length=2, max_length=32, unique=True)
        ),
    ),
    RuleSet(
        "first-four",
        Capabilities(
            updates=frozenset({"pin", "window"}),
            rounding=Rounding.MINUTE,
            pin_rules=PinRules(
                lengths=frozenset(range(4, 7)),
                unique_first_four=True,
                no_run=True,
                no_equal_digits=True,
                min_distinct_digits=3,
            ),
        ),
    ),
    RuleSet("hourly", Capabilities(updates=frozenset({"window"}), rounding=Rounding.HOUR)),
    RuleSet(
        "queueing",
        Capabilities(confirms=False, holds_same_pin_apart=True),
        confirm_delay=_seconds(10, 120),
        queues_offline=True,
        forgets_expired=True,
    ),
    RuleSet("masked", Capabilities(readback=Readback.MASKED)),
    RuleSet(
        "algorithmic",
        Capabilities(
            chooses_pin=True,
            can_remove=False,
            readback=Readback.NONE,
            updates=frozenset(),
            rounding=Rounding.HOUR,
            pin_rules=PinRules(lengths=frozenset({7})),
        ),
    ),
    RuleSet(
        "slots",
        Capabilities(
            keeps_windows=False,
            keeps_names=False,
            lead=timedelta(minutes=10),
            updates=frozenset({"pin"}),
            confirms=False,
        ),
        confirm_delay=_seconds(1, 5),
    ),
)

RULE_SETS: Mapping[str, RuleSet] = MappingProxyType({rules.key: rules for rules in _ALL})
"""Every ready-made rule set by its key."""


def check_pin(pin: str, rules: PinRules, others: Iterable[str]) -> None:
    """Raise PinRefused when the digits break the lock's rules; ``others`` are the PINs it holds besides."""
    trouble = _pin_trouble(pin, rules)
    if trouble is None and rules.one_length_per_lock and any(len(other) != len(pin) for other in others):
        trouble = "all codes on this lock have one length"
    if trouble:
        raise PinRefused(trouble)


def _pin_trouble(pin: str, rules: PinRules) -> str | None:
    broken = {
        "a PIN of this length is not taken": len(pin) not in rules.lengths,
        "it has a digit the lock has no key for": not rules.forbidden_digits.isdisjoint(pin),
        "it begins as no PIN may": bool(rules.forbidden_prefixes) and pin.startswith(rules.forbidden_prefixes),
        "it has too few different digits": len(set(pin)) < rules.min_distinct_digits,
        "its digits are all equal": rules.no_equal_digits and len(set(pin)) == 1,
        "its digits are a run": rules.no_run and _is_run(pin),
    }
    return next((text for text, is_broken in broken.items() if is_broken), None)


def _is_run(pin: str) -> bool:
    return {int(b) - int(a) for a, b in pairwise(pin)} in ({1}, {-1})


def check_name(name: str, rules: NameRules) -> None:
    """Raise NameRefused when the lock app does not take the name."""
    if not rules.min_length <= len(name) <= rules.max_length:
        msg = f"a name has {rules.min_length} to {rules.max_length} characters here"
        raise NameRefused(msg)
    if rules.charset is not None and not set(name) <= set(rules.charset):
        msg = "the name has a character this lock app does not take"
        raise NameRefused(msg)


def check_window(window: Window | None, capabilities: Capabilities, now: datetime) -> None:
    """Raise WindowRefused for a window that is over, not aligned, or (algorithmic locks) without end."""
    if window is None or window.ends is None:
        if capabilities.chooses_pin:
            msg = "this lock gives out codes with a begin and an end only"
            raise WindowRefused(msg)
        return
    if window.over(now):
        msg = "the window is over"
        raise WindowRefused(msg)
    if not _is_aligned(window.starts, window.ends, capabilities.rounding):
        msg = f"the window does not fit the lock's grid ({capabilities.rounding})"
        raise WindowRefused(msg)


def _is_aligned(starts: datetime, ends: datetime, rounding: Rounding) -> bool:
    step = _STEPS.get(rounding)
    if step is None:
        return True
    on_grid = rounding is Rounding.DAY or not (starts - _MIDNIGHT) % step
    return on_grid and not (ends - starts) % step
