"""A guest's page and the guest before a closed door: when digits may be seen, and which step helps next.

Each "the code does not work" leads one step further: the right door and the right time, a look at the lock, typing
again, a backup code, opening from afar, and at last – whatever else there is – somebody to call.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from lockbridge.domain.code import Window

GOODBYE = timedelta(hours=6)
"""So long after the code has ended the page still says where the house is and whom to call."""
MEMORY = timedelta(minutes=30)
"""Whoever asks for help again later than this after the last step begins anew."""
SAME_PRESS = timedelta(seconds=10)
"""Two presses so close together are one: a second phone, or a finger that slipped."""


class Phase(StrEnum):
    """What the page of a stay is about."""

    COMING = "coming"
    HERE = "here"
    LEAVING = "leaving"
    """The code has ended: the address and the contact are still there."""
    OVER = "over"


def phase(window: Window, now: datetime) -> Phase:
    """What the page is about at ``now``; ``window`` is when the stay's code opens."""
    if now < window.starts:
        return Phase.COMING
    if not window.over(now):
        return Phase.HERE
    return Phase.LEAVING if window.ends is not None and now < window.ends + GOODBYE else Phase.OVER


def shows_digits(window: Window, shown_from: datetime, now: datetime, *, on_lock: bool) -> bool:
    """Whether the guest sees the digits: known to be on the lock, told by then (R35), and not over."""
    return on_lock and min(shown_from, window.starts) <= now and not window.over(now)


class Step(StrEnum):
    """What a guest whose code does not work is told to do."""

    WRONG_DOOR = "wrong_door"
    OVER = "over"
    TOO_EARLY = "too_early"
    WAIT = "wait"
    """The code is on its way to the lock."""
    TYPE_AGAIN = "type_again"
    BACKUP = "backup"
    OPEN = "open"
    CALL = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class AtDoor:
    """What is known of a guest and the door they stand before."""

    window: Window
    mine: bool
    """The stay has, or is to have, a code for this door."""
    others: bool
    """It has one for another door."""
    confirmed: bool
    """Its own code is on the lock."""
    online: bool
    """The lock could be reached when it was looked at last."""
    backup_given: bool
    backup_ready: bool
    """There is one to give, and the property gives them."""
    may_open: bool
    """The host allows it and the lock can."""
    taken: Collection[Step] = ()
    """The steps taken so far at this door."""


def next_step(door: AtDoor, now: datetime) -> Step:
    """The step that helps next."""
    return _before_looking(door, now) or _at_lock(door)


def _before_looking(door: AtDoor, now: datetime) -> Step | None:
    if door.window.over(now):
        return Step.OVER
    if now < door.window.starts:
        return Step.TOO_EARLY
    if door.mine:
        return None
    return Step.WRONG_DOOR if door.others and Step.WRONG_DOOR not in door.taken else Step.CALL


def needs_look(door: AtDoor, now: datetime) -> bool:
    """Whether the next step depends on what the lock holds now."""
    return _before_looking(door, now) is None


def _at_lock(door: AtDoor) -> Step:
    typed = Step.TYPE_AGAIN in door.taken or Step.BACKUP in door.taken
    steps = (
        (Step.TYPE_AGAIN, (door.confirmed or door.backup_given) and not typed),
        (Step.WAIT, not door.confirmed and not door.backup_given and door.online and Step.WAIT not in door.taken),
        (Step.BACKUP, door.backup_ready and not door.backup_given),
        (Step.OPEN, door.may_open and door.online and Step.OPEN not in door.taken),
    )
    return next((step for step, helps in steps if helps), Step.CALL)


def lately(taken: Sequence[tuple[datetime, Step]], now: datetime) -> list[tuple[datetime, Step]]:
    """Of the steps taken at a door, by time, those that still count: since the last pause longer than MEMORY."""
    kept: list[tuple[datetime, Step]] = []
    later = now
    for at, step in reversed(taken):
        if later - at > MEMORY:
            break
        kept.append((at, step))
        later = at
    return kept[::-1]


def same_press(taken: Sequence[tuple[datetime, Step]], now: datetime) -> bool:
    """Whether the last step was taken so shortly before that this press means it, too."""
    return bool(taken) and now - taken[-1][0] < SAME_PRESS
