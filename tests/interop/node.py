"""Counterparts from the npm registry: installed once into an ignored folder, run as child processes on loopback.

``with node.running("fake.mjs", port=(p := node.free_port()), …) as child: …`` is all that a test needs.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

import pytest

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".interop"
MODULES = CACHE / "node_modules"
LISTS = ("package.json", "package-lock.json")
OLDEST_NODE = 20
MET: set[str] = set()
"""The counterparts that tests have spoken to, with their versions; the run ends with them."""
READY_WITHIN = 60.0
"""Seconds."""
STEP = 0.05
GRACE = 5.0


class NotReady(Exception):
    """A counterpart ended, or did not answer in time; what it printed is in the message."""


@dataclass(frozen=True)
class Child:
    """A counterpart under way on 127.0.0.1. ``log`` is what it prints."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(
    script: str | Path,
    *arguments: str,
    port: int,
    ready: Callable[[], bool] | None = None,
    within: float = READY_WITHIN,
    **environment: str,
) -> Iterator[Child]:
    """Run a script, from when it is ready to the end of the block.

    ``script`` is a file beside this one, or a path inside the folder ``MODULES``. It is given ``PORT`` and
    ``environment``. It is ready when something listens on the port and ``ready`` (if any) says so.
    Raises NotReady when that takes more than ``within`` seconds; skips or fails the test where node is missing.
    """
    install()
    command = [tools()["node"], str(_placed(Path(script))), *arguments]
    log = CACHE / "logs" / f"{Path(script).stem}-{port}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        child = Child(_started(command, output, {"PORT": str(port), **environment}), port, log)
        try:
            _await(child, ready or (lambda: True), within)
            yield child
        finally:
            _stop(child.process)


def run(script: str | Path, *arguments: str) -> str:
    """Run a script to its end; what it printed. Raises CalledProcessError."""
    install()
    return _run([tools()["node"], str(_placed(Path(script))), *arguments], cwd=CACHE)


def install() -> None:
    """The packages of ``package-lock.json``, exactly; once for all processes, and anew when the list changes."""
    CACHE.mkdir(exist_ok=True)
    stamp, wanted = CACHE / "installed", _fingerprint()
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            for name in LISTS:
                shutil.copy(HERE / name, CACHE / name)
            _npm_ci()
            stamp.write_text(wanted)


def meet(*packages: str) -> str:
    """Note, for the end of the run, which versions are spoken to: ``zwave-js 15.29.0, node 20.20.2``."""
    install()
    found = {name: json.loads((MODULES / name / "package.json").read_text())["version"] for name in packages}
    line = ", ".join(f"{name} {version}" for name, version in {**found, "node": tools()["version"]}.items())
    MET.add(line)
    return line


@cache
def tools() -> Mapping[str, str]:
    """Where ``node`` and ``npm`` are, and node's version; skips or fails the test when they are missing or too old."""
    found = {name: shutil.which(name) for name in ("node", "npm")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        unavailable(f"{' and '.join(missing)} not found; Node.js {OLDEST_NODE} or later is needed")
    version = _run([str(found["node"]), "--version"]).strip().removeprefix("v")
    if int(re.split(r"\D", version)[0]) < OLDEST_NODE:
        unavailable(f"node is {version}; {OLDEST_NODE} or later is needed")
    return {"node": str(found["node"]), "npm": str(found["npm"]), "version": version}


def unavailable(why: str) -> NoReturn:
    """Skip the test and say why; fail it where the interop tests were asked for (``LOCKBRIDGE_INTEROP=require``)."""
    if os.environ.get("LOCKBRIDGE_INTEROP") == "require":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def _npm_ci() -> None:
    quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    try:
        _run([tools()["npm"], "ci", *quiet], cwd=CACHE)
    except subprocess.CalledProcessError as error:
        unavailable(f"npm ci failed: {error.stderr[-800:]}")


def _fingerprint() -> str:
    lists = b"".join((HERE / name).read_bytes() for name in LISTS)
    return hashlib.sha256(lists + tools()["version"].encode()).hexdigest()


def _run(command: Sequence[str], cwd: Path | None = None) -> str:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own


def _placed(script: Path) -> Path:
    """Beside the installed packages, where node finds them."""
    if script.is_absolute():
        return script
    place = CACHE / script.name
    fresh = place.with_suffix(f".{os.getpid()}{place.suffix}")
    shutil.copy(HERE / script, fresh)
    return fresh.replace(place)


def _started(command: Sequence[str], output: IO[bytes], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own
        command,
        cwd=CACHE,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def _await(child: Child, ready: Callable[[], bool], within: float) -> None:
    for _ in range(int(within / STEP)):
        if _listens(child.port) and ready():
            return
        if _ended(child.process):
            msg = f"it ended with {child.process.returncode}: {child.printed[-2000:]}"
            raise NotReady(msg)
    msg = f"no answer within {within:.0f} s: {child.printed[-2000:]}"
    raise NotReady(msg)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the child ends within a moment."""
    try:
        process.wait(STEP)
    except subprocess.TimeoutExpired:
        return False
    return True


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(1.0)
        return caller.connect_ex(("127.0.0.1", port)) == 0


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
