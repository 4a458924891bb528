"""The composition root: settings become services. The only importer of ``providers``; nothing is chosen elsewhere."""

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from secrets import randbelow
from typing import TYPE_CHECKING, Any

import structlog
from starlette.types import ASGIApp

from lockbridge import assets
from lockbridge.accounts.connected import ConnectedAccounts
from lockbridge.clock import Clock, SystemClock
from lockbridge.config import Settings
from lockbridge.contract import ProviderSpec
from lockbridge.domain.settings import CodeSettings
from lockbridge.messaging.channel import Channel
from lockbridge.messaging.console import ConsoleChannel
from lockbridge.messaging.email import Mailer, Security
from lockbridge.messaging.render import Renderer
from lockbridge.platforms import PLATFORMS
from lockbridge.services import Services
from lockbridge.storage import keys
from lockbridge.storage.commit import Commit, GroupCommit, InlineCommit
from lockbridge.storage.database import Database, check_schema
from lockbridge.storage.vault import Vault, open_vault
from lockbridge.workflows.ports import Policy, Steps

if TYPE_CHECKING:  # as in the contract
    import httpx


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
    """Services from settings. Call it inside an event loop.

    Raises SchemaError, VaultError, StorageUnavailable, ValueError.
    """
    other = instead or Instead()
    database = other.database or open_database(settings)
    with ExitStack() as undo:
        undo.callback(database.dispose)
        built = _built(settings, other, database)
        undo.pop_all()
    return built


def _built(settings: Settings, other: Instead, database: Database) -> Services:
    clock = other.clock or SystemClock()
    vault = other.vault or vault_for(database, settings, clock.now())
    channel = other.channel or channel_of(settings)
    commit: Commit = InlineCommit(database) if other.inline else GroupCommit(database)
    accounts = ConnectedAccounts(
        lambda: other.providers or lock_app_kinds(),
        _http_client,
        database,
        commit,
        vault,
        clock,
        settings.worker.account_parallel,
    )
    return Services(
        database=database,
        commit=commit,
        vault=vault,
        steps=Steps(vault),
        accounts=accounts,
        platforms=PLATFORMS,
        channel=channel,
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
    """The database of the settings; nothing is read or made yet. Raises ValueError for a URL that cannot be used."""
    return Database(settings.database.url, synchronous=settings.database.synchronous)


def vault_for(database: Database, settings: Settings, now: datetime) -> Vault:
    """The vault that opens what is sealed in the database; only a new database has its key made.

    Raises SchemaError, VaultError – also when the key ring belongs to another database – and StorageUnavailable.
    """
    check_schema(database)
    with database.read() as connection:
        is_new = keys.is_new(connection)
    vault = vault_of(settings, create=is_new)
    with database.read() as connection:
        is_noted = keys.check_keys(connection, vault)
    if not is_noted:
        with database.write() as connection:
            keys.note_key(connection, vault, now)
    return vault


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
        codes_at_once=settings.worker.codes_at_once,
        code_hours_before=timedelta(hours=settings.messages.code_hours_before),
        when_not_ready=settings.messages.when_not_ready,
        message_domain=settings.messages.from_address.rpartition("@")[2].strip("> ") or "lockbridge.invalid",
        inbox_attempts=settings.inbox.max_attempts,
        pin_retention=timedelta(days=settings.retention.pin_days),
        guest_retention=timedelta(days=settings.retention.guest_days),
    )


def lock_app_kinds() -> Mapping[str, ProviderSpec]:
    """Every lock app a host can connect, by its key."""
    from providers import PROVIDERS  # noqa: PLC0415 - 14 MB with httpx and aiohttp: who calls no lock app goes without

    return PROVIDERS


def _http_client() -> "httpx.AsyncClient":
    from providers._http import client  # noqa: PLC0415 - as above

    return client()


SAMPLE_LOCKS = (
    ("front-door", "Front door", "standard"),
    ("flat-1", "Flat 1", "nuki"),
    ("flat-2", "Flat 2", "masked"),
    ("garden-gate", "Garden gate", "algorithmic"),
    ("cellar", "Cellar", "slots"),
)
"""Ref, name and rule set: locks of all three classes, to try things out with."""


def sample_lock_app(control_token: str, clock: Clock) -> ASGIApp:
    """A simulated lock app over HTTP with a few locks; its account's token is ``simulator``."""
    from providers.simulator import SimulatedLockApp, simulator_asgi  # noqa: PLC0415 - as above

    world = SimulatedLockApp(clock.now, Random())  # noqa: S311 - a make-believe lock app
    for ref, name, rules in SAMPLE_LOCKS:
        world.add_lock(ref, name=name, rules=rules)
    return simulator_asgi(world, control_token=control_token)
