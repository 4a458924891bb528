"""The process dies between any two things it does, and the next one finishes the work: once, not twice (law 5, R38)."""

import asyncio
from contextlib import suppress
from datetime import time

import pytest

from lockbridge import worker
from lockbridge.domain.rules import Quiet
from lockbridge.storage import hosts
from lockbridge.workflows import connect
from tests.platforms.make_believe import Booking
from tests.workflows.engine import CLOSES, HOUR, MINUTE, NOW, OPENS, Doom, Engine, Killed, close

LEASES = 5 * MINUTE
"""Until then whatever a dead process held is free again."""


async def life(engine: Engine, doom: Doom) -> bool:
    """A process lives until it dies; whether it came through."""
    asyncio.get_running_loop().set_exception_handler(_nobody_mourns)
    engine.tap.before = engine.tap.after = _checks(doom)
    services = engine.world.process(engine.tap, doom=doom, **engine._policy)
    with suppress(Killed):
        await worker.run_once(services, engine.now)
    await close(services)
    engine.tap.before = engine.tap.after = _checks(Doom())
    engine.clock.advance(LEASES)
    return not doom.dead


def _nobody_mourns(loop, context) -> None:
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)


def _checks(doom: Doom):
    async def check(_verb: str, _lock: str) -> None:
        doom()

    return check


async def _another_lock(engine: Engine, number: int, rules: str) -> str:
    """A lock, a property and a booking of its own for each death."""
    name, ref = f"{rules}-{number}", f"prop-{rules}-{number}"
    engine.app.add_lock(name, name=name, rules=rules)
    account = engine.ask(_account, engine)
    rows = await connect.sync_locks(engine.services, account, engine.now)
    engine.locks |= {row.name: row.id for row in rows}
    place = await engine.add_property(name, ref, settings={"backups": False})
    await engine.match(name, place)
    await engine.say(Booking(id=name, code=f"HM{number}", home=ref, email=f"guest{number}@example.com"))
    return name


def _account(connection, engine):
    return hosts.lock_apps(connection, engine.services.vault, [engine.account])[engine.account]


@pytest.mark.parametrize(("rules", "patience"), [("standard", 1), ("nuki", 25)])
async def test_r38_a_process_that_dies_anywhere_leaves_each_code_on_its_lock_once_and_each_message_said(
    start, rules, patience
):
    engine = await start(at=OPENS - 23 * HOUR, quiet=Quiet(time(0), time(0)))
    number, came_through = 0, False
    stride = 1 if engine.world.database.dialect == "sqlite" else 3
    while not came_through:
        number += stride
        name = await _another_lock(engine, number, rules)
        came_through = await life(engine, Doom(number))
        await engine.passes(patience * MINUTE)
        assert [code.pin for code in engine.held(name)] == [engine.pin(name)], number
        assert engine.opens(name, ref=name, at=OPENS), number
        assert engine.statuses(name) == {name: "scheduled"}, number
        said = engine.mails(f"guest{number}@example.com")
        assert 1 <= len(said) <= 2, number
        assert len({mail.message_id for mail in said}) == 1, number
    assert number > 20


@pytest.mark.parametrize("rules", ["standard", "slots"])
async def test_r31_a_process_that_dies_while_it_removes_leaves_nothing_on_the_lock(start, rules):
    engine = await start(at=OPENS - 5 * MINUTE)
    names = [await _another_lock(engine, number, rules) for number in range(1, 16)]
    await engine.until(OPENS + MINUTE)
    for number, name in enumerate(names, start=1):
        assert engine.opens(name, ref=name)
        await engine.say(
            Booking(happening="cancelled", status="cancelled", id=name, code=f"HM{number}", home=f"prop-{name}")
        )
        await life(engine, Doom(number))
        await engine.passes(MINUTE)
        assert engine.held(name) == [], number
        assert engine.statuses(name) == {name: "removed"}, number


