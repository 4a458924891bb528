"""The one way to ask a vendor: what is repeated, what is not, and which error each failure becomes."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from httpx_aiohttp import AiohttpTransport

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    LockOffline,
    OutcomeUnknown,
    PinTaken,
    ProviderError,
    RateLimited,
    Rejected,
    Unreachable,
)
from lockbridge.outbound import ErrorTable, Patience, Request, Vendor, client, retry_after

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEY, SECRET, HOST = "4711", "very-secret", "vendor.test"
WORDS = ErrorTable(
    words={"duplicate": PinTaken, "offline": LockOffline},
    word_of=lambda body: body.get("code") if isinstance(body, dict) else None,
)


class Talk:
    """A vendor that gives prepared answers in turn, the last one for ever, and the pauses it was granted."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []
        self.vendor = Vendor(
            httpx.AsyncClient(transport=httpx.MockTransport(self._answer)),
            f"https://{HOST}",
            WORDS,
            lambda: NOW,
            {"authorization": f"Bearer {SECRET}"},
            Patience(sleep=self._pause),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def read(self, parse: Callable[[Any], Any] = dict) -> Any:
        return await self.vendor.ask(Request("GET", f"/codes?key={KEY}"), parse)

    async def write(self, parse: Callable[[Any], Any] = dict) -> Any:
        return await self.vendor.ask(Request("POST", "/codes", body={"pin": KEY}), parse)


OK = httpx.Response(200, json={"fine": True})
LOST = [
    httpx.ReadTimeout("x"),
    httpx.WriteTimeout("x"),
    httpx.ReadError("x"),
    httpx.WriteError("x"),
    httpx.RemoteProtocolError("x"),
    httpx.DecodingError("x"),
    OSError("x"),
]
UNSENT = [httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x"), httpx.UnsupportedProtocol("x")]


async def test_a_read_is_tried_again_until_it_answers() -> None:
    talk = Talk(httpx.ReadTimeout("x"), httpx.Response(502), OK)
    assert await talk.read() == {"fine": True}
    assert len(talk.pauses) == 2
    assert all(0 <= pause <= 1 for pause in talk.pauses)


async def test_a_read_is_tried_three_times_and_then_unreachable() -> None:
    talk = Talk(httpx.ReadTimeout("x"))
    with pytest.raises(Unreachable):
        await talk.read()
    assert len(talk.requests) == 3


async def test_no_try_begins_after_five_seconds() -> None:
    talk = Talk(httpx.ReadTimeout("x"))
    talk.vendor = replace(talk.vendor, patience=replace(talk.vendor.patience, within=timedelta(0)))
    with pytest.raises(Unreachable):
        await talk.read()
    assert len(talk.requests) == 1


@pytest.mark.parametrize("failure", LOST + UNSENT, ids=lambda failure: type(failure).__name__)
async def test_a_read_that_fails_is_unreachable(failure: Exception) -> None:
    with pytest.raises(Unreachable):
        await Talk(failure).read()


@pytest.mark.parametrize("failure", LOST, ids=lambda failure: type(failure).__name__)
async def test_r22_a_write_whose_answer_is_lost_is_outcome_unknown_and_sent_once(failure: Exception) -> None:
    talk = Talk(failure)
    with pytest.raises(OutcomeUnknown):
        await talk.write()
    assert len(talk.requests) == 1


@pytest.mark.parametrize("failure", UNSENT, ids=lambda failure: type(failure).__name__)
async def test_r22_a_write_that_was_never_sent_is_unreachable(failure: Exception) -> None:
    with pytest.raises(Unreachable):
        await Talk(failure).write()


async def test_an_address_that_is_none_is_unreachable() -> None:
    talk = Talk(OK)
    talk.vendor = replace(talk.vendor, base="https://vendor:port")
    with pytest.raises(Unreachable):
        await talk.write()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, OutcomeUnknown),
        (400, Rejected),
        (401, AccountRefused),
        (403, AccountRefused),
        (404, Rejected),
        (408, OutcomeUnknown),
        (429, RateLimited),
        (500, OutcomeUnknown),
        (502, OutcomeUnknown),
        (503, Unreachable),
        (504, OutcomeUnknown),
        (522, OutcomeUnknown),
    ],
)
async def test_what_a_status_means_for_a_write(status: int, error: type[ProviderError]) -> None:
    talk = Talk(httpx.Response(status, text="<h1>?</h1>"))
    with pytest.raises(error):
        await talk.write()
    assert len(talk.requests) == 1


