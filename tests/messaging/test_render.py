import html
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from lockbridge.domain.code import Pin
from lockbridge.domain.messages import (
    DoorCode,
    GuestMessage,
    HostAlarm,
    StayFacts,
    UnknownShortCode,
    pins_told,
)
from lockbridge.messaging.render import Renderer

TEMPLATES = Path(__file__).parents[2] / "templates"
RENDERER = Renderer(TEMPLATES)
FRONT, BACK = DoorCode("Front door", Pin("0123")), DoorCode("Back door", Pin("8642"), is_backup=True)


def facts(**changes) -> StayFacts:
    known = {
        "guest_name": "Ana López",
        "property_name": "Beach House",
        "check_in": datetime(2026, 6, 5, 15),  # noqa: DTZ001 - wall time at the property
        "check_out": datetime(2026, 6, 8, 11),  # noqa: DTZ001 - wall time at the property
        "doors": (FRONT, BACK),
    }
    return StayFacts(**(known | changes))


def context(alarm: HostAlarm, value: object = "X") -> dict[str, object]:
    return dict.fromkeys(RENDERER.variables(alarm), value)


# --- what a guest reads


@pytest.mark.parametrize("kind", [GuestMessage.ACCESS_CODE, GuestMessage.CORRECTION, GuestMessage.EXTENDED])
def test_r36_each_code_message_tells_every_code_in_text_and_in_html(kind):
    text = RENDERER.render_guest(kind, "en", facts())
    pins = {"front": FRONT.pin, "back": BACK.pin}
    assert pins_told(text.text, pins) == pins_told(text.html, pins) == {"front", "back"}


def test_r25_the_backup_message_tells_the_backup_and_what_opens_the_doors_that_need_none():
    own, gate = DoorCode(BACK.lock_name, Pin("7777")), DoorCode("Gate", Pin("6543"), is_confirmed=False)
    text = RENDERER.render_guest(GuestMessage.BACKUP_CODE, "en", facts(doors=(FRONT, own, gate, BACK)))
    pins = {"front": FRONT.pin, "own": own.pin, "gate": gate.pin, "back": BACK.pin}
    assert pins_told(text.text, pins) == pins_told(text.html, pins) == {"front", "back"}
    assert text.text.index("Back door: 8642") < text.text.index("other doors") < text.text.index("Front door: 0123")


def test_r25_a_backup_message_for_all_doors_speaks_of_no_others():
    text = RENDERER.render_guest(GuestMessage.BACKUP_CODE, "en", facts(doors=(BACK,)))
    assert "other doors" not in text.text + text.html
    assert "    8642\n" in text.text


def test_r35_the_fallback_text_tells_no_code():
    text = RENDERER.render_guest(GuestMessage.FALLBACK, "en", facts())
    assert pins_told(text.text + text.html, {"front": FRONT.pin, "back": BACK.pin}) == set()


def test_r11_a_correction_names_the_lock():
    text = RENDERER.render_guest(GuestMessage.CORRECTION, "en", facts(doors=(FRONT,)))
    assert "for Front door" in text.text
    assert "0123" in text.text


def test_r36_no_date_of_a_template_can_be_taken_for_a_pin():
    text = RENDERER.render_guest(GuestMessage.ACCESS_CODE, "en", facts())
    assert "Friday, 5 June, 3:00 PM until Monday, 8 June, 11:00 AM" in text.text
    assert pins_told(text.text, {"year": Pin("2026"), "hour": Pin("300"), "end": Pin("1100")}) == set()


@pytest.mark.parametrize("language", ["en", "en-GB", "xx", "", "../../email", "EN", "en/../en"])
def test_an_unknown_language_gets_english(language):
    expected = RENDERER.render_guest(GuestMessage.ACCESS_CODE, "en", facts())
    assert RENDERER.render_guest(GuestMessage.ACCESS_CODE, language, facts()) == expected


def test_a_known_language_is_spoken_with_its_own_words(tmp_path):
    folder = tmp_path / "guest" / "xy" / "access_code"
    folder.mkdir(parents=True)
    (folder.parent / "words.toml").write_text('date = "{day}. {month_number}."\n')
    for part in ("subject.txt", "body.txt", "body.html"):
        (folder / part).write_text("{{ check_in_date }}")
    assert Renderer(tmp_path).render_guest(GuestMessage.ACCESS_CODE, "xy-AB", facts()).subject == "5. 6."


@pytest.mark.parametrize("kind", GuestMessage)
@given(hostile=st.text(st.characters(codec="utf-8"), max_size=40))
def test_whatever_a_guest_is_called_the_subject_is_one_line_and_the_html_is_escaped(kind, hostile):
    stay = facts(guest_name=hostile, guest_first_name=hostile, property_name=hostile)
    text = RENDERER.render_guest(kind, "en", stay)
    plain = RENDERER.render_guest(kind, "en", facts())
    assert len(text.subject.splitlines()) == 1
    assert re.findall(r"<[^>]*>", text.html) == re.findall(r"<[^>]*>", plain.html)


