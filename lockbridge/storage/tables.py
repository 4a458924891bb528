"""The tables. SQLModel classes define the schema; hot paths use ``Model.__table__`` with SQLAlchemy Core.

Work columns (``next_at``, ``plan_at``, ``watch_at``, ``live_at``) are NULL when there is nothing to do and carry
partial indexes, so that a question costs what is due, not what is stored. Columns named ``…_sealed`` are encrypted
(:mod:`lockbridge.storage.vault`); ``pin_index`` is the keyed index that answers "is this PIN taken on this lock?".
Every row belongs to one host.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, MetaData, UniqueConstraint, false, text
from sqlmodel import Field, SQLModel

from lockbridge.storage.types import Json, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Table(SQLModel):
    """What all tables share: this project's metadata."""

    metadata = metadata


def _key() -> Any:
    return Field(default=None, primary_key=True, sa_type=BigInteger().with_variant(_sqlite_integer(), "sqlite"))


def _sqlite_integer() -> Any:
    """SQLite numbers rows by itself only in a column declared INTEGER."""
    from sqlalchemy import Integer  # noqa: PLC0415 - stands beside its one reason

    return Integer()


def _to(target: str, *, index: bool = False, nullable: bool = False) -> Any:
    return Field(
        default=None if nullable else ..., foreign_key=target, index=index, sa_type=BigInteger, nullable=nullable
    )


def _instant(*, nullable: bool = False) -> Any:
    return Field(default=None if nullable else ..., sa_type=UtcDateTime, nullable=nullable)


def _sealed() -> Any:
    return Field(default=None, sa_type=LargeBinary, nullable=True)


def _json() -> Any:
    return Field(default_factory=dict, sa_type=Json, nullable=False)


def _where(condition: str) -> Any:
    """Of a partial index, the same on both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _work(table: str, column: str, then: str = "id") -> Index:
    """A partial index over the rows that have work: ordered by when, then by key."""
    return Index(f"ix_{table}_{column}", column, then, **_where(f"{column} IS NOT NULL"))


class Host(Table, table=True):
    """Somebody who rents out properties. ``settings`` are the codes' defaults (domain.settings.CodeSettings)."""

    id: int | None = _key()
    name: str
    email_sealed: bytes | None = _sealed()
    language: str = "en"
    settings: dict[str, Any] = _json()
    hook_sealed: bytes | None = _sealed()
    """Where the host wants to be told by webhook: address and secret."""
    guests_sealed: bytes | None = _sealed()
    """What guests may know and do on their page: whom to call, whether the door may be opened from there."""
    alarms_off: dict[str, Any] = Field(
        default_factory=dict, sa_type=Json, nullable=False, sa_column_kwargs={"server_default": "{}"}
    )
    setup: dict[str, Any] = Field(
        default_factory=dict, sa_type=Json, nullable=False, sa_column_kwargs={"server_default": "{}"}
    )
    """Which steps of the guided start the host has put aside."""
    is_demo: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    created_at: datetime = _instant()


class Property(Table, table=True):
    """A place that is rented. ``settings`` override the host's where given."""

    id: int | None = _key()
    host_id: int = _to("host.id", index=True)
    name: str
    zone: str
    country: str | None = None
    check_in: str = "16:00"
    check_out: str = "11:00"
    address: str | None = None
    """Where it is, and ``arrival_note`` how to find the door: shown to its guests only."""
    arrival_note: str | None = None
    language: str | None = None
    """In which its guests are written to where neither they nor a rule say another."""
    settings: dict[str, Any] = _json()
    created_at: datetime = _instant()


class PropertyRef(Table, table=True):
    """How a booking platform names a property."""

    __tablename__ = "property_ref"
    __table_args__ = (UniqueConstraint("host_id", "platform", "external_id"),)

    id: int | None = _key()
    host_id: int = _to("host.id")
    property_id: int = _to("property.id", index=True)
    platform: str
    external_id: str


