"""What goes wrong, as callers are told it: one document form for every failure (RFC 9457)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from http import HTTPStatus
from typing import Any, get_args

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from lockbridge.contract import ProviderError
from lockbridge.storage.database import StorageUnavailable
from lockbridge.workflows.connect import BadInput

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:lockbridge:problem:"
LATER = "5"
"""Seconds after which to come again when the database is away."""
MOST_NAMES = 8


class Kind(Enum):
    """What can go wrong: its name, its status, its title, and what to do about it."""

    BAD_JSON = ("bad-json", 400, "This is not JSON", "Send a JSON document in UTF-8.")
    NOT_AUTHENTICATED = ("not-authenticated", 401, "Who is asking?", "Send a key of the host as a bearer token.")
    MISSING_SCOPE = ("missing-scope", 403, "The key is not for this", "Use a key that has the scope that is named.")
    NOT_FOUND = ("not-found", 404, "Not here", "There is no such thing, or it belongs to another host.")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "Not like this", "The header Allow says which methods there are.")
    TOO_SLOW = ("too-slow", 408, "The body did not arrive", "Send it again.")
    EXISTS = ("exists", 409, "It is there already", "Use PUT to change what is there.")
    AT_WORK = ("at-work", 409, "The first call is still at work", "Come again after Retry-After with the same key.")
    TOO_LARGE = ("too-large", 413, "The body is too large", "Send at most 256 kB.")
    NOT_JSON = ("not-json", 415, "Not this type of content", "Send application/json.")
    INVALID = ("invalid", 422, "Some of it makes no sense", "`errors` says what, and where: correct it.")
    REFUSED = ("refused", 422, "That does not work", "`detail` says why, and what to do.")
    KEY_REUSED = ("key-reused", 422, "The idempotency key was used", "Take a new key for another request.")
    TOO_MANY = ("too-many", 429, "Too many calls", "Come again after Retry-After.")
    BROKEN = ("broken", 500, "Something went wrong in lockbridge itself", "It is in the log of the server.")
    UNAVAILABLE = ("unavailable", 503, "Not now", "Nothing was changed: come again after Retry-After.")

    def __init__(self, slug: str, status: int, title: str, remedy: str) -> None:
        self.slug, self.status, self.title, self.remedy = slug, status, title, remedy

    @property
    def urn(self) -> str:
        """The stable name in ``type``."""
        return f"{PREFIX}{self.slug}"


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    detail: str = Field(description="What is wrong and what to do, in words.")
    pointer: str | None = Field(
        default=None, description="Where in the body it stands (RFC 6901).", examples=["/guest/phone"]
    )
    parameter: str | None = Field(default=None, description="Which parameter or header it is.", examples=["limit"])


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="A stable name for programs.", examples=[Kind.INVALID.urn])
    title: str = Field(description="What it is, in general.")
    status: int = Field(description="The status of the answer.", ge=400, le=599)
    detail: str = Field(description="What it is this time, and what to do about it.")
    errors: list[Fault] = Field(default_factory=list, description="Each thing that is wrong with the request.")


@dataclass
class Problem(Exception):
    """Something that is wrong with a call."""

    kind: Kind
    detail: str
    errors: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def not_found(name: object, what: str) -> Problem:
    """There is no such thing, or it is somebody else's."""
    return Problem(Kind.NOT_FOUND, f"this host has no {what} {name}".rstrip())


def invalid(detail: str, *, pointer: str | None = None, parameter: str | None = None) -> Problem:
    """One thing of the request makes no sense."""
    return Problem(Kind.INVALID, detail, [Fault(detail=detail, pointer=pointer, parameter=parameter)])


def answer(problem: Problem, headers: Mapping[str, str]) -> Response:
    """The document, with these headers beside its own."""
    said = ProblemDocument(
        type=problem.kind.urn,
        title=problem.kind.title,
        status=problem.kind.status,
        detail=problem.detail,
        errors=list(problem.errors),
    )
    body = orjson.dumps(said.model_dump(exclude_none=True))
    return Response(body, problem.kind.status, {**headers, **problem.headers}, MEDIA_TYPE)


