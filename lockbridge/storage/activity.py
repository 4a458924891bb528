"""What happened at a host, as people look for it: what people did and what the engine decided, merged by time."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, false, func, or_, select

from lockbridge.domain.ids import HostId, LockId, StayId
from lockbridge.storage.tables import AUDIT, CODE, HISTORY, LOCK, PROPERTY, STAY

LOOKED = "looked at"
"""How a deed begins by which somebody saw digits."""
LONGEST_NUMBER = 18
"""What has more digits is no number of ours, but something people named so."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. ``who``: deeds of this person; ``kinds``: these kinds of history (``asked_*``), none: all.

    ``stays`` and ``locks``: only what is about one of these; None: whatever it is about.
    """

    people: bool = True
    engine: bool = True
    who: str = ""
    looks: bool = False
    """Only the deeds by which somebody saw digits."""
    kinds: Collection[str] = ()
    stays: Collection[StayId] | None = None
    locks: Collection[LockId] | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def about(self) -> list[str] | None:
        """How deeds name what is looked for; None: whatever they are about."""
        if self.stays is None and self.locks is None:
            return None
        return [*(f"stay {key}" for key in self.stays or ()), *(f"lock {key}" for key in self.locks or ())]


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened. ``who`` is empty where nobody did it: then ``what`` is a kind of history."""

    id: int
    at: datetime
    who: str
    what: str
    why: str
    about: str = ""
    stay: StayId | None = None
    lock: LockId | None = None

    @property
    def is_look(self) -> bool:
        """Whether somebody saw digits."""
        return bool(self.who) and self.what.startswith(LOOKED)


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where two lists were read that are merged: the last deed and the last line of history; 0: none yet."""

    deed: int = 0
    entry: int = 0

    def after(self, happenings: Sequence[Happening]) -> "Place":
        """Where these end."""
        deeds = [each.id for each in happenings if each.who]
        entries = [each.id for each in happenings if not each.who]
        return Place(min(deeds, default=self.deed), min(entries, default=self.entry))


def search(connection: Connection, host: HostId, wanted: Wanted, place: Place, limit: int) -> list[Happening]:
    """What happened, the newest first, from ``place`` on."""
    deeds = _deeds(connection, host, wanted, place.deed, limit) if wanted.people else []
    entries = _entries(connection, host, wanted, place.entry, limit) if wanted.engine else []
    return _merged(deeds, entries)[:limit]


def _merged(deeds: list[Happening], entries: list[Happening]) -> list[Happening]:
    """Both by time, each in its own order, so that the place of each is where the reading goes on."""
    merged: list[Happening] = []
    one, other = deeds[::-1], entries[::-1]
    while one or other:
        newest = one if one and (not other or one[-1].at >= other[-1].at) else other
        merged.append(newest.pop())
    return merged


def _deeds(connection: Connection, host: HostId, wanted: Wanted, before: int, limit: int) -> list[Happening]:
    mine = _page(AUDIT, host, wanted, before, limit)
    if wanted.who:
        mine = mine.where(AUDIT.c.who == wanted.who)
    if wanted.looks:
        mine = mine.where(AUDIT.c.what.startswith(LOOKED))
    if wanted.about is not None:
        mine = mine.where(AUDIT.c.about.in_(wanted.about))
    return [_deed(row) for row in connection.execute(mine)]


def _deed(row: Row[Any]) -> Happening:
    kind, _, number = row.about.rpartition(" ")
    key = int(number) if number.isascii() and number.isdecimal() and len(number) <= LONGEST_NUMBER else 0
    stay = StayId(key) if kind == "stay" and key else None
    lock = LockId(key) if kind == "lock" and key else None
    return Happening(row.id, row.at, row.who, row.what, row.why, row.about, stay, lock)


def _entries(connection: Connection, host: HostId, wanted: Wanted, before: int, limit: int) -> list[Happening]:
    mine = _page(HISTORY, host, wanted, before, limit).add_columns(_THEIRS)
    if wanted.kinds:
        mine = mine.where(or_(*(_is_kind(kind) for kind in sorted(wanted.kinds))))
    if wanted.about is not None:
        mine = mine.where(or_(_of_stays(wanted.stays or ()), HISTORY.c.lock_id.in_(wanted.locks or ())))
    return [
        Happening(
            row.id,
            row.at,
            "",
            row.kind,
            row.why,
            stay=row.theirs and StayId(row.theirs),
            lock=row.lock_id and LockId(row.lock_id),
        )
        for row in connection.execute(mine)
    ]


_OF_CODE = select(func.coalesce(CODE.c.given_to, CODE.c.stay_id)).where(CODE.c.id == HISTORY.c.code_id)
_THEIRS = func.coalesce(HISTORY.c.stay_id, _OF_CODE.scalar_subquery()).label("theirs")
"""Whose stay a line is about: what happens on locks names the code only."""


def _is_kind(kind: str) -> Any:
    same = HISTORY.c.kind == kind
    return HISTORY.c.kind.startswith(kind[:-1], autoescape=True) if kind.endswith("*") else same


def _of_stays(stays: Collection[StayId]) -> Any:
    """About these stays, or codes that are theirs."""
    if not stays:
        return false()
    made = select(CODE.c.id).where(or_(CODE.c.stay_id.in_(stays), CODE.c.given_to.in_(stays)))
    used = select(STAY.c.code_id).where(STAY.c.id.in_(stays), STAY.c.code_id.is_not(None))
    return or_(HISTORY.c.stay_id.in_(stays), HISTORY.c.code_id.in_(made), HISTORY.c.code_id.in_(used))


def _page(table: Any, host: HostId, wanted: Wanted, before: int, limit: int) -> Select[Any]:
    mine = select(table).where(table.c.host_id == host).order_by(table.c.id.desc()).limit(limit)
    if before:
        mine = mine.where(table.c.id < before)
    if wanted.since is not None:
        mine = mine.where(table.c.at >= wanted.since)
    return mine if wanted.until is None else mine.where(table.c.at < wanted.until)


# ------------------------------------------------------------------------------------------------- to look for things


def everybody(connection: Connection, host: HostId) -> list[str]:
    """Who did anything at a host, by name."""
    mine = select(AUDIT.c.who).where(AUDIT.c.host_id == host).distinct()
    return sorted(connection.execute(mine).scalars())


def stays_called(connection: Connection, host: HostId, text: str, limit: int) -> list[StayId]:
    """The stays with this guest or reservation code, the latest first."""
    folded = text.casefold()
    same = or_(func.lower(STAY.c.guest_name) == folded, func.lower(STAY.c.reservation_code) == folded)
    mine = select(STAY.c.id).where(STAY.c.host_id == host, same).order_by(STAY.c.arrival.desc()).limit(limit)
    return [StayId(key) for key in connection.execute(mine).scalars()]


def locks_called(connection: Connection, host: HostId, text: str) -> list[LockId]:
    """The locks of this name."""
    mine = select(LOCK.c.id).where(LOCK.c.host_id == host, func.lower(LOCK.c.name) == text.casefold())
    return [LockId(key) for key in connection.execute(mine).scalars()]


@dataclass(frozen=True, slots=True)
class Names:
    """How stays and locks are called: by guest – or reservation code – and by their own name."""

    stays: dict[StayId, str]
    locks: dict[LockId, str]


def names(connection: Connection, host: HostId, happenings: Collection[Happening]) -> Names:
    """How what these are about is called."""
    stays, locks = _kept(each.stay for each in happenings), _kept(each.lock for each in happenings)
    guest = func.coalesce(STAY.c.guest_name, STAY.c.reservation_code)
    guests = select(STAY.c.id, guest).where(STAY.c.host_id == host, STAY.c.id.in_(stays))
    doors = select(LOCK.c.id, LOCK.c.name).where(LOCK.c.host_id == host, LOCK.c.id.in_(locks))
    return Names(
        {StayId(key): name for key, name in connection.execute(guests)} if stays else {},
        {LockId(key): name for key, name in connection.execute(doors)} if locks else {},
    )


def _kept(keys: Iterator[Any]) -> set[Any]:
    return {key for key in keys if key is not None}


def main_zone(connection: Connection, host: HostId) -> str:
    """The zone that most of a host's properties are in; UTC without any."""
    counted = select(PROPERTY.c.zone).where(PROPERTY.c.host_id == host).group_by(PROPERTY.c.zone)
    most = connection.execute(counted.order_by(func.count().desc(), PROPERTY.c.zone).limit(1)).scalar_one_or_none()
    return most or "UTC"
