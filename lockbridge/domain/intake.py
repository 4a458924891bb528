"""Which of several things that were said about a reservation holds (R20), whatever order they arrive in.

Each statement carries a mark. The statement with the highest mark decides status, dates and times; a detail that it
does not mention (a phone number, a name) is the latest one that anybody did mention. The result is the same for
every order, and for repetitions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import blake2b
from typing import Any

from lockbridge.domain.stay import StayStatus

DETAILS = ("guest_name", "guest_first_name", "phone", "email", "platform_guest", "language")
"""What a later statement may leave out without taking it back."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """Where a statement stands in the platform's own order.

    Of two answers with one time of change the one that was asked for later holds; other ties are broken for the safe
    side, then arbitrarily.
    """

    at: datetime
    asked: str = ""
    """When it was asked for, in ISO format; "": it came by itself."""
    rank: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a reservation: the ruling statement's values, and each detail with the mark it came with."""

    mark: Mark
    values: Mapping[str, Any]
    details: Mapping[str, tuple[Any, Mark]] = field(default_factory=dict)

    def detail(self, name: str) -> Any:
        """The detail, or None when nobody said it."""
        said = self.details.get(name)
        return said and said[0]


def mark_of(at: datetime, status: StayStatus, values: Mapping[str, Any], asked: datetime | None = None) -> Mark:
    """The mark of a statement. At one instant a cancellation rules, then a confirmation."""
    rank = {StayStatus.CANCELLED: 2, StayStatus.CONFIRMED: 1}.get(status, 0)
    text = repr(sorted((name, str(value)) for name, value in values.items()))
    return Mark(at, asked.isoformat() if asked else "", rank, blake2b(text.encode(), digest_size=8).hexdigest())


def merge(before: Known | None, mark: Mark, values: Mapping[str, Any], details: Mapping[str, Any]) -> Known:
    """What is known after one more statement. The ruling one said again rules again: it may have been withdrawn."""
    said = {name: (value, mark) for name, value in details.items() if value is not None}
    if before is None:
        return Known(mark, values, said)
    kept = dict(before.details)
    kept.update({name: new for name, new in said.items() if name not in kept or new[1] > kept[name][1]})
    return Known(mark, values, kept) if mark >= before.mark else Known(before.mark, before.values, kept)


@dataclass(frozen=True, slots=True)
class Word:
    """What one source says of a stay. ``who`` is what people call the source."""

    who: str
    status: StayStatus
    arrival: date
    departure: date


@dataclass(frozen=True, slots=True)
class Ruling:
    """What holds when a stay has been told by several sources, and what they do not agree on."""

    status: StayStatus
    disagreement: str | None = None


def rule(first: Word, others: Sequence[Word] = (), host: StayStatus | None = None) -> Ruling:
    """What holds: the host's word, else that of the first source – but no stay ends while another source shows it.

    ``host`` is CONFIRMED or CANCELLED where the host has decided; it confirms what is pending or unknown and cancels
    anything. The dates are always the first source's. A disagreement is for people; nothing follows from it here.
    """
    told = "; ".join(_differences(first, others)) or None
    if host is StayStatus.CANCELLED:
        return Ruling(StayStatus.CANCELLED)
    if host is StayStatus.CONFIRMED and first.status in (StayStatus.PENDING, StayStatus.UNKNOWN):
        return Ruling(StayStatus.CONFIRMED, told)
    shown = first.status in _OVER and any(other.status is StayStatus.CONFIRMED for other in others)
    return Ruling(StayStatus.CONFIRMED if shown else first.status, told)


_OVER = (StayStatus.CANCELLED, StayStatus.BLOCKED)
_SAID = {
    StayStatus.CANCELLED: "has cancelled it",
    StayStatus.BLOCKED: "has closed the days",
    StayStatus.CONFIRMED: "shows it",
}


def _differences(first: Word, others: Sequence[Word]) -> list[str]:
    return [difference for other in others for difference in _difference(first, other)]


def _difference(first: Word, other: Word) -> list[str]:
    ends = first.status in _OVER
    if ends is not (other.status in _OVER) and StayStatus.CONFIRMED in (first.status, other.status):
        return [f"{first.who} {_SAID[first.status]}, {other.who} {_SAID[other.status]}"]
    if not ends and other.status not in _OVER and (first.arrival, first.departure) != (other.arrival, other.departure):
        return [f"{first.who} says {_days(first)}, {other.who} says {_days(other)}"]
    return []


def _days(word: Word) -> str:
    return f"{word.arrival} to {word.departure}"


def outranks(new: StayStatus, known: StayStatus, *, new_is_feed: bool, known_is_feed: bool) -> bool:
    """Whether a new source is to rule a stay that another one has told first.

    An API knows more than a feed; and a source that is sure more than one that is not.
    """
    return (not new_is_feed, new is StayStatus.CONFIRMED) > (not known_is_feed, known is StayStatus.CONFIRMED)
