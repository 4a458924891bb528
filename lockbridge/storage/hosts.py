"""Questions about hosts and what they connected: properties, lock apps, matches, webhook addresses."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, time
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.domain.book import PropertyFacts
from lockbridge.domain.ids import EndpointId, HostId, LockAppId, LockId, PropertyId, SourceId
from lockbridge.domain.lock import Lock
from lockbridge.domain.settings import CodeSettings
from lockbridge.storage.rows import open_json, seal_json
from lockbridge.storage.tables import ENDPOINT, HOST, LOCK, LOCK_APP, MATCH, PROPERTY, PROPERTY_REF
from lockbridge.storage.types import IDS
from lockbridge.storage.vault import Vault

EMAIL = "host e-mail"
SECRET = "webhook secret"  # noqa: S105 - the name of a context
CREDENTIALS = "lock-app settings"
HOOK = "host hook"
GUESTS = "host guest page"


@dataclass(frozen=True, slots=True)
class HostHook:
    """Where a host wants to be told by webhook, and what it is signed with; neither shows itself."""

    url: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host. ``settings`` are overrides of the product's defaults."""

    id: HostId
    name: str
    email: str | None
    language: str
    settings: Mapping[str, Any]
    hook: HostHook | None = None
    is_demo: bool = False


@dataclass(frozen=True, slots=True)
class PropertyRow:
    """A property. Times of day are local, ``HH:MM``."""

    id: PropertyId
    host: HostId
    name: str
    zone: str
    country: str | None
    check_in: str
    check_out: str
    settings: Mapping[str, Any]
    address: str | None = None
    arrival_note: str | None = None
    language: str | None = None
    """In which its guests are written to where neither they nor a rule say another."""

    @property
    def usual_times(self) -> tuple[time, time]:
        """Check-in and check-out of a stay that says nothing else."""
        return time.fromisoformat(self.check_in), time.fromisoformat(self.check_out)

    def facts(self, defaults: CodeSettings, locks: tuple[Lock, ...]) -> PropertyFacts:
        """The property as booking sees it; ``defaults`` are the host's settings."""
        return PropertyFacts(
            self.id,
            self.zone,
            self.country,
            *self.usual_times,
            defaults.with_overrides(self.settings),
            locks,
        )


@dataclass(frozen=True, slots=True)
class LockAppRow:
    """A connected lock-app account with its opened credentials (never shown by ``repr``)."""

    id: LockAppId
    host: HostId
    provider: str
    name: str
    settings: "Credentials"
    state: str
    state_detail: str | None
    blocked_until: datetime | None


class Credentials(dict[str, str]):
    """A host's answers to a lock app's form; its ``repr`` shows the names only."""

    def __repr__(self) -> str:
        return f"Credentials({', '.join(self)})"


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """A webhook address. ``secret`` is what its platform signs with."""

    id: EndpointId
    host: HostId
    platform: str
    secret: "Secret"
    app: LockAppId | None = None
    """The lock-app account whose webhooks come here; None: a booking platform's."""


class Secret(str):
    """A string that does not show itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class GuestHelp:
    """Whom guests may turn to, as their page says, and whether they may have the door opened from there."""

    contact_name: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    note: str = field(default="", repr=False)
    may_open: bool = False
    """While the stay is on, where the lock app can."""


def add_host(connection: Connection, vault: Vault, name: str, email: str, language: str, now: datetime) -> HostId:
    """Store a new host."""
    values = {"name": name, "email_sealed": vault.seal(email, EMAIL), "language": language, "settings": {}}
    return HostId(connection.execute(insert(HOST).values(**values, created_at=now).returning(HOST.c.id)).scalar_one())


def get_host(connection: Connection, vault: Vault, host: HostId) -> HostRow | None:
    """One host."""
    row = connection.execute(select(HOST).where(HOST.c.id == host)).one_or_none()
    return _host(row, vault) if row else None


def all_hosts(connection: Connection, vault: Vault) -> list[HostRow]:
    """Every host: for the operator's commands and the ticks that work through all of them."""
    return [_host(row, vault) for row in connection.execute(select(HOST).order_by(HOST.c.id))]


