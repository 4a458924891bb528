"""What a booking platform must do: say whether a delivery is genuine, name it, and read it.

A platform is a module in this folder that exports one :class:`~lockbridge.inbound.Hook` of these events.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TypeAlias

from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Hook, Ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationEvent:
    """What one delivery says of one stay. None means *not said*; ``repr`` shows nobody's name, phone or e-mail.

    ``arrival``, ``departure``, ``check_in`` and ``check_out`` are local to the property. Where a platform gives
    instants, they stand in ``check_in_instant`` and ``check_out_instant`` (UTC), and the local fields are the
    wall clock of the platform's own offset. ``departure`` is never before ``arrival``.
    """

    platform: str
    external_id: str
    """The platform's own identity of the reservation: the same through all its changes."""
    reservation_code: str
    """What people call the reservation (``HMX4…``); the external id where the platform has no such thing."""
    property_ref: str
    """How the platform names the property."""
    status: StayStatus
    raw_status: str
    """The status in the platform's words."""
    arrival: date
    departure: date
    check_in: time | None = None
    check_out: time | None = None
    check_in_instant: datetime | None = None
    check_out_instant: datetime | None = None
    guest_name: str | None = field(default=None, repr=False)
    guest_first_name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    """As the platform wrote it; it need not be a phone number."""
    email: str | None = field(default=None, repr=False)
    platform_guest: str | None = None
    """How the platform names the guest."""
    language: str | None = None
    changed_at: datetime | None = None
    """The platform's own order of events (UTC): an event with an earlier one never undoes a later one."""
    property_name: str | None = None
    channel: str | None = None
    """Where the stay was booked (``airbnb``, ``direct``, …), in the platform's words."""
    owner_stay: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should hear of. ``kind`` is for programs (``property.merged``), ``text`` for people."""

    kind: str
    text: str


Event: TypeAlias = ReservationEvent | Ignored | Notice

Platform: TypeAlias = Hook[Event]
"""What a platform module exports as ``PLATFORM``."""
