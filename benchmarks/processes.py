"""The processes that measurements run beside themselves: ``python -m benchmarks.processes WHAT …``.

Each prints the port it listens on, then serves until it is ended. All of them, the references too, run as ``lockbridge
serve`` does: uvloop, httptools, and a heap that is frozen – the references carry the whole of lockbridge in theirs, and
would stop for 70 ms whenever the garbage collector looked through it.
"""

import asyncio
import random
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks import calendars
from benchmarks.vendors import asgi
from lockbridge.bootstrap import Instead, services
from lockbridge.commands.running import freeze_heap, run_fast, services_behind
from lockbridge.config import DatabaseSettings, Settings, WorkerSettings
from lockbridge.log import set_up
from lockbridge.services import Services
from lockbridge.storage.due import next_due
from lockbridge.storage.vault import open_vault
from lockbridge.web.app import build_web
from lockbridge.web.server import listen, serve
from lockbridge.worker import Worker
from lockbridge.workflows.push import push_due
from providers.simulator import SimulatedLockApp, simulator_asgi

ACCOUNTS = 8


def settings_for(url: str) -> Settings:
    """The usual settings on this database, with as many calls at once as the measurements make."""
    worker = WorkerSettings(locks_at_once=64, account_parallel=64, lease_seconds=60)
    return Settings(database=DatabaseSettings(url=url), worker=worker)


async def _intake(url: str, key: str, *, working: bool) -> None:
    instead = Instead(vault=open_vault(Path(key)))
    async with services(settings_for(url), instead) as built:
        worker = Worker(built, tick_seconds=0.25)
        if working:
            worker.start()
        at = listen("127.0.0.1", 0)
        print(at.getsockname()[1], flush=True)
        freeze_heap()
        await serve(build_web(built, max_body=256 * 1024), at, asyncio.Event())


async def _worker(url: str, key: str) -> None:
    """Push whatever is due, for as long as there is anything; then wait to be ended."""
    async with services_behind(settings_for(url), Instead(vault=open_vault(Path(key)))) as built:
        freeze_heap()
        print("ready", flush=True)
        await drain(built)
        print("drained", flush=True)
        await asyncio.Event().wait()


async def drain(built: Services) -> None:
    """Push until nothing is due within a minute: what a killed process was asking is looked at a little later."""
    while (due := (await built.database.ask(next_due)).push) and due < datetime.now(UTC) + timedelta(minutes=1):
        if not await push_due(built, datetime.now(UTC)):
            await asyncio.sleep(0.02)


def _simulator(locks: int) -> None:
    app = SimulatedLockApp(lambda: datetime.now(UTC), random.Random(1))
    for account in range(ACCOUNTS):
        app.add_account(f"a{account}", token=f"token{account}")
    for lock in range(locks):
        app.add_lock(f"L{lock}", name=f"Lock {lock}", account=f"a{lock % ACCOUNTS}", max_codes=100_000)
    _serve_plain(simulator_asgi(app))


def _reference(url: str) -> None:
    """A bare Starlette route with a raw driver's group-commit insert: the least that keeps the promise."""
    insert = _sqlite_insert(url) if url.startswith("sqlite") else _postgres_insert(url)
    group = _RawGroup(insert)

    async def store(request: Request) -> Response:
        body = await request.body()
        await group.write((request.headers["webhook-id"], body))
        return Response(b"{}", media_type="application/json")

    _serve_plain(Starlette(routes=[Route("/webhooks/{platform}/{token}", store, methods=["POST"])]))


Insert = Callable[[list[tuple[str, bytes]]], None]


class _RawGroup:
    """Requests that wait together share one commit, made by one thread."""

    def __init__(self, insert: Insert) -> None:
        self._insert, self._waiting = insert, list[tuple[tuple[str, bytes], asyncio.Future[None]]]()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._there = threading.Condition()
        threading.Thread(target=self._work, daemon=True).start()

    def write(self, row: tuple[str, bytes]) -> asyncio.Future[None]:
        self._loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = self._loop.create_future()
        with self._there:
            self._waiting.append((row, done))
            self._there.notify()
        return done

    def _work(self) -> None:
        while True:
            with self._there:
                while not self._waiting:
                    self._there.wait()
                batch, self._waiting = self._waiting, []
            self._insert([row for row, _ in batch])
            assert self._loop is not None
            self._loop.call_soon_threadsafe(_settle, [done for _, done in batch])


def _settle(waiting: list[asyncio.Future[None]]) -> None:
    for done in waiting:
        done.set_result(None)


def _sqlite_insert(url: str) -> Insert:
    link = sqlite3.connect(url.removeprefix("sqlite:///"), check_same_thread=False, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
        link.execute(f"PRAGMA {pragma}")
    link.execute("CREATE TABLE IF NOT EXISTS raw (id INTEGER PRIMARY KEY, key TEXT UNIQUE, body BLOB)")

    def insert(rows: list[tuple[str, bytes]]) -> None:
        link.execute("BEGIN IMMEDIATE")
        link.executemany("INSERT INTO raw (key, body) VALUES (?, ?) ON CONFLICT DO NOTHING", rows)
        link.execute("COMMIT")

    return insert


def _postgres_insert(url: str) -> Insert:
    link = psycopg.connect(url.replace("postgresql+psycopg", "postgresql"))
    link.execute("CREATE TABLE IF NOT EXISTS raw (id BIGSERIAL PRIMARY KEY, key TEXT UNIQUE, body BYTEA)")
    link.commit()
    statement = "INSERT INTO raw (key, body) SELECT * FROM unnest(%s::text[], %s::bytea[]) ON CONFLICT DO NOTHING"

    def insert(rows: list[tuple[str, bytes]]) -> None:
        link.execute(statement, ([key for key, _ in rows], [body for _, body in rows]))
        link.commit()

    return insert


def _serve_plain(app: Any, *, promptly: bool = False) -> None:
    """``promptly``: the body of an answer does not wait for an acknowledgement of its head (40 ms)."""
    at = listen("127.0.0.1", 0)
    if promptly:
        at.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the connections inherit it
    print(at.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="websockets-sansio")
    freeze_heap()
    run_fast(uvicorn.Server(config).serve(sockets=[at]))


def main(what: str, *args: str) -> None:
    """Run one of them."""
    set_up("error")
    if what == "intake":
        run_fast(_intake(args[0], args[1], working=False))
    elif what == "all-in-one":
        run_fast(_intake(args[0], args[1], working=True))
    elif what == "worker":
        run_fast(_worker(args[0], args[1]))
    elif what == "simulator":
        _simulator(int(args[0]))
    elif what == "vendor":
        _serve_plain(asgi(args[0]), promptly=True)
    elif what == "calendar":
        _serve_plain(calendars.asgi(int(args[0])), promptly=True)
    else:
        _reference(args[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
