"""The contract suite: every platform answers every question here the same way."""

import dataclasses
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Ignored, Unauthenticated, Unreadable
from lockbridge.platforms import PLATFORMS
from lockbridge.platforms.contract import Platform, ReservationEvent
from tests.platforms.make_believe import NOW, STRANGE, VENDORS, Booking, Vendor, clock, day, delivered

every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.platform.key)


def read_one(vendor: Vendor, booking: Booking) -> ReservationEvent:
    (event,) = vendor.platform.read(delivered(vendor, vendor.body(booking)))
    assert isinstance(event, ReservationEvent)
    return event


def authenticate(vendor: Vendor, delivery: Delivery, secret: str | None = None, now: datetime = NOW) -> None:
    vendor.platform.authenticate(delivery, vendor.secret if secret is None else secret, now)


def unreadable(vendor: Vendor, body: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        vendor.platform.read(delivered(vendor, body))
    return str(caught.value)


def test_every_platform_has_a_make_believe_vendor_in_this_suite():
    assert {vendor.platform.key: vendor.platform for vendor in VENDORS} == dict(PLATFORMS)


# What a delivery says


@every_vendor
def test_a_new_reservation_is_read_whole(vendor):
    booking = Booking()
    event = read_one(vendor, booking)
    assert (event.platform, event.external_id, event.reservation_code, event.property_ref) == (
        vendor.platform.key,
        booking.id,
        booking.code,
        booking.home,
    )
    assert event.status is StayStatus.CONFIRMED
    assert (event.arrival, event.departure) == (day(booking.arrival), day(booking.departure))
    assert (event.check_in, event.check_out) == (clock(booking.check_in), clock(booking.check_out))
    assert (event.guest_name, event.guest_first_name) == ("Ida Example", "Ida")
    assert (event.phone, event.email, event.language) == (booking.phone, booking.email, "en")
    assert event.platform_guest == "guest-1"
    assert event.changed_at == datetime(2026, 5, 20, 11, 59, tzinfo=UTC)
    assert not event.owner_stay


@every_vendor
def test_changed_dates_keep_the_identity_and_come_later(vendor):
    before = read_one(vendor, Booking())
    after = read_one(
        vendor, Booking(happening="changed", departure="2026-06-20", changed_at="2026-05-20T14:30:00+02:00")
    )
    assert after.external_id == before.external_id
    assert after.departure == day("2026-06-20")
    assert before.changed_at < after.changed_at
    assert after.changed_at.tzinfo is UTC


@every_vendor
def test_a_moved_reservation_names_its_new_property(vendor):
    event = read_one(vendor, Booking(happening="changed", home="prop-8"))
    assert (event.external_id, event.property_ref) == ("res-4711", "prop-8")


@every_vendor
def test_a_cancelled_reservation_is_cancelled(vendor):
    event = read_one(vendor, Booking(happening="cancelled", status=StayStatus.CANCELLED))
    assert event.status is StayStatus.CANCELLED


@every_vendor
def test_a_request_is_pending(vendor):
    assert read_one(vendor, Booking(status=StayStatus.PENDING)).status is StayStatus.PENDING


@every_vendor
def test_a_blocked_or_owner_stay_is_told_apart_from_a_guests(vendor):
    for booking in vendor.ways_to_block:
        event = read_one(vendor, booking)
        assert event.owner_stay or event.status is StayStatus.BLOCKED


@every_vendor
def test_an_unknown_status_is_unknown_and_kept_in_the_platforms_words(vendor):
    event = read_one(vendor, Booking(status=STRANGE))
    assert event.status is StayStatus.UNKNOWN
    assert STRANGE in event.raw_status


@every_vendor
def test_a_missing_phone_is_none(vendor):
    assert read_one(vendor, Booking(phone=None)).phone is None


@every_vendor
def test_a_missing_guest_leaves_the_stay_readable(vendor):
    for guest in ({"guest": None}, {"guest": {}}):
        event = read_one(vendor, Booking(extra=guest))
        assert (event.guest_name, event.phone, event.email, event.platform_guest) == (None, None, None, None)


@every_vendor
def test_missing_times_are_none_and_the_dates_stand(vendor):
    event = read_one(vendor, Booking(check_in=None, check_out=None))
    assert (event.check_in, event.check_out, event.check_in_instant, event.check_out_instant) == (None,) * 4
    assert (event.arrival, event.departure) == (day("2026-06-14"), day("2026-06-16"))


@every_vendor
def test_a_missing_code_is_replaced_by_the_id(vendor):
    assert read_one(vendor, Booking(extra={"code": None})).reservation_code == "res-4711"


@every_vendor
def test_a_number_is_taken_as_an_identity(vendor):
    assert read_one(vendor, Booking(extra={"id": 4711})).external_id == "4711"


@every_vendor
def test_unknown_fields_are_tolerated(vendor):
    assert read_one(vendor, Booking(extra={"weather": {"sunny": [True, None, 1.5]}})) == read_one(vendor, Booking())


@every_vendor
def test_a_stay_within_one_day_needs_both_times_in_order(vendor):
    day_use = Booking(departure="2026-06-14", check_in="10:00", check_out="18:00")
    assert read_one(vendor, day_use).departure == day("2026-06-14")
    for times in ({"check_in": "18:00", "check_out": "10:00"}, {"check_in": None}, {"check_in": "18:00"}):
        assert "departure is not after the arrival" in unreadable(vendor, vendor.body(replace(day_use, **times)))


@every_vendor
def test_an_unknown_event_is_ignored_with_its_reason(vendor):
    (event,) = vendor.platform.read(delivered(vendor, vendor.body(Booking(happening="sung_about"))))
    assert isinstance(event, Ignored)
    assert "reservation.sung_about" in event.reason


# Names and other texts


@every_vendor
def test_a_name_of_500_characters_arrives_whole(vendor):
    assert read_one(vendor, Booking(first_name="Ida", last_name="X" * 496)).guest_name == "Ida " + "X" * 496


@every_vendor
def test_a_name_of_emoji_arrives_whole(vendor):
    assert read_one(vendor, Booking(first_name="👩‍👩‍👧", last_name="🦆")).guest_name == "👩‍👩‍👧 🦆"


@every_vendor
def test_characters_a_database_refuses_do_not_get_through(vendor):
    event = read_one(vendor, Booking(first_name="I\x00d\x1ba", last_name="\nExample\u2028 "))
    assert event.guest_name == "I d a Example"
    assert "cannot be an identity" in unreadable(vendor, vendor.body(Booking(home="prop\x007")))


@every_vendor
def test_a_text_of_absurd_length_is_cut_and_an_identity_of_absurd_length_refused(vendor):
    assert len(read_one(vendor, Booking(last_name="X" * 100_000)).guest_name) == 1000
    assert "201 characters" in unreadable(vendor, vendor.body(Booking(id="x" * 201)))


@every_vendor
def test_an_event_does_not_show_the_guest_by_accident(vendor):
    shown = repr(read_one(vendor, Booking())) + repr(delivered(vendor, vendor.body(Booking())))
    for private in ("Ida", "Example", "+1555", "ida@"):
        assert private not in shown


# Who sent it


@every_vendor
def test_a_genuine_delivery_is_let_in(vendor):
    authenticate(vendor, delivered(vendor, vendor.body(Booking())))


@every_vendor
def test_a_wrong_signature_is_refused(vendor):
    with pytest.raises(Unauthenticated, match="does not match"):
        authenticate(vendor, delivered(vendor, vendor.body(Booking()), vendor.other_secret))


@every_vendor
def test_a_changed_body_is_refused(vendor):
    genuine = delivered(vendor, vendor.body(Booking()))
    with pytest.raises(Unauthenticated, match="does not match"):
        authenticate(vendor, replace(genuine, body=genuine.body.replace(b"prop-7", b"prop-8")))


@every_vendor
def test_a_missing_signature_is_refused(vendor):
    with pytest.raises(Unauthenticated, match="is missing"):
        authenticate(vendor, replace(delivered(vendor, b"{}"), headers={}))


@every_vendor
@pytest.mark.parametrize("nothing", ["", " ", "\n", " \r\n\t"])
def test_without_a_secret_everything_is_refused(vendor, nothing):
    forged = replace(delivered(vendor, b"{}"), headers={"signature": "0" * 64})
    for delivery in (forged, delivered(vendor, b"{}")):
        with pytest.raises(Unauthenticated, match="no secret is configured"):
            authenticate(vendor, delivery, nothing)
    assert "no secret" in vendor.platform.secret_problem(nothing)


@every_vendor
def test_two_secrets_are_good_while_one_replaces_the_other(vendor):
    both = f"{vendor.other_secret}\n{vendor.secret}"
    assert vendor.platform.secret_problem(both) is None
    for secret in (vendor.secret, vendor.other_secret):
        authenticate(vendor, delivered(vendor, vendor.body(Booking()), secret), both)


@every_vendor
def test_a_refusal_shows_neither_secret_nor_signature(vendor):
    delivery = delivered(vendor, vendor.body(Booking()), vendor.other_secret)
    with pytest.raises(Unauthenticated) as caught:
        authenticate(vendor, delivery)
    for private in (vendor.secret, vendor.other_secret, *delivery.headers.values()):
        assert private not in str(caught.value)


@every_vendor
def test_authentication_does_not_look_into_the_body(vendor):
    authenticate(vendor, delivered(vendor, b'{"trunca'))


# The same event again


@every_vendor
def test_a_repeated_event_has_one_key_and_another_event_another(vendor):
    first, again = (delivered(vendor, vendor.body(Booking())) for _ in range(2))
    other = delivered(vendor, vendor.body(Booking(event_id="evt-0002")))
    assert vendor.platform.dedupe_key(first) == vendor.platform.dedupe_key(again) == "id:evt-0001"
    assert vendor.platform.dedupe_key(other) == "id:evt-0002"


@every_vendor
def test_a_delivery_without_an_id_is_known_by_its_body(vendor):
    one, two = (Delivery({}, body, NOW) for body in (b'{"a":1}', b'{"a":2}'))
    assert vendor.platform.dedupe_key(one).startswith("sha256:")
    assert vendor.platform.dedupe_key(one) != vendor.platform.dedupe_key(two)


# What cannot be read


@every_vendor
def test_truncated_json_says_so(vendor):
    assert "not JSON" in unreadable(vendor, vendor.body(Booking())[:-20])


@every_vendor
@pytest.mark.parametrize(
    ("body", "said"),
    [(b"[]", "a list"), (b"null", "null"), (b"3", "a number"), (b"true", "true or false"), (b'"[]"', "a list")],
)
def test_json_that_is_no_object_says_what_it_is(vendor, body, said):
    assert f"the body is {said}; it must be a JSON object" in unreadable(vendor, body)


@every_vendor
@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"<html>", b'"\\ud800"', b"[" * 5000, b'{"a":\x00}', b'"{"'])
def test_a_body_that_is_no_json_says_so(vendor, body):
    assert "not JSON" in unreadable(vendor, body)


