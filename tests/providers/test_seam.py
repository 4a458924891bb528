"""What a host notices of the Seam driver beyond what every driver promises: its words, its webhooks, what it costs."""

import json
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from lockbridge import signatures
from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    CodeState,
    LockFull,
    LockNotFound,
    LockOffline,
    LookAt,
    NameRefused,
    NameTaken,
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    ProviderError,
    RateLimited,
    Receipt,
    Rejected,
    Unreachable,
    WindowRefused,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, LockClass, NameRules, PinRules
from lockbridge.inbound import Delivery, Ignored, Unauthenticated, Unreadable
from providers.seam import PROVIDER
from providers.seam.hook import ACCOUNT_EVENTS, LOCK_EVENTS
from providers.seam.locks import NATIVE
from providers.seam.words import OF_THE_LOCK, TROUBLES
from tests.contract.brands import in_no_time
from tests.contract.harness import Clock, connection

NOW = datetime(2026, 6, 10, 12, 30, tzinfo=UTC)
DOOR, ELSEWHERE = LockRef("d-1"), LockRef("d-2")
CODE = CodeRef("c-1")
STAY = Window(datetime(2026, 6, 14, 20, tzinfo=UTC), datetime(2026, 6, 16, 15, tzinfo=UTC))
SPEC = CodeSpec(Pin("048392"), "Ida Example", STAY)
KEY = "seam_invented_key"
SECRET = signatures.standard_secret(b"an invented key of 32 bytes, no.3")
HOOK = PROVIDER.hook
assert HOOK is not None


def a_code(**facts: Any) -> dict[str, Any]:
    """A code as Seam lists it: ours, on the lock."""
    return {
        "access_code_id": CODE,
        "device_id": DOOR,
        "name": "Ida Example",
        "code": "048392",
        "type": "time_bound",
        "starts_at": "2026-06-14T20:00:00.000Z",
        "ends_at": "2026-06-16T15:00:00.000Z",
        "status": "set",
        "errors": [],
        "warnings": [],
        **facts,
    }


def a_device(**facts: Any) -> dict[str, Any]:
    properties = {"online": True, "battery": {"level": 0.8, "status": "good"}, **facts.pop("properties", {})}
    return {"device_id": DOOR, "device_type": "august_lock", "display_name": "Front door", **facts} | {
        "properties": properties
    }


def attempt(status: str, error: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"action_attempt": {"action_attempt_id": "a-1", "status": status, "result": None, "error": error}}


def refusal(kind: str, **fields: Any) -> dict[str, Any]:
    return {"ok": False, "error": {"type": kind, "message": f"words with 048392 and {KEY}", **fields}}


