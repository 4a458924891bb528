"""Hospitable, public API v2 (developer.hospitable.com).

Webhooks carry a hex HMAC-SHA256 in ``Signature`` and one reservation each. The API knows no "changed since" and no time
of the last change: every poll reads all stays of the days that are asked for.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any, NamedTuple

from lockbridge import signatures
from lockbridge.contract import AccountRefused, FormField
from lockbridge.domain.stay import StayStatus, TimeSource
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
    PropertyMerged,
    Reservation,
    ReservationEvent,
    StayRef,
    Wanted,
)
from lockbridge.platforms.reading import Fields, fields_of, parse_moment, phone_among, require_order

KEY = "hospitable"
TITLE = "Hospitable"
VERSION = "v2"
DEFAULT_URL = "https://public.api.hospitable.com/v2"
FEWEST_PHONE_DIGITS = 7
PAGE = 100
"""Reservations or properties to a page: the most there can be."""
HOMES_AT_ONCE = 40
"""Properties named in one request: their ids make the address long."""
LONGEST_STAY = timedelta(days=365)
STATUSES: Mapping[str, StayStatus] = {
    "request": StayStatus.PENDING,
    "accepted": StayStatus.CONFIRMED,
    "cancelled": StayStatus.CANCELLED,
    "not accepted": StayStatus.CANCELLED,
}
"""By nested category. ``checkpoint`` (a review by the channel) and ``unknown`` neither open nor close a door."""


def dedupe_key(delivery: Delivery) -> str:
    """The envelope's ``id``."""
    try:
        vendor_id = fields_of(delivery.body).data.get("id")
    except Unreadable:
        vendor_id = None
    return dedupe_key_for(vendor_id, delivery.body)


def read(delivery: Delivery) -> Sequence[Event]:
    """What the envelope's action says; actions that have nothing to do with doors are ignored."""
    envelope = fields_of(delivery.body)
    if envelope.maybe_text("version") not in (None, VERSION):
        raise envelope.wrong(name="version", expected=f"{VERSION} (choose the v2 webhooks)", problem="is another one")
    action = envelope.text("action")
    if "test" in _triggers(envelope):
        return [Ignored(f"a test of {action[:60]}")]
    reader = READERS.get(action)
    return [reader(envelope) if reader else Ignored(f"nothing to do with doors: {action[:60]}")]


def _triggers(envelope: Fields) -> frozenset[str]:
    triggers = envelope.data.get("triggers")
    listed = triggers if isinstance(triggers, list) else [triggers]
    return frozenset(each for each in listed if isinstance(each, str))


def _reservation(envelope: Fields) -> Event:
    (stay,) = _stays(envelope.inside("data"))
    return replace(stay, changed_at=envelope.maybe_instant("created"))


def _stays(data: Fields) -> list[ReservationEvent]:
    """The one stay that a reservation is, as webhooks and the API write it. Raises Unreadable."""
    guest = data.said_inside("guest")
    home = _property(data)
    external_id = data.ref("id")
    status, raw_status = _status(data)
    start, end = _edge(data, "arrival_date", "check_in"), _edge(data, "departure_date", "check_out")
    require_order(start.day, end.day, start.local, end.local)
    event = ReservationEvent(
        platform=KEY,
        external_id=external_id,
        reservation_code=data.maybe_ref("code") or data.maybe_ref("platform_id") or external_id,
        property_ref=home.ref("id"),
        property_name=home.said("name"),
        status=status,
        raw_status=raw_status,
        arrival=start.day,
        departure=end.day,
        check_in=start.local,
        check_out=end.local,
        check_in_from=start.source,
        check_out_from=end.source,
        check_in_instant=start.instant,
        check_out_instant=end.instant,
        guest_name=guest.said_name("first_name", "last_name"),
        guest_first_name=guest.said("first_name"),
        phone=_phone(guest),
        email=guest.said("email"),
        platform_guest=guest.said("id"),
        language=guest.said("language"),
        channel=data.said("platform"),
        owner_stay=data.data.get("stay_type") == "owner",
    )
    return [event]


