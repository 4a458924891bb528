"""Hostaway, public API v1 (api.hostaway.com/documentation).

Webhooks are proved by HTTP Basic with a login of the host's choice, and hold the reservation whole; duplicates are
announced, and the JSON may come encoded twice. Dates and hours are the listing's, timestamps are UTC. A token lasts two
years and is taken one second after it was given out.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple, TypeVar

from lockbridge import signatures
from lockbridge.contract import AccountRefused, FormField, Grant, Rate, Tokens, Unreachable
from lockbridge.domain.stay import StayStatus, to_local
from lockbridge.inbound import Delivery, Hook, Ignored, dedupe_key_for
from lockbridge.outbound import ErrorTable, Request, SignIn, TokenRefused, Vendor
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

T = TypeVar("T")

KEY = "hostaway"
TITLE = "Hostaway"
DEFAULT_URL = "https://api.hostaway.com/v1"
PAGE = 100
"""Entries to a page: what Hostaway gives by itself."""
TOKEN_LASTS = timedelta(days=730)
TOKEN_SETTLES = 1.0
"""Seconds before a new token is taken."""
OWNER = "ownerstay"
VENDOR_OF_CODES = "lockbridge"
RESERVATION_EVENTS = frozenset({"reservation.created", "reservation.updated"})
STATUSES: Mapping[str, StayStatus] = {
    "new": StayStatus.CONFIRMED,
    "modified": StayStatus.CONFIRMED,
    OWNER: StayStatus.CONFIRMED,
    "pending": StayStatus.PENDING,
    "awaitingpayment": StayStatus.PENDING,
    "unconfirmed": StayStatus.PENDING,
    "awaitingguestverification": StayStatus.PENDING,
    "inquiry": StayStatus.PENDING,
    "inquirypreapproved": StayStatus.PENDING,
    "cancelled": StayStatus.CANCELLED,
    "declined": StayStatus.CANCELLED,
    "expired": StayStatus.CANCELLED,
    "inquirydenied": StayStatus.CANCELLED,
    "inquirytimedout": StayStatus.CANCELLED,
    "inquirynotpossible": StayStatus.CANCELLED,
}
"""In small letters. ``unknown`` (an inquiry that failed at Airbnb) neither opens nor closes a door."""
WITH_INBOX = frozenset({"airbnb", "airbnbofficial", "bookingcom", "homeaway", "vrbo", "expedia", "marriott"})
"""Channels with messages of their own; guests of all others are written to by e-mail."""
NOT_SENT = frozenset({"cancelled_by_user", "cancelled_by_system", "failed"})
HOUR = re.compile(r"[0-9]{1,2}")


def dedupe_key(delivery: Delivery) -> str:
    """The hash of the body: deliveries have no id."""
    return dedupe_key_for(None, delivery.body)


def read(delivery: Delivery) -> Sequence[Event]:
    """The reservation that an event holds; messages are ignored."""
    envelope = fields_of(delivery.body)
    event = envelope.text("event")
    if event not in RESERVATION_EVENTS:
        return [Ignored(f"nothing to do with doors: {event[:60]}")]
    data = envelope.inside("data")
    if {"status", "arrivalDate", "departureDate"}.isdisjoint(data.data):
        return [Reread(data.ref("id"))]
    return _stays(data)


def _stays(data: Fields) -> list[ReservationEvent]:
    """The stays of a reservation: one, or one for each unit of a listing that has several. Raises Unreadable.

    A unit is the property ``<listing>:<unit>``. The only unit of a reservation goes by the reservation's own id, one of
    several by ``<reservation>:<reservation unit>``, which stays when its guest gets another unit.
    """
    whole, units = _whole(data), data.said_objects("reservationUnit")  # not all answers and webhooks tell
    if len(units) == 1:
        return [replace(whole, property_ref=f"{whole.property_ref}:{units[0].ref('listingUnitId')}")]
    return [_of_unit(whole, unit) for unit in units] or [whole]


def _whole(data: Fields) -> ReservationEvent:
    external_id, raw_status = data.ref("id"), data.said("status") or ""
    check_in, check_out = _hour(data.data.get("checkInTime")), _hour(data.data.get("checkOutTime"))
    arrival, departure = data.day("arrivalDate"), data.day("departureDate")
    if _are_placeholders(data):
        departure = max(arrival, departure)
    else:
        require_order(arrival, departure, check_in, check_out)
    return ReservationEvent(
        platform=KEY,
        external_id=external_id,
        reservation_code=data.said("confirmationCode") or external_id,
        property_ref=data.ref("listingMapId"),
        property_name=data.said("listingName"),
        status=_status(data, raw_status),
        raw_status=raw_status,
        arrival=arrival,
        departure=departure,
        check_in=check_in,
        check_out=check_out,
        guest_name=data.said("guestName") or data.said_name("guestFirstName", "guestLastName"),
        guest_first_name=data.said("guestFirstName"),
        phone=data.said_phone("phone"),
        email=data.said("guestEmail"),
        platform_guest=data.said("guestExternalAccountId"),
        language=data.said("guestLocale"),
        changed_at=_changed_at(data),
        channel=data.said("channelName"),
        owner_stay=raw_status.casefold() == OWNER,
    )


def _status(data: Fields, raw: str) -> StayStatus:
    """An inquiry about no dates in particular waits for them, whatever it is called, unless it is over."""
    status = STATUSES.get(raw.casefold(), StayStatus.UNKNOWN)
    return StayStatus.PENDING if status is StayStatus.CONFIRMED and _are_placeholders(data) else status


def _are_placeholders(data: Fields) -> bool:
    """Whether Hostaway filled in dates because there are none."""
    return data.data.get("isDatesUnspecified") in (1, "1")


def _of_unit(whole: ReservationEvent, unit: Fields) -> ReservationEvent:
    return replace(
        whole,
        external_id=f"{whole.external_id}:{unit.ref('id')}",
        reservation_ref=whole.external_id,
        property_ref=f"{whole.property_ref}:{unit.ref('listingUnitId')}",
        guest_name=unit.said("guestName") or whole.guest_name,
        guest_first_name=unit.said("guestFirstName") or whole.guest_first_name,
    )


def _hour(value: object) -> time | None:
    """The local hour of a number from 1 to 23, also as a text; None for anything else.

    Hostaway allows 0 too: midnight is no time to arrive or leave, and stands there where nobody chose an hour.
    """
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    hour = int(text) if HOUR.fullmatch(text) else 0
    return time(hour) if hour in range(1, 24) else None


def _changed_at(data: Fields) -> datetime | None:
    """The later of two timestamps ``2026-05-20 11:59:00``, which are UTC."""
    moments = (data.said_utc(name) for name in ("updatedOn", "latestActivityOn"))
    return max((each for each in moments if each is not None), default=None)


HOOK = Hook[Event](
    key=KEY,
    title=TITLE,
    authenticate=signatures.basic,
    dedupe_key=dedupe_key,
    read=read,
    secret_problem=signatures.login_secret_problem,
    secret_is_login=True,
    setup_help=(
        "Hostaway, as the account's owner → Settings → Integrations: add a unified webhook with this address and a "
        "login and password of your own, which Hostaway leaves optional and lockbridge does not. The secret here is "
        "both with a colon between them: login:password. Nothing else proves where a webhook comes from: choose a long "
        "password. Give your e-mail address there too: Hostaway tells it about webhooks that do not arrive. "
        "To replace the password, configure both, one to a line."
    ),
)

_ANYTHING = ErrorTable(statuses={401: TokenRefused, 403: TokenRefused})
"""403 is a token that has ended."""
_RESERVATION = ErrorTable(statuses={**_ANYTHING.statuses, 404: NoSuchReservation})
_SIGN_IN = ErrorTable(statuses=dict.fromkeys((400, 401, 403), AccountRefused))


@dataclass(frozen=True, slots=True)
class Hostaway:
    """One account, by its number and a secret of its API."""

    _vendor: Vendor
    _tokens: Tokens
    _credentials: Mapping[str, str] = field(repr=False)

    async def properties(self) -> Sequence[FoundProperty]:
        """All listings. The units of one that has several are not named: their stays say which they are of."""
        return [_home(item) async for page in self._pages("/listings", {}) for item in page]

    async def reservation(self, ref: str) -> Reservation:
        """One reservation with its units."""
        request = Request("GET", _path(ref), params={"includeResources": 1}, errors=_RESERVATION)
        return asking.reservation_of(await self._ask(request, _object), _stays)

    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[ReservationEvent | Ignored]]:
        """What changed, or every stay of these days; whatever their status is.

        By day of arrival, so that what changes meanwhile stays in its place. The end is an empty page.
        """
        params: Mapping[str, Any] = {"limit": PAGE, "sortOrder": "arrivalDate", "includeResources": 1, **_days(wanted)}
        after: int | None = None
        while True:
            cursor = {} if after is None else {"afterId": after}
            items, last = await self._ask(Request("GET", "/reservations", params={**params, **cursor}), _page)
            yield [event for event in asking.events_in(items, _stays) if _is_recent(event, wanted)]
            if not _goes_on(items, after, last):
                return
            after = last

    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        """Fill the fields that Hostaway's templates know.

        NotOffered: the stay is one of several of its reservation, or Hostaway does not let the reservation be changed.
        """
        if stay.external_id != stay.reservation_ref:
            msg = "Hostaway has one door code for all units of a reservation"
            raise NotOffered(msg)
        path, params = _path(stay.reservation_ref), {"forceOverbooking": 1}
        await self._write(Request("PUT", path, body=_code_fields(note), params=params, errors=_RESERVATION))

    async def read_code(self, stay: StayRef) -> str | None:
        """What the templates would say."""
        request = Request("GET", _path(stay.reservation_ref), errors=_RESERVATION)
        return await self._ask(request, _code_in)

    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:
        """Plain text through the channel, or by e-mail. NotOffered: there is no conversation."""
        del subject
        conversations = await self._conversations(stay)
        if not conversations:
            msg = "Hostaway has no conversation with this guest"
            raise NotOffered(msg)
        way = "channel" if (stay.booked_on or "").casefold() in WITH_INBOX else "email"
        body = {"body": text, "communicationType": way}
        await self._write(Request("POST", f"/conversations/{conversations[0]}/messages", body=body))

    async def sent_texts(self, stay: StayRef) -> Sequence[str]:
        """What the host's side wrote or has waiting to be sent, by the order in which it was written."""
        posts: list[_Post] = []
        for conversation in await self._conversations(stay):
            path = f"/conversations/{conversation}/messages"
            async for page in self._pages(path, {"includeScheduledMessages": 1}):
                posts += (post for item in page if (post := _post(item)) is not None)
        return [post.text for post in sorted(posts)]

    async def _conversations(self, stay: StayRef) -> Sequence[int]:
        request = Request("GET", f"{_path(stay.reservation_ref)}/conversations", errors=_RESERVATION)
        return await self._ask(request, lambda answer: [_number(each["id"]) for each in _list(answer)])

    async def _pages(self, path: str, params: Mapping[str, Any]) -> AsyncIterator[Sequence[Any]]:
        """Page after page, until one is empty."""
        offset = 0
        while True:
            paged = {**params, "limit": PAGE, "offset": offset}
            items = await self._ask(Request("GET", path, params=paged, errors=_RESERVATION), _list)
            if not items:
                return
            yield items
            offset += len(items)

    async def _write(self, request: Request) -> None:
        """Raises NotOffered when even a new token may not do it: then it is not the account that is refused."""
        try:
            await self._ask(request, _succeeded)
        except TokenRefused:
            msg = "Hostaway does not let this reservation be changed"
            raise NotOffered(msg) from None

    async def _ask(self, request: Request, parse: Callable[[Any], T]) -> T:
        sign_in = SignIn(self._tokens, self._signed_in)
        return await replace(self._vendor, sign_in=sign_in).ask(request, parse)

    async def _signed_in(self, _: Grant | None) -> Grant:
        """A token, once it can be used."""
        form = {"grant_type": "client_credentials", "scope": "general", **self._credentials}
        request = Request("POST", "/accessTokens", form=form, errors=_SIGN_IN, reads=True)
        access, lasts = await self._vendor.ask(request, _token)
        await self._vendor.patience.sleep(TOKEN_SETTLES)
        return Grant(access, self._vendor.now() + lasts)


