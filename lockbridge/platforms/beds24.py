"""Beds24, API v2 (wiki.beds24.com): webhooks with a secret header of the host's choice, one booking each.

A booking is one room, also in a group (``masterId``): the rooms of a group are read, cancelled and written to by
themselves, so that each is a reservation of its own. A property is ``<property>:<room>``, and
``<property>:<room>:<unit>`` for the second and further units of a room that there is several times: ``unitId`` counts
from one, and is 0 before it is assigned. ``arrivalTime`` is what the guest typed, and never a check-in time.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

import orjson

from lockbridge import signatures
from lockbridge.contract import AccountRefused, FormField, Grant, Rate, Rejected, Renew
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Hook, Ignored, Unreadable, dedupe_key_for
from lockbridge.outbound import ErrorTable, Patience, Request, SignIn, TokenRefused, Vendor
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
from lockbridge.platforms.reading import Fields, fields_of, require_order, said

KEY = "beds24"
TITLE = "Beds24"
DEFAULT_URL = "https://beds24.com/api/v2"
DEFAULT_INFO_CODE = "ACCESS_CODE"
SECRET_HEADER = "X-Lockbridge-Secret"  # noqa: S105 - its name
CREDITS_A_CALL = 1.6
"""What a page of 100 bookings was measured to cost, of 100 credits in five minutes."""
LONGEST_STAY = timedelta(days=365)
EVER = date(2000, 1, 1)
LASTS = range(1, 366 * 24 * 3600)
"""Seconds for which a token can be good; Beds24 says 86,400."""
FIRST_UNIT = frozenset({None, "0", "1"})
MESSAGED = frozenset({"airbnb", "booking", "expedia", "vrbo"})
"""The channels through which guests can be written to."""
STATUSES: Mapping[str, StayStatus] = {
    "confirmed": StayStatus.CONFIRMED,
    "new": StayStatus.CONFIRMED,
    "request": StayStatus.PENDING,
    "inquiry": StayStatus.PENDING,
    "cancelled": StayStatus.CANCELLED,
    "black": StayStatus.BLOCKED,
}
"""``new`` is a confirmed booking that nobody has opened yet: most bookings stay so. ``subStatus`` changes nothing."""
ABOUT_DELIVERY = frozenset({"timeStamp", "retries"})


def dedupe_key(delivery: Delivery) -> str:
    """The body without what differs between tries of one event."""
    try:
        said_of_event = {
            name: each for name, each in fields_of(delivery.body).data.items() if name not in ABOUT_DELIVERY
        }
        return dedupe_key_for(None, orjson.dumps(said_of_event, option=orjson.OPT_SORT_KEYS))
    except (Unreadable, orjson.JSONEncodeError):
        return dedupe_key_for(None, delivery.body)


def read(delivery: Delivery) -> Sequence[Event]:
    """The booking as it is now: events have no names. Inventory webhooks (``SYNC_ROOM``) are about prices and days."""
    envelope = fields_of(delivery.body)
    action = envelope.said("action")
    if action is not None and "booking" not in envelope.data:
        return [Ignored(f"nothing to do with doors: {action[:60]}")]
    return _stays(envelope.inside("booking"))


def _stays(data: Fields) -> list[ReservationEvent]:
    """A booking, as the API and webhooks write it; without personal data where the host chose so."""
    arrival, departure = data.day("arrival"), data.day("departure")
    require_order(arrival, departure, None, None)
    external_id, (status, raw_status) = data.ref("id"), _status(data)
    event = ReservationEvent(
        platform=KEY,
        external_id=external_id,
        reservation_code=data.said("apiReference", "reference") or external_id,
        property_ref=_property_ref(data),
        status=status,
        raw_status=raw_status,
        arrival=arrival,
        departure=departure,
        guest_name=data.said_name("firstName", "lastName"),
        guest_first_name=data.said("firstName"),
        phone=data.said_phone("phone", "mobile"),
        email=data.said("email"),
        language=data.said("lang"),
        changed_at=data.said_utc("modifiedTime"),
        channel=data.said("channel", "apiSource"),
    )
    return [event]


def _property_ref(data: Fields) -> str:
    return _ref_of_unit(data.ref("propertyId"), data.ref("roomId"), data.said("unitId"))


def _ref_of_unit(home: str, room: str, unit: str | None) -> str:
    return f"{home}:{room}" if unit in FIRST_UNIT else f"{home}:{room}:{unit}"


def _status(data: Fields) -> tuple[StayStatus, str]:
    raw, more = data.said("status") or "", data.said("subStatus")
    status = STATUSES.get(raw.casefold(), StayStatus.UNKNOWN)
    return status, raw if more in (None, "none") else f"{raw}: {more}"


HOOK = Hook[Event](
    key=KEY,
    title=TITLE,
    authenticate=signatures.header_secret(SECRET_HEADER.lower()),
    dedupe_key=dedupe_key,
    read=read,
    secret_problem=signatures.any_secret_problem,
    setup_help=(
        "For each property: Settings → Properties → Access → Booking webhooks. Choose version 2 with personal data, "
        "enter this address, and as the custom header one line: "
        f"{SECRET_HEADER}: and a long random text, which you also enter here. Beds24 signs nothing: that header is the "
        "proof that a delivery is from Beds24. To replace the text, enter the old and the new one here, one to a line, "
        "until every property has the new one."
    ),
)

_EXTRAS = ErrorTable(statuses={401: TokenRefused, 403: NotOffered})
"""Writing and messages need scopes of their own: 403 there is not about the account."""
_SIGN_IN = ErrorTable(statuses={400: AccountRefused, 401: AccountRefused, 403: AccountRefused})


@dataclass(frozen=True, slots=True)
class Beds24:
    """One account."""

    _vendor: Vendor
    _info_code: str

    async def properties(self) -> Sequence[FoundProperty]:
        """Every unit of every room of every property. Zones are not told."""
        pages = [page async for page in self._pages("/properties", {"includeAllRooms": True})]
        return [found for page in pages for item in page for found in _homes(item)]

    async def reservation(self, ref: str) -> Reservation:
        """One booking, which is one room."""
        return asking.reservation_of(await self._booking(ref), _stays)

    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[ReservationEvent | Ignored]]:
        """Every status is asked for by name, and a first day: without, Beds24 hides what is cancelled or has begun."""
        params: dict[str, Any] = {"status": list(STATUSES), "arrivalFrom": f"{wanted.first - LONGEST_STAY}"}
        if wanted.changed_since is not None:
            since = wanted.changed_since.astimezone(UTC) - timedelta(seconds=1)  # "after this", say the documents
            params["modifiedFrom"] = f"{since:%Y-%m-%dT%H:%M:%S}"
        else:
            params["arrivalTo"] = f"{wanted.last + timedelta(days=1)}"
            params["departureFrom"] = f"{wanted.first - timedelta(days=1)}"
        async for page in self._pages("/bookings", params):
            yield [event for event in asking.events_in(page, _stays) if asking.is_wanted(event, wanted)]

    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        """Set the booking's info items of our code to the text, or make one; None deletes them."""
        items = await self._info_items(stay)
        told = {} if note is None else {"text": note.text}
        changes = [{"id": item["id"], **told} for item in items]
        if note is not None and not changes:
            changes = [{"code": self._info_code, **told}]  # without an id it is one more item, every time
        if changes:
            body = [{"id": asking.number_of(stay.reservation_ref, TITLE), "infoItems": changes}]
            await self._vendor.ask(Request("POST", "/bookings", body=body, errors=_EXTRAS), _taken)

    async def read_code(self, stay: StayRef) -> str | None:
        """The text of the booking's info item of our code."""
        texts = [item.get("text") for item in await self._info_items(stay)]
        return next((text for text in texts if isinstance(text, str) and text), None)

    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:
        """Through the channel the stay was booked on; there are no subjects. NotOffered: it has no messages."""
        del subject
        channel = (stay.booked_on or "").casefold().removesuffix(".com")
        if channel and channel not in MESSAGED:
            msg = "Beds24 sends messages to guests of Airbnb, Booking.com, Expedia and Vrbo only"
            raise NotOffered(msg)
        body = [{"bookingId": asking.number_of(stay.reservation_ref, TITLE), "message": text}]
        await self._vendor.ask(Request("POST", "/bookings/messages", body=body, errors=_EXTRAS), _taken)

    async def sent_texts(self, stay: StayRef) -> Sequence[str]:
        """What the host's side wrote, by the time it was written."""
        params = {"bookingId": asking.number_of(stay.reservation_ref, TITLE), "source": "host"}
        pages = [page async for page in self._pages("/bookings/messages", params, _EXTRAS)]
        written = [item for page in pages for item in page if _is_hosts(item)]
        return [item["message"] for item in sorted(written, key=lambda item: str(item.get("time")))]

    async def _booking(self, ref: str) -> dict[str, Any]:
        """Raises NoSuchReservation for one that is not in the answer."""
        every = {"status": list(STATUSES), "arrivalFrom": f"{EVER}", "includeInfoItems": True}
        request = Request("GET", "/bookings", params={"id": asking.number_of(ref, TITLE), **every})
        page = await self._vendor.ask(request, _page)
        found = [item for item in page.items if isinstance(item, dict) and str(item.get("id")) == ref]
        if not found:
            msg = "Beds24 has no such booking"
            raise NoSuchReservation(msg)
        return found[0]

    async def _info_items(self, stay: StayRef) -> list[Mapping[str, Any]]:
        """The booking's items of our code. Several are there when somebody else added one."""
        booking = Fields(await self._booking(stay.reservation_ref))
        with asking.making_sense():
            items = [item.data for item in booking.maybe_objects("infoItems")]
        code = self._info_code.casefold()
        return [item for item in items if (said(item.get("code")) or "").casefold() == code and "id" in item]

    async def _pages(
        self, path: str, params: Mapping[str, Any], errors: ErrorTable | None = None
    ) -> AsyncIterator[Sequence[Any]]:
        """Page after page; the answers' own links are not followed."""
        for number in count(1):
            page = await self._vendor.ask(Request("GET", path, params={**params, "page": number}, errors=errors), _page)
            yield page.items
            if not (page.goes_on and page.items):
                return


