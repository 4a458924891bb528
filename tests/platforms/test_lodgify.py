"""What is particular to Lodgify."""

from dataclasses import replace
from datetime import date
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lockbridge.contract import AccountRefused, ProviderError, Rejected, Unreachable
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Ignored, Unauthenticated, Unreadable
from lockbridge.platforms.contract import FoundProperty, NoSuchReservation, NotOffered, ReservationEvent, Wanted
from lockbridge.platforms.lodgify import HOOK, PLATFORM
from tests.contract.serving import ServedApp
from tests.platforms.client_checks import FULL, NOTE
from tests.platforms.examined import examining
from tests.platforms.vendor import NOW, Booking
from tests.platforms.vendors.lodgify import VENDOR


def read_event(changes: dict[str, Any]) -> list[Any]:
    (event,) = orjson.loads(VENDOR.body(Booking()))
    return list(HOOK.read(Delivery({}, orjson.dumps(event | changes), NOW)))


def read(**extra: Any) -> ReservationEvent:
    (event,) = HOOK.read(Delivery({}, VENDOR.body(Booking(extra=extra)), NOW))
    assert isinstance(event, ReservationEvent)
    return event


# Webhooks


@pytest.mark.parametrize("change", [str.upper, str.lower, lambda text: text.replace("sha256=", "SHA256=")])
def test_the_signature_may_be_in_any_case(change):
    delivery = VENDOR.delivery(VENDOR.body(Booking()))
    headers = {"ms-signature": change(delivery.headers["ms-signature"])}
    HOOK.authenticate(replace(delivery, headers=headers), VENDOR.secret, NOW)


def test_a_signature_without_its_prefix_is_refused():
    delivery = VENDOR.delivery(VENDOR.body(Booking()))
    headers = {"ms-signature": delivery.headers["ms-signature"].removeprefix("sha256=")}
    with pytest.raises(Unauthenticated, match="is not 'sha256=' and 64 hex digits"):
        HOOK.authenticate(replace(delivery, headers=headers), VENDOR.secret, NOW)


def test_each_subscription_has_a_secret_of_its_own_and_all_are_good():
    both = f"{VENDOR.secret}\n{VENDOR.other_secret}"
    for secret in (VENDOR.secret, VENDOR.other_secret):
        HOOK.authenticate(VENDOR.delivery(b"[]", secret), both, NOW)


def test_the_body_is_an_event_or_a_list_of_them():
    (event,) = orjson.loads(VENDOR.body(Booking()))
    (other,) = orjson.loads(VENDOR.body(Booking(id="res-4712")))
    assert [each.external_id for each in HOOK.read(Delivery({}, orjson.dumps(event), NOW))] == ["4711"]
    assert [each.external_id for each in HOOK.read(Delivery({}, orjson.dumps([event, other]), NOW))] == ["4711", "4712"]


@pytest.mark.parametrize("body", [b"[7]", b"[[]]", b'[{"action": "booking_change", "booking": []}]', b"[null]", b"7"])
def test_a_list_of_something_else_is_complained_about(body):
    with pytest.raises(Unreadable, match="must be"):
        HOOK.read(Delivery({}, body, NOW))


def test_an_empty_list_leads_to_nothing():
    assert HOOK.read(Delivery({}, b"[]", NOW)) == [Ignored("a list of no events")]


@pytest.mark.parametrize(
    "action",
    [
        "booking_new_any_status",
        "booking_new_status_booked",
        "booking_change",
        "booking_status_change_booked",
        "booking_status_change_tentative",
        "booking_status_change_open",
        "booking_status_change_declined",
    ],
)
def test_every_event_of_bookings_is_the_booking_as_it_is_now(action):
    (event,) = read_event({"action": action})
    assert (event.external_id, event.status) == ("4711", StayStatus.CONFIRMED)


@pytest.mark.parametrize(
    "action", ["rate_change", "availability_change", "guest_message_received", "booking_sung_about"]
)
def test_other_events_are_ignored_by_name(action):
    assert read_event({"action": action, "booking": None}) == [Ignored(f"nothing to do with doors: {action}")]


def test_an_enquiry_is_no_booking_whatever_its_number():
    (event,) = orjson.loads(VENDOR.body(Booking(extra={"type": "Enquiry", "date_arrival": None})))
    assert HOOK.read(Delivery({}, orjson.dumps(event), NOW)) == [Ignored("not a booking: Enquiry")]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("Booked", StayStatus.CONFIRMED),
        ("booked", StayStatus.CONFIRMED),
        ("Open", StayStatus.PENDING),
        ("Tentative", StayStatus.PENDING),
        ("Declined", StayStatus.CANCELLED),
        ("Cancelled", StayStatus.UNKNOWN),
        ("", StayStatus.UNKNOWN),
        (None, StayStatus.UNKNOWN),
        ([], StayStatus.UNKNOWN),
    ],
)
def test_every_status_has_its_meaning(raw, status):
    event = read(status=raw)
    assert (event.status, event.raw_status) == (status, raw or "")