def _property(data: Fields) -> Fields:
    properties = data.data.get("properties")
    if not isinstance(properties, list) or not properties or not isinstance(properties[0], dict):
        problem = "is an empty list" if properties == [] else None
        raise data.wrong(name="properties", expected="a list with the property of the stay", problem=problem)
    return data.within("properties[0]", properties[0])


def _status(data: Fields) -> tuple[StayStatus, str]:
    current = data.said_inside("reservation_status").said_inside("current")
    words = [word for name in ("category", "sub_category") if (word := current.said(name))]
    category = current.said("category") or ""
    return STATUSES.get(category.casefold(), StayStatus.UNKNOWN), ": ".join(words)


class _Edge(NamedTuple):
    day: date
    local: time | None
    instant: datetime | None

    @property
    def source(self) -> TimeSource:
        return TimeSource.INSTANT if self.instant else TimeSource.RESERVATION


def _edge(data: Fields, day_field: str, moment_field: str) -> _Edge:
    """One end of the stay. A time that cannot be read, or lies more than a day off the date, counts as not said."""
    day, moment = data.leading_day(day_field), parse_moment(data.data.get(moment_field))
    if moment is None or abs(moment.date() - day) > timedelta(days=1):
        return _Edge(day, None, None)
    return _Edge(moment.date(), moment.time(), moment.astimezone(UTC) if moment.tzinfo else None)


def _phone(guest: Fields) -> str | None:
    listed = guest.data.get("phone_numbers")
    return phone_among(listed if isinstance(listed, list) else [listed], FEWEST_PHONE_DIGITS)


def _disconnected(_: Fields) -> Notice:
    text = "Hospitable has disconnected lockbridge: no more bookings will arrive. Connect it again at Hospitable."
    return Notice("integration.disconnected", text)


def _deleted(envelope: Fields) -> Notice:
    gone = envelope.inside("data").ref("id")
    return Notice("property.deleted", f"Property {gone} was deleted at Hospitable: no more bookings of it will arrive.")


def _merged(envelope: Fields) -> PropertyMerged:
    data = envelope.inside("data")
    return PropertyMerged(data.ref("previous_id"), data.ref("new_id"))


READERS: Mapping[str, Callable[[Fields], Event]] = {
    "reservation.created": _reservation,
    "reservation.changed": _reservation,
    "integration.disconnected": _disconnected,
    "property.deleted": _deleted,
    "property.merged": _merged,
}

HOOK = Hook[Event](
    key=KEY,
    title=TITLE,
    authenticate=signatures.hmac_hex("signature"),
    dedupe_key=dedupe_key,
    read=read,
    secret_problem=signatures.any_secret_problem,
    setup_help=(
        "Hosts: Apps → Webhooks → Webhooks (v2) → Add new, with this address; the secret is the base64 of the e-mail "
        "address of the account's primary user. Who knows that address can compute the secret, so such a signature is "
        "a hint and no proof: connect the API too, keep the webhook address secret and let only 38.80.170.0/24 reach "
        "it. Vendors: address and webhook secret are set in the Partner Portal. To replace a secret, configure both, "
        "one to a line."
    ),
)

_RESERVATION = ErrorTable(statuses={401: TokenRefused, 403: AccountRefused, 404: NoSuchReservation})
_EXTRAS = ErrorTable(statuses={401: TokenRefused, 403: NotOffered, 404: NoSuchReservation})
"""Door codes are for approved vendors, messages for tokens with that scope: 403 there is not about the account."""