@pytest.mark.parametrize("status", [302, 400, 404, 500, 502, 503, 504])
async def test_what_the_table_does_not_explain_is_unreachable_for_a_read(status: int) -> None:
    with pytest.raises(Unreachable):
        await Talk(httpx.Response(status, json={"code": "strange"})).read()


@pytest.mark.parametrize("status", [200, 409, 500, 503])
async def test_the_vendors_word_counts_whatever_the_status(status: int) -> None:
    talk = Talk(httpx.Response(status, json={"code": "duplicate"}))
    with pytest.raises(PinTaken):
        await talk.write()
    with pytest.raises(PinTaken):
        await talk.read()
    assert len(talk.requests) == 2


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'{"fine": ', b"\xff\xfe"], ids=repr)
async def test_babble_is_unreachable_for_a_read_and_outcome_unknown_for_a_write(body: bytes) -> None:
    babble = httpx.Response(200, content=body)
    with pytest.raises(Unreachable):
        await Talk(babble).read(lambda answer: answer["fine"])
    with pytest.raises(OutcomeUnknown):
        await Talk(babble).write(lambda answer: answer["fine"])


async def test_an_empty_answer_is_none() -> None:
    assert await Talk(httpx.Response(204)).write(lambda answer: answer) is None


async def test_throttling_is_not_tried_again_and_says_for_how_long() -> None:
    talk = Talk(httpx.Response(429, headers={"Retry-After": "120"}))
    with pytest.raises(RateLimited) as caught:
        await talk.read()
    assert caught.value.retry_after == timedelta(minutes=2)
    assert len(talk.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 60),
        ("", 60),
        ("30", 30),
        (" 30 ", 30),
        ("0", 1),
        ("999999999999999999999", 60),
        ("500000", 86_400),
        ("Mon, 04 May 2026 12:05:00 GMT", 300),
        ("Mon, 04 May 2026 12:05:00 -0000", 300),
        ("Mon, 04 May 2026 11:00:00 GMT", 1),
        ("soon", 60),
        ("-5", 60),
    ],
)
def test_retry_after_in_all_its_forms(header: str | None, seconds: int) -> None:
    assert retry_after(header, NOW) == timedelta(seconds=seconds)


async def test_errors_hold_neither_addresses_nor_bodies_nor_credentials() -> None:
    failures = [*LOST, *UNSENT, httpx.Response(500, text=f"{KEY} {SECRET}"), httpx.Response(200, text=KEY)]
    for failure in failures:
        talk = Talk(failure)
        for ask in (talk.read, talk.write):
            with pytest.raises(ProviderError) as caught:
                await ask()
            shown = "".join(traceback.format_exception(caught.value))
            assert not any(secret in shown for secret in (KEY, SECRET, HOST))
    assert SECRET not in repr(talk.vendor)


async def test_a_refusal_without_words_of_its_own_is_said_in_those_of_its_kind() -> None:
    talk = Talk(httpx.Response(404))
    talk.vendor = replace(talk.vendor, errors=ErrorTable(statuses={404: CodeGone}), who="Acme")
    with pytest.raises(CodeGone, match=r"^Acme has no such code$"):
        await talk.read()
    talk = Talk(httpx.Response(405))
    talk.vendor = replace(talk.vendor, errors=ErrorTable(statuses={405: Rejected}), who="Acme")
    with pytest.raises(Rejected, match=r"^Acme refused$"):
        await talk.write()


@pytest.mark.parametrize(
    ("headers", "sent"),
    [({}, "application/json"), ({"content-type": "application/json-patch+json"}, "application/json-patch+json")],
)
async def test_a_body_is_called_json_unless_the_request_says_what_it_is(headers: dict[str, str], sent: str) -> None:
    talk = Talk(OK)
    await talk.vendor.ask(Request("PUT", "/codes", body={"pin": KEY}, headers=headers), dict)
    assert talk.requests[0].headers.get_list("content-type") == [sent]


