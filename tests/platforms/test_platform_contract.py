"""The webhook contract: every platform answers every question the same way, however it proves its webhooks."""

import dataclasses
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lockbridge.contract import FormField
from lockbridge.inbound import Delivery, Hook, Ignored, Unauthenticated, Unreadable
from lockbridge.platforms import PLATFORMS
from lockbridge.platforms.contract import Event, Notice, Reread
from tests.platforms.checks import Check
from tests.platforms.client_checks import JUNK
from tests.platforms.examined import junk_everywhere
from tests.platforms.registry import VENDORS, WANTED
from tests.platforms.stay_checks import STAYS, Telling
from tests.platforms.vendor import NOW, Booking, Declared, Vendor

SENDERS = [vendor for vendor in VENDORS.values() if vendor.platform.hook is not None]
TRUSTED = [vendor for vendor in SENDERS if not vendor.hints_only]
HINTING = [vendor for vendor in SENDERS if vendor.hints_only]
CHANGED = Booking(
    happening="changed", event_id="evt-0002", departure="2026-06-20", changed_at="2026-05-20T14:30:00+02:00"
)


def each(vendors: Sequence[Vendor]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vendor", vendors, ids=lambda vendor: vendor.platform.key)


every_sender = each(SENDERS)


def hook_of(vendor: Vendor) -> Hook[Event]:
    assert vendor.platform.hook is not None
    return vendor.platform.hook


def sent(vendor: Vendor, booking: Booking | None = None, secret: str | None = None) -> Delivery:
    """The webhook about a booking."""
    return vendor.delivery(vendor.body(booking or Booking()), secret)


def read(vendor: Vendor, booking: Booking) -> Sequence[Event]:
    return hook_of(vendor).read(sent(vendor, booking))


def authenticate(vendor: Vendor, delivery: Delivery, secret: str | None = None, now: datetime = NOW) -> None:
    hook_of(vendor).authenticate(delivery, vendor.secret if secret is None else secret, now)


def refusal(vendor: Vendor, delivery: Delivery, secret: str | None = None) -> str:
    with pytest.raises(Unauthenticated) as caught:
        authenticate(vendor, delivery, secret)
    return str(caught.value)


def unreadable(vendor: Vendor, body: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        hook_of(vendor).read(vendor.delivery(body))
    return str(caught.value)


def proofs(vendor: Vendor) -> list[str]:
    """The headers without which a delivery is not let in."""
    genuine = sent(vendor)
    return [name for name in genuine.headers if not _lets_in(vendor, without(genuine, name))]


def without(delivery: Delivery, name: str) -> Delivery:
    return replace(delivery, headers={key: value for key, value in delivery.headers.items() if key != name})


def _lets_in(vendor: Vendor, delivery: Delivery) -> bool:
    try:
        authenticate(vendor, delivery)
    except Unauthenticated:
        return False
    return True


def signs_bodies(vendor: Vendor) -> bool:
    """Whether the proof depends on what is sent."""
    one, other = (vendor.delivery(body) for body in (b"{}", b"[]"))
    return any(one.headers.get(name) != other.headers.get(name) for name in proofs(vendor))


# The registry


def test_every_platform_that_is_asked_or_heard_has_a_make_believe_vendor_in_this_suite():
    assert list(VENDORS) == WANTED
    assert all(vendor.platform is PLATFORMS[key] for key, vendor in VENDORS.items())


def test_the_registry_is_in_order():
    assert list(PLATFORMS) == sorted(PLATFORMS)
    assert all(key == platform.key for key, platform in PLATFORMS.items())


def test_knowing_the_platforms_loads_nothing_that_calls_them():
    """A process that only takes webhooks does without these: they take more memory than all of lockbridge."""
    command = [sys.executable, "-c", "import lockbridge.platforms, sys; print(*sys.modules)"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603 - ourselves
    assert not {"aiohttp", "httpx", "httpx_aiohttp", "tenacity", "sqlalchemy", "pydantic"} & set(loaded)


def platforms() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda platform: platform.key)


@platforms()
def test_a_platform_describes_itself(platform):
    assert platform.title
    assert platform.hook or platform.connect or platform.feed or platform.by_sheet
    assert bool(platform.fields) == bool(platform.connect or platform.feed)
    assert platform.poll_every >= timedelta(minutes=1)
    if platform.connect or platform.feed:
        assert platform.maturity
    if platform.connect is None:
        assert not platform.writes_codes
        assert not platform.sends_messages


@platforms()
def test_a_platform_cannot_be_changed_at_run_time(platform):
    with pytest.raises(dataclasses.FrozenInstanceError):
        platform.key = "other"


@platforms()
def test_a_form_says_of_every_field_what_it_is_and_where_to_find_it(platform):
    names = [field.name for field in platform.fields]
    assert len(set(names)) == len(names)
    for field in platform.fields:
        assert isinstance(field, FormField)
        assert field.label
        assert field.help
    if platform.connect:
        (url,) = (field for field in platform.fields if field.name == "url")
        assert url.default.startswith("https://")
        assert any(field.secret for field in platform.fields)


@every_sender
def test_a_host_can_answer_the_form_as_the_vendor_does(vendor):
    fields = {field.name: field for field in vendor.platform.fields}
    assert vendor.settings.keys() <= fields.keys() - {"url"}
    for name, field in fields.items():
        assert field.default is not None or vendor.settings.get(name), name


@every_sender
def test_a_sender_of_webhooks_describes_itself(vendor):
    hook = hook_of(vendor)
    assert (hook.key, hook.title) == (vendor.platform.key, vendor.platform.title)
    assert hook.setup_help
    assert hook.max_body == 256 * 1024
    assert hook.secret_problem(vendor.secret) is None


# What a webhook says


class Case(NamedTuple):
    """One check of what one platform's webhooks say."""

    vendor: Vendor
    check: Check

    def __str__(self) -> str:
        return f"{self.vendor.platform.key}-{self.check}"


@pytest.mark.parametrize(
    "case", [Case(vendor, check) for vendor in TRUSTED for check in STAYS if check.applies_to(vendor)], ids=str
)
async def test_what_a_webhook_says_of_a_stay(case: Case):
    async def stays(booking: Booking) -> Sequence[Any]:
        return read(case.vendor, booking)

    await case.check.examine(Telling(case.vendor, stays))


@each(HINTING)
def test_a_hint_names_the_reservation_and_nothing_else(vendor):
    for booking in (Booking(), CHANGED, *vendor.ways_to_cancel, *vendor.ways_to_wait):
        assert read(vendor, booking) == [Reread(vendor.ref(booking))]


@every_sender
def test_who_may_be_anybody_is_never_believed(vendor):
    if hook_of(vendor).secret_is_address:
        assert vendor.hints_only


@every_sender
def test_an_unknown_event_is_ignored_with_its_reason(vendor):
    for event in read(vendor, Booking(happening="sung_about")):
        if isinstance(event, Ignored):
            assert "sung_about" in event.reason
        else:
            assert event == Reread(vendor.ref(Booking())), "only a hint may follow from an event nobody knows"


@every_sender
def test_an_event_does_not_show_the_guest_by_accident(vendor):
    shown = repr(read(vendor, Booking())) + repr(sent(vendor))
    for private in ("Ida", "Example", "+1555", "ida@", vendor.secret):
        assert private not in shown


@every_sender
def test_an_object_encoded_twice_is_read(vendor):
    body = vendor.body(Booking())
    if body.startswith(b"{"):
        assert hook_of(vendor).read(vendor.delivery(orjson.dumps(body.decode()))) == read(vendor, Booking())


@every_sender
def test_reading_does_not_depend_on_the_day_or_way_it_is_done(vendor):
    delivery = sent(vendor)
    stored = Delivery({}, delivery.body, NOW + timedelta(days=90))
    assert hook_of(vendor).read(stored) == hook_of(vendor).read(delivery)


# Who sent it


@every_sender
def test_a_genuine_delivery_is_let_in(vendor):
    authenticate(vendor, sent(vendor))


@every_sender
def test_a_wrong_secret_is_refused(vendor):
    assert "does not match" in refusal(vendor, sent(vendor, secret=vendor.other_secret))


@every_sender
def test_a_changed_body_is_refused_where_bodies_are_signed(vendor):
    genuine = sent(vendor)
    changed = replace(genuine, body=genuine.body.replace(b"4711", b"4712"))
    assert changed.body != genuine.body
    if signs_bodies(vendor):
        assert "does not match" in refusal(vendor, changed)
    else:
        authenticate(vendor, changed)


@every_sender
def test_a_missing_proof_is_refused(vendor):
    genuine = sent(vendor)
    refusal(vendor, replace(genuine, headers={}, url_token=None))
    if not hook_of(vendor).secret_is_address:
        assert "is missing" in refusal(vendor, replace(genuine, headers={}))
        assert proofs(vendor)
    else:
        assert not proofs(vendor)


@every_sender
@pytest.mark.parametrize("nothing", ["", " ", "\n", " \r\n\t"])
def test_without_a_secret_everything_is_refused(vendor, nothing):
    empty = replace(sent(vendor), headers=dict.fromkeys(proofs(vendor), "0" * 64), url_token="")
    for delivery in (empty, sent(vendor)):
        assert "no secret is configured" in refusal(vendor, delivery, nothing)
    assert hook_of(vendor).secret_problem(nothing)


@every_sender
def test_two_secrets_are_good_while_one_replaces_the_other(vendor):
    both = f"{vendor.other_secret}\n{vendor.secret}"
    assert hook_of(vendor).secret_problem(both) is None
    for secret in (vendor.secret, vendor.other_secret):
        authenticate(vendor, sent(vendor, secret=secret), both)


@every_sender
def test_a_refusal_shows_neither_secret_nor_proof(vendor):
    delivery = sent(vendor, secret=vendor.other_secret)
    said = refusal(vendor, delivery)
    proof = [delivery.headers[name] for name in proofs(vendor)]
    for private in filter(None, (vendor.secret, vendor.other_secret, *proof, delivery.url_token)):
        assert private not in said


@every_sender
def test_authentication_does_not_look_into_the_body(vendor):
    authenticate(vendor, vendor.delivery(b'{"trunca'))


@every_sender
@given(texts=st.lists(st.text(max_size=80), min_size=8, max_size=8), body=st.binary(max_size=50), secret=st.text())
def test_any_headers_and_secret_are_refused_and_nothing_else(vendor, texts, body, secret):
    names = ("webhook-id", "webhook-timestamp", "webhook-signature", "signature", "svix-id", "authorization")
    headers = dict(zip((*names, *proofs(vendor)), texts, strict=False))
    delivery = Delivery(headers, body, NOW, url_token=texts[-1])
    assume(not {line.strip() for line in secret.splitlines()} & {text.strip() for text in texts})
    for each_secret in (secret, vendor.secret):
        with pytest.raises(Unauthenticated):
            authenticate(vendor, delivery, each_secret)


@every_sender
@given(garbage=st.text(max_size=40) | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")), data=st.data())
def test_one_garbled_proof_is_refused_and_nothing_else(vendor, garbage, data):
    genuine = vendor.delivery(b"{}")
    if hook_of(vendor).secret_is_address:
        garbled = replace(genuine, url_token=garbage)
    else:
        name = data.draw(st.sampled_from(proofs(vendor)))
        garbled = replace(genuine, headers=dict(genuine.headers) | {name: garbage})
    refusal(vendor, garbled)


# The same event again


@every_sender
def test_a_repeated_event_has_one_key_and_another_event_another(vendor):
    first, again, other = sent(vendor), sent(vendor), sent(vendor, CHANGED)
    dedupe_key = hook_of(vendor).dedupe_key
    assert dedupe_key(first) == dedupe_key(again)
    assert dedupe_key(other) != dedupe_key(first)


@every_sender
def test_events_of_two_reservations_have_two_keys(vendor):
    keys = {hook_of(vendor).dedupe_key(sent(vendor, Booking(id=f"res-{n}", event_id=f"e-{n}"))) for n in range(9)}
    assert len(keys) == 9


@every_sender
def test_a_delivery_without_an_id_is_known_by_its_body(vendor):
    one, two = (Delivery({}, body, NOW) for body in (b'{"a":1}', b'{"a":2}'))
    assert hook_of(vendor).dedupe_key(one).startswith("sha256:")
    assert hook_of(vendor).dedupe_key(one) != hook_of(vendor).dedupe_key(two)


# What cannot be read


@every_sender
def test_truncated_json_says_so(vendor):
    assert "not JSON" in unreadable(vendor, vendor.body(Booking())[:-20])


@every_sender
@pytest.mark.parametrize(
    ("body", "said"),
    [(b"[]", "list"), (b"null", "null"), (b"3", "a number"), (b"true", "true or false"), (b'"[]"', "list")],
)
def test_json_that_is_no_object_says_what_it_is(vendor, body, said):
    if body == b"[]" and vendor.body(Booking()).startswith(b"["):
        assert all(isinstance(event, Ignored) for event in hook_of(vendor).read(vendor.delivery(body)))
    else:
        assert said in unreadable(vendor, body)


@every_sender
@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"<html>", b'"\\ud800"', b"[" * 5000, b'{"a":\x00}', b'"{"'])
def test_a_body_that_is_no_json_says_so(vendor, body):
    assert "not JSON" in unreadable(vendor, body)


@each(TRUSTED)
def test_a_missing_required_field_is_named_with_what_to_do(vendor):
    for name in Declared.by(vendor).required:
        message = unreadable(vendor, vendor.body(Booking(extra={name: None})))
        assert f"{name} is missing; it must be " in message
        assert message.endswith("Correct it at the sender and send it again.")


@each(TRUSTED)
@pytest.mark.parametrize("value", [True, 1.5, [], {}, [1], {"a": "b"}], ids=repr)
def test_a_wrong_type_is_named_with_what_it_is(vendor, value):
    for name in Declared.by(vendor).required:
        if "status" not in name:
            assert re.search(rf"{name}(\[0\])? is ", unreadable(vendor, vendor.body(Booking(extra={name: value}))))


@each(TRUSTED)
@pytest.mark.parametrize(
    "date", ["2026-02-30", "20260614", "14.06.2026", "0001-01-01", "9999-12-31", "Ida", "٢٠٢٦-06-14"]
)
def test_a_date_that_is_none_is_refused_without_repeating_it(vendor, date):
    for booking in (Booking(arrival=date), Booking(departure=date)):
        message = unreadable(vendor, vendor.body(booking))
        assert "is a text of another form; it must be a date like 2026-05-31" in message
        assert date not in message


@each(TRUSTED)
def test_a_departure_before_the_arrival_is_refused(vendor):
    assert "departure is not after the arrival" in unreadable(vendor, vendor.body(Booking(departure="2026-06-13")))


@each([vendor for vendor in TRUSTED if {"check_in", "check_out"} <= vendor.says])
def test_a_stay_within_one_day_needs_both_times_in_order(vendor):
    day_use = Booking(departure="2026-06-14", check_in="10:00", check_out="18:00")
    for times in ({"check_in": "18:00", "check_out": "10:00"}, {"check_in": None}, {"check_in": "18:00"}):
        assert "departure is not after the arrival" in unreadable(vendor, vendor.body(replace(day_use, **times)))


@each([vendor for vendor in SENDERS if vendor.ref(Booking()) == Booking().id])
def test_an_identity_of_absurd_length_is_refused(vendor):
    assert "201 characters" in unreadable(vendor, vendor.body(Booking(id="7" * 201)))


@each([vendor for vendor in TRUSTED if Booking().home in vendor.home(Booking())])
def test_an_identity_that_cannot_be_one_is_refused(vendor):
    assert "cannot be an identity" in unreadable(vendor, vendor.body(Booking(home="prop\x007")))


@every_sender
def test_no_complaint_repeats_what_stands_in_the_delivery(vendor):
    private = "Ida +15550101234"
    for body in junk_everywhere(vendor.body(Booking()), (private,)):
        try:
            hook_of(vendor).read(vendor.delivery(body))
        except Unreadable as complaint:
            assert private not in str(complaint)  # noqa: PT017 - some of the fields take any text


# Anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def reads_or_complains(vendor: Vendor, body: bytes) -> None:
    delivery = Delivery({}, body, NOW)
    key = hook_of(vendor).dedupe_key(delivery)
    assert key.isascii()
    assert len(key) <= 150
    try:
        events = hook_of(vendor).read(delivery)
    except Unreadable as complaint:
        assert str(complaint)  # noqa: PT017 - either answer is right
    else:
        assert events
        assert not vendor.hints_only or all(isinstance(event, Reread | Ignored | Notice) for event in events)


@every_sender
@given(body=st.binary(max_size=200))
def test_any_bytes_are_read_or_complained_about(vendor, body):
    reads_or_complains(vendor, body)


@every_sender
def test_junk_anywhere_is_read_or_complained_about(vendor):
    for body in junk_everywhere(vendor.body(Booking()), (*JUNK, 2**63, "x" * 2000, "\x00", "\ud7ff", "9999-12-31")):
        reads_or_complains(vendor, body)


@every_sender
@given(data=st.data())
def test_any_value_anywhere_is_read_or_complained_about(vendor, data):
    whole: Any = orjson.loads(vendor.body(Booking()))
    target = data.draw(st.sampled_from(list(_objects(whole))))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    try:
        body = orjson.dumps(whole)
    except TypeError:  # half a character: no JSON either
        return
    reads_or_complains(vendor, body)


def _objects(value: Any) -> Sequence[dict[str, Any]]:
    """Every object with something in it, wherever it stands."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) and value else []
    return own + [found for each_value in inner for found in _objects(each_value)]
