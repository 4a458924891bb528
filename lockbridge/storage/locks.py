"""Questions about locks: which need attention, who gives it, what they hold, what was seen on them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningUpdate

from lockbridge.domain.code import Pin
from lockbridge.domain.ids import CodeId, HostId, LockAppId, LockId, LockRef, PlacementId
from lockbridge.domain.lock import Capabilities, Lock
from lockbridge.domain.observe import Observation
from lockbridge.domain.placement import Placement
from lockbridge.domain.seen import SeenCode
from lockbridge.storage import codes, journal, outbox
from lockbridge.storage.batch import Batch
from lockbridge.storage.claiming import chosen
from lockbridge.storage.journal import Entry
from lockbridge.storage.rows import (
    index_pin,
    load_capabilities,
    open_pin,
    progress_values,
    seal_pin,
    to_placement,
)
from lockbridge.storage.tables import CODE, LOCK, LOCK_APP, MATCH, PLACEMENT, SEEN_CODE
from lockbridge.storage.types import IDS, UtcDateTime
from lockbridge.storage.vault import Vault


@dataclass(frozen=True, slots=True)
class LockRow:
    """A lock as it is stored, without what is on it."""

    id: LockId
    host: HostId
    app: LockAppId
    ref: LockRef
    name: str
    capabilities: Capabilities
    online: bool | None
    battery: float | None
    offline_since: datetime | None
    low_since: datetime | None
    full_since: datetime | None
    refused_since: datetime | None
    missing: bool
    looked_at: datetime | None
    look_at: datetime | None
    waits: int
    hold_until: datetime | None
    next_at: datetime | None
    seen_digest: bytes | None
    seen_count: int

    @property
    def lock(self) -> Lock:
        """The lock as the rules see it."""
        return Lock(self.id, self.name, self.capabilities)


@dataclass(frozen=True, slots=True)
class LockWork:
    """A leased lock and every live placement on it; ``wishes`` counts how often booking changed each."""

    lock: LockRow
    lease: str
    placements: tuple[Placement, ...]
    wishes: Mapping[PlacementId, int]


@dataclass(frozen=True, slots=True)
class Intents:
    """Placements whose calls are about to be made, to be written down first."""

    lock: LockId
    lease: str
    placements: tuple[Placement, ...]

    @property
    def rows(self) -> int:
        """How many rows it takes to store."""
        return len(self.placements)


@dataclass(frozen=True, slots=True)
class Look:
    """What a successful look found, to be remembered."""

    observation: Observation
    at: datetime
    next_at: datetime
    digest: bytes
    """A fingerprint of the strangers' codes: only when it changed are they written anew."""
    changed: bool


@dataclass(frozen=True, slots=True)
class Pass:
    """The outcome of one pass over a lock: changed placements, the look, and when to come back."""

    lock: LockId
    host: HostId
    lease: str
    claimed_until: datetime
    placements: tuple[Placement, ...]
    wishes: Mapping[PlacementId, int]
    next_at: datetime | None
    waits: int = 0
    hold_until: datetime | None = None
    look: Look | None = None
    pins: frozenset[PlacementId] = frozenset()
    """Placements whose digits the provider chose in this pass."""
    confirmed: frozenset[CodeId] = frozenset()
    """Codes that were confirmed in this pass: messages that waited for them go now."""
    watches: Mapping[PlacementId, datetime | None] = field(default_factory=dict)
    """Arrivals to be looked at sooner, since their code was lost."""
    history: tuple[Entry, ...] = ()
    gone: frozenset[CodeId] = frozenset()
    """Codes that were taken off this lock in this pass."""
    at: datetime | None = None
    """When the pass was made."""

    @property
    def rows(self) -> int:
        """How many rows it takes to store."""
        return len(self.placements)


def to_lock(row: Row[Any]) -> LockRow:
    """A row of ``lock`` as a value."""
    return LockRow(
        id=LockId(row.id),
        host=HostId(row.host_id),
        app=LockAppId(row.lock_app_id),
        ref=LockRef(row.ref),
        name=row.name,
        capabilities=load_capabilities(row.capabilities),
        online=row.online,
        battery=row.battery,
        offline_since=row.offline_since,
        low_since=row.low_since,
        full_since=row.full_since,
        refused_since=row.refused_since,
        missing=row.missing,
        looked_at=row.looked_at,
        look_at=row.look_at,
        waits=row.waits,
        hold_until=row.hold_until,
        next_at=row.next_at,
        seen_digest=row.seen_digest,
        seen_count=row.seen_count,
    )


