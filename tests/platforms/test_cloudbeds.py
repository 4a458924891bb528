"""What is particular to Cloudbeds: odd events, rooms and who is in them, refusals in 200s, keys with windows."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import orjson
import pytest

from lockbridge.contract import AccountRefused, OutcomeUnknown, Rejected, Unreachable
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Ignored, Unauthenticated, Unreadable
from lockbridge.platforms.cloudbeds import HOOK, _stays
from lockbridge.platforms.contract import (
    CodeNote,
    Event,
    FoundProperty,
    NoSuchReservation,
    Notice,
    NotOffered,
    Reread,
    ReservationEvent,
)
from lockbridge.platforms.reading import Fields
from tests.contract.serving import ServedApp
from tests.platforms.client_checks import FULL, NOTE, OTHER_NOTE
from tests.platforms.examined import Examined, Fault, examining
from tests.platforms.vendor import NOW, Booking
from tests.platforms.vendors.cloudbeds import VENDOR, reservation


def read_webhook(**event: Any) -> Event:
    (read,) = HOOK.read(Delivery({}, orjson.dumps({"version": "1.0", "timestamp": 1779278341.4, **event}), NOW))
    return read


def stays(booking: Booking | None = None, **extra: Any) -> list[ReservationEvent]:
    return _stays(Fields(reservation(booking or Booking()) | extra))


def room(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "subReservationID": f"4711-{number}",
        "roomID": f"r{number}",
        "roomName": f"Room {number}",
        "startDate": "2026-06-14",
        "endDate": "2026-06-16",
    } | changes


# Webhooks


@pytest.mark.parametrize(
    "event",
    [
        {"event": "reservation/created", "propertyID": 7, "reservationID": "4711"},
        {"event": "reservation/created", "propertyId": "7", "reservationId": 4711},
        {"event": "reservation/status_changed", "reservationID": "4711", "status": "on the moon"},
        {"event": "reservation/dates_changed", "reservationID": "4711", "subReservations": ["4711-1"]},
        {"event": "reservation/deleted", "reservationId": "4711"},
        {"event": "reservation/accommodation_changed", "subReservationId": "4711-2", "roomId": "r1"},
        {"event": "reservation/accommodation_type_changed", "subReservationId": "4711"},
        {"event": "reservation/made_up_tomorrow", "RESERVATIONID": "4711"},
        {"event": "guest/assigned", "guestId": 8801, "reservationId": "4711", "roomID": "r1"},
        {"event": "guest/accommodation_changed", "guestId": 8801, "subReservationId": "4711-1"},
    ],
    ids=lambda event: event["event"],
)
def test_whatever_happened_to_a_reservation_causes_it_to_be_asked_for(event):
    assert read_webhook(**event) == Reread("4711")


@pytest.mark.parametrize(
    "event",
    [
        {"event": "guest/details_changed", "guestId": 8801},
        {"event": "roomblock/created", "roomBlockID": "12"},
        {"event": "doorLockKey/key_requested", "reservationId": "4711"},
        {"event": "night_audit/completed"},
        {"event": "nonsense"},
    ],
    ids=lambda event: event["event"],
)
def test_other_events_are_ignored_by_name(event):
    assert read_webhook(**event) == Ignored(f"nothing to do with stays: {event['event']}")


def test_a_reservation_that_is_not_named_is_complained_about():
    with pytest.raises(Unreadable, match="reservationid is missing"):
        read_webhook(event="reservation/created", propertyID=7)
    with pytest.raises(Unreadable, match="event is missing"):
        read_webhook(reservationID="4711")


@pytest.mark.parametrize("state", [{"oldState": "enabled", "newState": "disabled"}, {"state": "disabled"}])
def test_a_disconnected_app_is_told_to_a_person(state):
    event = read_webhook(event="integration/appstate_changed", **state)
    assert isinstance(event, Notice)
    assert event.kind == "integration.disconnected"


def test_an_app_that_is_connected_is_no_news():
    event = read_webhook(event="integration/appstate_changed", newState="enabled")
    assert event == Ignored("the app is enabled")


def key(**event: Any) -> str:
    return HOOK.dedupe_key(Delivery({}, orjson.dumps(event), NOW))


def test_repeats_are_known_by_event_property_entity_and_moment():
    first = {"event": "reservation/created", "timestamp": 1611758157.431234, "propertyID": 7, "reservationID": "4711"}
    assert key(**first) == "id:reservation/created|7|reservationid=4711|1611758157.431234"
    again = {"reservationId": 4711, "propertyId": "7", "timestamp": 1611758157.431234, "event": "reservation/created"}
    assert key(**again, startDate="2026-06-14") == key(**first)


@pytest.mark.parametrize(
    "change",
    [
        {"event": "reservation/deleted"},
        {"timestamp": 1611758157.431235},
        {"propertyID": 8},
        {"reservationID": "4712"},
        {"reservationID": None, "guestId": "4711"},
    ],
)
def test_events_that_differ_in_one_of_them_are_two(change):
    first = {"event": "guest/assigned", "timestamp": 1611758157.431234, "propertyID": 7, "reservationID": "4711"}
    assert key(**first) != key(**first | change)


@pytest.mark.parametrize(
    "missing", [{"event": "reservation/created"}, {"timestamp": 1.5}, {"event": "x", "timestamp": True}]
)
def test_an_event_without_name_or_moment_is_known_by_its_body(missing):
    assert key(**missing).startswith("sha256:")


def test_the_address_is_all_the_proof_there_is():
    delivery = VENDOR.delivery(VENDOR.body(Booking()))
    HOOK.authenticate(delivery, VENDOR.secret, NOW)
    with pytest.raises(Unauthenticated):
        HOOK.authenticate(replace(delivery, url_token=None), VENDOR.secret, NOW)
    assert HOOK.secret_is_address


# What a reservation says


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("confirmed", StayStatus.CONFIRMED),
        ("checked_in", StayStatus.CONFIRMED),
        ("checked_out", StayStatus.CONFIRMED),
        ("not_confirmed", StayStatus.PENDING),
        ("in_progress", StayStatus.PENDING),
        ("canceled", StayStatus.CANCELLED),
        ("no_show", StayStatus.UNKNOWN),
        ("paypal_init", StayStatus.UNKNOWN),
        ("", StayStatus.UNKNOWN),
        (None, StayStatus.UNKNOWN),
    ],
)
def test_every_status_has_its_meaning(raw, status):
    (stay,) = stays(status=raw)
    assert (stay.status, stay.raw_status) == (status, raw or "")


def test_each_room_is_a_stay_with_days_of_its_own():
    first, second = stays(assigned=[room(1), room(2, startDate="2026-06-15", endDate="2026-06-18")])
    assert (first.external_id, first.ref, first.property_ref) == ("4711-1", "4711", "7:r1")
    assert (second.external_id, second.ref, second.property_ref) == ("4711-2", "4711", "7:r2")
    assert (second.arrival, second.departure) == (date(2026, 6, 15), date(2026, 6, 18))
    assert [stay.property_name for stay in (first, second)] == ["Room 1", "Room 2"]


def test_who_has_no_room_yet_waits():
    (stay,) = stays(assigned=[], unassigned=[room(1, roomID=None, roomName=None)])
    assert (stay.external_id, stay.property_ref) == ("4711-1", "7")
    assert (stay.status, stay.raw_status) == (StayStatus.PENDING, "confirmed: no room yet")


def test_a_day_may_carry_a_time_that_means_nothing():
    listed = {"subReservationID": "4711-1", "roomID": "r1", "roomCheckIn": "2026-06-15 00:00:00"}
    (stay,) = stays(assigned=[], rooms=[listed])
    assert (stay.arrival, stay.departure) == (date(2026, 6, 15), date(2026, 6, 16))


def test_one_room_of_several_may_be_cancelled():
    rooms = [room(1, roomStatus="not_checked_in"), room(2, roomStatus="cancelled")]
    first, second = stays(assigned=None, unassigned=None, rooms=rooms)
    assert (first.status, second.status) == (StayStatus.CONFIRMED, StayStatus.CANCELLED)
    assert second.raw_status == "confirmed: room cancelled"


@pytest.mark.parametrize("status", [StayStatus.CANCELLED, StayStatus.CONFIRMED])
def test_a_reservation_without_rooms_is_one_stay_of_the_property(status):
    (stay,) = stays(Booking(status=status), assigned=[], unassigned=None)
    assert (stay.external_id, stay.property_ref) == ("4711", "7")
    assert stay.status is (StayStatus.PENDING if status is StayStatus.CONFIRMED else status)


def test_a_room_without_a_name_of_its_own_is_called_by_the_reservation():
    (only,) = stays(assigned=[room(1, subReservationID=None)])
    assert only.external_id == "4711"
    several = stays(assigned=[room(n, subReservationID="") for n in (1, 2)])
    assert [stay.external_id for stay in several] == ["4711:r1", "4711:r2"]


def test_a_stay_that_moves_to_another_room_is_two_stays():
    moving = [
        room(1, roomID="r9", startDate="2026-06-15"),
        room(1, endDate="2026-06-15"),
        room(1, startDate="2026-06-16", endDate="2026-06-17"),
    ]
    assert [stay.external_id for stay in stays(assigned=moving)] == ["4711-1", "4711-1:r9", "4711-1:r1"]


def test_the_order_in_which_rooms_are_listed_means_nothing():
    rooms = [room(1), room(2), room(1, roomID="r7", startDate="2026-06-15")]
    assert stays(assigned=rooms) == stays(assigned=rooms[::-1])


def test_a_guess_of_the_arrival_is_no_time():
    (stay,) = stays(estimatedArrivalTime="06:30")
    assert (stay.check_in, stay.check_out, stay.changed_at) == (None, None, None)


def guests(*listed: dict[str, Any]) -> list[ReservationEvent]:
    return stays(assigned=[room(1), room(2)], guestList={f"{n}": guest for n, guest in enumerate(listed)})


IDA = {"guestID": "1", "guestFirstName": "Ida", "guestLastName": "Example", "isMainGuest": True}
BEN = {"guestID": "2", "guestFirstName": "Ben", "guestLastName": "Example", "guestPhone": "+15550109999"}


def test_who_is_in_the_room_is_its_guest():
    by_room, by_name = BEN | {"roomID": "r2"}, BEN | {"rooms": [{"subReservationID": "4711-2"}]}
    for ben in (by_room, by_name):
        first, second = guests(ben, IDA)
        assert (first.guest_first_name, first.platform_guest, first.phone) == ("Ida", "1", None)
        assert (second.guest_first_name, second.platform_guest, second.phone) == ("Ben", "2", "+15550109999")


def test_of_two_in_a_room_the_main_guest_counts():
    places = {"rooms": [{"roomID": "r1"}, {"roomID": "r2"}]}
    assert [stay.guest_first_name for stay in guests(BEN | places, IDA | places)] == ["Ida", "Ida"]


@pytest.mark.parametrize("listed", [None, [], {}, "Ida", {"1": None}, [7]])
def test_without_a_list_of_guests_the_reservation_still_has_a_name(listed):
    (stay,) = stays(guestList=listed)
    assert (stay.guest_name, stay.email, stay.phone) == ("Ida Example", "ida@example.com", None)


@pytest.mark.parametrize(
    ("cell", "phone", "known"),
    [
        ("+15550101234", "030 1234", "+15550101234"),
        ("", "030 1234", "030 1234"),
        (None, "n/a", None),
        ("1", "12", None),
    ],
)
def test_a_mobile_number_comes_before_another(cell, phone, known):
    (stay,) = stays(guestList={"1": IDA | {"guestCellPhone": cell, "guestPhone": phone}})
    assert stay.phone == known


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        ({"reservationID": None}, "reservationID is missing"),
        ({"propertyID": []}, "propertyID is a list"),
        ({"assigned": [], "startDate": "soon"}, "startDate is a text of another form"),
        ({"assigned": [{"startDate": "14.06.2026"}]}, r"assigned\.startDate is a text of another form"),
        ({"assigned": [{"roomID": True}]}, "roomID is true or false"),
        ({"assigned": [{"endDate": "2026-06-14"}]}, "departure is not after the arrival"),
    ],
)
def test_a_reservation_that_makes_no_sense_is_complained_about(extra, complaint):
    with pytest.raises(Unreadable, match=complaint):
        stays(**extra)


# The API


@pytest.fixture
async def h(served: ServedApp):
    async with examining(VENDOR, served) as examined:
        examined.cloud.put(Booking())
        yield examined


async def test_the_key_stands_in_its_header(h):
    await h.client.reservation("4711")
    (sent,) = h.cloud.sent
    assert (sent.method, sent.path, dict(sent.query)) == (
        "GET",
        "/api/v1.3/getReservation",
        {"reservationID": "4711"},
    )
    assert sent.headers["x-api-key"] == VENDOR.settings["key"]


async def test_a_room_has_the_times_and_the_zone_of_its_hotel(h):
    assert await h.client.properties() == [
        FoundProperty("7:7-0", "Hotel 7 – Room 7-0", "America/New_York", time(15), time(10), "US")
    ]


async def test_a_hotel_with_more_rooms_than_a_page_holds_lists_each_once(h):
    h.cloud.put(Booking(id="res-4712", rooms=tuple(f"r{n}" for n in range(230))))
    assert len({each.ref for each in await h.client.properties()}) == 231


async def test_changes_are_asked_for_in_a_form_that_is_taken_and_each_status_by_name(h):
    changed_since = datetime(2026, 5, 20, 11, 30, tzinfo=UTC)
    pages = [page async for page in h.client.reservations(replace(FULL, changed_since=changed_since))]
    assert sum(len(page) for page in pages) == 1
    assert {sent.query["modifiedFrom"] for sent in h.cloud.sent} == {"2026-05-19 23:30:00"}
    assert [sent.query["status"] for sent in h.cloud.sent] == [
        "not_confirmed",
        "confirmed",
        "canceled",
        "checked_in",
        "checked_out",
        "no_show",
    ]
    assert all(sent.query["includeGuestsDetails"] == sent.query["includeAllRooms"] == "true" for sent in h.cloud.sent)


async def test_a_no_is_believed_when_the_account_is_let_in_for_a_list(h):
    with pytest.raises(NoSuchReservation):
        await h.client.reservation("4712")
    assert h.cloud.requests == [("GET", "/api/v1.3/getReservation"), ("GET", "/api/v1.3/getReservations")]


async def test_a_no_of_a_closed_account_is_no_missing_reservation(h):
    h.cloud.is_closed = True
    for call in (
        lambda: h.client.reservation("4711"),
        h.client.properties,
        lambda: anext(h.client.reservations(FULL)),
    ):
        with pytest.raises(AccountRefused):
            await call()


async def test_an_outage_that_says_no_is_an_outage(h):
    for status in (500, 503):
        h.cloud.faults = [status] * 3
        with pytest.raises(Unreachable):
            await h.client.reservation("4711")


async def test_a_key_is_issued_in_the_propertys_own_time(h):
    await h.client.write_code(h.stay(Booking()), NOTE)
    assert h.cloud.sent[-1].body == {
        "propertyId": "7",
        "reservationId": "4711",
        "subReservationId": "4711-1",
        "issuerId": "lockbridge",
        "startDateTime": "2026-06-14T16:00:00-04:00",
        "endDateTime": "2026-06-16T11:00:00-04:00",
        "keyType": "access_code",
        "keyCode": "0712",
        "status": "completed",
    }


def of(h: Examined) -> list[tuple[str, str]]:
    return [(sent.method, sent.path) for sent in h.cloud.sent if sent.method != "GET"]


async def test_another_code_changes_the_key_in_place(h):
    stay = h.stay(Booking())
    await h.client.write_code(stay, NOTE)
    await h.client.write_code(stay, OTHER_NOTE)
    changed = h.cloud.sent[-1]
    assert (changed.method, changed.path) == ("PATCH", "/doorlock/v1/keys/101")
    assert changed.body == {"keyCode": "8153", "status": "completed"}
    assert changed.headers["x-property-id"] == "7"


async def test_the_same_code_is_not_written_twice(h):
    for _ in range(2):
        await h.client.write_code(h.stay(Booking()), NOTE)
    assert of(h) == [("POST", "/doorlock/v1/keys")]


async def test_another_window_takes_another_key_before_the_old_one_goes(h):
    stay, later = h.stay(Booking()), replace(NOTE, closes_at=datetime(2026, 6, 17, 15, tzinfo=UTC))
    await h.client.write_code(stay, NOTE)
    await h.client.write_code(stay, later)
    assert of(h) == [("POST", "/doorlock/v1/keys"), ("POST", "/doorlock/v1/keys"), ("DELETE", "/doorlock/v1/keys")]
    assert dict(h.cloud.sent[-1].query) == {"keyIds": "101"}
    assert await h.client.read_code(stay) == "0712"


async def test_a_key_that_failed_is_completed_by_writing_it_again(h):
    stay = h.stay(Booking())
    await h.client.write_code(stay, NOTE)
    h.cloud.codes[101]["status"] = "failed"
    assert await h.client.read_code(stay) is None
    await h.client.write_code(stay, NOTE)
    assert await h.client.read_code(stay) == "0712"
    assert len(h.cloud.codes) == 1


async def test_a_key_issued_twice_since_an_answer_was_lost_becomes_one_again(h):
    stay = h.stay(Booking())
    h.weather.strike(Fault.GATEWAY, only_writes=True)
    with pytest.raises(OutcomeUnknown):
        await h.client.write_code(stay, NOTE)
    h.weather.clear()
    h.cloud.keep(dict(h.cloud.codes[101]))
    await h.client.write_code(stay, NOTE)
    assert len(h.cloud.codes) == 1
    assert await h.client.read_code(stay) == "0712"


async def test_keys_of_others_and_cards_are_left_alone(h):
    stay = h.stay(Booking())
    await h.client.write_code(stay, NOTE)
    mine = h.cloud.codes.pop(101)
    others = [mine | {"issuerId": "reception", "keyCode": "1111"}, mine | {"keyType": "key_card", "keyCode": None}]
    for other in others:
        h.cloud.keep(other)
    assert await h.client.read_code(stay) is None
    await h.client.write_code(stay, None)
    assert list(h.cloud.codes.values()) == others


async def test_each_room_has_a_key_of_its_own(h):
    booking = Booking(rooms=("r1", "r2"))
    h.cloud.put(booking)
    await h.client.write_code(h.stay(booking, "r1"), NOTE)
    await h.client.write_code(h.stay(booking, "r2"), OTHER_NOTE)
    assert [await h.client.read_code(h.stay(booking, each)) for each in booking.rooms] == ["0712", "8153"]


async def test_a_list_of_keys_may_be_flat_or_empty(h):
    await h.client.write_code(h.stay(Booking()), NOTE)
    h.weather.answers = lambda body: orjson.dumps({"data": orjson.loads(body)["data"][0]})
    assert await h.client.read_code(h.stay(Booking())) == "0712"
    h.weather.answers = lambda _: orjson.dumps({"data": None})
    assert await h.client.read_code(h.stay(Booking())) is None


@pytest.mark.parametrize(
    ("zone", "opens_at"),
    [("Europe/Berlin", "2026-06-14T22:00:00+02:00"), ("Asia/Kathmandu", "2026-06-15T01:45:00+05:45"), ("UTC", None)],
)
async def test_the_offset_is_that_of_the_zone_on_that_day(h, zone, opens_at):
    note = CodeNote("0712", NOTE.opens_at.replace(microsecond=5), NOTE.closes_at, zone)
    await h.client.write_code(h.stay(Booking()), note)
    assert h.cloud.sent[-1].body["startDateTime"] == (opens_at or "2026-06-14T20:00:00+00:00")
    await h.client.write_code(h.stay(Booking()), note)
    assert of(h) == [("POST", "/doorlock/v1/keys")]


async def test_a_property_without_door_locks_is_no_trouble_of_the_account(h):
    h.cloud.may_use_keys = False
    with pytest.raises(NotOffered):
        await h.client.write_code(h.stay(Booking()), NOTE)
    assert len(await h.client.reservation("4711")) == 1


@pytest.mark.parametrize(("status", "error"), [(400, Rejected), (404, NoSuchReservation), (500, OutcomeUnknown)])
async def test_what_a_refused_key_means(h, status, error):
    async def answers(scope, receive, send):
        if scope["method"] == "POST":
            h.cloud.faults = [status]
        await h.cloud.app(scope, receive, send)

    h.weather.app = answers
    with pytest.raises(error):
        await h.client.write_code(h.stay(Booking()), NOTE)


async def test_there_is_no_inbox(h):
    for call in (
        lambda: h.client.send_message(h.stay(Booking()), "Hello", "Hello"),
        lambda: h.client.sent_texts(h.stay(Booking())),
    ):
        with pytest.raises(NotOffered):
            await call()
    assert h.cloud.sent == []


@pytest.mark.parametrize("settings", [{"key": ""}, {"key": "schlüssel"}, {"url": "api.cloudbeds.com"}])
def test_settings_that_make_no_sense_are_refused_before_anything_is_asked(served, settings):
    h = Examined(VENDOR, None, served)
    with pytest.raises(AccountRefused):
        h.connect(**settings)
