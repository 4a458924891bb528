"""A brand as the contract suite examines it: its driver, connected to a make-believe vendor that speaks its protocol.

The make-believe vendor of a brand stands in ``vendors/<brand>.py`` and exports ``BRAND``. It is a thin dialect over the
simulator's world, so that every lock in it can misbehave as any other. ``python -m tests.contract.vendors BRAND``
serves it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
from starlette.types import ASGIApp

from lockbridge.contract import Provider, ProviderSpec
from lockbridge.outbound import Patience
from providers.simulator import RuleSet, SimulatedLockApp
from tests.contract.harness import HttpHarness, connection, no_sleep


@dataclass(frozen=True)
class Brand:
    """One brand: its driver, the kinds of lock it has, its wire protocol, and the host's answers to its form."""

    spec: ProviderSpec
    rules: Mapping[str, RuleSet]
    """The kinds of lock by a name; each one's capabilities are what the driver must say of such a lock."""
    serve: Callable[[SimulatedLockApp], ASGIApp]
    """The brand's protocol over a simulated world. The token it takes is ``token``."""
    settings: Callable[[str], Mapping[str, str]]
    """The host's answers to the form, given the vendor's address."""
    harness: "type[BrandHarness] | None" = None
    """What examines a driver that does not ask over HTTP; None: :class:`BrandHarness`."""

    def examine(self, kind: str) -> "BrandHarness":
        """A harness with one lock of this kind."""
        return (self.harness or BrandHarness)(self, kind)


class BrandHarness(HttpHarness):
    """A brand's driver and one lock of one kind."""

    def __init__(
        self, brand: Brand, kind: str, inner: httpx.AsyncBaseTransport | None = None, url: str = "http://vendor"
    ) -> None:
        self.brand = brand
        super().__init__(brand.rules[kind], inner, url)

    def asgi(self) -> ASGIApp:
        return self.brand.serve(self.app)

    def driver(self, kind: Callable[..., Provider] = lambda same: same) -> Provider:
        connected = self.brand.spec.connect(connection(self.brand.settings(self._url), self.http, self.now))
        return kind(in_no_time(connected))


def in_no_time(driver: Any) -> Provider:
    """The driver with pauses that take no time: every driver keeps its way to the vendor in ``_vendor``."""
    driver._vendor = replace(driver._vendor, patience=Patience(sleep=no_sleep))
    return driver  # type: ignore[no-any-return]  # a driver, whatever it is
