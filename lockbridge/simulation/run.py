"""The driver: a virtual clock, the whole engine, and everything that happens to it, in the order of time."""

import asyncio
import heapq
import json
import random
import resource
import tempfile
import time as wall
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

from structlog.typing import FilteringBoundLogger

from lockbridge import worker
from lockbridge.bootstrap import Instead, build
from lockbridge.clock import VirtualClock
from lockbridge.config import Settings
from lockbridge.contract import LookAt, ProviderError
from lockbridge.domain.ids import HostId, LockAppId, LockId, LockRef
from lockbridge.domain.retry import next_healthcheck
from lockbridge.inbound import Delivery
from lockbridge.services import Services
from lockbridge.signatures import hmac_hex_digest, sign_standard_webhook, standard_secret
from lockbridge.simulation import webhooks
from lockbridge.simulation.lockapp import WatchedLockApp, manual
from lockbridge.simulation.mishaps import WEATHERS, Ears, MortalCommit, Mortality, Post, Weather, mortal_provider
from lockbridge.simulation.oracle import DAY, HOUR, MINUTE, SETTLED, Oracle, Span, window
from lockbridge.simulation.report import Report
from lockbridge.simulation.world import Booking, Place, Sending, Size, World, draw
from lockbridge.storage import hosts
from lockbridge.storage.database import Database
from lockbridge.storage.due import NextDue, next_due
from lockbridge.storage.hosts import EndpointRow
from lockbridge.storage.tables import metadata
from lockbridge.storage.vault import KeyRing, Vault
from lockbridge.workflows import connect, receive
from lockbridge.workflows.ports import transact

SECOND = timedelta(seconds=1)
TICK = timedelta(seconds=5)
"""How soon the engine is knocked at again when it is due and cannot go on (a lease, a blocked account)."""
ROUNDS = 12
HOUSEKEEPING = timedelta(days=1)
SAMPLE = timedelta(hours=6)
JOBS = {job.name: job.tick for job in worker.JOBS}

Happening = Callable[[], Any]


@dataclass(slots=True)
class Agenda:
    """What is to happen, by time; what is put in first at one instant happens first."""

    queue: list[tuple[datetime, int, Happening]] = field(default_factory=list)
    count: int = 0

    def put(self, at: datetime, happening: Happening) -> None:
        """Have something happen."""
        self.count += 1
        heapq.heappush(self.queue, (at, self.count, happening))

    @property
    def next_at(self) -> datetime | None:
        """When the next thing happens."""
        return self.queue[0][0] if self.queue else None

    def due(self, now: datetime) -> Iterator[Happening]:
        """What happens by now, one after the other."""
        while self.queue and self.queue[0][0] <= now:
            yield heapq.heappop(self.queue)[2]


@dataclass(frozen=True, slots=True)
class Scene:
    """The parts of a simulation that live as long as it does."""

    world: World
    weather: Weather
    url: str
    settings: Settings
    clock: VirtualClock
    app: WatchedLockApp
    oracle: Oracle
    vault: Vault
    dice: random.Random
    pins: random.Random


