"""The make-believe vendors, one file each; each exports ``BRAND``."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from tests.contract.brands import Brand

BRANDS: Mapping[str, Brand] = {
    name: import_module(f"{__name__}.{name}").BRAND for _, name, _ in iter_modules(__path__) if not name.startswith("_")
}
"""Every brand with a make-believe vendor, by its driver's key."""
