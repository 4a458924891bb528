"""When which text goes, which rule holds, by which way, and when it waits."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.messages import GuestMessage, HostAlarm, WhenNotReady, codes_in, gravity, opaque
from lockbridge.domain.rules import (
    BadRule,
    By,
    Moments,
    Quiet,
    Reach,
    Rule,
    Trigger,
    check_rule,
    defaults,
    due,
    instead,
    is_direct,
    nearest,
    rule_of,
    useful_until,
    ways,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BERLIN = "Europe/Berlin"
CHECK_IN = datetime(2026, 3, 30, 14, tzinfo=UTC)
"""16:00 in Berlin, on the day after the clocks went forward there."""
MOMENTS = Moments(
    zone=BERLIN,
    booked=datetime(2026, 1, 5, 10, tzinfo=UTC),
    opens=CHECK_IN - HOUR,
    check_in=CHECK_IN,
    check_out=CHECK_IN + 3 * DAY - 5 * HOUR,
    closes=CHECK_IN + 3 * DAY - 4 * HOUR,
    set_from=CHECK_IN - 3 * DAY,
)
TEXTS = {kind.value for kind in GuestMessage} | {"house-rules"}


def rule(trigger=Trigger.BEFORE_CHECK_IN, name="tips", **parts):
    return Rule(**{"name": name, "trigger": trigger, "template": "house-rules", **parts})


# --- which holds


def test_r34_the_nearest_rule_of_a_name_holds_property_then_host_then_default():
    usual = defaults(24 * HOUR, WhenNotReady.HOLD)
    at_host, at_place = rule(name="thanks", hours=5), rule(name="thanks", enabled=False)
    assert nearest(usual)["thanks"].hours == 2
    assert nearest(usual, [at_host])["thanks"] == at_host
    assert nearest(usual, [at_host], [at_place])["thanks"] == at_place
    assert nearest(usual, [at_host], [at_place])["access-code"] == usual[0]


def test_r34_what_works_out_of_the_box_is_the_code_corrections_backups_the_field_and_thanks():
    usual = {each.name: each for each in defaults(24 * HOUR, WhenNotReady.BACKUP)}
    assert set(usual) == {"access-code", "correction", "backup-code", "door-code", "thanks"}
    assert (usual["access-code"].hours, usual["access-code"].when_not_ready) == (24, WhenNotReady.BACKUP)
    for each in usual.values():
        check_rule(each, TEXTS)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("access_code", "access-code"), ("extended", "access-code"), ("fallback", "access-code"), ("tips", "tips")],
)
def test_r38_messages_of_earlier_versions_follow_the_rule_of_their_kind(kind, name):
    assert rule_of(kind) == name


# --- when


@pytest.mark.parametrize(
    ("chosen", "at"),
    [
        (rule(hours=3), CHECK_IN - 4 * HOUR),
        (rule(days=1), datetime(2026, 3, 29, 13, tzinfo=UTC)),
        (rule(days=2), datetime(2026, 3, 28, 14, tzinfo=UTC)),
        (rule(days=2, at=time(18)), datetime(2026, 3, 28, 17, tzinfo=UTC)),
        (rule(days=1, at=time(2, 30)), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        (rule(Trigger.AFTER_CHECK_IN, hours=2), CHECK_IN + 2 * HOUR),
        (rule(Trigger.AFTER_CHECK_IN, days=1, at=time(9)), datetime(2026, 3, 31, 7, tzinfo=UTC)),
        (rule(Trigger.BEFORE_CHECK_OUT, hours=2), MOMENTS.check_out - 2 * HOUR),
        (rule(Trigger.AFTER_CHECK_OUT, hours=2), MOMENTS.check_out + 2 * HOUR),
        (rule(Trigger.BOOKED), MOMENTS.booked),
        (rule(Trigger.CODE_SET), MOMENTS.set_from),
        (rule(Trigger.CODE_CHANGED), None),
        (rule(Trigger.BACKUP_GIVEN), None),
    ],
)
def test_r34_a_rule_is_due_on_the_propertys_clock_also_when_that_changes(chosen, at):
    assert due(chosen, MOMENTS) == at


def test_r36_the_access_code_is_due_at_the_opening_at_the_latest():
    late = rule(Trigger.AFTER_CHECK_IN, name="access-code", template="access_code", hours=5)
    assert due(late, MOMENTS) == MOMENTS.opens
    assert due(rule(name="access-code", hours=24), MOMENTS) == MOMENTS.opens - DAY


def test_a_message_that_comes_before_something_is_of_use_until_then_and_one_after_it_for_a_day():
    assert useful_until(rule(days=3), MOMENTS) == MOMENTS.check_in
    assert useful_until(rule(Trigger.BEFORE_CHECK_OUT, hours=2), MOMENTS) == MOMENTS.check_out
    assert useful_until(rule(Trigger.AFTER_CHECK_OUT, hours=2), MOMENTS) == MOMENTS.check_out + 26 * HOUR
    assert useful_until(rule(Trigger.BOOKED), MOMENTS) == MOMENTS.booked + DAY
    assert useful_until(rule(name="access-code", hours=24), MOMENTS) == MOMENTS.closes


# --- what is refused


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (rule(name="House rules"), "small letters"),
        (rule(name="fallback"), "this name is taken"),
        (rule(template="house-rulez"), "there is no text 'house-rulez': there are access_code"),
        (rule(hours=3, at=time(9)), "not both"),
        (rule(days=-1), "days are 0 to 365"),
        (rule(hours=721), "hours are 0 to 720"),
        (rule(language="German"), "like de"),
        (rule(Trigger.CODE_CHANGED, hours=1), "code_changed has no days or hours"),
        (rule(Trigger.CODE_SET, days=1), "code_set has no days or hours"),
        (rule(channel=By.FIELD), "with the trigger code_set"),
        (rule(Trigger.CODE_SET, channel=By.FIELD, when_not_ready=WhenNotReady.FALLBACK), "no text but the code"),
        (rule(Trigger.CODE_SET, name="door-code"), "goes no other way"),
        (rule(name="correction"), "goes with the trigger code_changed"),
        (rule(Trigger.CODE_CHANGED, name="access-code"), "goes with the trigger booked or"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_its_name_and_what_would(wrong, words):
    with pytest.raises(BadRule, match=words) as refused:
        check_rule(wrong, TEXTS)
    assert repr(wrong.name) in str(refused.value)


# --- by which way

EVERYWHERE = Reach(inbox=True, email=True, sms=True)


@pytest.mark.parametrize(
    ("reach", "goes"),
    [
        (EVERYWHERE, (By.PLATFORM,)),
        (Reach(inbox=True, email=True, sms=True, direct=True), (By.EMAIL, By.SMS)),
        (Reach(email=True, sms=True), (By.EMAIL,)),
        (Reach(email=True, direct=True), (By.EMAIL,)),
        (Reach(sms=True), (By.SMS,)),
        (Reach(sms=True, direct=True), (By.SMS,)),
        (Reach(), ()),
    ],
)
def test_r37_a_message_goes_the_way_the_booking_asks_for(reach, goes):
    assert ways(By.AUTO, reach) == goes


def test_r37_a_rule_may_say_the_way_and_a_missing_inbox_is_no_reason_to_be_silent():
    assert ways(By.SMS, EVERYWHERE) == (By.SMS,)
    assert ways(By.EMAIL, Reach(sms=True)) == ()
    assert ways(By.SMS, Reach(email=True)) == ()
    assert ways(By.WEBHOOK, Reach()) == (By.WEBHOOK,)
    assert ways(By.PLATFORM, Reach(inbox=True, direct=True)) == (By.PLATFORM,)
    assert ways(By.PLATFORM, Reach(email=True)) == (By.EMAIL,)


def test_r37_a_way_that_refuses_for_good_has_the_next_one_behind_it():
    assert instead(By.PLATFORM, By.AUTO, EVERYWHERE) is By.EMAIL
    assert instead(By.PLATFORM, By.AUTO, Reach(inbox=True, sms=True)) is By.SMS
    assert instead(By.EMAIL, By.AUTO, EVERYWHERE) is By.SMS
    assert instead(By.EMAIL, By.AUTO, Reach(email=True, sms=True, direct=True)) is None
    assert instead(By.SMS, By.AUTO, EVERYWHERE) is None
    assert instead(By.EMAIL, By.EMAIL, EVERYWHERE) is None


@pytest.mark.parametrize("word", ["direct", "Direct booking", "WEBSITE", "manual", "Walk-in", "be-api direct"])
def test_r37_platforms_have_many_words_for_a_direct_booking(word):
    assert is_direct(word)


@pytest.mark.parametrize("word", [None, "", "airbnb", "Booking.com", "homeaway", "redirected"])
def test_r37_other_words_are_channels(word):
    assert not is_direct(word)


# --- when it waits

NIGHT = Quiet(time(22), time(7))


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-06-05 21:59+02:00", None),
        ("2026-06-05 22:00+02:00", "2026-06-06 07:00+02:00"),
        ("2026-06-06 03:00+02:00", "2026-06-06 07:00+02:00"),
        ("2026-06-06 07:00+02:00", None),
    ],
)
def test_the_quiet_hours_are_those_of_the_propertys_clock(now, until):
    assert NIGHT.until(utc(now), BERLIN) == (until and utc(until))


def utc(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def test_quiet_hours_may_lie_within_a_day_and_the_same_time_twice_is_none():
    noon = datetime(2026, 6, 5, 12, tzinfo=UTC)
    assert Quiet(time(13), time(15)).until(noon, "UTC") is None
    assert Quiet(time(12), time(15)).until(noon, "UTC") == noon + 3 * HOUR
    assert Quiet(time(12), time(12)).until(noon, "UTC") is None


@given(
    st.integers(0, 365 * 24 * 60).map(lambda minutes: MOMENTS.booked + timedelta(minutes=minutes)),
    st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_the_quiet_ends_within_a_night_and_then_it_is_not_quiet(now, zone):
    until = NIGHT.until(now, zone)
    if until is not None:
        assert now <= until <= now + 10 * HOUR
        assert NIGHT.until(until, zone) is None


# --- what they are about


def test_r35_a_text_with_a_guests_digits_is_about_a_code():
    assert codes_in("Dear %guest_name%: %smartlock_code%, or %backup_code%") == {"smartlock_code", "backup_code"}
    assert codes_in("Dear %guest_name%, 100%smartlock") == frozenset()


def test_r27_of_several_alarms_that_which_a_guest_meets_first_is_the_gravest_and_good_news_come_last():
    ordered = sorted(HostAlarm, key=gravity)
    assert ordered[:2] == [HostAlarm.GUEST_AT_DOOR, HostAlarm.PUSH_FAILED]
    assert set(ordered[-4:]) == {
        HostAlarm.CODE_SET,
        HostAlarm.LOCK_ONLINE,
        HostAlarm.BATTERY_OK,
        HostAlarm.ACCOUNT_CONNECTED,
    }


def test_r38_a_key_has_one_opaque_name():
    assert opaque("access_code:1") == opaque("access_code:1") != opaque("access_code:2")
    assert "access" not in opaque("access_code:1")
