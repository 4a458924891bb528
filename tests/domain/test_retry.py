from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.retry import (
    ATTEMPTS_A_DAY,
    LEAST,
    STEPS,
    healthcheck_slot,
    look_again,
    next_attempt,
    next_healthcheck,
    wait_for,
)
from lockbridge.domain.stay import to_local

NOW = datetime(2026, 5, 1, 14, tzinfo=UTC)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


def utc(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def attempts(first, opens_at, count=ATTEMPTS_A_DAY):
    """The instants of the first attempts when each fails at once."""
    times = [first]
    while len(times) < count:
        times.append(next_attempt(len(times), times[-1], opens_at))
    return times


@pytest.mark.parametrize(
    ("after", "check"),
    [
        ("2026-03-07 00:00", "2026-03-07 13:00"),
        ("2026-03-07 13:00", "2026-03-08 12:00"),
        ("2026-03-08 12:00", "2026-03-09 12:00"),
        ("2026-10-31 11:59", "2026-10-31 12:00"),
        ("2026-10-31 12:00", "2026-11-01 13:00"),
        ("2026-11-01 03:00", "2026-11-01 13:00"),
    ],
)
def test_r23_the_check_is_at_eight_in_new_york_in_summer_and_winter(after, check):
    found = next_healthcheck(utc(after))
    assert found == utc(check)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("now", "slot"),
    [
        ("2026-03-08 11:59", "2026-03-07 13:00"),
        ("2026-03-08 12:00", "2026-03-08 12:00"),
        ("2026-11-01 12:59", "2026-10-31 12:00"),
        ("2026-11-01 13:00", "2026-11-01 13:00"),
        ("2026-11-02 02:00", "2026-11-01 13:00"),
    ],
)
def test_r23_a_check_that_was_missed_is_the_last_one_due(now, slot):
    assert healthcheck_slot(utc(now)) == utc(slot)


@given(instants)
def test_r23_there_is_one_check_a_day_and_no_gap_between_them(now):
    last, coming = healthcheck_slot(now), next_healthcheck(now)
    assert last <= now < coming
    assert next_healthcheck(last) == coming
    assert healthcheck_slot(coming) == coming
    assert timedelta(hours=23) <= coming - last <= timedelta(hours=25)
    assert to_local(coming, "America/New_York").hour == 8


@pytest.mark.parametrize("opens_at", [None, NOW + timedelta(days=3), NOW + timedelta(hours=8, minutes=36)])
def test_r21_four_more_attempts_follow_their_steps_when_there_is_time(opens_at):
    found = attempts(NOW, opens_at)
    assert [later - earlier for earlier, later in pairwise(found)] == list(STEPS)


def test_r21_attempts_are_compressed_when_the_window_opens_sooner():
    found = attempts(NOW, NOW + timedelta(minutes=10))
    assert found == [NOW + timedelta(minutes=2) * number for number in range(5)]


def test_r21_compressed_attempts_are_never_further_apart_than_their_steps():
    found = attempts(NOW, NOW + timedelta(hours=3))
    assert [at - NOW for at in found[1:3]] == [timedelta(minutes=5), timedelta(minutes=35)]
    assert found[-1] < NOW + timedelta(hours=3)


@pytest.mark.parametrize("opens_in", [timedelta(0), timedelta(days=-1), timedelta(seconds=40)])
def test_r21_an_open_window_is_tried_every_thirty_seconds(opens_in):
    assert attempts(NOW, NOW + opens_in) == [NOW + LEAST * number for number in range(5)]


@pytest.mark.parametrize("failures", [5, 6, 400])
def test_r21_from_the_fifth_failure_on_it_is_tried_with_the_daily_check(failures):
    assert next_attempt(failures, NOW, NOW) == utc("2026-05-02 12:00")


def test_r21_a_failure_just_before_the_check_still_leaves_thirty_seconds():
    failed_at = utc("2026-05-02 12:00") - timedelta(seconds=10)
    assert next_attempt(5, failed_at, None) == failed_at + LEAST


def test_r21_there_is_no_next_attempt_without_a_failure():
    with pytest.raises(ValueError, match="before the first failure"):
        next_attempt(0, NOW, None)


offsets = st.none() | st.timedeltas(timedelta(days=-2), timedelta(days=5))


@given(instants, offsets)
def test_r21_attempts_are_at_least_thirty_seconds_apart_and_the_five_lie_within_a_day(first, offset):
    found = attempts(first, None if offset is None else first + offset, count=8)
    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert min(gaps) >= LEAST
    assert all(gap <= step for gap, step in zip(gaps, STEPS, strict=False))
    assert found[4] - first <= timedelta(hours=24)
    if offset is not None and offset >= LEAST * 5:
        assert found[4] < first + max(offset, sum(STEPS, timedelta(seconds=1)))
        assert offset >= sum(STEPS, timedelta(0)) or found[4] < first + offset


@given(st.integers(1, 10), instants, st.timedeltas(timedelta(0), timedelta(days=2)), offsets)
def test_r21_a_later_failure_is_never_followed_by_an_earlier_attempt(failures, failed_at, later, offset):
    opens_at = None if offset is None else failed_at + offset
    first = next_attempt(failures, failed_at, opens_at)
    second = next_attempt(failures, failed_at + later, opens_at)
    assert second >= min(first, failed_at + later + LEAST)
    assert second > failed_at + later


def test_r22_waits_double_up_to_a_quarter_of_an_hour():
    found = [wait_for(waits, None).total_seconds() for waits in range(7)]
    assert found == [30, 60, 120, 240, 480, 900, 900]


@pytest.mark.parametrize("waits", [64, 10_000, 10**12])
def test_r22_a_long_outage_never_overflows_the_wait(waits):
    assert wait_for(waits, None) == timedelta(minutes=15)


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (timedelta(seconds=7), timedelta(seconds=7)),
        (timedelta(hours=2), timedelta(hours=2)),
        (timedelta(0), timedelta(seconds=1)),
        (timedelta(seconds=-5), timedelta(seconds=1)),
        (timedelta(days=4000), timedelta(days=1)),
    ],
)
def test_r22_what_the_lock_app_asks_for_wins_within_reason(asked, granted):
    assert wait_for(9, asked) == granted


def test_r22_looks_come_quickly_then_every_quarter_of_an_hour():
    found = [look_again(looks).total_seconds() for looks in range(10)]
    assert found == [5, 15, 30, 60, 120, 300, 600, 900, 900, 900]


def test_r22_a_count_below_zero_begins_at_the_beginning():
    assert look_again(-1) == timedelta(seconds=5)
    assert wait_for(-1, None) == timedelta(seconds=30)
