"""A real HTTP server on loopback, in a thread, for whatever ASGI application a test puts behind it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass
class ServedApp:
    """What is behind the server now, and where it listens."""

    url: str
    asgi: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.asgi is not None, "put an application behind the server first"
        await self.asgi(scope, receive, send)


@contextmanager
def serving() -> Iterator[ServedApp]:
    """A server on a free port of 127.0.0.1 until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    served = ServedApp(f"http://127.0.0.1:{listening.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(served, lifespan="off", log_config=None, log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        thread.join(0.01)
    yield served
    server.should_exit = True
    thread.join(10)
