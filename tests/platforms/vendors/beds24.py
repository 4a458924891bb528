"""A make-believe Beds24, as told by its OpenAPI (``apiV2.yaml``), its wiki, and what integrations that run have seen.

The list of bookings hides what is cancelled unless the status is asked for by name, and what has begun unless a first
day is; links to next pages lead nowhere; an info item without an id is one more item, each time.
"""

from typing import Any, ClassVar

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery
from lockbridge.platforms import beds24
from tests.platforms.cloud import PretendedApi, digits
from tests.platforms.vendor import NOW, Booking

STATUSES = {
    StayStatus.CONFIRMED: "new",
    StayStatus.PENDING: "request",
    StayStatus.CANCELLED: "cancelled",
    StayStatus.BLOCKED: "black",
}
HAPPENINGS = frozenset(("created", "changed", "cancelled"))
UNLESS_ASKED = ("confirmed", "request", "new", "black", "inquiry")
BASE = "/api/v2"
REFRESH, INVITE = "an-invented-refresh-token", "an-invented-invite-code"
CODE = "ACCESS_CODE"
PAGE = 100
WITH_MESSAGES = frozenset(("airbnb", "booking", "expedia", "vrbo"))


def room_of(home: str) -> int:
    """The room of a property with one room."""
    return 600_000 + digits(home)


def kept(booking: Booking) -> dict[str, Any]:
    """The booking, in the API as in webhooks."""
    status = "cancelled" if booking.happening == "cancelled" else STATUSES.get(booking.status, str(booking.status))
    return {
        "id": digits(booking.id),
        "bookingGroup": None,
        "masterId": None,
        "propertyId": digits(booking.home),
        "roomId": room_of(booking.home),
        "unitId": 1,
        "roomQty": 1,
        "status": status,
        "subStatus": "none",
        "statusCode": 0,
        "arrival": booking.arrival,
        "departure": booking.departure,
        "numAdult": 2,
        "numChild": 0,
        "title": "",
        "firstName": booking.first_name,
        "lastName": booking.last_name,
        "email": booking.email,
        "phone": booking.phone,
        "mobile": "",
        "country2": "US",
        "arrivalTime": "about 06:30",
        "lang": "en",
        "channel": booking.booked_on,
        "apiSource": booking.booked_on.title(),
        "apiReference": booking.code,
        "reference": "",
        "bookingTime": "2026-05-20T11:58:00Z",
        "modifiedTime": booking.changed_at,
        "cancelTime": None,
        "price": 320,
    } | booking.extra


def refusal(status: int, text: str) -> Response:
    return JSONResponse({"success": False, "type": "error", "code": status, "error": text}, status)


def done(*, success: bool) -> dict[str, Any]:
    """What becomes of one item of a POST."""
    return {"success": True, "modified": {}} if success else {"success": False, "errors": [{"message": "invented"}]}


