"""OwnerRez: webhooks of a registered app behind HTTP Basic, and the API v2 (api.ownerrez.com/help/v2).

A webhook names a booking and may carry all of it. Where it does, it is read; where it does not – deleted bookings, and
updates that carry a few fields – the booking is asked for, as OwnerRez' own Zapier app always does. A booking is of one
property as a whole. There are neither owner stays nor languages.

The door code goes into a custom field of the host's choice, which templates name by its code. OwnerRez' own door codes
come from its own lock integrations and are read-only. Writing to guests needs a messaging agreement with OwnerRez.
"""

import base64
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, NamedTuple

from lockbridge import signatures
from lockbridge.contract import AccountRefused, FormField, Rate
from lockbridge.domain.stay import StayStatus
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
from lockbridge.platforms.reading import Fields, fields_of, phone_among, require_order

KEY = "ownerrez"
TITLE = "OwnerRez"
DEFAULT_URL = "https://api.ownerrez.com"
AGENT = "lockbridge"
"""OwnerRez answers 403 to requests that do not say who is asking."""
PAGE = 100
HOMES_AT_ONCE = 50
"""Properties named in one request: their ids make the address long."""
CHANGES = frozenset({"entity_insert", "entity_create", "entity_update"})
"""``entity_insert`` is the documented name, ``entity_create`` has been seen."""
DELETION = "entity_delete"
BOOKING = "booking"
"""The type of an entity, and of a booking that is no block and no hold."""
REVOKED = "application_authorization_revoked"
WHOLE = ("id", "property_id", "arrival", "departure", "status")
"""Fields without which an entity is not the whole booking."""
BLOCKS = frozenset({"block", "linked_availability"})
LISTED = ("active", "pending", "canceled")
"""The statuses that lists are asked for by name, so that no default hides the canceled ones."""


def dedupe_key(delivery: Delivery) -> str:
    """The envelope's ``id``, a text or a number."""
    try:
        vendor_id = fields_of(delivery.body).said("id")
    except Unreadable:
        vendor_id = None
    return dedupe_key_for(vendor_id, delivery.body)


def read(delivery: Delivery) -> Sequence[Event]:
    """The booking in the envelope, or which one to ask for; guests, properties, messages and tests are ignored."""
    envelope = fields_of(delivery.body)
    action, kind = envelope.text("action"), envelope.said("entity_type") or "nothing"
    if action == REVOKED:
        return [_disconnected()]
    if kind != BOOKING or action not in CHANGES | {DELETION}:
        return [Ignored(f"nothing to do with stays: {action[:60]} of {kind[:60]}")]
    entity = envelope.data.get("entity")
    if action == DELETION or not isinstance(entity, dict) or any(entity.get(name) is None for name in WHOLE):
        return [Reread(envelope.ref("entity_id"))]
    return _stays(envelope.within("entity", entity))


def _disconnected() -> Notice:
    text = "OwnerRez has disconnected the app: no more bookings will arrive. Authorise the app at OwnerRez again."
    return Notice("integration.disconnected", text)


def _stays(data: Fields) -> list[ReservationEvent]:
    """The one stay that a booking is, as webhooks and the API write it. Raises Unreadable."""
    guest = data.said_inside("guest")
    external_id = data.ref("id")
    status, raw_status = _status(data)
    arrival, departure = data.day("arrival"), data.day("departure")
    check_in, check_out = data.said_time("check_in"), data.said_time("check_out")
    require_order(arrival, departure, check_in, check_out)
    event = ReservationEvent(
        platform=KEY,
        external_id=external_id,
        reservation_code=data.said("platform_reservation_number") or external_id,
        property_ref=data.ref("property_id"),
        property_name=data.said_inside("property").said("name"),
        status=status,
        raw_status=raw_status,
        arrival=arrival,
        departure=departure,
        check_in=check_in,
        check_out=check_out,
        guest_name=guest.said_name("first_name", "last_name"),
        guest_first_name=guest.said("first_name"),
        phone=phone_among(_preferred(guest, "phones", "number")),
        email=next(_preferred(guest, "email_addresses", "address"), data.said("platform_email_address")),
        platform_guest=guest.said("id") or data.said("guest_id"),
        changed_at=data.said_utc("updated_utc") or data.said_utc("created_utc"),
        channel=data.said("listing_site"),
    )
    return [event]


