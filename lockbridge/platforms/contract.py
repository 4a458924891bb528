"""What a booking platform must do: read its webhooks, be asked for reservations, take the door code back.

A platform is a module in this folder that exports one :class:`Platform`. Three ways lead from it to stays: its
webhooks (``hook``), its API (``connect``), or a calendar feed (``feed``) – or the host brings them (``by_sheet``).
A webhook is a hint, the API is the truth: where a host has connected the API, every webhook leads to the reservation
being read again.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Protocol, TypeAlias

from lockbridge.contract import FormField, Pace, ProviderError, Rate, Tokens
from lockbridge.domain.seen import Kind, Remedy
from lockbridge.domain.stay import StayStatus, TimeSource
from lockbridge.fetching import Fetch, Fetched
from lockbridge.inbound import Hook, Ignored

if TYPE_CHECKING:  # as in lockbridge.contract
    import httpx

__all__ = [
    "Client",
    "CodeNote",
    "Event",
    "Feed",
    "FeedRead",
    "Fetch",
    "Fetched",
    "FormField",
    "FoundProperty",
    "Ignored",
    "Link",
    "NoSuchReservation",
    "NotOffered",
    "Notice",
    "Platform",
    "PropertyMerged",
    "Rate",
    "Reread",
    "Reservation",
    "ReservationEvent",
    "StayRef",
    "Wanted",
]


class NoSuchReservation(ProviderError):
    """The platform says it has no reservation of this name. Platforms lie about this: ask again before believing it."""

    kind = Kind.REJECTED
    said = "{who} has no such reservation"
    remedy = Remedy.LOOK


class NotOffered(ProviderError):
    """The platform does not offer this to this account or this stay, now or ever: asking again is of no use."""

    kind = Kind.REJECTED
    said = "{who} does not offer this to this account"
    remedy = Remedy.ASK


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationEvent:
    """What one delivery, answer or feed says of one stay. None means *not said*; ``repr`` shows nobody's contacts.

    ``arrival``, ``departure``, ``check_in`` and ``check_out`` are local to the property. Where a platform gives
    instants, they stand in ``check_in_instant`` and ``check_out_instant`` (UTC), and the local fields are the
    wall clock of the platform's own offset. ``departure`` is never before ``arrival``.
    """

    platform: str
    external_id: str
    """The platform's own identity of the stay, the same through all its changes; each room of a booking has one."""
    reservation_ref: str | None = None
    """How the platform's API names the reservation: the same for all rooms of a booking. None: ``external_id``."""
    reservation_code: str
    """What people call the reservation (``HMX4…``): the channel's confirmation code where it is known."""
    property_ref: str
    """How the platform names the property."""
    status: StayStatus
    raw_status: str
    """The status in the platform's words."""
    arrival: date
    departure: date
    check_in: time | None = None
    check_out: time | None = None
    check_in_from: TimeSource = TimeSource.RESERVATION
    """Which of the platform's times ``check_in`` is. A guest's guess when they will arrive is none of them."""
    check_out_from: TimeSource = TimeSource.RESERVATION
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
    """When the platform last changed the reservation (UTC): an event with an earlier one never undoes a later one."""
    property_name: str | None = None
    channel: str | None = None
    """Where the stay was booked (``airbnb``, ``direct``, …), in the platform's words."""
    owner_stay: bool = False

    @property
    def ref(self) -> str:
        """How the platform's API names the reservation."""
        return self.reservation_ref or self.external_id


@dataclass(frozen=True, slots=True)
class Reread:
    """Something about this reservation changed: ask the platform what."""

    reservation_ref: str


@dataclass(frozen=True, slots=True)
class PropertyMerged:
    """The platform names a property otherwise from now on."""

    previous_ref: str
    ref: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should hear of. ``kind`` is for programs (``property.deleted``), ``text`` for people."""

    kind: str
    text: str


Event: TypeAlias = ReservationEvent | Reread | PropertyMerged | Ignored | Notice


@dataclass(frozen=True, slots=True)
class FoundProperty:
    """One property as the account lists it. Times of day are local; None: the platform does not say."""

    ref: str
    name: str
    zone: str | None = None
    """IANA name."""
    check_in: time | None = None
    check_out: time | None = None
    country: str | None = None
    """Two letters."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reservations a list is to hold: those that changed since an instant, or all that touch these days."""

    first: date
    last: date
    changed_since: datetime | None = None
    """UTC; None: a full read of every reservation that is there between ``first`` and ``last``, cancelled ones too."""


