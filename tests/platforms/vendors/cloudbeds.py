"""Cloudbeds: webhooks that nobody signs and that hold ids, API v1.3 with refusals in 200s, and door-lock keys."""

from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery
from lockbridge.platforms import cloudbeds
from tests.platforms.cloud import PretendedCloud, digits
from tests.platforms.vendor import NOW, Booking

STATUSES: dict[str, str] = {
    StayStatus.CONFIRMED: "confirmed",
    StayStatus.PENDING: "not_confirmed",
    StayStatus.CANCELLED: "canceled",
}
"""Cloudbeds' words."""
HAPPENINGS = {
    "created": "reservation/created",
    "changed": "reservation/dates_changed",
    "cancelled": "reservation/status_changed",
}
KEY = "cbat_an-invented-key"
MOST = 100
"""Items to a page at most."""
OPTIONAL = frozenset({"externalId", "keyCode", "status", "rooms", "commonRooms"})
NEEDED = frozenset(
    {"propertyId", "reservationId", "subReservationId", "issuerId", "startDateTime", "endDateTime", "keyType"}
)


def rooms(booking: Booking) -> tuple[str, ...]:
    """A booking that names no room is for the only one of its property."""
    return booking.rooms or (f"{digits(booking.home)}-0",)


def sub(booking: Booking, room: str) -> str:
    return f"{digits(booking.id)}-{rooms(booking).index(room) + 1}"


def guest(booking: Booking) -> dict[str, Any]:
    return {
        "guestID": "8801",
        "guestFirstName": booking.first_name,
        "guestLastName": booking.last_name,
        "guestEmail": booking.email,
        "guestPhone": "",
        "guestCellPhone": booking.phone,
        "isMainGuest": True,
        "assignedRoom": True,
        "rooms": [{"roomID": room, "subReservationID": sub(booking, room)} for room in rooms(booking)],
    }


def reservation(booking: Booking) -> dict[str, Any]:
    """The answer to ``getReservation``."""
    assigned = [
        {
            "subReservationID": sub(booking, room),
            "roomID": room,
            "roomName": f"Room {room}",
            "roomTypeID": "5",
            "startDate": booking.arrival,
            "endDate": booking.departure,
        }
        for room in rooms(booking)
    ]
    data = {
        "propertyID": f"{digits(booking.home)}",
        "reservationID": f"{digits(booking.id)}",
        "guestName": f"{booking.first_name} {booking.last_name}",
        "guestEmail": booking.email,
        "guestList": {"8801": guest(booking)},
        "dateCreated": "2026-05-01 09:00:00",
        "dateModified": f"{_changed(booking):%Y-%m-%d %H:%M:%S}",
        "estimatedArrivalTime": "06:30",
        "source": booking.booked_on,
        "thirdPartyIdentifier": booking.code,
        "status": STATUSES.get(booking.status, booking.status),
        "startDate": booking.arrival,
        "endDate": booking.departure,
        "assigned": assigned,
        "unassigned": [],
    }
    return data | booking.extra


def listed(booking: Booking, asked) -> dict[str, Any]:
    """One of the answers to ``getReservations``: other names, and rooms and guests only when asked for."""
    data = reservation(booking)
    guests = data.pop("guestList")
    found = [
        {
            "subReservationID": room.get("subReservationID"),
            "roomID": room.get("roomID"),
            "roomName": room.get("roomName"),
            "roomCheckIn": room["startDate"],
            "roomCheckOut": room["endDate"],
            "roomStatus": "cancelled" if data["status"] == "canceled" else "not_checked_in",
        }
        for room in (*data.pop("assigned"), *data.pop("unassigned"))
    ]
    data |= {"sourceName": data.pop("source"), "guestID": "8801"}
    del data["guestEmail"], data["estimatedArrivalTime"]
    if asked.get("includeAllRooms") == "true":
        data["rooms"] = found
    if asked.get("includeGuestsDetails") == "true":
        data["guestList"] = guests
    return data


def _changed(booking: Booking) -> datetime:
    return datetime.fromisoformat(booking.changed_at).astimezone(UTC)


