"""iCalendar (RFC 5545) as text: bytes become one calendar and its events, and a property becomes a text or a time.

Strict about the whole – a file that is not exactly one calendar, from its first line to its last, is refused –, and
patient with the parts: lower-case names, LF or CRLF, a byte order mark, folds inside a letter, lines of rubbish.
Everything is linear in the size of the file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

from lockbridge.domain.stay import known_zone, to_local, to_utc
from lockbridge.inbound import Unreadable
from lockbridge.platforms.reading import YEARS

_BOM = b"\xef\xbb\xbf"
_LINE_ENDS = (b"\r\r\n", b"\r\n")
_FOLDS = (b"\n ", b"\n\t")
_QUOTED_HEAD = re.compile(r'((?:[^":]|"[^"]*")*):(.*)')
_PARAMETER = re.compile(r'(?:^|;)\s*([A-Za-z0-9-]+)\s*=\s*(?:"([^"]*)"|([^;:",]*))')
_LONGEST_ZONE = 100
_ESCAPE = re.compile(r"\\([\\;,nN])")
_CLOCK = re.compile(r"(\d\d):?(\d\d)(?::?(\d\d))?", re.ASCII)
_DURATION = re.compile(
    r"\+?P(?=[\dT])(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?", re.ASCII
)
_MIDNIGHTS = frozenset({(0, 0), (23, 59)})
_INSIDE_EVENT = ["VCALENDAR", "VEVENT"]


class Unclear(Exception):
    """An event that cannot be read; the message says why and holds nothing of what it says."""


@dataclass(frozen=True, slots=True)
class Component:
    """The properties of a calendar or of an event: the first of each name, its parameters and value as written."""

    lines: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)

    def __contains__(self, name: str) -> bool:
        return name in self.lines

    def raw(self, name: str) -> str:
        """The value as it is written, without the space around it; empty where there is none."""
        return self.lines.get(name, ("", ""))[1].strip()

    def text(self, name: str) -> str:
        """The value of a text property, its escapes undone."""
        value = self.raw(name)
        return _ESCAPE.sub(_unescaped, value) if "\\" in value else value

    def parameter(self, name: str, parameter: str) -> str:
        """One parameter of a property, without its quotes; empty where there is none."""
        found = _PARAMETER.finditer(self.lines.get(name, ("", ""))[0])
        return next((each[2] or each[3] or "" for each in found if each[1].upper() == parameter), "").strip()


@dataclass(frozen=True, slots=True)
class CalendarText:
    """One calendar: its own properties, and its events in their order."""

    head: Component
    events: list[Component]


def calendar_of(body: bytes) -> CalendarText:
    """The one calendar that a file is. Raises Unreadable for anything else, also for a calendar that was cut short."""
    found = CalendarText(Component(), [])
    inside: list[str] = []
    lines = _lines(body)
    if next(lines, "").strip().upper() != "BEGIN:VCALENDAR":
        msg = "it is no calendar: it does not begin like one. A login or error page may stand in its place."
        raise Unreadable(msg)
    inside.append("VCALENDAR")
    for name, parameters, value in map(_content, lines):
        if not inside:
            msg = "there is more behind the end of the calendar: it is not one calendar"
            raise Unreadable(msg)
        if name == "BEGIN":
            _begin(found, inside, value.strip().upper())
        elif name == "END":
            _end(inside, value.strip().upper())
        elif len(inside) == 1:
            found.head.lines.setdefault(name, (parameters, value))
        elif inside == _INSIDE_EVENT:
            found.events[-1].lines.setdefault(name, (parameters, value))
    if inside:
        msg = "the calendar was cut short: its end is missing"
        raise Unreadable(msg)
    return found


def _begin(found: CalendarText, inside: list[str], kind: str) -> None:
    inside.append(kind)
    if kind == "VCALENDAR":
        msg = "there is a calendar inside the calendar: it is not one calendar"
        raise Unreadable(msg)
    if inside == _INSIDE_EVENT:
        found.events.append(Component())


def _end(inside: list[str], kind: str) -> None:
    if inside.pop() != kind:
        msg = "the calendar is garbled: an end without its beginning"
        raise Unreadable(msg)


def _lines(body: bytes) -> Iterator[str]:
    """The lines that hold something, unfolded before they are decoded: a fold may stand inside a letter."""
    text = body.removeprefix(_BOM).rstrip(b"\0\x1a")
    for line_end in _LINE_ENDS:
        text = text.replace(line_end, b"\n")
    for fold in _FOLDS:
        text = text.replace(fold, b"")
    return filter(None, map(str.rstrip, _decoded(text).split("\n")))


def _decoded(text: bytes) -> str:
    """UTF-8; a line that is none is taken for Windows-1252, which has the letters of Latin-1 where they are."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return "\n".join(_decoded_line(line) for line in text.split(b"\n"))


