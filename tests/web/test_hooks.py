"""The webhook route over a real socket: what is answered, and what is kept (R20)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import structlog
from sqlalchemy import event

from lockbridge import worker
from lockbridge.contract import AccountRefused
from lockbridge.storage.commit import GroupCommit
from lockbridge.storage.database import StorageUnavailable
from lockbridge.storage.vault import KeyRing, Vault
from lockbridge.web import hooks
from lockbridge.workflows import connect, receive
from tests.web.conftest import MAX_BODY, Site, booking


async def test_r20_a_genuine_webhook_is_answered_200_and_is_stored_by_then(site: Site):
    answer = await site.post(booking())
    assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
    assert [(row.state, row.platform) for row in site.deliveries()] == [("waiting", "generic")]


async def test_r20_a_repeated_webhook_is_answered_200_and_stored_once(site: Site):
    answers = [await site.post(booking()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len(site.deliveries()) == 1


async def test_r20_webhooks_that_come_at_once_are_each_stored_once(site: Site):
    posts = [site.post(booking(), f"e{number % 20}") for number in range(60)]
    assert {answer.status_code for answer in await asyncio.gather(*posts)} == {200}
    assert len(site.deliveries()) == 20


async def test_a_wrong_signature_is_answered_401_with_a_reason_and_nothing_is_stored(site: Site):
    answer = await site.client.post(site.path, content=booking(id="R2"), headers=site.signed(booking()))
    assert answer.status_code == 401
    assert "does not match" in answer.json()["reason"]
    assert not site.deliveries()


async def test_a_flood_of_wrong_signatures_tells_the_host_once_and_writes_nothing_more(site: Site, monkeypatch):
    written = []
    real = receive.refused

    async def counted(*arguments):
        written.append(1)
        await real(*arguments)

    monkeypatch.setattr(receive, "refused", counted)
    answers = [await site.client.post(site.path, content=b"{}") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {401}
    assert (len(written), site.told("bad_signature")) == (1, 1)
    site.clock.advance(timedelta(hours=1))
    await site.client.post(site.path, content=b"{}")
    assert (len(written), site.told("bad_signature")) == (2, 1)


async def test_a_wrong_signature_is_answered_401_although_nobody_can_be_told(sqlite_site: Site):
    await sqlite_site.services.commit.close()
    assert (await sqlite_site.client.post(sqlite_site.path, content=b"{}")).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/generic/nobodys-token",
        "/webhooks/generic/",
        "/webhooks/generic",
        "/webhooks/",
        "/webhooks//",
        "/webhooks/generic/a/b",
        "/webhooks/generic/%00",
        "/webhooks/generic/%2e%2e%2f",
        "/webhooks/generic/" + "x" * 5000,
        "/webhooks/nobody/token",
        "/webhooks/\u00fc/token",
    ],
)
async def test_an_address_that_does_not_exist_is_answered_404_and_never_with_a_redirect(sqlite_site: Site, path):
    answer = await sqlite_site.client.post(path, content=b"{}")
    assert answer.status_code == 404
    assert not sqlite_site.deliveries()


async def test_the_token_of_one_platform_does_not_open_another(sqlite_site: Site):
    path = sqlite_site.path.replace("/generic/", "/hospitable/")
    assert (await sqlite_site.client.post(path, content=b"{}")).status_code == 404


async def test_an_address_with_a_slash_too_many_is_another_address(sqlite_site: Site):
    assert (await sqlite_site.client.post(f"{sqlite_site.path}/", content=b"{}")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_only_post_is_taken(sqlite_site: Site, method):
    answer = await sqlite_site.client.request(method, sqlite_site.path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_body_of_10_mb_is_answered_413_by_its_announced_length(sqlite_site: Site):
    answer = await sqlite_site.post(b"x" * 10_000_000)
    assert answer.status_code == 413
    assert not sqlite_site.deliveries()


async def test_a_body_of_10_mb_is_answered_413_while_it_streams_in(sqlite_site: Site):
    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100_000

    answer = await sqlite_site.client.post(sqlite_site.path, content=body())
    assert answer.status_code == 413
    assert (await sqlite_site.post(booking())).status_code == 200


async def test_the_platforms_own_limit_counts_where_it_is_lower(sqlite_site: Site):
    limit = sqlite_site.services.platforms["generic"].hook.max_body
    assert limit < MAX_BODY
    assert (await sqlite_site.post(b"x" * limit)).status_code == 200
    assert (await sqlite_site.post(b"x" * (limit + 1), "e2")).status_code == 413


async def test_a_body_that_comes_in_pieces_is_stored_whole(sqlite_site: Site):
    whole = booking()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 40):
            yield whole[start : start + 40]
            await asyncio.sleep(0)

    answer = await sqlite_site.client.post(sqlite_site.path, content=pieces(), headers=sqlite_site.signed(whole))
    assert answer.status_code == 200
    stored = sqlite_site.services.vault.open_bytes(sqlite_site.deliveries()[0].body_sealed, "delivery")
    assert stored == whole


async def _connected(site: Site) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"POST {site.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf".encode())
    await writer.drain()
    return reader, writer


async def test_a_body_that_does_not_arrive_is_not_waited_for_and_holds_nobody_up(sqlite_site: Site, monkeypatch):
    monkeypatch.setattr(hooks, "BODY_PATIENCE", timedelta(milliseconds=200))
    reader, writer = await _connected(sqlite_site)
    assert (await sqlite_site.post(booking())).status_code == 200
    assert b"503" in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_sender_that_breaks_off_leaves_nothing_behind(sqlite_site: Site):
    _, writer = await _connected(sqlite_site)
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(5):
        while not sqlite_site.web.hooks.outcomes["generic", "broken_off"]:
            await sqlite_site.client.get("/health")
    assert not sqlite_site.deliveries()


async def test_a_full_disk_is_answered_503_with_retry_after_and_its_end_is_noticed(sqlite_site: Site):
    limit = 1

    @event.listens_for(sqlite_site.services.database._writer, "begin")
    def cap(connection):
        connection.exec_driver_sql(f"PRAGMA max_page_count={limit}")

    with structlog.testing.capture_logs() as logs:
        answers = [await sqlite_site.post(booking(pad="x" * 100_000), f"e{number}") for number in range(3)]
        limit = 1_000_000
        recovered = await sqlite_site.post(booking(pad="x" * 100_000), "e0")
    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert int(answers[0].headers["retry-after"]) > 0
    assert recovered.status_code == 200
    assert [log["event"] for log in logs] == ["webhooks cannot be stored", "webhooks are stored again"]
    assert "disk is full" in logs[0]["reason"]


async def test_a_process_that_is_stopping_answers_503_and_never_4xx(site: Site):
    await site.services.commit.close()
    answer = await site.post(booking())
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


async def test_too_many_waiting_writes_are_answered_503(sqlite_site: Site):
    crowded = GroupCommit(sqlite_site.services.database, max_waiting=0)
    sqlite_site.instead(commit=crowded)
    assert (await sqlite_site.post(booking())).status_code == 503
    await crowded.close()


async def test_a_database_that_does_not_answer_is_answered_503_and_a_known_address_is_not_lost(sqlite_site: Site):
    async def away(*_arguments):
        msg = "the database is away"
        raise StorageUnavailable(msg, retry_after=timedelta(seconds=7.2))

    sqlite_site.services.database.ask = away  # type: ignore[method-assign]
    answer = await sqlite_site.post(booking())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "8")


async def test_a_key_that_opens_nothing_is_answered_503(sqlite_site: Site):
    sqlite_site.instead(vault=Vault(KeyRing.fresh()))
    with structlog.testing.capture_logs() as logs:
        answer = await sqlite_site.post(booking())
    assert answer.status_code == 503
    assert "key ring" in logs[0]["reason"]


async def test_a_mistake_of_ours_is_answered_503_so_that_the_booking_comes_again(sqlite_site: Site, monkeypatch):
    async def broken(*_arguments):
        raise AccountRefused

    monkeypatch.setattr(receive, "accept", broken)
    assert (await sqlite_site.post(booking())).status_code == 503


async def test_an_address_is_remembered_for_a_moment_and_a_new_one_is_found_at_once(sqlite_site: Site):
    asked = []
    real = sqlite_site.services.database.ask

    async def counted(*arguments):
        asked.append(1)
        return await real(*arguments)

    sqlite_site.services.database.ask = counted  # type: ignore[method-assign]
    for number in range(5):
        await sqlite_site.post(booking(), f"e{number}")
    assert len(asked) == 1
    sqlite_site.address = await connect.add_address(
        sqlite_site.services, sqlite_site.host, "generic", None, sqlite_site.clock.now()
    )
    assert (await sqlite_site.post(booking(), "new")).status_code == 200
    sqlite_site.clock.advance(timedelta(minutes=1))
    await sqlite_site.post(booking(), "later")
    assert len(asked) == 3


async def test_guesses_at_tokens_take_no_more_memory_than_is_set_aside_for_them(sqlite_site: Site, monkeypatch):
    monkeypatch.setattr(hooks, "MOST_REMEMBERED", 5)
    for number in range(20):
        await sqlite_site.client.post(f"/webhooks/generic/guess-{number}", content=b"{}")
    assert len(sqlite_site.web.hooks._addresses) == 5
    assert (await sqlite_site.post(booking())).status_code == 200


async def test_nothing_secret_is_logged(sqlite_site: Site, caplog):
    with structlog.testing.capture_logs() as logs:
        await sqlite_site.post(booking())
        await sqlite_site.client.post(sqlite_site.path, content=b"{}")
        await sqlite_site.services.commit.close()
        await sqlite_site.post(booking(), "e2")
    told = f"{logs}{caplog.text}"
    assert len(logs) == 2
    for secret in (sqlite_site.address.token, sqlite_site.address.secret, "Ben Example", "5550101234"):
        assert secret not in told


async def test_an_unknown_event_is_answered_200_and_kept(site: Site):
    assert (await site.post(b'{"type": "ping"}')).status_code == 200
    await worker.run_once(site.services, site.clock.now())
    assert [row.state for row in site.deliveries()] == ["ignored"]


async def test_a_truncated_body_is_kept_given_up_after_n_tries_with_the_reason_and_can_be_replayed(site: Site):
    assert (await site.post(booking()[:60])).status_code == 200
    for _ in range(site.services.policy.inbox_attempts):
        await receive.read_deliveries(site.services, site.clock.now())
        site.clock.advance(timedelta(days=1))
    (dead,) = site.deliveries()
    assert (dead.state, dead.attempts) == ("dead", site.services.policy.inbox_attempts)
    assert "not JSON" in dead.error
    assert site.told("delivery_dead") == 1
    assert await receive.replay(site.services, site.host, site.clock.now()) == 1
    assert [(row.state, row.attempts) for row in site.deliveries()] == [("waiting", 0)]


async def test_headers_in_any_encoding_do_no_harm(sqlite_site: Site):
    body = booking()
    headers = [(name.encode(), value.encode()) for name, value in sqlite_site.signed(body).items()]
    headers += [(b"user-agent", b"\xff\xfe caf\xe9"), (b"x-odd", b"\x80")]
    answer = await sqlite_site.client.post(sqlite_site.path, content=body, headers=httpx.Headers(headers))
    assert answer.status_code == 200
