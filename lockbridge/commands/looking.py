"""``lockbridge migrate`` and ``lockbridge doctor``."""

import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

import typer
from sqlalchemy import Connection

from lockbridge import log
from lockbridge.bootstrap import channel_of, http_client, open_database, services, texting_of, vault_of
from lockbridge.clock import SystemClock, use_packaged_time_zones
from lockbridge.commands.exits import WRONG
from lockbridge.commands.session import JsonOption, settings_of
from lockbridge.commands.show import as_json, moment, say, table
from lockbridge.config import Origin, Settings, origins, unknown_variables
from lockbridge.contract import ProviderError
from lockbridge.domain.retry import healthcheck_slot, next_healthcheck
from lockbridge.messaging.channel import SendError
from lockbridge.messaging.email import Mailer
from lockbridge.messaging.sms import TwilioSms
from lockbridge.services import Services
from lockbridge.storage import database as databases
from lockbridge.storage import hosts, journal, keys, sources
from lockbridge.storage.database import Database, SchemaError, StorageUnavailable, check_schema, schema_revision
from lockbridge.storage.figures import figures
from lockbridge.storage.sources import SourceRow
from lockbridge.storage.vault import Vault, VaultError
from lockbridge.workflows import connect, healthcheck


def migrate(context: typer.Context) -> None:
    """Bring the database to this version; it is made when there is none. Nothing is half done when it fails."""
    settings = settings_of(context)
    database = open_database(settings)
    if database.file is not None:
        database.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    applied = databases.migrate(settings.database.url)
    done = f"applied {', '.join(applied)}" if applied else "nothing to do, it has this version's schema"
    say(f"{database.where}: {done}")


class Verdict(StrEnum):
    """What a check came to."""

    FINE = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    what: str
    verdict: Verdict
    words: str


def doctor(context: typer.Context, json: JsonOption = False) -> None:
    """Look at the settings and where they come from, the database, the key, the daily check, mail, texts and lock apps.

    Exit code 1 when something is wrong. Secrets are not shown.
    """
    settings = settings_of(context)
    log.set_up("error", settings.log.format)
    checks = asyncio.run(_checks(settings))
    if json:
        as_json({"settings": [asdict(each) for each in origins(settings)], "checks": [asdict(each) for each in checks]})
    else:
        table([_setting(each) for each in origins(settings)], empty="")
        say("")
        table([asdict(each) for each in checks], empty="")
    if any(check.verdict is Verdict.WRONG for check in checks):
        raise typer.Exit(WRONG)


def _setting(origin: Origin) -> dict[str, str]:
    return {"setting": origin.setting, "value": origin.value, "from": origin.origin}


async def _checks(settings: Settings) -> list[Check]:
    found = [Check("environment", Verdict.NOTE, warning) for warning in unknown_variables()]
    found.append(Check("time zones", Verdict.FINE, f"rules of tzdata {use_packaged_time_zones()}"))
    stored = list(_stored(settings))
    found += stored
    found += [await _mail(settings), await _texts(settings)]
    if all(check.verdict is Verdict.FINE for check in stored):
        async with services(settings) as built:
            found += [await _daily(built), *await _figures(built), *await _lock_apps(built)]
            found += await _sources(built)
    return found


def _stored(settings: Settings) -> Iterator[Check]:
    database = open_database(settings)
    try:
        check_schema(database)
        yield Check("database", Verdict.FINE, f"{database.where} answers, schema {schema_revision(database)}")
        yield Check("key", Verdict.FINE, _key(settings, database))
    except VaultError as error:
        yield Check("key", Verdict.WRONG, str(error))
    except (SchemaError, StorageUnavailable) as error:
        yield Check("database", Verdict.WRONG, str(error))
    finally:
        database.dispose()


def _key(settings: Settings, database: Database) -> str:
    with database.read() as connection:
        if keys.is_new(connection) and not settings.secrets.key_file.exists():
            return "there is none yet; it is made when the first host is added"
        vault = vault_of(settings, create=False)
        keys.check_keys(connection, vault)
    return f"{', '.join(vault.ring.ids)} opens what is stored"


