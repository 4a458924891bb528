"""The simulated world: accounts, locks and their doors, what goes wrong, and everything that happens by hand."""

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from lockbridge.contract import AccountRefused, CodeGone, LockFull, NameTaken, PinTaken, ProviderError
from lockbridge.domain.code import Window
from lockbridge.domain.ids import CodeRef, LockRef
from providers.simulator.faults import Fault, Faults, Verb, scripted_verbs
from providers.simulator.lock import Maker, OnLock, Outage, Script, Shift, SimulatedCode, SimulatedLock
from providers.simulator.rules import RULE_SETS, RuleSet, check_name, check_pin

MAIN = "main"
"""The account every lock belongs to unless told otherwise."""


class Entry(NamedTuple):
    """One thing that was done to a lock. ``made_by``: who had made the code it was done to."""

    at: datetime
    lock: LockRef
    verb: Verb
    ref: CodeRef | None
    name: str | None
    by: Maker
    made_by: Maker


class HeldCode(NamedTuple):
    """A code as it physically is on a lock. The PIN is plain digits: an oracle compares them."""

    ref: CodeRef
    pin: str
    name: str | None
    window: Window | None
    made_by: Maker


@dataclass(slots=True)
class Account:
    """One customer of the lock app, and what its drivers show to be let in."""

    key: str
    token: str
    connected: bool
    locks: dict[LockRef, SimulatedLock]


