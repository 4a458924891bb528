"""The whole engine on Seam's own fake: a booking comes in, a code is on the fake's lock, and is gone after the stay.

Every request passes a proxy that examines it by Seam's published description: there must be no violation, and in
the driver's own bodies no field that is not described.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from lockbridge import outbound
from lockbridge.contract import CodeGone, CodeState, LockNotFound, PinTaken, Receipt, Unreachable
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.storage.database import Database
from providers.seam import PROVIDER
from providers.seam.hook import ACCOUNT_EVENTS, LOCK_EVENTS
from providers.seam.words import TROUBLES
from tests.contract.brands import in_no_time
from tests.contract.harness import Clock, connection
from tests.interop.seam import ROUTES, Running, SeamEngine, Workspace, running
from tests.platforms.make_believe import Booking
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, OPENS

pytestmark = pytest.mark.interop

GUEST = "Ida Example"
IN_TIME = OPENS - 3 * DAY + HOUR
"""A moment at which the stay's code is due at the lock."""
NOWHERE = LockRef("00000000-0000-4000-8000-000000000000")
CONSTRAINTS = {
    "at_least_three_unique_digits",
    "cannot_contain_0789",
    "cannot_contain_089",
    "cannot_specify_pin_code",
    "cannot_start_with_12",
    "name_length",
    "name_must_be_unique",
    "no_all_same_digits",
    "no_ascending_or_descending_sequence",
    "no_triple_consecutive_ints",
    "no_zeros",
    "pin_code_matches_existing_set",
    "start_date_in_future",
    "unique_first_four_digits",
}
"""What tests/providers/test_seam.py says the meaning of."""
IGNORED_EVENTS = {
    "access_code.mutations_requested",
    "access_code.name_changed",
    "access_code.unmanaged.converted_to_managed",
    "access_code.unmanaged.failed_to_convert_to_managed",
}
"""Events of codes that change nothing of what opens the door."""
Start = Callable[..., Awaitable[SeamEngine]]


@pytest.fixture(scope="module")
def counterpart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("seam")) as there:
        yield there


@pytest.fixture
def seam(counterpart: Running) -> Iterator[Workspace]:
    """A workspace; at the end no request made in it may have broken Seam's description."""
    workspace = Workspace(counterpart)
    yield workspace
    assert workspace.sent
    assert workspace.violations == []


@pytest.fixture
def door(seam: Workspace) -> str:
    return seam.add_lock("Front door")


@pytest.fixture
async def start(sqlite_database: Database, seam: Workspace, door: str) -> AsyncIterator[Start]:
    started: list[SeamEngine] = []

    async def start_one(**options: Any) -> SeamEngine:
        started.append(await SeamEngine.on(sqlite_database, seam, door, **options))
        return started[-1]

    yield start_one
    for engine in started:
        await engine.close()


@pytest.fixture
async def driver(seam: Workspace) -> AsyncIterator[Any]:
    async with outbound.client() as http:
        http.event_hooks = {"response": [seam.note]}
        yield in_no_time(PROVIDER.connect(connection(seam.settings(), http, Clock())))


# -- the engine -----------------------------------------------------------------------------------------------


async def test_a_booking_is_a_code_on_the_lock_is_told_when_it_is_there_and_is_gone_after_the_stay(
    start: Start, seam: Workspace, door: str
) -> None:
    theirs = seam.stranger(door, "Cleaner", "654321")
    engine = await start(at=IN_TIME)
    await engine.book()
    (code,) = seam.codes(door, name=GUEST)
    assert code["code"] == engine.pin()
    assert (code["starts_at"], code["ends_at"]) == ("2026-06-14T20:00:00.000Z", "2026-06-16T15:00:00.000Z")
    assert engine.statuses() != {"Front door": "scheduled"}
    seam.bring(door)
    assert await engine.seam_says("access_code.scheduled_on_device", door) == 200
    await engine.passes(MINUTE)
    assert engine.statuses() == {"Front door": "scheduled"}
    await engine.until(OPENS + HOUR)
    assert len(engine.told_guest("access_code")) == 1
    await engine.until(CLOSES + 2 * DAY)
    assert seam.codes(door, name=GUEST) == []
    assert [each["access_code_id"] for each in seam.codes(door, managed=False)] == [theirs]


