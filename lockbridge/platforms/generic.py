"""Any system of your own: a documented JSON shape signed by Standard Webhooks (``docs/platform-generic.md``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import orjson

from lockbridge import signatures
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Hook, Ignored, dedupe_key_for
from lockbridge.platforms.contract import Event, Platform, ReservationEvent
from lockbridge.platforms.reading import Fields, fields_of, require_order

KEY = "generic"
CANCELLED = "reservation.cancelled"
RESERVATION_TYPES = frozenset({"reservation.created", "reservation.updated", CANCELLED})
STATUSES: Mapping[str, StayStatus] = {
    "confirmed": StayStatus.CONFIRMED,
    "pending": StayStatus.PENDING,
    "cancelled": StayStatus.CANCELLED,
    "canceled": StayStatus.CANCELLED,
    "blocked": StayStatus.BLOCKED,
}


def dedupe_key(delivery: Delivery) -> str:
    """The ``webhook-id`` (or ``svix-id``), which is part of what was signed."""
    return dedupe_key_for(delivery.headers.get("webhook-id") or delivery.headers.get("svix-id"), delivery.body)


def read(delivery: Delivery) -> Sequence[Event]:
    """The reservation in the delivery; a type that is not about reservations is ignored."""
    envelope = fields_of(delivery.body)
    kind = envelope.text("type")
    if kind not in RESERVATION_TYPES:
        return [Ignored(f"not about a reservation: {kind[:60]}")]
    return [_reservation(envelope, kind)]


def _reservation(envelope: Fields, kind: str) -> ReservationEvent:
    data = envelope.inside("data")
    guest = data.maybe_inside("guest")
    external_id = data.ref("id")
    status, raw_status = _status(data, kind)
    arrival, departure = data.day("arrival"), data.day("departure")
    check_in, check_out = data.maybe_time("check_in"), data.maybe_time("check_out")
    require_order(arrival, departure, check_in, check_out)
    return ReservationEvent(
        platform=KEY,
        external_id=external_id,
        reservation_code=data.maybe_ref("code") or external_id,
        property_ref=data.ref("property"),
        property_name=data.maybe_text("property_name"),
        status=status,
        raw_status=raw_status,
        arrival=arrival,
        departure=departure,
        check_in=check_in,
        check_out=check_out,
        guest_name=guest.maybe_text("name"),
        guest_first_name=guest.maybe_text("first_name"),
        phone=guest.maybe_text("phone"),
        email=guest.maybe_text("email"),
        platform_guest=guest.maybe_ref("id"),
        language=guest.maybe_text("language"),
        changed_at=data.maybe_instant("updated_at") or envelope.maybe_instant("timestamp"),
        channel=data.maybe_text("channel"),
        owner_stay=data.flag("owner_stay"),
    )


def _status(data: Fields, kind: str) -> tuple[StayStatus, str]:
    if kind == CANCELLED:
        return StayStatus.CANCELLED, data.maybe_text("status") or "cancelled"
    raw = data.text("status")
    return STATUSES.get(raw.casefold(), StayStatus.UNKNOWN), raw


HOOK = Hook[Event](
    key=KEY,
    title="Your own system",
    authenticate=signatures.standard_webhooks,
    dedupe_key=dedupe_key,
    read=read,
    secret_problem=signatures.standard_secret_problem,
    setup_help=(
        "A Standard Webhooks secret: whsec_ and the base64 of 24 to 64 random bytes, the same on both sides. "
        "To replace it, configure the old and the new one separated by a space until the sender has changed over."
    ),
)

PLATFORM = Platform(key=KEY, title=HOOK.title, hook=HOOK)


@dataclass(frozen=True, slots=True)
class Example:
    """A reservation to try things out with."""

    id: str
    property: str
    arrival: date
    departure: date
    check_in: str | None
    """Local, ``HH:MM``."""
    email: str = field(repr=False)
    said_at: datetime
    cancelled: bool = False


def example(booking: Example) -> bytes:
    """The body of a webhook that tells an invented reservation in the documented shape."""
    data = {
        "id": booking.id,
        "code": "TEST",
        "property": booking.property,
        "status": "cancelled" if booking.cancelled else "confirmed",
        "arrival": booking.arrival,
        "departure": booking.departure,
        "check_in": booking.check_in,
        "guest": {"name": "Test Guest", "first_name": "Test", "email": booking.email, "id": booking.id},
        "channel": "direct",
        "updated_at": booking.said_at,
    }
    kind = CANCELLED if booking.cancelled else "reservation.created"
    return orjson.dumps({"type": kind, "timestamp": booking.said_at, "data": data})
