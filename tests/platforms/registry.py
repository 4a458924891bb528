"""The make-believe vendors of all platforms in the registry."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec

from lockbridge.platforms import PLATFORMS
from tests.platforms.vendor import Vendor

WANTED = [key for key, platform in PLATFORMS.items() if platform.hook is not None or platform.connect is not None]
"""Platforms that need a vendor; the others are calendar feeds, with tests of their own."""
VENDORS: Mapping[str, Vendor] = {
    key: import_module(name).VENDOR for key in WANTED if find_spec(name := f"tests.platforms.vendors.{key}") is not None
}