class World:
    """Any number of accounts and locks, in memory, and the hands of the people who live with them.

    ``now`` tells the time (aware, UTC); ``randomness`` draws faults, delays and digits, so that one seed gives one
    run. ``journal`` holds every write that was done, by a driver or by hand, in order; ``calls`` counts what was
    asked, done or not. ``on_change`` is called with a lock's ref after a change by hand, as a vendor's webhook would.
    """

    def __init__(self, now: Callable[[], datetime], randomness: random.Random, *, faults: Faults | None = None) -> None:
        self.now = now
        self.randomness = randomness
        self.faults = faults or Faults()
        self.journal: list[Entry] = []
        self.calls: Counter[Verb] = Counter()
        self.on_change: Callable[[LockRef], None] | None = None
        self._accounts: dict[str, Account] = {}
        self._locks: dict[LockRef, SimulatedLock] = {}
        self._by_token: dict[str, Account] = {}
        self._script: list[Script] = []
        self._codes_made = 0
        self.add_account(MAIN, token="simulator")  # noqa: S106 - the way into a make-believe account

    # -- the world as it is set up ---------------------------------------------------------------------------

    def add_account(self, key: str, *, token: str) -> Account:
        """A new, connected account. Raises ValueError when the key or the token is in use."""
        if key in self._accounts or token in self._by_token:
            msg = f"there is an account {key!r} already, or one with this token"
            raise ValueError(msg)
        account = Account(key, token, connected=True, locks={})
        self._accounts[key] = self._by_token[token] = account
        return account

    def add_lock(
        self,
        ref: str,
        *,
        name: str | None = None,
        rules: str | RuleSet = "standard",
        account: str = MAIN,
        max_codes: int | None = None,
        zone: str | None = None,
        battery: float | None = 1.0,
    ) -> LockRef:
        """A new, empty lock with a ready-made rule set (its key) or, in process only, one's own.

        Raises ValueError for an unknown rule set or account, or a ref that is in use.
        """
        lock_ref, owner, rule_set = LockRef(ref), self._accounts.get(account), _rule_set(rules)
        if lock_ref in self._locks or owner is None:
            msg = f"there is a lock {ref!r} already" if owner else f"there is no account {account!r}"
            raise ValueError(msg)
        capabilities = rule_set.capabilities
        if max_codes is not None:
            capabilities = replace(capabilities, max_codes=max_codes)
        lock = SimulatedLock(lock_ref, name or ref, rule_set, capabilities, account, zone, battery)
        self._locks[lock_ref] = owner.locks[lock_ref] = lock
        return lock_ref

    def remove_lock(self, ref: LockRef) -> None:
        """The lock leaves its account."""
        lock = self._locks.pop(ref)
        del self._accounts[lock.account].locks[ref]

    def account_of(self, token: str) -> Account:
        """The account with this token; raises AccountRefused when there is none or it is disconnected."""
        account = self._by_token.get(token)
        if account is None or not account.connected:
            msg = "the lock app does not let this account in"
            raise AccountRefused(msg)
        return account

    def disconnect(self, account: str = MAIN) -> None:
        """Every call for the account is refused until it reconnects."""
        self._accounts[account].connected = False

    def reconnect(self, account: str = MAIN) -> None:
        """The account is let in again."""
        self._accounts[account].connected = True

    @property
    def locks(self) -> Mapping[LockRef, SimulatedLock]:
        """Every lock of every account."""
        return self._locks

    # -- faults ----------------------------------------------------------------------------------------------

    def script(self, lock: LockRef | None, *faults: Fault, on: Collection[Verb] | None = None) -> None:
        """The next calls on the lock (None: on anything) go wrong in this order, one fault for each call.

        A fault waits for a call on which it has a meaning, or for one of ``on``: a lost answer for the next write,
        a false "gone" for the next update or removal, a failure before doing anything for the next call of any kind.
        """
        verbs = frozenset(on) if on is not None else None
        queue = self._script if lock is None else self._locks[lock].script
        queue.extend(Script(fault, verbs or scripted_verbs(fault)) for fault in faults)

    def set_faults(self, faults: Faults | None, lock: LockRef | None = None) -> None:
        """How likely faults are on one lock (None: as everywhere) or, without a lock, everywhere (None: no faults)."""
        if lock is None:
            self.faults = faults or Faults()
        else:
            self._locks[lock].faults = faults

    def offline(self, lock: LockRef, until: datetime | None = None) -> None:
        """From now on the lock cannot be reached, until an instant or until :meth:`online`. Its door works on."""
        now = self.now()
        held = self._locks[lock]
        held.settle(now)
        held.outages.append(Outage(now, until))

    def online(self, lock: LockRef) -> None:
        """The lock can be reached again, whatever was said before."""
        now = self.now()
        held = self._locks[lock]
        held.outages = [Outage(since, now) for since, _ in held.outages]
        held.settle(now)

    def battery(self, lock: LockRef, level: float | None) -> None:
        """The battery stands at 0–1 (None: the lock does not tell)."""
        self._locks[lock].battery = level

    def shift_schedule(self, lock: LockRef, since: datetime, until: datetime, late: timedelta) -> None:
        """In ``[since, until)`` the lock opens and closes its windows late by this much (negative: early)."""
        self._locks[lock].shifts.append(Shift(since, until, late))

    # -- the door --------------------------------------------------------------------------------------------

    def opens(self, lock: LockRef, pin: str, at: datetime) -> bool:
        """Whether the door opens for these digits then, by what the lock physically holds. Changes nothing."""
        return self._locks[lock].opens(pin, at)

    def holds(self, lock: LockRef, at: datetime | None = None) -> tuple[HeldCode, ...]:
        """What is physically on the lock (now, or at an instant): what its lock app believes does not matter."""
        held, instant = self._locks[lock], at or self.now()
        on_lock = ((code, held.physical(code, instant)) for code in held.codes.values())
        return tuple(HeldCode(code.ref, on.pin, code.name, on.window, code.made_by) for code, on in on_lock if on)

    def rules_of(self, lock: LockRef) -> RuleSet:
        """The rule set of a lock."""
        return self._locks[lock].rules

    # -- by hand ---------------------------------------------------------------------------------------------

    def add_by_hand(self, lock: LockRef, name: str, pin: str, window: Window | None = None) -> CodeRef:
        """Somebody makes a code with the vendor's app, at once on the lock. Returns its ref.

        Raises PinTaken or LockFull as the lock would; its other rules do not bind a person.
        """
        held, now = self._settled(lock)
        check_room(held)
        check_free(held, pin, window)
        keeps = held.capabilities
        code = self._made(
            held, pin, name if keeps.keeps_names else None, window if keeps.keeps_windows else None, "hand"
        )
        self._after_hand(now, held, Verb.SET, code)
        return code.ref

    def edit_by_hand(
        self,
        lock: LockRef,
        ref: CodeRef,
        *,
        pin: str | None = None,
        name: str | None = None,
        window: Window | None = None,
    ) -> None:
        """Somebody changes a code with the vendor's app, at once on the lock; what is None stays.

        Raises CodeGone when there is no such code and PinTaken when another has the digits.
        """
        held, now = self._settled(lock)
        code = code_on(held, ref)
        check_free(held, pin or code.pin, window or code.window, code)
        keeps = held.capabilities
        held.rewrite(
            code,
            pin or code.pin,
            (name if keeps.keeps_names else None) or code.name,
            (window if keeps.keeps_windows else None) or code.window,
        )
        held.finish(code)
        self._after_hand(now, held, Verb.UPDATE, code)

    def delete_by_hand(self, lock: LockRef, ref: CodeRef) -> None:
        """Somebody deletes a code with the vendor's app, at once from the lock. Raises CodeGone."""
        held, now = self._settled(lock)
        code = code_on(held, ref)
        held.drop(code)
        self._after_hand(now, held, Verb.REMOVE, code)

    def fill(self, lock: LockRef, *, leave: int = 0) -> tuple[CodeRef, ...]:
        """Strangers' codes until only ``leave`` places are left. Returns their refs."""
        held, _ = self._settled(lock)
        room = held.capabilities.max_codes - len(held.codes) - leave
        return tuple(self.add_by_hand(lock, f"filler {i}", self.free_pin(lock)) for i in range(room))

    def free_pin(self, lock: LockRef) -> str:
        """Digits the lock would take now. Raises LockFull when none are found."""
        held = self._locks[lock]
        others = [code.pin for code in held.codes.values()]
        length = len(others[0]) if others else min(held.capabilities.pin_rules.lengths)
        for _ in range(10_000):
            pin = "".join(self.randomness.choice("0123456789") for _ in range(length))
            with suppress(ProviderError):
                check_pin(pin, held.capabilities.pin_rules, others)
                check_free(held, pin, None)
                return pin
        msg = "no digits are free on this lock"
        raise LockFull(msg)

    def _settled(self, lock: LockRef) -> tuple[SimulatedLock, datetime]:
        held, now = self._locks[lock], self.now()
        held.settle(now)
        return held, now

    def _after_hand(self, now: datetime, lock: SimulatedLock, verb: Verb, code: SimulatedCode) -> None:
        self._note(now, lock, verb, code, "hand")
        if self.on_change:
            self.on_change(lock.ref)

    def _note(self, now: datetime, lock: SimulatedLock, verb: Verb, code: SimulatedCode, by: Maker) -> None:
        self.journal.append(Entry(now, lock.ref, verb, code.ref, code.name, by, code.made_by))

    def _made(
        self,
        lock: SimulatedLock,
        pin: str,
        name: str | None,
        window: Window | None,
        by: Maker,
        *,
        on_lock: bool = True,
    ) -> SimulatedCode:
        code = SimulatedCode(self._next_ref(lock), pin, name, window, by, OnLock(pin, window) if on_lock else None)
        lock.put(code)
        return code

    def _next_ref(self, lock: SimulatedLock) -> CodeRef:
        if not lock.capabilities.keeps_windows:
            return next(slot for n in range(1, len(lock.codes) + 2) if (slot := CodeRef(str(n))) not in lock.codes)
        self._codes_made += 1
        return CodeRef(f"c{self._codes_made}")


