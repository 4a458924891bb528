from dataclasses import replace

import pytest

from lockbridge.domain.book import cancelled
from lockbridge.domain.placement import PlacementState
from lockbridge.domain.status import Status, shown
from tests.domain.model_lock import DAY, HOUR, NOW, placement


@pytest.mark.parametrize(
    ("state", "starts", "status"),
    [
        (PlacementState.MADE, 300, Status.PENDING),
        (PlacementState.MADE, -1, Status.PENDING),
        (PlacementState.ASKED, -1, Status.PENDING),
        (PlacementState.SET, 30, Status.SCHEDULED),
        (PlacementState.SET, 0, Status.SET),
        (PlacementState.SET, -1, Status.SET),
        (PlacementState.FAILED, -1, Status.FAILED),
        (PlacementState.NO_ROOM, 30, Status.FAILED),
        (PlacementState.SET, -300, Status.REMOVING),
        (PlacementState.REMOVING, -300, Status.REMOVING),
        (PlacementState.REMOVED, -300, Status.REMOVED),
    ],
)
def test_r39_each_placement_has_one_status(state, starts, status):
    assert shown(placement(1, starts=starts, state=state), NOW).status is status


def test_r39_a_code_not_yet_due_says_when_it_will_be():
    one = placement(1, starts=300)
    assert shown(one, NOW).next_at == one.push_at


def test_r39_a_failed_code_says_why_and_what_happens_next():
    one = placement(1, state=PlacementState.FAILED, detail="the lock said no", hold_until=NOW + HOUR)
    found = shown(one, NOW)
    assert (found.reason, found.next_at) == ("the lock said no", NOW + HOUR)


def test_r39_a_set_code_says_when_it_goes():
    one = placement(1, state=PlacementState.SET)
    assert shown(one, NOW).next_at == one.remove_at


def test_r39_a_backup_given_is_shown_while_the_code_itself_is_not_set():
    failed = placement(1, state=PlacementState.FAILED)
    assert shown(failed, NOW, backup_given=True).status is Status.BACKUP_GIVEN
    assert shown(replace(failed, state=PlacementState.SET), NOW, backup_given=True).status is Status.SET


def test_r30_and_r39_a_cancelled_code_in_its_24_hours_is_shown_as_going():
    found = shown(cancelled(placement(1, starts=60, state=PlacementState.SET), NOW), NOW)
    assert (found.status, found.next_at, found.reason) == (Status.REMOVING, NOW + DAY, "the stay was cancelled")