def _token(answer: Any) -> tuple[str, timedelta]:
    """From the answer itself, as documented, or its ``result``, as for everything else."""
    return asking.a_token(answer if "access_token" in answer else answer["result"], TOKEN_LASTS)


def _path(ref: str) -> str:
    return f"/reservations/{asking.quoted(ref)}"


def _days(wanted: Wanted) -> Mapping[str, str]:
    """Changes can be asked for by the day only; whose day it is is not said, hence the one before."""
    if wanted.changed_since is not None:
        return {"latestActivityStart": f"{wanted.changed_since.astimezone(UTC).date() - timedelta(days=1)}"}
    return {"departureStartDate": f"{wanted.first}", "arrivalEndDate": f"{wanted.last}"}


def _is_recent(event: ReservationEvent | Ignored, wanted: Wanted) -> bool:
    """Less what is known to be from earlier on those days, to the second."""
    changed = None if isinstance(event, Ignored) else event.changed_at
    since = wanted.changed_since
    return changed is None or since is None or changed >= since.replace(microsecond=0)


def _code_fields(note: CodeNote | None) -> Mapping[str, str | None]:
    if note is None:
        return dict.fromkeys(("doorCode", "doorCodeVendor", "doorCodeInstruction"))
    return {"doorCode": note.text, "doorCodeVendor": VENDOR_OF_CODES, "doorCodeInstruction": _hours(note)}


