"""Two hosts with one of everything each, for tests of questions: what is asked for one never shows the other's."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from lockbridge.domain.code import CodeKind, Pin, Window
from lockbridge.domain.ids import CodeId, EndpointId, HostId, LockAppId, LockId, PlacementId, PropertyId, StayId
from lockbridge.domain.lock import Capabilities
from lockbridge.domain.placement import Placement
from lockbridge.storage import codes, hosts, inbox, journal, locks, outbox, stays
from lockbridge.storage.hosts import NewEndpoint
from lockbridge.storage.rows import dump_capabilities, seal_pin
from lockbridge.storage.stays import Contact
from lockbridge.storage.vault import Vault

NOW = datetime(2026, 6, 10, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = Window(NOW + DAY, NOW + 3 * DAY)


@dataclass(frozen=True)
class Belongings:
    """What one host has."""

    host: HostId
    place: PropertyId
    app: LockAppId
    lock: LockId
    endpoint: EndpointId
    stay: StayId
    code: CodeId
    placement: PlacementId


def furnish(connection: Connection, vault: Vault, name: str) -> Belongings:
    """A host with a property, an account, a lock, an address, a booking, its code, a message and some history."""
    host = hosts.add_host(connection, vault, name, f"{name}@example.com", "en", NOW)
    usual = {"zone": "UTC", "country": None, "check_in": "16:00", "check_out": "11:00", "settings": {}}
    place = hosts.add_property(connection, host, {"name": f"{name}'s house", **usual}, NOW)
    hosts.add_property_ref(connection, host, place, "generic", "P1")
    app = hosts.add_lock_app(connection, vault, host, "simulator", "Sim", {"token": f"{name}'s"}, NOW)
    lock = add_lock(connection, host, app, f"{name}-front")
    hosts.match(connection, host, place, lock)
    endpoint = hosts.add_endpoint(
        connection, vault, NewEndpoint(host, "generic", f"{name}'s token".encode(), "whsec"), NOW
    )
    stay = add_stay(connection, vault, host, place, "R1", guest_name="Ida Example")
    code, placement = add_code(connection, vault, host, lock, stay)
    outbox.add(connection, [outbox.NewMessage(host, "access_code:1", "access_code", NOW, stay)], NOW)
    journal.write(connection, [journal.Entry(NOW, host, "booked", f"by {name}", stay, code, lock)])
    journal.open_alarm(connection, host, "lock_offline:1", "lock_offline", {}, NOW)
    inbox.store(connection, vault, [inbox.Incoming(host, endpoint, "generic", "evt-1", NOW, {}, name.encode())])
    return Belongings(host, place, app, lock, endpoint, stay, code, placement)


def add_lock(connection: Connection, host: HostId, app: LockAppId, ref: str, **more: Any) -> LockId:
    """A lock that is due now."""
    capabilities = dump_capabilities(Capabilities())
    told = {"online": True, "battery": 1.0, "missing": False, "next_at": NOW}
    return locks.upsert_lock(
        connection,
        {"host_id": host, "lock_app_id": app, "ref": ref, "name": ref, "capabilities": capabilities, **told, **more},
    )


def add_stay(
    connection: Connection, vault: Vault, host: HostId, place: PropertyId | None, ref: str, **more: Any
) -> StayId:
    """A confirmed stay from the 11th to the 13th of June that is due for planning."""
    said = {
        "property_id": place,
        "property_ref": "P1",
        "platform": "generic",
        "external_id": ref,
        "reservation_code": f"HM{ref}",
        "status": "confirmed",
        "raw_status": "confirmed",
        "arrival": date(2026, 6, 11),
        "departure": date(2026, 6, 13),
        "created_at": NOW,
        "plan_at": NOW,
    }
    added = stays.add(connection, vault, host, said | more, Contact(phone="+15550101234", email="ida@example.com"))
    assert added is not None
    return added


def add_code(
    connection: Connection,
    vault: Vault,
    host: HostId,
    lock: LockId,
    stay: StayId | None,
    *,
    kind: CodeKind = CodeKind.GUEST,
    pin: str = "4711",
) -> tuple[CodeId, PlacementId]:
    """A code on one lock that is due now."""
    code = codes.reserve_ids(connection, 1)[0]
    row = {
        "id": code,
        "host_id": host,
        "kind": kind.value,
        "stay_id": stay,
        "lock_id": lock if kind is CodeKind.BACKUP else None,
        "pin_sealed": seal_pin(vault, Pin(pin)),
        "name": f"Code {code}",
        "opens_at": WINDOW.starts,
        "closes_at": WINDOW.ends,
        "created_at": NOW,
    }
    placement = Placement(
        id=PlacementId(0),
        code=code,
        lock=lock,
        kind=kind,
        pin=Pin(pin),
        name=f"Code {code}",
        window=WINDOW,
        push_at=NOW,
        remove_at=WINDOW.ends,
        made_at=NOW,
        watch_at=NOW,
    )
    codes.insert_codes(connection, [row])
    codes.insert_placements(connection, vault, host, [placement])
    (placed,) = codes.placements_of(connection, vault, [code])[code]
    return code, placed.placement.id
