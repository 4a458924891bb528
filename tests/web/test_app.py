"""Health, readiness and metrics, and a server that stops when it is told."""

import asyncio
import socket
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lockbridge.storage.database import StorageUnavailable
from lockbridge.web import server
from lockbridge.web.server import CannotListen, listen
from tests.web.conftest import START, Site, booking, served


@dataclass
class Pulse:
    """A worker as the web sees it."""

    ticked_at: datetime | None = None
    failing: set[str] = field(default_factory=set)


async def test_a_process_that_lives_says_so(sqlite_site: Site):
    answer = await sqlite_site.client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_a_process_whose_database_answers_and_fits_is_ready(site: Site):
    answer = await site.client.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "remarks": []})


async def test_a_process_whose_database_is_of_a_newer_version_is_not_ready_and_says_why(site: Site):
    with site.services.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    answer = await site.client.get("/ready")
    assert answer.status_code == 503
    assert "newer version" in answer.json()["problems"][0]
    assert "retry-after" in answer.headers


async def test_a_process_whose_worker_ticks_is_ready_and_one_whose_worker_hangs_is_not(open_site, sqlite_url):
    pulse = Pulse()
    site = await open_site(sqlite_url, pulse=pulse)
    assert (await site.client.get("/ready")).status_code == 200
    site.clock.advance(timedelta(minutes=2))
    answer = await site.client.get("/ready")
    assert answer.status_code == 503
    assert "not finished a tick for 120 s" in answer.json()["problems"][0]
    pulse.ticked_at = START + timedelta(seconds=110)
    assert (await site.client.get("/ready")).status_code == 200


async def test_a_tick_that_fails_is_remarked_upon(open_site, sqlite_url):
    site = await open_site(sqlite_url, pulse=Pulse(START, {"push"}))
    assert "'push' fails" in (await site.client.get("/ready")).json()["remarks"][0]


def _figures(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_count_webhooks_and_tell_what_waits(site: Site):
    await site.post(booking())
    await site.client.post(site.path, content=b"{}")
    await site.client.post("/webhooks/nobody/x", content=b"{}")
    answer = await site.client.get("/metrics")
    figures = _figures(answer.text)
    assert answer.headers["content-type"].startswith("text/plain")
    assert figures["lockbridge_webhooks_total", "stored", "generic"] == 1
    assert figures["lockbridge_webhooks_total", "refused", "generic"] == 1
    assert figures["lockbridge_webhooks_total", "unknown_address", ""] == 1
    assert figures["lockbridge_inbox", "waiting"] == 1
    assert figures["lockbridge_inbox", "dead"] == 0
    assert figures["lockbridge_messages", "waiting"] == 1
    assert figures["lockbridge_alarms_open", "bad_signature"] == 1
    assert figures["lockbridge_locks_due",] == 0
    assert figures["lockbridge_database_up",] == 1


async def test_metrics_count_the_calls_to_lock_apps_by_outcome(sqlite_site: Site):
    sqlite_site.services.accounts.calls["set_code", "pin_taken"] += 3
    figures = _figures((await sqlite_site.client.get("/metrics")).text)
    assert figures["lockbridge_lock_app_calls_total", "pin_taken", "set_code"] == 3


async def test_the_database_is_asked_for_figures_once_in_a_while_only(sqlite_site: Site):
    await sqlite_site.client.get("/metrics")
    await sqlite_site.post(booking())
    assert _figures((await sqlite_site.client.get("/metrics")).text)["lockbridge_inbox", "waiting"] == 0
    sqlite_site.clock.advance(timedelta(seconds=15))
    assert _figures((await sqlite_site.client.get("/metrics")).text)["lockbridge_inbox", "waiting"] == 1


async def test_metrics_say_that_the_database_is_away(sqlite_site: Site):
    async def away(*_arguments):
        msg = "the database is away"
        raise StorageUnavailable(msg)

    sqlite_site.services.database.ask = away  # type: ignore[method-assign]
    figures = _figures((await sqlite_site.client.get("/metrics")).text)
    assert figures["lockbridge_database_up",] == 0
    assert ("lockbridge_locks",) not in figures


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/health/", "/webhooks", "/%ff"])
async def test_there_is_nothing_else_and_no_redirect(sqlite_site: Site, path):
    assert (await sqlite_site.client.get(path)).status_code == 404


async def test_a_stopping_server_finishes_what_is_under_way_and_takes_no_more():
    begun, go_on, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_scope, _receive, send):
        begun.set()
        await go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async with served(slow, stop) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        asked = asyncio.create_task(client.get("/"))
        await begun.wait()
        stop.set()
        async with asyncio.timeout(5):
            while await _answers(port):
                pass
        go_on.set()
        assert (await asked).text == "done"


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
    except ConnectionError:  # refused, or reset: it stood in the queue when the server stopped listening
        return False
    return True


def test_an_answer_is_not_held_back_for_an_acknowledgement():
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_said_plainly():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotListen, match="choose another") as caught:
        listen("127.0.0.1", taken.getsockname()[1])
    assert str(taken.getsockname()[1] if taken.fileno() >= 0 else "") in str(caught.value)


def test_a_host_that_does_not_exist_is_said_plainly():
    with pytest.raises(CannotListen, match=r"cannot listen on 256\.1\.1\.1"):
        listen("256.1.1.1", 80)


def test_the_server_keeps_no_access_log():
    assert server._config(lambda: None).access_log is False  # type: ignore[arg-type,return-value]
