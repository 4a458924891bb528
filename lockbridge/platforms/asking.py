"""How the API of a booking platform is asked, and what its answers come to: what all platforms have in common.

Paths, parameters and the shape of answers are for each platform's own module to say.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeAlias
from urllib.parse import quote

from lockbridge.contract import AccountRefused, FormField, Unreachable
from lockbridge.inbound import Ignored, Unreadable
from lockbridge.outbound import ErrorTable, Vendor, is_http
from lockbridge.platforms.contract import Link, NoSuchReservation, Reservation, ReservationEvent, Wanted
from lockbridge.platforms.reading import Fields

Stays: TypeAlias = Callable[[Fields], Sequence[ReservationEvent]]
"""Reads the vendor's object of a reservation. Raises Unreadable."""
NUMBER = re.compile(r"[0-9]{1,18}")


# -- the account ------------------------------------------------------------------------------------------------------


def address_field(usual: str) -> FormField:
    """Where the host's form asks for the address of the API."""
    return FormField("url", "Address of the API", help="Leave it as it is.", default=usual)


def answered(link: Link, name: str) -> str:
    """What the host answered to a field of the form, without white space around it; ``""`` where nothing."""
    return link.settings.get(name, "").strip()


def vendor_of(link: Link, who: str, usual: str, errors: ErrorTable, headers: Mapping[str, str] | None = None) -> Vendor:
    """The account's API at the host's address, else the usual one; it is asked for JSON.

    Raises AccountRefused for an address that cannot be asked.
    """
    base = (answered(link, "url") or usual).rstrip("/")
    if not is_http(base):
        raise senseless(who)
    every = {"accept": "application/json", **(headers or {})}
    return Vendor(link.http, base, errors, link.now, headers=every, pace=link.pace, who=who)


def credential(link: Link, who: str, name: str) -> str:
    """An answer that goes into a header. Raises AccountRefused for one that is missing or cannot."""
    value = answered(link, name)
    if not fits_header(value):
        raise senseless(who)
    return value


def senseless(who: str, needed: str = "its credentials are plain ASCII") -> AccountRefused:
    """Of settings that make no sense: what they have to be."""
    return AccountRefused(f"{who}'s address begins with https://, and {needed}")


def fits_header(value: object) -> bool:
    """Whether it is a text that can stand in a header."""
    return isinstance(value, str) and value != "" and value.isascii() and value.isprintable()


# -- requests ---------------------------------------------------------------------------------------------------------


def quoted(ref: str) -> str:
    """A name, as it stands in a path."""
    return quote(ref, safe="")


def number_of(ref: str, who: str) -> int:
    """The number that a reservation's name is. Raises NoSuchReservation for one that is none."""
    if not NUMBER.fullmatch(ref):
        msg = f"{who} names its reservations by numbers: it has none of this name"
        raise NoSuchReservation(msg)
    return int(ref)


# -- answers: parsers for Vendor.ask ----------------------------------------------------------------------------------


def an_object(answer: Any) -> dict[str, Any]:
    """An answer that must be an object. Raises TypeError."""
    if not isinstance(answer, dict):
        raise TypeError
    return answer


def a_list(answer: Any) -> list[Any]:
    """An answer that must be a list. Raises TypeError."""
    if not isinstance(answer, list):
        raise TypeError
    return answer


def anything(_: Any) -> None:
    """An answer that is not needed and may be empty."""


def a_token(answer: Any, longest: timedelta) -> tuple[str, timedelta]:
    """The access token of an OAuth 2 answer, and how long it is good: ``longest`` where that is not said or nonsense.

    Raises LookupError or TypeError.
    """
    access, lasts = answer["access_token"], answer.get("expires_in")
    if not isinstance(access, str) or not access:
        raise TypeError
    is_sane = isinstance(lasts, int) and 0 < lasts <= longest.total_seconds()
    return access, timedelta(seconds=lasts) if is_sane else longest


# -- what answers come to ---------------------------------------------------------------------------------------------


@contextmanager
def making_sense() -> Iterator[None]:
    """Raises Unreachable for what is Unreadable in it: an answer of the API that makes no sense is as good as none."""
    try:
        yield
    except Unreadable as error:
        raise Unreachable(str(error)) from None


def reservation_of(found: Mapping[str, Any], stays: Stays) -> Reservation:
    """The stays of the one reservation that was asked for. Raises Unreachable for one that makes no sense."""
    with making_sense():
        return stays(Fields(found, "reservation"))


def events_in(items: Iterable[Any], stays: Stays) -> list[ReservationEvent | Ignored]:
    """The stays of a list's reservations; one that cannot be understood is Ignored with the reason."""
    return [event for item in items for event in _events_of(item, stays)]


def _events_of(item: Any, stays: Stays) -> Sequence[ReservationEvent | Ignored]:
    if not isinstance(item, dict):
        return [Ignored("a reservation in the list is no object")]
    try:
        return stays(Fields(item))
    except Unreadable as error:
        return [Ignored(f"a reservation in the list: {error}")]


def is_wanted(event: ReservationEvent | Ignored, wanted: Wanted) -> bool:
    """Whether a stay touches the days of a full read; whatever else a list holds is kept."""
    if wanted.changed_since is not None or isinstance(event, Ignored):
        return True
    return event.arrival <= wanted.last and event.departure >= wanted.first


def property_of(item: Any) -> Fields:
    """A property in a list. Raises Unreachable for what is no object: a list of properties is whole or none."""
    with making_sense():
        return Fields({"property": item}).inside("property")


def ref_of(data: Fields, name: str = "id") -> str:
    """How the platform names something in a list that is whole or none. Raises Unreachable where it does not."""
    with making_sense():
        return data.ref(name)
