from datetime import timedelta

import pytest

from lockbridge.domain.pins import PinMode
from lockbridge.domain.settings import CodeSettings


def test_r5_r6_r9_r16_and_r25_the_defaults_are_those_of_the_rulebook():
    assert CodeSettings() == CodeSettings(PinMode.PHONE, 4, 0, 0, True, 5, True)


def test_r5_the_nearest_setting_wins():
    host = CodeSettings().with_overrides({"pin_mode": "random", "pin_length": 6})
    place = host.with_overrides({"pin_length": 5})
    assert (host.pin_mode, host.pin_length) == (PinMode.RANDOM, 6)
    assert (place.pin_mode, place.pin_length) == (PinMode.RANDOM, 5)


def test_none_means_as_before_and_names_nobody_knows_are_ignored():
    assert CodeSettings().with_overrides({"pin_length": None, "colour": "red"}) == CodeSettings()


@pytest.mark.parametrize("off", [False, 0])
def test_r25_backups_can_be_switched_off(off):
    assert not CodeSettings().with_overrides({"backups": off}).backups


def test_r16_buffers_are_minutes():
    chosen = CodeSettings(buffer_before_minutes=90, buffer_after_minutes=15).buffers
    assert (chosen.before, chosen.after) == (timedelta(minutes=90), timedelta(minutes=15))


def test_a_mode_nobody_knows_is_an_error():
    with pytest.raises(ValueError, match="guess"):
        CodeSettings().with_overrides({"pin_mode": "guess"})


def test_a_negative_buffer_is_an_error():
    with pytest.raises(ValueError, match="negative"):
        _ = CodeSettings(buffer_before_minutes=-1).buffers
