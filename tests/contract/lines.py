"""WebSockets for the contract suite: a line into an ASGI application, and one that loses what comes back."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import orjson
from starlette.types import ASGIApp, Message

from lockbridge.contract import AccountRefused, Provider, Unreachable
from providers._socket import Line, LineLost
from tests.contract.brands import Brand, BrandHarness
from tests.contract.harness import Misdeed

SOON = 0.1
"""Seconds: how long an answer is waited for that does not come."""


class AsgiLine:
    """A WebSocket straight into an ASGI application."""

    def __init__(self, app: ASGIApp) -> None:
        self._there: asyncio.Queue[Message] = asyncio.Queue()
        self._back: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b"", "subprotocols": []}
        self._app = asyncio.create_task(app(scope, self._there.get, self._back.put))
        self._app.add_done_callback(lambda _: self._back.put_nowait({"type": "websocket.close"}))

    @classmethod
    async def opened(cls, app: ASGIApp) -> "AsgiLine":
        """A line that the application took. Raises Unreachable when it did not."""
        line = cls(app)
        await line._there.put({"type": "websocket.connect"})
        if (await line._back.get())["type"] != "websocket.accept":
            msg = "refused"
            raise Unreachable(msg)
        return line

    async def send(self, text: str) -> None:
        if self._app.done():
            raise LineLost
        await self._there.put({"type": "websocket.receive", "text": text})

    async def receive(self) -> str:
        message = await self._back.get()
        if message["type"] != "websocket.send":
            raise LineLost
        return message["text"]

    async def close(self) -> None:
        await self._there.put({"type": "websocket.disconnect", "code": 1000})
        self._app.cancel()
        with suppress(asyncio.CancelledError):
            await self._app


class MisbehavingLine:
    """Lets messages through, or loses the answers to what is not spared: as the harness is told at the time."""

    def __init__(self, inner: Line, harness: "SocketHarness") -> None:
        self._inner, self._harness = inner, harness
        self._spared: set[object] = set()

    async def send(self, text: str) -> None:
        message = orjson.loads(text)
        self._harness.asked.append(message)
        if self._harness.spares(message):
            self._spared.add(message.get(self._harness.numbered))
        await self._inner.send(text)

    async def receive(self) -> str:
        while True:
            text = await self._inner.receive()
            message = orjson.loads(text)
            if self._harness.misdeed is None or not self._is_to_be_lost(message):
                return text
            if self._harness.misdeed is not Misdeed.HANG:
                return self._spoilt(message)

    def _is_to_be_lost(self, message: Mapping[str, Any]) -> bool:
        return message["type"] == "result" and message[self._harness.numbered] not in self._spared

    def _spoilt(self, message: Mapping[str, Any]) -> str:
        match self._harness.misdeed:
            case Misdeed.BABBLE:
                return f"<html>Welcome to the hotel network {message}</html>"
            case Misdeed.MISSHAPE:
                return orjson.dumps({**message, "success": True, "result": ["surprise", str(message)]}).decode()
        raise LineLost

    async def close(self) -> None:
        await self._inner.close()


class SocketHarness(BrandHarness):
    """A brand whose driver asks over a WebSocket.

    A driver for slots without a clock looks before it writes. In the verbs that write, misdeeds therefore leave every
    answer alone but that to the write itself – else no write would ever be reached; in the others, only the greeting.
    """

    misdeeds = frozenset(Misdeed) - {Misdeed.THROTTLE, Misdeed.UNAVAILABLE, Misdeed.GATEWAY}
    numbered = "id"
    lock_ref = "2"
    writing_verbs = ("set_code", "update_code", "remove_code", "open_door")

    def __init__(
        self, brand: Brand, kind: str, inner: httpx.AsyncBaseTransport | None = None, url: str = "http://vendor"
    ) -> None:
        self.misdeed: Misdeed | None = None
        self.is_writing = False
        self.asked: list[Mapping[str, Any]] = []
        self._lines: list[Line] = []
        super().__init__(brand, kind, inner, url)
        self.app.remove_lock(self.lock)
        rules = brand.rules[kind]
        self.lock = self.app.add_lock(self.lock_ref, name="Front door", rules=rules, zone="Europe/Berlin", battery=0.8)

    def is_greeting(self, message: Mapping[str, Any]) -> bool:
        """Whether it belongs to the opening of the line."""
        raise NotImplementedError

    def is_write(self, message: Mapping[str, Any]) -> bool:
        """Whether it changes something."""
        raise NotImplementedError

    def spares(self, message: Mapping[str, Any]) -> bool:
        """Whether misdeeds leave the answer to this message alone."""
        return self.is_greeting(message) or (self.is_writing and not self.is_write(message))

    def asgi(self) -> ASGIApp:
        self.served = super().asgi()
        return self.served

    def driver(self, kind: Callable[..., Provider] = lambda same: same) -> Provider:
        driver: Any = super().driver(kind)
        driver._vendor = replace(driver._vendor, dial=self.dial)
        for verb in self.writing_verbs:
            setattr(driver, verb, self._writing(getattr(driver, verb)))
        return driver  # type: ignore[no-any-return]  # a driver, whatever it is

    def _writing(self, verb: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def watched(*args: Any) -> Any:
            self.is_writing = True
            try:
                return await verb(*args)
            finally:
                self.is_writing = False

        return watched

    async def dial(self) -> Line:
        if self.misdeed is Misdeed.VANISH:
            raise Unreachable(self.misdeed)
        if self.misdeed is Misdeed.REFUSE:
            raise AccountRefused(self.misdeed)
        line = MisbehavingLine(await AsgiLine.opened(self.served), self)
        self._lines.append(line)
        return line

    def misbehave(self, misdeed: Misdeed) -> None:
        self.misdeed = misdeed
        if misdeed in {Misdeed.VANISH, Misdeed.REFUSE}:
            self._hang_up()
        if misdeed is Misdeed.HANG:
            self._wait_for(SOON)

    def behave(self) -> None:
        self.misdeed = None
        self._wait_for(10.0)

    def _wait_for(self, seconds: float) -> None:
        self.provider._vendor = replace(self.provider._vendor, within=seconds)  # type: ignore[attr-defined]

    def _hang_up(self) -> None:
        """The line is gone, and the driver has noticed."""
        self.provider._vendor._kept.talk = None  # type: ignore[attr-defined]

    async def close(self) -> None:
        for line in self._lines:
            await line.close()
        await self.provider._vendor.close()  # type: ignore[attr-defined]
        await super().close()
