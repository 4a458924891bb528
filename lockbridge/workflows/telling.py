"""A stay that a host's own system tells, by the public API: a source like any other, without account and address."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, PropertyId, StayId
from lockbridge.platforms.contract import ReservationEvent
from lockbridge.storage import api_pages, hosts
from lockbridge.workflows import reservations
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.reservations import TOLD_BY, Said

API = "api"
"""What stands in the place of the platform."""


class NoSuchProperty(Exception):
    """The host has no property of this number."""


class ToldBefore(Exception):
    """The host's system has told a stay of this name before."""

    def __init__(self, stay: StayId) -> None:
        super().__init__(f"it is stay {stay}")
        self.stay = stay


@dataclass(frozen=True, slots=True)
class Told:
    """The stay that was meant; ``is_new``: nobody had told it before."""

    stay: StayId
    is_new: bool


async def tell(
    tools: Tools, host: HostId, place: PropertyId, event: ReservationEvent, now: datetime, *, only_new: bool = False
) -> Told:
    """Make a stay or bring it up to date. ``event`` need not name the property.

    Raises NoSuchProperty and, with ``only_new``, ToldBefore.
    """
    return await transact(tools, lambda c: _tell(c, tools, host, place, event, now, only_new))


def _tell(
    connection: Connection,
    tools: Tools,
    host: HostId,
    place: PropertyId,
    event: ReservationEvent,
    now: datetime,
    only_new: bool,  # noqa: FBT001 - the caller's argument
) -> Told:
    known = known_as(connection, host, event.external_id)
    if known is not None and only_new:
        raise ToldBefore(known)
    ref = _named(connection, host, place, now)
    said = Said(host, now, TOLD_BY[API])
    applied = reservations.apply(connection, tools, said, replace(event, platform=API, property_ref=ref), now)
    assert applied is not None  # noqa: S101 - only what feeds say may be no stay
    return Told(applied.stay, is_new=known is None)


def known_as(connection: Connection, host: HostId, external_id: str) -> StayId | None:
    """The stay that the host's system calls so, told first by it or by another source."""
    return api_pages.told_as(connection, host, API, external_id)


def _named(connection: Connection, host: HostId, place: PropertyId, now: datetime) -> str:
    """How the property is named here: by its number."""
    row = hosts.properties(connection, [place]).get(place)
    if row is None or row.host != host:
        raise NoSuchProperty
    ref = str(place)
    if hosts.find_property(connection, host, API, ref) != place:
        reservations.name_property(connection, host, place, API, ref, now)
    return ref
