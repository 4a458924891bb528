"""The guest's page: its address, which is the key to it, and what it says at any time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from secrets import token_urlsafe

from sqlalchemy import Connection

from lockbridge.contract import Keypad
from lockbridge.domain import rules as ruling
from lockbridge.domain.code import Pin, Window
from lockbridge.domain.guest_help import Phase, Step, lately, phase, shows_digits
from lockbridge.domain.ids import CodeId, HostId, LockId, StayId
from lockbridge.domain.stay import Buffers, StayStatus, access_window
from lockbridge.storage import codes, guest_links, hosts, journal, locks, people, stays
from lockbridge.storage.codes import Placed
from lockbridge.storage.guest_links import Linked
from lockbridge.storage.hosts import GuestHelp, LockAppRow, PropertyRow
from lockbridge.storage.journal import Entry
from lockbridge.storage.locks import LockRow
from lockbridge.storage.stays import StayRow
from lockbridge.workflows import rules
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.rules import Chain

MARK = "guest_"
"""What the kinds of entries about a guest's steps begin with."""
MINUTE = timedelta(minutes=1)
LOADS_PER_MINUTE = 60
STRANGERS_PER_MINUTE = 20
"""How often an address that leads nowhere may be tried from one place."""


class TooOften(Exception):
    """A page is asked for too often. The message says what to do."""


# ---------------------------------------------------------------------------------------------------------- the link


async def link(tools: Tools, host: HostId, stay: StayId, now: datetime) -> str:
    """The secret in the address of a stay's page, made when it is first asked for. Raises BadInput: no such stay.

    It leads nowhere while the stay is cancelled, and to a goodbye once the stay's code is over.
    """
    known = await tools.database.ask(guest_links.of_stay, tools.vault, host, stay)
    if known is not None:
        return known
    return await transact(tools, lambda c: _made(c, tools, host, stay, now))


def _made(connection: Connection, tools: Tools, host: HostId, stay: StayId, now: datetime) -> str:
    if stays.get(connection, tools.vault, host, stay) is None:
        msg = f"this host has no stay {stay}"
        raise BadInput(msg)
    stays.held(connection, tools.vault, stay)
    token = guest_links.of_stay(connection, tools.vault, host, stay)
    if token is None:
        token = token_urlsafe(24)
        guest_links.add(connection, tools.vault, Linked(host, stay), token, now)
    return token


async def address(tools: Tools, host: HostId, stay: StayId, now: datetime) -> str:
    """The address of a stay's page, made when it is first asked for. Raises BadInput."""
    return page_of(tools, await link(tools, host, stay, now))


def page_of(tools: Tools, token: str) -> str:
    """The address with this secret in it."""
    return f"{tools.policy.public_url}/g/{token}"


async def revoke_link(tools: Tools, host: HostId, stay: StayId, now: datetime) -> bool:
    """Have the address of a stay's page lead nowhere; another one can be made. False: there was none."""
    return await transact(tools, lambda c: _revoke(c, host, stay, now))


def _revoke(connection: Connection, host: HostId, stay: StayId, now: datetime) -> bool:
    if not guest_links.revoke(connection, host, stay, now):
        return False
    journal.write(connection, [Entry(now, host, "guest_link", "the link to the guest's page was withdrawn", stay)])
    return True


# ---------------------------------------------------------------------------------------------------------- the page


@dataclass(frozen=True, slots=True)
class GuestDoor:
    """One door on the guest's way. The digits are there only when the guest may see them."""

    lock: LockId
    name: str
    keypad: Keypad
    pin: Pin | None
    backup: Pin | None
    waits: bool
    """Its code's time has come, and the code is not on the lock yet."""
    steps: tuple[Step, ...]
    """Which steps the guest has been led lately."""


@dataclass(frozen=True, slots=True)
class GuestView:
    """What a guest's page says. Of a stay that is over only that; times of day are the property's."""

    phase: Phase
    language: str | None
    """What the guest speaks, as far as the booking says."""
    host_language: str
    first_name: str = field(default="", repr=False)
    place: str = ""
    zone: str = "UTC"
    address: str = ""
    note: str = ""
    check_in: datetime | None = None
    check_out: datetime | None = None
    """Local wall times."""
    shown_from: datetime | None = None
    opens: datetime | None = None
    closes: datetime | None = None
    doors: tuple[GuestDoor, ...] = ()
    lost: Step | None = None
    """What a guest was told who stands before a door that is none of the stay's."""
    help: GuestHelp = field(default_factory=GuestHelp)


