"""What hosts connect: themselves, their properties, lock apps, matches, webhook addresses (R1, R3, R4, R47)."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from secrets import token_bytes, token_urlsafe
from typing import Any, TypeVar

from sqlalchemy import Connection

from lockbridge.contract import FoundLock, Grant, ProviderError, Unreachable
from lockbridge.domain.book import ended
from lockbridge.domain.ids import EndpointId, HostId, LockAppId, LockId, LockRef, PropertyId, SourceId
from lockbridge.domain.lock import Readback
from lockbridge.domain.messages import HostAlarm
from lockbridge.domain.observe import from_memory, observe
from lockbridge.domain.placement import Ended
from lockbridge.domain.plan import Plan, preview
from lockbridge.domain.settings import CodeSettings
from lockbridge.domain.stay import known_zone
from lockbridge.inbound import Hook
from lockbridge.signatures import standard_secret
from lockbridge.storage import accounts, codes, hosts, locks, readings, stays
from lockbridge.storage.accounts import StoredToken
from lockbridge.storage.hosts import LockAppRow, NewEndpoint
from lockbridge.storage.locks import LockRow
from lockbridge.storage.readings import Reading
from lockbridge.storage.rows import dump_capabilities
from lockbridge.workflows import alarms, backup, reservations, trouble
from lockbridge.workflows.ports import Tools, transact


class BadInput(ValueError):
    """What somebody asked for makes no sense; the message says what, where and what to do."""


@dataclass(frozen=True, slots=True)
class NewProperty:
    """A property to be added. Times of day are local."""

    name: str
    zone: str
    country: str | None = None
    check_in: str = "16:00"
    check_out: str = "11:00"
    settings: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """A new webhook address: the token and the secret are shown this once."""

    id: EndpointId
    platform: str
    token: str = field(repr=False)
    secret: str = field(repr=False)


LONGEST_NAME = 200
PATIENCE_SECONDS = 30
"""How long somebody waits for an account that is asked for its locks."""
T = TypeVar("T")


async def add_host(tools: Tools, name: str, email: str, now: datetime, *, language: str = "en") -> HostId:
    """Add a host. Raises BadInput for an e-mail address that cannot be one, or an empty name."""
    clean, address = clean_name(name, "the host's name"), checked_email(email)
    return await transact(tools, lambda c: hosts.add_host(c, tools.vault, clean, address, language, now))


def checked_email(email: str) -> str:
    """The address without spaces around it. Raises BadInput when it cannot be one."""
    address = email.strip()
    if "@" not in address.strip("@") or any(char.isspace() for char in address):
        msg = f"{address!r} is no e-mail address: write it like you@example.com"
        raise BadInput(msg)
    return address


def clean_name(name: str, what: str) -> str:
    """A name on one line. Raises BadInput, naming ``what``, when it is empty or too long."""
    clean = " ".join(name.split())
    if not clean or len(clean) > LONGEST_NAME:
        msg = f"{what} must have 1 to {LONGEST_NAME} characters, not {len(clean)}"
        raise BadInput(msg)
    return clean


async def add_property(
    tools: Tools, host: HostId, new: NewProperty, refs: Sequence[tuple[str, str]], now: datetime
) -> PropertyId:
    """Add a property and note how platforms name it; stays that came before get their property. Raises BadInput."""
    values = _checked(new)
    return await transact(tools, lambda c: _add_property(c, host, values, refs, now))


def _checked(new: NewProperty) -> dict[str, Any]:
    if not known_zone(new.zone):
        msg = f"{new.zone!r} is no time zone: write an IANA name such as America/New_York or Europe/Berlin"
        raise BadInput(msg)
    settings = dict(new.settings or {})
    try:
        CodeSettings().with_overrides(settings)
    except ValueError as error:
        msg = f"the settings make no sense: {error}"
        raise BadInput(msg) from error
    return {
        "name": clean_name(new.name, "the property's name"),
        "zone": new.zone,
        "country": new.country.upper() if new.country else None,
        "check_in": _time(new.check_in, "check-in"),
        "check_out": _time(new.check_out, "check-out"),
        "settings": settings,
    }


def _time(text: str, what: str) -> str:
    try:
        return time.fromisoformat(text).isoformat("minutes")
    except ValueError:
        msg = f"{text!r} is no time of day for {what}: write it like 16:00"
        raise BadInput(msg) from None


def _add_property(
    connection: Connection, host: HostId, values: Mapping[str, Any], refs: Sequence[tuple[str, str]], now: datetime
) -> PropertyId:
    property_id = hosts.add_property(connection, host, values, now)
    for platform, external_id in refs:
        reservations.name_property(connection, host, property_id, platform, external_id, now)
    return property_id


async def change_settings(
    tools: Tools, host: HostId, property_id: PropertyId, settings: Mapping[str, Any], now: datetime
) -> None:
    """Change a property's settings; its stays are planned again. Raises BadInput."""
    try:
        CodeSettings().with_overrides(settings)
    except ValueError as error:
        msg = f"the settings make no sense: {error}"
        raise BadInput(msg) from error
    await transact(tools, lambda c: _change_settings(c, tools, host, property_id, settings, now))