async def test_redirects_are_not_followed() -> None:
    talk = Talk(httpx.Response(307, headers={"Location": "https://elsewhere.test"}), OK)
    talk.vendor.http.follow_redirects = True
    with pytest.raises(OutcomeUnknown):
        await talk.write()
    assert len(talk.requests) == 1


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """A server on loopback that hands each connection to the handler and leaves nothing open. Gives its URL."""
    handling: list[asyncio.Task] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.append(asyncio.current_task())
        await handler(reader, writer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*handling)


def dropping(arrived: list[str]) -> Handler:
    """Answers every other request, and after the others drops the connection it had kept open."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            arrived.append(head.split()[0].decode())
            if len(arrived) % 2 == 0:
                return
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    return serve


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def test_a_cookie_that_one_account_was_given_is_not_sent_with_anothers_requests() -> None:
    arrived: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            arrived.append(head.lower())
            writer.write(b"HTTP/1.1 200 OK\r\nset-cookie: session=ada; path=/\r\ncontent-length: 2\r\n\r\n{}")

    async with listening(serve) as url, client() as http:
        for token in ("ada", "grace"):
            vendor = Vendor(http, url, ErrorTable(), lambda: NOW, {"authorization": f"Bearer {token}"})
            await vendor.ask(Request("GET", "/"), dict)
    assert [b"cookie" in head for head in arrived] == [False, False]


@pytest.mark.parametrize("params", [{}, {"a": 1, "b": "x y&z/ü+%"}, {"yes": True, "none": None}])
async def test_parameters_go_into_the_address_as_httpx_writes_them(params: dict[str, Any]) -> None:
    talk = Talk(OK)
    await talk.vendor.ask(Request("GET", "/codes", params=params), dict)
    assert talk.requests[0].url == httpx.Request("GET", f"https://{HOST}/codes", params=params).url


async def test_the_time_that_the_first_try_took_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockbridge.outbound.monotonic", iter([100.0, 106.0]).__next__)
    talk = Talk(httpx.ReadTimeout("x"))
    with pytest.raises(Unreachable):
        await talk.read()
    assert len(talk.requests) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("make", [httpx.AsyncClient, client], ids=["httpx", "aiohttp"])
async def test_r22_a_write_on_a_kept_connection_that_is_dropped_is_sent_once_and_unknown(
    method: str, make: Callable[[], httpx.AsyncClient]
) -> None:
    arrived: list[str] = []
    async with listening(dropping(arrived)) as url, make() as http:
        vendor = Vendor(http, url, ErrorTable(), lambda: NOW)
        await vendor.ask(Request(method, "/"), dict)
        with pytest.raises(OutcomeUnknown):
            await vendor.ask(Request(method, "/"), dict)
    assert arrived == [method, method]


async def test_r22_the_stock_aiohttp_transport_calls_a_dropped_post_never_sent_and_is_not_believed() -> None:
    async with listening(dropping([])) as url, httpx.AsyncClient(transport=AiohttpTransport()) as http:
        vendor = Vendor(http, url, ErrorTable(), lambda: NOW)
        await vendor.ask(Request("POST", "/"), dict)
        with pytest.raises(OutcomeUnknown):
            await vendor.ask(Request("POST", "/"), dict)


@pytest.mark.parametrize("make", [httpx.AsyncClient, client], ids=["httpx", "aiohttp"])
async def test_a_port_where_nobody_listens_is_unreachable_for_a_write(make: Callable[[], httpx.AsyncClient]) -> None:
    async with listening(dropping([])) as url:
        pass
    async with make() as http:
        with pytest.raises(Unreachable):
            await Vendor(http, url, ErrorTable(), lambda: NOW).ask(Request("POST", "/"), dict)


@pytest.mark.parametrize("make", [httpx.AsyncClient, client], ids=["httpx", "aiohttp"])
async def test_r22_a_write_that_is_never_answered_is_unknown_and_sent_once(
    make: Callable[[], httpx.AsyncClient],
) -> None:
    arrived: list[bytes] = []

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        arrived.append(await _head(reader))
        await reader.read()

    async with listening(silent) as url, make() as http:
        vendor = Vendor(http, url, ErrorTable(), lambda: NOW, timeout=httpx.Timeout(0.05))
        with pytest.raises(OutcomeUnknown):
            await vendor.ask(Request("POST", "/"), dict)
    assert len(arrived) == 1
