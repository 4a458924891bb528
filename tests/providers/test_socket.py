"""The line to vendors that speak over a WebSocket, against a real server on loopback."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiohttp import WSMsgType, web

from lockbridge.contract import AccountRefused, CodeGone, OutcomeUnknown, ProviderError, Unreachable
from lockbridge.outbound import ErrorTable, Patience, client
from providers._socket import Call, Greeting, Socket, dialer, websocket_url
from tests.contract.harness import no_sleep

ERRORS = ErrorTable(words={"gone": CodeGone}, word_of=lambda answer: answer.get("error"))
READ, WRITE = Call({"do": "read"}), Call({"do": "write"}, writes=True)


class Server:
    """Answers with what was asked, or misbehaves in the way it is told to."""

    def __init__(self) -> None:
        self.opened = 0
        self.asked: list[Any] = []
        self.way = "echo"
        self.held: list[dict[str, Any]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.way.isdigit():
            return web.Response(status=int(self.way), text="<h1>who are you?</h1>")
        line = web.WebSocketResponse()
        await line.prepare(request)
        self.opened += 1
        await line.send_json({"type": "hello"} if self.way != "rude" else ["hello"])
        async for message in line:
            if message.type is WSMsgType.TEXT:
                self.asked.append(message.json())
                await self._answer(line, message.json())
        return line

    async def _answer(self, line: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        answer = {"type": "result", "id": asked["id"], "success": True, "result": asked}
        if self.way == "backwards":
            await self._answer_backwards(line, answer)
        match self.way:
            case "echo":
                await line.send_json(answer)
            case "close":
                await line.close()
            case "babble":
                await line.send_str("<html>Welcome</html>")
            case "binary":
                await line.send_bytes(b"{}")
            case "list":
                await line.send_json([answer])
            case "fail":
                await line.send_json({**answer, "success": False, "error": "whatever"})
            case "gone":
                await line.send_json({**answer, "success": False, "error": "gone"})

    async def _answer_backwards(self, line: web.WebSocketResponse, answer: dict[str, Any]) -> None:
        self.held.append(answer)
        if len(self.held) == 3:
            for held in reversed(self.held):
                await line.send_json({"type": "event", "id": held["id"], "event": {}})
                await line.send_json(held)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_get("/line", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/line"
    yield server
    await runner.cleanup()


@pytest.fixture
async def socket(server: Server) -> AsyncIterator[Socket]:
    async with client() as http:
        made = Socket(dialer(http, server.url), greet, ERRORS, patience=Patience(sleep=no_sleep))
        yield made
        await made.close()


async def greet(greeting: Greeting) -> None:
    assert (await greeting.hear())["type"] == "hello"


async def fails(kind: type[ProviderError], socket: Socket, call: Call) -> None:
    with pytest.raises(kind) as caught:
        await socket.ask(call, dict)
    assert "127.0.0.1" not in str(caught.value)


async def test_one_line_is_kept_for_all_questions(server: Server, socket: Socket):
    for number in range(1, 4):
        assert await socket.ask(Call({"n": number}), dict) == {"n": number, "id": number}
    assert server.opened == 1


async def test_questions_asked_together_get_their_own_answers(server: Server, socket: Socket):
    server.way = "backwards"
    answers = await asyncio.gather(*(socket.ask(Call({"n": n}), lambda result: result["n"]) for n in range(3)))
    assert answers == [0, 1, 2]
    assert server.opened == 1


@pytest.mark.parametrize("way", ["close", "babble", "binary", "list"])
async def test_a_write_whose_answer_is_lost_is_sent_once(server: Server, socket: Socket, way: str):
    server.way = way
    await fails(OutcomeUnknown, socket, WRITE)
    assert len(server.asked) == 1


@pytest.mark.parametrize("way", ["close", "babble", "binary", "list"])
async def test_a_read_is_tried_three_times_each_on_a_new_line(server: Server, socket: Socket, way: str):
    server.way = way
    await fails(Unreachable, socket, READ)
    assert (len(server.asked), server.opened) == (3, 3)
    server.way = "echo"
    assert await socket.ask(READ, dict)


async def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(server: Server):
    server.way = "silent"
    async with client() as http:
        hasty = Socket(dialer(http, server.url), greet, ERRORS, within=0.05, patience=Patience(tries=1))
        await fails(OutcomeUnknown, hasty, WRITE)
        await fails(Unreachable, hasty, READ)
        server.way = "echo"
        assert await hasty.ask(READ, dict)
        await hasty.close()
    assert server.opened == 1


async def test_a_refusal_is_read_from_the_brands_table(server: Server, socket: Socket):
    server.way = "gone"
    await fails(CodeGone, socket, WRITE)
    server.way = "fail"
    await fails(OutcomeUnknown, socket, WRITE)
    await fails(Unreachable, socket, READ)


async def test_an_answer_of_another_shape_is_lost(socket: Socket):
    def parse(result: Any) -> Any:
        return result["missing"]

    with pytest.raises(OutcomeUnknown):
        await socket.ask(WRITE, parse)
    with pytest.raises(Unreachable):
        await socket.ask(READ, parse)


@pytest.mark.parametrize(("status", "kind"), [("401", AccountRefused), ("403", AccountRefused), ("502", Unreachable)])
async def test_a_line_that_is_refused_sends_nothing(server: Server, socket: Socket, status: str, kind: type):
    server.way = status
    await fails(kind, socket, WRITE)
    assert server.asked == []


async def test_a_greeting_without_sense_is_unreachable_and_nothing_is_sent(server: Server, socket: Socket):
    server.way = "rude"
    await fails(Unreachable, socket, WRITE)
    assert server.asked == []


async def test_a_server_that_is_not_there_is_unreachable():
    async with client() as http:
        nobody = Socket(dialer(http, "ws://127.0.0.1:1/"), greet, ERRORS, patience=Patience(sleep=no_sleep))
        await fails(Unreachable, nobody, WRITE)
        await fails(Unreachable, nobody, READ)


async def test_a_client_without_sockets_is_said_so():
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as http:
        await fails(Unreachable, Socket(dialer(http, "ws://127.0.0.1:1/"), greet, ERRORS, patience=Patience(1)), READ)


async def test_a_line_nobody_asked_anything_over_is_closed(server: Server, socket: Socket):
    await socket.ready()
    await socket.close()
    assert await socket.ask(READ, dict)
    assert server.opened == 2


async def test_the_line_ends_with_the_http_client(server: Server):
    async with client() as http:
        socket = Socket(dialer(http, server.url), greet, ERRORS)
        await socket.ask(READ, dict)
    await fails(Unreachable, Socket(socket.dial, greet, ERRORS, patience=Patience(1)), READ)
    await socket.close()


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("ws://a:3000", "ws://a:3000/x"),
        ("wss://a/x", "wss://a/x"),
        (" http://a/ ", "ws://a/x"),
        ("https://a/b", "wss://a/b/x"),
    ],
)
def test_addresses_are_taken_as_hosts_write_them(address: str, url: str):
    assert websocket_url(address, "/x") == url


@pytest.mark.parametrize("address", ["", "a:3000", "ftp://a", "ws://", "http://[::1"])
def test_what_is_no_address_is_said_at_once(address: str):
    with pytest.raises(AccountRefused, match="address"):
        websocket_url(address)