@dataclass
class Seam:
    """A make-believe Seam that answers each path in one way, and the driver that asks it."""

    answers: dict[str, Any] = field(default_factory=dict)
    sent: list[tuple[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        usual = {
            "/locks/list": {"locks": [a_device()]},
            "/locks/get": {"lock": a_device()},
            "/locks/unlock_door": attempt("pending"),
            "/access_codes/list": {"access_codes": [a_code()]},
            "/access_codes/unmanaged/list": {"access_codes": []},
            "/access_codes/create": {"access_code": a_code(status="unset"), **attempt("pending")},
            "/access_codes/update": attempt("pending"),
            "/access_codes/delete": attempt("pending"),
        }
        self.answers = usual | self.answers
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.driver: Any = in_no_time(PROVIDER.connect(connection({"api_key": KEY}, http, Clock(NOW))))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.method == "POST"
        assert request.url.host == "connect.getseam.com"
        self.keys.add(request.headers["authorization"])
        self.sent.append((request.url.path, json.loads(request.content)))
        answer = self.answers[request.url.path]
        if callable(answer):
            answer = answer(self.sent[-1][1])
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return httpx.Response(status, json=body)


async def raised(call: Any) -> ProviderError:
    """What the call raises; it shows neither digits nor key."""
    with pytest.raises(ProviderError) as caught:
        await call
    shown = f"{caught.value}{caught.value!r}{''.join(traceback.format_exception(caught.value))}"
    assert "048392" not in shown
    assert KEY not in shown
    return caught.value


async def seen(**facts: Any) -> Any:
    """How a code is seen that Seam lists so."""
    (code,) = await Seam({"/access_codes/list": {"access_codes": [a_code(**facts)]}}).driver.list_codes(DOOR)
    return code


async def capabilities(**facts: Any) -> Capabilities:
    (lock,) = await Seam({"/locks/list": {"locks": [a_device(**facts)]}}).driver.list_locks()
    return lock.capabilities


def constrained(*constraints: str | Mapping[str, Any]) -> dict[str, Any]:
    each = [{"constraint_type": one} if isinstance(one, str) else one for one in constraints]
    return {"properties": {"code_constraints": each}}


# -- errors ---------------------------------------------------------------------------------------------------

VERBS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "list_locks": ("/locks/list", lambda driver: driver.list_locks()),
    "list_codes": ("/access_codes/list", lambda driver: driver.list_codes(DOOR)),
    "strangers": ("/access_codes/unmanaged/list", lambda driver: driver.list_codes(DOOR)),
    "check": ("/locks/get", lambda driver: driver.check_lock(DOOR)),
    "set": ("/access_codes/create", lambda driver: driver.set_code(DOOR, SPEC)),
    "update": ("/access_codes/update", lambda driver: driver.update_code(DOOR, CODE, SPEC)),
    "remove": ("/access_codes/delete", lambda driver: driver.remove_code(DOOR, CODE)),
    "open": ("/locks/unlock_door", lambda driver: driver.open_door(DOOR)),
}
WRITES = ("set", "update", "remove", "open")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, refusal("unauthorized"), AccountRefused),
        (403, refusal("forbidden"), AccountRefused),
        (404, refusal("device_not_found"), LockNotFound),
        (429, refusal("too_many_requests"), RateLimited),
        (503, refusal("service_unavailable"), Unreachable),
        (400, refusal("device_disconnected"), LockOffline),
        (400, refusal("invalid_input", validation_errors={"_errors": [], "device_id": {}}), LockNotFound),
    ],
)
async def test_an_error_that_may_come_with_any_call_is_the_one_with_the_right_remedy(verb, status, body, kind):
    path, call = VERBS[verb]
    assert type(await raised(call(Seam({path: (status, body)}).driver))) is kind


@pytest.mark.parametrize(
    ("verb", "status", "body", "kind"),
    [
        ("set", 409, refusal("duplicate_access_code"), PinTaken),
        ("update", 409, refusal("duplicate_access_code"), PinTaken),
        ("set", 409, refusal("something_new"), PinTaken),
        ("set", 400, refusal("invalid_input", validation_errors={"code": {"_errors": ["048392"]}}), PinRefused),
        ("set", 400, refusal("invalid_input", validation_errors={"name": {}}), NameRefused),
        ("set", 400, refusal("invalid_input", validation_errors={"ends_at": {}}), WindowRefused),
        ("set", 400, refusal("invalid_input", validation_errors={"starts_at": {}}), WindowRefused),
        ("set", 400, refusal("invalid_input", validation_errors={"_errors": []}), Rejected),
        ("set", 400, refusal("something_new"), Rejected),
        ("set", 400, refusal("no_space_for_access_code_on_device"), LockFull),
        ("set", 404, {}, LockNotFound),
        ("set", 500, refusal("internal_server_error"), OutcomeUnknown),
        ("set", 502, ["what is this"], OutcomeUnknown),
        ("list_codes", 500, refusal("internal_server_error"), Unreachable),
        ("strangers", 500, refusal("internal_server_error"), Unreachable),
        ("update", 404, refusal("access_code_not_found"), CodeGone),
        ("update", 404, {}, CodeGone),
        ("remove", 404, refusal("access_code_not_found"), CodeGone),
        ("remove", 400, refusal("invalid_input", validation_errors={"access_code_id": {}}), CodeGone),
        ("check", 404, {}, LockNotFound),
        ("open", 400, refusal("device_does_not_unlock"), Rejected),
        ("open", 200, attempt("error", {"type": "device_offline", "message": ""}), LockOffline),
        ("open", 200, attempt("error", {"type": "something_new", "message": ""}), Rejected),
        ("update", 200, attempt("error", {"type": "duplicate_code_on_device", "message": ""}), PinTaken),
        ("remove", 200, attempt("error", {"type": "failed_to_remove_from_device", "message": ""}), Rejected),
        ("open", 200, attempt("in a state nobody knows"), OutcomeUnknown),
    ],
)
async def test_an_error_of_one_call_is_the_one_with_the_right_remedy(verb, status, body, kind):
    path, call = VERBS[verb]
    assert type(await raised(call(Seam({path: (status, body)}).driver))) is kind


