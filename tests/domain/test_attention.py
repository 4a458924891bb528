"""Which arrivals need a person, and the one thing that helps."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain import attention
from lockbridge.domain.attention import Arrival, Door, Help, Urgency, needs_attention, worst
from lockbridge.domain.code import Window
from lockbridge.domain.ids import LockId
from lockbridge.domain.seen import Kind
from lockbridge.domain.status import Status

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def door(status=Status.FAILED, *, opens=10 * HOUR, due=-HOUR, **facts) -> Door:
    window = Window(NOW + opens, NOW + opens + 48 * HOUR)
    return Door(lock=LockId(7), name="front", status=status, window=window, due_at=NOW + due, **facts)


def arrival(*doors: Door, opens=10 * HOUR, **facts) -> Arrival:
    return Arrival(opens_at=NOW + opens, doors=doors, **facts)


@pytest.mark.parametrize(
    ("facts", "helps"),
    [
        ({}, Help.TRY_AGAIN),
        ({"reason": "rejected"}, Help.TRY_AGAIN),
        ({"reason": "pin_refused"}, Help.REPLACE_CODE),
        ({"reason": "name_taken"}, Help.REPLACE_CODE),
        ({"offline": True}, Help.OPEN_LOCK),
        ({"full": True}, Help.OPEN_LOCK),
        ({"missing": True}, Help.OPEN_LOCK),
        ({"disconnected": True, "offline": True}, Help.RECONNECT),
        ({"backup_ready": True}, Help.TRY_AGAIN),
        ({"backup_ready": True, "opens": 2 * HOUR}, Help.GIVE_BACKUP),
        ({"backup_ready": True, "opens": 2 * HOUR, "disconnected": True}, Help.GIVE_BACKUP),
        ({"backup_ready": True, "opens": -HOUR, "reason": "pin_refused"}, Help.GIVE_BACKUP),
        ({"opens": -HOUR, "offline": True}, Help.OPEN_LOCK),
    ],
)
def test_a_code_that_a_lock_has_not_taken_is_helped_by_what_can_help_in_time(facts, helps):
    found = needs_attention(arrival(door(**facts)), NOW)
    assert found is not None
    assert (found.help, found.lock) == (helps, 7)


@pytest.mark.parametrize(
    ("found", "is_wrong"),
    [
        (door(Status.PENDING, due=-5 * MINUTE), False),
        (door(Status.PENDING, due=-5 * MINUTE, offline=True), True),
        (door(Status.PENDING, due=-20 * MINUTE), True),
        (door(Status.PENDING, due=HOUR, offline=True), False),
        (door(Status.PENDING, due=-MINUTE, opens=-MINUTE), True),
        (door(Status.BACKUP_GIVEN, opens=-HOUR), False),
        (door(Status.REMOVING, opens=-72 * HOUR, detail="the lock is offline"), True),
        (door(Status.REMOVING, opens=-72 * HOUR), False),
        (door(Status.REMOVING, opens=HOUR, detail="the stay was cancelled"), False),
        (door(Status.FAILED, opens=-72 * HOUR), False),
    ],
)
def test_a_code_has_a_moment_to_arrive_and_one_that_is_over_is_nobodys_worry(found, is_wrong):
    assert attention.is_wrong(found, NOW) is is_wrong


def test_a_stay_without_a_code_says_what_is_missing_and_where_to_mend_it():
    nowhere = needs_attention(arrival(has_code=False, property_known=False, trouble="its property is not known"), NOW)
    assert (nowhere.help, nowhere.lock) == (Help.NAME_PROPERTY, None)
    assert needs_attention(arrival(has_locks=False), NOW).help is Help.MATCH_LOCK
    troubled = needs_attention(arrival(has_code=False, trouble="no free PIN"), NOW)
    assert (troubled.help, troubled.words) == (Help.OPEN_STAY, "No code could be made: no free PIN.")
    disputed = needs_attention(arrival(disagreement="one says cancelled"), NOW)
    assert (disputed.help, disputed.words) == (
        Help.OPEN_STAY,
        "Two sources say different things: one says cancelled.",
    )


def test_a_lock_that_refuses_comes_before_sources_that_disagree():
    assert needs_attention(arrival(door(), disagreement="one says cancelled"), NOW).help is Help.TRY_AGAIN


@pytest.mark.parametrize(
    ("opens", "how"),
    [
        (-MINUTE, Urgency.NOW),
        (3 * HOUR, Urgency.SOON),
        (24 * HOUR, Urgency.TODAY),
        (25 * HOUR, Urgency.LATER),
    ],
)
def test_how_soon_somebody_should_look_is_when_the_guest_comes(opens, how):
    assert needs_attention(arrival(door(opens=opens), opens=opens), NOW).urgency is how


def test_a_stay_is_as_well_off_as_its_worst_lock():
    assert worst([Status.SET, Status.FAILED, Status.SCHEDULED]) is Status.FAILED
    assert worst([Status.SET, Status.REMOVED]) is Status.SET
    assert worst([]) is None
    assert set(attention.WORST) == set(Status)


hours = st.integers(-100, 100).map(lambda n: n * HOUR)
doors = st.builds(
    door,
    st.sampled_from(Status),
    opens=hours,
    due=hours,
    detail=st.sampled_from(["", "the lock app said no"]),
    reason=st.sampled_from(["", *map(str, Kind)]),
    backup_ready=st.booleans(),
    offline=st.booleans(),
    full=st.booleans(),
    missing=st.booleans(),
    disconnected=st.booleans(),
)


@given(st.lists(doors, max_size=4))
def test_a_stay_whose_codes_are_where_they_should_be_needs_nobody_and_any_other_gets_one_thing_that_helps(found):
    said = needs_attention(arrival(*found), NOW)
    wrong = [each for each in found if attention.is_wrong(each, NOW)]
    assert (said is None) == (not wrong)
    assert all(each.status not in {Status.SET, Status.SCHEDULED, Status.BACKUP_GIVEN} for each in wrong)
    assert said is None or (said.help is not Help.NOTHING and said.words.endswith("."))


@given(doors)
def test_a_backup_is_offered_only_where_one_is_ready_and_the_guest_is_near(found):
    if attention.help_at(found, NOW) is Help.GIVE_BACKUP:
        assert found.backup_ready
        assert found.window.starts <= NOW + attention.SOON
        assert found.status is not Status.REMOVING
