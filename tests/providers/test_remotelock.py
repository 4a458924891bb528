"""RemoteLock: guests and their accesses, what is left half done, the lock's clock, signing in, and its webhooks."""

import asyncio
import json
import random
import re
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

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
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    ProviderError,
    Rate,
    RateLimited,
    Receipt,
    Rejected,
    Remedy,
    SeenCode,
    Unreachable,
    WindowRefused,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.inbound import Delivery, Ignored, Unauthenticated, Unreadable
from lockbridge.outbound import TokenRefused
from providers.remotelock import PROVIDER
from providers.simulator import SimulatedLockApp
from tests.contract.brands import in_no_time
from tests.contract.harness import Clock, connection
from tests.contract.vendors.remotelock import RULES, MakeBelieve

BASE = "http://vendor"
CREDENTIALS = {"url": BASE, "sign_in": BASE, "client_id": "client", "client_secret": "secret"}
FRONT, BACK = LockRef("front"), LockRef("back")
STAY = Window(datetime(2026, 7, 1, 13, tzinfo=UTC), datetime(2026, 7, 5, 9, 30, tzinfo=UTC))
LATER = Window(datetime(2026, 7, 2, 13, tzinfo=UTC), datetime(2026, 7, 8, 9, 30, tzinfo=UTC))
SPEC = CodeSpec(Pin("012345"), "Ada Lovelace", STAY)
PEOPLE, GRANT = r"POST /access_persons", r"POST /access_persons/[^/]+/accesses"
LOOK = "GET /devices/front/access_person_accesses"
DONE = object()
"""Let it be done and lose the answer."""
HOOK = PROVIDER.hook
assert HOOK is not None


class Account(httpx.AsyncBaseTransport):
    """An account with two locks; what it is asked is kept, and the next request of a kind can be made to go wrong."""

    def __init__(self, kind: str = "lock", zone: str = "Europe/Berlin") -> None:
        self.now = Clock()
        self.app = SimulatedLockApp(self.now, random.Random(7))
        for ref in (FRONT, BACK):
            self.app.add_lock(ref, name=f"{ref} door", rules=RULES[kind], zone=zone, battery=0.8)
        self.vendor = MakeBelieve(self.app)
        self._inner = httpx.ASGITransport(self.vendor.asgi())
        self._wrong: list[tuple[str, Any]] = []
        self._always: dict[str, Callable[[Any], Any]] = {}
        self.requests: list[httpx.Request] = []

    def wrong(self, what: str, answer: Any = DONE) -> None:
        """The next request like this is answered so, and nothing is done; DONE: it is done and the answer lost."""
        self._wrong.append((what, answer))

    def told(self, what: str, change: Callable[[Any], Any]) -> None:
        """Answers to requests like this are changed."""
        self._always[what] = change

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        named = name(request)
        for wrong in self._wrong:
            if re.fullmatch(wrong[0], named):
                self._wrong.remove(wrong)
                if wrong[1] is not DONE:
                    return wrong[1]
                await self._inner.handle_async_request(request)
                raise httpx.ReadTimeout(named)
        answer = await self._inner.handle_async_request(request)
        for what, change in self._always.items():
            if re.fullmatch(what, named):
                return httpx.Response(answer.status_code, json=change(json.loads(await answer.aread())))
        return answer

    async def aclose(self) -> None:
        pass

    def driver(self, **settings: str) -> Any:
        http = httpx.AsyncClient(transport=self)
        return in_no_time(PROVIDER.connect(connection({**CREDENTIALS, **settings}, http, self.now)))

    async def known(self) -> Any:
        """A driver that has listed the locks, with nothing asked since."""
        driver = self.driver()
        await driver.list_locks()
        self.requests.clear()
        return driver

    @property
    def asked(self) -> list[str]:
        return [name(request) for request in self.requests]

    @property
    def guests(self) -> list[str]:
        """Whose codes are, or may come to be, on locks – with the doors they have."""
        people = [
            person for person in self.vendor.people.values() if self.vendor.status(person) in ("current", "upcoming")
        ]
        return [f"{person.said['name']}: {', '.join(person.accesses)}" for person in people]

    def opens(self, lock: LockRef = FRONT, at: datetime = STAY.starts) -> bool:
        self.now.at += timedelta(hours=1)
        return self.app.opens(lock, SPEC.pin.digits, at)


def name(request: httpx.Request) -> str:
    return f"{request.method} {request.url.path}"


def sent(request: httpx.Request) -> Any:
    return json.loads(request.content)


def refusal(status: int, *attributes: str, **body: Any) -> httpx.Response:
    errors = [{"attribute": each, "messages": ["no"], "full_messages": ["No"]} for each in attributes]
    return httpx.Response(status, json={"attributes": {}, "errors": errors} if attributes else body)


