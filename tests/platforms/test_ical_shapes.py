"""The shapes that calendar feeds have, and what must become of each: one table, printed by ``pytest -s``.

All feeds are typed here after the vendors' own form, about invented people. Those that lie beside the checkout are read
as well, where they do.
"""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Unreadable
from lockbridge.platforms.contract import FeedRead, ReservationEvent
from lockbridge.platforms.ical import Place, read_calendar
from tests.platforms.calendars import (
    AIRBNB,
    AIRBNB_BLOCK,
    AIRBNB_OLD,
    AIRBNB_OLD_BLOCK,
    AIRBNB_OLD_STAY,
    AIRBNB_STAY,
    BOOKING,
    BOOKING_LINES,
    DAYS,
    PMS,
    VRBO,
    VRBO_UID,
    calendar,
    days,
    event,
    plain,
)

TODAY = date(2026, 6, 1)
PLACE = Place("lake-house", "America/New_York")
SAMPLES = Path(__file__).parents[3] / "shared" / "payloads" / "ical"

OUTLOOK = "TZID=Eastern Standard Time"


def vrbo(summary: str) -> bytes:
    return calendar(event(VRBO_UID, "DTSTAMP:20260601T081500Z", *DAYS, f"SUMMARY:{summary}"), head=(VRBO,), eol="\n")


def booking(*days: str) -> bytes:
    return calendar(event(*days, *BOOKING_LINES), head=(BOOKING, "METHOD:PUBLISH"))


def timed(begin: str, end: str, *head: str) -> bytes:
    return calendar(plain(days=(f"DTSTART{begin}", f"DTEND{end}")), head=(PMS, *head))


FOLDED_LETTER = calendar(plain("SUMMARY:Zoë Exämple")).replace("ë".encode(), b"\xc3\r\n \xab")
REPEAT = "RRULE:FREQ=WEEKLY;COUNT=4"
TOLD = (
    "DESCRIPTION:Guest: Max Muster\\nPhone: +1 (555) 010-0199\\nEmail: max@example.com\\nBooking ID: B-77\\n"
    "Check-in time: 16\\nCheck-out: 10:30"
)
SMALL = ("dtstart;value=date:20260614", "dtend;value=date:20260617", "uid:x", "summary:Ida Example")
BERLIN = "TZID=/example.org/2026/Europe/Berlin"
ALARM = ["BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Phone: +1 555 010 9999", "SUMMARY:Alarm", "END:VALARM"]
TIMEZONE = ["BEGIN:VTIMEZONE", "TZID:Europe/Athens", "BEGIN:STANDARD", "DTSTART:19961027T040000", "RRULE:FREQ=YEARLY"]
TIMEZONE += ["END:STANDARD", "END:VTIMEZONE"]
STAY = "confirmed 06-14 to 06-17"
IDA = f"{STAY} Ida Example"
TIMED = "confirmed 06-14 16:00 to 06-17 11:00 Ida Example"
BAD = "BAD READ"
NONE = "nothing"

