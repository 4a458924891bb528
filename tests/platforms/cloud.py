"""What make-believe APIs have in common: they keep what they are asked, and go wrong when they are told to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.platforms.vendor import Booking


@dataclass(frozen=True)
class Sent:
    """One request as it came in."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes

    @classmethod
    def of(cls, request: Request, raw: bytes) -> "Sent":
        return cls(request.method, request.url.path, dict(request.query_params), request.headers, raw)

    @property
    def body(self) -> Any:
        return orjson.loads(self.raw) if self.raw else None


class PretendedApi:
    """An API. ``refusal`` looks at every request before it is answered, sign-ins excepted."""

    SIGN_INS: ClassVar[frozenset[str]] = frozenset()
    """Paths with which a token is got."""

    def __init__(self, routes: list[Route]) -> None:
        self.requests: list[tuple[str, str]] = []
        self.seen: list[Request] = []
        """The same requests, whole; their bodies stand in ``bodies``."""
        self.bodies: list[bytes] = []
        self.faults: list[int | str] = []
        self.ignores_codes = False
        self.tokens: set[str] = set()
        """Those that are taken."""
        self.numbers = count(1)
        """For whatever needs one of its own."""
        self.app = Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._gate)])

    def refusal(self, request: Request, raw: bytes) -> Response | None:
        """The answer to a request that is not let in."""
        raise NotImplementedError

    def failing(self, status: int) -> Response:
        """The answer to a request that is told to go wrong."""
        return HTMLResponse("<html>Hello</html>", status)

    def finished(self, response: Response) -> Response:
        """Every answer on its way out: some tell how many calls are left."""
        return response

    def new_token(self, name: str = "invented-token") -> str:
        token = f"{name}-{next(self.numbers)}"
        self.tokens.add(token)
        return token

    def expire(self) -> None:
        """Take none of the tokens that were given out."""
        self.tokens.clear()

    async def _gate(self, request: Request, call_next) -> Response:
        raw = await request.body()
        self.requests.append((request.method, request.url.path))
        self.seen.append(request)
        self.bodies.append(raw)
        if request.url.path in self.SIGN_INS:
            return await call_next(request)
        if self.faults:
            fault = self.faults.pop(0)
            return HTMLResponse("<html>Hello</html>") if isinstance(fault, str) else self.failing(fault)
        return self.refusal(request, raw) or self.finished(await call_next(request))


class PretendedCloud(PretendedApi):
    """An API with bookings in it, behind a key, and with things for guests beside them."""

    OWNER: ClassVar[str]
    """The field in which what is kept for guests names its reservation."""

    def __init__(self, routes: list[Route]) -> None:
        super().__init__(routes)
        self.is_revoked = False
        self.bookings: dict[int, Booking] = {}
        self.codes: dict[int, dict[str, Any]] = {}
        """What is kept for guests beside the bookings, by its own number."""
        self.messages: dict[int, list[str]] = {}

    @property
    def sent(self) -> list[Sent]:
        """What came in so far."""
        return [Sent.of(request, raw) for request, raw in zip(self.seen, self.bodies, strict=True)]

    def put(self, booking: Booking) -> None:
        self.bookings[digits(booking.id)] = booking

    def drop(self, booking_id: str) -> None:
        ref = digits(booking_id)
        del self.bookings[ref]
        self.codes = {number: made for number, made in self.codes.items() if int(made[self.OWNER]) != ref}

    def messages_of(self, booking_id: str) -> list[str]:
        return self.messages.get(digits(booking_id), [])

    def revoke(self) -> None:
        self.is_revoked = True

    def keep(self, made: dict[str, Any]) -> int:
        """Have one more thing for guests, under a number of its own."""
        number = max(self.codes, default=100) + 1
        if not self.ignores_codes:
            self.codes[number] = made
        return number


def digits(name: str) -> int:
    """The number in a name: ``res-4711`` is 4711."""
    return int("".join(re.findall(r"[0-9]", name)))