async def error_of(call: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await call
    return caught.value


# -- what goes over the wire ----------------------------------------------------------------------------------


async def test_a_code_is_a_guest_with_the_times_of_the_locks_clock_and_an_access():
    account = Account()
    driver = await account.known()
    written = await driver.set_code(FRONT, SPEC)
    assert written == Written(Receipt.ACCEPTED, CodeRef("person-1"))
    assert account.asked == ["POST /access_persons", "POST /access_persons/person-1/accesses"]
    assert sent(account.requests[0]) == {
        "type": "access_guest",
        "attributes": {
            "name": "Ada Lovelace",
            "pin": "012345",
            "starts_at": "2026-07-01T15:00:00",
            "ends_at": "2026-07-05T11:30:00",
        },
    }
    assert sent(account.requests[1]) == {"attributes": {"accessible_id": "front", "accessible_type": "lock"}}
    assert {request.headers["accept"] for request in account.requests} == {"application/vnd.lockstate.v1+json"}
    assert {request.headers["authorization"] for request in account.requests} == {"Bearer token"}


async def test_r19_a_change_is_one_request_for_the_guest():
    account = Account()
    driver = await account.known()
    written = await driver.set_code(FRONT, SPEC)
    account.requests.clear()
    changed = CodeSpec(Pin("987654"), "Grace Hopper", LATER)
    assert await driver.update_code(FRONT, written.ref, changed) == Written(Receipt.ACCEPTED, written.ref)
    assert account.asked == [f"PUT /access_persons/{written.ref}"]
    assert sent(account.requests[0])["attributes"] == {
        "name": "Grace Hopper",
        "pin": "987654",
        "starts_at": "2026-07-02T15:00:00",
        "ends_at": "2026-07-08T11:30:00",
    }


async def test_three_placements_cost_two_requests_each_and_one_look():
    """Making a code takes two writes; one list shows them all, so there is nothing else to ask for."""
    account = Account()
    driver = await account.known()
    await driver.list_codes(FRONT)
    for number in range(3):
        await driver.set_code(FRONT, CodeSpec(Pin(f"55550{number}"), f"Guest {number}", STAY))
    assert len(account.requests) == 1 + 3 * 2
    assert len(await driver.list_codes(FRONT)) == 3
    assert len(account.requests) == 1 + 3 * 2 + 1


async def test_r31_a_removed_guest_is_revoked_and_deactivated_and_the_digits_are_free():
    account = Account()
    driver = await account.known()
    written = await driver.set_code(FRONT, SPEC)
    assert account.opens()
    account.requests.clear()
    assert await driver.remove_code(FRONT, written.ref) is Receipt.ACCEPTED
    guest = f"/access_persons/{written.ref}"
    access = f"access-of-{written.ref}-to-front"
    assert account.asked == [f"DELETE {guest}/accesses/{access}", f"GET {guest}/accesses", f"PUT {guest}/deactivate"]
    assert not account.opens()
    assert account.vendor.people[written.ref].deactivated
    assert await driver.set_code(BACK, CodeSpec(SPEC.pin, "Grace Hopper", LATER))


async def test_a_driver_that_has_not_looked_finds_the_access_to_revoke():
    account = Account()
    written = await account.driver().set_code(FRONT, SPEC)
    assert await account.driver().remove_code(FRONT, written.ref) is Receipt.ACCEPTED
    assert account.guests == []


async def test_a_guest_whose_access_was_revoked_by_hand_is_gone_and_deactivated():
    account = Account()
    written = await account.driver().set_code(FRONT, SPEC)
    person = account.vendor.people[written.ref]
    account.vendor.take_off(person, FRONT)
    assert isinstance(await error_of(account.driver().remove_code(FRONT, written.ref)), CodeGone)
    assert person.deactivated


async def test_a_removal_that_cannot_deactivate_the_guest_is_done_all_the_same():
    account = Account()
    driver = await account.known()
    written = await driver.set_code(FRONT, SPEC)
    assert account.opens()
    account.wrong(r"PUT /access_persons/[^/]+/deactivate", httpx.Response(500))
    assert await driver.remove_code(FRONT, written.ref) is Receipt.ACCEPTED
    assert not account.opens()


# -- one guest, several doors ---------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [False, True])
async def test_the_same_code_on_two_locks_is_one_guest_because_digits_are_unique_in_an_account(at_once):
    account = Account()
    driver = await account.known()
    if at_once:
        written = await asyncio.gather(*(driver.set_code(lock, SPEC) for lock in (FRONT, BACK)))
    else:
        written = [await driver.set_code(lock, SPEC) for lock in (FRONT, BACK)]
    assert written[0].ref == written[1].ref
    assert sorted(account.guests[0].removeprefix("Ada Lovelace: ").split(", ")) == ["back", "front"]
    assert account.opens(FRONT)
    assert account.opens(BACK)


async def test_a_guest_taken_off_one_lock_keeps_the_other():
    account = Account()
    driver = await account.known()
    written = [await driver.set_code(lock, SPEC) for lock in (FRONT, BACK)]
    await driver.remove_code(FRONT, written[0].ref)
    assert account.guests == ["Ada Lovelace: back"]
    assert account.opens(BACK)
    assert not account.opens(FRONT)


async def test_a_guest_with_another_door_is_not_taken_back_when_a_lock_refuses_them():
    account = Account()
    driver = await account.known()
    await driver.set_code(FRONT, SPEC)
    account.wrong(GRANT, refusal(422, "base"))
    await error_of(driver.set_code(BACK, SPEC))
    assert account.guests == ["Ada Lovelace: front"]


@pytest.mark.parametrize("other", [CodeSpec(SPEC.pin, "Grace Hopper", STAY), CodeSpec(SPEC.pin, SPEC.name, LATER)])
async def test_r11_digits_of_another_guest_of_the_account_are_taken(other):
    account = Account()
    driver = await account.known()
    await driver.set_code(FRONT, SPEC)
    assert isinstance(await error_of(driver.set_code(BACK, other)), PinTaken)
    assert account.guests == ["Ada Lovelace: front"]


# -- half done ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [PEOPLE, GRANT])
async def test_r22_whichever_answer_is_lost_the_next_attempt_makes_one_guest_with_one_access(lost):
    account = Account()
    driver = await account.known()
    account.wrong(lost)
    assert isinstance(await error_of(driver.set_code(FRONT, SPEC)), OutcomeUnknown)
    written = await driver.set_code(FRONT, SPEC)
    assert account.guests == ["Ada Lovelace: front"]
    assert [code.ref for code in await driver.list_codes(FRONT)] == [written.ref]
    assert account.opens()


async def test_law_5_a_grant_whose_answer_was_lost_is_found_by_the_next_look():
    account = Account()
    driver = await account.known()
    account.wrong(GRANT)
    await error_of(driver.set_code(FRONT, SPEC))
    code = (await driver.list_codes(FRONT))[0]
    assert (code.pin, code.name, code.window) == (SPEC.pin, SPEC.name, SPEC.window)


async def test_a_grant_that_could_not_be_asked_for_is_made_up_by_the_next_attempt():
    account = Account()
    driver = await account.known()
    account.wrong(GRANT, httpx.Response(503))
    assert isinstance(await error_of(driver.set_code(FRONT, SPEC)), Unreachable)
    assert account.guests == ["Ada Lovelace: "]
    await driver.set_code(FRONT, SPEC)
    assert account.guests == ["Ada Lovelace: front"]


async def test_no_guest_is_left_behind_when_the_lock_refuses_them():
    account = Account()
    driver = await account.known()
    account.wrong(GRANT, refusal(422, "base"))
    assert type(await error_of(driver.set_code(FRONT, SPEC))) is Rejected
    assert account.guests == []


async def test_a_guest_who_could_not_be_taken_back_is_found_again():
    account = Account()
    driver = await account.known()
    account.wrong(GRANT, refusal(422, "base"))
    account.wrong(r"PUT /access_persons/[^/]+/deactivate")
    assert type(await error_of(driver.set_code(FRONT, SPEC))) is Rejected
    account.vendor.people["person-1"].deactivated = False
    await driver.set_code(FRONT, SPEC)
    assert account.guests == ["Ada Lovelace: front"]


async def test_an_access_the_guest_has_already_is_what_was_wanted():
    account = Account()
    driver = await account.known()
    first = await driver.set_code(FRONT, SPEC)
    assert await driver.set_code(FRONT, SPEC) == first
    assert account.guests == ["Ada Lovelace: front"]


async def test_the_guest_left_behind_is_looked_for_among_the_newest():
    account = Account()
    for number in range(60):
        account.app.add_by_hand(BACK, f"Colleague {number}", f"77{number:04}")
    driver = await account.known()
    account.wrong(PEOPLE)
    await error_of(driver.set_code(FRONT, SPEC))
    account.requests.clear()
    await driver.set_code(FRONT, SPEC)
    assert account.asked == ["POST /access_persons", "GET /access_persons", "POST /access_persons/person-61/accesses"]


async def test_a_guest_whose_time_is_over_is_window_refused_and_never_granted():
    account = Account()
    past = Window(datetime(2026, 3, 1, 13, tzinfo=UTC), datetime(2026, 3, 5, 9, tzinfo=UTC))
    assert isinstance(await error_of(account.driver().set_code(FRONT, CodeSpec(SPEC.pin, "Ada", past))), WindowRefused)
    assert not [asked for asked in account.asked if asked.endswith("/accesses")]
    assert account.guests == []


# -- the lock's clock -----------------------------------------------------------------------------------------

FOLD = datetime(2026, 10, 25, tzinfo=UTC)
"""In Berlin 2:00–3:00 comes twice: at 0:00 and at 1:00 UTC."""


@pytest.mark.parametrize(
    ("starts", "ends", "told"),
    [
        (FOLD.replace(hour=0, minute=30), FOLD.replace(hour=9), ("02:30", "10:00")),
        (FOLD.replace(day=24, hour=9), FOLD.replace(hour=1, minute=30), ("11:00", "02:30")),
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC), ("01:30", "03:00")),
    ],
)
async def test_a_doubled_hour_is_read_in_favour_of_the_guest(starts, ends, told):
    account = Account()
    await account.driver().set_code(FRONT, CodeSpec(SPEC.pin, "Ada", Window(starts, ends)))
    made = next(request for request in account.requests if name(request) == "POST /access_persons")
    assert tuple(sent(made)["attributes"][key][11:16] for key in ("starts_at", "ends_at")) == told
    assert (await account.driver().list_codes(FRONT))[0].window == Window(starts, ends)


