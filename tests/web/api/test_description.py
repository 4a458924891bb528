"""The description of the API is true, complete, and written down."""

import ast
import json
import re

import pytest

from lockbridge.domain.people import Scope
from lockbridge.domain.settle import NoteKind
from lockbridge.web.api import build_api, docs, operations
from lockbridge.web.api.describe import SCOPES
from lockbridge.web.api.events import TYPES
from tests.architecture.tree import ROOT, modules
from tests.web.api.conftest import Api

WRITTEN = ROOT / "docs/openapi.json"


@pytest.fixture(scope="module")
def described() -> dict:
    return build_api(None).openapi()


def test_the_description_is_the_one_that_is_written_down(described):
    """Where it is not, it is written anew: look at what changed, and commit it."""
    text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
    before = WRITTEN.read_text(encoding="utf-8") if WRITTEN.exists() else ""
    if text != before:
        WRITTEN.write_text(text, encoding="utf-8")
    assert text == before, "docs/openapi.json was not up to date and is now: look at what changed"


def test_every_operation_is_described_with_words_scope_and_problems(described):
    found = [each for methods in described["paths"].values() for each in methods.values()]
    assert len(found) == len(operations())
    assert len({each["operationId"] for each in found}) == len(found)
    for each in found:
        assert each["summary"], each
        assert len(each["description"]) > 20, each
        assert {"401", "403", "422", "429", "500", "503"} <= each["responses"].keys()
        assert each["x-scope"] in each["description"]


def test_every_parameter_has_its_words(described):
    silent = [
        f"{each['operationId']} {param['name']}"
        for methods in described["paths"].values()
        for each in methods.values()
        for param in each.get("parameters", ())
        if not param.get("description")
    ]
    assert silent == []


def test_every_field_that_is_sent_has_its_words_and_every_example_is_there(described):
    explained = [
        docs._explained(described, path, method, each, "http://lockbridge.test")
        for path, methods in described["paths"].items()
        for method, each in methods.items()
    ]
    assert [f"{each.name} {field.name}" for each in explained for field in each.fields if not field.text] == []
    assert [
        each.name for each in explained if "Authorization" not in each.curl or "{" in each.curl.split(chr(10))[0]
    ] == []
    assert {each.status for each in explained if not each.answer} == {"204"}


async def test_the_examples_of_what_is_sent_are_taken(api: Api, described):
    for path in ("/stays", "/properties"):
        schema = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        sent = docs._sent(described, schema)
        sent |= {"property_id": api.engine.place} if "property_id" in sent else {}
        if "refs" in sent:
            sent["refs"] = [{"platform": "generic", "id": "another"}]
        assert (await api.program.send("POST", path, sent))["id"]


def test_every_scope_is_explained_and_used():
    assert set(SCOPES) == set(Scope)
    assert {route.scope for route in operations()} | {Scope.CODES_REVEAL} == set(Scope)


def test_every_type_of_event_that_is_written_is_explained():
    written = {
        node.args[2].value
        for path, tree in modules().items()
        if path.startswith("lockbridge/workflows/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Entry" and len(node.args) > 3
        if isinstance(node.args[2], ast.Constant)
    }
    several = tuple(name.removesuffix("*") for name in TYPES if name.endswith("*"))
    unknown = {name for name in written | set(NoteKind) if name not in TYPES and not name.startswith(several)}
    assert len(written) > 10
    assert unknown == set()


async def test_the_description_is_served_to_anybody(api: Api, described):
    stranger = await api.stranger()
    answer = await stranger.call("GET", "/openapi.json")
    assert answer.json() == json.loads(json.dumps(described))


async def test_a_page_explains_every_operation_scope_problem_and_type_of_event(api: Api, described):
    stranger = await api.stranger()
    answer = await stranger.call("GET", "/docs")
    assert answer.status_code == 200
    for methods in described["paths"].values():
        for each in methods.values():
            assert f'id="{each["operationId"]}"' in answer.text
    for name in [*Scope, *TYPES, "urn:lockbridge:problem:at-work"]:
        assert f"<code>{name}</code>" in answer.text, name
    assert "http://lockbridge.test/api/v1/stays" in answer.text
    assert not re.search(r'(?:src|href)="https?:', answer.text)
    assert not re.search(r"<script(?![^>]* src=)", answer.text)
