"""Guesty, Open API (open-api-docs.guesty.com).

Webhooks are signed as Standard Webhooks, by way of Svix. The v2 events name a reservation and hold little more; the
older ones, which Guesty ends with 2026, hold it whole. A token lasts a day, at most five are given out in a day, and
one that has ended is refused with 403, as is what an account may not do. A door code stands in one of two places, by
how the reservation came to Guesty; the other place answers 404, or 200 and keeps nothing.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from lockbridge import signatures
from lockbridge.contract import AccountRefused, FormField, Grant, Rate, Tokens
from lockbridge.domain.stay import StayStatus, TimeSource, to_local
from lockbridge.inbound import Delivery, Hook, Ignored, Unreadable, dedupe_key_for
from lockbridge.outbound import ErrorTable, Request, SignIn, TokenRefused, Vendor, bearer
from lockbridge.platforms import asking
from lockbridge.platforms.contract import (
    CodeNote,
    Event,
    FoundProperty,
    Link,
    NoSuchReservation,
    NotOffered,
    Platform,
    Reread,
    Reservation,
    ReservationEvent,
    StayRef,
    Wanted,
)
from lockbridge.platforms.reading import Fields, fields_of, require_order, said

if TYPE_CHECKING:  # as in lockbridge.outbound
    import httpx

T = TypeVar("T")

KEY = "guesty"
TITLE = "Guesty"
DEFAULT_URL = "https://open-api.guesty.com"
PAGE = 100
"""Reservations or listings to a page: the most there can be."""
TOKEN_LASTS = timedelta(hours=24)
OWNER = "owner"
"""The ``source`` of a reservation that an owner made in the owners' portal."""
NAMED = frozenset({"reservation.created.v2", "reservation.updated.v2"})
"""Events that name a reservation."""
WHOLE = frozenset({"reservation.new", "reservation.updated"})
"""Events that hold it, until the end of 2026."""
STATUSES: Mapping[str, StayStatus] = {
    "confirmed": StayStatus.CONFIRMED,
    "checked_in": StayStatus.CONFIRMED,
    "checked_out": StayStatus.CONFIRMED,
    "inquiry": StayStatus.PENDING,
    "reserved": StayStatus.PENDING,
    "awaiting_payment": StayStatus.PENDING,
    "canceled": StayStatus.CANCELLED,
    "cancelled": StayStatus.CANCELLED,
    "declined": StayStatus.CANCELLED,
    "expired": StayStatus.CANCELLED,
    "closed": StayStatus.CANCELLED,
}
"""``reserved`` is an inquiry for which the dates are kept free, ``closed`` one that came to nothing."""
RESERVATION_FIELDS = (
    "_id listingId status confirmationCode source integration.platform checkIn checkOut checkInDateLocalized "
    "checkOutDateLocalized plannedArrival plannedDeparture lastUpdatedAt listing.nickname listing.title "
    "listing.timezone listing.defaultCheckInTime listing.defaultCheckOutTime guestId guest.fullName guest.firstName "
    "guest.lastName guest.phone guest.email guest.preferredLanguage"
)
"""What is asked for: nearly nothing else comes."""
LISTING_FIELDS = "_id nickname title timezone defaultCheckInTime defaultCheckOutTime address.country"
CALLS_LEFT = re.compile(r"[0-9]{1,9}")
MODULES = frozenset({"platform", "email", "sms", "airbnb2", "whatsapp"})
"""The ways in which a conversation reaches a guest."""
MODULE_OF: Mapping[str, str] = {"airbnb": "airbnb2", "airbnb2": "airbnb2"} | dict.fromkeys(
    ("manual", "website", "be-api", "direct", OWNER), "email"
)
"""By source, for conversations that do not name theirs; all other channels are ``platform``."""
GUESTS_POSTS = frozenset({"fromGuest", "fromThirdParty"})
NOT_SENT = frozenset({"note", "log"})
"""Modules of posts that stay in the house."""


def dedupe_key(delivery: Delivery) -> str:
    """``meta.eventId``, which the older events lack; else the id of the message, which is signed too."""
    headers = delivery.headers
    try:
        event_id = fields_of(delivery.body).said_inside("meta").said("eventId")
    except Unreadable:
        event_id = None
    return dedupe_key_for(event_id or headers.get("webhook-id") or headers.get("svix-id"), delivery.body)


