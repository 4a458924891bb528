"""What a source says of a reservation becomes a stay – or a second word on a stay another source has told (R20)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, PropertyId, SourceId, StayId
from lockbridge.domain.intake import DETAILS, Known, Mark, Ruling, Word, mark_of, merge, outranks, rule
from lockbridge.domain.messages import HostAlarm
from lockbridge.domain.stay import StayStatus
from lockbridge.platforms.contract import ReservationEvent
from lockbridge.storage import hosts, journal, sources, stays
from lockbridge.storage.journal import Entry
from lockbridge.storage.sources import CONNECTED, SightingRow, SourceRow
from lockbridge.storage.stays import Contact, StayRow
from lockbridge.workflows import alarms
from lockbridge.workflows.ports import Tools, transact

GOOD_FOR = timedelta(hours=24)
"""The word of a source that could not be read for so long counts no more against another's."""
PATIENCE = timedelta(hours=1)
"""Calendars are slow to follow: only a disagreement that lasts is told to the host."""
EARLIEST = Mark(datetime(1970, 1, 1, tzinfo=UTC))
"""A detail that a second source knows gives way to whatever the first one says of it."""
TOLD_BY: Mapping[str, str] = {"api": "the public API", "import": "an import"}
"""Who tells stays without being a booking platform, by what stands in the platform's place."""


@dataclass(frozen=True, slots=True)
class Said:
    """Who said something, and when (UTC): the instant it was told, or at which it was asked for."""

    host: HostId
    at: datetime
    who: str
    """What people call the source."""
    source: SourceId | None = None
    asked: bool = False
    """It is the answer to a question of ours, at ``at``; not said: it came by itself."""
    hint: bool = False
    """It came by webhook from a source whose API is asked: without a time of change it gives way to any answer."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The stay that was meant; ``news``: it is not what it was before."""

    stay: StayId
    news: bool


def apply(connection: Connection, tools: Tools, said: Said, event: ReservationEvent, now: datetime) -> Applied | None:
    """Bring a stay up to date with what one source says of it, and have it planned (R20).

    None: it is no stay – a feed's block, or the end of something nobody knew.
    """
    before = stays.find(connection, tools.vault, said.host, event.platform, event.external_id)
    if before is not None:
        return _told_again(connection, tools, said, before, event, now)
    sighting = sources.find_sighting(connection, said.host, event.platform, event.external_id)
    if sighting is not None:
        return _second_word(connection, tools, said, sighting.stay, event, now)
    if _is_feed(tools, event.platform) and event.status not in (StayStatus.CONFIRMED, StayStatus.PENDING):
        return None
    twin = _twin(connection, tools, said, event)
    if twin is None:
        return _new(connection, tools, said, event, now)
    is_feed, was_feed = _is_feed(tools, event.platform), _is_feed(tools, twin.platform)
    if outranks(event.status, twin.said_status or twin.status, new_is_feed=is_feed, known_is_feed=was_feed):
        return _taken_over(connection, tools, said, twin, event, now)
    return _second_word(connection, tools, said, twin.id, event, now)


# ---------------------------------------------------------------------------------------------------------- one source


def _new(connection: Connection, tools: Tools, said: Said, event: ReservationEvent, now: datetime) -> Applied | None:
    known = _merged(None, said, event)
    row, contact = _row(connection, said, known, None, now)
    stay = stays.add(connection, tools.vault, said.host, {**row, "created_at": said.at, "plan_at": now}, contact)
    if stay is None:
        return apply(connection, tools, said, event, now)
    _tell(connection, said.host, stay, "booked", _told(said.who, row), now)
    _homeless(connection, said.host, row, event.property_name, now)
    return Applied(stay, news=True)


def _told_again(
    connection: Connection, tools: Tools, said: Said, before: StayRow, event: ReservationEvent, now: datetime
) -> Applied:
    known = _merged(before, said, event)
    row, contact = _row(connection, said, known, before, now)
    same_stay = _is_same_stay(before, event, now)
    weighed = before if same_stay else replace(before, host_status=None)
    word = Word(said.who, row["status"], row["arrival"], row["departure"])
    ruled = _ruled(row, _ruling(connection, tools, weighed, word, now), before, now)
    if not same_stay:
        ruled["host_status"] = None
    return _changed(connection, tools, said, before, ruled, contact, now)


