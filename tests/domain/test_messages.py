import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lockbridge.domain.code import Pin, Window
from lockbridge.domain.messages import (
    SHORT_CODES,
    DateStyle,
    DoorCode,
    SendAs,
    StayFacts,
    UnknownShortCode,
    WhenNotReady,
    at_send_time,
    check_text,
    fill,
    message_id,
    message_key,
    pins_told,
    short_code_values,
    smartlock_code_text,
    unknown_short_codes,
)

OPENS = datetime(2026, 6, 5, 19, tzinfo=UTC)
WINDOW = Window(OPENS, OPENS + timedelta(days=3))
DAY = timedelta(days=1)
FRONT, BACK = DoorCode("Front door", Pin("0123")), DoorCode("Back door", Pin("4567"))
BACKUP = DoorCode("Back door", Pin("8642"), is_backup=True)


def facts(**changes) -> StayFacts:
    known = {
        "guest_name": "Ana López",
        "property_name": "Beach House",
        "check_in": datetime(2026, 6, 5, 15),  # noqa: DTZ001 - wall time at the property
        "check_out": datetime(2026, 6, 8, 11),  # noqa: DTZ001 - wall time at the property
        "phone": "+1 555 0142",
        "doors": (FRONT,),
    }
    return StayFacts(**(known | changes))


known_code = st.sampled_from(sorted(SHORT_CODES))
digits = st.text("0123456789", min_size=4, max_size=8)
prose = st.text(st.characters(exclude_characters="%", exclude_categories=("Cs",)), max_size=30)


# --- short codes


def test_r34_every_short_code_of_the_rulebook_exists_and_says_what_it_means():
    assert set(SHORT_CODES) == {
        "smartlock_code", "guest_first_name", "guest_name", "property_name", "check_in_date", "check_in_time",
        "check_out_date", "check_out_time", "lock_names", "guest_phone_last4", "backup_code",
        "operations_smartlock_code", "guest_page",
    }  # fmt: skip
    assert all(meaning.endswith(".") for meaning in SHORT_CODES.values())
    assert set(short_code_values(facts())) == set(SHORT_CODES)


def test_r34_a_misspelt_short_code_is_refused_with_the_one_that_was_meant():
    with pytest.raises(UnknownShortCode, match=r"%smartlok_code% is not a short code, did you mean %smartlock_code%\?"):
        check_text("Your code: %smartlok_code%")


def test_r34_a_short_code_like_no_other_is_refused_with_the_list():
    with pytest.raises(UnknownShortCode, match=r"%wifi% is not a short code; there are %smartlock_code%, .*"):
        check_text("%wifi%")


@pytest.mark.parametrize(
    ("text", "name"),
    [("%Guest_Name%", "Guest_Name"), ("%guest name%", "guest name"), ("%smartlock-code%", "smartlock-code")],
)
def test_r34_a_short_code_in_other_letters_would_be_sent_raw_and_is_refused(text, name):
    nearest = re.sub("[ -]", "_", name.lower())
    assert unknown_short_codes(f"50% off, {text}") == [(name, nearest)]


def test_r34_each_unknown_short_code_is_told_once():
    assert [name for name, _ in unknown_short_codes("%abc% %xyz% %abc%")] == ["abc", "xyz"]


@pytest.mark.parametrize(
    "text",
    [
        "50% off",
        "100%",
        "%%",
        "10%20%",
        "5% off and 20% more",
        "https://example.org/?q=a%20b%20c%C3%A9%e2%82%ac",
        "%smartlock_code%%guest_name%",
        "%%smartlock_code%%",
        "100%%smartlock_code%",
        "",
    ],
)
def test_r34_percentages_and_web_addresses_are_no_short_codes(text):
    check_text(text)


@given(known_code, st.integers(0, 40), st.sampled_from("abcdefghijklmnopqrstuvwxyz_"))
def test_r34_a_short_code_with_one_letter_too_many_is_never_let_through(name, place, letter):
    wrong = name[: place % len(name)] + letter + name[place % len(name) :]
    assume(wrong not in SHORT_CODES)
    assert [found for found, _ in unknown_short_codes(f"Hello %{wrong}%!")] == [wrong]


# --- the code as text


def test_r34_one_pin_on_all_locks_is_told_as_the_digits_alone():
    assert smartlock_code_text([FRONT, DoorCode("Gate", Pin("0123"))]) == "0123"