def read(delivery: Delivery) -> Sequence[Event]:
    """The reservation that an event holds, or the name of the one it is about."""
    envelope = fields_of(delivery.body)
    event = envelope.text("event")
    if event in NAMED:
        return [Reread(_named(envelope.inside("data")))]
    if event in WHOLE:
        return _whole(envelope.inside("reservation"))
    return [Ignored(f"nothing to do with doors: {event[:60]}")]


def _named(data: Fields) -> str:
    """``data.reservationId`` or ``data.reservation.id``: Guesty writes both shapes."""
    inner = data.said_inside("reservation")
    places = ((data, "reservationId"), (inner, "id"), (inner, "_id"))
    where, name = next((place for place in places if place[0].data.get(place[1]) is not None), places[0])
    return where.ref(name)


def _whole(reservation: Fields) -> Sequence[Event]:
    """One that comes without its dates is read again."""
    if any(reservation.data.get(name) is not None for name in ("checkInDateLocalized", "checkIn")):
        return _stays(reservation)
    return [Reread(reservation.ref("_id"))]


def _stays(data: Fields) -> list[ReservationEvent]:
    """The one stay of a reservation: a unit of a larger listing is a listing too, and each has reservations of its own.

    Raises Unreadable.
    """
    guest, listing = data.said_inside("guest"), data.said_inside("listing")
    external_id, raw_status = data.ref("_id"), data.said("status") or ""
    start, end = _edge(data, listing, ARRIVAL), _edge(data, listing, DEPARTURE)
    require_order(start.day, end.day, start.local, end.local)
    source = data.said("source")
    event = ReservationEvent(
        platform=KEY,
        external_id=external_id,
        reservation_code=data.said("confirmationCode") or external_id,
        property_ref=_home_of(data, listing),
        property_name=listing.said("nickname", "title"),
        status=STATUSES.get(raw_status.casefold(), StayStatus.UNKNOWN),
        raw_status=raw_status,
        arrival=start.day,
        departure=end.day,
        check_in=start.local,
        check_out=end.local,
        check_in_from=start.source,
        check_out_from=end.source,
        check_in_instant=start.instant,
        check_out_instant=end.instant,
        guest_name=guest.said("fullName") or guest.said_name("firstName", "lastName"),
        guest_first_name=guest.said("firstName"),
        phone=guest.said_phone("phone"),
        email=guest.said("email"),
        platform_guest=guest.said("_id") or data.said("guestId"),
        language=guest.said("preferredLanguage"),
        changed_at=data.said_utc("lastUpdatedAt"),
        channel=source or data.said_inside("integration").said("platform"),
        owner_stay=(source or "").casefold() == OWNER,
    )
    return [event]


def _home_of(data: Fields, listing: Fields) -> str:
    inner = listing.maybe_ref("_id") if data.data.get("listingId") is None else None
    return inner or data.ref("listingId")


class _Words(NamedTuple):
    """What Guesty calls the parts of one end of a stay."""

    day: str
    moment: str
    planned: str
    usual: str


ARRIVAL = _Words("checkInDateLocalized", "checkIn", "plannedArrival", "defaultCheckInTime")
DEPARTURE = _Words("checkOutDateLocalized", "checkOut", "plannedDeparture", "defaultCheckOutTime")


class _Edge(NamedTuple):
    day: date
    local: time | None
    source: TimeSource
    instant: datetime | None


def _edge(data: Fields, listing: Fields, words: _Words) -> _Edge:
    """One end of the stay: the planned time, else the instant where the listing is, else the listing's usual time.

    A planned time overrides the instant, which Guesty leaves as it was. An instant counts only with the listing's zone,
    on the day that is told, and at another time than midnight, which is no time to arrive or leave.
    """
    instant, zone = data.said_utc(words.moment), listing.said_zone("timezone")
    local = to_local(instant, zone) if instant and zone else None
    day = local.date() if local and data.data.get(words.day) is None else data.day(words.day)
    planned = data.said_time(words.planned)
    if planned is not None:
        return _Edge(day, planned, TimeSource.PLANNED, None)
    if local is not None and local.date() == day and local.time() != time(0):
        return _Edge(day, local.time(), TimeSource.INSTANT, instant)
    return _Edge(day, listing.said_time(words.usual), TimeSource.LISTING, None)


