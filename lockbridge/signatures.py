"""The five ways in which platforms prove that a delivery is theirs. Each raises Unauthenticated and nothing else.

An empty secret refuses everything. Every comparison takes the same time for every wrong value.
Secrets of Standard Webhooks may be several, separated by spaces or commas, while one replaces another;
the other schemes take several secrets one to a line, because theirs may hold spaces and commas.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache

from lockbridge.inbound import Authenticate, Delivery, Unauthenticated

TOLERANCE = timedelta(seconds=300)
SHORTEST_KEY = 24
"""Bytes of a Standard Webhooks key; the specification asks for 24 to 64."""
SHORTEST_URL_TOKEN = 22
"""Characters: 128 bits in base64."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark in front of a secret, not one
TIMESTAMP = re.compile(r"[0-9]{1,11}")
HEX_DIGEST = re.compile(rb"[0-9a-f]{64}")


def standard_webhooks(delivery: Delivery, secret: str, now: datetime) -> None:
    """Standard Webhooks 1.0 (``v1``), with ``webhook-…`` or ``svix-…`` headers; five minutes' tolerance both ways."""
    try:
        keys = standard_keys(secret)
    except ValueError as error:
        raise Unauthenticated(str(error)) from None
    family = "webhook" if "webhook-id" in delivery.headers else "svix"
    message_id = _ascii_header(delivery, f"{family}-id")
    timestamp = _fresh_timestamp(delivery, f"{family}-timestamp", now)
    given = _ascii_header(delivery, f"{family}-signature").split(b" ")
    message = b"%b.%b.%b" % (message_id, timestamp, delivery.body)
    _require_match((_v1(key, message) for key in keys), given, f"{family}-signature")


def sign_standard_webhook(secret: str, message_id: str, timestamp: datetime, body: bytes) -> dict[str, str]:
    """The three ``webhook-…`` headers for a body, signed with each of the secrets.

    Raises ValueError for a secret that is none, an id that is not printable ASCII, or a naive timestamp.
    """
    if timestamp.tzinfo is None or not (message_id and message_id.isascii() and message_id.isprintable()):
        msg = "a webhook is signed with a printable ASCII id and an aware timestamp"
        raise ValueError(msg)
    seconds = str(int(timestamp.timestamp()))
    message = b"%b.%b.%b" % (message_id.encode(), seconds.encode(), body)
    signatures = b" ".join(_v1(key, message) for key in standard_keys(secret))
    return {"webhook-id": message_id, "webhook-timestamp": seconds, "webhook-signature": signatures.decode()}