SHAPES: list[tuple[str, bytes, str]] = [
    # Airbnb
    (
        "Airbnb: a reservation, folded inside its address",
        calendar(AIRBNB_STAY, head=(AIRBNB,)),
        f"{STAY} HMTEST4711 ☎0123",
    ),
    (
        "Airbnb of 2020: other order, no DTSTAMP, LF",
        calendar(AIRBNB_OLD_STAY, head=(AIRBNB_OLD,), eol="\n"),
        f"{STAY} HMTEST4711 ☎0123",
    ),
    ("Airbnb: a block", calendar(AIRBNB_BLOCK, head=(AIRBNB,)), "blocked 06-14 to 06-17"),
    ("Airbnb: a block of the older form", calendar(AIRBNB_OLD_BLOCK, head=(AIRBNB_OLD,)), "blocked 06-14 to 06-17"),
    (
        "Airbnb: a reservation without an address",
        calendar(event(*DAYS, "SUMMARY:Reserved", "UID:1418fb94e984-1@airbnb.com"), head=(AIRBNB,)),
        STAY,
    ),
    ("Airbnb: a listing without bookings", calendar(head=(AIRBNB,)), NONE),
    # Vrbo
    ("Vrbo: reserved, LF", vrbo("Reserved - Ida"), f"{STAY} Ida"),
    ("Vrbo: reserved without a name", vrbo("Reserved"), STAY),
    ("Vrbo: the brand is no name", vrbo("Reserved - Vrbo"), STAY),
    ("Vrbo: blocked", vrbo("Blocked"), "blocked 06-14 to 06-17"),
    ("Abritel: réservée", vrbo("Réservée - Ida & Max"), f"{STAY} Ida & Max"),
    ("Abritel: provisoire is tentative", vrbo("Provisoire - Ida"), "pending 06-14 to 06-17 Ida"),
    ("Abritel: indisponible", vrbo("Indisponible"), "blocked 06-14 to 06-17"),
    ("FeWo-direkt: reserviert", vrbo("Reserviert - Ida"), f"{STAY} Ida"),
    ("FeWo-direkt: vorläufig is tentative", vrbo("Vorläufig - Ida"), "pending 06-14 to 06-17 Ida"),
    ("FeWo-direkt: nicht verfügbar", vrbo("Nicht verfügbar"), "blocked 06-14 to 06-17"),
    ("Vrbo in Spanish: reserved", vrbo("Reservado - Ida"), f"{STAY} Ida"),
    ("Vrbo in Italian: blocked", vrbo("Bloccato"), "blocked 06-14 to 06-17"),
    (
        "Vrbo: DURATION in place of DTEND",
        calendar(TIMEZONE, event(VRBO_UID, DAYS[0], "DURATION:P3D", "SUMMARY:Reserved - Ida"), head=(VRBO,)),
        f"{STAY} Ida",
    ),
    (
        "Vrbo: last year's stay is still there",
        calendar(event(VRBO_UID, *days(20250614, 20250617), "SUMMARY:Reserved - Ida"), head=(VRBO,)),
        "confirmed 2025-06-14 to 2025-06-17 Ida",
    ),
    # Booking.com
    ("Booking.com: a stay or a closure", booking(*DAYS), "NOT UNATTENDED; pending 06-14 to 06-17"),
    (
        "Booking.com: the same a day later, in progress",
        booking("DTSTART;VALUE=DATE:20260615", DAYS[1]),
        "NOT UNATTENDED; pending 06-15 to 06-17",
    ),
    (
        "Booking.com: 91 nights are a closure",
        booking(DAYS[0], "DTEND;VALUE=DATE:20260913"),
        "NOT UNATTENDED; blocked 06-14 to 09-13",
    ),
    # others
    ("PMS: the guest's name as summary", calendar(plain()), IDA),
    (
        "PMS: lines in the description",
        calendar(plain(TOLD)),
        "confirmed 06-14 16:00 to 06-17 10:30 Max Muster B-77 ☎+1 (555) 010-0199 ✉max@example.com",
    ),
    ("PMS: only the phone's last digits", calendar(plain("DESCRIPTION:Phone (last 4): 0123")), f"{IDA} ☎0123"),
    (
        "PMS: lines broken by HTML",
        calendar(plain("DESCRIPTION:Guest: Max Muster<br>Booking ID: B-77")),
        f"{STAY} Max Muster B-77",
    ),
    ("PMS: a block", calendar(plain("SUMMARY:Blocked - boiler repair")), "blocked 06-14 to 06-17"),
    ("PMS: the owner comes", calendar(plain("SUMMARY:Owner stay")), f"{STAY} (owner)"),
    ("PMS: busy may be a stay or not", calendar(plain("SUMMARY:Busy")), "unknown 06-14 to 06-17"),
    ("PMS: no summary", calendar(event(*DAYS, "UID:one")), STAY),
    (
        "Smoobu: check-in and check-out are no stays",
        calendar(
            plain(),
            plain("SUMMARY:Check-in: Ida Example", uid="UID:two"),
            plain("SUMMARY:Check-out: Ida Example", uid="UID:three"),
        ),
        IDA,
    ),
    ("STATUS:TENTATIVE", calendar(plain("STATUS:TENTATIVE")), "pending 06-14 to 06-17 Ida Example"),
    # cancelled
    ("STATUS:CANCELLED", calendar(plain("STATUS:CANCELLED", "SEQUENCE:2")), "cancelled 06-14 to 06-17 Ida Example"),
    ("METHOD:CANCEL", calendar(plain(), head=(PMS, "METHOD:CANCEL")), "cancelled 06-14 to 06-17 Ida Example"),
    # text
    ("LF", calendar(plain(), eol="\n"), IDA),
    ("CR CR LF", calendar(plain(), eol="\r\r\n"), IDA),
    ("empty lines between", calendar(plain(), eol="\r\n\r\n"), IDA),
    ("a byte order mark", b"\xef\xbb\xbf" + calendar(plain()), IDA),
    ("folded with a tab", calendar(plain("SUMMARY:Ida Ex", "\tample")), IDA),
    ("folded inside a letter", FOLDED_LETTER, f"{STAY} Zoë Exämple"),
    ("Latin-1", calendar(plain("SUMMARY:Zoë Exämple")).decode().encode("latin-1"), f"{STAY} Zoë Exämple"),
    ("names in small letters", calendar(["begin:vevent", *SMALL, "end:vevent"]), IDA),
    ("a quoted parameter with a colon", calendar(plain('SUMMARY;ALTREP="cid:part1;x":Ida Example')), IDA),
    ("escapes", calendar(plain("SUMMARY:Example\\, Ida\\; B\\\\C")), f"{STAY} Example, Ida; B\\C"),
    ("rubbish inside an event", calendar(plain("this is no property", ";;;", ":")), IDA),
    ("an alarm with its own description", calendar(event(*DAYS, "UID:x", *ALARM, "SUMMARY:Ida Example")), IDA),
    # times
    ("no DTEND: one day", calendar(plain(days=DAYS[:1])), "confirmed 06-14 to 06-15 Ida Example"),
    ("DURATION in weeks", calendar(plain(days=(DAYS[0], "DURATION:P1W"))), "confirmed 06-14 to 06-21 Ida Example"),
    ("times in UTC", timed(":20260614T200000Z", ":20260617T150000Z"), TIMED),
    (
        "UTC across midnight here",
        timed(":20260615T020000Z", ":20260617T150000Z"),
        "confirmed 06-14 22:00 to 06-17 11:00 Ida Example",
    ),
    ("midnight UTC to midnight UTC means days", timed(":20260614T000000Z", ":20260617T000000Z"), IDA),
    (
        "TZID of another zone",
        timed(";TZID=Europe/Berlin:20260614T220000", ";TZID=Europe/Berlin:20260617T170000"),
        TIMED,
    ),
    (
        "TZID in quotes",
        timed(';TZID="America/New_York":20260614T160000', ';TZID="America/New_York":20260617T110000'),
        TIMED,
    ),
    ("TZID with a path before it", timed(f";{BERLIN}:20260614T220000", f";{BERLIN}:20260617T170000"), TIMED),
    ("a zone of Windows", timed(f";{OUTLOOK}:20260614T160000", f";{OUTLOOK}:20260617T110000"), TIMED),
    (
        "a zone nobody knows",
        timed(";TZID=Mars/Base:20260614T160000", ";TZID=Mars/Base:20260617T110000"),
        "LEFT OUT zone",
    ),
    ("times without a zone are the property's", timed(":20260614T160000", ":20260617T110000"), TIMED),
    ("… whatever X-WR-TIMEZONE says", timed(":20260614T160000", ":20260617T110000", "X-WR-TIMEZONE:UTC"), TIMED),
    ("times at midnight say nothing", timed(":20260614T000000", ":20260617T235900"), IDA),
    (
        "a day, then a time",
        timed(";VALUE=DATE:20260614", ":20260617T110000"),
        "confirmed 06-14 to 06-17 11:00 Ida Example",
    ),
    (
        "an hour that another zone's clocks skip",
        timed(";TZID=Europe/Berlin:20270328T023000", ";TZID=Europe/Berlin:20270330T170000"),
        "confirmed 2027-03-27 21:30 to 2027-03-30 11:00 Ida Example",
    ),
    (
        "a few hours of one day",
        timed(":20260614T090000", ":20260614T170000"),
        "confirmed 06-14 09:00 to 06-14 17:00 Ida Example",
    ),
    # events that are left out
    ("zero length", calendar(plain(days=(DAYS[0], "DTEND;VALUE=DATE:20260614"))), "LEFT OUT ends before"),
    ("ends before it begins", calendar(plain(days=(DAYS[0], "DTEND;VALUE=DATE:20260611"))), "LEFT OUT ends before"),
    ("a time without an end", calendar(plain(days=("DTSTART:20260614T160000",))), "LEFT OUT ends before"),
    ("no beginning", calendar(plain(days=DAYS[1:])), "LEFT OUT beginning"),
    ("a date that is none", calendar(plain(days=("DTSTART;VALUE=DATE:20261399", DAYS[1]))), "LEFT OUT no date"),
    ("the year 9999", calendar(plain(days=("DTSTART;VALUE=DATE:99991230", "DURATION:P9W"))), "LEFT OUT its days"),
    ("a negative duration", calendar(plain(days=(DAYS[0], "DURATION:-P3D"))), "LEFT OUT duration"),
    ("RRULE", calendar(plain(REPEAT)), "LEFT OUT repeats"),
    ("RECURRENCE-ID", calendar(plain("RECURRENCE-ID:20260614")), "LEFT OUT repeats"),
    ("a bad event beside a good one", calendar(plain(), plain(days=(), uid="UID:two")), f"{IDA}; LEFT OUT beginning"),
    ("what is over is left out in silence", calendar(plain(days=days(20250614, 20250614))), NONE),
    # identities
    ("no UID", calendar(plain(uid="")), IDA),
    ("the same event twice", calendar(plain(), plain()), IDA),
    (
        "one UID, a newer version",
        calendar(plain("SEQUENCE:2", days=(DAYS[0], "DTEND;VALUE=DATE:20260619")), plain("SEQUENCE:1")),
        "confirmed 06-14 to 06-19 Ida Example",
    ),
    (
        "one UID, cancelled in a newer version",
        calendar(plain("SEQUENCE:1"), plain("SEQUENCE:2", "STATUS:CANCELLED")),
        "cancelled 06-14 to 06-17 Ida Example",
    ),
    ("one UID, one version: a stay before its cancellation", calendar(plain("STATUS:CANCELLED"), plain()), IDA),
    (
        "one UID for two stays",
        calendar(plain(), plain(days=days(20260620, 20260622))),
        f"{IDA}; confirmed 06-20 to 06-22 Ida Example; REMARK one identity",
    ),
    (
        "two stays share a night",
        calendar(plain(), plain(days=days(20260616, 20260618), uid="UID:two")),
        f"{IDA}; confirmed 06-16 to 06-18 Ida Example; REMARK share",
    ),
    (
        "back to back is normal",
        calendar(plain(), plain(days=days(20260617, 20260618), uid="UID:two")),
        f"{IDA}; confirmed 06-17 to 06-18 Ida Example",
    ),
    # no calendars
    ("no events", calendar(), NONE),
    ("nothing at all", b"", BAD),
    ("a login page", b"<!DOCTYPE html>\n<html><body>Log in</body></html>\n", BAD),
    ("JSON", b'{"error": "unauthorized"}', BAD),
    ("cut short between events", calendar(plain())[:-16], BAD),
    ("cut short inside an event", calendar(plain())[:80], BAD),
    ("two calendars", calendar(plain()) + calendar(plain(uid="UID:two")), BAD),
    ("a calendar inside a calendar", calendar(["BEGIN:VCALENDAR", "END:VCALENDAR"]), BAD),
    ("an event that does not end", calendar(plain()[:-1], plain(uid="UID:two")), BAD),
    ("a warning before the calendar", b"Warning: date() in cal.php\n" + calendar(plain()), BAD),
    ("a warning behind the calendar", calendar(plain()) + b"Warning: flush()\n", BAD),
    ("UTF-16", calendar(plain()).decode().encode("utf-16"), BAD),
]


