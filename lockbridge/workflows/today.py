"""What a host sees first: who comes and goes, what needs a person and what helps, the locks and accounts in trouble."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice

from sqlalchemy import Connection

from lockbridge.domain.attention import Arrival, Attention, Door, Urgency, needs_attention, worst
from lockbridge.domain.ids import HostId, LockAppId, LockId, PropertyId, StayId
from lockbridge.domain.messages import HostAlarm
from lockbridge.domain.placement import Placement
from lockbridge.domain.retry import next_healthcheck
from lockbridge.domain.status import Shown, Status, shown
from lockbridge.domain.stay import StayStatus, to_utc
from lockbridge.storage import journal, today
from lockbridge.storage.today import Brief, Home, LockState, Move, Refused, Threatened
from lockbridge.workflows.healthcheck import RUN, run_of
from lockbridge.workflows.ports import Tools
from lockbridge.workflows.reservations import PATIENCE

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
LINGERING = timedelta(days=4)
"""How long after a departure its code may be found on a lock that should not hold it."""
MOST_LINES = 50
MOST_WORRIES = 200
MOST_LOCKS = 25
MOST_THREATENED = 300
MOST_ALARMS = 20
USUAL = Home(PropertyId(0), "", "UTC", "16:00", "11:00", has_locks=False)
"""What is taken for a property that is not known, in the zone that most are in."""
SHOWN_ELSEWHERE = frozenset(
    {
        HostAlarm.LOCK_OFFLINE,
        HostAlarm.BATTERY_LOW,
        HostAlarm.LOCK_FULL,
        HostAlarm.PLAN_REFUSED,
        HostAlarm.ACCOUNT_DISCONNECTED,
        HostAlarm.SOURCE_DISCONNECTED,
    }
)
"""Alarms about locks and accounts that have a place of their own on the page."""


@dataclass(frozen=True, slots=True)
class Line:
    """One guest who comes or goes at ``at``. ``status`` is the worst over the locks; None: there is no code."""

    stay: StayId
    guest: str
    property: PropertyId | None
    place: str
    zone: str
    at: datetime
    status: Status | None
    attention: Attention | None
    off_at: datetime | None = None
    """When the code comes off its locks."""
    app: LockAppId | None = None
    """The lock app of the lock that needs attention."""


@dataclass(frozen=True, slots=True)
class Section:
    """Those who come or go in a span of time, what needs a person first; ``total`` counts those left out, too."""

    lines: Sequence[Line] = ()
    total: int = 0

    @property
    def problems(self) -> int:
        """How many of them need a person."""
        return sum(line.attention is not None for line in self.lines)

    @property
    def left_out(self) -> int:
        """How many are not listed."""
        return self.total - len(self.lines)


@dataclass(frozen=True, slots=True)
class LockTrouble:
    """A lock in trouble and the arrivals it threatens, the soonest first."""

    lock: LockState
    arrivals: Sequence[tuple[Threatened, str, str]]
    """With the property's name and zone."""

    @property
    def zone(self) -> str:
        """On which clock the lock's instants are shown: that of the property whose guest comes first."""
        return self.arrivals[0][2] if self.arrivals else "UTC"


@dataclass(frozen=True, slots=True)
class Check:
    """The health check: when it ran last, when it runs next, what the last one came to for this host."""

    ran_at: datetime | None
    next_at: datetime
    looked_at: int = 0
    now_set: int = 0
    backups_given: int = 0
    hosts_told: int = 0


@dataclass(frozen=True, slots=True)
class OpenAlarm:
    """Something else that is wrong: what it is about, in words, since when."""

    about: str
    words: str
    since: datetime


@dataclass(frozen=True, slots=True)
class TodayView:
    """The first page."""

    now_in_need: Section
    arrivals: Section
    arrivals_later: Section
    departures: Section
    departures_later: Section
    locks: Sequence[LockTrouble]
    apps: Sequence[Refused]
    sources: Sequence[Refused]
    alarms: Sequence[OpenAlarm]
    check: Check
    has_properties: bool
    has_locks: bool

    @property
    def problems(self) -> int:
        """How many stays need a person."""
        sections = (self.now_in_need, self.arrivals, self.arrivals_later, self.departures)
        return sum(section.problems for section in sections)


def view(connection: Connection, tools: Tools, host: HostId, now: datetime) -> TodayView:
    """Everything the first page shows."""
    homes = today.homes(connection, host)
    stays = _Stays(connection, host, homes, now)
    troubled = _locks(connection, host, homes, now)
    return TodayView(
        stays.in_need(),
        stays.arriving(now, now + DAY),
        stays.arriving(now + DAY, now + WEEK),
        stays.leaving(now, now + DAY),
        stays.leaving(now + DAY, now + WEEK),
        troubled,
        today.refused_apps(connection, host),
        today.refused_sources(connection, host),
        list(islice(_alarms(connection, tools, host, stays.listed()), MOST_ALARMS)),
        _check(connection, host, now),
        has_properties=bool(homes),
        has_locks=bool(troubled) or today.any_lock(connection, host),
    )


# -------------------------------------------------------------------------------------------------- who comes and goes

