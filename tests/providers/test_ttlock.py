"""TTLock and Sifely: what goes over the wire, what the answers mean, signing in, gateways, and callbacks."""

import asyncio
import json
import random
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest

from lockbridge.accounts.tokens import DraftTokens
from lockbridge.clock import VirtualClock
from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    CodeState,
    Kind,
    LockFull,
    LockNotFound,
    LockOffline,
    LookAt,
    NameRefused,
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    ProviderError,
    ProviderSpec,
    RateLimited,
    Receipt,
    Rejected,
    Remedy,
    Unreachable,
    WindowRefused,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import LockClass
from lockbridge.inbound import Delivery, Ignored, Unauthenticated, Unreadable
from providers.simulator import SimulatedLockApp
from providers.ttlock import SIFELY, TTLOCK
from providers.ttlock.wire import GATEWAY, RANDOM, WIFI
from tests.contract.brands import in_no_time
from tests.contract.harness import Clock, connection
from tests.contract.vendors._sciener import CLIENT, PASSWORD, RULES, SECRET, SETTINGS, USER, ScienerCloud
from tests.contract.vendors.sifely import SifelyCloud

NOW = datetime(2026, 5, 4, 12, 20, 30, tzinfo=UTC)
NOW_MS = 1777897230000
LOCK, CODE = LockRef("24451"), CodeRef("3234293")
STAY = Window(datetime(2026, 7, 1, 13, tzinfo=UTC), datetime(2026, 7, 5, 9, 30, tzinfo=UTC))
STAY_MS = {"startDate": 1782910800000, "endDate": 1783243800000}
SPEC = CodeSpec(Pin("025163"), "Ada Lovelace", STAY)
HOURS = Window(STAY.starts, STAY.starts + timedelta(hours=92))
RANDOM_SPEC = CodeSpec(None, "Ada Lovelace", HOURS)
SIGNED = {"clientId": CLIENT, "accessToken": "token", "date": str(NOW_MS)}
DONE = {"errcode": 0, "errmsg": "none error message", "description": "…"}
WITH_GATEWAY, WITH_WIFI = f"{1 << 8 | 1 << 10 | 1:X}", f"{1 << 56 | 1 << 10 | 1:X}"
HOOK = TTLOCK.hook
assert HOOK is not None


def a_lock(**changes: Any) -> dict[str, Any]:
    """A lock as ``/v3/lock/list`` tells it."""
    return {
        "lockId": int(LOCK),
        "lockName": "S31_d0fe21",
        "lockAlias": "Front door",
        "electricQuantity": 85,
        "featureValue": WITH_GATEWAY,
        "hasGateway": 1,
        **changes,
    }


def a_code(**changes: Any) -> dict[str, Any]:
    """A passcode as ``/v3/lock/listKeyboardPwd`` tells it."""
    return {
        "keyboardPwdId": int(CODE),
        "lockId": int(LOCK),
        "keyboardPwd": "025163",
        "keyboardPwdName": "Ada Lovelace",
        "keyboardPwdType": "3",
        **STAY_MS,
        **changes,
    }


def a_page(*rows: dict[str, Any], pages: int = 1) -> dict[str, Any]:
    return {"list": list(rows), "pageNo": 1, "pageSize": 200, "pages": pages, "total": len(rows)}


class Talk:
    """The cloud with prepared answers by path; it keeps what it was asked."""

    def __init__(self, lock: dict[str, Any] | None = None, *codes: dict[str, Any]) -> None:
        self.answers: dict[str, Any] = {
            "/v3/lock/list": a_page(lock or a_lock()),
            "/v3/key/list": {"list": [lock or a_lock()]},
            "/v3/lock/detail": lock or a_lock(),
            "/v3/gateway/list": a_page({"gatewayId": 78979, "isOnline": 1}),
            "/v3/gateway/listLock": {"list": [{"lockId": int(LOCK), "rssi": -65}]},
            "/v3/gateway/listByLock": {"list": [{"gatewayId": 78979, "rssi": -65}]},
            "/v3/lock/listKeyboardPwd": a_page(*codes),
            "/v3/keyboardPwd/add": {"keyboardPwdId": int(CODE)},
            "/v3/keyboardPwd/get": {"keyboardPwdId": int(CODE), "keyboardPwd": "07391046"},
            "/oauth2/token": {"access_token": "token-2", "refresh_token": "refresh-2", "expires_in": 7776000},
        }
        self.requests: list[httpx.Request] = []

    def answer(self, path: str, answer: Any) -> "Talk":
        """Answer with this, or with one after the other of a list."""
        self.answers[path] = answer
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.get(request.url.path, DONE)
        if isinstance(answer, list):
            answer = answer.pop(0)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    @property
    def asked(self) -> list[str]:
        return [request.url.path for request in self.requests]

    @property
    def sent(self) -> dict[str, str]:
        """The form of the last request."""
        return form_of(self.requests[-1])

    def driver(self, spec=TTLOCK, tokens=None, now: Callable[[], datetime] = lambda: NOW, **settings: str) -> Any:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return in_no_time(spec.connect(connection({**SETTINGS, **settings}, http, now, tokens)))


def form_of(request: httpx.Request) -> dict[str, str]:
    return dict(parse_qsl(request.content.decode(), keep_blank_values=True))