HOOK = Hook[Event](
    key=KEY,
    title=TITLE,
    authenticate=signatures.standard_webhooks,
    dedupe_key=dedupe_key,
    read=read,
    secret_problem=signatures.standard_secret_problem,
    setup_help=(
        "Guesty's webhooks are made through its API, by whoever has the client ID: POST /v1/webhooks with this address "
        "as url and the events reservation.created.v2 and reservation.updated.v2. The secret, whsec_ and base64, is "
        "what GET /v1/webhooks-v2/secret?url= says for the same address. The events name a reservation and hold little "
        "more: without the API connected here, nothing comes of them."
    ),
)

_ANYTHING = ErrorTable(statuses={401: TokenRefused, 403: TokenRefused})
"""A token that has ended may show as 403 as well as 401."""
_RESERVATION = ErrorTable(statuses={**_ANYTHING.statuses, 404: NoSuchReservation})
_SIGN_IN = ErrorTable(statuses=dict.fromkeys((400, 401, 403), AccountRefused))


@dataclass(frozen=True, slots=True)
class Guesty:
    """One account, by the client ID and secret of an Open API application."""

    _vendor: Vendor
    _tokens: Tokens
    _credentials: Mapping[str, str] = field(repr=False)
    _untaken: set[str] = field(default_factory=set, repr=False)
    """Tokens that were fetched because another was refused, until one is taken."""

    async def properties(self) -> Sequence[FoundProperty]:
        """All listings; the units of a larger listing are listings too."""
        return [_home(item) async for page in self._pages("/v1/listings", {"fields": LISTING_FIELDS}) for item in page]

    async def reservation(self, ref: str) -> Reservation:
        """One reservation with its guest and listing."""
        request = Request("GET", _v2(ref), params={"fields": RESERVATION_FIELDS}, errors=_RESERVATION)
        return asking.reservation_of(await self._ask(request, asking.an_object), _stays)

    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[ReservationEvent | Ignored]]:
        """What changed, or every stay of these days; whatever their status is."""
        filters = json.dumps(_filters(wanted), separators=(",", ":"))
        async for page in self._pages("/v1/reservations", {"fields": RESERVATION_FIELDS, "filters": filters}):
            yield asking.events_in(page, _stays)

    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        """Where reservations from channels have it; unless the answer shows it there, also where the newer ones do.

        One of the two places is the reservation's own; the other says 404 or ignores it. Taken away, it is so in both.
        """
        code = note.text if note else ""
        newer = {"notes": {"keyCode": code}}
        on_v3 = Request("PUT", f"{_v3(stay.reservation_ref)}/notes", body=newer, errors=_RESERVATION)
        try:
            kept = await self._ask(_put_code(stay, code), _code_in)
        except NoSuchReservation:
            await self._ask(on_v3, asking.anything)
            return
        if not code or kept != code:
            with suppress(NoSuchReservation):
                await self._ask(on_v3, asking.anything)

    async def read_code(self, stay: StayRef) -> str | None:
        """What stands in either place. The newer one's answers are sparse: a code left out of them reads as none."""
        ref = stay.reservation_ref
        fields = {"fields": "_id keyCode"}
        old = await self._if_there(Request("GET", _v2(ref), params=fields, errors=_RESERVATION), asking.an_object)
        if old is not None and (code := _code_in(old)):
            return code
        several = Request("GET", "/v1/reservations-v3", params={"reservationIds[]": ref}, errors=_RESERVATION)
        new = next((each for each in await self._if_there(several, _results) or () if _id_of(each) == ref), None)
        if old is None and new is None:
            msg = "Guesty has no such reservation"
            raise NoSuchReservation(msg)
        return _code_in(new) if new is not None else None

    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:
        """Plain text in the conversation's own way, without a subject. NotOffered: there is no conversation."""
        del subject
        conversation = await self._conversation(stay)
        if conversation is None:
            msg = "Guesty has no conversation with this guest"
            raise NotOffered(msg)
        ref, module = conversation
        path = f"{_conversation_path(ref)}/send-message"
        body = {"body": text, "module": {"type": module or _module_for(stay.booked_on)}}
        await self._ask(Request("POST", path, body=body), asking.anything)

    async def sent_texts(self, stay: StayRef) -> Sequence[str]:
        """The latest hundred posts, less those of the guest and notes, by the time they were written."""
        conversation = await self._conversation(stay)
        if conversation is None:
            return []
        params = {"limit": PAGE, "sort": "-createdAt"}
        request = Request("GET", f"{_conversation_path(conversation[0])}/posts", params=params)
        return await self._ask(request, _host_texts)

    async def _conversation(self, stay: StayRef) -> "tuple[str, str | None] | None":
        """The conversation about the reservation: its id, and its way to the guest where it says so."""
        filters = json.dumps([{"field": "reservation._id", "operator": "$eq", "value": stay.reservation_ref}])
        request = Request("GET", "/v1/communication/conversations", params={"filters": filters})
        return await self._ask(request, lambda answer: _conversation_in(answer, stay.reservation_ref))

    async def _pages(self, path: str, params: Mapping[str, Any]) -> AsyncIterator[Sequence[Any]]:
        """Page after page, in an order that does not change; ``count`` is not to be trusted."""
        for number in count():
            request = Request("GET", path, params={**params, "sort": "_id", "limit": PAGE, "skip": number * PAGE})
            items = await self._ask(request, _results)
            yield items
            if len(items) < PAGE:
                return

    async def _if_there(self, request: Request, parse: Callable[[Any], T]) -> T | None:
        try:
            return await self._ask(request, parse)
        except NoSuchReservation:
            return None

    async def _ask(self, request: Request, parse: Callable[[Any], T]) -> T:
        """With a token that is refused once: sign in anew and ask once more, since nothing was done.

        Not so with one that has never been taken: then it is not the token, and every sign-in counts. For the same
        reason a sign-in is no part of what is tried again when an answer fails.
        """
        sign_in = SignIn(self._tokens, self._signed_in)
        token = await sign_in.token()
        try:
            return await self._carried(request, token, parse)
        except TokenRefused:
            if token in self._untaken:
                raise
        anew = await sign_in.token(refused=token)
        self._untaken.add(anew)
        return await self._carried(request, anew, parse)

    async def _carried(self, request: Request, token: str, parse: Callable[[Any], T]) -> T:
        got = await self._vendor.ask(bearer(request, token), parse)
        self._untaken.discard(token)
        return got

    async def _signed_in(self, _: Grant | None) -> Grant:
        form = {"grant_type": "client_credentials", "scope": "open-api", **self._credentials}
        request = Request("POST", "/oauth2/token", form=form, errors=_SIGN_IN)
        access, lasts = await self._vendor.ask(request, lambda answer: asking.a_token(answer, TOKEN_LASTS))
        return Grant(access, self._vendor.now() + lasts)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _v2(ref: str) -> str:
    return f"/v1/reservations/{asking.quoted(ref)}"


