"""From stays to wanted codes: one decision at a time, and many chains on shared locks."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.book import (
    Booked,
    Decided,
    LockBook,
    PropertyFacts,
    cancelled,
    decide,
    ended,
    explain,
    loses_code,
    rewish,
    span,
    wants_code,
)
from lockbridge.domain.code import Pin, Window
from lockbridge.domain.ids import CodeId, LockId, PlacementId, PropertyId, StayId
from lockbridge.domain.lock import Lock, NameRules, PinRules
from lockbridge.domain.naming import NameReason
from lockbridge.domain.pins import PinMode, PinReason
from lockbridge.domain.placement import Ended, PlacementState, spec_for
from lockbridge.domain.settings import CodeSettings
from lockbridge.domain.stay import GuestIdentity, StayStatus, chains
from tests.domain.model_lock import ALGORITHMIC, APART, DAY, HOUR, NOW, SLOTS, SYNC, placement

NUKI = replace(SYNC, pin_rules=PinRules(frozenset({6}), frozenset("0"), ("12",)))
FOUR = replace(SYNC, pin_rules=PinRules(frozenset({4})))
FIRST_FOUR = replace(SYNC, pin_rules=PinRules(unique_first_four=True))
ONE_LENGTH = replace(SYNC, pin_rules=PinRules(one_length_per_lock=True))
ARRIVAL = date(2026, 5, 20)
MINUTE = timedelta(minutes=1)


def lock(number=1, capabilities=SYNC):
    return Lock(LockId(number), f"Door {number}", capabilities)


def stay(number=1, arrival=ARRIVAL, nights=3, phone="+15550101234", name=None, **changes):
    booked = Booked(
        id=StayId(number),
        status=StayStatus.CONFIRMED,
        arrival=arrival,
        departure=arrival + timedelta(days=nights),
        check_in=None,
        check_out=None,
        guest_name=name or f"Guest {chr(64 + number)}",
        reservation_code=f"HMX{number}",
        guest=GuestIdentity(phone, None, None),
        created_at=NOW,
        cancelled_at=None,
        code=None,
    )
    return replace(booked, **changes)


class World:
    """A property and its locks; remembers decisions as storage does."""

    def __init__(self, *locks, **settings):
        self.settings = CodeSettings().with_overrides(settings)
        self.locks = locks or (lock(),)
        self.seen = {one.id: one for one in self.locks}
        self.known = {}
        self.strangers = {}
        self.ids = count(1)
        self.codes = count(1)
        self.draws = count(4817, 7919)

    def below(self, n):
        return next(self.draws) % n

    @property
    def place(self):
        return PropertyFacts(PropertyId(1), "UTC", "US", time(16), time(11), self.settings, self.locks)

    def books(self):
        books = {one.id: LockBook(one, lambda pin: pin.digits) for one in self.locks}
        for decided in self.known.values():
            for one in decided.placements:
                if one.lock in books and one.live:
                    books[one.lock].enter(one.pin, one.name, one.window, one.code)
        for key, pins in self.strangers.items():
            books[key].strange_pins |= {pin for pin, _ in pins}
            books[key].strange_names |= {name.casefold() for _, name in pins}
        return books

    def book(self, *chain, key=None, now=NOW):
        """Decide for a chain and remember what was decided."""
        key = key or chain[0].id
        before = self.known.get(key) or Decided(CodeId(next(self.codes)), None, "")
        decision = decide(chain, self.place, before, self.books(), self.below, now)
        kept = {one.id: one for one in before.placements}
        kept.update((one.id, one) for one in decision.changed)
        kept.update((one.id, one) for one in (replace(new, id=PlacementId(next(self.ids))) for new in decision.added))
        self.known[key] = Decided(
            before.code,
            decision.pin.pin if decision.pin and decision.pin.pin else before.pin,
            decision.name.name if decision.name else before.name,
            tuple(kept.values()),
            before.told,
        )
        return decision

    def change(self, key=1, **changes):
        """Something happened to all placements of a chain."""
        known = self.known[key]
        self.known[key] = replace(known, placements=tuple(replace(one, **changes) for one in known.placements))

    def tell(self, key=1):
        known = self.known[key]
        self.known[key] = replace(known, told=frozenset(one.id for one in known.placements))

    def on_locks(self, key=1):
        """The chain's codes are confirmed on their locks."""
        known, capabilities = self.known[key], {one.id: one.capabilities for one in self.locks}
        done = tuple(
            replace(one, state=PlacementState.SET, confirmed_at=NOW, asked=spec_for(one, capabilities[one.lock]))
            for one in known.placements
        )
        self.known[key] = replace(known, placements=done)

    def pins(self, key=1):
        return {one.lock: one.pin and one.pin.digits for one in self.known[key].placements if one.ended is None}


