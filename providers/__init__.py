"""Lock apps: one brand, one module. Nothing here knows anything but the contract and the domain."""

from collections.abc import Mapping
from types import MappingProxyType

from lockbridge.contract import ProviderSpec
from providers import igloohome, manual, nuki, remotelock, seam, simulator, ttlock

PROVIDERS: Mapping[str, ProviderSpec] = MappingProxyType(
    {
        spec.key: spec
        for spec in (
            manual.PROVIDER,
            simulator.PROVIDER,
            seam.PROVIDER,
            nuki.PROVIDER,
            ttlock.TTLOCK,
            ttlock.SIFELY,
            igloohome.PROVIDER,
            remotelock.PROVIDER,
        )
    }
)
"""Every lock app a host can connect, by its key."""