def _v3(ref: str) -> str:
    return f"/v1/reservations-v3/{asking.quoted(ref)}"


def _conversation_path(ref: str) -> str:
    return f"/v1/communication/conversations/{asking.quoted(ref)}"


def _put_code(stay: StayRef, code: str) -> Request:
    return Request("PUT", _v2(stay.reservation_ref), body={"keyCode": code}, errors=_RESERVATION)


def _filters(wanted: Wanted) -> list[Mapping[str, str]]:
    """In Guesty's query language, its conditions all to hold."""
    if wanted.changed_since is not None:
        since = f"{wanted.changed_since.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
        return [{"field": "lastUpdatedAt", "operator": "$gte", "value": since}]
    return [
        {"field": "checkOutDateLocalized", "operator": "$gte", "value": f"{wanted.first}"},
        {"field": "checkInDateLocalized", "operator": "$lte", "value": f"{wanted.last}"},
    ]


def _results(answer: Any) -> list[Any]:
    """``results``, or the list itself: the newer API answers with a bare one."""
    return answer if isinstance(answer, list) else asking.a_list(answer["results"])


def _id_of(item: Any) -> str | None:
    names = ("reservationId", "_id", "id")
    return next((said(item[name]) for name in names if item.get(name)), None) if isinstance(item, dict) else None