def _host(row: Row[Any], vault: Vault) -> HostRow:
    email = vault.open(row.email_sealed, EMAIL) if row.email_sealed else None
    hook = HostHook(**open_json(vault, row.hook_sealed, HOOK)) if row.hook_sealed else None
    return HostRow(HostId(row.id), row.name, email, row.language, row.settings, hook, row.is_demo)


def set_hook(connection: Connection, vault: Vault, host: HostId, hook: HostHook | None) -> None:
    """Where the host is told by webhook from now on; None: nowhere."""
    sealed = None if hook is None else seal_json(vault, {"url": hook.url, "secret": hook.secret}, HOOK)
    connection.execute(update(HOST).where(HOST.c.id == host).values(hook_sealed=sealed))


def hook_of(connection: Connection, vault: Vault, host: HostId) -> HostHook | None:
    """Where the host wants to be told by webhook; None: nowhere."""
    sealed = connection.execute(select(HOST.c.hook_sealed).where(HOST.c.id == host)).scalar_one_or_none()
    return HostHook(**open_json(vault, sealed, HOOK)) if sealed else None


def languages(connection: Connection, hosts: Collection[HostId]) -> dict[HostId, str]:
    """What these hosts speak with guests whose own language is not known."""
    found = connection.execute(select(HOST.c.id, HOST.c.language).where(HOST.c.id.in_(hosts)))
    return {HostId(row.id): row.language for row in found}


def has_hook(connection: Connection, host: HostId) -> bool:
    """Whether the host wants to be told by webhook, too."""
    wants = select(HOST.c.hook_sealed.is_not(None)).where(HOST.c.id == host)
    return bool(connection.execute(wants).scalar_one_or_none())


def set_host_settings(connection: Connection, host: HostId, settings: Mapping[str, Any]) -> None:
    """Replace a host's overrides."""
    connection.execute(update(HOST).where(HOST.c.id == host).values(settings=dict(settings)))


def change_host(connection: Connection, vault: Vault, host: HostId, name: str, email: str, language: str) -> None:
    """Give a host another name, address for alarms, or language."""
    values = {"name": name, "email_sealed": vault.seal(email, EMAIL), "language": language}
    connection.execute(update(HOST).where(HOST.c.id == host).values(**values))


def guest_help(connection: Connection, vault: Vault, host: HostId) -> GuestHelp:
    """What the host's guests are told on their page; all empty until the host has said something."""
    sealed = connection.execute(select(HOST.c.guests_sealed).where(HOST.c.id == host)).scalar_one_or_none()
    return GuestHelp(**open_json(vault, sealed, GUESTS)) if sealed else GuestHelp()


def set_guest_help(connection: Connection, vault: Vault, host: HostId, given: GuestHelp) -> None:
    """What the host's guests are told from now on."""
    sealed = seal_json(vault, asdict(given), GUESTS)
    connection.execute(update(HOST).where(HOST.c.id == host).values(guests_sealed=sealed))


def alarms_off(connection: Connection, host: HostId) -> frozenset[str]:
    """The kinds of alarm the host wants no e-mail about."""
    said = connection.execute(select(HOST.c.alarms_off).where(HOST.c.id == host)).scalar_one_or_none()
    return frozenset((said or {}).get("off", ()))


def set_alarms_off(connection: Connection, host: HostId, kinds: Collection[str]) -> None:
    """Which kinds of alarm the host wants no e-mail about from now on."""
    connection.execute(update(HOST).where(HOST.c.id == host).values(alarms_off={"off": sorted(kinds)}))


def add_property(connection: Connection, host: HostId, values: Mapping[str, Any], now: datetime) -> PropertyId:
    """Store a new property of a host: ``name, zone, country, check_in, check_out, settings``."""
    statement = insert(PROPERTY).values(host_id=host, created_at=now, **values).returning(PROPERTY.c.id)
    return PropertyId(connection.execute(statement).scalar_one())


def change_property(connection: Connection, host: HostId, property_id: PropertyId, values: Mapping[str, Any]) -> None:
    """Change some of a property's columns."""
    mine = (PROPERTY.c.host_id == host, PROPERTY.c.id == property_id)
    connection.execute(update(PROPERTY).where(*mine).values(**values))


