"""The simulator's own rules, and that the engine's rules – written apart from them – come to the same answers."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.contract import LockFull, NameRefused, PinRefused, Rejected, WindowRefused
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.lock import Capabilities, NameRules, PinRules, Rounding
from lockbridge.domain.pins import refusal
from lockbridge.domain.stay import rounded
from providers.simulator import MAIN, RULE_SETS, RuleSet, SimulatedLockApp
from providers.simulator.rules import check_name, check_pin, check_window

NOW = datetime(2026, 3, 1, tzinfo=UTC)
instants = st.datetimes(datetime(2026, 3, 2), datetime(2027, 3, 2)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001 - made UTC
windows = st.builds(
    lambda starts, length: Window(starts, starts + length),
    instants,
    st.timedeltas(timedelta(seconds=1), timedelta(days=40)),
)


def refuses(pin: str, rules: PinRules) -> bool:
    try:
        check_pin(pin, rules, ())
    except PinRefused:
        return True
    return False


@given(st.from_regex(r"[0-9]{3,9}", fullmatch=True) | st.sampled_from(["1234", "4321", "0123", "7777", "123456"]))
def test_r13_the_lock_and_the_engine_agree_on_every_pin(pin: str) -> None:
    for rule_set in RULE_SETS.values():
        rules = rule_set.capabilities.pin_rules
        assert refuses(pin, rules) == (refusal(Pin(pin), rules) is not None), rule_set.key


@given(windows, st.sampled_from(Rounding))
def test_r18_a_window_that_the_engine_rounded_is_taken(window: Window, rounding: Rounding) -> None:
    check_window(rounded(window, rounding), Capabilities(rounding=rounding), NOW)


@pytest.mark.parametrize("rounding", [Rounding.MINUTE, Rounding.HOUR, Rounding.DAY])
def test_r18_a_window_off_the_grid_is_refused(rounding: Rounding) -> None:
    window = Window(NOW + timedelta(seconds=1), NOW + timedelta(days=1, seconds=31))
    with pytest.raises(WindowRefused):
        check_window(window, Capabilities(rounding=rounding), NOW)


def test_an_algorithmic_lock_takes_no_window_without_end() -> None:
    for window in (None, Window(NOW, None)):
        with pytest.raises(WindowRefused):
            check_window(window, RULE_SETS["algorithmic"].capabilities, NOW)


@pytest.mark.parametrize("name", ["", "Ada!", "far too long"])
def test_r13_names_against_the_rules_are_refused(name: str) -> None:
    with pytest.raises(NameRefused):
        check_name(name, NameRules(max_length=5, charset="Ada"))


def test_a_lock_that_does_not_choose_digits_wants_them() -> None:
    app = SimulatedLockApp(lambda: NOW, random.Random(1))
    lock = app.add_lock("l")
    with pytest.raises(Rejected):
        app.set_code(MAIN, lock, CodeSpec(None, "Ada", None))


def test_a_lock_whose_digits_are_used_up_has_no_free_pin() -> None:
    app = SimulatedLockApp(lambda: NOW, random.Random(1))
    lock = app.add_lock("l", rules=RuleSet("tiny", Capabilities(pin_rules=PinRules(lengths=frozenset({1})))))
    with pytest.raises(LockFull):
        app.fill(lock)
    assert len(app.holds(lock)) == 10