Reservation: TypeAlias = Sequence[ReservationEvent]
"""Everything an API says of one reservation: one event per room, the whole of it."""


@dataclass(frozen=True, slots=True)
class StayRef:
    """How the platform names one stay; ``booked_on`` is its channel (``airbnb``, …), where that is known."""

    reservation_ref: str
    external_id: str
    property_ref: str
    booked_on: str | None = None


@dataclass(frozen=True, slots=True)
class CodeNote:
    """The door code as the platform is to know it. ``text`` is the digits, or a line per lock where they differ."""

    text: str = field(repr=False)
    opens_at: datetime
    """UTC."""
    closes_at: datetime
    zone: str
    """The property's, IANA."""


class Client(Protocol):
    """One connected account of a booking platform. Every method raises :class:`ProviderError` and nothing else.

    One that a platform has nothing for raises NotOffered.
    """

    async def properties(self) -> Sequence[FoundProperty]:
        """All properties of the account: also how a host sees that it is connected."""
        ...

    async def reservation(self, ref: str) -> Reservation:
        """One reservation as it is now. Raises NoSuchReservation."""
        ...

    def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[ReservationEvent | Ignored]]:
        """The list, page by page. One that cannot be understood is Ignored with the reason, not a failure of all.

        A page that fails raises: a list that ends without an error was read whole.
        """
        ...

    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        """Put the door code where the platform keeps it for guests; None takes it away."""
        ...

    async def read_code(self, stay: StayRef) -> str | None:
        """What stands there now: vendors answer 200 and ignore what they were told."""
        ...

    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:
        """Write to the guest through the platform's inbox. OutcomeUnknown: it may have been sent."""
        ...

    async def sent_texts(self, stay: StayRef) -> Sequence[str]:
        """What was written to the guest there, latest last: whether a message whose answer was lost has arrived."""
        ...


@dataclass(frozen=True, slots=True)
class FeedRead:
    """One good read of a calendar feed: the whole of it."""

    events: Sequence[ReservationEvent]
    remarks: Sequence[str] = ()
    """What was left out and why, without anything private."""
    unclear: frozenset[str] = frozenset()
    """Identities of stays that are there and could not be read: they are not missing, and nothing is known of them."""
    validators: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the next read says it knows (``etag``, ``last-modified``). Never keep those of a read that is doubted."""
    publisher: str = ""
    """Who made it: ``airbnb``, ``vrbo``, ``booking.com`` or ``""``."""
    unattended: bool = True
    """Whether codes may follow from it without a person's word (Booking.com tells closures and stays not apart)."""


class Feed(Protocol):
    """One calendar feed."""

    async def read(self, validators: Mapping[str, str], today: date) -> FeedRead | None:
        """Fetch and read it; None: nothing has changed since these validators were given.

        Raises ProviderError when it cannot be had, Unreadable when what came is no calendar: never an empty read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """What a client or feed is given: the host's answers to its form, and the outside world."""

    account: str
    """A name for logs, without secrets."""
    settings: Mapping[str, str] = field(repr=False)
    http: "httpx.AsyncClient"
    now: Callable[[], datetime]
    tokens: Tokens
    pace: Pace
    fetch: Fetch


@dataclass(frozen=True)  # no slots: as inbound.Hook
class Platform:
    """What a platform module exports as ``PLATFORM``."""

    key: str
    title: str
    hook: Hook[Event] | None = None
    """How its webhooks are verified and read; None: it sends none."""
    fields: tuple[FormField, ...] = ()
    """The form with which a host connects its API or feed."""
    connect: Callable[[Link], Client] | None = None
    """Makes the client of an account. Raises ProviderError for settings that make no sense."""
    feed: Callable[[Link], Feed] | None = None
    """Makes the reader of a calendar feed. Raises ProviderError for settings that make no sense."""
    rate: Rate | None = None
    """The vendor's limit for one account, where one is known."""
    poll_every: timedelta = timedelta(minutes=10)
    """How often it is asked what changed."""
    writes_codes: bool = False
    """Whether there is a field for the door code."""
    sends_messages: bool = False
    """Whether guests can be written to through its inbox."""
    by_sheet: bool = False
    """Its stays are those of sheets that hosts import: there is nothing to connect."""
    maturity: str = ""
    """Against what it was tested, honestly."""