@dataclass(frozen=True, slots=True)
class Hospitable:
    """One account, by its personal access token or a vendor's."""

    _vendor: Vendor

    async def properties(self) -> Sequence[FoundProperty]:
        """All of them. Their time zones are offsets without summer time: no zone is told."""
        return [_home(item) async for page in self._pages("/properties", {}) for item in page]

    async def reservation(self, ref: str) -> Reservation:
        """One reservation with its guest and property."""
        request = Request("GET", _path(ref), params={"include": "guest,properties"}, errors=_RESERVATION)
        return asking.reservation_of(await self._vendor.ask(request, _data), _stays)

    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[ReservationEvent | Ignored]]:
        """Every stay of these days, whenever it changed: stays are looked for by the day they end."""
        homes = [home.ref for home in await self.properties()]
        for start in range(0, len(homes), HOMES_AT_ONCE):
            params = {
                "properties[]": homes[start : start + HOMES_AT_ONCE],
                "include": "guest,properties",
                "date_query": "checkout",
                "start_date": f"{wanted.first - timedelta(days=1)}",  # "after this day", say the documents
                "end_date": f"{wanted.last + LONGEST_STAY}",
            }
            async for page in self._pages("/reservations", params):
                told = asking.events_in(page, _stays)
                yield [event for event in told if isinstance(event, Ignored) or event.arrival <= wanted.last]

    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        """Fill the short code ``%smartlock_code%`` of the reservation. NotOffered: the token is no vendor's."""
        body = {"value": note and note.text}
        await self._vendor.ask(Request("PUT", _code_path(stay), body=body, errors=_EXTRAS), asking.anything)

    async def read_code(self, stay: StayRef) -> str | None:
        """What the short code stands for."""
        request = Request("GET", _code_path(stay), errors=_EXTRAS)
        return await self._vendor.ask(request, _value)

    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:  # noqa: ARG002 - there are none
        """Plain text, without subject."""
        request = Request("POST", f"{_path(stay.reservation_ref)}/messages", body={"body": text}, errors=_EXTRAS)
        await self._vendor.ask(request, asking.anything)

    async def sent_texts(self, stay: StayRef) -> Sequence[str]:
        """What the host's side wrote, by the time it was written."""
        request = Request("GET", f"{_path(stay.reservation_ref)}/messages", errors=_EXTRAS)
        return await self._vendor.ask(request, _host_texts)

    async def _pages(self, path: str, params: Mapping[str, Any]) -> AsyncIterator[Sequence[Any]]:
        """Page after page; the answers' own links say http:// and are not followed."""
        for number in count(1):
            request = Request("GET", path, params={**params, "per_page": PAGE, "page": number})
            items, last = await self._vendor.ask(request, _page)
            yield items
            if number >= last:
                return


def _path(ref: str) -> str:
    return f"/reservations/{asking.quoted(ref)}"


def _code_path(stay: StayRef) -> str:
    return f"{_path(stay.reservation_ref)}/enrichment/smartlock_code"


def _data(answer: Any) -> dict[str, Any]:
    return asking.an_object(answer["data"])


def _page(answer: Any) -> tuple[list[Any], int]:
    items, last = asking.a_list(answer["data"]), answer["meta"]["last_page"]
    if not isinstance(last, int):
        raise TypeError
    return items, last


def _value(answer: Any) -> str | None:
    value = _data(answer)["value"]
    if not isinstance(value, str | None):
        raise TypeError
    return value or None


def _host_texts(answer: Any) -> list[str]:
    written = [each for each in answer["data"] if each["sender_type"] == "host" and isinstance(each["body"], str)]
    return [each["body"] for each in sorted(written, key=lambda each: str(each["created_at"]))]


def _home(item: Any) -> FoundProperty:
    data = asking.property_of(item)
    ref = asking.ref_of(data)
    return FoundProperty(
        ref,
        data.said("name") or ref,
        check_in=data.said_time("check-in", midnight=True),
        check_out=data.said_time("check-out", midnight=True),
        country=data.said_inside("address").said_country("country"),
    )


def connect(link: Link) -> Hospitable:
    """The account of these settings. Raises AccountRefused when they cannot be an address and a token."""
    headers = {"authorization": f"Bearer {asking.credential(link, TITLE, 'token')}"}
    return Hospitable(asking.vendor_of(link, TITLE, DEFAULT_URL, ErrorTable(), headers))


PLATFORM = Platform(
    key=KEY,
    title=TITLE,
    hook=HOOK,
    fields=(
        FormField(
            "token",
            "Access token",
            secret=True,
            help="Hospitable → Apps → API keys → Personal access tokens → Add new, allowed to read properties and "
            "reservations and to write messages. Only the token of an approved vendor can fill in door codes.",
        ),
        asking.address_field(DEFAULT_URL),
    ),
    connect=connect,
    poll_every=timedelta(minutes=15),
    writes_codes=True,
    sends_messages=True,
    maturity="tested against our make-believe vendor",
)
