from dataclasses import replace

import pytest

from lockbridge.domain.backup import POOL, Backup, given_until, pick, shortage
from lockbridge.domain.book import ended
from lockbridge.domain.ids import CodeId, StayId
from lockbridge.domain.placement import Ended, PlacementState, spec_for
from tests.domain.model_lock import DAY, HOUR, NOW, SYNC, Desk, ModelLock, backup, placement


def spare(number=90, state=PlacementState.SET, given_to=None, **changes):
    one = backup(number, state=state, confirmed_at=NOW - DAY, **changes)
    return Backup(CodeId(number), one, given_to and StayId(given_to))


def test_r25_two_backups_are_kept_on_each_lock():
    assert POOL == 2
    assert shortage([], POOL) == 2
    assert shortage([spare(1)], POOL) == 1
    assert shortage([spare(1), spare(2), spare(3)], POOL) == 0


def test_r25_a_backup_that_is_given_gone_or_going_is_renewed():
    pool = [
        spare(1, given_to=5),
        spare(2, PlacementState.REMOVED),
        replace(spare(3), placement=ended(spare(3).placement, Ended.UNMATCHED, NOW)),
        spare(4, PlacementState.MADE),
    ]
    assert shortage(pool, POOL) == 1


def test_r25_a_backup_is_never_given_to_two_stays():
    pool = [spare(1, given_to=5), spare(2)]
    assert pick(pool, StayId(6)).code == 2
    assert pick(pool[:1], StayId(6)) is None


def test_r25_a_stay_keeps_the_one_it_has_while_it_lives():
    pool = [spare(1), spare(2, given_to=5)]
    assert pick(pool, StayId(5)).code == 2
    gone = spare(2, PlacementState.REMOVED, given_to=5)
    assert pick([pool[0], gone], StayId(5)).code == 1


def test_r25_the_one_longest_on_the_lock_goes_first():
    pool = [spare(1, made_at=NOW), spare(2, made_at=NOW - DAY), spare(3, made_at=NOW - DAY)]
    assert pick(pool, StayId(6)).code == 2


@pytest.mark.parametrize("state", [state for state in PlacementState if state is not PlacementState.SET])
def test_r25_only_one_that_is_on_the_lock_as_far_as_is_known_is_given(state):
    assert pick([spare(1, state)], StayId(6)) is None


def test_r25_one_that_is_about_to_be_taken_off_is_not_given():
    going = replace(spare(1), placement=ended(spare(1).placement, Ended.UNMATCHED, NOW + DAY))
    assert pick([going], StayId(6)) is None


def test_r25_a_lock_that_cannot_be_reached_still_has_its_backups():
    waiting = spare(1, hold_until=NOW + HOUR, reason="unreachable", waits=9)
    assert pick([waiting], StayId(6)) is waiting


def test_r25_a_given_backup_works_until_the_stay_ends_and_is_then_deleted():
    lock = ModelLock(SYNC)
    desk = Desk(lock, [backup(), placement(1)])
    desk.work(NOW)
    ends = desk[1].window.ends
    desk.add(given_until(desk[90], ends))
    lock.on_call = lambda at: lock.opens(desk[90].pin, at) or pytest.fail("the guest stands before the door")
    desk.work(NOW + HOUR)
    assert desk[90].confirmed
    assert desk[90].asked == spec_for(desk[90], SYNC)
    lock.on_call = None
    desk.work(NOW + HOUR, ends)
    assert not desk[90].live
    assert not lock.opens(desk[90].pin, ends)