class Cloud(PretendedApi):
    """The API of one account."""

    SIGN_INS = frozenset((f"{BASE}/authentication/token", f"{BASE}/authentication/setup"))

    def __init__(self) -> None:
        super().__init__(
            [
                Route(f"{BASE}/authentication/token", self._token),
                Route(f"{BASE}/authentication/setup", self._setup),
                Route(f"{BASE}/properties", self._properties),
                Route(f"{BASE}/bookings", self._list),
                Route(f"{BASE}/bookings", self._change, methods=["POST"]),
                Route(f"{BASE}/bookings/messages", self._written),
                Route(f"{BASE}/bookings/messages", self._write, methods=["POST"]),
            ]
        )
        self.bookings: dict[int, dict[str, Any]] = {}
        self.items: dict[int, list[dict[str, Any]]] = {}
        """Info items, by booking."""
        self.messages: list[dict[str, Any]] = []
        self.refresh_tokens, self.invites = {REFRESH}, {INVITE}
        self.rate: tuple[str | None, str] = ("98.4", "120")
        """Credits left, and for how many seconds."""
        self.units = 1
        """Of each room."""

    @property
    def queries(self) -> list[QueryParams]:
        """Those of all requests but sign-ins."""
        return [each.query_params for each in self.seen if each.url.path not in self.SIGN_INS]

    # -- what tests do ---------------------------------------------------------------------------------------------

    def put(self, booking: Booking) -> None:
        self.bookings[digits(booking.id)] = kept(booking)

    def drop(self, booking_id: str) -> None:
        del self.bookings[digits(booking_id)]

    def code_of(self, booking_id: str) -> str | None:
        items = self.items.get(digits(booking_id), [])
        return " ".join(item["text"] for item in items if item["code"] == CODE) or None

    def messages_of(self, booking_id: str) -> list[str]:
        number = digits(booking_id)
        return [each["message"] for each in self.messages if each["bookingId"] == number and each["source"] == "host"]

    def revoke(self) -> None:
        self.refresh_tokens.clear()
        self.invites.clear()
        self.tokens.clear()

    # -- signing in ------------------------------------------------------------------------------------------------

    async def _token(self, request: Request) -> Response:
        if request.headers.get("refreshtoken") not in self.refresh_tokens:
            return refusal(400, "Refresh token not valid")
        return JSONResponse({"token": self.new_token("an-invented-token"), "expiresIn": 86400})

    async def _setup(self, request: Request) -> Response:
        code = request.headers.get("code", "")
        if code not in self.invites:
            return refusal(400, "Invite code not valid")
        self.invites.discard(code)
        return JSONResponse({"token": self.new_token("an-invented-token"), "expiresIn": 86400, "refreshToken": REFRESH})

    def refusal(self, request: Request, raw: bytes) -> Response | None:
        return None if request.headers.get("token") in self.tokens else refusal(401, "Token not valid")

    def failing(self, status: int) -> Response:
        return refusal(status, "invented")

    def finished(self, response: Response) -> Response:
        left, seconds = self.rate
        response.headers.update({"x-request-cost": "1.6", "x-five-min-limit-resets-in": seconds})
        if left is not None:
            response.headers["x-five-min-limit-remaining"] = left
        return response

    # -- bookings --------------------------------------------------------------------------------------------------

    async def _properties(self, request: Request) -> Response:
        homes = dict.fromkeys((each["propertyId"], each["roomId"]) for each in self.bookings.values())
        items = [
            {
                "id": home,
                "name": f"House {home}",
                "country": "PT",
                "checkInStart": "15:00",
                "checkInEnd": "22:00",
                "checkOutEnd": "10:30",
                "roomTypes": [self._room(home, room)]
                if request.query_params.get("includeAllRooms") == "true"
                else None,
            }
            for home, room in homes
        ]
        return _page(request, "property", items)

    def _room(self, home: int, room: int) -> dict[str, Any]:
        units = [{"id": number, "name": f"No. {number}"} for number in range(1, self.units + 1)]
        return {"id": room, "propertyId": home, "name": "Whole house", "qty": self.units, "units": units}

    async def _list(self, request: Request) -> Response:
        asked = request.query_params
        items = [dict(each) for each in self.bookings.values() if _is_asked_for(each, asked)]
        if asked.get("includeInfoItems") == "true":
            items = [{**each, "infoItems": self.items.get(each["id"], [])} for each in items]
        return _page(request, "booking", items)

    async def _change(self, request: Request) -> Response:
        return JSONResponse([self._changed(each) for each in await request.json()], 201)

    def _changed(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if wanted.get("id") not in self.bookings:
            return done(success=False)
        items = self.items.setdefault(wanted["id"], [])
        for item in [] if self.ignores_codes else wanted.get("infoItems", ()):
            if "id" not in item:
                items.append({"id": next(self.numbers), "bookingId": wanted["id"], **item})
                continue
            (there,) = (each for each in items if each["id"] == item["id"])
            there.update(item)
            if item.keys() == {"id"}:
                items.remove(there)
        return done(success=True)

    # -- messages --------------------------------------------------------------------------------------------------

    async def _written(self, request: Request) -> Response:
        asked = request.query_params
        sources = asked.getlist("source") or ["host", "guest", "system", "internalNote"]
        items = [
            each
            for each in self.messages
            if str(each["bookingId"]) == asked.get("bookingId") and each["source"] in sources
        ]
        return _page(request, "message", items[::-1])

    async def _write(self, request: Request) -> Response:
        return JSONResponse([self._message(each) for each in await request.json()], 201)

    def _message(self, wanted: dict[str, Any]) -> dict[str, Any]:
        booking = self.bookings.get(wanted["bookingId"], {})
        if booking.get("channel") not in WITH_MESSAGES:
            return done(success=False)
        moment = f"2026-05-20T12:{len(self.messages):02}:00Z"
        self.messages.append({"id": next(self.numbers), "source": "host", "time": moment, "read": True, **wanted})
        return done(success=True)


def _is_asked_for(booking: dict[str, Any], asked: QueryParams) -> bool:
    if asked.get("id", str(booking["id"])) != str(booking["id"]):
        return False
    hidden = {*STATUSES.values(), *UNLESS_ASKED}.difference(asked.getlist("status") or UNLESS_ASKED)
    if booking["status"] in hidden:
        return False
    if booking["modifiedTime"] <= asked.get("modifiedFrom", ""):
        return False
    first, last = asked.get("arrivalFrom", f"{NOW:%Y-%m-%d}"), asked.get("arrivalTo", "9")
    return first < booking["arrival"] < last and booking["departure"] > asked.get("departureFrom", "")


def _page(request: Request, kind: str, items: list[Any]) -> Response:
    number = int(request.query_params.get("page", 1))
    shown = items[(number - 1) * PAGE : number * PAGE]
    pages = {"nextPageExists": len(items) > number * PAGE, "nextPageLink": "http://127.0.0.1:9/api/v2/elsewhere"}
    return JSONResponse({"success": True, "type": kind, "count": len(shown), "pages": pages, "data": shown})


class Beds24:
    """The vendor."""

    platform = beds24.PLATFORM
    secret = "an invented text of the host's choice"
    other_secret = "another invented text"
    settings: ClassVar[dict[str, str]] = {"refresh_token": REFRESH}
    ways_to_block = (Booking(status=StayStatus.BLOCKED), Booking(status="inquiry"))
    ways_to_wait = (Booking(status=StayStatus.PENDING), Booking(status="inquiry"))
    ways_to_cancel = (
        Booking(happening="cancelled"),
        Booking(happening="changed", status=StayStatus.CANCELLED, extra={"subStatus": "cancelledByGuest"}),
    )
    hints_only = False
    says = frozenset(("phone", "email", "language", "changed_at", "code"))
    required = ("id", "propertyId", "roomId", "arrival", "departure")
    ways_without_guest = (
        Booking(extra=dict.fromkeys(("firstName", "lastName", "phone", "mobile", "email"))),
        Booking(extra=dict.fromkeys(("firstName", "lastName", "phone", "mobile", "email"), "")),
    )

    def body(self, booking: Booking) -> bytes:
        if booking.happening not in HAPPENINGS:
            return orjson.dumps({"roomId": "1", "propId": "2", "ownerId": "3", "action": booking.happening})
        event = {
            "timeStamp": "2026-05-20T12:00:00Z",
            "booking": kept(booking),
            "infoItems": [],
            "invoiceItems": [{"id": digits(booking.event_id), "type": "charge"}],
            "messages": [],
            "retries": 0,
        }
        return orjson.dumps(event)

    def delivery(self, body: bytes, secret: str | None = None) -> Delivery:
        return Delivery(headers={"x-lockbridge-secret": secret or self.secret}, body=body, received_at=NOW)

    def external_id(self, booking: Booking, room: str | None = None) -> str:
        return str(digits(booking.id))

    def ref(self, booking: Booking) -> str:
        return str(digits(booking.id))

    def home(self, booking: Booking, room: str | None = None) -> str:
        return f"{digits(booking.home)}:{room_of(booking.home)}"

    def cloud(self) -> Cloud:
        return Cloud()


VENDOR = Beds24()
