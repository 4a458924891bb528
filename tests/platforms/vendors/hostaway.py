"""A make-believe Hostaway, as told by its API documentation and by what integrations that run have seen.

Numbers are identities, hours are numbers, timestamps have no zone, changes are listed by the day, the last page is an
empty one, a token that has ended is 403, and so is a reservation that may not be changed.
"""

import base64
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery
from lockbridge.platforms import hostaway
from tests.platforms.cloud import PretendedApi, digits
from tests.platforms.vendor import NOW, Booking

EVENTS = {"created": "reservation.created", "changed": "reservation.updated"}
STATUSES = {StayStatus.CONFIRMED: "new", StayStatus.PENDING: "pending", StayStatus.CANCELLED: "cancelled"}
ACCOUNT, API_KEY = "10450", "an-invented-api-key"
WAYS = ("email", "channel", "sms", "whatsapp")
NO_GUEST = dict.fromkeys(
    ("guestName", "guestFirstName", "guestLastName", "guestEmail", "guestExternalAccountId", "phone", "guestLocale")
)


def hour(clock: str | None) -> int | None:
    return None if clock is None else int(clock[:2])


def timestamp(instant: str) -> str:
    """``2026-05-20T11:59:00Z`` in Hostaway's form."""
    return instant.removesuffix("Z").replace("T", " ")


def unit(booking: Booking, room: str) -> dict[str, Any]:
    return {
        "id": 900_000 + digits(room),
        "reservationId": digits(booking.id),
        "listingUnitId": digits(room),
        "guestName": f"{booking.first_name} {booking.last_name}",
        "guestFirstName": booking.first_name,
        "guestLastName": booking.last_name,
    }


def reservation(booking: Booking) -> dict[str, Any]:
    """The reservation, as webhooks have it, and the API with ``includeResources=1``."""
    status = "ownerStay" if booking.owner else STATUSES.get(booking.status, booking.status)
    return {
        "id": digits(booking.id),
        "listingMapId": digits(booking.home),
        "listingName": f"House {booking.home}",
        "channelId": 2018,
        "source": "airbnb",
        "channelName": booking.booked_on,
        "reservationId": f"10450-{digits(booking.home)}-thread1-{digits(booking.id)}",
        "hostawayReservationId": digits(booking.id),
        "isDatesUnspecified": 0,
        "guestName": f"{booking.first_name} {booking.last_name}",
        "guestFirstName": booking.first_name,
        "guestLastName": booking.last_name,
        "guestExternalAccountId": "84497323",
        "guestEmail": booking.email,
        "guestLocale": "en",
        "phone": booking.phone,
        "arrivalDate": booking.arrival,
        "departureDate": booking.departure,
        "checkInTime": hour(booking.check_in),
        "checkOutTime": hour(booking.check_out),
        "nights": 2,
        "totalPrice": 267.5,
        "status": status,
        "confirmationCode": booking.code,
        "doorCode": None,
        "doorCodeVendor": None,
        "doorCodeInstruction": None,
        "reservationUnit": [unit(booking, room) for room in booking.rooms],
        "insertedOn": "2026-05-01 08:00:00",
        "updatedOn": timestamp(booking.changed_at),
        "latestActivityOn": timestamp(booking.changed_at),
    } | booking.extra


def success(result: Any) -> Response:
    return JSONResponse({"status": "success", "result": result})


def fail(status: int, message: str = "invented") -> Response:
    return JSONResponse({"status": "fail", "message": message}, status)