# -------------------------------------------------------------------------------------------------------- one decision


def test_r2_and_r5_the_phone_digits_are_the_pin_on_every_lock():
    world = World(lock(1), lock(2))
    decision = world.book(stay())
    assert decision.pin.reason is PinReason.PHONE_DIGITS
    assert world.pins() == {1: "1234", 2: "1234"}


def test_r2_the_number_fits_the_rules_of_all_locks_and_is_free_on_all():
    world = World(lock(1, replace(SYNC, pin_rules=PinRules(frozenset({4, 6})))), lock(2, NUKI))
    world.book(stay())
    assert len(set(world.pins().values())) == 1
    (pin,) = set(world.pins().values())
    assert len(pin) == 6
    assert "0" not in pin


def test_r7_leading_zeros_are_kept():
    world = World()
    world.book(stay(phone="+15550100012"))
    assert world.pins() == {1: "0012"}


@pytest.mark.parametrize("mode", list(PinMode))
def test_r5_the_mode_is_the_propertys(mode):
    world = World(pin_mode=mode)
    reason = world.book(stay()).pin.reason
    assert reason is (PinReason.PHONE_DIGITS if mode is PinMode.PHONE else PinReason.RANDOM_SETTING)


def test_r3_every_lock_of_the_property_gets_a_placement():
    world = World(lock(1), lock(2), lock(3, SLOTS))
    added = world.book(stay()).added
    assert [one.lock for one in added] == [1, 2, 3]
    assert all(one.made_at == NOW and one.state is PlacementState.MADE for one in added)


def test_r3_a_lock_matched_later_gets_the_code_of_a_stay_in_progress():
    world = World(lock(1))
    world.book(stay())
    world.locks = (lock(1), lock(2))
    now = datetime(2026, 5, 21, tzinfo=UTC)
    (added,) = world.book(stay(), now=now).added
    assert (added.lock, added.push_at, added.pin) == (2, now, Pin("1234"))


def test_r1_a_lock_of_two_properties_keeps_their_digits_apart():
    world = World(lock(1))
    world.book(stay(1))
    decision = world.book(stay(2, arrival=ARRIVAL + timedelta(days=40)))
    assert decision.pin.reason is PinReason.PHONE_TAKEN


def test_r10_a_strangers_digits_are_taken_on_the_whole_stay():
    world = World(lock(1), lock(2))
    world.strangers[2] = [("1234", "Cleaner")]
    world.book(stay())
    (pin,) = set(world.pins().values())
    assert pin != "1234"


@pytest.mark.parametrize(("days", "free"), [(3, False), (4, False), (5, True)])
def test_r10_disjoint_windows_share_digits_where_the_driver_can_hold_both(days, free):
    world = World(lock(1, APART))
    world.book(stay(1))
    reason = world.book(stay(2, arrival=ARRIVAL + timedelta(days=days), check_in=time(10))).pin.reason
    assert (reason is PinReason.PHONE_DIGITS) == free


def test_r10_backups_without_end_are_in_the_way_even_there():
    book = LockBook(lock(1, APART), lambda pin: pin.digits)
    book.enter(Pin("1234"), "Backup", Window(NOW, None), CodeId(9))
    assert book.pin_taken(Pin("1234"), Window(NOW + 400 * DAY, NOW + 401 * DAY), CodeId(1))
    assert not book.pin_taken(Pin("1234"), Window(NOW, None), CodeId(9))


