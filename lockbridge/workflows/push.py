"""Look, plan, push, record – for one lock at a time, many locks side by side (R17–R22, R26, R31–R33).

The lock is the unit of work: who holds its lease looks at it, compares what is wanted with what is seen, writes the
intent down, calls the lock app, and writes down what came of it. A pass that is cut off anywhere is simply done again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from secrets import token_hex
from time import monotonic
from typing import TypeAlias

from sqlalchemy import Connection

from lockbridge.contract import LockStatus, Provider, ProviderError
from lockbridge.domain.health import first_watch
from lockbridge.domain.ids import LockId, PlacementId
from lockbridge.domain.lock import Readback
from lockbridge.domain.observe import Observation, from_memory, observe
from lockbridge.domain.placement import Placement, Verb
from lockbridge.domain.plan import Action, Plan, plan_lock
from lockbridge.domain.retry import wait_for
from lockbridge.domain.seen import Kind, Receipt, Remedy, Trouble, Written
from lockbridge.domain.settle import (
    Choose,
    Note,
    NoteKind,
    Settled,
    after_call,
    after_look,
    before_call,
    left_behind,
    next_due,
    out_of_room,
    room_made,
    stopped,
)
from lockbridge.storage import hosts, locks
from lockbridge.storage.hosts import LockAppRow
from lockbridge.storage.journal import Entry
from lockbridge.storage.locks import Intents, LockWork, Look, Pass, strangers_digest
from lockbridge.workflows import choose, notify, trouble
from lockbridge.workflows.ports import Policy, Tools, transact
from lockbridge.workflows.trouble import Found

CLAIMED_TOGETHER = 8
"""How many locks are leased and loaded in one go."""
ROUNDS = 3
"""How often one pass plans anew after carrying a plan out: a removal makes room, a replacement is completed."""
REMARKABLE = frozenset({NoteKind.VANISHED, NoteKind.CHANGED_BY_HAND, NoteKind.CANNOT_TAKE_BACK})
"""What the host hears of each time that it happens."""
SOON = timedelta(seconds=5)
"""The soonest a lock is attended to again: nothing runs in circles."""
DAY = timedelta(hours=24)
STOPPING = frozenset(
    {Kind.RATE_LIMITED, Kind.LOCK_OFFLINE, Kind.UNREACHABLE, Kind.ACCOUNT_REFUSED, Kind.LOCK_NOT_FOUND}
)
"""After these the rest of a plan would meet the same fate."""

Heard: TypeAlias = Callable[[int, int], Awaitable[None]]
"""Told before each call of a plan how many of how many are made: for somebody who watches."""


async def nobody(_done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(slots=True)
class Tally:
    """What a pass did to a lock, for resync's report (R32)."""

    pushed: int = 0
    kept: int = 0
    corrected: int = 0
    removed: int = 0
    failed: int = 0
    unread: str | None = None
    """Why the lock could not be looked at."""


@dataclass(frozen=True, slots=True)
class Attendance:
    """A leased lock, its account, and until when the lease holds."""

    work: LockWork
    app: LockAppRow
    until: datetime
    stop_at: float
    """When to make no more calls, on the monotonic clock: well before another process may take over."""
    reset: bool = False
    """Try everything now, whatever was to be waited for (health check, resync)."""
    heard: Heard = nobody

    @property
    def in_time(self) -> bool:
        """Whether another call may be begun."""
        return monotonic() < self.stop_at

    @property
    def size(self) -> int:
        """How many codes are wanted or known on the lock."""
        return len(self.work.placements)


async def push_due(tools: Tools, now: datetime) -> int:
    """Attend to every lock that is due; a process that is stopping takes no more in hand. How many passes it made."""
    running: dict[asyncio.Task[Tally], int] = {}
    passes, more = 0, True
    while True:
        while more and not tools.stopping.is_set() and _has_room(tools.policy, running):
            wanted = min(tools.policy.locks_at_once, CLAIMED_TOGETHER)
            claimed = await claim(tools, now, wanted)
            more = len(claimed) == wanted
            running |= {asyncio.create_task(_attend_safely(tools, each, now)): each.size for each in claimed}
        if not running:
            return passes
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        running = {task: size for task, size in running.items() if task not in done}
        passes += len(done)


