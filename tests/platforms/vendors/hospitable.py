"""Hospitable: webhooks v2 signed with a hex HMAC, and the public API v2 as its documents and live findings have it."""

from datetime import date, timedelta
from typing import NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge import signatures
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery
from lockbridge.platforms import hospitable
from tests.platforms.cloud import PretendedApi
from tests.platforms.vendor import NOW, Booking

CATEGORIES: dict[str, str] = {
    StayStatus.CONFIRMED: "accepted",
    StayStatus.PENDING: "request",
    StayStatus.CANCELLED: "cancelled",
}
"""Hospitable's words."""


def reservation(booking: Booking) -> dict:
    """The reservation's object, as webhooks and the API write it with ``include=guest,properties``."""
    guest = {
        "id": "guest-1",
        "first_name": booking.first_name,
        "last_name": booking.last_name,
        "email": booking.email,
        "language": "en",
        "phone_numbers": [booking.phone] if booking.phone else [],
    }
    category = CATEGORIES.get(booking.status, booking.status)
    data = {
        "id": booking.id,
        "code": booking.code,
        "platform": booking.booked_on,
        "arrival_date": f"{booking.arrival}T00:00:00-05:00",
        "departure_date": f"{booking.departure}T00:00:00-05:00",
        "check_in": booking.check_in and f"{booking.arrival}T{booking.check_in}:00-05:00",
        "check_out": booking.check_out and f"{booking.departure}T{booking.check_out}:00-05:00",
        "status": "cancelled",
        "reservation_status": {"current": {"category": category, "sub_category": None}, "history": []},
        "properties": [{"id": booking.home, "name": "Lake House", "timezone": "-0700"}],
        "guest": guest,
        "stay_type": "owner" if booking.owner else "guest",
    }
    return data | booking.extra


class Sent(NamedTuple):
    """What came with a request."""

    query: str
    authorization: str
    body: bytes


class HospitableCloud(PretendedApi):
    """The API. Pages hold 10 unless told otherwise, 100 at most; lists need properties and all three words of dates."""

    def __init__(self, token: str) -> None:
        super().__init__(
            [
                Route("/v2/properties", self._properties),
                Route("/v2/reservations", self._reservations),
                Route("/v2/reservations/{uuid}", self._one),
                Route("/v2/reservations/{uuid}/messages", self._messages, methods=["GET", "POST"]),
                Route("/v2/reservations/{uuid}/enrichment/smartlock_code", self._code, methods=["GET", "PUT"]),
            ]
        )
        self.tokens = {token}
        """Those of hosts, in ``hosts``, may do less."""
        self.hosts: set[str] = set()
        self.limits_messages = False
        """Two messages to a reservation a minute, and this minute never ends."""
        self.bookings: dict[str, Booking] = {}
        self.codes: dict[str, str | None] = {}
        self.messages: dict[str, list[dict]] = {}

    @property
    def sent(self) -> list[Sent]:
        together = zip(self.seen, self.bodies, strict=True)
        return [Sent(each.url.query, each.headers.get("authorization", ""), raw) for each, raw in together]

    def put(self, booking: Booking) -> None:
        self.bookings[booking.id] = booking

    def drop(self, booking_id: str) -> None:
        del self.bookings[booking_id]

    def code_of(self, booking_id: str) -> str | None:
        return self.codes.get(booking_id)

    def messages_of(self, booking_id: str) -> list[str]:
        return [each["body"] for each in self.messages.get(booking_id, []) if each["sender_type"] == "host"]

    def revoke(self) -> None:
        self.tokens.clear()

    def expire(self) -> None:
        """Personal access tokens do not expire."""

    def refusal(self, request: Request, raw: bytes) -> Response | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return JSONResponse({"message": "Unauthenticated."}, 401)
        if token in self.hosts and "/enrichment/" in request.url.path:
            return JSONResponse({"status_code": 403, "reason_phrase": "Invalid scope(s) provided."}, 403)
        uuid = request.url.path.split("/")[3:4]
        if uuid and uuid[0] not in self.bookings:
            return JSONResponse({"status_code": 404, "reason_phrase": "Not found."}, 404)
        return None

    async def _properties(self, request: Request) -> Response:
        return _paged(request, [_property(home) for home in sorted({each.home for each in self.bookings.values()})])

    async def _reservations(self, request: Request) -> Response:
        asked = request.query_params
        homes = set(asked.getlist("properties[]"))
        if not homes:
            return JSONResponse({"status_code": 400, "reason_phrase": "The properties field is required."}, 400)
        found = [each for each in self.bookings.values() if each.home in homes and _is_within(each, asked)]
        return _paged(request, [_included(each, asked) for each in found])

    async def _one(self, request: Request) -> Response:
        booking = self.bookings[request.path_params["uuid"]]
        return JSONResponse({"data": _included(booking, request.query_params)})

    async def _code(self, request: Request) -> Response:
        uuid = request.path_params["uuid"]
        if request.method == "PUT":
            body = await request.json()
            if "value" not in body or len(body["value"] or "") > 255:
                return JSONResponse({"message": "The value field is invalid."}, 422)
            if not self.ignores_codes:
                self.codes[uuid] = body["value"]
        meta = {"description": "The code of the smart lock", "example": "1234"}
        return JSONResponse({"data": {"key": "smartlock_code", "value": self.codes.get(uuid), "meta": meta}})

    async def _messages(self, request: Request) -> Response:
        written = self.messages.setdefault(request.path_params["uuid"], [])
        if request.method == "GET":
            return JSONResponse({"data": written[::-1]})
        if self.limits_messages and len(written) >= 2:
            return JSONResponse({"message": "Too many requests."}, 429, {"retry-after": "41"})
        body = (await request.json())["body"]
        at = f"2026-05-20T12:00:{len(written):02}Z"
        written.append({"body": body, "sender_type": "host", "created_at": at, "content_type": "text/plain"})
        return JSONResponse({"data": {"sent_reference_id": f"sent-{len(written)}"}}, 202)


