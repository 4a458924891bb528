"""How accounts are called: one sign-in for all processes, calls at an even pace, webhooks that only cause a look."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from lockbridge.accounts.pace import AccountPace
from lockbridge.accounts.tokens import LEASE, AccountTokens, DraftTokens
from lockbridge.clock import VirtualClock
from lockbridge.contract import AccountRefused, Connection, Grant, ProviderSpec, Rate, RateLimited, Unreachable
from lockbridge.domain.ids import LockAppId
from lockbridge.storage import accounts, hosts
from lockbridge.storage.accounts import StoredToken, Turns
from lockbridge.storage.commit import InlineCommit
from lockbridge.storage.database import Database, StorageUnavailable
from lockbridge.storage.vault import KeyRing, Vault
from lockbridge.workflows import connect

NOW = datetime(2026, 6, 14, 12, tzinfo=UTC)
SETTINGS = {"user": "ana", "password": "swordfish"}


@dataclass
class Process:
    """One process beside others on the same database."""

    database: Database
    vault: Vault
    clock: VirtualClock
    commit: InlineCommit = field(init=False)

    def __post_init__(self) -> None:
        self.commit = InlineCommit(self.database)


@pytest.fixture
def processes(database_url, open_database):
    """Two processes and the account they share."""
    vault, clock = Vault(KeyRing.fresh()), VirtualClock(NOW)
    both = [Process(open_database(database_url, read_threads=0), vault, clock) for _ in range(2)]
    with both[0].database.write() as connection:
        host = hosts.add_host(connection, vault, "Ana Host", "ana@example.com", "en", NOW)
        app = hosts.add_lock_app(connection, vault, host, "simulator", "Locks", SETTINGS, NOW)
    yield both, app
    for each in both:
        asyncio.run(each.commit.close())


def tokens(process: Process, app: LockAppId, settings=None, sleep=asyncio.sleep) -> AccountTokens:
    return AccountTokens(accounts.of_lock_app(app), settings or SETTINGS, process, sleep)


class SignIn:
    """A lock app's sign-in: counts, and gives out a new token each time."""

    def __init__(self, lasts: timedelta = timedelta(hours=1)) -> None:
        self.before: list[Grant | None] = []
        self._lasts = lasts
        self.clock = VirtualClock(NOW)

    async def __call__(self, before: Grant | None) -> Grant:
        self.before.append(before)
        await asyncio.sleep(0)
        number = len(self.before)
        return Grant(f"access-{number}", self.clock.now() + self._lasts, f"refresh-{number}")


async def test_a_token_is_fetched_once_and_shared_by_all_processes(processes):
    (one, other), app = processes
    sign_in = SignIn()
    assert await tokens(one, app).current(sign_in) == "access-1"
    assert await tokens(other, app).current(sign_in) == "access-1"
    assert len(sign_in.before) == 1


async def test_calls_that_need_a_token_at_the_same_time_sign_in_once(processes):
    (one, other), app = processes
    sign_in, mine, theirs = SignIn(), tokens(one, app), tokens(other, app)
    got = await asyncio.gather(*(each.current(sign_in) for each in (mine, mine, theirs, mine, theirs)))
    assert got == ["access-1"] * 5
    assert len(sign_in.before) == 1


async def test_a_token_about_to_end_is_renewed_with_its_refresh_token(processes):
    (one, other), app = processes
    sign_in = SignIn()
    await tokens(one, app).current(sign_in)
    one.clock.advance(timedelta(minutes=59, seconds=1))
    assert await tokens(other, app).current(sign_in) == "access-2"
    assert sign_in.before[1] is not None
    assert sign_in.before[1].refresh == "refresh-1"


async def test_a_token_that_was_refused_is_replaced_unless_another_process_did_so_already(processes):
    (one, other), app = processes
    sign_in, mine, theirs = SignIn(), tokens(one, app), tokens(other, app)
    await mine.current(sign_in)
    await theirs.current(sign_in)
    assert await mine.current(sign_in, refused="access-1") == "access-2"
    assert await theirs.current(sign_in, refused="access-1") == "access-2"
    assert len(sign_in.before) == 2


async def test_a_refused_sign_in_is_told_and_keeps_nobody_waiting(processes):
    (one, other), app = processes

    async def refuses(_before):
        msg = "wrong password"
        raise AccountRefused(msg)

    with pytest.raises(AccountRefused):
        await tokens(one, app).current(refuses)
    assert await tokens(other, app).current(SignIn()) == "access-1"


async def test_a_process_that_died_while_signing_in_is_taken_over_when_its_lease_ends(processes):
    (one, other), app = processes
    with one.database.write() as connection:
        assert accounts.lease_token(connection, accounts.of_lock_app(app), "dead", NOW, NOW + LEASE)

    async def time_passes(_seconds):
        other.clock.advance(timedelta(seconds=1))

    assert await tokens(other, app, sleep=time_passes).current(SignIn()) == "access-1"
    assert other.clock.now() >= NOW + LEASE


