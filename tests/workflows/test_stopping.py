"""A worker that is stopped: what is under way is finished, what hangs is let go without a complaint."""

import asyncio
import logging
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from lockbridge import worker
from lockbridge.clock import SystemClock
from lockbridge.worker import Job, Worker
from tests.workflows.engine import DAY, OPENS


def idle() -> Any:
    """All a worker needs whose ticks do nothing with it."""
    return SimpleNamespace(clock=SystemClock(), stopping=asyncio.Event())


def _one_job(monkeypatch, tick) -> None:
    monkeypatch.setattr(
        worker, "JOBS", (*(Job(job.name, _nothing, job.every) for job in worker.JOBS[1:]), Job("slow", tick, 1))
    )


async def _nothing(_services, _now) -> None:
    pass


async def test_a_stopping_worker_waits_for_what_is_under_way(monkeypatch):
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), []

    async def slow(_services, _now) -> None:
        begun.set()
        await go_on.wait()
        ended.append("written down")

    _one_job(monkeypatch, slow)
    working = Worker(idle())
    working.start()
    await begun.wait()
    stopping = asyncio.create_task(working.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopping
    assert ended == ["written down"]


async def test_a_tick_that_hangs_is_let_go_and_nobody_is_alarmed(monkeypatch, caplog):
    begun = asyncio.Event()

    async def hangs(_services, _now) -> None:
        begun.set()
        await asyncio.Event().wait()

    _one_job(monkeypatch, hangs)
    monkeypatch.setattr(worker, "PATIENCE", timedelta(milliseconds=10))
    working = Worker(idle())
    working.start()
    await begun.wait()
    with caplog.at_level(logging.WARNING):
        await working.stop()
        for task in working.running:
            task.cancel()
        await asyncio.gather(*working.running, return_exceptions=True)
        await asyncio.sleep(0)
    assert caplog.records == []


async def test_a_stopping_worker_takes_no_more_locks_in_hand_and_the_next_one_does(start):
    engine = await start({"front": "standard", "side": "standard"}, locks_at_once=1)

    def doors_with_the_code() -> list[str]:
        return [lock for lock in engine.locks if any(code.name == "Ida Example" for code in engine.held(lock))]

    async def is_stopped(_verb, _lock) -> None:
        engine.services.stopping.set()

    await engine.book()
    engine.clock.set(OPENS - 2 * DAY)
    usual, engine.tap.before = engine.tap.before, is_stopped
    await engine.tick()
    assert len(doors_with_the_code()) == 1
    engine.tap.before = usual
    await engine.restart()
    await engine.work()
    assert doors_with_the_code() == ["front", "side"]
