"""Questions about where stays come from: platforms and feeds, what to ask them again, what second ones say."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.domain.ids import HostId, PropertyId, SourceId, StayId
from lockbridge.domain.stay import StayStatus
from lockbridge.storage.claiming import chosen
from lockbridge.storage.hosts import Credentials
from lockbridge.storage.rows import open_json, seal_json
from lockbridge.storage.tables import ENDPOINT, REREAD, SIGHTING, SOURCE
from lockbridge.storage.vault import Vault

SETTINGS = "source settings"
CONNECTED = "connected"
NEEDS_PERSON = "needs_person"


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A connected platform account, or one calendar feed of a property; ``settings`` never show themselves."""

    id: SourceId
    host: HostId
    platform: str
    name: str
    property: PropertyId | None
    settings: Credentials
    state: str = CONNECTED
    state_detail: str | None = None
    progress: Mapping[str, Any] = field(default_factory=dict, repr=False)
    read_at: datetime | None = None
    failures: int = 0
    unannounced_since: datetime | None = None
    announced_at: datetime | None = None
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """A reservation to be asked for again; ``asked_at`` is when the last hint came."""

    source: SourceId
    ref: str
    asked_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SightingRow:
    """What a second source says of a stay."""

    host: HostId
    stay: StayId
    source: SourceId | None
    platform: str
    external_id: str
    status: StayStatus
    arrival: date
    departure: date
    said_at: datetime
    absent_count: int = 0
    absent_since: datetime | None = None


# ----------------------------------------------------------------------------------------------------------- sources


def add(connection: Connection, vault: Vault, new: SourceRow, now: datetime) -> SourceId:
    """Store a new source, to be read at once; its ``id`` is not looked at."""
    values = {
        "host_id": new.host,
        "platform": new.platform,
        "name": new.name,
        "property_id": new.property,
        "settings_sealed": seal_json(vault, new.settings, SETTINGS),
        "progress": dict(new.progress),
        "created_at": now,
        "next_at": now,
    }
    return SourceId(connection.execute(insert(SOURCE).values(**values).returning(SOURCE.c.id)).scalar_one())


def by_ids(connection: Connection, vault: Vault, ids: Collection[SourceId]) -> dict[SourceId, SourceRow]:
    """These sources, by id."""
    return {
        SourceId(row.id): _source(row, vault) for row in connection.execute(select(SOURCE).where(SOURCE.c.id.in_(ids)))
    }


def of_host(connection: Connection, vault: Vault, host: HostId) -> list[SourceRow]:
    """All sources of a host."""
    mine = select(SOURCE).where(SOURCE.c.host_id == host).order_by(SOURCE.c.id)
    return [_source(row, vault) for row in connection.execute(mine)]


def _source(row: Row[Any], vault: Vault) -> SourceRow:
    return SourceRow(
        id=SourceId(row.id),
        host=HostId(row.host_id),
        platform=row.platform,
        name=row.name,
        property=None if row.property_id is None else PropertyId(row.property_id),
        settings=Credentials(open_json(vault, row.settings_sealed, SETTINGS)),
        state=row.state,
        state_detail=row.state_detail,
        progress=row.progress,
        read_at=row.read_at,
        failures=row.failures,
        unannounced_since=row.unannounced_since,
        announced_at=row.announced_at,
        next_at=row.next_at,
    )


def change_settings(connection: Connection, vault: Vault, source: SourceId, settings: Mapping[str, str]) -> None:
    """Replace a source's settings; it is read whole again, since it may be another account or calendar."""
    sealed = seal_json(vault, settings, SETTINGS)
    connection.execute(update(SOURCE).where(SOURCE.c.id == source).values(settings_sealed=sealed, progress={}))


def needs_person(connection: Connection, vault: Vault, refused: SourceRow, detail: str) -> bool:
    """Ask it nothing more until the host has connected it again. False: the host has just given it other settings."""
    row = connection.execute(select(SOURCE).where(SOURCE.c.id == refused.id).with_for_update()).one()
    if _source(row, vault).settings != refused.settings:
        return False
    values = {"state": NEEDS_PERSON, "state_detail": detail, "next_at": None}
    connection.execute(update(SOURCE).where(SOURCE.c.id == refused.id).values(**values))
    return True


def rest(connection: Connection, source: SourceId, until: datetime) -> None:
    """Ask it nothing before ``until``: it wants fewer questions."""
    connection.execute(update(SOURCE).where(SOURCE.c.id == source, SOURCE.c.next_at < until).values(next_at=until))
    sooner = (REREAD.c.source_id == source, REREAD.c.next_at < until)
    connection.execute(update(REREAD).where(*sooner).values(next_at=until))


