"""Seam's webhooks: signed by Svix, and nothing but a reason to look."""

from collections.abc import Sequence
from typing import Any

import orjson

from lockbridge import signatures
from lockbridge.contract import (
    Hint,
    LookAt,
)
from lockbridge.domain.ids import LockRef
from lockbridge.inbound import Delivery, Hook, Ignored, Unreadable, dedupe_key_for
from providers.seam.words import object_in

KEY = "seam"

LOCK_EVENTS = frozenset(
    {
        *(
            f"access_code.{what}"
            for what in (
                "created",
                "changed",
                "code_changed",
                "time_frame_changed",
                "scheduled_on_device",
                "set_on_device",
                "removed_from_device",
                "deleted",
                "delay_in_setting_on_device",
                "failed_to_set_on_device",
                "delay_in_removing_from_device",
                "failed_to_remove_from_device",
                "modified_external_to_seam",
                "deleted_external_to_seam",
                "backup_access_code_pulled",
                "unmanaged.created",
                "unmanaged.removed",
            )
        ),
        *(
            f"device.{what}"
            for what in (
                "connected",
                "disconnected",
                "removed",
                "deleted",
                "low_battery",
                "battery_status_changed",
                "tampered",
                "connection_became_flaky",
                "connection_stabilized",
                "accessory_keypad_disconnected",
            )
        ),
        *(f"lock.{what}" for what in ("locked", "unlocked", "access_denied")),
        *(f"action_attempt.unlock_door.{what}" for what in ("succeeded", "failed")),
    }
)
"""Events about one lock."""
ACCOUNT_EVENTS = frozenset({"connected_account.connected", "connected_account.disconnected"})
"""Events about every lock of an account of one brand; which locks those are is not said."""
_LONGEST_ID = 100


def _dedupe_key(delivery: Delivery) -> str:
    """Svix's message id, which is the same for every repeat."""
    return dedupe_key_for(delivery.headers.get("svix-id") or delivery.headers.get("webhook-id"), delivery.body)


def _read(delivery: Delivery) -> Sequence[Hint]:
    """A look at the lock the event is about. Raises Unreadable."""
    try:
        event = object_in(orjson.loads(delivery.body))
    except orjson.JSONDecodeError:
        msg = "the body is not JSON"
        raise Unreadable(msg) from None
    kind, device = event.get("event_type"), event.get("device_id")
    if not isinstance(kind, str):
        msg = "event_type is missing or no text"
        raise Unreadable(msg)
    if kind in ACCOUNT_EVENTS:
        return [LookAt()]
    if kind not in LOCK_EVENTS or device is None:
        return [Ignored(f"not about a lock: {kind[:60]}")]
    return [LookAt((_device_in(device),))]


def _device_in(device: Any) -> LockRef:
    if isinstance(device, str) and device.isascii() and device.isprintable() and 0 < len(device) <= _LONGEST_ID:
        return LockRef(device)
    msg = "device_id is no id"
    raise Unreadable(msg)


HOOK: Hook[Hint] = Hook(
    key=KEY,
    title="Seam",
    authenticate=signatures.standard_webhooks,
    dedupe_key=_dedupe_key,
    read=_read,
    secret_problem=signatures.standard_secret_problem,
    setup_help=(
        "Seam Console → Developer → Webhooks → Add Webhook: paste the address, choose the events of access codes, "
        "devices, locks and connected accounts. Seam then shows the secret (whsec_…)."
    ),
)
