"""What is particular to the documented JSON shape."""

import re
from datetime import UTC, datetime, time
from pathlib import Path

import orjson
import pytest

from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Ignored, Unreadable
from lockbridge.platforms.contract import ReservationEvent
from lockbridge.platforms.generic import HOOK
from tests.platforms.make_believe import NOW, Booking, Generic

VENDOR = Generic()
DOCUMENT = Path(__file__).parents[2] / "docs" / "platform-generic.md"


def read(body: bytes) -> ReservationEvent:
    (event,) = HOOK.read(VENDOR.delivery(body))
    assert isinstance(event, ReservationEvent)
    return event


def read_booking(**changes) -> ReservationEvent:
    return read(VENDOR.body(Booking(**changes)))


def complaint(**extra) -> str:
    with pytest.raises(Unreadable) as caught:
        read_booking(extra=extra)
    return str(caught.value)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("confirmed", StayStatus.CONFIRMED),
        ("Confirmed", StayStatus.CONFIRMED),
        ("pending", StayStatus.PENDING),
        ("cancelled", StayStatus.CANCELLED),
        ("canceled", StayStatus.CANCELLED),
        ("blocked", StayStatus.BLOCKED),
        ("no-show", StayStatus.UNKNOWN),
        ("unknown", StayStatus.UNKNOWN),
    ],
)
def test_each_status_word_has_one_meaning(word, status):
    event = read_booking(extra={"status": word})
    assert (event.status, event.raw_status) == (status, word)


@pytest.mark.parametrize("status", [None, "cancelled", "confirmed"])
def test_the_type_cancelled_cancels_whatever_the_status_says(status):
    assert read_booking(happening="cancelled", extra={"status": status}).status is StayStatus.CANCELLED


def test_what_may_be_left_out_may_be_left_out():
    data = {"id": "r1", "property": "p1", "status": "confirmed", "arrival": "2026-06-14", "departure": "2026-06-16"}
    event = read(orjson.dumps({"type": "reservation.created", "data": data}))
    assert (event.reservation_code, event.changed_at, event.guest_name, event.check_in) == ("r1", None, None, None)


def test_the_envelopes_timestamp_orders_events_without_updated_at():
    envelope = orjson.loads(VENDOR.body(Booking(extra={"updated_at": None})))
    event = read(orjson.dumps(envelope | {"timestamp": "2026-05-20T08:00:00-04:00"}))
    assert event.changed_at == NOW == datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(("said", "meant"), [("16:00", time(16)), ("00:00", time(0)), ("16:30:15", time(16, 30, 15))])
def test_a_time_of_day_is_local_and_exact(said, meant):
    assert read_booking(check_in=said).check_in == meant


@pytest.mark.parametrize(
    "value", ["4 pm", "16", "25:00", "24:00", "16:00Z", "16:00+02:00", "", 16, 1600, ["16:00"], "\uff11\uff16:00"]
)
def test_a_time_of_day_that_is_none_is_refused(value):
    assert "data.check_in is " in complaint(check_in=value)
    assert "it must be a time of day like 16:00, or null" in complaint(check_out=value)


@pytest.mark.parametrize(
    "value", ["2026-05-20T12:00:00", "2026-05-20", "yesterday", 1_700_000_000, "0001-01-01T00:00:00+14:00"]
)
def test_an_instant_without_offset_or_sense_is_refused(value):
    assert "it must be an instant with an offset like 2026-05-31T14:00:00Z" in complaint(updated_at=value)


def test_complaints_name_the_path_to_the_field():
    assert complaint(guest={"phone": ["+15550101234"]}).startswith("data.guest.phone is a list; it must be a text")
    assert complaint(guest="Ida").startswith("data.guest is a text; it must be an object")
    assert complaint(status=" ").startswith("data.status is blank")
    assert complaint(owner_stay="yes").startswith("data.owner_stay is a text; it must be true or false")


def test_a_phone_written_as_a_number_does_not_cost_the_guest_the_code():
    assert read_booking(extra={"guest": {"phone": 15550101234}}).phone == "15550101234"


def test_data_that_is_missing_is_named():
    with pytest.raises(Unreadable, match=r"^data is missing; it must be an object"):
        read(b'{"type":"reservation.created"}')
    with pytest.raises(Unreadable, match=r"^type is missing; it must be a text"):
        read(b"{}")


def test_a_ping_is_ignored():
    assert HOOK.read(VENDOR.delivery(b'{"type":"ping"}')) == [Ignored("not about a reservation: ping")]


def test_an_id_too_long_to_keep_is_still_a_key_of_its_own():
    keys = {HOOK.dedupe_key(VENDOR.delivery(VENDOR.body(Booking(event_id="e" * n)))) for n in (128, 129, 5000)}
    assert len(keys) == 3
    assert all(len(key) <= 131 for key in keys)


def test_the_documented_example_is_read_and_documents_every_field():
    example = re.search(r"```json\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    event = read(example[1].encode())
    unsaid = {name for name in ReservationEvent.__slots__ if getattr(event, name) is None}
    assert unsaid == {"reservation_ref", "check_in_instant", "check_out_instant"}


def test_the_documented_python_signs_as_we_verify(monkeypatch):
    source = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert source is not None
    names: dict[str, object] = {}
    exec(compile(source[1], str(DOCUMENT), "exec"), names)  # noqa: S102 - our own document
    headers = names["signed"](VENDOR.secret, "evt-1", int(NOW.timestamp()), b"{}")
    lower = {name.lower(): value for name, value in headers.items()}
    genuine = VENDOR.delivery(b"{}")
    HOOK.authenticate(type(genuine)(lower, b"{}", NOW), VENDOR.secret, NOW)