def _code_in(reservation: Any) -> str | None:
    """``keyCode`` of the older shape, ``notes.keyCode`` of the newer one."""
    data = Fields(reservation if isinstance(reservation, dict) else {})
    places = (data, data.said_inside("notes"))
    written = (str(place.data["keyCode"]).strip() for place in places if place.data.get("keyCode"))
    return next((code for code in written if code), None)


def _module_for(booked_on: str | None) -> str:
    return MODULE_OF.get((booked_on or "").casefold(), "platform")


def _within(answer: Any, name: str) -> list[Any]:
    """A list of the communication API: in ``data.<name>`` on the wire, in ``results`` by the documents."""
    data = answer.get("data")
    return asking.a_list(data[name] if isinstance(data, dict) else answer["results"])


def _conversation_in(answer: Any, reservation: str) -> tuple[str, str | None] | None:
    about = (
        each for each in _within(answer, "conversations") if reservation in (_reservations_of(each) or {reservation})
    )
    found = next(about, None)
    if found is None:
        return None
    module = _module_of(found)
    return _text(found["_id"]), module if module in MODULES else None


def _reservations_of(conversation: Any) -> set[str]:
    """The reservations that a conversation says it is about: an unheeded filter must not lead to another guest."""
    data = Fields(asking.an_object(conversation))
    several = data.said_inside("meta").data.get("reservations")
    listed = [data.data.get("reservation"), *(several if isinstance(several, list) else ())]
    return {ref for each in listed if (ref := _id_of(each))}


def _module_of(item: Any) -> str | None:
    module = item.get("module")
    kind = module.get("type") if isinstance(module, dict) else module
    return kind if isinstance(kind, str) else None


def _host_texts(answer: Any) -> list[str]:
    posts = [each for each in _within(answer, "posts") if isinstance(each.get("body"), str) and _is_hosts(each)]
    return [each["body"] for each in sorted(posts, key=lambda each: str(each.get("createdAt")))]


def _is_hosts(post: Any) -> bool:
    return post.get("type") not in GUESTS_POSTS and post.get("sentBy") != "guest" and _module_of(post) not in NOT_SENT


def _home(item: Any) -> FoundProperty:
    data = asking.property_of(item)
    ref = asking.ref_of(data, "_id")
    return FoundProperty(
        ref,
        data.said("nickname", "title") or ref,
        zone=data.said_zone("timezone"),
        check_in=data.said_time("defaultCheckInTime"),
        check_out=data.said_time("defaultCheckOutTime"),
        country=data.said_inside("address").said_country("country"),
    )


def _left(now: Callable[[], datetime]) -> "Callable[[httpx.Response], tuple[int, datetime] | None]":
    """How many calls are left of the minute's and the hour's, whichever is fewer; both fill up again bit by bit."""

    def left(response: "httpx.Response") -> tuple[int, datetime] | None:
        told = (response.headers.get(f"x-ratelimit-remaining-{span}", "") for span in ("minute", "hour"))
        counts = [int(each) for each in told if CALLS_LEFT.fullmatch(each)]
        return (min(counts), now() + timedelta(minutes=1)) if counts else None

    return left


def connect(link: Link) -> Guesty:
    """The account of these settings. Raises AccountRefused when they cannot be an address and credentials."""
    credentials = {name: asking.answered(link, name) for name in ("client_id", "client_secret")}
    if not all(credentials.values()):
        raise asking.senseless(TITLE, "both the client ID and the client secret are needed")
    vendor = asking.vendor_of(link, TITLE, DEFAULT_URL, _ANYTHING)
    return Guesty(replace(vendor, left=_left(link.now)), link.tokens, credentials)


PLATFORM = Platform(
    key=KEY,
    title=TITLE,
    hook=HOOK,
    fields=(
        FormField("client_id", "Client ID", help="Guesty → integration center → Open API → Applications: a new one."),
        FormField("client_secret", "Client secret", secret=True, help="Shown beside the client ID, and only once."),
        asking.address_field(DEFAULT_URL),
    ),
    connect=connect,
    rate=Rate(120, timedelta(minutes=1)),
    writes_codes=True,
    sends_messages=True,
    maturity="tested against our make-believe vendor",
)