_Times = dict[StayId, datetime]
"""When somebody comes, or goes, on the property's clock."""


@lru_cache(maxsize=4096)
def _instant(day: date, at: str, zone: str, *, end: bool) -> datetime:
    return to_utc(day, time.fromisoformat(at), zone, end=end)


def _comes(day: date, at: str | None, home: Home) -> datetime:
    return _instant(day, at or home.check_in, home.zone, end=False)


def _goes(day: date, at: str | None, home: Home) -> datetime:
    return _instant(day, at or home.check_out, home.zone, end=True)


class _Stays:
    """The stays of these days, in brief; everything is known only of those that are shown."""

    def __init__(self, connection: Connection, host: HostId, homes: Mapping[PropertyId, Home], now: datetime) -> None:
        self._homes, self._now = homes, now
        self._unknown = replace(USUAL, zone=_main_zone(homes.values()))
        first, last = now.date() - DAY, now.date() + WEEK + DAY
        self._coming = self._times(today.arriving(connection, host, first, last), _comes)
        self._going = self._times(today.leaving(connection, host, first, last), _goes)
        worries = today.worrying(connection, host, now.date() - LINGERING, last, now, MOST_WORRIES)
        self._briefs = today.brief(connection, host, worries | self._first_of_each())
        self._coming |= {key: self._check_in(self._briefs[key]) for key in worries}
        self._codes = _Codes(connection, host, self._briefs.values(), worries, now)
        found = {key: self._attention(self._briefs[key]) for key in worries}
        self.wrong = {key: attention for key, attention in found.items() if attention is not None}

    def _times(self, moves: Iterable[Move], when: Callable[[date, str | None, Home], datetime]) -> _Times:
        return {move.stay: when(move.day, move.at, self._home(move.property)) for move in moves}

    def _home(self, key: PropertyId | None) -> Home:
        return self._unknown if key is None else self._homes.get(key, self._unknown)

    def _first_of_each(self) -> set[StayId]:
        spans = [(self._now, self._now + DAY), (self._now + DAY, self._now + WEEK)]
        firsts = (_within(times, span)[:MOST_LINES] for times in (self._coming, self._going) for span in spans)
        return {stay for found in firsts for stay in found}

    def _check_in(self, stay: Brief) -> datetime:
        return _comes(stay.arrival, stay.check_in, self._home(stay.property))

    def _check_out(self, stay: Brief) -> datetime:
        return _goes(stay.departure, stay.check_out, self._home(stay.property))

    def _attention(self, stay: Brief) -> Attention | None:
        """What is wrong with a stay; nothing is any more with one that is over, unless a lock still holds its code."""
        home, lasting = self._home(stay.property), stay.disagreed_at or self._now
        confirmed = stay.status is StayStatus.CONFIRMED
        found = needs_attention(
            Arrival(
                opens_at=self._check_in(stay),
                doors=self._codes.doors(stay),
                has_code=stay.code is not None,
                property_known=home is not self._unknown or not confirmed,
                has_locks=home.has_locks or not confirmed,
                trouble=stay.trouble,
                disagreement=stay.disagreement if self._now - lasting >= PATIENCE else "",
            ),
            self._now,
        )
        over = self._check_out(stay) <= self._now
        return None if found is not None and over and found.lock is None else found

    def in_need(self) -> Section:
        """Guests who are there, or should be – or have left – and something is wrong."""
        begun = [key for key, at in self._coming.items() if at <= self._now and key in self.wrong]
        return self._section({key: self._coming[key] for key in begun})

    def arriving(self, since: datetime, until: datetime) -> Section:
        """Those who come in a span of time."""
        return self._section({key: self._coming[key] for key in _within(self._coming, (since, until))})

    def leaving(self, since: datetime, until: datetime) -> Section:
        """Those who go in a span of time; what is wrong with them is said where they stay."""
        going = _within(self._going, (since, until))
        return Section([self._line(key, self._going[key], None) for key in going[:MOST_LINES]], len(going))

    def _section(self, times: _Times) -> Section:
        ordered = sorted(times, key=lambda key: (self._rank(key), times[key], key))[:MOST_LINES]
        return Section([self._line(key, times[key], self.wrong.get(key)) for key in ordered], len(times))

    def _rank(self, key: StayId) -> int:
        return self.wrong[key].urgency if key in self.wrong else max(Urgency) + 1

    def _line(self, key: StayId, at: datetime, attention: Attention | None) -> Line:
        stay = self._briefs[key]
        home = self._home(stay.property)
        name = home.name or stay.property_ref
        statuses, off_at = self._codes.shown(stay)
        app = self._codes.app_of(attention.lock) if attention is not None and attention.lock is not None else None
        return Line(key, stay.guest, stay.property, name, home.zone, at, worst(statuses), attention, off_at, app)

    def listed(self) -> set[str]:
        """What alarms about the stays that are listed with their problem are about."""
        about = set()
        for key in self.wrong:
            stay = self._briefs[key]
            about |= {f"stay-{key}", f"{stay.platform}:{stay.property_ref}" if stay.property is None else ""}
            about |= {f"placement-{placement.id}" for placement in self._codes.of(stay)}
        return about


