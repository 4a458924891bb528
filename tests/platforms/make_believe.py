"""Make-believe vendors: they write deliveries about invented people the way the real ones do, and sign them."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, Protocol

import orjson

from lockbridge import signatures
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery
from lockbridge.platforms import generic, hospitable
from lockbridge.platforms.contract import Platform

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
STRANGE = "on the moon"


CATEGORIES: dict[str, str] = {
    StayStatus.CONFIRMED: "accepted",
    StayStatus.PENDING: "request",
    StayStatus.CANCELLED: "cancelled",
}
"""Hospitable's words."""


@dataclass(frozen=True)
class Booking:
    """What happened at the vendor; the same for every vendor."""

    happening: str = "created"
    event_id: str = "evt-0001"
    id: str = "res-4711"
    code: str = "HMTEST4711"
    home: str = "prop-7"
    status: StayStatus | str = StayStatus.CONFIRMED
    arrival: str = "2026-06-14"
    departure: str = "2026-06-16"
    check_in: str | None = "16:00"
    check_out: str | None = "11:00"
    first_name: str = "Ida"
    last_name: str = "Example"
    phone: str | None = "+15550101234"
    email: str | None = "ida@example.com"
    owner: bool = False
    changed_at: str = "2026-05-20T11:59:00Z"
    extra: dict[str, Any] = field(default_factory=dict)
    """Laid over the reservation's own object, last."""


class Vendor(Protocol):
    platform: Platform
    secret: str
    other_secret: str
    ways_to_block: tuple[Booking, ...]
    required: tuple[str, ...]
    """Fields of the reservation's object without which nothing can be read."""

    def body(self, booking: Booking) -> bytes: ...

    def sign(self, body: bytes, secret: str) -> dict[str, str]: ...


class Generic:
    platform = generic.PLATFORM
    secret = signatures.standard_secret(b"an invented key of 32 bytes, no.1")
    other_secret = signatures.standard_secret(b"an invented key of 32 bytes, no.2")
    ways_to_block = (Booking(status=StayStatus.BLOCKED), Booking(owner=True))
    required = ("id", "property", "status", "arrival", "departure")

    def body(self, booking: Booking) -> bytes:
        guest = {
            "name": f"{booking.first_name} {booking.last_name}",
            "first_name": booking.first_name,
            "phone": booking.phone,
            "email": booking.email,
            "id": "guest-1",
            "language": "en",
        }
        data = {
            "id": booking.id,
            "code": booking.code,
            "property": booking.home,
            "status": booking.status,
            "arrival": booking.arrival,
            "departure": booking.departure,
            "check_in": booking.check_in,
            "check_out": booking.check_out,
            "guest": guest,
            "owner_stay": booking.owner,
            "updated_at": booking.changed_at,
        }
        kind = {"changed": "updated"}.get(booking.happening, booking.happening)
        return orjson.dumps({"type": f"reservation.{kind}", "id": booking.event_id, "data": data | booking.extra})

    def sign(self, body: bytes, secret: str) -> dict[str, str]:
        try:
            message_id = str(orjson.loads(body)["id"])
        except (ValueError, LookupError, TypeError):
            message_id = "evt-of-nonsense"
        return signatures.sign_standard_webhook(secret, message_id, NOW, body)


class Hospitable:
    platform = hospitable.PLATFORM
    secret = "aG9zdEBleGFtcGxlLmNvbQ=="
    other_secret = "b3RoZXJAZXhhbXBsZS5jb20="
    ways_to_block = (Booking(owner=True),)
    required = ("id", "properties", "arrival_date", "departure_date")

    def body(self, booking: Booking) -> bytes:
        guest = {
            "id": "guest-1",
            "first_name": booking.first_name,
            "last_name": booking.last_name,
            "email": booking.email,
            "language": "en",
            "phone_numbers": [booking.phone] if booking.phone else [],
        }
        category = CATEGORIES.get(booking.status, booking.status)
        data = {
            "id": booking.id,
            "code": booking.code,
            "platform": "airbnb",
            "arrival_date": f"{booking.arrival}T00:00:00-05:00",
            "departure_date": f"{booking.departure}T00:00:00-05:00",
            "check_in": booking.check_in and f"{booking.arrival}T{booking.check_in}:00-05:00",
            "check_out": booking.check_out and f"{booking.departure}T{booking.check_out}:00-05:00",
            "status": "cancelled",
            "reservation_status": {"current": {"category": category, "sub_category": None}, "history": []},
            "properties": [{"id": booking.home, "name": "Lake House", "timezone": "-0700"}],
            "guest": guest,
            "stay_type": "owner" if booking.owner else "guest",
        }
        happening = {"cancelled": "changed"}.get(booking.happening, booking.happening)
        envelope = {
            "id": booking.event_id,
            "action": f"reservation.{happening}",
            "data": data | booking.extra,
            "created": booking.changed_at,
            "version": "v2",
            "triggers": ["status_changed"],
        }
        return orjson.dumps(envelope)

    def sign(self, body: bytes, secret: str) -> dict[str, str]:
        return {"signature": signatures.hmac_hex_digest(secret, body)}


VENDORS: tuple[Vendor, ...] = (Generic(), Hospitable())


def delivered(vendor: Vendor, body: bytes, secret: str | None = None) -> Delivery:
    """The delivery of a body, signed with the vendor's secret or another."""
    return Delivery(headers=vendor.sign(body, secret or vendor.secret), body=body, received_at=NOW)


def day(text: str) -> date:
    return date.fromisoformat(text)


def clock(text: str | None) -> time | None:
    return None if text is None else time.fromisoformat(text)
