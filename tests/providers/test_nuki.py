"""Nuki: what goes over the wire, what its answers mean, how it signs in, and what its webhooks lead to."""

import json
import random
import traceback
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import httpx
import pytest

from lockbridge.accounts.tokens import DraftTokens
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
    PinRefused,
    PinTaken,
    ProviderError,
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
from lockbridge.inbound import Delivery, Ignored, Unauthenticated, Unreadable
from lockbridge.signatures import hmac_hex_digest
from providers.nuki import PROVIDER
from providers.simulator import MAIN, SimulatedLockApp
from tests.contract.brands import in_no_time
from tests.contract.harness import Clock, connection
from tests.contract.vendors.nuki import SMART_LOCK_4, NukiWeb

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
LOCK, AUTH = LockRef("17999888777"), CodeRef("64983a56466c244aac626f40")
AUTHS, ONE_AUTH = f"/smartlock/{LOCK}/auth", f"/smartlock/{LOCK}/auth/{AUTH}"
STAY = Window(datetime(2026, 7, 1, 13, tzinfo=UTC), datetime(2026, 7, 5, 9, 30, tzinfo=UTC))
SPEC = CodeSpec(Pin("252525"), "Ada Lovelace", STAY)
OAUTH = {"client_id": "client", "client_secret": "secret", "refresh_token": "refresh-1"}
HOOK = PROVIDER.hook
assert HOOK is not None


def a_lock(**changes: Any) -> dict[str, Any]:
    """A Smart Lock of the third generation with a Keypad 2, as ``GET /smartlock`` tells it."""
    return {
        "smartlockId": int(LOCK),
        "type": 4,
        "name": "Front door",
        "serverState": 0,
        "config": {"keypadPaired": False, "keypad2Paired": True, "timezoneId": 37},
        "state": {"batteryCritical": False, "batteryCharge": 84, "keypadBatteryCritical": False},
        **changes,
    }


def an_auth(**changes: Any) -> dict[str, Any]:
    """A keypad code as Nuki lists it."""
    return {
        "id": str(AUTH),
        "smartlockId": int(LOCK),
        "type": 13,
        "name": "Ada Lovelace",
        "code": 252525,
        "enabled": True,
        "allowedFromDate": "2026-07-01T13:00:00.000Z",
        "allowedUntilDate": "2026-07-05T09:30:00.000Z",
        "allowedWeekDays": 127,
        **changes,
    }


class Talk:
    """Nuki Web with prepared answers, by method and path; it keeps what it was asked."""

    def __init__(self, lock: dict[str, Any] | None = None, auths: list[dict[str, Any]] | None = None) -> None:
        lock = lock or a_lock()
        self.answers: dict[tuple[str, str], httpx.Response] = {
            ("GET", "/smartlock"): httpx.Response(200, json=[lock]),
            ("GET", f"/smartlock/{LOCK}"): httpx.Response(200, json=lock),
            ("GET", AUTHS): httpx.Response(200, json=auths or []),
        }
        self.requests: list[httpx.Request] = []

    def answer(self, method: str, path: str, status: int, **body: Any) -> "Talk":
        self.answers[method, path] = httpx.Response(status, **body)
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answers.get((request.method, request.url.path), httpx.Response(204))

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]

    @property
    def sent(self) -> Any:
        """The body of the last request."""
        return json.loads(self.requests[-1].content)

    def driver(self, **settings: str) -> Any:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return in_no_time(PROVIDER.connect(connection(settings or {"token": "token"}, http, lambda: NOW)))


