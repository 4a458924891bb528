"""Telling open pages that something of their host has changed: one look every two seconds, however many are open."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lockbridge.domain.ids import HostId
from lockbridge.services import Services
from lockbridge.storage import live as marks
from lockbridge.storage.database import StorageUnavailable
from lockbridge.web.desk import Seeing
from lockbridge.web.streaming import Event, stream
from lockbridge.workflows import sign_in

router = APIRouter()

GLANCE_SECONDS = 2
BEAT = 7
"""After how many looks without news a browser is sent a sign of life, and its session is looked at."""
LIFE = 30
"""After how many looks a stream ends; the browser comes back by itself and is asked for its session anew."""
MOST_STREAMS = 200
COME_BACK = 3_000
COME_BACK_LATER = 30_000
"""Milliseconds after which a browser tries again, the latter when there are too many already."""
CHANGED = "changed"


async def glance() -> None:
    """The pause between two looks."""
    await asyncio.sleep(GLANCE_SECONDS)


@dataclass
class Watcher:
    """Looks at one host as long as somebody listens, and tells each listener what it saw at each look."""

    listeners: set["asyncio.Queue[str | None]"] = field(default_factory=set)
    task: "asyncio.Task[None] | None" = None

    def tell(self, seen: str | None) -> None:
        """Hand a look to everybody who listens; None: there was nothing to be seen."""
        for listener in self.listeners:
            listener.put_nowait(seen)


@dataclass
class Live:
    """The streams of this process. ``pause`` is awaited between two looks."""

    services: Services
    pause: Callable[[], Awaitable[None]] = glance
    watchers: dict[HostId, Watcher] = field(default_factory=dict)

    @property
    def streams(self) -> int:
        """How many browsers listen."""
        return sum(len(watcher.listeners) for watcher in self.watchers.values())

    async def changes(self, host: HostId, known: str, session: str) -> AsyncGenerator[Event, None]:
        """``changed`` each time something of the host has, first if it is not as the browser knows it.

        Ends when the session is over, and after a minute: the browser comes back.
        """
        if self.streams >= MOST_STREAMS:
            yield Event(retry=COME_BACK_LATER)
            return
        with self._listening(host) as looks:
            seen = await self._look(host) or known
            yield Event(CHANGED if known and seen != known else "", id=seen, retry=COME_BACK)
            async for event in self._news(looks, seen, session):
                yield event

    async def _news(self, looks: "asyncio.Queue[str | None]", seen: str, session: str) -> AsyncGenerator[Event, None]:
        for beat in range(1, LIFE + 1):
            found = await looks.get() or seen
            if found == seen and beat % BEAT:
                continue
            if await sign_in.known_by(self.services, session, self.services.clock.now()) is None:
                return
            yield Event(CHANGED, id=found) if found != seen else Event()
            seen = found

    def _listening(self, host: HostId) -> "_Listening":
        return _Listening(self, host)

    async def watch(self, host: HostId) -> None:
        """Look again and again as long as somebody listens."""
        watcher = self.watchers[host]
        while watcher.listeners:
            await self.pause()
            watcher.tell(await self._look(host))

    async def _look(self, host: HostId) -> str | None:
        with suppress(StorageUnavailable):
            return marks.token(await self.services.database.ask(marks.mark, host))
        return None


@dataclass
class _Listening:
    """For as long as somebody listens to a host."""

    live: Live
    host: HostId
    looks: "asyncio.Queue[str | None]" = field(default_factory=asyncio.Queue)

    def __enter__(self) -> "asyncio.Queue[str | None]":
        watcher = self.live.watchers.setdefault(self.host, Watcher())
        watcher.listeners.add(self.looks)
        if watcher.task is None:
            watcher.task = asyncio.create_task(self.live.watch(self.host))
        return self.looks

    def __exit__(self, *_: object) -> None:
        watcher = self.live.watchers[self.host]
        watcher.listeners.discard(self.looks)
        if not watcher.listeners and watcher.task is not None:
            watcher.task.cancel()
            del self.live.watchers[self.host]


def live_of(request: Request, services: Services) -> Live:
    """The streams of this process, made when somebody listens first."""
    found: Live | None = getattr(request.app.state, "live", None)
    if found is None:
        found = request.app.state.live = Live(services)
    return found


@router.get("/live")
async def live(desk: Seeing, since: str = "") -> Response:
    """Server-sent events: ``changed`` whenever something of this host has changed."""
    known = desk.request.headers.get("last-event-id", "") or since
    changes = live_of(desk.request, desk.services).changes(desk.host, known, desk.session_token)
    return stream(desk.request, changes)
