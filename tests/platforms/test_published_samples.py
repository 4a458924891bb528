"""Vendors' own samples, where they lie beside the checkout; each test proves nothing, and passes, where they do not."""

from datetime import UTC, date, datetime
from pathlib import Path

import orjson

from lockbridge import signatures
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Ignored
from lockbridge.platforms import hospitable
from lockbridge.platforms.contract import Event, Notice, ReservationEvent

SAMPLES = Path(__file__).parents[3] / "shared" / "payloads"
NOW = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)


def read(body: bytes) -> Event:
    (event,) = hospitable.PLATFORM.read(Delivery({}, body, NOW))
    return event


def test_each_webhook_in_hospitables_documentation_is_understood():
    wanted = {"reservation": ReservationEvent, "message": Ignored, "property": Ignored}
    for sample in sorted(SAMPLES.glob("hospitable/webhook.*.json")):
        kind = sample.name.removeprefix("webhook.").removesuffix(".docs-example.json")
        assert type(read(sample.read_bytes())) is wanted.get(kind, Notice), sample.name


def test_the_reservation_in_hospitables_documentation_says_what_it_says():
    for sample in SAMPLES.glob("hospitable/webhook.reservation.docs-example.json"):
        event = read(sample.read_bytes())
        assert isinstance(event, ReservationEvent)
        assert (event.reservation_code, event.status, event.phone) == ("ABC123", StayStatus.PENDING, None)
        assert (event.arrival, event.departure) == (date(2019, 1, 3), date(2019, 1, 5))
        assert event.check_in_instant == datetime(2019, 1, 3, 18, 0, tzinfo=UTC)


def test_each_reservation_of_hospitables_api_is_read_when_it_comes_in_an_envelope():
    for sample in sorted(SAMPLES.glob("hospitable/api.reservation*.json")):
        for reservation in orjson.loads(sample.read_bytes())["data"]:
            envelope = {"id": "e", "action": "reservation.changed", "data": reservation, "version": "v2"}
            event = read(orjson.dumps(envelope))
            assert isinstance(event, ReservationEvent), sample.name
            assert (event.check_in is None) == (reservation["check_in"] is None), sample.name
            assert (event.status is StayStatus.CANCELLED) == ("cancelled" in event.external_id), sample.name


def test_the_known_answers_are_ours():
    for sample in SAMPLES.glob("signatures/known-answers.json"):
        answers = orjson.loads(sample.read_bytes())
        plain, standard = answers["hospitable"], answers["standard-webhooks/svix"]
        assert signatures.hmac_hex_digest(plain["secret"], plain["body"].encode()) == plain["signature_hex"]
        for secret in (standard["secret"], standard["secret_prefixed"]):
            sent = datetime.fromtimestamp(standard["timestamp"], UTC)
            signed = signatures.sign_standard_webhook(secret, standard["msg_id"], sent, standard["payload"].encode())
            assert signed["webhook-signature"] == standard["signature"]
