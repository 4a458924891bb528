"""A lock in memory that carries plans out, and a desk that works it as the push workflow does.

The model is strict: it refuses what a real lock refuses, and asserts that nothing is asked which the planner must never
ask – to touch a stranger's code, to change what cannot be changed in place, to set more than there is room for.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from lockbridge.domain.book import rewish
from lockbridge.domain.code import CodeKind, CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeId, CodeRef, LockId, PlacementId
from lockbridge.domain.lock import Capabilities, Lock, NameRules, Readback, Rounding
from lockbridge.domain.observe import Observation, from_memory, observe
from lockbridge.domain.placement import Phase, Placement, PlacementState, Verb, spec_for
from lockbridge.domain.plan import Plan, closed, plan_lock
from lockbridge.domain.seen import CodeState, Kind, Receipt, Remedy, SeenCode, Trouble, Written
from lockbridge.domain.settle import (
    Choose,
    after_call,
    after_look,
    before_call,
    next_due,
    out_of_room,
    room_made,
    stopped,
)
from lockbridge.domain.stay import push_time, removal_time

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LOCK = LockId(1)

SYNC = Capabilities()
ASYNC = Capabilities(confirms=False)
MASKED = Capabilities(readback=Readback.MASKED)
FIXED = Capabilities(updates=frozenset())
WINDOW_ONLY = Capabilities(updates=frozenset({"window"}), rounding=Rounding.HOUR)
PIN_AND_WINDOW = Capabilities(updates=frozenset({"pin", "window"}))
UNIQUE_NAMES = Capabilities(updates=frozenset({"name", "window"}), name_rules=NameRules(unique=True))
APART = Capabilities(confirms=False, holds_same_pin_apart=True)
ALGORITHMIC = Capabilities(
    chooses_pin=True, can_remove=False, readback=Readback.NONE, updates=frozenset(), rounding=Rounding.HOUR
)
BLIND = Capabilities(readback=Readback.NONE)
SLOTS = Capabilities(
    keeps_windows=False,
    keeps_names=False,
    lead=timedelta(minutes=10),
    updates=frozenset({"pin"}),
    confirms=False,
)
FIXED_SLOTS = replace(SLOTS, updates=frozenset(), confirms=True)
MASKED_SLOTS = replace(SLOTS, readback=Readback.MASKED, keeps_names=True, updates=frozenset({"pin", "name"}))
ALL = {
    "sync": SYNC,
    "async": ASYNC,
    "masked": MASKED,
    "fixed": FIXED,
    "window only": WINDOW_ONLY,
    "pin and window": PIN_AND_WINDOW,
    "unique names": UNIQUE_NAMES,
    "apart": APART,
    "slots": SLOTS,
    "fixed slots": FIXED_SLOTS,
    "masked slots": MASKED_SLOTS,
    "algorithmic": ALGORITHMIC,
    "blind": BLIND,
}
READABLE = {key: value for key, value in ALL.items() if value.readback is not Readback.NONE}

OK = "ok"
LOST_DONE = "done, the answer lost"
LOST_UNDONE = "not done, the answer lost"
CRASH_DONE = "done, then the process died"
CRASH_UNDONE = "the process died before the call"
UNREACHABLE = Trouble(Kind.UNREACHABLE, Remedy.WAIT, "no answer")
REJECTED = Trouble(Kind.REJECTED, Remedy.REPLAN, "no")
UNKNOWN = Trouble(Kind.OUTCOME_UNKNOWN, Remedy.LOOK, "the answer was lost")


class Died(Exception):
    """The process that made the call is gone; the call may have been made."""


def placement(number=1, *, starts=-1.0, lasts=48.0, capabilities=SYNC, now=NOW, **changes):
    """A guest's placement whose window starts in ``starts`` hours."""
    window = changes.pop("window", None) or Window(now + starts * HOUR, now + (starts + lasts) * HOUR)
    made = Placement(
        id=PlacementId(number),
        code=CodeId(number),
        lock=LOCK,
        kind=CodeKind.GUEST,
        pin=None if capabilities.chooses_pin else Pin(f"{7000 + number}"),
        name=f"Guest {number}",
        window=window,
        push_at=push_time(window, capabilities.lead, now - 30 * DAY),
        remove_at=removal_time(window, keeps_windows=capabilities.keeps_windows),
        made_at=now - 30 * DAY,
    )
    return replace(made, **changes)