@pytest.mark.parametrize("verb", WRITES)
async def test_r22_a_write_is_sent_once(verb):
    path, call = VERBS[verb]
    seam = Seam({path: (500, refusal("internal_server_error"))})
    await raised(call(seam.driver))
    assert [sent for sent, _ in seam.sent] == [path]


@pytest.mark.parametrize("word", [word for word, kind in TROUBLES.items() if kind is AccountRefused])
async def test_trouble_with_one_brands_account_does_not_stop_the_locks_of_all_others(word):
    """One key stands for many accounts: AccountRefused would stop every call made with it."""
    assert type(await raised(Seam({"/access_codes/create": (400, refusal(word))}).driver.set_code(DOOR, SPEC))) is (
        LockOffline
    )


async def test_a_code_whose_first_attempt_failed_is_taken_since_seam_holds_it_now():
    failed = {"access_code": a_code(), **attempt("error", {"type": "duplicate_code_on_device", "message": ""})}
    written = await Seam({"/access_codes/create": failed}).driver.set_code(DOOR, SPEC)
    assert written == Written(Receipt.ACCEPTED, CODE)


async def test_a_code_that_is_gone_together_with_its_lock_is_lock_not_found():
    gone = refusal("access_code_not_found")
    seam = Seam({"/access_codes/delete": (404, gone), "/locks/get": (404, refusal("device_not_found"))})
    assert type(await raised(seam.driver.remove_code(DOOR, CODE))) is LockNotFound


# -- how a code is seen ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [*TROUBLES, "something_seam_invents_later"])
async def test_every_error_of_a_code_on_its_way_is_trouble_with_the_right_remedy(word):
    kind = TROUBLES.get(word, Rejected)
    code = await seen(status="setting", errors=[{"error_code": word, "message": "048392"}])
    assert code.state is CodeState.SETTING
    assert (code.trouble and (code.trouble.kind, code.trouble.remedy)) == (kind and (kind.kind, kind.remedy))
    assert "048392" not in str(code.trouble)


async def test_the_errors_that_matter_most_mean_what_they_should():
    assert TROUBLES["duplicate_code_on_device"] is PinTaken
    assert TROUBLES["no_space_for_access_code_on_device"] is LockFull
    assert TROUBLES["device_disconnected"] is TROUBLES["hub_disconnected"] is LockOffline
    assert TROUBLES["device_removed"] is LockNotFound
    assert TROUBLES["account_disconnected"] is TROUBLES["subscription_required"] is AccountRefused
    assert TROUBLES["august_lock_invalid_code_length"] is PinRefused
    assert TROUBLES["wyze_duplicate_code_name"] is NameTaken
    assert TROUBLES["failed_to_set_on_device"] is Rejected
    assert TROUBLES["empty_backup_access_code_pool"] is None


