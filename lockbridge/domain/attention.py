"""Which arrivals need a person, why, and the one thing that helps: what the console puts first.

Nothing is decided here about codes; the engine goes on by itself. This says what somebody can do beside it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from lockbridge.domain.code import Window
from lockbridge.domain.ids import LockId
from lockbridge.domain.seen import Kind
from lockbridge.domain.status import Status

LATE = timedelta(minutes=15)
"""How long a code may be due and not on its lock before somebody is asked to look."""
SOON = timedelta(hours=3)
"""How near an arrival is when only a code that is on the lock already helps (R43)."""
WITHIN_A_DAY = timedelta(hours=24)

WORST = (
    Status.FAILED,
    Status.PENDING,
    Status.BACKUP_GIVEN,
    Status.SCHEDULED,
    Status.SET,
    Status.REMOVING,
    Status.REMOVED,
)
"""The words of Property Access, the worst first: a stay is as well off as its worst lock."""

OTHER_CODE_HELPS = frozenset(
    {Kind.PIN_REFUSED, Kind.PIN_TAKEN, Kind.NAME_REFUSED, Kind.NAME_TAKEN, Kind.WINDOW_REFUSED}
)
"""Refusals that are about the code itself: the same code would be refused again."""


class Help(StrEnum):
    """The one thing that helps."""

    NOTHING = "nothing"
    TRY_AGAIN = "try again"
    GIVE_BACKUP = "give backup"
    REPLACE_CODE = "replace code"
    OPEN_LOCK = "open the lock"
    RECONNECT = "reconnect the lock app"
    NAME_PROPERTY = "say which property"
    MATCH_LOCK = "match a lock"
    OPEN_STAY = "open the stay"


class Urgency(IntEnum):
    """How much time there is."""

    NOW = 0
    """The guest is there, or should be."""
    SOON = 1
    """Within three hours."""
    TODAY = 2
    LATER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What is known of a stay's code on one lock, and of that lock. ``reason`` is the kind of the last error."""

    lock: LockId
    name: str
    status: Status
    window: Window
    due_at: datetime
    detail: str = ""
    reason: str = ""
    backup_ready: bool = False
    """A backup is on the lock, and nobody's."""
    offline: bool = False
    full: bool = False
    missing: bool = False
    """The lock app does not know the lock any more."""
    disconnected: bool = False
    """The lock-app account lets us in no more."""

    @property
    def hindered(self) -> bool:
        """Whether trying again cannot help before something else is done."""
        return self.offline or self.full or self.missing or self.disconnected


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What is known of a stay that is to have a code. ``opens_at``: its check-in, or when its code opens if earlier."""

    opens_at: datetime
    doors: Collection[Door] = ()
    has_code: bool = True
    property_known: bool = True
    has_locks: bool = True
    trouble: str = ""
    disagreement: str = ""


@dataclass(frozen=True, slots=True)
class Attention:
    """That somebody should look: how soon, what is wrong, what helps, at which lock."""

    urgency: Urgency
    words: str
    help: Help
    lock: LockId | None = None


def worst(statuses: Iterable[Status]) -> Status | None:
    """The status of a stay that has these on its locks; None without any."""
    return min(statuses, key=WORST.index, default=None)


def urgency(opens_at: datetime, now: datetime) -> Urgency:
    """How much time there is until an instant."""
    if opens_at <= now:
        return Urgency.NOW
    if opens_at <= now + SOON:
        return Urgency.SOON
    return Urgency.TODAY if opens_at <= now + WITHIN_A_DAY else Urgency.LATER


def needs_attention(arrival: Arrival, now: datetime) -> Attention | None:
    """The gravest thing that is wrong with an arrival, and what helps; None: nothing is.

    A stay without any code comes before a lock that has not taken it, and that before sources that disagree.
    """
    soon = urgency(arrival.opens_at, now)
    if not arrival.property_known:
        return Attention(soon, "No code: it is not known which of your properties this is.", Help.NAME_PROPERTY)
    if not arrival.has_locks and not arrival.doors:
        return Attention(soon, "No code: its property has no lock.", Help.MATCH_LOCK)
    if arrival.trouble:
        what = "Not every lock has its code" if arrival.has_code else "No code could be made"
        return Attention(soon, f"{what}: {arrival.trouble}.", Help.OPEN_STAY)
    wrong = [found for door in arrival.doors if (found := at_door(door, now)) is not None]
    if wrong:
        return min(wrong, key=lambda each: each.urgency)
    if arrival.disagreement:
        return Attention(soon, f"Two sources say different things: {arrival.disagreement}.", Help.OPEN_STAY)
    return None


def at_door(door: Door, now: datetime) -> Attention | None:
    """What is wrong with a code on one lock, and what helps; None: nothing is, or it is early days."""
    if not is_wrong(door, now):
        return None
    return Attention(urgency(door.window.starts, now), _words(door), help_at(door, now), door.lock)


def is_wrong(door: Door, now: datetime) -> bool:
    """Whether the code is not where it should be by now.

    That is: refused, long due, due on a lock that cannot take it – or still on a lock though it should be off.
    """
    if door.status is Status.FAILED:
        return not door.window.over(now)
    if door.status is Status.REMOVING:
        return door.window.over(now) and bool(door.detail)
    if door.status is not Status.PENDING or door.due_at > now or door.window.over(now):
        return False
    return door.hindered or door.window.starts <= now or door.due_at + LATE <= now


def help_at(door: Door, now: datetime) -> Help:
    """The one thing that helps with a code that is not on its lock.

    When the guest is nearly there, it is a backup, which is on the lock already. Before that, the cause is mended:
    an account, a lock that is offline, full or gone, a code that the lock refuses; else it is tried again.
    """
    if door.status is Status.REMOVING:
        return _mend(door) if door.hindered else Help.TRY_AGAIN
    if door.backup_ready and urgency(door.window.starts, now) <= Urgency.SOON:
        return Help.GIVE_BACKUP
    if door.hindered:
        return _mend(door)
    return Help.REPLACE_CODE if door.reason in OTHER_CODE_HELPS else Help.TRY_AGAIN


def _mend(door: Door) -> Help:
    return Help.RECONNECT if door.disconnected else Help.OPEN_LOCK


def _words(door: Door) -> str:
    if door.status is Status.REMOVING:
        return f"{door.name} still holds the code, though the stay is over{_because(door)}."
    return f"{door.name} does not have the code{_because(door)}."


def _because(door: Door) -> str:
    if door.disconnected:
        return ": its lock app no longer lets us in"
    if door.missing:
        return ": the lock app does not know this lock any more"
    if door.offline:
        return ": the lock is offline"
    if door.full:
        return ": the lock is full"
    return f": {door.detail.rstrip('.')}" if door.detail else ""
