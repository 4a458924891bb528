"""The whole engine in one process: a real database, a simulated lock app, a mailbox, and a clock that tests move.

Bookings come in as signed webhooks; codes are looked at on the simulated doors; what was said is read in the mailbox.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any
from zlib import crc32

from lockbridge import assets, signatures, worker
from lockbridge.bootstrap import Instead, build
from lockbridge.clock import VirtualClock
from lockbridge.config import load
from lockbridge.contract import Connection, ProviderSpec
from lockbridge.domain.ids import CodeId, LockId
from lockbridge.domain.retry import next_healthcheck
from lockbridge.inbound import Delivery
from lockbridge.messaging.channel import Email
from lockbridge.messaging.console import MemoryChannel, MemoryPostings, MemorySms
from lockbridge.messaging.render import Renderer
from lockbridge.platforms import PLATFORMS
from lockbridge.services import Services
from lockbridge.storage import codes, hosts, journal, locks, outbox, stays
from lockbridge.storage.commit import Commit
from lockbridge.storage.database import Database
from lockbridge.storage.due import NextDue, next_due
from lockbridge.storage.vault import KeyRing, Vault
from lockbridge.workflows import connect, explain, housekeeping, receive
from lockbridge.workflows.ports import transact
from providers import PROVIDERS
from providers.simulator import InProcessSimulator, SimulatedLockApp
from tests.platforms.make_believe import Booking, Generic, Hospitable
from tests.workflows.pms import KEY, Calendars, Pms

NOW = datetime(2026, 6, 10, 12, 30, tzinfo=UTC)
"""A Wednesday morning in New York; the 8:00 check of the day is half an hour old."""
OPENS = datetime(2026, 6, 14, 20, 0, tzinfo=UTC)
CLOSES = datetime(2026, 6, 16, 15, 0, tzinfo=UTC)
"""The window of a booking as ``Booking`` has it, in New York."""
HOST_EMAIL = "host@example.com"
GUEST_EMAIL = "ida@example.com"
RENDERER = Renderer(assets.templates())
"""One for all, so that each template is compiled once."""
STEP = timedelta(seconds=5)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def somebody(name: str, phone: str | None = None) -> dict[str, Any]:
    """Another guest than Ida, as the generic platform tells it."""
    first, known_as = name.split(maxsplit=1)[0], name.lower().replace(" ", ".")
    return {"name": name, "first_name": first, "phone": phone, "email": f"{known_as}@example.com", "id": known_as}


class Killed(BaseException):
    """The process is gone: nothing after this happens."""


@dataclass
class Doom:
    """Kills the process at the n-th thing it does to the world; a dead process does nothing more."""

    at: int | None = None
    done: int = 0
    dead: bool = False

    def __call__(self, _: object = None) -> None:
        self.done += 1
        if self.dead or self.done == self.at:
            self.dead = True
            raise Killed


class MortalCommit:
    """Writes, unless the process dies before; or dies when it is written."""

    def __init__(self, inner: Commit, doom: Doom) -> None:
        self._inner, self._doom = inner, doom

    async def write(self, step, item):
        self._doom()
        result = await self._inner.write(step, item)
        self._doom()
        return result

    async def close(self) -> None:
        await self._inner.close()


class MortalDatabase:
    """Answers questions as long as the process lives."""

    def __init__(self, inner: Database, doom: Doom) -> None:
        self._inner, self._doom = inner, doom

    async def ask(self, question, *args, **kwargs):
        self._doom()
        return await self._inner.ask(question, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def _at_once(_verb: str, _lock: str) -> None:
    pass


@dataclass
class Tap:
    """Between the engine and the lock app: counts calls, notes passes that overlap, and lets a test step in.

    ``before`` and ``after`` are awaited around each call on a lock and may raise.
    """

    before: Callable[[str, str], Awaitable[None]] = _at_once
    after: Callable[[str, str], Awaitable[None]] = _at_once
    calls: list[tuple[str, str]] = field(default_factory=list)
    busy: Counter[str] = field(default_factory=Counter)
    overlaps: list[str] = field(default_factory=list)

    def spec(self, app: SimulatedLockApp) -> ProviderSpec:
        """The simulator as a provider that is tapped."""
        return ProviderSpec("simulator", "Simulated lock app", (), lambda c: Tapped(self, app, c), max_parallel=64)

    async def through(self, verb: str, lock: str, call: Callable[[], Awaitable[Any]]) -> Any:
        self.calls.append((verb, lock))
        self.busy[lock] += 1
        if self.busy[lock] > 1:
            self.overlaps.append(lock)
        try:
            await self.before(verb, lock)
            answer = await call()
            await self.after(verb, lock)
            return answer
        finally:
            self.busy[lock] -= 1


class Tapped:
    """One account of the simulated lock app behind a tap."""

    def __init__(self, tap: Tap, app: SimulatedLockApp, connection: Connection) -> None:
        self._tap, self._inner = tap, InProcessSimulator(app, connection.settings.get("account", "main"))

    async def list_locks(self):
        return await self._tap.through("list_locks", "", self._inner.list_locks)

    async def list_codes(self, lock):
        return await self._tap.through("list_codes", lock, lambda: self._inner.list_codes(lock))

    async def check_lock(self, lock):
        return await self._tap.through("check", lock, lambda: self._inner.check_lock(lock))

    async def set_code(self, lock, spec):
        return await self._tap.through("set", lock, lambda: self._inner.set_code(lock, spec))

    async def update_code(self, lock, ref, spec):
        return await self._tap.through("update", lock, lambda: self._inner.update_code(lock, ref, spec))

    async def remove_code(self, lock, ref):
        return await self._tap.through("remove", lock, lambda: self._inner.remove_code(lock, ref))

    async def open_door(self, lock):
        return await self._tap.through("open", lock, lambda: self._inner.open_door(lock))

    async def activity(self, lock, since, limit):
        return await self._tap.through("log", lock, lambda: self._inner.activity(lock, since, limit))


@cache
def _settings():
    return load()


@dataclass
class World:
    """What outlives the engine's process."""

    database: Database
    vault: Vault
    clock: VirtualClock
    app: SimulatedLockApp
    mail: MemoryChannel
    events: Iterable[int] = field(default_factory=lambda: count(1))
    sms: MemorySms | None = None
    postings: MemoryPostings = field(default_factory=MemoryPostings)
    pms: Pms = field(default_factory=Pms)
    calendars: Calendars = field(default_factory=Calendars)

    @classmethod
    def fresh(cls, database: Database, start: datetime = NOW) -> "World":
        clock = VirtualClock(start)
        app = SimulatedLockApp(clock.now, random.Random(7))
        return cls(database, Vault(KeyRing.fresh()), clock, app, MemoryChannel())

    def process(self, tap: Tap, *, inline: bool = True, doom: Doom | None = None, **policy: Any) -> Services:
        """A process of the engine in this world."""
        instead = Instead(
            database=self.database,
            vault=self.vault,
            clock=self.clock,
            channel=self.mail,
            texting=self.sms,
            posting=self.postings,
            providers={**PROVIDERS, "simulator": tap.spec(self.app)},
            platforms={**PLATFORMS, KEY: self.pms.platform()},
            fetch=self.calendars,
            inline=inline,
        )
        services = build(_settings(), instead)
        if doom is not None:
            mortal = {
                "commit": MortalCommit(services.commit, doom),
                "database": MortalDatabase(services.database, doom),
                "channel": MortalChannel(self.mail, doom),
            }
            services = replace(services, **mortal)
        return replace(services, renderer=RENDERER, policy=replace(services.policy, **policy))


