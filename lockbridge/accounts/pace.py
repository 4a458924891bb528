"""How often an account may be called: turns at an even distance, given out to all processes by the database."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from lockbridge.accounts.keeping import Keeping
from lockbridge.contract import Rate, RateLimited
from lockbridge.storage import accounts
from lockbridge.storage.accounts import Account, Turns
from lockbridge.workflows.ports import transact

PATIENCE = timedelta(seconds=60)
"""How long a call waits for its turn; one that would wait longer is told to come back then."""
LAST_CALLS = 2
"""With so few calls left by the lock app's own count, all rest until it counts anew: others call the account too."""
LONGEST_REST = timedelta(hours=1)
"""An account rests no longer than this by what an answer's headers say: they may be nonsense, or its clock may be."""
FORFEIT = timedelta(seconds=5)
"""A turn that nobody took for so long – its caller gave up – is lost: saved-up turns would all be taken at once."""


class FreePace:
    """The pace of a lock app without a limit that is known."""

    async def turn(self) -> None:
        """At once."""

    async def heard(self, remaining: int, resets_at: datetime) -> None:
        """Nothing to learn."""


class AccountPace:
    """The turns of one account. Those who wait at the same moment reserve theirs together."""

    def __init__(
        self,
        account: Account,
        rate: Rate,
        keeping: Keeping,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._account, self._keeping, self._sleep = account, keeping, sleep
        self._apart = rate.per / rate.calls
        self._turns: deque[datetime] = deque()
        self._waiting = 0
        self._reserving = asyncio.Lock()

    async def turn(self) -> None:
        """Wait for the next turn. Raises RateLimited when it is more than a minute away."""
        self._waiting += 1
        try:
            async with self._reserving:
                self._forfeit()
                if not self._turns:
                    await self._reserve()
                turn = self._turns.popleft()
        finally:
            self._waiting -= 1
        wait = (turn - self._keeping.clock.now()).total_seconds()
        if wait > 0:
            await self._sleep(wait)

    def _forfeit(self) -> None:
        while self._turns and self._turns[0] < self._keeping.clock.now() - FORFEIT:
            self._turns.popleft()

    async def _reserve(self) -> None:
        most = max(1, int(PATIENCE / self._apart))
        wanted = Turns(self._account, min(self._waiting, most), self._apart, PATIENCE)
        first = await transact(self._keeping, lambda c: accounts.take_turns(c, wanted, self._keeping.clock.now()))
        if first is None:
            msg = "the account's calls are spoken for"
            raise RateLimited(msg, PATIENCE)
        self._turns.extend(first + number * self._apart for number in range(wanted.count))

    async def heard(self, remaining: int, resets_at: datetime) -> None:
        """The lock app's own count: with hardly a call left, every process rests until ``resets_at`` (UTC)."""
        now = self._keeping.clock.now()
        until = min(resets_at, now + LONGEST_REST)
        if remaining <= LAST_CALLS and until > now:
            self._turns.clear()
            await transact(self._keeping, lambda c: accounts.rest_until(c, self._account, until))