@pytest.mark.parametrize(
    "window",
    [
        Window(FOLD.replace(hour=1, minute=30), FOLD.replace(hour=9)),
        Window(FOLD.replace(day=24, hour=9), FOLD.replace(hour=0, minute=30)),
    ],
)
async def test_a_time_that_the_doubled_hour_hides_does_not_look_changed_by_hand(window):
    account = Account()
    driver = account.driver()
    written = await driver.set_code(FRONT, CodeSpec(SPEC.pin, "Ada", window))
    assert (await driver.list_codes(FRONT))[0].window == window
    await driver.update_code(FRONT, written.ref, SPEC)
    assert (await driver.list_codes(FRONT))[0].window == STAY


async def test_a_time_somebody_typed_that_the_clocks_skip_is_read_as_the_hour_after():
    account = Account()
    account.now.at = datetime(2026, 3, 1, tzinfo=UTC)
    ref = account.app.add_by_hand(FRONT, "Cleaner", "4711", STAY)
    driver = await account.known()
    await driver.list_codes(FRONT)
    account.vendor.people[ref].said |= {"starts_at": "2026-03-29T02:30:00", "ends_at": "2026-03-29T04:00:00"}
    window = (await driver.list_codes(FRONT))[0].window
    assert window == Window(datetime(2026, 3, 29, 1, 30, tzinfo=UTC), datetime(2026, 3, 29, 2, 0, tzinfo=UTC))


