"""Questions about stays: what the platforms said, which are to be planned, whose guests they are."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Boolean, Connection, Row, and_, bindparam, case, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.domain.book import Booked
from lockbridge.domain.ids import CodeId, HostId, PropertyId, SourceId, StayId
from lockbridge.domain.stay import GuestIdentity, StayStatus
from lockbridge.storage.batch import Batch
from lockbridge.storage.rows import CONTACT, open_json, seal_json
from lockbridge.storage.tables import PROPERTY, STAY
from lockbridge.storage.types import IDS, UtcDateTime
from lockbridge.storage.vault import Vault


@dataclass(frozen=True, slots=True)
class Contact:
    """How a guest is reached and told from others; sealed at rest, hidden from ``repr``."""

    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    platform_guest: str | None = None
    marks: tuple[tuple[str, tuple[str, str, int, str]], ...] = ()
    """Where each detail stands in the platform's own order (domain.intake), "" being the ruling statement."""


@dataclass(frozen=True, slots=True)
class StayRow:
    """A reservation as it is stored. Times of day are local, ``HH:MM``; None: the property's usual ones."""

    id: StayId
    host: HostId
    property: PropertyId | None
    property_ref: str
    source: SourceId | None
    platform: str
    external_id: str
    reservation_ref: str | None
    reservation_code: str
    booked_on: str | None
    status: StayStatus
    """What holds: the host's word, what the sources say together, or what the one that rules says."""
    said_status: StayStatus | None
    """What the source that rules says, where ``status`` is another."""
    host_status: StayStatus | None
    raw_status: str
    arrival: date
    departure: date
    check_in: str | None
    check_out: str | None
    check_in_from: str | None
    check_out_from: str | None
    host_check_in: str | None
    host_check_out: str | None
    owner_stay: bool
    erased: bool
    """Its guest was erased: nothing personal is written down about it any more (R45)."""
    disagreed_at: datetime | None
    disagreement: str | None
    """What two sources of the stay say differently; None: they agree, or there is only one."""
    absent_count: int
    absent_since: datetime | None
    guest_name: str | None
    guest_first_name: str | None
    contact: Contact
    language: str | None
    changed_at: datetime | None
    cancelled_at: datetime | None
    code: CodeId | None
    trouble: str | None
    created_at: datetime
    revoked_at: datetime | None = None
    """Since when the host wants no code for it; None: it has one as any other."""

    def api_ref(self) -> str:
        """How the platform's API names the reservation."""
        return self.reservation_ref or self.external_id

    def booked(self, *, owner_codes: bool = False, several_stays: bool = False) -> Booked:
        """The reservation as booking sees it; times the host set for this stay go first (R41).

        ``owner_codes``: whether the owner's own stays get codes.
        """
        return Booked(
            id=self.id,
            status=StayStatus.BLOCKED if self._without_code(owner_codes=owner_codes) else self.status,
            arrival=self.arrival,
            departure=self.departure,
            check_in=_time(self.host_check_in or self.check_in),
            check_out=_time(self.host_check_out or self.check_out),
            guest_name=self.guest_name,
            reservation_code=self.reservation_code,
            guest=GuestIdentity(self.contact.phone, self.contact.email, self._platform_guest()),
            created_at=self.created_at,
            cancelled_at=self.cancelled_at,
            code=self.code,
            several_stays=several_stays,
        )

    def _without_code(self, *, owner_codes: bool) -> bool:
        return self.revoked_at is not None or (self.owner_stay and not owner_codes)

    def _platform_guest(self) -> str | None:
        return self.contact.platform_guest and f"{self.platform}:{self.contact.platform_guest}"


def _time(text: str | None) -> time | None:
    return time.fromisoformat(text) if text else None


