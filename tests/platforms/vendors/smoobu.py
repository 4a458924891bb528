"""Smoobu: webhooks that nobody signs, and an API that wants every request signed."""

import hashlib
import hmac
from base64 import b64encode
from datetime import UTC, date, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery
from lockbridge.platforms import smoobu
from tests.platforms.cloud import PretendedCloud, digits
from tests.platforms.vendor import NOW, Booking

STATUSES: dict[str, str] = {
    StayStatus.CONFIRMED: "reservation",
    StayStatus.CANCELLED: "cancellation",
    StayStatus.BLOCKED: "blocked",
}
"""Smoobu's words."""
HAPPENINGS = {"created": "newReservation", "changed": "updateReservation", "cancelled": "cancelReservation"}
KEY, SECRET = "usr_live_invented", "an invented secret of an API key"
PAGE, MOST = 10, 100
"""Items to a page: unless told otherwise, and at most."""


def reservation(booking: Booking) -> dict[str, Any]:
    """The reservation, as the API writes it."""
    data = {
        "id": digits(booking.id),
        "reference-id": booking.code,
        "type": STATUSES.get(booking.status, booking.status),
        "arrival": booking.arrival,
        "departure": booking.departure,
        "created-at": "2026-05-01 09:00",
        "modifiedAt": f"{_changed(booking):%Y-%m-%d %H:%M:%S}",
        "apartment": {"id": digits(booking.home), "name": "Gialla"},
        "channel": {"id": 465614, "channel_id": 14, "name": booking.booked_on},
        "guest-name": f"{booking.first_name} {booking.last_name}",
        "firstname": booking.first_name,
        "lastname": booking.last_name,
        "email": booking.email,
        "phone": booking.phone,
        "adults": 2,
        "check-in": "06:30",
        "check-out": "",
        "notice": "",
        "language": "en",
        "is-blocked-booking": booking.status is StayStatus.BLOCKED,
        "guestId": 991,
    }
    return data | booking.extra


def _changed(booking: Booking) -> datetime:
    return datetime.fromisoformat(booking.changed_at).astimezone(UTC)


class SmoobuCloud(PretendedCloud):
    """The API. Lists leave out cancelled reservations unless asked for them; a nonce is good for one request."""

    OWNER = "foreignId"

    def __init__(self, key: str, secret: str = "") -> None:
        super().__init__(
            [
                Route("/api/apartments", self._apartments),
                Route("/api/apartments/{id:int}", self._apartment),
                Route("/api/reservations", self._list),
                Route("/api/reservations/{id}", self._one),
                Route("/api/reservations/{id:int}/messages", self._messages),
                Route("/api/reservations/{id:int}/messages/send-message-to-guest", self._send, methods=["POST"]),
                Route("/api/custom-placeholders", self._placeholders, methods=["GET", "POST"]),
                Route("/api/custom-placeholders/{id:int}", self._placeholder, methods=["PUT", "DELETE"]),
            ]
        )
        self._key, self._secret = key, secret
        self._nonces: set[str] = set()
        self.may_write = True
        self.left: int | None = None
        """How many calls the answers say are left."""

    def code_of(self, booking_id: str) -> str | None:
        mine = [each["defaultValue"] for each in self.codes.values() if each["foreignId"] == digits(booking_id)]
        return mine[0] if mine else None

    def refusal(self, request: Request, raw: bytes) -> Response | None:
        if self.is_revoked or not (self._is_signed(request, raw) if self._secret else self._has_key(request)):
            return JSONResponse({"status": 401, "title": "Error occurred", "detail": "verification error"}, 401)
        if not self.may_write and request.method != "GET":
            return JSONResponse({"status": 403, "title": "Forbidden"}, 403)
        return None

    def _has_key(self, request: Request) -> bool:
        return request.headers.get("api-key") == self._key

    def _is_signed(self, request: Request, raw: bytes) -> bool:
        given = {name: request.headers.get(f"x-{name}", "") for name in ("api-key", "timestamp", "nonce", "signature")}
        if given["nonce"] in self._nonces or "api-key" in request.headers:
            return False
        self._nonces.add(given["nonce"])
        query = "&".join(sorted(request.url.query.split("&"))) if request.url.query else ""
        path, body = request.scope["raw_path"].decode(), hashlib.sha256(raw).hexdigest()
        lines = (request.method, path, query, given["timestamp"], given["nonce"], body, self._key)
        wanted = b64encode(hmac.digest(self._secret.encode(), "\n".join(lines).encode(), "sha256")).decode()
        fresh = abs((datetime.fromisoformat(given["timestamp"] or "1970-01-01T00:00:00Z") - NOW).total_seconds()) <= 300
        return fresh and given["api-key"] == self._key and hmac.compare_digest(given["signature"], wanted)

    def _answer(self, content: Any) -> Response:
        if self.left is None:
            return JSONResponse(content)
        resets = f"{int(NOW.timestamp()) + 30}"
        return JSONResponse(
            content, headers={"x-ratelimit-remaining": f"{self.left}", "x-ratelimit-retry-after": resets}
        )

    async def _apartments(self, request: Request) -> Response:
        homes = sorted({digits(booking.home) for booking in self.bookings.values()})
        return self._answer({"apartments": [{"id": home, "name": f"Flat {home}"} for home in homes]})

    async def _apartment(self, request: Request) -> Response:
        location = {"street": "Lange Straße 1", "city": "Berlin", "country": "Germany"}
        return self._answer({"location": location, "timeZone": "Europe/Berlin", "rooms": {"maxOccupancy": 4}})

    async def _list(self, request: Request) -> Response:
        asked = request.query_params
        found = [reservation(booking) for booking in self.bookings.values() if _matches(booking, asked)]
        return self._answer(_page(asked, "bookings", found))

    async def _one(self, request: Request) -> Response:
        ref = request.path_params["id"]
        booking = self.bookings.get(int(ref)) if ref.isdecimal() else None
        return _missing() if booking is None else self._answer(reservation(booking))

    async def _messages(self, request: Request) -> Response:
        sent = self.messages.get(request.path_params["id"], [])
        written = [_message(number, text) for number, text in enumerate(sent)]
        question = {"id": 1, "subject": "", "message": "Where is it?", "type": 1, "createdAt": "2026-05-20 11:00:00"}
        return self._answer(_page(request.query_params, "messages", [*reversed(written), question]))

    async def _send(self, request: Request) -> Response:
        if request.path_params["id"] not in self.bookings:
            return _missing()
        body = await request.json()
        if not body.get("messageBody"):
            return JSONResponse({"status": 400, "title": "Error occurred"}, 400)
        self.messages.setdefault(request.path_params["id"], []).append(body["messageBody"])
        return self._answer({"id": 17, **body})

    async def _placeholders(self, request: Request) -> Response:
        if request.method == "GET":
            wifi = {"id": 3, "key": "doorCode", "defaultValue": "ask me", "type": 2, "foreignId": 4711}
            return self._answer({"customPlaceholders": [wifi, *({"id": n, **each} for n, each in self.codes.items())]})
        body = await request.json()
        if body["foreignId"] not in self.bookings:
            return _missing()
        taken = {(each["key"], each["type"], each["foreignId"]) for each in self.codes.values()}
        if (body["key"], body["type"], body["foreignId"]) in taken:
            return JSONResponse({"status": 400, "title": "Error occurred"}, 400)
        return self._answer({"id": self.keep(body), **body})

    async def _placeholder(self, request: Request) -> Response:
        number = request.path_params["id"]
        if number not in self.codes:
            return _missing()
        if request.method == "DELETE":
            del self.codes[number]
            return Response(status_code=204)
        body = await request.json()
        if not self.ignores_codes:
            self.codes[number] = body
        return self._answer({"id": number, **body})


