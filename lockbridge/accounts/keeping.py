"""What the accounts of a process keep things with: the store that all processes share, and the time."""

from typing import Protocol

from lockbridge.clock import Clock
from lockbridge.workflows.ports import Store


class Keeping(Store, Protocol):
    """A store and a clock."""

    @property
    def clock(self) -> Clock:
        """The time: drivers call without saying when."""
        ...