@dataclass(frozen=True)
class Outcome:
    """What a feed became, as the table writes it."""

    text: str
    read: FeedRead | None


def outcome(body: bytes) -> Outcome:
    try:
        read = read_calendar(body, PLACE, TODAY)
    except Unreadable:
        return Outcome(BAD, None)
    parts = [] if read.unattended else ["NOT UNATTENDED"]
    parts += [line(stay) for stay in sorted(read.events, key=lambda stay: stay.arrival)]
    parts += [_short(remark) for remark in read.remarks]
    return Outcome("; ".join(parts) or NONE, read)


def line(stay: ReservationEvent) -> str:
    code = "" if re.fullmatch(r"CAL[0-9A-F]{7}", stay.reservation_code) else stay.reservation_code
    words = [stay.status, _when(stay.arrival, stay.check_in), "to", _when(stay.departure, stay.check_out)]
    words += [stay.guest_name, code, stay.phone and f"☎{stay.phone}", stay.email and f"✉{stay.email}"]
    return " ".join(word for word in [*words, stay.owner_stay and "(owner)"] if word)


def _when(day: date, at: object) -> str:
    written = f"{day:%m-%d}" if day.year == TODAY.year else day.isoformat()
    return f"{written} {at:%H:%M}" if at else written


REASONS = ("zone", "ends before", "beginning", "no date", "its days", "duration", "repeats", "one identity", "share")


