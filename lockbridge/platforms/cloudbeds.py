"""Cloudbeds: webhooks that nobody signs and that hold ids, API v1.3, and the door-lock keys of API v2.0.

Facts are of Cloudbeds' OpenAPI descriptions (github cloudbeds/openapi-specs) unless marked otherwise.

* **Rooms are let singly**: each room of a reservation is a stay of its own, named by its ``subReservationID``; the
  property of a stay is ``<property>:<room>``. One for whom no room is chosen yet waits, as a stay of ``<property>``.
  Where one ``subReservationID`` names two rooms, since the guest moves in between, the later is ``<sub>:<room>``.
* **No time of day belongs to a reservation.** ``estimatedArrivalTime`` is the guest's guess; the property's own times
  come with its rooms. ``dateModified`` has no zone, and so does not say which change came later.
* **A refusal may come with status 200** and ``success: false``. Only its text tells "no such reservation" from "the
  account is closed"; we ask for a list instead, which works while the account does.
* **no_show neither opens nor closes a door**: a night audit may set it while guests who let themselves in are asleep.
  Somebody who is checked out early has been given an earlier last day first, as Cloudbeds demands.
* The door code is a key of type ``access_code``, seen at the front desk and put into messages. The window of a key
  cannot be changed: it is replaced.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

from lockbridge import signatures
from lockbridge.contract import AccountRefused, FormField, Rate
from lockbridge.domain.stay import StayStatus, to_local
from lockbridge.inbound import Delivery, Hook, Ignored, Unreadable, dedupe_key_for
from lockbridge.outbound import ErrorTable, Request, TokenRefused, Vendor
from lockbridge.platforms import asking
from lockbridge.platforms.contract import (
    CodeNote,
    Event,
    FoundProperty,
    Link,
    NoSuchReservation,
    Notice,
    NotOffered,
    Platform,
    Reread,
    Reservation,
    ReservationEvent,
    StayRef,
    Wanted,
)
from lockbridge.platforms.reading import Fields, fields_of, parse_moment, require_order, said

KEY = "cloudbeds"
TITLE = "Cloudbeds"
DEFAULT_URL = "https://api.cloudbeds.com"
CLASSIC = "/api/v1.3"
KEYS = "/doorlock/v1/keys"
ISSUER = "lockbridge"
"""As whom we issue keys; those of others are left alone."""
PAGE = 100
FARTHEST_BEHIND = timedelta(hours=12)
"""How far a local time can lie behind UTC: ``modifiedFrom`` is a time of nobody says which zone."""
SUBJECTS = frozenset({"reservation", "guest"})
"""What events are about that can change a stay."""
ENTITIES = ("reservationid", "subreservationid", "guestid", "roomblockid", "keyid")
"""What an event can be about, in lower case: Cloudbeds writes ``propertyID`` here and ``propertyId`` there."""
APP_STATE = "integration/appstate_changed"
STATUSES: Mapping[str, StayStatus] = {
    "confirmed": StayStatus.CONFIRMED,
    "checked_in": StayStatus.CONFIRMED,
    "checked_out": StayStatus.CONFIRMED,
    "not_confirmed": StayStatus.PENDING,
    "in_progress": StayStatus.PENDING,
    "canceled": StayStatus.CANCELLED,
}
LISTED = ("not_confirmed", "confirmed", "canceled", "checked_in", "checked_out", "no_show")
"""The statuses that lists are asked for by name, so that no default hides the canceled ones."""


def dedupe_key(delivery: Delivery) -> str:
    """Event, property, what it is about, and when: retries repeat all four. Else the body."""
    try:
        event = _lower(fields_of(delivery.body)).data
    except Unreadable:
        return dedupe_key_for(None, delivery.body)
    name, moment = said(event.get("event")), event.get("timestamp")
    about = next((f"{each}={said(event[each])}" for each in ENTITIES if event.get(each)), "")
    if not name or isinstance(moment, bool) or not isinstance(moment, str | int | float):
        return dedupe_key_for(None, delivery.body)
    return dedupe_key_for(f"{name}|{said(event.get('propertyid'))}|{about}|{moment}", delivery.body)


def read(delivery: Delivery) -> Sequence[Event]:
    """Which reservation to ask for. Guests whose reservation is not named, room blocks, rates and keys are ignored."""
    envelope = _lower(fields_of(delivery.body))
    event = envelope.text("event")
    if event == APP_STATE:
        return [_app_state(envelope)]
    subject = event.partition("/")[0]
    ref = envelope.maybe_ref("reservationid") or _of_room(envelope.maybe_ref("subreservationid"))
    if subject == "reservation" and ref is None:
        raise envelope.wrong(name="reservationid", expected="the id of a reservation")
    if subject not in SUBJECTS or ref is None:
        return [Ignored(f"nothing to do with stays: {event[:60]}")]
    return [Reread(ref)]


def _lower(envelope: Fields) -> Fields:
    return Fields({name.lower(): value for name, value in envelope.data.items()})


def _of_room(sub: str | None) -> str | None:
    """The reservation of a ``subReservationID``: ``8741236985-1`` is a room of ``8741236985``."""
    return sub and (sub.rpartition("-")[0] or sub)


def _app_state(envelope: Fields) -> Event:
    state = envelope.said("newstate", "state") or "something"
    if state != "disabled":
        return Ignored(f"the app is {state[:60]}")
    text = "Cloudbeds has disconnected the app: no more bookings will arrive. Connect it again in Cloudbeds."
    return Notice("integration.disconnected", text)


class _Room(NamedTuple):
    """One room of a reservation, and the days it is for."""

    data: Fields
    id: str | None
    """None: none is chosen yet."""
    first: date
    last: date


def _stays(data: Fields) -> list[ReservationEvent]:
    """The rooms of a reservation, as ``getReservation`` and ``getReservations`` write it. Raises Unreadable."""
    ref, home = data.ref("reservationID"), data.ref("propertyID")
    rooms = sorted(_rooms(data), key=lambda room: (room.first, room.id or ""))
    named = zip(_names(ref, rooms), rooms, strict=True)
    return [_stay(data, external_id, f"{home}:{room.id}" if room.id else home, room) for external_id, room in named]


def _stay(data: Fields, external_id: str, home: str, room: _Room) -> ReservationEvent:
    guest = _guest(data, room)
    status, raw_status = _status(data, room)
    require_order(room.first, room.last, None, None)
    ref = data.ref("reservationID")
    return ReservationEvent(
        platform=KEY,
        external_id=external_id,
        reservation_ref=ref,
        reservation_code=data.said("thirdPartyIdentifier") or ref,
        property_ref=home,
        property_name=room.data.said("roomName"),
        status=status,
        raw_status=raw_status,
        arrival=room.first,
        departure=room.last,
        guest_name=guest.said_name("guestFirstName", "guestLastName") or data.said("guestName"),
        guest_first_name=guest.said("guestFirstName"),
        phone=guest.said_phone("guestCellPhone", "guestPhone"),
        email=guest.said("guestEmail") or data.said("guestEmail"),
        platform_guest=guest.said("guestID") or data.said("guestID"),
        channel=data.said("source", "sourceName"),
    )


def _rooms(data: Fields) -> Iterator[_Room]:
    """Those of ``assigned`` and ``unassigned``, or of ``rooms`` in lists; a reservation without any counts as one."""
    names = ("assigned", "unassigned", "rooms")
    listed = [data.within(name, room.data) for name in names for room in data.said_objects(name)]
    for room in listed or [data.within("rooms", {})]:
        first, last = _day(room, "startDate", "roomCheckIn"), _day(room, "endDate", "roomCheckOut")
        yield _Room(room, room.maybe_ref("roomID"), first or data.day("startDate"), last or data.day("endDate"))


def _names(ref: str, rooms: Sequence[_Room]) -> list[str]:
    """A name for each room of a reservation: its own, else – of one room – the reservation's. None comes twice."""
    names: list[str] = []
    for number, room in enumerate(rooms, 1):
        own = room.data.maybe_ref("subReservationID") or (ref if len(rooms) == 1 else None)
        part = room.id or room.data.said("reservationRoomID") or f"{number}"
        tried = (
            own or f"{ref}:{part}",
            f"{own or ref}:{part}",
            f"{own or ref}:{part}:{room.first}",
            f"{ref}::{number}",
        )
        names.append(next(name for name in tried if name not in names))
    return names


