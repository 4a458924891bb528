"""How Svix and Nuki sign, by known answers that nobody here computed with this program.

Svix: the published example of the Standard Webhooks specification. Nuki publishes no example; its documentation of
``X-Nuki-Signature-SHA256`` says HMAC-SHA256 (RFC 2104) of the body, in hex digits. The first answer for Nuki is test
case 2 of RFC 4231, the other is OpenSSL's, with the body in a file without a line feed at its end::

    openssl dgst -sha256 -hmac nuki-example-secret body.json
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lockbridge.inbound import Delivery, Unauthenticated
from lockbridge.signatures import sign_standard_webhook, standard_webhooks
from providers.nuki import PROVIDER

SIGNED_AT = datetime.fromtimestamp(1614265330, UTC)
SVIX_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SVIX_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SVIX_BODY = b'{"test": 2432232314}'
SVIX_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

NUKI_BODY = (
    b'{"feature":"DEVICE_STATUS","smartlockId":17999888777,"state":{"mode":2,"state":1,"batteryCharge":90},'
    b'"serverState":0,"adminPinState":0}'
)
NUKI = [
    ("Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    ("nuki-example-secret", NUKI_BODY, "4d42e22a6f6cac9c7a35ed182a28c50ef3f53a8c205d83ad02881a97ca0b58d9"),
]
Altered = Callable[[bytes, str], tuple[bytes, str]]


def svix(body: bytes = SVIX_BODY, **changes: str) -> Delivery:
    headers = {"svix-id": SVIX_ID, "svix-timestamp": "1614265330", "svix-signature": SVIX_SIGNATURE, **changes}
    return Delivery(headers, body, SIGNED_AT)


def nuki(body: bytes, signature: str) -> Delivery:
    return Delivery({"x-nuki-signature-sha256": signature}, body, SIGNED_AT)


def is_nukis(delivery: Delivery, secret: str) -> None:
    hook = PROVIDER.hook
    assert hook is not None
    hook.authenticate(delivery, secret, SIGNED_AT)


def test_the_published_svix_example_is_genuine():
    standard_webhooks(svix(), SVIX_SECRET, SIGNED_AT)
    standard_webhooks(svix(), SVIX_SECRET.removeprefix("whsec_"), SIGNED_AT)


def test_our_own_signature_is_that_of_the_published_example():
    signed = sign_standard_webhook(SVIX_SECRET, SVIX_ID, SIGNED_AT, SVIX_BODY)
    assert signed["webhook-signature"] == SVIX_SIGNATURE


@pytest.mark.parametrize(
    "change",
    [
        {"body": b'{"test": 2432232315}'},
        {"svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJel"},
        {"svix-timestamp": "1614265331"},
        {"svix-signature": "v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"svix-signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_svix_example_with_anything_changed_is_not(change: dict[str, Any]):
    with pytest.raises(Unauthenticated):
        standard_webhooks(svix(**change), SVIX_SECRET, SIGNED_AT)


def test_the_svix_example_ten_minutes_later_is_not():
    with pytest.raises(Unauthenticated):
        standard_webhooks(svix(), SVIX_SECRET, SIGNED_AT + timedelta(minutes=10))


@pytest.mark.parametrize(("secret", "body", "signature"), NUKI)
def test_what_openssl_and_the_rfc_signed_is_genuine_to_nukis_hook(secret: str, body: bytes, signature: str):
    is_nukis(nuki(body, signature), secret)
    is_nukis(nuki(body, signature.upper()), secret)


@pytest.mark.parametrize(("secret", "body", "signature"), NUKI)
@pytest.mark.parametrize(
    "altered",
    [
        lambda body, signature: (body + b"\n", signature),
        lambda body, signature: (body, signature[:-1] + ("1" if signature[-1] == "0" else "0")),
        lambda body, signature: (body, signature[:32]),
        lambda body, signature: (body, f"sha256={signature}"),
    ],
    ids=["another body", "another digit", "half of it", "a prefix"],
)
def test_nukis_signature_with_anything_changed_is_not(secret: str, body: bytes, signature: str, altered: Altered):
    with pytest.raises(Unauthenticated):
        is_nukis(nuki(*altered(body, signature)), secret)