async def test_a_process_that_hangs_while_signing_in_makes_the_others_try_later(processes):
    (one, other), app = processes
    with one.database.write() as connection:
        accounts.lease_token(connection, accounts.of_lock_app(app), "hangs", NOW, NOW + timedelta(days=1))

    async def no_time(_seconds):
        pass

    with pytest.raises(Unreachable, match="another process"):
        await tokens(other, app, sleep=no_time).current(SignIn())


async def test_other_settings_need_another_token(processes):
    (one, other), app = processes
    sign_in = SignIn()
    await tokens(one, app).current(sign_in)
    assert await tokens(other, app, settings={**SETTINGS, "password": "new"}).current(sign_in) == "access-2"
    assert sign_in.before == [None, None]


async def test_a_token_is_sealed_in_the_database(processes):
    (one, _), app = processes
    await tokens(one, app).current(SignIn())
    with one.database.read() as connection:
        raw = connection.exec_driver_sql("select token_sealed from access_token").scalar_one()
    assert b"access-1" not in bytes(raw)
    assert b"refresh-1" not in bytes(raw)


async def test_a_lost_lease_keeps_nothing(processes):
    (one, _), app = processes
    with one.database.write() as connection:
        accounts.lease_token(connection, accounts.of_lock_app(app), "mine", NOW, NOW + LEASE)
        kept = StoredToken(accounts.digest(SETTINGS), Grant("late"))
        assert not accounts.save_token(connection, one.vault, accounts.of_lock_app(app), "another's", kept)
        assert accounts.token_of(connection, one.vault, accounts.of_lock_app(app)) is None


class Pauses:
    """A sign-in that takes until it is let go on."""

    def __init__(self) -> None:
        self.began, self.goes_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, _before: Grant | None) -> Grant:
        self.began.set()
        await self.goes_on.wait()
        return Grant("access-1", None, "refresh-1")


async def test_a_caller_who_gives_up_does_not_lose_a_token_that_is_given_out_only_once(processes):
    (one, other), app = processes
    sign_in, mine = Pauses(), tokens(one, app)
    caller = asyncio.ensure_future(mine.current(sign_in))
    await sign_in.began.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    sign_in.goes_on.set()
    await mine.finish()
    assert await tokens(other, app).current(SignIn()) == "access-1"


async def test_a_token_that_could_not_be_stored_is_stored_at_the_next_call_and_not_fetched_again(processes):
    (one, other), app = processes
    sign_in, mine, works = SignIn(), tokens(one, app), one.commit.write

    async def fails(step, item):
        if sign_in.before:
            msg = "the disk is full"
            raise StorageUnavailable(msg)
        return await works(step, item)

    one.commit.write = fails
    with pytest.raises(StorageUnavailable):
        await mine.current(sign_in)
    one.commit.write = works
    one.clock.advance(LEASE)
    assert await mine.current(sign_in) == "access-1"
    assert await tokens(other, app).current(sign_in) == "access-1"
    assert len(sign_in.before) == 1


async def test_an_account_that_is_tried_signs_in_once_for_all_its_calls():
    sign_in, draft = SignIn(), DraftTokens(VirtualClock(NOW))
    assert await asyncio.gather(draft.current(sign_in), draft.current(sign_in)) == ["access-1"] * 2


class Cloud:
    """A lock app whose refresh tokens are good for once, as Nuki's and RemoteLock's are."""

    def __init__(self) -> None:
        self.valid, self.given, self.lists = {"first", "second"}, 0, True

    async def renew(self, connection: Connection, before: Grant | None) -> Grant:
        refresh = (before and before.refresh) or connection.settings["refresh_token"]
        if refresh not in self.valid:
            msg = "the refresh token was used before"
            raise AccountRefused(msg)
        self.valid.remove(refresh)
        self.given += 1
        self.valid.add(f"next-{self.given}")
        return Grant(f"access-{self.given}", None, f"next-{self.given}")

    def connect(self, connection: Connection) -> Any:
        async def list_locks() -> list[Any]:
            await connection.tokens.current(lambda before: self.renew(connection, before))
            if not self.lists:
                msg = "the lock app does not answer"
                raise Unreachable(msg)
            return []

        return SimpleNamespace(list_locks=list_locks)


async def a_rotating_account(start) -> tuple[Any, Cloud, Any]:
    engine, cloud = await start(), Cloud()
    engine.services.accounts.providers["cloud"] = ProviderSpec("cloud", "Cloud", (), cloud.connect)
    answers = {"refresh_token": "first"}
    app, _ = await connect.add_lock_app(engine.services, engine.host, "cloud", "Cloud", answers, engine.now)

    def row():
        return engine.ask(hosts.lock_apps, engine.services.vault, [app])[app]

    return engine, cloud, row


async def test_other_settings_that_do_not_work_leave_the_account_the_token_it_has(start):
    engine, cloud, row = await a_rotating_account(start)
    cloud.lists = False
    with pytest.raises(Unreachable):
        await connect.reconnect(engine.services, row(), {"refresh_token": "second"}, engine.now)
    cloud.lists = True
    await connect.sync_locks(engine.services, row(), engine.now)
    assert cloud.given == 2