async def test_each_lock_has_the_clock_of_its_own_location():
    account = Account(zone="America/Denver")
    driver = await account.known()
    await driver.set_code(FRONT, SPEC)
    said = sent(account.requests[0])["attributes"]
    assert (said["starts_at"], said["ends_at"]) == ("2026-07-01T07:00:00", "2026-07-05T03:30:00")


async def test_a_location_whose_zone_nobody_knows_keeps_codes_from_being_told_wrong_times():
    account = Account()
    account.told(
        "GET /locations", lambda body: {**body, "data": [{**body["data"][0], "attributes": {"time_zone": "Mars"}}]}
    )
    driver = account.driver()
    assert [lock.zone for lock in await driver.list_locks()] == [None, None]
    assert isinstance(await error_of(driver.set_code(FRONT, SPEC)), Unreachable)
    assert isinstance(await error_of(driver.list_codes(FRONT)), Unreachable)
    assert account.vendor.people == {}


async def test_r25_a_standing_code_can_be_given_an_end_in_place():
    account = Account()
    driver = await account.known()
    backup = CodeSpec(SPEC.pin, "Backup 1", None)
    written = await driver.set_code(FRONT, backup)
    assert (await driver.list_codes(FRONT))[0].window is None
    assert account.opens(at=datetime(2031, 1, 1, tzinfo=UTC))
    await driver.update_code(FRONT, written.ref, CodeSpec(SPEC.pin, "Backup 1", STAY))
    assert (await driver.list_codes(FRONT))[0].window == STAY
    assert not account.opens(at=STAY.ends)


async def test_a_window_that_never_ends_is_refused():
    error = await error_of(Account().driver().set_code(FRONT, CodeSpec(SPEC.pin, "Ada", Window(STAY.starts, None))))
    assert isinstance(error, WindowRefused)


# -- looking --------------------------------------------------------------------------------------------------


async def test_strangers_are_listed_whoever_they_are():
    account = Account()
    account.app.add_by_hand(FRONT, "Owner", "2468")
    account.app.add_by_hand(FRONT, "Plumber", "1357", STAY)
    owner, plumber = await account.driver().list_codes(FRONT)
    assert (owner.name, owner.pin, owner.window) == ("Owner", Pin("2468"), None)
    assert (plumber.name, plumber.pin, plumber.window) == ("Plumber", Pin("1357"), STAY)


async def test_somebody_with_a_card_takes_up_room_and_has_no_digits():
    account = Account()
    account.app.add_by_hand(FRONT, "Owner", "2468")
    account.told(LOOK, lambda body: replaced(body, pin=None))
    assert [(code.name, code.pin) for code in await account.driver().list_codes(FRONT)] == [("Owner", None)]


@pytest.mark.parametrize("status", ["expired", "deactivated"])
async def test_people_whose_time_is_over_are_not_on_the_lock(status):
    account = Account()
    account.app.add_by_hand(FRONT, "Owner", "2468")
    account.told(LOOK, lambda body: replaced(body, status=status))
    assert await account.driver().list_codes(FRONT) == []


def replaced(body: Any, **said: Any) -> Any:
    for access in body["data"]:
        access["relationships"]["access_person"]["attributes"] |= said
    return body


async def test_people_who_are_not_included_in_the_look_are_listed_once_for_all_of_them():
    account = Account()
    driver = await account.known()
    for number in range(3):
        await driver.set_code(FRONT, CodeSpec(Pin(f"55550{number}"), f"Guest {number}", STAY))
    account.told(LOOK, lambda body: {**body, "data": [{**each, "relationships": {}} for each in body["data"]]})
    account.requests.clear()
    codes = await driver.list_codes(FRONT)
    assert [code.name for code in codes] == ["Guest 0", "Guest 1", "Guest 2"]
    assert account.asked == [LOOK, "GET /access_persons"]


