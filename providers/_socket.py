"""The one way to ask a vendor that speaks JSON over a WebSocket: question and answer by number, over one kept line.

The rules are those of ``outbound``, for every brand alike:

* a **read** that fails is ``Unreachable``, after at most three tries within five seconds;
* a **write** is sent once. No line to send it on: ``Unreachable``. Sent and the answer lost (timeout, dropped line),
  unintelligible, or a refusal the brand's table does not explain: ``OutcomeUnknown``;
* a line that cannot be opened with these credentials is ``AccountRefused``;
* no message holds an address, a body or a credential.

The line is opened when it is first needed, kept, and opened anew by the next call after it was lost. It uses the
session of the HTTP client that the driver was given, and ends with it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol, TypeAlias, TypeVar

import aiohttp
import httpx
import orjson
from httpx_aiohttp import AiohttpTransport

from lockbridge.contract import AccountRefused, OutcomeUnknown, ProviderError, Unreachable
from lockbridge.outbound import ErrorTable, Patience

T = TypeVar("T")

OPENED_WITHIN = 10.0
ANSWERED_WITHIN = 30.0
"""Seconds. Behind these servers is a radio: a lock that sleeps between beams takes its time."""
_PULSE = 30.0
_LONGEST_MESSAGE = 64 * 1024 * 1024
_NONSENSE = (LookupError, TypeError, ValueError, AttributeError)
_REFUSING = frozenset({401, 403})


class LineLost(Exception):
    """The line is closed, or what comes over it is no JSON."""


class Line(Protocol):
    """An open WebSocket."""

    async def send(self, text: str) -> None:
        """Hand a message to the line. Raises LineLost."""
        ...

    async def receive(self) -> str:
        """The next message. Raises LineLost."""
        ...

    async def close(self) -> None:
        """Be done with it; raises nothing."""
        ...


Dial: TypeAlias = Callable[[], Awaitable[Line]]
"""Opens a line. Raises ProviderError."""


class Greeting:
    """What is said before questions are numbered: versions, credentials."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def say(self, message: Mapping[str, Any]) -> None:
        """Send a message as it is."""
        await self._line.send(orjson.dumps(message).decode())

    async def hear(self) -> Any:
        """The next message."""
        return orjson.loads(await self._line.receive())


@dataclass(frozen=True, slots=True)
class Call:
    """One question. ``writes``: it changes something, so it is sent once. ``errors`` is this call's own table."""

    message: Mapping[str, Any] = field(repr=False)
    writes: bool = False
    errors: ErrorTable | None = None
    patience: float = 1.0
    """How many times longer than usual the answer may take."""


class _Talk:
    """A line that has been greeted: numbers questions, hands out their answers, passes on what nobody asked for."""

    def __init__(self, line: Line, socket: "Socket") -> None:
        self._line, self._socket = line, socket
        self._numbers = count(1)
        self._waiting: dict[Any, asyncio.Future[Any]] = {}
        self.is_over = False
        self._listening = asyncio.create_task(self._listen())

    async def exchange(self, message: Mapping[str, Any], within: float) -> Mapping[str, Any]:
        """The answer to a question. Raises LineLost or TimeoutError."""
        number = self._socket.number(next(self._numbers))
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(within):
                await self._line.send(orjson.dumps({**message, self._socket.numbered: number}).decode())
                found = await answer
        finally:
            del self._waiting[number]
        if found is None:
            raise LineLost
        return found  # type: ignore[no-any-return]  # what _take put there

    async def _listen(self) -> None:
        try:
            while True:
                self._take(orjson.loads(await self._line.receive()))
        except (LineLost, ValueError):
            pass
        finally:
            self.is_over = True
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_result(None)
            await self._line.close()

    def _take(self, message: Any) -> None:
        if not isinstance(message, dict):
            raise LineLost
        if message.get("type") != "result":
            with suppress(*_NONSENSE):
                self._socket.heard(message)
            return
        answer = self._waiting.get(message.get(self._socket.numbered))
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def end(self) -> None:
        """Also of a line to which nobody has begun to listen."""
        self.is_over = True
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening
        await self._line.close()


@dataclass(slots=True)
class _Kept:
    """The line under way, if any, and who may open another."""

    talk: _Talk | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


