"""What booking platforms send: a booking as the JSON of its platform."""

from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from lockbridge.simulation.world import Booking, Facts, Place, Sending


def body(place: Place, booking: Booking, sending: Sending) -> dict[str, Any]:
    """One version of a booking, as the place's platform says it."""
    return (_generic if place.platform == "generic" else _hospitable)(place, booking, sending)


def _generic(place: Place, booking: Booking, sending: Sending) -> dict[str, Any]:
    version, guest = booking.versions[sending.version], booking.guest
    facts = version.facts
    kind = "cancelled" if facts.status == "cancelled" else "updated" if sending.version else "created"
    return {
        "type": f"reservation.{kind}",
        "data": {
            "id": booking.ref,
            "code": booking.code,
            "property": place.ref,
            "status": facts.status,
            "arrival": facts.arrival.isoformat(),
            "departure": facts.departure.isoformat(),
            "check_in": facts.check_in,
            "check_out": facts.check_out,
            "guest": {"name": guest.name, "phone": guest.phone if facts.phone else None, "email": guest.email},
            "updated_at": version.at.isoformat(),
        },
    }


_CATEGORY = {"confirmed": "accepted", "cancelled": "cancelled", "pending": "request"}


def _hospitable(place: Place, booking: Booking, sending: Sending) -> dict[str, Any]:
    version = booking.versions[sending.version]
    facts, guest = version.facts, booking.guest
    first, _, last = guest.name.partition(" ")
    return {
        "id": sending.id,
        "action": "reservation.changed" if sending.version else "reservation.created",
        "version": "v2",
        "created": version.at.isoformat(),
        "data": {
            "id": booking.ref,
            "code": booking.code,
            "arrival_date": _moment(place, facts, facts.arrival, "00:00"),
            "departure_date": _moment(place, facts, facts.departure, "00:00"),
            "check_in": _moment(place, facts, facts.arrival, facts.check_in or place.check_in),
            "check_out": _moment(place, facts, facts.departure, facts.check_out or place.check_out),
            "reservation_status": {"current": {"category": _CATEGORY[facts.status], "sub_category": facts.status}},
            "properties": [{"id": place.ref, "name": place.name}],
            "guest": {
                "first_name": first,
                "last_name": last,
                "email": guest.email,
                "phone_numbers": [guest.phone] if facts.phone else [],
            },
        },
    }


def _moment(place: Place, _facts: Facts, day: date, at: str) -> str:
    return datetime.combine(day, time.fromisoformat(at), ZoneInfo(place.zone)).isoformat()