async def test_a_cause_says_more_than_its_consequence():
    words = ("failed_to_set_on_device", "no_space_for_access_code_on_device")
    code = await seen(status="setting", errors=[{"error_code": word, "message": ""} for word in words])
    assert code.trouble.kind == LockFull.kind


@pytest.mark.parametrize("word", [word for word, kind in TROUBLES.items() if kind in OF_THE_LOCK])
async def test_a_code_on_the_lock_stays_right_while_the_lock_cannot_be_reached(word):
    """Or else every outage of a hub would have all codes behind it asked for again."""
    code = await seen(status="set", errors=[{"error_code": word, "message": ""}])
    assert (code.state, code.trouble) == (CodeState.SET, None)


@pytest.mark.parametrize("word", ["duplicate_code_on_device", "access_code_inactive", "failed_to_set_on_device"])
async def test_a_code_on_the_lock_that_is_in_trouble_itself_says_so(word):
    assert (await seen(status="set", errors=[{"error_code": word, "message": ""}])).trouble is not None


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"status": "unset"}, CodeState.SETTING),
        ({"status": "setting"}, CodeState.SETTING),
        ({"status": "unknown"}, CodeState.SETTING),
        ({"status": "set"}, CodeState.SET),
        ({"status": "unset", "is_scheduled_on_device": True}, CodeState.SET),
        ({"status": "set", "code": None, "is_waiting_for_code_assignment": True}, CodeState.SETTING),
        ({"status": "removing"}, CodeState.REMOVING),
        ({"status": "set", "pending_mutations": [{"mutation_code": "deleting"}]}, CodeState.REMOVING),
        ({"status": "set", "warnings": [{"warning_code": "being_deleted"}]}, CodeState.REMOVING),
        ({"status": "set", "warnings": [{"warning_code": "delay_in_removing_from_device"}]}, CodeState.SET),
        ({"status": "set", "pending_mutations": [{"mutation_code": "updating_code"}]}, CodeState.SETTING),
        ({"status": "set", "pending_mutations": [{"mutation_code": "updating_time_frame"}]}, CodeState.SETTING),
        ({"status": "set", "pending_mutations": [{"mutation_code": "updating_name"}]}, CodeState.SET),
        ({"status": "unset", "pending_mutations": [{"mutation_code": "deferring_creation"}]}, CodeState.SETTING),
    ],
)
async def test_a_code_counts_as_set_only_when_seam_says_the_lock_has_it(facts, state):
    assert (await seen(**facts)).state is state


async def test_what_a_stranger_made_is_listed_whatever_it_is():
    strange = [
        a_code(access_code_id="c-2", code="GATE", name=None, starts_at=None, ends_at=None, status="set"),
        a_code(access_code_id="c-3", code=None, starts_at="2026-06-16T15:00:00Z", ends_at="2026-06-16T15:00:00Z"),
        a_code(access_code_id="c-4", device_id=ELSEWHERE),
    ]
    codes = {
        c.ref: c
        for c in await Seam({"/access_codes/unmanaged/list": {"access_codes": strange}}).driver.list_codes(DOOR)
    }
    assert set(codes) == {CODE, "c-2", "c-3"}
    assert (codes[CodeRef("c-2")].pin, codes[CodeRef("c-2")].name, codes[CodeRef("c-2")].window) == (None, None, None)
    assert (codes[CodeRef("c-3")].pin, codes[CodeRef("c-3")].window) == (None, None)


async def test_a_code_that_is_in_both_lists_is_one_code():
    both = {"access_codes": [a_code()]}
    assert len(await Seam({"/access_codes/unmanaged/list": both}).driver.list_codes(DOOR)) == 1


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in a_code().items() if key != name}


@pytest.mark.parametrize(
    "broken",
    [without("status"), without("device_id"), without("access_code_id"), a_code(starts_at="soon"), a_code(errors=[{}])],
)
async def test_a_list_with_a_code_that_makes_no_sense_is_no_look(broken):
    call = Seam({"/access_codes/list": {"access_codes": [broken]}}).driver.list_codes(DOOR)
    assert type(await raised(call)) is Unreachable