class Simulation:
    """One run."""

    def __init__(self, scene: Scene, progress: Callable[[int], None] = lambda _: None) -> None:
        self._scene = scene
        self._progress = progress
        self.agenda = Agenda()
        """What happens beside bookings and guests; more may be put in."""
        self._visits = Agenda()
        self._services: Services
        self._post: Post
        self._life = Mortality(scene.dice)
        self._endpoints: dict[tuple[int, str], EndpointRow] = {}
        self._lock_ids: dict[str, LockId] = {}
        self._apps: dict[str, LockAppId] = {}
        self._generation: dict[str, int] = {}
        self._next_housekeeping = scene.clock.now()
        self._next_check = next_healthcheck(scene.clock.now())
        self.knocks = 0

    @property
    def _now(self) -> datetime:
        return self._scene.clock.now()

    # -- the whole of it

    async def run(self) -> Report:
        """From the first day to the last."""
        began = wall.perf_counter()
        scene = self._scene
        await self._set_up()
        self._plan()
        day = 0
        due = await self._ask_due()
        while (at := self._next_instant(due)) < scene.world.end:
            scene.clock.set(at)
            if await self._happen(self.agenda):
                due = await self._ask_due()
            due = await self._knock(due)
            await self._happen(self._visits)
            if (self._now - scene.world.start).days > day:
                day = (self._now - scene.world.start).days
                self._progress(day)
        await self._end_process()
        return Report.of(scene.oracle, scene.app, scene.world.size.stays, wall.perf_counter() - began, peak_mb())

    async def _happen(self, agenda: Agenda) -> bool:
        """Let happen what is due. Whether anything was."""
        anything = False
        for happening in agenda.due(self._now):
            anything, answer = True, happening()
            if asyncio.iscoroutine(answer):
                await answer
        return anything

    async def _ask_due(self) -> NextDue:
        return await self._services.database.ask(next_due)

    def _next_instant(self, due: NextDue) -> datetime:
        """The next thing that happens, or the next knock; the engine's own times are rounded up to whole seconds."""
        engine = [due.inbox, due.book, due.push, due.watch, due.outbox, self._next_housekeeping, self._next_check]
        moments = [_whole(max(at, self._now + TICK) if at <= self._now else at) for at in engine if at is not None]
        outside = [at for at in (self.agenda.next_at, self._visits.next_at) if at is not None]
        return max(min([*moments, *outside]), self._now)

    # -- the engine

    async def _start_process(self) -> None:
        scene = self._scene
        self._life = Mortality(scene.dice)
        database = Database(scene.url, synchronous="OFF", read_threads=0)
        self._post = Post(scene.clock.now, scene.dice, scene.weather, self._host_addresses(), scene.oracle, self._life)
        instead = Instead(
            database=database,
            vault=scene.vault,
            clock=scene.clock,
            channel=self._post,
            providers={"simulator": mortal_provider(scene.app, self._life)},
            inline=True,
        )
        services = build(scene.settings, instead)
        ears = cast("FilteringBoundLogger", Ears(lambda what: scene.oracle.broke(self._now, what)))
        commit = MortalCommit(services.commit, self._life)
        self._services = replace(services, commit=commit, below=scene.pins.randrange, log=ears)

    def _host_addresses(self) -> set[str]:
        return {_host_address(number) for number in range(self._scene.world.hosts)}

    async def _end_process(self) -> None:
        """All that is in memory is gone; the database stays."""
        await self._services.close()

    async def _restart(self) -> None:
        """Another process; one that died may have died before it noted that its last mail was accepted."""
        if self._life.dead:
            self._scene.oracle.died(self._now)
            if self._post.last is not None:
                self._scene.oracle.unsure(self._post.last)
        await self._end_process()
        await self._start_process()

    async def _knock(self, due: NextDue) -> NextDue:
        """Run what is due now until nothing is, or nothing goes on. What is due next."""
        for _ in range(ROUNDS):
            names = self._due_jobs(due)
            if not names:
                break
            try:
                await self._run_jobs(names)
            except asyncio.CancelledError:
                if not self._life.dead:
                    raise
            if self._life.dead:
                await self._restart()
            before, due = due, await self._ask_due()
            if due == before:
                break
        return due

    def _due_jobs(self, due: NextDue) -> list[str]:
        names = [name for name in ("inbox", "book", "push", "watch", "outbox") if self._is_due(getattr(due, name))]
        names += ["healthcheck"] * self._is_due(self._next_check)
        return names + ["housekeeping"] * self._is_due(self._next_housekeeping)

    def _is_due(self, at: datetime | None) -> bool:
        return at is not None and at <= self._now

    async def _run_jobs(self, names: list[str]) -> None:
        for name in names:
            self.knocks += 1
            await JOBS[name](self._services, self._now)
            if name == "healthcheck":
                self._next_check = next_healthcheck(self._now)
            if name == "housekeeping":
                self._next_housekeeping = self._now + HOUSEKEEPING

    # -- the beginning

    async def _set_up(self) -> None:
        scene, now = self._scene, self._now
        await self._start_process()
        with self._services.database.write() as connection:
            metadata.create_all(connection)
            if hosts.all_hosts(connection, scene.vault):
                msg = "this database holds hosts already: a simulation needs one of its own"
                raise ValueError(msg)
        for lock in scene.world.locks.values():
            scene.app.add_lock(lock.ref, name=lock.name, rules=lock.rules, account=f"A{lock.host}")
        for at, ref in scene.world.strangers:
            if at <= now:
                self._stranger(ref)
        for number in range(scene.world.hosts):
            await self._set_up_host(number)
        scene.app.oracle = scene.oracle
        scene.app.on_change = self._noticed
        await self._knock_until_calm()
        scene.app.set_faults(scene.weather.faults)

    async def _knock_until_calm(self) -> None:
        """The first hours: every lock is looked at and gets its backups, before the first booking comes."""
        for _ in range(20):
            await self._knock(await self._ask_due())
            self._scene.clock.advance(MINUTE)

    async def _set_up_host(self, number: int) -> None:
        services, world, now = self._services, self._scene.world, self._now
        host = await connect.add_host(services, f"Host {number + 1}", _host_address(number), now)
        account = {"account": f"A{number}"}
        _, rows = await connect.add_lock_app(services, host, "simulator", f"Lock app {number + 1}", account, now)
        self._lock_ids.update({row.ref: row.id for row in rows})
        self._apps.update({row.ref: row.app for row in rows})
        for place in world.places.values():
            if place.host == number:
                await self._set_up_place(host, place)
        for platform, secret in (
            ("generic", standard_secret(f"secret of host {number:06}".encode() * 2)),
            ("hospitable", f"s{number}"),
        ):
            address = await connect.add_address(services, host, platform, secret, now)
            token = hosts.token_hash(address.token)
            endpoint = await services.database.ask(hosts.find_endpoint, services.vault, token)
            assert endpoint is not None  # noqa: S101 - it was just made
            self._endpoints[(number, platform)] = endpoint

    async def _set_up_place(self, host: HostId, place: Place) -> None:
        settings = {
            "pin_mode": place.pin_mode,
            "buffer_before_minutes": place.before,
            "buffer_after_minutes": place.after,
        }
        new = connect.NewProperty(place.name, place.zone, place.country, place.check_in, place.check_out, settings)
        known = await connect.add_property(self._services, host, new, [(place.platform, place.ref)], self._now)
        for ref in place.locks:
            await connect.match(self._services, host, known, self._lock_ids[ref], self._now)

    def _plan(self) -> None:
        """Everything that does not depend on what the engine does."""
        world, now = self._scene.world, self._now
        for booking in world.bookings.values():
            for sending in booking.sendings:
                self.agenda.put(max(sending.at, now), self._sending(booking, sending))
        for at, ref in world.strangers:
            if at > now:
                self.agenda.put(at, partial(self._stranger, ref))
        self._plan_samples()
        self._plan_outages()
        if self._scene.weather.restarts:
            self._plan_deaths()
        self._plan_hand_edits()

    def _plan_samples(self) -> None:
        at = self._now + SAMPLE
        while at < self._scene.world.end:
            self._visits.put(at, lambda: self._scene.oracle.sample(self._now))
            at += SAMPLE

    def _plan_outages(self) -> None:
        """Each lock is out of reach for 1 to 12 hours at a time, as often as the weather wants."""
        share, dice = self._scene.weather.offline, self._scene.dice
        if not share:
            return
        between = 6.5 * (1 - share) / share
        for ref in self._scene.world.locks:
            at = self._now + dice.expovariate(1 / between) * HOUR
            while at < self._scene.world.end:
                lasts = (1 + 11 * dice.random()) * HOUR
                self.agenda.put(at, partial(self._scene.app.out_of_reach, ref, at + lasts))
                at += lasts + dice.expovariate(1 / between) * HOUR

    def _plan_deaths(self) -> None:
        """Every day at midnight the process is started anew, and once a day it dies in the middle of something."""
        at = self._now + DAY
        while at < self._scene.world.end:
            self.agenda.put(at, self._restart)
            self.agenda.put(at + self._scene.dice.random() * DAY, self._arm)
            at += DAY

    def _arm(self) -> None:
        """The process of that time, whichever it is, will die soon."""
        self._life.arm()

    def _plan_hand_edits(self) -> None:
        dice, weather = self._scene.dice, self._scene.weather
        for booking in self._scene.world.bookings.values():
            if dice.random() < weather.hand_edits:
                facts = booking.versions[-1].facts
                span = window(self._scene.world.places[facts.place], facts)
                at = span.starts - DAY + dice.random() * (span.ends - span.starts + DAY)
                self.agenda.put(max(at, self._now), partial(self._edit, facts.place))

    # -- what platforms do

    def _sending(self, booking: Booking, sending: Sending) -> Happening:
        async def happen() -> None:
            await self._accept(booking, sending)
            if self._scene.oracle.delivered(booking, sending.version, self._now):
                self._after_news(booking)

        return happen

    async def _accept(self, booking: Booking, sending: Sending) -> None:
        """The webhook arrives, signed as its platform signs. One that meets a dying process is sent again."""
        place = self._scene.world.places[booking.versions[sending.version].facts.place]
        body = json.dumps(webhooks.body(place, booking, sending)).encode()
        endpoint = self._endpoints[(place.host, place.platform)]
        if place.platform == "generic":
            headers = sign_standard_webhook(endpoint.secret, sending.id, self._now, body)
        else:
            headers = {"signature": hmac_hex_digest(endpoint.secret, body)}
        delivery = Delivery(headers, body, self._now)
        while True:
            try:
                hook = receive.hook_of(self._services, place.platform)
                await receive.accept(self._services, endpoint, hook, delivery, self._now)
            except asyncio.CancelledError:
                if not self._life.dead:
                    raise
                await self._restart()
            else:
                return

    # -- what guests do

    def _after_news(self, booking: Booking) -> None:
        """The guest's plans follow what is true now."""
        self._generation[booking.ref] = self._generation.get(booking.ref, 0) + 1
        known = self._scene.oracle.known(booking.ref)
        facts, world = known.facts, self._scene.world
        assert facts is not None  # noqa: S101 - it was just delivered
        place = world.places[facts.place]
        if facts.status == "confirmed":
            span = window(place, facts)
            for at in self._moments(span):
                self._visit(booking, place, at)
            at = max(span.starts, self._now) + self._scene.weather.patience
            if at < span.ends:
                self._visits.put(at, partial(self._check_told, booking.ref, known.version))
        for before in known.past[-1:]:
            if before.status == "confirmed" and (facts.status != "confirmed" or before.place != facts.place):
                self._visit(
                    booking, world.places[before.place], self._now + SETTLED + self._scene.dice.random() * 5 * HOUR
                )

    def _check_told(self, ref: str, version: int) -> None:
        self._scene.oracle.check_told(ref, version, self._now)

    def _moments(self, span: Span) -> Iterator[datetime]:
        """When the guest comes: within the window, often at its very edges, and now and then just outside."""
        dice = self._scene.dice
        since = max(span.starts, self._now + SETTLED)
        if since < span.ends:
            length = span.ends - since
            yield since + min(dice.expovariate(1.0) * HOUR, length * dice.random())
            for _ in range(dice.choice((0, 1, 2))):
                yield since + length * dice.random()
            if dice.random() < 0.1:  # noqa: PLR2004
                yield since + min(length * 0.5, dice.random() * MINUTE)
            if dice.random() < 0.1:  # noqa: PLR2004
                yield span.ends - min(length * 0.5, dice.random() * MINUTE)
        if dice.random() < 0.4:  # noqa: PLR2004
            yield span.starts - MINUTE - dice.random() ** 3 * 3 * HOUR
        if dice.random() < 0.5:  # noqa: PLR2004
            yield span.ends + MINUTE + dice.random() ** 3 * 3 * HOUR

    def _visit(self, booking: Booking, place: Place, at: datetime) -> None:
        if at < self._now + SETTLED:
            return
        generation = self._generation[booking.ref]

        def happen() -> None:
            if self._generation[booking.ref] == generation:
                self._scene.oracle.visit(booking.ref, place.ref, self._now)

        self._visits.put(at, happen)

    # -- what is done by hand

    def _stranger(self, ref: str) -> None:
        lock, app, dice = LockRef(ref), self._scene.app, self._scene.dice
        name = dice.choice(("Cleaner", "Owner", "Gardener", "Ana Reyes", "Ben Smith", "Guest"))
        self._try_by_hand(lambda: app.add_by_hand(lock, name, app.free_pin(lock)))

    def _edit(self, place_ref: str) -> None:
        """Somebody changes or deletes one of our codes, on a lock of the place, with the vendor's app."""
        app, dice = self._scene.app, self._scene.dice
        lock = LockRef(dice.choice(self._scene.world.places[place_ref].locks))
        rules = app.locks[lock].capabilities
        ours = [code for code in app.locks[lock].codes.values() if code.made_by == "us"]
        if not ours or rules.chooses_pin:
            return
        code = dice.choice(ours)
        readable = rules.readback.value == "full"  # digits changed where nobody can read them stay unseen, by anyone
        kind = dice.choice(("delete", "delete", "pin" if readable else "delete", "name"))
        if kind == "delete":
            self._try_by_hand(lambda: app.delete_by_hand(lock, code.ref))
        elif kind == "pin":
            self._try_by_hand(lambda: app.edit_by_hand(lock, code.ref, pin=app.free_pin(lock)))
        elif rules.keeps_names:
            self._try_by_hand(lambda: app.edit_by_hand(lock, code.ref, name="Somebody else"))

    def _try_by_hand(self, act: Callable[[], object]) -> None:
        try:
            act()
        except ProviderError:
            return

    def _noticed(self, ref: LockRef) -> None:
        """The lock app tells us by webhook that somebody changed a code."""
        self.agenda.put(self._now, lambda: self._hint(ref))

    async def _hint(self, ref: LockRef) -> None:
        try:
            hint, now = LookAt((ref,)), self._now
            await transact(self._services, lambda c: receive.look(c, self._apps[ref], hint, now))
        except asyncio.CancelledError:
            if not self._life.dead:
                raise
            await self._restart()
            await self._hint(ref)


