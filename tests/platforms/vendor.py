"""What a make-believe booking platform of these tests is: its webhooks, and its API over real HTTP."""

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Protocol

from starlette.types import ASGIApp

from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery
from lockbridge.platforms.contract import Platform

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
STRANGE = "on the moon"
"""A status no platform has."""


@dataclass(frozen=True)
class Booking:
    """One reservation, and what happened to it at the vendor; the same words for every vendor. Invented people only."""

    happening: str = "created"
    """``created``, ``changed``, ``cancelled``, or something no platform says."""
    event_id: str = "evt-0001"
    id: str = "res-4711"
    """Vendors with numbers for identities take the digits in it: 4711."""
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
    rooms: tuple[str, ...] = ()
    """The vendor's names of the rooms, for a booking of several; empty: one stay of the whole property."""
    booked_on: str = "airbnb"
    changed_at: str = "2026-05-20T11:59:00Z"
    extra: dict[str, Any] = field(default_factory=dict)
    """Laid over the reservation's own object, last."""


class Cloud(Protocol):
    """One platform's API: an ASGI application with bookings in it. It refuses what the real one refuses."""

    app: ASGIApp
    requests: list[tuple[str, str]]
    """Method and path (without query) of every request, sign-ins included."""
    faults: list[int | str]
    """How the next requests (sign-ins not counted) are answered instead: a status, or ``"html"`` for a 200 page."""
    ignores_codes: bool
    """Answers 200 to a written door code and keeps none."""

    def put(self, booking: Booking) -> None:
        """Have this reservation, in place of the one with its id."""

    def drop(self, booking_id: str) -> None:
        """Have it no more, without a trace."""

    def code_of(self, booking_id: str) -> str | None:
        """The door code that stands there for guests."""

    def messages_of(self, booking_id: str) -> list[str]:
        """What was written to the guest, in order."""

    def revoke(self) -> None:
        """Take no credentials any more."""

    def expire(self) -> None:
        """Take no access token that was given out so far (where there are tokens)."""


class Vendor(Protocol):
    """One platform as these tests play it."""

    platform: Platform
    secret: str
    """Of its webhooks."""
    other_secret: str
    settings: dict[str, str]
    """A host's answers to ``platform.fields``, without ``url``: the cloud takes these and no others."""
    ways_to_block: tuple[Booking, ...]
    """Reservations of which nobody may get a code: blocks, owner stays, linked availability, inquiries …"""
    ways_to_wait: tuple[Booking, ...]
    """Requests that are not confirmed yet."""
    ways_to_cancel: tuple[Booking, ...]
    hints_only: bool
    """Its webhooks are not trusted, or hold ids only: they are read as ``Reread``."""
    says: frozenset[str]
    """Which of these its API (and its webhooks, unless ``hints_only``) tell, by the names of ReservationEvent:
    ``check_in check_out phone email language platform_guest changed_at owner_stay rooms code`` (``code``: a
    confirmation code other than the id)."""

    def body(self, booking: Booking) -> bytes:
        """The webhook about it, as the vendor writes it."""

    def delivery(self, body: bytes, secret: str | None = None) -> Delivery:
        """The body as it arrives, proved with this secret (None: the vendor's own), received at ``NOW``."""

    def external_id(self, booking: Booking, room: str | None = None) -> str:
        """How a reader names the stay."""

    def ref(self, booking: Booking) -> str:
        """How the API names the reservation."""

    def home(self, booking: Booking, room: str | None = None) -> str:
        """How a reader names the property."""

    def cloud(self) -> Cloud | None:
        """A new API without bookings; None: the platform has none."""


@dataclass(frozen=True)
class Declared:
    """What a vendor may say besides, and what holds when it does not."""

    required: tuple[str, ...] = ()
    """Fields of the reservation's object without which its webhook cannot be read."""
    ways_without_guest: tuple[Booking, ...] = ()
    """Reservations that say nothing of a guest."""
    lists_changes: bool = True
    """The list can be narrowed to what changed since an instant."""

    @classmethod
    def by(cls, vendor: Vendor) -> "Declared":
        return cls(**{each.name: getattr(vendor, each.name, each.default) for each in fields(cls)})
