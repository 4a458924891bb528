"""The one way to write: requests that wait together share one commit.

A *step* is a function ``step(connection, items) -> results`` (one result per item, in order) that writes a whole batch
with few statements. ``await commit.write(step, item)`` hands in one item; the result comes back when it is on the disk.

What a caller may rely on:

- Everything one item needs happens in one transaction. What must happen together is one item of one step.
- Items waiting for the same step (the same function object) reach it as one call, in the order they came. The calls of
  one transaction follow the order in which each step's first item came.
- A batch that fails is rolled back and its items are tried one by one, each in its own transaction, so that an item
  fails only by its own fault. A step may therefore see an item again: it only reads and writes its connection.
- ``StorageUnavailable`` means nothing was stored, unless it says ``may_be_stored``.
- To stop waiting does not take an item back.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from lockbridge.storage.database import Database, StorageUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")
Step = Callable[[Connection, Sequence[Item]], Sequence[Result]]


class Commit(Protocol):
    """Where writes go."""

    def write(self, step: Step[Item, Result], item: Item) -> Awaitable[Result]:
        """What the step answers for the item, once it is committed."""

    async def close(self) -> None:
        """Finish what waits, then take nothing more."""


@dataclass(slots=True)
class _Waiting:
    """One item and who waits for it; afterwards its outcome."""

    step: Step[Any, Any]
    item: Any
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class GroupCommit:
    """Writes through ``writers`` threads, up to ``max_batch`` items in one transaction.

    An item that says how many ``rows`` it writes counts for so many: from ``max_rows`` on nothing more joins a
    transaction, since other processes wait for it where they share a SQLite file.
    ``linger`` is how long a writer waits for company before it begins; zero suits requests, which gather while the
    commit before theirs is under way. More than ``max_waiting`` items are refused with :class:`StorageUnavailable` at
    once. One writer is right for SQLite; more make sense on PostgreSQL when commits are slow.
    """

    def __init__(
        self,
        database: Database,
        *,
        max_batch: int = 512,
        max_rows: int = 256,
        max_waiting: int = 20_000,
        linger: timedelta = timedelta(0),
        writers: int = 1,
    ) -> None:
        self._database = database
        self._max_batch = max_batch
        self._max_rows = max_rows
        self._max_waiting = max_waiting
        self._linger = linger.total_seconds()
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._closing = False
        self._waking: asyncio.AbstractEventLoop | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"lockbridge-write-{n}", daemon=True) for n in range(writers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many items no writer has taken yet."""
        return len(self._queue)

    def write(self, step: Step[Item, Result], item: Item) -> asyncio.Future[Result]:
        """What the step answers for the item, once it is committed.

        Raises :class:`StorageUnavailable` at once when too much waits or after :meth:`close`; awaited, it raises what
        the step raised for this item.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        with self._changed:
            if self._closing or len(self._queue) >= self._max_waiting:
                raise self._refusal()
            self._queue.append(_Waiting(step, item, future))
        if self._waking is not loop:
            self._waking = loop
            loop.call_soon(self._wake, loop, 0)
        return future

    def _wake(self, loop: asyncio.AbstractEventLoop, seen: int) -> None:
        """Have a writer look at what waits, once a turn of the loop brought nothing more.

        A writer that wakes up amid the work of the loop takes the interpreter from it at every statement, and leaves
        alone who comes a moment later (measured: a webhook takes twice as long).
        """
        waiting = len(self._queue)
        if seen < waiting < self._max_batch:
            loop.call_soon(self._wake, loop, waiting)
            return
        self._waking = None
        if waiting:
            with self._changed:
                self._changed.notify()

    def _refusal(self) -> StorageUnavailable:
        if self._closing:
            return StorageUnavailable("lockbridge is stopping and stores nothing more: try again when it is back")
        return StorageUnavailable(f"{self._max_waiting} writes wait already: try again in a few seconds")

    async def close(self) -> None:
        """Write everything that waits, then stop the writers. Harmless twice."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _work(self) -> None:
        """A writer's life: take a batch, write it, tell those who wait."""
        writer = _Writer(self._database)
        try:
            while batch := self._take():
                writer.write(batch)
                _tell(batch)
        finally:
            writer.close()

    def _take(self) -> list[_Waiting]:
        """The next batch; empty when the writers are to stop."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if self._linger:
                    self._changed.wait_for(lambda: len(self._queue) >= self._max_batch or self._closing, self._linger)
            return self._next_batch()

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        rows = 0
        while self._queue and len(batch) < self._max_batch and rows < self._max_rows:
            batch.append(self._queue.popleft())
            rows += getattr(batch[-1].item, "rows", 1)
        return batch


class InlineCommit:
    """The same promises on the caller's thread, one item at a time: for simulations, commands and tests."""

    def __init__(self, database: Database) -> None:
        self._writer = _Writer(database)

    async def write(self, step: Step[Item, Result], item: Item) -> Result:
        """What the step answers for the item, committed."""
        return self.write_now(step, item)

    def write_now(self, step: Step[Item, Result], item: Item) -> Result:
        """:meth:`write` for callers without an event loop."""
        results: Sequence[Result] = self._writer.run([(step, [item])])[0]
        return results[0]

    async def close(self) -> None:
        """Give the connection back."""
        self._writer.close()


