"""A make-believe Lodgify, as told by docs.lodgify.com, its OpenAPI, and what integrations that run have seen.

Webhooks come wrapped in a list. The list of bookings leaves out the bin unless asked for it; a body with other fields
than the right ones is answered with 200 and keeps nothing; so is a message of the wrong type, and an error.
"""

from typing import Any, ClassVar

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge import signatures
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery
from lockbridge.platforms import lodgify
from tests.platforms.cloud import PretendedApi, digits
from tests.platforms.vendor import NOW, Booking

EVENTS = {
    "created": "booking_new_any_status",
    "changed": "booking_change",
    "cancelled": "booking_status_change_declined",
}
STATUSES = {StayStatus.CONFIRMED: "Booked", StayStatus.PENDING: "Tentative", StayStatus.CANCELLED: "Declined"}
SOURCES = {"airbnb": "AirbnbIntegration", "booking.com": "BookingCom", "direct": "Manual"}
KEY = "an-invented-key-of-lodgify"
MOST = 50
"""Items to a page."""
JSON_TYPES = frozenset({"application/json", "application/json-patch+json", "text/json"})


def usual_room(home: str) -> int:
    """The only room type of a property that nothing else is said of."""
    return 90_000 + digits(home)


def room_types(booking: Booking) -> list[int]:
    return [digits(room) for room in booking.rooms] or [usual_room(booking.home)]


def status_of(booking: Booking) -> str:
    return "Declined" if booking.happening == "cancelled" else STATUSES.get(booking.status, str(booking.status))


def told(booking: Booking) -> dict[str, Any]:
    """The booking in a webhook."""
    return {
        "type": "Booking",
        "id": digits(booking.id),
        "date_arrival": f"{booking.arrival}T00:00:00",
        "date_departure": f"{booking.departure}T00:00:00",
        "date_created": "2026-05-20T11:58:00+00:00",
        "property_id": digits(booking.home),
        "status": status_of(booking),
        "room_types": [{"id": 1, "room_type_id": room, "name": "", "people": 2} for room in room_types(booking)],
        "add_ons": [],
        "currency_code": "EUR",
        "source": SOURCES.get(booking.booked_on, "Other"),
        "source_text": booking.code,
        "language": "en",
        "nights": 2,
    } | booking.extra


def kept(booking: Booking) -> dict[str, Any]:
    """The booking in the API."""
    rooms = [{"room_type_id": room, "people": 2, "key_code": ""} for room in room_types(booking)]
    return {
        "id": digits(booking.id),
        "user_id": 17,
        "arrival": booking.arrival,
        "departure": booking.departure,
        "property_id": digits(booking.home),
        "status": status_of(booking),
        "rooms": rooms,
        "guest": {
            "name": f"{booking.first_name} {booking.last_name}",
            "email": booking.email,
            "phone": booking.phone,
            "country_code": "US",
        },
        "check_in": {"time": "18:23:00", "initiator": "Owner"},
        "check_out": None,
        "is_deleted": False,
        "source": SOURCES.get(booking.booked_on, "Other"),
        "source_text": booking.code,
        "language": "en",
        "created_at": "2026-05-20T11:58:00+00:00",
        "updated_at": booking.changed_at,
        "canceled_at": None,
        "thread_uid": f"00000000-0000-4000-8000-{digits(booking.id):012}",
    } | booking.extra


def error(status: int, code: str) -> Response:
    return JSONResponse({"code": code, "message": "invented", "correlation_id": "c-1"}, status)


