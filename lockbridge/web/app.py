"""The web's front door: webhooks go to the bare route, figures to a small application, people to the pages.

The pages are loaded when the first person comes: a process that only takes webhooks goes without their 30 MB.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lockbridge.services import Services
from lockbridge.web.background import Background
from lockbridge.web.hooks import PREFIX, Hooks
from lockbridge.web.lazily import Lazily
from lockbridge.web.metrics import Metrics
from lockbridge.web.ready import Pulse, Readiness

FIGURES = frozenset({"/health", "/ready", "/metrics"})


@dataclass(frozen=True, slots=True)
class Web:
    """The whole web as one ASGI application."""

    hooks: Hooks
    figures: ASGIApp
    pages: Lazily
    background: Background

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to whoever answers it."""
        if scope["type"] != "http":
            return
        if scope["path"].startswith(PREFIX):
            await self.hooks(scope, receive, send)
        elif scope["path"] in FIGURES:
            await self.figures(scope, receive, send)
        else:
            await self.pages(scope, receive, send)


def build_web(
    services: Services,
    *,
    max_body: int,
    pulse: Pulse | None = None,
    url: str = "http://127.0.0.1:8080",
    simulator: Callable[[], ASGIApp] | None = None,
) -> Web:
    """The web over these services. ``max_body`` in bytes; ``pulse`` is the worker of this process, where it has one.

    ``url`` is how people reach it; ``simulator`` makes a simulated lock app to try things out with.
    """
    hooks = Hooks(services, max_body)
    figures = _figures(Metrics(services, hooks.outcomes), Readiness(services, pulse))
    background = Background(services)
    return Web(hooks, figures, Lazily(lambda: _site(background, url, simulator)), background)


def _site(background: Background, url: str, simulator: Callable[[], ASGIApp] | None) -> ASGIApp:
    site: ASGIApp = import_module("lockbridge.web.site").build_site(background, url, simulator)
    return site


def _figures(metrics: Metrics, readiness: Readiness) -> Starlette:
    """Bare routes: FastAPI would be 6 MB that a process which only takes webhooks has no other use for."""

    async def health(_request: Request) -> Response:
        """This process is alive."""
        return JSONResponse({"status": "alive"})

    async def ready(_request: Request) -> Response:
        """This process can do its work."""
        problems = await readiness.problems()
        if problems:
            return JSONResponse({"status": "not ready", "problems": problems}, 503, {"retry-after": "5"})
        return JSONResponse({"status": "ready", "remarks": readiness.remarks})

    async def figures(_request: Request) -> Response:
        """Figures for Prometheus."""
        return Response(await metrics.page(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/health", health), Route("/ready", ready), Route("/metrics", figures)])
