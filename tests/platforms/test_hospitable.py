"""What is particular to Hospitable's webhooks, v2."""

from datetime import UTC, date, datetime, time

import orjson
import pytest

from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Ignored, Unreadable
from lockbridge.platforms.contract import Event, Notice, ReservationEvent
from lockbridge.platforms.hospitable import PLATFORM
from tests.platforms.make_believe import NOW, Booking, Hospitable

VENDOR = Hospitable()


def read_envelope(changes: dict) -> Event:
    envelope = orjson.loads(VENDOR.body(Booking())) | changes
    (event,) = PLATFORM.read(Delivery({}, orjson.dumps(envelope), NOW))
    return event


def read(**extra) -> ReservationEvent:
    (event,) = PLATFORM.read(Delivery({}, VENDOR.body(Booking(extra=extra)), NOW))
    assert isinstance(event, ReservationEvent)
    return event


def current(category: object, sub_category: object = None) -> dict:
    return {"current": {"category": category, "sub_category": sub_category}, "history": []}


@pytest.mark.parametrize(
    ("category", "sub_category", "status", "raw"),
    [
        ("request", "pending verification", StayStatus.PENDING, "request: pending verification"),
        ("request", "awaiting approval", StayStatus.PENDING, "request: awaiting approval"),
        ("accepted", None, StayStatus.CONFIRMED, "accepted"),
        ("cancelled", None, StayStatus.CANCELLED, "cancelled"),
        ("not accepted", "declined", StayStatus.CANCELLED, "not accepted: declined"),
        ("not accepted", "withdrawn", StayStatus.CANCELLED, "not accepted: withdrawn"),
        ("not accepted", "expired", StayStatus.CANCELLED, "not accepted: expired"),
        ("checkpoint", "voided", StayStatus.UNKNOWN, "checkpoint: voided"),
        ("unknown", None, StayStatus.UNKNOWN, "unknown"),
        ("brand new", None, StayStatus.UNKNOWN, "brand new"),
        (None, None, StayStatus.UNKNOWN, ""),
        ([], 7, StayStatus.UNKNOWN, "7"),
    ],
)
def test_the_nested_category_decides(category, sub_category, status, raw):
    event = read(reservation_status=current(category, sub_category))
    assert (event.status, event.raw_status) == (status, raw)


@pytest.mark.parametrize("nested", [None, {}, [], {"current": None}, {"current": []}, "accepted"])
def test_the_flat_status_is_never_believed(nested):
    assert read(reservation_status=nested, status="accepted").status is StayStatus.UNKNOWN


def test_times_are_the_wall_clock_of_their_offset_and_instants_beside_it():
    event = read(check_in="2026-06-14T16:00:00-07:00", check_out="2026-06-16T11:30:00-07:00")
    assert (event.arrival, event.check_in) == (date(2026, 6, 14), time(16, 0))
    assert (event.departure, event.check_out) == (date(2026, 6, 16), time(11, 30))
    assert event.check_in_instant == datetime(2026, 6, 14, 23, tzinfo=UTC)
    assert event.check_out_instant == datetime(2026, 6, 16, 18, 30, tzinfo=UTC)
    assert event.check_in_instant.tzinfo is UTC


def test_a_date_is_that_of_its_own_offset_wherever_it_is_read():
    event = read(arrival_date="2026-06-14T00:00:00+13:00", check_in=None)
    assert event.arrival == date(2026, 6, 14)


@pytest.mark.parametrize(
    "value",
    [None, "", "soon", "16:00", "2026-06-14T99:00:00Z", 16, [], "0001-01-01T00:00:00Z", "2026-06-20T16:00:00-05:00"],
)
def test_a_time_that_makes_no_sense_leaves_the_date_alone(value):
    event = read(check_in=value)
    assert (event.arrival, event.check_in, event.check_in_instant) == (date(2026, 6, 14), None, None)
    assert event.check_out == time(11, 0)


def test_a_time_without_offset_is_local_and_no_instant():
    event = read(check_in="2026-06-14T17:00:00")
    assert (event.check_in, event.check_in_instant) == (time(17, 0), None)


def test_a_check_in_after_midnight_is_on_its_own_day():
    event = read(check_in="2026-06-15T00:30:00-05:00")
    assert (event.arrival, event.check_in) == (date(2026, 6, 15), time(0, 30))


