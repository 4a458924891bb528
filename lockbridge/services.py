"""The frozen bag of things the workflows are handed, and the connected lock-app accounts of this process."""

import asyncio
from asyncio import Semaphore
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx
from structlog.typing import FilteringBoundLogger

from lockbridge.clock import Clock
from lockbridge.contract import AccountRefused, Connection, Provider, ProviderSpec
from lockbridge.domain.ids import LockAppId
from lockbridge.messaging.channel import Channel
from lockbridge.messaging.render import Renderer
from lockbridge.platforms.contract import Platform
from lockbridge.storage.commit import Commit
from lockbridge.storage.database import Database
from lockbridge.storage.hosts import LockAppRow
from lockbridge.storage.vault import Vault
from lockbridge.workflows.ports import Policy, Steps


@dataclass(slots=True)
class ConnectedAccounts:
    """Drivers by account, connected when first needed; ``parallel`` bounds the calls under way to each account."""

    providers: Mapping[str, ProviderSpec]
    http: httpx.AsyncClient
    clock: Clock
    parallel: int
    _connected: dict[LockAppId, tuple[Mapping[str, str], Provider]] = field(default_factory=dict)
    _gates: dict[LockAppId, Semaphore] = field(default_factory=dict)

    def provider(self, app: LockAppRow) -> Provider:
        """The driver of an account; connected anew when its settings changed. Raises AccountRefused."""
        known = self._connected.get(app.id)
        if known is not None and known[0] == app.settings:
            return known[1]
        spec = self.providers.get(app.provider)
        if spec is None:
            msg = f"no driver called {app.provider!r}: one of {', '.join(sorted(self.providers))}"
            raise AccountRefused(msg)
        provider = spec.connect(Connection(app.name, app.settings, self.http, self.clock.now))
        if app.id:
            self._connected[app.id] = (app.settings, provider)
        return provider

    def gate(self, app: LockAppRow) -> Semaphore:
        """How many calls to the account may be under way at once: the driver's figure, or less by our setting."""
        if app.id not in self._gates:
            self._gates[app.id] = asyncio.Semaphore(min(self.providers[app.provider].max_parallel, self.parallel))
        return self._gates[app.id]


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that was chosen in bootstrap; satisfies ``workflows.ports.Tools``."""

    database: Database
    commit: Commit
    vault: Vault
    steps: Steps
    accounts: ConnectedAccounts
    platforms: Mapping[str, Platform]
    channel: Channel
    renderer: Renderer
    policy: Policy
    below: Callable[[int], int]
    log: FilteringBoundLogger
    clock: Clock

    async def close(self) -> None:
        """Write what waits to be written and let go of everything."""
        await self.commit.close()
        self.database.dispose()
        await self.accounts.http.aclose()