_NOW = bindparam("_now", type_=UtcDateTime)
_OPEN = (
    select(LOCK.c.id)
    .join(LOCK_APP, LOCK_APP.c.id == LOCK.c.lock_app_id)
    .where(
        or_(LOCK.c.lease_until.is_(None), LOCK.c.lease_until <= _NOW),
        LOCK_APP.c.state == "connected",
        or_(LOCK_APP.c.blocked_until.is_(None), LOCK_APP.c.blocked_until <= _NOW),
        LOCK.c.missing.is_(False),
    )
)
"""Locks nobody attends to, of accounts that may be called. Statements of the hot path are made once, here."""
_DUE = _OPEN.where(LOCK.c.next_at <= _NOW).order_by(LOCK.c.next_at, LOCK.c.id).limit(bindparam("_limit"))


def due_locks(connection: Connection, now: datetime, limit: int) -> list[LockId]:
    """The locks that need attention now, the longest waiting first, at most ``limit``."""
    return [LockId(row.id) for row in connection.execute(_DUE, {"_now": now, "_limit": limit})]


def _claim(wanted: Select[tuple[int]]) -> ReturningUpdate[tuple[int]]:
    until = bindparam("_until", type_=UtcDateTime)
    mine = LOCK.c.id.in_(chosen(wanted, of=LOCK))
    taken = {"lease": bindparam("_lease"), "lease_until": until, "next_at": until}
    return update(LOCK).where(mine).values(taken).returning(LOCK.c.id)


_CLAIM_DUE = _claim(_DUE)
_CLAIM_THESE = _claim(_OPEN.where(LOCK.c.id.in_(IDS)))


def claim_locks(
    connection: Connection,
    now: datetime,
    until: datetime,
    lease: str,
    limit: int,
    only: Collection[LockId] | None = None,
) -> list[LockId]:
    """Lease up to ``limit`` due locks – or those of ``only`` that are free, due or not – until ``until``.

    A leased lock becomes due again by itself when its lease ends, so a process that dies loses nothing.
    """
    terms: dict[str, Any] = {"_now": now, "_until": until, "_lease": lease}
    claim, which = (_CLAIM_DUE, {"_limit": limit}) if only is None else (_CLAIM_THESE, {"_ids": list(only)})
    return [LockId(row.id) for row in connection.execute(claim, terms | which)]


_LEASED = select(LOCK).where(LOCK.c.id.in_(IDS), LOCK.c.lease == bindparam("_lease"))
_LIVE_ON = (
    select(PLACEMENT).where(PLACEMENT.c.lock_id.in_(IDS), PLACEMENT.c.live_at.is_not(None)).order_by(PLACEMENT.c.id)
)


def leased_at(connection: Connection, locks: Collection[LockId], now: datetime) -> set[LockId]:
    """Which of these locks somebody attends to now."""
    leased = select(LOCK.c.id).where(LOCK.c.id.in_(locks), LOCK.c.lease_until > now)
    return {LockId(row.id) for row in connection.execute(leased)}


def load_work(connection: Connection, vault: Vault, ids: Sequence[LockId], lease: str) -> list[LockWork]:
    """The leased locks with all their live placements, in the order of ``ids``."""
    rows = connection.execute(_LEASED, {"_ids": list(ids), "_lease": lease}).all()
    on_lock: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(_LIVE_ON, {"_ids": list(ids)}):
        on_lock[row.lock_id].append(row)
    work = {row.id: _work(row, lease, on_lock[row.id], vault) for row in rows}
    return [work[lock] for lock in ids if lock in work]


def _work(row: Row[Any], lease: str, placements: Iterable[Row[Any]], vault: Vault) -> LockWork:
    found = tuple(placements)
    return LockWork(
        to_lock(row),
        lease,
        tuple(to_placement(placement, vault) for placement in found),
        {PlacementId(placement.id): placement.wish for placement in found},
    )


def get_lock(connection: Connection, host: HostId, lock: LockId) -> LockRow | None:
    """One lock of this host."""
    row = connection.execute(select(LOCK).where(LOCK.c.host_id == host, LOCK.c.id == lock)).one_or_none()
    return to_lock(row) if row else None


_BY_IDS = select(LOCK).where(LOCK.c.id.in_(IDS))


def by_ids(connection: Connection, ids: Collection[LockId]) -> dict[LockId, LockRow]:
    """These locks, by id."""
    return {LockId(row.id): to_lock(row) for row in connection.execute(_BY_IDS, {"_ids": list(ids)})}