async def visit(tools: Tools, token: str, now: datetime, *, place: str = "") -> GuestView | None:
    """What the page says; None: the address leads nowhere (unknown, withdrawn, the stay cancelled or erased).

    Raises TooOften; ``place`` is where the request comes from.
    """
    at = await _let_in(tools, token, place, now)
    return None if at is None else await tools.database.ask(_view, tools, at, now)


async def _let_in(tools: Tools, token: str, place: str, now: datetime) -> Linked | None:
    """Whose page it is; each load is counted, and those of addresses that lead nowhere by where they come from."""

    def count(connection: Connection) -> tuple[Linked | None, bool]:
        at = guest_links.find(connection, token)
        what = f"guest page:{at.stay}" if at else f"guest page from:{place}"
        tries = people.count_try(connection, tools.vault, what, MINUTE, now)
        return at, tries > (LOADS_PER_MINUTE if at else STRANGERS_PER_MINUTE)

    at, too_often = await transact(tools, count)
    if too_often:
        msg = "this page is asked for too often: wait a minute, then try again"
        raise TooOften(msg)
    return at


@dataclass(frozen=True, slots=True)
class Scene:
    """A stay as its page and the help at the door see it."""

    stay: StayRow
    place: PropertyRow
    window: Window
    """When the stay's code opens, or would."""
    owner: StayId
    """To which of the stays that share the code backups are given (R44)."""
    own: Mapping[LockId, Placed]
    backups: Mapping[LockId, Placed]
    locks: Sequence[LockRow]
    """In the order in which a guest comes to the doors."""
    apps: Mapping[LockId, LockAppRow]
    steps: Mapping[LockId | None, list[tuple[datetime, Step]]]
    """The steps taken lately at each door, by time; None: at some other."""

    @property
    def on_lock(self) -> frozenset[LockId]:
        """The locks that hold the stay's own code for all we know."""
        return frozenset(lock for lock, item in self.own.items() if item.placement.confirmed)


def scene(connection: Connection, tools: Tools, at: Linked, now: datetime) -> Scene | None:
    """The stay behind an address; None: it is not to be seen."""
    stay = stays.get(connection, tools.vault, at.host, at.stay)
    if stay is None or stay.property is None or not _is_on(stay):
        return None
    place = hosts.properties(connection, [stay.property])[stay.property]
    window, owner = _window(connection, tools, stay, place)
    if window is None:
        return None
    own, backups = _codes(connection, tools, stay, owner)
    rows = _doors(connection, stay, place, {*own, *backups})
    apps = hosts.lock_apps(connection, tools.vault, {row.app for row in rows})
    by_lock = {row.id: apps[row.app] for row in rows}
    steps = _steps(journal.of_stay(connection, stay.host, stay.id, []), now)
    return Scene(stay, place, window, owner, own, backups, rows, by_lock, steps)


def _doors(connection: Connection, stay: StayRow, place: PropertyRow, coded: Collection[LockId]) -> list[LockRow]:
    """The doors on the way, first things first: those the stay has a code for; before it has one, the property's."""
    order = hosts.door_order(connection, place.id)
    wanted = coded if stay.code is not None else order
    rows = locks.by_ids(connection, [lock for lock in wanted if lock in order]).values()
    return sorted(rows, key=lambda row: (order[row.id], row.name.casefold(), row.id))


def _is_on(stay: StayRow) -> bool:
    """Whether somebody is to be let in: a reservation that only asks has no page, unless it had a code before."""
    if stay.erased or stay.status in (StayStatus.CANCELLED, StayStatus.BLOCKED):
        return False
    return stay.status is StayStatus.CONFIRMED or stay.code is not None


def _window(connection: Connection, tools: Tools, stay: StayRow, place: PropertyRow) -> tuple[Window | None, StayId]:
    code = codes.by_ids(connection, tools.vault, [stay.code]).get(stay.code) if stay.code is not None else None
    if code is not None:
        return Window(code.opens_at, code.closes_at), code.stay or stay.id
    try:
        return access_window(*_between(stay, place), place.zone, Buffers()), stay.id
    except ValueError:
        return None, stay.id