async def error_of(call: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await call
    return caught.value


# -- what goes over the wire ----------------------------------------------------------------------------------


async def test_r10_a_code_goes_out_as_an_integer_with_its_window_in_utc_milliseconds():
    talk = Talk()
    written = await talk.driver().set_code(LOCK, SPEC)
    assert written == Written(Receipt.ACCEPTED)
    assert talk.asked == [f"PUT {AUTHS}"]
    assert talk.requests[-1].headers["authorization"] == "Bearer token"
    assert talk.sent == {
        "name": "Ada Lovelace",
        "type": 13,
        "code": 252525,
        "allowedFromDate": "2026-07-01T13:00:00.000Z",
        "allowedUntilDate": "2026-07-05T09:30:00.000Z",
        "allowedWeekDays": 127,
        "remoteAllowed": False,
    }


async def test_a_standing_code_goes_out_without_dates():
    talk = Talk()
    await talk.driver().set_code(LOCK, CodeSpec(Pin("252525"), "Backup 1", None))
    assert talk.sent == {"name": "Backup 1", "type": 13, "code": 252525, "remoteAllowed": False}


async def test_a_code_without_end_goes_out_with_its_begin_only():
    talk = Talk()
    await talk.driver().set_code(LOCK, CodeSpec(Pin("252525"), "Cleaner", Window(STAY.starts, None)))
    assert (talk.sent["allowedFromDate"], "allowedUntilDate" in talk.sent) == ("2026-07-01T13:00:00.000Z", False)


async def test_r19_an_update_sends_everything_and_switches_the_code_on_again():
    """Nuki drops the dates that an update leaves out, and switches codes off when their window ends."""
    talk = Talk()
    written = await talk.driver().update_code(LOCK, AUTH, SPEC)
    assert written == Written(Receipt.ACCEPTED, AUTH)
    assert talk.asked == [f"POST {ONE_AUTH}"]
    assert talk.sent == {
        "name": "Ada Lovelace",
        "code": 252525,
        "enabled": True,
        "allowedFromDate": "2026-07-01T13:00:00.000Z",
        "allowedUntilDate": "2026-07-05T09:30:00.000Z",
        "allowedWeekDays": 127,
        "remoteAllowed": False,
    }


async def test_r31_a_code_is_deleted_by_its_own_id():
    talk = Talk()
    assert await talk.driver().remove_code(LOCK, AUTH) is Receipt.ACCEPTED
    assert talk.asked == [f"DELETE {ONE_AUTH}"]
    assert talk.requests[-1].content == b""


async def test_references_cannot_lead_a_request_elsewhere():
    talk = Talk()
    await talk.driver().remove_code(LOCK, CodeRef("../../42?x=1"))
    assert talk.asked == [f"DELETE {AUTHS}/..%2F..%2F42%3Fx%3D1"]


async def test_a_placement_takes_two_requests_and_a_look_takes_one_however_many_codes_there_are():
    many = [an_auth(id=str(number), code=999999 - number) for number in range(200)]
    talk = Talk(auths=many)
    driver = talk.driver()
    for change in (driver.set_code(LOCK, SPEC), driver.update_code(LOCK, AUTH, SPEC), driver.remove_code(LOCK, AUTH)):
        before = len(talk.requests)
        assert len(await driver.list_codes(LOCK)) == 200
        await change
        assert len(talk.requests) - before == 2


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (CodeSpec(Pin("25252"), "Ada", STAY), PinRefused),
        (CodeSpec(Pin("2525252"), "Ada", STAY), PinRefused),
        (CodeSpec(Pin("250525"), "Ada", STAY), PinRefused),
        (CodeSpec(Pin("125252"), "Ada", STAY), PinRefused),
        (CodeSpec(Pin("252525"), "A" * 21, STAY), NameRefused),
        (CodeSpec(Pin("252525"), "", STAY), NameRefused),
        (CodeSpec(Pin("252525"), "Ada", Window(NOW - timedelta(days=2), NOW)), WindowRefused),
        (CodeSpec(None, "Ada", STAY), Rejected),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_r13_what_nuki_would_refuse_without_saying_why_is_not_sent(spec: CodeSpec, error: type[ProviderError]):
    talk = Talk()
    assert type(await error_of(talk.driver().set_code(LOCK, spec))) is error
    assert type(await error_of(talk.driver().update_code(LOCK, AUTH, spec))) is error
    assert talk.requests == []


# -- what refusals mean ---------------------------------------------------------------------------------------

MEANINGS = [
    ("set", 400, Rejected),
    ("set", 401, AccountRefused),
    ("set", 402, AccountRefused),
    ("set", 403, AccountRefused),
    ("set", 409, PinTaken),
    ("set", 422, Rejected),
    ("set", 423, Unreachable),
    ("set", 426, AccountRefused),
    ("set", 429, RateLimited),
    ("set", 503, Unreachable),
    ("update", 400, Rejected),
    ("update", 404, CodeGone),
    ("update", 409, PinTaken),
    ("update", 423, Unreachable),
    ("update", 426, AccountRefused),
    ("remove", 402, AccountRefused),
    ("remove", 404, CodeGone),
    ("remove", 423, Unreachable),
    ("remove", 429, RateLimited),
    ("look", 401, AccountRefused),
    ("look", 403, AccountRefused),
    ("look", 429, RateLimited),
    ("look", 500, Unreachable),
    ("open", 400, Rejected),
    ("open", 402, AccountRefused),
    ("open", 423, Unreachable),
]


def the_call(talk: Talk, verb: str, **answer: Any) -> Any:
    """One verb, where Nuki answers it so."""
    driver, action = talk.driver(), f"/smartlock/{LOCK}/action"
    calls = {
        "look": ("GET", AUTHS, lambda: driver.list_codes(LOCK)),
        "set": ("PUT", AUTHS, lambda: driver.set_code(LOCK, SPEC)),
        "update": ("POST", ONE_AUTH, lambda: driver.update_code(LOCK, AUTH, SPEC)),
        "remove": ("DELETE", ONE_AUTH, lambda: driver.remove_code(LOCK, AUTH)),
        "open": ("POST", action, lambda: driver.open_door(LOCK)),
    }
    method, path, call = calls[verb]
    talk.answer(method, path, **answer)
    return call()


@pytest.mark.parametrize(("verb", "status", "meaning"), MEANINGS)
async def test_r22_each_refusal_of_nuki_says_what_to_do_next(verb: str, status: int, meaning: type[ProviderError]):
    secret = {"detailMessage": "The supplied value '252525' for parameter 'code' is not valid", "stackTrace": []}
    error = await error_of(the_call(Talk(), verb, status=status, json=secret))
    assert isinstance(error, meaning)
    assert (error.kind, error.remedy) == (meaning.kind, meaning.remedy)
    assert "2525" not in "".join(traceback.format_exception(error))


async def test_r22_a_code_that_is_being_changed_waits_without_holding_up_the_account():
    error = await error_of(the_call(Talk(), "update", status=423))
    assert (error.remedy, error.kind) == (Remedy.WAIT, Kind.UNREACHABLE)
    assert "earlier change" in str(error)


@pytest.mark.parametrize("status", [402, 426])
async def test_a_missing_subscription_is_called_by_its_name(status: int):
    assert "subscription" in str(await error_of(the_call(Talk(), "set", status=status)))


async def test_a_right_that_the_access_lacks_is_told_as_that():
    assert "right" in str(await error_of(the_call(Talk(), "look", status=403)))


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("verb", ["look", "set", "update", "remove"])
async def test_a_lock_that_left_the_account_does_not_stop_the_others(verb: str, status: int):
    """Nuki answers 403 for it, as for a missing right: whether the account lists the lock tells which."""
    talk = Talk().answer("GET", "/smartlock", 200, json=[a_lock(smartlockId=42)])
    assert isinstance(await error_of(the_call(talk, verb, status=status)), LockNotFound)


@pytest.mark.parametrize("status", [400, 422])
async def test_r26_a_refusal_without_a_reason_by_a_full_lock_is_lock_full(status: int):
    full = [an_auth(id=str(number)) for number in range(200)]
    assert isinstance(await error_of(the_call(Talk(auths=full), "set", status=status)), LockFull)
    assert isinstance(await error_of(the_call(Talk(auths=full[1:]), "set", status=status)), Rejected)


async def test_a_lock_without_a_keypad_says_so_when_it_is_asked_to_hold_a_code():
    error = await error_of(the_call(Talk(a_lock(config={"keypadPaired": False})), "set", status=400))
    assert isinstance(error, LockFull)
    assert "keypad" in str(error)


# -- what is seen ---------------------------------------------------------------------------------------------


async def test_a_code_is_seen_with_its_digits_its_name_and_its_window():
    talk = Talk(auths=[an_auth()])
    (code,) = await talk.driver().list_codes(LOCK)
    assert (code.ref, code.pin, code.name, code.window) == (AUTH, Pin("252525"), "Ada Lovelace", STAY)
    assert (code.state, code.trouble) == (CodeState.SET, None)
    assert talk.asked == [f"GET {AUTHS}?types=13"]


async def test_strangers_keypad_codes_are_listed_and_phones_and_fobs_are_not():
    fob, phone = an_auth(id="f", type=2, code=None), an_auth(id="p", type=0)
    stranger = an_auth(id="s", name="Cleaner", allowedFromDate=None, allowedUntilDate=None)
    codes = await Talk(auths=[fob, stranger, phone]).driver().list_codes(LOCK)
    assert [(code.ref, code.name, code.window) for code in codes] == [("s", "Cleaner", None)]


@pytest.mark.parametrize("operation", ["65a1b2c3d4e5f60718293a4b", {"timestamp": 1}])
async def test_a_code_with_an_operation_under_way_is_still_being_set(operation: object):
    (code,) = await Talk(auths=[an_auth(operationId=operation, enabled=False)]).driver().list_codes(LOCK)
    assert (code.state, code.trouble) == (CodeState.SETTING, None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("K_ERROR_CODE_ALREADY_EXISTS", Kind.PIN_TAKEN),
        ("K_ERROR_CODE_INVALID", Kind.PIN_REFUSED),
        ("K_ERROR_TOO_MANY_ENTRIES", Kind.LOCK_FULL),
        ("P_ERROR_MAX_USER", Kind.LOCK_FULL),
        ("no words that anybody knows: 252525", Kind.REJECTED),
    ],
)
async def test_a_code_that_the_lock_did_not_take_is_in_trouble(error: str, kind: Kind):
    (code,) = await Talk(auths=[an_auth(error=error)]).driver().list_codes(LOCK)
    assert code.trouble is not None
    assert code.trouble.kind is kind
    assert "2525" not in repr(code)