class _Page(NamedTuple):
    items: Sequence[Any]
    goes_on: bool


def _page(answer: Any) -> _Page:
    items, goes_on = asking.a_list(answer["data"]), answer["pages"]["nextPageExists"]
    if answer["success"] is not True or not isinstance(goes_on, bool):
        raise TypeError
    return _Page(items, goes_on)


def _taken(answer: Any) -> None:
    """Raises Rejected for an item that was refused in an answer with 201; some of it may have been done."""
    if answer[0]["success"] is not True:
        msg = "Beds24 did not take it"
        raise Rejected(msg)


def _is_hosts(item: Any) -> bool:
    return isinstance(item, dict) and item.get("source") == "host" and isinstance(item.get("message"), str)


def _homes(item: Any) -> list[FoundProperty]:
    """Raises Unreachable for one that makes no sense: a list of properties is whole or none."""
    data = asking.property_of(item)
    with asking.making_sense():
        return [_home(data, room, unit) for room in data.maybe_objects("roomTypes") for unit in _units(room)]


def _units(room: Fields) -> list[Fields | None]:
    """The units that are let singly; None is all of a room that there is once."""
    units = room.maybe_objects("units")
    return list(units) if len(units) > 1 else [None]


def _home(data: Fields, room: Fields, unit: Fields | None) -> FoundProperty:
    number = unit.ref("id") if unit else None
    parts = (part.said("name") for part in (data, room, unit) if part)
    names = list(dict.fromkeys(name for name in parts if name))
    return FoundProperty(
        ref := _ref_of_unit(data.ref("id"), room.ref("id"), number),
        " – ".join(names) or ref,
        check_in=data.said_time("checkInStart"),
        check_out=data.said_time("checkOutEnd"),
        country=data.said_country("country"),
    )