class CloudbedsCloud(PretendedCloud):
    """The API. What it does not have it refuses with status 200; keys are dropped and changed with a header only."""

    OWNER = "reservationId"

    def __init__(self, key: str) -> None:
        super().__init__(
            [
                Route("/api/v1.3/getHotels", self._hotels),
                Route("/api/v1.3/getHotelDetails", self._details),
                Route("/api/v1.3/getRooms", self._rooms),
                Route("/api/v1.3/getReservation", self._one),
                Route("/api/v1.3/getReservations", self._list),
                Route("/doorlock/v1/keys", self._keys, methods=["POST", "DELETE"]),
                Route("/doorlock/v1/keys/{id}", self._key_or_list, methods=["GET", "PATCH"]),
            ]
        )
        self._key = key
        self.is_closed = False
        """The property is no longer a customer: status 200, ``success: false``."""
        self.may_use_keys = True

    def code_of(self, booking_id: str) -> str | None:
        ref = f"{digits(booking_id)}"
        mine = [each["keyCode"] for each in self.codes.values() if each["reservationId"] == ref]
        assert len(mine) <= 1
        return mine[0] if mine else None

    def refusal(self, request: Request, raw: bytes) -> Response | None:
        if self.is_revoked or request.headers.get("x-api-key") != self._key:
            return JSONResponse({"error": "access_denied", "message": "The resource owner denied the request."}, 401)
        if request.url.path.startswith("/doorlock") and not self.may_use_keys:
            return JSONResponse({"message": "Forbidden"}, 403)
        if self.is_closed and not request.url.path.startswith("/doorlock"):
            return _no("The property(ies) you are accessing have an invalid status.")
        return None

    def _homes(self) -> list[str]:
        return sorted({f"{digits(booking.home)}" for booking in self.bookings.values()})

    async def _hotels(self, request: Request) -> Response:
        hotels = [
            {"propertyID": home, "propertyName": f"Hotel {home}", "propertyTimezone": ZONE} for home in self._homes()
        ]
        return _paged(request, hotels)

    async def _details(self, request: Request) -> Response:
        policy = {"propertyCheckInTime": "15:00:00", "propertyCheckOutTime": "10:00"}
        return _yes({"propertyAddress": {"propertyCountry": "US"}, "propertyPolicy": policy})

    async def _rooms(self, request: Request) -> Response:
        home = request.query_params["propertyIDs"]
        mine = [booking for booking in self.bookings.values() if f"{digits(booking.home)}" == home]
        found = sorted({room for booking in mine for room in rooms(booking)})
        page = _slice(request, [{"roomID": room, "roomName": f"Room {room}"} for room in found])
        return JSONResponse({"success": True, "data": [{"propertyID": home, "rooms": page}], "count": 1, "total": 1})

    async def _one(self, request: Request) -> Response:
        ref = request.query_params["reservationID"]
        booking = self.bookings.get(int(ref)) if ref.isdecimal() else None
        return _no("Reservation not found.") if booking is None else _yes(reservation(booking))

    async def _list(self, request: Request) -> Response:
        asked = request.query_params
        if any("T" in value for name, value in asked.items() if name.startswith("modified")):
            return _no("Invalid Parameter modifiedFrom")
        return _paged(request, [listed(each, asked) for each in self.bookings.values() if _matches(each, asked)])

    async def _keys(self, request: Request) -> Response:
        if request.method == "DELETE":
            wanted = [int(each) for each in request.query_params["keyIds"].split(",")]
            if "x-property-id" not in request.headers or not set(wanted) <= set(self.codes):
                return JSONResponse({"message": "Not found"}, 404)
            for number in wanted:
                del self.codes[number]
            return Response(status_code=204)
        body = await request.json()
        if not NEEDED <= set(body) <= NEEDED | OPTIONAL or body["keyType"] not in {"access_code", "key_card"}:
            return JSONResponse({"message": "Bad request"}, 400)
        if not body["reservationId"].isdecimal() or int(body["reservationId"]) not in self.bookings:
            return JSONResponse({"message": "Not found"}, 404)
        key = {"rooms": [], "commonRooms": [], "keyCode": None, "status": "processing", **body}
        return JSONResponse({"keyId": f"{self.keep(key)}", **key, "createdAt": "2026-05-20T12:00:00+00:00"}, 201)

    async def _key_or_list(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"data": [self._held(request)]})
        held = self.codes.get(int(request.path_params["id"]))
        if held is None or "x-property-id" not in request.headers:
            return JSONResponse({"message": "Not found"}, 404)
        body = await request.json()
        if not self.ignores_codes:
            held |= {name: body[name] for name in ("status", "keyCode", "errorMessage") if name in body}
        return JSONResponse({"keyId": request.path_params["id"], **held})

    def _held(self, request: Request) -> list[dict[str, Any]]:
        wanted = {"propertyId": request.path_params["id"], **request.query_params}
        return [
            {"keyId": f"{number}", **each, "createdAt": f"2026-05-20T12:00:{number % 60:02}+00:00"}
            for number, each in self.codes.items()
            if all(each[name] == value for name, value in wanted.items())
        ]


