"""Smoobu: webhooks that nobody signs, and the API behind them (docs.smoobu.com).

A webhook is read for the reservation's id alone; what became of it is asked. Deleted ones are found to be missing.

**Every request to the API is signed** (HMAC-SHA256), which Smoobu requires of everybody since autumn 2026: the key goes
over the wire, its secret does not. Accounts whose old key still works may leave the secret empty.

**Times of day are not read.** ``check-in`` and ``check-out`` are mostly empty, and filled in by the guest's online
check-in: they are guesses, not when a door may open. Timestamps carry no zone, so none says which change came later.

The door code becomes a *custom placeholder* of the booking (beta): templates name it as ``[doorCode]``. A second
placeholder of the same name is refused, so that the one that is there is looked for and changed. How the list of them
is wrapped is not published; any list in the answer will do.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from lockbridge import signatures
from lockbridge.contract import AccountRefused, FormField, Grant, Rate, Renew
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Hook, Ignored, dedupe_key_for
from lockbridge.outbound import ErrorTable, Request, SignIn, Vendor
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
from lockbridge.platforms.reading import Fields, fields_of, require_order

if TYPE_CHECKING:  # as in lockbridge.outbound
    import httpx

KEY = "smoobu"
TITLE = "Smoobu"
DEFAULT_URL = "https://login.smoobu.com"
PLACEHOLDER = "doorCode"
OF_A_BOOKING = 1
"""The kind of placeholder that belongs to one booking; 2 belongs to an apartment."""
FROM_THE_HOST = 2
"""The type of a message that was sent to the guest; 1 came in."""
PAGE = 100
FARTHEST_BEHIND = timedelta(hours=12)
"""How far a local date can lie behind the UTC date: ``modifiedFrom`` is a date of nobody says which zone."""
ACTIONS = frozenset({"newReservation", "updateReservation", "cancelReservation", "deleteReservation"})
STATUSES: Mapping[str, StayStatus] = {
    "reservation": StayStatus.CONFIRMED,
    "modification": StayStatus.CONFIRMED,
    "modification of booking": StayStatus.CONFIRMED,
    "cancellation": StayStatus.CANCELLED,
    "blocked": StayStatus.BLOCKED,
}
"""By ``type``. Smoobu holds neither inquiries nor requests among its reservations."""
_EPOCH_DIGITS = 10


def dedupe_key(delivery: Delivery) -> str:
    """The body: nothing in it names the event."""
    return dedupe_key_for(None, delivery.body)


def read(delivery: Delivery) -> Sequence[Event]:
    """Which reservation to ask for; messages, prices and the timeline are ignored."""
    envelope = fields_of(delivery.body)
    action = envelope.text("action")
    if action not in ACTIONS:
        return [Ignored(f"nothing to do with stays: {action[:60]}")]
    return [Reread(envelope.inside("data").ref("id"))]


def _stays(data: Fields) -> list[ReservationEvent]:
    """The one stay that a reservation is, as the API writes it. Raises Unreadable."""
    external_id, home = data.ref("id"), data.inside("apartment")
    status, raw_status = _status(data)
    arrival, departure = data.day("arrival"), data.day("departure")
    require_order(arrival, departure, None, None)
    event = ReservationEvent(
        platform=KEY,
        external_id=external_id,
        reservation_code=data.said("reference-id") or external_id,
        property_ref=home.ref("id"),
        property_name=home.said("name"),
        status=status,
        raw_status=raw_status,
        arrival=arrival,
        departure=departure,
        guest_name=data.said("guest-name") or data.said_name("firstname", "lastname"),
        guest_first_name=data.said("firstname"),
        phone=data.said_phone("phone"),
        email=data.said("email"),
        platform_guest=data.said("guestId"),
        language=data.said("language"),
        channel=data.said_inside("channel").said("name"),
    )
    return [event]


def _status(data: Fields) -> tuple[StayStatus, str]:
    raw = data.said("type") or ""
    status = STATUSES.get(raw.casefold(), StayStatus.UNKNOWN)
    if data.flag("is-blocked-booking") and status is not StayStatus.CANCELLED:
        return StayStatus.BLOCKED, f"{raw}: blocked"
    return status, raw


HOOK = Hook[Event](
    key=KEY,
    title=TITLE,
    authenticate=signatures.url_token,
    dedupe_key=dedupe_key,
    read=read,
    secret_problem=signatures.any_secret_problem,
    setup_help=(
        "Smoobu → Advanced → API Keys → Webhook URLs: enter the whole address. Smoobu signs nothing: the secret part "
        "of the address is all the proof there is, so treat the address as a password. What a webhook says is never "
        "believed; it only causes the reservation to be asked for, for which the API must be connected."
    ),
    secret_is_address=True,
)

_ACCOUNT = {401: AccountRefused, 403: AccountRefused}
_RESERVATION = ErrorTable(statuses={**_ACCOUNT, 404: NoSuchReservation})
_EXTRAS = ErrorTable(statuses={401: AccountRefused, 403: NotOffered, 404: NoSuchReservation})


@dataclass(frozen=True, slots=True)
class Smoobu:
    """One account, by an API key and its secret."""

    _vendor: Vendor
    _placeholder: str
    """What the door code is called in templates."""

    async def properties(self) -> Sequence[FoundProperty]:
        """All apartments: a list of names, then one request each for the rest."""
        listed = await self._vendor.ask(Request("GET", "/api/apartments"), _apartments)
        return [await self._home(each) for each in listed]

    async def _home(self, listed: Fields) -> FoundProperty:
        ref = asking.ref_of(listed)
        details = await self._vendor.ask(Request("GET", f"/api/apartments/{asking.quoted(ref)}"), _fields)
        return FoundProperty(
            ref,
            listed.said("name") or ref,
            zone=details.said_zone("timeZone"),
            country=details.said_inside("location").said_country("country"),
        )

    async def reservation(self, ref: str) -> Reservation:
        """One reservation."""
        found = await self._vendor.ask(Request("GET", _path(ref), errors=_RESERVATION), asking.an_object)
        return asking.reservation_of(found, _stays)

    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[ReservationEvent | Ignored]]:
        """Those changed since the day before, or those of these days; cancelled ones and blocks are asked for too."""
        params = {**_filters(wanted), "showCancellation": "true", "excludeBlocked": "false", "pageSize": f"{PAGE}"}
        async for page in self._pages("/api/reservations", params, "bookings"):
            yield asking.events_in(page, _stays)

    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        """Make the booking's placeholder, change it or take it away."""
        held = await self._held(stay)
        if note is not None:
            await self._vendor.ask(self._filling(stay, held, note.text), asking.anything)
        elif held is not None:
            await self._vendor.ask(Request("DELETE", _placeholder_path(held), errors=_EXTRAS), asking.anything)

    def _filling(self, stay: StayRef, held: Fields | None, text: str) -> Request:
        body = {
            "key": self._placeholder,
            "defaultValue": text,
            "type": OF_A_BOOKING,
            "foreignId": asking.number_of(stay.reservation_ref, TITLE),
        }
        if held is None:
            return Request("POST", "/api/custom-placeholders", body=body, errors=_EXTRAS)
        return Request("PUT", _placeholder_path(held), body=body, errors=_EXTRAS)

    async def read_code(self, stay: StayRef) -> str | None:
        """What the booking's placeholder stands for."""
        held = await self._held(stay)
        return str(held.data.get("defaultValue") or "") or None if held else None

    async def _held(self, stay: StayRef) -> Fields | None:
        """The booking's placeholder among all of the account."""
        wanted = (self._placeholder, f"{OF_A_BOOKING}", stay.reservation_ref)
        async for page in self._pages("/api/custom-placeholders", {}, None, _EXTRAS):
            for item in map(Fields, page):
                if tuple(item.said(name) for name in ("key", "type", "foreignId")) == wanted:
                    return item
        return None

    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:
        """Through the channel, or by e-mail where the booking is direct."""
        path = f"{_path(stay.reservation_ref)}/messages/send-message-to-guest"
        body = {"subject": subject, "messageBody": text}
        await self._vendor.ask(Request("POST", path, body=body, errors=_EXTRAS), asking.anything)

    async def sent_texts(self, stay: StayRef) -> Sequence[str]:
        """What went to the guest, by the time it was written."""
        path, params = f"{_path(stay.reservation_ref)}/messages", {"onlyRelatedToGuest": "true"}
        pages = self._pages(path, params, "messages", _EXTRAS)
        sent = [item async for page in pages for item in page if item.get("type") == FROM_THE_HOST]
        return [str(each.get("message") or "") for each in sorted(sent, key=lambda each: str(each.get("createdAt")))]

    async def _pages(
        self, path: str, params: Mapping[str, str], name: str | None, errors: ErrorTable | None = None
    ) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """Page after page of the list with that name; None: of whichever list there is."""
        for number in count(1):
            ordered = dict(sorted({**params, "page": f"{number}"}.items()))
            items, last = await self._vendor.ask(
                Request("GET", path, params=ordered, errors=errors), lambda answer: _page(answer, name)
            )
            yield items
            if number >= last:
                return


