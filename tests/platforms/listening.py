"""A server on loopback that says what it is told to say, byte by byte, over HTTP or HTTPS."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
SECRET = "s3cret-of-the-feed"
BODY = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"


def answer(body: bytes = BODY, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def redirect(to: str) -> bytes:
    return answer(b"", f"location: {to}", status="302 Found")


@dataclass
class Server:
    """Gives prepared answers in turn, the last one for ever; ``b""`` is no answer at all."""

    answers: list[bytes]
    scheme: str = "http"
    port: int = 0
    requests: list[str] = field(default_factory=list)
    talks: list[asyncio.Task] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.talks.append(asyncio.current_task())
        with suppress(OSError):
            await self._answer(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if said:
            writer.write(said)
        else:
            await reader.read()

    def url(self, path: str = f"/calendar.ics?s={SECRET}", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def headers(self, number: int = -1) -> dict[str, str]:
        lines = self.requests[number].split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}


@asynccontextmanager
async def serving(*answers: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(list(answers), "https" if tls else "http")
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await asyncio.gather(*server.talks)
