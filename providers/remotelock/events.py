"""RemoteLock's webhooks: events of its locks, proved by a secret in a header and no signature."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson

from lockbridge.contract import Hint, LookAt
from lockbridge.domain.ids import LockRef
from lockbridge.inbound import Delivery, Hook, Ignored, Unreadable, dedupe_key_for
from lockbridge.signatures import any_secret_problem, header_secret
from providers.remotelock.wire import BY_TYPE

_TYPES = tuple(BY_TYPE)
_TELLING = tuple(
    f"{name}_event"
    for name in (
        "access_person_synced",
        "access_person_sync_failed",
        "access_guest_late_sync",
        "access_person_used",
        "access_denied",
        "unlocked",
        "connectivity",
        "power_level_low",
        "battery_replaced",
        "reset",
    )
)
"""The events that say something of a lock's codes or of how it is."""


def _event(body: bytes) -> Mapping[str, Any]:
    """Raises Unreadable."""
    try:
        event = orjson.loads(body)["data"]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("attributes"), dict):
        msg = "the body is not a RemoteLock event in JSON; choose the content type json for the webhook"
        raise Unreadable(msg)
    return event


def _dedupe_key(delivery: Delivery) -> str:
    vendor_id = None
    with suppress(Unreadable):
        vendor_id = _event(delivery.body).get("id")
    return dedupe_key_for(vendor_id, delivery.body)


def _hints(delivery: Delivery) -> list[Hint]:
    """Look at the lock that published the event, or – of a person's event – at which it happened."""
    event = _event(delivery.body)
    said = event["attributes"]
    if event.get("type") not in _TELLING:
        return [Ignored("an event of another kind")]
    for role in ("publisher", "associated_resource"):
        kind, lock = said.get(f"{role}_type"), said.get(f"{role}_id")
        if kind in _TYPES and isinstance(lock, str) and lock:
            return [LookAt((LockRef(lock),))]
    return [Ignored("an event of no lock with codes")]


HOOK: Hook[Hint] = Hook(
    key="remotelock",
    title="RemoteLock",
    authenticate=header_secret("x-secret"),
    dedupe_key=_dedupe_key,
    read=_hints,
    secret_problem=any_secret_problem,
    setup_help="make a webhook notification subscriber with this address, content type json and a long random secret, "
    "and subscribe it to the events of your account; the same secret goes here",
)