async def test_a_lock_that_is_gone_is_not_an_empty_lock():
    """Seam's own fake answers with an empty list."""
    answers = {"/access_codes/list": {"access_codes": []}, "/locks/get": (404, refusal("device_not_found"))}
    assert type(await raised(Seam(answers).driver.list_codes(DOOR))) is LockNotFound
    seam = Seam({"/access_codes/list": {"access_codes": []}})
    assert await seam.driver.list_codes(DOOR) == []


# -- what is sent ---------------------------------------------------------------------------------------------


async def test_a_code_is_asked_for_with_these_words_and_no_others():
    seam = Seam()
    assert await seam.driver.set_code(DOOR, SPEC) == Written(Receipt.ACCEPTED, CODE)
    assert seam.sent == [
        (
            "/access_codes/create",
            {
                "device_id": "d-1",
                "name": "Ida Example",
                "code": "048392",
                "starts_at": "2026-06-14T20:00:00.000Z",
                "ends_at": "2026-06-16T15:00:00.000Z",
                "prefer_native_scheduling": True,
                "allow_external_modification": False,
                "use_backup_access_code_pool": False,
                "attempt_for_offline_device": True,
            },
        )
    ]
    assert seam.keys == {f"Bearer {KEY}"}


async def test_a_standing_code_is_asked_for_without_times():
    seam = Seam()
    await seam.driver.set_code(DOOR, CodeSpec(Pin("1234"), "Backup 1", None))
    assert {"starts_at", "ends_at"}.isdisjoint(seam.sent[0][1])


async def test_a_window_without_end_is_refused_before_anything_is_sent():
    seam = Seam()
    spec = CodeSpec(Pin("1234"), "Cleaner", Window(STAY.starts, None))
    assert type(await raised(seam.driver.set_code(DOOR, spec))) is WindowRefused
    assert seam.sent == []


async def test_an_update_says_what_the_code_is_to_be_from_now_on():
    seam = Seam()
    assert await seam.driver.update_code(DOOR, CODE, SPEC) == Written(Receipt.ACCEPTED, CODE)
    await seam.driver.update_code(DOOR, CODE, CodeSpec(Pin("1234"), "Backup 1", None))
    times = {"starts_at": "2026-06-14T20:00:00.000Z", "ends_at": "2026-06-16T15:00:00.000Z"}
    bounded = {"access_code_id": "c-1", "type": "time_bound", "name": "Ida Example", "code": "048392", **times}
    standing = {"access_code_id": "c-1", "type": "ongoing", "name": "Backup 1", "code": "1234"}
    assert seam.sent == [("/access_codes/update", bounded), ("/access_codes/update", standing)]


async def test_a_removal_and_a_door_are_one_request_each():
    seam = Seam()
    assert await seam.driver.remove_code(DOOR, CODE) is Receipt.ACCEPTED
    assert await seam.driver.open_door(DOOR) is Receipt.ACCEPTED
    assert seam.sent == [
        ("/access_codes/delete", {"access_code_id": "c-1"}),
        ("/locks/unlock_door", {"device_id": "d-1"}),
    ]


async def test_a_door_that_seam_has_opened_already_is_done():
    assert await Seam({"/locks/unlock_door": attempt("success")}).driver.open_door(DOOR) is Receipt.DONE


async def test_two_stays_on_a_lock_take_two_requests_each():
    seam = Seam()
    await seam.driver.list_codes(DOOR)
    for pin in ("1234", "5678"):
        await seam.driver.set_code(DOOR, CodeSpec(Pin(pin), "Ida Example", STAY))
    assert len(seam.sent) <= 2 * 2


async def test_a_single_stay_takes_three_requests_since_strangers_codes_are_in_a_list_of_their_own():
    seam = Seam()
    await seam.driver.list_codes(DOOR)
    await seam.driver.set_code(DOOR, SPEC)
    assert [path for path, _ in seam.sent] == [
        "/access_codes/list",
        "/access_codes/unmanaged/list",
        "/access_codes/create",
    ]