def standard_secret(key: bytes) -> str:
    """A key of 24 to 64 random bytes as the text that both sides configure: ``whsec_…``."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


@lru_cache(maxsize=1024)
def standard_keys(secret: str) -> tuple[bytes, ...]:
    """The keys in a configured text. Raises ValueError, without quoting it, when there is none or one is no key."""
    keys = tuple(_standard_key(word) for word in re.split(r"[\s,]+", secret) if word)
    if not keys:
        msg = "no secret is configured for this endpoint; set one"
        raise ValueError(msg)
    return keys


def standard_secret_problem(secret: str) -> str | None:
    """What is wrong with a text as a Standard Webhooks secret; None when nothing is."""
    try:
        standard_keys(secret)
    except ValueError as error:
        return str(error)
    return None


def hmac_hex(header: str, *, prefix: str = "", timestamp_header: str | None = None) -> Authenticate:
    """HMAC-SHA256 of the raw body as hex digits in a header, behind a prefix such as ``sha256=``.

    With ``timestamp_header`` the message is ``{timestamp}.{body}`` and the timestamp may be five minutes off.
    """

    def authenticate(delivery: Delivery, secret: str, now: datetime) -> None:
        secrets = _secrets(secret)
        given = _ascii_header(delivery, header).lower()
        message = delivery.body
        if timestamp_header is not None:
            message = b"%b.%b" % (_fresh_timestamp(delivery, timestamp_header, now), message)
        digits = given.removeprefix(prefix.encode())
        if not given.startswith(prefix.encode()) or not HEX_DIGEST.fullmatch(digits):
            raise _refusal(header, f"is not {prefix!r} and 64 hex digits" if prefix else "is not 64 hex digits")
        _require_match((hmac_hex_digest(each, message).encode() for each in secrets), [digits], header)

    return authenticate


def hmac_hex_digest(secret: str, message: bytes) -> str:
    """The 64 lower-case hex digits of HMAC-SHA256."""
    return hmac.digest(secret.encode(errors="surrogatepass"), message, "sha256").hex()


def header_secret(header: str) -> Authenticate:
    """The secret itself stands in a header."""

    def authenticate(delivery: Delivery, secret: str, now: datetime) -> None:  # noqa: ARG001 - one shape for all schemes
        secrets = [_sha256(each.encode(errors="surrogatepass")) for each in _secrets(secret)]
        _require_match(secrets, [_sha256(_ascii_header(delivery, header))], header)

    return authenticate


def basic(delivery: Delivery, secret: str, now: datetime) -> None:  # noqa: ARG001 - one shape for all schemes
    """HTTP Basic; the secret is ``user:password``, both in UTF-8. A secret without a password refuses everything."""
    secrets = [each for each in _secrets(secret) if each.partition(":")[2]]
    wanted = [_halves(each.encode(errors="surrogatepass")) for each in secrets]
    scheme, _, encoded = _ascii_header(delivery, "authorization").partition(b" ")
    if scheme.lower() != b"basic":
        raise _refusal(header="authorization", problem="is not HTTP Basic")
    try:
        given = _halves(base64.b64decode(encoded.strip(), validate=True))
    except binascii.Error:
        raise _refusal(header="authorization", problem="is not base64") from None
    _require_match(wanted, [given], "authorization")


def url_token(delivery: Delivery, secret: str, now: datetime) -> None:  # noqa: ARG001 - one shape for all schemes
    """The secret is part of the path. Refuses secrets of less than 128 bits."""
    secrets = [each for each in _secrets(secret) if len(each) >= SHORTEST_URL_TOKEN]
    given = (delivery.url_token or "").encode(errors="surrogatepass")
    _require_match([_sha256(each.encode(errors="surrogatepass")) for each in secrets], [_sha256(given)], "the URL")


def login_secret_problem(secret: str) -> str | None:
    """What is wrong with a text as a login and password, or several to a line; None when nothing is."""
    lines = [line.strip().partition(":") for line in secret.splitlines() if line.strip()]
    if lines and all(login and password for login, _, password in lines):
        return None
    return "the secret is a login and a password with a colon between them: login:password"


def any_secret_problem(secret: str) -> str | None:
    """What is wrong with a text as the secret of a scheme that takes any text; None when nothing is."""
    return None if secret.strip() else "no secret is configured for this endpoint; set one"


def _standard_key(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if len(key) < SHORTEST_KEY:
        msg = f"a Standard Webhooks secret is base64 of at least {SHORTEST_KEY} bytes, with or without {SECRET_PREFIX}"
        raise ValueError(msg)
    return key


def _v1(key: bytes, message: bytes) -> bytes:
    return b"v1," + base64.b64encode(hmac.digest(key, message, "sha256"))


def _secrets(secret: str) -> list[str]:
    secrets = [line.strip() for line in secret.splitlines() if line.strip()]
    if not secrets:
        msg = "no secret is configured for this endpoint; set one"
        raise Unauthenticated(msg)
    return secrets


def _ascii_header(delivery: Delivery, name: str) -> bytes:
    value = delivery.headers.get(name, "").strip()
    if not value:
        raise _refusal(name, "is missing")
    if not value.isascii():
        raise _refusal(name, "is not ASCII")
    return value.encode("ascii")


def _fresh_timestamp(delivery: Delivery, name: str, now: datetime) -> bytes:
    text = delivery.headers.get(name, "")
    if not TIMESTAMP.fullmatch(text):
        raise _refusal(name, "is not a number of seconds since 1970" if text else "is missing")
    off = now.timestamp() - int(text)
    if abs(off) > TOLERANCE.total_seconds():
        raise _refusal(name, f"is {abs(off):.0f} s {'behind' if off > 0 else 'ahead of'} our clock; 300 s are allowed")
    return text.encode("ascii")


def _halves(credentials: bytes) -> bytes:
    user, _, password = credentials.partition(b":")
    return _sha256(user) + _sha256(password)


def _sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _require_match(wanted: Iterable[bytes], given: list[bytes], header: str) -> None:
    candidates = list(wanted)
    matches = [hmac.compare_digest(one, other) for one in candidates for other in given]
    if not any(matches):
        raise _refusal(header, "does not match: wrong secret, or the delivery was changed on its way")


def _refusal(header: str, problem: str) -> Unauthenticated:
    return Unauthenticated(f"{header} {problem}")