async def test_a_code_that_is_switched_off_before_its_end_is_in_trouble():
    (code,) = await Talk(auths=[an_auth(enabled=False)]).driver().list_codes(LOCK)
    assert code.trouble is not None
    assert code.trouble.kind is Kind.REJECTED


async def test_a_code_that_nuki_switched_off_at_its_end_is_not():
    over = an_auth(enabled=False, allowedFromDate="2026-05-01T13:00:00Z", allowedUntilDate="2026-05-04T09:00:00Z")
    (code,) = await Talk(auths=[over]).driver().list_codes(LOCK)
    assert code.trouble is None


async def test_windows_of_any_notation_are_seen_in_utc():
    local = an_auth(allowedFromDate="2026-07-01T15:00:00+02:00", allowedUntilDate="2026-07-05T09:30:00Z")
    (code,) = await Talk(auths=[local]).driver().list_codes(LOCK)
    assert code.window == STAY
    assert code.window.starts.tzinfo is UTC


async def test_a_strangers_nonsense_does_not_hide_the_other_codes():
    never = an_auth(id="never", allowedUntilDate="2026-07-01T13:00:00.000Z")
    until = an_auth(id="until", allowedFromDate=None)
    blank = {"id": "blank", "type": 13}
    codes = {code.ref: code for code in await Talk(auths=[never, until, blank]).driver().list_codes(LOCK)}
    assert codes[CodeRef("never")].window is None
    assert codes[CodeRef("until")].window == Window(datetime(1970, 1, 1, tzinfo=UTC), STAY.ends)
    assert (codes[CodeRef("blank")].pin, codes[CodeRef("blank")].name) == (None, None)


