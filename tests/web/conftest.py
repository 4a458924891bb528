"""A site for tests: the web over real services and a real database of each kind, served on a loopback socket."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
import orjson
import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import func, select
from starlette.routing import BaseRoute

from lockbridge.bootstrap import Instead, build
from lockbridge.clock import VirtualClock
from lockbridge.config import Settings
from lockbridge.domain.ids import HostId
from lockbridge.messaging.console import MemoryChannel
from lockbridge.services import Services
from lockbridge.signatures import sign_standard_webhook
from lockbridge.storage.database import Database
from lockbridge.storage.tables import DELIVERY, MESSAGE
from lockbridge.storage.vault import KeyRing, Vault
from lockbridge.web import site as site_pages
from lockbridge.web.app import Web, build_web
from lockbridge.web.server import listen, serve
from lockbridge.workflows import connect
from lockbridge.workflows.connect import Address

START = datetime(2026, 6, 1, 10, 0, tzinfo=UTC)
MAX_BODY = 1_000_000
site_pages.Pages = cache(site_pages.Pages)
"""Templates are compiled once for all tests, not for each of them."""


@pytest.fixture(autouse=True, scope="session")
def _work_out_routes_once() -> Iterator[None]:
    """What FastAPI works out about each route is kept: for every test anew, it would be a third of its time."""
    known: dict[tuple[Any, ...], BaseRoute] = {}
    include = FastAPI.include_router

    def including(self: FastAPI, router: APIRouter, **how: Any) -> None:
        key = (id(router), *sorted(how.items()))
        if key in known:
            self.router.routes.append(known[key])
        else:
            include(self, router, **how)
            known[key] = self.router.routes[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FastAPI, "include_router", including)
        yield


def shows(page: str, digits: str) -> bool:
    """Whether the digits stand in a page, by themselves: random tokens hold any four digits now and then."""
    return re.search(rf"(?<![\w-]){digits}(?![\w-])", page) is not None


def booking(**changes: Any) -> bytes:
    """A webhook body of the generic platform."""
    data = {
        "id": "R1",
        "property": "P1",
        "status": "confirmed",
        "arrival": "2026-06-10",
        "departure": "2026-06-12",
        "guest": {"name": "Ben Example", "phone": "+15550101234"},
    }
    return orjson.dumps({"type": "reservation.created", "data": {**data, **changes}})


@dataclass
class Site:
    """A running web, its services, a client, and one host with an address."""

    services: Services
    clock: VirtualClock
    web: Web
    client: httpx.AsyncClient
    host: HostId
    address: Address
    port: int

    @property
    def path(self) -> str:
        return f"/webhooks/generic/{self.address.token}"

    def signed(self, body: bytes, event: str = "e1") -> dict[str, str]:
        return sign_standard_webhook(self.address.secret, event, self.clock.now(), body)

    async def post(self, body: bytes, event: str = "e1", **options: Any) -> httpx.Response:
        return await self.client.post(self.path, content=body, headers=self.signed(body, event), **options)

    def deliveries(self) -> list[Any]:
        with self.services.database.read() as connection:
            return list(connection.execute(select(DELIVERY).order_by(DELIVERY.c.id)))

    def told(self, kind: str) -> int:
        with self.services.database.read() as connection:
            return connection.execute(select(func.count()).where(MESSAGE.c.kind == kind)).scalar_one()

    def instead(self, **parts: Any) -> None:
        """Give the running hooks other services from now on."""
        self.web.hooks.services = replace(self.web.hooks.services, **parts)


OpenSite = Callable[..., Awaitable[Site]]


@pytest.fixture
async def open_site(open_database: Callable[..., Database]) -> AsyncIterator[OpenSite]:
    """Opens sites and closes them after the test: ``await open_site(url, pulse=…)``."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_one(url: str, **options: Any) -> Site:
            clock = VirtualClock(START)
            parts = Instead(
                database=open_database(url), vault=Vault(KeyRing.fresh()), clock=clock, channel=MemoryChannel()
            )
            services = build(Settings(), parts)
            stack.push_async_callback(services.close)
            host = await connect.add_host(services, "Ana", "ana@example.com", clock.now())
            address = await connect.add_address(services, host, "generic", None, clock.now())
            web = build_web(services, max_body=MAX_BODY, **options)
            port = await stack.enter_async_context(served(web))
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}"))
            return Site(services, clock, web, client, host, address, port)

        yield open_one


@contextlib.asynccontextmanager
async def served(web: Any, stop: asyncio.Event | None = None) -> AsyncIterator[int]:
    """The application on a free loopback port."""
    at = listen("127.0.0.1", 0)
    port = at.getsockname()[1]
    async with served_at(web, at, stop):
        yield port


@contextlib.asynccontextmanager
async def served_at(web: Any, at: socket.socket, stop: asyncio.Event | None = None) -> AsyncIterator[None]:
    """The application on this socket."""
    stopping = stop or asyncio.Event()
    serving = asyncio.create_task(serve(web, at, stopping))
    try:
        yield
    finally:
        stopping.set()
        await serving


@pytest.fixture
async def site(open_site: OpenSite, database_url: str) -> Site:
    """A site on a fresh database, once of each kind."""
    return await open_site(database_url)


@pytest.fixture
async def sqlite_site(open_site: OpenSite, sqlite_url: str) -> Site:
    """A site on a fresh SQLite database."""
    return await open_site(sqlite_url)


DAY = timedelta(days=1)
