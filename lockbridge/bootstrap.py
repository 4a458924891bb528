"""The composition root: settings become services. The only importer of ``providers``; nothing is chosen elsewhere."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random
from secrets import randbelow
from typing import TYPE_CHECKING, Any

import structlog
from starlette.types import ASGIApp

from lockbridge import assets
from lockbridge.accounts.connected import ConnectedAccounts
from lockbridge.accounts.sources import ConnectedSources
from lockbridge.clock import Clock, SystemClock
from lockbridge.config import Settings
from lockbridge.contract import ProviderSpec
from lockbridge.domain.rules import Quiet
from lockbridge.domain.settings import CodeSettings
from lockbridge.fetching import GuardedFetch
from lockbridge.messaging.channel import Channel, PostingChannel, SmsChannel
from lockbridge.messaging.console import ConsoleChannel, ConsoleSms
from lockbridge.messaging.email import Mailer, Security
from lockbridge.messaging.posting import SignedPostings
from lockbridge.messaging.render import Renderer
from lockbridge.messaging.sms import TWILIO, GatewaySms, TwilioSms
from lockbridge.platforms import PLATFORMS
from lockbridge.platforms.contract import Fetch, Platform
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
    texting: SmsChannel | None = None
    posting: PostingChannel | None = None
    providers: Mapping[str, ProviderSpec] | None = None
    platforms: Mapping[str, Platform] | None = None
    fetch: Fetch | None = None
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
    platforms = other.platforms or PLATFORMS
    accounts = ConnectedAccounts(
        lambda: other.providers or lock_app_kinds(),
        http_client,
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
        sources=ConnectedSources(
            platforms, http_client, lambda: other.fetch or GuardedFetch(), database, commit, vault, clock
        ),
        platforms=platforms,
        channel=channel,
        texting=other.texting or texting_of(settings, lambda: accounts.http, clock),
        posting=other.posting or SignedPostings(GuardedFetch().post),
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


def open_database(settings: Settings, *, gives_way: bool = False) -> Database:
    """The database of the settings; nothing is read or made yet. Raises ValueError for a URL that cannot be used."""
    return Database(settings.database.url, synchronous=settings.database.synchronous, gives_way=gives_way)


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


def texting_of(settings: Settings, http: "Callable[[], httpx.AsyncClient]", clock: Clock) -> SmsChannel | None:
    """Text messages as the settings say; None: none are sent. ``http`` is called when the first one is."""
    sms = settings.sms
    secret, seconds = sms.secret.get_secret_value(), sms.timeout_seconds
    match sms.gateway:
        case "twilio":
            return TwilioSms(
                http=http,
                now=clock.now,
                account=sms.twilio_account,
                secret=secret,
                sender=sms.sender,
                api_key=sms.twilio_api_key,
                base=sms.url or TWILIO,
                timeout=seconds,
            )
        case "http":
            return GatewaySms(
                http=http,
                now=clock.now,
                url=sms.url,
                body=sms.body,
                sender=sms.sender,
                method=sms.method,
                header=sms.secret_header,
                secret=secret,
                timeout=seconds,
            )
        case "print":
            return ConsoleSms(print)
        case "none":
            return None


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
        quiet=Quiet(
            time.fromisoformat(settings.messages.quiet_from), time.fromisoformat(settings.messages.quiet_until)
        ),
        per_stay_per_hour=settings.messages.per_stay_per_hour,
        message_domain=settings.messages.from_address.rpartition("@")[2].strip("> ") or "lockbridge.invalid",
        inbox_attempts=settings.inbox.max_attempts,
        pin_retention=timedelta(days=settings.retention.pin_days),
        guest_retention=timedelta(days=settings.retention.guest_days),
        public_url=settings.server.public_url or f"http://{settings.server.host}:{settings.server.port}",
    )


def lock_app_kinds() -> Mapping[str, ProviderSpec]:
    """Every lock app a host can connect, by its key."""
    from providers import PROVIDERS  # noqa: PLC0415 - 14 MB with httpx and aiohttp: who calls no lock app goes without

    return PROVIDERS


def http_client() -> "httpx.AsyncClient":
    """An HTTP client for those who call a lock app, a platform or an SMS gateway."""
    from lockbridge.outbound import client  # noqa: PLC0415 - as above

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