@pytest.mark.parametrize(
    "answer", [{"codes": []}, [{"type": 13}], ["13"], [an_auth(id=7)], [an_auth(allowedFromDate="2026-07-01T13:00:00")]]
)
async def test_a_look_that_makes_no_sense_is_unreachable_and_never_an_empty_lock(answer: object):
    error = await error_of(the_call(Talk(), "look", status=200, json=answer))
    assert isinstance(error, Unreachable)


# -- locks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "keypads", "room"),
    [
        (0, {"keypadPaired": True}, 100),
        (2, {"keypadPaired": True}, 100),
        (3, {"keypad2Paired": True}, 200),
        (4, {"keypadPaired": True}, 200),
        (5, {"keypad2Paired": True}, 200),
        (99, {"keypadPaired": True}, 100),
        (4, {"keypadPaired": False, "keypad2Paired": False}, 0),
        (0, {}, 0),
    ],
)
async def test_r26_the_room_for_codes_follows_from_the_kind_of_lock_and_its_keypad(kind: int, keypads: dict, room: int):
    (found,) = await Talk(a_lock(type=kind, config=keypads)).driver().list_locks()
    assert (found.ref, found.name) == (LOCK, "Front door")
    assert found.capabilities.max_codes == room


async def test_the_capabilities_in_the_documentation_are_those_of_the_locks():
    config = {"keypadPaired": True}
    told = [(await Talk(a_lock(type=kind, config=config)).driver().list_locks())[0].capabilities for kind in (0, 4, 2)]
    bare = (await Talk(a_lock(config={})).driver().list_locks())[0].capabilities
    assert [*told, bare] == list(PROVIDER.kinds.values())


