"""Stays by the API: listed, told, changed, and what is done to their codes."""

from tests.web.api.conftest import Api, Program
from tests.workflows.engine import DAY, HOUR, MINUTE

IDA = {"name": "Ida Example", "first_name": "Ida", "phone": "+15550100123", "email": "ida@example.com"}


def told(api: Api, **changes) -> dict:
    return {"property_id": api.engine.place, "arrival": "2026-06-14", "departure": "2026-06-16", "guest": IDA} | changes


async def test_a_stay_that_is_told_gets_its_code_on_the_lock(any_api: Api):
    api = any_api
    made = await api.program.send("POST", "/stays", told(api, external_id="R-1"))
    assert (made["platform"], made["external_id"], made["status"]) == ("api", "R-1", "confirmed")
    await api.engine.until(api.engine.now + DAY + 12 * HOUR)
    seen = await api.program.get(f"/stays/{made['id']}")
    assert [(line["lock_name"], line["status"]) for line in seen["access"]] == [("front", "scheduled")]
    assert seen["opens_at"] == "2026-06-14T20:00:00Z"
    assert api.engine.opens("front", at=api.engine.now + 4 * DAY, ref="R-1")


async def test_news_of_a_stay_replaces_what_was_told_and_keeps_the_guest_that_is_not_named(api: Api):
    await api.program.send("PUT", "/stays/by-external-id/R-1", told(api))
    api.engine.clock.set(api.engine.now + MINUTE)
    answer = await api.program.call("PUT", "/stays/by-external-id/R-1", told(api, departure="2026-06-18", guest={}))
    assert answer.status_code == 200
    said = answer.json()
    assert (said["departure"], said["guest"]["name"], said["guest"]["has_phone"]) == ("2026-06-18", "Ida Example", True)
    assert "5550100" not in answer.text


async def test_a_stay_is_told_anew_once_and_changed_after_that(api: Api):
    first = await api.program.call("PUT", "/stays/by-external-id/R-1", told(api))
    assert first.status_code == 201
    assert first.headers["location"].endswith(f"/api/v1/stays/{first.json()['id']}")
    status, said = await api.program.refused("POST", "/stays", told(api, external_id="R-1"))
    assert (status, said["type"]) == (409, "urn:lockbridge:problem:exists")
    assert "use PUT" in said["detail"]


async def test_a_stay_can_be_cancelled_by_whoever_told_it(api: Api):
    made = await api.program.send("PUT", "/stays/by-external-id/R-1", told(api))
    await api.engine.until(api.engine.now + 2 * DAY)
    assert len(api.engine.held()) == 1
    gone = await api.program.send("PUT", "/stays/by-external-id/R-1", told(api, status="cancelled"))
    assert (gone["id"], gone["status"]) == (made["id"], "cancelled")
    await api.engine.until(api.engine.now + 2 * DAY)
    assert api.engine.held() == []


async def test_a_stay_is_found_by_the_name_it_was_told_with(any_api: Api):
    api = any_api
    made = await api.program.send("POST", "/stays", told(api, external_id="2026 7"))
    found = await api.program.get("/stays/by-external-id/2026%207")
    assert found["id"] == made["id"]
    assert (await api.program.refused("GET", "/stays/by-external-id/nobody"))[0] == 404


async def test_a_stay_that_a_booking_platform_tells_too_is_one_stay(api: Api):
    booked = await api.booked()
    ours = api.engine.stay()
    said = await api.program.send("PUT", "/stays/by-external-id/X", told(api, reservation_code=ours.reservation_code))
    assert said["id"] == booked
    again = await api.program.send("PUT", "/stays/by-external-id/X", told(api, reservation_code=ours.reservation_code))
    assert again["id"] == booked
    assert (await api.program.get("/stays/by-external-id/X"))["id"] == booked


async def test_a_property_of_nobody_is_refused_where_it_stands(api: Api):
    status, said = await api.program.refused("POST", "/stays", told(api, property_id=999))
    assert (status, said["errors"][0]["pointer"]) == (422, "/property_id")


async def test_dates_that_make_no_stay_are_refused(api: Api):
    for wrong in ({"departure": "2026-06-14"}, {"departure": "2026-06-01"}, {"arrival": "14.6.2026"}, {"arrival": 5}):
        status, said = await api.program.refused("POST", "/stays", told(api, **wrong))
        assert (status, said["type"]) == (422, "urn:lockbridge:problem:invalid"), wrong


async def test_a_field_that_is_not_known_is_refused_with_the_nearest_name(api: Api):
    status, said = await api.program.refused("POST", "/stays", told(api, guest={"nmae": "Ida"}))
    assert status == 422
    assert said["errors"] == [{"detail": "there is no such field; is 'name' meant?", "pointer": "/guest/nmae"}]


