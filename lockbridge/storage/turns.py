"""Turns at writing to a SQLite file, for the processes that share it: who waits is next.

SQLite itself has no queue: who finds the file taken sleeps for up to 100 ms and looks again, and meanwhile a process
with much to write takes it many times over (measured: beside transactions of 20 ms, 1 ms apart, another process waited
for up to 3 s; in turns, 0.08 s). Here one process at a time stands in the *door* and waits for the *room*, so that
whoever leaves the room and wants back in finds the door taken, and comes after. A worker, for whom nobody waits at the
other end of a connection, *gives way* besides: after a turn that somebody waited for, it stays away for a while.

Nothing depends on it being kept. It is a courtesy among processes that know of it, held in empty files beside the
database by locks that end with the process; SQLite's own lock decides who writes.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: nobody waits for a turn
    fcntl = None

PATIENCE_SECONDS = 5.0
"""After so long somebody has hung in the room or at the door: then SQLite decides."""
LOOK_SECONDS = 0.0005
AWAY = 12
"""Who gives way stays away this many times as long as its turn took: a thirteenth of the time is left to it."""


class Turns:
    """The turns at one file. Safe to use from several threads, which wait for one another, too.

    ``gives_way``: leave the file to the others for a while after a turn they waited for.
    """

    def __init__(self, database: Path, *, gives_way: bool = False) -> None:
        self._door = database.with_name(f"{database.name}-door")
        self._room = database.with_name(f"{database.name}-room")
        self._gives_way = gives_way
        self._away_until = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until it is our turn, and let the next one in at the end. Goes on without, rather than raise."""
        room = self._enter()
        entered = time.monotonic()
        try:
            yield
        finally:
            if self._gives_way and self._is_awaited():
                left = time.monotonic()
                self._away_until = left + min(AWAY * (left - entered), PATIENCE_SECONDS)
            _unlock(room)

    def _enter(self) -> int | None:
        arrived = time.monotonic()
        if self._away_until > arrived:
            time.sleep(self._away_until - arrived)
        until = time.monotonic() + PATIENCE_SECONDS
        door = _locked(self._door, until)
        try:
            return _locked(self._room, until)
        finally:
            _unlock(door)

    def _is_awaited(self) -> bool:
        """Whether somebody stands in the door."""
        door = _locked(self._door, until=0.0)
        _unlock(door)
        return door is None


def _locked(path: Path, until: float) -> int | None:
    """The file, locked; None where that is not to be had in time, or at all."""
    if fcntl is None:
        return None
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    if _lock(file, until):
        return file
    os.close(file)
    return None


def _lock(file: int, until: float) -> bool:
    """``flock`` knows no time limit of its own, so this looks again and again; only one process at a time does."""
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(LOOK_SECONDS)
        except OSError:  # a file system without such locks
            return False
        else:
            return True


def _unlock(file: int | None) -> None:
    if file is not None:
        os.close(file)