async def test_backup_codes_are_kept_on_the_lock_and_are_ours_not_seams(
    start: Start, seam: Workspace, door: str
) -> None:
    engine = await start()
    backups = {code["code"] for code in seam.codes(door)}
    assert backups == engine.backup_pins(door)
    assert len(backups) > 0
    assert {(code["type"], code.get("is_backup", False)) for code in seam.codes(door)} == {("ongoing", False)}


async def test_r19_a_stay_that_is_moved_keeps_its_code_in_place(start: Start, seam: Workspace, door: str) -> None:
    engine = await start(at=IN_TIME)
    await engine.book()
    (before,) = seam.codes(door, name=GUEST)
    seam.bring(door)
    await engine.passes(HOUR)
    await engine.book(happening="changed", departure="2026-06-18")
    (after,) = seam.codes(door, name=GUEST)
    assert after["access_code_id"] == before["access_code_id"]
    assert (before["ends_at"], after["ends_at"]) == ("2026-06-16T15:00:00.000Z", "2026-06-18T15:00:00.000Z")
    assert after["code"] == before["code"]


async def test_r30_a_cancelled_stay_leaves_no_code(start: Start, seam: Workspace, door: str) -> None:
    engine = await start(at=OPENS - 2 * HOUR)
    await engine.book()
    assert len(seam.codes(door, name=GUEST)) == 1
    await engine.book(happening="cancelled", status="cancelled")
    await engine.passes(HOUR)
    assert seam.codes(door, name=GUEST) == []


async def test_r10_the_digits_of_a_strangers_code_are_not_asked_for(start: Start, seam: Workspace, door: str) -> None:
    seam.stranger(door, "Cleaner", "101234")
    engine = await start(at=IN_TIME)
    await engine.book()
    (code,) = seam.codes(door, name=GUEST)
    assert code["code"] == engine.pin() != "101234"
    assert len(seam.codes(door, managed=False)) == 1


async def test_r11_a_duplicate_nobody_could_see_is_answered_with_other_digits(
    start: Start, seam: Workspace, door: str
) -> None:
    """A code of Seam's own pool is in no list; the fake answers 409."""
    seam.stranger(door, "Of Seam's pool", "101234", is_managed=True, is_backup=True)
    engine = await start(at=IN_TIME)
    await engine.book()
    await engine.passes(5 * MINUTE)
    (code,) = seam.codes(door, name=GUEST)
    assert code["code"] == engine.pin() != "101234"


async def test_r22_an_outage_is_waited_out_and_costs_no_attempt(start: Start, seam: Workspace, door: str) -> None:
    engine = await start(at=IN_TIME)
    seam.outage(*ROUTES)
    await engine.book()
    await engine.passes(20 * MINUTE)
    assert seam.codes(door, name=GUEST) == []
    assert [placed.placement.failures for placed in engine.placed()] == [0]
    seam.recover()
    await engine.passes(20 * MINUTE)
    assert [code["code"] for code in seam.codes(door, name=GUEST)] == [engine.pin()]
    assert [placed.placement.failures for placed in engine.placed()] == [0]


async def test_an_outage_of_writes_alone_puts_nothing_on_the_lock_twice(
    start: Start, seam: Workspace, door: str
) -> None:
    engine = await start(at=IN_TIME)
    seam.outage("/access_codes/create")
    await engine.book()
    await engine.passes(20 * MINUTE)
    seam.recover()
    await engine.passes(2 * HOUR)
    assert [code["code"] for code in seam.codes(door, name=GUEST)] == [engine.pin()]