@every_vendor
def test_json_encoded_twice_is_read(vendor):
    body = vendor.body(Booking())
    (event,) = vendor.platform.read(delivered(vendor, orjson.dumps(body.decode())))
    assert event == read_one(vendor, Booking())


@every_vendor
def test_a_missing_required_field_is_named_with_what_to_do(vendor):
    for name in vendor.required:
        message = unreadable(vendor, vendor.body(Booking(extra={name: None})))
        assert message.startswith(f"data.{name} is missing; it must be ")
        assert message.endswith("Correct it at the sender and send it again.")


@every_vendor
@pytest.mark.parametrize("value", [True, 1.5, [], {}, [1], {"a": "b"}], ids=repr)
def test_a_wrong_type_is_named_with_what_it_is(vendor, value):
    for name in ("id", *(name for name in vendor.required if name.startswith(("arrival", "departure")))):
        assert f"data.{name} is " in unreadable(vendor, vendor.body(Booking(extra={name: value})))


@every_vendor
@pytest.mark.parametrize(
    "date", ["2026-02-30", "20260614", "14.06.2026", "0001-01-01", "9999-12-31", "Ida", "٢٠٢٦-06-14"]
)
def test_a_date_that_is_none_is_refused_without_repeating_it(vendor, date):
    for booking in (Booking(arrival=date), Booking(departure=date)):
        message = unreadable(vendor, vendor.body(booking))
        assert "is a text of another form; it must be a date like 2026-05-31" in message
        assert date not in message