ZONE = "America/New_York"


def _yes(data: Any) -> Response:
    return JSONResponse({"success": True, "data": data})


def _no(message: str) -> Response:
    return JSONResponse({"success": False, "message": message})


def _slice(request: Request, items: list[dict]) -> list[dict]:
    page, size = (int(request.query_params.get(name, usual)) for name, usual in (("pageNumber", 1), ("pageSize", 20)))
    assert 1 <= size <= MOST
    return items[(page - 1) * size : page * size]


def _paged(request: Request, items: list[dict]) -> Response:
    page = _slice(request, items)
    return JSONResponse({"success": True, "data": page, "count": len(page), "total": len(items)})


def _matches(booking: Booking, asked) -> bool:
    if reservation(booking)["status"] != asked.get("status", reservation(booking)["status"]):
        return False
    changed = f"{_changed(booking):%Y-%m-%d %H:%M:%S}"
    return (
        changed >= asked.get("modifiedFrom", "")
        and booking.arrival <= asked.get("checkInTo", "9999-12-31")
        and booking.departure >= asked.get("checkOutFrom", "")
    )


class Cloudbeds:
    """The vendor."""

    platform = cloudbeds.PLATFORM
    secret = "an-invented-part-of-an-address-1"
    other_secret = "an-invented-part-of-an-address-2"
    settings = {"key": KEY}  # noqa: RUF012 - never changed
    ways_to_block = (Booking(status=StayStatus.PENDING),)
    ways_to_wait = (Booking(status=StayStatus.PENDING),)
    ways_to_cancel = (Booking(happening="cancelled", status=StayStatus.CANCELLED),)
    ways_without_guest = (
        Booking(extra={"guestName": None, "guestEmail": None, "guestList": None}),
        Booking(extra={"guestName": "", "guestEmail": "", "guestList": {}}),
    )
    hints_only = True
    says = frozenset(("phone", "email", "platform_guest", "rooms", "code"))

    def body(self, booking: Booking) -> bytes:
        moment = 1779278340.431234 + digits(booking.event_id)
        event = {
            "version": "1.0",
            "event": HAPPENINGS.get(booking.happening, booking.happening),
            "timestamp": moment,
            "propertyID": digits(booking.home),
            "propertyID_str": f"{digits(booking.home)}",
            "reservationID": f"{digits(booking.id)}",
            "startDate": booking.arrival,
            "endDate": booking.departure,
        }
        return orjson.dumps(event)

    def delivery(self, body: bytes, secret: str | None = None) -> Delivery:
        return Delivery(headers={}, body=body, received_at=NOW, url_token=secret or self.secret)

    def external_id(self, booking: Booking, room: str | None = None) -> str:
        return sub(booking, room or rooms(booking)[0])

    def ref(self, booking: Booking) -> str:
        return f"{digits(booking.id)}"

    def home(self, booking: Booking, room: str | None = None) -> str:
        return f"{digits(booking.home)}:{room or rooms(booking)[0]}"

    def cloud(self) -> CloudbedsCloud:
        return CloudbedsCloud(KEY)


VENDOR = Cloudbeds()