@pytest.mark.parametrize("answer", [{"locks": []}, [{}], [a_lock(smartlockId=None)], [a_lock(name=None)], ["lock"]])
async def test_a_list_of_locks_that_makes_no_sense_is_unreachable_and_never_empty(answer: object):
    talk = Talk().answer("GET", "/smartlock", 200, json=answer)
    assert isinstance(await error_of(talk.driver().list_locks()), Unreachable)


@pytest.mark.parametrize(
    ("zone", "name"), [(37, "Europe/Berlin"), (0, "Africa/Cairo"), (45, "Pacific/Pago_Pago"), (46, None), (65535, None)]
)
async def test_the_zone_is_told_where_nukis_number_has_one(zone: int, name: str | None):
    (found,) = await Talk(a_lock(config={"timezoneId": zone})).driver().list_locks()
    assert found.zone == name


async def test_every_zone_of_nuki_is_a_zone():
    locks = [a_lock(config={"timezoneId": number}) for number in range(46)]
    talk = Talk().answer("GET", "/smartlock", 200, json=locks)
    zones = [found.zone for found in await talk.driver().list_locks()]
    assert len({ZoneInfo(zone).key for zone in zones}) == 46


@pytest.mark.parametrize(
    ("changes", "online", "battery", "in_trouble"),
    [
        ({}, True, 0.84, False),
        ({"serverState": 4}, False, 0.84, False),
        ({"serverState": 1}, False, 0.84, True),
        ({"serverState": 3}, False, 0.84, True),
        ({"state": {"batteryCharge": 84, "batteryCritical": True}}, True, 0.1, False),
        ({"state": {"batteryCharge": 84, "keypadBatteryCritical": True}}, True, 0.1, False),
        ({"state": {"batteryCharge": 4, "batteryCritical": True}}, True, 0.04, False),
        ({"state": {"batteryCritical": True}}, True, 0.1, False),
        ({"state": {"batteryCritical": False}}, True, 1.0, False),
        ({"state": None}, True, None, False),
    ],
)
async def test_a_lock_tells_whether_it_is_reached_and_its_weakest_battery(
    changes: dict, online, battery: float | None, in_trouble
):
    status = await Talk(a_lock(**changes)).driver().check_lock(LOCK)
    assert (status.online, status.battery, status.trouble is not None) == (online, battery, in_trouble)


@pytest.mark.parametrize(("kind", "action"), [(0, 3), (1, 1), (2, 3), (3, 3), (4, 3), (5, 3)])
async def test_a_door_is_opened_by_the_action_that_opens_it(kind: int, action: int):
    talk = Talk(a_lock(type=kind, config={}))
    assert await talk.driver().open_door(LOCK) is Receipt.DONE
    assert talk.asked[-1] == f"POST /smartlock/{LOCK}/action"
    assert talk.sent == {"action": action, "option": 0}


async def test_a_door_out_of_reach_is_not_opened_although_nuki_would_take_the_action():
    talk = Talk(a_lock(serverState=4))
    assert isinstance(await error_of(talk.driver().open_door(LOCK)), LockOffline)
    assert talk.asked == [f"GET /smartlock/{LOCK}"]


@pytest.mark.parametrize("device", [{"type": 2, "config": {"capabilities": 2}}, {"type": 77, "config": {}}])
async def test_a_device_that_opens_no_door_rejects_it(device: dict):
    talk = Talk(a_lock(**device))
    (found,) = await talk.driver().list_locks()
    assert found.capabilities.can_open is False
    assert isinstance(await error_of(talk.driver().open_door(LOCK)), Rejected)
    assert not [line for line in talk.asked if line.startswith("POST")]