def test_r34_divergent_locks_get_a_line_each_with_their_name():
    assert smartlock_code_text([FRONT, BACK]) == "Front door: 0123\nBack door: 4567"


def test_r34_without_locks_there_is_no_code_to_tell():
    assert smartlock_code_text([]) == ""


def test_r25_a_lock_that_has_only_a_backup_is_told_with_it():
    stay = facts(doors=(FRONT, BACKUP))
    assert stay.smartlock_code == "Front door: 0123\nBack door: 8642"
    assert stay.backup_code == "Back door: 8642"


def test_r25_a_lock_that_has_both_tells_each_under_its_own_short_code():
    stay = facts(doors=(BACK, BACKUP))
    assert (stay.smartlock_code, stay.backup_code) == ("4567", "8642")


def test_r34_the_values_are_those_of_the_stay():
    values = short_code_values(facts(staff=(DoorCode("Front door", Pin("7007")),)))
    assert values == {
        "smartlock_code": "0123",
        "guest_first_name": "Ana",
        "guest_name": "Ana López",
        "property_name": "Beach House",
        "check_in_date": "2026-06-05",
        "check_in_time": "15:00",
        "check_out_date": "2026-06-08",
        "check_out_time": "11:00",
        "lock_names": "Front door",
        "guest_phone_last4": "0142",
        "backup_code": "",
        "operations_smartlock_code": "7007",
        "guest_page": "",
    }


@pytest.mark.parametrize(("phone", "last4"), [(None, ""), ("123", ""), ("+1 (555) 01-09", "0109"), ("ext", "")])
def test_r34_the_last_four_of_a_phone_need_four_digits(phone, last4):
    assert facts(phone=phone).phone_last4 == last4


def test_r34_a_first_name_of_its_own_comes_before_the_first_word():
    assert fill("%guest_first_name%", facts(guest_first_name="Ana María")) == "Ana María"
    assert fill("%guest_first_name%", facts(guest_name="")) == ""


def test_r34_days_and_times_are_written_as_the_language_writes_them():
    style = DateStyle(
        "{weekday} {day} {month}", "{hour12}:{minute:02} {half}", ("Mo",) * 4 + ("Fr",) * 3, ("m",) * 12, ("AM", "PM")
    )
    at = [datetime(2026, 6, 5, hour, 5) for hour in (0, 11, 12, 23)]  # noqa: DTZ001 - wall times
    assert style.day(at[0]) == "Fr 5 m"
    assert [style.clock(each) for each in at] == ["12:05 AM", "11:05 AM", "12:05 PM", "11:05 PM"]


def test_a_phone_number_and_digits_stay_out_of_the_repr():
    shown = repr(facts())
    assert "0142" not in shown
    assert "0123" not in shown


# --- filling


def test_r34_a_guest_named_like_a_short_code_stays_that():
    stay = facts(guest_name="%backup_code% %smartlock_code%", doors=(FRONT, BACKUP))
    assert fill("%guest_name%", stay) == "%backup_code% %smartlock_code%"


def test_r34_a_text_with_an_unknown_short_code_is_never_filled():
    with pytest.raises(UnknownShortCode):
        fill("%smartlock_code% %nope%", facts())


@given(st.lists(st.one_of(prose, known_code.map("%{}%".format)), max_size=8))
def test_r34_filling_leaves_no_short_code_of_the_text(parts):
    filled = fill("".join(parts), facts())
    assert not re.findall("%(?:" + "|".join(SHORT_CODES) + ")%", filled)


@given(known_code, known_code)
def test_r34_values_are_not_looked_at_again(inside, where):
    stay = facts(guest_name=f"%{inside}%", property_name=f"%{inside}%", guest_first_name=f"%{inside}%")
    expected = short_code_values(stay)[where]
    assert fill(f"<%{where}%>", stay) == f"<{expected}>"


@given(prose, known_code, prose)
def test_r34_escaping_reaches_every_value_and_nothing_else(before, name, after):
    filled = fill(f"{before}%{name}%{after}", facts(), escape=lambda value: f"[{value.encode().hex()}]")
    assert filled == f"{before}[{short_code_values(facts())[name].encode().hex()}]{after}"


# --- what a text gave away


