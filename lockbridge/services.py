"""The frozen bag of things the workflows are handed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from lockbridge.accounts.connected import ConnectedAccounts
from lockbridge.accounts.sources import ConnectedSources
from lockbridge.clock import Clock
from lockbridge.messaging.channel import Channel, PostingChannel, SmsChannel
from lockbridge.messaging.render import Renderer
from lockbridge.platforms.contract import Platform
from lockbridge.storage.commit import Commit
from lockbridge.storage.database import Database
from lockbridge.storage.vault import Vault
from lockbridge.workflows.ports import Policy, Steps


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that was chosen in bootstrap; satisfies ``workflows.ports.Tools``."""

    database: Database
    commit: Commit
    vault: Vault
    steps: Steps
    accounts: ConnectedAccounts
    sources: ConnectedSources
    platforms: Mapping[str, Platform]
    channel: Channel
    texting: SmsChannel | None
    posting: PostingChannel
    renderer: Renderer
    policy: Policy
    below: Callable[[int], int]
    log: FilteringBoundLogger
    clock: Clock
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its worker stops: what is under way is finished, no more locks are taken in hand."""

    async def close(self) -> None:
        """Write what waits to be written and let go of everything."""
        await self.accounts.finish()
        await self.sources.finish()
        await self.commit.close()
        self.database.dispose()
        await self.accounts.close()
        await self.sources.close()