def add_property_ref(
    connection: Connection, host: HostId, property_id: PropertyId, platform: str, external_id: str
) -> None:
    """Note how a platform names a property; a second note of the same name moves it."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(PROPERTY_REF).values(
        host_id=host, property_id=property_id, platform=platform, external_id=external_id
    )
    same_name = ["host_id", "platform", "external_id"]
    connection.execute(
        statement.on_conflict_do_update(index_elements=same_name, set_={"property_id": statement.excluded.property_id})
    )


def drop_property_ref(
    connection: Connection, host: HostId, property_id: PropertyId, platform: str, external_id: str
) -> bool:
    """Forget how a platform names a property; stays that came keep it. False when it is not named so."""
    mine = (PROPERTY_REF.c.host_id == host, PROPERTY_REF.c.property_id == property_id)
    named = (PROPERTY_REF.c.platform == platform, PROPERTY_REF.c.external_id == external_id)
    return connection.execute(delete(PROPERTY_REF).where(*mine, *named)).rowcount == 1


def find_property(connection: Connection, host: HostId, platform: str, external_id: str) -> PropertyId | None:
    """The host's property that the platform names so."""
    found = connection.execute(
        select(PROPERTY_REF.c.property_id).where(
            PROPERTY_REF.c.host_id == host,
            PROPERTY_REF.c.platform == platform,
            PROPERTY_REF.c.external_id == external_id,
        )
    ).scalar_one_or_none()
    return None if found is None else PropertyId(found)


_PROPERTIES = select(PROPERTY).where(PROPERTY.c.id.in_(IDS))


def properties(connection: Connection, ids: Collection[PropertyId]) -> dict[PropertyId, PropertyRow]:
    """These properties, by id."""
    return {PropertyId(row.id): _property(row) for row in connection.execute(_PROPERTIES, {"_ids": list(ids)})}


def properties_of_host(connection: Connection, host: HostId) -> list[PropertyRow]:
    """All properties of a host, by name."""
    mine = select(PROPERTY).where(PROPERTY.c.host_id == host).order_by(PROPERTY.c.name, PROPERTY.c.id)
    return [_property(row) for row in connection.execute(mine)]


def guard_properties(connection: Connection, ids: Collection[PropertyId]) -> None:
    """Keep other processes from planning the stays of these properties until this transaction ends."""
    guarded = select(PROPERTY.c.id).where(PROPERTY.c.id.in_(ids)).order_by(PROPERTY.c.id)
    connection.execute(guarded.with_for_update(key_share=True)).all()


def refs_of_host(connection: Connection, host: HostId) -> list[tuple[PropertyId, str, str]]:
    """How the platforms name a host's properties: property, platform, external id."""
    mine = select(PROPERTY_REF).where(PROPERTY_REF.c.host_id == host).order_by(PROPERTY_REF.c.id)
    return [(PropertyId(row.property_id), row.platform, row.external_id) for row in connection.execute(mine)]


def _property(row: Row[Any]) -> PropertyRow:
    return PropertyRow(
        PropertyId(row.id),
        HostId(row.host_id),
        row.name,
        row.zone,
        row.country,
        row.check_in,
        row.check_out,
        row.settings,
        row.address,
        row.arrival_note,
        row.language,
    )


_SETTINGS = select(HOST.c.id, HOST.c.settings).where(HOST.c.id.in_(IDS))


def host_settings(connection: Connection, hosts: Collection[HostId]) -> dict[HostId, Mapping[str, Any]]:
    """These hosts' overrides."""
    return {HostId(row.id): row.settings for row in connection.execute(_SETTINGS, {"_ids": list(hosts)})}


