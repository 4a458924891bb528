"""What goes wrong in a simulation beside the lock app: the process dies, mail is delayed or its answer lost."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from lockbridge.contract import Connection, FoundLock, LockStatus, Provider, ProviderSpec, Receipt, SeenCode, Written
from lockbridge.domain.code import CodeSpec
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.messaging.channel import Email, SendLater, SendUnknown
from lockbridge.simulation.oracle import Mail, Oracle
from lockbridge.storage.commit import Commit, Step
from providers.simulator import Faults, SimulatedLockApp, in_process

T = TypeVar("T")
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad a simulation's days are. ``offline`` is the share of locks out of reach at any time."""

    faults: Faults
    offline: float = 0.0
    hand_edits: float = 0.0
    """The share of stays of which somebody changes a code in the lock app."""
    mail_later: float = 0.0
    mail_unknown: float = 0.0
    restarts: bool = False
    """Whether the process is thrown away every day, and once a day in the middle of its work."""
    patience: timedelta = timedelta(minutes=5)


WEATHERS: Mapping[str, Weather] = {
    "none": Weather(Faults()),
    "mild": Weather(Faults.mild(), 0.003, 0.002, 0.01, 0.005, restarts=True, patience=timedelta(minutes=45)),
    "harsh": Weather(Faults.harsh(), 0.02, 0.01, 0.03, 0.02, restarts=True, patience=timedelta(hours=1)),
}


@dataclass(slots=True)
class Mortality:
    """The life of one process: armed, it dies at one of the next things it does to the outside, before or after it.

    Dead, it does nothing any more: everything it tries is cut off with CancelledError.
    """

    dice: random.Random
    left: int | None = None
    dead: bool = False

    def arm(self) -> None:
        """It will die soon."""
        self.left = self.dice.randint(1, 25)

    async def live(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do it, unless this is the end."""
        last = self._is_last()
        if self.dead or (last and self.dice.random() < 0.5):  # noqa: PLR2004 - before or after
            self.dead = True
            raise asyncio.CancelledError
        done = await act()
        if last:
            self.dead = True
            raise asyncio.CancelledError
        return done

    def _is_last(self) -> bool:
        if self.left is None:
            return False
        self.left -= 1
        return self.left <= 0


@dataclass(frozen=True, slots=True)
class MortalCommit:
    """Writes, while the process lives."""

    inner: Commit
    life: Mortality

    async def write(self, step: Step[Item, Result], item: Item) -> Result:
        """What the step answers for the item, committed."""

        async def act() -> Result:
            return await self.inner.write(step, item)

        return await self.life.live(act)

    async def close(self) -> None:
        """Give the connection back."""
        await self.inner.close()


@dataclass(frozen=True, slots=True)
class MortalProvider:
    """A driver whose process may die before or after each call."""

    inner: Provider
    life: Mortality

    async def list_locks(self) -> Sequence[FoundLock]:
        """All locks of the account."""
        return await self.life.live(self.inner.list_locks)

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """Everything the lock holds."""
        return await self.life.live(lambda: self.inner.list_codes(lock))

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        """Make a code."""
        return await self.life.live(lambda: self.inner.set_code(lock, spec))

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Change a code."""
        return await self.life.live(lambda: self.inner.update_code(lock, ref, spec))

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Take a code off."""
        return await self.life.live(lambda: self.inner.remove_code(lock, ref))

    async def check_lock(self, lock: LockRef) -> LockStatus:
        """Whether it is in reach."""
        return await self.life.live(lambda: self.inner.check_lock(lock))

    async def open_door(self, lock: LockRef) -> Receipt:
        """Open the door now."""
        return await self.life.live(lambda: self.inner.open_door(lock))


def mortal_provider(app: SimulatedLockApp, life: Mortality) -> ProviderSpec:
    """The simulator in this process, as long as it lives."""
    spec = in_process(app)

    def connect(connection: Connection) -> Provider:
        return MortalProvider(spec.connect(connection), life)

    return ProviderSpec(spec.key, spec.title, spec.fields, connect, spec.max_parallel)


@dataclass(slots=True)
class Post:
    """The mail system: delivers to guests at once, and to the oracle's knowledge; mail to hosts is counted."""

    now: Callable[[], datetime]
    dice: random.Random
    weather: Weather
    hosts: set[str]
    oracle: Oracle
    life: Mortality
    to_hosts: list[tuple[datetime, str, str]] = field(default_factory=list)
    last: str | None = None
    """The Message-ID of the last mail that was accepted."""

    async def send(self, email: Email) -> None:
        """Hand a mail over, if the weather lets it."""
        self._perhaps_fails()
        answer_lost = self.dice.random() < self.weather.mail_unknown

        async def act() -> None:
            self._deliver(email, sure=not answer_lost)

        await self.life.live(act)
        if answer_lost:
            msg = "the connection was lost after the text was handed over"
            raise SendUnknown(msg)

    def _perhaps_fails(self) -> None:
        if self.dice.random() < self.weather.mail_later:
            msg = "the mail server is busy"
            raise SendLater(msg, timedelta(minutes=5) if self.dice.random() < 0.3 else None)  # noqa: PLR2004 - greylisting
        if self.dice.random() < self.weather.mail_unknown:
            msg = "the connection was lost while the text was handed over"
            raise SendUnknown(msg)

    def _deliver(self, email: Email, *, sure: bool) -> None:
        self.last = email.message_id
        if email.to in self.hosts:
            self.to_hosts.append((self.now(), email.to, email.subject))
            return
        self.oracle.mailed(Mail(self.now(), email.to, email.subject, email.text, email.message_id), sure=sure)


@dataclass(frozen=True, slots=True)
class Ears:
    """A log that tells errors to somebody and forgets the rest."""

    tell: Callable[[str], None]

    def error(self, event: str, **facts: Any) -> None:
        """Something of the engine's own went wrong."""
        self.tell(f"{event}: {', '.join(f'{name}={value}' for name, value in facts.items())}")

    exception = critical = error

    def info(self, event: str, **facts: Any) -> None:
        """Nothing to tell."""

    debug = warning = warn = info
