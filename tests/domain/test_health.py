from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.book import cancelled
from lockbridge.domain.code import Window
from lockbridge.domain.health import (
    GRACE,
    Check,
    Verdict,
    concerns_daily_check,
    first_watch,
    next_watch,
    verdict,
    which,
)
from lockbridge.domain.placement import PlacementState
from tests.domain.model_lock import DAY, HOUR, NOW, SLOTS, placement

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("starts", "concerned"), [(-300, False), (-49, False), (-1, True), (0, True), (24, True), (24.1, False)]
)
def test_r23_the_daily_check_looks_after_what_is_open_or_opens_within_24_hours(starts, concerned):
    assert concerns_daily_check(placement(1, starts=starts), NOW) == concerned


def test_r23_what_is_confirmed_cancelled_or_gone_concerns_it_not():
    one = placement(1)
    assert not concerns_daily_check(replace(one, state=PlacementState.SET), NOW)
    assert not concerns_daily_check(replace(one, state=PlacementState.REMOVED), NOW)
    assert not concerns_daily_check(cancelled(one, NOW), NOW)


def test_r23_a_code_whose_lead_time_has_not_begun_is_not_a_failure():
    one = placement(1, starts=2, capabilities=SLOTS)
    assert not concerns_daily_check(one, NOW)
    assert verdict(Check.SOON, one, backups_on=True, backup_ready=True) is Verdict.WAIT
    assert concerns_daily_check(one, one.push_at)
    assert verdict(Check.FINAL, one, backups_on=True, backup_ready=True) is Verdict.GIVE_BACKUP


@pytest.mark.parametrize("check", [Check.DAILY, Check.FINAL])
@pytest.mark.parametrize(
    ("on", "ready", "done"),
    [
        (True, True, Verdict.GIVE_BACKUP),
        (True, False, Verdict.TELL_HOST),
        (False, True, Verdict.TELL_HOST),
        (False, False, Verdict.TELL_HOST),
    ],
)
def test_r23_and_r24_an_unset_code_is_made_up_for_by_a_backup_else_the_host_is_told(check, on, ready, done):
    assert verdict(check, placement(1), backups_on=on, backup_ready=ready) is done


def test_r43_a_day_before_an_attempt_is_enough_three_hours_before_the_host_is_told():
    one = placement(1, starts=2)
    assert verdict(Check.AHEAD, one, backups_on=True, backup_ready=True) is Verdict.WAIT
    assert verdict(Check.SOON, one, backups_on=True, backup_ready=True) is Verdict.TELL_HOST


@pytest.mark.parametrize("check", list(Check))
def test_r23_a_code_that_is_set_or_no_longer_wanted_is_fine(check):
    for one in (placement(1, state=PlacementState.SET), cancelled(placement(1), NOW)):
        assert verdict(check, one, backups_on=True, backup_ready=True) is Verdict.FINE


@pytest.mark.parametrize(
    ("ahead", "check"),
    [(30, Check.AHEAD), (24, Check.AHEAD), (3.1, Check.AHEAD), (3, Check.SOON), (1, Check.SOON), (0, Check.FINAL)],
)
def test_r43_which_look_at_an_arrival_it_is(ahead, check):
    assert which(placement(1, starts=ahead), NOW) is check


def test_r43_and_r24_an_arrival_is_looked_at_24_hours_and_3_hours_before_and_when_it_opens():
    window = Window(NOW + 2 * DAY, NOW + 5 * DAY)
    moments, at = [], NOW
    while (at := next_watch(window, window.starts, at)) is not None:
        moments.append(window.starts - at)
    assert moments == [DAY, 3 * HOUR, timedelta(0)]


def test_r24_the_final_check_can_leave_the_buffer_out():
    window = Window(NOW + HOUR, NOW + 2 * DAY)
    assert next_watch(window, NOW + 2 * HOUR, NOW) == NOW + 2 * HOUR


def test_r24_a_code_made_or_lost_while_its_window_is_open_is_looked_at_after_a_short_grace():
    window = Window(NOW - HOUR, NOW + DAY)
    assert first_watch(window, window.starts, NOW) == NOW + GRACE
    assert first_watch(window, NOW + SECOND, NOW) == NOW + GRACE
    assert first_watch(window, window.starts, NOW + DAY) is None


@given(st.integers(-100, 100), st.integers(1, 100), st.integers(0, 12))
def test_r24_every_code_whose_window_is_not_over_gets_a_final_look(starts, lasts, buffer):
    window = Window(NOW + starts * HOUR, NOW + (starts + lasts) * HOUR)
    opens = window.starts + buffer * HOUR
    at, looks = first_watch(window, opens, NOW), []
    while at is not None:
        looks.append(at)
        at = next_watch(window, opens, at)
    assert looks == sorted(set(looks))
    assert all(look > NOW for look in looks)
    if window.over(NOW):
        assert not looks
    else:
        assert looks[-1] >= opens
        assert len(looks) <= 4
