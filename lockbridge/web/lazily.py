"""An application that is made when it is first asked: what nobody uses costs no memory."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass
class Lazily:
    """An application that is made when it is first asked."""

    make: Callable[[], ASGIApp]
    made: ASGIApp | None = None
    _making: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, once it is made."""
        app = self.made or await self._first()
        await app(scope, receive, send)

    async def _first(self) -> ASGIApp:
        async with self._making:
            if self.made is None:
                self.made = await asyncio.to_thread(self.make)
            return self.made