def _status(data: Fields, room: _Room) -> tuple[StayStatus, str]:
    raw = data.said("status") or ""
    status = STATUSES.get(raw.casefold(), StayStatus.UNKNOWN)
    if room.data.said("roomStatus") == "cancelled" and status is not StayStatus.CANCELLED:
        return StayStatus.CANCELLED, f"{raw}: room cancelled"
    if status is StayStatus.CONFIRMED and room.id is None:
        return StayStatus.PENDING, f"{raw}: no room yet"
    return status, raw


def _guest(data: Fields, room: _Room) -> Fields:
    """Who stays in the room: of those, the reservation's main guest; if nobody is said to, the main guest anyway."""
    listed = data.data.get("guestList")
    several = list(listed.values()) if isinstance(listed, dict) else listed
    guests = Fields({"guestList": several}, data.path).said_objects("guestList")
    return min(
        guests,
        key=lambda guest: (not _is_in(guest, room), guest.data.get("isMainGuest") is not True),
        default=Fields({}),
    )


def _is_in(guest: Fields, room: _Room) -> bool:
    sub = room.data.maybe_ref("subReservationID")
    named = [(place.said("subReservationID"), place.said("roomID")) for place in (guest, *guest.said_objects("rooms"))]
    return any((sub and sub == of_sub) or (room.id and room.id == of_room) for of_sub, of_room in named)