def _decoded_line(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def _content(line: str) -> tuple[str, str, str]:
    """A line's name in capitals, its parameters and its value; rubbish has the empty name."""
    head, colon, value = line.partition(":")
    if '"' in head and (whole := _QUOTED_HEAD.fullmatch(line)):
        head, value = whole.groups()
    name, _, parameters = head.partition(";")
    return name.strip().upper() if colon else "", parameters, value


def _unescaped(escape: re.Match[str]) -> str:
    return "\n" if escape[1] in "nN" else escape[1]


# -- times ------------------------------------------------------------------------------------------------------------


class Span(NamedTuple):
    """From when to when, on the property's clock. A time is None where the event gives days only."""

    arrival: date
    departure: date
    check_in: time | None = None
    check_out: time | None = None


class _Moment(NamedTuple):
    """A day, or a time on a day: in a zone, or (None) on the property's clock."""

    day: date
    at: time | None = None
    zone: str | None = None

    @property
    def is_midnight_utc(self) -> bool:
        return self.at is not None and (self.at.hour, self.at.minute) == (0, 0) and self.zone == "UTC"

    def later(self, by: timedelta) -> "_Moment":
        """So much later on the same clock."""
        moved = datetime.combine(self.day, self.at or time()) + by
        return _Moment(moved.date(), None if self.at is None else moved.time(), self.zone)

    def on_the_clock_of(self, zone: str, *, end: bool = False) -> "_Moment":
        """The same moment in the property's zone; a time that comes twice is taken in favour of the guest."""
        if self.at is None or self.zone in {None, zone}:
            return self
        local = to_local(to_utc(self.day, self.at, self.zone or zone, end=end), zone)
        return _Moment(local.date(), local.time())

    @property
    def meant(self) -> time | None:
        """The time of day, unless it only says that the day begins or ends."""
        at = self.at and self.at.replace(second=0)
        return None if at is None or (at.hour, at.minute) in _MIDNIGHTS else at


def span_of(event: Component, zone: str) -> Span:
    """The event's span on the property's clock. Raises Unclear.

    A day without an end is that day; times without a zone are the property's, whatever the calendar's own zone is.
    Midnight UTC to midnight UTC means days: nobody checks in and out at the same hour.
    """
    begin, end = _ends(event)
    if not (begin.is_midnight_utc and end.is_midnight_utc):
        begin, end = begin.on_the_clock_of(zone), end.on_the_clock_of(zone, end=True)
    span = Span(begin.day, end.day, begin.meant, end.meant)
    if span.departure < span.arrival or (span.departure == span.arrival and not _in_order(span)):
        msg = "it ends before it begins, or as it begins"
        raise Unclear(msg)
    return span


def _in_order(span: Span) -> bool:
    return span.check_in is not None and span.check_out is not None and span.check_in < span.check_out


def _ends(event: Component) -> tuple[_Moment, _Moment]:
    begin = _moment(event, "DTSTART")
    if begin is None:
        msg = "it has no beginning"
        raise Unclear(msg)
    end = _moment(event, "DTEND")
    if end is None:
        try:
            end = begin.later(_duration(event, begin))
        except OverflowError:
            raise _no_stay() from None
    if begin.day.year not in YEARS or end.day.year not in YEARS:
        raise _no_stay()
    return begin, end


def _no_stay() -> Unclear:
    return Unclear("its days are not days somebody stays on")


def _duration(event: Component, begin: _Moment) -> timedelta:
    if "DURATION" not in event:
        return timedelta(days=0 if begin.at else 1)
    found = _DURATION.fullmatch(event.raw("DURATION").upper())
    if found is None:
        msg = "its duration makes no sense"
        raise Unclear(msg)
    weeks, days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _moment(event: Component, name: str) -> _Moment | None:
    """The time in a property; None where there is none. Raises Unclear."""
    text = event.raw(name).upper()
    if not text:
        return None
    day, _, clock = text.partition("T")
    try:
        if not clock:
            return _Moment(_day(day))
        return _Moment(_day(day), _clock(clock.removesuffix("Z")), _zone(event, name, is_utc=clock.endswith("Z")))
    except ValueError:
        msg = f"its {name} is no date and no time"
        raise Unclear(msg) from None


def _day(text: str) -> date:
    """``20260531``, or ``2026-05-31`` as some write it. Raises ValueError, also for weeks."""
    if "W" in text:
        raise ValueError
    return date.fromisoformat(text)


def _clock(text: str) -> time:
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError
    hour, minute, second = (int(each or 0) for each in found.groups())
    return time(hour, minute, min(second, 59))


def _zone(event: Component, name: str, *, is_utc: bool) -> str | None:
    called = event.parameter(name, "TZID")
    if is_utc or not called:
        return "UTC" if is_utc else None
    zone = zone_called(called)
    if zone is None:
        msg = f"the time zone of its {name} is not known"
        raise Unclear(msg)
    return zone


@lru_cache(maxsize=256)
def zone_called(name: str) -> str | None:
    """The IANA zone that a calendar means: by its own name, with a path before it, or by its name in Windows."""
    from tzlocal.windows_tz import win_tz  # noqa: PLC0415 - few calendars need it

    plain = name.strip()
    if not plain or len(plain) > _LONGEST_ZONE or not (plain.isascii() and plain.isprintable()):
        return None
    parts = plain.strip("/").split("/")
    endings = ("/".join(parts[-length:]) for length in (len(parts), 3, 2) if length <= len(parts))
    return next(filter(known_zone, endings), None) or win_tz.get(plain)