def _calls_left(headers: Mapping[str, str], now: datetime) -> tuple[int, datetime] | None:
    """What the answer says of the account's credits, which may be fractions, as a number of calls."""
    try:
        credits_left = float(headers["x-five-min-limit-remaining"])
        seconds = float(headers["x-five-min-limit-resets-in"])
        return int(credits_left / CREDITS_A_CALL), now + timedelta(seconds=seconds)
    except (KeyError, ValueError, OverflowError):
        return None


def _with_token(request: Request, token: str) -> Request:
    return replace(request, headers={**request.headers, "token": token})


def _renewal(door: Vendor, link: Link) -> Renew:
    """How a token is got for 24 hours: with the refresh token, or – once – with the invite code that gives one."""

    async def renew(before: Grant | None) -> Grant:
        refresh = (before and before.refresh) or asking.answered(link, "refresh_token")
        if refresh:
            request = Request("GET", "/authentication/token", headers={"refreshToken": refresh})
        else:
            request = Request("GET", "/authentication/setup", headers={"code": asking.answered(link, "invite_code")})
        return await door.ask(replace(request, errors=_SIGN_IN), lambda raw: _grant_in(raw, door.now(), refresh))

    return renew


def _grant_in(raw: Any, now: datetime, refresh: str) -> Grant:
    access, lasts, kept = raw["token"], raw["expiresIn"], raw.get("refreshToken") or refresh
    if not (asking.fits_header(access) and asking.fits_header(kept) and isinstance(lasts, int) and lasts in LASTS):
        raise TypeError
    return Grant(access, now + timedelta(seconds=lasts), kept)