def _filters(wanted: Wanted) -> dict[str, str]:
    """``departureFrom`` and ``arrivalTo`` say what they mean; ``from`` and ``to`` do not."""
    if wanted.changed_since is None:
        return {"departureFrom": f"{wanted.first}", "arrivalTo": f"{wanted.last}"}
    return {"modifiedFrom": f"{(wanted.changed_since.astimezone(UTC) - FARTHEST_BEHIND).date()}"}


def _path(ref: str) -> str:
    """Raises NoSuchReservation for what is no number, which could not be signed as it is sent."""
    return f"/api/reservations/{asking.number_of(ref, TITLE)}"


def _placeholder_path(held: Fields) -> str:
    return f"/api/custom-placeholders/{asking.quoted(asking.ref_of(held))}"


def _fields(answer: Any) -> Fields:
    return Fields(asking.an_object(answer))


def _apartments(answer: Any) -> list[Fields]:
    return [_fields(item) for item in answer["apartments"]]


def _page(answer: Any, name: str | None) -> tuple[list[dict[str, Any]], int]:
    """The items, and the number of the last page; an answer without that number is all there is."""
    if isinstance(answer, list):
        return [asking.an_object(item) for item in answer], 1
    lists = [value for value in answer.values() if isinstance(value, list)]
    items = answer[name] if name else lists[0]
    return [asking.an_object(item) for item in items], int(answer.get("page_count") or 1)


