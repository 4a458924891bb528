"""OwnerRez: webhooks behind HTTP Basic, and the API v2 with its defaults."""

import base64
from datetime import UTC, date, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery
from lockbridge.platforms import ownerrez
from tests.platforms.cloud import PretendedCloud, digits
from tests.platforms.vendor import NOW, Booking

STATUSES: dict[str, str] = {
    StayStatus.CONFIRMED: "active",
    StayStatus.PENDING: "pending",
    StayStatus.CANCELLED: "canceled",
}
"""OwnerRez' words."""
HAPPENINGS = {"created": "entity_insert", "changed": "entity_update", "cancelled": "entity_update"}
PAGE, MOST = 20, 100
"""Items to a page: unless told otherwise, and at most."""
DOOR_CODE = 77
"""The custom field for the door code."""


def entity(booking: Booking) -> dict[str, Any]:
    """The booking, as webhooks and the API write it with ``include_guest``."""
    guest = {
        "id": 123,
        "first_name": booking.first_name,
        "last_name": booking.last_name,
        "phones": [{"id": 1, "is_default": True, "number": booking.phone}] if booking.phone is not None else [],
        "email_addresses": [{"id": 2, "is_default": True, "address": booking.email}] if booking.email else [],
    }
    data = {
        "id": digits(booking.id),
        "property_id": digits(booking.home),
        "property": {"id": digits(booking.home), "name": "Lake House"},
        "guest_id": 123,
        "guest": guest,
        "arrival": booking.arrival,
        "departure": booking.departure,
        "check_in": booking.check_in,
        "check_in_end": "22:00",
        "check_out": booking.check_out,
        "status": STATUSES.get(booking.status, booking.status),
        "type": "booking",
        "is_block": False,
        "listing_site": booking.booked_on,
        "platform_reservation_number": booking.code,
        "adults": 2,
        "booked_utc": "2026-05-01T09:00:00Z",
        "created_utc": "2026-05-01T09:00:00Z",
        "updated_utc": booking.changed_at,
    }
    return data | booking.extra


class OwnerRezCloud(PretendedCloud):
    """The API. Lists need ``since_utc`` or ``property_ids`` and leave out canceled bookings unless asked for them."""

    OWNER = "entity_id"

    def __init__(self, credentials: str, field: int = DOOR_CODE) -> None:
        super().__init__(
            [
                Route("/v2/properties", self._properties),
                Route("/v2/bookings", self._list),
                Route("/v2/bookings/{id}", self._one),
                Route("/v2/fields", self._fields, methods=["GET", "POST"]),
                Route("/v2/fields/{id:int}", self._field, methods=["PATCH", "DELETE"]),
            ]
        )
        self._credentials = credentials
        self._definition = field
        self.may_use_fields = True

    def code_of(self, booking_id: str) -> str | None:
        mine = [each["value"] for each in self.codes.values() if each["entity_id"] == digits(booking_id)]
        return mine[0] if mine else None

    def refusal(self, request: Request, raw: bytes) -> Response | None:
        if request.headers.get("user-agent", "").startswith("python"):
            return JSONResponse({"status": 403, "message": "A User-Agent is required"}, 403)
        encoded = base64.b64encode(self._credentials.encode()).decode()
        if self.is_revoked or request.headers.get("authorization") != f"Basic {encoded}":
            return JSONResponse({"status": 401, "message": "Unauthorized"}, 401)
        if request.url.path.startswith("/v2/fields") and not self.may_use_fields:
            return JSONResponse({"status": 403, "message": "Forbidden"}, 403)
        return None

    async def _properties(self, request: Request) -> Response:
        homes = sorted({digits(booking.home) for booking in self.bookings.values()})
        return _paged(request, [_home(home) for home in homes])

    async def _list(self, request: Request) -> Response:
        asked = request.query_params
        if not asked.get("since_utc") and not asked.get("property_ids"):
            return JSONResponse({"status": 400, "message": "since_utc or property_ids is required"}, 400)
        found = [entity(booking) for booking in self.bookings.values()]
        return _paged(request, [_shown(each, asked) for each in found if _matches(each, asked)])

    async def _one(self, request: Request) -> Response:
        ref = request.path_params["id"]
        booking = self.bookings.get(int(ref)) if ref.isdecimal() else None
        if booking is None:
            return JSONResponse({"status": 404, "message": "Not found"}, 404)
        return JSONResponse(_shown(entity(booking), request.query_params))

    async def _fields(self, request: Request) -> Response:
        if request.method == "GET":
            asked = request.query_params
            mine = [
                {"id": number, **each}
                for number, each in self.codes.items()
                if each["entity_type"] == asked["entity_type"] and each["entity_id"] == int(asked["entity_id"])
            ]
            other = {"id": 1, "field_definition_id": 5, "entity_type": "booking", "value": "late arrival"}
            return _paged(request, [other, *mine])
        body = await request.json()
        if body["entity_id"] not in self.bookings:
            return JSONResponse({"status": 404, "message": "Not found"}, 404)
        taken = {(each["field_definition_id"], each["entity_id"]) for each in self.codes.values()}
        if body["field_definition_id"] != self._definition or (self._definition, body["entity_id"]) in taken:
            return JSONResponse({"status": 400, "message": "Bad request"}, 400)
        return JSONResponse({"id": self.keep(body), **body})

    async def _field(self, request: Request) -> Response:
        held = self.codes.get(request.path_params["id"])
        if held is None:
            return JSONResponse({"status": 404, "message": "Not found"}, 404)
        if request.method == "DELETE":
            del self.codes[request.path_params["id"]]
            return Response(status_code=204)
        value = (await request.json())["value"]
        if not self.ignores_codes:
            held["value"] = value
        return JSONResponse({**held, "value": value})


