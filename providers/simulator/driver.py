"""The driver that speaks to a simulated lock app in the same process."""

from collections.abc import Sequence
from datetime import datetime

from lockbridge.contract import (
    Connection,
    FormField,
    FoundLock,
    LockEvent,
    LockStatus,
    Provider,
    ProviderSpec,
    Receipt,
    SeenCode,
    Written,
)
from lockbridge.domain.code import CodeSpec
from lockbridge.domain.ids import CodeRef, LockRef
from providers.simulator.app import SimulatedLockApp
from providers.simulator.world import MAIN

KEY = "simulator"


class InProcessSimulator:
    """One account of a simulated lock app, without a network in between."""

    def __init__(self, app: SimulatedLockApp, account: str = MAIN) -> None:
        self._app = app
        self._account = account

    async def list_locks(self) -> Sequence[FoundLock]:
        """All locks of the account."""
        return self._app.list_locks(self._account)

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """Everything the lock holds; raises Rejected for a lock that cannot be asked."""
        return self._app.list_codes(self._account, lock)

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        """Make a code."""
        return self._app.set_code(self._account, lock, spec)

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Change a code as far as the lock can."""
        return self._app.update_code(self._account, lock, ref, spec)

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Take a code off the lock."""
        return self._app.remove_code(self._account, lock, ref)

    async def check_lock(self, lock: LockRef) -> LockStatus:
        """Whether the lock is in reach, and its battery."""
        return self._app.check_lock(self._account, lock)

    async def open_door(self, lock: LockRef) -> Receipt:
        """Open the door now, where the lock can."""
        return self._app.open_door(self._account, lock)

    async def activity(self, lock: LockRef, since: datetime, limit: int) -> Sequence[LockEvent]:
        """What was done to the lock."""
        return self._app.activity(self._account, lock, since, limit)


def in_process(app: SimulatedLockApp) -> ProviderSpec:
    """The simulator as a provider without a network: every connection reaches this app, in this process."""

    def connect(connection: Connection) -> Provider:
        return InProcessSimulator(app, connection.settings.get("account", MAIN))

    return ProviderSpec(
        key=KEY,
        title="Simulated lock app",
        fields=(FormField("account", "Account", default=MAIN),),
        connect=connect,
        max_parallel=64,
        maturity="for demonstrations and tests",
    )
