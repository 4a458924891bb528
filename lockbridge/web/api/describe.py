"""The description of the API (OpenAPI 3.1): what FastAPI knows of each operation, and what all of them share."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from lockbridge.domain.people import Scope
from lockbridge.web.api import idempotency, limits
from lockbridge.web.api.calls import MOST_BYTES, SCOPE
from lockbridge.web.api.problems import MEDIA_TYPE, Kind, ProblemDocument

INTRODUCTION = f"""\
Stays, codes, locks and properties of one host, for programs.

- **Keys** are made in the console, under Settings, each with the scopes that it needs: `Authorization: Bearer lbk_…`.
- **Instants** are RFC 3339 in UTC; days and times of day are local to the property, whose `zone` stands beside them.
- **Pages**: `limit` says how long; `next` is the `cursor` of the next one, and so is the header `Link`.
- **Repeating**: with the same `Idempotency-Key`, a call that changes something is done once; its answer is kept for
  24 hours and sent again with `Idempotency-Replayed: true`. A call that was refused has changed nothing.
- **Limits**: {limits.MOST} calls a minute for each key, told by the headers `RateLimit-Policy` and `RateLimit`;
  {MOST_BYTES // 1000} kB a body.
- **Problems** are `{MEDIA_TYPE}` (RFC 9457). Fields and parameters that are not known are refused.
"""
TAGS = {
    "Stays": "What was booked, who comes, and how it stands on each lock.",
    "Codes": "What is on which lock for whom, or will be.",
    "Locks": "How locks are, what they hold, and setting them right.",
    "Properties": "What is rented, and which locks open it.",
    "Events": "Everything that happens, as a feed.",
    "Webhook": "Where alarms are posted.",
}
SCOPES: Mapping[Scope, str] = {
    Scope.STAYS_READ: "see stays and how they stand on their locks",
    Scope.STAYS_WRITE: "tell stays, set their times, issue, give, revoke and try their codes",
    Scope.CODES_READ: "see codes, without digits",
    Scope.CODES_REVEAL: "see the digits, too",
    Scope.LOCKS_READ: "see locks and tasks",
    Scope.LOCKS_WRITE: "resync locks",
    Scope.PROPERTIES_READ: "see properties and what opens them",
    Scope.PROPERTIES_WRITE: "add, change and match properties",
    Scope.EVENTS_READ: "read the feed of events",
    Scope.WEBHOOKS_WRITE: "see and set the webhook",
}
_ALARM: Mapping[str, Any] = {
    "tags": ["Webhook"],
    "operationId": "alarm",
    "summary": "What is posted to your webhook",
    "description": "An alarm began, or is over. Signed as Standard Webhooks say: check `webhook-signature` with your "
    "secret, and take each `webhook-id` once. Anything but 2xx is tried again, eight times at most.",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["type", "timestamp", "data"],
                    "properties": {
                        "type": {"type": "string", "description": "`alarm.` and its kind."},
                        "timestamp": {"type": "string", "format": "date-time"},
                        "data": {
                            "type": "object",
                            "required": ["subject", "text", "facts", "host"],
                            "properties": {
                                "subject": {"type": "string", "description": "In a line."},
                                "text": {"type": "string", "description": "As the e-mail says it."},
                                "facts": {"type": "object", "description": "What the text is made of."},
                                "host": {"type": "integer"},
                            },
                        },
                    },
                }
            }
        },
    },
    "responses": {"2XX": {"description": "You have it."}},
}
CHANGING = frozenset({"post", "put", "patch", "delete"})
ALWAYS = (Kind.NOT_AUTHENTICATED, Kind.MISSING_SCOPE, Kind.INVALID, Kind.TOO_MANY, Kind.BROKEN, Kind.UNAVAILABLE)
WITH_BODY = (Kind.BAD_JSON, Kind.TOO_SLOW, Kind.TOO_LARGE, Kind.NOT_JSON)
NAMES = {
    "RateLimit-Policy": "How many calls a key may make in how many seconds.",
    "RateLimit": "How many calls are left, and for how many seconds that holds.",
}


def description(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The OpenAPI document."""
    found = get_openapi(
        title="lockbridge",
        version="1",
        summary="From a booking to a working door code.",
        description=INTRODUCTION,
        routes=routes,
        servers=[{"url": "/api/v1"}],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    parts = found["components"]
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": _scopes()}}
    parts["responses"] = {str(status): response for status, response in _problems()}
    parts["headers"] = {name: {"description": text, "schema": {"type": "string"}} for name, text in NAMES.items()}
    parts["schemas"] = _schemas(parts["schemas"])
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            _complete(path, method, operation)
    return {**found, "webhooks": {"alarm": {"post": _ALARM}}}


def _scopes() -> str:
    return "Scopes:\n\n" + "\n".join(f"- `{scope.value}`: {text}" for scope, text in SCOPES.items())


def _schemas(known: Mapping[str, Any]) -> dict[str, Any]:
    strange = ("HTTPValidationError", "ValidationError")
    ours = {name: schema for name, schema in known.items() if name not in strange}
    problem = ProblemDocument.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    faults = problem.pop("$defs")
    return dict(sorted({**ours, **faults, "ProblemDocument": problem}.items()))


def _problems() -> Iterator[tuple[int, dict[str, Any]]]:
    for status in sorted({kind.status for kind in Kind}):
        kinds = [kind for kind in Kind if kind.status == status]
        text = "; ".join(f"{kind.title}: {kind.remedy} (`{kind.urn}`)" for kind in kinds)
        schema = {"$ref": "#/components/schemas/ProblemDocument"}
        response: dict[str, Any] = {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}
        headers = _headers_of(status)
        yield status, {**response, "headers": headers} if headers else response


def _headers_of(status: int) -> dict[str, Any]:
    said = {401: "WWW-Authenticate", 405: "Allow", 409: "Retry-After", 429: "Retry-After", 503: "Retry-After"}
    own = {said[status]: {"schema": {"type": "string"}}} if status in said else {}
    return own | ({} if status == Kind.NOT_AUTHENTICATED.status else _limits())


def _limits() -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in NAMES}


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """What all operations share: who may call, how often, and what can go wrong."""
    scope = operation.pop(SCOPE)
    operation["security"] = [{"key": []}]
    operation["x-scope"] = scope
    text = operation.get("description", "")
    operation["description"] = f"{text}\n\nScope: `{scope}`.".strip()
    for response in operation["responses"].values():
        response.setdefault("headers", {}).update(_limits())
    if method in CHANGING:
        _repeatable(operation)
    for kind in _kinds(path, method, operation):
        operation["responses"][str(kind.status)] = {"$ref": f"#/components/responses/{kind.status}"}
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _repeatable(operation: dict[str, Any]) -> None:
    given = {
        "name": idempotency.HEADER,
        "in": "header",
        "required": False,
        "description": "Of your making, a UUID for example: a repetition with the same one is done once.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"},
    }
    operation["parameters"] = [*operation.get("parameters", []), given]
    replayed = {"description": "`true`: this was answered before.", "schema": {"type": "string", "enum": ["true"]}}
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response["headers"]["Idempotency-Replayed"] = replayed


def _kinds(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[Kind]:
    yield from ALWAYS
    if "{" in path or path in {"/codes", "/webhook"}:
        yield Kind.NOT_FOUND
    if method in CHANGING:
        yield Kind.AT_WORK
        yield Kind.TOO_LARGE
        yield Kind.TOO_SLOW
    if "requestBody" in operation:
        yield from WITH_BODY
