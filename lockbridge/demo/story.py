"""The story the demo tells: one host, two properties, three locks, four bookings, and what goes wrong in between.

Every chapter does something to the real parts, lets time pass, and has the teller read what came of it. People and
numbers are invented, so digits are shown.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lockbridge.demo.stage import ACCOUNT_TOKEN, Stage
from lockbridge.demo.teller import Teller, pin_in
from lockbridge.domain.ids import HostId, LockId, LockRef, PropertyId
from lockbridge.signatures import standard_secret
from lockbridge.storage import journal, locks, stays
from lockbridge.workflows import connect, explain, resync
from lockbridge.workflows.connect import Address, NewProperty

NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"
START = datetime(2026, 6, 1, 13, 0, tzinfo=UTC)
HOST = "ana@homes.example"
STREET, FLAT, CABIN = LockRef("street"), LockRef("flat"), LockRef("cabin")
NAMES = {STREET: "Street door", FLAT: "Flat door", CABIN: "Cabin door"}
NEIGHBOUR = "4711"
NOBODY = HostId(0)


@dataclass(frozen=True, slots=True)
class Booking:
    """A reservation of the story, as the host's booking system knows it."""

    id: str
    code: str
    place: str
    arrival: str
    departure: str
    name: str
    phone: str
    email: str

    def body(self, now: datetime, kind: str, **changed: str) -> dict[str, Any]:
        """What the booking system posts about it (docs/platform-generic.md)."""
        guest = {"name": self.name, "phone": self.phone, "email": self.email}
        data = {
            "id": self.id,
            "code": self.code,
            "property": self.place,
            "status": "confirmed",
            "arrival": self.arrival,
            "departure": self.departure,
            "guest": guest,
            "updated_at": now.isoformat(),
            **changed,
        }
        return {"type": f"reservation.{kind}", "data": data}


BEN = Booking(
    "r-1", "HMBEN1", "beach", "2026-06-11", "2026-06-13", "Ben Carter", "+1 415 555 0123", "ben@guests.example"
)
CLEO = Booking(
    "r-2", "HMCLEO", "cabin", "2026-06-06", "2026-06-08", "Cleo (VIP) Marsh", "+1 212 555 0140", "cleo@guests.example"
)
DORA = Booking(
    "r-3", "HMDORA", "cabin", "2026-06-17", "2026-06-19", "Dora Lind", "+49 40 66969 843", "dora@guests.example"
)


