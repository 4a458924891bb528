"""Booking platforms: each one file, behind the contract in ``contract.py``."""

from collections.abc import Mapping

from lockbridge.platforms import generic, hospitable
from lockbridge.platforms.contract import Platform

PLATFORMS: Mapping[str, Platform] = {each.key: each for each in (generic.PLATFORM, hospitable.PLATFORM)}
"""By the key that stands in the webhook's path."""