def _has_room(policy: Policy, running: Mapping[asyncio.Task[Tally], int]) -> bool:
    """Whether more locks may be taken in hand: neither too many, nor with too many codes on them to hold in memory."""
    return len(running) < policy.locks_at_once and sum(running.values()) < policy.codes_at_once


async def attend_to(
    tools: Tools, ids: Collection[LockId], now: datetime, *, heard: Heard = nobody
) -> dict[LockId, Tally]:
    """Attend to these locks now, whatever they were waiting for. Locks somebody else attends to are left out."""
    tallies: dict[LockId, Tally] = {}
    left = sorted(ids)
    while left:
        some, left = left[:CLAIMED_TOGETHER], left[CLAIMED_TOGETHER:]
        claimed = [replace(each, heard=heard) for each in await claim(tools, now, len(some), only=some)]
        done = await asyncio.gather(*(_attend_safely(tools, attendance, now) for attendance in claimed))
        tallies |= {attendance.work.lock.id: tally for attendance, tally in zip(claimed, done, strict=True)}
    return tallies


async def claim(tools: Tools, now: datetime, limit: int, *, only: Collection[LockId] | None = None) -> list[Attendance]:
    """Lease locks and load what is wanted on them."""
    lease, until = token_hex(8), now + tools.policy.lease
    stop_at = monotonic() + tools.policy.lease.total_seconds() / 2
    ids = await transact(tools, lambda c: locks.claim_locks(c, now, until, lease, limit, only))
    if not ids:
        return []
    attendances = await tools.database.ask(_load, tools, ids, lease, until, stop_at)
    return [replace(attendance, reset=only is not None) for attendance in attendances]


def _load(
    connection: Connection, tools: Tools, ids: Sequence[LockId], lease: str, until: datetime, stop_at: float
) -> list[Attendance]:
    work = locks.load_work(connection, tools.vault, ids, lease)
    apps = hosts.lock_apps(connection, tools.vault, {item.lock.app for item in work})
    return [Attendance(item, apps[item.lock.app], until, stop_at) for item in work]


async def _attend_safely(tools: Tools, attendance: Attendance, now: datetime) -> Tally:
    """One pass; whatever goes wrong in it stays with this lock, which becomes due again when the lease ends."""
    try:
        return await _PassOver(tools, attendance, now).run()
    except Exception as error:  # noqa: BLE001 - the edge of a tick: one lock's bug must not stop the others
        lock = attendance.work.lock.id
        broke = {"lock": lock, "kind": type(error).__name__, "place": place_of(error)}
        tools.log.error("a pass over a lock broke off", **broke)  # noqa: TRY400 - a traceback's message may hold digits
        return Tally(unread=f"the pass broke off ({type(error).__name__})")


