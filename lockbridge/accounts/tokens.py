"""Access tokens of accounts: kept sealed in the database, fetched by one process at a time, shared by all."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

from lockbridge.accounts.keeping import Keeping
from lockbridge.clock import Clock
from lockbridge.contract import Grant, Renew, Unreachable
from lockbridge.storage import accounts
from lockbridge.storage.accounts import Account, StoredToken
from lockbridge.workflows.ports import transact

EARLY = timedelta(minutes=1)
"""A token this close to its end is fetched anew."""
LEASE = timedelta(minutes=1)
"""How long one process may take to fetch a token before another one tries: longer than a request can take."""
POLL = 0.2
"""Seconds between two looks whether the other process has got it."""


class DraftTokens:
    """The token of an account that is not stored yet; it is stored together with the account."""

    def __init__(self, clock: Clock) -> None:
        self.grant: Grant | None = None
        self._clock = clock
        self._one = asyncio.Lock()

    async def current(self, renew: Renew, *, refused: str | None = None) -> str:
        """The token in hand, or a new one."""
        async with self._one:
            if self.grant is None or self.grant.access == refused or not is_good(self.grant, self._clock.now()):
                self.grant = await renew(self.grant)
            return self.grant.access


class AccountTokens:
    """The token of one stored account."""

    def __init__(
        self,
        account: Account,
        settings: Mapping[str, str],
        keeping: Keeping,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._account, self._keeping, self._sleep = account, keeping, sleep
        self._settings = settings
        self._grant: Grant | None = None
        self._unstored: Grant | None = None
        """One that was fetched and could not be stored: with some lock apps the one before is worth nothing now."""
        self._one = asyncio.Lock()
        self._renewals: set[asyncio.Task[Grant]] = set()

    async def current(self, renew: Renew, *, refused: str | None = None) -> str:
        """A token that should be good. ``renew`` fetches one and is called in one process at a time.

        Raises Unreachable when another process takes too long over it, and what ``renew`` raises.
        """
        async with self._one:
            if not self._is_good(self._grant, refused):
                self._grant = await self._kept()
            if self._grant is None or not self._is_good(self._grant, refused):
                self._grant = await self._fetched(renew, refused)
            return self._grant.access

    async def finish(self) -> None:
        """Wait until sign-ins that nobody waits for any more are stored too."""
        if self._renewals:
            await asyncio.wait(self._renewals)

    def _is_good(self, grant: Grant | None, refused: str | None) -> bool:
        return grant is not None and grant.access != refused and is_good(grant, self._keeping.clock.now())

    async def _kept(self) -> Grant | None:
        """What is in the database, if it was fetched with the settings of today."""
        kept = await self._keeping.database.ask(accounts.token_of, self._keeping.vault, self._account)
        return kept.grant if kept is not None and kept.made_of == accounts.digest(self._settings) else None

    async def _fetched(self, renew: Renew, refused: str | None) -> Grant:
        lease, tries = token_hex(8), int(LEASE.total_seconds() / POLL)
        for _ in range(tries):
            if await self._leased(lease):
                return await self._to_the_end(self._renewed(renew, refused, lease))
            await self._sleep(POLL)
            kept = await self._kept()
            if kept is not None and self._is_good(kept, refused):
                return kept
        msg = "another process is signing in and does not come back"
        raise Unreachable(msg)

    async def _to_the_end(self, renewal: Coroutine[Any, Any, Grant]) -> Grant:
        """A caller who gives up does not stop it: a refresh token that is good for once would be lost."""
        task = asyncio.ensure_future(renewal)
        self._renewals.add(task)
        task.add_done_callback(self._renewals.discard)
        return await asyncio.shield(task)

    async def _leased(self, lease: str) -> bool:
        now = self._keeping.clock.now()
        return await transact(self._keeping, lambda c: accounts.lease_token(c, self._account, lease, now, now + LEASE))

    async def _renewed(self, renew: Renew, refused: str | None, lease: str) -> Grant:
        """Fetch with the lease in hand, unless somebody did so just before we got it."""
        try:
            kept = await self._kept()
            if kept is not None and self._is_good(kept, refused):
                self._unstored = None
                return kept
            grant = self._unstored
            if grant is None or not self._is_good(grant, refused):
                grant = await renew(grant or kept)
            await self._store(grant, lease)
        finally:
            await transact(self._keeping, lambda c: accounts.leave_token(c, self._account, lease))
        return grant

    async def _store(self, grant: Grant, lease: str) -> None:
        self._unstored = grant
        vault, stored = self._keeping.vault, StoredToken(accounts.digest(self._settings), grant)
        if await transact(self._keeping, lambda c: accounts.save_token(c, vault, self._account, lease, stored)):
            self._unstored = None


def is_good(grant: Grant, now: datetime) -> bool:
    """Whether the token will still be good in a moment."""
    return grant.expires_at is None or now < grant.expires_at - EARLY