def test_a_booking_in_the_bin_is_cancelled():
    event = read(is_deleted=True)
    assert (event.status, event.raw_status) == (StayStatus.CANCELLED, "Booked: deleted")


@pytest.mark.parametrize("text", ["2026-06-13", "2026-06-13T00:00:00", "2026-06-13T00:00:00+02:00"])
def test_a_midnight_is_a_date_and_no_time(text):
    event = read(date_arrival=text)
    assert (event.arrival, event.check_in, event.check_in_instant) == (date(2026, 6, 13), None, None)


@pytest.mark.parametrize("value", [None, "", "13/06/2026", "2026-06-13x", 20260613, {}])
def test_a_booking_without_its_dates_cannot_be_read(value):
    with pytest.raises(Unreadable, match=r"booking\.(date_)?arrival"):
        read(date_arrival=value)


def test_a_phone_without_its_plus_is_handed_on():
    (event,) = HOOK.read(Delivery({}, VENDOR.body(Booking(phone="15550101234")), NOW))
    assert event.phone == "15550101234"


@pytest.mark.parametrize("guest", [None, {}, [], "Ida", {"name": None, "phone_number": "n/a", "email": 7.5}])
def test_a_booking_without_guest_is_a_stay(guest):
    (event,) = read_event({"guest": guest})
    assert (event.guest_name, event.phone, event.email) == (None, None, None)
    assert event.status is StayStatus.CONFIRMED


@pytest.mark.parametrize(
    ("text", "code"),
    [("HMTEST4711", "HMTEST4711"), ("2462813314", "2462813314"), ("Our website", "4711"), ("", "4711"), (None, "4711")],
)
def test_the_channels_code_is_what_looks_like_one(text, code):
    assert read(source_text=text).reservation_code == code


def test_the_property_has_its_name_where_the_webhook_says_it():
    assert read(property_name="Lake House").property_name == "Lake House"


# Rooms


def test_the_property_of_a_stay_is_its_room_also_in_a_booking_of_one():
    event = read(room_types=[{"room_type_id": 501}])
    assert (event.external_id, event.ref, event.property_ref) == ("4711", "4711", "7:501")


def test_two_units_of_one_room_type_are_one_stay():
    event = read(room_types=[{"id": 1, "room_type_id": 501}, {"id": 2, "room_type_id": 501}])
    assert (event.external_id, event.property_ref) == ("4711", "7:501")


@pytest.mark.parametrize("rooms", [None, []])
def test_a_booking_that_names_no_room_is_of_the_property(rooms):
    event = read(room_types=rooms)
    assert (event.external_id, event.property_ref) == ("4711", "7")


@pytest.mark.parametrize("rooms", [{}, "501", [501], [{}], [{"room_type_id": None}]])
def test_rooms_that_make_no_sense_are_complained_about(rooms):
    with pytest.raises(Unreadable, match=r"booking\.room_types"):
        read(room_types=rooms)


# The API


@pytest.fixture
async def h(served: ServedApp):
    async with examining(VENDOR, served) as examined:
        yield examined


async def told(h, wanted: Wanted = FULL) -> list[Any]:
    return [event async for page in h.client.reservations(wanted) for event in page]


async def refused(call) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await call
    return caught.value


async def test_the_arrival_that_somebody_noted_is_no_check_in_time(h):
    (event,) = await h.stays(Booking())
    assert h.cloud.bookings[4711]["check_in"]["time"] == "18:23:00"
    assert event.check_in is None


@pytest.mark.parametrize("moment", [None, "", "yesterday", "2026-05-20T11:59:00", 7])
async def test_a_change_without_its_zone_has_no_time(h, moment):
    (event,) = await h.stays(Booking(extra={"updated_at": moment}))
    assert event.changed_at is None


async def test_properties_are_named_by_room_where_there_are_several(h):
    h.cloud.rooms = {7: {501: "Attic"}, 8: {601: "Red", 602: "Blue"}, 9: {}}
    assert await h.client.properties() == [
        FoundProperty("7:501", "House 7", country="PT"),
        FoundProperty("8:601", "House 8 – Red", country="PT"),
        FoundProperty("8:602", "House 8 – Blue", country="PT"),
        FoundProperty("9", "House 9", country="PT"),
    ]


async def test_more_properties_than_a_page_holds_are_listed(h):
    h.cloud.rooms = {home: {home: "Attic"} for home in range(1, 102)}
    assert len(await h.client.properties()) == 101
    assert [path for _, path in h.cloud.requests] == ["/v2/properties"] * 3


async def test_the_list_is_asked_for_with_the_bin_and_what_changed(h):
    await told(h, replace(FULL, changed_since=NOW))
    wanted = {"stayFilter": "All", "trash": "All", "updatedSince": "2026-05-20T12:00:00Z", "page": "1", "size": "50"}
    assert h.cloud.queries == [wanted]


