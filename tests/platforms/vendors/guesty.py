"""A make-believe Guesty, as told by open-api-docs.guesty.com and by what integrations that run have seen.

Only the fields that are asked for come, ``count`` is wrong, a token that has ended is 403, and door codes stand in one
of two places: the other says 404, or 200 and keeps nothing.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge import signatures
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery
from lockbridge.platforms import guesty
from tests.platforms.cloud import PretendedApi
from tests.platforms.vendor import NOW, Booking

ZONE = ZoneInfo("America/New_York")
EVENTS = {"created": "reservation.created.v2", "changed": "reservation.updated.v2"}
OLD_EVENTS = {"created": "reservation.new", "changed": "reservation.updated"}
STATUSES = {StayStatus.PENDING: "inquiry", StayStatus.CANCELLED: "canceled"}
CLIENT_ID, CLIENT_SECRET = "0oainvented", "an-invented-client-secret"
MOST = 100
MODULES = ("platform", "email", "sms", "airbnb2", "whatsapp")
ALWAYS = ("_id", "accountId", "integration.platform")
"""Fields that come whatever was asked for."""
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda value, wanted: value == wanted,
    "$gte": lambda value, wanted: value >= wanted,
    "$lte": lambda value, wanted: value <= wanted,
}


def instant(day: str, clock: str | None) -> str | None:
    """A local time in Guesty's UTC."""
    if clock is None:
        return None
    local = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZONE)
    return f"{local.astimezone(ZoneInfo('UTC')):%Y-%m-%dT%H:%M:%S.000Z}"


def listing(home: str) -> dict[str, Any]:
    return {
        "_id": home,
        "nickname": f"House {home}",
        "title": "A house by the lake",
        "timezone": "America/New_York",
        "defaultCheckInTime": "15:00",
        "defaultCheckOutTime": "10:00",
        "address": {"full": "1 Invented Road", "country": "US"},
    }


def reservation(booking: Booking) -> dict[str, Any]:
    """The reservation whole, as the older events and ``GET /v1/reservations`` have it."""
    guest = {
        "_id": "guest-1",
        "fullName": f"{booking.first_name} {booking.last_name}",
        "firstName": booking.first_name,
        "lastName": booking.last_name,
        "phone": booking.phone,
        "email": booking.email,
        "preferredLanguage": "en",
    }
    return {
        "_id": booking.id,
        "accountId": "account-1",
        "integration": {"platform": booking.booked_on},
        "listingId": booking.home,
        "listing": listing(booking.home),
        "status": STATUSES.get(booking.status, booking.status),
        "confirmationCode": booking.code,
        "source": "owner" if booking.owner else booking.booked_on,
        "checkIn": instant(booking.arrival, booking.check_in),
        "checkOut": instant(booking.departure, booking.check_out),
        "checkInDateLocalized": booking.arrival,
        "checkOutDateLocalized": booking.departure,
        "plannedArrival": booking.check_in,
        "plannedDeparture": booking.check_out,
        "nightsCount": 2,
        "guestId": "guest-1",
        "guest": guest,
        "money": {"currency": "USD", "balanceDue": 12.5},
        "createdAt": "2026-05-01T08:00:00.000Z",
        "lastUpdatedAt": booking.changed_at.replace("Z", ".000Z"),
        "customFields": [],
    } | booking.extra


def at(item: Any, path: str) -> Any:
    """The value in a dotted path; None where there is none."""
    for name in path.split("."):
        item = item.get(name) if isinstance(item, dict) else None
    return item


def projected(item: dict[str, Any], fields: str) -> dict[str, Any]:
    """Only the fields that were asked for, and those that always come."""
    made: dict[str, Any] = {}
    for path in {*fields.split(), *ALWAYS}:
        *outer, last = path.split(".")
        inside = item
        for name in outer:
            inside = inside.get(name) if isinstance(inside.get(name), dict) else {}
        if last not in inside:
            continue
        place = made
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = inside[last]
    return made


def error(status: int, message: str = "invented") -> Response:
    return JSONResponse({"error": {"code": "INVENTED", "message": message}}, status)


