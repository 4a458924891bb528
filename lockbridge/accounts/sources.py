"""Booking platforms' clients by source, connected when first needed and handed what they may use of the outside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from lockbridge.accounts.keeping import Keeping
from lockbridge.accounts.pace import AccountPace, FreePace
from lockbridge.accounts.tokens import AccountTokens, DraftTokens
from lockbridge.clock import Clock
from lockbridge.contract import AccountRefused, Pace, Tokens
from lockbridge.domain.ids import SourceId
from lockbridge.platforms.contract import Client, Feed, Fetch, Link, Platform
from lockbridge.storage import accounts
from lockbridge.storage.commit import Commit
from lockbridge.storage.database import Database
from lockbridge.storage.sources import SourceRow
from lockbridge.storage.vault import Vault

if TYPE_CHECKING:  # as in the contract
    import httpx


@dataclass
class ConnectedSources:
    """Clients and feeds by source; ``client`` and ``fetching`` are called when the first one is connected."""

    platforms: Mapping[str, Platform]
    client: "Callable[[], httpx.AsyncClient]"
    fetching: Callable[[], Fetch]
    database: Database
    commit: Commit
    vault: Vault
    clock: Clock
    _clients: dict[SourceId, tuple[Mapping[str, str], Client]] = field(default_factory=dict)
    _tokens: dict[SourceId, AccountTokens] = field(default_factory=dict)

    @cached_property
    def http(self) -> "httpx.AsyncClient":
        """The one HTTP client of this process for booking platforms."""
        return self.client()

    @cached_property
    def fetch(self) -> Fetch:
        """How calendar feeds are fetched."""
        return self.fetching()

    def of(self, source: SourceRow) -> Client:
        """The client of a source; connected anew when its settings changed. Raises AccountRefused, NotOffered."""
        known = self._clients.get(source.id)
        if known is not None and known[0] == source.settings:
            return known[1]
        keeping: Keeping = self
        account, rate = accounts.of_source(source.id), self.platforms[source.platform].rate
        tokens = self._tokens[source.id] = AccountTokens(account, source.settings, keeping)
        client = self._client(source, tokens, AccountPace(account, rate, keeping) if rate else FreePace())
        self._clients[source.id] = (source.settings, client)
        return client

    def draft(self, source: SourceRow) -> tuple[Client, DraftTokens]:
        """The client of a source that is not stored yet, and the token it gets meanwhile. Raises AccountRefused."""
        tokens = DraftTokens(self.clock)
        return self._client(source, tokens, FreePace()), tokens

    def feed(self, source: SourceRow) -> Feed:
        """The reader of a calendar feed. Raises AccountRefused when its settings make no sense."""
        make = self.platforms[source.platform].feed
        if make is None:
            msg = f"{source.platform} has no calendar feeds"
            raise AccountRefused(msg)
        return make(self._link(source, DraftTokens(self.clock), FreePace()))

    def _client(self, source: SourceRow, tokens: Tokens, pace: Pace) -> Client:
        connect = self.platforms[source.platform].connect
        if connect is None:
            msg = f"{source.platform} has no API that lockbridge could ask"
            raise AccountRefused(msg)
        return connect(self._link(source, tokens, pace))

    def _link(self, source: SourceRow, tokens: Tokens, pace: Pace) -> Link:
        return Link(source.name, source.settings, self.http, self.clock.now, tokens, pace, self.fetch)

    async def finish(self) -> None:
        """Wait until the sign-ins under way are stored."""
        for tokens in self._tokens.values():
            await tokens.finish()

    async def close(self) -> None:
        """Let go of the HTTP client, where one was needed."""
        if "http" in vars(self):
            await self.http.aclose()
