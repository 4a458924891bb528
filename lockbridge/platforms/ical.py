"""Calendar feeds (iCal): Airbnb, Vrbo/Abritel, Booking.com, and everybody else's.

A feed is asked, it does not call. Three modules read it: ``calendar_text`` the format, ``calendar_said`` what the
events say in their publishers' words, and this one makes stays of them. The vendors' forms are those of their feeds
from 2020 to 2026; ``docs/platform-ical.md`` tells hosts what follows from them.

``link.settings`` has ``url`` and, added by us, ``zone`` (IANA, the property's; UTC without) and ``property`` (what the
property is called in the events; ``feed`` without).
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import NamedTuple

from lockbridge.contract import AccountRefused, FormField, ProviderError, RateLimited, Unreachable
from lockbridge.domain.feed import Shown, overlaps
from lockbridge.domain.stay import StayStatus, known_zone
from lockbridge.outbound import is_http, retry_after
from lockbridge.platforms.calendar_said import Publisher, Said, publisher_of
from lockbridge.platforms.calendar_text import Component, Span, Unclear, calendar_of, span_of
from lockbridge.platforms.contract import Feed, FeedRead, Fetch, Fetched, Link, Platform, ReservationEvent
from lockbridge.platforms.reading import LONGEST_REF, said

KEY = "ical"
LONGEST_CLOSURE_OR_STAY = timedelta(days=90)
"""What lasts longer in a feed that tells closures and stays not apart is a closure: nobody can book so much."""
MOST_REMARKS = 20
LONGEST_VALIDATOR = 500
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.GONE})
_LEAVE_ALONE = timedelta(hours=1)
_CONDITIONS = {"etag": "if-none-match", "last-modified": "if-modified-since"}
_REPEATS = frozenset({"RRULE", "RDATE", "RECURRENCE-ID"})
_WEIGHT = {
    StayStatus.CONFIRMED: 0,
    StayStatus.PENDING: 1,
    StayStatus.UNKNOWN: 2,
    StayStatus.BLOCKED: 3,
    StayStatus.CANCELLED: 4,
}


@dataclass(frozen=True, slots=True)
class Place:
    """The property a feed is about, as its host knows it: what it is called in the events, and its IANA zone."""

    ref: str = "feed"
    zone: str = "UTC"


def read_calendar(body: bytes, place: Place, today: date) -> FeedRead:
    """The stays and blocks of a calendar, each once. Raises Unreadable for what is not one whole calendar.

    What cannot be understood is left out, and a remark says why unless it is over by ``today`` (the property's).
    """
    calendar = calendar_of(body)
    publisher = publisher_of(calendar)
    reading = _Reading(publisher, place, today, always_cancelled=calendar.head.raw("METHOD").upper() == "CANCEL")
    for number, event in enumerate(calendar.events, 1):
        reading.take(number, event)
    stays = list(reading.stays())
    return FeedRead(
        events=stays,
        remarks=_at_most([*reading.remarks, *_shared_nights(stays, today)]),
        unclear=frozenset(reading.unclear),
        publisher=publisher.key,
        unattended=not publisher.by_departure,
    )


class _Candidate(NamedTuple):
    """One event of the file, read."""

    stay: ReservationEvent
    event: Component

    @property
    def version(self) -> tuple[int, str]:
        """What decides between two of the same identity."""
        number = self.event.raw("SEQUENCE")[:9]
        return int(number) if number.isdecimal() else 0, self.event.raw("LAST-MODIFIED")


@dataclass(slots=True)
class _Reading:
    """One file while it is read, event by event."""

    publisher: Publisher
    place: Place
    today: date
    always_cancelled: bool
    candidates: dict[str, list[_Candidate]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    unclear: set[str] = field(default_factory=set)

    def take(self, number: int, event: Component) -> None:
        """Read one event: the ``number``-th of the file."""
        told = self.publisher.understand(event)
        if told is None:
            return
        identity = self.publisher.identity(event, told)
        try:
            span = _span(event, self.place.zone)
        except Unclear as problem:
            self.unclear |= {identity} - {""}
            if not _is_over(event, self.today):
                self.remarks.append(f"event {number} was left out: {problem}")
            return
        told = _with_status(told, event, always_cancelled=self.always_cancelled)
        stay = self._stay(identity or self._by_days(span), told, span)
        self.candidates.setdefault(stay.external_id, []).append(_Candidate(stay, event))

    def _by_days(self, span: Span) -> str:
        """The identity of an event that has none of its own."""
        return f"to-{span.departure}" if self.publisher.by_departure else f"days-{span.arrival}-{span.departure}"

    def _stay(self, identity: str, told: Said, span: Span) -> ReservationEvent:
        if self.publisher.by_departure and span.departure - span.arrival > LONGEST_CLOSURE_OR_STAY:
            told = replace(told, status=StayStatus.BLOCKED, raw_status="longer than anybody can book")
        guest = said(told.guest)
        return ReservationEvent(
            platform=KEY,
            external_id=identity,
            reservation_code=told.code or _code_for(identity),
            property_ref=self.place.ref,
            status=told.status,
            raw_status=told.raw_status,
            arrival=span.arrival,
            departure=span.departure,
            check_in=span.check_in or told.check_in,
            check_out=span.check_out or told.check_out,
            guest_name=guest,
            guest_first_name=guest if guest and guest.isalpha() else None,
            phone=told.phone,
            email=told.email,
            channel=self.publisher.key or None,
            owner_stay=told.owner,
        )

    def stays(self) -> Iterator[ReservationEvent]:
        """Every stay once, when all events were taken."""
        for identity, group in self.candidates.items():
            yield from [group[0].stay] if len(group) == 1 else self._told_apart(identity, group)

    def _told_apart(self, identity: str, group: list[_Candidate]) -> list[ReservationEvent]:
        """What several events of one identity mean, whatever their order in the file.

        The latest version counts, and of one version a stay before a block before a cancellation, a longer one before
        a shorter. Where they still arrive on different days they are different stays: the arrival tells them apart.
        """
        latest = max(each.version for each in group)
        stays = sorted((each.stay for each in group if each.version == latest), key=_order)
        live = {stay.arrival: stay for stay in reversed(stays) if stay.status is not StayStatus.CANCELLED}
        if self.publisher.by_departure or len(live) <= 1:
            return stays[:1]
        self.remarks.append(f"{len(live)} events have one identity and different days: each is taken for a stay")
        start = identity[: LONGEST_REF - len("@2026-05-31")]
        return [replace(stay, external_id=f"{start}@{arrival}") for arrival, stay in live.items()]


def _span(event: Component, zone: str) -> Span:
    if not _REPEATS.isdisjoint(event.lines):
        msg = "it repeats, which no stay does"
        raise Unclear(msg)
    return span_of(event, zone)


def _with_status(told: Said, event: Component, *, always_cancelled: bool) -> Said:
    status = event.raw("STATUS").upper()
    if always_cancelled or status == "CANCELLED":
        return replace(told, status=StayStatus.CANCELLED, raw_status="CANCELLED")
    if status == "TENTATIVE" and told.status is StayStatus.CONFIRMED:
        return replace(told, status=StayStatus.PENDING, raw_status="TENTATIVE")
    return told


def _is_over(event: Component, today: date) -> bool:
    """Whether an event that could not be read lies in the past for certain."""
    days = (event.raw("DTSTART")[:8], event.raw("DTEND")[:8])
    return all(day.isdecimal() and day < f"{today:%Y%m%d}" for day in days) and "RRULE" not in event


def _order(stay: ReservationEvent) -> tuple[int, date, int, str, str]:
    """The first of several is the one that counts."""
    nights = (stay.departure - stay.arrival).days
    return _WEIGHT[stay.status], stay.arrival, -nights, stay.guest_name or "", stay.raw_status


def _code_for(identity: str) -> str:
    """Something short to call a stay for which the feed has no code."""
    return f"CAL{sha256(identity.encode(errors='surrogatepass')).hexdigest()[:7].upper()}"


def _shared_nights(stays: Iterable[ReservationEvent], today: date) -> list[str]:
    """A remark for each two stays of guests that cannot both be."""
    coming = {
        stay.external_id: Shown(stay.arrival, stay.departure)
        for stay in stays
        if stay.status is StayStatus.CONFIRMED and stay.departure > today
    }
    return [f"two stays share a night: {_days(coming[one])} and {_days(coming[two])}" for one, two in overlaps(coming)]


def _days(shown: Shown) -> str:
    return f"{shown.arrival} to {shown.departure}"


def _at_most(remarks: list[str]) -> list[str]:
    more = len(remarks) - MOST_REMARKS
    return remarks if more <= 0 else [*remarks[:MOST_REMARKS], f"… and {more} more of these"]


# -- fetching ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CalendarFeed:
    """One feed at its secret address."""

    fetch: Fetch
    url: str = field(repr=False)
    place: Place
    now: Callable[[], datetime]

    async def read(self, validators: Mapping[str, str], today: date) -> FeedRead | None:
        """As the contract says; the text is read beside the event loop."""
        conditions = {_CONDITIONS[name]: value for name, value in validators.items() if name in _CONDITIONS}
        answer = await self.fetch(self.url, {"accept": "text/calendar, text/plain;q=0.5, */*;q=0.1", **conditions})
        if answer.status == HTTPStatus.NOT_MODIFIED and conditions:
            return None
        if answer.status != HTTPStatus.OK:
            raise _refusal(answer, self.now())
        read = await asyncio.to_thread(read_calendar, answer.body, self.place, today)
        return replace(read, validators=_validators(answer.headers))


def _validators(headers: Mapping[str, str]) -> dict[str, str]:
    given = {name: headers.get(name, "") for name in _CONDITIONS}
    return {
        name: value
        for name, value in given.items()
        if 0 < len(value) <= LONGEST_VALIDATOR and value.isascii() and value.isprintable()
    }


def _refusal(answer: Fetched, now: datetime) -> ProviderError:
    """What a status means. 403 and 404 may end by themselves: Airbnb answers 403 when it is asked too often."""
    if answer.status in _REFUSED:
        return AccountRefused(f"the calendar is not given out any more ({answer.status}): export its address anew")
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited("the calendar asks for fewer calls", retry_after(answer.headers.get("retry-after"), now))
    if answer.status == HTTPStatus.FORBIDDEN:
        msg = "the calendar may not be read now (403); if that lasts, export its address anew"
        return RateLimited(msg, _LEAVE_ALONE)
    if answer.status == HTTPStatus.NOT_FOUND:
        return Unreachable("the calendar is not there (404); if that lasts, export its address anew")
    return Unreachable(f"the calendar answered {answer.status}")


def feed(link: Link) -> Feed:
    """The reader of a feed. Raises AccountRefused for settings that cannot be an address and a time zone."""
    url = re.sub(r"^webcals?://", "https://", link.settings.get("url", "").strip(), flags=re.IGNORECASE)
    zone = link.settings.get("zone") or "UTC"
    if not is_http(url) or not known_zone(zone):
        msg = "a calendar's address begins with https://, and its property has an IANA time zone"
        raise AccountRefused(msg)
    return CalendarFeed(link.fetch, url, Place(link.settings.get("property") or "feed", zone), link.now)


PLATFORM = Platform(
    key=KEY,
    title="Calendar feed (iCal)",
    fields=(
        FormField(
            "url",
            "Calendar address",
            secret=True,
            help=(
                "The export link of one listing's calendar; it usually ends in .ics. Airbnb: Calendar → Availability → "
                "Connect calendars. Vrbo: Calendar → Import & export → Export. Booking.com: Rates & Availability → "
                "Sync calendars. Who knows the link can read the calendar: treat it like a password."
            ),
        ),
    ),
    feed=feed,
    maturity="tested against feeds written after the vendors' own, and over HTTP on loopback",
)
