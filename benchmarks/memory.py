"""T7: how much memory each process takes after work, and how little that grows with the tables."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import uvloop
from sqlalchemy import func, select

from benchmarks.beside import beside
from benchmarks.figures import Figure
from benchmarks.ground import Ground, fill
from benchmarks.intake import prepare, request
from benchmarks.kill import wait
from benchmarks.load import ask_all
from benchmarks.processes import settings_for
from benchmarks.push import LOCKS, seed
from lockbridge.bootstrap import Instead, build
from lockbridge.storage.database import Database
from lockbridge.storage.tables import LOCK
from lockbridge.storage.vault import open_vault

LIMITS = {"intake": 80, "worker": 120, "all-in-one": 160}


def measure(ground: Ground, rows: int, number: int) -> Sequence[Figure]:
    """T7 on SQLite: each process after its work; the worker again beside ``rows`` codes that are not due."""
    used = {
        "intake": _serving(ground, "intake", number),
        "worker": _working(ground, 10_000),
        "all-in-one": _serving(ground, "all-in-one", number),
    }
    figures = [
        Figure("T7", f"sqlite: resident memory, {what}", f"{used[what]:.0f} MB", f"≤ {limit} MB", used[what] <= limit)
        for what, limit in LIMITS.items()
    ]
    grown = _idle(ground, rows) / _idle(ground, 10_000) - 1
    what = f"sqlite: growth of the worker from 10k to {rows:,} codes"
    figures.append(Figure("T7", what, f"{grown:+.0%}", "≤ 10 %", grown <= 0.10))
    return figures


def _serving(ground: Ground, what: str, number: int) -> float:
    url = ground.fresh("sqlite")
    address = asyncio.run(prepare(ground, url, 0))
    requests = [request(address.token, index) for index in range(number)]
    with beside(what, url, str(ground.key_file(url))) as server:
        uvloop.run(ask_all(server.port, requests))
        return server.resident_mb()


def _working(ground: Ground, number: int) -> float:
    url = ground.fresh("sqlite")
    with beside("simulator", str(LOCKS)) as simulator:
        asyncio.run(_seed(ground, url, simulator.port, number))
        with beside("worker", url, str(ground.key_file(url))) as worker:
            assert worker.line() == "drained"
            return worker.resident_mb()


def _idle(ground: Ground, rows: int) -> float:
    """A worker with 5,000 due locks of accounts that nobody answers for: it claims, loads and notes all of them."""
    url = ground.fresh("sqlite")
    fill(url, rows)
    open_vault(ground.key_file(url), create=True)
    database = Database(url, read_threads=0)
    with beside("worker", url, str(ground.key_file(url))) as worker:
        asyncio.run(wait(lambda: _untried(database) == 0))
        used = worker.resident_mb()
    database.dispose()
    return used


def _untried(database: Database) -> int:
    with database.read() as connection:
        untried = select(func.count()).select_from(LOCK).where(LOCK.c.waits == 0, LOCK.c.next_at <= datetime.now(UTC))
        return int(connection.execute(untried).scalar_one())


async def _seed(ground: Ground, url: str, port: int, number: int) -> None:
    built = build(settings_for(url), Instead(vault=open_vault(ground.key_file(url), create=True)))
    seed(built, port, LOCKS, number)
    await built.close()
