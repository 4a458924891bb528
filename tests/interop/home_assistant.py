"""Home Assistant from PyPI: installed once into an ignored folder, run as a child process that knows loopback only.

``with home_assistant.running(folder, "ws://…", "lock.node_2") as home: …`` is all that a test needs. It wants Python
3.13: the one that ``LOCKBRIDGE_INTEROP_PYTHON`` names, else ``python3.13``.
"""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from tests.interop import node

CHOSEN = "LOCKBRIDGE_INTEROP_PYTHON"
NEEDED = "3.13"
CORE = "homeassistant==2025.4.4"
PARTS = (
    "zwave-js-server-python==0.62.0",  # zwave_js
    "pyserial==3.5",  # zwave_js, usb
    "aiousbwatcher==1.1.1",  # usb, which zwave_js depends on
    "home-assistant-frontend==20250411.0",  # frontend: without it there is nothing but a recovery mode
    "Pillow==11.1.0",  # onboarding → person → image_upload
    "cronsim==2.6",  # backup; this and the next are always set up
    "securetar==2025.2.1",
    "psutil-home-assistant==0.0.1",  # hardware
    "ifaddr==0.2.0",  # network
    "isal==1.7.1",
)
"""What the manifests of 2025.4.4 ask for; what these ask for in turn is held by its ``package_constraints.txt``."""
PLACE = node.CACHE / "ha-venv"
INTERPRETER = PLACE / "bin" / "python"
READY_WITHIN = 120.0
"""Seconds."""

ON_LOOPBACK = """
import errno, runpy, sys, zeroconf

def stay_here(event, args):
    if event in ("socket.bind", "socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        if args[1][0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(errno.ENETUNREACH, f"{event}: loopback only")

begin = zeroconf.Zeroconf.__init__
zeroconf.Zeroconf.__init__ = lambda self, **_: begin(self, interfaces=["127.0.0.1"], unicast=True)
sys.addaudithook(stay_here)
runpy.run_module("homeassistant", run_name="__main__", alter_sys=True)
"""
"""Home Assistant as on a machine without a network; by itself it would listen for mDNS on every interface."""


@dataclass(frozen=True)
class Home:
    """A Home Assistant with its owner. ``token`` is long-lived."""

    url: str
    token: str = field(repr=False)

    def get(self, path: str) -> Any:
        return self._read(httpx.get(self.url + path, headers=self._bearer, timeout=30))

    def post(self, path: str, message: Any) -> Any:
        return self._read(httpx.post(self.url + path, json=message, headers=self._bearer, timeout=60))

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @staticmethod
    def _read(answer: httpx.Response) -> Any:
        return answer.raise_for_status().json()

    def is_up(self) -> bool:
        found = self.get("/api/config")
        return bool(found["state"] == "RUNNING" and not found["recovery_mode"])

    def has(self, *entities: str) -> bool:
        """Whether all of them are there, with a state."""
        states = {state["entity_id"]: state["state"] for state in self.get("/api/states")}
        return not {states.get(entity, "unknown") for entity in entities} & {"unknown", "unavailable"}


@contextmanager
def running(folder: Path, zwave: str, *entities: str) -> Iterator[Home]:
    """Home Assistant on a Z-Wave JS server, from when it knows these entities to the end of the block.

    ``folder`` is empty, and becomes its configuration.
    Raises NotReady when that takes too long; skips or fails the test where it cannot be installed.
    """
    install()
    port = node.free_port()
    (folder / "configuration.yaml").write_text(f"http:\n  server_host: 127.0.0.1\n  server_port: {port}\n")
    command = [str(INTERPRETER), "-I", "-c", ON_LOOPBACK, "--config", str(folder), "--skip-pip"]
    log = node.CACHE / "logs" / f"home-assistant-{port}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        child = node.Child(node._started(command, output, {}), port, log)
        try:
            node._await(child, lambda: _welcomes(child.url), READY_WITHIN)
            home = Home(child.url, _onboarded(child.url))
            node._await(child, home.is_up, READY_WITHIN)
            _add_network(home, zwave)
            node._await(child, lambda: home.has(*entities), READY_WITHIN)
            _meet(home)
            yield home
        finally:
            node._stop(child.process)