def match(connection: Connection, host: HostId, property_id: PropertyId, lock: LockId) -> bool:
    """Match a lock with a property (R1), as its last door. False when they were matched already."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    last = select(func.coalesce(func.max(MATCH.c.position), 0) + 1).where(MATCH.c.property_id == property_id)
    values = {"host_id": host, "property_id": property_id, "lock_id": lock, "position": last.scalar_subquery()}
    statement = dialect.insert(MATCH).values(**values)
    return connection.execute(statement.on_conflict_do_nothing().returning(MATCH.c.lock_id)).first() is not None


def unmatch(connection: Connection, host: HostId, property_id: PropertyId, lock: LockId) -> bool:
    """Take a lock from a property. False when they were not matched."""
    mine = (MATCH.c.host_id == host, MATCH.c.property_id == property_id, MATCH.c.lock_id == lock)
    return connection.execute(delete(MATCH).where(*mine)).rowcount == 1


def matches(connection: Connection, property_ids: Collection[PropertyId]) -> list[tuple[PropertyId, LockId]]:
    """Which locks open these properties, in the order in which a guest comes to the doors."""
    found = connection.execute(
        select(MATCH.c.property_id, MATCH.c.lock_id)
        .where(MATCH.c.property_id.in_(property_ids))
        .order_by(MATCH.c.property_id, MATCH.c.position, MATCH.c.lock_id)
    )
    return [(PropertyId(row.property_id), LockId(row.lock_id)) for row in found]


def matches_of_host(connection: Connection, host: HostId) -> list[tuple[PropertyId, LockId]]:
    """Which locks open which properties of a host, in the order in which a guest comes to the doors."""
    mine = select(MATCH.c.property_id, MATCH.c.lock_id).where(MATCH.c.host_id == host)
    found = connection.execute(mine.order_by(MATCH.c.property_id, MATCH.c.position, MATCH.c.lock_id))
    return [(PropertyId(row.property_id), LockId(row.lock_id)) for row in found]


def order_doors(connection: Connection, host: HostId, property_id: PropertyId, doors: Sequence[LockId]) -> None:
    """Note in which order a guest comes to the locks of a property."""
    for position, lock in enumerate(doors, 1):
        mine = (MATCH.c.host_id == host, MATCH.c.property_id == property_id, MATCH.c.lock_id == lock)
        connection.execute(update(MATCH).where(*mine).values(position=position))


def way_in(connection: Connection, property_id: PropertyId) -> tuple[str, str]:
    """A property's address, and how to find its door; empty where the host has said nothing."""
    found = select(PROPERTY.c.address, PROPERTY.c.arrival_note).where(PROPERTY.c.id == property_id)
    row = connection.execute(found).one()
    return row.address or "", row.arrival_note or ""


def door_order(connection: Connection, property_id: PropertyId) -> dict[LockId, int]:
    """The locks that open a property, each with its place on the guest's way."""
    found = select(MATCH.c.lock_id, MATCH.c.position).where(MATCH.c.property_id == property_id)
    return {LockId(row.lock_id): row.position for row in connection.execute(found)}


def properties_of_lock(connection: Connection, lock: LockId) -> list[PropertyId]:
    """The properties this lock opens."""
    return [PropertyId(row.property_id) for row in connection.execute(select(MATCH).where(MATCH.c.lock_id == lock))]


def add_lock_app(
    connection: Connection,
    vault: Vault,
    host: HostId,
    provider: str,
    name: str,
    settings: Mapping[str, str],
    now: datetime,
) -> LockAppId:
    """Store a connected account, its credentials sealed."""
    sealed = seal_json(vault, settings, CREDENTIALS)
    values = {"host_id": host, "provider": provider, "name": name, "settings_sealed": sealed, "created_at": now}
    return LockAppId(connection.execute(insert(LOCK_APP).values(**values).returning(LOCK_APP.c.id)).scalar_one())


def change_lock_app(
    connection: Connection, vault: Vault, host: HostId, app: LockAppId, settings: Mapping[str, str]
) -> None:
    """Replace an account's credentials."""
    mine = (LOCK_APP.c.host_id == host, LOCK_APP.c.id == app)
    sealed = seal_json(vault, settings, CREDENTIALS)
    connection.execute(update(LOCK_APP).where(*mine).values(settings_sealed=sealed))


def rename_lock_app(connection: Connection, host: HostId, app: LockAppId, name: str) -> None:
    """Call an account something else."""
    connection.execute(update(LOCK_APP).where(LOCK_APP.c.host_id == host, LOCK_APP.c.id == app).values(name=name))


_LOCK_APPS = select(LOCK_APP).where(LOCK_APP.c.id.in_(IDS))


def lock_apps(connection: Connection, vault: Vault, ids: Collection[LockAppId]) -> dict[LockAppId, LockAppRow]:
    """These accounts, by id."""
    return {LockAppId(row.id): _lock_app(row, vault) for row in connection.execute(_LOCK_APPS, {"_ids": list(ids)})}


def lock_apps_of_host(connection: Connection, vault: Vault, host: HostId) -> list[LockAppRow]:
    """All accounts of a host."""
    mine = select(LOCK_APP).where(LOCK_APP.c.host_id == host).order_by(LOCK_APP.c.id)
    return [_lock_app(row, vault) for row in connection.execute(mine)]