def reconnected(connection: Connection, source: SourceId, now: datetime) -> None:
    """It answers again: read it at once, and whatever was to be asked meanwhile."""
    values = {"state": CONNECTED, "state_detail": None, "failures": 0, "next_at": now}
    connection.execute(update(SOURCE).where(SOURCE.c.id == source).values(**values))
    connection.execute(update(REREAD).where(REREAD.c.source_id == source).values(next_at=now))


def read_soon(connection: Connection, ids: Collection[SourceId], now: datetime, *, whole: bool = False) -> None:
    """Read these sources now; ``whole``: everything, not only what has changed."""
    for source in ids:
        values: dict[str, Any] = {"next_at": now} | ({"progress": {}} if whole else {})
        connection.execute(update(SOURCE).where(SOURCE.c.id == source, SOURCE.c.state == CONNECTED).values(**values))


def claim(connection: Connection, now: datetime, until: datetime, lease: str, limit: int) -> list[SourceId]:
    """Lease the sources that are due; a lease that ends makes them due again."""
    due = (
        select(SOURCE.c.id)
        .where(
            SOURCE.c.next_at <= now,
            SOURCE.c.state == CONNECTED,
            or_(SOURCE.c.lease_until.is_(None), SOURCE.c.lease_until <= now),
        )
        .order_by(SOURCE.c.next_at, SOURCE.c.id)
        .limit(limit)
    )
    claimed = update(SOURCE).where(SOURCE.c.id.in_(chosen(due))).values(lease=lease, lease_until=until)
    return sorted(SourceId(row.id) for row in connection.execute(claimed.returning(SOURCE.c.id)))


def finish(connection: Connection, source: SourceId, lease: str, values: Mapping[str, Any]) -> bool:
    """Give the lease back and note what came of the read. False when the lease was lost: then nothing is noted."""
    mine = (SOURCE.c.id == source, SOURCE.c.lease == lease)
    done = update(SOURCE).where(*mine).values(lease=None, lease_until=None, **values)
    return connection.execute(done).rowcount == 1


def announced(connection: Connection, source: SourceId, now: datetime) -> bool:
    """A webhook of this source came. True when changes had come without one before."""
    late = select(SOURCE.c.unannounced_since).where(SOURCE.c.id == source)
    was_late = connection.execute(late).scalar_one() is not None
    values = {"announced_at": now, "unannounced_since": None}
    connection.execute(update(SOURCE).where(SOURCE.c.id == source).values(**values))
    return was_late


def note_unannounced(connection: Connection, source: SourceId, now: datetime) -> None:
    """Changes were found that no webhook had announced; since when is kept until one comes."""
    first = update(SOURCE).where(SOURCE.c.id == source, SOURCE.c.unannounced_since.is_(None))
    connection.execute(first.values(unannounced_since=now))


def has_hook(connection: Connection, source: SourceId) -> bool:
    """Whether the source has an address that its webhooks are sent to."""
    return connection.execute(select(ENDPOINT.c.id).where(ENDPOINT.c.source_id == source).limit(1)).first() is not None


def of_endpoint(connection: Connection, endpoint: int) -> SourceId | None:
    """The source whose webhooks come to this address."""
    found = connection.execute(select(ENDPOINT.c.source_id).where(ENDPOINT.c.id == endpoint)).scalar_one_or_none()
    return None if found is None else SourceId(found)


# -------------------------------------------------------------------------------------------------- asking once more


