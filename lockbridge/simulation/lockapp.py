"""The lock app of a simulation: the product's simulator, with an observer who hears each call and each write."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from lockbridge.contract import ProviderError, Receipt, SeenCode, Written
from lockbridge.domain.code import CodeSpec, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.seen import CodeState
from lockbridge.simulation.oracle import Call, Doors, Held, LockFacts, Oracle, Span
from lockbridge.simulation.world import DrawnLock
from providers.simulator import RULE_SETS, Faults, SimulatedLockApp, Verb
from providers.simulator.lock import Maker, SimulatedCode, SimulatedLock

_T = TypeVar("_T")
_STEPS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}


class WatchedLockApp(SimulatedLockApp, Doors):
    """A simulated lock app whose every call and write is told to an oracle."""

    def __init__(self, now: Callable[[], datetime], randomness: random.Random, *, faults: Faults | None = None) -> None:
        super().__init__(now, randomness, faults=faults)
        self.oracle: Oracle | None = None
        self.codes_made = 0
        self._outages: dict[str, tuple[datetime, datetime]] = {}

    # -- what the engine asks

    def list_codes(self, account: str, lock: LockRef) -> list[SeenCode]:
        """As the simulator does."""
        return self._told(lock, "list", lambda: super(WatchedLockApp, self).list_codes(account, lock))

    def set_code(self, account: str, lock: LockRef, spec: CodeSpec) -> Written:
        """As the simulator does."""
        return self._told(lock, "set", lambda: super(WatchedLockApp, self).set_code(account, lock, spec))

    def update_code(self, account: str, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """As the simulator does."""
        return self._told(lock, "update", lambda: super(WatchedLockApp, self).update_code(account, lock, ref, spec))

    def remove_code(self, account: str, lock: LockRef, ref: CodeRef) -> Receipt:
        """As the simulator does."""
        return self._told(lock, "remove", lambda: super(WatchedLockApp, self).remove_code(account, lock, ref))

    def _told(self, lock: LockRef, verb: str, ask: Callable[[], _T]) -> _T:
        answer = "ok"
        try:
            return ask()
        except ProviderError as error:
            answer = error.kind.value
            raise
        finally:
            if self.oracle is not None:
                self.oracle.called(lock, Call(self.now(), verb, answer))

    def _note(self, now: datetime, lock: SimulatedLock, verb: Verb, code: SimulatedCode, by: Maker) -> None:
        super()._note(now, lock, verb, code, by)
        self.codes_made += verb is Verb.SET and by == "us"
        if self.oracle is not None:
            by_us, made_by_us = by == "us", code.made_by == "us"
            self.oracle.wrote(now, lock.ref, verb.value, code.ref, code.pin, by_us=by_us, made_by_us=made_by_us)

    # -- what the oracle asks

    def opens(self, lock: str, pin: str, at: datetime) -> bool:
        """Whether the door opens for these digits then."""
        return super().opens(LockRef(lock), pin, at)

    def on_lock(self, lock: str, at: datetime) -> Sequence[Held]:
        """What is physically on the lock then."""
        held = self._locks[LockRef(lock)]
        return [_held(code, held, at) for code in held.codes.values() if held.physical(code, at)]

    def out_of_reach(self, lock: str, until: datetime) -> None:
        """From now on, until an instant, the lock cannot be reached; a longer outage swallows a shorter one."""
        now = self.now()
        since, before = self._outages.get(lock, (now, now))
        self._outages[lock] = (since if before >= now else now, max(before, until))
        self.offline(LockRef(lock), until)

    def offline_since(self, lock: str, at: datetime) -> datetime | None:
        """Since when the lock has been out of reach without a break; None: it is in reach."""
        since, until = self._outages.get(lock, (at, at))
        return since if since <= at < until else None

    def last_offline(self, lock: str, at: datetime) -> datetime | None:
        """When the lock was last out of reach, up to an instant."""
        since, until = self._outages.get(lock, (at, at))
        return min(until, at) if since < at else None


def _held(code: SimulatedCode, lock: SimulatedLock, at: datetime) -> Held:
    on_lock = lock.physical(code, at)
    assert on_lock is not None  # noqa: S101 - the caller looked
    settled = code.state is CodeState.SET or lock.physical(code, at) != code.on_lock
    return Held(code.ref, on_lock.pin, code.name, _span(on_lock.window), code.made_by == "us", settled)


def _span(window: Window | None) -> Span | None:
    return None if window is None or window.ends is None else Span(window.starts, window.ends)


def manual(lock: DrawnLock) -> LockFacts:
    """What the oracle is told about a kind of lock."""
    can = RULE_SETS[lock.rules].capabilities
    step = _STEPS.get(can.rounding.value)
    return LockFacts(lock.ref, lock.name, can.keeps_windows, can.chooses_pin, can.keeps_names, step)
