"""The web's front door: webhooks go to the bare route, everything else to FastAPI.

Console, guest pages and API will be routers of the FastAPI application made here.
"""

from dataclasses import dataclass

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Receive, Scope, Send

from lockbridge.services import Services
from lockbridge.web.hooks import PREFIX, Hooks
from lockbridge.web.metrics import Metrics
from lockbridge.web.ready import Pulse, Readiness


@dataclass(frozen=True, slots=True)
class Web:
    """The whole web as one ASGI application."""

    hooks: Hooks
    rest: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to whoever answers it."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self.hooks(scope, receive, send)
        else:
            await self.rest(scope, receive, send)


def build_web(services: Services, *, max_body: int, pulse: Pulse | None = None) -> Web:
    """The web over these services. ``max_body`` in bytes; ``pulse`` is the worker of this process, where it has one."""
    hooks = Hooks(services, max_body)
    return Web(hooks, _rest(Metrics(services, hooks.outcomes), Readiness(services, pulse)))


def _rest(metrics: Metrics, readiness: Readiness) -> FastAPI:
    app = FastAPI(title="lockbridge", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)

    @app.get("/health")
    async def health() -> JSONResponse:
        """This process is alive."""
        return JSONResponse({"status": "alive"})

    @app.get("/ready")
    async def ready() -> JSONResponse:
        """This process can do its work."""
        problems = await readiness.problems()
        if problems:
            return JSONResponse({"status": "not ready", "problems": problems}, 503, {"retry-after": "5"})
        return JSONResponse({"status": "ready", "remarks": readiness.remarks})

    @app.get("/metrics")
    async def figures() -> Response:
        """Figures for Prometheus."""
        return Response(await metrics.page(), media_type=CONTENT_TYPE_LATEST)

    return app