@dataclass(slots=True)
class Tale:
    """The stage, the teller, and what the host has connected so far."""

    stage: Stage
    tell: Teller
    host: HostId = NOBODY
    address: Address | None = None
    rows: dict[LockRef, LockId] = field(default_factory=dict)
    events: int = 0

    async def post(self, body: dict[str, Any], *, event: str | None = None, secret: str | None = None) -> int:
        """Post a webhook and tell how it was answered."""
        assert self.address is not None  # noqa: S101 - the first chapter makes one
        self.events += event is None
        at, data = self.stage.now, body["data"]
        status = await self.stage.webhook(self.address, body, event=event or f"event-{self.events}", secret=secret)
        guest = f"{data['guest']['name']}, {data['property']}, {data['arrival']} to {data['departure']}"
        self.tell.line(at, "web", f"webhook {body['type']}: {status}", guest)
        return status

    async def view(self, booking: Booking) -> explain.StayView:
        """What `lockbridge stay explain` would say of a booking now."""
        found = await self.stage.services.database.ask(self._view, booking.code)
        assert found is not None  # noqa: S101 - it was found by its own host
        return found

    def _view(self, connection: Any, code: str) -> explain.StayView | None:
        tools = self.stage.services
        row = stays.by_code(connection, tools.vault, self.host, code)[0]
        return explain.view(connection, tools, self.host, row.id, self.stage.now)

    async def news(self, *bookings: Booking) -> None:
        """Tell what the database and the mail server have that is new."""
        self.tell.news([await self.view(booking) for booking in bookings], self.stage.mailbox.mails)

    async def pass_to(self, instant: datetime, *bookings: Booking) -> None:
        """Let time pass and tell what happened meanwhile."""
        await self.stage.until(instant)
        await self.news(*bookings)

    async def pins(self, booking: Booking) -> dict[str, str]:
        """The digits of a booking by lock name, as Property Access shows them; backups left out."""
        return {
            line.lock_name: line.pin.digits if line.pin else ""
            for line in (await self.view(booking)).access
            if not line.is_backup
        }

    async def held(self, lock: LockRef, pin: str) -> list[dict[str, Any]]:
        """The codes with these digits that are on a lock, told."""
        found = [code for code in await self.stage.held(lock) if code["pin"] == pin]
        if found:
            self.tell.holds(self.stage.now, NAMES[lock], found)
        else:
            self.tell.line(self.stage.now, "lock", f"{NAMES[lock]} does not hold {pin}")
        return found

    async def types(self, who: str, lock: LockRef, pin: str) -> bool:
        """Somebody types digits at a door; told."""
        opened = await self.stage.try_door(lock, pin)
        self.tell.line(
            self.stage.now, "door", f"{who} types {pin}: {NAMES[lock]} {'opens' if opened else 'stays shut'}"
        )
        return opened

    def told(self, booking: Booking) -> str:
        """The digits the guest finds in the latest e-mail; "" before there is one."""
        mails = self.stage.mailbox.to(booking.email)
        return pin_in(mails[-1]) if mails else ""


# ------------------------------------------------------------------------------------------------------------- chapters


async def connecting(tale: Tale) -> None:
    """A host connects a lock app, two properties and a webhook address; backups go onto the locks."""
    stage, tell, tools = tale.stage, tale.tell, tale.stage.services
    tell.chapter("1 · Ana connects her doors", NEW_YORK, stage.now)
    for lock, rules in ((STREET, "standard"), (FLAT, "slots"), (CABIN, "nuki")):
        await stage.by_hand("POST", "/locks", {"ref": lock, "name": NAMES[lock], "rules": rules})
    await stage.by_hand("POST", f"/locks/{STREET}/codes", {"name": "Neighbour Joe", "pin": NEIGHBOUR})
    tale.host = await connect.add_host(tools, "Ana Reyes", HOST, stage.now)
    beach = await _property(tale, NewProperty("Beach House", NEW_YORK, "US"), "beach")
    cabin = await _property(tale, NewProperty("Lake Cabin", BERLIN, "DE", check_in="15:00"), "cabin")
    await _locks(tale, {STREET: beach, FLAT: beach, CABIN: cabin})
    secret = standard_secret(b"the demo's webhook secret, 32 by")
    tale.address = await connect.add_address(tools, tale.host, "generic", secret, stage.now)
    await stage.until(stage.now + timedelta(minutes=5))
    tell.check("each lock keeps two backup codes", await _all_held(tale) == [2, 2, 2])


async def _all_held(tale: Tale) -> list[int]:
    """What the three locks hold, told; how many of the codes on each are lockbridge's."""
    ours = []
    for lock, name in NAMES.items():
        held = await tale.stage.held(lock)
        tale.tell.holds(tale.stage.now, name, held)
        ours.append(sum(1 for code in held if code["made_by"] == "us"))
    return ours


async def _property(tale: Tale, new: NewProperty, ref: str) -> PropertyId:
    place = await connect.add_property(tale.stage.services, tale.host, new, [("generic", ref)], tale.stage.now)
    tale.tell.line(tale.stage.now, "engine", f"property {new.name} ({new.zone}), check-in {new.check_in}")
    return place