async def test_r19_a_process_that_dies_while_it_changes_a_code_leaves_one_code_that_works(start):
    engine = await start(at=OPENS - 5 * MINUTE)
    names = [await _another_lock(engine, number, "first-four") for number in range(1, 16)]
    await engine.until(OPENS + MINUTE)
    pins = {name: engine.pin(name) for name in names}
    for number, name in enumerate(names, start=1):
        await engine.say(Booking(id=name, code=f"HM{number}", home=f"prop-{name}", departure="2026-06-17"))
        engine.watchers = [lambda name=name: _let_in(engine, name)]
        await life(engine, Doom(number))
        await engine.passes(MINUTE)
        assert [code.pin for code in engine.held(name)] == [pins[name]], number
        assert engine.opens(name, ref=name, at=CLOSES + MINUTE), number


def _let_in(engine, name):
    assert engine.opens(name, ref=name)


async def test_a_lock_that_a_dead_process_had_is_taken_over_when_its_lease_ends(start):
    engine = await start(at=OPENS - MINUTE, backups_per_lock=0)
    await engine.say(Booking())
    doom = Doom()
    engine.tap.before = _dies_at(doom, "set")
    services = engine.world.process(engine.tap, doom=doom)
    with suppress(Killed):
        await worker.run_once(services, engine.now)
    await close(services)
    engine.tap.before = _checks(Doom())
    assert doom.dead
    engine.tap.calls.clear()
    lease = engine.services.policy.lease
    started = engine.now
    while engine.now < started + lease - MINUTE / 2:
        engine.clock.advance(MINUTE / 2)
        await engine.tick()
        assert engine.tap.calls == []
    await engine.passes(MINUTE)
    assert engine.statuses() == {"front": "set"}


def _dies_at(doom, verb):
    async def before(called, _lock):
        if called == verb:
            doom.dead = True
        doom()

    return before


@pytest.mark.parametrize("moment", ["before it is accepted", "after it is accepted"])
async def test_r38_an_e_mail_whose_sender_dies_is_sent_again_under_the_same_message_id(start, moment):
    engine = await start(at=OPENS - 2 * MINUTE)
    await engine.say(Booking())
    doom = Doom()

    def dies(_email) -> None:
        doom.dead = True
        raise Killed

    engine.mail.before, engine.mail.after = (dies, lambda _: None) if "before" in moment else (lambda _: None, dies)
    services = engine.world.process(engine.tap, doom=doom)
    with suppress(Killed):
        await worker.run_once(services, engine.now)
    await close(services)
    engine.mail.before = engine.mail.after = lambda _: None
    await engine.passes(6 * MINUTE)
    copies = 1 if "before" in moment else 2
    assert [mail.message_id for mail in engine.mails()] == [engine.mails()[0].message_id] * copies
    assert len(engine.told_guest("access_code")) == 1


async def test_a_mistake_of_ours_in_one_locks_pass_leaves_the_other_locks_fine(start):
    engine = await start({"front": "standard", "back": "standard"}, at=NOW)

    async def breaks(_verb, lock):
        if lock == "front":
            raise ZeroDivisionError

    engine.tap.before = breaks
    await engine.book(arrival="2026-06-11")
    assert [code.pin for code in engine.held("back")] == [engine.pin()]
    assert engine.held("front") == []
    engine.tap.before = _checks(Doom())
    await engine.passes(6 * MINUTE)
    assert [code.pin for code in engine.held("front")] == [engine.pin()]


async def test_a_call_is_not_begun_when_the_lease_may_end_before_its_answer(start, monkeypatch):
    engine = await start()
    seconds = [0.0]
    monkeypatch.setattr("lockbridge.workflows.push.monotonic", lambda: seconds[0])
    for number in (1, 2, 3):
        await engine.say(
            Booking(id=f"R{number}", code=f"HM{number}", arrival="2026-06-11", phone=f"+1555010000{number}")
        )

    async def slow(verb, _lock):
        if verb == "set":
            seconds[0] += engine.services.policy.lease.total_seconds() / 4

    engine.tap.calls.clear()
    engine.tap.before = slow
    await engine.tick()
    assert len(engine.held()) == 2
    await engine.passes(MINUTE)
    assert [verb for verb, _ in engine.tap.calls].count("set") == 3
    assert len(engine.held()) == 3
