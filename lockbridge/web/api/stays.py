"""Stays: what was booked, who comes, and how it stands on each lock; told by a system of your own, too."""

from datetime import datetime, time
from enum import StrEnum
from secrets import token_hex
from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import Field, StrictBool, model_validator
from sqlalchemy import Connection

from lockbridge.domain.ids import LockId, PropertyId, StayId
from lockbridge.domain.people import Scope
from lockbridge.domain.status import Status
from lockbridge.domain.stay import StayStatus
from lockbridge.domain.veil import HIDDEN
from lockbridge.platforms import generic
from lockbridge.platforms.contract import ReservationEvent
from lockbridge.storage import api_pages, hosts
from lockbridge.storage import stays as stored
from lockbridge.storage.api_pages import StayFilter
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.stays import StayRow
from lockbridge.web.api.calls import at, resource
from lockbridge.web.api.keys import Caller, Calling
from lockbridge.web.api.paging import Page, Pages
from lockbridge.web.api.problems import Kind, Problem, invalid, not_found
from lockbridge.web.api.shapes import Clock, Day, Instant, Name, Number, Sent, Shown, StayNumber, Text
from lockbridge.workflows import explain, reservations, stay_actions, telling
from lockbridge.workflows.explain import Access, StayView
from lockbridge.workflows.telling import NoSuchProperty, ToldBefore

router = resource()
TAG = "Stays"


class GuestShown(Shown):
    """Whom the stay is for. How to reach them is not told."""

    name: str | None = Field(examples=["Ida Example"])
    first_name: str | None = Field(examples=["Ida"])
    language: str | None = Field(description="In which they are written to.", examples=["en"])
    has_phone: bool = Field(description="Whether a phone number is known; PINs come from it where the host wants so.")
    has_email: bool = Field(description="Whether an e-mail address is known.")


class StayShown(Shown):
    """A reservation of one property."""

    id: int = Field(description="Its number with lockbridge.", examples=[12])
    platform: str = Field(description="Who tells it; `api` is a system of your own.", examples=[generic.KEY])
    external_id: str = Field(description="How that platform names it.", examples=["R-2041"])
    reservation_code: str = Field(description="What people call the reservation.", examples=["HMX4QK2"])
    channel: str | None = Field(description="Where it was booked, where that is known.", examples=["direct"])
    property_id: int | None = Field(description="Its property; null while that is not known here.", examples=[3])
    property_ref: str = Field(description="How the platform names the property.", examples=["prop-7"])
    zone: str | None = Field(description="The property's time zone (IANA).", examples=["America/New_York"])
    status: StayStatus = Field(description="What holds.")
    source_status: StayStatus | None = Field(description="What its source says, where `status` is another.")
    host_status: StayStatus | None = Field(description="What the host has decided, where they have.")
    disagreement: str | None = Field(description="What two sources say differently, in words.")
    arrival: Day = Field(description="The day of arrival, local.", examples=["2026-06-14"])
    departure: Day = Field(description="The day of departure, local.", examples=["2026-06-16"])
    check_in: str | None = Field(description="When it begins on that day, local.", examples=["16:00"])
    check_out: str | None = Field(description="When it ends on that day, local.", examples=["11:00"])
    host_check_in: str | None = Field(description="The time that the host has set for this stay.")
    host_check_out: str | None = Field(description="The time that the host has set for this stay.")
    owner_stay: bool = Field(description="Whether the owner comes themself.")
    revoked: bool = Field(description="Whether its code was revoked: it has none until one is issued again.")
    guest: GuestShown
    trouble: str | None = Field(description="Why it has no code, in words.")
    created_at: datetime = Field(description="When it became known (UTC).")
    changed_at: datetime | None = Field(description="When its source last changed it (UTC).")