def place_of(error: BaseException) -> str:
    """Where an error was raised, without values: its message or a local variable may hold digits."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else ""


@dataclass(slots=True)
class _PassOver:
    """One pass over one lock."""

    tools: Tools
    attendance: Attendance
    now: datetime
    placements: dict[PlacementId, Placement] = field(default_factory=dict)
    history: list[Entry] = field(default_factory=list)
    intended: set[PlacementId] = field(default_factory=set)
    """Placements whose intent stands in the database: what came of each is recorded, be it that it was not asked."""
    chosen_pins: set[PlacementId] = field(default_factory=set)
    to_choose: dict[PlacementId, Choose] = field(default_factory=dict)
    remarkable: list[tuple[Placement, Note]] = field(default_factory=list)
    observation: Observation | None = None
    status: LockStatus | None = None
    trouble: Trouble | None = None
    refused: str | None = None
    full: bool = False
    tally: Tally = field(default_factory=Tally)

    @property
    def _work(self) -> LockWork:
        return self.attendance.work

    async def run(self) -> Tally:
        self.placements = {placement.id: self._fresh(placement) for placement in self._work.placements}
        try:
            provider = self.tools.accounts.provider(self.attendance.app)
            await self._attend(provider)
        except ProviderError as error:
            self.trouble = error.trouble
            self.tally.unread = str(error)
        await self._record()
        return self.tally

    def _fresh(self, placement: Placement) -> Placement:
        return replace(placement, hold_until=None) if self.attendance.reset else placement

    async def _attend(self, provider: Provider) -> None:
        for number in range(ROUNDS):
            await self._look(provider, first=number == 0)
            plan = self._plan()
            if not plan.actions or not await self._carry_out(provider, plan):
                return

    async def _look(self, provider: Provider, *, first: bool) -> None:
        """What the lock holds. Raises ProviderError when it could not be looked at: then nothing is planned."""
        lock = self._work.lock
        if lock.capabilities.readback is Readback.NONE:
            self.observation = from_memory(list(self.placements.values()), self.now)
        else:
            async with self.tools.accounts.gate(self.attendance.app):
                seen = await provider.list_codes(lock.ref)
            self.observation = observe(list(self.placements.values()), seen)
        suspect = self.attendance.reset or lock.offline_since is not None
        if first and (suspect or lock.look_at is None or lock.look_at <= self.now):
            async with self.tools.accounts.gate(self.attendance.app):
                self.status = await provider.check_lock(lock.ref)
        for placement in list(self.placements.values()):
            if placement.live:
                self._settle(after_look(placement, self.observation, lock.capabilities, self.now))

    def _plan(self) -> Plan:
        lock = self._work.lock
        placements = list(self.placements.values())
        limit = self.tools.policy.max_removals
        plan = plan_lock(lock.capabilities, placements, self.observation, self.now, max_removals=limit)
        self.refused, self.full = plan.refused, bool(plan.no_room)
        for key in plan.no_room:
            self._settle(out_of_room(self.placements[key]))
        if plan.refused:
            for placement in placements:
                self._settle(stopped(placement, f"nothing was done: {plan.refused}", self.now))
        return plan

    async def _carry_out(self, provider: Provider, plan: Plan) -> bool:
        """Make the calls, their intents written first. True when another look may find more to do."""
        untouched = dict(self.placements)
        capabilities = self._work.lock.capabilities
        left = [left_behind(untouched[each.placement], each, capabilities, self.now) for each in plan.actions]
        for action in plan.actions:
            self.placements[action.placement] = before_call(self.placements[action.placement], action, self.now)
        asked = tuple({action.placement: self.placements[action.placement] for action in plan.actions}.values())
        intents = Intents(self._work.lock.id, self._work.lease, asked)
        if not await self.tools.commit.write(self.tools.steps.intents, intents):
            self.placements = untouched
            return False
        self.intended.update(placement.id for placement in asked)
        for number, action in enumerate(plan.actions):
            await self.attendance.heard(number, len(plan.actions))
            answer = await self._call(provider, action)
            if answer is None:
                self._not_asked(plan.actions[number:], untouched)
                return False
            self._take(action, answer)
            for note in left[number]:
                self._remark(self.placements[action.placement], note)
            if isinstance(answer, Trouble) and answer.kind in STOPPING:
                self._not_asked(plan.actions[number + 1 :], untouched)
                return False
        return any(action.verb is Verb.REMOVE for action in plan.actions)

    def _not_asked(self, left: Sequence[Action], untouched: Mapping[PlacementId, Placement]) -> None:
        """These calls are not made: their intents are taken back when the pass is recorded."""
        for action in left:
            self.placements[action.placement] = untouched[action.placement]

    async def _call(self, provider: Provider, action: Action) -> Written | Receipt | Trouble | None:
        """The answer to one call; None when there was no time left to make it."""
        lock = self._work.lock.ref
        async with self.tools.accounts.gate(self.attendance.app):
            if not self.attendance.in_time:
                return None
            try:
                if action.verb is Verb.REMOVE:
                    assert action.ref is not None  # noqa: S101 - the planner removes only what it saw
                    return await provider.remove_code(lock, action.ref)
                assert action.spec is not None  # noqa: S101 - the planner says what to set
                if action.verb is Verb.UPDATE and action.ref is not None:
                    return await provider.update_code(lock, action.ref, action.spec)
                return await provider.set_code(lock, action.spec)
            except ProviderError as error:
                return error.trouble

    def _take(self, action: Action, answer: Written | Receipt | Trouble) -> None:
        placement = self.placements[action.placement]
        if not _same_again(placement, answer):
            self._note(placement, Note(_ASKED[action.verb], action.why))
        if isinstance(answer, Trouble):
            self.trouble = answer
            self.tally.failed += 1
        else:
            self._count(action)
        settled = after_call(placement, action, answer, self._work.lock.capabilities, self.now)
        self._settle(replace(settled, notes=()) if _same_again(placement, answer) else settled)
        if action.verb is Verb.REMOVE and isinstance(answer, Receipt):
            self.placements = {key: room_made(other) for key, other in self.placements.items()}

    def _count(self, action: Action) -> None:
        self.tally.pushed += action.verb is Verb.SET
        self.tally.corrected += action.verb is Verb.UPDATE
        self.tally.removed += action.verb is Verb.REMOVE

    def _settle(self, settled: Settled) -> None:
        self.placements[settled.placement.id] = settled.placement
        for note in settled.notes:
            self._remark(settled.placement, note)
            if note.kind is NoteKind.PIN_CHOSEN:
                self.chosen_pins.add(settled.placement.id)
        if settled.choose is not None:
            self.to_choose[settled.placement.id] = settled.choose

    def _remark(self, placement: Placement, note: Note) -> None:
        self._note(placement, note)
        if note.kind in REMARKABLE:
            self.remarkable.append((placement, note))

    def _note(self, placement: Placement, note: Note) -> None:
        host, lock = self._work.lock.host, self._work.lock.id
        self.history.append(Entry(self.now, host, note.kind.value, note.why, code=placement.code, lock=lock))

    # ------------------------------------------------------------------------------------------------------- record

    async def _record(self) -> None:
        """Write down what came of it; together with what others must hear of, where there is such a thing."""
        outcome, found = self._outcome(), self._found()
        if self.to_choose or self.chosen_pins or found.notable:
            await transact(self.tools, lambda c: self._record_all(c, outcome, found))
        else:
            await self.tools.commit.write(self.tools.steps.passes, outcome)

    def _record_all(self, connection: Connection, outcome: Pass, found: Found) -> None:
        """In one transaction, so that nothing is told twice or never; a bug in the telling keeps what was done."""
        if not all(locks.save_passes(connection, self.tools.vault, [outcome])):
            return
        try:
            with connection.begin_nested():
                self._follow_up(connection, found)
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            broke = {"lock": outcome.lock, "kind": type(error).__name__, "place": place_of(error)}
            self.tools.log.error("what a pass found could not be told", **broke)  # noqa: TRY400 - as above

    def _outcome(self) -> Pass:
        before = {placement.id: placement for placement in self._work.placements}
        changed = tuple(
            placement for key, placement in self.placements.items() if key in self.intended or placement != before[key]
        )
        confirmed = {placement.code for placement in changed if placement.confirmed}
        self.tally.kept = sum(1 for placement in self.placements.values() if placement.confirmed) - self.tally.pushed
        lock_waits, hold = self._lock_hold()
        return Pass(
            lock=self._work.lock.id,
            host=self._work.lock.host,
            lease=self._work.lease,
            claimed_until=self.attendance.until,
            placements=changed,
            wishes=self._work.wishes,
            next_at=self._next_at(hold),
            waits=lock_waits,
            hold_until=hold,
            look=self._remembered_look(),
            pins=frozenset(self.chosen_pins),
            confirmed=frozenset(confirmed),
            watches=self._watches(before),
            history=tuple(self.history),
            gone=frozenset(placement.code for placement in changed if not placement.live),
            at=self.now,
        )

    def _lock_hold(self) -> tuple[int, datetime | None]:
        """A lock that could not be looked at is left alone for a while, longer each time (R22)."""
        if self.observation is not None or self.trouble is None:
            return 0, None
        waits = self._work.lock.waits
        return waits + 1, self.now + wait_for(waits, self.trouble.retry_after)

    def _next_at(self, hold: datetime | None) -> datetime | None:
        if self.trouble is not None and self.trouble.kind is Kind.LOCK_NOT_FOUND:
            return None
        moments = [next_due(placement, self.now) for placement in self.placements.values()]
        if self.status is not None and not self.status.online:
            moments.append(self.now + self.tools.policy.offline_alarm_after)
        due = min(moment for moment in (*moments, self._look_again_at()) if moment is not None)
        return max(due, hold or due, self.now + SOON)

    def _look_again_at(self) -> datetime:
        """Every lock is looked at in full once a day, each at its own time (R46)."""
        look_at = self._work.lock.look_at
        if self.observation is None and look_at is not None:
            return look_at
        if look_at is None or look_at <= self.now:
            return next_nightly_look(self._work.lock.id, self.now)
        return look_at

    def _remembered_look(self) -> Look | None:
        if self.observation is None or self._work.lock.capabilities.readback is Readback.NONE:
            return None
        digest = strangers_digest(self.observation)
        changed = digest != self._work.lock.seen_digest
        return Look(self.observation, self.now, self._look_again_at(), digest, changed)

    def _watches(self, before: Mapping[PlacementId, Placement]) -> dict[PlacementId, datetime | None]:
        """A code that was lost while its guest may be at the door is judged again soon (R24)."""
        lost = (
            placement
            for key, placement in self.placements.items()
            if before[key].confirmed and not placement.confirmed and placement.live and placement.ended is None
        )
        return {p.id: first_watch(p.window, p.window.starts, self.now) for p in lost if p.watch_at is None}

    def _follow_up(self, connection: Connection, found: Found) -> None:
        """What a pass has brought to light and others must hear of."""
        if self.to_choose:
            chosen = {self.placements[key]: what for key, what in self.to_choose.items()}
            choose.anew(connection, self.tools, chosen, self.now)
        if self.chosen_pins:
            notify.correct_all(connection, self.tools, self.chosen_pins, self.now)
        if found.notable:
            trouble.report(connection, self.tools, found, self.now)

    def _found(self) -> Found:
        return Found(
            lock=self._work.lock,
            app=self.attendance.app,
            trouble=self.trouble,
            unread=self.observation is None,
            status=self.status,
            refused=self.refused,
            full=self.full,
            ours=sum(1 for placement in self.placements.values() if placement.ref is not None),
            held=self.observation.count if self.observation else self._work.lock.seen_count,
            remarkable=tuple(self.remarkable),
        )


def _same_again(placement: Placement, answer: Written | Receipt | Trouble) -> bool:
    """Whether a lock still gives the answer it gave before: an outage is told once, not every quarter of an hour."""
    if not isinstance(answer, Trouble) or answer.remedy is not Remedy.WAIT:
        return False
    return placement.waits > 0 and placement.reason == answer.kind.value


_ASKED = {
    Verb.SET: NoteKind.ASKED_TO_SET,
    Verb.UPDATE: NoteKind.ASKED_TO_UPDATE,
    Verb.REMOVE: NoteKind.ASKED_TO_REMOVE,
}


def next_nightly_look(lock: LockId, now: datetime) -> datetime:
    """The next full look at a lock: once a day, spread over the night hours of UTC-5 by the lock's number (R46)."""
    midnight = now.replace(hour=5, minute=0, second=0, microsecond=0)
    moment = midnight + timedelta(seconds=(lock * 7919) % (5 * 3600))
    return moment if moment > now else moment + DAY
