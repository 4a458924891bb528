"""What a device can do and how it is, as Seam tells it: constraints of digits and names become our rules."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from lockbridge.contract import (
    FoundLock,
    LockStatus,
)
from lockbridge.domain.ids import LockRef
from lockbridge.domain.lock import Capabilities, NameRules, PinRules, Rounding
from providers.seam.words import text_in, trouble_in

NATIVE = frozenset(
    {
        "august_lock",
        "igloo_lock",
        "igloohome_lock",
        "kwikset_lock",
        "nuki_lock",
        "salto_lock",
        "schlage_lock",
        "tedee_lock",
        "ttlock_lock",
        "two_n_intercom",
        "wyze_lock",
        "yale_lock",
    }
)
"""Device types whose brands keep windows on the lock itself: Seam loads their codes 72 h ahead (docs.seam.co, "Native
scheduling"). All others are taken for just-in-time: Seam brings the code to the lock within the hour before it opens,
and a code pushed earlier would stay unconfirmed until then."""
AHEAD = timedelta(days=3)
JUST_IN_TIME = timedelta(hours=1)
PATIENCE = timedelta(minutes=30)
"""Seam itself tries for a while, and reports a delay first."""

_CHOOSES = frozenset({"cannot_specify_pin_code", "pin_code_matches_existing_set"})
"""The lock's maker gives out the digits, or takes only digits it knows: then they are left to it."""
_FORBIDDEN_DIGITS = MappingProxyType({"no_zeros": "0", "cannot_contain_089": "089", "cannot_contain_0789": "0789"})
_NO_RUN = frozenset({"no_ascending_or_descending_sequence", "no_triple_consecutive_ints"})
_NOT_EQUAL = frozenset({"no_all_same_digits", "no_triple_consecutive_ints"})
_THREE_DIFFERENT = frozenset({"at_least_three_unique_digits", "no_triple_consecutive_ints"})
# Two constraints cannot be said in our rules. "no_triple_consecutive_ints" (Brivo: no 3 digits in a row that are equal
# or neighbours) is wider than the three rules it is mapped to, and "start_date_in_future" (Kwikset) is none of digits:
# Seam refuses what breaks them, as it does with a constraint that is newer than this driver, and other digits are
# chosen or the host is told of the window.

_USUAL_LENGTHS = PinRules().lengths
_LONGEST_PIN = 12
_ALL = frozenset({"pin", "name", "window"})


def capabilities(device: Mapping[str, Any]) -> Capabilities:
    """What Seam says of a device, as data; what it does not say is taken to be the least."""
    properties = device["properties"]
    constraints = {each["constraint_type"]: each for each in properties.get("code_constraints") or ()}
    chooses, native = not _CHOOSES.isdisjoint(constraints), device.get("device_type") in NATIVE
    return Capabilities(
        chooses_pin=chooses,
        lead=AHEAD if native else JUST_IN_TIME,
        updates=frozenset() if chooses else _ALL,
        max_codes=int(properties.get("max_active_codes_supported") or Capabilities().max_codes),
        rounding=Rounding.MINUTE,  # Seam keeps milliseconds, many of the locks behind it minutes
        confirms=False,
        confirm_within=PATIENCE,
        can_open=device.get("can_remotely_unlock") is True,
        pin_rules=_pin_rules(constraints.keys(), properties.get("supported_code_lengths")),
        name_rules=_name_rules(constraints),
    )


def _pin_rules(given: Iterable[str], lengths: Iterable[float] | None) -> PinRules:
    kinds = frozenset(given)
    return PinRules(
        lengths=frozenset(n for n in map(int, lengths or ()) if 0 < n <= _LONGEST_PIN) or _USUAL_LENGTHS,
        forbidden_digits=frozenset("".join(_FORBIDDEN_DIGITS[kind] for kind in kinds & _FORBIDDEN_DIGITS.keys())),
        forbidden_prefixes=("12",) if "cannot_start_with_12" in kinds else (),
        min_distinct_digits=3 if kinds & _THREE_DIFFERENT else 1,
        no_run=bool(kinds & _NO_RUN),
        no_equal_digits=bool(kinds & _NOT_EQUAL),
        unique_first_four="unique_first_four_digits" in kinds,
    )


def _name_rules(constraints: Mapping[str, Mapping[str, Any]]) -> NameRules:
    length, usual = constraints.get("name_length", {}), NameRules()
    return NameRules(
        min_length=int(length.get("min_length") or usual.min_length),
        max_length=int(length.get("max_length") or usual.max_length),
        unique="name_must_be_unique" in constraints,
    )


def lock_in(device: Mapping[str, Any]) -> FoundLock:
    """A device as a lock. Raises LookupError, TypeError or ValueError for anything else."""
    place = device.get("location") or {}
    return FoundLock(
        ref=LockRef(text_in(device["device_id"])),
        name=device.get("display_name") or device["properties"].get("name") or "Lock",
        capabilities=capabilities(device),
        status=status_of(device),
        zone=place.get("time_zone") or place.get("timezone"),
    )


def status_of(device: Mapping[str, Any]) -> LockStatus:
    """How a device is, and the trouble Seam reports with it."""
    properties = device["properties"]
    return LockStatus(
        online=properties.get("online") is True,
        battery=_battery(properties),
        trouble=trouble_in(device, besides=()),
    )


def _battery(properties: Mapping[str, Any]) -> float | None:
    """The weaker one of the lock and its keypad: without either no code opens."""
    keypad = (properties.get("accessory_keypad") or {}).get("battery") or properties.get("keypad_battery")
    levels = [(each or {}).get("level") for each in (properties.get("battery"), keypad)]
    known = [float(level) for level in (*levels, properties.get("battery_level")) if level is not None]
    return min((min(max(level, 0.0), 1.0) for level in known), default=None)
