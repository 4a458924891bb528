"""Where stays come from, as these tests play it: a booking platform with an API, and calendars behind an address."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any

from lockbridge import signatures
from lockbridge.domain.stay import StayStatus, TimeSource
from lockbridge.fetching import Fetched
from lockbridge.inbound import Delivery, Hook, dedupe_key_for
from lockbridge.platforms.contract import (
    CodeNote,
    Event,
    FormField,
    FoundProperty,
    Link,
    NoSuchReservation,
    Platform,
    Reread,
    ReservationEvent,
    StayRef,
    Wanted,
)

KEY = "acme"
TOKEN = "an-invented-token-of-acme-0001"


def booking(ref: str = "A1", **facts: Any) -> ReservationEvent:
    """A confirmed reservation of Ida's in the Lake House, unless said otherwise."""
    usual: dict[str, Any] = {
        "platform": KEY,
        "external_id": ref,
        "reservation_code": f"HM{ref}",
        "property_ref": "prop-7",
        "status": StayStatus.CONFIRMED,
        "raw_status": "booked",
        "arrival": date(2026, 6, 14),
        "departure": date(2026, 6, 16),
        "check_in": time(16),
        "check_out": time(11),
        "check_in_from": TimeSource.RESERVATION,
        "guest_name": "Ida Example",
        "guest_first_name": "Ida",
        "phone": "+15550101234",
        "email": "ida@example.com",
        "channel": "airbnb",
    }
    return ReservationEvent(**{**usual, **facts})


@dataclass
class Pms:
    """A booking platform's books: reservations by name, what was asked, and what goes wrong next."""

    books: dict[str, list[ReservationEvent]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    page: int = 2
    codes: dict[str, str] = field(default_factory=dict)
    ignores_codes: bool = False
    letters: list[tuple[str, str]] = field(default_factory=list)

    def put(self, *events: ReservationEvent) -> None:
        """Have this reservation, all its rooms."""
        self.books[events[0].ref] = list(events)

    def change(self, ref: str, **facts: Any) -> None:
        """Change every room of a reservation."""
        self.books[ref] = [replace(event, **facts) for event in self.books[ref]]

    def _fault(self) -> None:
        if self.faults:
            raise self.faults.pop(0)

    async def properties(self) -> Sequence[FoundProperty]:
        self._fault()
        return [FoundProperty("prop-7", "Lake House", "America/New_York", time(16), time(11), "US")]

    async def reservation(self, ref: str) -> Sequence[ReservationEvent]:
        self.asked.append(ref)
        self._fault()
        if ref not in self.books:
            msg = "acme has no such reservation"
            raise NoSuchReservation(msg)
        return list(self.books[ref])

    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[ReservationEvent]]:
        self.asked.append("changes" if wanted.changed_since else "everything")
        self._fault()
        every = [event for events in self.books.values() for event in events if _is_wanted(event, wanted)]
        for start in range(0, len(every), self.page):
            yield every[start : start + self.page]
            self._fault()

    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        self._fault()
        if note is None:
            self.codes.pop(stay.external_id, None)
        elif not self.ignores_codes:
            self.codes[stay.external_id] = note.text

    async def read_code(self, stay: StayRef) -> str | None:
        return self.codes.get(stay.external_id)

    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:
        self._fault()
        self.letters.append((stay.reservation_ref, text))

    async def sent_texts(self, stay: StayRef) -> Sequence[str]:
        return [text for ref, text in self.letters if ref == stay.reservation_ref]

    def platform(self) -> Platform:
        """The platform over these books. Its webhooks are signed with ``acme``'s secret and hold only a name."""
        hook = Hook[Event](
            key=KEY,
            title="Acme",
            authenticate=signatures.header_secret("x-acme-secret"),
            dedupe_key=lambda delivery: dedupe_key_for(None, delivery.body),
            read=lambda delivery: [Reread(delivery.body.decode().split("#")[0])],
            secret_problem=signatures.any_secret_problem,
            setup_help="Acme → Webhooks.",
        )
        fields = (FormField("token", "API token", secret=True),)
        return Platform(
            key=KEY,
            title="Acme",
            hook=hook,
            fields=fields,
            connect=self._connect,
            writes_codes=True,
            sends_messages=True,
        )

    def _connect(self, _link: Link) -> "Pms":
        return self


def _is_wanted(event: ReservationEvent, wanted: Wanted) -> bool:
    if wanted.changed_since is not None:
        return event.changed_at is not None and event.changed_at >= wanted.changed_since
    return event.departure >= wanted.first and event.arrival <= wanted.last


def hint(ref: str, number: int = 1) -> Delivery:
    """A webhook that says that something about this reservation changed."""
    return Delivery({"x-acme-secret": TOKEN}, f"{ref}#{number}".encode(), datetime(2026, 6, 10, tzinfo=UTC))


@dataclass
class Calendars:
    """Calendars on the internet, by address; ``asked`` counts the fetches."""

    pages: dict[str, bytes] = field(default_factory=dict)
    asked: int = 0
    faults: list[Exception] = field(default_factory=list)

    async def __call__(self, url: str, headers: Mapping[str, str]) -> Fetched:
        """Fetch one."""
        self.asked += 1
        if self.faults:
            raise self.faults.pop(0)
        return Fetched(200, {}, self.pages[url])


def calendar(
    *events: str, head: str = "PRODID;X-RICAL-TZSOURCE=TZINFO:-//Airbnb Inc//Hosting Calendar 1.0//EN"
) -> bytes:
    """A calendar with these events, in a vendor's form."""
    lines = ["BEGIN:VCALENDAR", head, "CALSCALE:GREGORIAN", "VERSION:2.0", *events, "END:VCALENDAR", ""]
    return "\r\n".join(lines).encode()


def event(uid: str, arrival: date, departure: date, summary: str, *more: str) -> str:
    """An event of whole days."""
    days = [f"DTSTART;VALUE=DATE:{arrival:%Y%m%d}", f"DTEND;VALUE=DATE:{departure:%Y%m%d}"]
    return "\r\n".join(["BEGIN:VEVENT", *days, f"UID:{uid}", f"SUMMARY:{summary}", *more, "END:VEVENT"])


def airbnb(code: str, arrival: date, departure: date) -> str:
    """A reservation as Airbnb writes it."""
    url = f"https://www.airbnb.com/hosting/reservations/details/{code}"
    said = f"DESCRIPTION:Reservation URL: {url}\\nPhone Number (Last 4 Digits): 4711"
    return event(f"1418fb94e984-{code.lower()}@airbnb.com", arrival, departure, "Reserved", said)


def booking_com(arrival: date, departure: date, uid: str) -> str:
    """An event as Booking.com writes it: a stay or closed days, who knows."""
    return event(f"{uid}@booking.com", arrival, departure, "CLOSED - Not available")


BOOKING_COM = "PRODID:-//admin.booking.com\\\\\\, b.v.//NONSGML v1.0//EN"
