"""How Seam says no: types of errors in its answers, and error codes of the codes and devices it lists."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    LockFull,
    LockNotFound,
    LockOffline,
    NameRefused,
    NameTaken,
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    ProviderError,
    RateLimited,
    Rejected,
    Trouble,
    WindowRefused,
)
from lockbridge.outbound import ErrorTable

Words = Mapping[str, type[ProviderError] | None]

TROUBLES: Words = MappingProxyType(
    {
        "access_code_inactive": Rejected,
        "account_disconnected": AccountRefused,
        "august_device_programming_delay": None,
        "august_device_slots_full": LockFull,
        "august_lock_bad_access_code_format": PinRefused,
        "august_lock_invalid_code_length": PinRefused,
        "august_lock_missing_bridge": LockOffline,
        "august_lock_missing_keypad": Rejected,
        "august_lock_not_authorized": AccountRefused,
        "august_lock_temporarily_offline": LockOffline,
        "auxiliary_heat_running": None,
        "bridge_disconnected": LockOffline,
        "code_modified_external_to_seam": OutcomeUnknown,
        "conflicting_external_modification": OutcomeUnknown,
        "device_disconnected": LockOffline,
        "device_offline": LockOffline,
        "device_removed": LockNotFound,
        "dormakaba_oracode_invalid_time_range": WindowRefused,
        "dormakaba_oracode_no_valid_user_level": Rejected,
        "dormakaba_sites_disconnected": AccountRefused,
        "duplicate_code_attempt_prevented": PinTaken,
        "duplicate_code_on_device": PinTaken,
        "empty_backup_access_code_pool": None,
        "failed_to_remove_from_device": Rejected,
        "failed_to_set_on_device": Rejected,
        "hub_disconnected": LockOffline,
        "hubitat_device_programming_delay": None,
        "hubitat_no_free_positions_available": LockFull,
        "igloohome_bridge_offline": LockOffline,
        "igloohome_bridge_too_many_pending_jobs": RateLimited,
        "igloohome_offline_access_code_no_variance_available": LockFull,
        "insufficient_permissions": AccountRefused,
        "invalid_credentials": AccountRefused,
        "keynest_unsupported_locker": Rejected,
        "kwikset_insufficient_permissions": AccountRefused,
        "kwikset_unable_to_confirm_code": PinTaken,  # "usually caused by a duplicate" (docs.seam.co, troubleshooting)
        "kwikset_unable_to_confirm_deletion": Rejected,
        "lockly_missing_wifi_bridge": LockOffline,
        "missing_device_credentials": AccountRefused,
        "no_space_for_access_code_on_device": LockFull,
        "provider_issue": Rejected,
        "salto_ks_subscription_limit_exceeded": AccountRefused,
        "salto_ks_user_not_subscribed": AccountRefused,
        "salto_site_user_not_subscribed": AccountRefused,
        "smartthings_failed_to_set_access_code": Rejected,
        "smartthings_failed_to_set_after_multiple_retries": Rejected,
        "smartthings_no_free_slots_available": LockFull,
        "subscription_required": AccountRefused,
        "ttlock_lock_not_paired_to_gateway": LockOffline,
        "wyze_duplicate_code_name": NameTaken,
        "wyze_potential_duplicate_code": PinTaken,
    }
)
"""Every ``error_code`` of a code or a device that Seam documents or once did; None: no concern of a code's.

One that is not listed is Rejected. External modifications are undone by Seam: what the lock holds meanwhile is unknown.
"""
OF_THE_LOCK = (LockOffline, LockNotFound, AccountRefused)
"""Seam repeats a lock's and an account's errors with each of its codes; a code that is on the lock stays there."""


def trouble_in(item: Mapping[str, Any], besides: tuple[type[ProviderError], ...]) -> Trouble | None:
    """The trouble reported with a code or a device, the one that says most; ``besides`` are of no interest."""
    words = [text_in(error["error_code"]) for error in item.get("errors") or ()]
    found = [(word, kind) for word in words if (kind := TROUBLES.get(word, Rejected)) and kind not in besides]
    if not found:
        return None
    word, kind = min(found, key=lambda each: each[1] is Rejected)
    return kind(f"the lock app reports {word}").trouble


_FIELDS: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        "device_id": LockNotFound,
        "access_code_id": CodeGone,
        "code": PinRefused,
        "name": NameRefused,
        "starts_at": WindowRefused,
        "ends_at": WindowRefused,
    }
)
"""Which field of a request is wrong (``validation_errors`` of ``invalid_input``) says what is refused."""
_CALLS: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        # A key stands for the accounts of many brands: trouble with one of them is no reason to leave all alone.
        **{word: LockOffline if kind is AccountRefused else kind for word, kind in TROUBLES.items() if kind},
        **{f"invalid {name}": kind for name, kind in _FIELDS.items()},
        "access_code_not_found": CodeGone,
        "device_not_found": LockNotFound,
        "duplicate_access_code": PinTaken,
        "unauthorized": AccountRefused,
    }
)


def object_in(value: Any) -> Mapping[str, Any]:
    """A JSON object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def _word_of(body: Any) -> str | None:
    """The type of the error in an answer; of an input that is refused, which field it is about."""
    error = object_in(object_in(body).get("error"))
    wrong = object_in(error.get("validation_errors"))
    field = next((name for name in _FIELDS if name in wrong), None)
    word = error.get("type") if field is None else f"invalid {field}"
    return word if isinstance(word, str) else None


def _word_of_attempt(body: Any) -> str | None:
    """The same, also where the answer is 200 and the attempt in it has failed already."""
    return _word_of(body) or _word_of(object_in(body).get("action_attempt"))


def _table(missing: type[ProviderError], word_of: Callable[[Any], str | None] = _word_of_attempt) -> ErrorTable:
    statuses: dict[int, type[ProviderError]] = {401: AccountRefused, 403: AccountRefused, 404: missing, 409: PinTaken}
    return ErrorTable(words=_CALLS, statuses=statuses, word_of=word_of)


ON_LOCK = _table(LockNotFound)
ON_CODE = _table(CodeGone)
ON_CREATION = _table(LockNotFound, _word_of)
"""A code whose first attempt failed exists all the same: the next look tells of its trouble."""


def text_in(value: Any) -> str:
    """A text with something in it. Raises TypeError for anything else."""
    if not isinstance(value, str) or not value:
        msg = "not a text"
        raise TypeError(msg)
    return value
