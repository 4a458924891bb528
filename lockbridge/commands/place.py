"""``lockbridge property``: the places that are rented, and which locks open them."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from lockbridge.commands.answers import pairs
from lockbridge.commands.session import HostOption, JsonOption, run, the_host
from lockbridge.commands.show import as_json, moment, say, table, working
from lockbridge.domain.ids import HostId, LockId, PropertyId
from lockbridge.domain.pins import PinMode
from lockbridge.domain.placement import Placement
from lockbridge.domain.settings import CodeSettings
from lockbridge.platforms import PLATFORMS
from lockbridge.services import Services
from lockbridge.storage import hosts, locks
from lockbridge.workflows import connect
from lockbridge.workflows.connect import BadInput, NewProperty
from lockbridge.workflows.preview import Preview, preview_match

app = typer.Typer(no_args_is_help=True)

PropertyArgument = Annotated[int, typer.Argument(metavar="PROPERTY", help="Its number, as `property list` shows it.")]
LocksArgument = Annotated[list[int], typer.Argument(metavar="LOCK...", help="Numbers, as `lock list` shows them.")]
PreviewOption = Annotated[bool, typer.Option("--preview", help="Only show what would be done to each lock.")]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting of [codes] that is different here."),
]


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What you call it.")],
    zone: Annotated[str, typer.Option(help="Its time zone, such as Europe/Berlin.")],
    country: Annotated[
        str | None, typer.Option(help="Its country (two letters), for phone numbers without one.")
    ] = None,
    check_in: Annotated[str, typer.Option(help="The usual time of arrival, local.")] = "16:00",
    check_out: Annotated[str, typer.Option(help="The usual time of departure, local.")] = "11:00",
    ref: Annotated[
        list[str] | None, typer.Option(metavar="PLATFORM:ID", help="How a platform names it. May be given again.")
    ] = None,
    given: SettingsOption = None,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Add a property. Bookings that came before it was known get it now."""
    refs = [_ref(text) for text in ref or []]
    new = NewProperty(name, zone, country, check_in, check_out, code_settings(given or []))

    async def work(built: Services) -> PropertyId:
        return await connect.add_property(built, await the_host(built, host), new, refs, built.clock.now())

    place = run(context, work)
    if json:
        as_json({"property": place})
    else:
        say(f"added property {place}, {name}; now say which locks open it: lockbridge property match {place} LOCK …")


def _ref(text: str) -> tuple[str, str]:
    platform, _, external = text.partition(":")
    if platform not in PLATFORMS or not external:
        msg = f"--ref {text!r} is not PLATFORM:ID; platforms are {', '.join(sorted(PLATFORMS))}"
        raise BadInput(msg)
    return platform, external


def code_settings(given: Sequence[str]) -> dict[str, Any]:
    """``name=value`` texts as settings of codes. Raises BadInput."""
    return {name: _setting(name, value) for name, value in pairs(given, "--set").items()}


def _setting(name: str, value: str) -> Any:
    kinds = {field.name: type(getattr(CodeSettings(), field.name)) for field in fields(CodeSettings)}
    if name not in kinds:
        msg = f"there is no setting {name!r} of codes: there are {', '.join(kinds)}"
        raise BadInput(msg)
    words = {"true": True, "false": False}
    if kinds[name] is bool and value in words:
        return words[value]
    if kinds[name] is PinMode and value in set(PinMode):
        return value
    if kinds[name] is int and value.isdecimal():
        return int(value)
    allowed = {bool: "true or false", PinMode: "phone or random", int: "a whole number"}[kinds[name]]
    msg = f"--set {name}={value}: it is {allowed}"
    raise BadInput(msg)


@app.command("list")
def list_properties(context: typer.Context, host: HostOption = None, json: JsonOption = False) -> None:
    """List a host's properties, how platforms name them, and which locks open them."""

    async def work(built: Services) -> list[dict[str, Any]]:
        return await built.database.ask(_properties, await the_host(built, host))

    rows = run(context, work)
    if json:
        as_json(rows)
    else:
        table(rows, empty="there is no property yet: lockbridge property add --help")


