"""A program that calls the public API of a host, over the whole engine."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from lockbridge.domain.ids import HostId
from lockbridge.domain.people import Scope
from lockbridge.storage import api_keys, people
from lockbridge.storage.api_keys import NewApiKey
from lockbridge.storage.database import Database
from lockbridge.storage.tables import AUDIT
from lockbridge.web.app import build_web
from lockbridge.workflows import connect
from tests.platforms.make_believe import Booking
from tests.workflows.engine import Engine

URL = "http://lockbridge.test"
EVERY_SCOPE = frozenset(Scope)


@dataclass
class Program:
    """A program with a key. Paths are those below ``/api/v1``."""

    client: httpx.AsyncClient

    async def call(self, method: str, path: str, sent: Any = None, *, key: str | None = None, **more: Any) -> Any:
        headers = {"idempotency-key": key} if key is not None else {}
        headers |= more.pop("headers", {})
        body = {"json": sent} if sent is not None else {}
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **body, **more)

    async def get(self, path: str, **query: Any) -> Any:
        """What a call was answered that went well."""
        answer = await self.call("GET", path, params=query)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    async def send(self, method: str, path: str, sent: Any = None, *, key: str | None = None) -> Any:
        """What a call was answered that changed something."""
        answer = await self.call(method, path, sent, key=key)
        assert answer.status_code in {200, 201, 202}, (answer.status_code, answer.text)
        return answer.json()

    async def refused(self, method: str, path: str, sent: Any = None, **more: Any) -> tuple[int, Any]:
        """The status and the document of a call that went wrong."""
        answer = await self.call(method, path, sent, **more)
        assert answer.headers["content-type"] == "application/problem+json", (answer.status_code, answer.text)
        said = answer.json()
        assert said["status"] == answer.status_code
        return answer.status_code, said

    async def every(self, path: str, **query: Any) -> list[Any]:
        """Everything a list holds, page by page."""
        found, cursor = [], {}
        while True:
            page = await self.get(path, **query, **cursor)
            found += page["items"]
            if page["next"] is None or page.get("more") is False:
                return found
            cursor = {"cursor": page["next"]}


@dataclass
class Api:
    """A host's API over an engine; ``program`` has a key with every scope."""

    engine: Engine
    web: Any
    stack: AsyncExitStack
    program: Program = field(init=False)
    keys: Iterable[int] = field(default_factory=lambda: count(1))

    async def of(self, *scopes: Scope, host: HostId | None = None, token: str | None = None) -> Program:
        """A program with a key of its own; of another ``host`` where one is given."""
        token = token or f"lbk_{next(self.keys):040}"
        new = NewApiKey(f"test {token[-4:]}", token[-4:], frozenset(scopes) or EVERY_SCOPE)
        owner, now = host or self.engine.host, self.engine.now
        await self.engine.write(lambda c: api_keys.add(c, owner, people.digest(token), new, now))
        return await self.stranger({"authorization": f"Bearer {token}"})

    async def stranger(self, headers: dict[str, str] | None = None) -> Program:
        """A program without a key, or with these headers."""
        transport = httpx.ASGITransport(app=self.web)
        client = httpx.AsyncClient(transport=transport, base_url=URL, headers=headers)
        return Program(await self.stack.enter_async_context(client))

    async def finish(self) -> None:
        """Wait for the tasks that calls have started."""
        await self.web.background.finish()

    async def booked(self, **facts: Any) -> int:
        """The number of a stay that was booked at a platform."""
        await self.engine.book(**facts)
        return self.engine.stay(facts.get("id", Booking.id)).id


OpenApi = Callable[..., Awaitable[Api]]


@pytest.fixture
async def opened(open_database: Callable[..., Database]) -> AsyncIterator[OpenApi]:
    """Opens APIs and closes them after the test: ``await opened(url, {"front": "standard"}, …)``."""
    async with AsyncExitStack() as stack:

        async def open_one(url: str, rules: dict[str, Any] | None = None, **options: Any) -> Api:
            engine = await Engine.start(open_database(url, read_threads=0), rules, **options)
            stack.push_async_callback(engine.close)
            found = Api(engine, build_web(engine.services, max_body=1_000_000, url=URL), stack)
            found.program = await found.of()
            return found

        yield open_one


@pytest.fixture
async def api(opened: OpenApi, sqlite_url: str) -> Api:
    """An API on a fresh SQLite database: one host, one property, one lock."""
    return await opened(sqlite_url)


@pytest.fixture
async def any_api(opened: OpenApi, database_url: str) -> Api:
    """The same on a fresh database, once of each kind."""
    return await opened(database_url)


@pytest.fixture
def program_deeds(api: Api) -> Callable[[], list[tuple[str, str, str]]]:
    """Asks who did what, the first first."""

    def asked() -> list[tuple[str, str, str]]:
        with api.engine.world.database.read() as connection:
            rows = connection.execute(select(AUDIT).order_by(AUDIT.c.id))
            return [(row.who, row.what, row.about) for row in rows]

    return asked


@pytest.fixture
async def ben(api: Api) -> Program:
    """A program of another host."""
    other = await connect.add_host(api.engine.services, "Ben Host", "ben@example.com", api.engine.now)
    return await api.of(host=other)
