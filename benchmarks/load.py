"""A client that asks as fast as a server answers: 64 kept connections, requests made beforehand, no HTTP library."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast


@dataclass
class Load:
    """What came of it: answers by status, and how long each took."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    """Which of the requests were answered with 200."""

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def latency(self, share: float) -> float:
        """The latency in ms that this share of the requests did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class _Asker(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last is in."""

    def __init__(self, requests: Iterator[tuple[int, bytes]], load: Load, done: asyncio.Future[None]) -> None:
        self._requests, self._load, self._done = requests, load, done
        self._buffer = b""
        self._sent, self._number = 0.0, -1
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def _next(self) -> None:
        assert self._transport is not None
        self._number, request = next(self._requests, (-1, b""))
        if self._number < 0:
            self._finish()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, gap, rest = self._buffer.partition(b"\r\n\r\n")
        if not gap or len(rest) < _length(head):
            return
        self._buffer = b""
        status = int(head[9:12])
        self._load.latencies.append(time.perf_counter() - self._sent)
        self._load.statuses[status] = self._load.statuses.get(status, 0) + 1
        if status == 200:
            self._load.acknowledged.append(self._number)
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        self._finish()


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return 0 if at < 0 else int(head[at + 15 :].partition(b"\r\n")[0])


async def ask_all(port: int, requests: Sequence[bytes], connections: int = 64) -> Load:
    """Ask everything; a connection that is lost ends its share."""
    load, loop = Load(), asyncio.get_running_loop()
    supply = enumerate(requests)
    waiting = []
    started = time.perf_counter()
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        waiting.append(done)
        await loop.create_connection(lambda done=done: _Asker(supply, load, done), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*waiting)
    load.seconds = time.perf_counter() - started
    return load


def post(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """A request as it goes over the wire."""
    lines = [
        f"POST {path} HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json",
        f"content-length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