class LockApp(Table, table=True):
    """A connected lock-app account. ``state``: ``connected`` or ``needs_person`` (no calls until reconnected)."""

    __tablename__ = "lock_app"

    id: int | None = _key()
    host_id: int = _to("host.id", index=True)
    provider: str
    name: str
    settings_sealed: bytes | None = _sealed()
    state: str = "connected"
    state_detail: str | None = None
    blocked_until: datetime | None = _instant(nullable=True)
    paced_until: datetime | None = _instant(nullable=True)
    """Up to when the turns to call the account are given away, by all processes together."""
    created_at: datetime = _instant()


class AccessToken(Table, table=True):
    """The access token of a lock-app account. The lease says which process is fetching a new one."""

    __tablename__ = "access_token"

    lock_app_id: int | None = Field(default=None, foreign_key="lock_app.id", primary_key=True, sa_type=BigInteger)
    token_sealed: bytes | None = _sealed()
    lease: str | None = None
    lease_until: datetime | None = _instant(nullable=True)


class Note(Table, table=True):
    """What a person has to do, or did, at the keypad of a lock without connection: the code that is or will be there.

    ``state``: ``to_set``, ``set``, ``to_remove``, ``unwanted``. A code that was taken off has no note any more.
    """

    __table_args__ = (Index("ix_note_lock_app_id_ref", "lock_app_id", "lock_ref"),)

    id: int | None = _key()
    host_id: int = _to("host.id")
    lock_app_id: int = _to("lock_app.id")
    lock_ref: str
    state: str
    pin_sealed: bytes | None = _sealed()
    name: str
    opens_at: datetime | None = _instant(nullable=True)
    closes_at: datetime | None = _instant(nullable=True)
    asked_at: datetime = _instant()
    done_at: datetime | None = _instant(nullable=True)


class Lock(Table, table=True):
    """One lock: the unit of work. ``next_at`` is when it needs attention; the lease says who gives it."""

    __table_args__ = (UniqueConstraint("lock_app_id", "ref"), _work("lock", "next_at"))

    id: int | None = _key()
    host_id: int = _to("host.id", index=True)
    lock_app_id: int = _to("lock_app.id")
    ref: str
    name: str
    capabilities: str
    online: bool | None = None
    battery: float | None = None
    offline_since: datetime | None = _instant(nullable=True)
    low_since: datetime | None = _instant(nullable=True)
    full_since: datetime | None = _instant(nullable=True)
    refused_since: datetime | None = _instant(nullable=True)
    missing: bool = False
    looked_at: datetime | None = _instant(nullable=True)
    look_at: datetime | None = _instant(nullable=True)
    seen_digest: bytes | None = _sealed()
    seen_count: int = 0
    waits: int = 0
    hold_until: datetime | None = _instant(nullable=True)
    next_at: datetime | None = _instant(nullable=True)
    lease: str | None = None
    lease_until: datetime | None = _instant(nullable=True)


class Source(Table, table=True):
    """Where stays come from: a host's account on a booking platform, or one calendar feed of a property.

    ``state``: ``connected`` or ``needs_person``. ``next_at`` is when it is read again, ``progress`` how far reading has
    come; ``unannounced_since`` is when it first held a change that no webhook had announced.
    """

    __table_args__ = (_work("source", "next_at"),)

    id: int | None = _key()
    host_id: int = _to("host.id", index=True)
    platform: str
    name: str
    property_id: int | None = _to("property.id", nullable=True)
    settings_sealed: bytes | None = _sealed()
    state: str = "connected"
    state_detail: str | None = None
    progress: dict[str, Any] = _json()
    read_at: datetime | None = _instant(nullable=True)
    failures: int = 0
    unannounced_since: datetime | None = _instant(nullable=True)
    announced_at: datetime | None = _instant(nullable=True)
    paced_until: datetime | None = _instant(nullable=True)
    created_at: datetime = _instant()
    next_at: datetime | None = _instant(nullable=True)
    lease: str | None = None
    lease_until: datetime | None = _instant(nullable=True)


class SourceToken(Table, table=True):
    """The access token of a source. The lease says which process is fetching a new one."""

    __tablename__ = "source_token"

    source_id: int | None = Field(default=None, foreign_key="source.id", primary_key=True, sa_type=BigInteger)
    token_sealed: bytes | None = _sealed()
    lease: str | None = None
    lease_until: datetime | None = _instant(nullable=True)