# -- the log --------------------------------------------------------------------------------------------------


def a_line(**changes: Any) -> dict[str, Any]:
    """A line of a lock's log as Nuki's description has it."""
    line = {"id": "1", "smartlockId": int(LOCK), "deviceType": 3, "name": "Ada Lovelace", "autoUnlock": False}
    return {**line, "action": 3, "trigger": 255, "state": 0, "date": "2026-05-04T10:30:00.000Z", **changes}


@pytest.mark.parametrize(
    ("changes", "what", "by"),
    [
        ({}, "unlatched: the door is open", "Ada Lovelace, keypad"),
        ({"action": 1, "trigger": 5}, "unlocked", "Ada Lovelace, app"),
        ({"state": 224, "name": ""}, "not unlatched: a wrong code", "keypad"),
        ({"action": 2, "state": 77, "trigger": 0}, "not locked: it failed", "Ada Lovelace"),
        ({"action": 199, "trigger": 6, "name": ""}, "action 199", "auto lock"),
    ],
)
async def test_a_line_of_the_log_is_told_in_words(changes: dict, what: str, by: str):
    talk = Talk().answer("GET", f"/smartlock/{LOCK}/log", 200, json=[a_line(**changes)])
    (event,) = await talk.driver().activity(LOCK, NOW - timedelta(days=14), 100)
    assert (event.at, event.what, event.by) == (datetime(2026, 5, 4, 10, 30, tzinfo=UTC), what, by)
    assert talk.asked == [f"GET /smartlock/{LOCK}/log?fromDate=2026-04-20T12%3A00%3A00.000Z&limit=50"]


async def test_a_log_that_the_access_may_not_read_says_so_and_nonsense_is_no_log():
    talk = Talk().answer("GET", f"/smartlock/{LOCK}/log", 403)
    assert isinstance(await error_of(talk.driver().activity(LOCK, NOW, 10)), AccountRefused)
    talk = Talk().answer("GET", f"/smartlock/{LOCK}/log", 200, json=[{"action": 1}])
    assert isinstance(await error_of(talk.driver().activity(LOCK, NOW, 10)), Unreachable)


# -- signing in -----------------------------------------------------------------------------------------------


class Web:
    """The make-believe Nuki Web behind OAuth2, and what it was asked."""

    def __init__(self) -> None:
        self.clock = Clock(NOW)
        self.world = SimulatedLockApp(self.clock, random.Random(3))
        self.world.add_lock(str(LOCK), rules=SMART_LOCK_4, account=MAIN)
        self.nuki = NukiWeb(self.world)
        self.requests: list[httpx.Request] = []
        self.tokens = DraftTokens(self)

    def now(self) -> datetime:
        return self.clock()

    def driver(self, **settings: str) -> Any:
        hooks = {"request": [self._note]}
        http = httpx.AsyncClient(transport=httpx.ASGITransport(self.nuki.asgi()), event_hooks=hooks)
        return in_no_time(PROVIDER.connect(connection({**OAUTH, **settings}, http, self.clock, self.tokens)))

    async def _note(self, request: httpx.Request) -> None:
        self.requests.append(request)

    @property
    def sign_ins(self) -> list[httpx.Request]:
        return [request for request in self.requests if request.url.path == "/oauth/token"]


async def test_an_oauth_account_signs_in_with_basic_auth_and_its_refresh_token():
    web = Web()
    assert [lock.ref for lock in await web.driver().list_locks()] == [LOCK]
    (sign_in,) = web.sign_ins
    assert str(sign_in.url) == "https://api.nuki.io/oauth/token"
    assert sign_in.headers["authorization"] == "Basic " + b64encode(b"client:secret").decode()
    assert sign_in.headers["content-type"] == "application/x-www-form-urlencoded"
    form = parse_qs(sign_in.content.decode())
    assert form == {"grant_type": ["refresh_token"], "refresh_token": ["refresh-1"]}
    assert web.requests[-1].headers["authorization"] == "Bearer access-2"


