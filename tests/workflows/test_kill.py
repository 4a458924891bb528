"""A real worker process is killed with SIGKILL again and again while it pushes codes over HTTP (law 5)."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockbridge import bootstrap
from lockbridge.config import load
from lockbridge.domain.stay import StayStatus
from lockbridge.platforms.contract import ReservationEvent
from lockbridge.storage import codes, hosts
from lockbridge.workflows import book, connect, reservations
from lockbridge.workflows.ports import transact
from lockbridge.workflows.reservations import Said
from providers.simulator import SimulatedLockApp, Verb, simulator_asgi
from tests.contract.serving import serving

ROOT = Path(__file__).parents[2]
LOCKS, EACH = 100, 3
KILLS = 5
PATIENCE = 90.0
"""Seconds until the test gives up."""


@contextmanager
def a_worker(environment):
    """A worker process; killed at the end if nobody did."""
    command = [sys.executable, str(Path(__file__).with_name("a_worker.py"))]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen, deadline: float) -> None:
    """Look at what another process has done, a hundred times a second: nothing else tells us."""
    while not condition():
        assert time.monotonic() < deadline, "the work is not done in time"
        assert process.poll() is None, "the worker ended by itself"
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue


async def _bookings(services, url: str) -> None:
    """Locks, each of a property with a few stays whose codes are due."""
    now = datetime.now(UTC)
    host = await connect.add_host(services, "Ana", "ana@example.com", now)
    _, rows = await connect.add_lock_app(services, host, "simulator", "Sim", {"url": url, "token": "simulator"}, now)
    for number, row in enumerate(rows):
        new = connect.NewProperty(f"House {number}", "UTC", "US", settings={"backups": False, "pin_mode": "random"})
        place = await connect.add_property(services, host, new, [("generic", f"P{number}")], now)
        await connect.match(services, host, place, row.id, now)
    events = [_event(lock, number, now) for lock in range(LOCKS) for number in range(EACH)]
    await transact(
        services, lambda c: [reservations.apply(c, services, Said(host, now, "a test"), e, now) for e in events]
    )
    while await book.book_due(services, now):
        pass


def _event(lock: int, number: int, now: datetime) -> ReservationEvent:
    arrival = (now + timedelta(days=1 + number % 2)).date()
    return ReservationEvent(
        platform="generic",
        external_id=f"R{lock}-{number}",
        reservation_code=f"HM{lock}-{number}",
        property_ref=f"P{lock}",
        property_name=None,
        status=StayStatus.CONFIRMED,
        raw_status="confirmed",
        arrival=arrival,
        departure=arrival + timedelta(days=2),
        check_in=None,
        check_out=None,
        guest_name=f"Guest {number}",
        guest_first_name="Guest",
        phone=None,
        email=f"guest-{lock}-{number}@example.com",
        platform_guest=None,
    )


def _all_set(database, vault) -> bool:
    with database.read() as connection:
        (host,) = hosts.all_hosts(connection, vault)
        live = codes.of_host(connection, vault, host.id, lock=None, limit=LOCKS * EACH + 1)
    return len(live) == LOCKS * EACH and all(item.placement.confirmed for item in live)


def _wanted(database, vault) -> dict[str, list[str]]:
    with database.read() as connection:
        (host,) = hosts.all_hosts(connection, vault)
        live = codes.of_host(connection, vault, host.id, lock=None, limit=LOCKS * EACH + 1)
    wanted: dict[str, list[str]] = {}
    for item in live:
        wanted.setdefault(f"lock-{item.placement.lock}", []).append(item.placement.pin.digits)
    return {lock: sorted(pins) for lock, pins in wanted.items()}


@pytest.mark.slow
def test_a_worker_killed_at_random_moments_leaves_each_of_300_codes_on_its_lock_exactly_once(
    database_url, tmp_path, monkeypatch
):
    monkeypatch.setenv("LOCKBRIDGE_DATABASE__URL", database_url)
    monkeypatch.setenv("LOCKBRIDGE_SECRETS__KEY_FILE", str(tmp_path / "key"))
    app = SimulatedLockApp(lambda: datetime.now(UTC), random.Random(1))
    for number in range(1, LOCKS + 1):
        app.add_lock(f"lock-{number}")
    with serving() as served:
        served.asgi = simulator_asgi(app)
        services = asyncio.run(_prepared(served.url))
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        deadline, dice = time.monotonic() + PATIENCE, random.Random()
        moments = sorted(dice.sample(range(5, LOCKS * EACH - 20), KILLS))
        for moment in moments:
            with a_worker(environment) as process:
                wait_until(lambda moment=moment: app.calls[Verb.SET] >= moment, process, deadline)
        with a_worker(environment) as process:
            wait_until(lambda: _all_set(services.database, services.vault), process, deadline)
        held = {lock: sorted(code.pin for code in app.holds(lock)) for lock in app.locks}
        assert held == _wanted(services.database, services.vault), moments
        assert sum(len(pins) for pins in held.values()) == LOCKS * EACH
        services.database.dispose()


async def _prepared(url: str):
    async with bootstrap.services(load()) as services:
        await _bookings(services, url)
        vault = services.vault
    return bootstrap.Instead(database=bootstrap.open_database(load()), vault=vault)