def test_r12_an_exhausted_space_is_reported_and_not_looped_on():
    two = replace(SYNC, pin_rules=PinRules(frozenset({1}), frozenset("2345678")))
    world = World(lock(1, two), pin_length=1, pin_mode=PinMode.RANDOM)
    decision = world.book(stay())
    assert decision.trouble
    assert decision.pin.reason is PinReason.EXHAUSTED
    assert not decision.added


def test_r6_locks_without_a_common_length_are_reported_and_named():
    world = World(lock(1, NUKI), lock(2, FOUR))
    decision = world.book(stay())
    assert "Door 1, Door 2" in decision.trouble
    assert not decision.added


def test_r13_the_first_four_digits_are_unique_on_the_lock_within_one_run_too():
    book = LockBook(lock(1, FIRST_FOUR), lambda pin: pin.digits)
    book.enter(Pin("123499"), "A", Window(NOW, None), CodeId(1))
    assert book.misfit(Pin("123477"), Window(NOW, None), CodeId(2))
    assert not book.misfit(Pin("123499"), Window(NOW, None), CodeId(1), ours=True)


def test_r13_all_codes_on_a_lock_have_the_length_of_the_first():
    book = LockBook(lock(1, ONE_LENGTH), lambda pin: pin.digits)
    book.enter(Pin("123456"), "A", Window(NOW, None), CodeId(1))
    assert book.misfit(Pin("9876"), Window(NOW, None), CodeId(2)) == "the lock takes PINs of another length"


def test_r14_and_r15_the_name_is_the_reservation_code_when_a_code_of_that_name_is_there():
    world = World()
    world.strangers[1] = [("9999", "GUEST A")]
    decision = world.book(stay())
    assert (decision.name.name, decision.name.reason) == ("HMX1", NameReason.MADE_BY_HAND)
    assert any("made by hand" in said for said in explain(decision))


def test_r14_a_lock_added_later_on_which_the_name_is_taken_gets_another_one():
    world = World(lock(1))
    world.book(stay())
    world.locks = (lock(1), lock(2), lock(3, replace(SYNC, name_rules=NameRules(max_length=5))))
    world.strangers[2] = [("9999", "Guest A")]
    added = world.book(stay()).added
    assert [one.name for one in added] == ["HMX1", "HMX1"]
    assert not world.book(stay()).changed


def test_r17_and_r18_push_and_removal_times_follow_from_the_lock():
    world = World(lock(1), lock(2, SLOTS))
    keeps, slots = world.book(stay()).added
    opens, closes = datetime(2026, 5, 20, 16, tzinfo=UTC), datetime(2026, 5, 23, 11, tzinfo=UTC)
    assert (keeps.push_at, keeps.remove_at) == (opens - 3 * DAY, closes + DAY)
    assert (slots.push_at, slots.remove_at) == (opens - 10 * MINUTE, closes)


def test_r16_buffers_widen_the_window_and_the_final_check_can_look_at_check_in():
    world = World(buffer_before_minutes=60, buffer_after_minutes=30)
    (one,) = world.book(stay()).added
    assert one.window == Window(datetime(2026, 5, 20, 15, tzinfo=UTC), datetime(2026, 5, 23, 11, 30, tzinfo=UTC))
    assert stay().opens(world.place) == one.window.starts
    world.settings = replace(world.settings, final_check_includes_buffer=False)
    assert stay().opens(world.place) == one.window.starts + HOUR


def test_r41_the_hosts_times_win_over_the_propertys():
    world = World()
    window = world.book(stay(check_in=time(13), check_out=time(15))).window
    assert (window.starts.hour, window.ends.hour) == (13, 15)


def test_a_stay_that_ends_before_it_begins_is_refused_in_words():
    with pytest.raises(ValueError, match="not after"):
        World().book(stay(nights=-1))


def test_r4_without_a_lock_nothing_is_decided_and_what_was_there_comes_off():
    world = World(lock(1))
    world.book(stay())
    world.locks = ()
    decision = decide([stay()], world.place, world.known[1], {}, world.below, NOW)
    assert (decision.pin, decision.name, decision.added) == (None, None, ())
    assert [one.ended for one in decision.changed] == [Ended.UNMATCHED]


