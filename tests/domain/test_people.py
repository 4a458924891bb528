"""Who may do what, and what a host is never without."""

import pytest

from lockbridge.domain.messages import GRAVEST, QUIET_IF_WISHED, HostAlarm, is_wanted
from lockbridge.domain.people import (
    LastOwner,
    Right,
    Role,
    WeakPassword,
    check_owner_left,
    check_password,
    email_key,
    may,
)


@pytest.mark.parametrize("after", [None, Role.MANAGER, Role.STAFF])
def test_the_last_owner_stays_owner(after):
    with pytest.raises(LastOwner, match="last owner"):
        check_owner_left(Role.OWNER, after, 1)
    check_owner_left(Role.OWNER, after, 2)
    check_owner_left(Role.MANAGER, after, 1)
    check_owner_left(Role.OWNER, Role.OWNER, 1)


def test_staff_and_support_never_just_see_digits():
    assert [role for role in Role if may(role, Right.SEE_PINS)] == [Role.OWNER, Role.MANAGER]
    assert [role for role in Role if may(role, Right.REVEAL)] == [Role.SUPPORT]
    assert [role for role in Role if may(role, Right.PEOPLE)] == [Role.OWNER]


@pytest.mark.parametrize(
    "password", ["short", "aaaabbbbaaaa", "password123!", "0123456789", "ida@example.com", "qwertyuiop", "x" * 1025]
)
def test_a_password_everybody_would_try_is_refused(password):
    with pytest.raises(WeakPassword):
        check_password(password, email="ida@example.com", name="Ida")


def test_a_sentence_is_a_good_password():
    check_password("a door for everyone", email="ida@example.com", name="Ida")


def test_addresses_are_compared_without_case_and_spaces():
    assert email_key(" Ida@Example.com ") == "ida@example.com"


def test_no_grave_alarm_can_be_switched_off_and_any_other_is_heard_unless_it_is():
    everything = {alarm.value for alarm in HostAlarm}
    assert all(is_wanted(alarm, everything) for alarm in GRAVEST)
    assert not any(is_wanted(alarm, everything) for alarm in QUIET_IF_WISHED)
    assert all(is_wanted(alarm, set()) for alarm in HostAlarm)


@pytest.mark.parametrize("alarm", [HostAlarm.FIELD_NOT_WRITTEN, HostAlarm.SOURCES_DISAGREE])
def test_what_can_keep_a_guest_out_is_told_whatever_was_switched_off(alarm):
    assert is_wanted(alarm, {alarm.value})