def to_stay(row: Row[Any], vault: Vault) -> StayRow:
    """A row of ``stay`` as a value."""
    contact = open_json(vault, row.contact_sealed, CONTACT)
    return StayRow(
        id=StayId(row.id),
        host=HostId(row.host_id),
        property=None if row.property_id is None else PropertyId(row.property_id),
        property_ref=row.property_ref,
        source=None if row.source_id is None else SourceId(row.source_id),
        platform=row.platform,
        external_id=row.external_id,
        reservation_ref=row.reservation_ref,
        reservation_code=row.reservation_code,
        booked_on=row.booked_on,
        status=StayStatus(row.status),
        said_status=StayStatus(row.said_status) if row.said_status else None,
        host_status=StayStatus(row.host_status) if row.host_status else None,
        raw_status=row.raw_status,
        arrival=row.arrival,
        departure=row.departure,
        check_in=row.check_in,
        check_out=row.check_out,
        check_in_from=row.check_in_from,
        check_out_from=row.check_out_from,
        host_check_in=row.host_check_in,
        host_check_out=row.host_check_out,
        owner_stay=row.owner_stay,
        erased=row.erased_at is not None,
        disagreed_at=row.disagreed_at,
        disagreement=row.disagreement,
        absent_count=row.absent_count,
        absent_since=row.absent_since,
        guest_name=row.guest_name,
        guest_first_name=row.guest_first_name,
        contact=_contact(contact),
        language=row.language,
        changed_at=row.changed_at,
        cancelled_at=row.cancelled_at,
        code=None if row.code_id is None else CodeId(row.code_id),
        trouble=row.trouble,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )


def _contact(raw: Mapping[str, Any]) -> Contact:
    marks = tuple((name, _mark(*parts)) for name, parts in raw.get("marks", {}).items())
    return Contact(raw.get("phone"), raw.get("email"), raw.get("platform_guest"), marks)


def _mark(at: str, *rest: Any) -> tuple[str, str, int, str]:
    """A mark as it is stored; rows of earlier versions do not say when it was asked for."""
    asked, rank, digest = rest if len(rest) == 3 else ("", *rest)  # noqa: PLR2004 - with and without
    return at, asked, rank, digest


def find(connection: Connection, vault: Vault, host: HostId, platform: str, external_id: str) -> StayRow | None:
    """The stay a platform names so, kept from other processes until this transaction ends."""
    theirs = (STAY.c.host_id == host, STAY.c.platform == platform, STAY.c.external_id == external_id)
    row = connection.execute(select(STAY).where(*theirs).with_for_update()).one_or_none()
    return to_stay(row, vault) if row else None


def get(connection: Connection, vault: Vault, host: HostId, stay: StayId) -> StayRow | None:
    """One stay of this host."""
    row = connection.execute(select(STAY).where(STAY.c.host_id == host, STAY.c.id == stay)).one_or_none()
    return to_stay(row, vault) if row else None


def held(connection: Connection, vault: Vault, stay: StayId) -> StayRow:
    """One stay, kept from other processes until this transaction ends."""
    return to_stay(connection.execute(select(STAY).where(STAY.c.id == stay).with_for_update()).one(), vault)


def disagreed(connection: Connection, after: datetime) -> list[tuple[StayId, datetime | None]]:
    """The stays whose sources disagree and that end after an instant, and since when they do."""
    live = (STAY.c.disagreement.is_not(None), or_(STAY.c.ends_at.is_(None), STAY.c.ends_at > after))
    found = connection.execute(select(STAY.c.id, STAY.c.disagreed_at).where(*live).order_by(STAY.c.id))
    return [(StayId(row.id), row.disagreed_at) for row in found]


def withdrawn_by_first(connection: Connection, stays: Collection[StayId]) -> set[StayId]:
    """Which of these stays the source that rules them says are over, while they are not."""
    said = STAY.c.said_status.in_((StayStatus.CANCELLED, StayStatus.BLOCKED))
    return {StayId(row.id) for row in connection.execute(select(STAY.c.id).where(STAY.c.id.in_(stays), said))}


_BY_ID = select(STAY).where(STAY.c.id.in_(IDS))


def by_ids(connection: Connection, vault: Vault, ids: Collection[StayId]) -> dict[StayId, StayRow]:
    """These stays, by id."""
    return {StayId(row.id): to_stay(row, vault) for row in connection.execute(_BY_ID, {"_ids": list(ids)})}


def of_host(
    connection: Connection, vault: Vault, host: HostId, *, after: datetime | None = None, limit: int = 100
) -> list[StayRow]:
    """A host's stays by arrival; those that end after an instant, where one is given."""
    mine = select(STAY).where(STAY.c.host_id == host).order_by(STAY.c.arrival, STAY.c.id).limit(limit)
    wanted = mine.where(or_(STAY.c.ends_at.is_(None), STAY.c.ends_at > after)) if after else mine
    return [to_stay(row, vault) for row in connection.execute(wanted)]