async def test_somebody_let_in_by_way_of_a_location_is_one_code():
    account = Account()
    driver = await account.known()
    written = await driver.set_code(FRONT, SPEC)

    def doubled(body: Any) -> Any:
        access = body["data"][0]
        other = {**access, "id": "by-location", "attributes": {**access["attributes"], "accessible_id": "house"}}
        return {"data": [access, other], "meta": {**body["meta"], "total_count": 2}}

    account.told(LOOK, doubled)
    assert [code.ref for code in await driver.list_codes(FRONT)] == [written.ref]
    account.requests.clear()
    await driver.remove_code(FRONT, written.ref)
    assert account.asked[0].endswith(f"/access-of-{written.ref}-to-front")


async def test_a_long_list_is_read_to_its_end_fifty_at_a_time():
    account = Account()
    for number in range(120):
        account.app.add_by_hand(FRONT, f"Colleague {number}", f"77{number:04}")
    driver = await account.known()
    codes = await driver.list_codes(FRONT)
    assert len({code.ref for code in codes}) == 120
    queries = [dict(request.url.params) for request in account.requests]
    assert queries == [{"include": "access_person", "page": str(n), "per_page": "50"} for n in (1, 2, 3)]


async def test_law_4_a_list_that_got_shorter_while_it_was_read_is_no_answer():
    account = Account()
    for number in range(60):
        account.app.add_by_hand(FRONT, f"Colleague {number}", f"77{number:04}")
    driver = await account.known()

    def somebody_leaves(body: Any) -> Any:
        for ref in tuple(account.app.locks[FRONT].codes)[:1]:
            account.app.delete_by_hand(FRONT, ref)
        return body

    account.told(LOOK, somebody_leaves)
    assert isinstance(await error_of(driver.list_codes(FRONT)), Unreachable)


async def test_law_4_pages_that_are_empty_too_soon_are_no_answer():
    account = Account()
    account.told(LOOK, lambda body: {"data": [], "meta": {**body["meta"], "total_pages": 10**9, "total_count": 5}})
    assert isinstance(await error_of(account.driver().list_codes(FRONT)), Unreachable)
    assert account.asked.count(LOOK) == 1


@pytest.mark.parametrize(
    ("counts", "state", "kind"),
    [
        ((1, 1, 0), CodeState.SET, None),
        ((1, 0, 0), CodeState.SETTING, None),
        ((0, 0, 0), CodeState.SETTING, None),
        ((1, 0, 1), CodeState.SETTING, Kind.REJECTED),
        ((3, 2, 1), CodeState.SETTING, Kind.REJECTED),
    ],
)
async def test_a_code_is_set_when_the_lock_has_fetched_it(counts, state, kind):
    account = Account()
    account.app.add_by_hand(FRONT, "Owner", "2468")

    def counted(body: Any) -> Any:
        names = ("devices_count", "devices_synced_count", "devices_failed_sync_count")
        body["data"][0]["attributes"] |= dict(zip(names, counts, strict=True))
        return body

    account.told(LOOK, counted)
    code: SeenCode = (await account.driver().list_codes(FRONT))[0]
    assert code.state is state
    assert (code.trouble and code.trouble.kind) == kind


# -- locks ----------------------------------------------------------------------------------------------------


def a_device(kind: str = "lock", **said: Any) -> Callable[[Any], Any]:
    """The answer with one device of this type."""
    usual = {"name": "Door", "connected": True, "location_id": "location-Europe-Berlin", "model_id": "model-lock"}
    page = {"page": 1, "per_page": 50, "total_count": 1, "total_pages": 1}
    device = {"id": "d1", "type": kind, "attributes": {**usual, **said}, "links": {}}
    return lambda _: {"data": [device], "meta": page}


@pytest.mark.parametrize("kind", ["resort_lock", "acs_door", "thermostat", "power_plug", "igloo_lock"])
async def test_what_has_no_keypad_for_guests_is_no_lock(kind):
    account = Account()
    account.told("GET /devices", a_device(kind))
    assert await account.driver().list_locks() == []


async def test_a_model_without_keypad_is_no_lock():
    account = Account()
    model = {"id": "model-lock", "type": "model", "attributes": {"capabilities": {"pin_credential": False}}}
    account.told("GET /models", lambda body: {"data": [model], "meta": {**body["meta"], "total_count": 1}})
    assert await account.driver().list_locks() == []


@pytest.mark.parametrize(
    ("device", "within"),
    [({"heartbeat_interval": 43200}, 24.25), ({"heartbeat_interval": 0}, 0.25), ({"heartbeat_interval": None}, 0.25)],
)
async def test_a_lock_that_sleeps_long_is_given_the_time_to_wake_up(device, within):
    account = Account()
    account.told("GET /devices", a_device(**device))
    assert (await account.driver().list_locks())[0].capabilities.confirm_within == timedelta(hours=within)


async def test_r17_a_lock_that_is_told_of_guests_when_their_time_begins_is_asked_shortly_before():
    locks = await Account("zwave_lock").driver().list_locks()
    assert {lock.capabilities.lead for lock in locks} == {timedelta(minutes=10)}
    assert {lock.capabilities.lead for lock in await Account().driver().list_locks()} == {timedelta(days=3)}


