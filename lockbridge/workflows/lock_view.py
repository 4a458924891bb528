"""What there is to say about locks: how each is, what it holds and will hold, what happened on it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from lockbridge.domain.ids import CodeId, HostId, LockId, PropertyId, StayId
from lockbridge.domain.lock import LockClass, Readback
from lockbridge.domain.placement import Placement
from lockbridge.domain.room import Forecast, forecast, occupied
from lockbridge.domain.status import Shown, shown
from lockbridge.storage import codes, hosts, journal, locks, readings
from lockbridge.storage.hosts import LockAppRow, PropertyRow
from lockbridge.storage.journal import Entry
from lockbridge.storage.locks import LockRow, Stranger
from lockbridge.storage.readings import Reading
from lockbridge.workflows import trouble
from lockbridge.workflows.ports import Tools

CLASSES: Mapping[LockClass, str] = {
    LockClass.KEEPS_WINDOWS: "keeps times itself",
    LockClass.ALGORITHMIC: "works out its own codes",
    LockClass.SLOT_WITHOUT_CLOCK: "has no clock: filled in time",
}
MOST_CODES = 1000
LATEST = 60
"""How much of a lock's history is shown."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One lock in a list. ``troubles`` says in words what is wrong with it; empty: nothing."""

    row: LockRow
    app: LockAppRow
    places: Sequence[PropertyRow]
    held: int
    troubles: Sequence[str]

    @property
    def state(self) -> str:
        """Whether it can be reached, in a word."""
        return state(self.row)

    @property
    def kind(self) -> str:
        """Its class in words."""
        return CLASSES[self.row.capabilities.lock_class]


@dataclass(frozen=True, slots=True)
class Held:
    """One code of ours that is, or is to be, on a lock."""

    placement: Placement
    stay: StayId | None
    shown: Shown


@dataclass(frozen=True, slots=True)
class LockView:
    """Everything there is to say about a lock, without asking its lock app."""

    listed: Listed
    ours: Sequence[Held]
    strangers: Sequence[Stranger]
    forecast: Forecast
    readings: Sequence[Reading]
    history: Sequence[Entry]
    names: Mapping[CodeId, str]
    """What the codes in the history are called."""
    threatened: Sequence[str]
    """The arrivals that its trouble threatens (R43)."""

    @property
    def zone(self) -> str:
        """Where it is, by a property it opens."""
        return self.listed.places[0].zone if self.listed.places else "UTC"


def state(row: LockRow) -> str:
    """Whether a lock can be reached, in a word."""
    if row.missing:
        return "gone"
    return {True: "online", False: "offline", None: "unknown"}[row.online]


def troubles(row: LockRow, app: LockAppRow) -> list[str]:
    """What is wrong with a lock, in words, the gravest first."""
    found = {
        "it is gone from its lock app": row.missing,
        f"{app.name} does not let lockbridge in: reconnect it": app.state != "connected",
        "it cannot be reached": row.offline_since is not None or row.online is False,
        "it is full: codes wait for a free slot": row.full_since is not None,
        "a plan for it was refused: too many codes would come off at once": row.refused_since is not None,
        "its battery is low": row.low_since is not None,
    }
    return [words for words, is_so in found.items() if is_so]


def listing(connection: Connection, tools: Tools, host: HostId) -> list[Listed]:
    """All locks of a host, those in trouble first."""
    rows = locks.locks_of_host(connection, host)
    found = _listed(connection, tools, host, rows, hosts.matches_of_host(connection, host))
    return sorted(found, key=lambda each: (not each.troubles, each.row.name.casefold(), each.row.id))


def _listed(
    connection: Connection,
    tools: Tools,
    host: HostId,
    rows: Sequence[LockRow],
    matched: Collection[tuple[PropertyId, LockId]],
) -> list[Listed]:
    apps = {app.id: app for app in hosts.lock_apps_of_host(connection, tools.vault, host)}
    places = hosts.properties(connection, {place for place, _ in matched})
    opens: dict[LockId, list[PropertyRow]] = defaultdict(list)
    for place, lock in matched:
        opens[lock].append(places[place])
    unread = [row.id for row in rows if row.capabilities.readback is Readback.NONE]
    taken = locks.ours_on(connection, unread) if unread else {}
    return [
        Listed(
            row,
            apps[row.app],
            sorted(opens[row.id], key=lambda place: place.name.casefold()),
            taken.get(row.id, row.seen_count),
            troubles(row, apps[row.app]),
        )
        for row in rows
    ]


def view(
    connection: Connection, tools: Tools, host: HostId, lock: LockId, now: datetime, since: timedelta
) -> LockView | None:
    """A lock with what it holds and its history; None when it is not this host's."""
    row = locks.get_lock(connection, host, lock)
    if row is None:
        return None
    matched = [(place, lock) for place in hosts.properties_of_lock(connection, lock)]
    (listed,) = _listed(connection, tools, host, [row], matched)
    placed = [p.placement for p in codes.of_host(connection, tools.vault, host, lock=lock, limit=MOST_CODES)]
    stays = codes.stays_of_codes(connection, {placement.code for placement in placed})
    strangers = locks.strangers_on(connection, tools.vault, [lock])
    history = journal.latest_of_lock(connection, host, lock, LATEST)
    told = codes.by_ids(connection, tools.vault, {entry.code for entry in history if entry.code is not None})
    slots = [window for placement in placed if (window := occupied(placement, now)) is not None]
    return LockView(
        listed,
        [Held(placement, stays.get(placement.code), shown(placement, now)) for placement in placed],
        strangers,
        forecast(slots, len(strangers), row.capabilities.max_codes, now),
        readings.of_lock(connection, host, lock, now - since),
        history,
        {key: code.name for key, code in told.items()},
        trouble.arrivals(connection, tools, row, now) if listed.troubles else [],
    )