@every_vendor
def test_a_departure_before_the_arrival_is_refused(vendor):
    assert "departure is not after the arrival" in unreadable(vendor, vendor.body(Booking(departure="2026-06-13")))


@every_vendor
def test_no_complaint_repeats_what_stands_in_the_delivery(vendor):
    private = "Ida +15550101234"
    envelope = orjson.loads(vendor.body(Booking()))
    for name in envelope["data"]:
        broken = envelope | {"data": envelope["data"] | {name: private}}
        try:
            vendor.platform.read(delivered(vendor, orjson.dumps(broken)))
        except Unreadable as complaint:
            assert private not in str(complaint)  # noqa: PT017 - some of the fields take any text


# Anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def reads_or_complains(platform: Platform, body: bytes) -> None:
    delivery = Delivery({}, body, NOW)
    key = platform.dedupe_key(delivery)
    assert key.isascii()
    assert len(key) <= 150
    try:
        events = platform.read(delivery)
    except Unreadable as complaint:
        assert str(complaint)  # noqa: PT017 - either answer is right
    else:
        assert events


@every_vendor
@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_or_complained_about(vendor, body):
    reads_or_complains(vendor.platform, body)


@every_vendor
@given(data=st.data())
def test_any_value_anywhere_is_read_or_complained_about(vendor, data):
    envelope: dict[str, Any] = orjson.loads(vendor.body(Booking()))
    objects = [envelope, envelope["data"], envelope["data"]["guest"]]
    inner = [value for value in envelope["data"].values() if isinstance(value, dict)]
    target = data.draw(st.sampled_from(objects + inner))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    try:
        body = orjson.dumps(envelope)
    except TypeError:  # an integer beyond 64 bits or half a character: no JSON either
        return
    reads_or_complains(vendor.platform, body)


