"""What a preview shows is what then happens on the lock, and showing it changes nothing (R47)."""

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockbridge.domain.code import CodeKind
from lockbridge.domain.effect import Doing, When
from lockbridge.storage import hosts, locks, snapshot, tables
from lockbridge.storage.database import Database
from lockbridge.workflows import host_settings, preview, properties
from lockbridge.workflows.connect import BadInput
from providers.simulator.rules import RULE_SETS
from tests.workflows.engine import DAY, MINUTE, OPENS, Engine

EVERYTHING = [table for table in tables.metadata.sorted_tables if table.name != "run_ledger"]


def everything(engine: Engine) -> dict[str, list[tuple]]:
    """The whole database, row by row."""
    with engine.world.database.read() as connection:
        return {table.name: sorted(map(repr, connection.execute(table.select()))) for table in EVERYTHING}


def on(found: preview.Foreseen, lock) -> preview.Preview:
    return next(each for each in found.previews if each.lock.id == lock)


def codes_of(shown: preview.Preview, doing: Doing) -> set[tuple[str, str]]:
    return {(line.placement.name, line.placement.pin.digits) for line in shown.effect.of(doing, backups=False)}


async def with_side_door(start, **options) -> Engine:
    """Three stays from tomorrow on at the front door; the side door opens nothing yet."""
    engine = await start({"front": "standard"}, at=OPENS - DAY, **options)
    engine.app.add_account("annex", token="annex")
    await engine.connect_locks({"side": "standard"}, account="annex")
    await engine.book()
    for number, name in enumerate(("Bo Second", "Cy Third"), 2):
        first = 14 + 2 * (number - 1)
        days = {"arrival": f"2026-06-{first}", "departure": f"2026-06-{first + 2}"}
        await engine.book(id=f"R{number}", code=f"HM{number}", guest=name, **days)
    await engine.passes(MINUTE)
    return engine


@pytest.mark.parametrize("mode", ["phone", "random"])
async def test_r47_what_a_match_shows_is_what_then_stands_on_the_lock_digits_included(start, mode):
    engine = await with_side_door(start, settings={"pin_mode": mode})
    side = engine.locks["side"]
    pairs = [(engine.place, side)]
    change = preview.matching(engine.host, pairs, engine.now, matched=True)
    found = await preview.preview(engine.services, engine.host, change, engine.now, concerned=[side])
    shown = on(found, side)
    assert len(shown.effect.of(Doing.ADDED, backups=True)) == 2
    later = preview.matching(engine.host, pairs, engine.now + MINUTE, matched=True)
    engine.clock.advance(MINUTE)
    left = await preview.carry_out(engine.services, engine.host, later, found.agreed, engine.now, concerned=[side])
    assert left is None
    wanted = engine.ask(locks.live_placements, engine.services.vault, side)
    guests = {(each.name, each.pin.digits) for each in wanted if each.kind is CodeKind.GUEST}
    assert guests == codes_of(shown, Doing.ADDED)
    await engine.passes(5 * DAY)
    assert {(code.name, code.pin) for code in engine.held("side")} <= guests
    assert engine.held("side") != []


async def test_r47_previewing_changes_nothing_anywhere(start):
    engine = await with_side_door(start)
    engine.app.add_by_hand("front", "Neighbour", "777888")
    before, journal = everything(engine), len(engine.app.journal)
    for matched, lock in ((True, "side"), (False, "front")):
        change = preview.matching(engine.host, [(engine.place, engine.locks[lock])], engine.now, matched=matched)
        await preview.preview(engine.services, engine.host, change, engine.now)
    longer = host_settings.changing_codes(engine.host, {"pin_length": 6}, engine.now)
    await preview.preview(engine.services, engine.host, longer, engine.now)
    assert everything(engine) == before
    assert len(engine.app.journal) == journal


async def test_r4_r47_an_unmatch_names_the_codes_that_go_and_leaves_a_strangers(start):
    engine = await with_side_door(start)
    engine.app.add_by_hand("front", "Neighbour", "777888")
    front = engine.locks["front"]
    change = preview.matching(engine.host, [(engine.place, front)], engine.now, matched=False)
    found = await preview.preview(engine.services, engine.host, change, engine.now)
    effect = on(found, front).effect
    gone = effect.of(Doing.REMOVED, backups=False)
    assert {line.placement.name for line in gone} == {"Ida Example", "Bo Second", "Cy Third"}
    now = {line.placement.name for line in gone if line.when is When.NOW}
    assert now == {code.name for code in engine.held()}
    assert effect.strangers == 1
    assert effect.after == 1
    assert await preview.carry_out(engine.services, engine.host, change, found.agreed, engine.now) is None
    await engine.work()
    assert [code.name for code in engine.app.holds("front")] == ["Neighbour"]


