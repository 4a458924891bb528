"""Lock apps: one brand, one module. Nothing here knows anything but the contract and the domain."""

from collections.abc import Mapping
from types import MappingProxyType

from lockbridge.contract import ProviderSpec
from providers import home_assistant, igloohome, manual, nuki, remotelock, seam, simulator, ttlock, zwave_js

PROVIDERS: Mapping[str, ProviderSpec] = MappingProxyType(
    {
        spec.key: spec
        for spec in (
            igloohome.PROVIDER,
            manual.PROVIDER,
            nuki.PROVIDER,
            remotelock.PROVIDER,
            seam.PROVIDER,
            simulator.PROVIDER,
            ttlock.SIFELY,
            ttlock.TTLOCK,
            zwave_js.PROVIDER,
            home_assistant.PROVIDER,
        )
    }
)
"""Every lock app a host can connect, by its key."""
