"""Whether webhooks are heard: what came to each address of a host, and what was refused there and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from lockbridge.domain.ids import EndpointId, HostId, SourceId
from lockbridge.domain.messages import HostAlarm
from lockbridge.storage import addresses, journal, sources
from lockbridge.storage.addresses import AddressRow, Heard
from lockbridge.storage.hosts import EndpointRow
from lockbridge.workflows import connect
from lockbridge.workflows.connect import Address, BadInput
from lockbridge.workflows.ports import Tools, transact


class Ear(StrEnum):
    """What is known of an address."""

    WAITING = "waiting"
    """Nothing came yet."""
    HEARD = "heard"
    REFUSED = "refused"
    """What came last was not proved to be genuine."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """One address and what came there; ``refused`` and ``why`` are of the last trouble with signatures."""

    id: EndpointId
    platform: str
    title: str
    source: SourceId | None
    since: datetime
    heard: Heard | None
    refused: datetime | None = None
    why: str = ""

    @property
    def ear(self) -> Ear:
        """What to say of it: trouble counts as long as nothing good came after it."""
        if self.refused is not None and (self.heard is None or self.heard.at <= self.refused):
            return Ear.REFUSED
        return Ear.WAITING if self.heard is None else Ear.HEARD


def of_host(connection: Connection, tools: Tools, host: HostId) -> list[Hearing]:
    """All addresses of a host for booking platforms."""
    alarms = {each.key: each for each in journal.open_alarms(connection, host)}
    found = []
    for row in addresses.of_host(connection, host):
        wrong = alarms.get(f"{HostAlarm.BAD_SIGNATURE.value}:endpoint-{row.id}")
        trouble = (wrong.began_at, str(wrong.facts.get("reason", ""))) if wrong is not None else (None, "")
        found.append(Hearing(row.id, row.platform, title(tools, row), row.source, row.since, row.heard, *trouble))
    return found


def title(tools: Tools, row: AddressRow) -> str:
    """What its sender is called."""
    known = tools.platforms.get(row.platform)
    return known.title if known is not None else row.platform


def one(connection: Connection, tools: Tools, host: HostId, endpoint: EndpointId) -> Hearing | None:
    """One address of a host; None when it is not theirs."""
    return next((each for each in of_host(connection, tools, host) if each.id == endpoint), None)


def by_source(hearings: list[Hearing]) -> Mapping[SourceId, list[Hearing]]:
    """The addresses of each connected account."""
    found: dict[SourceId, list[Hearing]] = {}
    for each in hearings:
        if each.source is not None:
            found.setdefault(each.source, []).append(each)
    return found


async def add_address(
    tools: Tools, host: HostId, platform: str, secret: str | None, now: datetime, source: SourceId | None = None
) -> Address:
    """Make an address for a platform's webhooks; alone only where what they say can be believed. Raises BadInput."""
    known = tools.platforms.get(platform)
    if known is not None and known.hook is not None and known.hook.secret_is_address and source is None:
        msg = f"{known.title} signs nothing, so its webhooks are only hints: connect its account, too"
        raise BadInput(msg)
    return await connect.add_address(tools, host, platform, secret, now, source=source)


async def change_secret(tools: Tools, host: HostId, endpoint: EndpointId, secret: str) -> None:
    """Enter the secret that a platform gave for an address. Raises BadInput when it cannot be used."""
    row = await tools.database.ask(addresses.get, tools.vault, host, endpoint)
    if row is None:
        msg = f"this host has no webhook address {endpoint}"
        raise BadInput(msg)
    hook = tools.platforms[row.platform].hook
    assert hook is not None  # noqa: S101 - it has an address
    if hook.secret_is_address:
        msg = f"{hook.title} has no secret of its own: its address is all the proof there is"
        raise BadInput(msg)
    if problem := hook.secret_problem(secret):
        msg = f"the secret cannot be used: {problem}"
        raise BadInput(msg)
    await transact(tools, lambda c: addresses.change_secret(c, tools.vault, host, endpoint, secret))


def endpoint_of(connection: Connection, tools: Tools, host: HostId, platform: str) -> EndpointRow | None:
    """The latest address of a platform that belongs to no account, to knock at ourselves."""
    mine = [row.id for row in addresses.of_host(connection, host) if row.platform == platform and row.source is None]
    return addresses.get(connection, tools.vault, host, mine[-1]) if mine else None


def source_names(connection: Connection, tools: Tools, host: HostId) -> Mapping[SourceId, str]:
    """What a host calls its accounts and calendars."""
    return {row.id: row.name for row in sources.of_host(connection, tools.vault, host)}