def _status(data: Fields) -> tuple[StayStatus, str]:
    """What ``status``, ``type`` and ``is_block`` say together; a hold for a guest who has not booked yet is pending."""
    raw, kind = data.said("status") or "", (data.said("type") or BOOKING).casefold()
    if kind == BOOKING and data.flag("is_block"):
        kind = "block"
    return _meaning(raw.casefold(), kind), raw if kind == BOOKING else f"{raw}: {kind}"


def _meaning(status: str, kind: str) -> StayStatus:
    if status == "canceled":
        return StayStatus.CANCELLED
    if status == "pending" or kind == "quote_hold":
        return StayStatus.PENDING
    if kind in BLOCKS:
        return StayStatus.BLOCKED
    return StayStatus.CONFIRMED if (status, kind) == ("active", BOOKING) else StayStatus.UNKNOWN


def _preferred(guest: Fields, listed: str, name: str) -> Iterator[str]:
    """The texts of that name in a list of objects, the guest's default first."""
    known = sorted(guest.said_objects(listed), key=lambda each: each.data.get("is_default") is not True)
    return (text for each in known if (text := each.said(name)))


HOOK = Hook[Event](
    key=KEY,
    title=TITLE,
    authenticate=signatures.basic,
    dedupe_key=dedupe_key,
    read=read,
    secret_problem=signatures.login_secret_problem,
    secret_is_login=True,
    setup_help=(
        "OwnerRez sends webhooks to registered OAuth apps only: Settings → Developer/API Settings → your app → "
        "Webhooks. Enter this address and a user and password of your own; the secret here is user:password. "
        "The password is all that proves a webhook, so make it long. Without an app, connect the API alone: bookings "
        "are then found by asking. To replace a password, configure both, one user:password to a line."
    ),
)

_ACCOUNT = {401: TokenRefused, 403: AccountRefused}
_BOOKING = ErrorTable(statuses={**_ACCOUNT, 404: NoSuchReservation})
_FIELD = ErrorTable(statuses={401: TokenRefused, 403: NotOffered, 404: NoSuchReservation})