def ask_again(
    connection: Connection, host: HostId, source: SourceId, refs: Collection[str], now: datetime, at: datetime
) -> None:
    """Have these reservations asked for at ``at``, or sooner where that is planned already."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for ref in sorted(refs):
        new = dialect.insert(REREAD).values(source_id=source, ref=ref, host_id=host, asked_at=now, next_at=at)
        sooner = func.least if connection.dialect.name == "postgresql" else func.min
        soonest = sooner(func.coalesce(REREAD.c.next_at, new.excluded.next_at), new.excluded.next_at)
        again = {"asked_at": new.excluded.asked_at, "next_at": soonest, "attempts": 0}
        connection.execute(new.on_conflict_do_update(index_elements=["source_id", "ref"], set_=again))


def claim_asked(connection: Connection, now: datetime, until: datetime, lease: str, limit: int) -> list[AskedAgain]:
    """Lease reservations that are to be asked for now, of sources that can be asked."""
    able = select(SOURCE.c.id).where(SOURCE.c.state == CONNECTED)
    due = (
        select(REREAD.c.source_id, REREAD.c.ref)
        .where(
            REREAD.c.next_at <= now,
            or_(REREAD.c.lease_until.is_(None), REREAD.c.lease_until <= now),
            REREAD.c.source_id.in_(able),
        )
        .order_by(REREAD.c.next_at, REREAD.c.source_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = []
    for row in connection.execute(due).all():
        one = and_(REREAD.c.source_id == row.source_id, REREAD.c.ref == row.ref)
        taken = update(REREAD).where(one).values(lease=lease, lease_until=until)
        found = connection.execute(taken.returning(REREAD.c.asked_at, REREAD.c.attempts)).one()
        claimed.append(AskedAgain(SourceId(row.source_id), row.ref, found.asked_at, found.attempts))
    return claimed


def answered(connection: Connection, asked: AskedAgain, lease: str) -> bool:
    """The answer is about to be applied. False when the lease was lost; a hint that came meanwhile is kept."""
    mine = (REREAD.c.source_id == asked.source, REREAD.c.ref == asked.ref, REREAD.c.lease == lease)
    if connection.execute(delete(REREAD).where(*mine, REREAD.c.asked_at == asked.asked_at)).rowcount:
        return True
    return connection.execute(update(REREAD).where(*mine).values(lease=None, lease_until=None)).rowcount == 1


def ask_later(connection: Connection, asked: AskedAgain, lease: str, at: datetime, error: str) -> None:
    """It could not be asked: once more at ``at``."""
    mine = (REREAD.c.source_id == asked.source, REREAD.c.ref == asked.ref, REREAD.c.lease == lease)
    later = {"lease": None, "lease_until": None, "next_at": at, "attempts": asked.attempts + 1, "error": error}
    connection.execute(update(REREAD).where(*mine).values(**later))


def asked_refs(connection: Connection, source: SourceId) -> set[str]:
    """The reservations of a source that are to be asked for."""
    return set(connection.execute(select(REREAD.c.ref).where(REREAD.c.source_id == source)).scalars())


# --------------------------------------------------------------------------------------------------------- sightings


def find_sighting(connection: Connection, host: HostId, platform: str, external_id: str) -> SightingRow | None:
    """What this source's stay is a sighting of."""
    theirs = (SIGHTING.c.host_id == host, SIGHTING.c.platform == platform, SIGHTING.c.external_id == external_id)
    row = connection.execute(select(SIGHTING).where(*theirs).with_for_update()).one_or_none()
    return _sighting(row) if row is not None else None


def save_sighting(connection: Connection, sighting: SightingRow) -> None:
    """Store what a second source says, in place of what it said before."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {
        "host_id": sighting.host,
        "stay_id": sighting.stay,
        "source_id": sighting.source,
        "platform": sighting.platform,
        "external_id": sighting.external_id,
        "status": sighting.status.value,
        "arrival": sighting.arrival,
        "departure": sighting.departure,
        "said_at": sighting.said_at,
        "absent_count": sighting.absent_count,
        "absent_since": sighting.absent_since,
    }
    new = dialect.insert(SIGHTING).values(**values)
    connection.execute(
        new.on_conflict_do_update(
            index_elements=["host_id", "platform", "external_id"],
            set_={name: new.excluded[name] for name in values if name not in ("host_id", "platform", "external_id")},
        )
    )


def set_sighting(connection: Connection, source: SourceId, external_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of what a source says as a second one."""
    theirs = (SIGHTING.c.source_id == source, SIGHTING.c.external_id == external_id)
    connection.execute(update(SIGHTING).where(*theirs).values(**values))


def sightings_of(connection: Connection, ids: Collection[StayId]) -> dict[StayId, list[SightingRow]]:
    """What second sources say of these stays."""
    found: dict[StayId, list[SightingRow]] = {}
    for row in connection.execute(select(SIGHTING).where(SIGHTING.c.stay_id.in_(ids)).order_by(SIGHTING.c.id)):
        found.setdefault(StayId(row.stay_id), []).append(_sighting(row))
    return found


def sightings_by(connection: Connection, source: SourceId, after: date) -> list[SightingRow]:
    """What a source says as a second one, of stays that depart on or after a day."""
    theirs = (SIGHTING.c.source_id == source, SIGHTING.c.departure >= after)
    return [_sighting(row) for row in connection.execute(select(SIGHTING).where(*theirs).order_by(SIGHTING.c.id))]


def _sighting(row: Row[Any]) -> SightingRow:
    return SightingRow(
        host=HostId(row.host_id),
        stay=StayId(row.stay_id),
        source=None if row.source_id is None else SourceId(row.source_id),
        platform=row.platform,
        external_id=row.external_id,
        status=StayStatus(row.status),
        arrival=row.arrival,
        departure=row.departure,
        said_at=row.said_at,
        absent_count=row.absent_count,
        absent_since=row.absent_since,
    )
