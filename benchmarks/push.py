"""T3: what is due is pushed over HTTP nearly as fast as a bare loop can ask – intents and results written down.

The loop is httpx as it comes, with the transport that drivers have. Both run in uvloop, as the worker does.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import httpx

from benchmarks.beside import beside
from benchmarks.figures import Figure, ratio
from benchmarks.ground import Ground
from benchmarks.processes import ACCOUNTS, drain, settings_for
from lockbridge.bootstrap import Instead, services
from lockbridge.domain.code import CodeKind, Pin, Window
from lockbridge.domain.ids import CodeId, HostId, LockId, PlacementId
from lockbridge.domain.lock import Capabilities
from lockbridge.domain.placement import Placement
from lockbridge.http_client import transport
from lockbridge.services import Services
from lockbridge.storage import codes, tables
from lockbridge.storage.hosts import CREDENTIALS
from lockbridge.storage.rows import dump_capabilities, seal_json
from lockbridge.storage.vault import open_vault

LOCKS = 200
AT_ONCE = 64


async def measure(ground: Ground, number: int, rounds: int) -> Sequence[Figure]:
    """T3 on both databases: ``number`` codes, in turn with the bare loop."""
    figures = []
    for kind in ("sqlite", "postgresql"):
        ratios, ours, bare = [], [], []
        for _ in range(rounds):
            bare.append(await _bare(number))
            ours.append(await _ours(ground, kind, number))
            ratios.append(bare[-1] / ours[-1])
        rates = f"{number / median(ours):,.0f} codes/s ÷ {number / median(bare):,.0f} codes/s"
        figures.append(
            ratio("T3", f"{kind}: {number:,} codes pushed ÷ bare httpx loop", median(ratios), 0.80, note=rates)
        )
    return figures


async def _bare(number: int) -> float:
    """The same requests – each lock's list, then its codes one after the other – by a loop that keeps nothing."""
    with beside("simulator", str(LOCKS)) as simulator:
        base = f"http://127.0.0.1:{simulator.port}"
        gate = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(transport=transport()) as http:
            started = time.perf_counter()
            await asyncio.gather(*(_bare_lock(http, gate, base, lock, number // LOCKS) for lock in range(LOCKS)))
            return time.perf_counter() - started


async def _bare_lock(http: httpx.AsyncClient, gate: asyncio.Semaphore, base: str, lock: int, number: int) -> None:
    headers = {"authorization": f"Bearer token{lock % ACCOUNTS}"}
    starts = datetime.now(UTC)
    async with gate:
        (await http.get(f"{base}/locks/L{lock}/codes", headers=headers)).raise_for_status()
        for key in range(number):
            spec = {"pin": f"{key + 1000:04}", "name": f"Guest {key}", **_span(starts)}
            answer = await http.post(f"{base}/locks/L{lock}/codes", json=spec, headers=headers)
            answer.raise_for_status()
            answer.json()


def _span(starts: datetime) -> dict[str, str]:
    return {"starts": starts.isoformat(), "ends": (starts + timedelta(days=2)).isoformat()}


async def _ours(ground: Ground, kind: str, number: int) -> float:
    url = ground.fresh(kind)
    with beside("simulator", str(LOCKS)) as simulator:
        vault = open_vault(ground.key_file(url), create=True)
        async with services(settings_for(url), Instead(vault=vault)) as built:
            seed(built, simulator.port, LOCKS, number)
            started = time.perf_counter()
            await drain(built)
            taken = time.perf_counter() - started
            assert confirmed(built) == number
            return taken


def confirmed(built: Services) -> int:
    """How many codes are known to be on their locks."""
    with built.database.read() as connection:
        done = tables.PLACEMENT.select().where(tables.PLACEMENT.c.state == "set")
        return len(connection.execute(done).all())


def seed(built: Services, port: int, locks: int, number: int) -> None:
    """A host with accounts at the simulator, locks, and so many codes that are due now."""
    now = datetime.now(UTC)
    with built.database.write() as connection:
        host = {"id": 1, "name": "Bench", "language": "en", "settings": {}, "created_at": now}
        connection.execute(tables.HOST.insert().values(**host))
        connection.execute(tables.LOCK_APP.insert(), [_account(built, key, port, now) for key in range(ACCOUNTS)])
        text = dump_capabilities(Capabilities(max_codes=100_000))
        connection.execute(tables.LOCK.insert(), [_lock(key, text, now) for key in range(locks)])
        for start in range(0, number, 1000):
            page = range(start, min(number, start + 1000))
            codes.insert_codes(connection, [_code(key, now) for key in page])
            placed = [_placement(key, locks, now) for key in page]
            codes.insert_placements(connection, built.vault, HostId(1), placed)


def _account(built: Services, key: int, port: int, now: datetime) -> dict[str, Any]:
    settings = {"url": f"http://127.0.0.1:{port}", "token": f"token{key}"}
    sealed = seal_json(built.vault, settings, CREDENTIALS)
    values = {"id": key + 1, "host_id": 1, "provider": "simulator", "name": f"App {key}", "state": "connected"}
    return {**values, "settings_sealed": sealed, "created_at": now}


def _lock(key: int, text: str, now: datetime) -> dict[str, Any]:
    zero = {"missing": False, "seen_count": 0, "waits": 0, "look_at": now + timedelta(days=1), "next_at": now}
    app = key % ACCOUNTS + 1
    return {
        "id": key + 1,
        "host_id": 1,
        "lock_app_id": app,
        "ref": f"L{key}",
        "name": f"L{key}",
        "capabilities": text,
        **zero,
    }


def _code(key: int, now: datetime) -> dict[str, Any]:
    kind = {"kind": CodeKind.GUEST.value, "pin_reason": "", "pin_detail": "", "name_reason": "", "name_detail": ""}
    times = {"opens_at": now, "closes_at": now + timedelta(days=2), "created_at": now}
    return {"id": key + 1, "host_id": 1, "name": f"Guest {key}", **kind, **times}


def _placement(key: int, locks: int, now: datetime) -> Placement:
    return Placement(
        id=PlacementId(0),
        code=CodeId(key + 1),
        lock=LockId(key % locks + 1),
        kind=CodeKind.GUEST,
        pin=Pin(f"{key // locks + 1000:04}"),
        name=f"Guest {key}",
        window=Window(now, now + timedelta(days=2)),
        push_at=now - timedelta(minutes=1),
        remove_at=now + timedelta(days=3),
        made_at=now - timedelta(days=1),
    )
