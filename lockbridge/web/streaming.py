"""Answers that go on: server-sent events, until nobody listens, the page has had its time, or the server stops."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.requests import Request

from lockbridge.web.server import STOPPING

HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""No proxy between us and the browser keeps events back until it has many."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event; without a name it only keeps the line open. ``id`` comes back when the browser does.

    ``retry`` is after how many milliseconds it comes back.
    """

    name: str = ""
    data: str = "-"
    id: str = ""
    retry: int | None = None

    def written(self) -> bytes:
        """The event on the wire."""
        lines = [f"id: {self.id}"] if self.id else []
        lines += [f"retry: {self.retry}"] if self.retry is not None else []
        lines += [f"event: {self.name}", *(f"data: {line}" for line in self.data.split("\n"))] if self.name else []
        return "\n".join([*(lines or [": still here"]), "", ""]).encode()


def stream(request: Request, events: AsyncGenerator[Event, None]) -> StreamingResponse:
    """An answer that sends these events as they come, and ends when they end or the server stops."""
    written = until(request.scope.get(STOPPING), events)
    return StreamingResponse(written, media_type="text/event-stream", headers=HEADERS)


async def until(stopping: asyncio.Event | None, events: AsyncGenerator[Event, None]) -> AsyncIterator[bytes]:
    """The events on the wire, until ``stopping`` is set."""
    stopped = asyncio.create_task(_set(stopping or asyncio.Event()))
    try:
        while (event := await _next(events, stopped)) is not None:
            yield event.written()
    finally:
        stopped.cancel()
        await events.aclose()


async def _next(events: AsyncGenerator[Event, None], stopped: "asyncio.Task[None]") -> Event | None:
    upcoming = asyncio.create_task(_one(events))
    either: set[asyncio.Task[Any]] = {upcoming, stopped}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not upcoming.done():
            upcoming.cancel()
            with suppress(asyncio.CancelledError):
                await upcoming
    return None if upcoming.cancelled() else upcoming.result()


async def _set(stopping: asyncio.Event) -> None:
    await stopping.wait()


async def _one(events: AsyncGenerator[Event, None]) -> Event | None:
    return await anext(events, None)
