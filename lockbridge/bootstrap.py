"""The composition root: settings become services. The only importer of ``providers``; nothing is chosen elsewhere."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from secrets import randbelow
from typing import Any

import structlog

from lockbridge import assets
from lockbridge.clock import Clock, SystemClock
from lockbridge.config import Settings
from lockbridge.contract import ProviderSpec
from lockbridge.domain.settings import CodeSettings
from lockbridge.messaging.channel import Channel
from lockbridge.messaging.console import ConsoleChannel
from lockbridge.messaging.email import Mailer, Security
from lockbridge.messaging.render import Renderer
from lockbridge.platforms import PLATFORMS
from lockbridge.services import ConnectedAccounts, Services
from lockbridge.storage.commit import Commit, GroupCommit, InlineCommit
from lockbridge.storage.database import Database
from lockbridge.storage.vault import Vault, open_vault
from lockbridge.workflows.ports import Policy, Steps
from providers import PROVIDERS
from providers._http import client


@dataclass(frozen=True, slots=True)
class Instead:
    """What a demo, a simulation or a test puts in the place of the real thing; None: the real thing."""

    database: Database | None = None
    vault: Vault | None = None
    clock: Clock | None = None
    channel: Channel | None = None
    providers: Mapping[str, ProviderSpec] | None = None
    inline: bool = False
    """Write on the caller's thread, one call at a time: the same run every time."""


def build(settings: Settings, instead: Instead | None = None) -> Services:
    """Services from settings. Call it inside an event loop. Raises VaultError, ValueError, ConfigError."""
    other = instead or Instead()
    database = other.database or open_database(settings)
    vault = other.vault or vault_of(settings, create=True)
    clock = other.clock or SystemClock()
    commit: Commit = InlineCommit(database) if other.inline else GroupCommit(database)
    accounts = ConnectedAccounts(other.providers or PROVIDERS, client(), clock, settings.worker.account_parallel)
    return Services(
        database=database,
        commit=commit,
        vault=vault,
        steps=Steps(vault),
        accounts=accounts,
        platforms=PLATFORMS,
        channel=other.channel or channel_of(settings),
        renderer=Renderer(assets.templates()),
        policy=policy_of(settings),
        below=randbelow,
        log=structlog.get_logger("lockbridge"),
        clock=clock,
    )


@asynccontextmanager
async def services(settings: Settings, instead: Instead | None = None) -> AsyncIterator[Services]:
    """Services that are closed at the end."""
    built = build(settings, instead)
    try:
        yield built
    finally:
        await built.close()


def open_database(settings: Settings) -> Database:
    """The database of the settings; its folder is made where it is a file."""
    database = Database(settings.database.url, synchronous=settings.database.synchronous)
    if database.file is not None:
        database.file.parent.mkdir(parents=True, exist_ok=True)
    return database


def vault_of(settings: Settings, *, create: bool) -> Vault:
    """The vault of the settings; ``create`` makes the key file where there is none."""
    return open_vault(settings.secrets.key_file, settings.secrets.key.get_secret_value(), create=create)


def channel_of(settings: Settings) -> Channel:
    """E-mail as the settings say; without a mail server it is printed."""
    smtp = settings.smtp
    if not smtp.host:
        return ConsoleChannel(print)
    return Mailer(
        host=smtp.host,
        port=smtp.port,
        sender=settings.messages.from_address,
        security=Security(smtp.security),
        username=smtp.username,
        password=smtp.password.get_secret_value(),
        timeout=smtp.timeout_seconds,
    )


def policy_of(settings: Settings) -> Policy:
    """The settings that workflows read."""
    chosen: dict[str, Any] = settings.codes.model_dump()
    backups_per_lock = chosen.pop("backups_per_lock")
    return Policy(
        codes=CodeSettings(**chosen),
        backups_per_lock=backups_per_lock,
        max_removals=settings.plan.max_removals,
        lease=timedelta(seconds=settings.worker.lease_seconds),
        locks_at_once=settings.worker.locks_at_once,
        code_hours_before=timedelta(hours=settings.messages.code_hours_before),
        when_not_ready=settings.messages.when_not_ready,
        message_domain=settings.messages.from_address.rpartition("@")[2].strip("> ") or "lockbridge.invalid",
        inbox_attempts=settings.inbox.max_attempts,
        pin_retention=timedelta(days=settings.retention.pin_days),
        guest_retention=timedelta(days=settings.retention.guest_days),
    )
