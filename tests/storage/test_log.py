import io
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from lockbridge.domain.code import Pin
from lockbridge.log import HIDDEN, hide_secrets, set_up

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def logged():
    """Sets logging up and gives what was logged; logging is as it was afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level

    def begin(**options):
        set_up(stream=stream, **options)
        return stream

    yield begin
    root.handlers[:], _ = before
    root.setLevel(before[1])
    structlog.reset_defaults()


def hidden(**values):
    return hide_secrets(None, "info", values)


SECRET_NAMES = "pin pins digits guest_phone phoneNumber Phone-Number email access_token api_token secret smtp_password"


@pytest.mark.parametrize("name", [*SECRET_NAMES.split(), "Authorization", "webhook_signature", "set-cookie"])
@pytest.mark.parametrize("value", ["01650165", b"0165", 165, ["0165"], {"a": "0165"}])
def test_a_value_whose_name_says_secret_is_hidden(name, value):
    assert hidden(**{name: value}) == {name: HIDDEN}


def test_a_pin_hides_itself_under_any_name():
    assert hidden(pin=Pin("0165"), chosen=[Pin("012345")], secret=SecretStr("0165")) == {
        "pin": "••65",
        "chosen": ["••••45"],
        "secret": "**********",
    }


def test_what_is_only_about_a_secret_is_shown():
    shown = {"pin_reason": "phone_digits", "pin_length": 4, "phone": None, "token_id": 7, "secret": False}
    assert hidden(**shown) == shown


@pytest.mark.parametrize(
    "name", ["error", "detail", "text", "body", "vendor_message", "code_name", "pin_detail", "code"]
)
@pytest.mark.parametrize("digits", ["0165", "123456", "+1 555-010-0123", "(555) 010 0123"])
def test_runs_of_digits_in_somebodys_words_are_hidden(name, digits):
    said = hidden(**{name: f"the code {digits} exists"})[name]
    assert HIDDEN in said
    assert not any(part in said for part in ("0165", "1234", "010", "0123"))


def test_dates_short_numbers_and_our_own_numbers_stay():
    shown = {"detail": "3 of 100 on 2026-07-01 at 2026-07-01T12:00:00", "code": 123456, "lock": 12345, "at": NOON}
    assert hidden(**shown) == shown


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("GET https://a.example/x?token=abc&y=1", f"GET https://a.example/x?token={HIDDEN}&y=1"),
        ("POST /webhooks/generic/abc123 401", f"POST /webhooks/generic/{HIDDEN} 401"),
        ("Authorization: Bearer abc.def-1", f"Authorization: Bearer {HIDDEN}"),
        ("postgresql://me:abc@db/x", f"postgresql://me:{HIDDEN}@db/x"),
        ("api_key=abc 'pin=0165'", f"api_key={HIDDEN} 'pin={HIDDEN}'"),
    ],
)
def test_credentials_inside_any_text_are_hidden(text, harmless):
    assert hidden(event=text) == {"event": harmless}


def test_secrets_are_found_at_any_depth():
    assert hidden(answer={"locks": [{"name": "Door", "credentials": {"user": "x"}}], "body": b"0165"}) == {
        "answer": {"locks": [{"name": "Door", "credentials": HIDDEN}], "body": "<4 bytes>"}
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_hiding_never_fails(value):
    hidden(event="x", value=value, error=value)


def test_our_events_come_out_as_one_line_of_json(logged):
    stream = logged(style="json")
    structlog.get_logger("lockbridge.push").info("push refused", lock=7, pin=Pin("0165"), phone="+15550100123")
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "push refused",
        "level": "info",
        "logger": "lockbridge.push",
        "lock": 7,
        "pin": "••65",
        "phone": HIDDEN,
    }


def test_events_of_libraries_pass_the_same_way(logged):
    stream = logged(style="json")
    logging.getLogger("somebody").warning("calling %s", "https://a.example/?token=abc")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"]) == (f"calling https://a.example/?token={HIDDEN}", "somebody")


@pytest.mark.parametrize("style", ["console", "json"])
def test_an_exception_is_logged_without_the_digits_in_it(logged, style):
    stream = logged(style=style)

    def refuse():
        code = "016516"  # a line of source that must not show its digits either
        message = f"the lock refused {code}"
        raise ValueError(message)

    try:
        refuse()
    except ValueError:
        structlog.get_logger().exception("push failed", detail="PIN 016516 exists")
    assert "the lock refused" in stream.getvalue()
    assert "016516" not in stream.getvalue()


def test_whatever_is_not_json_is_written_as_text(logged):
    @dataclass
    class Thing:
        x: int

    stream = logged(style="json")
    structlog.get_logger().info("odd", thing=Thing(1), numbers={1: {2, 3}}, at=NOON, body=b"abc")
    line = json.loads(stream.getvalue())
    assert "Thing(x=1)" in line["thing"]
    assert line["numbers"] == {"1": [2, 3]}
    assert (line["at"], line["body"]) == ("2026-07-01T12:00:00+00:00", "<3 bytes>")


def test_people_get_plain_lines_without_colours_in_a_file(logged):
    stream = logged()
    structlog.get_logger().info("lock is back", lock=7)
    assert "lock is back" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("library", ["httpx", "apscheduler.executors.default", "uvicorn.access", "httpcore.http11"])
def test_libraries_that_log_addresses_or_every_second_are_quiet(logged, library):
    stream = logged()
    logging.getLogger(library).info("HTTP Request: POST https://a.example/token/abc")
    assert stream.getvalue() == ""


def test_the_level_holds_for_everybody(logged):
    stream = logged(level="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("somebody").info("quiet")
    structlog.get_logger().warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()