def _homeless(connection: Connection, host: HostId, row: Mapping[str, Any], name: str | None, now: datetime) -> None:
    """A booking of a property that is not known here gets no code: the host is told once of each such property."""
    if row["property_id"] is not None or row["status"] != StayStatus.CONFIRMED:
        return
    facts = {
        "platform": row["platform"],
        "property_ref": row["property_ref"],
        "property_name": name or row["property_ref"],
        "guest_name": row["guest_name"] or row["reservation_code"],
        "check_in": f"{row['arrival']:%a %d %b %Y}",
    }
    about = f"{row['platform']}:{row['property_ref']}"
    alarms.begin(connection, host, HostAlarm.PROPERTY_UNKNOWN, about, facts, now)


def _is_same_stay(before: StayRow, event: ReservationEvent, now: datetime) -> bool:
    """Whether the host's word on it still holds.

    Where a feed knows a stay by its last day only, another guest's stay may have taken its place.
    """
    moved = event.status is StayStatus.PENDING and event.arrival != before.arrival
    return before.host_status is not StayStatus.CONFIRMED or not moved or before.arrival <= now.date()


def _changed(
    connection: Connection,
    tools: Tools,
    said: Said,
    before: StayRow,
    row: Mapping[str, Any],
    contact: Contact,
    now: datetime,
) -> Applied:
    """Write down what is new; an answer that only says again what is known leaves nothing to write."""
    same_guest = replace(contact, marks=()) == replace(before.contact, marks=())
    if same_guest and not _differs(before, row, but=("changed_at",)):
        if contact != before.contact and not said.asked:
            stays.change(connection, tools.vault, before.id, {"changed_at": row["changed_at"]}, contact)
        return Applied(before.id, news=False)
    stays.change(connection, tools.vault, before.id, {**row, "plan_at": now}, contact)
    _settled(connection, before, row, now)
    if _differs(before, row, but=_SILENT):
        _tell(connection, before.host, before.id, "changed", _told(said.who, row), now)
        _homeless(connection, before.host, row, None, now)
    return Applied(before.id, news=True)


def _merged(before: StayRow | None, said: Said, event: ReservationEvent) -> Known:
    values = _values(event)
    at = event.changed_at or (EARLIEST.at if said.hint else said.at)
    mark = mark_of(at, event.status, values, said.at if said.asked else None)
    details = {} if before and before.erased else {name: getattr(event, name) for name in DETAILS}
    return merge(_known(before) if before else None, mark, values, details)


def _values(event: ReservationEvent) -> dict[str, Any]:
    """What a later statement replaces as a whole."""
    return {
        "platform": event.platform,
        "external_id": event.external_id,
        "reservation_ref": event.reservation_ref,
        "reservation_code": event.reservation_code,
        "booked_on": event.channel,
        "property_ref": event.property_ref,
        "status": event.status.value,
        "raw_status": event.raw_status,
        "arrival": event.arrival,
        "departure": event.departure,
        "check_in": event.check_in and event.check_in.isoformat("minutes"),
        "check_out": event.check_out and event.check_out.isoformat("minutes"),
        "check_in_from": event.check_in_from.value if event.check_in else None,
        "check_out_from": event.check_out_from.value if event.check_out else None,
        "owner_stay": event.owner_stay,
    }


_STATED = (
    "platform",
    "external_id",
    "reservation_ref",
    "reservation_code",
    "booked_on",
    "property_ref",
    "raw_status",
    "arrival",
    "departure",
    "check_in",
    "check_out",
    "check_in_from",
    "check_out_from",
    "owner_stay",
)


_SILENT = ("absent_count", "absent_since", "changed_at", "source_id", "check_in_from", "check_out_from")
"""What may change without being worth a line in the history."""


def _known(before: StayRow) -> Known:
    marks = {name: Mark(datetime.fromisoformat(said[0]), *said[1:]) for name, said in before.contact.marks}
    values = {name: getattr(before, name) for name in _STATED} | {"status": (before.said_status or before.status).value}
    details = {name: (_detail(before, name), marks[name]) for name in DETAILS if name in marks}
    return Known(marks.get("", EARLIEST), values, details)


def _detail(before: StayRow, name: str) -> Any:
    return getattr(before.contact if name in ("phone", "email", "platform_guest") else before, name)