REPEATS = 3
"""A batch mixes steps that take rows in different orders: PostgreSQL may have to break more than one deadlock."""


class _Writer:
    """A connection that stays open between transactions and is replaced after trouble. For one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def run(self, calls: list[tuple[Step[Any, Any], list[Any]]]) -> list[Sequence[Any]]:
        """Every call in one transaction, repeated a few times while that is promising. Raises what went wrong."""
        repeats = 0
        while True:
            try:
                return self._run_once(calls)
            except StorageUnavailable as error:
                self.close()
                repeats += 1
                if repeats > REPEATS or not error.worth_repeating:
                    raise

    def _run_once(self, calls: list[tuple[Step[Any, Any], list[Any]]]) -> list[Sequence[Any]]:
        connection = self._connection = self._connection or self._database.connect()
        with self._database.transaction(connection):
            return [_answers(step, connection, items) for step, items in calls]

    def write(self, batch: list[_Waiting]) -> None:
        """Note the outcome of each item: together if possible, else one by one."""
        try:
            self._write_together(batch)
        except StorageUnavailable as error:
            _refuse(batch, error)
        except BaseException as error:  # noqa: BLE001 - whatever a step raises belongs to the item that caused it
            if len(batch) > 1:
                self._write_singly(batch)
            else:
                batch[0].error = error

    def _write_together(self, batch: list[_Waiting]) -> None:
        groups: dict[Step[Any, Any], list[_Waiting]] = {}
        for waiting in batch:
            groups.setdefault(waiting.step, []).append(waiting)
        answers = self.run([(step, [waiting.item for waiting in group]) for step, group in groups.items()])
        for group, results in zip(groups.values(), answers, strict=True):
            for waiting, result in zip(group, results, strict=True):
                waiting.result = result

    def _write_singly(self, batch: list[_Waiting]) -> None:
        for position, waiting in enumerate(batch):
            self.write([waiting])
            if isinstance(waiting.error, StorageUnavailable):
                _refuse(batch[position + 1 :], waiting.error)
                return


def _answers(step: Step[Any, Any], connection: Connection, items: list[Any]) -> Sequence[Any]:
    try:
        results = step(connection, items)
    except StopIteration as error:
        msg = f"the step {step!r} ran out of something it iterates over"
        raise RuntimeError(msg) from error
    if len(results) != len(items):
        msg = f"the step {step!r} answered {len(results)} times for {len(items)} items"
        raise RuntimeError(msg)
    return results


def _refuse(batch: list[_Waiting], error: StorageUnavailable) -> None:
    for waiting in batch:
        waiting.error = error.copy()


def _tell(batch: list[_Waiting]) -> None:
    """Wake each event loop once. A loop that was closed meanwhile has nobody left to tell."""
    for loop, group in _by_loop(batch):
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, group)


def _by_loop(batch: list[_Waiting]) -> Iterator[tuple[asyncio.AbstractEventLoop, list[_Waiting]]]:
    groups: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for waiting in batch:
        groups.setdefault(waiting.future.get_loop(), []).append(waiting)
    yield from groups.items()


def _settle(batch: list[_Waiting]) -> None:
    """On the loop's thread: hand out results and errors to those who still wait."""
    for waiting in batch:
        if waiting.future.done():
            continue
        if waiting.error is None:
            waiting.future.set_result(waiting.result)
        else:
            waiting.future.set_exception(waiting.error)
