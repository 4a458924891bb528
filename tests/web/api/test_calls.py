"""What every call of the API goes through: keys, scopes, limits, bodies, and how failures are told."""

import re
from typing import Any

import pytest
from starlette.routing import Match

from lockbridge.domain.people import Scope
from lockbridge.storage import api_keys, people
from lockbridge.storage.database import StorageUnavailable
from lockbridge.web.api import limits, operations
from lockbridge.web.api.calls import MOST_BYTES
from tests.web.api.conftest import Api, Program
from tests.workflows.engine import MINUTE

OPERATIONS = [(route, method) for route in operations() for method in sorted(route.methods or ())]
BODIES: dict[str, Any] = {
    "POST /stays": {"property_id": 1, "arrival": "2026-06-14", "departure": "2026-06-16"},
    "PATCH /stays/{stay}": {"check_in": "14:00"},
    "PUT /stays/by-external-id/{external_id}": {"property_id": 1, "arrival": "2026-06-14", "departure": "2026-06-16"},
    "POST /stays/{stay}/decision": {"decision": "cancel"},
    "POST /stays/{stay}/give-backup": {"lock_id": 1},
    "POST /properties": {"name": "Barn", "zone": "Europe/Berlin"},
    "PATCH /properties/{place}": {"name": "Barn"},
    "PUT /webhook": {"url": "https://example.com/hook"},
}
NUMBERS = {"stay": 1, "lock": 1, "place": 1, "task": 1, "external_id": "R-1"}


def named(operation: tuple[Any, str]) -> str:
    return f"{operation[1]} {operation[0].path}"


def path_of(route: Any) -> str:
    return route.path.format(**NUMBERS)


every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=named)


# -- who calls -----------------------------------------------------------------------------------------------


async def test_without_a_key_nothing_is_said(api: Api):
    for headers in (None, {"authorization": "Basic abc"}, {"authorization": "Bearer "}):
        program = await api.stranger(headers)
        status, said = await program.refused("GET", "/stays")
        assert (status, said["type"]) == (401, "urn:lockbridge:problem:not-authenticated")
    answer = await program.call("GET", "/stays")
    assert answer.headers["www-authenticate"] == 'Bearer realm="lockbridge"'


async def test_a_key_that_was_revoked_is_none(api: Api):
    program = await api.of(Scope.STAYS_READ, token="lbk_soon_gone")
    assert await program.every("/stays") == []
    found = api.engine.ask(api_keys.find, people.digest("lbk_soon_gone"))
    await api.engine.write(lambda c: api_keys.revoke(c, api.engine.host, found.id, api.engine.now))
    answer = await program.call("GET", "/stays")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert "lbk_" not in answer.json()["detail"]


async def test_when_a_key_was_last_used_is_known(api: Api):
    program = await api.of(token="lbk_used")
    await program.get("/stays")
    assert api.engine.ask(api_keys.find, people.digest("lbk_used")).used_at == api.engine.now


@every_operation
async def test_every_operation_asks_for_a_key_and_for_its_scope(api: Api, operation):
    route, method = operation
    body, path = BODIES.get(named(operation)), path_of(route)
    stranger = await api.stranger()
    assert (await stranger.refused(method, path, body))[0] == 401
    others = await api.of(*(frozenset(Scope) - {route.scope}))
    status, said = await others.refused(method, path, body)
    assert (status, said["type"]) == (403, "urn:lockbridge:problem:missing-scope")
    assert route.scope.value in said["detail"]


@every_operation
async def test_what_belongs_to_another_host_is_not_here(api: Api, ben: Program, operation):
    route, method = operation
    await api.booked()
    await api.program.send("PUT", "/stays/by-external-id/R-1", BODIES["POST /stays"])
    await api.program.send("POST", "/locks/1/resync")
    await api.program.send("PUT", "/webhook", BODIES["PUT /webhook"])
    await api.finish()
    body, before = BODIES.get(named(operation)), await shown(api)
    answer = await ben.call(method, path_of(route), body)
    if "{" in route.path and "{external_id}" not in route.path:
        assert answer.status_code == 404, answer.text
    elif answer.status_code in {200, 201}:
        assert "Ida" not in answer.text
        assert "Lake House" not in answer.text
        assert answer.json().get("items", []) == []
    else:
        assert answer.status_code in {404, 422}, answer.text
    assert await shown(api) == before


async def shown(api: Api) -> list[Any]:
    """Everything of the first host."""
    lists = [await api.program.every(path) for path in ("/stays", "/codes", "/locks", "/properties", "/events")]
    return [*lists, await api.program.get("/webhook")]


# -- how often -----------------------------------------------------------------------------------------------


async def test_each_answer_says_how_many_calls_are_left(api: Api):
    first = await api.program.call("GET", "/stays")
    second = await api.program.call("GET", "/stays/999")
    assert first.headers["ratelimit-policy"] == '"default";q=600;w=60'
    assert (first.headers["ratelimit"], second.headers["ratelimit"]) == ('"default";r=599;t=60', '"default";r=598;t=60')
    api.engine.clock.set(api.engine.now + MINUTE)
    assert (await api.program.call("GET", "/stays")).headers["ratelimit"] == '"default";r=599;t=60'