async def test_r13_how_many_digits_a_lock_takes_follows_from_its_type():
    lengths = {kind: (await Account(kind).driver().list_locks())[0].capabilities.pin_rules.lengths for kind in RULES}
    assert lengths["lock"] == frozenset(range(4, 11))
    assert lengths["zwave_lock"] == lengths["schlage_home_lock"] == frozenset(range(4, 9))


@pytest.mark.parametrize(
    ("said", "online", "battery"),
    [
        ({"alive": True, "connected": False, "power_level": 50}, True, 0.5),
        ({"alive": False, "connected": False, "power_level": 5}, False, 0.05),
        ({"connected": True, "power_level": 100}, True, 1.0),
        ({"connected": False, "power_level": None}, False, None),
        ({"alive": None, "connected": True}, True, None),
    ],
)
async def test_a_sleeping_lock_is_online_while_its_heartbeat_comes(said, online, battery):
    account = Account()
    account.told("GET /devices", a_device(**said))
    status = (await account.driver().list_locks())[0].status
    assert (status.online, status.battery) == (online, battery)


async def test_what_is_known_of_the_locks_is_asked_for_anew_after_an_hour():
    account = Account()
    driver = await account.known()
    await driver.list_codes(FRONT)
    account.now.at += timedelta(minutes=59)
    await driver.list_codes(FRONT)
    assert account.asked == [LOOK, LOOK]
    account.now.at += timedelta(minutes=1)
    await asyncio.gather(*(driver.list_codes(lock) for lock in (FRONT, BACK)))
    assert account.asked[2:5] == ["GET /devices", "GET /locations", "GET /models"]
    assert account.asked.count("GET /devices") == 1


@pytest.mark.parametrize(
    ("said", "receipt"),
    [
        ({"state": "unlocked"}, Receipt.DONE),
        ({"state": "locked", "alive": True, "connected": False}, Receipt.ACCEPTED),
        ({"state": "locked", "alive": False, "pending_state": "unlock"}, Receipt.ACCEPTED),
    ],
)
async def test_a_door_is_opened_now_or_when_the_lock_wakes_up(said, receipt):
    account = Account()
    account.wrong("PUT /devices/front/unlock", httpx.Response(200, json={"data": {"attributes": said}}))
    assert await account.driver().open_door(FRONT) is receipt
    assert account.asked == ["PUT /devices/front/unlock"]


# -- how it says no -------------------------------------------------------------------------------------------

SUBSCRIPTION = {"message": "no", "type": "billing_subscription_required"}
ADD, CHANGE, REVOKE = PEOPLE, r"PUT /access_persons/[^/]+", r"DELETE /access_persons/.*"


@pytest.mark.parametrize(
    ("what", "answer", "error"),
    [
        (ADD, refusal(401), TokenRefused),
        (ADD, refusal(402, **SUBSCRIPTION), AccountRefused),
        (ADD, refusal(422, **SUBSCRIPTION), AccountRefused),
        (ADD, refusal(403), AccountRefused),
        (ADD, refusal(404), Rejected),
        (ADD, refusal(409), PinTaken),
        (ADD, refusal(422, "pin"), PinTaken),
        (ADD, refusal(422, "name"), NameRefused),
        (ADD, refusal(422, "base", "name"), NameRefused),
        (ADD, refusal(422, "starts_at"), WindowRefused),
        (ADD, refusal(422, "ends_at"), WindowRefused),
        (ADD, refusal(422, "email"), Rejected),
        (ADD, refusal(400, message="no"), Rejected),
        (ADD, refusal(429), RateLimited),
        (ADD, refusal(500), OutcomeUnknown),
        (ADD, refusal(502), OutcomeUnknown),
        (ADD, refusal(503), Unreachable),
        (GRANT, refusal(402, **SUBSCRIPTION), AccountRefused),
        (GRANT, refusal(403), AccountRefused),
        (GRANT, refusal(404), LockNotFound),
        (GRANT, refusal(422, "pin"), PinRefused),
        (GRANT, refusal(422, "accessible"), Rejected),
        (GRANT, refusal(504), OutcomeUnknown),
        (CHANGE, refusal(402, **SUBSCRIPTION), AccountRefused),
        (CHANGE, refusal(403), CodeGone),
        (CHANGE, refusal(404), CodeGone),
        (CHANGE, refusal(409), PinTaken),
        (CHANGE, refusal(422, "pin"), PinTaken),
        (CHANGE, refusal(422, "name"), NameRefused),
        (CHANGE, refusal(422, "ends_at"), WindowRefused),
        (CHANGE, refusal(502), OutcomeUnknown),
        (REVOKE, refusal(403), AccountRefused),
        (REVOKE, refusal(404), CodeGone),
        (REVOKE, refusal(429), RateLimited),
        (REVOKE, refusal(503), Unreachable),
        (LOOK, refusal(402, **SUBSCRIPTION), AccountRefused),
        (LOOK, refusal(404), LockNotFound),
        (LOOK, refusal(429), RateLimited),
        ("PUT /devices/front/unlock", refusal(404), LockNotFound),
        ("PUT /devices/front/unlock", refusal(409), Rejected),
        ("PUT /devices/front/unlock", refusal(200, data={"attributes": {"state": "locked"}}), LockOffline),
    ],
)
async def test_every_refusal_says_what_to_do_next(what, answer, error):
    account = Account()
    driver = await account.known()
    calls = {CHANGE: "update_code", REVOKE: "remove_code", LOOK: "list_codes"}
    verb = "open_door" if what.endswith("unlock") else calls.get(what, "set_code")
    ref = (await driver.set_code(FRONT, SPEC)).ref if verb in ("update_code", "remove_code") else None
    arguments = {"set_code": (SPEC,), "update_code": (ref, SPEC), "remove_code": (ref,)}.get(verb, ())
    for _ in range(2 if error is TokenRefused else 1):  # asked once more after signing in anew
        account.wrong(what, answer)
    raised = await error_of(getattr(driver, verb)(FRONT, *arguments))
    assert type(raised) is error
    assert raised.remedy is error.remedy
    shown = f"{raised!r} {''.join(traceback.format_exception(raised))} {driver!r} {driver._vendor!r}"
    assert not [secret for secret in (SPEC.pin.digits, "secret", "Bearer") if secret in shown]


