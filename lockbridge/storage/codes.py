"""Questions about codes and their placements: what was decided, what is planned on a lock, who was told."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import starmap
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, text, update

from lockbridge.domain.backup import Backup
from lockbridge.domain.code import CodeKind, Pin, Window
from lockbridge.domain.ids import CodeId, HostId, LockId, PlacementId, StayId
from lockbridge.domain.naming import NameChoice
from lockbridge.domain.placement import Placement, PlacementState
from lockbridge.storage.batch import Batch
from lockbridge.storage.rows import index_pin, open_pin, progress_values, seal_pin, to_placement, wish_values
from lockbridge.storage.tables import CODE, LOCK, PLACEMENT, STAY
from lockbridge.storage.types import IDS
from lockbridge.storage.vault import Vault


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A code as it is stored, with why it is as it is."""

    id: CodeId
    host: HostId
    kind: CodeKind
    stay: StayId | None
    lock: LockId | None
    pin: Pin | None
    pin_reason: str
    pin_detail: str
    name: str
    name_reason: str
    name_detail: str
    opens_at: datetime
    closes_at: datetime | None
    given_to: StayId | None
    given_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Placed:
    """A placement with what storage knows beside the rules' view of it."""

    placement: Placement
    host: HostId
    told_index: bytes | None
    pin_index: bytes | None

    @property
    def told(self) -> bool:
        """Whether a text with digits for this lock has been sent."""
        return self.told_index is not None

    @property
    def told_another(self) -> bool:
        """Whether the guest was told other digits than those that work now (R36)."""
        return self.told_index is not None and self.told_index != self.pin_index


@dataclass(frozen=True, slots=True)
class OnLock:
    """What booking must know of a live placement to keep digits and names apart."""

    lock: LockId
    code: CodeId
    pin_index: bytes | None
    name: str
    window: Window


def reserve_ids(connection: Connection, count: int) -> list[CodeId]:
    """Numbers for new codes, so that codes and placements can be written in two batches."""
    if not count:
        return []
    if connection.dialect.name == "postgresql":
        sequence = text("SELECT nextval(pg_get_serial_sequence('code', 'id')) FROM generate_series(1, :count)")
        return [CodeId(row[0]) for row in connection.execute(sequence, {"count": count})]
    first = (connection.execute(select(func.max(CODE.c.id))).scalar_one() or 0) + 1
    return [CodeId(number) for number in range(first, first + count)]


def to_code(row: Row[Any], vault: Vault) -> CodeRow:
    """A row of ``code`` as a value."""
    return CodeRow(
        CodeId(row.id),
        HostId(row.host_id),
        CodeKind(row.kind),
        row.stay_id and StayId(row.stay_id),
        row.lock_id and LockId(row.lock_id),
        open_pin(vault, row.pin_sealed),
        row.pin_reason,
        row.pin_detail,
        row.name,
        row.name_reason,
        row.name_detail,
        row.opens_at,
        row.closes_at,
        row.given_to and StayId(row.given_to),
        row.given_at,
        row.ended_at,
    )


_BY_ID = select(CODE).where(CODE.c.id.in_(IDS))


def by_ids(connection: Connection, vault: Vault, codes: Collection[CodeId]) -> dict[CodeId, CodeRow]:
    """These codes, by id."""
    return {CodeId(row.id): to_code(row, vault) for row in connection.execute(_BY_ID, {"_ids": list(codes)})}


_NEW_CODES = Batch(insert(CODE))


