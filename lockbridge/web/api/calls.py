"""What every operation goes through before its work: whose call it is, how many it made, what it may, what it sends."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.types import Message

from lockbridge.domain.people import Scope
from lockbridge.web.api import idempotency, keys, limits
from lockbridge.web.api.problems import Fault, Kind, Problem, strange_name

MOST_BYTES = 256_000
BODY_PATIENCE = timedelta(seconds=20)
SAFE = frozenset({"GET", "HEAD"})
SCOPE = "x-scope"
"""Where an operation's description names the scope that it needs."""


def at(scope: Scope) -> dict[str, Any]:
    """Which scope an operation needs: said in its description, and held to there."""
    return {"openapi_extra": {SCOPE: scope.value}}


class Operation(APIRoute):
    """An operation of the API. One without a scope cannot be made."""

    @property
    def scope(self) -> Scope:
        """What a key needs."""
        return Scope((self.openapi_extra or {})[SCOPE])

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The work of the operation with everything that goes before."""
        work = super().get_route_handler()
        scope = self.scope

        async def handle(request: Request) -> Response:
            caller = await keys.recognise(request)
            quota = await limits.count(caller)
            request.state.caller, request.state.headers = caller, quota.headers
            limits.refuse_too_many(quota)
            caller.need(scope)
            self._refuse_strange_parameters(request)
            body = await self._body(request)
            again = Request(request.scope, _Again(body))
            changes = request.method not in SAFE
            response = await (idempotency.once(caller, again, body, work) if changes else work(again))
            response.headers.update(quota.headers)
            return response

        return handle

    def _refuse_strange_parameters(self, request: Request) -> None:
        known = _parameters(self.dependant)
        strange = [name for name in dict.fromkeys(request.query_params) if name not in known]
        if strange:
            faults = [
                Fault(detail=strange_name("parameter", name, known), pointer=None, parameter=name) for name in strange
            ]
            raise Problem(Kind.INVALID, "; ".join(f"{fault.parameter}: {fault.detail}" for fault in faults), faults)

    async def _body(self, request: Request) -> bytes:
        body = await _read(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_json = kind.startswith("application/") and (kind.endswith("+json") or kind == "application/json")
        if body and self.body_field is not None and not is_json:
            raise Problem(Kind.NOT_JSON, f"the body is said to be {kind or 'nothing in particular'}: send JSON")
        return body


def _parameters(dependant: Any) -> Sequence[str]:
    inner = [name for each in dependant.dependencies for name in _parameters(each)]
    return [*(param.alias for param in dependant.query_params), *inner]


async def _read(request: Request) -> bytes:
    """The body. Raises Problem when it is too large."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdecimal() and (len(announced) > 9 or int(announced) > MOST_BYTES):  # noqa: PLR2004 - a gigabyte
        raise _too_large()
    chunks, size = [], 0
    async with asyncio.timeout(BODY_PATIENCE.total_seconds()):
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > MOST_BYTES:
                raise _too_large()
    return b"".join(chunks)


def _too_large() -> Problem:
    return Problem(Kind.TOO_LARGE, f"a body may have {MOST_BYTES} bytes")


class _Again:
    """Gives a body that was read once more."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body

    async def __call__(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": False}


def resource() -> APIRouter:
    """A router whose routes are operations."""
    return APIRouter(route_class=Operation)