@dataclass(frozen=True, slots=True)
class _Signer:
    """How a request carries its own signature. Each try is signed anew: a nonce is good for once."""

    now: Callable[[], datetime]
    root: str
    """The path in front of every request's own."""
    key: str = field(repr=False)

    def __call__(self, request: Request, secret: str) -> Request:
        """The request with the four headers of Smoobu's HMAC scheme."""
        path, _, query = request.address.partition("?")
        moment, nonce = f"{self.now().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", str(uuid4())
        body = hashlib.sha256(request.content or b"").hexdigest()
        canonical = "\n".join((request.method, self.root + path, query, moment, nonce, body, self.key))
        signature = b64encode(hmac.digest(secret.encode(), canonical.encode(), "sha256")).decode()
        signed = {"x-api-key": self.key, "x-timestamp": moment, "x-nonce": nonce, "x-signature": signature}
        return replace(request, headers={**request.headers, **signed})


@dataclass(frozen=True, slots=True)
class _Secret:
    """The key's secret in the place of a token: it is never fetched."""

    secret: str = field(repr=False)

    async def current(self, renew: Renew, *, refused: str | None = None) -> str:  # noqa: ARG002 - as all tokens
        """The secret."""
        return self.secret


async def _renew(_: Grant | None) -> Grant:
    """Never asked: a secret is what the host typed in."""
    raise AccountRefused(TITLE)


def _left(response: "httpx.Response") -> tuple[int, datetime] | None:
    """What the headers say of the thousand calls a minute, and the second when there are more (since 1970)."""
    remaining, resets = (response.headers.get(f"x-ratelimit-{name}", "") for name in ("remaining", "retry-after"))
    if not (remaining.isdecimal() and resets.isdecimal() and len(resets) == _EPOCH_DIGITS):
        return None
    return int(remaining), datetime.fromtimestamp(int(resets), UTC)


def connect(link: Link) -> Smoobu:
    """The account of these settings. Raises AccountRefused when they make no sense."""
    key, secret = asking.credential(link, TITLE, "key"), asking.answered(link, "secret")
    headers = {} if secret else {"api-key": key}
    vendor = replace(asking.vendor_of(link, TITLE, DEFAULT_URL, ErrorTable(statuses=_ACCOUNT), headers), left=_left)
    if secret:
        signer = _Signer(link.now, urlsplit(vendor.base).path, key)
        vendor = replace(vendor, sign_in=SignIn(_Secret(secret), _renew, signer))
    return Smoobu(vendor, asking.answered(link, "placeholder") or PLACEHOLDER)


PLATFORM = Platform(
    key=KEY,
    title=TITLE,
    hook=HOOK,
    fields=(
        FormField("key", "API key", secret=True, help="Smoobu → Advanced → API Keys → Create New"),
        FormField(
            "secret",
            "Secret of the API key",
            secret=True,
            help="Shown once, when the key is made. Smoobu asks for it since autumn 2026; leave it empty only for an "
            "old key that has none.",
            default="",
        ),
        FormField(
            "placeholder",
            "Placeholder of the door code",
            help="Write it in square brackets into your message templates: [doorCode].",
            default=PLACEHOLDER,
        ),
        asking.address_field(DEFAULT_URL),
    ),
    connect=connect,
    rate=Rate(1000, timedelta(minutes=1)),
    writes_codes=True,
    sends_messages=True,
    maturity="tested against our make-believe vendor",
)
