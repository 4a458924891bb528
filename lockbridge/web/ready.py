"""Whether this process can do its work: what a load balancer or an operator asks."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from lockbridge.services import Services
from lockbridge.storage.database import SchemaError, StorageUnavailable, check_schema

STILL_TICKING = timedelta(seconds=60)
"""A worker that finished no tick for this long does not work."""


class Pulse(Protocol):
    """The worker in the same process."""

    @property
    def ticked_at(self) -> datetime | None:
        """When the last tick ended; None before the first."""

    @property
    def failing(self) -> set[str]:
        """The ticks that break off."""


@dataclass
class Readiness:
    """Asks the database and, where there is one in this process, the worker."""

    services: Services
    pulse: Pulse | None = None

    def __post_init__(self) -> None:
        self._since = self.services.clock.now()

    async def problems(self) -> list[str]:
        """Why this process is not ready, in plain sentences; empty: it is."""
        return [problem for problem in (await self._database(), self._worker()) if problem]

    async def _database(self) -> str | None:
        try:
            await asyncio.to_thread(check_schema, self.services.database)
        except (SchemaError, StorageUnavailable) as error:
            return str(error)
        return None

    def _worker(self) -> str | None:
        if self.pulse is None:
            return None
        quiet_for = self.services.clock.now() - (self.pulse.ticked_at or self._since)
        if quiet_for <= STILL_TICKING:
            return None
        return f"the worker has not finished a tick for {quiet_for.total_seconds():.0f} s: look into the log, restart"

    @property
    def remarks(self) -> list[str]:
        """What does not work although this process is ready."""
        return [
            f"the tick {name!r} fails: look into the log" for name in sorted(self.pulse.failing if self.pulse else ())
        ]