class Reread(Table, table=True):
    """A reservation that is to be asked for again; hints that come together lead to one question."""

    __table_args__ = (_work("reread", "next_at", "source_id"),)

    source_id: int = Field(foreign_key="source.id", primary_key=True, sa_type=BigInteger)
    ref: str = Field(primary_key=True)
    host_id: int = _to("host.id")
    asked_at: datetime = _instant()
    attempts: int = 0
    error: str | None = None
    next_at: datetime | None = _instant(nullable=True)
    lease: str | None = None
    lease_until: datetime | None = _instant(nullable=True)


class Sighting(Table, table=True):
    """What a second source says of a stay that another one rules: a calendar feed beside an API, say."""

    __table_args__ = (UniqueConstraint("host_id", "platform", "external_id"), Index("ix_sighting_stay_id", "stay_id"))

    id: int | None = _key()
    host_id: int = _to("host.id")
    stay_id: int = _to("stay.id")
    source_id: int | None = _to("source.id", nullable=True)
    platform: str
    external_id: str
    status: str
    arrival: date
    departure: date
    said_at: datetime = _instant()
    absent_count: int = 0
    absent_since: datetime | None = _instant(nullable=True)


class Match(Table, table=True):
    """A lock opens a property (R1). ``position`` is the order in which a guest comes to the doors."""

    property_id: int = Field(foreign_key="property.id", primary_key=True, sa_type=BigInteger)
    lock_id: int = Field(foreign_key="lock.id", primary_key=True, index=True, sa_type=BigInteger)
    host_id: int = _to("host.id")
    position: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})


class Endpoint(Table, table=True):
    """A webhook address of a host. The token in its path is stored only as a hash.

    ``platform`` is who posts to it: a booking platform – where its API is connected too, ``source_id`` – or the
    provider of the lock-app account ``lock_app_id``.
    """

    id: int | None = _key()
    host_id: int = _to("host.id", index=True)
    lock_app_id: int | None = _to("lock_app.id", nullable=True)
    source_id: int | None = _to("source.id", nullable=True)
    platform: str
    token_hash: bytes = Field(sa_type=LargeBinary, unique=True)
    secret_sealed: bytes | None = _sealed()
    created_at: datetime = _instant()


class Delivery(Table, table=True):
    """The inbox: one webhook as it came. ``state``: waiting, done, ignored, dead."""

    __table_args__ = (
        UniqueConstraint("endpoint_id", "dedupe_key"),
        _work("delivery", "next_at"),
        Index("ix_delivery_host_id_id", "host_id", "id"),
    )

    id: int | None = _key()
    host_id: int = _to("host.id")
    endpoint_id: int = _to("endpoint.id")
    platform: str
    dedupe_key: str
    received_at: datetime = _instant()
    headers: dict[str, Any] = _json()
    body_sealed: bytes | None = _sealed()
    state: str = "waiting"
    attempts: int = 0
    error: str | None = None
    next_at: datetime | None = _instant(nullable=True)


