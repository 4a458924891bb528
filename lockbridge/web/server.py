"""An HTTP server that stops when it is told, not when uvicorn thinks so."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

STOPPING = "lockbridge.stopping"
"""Where the scope of a request holds what is set when the server stops: for answers that go on until then."""

GRACE_SECONDS = 10
"""How long requests that are under way may take when the server stops."""
BACKLOG = 2048


class CannotListen(Exception):
    """The address is taken, or is none of this machine's. The message says which and what to do."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the process."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there (port 0: any free one). Raises :class:`CannotListen`."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        msg = f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another host or port"
        raise CannotListen(msg) from None
    # Connections inherit it. Plain asyncio leaves it out: a body then waits 40 ms until its head is acknowledged.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


async def serve(app: ASGIApp, at: socket.socket, stop: asyncio.Event, *, quiet: bool = False) -> None:
    """Answer requests until ``stop``; then take no more, and finish those under way. Closes the socket.

    ``quiet``: an application that breaks off its answers on purpose is not logged.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL if quiet else logging.WARNING)
    server = _Server(_config(_Telling(app, stop)))
    stopping = asyncio.create_task(_stop(server, stop))
    try:
        await server.serve(sockets=[at])
    finally:
        stopping.cancel()
        with suppress(asyncio.CancelledError):
            await stopping
        at.close()


class _Telling:
    """Tells each request when the server stops."""

    def __init__(self, app: ASGIApp, stop: asyncio.Event) -> None:
        self._app, self._stop = app, stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[STOPPING] = self._stop
        await self._app(scope, receive, send)


def _config(app: ASGIApp) -> uvicorn.Config:
    """No access log: the paths of webhooks are secrets."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,  # only the pages for people ask who the client is: lockbridge.web.site
        backlog=BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


async def _stop(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True
