from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.code import CodeSpec, Pin, Window
from tests.domain.model_lock import DAY, HOUR, NOW, placement

hours = st.integers(-100, 100)
lengths = st.none() | st.integers(1, 50)


def window(start, length):
    return Window(NOW + start * HOUR, None if length is None else NOW + (start + length) * HOUR)


@pytest.mark.parametrize("pin", ["0123", "7", "0000", "1234567890123456"])
def test_law_9_a_pin_is_digits_with_its_leading_zeros(pin):
    assert Pin(pin).digits == pin


@pytest.mark.parametrize("text", ["", "12a4", "12 4", "-123", "1" * 17, "\u0661\u0662", "\uff11\uff12", "12\n"])
def test_law_9_anything_else_is_refused_without_saying_it(text):
    with pytest.raises(ValueError, match="ASCII digits") as caught:
        Pin(text)
    assert not text.strip() or text not in str(caught.value)


@given(st.text("0123456789", min_size=4, max_size=16))
def test_law_9_a_pin_hides_itself_however_it_is_shown(digits):
    pin = Pin(digits)
    for text in (repr(pin), str(pin), f"{pin}", f"{pin:>20}", repr(CodeSpec(pin, "Guest", None)), repr([pin])):
        assert digits not in text
        assert [char for char in text if char.isdigit()] == list(digits[-2:])
    assert pin.masked.endswith(digits[-2:])


def test_law_9_of_a_short_pin_nothing_is_shown():
    assert str(Pin("123")) == "•••"


def test_law_9_a_placement_does_not_give_its_digits_away():
    assert "7001" not in repr(placement(1))


def test_pins_are_compared_and_used_as_keys():
    assert Pin("0123") == Pin("0123") != Pin("123")
    assert len({Pin("1"), Pin("1")}) == 1


@pytest.mark.parametrize("starts", [datetime(2026, 5, 1), datetime(2026, 5, 1, tzinfo=ZoneInfo("UTC"))])  # noqa: DTZ001 - that is the test
def test_law_3_a_window_is_two_utc_instants(starts):
    with pytest.raises(ValueError, match="UTC"):
        Window(starts, None)
    with pytest.raises(ValueError, match="UTC"):
        Window(datetime(2026, 1, 1, tzinfo=UTC), starts)


@pytest.mark.parametrize("length", [timedelta(0), -HOUR])
def test_a_window_ends_after_it_starts(length):
    with pytest.raises(ValueError, match="ends after it starts"):
        Window(NOW, NOW + length)


def test_a_window_holds_its_start_and_not_its_end():
    one = window(0, 2)
    assert one.holds(NOW)
    assert not one.holds(NOW - timedelta(seconds=1))
    assert not one.holds(NOW + 2 * HOUR)
    assert one.over(NOW + 2 * HOUR)
    assert not window(0, None).over(NOW + 9999 * DAY)


@given(hours, lengths, hours, lengths, hours)
def test_r10_windows_overlap_when_they_share_an_instant(start, length, other_start, other_length, at):
    one, other = window(start, length), window(other_start, other_length)
    instant = NOW + at * HOUR
    assert one.overlaps(other) == other.overlaps(one)
    if one.holds(instant) and other.holds(instant):
        assert one.overlaps(other)
    later = max(one.starts, other.starts)
    assert one.overlaps(other) == (one.holds(later) and other.holds(later))


def test_r10_the_deletion_delay_counts():
    one, next_day = window(0, 24), window(24 + 23, 24)
    assert not one.overlaps(next_day)
    assert one.overlaps(next_day, margin=DAY)
    assert next_day.overlaps(one, margin=DAY)
    assert not one.overlaps(window(48, 24), margin=DAY)
