"""What people are told when something fails: what is wrong, and what to do."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from lockbridge.contract import ProviderError
from lockbridge.storage.database import StorageUnavailable
from lockbridge.web.desk import NotAllowed, NotHere, SignInFirst, sign_in_path
from lockbridge.web.pages import Pages
from lockbridge.workflows.connect import BadInput

NOT_HERE = "There is no such page, or it belongs to somebody else."
Told = tuple[int, str, str]
"""Status, title, words."""


def _not_here(_: Exception) -> Told:
    return 404, "Not here", NOT_HERE


def _not_allowed(error: Exception) -> Told:
    return 403, "Not allowed", f"{error}."


def _bad_input(error: Exception) -> Told:
    return 422, "That does not work", f"{error}."


def _refused(error: Exception) -> Told:
    return 502, "The other side says no", f"{error}."


def _unavailable(error: Exception) -> Told:
    return 503, "Not now", f"{error}. Nothing was changed: try again in a moment."


def _http(error: Exception) -> Told:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these
    if error.status_code == 404:  # noqa: PLR2004 - no such route
        return _not_here(error)
    return error.status_code, "Not like this", f"This address does not take what was sent: {error.detail}."


TOLD: Mapping[type[Exception], Callable[[Exception], Told]] = {
    NotHere: _not_here,
    RequestValidationError: _not_here,
    NotAllowed: _not_allowed,
    BadInput: _bad_input,
    ProviderError: _refused,
    StorageUnavailable: _unavailable,
    HTTPException: _http,
}


def tell_failures(app: FastAPI, pages: Pages) -> None:
    """Have the application say failures as pages."""

    def answer(tell: Callable[[Exception], Told]) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def told(_: Request, error: Exception) -> Response:
            status, title, words = tell(error)
            html = pages.render("console/problem.html", {"title": title, "words": words})
            headers = {"retry-after": "5"} if status == 503 else {}  # noqa: PLR2004 - the database is away
            return Response(html, status, headers, "text/html")

        return told

    for kind, tell in TOLD.items():
        app.add_exception_handler(kind, answer(tell))
    app.add_exception_handler(SignInFirst, _sign_in_first)


async def _sign_in_first(_: Request, error: Exception) -> Response:
    assert isinstance(error, SignInFirst)  # noqa: S101 - it is registered for these
    return RedirectResponse(sign_in_path(error.back), 303)