async def test_r47_a_change_that_would_do_something_else_by_now_is_not_made(start):
    engine = await with_side_door(start)
    side = engine.locks["side"]
    change = preview.matching(engine.host, [(engine.place, side)], engine.now, matched=True)
    found = await preview.preview(engine.services, engine.host, change, engine.now)
    await engine.book(happening="cancelled", status="cancelled")
    before = everything(engine)
    left = await preview.carry_out(engine.services, engine.host, change, found.agreed, engine.now)
    assert left is not None
    assert ("Ida Example", engine.pin()) not in codes_of(on(left, side), Doing.ADDED)
    assert everything(engine) == before
    assert await preview.carry_out(engine.services, engine.host, change, left.agreed, engine.now) is None


async def test_r25_r47_other_settings_of_the_host_show_what_they_do_to_every_lock(start):
    engine = await with_side_door(start)
    await engine.match("side")
    await engine.passes(MINUTE)
    change = host_settings.changing_codes(engine.host, {"buffer_after_minutes": 60, "backups": False}, engine.now)
    found = await preview.preview(engine.services, engine.host, change, engine.now)
    assert {each.lock.name for each in found.previews} == {"front", "side"}
    for each in found.previews:
        assert len(each.effect.of(Doing.REMOVED, backups=True)) == 2
        assert {line.differs for line in each.effect.of(Doing.CHANGED, backups=False)} == {("window",)}


def nothing(_connection, _tools):
    """Nothing is wanted otherwise, as with a resync."""


async def test_r32_r47_a_resync_is_previewed_as_what_is_missing_wrong_and_too_much(start):
    engine = await with_side_door(start)
    (held,) = [code for code in engine.held() if code.name == "Ida Example"]
    engine.app.delete_by_hand("front", held.ref)
    found = await preview.preview(engine.services, engine.host, nothing, engine.now, concerned=[engine.locks["front"]])
    (shown,) = found.previews
    assert shown.effect.lines == ()
    assert [(other.action.verb, other.placement.name) for other in shown.effect.anyway] == [("set", "Ida Example")]
    assert not found.touches


@pytest.mark.parametrize("rules", sorted(RULE_SETS))
async def test_r47_every_kind_of_lock_is_previewed(start, rules):
    engine = await start({"front": rules}, at=OPENS - DAY)
    await engine.book()
    await engine.passes(10 * MINUTE)
    change = preview.matching(engine.host, [(engine.place, engine.locks["front"])], engine.now, matched=False)
    found = await preview.preview(engine.services, engine.host, change, engine.now)
    gone = on(found, engine.locks["front"]).effect.of(Doing.REMOVED, backups=False)
    assert [line.placement.name for line in gone] == ["Ida Example"]
    by_itself = not engine.lock_row().capabilities.can_remove
    assert (gone[0].when is When.BY_ITSELF) == by_itself


async def test_r26_r47_a_full_lock_says_which_codes_wait_for_room(start):
    engine = await with_side_door(start)
    engine.app.fill("side", leave=1)
    side = engine.locks["side"]
    change = preview.matching(engine.host, [(engine.place, side)], engine.now, matched=True)
    effect = on(await preview.preview(engine.services, engine.host, change, engine.now), side).effect
    assert (effect.held, effect.room, effect.after) == (99, 100, 100)
    waiting = [line for line in effect.lines if line.when is When.NO_ROOM]
    assert waiting != []
    assert min(line.placement.window.starts for line in effect.lines if line.when is When.NOW) <= min(
        line.placement.window.starts for line in waiting if not line.is_backup
    )


async def test_a_lock_that_is_gone_or_whose_account_is_shut_out_is_told_from_memory(start):
    engine = await with_side_door(start)
    engine.app.add_by_hand("front", "Neighbour", "777888")
    await engine.look_at()
    engine.app.disconnect()
    change = preview.matching(engine.host, [(engine.place, engine.locks["front"])], engine.now, matched=False)
    shown = on(await preview.preview(engine.services, engine.host, change, engine.now), engine.locks["front"])
    assert shown.unread
    assert shown.effect.strangers == 1, "as the last look found"
    assert len(shown.effect.of(Doing.REMOVED, backups=False)) == 3