async def test_r13_digits_of_a_length_no_account_takes_are_refused_and_not_taken():
    account = Account()
    error = await error_of(account.driver().set_code(FRONT, CodeSpec(Pin("12345678901"), "Ada", STAY)))
    assert isinstance(error, PinRefused)


async def test_r26_a_full_lock_is_known_by_its_list_and_leaves_no_guest():
    account = Account("zwave_lock")
    account.app.fill(FRONT)
    error = await error_of(account.driver().set_code(FRONT, SPEC))
    assert isinstance(error, LockFull)
    assert error.remedy is Remedy.ASK
    assert not [guest for guest in account.guests if guest.startswith("Ada")]


async def test_a_code_without_digits_is_not_asked_for():
    account = Account()
    assert isinstance(await error_of(account.driver().set_code(FRONT, CodeSpec(None, "Ada", STAY))), Rejected)
    assert PEOPLE not in account.asked


# -- 120 requests a minute ------------------------------------------------------------------------------------


class Counting:
    """A pace that keeps what it hears."""

    def __init__(self) -> None:
        self.turns = 0
        self.heards: list[tuple[int, datetime]] = []

    async def turn(self) -> None:
        self.turns += 1

    async def heard(self, remaining: int, resets_at: datetime) -> None:
        self.heards.append((remaining, resets_at))


def paced(answer: httpx.Response | None = None) -> tuple[Any, Counting]:
    account, pace = Account(), Counting()
    if answer is not None:
        account.wrong("GET /devices", answer)
    http = httpx.AsyncClient(transport=account)
    return in_no_time(PROVIDER.connect(connection(CREDENTIALS, http, account.now, pace=pace))), pace


async def test_every_request_waits_for_its_turn_and_tells_how_many_are_left():
    driver, pace = paced()
    await driver.list_locks()
    assert PROVIDER.rate == Rate(120, timedelta(minutes=1))
    assert pace.turns == 3
    assert pace.heards == [(119, datetime(2026, 3, 28, 9, 17, tzinfo=UTC))] * 3