def _ignore(_: Mapping[str, Any]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Socket:
    """One account at one vendor: how to get a line, what to say first, and how its refusals read.

    A question is a JSON object with its number under ``numbered``; its answer has ``type: "result"``, the same
    number, ``success`` and ``result``. Every other message is ``heard``; it may be nonsense.
    ``greet`` raises ProviderError, or LookupError, TypeError, ValueError or AttributeError for an answer without sense.
    """

    dial: Dial
    greet: Callable[[Greeting], Awaitable[None]]
    errors: ErrorTable
    numbered: str = "id"
    number: Callable[[int], Any] = int
    heard: Callable[[Mapping[str, Any]], None] = _ignore
    patience: Patience = field(default_factory=Patience)
    within: float = ANSWERED_WITHIN
    _kept: _Kept = field(default_factory=_Kept, repr=False, compare=False)

    async def ask(self, call: Call, parse: Callable[[Any], T]) -> T:
        """Ask and read the answer's ``result`` with ``parse``, which raises as ``greet`` for one without sense.

        Raises ProviderError only.
        """
        if call.writes:
            return await self._once(call, parse)
        return await self.patience.read(lambda: self._once(call, parse))

    async def ready(self) -> None:
        """Have a line. Raises ProviderError, never OutcomeUnknown."""
        await self.patience.read(self._talk)

    async def close(self) -> None:
        """Be done with the line; the next call opens another."""
        if self._kept.talk is not None:
            await self._kept.talk.end()

    async def _once(self, call: Call, parse: Callable[[Any], T]) -> T:
        talk = await self._talk()
        try:
            answer = await talk.exchange(call.message, self.within * call.patience)
        except (LineLost, TimeoutError) as error:
            msg = f"the lock app's answer was lost ({type(error).__name__})"
            raise _lost(msg, call) from None
        return self._read(answer, parse, call)

    def _read(self, answer: Mapping[str, Any], parse: Callable[[Any], T], call: Call) -> T:
        if answer.get("success") is not True:
            meaning = (call.errors or self.errors).meaning(0, answer)
            if meaning is None:
                msg = "the lock app failed"
                raise _lost(msg, call)
            raise meaning(meaning.said.format(who="the lock app"))
        try:
            return parse(answer["result"])
        except _NONSENSE:
            msg = "the lock app's answer makes no sense"
            raise _lost(msg, call) from None

    async def _talk(self) -> _Talk:
        async with self._kept.turn:
            if self._kept.talk is None or self._kept.talk.is_over:
                self._kept.talk = await self._opened()
            return self._kept.talk

    async def _opened(self) -> _Talk:
        line = await self.dial()
        try:
            async with asyncio.timeout(OPENED_WITHIN):
                await self.greet(Greeting(line))
        except ProviderError:
            await line.close()
            raise
        except (LineLost, TimeoutError, *_NONSENSE):
            await line.close()
            msg = "the lock app does not greet as it should"
            raise Unreachable(msg) from None
        return _Talk(line, self)


def _lost(message: str, call: Call) -> ProviderError:
    return OutcomeUnknown(message) if call.writes else Unreachable(message)


# -- the real line ----------------------------------------------------------------------------------------------


class _WebSocket:
    """A line over aiohttp."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError):
            raise LineLost from None

    async def receive(self) -> str:
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise LineLost
        return str(message.data)

    async def close(self) -> None:
        with suppress(aiohttp.ClientError, OSError):
            await self._socket.close()
        self._socket._response.close()  # noqa: SLF001 - aiohttp leaves it open when the other end just vanished


def dialer(http: httpx.AsyncClient, url: str) -> Dial:
    """Opens lines to a ``ws://`` or ``wss://`` address over the connections of this client."""

    async def dial() -> Line:
        try:
            async with asyncio.timeout(OPENED_WITHIN):
                socket = await _session(http).ws_connect(url, heartbeat=_PULSE, max_msg_size=_LONGEST_MESSAGE)
        except aiohttp.WSServerHandshakeError as error:
            raise _unopened(error.status) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            msg = f"no connection to the lock app ({type(error).__name__})"
            raise Unreachable(msg) from None
        return _WebSocket(socket)

    return dial


def _unopened(status: int) -> ProviderError:
    if status in _REFUSING:
        return AccountRefused(AccountRefused.said.format(who="the lock app"))
    return Unreachable(f"the lock app answered {status} instead of opening a WebSocket")


def _session(http: httpx.AsyncClient) -> aiohttp.ClientSession:
    """The client's own session: one pool, one end."""
    transport = http._transport  # noqa: SLF001 - httpx has no public way to its transport
    if http.is_closed or not isinstance(transport, AiohttpTransport):
        msg = "this HTTP client cannot open a WebSocket"
        raise Unreachable(msg)
    if not isinstance(transport.client, aiohttp.ClientSession):
        transport.client = transport.get_client()
    return transport.client


def websocket_url(address: str, path: str = "") -> str:
    """The address as ``ws://…`` or ``wss://…``, with the path behind it. Raises AccountRefused when it is none."""
    text = address.strip().rstrip("/")
    for plain, upgraded in (("http://", "ws://"), ("https://", "wss://")):
        text = upgraded + text.removeprefix(plain) if text.startswith(plain) else text
    try:
        parsed = httpx.URL(text)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in {"ws", "wss"} or not parsed.host:
        msg = "the address begins with ws://, wss://, http:// or https://"
        raise AccountRefused(msg)
    return text if not path or text.endswith(path) else text + path