def _day(data: Fields, *names: str) -> date | None:
    """The first of the fields that says something: a date, or a date and a time."""
    told = ((name, text) for name in names if (text := data.said(name)))
    return next((Fields({name: text[:10]}, data.path).day(name) for name, text in told), None)


HOOK = Hook[Event](
    key=KEY,
    title=TITLE,
    authenticate=signatures.url_token,
    dedupe_key=dedupe_key,
    read=read,
    secret_problem=signatures.any_secret_problem,
    setup_help=(
        "Cloudbeds has no page for webhooks: they are subscribed with the API (postWebhook), one for each event, with "
        "the whole address as endpointUrl: reservation/created, status_changed, dates_changed, accommodation_changed, "
        "accommodation_type_changed and deleted; guest/assigned and removed. Cloudbeds signs nothing: the secret part "
        "of the address is all the proof there is, so treat the address as a password. What a webhook says is never "
        "believed; it only causes the reservation to be asked for, for which the API must be connected."
    ),
    secret_is_address=True,
)

_ACCOUNT = ErrorTable(statuses={401: TokenRefused, 403: AccountRefused})
_KEY = ErrorTable(statuses={401: TokenRefused, 403: NotOffered, 404: NoSuchReservation})
_NO_MESSAGES = "Cloudbeds sends messages by its own templates and schedules only"


class _Key(NamedTuple):
    """One door-lock key that we have issued."""

    id: str
    code: str | None
    done: bool
    window: tuple[datetime | None, datetime | None]


