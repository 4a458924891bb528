"""A platform that does not exist and has everything: what the suite is tried out on.

Its sound client is short, so that a planted bug is the only thing wrong with what is examined.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import quote

import orjson
from starlette.applications import Starlette
from starlette.requests import Request as Incoming
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge import signatures
from lockbridge.contract import AccountRefused, FormField, Grant, Unreachable
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Hook, Ignored, Unreadable, dedupe_key_for
from lockbridge.outbound import ErrorTable, Request, SignIn, TokenRefused, Vendor
from lockbridge.platforms.contract import (
    CodeNote,
    Event,
    FoundProperty,
    Link,
    NoSuchReservation,
    NotOffered,
    Platform,
    Reread,
    ReservationEvent,
    StayRef,
    Wanted,
)
from lockbridge.platforms.reading import Fields, fields_of, require_order
from tests.platforms.vendor import NOW, Booking

ERRORS = ErrorTable(statuses={401: TokenRefused, 404: NoSuchReservation})
SIGN_IN = ErrorTable(statuses={401: AccountRefused})
STATUSES = {status.value: status for status in StayStatus}


# The platform, as a module of lockbridge would have it


def _stays(data: Fields) -> list[ReservationEvent]:
    ref, rooms = data.ref("id"), data.data.get("rooms") or [None]
    raw = data.text("status")
    event = ReservationEvent(
        platform="acme",
        external_id=ref,
        reservation_ref=ref,
        reservation_code=data.maybe_ref("code") or ref,
        property_ref=data.ref("home"),
        status=STATUSES.get(raw, StayStatus.UNKNOWN),
        raw_status=raw,
        arrival=data.day("arrival"),
        departure=data.day("departure"),
        check_in=data.maybe_time("check_in"),
        check_out=data.maybe_time("check_out"),
        guest_name=data.maybe_text("guest"),
        phone=data.maybe_text("phone"),
        changed_at=data.maybe_instant("changed_at"),
        owner_stay=data.flag("owner"),
    )
    require_order(event.arrival, event.departure, event.check_in, event.check_out)
    if not isinstance(rooms, list):
        raise data.wrong(name="rooms", expected="a list")
    return [_room(event, room) for room in rooms]


def _room(event: ReservationEvent, room: str | None) -> ReservationEvent:
    if room is None:
        return event
    return replace(event, external_id=f"{event.ref}:{room}", property_ref=f"{event.property_ref}:{room}")


def read(delivery: Delivery) -> Sequence[Event]:
    body = fields_of(delivery.body)
    if body.text("event") not in {"created", "changed", "cancelled"}:
        return [Ignored(f"nothing to do with stays: {body.text('event')}")]
    return _stays(body.inside("booking"))


def _hint(delivery: Delivery) -> Sequence[Event]:
    return [Reread(fields_of(delivery.body).inside("booking").ref("id"))]


def _dedupe_key(delivery: Delivery) -> str:
    return dedupe_key_for(None, delivery.body)


@dataclass(frozen=True)
class Acme:
    """The sound client."""

    _vendor: Vendor

    async def properties(self) -> Sequence[FoundProperty]:
        return await self._vendor.ask(Request("GET", "/homes"), self._homes)

    def _homes(self, answer: Any) -> list[FoundProperty]:
        return [FoundProperty(each["id"], each["name"]) for each in answer["homes"]]

    async def reservation(self, ref: str) -> Sequence[ReservationEvent]:
        answer = await self._vendor.ask(Request("GET", f"/bookings/{quote(ref, safe='')}"), dict)
        try:
            return _stays(Fields(answer))
        except Unreadable as error:
            raise Unreachable(str(error)) from None

    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[ReservationEvent | Ignored]]:
        params = {"all": "1", **self._narrowed(wanted)}
        for page in count():
            bookings, more = await self._page({**params, "page": page})
            yield [event for booking in bookings for event in self._told(booking)]
            if not more:
                return

    def _narrowed(self, wanted: Wanted) -> dict[str, str]:
        if wanted.changed_since:
            return {"since": wanted.changed_since.isoformat()}
        return {"from": f"{wanted.first}", "to": f"{wanted.last}"}

    async def _page(self, params: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
        return await self._vendor.ask(
            Request("GET", "/bookings", params=params), lambda answer: ([*answer["bookings"]], answer["more"])
        )

    def _told(self, booking: Any) -> Sequence[ReservationEvent | Ignored]:
        try:
            return _stays(Fields(booking if isinstance(booking, dict) else {}))
        except Unreadable as error:
            return [Ignored(str(error))]

    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        body = {"room": stay.external_id, "code": note and note.text}
        await self._vendor.ask(Request("PUT", f"/bookings/{stay.reservation_ref}/code", body=body), dict)

    async def read_code(self, stay: StayRef) -> str | None:
        codes = await self._vendor.ask(Request("GET", f"/bookings/{stay.reservation_ref}/code"), dict)
        return codes.get(stay.external_id)

    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:
        request = Request("POST", f"/bookings/{stay.reservation_ref}/messages", body={"text": text})
        await self._vendor.ask(request, dict)

    async def sent_texts(self, stay: StayRef) -> Sequence[str]:
        request = Request("GET", f"/bookings/{stay.reservation_ref}/messages")
        return await self._vendor.ask(request, lambda answer: [f"{each}" for each in answer["messages"]])


def _connect(link: Link) -> Acme:
    plain = Vendor(link.http, link.settings["url"], SIGN_IN, link.now, who="Acme")

    async def renew(_: Grant | None) -> Grant:
        key = {"key": link.settings["key"]}
        return await plain.ask(
            Request("POST", "/token", body=key), lambda answer: Grant(answer["access"], link.now() + timedelta(hours=1))
        )

    return Acme(replace(plain, errors=ERRORS, sign_in=SignIn(link.tokens, renew), pace=link.pace))


PLATFORM = Platform(
    key="acme",
    title="Acme",
    hook=Hook[Event](
        key="acme",
        title="Acme",
        authenticate=signatures.header_secret("x-acme-secret"),
        dedupe_key=_dedupe_key,
        read=read,
        secret_problem=signatures.any_secret_problem,
        setup_help="Acme → Webhooks.",
    ),
    fields=(
        FormField("key", "API key", secret=True, help="Acme → API."),
        FormField("url", "Address", help="Leave it.", default="https://acme.example"),
    ),
    connect=_connect,
    writes_codes=True,
    sends_messages=True,
    maturity="invented",
)


# The vendor


class AcmeCloud:
    """Fifty bookings to a page; cancelled ones are hidden unless they are asked for."""

    def __init__(self, key: str) -> None:
        self.key: str | None = key
        self.given, self.token = count(1), ""
        self.requests: list[tuple[str, str]] = []
        self.faults: list[int | str] = []
        self.ignores_codes = False
        self.bookings: dict[str, Booking] = {}
        self.codes: dict[str, dict[str, str | None]] = {}
        self.messages: dict[str, list[str]] = {}
        self.app = Starlette(
            routes=[
                Route("/token", self._sign_in, methods=["POST"]),
                Route("/homes", self._homes),
                Route("/bookings", self._list),
                Route("/bookings/{id}", self._one),
                Route("/bookings/{id}/code", self._code, methods=["GET", "PUT"]),
                Route("/bookings/{id}/messages", self._messages, methods=["GET", "POST"]),
            ]
        )

    def put(self, booking: Booking) -> None:
        self.bookings[booking.id] = booking

    def drop(self, booking_id: str) -> None:
        del self.bookings[booking_id]

    def code_of(self, booking_id: str) -> str | None:
        return self.codes.get(booking_id, {}).get(booking_id)

    def messages_of(self, booking_id: str) -> list[str]:
        return self.messages.get(booking_id, [])

    def revoke(self) -> None:
        self.key, self.token = None, ""

    def expire(self) -> None:
        self.token = ""

    def _refused(self, request: Incoming) -> Response | None:
        if not self.token or request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"error": "token"}, 401)
        if "id" in request.path_params and request.path_params["id"] not in self.bookings:
            return JSONResponse({"error": "no such booking"}, 404)
        return None

    async def _sign_in(self, request: Incoming) -> Response:
        if self.key is None or (await request.json())["key"] != self.key:
            return JSONResponse({"error": "key"}, 401)
        self.token = f"an-invented-token-{next(self.given)}"
        return JSONResponse({"access": self.token})

    async def _homes(self, request: Incoming) -> Response:
        homes = sorted({each.home for each in self.bookings.values()})
        return self._refused(request) or JSONResponse({"homes": [{"id": home, "name": home} for home in homes]})

    async def _list(self, request: Incoming) -> Response:
        asked = request.query_params
        found = [booking_json(each) for each in self.bookings.values() if _is_listed(each, asked)]
        start = 50 * int(asked.get("page", "0"))
        answer = {"bookings": found[start : start + 50], "more": len(found) > start + 50}
        return self._refused(request) or JSONResponse(answer)

    async def _one(self, request: Incoming) -> Response:
        return self._refused(request) or JSONResponse(booking_json(self.bookings[request.path_params["id"]]))

    async def _code(self, request: Incoming) -> Response:
        if refused := self._refused(request):
            return refused
        codes = self.codes.setdefault(request.path_params["id"], {})
        if request.method == "PUT" and not self.ignores_codes:
            body = await request.json()
            codes[body["room"]] = body["code"]
        return JSONResponse(codes)

    async def _messages(self, request: Incoming) -> Response:
        if refused := self._refused(request):
            return refused
        written = self.messages.setdefault(request.path_params["id"], [])
        if request.method == "POST":
            written.append((await request.json())["text"])
        return JSONResponse({"messages": written})


def _is_listed(booking: Booking, asked: Any) -> bool:
    if booking.status == StayStatus.CANCELLED and "all" not in asked:
        return False
    if "since" in asked and datetime.fromisoformat(booking.changed_at) < datetime.fromisoformat(asked["since"]):
        return False
    return booking.departure >= asked.get("from", "") and booking.arrival <= asked.get("to", "9999")


def booking_json(booking: Booking) -> dict[str, Any]:
    told = {name: value for name, value in asdict(booking).items() if name not in {"happening", "event_id", "extra"}}
    guest = f"{booking.first_name} {booking.last_name}"
    return told | {"guest": guest} | booking.extra


class AcmeVendor:
    """The vendor as the suite knows it."""

    platform = PLATFORM
    secret = "an invented secret"
    other_secret = "another invented secret"
    settings = {"key": "an-invented-key"}  # noqa: RUF012 - never changed
    ways_to_block = (Booking(status=StayStatus.BLOCKED), Booking(owner=True))
    ways_to_wait = (Booking(status=StayStatus.PENDING),)
    ways_to_cancel = (Booking(happening="cancelled", status=StayStatus.CANCELLED),)
    hints_only = False
    says = frozenset(("check_in", "check_out", "phone", "changed_at", "owner_stay", "rooms", "code"))

    def body(self, booking: Booking) -> bytes:
        return orjson.dumps({"event": booking.happening, "booking": booking_json(booking)})

    def delivery(self, body: bytes, secret: str | None = None) -> Delivery:
        return Delivery({"x-acme-secret": secret or self.secret}, body, NOW)

    def external_id(self, booking: Booking, room: str | None = None) -> str:
        return f"{booking.id}:{room}" if room else booking.id

    def ref(self, booking: Booking) -> str:
        return booking.id

    def home(self, booking: Booking, room: str | None = None) -> str:
        return f"{booking.home}:{room}" if room else booking.home

    def cloud(self) -> AcmeCloud:
        return AcmeCloud(self.settings["key"])


class BareAcme(Acme):
    """The sound client of a platform that keeps no codes and has no inbox."""

    async def _not_offered(self, *_: object) -> None:
        msg = "Acme has nothing for this"
        raise NotOffered(msg)

    write_code = read_code = send_message = sent_texts = _not_offered  # type: ignore[assignment]  # they give nothing


class BareVendor(AcmeVendor):
    """The same vendor without what a platform may do without; its webhooks are hints."""

    platform = replace(
        PLATFORM,
        connect=lambda link: BareAcme(_connect(link)._vendor),
        hook=replace(PLATFORM.hook, read=_hint),
        writes_codes=False,
        sends_messages=False,
    )
    hints_only = True
    says = AcmeVendor.says - {"rooms"}


ACME, BARE = AcmeVendor(), BareVendor()
