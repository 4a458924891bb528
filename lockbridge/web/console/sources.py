"""Where bookings come from: connected accounts and calendars, webhook addresses, and what came to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from lockbridge.contract import FormField, ProviderError
from lockbridge.domain.ids import DeliveryId, EndpointId, HostId, PropertyId
from lockbridge.domain.people import Right
from lockbridge.inbound import Unreadable
from lockbridge.platforms.contract import FoundProperty, Platform
from lockbridge.services import Services
from lockbridge.storage import hosts, inbox, sources, stays
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.inbox import Line
from lockbridge.storage.sources import SourceRow
from lockbridge.storage.stays import Brief
from lockbridge.web.console.once import Shown, show_once, shown_once
from lockbridge.web.desk import Connecting, Desk, NotHere, Number, Replaying, Seeing
from lockbridge.workflows import adopting, connect, hearing, receive
from lockbridge.workflows import sources as connecting
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.hearing import Hearing

router = APIRouter()
PART = "sources"
MOST_SHOWN = 20
PAGE = 50
STATES = ("waiting", "done", "ignored", "dead")
LOOK_BACK = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Listed:
    """A source as the list shows it."""

    row: SourceRow
    title: str
    place: PropertyRow | None
    hearings: Sequence[Hearing]
    has_hook: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything stays come from."""

    listed: Sequence[Listed]
    alone: Sequence[Hearing]
    """Addresses that belong to no account."""
    dead: int
    """How many webhooks were given up, of the latest."""


def overview(connection: Connection, services: Services, host: HostId) -> Overview:
    """Everything a host's stays come from."""
    rows = sources.of_host(connection, services.vault, host)
    every = hearing.of_host(connection, services, host)
    mine = hearing.by_source(every)
    places = {place.id: place for place in hosts.properties_of_host(connection, host)}
    listed = [_listed(services, row, places, mine.get(row.id, ())) for row in rows]
    dead = inbox.lines(connection, host, state="dead", before=None, limit=PAGE)
    return Overview(listed, [each for each in every if each.source is None], len(dead))


def _listed(
    services: Services, row: SourceRow, places: Mapping[PropertyId, PropertyRow], hearings: Sequence[Hearing]
) -> Listed:
    platform = services.platforms.get(row.platform)
    place = places.get(row.property) if row.property is not None else None
    has_hook = platform is not None and platform.hook is not None
    return Listed(row, platform.title if platform else row.platform, place, hearings, has_hook)


@router.get("/sources")
async def list_sources(desk: Seeing) -> Response:
    """Where bookings come from, and whether all of it works."""
    found = await desk.services.database.ask(overview, desk.services, desk.host)
    return desk.page("console/sources/list.html", {"part": PART, "found": found})


# -------------------------------------------------------------------------------------------------------- connecting


def platform_of(desk: Desk, key: str) -> Platform:
    """A booking platform by its key in a path."""
    known = desk.services.platforms.get(key)
    if known is None or not is_connectable(known):
        raise NotHere
    return known


def is_connectable(platform: Platform) -> bool:
    """Whether bookings come from it by themselves: imported sheets are no platform to connect."""
    return platform.hook is not None or platform.connect is not None or platform.feed is not None


@router.get("/sources/new")
async def choose(desk: Connecting) -> Response:
    """The booking platforms there are."""
    able = [platform for platform in desk.services.platforms.values() if is_connectable(platform)]
    every = sorted(able, key=lambda platform: platform.title.casefold())
    return desk.page("console/sources/choose.html", {"part": PART, "platforms": every})


@router.get("/sources/new/{key}")
async def ask(desk: Connecting, key: str) -> Response:
    """The form of a platform."""
    return await _form(desk, platform_of(desk, key), {})


async def _form(
    desk: Desk, platform: Platform, typed: Mapping[str, str], *, error: str = "", status: int = 200
) -> Response:
    places = await desk.services.database.ask(hosts.properties_of_host, desk.host)
    options = [("", "Choose a property"), *((place.id, place.name) for place in places)]
    shown = {"part": PART, "platform": platform, "typed": typed, "error": error, "places": places, "options": options}
    return desk.page("console/sources/connect.html", shown, status=status)


@router.post("/sources/new/{key}")
async def connect_one(desk: Connecting, key: str) -> Response:
    """Connect an account or a calendar, or make an address alone. Nothing is stored when it does not let us in."""
    platform = platform_of(desk, key)
    try:
        if desk.text("way") == "webhook":
            return await _address_alone(desk, platform)
        if platform.feed is not None:
            return await _feed(desk, platform)
        return await _account(desk, platform)
    except (BadInput, ProviderError, Unreadable) as error:
        return await _form(desk, platform, typed_of(desk, platform), error=str(error), status=422)