def by_code(connection: Connection, vault: Vault, host: HostId, reservation_code: str) -> list[StayRow]:
    """The stays of a host with this reservation code or external id."""
    same = or_(STAY.c.reservation_code == reservation_code, STAY.c.external_id == reservation_code)
    return [to_stay(row, vault) for row in connection.execute(select(STAY).where(STAY.c.host_id == host, same))]


def same_dates(
    connection: Connection, vault: Vault, host: HostId, place: PropertyId, arrival: date, departure: date
) -> list[StayRow]:
    """The stays of a property on exactly these dates."""
    same = (STAY.c.host_id == host, STAY.c.property_id == place, STAY.c.arrival == arrival)
    found = connection.execute(select(STAY).where(*same, STAY.c.departure == departure).order_by(STAY.c.id))
    return [to_stay(row, vault) for row in found]


def of_reservation(connection: Connection, vault: Vault, source: SourceId, ref: str) -> list[StayRow]:
    """The stays that are one reservation of a source: one for each room."""
    same = or_(STAY.c.reservation_ref == ref, STAY.c.reservation_ref.is_(None) & (STAY.c.external_id == ref))
    theirs = select(STAY).where(STAY.c.source_id == source, same)
    found = connection.execute(theirs.order_by(STAY.c.id).with_for_update())
    return [to_stay(row, vault) for row in found]


def of_source(connection: Connection, vault: Vault, source: SourceId, after: date) -> list[StayRow]:
    """The stays that a source rules and that depart on or after a day."""
    theirs = (STAY.c.source_id == source, STAY.c.departure >= after)
    found = connection.execute(select(STAY).where(*theirs).order_by(STAY.c.arrival, STAY.c.id))
    return [to_stay(row, vault) for row in found]


@dataclass(frozen=True, slots=True)
class Brief:
    """What reading a calendar needs of the stays it has shown before: nothing sealed."""

    stay: StayId
    external_id: str
    arrival: date
    departure: date
    status: StayStatus
    absent_count: int
    absent_since: datetime | None


def brief_of_source(connection: Connection, source: SourceId, after: date) -> list[Brief]:
    """:func:`of_source` in brief."""
    columns = (
        STAY.c.id,
        STAY.c.external_id,
        STAY.c.arrival,
        STAY.c.departure,
        case(
            (STAY.c.host_status == StayStatus.CANCELLED, STAY.c.host_status),
            else_=func.coalesce(STAY.c.said_status, STAY.c.status),
        ).label("said"),
        STAY.c.absent_count,
        STAY.c.absent_since,
    )
    found = connection.execute(select(*columns).where(STAY.c.source_id == source, STAY.c.departure >= after))
    return [
        Brief(
            StayId(row.id),
            row.external_id,
            row.arrival,
            row.departure,
            StayStatus(row.said),
            row.absent_count,
            row.absent_since,
        )
        for row in found
    ]


def set_values(connection: Connection, stay: StayId, values: Mapping[str, Any]) -> None:
    """Change columns of a stay that are not its guest's contacts."""
    connection.execute(update(STAY).where(STAY.c.id == stay).values(**values))


