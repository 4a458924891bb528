"""What a booking platform must do: say whether a delivery is genuine, name it, and read it.

A platform is a module in this folder that exports one :class:`Platform`. The order of work is fixed: body cap,
``authenticate``, ``dedupe_key``, store, answer; ``read`` runs later, in the worker, and again at every replay.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TypeAlias

from lockbridge.domain.stay import StayStatus

LONGEST_KEPT_ID = 128


class Unauthenticated(Exception):
    """The delivery is not proved to come from the platform. The message never holds a secret or a signature."""


class Unreadable(Exception):
    """The delivery is genuine and makes no sense.

    The message says which field, what is wrong with it and what to do; never the value that stands there.
    """


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request as it came in. ``headers`` have lower-case names; ``received_at`` is a UTC instant.

    ``url_token`` is the secret part of the path the request was sent to, where the caller knows it.
    Headers, body and token are not shown by ``repr``: they hold credentials and guests.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: datetime
    remote: str | None = None
    url_token: str | None = field(default=None, repr=False)


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
class Ignored:
    """A delivery, or a part of one, that is kept and leads to nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should hear of. ``kind`` is for programs (``property.merged``), ``text`` for people."""

    kind: str
    text: str


Event: TypeAlias = ReservationEvent | Ignored | Notice
Authenticate: TypeAlias = Callable[[Delivery, str, datetime], None]
"""Whether the delivery is genuine, by the endpoint's secret, at a UTC instant.

Returns when it is; raises Unauthenticated and nothing else when it is not, also when the secret is empty.
Does not parse the body.
"""


@dataclass(frozen=True, slots=True)
class Platform:
    """What a platform module exports as ``PLATFORM``."""

    key: str
    title: str
    authenticate: Authenticate
    dedupe_key: Callable[[Delivery], str]
    """At most 150 printable ASCII characters, equal for repeats of an event; of genuine deliveries; never raises."""
    read: Callable[[Delivery], Sequence[Event]]
    """What the delivery says, at least one event. Raises Unreadable and nothing else."""
    secret_problem: Callable[[str], str | None]
    """What is wrong with a secret somebody wants to configure (without quoting it); None when nothing is."""
    setup_help: str
    """Where a host finds the secret and the form it has."""
    max_body: int = 256 * 1024
    """Bytes."""


def dedupe_key_for(vendor_id: object, body: bytes) -> str:
    """The key of a delivery: the vendor's own id where it is a text, else the SHA-256 of the raw body."""
    if not isinstance(vendor_id, str) or not vendor_id:
        return f"sha256:{hashlib.sha256(body).hexdigest()}"
    if len(vendor_id) <= LONGEST_KEPT_ID and vendor_id.isascii() and vendor_id.isprintable():
        return f"id:{vendor_id}"
    return f"id-sha256:{hashlib.sha256(vendor_id.encode(errors='surrogatepass')).hexdigest()}"