class Cloud(PretendedApi):
    """The API of one account."""

    SIGN_INS = frozenset(("/v1/accessTokens",))

    def __init__(self) -> None:
        one, talk = "/v1/reservations/{id:int}", "/v1/conversations/{id:int}/messages"
        super().__init__(
            [
                Route("/v1/accessTokens", self._sign_in, methods=["POST"]),
                Route("/v1/listings", self._listings),
                Route("/v1/reservations", self._list),
                Route(one, self._one),
                Route(one, self._change, methods=["PUT"]),
                Route(f"{one}/conversations", self._conversations),
                Route(talk, self._messages),
                Route(talk, self._send, methods=["POST"]),
            ]
        )
        self.reservations: dict[int, dict[str, Any]] = {}
        self.codes: dict[int, dict[str, Any]] = {}
        self.messages: dict[int, list[dict[str, Any]]] = {}
        self.silent: set[int] = set()
        """Reservations without a conversation."""
        self.locked: set[int] = set()
        """Reservations that may not be changed."""
        self.wraps_tokens = False
        self._key: str | None = API_KEY

    # -- what tests do ---------------------------------------------------------------------------------------------

    def put(self, booking: Booking) -> None:
        self.reservations[digits(booking.id)] = reservation(booking)

    def drop(self, booking_id: str) -> None:
        del self.reservations[digits(booking_id)]

    def code_of(self, booking_id: str) -> str | None:
        return self.codes.get(digits(booking_id), {}).get("doorCode")

    def messages_of(self, booking_id: str) -> list[str]:
        return [each["body"] for each in self.messages.get(digits(booking_id), []) if not each["isIncoming"]]

    def revoke(self) -> None:
        self._key = None
        self.tokens.clear()

    # -- what it answers -------------------------------------------------------------------------------------------

    async def _sign_in(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if form.get("grant_type") != "client_credentials" or form.get("scope") != "general":
            return fail(400)
        if (form.get("client_id"), form.get("client_secret")) != (ACCOUNT, self._key):
            return fail(401)
        given = {"token_type": "Bearer", "expires_in": 15_897_600, "access_token": self.new_token()}
        return success(given) if self.wraps_tokens else JSONResponse(given)

    def refusal(self, request: Request, raw: bytes) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return None if scheme == "Bearer" and token in self.tokens else fail(403, "Forbidden")

    def failing(self, status: int) -> Response:
        return fail(status)

    async def _listings(self, request: Request) -> Response:
        homes = sorted({each["listingMapId"] for each in self.reservations.values()})
        listings = [
            {
                "id": home,
                "name": "Beautiful and cozy",
                "internalListingName": f"House {home}",
                "countryCode": "US",
                "checkInTimeStart": 15,
                "checkInTimeEnd": 22,
                "checkOutTime": 10,
                "timeZoneName": "America/New_York",
            }
            for home in homes
        ]
        return success(_by_offset(request, listings))

    async def _list(self, request: Request) -> Response:
        asked = request.query_params
        order = sorted(self.reservations.values(), key=lambda each: (str(each["arrivalDate"]), each["id"]))
        found = [_listed(each, asked.get("includeResources") == "1") for each in order if _matches(each, asked)]
        ids = [each["id"] for each in found]
        begin = ids.index(int(asked["afterId"])) + 1 if "afterId" in asked else 0
        return success(found[begin : begin + int(asked.get("limit", "100"))])

    async def _one(self, request: Request) -> Response:
        number = request.path_params["id"]
        found = self.reservations.get(number)
        if found is None:
            return fail(404)
        shown = _listed(found | self.codes.get(number, {}), request.query_params.get("includeResources") == "1")
        return success(shown)

    async def _change(self, request: Request) -> Response:
        number = request.path_params["id"]
        if number not in self.reservations:
            return fail(404)
        if number in self.locked:
            return fail(403, "Invented words about a reservation")
        if not self.ignores_codes:
            self.codes[number] = await request.json()
        return success(self.reservations[number] | self.codes.get(number, {}))

    async def _conversations(self, request: Request) -> Response:
        number = request.path_params["id"]
        if number not in self.reservations:
            return fail(404)
        return success([] if number in self.silent else [{"id": 70_000 + number, "reservationId": number}])

    async def _messages(self, request: Request) -> Response:
        """Only those that have been sent, unless the others are asked for."""
        written = self.messages.get(request.path_params["id"] - 70_000, [])
        all_of_them = request.query_params.get("includeScheduledMessages") == "1"
        shown = [each for each in reversed(written) if all_of_them or each["status"] == "sent"]
        return success(_by_offset(request, shown))

    async def _send(self, request: Request) -> Response:
        sent = await request.json()
        if sent.get("communicationType", "email") not in WAYS or not sent.get("body"):
            return fail(400)
        return success(self.write(request.path_params["id"] - 70_000, sent["body"], sent["communicationType"]))

    def write(self, number: int, text: str, way: str = "channel", **more: Any) -> dict[str, Any]:
        """A message of a conversation, which waits to be sent."""
        written = self.messages.setdefault(number, [])
        ref = 326 + len(written)
        message = {"id": ref, "body": text, "communicationType": way, "status": "awaiting", "isIncoming": 0} | more
        written.append(message)
        return message


def _listed(found: dict[str, Any], with_resources: bool) -> dict[str, Any]:  # noqa: FBT001 - as in the query
    return found if with_resources else found | {"reservationUnit": []}


def _matches(found: dict[str, Any], asked: Any) -> bool:
    return (
        found["departureDate"] >= asked.get("departureStartDate", "")
        and found["arrivalDate"] <= asked.get("arrivalEndDate", "9")
        and found["latestActivityOn"] >= _midnight(asked.get("latestActivityStart", "2000-01-01"))
    )


def _midnight(day: str) -> str:
    """When a day begins, in UTC: Hostaway takes it for the account's, whose clocks are ten hours behind."""
    return f"{datetime.strptime(day, '%Y-%m-%d') + timedelta(hours=10):%Y-%m-%d %H:%M:%S}"  # noqa: DTZ007 - as on the wire


def _by_offset(request: Request, items: list[Any]) -> list[Any]:
    limit, offset = (int(request.query_params.get(name, usual)) for name, usual in (("limit", 20), ("offset", 0)))
    return items[offset : offset + limit]


class Hostaway:
    """The vendor."""

    platform = hostaway.PLATFORM
    secret = "lockbridge:an invented password"
    other_secret = "lockbridge:another invented password"
    settings: ClassVar[dict[str, str]] = {"account_id": ACCOUNT, "api_key": API_KEY}
    ways_to_block = (Booking(owner=True), Booking(status="inquiry"))
    ways_to_wait = (
        Booking(status=StayStatus.PENDING),
        Booking(status="inquiryPreapproved"),
        Booking(extra={"isDatesUnspecified": 1}),
    )
    ways_to_cancel = (
        Booking(happening="changed", status=StayStatus.CANCELLED),
        Booking(happening="changed", status="declined"),
        Booking(happening="changed", status="inquiryTimedout"),
    )
    ways_without_guest = (Booking(extra=NO_GUEST),)
    hints_only = False
    says = frozenset(
        ("check_in", "check_out", "phone", "email", "language", "platform_guest", "changed_at", "owner_stay", "code")
    )
    """Rooms too, but only one door code for all of them: ``test_hostaway`` has the rooms."""
    required = ("id", "listingMapId", "arrivalDate", "departureDate")

    def body(self, booking: Booking) -> bytes:
        happening = {"cancelled": "changed"}.get(booking.happening, booking.happening)
        event = {
            "object": "reservation",
            "event": EVENTS.get(happening, f"reservation.{happening}"),
            "accountId": int(ACCOUNT),
            "data": reservation(booking),
        }
        return orjson.dumps(event)

    def delivery(self, body: bytes, secret: str | None = None) -> Delivery:
        encoded = base64.b64encode((secret or self.secret).encode()).decode()
        return Delivery(headers={"authorization": f"Basic {encoded}"}, body=body, received_at=NOW)

    def external_id(self, booking: Booking, room: str | None = None) -> str:
        return self.ref(booking) if room is None else f"{self.ref(booking)}:{900_000 + digits(room)}"

    def ref(self, booking: Booking) -> str:
        return str(digits(booking.id))

    def home(self, booking: Booking, room: str | None = None) -> str:
        home = str(digits(booking.home))
        return home if room is None else f"{home}:{digits(room)}"

    def cloud(self) -> Cloud:
        return Cloud()


VENDOR = Hostaway()
