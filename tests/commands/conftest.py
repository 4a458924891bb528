"""The command line for tests: commands in this process, the server and the lock app on loopback."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from lockbridge import cli, log
from lockbridge.bootstrap import sample_lock_app
from lockbridge.clock import SystemClock
from lockbridge.web.server import listen, serve

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test in a folder of its own, without settings from outside; logging as it was afterwards."""
    for name in [name for name in os.environ if name.startswith("LOCKBRIDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", open(os.devnull, encoding="utf-8"))  # noqa: PTH123, SIM115 - closed below
    monkeypatch.setattr(log, "set_up", lambda *_args, **_options: None)
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    with sys.stdin:
        yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lockbridge(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process: ``lockbridge("host", "list")``."""

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Said(code, told.out, told.err)

    return run


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The commands work with a fresh database, once of each kind; its kind."""
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    monkeypatch.setenv("LOCKBRIDGE_DATABASE__URL", url)
    return request.param


@pytest.fixture
def lock_app() -> Iterator[str]:
    """The URL of a simulated lock app with its sample locks, served by another thread."""
    with ExitStack() as stack:
        yield stack.enter_context(_lock_app())


@contextmanager
def _lock_app() -> Iterator[str]:
    at, stop, loops = listen("127.0.0.1", 0), asyncio.Event(), []
    port = at.getsockname()[1]

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await serve(sample_lock_app("control", SystemClock()), at, stop, quiet=True)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


@pytest.fixture
def connected(lockbridge: Command, stored: str, lock_app: str) -> Command:
    """The command line of somebody who has a host, a lock app with five locks, and a property that two of them open."""
    for command in (
        ["host", "add", "Ana Host", "ana@example.com"],
        ["lock-app", "add", "simulator", "Sim", "--set", f"url={lock_app}", "--set", "token=simulator"],
        ["property", "add", "Beach house", "--zone", "America/New_York", "--country", "US", "--ref", "generic:P1"],
        ["property", "match", 1, 1, 5],
    ):
        said = lockbridge(*command)
        assert said.code == 0, said.err
    return lockbridge


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, killed at the end if it still runs."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "lockbridge", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, text=True, env=environment, **pipes) as running:  # noqa: S603 - ourselves
        try:
            yield running
        finally:
            running.kill()


def until(true: Callable[[], Any], seconds: float = 30) -> Any:
    """What ``true`` answers, once it is something; AssertionError after that long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
    raise AssertionError(true)