TOLD: tuple[type[Exception], ...] = (
    Problem,
    RequestValidationError,
    HTTPException,
    BadInput,
    ProviderError,
    StorageUnavailable,
    TimeoutError,
    ClientDisconnect,
    Exception,
)


def tell_problems(app: FastAPI) -> None:
    """Have the application tell every failure as a problem document."""
    for kind in TOLD:
        app.add_exception_handler(kind, _told)


async def _told(request: Request, error: Exception) -> Response:
    return answer(_problem(request, error), getattr(request.state, "headers", {}))


def _problem(request: Request, error: Exception) -> Problem:
    match error:
        case Problem():
            found = error
        case RequestValidationError():
            found = _validation(request, error)
        case HTTPException():
            found = _http(request, error)
        case BadInput() | ProviderError():
            found = Problem(Kind.REFUSED, str(error))
        case StorageUnavailable():
            found = Problem(Kind.UNAVAILABLE, str(error), headers={"retry-after": LATER})
        case TimeoutError() | ClientDisconnect():
            found = Problem(Kind.TOO_SLOW, "the body did not arrive in time: send it again")
        case _:
            found = Problem(Kind.BROKEN, "it is in the log; what was done until then stays done")
    return found


def _http(request: Request, error: HTTPException) -> Problem:
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted(request.app.state.methods(request)))
        return Problem(Kind.METHOD_NOT_ALLOWED, f"this takes {allowed}", headers={"allow": allowed})
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return Problem(Kind.BAD_JSON, "the body cannot be read as JSON in UTF-8")
    return Problem(Kind.NOT_FOUND, "there is no such path: /api/v1/docs lists them")


# -------------------------------------------------------------------------------------------------------- validation


def _validation(request: Request, error: RequestValidationError) -> Problem:
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        said = found[0].get("ctx", {}).get("error", "")
        return Problem(Kind.BAD_JSON, f"the body is not JSON: {said} at character {found[0]['loc'][-1]}")
    if any(each["loc"][0] == "path" for each in found):
        return Problem(Kind.NOT_FOUND, Kind.NOT_FOUND.remedy)
    faults = [_fault(each, request) for each in found]
    return Problem(Kind.INVALID, "; ".join(dict.fromkeys(_line(fault) for fault in faults)), faults)


def _line(fault: Fault) -> str:
    where = fault.pointer or fault.parameter
    return f"{where}: {fault.detail}" if where else fault.detail


def _fault(each: Mapping[str, Any], request: Request) -> Fault:
    where, *path = each["loc"]
    if where != "body":
        return Fault(detail=_words(each), parameter=str(path[-1]) if path else None)
    words = _strange(path, request) if each["type"] == "extra_forbidden" else _words(each)
    return Fault(detail=words, pointer="".join(f"/{_escaped(step)}" for step in path))


def _escaped(step: object) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


def _words(each: Mapping[str, Any]) -> str:
    text = str(each["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return text[:1].lower() + text[1:]


def _strange(path: Sequence[object], request: Request) -> str:
    """Of a field that is not known: which one may have been meant."""
    body = request.scope["route"].body_field
    return strange_name("field", str(path[-1]), _names(body.field_info.annotation, path[:-1]))


def strange_name(what: str, name: str, known: Sequence[str]) -> str:
    """That there is nothing of this name, and the nearest that there is."""
    near = get_close_matches(name, known, 1, 0.5)
    shown = ", ".join(known[:MOST_NAMES]) + (", …" if len(known) > MOST_NAMES else "")
    return f"there is no such {what}; {f'is {near[0]!r} meant?' if near else f'there are {shown}'}"


def _names(model: Any, path: Sequence[object]) -> list[str]:
    """The names of the fields that stand at a place of a body."""
    for step in path:
        if (shape := _shape(model)) is None:
            return []
        fields = shape.model_fields
        model = fields[str(step)].annotation if str(step) in fields else model
    shape = _shape(model)
    return [] if shape is None else list(shape.model_fields)


def _shape(model: Any) -> type[BaseModel] | None:
    """The model that is meant by an annotation such as ``list[Ref] | None``."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        return model
    inner = (_shape(each) for each in get_args(model))
    return next((each for each in inner if each is not None), None)
