"""The public API: for programs of hosts, with keys, under ``/api/v1``. The console uses the same functions."""

from types import ModuleType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.routing import Match

from lockbridge.web.api import codes, describe, docs, events, locks, problems, properties, stays, tasks, webhook
from lockbridge.web.desk import Site

RESOURCES: tuple[ModuleType, ...] = (stays, codes, locks, tasks, properties, events, webhook)


class Api(FastAPI):
    """The API; it describes itself."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        self.openapi_schema = self.openapi_schema or describe.description(self.routes)
        return self.openapi_schema


def build_api(site: Site | None) -> Api:
    """The API over a site, to be mounted under ``/api/v1``; without one, it can only be described."""
    app = Api(
        title="lockbridge",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    for resource in RESOURCES:
        app.include_router(resource.router)
    app.state.site, app.state.methods = site, _methods
    app.add_api_route("/openapi.json", _openapi, include_in_schema=False)
    app.add_api_route("/docs", docs.page, include_in_schema=False)
    problems.tell_problems(app)
    return app


def operations() -> list[APIRoute]:
    """Every operation."""
    return [route for resource in RESOURCES for route in resource.router.routes]


def _methods(request: Request) -> set[str]:
    """What the path of a request takes."""
    known = (route for route in operations() if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in known for method in route.methods or ()} or {"GET"}


def _openapi(request: Request) -> Response:
    return JSONResponse(request.app.openapi())
