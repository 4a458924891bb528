"""What the contract suite needs of a make-believe vendor, and the one made of the simulator.

A driver for another brand brings its own :class:`Harness` (its make-believe vendor behind ``MisbehavingTransport``)
and is examined by the same checks.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol

import httpx
from starlette.types import ASGIApp

from lockbridge.contract import Connection, Pace, Provider, Receipt, Renew, SeenCode, Tokens
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities
from lockbridge.outbound import Patience
from providers.simulator import (
    PROVIDER,
    WRITES,
    Fault,
    Faults,
    HeldCode,
    HttpSimulator,
    InProcessSimulator,
    RuleSet,
    SimulatedLockApp,
    simulator_asgi,
)

START = datetime(2026, 3, 28, 9, 17, tzinfo=UTC)
"""The day before the clocks change in Europe: windows made from it cross the change."""
RETRY_AFTER = timedelta(seconds=17)


class Misdeed(StrEnum):
    """A way for a vendor to misbehave."""

    REFUSE = "refuses the credentials"
    THROTTLE = "throttles"
    VANISH = "cannot be connected to"
    UNAVAILABLE = "answers 503 and does nothing"
    SWALLOW = "does it and drops the connection"
    HANG = "does it and never answers"
    GATEWAY = "does it behind a gateway that answers 502"
    BABBLE = "does it and answers 200 with a web page"
    MISSHAPE = "does it and answers 200 with JSON of another kind"


NOT_DONE = (Misdeed.VANISH, Misdeed.UNAVAILABLE)
ANSWER_LOST = (Misdeed.SWALLOW, Misdeed.HANG, Misdeed.GATEWAY, Misdeed.BABBLE, Misdeed.MISSHAPE)
ANSWER_BROKEN = NOT_DONE + ANSWER_LOST


class Harness(Protocol):
    """A make-believe vendor with one connected account and one lock, and the driver under examination."""

    provider: Provider
    lock: LockRef
    capabilities: Capabilities
    misdeeds: frozenset[Misdeed]
    sets_at_once: bool
    """Making a code takes one request; else the answer to the first may be lost before the second is made."""

    def now(self) -> datetime:
        """The vendor's clock."""
        ...

    def settle(self) -> None:
        """Let the time pass that accepted writes need to reach the lock."""
        ...

    def misbehave(self, misdeed: Misdeed) -> None:
        """From now on every request goes wrong in this way."""
        ...

    def behave(self) -> None:
        """Everything works again."""
        ...

    def stranger(self, name: str, pin: Pin, window: Window | None = None) -> CodeRef:
        """A code made with the vendor's own app."""
        ...

    def take_off(self, ref: CodeRef) -> None:
        """A code deleted with the vendor's own app."""
        ...

    def fill(self) -> None:
        """Strangers' codes until there is no room."""
        ...

    def offline(self) -> None:
        """The lock cannot be reached from now on."""
        ...

    def jam(self) -> None:
        """The next code is accepted and never reaches the lock."""
        ...

    def holds(self) -> tuple[HeldCode, ...]:
        """What is physically on the lock."""
        ...

    def opens(self, pin: Pin, at: datetime) -> bool:
        """Whether the door opens."""
        ...

    def writes(self) -> int:
        """How many requests to change something have reached the vendor."""
        ...


