"""A demo host: invented properties, locks and stays around now, made and removed at will. Nobody is written to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from lockbridge.contract import ProviderError
from lockbridge.domain.ids import HostId, LockId, PropertyId
from lockbridge.domain.people import Role
from lockbridge.domain.stay import StayStatus, to_local
from lockbridge.platforms import generic
from lockbridge.platforms.contract import ReservationEvent
from lockbridge.storage import demo, hosts, journal, locks, people
from lockbridge.storage.people import PersonRow
from lockbridge.workflows import connect, healthcheck, reservations, resync, rules
from lockbridge.workflows.connect import BadInput, NewProperty
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.reservations import Said

SIMULATOR = "simulator"
"""The lock app that is no real one."""
PLACES = (
    NewProperty("Lake House", "America/New_York", "US", "16:00", "11:00"),
    NewProperty("Flat at the Market", "Europe/Madrid", "ES", "15:00", "11:00"),
    NewProperty("Garden Studio", "Asia/Tokyo", "JP", "15:00", "10:00"),
)


@dataclass(frozen=True, slots=True)
class Invented:
    """A stay: at which place, arriving so many days from today, for so many nights."""

    place: int
    arrives: int
    nights: int
    guest: str
    phone: str | None


STAYS = (
    Invented(0, -3, 3, "Ida Berg", "+1555014004821"),
    Invented(0, 0, 2, "Tomás Vidal", "+1555014007306"),
    Invented(0, 2, 4, "Noor Haddad", None),
    Invented(0, 7, 3, "Ben Okoye", "+1555014002958"),
    Invented(1, -1, 3, "Mei Tanaka", "+1555014006174"),
    Invented(1, 2, 1, "Lena Vogt", "+1555014005539"),
    Invented(1, 5, 2, "Paul Rossi", "+1555014008260"),
    Invented(1, 12, 5, "Ana Costa", "+1555014003417"),
    Invented(2, -6, 4, "Sam Reed", "+1555014009682"),
    Invented(2, -2, 4, "Eva Lund", "+1555014002043"),
    Invented(2, 3, 3, "Kofi Mensah", "+1555014007795"),
    Invented(2, 20, 7, "Ruth Adler", "+1555014001368"),
)
"""Their numbers are longer than any there is: codes can be made of them, and nobody can be called."""


async def make(tools: Tools, person: PersonRow, simulator: Mapping[str, str] | None, now: datetime) -> HostId:
    """Make somebody a demo host of their own. ``simulator`` is the form of its lock app; None: it has no locks.

    Raises BadInput – when they have one, or the lock app does not answer: then nothing is left of it.
    """
    host = await transact(tools, lambda c: _host(c, tools, person, now))
    places = [await _place(tools, host, number, now) for number in range(len(PLACES))]
    for held in await rules.rules_of(tools, host, None):
        await rules.switch_off(tools, host, None, held.rule.name, now)
    if simulator is not None:
        await _match(tools, host, places, await _connected(tools, host, simulator, now), now)
    await transact(tools, lambda c: _book(c, tools, host, now))
    return host


def _host(connection: Connection, tools: Tools, person: PersonRow, now: datetime) -> HostId:
    if demo.of_person(connection, person.id) is not None:
        msg = "you have a demo host already: remove it first"
        raise BadInput(msg)
    host = hosts.add_host(connection, tools.vault, f"Demo of {person.name}", person.email, "en", now)
    demo.mark(connection, host)
    people.join(connection, host, person.id, Role.OWNER, now)
    return host


async def _place(tools: Tools, host: HostId, number: int, now: datetime) -> PropertyId:
    return await connect.add_property(tools, host, PLACES[number], [(generic.KEY, _ref(number))], now)


def _ref(place: int) -> str:
    return f"demo-{place + 1}"


async def _connected(tools: Tools, host: HostId, simulator: Mapping[str, str], now: datetime) -> Sequence[LockId]:
    try:
        _, found = await connect.add_lock_app(tools, host, SIMULATOR, "Simulated lock app", simulator, now)
    except ProviderError as error:
        await transact(tools, lambda c: demo.remove(c, host))
        msg = f"the simulated lock app does not answer ({error}): nothing was made"
        raise BadInput(msg) from None
    return [lock.id for lock in found]


async def _match(
    tools: Tools, host: HostId, places: Sequence[PropertyId], doors: Sequence[LockId], now: datetime
) -> None:
    """Each place gets its share of the locks."""
    for at, lock in enumerate(doors):
        await connect.match(tools, host, places[at % len(places)], lock, now)


def _book(connection: Connection, tools: Tools, host: HostId, now: datetime) -> None:
    said = Said(host, now, generic.HOOK.title)
    for number, each in enumerate(STAYS, 1):
        reservations.apply(connection, tools, said, _event(number, each, now), now)


def _event(number: int, stay: Invented, now: datetime) -> ReservationEvent:
    arrival = to_local(now, PLACES[stay.place].zone).date() + timedelta(days=stay.arrives)
    return ReservationEvent(
        platform=generic.KEY,
        external_id=f"demo-stay-{number}",
        reservation_code=f"DEMO{number:02}",
        property_ref=_ref(stay.place),
        status=StayStatus.CONFIRMED,
        raw_status="confirmed",
        arrival=arrival,
        departure=arrival + timedelta(days=stay.nights),
        guest_name=stay.guest,
        guest_first_name=stay.guest.partition(" ")[0],
        phone=stay.phone,
        platform_guest=f"demo-guest-{number}",
        channel="direct",
        changed_at=now,
    )


async def remove(tools: Tools, host: HostId, now: datetime) -> None:
    """Delete a demo host and everything of it. Raises BadInput for one that is none, and while a lock is busy."""

    def gone(connection: Connection) -> None:
        if not demo.is_demo(connection, host):
            msg = "this is no demo host: its data is real, and is not removed"
            raise BadInput(msg)
        if demo.is_busy(connection, host, now):
            msg = "one of its locks is being worked on just now: try again in a minute"
            raise BadInput(msg)
        doors = locks.locks_of_host(connection, host)
        journal.forget_runs(connection, [healthcheck.run_of(host), *(resync.run_of(lock.id) for lock in doors)])
        demo.remove(connection, host)

    await transact(tools, gone)