def _rule_set(rules: str | RuleSet) -> RuleSet:
    if isinstance(rules, RuleSet):
        return rules
    if rules not in RULE_SETS:
        msg = f"there is no rule set {rules!r}; there are {', '.join(RULE_SETS)}"
        raise ValueError(msg)
    return RULE_SETS[rules]


def code_on(lock: SimulatedLock, ref: CodeRef) -> SimulatedCode:
    """The code with this ref; raises CodeGone."""
    code = lock.codes.get(ref)
    if code is None:
        msg = "the lock app has no such code"
        raise CodeGone(msg)
    return code


def check_room(lock: SimulatedLock) -> None:
    """Raise LockFull when the lock holds as many codes as it can."""
    if len(lock.codes) >= lock.capabilities.max_codes:
        msg = f"the lock holds {len(lock.codes)} codes already"
        raise LockFull(msg)


def check_free(lock: SimulatedLock, pin: str, window: Window | None, besides: SimulatedCode | None = None) -> None:
    """Raise PinTaken when another code on the lock has these digits (or, where it matters, the first four)."""
    if any(code is not besides and _collides(lock, code, window) for code in lock.sharers(pin)):
        msg = "another code on the lock has these digits"
        raise PinTaken(msg)
    if lock.capabilities.pin_rules.unique_first_four and any(
        code is not besides and code.pin[:4] == pin[:4] for code in lock.codes.values()
    ):
        msg = "another code on the lock begins with these four digits"
        raise PinTaken(msg)


def _collides(lock: SimulatedLock, code: SimulatedCode, window: Window | None) -> bool:
    if not lock.capabilities.holds_same_pin_apart or window is None or code.window is None:
        return True
    return code.window.overlaps(window)


def check_named(lock: SimulatedLock, name: str | None, besides: SimulatedCode | None = None) -> None:
    """Raise NameRefused or NameTaken when the lock app does not take the name; None is no name."""
    rules = lock.capabilities.name_rules
    if name is None:
        return
    check_name(name, rules)
    if rules.unique and any(code is not besides and code.name == name for code in lock.codes.values()):
        msg = "another code on the lock has this name"
        raise NameTaken(msg)
