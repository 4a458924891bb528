"""Properties: what is rented, and which locks open it."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Response
from pydantic import AfterValidator, Field, StrictBool, StringConstraints
from sqlalchemy import Connection

from lockbridge.domain.ids import LockId, PropertyId
from lockbridge.domain.people import Scope
from lockbridge.domain.pins import PinMode
from lockbridge.platforms import generic
from lockbridge.storage import api_pages, hosts, locks
from lockbridge.storage.hosts import PropertyRow
from lockbridge.web.api.calls import at, resource
from lockbridge.web.api.keys import Caller, Calling
from lockbridge.web.api.paging import Page, Pages
from lockbridge.web.api.problems import Kind, Problem, invalid, not_found
from lockbridge.web.api.shapes import Clock, LockNumber, Name, Note, PropertyNumber, Sent, Shown, Zone
from lockbridge.workflows import connect, describing, telling
from lockbridge.workflows.properties import BadField

router = resource()
TAG = "Properties"

T = TypeVar("T")
Whole = Annotated[int, Field(strict=True)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$"), AfterValidator(str.upper)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Platform = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]


def _left_out() -> Any:
    """What stands in the place of a field that was not sent; nobody reads it."""
    return None


class Settings(Sent):
    """How codes are made here; what is null or left out is as the host has it."""

    pin_mode: PinMode | None = Field(None, description="`phone`: the last digits of the guest's number.")
    pin_length: Annotated[Whole, Field(ge=3, le=12)] | None = Field(None, description="How many digits.")
    buffer_before_minutes: Annotated[Whole, Field(ge=0, le=2880)] | None = Field(
        None, description="How much earlier than check-in codes open."
    )
    buffer_after_minutes: Annotated[Whole, Field(ge=0, le=2880)] | None = Field(
        None, description="How much later than check-out codes open no more."
    )
    backups: StrictBool | None = Field(None, description="Whether its locks keep backup codes.")
    phone_wait_minutes: Annotated[Whole, Field(ge=0, le=1440)] | None = Field(
        None, description="How long a booking waits for a phone number."
    )
    final_check_includes_buffer: StrictBool | None = Field(
        None, description="Whether the last check happens when the code should open, or at check-in."
    )
    owner_codes: StrictBool | None = Field(None, description="Whether stays of the owner get codes, too.")


class Ref(Sent):
    """How a booking platform names a property."""

    platform: Platform = Field(description="Its key.", examples=[generic.KEY])
    id: Name = Field(description="Its name for the property.", examples=["prop-7"])


class PropertyShown(Shown):
    """A place that is rented."""

    id: int = Field(examples=[3])
    name: str = Field(examples=["Lake House"])
    zone: str = Field(description="Its time zone (IANA).", examples=["America/New_York"])
    country: str | None = Field(description="Two letters: whose phone numbers need no country code.", examples=["US"])
    check_in: str = Field(description="The usual time of arrival, local.", examples=["16:00"])
    check_out: str = Field(description="The usual time of departure, local.", examples=["11:00"])
    address: str | None = Field(description="Where it is: for its guests only.")
    arrival_note: str | None = Field(description="How to find the door: for its guests only.")
    language: str | None = Field(description="In which guests are written to who have said no other.", examples=["en"])
    settings: Settings
    refs: list[Ref] = Field(description="How booking platforms name it.")
    lock_ids: list[int] = Field(description="The locks that open it, in the order of a guest's way.", examples=[[5]])


class PropertyPage(Page[PropertyShown]):
    """A page of properties."""


class NewPropertySent(Sent):
    """A place that is rented."""

    name: Name = Field(description="What you call it.", examples=["Lake House"])
    zone: Zone = Field(description="Its time zone (IANA).", examples=["America/New_York"])
    country: Country | None = Field(
        None, description="Two letters: whose phone numbers need no country code.", examples=["US"]
    )
    check_in: Clock = Field("16:00", description="The usual time of arrival, local.", examples=["16:00"])
    check_out: Clock = Field("11:00", description="The usual time of departure, local.", examples=["11:00"])
    address: Note | None = Field(None, description="Where it is: for its guests only.")
    arrival_note: Note | None = Field(None, description="How to find the door: for its guests only.")
    language: Language | None = Field(
        None, description="In which guests are written to who have said no other.", examples=["en"]
    )
    settings: Settings = Field(default_factory=lambda: Settings.model_validate({}))
    refs: Annotated[list[Ref], Field(max_length=50)] = Field(
        default_factory=list, description="How booking platforms name it."
    )


class PropertyChange(Sent):
    """What is to be different. What is left out stays, in `settings`, too; `refs` are added to those there are."""

    name: Name = Field(default_factory=_left_out, description="What you call it.", examples=["Lake House"])
    zone: Zone = Field(default_factory=_left_out, description="Its time zone (IANA).", examples=["America/New_York"])
    country: Country | None = Field(
        default_factory=_left_out, description="Two letters: whose phone numbers need no country code.", examples=["US"]
    )
    check_in: Clock = Field(
        default_factory=_left_out, description="The usual time of arrival, local.", examples=["15:00"]
    )
    check_out: Clock = Field(
        default_factory=_left_out, description="The usual time of departure, local.", examples=["10:00"]
    )
    address: Note | None = Field(default_factory=_left_out, description="Where it is: for its guests only.")
    arrival_note: Note | None = Field(
        default_factory=_left_out, description="How to find the door: for its guests only."
    )
    language: Language | None = Field(
        default_factory=_left_out, description="In which guests are written to who have said no other.", examples=["en"]
    )
    settings: Settings = Field(default_factory=_left_out)
    refs: Annotated[list[Ref], Field(max_length=50)] = Field(
        default_factory=list, description="How booking platforms name it."
    )


class Matches(Shown):
    """Which locks open a property."""

    property_id: int = Field(examples=[3])
    lock_ids: list[int] = Field(description="In the order of a guest's way.", examples=[[5]])


FACTS = ("name", "zone", "country", "check_in", "check_out", "address", "arrival_note", "language")


@dataclass(frozen=True, slots=True)
class _Known:
    rows: Sequence[PropertyRow]
    refs: Mapping[PropertyId, Sequence[tuple[str, str]]]
    locks: Mapping[PropertyId, Sequence[LockId]]


@router.get("/properties", tags=[TAG], summary="List properties", **at(Scope.PROPERTIES_READ))
async def list_properties(caller: Calling, page: Pages) -> PropertyPage:
    """In the order in which they became known."""
    known = await caller.services.database.ask(_listed, caller, page.after, page.wanted)
    cut, following = page.cut(known.rows, lambda row: row.id)
    return PropertyPage(items=[_shown(row, known) for row in cut], next=following)


def _listed(connection: Connection, caller: Caller, after: int, limit: int) -> _Known:
    ids = api_pages.property_ids_after(connection, caller.host, after, limit)
    rows = hosts.properties(connection, ids)
    return _with_names_and_locks(connection, caller, [rows[each] for each in ids])


def _with_names_and_locks(connection: Connection, caller: Caller, rows: Sequence[PropertyRow]) -> _Known:
    refs: dict[PropertyId, list[tuple[str, str]]] = {row.id: [] for row in rows}
    for place, platform, external in hosts.refs_of_host(connection, caller.host):
        if place in refs and platform != telling.API:
            refs[place].append((platform, external))
    doors: dict[PropertyId, list[LockId]] = {row.id: [] for row in rows}
    for place, lock in hosts.matches(connection, list(doors)):
        doors[place].append(lock)
    return _Known(rows, refs, doors)


@router.get("/properties/{place}", tags=[TAG], summary="Show a property", **at(Scope.PROPERTIES_READ))
async def show_property(caller: Calling, place: PropertyNumber) -> PropertyShown:
    """How it is described, and what opens it."""
    return await _detail(caller, PropertyId(place))


async def _detail(caller: Caller, place: PropertyId) -> PropertyShown:
    known = await caller.services.database.ask(_one, caller, place)
    return _shown(known.rows[0], known)


def _one(connection: Connection, caller: Caller, place: PropertyId) -> _Known:
    return _with_names_and_locks(connection, caller, [_its(connection, caller, place)])


def _its(connection: Connection, caller: Caller, place: PropertyId) -> PropertyRow:
    """A property of the caller's host. Raises Problem."""
    row = hosts.properties(connection, [place]).get(place)
    if row is None or row.host != caller.host:
        raise not_found(place, "property")
    return row


