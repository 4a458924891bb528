"""Drivers by account, connected when first needed and handed everything they may use of the outside world."""

import asyncio
from asyncio import Semaphore
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from lockbridge.accounts.notebook import AccountNotebook
from lockbridge.accounts.pace import AccountPace, FreePace
from lockbridge.accounts.tokens import AccountTokens, DraftTokens
from lockbridge.clock import Clock
from lockbridge.contract import (
    AccountRefused,
    Connection,
    FoundLock,
    HasActivity,
    Hint,
    Keypad,
    LockEvent,
    LockStatus,
    Pace,
    Provider,
    ProviderError,
    ProviderSpec,
    Receipt,
    Rejected,
    SeenCode,
    Written,
)
from lockbridge.domain.code import CodeSpec
from lockbridge.domain.ids import CodeRef, LockAppId, LockRef
from lockbridge.inbound import Hook
from lockbridge.storage import accounts
from lockbridge.storage.commit import Commit
from lockbridge.storage.database import Database
from lockbridge.storage.hosts import LockAppRow
from lockbridge.storage.vault import Vault
from lockbridge.workflows.notebook import Account

if TYPE_CHECKING:  # as in the contract
    import httpx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Counted:
    """A driver whose calls are counted by verb and by what came of them (``ok``, or the kind of the error)."""

    driver: Provider
    calls: Counter[tuple[str, str]]

    async def _count(self, verb: str, call: Awaitable[T]) -> T:
        try:
            answer = await call
        except ProviderError as error:
            self.calls[verb, error.kind.value] += 1
            raise
        self.calls[verb, "ok"] += 1
        return answer

    async def list_locks(self) -> Sequence[FoundLock]:
        return await self._count("list_locks", self.driver.list_locks())

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        return await self._count("list_codes", self.driver.list_codes(lock))

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        return await self._count("set_code", self.driver.set_code(lock, spec))

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        return await self._count("update_code", self.driver.update_code(lock, ref, spec))

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        return await self._count("remove_code", self.driver.remove_code(lock, ref))

    async def check_lock(self, lock: LockRef) -> LockStatus:
        return await self._count("check_lock", self.driver.check_lock(lock))

    async def open_door(self, lock: LockRef) -> Receipt:
        return await self._count("open_door", self.driver.open_door(lock))

    async def activity(self, lock: LockRef, since: datetime, limit: int) -> Sequence[LockEvent]:
        if not isinstance(self.driver, HasActivity):
            msg = "this lock app tells no log"
            raise Rejected(msg)
        return await self._count("activity", self.driver.activity(lock, since, limit))


@dataclass
class ConnectedAccounts:
    """Drivers by account; ``parallel`` bounds the calls under way to each account.

    ``kinds`` and ``client`` are called when the first account is connected: a process that only takes webhooks has
    neither drivers nor an HTTP client in memory.
    """

    kinds: Callable[[], Mapping[str, ProviderSpec]]
    client: "Callable[[], httpx.AsyncClient]"
    database: Database
    commit: Commit
    vault: Vault
    clock: Clock
    parallel: int
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many calls were made by this process, by verb and outcome."""
    _connected: dict[LockAppId, tuple[Mapping[str, str], Provider]] = field(default_factory=dict)
    _gates: dict[LockAppId, Semaphore] = field(default_factory=dict)
    _tokens: dict[LockAppId, AccountTokens] = field(default_factory=dict)

    @cached_property
    def providers(self) -> Mapping[str, ProviderSpec]:
        """Every kind of lock app there is a driver for, by its key."""
        return self.kinds()

    @cached_property
    def hooks(self) -> Mapping[str, Hook[Hint]]:
        """The kinds of lock app whose clouds send webhooks, by the key that stands in the webhook's path."""
        return {key: spec.hook for key, spec in self.providers.items() if spec.hook is not None}

    @cached_property
    def http(self) -> "httpx.AsyncClient":
        """The one HTTP client of this process."""
        return self.client()

    def provider(self, app: LockAppRow) -> Provider:
        """The driver of an account; connected anew when its settings changed. Raises AccountRefused."""
        known = self._connected.get(app.id)
        if known is not None and known[0] == app.settings:
            return known[1]
        spec = self._spec(app.provider)
        tokens = self._tokens[app.id] = AccountTokens(accounts.of_lock_app(app.id), app.settings, self)
        provider = self._driver(spec, app, tokens, self._pace(app.id, spec))
        self._connected[app.id] = (app.settings, provider)
        return provider

    def log(self, app: LockAppRow) -> HasActivity:
        """The driver of an account, asked for its locks' logs. Raises AccountRefused, Rejected."""
        provider = self.provider(app)
        if not isinstance(provider, HasActivity):
            msg = f"{app.name} tells no log"
            raise Rejected(msg)
        return provider

    def draft(self, app: LockAppRow) -> tuple[Provider, DraftTokens]:
        """The driver of an account that is not stored yet, and the token it gets meanwhile. Raises AccountRefused."""
        tokens = DraftTokens(self.clock)
        return self._driver(self._spec(app.provider), app, tokens, FreePace()), tokens

    def _spec(self, key: str) -> ProviderSpec:
        spec = self.providers.get(key)
        if spec is None:
            msg = f"no driver called {key!r}: one of {', '.join(sorted(self.providers))}"
            raise AccountRefused(msg)
        return spec

    def _driver(self, spec: ProviderSpec, app: LockAppRow, tokens: AccountTokens | DraftTokens, pace: Pace) -> Provider:
        notebook = AccountNotebook(Account(app.host, app.id), self)
        connection = Connection(app.name, app.settings, self.http, self.clock.now, tokens, pace, notebook)
        return _Counted(spec.connect(connection), self.calls)

    def _pace(self, app: LockAppId, spec: ProviderSpec) -> Pace:
        return AccountPace(accounts.of_lock_app(app), spec.rate, self) if spec.rate else FreePace()

    def gate(self, app: LockAppRow) -> Semaphore:
        """How many calls to the account may be under way at once: the driver's figure, or less by our setting."""
        if app.id not in self._gates:
            self._gates[app.id] = asyncio.Semaphore(min(self.providers[app.provider].max_parallel, self.parallel))
        return self._gates[app.id]

    def keypad(self, kind: str) -> Keypad:
        """How codes are typed at the keypads of a kind of lock app."""
        spec = self.providers.get(kind)
        return spec.keypad if spec is not None else Keypad.PLAIN

    async def finish(self) -> None:
        """Wait until the sign-ins under way are stored."""
        for tokens in self._tokens.values():
            await tokens.finish()

    async def close(self) -> None:
        """Let go of the HTTP client, where one was needed."""
        if "http" in vars(self):
            await self.http.aclose()