def _short(remark: str) -> str:
    """What a remark is about, in a word."""
    about = next(reason for reason in REASONS if reason in remark)
    return f"{'LEFT OUT' if 'was left out' in remark else 'REMARK'} {about}"


def print_table() -> None:
    """The shapes and what becomes of each (``pytest -s``)."""
    table = Table("shape", "what becomes of it", title=f"{len(SHAPES)} shapes of calendar feeds", show_lines=False)
    for name, body, _ in SHAPES:
        table.add_row(name, outcome(body).text)
    Console(width=160).print(table)


@pytest.mark.parametrize(("name", "body", "expected"), SHAPES, ids=[name for name, _, _ in SHAPES])
def test_a_feed_of_this_shape_becomes_what_it_must(name: str, body: bytes, expected: str) -> None:
    assert outcome(body).text == expected


def test_the_table_of_shapes_can_be_printed_and_has_them_all() -> None:
    print_table()
    assert len(SHAPES) >= 35
    assert len({name for name, _, _ in SHAPES}) == len(SHAPES)


PRIVATE = re.compile(r"Ida|Max|Muster|pms|example|0123|HMTEST", re.IGNORECASE)


def test_no_remark_and_no_complaint_holds_anything_private() -> None:
    for name, body, expected in SHAPES:
        read = outcome(body).read
        assert [remark for remark in (read.remarks if read else ()) if PRIVATE.search(remark)] == [], name
        if expected == BAD:
            with pytest.raises(Unreadable) as caught:
                read_calendar(body, PLACE, TODAY)
            assert not PRIVATE.search(str(caught.value)), name


def test_everything_read_is_the_propertys_and_in_order() -> None:
    for _, body, _ in SHAPES:
        read = outcome(body).read
        for stay in read.events if read else ():
            assert (stay.platform, stay.property_ref) == ("ical", "lake-house")
            assert stay.arrival <= stay.departure
            assert stay.changed_at is None
            assert "Ida" not in stay.raw_status


def test_real_samples_are_read_where_they_lie_beside_the_checkout() -> None:
    bad = {"malformed.html"}
    for sample in sorted(SAMPLES.glob("*")):
        for body in (sample.read_bytes(), sample.read_bytes().replace(b"\n", b"\r\n")):
            found = outcome(body)
            assert (found.text == BAD) == (sample.name in bad), sample.name
            if sample.name.startswith("airbnb"):
                assert {stay.status for stay in found.read.events} == {StayStatus.CONFIRMED, StayStatus.BLOCKED}
            if sample.name.startswith("vrbo-abritel"):
                assert [stay.status for stay in found.read.events].count(StayStatus.PENDING) == 1