def _change_settings(
    connection: Connection,
    tools: Tools,
    host: HostId,
    property_id: PropertyId,
    settings: Mapping[str, Any],
    now: datetime,
) -> None:
    hosts.change_property(connection, host, property_id, {"settings": dict(settings)})
    stays.replan_properties(connection, [property_id], now)
    matched = [lock for _, lock in hosts.matches(connection, [property_id])]
    backup.replenish(connection, tools, matched, now)


async def add_lock_app(
    tools: Tools, host: HostId, provider: str, name: str, settings: Mapping[str, str], now: datetime
) -> tuple[LockAppId, list[LockRow]]:
    """Connect a lock app and list its locks. Raises ProviderError when it refuses us: then nothing is stored."""
    draft = LockAppRow(LockAppId(0), host, provider, name, hosts.Credentials(settings), "connected", None, None)
    driver, token = tools.accounts.draft(draft)
    found = await driver.list_locks()
    app = await transact(tools, lambda c: _add_lock_app(c, tools, draft, token.grant, now))
    return app, await _remember(tools, replace(draft, id=app), found, now)


def _add_lock_app(
    connection: Connection, tools: Tools, draft: LockAppRow, grant: Grant | None, now: datetime
) -> LockAppId:
    """Store an account, and the token that it was tried with: some can be fetched only once."""
    given = draft.settings
    app = hosts.add_lock_app(connection, tools.vault, draft.host, draft.provider, draft.name, given, now)
    if grant is not None:
        token = StoredToken(accounts.digest(given), grant)
        accounts.put_token(connection, tools.vault, accounts.of_lock_app(app), token)
    return app


async def reconnect(tools: Tools, app: LockAppRow, settings: Mapping[str, str], now: datetime) -> list[LockRow]:
    """Give a lock app other settings (a new password, say) and list its locks.

    Raises ProviderError when it refuses us: then the account stays as it was.
    """
    if settings == app.settings:
        return await sync_locks(tools, app, now)
    draft = replace(app, settings=hosts.Credentials(settings))
    driver, token = tools.accounts.draft(draft)
    found = await driver.list_locks()
    await transact(tools, lambda c: _change_and_reconnect(c, tools, draft, token.grant, now))
    return await _remember(tools, draft, found, now)


def _change_and_reconnect(
    connection: Connection, tools: Tools, app: LockAppRow, grant: Grant | None, now: datetime
) -> None:
    hosts.change_lock_app(connection, tools.vault, app.host, app.id, app.settings)
    if grant is not None:
        token = StoredToken(accounts.digest(app.settings), grant)
        accounts.put_token(connection, tools.vault, accounts.of_lock_app(app.id), token)
    _reconnected(connection, app, now)


async def sync_locks(tools: Tools, app: LockAppRow, now: datetime) -> list[LockRow]:
    """Ask a lock app for its locks and remember them; an account that answers counts as connected again.

    Raises ProviderError when it does not answer or refuses us; a refusal is told to the host once.
    """
    try:
        found = await tools.accounts.provider(app).list_locks()
    except ProviderError as error:
        if error.kind == "account_refused":
            reason = str(error)
            await transact(tools, lambda c: trouble.account_refused(c, app, reason, now))
        raise
    if app.state != "connected":
        await transact(tools, lambda c: _reconnected(c, app, now))
    return await _remember(tools, app, found, now)


