"""The lock app's service: what an account's driver can ask of the simulated world, and how it goes wrong."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    CodeState,
    FoundLock,
    LockEvent,
    LockNotFound,
    LockOffline,
    LockStatus,
    ProviderError,
    RateLimited,
    Receipt,
    Rejected,
    SeenCode,
    Unreachable,
    WindowRefused,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Readback
from providers.simulator.faults import LOSES_ANSWER, WRITES, BrokenAnswer, Fault, Faults, LostAnswer, LostRead, Verb
from providers.simulator.lock import Change, OnLock, SimulatedCode, SimulatedLock
from providers.simulator.rules import check_pin, check_window
from providers.simulator.world import Account, Entry, World, check_free, check_named, check_room, code_on

_T = TypeVar("_T")

_STRIKES: dict[Fault, tuple[type[ProviderError], str]] = {
    Fault.ERROR_BEFORE: (Unreachable, "the lock app is out of order"),
    Fault.FALSE_GONE: (CodeGone, "the lock app has no such code"),
    Fault.REJECTED: (Rejected, "the lock app refused"),
}


class SimulatedLockApp(World):
    """A lock app: the simulated world, and the verbs of the contract for each of its accounts.

    The verbs raise what a driver may raise and nothing else. A write that is done and whose answer is lost raises
    OutcomeUnknown; a read that is lost raises Unreachable.
    """

    def list_locks(self, account: str) -> list[FoundLock]:
        """Every lock of the account."""
        self.calls[Verb.LIST_LOCKS] += 1
        known = self._known(account)
        self._strike(self._fault(Verb.LIST_LOCKS, None), Verb.LIST_LOCKS, self.faults)
        now = self.now()
        return [
            FoundLock(lock.ref, lock.name, lock.capabilities, _status(lock, now), lock.zone)
            for lock in known.locks.values()
        ]

    def list_codes(self, account: str, lock: LockRef) -> list[SeenCode]:
        """Everything the lock holds, or – a lock that keeps windows – what its cloud remembers while it is offline.

        Raises Rejected for a lock that cannot be asked (``Readback.NONE``): that is not an empty lock.
        """
        held, now = self._asked(Verb.LIST_CODES, account, lock)
        readback = held.capabilities.readback
        if readback is Readback.NONE:
            msg = "this lock cannot be asked what it holds"
            raise Rejected(msg)
        if not held.capabilities.keeps_windows:
            _check_online(held, now)
        full = readback is Readback.FULL
        return [_seen(code, full=full) for code in held.codes.values()]

    def check_lock(self, account: str, lock: LockRef) -> LockStatus:
        """Whether the lock is in reach, and its battery."""
        held, now = self._asked(Verb.CHECK, account, lock)
        return _status(held, now)

    def set_code(self, account: str, lock: LockRef, spec: CodeSpec) -> Written:
        """Make a code."""
        held, fault = self._called(Verb.SET, account, lock)
        if held.capabilities.chooses_pin:
            return self._answer(fault, lambda: self._give_out(held, spec))
        return self._answer(fault, lambda: self._set(held, spec, fault))

    def update_code(self, account: str, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Change a code: what ``capabilities.updates`` names becomes as told, the rest stays."""
        held, fault = self._called(Verb.UPDATE, account, lock)
        return self._answer(fault, lambda: self._update(held, ref, spec, fault))

    def remove_code(self, account: str, lock: LockRef, ref: CodeRef) -> Receipt:
        """Take a code off the lock."""
        held, fault = self._called(Verb.REMOVE, account, lock)
        return self._answer(fault, lambda: self._remove(held, ref, fault))

    def open_door(self, account: str, lock: LockRef) -> Receipt:
        """Open the door now, where the lock can."""
        held, fault = self._called(Verb.OPEN, account, lock)
        return self._answer(fault, lambda: self._open(held))

    def activity(self, account: str, lock: LockRef, since: datetime, limit: int) -> list[LockEvent]:
        """The last things that were done to the lock since then, the newest first."""
        held, _ = self._asked(Verb.LOG, account, lock)
        if not held.capabilities.has_log:
            msg = "this lock has no log"
            raise Rejected(msg)
        theirs = [entry for entry in self.journal if entry.lock == lock and entry.at >= since]
        return [_event(entry) for entry in theirs[::-1][:limit]]

    def try_door(self, account: str, lock: LockRef, pin: str, at: datetime) -> bool:
        """Whether the door opens for these digits then: somebody stands before it and types."""
        if lock not in self._known(account).locks:
            msg = "the account has no such lock"
            raise LockNotFound(msg)
        return self.opens(lock, pin, at)

    # -- how a call is taken ---------------------------------------------------------------------------------

    def _known(self, account: str) -> Account:
        known = self._accounts.get(account)
        if known is None or not known.connected:
            msg = "the lock app does not let this account in"
            raise AccountRefused(msg)
        return known

    def _called(self, verb: Verb, account: str, lock: LockRef) -> tuple[SimulatedLock, Fault]:
        self.calls[verb] += 1
        held = self._known(account).locks.get(lock)
        if held is None:
            msg = "the account has no such lock"
            raise LockNotFound(msg)
        fault = self._fault(verb, held)
        if fault is not Fault.PASS:
            self._strike(fault, verb, held.faults or self.faults)
        return held, fault

    def _asked(self, verb: Verb, account: str, lock: LockRef) -> tuple[SimulatedLock, datetime]:
        held, _ = self._called(verb, account, lock)
        now = self.now()
        held.settle(now)
        return held, now

    def _fault(self, verb: Verb, lock: SimulatedLock | None) -> Fault:
        for queue in (lock.script, self._script) if lock else (self._script,):
            for waiting in queue:
                if verb in waiting.verbs:
                    queue.remove(waiting)
                    return waiting.fault
        odds = lock.faults if lock and lock.faults else self.faults
        return odds.draw(verb, self.randomness)

    def _strike(self, fault: Fault, verb: Verb, odds: Faults) -> None:
        if fault is Fault.RATE_LIMITED:
            msg = "the lock app asks for fewer calls"
            raise RateLimited(msg, odds.retry_after)
        if fault in LOSES_ANSWER and verb not in WRITES:
            msg = "the lock app's answer was lost"
            raise LostRead(msg)
        if fault in _STRIKES:
            kind, msg = _STRIKES[fault]
            raise kind(msg)

    def _answer(self, fault: Fault, act: Callable[[], _T]) -> _T:
        if fault not in LOSES_ANSWER:
            return act()
        with suppress(ProviderError):
            act()
        if fault is Fault.LOST_ANSWER:
            msg = "the lock app's answer was lost"
            raise LostAnswer(msg)
        msg = "the lock app failed while it worked"
        raise BrokenAnswer(msg)

    # -- how a code is written -------------------------------------------------------------------------------

    def _set(self, lock: SimulatedLock, spec: CodeSpec, fault: Fault) -> Written:
        now, can = self._writable(lock), lock.capabilities
        pin = _digits(spec)
        name = spec.name if can.keeps_names else None
        window = spec.window if can.keeps_windows else None
        check_pin(pin, can.pin_rules, (code.pin for code in lock.codes.values()))
        check_window(window, can, now)
        check_named(lock, name)
        check_free(lock, pin, window)
        check_room(lock)
        code = self._made(lock, pin, name, window, "us", on_lock=False)
        self._note(now, lock, Verb.SET, code, "us")
        receipt = self._carry(lock, code, now, fault)
        return Written(receipt, code.ref if lock.rules.returns_ref else None)

    def _update(self, lock: SimulatedLock, ref: CodeRef, spec: CodeSpec, fault: Fault) -> Written:
        now = self._writable(lock)
        code = code_on(lock, ref)
        if code.state is CodeState.REMOVING:
            msg = "the code is on its way off the lock"
            raise Rejected(msg)
        pin, name, window = _updated(lock, code, spec)
        if (pin, name, window) == (code.pin, code.name, code.window) and not code.trouble:
            return Written(Receipt.ACCEPTED if code.change else Receipt.ALREADY, ref)
        self._check_update(lock, code, (pin, name, window), now)
        lock.rewrite(code, pin, name, window)
        self._note(now, lock, Verb.UPDATE, code, "us")
        return Written(self._carry(lock, code, now, fault), ref)

    def _check_update(
        self, lock: SimulatedLock, code: SimulatedCode, to: tuple[str, str | None, Window | None], now: datetime
    ) -> None:
        pin, name, window = to
        if pin != code.pin:
            check_pin(pin, lock.capabilities.pin_rules, (c.pin for c in lock.codes.values() if c is not code))
        if window != code.window:
            check_window(window, lock.capabilities, now)
        if name != code.name:
            check_named(lock, name, code)
        check_free(lock, pin, window, code)

    def _remove(self, lock: SimulatedLock, ref: CodeRef, fault: Fault) -> Receipt:
        if not lock.capabilities.can_remove:
            msg = "what this lock gave out lives until its window ends"
            raise Rejected(msg)
        now = self._writable(lock)
        code = code_on(lock, ref)
        if code.state is CodeState.REMOVING:
            return Receipt.ACCEPTED
        self._note(now, lock, Verb.REMOVE, code, "us")
        if code.on_lock is None and code.change:
            lock.drop(code)
            return Receipt.DONE
        due = self._due(lock, now, fault)
        if due is None:
            lock.drop(code)
            return Receipt.DONE
        lock.send(code, Change(due, None))
        return Receipt.ACCEPTED

    def _open(self, lock: SimulatedLock) -> Receipt:
        if not lock.capabilities.can_open:
            msg = "this lock cannot be opened from afar"
            raise Rejected(msg)
        now = self.now()
        _check_online(lock, now)
        self.journal.append(Entry(now, lock.ref, Verb.OPEN, None, None, "us", "us"))
        return Receipt.DONE

    def _give_out(self, lock: SimulatedLock, spec: CodeSpec) -> Written:
        """A code of an algorithmic lock: digits follow from window and variant; the lock need not be reached.

        Asked again for one name and window it tells the same digits.
        """
        now = self.now()
        lock.settle(now)
        check_window(spec.window, lock.capabilities, now)
        check_named(lock, spec.name)
        window = spec.window
        given = [code for code in lock.codes.values() if code.window == window]
        known = next((code for code in given if code.name == spec.name), None)
        if known:
            return Written(Receipt.ALREADY, known.ref, Pin(known.pin), window)
        if len(given) >= lock.rules.variants:
            msg = "this lock gives out no more codes for this window"
            raise WindowRefused(msg)
        check_room(lock)
        code = self._made(lock, _algorithm(lock, window, len(given)), spec.name, window, "us")
        self._note(now, lock, Verb.SET, code, "us")
        return Written(Receipt.DONE, code.ref, Pin(code.pin), window)

    def _writable(self, lock: SimulatedLock) -> datetime:
        now = self.now()
        lock.settle(now)
        if lock.outages and not lock.rules.queues_offline:
            _check_online(lock, now)
        return now

    def _carry(self, lock: SimulatedLock, code: SimulatedCode, now: datetime, fault: Fault) -> Receipt:
        if fault is Fault.NEVER_CONFIRMED:
            lock.send(code, Change(None, OnLock(code.pin, code.window)))
            code.trouble = Rejected
            return Receipt.ACCEPTED
        due = self._due(lock, now, fault)
        if due is None:
            lock.finish(code)
            return Receipt.DONE
        lock.send(code, Change(due, OnLock(code.pin, code.window)))
        return Receipt.ACCEPTED

    def _due(self, lock: SimulatedLock, now: datetime, fault: Fault) -> datetime | None:
        """When a write reaches the lock; None: at once, and the answer says so."""
        delay = lock.rules.confirm_delay
        if fault is Fault.SLOW_CONFIRMATION:
            delay = (lock.faults or self.faults).slowness
        if delay is None:
            return now if lock.outages and not lock.is_online(now) else None
        shortest, longest = delay
        return now + shortest + (longest - shortest) * self.randomness.random()


