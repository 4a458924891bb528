"""One simulated lock: what its lock app believes, what it physically holds, and when its door opens."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from lockbridge.contract import CodeState, ProviderError
from lockbridge.domain.code import Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities
from providers.simulator.faults import Fault, Faults, Verb
from providers.simulator.rules import RuleSet

Maker = Literal["us", "hand"]
"""Who did something: a driver, or a person with the vendor's app."""


class OnLock(NamedTuple):
    """What the lock itself compares a typed PIN with."""

    pin: str
    window: Window | None


class Change(NamedTuple):
    """Something the lock app still has to tell the lock: ``to=None`` takes the code off; ``due=None`` never comes."""

    due: datetime | None
    to: OnLock | None


@dataclass(slots=True)
class SimulatedCode:
    """One code in the lock app, and what of it is on the lock."""

    ref: CodeRef
    pin: str = field(repr=False)
    name: str | None
    window: Window | None
    made_by: Maker
    on_lock: OnLock | None = field(default=None, repr=False)
    change: Change | None = field(default=None, repr=False)
    trouble: type[ProviderError] | None = None

    @property
    def state(self) -> CodeState:
        """What the lock app says of it."""
        if self.change is None:
            return CodeState.SET
        return CodeState.SETTING if self.change.to else CodeState.REMOVING


class Script(NamedTuple):
    """A fault waiting for the next call on one of these verbs."""

    fault: Fault
    verbs: frozenset[Verb]


class Outage(NamedTuple):
    """When a lock cannot be reached; ``until=None``: until told otherwise."""

    since: datetime
    until: datetime | None

    def covers(self, at: datetime) -> bool:
        """Whether the lock is out of reach then."""
        return self.since <= at and (self.until is None or at < self.until)


class Shift(NamedTuple):
    """A time in which the lock's own clock is wrong: its windows open and close ``late`` (negative: early)."""

    since: datetime
    until: datetime
    late: timedelta


@dataclass(slots=True)
class SimulatedLock:
    """A lock on a door. Its codes are changed through :meth:`put`, :meth:`drop` and :meth:`send` only."""

    ref: LockRef
    name: str
    rules: RuleSet
    capabilities: Capabilities
    account: str
    zone: str | None = None
    battery: float | None = 1.0
    faults: Faults | None = None
    script: deque[Script] = field(default_factory=deque)
    codes: dict[CodeRef, SimulatedCode] = field(default_factory=dict)
    outages: list[Outage] = field(default_factory=list)
    shifts: list[Shift] = field(default_factory=list)
    _changing: dict[CodeRef, SimulatedCode] = field(default_factory=dict)
    _by_pin: dict[str, dict[CodeRef, SimulatedCode]] = field(default_factory=dict, repr=False)

    def put(self, code: SimulatedCode) -> None:
        """Make the code known to the lock app."""
        self.codes[code.ref] = code
        self._by_pin.setdefault(code.pin, {})[code.ref] = code

    def drop(self, code: SimulatedCode) -> None:
        """Forget the code, in the lock app and on the lock."""
        del self.codes[code.ref]
        self._changing.pop(code.ref, None)
        self._unindex(code)

    def rewrite(self, code: SimulatedCode, pin: str, name: str | None, window: Window | None) -> None:
        """Change what the lock app believes of the code."""
        self._unindex(code)
        code.pin, code.name, code.window = pin, name, window
        self._by_pin.setdefault(pin, {})[code.ref] = code

    def _unindex(self, code: SimulatedCode) -> None:
        sharers = self._by_pin[code.pin]
        del sharers[code.ref]
        if not sharers:
            del self._by_pin[code.pin]

    def send(self, code: SimulatedCode, change: Change) -> None:
        """Have the lock take the change when it is due and the lock in reach."""
        code.change = change
        self._changing[code.ref] = code

    def sharers(self, pin: str) -> Iterator[SimulatedCode]:
        """The codes with these digits."""
        return iter(self._by_pin.get(pin, {}).values())

    def is_online(self, at: datetime) -> bool:
        """Whether the lock app can reach the lock then."""
        return not any(outage.covers(at) for outage in self.outages)

    def settle(self, now: datetime) -> None:
        """Bring everything to now: changes that have arrived, codes the lock app forgets by itself."""
        for code in list(self._changing.values()) if self._changing else ():
            if code.change and self._has_arrived(code.change, now):
                self._apply(code, code.change)
        if self.outages:
            self.outages = [outage for outage in self.outages if outage.until is None or outage.until > now]
        if self.rules.forgets_expired or self.capabilities.chooses_pin:
            for code in [code for code in self.codes.values() if code.window and code.window.over(now)]:
                self.drop(code)

    def _apply(self, code: SimulatedCode, change: Change) -> None:
        if change.to is None:
            self.drop(code)
            return
        code.on_lock, code.change, code.trouble = change.to, None, None
        del self._changing[code.ref]

    def finish(self, code: SimulatedCode) -> None:
        """Bring one code to the state the lock app believes, at once."""
        code.on_lock, code.change, code.trouble = OnLock(code.pin, code.window), None, None
        self._changing.pop(code.ref, None)

    def _has_arrived(self, change: Change, at: datetime) -> bool:
        arrives = change.due
        for outage in self.outages:
            if arrives is not None and outage.covers(arrives):
                arrives = outage.until
        return arrives is not None and arrives <= at

    def physical(self, code: SimulatedCode, at: datetime) -> OnLock | None:
        """What of the code is on the lock then."""
        if code.change and self._has_arrived(code.change, at):
            return code.change.to
        return code.on_lock

    def opens(self, pin: str, at: datetime) -> bool:
        """Whether the door opens for these digits then."""
        told = at - self._lateness(at)
        for code in self.codes.values():
            held = self.physical(code, at)
            if held and held.pin == pin and (held.window is None or held.window.holds(told)):
                return True
        return False

    def _lateness(self, at: datetime) -> timedelta:
        return sum((shift.late for shift in self.shifts if shift.since <= at < shift.until), timedelta(0))
