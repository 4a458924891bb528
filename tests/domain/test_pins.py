import random
import secrets
from collections.abc import Iterable

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockbridge.domain.code import Pin
from lockbridge.domain.lock import PinRules
from lockbridge.domain.pins import (
    NoCommonLength,
    PinMode,
    PinReason,
    PinSpace,
    choose_pin,
    explain,
    phone_digits,
    pin_length,
    random_pin,
    refusal,
    weak,
)

PHONE = "+1 415 555 0123"
NUKI = PinRules(lengths=frozenset({6}), forbidden_digits=frozenset("0"), forbidden_prefixes=("12",))
ALL_FOUR = [Pin(f"{number:04d}") for number in range(10_000)]


def space(rules=None, taken: Iterable[str] = (), name="Front door", **more):
    held = frozenset(taken)
    return PinSpace(name, rules or PinRules(), lambda pin: pin.digits in held, **more)


def of_length(*lengths, **more):
    return PinRules(lengths=frozenset(lengths), **more)


def chosen(*spaces, mode=PinMode.PHONE, phone=PHONE, country="US", wanted=4):
    return choose_pin(mode, phone, country, wanted, spaces, secrets.randbelow)


def test_r02_one_pin_fits_the_rules_of_every_lock_and_is_free_on_all_of_them():
    front = space(of_length(4, 5, forbidden_digits=frozenset("13579")), taken=["2468"])
    gate = space(of_length(4, forbidden_digits=frozenset("0")), name="Gate")
    for _ in range(200):
        pin = chosen(front, gate, mode=PinMode.RANDOM).pin
        assert len(pin.digits) == 4
        assert set(pin.digits) <= set("2468")
        assert pin.digits != "2468"


def test_r05_phone_mode_takes_the_last_digits_of_the_phone():
    choice = chosen(space())
    assert (choice.pin, choice.reason, choice.detail) == (Pin("0123"), PinReason.PHONE_DIGITS, "")


def test_r05_random_mode_ignores_the_phone():
    draws = iter([4711])
    choice = choose_pin(PinMode.RANDOM, PHONE, "US", 4, [space()], lambda _: next(draws))
    assert (choice.pin, choice.reason) == (Pin("4711"), PinReason.RANDOM_SETTING)


def test_r05_a_provider_that_chooses_leaves_no_pin_to_us():
    choice = chosen()
    assert (choice.pin, choice.reason) == (None, PinReason.PROVIDER_CHOOSES)


@pytest.mark.parametrize(
    ("wanted", "locks", "length"),
    [
        (4, [{4, 5, 6}], 4),
        (4, [{6, 7, 8}], 6),
        (4, [{4, 5, 6}, {6, 8}], 6),
        (5, [{4, 6, 8}], 6),
        (8, [{4, 6}], 6),
        (8, [{4, 6}, {4, 5}], 4),
        (5, [], 5),
    ],
)
def test_r06_the_length_is_the_shortest_common_one_from_the_setting_up_else_the_longest(wanted, locks, length):
    assert pin_length(wanted, [space(of_length(*lengths)) for lengths in locks]) == length


def test_r06_locks_without_a_common_length_are_named():
    with pytest.raises(NoCommonLength, match="Front door, Gate"):
        chosen(space(of_length(4)), space(of_length(6), name="Gate"))


def test_r06_r13_a_lock_with_one_length_for_all_its_codes_keeps_that_length():
    one_length = of_length(4, 5, 6, one_length_per_lock=True)
    assert pin_length(4, [space(one_length, held_length=6)]) == 6
    assert pin_length(4, [space(one_length, held_length=None)]) == 4
    assert pin_length(4, [space(of_length(4, 5, 6), held_length=6)]) == 4


@pytest.mark.parametrize(
    ("phone", "country", "length", "digits"),
    [
        ("+1 415 555 0123", None, 4, "0123"),
        ("(415) 555-0123", "US", 6, "550123"),
        ("(415) 555-0123", "us", 4, "0123"),
        ("+1 415 555 0123 ext. 77", "FR", 4, "0123"),
        ("tel:+1-415-555-0000", "US", 4, "0000"),
        ("+39 06 0000 0123", "US", 10, "0600000123"),
        ("06 12 34 56 78", "FR", 9, "612345678"),
        ("\uff0b\uff11 415 555 0123", "US", 4, "0123"),
        ("+44797978889991", None, 4, "9991"),
        ("0123", "US", 4, "0123"),
        ("0123", "GB", 4, "0123"),
    ],
)
def test_r07_phone_digits_are_the_last_of_the_national_number_in_the_propertys_country(phone, country, length, digits):
    assert phone_digits(phone, country, length) == Pin(digits)


@settings(deadline=None)  # the first number of a country loads its numbering plan
@given(st.integers(0, 9999), st.integers(1, 10))
def test_r07_leading_zeros_survive(number, length):
    national = f"415555{number:04d}"
    assert phone_digits(f"+1{national}", None, length) == Pin(national[-length:])