def _home(home: int) -> dict[str, Any]:
    return {
        "id": home,
        "key": "abc123",
        "name": f"House {home}",
        "active": True,
        "check_in": "16:00",
        "check_out": "11:00",
        "address": {"country": "US", "city": "Happytown"},
    }


def _matches(booking: dict[str, Any], asked) -> bool:
    status = asked.get("status")
    if booking["status"] != status and (status or booking["status"] == "canceled"):
        return False
    if since := asked.get("since_utc"):
        return datetime.fromisoformat(booking["updated_utc"]).astimezone(UTC) >= datetime.fromisoformat(since)
    if f"{booking['property_id']}" not in asked["property_ids"].split(","):
        return False
    arrival, departure = (date.fromisoformat(booking[name]) for name in ("arrival", "departure"))
    return arrival <= date.fromisoformat(asked["to"]) and departure >= date.fromisoformat(asked["from"])


def _shown(booking: dict[str, Any], asked) -> dict[str, Any]:
    """Without ``include_guest`` there is a number where the guest would be."""
    return booking if asked.get("include_guest") == "true" else {**booking, "guest": None}


def _paged(request: Request, items: list[dict]) -> Response:
    limit, offset = min(int(request.query_params.get("limit", PAGE)), MOST), int(request.query_params.get("offset", 0))
    page = items[offset : offset + limit]
    more = offset + limit < len(items)
    address = f"/{request.url.path}?limit={limit}&offset={offset + limit}"
    return JSONResponse(
        {"count": len(page), "items": page, "limit": limit, "offset": offset, "next_page_url": address if more else ""}
    )


class OwnerRez:
    """The vendor."""

    platform = ownerrez.PLATFORM
    secret = "orez-hook:an invented: password"
    other_secret = "orez-hook:another invented password"
    settings = {  # noqa: RUF012 - never changed
        "email": "host@example.com",
        "token": "pt_an-invented-token",
        "field_definition_id": f"{DOOR_CODE}",
    }
    ways_to_block = (
        Booking(extra={"is_block": True}),
        Booking(extra={"is_block": True, "type": "block"}),
        Booking(extra={"is_block": True, "type": "linked_availability"}),
        Booking(extra={"type": "quote_hold"}),
        Booking(status=StayStatus.PENDING, extra={"is_block": True, "type": "block", "title": "Hold for HMTEST4711"}),
    )
    ways_to_wait = (Booking(status=StayStatus.PENDING), Booking(extra={"is_block": True, "type": "quote_hold"}))
    ways_to_cancel = (
        Booking(happening="cancelled", status=StayStatus.CANCELLED),
        Booking(happening="changed", status=StayStatus.CANCELLED, extra={"is_block": True, "type": "block"}),
    )
    ways_without_guest = (
        Booking(extra={"guest": None, "guest_id": None}),
        Booking(extra={"guest": {}, "guest_id": None}),
    )
    hints_only = False
    says = frozenset(("check_in", "check_out", "phone", "email", "platform_guest", "changed_at", "code"))

    def body(self, booking: Booking) -> bytes:
        envelope = {
            "id": booking.event_id,
            "user_id": 56789,
            "action": HAPPENINGS.get(booking.happening, booking.happening),
            "entity_type": "booking",
            "entity_id": digits(booking.id),
            "categories": ["dates"],
            "entity": entity(booking),
        }
        return orjson.dumps(envelope)

    def delivery(self, body: bytes, secret: str | None = None) -> Delivery:
        encoded = base64.b64encode((secret or self.secret).encode()).decode()
        return Delivery(headers={"authorization": f"Basic {encoded}"}, body=body, received_at=NOW)

    def external_id(self, booking: Booking, room: str | None = None) -> str:
        return f"{digits(booking.id)}"

    def ref(self, booking: Booking) -> str:
        return f"{digits(booking.id)}"

    def home(self, booking: Booking, room: str | None = None) -> str:
        return f"{digits(booking.home)}"

    def cloud(self) -> OwnerRezCloud:
        return OwnerRezCloud(f"{self.settings['email']}:{self.settings['token']}")


VENDOR = OwnerRez()
