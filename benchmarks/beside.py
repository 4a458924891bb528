"""Starting and ending processes: those of :mod:`benchmarks.processes`, and lockbridge itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lockbridge.config import variable

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Beside:
    """A process beside this one; ``said`` is the first line it printed."""

    process: "subprocess.Popen[str]"
    said: str

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.said)

    def line(self) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def resident_mb(self) -> float:
        """How much memory it has now."""
        return resident_mb(str(self.process.pid))


def resident_mb(process: str) -> float:
    """How much memory a process has now: shared pages included."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def start(*args: str) -> Beside:
    """Start one and wait until it says something."""
    command = [sys.executable, "-m", "benchmarks.processes", *args]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ})
    assert process.stdout is not None
    return Beside(process, process.stdout.readline().strip())


@contextmanager
def beside(*args: str) -> Iterator[Beside]:
    """One for as long as it is needed."""
    with _ended(start(*args)) as running:
        yield running


@contextmanager
def lockbridge(*command: str, settings: Mapping[str, object]) -> Iterator[Beside]:
    """The command that people run, with these settings, for as long as it is needed."""
    given = {variable(name): str(value) for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "lockbridge", *command], text=True, cwd=ROOT, env={**os.environ, **given}
    )
    with _ended(Beside(process, "")) as running:
        yield running


@contextmanager
def _ended(running: Beside) -> Iterator[Beside]:
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
            running.process.wait()
