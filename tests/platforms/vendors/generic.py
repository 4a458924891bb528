"""A system of somebody's own that writes the documented JSON: signed webhooks, no API."""

import orjson

from lockbridge import signatures
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery
from lockbridge.platforms import generic
from tests.platforms.vendor import NOW, Booking


class Generic:
    """The documented shape, whole."""

    platform = generic.PLATFORM
    secret = signatures.standard_secret(b"an invented key of 32 bytes, no.1")
    other_secret = signatures.standard_secret(b"an invented key of 32 bytes, no.2")
    settings: dict[str, str] = {}  # noqa: RUF012 - there is no form
    ways_to_block = (Booking(status=StayStatus.BLOCKED), Booking(owner=True))
    ways_to_wait = (Booking(status=StayStatus.PENDING),)
    ways_to_cancel = (
        Booking(happening="cancelled", status=StayStatus.CANCELLED),
        Booking(happening="changed", status=StayStatus.CANCELLED),
        Booking(happening="cancelled"),
    )
    hints_only = False
    says = frozenset(
        ("check_in", "check_out", "phone", "email", "language", "platform_guest", "changed_at", "owner_stay", "code")
    )
    ways_without_guest = (Booking(extra={"guest": None}), Booking(extra={"guest": {}}))
    required = ("id", "property", "status", "arrival", "departure")

    def body(self, booking: Booking) -> bytes:
        kind = {"changed": "updated"}.get(booking.happening, booking.happening)
        data = self._reservation(booking) | booking.extra
        return orjson.dumps({"type": f"reservation.{kind}", "id": booking.event_id, "data": data})

    def _reservation(self, booking: Booking) -> dict:
        guest = {
            "name": f"{booking.first_name} {booking.last_name}",
            "first_name": booking.first_name,
            "phone": booking.phone,
            "email": booking.email,
            "id": "guest-1",
            "language": "en",
        }
        return {
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

    def sign(self, body: bytes, secret: str) -> dict[str, str]:
        try:
            message_id = str(orjson.loads(body)["id"])
        except (ValueError, LookupError, TypeError):
            message_id = "evt-of-nonsense"
        return signatures.sign_standard_webhook(secret, message_id, NOW, body)

    def delivery(self, body: bytes, secret: str | None = None) -> Delivery:
        return Delivery(headers=self.sign(body, secret or self.secret), body=body, received_at=NOW)

    def external_id(self, booking: Booking, room: str | None = None) -> str:
        return booking.id

    def ref(self, booking: Booking) -> str:
        return booking.id

    def home(self, booking: Booking, room: str | None = None) -> str:
        return booking.home

    def cloud(self) -> None:
        return None


VENDOR = Generic()
