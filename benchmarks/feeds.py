"""T11: a calendar of 1,000 events is refreshed in a tenth of a second, and each further event costs what the last did.

Measured with 10, 100, 1,000 and 10,000 events: reading the text and comparing it with what is known, in memory; and the
whole refresh as the worker does it, over HTTP from another process into SQLite, with one stay changed each time. Beside
it the first read, which writes every stay, and the one that finds nothing changed (304).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from itertools import count

from benchmarks.beside import beside
from benchmarks.calendars import calendar
from benchmarks.figures import Figure, ratio
from benchmarks.ground import Ground, median_ms
from benchmarks.processes import settings_for
from lockbridge.bootstrap import Instead, services
from lockbridge.domain.feed import KnownStay, Read, Shown, fingerprint, reconcile, suspicious
from lockbridge.domain.ids import HostId, PropertyId, SourceId
from lockbridge.fetching import GuardedFetch
from lockbridge.platforms.ical import Place, read_calendar
from lockbridge.services import Services
from lockbridge.storage import hosts, sources, tables
from lockbridge.storage.hosts import Credentials
from lockbridge.storage.sources import SourceRow
from lockbridge.storage.vault import open_vault
from lockbridge.workflows.sync import read_due

SIZES = (10, 100, 1_000, 10_000)
GOAL_MS = 100.0
GOAL_EVENTS = 1_000
PLACE = Place("bench", "America/New_York")
LOOPBACK = GuardedFetch(allow=(IPv4Network("127.0.0.0/8"),), most_bytes=10_000_000)


@dataclass(frozen=True, slots=True)
class _Taken:
    """Milliseconds that one calendar of ``events`` took; of what was repeated, the quickest: machines are shared."""

    events: int
    read: float
    refresh: float
    work: float
    """Of that, the processor's time: what our process did itself, however busy the machine was."""
    first: float
    unchanged: float


async def measure(ground: Ground, rounds: int) -> Sequence[Figure]:
    """T11, each refresh ``rounds`` times."""
    taken = [await _one_size(ground, events, rounds) for events in SIZES]
    figures = [figure for each in taken for figure in _figures(each)]
    thousand, most = taken[-2], taken[-1]
    growth = (most.work / most.events) / (thousand.work / thousand.events)
    what = f"sqlite: refresh, processor time of an event among {most.events:,} ÷ among {thousand.events:,}"
    return [*figures, ratio("T11", what, growth, 1.5, at_most=True)]


def _figures(taken: _Taken) -> list[Figure]:
    what = f"calendar of {taken.events:,} events"
    each = f"{taken.refresh:.1f} ms; processor {taken.work:.1f} ms, {taken.work / taken.events * 1000:.0f} µs an event"
    is_goal = taken.events == GOAL_EVENTS
    goal, good = (f"≤ {GOAL_MS:.0f} ms", taken.refresh <= GOAL_MS) if is_goal else ("", None)
    inside = f"{taken.read:.1f} ms, {taken.read / taken.events * 1000:.0f} µs an event"
    others = f"{taken.first:.0f} ms; {taken.unchanged:.1f} ms"
    return [
        Figure("T11", f"{what}: reading and comparing alone", inside),
        Figure("T11", f"sqlite: {what}: whole refresh, one stay changed", each, goal, good),
        Figure("T11", f"sqlite: {what}: first read; nothing changed (304)", others),
    ]


async def _one_size(ground: Ground, events: int, rounds: int) -> _Taken:
    read = _in_memory(events, rounds)
    url = ground.fresh("sqlite")
    instead = Instead(vault=open_vault(ground.key_file(url), create=True), fetch=LOOPBACK)
    with beside("calendar", str(events)) as server:
        async with services(settings_for(url), instead) as built:
            first, refresh, work, unchanged = await _refreshed(built, f"http://127.0.0.1:{server.port}", rounds)
            with built.database.read() as connection:
                assert connection.exec_driver_sql("SELECT count(*) FROM stay").scalar_one() == events
    return _Taken(events, read, refresh, work, first, unchanged)


def _in_memory(events: int, rounds: int) -> float:
    """Reading a calendar and comparing it with the one before."""
    now = datetime.now(UTC)
    body = calendar(events, now, turn=1)
    shown = _shown(calendar(events, now))
    known = [KnownStay(key, each.arrival, each.departure, now, seen_as=each.mark) for key, each in shown.shown.items()]

    def refresh() -> None:
        read = _shown(body)
        assert suspicious(known, read, now.date()) is None
        assert len(reconcile(known, read, now, now.date()).upserts) == 1

    return min(median_ms(refresh, times=1) for _ in range(rounds))


def _shown(body: bytes) -> Read:
    found = read_calendar(body, PLACE, datetime.now(UTC).date())
    return Read({stay.external_id: Shown(stay.arrival, stay.departure, fingerprint(stay)) for stay in found.events})


async def _refreshed(built: Services, server: str, rounds: int) -> tuple[float, float, float, float]:
    """How long the first read takes; the quickest with a stay changed, and its work; the quickest with none changed."""
    hours = count()
    source = _connect(built, f"{server}/changing.ics")
    times = [await _refresh(built, next(hours)) for _ in range(rounds + 1)]
    with built.database.write() as connection:
        sources.change_settings(connection, built.vault, source, {"url": f"{server}/still.ics"})
    unchanged = [await _refresh(built, next(hours)) for _ in range(rounds + 1)]
    refresh, work = (min(each) for each in zip(*times[1:], strict=True))
    return times[0][0], refresh, work, min(unchanged[1:])[0]


async def _refresh(built: Services, hours: int) -> tuple[float, float]:
    """Milliseconds that one read takes as the worker does it, so many hours from now: by the clock, and of work."""
    started, worked = time.perf_counter(), time.process_time()
    assert await read_due(built, datetime.now(UTC) + timedelta(hours=hours)) == 1
    return (time.perf_counter() - started) * 1000, (time.process_time() - worked) * 1000


def _connect(built: Services, url: str) -> SourceId:
    """A host with one property and its calendar."""
    now = datetime.now(UTC)
    host = {"id": 1, "name": "Bench", "language": "en", "settings": {}, "created_at": now}
    house = {"id": 1, "host_id": 1, "name": "House", "zone": PLACE.zone, "country": "US", "settings": {}}
    usual = {"check_in": "16:00", "check_out": "11:00", "created_at": now}
    feed = SourceRow(SourceId(0), HostId(1), "ical", "Calendar", PropertyId(1), Credentials({"url": url}))
    with built.database.write() as connection:
        connection.execute(tables.HOST.insert(), [host])
        connection.execute(tables.PROPERTY.insert(), [house | usual])
        source = sources.add(connection, built.vault, feed, now)
        hosts.add_property_ref(connection, feed.host, PropertyId(1), feed.platform, str(source))
    return source