def _row(
    connection: Connection, said: Said, known: Known, before: StayRow | None, now: datetime
) -> tuple[dict[str, Any], Contact]:
    values = known.values
    row = {
        **values,
        "property_id": _home(connection, said, values, before),
        "source_id": said.source or (before and before.source),
        "guest_name": known.detail("guest_name"),
        "guest_first_name": known.detail("guest_first_name"),
        "language": known.detail("language"),
        "changed_at": known.mark.at,
        "cancelled_at": min(known.mark.at, now) if _ends(values["status"]) else None,
        "absent_count": 0,
        "absent_since": None,
    }
    return row, _contact(known)


def _home(connection: Connection, said: Said, values: Mapping[str, Any], before: StayRow | None) -> PropertyId | None:
    """The property; one that is not known under the platform's name stays what it was as long as the name does."""
    found = hosts.find_property(connection, said.host, values["platform"], values["property_ref"])
    if found is None and before is not None and before.property_ref == values["property_ref"]:
        return before.property
    return found


def _contact(known: Known) -> Contact:
    marks = {"": known.mark} | {name: mark for name, (_, mark) in known.details.items()}
    plain = tuple((name, _stored(mark)) for name, mark in sorted(marks.items()))
    return Contact(known.detail("phone"), known.detail("email"), known.detail("platform_guest"), plain)


def _stored(mark: Mark) -> tuple[str, str, int, str]:
    return mark.at.isoformat(), mark.asked, mark.rank, mark.digest


def _ends(status: str) -> bool:
    return status in (StayStatus.CANCELLED, StayStatus.BLOCKED)


def _differs(before: StayRow, row: Mapping[str, Any], but: Sequence[str] = ()) -> bool:
    stored = asdict(before) | {"property_id": before.property, "source_id": before.source}
    return any(stored[name] != value for name, value in row.items() if name not in but)


# -------------------------------------------------------------------------------------------------- several sources


def _twin(connection: Connection, tools: Tools, said: Said, event: ReservationEvent) -> StayRow | None:
    """The stay that another source has told already: by code and a night in common, else by property and dates.

    Two APIs that show other codes on the same dates are two bookings; only a feed is matched by dates.
    """
    place = hosts.find_property(connection, said.host, event.platform, event.property_ref)
    named = stays.by_code(connection, tools.vault, said.host, event.reservation_code)
    by_code = [
        stay
        for stay in named
        if stay.reservation_code == event.reservation_code
        and _is_other(tools, stay, said, event)
        and place in (None, stay.property)
        and stay.arrival < event.departure
        and event.arrival < stay.departure
    ]
    if len(by_code) == 1:
        return stays.held(connection, tools.vault, by_code[0].id)
    if place is None:
        return None
    dated = stays.same_dates(connection, tools.vault, said.host, place, event.arrival, event.departure)
    live = [stay for stay in dated if _is_other(tools, stay, said, event) and not _ends(stay.status)]
    by_dates = [stay for stay in live if _is_feed(tools, event.platform) or _is_feed(tools, stay.platform)]
    free = _without_word_of(connection, said.source, by_dates)
    return stays.held(connection, tools.vault, free[0].id) if len(free) == 1 else None


def _is_feed(tools: Tools, platform: str) -> bool:
    return platform not in TOLD_BY and tools.platforms[platform].feed is not None


def _is_other(tools: Tools, stay: StayRow, said: Said, event: ReservationEvent) -> bool:
    """Whether another source tells it; the rooms of one booking share code and dates and are stays of their own."""
    if stay.platform != event.platform:
        return True
    return _is_feed(tools, event.platform) and stay.source != said.source


def _without_word_of(connection: Connection, source: SourceId | None, found: Sequence[StayRow]) -> list[StayRow]:
    known = sources.sightings_of(connection, [stay.id for stay in found])
    return [stay for stay in found if all(word.source != source for word in known.get(stay.id, ()))]


def _second_word(
    connection: Connection, tools: Tools, said: Said, stay: StayId, event: ReservationEvent, now: datetime
) -> Applied | None:
    """Note what a second source says; what it alone knows of the guest is taken, the rest is compared."""
    word = SightingRow(
        host=said.host,
        stay=stay,
        source=said.source,
        platform=event.platform,
        external_id=event.external_id,
        status=event.status,
        arrival=event.arrival,
        departure=event.departure,
        said_at=said.at,
    )
    before = stays.held(connection, tools.vault, stay)
    sources.save_sighting(connection, word)
    completed = _completed(before, event)
    if completed != before.contact:
        stays.change(connection, tools.vault, stay, {"plan_at": now}, completed)
    return Applied(stay, reconsider(connection, tools, stay, now) or completed != before.contact)