def _property(home: str) -> dict:
    times = {"check-in": "16:00", "check-out": "11:00", "timezone": "-0700"}
    return {"id": home, "name": f"House {home}", "address": {"country": "US"}, "listed": True, **times}


def _is_within(booking: Booking, asked) -> bool:
    """Exclusive at both ends, as "after" and "before" may mean; the next two weeks unless all three are given."""
    named = [asked.get(name) for name in ("start_date", "end_date", "date_query")]
    today = NOW.date()
    start, end, query = named if all(named) else (f"{today}", f"{today + timedelta(days=14)}", "checkin")
    day = booking.departure if query == "checkout" else booking.arrival
    return date.fromisoformat(start) < date.fromisoformat(day) < date.fromisoformat(end)


def _included(booking: Booking, asked) -> dict:
    """Without ``include`` there is neither guest nor property; words it does not know are ignored."""
    words = set((asked.get("include") or "").split(","))
    whole = reservation(booking)
    return {name: value for name, value in whole.items() if name not in {"guest", "properties"} or name in words}


def _paged(request: Request, items: list[dict]) -> Response:
    page, size = (int(request.query_params.get(name, default)) for name, default in (("page", 1), ("per_page", 10)))
    if not 1 <= size <= 100:
        return JSONResponse({"status_code": 400, "reason_phrase": "Invalid pagination parameter supplied."}, 400)
    last = max(1, -(-len(items) // size))
    path = "http://public.api.hospitable.com/v2/…"
    links = {"first": f"{path}?page=1", "next": f"{path}?page={page + 1}" if page < last else None}
    meta = {"current_page": page, "last_page": last, "per_page": size, "total": len(items), "path": path}
    return JSONResponse({"data": items[(page - 1) * size : page * size], "links": links, "meta": meta})


class Hospitable:
    """The vendor."""

    platform = hospitable.PLATFORM
    secret = "aG9zdEBleGFtcGxlLmNvbQ=="
    other_secret = "b3RoZXJAZXhhbXBsZS5jb20="
    settings = {"token": "an-invented-personal-access-token"}  # noqa: RUF012 - never changed
    ways_to_block = (Booking(owner=True),)
    ways_to_wait = (Booking(status=StayStatus.PENDING),)
    ways_to_cancel = (
        Booking(happening="changed", status=StayStatus.CANCELLED),
        Booking(happening="changed", status="not accepted"),
    )
    hints_only = False
    says = frozenset(("check_in", "check_out", "phone", "email", "language", "platform_guest", "owner_stay", "code"))
    required = ("id", "properties", "arrival_date", "departure_date")
    ways_without_guest = (Booking(extra={"guest": None}), Booking(extra={"guest": {}}))
    lists_changes = False

    def body(self, booking: Booking) -> bytes:
        happening = {"cancelled": "changed"}.get(booking.happening, booking.happening)
        envelope = {
            "id": booking.event_id,
            "action": f"reservation.{happening}",
            "data": reservation(booking),
            "created": booking.changed_at,
            "version": "v2",
            "triggers": ["status_changed"],
        }
        return orjson.dumps(envelope)

    def sign(self, body: bytes, secret: str) -> dict[str, str]:
        return {"signature": signatures.hmac_hex_digest(secret, body)}

    def delivery(self, body: bytes, secret: str | None = None) -> Delivery:
        return Delivery(headers=self.sign(body, secret or self.secret), body=body, received_at=NOW)

    def external_id(self, booking: Booking, room: str | None = None) -> str:
        return booking.id

    def ref(self, booking: Booking) -> str:
        return booking.id

    def home(self, booking: Booking, room: str | None = None) -> str:
        return booking.home

    def cloud(self) -> HospitableCloud:
        return HospitableCloud(self.settings["token"])


VENDOR = Hospitable()
