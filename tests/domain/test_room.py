"""When a lock will be full (R26)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.code import CodeKind, Window
from lockbridge.domain.ids import CodeId, CodeRef, LockId, PlacementId
from lockbridge.domain.placement import Placement, PlacementState
from lockbridge.domain.room import forecast, occupied

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hour):
    return NOW + hour * HOUR


windows = st.builds(
    lambda start, length: Window(at(start), None if length == 0 else at(start + length)),
    st.integers(-50, 200),
    st.integers(0, 60),
)
slots = st.lists(windows, max_size=30)


def held_at(found, always, instant):
    return always + sum(window.holds(instant) for window in found)


def instants(found):
    return sorted({NOW, *(window.starts for window in found if window.starts > NOW)})


@given(slots, st.integers(0, 5), st.integers(1, 12))
def test_the_forecast_is_what_counting_at_every_instant_gives(found, always, room):
    told = forecast(found, always, room, NOW)
    counts = {instant: held_at(found, always, instant) for instant in instants(found)}
    assert told.now_held == counts[NOW]
    assert told.peak == max(counts.values())
    assert held_at(found, always, told.peak_at) == told.peak
    assert told.full_at == next((instant for instant, count in counts.items() if count >= room), None)
    assert told.waiting == max(0, told.peak - room)


@given(slots, windows, st.integers(0, 5), st.integers(1, 12))
def test_one_more_code_never_makes_room(found, another, always, room):
    before, after = forecast(found, always, room, NOW), forecast([*found, another], always, room, NOW)
    assert before.peak <= after.peak <= before.peak + 1
    assert before.full_at is None or (after.full_at is not None and after.full_at <= before.full_at)


@given(slots, st.randoms(use_true_random=False), st.integers(0, 5), st.integers(1, 12))
def test_the_order_does_not_matter(found, dice, always, room):
    mixed = list(found)
    dice.shuffle(mixed)
    assert forecast(mixed, always, room, NOW) == forecast(found, always, room, NOW)


def test_a_code_that_leaves_as_another_comes_takes_no_second_slot():
    told = forecast([Window(at(0), at(10)), Window(at(10), at(20))], 0, 2, NOW)
    assert (told.peak, told.full_at) == (1, None)


def test_a_lock_without_slots_is_full_at_once():
    told = forecast([], 0, 0, NOW)
    assert (told.now_held, told.full_at, told.waiting) == (0, NOW, 0)


def placement(**facts):
    window = Window(at(72), at(120))
    given_ = {"push_at": at(24), "remove_at": at(144), **facts}
    return Placement(
        id=PlacementId(1),
        code=CodeId(1),
        lock=LockId(1),
        kind=CodeKind.GUEST,
        pin=None,
        name="",
        window=window,
        made_at=NOW,
        **given_,
    )


def test_a_code_takes_its_slot_from_when_it_is_pushed_until_it_is_taken_off():
    assert occupied(placement(), NOW) == Window(at(24), at(144))
    assert occupied(placement(ref=CodeRef("c1")), NOW) == Window(NOW, at(144))
    assert occupied(placement(remove_at=None), NOW) == Window(at(24), None)


def test_a_code_that_is_gone_or_never_comes_takes_none():
    assert occupied(placement(state=PlacementState.REMOVED), NOW) is None
    assert occupied(placement(remove_at=at(-1), ref=CodeRef("c1")), NOW) is None
    assert occupied(placement(remove_at=at(12)), NOW) is None
