"""Every request to Nuki conforms to Nuki's own published description of its Web API.

A validating proxy (Prism) stands between the driver and the make-believe Nuki Web; it knows the description and
nothing of us, and says with each answer in what request and answer break it. The description is Nuki's and is not
part of this project: ``LOCKBRIDGE_NUKI_SCHEMA`` names its file, else ``../shared/schemas/nuki-swagger.json`` is tried.
"""

import json
import os
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from lockbridge import outbound
from lockbridge.contract import CodeGone, LockFull, PinTaken, Receipt, Unreachable
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from providers.nuki import PROVIDER
from providers.simulator import SimulatedLockApp
from tests.contract.harness import Clock, connection
from tests.contract.serving import serving
from tests.contract.vendors.nuki import NO_KEYPAD, OPENER, SMART_LOCK_2, SMART_LOCK_4, NukiWeb
from tests.interop import node

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
USUAL = ROOT.parent / "shared" / "schemas" / "nuki-swagger.json"
PRISM = "@stoplight/prism-cli"
NOW = datetime(2026, 3, 28, 9, 17, tzinfo=UTC)
OLD, NEW, SMALL, BARE = (LockRef(str(17_999_888_000 + n)) for n in range(4))
STAY = Window(NOW + timedelta(days=1), NOW + timedelta(days=4, hours=5))
SPEC = CodeSpec(Pin("252525"), "Zoë O'Neill-Ärm.", STAY)
MISTAKEN = "must be <= 2"
"""The description allows types of authorization up to 2 and in the same sentence explains type 13."""


@dataclass
class Proxied:
    """The driver, the world behind the proxy, and what the proxy had to say."""

    world: SimulatedLockApp
    driver: Any
    http: httpx.AsyncClient
    url: str
    checked: list[str] = field(default_factory=list)
    violations: list[dict[str, Any]] = field(default_factory=list)

    async def note(self, answer: httpx.Response) -> None:
        self.checked.append(f"{answer.request.method} {answer.request.url.path}")
        self.violations += json.loads(answer.headers.get("sl-violations", "[]"))

    def of(self, part: str) -> list[str]:
        """What breaks the description in the requests or in the responses."""
        return [each["message"] for each in self.violations if each["location"][0] == part]


@pytest.fixture(scope="module")
def schema() -> Path:
    """Nuki's description."""
    path = Path(os.environ.get("LOCKBRIDGE_NUKI_SCHEMA") or USUAL)
    if not path.is_file():
        pytest.skip("Nuki's published description is not here: name its file in LOCKBRIDGE_NUKI_SCHEMA")
    version = json.loads(path.read_text(encoding="utf-8"))["info"]["version"]
    node.meet(PRISM)
    node.MET.add(f"Nuki's description of its Web API {version}")
    return path


@pytest.fixture(scope="module")
def between(schema: Path) -> Iterator[tuple[Any, str]]:
    """A server to put the make-believe Nuki Web behind, and the address of the proxy in front of it."""
    port = node.free_port()
    script = node.MODULES / PRISM / "dist" / "index.js"
    with serving() as vendor:
        options = ("proxy", str(schema), vendor.url, "--host", "127.0.0.1", "--port", str(port))
        with node.running(script, *options, port=port) as prism:
            yield vendor, prism.url


@pytest.fixture
async def nuki(between: tuple[Any, str]) -> AsyncIterator[Proxied]:
    """A driver of its own, and a world with one lock of each kind."""
    vendor, url = between
    clock = Clock(NOW)
    world = SimulatedLockApp(clock, random.Random(5))
    for lock, rules in ((OLD, SMART_LOCK_2), (NEW, SMART_LOCK_4), (SMALL, OPENER), (BARE, NO_KEYPAD)):
        world.add_lock(str(lock), name=f"Door {lock}", rules=rules, zone="Europe/Berlin", battery=0.8)
    vendor.asgi = NukiWeb(world).asgi()
    async with outbound.client() as http:
        driver = PROVIDER.connect(connection({"url": url, "token": "token"}, http, clock))
        proxied = Proxied(world, driver, http, url)
        http.event_hooks = {"response": [proxied.note]}
        yield proxied


