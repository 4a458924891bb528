"""The page that explains the API, made from its description."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup, escape

from lockbridge.web.api.describe import SCOPES
from lockbridge.web.api.events import TYPES
from lockbridge.web.api.problems import Kind
from lockbridge.web.desk import Site

CHANGING = ("post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter, or a field of a body."""

    name: str
    where: str
    kind: str
    text: Markup
    required: bool


@dataclass(frozen=True, slots=True)
class Explained:
    """An operation as the page shows it."""

    name: str
    method: str
    path: str
    summary: str
    text: Markup
    scope: str
    params: list[Param]
    fields: list[Param]
    curl: str
    answer: str
    status: str


def page(request: Request) -> HTMLResponse:
    """Endpoints, parameters, examples."""
    site: Site = request.app.state.site
    found: Mapping[str, Any] = request.app.openapi()
    groups = [
        {"name": tag["name"], "text": tag["description"], "operations": _of_tag(found, tag["name"], site.url)}
        for tag in found["tags"]
    ]
    shown = {
        "groups": groups,
        "scopes": SCOPES,
        "problems": list(Kind),
        "types": TYPES,
        "url": site.url,
        "coded": coded,
    }
    return HTMLResponse(site.pages.render("api/docs.html", shown))


def _of_tag(found: Mapping[str, Any], tag: str, url: str) -> list[Explained]:
    every = ((path, method, each) for path, methods in found["paths"].items() for method, each in methods.items())
    return [_explained(found, path, method, each, url) for path, method, each in every if tag in each["tags"]]


def _explained(found: Mapping[str, Any], path: str, method: str, each: Mapping[str, Any], url: str) -> Explained:
    body = each.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    status = next(status for status in each["responses"] if status.startswith("2"))
    answered = each["responses"][status].get("content", {}).get("application/json", {}).get("schema")
    return Explained(
        each["operationId"],
        method.upper(),
        path,
        each["summary"],
        coded(each["description"].partition("\n\nScope:")[0]),
        each["x-scope"],
        [_param(found, param) for param in each.get("parameters", [])],
        list(_fields(found, body)) if body else [],
        _curl(found, path, method, body, url),
        json.dumps(example(found, answered), indent=2, ensure_ascii=False) if answered else "",
        status,
    )


def _param(found: Mapping[str, Any], param: Mapping[str, Any]) -> Param:
    kind = _kind(found, param["schema"])
    return Param(param["name"], param["in"], kind, coded(param.get("description", "")), param.get("required", False))


def coded(text: str) -> Markup:
    """A text with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _fields(found: Mapping[str, Any], schema: Mapping[str, Any], prefix: str = "") -> Iterator[Param]:
    shape = _resolved(found, schema)
    for name, inner in shape.get("properties", {}).items():
        needed = name in shape.get("required", [])
        nested = _resolved(found, _some(inner))
        words = inner.get("description") or nested.get("description", "")
        yield Param(prefix + name, "body", _kind(found, inner), coded(words), needed)
        item = _resolved(found, nested.get("items", {}))
        if "properties" in nested or "properties" in item:
            yield from _fields(found, nested if "properties" in nested else item, f"{prefix}{name}.")


def _some(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of alternatives, the one that is not null."""
    return next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)


def _resolved(found: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    resolved: Mapping[str, Any] = found["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return resolved


def _kind(found: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    shape = _resolved(found, _some(schema))
    null = " or null" if any(each.get("type") == "null" for each in schema.get("anyOf", ())) else ""
    if "enum" in shape:
        return " | ".join(str(value) for value in shape["enum"]) + null
    return str(shape.get("format") or shape.get("type", "")) + null


def example(found: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """A value such as the schema describes, from its examples."""
    shape = _resolved(found, _some(schema))
    may_be_nothing = any(each.get("type") == "null" for each in schema.get("anyOf", ()))
    given = schema.get("examples") or (not may_be_nothing and (shape.get("examples") or shape.get("enum")))
    if given:
        return given[0]
    if "properties" in shape:
        return {name: example(found, inner) for name, inner in shape["properties"].items()}
    return schema.get("default") if "default" in schema or may_be_nothing else _usual(found, shape)


def _usual(found: Mapping[str, Any], shape: Mapping[str, Any]) -> Any:
    match shape.get("type"):
        case "array":
            return [example(found, shape.get("items", {}))]
        case "object":
            return {}
        case "integer" | "number":
            return 1
        case "boolean":
            return False
    return {"date-time": "2026-06-14T20:00:00Z", "date": "2026-06-14"}.get(shape.get("format", ""), "…")


def _curl(found: Mapping[str, Any], path: str, method: str, body: Mapping[str, Any] | None, url: str) -> str:
    given = {"external_id": "R-2041", "stay": 12, "lock": 5, "place": 3, "task": 7}
    query: Mapping[str, dict[str, Any]] = {
        "/codes": {"stay_id": 12},
        "/stays": {"arrival_from": "2026-06-14"},
        "/events": {"limit": 100},
    }
    asked = f"?{urlencode(query[path])}" if method == "get" and path in query else ""
    lines = [f'curl "{url}/api/v1{path.format(**given)}{asked}"', '-H "Authorization: Bearer $LOCKBRIDGE_KEY"']
    if method != "get":
        lines.insert(1, f"-X {method.upper()}")
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if body is not None:
        sent = json.dumps(_sent(found, body), ensure_ascii=False)
        lines += ['-H "Content-Type: application/json"', f"-d '{sent}'"]
    return " \\\n  ".join(lines)


def _sent(found: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """An example of a body: what must be there, and what has an example of its own."""
    shape = _resolved(found, _some(schema))
    if "properties" not in shape:
        return example(found, schema)
    needed = shape.get("required", ())
    chosen = {
        name: inner
        for name, inner in shape["properties"].items()
        if name in needed or "examples" in inner or "properties" in _resolved(found, inner)
    }
    sent = {
        name: inner["examples"][0] if "examples" in inner else _sent(found, inner) for name, inner in chosen.items()
    }
    return {name: value for name, value in sent.items() if value != {}}