def backup(number=90, **changes):
    """A backup code nobody has."""
    window = Window(NOW - DAY, None)
    return placement(number, window=window, kind=CodeKind.BACKUP, push_at=NOW - DAY, **changes)


@dataclass
class Held:
    """A code on the model: what it opens with, and when it came, comes or goes."""

    pin: Pin
    name: str | None
    window: Window | None
    ours: bool
    ready_at: datetime
    gone_at: datetime | None = None


@dataclass
class ModelLock:
    """A lock and its lock app. ``delay`` is how long a write takes where it does not confirm."""

    capabilities: Capabilities = SYNC
    strangers: int = 0
    gives_refs: bool = True
    lists_pending: bool = True
    reuses_refs: bool = False
    forgets_expired: bool = False
    delay: timedelta = timedelta(seconds=20)
    codes: dict[CodeRef, Held] = field(default_factory=dict)
    script: list = field(default_factory=list)
    """How the next calls end: OK, LOST_…, CRASH_…, or a Trouble; then all is well."""
    calls: list = field(default_factory=list)
    on_call: object = None

    def __post_init__(self):
        self.numbers = count(1)
        for number in range(self.strangers):
            window = Window(NOW - 900 * DAY, None) if self.capabilities.keeps_windows else None
            name = f"Stranger {number}" if self.capabilities.keeps_names else None
            self.codes[self._ref()] = Held(Pin(f"{1000 + number}"), name, window, False, NOW - DAY)

    def _ref(self):
        if not self.reuses_refs:
            return CodeRef(f"c{next(self.numbers)}")
        return next(ref for number in count(1) if (ref := CodeRef(f"s{number}")) not in self.codes)

    def tick(self, now):
        """What time does: removals take effect, expired codes are forgotten where the app does so."""
        for ref, held in list(self.codes.items()):
            expired = self.forgets_expired and held.ours and held.window is not None and held.window.over(now)
            if expired or (held.gone_at is not None and held.gone_at <= now):
                del self.codes[ref]

    def seen(self, now):
        """Everything the lock app lists."""
        self.tick(now)
        return [
            SeenCode(
                ref,
                pin=held.pin if self.capabilities.readback is Readback.FULL else None,
                name=held.name,
                window=held.window,
                state=self._state(held, now),
            )
            for ref, held in self.codes.items()
            if self.lists_pending or held.ready_at <= now
        ]

    def _state(self, held, now):
        if held.gone_at is not None:
            return CodeState.REMOVING
        return CodeState.SET if held.ready_at <= now else CodeState.SETTING

    @property
    def ours(self):
        """Our codes, whatever lockbridge believes."""
        return {ref: held for ref, held in self.codes.items() if held.ours}

    def opens(self, pin, now):
        """Whether the digits open the door now."""
        return any(
            held.pin == pin and held.ready_at <= now and (held.window is None or held.window.holds(now))
            for held in self.codes.values()
        )

    def call(self, action, now):
        """Make a call as the script says."""
        self.tick(now)
        self.calls.append(action)
        how = self.script.pop(0) if self.script else OK
        if isinstance(how, Trouble):
            return how
        if how == CRASH_UNDONE:
            raise Died
        answer = self._done(action, now) if how in (OK, LOST_DONE, CRASH_DONE) else None
        if self.on_call:
            self.on_call(now)
        if how == CRASH_DONE:
            raise Died
        return answer if how == OK or isinstance(answer, Trouble) else UNKNOWN

    def _done(self, action, now):
        if action.verb is Verb.REMOVE:
            return self._remove(action.ref, now)
        assert action.spec is not None
        return self._update(action, now) if action.verb is Verb.UPDATE else self._set(action.spec, now)

    def _remove(self, ref, now):
        assert self.capabilities.can_remove
        if ref not in self.codes or self.codes[ref].gone_at:
            return Trouble(Kind.CODE_GONE, Remedy.LOOK, "no such code")
        assert self.codes[ref].ours, "a stranger's code was to be removed"
        if self.capabilities.confirms:
            del self.codes[ref]
            return Receipt.DONE
        self.codes[ref].gone_at = now + self.delay
        return Receipt.ACCEPTED

    def _set(self, spec, now):
        self._check_spec(spec)
        if trouble := self._in_the_way(spec, None):
            return trouble
        ref = self._ref()
        pin = spec.pin or Pin(f"{900000 + len(self.calls)}")
        self.codes[ref] = Held(pin, spec.name or None, spec.window, True, self._ready(now))
        chosen = pin if spec.pin is None else None
        return self._answer(ref if self.gives_refs else None, chosen)

    def _update(self, action, now):
        held = self.codes.get(action.ref)
        if held is None or held.gone_at:
            return Trouble(Kind.CODE_GONE, Remedy.LOOK, "no such code")
        assert held.ours, "a stranger's code was to be changed"
        spec, can = action.spec, self.capabilities.updates
        assert can, "this lock changes nothing in place"
        self._check_spec(spec)
        if trouble := self._in_the_way(spec, action.ref):
            return trouble
        assert "pin" in can or spec.pin == held.pin
        assert "window" in can or spec.window == held.window
        held.pin, held.window = spec.pin, spec.window
        if "name" in can:
            held.name = spec.name or None
        held.ready_at = self._ready(now)
        return self._answer(action.ref if self.gives_refs else None, None)

    def _check_spec(self, spec: CodeSpec):
        assert (spec.pin is None) == self.capabilities.chooses_pin
        assert self.capabilities.keeps_windows or spec.window is None
        assert self.capabilities.keeps_names or not spec.name

    def _in_the_way(self, spec, ref):
        others = [held for key, held in self.codes.items() if key != ref]
        if len(others) >= self.capabilities.max_codes:
            return Trouble(Kind.LOCK_FULL, Remedy.ASK, "full")
        if self.capabilities.name_rules.unique and any(held.name == spec.name for held in others):
            return Trouble(Kind.NAME_TAKEN, Remedy.REPLAN, "the name is taken")
        if any(held.pin == spec.pin and self._meet(held.window, spec.window) for held in others):
            return Trouble(Kind.PIN_TAKEN, Remedy.REPLAN, "the PIN is taken")
        return None

    def _meet(self, one, other):
        apart = self.capabilities.holds_same_pin_apart and one is not None and other is not None
        return not apart or one.overlaps(other)

    def _ready(self, now):
        return now if self.capabilities.confirms else now + self.delay

    def _answer(self, ref, pin):
        return Written(Receipt.DONE if self.capabilities.confirms else Receipt.ACCEPTED, ref, pin)