@pytest.mark.parametrize(
    "text",
    [
        "1234",
        "Your code is 1234.",
        "code:1234",
        "Front door: 1234\nBack door: 4567",
        "<p>Code <b>1234</b></p>",
        "<b>12</b><b>34</b>",
        "<td>99</td><td>1234</td>",
        "密码1234。",
        "&nbsp;1234&nbsp;",
        "(1234)",
        "1234, 5678",
    ],
)
def test_r36_a_pin_that_a_reader_sees_was_told(text):
    assert pins_told(text, {"door": Pin("1234")}) == {"door"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345",
        "01234",
        "12 34",
        "Reservation HMX1234",
        "1234abc",
        "2026-12-34 1234-01-01",
        "12/34",
        "+1-555-1234",
        '<p style="color: #1234; width: 1234">no</p>',
        "<!-- 1234 --><style>p { top: 1234 }</style>",
        "<td>12</td><td>34</td>",
        "&#1234;",
    ],
)
def test_r36_other_digits_are_no_telling(text):
    assert pins_told(text, {"door": Pin("1234")}) == set()


@given(st.dictionaries(st.integers(), digits, max_size=5), st.lists(digits, max_size=5))
def test_r36_exactly_the_pins_in_the_text_were_told(pins, said):
    told = pins_told("Codes: " + ", ".join(said) + ".", {key: Pin(value) for key, value in pins.items()})
    assert told == {key for key, value in pins.items() if value in said}


@given(digits, st.text("0123456789", min_size=1, max_size=3), st.booleans())
def test_r36_a_pin_inside_a_longer_number_was_not_told(pin, more, before):
    assert pins_told(more + pin if before else pin + more, {1: Pin(pin)}) == set()


@given(
    st.lists(st.builds(DoorCode, st.sampled_from(["Front", "Back", "Gate <1>"]), st.builds(Pin, digits)), max_size=3)
)
def test_r36_what_the_short_code_says_was_told(doors):
    text = fill("Hello, your code:\n%smartlock_code%\nBye", facts(doors=tuple(doors)))
    assert pins_told(text, {number: door.pin for number, door in enumerate(doors)}) == set(range(len(doors)))


# --- when


@pytest.mark.parametrize("policy", WhenNotReady)
def test_r35_a_confirmed_code_is_sent_whatever_the_policy(policy):
    assert at_send_time(policy, confirmed=True, window=WINDOW, now=OPENS - DAY) is SendAs.SEND


@pytest.mark.parametrize(
    ("policy", "before", "at_opening"),
    [
        (WhenNotReady.HOLD, SendAs.HOLD, SendAs.SEND),
        (WhenNotReady.FALLBACK, SendAs.FALLBACK, SendAs.SEND),
        (WhenNotReady.BACKUP, SendAs.BACKUP, SendAs.BACKUP),
    ],
)
def test_r36_at_the_opening_the_guest_is_told_at_the_latest(policy, before, at_opening):
    assert at_send_time(policy, confirmed=False, window=WINDOW, now=OPENS - timedelta(seconds=1)) is before
    assert at_send_time(policy, confirmed=False, window=WINDOW, now=OPENS) is at_opening


@pytest.mark.parametrize("confirmed", [True, False])
def test_r36_nothing_is_sent_about_a_window_that_is_over(confirmed):
    now = OPENS + timedelta(days=3)
    assert at_send_time(WhenNotReady.BACKUP, confirmed=confirmed, window=WINDOW, now=now) is SendAs.HOLD


# --- keys


part = st.one_of(st.text(max_size=12).filter(lambda text: text.isascii()), st.integers())


@given(st.lists(part.map(str), min_size=2, max_size=4), st.lists(part.map(str), min_size=2, max_size=4))
def test_r38_two_messages_share_a_key_only_when_they_are_one(one, other):
    assert (message_key(*one) == message_key(*other)) == (one == other)


def test_r38_a_message_id_is_stable_and_reveals_nothing():
    key = message_key("access_code", 12, "rev", 1)
    ours = message_id(key, "mail.example.org")
    assert ours == message_id(key, "mail.example.org")
    assert re.fullmatch(r"<[0-9a-f]{32}@mail\.example\.org>", ours)
    assert len({ours, message_id(key, "mail.example.org", secret=b"s"), message_id(key + "1", "mail.example.org")}) == 3


def test_r38_a_message_id_takes_no_domain_that_breaks_the_header():
    for domain in ("", "a b", "a>\r\nBcc: x", "-a"):
        with pytest.raises(ValueError, match="domain of a Message-ID"):
            message_id("key", domain)