def typed_of(desk: Desk, platform: Platform) -> dict[str, str]:
    """What was typed and may be shown again: no secrets."""
    answers = {field.name: desk.text(f"set-{field.name}") for field in platform.fields if not field.secret}
    return {**answers, "name": desk.text("name"), "property": desk.text("property")}


def answers(desk: Desk, fields: Sequence[FormField], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """The form, filled in: an empty secret is what was known before. Raises BadInput, naming what is missing."""
    return {field.name: _answer(desk, field, known or {}) for field in fields}


def _answer(desk: Desk, field: FormField, known: Mapping[str, str]) -> str:
    given = desk.text(f"set-{field.name}")
    if not given and field.secret and field.name in known:
        return known[field.name]
    if given:
        return given
    if field.default is None:
        msg = f"“{field.label}” is empty: {field.help or 'it is needed'}"
        raise BadInput(msg)
    return field.default


async def _account(desk: Desk, platform: Platform) -> Response:
    if platform.connect is None:
        return await _address_alone(desk, platform)
    name = connect.clean_name(desk.text("name") or platform.title, "the name")
    settings = answers(desk, platform.fields)
    secret = _secret(desk, platform)
    made = await connecting.connect_account(desk.services, desk.host, platform.key, name, settings, desk.now)
    await desk.note("connected", f"{name} ({platform.title})")
    answer = desk.go(f"{desk.base}/sources/{made.source.id}/properties", f"{name} is connected.")
    if platform.hook is None:
        return answer
    address = await hearing.add_address(desk.services, desk.host, platform.key, secret, desk.now, made.source.id)
    return show_once(desk, answer, address, given=secret is not None)


def _secret(desk: Desk, platform: Platform) -> str | None:
    """The secret the sender signs with, where the host has one already. Raises BadInput."""
    given = desk.text("secret")
    if not given or platform.hook is None or platform.hook.secret_is_address:
        return None
    if problem := platform.hook.secret_problem(given):
        msg = f"the secret cannot be used: {problem}"
        raise BadInput(msg)
    return given


async def _feed(desk: Desk, platform: Platform) -> Response:
    chosen = desk.number("property")
    if not chosen:
        msg = "a calendar belongs to a property: choose which, or add the property first"
        raise BadInput(msg)
    name = connect.clean_name(desk.text("name") or platform.title, "the name")
    settings = answers(desk, platform.fields)
    made = await connecting.connect_feed(
        desk.services, desk.host, platform.key, PropertyId(chosen), name, settings, desk.now
    )
    await desk.note("connected", f"{name} ({platform.title})")
    said = f"{name} is connected: {len(made.read.events)} entries. {' '.join(made.read.remarks)}".strip()
    if not made.read.unattended:
        said += " It does not tell bookings from closed days: confirm its stays that are bookings."
    return desk.go(f"{desk.base}/sources/{made.source.id}", said)


async def _address_alone(desk: Desk, platform: Platform) -> Response:
    secret = _secret(desk, platform)
    address = await hearing.add_address(desk.services, desk.host, platform.key, secret, desk.now)
    await desk.note("made a webhook address", platform.title)
    return show_once(desk, desk.go(f"{desk.base}/sources/addresses/{address.id}"), address, given=secret is not None)


# ---------------------------------------------------------------------------------------------------------- addresses


@router.get("/sources/addresses/{endpoint}")
async def show_address(desk: Seeing, endpoint: int) -> Response:
    """An address: what to paste where, while it is new, and whether anything was heard there."""
    return await _address_page(desk, endpoint)


async def _address_page(desk: Desk, endpoint: int, *, error: str = "", status: int = 200) -> Response:
    found = await desk.services.database.ask(hearing.one, desk.services, desk.host, EndpointId(endpoint))
    if found is None:
        raise NotHere
    hook = desk.services.platforms[found.platform].hook
    shown = {"part": PART, "hearing": found, "hook": hook, "error": error, "once": once_of(desk, found.id)}
    return desk.page("console/sources/address.html", shown, status=status)


def once_of(desk: Desk, endpoint: EndpointId) -> Shown | None:
    """The address and secret of an endpoint, in the browser that has just made it."""
    once = shown_once(desk)
    return once if once is not None and once.endpoint == endpoint else None


@router.post("/sources/addresses/{endpoint}/secret")
async def set_secret(desk: Connecting, endpoint: int) -> Response:
    """Enter the secret that the platform gave for the address."""
    if await desk.services.database.ask(hearing.one, desk.services, desk.host, EndpointId(endpoint)) is None:
        raise NotHere
    try:
        await hearing.change_secret(desk.services, desk.host, EndpointId(endpoint), desk.text("secret"))
    except BadInput as error:
        return await _address_page(desk, endpoint, error=str(error), status=422)
    await desk.note("entered the secret of", f"webhook address {endpoint}")
    return desk.go(f"{desk.base}/sources/addresses/{endpoint}", "The secret is stored; it is used from now on.")


# --------------------------------------------------------------------------------------------------------- one source


async def source_of(desk: Desk, number: int) -> SourceRow:
    """One source of this host."""
    rows = await desk.services.database.ask(sources.of_host, desk.services.vault, desk.host)
    found = next((row for row in rows if row.id == number), None)
    if found is None:
        raise NotHere
    return found


@router.get("/sources/{source}")
async def show_source(desk: Seeing, source: int) -> Response:
    """A source: its state, what it showed, and what can be done about it."""
    return await _source_page(desk, await source_of(desk, source), {})


async def _source_page(
    desk: Desk, row: SourceRow, typed: Mapping[str, str], *, error: str = "", status: int = 200
) -> Response:
    listed, seen = await desk.services.database.ask(_around, desk.services, row, desk.now)
    platform = desk.services.platforms.get(row.platform)
    known = dict(row.settings) if desk.may(Right.CONNECT) else {}
    open_answers = (
        {field.name: known.get(field.name, "") for field in platform.fields if not field.secret} if platform else {}
    )
    shown = {
        "part": PART,
        "listed": listed,
        "source": row,
        "platform": platform,
        "seen": seen[:MOST_SHOWN],
        "more": max(0, len(seen) - MOST_SHOWN),
        "typed": {**open_answers, **typed},
        "once": shown_once(desk),
        "error": error,
    }
    return desk.page("console/sources/source.html", shown, status=status)


def _around(connection: Connection, services: Services, row: SourceRow, now: Any) -> tuple[Listed, list[Brief]]:
    every = hearing.by_source(hearing.of_host(connection, services, row.host))
    places = {place.id: place for place in hosts.properties_of_host(connection, row.host)}
    seen = stays.brief_of_source(connection, row.id, (now - LOOK_BACK).date())
    seen.sort(key=lambda each: (each.arrival, each.external_id))
    return _listed(services, row, places, every.get(row.id, ())), seen


@router.post("/sources/{source}/read")
async def read_now(desk: Connecting, source: int) -> Response:
    """Have it read with the next tick: what changed, or everything."""
    row = await source_of(desk, source)
    whole = desk.checked("whole")
    try:
        await connecting.read_soon(desk.services, row, desk.now, whole=whole)
    except BadInput:
        words = f"{row.name} has to be connected again first."
        return desk.go(f"{desk.base}/sources/{source}", words, trouble=True)
    await desk.note("had read whole" if whole else "had read", row.name)
    return desk.go(f"{desk.base}/sources/{source}", "It is read within a few seconds; this page shows when.")


@router.post("/sources/{source}/reconnect")
async def reconnect(desk: Connecting, source: int) -> Response:
    """Give it another password or address; a secret left empty stays what it was."""
    row = await source_of(desk, source)
    platform = platform_of(desk, row.platform)
    try:
        settings = answers(desk, platform.fields, row.settings)
        await connecting.reconnect(desk.services, row, settings, desk.now)
    except (BadInput, ProviderError, Unreadable) as error:
        return await _source_page(desk, row, typed_of(desk, platform), error=str(error), status=422)
    await desk.note("connected again", row.name)
    return desk.go(f"{desk.base}/sources/{source}", f"{row.name} lets us in; it is read now.")


@router.post("/sources/{source}/address")
async def another_address(desk: Connecting, source: int) -> Response:
    """Make a webhook address for an account: the first, or another one when the first was lost."""
    row = await source_of(desk, source)
    platform = platform_of(desk, row.platform)
    if platform.hook is None:
        raise NotHere
    try:
        secret = _secret(desk, platform)
        address = await hearing.add_address(desk.services, desk.host, row.platform, secret, desk.now, row.id)
    except BadInput as error:
        return await _source_page(desk, row, {}, error=str(error), status=422)
    await desk.note("made a webhook address", row.name)
    answer = desk.go(f"{desk.base}/sources/addresses/{address.id}")
    return show_once(desk, answer, address, given=secret is not None)


@router.get("/sources/{source}/properties")
async def show_properties(desk: Connecting, source: int) -> Response:
    """The properties the account shows, beside those there are."""
    row = await source_of(desk, source)
    if row.property is not None:
        return desk.go(f"{desk.base}/sources/{source}")
    try:
        found = await adopting.properties_of(desk.services, row)
    except ProviderError as error:
        return desk.go(f"{desk.base}/sources/{source}", f"Its properties could not be read: {error}", trouble=True)
    return await _properties_page(desk, row, found)


async def _properties_page(
    desk: Desk, row: SourceRow, found: Sequence[FoundProperty], *, error: str = "", status: int = 200
) -> Response:
    compared, places = await desk.services.database.ask(_compared, row, found)
    zones = [zone for zone in (*(each.zone for each in found), *(place.zone for place in places)) if zone]
    shown = {
        "part": PART,
        "source": row,
        "compared": compared,
        "places": places,
        "zone": desk.text("zone") or (zones[0] if zones else ""),
        "needs_zone": any(each.zone is None for each in found),
        "error": error,
    }
    return desk.page("console/sources/properties.html", shown, status=status)


def _compared(
    connection: Connection, row: SourceRow, found: Sequence[FoundProperty]
) -> tuple[list[adopting.Adoptable], list[PropertyRow]]:
    return adopting.compared(connection, row, found), hosts.properties_of_host(connection, row.host)


@router.post("/sources/{source}/properties")
async def adopt(desk: Connecting, source: int) -> Response:
    """Add or match the account's properties as chosen; bookings that came before get theirs now."""
    row = await source_of(desk, source)
    found = await adopting.properties_of(desk.services, row)
    chosen = {each.ref: desk.text(f"place-{each.ref}") for each in found}
    try:
        done = await adopting.adopt(desk.services, row, found, chosen, desk.text("zone"), desk.now)
    except BadInput as error:
        return await _properties_page(desk, row, found, error=str(error), status=422)
    await desk.note("took in the properties of", row.name)
    said = f"{done.added} added, {done.matched} matched. Now say which locks open them, under Properties."
    return desk.go(f"{desk.base}/sources/{source}", said)


# --------------------------------------------------------------------------------------------------------- the inbox


@dataclass(frozen=True, slots=True)
class Came:
    """A webhook and what became of it, in words."""

    line: Line
    title: str
    words: str


@router.get("/inbox")
async def show_inbox(desk: Seeing, state: str = "", before: Number = 0) -> Response:
    """The webhooks that came, the latest first: what became of each, not what it says."""
    wanted = state if state in STATES else None
    found = await desk.services.database.ask(
        inbox.lines, desk.host, state=wanted, before=DeliveryId(before) if before else None, limit=PAGE + 1
    )
    came = [Came(line, _sender(desk, line.platform), _became(line)) for line in found[:PAGE]]
    last = came[-1].line.id if len(found) > PAGE else None
    shown = {"part": PART, "came": came, "state": wanted or "", "states": STATES, "next": last, "before": before}
    return desk.page("console/sources/inbox.html", shown)


def _sender(desk: Desk, key: str) -> str:
    platform = desk.services.platforms.get(key)
    return platform.title if platform is not None else key


def _became(line: Line) -> str:
    if line.state == "waiting":
        return f"read again soon: {line.error}" if line.error else "to be read in a moment"
    if line.state == "dead":
        return f"given up after {line.attempts} tries: {line.error}"
    return "read" if line.state == "done" else "read: nothing in it is about a stay"


@router.post("/inbox/replay")
async def replay_dead(desk: Replaying) -> Response:
    """Have all webhooks that were given up read again."""
    count = await receive.replay(desk.services, desk.host, desk.now)
    await desk.note("had read again", f"{count} webhooks that were given up")
    return desk.go(f"{desk.base}/inbox", f"{count} to be read again." if count else "There is none to be read again.")


@router.post("/inbox/{delivery}/replay")
async def replay_one(desk: Replaying, delivery: int) -> Response:
    """Have one webhook read again."""
    if not await receive.replay(desk.services, desk.host, desk.now, delivery=DeliveryId(delivery)):
        raise NotHere
    await desk.note("had read again", f"webhook {delivery}")
    return desk.go(f"{desk.base}/inbox", f"Webhook {delivery} is read again in a moment.")
