"""Calls that may be repeated: with the same ``Idempotency-Key``, the work is done once and answered the same."""

import re
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from lockbridge.storage import api_answers
from lockbridge.storage.api_answers import Answer, Asked, Begun
from lockbridge.web.api.keys import Caller
from lockbridge.web.api.problems import Kind, Problem, invalid
from lockbridge.workflows.ports import transact

HEADER = "Idempotency-Key"
REPLAYED = "idempotency-replayed"
KEPT_HEADERS = ("content-type", "location", "link")
COME_AGAIN = "2"
"""Seconds after which a call that is still at work may be answered."""
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255}?)"?')

Work = Callable[[Request], Awaitable[Response]]


async def once(caller: Caller, request: Request, body: bytes, work: Work) -> Response:
    """What the work answers; when this call was answered before, that. Raises Problem."""
    given = request.headers.get(HEADER)
    if given is None:
        return await work(request)
    asked = Asked(caller.key.id, caller.host, _key(given), _digest(caller, request, body), caller.now)
    begun = await transact(caller.services, lambda c: api_answers.begin(c, caller.services.vault, asked))
    if isinstance(begun, Answer):
        return Response(begun.body, begun.status, {**begun.headers, REPLAYED: "true"})
    _refuse(begun)
    return await _first(caller, asked, request, work)


def _key(given: str) -> str:
    found = _KEY.fullmatch(given.strip())
    if found is None:
        msg = "1 to 255 visible ASCII characters, a UUID for example"
        raise invalid(msg, parameter=HEADER)
    return found[1]


def _digest(caller: Caller, request: Request, body: bytes) -> bytes:
    """Equal for equal requests; it tells nothing of them without the key of the vault."""
    target = f"{request.method} {request.url.path}?{request.url.query}"
    return caller.services.vault.index(sha256(body).hexdigest(), f"api request {target}")


def _refuse(begun: Begun) -> None:
    if begun is Begun.ANOTHER:
        msg = "this idempotency key was used for another request: take a new one"
        raise Problem(Kind.KEY_REUSED, msg)
    if begun is Begun.AT_WORK:
        msg = "the first call with this key is still at work"
        raise Problem(Kind.AT_WORK, msg, headers={"retry-after": COME_AGAIN})


async def _first(caller: Caller, asked: Asked, request: Request, work: Work) -> Response:
    async with _freed_unless_answered(caller, asked) as answered:
        response = await work(request)
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        said = Answer(response.status_code, headers, bytes(response.body))
        await transact(caller.services, lambda c: api_answers.finish(c, caller.services.vault, asked, said))
        answered.append(said)
        return response


@asynccontextmanager
async def _freed_unless_answered(caller: Caller, asked: Asked) -> Any:
    """A call that was refused has changed nothing: its key is free again."""
    answered: list[Answer] = []
    try:
        yield answered
    finally:
        if not answered:
            await transact(caller.services, lambda c: api_answers.let_go(c, asked))