@dataclass
class Clock:
    """A clock that is set by hand."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at


class SimulatorHarness:
    """The simulator as a make-believe vendor, its driver in the same process: faults are switched on in the app."""

    misdeeds = frozenset(Misdeed) - {Misdeed.BABBLE, Misdeed.MISSHAPE}
    sets_at_once = True
    _faults: ClassVar[dict[Misdeed, Faults]] = {
        Misdeed.THROTTLE: Faults(rate_limited=1.0, retry_after=RETRY_AFTER),
        Misdeed.VANISH: Faults(error_before=1.0),
        Misdeed.UNAVAILABLE: Faults(error_before=1.0),
        Misdeed.SWALLOW: Faults(lost_answer=1.0),
        Misdeed.HANG: Faults(lost_answer=1.0),
        Misdeed.GATEWAY: Faults(error_after=1.0),
    }

    def __init__(self, rules: str | RuleSet) -> None:
        self.now = Clock()
        self.app = SimulatedLockApp(self.now, random.Random(7))
        self.lock = self.app.add_lock("front-door", name="Front door", rules=rules, zone="Europe/Berlin", battery=0.8)
        self.capabilities = self.app.rules_of(self.lock).capabilities
        self.provider: Provider = InProcessSimulator(self.app)

    def settle(self) -> None:
        self.now.at += timedelta(minutes=10)

    def misbehave(self, misdeed: Misdeed) -> None:
        if misdeed is Misdeed.REFUSE:
            self.app.disconnect()
        else:
            self.app.set_faults(self._faults[misdeed])

    def behave(self) -> None:
        self.app.reconnect()
        self.app.set_faults(None)

    def stranger(self, name: str, pin: Pin, window: Window | None = None) -> CodeRef:
        return self.app.add_by_hand(self.lock, name, pin.digits, window)

    def take_off(self, ref: CodeRef) -> None:
        self.app.delete_by_hand(self.lock, ref)

    def fill(self) -> None:
        self.app.fill(self.lock)

    def offline(self) -> None:
        self.app.offline(self.lock)

    def jam(self) -> None:
        self.app.script(self.lock, Fault.NEVER_CONFIRMED)

    def holds(self) -> tuple[HeldCode, ...]:
        return self.app.holds(self.lock)

    def opens(self, pin: Pin, at: datetime) -> bool:
        return self.app.opens(self.lock, pin.digits, at)

    def writes(self) -> int:
        return sum(self.app.calls[verb] for verb in WRITES)

    async def close(self) -> None:
        """Nothing to close in process."""


class MisbehavingTransport(httpx.AsyncBaseTransport):
    """Between a driver and its make-believe vendor: lets requests through, or not, or loses what comes back."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.misdeed: Misdeed | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        match self.misdeed:
            case None:
                return await self._inner.handle_async_request(request)
            case Misdeed.VANISH:
                raise httpx.ConnectError(self.misdeed, request=request)
            case Misdeed.REFUSE:
                return httpx.Response(401, text="<h1>Who are you?</h1>")
            case Misdeed.THROTTLE:
                pause = str(int(RETRY_AFTER.total_seconds()))
                return httpx.Response(429, headers={"Retry-After": pause}, text="slow down")
            case Misdeed.UNAVAILABLE:
                return httpx.Response(503, text="down for maintenance")
        return await self._lose(request, await self._inner.handle_async_request(request))

    async def _lose(self, request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        body = await answer.aread()
        await answer.aclose()
        match self.misdeed:
            case Misdeed.SWALLOW:
                raise httpx.RemoteProtocolError(self.misdeed, request=request)
            case Misdeed.HANG:
                raise httpx.ReadTimeout(self.misdeed, request=request)
            case Misdeed.GATEWAY:
                return httpx.Response(502, text=f"<h1>Bad gateway</h1>{body!r}")
            case Misdeed.MISSHAPE:
                return httpx.Response(200, json=["surprise", request.content.decode()])
        return httpx.Response(200, text=f"<html>Welcome to the hotel network {request.content!r}</html>")

    async def aclose(self) -> None:
        await self._inner.aclose()


async def no_sleep(_: float) -> None:
    """A pause that takes no time."""


class KnownToken:
    """Somebody who has signed in already."""

    def __init__(self, token: str = "token") -> None:
        self.token = token

    async def current(self, renew: Renew, *, refused: str | None = None) -> str:
        return self.token if refused is None else (await renew(None)).access


class NoPace:
    """No limit to the calls."""

    async def turn(self) -> None:
        pass

    async def heard(self, remaining: int, resets_at: datetime) -> None:
        pass


class NoNotebook:
    """An account with a connection needs none."""

    async def codes(self, lock: LockRef) -> Sequence[SeenCode]:
        raise NotImplementedError

    async def ask_to_set(self, lock: LockRef, spec: CodeSpec) -> CodeRef:
        raise NotImplementedError

    async def ask_to_remove(self, lock: LockRef, ref: CodeRef) -> Receipt:
        raise NotImplementedError


def connection(
    settings: Mapping[str, str],
    http: httpx.AsyncClient,
    now: Callable[[], datetime],
    tokens: Tokens | None = None,
    pace: Pace | None = None,
) -> Connection:
    """What a driver under examination is given."""
    return Connection("examined", settings, http, now, tokens or KnownToken(), pace or NoPace(), NoNotebook())


class HttpHarness(SimulatorHarness):
    """The simulator behind its HTTP interface. ``inner`` carries the requests (None: straight into the ASGI app)."""

    misdeeds = frozenset(Misdeed)

    def __init__(
        self, rules: str | RuleSet, inner: httpx.AsyncBaseTransport | None = None, url: str = "http://vendor"
    ) -> None:
        super().__init__(rules)
        self.transport = MisbehavingTransport(inner or httpx.ASGITransport(self.asgi()))
        self.http = httpx.AsyncClient(transport=self.transport)
        self._url = url
        self.provider = self.driver()

    def asgi(self) -> ASGIApp:
        """The make-believe vendor's HTTP interface."""
        return simulator_asgi(self.app)

    def driver(self, kind: Callable[..., Provider] = HttpSimulator) -> Provider:
        """A driver of this kind, its account connected to the vendor; its pauses take no time."""
        settings = {"url": self._url, "token": "simulator"}
        connected = PROVIDER.connect(connection(settings, self.http, self.now))
        return kind(replace(connected._vendor, patience=Patience(sleep=no_sleep)))

    def misbehave(self, misdeed: Misdeed) -> None:
        self.transport.misdeed = misdeed

    def behave(self) -> None:
        self.transport.misdeed = None

    async def close(self) -> None:
        await self.http.aclose()
