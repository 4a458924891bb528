"""Engines for tests: built on a fresh database of each kind, closed afterwards."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from lockbridge.storage.database import Database
from tests.workflows.engine import Engine

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
