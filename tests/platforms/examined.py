"""A client under examination: connected to its vendor's make-believe cloud over real HTTP, in any weather."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lockbridge.accounts.tokens import DraftTokens
from lockbridge.clock import VirtualClock
from lockbridge.contract import Grant, Renew
from lockbridge.outbound import Patience, client
from lockbridge.outbound import Vendor as Asked
from lockbridge.platforms.contract import Client, Fetched, Link, Platform, ReservationEvent, StayRef
from tests.contract.harness import no_sleep
from tests.contract.serving import ServedApp
from tests.platforms.vendor import NOW, Booking, Vendor

RETRY_AFTER = timedelta(seconds=17)


class Fault(StrEnum):
    """A way in which a request goes wrong."""

    THROTTLED = "429 with Retry-After, nothing done"
    DOWN = "503, nothing done"
    BROKEN = "done, and 500"
    GATEWAY = "done, and 502"
    PAGE = "done, and 200 with a web page"
    DROPPED = "done, and the connection dropped in the middle of the answer"

    @property
    def does_it(self) -> bool:
        return self not in {Fault.THROTTLED, Fault.DOWN}


STATUS = {Fault.THROTTLED: 429, Fault.DOWN: 503, Fault.BROKEN: 500, Fault.GATEWAY: 502, Fault.PAGE: 200}
LOST = (Fault.BROKEN, Fault.GATEWAY, Fault.PAGE, Fault.DROPPED)


@dataclass
class Weather:
    """Between the server and the cloud: lets requests through, or not, or spoils what comes back."""

    app: ASGIApp
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of every request."""
    fault: Fault | None = None
    only_writes: bool = False
    spared: int = 0
    """How many more requests go well."""
    lasts: int = 1_000_000
    """How many requests go wrong after that."""
    answers: Callable[[bytes], bytes] | None = None
    """What is made of the body of every good answer to a read."""

    def strike(self, fault: Fault, *, only_writes: bool = False, after: int = 0, lasts: int = 1_000_000) -> None:
        """From now on every request (or write) goes wrong in this way, except the next few."""
        self.fault, self.only_writes, self.spared, self.lasts = fault, only_writes, after, lasts

    def clear(self) -> None:
        self.fault, self.answers = None, None

    @property
    def writes(self) -> int:
        return sum(method != "GET" for method, _ in self.asked)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append((scope["method"], scope["path"]))
        if self._is_fair(scope):
            if self.answers is not None and scope["method"] == "GET":
                return await self._altered(scope, receive, send)
            return await self.app(scope, receive, send)
        assert self.fault is not None
        if self.fault.does_it:
            await self.app(scope, receive, _nowhere)
        return await _spoilt(self.fault, send)

    def _is_fair(self, scope: Scope) -> bool:
        if self.fault is None or (self.only_writes and scope["method"] == "GET"):
            return True
        if self.spared > 0:
            self.spared -= 1
            return True
        self.lasts -= 1
        return self.lasts < 0

    async def _altered(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        assert self.answers is not None
        changed = self.answers(body) if sent[0]["status"] == 200 else body
        headers = [(name, value) for name, value in sent[0]["headers"] if name != b"content-length"]
        await send({**sent[0], "headers": [*headers, (b"content-length", b"%d" % len(changed))]})
        await send({"type": "http.response.body", "body": changed})


async def _nowhere(_: Message) -> None:
    """Where an answer goes that nobody gets."""


async def _spoilt(fault: Fault, send: Send) -> None:
    """The answer in bad weather. A server closes the connection when an answer ends before its length."""
    if fault is Fault.DROPPED:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"64")]})
        return
    headers = [(b"content-type", b"text/html")]
    if fault is Fault.THROTTLED:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER.total_seconds()))
    await send({"type": "http.response.start", "status": STATUS[fault], "headers": headers})
    await send({"type": "http.response.body", "body": b"<html>Welcome to the hotel network</html>"})


