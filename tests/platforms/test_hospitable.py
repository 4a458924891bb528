"""What is particular to Hospitable's webhooks and API, v2."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from urllib.parse import parse_qs

import orjson
import pytest

from lockbridge.contract import AccountRefused, OutcomeUnknown, RateLimited, Rejected, Unreachable
from lockbridge.domain.stay import StayStatus, TimeSource
from lockbridge.inbound import Delivery, Ignored, Unreadable
from lockbridge.platforms.contract import (
    Event,
    FoundProperty,
    NoSuchReservation,
    Notice,
    NotOffered,
    PropertyMerged,
    ReservationEvent,
)
from lockbridge.platforms.hospitable import HOOK
from tests.contract.serving import ServedApp
from tests.platforms.client_checks import FULL, NOTE, failure
from tests.platforms.examined import Examined, examining
from tests.platforms.make_believe import NOW, Booking, Hospitable

VENDOR = Hospitable()


def read_envelope(changes: dict) -> Event:
    envelope = orjson.loads(VENDOR.body(Booking())) | changes
    (event,) = HOOK.read(Delivery({}, orjson.dumps(envelope), NOW))
    return event


def read(**extra) -> ReservationEvent:
    (event,) = HOOK.read(Delivery({}, VENDOR.body(Booking(extra=extra)), NOW))
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


def test_a_time_with_an_offset_is_an_instant_and_one_without_is_the_reservations():
    event = read(check_in="2026-06-14T16:00:00-07:00", check_out="2026-06-16T11:30:00")
    assert (event.check_in_from, event.check_out_from) == (TimeSource.INSTANT, TimeSource.RESERVATION)


def test_the_webhooks_own_time_is_when_the_reservation_changed():
    assert read_envelope({"created": "2026-05-20T14:00:00+02:00"}).changed_at == datetime(2026, 5, 20, 12, tzinfo=UTC)
    assert read_envelope({"created": None}).changed_at is None


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
    ],
)
def test_what_a_person_should_hear_of_is_a_notice(action, data, said):
    event = read_envelope({"action": action, "data": data})
    assert isinstance(event, Notice)
    assert event.kind == action
    assert said in event.text


def test_a_merged_property_is_named_otherwise_from_now_on():
    data = {"previous_id": "p-1", "new_id": "p-2"}
    assert read_envelope({"action": "property.merged", "data": data}) == PropertyMerged("p-1", "p-2")


def test_another_version_is_refused_with_what_to_do():
    with pytest.raises(Unreadable, match=r"^version is another one; it must be v2 \(choose the v2 webhooks\)"):
        read_envelope({"version": "v1"})
    assert isinstance(read_envelope({"version": None}), ReservationEvent)


def test_the_help_says_that_the_hosts_secret_proves_little():
    assert "hint" in HOOK.setup_help
    assert "38.80.170.0/24" in HOOK.setup_help


# The API


@pytest.fixture
async def h(served: ServedApp) -> AsyncIterator[Examined]:
    async with examining(VENDOR, served) as examined:
        yield examined


async def listed(h: Examined) -> list:
    return [event async for page in h.client.reservations(FULL) for event in page]


async def test_the_token_is_a_bearer_and_a_reservation_costs_one_request(h):
    await h.stays(Booking())
    (sent,) = h.cloud.sent
    assert sent.authorization == f"Bearer {VENDOR.settings['token']}"
    assert parse_qs(sent.query) == {"include": ["guest,properties"]}


async def test_a_list_names_its_properties_its_days_and_its_page(h):
    h.cloud.put(Booking())
    await listed(h)
    homes, page = (parse_qs(sent.query) for sent in h.cloud.sent)
    assert homes == {"per_page": ["100"], "page": ["1"]}
    assert page == {
        "properties[]": ["prop-7"],
        "include": ["guest,properties"],
        "date_query": ["checkout"],
        "start_date": ["2026-05-17"],
        "end_date": ["2027-06-30"],
        "per_page": ["100"],
        "page": ["1"],
    }


async def test_many_properties_are_asked_for_in_several_lists(h):
    for n in range(101):
        h.cloud.put(Booking(id=f"res-{n}", home=f"prop-{n}"))
    assert len({event.external_id for event in await listed(h)}) == 101
    asked = [parse_qs(sent.query).get("properties[]", []) for sent in h.cloud.sent]
    assert [len(each) for each in asked] == [0, 0, 40, 40, 21]


async def test_a_stay_that_begins_after_the_days_is_left_out(h):
    h.cloud.put(Booking(arrival="2026-07-01", departure="2026-07-04"))
    assert await listed(h) == []


async def test_a_property_is_described_without_its_offset(h):
    h.cloud.put(Booking())
    assert list(await h.client.properties()) == [
        FoundProperty("prop-7", "House prop-7", zone=None, check_in=time(16), check_out=time(11), country="US")
    ]


async def test_a_code_is_one_field_and_null_takes_it_away(h):
    h.cloud.put(Booking())
    for note in (NOTE, None):
        await h.client.write_code(h.stay(Booking()), note)
    assert [orjson.loads(sent.body) for sent in h.cloud.sent] == [{"value": "0712"}, {"value": None}]
    assert h.cloud.requests == [("PUT", "/v2/reservations/res-4711/enrichment/smartlock_code")] * 2


async def test_a_code_too_long_for_the_field_is_rejected(h):
    h.cloud.put(Booking())
    error = await failure(lambda: h.client.write_code(h.stay(Booking()), replace(NOTE, text="1" * 256)))
    assert type(error) is Rejected


async def test_a_hosts_own_token_may_not_fill_in_codes_and_that_is_no_refused_account(h):
    h.cloud.put(Booking())
    h.cloud.hosts = set(h.cloud.tokens)
    for call in (lambda: h.client.write_code(h.stay(Booking()), NOTE), lambda: h.client.read_code(h.stay(Booking()))):
        assert type(await failure(call)) is NotOffered
    assert await h.client.reservation("res-4711")


async def test_a_message_is_its_body_and_the_third_in_a_minute_has_to_wait(h):
    h.cloud.put(Booking())
    h.cloud.limits_messages = True
    send = partial(h.client.send_message, h.stay(Booking()), "Your code", "It is 0712.")
    await send()
    assert orjson.loads(h.cloud.sent[0].body) == {"body": "It is 0712."}
    await send()
    error = await failure(send)
    assert isinstance(error, RateLimited)
    assert error.retry_after == timedelta(seconds=41)
    assert len(h.cloud.messages_of("res-4711")) == 2


async def test_what_the_guest_wrote_was_not_sent_by_us(h):
    h.cloud.put(Booking())
    await h.client.send_message(h.stay(Booking()), "", "Welcome!")
    h.cloud.messages["res-4711"].append(
        {"body": "Thanks!", "sender_type": "guest", "created_at": "2026-05-20T13:00:00Z"}
    )
    assert await h.client.sent_texts(h.stay(Booking())) == ["Welcome!"]


@pytest.mark.parametrize(
    ("status", "of_a_read", "of_an_extra"),
    [
        (401, AccountRefused, AccountRefused),
        (403, AccountRefused, NotOffered),
        (404, NoSuchReservation, NoSuchReservation),
        (408, Unreachable, OutcomeUnknown),
        (410, Unreachable, Rejected),
        (422, Unreachable, Rejected),
        (429, RateLimited, RateLimited),
        (500, Unreachable, OutcomeUnknown),
        (503, Unreachable, Unreachable),
        (504, Unreachable, OutcomeUnknown),
        (302, Unreachable, OutcomeUnknown),
    ],
)
async def test_each_status_has_one_meaning(h, status, of_a_read, of_an_extra):
    h.cloud.put(Booking())
    h.cloud.faults[:] = [status] * 3
    assert isinstance(await failure(lambda: h.client.reservation("res-4711")), of_a_read)
    for write in (
        lambda: h.client.write_code(h.stay(Booking()), NOTE),
        lambda: h.client.send_message(h.stay(Booking()), "", "Welcome!"),
    ):
        h.cloud.faults[:] = [status]
        assert isinstance(await failure(write), of_an_extra)


@pytest.mark.parametrize("settings", [{"token": ""}, {"token": "ключ"}, {"token": "a\nb"}, {"url": "hospitable"}])
async def test_settings_that_cannot_be_right_are_refused_at_once(h, settings):
    with pytest.raises(AccountRefused):
        h.connect(**settings)
    assert h.cloud.requests == []


async def test_the_vendors_address_is_where_it_is_when_the_host_says_nothing(h):
    assert h.connect(url="")._vendor.base == "https://public.api.hospitable.com/v2"