def _reconnected(connection: Connection, app: LockAppRow, now: datetime) -> None:
    hosts.account_connected(connection, app.id, now)
    facts = {"lock_app_name": app.name, "since": alarms.moment(now)}
    over = HostAlarm.ACCOUNT_CONNECTED
    alarms.end(connection, app.host, HostAlarm.ACCOUNT_DISCONNECTED, f"account-{app.id}", now, over=over, facts=facts)


async def _remember(tools: Tools, app: LockAppRow, found: Sequence[FoundLock], now: datetime) -> list[LockRow]:
    return await transact(tools, lambda c: _remember_locks(c, app, found, now))


def _remember_locks(
    connection: Connection, app: LockAppRow, found: Sequence[FoundLock], now: datetime
) -> list[LockRow]:
    known = {row.ref: row for row in locks.of_app(connection, app.id)}
    for lock in found:
        values = {
            "host_id": app.host,
            "lock_app_id": app.id,
            "ref": lock.ref,
            "name": lock.name,
            "capabilities": dump_capabilities(lock.capabilities),
            "online": lock.status.online,
            "battery": lock.status.battery,
            "missing": False,
            "next_at": now,
        }
        key = locks.upsert_lock(connection, values)
        _remember_status(connection, app, key, lock, known.get(lock.ref), now)
        if lock.ref in known and known[lock.ref].capabilities != lock.capabilities:
            stays.replan_properties(connection, hosts.properties_of_lock(connection, key), now)
    _doubt(connection, app, [lock.ref for lock in found if not lock.status.online], now)
    return locks.of_app(connection, app.id)


def _doubt(connection: Connection, app: LockAppRow, refs: Sequence[LockRef], now: datetime) -> None:
    """A lock that is listed as offline, and was not known to be, is looked at now: whoever arrives there must know."""
    news = [row.ref for row in locks.of_app(connection, app.id) if row.ref in refs and row.offline_since is None]
    if news:
        locks.look_soon(connection, app.id, news, now)


def _remember_status(
    connection: Connection, app: LockAppRow, key: LockId, found: FoundLock, before: LockRow | None, now: datetime
) -> None:
    """Keep how the lock is, where that is news: for its chart."""
    status = found.status
    if before is None or (before.online, before.battery) != (status.online, status.battery):
        held = before.seen_count if before else None
        readings.note(connection, [Reading(key, app.host, now, status.online, status.battery, held)])


async def match(tools: Tools, host: HostId, property_id: PropertyId, lock: LockId, now: datetime) -> bool:
    """Match a lock with a property: codes for all its coming stays, and backups (R1, R3, R25). False: were matched."""
    return await transact(tools, lambda c: match_in(c, tools, host, property_id, lock, now))


def match_in(
    connection: Connection, tools: Tools, host: HostId, property_id: PropertyId, lock: LockId, now: datetime
) -> bool:
    """:func:`match`, in the caller's transaction."""
    _known(connection, host, property_id, lock)
    if not hosts.match(connection, host, property_id, lock):
        return False
    stays.replan_properties(connection, [property_id], now)
    backup.replenish(connection, tools, [lock], now)
    return True


async def unmatch(tools: Tools, host: HostId, property_id: PropertyId, lock: LockId, now: datetime) -> bool:
    """Take a lock from a property: what lockbridge made for it comes off (R4). False: they were not matched."""
    return await transact(tools, lambda c: unmatch_in(c, tools, host, property_id, lock, now))


def unmatch_in(
    connection: Connection, tools: Tools, host: HostId, property_id: PropertyId, lock: LockId, now: datetime
) -> bool:
    """:func:`unmatch`, in the caller's transaction."""
    _known(connection, host, property_id, lock)
    if not hosts.unmatch(connection, host, property_id, lock):
        return False
    stays.replan_properties(connection, [property_id], now)
    backup.replenish(connection, tools, [lock], now)
    if not hosts.properties_of_lock(connection, lock):
        _take_all_off(connection, tools, host, lock, now)
    return True


def _take_all_off(connection: Connection, tools: Tools, host: HostId, lock: LockId, now: datetime) -> None:
    """The lock belongs to no property any more: everything of ours comes off it (R4)."""
    ours = locks.live_placements(connection, tools.vault, lock)
    codes.rewish(connection, tools.vault, host, [ended(placement, Ended.UNMATCHED, now) for placement in ours])
    locks.poke_locks(connection, [lock], now)


