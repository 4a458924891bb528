"""Connecting what stays come from: accounts on booking platforms, and calendar feeds of properties."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from lockbridge.contract import Grant
from lockbridge.domain.ids import HostId, PropertyId, SourceId
from lockbridge.domain.messages import HostAlarm
from lockbridge.domain.stay import to_local
from lockbridge.platforms.contract import FeedRead, FoundProperty, Platform
from lockbridge.storage import accounts, hosts, sources
from lockbridge.storage.accounts import StoredToken
from lockbridge.storage.hosts import Credentials, PropertyRow
from lockbridge.storage.sources import CONNECTED, SourceRow
from lockbridge.workflows import alarms
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.ports import Tools, transact


@dataclass(frozen=True, slots=True)
class ConnectedAccount:
    """A newly connected account, and the properties it shows."""

    source: SourceRow
    properties: Sequence[FoundProperty]


@dataclass(frozen=True, slots=True)
class ConnectedFeed:
    """A newly connected calendar, and its first read."""

    source: SourceRow
    read: FeedRead


def platform_of(tools: Tools, key: str) -> Platform:
    """A booking platform by its key. Raises BadInput."""
    known = tools.platforms.get(key)
    if known is None:
        msg = f"{key!r} is no booking platform here: one of {', '.join(sorted(tools.platforms))}"
        raise BadInput(msg)
    return known


async def connect_account(
    tools: Tools, host: HostId, key: str, name: str, settings: Mapping[str, str], now: datetime
) -> ConnectedAccount:
    """Connect an account and list its properties; its stays are read with the next tick.

    Raises ProviderError when the account does not let us in: then nothing is stored. Raises BadInput.
    """
    if platform_of(tools, key).connect is None:
        msg = f"{key} has no API to connect"
        raise BadInput(msg)
    draft = SourceRow(SourceId(0), host, key, name, None, Credentials(settings))
    client, token = tools.sources.draft(draft)
    found = await client.properties()
    stored = await transact(tools, lambda c: _store(c, tools, draft, token.grant, now))
    return ConnectedAccount(replace(draft, id=stored), found)


def _store(connection: Connection, tools: Tools, draft: SourceRow, grant: Grant | None, now: datetime) -> SourceId:
    """Store a source and the token it was tried with: some can be fetched only a few times a day."""
    source = sources.add(connection, tools.vault, draft, now)
    if grant is not None:
        token = StoredToken(accounts.digest(draft.settings), grant)
        accounts.put_token(connection, tools.vault, accounts.of_source(source), token)
    return source


async def connect_feed(
    tools: Tools, host: HostId, key: str, place: PropertyId, name: str, settings: Mapping[str, str], now: datetime
) -> ConnectedFeed:
    """Connect the calendar of a property after reading it once; its stays are taken in with the next tick.

    Raises ProviderError or Unreadable when it cannot be read: then nothing is stored. Raises BadInput.
    """
    if platform_of(tools, key).feed is None:
        msg = f"{key} is no calendar feed"
        raise BadInput(msg)
    home = await tools.database.ask(_home, host, place)
    draft = SourceRow(SourceId(0), host, key, name, place, Credentials(settings))
    tried = replace(draft, settings=Credentials({**settings, "zone": home.zone, "property": "0"}))
    read = await tools.sources.feed(tried).read({}, to_local(now, home.zone).date())
    assert read is not None  # noqa: S101 - without validators nothing can be unchanged
    source = await transact(tools, lambda c: _store_feed(c, tools, draft, now))
    return ConnectedFeed(replace(draft, id=source), read)


def _home(connection: Connection, host: HostId, place: PropertyId) -> PropertyRow:
    home = hosts.properties(connection, [place]).get(place)
    if home is None or home.host != host:
        msg = f"this host has no property {place}: `lockbridge property list` shows them"
        raise BadInput(msg)
    return home


def _store_feed(connection: Connection, tools: Tools, draft: SourceRow, now: datetime) -> SourceId:
    assert draft.property is not None  # noqa: S101 - the caller looked it up
    source = sources.add(connection, tools.vault, draft, now)
    hosts.add_property_ref(connection, draft.host, draft.property, draft.platform, str(source))
    return source


async def source_of(tools: Tools, host: HostId, number: int) -> SourceRow:
    """One source of this host. Raises BadInput."""
    found = await tools.database.ask(sources.by_ids, tools.vault, [SourceId(number)])
    row = found.get(SourceId(number))
    if row is None or row.host != host:
        msg = f"this host has no source {number}: `lockbridge platform list` shows them"
        raise BadInput(msg)
    return row


async def reconnect(
    tools: Tools, source: SourceRow, settings: Mapping[str, str], now: datetime
) -> Sequence[FoundProperty]:
    """Give a source other settings, or try the ones it has. Raises ProviderError: then it stays as it was."""
    draft = replace(source, settings=Credentials(settings))
    found, grant = await _tried(tools, draft, now)
    await transact(tools, lambda c: _reconnected(c, tools, draft, grant, now))
    return found


async def _tried(tools: Tools, draft: SourceRow, now: datetime) -> tuple[Sequence[FoundProperty], Grant | None]:
    if draft.property is None:
        client, token = tools.sources.draft(draft)
        return await client.properties(), token.grant
    home = await tools.database.ask(_home, draft.host, draft.property)
    tried = replace(draft, settings=Credentials({**draft.settings, "zone": home.zone, "property": str(draft.id)}))
    await tools.sources.feed(tried).read({}, to_local(now, home.zone).date())
    return [], None


def _reconnected(connection: Connection, tools: Tools, draft: SourceRow, grant: Grant | None, now: datetime) -> None:
    if sources.by_ids(connection, tools.vault, [draft.id])[draft.id].settings != draft.settings:
        sources.change_settings(connection, tools.vault, draft.id, draft.settings)
    if grant is not None:
        token = StoredToken(accounts.digest(draft.settings), grant)
        accounts.put_token(connection, tools.vault, accounts.of_source(draft.id), token)
    sources.reconnected(connection, draft.id, now)
    facts = {"source_name": draft.name, "since": alarms.moment(now)}
    over, about = HostAlarm.SOURCE_CONNECTED, f"source-{draft.id}"
    alarms.end(connection, draft.host, HostAlarm.SOURCE_DISCONNECTED, about, now, over=over, facts=facts)


async def read_soon(tools: Tools, source: SourceRow, now: datetime, *, whole: bool = False) -> None:
    """Have a source read with the next tick; ``whole``: everything, not only what has changed. Raises BadInput."""
    if source.state != CONNECTED:
        msg = f"{source.name} has to be connected again first"
        raise BadInput(msg)
    await transact(tools, lambda c: sources.read_soon(c, [source.id], now, whole=whole))