def install() -> None:
    """Home Assistant with what it needs here; once for all processes, and anew when the list or Python changes."""
    path, version = python()
    node.CACHE.mkdir(exist_ok=True)
    stamp, wanted = node.CACHE / "ha-installed", "\n".join((version, CORE, *PARTS))
    with (node.CACHE / "ha-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            _install(path)
            stamp.write_text(wanted)


def _install(path: str) -> None:
    pip = [str(INTERPRETER), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        node._run([path, "-m", "venv", "--clear", str(PLACE)])
        node._run([*pip, "--no-deps", CORE])
        [limits] = PLACE.glob("lib/*/site-packages/homeassistant/package_constraints.txt")
        node._run([*pip, "--constraint", str(limits), CORE, *PARTS])
    except subprocess.CalledProcessError as error:
        node.unavailable(f"Home Assistant could not be installed: {error.stderr[-800:]}")


@cache
def python() -> tuple[str, str]:
    """A Python that Home Assistant runs on, and its version; skips or fails the test when there is none."""
    path = os.environ.get(CHOSEN) or shutil.which(f"python{NEEDED}")
    if path is None:
        node.unavailable(f"python{NEEDED} not found; Home Assistant needs it: put it on PATH or name it in {CHOSEN}")
    try:
        version = node._run([path, "-c", "import platform; print(platform.python_version())"]).strip()
    except (OSError, subprocess.CalledProcessError):
        node.unavailable(
            f"the python{NEEDED} on PATH, or what {CHOSEN} names, does not start: name another in {CHOSEN}"
        )
    if not version.startswith(NEEDED + "."):
        node.unavailable(f"{CHOSEN} names Python {version}; Home Assistant needs {NEEDED}")
    return path, version


def _welcomes(url: str) -> bool:
    try:
        return httpx.get(url + "/api/onboarding").is_success
    except httpx.TransportError:
        return False


def _onboarded(url: str) -> str:
    """Make the owner; a long-lived token of theirs. The further steps of onboarding would use the internet."""
    owner = {"name": "Ada Lovelace", "username": "ada", "password": "an-invented-password", "language": "en"}
    client = {"client_id": f"{url}/"}
    grant = httpx.post(url + "/api/onboarding/users", json=owner | client, timeout=60).raise_for_status().json()
    asked = {"grant_type": "authorization_code", "code": grant["auth_code"], **client}
    signed_in = httpx.post(url + "/auth/token", data=asked, timeout=60).raise_for_status().json()
    return _long_lived(url, signed_in["access_token"])


def _long_lived(url: str, token: str) -> str:
    with connect(url.replace("http", "ws", 1) + "/api/websocket", proxy=None) as line:
        line.recv()
        line.send(json.dumps({"type": "auth", "access_token": token}))
        line.recv()
        line.send(json.dumps({"id": 1, "type": "auth/long_lived_access_token", "client_name": "x", "lifespan": 1}))
        return str(json.loads(line.recv())["result"])


def _add_network(home: Home, zwave: str) -> None:
    """Set up ``zwave_js``, as its form in the browser does. Raises NotReady."""
    flows = "/api/config/config_entries/flow"
    form = home.post(flows, {"handler": "zwave_js"})
    entry = home.post(f"{flows}/{form['flow_id']}", {"url": zwave})
    if entry["type"] != "create_entry":
        msg = f"zwave_js was not set up: {entry}"
        raise node.NotReady(msg)


def _meet(home: Home) -> None:
    """Note, for the end of the run, which versions are spoken to."""
    node.MET.add(
        f"Home Assistant {home.get('/api/config')['version']}, {PARTS[0].replace('==', ' ')}, Python {python()[1]}"
    )
