"""What is particular to Hostaway."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from lockbridge.contract import AccountRefused, ProviderError, Unreachable
from lockbridge.domain.stay import StayStatus, TimeSource
from lockbridge.inbound import Delivery, Ignored, Unauthenticated, Unreadable
from lockbridge.outbound import Patience
from lockbridge.platforms.contract import FoundProperty, NoSuchReservation, NotOffered, Reread, ReservationEvent
from lockbridge.platforms.hostaway import HOOK, PLATFORM
from tests.contract.serving import ServedApp
from tests.platforms.client_checks import FULL, NOTE, TEXT
from tests.platforms.examined import Examined, examining
from tests.platforms.vendor import NOW, STRANGE, Booking
from tests.platforms.vendors.hostaway import VENDOR

SAMPLES = Path(__file__).parents[3] / "shared" / "payloads" / "hostaway"
ROOMS = Booking(rooms=("room-21", "room-22"))


def read_all(event: dict[str, Any]) -> list[Any]:
    return list(HOOK.read(Delivery({}, orjson.dumps(event), NOW)))


def read(**extra: Any) -> ReservationEvent:
    (event,) = HOOK.read(Delivery({}, VENDOR.body(Booking(extra=extra)), NOW))
    assert isinstance(event, ReservationEvent)
    return event


@pytest.fixture
async def h(served: ServedApp) -> AsyncIterator[Examined]:
    async with examining(VENDOR, served) as examined:
        yield examined


async def failure(call: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await call
    return caught.value


# Webhooks


def test_the_login_and_password_are_the_proof():
    delivery = VENDOR.delivery(VENDOR.body(Booking()))
    assert delivery.headers == {"authorization": "Basic bG9ja2JyaWRnZTphbiBpbnZlbnRlZCBwYXNzd29yZA=="}
    HOOK.authenticate(delivery, VENDOR.secret, NOW)
    for wrong in (VENDOR.other_secret, "other:an invented password", "lockbridge", "lockbridge:", ""):
        with pytest.raises(Unauthenticated):
            HOOK.authenticate(VENDOR.delivery(delivery.body, wrong or "x"), VENDOR.secret, NOW)
        with pytest.raises(Unauthenticated):
            HOOK.authenticate(delivery, wrong, NOW)


def test_a_webhook_without_a_login_is_refused():
    with pytest.raises(Unauthenticated, match="is missing"):
        HOOK.authenticate(Delivery({}, b"{}", NOW), VENDOR.secret, NOW)


@pytest.mark.parametrize("secret", ["lockbridge", "lockbridge:", "lockbridge:good\nlockbridge"])
def test_a_secret_without_a_password_is_a_problem(secret):
    assert "login:password" in HOOK.secret_problem(secret)


def test_json_that_was_encoded_twice_is_the_same_event():
    body = VENDOR.body(Booking())
    twice = HOOK.read(Delivery({}, orjson.dumps(body.decode()), NOW))
    assert twice == HOOK.read(Delivery({}, body, NOW))
    assert HOOK.dedupe_key(Delivery({}, body, NOW)).startswith("sha256:")


def test_a_duplicate_has_the_key_of_the_first_and_another_change_has_not():
    first, again, other = (VENDOR.body(Booking(departure=day)) for day in ("2026-06-16", "2026-06-16", "2026-06-17"))
    keys = [HOOK.dedupe_key(VENDOR.delivery(body)) for body in (first, again, other)]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("event", ["message.received", "reservation.deleted", "listing.updated", "sung.about"])
def test_other_events_are_ignored_by_name(event):
    assert read_all({"event": event, "data": {"id": 1}}) == [Ignored(f"nothing to do with doors: {event}")]


def test_an_event_that_only_names_its_reservation_leads_to_reading_it():
    assert read_all({"event": "reservation.updated", "data": {"id": 1, "listingMapId": 100}}) == [Reread("1")]
    with pytest.raises(Unreadable, match=r"^data\.id is missing"):
        read_all({"event": "reservation.updated", "data": {"listingMapId": 100}})


def test_the_samples_are_understood():
    for sample in sorted(SAMPLES.glob("webhook.*.json")):
        assert read_all(orjson.loads(sample.read_bytes())) == [Reread("1")], sample.name
    for sample in SAMPLES.glob("api.reservation.json"):
        (event,) = read_all({"event": "reservation.created", "data": orjson.loads(sample.read_bytes())})
        assert (event.external_id, event.property_ref, event.reservation_code) == ("13", "40160", "HMP2KQ4B44")
        assert (event.status, event.channel, event.owner_stay) == (StayStatus.CONFIRMED, "airbnb", False)
        assert (event.arrival, event.departure) == (date(2017, 7, 15), date(2017, 7, 16))
        assert (event.check_in, event.check_out, event.changed_at) == (None, None, None)
    for sample in SAMPLES.glob("api.*Webhook*.json"):
        assert [type(each) for each in read_all({"event": "x", "data": orjson.loads(sample.read_bytes())})] == [Ignored]


# The reservation


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("new", StayStatus.CONFIRMED),
        ("modified", StayStatus.CONFIRMED),
        ("ownerStay", StayStatus.CONFIRMED),
        ("pending", StayStatus.PENDING),
        ("awaitingPayment", StayStatus.PENDING),
        ("unconfirmed", StayStatus.PENDING),
        ("awaitingGuestVerification", StayStatus.PENDING),
        ("inquiry", StayStatus.PENDING),
        ("inquiryPreapproved", StayStatus.PENDING),
        ("cancelled", StayStatus.CANCELLED),
        ("declined", StayStatus.CANCELLED),
        ("expired", StayStatus.CANCELLED),
        ("inquiryDenied", StayStatus.CANCELLED),
        ("inquiryTimedout", StayStatus.CANCELLED),
        ("inquiryNotPossible", StayStatus.CANCELLED),
        ("unknown", StayStatus.UNKNOWN),
        (STRANGE, StayStatus.UNKNOWN),
        (None, StayStatus.UNKNOWN),
        ({}, StayStatus.UNKNOWN),
    ],
)
def test_every_status_means_something(raw, status):
    event = read(status=raw)
    assert (event.status, event.raw_status) == (status, raw or "")
    assert event.owner_stay == (raw == "ownerStay")


@pytest.mark.parametrize("yes", [1, "1", True])
def test_dates_that_stand_for_none_confirm_nothing(yes):
    placeholders = {"isDatesUnspecified": yes, "arrivalDate": "2026-05-19", "departureDate": "2026-05-19"}
    assert read(**placeholders).status is StayStatus.PENDING
    assert read(**placeholders, status="inquiry").status is StayStatus.PENDING
    assert read(**placeholders, status="cancelled").status is StayStatus.CANCELLED
    assert read(**placeholders, status=STRANGE).status is StayStatus.UNKNOWN
    upside_down = read(**{**placeholders, "departureDate": "2026-05-18"})
    assert upside_down.arrival == upside_down.departure == date(2026, 5, 19)


@pytest.mark.parametrize("no", [0, "0", None, [], "yes"])
def test_dates_that_are_meant_are_taken_as_they_are(no):
    assert read(isDatesUnspecified=no).status is StayStatus.CONFIRMED
    with pytest.raises(Unreadable, match="departure is not after the arrival"):
        read(isDatesUnspecified=no, departureDate="2026-06-13")


@pytest.mark.parametrize(
    ("value", "clock"),
    [
        (16, time(16)),
        ("16", time(16)),
        (1, time(1)),
        (23, time(23)),
        (0, None),
        (24, None),
        (-3, None),
        (None, None),
        (True, None),
        (16.5, None),
        ("16:00", None),
        ("", None),
        ("٣", None),
        (10**18, None),
    ],
)
def test_an_hour_is_a_number_of_the_day(value, clock):
    event = read(checkInTime=value, checkOutTime=value)
    assert event.check_in == event.check_out == clock
    assert event.check_in_from is event.check_out_from is TimeSource.RESERVATION


@pytest.mark.parametrize(
    ("updated", "activity", "changed_at"),
    [
        ("2026-05-20 11:59:00", None, datetime(2026, 5, 20, 11, 59, tzinfo=UTC)),
        (None, "2026-05-20 11:58:30", datetime(2026, 5, 20, 11, 58, 30, tzinfo=UTC)),
        ("2026-05-20 11:59:00", "2026-05-20 12:01:00", datetime(2026, 5, 20, 12, 1, tzinfo=UTC)),
        ("2026-05-20T11:59:00+02:00", "2026-05-20 09:00:00", datetime(2026, 5, 20, 9, 59, tzinfo=UTC)),
        ("yesterday", None, None),
        (None, 7, None),
    ],
)
def test_the_last_change_is_the_later_of_two_timestamps_in_utc(updated, activity, changed_at):
    assert read(updatedOn=updated, latestActivityOn=activity).changed_at == changed_at


@pytest.mark.parametrize(
    ("said", "phone"),
    [
        ("+1 555 010 1234", "+1 555 010 1234"),
        ("", None),
        (None, None),
        ("n/a", None),
        ("12", None),
        (15550101234, "15550101234"),
    ],
)
def test_a_phone_is_handed_on_when_it_could_be_one(said, phone):
    assert read(phone=said).phone == phone


def test_a_guest_is_called_by_what_there_is():
    assert read(guestName=None).guest_name == "Ida Example"
    assert read(guestName=None, guestLastName=None).guest_name == "Ida"
    assert read(guestName=None, guestFirstName=None, guestLastName=None).guest_name is None


def test_a_booking_from_elsewhere_is_called_by_hostaways_number():
    assert read(confirmationCode=None).reservation_code == "4711"


# Several units


def test_each_unit_is_a_stay_of_its_own():
    first, second = HOOK.read(Delivery({}, VENDOR.body(ROOMS), NOW))
    assert [(each.external_id, each.property_ref, each.ref) for each in (first, second)] == [
        ("4711:900021", "7:21", "4711"),
        ("4711:900022", "7:22", "4711"),
    ]


def test_a_guest_who_gets_another_unit_keeps_the_stay():
    units = [{"id": 900_021, "listingUnitId": 23, "guestName": "Ana Example"}, {"id": 900_022, "listingUnitId": 22}]
    first, second = HOOK.read(Delivery({}, VENDOR.body(Booking(extra={"reservationUnit": units})), NOW))
    assert (first.external_id, first.property_ref, first.guest_name) == ("4711:900021", "7:23", "Ana Example")
    assert second.guest_name == "Ida Example"


def test_the_only_unit_goes_by_the_reservations_number():
    (event,) = HOOK.read(Delivery({}, VENDOR.body(Booking(rooms=("room-21",))), NOW))
    assert (event.external_id, event.ref, event.property_ref) == ("4711", "4711", "7:21")


@pytest.mark.parametrize("units", [None, [], {}, "two", [7]])
def test_units_that_are_none_leave_the_listing(units):
    assert read(reservationUnit=units).property_ref == "7"


def test_a_unit_without_an_identity_is_named():
    with pytest.raises(Unreadable, match=r"^data\.reservationUnit\[1\]\.id is missing"):
        read(reservationUnit=[{"id": 1, "listingUnitId": 2}, {"listingUnitId": 3}])


async def test_the_list_and_the_single_read_tell_every_unit(h):
    h.cloud.put(ROOMS)
    single = await h.client.reservation("4711")
    (page,) = [page async for page in h.client.reservations(FULL) if page]
    assert list(page) == list(single) == list(HOOK.read(Delivery({}, VENDOR.body(ROOMS), NOW)))


async def test_units_share_one_door_code_so_that_none_is_written(h):
    h.cloud.put(ROOMS)
    stay = h.stay(ROOMS, "room-21")
    assert isinstance(await failure(h.client.write_code(stay, NOTE)), NotOffered)
    assert h.cloud.code_of("res-4711") is None


# Signing in


async def test_the_sign_in_is_asked_for_as_documented(h):
    await h.client.properties()
    assert h.cloud.requests[0] == ("POST", "/v1/accessTokens")
    assert h.cloud.seen[0].headers["content-type"] == "application/x-www-form-urlencoded"
    wanted = b"grant_type=client_credentials&scope=general&client_id=10450&client_secret=an-invented-api-key"
    assert h.cloud.bodies[0] == wanted
    assert h.cloud.seen[1].headers["authorization"] == "Bearer invented-token-1"
    assert h.tokens.grant.expires_at == NOW + timedelta(seconds=15_897_600)


async def test_a_new_token_is_left_alone_for_a_second(h):
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    client = replace(h.client, _vendor=replace(h.client._vendor, patience=Patience(sleep=sleep)))
    await client.properties()
    await client.properties()
    assert slept == [1.0]


async def test_a_token_may_come_inside_a_result(h):
    h.cloud.wraps_tokens = True
    assert await h.client.properties() == []


@pytest.mark.parametrize("missing", ["account_id", "api_key", "url"])
def test_a_form_that_is_not_filled_in_is_refused(missing):
    settings = (
        VENDOR.settings | {"url": "https://hostaway.invalid/v1"} | {missing: "hostaway" if missing == "url" else " "}
    )
    link = type("Link", (), {"settings": settings, "http": None, "now": None, "tokens": None, "pace": None})()
    with pytest.raises(AccountRefused, match=r"Hostaway's address"):
        PLATFORM.connect(link)


# Reading


async def test_a_full_read_asks_for_the_days_and_for_the_units(h):
    h.cloud.put(Booking())
    assert [event async for page in h.client.reservations(FULL) for event in page]
    first, last = h.cloud.seen[-2:]
    asked = dict(first.query_params)
    assert asked == {
        "limit": "100",
        "sortOrder": "arrivalDate",
        "includeResources": "1",
        "departureStartDate": "2026-05-18",
        "arrivalEndDate": "2026-06-30",
    }
    assert dict(last.query_params) == asked | {"afterId": "4711"}


async def test_changes_are_asked_for_by_the_day_before_and_sorted_out_here(h):
    for number, changed_at in enumerate(("2026-05-20T11:54:59Z", "2026-05-20T11:55:00Z", "2026-05-20T11:59:00Z")):
        h.cloud.put(Booking(id=f"res-{number + 1}", changed_at=changed_at))
    since = datetime(2026, 5, 20, 11, 55, 0, 500_000, tzinfo=UTC)
    found = [event async for page in h.client.reservations(replace(FULL, changed_since=since)) for event in page]
    assert [event.external_id for event in found] == ["2", "3"]
    asked = h.cloud.seen[-1].query_params
    assert asked["latestActivityStart"] == "2026-05-19"
    assert "arrivalEndDate" not in asked


async def test_a_change_without_a_timestamp_is_told_rather_than_lost(h):
    h.cloud.put(Booking())
    h.weather.answers = lambda body: body.replace(b'"2026-05-20 11:59:00"', b"null")
    found = [event async for page in h.client.reservations(replace(FULL, changed_since=NOW)) for event in page]
    assert [event.external_id for event in found] == ["4711"]


async def test_a_full_page_that_leads_nowhere_is_an_error_and_no_end(h):
    h.cloud.put(Booking(id="res-7"))
    page = orjson.dumps({"status": "success", "result": [{"id": 7}] * 100})
    h.weather.answers = lambda _: page
    with pytest.raises(Unreachable, match="does not go on"):
        [_ async for _ in h.client.reservations(FULL)]


async def test_an_entry_that_is_no_reservation_is_told_in_its_place(h):
    h.cloud.put(Booking())
    h.weather.answers = lambda body: body.replace(b'"result":[{', b'"result":[7,{"id":"x"},{')
    (page,) = [page async for page in h.client.reservations(FULL) if len(page) == 3]
    assert [type(event) for event in page] == [Ignored, Ignored, ReservationEvent]


async def test_a_listing_tells_its_zone_times_and_country(h):
    h.cloud.put(Booking())
    found = await h.client.properties()
    assert found == [FoundProperty("7", "House 7", "America/New_York", time(15), time(10), "US")]


async def test_all_listings_are_read_whatever_the_size_of_a_page(h):
    for number in range(130):
        h.cloud.put(Booking(id=f"res-{number + 1}", home=f"prop-{number + 1}"))
    assert len(await h.client.properties()) == 130
    offsets = [each.query_params["offset"] for each in h.cloud.seen[1:]]
    assert offsets == ["0", "100", "130"]


async def test_an_answer_without_success_is_none(h):
    h.cloud.put(Booking())
    h.weather.answers = lambda body: body.replace(b'"success"', b'"fail"')
    assert isinstance(await failure(h.client.reservation("4711")), Unreachable)


# The door code


async def test_the_three_fields_are_written_and_nothing_else(h):
    h.cloud.put(Booking())
    await h.client.write_code(h.stay(Booking()), NOTE)
    assert h.cloud.requests[-1] == ("PUT", "/v1/reservations/4711")
    assert dict(h.cloud.seen[-1].query_params) == {"forceOverbooking": "1"}
    assert orjson.loads(h.cloud.bodies[-1]) == {
        "doorCode": "0712",
        "doorCodeVendor": "lockbridge",
        "doorCodeInstruction": "2026-06-14 16:00 – 2026-06-16 11:00",
    }
    await h.client.write_code(h.stay(Booking()), None)
    assert orjson.loads(h.cloud.bodies[-1]) == {
        "doorCode": None,
        "doorCodeVendor": None,
        "doorCodeInstruction": None,
    }


async def test_a_reservation_that_may_not_be_changed_does_not_cost_the_account(h):
    h.cloud.put(Booking())
    await h.client.properties()
    h.cloud.locked.add(4711)
    assert isinstance(await failure(h.client.write_code(h.stay(Booking()), NOTE)), NotOffered)
    assert len(h.tokens.signed_in) == 2
    assert await h.client.reservation("4711")


async def test_a_reservation_that_is_gone_takes_no_code(h):
    stay = h.stay(Booking(id="res-9999"))
    for call in (h.client.write_code(stay, NOTE), h.client.read_code(stay), h.client.send_message(stay, "", TEXT)):
        assert isinstance(await failure(call), NoSuchReservation)


# Messages


@pytest.mark.parametrize(
    ("booked_on", "way"),
    [
        ("airbnbOfficial", "channel"),
        ("airbnb", "channel"),
        ("bookingcom", "channel"),
        ("homeaway", "channel"),
        ("expedia", "channel"),
        ("direct", "email"),
        ("bookingengine", "email"),
        ("vrboical", "email"),
        ("customIcal", "email"),
        (None, "email"),
    ],
)
async def test_a_message_goes_through_the_channel_or_by_e_mail(h, booked_on, way):
    h.cloud.put(Booking())
    await h.client.send_message(replace(h.stay(Booking()), booked_on=booked_on), "Your code", TEXT)
    assert h.cloud.requests[-1] == ("POST", "/v1/conversations/74711/messages")
    assert orjson.loads(h.cloud.bodies[-1]) == {"body": TEXT, "communicationType": way}


async def test_without_a_conversation_nobody_can_be_written_to(h):
    h.cloud.put(Booking())
    h.cloud.silent.add(4711)
    assert isinstance(await failure(h.client.send_message(h.stay(Booking()), "Your code", TEXT)), NotOffered)
    assert await h.client.sent_texts(h.stay(Booking())) == []


async def test_what_waits_to_be_sent_counts_and_what_failed_or_came_in_does_not(h):
    h.cloud.put(Booking())
    h.cloud.write(4711, "Hello", status="sent", isIncoming=1)
    h.cloud.write(4711, "Welcome", status="sent")
    h.cloud.write(4711, "Never mind", status="cancelled_by_user")
    h.cloud.write(4711, "Lost", status="failed")
    h.cloud.write(4711, "Your code")
    assert await h.client.sent_texts(h.stay(Booking())) == ["Welcome", "Your code"]


async def test_a_long_conversation_is_read_to_its_beginning(h):
    h.cloud.put(Booking())
    for number in range(150):
        h.cloud.write(4711, f"Message {number}")
    assert await h.client.sent_texts(h.stay(Booking())) == [f"Message {number}" for number in range(150)]


def test_the_help_says_that_the_login_is_needed():
    assert "login:password" in HOOK.setup_help
