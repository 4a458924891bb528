"""``lockbridge demo`` and ``lockbridge simulator``: to see it work before there is a real lock."""

from secrets import token_urlsafe
from typing import Annotated

import typer
from rich.console import Console

from lockbridge import log
from lockbridge.bootstrap import SAMPLE_LOCKS, sample_lock_app
from lockbridge.clock import SystemClock, use_packaged_time_zones
from lockbridge.commands.running import run_fast, stop_on_signals
from lockbridge.commands.show import say
from lockbridge.web.server import listen, serve


def demo() -> None:
    """Show the main job with real parts: bookings become codes on simulated locks, and an e-mail to the guest.

    It needs no settings, keeps nothing, and ends by itself in under a minute.
    """
    from lockbridge.demo import run  # noqa: PLC0415 - only this command needs its mail server and its story

    raise typer.Exit(run(Console()))


def simulator(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port it listens on; 0: any free one.")] = 8765,
    host: Annotated[str, typer.Option(help="The address it listens on.")] = "127.0.0.1",
    control_token: Annotated[
        str | None, typer.Option(envvar="LOCKBRIDGE_SIMULATOR_CONTROL", help="Opens /control; drawn if left out.")
    ] = None,
) -> None:
    """Run a simulated lock app over HTTP with a few locks of every class, until it is stopped. It keeps nothing."""
    use_packaged_time_zones()
    log.set_up("error")
    run_fast(_simulate(host, port, control_token or token_urlsafe(12)))


async def _simulate(host: str, port: int, control_token: str) -> None:
    stop = stop_on_signals()
    at = listen(host, port)
    url = f"http://{host}:{at.getsockname()[1]}"
    say(f"a simulated lock app listens at {url}, with {', '.join(name for _, name, _ in SAMPLE_LOCKS)}")
    say(f"connect it:  lockbridge lock-app add simulator --set url={url} --set token=simulator")
    say(f"its locks can be broken, edited and read under {url}/control, token {control_token}")
    await serve(sample_lock_app(control_token, SystemClock()), at, stop, quiet=True)