class CountedTokens(DraftTokens):
    """The tokens of an account, and how often it signed in."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.signed_in: list[Grant] = []

    async def current(self, renew: Renew, *, refused: str | None = None) -> str:
        async def counted(before: Grant | None) -> Grant:
            self.signed_in.append(await renew(before))
            return self.signed_in[-1]

        return await super().current(counted, refused=refused)


class FreePace:
    """No limit to the calls; how many there were."""

    def __init__(self) -> None:
        self.turns = 0

    async def turn(self) -> None:
        self.turns += 1

    async def heard(self, remaining: int, resets_at: datetime) -> None:
        assert remaining >= 0
        assert resets_at.tzinfo is not None


async def no_fetch(url: str, headers: Mapping[str, str]) -> Fetched:
    raise NotImplementedError


class Examined:
    """One vendor's client, its account connected to a new cloud."""

    def __init__(self, vendor: Vendor, http: httpx.AsyncClient, served: ServedApp) -> None:
        cloud = vendor.cloud()
        assert cloud is not None
        self.vendor, self.cloud, self.http, self.url = vendor, cloud, http, served.url
        self.weather = Weather(cloud.app)
        served.asgi = self.weather
        self.clock = VirtualClock(NOW)
        self.tokens, self.pace = CountedTokens(self.clock), FreePace()
        self.client: Any = self.connect()

    @property
    def platform(self) -> Platform:
        return self.vendor.platform

    def connect(self, **settings: str) -> Client:
        """The client with the host's answers to the form; its pauses take no time."""
        assert self.platform.connect is not None
        link = Link(
            account="examined",
            settings={"url": address(self.platform, self.url), **self.vendor.settings, **settings},
            http=self.http,
            now=self.clock.now,
            tokens=self.tokens,
            pace=self.pace,
            fetch=no_fetch,
        )
        return in_no_time(self.platform.connect(link))

    async def stays(self, booking: Booking) -> Sequence[ReservationEvent]:
        """What the API says of a booking that was put into the cloud."""
        self.cloud.put(booking)
        return await self.client.reservation(self.vendor.ref(booking))

    def stay(self, booking: Booking, room: str | None = None) -> StayRef:
        """How the platform names the stay."""
        vendor = self.vendor
        return StayRef(
            vendor.ref(booking), vendor.external_id(booking, room), vendor.home(booking, room), booking.booked_on
        )


def address(platform: Platform, url: str) -> str:
    """The cloud's address in the form's terms: what a host would type in to reach it."""
    (default,) = (each.default or "" for each in platform.fields if each.name == "url")
    return url + urlsplit(default).path.rstrip("/")


def in_no_time(made: Any, tries: int = 3) -> Any:
    """The client with pauses that take no time: wherever it keeps its ways to the vendor."""
    for name in (*getattr(made, "__dict__", ()), *getattr(type(made), "__slots__", ())):
        value = getattr(made, name, None)
        if isinstance(value, Asked):
            patience = Patience(tries=tries, sleep=no_sleep)
            object.__setattr__(made, name, replace(value, patience=patience))
    return made


@asynccontextmanager
async def examining(vendor: Vendor, served: ServedApp) -> AsyncIterator[Examined]:
    """A client under examination until the block ends."""
    async with client() as http:
        yield Examined(vendor, http, served)


def junk_everywhere(body: bytes, junk: Sequence[object]) -> list[bytes]:
    """The JSON with each of its values replaced, one at a time, by each piece of junk."""
    whole = orjson.loads(body)
    return [orjson.dumps(changed) for changed in _variants(whole, junk)]


def _variants(value: Any, junk: Sequence[object]) -> list[Any]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [(key, variant) for key, each in pairs for variant in _variants(each, junk)]
    return [*junk, *(_with(value, key, variant) for key, variant in inner)]


def _with(whole: Any, key: Any, value: Any) -> Any:
    changed = whole.copy()
    changed[key] = value
    return changed
