"""The Home Assistant driver against Home Assistant itself, on Z-Wave JS itself; the locks are in memory."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    LockFull,
    LockNotFound,
    LockOffline,
    OutcomeUnknown,
    PinTaken,
    ProviderError,
    Receipt,
)
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.outbound import client
from providers.home_assistant import PROVIDER
from tests.contract.harness import connection
from tests.interop import home_assistant, node
from tests.interop.home_assistant import Home
from tests.interop.test_zwave_js import Doors, _answers, code

pytestmark = pytest.mark.interop_ha

LOCK, OTHER = LockRef("lock.node_2"), LockRef("lock.node_3")
NODES = {LOCK: LockRef("2"), OTHER: LockRef("3")}
BATTERIES = ("sensor.node_2_battery_level", "sensor.node_3_battery_level")
SLOTS = 6
SECURED, UNSECURED = 255, 0


@dataclass(frozen=True)
class House:
    """Home Assistant, and what can be done at the doors."""

    home: Home
    doors: Doors

    def do(self, verb: str, *words: object, lock: LockRef = LOCK) -> Any:
        return self.doors.do(verb, NODES[lock], *words)

    def holds(self, lock: LockRef = LOCK) -> dict[str, str]:
        """What is on the lock, slot by slot, by its own word."""
        return self.doors.holds(NODES[lock])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home_assistant.install()
    node.meet("zwave-js", "@zwave-js/server")
    port, control = node.free_port(), node.free_port()
    doors = Doors(f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{control}")
    radio, config = tmp_path_factory.mktemp("zwave"), tmp_path_factory.mktemp("home")
    ways = {"LOCKS": str(len(NODES)), "SLOTS": str(SLOTS), "CACHE": str(radio), "CONTROL": str(control)}
    with (
        node.running("zwave_locks.mjs", port=port, ready=lambda: _answers(control), **ways),
        home_assistant.running(config, doors.url, *NODES, *BATTERIES) as home,
    ):
        yield House(home, doors)


@pytest.fixture(autouse=True)
def empty_locks(house: House) -> Iterator[None]:
    yield
    for lock in NODES:
        house.do("heal", lock=lock)
        for slot in house.holds(lock):
            house.do("slip", slot, lock=lock)


@asynccontextmanager
async def connected(house: House, **settings: str) -> AsyncIterator[Any]:
    """A driver as the program makes it, over a real line."""
    form = {"url": house.home.url, "token": house.home.token, "slots": f"1-{SLOTS}"}
    async with client() as http:
        driver = PROVIDER.connect(connection(form | settings, http, lambda: datetime.now(UTC)))
        try:
            yield driver
        finally:
            await driver._vendor.close()


async def looked(driver: Any, lock: LockRef = LOCK) -> dict[str, str]:
    return {seen.ref: seen.pin.digits for seen in await driver.list_codes(lock)}


async def until(found: Any, look: Any) -> None:
    """Look, for a while, until the news has made its way through Home Assistant."""
    for _ in range(500):
        if await look() == found:
            return
    assert await look() == found


async def until_online(driver: Any, *, online: bool = True) -> None:
    async def is_online() -> bool:
        return (await driver.check_lock(LOCK)).online

    await until(online, is_online)


async def test_the_locks_are_found_with_their_battery_and_whether_they_answer(house: House):
    async with connected(house) as driver:
        found = await driver.list_locks()
        assert [(lock.ref, lock.name.strip()) for lock in found] == [(LOCK, "Node 2"), (OTHER, "Node 3")]
        assert [(lock.status.online, lock.status.battery) for lock in found] == [(True, 0.0)] * 2
        assert await driver.check_lock(OTHER) == found[1].status


async def test_a_code_is_set_and_is_on_the_lock_is_changed_in_place_and_taken_off(house: House):
    async with connected(house) as driver:
        written = await driver.set_code(LOCK, code("012345"))
        assert (written.receipt, written.ref) == (Receipt.DONE, "1")
        assert house.holds() == {"1": "012345"} == await looked(driver)
        changed = await driver.update_code(LOCK, written.ref, code("0077"))
        assert (changed.receipt, changed.ref) == (Receipt.DONE, "1")
        assert house.holds() == {"1": "0077"} == await looked(driver)
        assert await driver.remove_code(LOCK, written.ref) is Receipt.DONE
        assert house.holds() == {} == await looked(driver)
        with pytest.raises(CodeGone):
            await driver.remove_code(LOCK, written.ref)
        with pytest.raises(CodeGone):
            await driver.update_code(LOCK, written.ref, code("0088"))
    assert house.holds() == house.holds(OTHER) == {}


async def test_codes_stay_in_the_slots_the_host_gave_us(house: House):
    async with connected(house, slots="3-4") as driver:
        house.do("slip", 1, "5544")
        refs = [(await driver.set_code(LOCK, code(digits))).ref for digits in ("3333", "4444")]
        assert refs == ["3", "4"]
        with pytest.raises(LockFull):
            await driver.set_code(LOCK, code("5555"))
        with pytest.raises(CodeGone):
            await driver.remove_code(LOCK, CodeRef("1"))
        assert await looked(driver) == {"3": "3333", "4": "4444"}
    assert house.holds() == {"1": "5544", "3": "3333", "4": "4444"}


async def test_a_range_may_be_longer_than_the_lock(house: House):
    async with connected(house, slots=f"{SLOTS}-{SLOTS + 3}") as driver:
        assert (await driver.set_code(LOCK, code("6666"))).ref == str(SLOTS)
        with pytest.raises(LockFull):
            await driver.set_code(LOCK, code("7777"))
        assert await looked(driver) == {str(SLOTS): "6666"} == house.holds()


@contextmanager
def written_amid(driver: Any, before: Callable[[], Any], after: Callable[[], Any]) -> Iterator[None]:
    """Things happen at the door right before and right after a write, between its two readings."""
    write = driver._write

    async def disturbed(*what: Any) -> None:
        before()
        try:
            await write(*what)
        finally:
            after()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(driver, "_write", disturbed)
        yield


async def test_a_write_whose_acknowledgement_is_lost_is_found_by_the_next_look(house: House):
    """R22: the call fails, and the lock has the code."""
    async with connected(house) as driver:
        assert await looked(driver) == {}
        with (
            written_amid(driver, lambda: house.do("deafen"), lambda: house.do("silence")),
            pytest.raises(OutcomeUnknown),
        ):
            await driver.set_code(LOCK, code("7391"))
        assert house.holds() == {"1": "7391"}
        with pytest.raises(LockOffline):
            await driver.list_codes(LOCK)
        house.do("heal")
        assert await looked(driver) == {"1": "7391"}
        await until_online(driver)
        with pytest.raises(PinTaken):
            await driver.set_code(LOCK, code("7391"))


async def test_a_write_that_home_assistant_calls_failed_is_done_when_the_lock_says_so(house: House):
    async with connected(house) as driver:
        with written_amid(driver, lambda: house.do("deafen"), lambda: None):
            assert (await driver.set_code(LOCK, code("7391"))).receipt is Receipt.DONE
        house.do("heal")
        assert house.holds() == {"1": "7391"} == await looked(driver)


async def test_a_write_that_never_reached_the_lock_is_not_done(house: House):
    async with connected(house) as driver:
        with (
            written_amid(driver, lambda: house.do("silence"), lambda: house.do("heal")),
            pytest.raises(ProviderError),
        ):
            await driver.set_code(LOCK, code("7391"))
        assert house.holds() == {} == await looked(driver)
        await until_online(driver)
        assert (await driver.set_code(LOCK, code("7391"))).receipt is Receipt.DONE


async def test_a_dead_lock_takes_nothing_and_lists_nothing_and_comes_back(house: House):
    async with connected(house) as driver:
        await driver.set_code(LOCK, code("1111"))
        house.do("silence")
        with pytest.raises(LockOffline):
            await driver.set_code(LOCK, code("4711"))
        await until_online(driver, online=False)
        with pytest.raises(LockOffline):
            await driver.list_codes(LOCK)
        with pytest.raises(LockOffline):
            await driver.remove_code(LOCK, CodeRef("1"))
        with pytest.raises(LockOffline):
            await driver.open_door(LOCK)
        assert await looked(driver, OTHER) == {}
        house.do("heal")
        assert await looked(driver) == {"1": "1111"} == house.holds()
        await until_online(driver)
        assert (await driver.set_code(LOCK, code("4711"))).ref == "2"


async def test_a_code_typed_at_the_keypad_is_seen_as_a_strangers_and_left_alone(house: House):
    async with connected(house) as driver:
        assert await looked(driver) == {}
        house.do("program", 1, "5544")
        await until({"1": "5544"}, lambda: looked(driver))
        assert (await driver.set_code(LOCK, code("6655"))).ref == "2"
        with pytest.raises(PinTaken):
            await driver.set_code(LOCK, code("5544"))
        house.do("erase", 1)
        await until({"2": "6655"}, lambda: looked(driver))
    assert house.holds() == {"2": "6655"}


async def test_a_code_slipped_in_without_a_word_is_not_overwritten(house: House):
    async with connected(house) as driver:
        assert await looked(driver) == {}
        house.do("slip", 1, "5544")
        assert (await driver.set_code(LOCK, code("6655"))).ref == "2"
        assert house.holds() == {"1": "5544", "2": "6655"} == await looked(driver)


async def test_the_door_is_opened(house: House):
    house.home.post("/api/services/lock/lock", {"entity_id": LOCK})
    assert house.do("state")["DoorLock_currentMode"] == SECURED
    async with connected(house) as driver:
        assert await driver.open_door(LOCK) is Receipt.DONE
    assert house.do("state")["DoorLock_currentMode"] == UNSECURED


async def test_what_is_no_lock_is_not_found(house: House):
    async with connected(house) as driver:
        for ref in (BATTERIES[0], "lock.node_77", "front-door"):
            with pytest.raises(LockNotFound):
                await driver.list_codes(LockRef(ref))


async def test_a_token_that_home_assistant_does_not_know_is_refused(house: House):
    async with connected(house, token="invented") as driver:
        with pytest.raises(AccountRefused):
            await driver.list_locks()
        with pytest.raises(AccountRefused):
            await driver.set_code(LOCK, code("1111"))
    assert house.holds() == {}