def _shown(row: PropertyRow, known: _Known) -> PropertyShown:
    names = Settings.model_fields
    return PropertyShown(
        id=row.id,
        name=row.name,
        zone=row.zone,
        country=row.country,
        check_in=row.check_in,
        check_out=row.check_out,
        address=row.address,
        arrival_note=row.arrival_note,
        language=row.language,
        settings=Settings.model_validate({name: row.settings[name] for name in names if name in row.settings}),
        refs=[Ref(platform=platform, id=external) for platform, external in known.refs[row.id]],
        lock_ids=list(known.locks[row.id]),
    )


@router.post("/properties", status_code=201, tags=[TAG], summary="Add a property", **at(Scope.PROPERTIES_WRITE))
async def add_property(caller: Calling, response: Response, new: NewPropertySent) -> PropertyShown:
    """Bookings that came under one of its `refs` before it was known get it now."""
    values = {name: getattr(new, name) or None for name in FACTS} | {"settings": _plain(new.settings)}
    place = await _told(describing.add(caller.services, caller.host, values, _refs(new.refs), caller.now))
    await caller.note("added", f"property {place}")
    response.headers["location"] = f"{caller.site.url}/api/v1/properties/{place}"
    return await _detail(caller, place)


async def _told(work: Awaitable[T]) -> T:
    """What the work says; a field that makes no sense is named. Raises Problem."""
    try:
        return await work
    except BadField as error:
        of_refs = error.field in {"platform", "ref"}
        raise invalid(str(error), pointer="/refs" if of_refs else f"/{error.field}") from error