async def _locks(tale: Tale, matches: dict[LockRef, PropertyId]) -> None:
    stage, tools = tale.stage, tale.stage.services
    form = {"url": stage.lock_app, "token": ACCOUNT_TOKEN}
    app, _ = await connect.add_lock_app(tools, tale.host, "simulator", "Ana's locks", form, stage.now)
    for row in await tools.database.ask(locks.of_app, app):
        tale.rows[row.ref] = row.id
        await connect.match(tools, tale.host, matches[row.ref], row.id, stage.now)
        lead = f"a code can be put on it {_span(row.capabilities.lead)} before it opens"
        tale.tell.line(stage.now, "lock", f"{row.name}: class {row.capabilities.lock_class}", lead)


def _span(span: timedelta) -> str:
    return f"{span.days} days" if span.days else f"{span // timedelta(minutes=1)} minutes"


async def booking(tale: Tale) -> None:
    """Bookings arrive by signed webhooks; each becomes one decision with its reasons."""
    stage, tell = tale.stage, tale.tell
    tell.chapter("2 · Bookings arrive", NEW_YORK, stage.now)
    body = BEN.body(stage.now, "created")
    first = await tale.post(body, event="ben-1")
    await tale.news(BEN)
    tell.check("Ben's PIN is the end of his phone number, the same on both locks", await _same_pin(tale, BEN, "0123"))
    again = await tale.post(body, event="ben-1")
    tell.check(
        "the same webhook once more changes nothing", (first, again) == (200, 200) and not await _news(tale, BEN)
    )
    await tale.post(CLEO.body(stage.now, "created"))
    await tale.news(CLEO)
    view = await tale.view(CLEO)
    tell.check(
        "Cleo's number holds a 0, which this lock has no key for: her PIN is random, and has six digits",
        view.code and view.code.pin and len(view.code.pin.digits) == 6 and "0" not in view.code.pin.digits,  # noqa: PLR2004 - Nuki's rule
    )
    tell.check("brackets in her name: the code bears the reservation code", view.code and view.code.name == CLEO.code)


async def _same_pin(tale: Tale, who: Booking, pin: str) -> bool:
    return await tale.pins(who) == dict.fromkeys((NAMES[STREET], NAMES[FLAT]), pin)


async def _news(tale: Tale, who: Booking) -> bool:
    return tale.tell.has_news(await tale.view(who))


async def forged(tale: Tale) -> None:
    """A webhook with a wrong signature is refused, and the host hears of it."""
    stage, tell = tale.stage, tale.tell
    tell.chapter("3 · Somebody guesses the address", NEW_YORK, stage.now)
    wrong = standard_secret(b"a guess, and not the real secret")
    before = len(stage.mailbox.to(HOST))
    status = await tale.post(BEN.body(stage.now, "cancelled"), secret=wrong)
    await tale.news(BEN)
    tell.check("it is refused with 401", status == 401)  # noqa: PLR2004 - HTTP
    tell.check("Ana is alarmed by e-mail", len(stage.mailbox.to(HOST)) == before + 1)
    tell.check("Ben's booking is untouched", (await tale.view(BEN)).stay.status == "confirmed")


async def pushing(tale: Tale) -> None:
    """Three days ahead the code goes onto a lock that keeps windows – through an outage."""
    stage, tell = tale.stage, tale.tell
    tell.chapter("4 · Three days before Cleo: the lock app is down for a moment", BERLIN, stage.now)
    await stage.by_hand("POST", f"/locks/{CABIN}/script", {"faults": ["error_before"], "on": ["set"]})
    await tale.pass_to(datetime(2026, 6, 3, 13, 10, tzinfo=UTC), CLEO)
    kinds = [entry.kind for entry in (await tale.view(CLEO)).history]
    tell.check("the push failed, waited and was made again", kinds.count("asked_to_set") == 2 and "waiting" in kinds)  # noqa: PLR2004 - once and again
    await tale.pass_to(datetime(2026, 6, 6, 12, 0, tzinfo=UTC), CLEO)
    pin = tale.told(CLEO)
    tell.check("Cleo was told the PIN that is on the lock", pin and await tale.held(CABIN, pin))
    tell.check("an hour early the door stays shut", not await tale.types("Cleo", CABIN, pin))
    await tale.pass_to(datetime(2026, 6, 6, 13, 30, tzinfo=UTC), CLEO)
    tell.check("at half past three it opens", await tale.types("Cleo", CABIN, pin))