def add(
    connection: Connection, vault: Vault, host: HostId, values: Mapping[str, Any], contact: Contact
) -> StayId | None:
    """Store a new stay. None when another process stored it in the meantime: find it."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(STAY).values(host_id=host, contact_sealed=_seal(vault, contact), **values)
    known = ["host_id", "platform", "external_id"]
    statement = new.on_conflict_do_nothing(index_elements=known).returning(STAY.c.id)
    stored = connection.execute(statement).scalar_one_or_none()
    return None if stored is None else StayId(stored)


_IMPORTED = Batch(insert(STAY))


def add_many(
    connection: Connection, vault: Vault, host: HostId, rows: Sequence[tuple[Mapping[str, Any], Contact]]
) -> None:
    """Store many new stays at once (imports)."""
    sealed = [{"host_id": host, "contact_sealed": _seal(vault, contact), **values} for values, contact in rows]
    _IMPORTED.write(connection, sealed)


def change(connection: Connection, vault: Vault, stay: StayId, values: Mapping[str, Any], contact: Contact) -> None:
    """Change a stay as its platform told."""
    connection.execute(update(STAY).where(STAY.c.id == stay).values(contact_sealed=_seal(vault, contact), **values))


def _seal(vault: Vault, contact: Contact) -> bytes:
    known = {
        "phone": contact.phone,
        "email": contact.email,
        "platform_guest": contact.platform_guest,
        "marks": dict(contact.marks),
    }
    return seal_json(vault, known, CONTACT)


def set_host_times(
    connection: Connection, host: HostId, stay: StayId, check_in: str | None, check_out: str | None, now: datetime
) -> bool:
    """Times of day the host gives this stay (R41). False when it is not theirs."""
    mine = update(STAY).where(STAY.c.host_id == host, STAY.c.id == stay)
    values = {"host_check_in": check_in, "host_check_out": check_out, "plan_at": now}
    return connection.execute(mine.values(**values)).rowcount == 1


def with_code(connection: Connection, host: HostId, code: CodeId) -> list[StayId]:
    """The stays of a host that share a code (R44; usually one)."""
    theirs = select(STAY.c.id).where(STAY.c.host_id == host, STAY.c.code_id == code).order_by(STAY.c.id)
    return [StayId(key) for key in connection.execute(theirs).scalars()]


def set_revoked(connection: Connection, stays: Collection[StayId], since: datetime | None) -> None:
    """Note that these stays are to have no code since an instant; None: that they are to have one again."""
    connection.execute(update(STAY).where(STAY.c.id.in_(stays)).values(revoked_at=since))


def due_for_planning(connection: Connection, now: datetime, limit: int) -> list[tuple[StayId, PropertyId | None]]:
    """The stays to be planned now, kept from other processes until this transaction ends.

    Those of a property that another process is planning are left to it: stays of one guest are decided together (R44).
    """
    due = (
        select(STAY.c.id, STAY.c.property_id)
        .where(STAY.c.plan_at <= now)
        .order_by(STAY.c.plan_at, STAY.c.id)
        .limit(limit)
    )
    found = connection.execute(due).all()
    if found and connection.dialect.name == "postgresql":
        free = or_(STAY.c.property_id.is_(None), STAY.c.property_id.in_(_guarded(connection, found)))
        found = connection.execute(due.where(free).with_for_update(skip_locked=True)).all()
    return [(StayId(row.id), None if row.property_id is None else PropertyId(row.property_id)) for row in found]


def due_of_host(
    connection: Connection, host: HostId, now: datetime, limit: int
) -> list[tuple[StayId, PropertyId | None]]:
    """The stays of a host that are to be planned now, the soonest arrivals first, kept until this transaction ends."""
    due = select(STAY.c.id, STAY.c.property_id).where(STAY.c.host_id == host, STAY.c.plan_at <= now)
    found = connection.execute(due.order_by(STAY.c.arrival, STAY.c.id).limit(limit).with_for_update())
    return [(StayId(row.id), None if row.property_id is None else PropertyId(row.property_id)) for row in found]


def _guarded(connection: Connection, found: Iterable[Row[int, int | None]]) -> set[int]:
    """Of these stays' properties, those that nobody else is planning; from now on nobody else can."""
    places = select(PROPERTY.c.id).where(PROPERTY.c.id.in_({row.property_id for row in found} - {None}))
    mine = places.order_by(PROPERTY.c.id).with_for_update(key_share=True, skip_locked=True)
    return set(connection.execute(mine).scalars())


def coming(connection: Connection, host: HostId, today: date) -> dict[PropertyId, tuple[int, date]]:
    """How many confirmed stays each property of a host has from a day on, and when the first of them arrives."""
    live = (STAY.c.host_id == host, STAY.c.departure >= today, STAY.c.status == StayStatus.CONFIRMED)
    counted = select(STAY.c.property_id, func.count(), func.min(STAY.c.arrival)).where(*live)
    found = connection.execute(counted.where(STAY.c.property_id.is_not(None)).group_by(STAY.c.property_id))
    return {PropertyId(place): (number, first) for place, number, first in found}


def of_properties(
    connection: Connection, vault: Vault, properties: Collection[PropertyId], after: date, also: Collection[StayId] = ()
) -> list[StayRow]:
    """The stays of these properties that depart on or after a day, and those of ``also``, by arrival."""
    wanted = or_(
        STAY.c.property_id.in_(properties) & (STAY.c.departure >= after),
        STAY.c.id.in_(also),
    )
    found = connection.execute(select(STAY).where(wanted).order_by(STAY.c.arrival, STAY.c.id))
    return [to_stay(row, vault) for row in found]