async def test_a_full_read_leaves_out_other_days(h):
    for number, (arrival, departure) in enumerate([("2025-01-01", "2025-01-08"), ("2026-07-01", "2026-07-02")]):
        h.cloud.put(Booking(id=f"res-{5000 + number}", arrival=arrival, departure=departure))
    h.cloud.put(Booking())
    assert [event.external_id for event in await told(h)] == ["4711"]


async def test_the_door_code_goes_to_the_room_alone(h):
    booking = Booking(rooms=("room-1", "room-2"))
    h.cloud.put(booking)
    bodies = recorded(h)
    await h.client.write_code(h.stay(booking, "room-2"), NOTE)
    assert bodies == [{"rooms": [{"room_type_id": 2, "key_code": "0712"}]}]
    assert [room["key_code"] for room in h.cloud.bookings[4711]["rooms"]] == ["", "0712"]
    assert h.cloud.requests == [("PUT", "/v2/reservations/bookings/4711/keyCodes")]
    await h.client.write_code(h.stay(booking, "room-2"), None)
    assert bodies[1:] == [{"rooms": [{"room_type_id": 2, "key_code": ""}]}]


def recorded(h) -> list[Any]:
    """The bodies that are sent from now on."""
    bodies: list[Any] = []
    app = h.weather.app

    async def record(scope, receive, send):
        messages = [await receive()]
        if messages[0].get("body"):
            bodies.append(orjson.loads(messages[0]["body"]))

        async def again():
            return messages.pop() if messages else await receive()

        await app(scope, again, send)

    h.weather.app = record
    return bodies


async def test_a_booking_without_rooms_has_no_place_for_a_door_code(h):
    stay = replace(h.stay(Booking()), property_ref="7")
    for call in (h.client.write_code(stay, NOTE), h.client.read_code(stay)):
        assert isinstance(await refused(call), NotOffered)
    assert h.cloud.requests == []


async def test_a_message_is_sent_as_the_host_and_delivered(h):
    h.cloud.put(Booking())
    bodies = recorded(h)
    await h.client.send_message(h.stay(Booking()), "Your code", "Hello Ida")
    await h.client.send_message(h.stay(Booking()), "Your code", "Hello Ida")
    (first,), (second,) = bodies
    assert first.pop("message_id") != second.pop("message_id")
    assert first == second
    assert first == {"subject": "Your code", "message": "Hello Ida", "type": "Owner", "send_notification": True}
    assert h.cloud.messages_of("res-4711") == ["Hello Ida", "Hello Ida"]


async def test_a_refusal_that_is_answered_with_200_is_a_refusal(h):
    h.cloud.put(Booking())
    h.cloud.closed.add(4711)
    assert isinstance(await refused(h.client.send_message(h.stay(Booking()), "Your code", "Hello")), Rejected)


async def test_what_the_guest_wrote_was_not_sent(h):
    h.cloud.put(Booking())
    renters = {"type": "Renter", "message": "Hi", "message_id": "1", "message_status": "Sent", "date_created": "2026"}
    h.cloud.threads[4711] = [renters]
    assert await h.client.sent_texts(h.stay(Booking())) == []


async def test_a_booking_without_thread_has_no_messages(h):
    h.cloud.put(Booking(extra={"thread_uid": None}))
    assert await h.client.sent_texts(h.stay(Booking())) == []


@pytest.mark.parametrize(
    ("status", "reading", "writing"),
    [
        (401, AccountRefused, AccountRefused),
        (403, AccountRefused, NotOffered),
        (404, NoSuchReservation, NoSuchReservation),
        (400, Unreachable, Rejected),
        (415, Unreachable, Rejected),
    ],
)
async def test_every_refusal_has_its_meaning(h, status, reading, writing):
    h.cloud.put(Booking())
    h.cloud.faults = [status] * 6
    assert isinstance(await refused(h.client.reservation("4711")), reading)
    h.cloud.faults = [status]
    assert isinstance(await refused(h.client.write_code(h.stay(Booking()), NOTE)), writing)


async def test_the_key_is_in_its_header(h):
    keys: list[str | None] = []

    async def properties(request: Request) -> JSONResponse:
        keys.append(request.headers.get("X-ApiKey"))
        return JSONResponse({"count": None, "items": None})

    h.weather.app = Starlette(routes=[Route("/v2/properties", properties)])
    assert await h.client.properties() == []
    assert keys == ["an-invented-key-of-lodgify"]


@pytest.mark.parametrize("settings", [{"api_key": ""}, {"api_key": "clé"}, {"url": "ftp://lodgify.example"}])
async def test_settings_that_make_no_sense_are_refused_without_asking(h, settings):
    with pytest.raises(AccountRefused, match="plain ASCII"):
        h.connect(**settings)
    assert h.cloud.requests == []


def test_the_limit_is_the_vendors():
    assert PLATFORM.rate is not None
    assert PLATFORM.rate.calls / PLATFORM.rate.per.total_seconds() == 10
