"""Every lock app by hand, as a host has it: connected on the command line, and a booking becomes a code on its lock."""

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from lockbridge import bootstrap, worker
from lockbridge.config import load
from lockbridge.inbound import Delivery
from lockbridge.services import Services
from lockbridge.signatures import sign_standard_webhook
from lockbridge.storage import hosts
from lockbridge.workflows import receive
from providers import PROVIDERS
from providers.simulator import SimulatedLockApp
from tests.commands.conftest import Command
from tests.contract.serving import serving
from tests.contract.vendors import BRANDS

MINUTE = timedelta(minutes=1)
EVERY = sorted(BRANDS)


@dataclass
class Vendor:
    """A make-believe vendor on a loopback socket, whose clock runs ahead when a test wants it to."""

    url: str
    world: SimulatedLockApp
    ahead: list[timedelta]


@pytest.fixture
def vendor_of() -> Iterator[Callable[[str], Vendor]]:
    with serving() as served:

        def open_one(brand: str) -> Vendor:
            ahead = [timedelta()]
            world = SimulatedLockApp(lambda: datetime.now(UTC) + ahead[0], random.Random(3))
            kind = next(iter(BRANDS[brand].rules.values()))
            world.add_lock("11", name="Front door", rules=kind, zone="Europe/Berlin", battery=0.8)
            served.asgi = BRANDS[brand].serve(world)
            return Vendor(served.url, world, ahead)

        yield open_one


def answers(brand: str, vendor: Vendor) -> list[str]:
    """The answers to the brand's form, as options."""
    return [part for answer in BRANDS[brand].settings(vendor.url).items() for part in ("--set", "=".join(answer))]


def a_host(lockbridge: Command, now: datetime) -> dict[str, str]:
    """A host with a property whose guests come in five minutes; the address for its bookings."""
    opens = f"{now + 5 * MINUTE:%H:%M}"
    assert lockbridge("host", "add", "Ana Host", "ana@example.com").code == 0
    place = ("Beach house", "--zone", "UTC", "--country", "US", "--ref", "generic:P1", "--check-in", opens)
    said = lockbridge("property", "add", *place)
    assert said.code == 0, said.err
    return lockbridge("platform", "connect", "generic", "--json").json  # type: ignore[no-any-return]  # JSON


def booking(now: datetime) -> bytes:
    arrival = (now + 5 * MINUTE).date()
    stay = {"id": "R1", "code": "HMX1", "property": "P1", "status": "confirmed", "arrival": str(arrival)}
    guest = {"name": "Ben Example", "phone": "+15550101234"}
    data = {**stay, "departure": str(arrival + timedelta(days=2)), "guest": guest}
    return orjson.dumps({"type": "reservation.created", "data": data})


async def deliver(built: Services, address: dict[str, str], now: datetime) -> None:
    endpoint = await built.database.ask(
        hosts.find_endpoint, built.vault, hosts.token_hash(address["url"].rpartition("/")[2])
    )
    assert endpoint is not None
    body = booking(now)
    delivery = Delivery(sign_standard_webhook(address["secret"], "e1", now, body), body, now)
    await receive.accept(built, endpoint, built.platforms["generic"].hook, delivery, now)


def works(address: dict[str, str], now: datetime, between: Callable[[int], object]) -> None:
    """A booking comes in, and the worker does its rounds for ten minutes."""

    async def rounds() -> None:
        async with bootstrap.services(load(None)) as built:
            await deliver(built, address, now)
            for minute in range(10):
                await worker.run_once(built, now + minute * MINUTE)
                between(minute)

    asyncio.run(rounds())


def statuses(lockbridge: Command) -> set[str]:
    return {line["status"] for line in lockbridge("stay", "show", "HMX1", "--json").json["access"]}


@pytest.mark.parametrize("brand", EVERY)
def test_a_booking_becomes_a_code_on_the_lock_of_every_brand(
    lockbridge: Command, sqlite_url, monkeypatch, vendor_of, brand
):
    monkeypatch.setenv("LOCKBRIDGE_DATABASE__URL", sqlite_url)
    now, vendor = datetime.now(UTC), vendor_of(brand)
    address = a_host(lockbridge, now)
    said = lockbridge("lock-app", "add", brand, *answers(brand, vendor))
    assert said.code == 0, said.err
    assert "with 1 lock" in said.out
    assert lockbridge("property", "match", 1, 1).code == 0

    def time_passes(_minute: int) -> None:
        vendor.ahead[0] += 10 * MINUTE

    works(address, now, time_passes)
    assert statuses(lockbridge) <= {"scheduled", "set"}, lockbridge("stay", "explain", "HMX1").out
    assert "Ben Example" in lockbridge("stay", "list").out
    pins = {code["pin"] for code in lockbridge("code", "list", "--reveal", "--json").json}
    assert pins & {code.pin for code in vendor.world.holds(next(iter(vendor.world.locks)))}


def test_a_keypad_without_connection_is_programmed_by_the_host(lockbridge: Command, sqlite_url, monkeypatch):
    monkeypatch.setenv("LOCKBRIDGE_DATABASE__URL", sqlite_url)
    now = datetime.now(UTC)
    address = a_host(lockbridge, now)
    assert lockbridge("lock-app", "add", "manual", "Keypads", "--set", "locks=Front door, Garage").code == 0
    assert lockbridge("property", "match", 1, 1).code == 0
    works(address, now, lambda _minute: None)
    assert statuses(lockbridge) == {"pending"}
    work = lockbridge("keypad", "list", "--json").json
    assert {task["do"] for task in work} == {"program"}
    assert any(task["code"] == "1234" and task["name"] == "Ben Example" for task in work)
    assert "1234" not in lockbridge("keypad", "list", "--hide").out
    assert lockbridge("keypad", "done", *(task["number"] for task in work)).code == 0
    assert lockbridge("keypad", "list", "--json").json == []
    assert lockbridge("lock", "resync", 1).code == 0
    assert statuses(lockbridge) <= {"scheduled", "set"}
    assert lockbridge("keypad", "done", 99).code == 2


def test_every_lock_app_of_the_issue_can_be_connected():
    wanted = {"seam", "nuki", "ttlock", "sifely", "igloohome", "remotelock", "zwave_js", "manual"}
    assert wanted <= set(PROVIDERS)


def test_the_address_for_a_lock_apps_webhooks_is_shown_once(lockbridge: Command, sqlite_url, monkeypatch, vendor_of):
    monkeypatch.setenv("LOCKBRIDGE_DATABASE__URL", sqlite_url)
    vendor = vendor_of("nuki")
    a_host(lockbridge, datetime.now(UTC))
    given = [
        part for name, value in BRANDS["nuki"].settings(vendor.url).items() for part in ("--set", f"{name}={value}")
    ]
    assert lockbridge("lock-app", "add", "nuki", *given).code == 0
    made = lockbridge("lock-app", "webhook", 1, "--json").json
    assert "/webhooks/nuki/" in made["url"]
    assert made["secret"]
    assert "generic" in lockbridge("platform", "list").out
    assert lockbridge("lock-app", "webhook", 9).code == 2
    assert lockbridge("lock-app", "add", "manual", "Keypads", "--set", "locks=Garage").code == 0
    said = lockbridge("lock-app", "webhook", 2)
    assert said.code == 2
    assert "sends no webhooks" in said.err