def _whole(at: datetime) -> datetime:
    return at if not at.microsecond else at.replace(microsecond=0) + SECOND


def _host_address(number: int) -> str:
    return f"host{number + 1}@hosts.example"


def peak_mb() -> float:
    """The most memory this process ever had, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


@contextmanager
def database_url(url: str | None) -> Iterator[str]:
    """The database that was asked for, or one of one's own for the time being."""
    if url is not None:
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="lockbridge-simulation-") as folder:
        yield f"sqlite:///{Path(folder) / 'simulation.sqlite3'}"


def scene(world: World, faults: str, url: str, settings: Settings) -> Scene:
    """Everything for one run of a world. ``faults``: none, mild or harsh."""
    size, weather = world.size, WEATHERS[faults]
    clock = VirtualClock(world.start)
    app = WatchedLockApp(clock.now, _dice(size, "lock app"))
    for number in range(world.hosts):
        app.add_account(f"A{number}", token=f"token {number}")
    manuals = {lock.ref: manual(lock) for lock in world.locks.values()}
    oracle = Oracle(world.places, manuals, app, patience=weather.patience)
    vault, dice, pins = Vault(KeyRing.fresh()), _dice(size, faults), _dice(size, "pins")
    return Scene(world, weather, url, settings, clock, app, oracle, vault, dice, pins)


def _dice(size: Size, what: str) -> random.Random:
    return random.Random(f"{what} {size.seed}")  # noqa: S311 - invented events


def simulate(
    size: Size,
    faults: str,
    settings: Settings,
    *,
    url: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Run one simulation. Raises ValueError for a database that cannot be used."""
    with database_url(url) as database:
        return asyncio.run(Simulation(scene(draw(size), faults, database, settings), progress).run())