class AccessShown(Shown):
    """How the stay's code stands on one lock."""

    lock_id: int = Field(examples=[5])
    lock_name: str = Field(examples=["Front door"])
    code_name: str = Field(description="What the code is called on the lock.", examples=["Ida Example"])
    pin: str | None = Field(description="The digits, hidden; `GET /codes` reveals them.", examples=[HIDDEN])
    status: Status
    reason: str = Field(description="Why, in words.")
    next_at: datetime | None = Field(description="When something happens next (UTC).")
    backup: bool = Field(description="Whether it is a backup code that was given to the stay.")


class StayDetail(StayShown):
    """A reservation and how it stands on each lock."""

    opens_at: datetime | None = Field(description="When its code begins to open doors (UTC).")
    closes_at: datetime | None = Field(description="When its code opens no door any more (UTC).")
    access: list[AccessShown] = Field(description="One line for each lock.")


class StayPage(Page[StayShown]):
    """A page of stays."""


class TellableStatus(StrEnum):
    """What a system of your own can say of a stay."""

    CONFIRMED = "confirmed"
    PENDING = "pending"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"


class GuestSent(Sent):
    """Whom the stay is for. What is left out stays as it was."""

    name: Text | None = Field(None, description="In full.", examples=["Ida Example"])
    first_name: Text | None = Field(None, description="How messages address them.", examples=["Ida"])
    phone: Text | None = Field(None, description="With its country code, best.", examples=["+15550100123"])
    email: Text | None = Field(None, description="Where messages go.", examples=["ida@example.com"])
    language: Text | None = Field(None, description="Two letters.", examples=["en"])
    id: Text | None = Field(None, description="The same for all stays of one guest.", examples=["guest-77"])


class StaySent(Sent):
    """A reservation as a system of your own tells it."""

    property_id: Number = Field(description="Which property; `GET /properties` lists them.", examples=[3])
    status: TellableStatus = Field(TellableStatus.CONFIRMED, description="`blocked`: nobody comes.")
    arrival: Day = Field(description="Local to the property.", examples=["2026-06-14"])
    departure: Day = Field(description="Local to the property.", examples=["2026-06-16"])
    check_in: Clock | None = Field(None, description="Local; null: the property's usual time.", examples=["15:30"])
    check_out: Clock | None = Field(None, description="Local; null: the property's usual time.", examples=["11:00"])
    reservation_code: Name | None = Field(None, description="What people call it; null: its `external_id`.")
    channel: Text | None = Field(None, description="Where it was booked.", examples=["direct"])
    owner_stay: StrictBool = Field(False, description="Whether the owner comes themself.")
    guest: GuestSent = Field(default_factory=lambda: GuestSent.model_validate({}))

    @model_validator(mode="after")
    def in_order(self) -> "StaySent":
        """The departure is after the arrival."""
        hours = self.check_in, self.check_out
        same_day = self.arrival == self.departure and None not in hours and str(hours[0]) < str(hours[1])
        if self.arrival < self.departure or same_day:
            return self
        msg = "the departure is not after the arrival (on one day, both times are needed and check-out is later)"
        raise ValueError(msg)

    def event(self, external_id: str) -> ReservationEvent:
        """What it says, as any source says it."""
        return ReservationEvent(
            platform=telling.API,
            external_id=external_id,
            reservation_code=self.reservation_code or external_id,
            property_ref="",
            status=StayStatus(self.status.value),
            raw_status=self.status.value,
            arrival=self.arrival,
            departure=self.departure,
            check_in=None if self.check_in is None else time.fromisoformat(self.check_in),
            check_out=None if self.check_out is None else time.fromisoformat(self.check_out),
            guest_name=self.guest.name or None,
            guest_first_name=self.guest.first_name or None,
            phone=self.guest.phone or None,
            email=self.guest.email or None,
            platform_guest=self.guest.id or None,
            language=self.guest.language or None,
            channel=self.channel or None,
            owner_stay=self.owner_stay,
        )


class NewStay(StaySent):
    """A new reservation."""

    external_id: Name | None = Field(None, description="Your name for it; one is made without.", examples=["R-2041"])


