"""What a host notices of the Home Assistant driver, beyond the contract that all drivers keep."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
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
)
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import LockClass, Readback
from providers._slots import slots_in
from providers.home_assistant import PROVIDER
from tests.contract.brands import Brand
from tests.contract.harness import connection
from tests.contract.vendors import home_assistant as vendor

KINDS = list(vendor.RULES)


class Home(vendor.HassHarness):
    """A make-believe Home Assistant that can be handled, and what it was asked."""

    def __init__(self, kind: str = "zwave_js", *, slots: str = "1-4", **ways: Any) -> None:
        settings = {"url": "http://vendor", "token": "token", "slots": slots, "mqtt": "zigbee2mqtt"}
        settings |= {name: ways.pop(name) for name in ("token", "mqtt") if name in ways}
        self.ways = ways
        rules = {**vendor.RULES, "zha": vendor.ZHA}
        super().__init__(Brand(PROVIDER, rules, self._serve, lambda _: settings), kind)

    def _serve(self, app):
        self.hass, asgi = vendor.home_of(app, **self.ways)
        return asgi

    def requests(self) -> list[str]:
        """What was asked since this was last called."""
        asked, self.asked[:] = [message for message in self.asked if not self.is_greeting(message)], []
        return [message.get("service") or message["type"] for message in asked]

    def sent(self, service: str) -> list[Mapping[str, Any]]:
        return [message for message in self.asked if message.get("service") == service]

    async def looked(self) -> dict[str, str | None]:
        return {code.ref: code.pin and code.pin.digits for code in await self.provider.list_codes(self.lock)}

    async def set(self, digits: str) -> str | None:
        return (await self.provider.set_code(self.lock, spec(digits))).ref


def spec(digits: str) -> CodeSpec:
    return CodeSpec(Pin(digits), "Ada Lovelace", None)


@pytest.fixture
async def home() -> AsyncIterator[Any]:
    homes: list[Home] = []

    def make(*args: Any, **ways: Any) -> Home:
        homes.append(Home(*args, **ways))
        return homes[-1]

    yield make
    for made in homes:
        await made.close()


# -- what is asked ------------------------------------------------------------------------------------------------


async def test_zwave_codes_are_written_with_the_words_of_that_integration(home):
    lock = home()
    ref = CodeRef(await lock.set("0123"))
    await lock.provider.remove_code(lock.lock, ref)
    (set_,), (cleared,) = lock.sent("set_lock_usercode"), lock.sent("clear_lock_usercode")
    assert set_["service_data"] == {"code_slot": 1, "usercode": "0123"}
    assert cleared["service_data"] == {"code_slot": 1}
    assert set_["target"] == cleared["target"] == {"entity_id": lock.lock}


async def test_zigbee_users_count_from_0_and_digits_are_text(home):
    lock = home("mqtt")
    ref = CodeRef(await lock.set("0123"))
    await lock.provider.remove_code(lock.lock, ref)
    writes = [payload["pin_code"] for topic, payload in lock.hass.published if topic == "zigbee2mqtt/front_door/set"]
    common = {"user": 0, "user_type": "unrestricted"}
    assert writes == [
        {**common, "user_enabled": True, "pin_code": "0123"},
        {**common, "user_enabled": False, "pin_code": None},
    ]
    assert lock.hass.published[0] == ("zigbee2mqtt/front_door/get", {"pin_code": ""})
    assert lock.hass.published[1] == ("zigbee2mqtt/front_door/get", {"pin_code": {"user": 0}})


@pytest.mark.parametrize(
    ("kind", "read", "write"),
    [("zwave_js", "zwave_js/invoke_cc_api", "set_lock_usercode"), ("mqtt", "publish", "publish")],
)
async def test_a_placement_costs_four_requests_a_look_and_a_write_between_two_readings(
    home, kind: str, read: str, write: str
):
    lock = home(kind)
    await lock.looked()
    lock.requests()
    await lock.looked()
    await lock.set("2222")
    assert lock.requests() == ["get_states", read, write, read]


async def test_a_slot_that_was_filled_behind_our_back_is_not_overwritten(home):
    lock = home()
    await lock.looked()
    lock.stranger("Cleaner", Pin("4711"))
    assert await lock.set("2222") == "2"
    assert {held.pin for held in lock.holds()} == {"4711", "2222"}


@pytest.mark.parametrize("kind", KINDS)
async def test_our_own_code_found_in_a_free_slot_calls_for_a_look(home, kind: str):
    lock = home(kind)
    await lock.looked()
    lock.stranger("us, before we broke off", Pin("2222"))
    with pytest.raises(OutcomeUnknown):
        await lock.set("2222")
    assert await lock.looked() == {"1": "2222"}


@pytest.mark.parametrize("kind", KINDS)
async def test_only_the_slots_of_the_host_are_used(home, kind: str):
    lock = home(kind)
    for digits in ("1111", "2222", "3333", "4444"):
        await lock.set(digits)
    with pytest.raises(LockFull):
        await lock.set("5555")
    for ref in ("5", "0", "x"):
        with pytest.raises(CodeGone):
            await lock.provider.remove_code(lock.lock, CodeRef(ref))


async def test_slots_that_the_lock_does_not_have_are_not_free(home):
    lock = home(slots="8-12")
    for slot in range(1, 8):
        lock.stranger(f"Neighbour {slot}", Pin(f"900{slot}"))
    assert await lock.set("1111") == "8"
    with pytest.raises(LockFull):
        await lock.set("2222")


# -- what goes wrong --------------------------------------------------------------------------------------------------


async def test_r22_a_lost_acknowledgement_is_found_by_the_next_look(home):
    lock = home()
    await lock.looked()
    usual = lock.hass._invoke

    def deaf_once_written(asked):
        if lock.holds():
            raise vendor.HassError(vendor.NO_ANSWER)
        return usual(asked)

    lock.hass._invoke = deaf_once_written
    with pytest.raises(OutcomeUnknown):
        await lock.set("7391")
    lock.hass._invoke = usual
    assert await lock.looked() == {"1": "7391"}


async def test_a_call_that_failed_and_still_wrote_is_done(home, monkeypatch):
    lock = home()
    write = lock.hass._write

    def failing(*args):
        write(*args)
        raise vendor.HassError(vendor.FAILED)

    monkeypatch.setattr(lock.hass, "_write", failing)
    assert await lock.set("7391") == "1"
    assert await lock.provider.remove_code(lock.lock, CodeRef("1")) is Receipt.DONE


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_that_succeeded_and_wrote_nothing_is_not_done(home, monkeypatch, kind: str):
    lock = home(kind)
    monkeypatch.setattr(lock.hass, "_do", lambda *_: None)
    with pytest.raises(Rejected):
        await lock.set("7391")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_duplicate_that_is_dropped_without_a_word_is_pin_taken(home, kind: str):
    lock = home(kind)
    await lock.set("1111")
    lock.stranger("Cleaner", Pin("4711"))
    with pytest.raises(PinTaken):
        await lock.set("4711") if kind == "x" else await lock.provider.update_code(
            lock.lock, CodeRef("1"), spec("4711")
        )


async def test_digits_of_a_wrong_length_are_not_even_sent(home):
    lock = home()
    with pytest.raises(PinRefused):
        await lock.set("123")
    assert lock.sent("set_lock_usercode") == []


async def test_a_lock_that_does_not_tell_its_users_is_out_of_reach(home):
    lock = home("mqtt", deaf=True)
    lock._wait_for(0.05)
    with pytest.raises(LockOffline):
        await lock.looked()


async def test_a_zwave_lock_that_was_found_dead_is_asked_itself(home, monkeypatch):
    """Its node stays dead, and the entity unavailable, until somebody asks it something."""
    lock = home()
    lock.stranger("Cleaner", Pin("4711"))
    usual = lock.hass._states
    dead = [{"entity_id": lock.lock, "state": "unavailable", "attributes": {}}]
    monkeypatch.setattr(lock.hass, "_states", lambda ref: dead + usual(ref)[1:])
    assert await lock.looked() == {"1": "4711"}


async def test_without_expose_pin_digits_are_hidden(home):
    lock = home("mqtt", exposes_pins=False)
    lock.stranger("Cleaner", Pin("4711"))
    assert await lock.looked() == {"1": None}
    (found,) = await lock.provider.list_locks()
    assert found.capabilities.readback is Readback.MASKED
    assert await lock.set("2222") == "2"


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("unauthorized", AccountRefused),
        ("not_found", LockNotFound),
        ("unknown_command", Rejected),
        ("invalid_format", Rejected),
        ("service_validation_error", Rejected),
        ("timeout", OutcomeUnknown),
    ],
)
async def test_every_word_of_home_assistant_has_its_remedy(home, monkeypatch, word: str, kind: type):
    lock = home()

    def failing(*_):
        raise vendor.HassError(word)

    monkeypatch.setattr(lock.hass, "_service", failing)
    with pytest.raises(kind) as caught:
        await lock.set("4711")
    assert "4711" not in str(caught.value)


async def test_a_token_that_is_not_taken_is_said_so_and_not_shown(home):
    with pytest.raises(AccountRefused, match="token") as caught:
        await home(token="mistyped-secret").provider.list_locks()
    assert "mistyped" not in str(caught.value)


# -- what is seen -------------------------------------------------------------------------------------------------


async def test_a_change_at_the_keypad_is_read_from_the_lock(home):
    lock = home()
    await lock.looked()
    ref = lock.stranger("Cleaner", Pin("4711"))
    await lock.hass.notify(lock.lock, 14, 1)
    assert await lock.looked() == {ref: "4711"}
    lock.take_off(ref)
    await lock.hass.notify(lock.lock, 13, 1)
    assert await lock.looked() == {}


async def test_a_keypad_unlock_is_no_reason_to_read(home):
    lock = home()
    await lock.looked()
    lock.requests()
    await lock.hass.notify(lock.lock, 6, 1)
    await lock.looked()
    assert lock.requests() == ["get_states"]


async def test_a_zigbee_lock_tells_of_its_keypad(home):
    lock = home("mqtt")
    await lock.looked()
    ref = lock.stranger("Cleaner", Pin("4711"))
    said = orjson.dumps({"action": "pin_code_added", "action_user": 0}).decode()
    event = {"topic": "zigbee2mqtt/front_door", "payload": said}
    for client in lock.hass.clients:
        await client.send_json({"id": 9, "type": "event", "event": event})
    assert await lock.looked() == {ref: "4711"}


async def test_a_new_line_has_every_slot_read_again(home):
    lock = home()
    await lock.looked()
    lock.stranger("Cleaner", Pin("4711"))
    lock._hang_up()
    assert await lock.looked() == {"1": "4711"}


async def test_zha_locks_are_watched_and_take_no_codes(home):
    lock = home("zha")
    (found,) = await lock.provider.list_locks()
    assert (found.capabilities.readback, found.capabilities.max_codes) == (Readback.NONE, 0)
    assert found.status.online
    with pytest.raises(Rejected, match="ZHA"):
        await lock.set("1111")
    with pytest.raises(Rejected, match="ZHA"):
        await lock.looked()
    assert await lock.provider.open_door(lock.lock) is Receipt.DONE


async def test_zigbee2mqtt_is_left_out_without_its_topic(home):
    lock = home("mqtt", mqtt="")
    assert await lock.provider.list_locks() == []
    with pytest.raises(LockNotFound):
        await lock.looked()


async def test_battery_and_reach_are_those_of_the_sibling_sensor_and_the_state(home):
    lock = home()
    assert (await lock.provider.check_lock(lock.lock)).battery == pytest.approx(0.8)
    lock.app.battery(lock.lock, None)
    lock.offline()
    status = await lock.provider.check_lock(LockRef(lock.lock))
    assert (status.online, status.battery) == (False, None)


async def test_locks_are_of_class_c(home):
    (found,) = await home().provider.list_locks()
    assert found.capabilities.lock_class is LockClass.SLOT_WITHOUT_CLOCK
    assert (found.name, found.capabilities.max_codes) == ("Front door", 4)


@pytest.mark.parametrize("text", ["0-3", "9-2", "some"])
def test_slots_that_are_none_are_said_at_once(text: str):
    with pytest.raises(AccountRefused, match="10-29"):
        slots_in(text)


def test_the_websocket_is_found_from_the_address_in_the_browser():
    made = PROVIDER.connect(connection({"url": "https://home.example/", "token": "t"}, None, lambda: None))
    assert "wss://home.example/api/websocket" in made._vendor.dial.__closure__[1].cell_contents
