"""Codes, locks, properties, events and the webhook by the API."""

from lockbridge.domain.people import Scope
from lockbridge.storage import tasks
from lockbridge.web.api.events import TYPES
from tests.web.api.conftest import Api
from tests.workflows.engine import CLOSES, DAY

# -- codes ---------------------------------------------------------------------------------------------------


async def on_the_lock(api: Api) -> int:
    stay = await api.booked()
    await api.engine.until(api.engine.now + 4 * DAY)
    return stay


async def test_codes_are_listed_without_their_digits(api: Api):
    stay = await on_the_lock(api)
    answer = await api.program.call("GET", "/codes")
    (mine,) = [code for code in answer.json()["items"] if code["stay_id"] == stay]
    assert (mine["kind"], mine["status"], mine["lock_name"]) == ("guest", "scheduled", "front")
    assert mine["pin"] == "••••"
    assert api.engine.pin() not in answer.text
    assert {code["kind"] for code in answer.json()["items"]} == {"guest", "backup"}


async def test_codes_are_those_of_a_stay_of_a_lock_or_of_a_kind(api: Api):
    stay = await on_the_lock(api)
    lock = api.engine.locks["front"]
    assert len(await api.program.every("/codes", stay_id=stay)) == 1
    assert len(await api.program.every("/codes", lock_id=lock)) == 3
    assert len(await api.program.every("/codes", lock_id=lock, kind="backup")) == 2
    await api.engine.until(CLOSES + 2 * DAY)
    assert await api.program.every("/codes", stay_id=stay) == []
    assert [code["status"] for code in await api.program.every("/codes", stay_id=stay, gone=True)] == ["removed"]


async def test_a_given_backup_is_the_stays(api: Api):
    stay = await on_the_lock(api)
    await api.program.send("POST", f"/stays/{stay}/give-backup", {"lock_id": api.engine.locks["front"]})
    kinds = sorted(code["kind"] for code in await api.program.every("/codes", stay_id=stay))
    assert kinds == ["backup", "guest"]


async def test_digits_are_shown_to_keys_that_may_see_them_and_that_is_written_down(api: Api, program_deeds):
    stay = await on_the_lock(api)
    reader = await api.of(Scope.CODES_READ)
    status, said = await reader.refused("GET", "/codes", params={"stay_id": stay, "reveal": True})
    assert (status, "codes:reveal" in said["detail"]) == (403, True)
    assert program_deeds() == []
    (shown,) = await api.program.every("/codes", stay_id=stay, reveal=True)
    assert shown["pin"] == api.engine.pin()
    assert program_deeds() == [("API key test 0001", "looked at the codes of", f"stay {stay}")]


async def test_digits_of_everything_at_once_are_not_shown(api: Api, program_deeds):
    await on_the_lock(api)
    status, said = await api.program.refused("GET", "/codes", params={"reveal": True})
    assert (status, said["errors"][0]["parameter"]) == (422, "reveal")
    assert program_deeds() == []


# -- locks ---------------------------------------------------------------------------------------------------


async def test_a_lock_says_how_it_is_and_what_it_holds(api: Api):
    api.engine.app.add_by_hand("front", "Cleaner", "4711")
    await on_the_lock(api)
    (lock,) = await api.program.every("/locks")
    assert lock == await api.program.get(f"/locks/{lock['id']}")
    assert (lock["name"], lock["state"], lock["lock_class"], lock["capacity"]) == ("front", "online", "A", 100)
    assert lock["holds"] == {"ours": 3, "others": 1}
    assert lock["property_ids"] == [api.engine.place]


async def test_a_resync_is_a_task_that_tells_what_came_of_it(any_api: Api):
    api = any_api
    await on_the_lock(api)
    answer = await api.program.call("POST", f"/locks/{api.engine.locks['front']}/resync")
    assert answer.status_code == 202
    task = answer.json()
    assert answer.headers["location"].endswith(f"/api/v1/tasks/{task['id']}")
    await api.finish()
    done = await api.program.get(f"/tasks/{task['id']}")
    (report,) = done["report"]["locks"]
    assert (done["state"], report["name"], report["kept"], report["failed"]) == ("done", "front", 3, 0)
    assert done["report"].keys() == {"locks"}


async def test_a_task_that_is_silent_for_long_has_failed(api: Api):
    begun = await api.engine.write(
        lambda c: tasks.begin(c, api.engine.host, "resync", "Resync of front", "nobody", api.engine.now)
    )
    assert (await api.program.get(f"/tasks/{begun}"))["state"] == "running"
    api.engine.clock.set(api.engine.now + DAY)
    assert (await api.program.get(f"/tasks/{begun}"))["state"] == "failed"


# -- properties ----------------------------------------------------------------------------------------------


async def test_a_property_is_added_with_its_names_and_its_settings(any_api: Api):
    api = any_api
    sent = {
        "name": "Barn",
        "zone": "Europe/Berlin",
        "country": "de",
        "address": "Feldweg 1\n12345 Dorf",
        "settings": {"pin_length": 6, "pin_mode": "random"},
        "refs": [{"platform": "generic", "id": "barn-1"}],
    }
    made = await api.program.send("POST", "/properties", sent)
    assert (made["country"], made["check_in"], made["address"]) == ("DE", "16:00", "Feldweg 1\n12345 Dorf")
    assert made["settings"]["pin_length"] == 6
    assert made["settings"]["backups"] is None
    assert made["refs"] == sent["refs"]
    assert await api.program.get(f"/properties/{made['id']}") == made
    await api.engine.book(home="barn-1", id="X", code="X")
    assert api.engine.stay("X").property == made["id"]


