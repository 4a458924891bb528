import zoneinfo
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time

from lockbridge import clock as module
from lockbridge.clock import Clock, SystemClock, TimeZonesMissing, VirtualClock, use_packaged_time_zones

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@freeze_time(NOON)
def test_the_systems_clock_tells_the_time_in_utc():
    clock: Clock = SystemClock()
    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC


def test_a_virtual_clock_stands_still_until_it_is_moved():
    clock: Clock = VirtualClock(NOON.astimezone(ZoneInfo("Asia/Tokyo")))
    assert clock.now() == clock.now() == NOON
    assert clock.now().tzinfo is UTC
    assert clock.advance(timedelta(hours=1)) == NOON + timedelta(hours=1) == clock.now()
    assert clock.set(NOON + timedelta(days=1)) == clock.now()


def test_a_virtual_clock_never_goes_back():
    clock = VirtualClock(NOON)
    with pytest.raises(ValueError, match="time does not go back"):
        clock.advance(timedelta(seconds=-1))
    assert clock.now() == NOON


def test_a_virtual_clock_starts_at_an_aware_instant():
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(datetime(2026, 7, 1))  # noqa: DTZ001


@pytest.fixture
def machine_zones():
    """The zones of the machine, as before anything of ours runs; ours again afterwards."""
    zoneinfo.reset_tzpath()
    ZoneInfo.clear_cache()
    yield
    use_packaged_time_zones()


def test_rules_of_the_package_win_over_those_of_the_machine(machine_zones):
    """British Columbia stays on summer time from 2026 on; machines of 2025 do not know."""
    assert use_packaged_time_zones() == version("tzdata")
    vancouver = datetime(2026, 12, 1, 15, tzinfo=ZoneInfo("America/Vancouver"))
    assert vancouver.astimezone(UTC) == datetime(2026, 12, 1, 22, tzinfo=UTC)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    def missing(name):
        raise module.PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", missing)
    with pytest.raises(TimeZonesMissing, match="pip install tzdata"):
        use_packaged_time_zones()
