"""The simulator over a real socket: its API, its control routes, and connections that really break."""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta

import httpx
import pytest

from lockbridge.contract import AccountRefused, OutcomeUnknown, RateLimited, Unreachable
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import LockRef
from lockbridge.outbound import client
from providers import PROVIDERS
from providers.simulator import Fault, SimulatedLockApp, Verb, simulator_asgi
from tests.contract.harness import Clock, connection
from tests.contract.serving import ServedApp, serving
from tests.providers.test_simulator_world import NOW, STAY

SPEC = CodeSpec(Pin("0471"), "Ada", STAY)
CONTROL = {"Authorization": "Bearer let-me-in"}
GUEST = {"Authorization": "Bearer simulator"}


@pytest.fixture(scope="module")
def server() -> Iterator[ServedApp]:
    with serving() as served:
        yield served


@pytest.fixture
def app(server: ServedApp) -> SimulatedLockApp:
    app = SimulatedLockApp(Clock(NOW), random.Random(3))
    app.add_lock("l")
    server.asgi = simulator_asgi(app, control_token="let-me-in")
    return app


@pytest.fixture
async def http(server: ServedApp, app: SimulatedLockApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as made:
        yield made


@pytest.fixture
async def driver(server: ServedApp, app: SimulatedLockApp):
    async with client() as made:
        settings = {"url": f"{server.url}/", "token": "simulator"}
        yield PROVIDERS["simulator"].connect(connection(settings, made, Clock(NOW)))


L = LockRef("l")


async def test_r22_an_answer_that_breaks_off_on_the_wire_is_outcome_unknown_and_done_once(driver, app) -> None:
    app.script(L, Fault.LOST_ANSWER)
    with pytest.raises(OutcomeUnknown):
        await driver.set_code(L, SPEC)
    assert [held.pin for held in app.holds(L)] == ["0471"]
    app.script(L, Fault.ERROR_AFTER)
    with pytest.raises(OutcomeUnknown):
        await driver.remove_code(L, app.holds(L)[0].ref)
    assert app.holds(L) == ()
    assert (app.calls[Verb.SET], app.calls[Verb.REMOVE]) == (1, 1)


async def test_a_failure_before_over_http_is_unreachable_and_nothing_is_done(driver, app) -> None:
    app.script(L, Fault.ERROR_BEFORE)
    with pytest.raises(Unreachable):
        await driver.set_code(L, SPEC)
    assert app.holds(L) == ()


async def test_a_read_that_breaks_off_is_read_again(driver, app) -> None:
    app.script(L, Fault.LOST_ANSWER, on=[Verb.LIST_CODES])
    assert await driver.list_codes(L) == []
    assert app.calls[Verb.LIST_CODES] == 2


async def test_throttling_comes_with_its_pause(driver, app) -> None:
    app.script(L, Fault.RATE_LIMITED)
    with pytest.raises(RateLimited) as caught:
        await driver.check_lock(L)
    assert caught.value.retry_after == timedelta(seconds=30)


async def test_the_documented_way_of_a_code(http: httpx.AsyncClient, app: SimulatedLockApp) -> None:
    body = {"pin": "0471", "name": "Ada", "starts": "2026-05-04T15:00:00+02:00", "ends": "2026-05-06T13:00:00Z"}
    made = await http.post("/locks/l/codes", json=body, headers=GUEST)
    assert made.status_code == 201
    ref = made.json()["ref"]
    (code,) = (await http.get("/locks/l/codes", headers=GUEST)).json()["codes"]
    assert code == {
        "ref": ref,
        "pin": "0471",
        "name": "Ada",
        "starts": "2026-05-04T13:00:00+00:00",
        "ends": "2026-05-06T13:00:00+00:00",
        "state": "set",
        "trouble": None,
    }
    for at, opens in (("2026-05-04T13:00:00Z", True), ("2026-05-04T12:59:59Z", False)):
        tried = await http.post("/locks/l/try", json={"pin": "0471", "at": at}, headers=GUEST)
        assert tried.json() == {"opens": opens}
    assert (await http.post("/locks/l/try", json={"pin": "0471"}, headers=GUEST)).json() == {"opens": False}
    assert (await http.delete(f"/locks/l/codes/{ref}", headers=GUEST)).json() == {"status": "done"}
    gone = await http.delete(f"/locks/l/codes/{ref}", headers=GUEST)
    assert (gone.status_code, gone.json()) == (404, {"error": "code_gone"})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"pin": 471, "name": "Ada"}',
        b'{"pin": "47x1", "name": "Ada"}',
        b'{"pin": "4711"}',
        b'{"pin": "4711", "name": "Ada", "starts": "2026-05-04T13:00:00", "ends": null}',
    ],
)
async def test_a_request_that_makes_no_sense_is_400(http: httpx.AsyncClient, content: bytes) -> None:
    answer = await http.post("/locks/l/codes", content=content, headers=GUEST)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "simulator"}], ids=str)