class RanInCircles(AssertionError):
    """The desk was told to come back at once again and again."""


class Desk:
    """Works one lock as the push workflow does; everything it knows between passes is in ``placements``."""

    def __init__(self, lock: ModelLock, placements=()):
        self.lock = lock
        self.placements = {one.id: one for one in placements}
        self.notes = []
        self.plans: list[Plan] = []
        self.fresh_pins = count(5000)

    def __getitem__(self, number) -> Placement:
        return self.placements[PlacementId(number)]

    @property
    def capabilities(self):
        return self.lock.capabilities

    def add(self, *more):
        self.placements.update({one.id: one for one in more})

    def wish(self, number, now, window=None, pin=None):
        """Booking changes its mind about one placement."""
        old = self[number]
        lock = Lock(LOCK, "Door", self.capabilities)
        window = window or old.window
        self.add(rewish(old, lock, window, window.starts, now, pin=pin or old.pin))

    def look(self, now) -> Observation:
        known = [one for one in self.placements.values() if one.live]
        if self.capabilities.readback is Readback.NONE:
            return from_memory(known, now)
        return observe(known, self.lock.seen(now))

    def one_pass(self, now, **options) -> Plan:
        """Look, settle, plan, write the intents, call, settle. A process that dies leaves the intents."""
        found = self.look(now)
        for one in list(self.placements.values()):
            self._settle(after_look(one, found, self.capabilities, now), now)
        plan = plan_lock(self.capabilities, list(self.placements.values()), found, now, **options)
        self.plans.append(plan)
        self._check(plan, found)
        if plan.refused:
            for one in list(self.placements.values()):
                self._settle(stopped(one, plan.refused, now), now)
        for key in plan.no_room:
            self._settle(out_of_room(self.placements[key]), now)
        self._carry_out(plan, now)
        return plan

    def _carry_out(self, plan, now):
        for action in plan.actions:
            self.add(before_call(self.placements[action.placement], action, now))
        for action in plan.actions:
            try:
                answer = self.lock.call(action, now)
            except Died:
                return
            before = self.placements[action.placement]
            self._settle(after_call(before, action, answer, self.capabilities, now), now)
            if action.verb is Verb.REMOVE and isinstance(answer, Receipt):
                self.add(*(room_made(one) for one in self.placements.values()))

    def _check(self, plan, found):
        strange = {code.ref for code in found.strangers}
        assert not strange & {action.ref for action in plan.actions}
        sets = sum(action.verb is Verb.SET for action in plan.actions)
        assert sets <= max(0, self.capabilities.max_codes - found.count)
        per_placement = Counter(action.placement for action in plan.actions)
        assert set(per_placement.values()) <= {1}
        assert all(self.placements[key].live and not self.placements[key].ended for key in plan.no_room)

    def _settle(self, step, now):
        self.notes += step.notes
        self.add(step.placement)
        if step.choose is Choose.PIN:
            self._choose_pin(step.placement)

    def _choose_pin(self, one):
        """As workflows.choose does: other digits, and again at once unless the day's attempts are used up."""
        if one.failures > 5:
            return
        state = PlacementState.MADE if one.asked is None else PlacementState.ASKED
        self.add(replace(one, pin=Pin(str(next(self.fresh_pins))), state=state, hold_until=None))

    def due(self, now):
        moments = [next_due(one, now) for one in self.placements.values()]
        return min((moment for moment in moments if moment is not None), default=None)

    def work(self, now, until=None, at_once=6):
        """Passes whenever one is due, up to ``until``; where nothing is due any more, time stands still there."""
        until = until or now
        standing = idle = 0
        while True:
            plan = self.rounds(now)
            due = self.due(now)
            standing = 0 if due is None or due > now else standing + 1
            idle = idle + 1 if standing and not plan.actions else 0
            if standing > at_once or idle > 1:
                raise RanInCircles([one for one in self.placements.values() if next_due(one, now) == due])
            if due is None or due > until:
                return now
            now = max(now, due)

    def rest(self, now, hours=30):
        """Work for some hours, and on until nothing is about to be confirmed or to go."""
        now = self.work(now, now + hours * HOUR)
        while (due := self.due(now)) is not None and due <= now + HOUR / 2:
            now = self.work(due)
        return now

    def rounds(self, now):
        """A removal may have made room: then another look and plan, as in one pass of the workflow."""
        for _ in range(3):
            plan = self.one_pass(now)
            if all(action.verb is not Verb.REMOVE for action in plan.actions):
                break
        return plan

    def wanted(self, now):
        """The placements that must be on the lock now."""
        return {
            key: one
            for key, one in self.placements.items()
            if one.live and one.phase(now) is Phase.DUE and not closed(one, now)
        }

    def assert_at_rest(self, now):
        """The lock holds what is wanted, and of ours nothing else but what may stay; strangers are untouched."""
        assert not self.one_pass(now).actions
        assert sum(1 for held in self.lock.codes.values() if not held.ours) == self.lock.strangers
        left = dict(self.lock.ours)
        for one in self.placements.values():
            held = left.pop(one.ref, None) if one.ref is not None else None
            if one.id in self.wanted(now):
                assert one.confirmed, one
                assert held is not None, one
                assert self.holds_as_wanted(one, held), (one, held)
            elif held is not None and held.gone_at is None:
                assert one.phase(now) is not Phase.OVER or not self.capabilities.can_remove, one
        assert not left or not self.capabilities.can_remove, f"leaked: {left}"

    def holds_as_wanted(self, one, held):
        spec = spec_for(one, self.capabilities)
        updates = self.capabilities.updates
        named = "name" not in updates or (held.name or "") == spec.name
        timed = held.window == spec.window or (one.kind is CodeKind.BACKUP and "window" not in updates)
        return held.pin == one.pin and named and timed