class MortalChannel:
    """Sends, unless the process dies before; or dies when the mail server has taken it."""

    def __init__(self, inner: MemoryChannel, doom: Doom) -> None:
        self._inner, self._doom = inner, doom

    async def send(self, email: Email) -> None:
        self._doom()
        await self._inner.send(email)
        self._doom()


async def close(services: Services) -> None:
    """Let go of a process's things; the world stays."""
    await services.commit.close()
    await services.accounts.http.aclose()


class Engine:
    """A host with one property and the engine that looks after it, and hands to do everything to it."""

    def __init__(self, world: World, *, inline: bool = True, **policy: Any) -> None:
        self.world, self.app, self.clock, self.mail = world, world.app, world.clock, world.mail
        self.tap = Tap()
        self._inline, self._policy = inline, policy
        self.services = world.process(self.tap, inline=inline, **policy)
        self.locks: dict[str, LockId] = {}
        self.watchers: list[Callable[[], None]] = []
        self._kept_house = self._checked = datetime.min.replace(tzinfo=UTC)

    # -- setting up ------------------------------------------------------------------------------------------

    @classmethod
    async def start(
        cls,
        database: Database,
        rules: dict[str, Any] | None = None,
        *,
        at: datetime = NOW,
        inline: bool = True,
        settings: dict[str, Any] | None = None,
        **policy: Any,
    ) -> "Engine":
        """An engine whose host has one property, matched with these locks (name → rule set)."""
        engine = cls(World.fresh(database, at), inline=inline, **policy)
        engine.host = await connect.add_host(engine.services, "Ana Host", HOST_EMAIL, engine.now)
        engine.place = await engine.add_property("Lake House", "prop-7", settings=settings)
        await engine.connect_locks(rules or {"front": "standard"})
        for name in rules or {"front": "standard"}:
            await engine.match(name)
        engine.addresses = {
            key: await connect.add_address(engine.services, engine.host, key, vendor.secret, engine.now)
            for key, vendor in (("generic", Generic()), ("hospitable", Hospitable()))
        }
        await engine.work()
        return engine

    async def add_property(self, name: str, ref: str, *, settings: dict[str, Any] | None = None, **facts: Any):
        new = connect.NewProperty(name, **{"zone": "America/New_York", "country": "US", "settings": settings, **facts})
        refs = [("generic", ref), ("hospitable", ref)]
        return await connect.add_property(self.services, self.host, new, refs, self.now)

    async def connect_locks(self, rules: dict[str, Any], *, account: str = "main") -> None:
        for name, kind in rules.items():
            self.app.add_lock(name, name=name, rules=kind, account=account)
        provider = {} if account == "main" else {"account": account}
        self.account, rows = await connect.add_lock_app(
            self.services, self.host, "simulator", f"App {account}", provider, self.now
        )
        self.locks |= {row.name: row.id for row in rows}

    async def match(self, lock: str, place: Any = None) -> bool:
        return await connect.match(self.services, self.host, place or self.place, self.locks[lock], self.now)

    async def unmatch(self, lock: str, place: Any = None) -> bool:
        return await connect.unmatch(self.services, self.host, place or self.place, self.locks[lock], self.now)

    async def restart(self, **changes: Any) -> None:
        """Throw away everything the process knew and begin anew."""
        await close(self.services)
        self._policy |= changes
        self.services = self.world.process(self.tap, inline=self._inline, **self._policy)

    async def close(self) -> None:
        await close(self.services)

    # -- time ------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def work(self) -> None:
        """Everything that is due now, until nothing is."""
        for _ in range(4):
            if self._next(await self.tick()) > self.now:
                break

    async def tick(self, due: NextDue | None = None) -> NextDue:
        """Every tick that has something to do, in the worker's order; the slow one every six hours.

        ``due`` is what the tick before returned, where nothing happened in between: when to do what next.
        """
        due = due or self.ask(next_due)
        for job in worker.JOBS[:-1]:
            if self._is_time(job.name, due):
                await job.tick(self.services, self.now)
                self._watch()
                due = self.ask(next_due)
        if self.now - self._kept_house >= 6 * HOUR:
            self._kept_house = self.now
            await housekeeping.keep_house(self.services, self.now)
            due = self.ask(next_due)
        return due

    def _is_time(self, job: str, due: NextDue) -> bool:
        if job == "healthcheck":
            is_time, self._checked = self.now - self._checked >= MINUTE, max(self._checked, self.now)
            return is_time
        soonest = getattr(due, job)
        return soonest is not None and soonest <= self.now

    def _watch(self) -> None:
        for watcher in self.watchers:
            watcher()

    def _next(self, due: NextDue) -> datetime:
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        moments = (*astuple(due), next_healthcheck(self.now), midnight)
        return min(moment for moment in moments if moment is not None)

    async def until(self, end: datetime) -> None:
        """Time passes, and everything is done when it is due."""
        await self.work()
        due = self.ask(next_due)
        while (at := max(self._next(due), self.now + STEP)) < end:
            self.clock.set(at)
            due = await self.tick(due)
        self.clock.set(end)
        await self.work()

    async def passes(self, by: timedelta) -> None:
        await self.until(self.now + by)

    # -- what platforms say ----------------------------------------------------------------------------------

    async def say(self, booking: Booking, *, vendor: Any = None, guest: str | None = None) -> None:
        """A webhook arrives, signed by its platform; nothing is done about it yet. ``guest``: somebody else's name."""
        vendor = vendor or Generic()
        if guest is not None:
            phone = f"+1555014{crc32(guest.encode()) % 10_000:04}" if booking.phone == Booking.phone else booking.phone
            booking = replace(booking, extra={"guest": somebody(guest, phone)} | booking.extra)
        changed_at = (
            f"{self.now:%Y-%m-%dT%H:%M:%SZ}" if booking.changed_at == Booking.changed_at else booking.changed_at
        )
        event = f"evt-{next(self.world.events)}" if booking.event_id == Booking.event_id else booking.event_id
        body = vendor.body(replace(booking, event_id=event, changed_at=changed_at))
        await self.deliver(body, vendor=vendor, event=event)

    async def deliver(self, body: bytes, *, vendor: Any = None, event: str = "evt-of-nonsense") -> None:
        """Some bytes arrive, signed."""
        vendor = vendor or Generic()
        headers = (
            signatures.sign_standard_webhook(vendor.secret, event, self.now, body)
            if isinstance(vendor, Generic)
            else vendor.sign(body, vendor.secret)
        )
        endpoint, delivery = self.endpoint(vendor.platform.key), Delivery(headers, body, self.now)
        await receive.accept(self.services, endpoint, vendor.platform.hook, delivery, self.now)

    def endpoint(self, platform: str) -> hosts.EndpointRow:
        """The host's webhook address for a platform."""
        token = self.addresses[platform].token
        return self.ask(hosts.find_endpoint, self.services.vault, hosts.token_hash(token))

    async def book(self, *, guest: str | None = None, **facts: Any) -> None:
        """A booking, or news of one, arrives and everything that is due is done."""
        await self.say(Booking(**facts), guest=guest)
        await self.work()

    # -- looking ---------------------------------------------------------------------------------------------

    def ask(self, question: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self.world.database.read() as connection:
            return question(connection, *args, **kwargs)

    async def look_at(self, lock: str = "front") -> None:
        """The lock is looked at: what others did to it becomes known."""
        await self.write(lambda c: locks.poke_locks(c, [self.locks[lock]], self.now))
        await self.work()

    async def write(self, work: Callable[..., Any]) -> Any:
        return await transact(self.services, work)

    def stay(self, ref: str = Booking.id) -> stays.StayRow:
        (found,) = self.ask(stays.by_code, self.services.vault, self.host, ref)
        return found

    def view(self, ref: str = Booking.id) -> explain.StayView:
        return self.ask(explain.view, self.services, self.host, self.stay(ref).id, self.now)

    def statuses(self, ref: str = Booking.id) -> dict[str, str]:
        """What Property Access shows for each lock; backups aside."""
        return {line.lock_name: line.shown.status.value for line in self.view(ref).access if not line.is_backup}

    def whys(self, ref: str = Booking.id) -> str:
        return "\n".join(entry.why for entry in self.view(ref).history)

    def pin(self, ref: str = Booking.id, lock: str | None = None) -> str:
        """The digits of a stay; on one lock, where it is named."""
        view = self.view(ref)
        if lock is None:
            return view.code.pin.digits
        lines = [line for line in view.access if line.lock_name == lock and not line.is_backup]
        return max(lines, key=lambda line: line.shown.status.value != "removed").pin.digits

    def code(self, ref: str = Booking.id) -> CodeId:
        return self.stay(ref).code

    def placed(self, ref: str = Booking.id) -> list[codes.Placed]:
        """A stay's live placements as they are stored."""
        return self.ask(codes.placements_of, self.services.vault, [self.code(ref)])[self.code(ref)]

    def opens(self, lock: str, pin: str | None = None, at: datetime | None = None, ref: str = Booking.id) -> bool:
        return self.app.opens(lock, pin or self.pin(ref, lock), at or self.now)

    def held(self, lock: str = "front") -> list[Any]:
        """What we put on a lock for guests and staff: no backups, nothing made by hand."""
        spare = self.backup_pins(lock)
        return [code for code in self.app.holds(lock) if code.made_by == "us" and code.pin not in spare]

    def backups(self, lock: str = "front") -> list[Any]:
        return self.ask(codes.backups_on, self.services.vault, self.locks[lock])

    def backup_pins(self, lock: str = "front") -> set[str]:
        return {backup.placement.pin.digits for backup in self.backups(lock)}

    def lock_row(self, lock: str = "front") -> locks.LockRow:
        return self.ask(locks.get_lock, self.host, self.locks[lock])

    def mails(self, to: str = GUEST_EMAIL) -> list[Email]:
        return [email for email in self.mail.sent if email.to == to]

    def told_host(self, kind: str) -> list[Any]:
        """The e-mails of one kind that the host was sent."""
        rows = self.ask(outbox.of_host, self.services.vault, self.host, limit=1000)
        return [row for row in reversed(rows) if row.to_host and row.kind == kind and row.state == "sent"]

    def told_guest(self, kind: str, ref: str = Booking.id) -> list[Any]:
        return [row for row in self.view(ref).messages if row.kind == kind and row.state == "sent"]

    def alarms(self) -> set[str]:
        return {alarm.kind for alarm in self.ask(journal.open_alarms, self.host)}