@dataclass(frozen=True, slots=True)
class Cloudbeds:
    """One property, or a group of them, by an API key."""

    _vendor: Vendor

    async def properties(self) -> Sequence[FoundProperty]:
        """Every room of every property: hotels are listed, then asked for their times and rooms."""
        hotels = [Fields(hotel) async for page in self._pages("getHotels", {}) for hotel in page]
        return [room for hotel in hotels for room in await self._rooms_of(hotel)]

    async def _rooms_of(self, hotel: Fields) -> Sequence[FoundProperty]:
        home = asking.ref_of(hotel, "propertyID")
        details = (await self._asked("getHotelDetails", {"propertyID": home})).said_inside("data")
        found: dict[str, FoundProperty] = {}
        for number in count(1):  # whether ``total`` counts rooms or properties is not said
            params = {"propertyIDs": home, "pageNumber": number, "pageSize": PAGE}
            blocks = (await self._asked("getRooms", params)).said_objects("data")
            rooms = [_found(home, hotel, details, room) for block in blocks for room in block.said_objects("rooms")]
            if all(room.ref in found for room in rooms):
                break
            found |= {room.ref: room for room in rooms}
        return list(found.values())

    async def reservation(self, ref: str) -> Reservation:
        """One reservation with its rooms and guests. "No" is believed when the account is let in for a list."""
        request = Request("GET", f"{CLASSIC}/getReservation", params={"reservationID": ref}, errors=_ACCOUNT)
        answer = await self._vendor.ask(request, asking.an_object)
        if answer.get("success") is not True:
            await self._asked("getReservations", {"pageSize": 1})
            msg = "Cloudbeds has no such reservation"
            raise NoSuchReservation(msg)
        with asking.making_sense():
            return _stays(Fields(answer).inside("data"))

    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[ReservationEvent | Ignored]]:
        """Those that changed, or those of these days, with rooms and guests; each status is asked for by name."""
        for status in LISTED:
            params = {**_filters(wanted), "status": status, "includeGuestsDetails": "true", "includeAllRooms": "true"}
            async for page in self._pages("getReservations", params):
                yield asking.events_in(page, _stays)

    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        """Issue a key for the room, change its code, or take it away: ours only. Another window takes another key."""
        held = await self._held(stay)
        kept = None if note is None else next((key for key in held if key.window == _window(note)), None)
        if note is not None and (kept is None or not kept.done or kept.code != note.text):
            request = _new_key(stay, note) if kept is None else _changed_key(stay, kept, note)
            await self._vendor.ask(request, asking.anything)
        surplus = [key.id for key in held if key is not kept]
        if surplus:
            request = Request("DELETE", KEYS, params={"keyIds": ",".join(surplus)}, headers=_at(stay), errors=_KEY)
            await self._vendor.ask(request, asking.anything)

    async def read_code(self, stay: StayRef) -> str | None:
        """The code of the key that we have issued for the room."""
        return next((key.code for key in await self._held(stay) if key.done), None)

    async def _held(self, stay: StayRef) -> Sequence[_Key]:
        """Our keys for the room, the latest first."""
        params = {"reservationId": stay.reservation_ref, "subReservationId": _sub(stay)}
        path = f"{KEYS}/{asking.quoted(_home(stay))}"
        return await self._vendor.ask(Request("GET", path, params=params, errors=_KEY), _keys)

    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:  # noqa: ARG002 - as all clients
        """There is no inbox to write to."""
        raise NotOffered(_NO_MESSAGES)

    async def sent_texts(self, stay: StayRef) -> Sequence[str]:  # noqa: ARG002 - as all clients
        """As for ``send_message``."""
        raise NotOffered(_NO_MESSAGES)

    async def _asked(self, call: str, params: Mapping[str, Any]) -> Fields:
        """The answer to a call. Raises AccountRefused for the refusals that come with status 200."""
        request = Request("GET", f"{CLASSIC}/{call}", params=params, errors=_ACCOUNT)
        answer = await self._vendor.ask(request, asking.an_object)
        if answer.get("success") is not True:
            msg = "Cloudbeds does not let this account in: a scope or the property may not be enabled for the API key"
            raise AccountRefused(msg)
        return Fields(answer)

    async def _pages(self, call: str, params: Mapping[str, Any]) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """Page after page, until one brings nothing or the total has been seen."""
        seen = 0
        for number in count(1):
            answer = await self._asked(call, {**params, "pageNumber": number, "pageSize": PAGE})
            items = [item.data for item in answer.said_objects("data")]
            yield items
            seen += len(items)
            total = answer.data.get("total")
            if not items or (seen >= total if isinstance(total, int) else len(items) < PAGE):
                return


def _filters(wanted: Wanted) -> dict[str, str]:
    """Times without ``T`` and ``Z``: Cloudbeds refuses those [seen by others]. Unknown filters it ignores."""
    if wanted.changed_since is None:
        return {"checkInTo": f"{wanted.last}", "checkOutFrom": f"{wanted.first}"}
    return {"modifiedFrom": f"{wanted.changed_since.astimezone(UTC) - FARTHEST_BEHIND:%Y-%m-%d %H:%M:%S}"}


