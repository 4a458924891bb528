"""The make-believe vendors whose webhooks other tests send, under one roof."""

from tests.platforms.vendor import NOW, STRANGE, Booking
from tests.platforms.vendors.generic import Generic
from tests.platforms.vendors.hospitable import Hospitable

__all__ = ["NOW", "STRANGE", "Booking", "Generic", "Hospitable"]