def _completed(before: StayRow, event: ReservationEvent) -> Contact:
    contact, marks = before.contact, dict(before.contact.marks)
    for name in ("phone", "email"):
        if getattr(contact, name) is None and getattr(event, name) is not None:
            contact = replace(contact, **{name: getattr(event, name)})
            marks[name] = _stored(EARLIEST)
    return replace(contact, marks=tuple(sorted(marks.items())))


def _taken_over(
    connection: Connection, tools: Tools, said: Said, twin: StayRow, event: ReservationEvent, now: datetime
) -> Applied:
    """A better source tells the stay from now on; the one that told it first becomes the second."""
    first = SightingRow(
        host=twin.host,
        stay=twin.id,
        source=twin.source,
        platform=twin.platform,
        external_id=twin.external_id,
        status=twin.said_status or twin.status,
        arrival=twin.arrival,
        departure=twin.departure,
        said_at=twin.changed_at or said.at,
    )
    sources.save_sighting(connection, first)
    old = {name: (value, EARLIEST) for name in DETAILS if (value := _detail(twin, name)) is not None}
    fresh = _merged(None, said, event)
    known = replace(fresh, details={**old, **fresh.details})
    row, contact = _row(connection, said, known, None, now)
    ruling = _ruling(connection, tools, twin, Word(said.who, row["status"], row["arrival"], row["departure"]), now)
    _tell(connection, twin.host, twin.id, "told_by", f"{said.who} tells this stay from now on", now)
    row["property_id"] = row["property_id"] or twin.property
    return _changed(connection, tools, said, twin, _ruled(row, ruling, twin, now), contact, now)


def withdraw(connection: Connection, tools: Tools, said: Said, stay: StayRow, why: str, now: datetime) -> bool:
    """The source that rules a stay has it no more. As soon as it shows it again, it is as if nothing had been."""
    word = Word(said.who, StayStatus.CANCELLED, stay.arrival, stay.departure)
    row = {"status": StayStatus.CANCELLED.value, "raw_status": why, "cancelled_at": now}
    ruled = _ruled(row, _ruling(connection, tools, stay, word, now), stay, now)
    if not _differs(stay, ruled):
        return False
    stays.set_values(connection, stay.id, {**ruled, "plan_at": now})
    _settled(connection, stay, ruled, now)
    _tell(connection, stay.host, stay.id, "changed", f"{said.who}: {why}", now)
    return True


async def decide(tools: Tools, host: HostId, stay: StayId, status: StayStatus | None, now: datetime) -> bool:
    """The host's own word on a stay: CONFIRMED, CANCELLED, or None – what the sources say. False: not their stay."""
    return await transact(tools, lambda c: _decide(c, tools, host, stay, status, now))


_DECIDED = {
    StayStatus.CONFIRMED: "the host has confirmed the stay",
    StayStatus.CANCELLED: "the host has cancelled the stay",
    None: "the host leaves it to the sources again",
}


def _decide(
    connection: Connection, tools: Tools, host: HostId, stay: StayId, status: StayStatus | None, now: datetime
) -> bool:
    if stays.get(connection, tools.vault, host, stay) is None:
        return False
    stays.set_values(connection, stay, {"host_status": status.value if status else None})
    _tell(connection, host, stay, "decided", _DECIDED[status], now)
    reconsider(connection, tools, stay, now)
    return True


def reconsider(connection: Connection, tools: Tools, stay: StayId, now: datetime) -> bool:
    """Weigh again what the host and the sources say of a stay. True when something else holds now."""
    before = stays.held(connection, tools.vault, stay)
    first = Word(_who(connection, tools, before), before.said_status or before.status, before.arrival, before.departure)
    row = _ruled({"status": first.status.value}, _ruling(connection, tools, before, first, now), before, now)
    if not _differs(before, row):
        return False
    stays.set_values(connection, stay, {**row, "plan_at": now})
    _settled(connection, before, row, now)
    if row["status"] != before.status:
        _tell(connection, before.host, stay, "changed", f"the stay is {row['status']} now", now)
    return True


def _who(connection: Connection, tools: Tools, stay: StayRow) -> str:
    if stay.source is not None:
        return sources.by_ids(connection, tools.vault, [stay.source])[stay.source].name
    return TOLD_BY.get(stay.platform) or tools.platforms[stay.platform].title


