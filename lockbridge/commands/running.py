"""The processes that run for long: the web server with its worker, the worker alone."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

import structlog
import typer

from lockbridge import __version__, log
from lockbridge.bootstrap import Instead, open_database, sample_lock_app, services
from lockbridge.commands.session import make_ready, settings_of, to_stderr
from lockbridge.config import Settings, unknown_variables
from lockbridge.services import Services

if TYPE_CHECKING:
    from lockbridge.worker import Worker

SIGNALS = (signal.SIGTERM, signal.SIGINT)
NICE = 10
"""How far a worker steps back where processes compete for the processors."""


def serve(
    context: typer.Context,
    without_worker: bool = typer.Option(
        False, "--without-worker", help="Only take webhooks; workers run as processes of their own."
    ),
) -> None:
    """Take webhooks and carry codes to the locks, until it is stopped with SIGTERM or Ctrl+C.

    The very first run makes the SQLite database and the key.
    """
    settings = settings_of(context)
    make_ready(settings, to_stderr)
    _set_up_log(settings)
    run_fast(_serve(settings, with_worker=not without_worker))


async def _serve(settings: Settings, *, with_worker: bool) -> None:
    from lockbridge.web.app import build_web  # noqa: PLC0415 - 11 MB that a worker has no use for
    from lockbridge.web.server import listen  # noqa: PLC0415 - as above
    from lockbridge.web.server import serve as answer_requests  # noqa: PLC0415 - as above

    stop = stop_on_signals()
    async with services(settings) as built:
        at = listen(settings.server.host, settings.server.port)
        async with _working(built, settings) if with_worker else nullcontext() as worker:
            url = f"http://{settings.server.host}:{at.getsockname()[1]}"
            reached = settings.server.public_url or url
            web = build_web(
                built,
                max_body=settings.server.max_body,
                pulse=worker,
                url=reached,
                simulator=partial(sample_lock_app, token_urlsafe(16), built.clock),
            )
            built.log.info("listening", url=url, version=__version__)
            await _point_to_console(built, reached)
            freeze_heap()
            await answer_requests(web, at, stop)
            await web.background.finish()
            built.log.info("stopping: the calls that are under way are finished first")
    structlog.get_logger("lockbridge").info("stopped")


async def _point_to_console(built: Services, url: str) -> None:
    """Say where people go: the first time to a page that makes the first owner, with a link that works once."""
    from lockbridge.workflows import sign_in  # noqa: PLC0415 - it loads what checks passwords

    first = await sign_in.first_run_ticket(built, built.clock.now())
    if first is None:
        to_stderr(f"the console is at {url}/")
    else:
        to_stderr(f"nobody can sign in yet: open {url}/first-run/{first} to begin (the link works once)")


@asynccontextmanager
async def _working(built: Services, settings: Settings) -> "AsyncIterator[Worker]":
    """A worker that ticks, and at the end writes down what came of the calls under way."""
    from lockbridge.worker import Worker  # noqa: PLC0415 - 2 MB that taking webhooks has no use for

    worker = Worker(built, settings.worker.tick_seconds)
    worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


def work(context: typer.Context) -> None:
    """Carry codes to the locks without a web server, until it is stopped with SIGTERM or Ctrl+C.

    Any number of workers share the work on one PostgreSQL database.
    """
    settings = settings_of(context)
    _set_up_log(settings)
    run_fast(_work(settings))


@asynccontextmanager
async def services_behind(settings: Settings, instead: Instead | None = None) -> AsyncIterator[Services]:
    """Services of a process that lets others go first: nobody waits for its answer.

    Measured on two processors, one SQLite file: webhooks are taken at three quarters of the usual rate while a worker
    carries codes as fast as it can; with equal rights, at a third.
    """
    with suppress(AttributeError):  # Windows
        os.nice(NICE)
    database = open_database(settings, gives_way=True)
    async with services(settings, replace(instead or Instead(), database=database)) as built:
        yield built


async def _work(settings: Settings) -> None:
    stop = stop_on_signals()
    async with services_behind(settings) as built, _working(built, settings):
        built.log.info("the worker runs", version=__version__)
        freeze_heap()
        await stop.wait()
        built.log.info("stopping: the calls that are under way are finished first")
    structlog.get_logger("lockbridge").info("stopped")


def _set_up_log(settings: Settings) -> None:
    log.set_up(settings.log.level, settings.log.format)
    for warning in unknown_variables():
        structlog.get_logger("lockbridge").warning(warning)


def run_fast(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine in uvloop's event loop, where there is one."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main)


def freeze_heap() -> None:
    """Spare the garbage collector what is loaded by now and stays: looking through it all stops requests for 70 ms."""
    gc.collect()
    gc.freeze()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - not on every system
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def stop_on_signals() -> asyncio.Event:
    """Set by the first signal; the second ends the process at once, which loses nothing either."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def stopped() -> None:
        stop.set()
        for each in SIGNALS:
            loop.remove_signal_handler(each)

    for each in SIGNALS:
        with suppress(NotImplementedError):  # Windows: Ctrl+C ends the process at once
            loop.add_signal_handler(each, stopped)
    return stop
