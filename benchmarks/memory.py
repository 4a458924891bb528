"""T7: how much memory each process takes after work, and how little that grows with the tables.

Resident memory, shared pages included, of the commands that people run (``python -m lockbridge serve``, …): nothing of
the benchmarks is in them.
"""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from subprocess import PIPE

import uvloop
from sqlalchemy import Select, func, select

from benchmarks.beside import ROOT, beside, lockbridge
from benchmarks.figures import Figure
from benchmarks.ground import Ground, fill
from benchmarks.intake import prepare, request
from benchmarks.kill import wait
from benchmarks.load import Load, ask_all
from benchmarks.processes import settings_for
from benchmarks.push import LOCKS, seed
from lockbridge.bootstrap import Instead, build
from lockbridge.storage.database import Database
from lockbridge.storage.tables import LOCK, PLACEMENT
from lockbridge.storage.vault import open_vault

PACKAGES = """
import cryptography.hazmat.primitives.ciphers.aead, httptools, orjson, prometheus_client, pydantic_settings, sqlmodel
import starlette.routing, structlog, typer, uvicorn, uvloop
from benchmarks.beside import resident_mb
print(resident_mb("self"))
"""
"""What an intake process cannot do without, before the first line of lockbridge itself."""
LIMITS = {"intake": 80, "worker": 120, "all-in-one": 160}
PROBES = [f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode() for path in ("/ready", "/metrics")]


def measure(ground: Ground, rows: int, number: int) -> Sequence[Figure]:
    """T7 on SQLite: each process after its work; the worker again beside ``rows`` codes that are not due."""
    used = {
        "intake": _serving(ground, number, "--without-worker"),
        "worker": _working(ground, 10_000),
        "all-in-one": _serving(ground, number),
    }
    figures = [
        Figure("T7", f"sqlite: resident memory, {what}", f"{used[what]:.0f} MB", f"≤ {limit} MB", used[what] <= limit)
        for what, limit in LIMITS.items()
    ]
    figures.append(
        Figure("T7", "for comparison: the packages of an intake process, only imported", f"{_packages():.0f} MB")
    )
    grown = _idle(ground, rows) / _idle(ground, 10_000) - 1
    what = f"sqlite: growth of the worker from 10k to {rows:,} codes"
    figures.append(Figure("T7", what, f"{grown:+.0%}", "≤ 10 %", grown <= 0.10))
    return figures


def _packages() -> float:
    return float(subprocess.run([sys.executable, "-c", PACKAGES], cwd=ROOT, stdout=PIPE, text=True, check=True).stdout)


def _serving(ground: Ground, number: int, *options: str) -> float:
    url, port = ground.fresh("sqlite"), _free_port()
    address = asyncio.run(prepare(ground, url, 0))
    requests = PROBES + [request(address.token, index) for index in range(number)]
    with lockbridge("serve", *options, settings=_settings(ground, url, port)) as server:
        load = uvloop.run(_ask(port, requests))
        assert load.statuses == {200: len(requests)}, load.statuses
        return server.resident_mb()


async def _ask(port: int, requests: Sequence[bytes]) -> Load:
    await wait(lambda: _listens(port))
    return await ask_all(port, requests)


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _settings(ground: Ground, url: str, port: int = 8080) -> Mapping[str, object]:
    """The usual settings, with as many calls at once as the other measurements make."""
    places = {"database.url": url, "secrets.key_file": ground.key_file(url), "server.port": port}
    return {**places, "worker.account_parallel": 64, "log.level": "error"}


def _working(ground: Ground, number: int) -> float:
    url = ground.fresh("sqlite")
    not_set = select(func.count()).select_from(PLACEMENT).where(PLACEMENT.c.state != "set")
    with beside("simulator", str(LOCKS)) as simulator:
        asyncio.run(_seed(ground, url, simulator.port, number))
        return _worker_after(ground, url, not_set)


def _idle(ground: Ground, rows: int) -> float:
    """A worker with 5,000 due locks of accounts that nobody answers for: it claims, loads and notes all of them."""
    url = ground.fresh("sqlite")
    fill(url, rows)
    open_vault(ground.key_file(url), create=True)
    now = datetime.now(UTC)
    untried = select(func.count()).select_from(LOCK).where(LOCK.c.waits == 0, LOCK.c.next_at <= now)
    return _worker_after(ground, url, untried)


def _worker_after(ground: Ground, url: str, left: Select[int]) -> float:
    """What a worker takes when none of these rows is left."""
    database = Database(url, read_threads=0)
    with lockbridge("worker", settings=_settings(ground, url)) as worker:
        asyncio.run(wait(lambda: _count(database, left) == 0))
        used = worker.resident_mb()
    database.dispose()
    return used


def _count(database: Database, rows: Select[int]) -> int:
    with database.read() as connection:
        return int(connection.execute(rows).scalar_one())


async def _seed(ground: Ground, url: str, port: int, number: int) -> None:
    built = build(settings_for(url), Instead(vault=open_vault(ground.key_file(url), create=True)))
    seed(built, port, LOCKS, number)
    await built.close()
