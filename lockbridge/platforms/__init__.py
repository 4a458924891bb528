"""Booking platforms: each one file, behind the contract in ``contract.py``. What calls them is loaded by the caller."""

from collections.abc import Mapping

from lockbridge.platforms import (
    beds24,
    cloudbeds,
    generic,
    guesty,
    hospitable,
    hostaway,
    ical,
    lodgify,
    ownerrez,
    sheet,
    smoobu,
)
from lockbridge.platforms.contract import Platform

_MODULES = (beds24, cloudbeds, generic, guesty, hospitable, hostaway, ical, lodgify, ownerrez, sheet, smoobu)

PLATFORMS: Mapping[str, Platform] = {module.PLATFORM.key: module.PLATFORM for module in _MODULES}
"""By the key that stands in the webhook's path, in the order of the keys."""
