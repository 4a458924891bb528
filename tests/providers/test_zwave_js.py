"""What a host notices of the Z-Wave JS driver, beyond the contract that all drivers keep."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    LockFull,
    LockNotFound,
    LockOffline,
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    Receipt,
    Rejected,
    Unreachable,
)
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import LockClass, Readback
from providers._slots import slots_in
from providers.zwave_js import PROVIDER
from tests.contract.brands import Brand
from tests.contract.harness import connection
from tests.contract.vendors import zwave_js as vendor


class Network(vendor.ZwaveHarness):
    """A make-believe network whose server can be handled, and the requests it was asked."""

    def __init__(self, kind: str = "user-code", slots: str = "", **ways: Any) -> None:
        self.ways = ways
        settings = {"url": "ws://vendor", "slots": slots}
        super().__init__(Brand(PROVIDER, vendor.RULES, self._serve, lambda _: settings), kind)

    def _serve(self, app):
        self.server, asgi = vendor.server_of(app, **self.ways)
        return asgi

    def commands(self) -> list[str]:
        """What was asked since this was last called."""
        asked, self.asked[:] = [message["command"] for message in self.asked], []
        return [command.removeprefix("endpoint.access_control.") for command in asked]

    async def looked(self) -> dict[str, str | None]:
        return {code.ref: code.pin and code.pin.digits for code in await self.provider.list_codes(self.lock)}

    async def set(self, digits: str) -> str | None:
        return (await self.provider.set_code(self.lock, spec(digits))).ref


def spec(digits: str) -> CodeSpec:
    return CodeSpec(Pin(digits), "Ada Lovelace", None)


@pytest.fixture
async def opened() -> AsyncIterator[list[Network]]:
    networks: list[Network] = []
    yield networks
    for network in networks:
        await network.close()


@pytest.fixture
def network(opened: list[Network]):
    def make(*args: Any, **ways: Any) -> Network:
        opened.append(Network(*args, **ways))
        return opened[-1]

    return make


# -- what it costs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "write"), [("user-code", "set_credential"), ("user-credential", "add_user")])
async def test_a_placement_costs_two_requests_in_the_steady_state(network, kind: str, write: str):
    lock = network(kind)
    await lock.provider.remove_code(lock.lock, CodeRef(await lock.set("1111")))
    lock.commands()
    await lock.looked()
    await lock.set("2222")
    assert lock.commands() == ["get_all_credentials_cached", write]


async def test_a_slot_never_written_costs_a_request_more_and_so_does_an_older_server(network):
    lock, older = network(), network(schema=40)
    for each in (lock, older):
        await each.looked()
        each.commands()
        await each.looked()
        await each.set("2222")
    assert lock.commands() == ["get_all_credentials_cached", "get_credential", "set_credential"]
    asked = [(message["command"], message.get("methodName")) for message in older.asked]
    invoked = [("endpoint.invoke_cc_api", method) for method in ("get", "set", "get")]
    assert asked == [("node.get_state", None), *invoked]


async def test_a_look_over_many_slots_is_one_request(network):
    lock = network()
    await lock.looked()
    lock.fill()
    lock.commands()
    assert len(await lock.looked()) == 8
    assert lock.commands() == ["get_all_credentials_cached"]


async def test_the_first_look_over_a_line_has_the_lock_itself_asked(network):
    lock = network()
    lock.stranger("Cleaner", Pin("4711"))
    lock.server.unread.add((lock.lock, 1))
    assert await lock.looked() == {"1": "4711"}
    assert lock.commands()[-2:] == ["node.refresh_cc_values", "get_all_credentials_cached"]


# -- slots ----------------------------------------------------------------------------------------------------------


async def test_only_the_slots_of_the_host_are_written(network):
    lock = network(slots="1-2")
    assert [await lock.set("1111"), await lock.set("2222")] == ["1", "2"]
    with pytest.raises(LockFull):
        await lock.set("3333")
    stranger = lock.stranger("Cleaner", Pin("4711"))
    assert await lock.looked() == {"1": "1111", "2": "2222", "3": "4711"}
    with pytest.raises(CodeGone):
        await lock.provider.remove_code(lock.lock, stranger)
    assert stranger in {held.ref for held in lock.holds()}


async def test_a_slot_that_was_filled_behind_the_servers_back_is_not_overwritten(network):
    lock = network()
    await lock.looked()
    lock.stranger("Cleaner", Pin("4711"))
    lock.server.forgotten.add((lock.lock, 1))
    assert await lock.set("2222") == "2"
    assert {held.pin for held in lock.holds()} == {"4711", "2222"}


async def test_our_own_code_found_in_a_free_slot_calls_for_a_look(network):
    lock = network()
    await lock.looked()
    lock.stranger("us, before we broke off", Pin("2222"))
    lock.server.forgotten.add((lock.lock, 1))
    with pytest.raises(OutcomeUnknown):
        await lock.set("2222")
    assert await lock.looked() == {"1": "2222"}


@pytest.mark.parametrize(
    ("text", "slots"), [("", None), (" ", None), ("7", range(7, 8)), ("10-29", range(10, 30)), ("3 – 4", range(3, 5))]
)
def test_slots_are_read_as_hosts_write_them(text: str, slots: range | None):
    assert slots_in(text) == slots


@pytest.mark.parametrize("text", ["0-3", "9-2", "some", "1,2", "-"])
def test_slots_that_are_none_are_said_at_once(text: str):
    with pytest.raises(AccountRefused, match="10-29"):
        slots_in(text)


# -- lost acknowledgements and keypads --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(vendor.RULES))
async def test_r22_a_lost_acknowledgement_is_found_by_the_next_look(network, kind: str):
    lock = network(kind)
    await lock.looked()
    lock.server.deaf = True
    with pytest.raises(OutcomeUnknown):
        await lock.set("7391")
    lock.server.deaf = False
    assert lock.server.remembered(lock.lock) == {}
    assert await lock.looked() == {"1": "7391"}


async def test_r22_the_doubt_outlives_the_line(network):
    lock = network()
    await lock.looked()
    lock.server.deaf = True
    with pytest.raises(OutcomeUnknown):
        await lock.set("7391")
    lock.server.deaf = False
    lock._hang_up()
    assert await lock.looked() == {"1": "7391"}


@pytest.mark.parametrize("event", [12, 13, 14, 15])
async def test_a_change_at_the_keypad_is_read_from_the_lock(network, event: int):
    lock = network()
    await lock.looked()
    lock.stranger("Cleaner", Pin("4711"))
    lock.server.forgotten.add((lock.lock, 1))
    await notify(lock, event, {"userId": 1})
    assert await lock.looked() == {"1": "4711"}


async def notify(lock: Network, event: int, parameters: Mapping[str, Any] | None) -> None:
    args = {"type": 6, "event": event, "label": "Access Control", "parameters": parameters}
    await lock.server.tell(lock.lock, "notification", endpointIndex=0, ccId=113, args=args)


async def test_a_notification_without_a_slot_casts_doubt_on_all(network):
    lock = network(slots="1-3")
    await lock.looked()
    lock.commands()
    await notify(lock, 12, None)
    await lock.looked()
    await lock.looked()
    assert lock.commands().count("get_credential") == 3


async def test_a_keypad_unlock_changes_nothing(network):
    lock = network()
    await lock.looked()
    lock.commands()
    await notify(lock, 6, {"userId": 1})
    await lock.looked()
    await lock.looked()
    assert "get_credential" not in lock.commands()


async def test_events_without_sense_are_passed_over(network):
    lock = network()
    await lock.looked()
    await lock.server.tell(lock.lock, "notification", ccId=113)
    for client in lock.server.clients:
        await client.send_json({"type": "event", "event": ["surprise"]})
    assert await lock.looked() == {}


# -- nodes ----------------------------------------------------------------------------------------------------------


async def test_a_lock_that_is_back_is_found_by_a_ping(network):
    lock = network()
    lock.offline()
    with pytest.raises(LockOffline):
        await lock.looked()
    lock.app.online(lock.lock)
    assert await lock.looked() == {}
    assert (await lock.provider.check_lock(lock.lock)).online


async def test_a_node_that_is_being_interviewed_is_not_an_empty_lock(network, monkeypatch):
    lock = network()
    whole = lock.server.node
    monkeypatch.setattr(lock.server, "node", lambda ref: {**whole(ref), "ready": False, "values": []})
    (found,) = await lock.provider.list_locks()
    assert not found.status.online
    with pytest.raises(LockOffline, match="interviewed"):
        await lock.looked()


async def test_a_sleeping_node_takes_nothing(network, monkeypatch):
    lock = network()
    monkeypatch.setattr(lock.server, "status", lambda _: 1)
    with pytest.raises(LockOffline):
        await lock.set("1111")
    assert not (await lock.provider.check_lock(lock.lock)).online


async def test_the_battery_is_a_fraction_and_may_be_unknown(network):
    lock = network()
    assert (await lock.provider.check_lock(lock.lock)).battery == pytest.approx(0.8)
    lock.app.battery(lock.lock, None)
    assert (await lock.provider.check_lock(lock.lock)).battery is None


async def test_locks_are_of_class_c_and_keep_strangers_in_the_count(network):
    (found,) = await network(slots="3-5").provider.list_locks()
    assert found.capabilities.lock_class is LockClass.SLOT_WITHOUT_CLOCK
    assert found.capabilities.max_codes == 8
    assert found.name == "Front door"


async def test_a_lock_that_shows_stars_is_masked(network):
    lock = network(hides_codes=True)
    lock.stranger("Cleaner", Pin("4711"))
    assert await lock.looked() == {"1": None}
    (found,) = await lock.provider.list_locks()
    assert found.capabilities.readback is Readback.MASKED
    assert await lock.set("2222") == "2"


# -- older servers ----------------------------------------------------------------------------------------------------


async def test_an_older_server_is_asked_slot_by_slot_and_every_write_is_read_back(network):
    lock = network(schema=40)
    ref = CodeRef(await lock.set("0123"))
    assert await lock.looked() == {"1": "0123"}
    lock.asked.clear()
    assert (await lock.provider.update_code(lock.lock, ref, spec("9876"))).receipt is Receipt.DONE
    methods = [(message.get("methodName"), message.get("args")) for message in lock.asked]
    assert methods[-3:] == [("get", [1]), ("set", [1, 1, "9876"]), ("get", [1])]
    assert await lock.provider.remove_code(lock.lock, ref) is Receipt.DONE
    assert lock.holds() == ()


async def test_a_code_the_lock_drops_without_a_word_is_not_called_done(network, monkeypatch):
    lock = network(schema=40)
    monkeypatch.setattr(lock.server, "write", lambda *_: None)
    with pytest.raises(Rejected):
        await lock.set("1111")


async def test_a_duplicate_the_lock_drops_without_a_word_is_pin_taken(network):
    lock = network(schema=40)
    ref = CodeRef(await lock.set("1111"))
    await lock.looked()
    lock.stranger("Cleaner", Pin("4711"))
    with pytest.raises(PinTaken):
        await lock.provider.update_code(lock.lock, ref, spec("4711"))
    assert await lock.looked() == {"1": "1111", "2": "4711"}


async def test_a_server_that_is_too_old_is_said_so(network):
    with pytest.raises(AccountRefused, match="too old"):
        await network(schema=31).provider.list_locks()


# -- errors -----------------------------------------------------------------------------------------------------------

READS = {
    ("zwave_error", 200): LockOffline,
    ("zwave_error", 201): LockOffline,
    ("zwave_error", 202): LockOffline,
    ("zwave_error", 203): LockOffline,
    ("zwave_error", 204): LockOffline,
    ("zwave_error", 215): LockOffline,
    ("zwave_error", 213): LockNotFound,
    ("node_not_found", None): LockNotFound,
    ("unknown_error", None): Unreachable,
}
WRITES = {
    ("zwave_error", 200): OutcomeUnknown,
    ("zwave_error", 204): OutcomeUnknown,
    ("zwave_error", 1499): OutcomeUnknown,
    ("unknown_error", None): OutcomeUnknown,
    ("zwave_error", 322): Rejected,
    ("zwave_error", 302): Rejected,
    ("zwave_error", 304): Rejected,
    ("unknown_command", None): Rejected,
    ("invalid_params_passed_to_command", None): Rejected,
    ("node_not_found", None): LockNotFound,
}
RESULTS = {
    1: Rejected,
    2: Rejected,
    3: PinTaken,
    4: PinRefused,
    5: PinTaken,
}


def answering(lock: Network, verb: str, answer: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """This verb is answered so, all others as always."""
    usual = lock.server.answer
    monkeypatch.setattr(
        lock.server, "answer", lambda asked: dict(answer) if asked["command"].endswith(verb) else usual(asked)
    )


def failure(word: str, number: int | None) -> dict[str, Any]:
    known = {} if number is None else {"zwaveErrorCode": number, "zwaveErrorMessage": "4711 is not taken"}
    return {"success": False, "errorCode": word, **known}


@pytest.mark.parametrize(("said", "kind"), READS.items(), ids=str)
async def test_every_error_of_a_read_has_its_remedy(network, monkeypatch, said: tuple, kind: type):
    lock = network()
    answering(lock, "get_credential", failure(*said), monkeypatch)
    with pytest.raises(kind) as caught:
        await lock.set("4711")
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(("said", "kind"), WRITES.items(), ids=str)
async def test_every_error_of_a_write_has_its_remedy(network, monkeypatch, said: tuple, kind: type):
    lock = network()
    answering(lock, "set_credential", failure(*said), monkeypatch)
    with pytest.raises(kind) as caught:
        await lock.set("4711")
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(("result", "kind"), RESULTS.items(), ids=str)
async def test_every_refusal_of_a_lock_has_its_remedy(network, monkeypatch, result: int, kind: type):
    lock = network()
    answering(lock, "set_credential", {"success": True, "result": {"result": result}}, monkeypatch)
    with pytest.raises(kind):
        await lock.set("4711")


async def test_a_slot_that_is_refused_as_occupied_is_not_tried_again(network, monkeypatch):
    lock = network("user-credential")
    answering(lock, "add_user", {"success": True, "result": {"result": {"user": 1}}}, monkeypatch)
    with pytest.raises(Rejected):
        await lock.set("4711")
    monkeypatch.undo()
    lock.server.write = lambda *_: None
    lock.asked.clear()
    await lock.set("4712")
    assert lock.asked[-1]["userId"] == 2


async def test_a_write_nobody_confirms_is_not_called_done(network, monkeypatch):
    lock = network()
    answering(lock, "set_credential", {"success": True, "result": {"result": 255}}, monkeypatch)
    with pytest.raises(Rejected):
        await lock.set("4711")


async def test_a_door_that_did_not_open_is_not_called_open(network, monkeypatch):
    lock = network()
    answering(lock, "set_value", {"success": True, "result": {"result": {"status": 2}}}, monkeypatch)
    with pytest.raises(Rejected):
        await lock.provider.open_door(lock.lock)


@pytest.mark.parametrize("ref", ["1", "90", "77", "front-door", ""])
async def test_what_is_no_lock_is_not_found(network, ref: str):
    with pytest.raises(LockNotFound):
        await network().provider.list_codes(LockRef(ref))


@pytest.mark.parametrize("url", ["", "vendor:3000", "ftp://vendor", "ws://"])
def test_an_address_that_is_none_is_said_at_once(url: str):
    with pytest.raises(AccountRefused, match="address"):
        PROVIDER.connect(connection({"url": url}, None, lambda: None))