def locks_of_host(connection: Connection, host: HostId) -> list[LockRow]:
    """All locks of a host, by name."""
    return [
        to_lock(row) for row in connection.execute(select(LOCK).where(LOCK.c.host_id == host).order_by(LOCK.c.name))
    ]


def of_app(connection: Connection, app: LockAppId) -> list[LockRow]:
    """The locks of one lock-app account, by name."""
    return [
        to_lock(row) for row in connection.execute(select(LOCK).where(LOCK.c.lock_app_id == app).order_by(LOCK.c.name))
    ]


_OPENS_SOMETHING = LOCK.c.id.in_(select(MATCH.c.lock_id))
_HOLDS_BACKUPS = LOCK.c.id.in_(select(CODE.c.lock_id).where(CODE.c.lock_id.is_not(None)))
_MATCHED = select(LOCK.c.id).where(or_(_OPENS_SOMETHING, _HOLDS_BACKUPS)).order_by(LOCK.c.id)


def matched_locks(connection: Connection) -> list[LockId]:
    """Every lock that opens some property, or holds backups of ours."""
    return [LockId(row.id) for row in connection.execute(_MATCHED)]


def live_placements(connection: Connection, vault: Vault, lock: LockId) -> list[Placement]:
    """Every code of ours that is, or is to be, on a lock."""
    live = select(PLACEMENT).where(PLACEMENT.c.lock_id == lock, PLACEMENT.c.live_at.is_not(None))
    return [to_placement(row, vault) for row in connection.execute(live.order_by(PLACEMENT.c.id))]


def ours_on(connection: Connection, locks: Collection[LockId]) -> dict[LockId, int]:
    """How many codes of ours these locks took, as far as is known: for those that cannot be asked."""
    taken = (PLACEMENT.c.lock_id.in_(locks), PLACEMENT.c.live_at.is_not(None), PLACEMENT.c.ref.is_not(None))
    counted = select(PLACEMENT.c.lock_id, func.count().label("held")).where(*taken).group_by(PLACEMENT.c.lock_id)
    return {LockId(row.lock_id): row.held for row in connection.execute(counted)}


def poke_locks(connection: Connection, locks: Collection[LockId], at: datetime) -> None:
    """Have these locks looked after no later than ``at``."""
    poke_each(connection, dict.fromkeys(locks, at))


def poke_each(connection: Connection, moments: Mapping[LockId, datetime]) -> None:
    """Have each of these locks looked after no later than its moment."""
    if moments:
        connection.execute(_POKE, [{"_id": lock, "_at": moments[lock]} for lock in sorted(moments)])


def look_soon(connection: Connection, app: LockAppId, refs: Collection[LockRef], at: datetime) -> int:
    """Have these locks of an account – none named: all of them – looked at no later than ``at``. How many there are."""
    theirs = [LOCK.c.lock_app_id == app, *([LOCK.c.ref.in_(refs)] if refs else [])]
    keys = [LockId(key) for key in connection.execute(select(LOCK.c.id).where(*theirs)).scalars()]
    sooner = or_(LOCK.c.look_at.is_(None), LOCK.c.look_at > at)
    connection.execute(update(LOCK).where(LOCK.c.id.in_(keys), sooner).values(look_at=at))
    poke_locks(connection, keys, at)
    return len(keys)


_AT = bindparam("_at", type_=UtcDateTime)
_POKE = (
    update(LOCK)
    .where(LOCK.c.id == bindparam("_id"), or_(LOCK.c.next_at.is_(None), LOCK.c.next_at > _AT))
    .values(next_at=_AT)
)


_INTENT = ("intent", "asked_sealed", "asked_at", "ref", "replaces")
_SAVE_INTENT = Batch(
    update(PLACEMENT).where(PLACEMENT.c.id == bindparam("_id")).values({name: bindparam(name) for name in _INTENT})
)


def save_intents(connection: Connection, vault: Vault, items: Sequence[Intents]) -> list[bool]:
    """Write down what is about to be asked. False for a lock whose lease was lost: then nothing may be called."""
    held = _held_leases(connection, ((item.lock, item.lease) for item in items))
    asked = [placement for item in items if item.lock in held for placement in item.placements]
    rows = [
        {"_id": placement.id, **{name: values[name] for name in _INTENT}}
        for placement, values in zip(asked, progress_values(asked, vault), strict=True)
    ]
    _SAVE_INTENT.write(connection, rows)
    return [item.lock in held for item in items]