def texts(**fields: object) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items()}


async def error_of(call: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await call
    return caught.value


# -- what is asked --------------------------------------------------------------------------------------------


async def test_a_gateway_lock_is_sent_digits_as_text_and_milliseconds():
    talk = Talk()
    driver = talk.driver()
    await driver.list_locks()
    assert await driver.set_code(LOCK, SPEC) == Written(Receipt.DONE, CODE)
    assert talk.sent == {
        **SIGNED,
        **texts(lockId=LOCK, keyboardPwd="025163", keyboardPwdName="Ada Lovelace", keyboardPwdType=3, addType=2),
        **texts(**STAY_MS),
    }


async def test_a_standing_code_is_permanent_and_has_no_dates():
    talk = Talk()
    await talk.driver().set_code(LOCK, CodeSpec(Pin("025163"), "Backup 1", None))
    sent = form_of(next(request for request in talk.requests if request.url.path.endswith("/add")))
    assert sent["keyboardPwdType"] == "2"
    assert not {"startDate", "endDate"} & set(sent)


async def test_a_window_without_end_comes_back_as_one():
    talk = Talk()
    open_ended = Window(STAY.starts, None)
    await talk.driver().set_code(LOCK, CodeSpec(Pin("025163"), "Cleaner", open_ended))
    sent = form_of(talk.requests[0])
    listed = a_code(startDate=int(sent["startDate"]), endDate=int(sent["endDate"]))
    talk.answer("/v3/lock/listKeyboardPwd", a_page(listed))
    assert (await talk.driver().list_codes(LOCK))[0].window == open_ended


async def test_a_wifi_lock_is_told_when_it_wakes_up():
    talk = Talk(a_lock(featureValue=WITH_WIFI, hasGateway=0))
    driver = talk.driver()
    await driver.list_locks()
    assert await driver.set_code(LOCK, SPEC) == Written(Receipt.ACCEPTED, CODE)
    assert talk.sent["addType"] == "4"


async def test_before_the_locks_are_known_a_code_goes_the_way_that_suits_gateway_and_wifi():
    talk = Talk(a_lock(featureValue=WITH_WIFI, hasGateway=0))
    assert await talk.driver().set_code(LOCK, SPEC) == Written(Receipt.ACCEPTED, CODE)
    assert form_of(talk.requests[0])["addType"] == "2"


async def test_what_a_taken_code_means_is_not_guessed_when_the_lock_cannot_be_read():
    talk = Talk().answer("/v3/lock/list", httpx.Response(503))
    assert await talk.driver().set_code(LOCK, SPEC) == Written(Receipt.ACCEPTED, CODE)


async def test_r18_a_random_code_is_asked_for_with_full_hours():
    talk = Talk(a_lock(hasGateway=0))
    written = await talk.driver().set_code(LOCK, RANDOM_SPEC)
    assert written == Written(Receipt.DONE, CODE, Pin("07391046"), HOURS)
    assert talk.asked == ["/v3/keyboardPwd/get"]
    assert talk.sent == {
        **SIGNED,
        **texts(lockId=LOCK, keyboardPwdType=3, keyboardPwdName="Ada Lovelace"),
        **texts(startDate=1782910800000, endDate=1783242000000),
    }


async def test_a_random_code_for_a_stay_under_way_begins_this_hour_since_it_dies_unused_after_24():
    talk = Talk(a_lock(hasGateway=0))
    since_days = Window(NOW.replace(minute=0, second=0) - timedelta(days=3), HOURS.ends)
    written = await talk.driver().set_code(LOCK, CodeSpec(None, "Ada", since_days))
    assert talk.sent["startDate"] == str(NOW_MS - (20 * 60 + 30) * 1000)
    assert written.window == since_days


async def test_a_standing_random_code_is_permanent_from_this_hour():
    talk = Talk(a_lock(hasGateway=0))
    await talk.driver().set_code(LOCK, CodeSpec(None, "Cleaner", None))
    assert talk.sent["keyboardPwdType"] == "2"
    assert talk.sent["startDate"] == str(NOW_MS - (20 * 60 + 30) * 1000)
    assert "endDate" not in talk.sent


UPDATES = [
    (CodeSpec(Pin("907251"), "Ada Lovelace", STAY), {"newKeyboardPwd": "907251"}),
    (CodeSpec(Pin("025163"), "Ada", STAY), {}),
    (CodeSpec(Pin("025163"), "Ada Lovelace", HOURS), texts(startDate=1782910800000, endDate=1783242000000)),
    (CodeSpec(Pin("025163"), "Ada Lovelace", None), texts(startDate=0, endDate=0)),
]


@pytest.mark.parametrize(("spec", "changes"), UPDATES)
async def test_an_update_sends_what_differs_from_the_look(spec: CodeSpec, changes: dict[str, str]):
    talk = Talk(a_lock(), a_code())
    driver = talk.driver()
    await driver.list_codes(LOCK)
    assert await driver.update_code(LOCK, CODE, spec) == Written(Receipt.DONE, CODE)
    named = texts(lockId=LOCK, keyboardPwdId=CODE, changeType=2, keyboardPwdName=spec.name)
    assert talk.sent == {**SIGNED, **named, **changes}


async def test_a_code_whose_last_change_failed_is_sent_whole():
    talk = Talk(a_lock(featureValue=WITH_WIFI), a_code(status=7))
    await talk.driver().update_code(LOCK, CODE, SPEC)
    assert talk.sent["newKeyboardPwd"] == "025163"
    assert talk.sent["startDate"] == str(STAY_MS["startDate"])


async def test_a_removal_takes_the_code_off_the_lock_too():
    talk = Talk()
    assert await talk.driver().remove_code(LOCK, CODE) is Receipt.DONE
    assert talk.sent == {**SIGNED, **texts(lockId=LOCK, keyboardPwdId=CODE, deleteType=2)}


async def test_a_door_is_opened_where_the_lock_can():
    talk = Talk()
    assert await talk.driver().open_door(LOCK) is Receipt.DONE
    assert talk.asked[-1] == "/v3/lock/unlock"
    assert isinstance(await error_of(Talk(a_lock(featureValue="1")).driver().open_door(LOCK)), Rejected)


async def test_every_read_carries_client_token_and_the_time_it_is_sent():
    talk = Talk()
    await talk.driver().list_codes(LOCK)
    assert all(SIGNED.items() <= dict(request.url.params).items() for request in talk.requests)
    assert dict(talk.requests[-1].url.params) == {
        **SIGNED,
        **texts(lockId=LOCK, pageNo=1, pageSize=200, orderBy=1),
    }


@pytest.mark.parametrize("spec", [TTLOCK, SIFELY], ids=lambda spec: spec.key)
async def test_a_placement_costs_two_requests_in_the_steady_state(spec: ProviderSpec):
    talk = Talk(a_lock(), a_code())
    driver = talk.driver(spec)
    await driver.list_locks()
    for write in (
        lambda: driver.set_code(LOCK, SPEC),
        lambda: driver.update_code(LOCK, CODE, CodeSpec(Pin("907251"), "Ada", STAY)),
        lambda: driver.remove_code(LOCK, CODE),
    ):
        before = len(talk.requests)
        await driver.list_codes(LOCK)
        await write()
        assert len(talk.requests) - before == 2


async def test_an_update_without_a_look_looks_first():
    talk = Talk(a_lock(), a_code())
    driver = talk.driver()
    await driver.list_locks()
    await driver.update_code(LOCK, CODE, SPEC)
    assert talk.asked[-2:] == ["/v3/lock/listKeyboardPwd", "/v3/keyboardPwd/change"]
    assert isinstance(await error_of(driver.update_code(LOCK, CodeRef("1"), SPEC)), CodeGone)


async def test_the_driver_remembers_a_bounded_number_of_looks():
    app = SimulatedLockApp(Clock(NOW), random.Random(1))
    for number in range(70):
        app.add_lock(str(number), rules=RULES["gateway"])
    driver = beside(ScienerCloud(app), TTLOCK, app)
    await asyncio.gather(*(driver.list_codes(LockRef(str(number))) for number in range(70)))
    assert len(driver._looks) <= 64


# -- what is refused before it is sent --------------------------------------------------------------------------

OFF_GRID = [
    (Pin("025163"), Window(STAY.starts, STAY.ends + timedelta(seconds=1)), WindowRefused),
    (Pin("025163"), Window(NOW - timedelta(days=9), NOW - timedelta(days=8)), WindowRefused),
    (None, STAY, WindowRefused),
    (None, Window(HOURS.starts, HOURS.starts + timedelta(days=367)), WindowRefused),
]


@pytest.mark.parametrize(("pin", "window", "kind"), OFF_GRID)
async def test_r18_a_window_that_the_cloud_would_cut_in_silence_is_refused_here(pin, window, kind):
    talk = Talk()
    assert isinstance(await error_of(talk.driver().set_code(LOCK, CodeSpec(pin, "Ada", window))), kind)
    assert talk.asked == []


async def test_r14_a_name_that_is_too_long_is_refused_here():
    talk = Talk()
    assert isinstance(await error_of(talk.driver().set_code(LOCK, CodeSpec(SPEC.pin, "x" * 65, STAY))), NameRefused)
    assert talk.asked == []


# -- what is seen -----------------------------------------------------------------------------------------------


async def test_everybodys_codes_are_listed_and_what_cannot_be_read_hides_no_other():
    strangers = [
        a_code(keyboardPwdId=1, keyboardPwdType=2, startDate=0, endDate=0, keyboardPwd="0042"),
        a_code(keyboardPwdId=2, keyboardPwdType=1, endDate=0),
        a_code(keyboardPwdId=3, keyboardPwdType=5),
        a_code(keyboardPwdId=4, keyboardPwd="*"),
        a_code(keyboardPwdId=5, keyboardPwd=42),
        a_code(keyboardPwdId=6, endDate=STAY_MS["startDate"]),
        a_code(keyboardPwdId="7", keyboardPwdName=None),
        a_code(keyboardPwdId=8, endDate=10**30),
    ]
    seen = {code.ref: code for code in await Talk(a_lock(), *strangers).driver().list_codes(LOCK)}
    assert sorted(seen) == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert (seen["1"].pin, seen["1"].window) == (Pin("0042"), None)
    assert seen["2"].window == Window(STAY.starts, STAY.starts + timedelta(hours=6))
    assert (seen["3"].window, seen["6"].window) == (None, None)
    assert (seen["4"].pin, seen["5"].pin) == (None, None)
    assert (seen["7"].window, seen["7"].name) == (STAY, None)
    assert seen["8"].window == Window(STAY.starts, None)


STATES = [
    (None, CodeState.SET, None),
    (1, CodeState.SET, None),
    (2, CodeState.SET, Kind.REJECTED),
    (3, CodeState.SETTING, None),
    (4, CodeState.SETTING, None),
    (5, CodeState.SETTING, Kind.REJECTED),
    (6, CodeState.SETTING, None),
    (7, CodeState.SETTING, Kind.REJECTED),
    (8, CodeState.REMOVING, None),
    (9, CodeState.SET, None),
]


@pytest.mark.parametrize(("status", "state", "kind"), STATES)
async def test_how_far_an_asynchronous_code_has_come_is_seen(status, state, kind):
    (code,) = await Talk(a_lock(), a_code(status=status)).driver().list_codes(LOCK)
    assert code.state is state
    assert (code.trouble.kind if code.trouble else None) is kind


async def test_codes_are_paged_through():
    pages = [a_page(*(a_code(keyboardPwdId=page * 200 + n) for n in range(200)), pages=3) for page in range(3)]
    talk = Talk().answer("/v3/lock/listKeyboardPwd", pages)
    assert len(await talk.driver().list_codes(LOCK)) == 600
    asked = [request.url.params["pageNo"] for request in talk.requests if request.url.path.endswith("KeyboardPwd")]
    assert asked == ["1", "2", "3"]


async def test_a_page_that_fails_is_no_short_list():
    pages = [a_page(a_code(), pages=2), *[httpx.Response(503)] * 3]
    talk = Talk().answer("/v3/lock/listKeyboardPwd", pages)
    assert isinstance(await error_of(talk.driver().list_codes(LOCK)), Unreachable)


NO_LISTS: list[Any] = [{}, {"list": None}, {"errcode": 0}, DONE, {"list": [{}]}, (), "", {"list": [1]}]


@pytest.mark.parametrize("answer", NO_LISTS)
async def test_an_answer_that_is_no_list_is_no_empty_lock(answer):
    talk = Talk().answer("/v3/lock/listKeyboardPwd", answer)
    assert isinstance(await error_of(talk.driver().list_codes(LOCK)), Unreachable)


KINDS = [
    (a_lock(), LockClass.KEEPS_WINDOWS, True, True),
    (a_lock(featureValue="1"), LockClass.KEEPS_WINDOWS, True, False),
    (a_lock(featureValue=WITH_WIFI, hasGateway=0), LockClass.KEEPS_WINDOWS, False, True),
    (a_lock(featureValue=WITH_WIFI, hasGateway=1), LockClass.KEEPS_WINDOWS, False, True),
    (a_lock(hasGateway=0), LockClass.ALGORITHMIC, True, False),
    (a_lock(featureValue=None, hasGateway=0), LockClass.ALGORITHMIC, True, False),
]


@pytest.mark.parametrize(("raw", "lock_class", "confirms", "opens"), KINDS)
async def test_what_a_lock_can_do_follows_from_gateway_and_features(raw, lock_class, confirms, opens):
    (found,) = await Talk(raw).driver().list_locks()
    can = found.capabilities
    assert (can.lock_class, can.confirms, can.can_open) == (lock_class, confirms, opens)


def test_r13_what_the_keypads_take():
    assert GATEWAY.pin_rules.lengths == WIFI.pin_rules.lengths == frozenset(range(4, 10))
    assert GATEWAY.pin_rules.no_run
    assert GATEWAY.pin_rules.no_equal_digits
    assert (GATEWAY.max_codes, RANDOM.can_remove, RANDOM.updates) == (250, False, frozenset())


async def test_a_lock_is_told_by_its_name_with_battery_and_without_a_zone():
    (found,) = await Talk().driver().list_locks()
    assert (found.ref, found.name, found.status.battery, found.zone) == (LOCK, "Front door", 0.85, None)


async def test_a_battery_that_is_not_known_is_none():
    (found,) = await Talk(a_lock(electricQuantity=-1)).driver().list_locks()
    assert found.status.battery is None


# -- gateways ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("online", [0, 1])
async def test_a_lock_is_online_when_a_gateway_of_it_is(online: int):
    talk = Talk().answer("/v3/gateway/list", a_page({"gatewayId": 78979, "isOnline": online}))
    driver = talk.driver()
    assert [lock.status.online for lock in await driver.list_locks()] == [bool(online)]
    assert (await driver.check_lock(LOCK)).online is bool(online)


async def test_one_of_two_gateways_is_enough():
    talk = Talk().answer("/v3/gateway/list", a_page({"gatewayId": 1, "isOnline": 0}, {"gatewayId": 2, "isOnline": 1}))
    (found,) = await talk.driver().list_locks()
    assert found.status.online


async def test_a_lock_out_of_its_gateways_reach_is_offline_and_another_accounts_gateway_counts():
    talk = Talk()
    driver = talk.driver()
    await driver.list_locks()
    assert not (await talk.answer("/v3/gateway/listByLock", {"list": []}).driver().check_lock(LOCK)).online
    foreign = {"list": [{"gatewayId": 4711, "rssi": -65}]}
    assert (await talk.answer("/v3/gateway/listByLock", foreign).driver().check_lock(LOCK)).online


async def test_a_wifi_lock_without_network_is_offline_and_says_why():
    talk = Talk(a_lock(featureValue=WITH_WIFI)).answer("/v3/wifiLock/detail", {"errcode": -3034})
    status = await talk.driver().check_lock(LOCK)
    assert not status.online
    assert status.battery == 0.85
    assert status.trouble is not None
    assert status.trouble.kind is Kind.LOCK_OFFLINE


async def test_gateways_are_not_asked_about_when_no_lock_has_one():
    talk = Talk(a_lock(hasGateway=0))
    await talk.driver().list_locks()
    assert talk.asked == ["/v3/lock/list"]


def beside(cloud: ScienerCloud, spec, app: SimulatedLockApp, **settings: str) -> Any:
    http = httpx.AsyncClient(transport=httpx.ASGITransport(cloud.asgi()))
    answers = {**SETTINGS, "url": "http://vendor", **settings}
    return in_no_time(spec.connect(connection(answers, http, app.now)))


def a_house(*locks: str) -> tuple[SimulatedLockApp, ScienerCloud]:
    app = SimulatedLockApp(Clock(NOW), random.Random(1))
    for lock in locks:
        app.add_lock(lock, rules=RULES["gateway"])
    return app, ScienerCloud(app)


async def test_a_gateway_is_asked_one_thing_at_a_time_for_all_its_locks():
    app, cloud = a_house("1", "2")
    cloud.gateways = {"1": 7, "2": 7}
    driver = beside(cloud, TTLOCK, app)
    await driver.list_locks()
    pins = [f"{7013 + 91 * n}" for n in range(10)]
    calls = [driver.set_code(LockRef(str(n % 2 + 1)), CodeSpec(Pin(pin), f"g{n}", STAY)) for n, pin in enumerate(pins)]
    written = await asyncio.gather(*calls)
    assert {each.receipt for each in written} == {Receipt.DONE}


async def test_two_gateways_work_at_the_same_time():
    app, cloud = a_house("1", "2")
    driver = beside(cloud, TTLOCK, app)
    await driver.list_locks()
    most, set_code = 0, app.set_code

    def counted(*asked: Any) -> Written:
        nonlocal most
        most = max(most, len(cloud.busy))
        return set_code(*asked)

    app.set_code = counted  # type: ignore[method-assign]
    await asyncio.gather(*(driver.set_code(LockRef(lock), SPEC) for lock in ("1", "2")))
    assert most == 2


async def test_a_gateway_that_somebody_else_keeps_busy_is_a_wait():
    app, cloud = a_house("1")
    cloud.busy = {9000}
    error = await error_of(beside(cloud, TTLOCK, app).set_code(LockRef("1"), SPEC))
    assert isinstance(error, LockOffline)
    assert error.remedy is Remedy.WAIT


# -- what the answers mean --------------------------------------------------------------------------------------

WRITES: list[tuple[int, type[ProviderError]]] = [
    (1, Rejected),
    (-3, Rejected),
    (-1, Rejected),
    (-123456, Rejected),
    (10000, AccountRefused),
    (10001, AccountRefused),
    (10003, AccountRefused),
    (10004, AccountRefused),
    (10007, AccountRefused),
    (10011, AccountRefused),
    (20002, LockNotFound),
    (-2018, LockNotFound),
    (30006, RateLimited),
    (30007, RateLimited),
    (30008, AccountRefused),
    (80000, Unreachable),
    (90000, OutcomeUnknown),
    (-1003, LockNotFound),
    (-1026, WindowRefused),
    (-2009, CodeGone),
    (-2012, LockOffline),
    (-2025, LockOffline),
    (-2032, PinRefused),
    (-3002, LockOffline),
    (-3003, LockOffline),
    (-3006, PinRefused),
    (-3007, PinTaken),
    (-3008, PinRefused),
    (-3009, LockFull),
    (-3034, LockOffline),
    (-3035, LockOffline),
    (-3036, LockOffline),
    (-3037, LockOffline),
    (-4037, LockOffline),
    (-4043, Rejected),
    (-4056, LockFull),
]
SECRETS = (PASSWORD, SECRET, "025163", "token-2", "refresh-2")


@pytest.mark.parametrize(("errcode", "kind"), WRITES)
async def test_every_no_of_the_cloud_says_what_to_do_next(errcode: int, kind: type[ProviderError]):
    talk = Talk().answer("/v3/keyboardPwd/add", {"errcode": errcode, "errmsg": "025163", "description": PASSWORD})
    error = await error_of(talk.driver().set_code(LOCK, SPEC))
    assert isinstance(error, kind)
    assert error.remedy is kind.remedy
    shown = "".join([str(error), repr(error), *traceback.format_exception(error)])
    assert not any(secret in shown for secret in SECRETS)
    assert talk.asked.count("/v3/keyboardPwd/add") == (2 if errcode in (10003, 10004) else 1)


@pytest.mark.parametrize(("errcode", "kind"), WRITES)
async def test_sifely_says_the_same_as_a_code(errcode: int, kind: type[ProviderError]):
    talk = Talk().answer("/v3/keyboardPwd/add", {"code": errcode, "msg": "no"})
    talk.answer("/system/smart/login", {"code": 200, "data": {"token": "token-2"}})
    assert isinstance(await error_of(talk.driver(SIFELY).set_code(LOCK, SPEC)), kind)


READS = [(1, Unreachable), (90000, Unreachable), (-123456, Unreachable), (-1003, LockNotFound), (30006, RateLimited)]


@pytest.mark.parametrize(("errcode", "kind"), READS)
async def test_a_no_to_a_look_is_never_an_empty_lock(errcode: int, kind: type[ProviderError]):
    talk = Talk().answer("/v3/lock/listKeyboardPwd", {"errcode": errcode, "errmsg": "no", "list": []})
    assert isinstance(await error_of(talk.driver().list_codes(LOCK)), kind)


async def test_the_months_last_call_is_a_long_wait_and_no_refused_account():
    talk = Talk().answer("/v3/keyboardPwd/add", {"errcode": 30007})
    error = await error_of(talk.driver().set_code(LOCK, SPEC))
    assert error.remedy is Remedy.WAIT
    assert error.retry_after == timedelta(hours=6)
    assert "month" in str(error)


@pytest.mark.parametrize(
    ("errcode", "words"), [(30008, "another region"), (80000, "clock"), (20002, "administrator"), (-3003, "busy")]
)
async def test_what_a_person_can_do_about_it_is_said_in_plain_words(errcode: int, words: str):
    talk = Talk().answer("/v3/keyboardPwd/add", {"errcode": errcode})
    assert words in str(await error_of(talk.driver().set_code(LOCK, SPEC)))


@pytest.mark.parametrize("answer", [{}, {"errcode": None}, {"keyboardPwdId": None}, {"keyboardPwdId": True}, (), 7])
async def test_r22_a_set_that_is_answered_with_nonsense_is_outcome_unknown(answer):
    talk = Talk().answer("/v3/keyboardPwd/add", answer)
    assert isinstance(await error_of(talk.driver().set_code(LOCK, SPEC)), OutcomeUnknown)


@pytest.mark.parametrize("digits", ["", "abc", None, 739104, ["739104"]])
async def test_r22_a_random_code_without_digits_is_outcome_unknown(digits):
    talk = Talk().answer("/v3/keyboardPwd/get", {"keyboardPwdId": int(CODE), "keyboardPwd": digits})
    assert isinstance(await error_of(talk.driver().set_code(LOCK, RANDOM_SPEC)), OutcomeUnknown)


async def test_r22_a_removal_that_is_not_confirmed_is_outcome_unknown():
    talk = Talk().answer("/v3/keyboardPwd/delete", {})
    assert isinstance(await error_of(talk.driver().remove_code(LOCK, CODE)), OutcomeUnknown)


# -- signing in -------------------------------------------------------------------------------------------------

MD5 = "09f31f46f81f8fab873fbc0420173519"


async def test_the_first_call_signs_in_with_the_md5_of_the_password():
    talk = Talk()
    tokens = DraftTokens(VirtualClock(NOW))
    await talk.driver(tokens=tokens).list_locks()
    assert talk.asked[:2] == ["/oauth2/token", "/v3/lock/list"]
    assert form_of(talk.requests[0]) == texts(
        clientId=CLIENT, clientSecret=SECRET, grant_type="password", username=USER, password=MD5
    )
    assert talk.requests[1].url.params["accessToken"] == "token-2"
    assert tokens.grant is not None
    assert tokens.grant.expires_at == NOW + timedelta(days=90)
    assert tokens.grant.refresh == "refresh-2"


async def signed_in(talk: Talk) -> tuple[Any, DraftTokens]:
    tokens = DraftTokens(VirtualClock(NOW))
    driver = talk.driver(tokens=tokens)
    await driver.list_locks()
    talk.requests.clear()
    return driver, tokens


@pytest.mark.parametrize("errcode", [10003, 10004])
async def test_a_token_that_is_not_taken_is_refreshed_once_and_the_call_repeated(errcode: int):
    talk = Talk()
    driver, _ = await signed_in(talk)
    talk.answer("/v3/keyboardPwd/add", [{"errcode": errcode}, {"keyboardPwdId": int(CODE)}])
    talk.answer("/oauth2/token", {"access_token": "token-3", "refresh_token": "refresh-3", "expires_in": 60})
    assert (await driver.set_code(LOCK, SPEC)).ref == CODE
    assert talk.asked == ["/v3/keyboardPwd/add", "/oauth2/token", "/v3/keyboardPwd/add"]
    assert form_of(talk.requests[1]) == texts(
        clientId=CLIENT, clientSecret=SECRET, grant_type="refresh_token", refresh_token="refresh-2"
    )
    assert talk.sent["accessToken"] == "token-3"


async def test_when_the_refresh_token_is_of_no_use_the_password_is():
    talk = Talk()
    driver, _ = await signed_in(talk)
    talk.answer("/v3/keyboardPwd/delete", [{"errcode": 10004}, DONE])
    talk.answer("/oauth2/token", [{"errcode": 10011}, {"access_token": "token-4", "expires_in": 60}])
    assert await driver.remove_code(LOCK, CODE) is Receipt.DONE
    grants = [form_of(request)["grant_type"] for request in talk.requests if request.url.path == "/oauth2/token"]
    assert grants == ["refresh_token", "password"]


SIGN_INS = [
    ({"errcode": 10007, "errmsg": "invalid account or invalid password"}, AccountRefused),
    ({"errcode": 10001}, AccountRefused),
    ({"errcode": -3}, AccountRefused),
    ({"errcode": 30008}, AccountRefused),
    ({"errcode": 90000}, Unreachable),
    ({"errcode": 30006}, RateLimited),
    (httpx.Response(502), Unreachable),
    ({"access_token": None, "expires_in": 60}, Unreachable),
    ({"access_token": "token-2"}, Unreachable),
]


@pytest.mark.parametrize(("answer", "kind"), SIGN_INS)
async def test_a_sign_in_that_fails_says_whether_a_person_must_act(answer, kind):
    talk = Talk().answer("/oauth2/token", answer)
    error = await error_of(talk.driver(tokens=DraftTokens(VirtualClock(NOW))).set_code(LOCK, SPEC))
    assert isinstance(error, kind)
    assert not any(secret in "".join(traceback.format_exception(error)) for secret in (*SECRETS, MD5))
    assert talk.asked == ["/oauth2/token"]


async def test_a_driver_shows_no_secret():
    talk = Talk()
    driver, tokens = await signed_in(talk)
    shown = f"{driver!r} {driver._vendor!r} {tokens.grant!r}"
    assert not any(secret in shown for secret in (*SECRETS, MD5))


async def test_the_region_is_an_address_of_the_form():
    talk = Talk()
    await talk.driver(url="https://cnapi.ttlock.com/", tokens=DraftTokens(VirtualClock(NOW))).list_locks()
    assert {request.url.host for request in talk.requests} == {"cnapi.ttlock.com"}
    with pytest.raises(AccountRefused):
        Talk().driver(url="cnapi.ttlock.com")


async def test_the_make_believe_cloud_lets_in_whoever_signs_in_right_and_nobody_else():
    app, cloud = a_house("1")
    http = httpx.AsyncClient(transport=httpx.ASGITransport(cloud.asgi()))
    for password, is_let_in in ((PASSWORD, True), ("guess", False)):
        answers = {**SETTINGS, "password": password, "url": "http://vendor"}
        driver = TTLOCK.connect(connection(answers, http, app.now, DraftTokens(VirtualClock(NOW))))
        if is_let_in:
            assert len(await driver.list_locks()) == 1
        else:
            assert isinstance(await error_of(driver.list_locks()), AccountRefused)


# -- Sifely -----------------------------------------------------------------------------------------------------


async def test_sifely_carries_the_bare_token_in_its_header():
    talk = Talk()
    await talk.driver(SIFELY).list_codes(LOCK)
    assert {request.headers["authorization"] for request in talk.requests} == {"token"}
    assert {request.url.params["date"] for request in talk.requests} == {str(NOW_MS)}
    assert not any("accessToken" in request.url.params for request in talk.requests)
    assert talk.asked == ["/v3/key/list", "/v3/lock/listKeyboardPwd"]


async def test_sifely_signs_in_anew_with_the_password_when_a_token_is_refused_within_status_200():
    talk = Talk().answer("/system/smart/login", {"code": 200, "data": {"token": "token-9", "refreshToken": "r"}})
    talk.answer("/v3/key/list", [{"code": 401, "msg": "expired"}, {"list": [a_lock()]}])
    await talk.driver(SIFELY).list_locks()
    assert talk.asked == ["/v3/key/list", "/system/smart/login", "/v3/key/list"]
    asked = texts(client_id=CLIENT, username=USER, password=PASSWORD, date=NOW_MS)
    assert dict(talk.requests[1].url.params) == asked
    assert talk.requests[2].headers["authorization"] == "token-9"


@pytest.mark.parametrize("code", [-3, 500, 401, "500"])
async def test_sifelys_sign_in_refuses_within_status_200(code):
    talk = Talk().answer("/system/smart/login", {"code": code, "msg": "no"})
    error = await error_of(talk.driver(SIFELY, tokens=DraftTokens(VirtualClock(NOW))).list_locks())
    assert isinstance(error, AccountRefused)
    assert PASSWORD not in "".join(traceback.format_exception(error))


async def test_sifelys_lists_are_paged_through_though_they_do_not_say_how_long_they_are():
    pages = [{"list": [a_code(keyboardPwdId=page * 100 + n) for n in range(100)]} for page in range(2)]
    talk = Talk().answer("/v3/lock/listKeyboardPwd", [*pages, {"list": [a_code(keyboardPwdId=999)]}])
    assert len(await talk.driver(SIFELY).list_codes(LOCK)) == 201


async def test_sifelys_keys_of_other_peoples_locks_are_no_locks_of_ours():
    keys = [
        a_lock(userType="110301"),
        a_lock(lockId=2, userType="110302"),
        a_lock(lockId=3, userType="110302", keyRight=1),
    ]
    found = await Talk().answer("/v3/key/list", {"list": keys}).driver(SIFELY).list_locks()
    assert [lock.ref for lock in found] == [LOCK, "3"]


async def test_sifelys_single_things_are_unwrapped_and_a_busy_lock_is_in_reach():
    talk = Talk().answer("/v3/lock/detail", {"code": 200, "data": a_lock()})
    talk.answer("/v3/lock/queryOpenState", [{"code": -3003}, {"code": -3002}, {"code": 200, "data": {"state": 0}}])
    driver = talk.driver(SIFELY)
    statuses = [await driver.check_lock(LOCK) for _ in range(3)]
    assert [status.online for status in statuses] == [True, False, True]
    assert {status.battery for status in statuses} == {0.85}


async def test_sifelys_make_believe_cloud_lets_in_whoever_signs_in_right():
    app = SimulatedLockApp(Clock(NOW), random.Random(1))
    app.add_lock("1", rules=RULES["gateway"])
    http = httpx.AsyncClient(transport=httpx.ASGITransport(SifelyCloud(app).asgi()))
    driver = SIFELY.connect(
        connection({**SETTINGS, "url": "http://vendor"}, http, app.now, DraftTokens(VirtualClock(NOW)))
    )
    assert (await driver.set_code(LockRef("1"), SPEC)).receipt is Receipt.DONE
    assert [held.pin for held in app.holds(LockRef("1"))] == ["025163"]


# -- callbacks --------------------------------------------------------------------------------------------------

ADDRESS = "Jq8sX2kVbN5tYw7RzE3mHc9A"
RECORDS = json.dumps([{"electricQuantity": 85, "lockDate": 1625025703000, "recordType": 4, "keyboardPwd": "025163"}])


def a_callback(token: str = ADDRESS, at: datetime = NOW, **fields: object) -> Delivery:
    return Delivery({}, urlencode(fields).encode(), at, url_token=token)


HINTS: list[tuple[dict[str, object], object]] = [
    ({"notifyType": 1, "lockId": 24451, "lockMac": "AA:BB", "records": RECORDS}, LookAt((LOCK,))),
    ({"notifyType": 2, "gatewayId": 78979, "isOnline": 1}, LookAt()),
    ({"notifyType": 3, "lockId": 24451, "isOnline": 0}, LookAt((LOCK,))),
    ({"notifyType": 4, "lockId": 24451, "objectType": 2, "objectId": 3234293, "errcode": -3007}, LookAt((LOCK,))),
    ({"notifyType": 99, "lockId": 24451}, LookAt((LOCK,))),
    ({"notifyType": 7, "doorSensorId": 100123, "recordType": 1}, Ignored("it is about no lock's codes")),
]


@pytest.mark.parametrize(("fields", "hint"), HINTS)
def test_a_callback_only_causes_a_look(fields, hint):
    delivery = a_callback(**fields)
    HOOK.authenticate(delivery, ADDRESS, NOW)
    assert HOOK.read(delivery) == [hint]


@pytest.mark.parametrize("token", ["", "guess", ADDRESS[:-1], ADDRESS + "x"])
def test_only_the_secret_address_proves_a_callback(token: str):
    with pytest.raises(Unauthenticated) as caught:
        HOOK.authenticate(a_callback(token, notifyType=3, lockId=24451), ADDRESS, NOW)
    assert ADDRESS not in str(caught.value)


NONSENSE = [
    b"",
    b"\xff\xfe",
    b"notifyType=1",
    b"notifyType=1&lockId=24451",
    b"notifyType=1&lockId=24451&records=%7B%7D",
    b"notifyType=1&lockId=24451&records=" + b"%5B" * 5000,
    b"notifyType=3&lockId=../admin",
    b"notifyType=3&lockId=" + b"9" * 5000,
    b"notifyType=x&lockId=24451",
    "notifyType=٣&lockId=24451".encode(),
    b"&".join(b"a=1" for _ in range(1000)),
    b'{"notifyType": 3, "lockId": 24451}',
]


@pytest.mark.parametrize("body", NONSENSE)
def test_nonsense_is_unreadable_and_is_not_quoted(body: bytes):
    delivery = Delivery({}, body, NOW, url_token=ADDRESS)
    assert len(HOOK.dedupe_key(delivery)) <= 150
    with pytest.raises(Unreadable) as caught:
        HOOK.read(delivery)
    assert "24451" not in str(caught.value)


def test_records_repeat_and_what_says_no_time_may_happen_again_an_hour_later():
    records = {"notifyType": 1, "lockId": 24451, "records": RECORDS}
    offline = {"notifyType": 3, "lockId": 24451, "isOnline": 0}
    later = NOW + timedelta(hours=1)
    key = HOOK.dedupe_key
    assert key(a_callback(**records)) == key(a_callback(at=later, **records))
    assert key(a_callback(**offline)) == key(a_callback(at=NOW + timedelta(minutes=5), **offline))
    assert key(a_callback(**offline)) != key(a_callback(at=later, **offline))


def test_ttlock_wants_the_word_success_and_a_long_address():
    assert HOOK.reply == "success"
    assert HOOK.secret_problem(ADDRESS) is None
    assert HOOK.secret_problem("short") is not None
    assert SIFELY.hook is None
