"""A property that a host's own system describes, with the names that booking platforms have for it: all or nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, PropertyId
from lockbridge.storage import hosts
from lockbridge.workflows import properties
from lockbridge.workflows.ports import Tools, transact

Refs: TypeAlias = Sequence[tuple[str, str]]
"""Platform, and its name for the property."""


async def add(tools: Tools, host: HostId, values: Mapping[str, Any], refs: Refs, now: datetime) -> PropertyId:
    """Add a property; stays that came under one of the names get it. Raises BadField."""
    return await transact(tools, lambda c: _add(c, tools, host, values, refs, now))


def _add(
    connection: Connection, tools: Tools, host: HostId, values: Mapping[str, Any], refs: Refs, now: datetime
) -> PropertyId:
    place = hosts.add_property(connection, host, values, now)
    _name(connection, tools, host, place, refs, now)
    return place


async def change(
    tools: Tools, host: HostId, place: PropertyId, values: Mapping[str, Any], refs: Refs, now: datetime
) -> None:
    """Change some facts of a property, some of its ``settings``, and add names. Raises BadInput."""
    await transact(tools, lambda c: _change(c, tools, host, place, values, refs, now))


def _change(
    connection: Connection,
    tools: Tools,
    host: HostId,
    place: PropertyId,
    values: Mapping[str, Any],
    refs: Refs,
    now: datetime,
) -> None:
    before = properties.of_host(connection, host, place)
    merged = {**before.settings, **values.get("settings", {})}
    settings = {name: value for name, value in merged.items() if value is not None}
    if values:
        properties.change_in(connection, tools, host, place, {**values, "settings": settings}, now)
    _name(connection, tools, host, place, refs, now)


def _name(connection: Connection, tools: Tools, host: HostId, place: PropertyId, refs: Refs, now: datetime) -> None:
    for platform, ref in refs:
        properties.naming(host, place, platform, ref, now)(connection, tools)