class TimesSent(Sent):
    """Other times of day for one stay. What is left out stays; null: what the booking or the property says."""

    check_in: Clock | None = Field(None, description="Local.", examples=["14:00"])
    check_out: Clock | None = Field(None, description="Local.", examples=["12:00"])


class Decision(StrEnum):
    """The host's own word on a stay."""

    CONFIRM = "confirm"
    CANCEL = "cancel"
    FOLLOW = "follow"


DECIDED = {Decision.CONFIRM: StayStatus.CONFIRMED, Decision.CANCEL: StayStatus.CANCELLED, Decision.FOLLOW: None}


class DecisionSent(Sent):
    """A decision."""

    decision: Decision = Field(description="`follow`: what its sources say holds again.")


class BackupSent(Sent):
    """A door that a guest does not get through."""

    lock_id: Number = Field(description="Which of the stay's locks.", examples=[5])


class ActionShown(Shown):
    """What came of an action."""

    outcome: str = Field(description="In words, without digits.")
    stay: StayDetail


# ----------------------------------------------------------------------------------------------------------- reading


@router.get("/stays", tags=[TAG], summary="List stays", **at(Scope.STAYS_READ))
async def list_stays(  # noqa: PLR0913 - one parameter for each filter
    *,
    caller: Calling,
    page: Pages,
    property_id: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Of this property.")] = None,
    status: Annotated[StayStatus | None, Query(description="With this status.")] = None,
    arrival_from: Annotated[Day | None, Query(description="Arriving on this day or later.")] = None,
    arrival_to: Annotated[Day | None, Query(description="Arriving on this day or earlier.")] = None,
    departure_from: Annotated[Day | None, Query(description="Departing on this day or later.")] = None,
    departure_to: Annotated[Day | None, Query(description="Departing on this day or earlier.")] = None,
    changed_since: Annotated[
        Instant | None, Query(description="Of which the history says anything since this instant.")
    ] = None,
    reservation_code: Annotated[Text | None, Query(description="Called so.")] = None,
) -> StayPage:
    """In the order in which they became known."""
    wanted = StayFilter(
        None if property_id is None else PropertyId(property_id),
        status,
        arrival_from,
        arrival_to,
        departure_from,
        departure_to,
        changed_since,
        reservation_code,
    )
    found, places = await caller.services.database.ask(_listed, caller, page.after, page.wanted, wanted)
    shown, following = page.cut(found, lambda row: row.id)
    return StayPage(items=[_shown(row, _place(row, places)) for row in shown], next=following)


def _listed(
    connection: Connection, caller: Caller, after: int, limit: int, wanted: StayFilter
) -> tuple[list[StayRow], dict[PropertyId, PropertyRow]]:
    found = api_pages.stays_after(connection, caller.services.vault, caller.host, after, limit, wanted)
    return found, hosts.properties(connection, {row.property for row in found if row.property is not None})


def _place(row: StayRow, places: dict[PropertyId, PropertyRow]) -> PropertyRow | None:
    return None if row.property is None else places.get(row.property)


def _facts(row: StayRow, place: PropertyRow | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "platform": row.platform,
        "external_id": row.external_id,
        "reservation_code": row.reservation_code,
        "channel": row.booked_on,
        "property_id": row.property,
        "property_ref": row.property_ref,
        "zone": place and place.zone,
        "status": row.status,
        "source_status": row.said_status,
        "host_status": row.host_status,
        "disagreement": row.disagreement,
        "arrival": row.arrival,
        "departure": row.departure,
        "check_in": row.host_check_in or row.check_in or (place and place.check_in),
        "check_out": row.host_check_out or row.check_out or (place and place.check_out),
        "host_check_in": row.host_check_in,
        "host_check_out": row.host_check_out,
        "owner_stay": row.owner_stay,
        "revoked": row.revoked_at is not None,
        "guest": _guest(row),
        "trouble": row.trouble,
        "created_at": row.created_at,
        "changed_at": row.changed_at,
    }


