"""Calls that are repeated: done once, and answered the same."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from lockbridge.storage import api_answers, hosts
from lockbridge.storage.tables import API_ANSWER
from lockbridge.workflows import describing
from lockbridge.workflows.housekeeping import keep_house
from tests.web.api.conftest import Api
from tests.workflows.engine import DAY, MINUTE

BARN = {"name": "Barn", "zone": "Europe/Berlin"}


def barns(api: Api) -> int:
    return sum(1 for row in api.engine.ask(hosts.properties_of_host, api.engine.host) if row.name == "Barn")


async def test_a_call_is_done_once_and_answered_the_same(any_api: Api):
    api = any_api
    first = await api.program.call("POST", "/properties", BARN, key="k-1")
    again = await api.program.call("POST", "/properties", BARN, key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["content-type"] == first.headers["content-type"]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert "ratelimit" in again.headers
    assert barns(api) == 1


async def test_without_a_key_it_is_done_each_time(api: Api):
    for _ in range(2):
        await api.program.send("POST", "/properties", BARN)
    assert barns(api) == 2


async def test_the_key_of_another_request_is_refused(api: Api):
    await api.program.send("POST", "/properties", BARN, key="k-1")
    status, said = await api.program.refused("POST", "/properties", {**BARN, "name": "Hut"}, key="k-1")
    assert (status, said["type"]) == (422, "urn:lockbridge:problem:key-reused")
    status, _ = await api.program.refused("PUT", "/webhook", BARN, key="k-1")
    assert status == 422


async def test_keys_of_two_programs_have_nothing_to_do_with_each_other(api: Api):
    other = await api.of()
    await api.program.send("POST", "/properties", BARN, key="k-1")
    await other.send("POST", "/properties", BARN, key="k-1")
    assert barns(api) == 2


async def test_while_the_first_is_at_work_the_second_is_told_to_come_again(api: Api, monkeypatch):
    going, go_on, add = asyncio.Event(), asyncio.Event(), describing.add

    async def slow(*args: Any) -> Any:
        going.set()
        await go_on.wait()
        return await add(*args)

    monkeypatch.setattr(describing, "add", slow)
    first = asyncio.create_task(api.program.call("POST", "/properties", BARN, key="k-1"))
    await going.wait()
    second = await api.program.call("POST", "/properties", BARN, key="k-1")
    assert (second.status_code, second.headers["retry-after"]) == (409, "2")
    assert second.json()["type"] == "urn:lockbridge:problem:at-work"
    go_on.set()
    assert (await first).status_code == 201
    assert (await api.program.call("POST", "/properties", BARN, key="k-1")).headers["idempotency-replayed"] == "true"
    assert barns(api) == 1


async def test_of_many_at_once_one_does_the_work(any_api: Api):
    calls = [any_api.program.call("POST", "/properties", BARN, key="k-1") for _ in range(8)]
    statuses = Counter(answer.status_code for answer in await asyncio.gather(*calls))
    assert set(statuses) <= {201, 409}
    assert statuses[201] >= 1
    assert barns(any_api) == 1


async def test_a_call_that_was_refused_frees_its_key(api: Api):
    status, _ = await api.program.refused("POST", "/properties", {**BARN, "zone": "Nowhere"}, key="k-1")
    assert status == 422
    await api.program.send("POST", "/properties", BARN, key="k-1")
    assert barns(api) == 1


async def test_a_call_that_died_with_its_process_may_be_done_again_after_two_minutes(api: Api, monkeypatch):
    async def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(api_answers, "let_go", lambda *_: None)  # the process is gone: nothing after this happens
    with monkeypatch.context() as patch:
        patch.setattr(describing, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            await api.program.call("POST", "/properties", BARN, key="k-1")
    assert (await api.program.refused("POST", "/properties", BARN, key="k-1"))[0] == 409
    api.engine.clock.set(api.engine.now + 2 * MINUTE)
    assert (await api.program.call("POST", "/properties", BARN, key="k-1")).status_code == 201
    assert barns(api) == 1


async def test_a_secret_is_repeated_and_lies_sealed(api: Api):
    sent = {"url": "https://example.com/hook"}
    first = await api.program.send("PUT", "/webhook", sent, key="k-1")
    again = await api.program.send("PUT", "/webhook", sent, key="k-1")
    assert first["secret"] == again["secret"]
    with api.engine.world.database.read() as connection:
        (row,) = connection.execute(select(API_ANSWER))
    assert first["secret"].encode() not in row.body_sealed
    assert b"example.com" not in row.body_sealed


async def test_an_answer_without_a_body_is_repeated_too(api: Api):
    await api.program.send("PUT", "/webhook", {"url": "https://example.com/hook"})
    for replayed in (None, "true"):
        answer = await api.program.call("DELETE", "/webhook", key="k-2")
        assert (answer.status_code, answer.headers.get("idempotency-replayed")) == (204, replayed)
        assert answer.content == b""


async def test_keys_are_kept_for_a_day(api: Api):
    await api.program.send("POST", "/properties", BARN, key="k-1")
    api.engine.clock.set(api.engine.now + DAY)
    await api.program.send("POST", "/properties", {**BARN, "country": "DE"}, key="k-1")
    assert barns(api) == 2


async def test_answers_are_forgotten_after_a_day(api: Api):
    await api.program.send("POST", "/properties", BARN, key="k-1")
    await keep_house(api.engine.services, api.engine.now + 2 * DAY)
    with api.engine.world.database.read() as connection:
        assert connection.execute(select(API_ANSWER)).all() == []


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256])
async def test_a_key_that_makes_no_sense_is_refused(api: Api, key):
    answer = await api.program.client.post(
        "/api/v1/properties", json=BARN, headers=[(b"idempotency-key", key.encode("latin-1"))]
    )
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "Idempotency-Key")
    assert barns(api) == 0


async def test_reading_takes_no_key(api: Api):
    await api.program.call("GET", "/stays", key="k-1")
    with api.engine.world.database.read() as connection:
        assert connection.execute(select(API_ANSWER)).all() == []
