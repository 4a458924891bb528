"""What is particular to Smoobu: webhooks that only hint, signed requests, placeholders, guesses that are no times."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from lockbridge.contract import AccountRefused, OutcomeUnknown, RateLimited, Rejected
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Ignored, Unauthenticated, Unreadable
from lockbridge.outbound import Request
from lockbridge.platforms import smoobu
from lockbridge.platforms.contract import (
    Event,
    FoundProperty,
    NoSuchReservation,
    NotOffered,
    Reread,
    ReservationEvent,
    StayRef,
)
from lockbridge.platforms.reading import Fields
from lockbridge.platforms.smoobu import HOOK
from tests.contract.serving import ServedApp
from tests.platforms.client_checks import FULL, NOTE, OTHER_NOTE
from tests.platforms.examined import Examined, Fault, examining
from tests.platforms.vendor import NOW, Booking
from tests.platforms.vendors.smoobu import KEY, SECRET, VENDOR, SmoobuCloud, reservation

SAMPLES = Path(__file__).parents[3] / "shared" / "payloads" / "smoobu"


def read_webhook(**changes: Any) -> Event:
    (event,) = HOOK.read(Delivery({}, orjson.dumps(orjson.loads(VENDOR.body(Booking())) | changes), NOW))
    return event


def read(**extra: Any) -> ReservationEvent:
    (event,) = smoobu._stays(Fields(reservation(Booking(extra=extra))))
    return event


# Webhooks


@pytest.mark.parametrize("action", ["newReservation", "updateReservation", "cancelReservation", "deleteReservation"])
def test_every_event_of_reservations_only_causes_it_to_be_asked_for(action):
    assert read_webhook(action=action) == Reread("4711")
    assert read_webhook(action=action, data={"id": "4711"}) == Reread("4711")


@pytest.mark.parametrize(
    "action", ["newMessage", "updateRates", "newTimelineEvent", "deleteTimelineEvent", "onlineCheckInUpdate"]
)
def test_other_events_are_ignored_by_name(action):
    assert read_webhook(action=action, data=None) == Ignored(f"nothing to do with stays: {action}")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"data": None}, "data is missing; it must be an object"),
        ({"data": []}, "data is a list; it must be an object"),
        ({"data": {"arrival": "2026-06-14"}}, r"data\.id is missing"),
        ({"action": None}, "action is missing"),
    ],
)
def test_a_reservation_that_is_not_named_is_complained_about(changes, complaint):
    with pytest.raises(Unreadable, match=complaint):
        read_webhook(**changes)


def test_the_address_is_all_the_proof_there_is():
    delivery = VENDOR.delivery(VENDOR.body(Booking()))
    HOOK.authenticate(delivery, VENDOR.secret, NOW)
    for token in (None, "", VENDOR.other_secret):
        with pytest.raises(Unauthenticated):
            HOOK.authenticate(replace(delivery, url_token=token), VENDOR.secret, NOW)
    assert HOOK.secret_is_address


def test_published_webhooks_lead_to_their_reservations():
    refs = {"webhook.newReservation.1.json": "102483793", "webhook.newReservation.2.json": "292"}
    for sample in sorted(SAMPLES.glob("webhook.*.json")):
        assert HOOK.read(Delivery({}, sample.read_bytes(), NOW)) == [Reread(refs[sample.name])]


# What a reservation says


@pytest.mark.parametrize(
    ("kind", "is_blocked", "status", "raw"),
    [
        ("reservation", False, StayStatus.CONFIRMED, "reservation"),
        ("reservation", None, StayStatus.CONFIRMED, "reservation"),
        ("modification", False, StayStatus.CONFIRMED, "modification"),
        ("modification of booking", False, StayStatus.CONFIRMED, "modification of booking"),
        ("cancellation", False, StayStatus.CANCELLED, "cancellation"),
        ("cancellation", True, StayStatus.CANCELLED, "cancellation"),
        ("reservation", True, StayStatus.BLOCKED, "reservation: blocked"),
        ("blocked", False, StayStatus.BLOCKED, "blocked"),
        ("wish", False, StayStatus.UNKNOWN, "wish"),
        (None, False, StayStatus.UNKNOWN, ""),
        (7, False, StayStatus.UNKNOWN, "7"),
    ],
)
def test_every_type_has_its_meaning(kind, is_blocked, status, raw):
    event = read(type=kind, **{"is-blocked-booking": is_blocked})
    assert (event.status, event.raw_status) == (status, raw)


def test_a_block_that_is_neither_true_nor_false_opens_no_door():
    with pytest.raises(Unreadable, match="is-blocked-booking is a text"):
        read(**{"is-blocked-booking": "no"})


@pytest.mark.parametrize("times", [("06:30", "23:00"), ("", ""), (None, None), ("16:00", "11:00")])
def test_what_guests_type_into_the_online_check_in_is_no_time(times):
    event = read(**dict(zip(("check-in", "check-out"), times, strict=True)))
    assert (event.check_in, event.check_out) == (None, None)
    assert (event.arrival, event.departure) == (date(2026, 6, 14), date(2026, 6, 16))


def test_a_timestamp_without_zone_does_not_say_what_came_later():
    assert read(modifiedAt="2026-05-20 11:59:00").changed_at is None


@pytest.mark.parametrize(
    ("phone", "known"),
    [("+15550101234", "+15550101234"), ("", None), (None, None), ("123", None), ("n/a", None), ({}, None)],
)
def test_a_phone_has_at_least_four_digits(phone, known):
    assert read(phone=phone).phone == known


def test_a_guest_without_the_joined_name_is_called_by_both_names():
    assert read(**{"guest-name": ""}).guest_name == "Ida Example"
    assert read(**{"guest-name": None}, firstname="", lastname="Example").guest_name == "Example"


def test_a_reservation_without_an_apartment_is_complained_about():
    with pytest.raises(Unreadable, match="apartment is missing"):
        read(apartment=None)


# Signed requests


@pytest.fixture
async def h(served: ServedApp):
    async with examining(VENDOR, served) as examined:
        examined.cloud.put(Booking())
        yield examined


def test_the_signature_is_the_documented_one(monkeypatch):
    """The example of docs.smoobu.com, computed with another program."""
    nonce = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    monkeypatch.setattr(smoobu, "uuid4", lambda: UUID(nonce))
    signer = smoobu._Signer(lambda: datetime(2026, 4, 1, 12, tzinfo=UTC), "", "usr_live_abc123")
    params = {"from": "2026-04-01", "to": "2026-04-10"}
    signed = signer(Request("GET", "/api/reservations", params=params), "your_api_secret")
    assert signed.headers == {
        "x-api-key": "usr_live_abc123",
        "x-timestamp": "2026-04-01T12:00:00Z",
        "x-nonce": nonce,
        "x-signature": "Bu2/61pneyRyjQejH7PoCJC2P8iRm3NnC9R6CGFOQho=",
    }


async def test_the_secret_never_goes_over_the_wire(h):
    await h.client.write_code(h.stay(Booking()), NOTE)
    assert len(h.cloud.sent) == 2
    for sent in h.cloud.sent:
        assert SECRET not in f"{sent.headers} {sent.raw!r} {sent.query}"
        assert "api-key" not in sent.headers


async def test_each_try_is_signed_anew(h):
    h.weather.strike(Fault.GATEWAY, lasts=2)
    assert len(await h.client.reservation("4711")) == 1
    assert len({sent.headers["x-nonce"] for sent in h.cloud.sent}) == 3


async def test_an_old_key_without_secret_is_sent_as_it_is(served):
    async with examining(VENDOR, served) as h:
        h.weather.app = (cloud := SmoobuCloud(KEY)).app
        cloud.put(Booking())
        assert len(await h.connect(secret="").reservation("4711")) == 1
        (sent,) = cloud.sent
        assert sent.headers["api-key"] == KEY
        assert "x-signature" not in sent.headers


async def test_a_refused_signature_is_not_tried_twice(h):
    h.cloud.revoke()
    with pytest.raises(AccountRefused):
        await h.client.reservation("4711")
    assert len(h.cloud.sent) == 1


@pytest.mark.parametrize("settings", [{"key": ""}, {"key": "schlüssel"}, {"key": "a\nb"}, {"url": "login.smoobu.com"}])
def test_settings_that_make_no_sense_are_refused_before_anything_is_asked(served, settings):
    h = Examined(VENDOR, None, served)
    with pytest.raises(AccountRefused):
        h.connect(**settings)


# The API


async def test_an_apartment_has_a_zone_and_no_country_by_its_name(h):
    assert await h.client.properties() == [FoundProperty("7", "Flat 7", "Europe/Berlin")]


async def test_changes_are_asked_for_from_the_day_it_may_still_be_somewhere(h):
    changed_since = datetime(2026, 5, 20, 11, 30, tzinfo=UTC)
    assert [page async for page in h.client.reservations(replace(FULL, changed_since=changed_since))]
    (sent,) = h.cloud.sent
    assert dict(sent.query) == {
        "modifiedFrom": "2026-05-19",
        "showCancellation": "true",
        "excludeBlocked": "false",
        "page": "1",
        "pageSize": "100",
    }


async def test_a_full_read_asks_for_stays_that_touch_the_days(h):
    assert [page async for page in h.client.reservations(FULL)]
    (sent,) = h.cloud.sent
    assert dict(sent.query) == {
        "departureFrom": "2026-05-18",
        "arrivalTo": "2026-06-30",
        "showCancellation": "true",
        "excludeBlocked": "false",
        "page": "1",
        "pageSize": "100",
    }


async def test_the_placeholder_is_made_changed_and_taken_away(h):
    stay = h.stay(Booking())
    await h.client.write_code(stay, NOTE)
    await h.client.write_code(stay, OTHER_NOTE)
    await h.client.write_code(stay, None)
    await h.client.write_code(stay, None)
    writes = [(sent.method, sent.path, sent.body) for sent in h.cloud.sent if sent.method != "GET"]
    made = {"key": "doorCode", "defaultValue": "0712", "type": 1, "foreignId": 4711}
    assert writes == [
        ("POST", "/api/custom-placeholders", made),
        ("PUT", "/api/custom-placeholders/101", made | {"defaultValue": "8153"}),
        ("DELETE", "/api/custom-placeholders/101", None),
    ]


async def test_the_placeholder_is_called_what_the_host_calls_it(h):
    client = h.connect(placeholder=" keypad ")
    await client.write_code(h.stay(Booking()), NOTE)
    assert h.cloud.sent[-1].body["key"] == "keypad"
    assert await client.read_code(h.stay(Booking())) == "0712"
    assert await h.client.read_code(h.stay(Booking())) is None


@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"total": len(items), "data": items}])
async def test_placeholders_are_found_however_their_list_is_wrapped(h, wrap):
    await h.client.write_code(h.stay(Booking()), NOTE)
    h.weather.answers = lambda body: orjson.dumps(wrap(orjson.loads(body)["customPlaceholders"]))
    assert await h.client.read_code(h.stay(Booking())) == "0712"


async def test_placeholders_are_looked_for_on_every_page(h):
    await h.client.write_code(h.stay(Booking()), NOTE)
    numbers = count()

    def one_to_a_page(body: bytes) -> bytes:
        return orjson.dumps({"page_count": 2, "items": [orjson.loads(body)["customPlaceholders"][next(numbers)]]})

    h.weather.answers = one_to_a_page
    assert await h.client.read_code(h.stay(Booking())) == "0712"


async def test_a_message_goes_to_the_guest_with_its_subject(h):
    await h.client.send_message(h.stay(Booking()), "Your code", "It is 0712.")
    (sent,) = h.cloud.sent
    assert (sent.method, sent.path) == ("POST", "/api/reservations/4711/messages/send-message-to-guest")
    assert sent.body == {"subject": "Your code", "messageBody": "It is 0712."}


async def test_what_guests_wrote_is_not_what_was_sent(h):
    await h.client.send_message(h.stay(Booking()), "Your code", "It is 0712.")
    assert await h.client.sent_texts(h.stay(Booking())) == ["It is 0712."]
    assert h.cloud.sent[-1].query["onlyRelatedToGuest"] == "true"


async def test_a_key_that_may_not_write_is_no_trouble_of_the_account(h):
    h.cloud.may_write = False
    for call in (
        lambda: h.client.write_code(h.stay(Booking()), NOTE),
        lambda: h.client.send_message(h.stay(Booking()), "Hello", "Hello"),
    ):
        with pytest.raises(NotOffered):
            await call()
    assert len(await h.client.reservation("4711")) == 1


@pytest.mark.parametrize("ref", ["abc", "", "4711/../4712", "٤٧١١"])
async def test_what_is_no_number_names_no_reservation_and_is_not_asked_for(h, ref):
    stay = StayRef(ref, ref, "7")
    for call in (lambda: h.client.reservation(ref), lambda: h.client.send_message(stay, "Hello", "Hello")):
        with pytest.raises(NoSuchReservation):
            await call()
    assert h.cloud.sent == []


@pytest.mark.parametrize(("fault", "error"), [(401, AccountRefused), (403, AccountRefused), (404, NoSuchReservation)])
async def test_what_a_refused_reservation_means(h, fault, error):
    h.cloud.faults = [fault]
    with pytest.raises(error):
        await h.client.reservation("4711")


@pytest.mark.parametrize(
    ("fault", "error"), [(400, Rejected), (404, NoSuchReservation), (500, OutcomeUnknown), ("html", OutcomeUnknown)]
)
async def test_what_a_refused_message_means(h, fault, error):
    h.cloud.faults = [fault]
    with pytest.raises(error):
        await h.client.send_message(h.stay(Booking()), "Hello", "Hello")


async def test_the_vendors_own_count_of_calls_is_learned(h):
    heard: list[tuple[int, datetime]] = []

    async def hear(remaining: int, resets_at: datetime) -> None:
        heard.append((remaining, resets_at))

    h.pace.heard = hear
    h.cloud.left = 2
    await h.client.reservation("4711")
    assert heard == [(2, NOW + timedelta(seconds=30))]


@pytest.mark.parametrize(
    ("remaining", "resets"), [("", ""), ("2", ""), ("-1", "1779278400"), ("2", "30"), ("2", "99999999999"), ("x", "y")]
)
def test_a_count_that_makes_no_sense_is_not_learned(remaining, resets):
    headers = {"x-ratelimit-remaining": remaining, "x-ratelimit-retry-after": resets}
    assert smoobu._left(httpx.Response(200, headers=headers)) is None


async def test_too_many_calls_are_told_apart_from_a_refusal(h):
    h.cloud.faults = [429]
    with pytest.raises(RateLimited):
        await h.client.reservation("4711")