def connect(link: Link) -> Beds24:
    """The account of these settings. Raises AccountRefused when they cannot be an address and a token."""
    if not asking.fits_header(asking.answered(link, "refresh_token") or asking.answered(link, "invite_code")):
        raise asking.senseless(TITLE, "an invite code or a refresh token is needed, plain ASCII")
    asked = asking.vendor_of(link, TITLE, DEFAULT_URL, ErrorTable())
    asked = replace(asked, left=lambda response: _calls_left(response.headers, link.now()))
    door = replace(asked, patience=Patience(tries=1))  # what is asked with the token is what is repeated
    signed_in = replace(asked, sign_in=SignIn(link.tokens, _renewal(door, link), _with_token))
    return Beds24(signed_in, asking.answered(link, "info_code") or DEFAULT_INFO_CODE)


PLATFORM = Platform(
    key=KEY,
    title=TITLE,
    hook=HOOK,
    fields=(
        FormField(
            "invite_code",
            "Invite code",
            secret=True,
            help="Beds24 → Settings → Marketplace → API: generate an invite code that may read properties, and read "
            "and write bookings and bookings-personal. It is good once and for a day.",
            default="",
        ),
        FormField(
            "refresh_token",
            "Refresh token",
            secret=True,
            help="Instead of an invite code, if you have one.",
            default="",
        ),
        FormField(
            "info_code",
            "Info code of the door code",
            help="The door code is kept as the text of a booking's info item of this code, for your templates.",
            default=DEFAULT_INFO_CODE,
        ),
        asking.address_field(DEFAULT_URL),
    ),
    connect=connect,
    rate=Rate(int(100 / CREDITS_A_CALL), timedelta(minutes=5)),
    writes_codes=True,
    sends_messages=True,
    maturity="tested against our make-believe vendor",
)