class _Value(NamedTuple):
    """A custom field of a booking that is filled in."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class OwnerRez:
    """One account, by its e-mail address and a personal access token."""

    _vendor: Vendor
    _definition: str
    """The id of the custom field for the door code; empty: there is none."""

    async def properties(self) -> Sequence[FoundProperty]:
        """The active ones. The API does not tell their time zones."""
        listed = [item async for page in self._pages("/v2/properties", {}) for item in page]
        return [_home(item) for item in listed if item.get("active") is not False]

    async def reservation(self, ref: str) -> Reservation:
        """One booking with its guest."""
        path, params = f"/v2/bookings/{asking.quoted(ref)}", {"include_guest": "true"}
        request = Request("GET", path, params=params, errors=_BOOKING)
        return asking.reservation_of(await self._vendor.ask(request, asking.an_object), _stays)

    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[ReservationEvent | Ignored]]:
        """Bookings that changed, or those of the properties in these days; each status is asked for by name."""
        for filters in await self._filters(wanted):
            for status in LISTED:
                params = {**filters, "status": status, "include_guest": "true"}
                async for page in self._pages("/v2/bookings", params):
                    yield [event for event in asking.events_in(page, _stays) if asking.is_wanted(event, wanted)]

    async def _filters(self, wanted: Wanted) -> Sequence[Mapping[str, str]]:
        """The lists are refused without ``since_utc`` or ``property_ids``."""
        if wanted.changed_since is not None:
            return [{"since_utc": f"{wanted.changed_since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}]
        homes = [home.ref for home in await self.properties()]
        batches = (homes[start : start + HOMES_AT_ONCE] for start in range(0, len(homes), HOMES_AT_ONCE))
        days = {"from": f"{wanted.first}", "to": f"{wanted.last}"}
        return [{**days, "property_ids": ",".join(batch)} for batch in batches]

    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        """Fill the custom field of the booking, change it or clear it. NotOffered: none is configured."""
        held = await self._held(stay)
        if note is not None:
            await self._vendor.ask(self._filling(stay, held, note.text), asking.anything)
        elif held is not None:
            request = Request("DELETE", f"/v2/fields/{asking.quoted(held.id)}", errors=_FIELD)
            await self._vendor.ask(request, asking.anything)

    def _filling(self, stay: StayRef, held: _Value | None, text: str) -> Request:
        if held is not None:
            return Request("PATCH", f"/v2/fields/{asking.quoted(held.id)}", body={"value": text}, errors=_FIELD)
        body = {
            "field_definition_id": int(self._definition),
            "entity_type": BOOKING,
            "entity_id": _number(stay.reservation_ref),
            "value": text,
        }
        return Request("POST", "/v2/fields", body=body, errors=_FIELD)

    async def read_code(self, stay: StayRef) -> str | None:
        """What the custom field of the booking holds."""
        held = await self._held(stay)
        return held.text or None if held else None

    async def _held(self, stay: StayRef) -> _Value | None:
        if not self._definition:
            msg = "no custom field for the door code is configured for OwnerRez"
            raise NotOffered(msg)
        params = {"entity_type": BOOKING, "entity_id": stay.reservation_ref}
        async for page in self._pages("/v2/fields", params, _FIELD):
            for item in page:
                if Fields(item).said("field_definition_id") == self._definition:
                    return _value(item)
        return None

    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:  # noqa: ARG002 - as all clients
        """OwnerRez lets nobody write to guests without a messaging agreement."""
        raise NotOffered(_NO_MESSAGES)

    async def sent_texts(self, stay: StayRef) -> Sequence[str]:  # noqa: ARG002 - as all clients
        """As for ``send_message``."""
        raise NotOffered(_NO_MESSAGES)

    async def _pages(
        self, path: str, params: Mapping[str, str], errors: ErrorTable | None = None
    ) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """Page after page, by our own addresses; how many items make a page is for OwnerRez to say."""
        offset, more = 0, True
        while more:
            request = Request("GET", path, params={**params, "limit": PAGE, "offset": offset}, errors=errors)
            items, more = await self._vendor.ask(request, _page)
            yield items
            offset += len(items)


_NO_MESSAGES = "OwnerRez lets only those write to guests who have a messaging agreement with it"


def _number(ref: str) -> int | str:
    return int(ref) if ref.isdecimal() else ref


def _page(answer: Any) -> tuple[list[dict[str, Any]], bool]:
    """The items, and whether there are more; a page without items is the last."""
    items = [asking.an_object(item) for item in asking.a_list(answer["items"])]
    return items, bool(items and answer.get("next_page_url"))


def _value(item: Mapping[str, Any]) -> _Value:
    return _Value(asking.ref_of(Fields(item, "field")), str(item.get("value") or ""))


def _home(item: Mapping[str, Any]) -> FoundProperty:
    data = asking.property_of(item)
    ref = asking.ref_of(data)
    return FoundProperty(
        ref,
        data.said("name") or ref,
        check_in=data.said_time("check_in"),
        check_out=data.said_time("check_out"),
        country=data.said_inside("address").said_country("country"),
    )


def connect(link: Link) -> OwnerRez:
    """The account of these settings. Raises AccountRefused when they make no sense."""
    email, token, definition = (asking.answered(link, name) for name in ("email", "token", "field_definition_id"))
    if not email or not token or ":" in email:
        raise asking.senseless(TITLE, "both a user's e-mail address and a personal access token are needed")
    if definition and not (definition.isascii() and definition.isdecimal()):
        msg = "the id of OwnerRez' custom field is a number"
        raise AccountRefused(msg)
    credentials = base64.b64encode(f"{email}:{token}".encode()).decode()
    headers = {"authorization": f"Basic {credentials}", "user-agent": AGENT}
    return OwnerRez(asking.vendor_of(link, TITLE, DEFAULT_URL, ErrorTable(), headers), definition)


PLATFORM = Platform(
    key=KEY,
    title=TITLE,
    hook=HOOK,
    fields=(
        FormField("email", "E-mail address", help="of the OwnerRez user to whom the token belongs"),
        FormField(
            "token",
            "Personal access token",
            secret=True,
            help="OwnerRez → Settings → Developer/API Settings → Create Personal Access Token",
        ),
        FormField(
            "field_definition_id",
            "Custom field for the door code",
            help="The number of a text field for bookings (Settings → Custom Fields; it stands in the address of the "
            "field's page). Its field code then puts the door code into your e-mails. Empty: no code is written.",
            default="",
        ),
        asking.address_field(DEFAULT_URL),
    ),
    connect=connect,
    rate=Rate(300, timedelta(minutes=5)),
    writes_codes=True,
    maturity="tested against our make-believe vendor",
)