class Cloud(PretendedApi):
    """The API of one account."""

    def __init__(self) -> None:
        one = "/v2/reservations/bookings/{id:int}"
        super().__init__(
            [
                Route("/v2/properties", self._properties),
                Route("/v2/reservations/bookings", self._list),
                Route(one, self._one),
                Route(f"{one}/keyCodes", self._key_codes, methods=["PUT"]),
                Route("/v1/reservation/booking/{id:int}/messages", self._message, methods=["POST"]),
                Route("/v2/messaging/{thread}", self._thread),
            ]
        )
        self.bookings: dict[int, dict[str, Any]] = {}
        self.rooms: dict[int, dict[int, str]] = {}
        """Room types and their names, by property."""
        self.threads: dict[int, list[dict[str, Any]]] = {}
        self.closed: set[int] = set()
        """Bookings whose threads take no messages."""
        self.key: str | None = KEY

    @property
    def queries(self) -> list[dict[str, str]]:
        return [dict(each.query_params) for each in self.seen]

    # -- what tests do ---------------------------------------------------------------------------------------------

    def put(self, booking: Booking) -> None:
        made = kept(booking)
        before = self.bookings.get(made["id"], {"rooms": []})
        codes = {room["room_type_id"]: room["key_code"] for room in before["rooms"] or ()}
        for room in made["rooms"] or ():
            room["key_code"] = codes.get(room["room_type_id"], "")
        self.bookings[made["id"]] = made
        rooms = self.rooms.setdefault(digits(booking.home), {})
        rooms.update({room: f"Room {room}" for room in room_types(booking)})

    def drop(self, booking_id: str) -> None:
        del self.bookings[digits(booking_id)]

    def code_of(self, booking_id: str) -> str | None:
        rooms = self.bookings[digits(booking_id)]["rooms"]
        return " ".join(room["key_code"] for room in rooms if room["key_code"]) or None

    def messages_of(self, booking_id: str) -> list[str]:
        thread = self.threads.get(digits(booking_id), [])
        return [each["message"] for each in thread if each["type"] == "Owner" and each["message_status"] == "Delivered"]

    def revoke(self) -> None:
        self.key = None

    # -- what it answers -------------------------------------------------------------------------------------------

    def refusal(self, request: Request, raw: bytes) -> Response | None:
        return None if request.headers.get("x-apikey") == self.key else error(401, "NotAuthorized")

    def failing(self, status: int) -> Response:
        return error(status, "Unknown")

    async def _properties(self, request: Request) -> Response:
        items = [
            {
                "id": home,
                "name": f"House {home}",
                "internal_name": f"H{home}",
                "country": "Portugal",
                "country_code": "PT",
                "rooms": [{"id": room, "name": name} for room, name in rooms.items()],
                "is_active": True,
            }
            for home, rooms in self.rooms.items()
        ]
        return _page(request, items)

    async def _list(self, request: Request) -> Response:
        asked = request.query_params
        if asked.get("stayFilter") != "All":
            return error(400, "ArgumentError")
        in_bin = {"True": {True}, "All": {True, False}}.get(asked.get("trash", ""), {False})
        since = asked.get("updatedSince", "")
        items = [
            each for each in self.bookings.values() if each["is_deleted"] in in_bin and each["updated_at"] >= since
        ]
        return _page(request, items)

    async def _one(self, request: Request) -> Response:
        found = self.bookings.get(request.path_params["id"])
        return error(404, "NotFound") if found is None else JSONResponse(found)

    async def _key_codes(self, request: Request) -> Response:
        found = self.bookings.get(request.path_params["id"])
        if found is None:
            return error(404, "NotFound")
        if request.headers.get("content-type") not in JSON_TYPES:
            return error(415, "ArgumentError")
        written = (await request.json()).get("rooms") or []
        codes = {room["room_type_id"]: room["key_code"] for room in written}
        if not codes.keys() <= {room["room_type_id"] for room in found["rooms"]}:
            return error(404, "NotFound")
        if not self.ignores_codes:
            for room in found["rooms"]:
                room["key_code"] = codes.get(room["room_type_id"], room["key_code"])
        return JSONResponse({"rooms": written})

    async def _message(self, request: Request) -> Response:
        number = request.path_params["id"]
        if number not in self.bookings:
            return error(404, "NotFound")
        thread = self.threads.setdefault(number, [])
        for each in await request.json():
            if number in self.closed or each["message_id"] in {other["message_id"] for other in thread}:
                return JSONResponse({"success": False, "type": "domain_exception", "statusCode": "400"})
            if each["type"] == "Owner":
                status = "Delivered" if each["send_notification"] else "Unknown"
                moment = f"2026-05-20T12:{len(thread):02}:00+00:00"
                thread.append({**each, "id": len(thread), "message_status": status, "date_created": moment})
        return JSONResponse(None)

    async def _thread(self, request: Request) -> Response:
        by_thread = {each["thread_uid"]: number for number, each in self.bookings.items()}
        number = by_thread.get(request.path_params["thread"])
        if number is None:
            return error(404, "NotFound")
        newest_first = self.threads.get(number, [])[::-1]
        return JSONResponse([{"is_closed": number in self.closed, "messages": newest_first}])


def _page(request: Request, items: list[Any]) -> Response:
    number, size = (int(request.query_params.get(name, usual)) for name, usual in (("page", 1), ("size", MOST)))
    size = min(size, MOST)
    return JSONResponse({"count": None, "items": items[(number - 1) * size : number * size]})


class Lodgify:
    """The vendor."""

    platform = lodgify.PLATFORM
    secret = "an-invented-secret-of-a-subscription"
    other_secret = "an-invented-secret-of-another-one"
    settings: ClassVar[dict[str, str]] = {"api_key": KEY}
    ways_to_block = (Booking(status="Open"),)
    ways_to_wait = (Booking(status=StayStatus.PENDING), Booking(status="Open"))
    ways_to_cancel = (
        Booking(happening="cancelled"),
        Booking(happening="changed", status=StayStatus.CANCELLED),
        Booking(happening="changed", extra={"is_deleted": True}),
    )
    hints_only = False
    says = frozenset(("phone", "email", "language", "rooms", "code"))
    required = ("id", "property_id", "date_arrival", "date_departure")

    def body(self, booking: Booking) -> bytes:
        guest = {
            "uid": "AJgB4711",
            "name": f"{booking.first_name} {booking.last_name}",
            "email": booking.email,
            "phone_number": booking.phone,
            "country": None,
            "country_code": None,
        }
        event = {
            "action": EVENTS.get(booking.happening, booking.happening),
            "booking": told(booking),
            "guest": guest,
            "current_order": {"id": digits(booking.event_id), "status": "Agreed"},
            "balance_due": "0",
        }
        return orjson.dumps([event])

    def delivery(self, body: bytes, secret: str | None = None) -> Delivery:
        signature = signatures.hmac_hex_digest(secret or self.secret, body)
        return Delivery(headers={"ms-signature": f"sha256={signature}"}, body=body, received_at=NOW)

    def external_id(self, booking: Booking, room: str | None = None) -> str:
        return self.ref(booking) if room is None else f"{self.ref(booking)}:{digits(room)}"

    def ref(self, booking: Booking) -> str:
        return str(digits(booking.id))

    def home(self, booking: Booking, room: str | None = None) -> str:
        return f"{digits(booking.home)}:{usual_room(booking.home) if room is None else digits(room)}"

    def cloud(self) -> Cloud:
        return Cloud()


VENDOR = Lodgify()