async def test_r33_a_code_that_is_deleted_elsewhere_comes_back(start: Start, seam: Workspace, door: str) -> None:
    engine = await start(at=IN_TIME)
    await engine.book()
    seam.bring(door)
    await engine.passes(HOUR)
    (code,) = seam.codes(door, name=GUEST)
    seam.running.do("deleteAccessCode", code["access_code_id"])
    assert await engine.seam_says("access_code.deleted_external_to_seam", door) == 200
    await engine.passes(MINUTE)
    (again,) = seam.codes(door, name=GUEST)
    assert again["access_code_id"] != code["access_code_id"]
    assert again["code"] == engine.pin()


async def test_a_webhook_with_another_signature_causes_nothing(start: Start, seam: Workspace, door: str) -> None:
    engine = await start(at=IN_TIME)
    await engine.passes(HOUR)
    before = seam.sent["/access_codes/list"]
    forged = "whsec_bm90IHRoZSBzZWNyZXQgb2YgdGhpcyBhZGRyZXNz"
    assert await engine.seam_says("access_code.changed", door, secret=forged) == 401
    await engine.passes(MINUTE)
    assert seam.sent["/access_codes/list"] == before


async def test_the_engine_makes_at_most_two_requests_for_each_stay_on_a_lock(
    start: Start, seam: Workspace, door: str
) -> None:
    engine = await start(at=IN_TIME)
    seam.bring(door)
    await engine.passes(HOUR)
    before = sum(seam.sent.values())
    for number, name in enumerate(("Ida Example", "Ben Example")):
        stay = {"id": f"res-{number}", "code": f"HM{number}", "arrival": "2026-06-14", "departure": "2026-06-16"}
        await engine.say(Booking(**stay), guest=name)
    await engine.work()
    assert len([code for code in seam.codes(door) if code["type"] == "time_bound"]) == 2
    assert sum(seam.sent.values()) - before <= 2 * 2


# -- the driver by itself --------------------------------------------------------------------------------------


async def test_the_locks_of_the_fake_are_found_with_what_they_can_do(driver: Any, seam: Workspace, door: str) -> None:
    nuki = [{"constraint_type": "no_zeros"}, {"constraint_type": "name_length", "max_length": 20}]
    back = seam.add_lock("Back door", code_constraints=nuki, online=False)
    found = {lock.ref: lock for lock in await driver.list_locks()}
    assert set(found) == {door, back}
    assert found[door].name == "Front door"
    assert found[door].status.online
    assert found[door].status.battery == pytest.approx(0.6)
    assert found[door].capabilities.pin_rules.lengths == {6}
    assert found[door].capabilities.max_codes == 20
    assert not found[back].status.online
    assert (await driver.check_lock(LockRef(door))).online


async def test_a_code_goes_its_whole_way_by_the_verbs(driver: Any, seam: Workspace, door: str) -> None:
    window = Window(OPENS, CLOSES)
    written = await driver.set_code(door, CodeSpec(Pin("048392"), GUEST, window))
    (seen,) = await driver.list_codes(door)
    assert (seen.ref, seen.pin, seen.name, seen.window) == (written.ref, Pin("048392"), GUEST, window)
    assert seen.state is CodeState.SETTING
    seam.bring(door)
    assert [code.state for code in await driver.list_codes(door)] == [CodeState.SET]
    longer = Window(OPENS, CLOSES + timedelta(days=1))
    await driver.update_code(door, written.ref, CodeSpec(Pin("148392"), "Ida E", longer))
    assert [(code.pin, code.name, code.window) for code in await driver.list_codes(door)] == [
        (Pin("148392"), "Ida E", longer)
    ]
    await driver.update_code(door, written.ref, CodeSpec(Pin("148392"), "Ida E", None))
    assert [code["type"] for code in seam.codes(door)] == ["ongoing"]
    assert await driver.remove_code(door, written.ref) is Receipt.ACCEPTED
    assert await driver.list_codes(door) == []
    with pytest.raises(CodeGone):
        await driver.remove_code(door, written.ref)


