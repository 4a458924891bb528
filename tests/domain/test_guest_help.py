"""A guest before a closed door: each press leads one step further, and the last is always somebody to call."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.code import Window
from lockbridge.domain.guest_help import (
    GOODBYE,
    MEMORY,
    SAME_PRESS,
    AtDoor,
    Phase,
    Step,
    lately,
    needs_look,
    next_step,
    phase,
    same_press,
    shows_digits,
)

OPENS = datetime(2026, 6, 14, 20, tzinfo=UTC)
CLOSES = datetime(2026, 6, 16, 15, tzinfo=UTC)
WINDOW = Window(OPENS, CLOSES)
NOW = OPENS + timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
instants = st.datetimes(datetime(2026, 6, 10), datetime(2026, 6, 20), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds it


def at_door(**known) -> AtDoor:
    usual = {
        "window": WINDOW,
        "mine": True,
        "others": False,
        "confirmed": True,
        "online": True,
        "backup_given": False,
        "backup_ready": True,
        "may_open": True,
    }
    return AtDoor(**(usual | known))


doors = st.builds(
    at_door,
    mine=st.booleans(),
    others=st.booleans(),
    confirmed=st.booleans(),
    online=st.booleans(),
    backup_given=st.booleans(),
    backup_ready=st.booleans(),
    may_open=st.booleans(),
    taken=st.lists(st.sampled_from(Step)),
)


def ladder(**known) -> list[Step]:
    """The steps until somebody is to be called; a backup that was given stays given."""
    steps: list[Step] = []
    while Step.CALL not in steps:
        given = known.get("backup_given", False) or Step.BACKUP in steps
        steps.append(next_step(at_door(**(known | {"backup_given": given, "taken": steps})), NOW))
        assert len(steps) < 10, steps
    return steps


def test_the_whole_ladder_at_a_lock_that_holds_the_code():
    assert ladder() == [Step.TYPE_AGAIN, Step.BACKUP, Step.OPEN, Step.CALL]


def test_a_code_that_is_not_on_the_lock_is_waited_for_once():
    assert ladder(confirmed=False) == [Step.WAIT, Step.BACKUP, Step.OPEN, Step.CALL]


def test_nobody_waits_for_a_lock_that_cannot_be_reached_and_nobody_asks_it_to_open():
    assert ladder(confirmed=False, online=False) == [Step.BACKUP, Step.CALL]


def test_a_backup_that_was_given_before_is_to_be_typed_first():
    assert ladder(confirmed=False, backup_given=True) == [Step.TYPE_AGAIN, Step.OPEN, Step.CALL]


def test_where_there_is_no_backup_and_no_opening_somebody_is_called():
    assert ladder(backup_ready=False, may_open=False) == [Step.TYPE_AGAIN, Step.CALL]


def test_at_another_door_the_guest_is_told_which_is_theirs_and_then_whom_to_call():
    assert ladder(mine=False, others=True) == [Step.WRONG_DOOR, Step.CALL]
    assert ladder(mine=False, others=False) == [Step.CALL]


@given(door=doors, now=instants)
def test_the_time_is_looked_at_first(door, now):
    step = next_step(door, now)
    assert (step is Step.OVER) == (now >= CLOSES)
    assert (step is Step.TOO_EARLY) == (now < OPENS)


@given(door=doors, now=instants)
def test_r25_no_second_backup_and_none_that_is_not_there(door, now):
    if next_step(door, now) is Step.BACKUP:
        assert door.backup_ready
        assert not door.backup_given


@given(door=doors, now=instants)
def test_the_door_is_opened_only_within_the_stay_where_the_host_allows_it_and_it_is_the_guests(door, now):
    if next_step(door, now) is Step.OPEN:
        assert door.may_open
        assert door.mine
        assert WINDOW.holds(now)


@given(door=doors, now=instants)
def test_a_lock_is_looked_at_only_within_the_stay_and_when_it_is_the_guests(door, now):
    assert not needs_look(door, now) or (door.mine and WINDOW.holds(now))


@given(
    known=st.fixed_dictionaries(
        {
            key: st.booleans()
            for key in ("mine", "others", "confirmed", "online", "backup_given", "backup_ready", "may_open")
        }
    )
)
def test_every_way_within_the_stay_ends_with_somebody_to_call_and_repeats_no_step(known):
    steps = ladder(**known)
    assert steps[-1] is Step.CALL
    assert len(set(steps)) == len(steps)


@given(shown_from=instants, now=instants, on_lock=st.booleans())
def test_r35_digits_are_seen_in_their_time_and_when_they_are_on_the_lock(shown_from, now, on_lock):
    if shows_digits(WINDOW, shown_from, now, on_lock=on_lock):
        assert on_lock
        assert now < CLOSES
        assert now >= min(shown_from, OPENS)
    elif on_lock:
        assert now >= CLOSES or now < min(shown_from, OPENS)


def test_the_page_before_during_and_after():
    at = {
        OPENS - SECOND: Phase.COMING,
        OPENS: Phase.HERE,
        CLOSES - SECOND: Phase.HERE,
        CLOSES: Phase.LEAVING,
        CLOSES + GOODBYE - SECOND: Phase.LEAVING,
        CLOSES + GOODBYE: Phase.OVER,
    }
    assert {now: phase(WINDOW, now) for now in at} == at


def test_steps_count_until_a_long_pause():
    old, first, second = NOW - 3 * MEMORY, NOW - MEMORY, NOW - MINUTE
    taken = [(old, Step.CALL), (first, Step.TYPE_AGAIN), (second, Step.BACKUP)]
    assert lately(taken, NOW) == taken[1:], "the pause before these was an hour, not longer"
    assert lately(taken, second + MEMORY + SECOND) == []
    assert lately([], NOW) == []


def test_two_presses_at_once_are_one():
    taken = [(NOW, Step.TYPE_AGAIN)]
    assert same_press(taken, NOW + SAME_PRESS - SECOND)
    assert not same_press(taken, NOW + SAME_PRESS)
    assert not same_press([], NOW)