def _known(connection: Connection, host: HostId, property_id: PropertyId, lock: LockId) -> None:
    place = hosts.properties(connection, [property_id]).get(property_id)
    if place is None or place.host != host:
        msg = f"this host has no property {property_id}: `lockbridge property list` shows them"
        raise BadInput(msg)
    if locks.get_lock(connection, host, lock) is None:
        msg = f"this host has no lock {lock}: `lockbridge lock list` shows them"
        raise BadInput(msg)


async def add_address(
    tools: Tools, host: HostId, platform: str, secret: str | None, now: datetime, *, source: SourceId | None = None
) -> Address:
    """Make a webhook address for a platform; without a secret one is drawn. Raises BadInput.

    ``source`` is the connected account whose webhooks are to come there.
    """
    known = tools.platforms.get(platform)
    if known is None or known.hook is None:
        able = sorted(key for key, each in tools.platforms.items() if each.hook)
        msg = f"{platform!r} is no booking platform that sends webhooks: one of {', '.join(able)}"
        raise BadInput(msg)
    return await _address(tools, host, known.hook, secret, now, source=source)


async def add_hook(tools: Tools, app: LockAppRow, secret: str | None, now: datetime) -> Address:
    """Make the address to which a lock app's cloud sends its webhooks; without a secret one is drawn.

    Raises BadInput when this kind of lock app sends none, or the secret cannot be used.
    """
    hook = tools.accounts.hooks.get(app.provider)
    if hook is None:
        msg = f"{app.name} sends no webhooks: its locks are looked at in turn"
        raise BadInput(msg)
    return await _address(tools, app.host, hook, secret, now, app=app.id)


async def _address(
    tools: Tools,
    host: HostId,
    hook: Hook[Any],
    secret: str | None,
    now: datetime,
    *,
    app: LockAppId | None = None,
    source: SourceId | None = None,
) -> Address:
    token = token_urlsafe(24)
    chosen = token if hook.secret_is_address else secret or _drawn(hook)
    if problem := hook.secret_problem(chosen):
        msg = f"the secret cannot be used: {problem}"
        raise BadInput(msg)
    new = NewEndpoint(host, hook.key, hosts.token_hash(token), chosen, app, source)
    key = await transact(tools, lambda c: hosts.add_endpoint(c, tools.vault, new, now))
    return Address(key, hook.key, token, chosen)


def _drawn(hook: Hook[Any]) -> str:
    """A new secret of the form that the sender takes."""
    return f"lockbridge:{token_urlsafe(24)}" if hook.secret_is_login else standard_secret(token_bytes(32))


async def preview_lock(tools: Tools, host: HostId, lock: LockId, now: datetime) -> tuple[LockRow, Plan]:
    """What would be done to a lock now and in the end, without doing it (R47). Raises ProviderError, BadInput."""
    row, app, placements = await tools.database.ask(_load_for_preview, tools, host, lock)
    provider = tools.accounts.provider(app)
    if row.capabilities.readback is Readback.NONE:
        observation = from_memory(placements, now)
    else:
        async with tools.accounts.gate(app):
            observation = observe(placements, await provider.list_codes(row.ref))
    return row, preview(row.capabilities, placements, observation, now)


def _load_for_preview(connection: Connection, tools: Tools, host: HostId, lock: LockId) -> Any:
    row = locks.get_lock(connection, host, lock)
    if row is None:
        msg = f"this host has no lock {lock}: `lockbridge lock list` shows them"
        raise BadInput(msg)
    app = hosts.lock_apps(connection, tools.vault, [row.app])[row.app]
    return row, app, locks.live_placements(connection, tools.vault, lock)


async def test_account(tools: Tools, app: LockAppRow) -> str:
    """Whether an account answers, in one plain sentence. Raises ProviderError when it does not."""
    async with asyncio.timeout(30):
        found = await tools.accounts.provider(app).list_locks()
    offline = sum(1 for lock in found if not lock.status.online)
    return f"{app.name} answers: {len(found)} locks" + (f", {offline} of them offline" if offline else "")


async def in_time(asking: Awaitable[T], name: str) -> T:
    """What the lock app answers, within half a minute. Raises Unreachable after that."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asking
    except TimeoutError:
        msg = f"{name} did not answer within {PATIENCE_SECONDS} s: try again later"
        raise Unreachable(msg) from None
