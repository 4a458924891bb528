"""A console for tests: the pages over the whole engine, and people in front of it who click and type."""

import html as entities
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from lockbridge.domain.ids import HostId
from lockbridge.domain.people import Role
from lockbridge.services import Services
from lockbridge.storage import people
from lockbridge.storage.database import Database
from lockbridge.web.app import build_web
from lockbridge.web.security import csrf_token
from lockbridge.workflows import sign_in
from lockbridge.workflows.sign_in import FirstOwner
from tests.workflows.engine import Engine

URL = "http://lockbridge.test"
PASSWORD = "a door for everyone"


@dataclass
class Browser:
    """Somebody at the console: gets pages, sends forms with the page's token, follows no redirect by itself."""

    client: httpx.AsyncClient
    services: Services
    base: str

    async def get(self, path: str = "", **options: Any) -> httpx.Response:
        """A page; a path that does not begin with / is one of the host's."""
        return await self.client.get(self.at(path), **options)

    async def post(self, path: str = "", _files: Any = None, **fields: Any) -> httpx.Response:
        """Send a form."""
        token = csrf_token(self.services.vault, self.client.cookies.get("lockbridge") or "")
        return await self.client.post(self.at(path), data={"csrf": token, **fields}, files=_files)

    async def text(self, path: str = "") -> str:
        """What a page says, without its markup."""
        answer = await self.get(path)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return plain(answer.text)

    async def follow(self, answer: httpx.Response) -> str:
        """What the page says that a form led to."""
        assert answer.status_code == 303, (answer.status_code, plain(answer.text))
        return await self.text(answer.headers["location"])

    def at(self, path: str) -> str:
        """The path as the server knows it."""
        return path if path.startswith("/") else f"{self.base}/{path}".rstrip("/")


def plain(page: str) -> str:
    """A page as one reads it: markup away, white space as single blanks."""
    body = re.sub(r"<(style|script)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(entities.unescape(re.sub(r"<[^>]+>", " ", body)).split())


@dataclass
class Console:
    """A host's console over an engine; ``owner`` is signed in."""

    engine: Engine
    web: Any
    owner: Browser = field(init=False)
    stack: AsyncExitStack

    @property
    def host(self) -> HostId:
        return self.engine.host

    async def person(self, role: Role = Role.OWNER, *, host: HostId | None = None, name: str = "") -> Browser:
        """Somebody of this role, signed in; of another ``host`` where one is given."""
        name = name or role.value.capitalize()
        email, at = f"{name.lower()}{host or self.host}@example.com", host or self.host
        new = FirstOwner("", name, email, PASSWORD)
        services = self.engine.services
        number = await sign_in.add_person(services, at, new, role, self.engine.now)
        row = await services.database.ask(people.get, services.vault, number)
        begun = await sign_in.begin(services, row, "a test", self.engine.now)
        client = await self.stranger()
        client.cookies.set("lockbridge", begun.token)
        return Browser(client, services, f"/console/{self.host}")

    async def stranger(self) -> httpx.AsyncClient:
        """A browser in which nobody is signed in."""
        transport = httpx.ASGITransport(app=self.web)
        return await self.stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=URL))

    async def finish(self) -> None:
        """Wait for the work that forms have started."""
        await self.web.background.finish()


OpenConsole = Callable[..., Awaitable[Console]]


@pytest.fixture
async def opened(open_database: Callable[..., Database]) -> AsyncIterator[OpenConsole]:
    """Opens consoles and closes them after the test: ``await opened(url, {"front": "standard"}, …)``."""
    async with AsyncExitStack() as stack:

        async def open_one(url: str, rules: dict[str, Any] | None = None, **options: Any) -> Console:
            engine = await Engine.start(open_database(url, read_threads=0), rules, **options)
            stack.push_async_callback(engine.close)
            web = build_web(engine.services, max_body=1_000_000, url=URL)
            found = Console(engine, web, stack)
            found.owner = await found.person(Role.OWNER)
            return found

        yield open_one


@pytest.fixture
async def console(opened: OpenConsole, sqlite_url: str) -> Console:
    """A console on a fresh SQLite database: one host, one property, one lock, an owner."""
    return await opened(sqlite_url)


@pytest.fixture
async def any_console(opened: OpenConsole, database_url: str) -> Console:
    """The same on a fresh database, once of each kind."""
    return await opened(database_url)
