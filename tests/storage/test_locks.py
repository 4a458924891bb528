"""Questions about locks: who attends to which, and what is written down of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lockbridge.domain.code import Pin
from lockbridge.domain.ids import CodeRef
from lockbridge.domain.observe import Observation
from lockbridge.domain.placement import PlacementState, Verb, spec_for
from lockbridge.domain.seen import SeenCode
from lockbridge.storage import codes, hosts, locks
from lockbridge.storage.due import next_due
from lockbridge.storage.locks import Intents, Look, Pass
from tests.storage.facts import DAY, NOW, WINDOW, add_lock, furnish

UNTIL = NOW + timedelta(minutes=2)


@pytest.fixture
def two(database, vault):
    with database.write() as connection:
        return furnish(connection, vault, "ana"), furnish(connection, vault, "bob")


def claim(connection, lease="mine", now=NOW, until=UNTIL, limit=10, only=None):
    return locks.claim_locks(connection, now, until, lease, limit, only)


def work_of(connection, vault, lock, lease="mine"):
    (work,) = locks.load_work(connection, vault, [lock], lease)
    return work


def outcome(work, *placements, next_at=NOW + DAY, **more):
    return Pass(
        lock=work.lock.id,
        host=work.lock.host,
        lease=work.lease,
        claimed_until=UNTIL,
        placements=placements,
        wishes=work.wishes,
        next_at=next_at,
        **more,
    )


def row(connection, owner):
    return locks.get_lock(connection, owner.host, owner.lock)


def test_no_host_sees_anothers_locks(database, two):
    ana, bob = two
    with database.read() as connection:
        assert locks.get_lock(connection, bob.host, ana.lock) is None
        assert [one.id for one in locks.locks_of_host(connection, ana.host)] == [ana.lock]
        assert [one.id for one in locks.of_app(connection, ana.app)] == [ana.lock]


def test_a_leased_lock_is_nobody_elses_until_the_lease_ends(database, two):
    ana, bob = two
    with database.write() as connection:
        assert claim(connection) == [ana.lock, bob.lock]
        assert claim(connection, "other") == []
        assert claim(connection, "other", only=[ana.lock]) == []
        assert locks.due_locks(connection, NOW, 10) == []
        assert claim(connection, "other", now=UNTIL, until=UNTIL + DAY) == [ana.lock, bob.lock]


def test_due_locks_are_claimed_the_longest_waiting_first_and_no_more_than_asked_for(database, two):
    ana, bob = two
    with database.write() as connection:
        locks.poke_locks(connection, [bob.lock], NOW - DAY)
        assert locks.due_locks(connection, NOW, 10) == [bob.lock, ana.lock]
        assert claim(connection, limit=1) == [bob.lock]
        assert claim(connection, only=[]) == []


def test_locks_of_accounts_that_must_not_be_called_are_not_claimed(database, two):
    ana, bob = two
    with database.write() as connection:
        hosts.account_needs_person(connection, ana.app, "refused")
        hosts.block_account(connection, bob.app, NOW + DAY)
        assert claim(connection) == []
        assert claim(connection, only=[ana.lock, bob.lock]) == []
        assert next_due(connection).push == NOW
        assert claim(connection, now=NOW + DAY, until=NOW + 2 * DAY) == [bob.lock]


def test_a_missing_lock_is_left_alone_until_the_lock_app_lists_it_again(database, two):
    ana, bob = two
    with database.write() as connection:
        locks.set_lock_status(connection, ana.lock, missing=True, next_at=None)
        assert claim(connection) == [bob.lock]
        assert add_lock(connection, ana.host, ana.app, "ana-front", name="Front door") == ana.lock
        assert (row(connection, ana).missing, row(connection, ana).name) == (False, "Front door")
        assert claim(connection, "again") == [ana.lock]


def test_a_lock_listed_again_keeps_its_place_in_the_queue(database, two):
    ana, _ = two
    with database.write() as connection:
        add_lock(connection, ana.host, ana.app, "ana-front", next_at=NOW - DAY)
        assert row(connection, ana).next_at == NOW


def test_intents_and_outcomes_without_the_lease_are_not_written_down(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        claim(connection)
        work = work_of(connection, vault, ana.lock)
        asked = replace(work.placements[0], intent=Verb.SET, asked_at=NOW)
        claim(connection, "other", now=UNTIL, until=UNTIL + DAY)
        assert locks.save_intents(connection, vault, [Intents(ana.lock, "mine", (asked,))]) == [False]
        assert locks.save_passes(connection, vault, [outcome(work, replace(asked, failures=3))]) == [False]
        (kept,) = locks.live_placements(connection, vault, ana.lock)
        assert (kept.intent, kept.failures) == (None, 0)
        assert locks.load_work(connection, vault, [ana.lock], "mine") == []


def test_an_intent_is_written_down_with_what_was_asked_for(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        claim(connection)
        work = work_of(connection, vault, ana.lock)
        spec = spec_for(work.placements[0], work.lock.capabilities)
        asked = replace(work.placements[0], intent=Verb.SET, asked=spec, asked_at=NOW)
        assert locks.save_intents(connection, vault, [Intents(ana.lock, "mine", (asked,))]) == [True]
        assert locks.live_placements(connection, vault, ana.lock) == [asked]
        stored = connection.exec_driver_sql("SELECT asked_sealed FROM placement WHERE intent = 'set'").scalar_one()
        assert b"4711" not in bytes(stored)


def test_a_recorded_pass_releases_its_lock_until_it_is_due_again(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        claim(connection)
        work = work_of(connection, vault, ana.lock)
        done = replace(work.placements[0], state=PlacementState.SET, ref=CodeRef("c1"), confirmed_at=NOW)
        assert locks.save_passes(connection, vault, [outcome(work, done)]) == [True]
        assert locks.live_placements(connection, vault, ana.lock) == [done]
        assert row(connection, ana).next_at == NOW + DAY
        assert claim(connection, "other", only=[ana.lock]) == [ana.lock]


def test_a_lock_poked_during_a_pass_is_due_at_once_after_it(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        claim(connection)
        work = work_of(connection, vault, ana.lock)
        locks.poke_locks(connection, [ana.lock], NOW)
        assert claim(connection, "other") == []
        locks.save_passes(connection, vault, [outcome(work)])
        assert row(connection, ana).next_at == NOW
        assert claim(connection, "other") == [ana.lock]


def test_a_poke_for_later_never_delays_a_lock(database, two):
    ana, _ = two
    with database.write() as connection:
        locks.poke_locks(connection, [ana.lock], NOW + DAY)
        assert row(connection, ana).next_at == NOW
        locks.poke_locks(connection, [], NOW)


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (PlacementState.SET, PlacementState.ASKED),
        (PlacementState.REMOVED, PlacementState.MADE),
        (PlacementState.FAILED, PlacementState.FAILED),
    ],
)
def test_a_wish_that_changed_during_a_pass_is_neither_confirmed_nor_closed_by_it(database, vault, two, state, kept):
    ana, _ = two
    with database.write() as connection:
        claim(connection)
        work = work_of(connection, vault, ana.lock)
        codes.rewish(connection, vault, ana.host, [replace(work.placements[0], remove_at=WINDOW.ends + DAY)])
        found = replace(work.placements[0], state=state, hold_until=NOW + DAY)
        locks.save_passes(connection, vault, [outcome(work, found)])
        (now,) = locks.live_placements(connection, vault, ana.lock)
        assert (now.state, now.hold_until, now.remove_at) == (kept, None, WINDOW.ends + DAY)


def test_a_placement_that_is_off_its_lock_is_live_no_more_and_not_watched(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        claim(connection)
        work = work_of(connection, vault, ana.lock)
        off = replace(work.placements[0], state=PlacementState.REMOVED)
        locks.save_passes(connection, vault, [outcome(work, off, gone=frozenset({ana.code}), at=NOW)])
        assert locks.live_placements(connection, vault, ana.lock) == []
        assert [one.placement.lock for one in codes.due_watches(connection, vault, NOW, 10)] == [two[1].lock]
        assert codes.by_ids(connection, vault, [ana.code])[ana.code].ended_at == NOW


def test_strangers_are_remembered_as_the_last_look_found_them(database, vault, two):
    ana, bob = two

    def looked(*strangers, changed=True):
        observation = Observation({}, {}, strangers)
        return Look(observation, NOW, NOW + DAY, locks.strangers_digest(observation), changed)

    cleaner = SeenCode(CodeRef("c9"), Pin("7391"), "Cleaner")
    with database.write() as connection:
        claim(connection)
        work = work_of(connection, vault, ana.lock)
        locks.save_passes(connection, vault, [outcome(work, look=looked(cleaner))])
        (seen,) = locks.strangers_on(connection, vault, [ana.lock, bob.lock])
        assert (seen.lock, seen.name, seen.pin) == (ana.lock, "Cleaner", Pin("7391"))
        assert locks.pin_taken(connection, vault, ana.host, ana.lock, Pin("7391"))
        assert row(connection, ana).seen_count == 1
        claim(connection, only=[ana.lock])
        locks.save_passes(connection, vault, [outcome(work_of(connection, vault, ana.lock), look=looked())])
        assert locks.strangers_on(connection, vault, [ana.lock]) == []


def test_locks_with_nothing_of_ours_are_not_among_the_matched_ones(database, two):
    ana, bob = two
    with database.write() as connection:
        hosts.unmatch(connection, ana.host, ana.place, ana.lock)
        assert locks.matched_locks(connection) == [bob.lock]


def test_two_processes_never_lease_one_lock(postgres_database, vault):
    with postgres_database.write() as connection:
        furnish(connection, vault, "ana")
    with postgres_database.write() as mine, postgres_database.write() as other:
        assert len(claim(mine, "mine")) == 1
        assert claim(other, "other") == []