async def test_only_what_is_on_the_lock_is_seen_ours_and_strangers(driver: Any, seam: Workspace, door: str) -> None:
    """The fake lists the codes of all locks, whichever is asked for."""
    back = seam.add_lock("Back door")
    seam.stranger(back, "Neighbour", "111222")
    theirs = seam.stranger(door, "Cleaner", "654321")
    ours = await driver.set_code(door, CodeSpec(Pin("148392"), GUEST, None))
    assert {code.ref for code in await driver.list_codes(door)} == {theirs, ours.ref}


async def test_duplicates_missing_locks_and_outages_are_what_they_are(driver: Any, seam: Workspace, door: str) -> None:
    seam.stranger(door, "Cleaner", "654321")
    spec = CodeSpec(Pin("654321"), GUEST, None)
    with pytest.raises(PinTaken):
        await driver.set_code(door, spec)
    for call in (
        driver.set_code(NOWHERE, spec),
        driver.list_codes(NOWHERE),
        driver.check_lock(NOWHERE),
        driver.remove_code(NOWHERE, CodeRef(NOWHERE)),
        driver.open_door(NOWHERE),
    ):
        with pytest.raises(LockNotFound):
            await call
    seam.outage(*ROUTES)
    for call in (driver.set_code(door, spec), driver.list_codes(door), driver.remove_code(door, CodeRef(NOWHERE))):
        with pytest.raises(Unreachable):
            await call


async def test_the_door_opens_from_afar(driver: Any, seam: Workspace, door: str) -> None:
    assert await driver.open_door(door) is Receipt.ACCEPTED
    assert seam.device(door)["properties"]["locked"] is False


async def test_the_examiner_sees_a_request_that_is_not_as_described(
    counterpart: Running, seam: Workspace, door: str
) -> None:
    """Or else no violation would mean nothing."""
    bodies = [{"device_id": door, "pin": "1234"}, {"device_id": "front"}, {"device_id": door, "code": "12"}, {}]
    async with httpx.AsyncClient(base_url=counterpart.proxy, headers={"authorization": f"Bearer {seam.key}"}) as http:
        said = [(await http.post("/access_codes/create", json=body)).headers["sl-violations"] for body in bodies]
        await seam.note(await http.post("/locks/list", json={}))
    assert all('"request"' in each for each in said)


# -- what Seam describes, and what the driver knows of it ---------------------------------------------------------


def values(part: Any, name: str) -> set[str]:
    """Every value that a field of this name may have, anywhere in a part of the description."""
    if isinstance(part, list):
        return set().union(*(values(each, name) for each in part))
    if not isinstance(part, dict):
        return set()
    own = part.get("properties", {}).get(name, {}).get("enum", [])
    return set(own).union(*(values(each, name) for each in part.values()))


def test_every_error_seam_describes_for_codes_and_locks_has_its_meaning(counterpart: Running) -> None:
    schemas = counterpart.description["components"]["schemas"]
    described = values([schemas[name] for name in ("access_code", "unmanaged_access_code", "device")], "error_code")
    assert described - TROUBLES.keys() == set()
    assert len(described) > 15


def test_every_constraint_seam_describes_is_one_the_driver_was_made_for(counterpart: Running) -> None:
    described = values(counterpart.description["components"]["schemas"]["device"], "constraint_type")
    assert described == CONSTRAINTS


def test_the_events_the_driver_looks_for_are_events_of_seams(counterpart: Running) -> None:
    described = values(counterpart.description["components"]["schemas"]["event"], "event_type")
    assert (LOCK_EVENTS | ACCOUNT_EVENTS) - described == set()
    codes = {kind for kind in described if kind.startswith("access_code.")}
    assert codes - LOCK_EVENTS == IGNORED_EVENTS
