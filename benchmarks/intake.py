"""T1, T2 and T9: a signed webhook is verified and durable before its 2xx, at most of the speed a bare insert allows."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from statistics import median
from typing import Literal

import orjson
import psycopg
import uvloop

from benchmarks.beside import beside
from benchmarks.figures import Figure, ratio
from benchmarks.ground import Ground
from benchmarks.load import Load, ask_all, post
from benchmarks.processes import settings_for
from benchmarks.push import seed
from lockbridge.bootstrap import Instead, build
from lockbridge.domain.ids import HostId
from lockbridge.signatures import sign_standard_webhook, standard_secret
from lockbridge.storage.vault import open_vault
from lockbridge.workflows.connect import Address, add_address

SECRET = standard_secret(b"a secret that is only for measuring")
DRAIN = 30_000


def measure(ground: Ground, number: int, rounds: int) -> Sequence[Figure]:
    """T1, T2 and T9 with ``number`` webhooks a round."""
    figures: list[Figure] = []
    for bench, kind, goal in (("T1", "sqlite", 0.60), ("T2", "postgresql", 0.80)):
        figures += _against_bare(ground, bench, kind, goal, number, rounds)
    return [*figures, *_while_draining(ground, number, rounds)]


def _against_bare(ground: Ground, bench: str, kind: str, goal: float, number: int, rounds: int) -> list[Figure]:
    ours, bare, singles = [], [], []
    for _ in range(rounds):
        bare.append(_bare(ground, kind, number))
        ours.append(_ours(ground, kind, number))
        singles.append(_single_rows(ground.fresh(kind)))
    ratios = [mine.per_second / raw.per_second for mine, raw in zip(ours, bare, strict=True)]
    rates = f"{median(o.per_second for o in ours):,.0f}/s ÷ {median(b.per_second for b in bare):,.0f}/s"
    figures = [ratio(bench, f"{kind}: intake, 64 connections ÷ bare group commit", median(ratios), goal, note=rates)]
    single = median(mine.per_second / rate for mine, rate in zip(ours, singles, strict=True))
    goal = 1.8 if kind == "sqlite" else 3.0
    most = median(raw.per_second / rate for raw, rate in zip(bare, singles, strict=True))
    note = f"{median(singles):,.0f} rows/s; bare group commit {most:.2f}"
    figures.append(ratio(bench, f"{kind}: intake ÷ raw single-row inserts", single, goal, note=note))
    p99 = median(mine.latency(0.99) for mine in ours)
    figures.append(Figure(bench, f"{kind}: p99 at 64 connections", f"{p99:.0f} ms", "≤ 100 ms", p99 <= 100))
    return figures


def _ours(ground: Ground, kind: str, number: int, *, draining: Literal["", "same", "apart"] = "") -> Load:
    """``draining``: a worker drains the same database meanwhile, or one apart."""
    url = ground.fresh(kind)
    key = str(ground.key_file(url))
    with beside("simulator", "200") as simulator:
        address = asyncio.run(prepare(ground, url, simulator.port if draining == "same" else 0))
        drained = url
        if draining == "apart":
            drained = ground.fresh(kind)
            asyncio.run(prepare(ground, drained, simulator.port))
        requests = [request(address.token, index) for index in range(number)]
        with beside("intake", url, key) as server:
            uvloop.run(ask_all(server.port, requests[:500]))
            if not draining:
                return _checked(uvloop.run(ask_all(server.port, requests[500:])))
            with beside("worker", drained, str(ground.key_file(drained))) as worker:
                assert worker.said == "ready"
                return _checked(uvloop.run(ask_all(server.port, requests[500:])))


def _checked(load: Load) -> Load:
    assert set(load.statuses) == {200}, load.statuses
    return load


async def prepare(ground: Ground, url: str, port: int) -> Address:
    """A host with a webhook address; with a port also locks and codes that are due at the simulator there."""
    built = build(settings_for(url), Instead(vault=open_vault(ground.key_file(url), create=True)))
    seed(built, port, 200, DRAIN if port else 0)
    address = await add_address(built, HostId(1), "generic", SECRET, datetime.now(UTC))
    await built.close()
    return address


def request(token: str, index: int) -> bytes:
    """A signed webhook of about a kilobyte about one reservation."""
    guest = {"name": f"Guest {index}", "phone": f"+1415555{index % 10000:04}", "email": f"guest{index}@example.com"}
    data = {"id": f"R{index}", "code": f"HM{index}", "property": "P1", "status": "confirmed", "guest": guest}
    data |= {"arrival": "2030-06-01", "departure": "2030-06-04", "check_in": "16:00", "check_out": "11:00"}
    notes = "A house by the sea with two doors. " * 17
    body = orjson.dumps({"type": "reservation.created", "data": {**data, "notes": notes}})
    headers = sign_standard_webhook(SECRET, f"msg_{index}", datetime.now(UTC), body)
    return post(f"/webhooks/generic/{token}", headers, body)


def _bare(ground: Ground, kind: str, number: int) -> Load:
    requests = [request("t", index) for index in range(number)]
    with beside("reference", ground.fresh(kind)) as server:
        uvloop.run(ask_all(server.port, requests[:500]))
        return _checked(uvloop.run(ask_all(server.port, requests[500:])))


def _single_rows(url: str, number: int = 1500) -> float:
    """Rows a second that a raw driver makes durable one by one."""
    body = b"x" * 968
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as link:
            for pragma in ("journal_mode=WAL", "synchronous=FULL"):
                link.execute(f"PRAGMA {pragma}")
            link.execute("CREATE TABLE raw (id INTEGER PRIMARY KEY, key TEXT UNIQUE, body BLOB)")
            return _rate(lambda key: link.execute("INSERT INTO raw (key, body) VALUES (?, ?)", (key, body)), number)
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as server:
        server.execute("CREATE TABLE raw (id BIGSERIAL PRIMARY KEY, key TEXT UNIQUE, body BYTEA)")
        return _rate(lambda key: server.execute("INSERT INTO raw (key, body) VALUES (%s, %s)", (key, body)), number)


def _rate(insert: object, number: int) -> float:
    assert callable(insert)
    started = time.perf_counter()
    for key in range(number):
        insert(f"key {key}")
    return number / (time.perf_counter() - started)


def _while_draining(ground: Ground, number: int, rounds: int) -> list[Figure]:
    """T9: a worker in another process pushes from the same SQLite file meanwhile.

    Worker, vendor, server and client share the machine's cores. What that alone costs is shown by a worker that is as
    busy on a file of its own.
    """
    same, apart = [], []
    for _ in range(rounds):
        idle = _ours(ground, "sqlite", number).per_second
        same.append(_ours(ground, "sqlite", number, draining="same").per_second / idle)
        apart.append(_ours(ground, "sqlite", number, draining="apart").per_second / idle)
    shared = median(one / other for one, other in zip(same, apart, strict=True))
    what = "sqlite: intake while a worker drains"
    return [
        ratio("T9", f"{what} the same file ÷ idle", median(same), 0.75),
        Figure("T9", f"{what} a file of its own ÷ idle: the processors alone", f"{median(apart):.2f}"),
        Figure("T9", f"{what} the same file ÷ a file of its own: the file alone", f"{shared:.2f}"),
    ]
