"""Lodgify (docs.lodgify.com): webhooks signed with HMAC-SHA256 in ``ms-signature``, public API v2, messages by v1.

A booking is of one property and of one or more of its *room types*: each room type is a stay and, as a property, is
``<property>:<room type>``; most properties have just one. Several units of one type cannot be told apart: they are one
stay. Days have no times: ``T00:00:00`` says nothing, and the API's ``check_in`` is when somebody was marked as arrived.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import orjson

from lockbridge import signatures
from lockbridge.contract import AccountRefused, FormField, Rate, Rejected
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Hook, Ignored, dedupe_key_for
from lockbridge.outbound import ErrorTable, Request, TokenRefused, Vendor
from lockbridge.platforms import asking
from lockbridge.platforms.contract import (
    CodeNote,
    Event,
    FoundProperty,
    Link,
    NoSuchReservation,
    NotOffered,
    Platform,
    Reservation,
    ReservationEvent,
    StayRef,
    Wanted,
)
from lockbridge.platforms.reading import Fields, fields_of, parse_moment, require_order, said

KEY = "lodgify"
TITLE = "Lodgify"
DEFAULT_URL = "https://api.lodgify.com"
PAGE = 50
"""Bookings or properties to a page: the most there can be."""
ABOUT_BOOKINGS = re.compile(r"booking_(new|change|status_change)(_[a-z_]+)?")
CHANNELS_CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{4,39}")
"""What ``source_text`` looks like when it is the channel's confirmation code; it may be anything."""
STATUSES: Mapping[str, StayStatus] = {
    "booked": StayStatus.CONFIRMED,
    "open": StayStatus.PENDING,
    "tentative": StayStatus.PENDING,
    "declined": StayStatus.CANCELLED,
}
"""``Open`` is an enquiry; a booking that is cancelled becomes ``Declined``."""


def dedupe_key(delivery: Delivery) -> str:
    """The raw body: Lodgify names its events nowhere."""
    return dedupe_key_for(None, delivery.body)


def read(delivery: Delivery) -> Sequence[Event]:
    """What the event says, or the events: the body is one object, or a list of them."""
    envelopes = _envelopes(delivery.body)
    return [event for envelope in envelopes for event in _events(envelope)] or [Ignored("a list of no events")]


def _envelopes(body: bytes) -> Sequence[Fields]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    return Fields({"body": value}).maybe_objects("body") if isinstance(value, list) else [fields_of(body)]


def _events(envelope: Fields) -> Sequence[Event]:
    action = envelope.text("action")
    if not ABOUT_BOOKINGS.fullmatch(action):
        return [Ignored(f"nothing to do with doors: {action[:60]}")]
    booking = envelope.inside("booking")
    if booking.data.get("type") not in (None, "Booking"):  # enquiries are numbered by themselves
        return [Ignored(f"not a booking: {said(booking.data['type']) or 'no text'}"[:80])]
    return _stays(Fields({**booking.data, "guest": envelope.data.get("guest")}, booking.path))


def _stays(data: Fields) -> list[ReservationEvent]:
    """A booking, as the API writes it or as a webhook does, whose names differ; ``guest`` stands in it."""
    arrival, departure = (data.leading_day(_there(data, name, f"date_{name}")) for name in ("arrival", "departure"))
    require_order(arrival, departure, None, None)
    reservation, home = data.ref("id"), data.ref("property_id")
    guest, (status, raw_status) = data.said_inside("guest"), _status(data)
    rooms = _room_types(data)
    return [
        ReservationEvent(
            platform=KEY,
            external_id=f"{reservation}:{room}" if len(rooms) > 1 else reservation,
            reservation_ref=reservation,
            reservation_code=_channels_code(data) or reservation,
            property_ref=f"{home}:{room}" if room else home,
            property_name=data.said("property_name"),
            status=status,
            raw_status=raw_status,
            arrival=arrival,
            departure=departure,
            guest_name=guest.said("name"),
            phone=guest.said_phone("phone", "phone_number"),
            email=guest.said("email"),
            language=data.said("language"),
            changed_at=_changed_at(data),
            channel=data.said("source"),
        )
        for room in rooms or [""]
    ]


