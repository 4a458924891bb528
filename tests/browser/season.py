"""A host in the middle of a season, for people to look at: guests in the house and coming, a lock that refuses, one
that is out, a neighbour's code, a cleaner. Invented people only.
"""

from typing import Any

from lockbridge.storage import hosts
from lockbridge.workflows import connect, staff
from providers.simulator import Fault, Verb
from tests.browser.conftest import Office
from tests.workflows.engine import DAY, HOUR, Engine

LOCKS = {"Front door": "standard", "Garden gate": "slots", "Flat door": "nuki", "Cabin door": "standard"}
BOOKINGS = (
    ("Ida Example", "prop-7", "2026-06-09", "2026-06-12"),
    ("Ben Traveller", "prop-8", "2026-06-10", "2026-06-13"),
    ("Carla Wanderer", "prop-9", "2026-06-11", "2026-06-15"),
    ("Dan Visitor", "prop-7", "2026-06-12", "2026-06-14"),
    ("Eva Rambler", "prop-8", "2026-06-14", "2026-06-20"),
    ("Finn Walker", "prop-7", "2026-06-16", "2026-06-19"),
)


async def busy(office: Any) -> Office:
    """The host's console on a Wednesday in June."""
    at: Office = await office({"Front door": LOCKS["Front door"]})
    engine = at.engine
    flat = await engine.add_property(
        "City Flat", "prop-8", zone="Europe/Berlin", country="DE", settings={"backups": False}
    )
    cabin = await engine.add_property("Forest Cabin", "prop-9", settings={"pin_mode": "random"})
    engine.app.add_account("second", token="second")
    await connect_more(engine, flat, cabin)
    engine.app.add_by_hand("Front door", "Neighbour", "5555")
    engine.app.script("Flat door", *[Fault.REJECTED] * 40, on=[Verb.SET, Verb.UPDATE])
    for number, (guest, home, arrival, departure) in enumerate(BOOKINGS):
        facts = {"id": f"S{number}", "code": f"HMX{number}", "home": home}
        await engine.book(guest=guest, arrival=arrival, departure=departure, **facts)
    lock = engine.locks["Front door"]
    new = staff.NewStaffCode("Cleo Cleaner", [lock], engine.now, engine.now + 90 * DAY)
    await staff.add(engine.services, engine.host, new, engine.now)
    await engine.passes(HOUR)
    engine.app.battery("Cabin door", 0.12)
    engine.app.offline("Cabin door")
    await connect.sync_locks(engine.services, await app_of(engine), engine.now)
    await engine.passes(HOUR)
    return at


async def app_of(engine: Engine) -> hosts.LockAppRow:
    """The second account."""
    found = await engine.services.database.ask(hosts.lock_apps_of_host, engine.services.vault, engine.host)
    return found[-1]


async def connect_more(engine: Engine, flat: Any, cabin: Any) -> None:
    """The other locks, each where it belongs; the flat has no backups, so that a refusal is seen."""
    await engine.connect_locks({name: kind for name, kind in LOCKS.items() if name != "Front door"}, account="second")
    await engine.match("Garden gate")
    await engine.match("Flat door", flat)
    await engine.match("Cabin door", cabin)
    await engine.work()
