"""Which of several things a platform said about a reservation holds (R20), whatever order they arrive in.

Each statement carries a mark. The statement with the highest mark decides status, dates and times; a detail that it
does not mention (a phone number, a name) is the latest one that anybody did mention. The result is the same for
every order, and for repetitions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any

from lockbridge.domain.stay import StayStatus

DETAILS = ("guest_name", "guest_first_name", "phone", "email", "platform_guest", "language")
"""What a later statement may leave out without taking it back."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """Where a statement stands in the platform's own order; ties are broken for the safe side, then arbitrarily."""

    at: datetime
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


def mark_of(at: datetime, status: StayStatus, values: Mapping[str, Any]) -> Mark:
    """The mark of a statement. At one instant a cancellation rules, then a confirmation."""
    rank = {StayStatus.CANCELLED: 2, StayStatus.CONFIRMED: 1}.get(status, 0)
    text = repr(sorted((name, str(value)) for name, value in values.items()))
    return Mark(at, rank, blake2b(text.encode(), digest_size=8).hexdigest())


def merge(before: Known | None, mark: Mark, values: Mapping[str, Any], details: Mapping[str, Any]) -> Known:
    """What is known after one more statement."""
    said = {name: (value, mark) for name, value in details.items() if value is not None}
    if before is None:
        return Known(mark, values, said)
    kept = dict(before.details)
    kept.update({name: new for name, new in said.items() if name not in kept or new[1] > kept[name][1]})
    return Known(mark, values, kept) if mark > before.mark else Known(before.mark, before.values, kept)