async def test_lists_are_filtered(api: Api):
    await api.booked(id="A", code="CODE-A", arrival="2026-07-01", departure="2026-07-03")
    later = api.engine.now + HOUR
    await api.engine.until(later)
    await api.booked(id="B", arrival="2026-08-01", departure="2026-08-03", status="pending")
    names = {}
    for name, query in {
        "all": {},
        "coming": {"arrival_from": "2026-07-15"},
        "going": {"departure_to": "2026-07-15"},
        "fresh": {"changed_since": f"{later:%Y-%m-%dT%H:%M:%SZ}"},
        "pending": {"status": "pending"},
        "elsewhere": {"property_id": 77},
        "called": {"reservation_code": "CODE-A"},
    }.items():
        names[name] = [stay["external_id"] for stay in await api.program.every("/stays", **query)]
    assert names == {
        "all": ["A", "B"],
        "coming": ["B"],
        "going": ["A"],
        "fresh": ["B"],
        "pending": ["B"],
        "elsewhere": [],
        "called": ["A"],
    }


async def test_times_of_one_stay_are_set_and_taken_back(api: Api):
    stay = await api.booked()
    said = await api.program.send("PATCH", f"/stays/{stay}", {"check_in": "14:00"})
    assert (said["stay"]["check_in"], said["stay"]["host_check_in"]) == ("14:00", "14:00")
    said = await api.program.send("PATCH", f"/stays/{stay}", {"check_out": "12:00"})
    assert (said["stay"]["host_check_in"], said["stay"]["host_check_out"]) == ("14:00", "12:00")
    said = await api.program.send("PATCH", f"/stays/{stay}", {"check_in": None})
    assert (said["stay"]["host_check_in"], said["stay"]["host_check_out"]) == (None, "12:00")


async def test_the_host_decides_on_a_stay(api: Api):
    stay = await api.booked(status="pending")
    said = await api.program.send("POST", f"/stays/{stay}/decision", {"decision": "confirm"})
    assert said["stay"]["status"] == "confirmed"
    assert said["outcome"] == "The stay is confirmed now."
    said = await api.program.send("POST", f"/stays/{stay}/decision", {"decision": "follow"})
    assert said["stay"]["status"] == "pending"


async def on_the_lock(api: Api) -> int:
    stay = await api.booked()
    await api.engine.until(api.engine.now + 4 * DAY)
    return stay


async def test_another_code_is_issued(api: Api):
    stay = await on_the_lock(api)
    before = api.engine.pin()
    said = await api.program.send("POST", f"/stays/{stay}/reissue")
    assert api.engine.pin() != before
    assert api.engine.pin() not in str(said)
    assert [code.pin for code in api.engine.held()] == [api.engine.pin()]


async def test_a_backup_is_given_once(api: Api):
    stay = await on_the_lock(api)
    first = await api.program.send("POST", f"/stays/{stay}/give-backup", {"lock_id": api.engine.locks["front"]})
    again = await api.program.send("POST", f"/stays/{stay}/give-backup", {"lock_id": api.engine.locks["front"]})
    assert "already" not in first["outcome"]
    assert "already" in again["outcome"]
    assert [line["backup"] for line in again["stay"]["access"]].count(True) == 1


async def test_a_door_that_is_none_of_the_stays_is_refused_in_words(api: Api):
    stay = await on_the_lock(api)
    status, said = await api.program.refused("POST", f"/stays/{stay}/give-backup", {"lock_id": 999})
    assert (status, said["type"]) == (422, "urn:lockbridge:problem:refused")
    assert "none of the stay's doors" in said["detail"]


async def test_a_code_is_revoked_and_tried_again_in_vain(api: Api):
    stay = await on_the_lock(api)
    said = await api.program.send("POST", f"/stays/{stay}/revoke")
    assert said["stay"]["revoked"]
    assert api.engine.held() == []
    await api.program.send("POST", f"/stays/{stay}/try-again")
    assert api.engine.held() == []


async def test_what_programs_do_stands_in_the_log_of_deeds(api: Api, program_deeds):
    stay = await api.booked()
    await api.program.send("PATCH", f"/stays/{stay}", {"check_in": "14:00"})
    assert program_deeds() == [("API key test 0001", "changed the times of", f"stay {stay}")]


async def test_a_program_of_another_host_tells_stays_of_its_own(api: Api, ben: Program):
    await api.program.send("POST", "/stays", told(api, external_id="R-1"))
    status, said = await ben.refused("POST", "/stays", told(api, external_id="R-1"))
    assert (status, said["errors"][0]["pointer"]) == (422, "/property_id")
    assert await ben.every("/stays") == []