def _code_in(answer: Any) -> str | None:
    return str(_object(answer).get("doorCode") or "").strip() or None


def _hours(note: CodeNote) -> str:
    """When the code works, in the property's time: ``2026-06-14 16:00 – 2026-06-16 11:00``."""
    ends = (to_local(instant, note.zone) for instant in (note.opens_at, note.closes_at))
    return " – ".join(f"{end:%Y-%m-%d %H:%M}" for end in ends)


def _result(answer: Any) -> Any:
    if answer["status"] != "success":
        raise ValueError
    return answer["result"]


def _succeeded(answer: Any) -> None:
    _result(answer)


def _object(answer: Any) -> dict[str, Any]:
    return asking.an_object(_result(answer))


def _list(answer: Any) -> list[Any]:
    return asking.a_list(_result(answer))


def _page(answer: Any) -> tuple[list[Any], int | None]:
    """The reservations of a page, and the id of the last that has one: the next page begins after it."""
    items = _list(answer)
    ids = [_number(each["id"]) for each in items if isinstance(each, dict) and isinstance(each.get("id"), int)]
    return items, ids[-1] if ids else None


def _goes_on(items: Sequence[Any], after: int | None, last: int | None) -> bool:
    """Whether to ask for what comes after ``last``. Raises Unreachable for a full page that leads nowhere."""
    if last is not None and last != after:
        return True
    if len(items) < PAGE:
        return False
    msg = "Hostaway's list of reservations does not go on"
    raise Unreachable(msg)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


