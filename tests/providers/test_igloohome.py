"""igloohome: codes by an algorithm, the second guest in the same hours, the bridge and its jobs, and the sign-in."""

import base64
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    Connection,
    LockFull,
    LockNotFound,
    LockOffline,
    NameRefused,
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    ProviderError,
    RateLimited,
    Receipt,
    Rejected,
    Renew,
    Unreachable,
    WindowRefused,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import LockClass
from providers.igloohome import PROVIDER, Igloohome
from providers.igloohome.algopin import variance
from providers.igloohome.bridge import Refs
from providers.simulator import Fault, SimulatedLockApp, Verb
from tests.contract import suite
from tests.contract.brands import BrandHarness, in_no_time
from tests.contract.harness import START, Clock, KnownToken, MisbehavingTransport, Misdeed, connection
from tests.contract.suite import CHECKS, Check, checks_for
from tests.contract.vendors.igloohome import BRAND, BRIDGED, KEYBOX, REMOTE, SCOPES, Igloo

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SETTINGS = BRAND.settings("http://vendor")
PIN = Pin("064821")
ADA, GRACE, EMMY, MARY = "Ada Lovelace", "Grace Hopper", "Emmy Noether", "Mary Somerville"
VARIANCES = {ADA: 2, GRACE: 1, EMMY: 2, MARY: 3}
DIFFERENT = (ADA, GRACE, MARY)


class Tokens:
    """The account's token as the vault has it: fetched when there is none, or when it was refused."""

    def __init__(self, access: str | None = None) -> None:
        self.access = access
        self.grants = []

    async def current(self, renew: Renew, *, refused: str | None = None) -> str:
        if self.access is None or self.access == refused:
            self.grants.append(await renew(None))
            self.access = self.grants[-1].access
        return self.access


@dataclass
class Rig:
    """A driver, its account at the make-believe igloohome, and one lock of each kind."""

    codes: str = "algopin"
    granted: frozenset[str] = SCOPES
    now: Clock = field(default_factory=Clock)
    tokens: Any = field(default_factory=KnownToken)

    def __post_init__(self) -> None:
        self.app = SimulatedLockApp(self.now, random.Random(3))
        self.keybox = self.app.add_lock("keybox", name="Gate", rules=KEYBOX, battery=0.55)
        self.lock = self.app.add_lock("lock", name="Door", rules=REMOTE if self.codes == "bridge" else BRIDGED)
        self.vendor = Igloo(self.app, granted=self.granted)
        self.transport = MisbehavingTransport(httpx.ASGITransport(self.vendor.asgi()))
        self.driver = self.connected()

    def connected(self, **settings: str) -> Igloohome:
        answers = {**SETTINGS, "codes": self.codes, **settings}
        return driver_of(httpx.AsyncClient(transport=self.transport), self.now, answers, self.tokens)

    @property
    def asked(self) -> list[str]:
        return [f"{method} {path.removeprefix('/igloohome')}" for method, path, _ in self.vendor.requests]

    @property
    def body(self) -> Any:
        return self.vendor.requests[-1][2]

    def window(self, days: float = 2, starts: timedelta = DAY) -> Window:
        begin = START.replace(minute=0) + starts
        return Window(begin, begin + days * DAY)

    async def algopin(self, name: str = ADA, window: Window | None = None) -> Written:
        return await self.driver.set_code(self.keybox, CodeSpec(None, name, window or self.window()))

    async def by_bridge(self, pin: Pin = PIN, name: str = ADA, window: Window | None = None) -> Written:
        return await self.driver.set_code(self.lock, CodeSpec(pin, name, window or self.window()))


def driver_of(http: httpx.AsyncClient, now: Clock, settings: Mapping[str, str], tokens: Any = None) -> Igloohome:
    return in_no_time(PROVIDER.connect(connection(settings, http, now, tokens)))


