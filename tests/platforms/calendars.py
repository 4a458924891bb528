"""Calendars about invented people, typed after the form of each publisher's own."""

AIRBNB = "PRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN"
AIRBNB_OLD = "PRODID;X-RICAL-TZSOURCE=TZINFO:-//Airbnb Inc//Hosting Calendar 0.8.8//EN"
VRBO = "PRODID:-//HomeAway.com, Inc.//EN"
BOOKING = "PRODID:-//admin.booking.com\\\\\\, b.v.//NONSGML v1.0//EN"
PMS = "PRODID:-//Harbour PMS//Calendar//EN"


def days(first: int, last: int) -> tuple[str, str]:
    return f"DTSTART;VALUE=DATE:{first}", f"DTEND;VALUE=DATE:{last}"


DAYS = days(20260614, 20260617)


def event(*lines: str) -> list[str]:
    return ["BEGIN:VEVENT", *lines, "END:VEVENT"]


def plain(*more: str, days: tuple[str, ...] = DAYS, uid: str = "UID:one@pms.example") -> list[str]:
    """An event of a property management system, with a guest's name unless another summary is given."""
    summary = () if any(line.startswith("SUMMARY") for line in more) else ("SUMMARY:Ida Example",)
    return event(*days, *((uid,) if uid else ()), *summary, *more)


def calendar(*events: list[str], head: tuple[str, ...] = (PMS,), eol: str = "\r\n") -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", *head, *(line for each in events for line in each), "END:VCALENDAR", ""]
    return eol.join(lines).encode()


AIRBNB_STAY = [
    "BEGIN:VEVENT",
    "DTSTAMP:20260601T081500Z",
    *DAYS,
    "SUMMARY:Reserved",
    "UID:1418fb94e984-0f0e0d0c0b0a09080706050403020100@airbnb.com",
    "DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/de",
    " tails/HMTEST4711\\nPhone Number (Last 4 Digits): 0123",
    "END:VEVENT",
]
AIRBNB_OLD_STAY = [
    "BEGIN:VEVENT",
    "DTEND;VALUE=DATE:20260617",
    "DTSTART;VALUE=DATE:20260614",
    "UID:1418fb94e984-0f0e0d0c0b0a09080706050403020100@airbnb.com",
    "DESCRIPTION:Reservation URL: https://www.airbnb.fr/reservation/itinerary",
    " ?code=HMTEST4711\\nPhone Number (Last 4 Digits): 0123",
    "SUMMARY:Reserved",
    "END:VEVENT",
]
AIRBNB_BLOCK = event(*DAYS, "SUMMARY:Airbnb (Not available)", "UID:6fec1092d3fa-0f0e0d0c@airbnb.com")
AIRBNB_OLD_BLOCK = event(*DAYS, "UID:7f662ec65913-0f0e0d0c@airbnb.com", "SUMMARY:Not available")
VRBO_UID = "UID:6f49cda7-0000-4000-8000-39fa7feee5ed"
BOOKING_LINES = ("UID:0f0e0d0c0b0a09080706050403020100@booking.com", "SUMMARY:CLOSED - Not available")