async def extending(tale: Tale) -> None:
    """A guest in the house stays longer: the same PIN, without a gap."""
    stage, tell = tale.stage, tale.tell
    tell.chapter("5 · Cleo stays a night longer", BERLIN, stage.now)
    pin = tale.told(CLEO)
    await stage.until(datetime(2026, 6, 7, 16, 0, tzinfo=UTC))
    await tale.post(CLEO.body(stage.now, "updated", departure="2026-06-09"))
    await tale.pass_to(stage.now + timedelta(minutes=5), CLEO)
    await stage.until(datetime(2026, 6, 8, 12, 0, tzinfo=UTC))
    tell.check("after the first check-out her PIN still opens", await tale.types("Cleo", CABIN, pin))
    await tale.held(CABIN, pin)


async def refused(tale: Tale) -> None:
    """A lock app says no without a reason; another name is chosen and the push repeated."""
    stage, tell = tale.stage, tale.tell
    tell.chapter("6 · Three days before Ben: the lock app says no, without a reason", NEW_YORK, stage.now)
    await stage.by_hand("POST", f"/locks/{STREET}/script", {"faults": ["rejected"], "on": ["set"]})
    await tale.pass_to(datetime(2026, 6, 8, 20, 10, tzinfo=UTC), BEN)
    on_lock = await tale.held(STREET, "0123")
    tell.check("it was tried again under the reservation code", [code["name"] for code in on_lock] == [BEN.code])


async def restoring(tale: Tale) -> None:
    """Somebody deletes a code in the vendor's app; a resync puts it back."""
    stage, tell = tale.stage, tale.tell
    tell.chapter("7 · Somebody deletes Ben's code in the lock app", NEW_YORK, stage.now)
    await stage.until(datetime(2026, 6, 9, 14, 0, tzinfo=UTC))
    (code,) = [code for code in await stage.held(STREET) if code["pin"] == "0123"]
    await stage.by_hand("DELETE", f"/locks/{STREET}/codes/{code['ref']}")
    tell.line(stage.now, "hand", f"{NAMES[STREET]}: the code 0123 is deleted in the vendor's app")
    await tale.held(STREET, "0123")
    await stage.until(stage.now + timedelta(minutes=1))
    done = await resync.resync(stage.services, tale.rows[STREET], stage.now)
    tell.line(stage.now, "engine", f"resync: {done.pushed} pushed, {done.kept} kept, {done.removed} removed")
    await tale.pass_to(stage.now, BEN)
    tell.check("the same PIN is back", await tale.held(STREET, "0123"))


async def arriving(tale: Tale) -> None:
    """A lock without a clock gets the code ten minutes ahead; the answer is lost, and the code is recognised."""
    stage, tell = tale.stage, tale.tell
    tell.chapter("8 · Ben arrives: the lock without a clock, and a lost answer", NEW_YORK, stage.now)
    await stage.by_hand("POST", f"/locks/{FLAT}/script", {"faults": ["lost_answer"], "on": ["set"]})
    await tale.pass_to(datetime(2026, 6, 11, 20, 20, tzinfo=UTC), BEN)
    tell.check("the code is on the lock once, not twice", len(await tale.held(FLAT, "0123")) == 1)
    pin = tale.told(BEN)
    tell.check("Ben's e-mail opens the street door", await tale.types("Ben", STREET, pin))
    tell.check("… and the flat", await tale.types("Ben", FLAT, pin))


