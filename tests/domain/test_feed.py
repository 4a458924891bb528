"""Absence is not cancellation: what full reads of a feed do to the stays that are known."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.feed import (
    Absence,
    KnownStay,
    Read,
    Shown,
    Verdict,
    fingerprint,
    overlaps,
    reconcile,
    suspicious,
    unchanged,
)
from lockbridge.domain.stay import StayStatus

TODAY = date(2026, 6, 10)
NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def known(key: str = "A", arrival: int = 5, nights: int = 3, **changes) -> KnownStay:
    """A stay that arrives so many days from now, at 16:00 UTC."""
    opens_at = datetime.combine(day(arrival), time(16), tzinfo=UTC)
    stay = KnownStay(key, day(arrival), day(arrival + nights), opens_at, seen_as=f"{arrival}+{nights}")
    return replace(stay, **changes)


def shows(*stays: KnownStay, unclear=()) -> Read:
    return Read({stay.key: Shown(stay.arrival, stay.departure, stay.seen_as) for stay in stays}, unclear)


def verdict(stays, read: Read, now: datetime = NOW) -> Verdict:
    return reconcile(stays, read, now, now.date())


NOTHING = Verdict()
OTHERS = [known("B", 20), known("C", 30)]


# -- what is there ----------------------------------------------------------------------------------------------------


def test_a_new_stay_is_taken_up_and_one_that_is_as_it_was_is_not_touched():
    assert verdict([], shows(known())).upserts == ("A",)
    assert verdict([known()], shows(known())) == NOTHING


def test_a_changed_stay_is_written_down_again():
    assert verdict([known()], shows(known(nights=4))) == Verdict(upserts=("A",))
    assert verdict([known()], shows(known(seen_as="other guest"))) == Verdict(upserts=("A",))


def test_a_stay_that_is_over_is_not_taken_up_when_it_is_new_and_may_leave_when_it_is_known():
    past = known(arrival=-10)
    assert verdict([], shows(past)) == NOTHING
    assert verdict([past], shows()) == NOTHING
    assert verdict([past], shows(replace(past, seen_as="corrected"))).upserts == ("A",)


def test_a_stay_that_ends_today_may_leave_before_its_guest_does():
    leaving = known(arrival=-3, nights=3)
    assert verdict([leaving], shows()) == NOTHING
    assert verdict([replace(leaving, absence=Absence(9, LONG_AGO))], shows()) == NOTHING


# -- what is not there ------------------------------------------------------------------------------------------------


def test_a_stay_that_is_not_shown_is_absent_once_and_nothing_else():
    assert verdict([known(), *OTHERS], shows(*OTHERS)) == Verdict(absences={"A": Absence(1, NOW)})


@pytest.mark.parametrize(
    ("reads", "minutes", "is_gone"),
    [(1, 0, False), (2, 60, False), (3, 29, False), (3, 30, True), (4, 30, True), (100, 10, False)],
)
def test_a_stay_is_gone_when_three_good_reads_over_half_an_hour_do_not_show_it(reads, minutes, is_gone):
    since = NOW - timedelta(minutes=minutes)
    before = Absence(reads - 1, since) if reads > 1 else None
    found = verdict([known(absence=before), *OTHERS], shows(*OTHERS))
    assert found.gone == (("A",) if is_gone else ())
    assert found.absences == ({} if is_gone else {"A": Absence(reads, NOW if before is None else since)})


def test_a_stay_that_is_shown_again_is_back_and_its_count_begins_anew():
    absent = known(absence=Absence(2, LONG_AGO))
    assert verdict([absent], shows(known())) == Verdict(upserts=("A",), back=("A",))


def test_a_stay_that_was_taken_for_cancelled_comes_back_when_it_is_shown_again():
    gone = known(status=StayStatus.CANCELLED, absence=Absence(3, LONG_AGO))
    assert verdict([gone], shows(known())) == Verdict(upserts=("A",), back=("A",))
    assert verdict([gone], shows()) == NOTHING


def test_a_cancelled_stay_is_not_missed_whether_the_feed_shows_it_or_not():
    cancelled = known(status=StayStatus.CANCELLED)
    assert verdict([cancelled], shows()) == NOTHING
    assert verdict([cancelled], shows(cancelled)) == NOTHING


def test_a_guest_in_the_house_is_never_locked_out_by_absence_but_somebody_hears_of_it():
    in_house = known(arrival=-1, absence=Absence(2, LONG_AGO))
    expected = Verdict(started_missing={"A": Absence(3, LONG_AGO)})
    assert verdict([in_house, *OTHERS], shows(*OTHERS)) == expected
    assert verdict([replace(in_house, absence=None)], shows()).absences == {"A": Absence(1, NOW)}


def test_a_stay_has_begun_when_its_window_has_opened():
    early = known(arrival=1, opens_at=NOW, absence=Absence(2, LONG_AGO))
    assert verdict([early], shows()).started_missing
    assert verdict([replace(early, opens_at=NOW + timedelta(seconds=1))], shows()).gone == ("A",)


def test_a_block_that_slides_away_is_gone_also_when_it_has_begun():
    block = known(arrival=0, opens_at=LONG_AGO, status=StayStatus.BLOCKED, absence=Absence(2, LONG_AGO))
    assert verdict([block], shows()).gone == ("A",)
    assert verdict([replace(block, arrival=day(-3), departure=TODAY)], shows()) == NOTHING


def test_a_stay_that_is_there_but_cannot_be_read_is_neither_missing_nor_back():
    absent = known(absence=Absence(2, LONG_AGO))
    assert verdict([absent, known("B")], shows(unclear=["A", "B"])) == NOTHING


def test_that_nothing_has_changed_means_that_what_was_absent_still_is():
    stays = [known(absence=Absence(2, LONG_AGO)), known("B", absence=Absence(1, NOW)), known("C")]
    found = unchanged(stays, NOW, TODAY)
    assert found == Verdict(gone=("A",), absences={"B": Absence(2, NOW)})
    assert unchanged([known()], NOW, TODAY) == NOTHING


# -- a stay in progress -----------------------------------------------------------------------------------------------


def test_a_stay_in_progress_keeps_the_arrival_that_the_feed_cuts_off_day_by_day():
    stay = known(arrival=-2, nights=5)
    for offset in (-1, 0, 1):  # for the feed it may be tomorrow already
        cut = replace(stay, arrival=day(offset), seen_as="cut")
        assert verdict([stay], shows(cut)).first_arrivals == {"A": day(-2)}


def test_a_feed_whose_clock_is_ahead_trims_a_stay_in_progress_to_tomorrow():
    stay = known(arrival=-2, nights=5)
    shown = replace(stay, arrival=day(1), seen_as="trimmed")
    assert verdict([stay], shows(shown)).first_arrivals == {"A": stay.arrival}


def test_an_arrival_that_really_moves_is_believed():
    moved = {"earlier": (known(arrival=3), 2), "later": (known(), 6), "much later": (known(arrival=-2, nights=9), 5)}
    for stay, arrival in moved.values():
        shown = replace(stay, arrival=day(arrival), seen_as="moved")
        assert verdict([stay], shows(shown)) == Verdict(upserts=("A",))


# -- reads that are not believed --------------------------------------------------------------------------------------


def doubt(stays, read: Read) -> str | None:
    return suspicious(stays, read, TODAY)


def test_an_empty_read_is_not_believed_while_a_stay_is_current_or_coming():
    assert doubt([known()], shows()) == "it shows nothing at all, and 1 stay should be there"
    assert doubt([known(arrival=-1)], shows())
    assert doubt([known(absence=Absence(2, LONG_AGO))], shows())
    assert doubt([known(status=StayStatus.PENDING), known("B")], shows()).endswith("2 stays should be there")


def test_an_empty_read_is_believed_when_nothing_should_be_there():
    over, block, gone = known(arrival=-9), known(status=StayStatus.BLOCKED), known(status=StayStatus.CANCELLED)
    assert doubt([], shows()) is None
    assert doubt([over, block, gone, known(arrival=-3, nights=3)], shows()) is None


def test_the_only_stay_may_leave_when_the_feed_shows_something_else():
    block = known("block", 40, status=StayStatus.BLOCKED)
    assert doubt([known()], shows(block)) is None
    assert doubt([known()], shows(known("B"))) is None
    assert doubt([known()], shows(unclear=["x"])) is None


@pytest.mark.parametrize(("stays", "lost", "is_doubted"), [(3, 3, False), (4, 2, False), (4, 3, True), (9, 5, True)])
def test_a_read_that_loses_more_than_half_of_at_least_four_is_not_believed(stays, lost, is_doubted):
    all_of_them = [known(f"S{number}", number * 5) for number in range(stays)]
    said = doubt(all_of_them, shows(*all_of_them[lost:], known("new", 60)))
    assert said == (f"it has lost {lost} of {stays} stays at once" if is_doubted else None)


def test_only_what_is_lost_since_the_last_good_read_counts_as_lost_at_once():
    stays = [known(f"S{number}", number * 5) for number in range(6)]
    absent = [replace(stay, absence=Absence(1, NOW)) for stay in stays[:3]]
    assert doubt([*absent, *stays[3:]], shows(*stays[4:])) is None


def test_what_cannot_be_read_is_not_lost():
    stays = [known(f"S{number}", number * 5) for number in range(4)]
    assert doubt(stays, shows(stays[0], unclear=["S1", "S2", "S3"])) is None


def test_blocks_that_come_and_go_make_no_read_suspicious():
    blocks = [known(f"B{number}", number, status=StayStatus.BLOCKED) for number in range(10)]
    assert doubt([known(), *blocks], shows(known())) is None


# -- overlaps ---------------------------------------------------------------------------------------------------------


def stays_at(*spans: tuple[int, int]) -> dict[str, Shown]:
    return {f"{number}": Shown(day(first), day(last)) for number, (first, last) in enumerate(spans)}


def test_back_to_back_is_normal():
    assert overlaps(stays_at((0, 3), (3, 5), (5, 6))) == []


def test_a_night_that_two_stays_share_is_found():
    assert overlaps(stays_at((0, 3), (2, 5))) == [("0", "1")]
    assert overlaps(stays_at((2, 5), (0, 3))) == [("1", "0")]
    assert overlaps(stays_at((0, 30), (2, 5), (5, 9), (29, 33))) == [("0", "1"), ("0", "2"), ("0", "3")]
    assert overlaps(stays_at((0, 3), (0, 3))) == [("0", "1")]


# -- fingerprints -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Content:
    name: str | None
    arrival: date
    status: StayStatus = StayStatus.CONFIRMED


def test_a_fingerprint_is_equal_for_equal_content_and_the_same_in_every_process():
    assert fingerprint(Content("Ida", TODAY)) == fingerprint(Content("Ida", TODAY))
    assert fingerprint(Content("Ida", date(2026, 6, 10))) == "c48067b74d270a33a068a53f8b294a31"


def test_a_fingerprint_differs_when_anything_does():
    one = Content("Ida", TODAY)
    others = [
        replace(one, name="Idb"),
        replace(one, name=None),
        replace(one, name="None"),
        replace(one, arrival=day(1)),
    ]
    others.append(replace(one, status=StayStatus.PENDING))
    assert len({fingerprint(each) for each in (one, *others, replace(one, name="\udce9"))}) == 7


# -- whatever happens -------------------------------------------------------------------------------------------------

KEYS = st.sampled_from("ABCDEFGH")
ABSENCES = st.none() | st.builds(Absence, st.integers(1, 5), st.just(LONG_AGO) | st.just(NOW))
STAYS = st.builds(
    lambda key, arrival, nights, status, absence: known(key, arrival, nights, status=status, absence=absence),
    KEYS,
    st.integers(-6, 8),
    st.integers(1, 5),
    st.sampled_from(StayStatus),
    ABSENCES,
)
KNOWN = st.lists(STAYS, max_size=8, unique_by=lambda stay: stay.key)
READS = st.builds(lambda stays, unclear: shows(*stays, unclear=unclear), KNOWN, st.frozensets(KEYS, max_size=3))


@given(KNOWN, READS)
def test_a_stay_in_the_house_is_never_gone(stays, read):
    in_house = {stay.key for stay in stays if stay.opens_at <= NOW and stay.awaited(TODAY)}
    assert not in_house & set(verdict(stays, read).gone)


@given(KNOWN, READS)
def test_only_what_was_absent_often_and_is_not_shown_is_gone(stays, read):
    by_key = {stay.key: stay for stay in stays}
    for key in verdict(stays, read).gone:
        assert key not in read.shown
        assert key not in read.unclear
        assert by_key[key].absence is not None
        assert by_key[key].absence.count >= 2
        assert by_key[key].status is not StayStatus.CANCELLED


@given(KNOWN, READS, st.randoms())
def test_the_order_of_stays_and_events_does_not_matter(stays, read, random):
    shuffled, shown = list(stays), list(read.shown.items())
    random.shuffle(shuffled)
    random.shuffle(shown)
    assert verdict(shuffled, Read(dict(shown), read.unclear)) == verdict(stays, read)
    assert suspicious(shuffled, Read(dict(shown), read.unclear), TODAY) == suspicious(stays, read, TODAY)


@given(KNOWN, READS)
def test_each_stay_has_one_fate(stays, read):
    found = verdict(stays, read)
    fates = [*found.upserts, *found.absences, *found.gone, *found.started_missing]
    assert len(fates) == len(set(fates))
    assert {*found.back, *found.first_arrivals} <= set(found.upserts)


@given(KNOWN)
def test_an_empty_read_never_revokes_anything_that_is_awaited(stays):
    if suspicious(stays, shows(), TODAY) is None:
        found = verdict(stays, shows())
        status = {stay.key: stay.status for stay in stays}
        assert {status[key] for key in found.gone} <= {StayStatus.BLOCKED}


@given(st.lists(st.sampled_from(["good", "empty", "bad"]), max_size=12), st.integers(5, 40))
def test_whatever_comes_between_good_reads_a_stay_they_show_is_never_gone(reads, minutes):
    """The workflow's rule in small: what is bad or doubted changes nothing."""
    stays, now = [known("A", 2), known("B", 9)], NOW
    for kind in reads:
        now += timedelta(minutes=minutes)
        read = shows(*stays) if kind == "good" else shows()
        if kind == "bad" or suspicious(stays, read, now.date()):
            continue
        assert reconcile(stays, read, now, now.date()) == NOTHING


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=12))
def test_stays_overlap_when_and_only_when_two_share_a_night(spans):
    stays = stays_at(*((first, first + nights) for first, nights in spans))
    ordered = sorted(stays.values(), key=lambda stay: (stay.arrival, stay.departure))
    nights = [stay.arrival + timedelta(days=n) for stay in ordered for n in range((stay.departure - stay.arrival).days)]
    assert bool(overlaps(stays)) == (len(nights) != len(set(nights)))
    if not overlaps(stays):
        assert all(one.departure <= other.arrival for one, other in pairwise(ordered))
