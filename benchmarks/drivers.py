"""T10: a driver asks its vendor nearly as fast as a bare loop that sends the same requests and keeps nothing.

Each driver lists a lock's codes and makes one, in turn, at all locks at once, over the HTTP client that the engine
hands out. The bare loop asks the same, with the same client: method, address, parameters and body as the driver was
seen to send them, encoded anew each time, and the answer's JSON decoded. Sign-in and pace cost nothing here. igloohome
lists no codes: one is given out and one is brought by its bridge instead.

zwave_js and home_assistant ask over a WebSocket. The bare loop there is a reader that wakes whoever waits for the
number, some 15 µs a question: what their drivers add to that is told, and there is no goal for it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from statistics import median
from typing import Any, cast
from urllib.parse import parse_qsl

import aiohttp
import httpx
import orjson

from benchmarks.beside import beside
from benchmarks.figures import Figure, ratio
from benchmarks.vendors import ANSWERS, LOCKS, SOCKETS
from lockbridge.accounts.pace import FreePace
from lockbridge.contract import Connection, Notebook, Provider, Renew
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import LockRef
from lockbridge.outbound import client
from providers import PROVIDERS
from providers._socket import Line

Turn = Callable[[Provider, LockRef], Awaitable[None]]

_NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
STAY = Window(_NOON, _NOON + timedelta(days=3))
SPEC = CodeSpec(Pin("483957"), "Ida Example", STAY)


class _SignedIn:
    """An account that has its token."""

    async def current(self, _renew: Renew, *, refused: str | None = None) -> str:
        """The token, always."""
        del refused
        return "token"


@dataclass(frozen=True, slots=True)
class _Sent:
    """One request as the driver sent it: ``how`` are the arguments by which httpx sends it again."""

    method: str
    url: str
    how: Mapping[str, Any]


async def measure(turns: int, rounds: int) -> Sequence[Figure]:
    """T10: each driver, so many turns at each lock and round, in turn with its bare loop."""
    figures = [await _over_http(brand, turns, rounds) for brand in ANSWERS]
    return figures + [await _over_socket(brand, 5 * turns, rounds) for brand in SOCKETS]


async def _list_and_set(driver: Provider, lock: LockRef) -> None:
    await driver.list_codes(lock)
    await driver.set_code(lock, SPEC)


async def _give_out_and_bring(driver: Provider, lock: LockRef) -> None:
    await driver.set_code(lock, replace(SPEC, pin=None))
    await driver.set_code(lock, SPEC)


async def _list_set_and_remove(driver: Provider, lock: LockRef) -> None:
    await driver.list_codes(lock)
    ref = (await driver.set_code(lock, SPEC)).ref
    assert ref is not None
    await driver.remove_code(lock, ref)


_TURNS: Mapping[str, Turn] = {"igloohome": _give_out_and_bring, "home_assistant": _list_set_and_remove}
_ANSWERS_TO_FORM = {"token": "token", "api_key": "key", "client_id": "id", "client_secret": "secret", "slots": "1-20"}


def _locks(brand: str) -> list[LockRef]:
    """Seam's answers name their lock, so that there is one."""
    named = {"seam": "1", "home_assistant": "lock.{}"}.get(brand, "{}")
    return [LockRef(named.format(number)) for number in range(1, LOCKS + 1)]


def _driver(brand: str, http: httpx.AsyncClient, port: int) -> Provider:
    url = f"http://127.0.0.1:{port}"
    settings = {**_ANSWERS_TO_FORM, "url": url}
    outside = (lambda: datetime.now(UTC), _SignedIn(), FreePace(), cast("Notebook", None))
    return PROVIDERS[brand].connect(Connection("bench", settings, http, *outside))


async def _ours(brand: str, driver: Provider, turns: int) -> None:
    turn = _TURNS.get(brand, _list_and_set)

    async def at(lock: LockRef) -> None:
        for _ in range(turns):
            await turn(driver, lock)

    await asyncio.gather(*map(at, _locks(brand)))


async def _side_by_side(
    rounds: int,
    requests: int,
    ours: Callable[[], Awaitable[None]],
    bare: Callable[[], Awaitable[None]],
) -> tuple[float, str]:
    """Ours ÷ bare, and both rates: both of them ``rounds`` times, each first every other time."""
    taken: dict[Any, list[float]] = {ours: [], bare: []}
    for turn in range(rounds):
        for which in (bare, ours) if turn % 2 else (ours, bare):
            started = time.perf_counter()
            await which()
            taken[which].append(time.perf_counter() - started)
    found = median(theirs / mine for mine, theirs in zip(taken[ours], taken[bare], strict=True))
    return found, f"{requests / median(taken[ours]):,.0f}/s ÷ {requests / median(taken[bare]):,.0f}/s"


# -- over HTTP --------------------------------------------------------------------------------------------------------