@settings(deadline=None)  # the first number of a country loads its numbering plan
@given(st.text(max_size=40), st.sampled_from(["US", "FR", "GB", "IT", "??", "", None]), st.integers(1, 12))
def test_r07_any_text_gives_digits_of_the_wanted_length_or_a_reason(text, country, length):
    found = phone_digits(text, country, length)
    assert isinstance(found, PinReason) or len(found.digits) == length


@settings(deadline=None)  # the first number of a country loads its numbering plan
@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.integers(4, 6))
def test_r07_every_country_gives_the_last_digits_of_its_numbers(region, length):
    example = phonenumbers.example_number(region)
    shown = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    found = phone_digits(shown, None, length)
    national = phonenumbers.national_significant_number(example)
    assert found == (Pin(national[-length:]) if len(national) >= length else PinReason.PHONE_TOO_SHORT)


@pytest.mark.parametrize(
    ("phone", "country", "wanted", "reason"),
    [
        (None, "US", 4, PinReason.NO_PHONE),
        ("  ", "US", 4, PinReason.NO_PHONE),
        ("not given", "US", 4, PinReason.PHONE_UNREADABLE),
        ("(415) 555-0123", None, 4, PinReason.PHONE_UNREADABLE),
        ("(415) 555-0123 / (415) 555-0124 / (415) 555-0125", "US", 4, PinReason.PHONE_UNREADABLE),
        ("+999 415 555 0123", "US", 4, PinReason.PHONE_UNREADABLE),
        ("123", "US", 4, PinReason.PHONE_TOO_SHORT),
        ("0123", "US", 6, PinReason.PHONE_TOO_SHORT),
    ],
)
def test_r08_a_phone_that_gives_no_digits_falls_back_to_random_with_its_reason(phone, country, wanted, reason):
    choice = chosen(space(), phone=phone, country=country, wanted=wanted)
    assert choice.reason is reason
    assert len(choice.pin.digits) == wanted


@pytest.mark.parametrize("phone", ["+1 415 555 0123", "+1 415 512 3456"])
def test_r08_digits_a_lock_refuses_fall_back_to_random_and_name_the_lock(phone):
    choice = chosen(space(), space(of_length(4, 6)), space(NUKI, name="Nuki door"), phone=phone)
    assert choice.reason is PinReason.PHONE_REFUSED
    assert choice.detail.startswith("Nuki door: it ")
    assert refusal(choice.pin, NUKI) is None


def test_r08_r10_digits_taken_on_one_of_the_locks_fall_back_to_random():
    choice = chosen(space(), space(taken=["0123"], name="Gate"))
    assert choice.reason is PinReason.PHONE_TAKEN
    assert choice.detail == "Gate: another code has the same digits"
    assert choice.pin != Pin("0123")


def test_r08_weak_digits_of_a_phone_are_kept_where_the_locks_take_them():
    assert chosen(space(), phone="+1 415 555 1234").pin == Pin("1234")


@pytest.mark.parametrize("reason", PinReason)
def test_r08_every_reason_has_a_sentence_for_the_host(reason):
    assert explain(reason).endswith(".")
    assert explain(reason, "Gate: it is taken").endswith(" (Gate: it is taken).")


def test_r12_weak_pins_are_runs_and_equal_digits_and_nothing_else():
    found = {pin.digits for pin in ALL_FOUR if weak(pin)}
    up = {"0123", "1234", "2345", "3456", "4567", "5678", "6789"}
    assert found == up | {run[::-1] for run in up} | {str(digit) * 4 for digit in range(10)}


def test_r12_random_reaches_every_value_that_is_not_weak():
    reached = set()
    for number in range(10_000):
        draws = iter([number])
        reached.add(random_pin(4, [space()], lambda _, draws=draws: next(draws, 4711)))
    assert reached == {pin for pin in ALL_FOUR if not weak(pin)}


def test_r12_random_reaches_every_value_of_a_lock_without_some_digits():
    rules = of_length(4, forbidden_digits=frozenset("024689"), forbidden_prefixes=("75",))
    reached = {random_pin(4, [space(rules)], lambda n, start=start: start % n) for start in range(4**4)}
    assert reached - {None} == {pin for pin in ALL_FOUR if not weak(pin) and refusal(pin, rules) is None}


def test_r12_random_finds_the_last_free_value_of_a_full_lock():
    full = [pin.digits for pin in ALL_FOUR if pin.digits not in {"7305", "8264"}]
    found = {random_pin(4, [space(taken=full)], random.Random(seed).randrange) for seed in range(12)}
    assert found == {Pin("7305"), Pin("8264")}