# ------------------------------------------------------------------------------------------------- waiting for a phone


def test_r9_a_missing_phone_is_waited_for_five_minutes_then_the_pin_is_random():
    world = World()
    waiting = world.book(stay(phone=None))
    assert waiting.waiting_until == NOW + 5 * MINUTE
    assert (waiting.pin, waiting.added) == (None, ())
    assert world.book(stay(phone=None), now=NOW + 5 * MINUTE).pin.reason is PinReason.NO_PHONE


def test_r9_a_phone_that_comes_in_time_is_used_and_a_later_one_changes_nothing():
    world = World()
    world.book(stay(phone=None))
    assert world.book(stay(), now=NOW + MINUTE).pin.reason is PinReason.PHONE_DIGITS
    later = world.book(stay(phone="+15550109999"), now=NOW + 2 * MINUTE)
    assert (later.pin, later.added, later.changed) == (None, (), ())


def test_r9_never_past_the_push_time():
    near = stay(phone=None, arrival=NOW.date() + timedelta(days=3), check_in=time(12, 2))
    assert World().book(near).waiting_until == NOW + 2 * MINUTE
    assert World().book(replace(near, arrival=NOW.date())).waiting_until is None


@pytest.mark.parametrize(
    "world", [World(lock(1, ALGORITHMIC)), World(pin_mode=PinMode.RANDOM), World(phone_wait_minutes=0)]
)
def test_r9_nobody_waits_for_a_phone_that_is_not_needed(world):
    assert world.book(stay(phone=None)).waiting_until is None


# ------------------------------------------------------------------------------------------------------- class B locks


def test_class_b_locks_choose_their_own_digits_beside_the_others():
    world = World(lock(1), lock(2, ALGORITHMIC))
    world.book(stay())
    assert world.pins() == {1: "1234", 2: None}
    known = world.known[1]
    chosen = tuple(replace(one, pin=Pin("7654321")) if one.lock == 2 else one for one in known.placements)
    world.known[1] = replace(known, placements=chosen)
    moved = world.book(stay(nights=5))
    assert {one.lock: one.pin.digits for one in moved.changed} == {1: "1234", 2: "7654321"}


def test_class_b_alone_says_once_that_the_maker_chooses():
    world = World(lock(1, ALGORITHMIC))
    assert world.book(stay()).pin.reason is PinReason.PROVIDER_CHOOSES
    assert world.book(stay()).pin is None


# -------------------------------------------------------------------------------------------------------- changed stays


def test_r19_other_dates_keep_the_pin_and_open_the_placement_again():
    world = World()
    world.book(stay())
    world.on_locks()
    decision = world.book(stay(nights=5))
    (one,) = decision.changed
    assert (decision.pin, decision.name, decision.added) == (None, None, ())
    assert (one.pin, one.state, one.asked is not None) == (Pin("1234"), PlacementState.ASKED, True)
    assert one.window.ends == datetime(2026, 5, 25, 11, tzinfo=UTC)


def test_r19_other_dates_on_a_lock_without_a_clock_change_nothing_that_the_lock_knows():
    world = World(lock(1, SLOTS))
    world.book(stay(arrival=NOW.date()))
    world.on_locks()
    (longer,) = world.book(stay(arrival=NOW.date(), nights=5), now=NOW + 5 * HOUR).changed
    assert longer.confirmed
    (later,) = world.book(stay(arrival=NOW.date() + timedelta(days=9)), now=NOW + 5 * HOUR).changed
    assert later.state is PlacementState.ASKED


def test_r19_a_new_wish_has_all_its_attempts():
    world = World()
    world.book(stay())
    world.change(failures=5, hold_until=NOW + 9 * HOUR, state=PlacementState.FAILED)
    (one,) = world.book(stay(nights=5)).changed
    assert (one.failures, one.hold_until, one.state) == (0, None, PlacementState.MADE)


