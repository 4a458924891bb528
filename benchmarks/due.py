"""T4 and T5: questions about what is due cost the same at 10,000 codes and at a million."""

import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import psycopg
from sqlalchemy import update

from benchmarks.figures import Figure, ratio
from benchmarks.ground import NOW, Ground, fill, median_ms
from lockbridge.domain.health import HORIZON
from lockbridge.storage import codes, locks, tables
from lockbridge.storage.database import Database

FIRST = (datetime.fromtimestamp(0, tz=NOW.tzinfo), 0)
FAR = NOW + timedelta(days=1000)
PAGE = 2_000


def measure(ground: Ground, rows: int) -> Sequence[Figure]:
    """T4 and T5 on both databases, from 10,000 codes to ``rows``."""
    figures: list[Figure] = []
    for kind in ("sqlite", "postgresql"):
        small, large = _times(ground, kind, 10_000), _times(ground, kind, rows)
        for what, goal in (("select 500 due", 1.5), ("claim and commit 500", 1.75)):
            note = f"{small[what]:.2f} ms → {large[what]:.2f} ms"
            figures.append(
                ratio(
                    "T4",
                    f"{kind}: {what}, 10k → {rows:,} codes",
                    large[what] / small[what],
                    goal,
                    at_most=True,
                    note=note,
                )
            )
        what = "24 h window"
        note = f"{small[what]:.2f} ms → {large[what]:.2f} ms"
        figures.append(
            ratio(
                "T5",
                f"{kind}: the {what}, 10k → {rows:,} codes",
                large[what] / small[what],
                1.5,
                at_most=True,
                note=note,
            )
        )
        note = f"{large['scan'] / 1000:.2f} s ÷ {large['raw scan'] / 1000:.2f} s"
        figures.append(
            ratio(
                "T5",
                f"{kind}: scan of {rows:,} codes ÷ raw SQL",
                large["scan"] / large["raw scan"],
                2,
                at_most=True,
                note=note,
            )
        )
    return figures


def _times(ground: Ground, kind: str, rows: int) -> dict[str, float]:
    url = ground.fresh(kind)
    fill(url, rows)
    database = Database(url, read_threads=0)
    with database.read() as connection:
        times = {
            "select 500 due": median_ms(lambda: locks.due_locks(connection, NOW, 500), times=25),
            "24 h window": median_ms(
                lambda: codes.unset_before(connection, NOW + HORIZON, NOW, FIRST, 1_000), times=25
            ),
        }
    times["claim and commit 500"] = median_ms(lambda: _claim(database), times=15, between=lambda: _give_back(database))
    if rows > 10_000:
        times |= _scans(database, url)
    database.dispose()
    return times


def _claim(database: Database) -> None:
    with database.write() as connection:
        claimed = locks.claim_locks(connection, NOW, NOW + timedelta(minutes=5), "bench", 500)
    assert len(claimed) == 500


def _give_back(database: Database) -> None:
    with database.write() as connection:
        mine = update(tables.LOCK).where(tables.LOCK.c.lease == "bench")
        connection.execute(mine.values(lease=None, lease_until=None, next_at=NOW - timedelta(minutes=1)))


def _scans(database: Database, url: str) -> dict[str, float]:
    """Three scans each, in turn; the sooner half of the noise cancels in the ratio of the medians."""
    ours, raw = [], []
    for _ in range(3):
        ours.append(_timed(lambda: _scan(database)))
        raw.append(_timed(lambda: _raw_scan(url)))
    return {"scan": sorted(ours)[1], "raw scan": sorted(raw)[1]}


def _timed(act: object) -> float:
    started = time.perf_counter()
    assert callable(act)
    act()
    return (time.perf_counter() - started) * 1000


def _scan(database: Database) -> int:
    after, seen = FIRST, 0
    with database.read() as connection:
        while page := codes.unset_before(connection, FAR, FAR, after, PAGE):
            seen += len(page)
            after = (page[-1].opens_at, page[-1].placement)
    return seen


_RAW = """SELECT id, lock_id, live_at FROM placement
WHERE live_at <= {0} AND (live_at > {0} OR (live_at = {0} AND id > {0})) AND state <> 'set' AND push_at <= {0}
AND ended IS NULL ORDER BY live_at, id LIMIT 2000"""


def _raw_scan(url: str) -> int:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        far, statement = int(FAR.timestamp() * 1_000_000), _RAW.format("?")
        return _raw_pages(
            lambda after: connection.execute(statement, (far, after[0], after[0], after[1], far)).fetchall(), (0, 0)
        )
    link = psycopg.connect(url.replace("postgresql+psycopg", "postgresql"))
    statement = _RAW.format("%s")
    return _raw_pages(lambda after: link.execute(statement, (FAR, after[0], after[0], after[1], FAR)).fetchall(), FIRST)


def _raw_pages(ask: object, after: tuple[object, int]) -> int:
    seen = 0
    assert callable(ask)
    while page := ask(after):
        seen += len(page)
        after = (page[-1][2], page[-1][0])
    return seen