class Stay(Table, table=True):
    """One reservation of one property. Wall times and zone are kept; instants are derived on every plan."""

    __table_args__ = (
        UniqueConstraint("host_id", "platform", "external_id"),
        _work("stay", "plan_at"),
        Index("ix_stay_property_id_departure", "property_id", "departure"),
        Index("ix_stay_host_id_guest_name", "host_id", "guest_name"),
        Index("ix_stay_host_id_reservation_code", "host_id", "reservation_code"),
        Index("ix_stay_source_id_departure", "source_id", "departure"),
        Index("ix_stay_host_id_arrival", "host_id", "arrival", "id"),
        Index("ix_stay_host_id_departure", "host_id", "departure", "id"),
    )

    id: int | None = _key()
    host_id: int = _to("host.id")
    property_id: int | None = _to("property.id", nullable=True)
    property_ref: str
    source_id: int | None = _to("source.id", nullable=True)
    platform: str
    external_id: str
    reservation_ref: str | None = None
    reservation_code: str
    booked_on: str | None = None
    status: str
    raw_status: str = ""
    arrival: date
    departure: date
    check_in: str | None = None
    check_out: str | None = None
    check_in_from: str | None = None
    check_out_from: str | None = None
    host_check_in: str | None = None
    host_check_out: str | None = None
    said_status: str | None = None
    """What the source that rules the stay says, where ``status`` is another: of the host, or of a second source."""
    host_status: str | None = None
    owner_stay: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    disagreement: str | None = None
    disagreed_at: datetime | None = _instant(nullable=True)
    absent_count: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    absent_since: datetime | None = _instant(nullable=True)
    guest_name: str | None = None
    guest_first_name: str | None = None
    contact_sealed: bytes | None = _sealed()
    language: str | None = None
    changed_at: datetime | None = _instant(nullable=True)
    cancelled_at: datetime | None = _instant(nullable=True)
    code_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True, index=True)
    trouble: str | None = None
    created_at: datetime = _instant()
    plan_at: datetime | None = _instant(nullable=True)
    ends_at: datetime | None = _instant(nullable=True)
    erased_at: datetime | None = _instant(nullable=True)
    revoked_at: datetime | None = _instant(nullable=True)
    """Since when the host wants no code for it: its code is off its locks until one is issued again."""


class Code(Table, table=True):
    """The access code of a stay, of staff, or a backup of one lock: digits, name, window, and why they are so."""

    __table_args__ = (
        Index("ix_code_stay_id", "stay_id"),
        Index(
            "ix_code_backup",
            "lock_id",
            **_where("lock_id IS NOT NULL"),
        ),
    )

    id: int | None = _key()
    host_id: int = _to("host.id", index=True)
    kind: str
    stay_id: int | None = _to("stay.id", nullable=True)
    lock_id: int | None = _to("lock.id", nullable=True)
    pin_sealed: bytes | None = _sealed()
    pin_reason: str = ""
    pin_detail: str = ""
    name: str = ""
    name_reason: str = ""
    name_detail: str = ""
    opens_at: datetime = _instant()
    closes_at: datetime | None = _instant(nullable=True)
    wait_for_phone_until: datetime | None = _instant(nullable=True)
    given_to: int | None = _to("stay.id", nullable=True)
    given_at: datetime | None = _instant(nullable=True)
    ended_at: datetime | None = _instant(nullable=True)
    erased_at: datetime | None = _instant(nullable=True)
    created_at: datetime = _instant()


class Placement(Table, table=True):
    """One code on one lock (domain.placement.Placement). ``live_at`` is its window's start while it is live."""

    __table_args__ = (
        Index(
            "uq_placement_code_lock_live",
            "code_id",
            "lock_id",
            unique=True,
            **_where("live_at IS NOT NULL"),
        ),
        Index(
            "ix_placement_lock_live",
            "lock_id",
            "pin_index",
            **_where("live_at IS NOT NULL"),
        ),
        _work("placement", "watch_at"),
        _work("placement", "live_at"),
    )

    id: int | None = _key()
    host_id: int = _to("host.id")
    code_id: int = _to("code.id", index=True)
    lock_id: int = _to("lock.id")
    kind: str
    pin_sealed: bytes | None = _sealed()
    pin_index: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)
    name: str = ""
    opens_at: datetime = _instant()
    closes_at: datetime | None = _instant(nullable=True)
    push_at: datetime = _instant()
    remove_at: datetime | None = _instant(nullable=True)
    ended: str | None = None
    made_at: datetime = _instant()
    state: str = "made"
    ref: str | None = None
    replaces: str | None = None
    asked_sealed: bytes | None = _sealed()
    asked_at: datetime | None = _instant(nullable=True)
    intent: str | None = None
    confirmed_at: datetime | None = _instant(nullable=True)
    hold_until: datetime | None = _instant(nullable=True)
    failures: int = 0
    waits: int = 0
    looks: int = 0
    reason: str | None = None
    detail: str | None = None
    wish: int = 0
    told_index: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)
    told_at: datetime | None = _instant(nullable=True)
    watch_at: datetime | None = _instant(nullable=True)
    live_at: datetime | None = _instant(nullable=True)