_LEASES = select(LOCK.c.id, LOCK.c.lease).where(LOCK.c.id.in_(IDS)).order_by(LOCK.c.id).with_for_update()


def _held_leases(connection: Connection, claims: Iterable[tuple[LockId, str]]) -> set[LockId]:
    wanted = dict(claims)
    found = connection.execute(_LEASES, {"_ids": list(wanted)})
    return {LockId(row.id) for row in found if wanted[LockId(row.id)] == row.lease}


_PROGRESS = (
    "ref",
    "replaces",
    "asked_sealed",
    "asked_at",
    "intent",
    "confirmed_at",
    "failures",
    "waits",
    "looks",
    "reason",
    "detail",
)
_STATE = bindparam("state", type_=PLACEMENT.c.state.type)
_AS_WISHED = PLACEMENT.c.wish == bindparam("_wish")
_REMOVED = and_(_STATE == "removed", _AS_WISHED)
_SAVE_PROGRESS = Batch(
    update(PLACEMENT)
    .where(PLACEMENT.c.id == bindparam("_id"))
    .values(
        {name: bindparam(name) for name in _PROGRESS}
        | {
            "state": case(
                (_AS_WISHED, _STATE), (_STATE == "set", "asked"), (_STATE == "removed", "made"), else_=_STATE
            ),
            "hold_until": case((_AS_WISHED, bindparam("hold_until", type_=UtcDateTime)), else_=null()),
            "live_at": case((_REMOVED, null()), else_=PLACEMENT.c.live_at),
            "watch_at": case((_REMOVED, null()), else_=PLACEMENT.c.watch_at),
        }
    )
)
_SAVE_CHOSEN_PIN = (
    update(PLACEMENT)
    .where(PLACEMENT.c.id == bindparam("_id"))
    .values(pin_sealed=bindparam("pin_sealed"), pin_index=bindparam("pin_index"))
)
_NEXT_AT = bindparam("next_at", type_=UtcDateTime)
_RELEASE = Batch(
    update(LOCK)
    .where(LOCK.c.id == bindparam("_id"))
    .values(
        lease=None,
        lease_until=None,
        waits=bindparam("waits"),
        hold_until=bindparam("hold_until"),
        next_at=case(
            (LOCK.c.next_at == bindparam("_until", type_=UtcDateTime), _NEXT_AT),
            (_NEXT_AT.is_(None), LOCK.c.next_at),
            (LOCK.c.next_at < _NEXT_AT, LOCK.c.next_at),
            else_=_NEXT_AT,
        ),
    )
)
"""Whoever poked the lock during the pass moved its ``next_at`` away from the lease's end: then the sooner one holds."""
_SAVE_LOOK = Batch(
    update(LOCK)
    .where(LOCK.c.id == bindparam("_id"))
    .values({name: bindparam(name) for name in ("looked_at", "look_at", "seen_count", "seen_digest")})
)


def save_passes(connection: Connection, vault: Vault, items: Sequence[Pass]) -> list[bool]:
    """Store what passes over locks came to and release them. False where the lease was lost: nothing was stored.

    A placement whose wish changed during the pass stays live and unconfirmed, and is tried again at once.
    """
    held = _held_leases(connection, ((item.lock, item.lease) for item in items))
    kept = [item for item in items if item.lock in held]
    _save_progress(connection, vault, kept)
    _SAVE_LOOK.write(connection, [_look_values(item) for item in kept if item.look is not None])
    _save_strangers(connection, vault, [(item, item.look) for item in kept if item.look and item.look.changed])
    _RELEASE.write(connection, [_release_values(item) for item in kept])
    codes.set_watches(connection, {key: at for item in kept for key, at in item.watches.items()})
    outbox.wake_for_codes(connection, {code for item in kept for code in item.confirmed})
    for item in kept:
        if item.gone and item.at is not None:
            codes.note_gone(connection, item.gone, item.at)
    journal.write(connection, [entry for item in kept for entry in item.history])
    return [item.lock in held for item in items]


def _save_progress(connection: Connection, vault: Vault, kept: Sequence[Pass]) -> None:
    changed = [placement for item in kept for placement in item.placements]
    wishes = [item.wishes[placement.id] for item in kept for placement in item.placements]
    rows = [
        {"_id": placement.id, "_wish": wish, **values}
        for placement, wish, values in zip(changed, wishes, progress_values(changed, vault), strict=True)
    ]
    _SAVE_PROGRESS.write(connection, rows)
    chosen = [
        {
            "_id": placement.id,
            "pin_sealed": seal_pin(vault, placement.pin),
            "pin_index": index_pin(vault, placement.pin, item.host),
        }
        for item in kept
        for placement in item.placements
        if placement.id in item.pins
    ]
    if chosen:
        connection.execute(_SAVE_CHOSEN_PIN, chosen)