def properties_sharing_codes(connection: Connection, stays: Collection[StayId]) -> set[PropertyId]:
    """Where the stays are that share a code with one of these (R44)."""
    shared = select(STAY.c.code_id).where(STAY.c.id.in_(stays), STAY.c.code_id.is_not(None))
    found = select(STAY.c.property_id).where(STAY.c.code_id.in_(shared), STAY.c.property_id.is_not(None))
    return {PropertyId(row.property_id) for row in connection.execute(found.distinct())}


def names_with_several(connection: Connection, host: HostId, names: Collection[str], now: datetime) -> set[str]:
    """Which of these guests' names have more than one live stay with this host (R14)."""
    if not names:
        return set()
    live = (
        STAY.c.host_id == host,
        STAY.c.status == StayStatus.CONFIRMED,
        STAY.c.guest_name.in_(names),
        or_(STAY.c.ends_at.is_(None), STAY.c.ends_at > now),
    )
    several = select(STAY.c.guest_name).where(*live).group_by(STAY.c.guest_name).having(func.count() > 1)
    return {row.guest_name for row in connection.execute(several)}


_PLAN_AT = bindparam("plan_at", type_=UtcDateTime)
_PLANNED = Batch(
    update(STAY)
    .where(STAY.c.id == bindparam("_id"))
    .values(
        {name: bindparam(name) for name in ("code_id", "ends_at", "trouble")}
        | {
            "plan_at": case(
                (bindparam("_mine", type_=Boolean), _PLAN_AT),
                else_=func.coalesce(STAY.c.plan_at, _PLAN_AT, type_=UtcDateTime),
            )
        }
    )
)


def planned(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note that stays were planned: ``_id``, ``code_id``, ``ends_at``, ``plan_at`` (None: all done), ``trouble``.

    ``_mine``: the stay was found due by this transaction. Any other keeps the time at which it is to be planned.
    """
    _PLANNED.write(connection, rows)


def replan_properties(connection: Connection, properties: Collection[PropertyId], now: datetime) -> int:
    """Have every stay of these properties that is not over planned again. How many."""
    live = (STAY.c.property_id.in_(properties), or_(STAY.c.ends_at.is_(None), STAY.c.ends_at > now))
    return connection.execute(update(STAY).where(*live).values(plan_at=now)).rowcount


def replan(connection: Connection, stays: Collection[StayId], now: datetime) -> None:
    """Have these stays planned again."""
    if stays:
        connection.execute(update(STAY).where(STAY.c.id.in_(stays)).values(plan_at=now))


def adopt_orphans(
    connection: Connection, host: HostId, platform: str, external_id: str, property_id: PropertyId, now: datetime
) -> int:
    """Give stays that came before their property was known their property. How many."""
    orphans = (
        STAY.c.host_id == host,
        STAY.c.platform == platform,
        STAY.c.property_ref == external_id,
        STAY.c.property_id.is_(None),
    )
    return connection.execute(update(STAY).where(*orphans).values(property_id=property_id, plan_at=now)).rowcount


def erase_guests(connection: Connection, before: datetime, now: datetime, limit: int) -> list[StayId]:
    """Erase the guests of stays that ended before an instant (R45), those too that never got a window."""
    last_day = (before - timedelta(days=1)).date()
    over = or_(STAY.c.ends_at < before, and_(STAY.c.ends_at.is_(None), STAY.c.departure < last_day))
    old = select(STAY.c.id).where(over, STAY.c.erased_at.is_(None)).order_by(STAY.c.id).limit(limit)
    erased = {"guest_name": None, "guest_first_name": None, "contact_sealed": None, "erased_at": now}
    gone = update(STAY).where(STAY.c.id.in_(old)).values(**erased).returning(STAY.c.id)
    return [StayId(row.id) for row in connection.execute(gone)]


def erase_guest(connection: Connection, host: HostId, stay: StayId, now: datetime) -> bool:
    """Erase one guest at once, on request (R45)."""
    erased = {"guest_name": None, "guest_first_name": None, "contact_sealed": None, "erased_at": now}
    mine = update(STAY).where(STAY.c.host_id == host, STAY.c.id == stay)
    return connection.execute(mine.values(**erased)).rowcount == 1