async def test_a_list_is_read_to_its_last_page():
    def page(body: Mapping[str, Any]) -> dict[str, Any]:
        number = int(body.get("page_cursor", "1"))
        more = {"has_next_page": number < 3, "next_page_cursor": str(number + 1) if number < 3 else None}
        return {"access_codes": [a_code(access_code_id=f"c-{number}")], "pagination": more}

    seam = Seam({"/access_codes/list": page})
    assert [code.ref for code in await seam.driver.list_codes(DOOR)] == ["c-1", "c-2", "c-3"]
    assert [body for path, body in seam.sent if path == "/access_codes/list"] == [
        {"device_id": "d-1"},
        {"device_id": "d-1", "page_cursor": "2"},
        {"device_id": "d-1", "page_cursor": "3"},
    ]


@pytest.mark.parametrize("cursor", ["again", None, ""])
async def test_pages_that_lead_nowhere_are_no_list(cursor):
    page = {"locks": [a_device()], "pagination": {"has_next_page": True, "next_page_cursor": cursor}}
    assert type(await raised(Seam({"/locks/list": page}).driver.list_locks())) is Unreachable


# -- what a lock can do ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "rules"),
    [
        ("no_zeros", PinRules(forbidden_digits=frozenset("0"))),
        ("cannot_start_with_12", PinRules(forbidden_prefixes=("12",))),
        ("cannot_contain_089", PinRules(forbidden_digits=frozenset("089"))),
        ("cannot_contain_0789", PinRules(forbidden_digits=frozenset("0789"))),
        ("no_ascending_or_descending_sequence", PinRules(no_run=True)),
        ("at_least_three_unique_digits", PinRules(min_distinct_digits=3)),
        ("unique_first_four_digits", PinRules(unique_first_four=True)),
        ("no_all_same_digits", PinRules(no_equal_digits=True)),
        ("no_triple_consecutive_ints", PinRules(no_run=True, no_equal_digits=True, min_distinct_digits=3)),
        ("start_date_in_future", PinRules()),
        ("something_seam_invents_later", PinRules()),
    ],
)
async def test_r13_what_seam_says_of_digits_becomes_rules(constraint, rules):
    assert (await capabilities(**constrained(constraint))).pin_rules == rules


async def test_r13_several_constraints_hold_together():
    rules = (await capabilities(**constrained("no_zeros", "cannot_contain_089", "no_all_same_digits"))).pin_rules
    assert rules == PinRules(forbidden_digits=frozenset("089"), no_equal_digits=True)


@pytest.mark.parametrize(
    ("constraints", "rules"),
    [
        ([{"constraint_type": "name_length", "max_length": 20}], NameRules(max_length=20)),
        ([{"constraint_type": "name_length", "min_length": 3.0}], NameRules(min_length=3)),
        (["name_must_be_unique"], NameRules(unique=True)),
        ([], NameRules()),
    ],
)
async def test_r13_what_seam_says_of_names_becomes_rules(constraints, rules):
    assert (await capabilities(**constrained(*constraints))).name_rules == rules


@pytest.mark.parametrize("constraint", ["cannot_specify_pin_code", "pin_code_matches_existing_set"])
async def test_a_lock_whose_maker_gives_out_the_digits_is_left_to_choose_them(constraint):
    can = await capabilities(**constrained(constraint))
    assert can.lock_class is LockClass.ALGORITHMIC
    assert can.updates == frozenset()
    seam = Seam({"/access_codes/create": {"access_code": a_code(code="777123"), **attempt("pending")}})
    written = await seam.driver.set_code(DOOR, CodeSpec(None, "Ida Example", STAY))
    assert written == Written(Receipt.ACCEPTED, CODE, Pin("777123"), STAY)
    assert "code" not in seam.sent[0][1]