def insert_codes(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store new codes, their numbers given."""
    _NEW_CODES.write(connection, rows)


_CHANGE = Batch(
    update(CODE)
    .where(CODE.c.id == bindparam("_id"))
    .values(
        {
            name: bindparam(name)
            for name in (
                "stay_id",
                "pin_sealed",
                "pin_reason",
                "pin_detail",
                "name",
                "name_reason",
                "name_detail",
                "opens_at",
                "closes_at",
            )
        }
    )
)


def change_codes(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what was decided about codes anew: ``_id`` and every column of the decision."""
    _CHANGE.write(connection, rows)


_LIVE = select(PLACEMENT).where(PLACEMENT.c.live_at.is_not(None))
_LIVE_OF_CODES = _LIVE.where(PLACEMENT.c.code_id.in_(IDS)).order_by(PLACEMENT.c.id)


def placements_of(connection: Connection, vault: Vault, codes: Collection[CodeId]) -> dict[CodeId, list[Placed]]:
    """The live placements of these codes."""
    found: dict[CodeId, list[Placed]] = defaultdict(list)
    for row in connection.execute(_LIVE_OF_CODES, {"_ids": list(codes)}):
        found[CodeId(row.code_id)].append(_placed(row, vault))
    return found


def all_placements_of(connection: Connection, vault: Vault, host: HostId, codes: Collection[CodeId]) -> list[Placed]:
    """Every placement of these codes, removed ones too, for people."""
    mine = select(PLACEMENT).where(PLACEMENT.c.host_id == host, PLACEMENT.c.code_id.in_(codes))
    return [_placed(row, vault) for row in connection.execute(mine.order_by(PLACEMENT.c.id))]


_PLACEMENTS_BY_ID = select(PLACEMENT).where(PLACEMENT.c.id.in_(IDS)).order_by(PLACEMENT.c.id)


def placements_by_id(connection: Connection, vault: Vault, ids: Collection[PlacementId]) -> list[Placed]:
    """These placements."""
    return [_placed(row, vault) for row in connection.execute(_PLACEMENTS_BY_ID, {"_ids": list(ids)})]


def _placed(row: Row[Any], vault: Vault) -> Placed:
    return Placed(to_placement(row, vault), HostId(row.host_id), row.told_index, row.pin_index)


def on_locks(connection: Connection, locks: Collection[LockId]) -> list[OnLock]:
    """Which digits (by index) and names are planned on these locks, and in which windows."""
    columns = (PLACEMENT.c.lock_id, PLACEMENT.c.code_id, PLACEMENT.c.pin_index, PLACEMENT.c.name)
    live = select(*columns, PLACEMENT.c.opens_at, PLACEMENT.c.closes_at).where(
        PLACEMENT.c.lock_id.in_(locks), PLACEMENT.c.live_at.is_not(None)
    )
    return [
        OnLock(LockId(row.lock_id), CodeId(row.code_id), row.pin_index, row.name, Window(row.opens_at, row.closes_at))
        for row in connection.execute(live)
    ]


def pins_on_lock(connection: Connection, vault: Vault, lock: LockId) -> list[Pin]:
    """The digits planned on a lock, opened: only for rules that compare parts of them (R13, first four digits)."""
    live = select(PLACEMENT.c.pin_sealed).where(PLACEMENT.c.lock_id == lock, PLACEMENT.c.live_at.is_not(None))
    opened = (open_pin(vault, row.pin_sealed) for row in connection.execute(live))
    return [pin for pin in opened if pin is not None]


def guard_locks(connection: Connection, locks: Collection[LockId]) -> None:
    """Keep other processes from choosing digits for these locks until this transaction ends."""
    guarded = select(LOCK.c.id).where(LOCK.c.id.in_(locks)).order_by(LOCK.c.id)
    connection.execute(guarded.with_for_update(key_share=True)).all()


_WISH = (
    "pin_sealed",
    "pin_index",
    "name",
    "opens_at",
    "closes_at",
    "push_at",
    "remove_at",
    "ended",
    "watch_at",
    "live_at",
    "state",
    "hold_until",
)
_REWISH = Batch(
    update(PLACEMENT)
    .where(PLACEMENT.c.id == bindparam("_id"))
    .values({name: bindparam(name) for name in _WISH} | {"wish": PLACEMENT.c.wish + 1})
)


def rewish(connection: Connection, vault: Vault, host: HostId, placements: Sequence[Placement]) -> None:
    """Write new wishes for placements. A pass over the lock that is under way will not confirm the old wish."""
    rows = [
        {
            "_id": placement.id,
            "state": placement.state.value,
            "hold_until": placement.hold_until,
            **wish_values(placement, vault, host),
        }
        for placement in placements
    ]
    _REWISH.write(connection, rows)


_NEW_PLACEMENTS = Batch(insert(PLACEMENT))


def insert_placements(
    connection: Connection,
    vault: Vault,
    host: HostId,
    placements: Sequence[Placement],
    told: Mapping[CodeId, bytes] | None = None,
) -> None:
    """Store new placements; their ids are given by the database. ``told``: digits (by index) their guests know."""
    rows = [
        {
            "host_id": host,
            "code_id": placement.code,
            "lock_id": placement.lock,
            "kind": placement.kind.value,
            "made_at": placement.made_at,
            "told_index": told.get(placement.code) if told else None,
            **wish_values(placement, vault, host),
            **progress,
        }
        for placement, progress in zip(placements, progress_values(placements, vault), strict=True)
    ]
    _NEW_PLACEMENTS.write(connection, rows)


def replace_pin(connection: Connection, vault: Vault, host: HostId, placement: Placement, pin: Pin) -> None:
    """Give one placement other digits, to be tried at once (R11)."""
    values = {
        "pin_sealed": seal_pin(vault, pin),
        "pin_index": index_pin(vault, pin, host),
        "hold_until": placement.hold_until,
        "state": placement.state.value,
        "wish": PLACEMENT.c.wish + 1,
    }
    connection.execute(update(PLACEMENT).where(PLACEMENT.c.id == placement.id).values(**values))


def replace_name(connection: Connection, placement: Placement, choice: NameChoice) -> None:
    """Give one placement another name, to be tried at once, and its code the reason (R14, R15)."""
    values = {"name": choice.name, "hold_until": placement.hold_until, "wish": PLACEMENT.c.wish + 1}
    connection.execute(update(PLACEMENT).where(PLACEMENT.c.id == placement.id).values(**values))
    why = {"name": choice.name, "name_reason": choice.reason.value, "name_detail": choice.detail}
    connection.execute(update(CODE).where(CODE.c.id == placement.code).values(**why))


def set_code_pin(connection: Connection, vault: Vault, code: CodeId, pin: Pin, reason: str) -> None:
    """Note the digits that were chosen instead, and why."""
    values = {"pin_sealed": seal_pin(vault, pin), "pin_reason": reason, "pin_detail": ""}
    connection.execute(update(CODE).where(CODE.c.id == code).values(**values))


def waiting_for_room(connection: Connection, lock: LockId) -> list[PlacementId]:
    """The placements that wait for a free slot on a lock (R26)."""
    waiting = (PLACEMENT.c.lock_id == lock, PLACEMENT.c.live_at.is_not(None), PLACEMENT.c.state == "no_room")
    return [PlacementId(row.id) for row in connection.execute(select(PLACEMENT.c.id).where(*waiting))]


_BACKUPS_ON = (
    select(PLACEMENT, CODE.c.given_to, CODE.c.given_at)
    .join(CODE, CODE.c.id == PLACEMENT.c.code_id)
    .where(CODE.c.lock_id == bindparam("lock"), PLACEMENT.c.live_at.is_not(None), PLACEMENT.c.ended.is_(None))
    .order_by(PLACEMENT.c.id)
)


def backups_on(connection: Connection, vault: Vault, lock: LockId) -> list[Backup]:
    """The backup codes of a lock that are not over, given ones too."""
    return [
        Backup(CodeId(row.code_id), to_placement(row, vault), row.given_to and StayId(row.given_to), row.given_at)
        for row in connection.execute(_BACKUPS_ON, {"lock": lock})
    ]


def give_backup(connection: Connection, code: CodeId, stay: StayId, closes_at: datetime, now: datetime) -> bool:
    """Mark a backup as a stay's (R25). False when another stay got it in the meantime."""
    mine = update(CODE).where(CODE.c.id == code, CODE.c.given_to.is_(None))
    return connection.execute(mine.values(given_to=stay, given_at=now, closes_at=closes_at)).rowcount == 1


def backups_given_to(connection: Connection, vault: Vault, stays: Collection[StayId]) -> dict[StayId, list[Placed]]:
    """The live backups that were given to these stays."""
    given = (
        select(PLACEMENT, CODE.c.given_to)
        .join(CODE, CODE.c.id == PLACEMENT.c.code_id)
        .where(CODE.c.given_to.in_(stays), PLACEMENT.c.live_at.is_not(None))
    )
    found: dict[StayId, list[Placed]] = defaultdict(list)
    for row in connection.execute(given):
        found[StayId(row.given_to)].append(_placed(row, vault))
    return found


def staff_on(connection: Connection, vault: Vault, locks: Collection[LockId]) -> list[Placed]:
    """The live staff codes on these locks (R42), the oldest code first."""
    theirs = _LIVE.where(
        PLACEMENT.c.lock_id.in_(locks), PLACEMENT.c.kind == CodeKind.STAFF.value, PLACEMENT.c.ended.is_(None)
    )
    return [_placed(row, vault) for row in connection.execute(theirs.order_by(PLACEMENT.c.code_id, PLACEMENT.c.id))]


def staff_of_host(connection: Connection, vault: Vault, host: HostId) -> list[Placed]:
    """The live staff codes of a host (R42), those that are coming off too; the oldest code first."""
    mine = PLACEMENT.c.lock_id.in_(select(LOCK.c.id).where(LOCK.c.host_id == host))
    theirs = _LIVE.where(mine, PLACEMENT.c.kind == CodeKind.STAFF.value)
    return [_placed(row, vault) for row in connection.execute(theirs.order_by(PLACEMENT.c.code_id, PLACEMENT.c.id))]


def due_watches(connection: Connection, vault: Vault, now: datetime, limit: int) -> list[Placed]:
    """The arrivals to be looked at now (R24, R43)."""
    due = (
        select(PLACEMENT).where(PLACEMENT.c.watch_at <= now).order_by(PLACEMENT.c.watch_at, PLACEMENT.c.id).limit(limit)
    )
    return [_placed(row, vault) for row in connection.execute(due)]


_SET_WATCH = update(PLACEMENT).where(PLACEMENT.c.id == bindparam("_id")).values(watch_at=bindparam("watch_at"))


def set_watches(connection: Connection, watches: Mapping[PlacementId, datetime | None]) -> None:
    """When these arrivals are looked at next."""
    if watches:
        connection.execute(_SET_WATCH, [{"_id": key, "watch_at": at} for key, at in watches.items()])


class Unset(NamedTuple):
    """A code that should be on its lock and is not confirmed: as little as a scan of a million needs."""

    placement: PlacementId
    lock: LockId
    opens_at: datetime


def unset_before(
    connection: Connection,
    until: datetime,
    now: datetime,
    after: tuple[datetime, int],
    limit: int,
    *,
    host: HostId | None = None,
) -> list[Unset]:
    """Live codes that open by ``until``, are due and not confirmed (R23), in pages by (opens, id) after ``after``.

    ``host``: those of one host only.
    """
    live_at, key = after
    page = (
        select(PLACEMENT.c.id, PLACEMENT.c.lock_id, PLACEMENT.c.live_at)
        .where(
            PLACEMENT.c.live_at <= until,
            or_(PLACEMENT.c.live_at > live_at, (PLACEMENT.c.live_at == live_at) & (PLACEMENT.c.id > key)),
            PLACEMENT.c.state != PlacementState.SET,
            PLACEMENT.c.push_at <= now,
            PLACEMENT.c.ended.is_(None),
        )
        .order_by(PLACEMENT.c.live_at, PLACEMENT.c.id)
        .limit(limit)
    )
    wanted = page if host is None else page.where(PLACEMENT.c.host_id == host)
    return list(starmap(Unset, connection.execute(wanted)))


def stays_of_codes(connection: Connection, codes: Collection[CodeId]) -> dict[CodeId, StayId]:
    """Whose stays' codes these are; a given backup counts as the stay's."""
    found = connection.execute(select(CODE.c.id, CODE.c.stay_id, CODE.c.given_to).where(CODE.c.id.in_(codes)))
    return {CodeId(row.id): StayId(row.given_to or row.stay_id) for row in found if row.given_to or row.stay_id}


_TELL = (
    update(PLACEMENT)
    .where(PLACEMENT.c.id == bindparam("_id"))
    .values(told_index=bindparam("told_index"), told_at=bindparam("told_at"))
)


def note_told(connection: Connection, told: Mapping[PlacementId, bytes], now: datetime) -> None:
    """The guest knows these placements' digits (by index): the text that was sent contained them."""
    if told:
        connection.execute(_TELL, [{"_id": key, "told_index": index, "told_at": now} for key, index in told.items()])


def told_of(connection: Connection, codes: Collection[CodeId]) -> dict[CodeId, dict[PlacementId, bytes]]:
    """Of these codes, the placements, former ones too, whose digits a guest was told (by index), the latest last."""
    columns = (PLACEMENT.c.id, PLACEMENT.c.code_id, PLACEMENT.c.told_index)
    known = select(*columns).where(PLACEMENT.c.code_id.in_(codes), PLACEMENT.c.told_index.is_not(None))
    found: dict[CodeId, dict[PlacementId, bytes]] = defaultdict(dict)
    for row in connection.execute(known.order_by(PLACEMENT.c.told_at.nulls_first(), PLACEMENT.c.id)):
        found[CodeId(row.code_id)][PlacementId(row.id)] = row.told_index
    return found


def told_otherwise(connection: Connection, vault: Vault, placements: Collection[PlacementId]) -> list[Placed]:
    """Of these placements, the live ones whose guest was told other digits (R36) – for this lock or for the others."""
    elsewhere = PLACEMENT.alias("elsewhere")
    told_elsewhere = select(elsewhere.c.id).where(
        elsewhere.c.code_id == PLACEMENT.c.code_id, elsewhere.c.told_index.is_not(None)
    )
    unheard = PLACEMENT.c.told_index.is_(None) & told_elsewhere.exists()
    wrong = _LIVE.where(PLACEMENT.c.id.in_(placements), or_(PLACEMENT.c.told_index != PLACEMENT.c.pin_index, unheard))
    return [_placed(row, vault) for row in connection.execute(wrong)]


def threatened(connection: Connection, lock: LockId, until: datetime) -> list[tuple[StayId, datetime]]:
    """The arrivals on a lock up to an instant: stay and when its window opens (R43)."""
    coming = (
        select(STAY.c.id, PLACEMENT.c.opens_at)
        .join(CODE, CODE.c.id == PLACEMENT.c.code_id)
        .join(STAY, STAY.c.id == CODE.c.stay_id)
        .where(PLACEMENT.c.lock_id == lock, PLACEMENT.c.live_at <= until, PLACEMENT.c.ended.is_(None))
        .order_by(PLACEMENT.c.opens_at)
    )
    return [(StayId(row.id), row.opens_at) for row in connection.execute(coming)]


def of_host(connection: Connection, vault: Vault, host: HostId, *, lock: LockId | None, limit: int) -> list[Placed]:
    """A host's live codes on locks, by when they open."""
    mine = _LIVE.where(PLACEMENT.c.host_id == host).order_by(PLACEMENT.c.live_at, PLACEMENT.c.id).limit(limit)
    wanted = mine.where(PLACEMENT.c.lock_id == lock) if lock is not None else mine
    return [_placed(row, vault) for row in connection.execute(wanted)]


def erase_pins(connection: Connection, before: datetime, now: datetime, limit: int) -> list[CodeId]:
    """Erase the digits of codes whose every placement was gone before an instant (R45). Which codes."""
    gone = (
        select(CODE.c.id)
        .where(CODE.c.erased_at.is_(None), func.coalesce(CODE.c.ended_at, CODE.c.closes_at) < before)
        .where(or_(CODE.c.closes_at.is_(None), CODE.c.closes_at < before))
        .where(
            ~select(PLACEMENT.c.id).where(PLACEMENT.c.code_id == CODE.c.id, PLACEMENT.c.live_at.is_not(None)).exists()
        )
        .order_by(CODE.c.id)
        .limit(limit)
    )
    codes = [CodeId(row.id) for row in connection.execute(gone)]
    if codes:
        nothing = {"pin_sealed": None, "pin_index": None, "asked_sealed": None, "told_index": None}
        connection.execute(update(PLACEMENT).where(PLACEMENT.c.code_id.in_(codes)).values(**nothing))
        connection.execute(update(CODE).where(CODE.c.id.in_(codes)).values(pin_sealed=None, erased_at=now))
    return codes


def note_gone(connection: Connection, codes: Collection[CodeId], now: datetime) -> None:
    """Something of these codes was taken off a lock: their time to be forgotten begins anew (R45)."""
    if codes:
        connection.execute(update(CODE).where(CODE.c.id.in_(codes)).values(ended_at=now))


def erase_names(connection: Connection) -> None:
    """Erase what codes of guests whose data is erased were called, as soon as they are on no lock (R45)."""
    erased = select(STAY.c.id).where(STAY.c.erased_at.is_not(None))
    on_locks = select(PLACEMENT.c.code_id).where(PLACEMENT.c.live_at.is_not(None))
    theirs = select(CODE.c.id).where(CODE.c.stay_id.in_(erased), CODE.c.name != "", CODE.c.id.not_in(on_locks))
    codes = [row.id for row in connection.execute(theirs)]
    if codes:
        connection.execute(update(CODE).where(CODE.c.id.in_(codes)).values(name=""))
        connection.execute(update(PLACEMENT).where(PLACEMENT.c.code_id.in_(codes)).values(name=""))