def _missing() -> Response:
    return JSONResponse({"status": 404, "title": "Not found"}, 404)


def _matches(booking: Booking, asked) -> bool:
    shown = reservation(booking)
    if shown["type"] == "cancellation" and asked.get("showCancellation") != "true":
        return False
    if shown["is-blocked-booking"] and asked.get("excludeBlocked") == "true":
        return False
    days = {"departureFrom": booking.departure, "modifiedFrom": f"{_changed(booking):%Y-%m-%d}"}
    if any(day < date.fromisoformat(asked[name]).isoformat() for name, day in days.items() if name in asked):
        return False
    return booking.arrival <= asked.get("arrivalTo", "9999-12-31")


def _message(number: int, text: str) -> dict[str, Any]:
    at = f"2026-05-20 12:00:{number:02}"
    return {"id": 100 + number, "subject": "", "message": text, "htmlMessage": text, "type": 2, "createdAt": at}


def _page(asked, name: str, items: list[dict]) -> dict[str, Any]:
    page, size = int(asked.get("page", 1)), min(int(asked.get("pageSize", PAGE)), MOST)
    return {
        "page_count": -(-len(items) // size),
        "page_size": size,
        "total_items": len(items),
        "page": page,
        name: items[(page - 1) * size : page * size],
    }


class Smoobu:
    """The vendor."""

    platform = smoobu.PLATFORM
    secret = "an-invented-part-of-an-address-1"
    other_secret = "an-invented-part-of-an-address-2"
    settings = {"key": KEY, "secret": SECRET}  # noqa: RUF012 - never changed
    ways_to_block = (
        Booking(status=StayStatus.BLOCKED),
        Booking(extra={"is-blocked-booking": True}),
    )
    ways_to_wait = ()
    ways_to_cancel = (
        Booking(happening="cancelled", status=StayStatus.CANCELLED),
        Booking(happening="changed", status=StayStatus.CANCELLED, extra={"is-blocked-booking": True}),
    )
    ways_without_guest = (
        Booking(phone=None, email=None, extra={"guest-name": "", "firstname": None, "lastname": None, "guestId": None}),
    )
    hints_only = True
    says = frozenset(("phone", "email", "language", "platform_guest", "code"))

    def body(self, booking: Booking) -> bytes:
        action = HAPPENINGS.get(booking.happening, booking.happening)
        return orjson.dumps({"action": action, "user": 1306068, "data": reservation(booking)})

    def delivery(self, body: bytes, secret: str | None = None) -> Delivery:
        return Delivery(headers={}, body=body, received_at=NOW, url_token=secret or self.secret)

    def external_id(self, booking: Booking, room: str | None = None) -> str:
        return f"{digits(booking.id)}"

    def ref(self, booking: Booking) -> str:
        return f"{digits(booking.id)}"

    def home(self, booking: Booking, room: str | None = None) -> str:
        return f"{digits(booking.home)}"

    def cloud(self) -> SmoobuCloud:
        return SmoobuCloud(KEY, SECRET)


VENDOR = Smoobu()