class SeenCode(Table, table=True):
    """What the last look found on a lock and is not ours: strangers' codes occupy room, digits and names."""

    __tablename__ = "seen_code"

    lock_id: int = Field(foreign_key="lock.id", primary_key=True, sa_type=BigInteger)
    ref: str = Field(primary_key=True)
    host_id: int = _to("host.id")
    name: str | None = None
    pin_sealed: bytes | None = _sealed()
    pin_index: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)
    seen_at: datetime = _instant()


class Message(Table, table=True):
    """The outbox. ``key`` is unique: one message is one row, and its Message-ID is derived from it (R38)."""

    __table_args__ = (
        UniqueConstraint("host_id", "key"),
        _work("message", "next_at"),
        Index("ix_message_stay_id", "stay_id"),
    )

    id: int | None = _key()
    host_id: int = _to("host.id")
    stay_id: int | None = _to("stay.id", nullable=True)
    key: str
    kind: str
    rule: str | None = None
    """The name of the rule it follows; None: it follows no rule."""
    channel: str = Field(default="auto", sa_column_kwargs={"server_default": "auto"})
    to_host: bool = False
    language: str = "en"
    facts: dict[str, Any] = _json()
    state: str = "waiting"
    text_sealed: bytes | None = _sealed()
    told: dict[str, Any] = _json()
    attempts: int = 0
    error: str | None = None
    created_at: datetime = _instant()
    sent_at: datetime | None = _instant(nullable=True)
    next_at: datetime | None = _instant(nullable=True)
    lease: str | None = None
    lease_until: datetime | None = _instant(nullable=True)


class MessageRule(Table, table=True):
    """When which text goes to guests, by which channel. The nearest rule of a name holds: property, host, default.

    ``at`` is a local time of day on the day ``days`` before or after the trigger's; without it, ``hours`` count.
    """

    __tablename__ = "message_rule"
    __table_args__ = (
        Index("uq_message_rule_host", "host_id", "name", unique=True, **_where("property_id IS NULL")),
        Index("uq_message_rule_property", "property_id", "name", unique=True, **_where("property_id IS NOT NULL")),
    )

    id: int | None = _key()
    host_id: int = _to("host.id")
    property_id: int | None = _to("property.id", nullable=True)
    name: str
    trigger: str
    days: int = 0
    hours: int = 0
    at: str | None = None
    channel: str = "auto"
    template: str
    language: str | None = None
    when_not_ready: str = "hold"
    enabled: bool = True
    created_at: datetime = _instant()


class MessageText(Table, table=True):
    """A text a host has written, in one language."""

    __tablename__ = "message_text"
    __table_args__ = (UniqueConstraint("host_id", "name", "language"),)

    id: int | None = _key()
    host_id: int = _to("host.id")
    name: str
    language: str
    subject: str
    body: str
    changed_at: datetime = _instant()


class Alarm(Table, table=True):
    """Something a host must know: told once when it begins, once when it is over (R27)."""

    __table_args__ = (
        Index(
            "uq_alarm_open",
            "host_id",
            "key",
            unique=True,
            **_where("ended_at IS NULL"),
        ),
    )

    id: int | None = _key()
    host_id: int = _to("host.id")
    key: str
    kind: str
    facts: dict[str, Any] = _json()
    began_at: datetime = _instant()
    ended_at: datetime | None = _instant(nullable=True)


class Person(Table, table=True):
    """Somebody who signs in. ``email_index`` finds them (keyed); without ``password_hash`` they cannot sign in yet."""

    id: int | None = _key()
    email_index: bytes = Field(sa_type=LargeBinary, unique=True)
    email_sealed: bytes | None = _sealed()
    name: str
    password_hash: str | None = None
    totp_sealed: bytes | None = _sealed()
    totp_step: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    """The time step of the last one-time code that was taken: none is taken twice."""
    is_support: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    created_at: datetime = _instant()