class _Post(NamedTuple):
    number: int
    text: str


def _post(item: Any) -> _Post | None:
    """A message that went to the guest, or will; None for one that did not, or came from there."""
    if not isinstance(item, dict) or item.get("isIncoming") in (1, "1") or said(item.get("status")) in NOT_SENT:
        return None
    number, text = item.get("id"), item.get("body")
    return _Post(number, text) if isinstance(number, int) and isinstance(text, str) else None


def _home(item: Any) -> FoundProperty:
    data = asking.property_of(item)
    ref = asking.ref_of(data)
    return FoundProperty(
        ref,
        data.said("internalListingName", "name") or ref,
        zone=data.said_zone("timeZoneName"),
        check_in=_hour(data.data.get("checkInTimeStart")),
        check_out=_hour(data.data.get("checkOutTime")),
        country=data.said_country("countryCode"),
    )


def connect(link: Link) -> Hostaway:
    """The account of these settings. Raises AccountRefused when they cannot be an address and credentials."""
    credentials = {"client_id": asking.answered(link, "account_id"), "client_secret": asking.answered(link, "api_key")}
    if not all(credentials.values()):
        raise asking.senseless(TITLE, "both the account ID and the API key are needed")
    return Hostaway(asking.vendor_of(link, TITLE, DEFAULT_URL, _ANYTHING), link.tokens, credentials)


PLATFORM = Platform(
    key=KEY,
    title=TITLE,
    hook=HOOK,
    fields=(
        FormField("account_id", "Account ID", help="A number, shown with each new API key."),
        FormField(
            "api_key",
            "API key",
            secret=True,
            help="Hostaway, as the account's owner → Settings → Hostaway API → Create, for the partner “Hostaway "
            "Public API”: shown once, and good for two years.",
        ),
        asking.address_field(DEFAULT_URL),
    ),
    connect=connect,
    rate=Rate(15, timedelta(seconds=10)),
    writes_codes=True,
    sends_messages=True,
    maturity="tested against our make-believe vendor",
)
