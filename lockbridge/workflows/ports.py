"""What workflows need from outside, as they see it; bootstrap hands them the real things."""

import asyncio
from asyncio import Semaphore
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger

from lockbridge.contract import Grant, HasActivity, Hint, Keypad, Provider
from lockbridge.domain.messages import WhenNotReady
from lockbridge.domain.rules import NIGHT, Quiet
from lockbridge.domain.settings import CodeSettings
from lockbridge.inbound import Hook
from lockbridge.messaging.channel import Channel, PostingChannel, SmsChannel
from lockbridge.messaging.render import Renderer
from lockbridge.platforms.contract import Client, Feed, Platform
from lockbridge.storage import inbox, locks
from lockbridge.storage.commit import Commit
from lockbridge.storage.database import Database
from lockbridge.storage.hosts import LockAppRow
from lockbridge.storage.inbox import Incoming
from lockbridge.storage.locks import Intents, Pass
from lockbridge.storage.sources import SourceRow
from lockbridge.storage.vault import Vault

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's settings that workflows read (settings.toml says what each means)."""

    codes: CodeSettings = field(default_factory=CodeSettings)
    backups_per_lock: int = 2
    max_removals: int = 20
    lease: timedelta = timedelta(minutes=5)
    locks_at_once: int = 64
    codes_at_once: int = 2000
    code_hours_before: timedelta = timedelta(hours=24)
    when_not_ready: WhenNotReady = WhenNotReady.HOLD
    quiet: Quiet = NIGHT
    per_stay_per_hour: int = 6
    message_domain: str = "lockbridge.invalid"
    inbox_attempts: int = 8
    battery_low: float = 0.2
    offline_alarm_after: timedelta = timedelta(minutes=30)
    pin_retention: timedelta = timedelta(days=30)
    guest_retention: timedelta = timedelta(days=400)
    public_url: str = ""
    """How people reach the pages, without a slash at its end."""


class Draft(Protocol):
    """The access token of an account that is not stored yet."""

    @property
    def grant(self) -> Grant | None:
        """What signing in gave; None where nobody had to."""
        ...


class Accounts(Protocol):
    """The connected lock-app accounts of this process."""

    def provider(self, app: LockAppRow) -> Provider:
        """The driver of an account. Raises AccountRefused when its settings make no sense."""
        ...

    def log(self, app: LockAppRow) -> HasActivity:
        """The driver of an account, asked for its locks' logs. Raises AccountRefused, Rejected."""
        ...

    def draft(self, app: LockAppRow) -> tuple[Provider, Draft]:
        """The driver of an account that is not stored yet, and the token it gets meanwhile. Raises AccountRefused."""
        ...

    @property
    def hooks(self) -> Mapping[str, Hook[Hint]]:
        """The kinds of lock app whose clouds send webhooks, by key."""
        ...

    def gate(self, app: LockAppRow) -> Semaphore:
        """How many calls to the account may be under way at once."""
        ...

    def keypad(self, kind: str) -> Keypad:
        """How codes are typed at the keypads of a kind of lock app."""
        ...


class Sources(Protocol):
    """The connected booking platforms and calendar feeds of this process."""

    def of(self, source: SourceRow) -> Client:
        """The client of a source. Raises AccountRefused when its settings make no sense, or there is no API."""
        ...

    def draft(self, source: SourceRow) -> tuple[Client, Draft]:
        """The client of a source that is not stored yet, and the token it gets meanwhile. Raises AccountRefused."""
        ...

    def feed(self, source: SourceRow) -> Feed:
        """The reader of a calendar feed. Raises AccountRefused when its settings make no sense."""
        ...


class Steps:
    """The batch steps of the hot paths, made once: requests that wait together share one of them."""

    def __init__(self, vault: Vault) -> None:
        self.store: Callable[[Connection, Sequence[Incoming]], Sequence[None]] = partial(_store, vault)
        self.intents: Callable[[Connection, Sequence[Intents]], Sequence[bool]] = partial(_intents, vault)
        self.passes: Callable[[Connection, Sequence[Pass]], Sequence[bool]] = partial(_passes, vault)


def _store(vault: Vault, connection: Connection, items: Sequence[Incoming]) -> Sequence[None]:
    return inbox.store(connection, vault, items)


def _intents(vault: Vault, connection: Connection, items: Sequence[Intents]) -> Sequence[bool]:
    return locks.save_intents(connection, vault, items)


def _passes(vault: Vault, connection: Connection, items: Sequence[Pass]) -> Sequence[bool]:
    return locks.save_passes(connection, vault, items)


class Store(Protocol):
    """Where things are kept."""

    @property
    def database(self) -> Database:
        """Where questions are asked."""
        ...

    @property
    def commit(self) -> Commit:
        """The one way to write."""
        ...

    @property
    def vault(self) -> Vault:
        """What seals and opens secrets."""
        ...


class Tools(Store, Protocol):
    """Everything the workflows are handed."""

    @property
    def steps(self) -> Steps:
        """The batch steps of the hot paths."""
        ...

    @property
    def accounts(self) -> Accounts:
        """The lock-app accounts."""
        ...

    @property
    def sources(self) -> Sources:
        """The booking platforms' accounts and the calendar feeds."""
        ...

    @property
    def platforms(self) -> Mapping[str, Platform]:
        """The booking platforms, by key."""
        ...

    @property
    def channel(self) -> Channel:
        """How e-mail leaves."""
        ...

    @property
    def texting(self) -> SmsChannel | None:
        """How text messages leave; None: no gateway is set up."""
        ...

    @property
    def posting(self) -> PostingChannel:
        """How webhooks to others leave."""
        ...

    @property
    def renderer(self) -> Renderer:
        """What turns facts into texts."""
        ...

    @property
    def policy(self) -> Policy:
        """The operator's settings."""
        ...

    @property
    def stopping(self) -> asyncio.Event:
        """Set when the process is to end: what is under way is finished, nothing more is begun."""
        ...

    @property
    def below(self) -> Callable[[int], int]:
        """Draws uniformly from 0 to n-1, from a cryptographic generator."""
        ...

    @property
    def log(self) -> FilteringBoundLogger:
        """Where what happens is told to operators; never secrets."""
        ...


async def transact(store: Store, work: Callable[[Connection], T]) -> T:
    """Run ``work`` in one transaction. It may be run again after a failure, so it must do nothing but write."""
    return await store.commit.write(_each, work)


def _each(connection: Connection, works: Sequence[Callable[[Connection], T]]) -> Sequence[T]:
    return [work(connection) for work in works]