async def test_an_access_token_is_used_for_its_hour_and_each_new_refresh_token_is_kept():
    web = Web()
    driver = web.driver()
    await driver.list_locks()
    web.clock.at += timedelta(minutes=58)
    await driver.list_locks()
    assert len(web.sign_ins) == 1
    for signed_in in (2, 3):
        web.clock.at += timedelta(minutes=61)
        await driver.list_locks()
        assert len(web.sign_ins) == signed_in
    assert web.tokens.grant is not None
    assert (web.tokens.grant.refresh, web.nuki.refresh) == ("refresh-4", "refresh-4")
    assert web.tokens.grant.expires_at == web.clock.at + timedelta(hours=1)


async def test_a_write_that_is_refused_for_its_token_is_done_once_after_signing_in_anew():
    web = Web()
    driver = web.driver()
    await driver.list_locks()
    web.nuki.tokens = set()
    assert await driver.set_code(LOCK, SPEC) == Written(Receipt.ACCEPTED)
    assert len(web.sign_ins) == 2
    assert [code.pin for code in web.world.list_codes(MAIN, LOCK)] == [SPEC.pin]


@pytest.mark.parametrize("wrong", [{"refresh_token": "used-up"}, {"client_secret": "guessed"}])
async def test_an_account_whose_sign_in_is_refused_needs_its_host(wrong: dict):
    error = await error_of(Web().driver(**wrong).list_locks())
    assert isinstance(error, AccountRefused)
    shown = "".join(traceback.format_exception(error))
    assert not any(secret in shown for secret in ("used-up", "guessed", "refresh-1", "Basic"))


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_write_whose_sign_in_gets_no_answer_was_not_done(status: int):
    talk = Talk().answer("POST", "/oauth/token", status)
    http = httpx.AsyncClient(transport=httpx.MockTransport(talk))
    driver = PROVIDER.connect(connection(OAUTH, http, lambda: NOW, Web().tokens))
    assert isinstance(await error_of(driver.set_code(LOCK, SPEC)), Unreachable)
    assert talk.asked == ["POST /oauth/token"]


async def test_a_token_of_nukis_that_tells_no_end_lasts_an_hour_and_keeps_the_refresh_token():
    web = Web()
    talk = Talk().answer("POST", "/oauth/token", 200, json={"access_token": "a"})
    http = httpx.AsyncClient(transport=httpx.MockTransport(talk))
    await PROVIDER.connect(connection(OAUTH, http, lambda: NOW, web.tokens)).list_locks()
    assert web.tokens.grant is not None
    assert (web.tokens.grant.expires_at, web.tokens.grant.refresh) == (NOW + timedelta(hours=1), "refresh-1")


async def test_an_api_token_is_preferred_and_needs_no_signing_in():
    web = Web()
    await web.driver(token=" token\n").list_locks()
    assert web.sign_ins == []
    assert web.requests[-1].headers["authorization"] == "Bearer token"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"token": "  "},
        {"client_id": "client", "client_secret": "4711"},
        {"token": "tökén-4711"},
        {"token": "to\nken-4711"},
        {"token": "4711", "url": "api.nuki.io"},
        {"token": "4711", "url": "https://"},
        {"token": "4711", "url": "https://api.nuki.io:port"},
    ],
)
def test_settings_that_cannot_be_right_are_refused_before_anything_is_sent(settings: dict):
    with pytest.raises(AccountRefused) as caught:
        PROVIDER.connect(connection(settings, httpx.AsyncClient(), lambda: NOW))
    assert "4711" not in str(caught.value)


def test_secrets_are_asked_for_as_secrets_and_shown_by_no_repr():
    assert {field.name for field in PROVIDER.fields if field.secret} == {"token", "client_secret", "refresh_token"}
    assert all(field.default is not None and field.help for field in PROVIDER.fields)
    driver = Talk().driver(token="very-secret")
    assert "very-secret" not in f"{driver!r} {driver._vendor!r}"


# -- webhooks -------------------------------------------------------------------------------------------------


def delivery(body: object, *, secret: str = "s3cret", at: datetime = NOW, **headers: str) -> Delivery:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery({"x-nuki-signature-sha256": hmac_hex_digest(secret, raw), **headers}, raw, at)


