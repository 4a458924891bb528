from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockbridge.domain.code import Window
from lockbridge.domain.ids import StayId
from lockbridge.domain.lock import Rounding
from lockbridge.domain.stay import (
    Buffers,
    GuestIdentity,
    StaySpan,
    access_window,
    chain_window,
    chains,
    known_zone,
    push_time,
    removal_after_cancellation,
    removal_time,
    rounded,
    same_guest,
    to_local,
    to_utc,
)

ZONES = sorted(zone for zone in available_timezones() if "/" in zone)
NEW_YORK = "America/New_York"
HOUR = timedelta(hours=1)


def utc(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def local(text):
    wall = datetime.strptime(text, "%Y-%m-%d %H:%M")  # noqa: DTZ007 - a wall time of the zone beside it
    return wall.date(), wall.time()


def window(starts="2026-05-01 14:00", ends="2026-05-04 15:00"):
    return Window(utc(starts), None if ends is None else utc(ends))


@pytest.mark.parametrize(
    ("zone", "wall", "start", "end"),
    [
        ("America/New_York", "2026-03-08 02:30", "2026-03-08 07:30", "2026-03-08 07:30"),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01 05:30", "2026-11-01 06:30"),
        ("Europe/London", "2026-03-29 01:30", "2026-03-29 01:30", "2026-03-29 01:30"),
        ("Europe/Paris", "2026-10-25 02:30", "2026-10-25 00:30", "2026-10-25 01:30"),
        ("America/Havana", "2026-03-08 00:00", "2026-03-08 05:00", "2026-03-08 05:00"),
        ("America/Santiago", "2026-09-06 00:00", "2026-09-06 04:00", "2026-09-06 04:00"),
        ("Africa/Cairo", "2026-04-24 00:00", "2026-04-23 22:00", "2026-04-23 22:00"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:45", "2026-10-03 15:45"),
        ("Antarctica/Troll", "2026-03-29 01:30", "2026-03-29 01:30", "2026-03-29 01:30"),
        ("Pacific/Apia", "2011-12-30 15:00", "2011-12-31 01:00", "2011-12-31 01:00"),
        ("America/Phoenix", "2026-03-08 02:30", "2026-03-08 09:30", "2026-03-08 09:30"),
        ("Pacific/Honolulu", "2026-03-08 02:30", "2026-03-08 12:30", "2026-03-08 12:30"),
        ("Asia/Kathmandu", "2026-03-08 15:00", "2026-03-08 09:15", "2026-03-08 09:15"),
    ],
)
def test_r16_gaps_move_forward_and_ambiguous_times_favour_the_guest(zone, wall, start, end):
    day, at = local(wall)
    assert to_utc(day, at, zone) == utc(start)
    assert to_utc(day, at, zone, end=True) == utc(end)
    assert to_utc(day, at, zone).tzinfo is UTC


@pytest.mark.parametrize("day", [date.min, date(1969, 12, 31), date(9000, 1, 1), date.max])
def test_r16_dates_nobody_stays_on_are_refused(day):
    with pytest.raises(ValueError, match="not a date somebody stays on"):
        to_utc(day, time(12), NEW_YORK)


def test_r16_an_instant_is_shown_on_the_propertys_clock():
    shown = to_local(utc("2026-03-08 07:30"), NEW_YORK)
    assert f"{shown:%Y-%m-%d %H:%M %Z}" == "2026-03-08 03:30 EDT"


@pytest.mark.parametrize("name", ["Europe/Paris", "UTC", "America/Argentina/Buenos_Aires"])
def test_r16_iana_zones_are_known(name):
    assert known_zone(name)


@pytest.mark.parametrize(
    "name", ["", "Mars/Phobos", "America", "../etc/passwd", "/etc/passwd", "-0700", "a\0b", "x" * 999]
)
def test_r16_anything_else_is_not_a_zone(name):
    assert not known_zone(name)


def test_r16_the_window_runs_from_check_in_to_check_out_in_the_propertys_zone():
    found = access_window(date(2026, 3, 7), time(16), date(2026, 3, 9), time(11), NEW_YORK, Buffers())
    assert found == window("2026-03-07 21:00", "2026-03-09 15:00")


def test_r16_buffers_stretch_the_window_by_real_time_across_a_change_of_clocks():
    buffers = Buffers(before=10 * HOUR, after=timedelta(minutes=30))
    found = access_window(date(2026, 3, 8), time(8), date(2026, 3, 9), time(11), NEW_YORK, buffers)
    assert found == window("2026-03-08 02:00", "2026-03-09 15:30")


@pytest.mark.parametrize(
    ("departure", "check_out"),
    [(date(2026, 5, 1), time(16)), (date(2026, 5, 1), time(11)), (date(2026, 4, 30), time(18))],
)
def test_r16_a_check_out_not_after_the_check_in_is_refused_in_plain_words(departure, check_out):
    with pytest.raises(ValueError, match="is not after the check-in"):
        access_window(date(2026, 5, 1), time(16), departure, check_out, NEW_YORK, Buffers(after=99 * HOUR))


def test_r16_the_hour_that_comes_twice_does_not_make_a_stay_of_no_length():
    day = date(2026, 11, 1)
    with pytest.raises(ValueError, match="is not after the check-in"):
        access_window(day, time(1, 30), day, time(1, 30), NEW_YORK, Buffers())


def test_r16_the_hour_that_is_skipped_does_not_make_a_stay_of_no_length():
    day = date(2026, 3, 8)
    with pytest.raises(ValueError, match="is not after the check-in"):
        access_window(day, time(2, 30), day, time(3, 15), NEW_YORK, Buffers())


@pytest.mark.parametrize("wrong", [{"before": -HOUR}, {"after": -HOUR}])
def test_r16_a_buffer_cannot_be_negative(wrong):
    with pytest.raises(ValueError, match="negative"):
        Buffers(**wrong)


@settings(deadline=None)  # the first time in a zone reads its rules from disk
@given(
    st.sampled_from(ZONES),
    st.dates(date(2000, 1, 1), date(2037, 12, 28)),
    st.integers(2, 30),
    st.times(),
    st.times(),
    st.integers(0, 48),
    st.integers(0, 48),
)
def test_r16_the_window_holds_every_minute_of_the_stay(zone, arrival, nights, check_in, check_out, before, after):
    departure = arrival + timedelta(days=nights)
    buffers = Buffers(before * HOUR, after * HOUR)
    found = access_window(arrival, check_in, departure, check_out, zone, buffers)
    for fold in (0, 1):
        start = datetime.combine(arrival, check_in.replace(fold=fold))
        end = datetime.combine(departure, check_out.replace(fold=fold))
        first, last = to_local(found.starts + buffers.before, zone), to_local(found.ends - buffers.after, zone)
        assert found.starts.tzinfo is found.ends.tzinfo is UTC
        assert first.replace(tzinfo=None, fold=fold) >= start
        assert last.replace(tzinfo=None, fold=fold) >= end
    assert found.starts <= to_utc(arrival, check_in, zone, end=True) - buffers.before
    assert found.ends >= to_utc(departure, check_out, zone) + buffers.after


@pytest.mark.parametrize(
    ("lead", "made_at", "due"),
    [
        (timedelta(days=3), "2026-04-01 00:00", "2026-04-28 14:00"),
        (timedelta(minutes=10), "2026-04-01 00:00", "2026-05-01 13:50"),
        (timedelta(days=3), "2026-04-30 09:00", "2026-04-30 09:00"),
        (timedelta(days=3), "2026-05-02 09:00", "2026-05-02 09:00"),
    ],
)
def test_r17_a_code_is_due_its_lead_time_before_the_window_and_at_once_inside_it(lead, made_at, due):
    assert push_time(window(), lead, utc(made_at)) == utc(due)


@pytest.mark.parametrize(
    ("rounding", "starts", "ends"),
    [
        (Rounding.NONE, "2026-05-01 14:20", "2026-05-04 15:40"),
        (Rounding.MINUTE, "2026-05-01 14:20", "2026-05-04 15:40"),
        (Rounding.HOUR, "2026-05-01 14:00", "2026-05-04 16:00"),
        (Rounding.DAY, "2026-05-01 14:00", "2026-05-05 14:00"),
    ],
)
def test_r18_windows_are_rounded_outwards(rounding, starts, ends):
    assert rounded(window("2026-05-01 14:20", "2026-05-04 15:40"), rounding) == window(starts, ends)


def test_r18_a_window_that_fits_already_stays_as_it_is():
    fits = window("2026-05-01 14:00", "2026-05-04 14:00")
    assert {rounded(fits, rounding) for rounding in Rounding} == {fits}


def test_r18_seconds_are_rounded_outwards_to_the_minute():
    odd = Window(utc("2026-05-01 14:20").replace(second=1), utc("2026-05-04 15:40").replace(microsecond=1))
    assert rounded(odd, Rounding.MINUTE) == window("2026-05-01 14:20", "2026-05-04 15:41")


def test_r18_a_window_without_end_stays_without_end():
    assert rounded(window("2026-05-01 14:20", None), Rounding.DAY) == window("2026-05-01 14:00", None)


instants = st.datetimes(datetime(1960, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive
lengths = st.timedeltas(timedelta(microseconds=1), timedelta(days=60))


@given(instants, lengths, st.sampled_from(Rounding))
def test_r18_a_rounded_window_contains_the_window_and_not_much_more(starts, length, rounding):
    given_window = Window(starts, starts + length)
    found = rounded(given_window, rounding)
    assert found.starts <= given_window.starts
    assert found.ends >= given_window.ends
    assert given_window.starts - found.starts < HOUR
    assert found.ends - given_window.ends < timedelta(days=1)
    assert rounded(found, rounding) == found
    if rounding is Rounding.DAY:
        assert found.starts.time() == found.ends.time()


def test_r29_a_finished_code_goes_24_hours_after_its_window_closed():
    assert removal_time(window(), keeps_windows=True) == utc("2026-05-05 15:00")


def test_r29_a_lock_without_a_clock_loses_the_code_as_the_window_closes():
    assert removal_time(window(), keeps_windows=False) == utc("2026-05-04 15:00")


@pytest.mark.parametrize("keeps_windows", [True, False])
def test_r29_a_code_without_end_is_never_due_for_removal(keeps_windows):
    assert removal_time(window(ends=None), keeps_windows=keeps_windows) is None


@pytest.mark.parametrize(
    ("cancelled", "removed"),
    [
        ("2026-04-01 10:00", "2026-04-02 10:00"),
        ("2026-04-30 13:59", "2026-05-01 13:59"),
        ("2026-04-30 14:00", "2026-04-30 14:00"),
        ("2026-04-30 20:00", "2026-04-30 20:00"),
        ("2026-05-02 20:00", "2026-05-02 20:00"),
        ("2026-05-09 20:00", "2026-05-09 20:00"),
    ],
)
def test_r30_a_cancelled_code_goes_after_24_hours_but_at_once_if_it_would_work_by_then(cancelled, removed):
    assert removal_after_cancellation(window(), utc(cancelled)) == utc(removed)


ADA = GuestIdentity("+1 415 555 0123", "ada@guest.example", "airbnb:77")
BOB = GuestIdentity("+1 415 555 0199", "bob@guest.example", "airbnb:78")


def span(number, arrival, departure, guest=ADA):
    starts, ends = datetime(2026, 5, arrival, 20, tzinfo=UTC), datetime(2026, 5, departure, 15, tzinfo=UTC)
    return StaySpan(StayId(number), date(2026, 5, arrival), date(2026, 5, departure), guest, Window(starts, ends))


def numbers(found):
    return [[one.stay for one in chain] for chain in found]


@pytest.mark.parametrize(
    "other",
    [
        GuestIdentity("1 (415) 555-0123", None, None),
        GuestIdentity(None, " ADA@guest.EXAMPLE", None),
        GuestIdentity("+1 415 555 0100", "other@guest.example", "airbnb:77"),
    ],
)
def test_r44_guests_are_the_same_by_phone_mail_or_platform_id(other):
    assert same_guest(ADA, other)
    assert same_guest(other, ADA)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ADA, BOB),
        (GuestIdentity(None, None, None), GuestIdentity(None, None, None)),
        (GuestIdentity("", " ", ""), GuestIdentity("", " ", "")),
        (GuestIdentity("0123", None, None), GuestIdentity("0123", None, None)),
    ],
)
def test_r44_what_is_unknown_or_shared_by_strangers_makes_nobody_the_same_guest(one, other):
    assert not same_guest(one, other)


def test_r44_back_to_back_stays_of_one_guest_are_one_chain_with_one_window():
    first, second, third = span(1, 1, 4), span(2, 4, 6), span(3, 6, 9)
    found = chains([third, first, second])
    assert found == [(first, second, third)]
    assert chain_window(found[0]) == Window(first.window.starts, third.window.ends)


def test_r44_another_guest_a_night_between_or_an_overlap_begins_a_new_chain():
    assert numbers(chains([span(1, 1, 4), span(2, 4, 6, BOB)])) == [[1], [2]]
    assert numbers(chains([span(1, 1, 4), span(2, 5, 6)])) == [[1], [2]]
    assert numbers(chains([span(1, 1, 4), span(2, 3, 6)])) == [[1], [2]]


def test_r44_a_chain_goes_on_past_another_stay_that_begins_the_same_day():
    assert numbers(chains([span(1, 1, 4), span(2, 4, 5, BOB), span(3, 4, 7)])) == [[1, 3], [2]]


def test_r44_a_guest_is_followed_from_phone_to_mail():
    both, phone, mail = ADA, GuestIdentity(ADA.phone, None, None), GuestIdentity(None, ADA.email, None)
    assert numbers(chains([span(1, 1, 2, both), span(2, 2, 3, phone), span(3, 3, 4, mail)])) == [[1, 2, 3]]


def test_r44_a_chain_with_a_window_without_end_has_none():
    endless = StaySpan(StayId(2), date(2026, 5, 4), date(2026, 5, 6), ADA, Window(utc("2026-05-04 20:00"), None))
    assert chain_window([span(1, 1, 4), endless]) == Window(utc("2026-05-01 20:00"), None)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 9), st.sampled_from([ADA, BOB])), max_size=12))
def test_r44_every_stay_is_in_exactly_one_chain_of_stays_that_touch(stays):
    spans = [span(number, day, day + nights, guest) for number, (day, nights, guest) in enumerate(stays)]
    found = chains(spans)
    assert sorted(one.stay for chain in found for one in chain) == [one.stay for one in spans]
    for chain in found:
        covering = chain_window(chain)
        for earlier, later in pairwise(chain):
            assert earlier.departure == later.arrival
            assert same_guest(earlier.guest, later.guest)
        assert all(covering.starts <= one.window.starts and one.window.ends <= covering.ends for one in chain)