def _properties(connection: Connection, host: HostId) -> list[dict[str, Any]]:
    places = hosts.properties_of_host(connection, host)
    refs = hosts.refs_of_host(connection, host)
    matched = hosts.matches(connection, [place.id for place in places])
    names: Mapping[LockId, str] = {row.id: row.name for row in locks.locks_of_host(connection, host)}
    return [
        {
            "property": place.id,
            "name": place.name,
            "zone": place.zone,
            "times": f"{place.check_in}-{place.check_out}",
            "refs": [f"{platform}:{external}" for key, platform, external in refs if key == place.id],
            "locks": [f"{lock} {names[lock]}" for key, lock in matched if key == place.id],
            "settings": [f"{name}={value}" for name, value in place.settings.items()],
        }
        for place in places
    ]


@app.command("set")
def set_settings(
    context: typer.Context,
    place: PropertyArgument,
    given: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE...", help="All that is different here; none: nothing is.")
    ] = None,
    host: HostOption = None,
) -> None:
    """Say which settings of [codes] are different for a property; its codes are planned anew."""
    settings = code_settings(given or [])

    async def work(built: Services) -> None:
        owner = await the_host(built, host)
        await _its_property(built, owner, place)
        await connect.change_settings(built, owner, PropertyId(place), settings, built.clock.now())

    run(context, work)
    say(f"property {place}: {', '.join(f'{name}={value}' for name, value in settings.items()) or 'the usual settings'}")


async def _its_property(built: Services, host: HostId, place: int) -> None:
    every = await built.database.ask(hosts.properties_of_host, host)
    if place not in {row.id for row in every}:
        msg = f"this host has no property {place}: 'lockbridge property list' shows them"
        raise BadInput(msg)


@app.command()
def match(
    context: typer.Context,
    place: PropertyArgument,
    numbers: LocksArgument,
    preview: PreviewOption = False,
    host: HostOption = None,
) -> None:
    """Say that locks open a property: codes for its bookings, and backup codes, go on them."""
    _change(context, place, numbers, host, matched=True, preview=preview)


@app.command()
def unmatch(
    context: typer.Context,
    place: PropertyArgument,
    numbers: LocksArgument,
    preview: PreviewOption = False,
    host: HostOption = None,
) -> None:
    """Say that locks open a property no more: what lockbridge made for it comes off them."""
    _change(context, place, numbers, host, matched=False, preview=preview)


def _change(
    context: typer.Context, place: int, numbers: Sequence[int], host: int | None, *, matched: bool, preview: bool
) -> None:
    async def show(built: Services) -> list[Preview]:
        owner, now = await the_host(built, host), built.clock.now()
        ids = [LockId(number) for number in numbers]
        return [await preview_match(built, owner, PropertyId(place), lock, now, matched=matched) for lock in ids]

    async def change(built: Services) -> list[bool]:
        owner, now = await the_host(built, host), built.clock.now()
        step = connect.match if matched else connect.unmatch
        return [await step(built, owner, PropertyId(place), LockId(number), now) for number in numbers]

    if preview:
        with working("reading the locks"):
            previews = run(context, show)
        for each in previews:
            tell_preview(each)
        return
    for number, news in zip(numbers, run(context, change), strict=True):
        say(_outcome(number, place, matched=matched, news=news))


def _outcome(lock: int, place: int, *, matched: bool, news: bool) -> str:
    if matched:
        return f"lock {lock} opens property {place}{'' if news else ' already: nothing was changed'}"
    return f"lock {lock} {'opens' if news else 'did not open'} property {place}{' no more' if news else ''}"


def tell_preview(each: Preview) -> None:
    """What would be wanted on a lock, and what would be asked of it now."""
    before = {placement.id: placement for placement in each.before}
    say(f"lock {each.lock.id}, {each.lock.name}: nothing was changed; this is what would be")
    if each.unread:
        say(f"  it could not be read, so this is told from memory: {each.unread}")
    known = {placement.id: placement for placement in each.wanted}
    for placement in each.wanted:
        if placement != before.get(placement.id):
            say(f"  plan   {_words(placement)}")
    for action in each.plan.actions:
        say(f"  {action.verb.value:<6} {known[action.placement].name}: {action.why}")
    if each.plan.refused:
        say(f"  but this would be refused: {each.plan.refused}")
    if not each.plan.actions:
        say("  nothing would be asked of the lock now")


def _words(placement: Placement) -> str:
    ends = moment(placement.window.ends) if placement.window.ends else "without end"
    window = f"{moment(placement.window.starts)} to {ends}"
    if placement.ended:
        return f"{placement.name} ({placement.kind.value}) comes off: {placement.ended.value}"
    return f"{placement.name} ({placement.kind.value}), {window}, on the lock from {moment(placement.push_at)}"
