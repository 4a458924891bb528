"""Several processes at once: never two on one lock, and nothing done twice."""

import asyncio

import pytest

from lockbridge import worker
from lockbridge.storage import locks
from lockbridge.workflows import push, resync
from tests.platforms.make_believe import Booking
from tests.workflows.engine import DAY, MINUTE, OPENS

MANY = {f"door-{number}": "standard" for number in range(6)}


async def _slowly(_verb, _lock):
    """Let the others go on while this call is under way."""
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_url(request):
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


async def test_two_processes_never_work_one_lock_at_once_and_no_code_is_made_twice(shared_url, crowd):
    engine, processes = await crowd(shared_url, 2, MANY, at=OPENS - DAY, settings={"pin_mode": "random"})
    engine.tap.before = engine.tap.after = _slowly
    for number in range(8):
        await engine.say(Booking(id=f"R{number}", code=f"HM{number}"), guest=f"Guest {number}")
    for minute in range(6):
        await asyncio.gather(*(worker.run_once(services, engine.now) for services in processes for _ in range(2)))
        if minute % 2:
            await engine.say(
                Booking(id=f"R{minute}", code=f"HM{minute}", departure="2026-06-18"), guest=f"Guest {minute}"
            )
        engine.clock.advance(MINUTE)
    await engine.passes(MINUTE)
    assert engine.tap.overlaps == []
    for lock in MANY:
        assert sorted(code.pin for code in engine.held(lock)) == sorted(engine.pin(f"R{n}") for n in range(8))
        assert len(engine.app.holds(lock)) == 8 + 2
    assert len({mail.message_id for mail in engine.mail.sent}) == len(engine.mail.sent)


async def test_a_lock_that_is_being_worked_on_is_not_claimed_by_another_process(start):
    engine = await start()
    await engine.passes(MINUTE)
    lock = [engine.locks["front"]]
    (mine,) = await push.claim(engine.services, engine.now, 10, only=lock)
    assert await push.claim(engine.services, engine.now, 10, only=lock) == []
    assert await push.attend_to(engine.services, lock, engine.now) == {}
    engine.clock.set(mine.until)
    (theirs,) = await push.claim(engine.services, engine.now, 10, only=lock)
    assert theirs.work.lease != mine.work.lease
    intents = locks.Intents(mine.work.lock.id, mine.work.lease, mine.work.placements)
    assert await engine.services.commit.write(engine.services.steps.intents, intents) is False


async def test_what_a_process_that_lost_its_lease_found_out_is_not_written_down(start):
    engine = await start(at=OPENS - DAY)
    await engine.say(Booking())

    async def takes_long(verb, _lock):
        if verb == "set":
            engine.tap.after = _at_once
            engine.clock.advance(engine.services.policy.lease + MINUTE)
            await push.push_due(engine.services, engine.now)

    async def _at_once(_verb, _lock):
        pass

    engine.tap.after = takes_long
    await engine.tick()
    await engine.passes(MINUTE)
    assert [code.pin for code in engine.held()] == [engine.pin()]
    assert engine.statuses() == {"front": "scheduled"}


async def test_a_booking_that_changes_during_a_pass_is_carried_out_by_the_next_one(start):
    engine = await start(at=OPENS - DAY)
    await engine.say(Booking())

    async def meanwhile(verb, _lock):
        if verb == "set":
            engine.tap.after = _nothing
            engine.clock.advance(MINUTE / 60)
            await engine.say(Booking(departure="2026-06-18"))
            await worker.receive.read_deliveries(engine.services, engine.now)
            await worker.book.book_due(engine.services, engine.now)

    async def _nothing(_verb, _lock):
        pass

    engine.tap.after = meanwhile
    await engine.work()
    assert [verb for verb, _ in engine.tap.calls][-2:] == ["list_codes", "update"]
    assert engine.statuses() == {"front": "scheduled"}
    assert engine.opens("front", at=OPENS + 3 * DAY)


async def test_r19_an_extension_that_comes_while_the_code_is_taken_off_puts_it_back(start):
    engine = await start({"front": "slots"}, at=OPENS - MINUTE)
    await engine.book(departure="2026-06-15")
    ends = OPENS + DAY - 5 * 60 * MINUTE
    await engine.until(ends - MINUTE)

    async def meanwhile(verb, _lock):
        if verb == "list_codes" and engine.now > ends:
            engine.tap.after = _nothing
            await engine.say(Booking(departure="2026-06-16"))
            await worker.receive.read_deliveries(engine.services, engine.now)
            await worker.book.book_due(engine.services, engine.now)

    async def _nothing(_verb, _lock):
        pass

    engine.tap.after = meanwhile
    await engine.until(ends + 3 * MINUTE)
    assert engine.tap.after is _nothing
    assert engine.opens("front")
    assert engine.statuses() == {"front": "set"}


async def test_r32_a_resync_started_while_one_runs_joins_it(start):
    engine = await start(at=OPENS - DAY)
    await engine.book()
    held = asyncio.Event()
    reached = asyncio.Event()

    async def wait(verb, _lock):
        if verb == "list_codes":
            reached.set()
            await held.wait()

    engine.tap.before = wait
    lock = engine.locks["front"]
    first = asyncio.create_task(resync.resync(engine.services, lock, engine.now))
    await reached.wait()
    said, joining = [], asyncio.Event()

    async def progress(words: str, _done: int, _total: int) -> None:
        said.append(words)
        joining.set()

    second = asyncio.create_task(resync.resync(engine.services, lock, engine.now, progress))
    await joining.wait()
    held.set()
    one, other = await first, await second
    assert one.kept == 3
    assert not one.joined
    assert other.joined
    assert (other.kept, other.pushed) == (one.kept, one.pushed)
    assert "is running" in said[0]


async def test_r32_resync_puts_back_corrects_removes_and_leaves_strangers_and_reports(start):
    engine = await start({"front": "unique-names"}, at=OPENS - DAY)
    engine.app.add_by_hand("front", "Cleaner", "7391")
    for number in range(3):
        await engine.book(id=f"R{number}", code=f"HM{number}", guest=f"Guest {number}")
    await engine.passes(MINUTE)
    pins = [engine.pin(f"R{number}") for number in range(3)]
    first, second, third = engine.held()
    engine.app.delete_by_hand("front", first.ref)
    engine.app.edit_by_hand("front", second.ref, window=type(second.window)(OPENS, OPENS + MINUTE))
    report = await resync.resync(engine.services, engine.locks["front"], engine.now)
    assert (report.pushed, report.corrected, report.removed, report.failed, report.unread) == (1, 1, 0, 0, None)
    assert sorted(code.pin for code in engine.held()) == sorted(pins)
    assert third in engine.held()
    assert engine.app.opens("front", "7391", OPENS)


async def test_r32_resync_of_a_lock_that_cannot_be_read_says_so_and_changes_nothing(start):
    engine = await start({"front": "slots"}, at=OPENS - MINUTE)
    await engine.book()
    await engine.passes(MINUTE)
    engine.app.offline("front")
    before = engine.app.holds("front")
    report = await resync.resync(engine.services, engine.locks["front"], engine.now)
    assert "cannot be reached" in report.unread
    assert engine.app.holds("front") == before