def _between(stay: StayRow, place: PropertyRow) -> tuple[date, time, date, time]:
    booked, usual = stay.booked(), place.usual_times
    return stay.arrival, booked.check_in or usual[0], stay.departure, booked.check_out or usual[1]


def _codes(
    connection: Connection, tools: Tools, stay: StayRow, owner: StayId
) -> tuple[dict[LockId, Placed], dict[LockId, Placed]]:
    """The stay's own code and its backups, by lock; none of them once the host has revoked the code."""
    if stay.code is None or stay.revoked_at is not None:
        return {}, {}
    own = codes.placements_of(connection, tools.vault, [stay.code]).get(stay.code, [])
    given = codes.backups_given_to(connection, tools.vault, {stay.id, owner})
    return _by_lock(own), _by_lock([item for items in given.values() for item in items])


def _by_lock(placed: Sequence[Placed]) -> dict[LockId, Placed]:
    return {item.placement.lock: item for item in placed if item.placement.ended is None}


def _steps(history: Sequence[Entry], now: datetime) -> dict[LockId | None, list[tuple[datetime, Step]]]:
    found: dict[LockId | None, list[tuple[datetime, Step]]] = {}
    for entry in history:
        name = entry.kind.removeprefix(MARK)
        if entry.kind.startswith(MARK) and name in set(Step):
            found.setdefault(entry.lock, []).append((entry.at, Step(name)))
    return {lock: lately(taken, now) for lock, taken in found.items()}


def _view(connection: Connection, tools: Tools, at: Linked, now: datetime) -> GuestView | None:
    found = scene(connection, tools, at, now)
    if found is None:
        return None
    row = hosts.get_host(connection, tools.vault, at.host)
    spoken = (found.stay.language, row.language if row is not None else "en")
    if phase(found.window, now) is Phase.OVER:
        return GuestView(Phase.OVER, *spoken)
    shown_from = _shown_from(connection, tools, found)
    address, note = hosts.way_in(connection, found.place.id)
    arrival, check_in, departure, check_out = _between(found.stay, found.place)
    return GuestView(
        phase(found.window, now),
        *spoken,
        first_name=(found.stay.guest_first_name or "").strip() or next(iter((found.stay.guest_name or "").split()), ""),
        place=found.place.name,
        zone=found.place.zone,
        address=address,
        note=note,
        check_in=datetime.combine(arrival, check_in),
        check_out=datetime.combine(departure, check_out),
        shown_from=shown_from,
        opens=found.window.starts,
        closes=found.window.ends,
        doors=tuple(_door(tools, found, row, shown_from, now) for row in found.locks),
        lost=next((step for _, step in reversed(found.steps.get(None, []))), None),
        help=hosts.guest_help(connection, tools.vault, at.host),
    )


def _door(tools: Tools, found: Scene, row: LockRow, shown_from: datetime, now: datetime) -> GuestDoor:
    own, backup = found.own.get(row.id), found.backups.get(row.id)
    shows_own = shows_digits(found.window, shown_from, now, on_lock=row.id in found.on_lock)
    held = backup is not None and backup.placement.ref is not None
    shows_backup = shows_digits(found.window, now, now, on_lock=held)
    return GuestDoor(
        row.id,
        row.name,
        tools.accounts.keypad(found.apps[row.id].provider),
        own.placement.pin if own is not None and shows_own else None,
        backup.placement.pin if backup is not None and shows_backup else None,
        shown_from <= now and not shows_own and not found.window.over(now),
        tuple(step for _, step in found.steps.get(row.id, ())),
    )


def _shown_from(connection: Connection, tools: Tools, found: Scene) -> datetime:
    """When the code may be seen: when the guest is told it by message, or would be if that was not switched off."""
    rule = rules.by_place(connection, tools.policy, [found.place])[found.place.id].get(ruling.ACCESS_CODE)
    pushed = min((item.placement.push_at for item in found.own.values()), default=found.window.starts)
    chain = Chain(found.place, [found.stay], found.stay.code or CodeId(0), found.window, pushed)
    told = ruling.due(rule, chain.moments()) if rule is not None and rule.enabled else None
    return min(told or found.window.starts - tools.policy.code_hours_before, found.window.starts)
