"""Properties as their host describes them, and the settings of codes: checked, changed, planned anew."""

from collections.abc import Mapping
from datetime import datetime, time
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, LockId, PropertyId
from lockbridge.domain.rules import is_language
from lockbridge.domain.settings import read_setting
from lockbridge.domain.stay import known_zone
from lockbridge.storage import hosts, stays
from lockbridge.storage.hosts import PropertyRow
from lockbridge.workflows import backup, reservations
from lockbridge.workflows.connect import BadInput, clean_name
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.preview import Change

LONGEST_NOTE = 2000
PLANNED_BY = ("zone", "country", "check_in", "check_out", "settings")
"""What stays are planned by: when another of a property's facts changes, no code does."""


class BadField(BadInput):
    """What was written into one field makes no sense."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@cache
def zones() -> tuple[str, ...]:
    """The names of time zones to choose from."""
    return tuple(
        sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/")))
    )


# ------------------------------------------------------------------------------------------------------------- check


def checked(said: Mapping[str, str]) -> dict[str, Any]:
    """What was said of a property, as it is stored: only what was said. Raises BadField."""
    return {name: _CHECKS[name](name, text.strip()) for name, text in said.items()}


def checked_settings(said: Mapping[str, object]) -> dict[str, Any]:
    """Settings of codes as somebody wrote them; what is left empty is as further up. Raises BadField."""
    found = {}
    for name, text in said.items():
        if str(text).strip() == "":
            continue
        try:
            found[name] = read_setting(name, text)
        except ValueError as error:
            raise BadField(name, f"{name.replace('_', ' ')}: {error}") from None
    return found


def _name(field: str, text: str) -> str:
    try:
        return clean_name(text, "the property's name")
    except BadInput as error:
        raise BadField(field, str(error)) from None


def _zone(field: str, text: str) -> str:
    if not known_zone(text):
        raise BadField(field, f"{text!r} is no time zone: write a name such as America/New_York or Europe/Berlin")
    return text


def _country(field: str, text: str) -> str | None:
    if text and not (len(text) == 2 and text.isascii() and text.isalpha()):  # noqa: PLR2004 - ISO 3166
        raise BadField(field, f"{text!r} is no country: write its two letters, such as US or DE")
    return text.upper() or None


def _time(field: str, text: str) -> str:
    try:
        return time.fromisoformat(text).isoformat("minutes")
    except ValueError:
        raise BadField(
            field, f"{text!r} is no time of day for {field.replace('_', '-')}: write it like 16:00"
        ) from None


def _note(field: str, text: str) -> str | None:
    if len(text) > LONGEST_NOTE:
        said = f"the {field.replace('_', ' ')} has {len(text)} characters: at most {LONGEST_NOTE}, please"
        raise BadField(field, said)
    return text or None


def _language(field: str, text: str) -> str | None:
    if text and not is_language(text):
        raise BadField(field, f"{text!r} is no language: write its two letters, such as de")
    return text or None


_CHECKS: Mapping[str, Any] = {
    "name": _name,
    "zone": _zone,
    "country": _country,
    "check_in": _time,
    "check_out": _time,
    "address": _note,
    "arrival_note": _note,
    "language": _language,
}
FACTS = tuple(_CHECKS)
"""What is said of a property, beside its settings of codes."""


# ------------------------------------------------------------------------------------------------------------ change


async def add(tools: Tools, host: HostId, values: Mapping[str, Any], now: datetime) -> PropertyId:
    """Add a property with these facts, checked before."""
    return await transact(tools, lambda c: hosts.add_property(c, host, {"settings": {}, **values}, now))


async def change(tools: Tools, host: HostId, place: PropertyId, values: Mapping[str, Any], now: datetime) -> None:
    """Change facts and settings of a property, checked before; its stays are planned again. Raises BadInput."""
    await transact(tools, lambda c: change_in(c, tools, host, place, values, now))


def change_in(
    connection: Connection, tools: Tools, host: HostId, place: PropertyId, values: Mapping[str, Any], now: datetime
) -> None:
    """:func:`change`, in the caller's transaction."""
    before = of_host(connection, host, place)
    hosts.change_property(connection, host, place, values)
    if any(getattr(before, name) != values[name] for name in PLANNED_BY if name in values):
        stays.replan_properties(connection, [place], now)
        backup.replenish(connection, tools, [lock for _, lock in hosts.matches(connection, [place])], now)


def of_host(connection: Connection, host: HostId, place: PropertyId) -> PropertyRow:
    """One property of this host. Raises BadInput."""
    row = hosts.properties(connection, [place]).get(place)
    if row is None or row.host != host:
        msg = f"this host has no property {place}"
        raise BadInput(msg)
    return row


def changing(host: HostId, place: PropertyId, values: Mapping[str, Any], now: datetime) -> Change:
    """The change of a property's facts and settings, to be previewed or made."""
    return lambda connection, tools: change_in(connection, tools, host, place, values, now)


def naming(host: HostId, place: PropertyId, platform: str, ref: str, now: datetime) -> Change:
    """The change by which a platform's name for a property becomes known: stays that came under it get their codes."""

    def name(connection: Connection, tools: Tools) -> None:
        of_host(connection, host, place)
        _check_ref(connection, tools, host, place, platform, ref)
        reservations.name_property(connection, host, place, platform, ref, now)

    return name


def _check_ref(connection: Connection, tools: Tools, host: HostId, place: PropertyId, platform: str, ref: str) -> None:
    if platform not in tools.platforms:
        raise BadField(field="platform", message=f"{platform!r} is no booking platform here")
    if not ref or len(ref) > LONGEST_NOTE:
        raise BadField(field="ref", message="write how the platform names the property: its number or id there")
    other = hosts.find_property(connection, host, platform, ref)
    if other is not None and other != place:
        named = of_host(connection, host, other).name
        raise BadField(field="ref", message=f"the platform's {ref!r} is {named} already: take it off there first")


async def forget_ref(tools: Tools, host: HostId, place: PropertyId, platform: str, ref: str) -> bool:
    """Forget how a platform names a property; the stays that came keep it. False: it is not named so."""
    return await transact(tools, lambda c: hosts.drop_property_ref(c, host, place, platform, ref))


async def move_door(tools: Tools, host: HostId, place: PropertyId, lock: LockId, *, up: bool) -> bool:
    """Have a guest come to a lock one door earlier or later. False: it is not a door of this property."""
    return await transact(tools, lambda c: _move_door(c, host, place, lock, up=up))


def _move_door(connection: Connection, host: HostId, place: PropertyId, lock: LockId, *, up: bool) -> bool:
    of_host(connection, host, place)
    doors = [each for _, each in hosts.matches(connection, [place])]
    if lock not in doors:
        return False
    old = doors.index(lock)
    doors.insert(max(0, old + (-1 if up else 1)), doors.pop(old))
    hosts.order_doors(connection, host, place, doors)
    return True
