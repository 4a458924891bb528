"""Questions about codes and their placements."""

from dataclasses import replace

import pytest

from lockbridge.domain.code import CodeKind, Pin
from lockbridge.domain.placement import Ended, PlacementState
from lockbridge.storage import codes, locks
from lockbridge.storage.due import next_due
from tests.storage.facts import DAY, NOW, WINDOW, add_code, furnish


@pytest.fixture
def two(database, vault):
    with database.write() as connection:
        return furnish(connection, vault, "ana"), furnish(connection, vault, "bob")


def placed(connection, vault, owner):
    (found,) = codes.placements_of(connection, vault, [owner.code])[owner.code]
    return found


def test_no_host_sees_anothers_codes(database, vault, two):
    ana, bob = two
    with database.read() as connection:
        assert codes.all_placements_of(connection, vault, bob.host, [ana.code]) == []
        (mine,) = codes.of_host(connection, vault, ana.host, lock=None, limit=10)
        assert mine.placement.id == ana.placement
        assert codes.of_host(connection, vault, ana.host, lock=bob.lock, limit=10) == []
        assert codes.on_locks(connection, [ana.lock])[0].code == ana.code
        assert [one.code for one in codes.on_locks(connection, [ana.lock])] == [ana.code]


def test_the_same_digits_of_two_hosts_have_different_indexes(database, vault, two):
    ana, bob = two
    with database.read() as connection:
        mine, theirs = placed(connection, vault, ana), placed(connection, vault, bob)
    assert mine.placement.pin == theirs.placement.pin
    assert mine.pin_index != theirs.pin_index


def test_digits_are_sealed(database, two):
    with database.read() as connection:
        stored = connection.exec_driver_sql("SELECT pin_sealed, pin_index FROM placement").fetchall()
    assert all(b"4711" not in bytes(column) for row in stored for column in row)


def test_r10_digits_on_a_lock_are_taken_ours_or_a_strangers(database, vault, two):
    ana, bob = two
    with database.read() as connection:
        assert locks.pin_taken(connection, vault, ana.host, ana.lock, Pin("4711"))
        assert not locks.pin_taken(connection, vault, ana.host, ana.lock, Pin("4712"))
        assert not locks.pin_taken(connection, vault, ana.host, bob.lock, Pin("4711"))
        assert codes.pins_on_lock(connection, vault, ana.lock) == [Pin("4711")]


def test_a_code_is_live_once_on_a_lock(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        mine = placed(connection, vault, ana).placement
        with pytest.raises(Exception, match=r"(?i)unique"):
            codes.insert_placements(connection, vault, ana.host, [mine])


def test_r25_a_backup_is_given_to_one_stay_only(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        spare, _ = add_code(connection, vault, ana.host, ana.lock, None, kind=CodeKind.BACKUP, pin="1357")
        assert [one.code for one in codes.backups_on(connection, vault, ana.lock)] == [spare]
        assert codes.give_backup(connection, spare, ana.stay, WINDOW.ends, NOW) is True
        assert codes.give_backup(connection, spare, bob.stay, WINDOW.ends, NOW) is False
        assert list(codes.backups_given_to(connection, vault, [ana.stay, bob.stay])) == [ana.stay]
        assert codes.stays_of_codes(connection, [spare, ana.code]) == {spare: ana.stay, ana.code: ana.stay}


def test_r36_what_a_guest_was_told_is_remembered_and_follows_the_code_to_new_locks(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        mine = placed(connection, vault, ana)
        assert not mine.told
        codes.note_told(connection, {ana.placement: mine.pin_index}, NOW)
        assert placed(connection, vault, ana).told
        assert codes.told_otherwise(connection, vault, [ana.placement, bob.placement]) == []
        codes.replace_pin(connection, vault, ana.host, mine.placement, Pin("2468"))
        assert [one.placement.id for one in codes.told_otherwise(connection, vault, [ana.placement])] == [ana.placement]
        told = codes.told_of(connection, [ana.code, bob.code])
        assert told == {ana.code: {ana.placement: mine.pin_index}}
        elsewhere = replace(mine.placement, lock=bob.lock)
        codes.insert_placements(connection, vault, ana.host, [elsewhere], {ana.code: mine.pin_index})
        assert [one.told for one in codes.placements_of(connection, vault, [ana.code])[ana.code]] == [True, True]


def test_r23_codes_that_open_soon_are_due_and_not_set_are_found_in_pages(database, vault, two):
    ana, bob = two
    start = (NOW - DAY, 0)
    with database.write() as connection:
        page = codes.unset_before(connection, NOW + DAY, NOW, start, 1)
        assert [one.placement for one in page] == [ana.placement]
        after = (page[-1].opens_at, page[-1].placement)
        assert [one.placement for one in codes.unset_before(connection, NOW + DAY, NOW, after, 9)] == [bob.placement]
        assert codes.unset_before(connection, WINDOW.starts - DAY, NOW, start, 9) == []
        assert codes.unset_before(connection, NOW + DAY, NOW - DAY, start, 9) == []
        confirmed = replace(placed(connection, vault, bob).placement, state=PlacementState.SET)
        ended = replace(placed(connection, vault, ana).placement, ended=Ended.CANCELLED)
        codes.rewish(connection, vault, bob.host, [confirmed])
        codes.rewish(connection, vault, ana.host, [ended])
        assert codes.unset_before(connection, NOW + DAY, NOW, start, 9) == []


def test_r24_arrivals_are_watched_when_it_is_time(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        assert len(codes.due_watches(connection, vault, NOW, 10)) == 2
        codes.set_watches(connection, {ana.placement: None, bob.placement: NOW + DAY})
        assert codes.due_watches(connection, vault, NOW, 10) == []
        assert next_due(connection).watch == NOW + DAY


def test_r43_the_arrivals_a_lock_threatens_are_its_own(database, vault, two):
    ana, _ = two
    with database.read() as connection:
        assert codes.threatened(connection, ana.lock, NOW + 2 * DAY) == [(ana.stay, WINDOW.starts)]
        assert codes.threatened(connection, ana.lock, NOW) == []


def test_r45_digits_are_erased_only_when_nothing_is_on_a_lock_any_more(database, vault, two):
    ana, bob = two
    later = WINDOW.ends + 40 * DAY
    with database.write() as connection:
        assert codes.erase_pins(connection, later, later, 10) == []
        gone = replace(placed(connection, vault, ana).placement, state=PlacementState.REMOVED)
        codes.rewish(connection, vault, ana.host, [gone])
        codes.note_gone(connection, [ana.code], WINDOW.ends + DAY)
        assert codes.erase_pins(connection, WINDOW.ends + DAY, later, 10) == []
        assert codes.erase_pins(connection, later, later, 10) == [ana.code]
        assert codes.by_ids(connection, vault, [ana.code])[ana.code].pin is None
        assert codes.by_ids(connection, vault, [bob.code])[bob.code].pin == Pin("4711")
        (kept,) = codes.all_placements_of(connection, vault, ana.host, [ana.code])
        assert (kept.placement.pin, kept.pin_index, kept.told_index) == (None, None, None)


def test_numbers_for_codes_are_reserved_without_gaps_that_collide(database, vault, two):
    with database.write() as connection:
        assert codes.reserve_ids(connection, 0) == []
        first = codes.reserve_ids(connection, 3)
        assert len(set(first)) == 3
        assert min(first) > two[1].code