def answering(*answers: httpx.Response, **settings: str) -> tuple[Igloohome, list[httpx.Request]]:
    """A driver whose vendor gives these answers, the last one for ever."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers[min(len(asked), len(answers)) - 1]

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return driver_of(http, Clock(), {**SETTINGS, **settings}), asked


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def remote() -> Rig:
    return Rig("bridge")


async def warm(rig: Rig) -> Rig:
    """As in a process that has listed the locks."""
    await rig.driver.list_locks()
    rig.vendor.requests.clear()
    return rig


# -- what hosts read and fill in -----------------------------------------------------------------------------------


def test_the_form_asks_for_credentials_and_offers_the_rest():
    assert {field.name: (field.secret, field.default) for field in PROVIDER.fields} == {
        "client_id": (False, None),
        "client_secret": (True, None),
        "codes": (False, "algopin"),
        "url": (False, "https://api.igloodeveloper.co/igloohome"),
        "auth_url": (False, "https://auth.igloohome.co"),
    }


def test_the_kinds_of_lock_are_those_that_are_examined():
    kinds = {kind: can.lock_class for kind, can in PROVIDER.kinds.items()}
    assert kinds == {
        "algoPIN": LockClass.ALGORITHMIC,
        "algoPIN, with a bridge": LockClass.ALGORITHMIC,
        "through the bridge": LockClass.KEEPS_WINDOWS,
    }
    assert list(PROVIDER.kinds.values()) == [rules.capabilities for rules in (KEYBOX, BRIDGED, REMOTE)]


@pytest.mark.parametrize("answers", [{"codes": "carrier pigeon"}, {"url": "igloohome"}, {"auth_url": "ftp://x"}])
def test_an_answer_that_cannot_be_right_is_account_refused(rig, answers):
    with pytest.raises(AccountRefused):
        rig.connected(**answers)


def test_what_is_left_empty_has_its_default(rig):
    driver = rig.connected(url=" ", codes="")
    assert driver._vendor.base == "https://api.igloodeveloper.co/igloohome"


# -- sign-in -------------------------------------------------------------------------------------------------------


async def test_the_sign_in_shows_the_credentials_and_asks_for_everything(rig):
    rig.tokens = Tokens()
    rig.driver = rig.connected()
    assert len(await rig.driver.list_locks()) == 2
    (form,) = rig.vendor.sign_ins
    assert form["grant_type"] == "client_credentials"
    assert set(form["scope"].split()) == SCOPES - {
        "igloohomeapi/algopin-onetime",
        "igloohomeapi/lock-bridge-proxied-job",
    }
    assert rig.tokens.grants[0].access == "token"
    assert rig.tokens.grants[0].refresh is None
    assert rig.tokens.grants[0].expires_at == START + DAY


async def test_a_scope_that_is_not_granted_is_left_out():
    rig = Rig(granted=SCOPES - {"igloohomeapi/algopin-permanent"}, tokens=Tokens())
    await rig.driver.list_locks()
    everything, whatever_is_granted = rig.vendor.sign_ins
    assert "igloohomeapi/algopin-permanent" in everything["scope"]
    assert "scope" not in whatever_is_granted


async def test_the_sign_in_asks_for_less_and_less_and_then_says_so():
    driver, asked = answering(httpx.Response(400, json={"error": "invalid_scope"}))
    driver._vendor = replace(driver._vendor, sign_in=replace(driver._vendor.sign_in, tokens=Tokens()))
    with pytest.raises(AccountRefused, match="hourly algoPINs"):
        await driver.list_locks()
    scopes = [httpx.QueryParams(request.content.decode()).get("scope", "").count("igloohomeapi/") for request in asked]
    assert scopes == [9, 0, 4, 2]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(400, json={"error": "invalid_client"}), AccountRefused),
        (httpx.Response(400, json={"error": "unauthorized_client"}), AccountRefused),
        (httpx.Response(401), AccountRefused),
        (httpx.Response(403), AccountRefused),
        (httpx.Response(429, headers={"retry-after": "9"}), RateLimited),
        (httpx.Response(500), Unreachable),
        (httpx.Response(502), Unreachable),
        (httpx.Response(200, json={"access_token": None}), Unreachable),
        (httpx.Response(200, json=["token"]), Unreachable),
        (httpx.Response(200, text="<html>"), Unreachable),
    ],
)
async def test_a_sign_in_that_fails(answer, error):
    driver, asked = answering(answer)
    driver._vendor = replace(driver._vendor, sign_in=replace(driver._vendor.sign_in, tokens=Tokens()))
    with pytest.raises(error) as raised:
        await driver.set_code(LockRef("lock"), CodeSpec(None, ADA, Window(START.replace(minute=0), START + DAY)))
    basic = base64.b64encode(b"client:secret").decode()
    assert asked[0].headers["authorization"] == f"Basic {basic}"
    assert "secret" not in f"{raised.value!r} {raised.value}"
    if error is AccountRefused:
        assert len(asked) == 1, "other scopes do not make wrong credentials right"


async def test_a_token_that_is_refused_is_fetched_anew_and_the_call_made_once_more(rig):
    rig.tokens = Tokens("yesterday's")
    rig.driver = rig.connected()
    written = await rig.algopin()
    assert written.receipt is Receipt.DONE
    assert rig.app.calls[Verb.SET] == 1


def test_nothing_shows_the_secrets(rig):
    shown = f"{rig.driver!r} {rig.driver._vendor!r} {rig.driver._vendor.sign_in!r} {rig.driver._refs!r}"
    assert "secret" not in shown
    assert "client:" not in shown


# -- devices -------------------------------------------------------------------------------------------------------


async def test_devices_are_read_page_by_page_and_bridges_are_no_locks(rig):
    found = await rig.driver.list_locks()
    assert [(lock.ref, lock.name, lock.status.battery) for lock in found] == [
        ("keybox", "Gate", 0.55),
        ("lock", "Door", 1.0),
    ]
    assert [lock.capabilities for lock in found] == [KEYBOX.capabilities, BRIDGED.capabilities]
    assert rig.asked == ["GET /devices"] * 2, "three devices, two to a page"


async def test_a_lock_with_a_bridge_is_remote_controlled_where_the_host_chose_so(remote):
    keybox, lock = await remote.driver.list_locks()
    assert keybox.capabilities == KEYBOX.capabilities, "nothing else leads to it"
    assert lock.capabilities == REMOTE.capabilities


def device(ref: str, kind: str = "Lock", links: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    linked = [{"type": "Bridge", "deviceId": link} for link in links]
    return {"id": f"id-{ref}", "type": kind, "deviceId": ref, "deviceName": ref, "linkedDevices": linked, **more}


def page(*devices: Any, cursor: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"nextCursor": cursor, "payload": list(devices)})


@pytest.mark.parametrize(
    "devices",
    [
        [device("lock", links=("b1",)), device("b1", "Bridge")],
        [device("lock"), device("b1", "Bridge", links=("lock",))],
        [device("lock", linkedDevices=None), device("b1", "Bridge", links=("lock", "other"))],
    ],
)
async def test_a_bridge_is_found_whichever_of_the_two_is_linked(devices):
    driver, _ = answering(page(devices[0], cursor="2"), page(devices[1]))
    (lock,) = await driver.list_locks()
    assert lock.capabilities == BRIDGED.capabilities


async def test_keypads_take_codes_and_what_is_unknown_is_left_out():
    driver, _ = answering(page(device("k", "Keypad"), device("x", "Toaster"), device("b", "Keybox")))
    assert [lock.ref for lock in await driver.list_locks()] == ["k", "b"]


@pytest.mark.parametrize(
    ("level", "battery"), [(100, 1.0), (7, 0.07), (0, 0.0), (None, None), ("80", None), (True, None), (300, None)]
)
async def test_the_battery_is_per_cent_or_unknown(level, battery):
    driver, _ = answering(page(device("lock", batteryLevel=level)))
    assert (await driver.list_locks())[0].status.battery == battery


async def test_a_list_without_end_is_unreachable_and_not_read_for_ever():
    driver, asked = answering(page(device("a"), cursor="again"))
    with pytest.raises(Unreachable):
        await driver.list_locks()
    assert len(asked) == 2


@pytest.mark.parametrize(
    "answer",
    [{}, {"payload": None}, {"payload": [{"deviceId": 7, "type": "Lock"}]}, {"payload": [{"deviceId": "a"}]}, []],
)
async def test_a_list_that_makes_no_sense_is_unreachable(answer):
    driver, _ = answering(httpx.Response(200, json=answer))
    with pytest.raises(Unreachable):
        await driver.list_locks()


async def test_a_second_page_that_fails_is_not_a_shorter_list():
    driver, _ = answering(page(device("a"), cursor="2"), httpx.Response(500))
    with pytest.raises(Unreachable):
        await driver.list_locks()


# -- which algoPIN -------------------------------------------------------------------------------------------------

FRIDAY = datetime(2026, 4, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "kind", "kept"),
    [
        (HOUR, "hourly", HOUR),
        (2 * DAY, "hourly", 2 * DAY),
        (2 * DAY - 4 * HOUR, "hourly", 2 * DAY - 4 * HOUR),
        (672 * HOUR, "hourly", 672 * HOUR),
        (673 * HOUR, "daily", 29 * DAY),
        (29 * DAY, "daily", 29 * DAY),
        (40 * DAY - 4 * HOUR, "daily", 40 * DAY),
        (40 * DAY + HOUR, "daily", 41 * DAY),
        (367 * DAY, "daily", 367 * DAY),
    ],
)
async def test_r18_the_kind_follows_from_the_length_and_the_window_is_rounded_outwards(rig, length, kind, kept):
    written = await rig.algopin(window=Window(FRIDAY, FRIDAY + length))
    assert rig.asked == [f"POST /devices/keybox/algopin/{kind}"]
    assert written.window == Window(FRIDAY, FRIDAY + kept)
    assert rig.app.opens(rig.keybox, written.pin.digits, FRIDAY + length - timedelta(seconds=1))


async def test_dates_are_on_the_hour_with_an_offset(rig):
    await rig.algopin(window=Window(FRIDAY, FRIDAY + 2 * DAY))
    assert rig.body == {
        "variance": variance(ADA),
        "accessName": ADA,
        "startDate": "2026-04-03T15:00:00+00:00",
        "endDate": "2026-04-05T15:00:00+00:00",
    }


async def test_a_stay_across_the_change_of_the_clocks_is_as_long_as_it_is(rig):
    starts = datetime(2026, 3, 28, 14, tzinfo=UTC)
    written = await rig.algopin(window=Window(starts, starts + 27 * DAY + 23 * HOUR))
    assert written.window == Window(starts, starts + 27 * DAY + 23 * HOUR)
    assert rig.asked[-1].endswith("hourly")


@pytest.mark.parametrize(
    "window",
    [
        Window(FRIDAY, FRIDAY + 367 * DAY + HOUR),
        Window(START - 9 * DAY, START.replace(minute=0)),
        Window(FRIDAY + timedelta(minutes=30), FRIDAY + DAY),
        Window(FRIDAY, FRIDAY + DAY + timedelta(seconds=7)),
    ],
)
async def test_a_window_that_no_algopin_has_is_window_refused(rig, window):
    with pytest.raises(WindowRefused):
        await rig.algopin(window=window)
    assert rig.app.holds(rig.keybox) == ()


async def test_a_window_that_has_begun_is_asked_for_from_this_hour_on(rig):
    """A code for more than a day dies unless it is used within 24 h of its start."""
    long_ago = Window(START.replace(minute=0) - 3 * DAY, START.replace(minute=0) + 4 * DAY)
    written = await rig.algopin(window=long_ago)
    assert rig.body["startDate"] == "2026-03-28T09:00:00+00:00"
    assert written.window == Window(START.replace(minute=0), long_ago.ends)
    assert rig.app.opens(rig.keybox, written.pin.digits, START)


async def test_a_standing_code_is_permanent_where_the_account_has_that(rig):
    written = await rig.algopin("Cleaner", Window(START, None))
    assert rig.asked == ["POST /devices/keybox/algopin/permanent"]
    assert rig.body == {
        "variance": variance("Cleaner"),
        "accessName": "Cleaner",
        "startDate": "2026-03-28T09:00:00+00:00",
    }
    assert written.window is None
    assert rig.app.opens(rig.keybox, written.pin.digits, START + 4000 * DAY)


@pytest.mark.parametrize(
    ("scope", "window"),
    [("permanent", None), ("daily", Window(FRIDAY, FRIDAY + 40 * DAY))],
)
async def test_a_kind_that_is_not_granted_refuses_the_window_and_not_the_account(scope, window):
    rig = Rig(granted=SCOPES - {f"igloohomeapi/algopin-{scope}"})
    with pytest.raises(WindowRefused):
        await rig.driver.set_code(rig.keybox, CodeSpec(None, ADA, window))
    assert (await rig.algopin()).pin


async def test_without_hourly_codes_the_account_is_of_no_use():
    rig = Rig(granted=SCOPES - {"igloohomeapi/algopin-hourly"})
    with pytest.raises(AccountRefused):
        await rig.algopin()


async def test_a_name_longer_than_the_lock_app_is_sure_to_take_is_name_refused(rig):
    with pytest.raises(NameRefused):
        await rig.algopin("x" * 33)
    assert rig.asked == []


@pytest.mark.parametrize(
    "answer", [{}, {"pin": 1234567, "pinId": "p"}, {"pin": "12a4", "pinId": "p"}, {"pin": "1234567"}]
)
async def test_an_answer_without_digits_leaves_the_outcome_unknown(answer):
    driver, _ = answering(httpx.Response(200, json=answer))
    with pytest.raises(OutcomeUnknown) as raised:
        await driver.set_code(LockRef("lock"), CodeSpec(None, ADA, Window(FRIDAY, FRIDAY + DAY)))
    assert "1234567" not in str(raised.value)


# -- the second guest in the same hours ----------------------------------------------------------------------------


def test_the_variance_of_a_name_is_the_same_in_every_process():
    assert {name: variance(name) for name in (ADA, GRACE, EMMY, MARY)} == VARIANCES


async def test_guests_in_the_same_hours_have_different_digits(rig):
    first, second, third = [await rig.algopin(name) for name in DIFFERENT]
    assert len({first.pin, second.pin, third.pin}) == 3
    assert len(rig.asked) == 3


async def test_the_fourth_shares_digits_and_is_told_apart(rig):
    """Two codes of one reference would be taken for one another, again and again."""
    written = [await rig.algopin(name) for name in (ADA, GRACE, EMMY, MARY)]
    assert len({one.pin for one in written}) == 3
    assert len({one.ref for one in written}) == 4
    assert {one.receipt for one in written} == {Receipt.DONE}


async def test_r22_asked_again_after_a_lost_answer_it_tells_the_same_digits(rig):
    rig.transport.misdeed = Misdeed.SWALLOW
    with pytest.raises(OutcomeUnknown):
        await rig.algopin()
    rig.transport.misdeed = None
    (held,) = rig.app.holds(rig.keybox)
    rig.driver = rig.connected()
    assert (await rig.algopin()).pin.digits == held.pin
    assert len(rig.app.holds(rig.keybox)) == 1


async def test_an_algopin_takes_one_request(rig):
    await rig.algopin()
    assert len(rig.asked) == 1


async def test_an_algopin_cannot_be_taken_back(rig):
    written = await rig.algopin()
    with pytest.raises(Rejected, match="only with the igloohome app"):
        await rig.driver.remove_code(rig.keybox, written.ref)
    assert rig.app.opens(rig.keybox, written.pin.digits, written.window.starts)


# -- reach and battery ---------------------------------------------------------------------------------------------


async def test_a_lock_without_a_bridge_need_not_be_reached(rig):
    rig.app.offline(rig.keybox)
    status = await rig.driver.check_lock(rig.keybox)
    assert (status.online, status.battery) == (True, 0.55)


async def test_the_bridge_tells_whether_the_lock_is_in_reach(rig):
    assert (await rig.driver.check_lock(rig.lock)).online
    assert rig.vendor.jobs["job-1"].kind == 10
    rig.app.offline(rig.lock)
    assert not (await rig.driver.check_lock(rig.lock)).online


async def test_a_bridge_that_does_not_find_the_lock_makes_it_offline(rig):
    rig.vendor._reach = lambda *_: False
    assert not (await rig.driver.check_lock(rig.lock)).online


async def test_a_bridge_that_is_slow_is_no_lock_out_of_reach(rig):
    rig.vendor.slow = 1000
    assert (await rig.driver.check_lock(rig.lock)).online


async def test_without_leave_to_ask_the_bridge_the_lock_is_taken_to_be_in_reach():
    job = httpx.Response(403)
    driver, _ = answering(
        page(device("lock", links=("b1",)), device("b1", "Bridge")), httpx.Response(200, json=device("lock")), job
    )
    await driver.list_locks()
    assert (await driver.check_lock(LockRef("lock"))).online


async def test_the_bridge_opens_the_door(rig):
    assert await rig.driver.open_door(rig.lock) is Receipt.DONE
    assert rig.vendor.jobs["job-1"].kind == 2
    with pytest.raises(Rejected, match="no bridge"):
        await rig.driver.open_door(rig.keybox)


# -- codes through the bridge --------------------------------------------------------------------------------------


class RemoteHarness(BrandHarness):
    """The lock that is remote-controlled, its account as in a process that has listed the locks."""

    def __init__(self) -> None:
        super().__init__(replace(BRAND, rules={"remote": REMOTE}, settings=_remote_settings), "remote")


def _remote_settings(url: str) -> Mapping[str, str]:
    return {**BRAND.settings(url), "codes": "bridge"}


NOT_TOLD = "a job that fails does not say why"
NOT_LISTED = "it looks at the lock, which nothing can"
EXCEPTIONS: dict[Check, str] = {
    suite.check_r11_digits_of_another_code_are_pin_taken: NOT_TOLD,
    suite.check_r26_a_full_lock_is_lock_full: NOT_TOLD,
    suite.check_a_standing_code_has_no_window: "the only kind of custom PIN that is known has an end",
    suite.check_a_code_that_was_set_is_on_the_lock: NOT_LISTED,
    suite.check_windows_arrive_exactly_on_both_sides_of_a_clock_change: NOT_LISTED,
    suite.check_r31_a_removed_code_is_off_the_lock: NOT_LISTED,
    suite.check_r31_removing_a_code_that_is_gone_is_code_gone: NOT_LISTED,
    suite.check_r22_a_removal_whose_answer_is_lost_is_outcome_unknown_and_sent_once: NOT_LISTED,
}
"""The checks of the contract that this kind of lock cannot pass; each is asked below as far as it can be."""


@pytest.mark.parametrize(
    "check", [check for check in checks_for(RemoteHarness()) if check not in EXCEPTIONS], ids=lambda one: one.__name__
)
async def test_the_bridge_keeps_the_rest_of_the_contract(check):
    harness = RemoteHarness()
    await harness.provider.list_locks()
    await check(harness)
    await harness.close()


def test_the_exceptions_are_checks_of_such_a_lock():
    assert set(EXCEPTIONS) <= set(checks_for(RemoteHarness()))
    assert set(EXCEPTIONS) <= set(CHECKS)


async def test_a_code_is_written_by_a_job(remote):
    written = await remote.by_bridge(window=Window(FRIDAY, FRIDAY + 2 * DAY + timedelta(minutes=30)))
    assert written.receipt is Receipt.DONE
    (posted,) = [body for method, _, body in remote.vendor.requests if method == "POST"]
    assert posted == {
        "jobType": 4,
        "jobData": {
            "accessName": ADA,
            "pin": "064821",
            "pinType": 4,
            "startDate": "2026-04-03T15:00:00+00:00",
            "endDate": "2026-04-05T15:30:00+00:00",
        },
    }
    (held,) = remote.app.holds(remote.lock)
    assert (held.pin, held.name) == ("064821", ADA)
    assert held.window == Window(FRIDAY, FRIDAY + 2 * DAY + timedelta(minutes=30))


@pytest.mark.parametrize("days", [1, 40, 250])
async def test_windows_arrive_exactly_on_both_sides_of_a_clock_change(remote, days):
    window = remote.window(days=3, starts=days * DAY)
    await remote.by_bridge(window=window)
    assert remote.app.holds(remote.lock)[0].window == window


async def test_a_window_that_has_begun_is_written_from_the_next_minute_on(remote):
    remote.now.at += timedelta(seconds=20)
    window = remote.window(days=2, starts=-DAY)
    await remote.by_bridge(window=window)
    assert remote.app.holds(remote.lock)[0].window == Window(START + timedelta(minutes=1), window.ends)


async def test_a_placement_takes_two_requests_once_the_locks_were_listed(remote):
    await warm(remote)
    remote.vendor.slow = 0
    written = await remote.by_bridge()
    assert remote.asked == ["POST /devices/lock/jobs/bridges/bridge-1", "GET /jobs/job-1"]
    await remote.driver.remove_code(remote.lock, written.ref)
    assert len(remote.asked) == 4


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (CodeSpec(Pin("1234567"), ADA, Window(FRIDAY, FRIDAY + DAY)), PinRefused),
        (CodeSpec(Pin("123"), ADA, Window(FRIDAY, FRIDAY + DAY)), PinRefused),
        (CodeSpec(PIN, "x" * 33, Window(FRIDAY, FRIDAY + DAY)), NameRefused),
        (CodeSpec(PIN, ADA, None), WindowRefused),
        (CodeSpec(PIN, ADA, Window(FRIDAY, None)), WindowRefused),
        (CodeSpec(PIN, ADA, Window(START - DAY, START)), WindowRefused),
        (CodeSpec(PIN, ADA, Window(FRIDAY, FRIDAY + timedelta(minutes=2, seconds=1))), WindowRefused),
    ],
)
async def test_what_a_custom_code_cannot_be_is_refused_by_its_reason(remote, spec, error):
    with pytest.raises(error):
        await remote.driver.set_code(remote.lock, spec)
    assert remote.app.holds(remote.lock) == ()


async def test_a_job_that_fails_is_rejected(remote):
    remote.app.add_by_hand(remote.lock, "Cleaner", PIN.digits)
    with pytest.raises(Rejected) as raised:
        await remote.by_bridge()
    assert not isinstance(raised.value, PinTaken | LockFull)
    assert PIN.digits not in str(raised.value)
    assert len(remote.app.holds(remote.lock)) == 1


async def test_a_job_that_takes_too_long_may_have_been_done(remote):
    remote.vendor.slow = 1000
    with pytest.raises(OutcomeUnknown):
        await remote.by_bridge()
    looks = sum(line.startswith("GET /jobs/") for line in remote.asked)
    assert 1 < looks <= 20
    assert len(remote.vendor.jobs) == 1, "it is handed over once"


@pytest.mark.parametrize("status", [404, 429, 500, 502])
async def test_a_job_that_cannot_be_asked_about_may_have_been_done(status):
    listed = page(device("lock", links=("b1",)), device("b1", "Bridge"))
    driver, _ = answering(listed, httpx.Response(201, json={"jobId": "j"}), httpx.Response(status), codes="bridge")
    with pytest.raises(OutcomeUnknown):
        await driver.set_code(LockRef("lock"), CodeSpec(PIN, ADA, Window(FRIDAY, FRIDAY + DAY)))


async def test_an_account_that_may_not_ask_after_its_jobs_is_refused_instead_of_doing_them_again_and_again():
    rig = await warm(Rig("bridge", granted=SCOPES - {"igloohomeapi/get-job-status"}))
    with pytest.raises(AccountRefused):
        await rig.by_bridge()
    assert len(rig.vendor.jobs) == 1


@pytest.mark.parametrize(
    ("job", "error"),
    [
        ({"completed": True, "jobResponse": {"jobStatus": 0}}, None),
        ({"completed": True, "jobResponse": None}, None),
        ({"completed": True}, None),
        ({"completed": True, "jobResponse": {"jobStatus": 2}}, Rejected),
        ({"completed": False, "jobResponse": {"jobStatus": 2}}, Rejected),
        ({"completed": False, "jobResponse": {}}, OutcomeUnknown),
        ({"completed": "yes"}, OutcomeUnknown),
        ({}, OutcomeUnknown),
        ([], OutcomeUnknown),
    ],
)
async def test_only_a_completed_job_is_done(job, error):
    listed = page(device("lock", links=("b1",)), device("b1", "Bridge"))
    driver, _ = answering(listed, httpx.Response(200, json={"jobId": "j"}), httpx.Response(200, json=job))
    if error is None:
        assert await driver.open_door(LockRef("lock")) is Receipt.DONE
        return
    with pytest.raises(error):
        await driver.open_door(LockRef("lock"))


async def test_r22_a_job_whose_answer_is_lost_is_outcome_unknown(remote):
    await warm(remote)
    remote.transport.misdeed = Misdeed.SWALLOW
    with pytest.raises(OutcomeUnknown):
        await remote.by_bridge()
    assert len(remote.vendor.jobs) == 1
    assert len(remote.app.holds(remote.lock)) == 1


async def test_a_bridge_out_of_reach_is_lock_offline_and_nothing_is_done(remote):
    remote.app.offline(remote.lock)
    with pytest.raises(LockOffline):
        await remote.by_bridge()
    assert remote.vendor.jobs == {}


async def test_after_a_bridge_was_exchanged_the_new_one_is_found():
    listed = [page(device("lock", links=(bridge,)), device(bridge, "Bridge")) for bridge in ("old", "new")]
    job, done = httpx.Response(201, json={"jobId": "j"}), httpx.Response(200, json={"completed": True})
    driver, asked = answering(listed[0], httpx.Response(406), listed[1], job, done)
    with pytest.raises(LockOffline):
        await driver.open_door(LockRef("lock"))
    assert await driver.open_door(LockRef("lock")) is Receipt.DONE
    assert [request.url.path.rpartition("/")[2] for request in asked] == ["devices", "old", "devices", "new", "j"]


# -- taking codes off ----------------------------------------------------------------------------------------------


async def test_r31_a_code_is_taken_off_by_a_process_that_never_saw_it(remote):
    remote.app.add_by_hand(remote.lock, "Cleaner", "7777")
    written = await remote.by_bridge()
    remote.driver = remote.connected()
    assert await remote.driver.remove_code(remote.lock, written.ref) is Receipt.DONE
    assert [held.pin for held in remote.app.holds(remote.lock)] == ["7777"]
    assert {"jobType": 5, "jobData": {"pin": "064821"}} in [body for _, _, body in remote.vendor.requests]


@pytest.mark.parametrize("pin", ["0000", "1234", "064821"])
def test_a_reference_hides_its_digits(pin):
    ref = Refs("secret").of(LockRef("lock"), Pin(pin), Window(FRIDAY, FRIDAY + DAY))
    ends, _, sealed = ref.partition(".")
    raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    assert ends == "202604041500"
    assert pin.encode() not in raw
    assert pin not in ref
    assert Refs("secret").opened(LockRef("lock"), ref) == (Pin(pin), FRIDAY + DAY)


def test_a_reference_is_one_lock_s_and_one_account_s():
    ref = Refs("secret").of(LockRef("lock"), PIN, None)
    assert Refs("secret").opened(LockRef("lock"), ref) == (PIN, None)
    assert Refs("secret").opened(LockRef("other"), ref) is None
    assert Refs("another").opened(LockRef("lock"), ref) is None
    assert Refs("secret").opened(LockRef("lock"), CodeRef(ref.replace("-.", "202604041500."))) is None


@pytest.mark.parametrize("ref", ["", ".", "c1", "c1:0a1b", "-.", "-.!!", "-.QUJD", "é.é", "202604041500.AAAA"])
async def test_a_reference_of_somebody_else_is_rejected_and_touches_nothing(remote, ref):
    await remote.by_bridge()
    with pytest.raises(Rejected):
        await remote.driver.remove_code(remote.lock, CodeRef(ref))
    assert len(remote.app.holds(remote.lock)) == 1


async def test_after_the_client_secret_changed_a_removal_is_refused_and_not_believed_done(remote):
    written = await remote.by_bridge()
    with pytest.raises(Rejected, match="igloohome app"):
        await remote.connected(client_secret="new").remove_code(remote.lock, written.ref)


async def test_a_removal_that_fails_is_rejected_while_the_code_may_open(remote):
    written = await remote.by_bridge()
    remote.app.script(remote.lock, Fault.REJECTED, on=[Verb.REMOVE])
    with pytest.raises(Rejected):
        await remote.driver.remove_code(remote.lock, written.ref)


async def test_r29_a_code_that_is_over_and_cannot_be_found_is_gone(remote):
    written = await remote.by_bridge()
    remote.app.delete_by_hand(remote.lock, remote.app.holds(remote.lock)[0].ref)
    remote.now.at = remote.window().ends
    with pytest.raises(CodeGone):
        await remote.driver.remove_code(remote.lock, written.ref)


async def test_r22_a_removal_whose_answer_is_lost_is_outcome_unknown_and_sent_once(remote):
    written = await remote.by_bridge()
    remote.transport.misdeed = Misdeed.GATEWAY
    with pytest.raises(OutcomeUnknown):
        await remote.driver.remove_code(remote.lock, written.ref)
    assert [job.kind for job in remote.vendor.jobs.values()] == [4, 5]
    assert remote.app.holds(remote.lock) == ()


# -- every no of the vendor ----------------------------------------------------------------------------------------

HOURLY = CodeSpec(None, ADA, Window(FRIDAY, FRIDAY + DAY))
DAILY = CodeSpec(None, ADA, Window(FRIDAY, FRIDAY + 40 * DAY))
CUSTOM = CodeSpec(PIN, ADA, Window(FRIDAY, FRIDAY + DAY))
LISTED = page(device("lock", links=("b1",)), device("b1", "Bridge"))


@pytest.mark.parametrize(
    ("spec", "status", "error"),
    [
        (HOURLY, 400, WindowRefused),
        (HOURLY, 401, AccountRefused),
        (HOURLY, 403, AccountRefused),
        (HOURLY, 404, LockNotFound),
        (HOURLY, 409, Rejected),
        (HOURLY, 429, RateLimited),
        (HOURLY, 500, OutcomeUnknown),
        (HOURLY, 503, Unreachable),
        (DAILY, 400, WindowRefused),
        (DAILY, 401, AccountRefused),
        (DAILY, 403, WindowRefused),
        (DAILY, 404, LockNotFound),
        (CUSTOM, 400, WindowRefused),
        (CUSTOM, 401, AccountRefused),
        (CUSTOM, 403, AccountRefused),
        (CUSTOM, 404, LockNotFound),
        (CUSTOM, 406, LockOffline),
        (CUSTOM, 429, RateLimited),
        (CUSTOM, 502, OutcomeUnknown),
        (CUSTOM, 503, Unreachable),
    ],
)
async def test_a_refused_code_says_what_to_do_next(spec: CodeSpec, status: int, error: type[ProviderError]):
    refusal = httpx.Response(status, json={"message": "064821 for Ada Lovelace"})
    driver, _ = answering(*([LISTED] if spec is CUSTOM else []), refusal)
    with pytest.raises(error) as raised:
        await driver.set_code(LockRef("lock"), spec)
    assert raised.value.remedy is error.remedy
    assert "064821" not in str(raised.value)
    assert "Ada" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Rejected),
        (403, Rejected),
        (404, LockNotFound),
        (406, LockOffline),
        (429, RateLimited),
        (500, OutcomeUnknown),
    ],
)
async def test_a_door_that_is_not_opened_says_why(status, error):
    driver, _ = answering(LISTED, httpx.Response(status))
    with pytest.raises(error):
        await driver.open_door(LockRef("lock"))


@pytest.mark.parametrize(
    ("status", "error"), [(401, AccountRefused), (403, AccountRefused), (404, LockNotFound), (500, Unreachable)]
)
async def test_a_lock_that_cannot_be_asked_after_says_why(status, error):
    driver, _ = answering(httpx.Response(status))
    with pytest.raises(error):
        await driver.check_lock(LockRef("lock"))
    with pytest.raises(error):
        await driver.list_codes(LockRef("lock"))


def test_a_connection_is_made_without_asking_anybody():
    made = PROVIDER.connect(
        Connection("x", SETTINGS, httpx.AsyncClient(), Clock(), Tokens(), None, None)  # type: ignore[arg-type]
    )
    assert isinstance(made, Igloohome)
