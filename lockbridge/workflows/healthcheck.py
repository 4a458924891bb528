"""Looking after arrivals: the daily check at 8:00 America/New_York, and each arrival's own looks (R23, R24, R43)."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from lockbridge.domain.backup import pick
from lockbridge.domain.health import HORIZON, Check, Verdict, concerns_daily_check, next_watch, verdict, which
from lockbridge.domain.ids import HostId, LockId, PlacementId
from lockbridge.domain.messages import HostAlarm
from lockbridge.domain.retry import healthcheck_slot
from lockbridge.domain.settings import CodeSettings
from lockbridge.storage import codes, hosts, journal, locks, stays
from lockbridge.storage.codes import Placed
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.journal import AlarmRow
from lockbridge.storage.locks import LockRow
from lockbridge.storage.stays import StayRow
from lockbridge.workflows import alarms, backup, push
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.trouble import arrival_line

RUN = "healthcheck"
PAGE = 1000
STUCK = timedelta(hours=1)
"""A run that was taken this long ago and is not done was left by a process that died."""
AT_ONCE = 200
SOME = 20
"""After how many codes a check that somebody watches says how far it has come."""
MOST_OF_A_HOST = 5000
WAIT_FOR_A_PASS = timedelta(minutes=5)
"""How long the judgement of an arrival waits for a pass over its lock that is under way."""


@dataclass(slots=True)
class Report:
    """What a check came to."""

    looked_at: int = 0
    already_fine: int = 0
    attempted: int = 0
    backups_given: int = 0
    hosts_told: int = 0
    by_host: "dict[HostId, Report]" = field(default_factory=dict)
    """The same for each host of which something was looked at."""

    def add(self, done: Verdict) -> None:
        """Count one verdict in."""
        self.looked_at += 1
        self.already_fine += done is Verdict.FINE
        self.backups_given += done is Verdict.GIVE_BACKUP
        self.hosts_told += done is Verdict.TELL_HOST

    def add_of(self, host: HostId, done: Verdict) -> None:
        """Count one verdict in, and to its host."""
        self.add(done)
        mine = self.by_host.setdefault(host, Report())
        mine.add(done)
        mine.attempted += 1

    def as_dict(self) -> dict[str, int]:
        """For the run ledger and for programs."""
        return {
            "looked_at": self.looked_at,
            "now_set": self.already_fine,
            "attempted": self.attempted,
            "backups_given": self.backups_given,
            "hosts_told": self.hosts_told,
        }


async def daily_if_due(tools: Tools, now: datetime) -> Report | None:
    """Run the 8:00 check unless some process has run this one; one that was missed is made up. None: nothing to do.

    Each time, alarms about codes that are on their locks by now are ended.
    """
    await end_settled(tools, now)
    slot = healthcheck_slot(now)
    if await tools.database.ask(journal.is_done, RUN, slot) or not await transact(tools, lambda c: _take(c, slot, now)):
        return None
    report = await check_all(tools, now)
    await transact(tools, lambda c: _finish(c, slot, report, now))
    tools.log.info("health check done", **report.as_dict())
    return report


def _take(connection: Connection, slot: datetime, now: datetime) -> bool:
    return journal.take_run(connection, RUN, slot, now) or journal.take_over_run(
        connection, RUN, slot, now - STUCK, now
    )


def _finish(connection: Connection, slot: datetime, report: Report, now: datetime) -> None:
    journal.finish_run(connection, RUN, slot, now, report.as_dict())
    for host, mine in report.by_host.items():
        _note_for(connection, host, slot, mine, now)


def _note_for(connection: Connection, host: HostId, slot: datetime, report: Report, now: datetime) -> None:
    """Keep what a check came to for one host, so that it can be shown to them."""
    journal.take_run(connection, run_of(host), slot, now)
    journal.finish_run(connection, run_of(host), slot, now, report.as_dict())


def run_of(host: HostId) -> str:
    """Under which the ledger keeps what checks came to for one host; a check that had nothing to do leaves nothing."""
    return f"{RUN}:{host}"


async def end_settled(tools: Tools, now: datetime) -> int:
    """End the alarms about codes that were not on their locks and are now, or need not be any more. How many."""
    settled = await tools.database.ask(_settled, tools, now)
    if settled:
        await transact(tools, lambda c: _end(c, settled, now))
    return len(settled)


@dataclass(frozen=True, slots=True)
class _Settled:
    """An open alarm whose code needs nothing more; ``works``: it is on the lock."""

    alarm: AlarmRow
    about: str
    works: bool


def _settled(connection: Connection, tools: Tools, now: datetime) -> list[_Settled]:
    wrong = [
        (alarm, alarm.key.partition(":")[2]) for alarm in journal.open_alarms_of(connection, HostAlarm.PUSH_FAILED)
    ]
    ids = [PlacementId(int(about.split("-")[1])) for _, about in wrong]
    placements = {item.placement.id: item.placement for item in codes.placements_by_id(connection, tools.vault, ids)}
    settled = []
    for (alarm, about), key in zip(wrong, ids, strict=True):
        placement = placements.get(key)
        needed = placement is not None and placement.live and placement.ended is None
        works = placement is not None and placement.confirmed
        if placement is None or not needed or works or placement.window.over(now):
            settled.append(_Settled(alarm, about, needed and works))
    return settled


def _end(connection: Connection, settled: Sequence[_Settled], now: datetime) -> None:
    """The host hears of each code that works now, once, however many checks had found it missing."""
    told: set[tuple[HostId, str]] = set()
    for each in settled:
        code = (each.alarm.host, each.about.rpartition("-")[0])
        over = HostAlarm.CODE_SET if each.works and code not in told else None
        told.add(code)
        alarms.end(
            connection, each.alarm.host, HostAlarm.PUSH_FAILED, each.about, now, over=over, facts=each.alarm.facts
        )


async def check_all(tools: Tools, now: datetime) -> Report:
    """Every code that is open or opens within 24 h, is due and not confirmed: attempt it; else backup or host (R23)."""
    report = Report()
    after = (datetime.fromtimestamp(0, tz=UTC), 0)
    while page := await tools.database.ask(codes.unset_before, now + HORIZON, now, after, PAGE):
        after = (page[-1].opens_at, page[-1].placement)
        await _attend_and_judge(tools, {item.placement: item.lock for item in page}, Check.DAILY, report, now)
    return report


async def check_host(
    tools: Tools, host: HostId, now: datetime, progress: Callable[[int, int], Awaitable[None]]
) -> Report:
    """The daily check for one host, now; ``progress`` hears how many codes of how many were looked after."""
    found = await tools.database.ask(_unset_of, host, now)
    report = Report()
    for start in range(0, len(found), SOME):
        await progress(start, len(found))
        items = {item.placement: item.lock for item in found[start : start + SOME]}
        await _attend_and_judge(tools, items, Check.DAILY, report, now)
    await end_settled(tools, now)
    await transact(tools, lambda c: _note_for(c, host, now, report, now))
    return report


def _unset_of(connection: Connection, host: HostId, now: datetime) -> list[codes.Unset]:
    after = (datetime.fromtimestamp(0, tz=UTC), 0)
    return codes.unset_before(connection, now + HORIZON, now, after, MOST_OF_A_HOST, host=host)


async def watch_due(tools: Tools, now: datetime) -> Report:
    """Look at the arrivals whose own look is due: 24 h and 3 h before, and when the window opens (R24, R43)."""
    report = Report()
    due = await tools.database.ask(_due_watches, tools, now)
    by_check: dict[Check, dict[PlacementId, LockId]] = defaultdict(dict)
    for item in due:
        by_check[which(item.placement, now)][item.placement.id] = item.placement.lock
    for check, items in by_check.items():
        await _attend_and_judge(tools, items, check, report, now)
    if due:
        await transact(tools, lambda c: _watch_next(c, tools, [item.placement.id for item in due], now))
    return report


def _due_watches(connection: Connection, tools: Tools, now: datetime) -> list[Placed]:
    """The arrivals to be judged now; those on a lock that is being worked on are left a moment for that."""
    due = codes.due_watches(connection, tools.vault, now, AT_ONCE)
    busy = locks.leased_at(connection, {item.placement.lock for item in due}, now)
    return [item for item in due if item.placement.lock not in busy or _has_waited(item, now)]


def _has_waited(item: Placed, now: datetime) -> bool:
    return item.placement.watch_at is not None and item.placement.watch_at <= now - WAIT_FOR_A_PASS


def _watch_next(connection: Connection, tools: Tools, ids: Sequence[PlacementId], now: datetime) -> None:
    """When these arrivals are looked at next; one that was planned anew meanwhile keeps its new time."""
    fresh = codes.placements_by_id(connection, tools.vault, ids)
    done = {p.id for p in (item.placement for item in fresh) if p.watch_at is not None and p.watch_at <= now}
    opens = {case.item.placement.id: _opens(case) for case in _cases(connection, tools, list(done))}
    watches = dict.fromkeys(done) | {
        item.placement.id: next_watch(item.placement.window, opens[item.placement.id], now)
        for item in fresh
        if item.placement.id in opens and item.placement.id in done and not item.placement.window.over(now)
    }
    codes.set_watches(connection, watches)


def _opens(case: "_Case") -> datetime:
    """When the final check looks: as the window opens, or at check-in where the host says so (R24)."""
    starts = case.item.placement.window.starts
    return starts if case.settings.final_check_includes_buffer else starts + case.settings.buffers.before


async def _attend_and_judge(
    tools: Tools, items: Mapping[PlacementId, LockId], check: Check, report: Report, now: datetime
) -> None:
    if not items:
        return
    report.attempted += len(items)
    await push.attend_to(tools, set(items.values()), now)
    for host, done in await transact(tools, lambda c: _judge(c, tools, list(items), check, now)):
        report.add_of(host, done)


@dataclass(frozen=True, slots=True)
class _Case:
    """One code on one lock, with whom and what it concerns."""

    item: Placed
    lock: LockRow
    stay: StayRow
    place: PropertyRow
    settings: CodeSettings


def _judge(
    connection: Connection, tools: Tools, ids: Sequence[PlacementId], check: Check, now: datetime
) -> list[tuple[HostId, Verdict]]:
    verdicts = []
    at_risk: dict[HostId, list[_Case]] = defaultdict(list)
    for case in _cases(connection, tools, ids):
        done = _verdict(connection, tools, case, check, now)
        verdicts.append((case.item.host, done))
        if done is Verdict.GIVE_BACKUP:
            why = f"the code was not on the lock ({case.item.placement.detail or 'not confirmed'})"
            backup.give(connection, tools, case.stay, case.lock, case.item.placement.window, now, why=why)
        elif done is Verdict.TELL_HOST and check is Check.SOON:
            at_risk[case.item.host].append(case)
        elif done is Verdict.TELL_HOST:
            _tell_failed(connection, case, check, now)
    for host, cases in at_risk.items():
        _tell_at_risk(connection, host, cases, now)
    return verdicts


def _verdict(connection: Connection, tools: Tools, case: _Case, check: Check, now: datetime) -> Verdict:
    placement = case.item.placement
    if placement.confirmed or (check is Check.DAILY and not concerns_daily_check(placement, now)):
        return Verdict.FINE
    pool = codes.backups_on(connection, tools.vault, case.lock.id)
    chosen = pick(pool, case.stay.id)
    if chosen is not None and chosen.given_to == case.stay.id:
        return Verdict.FINE
    return verdict(check, placement, backups_on=case.settings.backups, backup_ready=chosen is not None)


def _cases(connection: Connection, tools: Tools, ids: Sequence[PlacementId]) -> Iterable[_Case]:
    items = [item for item in codes.placements_by_id(connection, tools.vault, ids) if item.placement.live]
    owners = codes.stays_of_codes(connection, {item.placement.code for item in items})
    rows = stays.by_ids(connection, tools.vault, set(owners.values()))
    lock_rows = locks.by_ids(connection, {item.placement.lock for item in items})
    places = hosts.properties(connection, {row.property for row in rows.values() if row.property is not None})
    defaults = hosts.host_settings(connection, {item.host for item in items})
    for item in items:
        stay = rows.get(owners[item.placement.code]) if item.placement.code in owners else None
        if stay is None or stay.property is None:
            continue
        place = places[stay.property]
        settings = tools.policy.codes.with_overrides(defaults[item.host]).with_overrides(place.settings)
        yield _Case(item, lock_rows[item.placement.lock], stay, place, settings)


def _tell_failed(connection: Connection, case: _Case, check: Check, now: datetime) -> None:
    """The code is not on the lock and no backup could be given: the host must act (R23)."""
    placement = case.item.placement
    facts = {
        "guest_name": case.stay.guest_name or case.stay.reservation_code,
        "property_name": case.place.name,
        "lock_names": case.lock.name,
        "check_in": arrival_line(case.stay, case.place).partition(" – ")[0],
        "reason": placement.detail or "the lock app has not confirmed it",
        "next_step": _next_step(case, now),
    }
    alarms.begin(
        connection, case.item.host, HostAlarm.PUSH_FAILED, f"placement-{placement.id}-{check.value}", facts, now
    )


def _next_step(case: _Case, now: datetime) -> str:
    hold = case.item.placement.hold_until
    again = f"We try again at {alarms.moment(hold)}." if hold and hold > now else "We keep trying."
    if not case.settings.backups:
        return f"{again} Backup codes are switched off for this property: please let the guest in another way."
    return f"{again} No backup code was ready on this lock: please let the guest in another way."


def _tell_at_risk(connection: Connection, host: HostId, cases: Sequence[_Case], now: datetime) -> None:
    """Three hours before: one e-mail for all arrivals whose codes are not set yet (R43)."""
    lines = [arrival_line(case.stay, case.place) for case in cases]
    about = "-".join(str(case.item.placement.id) for case in cases[:5])
    alarms.tell(connection, host, HostAlarm.ARRIVALS_AT_RISK, f"{about}:{now:%Y%m%dT%H%M}", {"arrivals": lines}, now)