def test_r19_other_locks_get_the_same_pin_and_the_old_ones_lose_it():
    world = World(lock(1), lock(2))
    world.book(stay())
    world.locks = (lock(2), lock(3))
    decision = world.book(stay())
    assert [(one.lock, one.pin) for one in decision.added] == [(3, Pin("1234"))]
    assert [(one.lock, one.ended, one.remove_at) for one in decision.changed] == [(1, Ended.UNMATCHED, NOW)]
    assert not world.book(stay()).changed


def test_r11_a_pin_taken_on_an_added_lock_is_replaced_everywhere_while_nobody_knows_it():
    world = World(lock(1))
    world.book(stay())
    world.on_locks()
    world.locks, world.strangers = (lock(1), lock(2)), {2: [("1234", "Cleaner")]}
    decision = world.book(stay())
    assert decision.pin.reason is PinReason.REPLACED
    (pin,) = set(world.pins().values())
    assert pin != "1234"
    assert not decision.apart


@pytest.mark.parametrize("capabilities", [SYNC, NUKI, FOUR], ids=["taken", "refused digits", "taken, one length"])
def test_r11_and_r19_a_pin_the_guest_knows_differs_only_on_the_added_lock_it_does_not_fit(capabilities):
    world = World(lock(1))
    world.book(stay())
    world.tell()
    world.locks, world.strangers = (lock(1), lock(2, capabilities)), {2: [("1234", "Cleaner")]}
    decision = world.book(stay())
    pins = world.pins()
    assert pins[1] == "1234"
    assert pins[2] != "1234"
    assert (decision.pin, decision.changed, decision.trouble) == (None, (), None)
    assert [(key, choice.reason) for key, choice in decision.apart] == [(2, PinReason.REPLACED)]
    assert "PIN of lock 2: replaced" in explain(decision)
    again = world.book(stay())
    assert (again.added, again.changed, again.apart) == ((), (), ())
    assert world.pins() == pins


def test_r11_digits_that_differ_on_one_lock_stay_so_when_the_dates_change():
    world = World(lock(1))
    world.book(stay())
    world.tell()
    world.locks, world.strangers = (lock(1), lock(2)), {2: [("1234", "Cleaner")]}
    world.book(stay())
    pins = world.pins()
    world.book(stay(nights=6))
    assert world.pins() == pins


def test_r11_a_guest_in_the_house_keeps_digits_that_work_though_nobody_told_them():
    world = World(lock(1))
    world.book(stay(arrival=NOW.date(), check_in=time(8)))
    world.on_locks()
    world.locks, world.strangers = (lock(1), lock(2)), {2: [("1234", "Cleaner")]}
    world.book(stay(arrival=NOW.date(), check_in=time(8)))
    assert world.pins()[1] == "1234"
    assert world.pins()[2] != "1234"


def test_r10_a_strangers_code_seen_later_changes_what_is_not_on_the_lock_yet_and_nothing_that_is():
    for set_already in (False, True):
        world = World()
        world.book(stay())
        if set_already:
            world.on_locks()
        world.strangers[1] = [("1234", "Cleaner")]
        assert (world.book(stay()).pin is None) == set_already


def test_r10_moved_dates_that_collide_with_our_own_code_get_other_digits():
    world = World(lock(1, APART))
    world.book(stay(1))
    world.book(stay(2, arrival=ARRIVAL + timedelta(days=30)))
    assert world.pins(1) == world.pins(2)
    world.on_locks(2)
    world.tell(2)
    world.book(stay(2, arrival=ARRIVAL + timedelta(days=1)))
    assert world.pins(1) != world.pins(2)


def test_r12_a_lock_on_which_no_digits_are_left_is_reported_and_the_others_go_on():
    few = replace(SYNC, pin_rules=PinRules(frozenset({1}), frozenset("1234567890")))
    world = World(lock(1))
    world.book(stay())
    world.locks = (lock(1), lock(2, few))
    decision = world.book(stay(nights=6))
    assert "Door 2" in decision.trouble
    assert [one.lock for one in decision.changed] == [1]
    assert decision.added == ()


@pytest.mark.parametrize("state", list(PlacementState)[:-1])
def test_a_run_that_changes_nothing_says_nothing(state):
    world = World(lock(1), lock(2, SLOTS), lock(3, ALGORITHMIC))
    world.book(stay())
    world.change(state=state)
    again = world.book(stay(), now=NOW + DAY)
    assert (again.pin, again.name, again.added, again.changed, again.trouble) == (None, None, (), (), None)


