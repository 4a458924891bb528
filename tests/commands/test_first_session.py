"""A whole first session, as a new user has it: real processes, real HTTP, and a code on a lock at the end."""

import signal
import socket
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest

from lockbridge.signatures import sign_standard_webhook
from tests.commands.conftest import Command, process, until


@pytest.fixture
def port(monkeypatch) -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    monkeypatch.setenv("LOCKBRIDGE_SERVER__PORT", str(number))
    return number


def _alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _booking() -> bytes:
    today = datetime.now(UTC).date()
    data = {
        "id": "R1",
        "code": "HMX1",
        "property": "P1",
        "status": "confirmed",
        "arrival": str(today + timedelta(days=1)),
        "departure": str(today + timedelta(days=3)),
        "guest": {"name": "Ben Example", "phone": "+15550101234"},
    }
    return orjson.dumps({"type": "reservation.created", "data": data})


@pytest.mark.slow
def test_a_first_session_ends_with_a_code_on_a_lock_and_its_explanation(connected: Command, port, lock_app):
    address = connected("platform", "connect", "generic", "--json").json
    assert address["url"].startswith(f"http://127.0.0.1:{port}/")
    with process("serve") as server:
        until(lambda: _alive(port))
        body = _booking()
        headers = sign_standard_webhook(address["secret"], "e1", datetime.now(UTC), body)
        assert httpx.post(address["url"], content=body, headers=headers).json() == {"status": "stored"}
        stay = until(lambda: _stay_on_lock(connected))
        server.send_signal(signal.SIGTERM)
        log, _ = server.communicate(timeout=30)
    assert server.returncode == 0, log
    assert "stopped" in log
    assert address["secret"] not in log
    assert address["url"].rpartition("/")[2] not in log
    assert stay["stay"]["pin"] == "••34"
    assert connected("stay", "show", "HMX1", "--reveal", "--json").json["stay"]["pin"] == "1234"
    held = httpx.get(f"{lock_app}/locks/front-door/codes", headers={"authorization": "Bearer simulator"}).json()
    assert "1234" in {code["pin"] for code in held["codes"]}
    explained = connected("stay", "explain", "HMX1").out
    assert "the last digits" in explained or "phone" in explained
    assert "1234" not in explained
    assert {"history", "messages", "access", "stay"} == set(connected("stay", "explain", "1", "--json").json)
    assert "Ben Example" in connected("stay", "list").out
    assert connected("inbox", "list", "--json").json[0]["state"] == "done"
    assert connected("inbox", "replay", 1).code == 0


def _stay_on_lock(lockbridge: Command):
    said = lockbridge("stay", "show", "HMX1", "--json")
    if said.code == 0 and any(line["status"] == "scheduled" for line in said.json["access"]):
        return said.json
    return None


@pytest.mark.slow
def test_the_very_first_serve_makes_database_and_key_and_stops_on_ctrl_c(port, tmp_path):
    with process("serve") as server:
        until(lambda: _alive(port))
        server.send_signal(signal.SIGINT)
        log, _ = server.communicate(timeout=30)
    assert server.returncode == 0, log
    assert "made a new database" in log
    assert "Traceback" not in log
    assert (tmp_path / "data/lockbridge.key").exists()


@pytest.mark.slow
def test_a_worker_alone_does_the_work_and_stops_on_sigterm(connected: Command):
    with process("worker") as working:
        until(lambda: all(row["status"] == "set" for row in connected("code", "list", "--json").json))
        working.send_signal(signal.SIGTERM)
        log, _ = working.communicate(timeout=30)
    assert working.returncode == 0, log
    assert "stopped" in log


def test_a_port_that_is_taken_stops_serve_with_one_clear_line(lockbridge: Command, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("LOCKBRIDGE_SERVER__PORT", str(taken.getsockname()[1]))
        said = lockbridge("serve")
    assert said.code == 1
    assert "cannot listen on 127.0.0.1" in said.err


@pytest.mark.slow
def test_the_simulator_says_how_to_connect_it_and_stops_on_sigterm():
    with process("simulator", "--port", "0") as running:
        assert running.stdout is not None
        first, second = running.stdout.readline(), running.stdout.readline()
        url = second.split("url=")[1].split()[0]
        answer = httpx.get(f"{url}/locks", headers={"authorization": "Bearer simulator"})
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
    assert running.returncode == 0
    assert "Garden gate" in first
    assert len(answer.json()["locks"]) == 5
