"""T12: Today with 5,000 stays and 500 locks is rendered in 150 ms by the server, with few statements, and is small.

Asked for as a browser does it, through the whole application in this process, its session and gzip included; the first
load is the page, the style sheet, the script and the icon, compressed.
"""

import gzip
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import httpx
from sqlalchemy import Connection, event

from benchmarks.figures import Figure
from benchmarks.ground import NOW, Ground, vault
from lockbridge.bootstrap import Instead, services
from lockbridge.clock import VirtualClock
from lockbridge.config import Settings
from lockbridge.domain.ids import HostId
from lockbridge.domain.lock import Capabilities
from lockbridge.domain.people import Role
from lockbridge.services import Services
from lockbridge.storage import people, tables
from lockbridge.storage.database import Database
from lockbridge.storage.rows import dump_capabilities
from lockbridge.web.app import build_web
from lockbridge.workflows import sign_in
from lockbridge.workflows.sign_in import FirstOwner

STAYS = 5_000
LOCKS = 500
URL = "http://bench.test"
HOST = cast("HostId", 1)
ZONES = ("America/New_York", "Europe/Berlin", "Australia/Sydney")
BUSY = 40
"""Every so manieth code was refused by its lock, and every so manieth lock is offline."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """What one page took: milliseconds of each, by the clock and of the processor; statements; compressed bytes.

    ``whole``: the bytes of the first load in all.
    """

    times: Sequence[float]
    work: Sequence[float]
    statements: int
    page: int
    whole: int


async def measure(ground: Ground, rounds: int) -> Sequence[Figure]:
    """T12 on both databases."""
    figures: list[Figure] = []
    for kind in ("sqlite", "postgresql"):
        figures += _figures(kind, await _one(ground.fresh(kind), rounds))
    return figures


def _figures(kind: str, taken: _Taken) -> list[Figure]:
    what = f"{kind}: Today, {STAYS:,} stays, {LOCKS} locks"
    median, work = statistics.median(taken.times), statistics.median(taken.work)
    worst = sorted(taken.times)[len(taken.times) * 19 // 20]
    return [
        Figure("T12", f"{what}: server time, median", f"{median:.0f} ms", "≤ 150 ms", median <= 150),
        Figure("T12", f"{what}: server time, 95 of 100 within; processor", f"{worst:.0f} ms; {work:.0f} ms"),
        Figure("T12", f"{what}: SQL statements", str(taken.statements), "≤ 30", taken.statements <= 30),
        Figure("T12", f"{what}: page, compressed", f"{taken.page / 1000:.1f} kB", "≤ 60 kB", taken.page <= 60_000),
        Figure("T12", f"{what}: first load in all", f"{taken.whole / 1000:.1f} kB", "≤ 100 kB", taken.whole <= 100_000),
    ]


async def _one(url: str, rounds: int) -> _Taken:
    database = Database(url)
    instead = Instead(database=database, vault=vault(), clock=VirtualClock(NOW))
    async with services(Settings(), instead) as built:
        with database.write() as connection:
            fill(connection, STAYS, LOCKS)
        _analyze(database)
        token = await _owner(built)
        web = build_web(built, max_body=1_000_000, url=URL)
        transport = httpx.ASGITransport(app=web)
        async with httpx.AsyncClient(transport=transport, base_url=URL, cookies={"lockbridge": token}) as browser:
            return await _asked(browser, database, rounds)


async def _owner(built: Services) -> str:
    new = FirstOwner("", "Bench", "bench@example.com", "a door for everyone")
    number = await sign_in.add_person(built, HOST, new, Role.OWNER, NOW)
    person = await built.database.ask(people.get, built.vault, number)
    assert person is not None
    return (await sign_in.begin(built, person, "a benchmark", NOW)).token


def _analyze(database: Database) -> None:
    with database.connect() as connection, database.transaction(connection):
        connection.exec_driver_sql("ANALYZE")


async def _asked(browser: httpx.AsyncClient, database: Database, rounds: int) -> _Taken:
    address = f"/console/{HOST}"
    first = (await browser.get(address)).raise_for_status()
    with _counted(database) as statements:
        await browser.get(address)
    times, work = zip(*[await _timed(browser, address) for _ in range(max(40, rounds * 20))], strict=True)
    page = _size(first.text)
    parts = sorted(set(re.findall(r'(?:href|src)="(/static/[^"]+)"', first.text)))
    others = [_size((await browser.get(part)).raise_for_status().text) for part in parts]
    return _Taken(times, work, len(statements), page, page + sum(others))


async def _timed(browser: httpx.AsyncClient, address: str) -> tuple[float, float]:
    started, worked = time.perf_counter(), time.process_time()
    await browser.get(address)
    return (time.perf_counter() - started) * 1000, (time.process_time() - worked) * 1000


def _size(text: str) -> int:
    return len(gzip.compress(text.encode(), 6))


@contextmanager
def _counted(database: Database) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    event.listen(database._reader, "before_cursor_execute", note)  # noqa: SLF001 - what is measured
    yield sent
    event.remove(database._reader, "before_cursor_execute", note)  # noqa: SLF001


# ------------------------------------------------------------------------------------------------------------- fill


def fill(connection: Connection, stays: int, locks: int) -> None:
    """A host with so many locks, a property each, and stays one after the other from the day before yesterday on."""
    host = {"id": 1, "name": "Bench", "language": "en", "settings": {}, "created_at": NOW}
    connection.execute(tables.HOST.insert(), [host])
    app = {"id": 1, "host_id": 1, "provider": "simulator", "name": "App", "state": "connected", "created_at": NOW}
    connection.execute(tables.LOCK_APP.insert(), [app])
    text = dump_capabilities(Capabilities(max_codes=100))
    connection.execute(tables.PROPERTY.insert(), [_property(key) for key in range(1, locks + 1)])
    connection.execute(tables.LOCK.insert(), [_lock(key, text) for key in range(1, locks + 1)])
    matched = [{"property_id": key, "lock_id": key, "host_id": 1} for key in range(1, locks + 1)]
    connection.execute(tables.MATCH.insert(), matched)
    keys = range(1, stays + 1)
    connection.execute(tables.STAY.insert(), [_stay(key, locks) for key in keys])
    connection.execute(tables.CODE.insert(), [_code(key, locks) for key in keys])
    connection.execute(tables.PLACEMENT.insert(), [_placement(key, locks) for key in keys])
    opened = {"host_id": 1, "kind": "pool_empty", "facts": {"lock_name": "Lock 1", "lock_app_name": "App"}}
    alarms = [{**opened, "key": f"pool_empty:lock-{key}", "began_at": NOW} for key in range(1, 30)]
    connection.execute(tables.ALARM.insert(), alarms)


def _property(key: int) -> dict[str, Any]:
    usual = {"check_in": "16:00", "check_out": "11:00", "settings": {}, "created_at": NOW}
    return {"id": key, "host_id": 1, "name": f"House {key}", "zone": ZONES[key % 3], "country": "US", **usual}


def _lock(key: int, text: str) -> dict[str, Any]:
    zero = {"missing": False, "seen_count": 0, "waits": 0}
    since = NOW - timedelta(hours=5) if key % BUSY == 0 else None
    low = {"battery": 0.1 if key % BUSY == 1 else 0.8, "low_since": NOW if key % BUSY == 1 else None}
    known = {"id": key, "host_id": 1, "lock_app_id": 1, "ref": f"L{key}", "name": f"Lock {key}", "capabilities": text}
    return {**known, **zero, **low, "offline_since": since, "online": since is None}


def _opens(key: int, locks: int) -> datetime:
    """Each home is let again as soon as the last guest has gone; every day another third of them."""
    home, number = (key - 1) % locks, (key - 1) // locks
    return NOW.replace(hour=20, minute=0) + timedelta(days=number * 3 + home % 3 - 2)


def _stay(key: int, locks: int) -> dict[str, Any]:
    home, day = (key - 1) % locks + 1, _opens(key, locks).date()
    return {
        "id": key,
        "host_id": 1,
        "property_id": home,
        "property_ref": f"P{home}",
        "platform": "generic",
        "external_id": f"R{key}",
        "reservation_code": f"HM{key}",
        "status": "confirmed",
        "raw_status": "confirmed",
        "arrival": day,
        "departure": day + timedelta(days=3),
        "guest_name": f"Guest Number {key}",
        "language": "en",
        "created_at": NOW,
        "code_id": key,
        "contact_sealed": b"not opened for this page",
    }


def _window(key: int, locks: int) -> dict[str, Any]:
    opens = _opens(key, locks)
    return {"opens_at": opens, "closes_at": opens + timedelta(days=2, hours=19)}


def _code(key: int, locks: int) -> dict[str, Any]:
    named = {"pin_reason": "", "pin_detail": "", "name": f"Guest {key}", "name_reason": "", "name_detail": ""}
    return {"id": key, "host_id": 1, "kind": "guest", "stay_id": key, "created_at": NOW, **named, **_window(key, locks)}


def _placement(key: int, locks: int) -> dict[str, Any]:
    window = _window(key, locks)
    due = window["opens_at"] - timedelta(days=3)
    is_due, refused = due <= NOW, key % BUSY == 0
    state = ("failed" if refused else "set") if is_due else "made"
    told = {"reason": "rejected", "detail": "the lock app refused it without a reason"} if state == "failed" else {}
    times = {"push_at": due, "made_at": due, "live_at": window["opens_at"], "remove_at": window["closes_at"]}
    counts = {"failures": int(state == "failed"), "waits": 0, "looks": 0, "wish": 0}
    wanted = {"host_id": 1, "code_id": key, "lock_id": (key - 1) % locks + 1, "kind": "guest", "name": f"Guest {key}"}
    return {**wanted, **window, **times, **counts, "reason": None, "detail": None, **told, "state": state}