async def _over_http(brand: str, turns: int, rounds: int) -> Figure:
    with beside("vendor", brand) as vendor:
        async with client() as http:
            driver = _driver(brand, http, vendor.port)
            await _ours(brand, driver, 1)
            sent = [await _seen(brand, driver, http, lock) for lock in _locks(brand)]
            found, rates = await _side_by_side(
                rounds,
                turns * sum(map(len, sent)),
                lambda: _ours(brand, driver, turns),
                lambda: _bare(http, sent, turns),
            )
            return ratio("T10", f"{brand}: requests through the driver ÷ bare httpx loop", found, 0.80, note=rates)


async def _seen(brand: str, driver: Provider, http: httpx.AsyncClient, lock: LockRef) -> list[_Sent]:
    """What the driver sends in one turn."""
    sent: list[_Sent] = []

    async def note(request: httpx.Request) -> None:
        url = str(request.url.copy_with(query=None))
        headers = {name: value for name, value in request.headers.items() if name in {"accept", "authorization"}}
        sent.append(_Sent(request.method, url, {"headers": headers, **_fields(request)}))

    http.event_hooks = {"request": [note]}
    await _TURNS.get(brand, _list_and_set)(driver, lock)
    http.event_hooks = {}
    return sent


def _fields(request: httpx.Request) -> dict[str, Any]:
    """What a request carries in its address and in its body."""
    params = {"params": dict(request.url.params)} if request.url.query else {}
    match request.headers.get("content-type"):
        case None:
            return params
        case "application/json":
            return {**params, "json": orjson.loads(request.content)}
    return {**params, "data": dict(parse_qsl(request.content.decode()))}


async def _bare(http: httpx.AsyncClient, sent: Sequence[Sequence[_Sent]], turns: int) -> None:
    async def at(mine: Sequence[_Sent]) -> None:
        for _ in range(turns):
            for each in mine:
                answer = await http.request(each.method, each.url, **each.how)
                answer.raise_for_status()
                if answer.content:
                    answer.json()

    await asyncio.gather(*map(at, sent))


# -- over a WebSocket -------------------------------------------------------------------------------------------------


class _Heard:
    """A line that notes what is sent over it."""

    def __init__(self, line: Line, sent: list[dict[str, Any]]) -> None:
        self._line, self._sent = line, sent
        self.receive, self.close = line.receive, line.close

    async def send(self, text: str) -> None:
        self._sent.append(orjson.loads(text))
        await self._line.send(text)


async def _over_socket(brand: str, turns: int, rounds: int) -> Figure:
    numbered = SOCKETS[brand]().numbered
    with beside("vendor", brand) as vendor:
        async with client() as http, aiohttp.ClientSession() as session:
            sent = await _said(brand, _driver(brand, http, vendor.port))
            driver = _driver(brand, http, vendor.port)
            await _ours(brand, driver, 2)
            async with session.ws_connect(f"ws://127.0.0.1:{vendor.port}/") as socket:
                line = _BareLine(socket, numbered)
                found, rates = await _side_by_side(
                    rounds,
                    turns * sum(map(len, sent)),
                    lambda: _ours(brand, driver, turns),
                    lambda: line.all(sent, turns),
                )
                await line.end()
            await driver._vendor.close()  # type: ignore[attr-defined]  # noqa: SLF001 - every driver keeps its way there
            return Figure("T10", f"{brand}: questions through the driver ÷ bare WebSocket", f"{found:.2f} ({rates})")


async def _said(brand: str, driver: Any) -> list[list[dict[str, Any]]]:
    """What the driver says in one turn at each lock, after two others."""
    sent: list[dict[str, Any]] = []
    dial = driver._vendor.dial  # noqa: SLF001 - as above

    async def heard() -> Line:
        return _Heard(await dial(), sent)

    driver._vendor = replace(driver._vendor, dial=heard)  # noqa: SLF001 - as above
    await _ours(brand, driver, 2)
    said = []
    for lock in _locks(brand):
        sent.clear()
        await _TURNS.get(brand, _list_and_set)(driver, lock)
        said.append(list(sent))
    await driver._vendor.close()  # noqa: SLF001 - as above
    return said


class _BareLine:
    """Questions and answers by number."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, numbered: str) -> None:
        self._socket, self._numbered, self._numbers = socket, numbered, count(1000)
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            answered = self._waiting.pop(str(orjson.loads(message.data).get(self._numbered)), None)
            if answered is not None:
                answered.set_result(None)

    async def ask(self, message: Mapping[str, Any]) -> None:
        number = next(self._numbers)
        answered = self._waiting[str(number)] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(orjson.dumps({**message, self._numbered: number}).decode())
        await answered

    async def all(self, said: Sequence[Sequence[Mapping[str, Any]]], turns: int) -> None:
        async def at(mine: Sequence[Mapping[str, Any]]) -> None:
            for _ in range(turns):
                for message in mine:
                    await self.ask(message)

        await asyncio.gather(*map(at, said))

    async def end(self) -> None:
        await self._socket.close()
        await self._reading
