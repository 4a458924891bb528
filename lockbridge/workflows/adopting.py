"""What a connected account shows: its properties, to be added or matched with those there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from lockbridge.domain.ids import PropertyId
from lockbridge.platforms.contract import FoundProperty
from lockbridge.storage import hosts
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.sources import SourceRow
from lockbridge.workflows import connect, reservations
from lockbridge.workflows.connect import BadInput, NewProperty
from lockbridge.workflows.ports import Tools, transact

NEW = "new"
LEAVE = ""


@dataclass(frozen=True, slots=True)
class Adoptable:
    """A property of the account. ``known``: which of the host's it is; ``likely``: which it may be, by its name."""

    found: FoundProperty
    known: PropertyId | None
    likely: PropertyId | None


async def properties_of(tools: Tools, source: SourceRow) -> Sequence[FoundProperty]:
    """The account's properties as it shows them now. Raises ProviderError."""
    return await tools.sources.of(source).properties()


def compared(connection: Connection, source: SourceRow, found: Sequence[FoundProperty]) -> list[Adoptable]:
    """The account's properties beside the host's."""
    refs = {
        external: place
        for place, platform, external in hosts.refs_of_host(connection, source.host)
        if platform == source.platform
    }
    named = {_plain(row.name): row.id for row in hosts.properties_of_host(connection, source.host)}
    return [Adoptable(each, refs.get(each.ref), named.get(_plain(each.name))) for each in found]


def _plain(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


@dataclass(frozen=True, slots=True)
class Adopted:
    """How many properties were added, and how many of the host's were given their name at the platform."""

    added: int = 0
    matched: int = 0


async def adopt(
    tools: Tools,
    source: SourceRow,
    found: Sequence[FoundProperty],
    chosen: Mapping[str, str],
    zone: str,
    now: datetime,
) -> Adopted:
    """Do as chosen with each of the account's properties: ``new``, the number of one of the host's, or leave it.

    ``zone`` is for those of which the platform says none. Raises BadInput; then what came before it is done.
    """
    mine = {row.id: row for row in await tools.database.ask(hosts.properties_of_host, source.host)}
    added = matched = 0
    for each in found:
        wish = chosen.get(each.ref, LEAVE)
        if wish == NEW:
            await connect.add_property(tools, source.host, _new(each, zone), [(source.platform, each.ref)], now)
            added += 1
        elif wish:
            await _name(tools, source, _mine(mine, wish), each.ref, now)
            matched += 1
    return Adopted(added, matched)


def _new(found: FoundProperty, zone: str) -> NewProperty:
    usual = NewProperty(found.name, found.zone or zone, found.country)
    check_in = f"{found.check_in:%H:%M}" if found.check_in else usual.check_in
    check_out = f"{found.check_out:%H:%M}" if found.check_out else usual.check_out
    return NewProperty(found.name, usual.zone, found.country, check_in, check_out)


def _mine(mine: Mapping[PropertyId, PropertyRow], wish: str) -> PropertyId:
    number = PropertyId(int(wish)) if wish.isdecimal() else PropertyId(0)
    if number not in mine:
        msg = "one of the chosen properties is not yours: load the page again"
        raise BadInput(msg)
    return number


async def _name(tools: Tools, source: SourceRow, place: PropertyId, ref: str, now: datetime) -> None:
    await transact(tools, lambda c: reservations.name_property(c, source.host, place, source.platform, ref, now))
