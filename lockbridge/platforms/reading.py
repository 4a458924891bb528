"""Reading JSON field by field, with complaints that name the field and never its value."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

import orjson

from lockbridge.domain.stay import known_zone
from lockbridge.inbound import Unreadable

LONGEST_REF = 200
LONGEST_TEXT = 1000
FEWEST_PHONE_DIGITS = 4
YEARS = range(2000, 2200)
"""The years in which a stay can be; outside of them lies a sender's mistake (and, far out, overflow)."""
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME_OF_DAY = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
COUNTRY = re.compile(r"[A-Za-z]{2}")
CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), " ")
JSON_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object of a delivery, asked field by field. ``null`` counts as absent.

    ``maybe_…`` gives None for an absent field, and the ones without a prefix refuse it; both raise Unreadable for a
    wrong type. ``said…`` raises nothing: whatever is not as it should be counts as not said.
    """

    data: Mapping[str, Any] = field(repr=False)
    path: str = ""

    def wrong(self, name: str, expected: str, problem: str | None = None) -> Unreadable:
        """The complaint about a field: where it stands, what is there instead of what, what to do."""
        value = self.data.get(name)
        problem = problem or ("is missing" if value is None else f"is {JSON_NAMES[type(value)]}")
        where = f"{self.path}.{name}" if self.path else name
        return Unreadable(f"{where} {problem}; it must be {expected}. Correct it at the sender and send it again.")

    def inside(self, name: str) -> "Fields":
        """The object in a field."""
        value = self.data.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return self.within(name, value)

    def maybe_inside(self, name: str) -> "Fields":
        """The object in a field; one without fields where there is none."""
        return self.within(name, {}) if self.data.get(name) is None else self.inside(name)

    def within(self, name: str, value: Mapping[str, Any]) -> "Fields":
        """An object found at that place."""
        return Fields(value, f"{self.path}.{name}" if self.path else name)

    def said_inside(self, name: str) -> "Fields":
        """The object in a field; one without fields where something else stands there."""
        value = self.data.get(name)
        return self.within(name, value if isinstance(value, dict) else {})

    def maybe_objects(self, name: str) -> "list[Fields]":
        """The objects in a list; none where there is no list."""
        listed = self.data.get(name)
        if not isinstance(listed, list | None):
            raise self.wrong(name, "a list of objects")
        numbered = Fields({f"{name}[{number}]": each for number, each in enumerate(listed or ())}, self.path)
        return [numbered.inside(each) for each in numbered.data]

    def said_objects(self, name: str) -> "list[Fields]":
        """The objects in a list, without whatever else is in it."""
        listed = self.data.get(name)
        numbered = enumerate(listed if isinstance(listed, list) else ())
        return [self.within(f"{name}[{number}]", each) for number, each in numbered if isinstance(each, dict)]

    def said(self, *names: str) -> str | None:
        """What the first of these fields says that says anything, as ``said`` reads it."""
        return next((text for name in names if (text := said(self.data.get(name)))), None)

    def said_name(self, *names: str) -> str | None:
        """A person's name, of the parts that are told."""
        return said(" ".join(part for name in names if (part := self.said(name))))

    def said_phone(self, *names: str) -> str | None:
        """The first of these fields that may be a phone number, as it is written."""
        return phone_among(self.data.get(name) for name in names)

    def maybe_text(self, name: str) -> str | None:
        """A text on one line, cut after 1000 characters; a blank one is as good as none. Numbers are taken as texts."""
        value = self.data.get(name)
        if value is not None and not _is_text_or_integer(value):
            raise self.wrong(name, "a text")
        return said(value)

    def text(self, name: str) -> str:
        """A text that is not blank."""
        value = self.maybe_text(name)
        if value is None:
            raise self.wrong(name, "a text", None if self.data.get(name) is None else "is blank")
        return value

    def ref(self, name: str) -> str:
        """An identity: a text or integer of 1 to 200 printable characters."""
        value = self.data.get(name)
        expected = f"a text of 1 to {LONGEST_REF} printable characters"
        if not _is_text_or_integer(value):
            raise self.wrong(name, expected)
        text = str(value).strip()
        if not text or len(text) > LONGEST_REF or not text.isprintable():
            raise self.wrong(name, expected, f"is a text of {len(text)} characters that cannot be an identity")
        return text

    def maybe_ref(self, name: str) -> str | None:
        """An identity, where there is one."""
        return None if self.data.get(name) in (None, "") else self.ref(name)

    def day(self, name: str) -> date:
        """A calendar date ``2026-05-31``, on its own."""
        day = parse_day(self.data.get(name))
        if day is None:
            raise self._not(name, "a date like 2026-05-31")
        return day

    def leading_day(self, name: str) -> date:
        """The calendar date with which ``2026-05-31T00:00:00-05:00`` begins, or one on its own."""
        text = self.data.get(name)
        day = parse_day(text[:10]) if isinstance(text, str) and text[10:11] in ("", "T") else None
        if day is None:
            raise self._not(name, "a date like 2026-05-31T00:00:00")
        return day

    def maybe_time(self, name: str) -> time | None:
        """A time of day ``16:00`` or ``16:00:00``."""
        value = self.data.get(name)
        if value is None:
            return None
        try:
            return time.fromisoformat(value if TIME_OF_DAY.fullmatch(value) else "")
        except (TypeError, ValueError):
            raise self._not(name, "a time of day like 16:00, or null") from None

    def said_time(self, name: str, *, midnight: bool = False) -> time | None:
        """A time of day; midnight, which is no time to arrive or leave, only where it is asked for."""
        try:
            at = self.maybe_time(name)
        except Unreadable:
            return None
        is_midnight = at is not None and (at.hour, at.minute) == (0, 0)
        return None if is_midnight and not midnight else at

    def maybe_instant(self, name: str) -> datetime | None:
        """An instant with an offset, as UTC."""
        value = self.data.get(name)
        if value is None:
            return None
        moment = parse_moment(value)
        if moment is None or moment.tzinfo is None:
            raise self._not(name, "an instant with an offset like 2026-05-31T14:00:00Z")
        return moment.astimezone(UTC)

    def said_utc(self, name: str) -> datetime | None:
        """An instant in a field that is documented to be UTC, whether it says so or not."""
        moment = parse_moment(self.data.get(name))
        if moment is None:
            return None
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

    def said_zone(self, name: str) -> str | None:
        """The IANA name of a time zone."""
        zone = self.said(name)
        return zone if zone and known_zone(zone) else None

    def said_country(self, name: str) -> str | None:
        """The two capital letters of a country."""
        country = self.said(name) or ""
        return country.upper() if COUNTRY.fullmatch(country) else None

    def flag(self, name: str) -> bool:
        """A yes or no; absent is no."""
        value = self.data.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return bool(value)

    def _not(self, name: str, expected: str) -> Unreadable:
        problem = "is a text of another form" if isinstance(self.data.get(name), str) else None
        return self.wrong(name, expected, problem)