def _lock_app(row: Row[Any], vault: Vault) -> LockAppRow:
    return LockAppRow(
        LockAppId(row.id),
        HostId(row.host_id),
        row.provider,
        row.name,
        Credentials(open_json(vault, row.settings_sealed, CREDENTIALS)),
        row.state,
        row.state_detail,
        row.blocked_until,
    )


def block_account(connection: Connection, app: LockAppId, until: datetime) -> None:
    """No calls to this account before ``until`` (R22, rate limits)."""
    connection.execute(update(LOCK_APP).where(LOCK_APP.c.id == app).values(blocked_until=until))


def account_needs_person(connection: Connection, app: LockAppId, detail: str) -> None:
    """No calls to this account until the host reconnected it (R22)."""
    values = {"state": "needs_person", "state_detail": detail}
    connection.execute(update(LOCK_APP).where(LOCK_APP.c.id == app).values(**values))


def account_connected(connection: Connection, app: LockAppId, now: datetime) -> None:
    """The account answers again: its locks are looked after at once."""
    values = {"state": "connected", "state_detail": None, "blocked_until": None}
    connection.execute(update(LOCK_APP).where(LOCK_APP.c.id == app).values(**values))
    connection.execute(
        update(LOCK).where(LOCK.c.lock_app_id == app, LOCK.c.lease.is_(None)).values(next_at=now, hold_until=None)
    )


def token_hash(token: str) -> bytes:
    """Under which a webhook address's token is stored."""
    return sha256(token.encode()).digest()


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """A webhook address to be stored; of its token only the hash. ``app``: for a lock app's webhooks.

    ``source``: the platform account whose webhooks come there, where its API is connected.
    """

    host: HostId
    platform: str
    token_hash: bytes
    secret: str = field(repr=False)
    app: LockAppId | None = None
    source: SourceId | None = None


def add_endpoint(connection: Connection, vault: Vault, new: NewEndpoint, now: datetime) -> EndpointId:
    """Store a webhook address."""
    values = {
        "host_id": new.host,
        "lock_app_id": new.app,
        "source_id": new.source,
        "platform": new.platform,
        "token_hash": new.token_hash,
        "secret_sealed": vault.seal(new.secret, SECRET),
        "created_at": now,
    }
    return EndpointId(connection.execute(insert(ENDPOINT).values(**values).returning(ENDPOINT.c.id)).scalar_one())


def find_endpoint(connection: Connection, vault: Vault, token_hash: bytes) -> EndpointRow | None:
    """The webhook address with this token."""
    row = connection.execute(select(ENDPOINT).where(ENDPOINT.c.token_hash == token_hash)).one_or_none()
    if row is None:
        return None
    secret = Secret(vault.open(row.secret_sealed, SECRET) if row.secret_sealed else "")
    app = LockAppId(row.lock_app_id) if row.lock_app_id is not None else None
    return EndpointRow(EndpointId(row.id), HostId(row.host_id), row.platform, secret, app)


def app_of_endpoint(connection: Connection, endpoint: EndpointId) -> LockAppId | None:
    """The lock-app account whose webhooks come to this address."""
    return connection.execute(select(ENDPOINT.c.lock_app_id).where(ENDPOINT.c.id == endpoint)).scalar_one_or_none()


def endpoints_of_host(connection: Connection, host: HostId) -> list[tuple[EndpointId, str, datetime]]:
    """A host's addresses for booking platforms without what is secret in them: id, platform, since when."""
    mine = select(ENDPOINT).where(ENDPOINT.c.host_id == host, ENDPOINT.c.lock_app_id.is_(None)).order_by(ENDPOINT.c.id)
    return [(EndpointId(row.id), row.platform, row.created_at) for row in connection.execute(mine)]


def endpoints_of_app(connection: Connection, host: HostId, app: LockAppId) -> list[datetime]:
    """Since when a lock app's cloud has had each of its addresses for webhooks."""
    mine = select(ENDPOINT.c.created_at).where(ENDPOINT.c.host_id == host, ENDPOINT.c.lock_app_id == app)
    return list(connection.execute(mine.order_by(ENDPOINT.c.id)).scalars())
