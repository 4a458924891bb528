"""The guided start: which steps lead from nothing to codes on locks, which are done, and which one is next."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class StepName(StrEnum):
    """The steps, in the order in which they are taken."""

    LOCK_APP = "lock_app"
    PROPERTIES = "properties"
    MATCH = "match"
    BOOKINGS = "bookings"
    MESSAGES = "messages"


TITLES: Mapping[StepName, str] = {
    StepName.LOCK_APP: "Connect a lock app",
    StepName.PROPERTIES: "Add your properties",
    StepName.MATCH: "Match locks with properties",
    StepName.BOOKINGS: "Connect a booking platform",
    StepName.MESSAGES: "Check the messages",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """What a host has set up so far."""

    lock_apps: int = 0
    properties: int = 0
    matches: int = 0
    sources: int = 0
    """Connected accounts and calendars."""
    heard: bool = False
    """Whether a webhook of a booking platform ever came."""
    messages_seen: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``later``: the host has put it off."""

    name: StepName
    done: bool
    later: bool = False

    @property
    def title(self) -> str:
        """What there is to do."""
        return TITLES[self.name]


def steps(progress: Progress, put_off: Collection[str] = ()) -> tuple[Step, ...]:
    """All steps, in order."""
    done = {
        StepName.LOCK_APP: progress.lock_apps > 0,
        StepName.PROPERTIES: progress.properties > 0,
        StepName.MATCH: progress.matches > 0,
        StepName.BOOKINGS: progress.heard or progress.sources > 0,
        StepName.MESSAGES: progress.messages_seen,
    }
    return tuple(Step(name, done[name], name in put_off and not done[name]) for name in StepName)


def next_step(every: Sequence[Step], after: StepName | None = None) -> Step | None:
    """The step to take now: the first, after the given one, that is neither done nor put off; None: there is none.

    After the last step it begins again at the first, so that nothing is left out by going ahead.
    """
    order = list(every)
    if after is not None:
        at = [step.name for step in order].index(after) + 1
        order = order[at:] + order[: at - 1]
    return next((step for step in order if not step.done and not step.later), None)