async def leaving(tale: Tale) -> None:
    """After the stay the code opens nothing, and 24 h later it is gone."""
    stage, tell = tale.stage, tale.tell
    tell.chapter("9 · Ben leaves", NEW_YORK, stage.now)
    await tale.pass_to(datetime(2026, 6, 13, 15, 5, tzinfo=UTC), BEN)
    tell.check("five minutes after check-out the street door stays shut", not await tale.types("Ben", STREET, "0123"))
    tell.check("… and the flat: its slot was cleared as he left", not await tale.types("Ben", FLAT, "0123"))
    await tale.held(STREET, "0123")
    await tale.pass_to(datetime(2026, 6, 14, 15, 5, tzinfo=UTC), BEN)
    tell.check("24 h after the stay the code is deleted", not await tale.held(STREET, "0123"))
    tell.check("Neighbour Joe's own code still opens the street door", await tale.types("Joe", STREET, NEIGHBOUR))


async def helping(tale: Tale) -> None:
    """A lock is offline as its guest's code should be set: at 8:00 in New York she is given a backup code."""
    stage, tell = tale.stage, tale.tell
    await stage.until(datetime(2026, 6, 17, 8, 0, tzinfo=UTC))
    tell.chapter("10 · The cabin's lock is offline, and Dora arrives today", BERLIN, stage.now)
    await stage.by_hand("POST", f"/locks/{CABIN}/offline")
    tell.line(stage.now, "hand", f"{NAMES[CABIN]}: its hub loses the network")
    await tale.post(DORA.body(stage.now, "created"))
    await tale.pass_to(datetime(2026, 6, 17, 12, 5, tzinfo=UTC), DORA)
    last = await stage.services.database.ask(journal.last_run, "healthcheck")
    if last is not None and last.done_at is not None:
        tell.line(last.done_at, "engine", "health check of 8:00 in New York", _figures(last.report))
    tell.check("Dora was e-mailed a backup code of that lock", tale.told(DORA) in await _backups(tale, DORA))
    await tale.pass_to(datetime(2026, 6, 17, 13, 40, tzinfo=UTC), DORA)
    told = tale.told(DORA)
    tell.check("what she was told opens the cabin, offline as the lock is", await tale.types("Dora", CABIN, told))


async def _backups(tale: Tale, who: Booking) -> list[str]:
    access = (await tale.view(who)).access
    return [line.pin.digits for line in access if line.is_backup and line.pin is not None]


def _figures(report: Any) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in report.items())


async def ending(tale: Tale) -> None:
    """The lock comes back; in the end nothing of ours is left but the backups, and what was not ours is as it was."""
    stage, tell = tale.stage, tale.tell
    tell.chapter("11 · The lock is back, the stays are over", BERLIN, stage.now)
    await stage.by_hand("POST", f"/locks/{CABIN}/online")
    tell.line(stage.now, "hand", f"{NAMES[CABIN]}: its hub is back")
    await tale.pass_to(datetime(2026, 6, 20, 10, 0, tzinfo=UTC), DORA)
    given = tale.told(DORA)
    tell.check("the backup that Dora had opens nothing any more", not await tale.types("Dora", CABIN, given))
    held = await _all_held(tale)
    tell.check("each lock holds two backups again and nothing of a guest", held == [2, 2, 2])
    await _nothing_foreign_touched(tale)


async def _nothing_foreign_touched(tale: Tale) -> None:
    """The lock app's own journal: what was written by us to codes that were made by hand."""
    told = (await tale.stage.by_hand("GET", "/journal"))["journal"]
    touched = [entry for entry in told if entry["by"] == "us" and entry["made_by"] == "hand"]
    ours = sum(1 for entry in told if entry["by"] == "us")
    tale.tell.line(tale.stage.now, "lock", f"the lock app's journal: {ours} writes by lockbridge in these weeks")
    tale.tell.check("none of them touched the neighbour's code", not touched)


CHAPTERS: tuple[Callable[[Tale], Awaitable[None]], ...] = (
    connecting,
    booking,
    forged,
    pushing,
    extending,
    refused,
    restoring,
    arriving,
    leaving,
    helping,
    ending,
)
"""The story in order."""
