"""What is particular to OwnerRez: bookings told whole or in part, holds and blocks, lists, custom fields."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from lockbridge.contract import AccountRefused, Rejected, Unreachable
from lockbridge.domain.stay import StayStatus, TimeSource
from lockbridge.inbound import Delivery, Ignored, Unauthenticated, Unreadable
from lockbridge.platforms.contract import (
    Event,
    FoundProperty,
    NoSuchReservation,
    Notice,
    NotOffered,
    Reread,
    ReservationEvent,
    Wanted,
)
from lockbridge.platforms.ownerrez import HOOK, _stays
from lockbridge.platforms.reading import Fields
from tests.contract.serving import ServedApp
from tests.platforms.client_checks import FULL, NOTE, OTHER_NOTE
from tests.platforms.examined import Examined, examining
from tests.platforms.vendor import NOW, Booking
from tests.platforms.vendors.ownerrez import VENDOR, entity

SAMPLES = Path(__file__).parents[3] / "shared" / "payloads" / "ownerrez"


def read_envelope(**changes: Any) -> Event:
    envelope = orjson.loads(VENDOR.body(Booking())) | changes
    (event,) = HOOK.read(Delivery({}, orjson.dumps(envelope), NOW))
    return event


def read(**extra: Any) -> ReservationEvent:
    event = read_envelope(entity=entity(Booking()) | extra)
    assert isinstance(event, ReservationEvent)
    return event


# Webhooks


@pytest.mark.parametrize("action", ["entity_insert", "entity_create", "entity_update"])
def test_a_whole_booking_is_read_from_the_webhook(action):
    event = read_envelope(action=action)
    assert isinstance(event, ReservationEvent)
    assert (event.external_id, event.property_ref, event.channel) == ("4711", "7", "airbnb")
    assert event.property_name == "Lake House"


@pytest.mark.parametrize("name", ["id", "property_id", "arrival", "departure", "status"])
def test_a_booking_that_is_not_told_whole_is_asked_for(name):
    assert read_envelope(entity=entity(Booking()) | {name: None}) == Reread("4711")


@pytest.mark.parametrize("thing", [None, [], "9001", {"id": 4711, "status": "canceled"}])
def test_a_change_that_carries_little_is_asked_about(thing):
    assert read_envelope(entity=thing, entity_id="4711") == Reread("4711")


def test_a_deleted_booking_is_asked_for_whatever_it_says_of_itself():
    assert read_envelope(action="entity_delete") == Reread("4711")
    assert read_envelope(action="entity_delete", entity=None, entity_id=9001) == Reread("9001")


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("webhook_test", "api_application"),
        ("entity_update", "guest"),
        ("entity_insert", "property"),
        ("entity_update", None),
        ("entity_adored", "booking"),
    ],
)
def test_what_is_not_about_bookings_is_ignored_by_name(action, kind):
    event = read_envelope(action=action, entity_type=kind, entity=None)
    assert event == Ignored(f"nothing to do with stays: {action} of {kind or 'nothing'}")


def test_a_revoked_authorisation_is_told_to_a_person():
    event = read_envelope(action="application_authorization_revoked", entity_type="api_application", entity=None)
    assert isinstance(event, Notice)
    assert event.kind == "integration.disconnected"


def test_a_booking_without_any_id_is_complained_about():
    with pytest.raises(Unreadable, match="entity_id is missing"):
        read_envelope(entity=None, entity_id=None)


def test_repeats_are_known_by_the_id_a_number_or_a_text():
    def key(vendor_id: object) -> str:
        return HOOK.dedupe_key(Delivery({}, orjson.dumps({"id": vendor_id}), NOW))

    assert key("17e9b27d-2d93") == "id:17e9b27d-2d93"
    assert key(12345) == key("12345") == "id:12345"
    assert key(None).startswith("sha256:")


def test_the_user_and_the_password_prove_a_webhook():
    body = VENDOR.body(Booking())
    HOOK.authenticate(VENDOR.delivery(body), VENDOR.secret, NOW)
    for secret in ("orez-hook:an invented", "OREZ-hook:an invented: password", "orez-hook:"):
        with pytest.raises(Unauthenticated):
            HOOK.authenticate(VENDOR.delivery(body, secret), VENDOR.secret, NOW)


@pytest.mark.parametrize("secret", ["", "user", "user:", ":password", "user:password\nother"])
def test_a_secret_that_is_no_user_and_password_is_refused_without_repeating_it(secret):
    problem = HOOK.secret_problem(secret)
    assert problem == "the secret is a login and a password with a colon between them: login:password"


def test_two_passwords_may_be_good_while_one_replaces_the_other():
    assert HOOK.secret_problem("user:old\nuser:new: with a colon") is None


# What a booking says


@pytest.mark.parametrize(
    ("status", "kind", "is_block", "meaning", "raw"),
    [
        ("active", "booking", False, StayStatus.CONFIRMED, "active"),
        ("Active", "Booking", None, StayStatus.CONFIRMED, "Active"),
        ("active", None, None, StayStatus.CONFIRMED, "active"),
        ("pending", "booking", False, StayStatus.PENDING, "pending"),
        ("canceled", "booking", False, StayStatus.CANCELLED, "canceled"),
        ("active", "block", True, StayStatus.BLOCKED, "active: block"),
        ("active", "booking", True, StayStatus.BLOCKED, "active: block"),
        ("active", "linked_availability", True, StayStatus.BLOCKED, "active: linked_availability"),
        ("active", "quote_hold", True, StayStatus.PENDING, "active: quote_hold"),
        ("pending", "block", True, StayStatus.PENDING, "pending: block"),
        ("canceled", "block", True, StayStatus.CANCELLED, "canceled: block"),
        ("canceled", "quote_hold", False, StayStatus.CANCELLED, "canceled: quote_hold"),
        ("active", "timeshare", False, StayStatus.UNKNOWN, "active: timeshare"),
        ("checked_in", "booking", False, StayStatus.UNKNOWN, "checked_in"),
        ([], "booking", False, StayStatus.UNKNOWN, ""),
    ],
)
def test_status_type_and_block_have_one_meaning_together(status, kind, is_block, meaning, raw):
    event = read(status=status, type=kind, is_block=is_block)
    assert (event.status, event.raw_status) == (meaning, raw)


def test_a_block_that_is_neither_true_nor_false_opens_no_door():
    with pytest.raises(Unreadable, match=r"entity\.is_block is a text; it must be true or false"):
        read(is_block="yes")


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("16:00", time(16)),
        ("09:30", time(9, 30)),
        ("00:00", None),
        ("", None),
        (None, None),
        ("4 pm", None),
        (16, None),
        ([], None),
    ],
)
def test_times_are_those_of_the_property_and_a_midnight_is_none(value, at):
    event = read(check_in=value, check_out=value)
    assert (event.check_in, event.check_out) == (at, at)
    assert (event.check_in_from, event.check_out_from) == (TimeSource.RESERVATION, TimeSource.RESERVATION)


@pytest.mark.parametrize(
    ("updated", "created", "changed_at"),
    [
        ("2026-03-08T17:56:10Z", "2026-03-08T17:54:44Z", datetime(2026, 3, 8, 17, 56, 10, tzinfo=UTC)),
        ("2026-03-08T17:56:10", None, datetime(2026, 3, 8, 17, 56, 10, tzinfo=UTC)),
        ("2026-03-08T19:56:10+02:00", None, datetime(2026, 3, 8, 17, 56, 10, tzinfo=UTC)),
        (None, "2026-03-08T17:54:44Z", datetime(2026, 3, 8, 17, 54, 44, tzinfo=UTC)),
        ("lately", None, None),
    ],
)
def test_the_last_change_is_told_in_utc(updated, created, changed_at):
    assert read(updated_utc=updated, created_utc=created).changed_at == changed_at


def guest(**changes: Any) -> ReservationEvent:
    return read(guest=entity(Booking())["guest"] | changes)


@pytest.mark.parametrize(
    ("phones", "phone"),
    [
        ([{"number": "+15550101234"}], "+15550101234"),
        ([{"number": "555 0100"}, {"number": "+1 (555) 010-9999", "is_default": True}], "+1 (555) 010-9999"),
        ([{"number": "none"}, {"number": None}, 7, {"number": 15550101234}], "15550101234"),
        ([{"number": "123"}], None),
        ([], None),
        ({}, None),
        (None, None),
        ("+15550101234", None),
    ],
)
def test_the_default_phone_that_could_be_one_is_the_phone(phones, phone):
    assert guest(phones=phones).phone == phone


def test_the_channels_relay_stands_in_for_an_e_mail_address():
    relay = {"platform_email_address": "ida.relay@example.com"}
    assert read(**relay).email == "ida@example.com"
    bare = entity(Booking())["guest"] | {"email_addresses": []}
    assert read(guest=bare, **relay).email == "ida.relay@example.com"


def test_a_guest_is_known_by_the_bookings_own_word_too():
    assert read(guest=None, guest_id=34013).platform_guest == "34013"


# The API


@pytest.fixture
async def h(served: ServedApp):
    async with examining(VENDOR, served) as examined:
        examined.cloud.put(Booking())
        yield examined


async def listed(h: Examined, wanted: Wanted = FULL) -> list[Any]:
    return [event async for page in h.client.reservations(wanted) for event in page]


async def test_requests_say_who_asks_and_for_whom(h):
    await h.client.reservation("4711")
    (sent,) = h.cloud.sent
    assert (sent.method, sent.path, dict(sent.query)) == ("GET", "/v2/bookings/4711", {"include_guest": "true"})
    assert sent.headers["authorization"] == "Basic aG9zdEBleGFtcGxlLmNvbTpwdF9hbi1pbnZlbnRlZC10b2tlbg=="
    assert sent.headers["user-agent"] == "lockbridge"


async def test_a_property_has_its_usual_times_and_its_country(h):
    assert await h.client.properties() == [FoundProperty("7", "House 7", None, time(16), time(11), "US")]


async def test_changes_are_asked_for_in_utc_and_each_status_by_name(h):
    await listed(h, replace(FULL, changed_since=datetime(2026, 5, 20, 13, 30, tzinfo=UTC)))
    asked = [dict(sent.query) for sent in h.cloud.sent]
    assert [each["status"] for each in asked] == ["active", "pending", "canceled"]
    assert {each["since_utc"] for each in asked} == {"2026-05-20T13:30:00Z"}
    assert all(each.keys().isdisjoint({"property_ids", "from", "to"}) for each in asked)


async def test_a_full_read_names_all_properties_and_the_days(h):
    h.cloud.put(Booking(id="res-4712", home="prop-8"))
    await listed(h)
    asked = [dict(sent.query) for sent in h.cloud.sent if sent.path == "/v2/bookings"]
    assert [each["status"] for each in asked] == ["active", "pending", "canceled"]
    assert {(each["property_ids"], each["from"], each["to"]) for each in asked} == {("7,8", "2026-05-18", "2026-06-30")}


async def test_many_properties_are_named_in_several_requests(h):
    for n in range(60):
        h.cloud.put(Booking(id=f"res-{5000 + n}", home=f"prop-{100 + n}"))
    assert len(await listed(h)) == 61
    batches = {sent.query["property_ids"] for sent in h.cloud.sent if sent.path == "/v2/bookings"}
    assert sorted(len(batch.split(",")) for batch in batches) == [11, 50]


async def test_a_full_read_leaves_out_what_other_days_hold_even_if_the_vendor_does_not(h):
    h.cloud.put(Booking(id="res-4712", arrival="2026-06-20", departure="2026-06-22"))
    days = Wanted(date(2026, 6, 14), date(2026, 6, 19))
    h.weather.answers = lambda body: body.replace(b'"departure":"2026-06-16"', b'"departure":"2026-06-13"')
    assert [type(event) for event in await listed(h, days)] == [Ignored]
    h.weather.answers = None
    assert [event.external_id for event in await listed(h, days)] == ["4711"]


async def test_a_short_page_is_not_the_last_as_long_as_there_is_a_next(h):
    for n in range(45):
        h.cloud.put(Booking(id=f"res-{5000 + n}"))
    h.weather.app = shorter_pages(h.weather.app)
    assert len(await listed(h, replace(FULL, changed_since=NOW - timedelta(hours=1)))) == 46


def shorter_pages(app):
    """A vendor that gives 20 to a page, whatever it is asked for."""

    async def asgi(scope, receive, send):
        await app({**scope, "query_string": scope["query_string"].replace(b"limit=100", b"limit=20")}, receive, send)

    return asgi


async def test_the_custom_field_is_filled_changed_and_cleared(h):
    stay = h.stay(Booking())
    await h.client.write_code(stay, NOTE)
    await h.client.write_code(stay, OTHER_NOTE)
    await h.client.write_code(stay, None)
    await h.client.write_code(stay, None)
    writes = [(sent.method, sent.path, sent.body) for sent in h.cloud.sent if sent.method != "GET"]
    filled = {"field_definition_id": 77, "entity_type": "booking", "entity_id": 4711, "value": "0712"}
    assert writes == [
        ("POST", "/v2/fields", filled),
        ("PATCH", "/v2/fields/101", {"value": "8153"}),
        ("DELETE", "/v2/fields/101", None),
    ]
    assert dict(h.cloud.sent[0].query) == {
        "entity_type": "booking",
        "entity_id": "4711",
        "limit": "100",
        "offset": "0",
    }


async def test_other_custom_fields_of_the_booking_are_left_alone(h):
    await h.client.write_code(h.stay(Booking()), None)
    assert await h.client.read_code(h.stay(Booking())) is None
    assert {sent.method for sent in h.cloud.sent} == {"GET"}


async def test_without_a_custom_field_no_code_is_written(h):
    client, stay = h.connect(field_definition_id=" "), h.stay(Booking())
    for call in (lambda: client.write_code(stay, NOTE), lambda: client.read_code(stay)):
        with pytest.raises(NotOffered, match="no custom field"):
            await call()
    assert h.cloud.sent == []


async def test_a_user_who_may_not_use_custom_fields_is_no_trouble_of_the_account(h):
    h.cloud.may_use_fields = False
    with pytest.raises(NotOffered):
        await h.client.write_code(h.stay(Booking()), NOTE)
    assert len(await h.client.properties()) == 1


async def test_a_custom_field_that_is_not_there_is_a_refusal(h):
    with pytest.raises(Rejected):
        await h.connect(field_definition_id="78").write_code(h.stay(Booking()), NOTE)


async def test_writing_to_guests_takes_an_agreement(h):
    for call in (
        lambda: h.client.send_message(h.stay(Booking()), "Hello", "Hello"),
        lambda: h.client.sent_texts(h.stay(Booking())),
    ):
        with pytest.raises(NotOffered, match="messaging agreement"):
            await call()


@pytest.mark.parametrize(
    "settings",
    [{"email": ""}, {"token": " "}, {"email": "a:b"}, {"url": "ftp://x"}, {"field_definition_id": "DOOR"}],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_asked(served, settings):
    h = Examined(VENDOR, None, served)
    with pytest.raises(AccountRefused):
        h.connect(**settings)


@pytest.mark.parametrize(
    ("fault", "error"), [(401, AccountRefused), (403, AccountRefused), (404, NoSuchReservation), (400, Unreachable)]
)
async def test_what_a_refused_booking_means(h, fault, error):
    h.cloud.faults = [fault] * 3
    with pytest.raises(error):
        await h.client.reservation("4711")


# What others have seen


def test_published_webhooks_lead_where_they_should():
    wanted = {
        "booking.canceled": Reread("9001"),
        "booking.entity_update": Reread("9001"),
        "booking.entity_delete": Reread("9001"),
        "webhook_test": Ignored("nothing to do with stays: webhook_test of api_application"),
    }
    for sample in sorted(SAMPLES.glob("webhook.*.json")):
        (event,) = HOOK.read(Delivery({}, sample.read_bytes(), NOW))
        name = sample.name.removeprefix("webhook.").removesuffix(".json")
        assert event == wanted[name] if name in wanted else isinstance(event, Notice), name


def test_the_vendors_own_sample_of_a_booking_is_read():
    for sample in SAMPLES.glob("api.booking_guest_property*.json"):
        whole = orjson.loads(sample.read_bytes())
        (event,) = _stays(Fields(whole["booking"] | {"guest": whole["guest"]}))
        assert (event.external_id, event.property_ref, event.status) == ("273491", "182918563", StayStatus.CONFIRMED)
        assert (event.guest_name, event.phone, event.email) == ("First Last", "+1 (234) 567-8900", "guest@orez.io")
        assert (event.arrival, event.departure) == (date(2022, 4, 28), date(2022, 5, 4))
        assert (event.check_in, event.changed_at) == (None, None)
