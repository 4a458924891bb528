"""Engines for tests: built on a fresh database of each kind, closed afterwards."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from lockbridge.services import Services
from lockbridge.storage.database import Database
from tests.workflows.engine import Engine, World, close

Start = Callable[..., Awaitable[Engine]]


@pytest.fixture
async def start(database_url: str, open_database: Callable[..., Database]) -> AsyncIterator[Start]:
    """Starts engines on one fresh database, once of each kind: ``await start({"front": "standard"}, …)``."""
    started: list[Engine] = []
    database = open_database(database_url, read_threads=0)

    async def start_one(rules: dict[str, Any] | None = None, **options: Any) -> Engine:
        started.append(await Engine.start(database, rules, **options))
        return started[-1]

    yield start_one
    for engine in started:
        await engine.close()


@pytest.fixture
async def crowd(open_database: Callable[..., Database]) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """An engine and more processes beside it, each with sessions and threads of its own.

    ``engine, processes = await crowd(url, 3, {"front": "standard"}, …)``
    """
    opened: list[Services] = []

    async def gather(url: str, number: int, rules: dict[str, Any] | None = None, **options: Any):
        engine = await Engine.start(open_database(url), rules, **options)
        world = engine.world
        worlds = [
            World(open_database(url), world.vault, world.clock, world.app, world.mail, world.events)
            for _ in range(number)
        ]
        processes = [one.process(engine.tap, inline=False) for one in worlds]
        opened.extend((engine.services, *processes))
        return engine, processes

    yield gather
    for services in opened:
        await close(services)