@every_vendor
@given(texts=st.lists(st.text(max_size=80), min_size=5, max_size=5), body=st.binary(max_size=50), secret=st.text())
def test_any_headers_and_secret_are_refused_and_nothing_else(vendor, texts, body, secret):
    names = ("webhook-id", "webhook-timestamp", "webhook-signature", "signature", "svix-id")
    delivery = Delivery(dict(zip(names, texts, strict=True)), body, NOW)
    for each in (secret, vendor.secret):
        with pytest.raises(Unauthenticated):
            authenticate(vendor, delivery, each)


@every_vendor
@given(garbage=st.text(max_size=40) | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")), data=st.data())
def test_one_garbled_header_is_refused_and_nothing_else(vendor, garbage, data):
    genuine = delivered(vendor, b"{}")
    name = data.draw(st.sampled_from(sorted(genuine.headers)))
    garbled = replace(genuine, headers=dict(genuine.headers) | {name: garbage})
    with pytest.raises(Unauthenticated):
        authenticate(vendor, garbled)


# The description


@every_vendor
def test_a_platform_describes_itself(vendor):
    platform = vendor.platform
    assert platform.title
    assert platform.setup_help
    assert platform.max_body == 256 * 1024
    assert platform.secret_problem(vendor.secret) is None


@every_vendor
def test_a_platform_cannot_be_changed_at_run_time(vendor):
    with pytest.raises(dataclasses.FrozenInstanceError):
        vendor.platform.key = "other"


@every_vendor
def test_reading_does_not_depend_on_the_day_it_is_done(vendor):
    delivery = delivered(vendor, vendor.body(Booking()))
    replayed = replace(delivery, received_at=NOW + timedelta(days=90))
    assert vendor.platform.read(replayed) == vendor.platform.read(delivery)