def test_r29_a_stay_that_is_over_gets_no_code_and_an_ordinary_end_is_left_alone():
    world = World()
    assert not world.book(stay(arrival=date(2026, 4, 1))).added
    world = World()
    world.book(stay())
    assert not world.book(stay(), now=NOW + 30 * DAY).changed


def test_r19_a_stay_shortened_to_the_past_ends_now():
    world = World()
    world.book(stay(nights=9))
    now = datetime(2026, 5, 25, tzinfo=UTC)
    (one,) = world.book(stay(nights=2), now=now).changed
    assert (one.ended, one.remove_at <= now, one.window.over(now)) == (Ended.SUPERSEDED, True, True)
    assert not world.book(stay(nights=2), now=now).changed


# ------------------------------------------------------------------------------------------------------- cancellation


def test_r30_a_far_stay_loses_its_code_24_hours_after_the_cancellation_a_near_one_at_once():
    assert cancelled(placement(1, starts=60), NOW).remove_at == NOW + DAY
    for starts in (-5, 2, 24):
        assert cancelled(placement(1, starts=starts), NOW).remove_at == NOW
    again = cancelled(cancelled(placement(1, starts=60), NOW), NOW + HOUR)
    assert again.remove_at == NOW + DAY


@pytest.mark.parametrize("status", list(StayStatus))
def test_r30_only_a_cancelled_or_blocked_stay_loses_its_code(status):
    booked = stay(status=status)
    assert wants_code(booked) == (status is StayStatus.CONFIRMED)
    assert loses_code(booked) == (status in (StayStatus.CANCELLED, StayStatus.BLOCKED))


def test_r30_a_stay_that_is_confirmed_again_keeps_its_placement_and_pin():
    world = World()
    world.book(stay())
    world.on_locks()
    known = world.known[1]
    world.known[1] = replace(known, placements=tuple(cancelled(one, NOW) for one in known.placements))
    (one,) = world.book(stay()).changed
    assert (one.ended, one.pin, one.state) == (None, Pin("1234"), PlacementState.ASKED)
    assert one.remove_at == one.window.ends + DAY


def test_r30_what_is_on_its_way_off_is_put_back_when_it_is_gone():
    going = ended(placement(1, state=PlacementState.REMOVING), Ended.CANCELLED, NOW)
    going = replace(going, asked=spec_for(going, SYNC), asked_at=NOW)
    again = rewish(going, lock(), going.window, going.window.starts, NOW, pin=going.pin)
    assert (again.state, again.ended, again.asked_at) == (PlacementState.REMOVING, None, NOW)


# ---------------------------------------------------------------------------------------------------------- chains


def test_r44_stays_back_to_back_get_one_window_without_a_gap_and_one_pin():
    first, second = stay(1), stay(2, arrival=ARRIVAL + timedelta(days=3), name="Guest A")
    world = World()
    (chain,) = chains([span(one, world.place) for one in (first, second)])
    assert [one.stay for one in chain] == [1, 2]
    (one,) = world.book(first, second).added
    assert one.window == Window(datetime(2026, 5, 20, 16, tzinfo=UTC), datetime(2026, 5, 26, 11, tzinfo=UTC))


def test_r44_a_stay_that_joins_keeps_the_pin_and_stretches_the_window():
    first, second = stay(1), stay(2, arrival=ARRIVAL + timedelta(days=3), name="Guest A")
    world = World()
    world.book(first)
    world.on_locks()
    decision = world.book(first, second)
    assert decision.pin is None
    assert [one.pin for one in decision.changed] == [Pin("1234")]


# ------------------------------------------------------------------------------------------------------- properties

