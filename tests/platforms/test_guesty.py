"""What is particular to Guesty."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson
import pytest

from lockbridge.contract import AccountRefused, OutcomeUnknown, ProviderError, RateLimited, Unreachable
from lockbridge.domain.stay import StayStatus, TimeSource
from lockbridge.inbound import Delivery, Ignored, Unauthenticated, Unreadable
from lockbridge.platforms.contract import FoundProperty, NoSuchReservation, NotOffered, Reread, ReservationEvent
from lockbridge.platforms.guesty import HOOK, PLATFORM
from tests.contract.serving import ServedApp
from tests.platforms.client_checks import FULL, NOTE, TEXT
from tests.platforms.examined import Examined, Fault, examining
from tests.platforms.vendor import NOW, STRANGE, Booking
from tests.platforms.vendors.guesty import VENDOR, listing

GONE = "res-9999"


def read_event(event: dict[str, Any]) -> Any:
    (told,) = HOOK.read(Delivery({}, orjson.dumps(event), NOW))
    return told


def read(**extra: Any) -> ReservationEvent:
    """The reservation of an older event, with other fields in it."""
    (event,) = HOOK.read(Delivery({}, VENDOR.old_body(Booking(extra=extra)), NOW))
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


def test_svix_and_standard_headers_are_both_taken():
    delivery = VENDOR.delivery(VENDOR.body(Booking()))
    renamed = {name.replace("svix-", "webhook-"): value for name, value in delivery.headers.items()}
    assert renamed.keys() != delivery.headers.keys()
    for headers in (delivery.headers, renamed):
        HOOK.authenticate(replace(delivery, headers=headers), VENDOR.secret, NOW)


def test_a_wrong_signature_a_wrong_body_and_an_old_delivery_are_refused():
    delivery = VENDOR.delivery(VENDOR.body(Booking()))
    for wrong, now in (
        (VENDOR.delivery(delivery.body, VENDOR.other_secret), NOW),
        (replace(delivery, body=delivery.body + b" "), NOW),
        (delivery, NOW + timedelta(minutes=6)),
    ):
        with pytest.raises(Unauthenticated):
            HOOK.authenticate(wrong, VENDOR.secret, now)


def test_the_event_has_an_id_of_its_own_and_the_message_is_the_next_best():
    known = VENDOR.delivery(VENDOR.body(Booking()))
    assert HOOK.dedupe_key(known) == "id:evt-0001"
    old = VENDOR.delivery(VENDOR.old_body(Booking()))
    assert HOOK.dedupe_key(old) == "id:msg_invented1"
    assert HOOK.dedupe_key(replace(old, headers={})).startswith("sha256:")
    assert HOOK.dedupe_key(replace(old, body=b"[")) == "id:msg_invented1"


@pytest.mark.parametrize("event", ["reservation.created.v2", "reservation.updated.v2"])
@pytest.mark.parametrize(
    "data",
    [
        {"reservationId": "r-1"},
        {"reservation": {"id": "r-1"}},
        {"reservation": {"_id": "r-1"}},
        {"reservationId": "r-1", "status": "canceled", "reservation": {"id": "r-2"}},
        {"reservationId": None, "reservation": {"id": "r-1"}},
    ],
)
def test_the_new_events_name_a_reservation_in_two_shapes(event, data):
    assert read_event({"event": event, "meta": {"eventId": "e"}, "data": data}) == Reread("r-1")


@pytest.mark.parametrize("data", [{}, {"reservation": None}, {"reservation": []}, {"reservation": {"id": None}}])
def test_a_new_event_without_a_name_is_complained_about(data):
    with pytest.raises(Unreadable, match=r"^data\.reservationId is missing"):
        read_event({"event": "reservation.updated.v2", "data": data})


@pytest.mark.parametrize("happening", ["created", "changed"])
def test_the_older_events_hold_the_reservation(happening):
    (event,) = HOOK.read(Delivery({}, VENDOR.old_body(Booking(happening=happening)), NOW))
    assert (event.external_id, event.property_ref, event.reservation_code) == ("res-4711", "prop-7", "HMTEST4711")
    assert (event.arrival, event.departure) == (date(2026, 6, 14), date(2026, 6, 16))
    assert event.changed_at == datetime(2026, 5, 20, 11, 59, tzinfo=UTC)
    assert (event.property_name, event.channel, event.platform_guest) == ("House prop-7", "airbnb", "guest-1")


def test_an_older_event_without_dates_names_its_reservation():
    event = {"event": "reservation.updated", "reservation": {"_id": "r-1", "status": "confirmed"}}
    assert read_event(event) == Reread("r-1")


@pytest.mark.parametrize(
    "event",
    ["reservation.messageReceived", "reservation.messageSent", "listing.updated", "guest.created", "task.created", "x"],
)
def test_other_events_are_ignored_by_name(event):
    assert read_event({"event": event}) == Ignored(f"nothing to do with doors: {event}")


# The reservation


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("inquiry", StayStatus.PENDING),
        ("reserved", StayStatus.PENDING),
        ("awaiting_payment", StayStatus.PENDING),
        ("confirmed", StayStatus.CONFIRMED),
        ("Confirmed", StayStatus.CONFIRMED),
        ("checked_in", StayStatus.CONFIRMED),
        ("checked_out", StayStatus.CONFIRMED),
        ("canceled", StayStatus.CANCELLED),
        ("cancelled", StayStatus.CANCELLED),
        ("declined", StayStatus.CANCELLED),
        ("expired", StayStatus.CANCELLED),
        ("closed", StayStatus.CANCELLED),
        (STRANGE, StayStatus.UNKNOWN),
        (None, StayStatus.UNKNOWN),
        ([], StayStatus.UNKNOWN),
    ],
)
def test_every_status_means_something(raw, status):
    event = read(status=raw)
    assert (event.status, event.raw_status) == (status, raw or "")


@pytest.mark.parametrize(("source", "is_owner"), [("owner", True), ("Owner", True), ("airbnb", False), (None, False)])
def test_an_owners_stay_is_marked_and_keeps_its_status(source, is_owner):
    event = read(source=source)
    assert (event.owner_stay, event.status) == (is_owner, StayStatus.CONFIRMED)


def test_the_channel_is_the_source_or_else_the_integration():
    assert read(source="Booking.com").channel == "Booking.com"
    assert read(source=None, integration={"platform": "bookingCom"}).channel == "bookingCom"
    assert read(source=None, integration=None).channel is None


def times(**extra: Any) -> tuple[time | None, TimeSource, datetime | None]:
    event = read(**extra)
    return event.check_in, event.check_in_from, event.check_in_instant


def test_a_planned_time_overrides_an_instant_that_was_left_behind():
    stale = "2026-06-14T19:00:00.000Z"
    assert times(plannedArrival="17:30", checkIn=stale) == (time(17, 30), TimeSource.PLANNED, None)
    event = read(plannedDeparture="09:15", checkOut="2026-06-16T14:00:00.000Z")
    assert (event.check_out, event.check_out_from, event.check_out_instant) == (time(9, 15), TimeSource.PLANNED, None)


def test_an_instant_is_the_clock_on_the_listings_wall():
    moment = datetime(2026, 6, 14, 19, tzinfo=UTC)
    written = "2026-06-14T19:00:00.000Z"
    assert times(plannedArrival=None, checkIn=written) == (time(15), TimeSource.INSTANT, moment)
    kathmandu = listing("prop-7") | {"timezone": "Asia/Kathmandu"}
    assert times(plannedArrival=None, checkIn="2026-06-14T09:15:00.000Z", listing=kathmandu)[0] == time(15)


@pytest.mark.parametrize(
    ("planned", "checkin", "zone"),
    [
        pytest.param(None, None, "America/New_York", id="no instant"),
        pytest.param(None, "soon", "America/New_York", id="no instant that can be read"),
        pytest.param(None, "2026-06-14T19:00:00.000Z", None, id="no zone"),
        pytest.param(None, "2026-06-14T19:00:00.000Z", "Mars/Base", id="no zone that is known"),
        pytest.param(None, "2026-06-12T19:00:00.000Z", "America/New_York", id="another day"),
        pytest.param(None, "2026-06-14T04:00:00.000Z", "America/New_York", id="midnight"),
        pytest.param("00:00", None, "America/New_York", id="midnight planned"),
        pytest.param("four", None, "America/New_York", id="a plan that is no time"),
        pytest.param("25:00", None, "America/New_York", id="a plan at no time of day"),
        pytest.param(16, None, "America/New_York", id="a plan that is a number"),
    ],
)
def test_without_either_it_is_the_listings_usual_time(planned, checkin, zone):
    home = listing("prop-7") | {"timezone": zone}
    assert times(plannedArrival=planned, checkIn=checkin, listing=home) == (time(15), TimeSource.LISTING, None)


def test_without_any_the_dates_stand_alone():
    for home in (None, {}, {"_id": "prop-7", "defaultCheckInTime": "", "defaultCheckOutTime": "noon"}):
        event = read(plannedArrival=None, plannedDeparture=None, checkIn=None, checkOut=None, listing=home)
        assert (event.check_in, event.check_out, event.arrival) == (None, None, date(2026, 6, 14))


def test_without_its_local_date_the_day_is_that_of_the_instant_where_the_listing_is():
    event = read(checkInDateLocalized=None, plannedArrival=None, checkIn="2026-06-15T03:30:00.000Z")
    assert (event.arrival, event.check_in) == (date(2026, 6, 14), time(23, 30))
    with pytest.raises(Unreadable, match=r"^reservation\.checkInDateLocalized is missing"):
        read(checkInDateLocalized=None, listing={"_id": "prop-7"})
    with pytest.raises(Unreadable, match=r"^reservation\.checkOutDateLocalized is a text of another form"):
        read(checkOutDateLocalized="16.06.2026")


@pytest.mark.parametrize(
    ("guest", "name", "phone"),
    [
        ({"fullName": "Ida Example", "phone": "12015550123"}, "Ida Example", "12015550123"),
        ({"firstName": "Ida", "lastName": "Example", "phone": ""}, "Ida Example", None),
        ({"firstName": "Ida", "phone": "n/a"}, "Ida", None),
        ({"fullName": " ", "phone": "+1 555 010 1234"}, None, "+1 555 010 1234"),
        ([], None, None),
    ],
)
def test_a_guest_is_called_by_what_there_is(guest, name, phone):
    event = read(guest=guest)
    assert (event.guest_name, event.phone) == (name, phone)


def test_the_property_is_the_listing_by_either_name():
    assert read(listingId=None).property_ref == "prop-7"
    assert read(listingId="prop-8").property_ref == "prop-8"
    with pytest.raises(Unreadable, match=r"^reservation\.listingId is missing"):
        read(listingId=None, listing=None)


# Signing in


async def test_the_sign_in_is_asked_for_as_documented(h):
    await h.client.properties()
    signing_in, asking = h.cloud.seen
    assert signing_in.headers["content-type"] == "application/x-www-form-urlencoded"
    wanted = (
        b"grant_type=client_credentials&scope=open-api&client_id=0oainvented&client_secret=an-invented-client-secret"
    )
    assert h.cloud.bodies[0] == wanted
    assert "authorization" not in signing_in.headers
    assert asking.headers["authorization"] == "Bearer invented-token-1"
    assert h.tokens.grant.expires_at == NOW + timedelta(hours=24)


async def test_a_403_is_worth_one_sign_in_and_no_second(h):
    h.cloud.put(Booking())
    await h.client.properties()
    h.cloud.forbidden.add("/v1/reservations")
    for _ in range(3):
        assert isinstance(await failure(h.client.reservation("res-4711")), AccountRefused)
    assert len(h.tokens.signed_in) == 2


async def test_a_token_that_was_taken_again_may_be_renewed_again(h):
    h.cloud.put(Booking())
    for number in range(1, 4):
        await h.client.reservation("res-4711")
        assert len(h.tokens.signed_in) == number
        h.cloud.expire()


async def test_a_sixth_token_of_a_day_is_waited_for_as_long_as_guesty_says(h):
    h.cloud.tokens_left = 0
    error = await failure(h.client.properties())
    assert isinstance(error, RateLimited)
    assert error.retry_after == timedelta(hours=1)
    assert len(h.cloud.requests) == 1


async def test_a_sign_in_whose_answer_is_lost_is_not_repeated_at_once(h):
    h.weather.strike(Fault.DROPPED)
    assert isinstance(await failure(h.client.properties()), Unreachable)
    assert len(h.weather.asked) == 1


@pytest.mark.parametrize("missing", ["client_id", "client_secret", "url"])
def test_a_form_that_is_not_filled_in_is_refused(served, missing):
    with pytest.raises(AccountRefused, match=r"Guesty's address"):
        PLATFORM.connect(_link({missing: "  " if missing != "url" else "guesty"}))


def _link(settings: dict[str, str]) -> Any:
    filled = VENDOR.settings | {"url": "https://guesty.invalid"} | settings
    return type("Link", (), {"settings": filled, "http": None, "now": None, "tokens": None, "pace": None})()


# Reading


async def test_reading_asks_for_the_fields_it_needs(h):
    h.cloud.put(Booking())
    (event,) = await h.client.reservation("res-4711")
    assert event == read()
    fields = h.cloud.seen[-1].query_params["fields"].split()
    assert {"listing.timezone", "guest.phone", "plannedArrival", "lastUpdatedAt"} <= set(fields)


async def test_changes_are_asked_for_by_the_last_update(h):
    h.cloud.put(Booking())
    since = NOW - timedelta(minutes=5)
    assert [event async for page in h.client.reservations(replace(FULL, changed_since=since)) for event in page]
    asked = h.cloud.seen[-1].query_params
    assert orjson.loads(asked["filters"]) == [
        {"field": "lastUpdatedAt", "operator": "$gte", "value": "2026-05-20T11:55:00.000Z"}
    ]
    assert (asked["sort"], asked["limit"], asked["skip"]) == ("_id", "100", "0")


async def test_pages_end_with_the_one_that_is_not_full_whatever_the_count_says(h):
    for number in range(250):
        h.cloud.put(Booking(id=f"res-{5000 + number}"))
    await h.client.properties()
    h.cloud.seen.clear()
    pages = [len(page) async for page in h.client.reservations(FULL)]
    assert pages == [100, 100, 50]
    assert [each.query_params["skip"] for each in h.cloud.seen] == ["0", "100", "200"]


async def test_an_entry_that_is_no_reservation_is_told_in_its_place(h):
    h.cloud.put(Booking())
    h.weather.answers = lambda body: body.replace(b'{"results":[', b'{"results":[7,{},')
    (page,) = [page async for page in h.client.reservations(FULL)]
    assert [type(event) for event in page] == [Ignored, Ignored, ReservationEvent]
    assert page[0].reason == "a reservation in the list is no object"


async def test_a_listing_tells_its_zone_times_and_country(h):
    h.cloud.put(Booking())
    found = await h.client.properties()
    assert found == [FoundProperty("prop-7", "House prop-7", "America/New_York", time(15), time(10), "US")]


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ({"x-ratelimit-remaining-minute": "119", "x-ratelimit-remaining-hour": "4999"}, 119),
        ({"x-ratelimit-remaining-minute": "119", "x-ratelimit-remaining-hour": "3"}, 3),
        ({"x-ratelimit-remaining-second": "0"}, None),
        ({"x-ratelimit-remaining-minute": "plenty"}, None),
        ({}, None),
    ],
)
async def test_the_calls_that_are_left_are_learnt(h, monkeypatch, told, left):
    heard: list[tuple[int, datetime]] = []

    async def hear(remaining: int, resets_at: datetime) -> None:
        heard.append((remaining, resets_at))

    monkeypatch.setattr(h.pace, "heard", hear)
    h.cloud.headers = told
    await h.client.properties()
    assert heard == ([] if left is None else [(left, NOW + timedelta(minutes=1))])


# The door code


async def test_a_reservation_from_a_channel_has_its_code_at_the_top_and_takes_one_request(h):
    h.cloud.put(Booking())
    await h.client.properties()
    h.cloud.requests.clear()
    await h.client.write_code(h.stay(Booking()), NOTE)
    assert h.cloud.requests == [("PUT", "/v1/reservations/res-4711")]
    assert orjson.loads(h.cloud.bodies[-1]) == {"keyCode": "0712"}
    assert await h.client.read_code(h.stay(Booking())) == "0712"
    assert len(h.cloud.requests) == 2


async def test_a_reservation_of_the_newer_kind_has_it_in_its_notes(h):
    h.cloud.put(Booking())
    h.cloud.newer.add("res-4711")
    await h.client.write_code(h.stay(Booking()), NOTE)
    assert h.cloud.requests[-1] == ("PUT", "/v1/reservations-v3/res-4711/notes")
    assert orjson.loads(h.cloud.bodies[-1]) == {"notes": {"keyCode": "0712"}}
    assert h.cloud.code_of("res-4711") == await h.client.read_code(h.stay(Booking())) == "0712"
    await h.client.write_code(h.stay(Booking()), None)
    assert h.cloud.code_of("res-4711") is await h.client.read_code(h.stay(Booking())) is None


async def test_what_was_ignored_in_one_place_and_refused_in_the_other_reads_as_none(h):
    h.cloud.put(Booking())
    h.cloud.ignores_codes = True
    await h.client.write_code(h.stay(Booking()), NOTE)
    assert [path for method, path in h.cloud.requests if method == "PUT"] == [
        "/v1/reservations/res-4711",
        "/v1/reservations-v3/res-4711/notes",
    ]
    assert await h.client.read_code(h.stay(Booking())) is None


async def test_a_code_is_taken_away_in_both_places(h):
    h.cloud.put(Booking())
    await h.client.write_code(h.stay(Booking()), NOTE)
    h.cloud.requests.clear()
    await h.client.write_code(h.stay(Booking()), None)
    assert len(h.cloud.requests) == 2
    assert h.cloud.code_of("res-4711") is None


async def test_a_second_write_whose_answer_is_lost_is_not_known(h):
    h.cloud.put(Booking())
    h.cloud.newer.add("res-4711")
    await h.client.properties()
    h.weather.strike(Fault.GATEWAY, only_writes=True, after=1)
    assert isinstance(await failure(h.client.write_code(h.stay(Booking()), NOTE)), OutcomeUnknown)


async def test_a_reservation_in_neither_place_is_none(h):
    stay = h.stay(Booking(id=GONE))
    for call in (h.client.write_code(stay, NOTE), h.client.write_code(stay, None), h.client.read_code(stay)):
        assert isinstance(await failure(call), NoSuchReservation)


# Messages


@pytest.mark.parametrize(
    ("told", "booked_on", "module"),
    [
        (None, "airbnb", "airbnb2"),
        (None, "Airbnb2", "airbnb2"),
        (None, "Booking.com", "platform"),
        (None, "manual", "email"),
        (None, "website", "email"),
        (None, None, "platform"),
        ("sms", "airbnb", "sms"),
        ("carrier pigeon", "airbnb", "airbnb2"),
    ],
)
async def test_a_message_goes_the_conversations_own_way_or_the_channels(h, told, booked_on, module):
    h.cloud.put(Booking())
    h.cloud.module = told
    await h.client.send_message(replace(h.stay(Booking()), booked_on=booked_on), "Your code", TEXT)
    assert h.cloud.requests[-1] == ("POST", "/v1/communication/conversations/conv-res-4711/send-message")
    assert orjson.loads(h.cloud.bodies[-1]) == {"body": TEXT, "module": {"type": module}}


async def test_without_a_conversation_nobody_can_be_written_to(h):
    h.cloud.put(Booking())
    h.cloud.silent.add("res-4711")
    assert isinstance(await failure(h.client.send_message(h.stay(Booking()), "Your code", TEXT)), NotOffered)
    assert await h.client.sent_texts(h.stay(Booking())) == []


async def test_another_guests_conversation_is_never_taken_for_this_ones(h):
    h.cloud.put(Booking())
    h.cloud.put(Booking(id="res-4712"))
    h.weather.answers = lambda body: body.replace(b"res-4711", b"res-4712")
    assert isinstance(await failure(h.client.send_message(h.stay(Booking()), "Your code", TEXT)), NotOffered)
    assert h.cloud.messages_of("res-4712") == []


async def test_guests_posts_and_notes_were_not_sent(h):
    h.cloud.put(Booking())
    h.cloud.write("res-4711", "Hello", kind="fromGuest")
    h.cloud.write("res-4711", "Mind the dog", module="note")
    h.cloud.write("res-4711", "Welcome")
    h.cloud.write("res-4711", "By the rules", kind="fromGuesty")
    assert await h.client.sent_texts(h.stay(Booking())) == ["Welcome", "By the rules"]


async def test_the_documented_shape_of_conversations_is_read_too(h):
    h.cloud.put(Booking())
    documented = orjson.dumps({"results": [{"_id": "conv-res-4711", "reservation": {"_id": "res-4711"}}]})
    h.weather.answers = lambda body: documented if b"conversations" in body else body
    await h.client.send_message(h.stay(Booking()), "Your code", TEXT)
    assert h.cloud.messages_of("res-4711") == [TEXT]