@pytest.mark.parametrize(
    ("lengths", "taken"),
    [([6.0], {6}), ([4, 5, 6], {4, 5, 6}), ([4, 20], {4}), ([], set(range(4, 9))), (None, set(range(4, 9)))],
)
async def test_r13_the_lengths_are_those_of_the_lock(lengths, taken):
    assert (await capabilities(properties={"supported_code_lengths": lengths})).pin_rules.lengths == taken


async def test_r26_the_room_is_what_seam_says_of_the_lock():
    assert (await capabilities(properties={"max_active_codes_supported": 30.0})).max_codes == 30
    assert (await capabilities()).max_codes == Capabilities().max_codes


@pytest.mark.parametrize(
    ("device_type", "lead"),
    [
        *((native, timedelta(days=3)) for native in sorted(NATIVE)),
        *(
            (other, timedelta(hours=1))
            for other in ("smartthings_lock", "lockly_lock", "dormakaba_oracode_door", "new")
        ),
    ],
)
async def test_r17_codes_are_pushed_when_seam_would_bring_them_to_the_lock(device_type, lead):
    can = await capabilities(device_type=device_type)
    assert can.lead == lead
    assert can.keeps_windows


async def test_nothing_is_confirmed_by_an_answer():
    can = await capabilities()
    assert not can.confirms
    assert not can.holds_same_pin_apart


@pytest.mark.parametrize(("facts", "opens"), [({"can_remotely_unlock": True}, True), ({}, False)])
async def test_a_door_opens_from_afar_where_seam_says_so(facts, opens):
    assert (await capabilities(**facts)).can_open is opens


async def test_every_kind_of_lock_in_the_matrix_is_one_the_driver_can_tell():
    assert {can.lock_class for can in PROVIDER.kinds.values()} == {LockClass.KEEPS_WINDOWS, LockClass.ALGORITHMIC}
    assert len(set(map(repr, PROVIDER.kinds.values()))) == len(PROVIDER.kinds) == 3


@pytest.mark.parametrize(
    ("properties", "battery"),
    [
        ({"battery": {"level": 0.8}}, 0.8),
        ({"battery": None, "battery_level": 0.4}, 0.4),
        ({"battery": {"level": 0.8}, "accessory_keypad": {"is_connected": True, "battery": {"level": 0.1}}}, 0.1),
        ({"battery": {"level": 0.8}, "keypad_battery": {"level": 1}}, 0.8),
        ({"battery": {"level": 1.2}}, 1.0),
        ({"battery": None}, None),
    ],
)
async def test_the_battery_is_that_of_the_weaker_part(properties, battery):
    status = await Seam({"/locks/get": {"lock": a_device(properties=properties)}}).driver.check_lock(DOOR)
    assert status.battery == battery


async def test_a_lock_out_of_reach_says_why():
    device = a_device(properties={"online": False}, errors=[{"error_code": "hub_disconnected", "message": ""}])
    status = await Seam({"/locks/get": {"lock": device}}).driver.check_lock(DOOR)
    assert not status.online
    assert status.trouble is not None
    assert status.trouble.kind == LockOffline.kind


@pytest.mark.parametrize("place", [{"time_zone": "Europe/Berlin"}, {"timezone": "Europe/Berlin"}, None])
async def test_the_zone_is_that_of_the_devices_place(place):
    (lock,) = await Seam({"/locks/list": {"locks": [a_device(location=place)]}}).driver.list_locks()
    assert lock.zone == (place and "Europe/Berlin")


# -- connecting -----------------------------------------------------------------------------------------------


def connect(**settings: str) -> Any:
    return PROVIDER.connect(connection(settings, httpx.AsyncClient(), Clock(NOW)))