def _found(home: str, hotel: Fields, details: Fields, room: Fields) -> FoundProperty:
    """A room with its property's times of day and zone."""
    ref, policy = asking.ref_of(room, "roomID"), details.said_inside("propertyPolicy")
    names = (hotel.said("propertyName") or home, room.said("roomName") or ref)
    return FoundProperty(
        f"{home}:{ref}",
        " – ".join(names),
        zone=hotel.said_zone("propertyTimezone"),
        check_in=policy.said_time("propertyCheckInTime"),
        check_out=policy.said_time("propertyCheckOutTime"),
        country=details.said_inside("propertyAddress").said_country("propertyCountry"),
    )


def _home(stay: StayRef) -> str:
    """The property of a stay in one of its rooms."""
    return stay.property_ref.partition(":")[0]


def _sub(stay: StayRef) -> str:
    """The ``subReservationID`` of a stay."""
    return stay.external_id.partition(":")[0]


def _at(stay: StayRef) -> Mapping[str, str]:
    """The header with which keys are changed."""
    return {"x-property-id": _home(stay)}


def _window(note: CodeNote) -> tuple[datetime, datetime]:
    """To the second, as Cloudbeds keeps it."""
    return note.opens_at.replace(microsecond=0), note.closes_at.replace(microsecond=0)


def _new_key(stay: StayRef, note: CodeNote) -> Request:
    """A key that is already on the lock, with its window in the property's own time."""
    opens_at, closes_at = (to_local(moment, note.zone).isoformat() for moment in _window(note))
    body = {
        "propertyId": _home(stay),
        "reservationId": stay.reservation_ref,
        "subReservationId": _sub(stay),
        "issuerId": ISSUER,
        "startDateTime": opens_at,
        "endDateTime": closes_at,
        "keyType": "access_code",
        "keyCode": note.text,
        "status": "completed",
    }
    return Request("POST", KEYS, body=body, errors=_KEY)


def _changed_key(stay: StayRef, key: _Key, note: CodeNote) -> Request:
    body = {"keyCode": note.text, "status": "completed"}
    return Request("PATCH", f"{KEYS}/{asking.quoted(key.id)}", body=body, headers=_at(stay), errors=_KEY)


def _keys(answer: Any) -> list[_Key]:
    """Our access codes among the keys, the latest first. The description has the list in a list."""
    items = [item for each in answer["data"] or [] for item in (each if isinstance(each, list) else [each])]
    ours = [item for item in items if item["issuerId"] == ISSUER and item["keyType"] == "access_code"]
    ours.sort(key=lambda item: str(item["createdAt"]), reverse=True)
    return [_key(item) for item in ours if item["status"] != "deleted"]


def _key(item: Any) -> _Key:
    window = parse_moment(item["startDateTime"]), parse_moment(item["endDateTime"])
    code = item.get("keyCode")
    return _Key(str(item["keyId"]), code if isinstance(code, str) else None, item["status"] == "completed", window)


def connect(link: Link) -> Cloudbeds:
    """The account of these settings. Raises AccountRefused when they make no sense."""
    headers = {"x-api-key": asking.credential(link, TITLE, "key")}
    return Cloudbeds(asking.vendor_of(link, TITLE, DEFAULT_URL, _ACCOUNT, headers))


PLATFORM = Platform(
    key=KEY,
    title=TITLE,
    hook=HOOK,
    fields=(
        FormField(
            "key",
            "API key",
            secret=True,
            help="Cloudbeds → Account → Apps & Marketplace → API Credentials: a key that may read hotels, rooms, "
            "reservations and guests, and read, write and delete door-lock keys.",
        ),
        asking.address_field(DEFAULT_URL),
    ),
    connect=connect,
    rate=Rate(5, timedelta(seconds=1)),
    writes_codes=True,
    maturity="tested against our make-believe vendor",
)