CAPABILITIES = [SYNC, SLOTS, APART, ALGORITHMIC, NUKI, replace(FOUR, holds_same_pin_apart=True)]
stays = st.builds(
    stay,
    number=st.integers(1, 8),
    arrival=st.integers(-3, 30).map(lambda days: NOW.date() + timedelta(days=days)),
    nights=st.integers(1, 9),
    phone=st.sampled_from(["+15550101234", "+15550105678", None]),
)
worlds = st.builds(
    lambda kinds, length, mode: World(
        *(lock(number, kind) for number, kind in enumerate(kinds, 1)), pin_length=length, pin_mode=mode
    ),
    st.lists(st.sampled_from(CAPABILITIES), min_size=1, max_size=3),
    st.sampled_from([4, 6]),
    st.sampled_from(list(PinMode)),
)
events = st.tuples(st.sampled_from(["book", "book", "tell", "set", "cancel", "matching"]), stays, st.integers(1, 4))


def happen(world, what, booked, number, now):
    known = world.known.get(booked.id)
    if what == "book":
        world.book(booked, now=now)
    elif what == "matching":
        kept = tuple(one for one in world.locks if one.id != number)
        again = world.seen.setdefault(LockId(number), lock(number, CAPABILITIES[number]))
        world.locks = (*kept, again) if len(kept) == len(world.locks) else kept
    elif known is not None and what == "tell":
        world.tell(booked.id)
    elif known is not None and what == "set":
        matched = {one.id for one in world.locks}
        if matched >= {one.lock for one in known.placements}:
            world.on_locks(booked.id)
    elif known is not None and what == "cancel":
        world.known[booked.id] = replace(known, placements=tuple(cancelled(one, now) for one in known.placements))


def shared(world, one, other):
    """Whether two placements could meet with the same digits."""
    apart = world.seen[one.lock].capabilities.holds_same_pin_apart
    same = one.lock == other.lock and one.pin is not None and one.pin == other.pin
    return same and not (apart and not one.window.overlaps(other.window))


@given(worlds, st.lists(events, max_size=12))
def test_r10_two_stays_never_share_digits_on_a_lock(world, happenings):
    now = NOW
    for what, booked, number in happenings:
        happen(world, what, booked, number, now)
        now += HOUR
    live = [one for known in world.known.values() for one in known.placements if one.ended is None]
    in_house = [one for one in live if one.in_house(now)]
    assert not [
        (one, other)
        for one in live
        for other in live
        if one.code < other.code and shared(world, one, other) and not (one in in_house or other in in_house)
    ]


@given(worlds, st.lists(events, max_size=12), stays)
def test_a_second_run_never_says_anything_new(world, happenings, booked):
    now = NOW
    for what, other, number in happenings:
        happen(world, what, other, number, now)
        now += HOUR
    first = world.book(booked, now=now)
    again = world.book(booked, now=now + MINUTE)
    if first.waiting_until is None:
        assert (again.name, again.added, again.changed, again.apart) == (None, (), (), ())
        assert again.pin is None or first.trouble


@given(worlds, st.lists(events, max_size=12), stays)
def test_r2_and_r19_one_stay_has_one_pin_where_it_is_ours_to_choose_and_dates_keep_it(world, happenings, booked):
    for what, other, number in happenings:
        if other.id != booked.id:
            happen(world, what, other, number, NOW)
    first = world.book(booked, now=NOW + DAY)
    chooses = {one.id for one in world.locks if one.capabilities.chooses_pin}
    pins = {pin for key, pin in world.pins(booked.id).items() if key not in chooses}
    assert len(pins) <= 1
    if first.added and not any(one.capabilities.holds_same_pin_apart for one in world.locks):
        world.book(replace(booked, departure=booked.departure + timedelta(days=2)), now=NOW + DAY)
        assert {pin for key, pin in world.pins(booked.id).items() if key not in chooses} == pins


def test_r10_a_stay_that_is_moved_away_on_its_first_day_gets_other_digits_where_it_collides():
    world, today = World(lock(1, APART)), NOW.date()
    world.book(stay(1, arrival=today, nights=1))
    world.book(stay(2, arrival=today + timedelta(days=3), nights=1))
    assert world.pins(1) == world.pins(2)
    world.book(stay(1, arrival=today + timedelta(days=2), nights=2), now=NOW + 6 * HOUR)
    assert world.pins(1) != world.pins(2)
