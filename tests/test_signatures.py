"""The five ways to prove where a delivery comes from: known answers, rotation, and everything garbled."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge import signatures
from lockbridge.inbound import Authenticate, Delivery, Unauthenticated

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
SENT = datetime.fromtimestamp(1614265330, UTC)
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
OTHER = signatures.standard_secret(b"another invented key, 32 bytes..")


def standard(headers: dict[str, str], *, secret: str = SECRET, body: bytes = BODY, now: datetime = SENT) -> None:
    signatures.standard_webhooks(Delivery(headers, body, now), secret, now)


def refused(scheme: Authenticate, headers: dict[str, str], secret: str, body: bytes = b"{}", token: str | None = None):
    with pytest.raises(Unauthenticated) as caught:
        scheme(Delivery(headers, body, SENT, url_token=token), secret, SENT)
    return str(caught.value)


# Standard Webhooks


@pytest.mark.parametrize("secret", [SECRET, f"whsec_{SECRET}", f" whsec_{SECRET}\n"])
def test_the_published_answer_of_standard_webhooks_is_ours(secret):
    standard(HEADERS, secret=secret)
    assert signatures.sign_standard_webhook(secret, HEADERS["webhook-id"], SENT, BODY) == HEADERS


def test_svix_headers_are_as_good():
    standard({name.replace("webhook", "svix"): value for name, value in HEADERS.items()})


def test_headers_of_the_two_families_are_not_mixed():
    mixed = HEADERS | {"svix-signature": HEADERS["webhook-signature"]}
    del mixed["webhook-signature"]
    with pytest.raises(Unauthenticated, match="webhook-signature is missing"):
        standard(mixed)


@pytest.mark.parametrize("off", [-300, 0, 300])
def test_a_clock_may_be_five_minutes_off_either_way(off):
    standard(HEADERS, now=SENT + timedelta(seconds=off))


@pytest.mark.parametrize(("off", "said"), [(-301, "301 s ahead of our clock"), (301, "301 s behind our clock")])
def test_a_clock_may_not_be_more_than_five_minutes_off(off, said):
    with pytest.raises(Unauthenticated, match=said):
        standard(HEADERS, now=SENT + timedelta(seconds=off))


@pytest.mark.parametrize(
    "timestamp",
    [
        "1614265330.9",
        " 1614265330",
        "1614265330 ",
        "+1614265330",
        "١٦١٤٢٦٥٣٣٠",
        "0x60",
        "",
        "-1",
        "9" * 400,
        "1_614_265_330",
    ],
)
def test_a_timestamp_is_nothing_but_seconds_in_ascii_digits(timestamp):
    with pytest.raises(Unauthenticated, match="webhook-timestamp"):
        standard(HEADERS | {"webhook-timestamp": timestamp})


def test_one_good_signature_among_several_is_enough():
    good = HEADERS["webhook-signature"]
    for several in (f"v1,AAAA {good}", f"v1a,ZWQyNTUxOQ== {good}", f"{good} v2,what"):
        standard(HEADERS | {"webhook-signature": several})


@pytest.mark.parametrize(
    "signature",
    [
        "v1",
        "v1,",
        ",",
        "g0hM9SsE",
        "v1,a,b",
        "v1,***",
        "v1,é",
        "v1,\x00",
        "v1,AAAA  v1,BBBB",
        " ",
        "v1,\ud800",
        "v1," * 5000,
        "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ],
)
def test_a_garbled_signature_is_refused_like_any_other(signature):
    with pytest.raises(Unauthenticated, match="webhook-signature"):
        standard(HEADERS | {"webhook-signature": signature})


@pytest.mark.parametrize("message_id", ["", "é", "\ud800", "another"])
def test_a_garbled_or_other_id_is_refused(message_id):
    with pytest.raises(Unauthenticated):
        standard(HEADERS | {"webhook-id": message_id})


@pytest.mark.parametrize("separator", [" ", ",", ", ", "\n", "\t"])
def test_any_of_several_secrets_is_good(separator):
    standard(HEADERS, secret=separator.join([OTHER, SECRET]))


def test_signing_with_two_secrets_is_understood_by_who_knows_either():
    headers = signatures.sign_standard_webhook(f"{OTHER} {SECRET}", "msg_1", SENT, BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (OTHER, SECRET):
        standard(headers, secret=secret)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        " , ",
        "whsec_",
        "whsec_AAAA",
        "not base64!",
        "é",
        f"{SECRET} whsec_",
        SECRET[:-2],
        f"{SECRET[:8]}!{SECRET[8:]}",
        "\ud800",
        "123456",
    ],
)
def test_a_secret_that_is_none_refuses_everything_and_says_why(secret):
    problem = signatures.standard_secret_problem(secret)
    assert problem
    with pytest.raises(Unauthenticated, match=problem[:20]):
        standard(HEADERS, secret=secret)
    with pytest.raises(ValueError, match=problem[:20]):
        signatures.sign_standard_webhook(secret, "msg_1", SENT, BODY)


def test_an_empty_key_is_not_a_key_one_can_sign_with():
    digest = hmac.digest(b"", b"id.1614265330.{}", "sha256")
    forged = {"webhook-id": "id", "webhook-timestamp": "1614265330"}
    forged["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
    for secret in ("", "whsec_", ","):
        with pytest.raises(Unauthenticated):
            standard(forged, secret=secret, body=b"{}")


@pytest.mark.parametrize(("message_id", "sent"), [("", SENT), ("é", SENT), ("a\n", SENT), ("a", datetime(2026, 1, 1))])  # noqa: DTZ001 - naive on purpose
def test_nothing_is_signed_that_nobody_could_verify(message_id, sent):
    with pytest.raises(ValueError, match="printable ASCII id and an aware timestamp"):
        signatures.sign_standard_webhook(SECRET, message_id, sent, BODY)


@given(
    body=st.binary(),
    key=st.binary(min_size=24, max_size=64),
    sent=st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_what_we_sign_we_believe_and_nothing_near_it(body, key, sent):
    secret = signatures.standard_secret(key)
    headers = signatures.sign_standard_webhook(secret, "msg_1", sent, body)
    standard(headers, secret=secret, body=body, now=sent)
    with pytest.raises(Unauthenticated):
        standard(headers, secret=secret, body=body + b" ", now=sent)


# HMAC in hex

PLAIN = signatures.hmac_hex("signature")
PREFIXED = signatures.hmac_hex("ms-signature", prefix="sha256=")
TIMED = signatures.hmac_hex("x-signature", prefix="sha256=", timestamp_header="x-timestamp")
KNOWN_BODY = b'{"foo":"bar"}'
KNOWN_HEX = "cc99bf5947391ddb0d0d9866f5b9d3a68e8b273c5ac8f699b4ae2399a7433118"


def test_the_published_answer_of_plain_hmac_is_ours():
    PLAIN(Delivery({"signature": KNOWN_HEX}, KNOWN_BODY, SENT), "123456", SENT)
    assert signatures.hmac_hex_digest("123456", KNOWN_BODY) == KNOWN_HEX


def test_hex_digits_may_be_capitals():
    PLAIN(Delivery({"signature": KNOWN_HEX.upper()}, KNOWN_BODY, SENT), "123456", SENT)
    PREFIXED(Delivery({"ms-signature": f"SHA256={KNOWN_HEX.upper()}"}, KNOWN_BODY, SENT), "123456", SENT)


def test_a_space_in_the_body_makes_another_signature():
    assert "does not match" in refused(PLAIN, {"signature": KNOWN_HEX}, "123456", b'{"foo": "bar"}')


def test_a_prefix_belongs_there_or_does_not():
    assert "'sha256=' and 64 hex digits" in refused(PREFIXED, {"ms-signature": KNOWN_HEX}, "123456", KNOWN_BODY)
    assert "64 hex digits" in refused(PLAIN, {"signature": f"sha256={KNOWN_HEX}"}, "123456", KNOWN_BODY)


@pytest.mark.parametrize(
    "garbled", ["", "0", "g" * 64, "0" * 63, "0" * 65, "é" * 64, "\u0660" * 64, "\ud800", "\x00" * 64]
)
def test_garbled_hex_is_refused_like_any_other(garbled):
    refused(PLAIN, {"signature": garbled}, "123456")
    refused(PREFIXED, {"ms-signature": "sha256=" + garbled}, "123456")


def test_a_timestamped_hmac_covers_the_timestamp_and_expires():
    signature = "sha256=" + signatures.hmac_hex_digest("s3cret", b"1614265330.{}")
    good = {"x-timestamp": "1614265330", "x-signature": signature}
    TIMED(Delivery(good, b"{}", SENT), "s3cret", SENT)
    assert "does not match" in refused(TIMED, good | {"x-timestamp": "1614265331"}, "s3cret")
    assert "x-timestamp is missing" in refused(TIMED, {"x-signature": signature}, "s3cret")
    late = SENT + timedelta(seconds=301)
    with pytest.raises(Unauthenticated, match="behind our clock"):
        TIMED(Delivery(good, b"{}", late), "s3cret", late)


def test_a_secret_with_a_comma_is_one_secret():
    signature = signatures.hmac_hex_digest("c", b"{}")
    refused(PLAIN, {"signature": signature}, "ab,c")
    refused(PLAIN, {"signature": signature}, "ab c")
    PLAIN(Delivery({"signature": signature}, b"{}", SENT), "ab\nc", SENT)


# HTTP Basic


def basic_header(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize("secret", ["host:pa:ss", "hôst:pässwörd", "host:with space, and comma", ":only-a-password"])
def test_basic_takes_the_pair_that_is_configured(secret):
    signatures.basic(Delivery(basic_header(secret), b"{}", SENT), secret, SENT)
    lower = {"authorization": basic_header(secret)["authorization"].replace("Basic", "basic")}
    signatures.basic(Delivery(lower, b"{}", SENT), secret, SENT)


@pytest.mark.parametrize("given_pair", ["host:wrong", "wrong:pass", "host", "", ":", "host:", ":pass", "hostp:ass"])
def test_basic_refuses_every_other_pair(given_pair):
    assert "does not match" in refused(signatures.basic, basic_header(given_pair or " "), "host:pass")


@pytest.mark.parametrize("header", ["", "Basic", "Basic ***", "Bearer abc", "Basic é", "Basic aG9zdA", "\ud800"])
def test_a_garbled_basic_header_is_refused_like_any_other(header):
    assert "authorization" in refused(signatures.basic, {"authorization": header}, "host:pass")


@pytest.mark.parametrize("secret", ["host", "host:", ":", ""])
def test_basic_without_a_configured_password_refuses_everything(secret):
    for pair in ("host", "host:", ":", secret or " "):
        refused(signatures.basic, basic_header(pair), secret)


# A secret in a header, a token in the URL


def test_a_secret_in_a_header_is_compared_whole():
    scheme = signatures.header_secret("x-secret")
    scheme(Delivery({"x-secret": "s3cret"}, b"{}", SENT), "s3cret", SENT)
    scheme(Delivery({"x-secret": "s3cret"}, b"{}", SENT), "old\ns3cret", SENT)
    for wrong in ("s3cre", "s3cret2", "", "é", "S3CRET", "old\ns3cret"):
        refused(scheme, {"x-secret": wrong}, "s3cret")


def test_a_url_token_is_compared_whole_and_never_weak():
    token = "kX3v9QmT2bY7rL5nWc8ZpA"
    signatures.url_token(Delivery({}, b"{}", SENT, url_token=token), token, SENT)
    for wrong in (None, "", token[:-1], token + "A", "\ud800"):
        assert "does not match" in refused(signatures.url_token, {}, token, token=wrong)
    refused(signatures.url_token, {}, "short", token="short")


@given(name=st.sampled_from(["signature", "ms-signature", "x-signature", "authorization", "x-secret"]), value=st.text())
def test_no_scheme_raises_anything_but_a_refusal(name, value):
    headers = {name: value, "x-timestamp": "1614265330"}
    for scheme in (
        PLAIN,
        PREFIXED,
        TIMED,
        signatures.basic,
        signatures.header_secret("x-secret"),
        signatures.url_token,
    ):
        refused(scheme, headers, "host:a secret nobody would guess", token=value)


def test_all_schemes_refuse_without_a_secret():
    empty = hashlib.sha256(b"").hexdigest()
    for scheme in (PLAIN, PREFIXED, signatures.basic, signatures.header_secret("x-secret"), signatures.url_token):
        assert "no secret is configured" in refused(scheme, {"signature": empty, "x-secret": ""}, "", token="")
    assert signatures.any_secret_problem("s3cret") is None
