"""TTLock's callbacks: forms that nobody signs, so that all they may do is make us look.

Pages "Callback notify of lock records", "WiFi lock online or offline notify" and "WiFi lock asynchronous request fail
notify": ``notifyType`` and ``lockId`` in a form, ``records`` a JSON list; the answer is the word ``success``.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qs

import orjson

from lockbridge.contract import Hint, LookAt
from lockbridge.domain.ids import LockRef
from lockbridge.inbound import Delivery, Hook, Ignored, Unreadable, dedupe_key_for
from lockbridge.signatures import SHORTEST_URL_TOKEN, url_token

_RECORDS, _GATEWAY, _DOOR_SENSOR = "1", "2", "7"
_MOST_FIELDS = 50
_NUMBER = re.compile(r"[0-9]{1,19}")


def _hints_in(delivery: Delivery) -> list[Hint]:
    form = _form_in(delivery.body)
    kind = form.get("notifyType", "")
    if not _NUMBER.fullmatch(kind):
        msg = "notifyType: it is no number; send TTLock's callbacks here as they are"
        raise Unreadable(msg)
    if kind == _GATEWAY:
        return [LookAt()]
    if kind == _DOOR_SENSOR:
        return [Ignored("it is about no lock's codes")]
    if kind == _RECORDS:
        _check_records(form.get("records", ""))
    return [LookAt((_lock_in(form.get("lockId", "")),))]


def _form_in(body: bytes) -> Mapping[str, str]:
    try:
        fields = parse_qs(body.decode(), max_num_fields=_MOST_FIELDS)
    except ValueError:
        msg = "body: it is no form; send TTLock's callbacks here as they are"
        raise Unreadable(msg) from None
    return {name: values[0] for name, values in fields.items()}


def _check_records(text: str) -> None:
    """What they say is not used; that they are what the vendor sends tells a callback from noise."""
    try:
        records = orjson.loads(text)
    except ValueError:
        records = None
    if not isinstance(records, list):
        msg = "records: it is no JSON list; send TTLock's callbacks here as they are"
        raise Unreadable(msg)


def _lock_in(text: str) -> LockRef:
    if not _NUMBER.fullmatch(text):
        msg = "lockId: it is no number; send TTLock's callbacks here as they are"
        raise Unreadable(msg)
    return LockRef(text)


def _dedupe_key(delivery: Delivery) -> str:
    """Only records say when they happened: other callbacks are alike each time, and one an hour is a new one."""
    key = dedupe_key_for(None, delivery.body)
    return key if b"records=" in delivery.body else f"{key}:{delivery.received_at:%Y%m%d%H}"


def _secret_problem(secret: str) -> str | None:
    if any(len(line.strip()) >= SHORTEST_URL_TOKEN for line in secret.splitlines()):
        return None
    return f"the secret is the last part of the webhook address, at least {SHORTEST_URL_TOKEN} characters of it"


HOOK: Hook[Hint] = Hook(
    key="ttlock",
    title="TTLock",
    authenticate=url_token,
    dedupe_key=_dedupe_key,
    read=_hints_in,
    secret_problem=_secret_problem,
    setup_help=(
        "open.ttlock.com → your application → Callback URL. TTLock signs nothing: the last part of the address is the "
        "only secret, so show the address to nobody. A callback only makes us look at the lock."
    ),
    secret_is_address=True,
    reply="success",
)