def test_a_name_cannot_turn_the_digits_around_or_add_lines():
    stay = facts(guest_name="Ana\u202e\r\nBcc: x@example.org", guest_first_name="A\x00\u2066na\nB")
    text = RENDERER.render_guest(GuestMessage.ACCESS_CODE, "en", stay)
    assert text.text.startswith("Hello Ana B,\n")
    assert not set(text.text) & set("\r\x00\u202e\u2066")


def test_values_are_no_templates():
    text = RENDERER.render_guest(GuestMessage.ACCESS_CODE, "en", facts(guest_first_name="{{ 7 * 7 }}%backup_code%"))
    assert "{{ 7 * 7 }}%backup_code%" in text.text


# --- what a host wrote


def test_r34_a_written_text_is_filled_and_shown_as_written():
    text = RENDERER.render_written("For %guest_name%", "Code:\n%smartlock_code%\n\n1 < 2 & {{ x }}", "en", facts())
    assert text.subject == "For Ana López"
    assert text.text == "Code:\nFront door: 0123\nBack door: 8642\n\n1 < 2 & {{ x }}"
    assert "Code:<br>\nFront door: 0123<br>\nBack door: 8642<br>\n<br>\n1 &lt; 2 &amp; {{ x }}" in text.html


def test_r34_a_written_text_with_an_unknown_short_code_is_not_rendered():
    with pytest.raises(UnknownShortCode):
        RENDERER.render_written("Hello", "%nope%", "en", facts())


@given(name=st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30))
def test_r34_values_in_a_written_text_are_escaped_for_html(name):
    text = RENDERER.render_written("s", "[%guest_name%]", "en", facts(guest_name=name))
    assert text.text == f"[{name}]"
    assert f"[{html.escape(name)}]" in text.html


# --- what a host reads


def test_every_message_and_alarm_has_its_template_and_no_template_is_left_over():
    guest = {path.name for path in (TEMPLATES / "guest" / "en").iterdir() if path.is_dir()}
    assert guest == set(GuestMessage)
    assert {path.stem for path in (TEMPLATES / "email" / "host").iterdir()} == set(HostAlarm)


@pytest.mark.parametrize("alarm", HostAlarm)
def test_r27_each_alarm_renders_with_its_variables_and_shows_the_arrivals_it_threatens(alarm):
    text = RENDERER.render_host(alarm, context(alarm) | {"arrivals": ["Fri 5 June – Ana"]})
    assert text.subject
    assert "\n" not in text.subject
    assert text.html is None
    assert not re.search(r"\{\{|\{%|\n\n\n", text.text)
    assert RENDERER.render_host(alarm, context(alarm)).text


@pytest.mark.parametrize("alarm", [HostAlarm.LOCK_OFFLINE, HostAlarm.PUSH_FAILED, HostAlarm.ARRIVALS_AT_RISK])
def test_r27_the_advice_of_the_seed_is_given(alarm):
    text = RENDERER.render_host(alarm, context(alarm)).text.lower()
    assert "replace the battery" in text
    assert "just one lock: move the hub closer to the lock" in text
    assert re.search(r"all \(or several\) locks: check the hub.*wifi", text)


def test_a_lock_named_over_two_lines_stays_in_the_subject_on_one():
    values = context(HostAlarm.LOCK_ONLINE) | {"lock_name": "Front\r\nBcc: x@example.org"}
    assert RENDERER.render_host(HostAlarm.LOCK_ONLINE, values).subject == (
        "Front Bcc: x@example.org is connected again"
    )


def test_an_instant_is_shown_with_its_zone_and_lists_are_cleaned():
    values = context(HostAlarm.LOCK_OFFLINE) | {
        "since": datetime(2026, 6, 5, 15, tzinfo=UTC),
        "others_offline": 2,
        "arrivals": [{"who": "A\nB"}],
    }
    text = RENDERER.render_host(HostAlarm.LOCK_OFFLINE, values).text
    assert "since 2026-06-05 15:00 UTC" in text
    assert "2 other locks" in text
    assert "A B" in text


def test_a_missing_variable_is_an_error_not_a_hole():
    with pytest.raises(UndefinedError):
        RENDERER.render_host(HostAlarm.LOCK_ONLINE, {})


@pytest.mark.parametrize("alarm", HostAlarm)
def test_the_readme_lists_the_variables_of_each_alarm(alarm):
    readme = (TEMPLATES / "README.md").read_text(encoding="utf-8")
    row = next(line for line in readme.splitlines() if line.startswith(f"| `{alarm}` |"))
    assert set(re.findall("`([a-z_]+)`", row)) - {alarm.value} == RENDERER.variables(alarm)


@pytest.mark.parametrize("alarm", HostAlarm)
def test_a_host_is_sent_to_a_page_and_never_to_the_command_line(alarm):
    address = "https://doors.example/console/1"
    text = RENDERER.render_host(alarm, context(alarm) | {"console": address}).text
    assert not re.search(r"`|lockbridge (stay|property|platform|inbox|message|keypad) ", text)
    assert all(link.startswith(address) for link in re.findall(r"\S*/console\S*", text))
