"""What is particular to Beds24."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson
import pytest
from starlette.datastructures import Headers

from lockbridge.contract import AccountRefused, ProviderError, Rejected, Unreachable
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Ignored, Unauthenticated, Unreadable
from lockbridge.platforms.beds24 import HOOK, PLATFORM, SECRET_HEADER
from lockbridge.platforms.contract import FoundProperty, NoSuchReservation, NotOffered, ReservationEvent, Wanted
from tests.contract.serving import ServedApp
from tests.platforms.client_checks import FULL, NOTE, OTHER_NOTE
from tests.platforms.examined import examining
from tests.platforms.vendor import NOW, Booking
from tests.platforms.vendors.beds24 import BASE, INVITE, REFRESH, VENDOR

EVERY_STATUS = ["black", "cancelled", "confirmed", "inquiry", "new", "request"]


def delivery(**changes: Any) -> Delivery:
    return Delivery({}, orjson.dumps(orjson.loads(VENDOR.body(Booking())) | changes), NOW)


def read(**extra: Any) -> ReservationEvent:
    (event,) = HOOK.read(Delivery({}, VENDOR.body(Booking(extra=extra)), NOW))
    assert isinstance(event, ReservationEvent)
    return event


# Webhooks


def test_the_secret_stands_in_the_header_the_host_is_told_to_set():
    assert f"{SECRET_HEADER}:" in HOOK.setup_help
    headers = {SECRET_HEADER.lower(): VENDOR.secret}
    HOOK.authenticate(Delivery(headers, b"", NOW), VENDOR.secret, NOW)
    with pytest.raises(Unauthenticated, match="does not match"):
        HOOK.authenticate(Delivery(headers, b"", NOW), VENDOR.other_secret, NOW)
    with pytest.raises(Unauthenticated, match="is missing"):
        HOOK.authenticate(Delivery({"authorization": VENDOR.secret}, b"", NOW), VENDOR.secret, NOW)


def test_a_try_more_is_the_same_event():
    first, again = delivery(), delivery(retries=3, timeStamp="2026-05-20T12:07:00Z")
    assert HOOK.dedupe_key(first) == HOOK.dedupe_key(again)
    assert first.body != again.body


@pytest.mark.parametrize("changes", [{"infoItems": [{"id": 1}]}, {"messages": [{"id": 1}]}, {"booking": {}}])
def test_another_content_is_another_event(changes):
    assert HOOK.dedupe_key(delivery()) != HOOK.dedupe_key(delivery(**changes))


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b'{"a":' * 600 + b"1" + b"}" * 600])
def test_whatever_comes_has_a_key(body):
    assert HOOK.dedupe_key(Delivery({}, body, NOW)).startswith("sha256:")


def test_inventory_webhooks_are_about_something_else():
    body = b'{"roomId":"123456","propId":"12345","ownerId":"1234","action":"SYNC_ROOM"}'
    assert HOOK.read(Delivery({}, body, NOW)) == [Ignored("nothing to do with doors: SYNC_ROOM")]


@pytest.mark.parametrize("booking", [None, [], "4711", 4711])
def test_a_delivery_without_a_booking_is_complained_about(booking):
    with pytest.raises(Unreadable, match="booking"):
        HOOK.read(delivery(booking=booking))


@pytest.mark.parametrize(
    ("raw", "sub_status", "status", "told"),
    [
        ("confirmed", "none", StayStatus.CONFIRMED, "confirmed"),
        ("new", "none", StayStatus.CONFIRMED, "new"),
        ("New", None, StayStatus.CONFIRMED, "New"),
        ("confirmed", "noShow", StayStatus.CONFIRMED, "confirmed: noShow"),
        ("request", "none", StayStatus.PENDING, "request"),
        ("inquiry", "actionRequired", StayStatus.PENDING, "inquiry: actionRequired"),
        ("cancelled", "cancelledByGuest", StayStatus.CANCELLED, "cancelled: cancelledByGuest"),
        ("cancelled", "none", StayStatus.CANCELLED, "cancelled"),
        ("black", "none", StayStatus.BLOCKED, "black"),
        ("modified", "none", StayStatus.UNKNOWN, "modified"),
        (None, None, StayStatus.UNKNOWN, ""),
        ({}, [], StayStatus.UNKNOWN, ""),
    ],
)
def test_every_status_has_its_meaning(raw, sub_status, status, told):
    event = read(status=raw, subStatus=sub_status)
    assert (event.status, event.raw_status) == (status, told)


@pytest.mark.parametrize("typed", ["06:30", "14:00", "early", "", None, 7])
def test_the_arrival_time_a_guest_typed_is_no_check_in_time(typed):
    event = read(arrivalTime=typed)
    assert (event.check_in, event.check_out) == (None, None)


@pytest.mark.parametrize(
    ("phone", "mobile", "told"),
    [
        ("+15550101234", "+15550109999", "+15550101234"),
        ("", "+15550109999", "+15550109999"),
        (None, 15550109999, "15550109999"),
        ("n/a", "-", None),
        (None, None, None),
        ([], {}, None),
    ],
)
def test_the_phone_is_the_first_that_may_be_one(phone, mobile, told):
    assert read(phone=phone, mobile=mobile).phone == told


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2026-05-20T11:59:00Z", datetime(2026, 5, 20, 11, 59, tzinfo=UTC)),
        ("2026-05-20T11:59:00", datetime(2026, 5, 20, 11, 59, tzinfo=UTC)),
        ("2026-05-20 11:59:00", datetime(2026, 5, 20, 11, 59, tzinfo=UTC)),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_the_last_change_is_in_utc(moment, told):
    assert read(modifiedTime=moment).changed_at == told


@pytest.mark.parametrize(
    ("reference", "own", "code"),
    [("HMABCDEF12", "A-1", "HMABCDEF12"), ("", "A-1", "A-1"), (None, None, "4711")],
)
def test_people_call_it_by_the_channels_code_else_by_the_hosts(reference, own, code):
    assert read(apiReference=reference, reference=own).reservation_code == code


@pytest.mark.parametrize(
    ("unit", "home"),
    [(1, "7:70"), (0, "7:70"), (None, "7:70"), (2, "7:70:2"), (14, "7:70:14"), ("3", "7:70:3")],
)
def test_the_property_is_the_room_and_further_units_of_it(unit, home):
    assert read(roomId=70, unitId=unit).property_ref == home


def test_the_rooms_of_a_group_are_reservations_of_their_own():
    group = {"bookingGroup": {"master": 4711, "ids": [4711, 4712]}, "masterId": 4711}
    master = read(**group, roomId=70)
    (other,) = HOOK.read(Delivery({}, VENDOR.body(Booking(id="res-4712", extra={**group, "roomId": 71})), NOW))
    assert [(each.external_id, each.ref, each.property_ref) for each in (master, other)] == [
        ("4711", "4711", "7:70"),
        ("4712", "4712", "7:71"),
    ]


def test_without_personal_data_the_stay_is_there():
    booking = orjson.loads(VENDOR.body(Booking()))["booking"]
    for name in ("title", "firstName", "lastName", "email", "phone", "mobile"):
        del booking[name]
    (event,) = HOOK.read(delivery(booking=booking))
    assert (event.guest_name, event.guest_first_name, event.phone, event.email) == (None,) * 4
    assert event.status is StayStatus.CONFIRMED


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


def recorded(h) -> list[tuple[Mapping[str, str], Any]]:
    """Headers and bodies of the requests that are sent from now on."""
    seen: list[tuple[Mapping[str, str], Any]] = []
    app = h.weather.app

    async def record(scope, receive, send):
        messages = [await receive()]
        body = messages[0].get("body")
        seen.append((Headers(scope=scope), orjson.loads(body) if body else None))

        async def again():
            return messages.pop() if messages else await receive()

        await app(scope, again, send)

    h.weather.app = record
    return seen


async def test_the_token_is_got_with_the_refresh_token_and_carried_in_its_own_header(h):
    seen = recorded(h)
    await told(h)
    await told(h)
    assert h.cloud.requests == [("GET", f"{BASE}/authentication/token"), *[("GET", f"{BASE}/bookings")] * 2]
    (signing_in, _), *others = seen
    assert (signing_in.get("refreshtoken"), signing_in.get("token")) == (REFRESH, None)
    for headers, _ in others:
        assert headers["token"] == "an-invented-token-1"
        assert "authorization" not in headers
        assert "refreshtoken" not in headers


async def test_the_token_lasts_for_a_day(h):
    await told(h)
    (grant,) = h.tokens.signed_in
    assert grant.expires_at == NOW + timedelta(days=1)


async def test_an_invite_code_is_used_once_and_what_it_gave_is_kept(h):
    h.client = h.connect(refresh_token="", invite_code=f" {INVITE} ")
    await told(h)
    h.cloud.expire()
    await told(h)
    signed_in = [path for _, path in h.cloud.requests if "authentication" in path]
    assert signed_in == [f"{BASE}/authentication/setup", f"{BASE}/authentication/token"]
    assert [grant.refresh for grant in h.tokens.signed_in] == [REFRESH, REFRESH]


@pytest.mark.parametrize("field", ["refresh_token", "invite_code"])
async def test_a_wrong_credential_is_refused(h, field):
    h.client = h.connect(**{"refresh_token": "", field: "another"})
    assert isinstance(await refused(h.client.properties()), AccountRefused)


@pytest.mark.parametrize(
    "answer",
    [
        b'{"token":"","expiresIn":1}',
        b'{"token":"x"}',
        b'{"token":"x","expiresIn":1e30}',
        b'{"expiresIn":1}',
        b"[]",
        b"",
    ],
)
async def test_a_sign_in_that_makes_no_sense_is_unreachable(h, answer):
    h.weather.answers = lambda _: answer
    assert isinstance(await refused(h.client.properties()), Unreachable)


async def test_the_list_names_every_status_and_a_first_day(h):
    await told(h)
    (asked,) = h.cloud.queries
    assert sorted(asked.getlist("status")) == EVERY_STATUS
    rest = {name: value for name, value in asked.items() if name != "status"}
    assert rest == {
        "arrivalFrom": "2025-05-18",
        "arrivalTo": "2026-07-01",
        "departureFrom": "2026-05-17",
        "page": "1",
    }


async def test_what_changed_is_asked_for_in_utc_from_a_second_before(h):
    await told(h, replace(FULL, changed_since=NOW))
    (asked,) = h.cloud.queries
    assert sorted(asked.getlist("status")) == EVERY_STATUS
    assert asked["modifiedFrom"] == "2026-05-20T11:59:59"
    assert asked["arrivalFrom"] == "2025-05-18"
    assert "arrivalTo" not in asked


async def test_a_booking_is_found_whatever_its_status_and_days(h):
    (event,) = await h.stays(Booking(happening="cancelled", arrival="2024-06-14", departure="2024-06-16"))
    assert (event.status, event.arrival) == (StayStatus.CANCELLED, date(2024, 6, 14))


async def test_a_name_that_is_no_number_is_not_asked_for(h):
    assert isinstance(await refused(h.client.reservation("9" * 30)), NoSuchReservation)
    assert h.cloud.requests == []


@pytest.mark.parametrize("pages", [None, {}, {"nextPageExists": "no"}])
async def test_a_list_that_does_not_say_whether_it_goes_on_was_not_read(h, pages):
    h.cloud.put(Booking())
    await told(h)
    h.weather.answers = lambda body: orjson.dumps(orjson.loads(body) | {"pages": pages})
    assert isinstance(await refused(told(h)), Unreachable)


async def test_every_room_is_a_property_with_its_usual_times(h):
    h.cloud.put(Booking())
    assert await h.client.properties() == [
        FoundProperty("7:600007", "House 7 – Whole house", check_in=time(15), check_out=time(10, 30), country="PT")
    ]


async def test_every_unit_of_a_room_that_there_is_several_times_is_a_property(h):
    h.cloud.put(Booking())
    h.cloud.units = 3
    assert [(home.ref, home.name) for home in await h.client.properties()] == [
        ("7:600007", "House 7 – Whole house – No. 1"),
        ("7:600007:2", "House 7 – Whole house – No. 2"),
        ("7:600007:3", "House 7 – Whole house – No. 3"),
    ]


@pytest.mark.parametrize("text", ["00:00", "24:00", "", None, 15])
async def test_a_usual_time_nobody_chose_is_none(h, text):
    h.cloud.put(Booking())
    await h.client.properties()
    changed = {"checkInStart": text, "checkOutEnd": text}
    h.weather.answers = lambda body: _with_property(body, changed)
    (home,) = await h.client.properties()
    assert (home.check_in, home.check_out) == (None, None)


def _with_property(body: bytes, changes: dict[str, Any]) -> bytes:
    answer = orjson.loads(body)
    return orjson.dumps({**answer, "data": [each | changes for each in answer["data"]]})


# The door code


async def test_the_first_code_is_one_item_and_the_next_ones_change_it(h):
    h.cloud.put(Booking())
    stay = h.stay(Booking())
    await h.client.write_code(stay, NOTE)
    await h.client.write_code(stay, OTHER_NOTE)
    await h.client.write_code(stay, OTHER_NOTE)
    assert [(item["code"], item["text"]) for item in h.cloud.items[4711]] == [("ACCESS_CODE", "8153")]


async def test_what_is_sent_names_the_item(h):
    h.cloud.put(Booking())
    h.cloud.items[4711] = [
        {"id": 31, "code": "ACCESS_CODE", "text": "0000"},
        {"id": 32, "code": "PARKING", "text": "B"},
    ]
    seen = recorded(h)
    await h.client.write_code(h.stay(Booking()), NOTE)
    await h.client.write_code(h.stay(Booking()), None)
    assert [body for _, body in seen if body is not None] == [
        [{"id": 4711, "infoItems": [{"id": 31, "text": "0712"}]}],
        [{"id": 4711, "infoItems": [{"id": 31}]}],
    ]
    assert h.cloud.items[4711] == [{"id": 32, "code": "PARKING", "text": "B"}]


async def test_where_somebody_added_a_second_item_both_say_the_same(h):
    h.cloud.put(Booking())
    h.cloud.items[4711] = [{"id": number, "code": "access_code", "text": "0000"} for number in (31, 32)]
    await h.client.write_code(h.stay(Booking()), NOTE)
    assert [item["text"] for item in h.cloud.items[4711]] == ["0712", "0712"]


async def test_taking_away_what_is_not_there_changes_nothing(h):
    h.cloud.put(Booking())
    await h.client.write_code(h.stay(Booking()), None)
    assert all(method == "GET" for method, _ in h.cloud.requests)


async def test_the_host_chooses_the_info_code(h):
    h.client = h.connect(info_code="DOOR")
    h.cloud.put(Booking())
    await h.client.write_code(h.stay(Booking()), NOTE)
    assert [item["code"] for item in h.cloud.items[4711]] == ["DOOR"]
    assert await h.client.read_code(h.stay(Booking())) == "0712"


async def test_items_that_make_no_sense_are_not_taken_for_none(h):
    h.cloud.put(Booking())
    await told(h)
    h.weather.answers = lambda body: _with_property(body, {"infoItems": "many"})
    assert isinstance(await refused(h.client.write_code(h.stay(Booking()), NOTE)), Unreachable)
    assert all(method == "GET" for method, _ in h.cloud.requests)


async def test_an_item_that_is_refused_in_a_good_answer_is_refused(h):
    h.cloud.put(Booking())
    del h.cloud.bookings[4711]
    body = [{"bookingId": 4711, "message": "Hello"}]
    seen = recorded(h)
    assert isinstance(await refused(h.client.send_message(h.stay(Booking()), "Your code", "Hello")), Rejected)
    assert seen[-1][1] == body


# Messages


@pytest.mark.parametrize("channel", ["airbnb", "booking", "expedia", "vrbo", "Booking.com", "Airbnb"])
async def test_guests_of_channels_can_be_written_to(h, channel):
    h.cloud.put(Booking(booked_on=channel.casefold().removesuffix(".com")))
    await h.client.send_message(h.stay(Booking(booked_on=channel)), "Your code", "Hello Ida")
    assert h.cloud.messages_of("res-4711") == ["Hello Ida"]


@pytest.mark.parametrize("channel", ["direct", "bookingpage", "agoda", "airbnbical"])
async def test_other_guests_cannot_and_nothing_is_asked(h, channel):
    h.cloud.put(Booking(booked_on=channel))
    error = await refused(h.client.send_message(h.stay(Booking(booked_on=channel)), "Your code", "Hello Ida"))
    assert isinstance(error, NotOffered)
    assert h.cloud.requests == []


async def test_a_stay_of_an_unknown_channel_is_left_to_the_vendor(h):
    h.cloud.put(Booking())
    stay = replace(h.stay(Booking()), booked_on=None)
    await h.client.send_message(stay, "Your code", "Hello Ida")
    h.cloud.put(Booking(booked_on="direct"))
    assert isinstance(await refused(h.client.send_message(stay, "Your code", "Hello Ida")), Rejected)


async def test_what_others_wrote_was_not_sent(h):
    h.cloud.put(Booking())
    for number, source in enumerate(("guest", "system", "internalNote", "host")):
        said = {"bookingId": 4711, "source": source, "message": source, "time": f"2026-05-20T12:0{number}:00Z"}
        h.cloud.messages.append({"id": number, **said})
    assert await h.client.sent_texts(h.stay(Booking())) == ["host"]


# Limits and refusals


@pytest.mark.parametrize(
    ("headers", "heard"),
    [
        (("96.8", "120"), (60, 120)),
        (("0", "12.5"), (0, 12.5)),
        (("1.5", "7"), (0, 7)),
        (("many", "7"), None),
        (("nan", "7"), None),
        (("inf", "7"), None),
        (("7", "inf"), None),
        ((None, "7"), None),
    ],
)
async def test_what_is_left_of_the_credits_is_counted_in_calls(h, headers, heard):
    told_of: list[tuple[int, float]] = []

    async def hear(remaining: int, resets_at: datetime) -> None:
        told_of.append((remaining, (resets_at - NOW).total_seconds()))

    h.pace.heard = hear
    await told(h)
    told_of.clear()
    h.cloud.rate = headers
    await told(h)
    assert told_of == ([] if heard is None else [heard])


def test_the_pace_is_what_the_credits_are_good_for():
    assert PLATFORM.rate is not None
    assert (PLATFORM.rate.calls, PLATFORM.rate.per) == (62, timedelta(minutes=5))


@pytest.mark.parametrize(
    ("status", "reading", "writing"),
    [
        (403, AccountRefused, NotOffered),
        (400, Unreachable, Rejected),
        (500, Unreachable, ProviderError),
    ],
)
async def test_every_refusal_has_its_meaning(h, status, reading, writing):
    h.cloud.put(Booking())
    h.cloud.faults = [status] * 3
    assert isinstance(await refused(h.client.reservation("4711")), reading)
    h.cloud.faults = [status]
    assert isinstance(await refused(h.client.send_message(h.stay(Booking()), "Hello", "Hello")), writing)


async def test_a_token_that_is_refused_is_replaced_once(h):
    h.cloud.put(Booking())
    h.cloud.faults = [401, 401]
    assert isinstance(await refused(h.client.reservation("4711")), AccountRefused)
    assert len(h.tokens.signed_in) == 2


@pytest.mark.parametrize(
    "settings", [{"refresh_token": ""}, {"refresh_token": "clé"}, {"url": "beds24"}, {"refresh_token": "a\nb"}]
)
async def test_settings_that_make_no_sense_are_refused_without_asking(h, settings):
    with pytest.raises(AccountRefused, match="plain ASCII"):
        h.connect(**settings)
    assert h.cloud.requests == []
