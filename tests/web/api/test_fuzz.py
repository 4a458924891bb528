"""Whatever is sent, the API answers as its description says: no 5xx, and no answer that is not documented.

Schemathesis makes the calls, right ones and wrong ones, against a server on loopback with a filled database.
"""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)

from lockbridge.domain.people import Scope
from lockbridge.storage import api_keys, people
from lockbridge.storage.api_keys import NewApiKey
from lockbridge.storage.database import Database
from lockbridge.web.api import build_api
from lockbridge.web.app import build_web
from tests.web.conftest import served
from tests.workflows.engine import DAY, Engine

TOKEN = "lbk_of_the_fuzzer"
EXAMPLES = 15
KNOWN = {"stay": 3, "lock": 2, "place": 1, "task": 1}
"""How many of each there are at least: numbers count from 1."""

SEMANTIC = PositiveDataAcceptanceConfig(expected_statuses=["2xx", "401", "403", "404", "409", "422", "429"])
"""What a schema cannot say – that a departure is after an arrival, a zone exists, a door is a stay's – is a 422."""
CONFIG = SchemathesisConfig(
    projects=ProjectsConfig(
        default=ProjectConfig(
            generation=GenerationConfig(deterministic=True, max_examples=EXAMPLES, no_shrink=True),
            checks=ChecksConfig(positive_data_acceptance=SEMANTIC),
        )
    )
)
schema = schemathesis.openapi.from_dict(build_api(None).openapi(), config=CONFIG)


def is_odd(value: Any) -> bool:
    """Whether it is half of the numbers that the description allows."""
    return type(value) is int and 0 < value < 2**63 and value % 2 == 1


@schema.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Every other number is one that exists."""
    for name, value in (path_parameters or {}).items():
        if name in KNOWN and is_odd(value):
            path_parameters[name] = value % KNOWN[name] + 1
    return path_parameters


@schema.hook
def map_body(_context: Any, body: Any) -> Any:
    """As above, for what is named in a body."""
    for name in ("property_id", "lock_id") if isinstance(body, dict) else ():
        if is_odd(body.get(name)):
            body[name] = 1
    return body


@dataclass
class Stage:
    """A server in a thread of its own, over an engine with some stays."""

    loop: asyncio.AbstractEventLoop
    engine: Engine
    url: str
    stop: asyncio.Event

    def later(self) -> None:
        """Time passes: a key may not call too often."""
        self.loop.call_soon_threadsafe(self.engine.clock.set, self.engine.now + timedelta(seconds=10))


@pytest.fixture(scope="module")
def stage(postgres: Any) -> Iterator[Stage]:
    """The server, for all operations; on PostgreSQL, which takes less than SQLite does."""
    name = postgres.create()
    ready: Future[Stage] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_perform(postgres.url(name), ready)))
    thread.start()
    found = ready.result(60)
    yield found
    found.loop.call_soon_threadsafe(found.stop.set)
    thread.join()
    postgres.leave(name)


async def _perform(url: str, ready: "Future[Stage]") -> None:
    async with AsyncExitStack() as stack:
        database = Database(url, read_threads=0)
        stack.callback(database.dispose)
        engine = await Engine.start(database, {"front": "standard", "cellar": "slots"})
        stack.push_async_callback(engine.close)
        for number in range(KNOWN["stay"]):
            await engine.book(id=f"S-{number}", code=f"C-{number}", arrival=f"2026-06-{11 + number}")
        await engine.until(engine.now + DAY)
        key = NewApiKey("fuzz", "uzz", frozenset(Scope))
        await engine.write(lambda c: api_keys.add(c, engine.host, people.digest(TOKEN), key, engine.now))
        web, stop = build_web(engine.services, max_body=1_000_000), asyncio.Event()
        port = await stack.enter_async_context(served(web))
        ready.set_result(Stage(asyncio.get_running_loop(), engine, f"http://127.0.0.1:{port}/api/v1", stop))
        await stop.wait()
        await web.background.finish()


@pytest.fixture(scope="module")
def session(stage: Stage) -> Iterator[requests.Session]:
    """Connections that are kept."""
    with requests.Session() as kept:
        kept.trust_env = False
        yield kept


@schema.parametrize()
@settings(suppress_health_check=list(HealthCheck), deadline=None)
def test_every_answer_is_one_that_is_documented(case: Any, stage: Stage, session: requests.Session) -> None:
    stage.later()
    case.call_and_validate(
        base_url=stage.url, session=session, headers={"Authorization": f"Bearer {TOKEN}"}, allow_redirects=False
    )