def test_the_key_shows_in_no_repr():
    driver = connect(api_key=f" {KEY}\n")
    assert KEY not in f"{driver!r}{driver._vendor!r}"
    assert driver._vendor.headers == {"authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize("settings", [{"url": "getseam"}, {"url": "ftp://x"}, {"api_key": "sehr geheimer schlüssel"}])
def test_an_address_or_key_that_cannot_be_one_is_refused_in_words(settings):
    with pytest.raises(AccountRefused, match="API key"):
        connect(**{"api_key": KEY, **settings})


def test_the_form_asks_for_a_key_and_nothing_else():
    wanted = [field.name for field in PROVIDER.fields if field.default is None]
    assert wanted == ["api_key"]
    assert {field.name for field in PROVIDER.fields if field.secret} == {"api_key"}
    assert all(field.help for field in PROVIDER.fields)


# -- webhooks -------------------------------------------------------------------------------------------------


def delivered(body: bytes, *, secret: str = SECRET, at: datetime = NOW) -> Delivery:
    signed = signatures.sign_standard_webhook(secret, "msg_1", at, body)
    headers = {name.replace("webhook-", "svix-"): value for name, value in signed.items()}
    return Delivery(headers, body, NOW)


def an_event(kind: str, **facts: Any) -> bytes:
    return json.dumps({"event_id": "e-1", "event_type": kind, "device_id": DOOR, **facts}).encode()


def test_a_webhook_that_svix_signed_is_genuine_and_any_other_is_not():
    genuine = delivered(an_event("access_code.set_on_device"))
    HOOK.authenticate(genuine, SECRET, NOW)
    other = signatures.standard_secret(b"an invented key of 32 bytes, no.4")
    for forged, secret in (
        (delivered(genuine.body, secret=other), SECRET),
        (delivered(genuine.body, at=NOW - timedelta(minutes=10)), SECRET),
        (Delivery(genuine.headers, genuine.body + b" ", NOW), SECRET),
        (Delivery({}, genuine.body, NOW), SECRET),
        (genuine, ""),
    ):
        with pytest.raises(Unauthenticated):
            HOOK.authenticate(forged, secret, NOW)


def test_a_repeat_of_a_webhook_has_the_key_of_the_first():
    first, again = (delivered(an_event("lock.unlocked")) for _ in range(2))
    assert HOOK.dedupe_key(first) == HOOK.dedupe_key(again) == "id:msg_1"


@pytest.mark.parametrize("kind", sorted(LOCK_EVENTS))
def test_news_of_a_lock_lead_to_a_look_at_it(kind):
    assert HOOK.read(delivered(an_event(kind))) == [LookAt((DOOR,))]


@pytest.mark.parametrize("kind", sorted(ACCOUNT_EVENTS))
def test_news_of_an_account_lead_to_a_look_at_all_locks(kind):
    assert HOOK.read(delivered(an_event(kind, device_id=None))) == [LookAt()]


@pytest.mark.parametrize(
    "body",
    [
        an_event("thermostat.temperature_changed"),
        an_event("connect_webview.login_succeeded"),
        an_event("lock.unlocked", device_id=None),
    ],
)
def test_other_news_are_kept_and_lead_to_nothing(body):
    (event,) = HOOK.read(delivered(body))
    assert isinstance(event, Ignored)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'"text"',
        b"{}",
        b"\xff",
        b"[" * 5000,
        an_event("access_code.changed", device_id=7),
        an_event("access_code.changed", device_id=""),
        an_event("access_code.changed", device_id="a\u0000b"),
        an_event("access_code.changed", device_id="x" * 200),
        json.dumps({"event_type": ["lock.unlocked"]}).encode(),
    ],
)
def test_nonsense_is_unreadable_and_not_quoted(body):
    with pytest.raises(Unreadable) as caught:
        HOOK.read(delivered(body))
    assert "xxx" not in str(caught.value)


def test_a_secret_that_is_none_is_explained():
    assert HOOK.secret_problem(SECRET) is None
    assert "base64" in str(HOOK.secret_problem("whsec_short"))
    assert "whsec_" in HOOK.setup_help