def _release_values(item: Pass) -> dict[str, Any]:
    return {
        "_id": item.lock,
        "_until": item.claimed_until,
        "next_at": item.next_at,
        "waits": item.waits,
        "hold_until": item.hold_until,
    }


def _look_values(item: Pass) -> dict[str, Any]:
    look = item.look
    assert look is not None  # noqa: S101 - the caller filtered
    return {
        "_id": item.lock,
        "looked_at": look.at,
        "look_at": look.next_at,
        "seen_count": look.observation.count,
        "seen_digest": look.digest,
    }


def strangers_digest(observation: Observation) -> bytes:
    """A fingerprint of the strangers' codes, so that an unchanged lock costs no writing."""
    hasher = blake2b(digest_size=16)
    for code in sorted(observation.strangers, key=lambda code: code.ref):
        hasher.update(f"{code.ref}\0{code.name}\0{code.pin and code.pin.digits}\0".encode())
    return hasher.digest()


_FORGET_STRANGERS = delete(SEEN_CODE).where(SEEN_CODE.c.lock_id.in_(IDS))
_STRANGERS = Batch(insert(SEEN_CODE))


def _save_strangers(connection: Connection, vault: Vault, looks: Sequence[tuple[Pass, Look]]) -> None:
    if looks:
        connection.execute(_FORGET_STRANGERS, {"_ids": [item.lock for item, _ in looks]})
        rows = [_stranger(code, item, look.at, vault) for item, look in looks for code in look.observation.strangers]
        _STRANGERS.write(connection, rows)


def _stranger(code: SeenCode, item: Pass, at: datetime, vault: Vault) -> dict[str, Any]:
    return {
        "lock_id": item.lock,
        "ref": code.ref,
        "host_id": item.host,
        "name": code.name,
        "pin_sealed": seal_pin(vault, code.pin),
        "pin_index": index_pin(vault, code.pin, item.host),
        "seen_at": at,
    }


def upsert_lock(connection: Connection, values: Mapping[str, Any]) -> LockId:
    """Store a lock as the lock app tells it; its place in the queue stays, unless it had been gone and is back."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    told = ("name", "capabilities", "online", "battery", "missing")
    statement = dialect.insert(LOCK).values(**values)
    news = {name: statement.excluded[name] for name in told}
    was_gone = case((LOCK.c.missing, statement.excluded.next_at), else_=LOCK.c.next_at)
    statement = statement.on_conflict_do_update(
        index_elements=["lock_app_id", "ref"], set_=news | {"next_at": was_gone}
    )
    return LockId(connection.execute(statement.returning(LOCK.c.id)).scalar_one())


def set_lock_status(connection: Connection, lock: LockId, **values: Any) -> None:
    """Note how the lock is (``online``, ``battery``, ``missing``, ``name``)."""
    connection.execute(update(LOCK).where(LOCK.c.id == lock).values(**values))


@dataclass(frozen=True, slots=True)
class Stranger:
    """A code that is not ours, as the last look at its lock found it."""

    lock: LockId
    name: str | None
    pin: Pin | None
    pin_index: bytes | None


def strangers_on(connection: Connection, vault: Vault, locks: Collection[LockId]) -> list[Stranger]:
    """What the last look at these locks found that is not ours."""
    found = connection.execute(select(SEEN_CODE).where(SEEN_CODE.c.lock_id.in_(locks)))
    return [Stranger(LockId(row.lock_id), row.name, open_pin(vault, row.pin_sealed), row.pin_index) for row in found]


def pin_taken(connection: Connection, vault: Vault, host: HostId, lock: LockId, pin: Pin) -> bool:
    """Whether these digits are on the lock or planned on it, ours or a stranger's (R10)."""
    index = index_pin(vault, pin, host)
    ours = select(PLACEMENT.c.id).where(
        PLACEMENT.c.lock_id == lock, PLACEMENT.c.pin_index == index, PLACEMENT.c.live_at.is_not(None)
    )
    strangers = select(SEEN_CODE.c.ref).where(SEEN_CODE.c.lock_id == lock, SEEN_CODE.c.pin_index == index)
    return connection.execute(select(or_(ours.exists(), strangers.exists()))).scalar_one()