def _main_zone(homes: Iterable[Home]) -> str:
    """The zone that most properties are in: the best guess for one that is not known."""
    counted = Counter(home.zone for home in homes).most_common(1)
    return counted[0][0] if counted else USUAL.zone


def _within(times: _Times, span: tuple[datetime, datetime]) -> list[StayId]:
    """Who comes, or goes, after the one instant and by the other, in order."""
    since, until = span
    return sorted((key for key, at in times.items() if since < at <= until), key=lambda key: (times[key], key))


class _Codes:
    """The codes of the stays that are shown, and the locks of those that may need a person."""

    def __init__(
        self, connection: Connection, host: HostId, briefs: Iterable[Brief], worries: Collection[StayId], now: datetime
    ) -> None:
        self._now = now
        by_stay = {stay.id: stay.code for stay in briefs if stay.code is not None}
        self._placed = today.placements(connection, host, set(by_stay.values()))
        self._helped = today.helped(connection, host, worries)
        placed = (placement for key in worries if key in by_stay for placement in self._placed[by_stay[key]])
        locks = {placement.lock for placement in placed if not placement.confirmed}
        self._locks = today.states(connection, host, locks)
        self._spare = today.with_backup(connection, host, locks)

    def app_of(self, lock: LockId) -> LockAppId:
        """The lock app of a lock that needs attention."""
        return self._locks[lock].app

    def of(self, stay: Brief) -> Sequence[Placement]:
        """The live placements of a stay."""
        return () if stay.code is None else self._placed[stay.code]

    def shown(self, stay: Brief) -> tuple[list[Status], datetime | None]:
        """The status on each lock, and when the code is off all of them."""
        statuses = [self._status(stay, placement).status for placement in self.of(stay)]
        off = [placement.remove_at for placement in self.of(stay) if placement.remove_at is not None]
        return statuses, max(off, default=None)

    def _status(self, stay: Brief, placement: Placement) -> Shown:
        return shown(placement, self._now, backup_given=(stay.id, placement.lock) in self._helped)

    def doors(self, stay: Brief) -> list[Door]:
        """The locks that do not hold the stay's code as they should."""
        return [self._door(stay, placement) for placement in self.of(stay) if placement.lock in self._locks]

    def _door(self, stay: Brief, placement: Placement) -> Door:
        lock = self._locks[placement.lock]
        return Door(
            lock=lock.id,
            name=lock.name,
            status=self._status(stay, placement).status,
            window=placement.window,
            due_at=placement.push_at,
            detail=placement.detail or "",
            reason=placement.reason or "",
            backup_ready=lock.id in self._spare,
            offline=lock.offline_since is not None,
            full=lock.full_since is not None,
            missing=lock.missing,
            disconnected=not lock.connected,
        )


# ------------------------------------------------------------------------------------------------- locks, alarms, check


def _locks(connection: Connection, host: HostId, homes: Mapping[PropertyId, Home], now: datetime) -> list[LockTrouble]:
    """The locks in trouble with the arrivals they threaten within a week: those with the soonest arrival first."""
    found = today.in_trouble(connection, host, MOST_LOCKS)
    keys = [lock.id for lock in found]
    coming: dict[LockId, list[tuple[Threatened, str, str]]] = {key: [] for key in keys}
    for each in today.threatened(connection, host, keys, now, now + WEEK, MOST_THREATENED):
        home = homes.get(each.property, USUAL) if each.property is not None else USUAL
        coming[each.lock].append((each, home.name, home.zone))
    never = now + 2 * WEEK
    found.sort(key=lambda lock: coming[lock.id][0][0].opens_at if coming[lock.id] else never)
    return [LockTrouble(lock, coming[lock.id]) for lock in found]


def _alarms(connection: Connection, tools: Tools, host: HostId, listed: Collection[str]) -> Iterator[OpenAlarm]:
    for alarm in today.alarms(connection, host, SHOWN_ELSEWHERE, MOST_ALARMS + len(listed)):
        about = alarm.key.partition(":")[2]
        if about not in listed and _without_check(about) not in listed:
            said = tools.renderer.render_host(HostAlarm(alarm.kind), alarm.facts)
            yield OpenAlarm(about, said.subject, alarm.began_at)


def _without_check(about: str) -> str:
    """``placement-7`` of ``placement-7-daily``: a code that several checks have found missing."""
    return "-".join(about.split("-")[:2])


def _check(connection: Connection, host: HostId, now: datetime) -> Check:
    """The last health check and what it came to for this host: a run that left nothing for them found all well."""
    everywhere, mine = journal.last_run(connection, RUN), journal.last_run(connection, run_of(host))
    next_at = next_healthcheck(now)
    ran = [run.done_at for run in (everywhere, mine) if run is not None and run.done_at is not None]
    if mine is None or (everywhere is not None and mine.scheduled_for < everywhere.scheduled_for):
        return Check(max(ran, default=None), next_at=next_at)
    counted = {name: int(mine.report.get(name, 0)) for name in ("looked_at", "now_set", "backups_given", "hosts_told")}
    return Check(max(ran, default=None), next_at, **counted)