@pytest.mark.parametrize("text", ["2026-06-14", "2026-06-14T00:00:00Z", "2026-06-14T00:00:00-05:00"])
def test_a_date_may_carry_a_midnight(text):
    assert read(arrival_date=text).arrival == date(2026, 6, 14)


def test_a_date_with_something_else_behind_it_is_none():
    with pytest.raises(Unreadable, match=r"^data\.arrival_date is a text of another form"):
        read(arrival_date="2026-06-14 or so")


@pytest.mark.parametrize(
    ("listed", "phone"),
    [
        (["+15550101234"], "+15550101234"),
        (["string", "", None, 7, [], "+1 (555) 010-1234"], "+1 (555) 010-1234"),
        ([15550101234], "15550101234"),
        (["+15550101234", "+15550105678"], "+15550101234"),
        ("+15550101234", "+15550101234"),
        (["string"], None),
        ([], None),
        ({}, None),
        (None, None),
    ],
)
def test_the_first_entry_that_could_be_a_phone_is_the_phone(listed, phone):
    assert read(guest={"first_name": "Ida", "phone_numbers": listed}).phone == phone


@pytest.mark.parametrize("guest", [None, [], "Ida", {"first_name": None, "last_name": 1.5, "id": {}}])
def test_a_guest_that_is_none_never_costs_the_stay(guest):
    event = read(guest=guest)
    assert (event.guest_name, event.guest_first_name, event.phone, event.platform_guest) == (None,) * 4
    assert event.status is StayStatus.CONFIRMED


def test_one_half_of_a_name_is_a_name():
    assert read(guest={"first_name": "Ida"}).guest_name == "Ida"
    assert read(guest={"last_name": "Example"}).guest_name == "Example"


def test_the_code_is_else_the_channels_id_else_the_id():
    assert read(code=None, platform_id="ABC123").reservation_code == "ABC123"
    assert read(code="", platform_id=None).reservation_code == "res-4711"


def test_an_owners_stay_is_marked_and_keeps_its_status():
    event = read(stay_type="owner")
    assert (event.owner_stay, event.status) == (True, StayStatus.CONFIRMED)


def test_channel_and_property_name_are_told_where_they_are_known():
    event = read()
    assert (event.channel, event.property_name) == ("airbnb", "Lake House")
    assert read(platform=None, properties=[{"id": "p"}]).channel is None


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        (None, "data.properties is missing"),
        ([], "data.properties is an empty list"),
        ({}, "data.properties is an object"),
        (["p"], "data.properties is a list"),
        ([{}], "data.properties[0].id is missing"),
    ],
)
def test_a_stay_without_a_property_is_refused_by_name(properties, said):
    with pytest.raises(Unreadable) as caught:
        read(properties=properties)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("triggers", ["test", ["test"], ["status_changed", "test"]])
def test_a_test_is_ignored(triggers):
    assert read_envelope({"triggers": triggers}) == Ignored("a test of reservation.created")


@pytest.mark.parametrize(
    "triggers", [None, "dates_changed", ["historic_reservation", "guests_changed"], [], {}, 3, [None]]
)
def test_whatever_else_triggered_it_the_reservation_is_read(triggers):
    assert isinstance(read_envelope({"triggers": triggers}), ReservationEvent)


@pytest.mark.parametrize("action", ["message.created", "property.created", "property.changed", "review.created"])
def test_actions_that_concern_no_door_are_ignored(action):
    assert read_envelope({"action": action, "data": {}}) == Ignored(f"nothing to do with doors: {action}")


@pytest.mark.parametrize(
    ("action", "data", "said"),
    [
        ("integration.disconnected", {"user": "u-1"}, "Connect it again"),
        ("property.deleted", {"id": "p-1"}, "Property p-1 was deleted"),
        ("property.merged", {"previous_id": "p-1", "new_id": "p-2"}, "Property p-1 was merged into p-2"),
    ],
)
def test_what_a_person_should_hear_of_is_a_notice(action, data, said):
    event = read_envelope({"action": action, "data": data})
    assert isinstance(event, Notice)
    assert event.kind == action
    assert said in event.text


def test_another_version_is_refused_with_what_to_do():
    with pytest.raises(Unreadable, match=r"^version is another one; it must be v2 \(choose the v2 webhooks\)"):
        read_envelope({"version": "v1"})
    assert isinstance(read_envelope({"version": None}), ReservationEvent)


def test_the_help_says_that_the_hosts_secret_proves_little():
    assert "hint" in PLATFORM.setup_help
    assert "38.80.170.0/24" in PLATFORM.setup_help