async def test_other_settings_that_work_come_with_the_token_they_were_tried_with(start):
    engine, cloud, row = await a_rotating_account(start)
    await connect.reconnect(engine.services, row(), {"refresh_token": "second"}, engine.now)
    await connect.sync_locks(engine.services, row(), engine.now)
    assert cloud.given == 2


async def test_the_same_settings_again_are_tried_with_the_token_there_is(start):
    engine, cloud, row = await a_rotating_account(start)
    await connect.reconnect(engine.services, row(), {"refresh_token": "first"}, engine.now)
    assert cloud.given == 1


# -- pace --------------------------------------------------------------------------------------------------------


class Waits:
    """Pauses that take no time and are remembered."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def pace(process: Process, app: LockAppId, waits: Waits, calls: int = 120) -> AccountPace:
    return AccountPace(accounts.of_lock_app(app), Rate(calls, timedelta(minutes=1)), process, waits)


async def test_calls_of_all_processes_together_keep_the_distance_the_lock_app_asks_for(processes):
    (one, other), app = processes
    waits = Waits()
    mine, theirs = pace(one, app, waits), pace(other, app, waits)
    await asyncio.gather(*(each.turn() for _ in range(20) for each in (mine, theirs)))
    assert sorted(waits.seconds) == [0.5 * number for number in range(1, 40)]


async def test_a_call_after_a_rest_goes_at_once(processes):
    (one, _), app = processes
    waits = Waits()
    calm = pace(one, app, waits)
    await calm.turn()
    one.clock.advance(timedelta(seconds=5))
    await calm.turn()
    assert waits.seconds == []


async def test_r22_a_turn_too_far_away_is_rate_limited_and_takes_nobody_elses(processes):
    (one, other), app = processes
    waits = Waits()
    first = pace(one, app, waits)
    for _ in range(121):
        await first.turn()
    for _ in range(3):
        with pytest.raises(RateLimited):
            await pace(other, app, waits).turn()
    one.clock.advance(timedelta(seconds=60))
    await pace(other, app, waits).turn()
    assert waits.seconds[-1] == pytest.approx(0.5)


async def test_with_hardly_a_call_left_by_the_lock_apps_own_count_every_process_rests(processes):
    (one, other), app = processes
    waits = Waits()
    await pace(one, app, waits).heard(1, NOW + timedelta(seconds=40))
    await pace(other, app, waits).turn()
    assert waits.seconds == [40.0]


async def test_a_count_with_calls_left_or_from_the_past_slows_nobody(processes):
    (one, _), app = processes
    waits = Waits()
    calm = pace(one, app, waits)
    await calm.heard(60, NOW + timedelta(seconds=40))
    await calm.heard(0, NOW - timedelta(seconds=1))
    await calm.turn()
    assert waits.seconds == []


async def test_r22_500_locks_on_one_account_are_called_as_fast_as_allowed_and_never_faster(processes):
    """Two processes ask as often as they like; who is sent away comes back when it was told to."""
    both, app = processes
    waits, called = Waits(), []
    paces = [pace(process, app, waits) for process in both]
    clock, left = both[0].clock, 1000
    while left:
        wait = None
        for number in range(left):
            before = len(waits.seconds)
            try:
                await paces[number % 2].turn()
            except RateLimited as error:
                wait = error.retry_after
                break
            slept = waits.seconds[before] if len(waits.seconds) > before else 0.0
            called.append(clock.now() + timedelta(seconds=slept))
        left = 1000 - len(called)
        clock.advance(wait or timedelta(0))
    called.sort()
    busiest = max(sum(1 for at in called if first <= at < first + timedelta(minutes=1)) for first in called)
    assert busiest <= 120
    assert called[-1] - called[0] <= timedelta(minutes=1000 / 120 * 1.05)


async def test_turns_of_callers_who_gave_up_are_not_all_taken_at_once_later(processes):
    (one, _), app = processes
    waits = Waits()
    calm = pace(one, app, waits)
    with one.database.write() as connection:
        taken = accounts.take_turns(
            connection, Turns(accounts.of_lock_app(app), 8, timedelta(seconds=0.5), timedelta(minutes=1)), NOW
        )
    calm._turns.extend(taken + number * timedelta(seconds=0.5) for number in range(8))
    one.clock.advance(timedelta(minutes=5))
    await asyncio.gather(*(calm.turn() for _ in range(4)))
    assert waits.seconds == [0.5, 1.0, 1.5]


async def test_a_count_that_resets_absurdly_late_stops_an_account_for_a_while_and_not_for_years(processes):
    (one, _), app = processes
    waits = Waits()
    calm = pace(one, app, waits)
    await calm.heard(0, NOW + timedelta(days=36500))
    one.clock.advance(timedelta(hours=1))
    await calm.turn()
    assert waits.seconds == []