def _guest(row: StayRow) -> GuestShown:
    return GuestShown(
        name=row.guest_name,
        first_name=row.guest_first_name,
        language=row.language,
        has_phone=bool(row.contact.phone),
        has_email=bool(row.contact.email),
    )


def _shown(row: StayRow, place: PropertyRow | None) -> StayShown:
    return StayShown.model_construct(**_facts(row, place))


@router.get("/stays/{stay}", tags=[TAG], summary="Show a stay and its access", **at(Scope.STAYS_READ))
async def show_stay(caller: Calling, stay: StayNumber) -> StayDetail:
    """With one line for each lock: what is on it for the stay, why, and what happens next."""
    return await _detail(caller, StayId(stay))


@router.get(
    "/stays/by-external-id/{external_id}", tags=[TAG], summary="Find a stay that was told here", **at(Scope.STAYS_READ)
)
async def find_stay(caller: Calling, external_id: Annotated[Name, Path(description="Your name for it.")]) -> StayDetail:
    """One that a system of your own has told by this API."""
    found = await caller.services.database.ask(telling.known_as, caller.host, external_id)
    if found is None:
        raise not_found(repr(external_id), "stay that was told as")
    return await _detail(caller, found)


async def _detail(caller: Caller, stay: StayId) -> StayDetail:
    seen = await caller.services.database.ask(explain.view, caller.services, caller.host, stay, caller.now)
    if seen is None:
        raise not_found(stay, "stay")
    return _seen(seen)


def _seen(seen: StayView) -> StayDetail:
    code = seen.code
    return StayDetail(
        **_facts(seen.stay, seen.place),
        opens_at=code.opens_at if code else None,
        closes_at=code.closes_at if code else None,
        access=[_access(line) for line in seen.access],
    )


def _access(line: Access) -> AccessShown:
    return AccessShown(
        lock_id=line.lock,
        lock_name=line.lock_name,
        code_name=line.code_name,
        pin=HIDDEN if line.pin else None,
        status=line.shown.status,
        reason=line.shown.reason,
        next_at=line.shown.next_at,
        backup=line.is_backup,
    )


# ----------------------------------------------------------------------------------------------------------- telling


@router.post("/stays", status_code=201, tags=[TAG], summary="Tell a new stay", **at(Scope.STAYS_WRITE))
async def add_stay(caller: Calling, response: Response, new: NewStay) -> StayDetail:
    """It gets its code within a minute. What a calendar or booking platform tells, too, is one stay.

    409 where one of this `external_id` was told before.
    """
    external_id = new.external_id or f"api-{token_hex(8)}"
    try:
        return await _tell(caller, response, external_id, new, only_new=True)
    except ToldBefore as error:
        msg = f"{external_id!r} was told before, as stay {error.stay}: use PUT to change it"
        raise Problem(Kind.EXISTS, msg) from error


@router.put(
    "/stays/by-external-id/{external_id}",
    tags=[TAG],
    summary="Tell a stay, or news of it",
    responses={201: {"model": StayDetail, "description": "It is new."}},
    **at(Scope.STAYS_WRITE),
)
async def put_stay(
    caller: Calling,
    response: Response,
    external_id: Annotated[Name, Path(description="Your name for it, the same through all its changes.")],
    said: StaySent,
) -> StayDetail:
    """Send the whole of it each time; only what is left out of `guest` stays as it was. Cancel with `status`."""
    return await _tell(caller, response, external_id, said)


async def _tell(
    caller: Caller, response: Response, external_id: str, said: StaySent, *, only_new: bool = False
) -> StayDetail:
    place, event = PropertyId(said.property_id), said.event(external_id)
    try:
        told = await telling.tell(caller.services, caller.host, place, event, caller.now, only_new=only_new)
    except NoSuchProperty as error:
        msg = f"this host has no property {place}"
        raise invalid(msg, pointer="/property_id") from error
    await caller.note("told a stay" if told.is_new else "told news of", f"stay {told.stay}")
    if told.is_new:
        response.status_code = 201
        response.headers["location"] = f"{caller.site.url}/api/v1/stays/{told.stay}"
    return await _detail(caller, told.stay)


