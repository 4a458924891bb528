"""Pages: everything is found exactly once, whatever is added meanwhile."""

import pytest

from lockbridge.storage.api_pages import SETTLED
from lockbridge.workflows import housekeeping
from tests.web.api.conftest import Api, Program

STAY = {"property_id": 1, "arrival": "2026-06-14", "departure": "2026-06-16"}


async def add(api: Api, *names: str) -> None:
    for name in names:
        await api.program.send("PUT", f"/stays/by-external-id/{name}", STAY | {"reservation_code": name})


async def test_everything_is_found_once_while_rows_are_added(any_api: Api):
    api = any_api
    await add(api, *"ABCDE")
    found, cursor, rounds = [], {}, 0
    while True:
        page = await api.program.get("/stays", limit=2, **cursor)
        found += [stay["external_id"] for stay in page["items"]]
        if page["next"] is None:
            break
        cursor, rounds = {"cursor": page["next"]}, rounds + 1
        if rounds <= 3:
            await add(api, f"new-{rounds}")
    assert found == ["A", "B", "C", "D", "E", "new-1", "new-2", "new-3"]


async def test_the_next_page_stands_in_a_header_with_its_filters(api: Api):
    await add(api, *"ABC")
    answer = await api.program.call("GET", "/stays", params={"limit": 2, "status": "confirmed"})
    link = answer.headers["link"]
    assert link.startswith("<http://lockbridge.test/api/v1/stays?")
    assert link.endswith('>; rel="next"')
    following = await api.program.client.get(link[1:].partition(">")[0])
    assert [stay["external_id"] for stay in following.json()["items"]] == ["C"]
    assert "link" not in following.headers


async def test_a_cursor_is_good_for_its_list_and_its_host_only(api: Api, ben: Program):
    await add(api, *"ABC")
    cursor = (await api.program.get("/stays", limit=1))["next"]
    for program, path in ((api.program, "/codes"), (ben, "/stays")):
        status, said = await program.refused("GET", path, params={"cursor": cursor})
        assert (status, said["errors"][0]["parameter"]) == (422, "cursor")


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "A" * 22, "ä", "A" * 101, "%00"])
async def test_a_cursor_of_ones_own_making_is_refused(api: Api, cursor):
    status, said = await api.program.refused("GET", "/stays", params={"cursor": cursor})
    assert (status, said["errors"][0]["parameter"]) == (422, "cursor")


@pytest.mark.parametrize("limit", [0, 201, -1, "many"])
async def test_a_page_has_one_to_two_hundred_things(api: Api, limit):
    status, said = await api.program.refused("GET", "/stays", params={"limit": limit})
    assert (status, said["errors"][0]["parameter"]) == (422, "limit")


@pytest.mark.parametrize("path", ["/stays", "/codes", "/locks", "/properties"])
async def test_every_list_has_pages(api: Api, path):
    await add(api, *"AB")
    api.engine.app.add_lock("back", name="back")
    await housekeeping.list_locks(api.engine.services, api.engine.now)
    await api.engine.add_property("Barn", "barn-1")
    await api.engine.work()
    whole = [each["id"] for each in await api.program.every(path)]
    assert len(whole) > 1
    assert [each["id"] for each in await api.program.every(path, limit=1)] == whole == sorted(whole)


async def test_the_feed_goes_on_where_one_was(any_api: Api):
    api = any_api
    assert (await api.program.get("/events", type="booked"))["next"] is None
    await add(api, "A")
    api.engine.clock.set(api.engine.now + SETTLED)
    first = await api.program.get("/events", type="booked")
    assert ([each["type"] for each in first["items"]], first["more"]) == (["booked"], False)
    nothing = await api.program.get("/events", cursor=first["next"], type="booked")
    assert (nothing["items"], nothing["next"]) == ([], first["next"])
    await add(api, "B")
    api.engine.clock.set(api.engine.now + SETTLED)
    more = await api.program.get("/events", cursor=nothing["next"], type="booked")
    assert [each["stay_id"] for each in more["items"]] == [first["items"][0]["stay_id"] + 1]
