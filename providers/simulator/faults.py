"""What can go wrong between the engine and a lock: drawn at random, or scripted for the next calls."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from lockbridge.contract import OutcomeUnknown, Unreachable


class Verb(StrEnum):
    """What a lock app is asked to do."""

    LIST_LOCKS = "list_locks"
    LIST_CODES = "list_codes"
    CHECK = "check"
    SET = "set"
    UPDATE = "update"
    REMOVE = "remove"
    OPEN = "open"
    LOG = "log"


WRITES = frozenset({Verb.SET, Verb.UPDATE, Verb.REMOVE, Verb.OPEN})
"""The verbs after which a lock is not what it was."""

_CODE_WRITES = WRITES - {Verb.OPEN}


class Fault(StrEnum):
    """One way in which a call goes wrong."""

    PASS = "pass"  # noqa: S105 - a fault, not a password
    """Nothing goes wrong: keeps a place in a script."""
    LOST_ANSWER = "lost_answer"
    """It is done and the answer never comes."""
    ERROR_BEFORE = "error_before"
    """The lock app fails before it did anything."""
    ERROR_AFTER = "error_after"
    """It is done and the answer is a failure."""
    RATE_LIMITED = "rate_limited"
    FALSE_GONE = "false_gone"
    """"No such code", though it is there; nothing is done."""
    REJECTED = "rejected"
    """A no without a reason; nothing is done."""
    SLOW_CONFIRMATION = "slow_confirmation"
    """Accepted now, on the lock much later."""
    NEVER_CONFIRMED = "never_confirmed"
    """Accepted now, never on the lock; the code is listed with a trouble."""


ACTS_ON: dict[Fault, frozenset[Verb]] = {
    Fault.PASS: frozenset(Verb),
    Fault.LOST_ANSWER: frozenset(Verb),
    Fault.ERROR_BEFORE: frozenset(Verb),
    Fault.ERROR_AFTER: frozenset(Verb),
    Fault.RATE_LIMITED: frozenset(Verb),
    Fault.FALSE_GONE: frozenset({Verb.UPDATE, Verb.REMOVE}),
    Fault.REJECTED: frozenset({Verb.SET, Verb.UPDATE}),
    Fault.SLOW_CONFIRMATION: _CODE_WRITES,
    Fault.NEVER_CONFIRMED: frozenset({Verb.SET}),
}
"""On which verbs a fault has a meaning."""

LOSES_ANSWER = frozenset({Fault.LOST_ANSWER, Fault.ERROR_AFTER})


def scripted_verbs(fault: Fault) -> frozenset[Verb]:
    """On which calls a scripted fault strikes unless told otherwise: a lost answer waits for the next write."""
    return WRITES if fault in LOSES_ANSWER else ACTS_ON[fault]


class LostAnswer(OutcomeUnknown):
    """A write was done and its answer never came."""


class BrokenAnswer(OutcomeUnknown):
    """A write was done and answered with a failure."""


class LostRead(Unreachable):
    """A read whose answer never came."""


_DRAWN = (
    Fault.LOST_ANSWER,
    Fault.ERROR_BEFORE,
    Fault.ERROR_AFTER,
    Fault.RATE_LIMITED,
    Fault.FALSE_GONE,
    Fault.REJECTED,
    Fault.SLOW_CONFIRMATION,
    Fault.NEVER_CONFIRMED,
)


@dataclass(frozen=True, slots=True)
class Faults:
    """How likely each fault is, per call on which it has a meaning; together at most 1.

    ``retry_after`` is what a rate-limited caller is told; ``slowness`` bounds a slow confirmation.
    Raises ``ValueError`` when the probabilities are not such.
    """

    lost_answer: float = 0.0
    error_before: float = 0.0
    error_after: float = 0.0
    rate_limited: float = 0.0
    false_gone: float = 0.0
    rejected: float = 0.0
    slow_confirmation: float = 0.0
    never_confirmed: float = 0.0
    retry_after: timedelta = timedelta(seconds=30)
    slowness: tuple[timedelta, timedelta] = (timedelta(minutes=2), timedelta(minutes=45))
    _stairs: dict[Verb, tuple[tuple[float, Fault], ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        odds = [(fault, float(getattr(self, fault.value))) for fault in _DRAWN]
        if any(odd < 0 for _, odd in odds) or sum(odd for _, odd in odds) > 1:
            msg = "fault probabilities are not negative and sum to at most 1"
            raise ValueError(msg)
        object.__setattr__(self, "_stairs", {verb: _stairs(odds, verb) for verb in Verb})

    @classmethod
    def mild(cls) -> "Faults":
        """An ordinary bad day."""
        return cls(lost_answer=0.01, error_before=0.005, error_after=0.005, rate_limited=0.005, slow_confirmation=0.02)

    @classmethod
    def harsh(cls) -> "Faults":
        """A lock app nobody would keep: 5 % lost answers, 5 % failures, 2 % throttled, 1 % false "gone"."""
        return cls(
            lost_answer=0.05,
            error_before=0.025,
            error_after=0.025,
            rate_limited=0.02,
            false_gone=0.01,
            rejected=0.01,
            slow_confirmation=0.05,
            never_confirmed=0.01,
        )

    def draw(self, verb: Verb, randomness: random.Random) -> Fault:
        """Which fault strikes this call; ``Fault.PASS`` for none."""
        stairs = self._stairs[verb]
        if stairs:
            thrown = randomness.random()
            for height, fault in stairs:
                if thrown < height:
                    return fault
        return Fault.PASS


def _stairs(odds: list[tuple[Fault, float]], verb: Verb) -> tuple[tuple[float, Fault], ...]:
    height, stairs = 0.0, []
    for fault, odd in odds:
        if odd and verb in ACTS_ON[fault]:
            height += odd
            stairs.append((height, fault))
    return tuple(stairs)