def _there(data: Fields, *names: str) -> str:
    """Which of the names the object has, else the first."""
    return next((name for name in names if name in data.data), names[0])


def _room_types(data: Fields) -> list[str]:
    """Each once."""
    rooms = data.maybe_objects(_there(data, "rooms", "room_types"))
    return list(dict.fromkeys(room.ref("room_type_id") for room in rooms))


def _status(data: Fields) -> tuple[StayStatus, str]:
    """``is_deleted``: the host has moved the booking to the bin."""
    raw = data.said("status") or ""
    if data.data.get("is_deleted") is True:
        return StayStatus.CANCELLED, f"{raw}: deleted"
    return STATUSES.get(raw.casefold(), StayStatus.UNKNOWN), raw


def _channels_code(data: Fields) -> str | None:
    text = data.said("source_text") or ""
    return text if CHANNELS_CODE.fullmatch(text) else None


def _changed_at(data: Fields) -> datetime | None:
    """By ``updated_at`` of the API; webhooks do not say it. Writing a door code does not change it."""
    moment = parse_moment(data.data.get("updated_at"))
    return moment.astimezone(UTC) if moment is not None and moment.tzinfo else None


HOOK = Hook[Event](
    key=KEY,
    title=TITLE,
    authenticate=signatures.hmac_hex("ms-signature", prefix="sha256="),
    dedupe_key=dedupe_key,
    read=read,
    secret_problem=signatures.any_secret_problem,
    setup_help=(
        "Lodgify has no page for webhooks: they are subscribed to by its API, with the key of Settings → Public API. "
        'POST {"target_url": this address, "event": "booking_new_any_status"} to '
        "https://api.lodgify.com/webhooks/v1/subscribe with the key in the header X-ApiKey, and once more for each of "
        "booking_change, booking_status_change_booked and booking_status_change_declined. Each answer holds a secret "
        "of its own, which is shown this once: enter them all here, one to a line. The deliveries are signed."
    ),
)

_BOOKING = ErrorTable(statuses={401: TokenRefused, 403: AccountRefused, 404: NoSuchReservation})
_EXTRAS = ErrorTable(statuses={401: TokenRefused, 403: NotOffered, 404: NoSuchReservation})


@dataclass(frozen=True, slots=True)
class Lodgify:
    """One account, by its API key."""

    _vendor: Vendor

    async def properties(self) -> Sequence[FoundProperty]:
        """Every room type of every property. Neither zones nor times of day are told."""
        pages = [page async for page in self._pages("/v2/properties", {})]
        return [found for page in pages for item in page for found in _homes(item)]

    async def reservation(self, ref: str) -> Reservation:
        """One booking, also one in the bin."""
        return asking.reservation_of(await self._booking(ref), _stays)

    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[ReservationEvent | Ignored]]:
        """What changed; or everything the account ever had, of which these days are kept: no filter takes a range."""
        params = {"stayFilter": "All", "trash": "All"}
        if wanted.changed_since is not None:
            params["updatedSince"] = f"{wanted.changed_since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        async for page in self._pages("/v2/reservations/bookings", params):
            yield [event for event in asking.events_in(page, _stays) if asking.is_wanted(event, wanted)]

    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        """Set the room's key code; ``""`` where there is none any more.

        The body is the one of Lodgify's own OpenAPI and of the integrations that run; ``{"keyCodes": […]}``, which is
        found elsewhere, is not.
        """
        room = {"room_type_id": _room_of(stay), "key_code": note.text if note else ""}
        path = f"{_path(stay.reservation_ref)}/keyCodes"
        await self._vendor.ask(Request("PUT", path, body={"rooms": [room]}, errors=_EXTRAS), asking.anything)

    async def read_code(self, stay: StayRef) -> str | None:
        """The room's key code."""
        room, booking = str(_room_of(stay)), await self._booking(stay.reservation_ref)
        with asking.making_sense():
            rooms = [each for each in Fields(booking).maybe_objects("rooms") if each.ref("room_type_id") == room]
        codes = [each.data.get("key_code") for each in rooms]
        return next((code for code in codes if isinstance(code, str) and code), None)

    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:
        """By e-mail, or by the channel of the booking. Lodgify answers 200 and ``null``, or 200 and an error."""
        message = {
            "subject": subject,
            "message": text,
            "type": "Owner",
            "send_notification": True,
            "message_id": str(uuid4()),
        }
        path = f"/v1/reservation/booking/{asking.quoted(stay.reservation_ref)}/messages"
        await self._vendor.ask(Request("POST", path, body=[message], errors=_EXTRAS), _sent)

    async def sent_texts(self, stay: StayRef) -> Sequence[str]:
        """What the host's side wrote in the booking's thread, by the time it was written."""
        thread = said((await self._booking(stay.reservation_ref)).get("thread_uid"))
        if thread is None:
            return []
        request = Request("GET", f"/v2/messaging/{asking.quoted(thread)}", errors=_EXTRAS)
        return await self._vendor.ask(request, _owners_texts)

    async def _booking(self, ref: str) -> dict[str, Any]:
        return await self._vendor.ask(Request("GET", _path(ref), errors=_BOOKING), asking.an_object)

    async def _pages(self, path: str, params: Mapping[str, str]) -> AsyncIterator[Sequence[Any]]:
        """Page after page, until one is not full."""
        for number in count(1):
            request = Request("GET", path, params={**params, "page": number, "size": PAGE})
            items = await self._vendor.ask(request, _items)
            yield items
            if len(items) < PAGE:
                return