async def test_what_cannot_be_matched_is_refused(start):
    engine = await with_side_door(start)
    change = preview.matching(engine.host, [(engine.place, 99)], engine.now, matched=True)
    with pytest.raises(BadInput, match="this host has no lock 99"):
        await preview.preview(engine.services, engine.host, change, engine.now)


async def test_a_change_of_very_many_stays_plans_the_soonest_and_leaves_the_others_to_the_next_tick(start, monkeypatch):
    engine = await with_side_door(start)
    monkeypatch.setattr(preview, "MOST_STAYS", 2)
    side = engine.locks["side"]
    change = preview.matching(engine.host, [(engine.place, side)], engine.now, matched=True)
    found = await preview.preview(engine.services, engine.host, change, engine.now)
    assert found.left == 1
    assert await preview.carry_out(engine.services, engine.host, change, found.agreed, engine.now) is None
    await engine.work()
    assert len(engine.ask(locks.live_placements, engine.services.vault, side)) == 5


def test_draws_are_the_same_for_the_same_word_and_even(vault):
    drawn = [preview.drawer(vault, "word")(10) for _ in range(3)]
    assert len(set(drawn)) == 1
    below = preview.drawer(vault, "another")
    counted = [0] * 7
    for _ in range(7000):
        counted[below(7)] += 1
    assert min(counted) > 850


# --------------------------------------------------------------------------------------------------- any few changes


MATCH, UNMATCH, BUFFER, LENGTH, BACKUPS = "match", "unmatch", "buffer", "length", "backups"


def change_of(engine: Engine, what: str):
    """One of the changes a host makes."""
    side = [(engine.place, engine.locks["side"])]
    if what in (MATCH, UNMATCH):
        return preview.matching(engine.host, side, engine.now, matched=what == MATCH)
    values = {BUFFER: {"buffer_before_minutes": 45}, LENGTH: {"pin_length": 6}, BACKUPS: {"backups": False}}[what]
    return properties.changing(engine.host, engine.place, {"settings": {"pin_mode": "random"} | values}, engine.now)


def wished(engine: Engine) -> dict:
    """Every code that is wanted on every lock."""
    now = engine.ask(partial(snapshot.of_host, vault=engine.services.vault, host=engine.host))
    return {
        (name, each.name, each.pin.digits, each.window)
        for name, lock in engine.locks.items()
        for each in now.on(lock)
        if each.ended is None and each.kind is CodeKind.GUEST
    }


def shown_after(found: preview.Foreseen, before: set) -> set:
    """The codes that are wanted when what was shown is done."""
    names = {each.lock.name for each in found.previews}
    kept = {code for code in before if code[0] not in names}
    return kept | {
        (each.lock.name, placement.name, placement.pin.digits, placement.window)
        for each in found.previews
        for placement in each.wanted
        if placement.ended is None and placement.kind is CodeKind.GUEST
    }


@settings(max_examples=12)
@given(steps=st.lists(st.sampled_from([MATCH, UNMATCH, BUFFER, LENGTH, BACKUPS]), min_size=1, max_size=4))
async def test_r47_whatever_is_changed_comes_to_what_was_shown(steps, sqlite_copy):
    engine = await with_side_door(partial(_start, sqlite_copy()), settings={"pin_mode": "random"})
    try:
        for step in steps:
            before, change = wished(engine), change_of(engine, step)
            found = await preview.preview(engine.services, engine.host, change, engine.now)
            assert wished(engine) == before
            assert await preview.carry_out(engine.services, engine.host, change, found.agreed, engine.now) is None
            assert wished(engine) == shown_after(found, before)
            await engine.work()
            assert wished(engine) == shown_after(found, before)
    finally:
        await engine.close()
        engine.world.database.dispose()


async def _start(url: str, rules, **options) -> Engine:
    return await Engine.start(Database(url, synchronous="OFF", read_threads=0), rules, **options)


@pytest.fixture(scope="module")
def sqlite_copy(sqlite_template, tmp_path_factory):
    """Copies a fresh database for each example."""

    def copy() -> str:
        file = tmp_path_factory.mktemp("example") / "lockbridge.sqlite3"
        file.write_bytes(sqlite_template.read_bytes())
        return f"sqlite:///{file}"

    return copy


async def test_matches_of_a_host_are_its_own(start):
    engine = await with_side_door(start)
    assert engine.ask(hosts.matches_of_host, engine.host) == [(engine.place, engine.locks["front"])]