async def test_who_calls_too_often_is_told_when_to_come_again(api: Api, monkeypatch):
    monkeypatch.setattr(limits, "MOST", 2)
    other = await api.of()
    for _ in range(2):
        assert (await api.program.call("GET", "/stays")).status_code == 200
    answer = await api.program.call("GET", "/stays")
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["ratelimit"]) == (
        429,
        "60",
        '"default";r=0;t=60',
    )
    assert (await other.call("GET", "/stays")).status_code == 200
    api.engine.clock.set(api.engine.now + MINUTE)
    assert (await api.program.call("GET", "/stays")).status_code == 200


# -- what is sent --------------------------------------------------------------------------------------------


async def test_a_path_that_is_none_and_a_method_that_is_none_are_problems_too(api: Api):
    assert (await api.program.refused("GET", "/nonsense"))[0] == 404
    assert (await api.program.refused("GET", "/stays/twelve"))[0] == 404
    assert (await api.program.refused("GET", "/stays/99999999999999999999"))[0] == 404
    answer = await api.program.call("POST", "/webhook")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, PUT")


async def test_a_body_that_is_too_large_is_not_read(api: Api):
    large = b'{"name": "' + b"a" * MOST_BYTES + b'"}'

    async def trickle():
        for start in range(0, len(large), 50_000):
            yield large[start : start + 50_000]

    kind = {"content-type": "application/json"}
    for content in (large, trickle()):
        answer = await api.program.client.post("/api/v1/properties", content=content, headers=kind)
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:lockbridge:problem:too-large")


async def test_only_json_is_taken(api: Api):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        answer = await api.program.client.post("/api/v1/properties", content=b"{}", headers={"content-type": kind})
        assert (answer.status_code, answer.json()["type"]) == (415, "urn:lockbridge:problem:not-json"), kind


@pytest.mark.parametrize("body", [b"{", b'{"name": }', b"\xff\xfe", b"nothing", b"[" * 100_000])
async def test_what_is_no_json_is_refused(api: Api, body):
    kind = {"content-type": "application/json"}
    answer = await api.program.client.post("/api/v1/properties", content=body, headers=kind)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:lockbridge:problem:bad-json")


async def test_a_parameter_that_is_not_known_is_refused_with_the_nearest_name(api: Api):
    status, said = await api.program.refused("GET", "/stays", params={"limt": 5})
    assert (status, said["errors"][0]["parameter"]) == (422, "limt")
    assert "is 'limit' meant?" in said["detail"]


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "line\nbreak", "\ud800"])
async def test_a_text_that_cannot_be_kept_is_refused(api: Api, text):
    sent = f'{{"zone": "Europe/Berlin", "name": "a{text.encode("unicode_escape").decode()}"}}'
    sent = sent.replace("\\x00", "\\u0000")
    kind = {"content-type": "application/json"}
    answer = await api.program.client.post("/api/v1/properties", content=sent.encode(), headers=kind)
    assert answer.status_code == 422, answer.text


async def test_no_browser_page_of_others_may_read_answers(api: Api):
    answer = await api.program.call("GET", "/stays", headers={"origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


# -- what goes wrong -----------------------------------------------------------------------------------------


async def test_without_a_database_it_says_to_come_again(api: Api, monkeypatch):
    def away(*_: Any) -> Any:
        msg = "the database does not answer"
        raise StorageUnavailable(msg)

    monkeypatch.setattr(api_keys, "find", away)
    answer = await api.program.call("GET", "/stays")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"] == "urn:lockbridge:problem:unavailable"


async def test_a_mistake_of_ours_is_a_problem_without_details(api: Api, monkeypatch):
    def broken(*_: Any) -> Any:
        msg = "something secret"
        raise RuntimeError(msg)

    monkeypatch.setattr("lockbridge.storage.api_pages.stays_after", broken)
    api.program.client._transport = replace_raising(api)
    answer = await api.program.call("GET", "/stays")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:lockbridge:problem:broken")
    assert "secret" not in answer.text


def replace_raising(api: Api) -> Any:
    import httpx  # noqa: PLC0415 - beside its one use

    return httpx.ASGITransport(app=api.web, raise_app_exceptions=False)


def test_every_operation_is_reached_by_its_own_path():
    for route, method in OPERATIONS:
        scope = {"type": "http", "method": method, "path": path_of(route)}
        reached = next(each for each in operations() if each.matches(scope)[0] is Match.FULL)
        assert reached is route, named((route, method))


def test_every_operation_that_takes_a_body_has_one_here():
    wanted = {named(operation) for operation in OPERATIONS if operation[0].body_field is not None}
    assert wanted == set(BODIES)
    assert not re.search("[A-Z]", "".join(route.path for route, _ in OPERATIONS))