class Cloud(PretendedApi):
    """The API of one account."""

    SIGN_INS = frozenset(("/oauth2/token",))

    def __init__(self) -> None:
        old, new = "/v1/reservations", "/v1/reservations-v3"
        inbox = "/v1/communication/conversations"
        super().__init__(
            [
                Route("/oauth2/token", self._sign_in, methods=["POST"]),
                Route("/v1/listings", self._listings),
                Route(old, self._list),
                Route(f"{old}/{{id}}", self._one),
                Route(f"{old}/{{id}}", self._change, methods=["PUT"]),
                Route(new, self._several),
                Route(f"{new}/{{id}}/notes", self._notes, methods=["PUT"]),
                Route(inbox, self._conversations),
                Route(f"{inbox}/{{id}}/posts", self._posts),
                Route(f"{inbox}/{{id}}/send-message", self._send, methods=["POST"]),
            ]
        )
        self.reservations: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, str] = {}
        self.newer: set[str] = set()
        """Reservations that were made in Guesty's newer way: their door codes stand in their notes."""
        self.posts: dict[str, list[dict[str, Any]]] = {}
        self.silent: set[str] = set()
        """Reservations without a conversation."""
        self.module: str | None = None
        """What conversations say of their way to the guest."""
        self.forbidden: set[str] = set()
        """Beginnings of paths that the account may not ask."""
        self.tokens_left = 1000
        self.headers: dict[str, str] = {}
        self._secret: str | None = CLIENT_SECRET

    # -- what tests do ---------------------------------------------------------------------------------------------

    def put(self, booking: Booking) -> None:
        self.reservations[booking.id] = reservation(booking)

    def drop(self, booking_id: str) -> None:
        del self.reservations[booking_id]

    def code_of(self, booking_id: str) -> str | None:
        return self.codes.get(booking_id) or None

    def messages_of(self, booking_id: str) -> list[str]:
        return [post["body"] for post in self.posts.get(booking_id, []) if post["type"] == "fromHost"]

    def revoke(self) -> None:
        self._secret = None
        self.tokens.clear()

    # -- what it answers -------------------------------------------------------------------------------------------

    async def _sign_in(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if form.get("grant_type") != "client_credentials" or form.get("scope") != "open-api":
            return JSONResponse({"error": "invalid_request"}, 400)
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, self._secret):
            return JSONResponse({"error": "invalid_client"}, 401)
        if self.tokens_left == 0:
            return JSONResponse({"error": "too_many_requests"}, 429, {"retry-after": "3600"})
        self.tokens_left -= 1
        given = {"token_type": "Bearer", "access_token": self.new_token(), "expires_in": 86400, "scope": "open-api"}
        return JSONResponse(given)

    def refusal(self, request: Request, raw: bytes) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            return error(401)
        if token not in self.tokens or any(request.url.path.startswith(each) for each in self.forbidden):
            return error(403, "Forbidden")
        return None

    def failing(self, status: int) -> Response:
        return error(status)

    def finished(self, response: Response) -> Response:
        response.headers.update(self.headers)
        return response

    async def _listings(self, request: Request) -> Response:
        homes = sorted({each["listingId"] for each in self.reservations.values()})
        return self._page(request, [listing(home) for home in homes])

    async def _list(self, request: Request) -> Response:
        filters = json.loads(request.query_params.get("filters", "[]"))
        items = [
            each
            for _, each in sorted(self.reservations.items())
            if all(OPERATORS[one["operator"]](at(each, one["field"]), one["value"]) for one in filters)
        ]
        return self._page(request, items)

    def _page(self, request: Request, items: list[dict[str, Any]]) -> Response:
        asked = request.query_params
        limit, skip = int(asked.get("limit", "25")), int(asked.get("skip", "0"))
        if limit > MOST or asked.get("sort") != "_id":
            return error(400)
        results = [projected(each, asked["fields"]) for each in items[skip : skip + limit]]
        return JSONResponse({"results": results, "count": 7, "limit": limit, "skip": skip})

    async def _one(self, request: Request) -> Response:
        found = self.reservations.get(request.path_params["id"])
        if found is None:
            return error(404)
        code = {} if found["_id"] in self.newer else {"keyCode": self.codes.get(found["_id"])}
        return JSONResponse(projected(found | {name: value for name, value in code.items() if value}, _fields(request)))

    async def _change(self, request: Request) -> Response:
        """Whatever the body holds, it is 200; of a reservation of the newer kind nothing is kept."""
        found = self.reservations.get(request.path_params["id"])
        if found is None:
            return error(404)
        written = (await request.json()).get("keyCode")
        if written is None or found["_id"] in self.newer or self.ignores_codes:
            return JSONResponse(found)
        self.codes[found["_id"]] = written
        return JSONResponse(found | {"keyCode": written})

    async def _several(self, request: Request) -> Response:
        """A bare list of sparse reservations; only those of the newer kind have notes."""
        wanted = request.query_params.getlist("reservationIds[]")
        if not 0 < len(wanted) <= 10:
            return error(400)
        found = [ref for ref in wanted if ref in self.reservations]
        notes = {ref: {"notes": {"keyCode": self.codes.get(ref)}} for ref in found if ref in self.newer}
        return JSONResponse([{"_id": ref, "status": "confirmed"} | notes.get(ref, {}) for ref in found])

    async def _notes(self, request: Request) -> Response:
        ref = request.path_params["id"]
        if ref not in self.reservations or ref not in self.newer:
            return error(404)
        written = (await request.json())["notes"]["keyCode"]
        if not self.ignores_codes:
            self.codes[ref] = written
        return JSONResponse({"reservationId": ref, "notes": {"keyCode": self.codes.get(ref)}})

    async def _conversations(self, request: Request) -> Response:
        """One for each reservation; a filter it cannot read is not heeded."""
        filters = json.loads(request.query_params.get("filters", "[]"))
        named = {each["value"] for each in filters if each.get("field") == "reservation._id"}
        refs = [ref for ref in self.reservations if ref not in self.silent and (ref in named or not named)]
        module = {} if self.module is None else {"module": {"type": self.module}}
        found = [{"_id": f"conv-{ref}", "meta": {"reservations": [{"_id": ref}]}} | module for ref in refs]
        return JSONResponse({"status": 200, "data": {"count": 7, "conversations": found}})

    async def _posts(self, request: Request) -> Response:
        posts = self.posts.get(request.path_params["id"].removeprefix("conv-"), [])
        newest_first = posts[::-1][: int(request.query_params.get("limit", "25"))]
        return JSONResponse({"status": 200, "data": {"posts": newest_first}})

    async def _send(self, request: Request) -> Response:
        ref, sent = request.path_params["id"].removeprefix("conv-"), await request.json()
        if ref not in self.reservations or sent.get("module", {}).get("type") not in MODULES:
            return error(400)
        self.write(ref, sent["body"], module=sent["module"]["type"])
        return JSONResponse({"status": 200, "data": {"_id": "post-1"}})

    def write(self, ref: str, text: str, kind: str = "fromHost", module: str = "platform") -> None:
        """A post of a conversation."""
        written = self.posts.setdefault(ref, [])
        moment = NOW + timedelta(seconds=len(written))
        post = {"type": kind, "body": text, "module": {"type": module}, "createdAt": f"{moment:%Y-%m-%dT%H:%M:%S.000Z}"}
        written.append(post)