class Membership(Table, table=True):
    """A person works for a host, as ``owner``, ``manager`` or ``staff``."""

    person_id: int = Field(foreign_key="person.id", primary_key=True, sa_type=BigInteger)
    host_id: int = Field(foreign_key="host.id", primary_key=True, index=True, sa_type=BigInteger)
    role: str
    created_at: datetime = _instant()


class SignIn(Table, table=True):
    """A session of a person at one browser. Of its token only the hash; ``passed`` once the second factor was given."""

    __tablename__ = "sign_in"

    id: int | None = _key()
    person_id: int = _to("person.id", index=True)
    token_hash: bytes = Field(sa_type=LargeBinary, unique=True)
    device: str = ""
    passed: bool = True
    begun_at: datetime = _instant()
    seen_at: datetime = _instant()
    ends_at: datetime = _instant()


class Ticket(Table, table=True):
    """What can be done once with a link: ``first_run``, ``invitation``, ``password``. Only its hash is kept."""

    id: int | None = _key()
    kind: str
    token_hash: bytes = Field(sa_type=LargeBinary, unique=True)
    person_id: int | None = _to("person.id", nullable=True)
    host_id: int | None = _to("host.id", index=True, nullable=True)
    role: str | None = None
    email_sealed: bytes | None = _sealed()
    created_at: datetime = _instant()
    ends_at: datetime = _instant()
    used_at: datetime | None = _instant(nullable=True)


class Throttle(Table, table=True):
    """How often something was tried since an instant: signing in, a guest's steps, calls of an API key."""

    key: bytes = Field(sa_type=LargeBinary, primary_key=True)
    since: datetime = _instant()
    count: int = 0


class ApiKey(Table, table=True):
    """A key of a host for the public API. Only its hash is kept; ``hint`` is how it ends, to tell it from others."""

    __tablename__ = "api_key"

    id: int | None = _key()
    host_id: int = _to("host.id", index=True)
    name: str
    token_hash: bytes = Field(sa_type=LargeBinary, unique=True)
    hint: str
    scopes: dict[str, Any] = _json()
    made_by: int | None = _to("person.id", nullable=True)
    created_at: datetime = _instant()
    used_at: datetime | None = _instant(nullable=True)
    revoked_at: datetime | None = _instant(nullable=True)


class ApiAnswer(Table, table=True):
    """What an API call with an idempotency key was answered, so that its repetition is answered the same."""

    __tablename__ = "api_answer"
    __table_args__ = (Index("ix_api_answer_created_at", "created_at"),)

    api_key_id: int = Field(foreign_key="api_key.id", primary_key=True, sa_type=BigInteger)
    key: str = Field(primary_key=True)
    host_id: int = _to("host.id")
    request_digest: bytes = Field(sa_type=LargeBinary)
    status: int | None = None
    """None while the first call is still at work."""
    body_sealed: bytes | None = _sealed()
    created_at: datetime = _instant()


class Audit(Table, table=True):
    """Who did what, on which of a host's things, and why they said so: append-only. Never holds digits."""

    __table_args__ = (Index("ix_audit_host_id_id", "host_id", "id"),)

    id: int | None = _key()
    host_id: int = _to("host.id")
    at: datetime = _instant()
    person_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    who: str
    what: str
    about: str = ""
    why: str = ""


class GuestLink(Table, table=True):
    """The address of a stay's page for its guest: valid for the stay, until it is revoked."""

    __tablename__ = "guest_link"

    id: int | None = _key()
    host_id: int = _to("host.id")
    stay_id: int = _to("stay.id", index=True)
    token_hash: bytes = Field(sa_type=LargeBinary, unique=True)
    token_sealed: bytes | None = _sealed()
    created_at: datetime = _instant()
    revoked_at: datetime | None = _instant(nullable=True)


class LockReading(Table, table=True):
    """How a lock was at an instant: noted when it changes, and once a day."""

    __tablename__ = "lock_reading"

    lock_id: int = Field(foreign_key="lock.id", primary_key=True, sa_type=BigInteger)
    at: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    host_id: int = _to("host.id")
    online: bool | None = None
    battery: float | None = None
    held: int | None = None
    """How many codes it held, ours and others'."""