def _refs(refs: Sequence[Ref]) -> list[tuple[str, str]]:
    return [(ref.platform, ref.id) for ref in refs]


def _plain(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude_none=True)


@router.patch("/properties/{place}", tags=[TAG], summary="Change a property", **at(Scope.PROPERTIES_WRITE))
async def change_property(caller: Calling, place: PropertyNumber, change: PropertyChange) -> PropertyShown:
    """The codes of its stays follow."""
    await caller.services.database.ask(_its, caller, PropertyId(place))
    sent = change.model_dump(mode="json", exclude_unset=True, exclude={"refs"})
    values = {name: value if value != "" else None for name, value in sent.items()}
    refs, now = _refs(change.refs), caller.now
    await _told(describing.change(caller.services, caller.host, PropertyId(place), values, refs, now))
    await caller.note("changed", f"property {place}")
    return await _detail(caller, PropertyId(place))


# ---------------------------------------------------------------------------------------------------------- matches


@router.get("/properties/{place}/locks", tags=[TAG], summary="Show what opens a property", **at(Scope.PROPERTIES_READ))
async def list_matches(caller: Calling, place: PropertyNumber) -> Matches:
    """The locks that its guests get codes for."""
    return await _matches(caller, PropertyId(place))


async def _matches(caller: Caller, place: PropertyId) -> Matches:
    known = await caller.services.database.ask(_one, caller, place)
    return Matches(property_id=place, lock_ids=list(known.locks[place]))


@router.put(
    "/properties/{place}/locks/{lock}",
    tags=[TAG],
    summary="Match a lock with a property",
    **at(Scope.PROPERTIES_WRITE),
)
async def match(caller: Calling, place: PropertyNumber, lock: LockNumber) -> Matches:
    """Codes for all its coming stays, and backup codes, go on the lock. Nothing happens where they were matched."""
    await caller.services.database.ask(_both, caller, PropertyId(place), LockId(lock))
    if await connect.match(caller.services, caller.host, PropertyId(place), LockId(lock), caller.now):
        await caller.note(f"matched lock {lock} with", f"property {place}")
    return await _matches(caller, PropertyId(place))


def _both(connection: Connection, caller: Caller, place: PropertyId, lock: LockId) -> None:
    _its(connection, caller, place)
    if locks.get_lock(connection, caller.host, lock) is None:
        raise not_found(lock, "lock")


@router.delete(
    "/properties/{place}/locks/{lock}",
    status_code=204,
    tags=[TAG],
    summary="Take a lock from a property",
    **at(Scope.PROPERTIES_WRITE),
)
async def unmatch(caller: Calling, place: PropertyNumber, lock: LockNumber) -> Response:
    """What lockbridge put there for it comes off. 404 where they were not matched."""
    await caller.services.database.ask(_both, caller, PropertyId(place), LockId(lock))
    if not await connect.unmatch(caller.services, caller.host, PropertyId(place), LockId(lock), caller.now):
        msg = f"lock {lock} does not open property {place}"
        raise Problem(Kind.NOT_FOUND, msg)
    await caller.note(f"took lock {lock} from", f"property {place}")
    return Response(status_code=204)