def _fields(request: Request) -> str:
    return request.query_params.get("fields", " ".join(ALWAYS))


class Guesty:
    """The vendor, with the events that name a reservation."""

    platform = guesty.PLATFORM
    secret = signatures.standard_secret(b"an invented key of 32 bytes, no.3")
    other_secret = signatures.standard_secret(b"an invented key of 32 bytes, no.4")
    settings: ClassVar[dict[str, str]] = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    ways_to_block = (Booking(owner=True),)
    ways_to_wait = (Booking(status=StayStatus.PENDING), Booking(status="reserved"), Booking(status="awaiting_payment"))
    ways_to_cancel = (
        Booking(happening="changed", status=StayStatus.CANCELLED),
        Booking(happening="changed", status="declined"),
        Booking(happening="changed", status="expired"),
    )
    ways_without_guest = (
        Booking(extra={"guest": None, "guestId": None}),
        Booking(extra={"guest": {}, "guestId": None}),
    )
    hints_only = True
    says = frozenset(
        ("check_in", "check_out", "phone", "email", "language", "platform_guest", "changed_at", "owner_stay", "code")
    )
    required = ("reservationId",)

    def body(self, booking: Booking) -> bytes:
        happening = {"cancelled": "changed"}.get(booking.happening, booking.happening)
        event = {
            "event": EVENTS.get(happening, f"reservation.{happening}"),
            "meta": {"eventId": booking.event_id, "publishedAt": booking.changed_at},
            "subtypes": ["status"],
            "data": {"reservationId": booking.id, "status": reservation(booking)["status"]} | booking.extra,
        }
        return orjson.dumps(event)

    def old_body(self, booking: Booking) -> bytes:
        """The older event, which holds the reservation."""
        return orjson.dumps({"reservation": reservation(booking), "event": OLD_EVENTS[booking.happening]})

    def delivery(self, body: bytes, secret: str | None = None) -> Delivery:
        signed = signatures.sign_standard_webhook(secret or self.secret, "msg_invented1", NOW, body)
        headers = {name.replace("webhook-", "svix-"): value for name, value in signed.items()}
        return Delivery(headers=headers, body=body, received_at=NOW)

    def external_id(self, booking: Booking, room: str | None = None) -> str:
        return booking.id

    def ref(self, booking: Booking) -> str:
        return booking.id

    def home(self, booking: Booking, room: str | None = None) -> str:
        return booking.home

    def cloud(self) -> Cloud:
        return Cloud()


VENDOR = Guesty()