def _path(ref: str) -> str:
    return f"/v2/reservations/bookings/{asking.quoted(ref)}"


def _room_of(stay: StayRef) -> int:
    """Key codes are of rooms. Raises NotOffered for a booking without."""
    room = stay.property_ref.partition(":")[2]
    if not asking.NUMBER.fullmatch(room):
        msg = "Lodgify keeps door codes by room, and this booking names none"
        raise NotOffered(msg)
    return int(room)


def _items(answer: Any) -> list[Any]:
    items = answer["items"]
    return [] if items is None else asking.a_list(items)


def _sent(answer: Any) -> None:
    """Raises Rejected for an error that was answered with 200."""
    if isinstance(answer, dict) and answer.get("success") is False:
        msg = "Lodgify did not take the message: its thread may be closed"
        raise Rejected(msg)


def _owners_texts(answer: Any) -> list[str]:
    messages = [each for thread in answer for each in thread["messages"] or ()]
    written = [each for each in messages if each["type"] == "Owner" and isinstance(each["message"], str)]
    return [each["message"] for each in sorted(written, key=lambda each: str(each["date_created"]))]


def _homes(item: Any) -> list[FoundProperty]:
    """Raises Unreachable for one that makes no sense: a list of properties is whole or none."""
    data = asking.property_of(item)
    with asking.making_sense():
        ref, rooms = data.ref("id"), {room.ref("id"): room for room in data.maybe_objects("rooms")}
    name, country = data.said("name") or ref, data.said_country("country_code")
    if len(rooms) < 2:  # noqa: PLR2004 - of one, the name says nothing
        return [FoundProperty(":".join((ref, *rooms)), name, country=country)]
    return [
        FoundProperty(f"{ref}:{each}", f"{name} – {room.said('name') or each}", country=country)
        for each, room in rooms.items()
    ]


def connect(link: Link) -> Lodgify:
    """The account of these settings. Raises AccountRefused when they cannot be an address and a key."""
    headers = {"x-apikey": asking.credential(link, TITLE, "api_key")}
    return Lodgify(asking.vendor_of(link, TITLE, DEFAULT_URL, ErrorTable(), headers))


PLATFORM = Platform(
    key=KEY,
    title=TITLE,
    hook=HOOK,
    fields=(
        FormField("api_key", "API key", secret=True, help="Lodgify → Settings → Public API: copy the key."),
        asking.address_field(DEFAULT_URL),
    ),
    connect=connect,
    rate=Rate(600, timedelta(minutes=1)),
    writes_codes=True,
    sends_messages=True,
    maturity="tested against our make-believe vendor",
)
