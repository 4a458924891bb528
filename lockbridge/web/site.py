"""The pages for people as one application: console, sign-in, guest pages and API."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from lockbridge import assets
from lockbridge.web import account, console, first_run, guest, sign_in_pages
from lockbridge.web.background import Background
from lockbridge.web.desk import NotHere, Site
from lockbridge.web.failures import tell_failures
from lockbridge.web.lazily import Lazily
from lockbridge.web.pages import FOREVER, STATIC, Pages
from lockbridge.web.security import LOOPBACK, OnThisMachine, SecurityHeaders

SIMULATOR = "/simulator"
"""Where the simulated lock app answers, for a host who wants to try things out: only on this machine, since everybody
knows its token."""
API = "/api/v1"
"""Where programs of hosts call: made when the first one does."""


def build_site(background: Background, url: str, simulator: Callable[[], ASGIApp] | None) -> ASGIApp:
    """The application that people use. ``url`` is how they reach it.

    Tries are counted by where they come from, which a proxy on this machine says (``X-Forwarded-For``).
    """
    app = FastAPI(title="lockbridge", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    site = Site(
        background.services,
        Pages(assets.templates()),
        url.rstrip("/"),
        background,
        has_simulator=simulator is not None,
    )
    app.state.site = site
    app.add_api_route(f"{STATIC}{{name}}", _static(site.pages), include_in_schema=False)
    for router in (account.router, sign_in_pages.router, first_run.router, guest.router, console.router):
        app.include_router(router, include_in_schema=False)
    tell_failures(app, site.pages)
    app.mount(API, Lazily(lambda: import_module("lockbridge.web.api").build_api(site)))
    if simulator is not None:
        app.mount(SIMULATOR, OnThisMachine(Lazily(simulator)))
    packed = SecurityHeaders(GZipMiddleware(app, minimum_size=500, compresslevel=6), https=site.https)
    return cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", packed), list(LOOPBACK)))


def _static(pages: Pages) -> Callable[[str], Response]:
    def static(name: str) -> Response:
        found = pages.static.get(name)
        if found is None:
            raise NotHere
        return Response(found.body, media_type=found.media_type, headers={"cache-control": FOREVER})

    return static