def fields_of(body: bytes) -> Fields:
    """The JSON object in a body, also where the object was encoded twice. Raises Unreadable when there is none."""
    value = _json(body)
    if isinstance(value, str):
        value = _json(value.encode())
    if not isinstance(value, dict):
        msg = f"the body is {JSON_NAMES[type(value)]}; it must be a JSON object. Correct it at the sender."
        raise Unreadable(msg)
    return Fields(value)


def said(value: object) -> str | None:
    """What a field says, on one line and at most 1000 characters; None when it is blank, no text and no integer."""
    if not _is_text_or_integer(value):
        return None
    return " ".join(str(value).translate(CONTROLS).split())[:LONGEST_TEXT].rstrip() or None


def phone_among(values: Iterable[object], fewest: int = FEWEST_PHONE_DIGITS) -> str | None:
    """The first of these that has as many digits as a phone number must have, as it is written; None: there is none."""
    numbers = (said(value) or "" for value in values)
    return next((number for number in numbers if sum(map(str.isdecimal, number)) >= fewest), None)


def parse_day(value: object) -> date | None:
    """The calendar date that a text like ``2026-05-31`` is, in a year in which a stay can be; else None."""
    if not isinstance(value, str) or not DAY.fullmatch(value):
        return None
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return None
    return day if day.year in YEARS else None


def parse_moment(value: object) -> datetime | None:
    """The date and time that an ISO 8601 text is, with or without offset; None outside the years of stays."""
    if not isinstance(value, str) or not DAY.match(value) or value[10:11] not in ("T", " "):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.year in YEARS else None


def require_order(arrival: date, departure: date, check_in: time | None, check_out: time | None) -> None:
    """Raises Unreadable for a stay that ends before it begins: on an earlier day, or on the same day and no later."""
    same_day_works = arrival == departure and check_in is not None and check_out is not None and check_in < check_out
    if arrival < departure or same_day_works:
        return
    msg = (
        "the departure is not after the arrival (on the same day, both times are needed and check-out must be later). "
        "Correct the dates at the sender and send it again."
    )
    raise Unreadable(msg)


def _json(body: bytes) -> object:
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        problem = f"{error.msg}, byte {error.pos} of {len(body)}"
    else:
        return value
    msg = f"the body is not JSON ({problem}). It may have been cut short; send it again."
    raise Unreadable(msg)


def _is_text_or_integer(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
