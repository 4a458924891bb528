"""The Z-Wave JS driver against Z-Wave JS itself: its driver and its server, with a radio and locks in memory."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from lockbridge.contract import (
    CodeGone,
    LockFull,
    LockNotFound,
    LockOffline,
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    Receipt,
)
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.outbound import client
from providers.zwave_js import PROVIDER
from tests.contract.harness import connection
from tests.interop import node

pytestmark = pytest.mark.interop

LOCK, OTHER = LockRef("2"), LockRef("3")
SLOTS = 6


@dataclass(frozen=True)
class Doors:
    """The simulated locks: where their server listens, and what can be done at the doors."""

    url: str
    control: str

    def do(self, *words: object) -> Any:
        return httpx.get(self.control + "/" + "/".join(str(word) for word in words), timeout=30).json()

    def holds(self, lock: LockRef = LOCK) -> dict[str, str]:
        """What is on the lock, slot by slot. What came over the radio is bytes, what was typed is text."""
        found = self.do("holds", lock).items()
        return {slot: code if isinstance(code, str) else bytes(code.values()).decode() for slot, code in found}


@pytest.fixture(scope="module", params=["1", "2"], ids=["user code 1", "user code 2"])
def doors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    node.meet("zwave-js", "@zwave-js/server")
    port, control = node.free_port(), node.free_port()
    doors = Doors(f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{control}")
    folder: Path = tmp_path_factory.mktemp("zwave")
    ways = {"LOCKS": "2", "SLOTS": str(SLOTS), "VERSION": request.param, "CACHE": str(folder)}
    with node.running("zwave_locks.mjs", port=port, ready=lambda: _answers(control), CONTROL=str(control), **ways):
        yield doors


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/holds/{OTHER}").is_success
    except httpx.TransportError:
        return False


@pytest.fixture(autouse=True)
def empty_locks(doors: Doors) -> Iterator[None]:
    yield
    for lock in (LOCK, OTHER):
        doors.do("heal", lock)
        for slot in doors.holds(lock):
            doors.do("slip", lock, slot)


@asynccontextmanager
async def connected(doors: Doors, slots: str = "") -> AsyncIterator[Any]:
    """A driver as the program makes it, over a real line."""
    async with client() as http:
        driver = PROVIDER.connect(connection({"url": doors.url, "slots": slots}, http, lambda: datetime.now(UTC)))
        try:
            yield driver
        finally:
            await driver._vendor.close()


def code(digits: str) -> CodeSpec:
    return CodeSpec(Pin(digits), "Ada Lovelace", None)


async def looked(driver: Any, lock: LockRef = LOCK) -> dict[str, str]:
    return {seen.ref: seen.pin.digits for seen in await driver.list_codes(lock)}


async def test_the_network_lists_its_locks_and_nothing_else(doors: Doors):
    async with connected(doors) as driver:
        found = await driver.list_locks()
        assert [lock.ref for lock in found] == [LOCK, OTHER]
        assert all(lock.status.online for lock in found)
        assert {lock.capabilities.max_codes for lock in found} == {SLOTS}
        assert found[0].capabilities.pin_rules.lengths == frozenset(range(4, 11))
        assert (await driver.check_lock(LOCK)).online


async def test_a_code_is_set_read_back_changed_and_taken_off(doors: Doors):
    async with connected(doors) as driver:
        written = await driver.set_code(LOCK, code("012345"))
        assert (written.receipt, written.ref) == (Receipt.DONE, "1")
        assert doors.holds() == {"1": "012345"} == await looked(driver)
        assert (await driver.update_code(LOCK, written.ref, code("0077"))).receipt is Receipt.DONE
        assert doors.holds() == {"1": "0077"} == await looked(driver)
        assert await driver.remove_code(LOCK, written.ref) is Receipt.DONE
        assert doors.holds() == {} == await looked(driver)
        with pytest.raises(CodeGone):
            await driver.remove_code(LOCK, written.ref)


async def test_codes_stay_in_the_slots_the_host_gave_us(doors: Doors):
    async with connected(doors, slots="3-4") as driver:
        refs = [(await driver.set_code(LOCK, code(digits))).ref for digits in ("3333", "4444")]
        assert refs == ["3", "4"]
        with pytest.raises(LockFull):
            await driver.set_code(LOCK, code("5555"))
        with pytest.raises(CodeGone):
            await driver.remove_code(LOCK, CodeRef("5"))
    assert doors.holds() == {"3": "3333", "4": "4444"}


async def test_a_lock_takes_as_many_codes_as_it_has_slots(doors: Doors):
    async with connected(doors) as driver:
        for number in range(SLOTS):
            await driver.set_code(LOCK, code(f"100{number}"))
        with pytest.raises(LockFull):
            await driver.set_code(LOCK, code("2000"))
        assert len(await looked(driver)) == SLOTS
        assert await looked(driver, OTHER) == {}


@pytest.mark.parametrize("digits", ["1", "123", "12345678901"])
async def test_digits_that_the_server_would_not_write_are_refused(doors: Doors, digits: str):
    async with connected(doors) as driver:
        with pytest.raises(PinRefused):
            await driver.set_code(LOCK, code(digits))


async def test_a_write_whose_acknowledgement_is_lost_is_found_by_the_next_look(doors: Doors):
    """R22: the call fails, and the lock has the code."""
    async with connected(doors) as driver:
        assert await looked(driver) == {}
        await driver.set_code(LOCK, code("1111"))
        await driver.remove_code(LOCK, CodeRef("1"))  # slot 1 is known to be empty: the next write goes straight there
        doors.do("deafen", LOCK)
        with pytest.raises(OutcomeUnknown):
            await driver.set_code(LOCK, code("7391"))
        assert doors.holds() == {"1": "7391"}
        with pytest.raises(LockOffline):
            await driver.list_codes(LOCK)
        assert not (await driver.check_lock(LOCK)).online
        doors.do("heal", LOCK)
        assert await looked(driver) == {"1": "7391"}
        assert (await driver.check_lock(LOCK)).online


async def test_another_process_does_not_write_a_second_time_what_arrived(doors: Doors):
    async with connected(doors) as first, connected(doors) as second:
        await first.set_code(LOCK, code("1111"))
        await first.remove_code(LOCK, CodeRef("1"))
        assert await looked(second) == {}
        doors.do("deafen", LOCK)
        with pytest.raises(OutcomeUnknown):
            await first.set_code(LOCK, code("7391"))
        doors.do("heal", LOCK)
        with pytest.raises((OutcomeUnknown, PinTaken)):
            await second.set_code(LOCK, code("7391"))
        assert doors.holds() == {"1": "7391"} == await looked(second)


async def test_a_lock_out_of_reach_takes_nothing_and_lists_nothing(doors: Doors):
    async with connected(doors) as driver:
        await driver.list_locks()
        doors.do("silence", LOCK)
        with pytest.raises(LockOffline):
            await driver.set_code(LOCK, code("4711"))
        with pytest.raises(LockOffline):
            await driver.list_codes(LOCK)
        with pytest.raises(LockOffline):
            await driver.open_door(LOCK)
        assert doors.holds() == {}
        assert await looked(driver, OTHER) == {}


async def until(found: dict[str, str], driver: Any) -> None:
    """Look, for a while, until a notification has made its way."""
    for _ in range(500):
        if await looked(driver) == found:
            return
    assert await looked(driver) == found


async def test_a_code_programmed_at_the_keypad_is_seen_and_left_alone(doors: Doors):
    async with connected(doors) as driver:
        assert await looked(driver) == {}
        doors.do("program", LOCK, 1, "5544")
        await until({"1": "5544"}, driver)
        assert (await driver.set_code(LOCK, code("6655"))).ref == "2"
        with pytest.raises(PinTaken):
            await driver.set_code(LOCK, code("5544"))
        doors.do("erase", LOCK, 1)
        await until({"2": "6655"}, driver)
    assert doors.holds() == {"2": "6655"}


async def test_a_code_slipped_in_without_a_word_is_not_overwritten(doors: Doors):
    async with connected(doors) as driver:
        assert await looked(driver) == {}
        doors.do("slip", LOCK, 1, "5544")
        assert (await driver.set_code(LOCK, code("6655"))).ref == "2"
        assert doors.holds() == {"1": "5544", "2": "6655"} == await looked(driver)


async def test_a_keypad_unlock_changes_nothing(doors: Doors):
    async with connected(doors) as driver:
        ref = (await driver.set_code(LOCK, code("6655"))).ref
        doors.do("type", LOCK, ref)
        assert await looked(driver) == {"1": "6655"}
        assert (await driver.set_code(LOCK, code("7766"))).ref == "2"


async def test_the_door_is_opened(doors: Doors):
    async with connected(doors) as driver:
        assert await driver.open_door(LOCK) is Receipt.DONE


async def test_a_node_that_is_no_lock_is_not_found(doors: Doors):
    async with connected(doors) as driver:
        for ref in ("1", "77", "front-door"):
            with pytest.raises(LockNotFound):
                await driver.list_codes(LockRef(ref))


async def test_in_the_steady_state_a_code_costs_a_look_and_a_write(doors: Doors, monkeypatch: pytest.MonkeyPatch):
    async with connected(doors) as driver:
        ref = (await driver.set_code(LOCK, code("1111"))).ref
        await driver.remove_code(LOCK, ref)
        await looked(driver)
        asked: list[str] = []
        talk = driver._vendor._kept.talk
        exchange = talk.exchange

        async def counted(message: dict[str, Any], within: float) -> Any:
            asked.append(json.dumps(message))
            return await exchange(message, within)

        monkeypatch.setattr(talk, "exchange", counted)
        await looked(driver)
        await driver.set_code(LOCK, code("2222"))
        assert len(asked) == 2, asked