def _check_online(lock: SimulatedLock, now: datetime) -> None:
    if not lock.is_online(now):
        msg = "the lock cannot be reached"
        raise LockOffline(msg)


def _status(lock: SimulatedLock, now: datetime) -> LockStatus:
    return LockStatus(lock.is_online(now), lock.battery)


_DONE = {
    Verb.SET: "a code was made",
    Verb.UPDATE: "a code was changed",
    Verb.REMOVE: "a code was deleted",
    Verb.OPEN: "the door was opened from afar",
}
_BY = {"us": "by lockbridge", "hand": "by hand"}


def _event(entry: Entry) -> LockEvent:
    named = f"{entry.name}, " if entry.name else ""
    return LockEvent(entry.at, _DONE[entry.verb], f"{named}{_BY[entry.by]}")


def _seen(code: SimulatedCode, *, full: bool) -> SeenCode:
    trouble = code.trouble("the lock app could not put the code on the lock").trouble if code.trouble else None
    return SeenCode(code.ref, Pin(code.pin) if full else None, code.name, code.window, code.state, trouble)


def _digits(spec: CodeSpec) -> str:
    if spec.pin is None:
        msg = "this lock does not choose digits itself"
        raise Rejected(msg)
    return spec.pin.digits


def _updated(lock: SimulatedLock, code: SimulatedCode, spec: CodeSpec) -> tuple[str, str | None, Window | None]:
    updates = lock.capabilities.updates
    if not updates:
        msg = "codes on this lock cannot be changed"
        raise Rejected(msg)
    pin = spec.pin.digits if spec.pin and "pin" in updates else code.pin
    name = spec.name if "name" in updates else code.name
    return pin, name, spec.window if "window" in updates else code.window


def _algorithm(lock: SimulatedLock, window: Window | None, variant: int) -> str:
    """Digits that follow from lock, window and variant, none of them given out already."""
    dice = random.Random(f"{lock.ref}|{window}|{variant}")  # noqa: S311 - invented digits that can be repeated
    length = min(lock.capabilities.pin_rules.lengths)
    taken = {code.pin for code in lock.codes.values()}
    while (pin := "".join(dice.choices("0123456789", k=length))) in taken:
        continue
    return pin