async def test_a_name_that_is_another_propertys_is_refused_and_nothing_is_added(api: Api):
    sent = {"name": "Barn", "zone": "Europe/Berlin", "refs": [{"platform": "generic", "id": "prop-7"}]}
    status, said = await api.program.refused("POST", "/properties", sent)
    assert (status, said["errors"][0]["pointer"]) == (422, "/refs")
    assert [each["name"] for each in await api.program.every("/properties")] == ["Lake House"]


async def test_a_property_is_changed_and_its_codes_follow(api: Api):
    stay = await api.booked()
    changed = await api.program.send(
        "PATCH", f"/properties/{api.engine.place}", {"name": "Sea House", "settings": {"buffer_before_minutes": 60}}
    )
    assert (changed["name"], changed["zone"], changed["settings"]["buffer_before_minutes"]) == (
        "Sea House",
        "America/New_York",
        60,
    )
    await api.engine.work()
    assert (await api.program.get(f"/stays/{stay}"))["opens_at"] == "2026-06-14T19:00:00Z"
    again = await api.program.send(
        "PATCH", f"/properties/{api.engine.place}", {"settings": {"buffer_before_minutes": None, "pin_length": 5}}
    )
    assert (again["settings"]["buffer_before_minutes"], again["settings"]["pin_length"]) == (None, 5)
    await api.engine.work()
    assert (await api.program.get(f"/stays/{stay}"))["opens_at"] == "2026-06-14T20:00:00Z"


async def test_a_change_of_nothing_changes_nothing(api: Api):
    before = await api.program.get(f"/properties/{api.engine.place}")
    assert await api.program.send("PATCH", f"/properties/{api.engine.place}", {}) == before


async def test_what_a_property_needs_cannot_be_taken_away(api: Api):
    for sent in ({"name": None}, {"name": ""}, {"name": "   "}, {"zone": None}, {"check_in": "25:00"}):
        status, said = await api.program.refused("PATCH", f"/properties/{api.engine.place}", sent)
        assert (status, said["errors"][0]["pointer"]) == (422, f"/{next(iter(sent))}")


async def test_a_lock_is_matched_and_taken_away_again(api: Api):
    place, lock = api.engine.place, api.engine.locks["front"]
    await api.booked()
    await api.engine.until(api.engine.now + 4 * DAY)
    answer = await api.program.call("DELETE", f"/properties/{place}/locks/{lock}")
    assert answer.status_code == 204
    assert (await api.program.refused("DELETE", f"/properties/{place}/locks/{lock}"))[0] == 404
    await api.engine.work()
    assert not api.engine.app.holds("front")
    for _ in range(2):
        said = await api.program.send("PUT", f"/properties/{place}/locks/{lock}")
        assert said == {"property_id": place, "lock_ids": [lock]}
    assert await api.program.get(f"/properties/{place}/locks") == said
    await api.engine.work()
    assert len(api.engine.held()) == 1


# -- events --------------------------------------------------------------------------------------------------


async def test_the_feed_tells_what_happened_and_each_type_is_explained(api: Api):
    stay = await on_the_lock(api)
    await api.program.send("POST", f"/stays/{stay}/reissue")
    await api.program.send("POST", f"/stays/{stay}/revoke")
    found = await api.program.every("/events")
    told = {event["type"] for event in found}
    assert {"booked", "pin", "planned", "confirmed", "reissued", "revoked", "removed"} <= told
    known = {name for name in TYPES if not name.endswith("*")}
    several = tuple(name.removesuffix("*") for name in TYPES if name.endswith("*"))
    assert {name for name in told if name not in known and not name.startswith(several)} == set()
    assert api.engine.pin() not in str(found)
    only = await api.program.every("/events", type="booked")
    assert [(event["type"], event["stay_id"]) for event in only] == [("booked", stay)]


# -- the webhook ---------------------------------------------------------------------------------------------


async def test_the_webhook_is_set_shown_and_removed(api: Api):
    assert (await api.program.refused("GET", "/webhook"))[0] == 404
    made = await api.program.send("PUT", "/webhook", {"url": "https://example.com/hook?of=mine"})
    assert made["secret"].startswith("whsec_")
    assert await api.program.get("/webhook") == {"url": "https://example.com/hook?of=mine"}
    other = await api.program.send("PUT", "/webhook", {"url": "https://example.com/hook?of=mine"})
    assert other["secret"] != made["secret"]
    assert (await api.program.call("DELETE", "/webhook")).status_code == 204
    assert (await api.program.refused("DELETE", "/webhook"))[0] == 404


async def test_a_webhook_in_the_clear_is_refused(api: Api):
    for url in ("http://example.com/hook", "https://", "https://user:secret@example.com/", "ftp://example.com"):
        status, said = await api.program.refused("PUT", "/webhook", {"url": url})
        assert (status, said["errors"][0]["pointer"]) == (422, "/url"), url
