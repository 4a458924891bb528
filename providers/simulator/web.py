"""What every route of the simulator does: read a JSON object, answer with JSON."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

T = TypeVar("T")


class BadRequest(Exception):
    """A request that makes no sense: answered with 400. The message does not repeat what was sent."""


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), status, headers, "application/json")


async def read(request: Request, parse: Callable[[dict[str, Any]], T]) -> T:
    """What ``parse`` makes of the request's JSON object ({} for no body). Raises BadRequest."""
    raw = await request.body()
    try:
        body = orjson.loads(raw) if raw else {}
        if isinstance(body, dict):
            return parse(body)
    except (LookupError, TypeError, ValueError) as error:
        msg = f"{type(error).__name__} in the request"
        raise BadRequest(msg) from None
    msg = "a JSON object is wanted"
    raise BadRequest(msg)


async def bad_request(request: Request, error: Exception) -> Response:
    """The answer to a request that makes no sense."""
    del request
    return answer({"error": "bad_request", "detail": str(error)}, 400)