async def test_a_throttled_account_rests_until_the_count_begins_anew():
    headers = {"X-RateLimit-Limit": "120", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1774689480"}
    driver, pace = paced(httpx.Response(429, headers=headers, json={"message": "exceeded the rate limit"}))
    assert isinstance(await error_of(driver.list_locks()), RateLimited)
    assert pace.heards == [(0, datetime(2026, 3, 28, 9, 18, tzinfo=UTC))]


@pytest.mark.parametrize(
    ("remaining", "resets"), [("", ""), ("many", "1"), ("1", "9" * 30), ("-1", "1"), ("1", "soon")]
)
async def test_headers_that_make_no_sense_are_not_heard(remaining, resets):
    headers = {"X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": resets}
    driver, pace = paced(
        httpx.Response(200, headers=headers, json={"data": [], "meta": {"total_pages": 0, "total_count": 0}})
    )
    await driver.list_locks()
    assert len(pace.heards) == 2


# -- signing in -----------------------------------------------------------------------------------------------


def signing_in(**settings: str) -> tuple[Account, Any]:
    account = Account()
    http = httpx.AsyncClient(transport=account)
    tokens = DraftTokens(account)  # type: ignore[arg-type]
    account.vendor.tokens = {"token", "access-2", "access-3"}
    known = connection({**CREDENTIALS, **settings}, http, account.now, tokens)
    return account, in_no_time(PROVIDER.connect(known))


def forms(account: Account) -> list[dict[str, str]]:
    sign_ins = [request for request in account.requests if name(request) == "POST /oauth/token"]
    return [{key: values[0] for key, values in parse_qs(request.content.decode()).items()} for request in sign_ins]


async def test_an_account_of_ones_own_signs_in_with_its_client():
    account, driver = signing_in()
    await driver.check_lock(FRONT)
    await driver.check_lock(FRONT)
    client = {"client_id": "client", "client_secret": "secret"}
    assert forms(account) == [{"grant_type": "client_credentials", **client}]
    assert account.requests[0].headers["content-type"] == "application/x-www-form-urlencoded"


async def test_each_refresh_token_is_used_once_and_followed_by_the_next():
    account, driver = signing_in(refresh_token="refresh-1")
    await driver.check_lock(FRONT)
    assert account.requests[-1].headers["authorization"] == "Bearer access-2"
    account.now.at += timedelta(hours=2)
    await driver.check_lock(FRONT)
    assert account.requests[-1].headers["authorization"] == "Bearer access-3"
    assert [form["refresh_token"] for form in forms(account)] == ["refresh-1", "refresh-2"]


async def test_a_token_that_is_not_taken_any_more_is_fetched_anew():
    account, driver = signing_in(refresh_token="refresh-1")
    await driver.check_lock(FRONT)
    account.vendor.tokens = set()
    assert (await driver.check_lock(FRONT)).online
    assert account.requests[-1].headers["authorization"] == "Bearer access-3"


@pytest.mark.parametrize("wrong", [{"client_secret": "guess"}, {"refresh_token": "used-up"}])
async def test_wrong_credentials_are_account_refused_and_not_shown(wrong):
    _, driver = signing_in(**wrong)
    error = await error_of(driver.check_lock(FRONT))
    assert isinstance(error, AccountRefused)
    shown = f"{''.join(traceback.format_exception(error))} {driver._vendor!r}"
    assert not [secret for secret in ("guess", "used-up", "'secret'") if secret in shown]


async def test_the_form_asks_for_no_address_and_hides_its_secrets():
    fields = {field.name: field for field in PROVIDER.fields}
    assert {name for name, field in fields.items() if field.secret} == {"client_secret", "refresh_token"}
    assert {name for name, field in fields.items() if field.default is None} == {"client_id", "client_secret"}
    assert (fields["url"].default, fields["sign_in"].default) == (
        "https://api.remotelock.com",
        "https://connect.remotelock.com",
    )


# -- webhooks -------------------------------------------------------------------------------------------------

SECRET = "long-and-invented"


def an_event(kind: str = "access_person_synced_event", **said: Any) -> dict[str, Any]:
    usual = {
        "source": "user",
        "status": "succeeded",
        "time_zone": "America/Denver",
        "publisher_id": "front",
        "publisher_type": "lock",
        "associated_resource_id": "person-1",
        "associated_resource_type": "access_guest",
    }
    return {"data": {"type": kind, "attributes": {**usual, **said}, "id": "event-1", "links": {}}}


def delivery(body: Any, secret: str = SECRET) -> Delivery:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery({"x-secret": secret}, raw, datetime(2026, 5, 4, tzinfo=UTC))


@pytest.mark.parametrize(
    "kind",
    [
        "access_person_synced",
        "access_person_sync_failed",
        "access_guest_late_sync",
        "unlocked",
        "access_denied",
        "connectivity",
        "power_level_low",
        "battery_replaced",
    ],
)
def test_an_event_of_a_lock_leads_to_a_look_at_it(kind):
    assert HOOK.read(delivery(an_event(f"{kind}_event"))) == [LookAt((FRONT,))]


def test_an_event_of_a_person_leads_to_a_look_at_the_lock_where_it_happened():
    used = an_event(
        "access_person_used_event",
        publisher_id="person-1",
        publisher_type="access_guest",
        associated_resource_id="back",
        associated_resource_type="zwave_lock",
    )
    assert HOOK.read(delivery(used)) == [LookAt((BACK,))]


@pytest.mark.parametrize(
    "body",
    [
        an_event("temperature_changed_event"),
        an_event("locked_event"),
        an_event(7),
        an_event(publisher_type="thermostat"),
        an_event(publisher_id=None),
        an_event(publisher_id=""),
        an_event(publisher_type=["lock"]),
    ],
)
def test_an_event_that_says_nothing_of_codes_is_ignored(body):
    assert isinstance(HOOK.read(delivery(body))[0], Ignored)


@pytest.mark.parametrize(
    "body",
    [b"", b"data=1", b"[]", b"null", b'"x"', b'{"data": 1}', b'{"data": {}}', b'{"data": {"attributes": []}}', b"\xff"],
)
def test_nonsense_is_unreadable_and_still_has_a_key(body):
    with pytest.raises(Unreadable):
        HOOK.read(delivery(body))
    assert HOOK.dedupe_key(delivery(body)).startswith("sha256:")


def test_a_repeated_event_has_the_same_key():
    assert HOOK.dedupe_key(delivery(an_event())) == HOOK.dedupe_key(delivery(an_event(status="failed"))) == "id:event-1"


@pytest.mark.parametrize("secret", ["", "forged", SECRET.upper(), SECRET + "x"])
def test_only_the_secret_of_the_subscription_opens(secret):
    now = datetime(2026, 5, 4, tzinfo=UTC)
    HOOK.authenticate(delivery(an_event()), SECRET, now)
    with pytest.raises(Unauthenticated):
        HOOK.authenticate(delivery(an_event(), secret), SECRET, now)
    with pytest.raises(Unauthenticated):
        HOOK.authenticate(delivery(an_event(), ""), "", now)