# ---------------------------------------------------------------------------------------------------------- changing


@router.patch("/stays/{stay}", tags=[TAG], summary="Set the times of a stay", **at(Scope.STAYS_WRITE))
async def set_times(caller: Calling, stay: StayNumber, times: TimesSent) -> ActionShown:
    """For this stay alone, whatever its booking platform says; its codes follow."""
    row = await _row(caller, StayId(stay))
    sent = times.model_fields_set
    begins = times.check_in if "check_in" in sent else row.host_check_in
    ends = times.check_out if "check_out" in sent else row.host_check_out
    said = await stay_actions.set_times(caller.services, caller.host, row.id, begins or "", ends or "", caller.now)
    return await _done(caller, row.id, said, "changed the times of")


async def _row(caller: Caller, stay: StayId) -> StayRow:
    row = await caller.services.database.ask(stored.get, caller.services.vault, caller.host, stay)
    if row is None:
        raise not_found(stay, "stay")
    return row


async def _done(caller: Caller, stay: StayId, said: str, deed: str) -> ActionShown:
    await caller.note(deed, f"stay {stay}")
    return ActionShown(outcome=said, stay=await _detail(caller, stay))


@router.post("/stays/{stay}/decision", tags=[TAG], summary="Decide on a stay", **at(Scope.STAYS_WRITE))
async def decide(caller: Calling, stay: StayNumber, given: DecisionSent) -> ActionShown:
    """Confirm or cancel it whatever its sources say, or have them decide again. A cancellation of a source holds."""
    row, status = await _row(caller, StayId(stay)), DECIDED[given.decision]
    await reservations.decide(caller.services, caller.host, row.id, status, caller.now)
    shown = await _done(caller, row.id, "", f"decided to {given.decision.value}")
    return shown.model_copy(update={"outcome": f"The stay is {shown.stay.status.value} now."})


@router.post("/stays/{stay}/reissue", tags=[TAG], summary="Issue another code", **at(Scope.STAYS_WRITE))
async def reissue(caller: Calling, stay: StayNumber) -> ActionShown:
    """Other digits on all its locks; who was told the old ones is sent a correction. Takes as long as the locks do."""
    row = await _row(caller, StayId(stay))
    said = await stay_actions.reissue(caller.services, caller.host, row.id, caller.now)
    return await _done(caller, row.id, said, "issued another code for")


@router.post("/stays/{stay}/give-backup", tags=[TAG], summary="Give a backup code", **at(Scope.STAYS_WRITE))
async def give_backup(caller: Calling, stay: StayNumber, given: BackupSent) -> ActionShown:
    """One that waits on the lock: the guest is told at once. Never a second one."""
    row = await _row(caller, StayId(stay))
    lock = LockId(given.lock_id)
    said = await stay_actions.give_backup(caller.services, caller.host, row.id, lock, caller.now, why=caller.who)
    return await _done(caller, row.id, said, "gave a backup code to")


@router.post("/stays/{stay}/revoke", tags=[TAG], summary="Revoke its code", **at(Scope.STAYS_WRITE))
async def revoke(caller: Calling, stay: StayNumber) -> ActionShown:
    """It comes off every lock that takes codes back, now, and none comes back until one is issued again."""
    row = await _row(caller, StayId(stay))
    said = await stay_actions.revoke(caller.services, caller.host, row.id, caller.now)
    return await _done(caller, row.id, said, "revoked the code of")


@router.post("/stays/{stay}/try-again", tags=[TAG], summary="Try again now", **at(Scope.STAYS_WRITE))
async def try_again(caller: Calling, stay: StayNumber) -> ActionShown:
    """Attends to its locks now, whatever they waited for."""
    row = await _row(caller, StayId(stay))
    said = await stay_actions.try_again(caller.services, caller.host, row.id, caller.now)
    return await _done(caller, row.id, said, "tried again for")