async def _mail(settings: Settings) -> Check:
    channel = channel_of(settings)
    if not isinstance(channel, Mailer):
        return Check("mail", Verdict.NOTE, "smtp.host is not set: e-mails are printed, not sent")
    where = f"{settings.smtp.host}, port {settings.smtp.port}"
    try:
        await channel.check()
    except SendError as error:
        return Check("mail", Verdict.WRONG, f"{where}: {error}")
    return Check("mail", Verdict.FINE, f"{where}: lets us in")


_UNTRIED = {
    "none": "sms.gateway is none: no text messages are sent",
    "print": "sms.gateway is print: text messages are printed, not sent",
    "http": "the gateway is tried by the first text message only",
}


async def _texts(settings: Settings) -> Check:
    gateway = settings.sms.gateway
    if gateway in _UNTRIED:
        return Check("text messages", Verdict.NOTE, _UNTRIED[gateway])
    async with http_client() as http:
        channel = texting_of(settings, lambda: http, SystemClock())
        try:
            words = await channel.check() if isinstance(channel, TwilioSms) else ""
        except SendError as error:
            return Check("text messages", Verdict.WRONG, f"{gateway}: {error}")
    return Check("text messages", Verdict.FINE, f"{gateway}: {words}")


async def _daily(built: Services) -> Check:
    now = built.clock.now()
    last = await built.database.ask(journal.last_run, healthcheck.RUN)
    coming = f"the next is at {moment(next_healthcheck(now))}"
    if last is None:
        return Check("daily check", Verdict.NOTE, f"it has never run: start 'lockbridge serve' or 'worker'; {coming}")
    words = f"the last was taken at {moment(last.taken_at)}, {coming}"
    if last.scheduled_for < healthcheck_slot(now):
        return Check("daily check", Verdict.WRONG, f"no worker runs: {words}")
    return Check("daily check", Verdict.FINE, words)


async def _figures(built: Services) -> list[Check]:
    found = await built.database.ask(figures, built.clock.now())
    dead, alarms = found.webhooks.get("dead", 0), sum(found.alarms.values())
    waiting = f"{found.webhooks.get('waiting', 0)} webhooks, {found.stays_to_plan} stays, {found.locks_due} locks wait"
    checks = [Check("work", Verdict.FINE, waiting)]
    if dead:
        checks.append(
            Check("inbox", Verdict.WRONG, f"{dead} webhooks were given up: lockbridge inbox list --state dead")
        )
    if alarms:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.alarms.items()))
        checks.append(Check("alarms", Verdict.NOTE, f"open: {kinds}"))
    return checks


async def _lock_apps(built: Services) -> list[Check]:
    every = await built.database.ask(hosts.all_hosts, built.vault)
    accounts = [
        app for host in every for app in await built.database.ask(hosts.lock_apps_of_host, built.vault, host.id)
    ]
    return [await _lock_app(connect.test_account(built, app), f"lock app {app.id}") for app in accounts]


async def _lock_app(asking: Awaitable[str], what: str) -> Check:
    try:
        return Check(what, Verdict.FINE, await asking)
    except ProviderError as error:
        return Check(what, Verdict.WRONG, str(error))
    except TimeoutError:
        return Check(what, Verdict.WRONG, "it did not answer in time")


async def _sources(built: Services) -> list[Check]:
    """How reading the platforms and calendars goes; they are not asked for this: their vendors count the calls."""
    rows = await built.database.ask(_all_sources, built.vault)
    return [_source(row) for row in rows]


def _all_sources(connection: Connection, vault: Vault) -> list[SourceRow]:
    every = hosts.all_hosts(connection, vault)
    return [row for host in every for row in sources.of_host(connection, vault, host.id)]


def _source(row: SourceRow) -> Check:
    name, read = f"source {row.id}", f"last read at {moment(row.read_at)}" if row.read_at else "not read yet"
    if row.state != sources.CONNECTED:
        advice = f"lockbridge platform reconnect {row.id}"
        return Check(name, Verdict.WRONG, f"{row.name} has to be connected again ({row.state_detail}): {advice}")
    if row.failures:
        return Check(name, Verdict.WRONG, f"{row.name} cannot be read ({row.state_detail}), {read}")
    return Check(name, Verdict.FINE, f"{row.name}: {read}")