@pytest.mark.parametrize(
    "body",
    [
        {"feature": "DEVICE_AUTHS", "deleted": False, "smartlockAuth": an_auth()},
        {"feature": "DEVICE_AUTHS", "deleted": True, "smartlockAuth": {"id": AUTH, "smartlockId": int(LOCK)}},
        {"feature": "DEVICE_AUTHS", "deleted": True, "smartlockId": int(LOCK), "smartlockAuth": {"id": AUTH}},
        {"feature": "DEVICE_STATUS", "smartlockId": int(LOCK), "state": {}, "serverState": 4, "adminPinState": 0},
        {"feature": "DEVICE_CONFIG", "smartlockId": int(LOCK), "config": {}},
        {"feature": "DEVICE_MASTERDATA", "deleted": False, "smartlockId": int(LOCK), "name": "Front door"},
        {"feature": "DEVICE_LOGS", "smartlockLog": {"smartlockId": int(LOCK), "action": 1, "state": 0, "source": 1}},
    ],
    ids=lambda body: body["feature"],
)
def test_what_happens_to_a_lock_leads_to_a_look_at_it(body: dict):
    assert HOOK.read(delivery(body)) == [LookAt((LOCK,))]


@pytest.mark.parametrize(
    "body",
    [
        {"feature": "DEVICE_LOGS", "smartlockLog": {"smartlockId": int(LOCK), "trigger": 255, "state": 224}},
        {"feature": "ACCOUNT_USER", "accountUser": {"name": "Ada"}},
        {"feature": "SOMETHING_NEW"},
        {"type": "SmartlockAction", "requestId": "65a1", "smartlockId": int(LOCK), "success": True},
    ],
)
def test_what_changes_no_code_leads_to_nothing(body: dict):
    (hint,) = HOOK.read(delivery(body))
    assert isinstance(hint, Ignored)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[1]",
        b'"DEVICE_STATUS"',
        b"{" * 5000,
        {},
        {"feature": 7},
        {"feature": ["DEVICE_STATUS"]},
        {"feature": "DEVICE_STATUS"},
        {"feature": "DEVICE_STATUS", "smartlockId": True},
        {"feature": "DEVICE_STATUS", "smartlockId": "../secret"},
        {"feature": "DEVICE_AUTHS", "smartlockAuth": "secret"},
        {"feature": "DEVICE_AUTHS", "smartlockAuth": {"smartlockId": None}},
        {"feature": "DEVICE_LOGS", "smartlockLog": [1]},
    ],
)
def test_nonsense_is_unreadable_and_is_not_repeated(body: object):
    with pytest.raises(Unreadable) as caught:
        HOOK.read(delivery(body))
    assert "secret" not in str(caught.value)


def test_a_delivery_that_nuki_signed_is_genuine():
    HOOK.authenticate(delivery({"feature": "DEVICE_STATUS"}), "s3cret", NOW)
    HOOK.authenticate(delivery({"feature": "DEVICE_STATUS"}), "another one\ns3cret", NOW)


@pytest.mark.parametrize("secret", ["guessed", ""])
def test_a_forged_delivery_is_refused(secret: str):
    with pytest.raises(Unauthenticated):
        HOOK.authenticate(delivery({"feature": "DEVICE_STATUS"}), secret, NOW)


@pytest.mark.parametrize("signature", ["", "0" * 64, "sha256=" + "0" * 64, "not hex"])
def test_a_wrong_signature_is_refused(signature: str):
    forged = delivery({"feature": "DEVICE_STATUS"}, **{"x-nuki-signature-sha256": signature})
    with pytest.raises(Unauthenticated):
        HOOK.authenticate(forged, "s3cret", NOW)


def test_r20_a_repeat_is_the_same_event_and_the_same_state_an_hour_later_is_not():
    told = {"feature": "DEVICE_STATUS", "smartlockId": int(LOCK), "serverState": 4}
    keys = [HOOK.dedupe_key(delivery(told, at=NOW + timedelta(seconds=after))) for after in (0, 9, 3600)]
    assert keys[0] == keys[1] != keys[2]
    assert all(key.isascii() and key.isprintable() and len(key) <= 150 for key in keys)


def test_the_secret_is_explained_and_may_be_any_text():
    assert "secret" in HOOK.setup_help
    assert HOOK.secret_problem("abc") is None
    assert HOOK.secret_problem("  ")