def test_r12_an_exhausted_space_is_reported_not_looped_on():
    full = space(taken=[pin.digits for pin in ALL_FOUR])
    choice = chosen(full, mode=PinMode.RANDOM)
    assert (choice.pin, choice.reason) == (None, PinReason.EXHAUSTED)
    assert choice.detail == "4 digits on Front door"


@pytest.mark.parametrize("length", [6, 8, 16])
def test_r12_the_tries_in_a_large_space_are_bounded(length):
    asked = []
    crowded = PinSpace("Front door", of_length(length), lambda pin: not asked.append(pin))
    assert random_pin(length, [crowded], secrets.randbelow) is None
    assert 0 < len(asked) <= 4096


def test_r12_no_pin_is_drawn_where_no_digit_is_allowed():
    assert random_pin(4, [space(of_length(4, forbidden_digits=frozenset("0123456789")))], secrets.randbelow) is None


def test_r12_a_rare_kind_of_pin_is_found_in_a_large_space():
    rules = of_length(8, min_distinct_digits=8)
    assert random_pin(8, [space(rules)], random.Random(1).randrange) is not None


def rule_sets():
    return st.builds(
        PinRules,
        lengths=st.frozensets(st.integers(4, 8), min_size=1),
        forbidden_digits=st.frozensets(st.sampled_from("0123456789"), max_size=6),
        forbidden_prefixes=st.lists(st.sampled_from(["12", "0", "99", "911"]), max_size=2).map(tuple),
        min_distinct_digits=st.integers(1, 3),
        no_run=st.booleans(),
        no_equal_digits=st.booleans(),
        one_length_per_lock=st.booleans(),
        unique_first_four=st.booleans(),
    )


@settings(deadline=None)  # a space met by no draw is listed in full
@given(
    st.lists(rule_sets(), min_size=1, max_size=3),
    st.sets(st.integers(0, 9999), max_size=40),
    st.integers(4, 8),
    st.randoms(use_true_random=False),
)
def test_r12_a_random_pin_is_never_weak_refused_or_taken(all_rules, numbers, wanted, chance):
    fours = frozenset(f"{number:04d}" for number in numbers)
    spaces = [space(rules, taken=fours, first_fours=fours) for rules in all_rules]
    try:
        pin = choose_pin(PinMode.RANDOM, None, None, wanted, spaces, chance.randrange).pin
    except NoCommonLength:
        return
    if pin is not None:
        assert not weak(pin)
        assert all(refusal(pin, rules) is None for rules in all_rules)
        assert pin.digits not in fours
        assert not any(rules.unique_first_four and pin.digits[:4] in fours for rules in all_rules)


@pytest.mark.parametrize(
    ("rules", "refused", "accepted", "why"),
    [
        (of_length(4, 6), "48213", "4821", "length"),
        (of_length(4, forbidden_digits=frozenset("0")), "4021", "4821", "a digit the lock does not take"),
        (of_length(4, forbidden_prefixes=("12", "9")), "1248", "2148", "begins"),
        (of_length(4, forbidden_prefixes=("12", "9")), "9248", "2948", "begins"),
        (of_length(4, min_distinct_digits=3), "4842", "4821", None),
        (of_length(4, min_distinct_digits=3), "4848", "4842", "different digits"),
        (of_length(4, no_run=True), "5678", "5679", "run"),
        (of_length(4, no_run=True), "3210", "3211", "run"),
        (of_length(4, no_equal_digits=True), "7777", "7770", "equal"),
    ],
)
def test_r13_each_rule_about_digits_refuses_what_it_names_and_no_more(rules, refused, accepted, why):
    assert refusal(Pin(accepted), rules) is None
    found = refusal(Pin(refused), rules)
    assert found is None if why is None else why in found


def test_r13_empty_rules_take_weak_pins_too():
    assert refusal(Pin("1234"), PinRules()) is None
    assert refusal(Pin("0000"), PinRules()) is None


def test_r13_nuki_takes_six_digits_without_zero_that_do_not_begin_with_12():
    assert [refusal(Pin(pin), NUKI) is None for pin in ("345678", "3456", "345670", "123456", "213456")] == [
        True, False, False, False, True,
    ]  # fmt: skip


@given(st.text("0123456789", min_size=1, max_size=12).map(Pin), rule_sets())
def test_r13_a_refusal_gives_no_digit_away(pin, rules):
    why = refusal(pin, rules)
    assert why is None or not any(char.isdigit() for char in why)


def test_r13_first_four_digits_stay_unique_where_the_lock_asks_for_it():
    rules = of_length(6, unique_first_four=True)
    choice = chosen(space(rules, first_fours=frozenset({"5501"})), wanted=6)
    assert choice.reason is PinReason.PHONE_TAKEN
    assert choice.detail == "Front door: another code begins with the same four digits"
    assert chosen(space(of_length(6), first_fours=frozenset({"5501"})), wanted=6).pin == Pin("550123")