def _ruling(connection: Connection, tools: Tools, stay: StayRow, first: Word, now: datetime) -> Ruling:
    words = sources.sightings_of(connection, [stay.id]).get(stay.id, [])
    known = sources.by_ids(connection, tools.vault, {word.source for word in words if word.source is not None})
    others = [
        Word(known[word.source].name, word.status, word.arrival, word.departure)
        for word in words
        if word.source is not None and _is_current(known[word.source], now)
    ]
    return rule(replace(first, status=StayStatus(first.status)), others, stay.host_status)


def _is_current(source: SourceRow, now: datetime) -> bool:
    return source.state == CONNECTED and (source.read_at is None or now - source.read_at < GOOD_FOR)


def _ruled(row: Mapping[str, Any], ruling: Ruling, before: StayRow, now: datetime) -> dict[str, Any]:
    """The row with what holds in the place of what the first source says."""
    said = StayStatus(row["status"])
    ended = (row.get("cancelled_at") or before.cancelled_at or now) if _ends(ruling.status) else None
    return {
        **row,
        "status": ruling.status.value,
        "said_status": said.value if said is not ruling.status else None,
        "disagreement": ruling.disagreement,
        "disagreed_at": (before.disagreed_at or now) if ruling.disagreement else None,
        "cancelled_at": ended,
    }


def _settled(connection: Connection, before: StayRow, row: Mapping[str, Any], now: datetime) -> None:
    """What the host was worried about and is over: two sources that disagreed, a stay that nobody showed."""
    about = f"stay-{before.id}"
    if before.disagreement is not None and row["disagreement"] is None:
        alarms.end(connection, before.host, HostAlarm.SOURCES_DISAGREE, about, now)
    if before.absent_count and row.get("absent_count") == 0:
        alarms.end(connection, before.host, HostAlarm.STAY_MISSING, about, now)


def weigh_again(connection: Connection, tools: Tools, now: datetime) -> int:
    """Weigh the stays whose sources disagree: one may have fallen silent. What lasts is told to the host. How many."""
    found = stays.disagreed(connection, now)
    for stay, since in found:
        reconsider(connection, tools, stay, now)
        if since is not None and now - since >= PATIENCE:
            _dispute(connection, stays.held(connection, tools.vault, stay), now)
    return len(found)


def _dispute(connection: Connection, stay: StayRow, now: datetime) -> None:
    """Two sources do not come to agree: the host decides; nothing is deleted for it."""
    if stay.disagreement is None:
        return
    facts = {
        "guest_name": stay.guest_name or stay.reservation_code,
        "reservation_code": stay.reservation_code,
        "stay": str(stay.id),
        "disagreement": stay.disagreement,
    }
    alarms.begin(connection, stay.host, HostAlarm.SOURCES_DISAGREE, f"stay-{stay.id}", facts, now)


def _told(who: str, row: Mapping[str, Any]) -> str:
    begins, ends = (row[name] or "(usual time)" for name in ("check_in", "check_out"))
    times = f"{row['arrival']} {begins} to {row['departure']} {ends}"
    status, raw = row.get("said_status") or row["status"], row["raw_status"]
    why = f"{who} says {status}{f' ({raw})' if raw not in ('', status) else ''}: {times}"
    if row["property_id"] is None:
        why += "; the property is not known here"
    return why


def _tell(connection: Connection, host: HostId, stay: StayId, kind: str, why: str, now: datetime) -> None:
    journal.write(connection, [Entry(now, host, kind, why, stay)])


def adopt_property(connection: Connection, host: HostId, platform: str, previous: str, ref: str, now: datetime) -> bool:
    """The platform names a property otherwise from now on. False when the old name is not known here."""
    place: PropertyId | None = hosts.find_property(connection, host, platform, previous)
    if place is None:
        return False
    name_property(connection, host, place, platform, ref, now)
    return True


def name_property(
    connection: Connection, host: HostId, place: PropertyId, platform: str, ref: str, now: datetime
) -> None:
    """Note how a platform names a property; stays that came before get it."""
    hosts.add_property_ref(connection, host, place, platform, ref)
    stays.adopt_orphans(connection, host, platform, ref, place, now)
    alarms.end(connection, host, HostAlarm.PROPERTY_UNKNOWN, f"{platform}:{ref}", now)
