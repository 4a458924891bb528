"""Hospitable, webhooks of its public API v2: hex HMAC-SHA256 in ``Signature``, one reservation per envelope."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from lockbridge import signatures
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Ignored, Unreadable, dedupe_key_for
from lockbridge.platforms.contract import Event, Notice, Platform, ReservationEvent
from lockbridge.platforms.reading import Fields, fields_of, parse_day, parse_moment, require_order, said

KEY = "hospitable"
VERSION = "v2"
FEWEST_PHONE_DIGITS = 7
STATUSES: Mapping[str, StayStatus] = {
    "request": StayStatus.PENDING,
    "accepted": StayStatus.CONFIRMED,
    "cancelled": StayStatus.CANCELLED,
    "not accepted": StayStatus.CANCELLED,
}
"""By nested category. ``checkpoint`` (a review by the channel) and ``unknown`` neither open nor close a door."""


def dedupe_key(delivery: Delivery) -> str:
    """The envelope's ``id``."""
    try:
        vendor_id = fields_of(delivery.body).data.get("id")
    except Unreadable:
        vendor_id = None
    return dedupe_key_for(vendor_id, delivery.body)


def read(delivery: Delivery) -> Sequence[Event]:
    """What the envelope's action says; actions that have nothing to do with doors are ignored."""
    envelope = fields_of(delivery.body)
    if envelope.maybe_text("version") not in (None, VERSION):
        raise envelope.wrong(name="version", expected=f"{VERSION} (choose the v2 webhooks)", problem="is another one")
    action = envelope.text("action")
    if "test" in _triggers(envelope):
        return [Ignored(f"a test of {action[:60]}")]
    reader = READERS.get(action)
    return [reader(envelope) if reader else Ignored(f"nothing to do with doors: {action[:60]}")]


def _triggers(envelope: Fields) -> frozenset[str]:
    triggers = envelope.data.get("triggers")
    listed = triggers if isinstance(triggers, list) else [triggers]
    return frozenset(each for each in listed if isinstance(each, str))


def _reservation(envelope: Fields) -> ReservationEvent:
    data = envelope.inside("data")
    guest = _loose_object(data, "guest")
    home = _property(data)
    external_id = data.ref("id")
    status, raw_status = _status(data)
    start, end = _edge(data, "arrival_date", "check_in"), _edge(data, "departure_date", "check_out")
    require_order(start.day, end.day, start.local, end.local)
    return ReservationEvent(
        platform=KEY,
        external_id=external_id,
        reservation_code=data.maybe_ref("code") or data.maybe_ref("platform_id") or external_id,
        property_ref=home.ref("id"),
        property_name=said(home.data.get("name")),
        status=status,
        raw_status=raw_status,
        arrival=start.day,
        departure=end.day,
        check_in=start.local,
        check_out=end.local,
        check_in_instant=start.instant,
        check_out_instant=end.instant,
        guest_name=_full_name(guest),
        guest_first_name=said(guest.data.get("first_name")),
        phone=_phone(guest),
        email=said(guest.data.get("email")),
        platform_guest=said(guest.data.get("id")),
        language=said(guest.data.get("language")),
        changed_at=envelope.maybe_instant("created"),
        channel=said(data.data.get("platform")),
        owner_stay=data.data.get("stay_type") == "owner",
    )


def _loose_object(data: Fields, name: str) -> Fields:
    value = data.data.get(name)
    return data.within(name, value if isinstance(value, dict) else {})


def _property(data: Fields) -> Fields:
    properties = data.data.get("properties")
    if not isinstance(properties, list) or not properties or not isinstance(properties[0], dict):
        problem = "is an empty list" if properties == [] else None
        raise data.wrong(name="properties", expected="a list with the property of the stay", problem=problem)
    return data.within("properties[0]", properties[0])


def _status(data: Fields) -> tuple[StayStatus, str]:
    current = _loose_object(_loose_object(data, "reservation_status"), "current")
    words = [word for name in ("category", "sub_category") if (word := said(current.data.get(name)))]
    category = said(current.data.get("category")) or ""
    return STATUSES.get(category.casefold(), StayStatus.UNKNOWN), ": ".join(words)


class _Edge(NamedTuple):
    day: date
    local: time | None
    instant: datetime | None


def _edge(data: Fields, day_field: str, moment_field: str) -> _Edge:
    """One end of the stay. A time that cannot be read, or lies more than a day off the date, counts as not said."""
    text = data.data.get(day_field)
    day = parse_day(text[:10] if isinstance(text, str) and text[10:11] in ("", "T") else text)
    if day is None:
        problem = "is a text of another form" if isinstance(text, str) else None
        raise data.wrong(day_field, "a date like 2026-05-31T00:00:00-05:00", problem)
    moment = parse_moment(data.data.get(moment_field))
    if moment is None or abs(moment.date() - day) > timedelta(days=1):
        return _Edge(day, None, None)
    return _Edge(moment.date(), moment.time(), moment.astimezone(UTC) if moment.tzinfo else None)


def _full_name(guest: Fields) -> str | None:
    parts = (said(guest.data.get(name)) for name in ("first_name", "last_name"))
    return said(" ".join(part for part in parts if part))


def _phone(guest: Fields) -> str | None:
    listed = guest.data.get("phone_numbers")
    numbers = (said(each) for each in (listed if isinstance(listed, list) else [listed]))
    return next((number for number in numbers if number and _digits(number) >= FEWEST_PHONE_DIGITS), None)


def _digits(text: str) -> int:
    return sum(character.isdecimal() for character in text)


def _disconnected(_: Fields) -> Notice:
    text = "Hospitable has disconnected lockbridge: no more bookings will arrive. Connect it again at Hospitable."
    return Notice("integration.disconnected", text)


def _deleted(envelope: Fields) -> Notice:
    gone = envelope.inside("data").ref("id")
    return Notice("property.deleted", f"Property {gone} was deleted at Hospitable: no more bookings of it will arrive.")


def _merged(envelope: Fields) -> Notice:
    data = envelope.inside("data")
    old, new = data.ref("previous_id"), data.ref("new_id")
    text = f"Property {old} was merged into {new} at Hospitable: give the property in lockbridge the new id."
    return Notice("property.merged", text)


READERS: Mapping[str, Callable[[Fields], Event]] = {
    "reservation.created": _reservation,
    "reservation.changed": _reservation,
    "integration.disconnected": _disconnected,
    "property.deleted": _deleted,
    "property.merged": _merged,
}

PLATFORM = Platform(
    key=KEY,
    title="Hospitable",
    authenticate=signatures.hmac_hex("signature"),
    dedupe_key=dedupe_key,
    read=read,
    secret_problem=signatures.any_secret_problem,
    setup_help=(
        "Vendors: the webhook secret of the Hospitable Partner Portal. Hosts: the base64 of the e-mail address of the "
        "account's primary user. Who knows the address can compute the host's secret, so such a signature is a hint "
        "and no proof: keep the webhook address secret and let only 38.80.170.0/24 reach it. "
        "To replace a secret, configure both, one to a line."
    ),
)