class Task(Table, table=True):
    """Long work that somebody has started and watches. ``state``: running, done, failed."""

    __table_args__ = (Index("ix_task_host_id_id", "host_id", "id"),)

    id: int | None = _key()
    host_id: int = _to("host.id")
    kind: str
    title: str
    who: str
    state: str = "running"
    done: int = 0
    total: int = 0
    line: str = ""
    report: dict[str, Any] = _json()
    started_at: datetime = _instant()
    seen_at: datetime = _instant()
    """When it last said that it goes on: one that has been silent for long died with its process."""
    ended_at: datetime | None = _instant(nullable=True)


class Upload(Table, table=True):
    """A sheet that somebody wants to import: kept, sealed, until it was or for a day."""

    __table_args__ = (Index("ix_upload_host_id_id", "host_id", "id"),)

    id: int | None = _key()
    host_id: int = _to("host.id")
    kind: str
    name: str
    rows_sealed: bytes | None = _sealed()
    created_at: datetime = _instant()


class History(Table, table=True):
    """What was decided and why: append-only, per stay, code and lock (R40). Never holds digits."""

    __table_args__ = (
        Index("ix_history_stay_id_id", "stay_id", "id"),
        Index("ix_history_lock_id_id", "lock_id", "id"),
        Index("ix_history_code_id_id", "code_id", "id"),
        Index("ix_history_host_id_id", "host_id", "id"),
    )

    id: int | None = _key()
    host_id: int = Field(sa_type=BigInteger)
    at: datetime = _instant()
    stay_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    code_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    lock_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    kind: str
    why: str


class Run(Table, table=True):
    """One row for each scheduled run that has been taken: the database decides which process runs it."""

    __tablename__ = "run_ledger"

    name: str = Field(primary_key=True)
    scheduled_for: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    taken_at: datetime = _instant()
    done_at: datetime | None = _instant(nullable=True)
    report: dict[str, Any] = _json()


class KeyCheck(Table, table=True):
    """Something sealed with each key in use, so that a wrong key file is found at start, not at a guest's door."""

    __tablename__ = "key_check"

    key_id: str = Field(primary_key=True)
    sealed: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = _instant()


HOST = metadata.tables["host"]
PROPERTY = metadata.tables["property"]
PROPERTY_REF = metadata.tables["property_ref"]
LOCK_APP = metadata.tables["lock_app"]
ACCESS_TOKEN = metadata.tables["access_token"]
NOTE = metadata.tables["note"]
LOCK = metadata.tables["lock"]
MATCH = metadata.tables["match"]
ENDPOINT = metadata.tables["endpoint"]
DELIVERY = metadata.tables["delivery"]
STAY = metadata.tables["stay"]
CODE = metadata.tables["code"]
PLACEMENT = metadata.tables["placement"]
SEEN_CODE = metadata.tables["seen_code"]
MESSAGE = metadata.tables["message"]
ALARM = metadata.tables["alarm"]
SOURCE = metadata.tables["source"]
SOURCE_TOKEN = metadata.tables["source_token"]
REREAD = metadata.tables["reread"]
SIGHTING = metadata.tables["sighting"]
MESSAGE_RULE = metadata.tables["message_rule"]
MESSAGE_TEXT = metadata.tables["message_text"]
PERSON = metadata.tables["person"]
MEMBERSHIP = metadata.tables["membership"]
SIGN_IN = metadata.tables["sign_in"]
TICKET = metadata.tables["ticket"]
THROTTLE = metadata.tables["throttle"]
API_KEY = metadata.tables["api_key"]
API_ANSWER = metadata.tables["api_answer"]
AUDIT = metadata.tables["audit"]
GUEST_LINK = metadata.tables["guest_link"]
LOCK_READING = metadata.tables["lock_reading"]
TASK = metadata.tables["task"]
UPLOAD = metadata.tables["upload"]
HISTORY = metadata.tables["history"]
RUN = metadata.tables["run_ledger"]
KEY_CHECK = metadata.tables["key_check"]
