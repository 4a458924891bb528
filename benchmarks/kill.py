"""T8: a worker is killed with SIGKILL three times while 64 pushes are in flight; and the intake under full load."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import httpx
from sqlalchemy import func, select, update

from benchmarks.beside import Beside, beside, start
from benchmarks.figures import Figure
from benchmarks.ground import Ground
from benchmarks.intake import prepare, request
from benchmarks.load import Load, ask_all
from benchmarks.processes import settings_for
from benchmarks.push import LOCKS, seed
from lockbridge.bootstrap import Instead, services
from lockbridge.services import Services
from lockbridge.storage import tables
from lockbridge.storage.vault import open_vault

KILLS = 3
ALLOWED = 200


async def measure(ground: Ground, number: int, webhooks: int) -> Sequence[Figure]:
    """T8 on both databases."""
    figures: list[Figure] = []
    for kind in ("sqlite", "postgresql"):
        lost, twice = await _killed_worker(ground, kind, number)
        figures.append(
            Figure("T8", f"{kind}: codes lost, {KILLS} kills in {number:,} pushes", str(lost), "0", lost == 0)
        )
        good = twice <= ALLOWED * KILLS
        what = f"{kind}: asked for twice, each absorbed (one code on the lock)"
        figures.append(Figure("T8", what, f"{twice} in {KILLS} kills", f"≤ {ALLOWED} a kill", good))
        missing = await _killed_intake(ground, kind, webhooks)
        what = f"{kind}: webhooks acknowledged but missing after a kill"
        figures.append(Figure("T8", what, str(missing), "0", missing == 0))
    return figures


async def _killed_worker(ground: Ground, kind: str, number: int) -> tuple[int, int]:
    url = ground.fresh(kind)
    key = ground.key_file(url)
    with beside("simulator", str(LOCKS)) as simulator:
        async with services(settings_for(url), Instead(vault=open_vault(key, create=True))) as built:
            seed(built, simulator.port, LOCKS, number)
            for kill in range(KILLS):
                worker = start("worker", url, str(key))
                await _until(built, number * (kill + 1) // (KILLS + 1), worker)
                worker.kill()
                _end_leases(built)
            with beside("worker", url, str(key)) as worker:
                assert worker.line() == "drained"
        return _missing(simulator.port, number)


async def _until(built: Services, number: int, worker: Beside) -> None:
    """Wait until so many codes are set, or the worker ended."""
    confirmed = select(func.count()).select_from(tables.PLACEMENT).where(tables.PLACEMENT.c.state == "set")

    def enough() -> bool:
        with built.database.read() as connection:
            return bool(connection.execute(confirmed).scalar_one() >= number)

    await wait(lambda: worker.process.poll() is not None or enough())


async def wait(until: Callable[[], bool]) -> None:
    """Look every 10 ms, for two minutes at most."""
    for _ in range(12_000):
        if until():
            return
        await asyncio.sleep(0.01)


def _end_leases(built: Services) -> None:
    """As if the time a dead worker's leases last had passed."""
    with built.database.write() as connection:
        now = datetime.now(UTC)
        held = update(tables.LOCK).where(tables.LOCK.c.lease.is_not(None))
        connection.execute(held.values(lease_until=now, next_at=now))


def _missing(port: int, number: int) -> tuple[int, int]:
    """How many codes are on no lock, and how many were set more than once."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"authorization": "Bearer control"}) as control:
        held = [len(control.get(f"/control/locks/L{lock}").json()["holds"]) for lock in range(LOCKS)]
        asked = control.get("/control/calls").json()["set"]
    return number - sum(held), asked - number


async def _killed_intake(ground: Ground, kind: str, number: int) -> int:
    """The server is killed half way through; every webhook it answered with 200 must be there."""
    url = ground.fresh(kind)
    address = await prepare(ground, url, 0)
    requests = [request(address.token, index) for index in range(number)]
    server = start("intake", url, str(ground.key_file(url)))
    asking = asyncio.create_task(ask_all(server.port, requests))
    async with services(settings_for(url), Instead(vault=open_vault(ground.key_file(url)))) as built:
        await wait(lambda: asking.done() or _stored(built) >= number // 2)
        server.kill()
        load: Load = await asking
        return len(load.acknowledged) - _stored(built, {f"id:msg_{index}" for index in load.acknowledged})


def _stored(built: Services, keys: set[str] | None = None) -> int:
    with built.database.read() as connection:
        if keys is None:
            return int(connection.execute(select(func.count()).select_from(tables.DELIVERY)).scalar_one())
        return sum(1 for row in connection.execute(select(tables.DELIVERY.c.dedupe_key)) if row.dedupe_key in keys)