def pass_time(nuki: Proxied) -> None:
    nuki.world.now.at += timedelta(minutes=10)


async def only_ref(nuki: Proxied, lock: LockRef) -> CodeRef:
    (code,) = await nuki.driver.list_codes(lock)
    return code.ref


@pytest.mark.parametrize("lock", [OLD, NEW, SMALL])
async def test_the_life_of_a_code_conforms_to_nukis_description(nuki: Proxied, lock: LockRef):
    later = CodeSpec(Pin("363636"), "Grace Hopper", Window(STAY.starts, STAY.ends + timedelta(days=2)))
    standing = CodeSpec(Pin("474747"), "Backup 1", None)
    open_ended = CodeSpec(Pin("585858"), "Cleaner", Window(STAY.starts, None))
    await nuki.driver.set_code(lock, SPEC)
    assert await nuki.driver.list_codes(lock)
    pass_time(nuki)
    ref = await only_ref(nuki, lock)
    for spec in (later, standing, open_ended):
        assert (await nuki.driver.update_code(lock, ref, spec)).receipt is Receipt.ACCEPTED
        pass_time(nuki)
        (seen,) = await nuki.driver.list_codes(lock)
        assert (seen.pin, seen.name, seen.window) == (spec.pin, spec.name, spec.window)
    assert await nuki.driver.remove_code(lock, ref) is Receipt.ACCEPTED
    pass_time(nuki)
    for spec in (standing, open_ended):
        await nuki.driver.set_code(lock, spec)
    assert len(await nuki.driver.list_codes(lock)) == 2
    assert (nuki.of("request"), set(nuki.of("response"))) == ([], {m for m in nuki.of("response") if MISTAKEN in m})
    assert len(nuki.checked) == 13


async def test_looking_at_locks_and_opening_doors_conforms_to_nukis_description(nuki: Proxied):
    found = {lock.ref: lock for lock in await nuki.driver.list_locks()}
    assert set(found) == {OLD, NEW, SMALL, BARE}
    assert {lock.zone for lock in found.values()} == {"Europe/Berlin"}
    for lock in found:
        assert (await nuki.driver.check_lock(lock)).online
        assert await nuki.driver.open_door(lock) is Receipt.DONE
    assert nuki.violations == []
    assert len(nuki.checked) == 1 + 3 * len(found)


async def test_what_is_asked_after_a_refusal_conforms_to_nukis_description(nuki: Proxied):
    nuki.world.add_by_hand(NEW, "Cleaner", SPEC.pin.digits)
    with pytest.raises(PinTaken):
        await nuki.driver.set_code(NEW, SPEC)
    with pytest.raises(LockFull):
        await nuki.driver.set_code(BARE, SPEC)
    with pytest.raises(CodeGone):
        await nuki.driver.remove_code(NEW, CodeRef("64983a56466c244aac626f40"))
    await nuki.driver.set_code(OLD, SPEC)
    ref = await only_ref(nuki, OLD)
    with pytest.raises(Unreachable):  # the first operation on it is under way
        await nuki.driver.update_code(OLD, ref, SPEC)
    assert nuki.of("request") == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"name": "Ada", "type": 13, "code": "252525", "remoteAllowed": False}, "code must be integer"),
        ({"name": "Ada", "type": 13, "code": 252525}, "'remoteAllowed'"),
        ({"name": "Ada", "remoteAllowed": False, "allowedFromDate": "2026-07-01 13:00"}, "date-time"),
    ],
)
async def test_a_sloppy_request_would_have_been_noticed(nuki: Proxied, body: dict, complaint: str):
    await nuki.http.put(f"{nuki.url}/smartlock/{NEW}/auth", json=body, headers={"authorization": "Bearer token"})
    assert complaint in "".join(nuki.of("request"))