async def test_nobody_comes_in_without_a_token(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for path in ("/locks", "/locks/l", "/locks/l/codes", "/control/journal"):
        answer = await http.get(path, headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"error": "account_refused"})


async def test_a_door_of_another_account_cannot_be_tried(http: httpx.AsyncClient) -> None:
    assert (await http.post("/locks/m/try", json={"pin": "1"}, headers=GUEST)).status_code == 404


@pytest.fixture
def control(http: httpx.AsyncClient) -> Callable:
    async def ask(method: str, path: str, body: dict | None = None):
        answer = await http.request(method, f"/control{path}", json=body, headers=CONTROL)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


async def test_the_world_can_be_set_up_from_outside(control, app: SimulatedLockApp, http: httpx.AsyncClient) -> None:
    await control("POST", "/accounts", {"key": "other", "token": "t"})
    await control("POST", "/locks", {"ref": "m", "rules": "nuki", "account": "other", "max_codes": 7})
    (lock,) = (await http.get("/locks", headers={"Authorization": "Bearer t"})).json()["locks"]
    assert (lock["rules"], lock["max_codes"]) == ("nuki", 7)
    await control("POST", "/accounts/other/disconnect")
    assert (await http.get("/locks", headers={"Authorization": "Bearer t"})).status_code == 401
    await control("POST", "/accounts/other/reconnect")
    await control("DELETE", "/locks/m")
    assert list(app.locks) == ["l"]


async def test_people_and_fate_work_from_outside(control, app: SimulatedLockApp) -> None:
    ref = (await control("POST", "/locks/l/codes", {"name": "Cleaner", "pin": "2468"}))["ref"]
    await control("PATCH", f"/locks/l/codes/{ref}", {"pin": "1357"})
    (held,) = (await control("GET", "/locks/l"))["holds"]
    assert (held["ref"], held["pin"], held["made_by"]) == (ref, "1357", "hand")
    await control("DELETE", f"/locks/l/codes/{ref}")
    assert len((await control("POST", "/locks/l/fill", {"leave": 98}))["refs"]) == 2
    assert [entry["verb"] for entry in (await control("GET", "/journal"))["journal"]] == [
        "set",
        "update",
        "remove",
        "set",
        "set",
    ]
    await control("POST", "/locks/l/offline", {"until": "2026-05-05T00:00:00Z"})
    await control("POST", "/locks/l/battery", {"level": 0.25})
    status = app.check_lock("main", L)
    assert (status.online, status.battery) == (False, 0.25)
    await control("POST", "/locks/l/online")
    assert app.check_lock("main", L).online
    assert (await control("GET", "/calls")) == {"check": 2}


async def test_faults_are_switched_on_from_outside(control, driver) -> None:
    await control("POST", "/locks/l/script", {"faults": ["rate_limited"]})
    with pytest.raises(RateLimited):
        await driver.check_lock(L)
    await control("POST", "/script", {"faults": ["rate_limited"], "on": ["list_locks"]})
    with pytest.raises(RateLimited):
        await driver.list_locks()
    await control("PUT", "/locks/l/faults", {"rate_limited": 1.0, "retry_after": 5})
    with pytest.raises(RateLimited) as caught:
        await driver.check_lock(L)
    assert caught.value.retry_after == timedelta(seconds=5)
    await control("PUT", "/locks/l/faults", {})
    await control("PUT", "/faults", {"rate_limited": 1.0})
    assert (await driver.check_lock(L)).online


async def test_a_lock_shifts_its_schedule_from_outside(control, app: SimulatedLockApp) -> None:
    await control("POST", "/locks/l/codes", {"name": "Ada", "pin": "2468", "starts": "2026-05-04T13:00:00Z"})
    shift = {"since": "2026-05-01T00:00:00Z", "until": "2026-06-01T00:00:00Z", "late": 3600}
    await control("POST", "/locks/l/shift", shift)
    assert not app.opens(L, "2468", STAY.starts)


async def test_control_of_a_lock_that_is_none_is_404_and_nonsense_is_400(http: httpx.AsyncClient) -> None:
    assert (await http.post("/control/locks/x/online", headers=CONTROL)).status_code == 404
    for path, body in (("/locks", {"ref": "m", "rules": "?"}), ("/script", {"faults": ["?"]}), ("/locks", {})):
        assert (await http.post(f"/control{path}", json=body, headers=CONTROL)).status_code == 400


@pytest.mark.parametrize(
    "settings", [{"url": "ftp://x"}, {"url": "nonsense"}, {"url": "http://x:port"}, {"token": "schlüssel"}]
)
async def test_settings_that_cannot_be_are_refused_when_connecting(settings: dict[str, str]) -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(AccountRefused):
            PROVIDERS["simulator"].connect(connection(settings, http, Clock(NOW)))


def test_every_provider_is_in_the_map_under_its_own_key() -> None:
    assert all(spec.key == key and spec.title and spec.fields for key, spec in PROVIDERS.items())
    assert any(field.secret for field in PROVIDERS["simulator"].fields)
