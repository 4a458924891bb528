"""Asking where stays come from: what changed, what a hint meant, what a calendar shows (a webhook is only a hint)."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache, partial
from secrets import token_hex
from typing import Any

from sqlalchemy import Connection

from lockbridge.contract import AccountRefused, ProviderError, RateLimited, Unreachable
from lockbridge.domain import feed
from lockbridge.domain.feed import Absence, KnownStay, Read, Shown, Verdict
from lockbridge.domain.ids import SourceId, StayId
from lockbridge.domain.messages import HostAlarm
from lockbridge.domain.retry import wait_for
from lockbridge.domain.stay import StayStatus, to_local, to_utc
from lockbridge.inbound import Unreadable
from lockbridge.platforms.contract import FeedRead, NoSuchReservation, Reservation, ReservationEvent, Wanted
from lockbridge.storage import hosts, journal, sources, stays
from lockbridge.storage.database import StorageUnavailable
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.journal import Entry
from lockbridge.storage.sources import AskedAgain, SightingRow, SourceRow
from lockbridge.storage.stays import Brief, StayRow
from lockbridge.workflows import alarms, reservations
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.reservations import Said

AT_ONCE = 8
"""How many sources one tick reads, and how many reservations it asks for at the same time."""
LEASE = timedelta(minutes=30)
OVERLAP = timedelta(minutes=5)
"""Changes are asked for from so long before the last read on: clocks differ, and lists are late."""
DAY = timedelta(days=1)
LOOK_BACK = 2 * DAY
LOOK_AHEAD = 30 * DAY
FIRST_LOOK_AHEAD = 540 * DAY
"""The first read of an account takes in every stay that is booked (R3)."""
MOST_REFUSALS = 8
"""So often a question that is refused is asked."""
ASK_THE_MISSING = timedelta(minutes=12)
"""Between two questions for a reservation that the platform says it does not have."""
PATIENCE_WITH_WEBHOOKS = timedelta(minutes=15)
BOOKED = frozenset({StayStatus.CONFIRMED, StayStatus.PENDING})
"""Of what a calendar shows for the first time only these are stays; the rest are closed days, or over."""
PAGE = 100
"""Stays that are written in one transaction: webhooks are not to wait for a long calendar."""


class _Unbelievable(Exception):
    """A read that could be understood and is not believed."""


async def read_due(tools: Tools, now: datetime) -> int:
    """Read the platforms and feeds that are due. How many."""
    lease = token_hex(8)
    claimed = await transact(tools, lambda c: sources.claim(c, now, now + LEASE, lease, AT_ONCE))
    rows = await tools.database.ask(sources.by_ids, tools.vault, claimed)
    await asyncio.gather(*(_read(tools, row, lease, now) for row in rows.values()))
    return len(claimed)


async def _read(tools: Tools, source: SourceRow, lease: str, now: datetime) -> None:
    """Read one source; whatever goes wrong stays with it."""
    platform = tools.platforms[source.platform]
    read = _read_feed if platform.feed else _read_account
    try:
        progress = await read(tools, source, now)
    except StorageUnavailable:
        raise
    except AccountRefused as error:
        reason = str(error)
        await transact(tools, lambda c: _refused(c, tools, source, reason, now))
        await transact(tools, lambda c: sources.finish(c, source.id, lease, {}))
    except Exception as error:  # noqa: BLE001 - one platform's bug must not keep the others from being read
        again = now + max(platform.poll_every, wait_for(source.failures, getattr(error, "retry_after", None)))
        reason = _reason(tools, source, error)
        await transact(tools, lambda c: _failed(c, tools, source, lease, reason, again, now))
    else:
        await transact(tools, lambda c: _succeeded(c, source, lease, progress, now, now + platform.poll_every))


def _reason(tools: Tools, source: SourceRow, error: Exception) -> str:
    """What went wrong, for people. Of a mistake of ours only its kind: its words may quote a guest."""
    if isinstance(error, ProviderError | Unreadable | _Unbelievable):
        return str(error)
    kind = type(error).__name__
    tools.log.error("a source could not be read", source=source.id, platform=source.platform, kind=kind)
    return f"our mistake ({kind})"


def _refused(connection: Connection, tools: Tools, source: SourceRow, reason: str, now: datetime) -> None:
    """The source does not let us in: it is asked nothing more until the host has connected it again."""
    if not sources.needs_person(connection, tools.vault, source, reason):
        return
    facts = {"source": str(source.id), "source_name": source.name, "reason": reason, "since": alarms.moment(now)}
    alarms.begin(connection, source.host, HostAlarm.SOURCE_DISCONNECTED, _about(source), facts, now)


def _failed(
    connection: Connection, tools: Tools, source: SourceRow, lease: str, reason: str, again: datetime, now: datetime
) -> None:
    failures = source.failures + 1
    values = {"failures": failures, "state_detail": reason, "next_at": again}
    if sources.finish(connection, source.id, lease, values) and failures >= feed.BAD_READS_TO_ALARM:
        facts = {
            "source_name": source.name,
            "reason": reason,
            "last_read": alarms.moment(source.read_at) if source.read_at else "never",
            "is_feed": tools.platforms[source.platform].feed is not None,
        }
        alarms.begin(connection, source.host, HostAlarm.SOURCE_UNREADABLE, _about(source), facts, now)


def _succeeded(
    connection: Connection, source: SourceRow, lease: str, progress: Mapping[str, Any], now: datetime, again: datetime
) -> None:
    values = {"progress": dict(progress), "read_at": now, "failures": 0, "state_detail": None, "next_at": again}
    if not sources.finish(connection, source.id, lease, values):
        return
    facts = {"source_name": source.name, "since": alarms.moment(now)}
    over = HostAlarm.SOURCE_READABLE
    alarms.end(connection, source.host, HostAlarm.SOURCE_UNREADABLE, _about(source), now, over=over, facts=facts)
    since = source.unannounced_since
    if since is not None and now - since >= PATIENCE_WITH_WEBHOOKS:
        facts = {"source_name": source.name, "platform": source.platform, "since": alarms.moment(since)}
        alarms.begin(connection, source.host, HostAlarm.WEBHOOKS_SILENT, _about(source), facts, now)


def _about(source: SourceRow) -> str:
    return f"source-{source.id}"


def _said(source: SourceRow, now: datetime) -> Said:
    return Said(source.host, now, source.name, source.id, asked=True)


# ------------------------------------------------------------------------------------------------------- an account


async def _read_account(tools: Tools, source: SourceRow, now: datetime) -> Mapping[str, Any]:
    """Ask what changed since the last time, or for everything once a day; how far it is read now."""
    wanted = _wanted(source, now)
    shown: set[str] = set()
    async for page in tools.sources.of(source).reservations(wanted):
        events = [each for each in page if isinstance(each, ReservationEvent)]
        shown.update(event.external_id for event in events)
        await transact(tools, partial(_take_page, tools=tools, source=source, events=events, now=now))
    if wanted.changed_since is not None:
        return {**source.progress, "since": now.isoformat()}
    await transact(tools, lambda c: _ask_for_missing(c, tools, source, shown, wanted, now))
    return {"since": now.isoformat(), "whole_at": now.isoformat()}


def _wanted(source: SourceRow, now: datetime) -> Wanted:
    whole_at = source.progress.get("whole_at")
    first = (now - LOOK_BACK).date()
    if whole_at is None:
        return Wanted(first, (now + FIRST_LOOK_AHEAD).date())
    last = (now + LOOK_AHEAD).date()
    if now - datetime.fromisoformat(whole_at) >= DAY:
        return Wanted(first, last)
    return Wanted(first, last, datetime.fromisoformat(source.progress["since"]) - OVERLAP)


def _take_page(
    connection: Connection, tools: Tools, source: SourceRow, events: Sequence[ReservationEvent], now: datetime
) -> None:
    """Apply a page of the list; what no webhook announced is noted."""
    said = _said(source, now)
    applied = [(event, reservations.apply(connection, tools, said, event, now)) for event in events]
    news = [(event.ref, change.stay) for event, change in applied if change is not None and change.news]
    if news and "since" in source.progress and sources.has_hook(connection, source.id):
        expected = sources.asked_refs(connection, source.id)
        _unannounced(connection, source, [stay for ref, stay in news if ref not in expected], now)


def _unannounced(connection: Connection, source: SourceRow, found: Collection[StayId], now: datetime) -> None:
    if not found:
        return
    sources.note_unannounced(connection, source.id, now)
    why = f"found by asking {source.name}: no webhook has announced it"
    journal.write(connection, [Entry(now, source.host, "unannounced", why, stay) for stay in found])


def _ask_for_missing(
    connection: Connection, tools: Tools, source: SourceRow, shown: Collection[str], wanted: Wanted, now: datetime
) -> None:
    """Stays that the whole list does not show: each is asked for by its name, which alone may say that it is gone."""
    known = stays.of_source(connection, tools.vault, source.id, wanted.first)
    missing = [
        stay
        for stay in known
        if stay.external_id not in shown and stay.arrival <= wanted.last and stay.status is not StayStatus.CANCELLED
    ]
    sources.ask_again(connection, source.host, source.id, {stay.api_ref() for stay in missing}, now, now)


# ------------------------------------------------------------------------------------------------- one reservation


async def ask_due(tools: Tools, now: datetime, limit: int = 50) -> int:
    """Ask for the reservations that hints named. How many."""
    lease = token_hex(8)
    asked = await transact(tools, lambda c: sources.claim_asked(c, now, now + LEASE, lease, limit))
    rows = await tools.database.ask(sources.by_ids, tools.vault, {each.source for each in asked})
    asking = _Asking(lease, asyncio.Semaphore(AT_ONCE))
    await asyncio.gather(*(_ask(tools, rows[each.source], each, asking, now) for each in asked))
    return len(asked)


@dataclass(frozen=True, slots=True)
class _Asking:
    """What the questions of one tick share."""

    lease: str
    gate: asyncio.Semaphore
    resting: dict[SourceId, datetime] = field(default_factory=dict)
    """Sources that want fewer questions, and until when none is asked."""

    async def ask(self, tools: Tools, source: SourceRow, ref: str, now: datetime) -> Reservation:
        """The answer. Raises ProviderError."""
        async with self.gate:
            if source.id in self.resting:
                msg = f"{source.name} asks for fewer calls"
                raise RateLimited(msg, self.resting[source.id] - now)
            return await tools.sources.of(source).reservation(ref)


async def _ask(tools: Tools, source: SourceRow, asked: AskedAgain, asking: _Asking, now: datetime) -> None:
    """Ask for one reservation and apply the answer; a question that fails is asked again later."""
    lease = asking.lease
    try:
        answer = await asking.ask(tools, source, asked.ref, now)
    except NoSuchReservation:
        await transact(tools, lambda c: _not_there(c, tools, source, asked, lease, now))
    except StorageUnavailable:
        raise
    except AccountRefused as error:
        reason = str(error)
        await transact(tools, lambda c: _refused(c, tools, source, reason, now))
        await transact(tools, lambda c: sources.ask_later(c, asked, lease, now, reason))
    except Exception as error:  # noqa: BLE001 - one answer's bug must not keep the others from being asked for
        later = now + wait_for(asked.attempts, getattr(error, "retry_after", None))
        reason, passes = _reason(tools, source, error), isinstance(error, Unreachable | RateLimited)
        await transact(tools, lambda c: _not_answered(c, source, asked, lease, (reason, later, passes), now))
        if isinstance(error, RateLimited) and source.id not in asking.resting:
            asking.resting[source.id] = later
            await transact(tools, lambda c: sources.rest(c, source.id, later))
    else:
        await transact(tools, lambda c: _answered(c, tools, source, asked, answer, lease, now))


def _not_answered(
    connection: Connection,
    source: SourceRow,
    asked: AskedAgain,
    lease: str,
    why: tuple[str, datetime, bool],
    now: datetime,
) -> None:
    """Ask again later; a question that is refused time and again is given up: the daily whole read covers it."""
    reason, later, passes = why
    if passes or asked.attempts < MOST_REFUSALS:
        sources.ask_later(connection, asked, lease, later, reason)
        return
    sources.answered(connection, asked, lease)
    text = f"{source.name} does not answer for reservation {asked.ref}: {reason}"
    journal.write(connection, [Entry(now, source.host, "notice.reservation.unanswered", text)])


def _answered(
    connection: Connection,
    tools: Tools,
    source: SourceRow,
    asked: AskedAgain,
    answer: Reservation,
    lease: str,
    now: datetime,
) -> None:
    """The reservation as it is; a room that is no part of it any more is cancelled."""
    if not answer:
        _not_there(connection, tools, source, asked, lease, now)
        return
    if not sources.answered(connection, asked, lease):
        return
    said = _said(source, now)
    before = stays.of_reservation(connection, tools.vault, source.id, asked.ref)
    left = _renamed(connection, before, answer)
    for event in answer:
        reservations.apply(connection, tools, said, event, now)
    for stay in left:
        reservations.withdraw(connection, tools, said, stay, "no longer part of the booking", now)


def _renamed(connection: Connection, before: Sequence[StayRow], answer: Reservation) -> list[StayRow]:
    """Stays of the booking that it shows no more. One that only goes by another name now takes that name.

    Platforms name the rooms of a booking anew when their number changes; the guest's code must not change for it.
    """
    known = {stay.external_id for stay in before}
    new = [event for event in answer if event.external_id not in known]
    there = {event.external_id for event in answer}
    left = []
    for stay in before:
        if stay.external_id in there or stay.status is StayStatus.CANCELLED:
            continue
        same_home = [event for event in new if event.property_ref == stay.property_ref]
        heir = next(iter(same_home or (new if len(answer) == 1 else [])), None)
        if heir is None:
            left.append(stay)
        else:
            new.remove(heir)
            stays.set_values(connection, stay.id, {"external_id": heir.external_id})
    return left


def _not_there(
    connection: Connection, tools: Tools, source: SourceRow, asked: AskedAgain, lease: str, now: datetime
) -> None:
    """The platform says it has no such reservation: believed when it says so often and long enough."""
    known = [
        stay
        for stay in stays.of_reservation(connection, tools.vault, source.id, asked.ref)
        if stay.status is not StayStatus.CANCELLED
    ]
    unsure = not known and asked.attempts < feed.READS_TO_BE_GONE - 1
    open_questions = [stay for stay in known if not _is_gone(connection, tools, source, stay, now)]
    if open_questions or unsure:
        sources.ask_later(connection, asked, lease, now + ASK_THE_MISSING, "the platform has no such reservation")
    else:
        sources.answered(connection, asked, lease)


def _is_gone(connection: Connection, tools: Tools, source: SourceRow, stay: StayRow, now: datetime) -> bool:
    """Count one more absence of a stay. True when nothing is left to ask: it is cancelled, or its guest is there."""
    if stay.departure < (now - DAY).date():
        return True
    absence = Absence(stay.absent_count + 1, stay.absent_since or now)
    if not absence.agreed(now):
        stays.set_values(connection, stay.id, {"absent_count": absence.count, "absent_since": absence.since})
        return False
    if _has_begun(connection, stay, now):
        stays.set_values(connection, stay.id, {"absent_count": absence.count, "absent_since": absence.since})
        _tell_missing(connection, source, stay, now)
    else:
        why = "the platform has it no more"
        reservations.withdraw(connection, tools, _said(source, now), stay, why, now)
    return True


def _has_begun(connection: Connection, stay: StayRow, now: datetime) -> bool:
    place = hosts.properties(connection, [stay.property])[stay.property] if stay.property is not None else None
    zone = place.zone if place else "UTC"
    return _opens(stay.arrival, zone) <= now


@lru_cache(maxsize=4096)
def _opens(arrival: date, zone: str) -> datetime:
    """From when on a guest is taken to be in the house: the first moment of the day, so as never to be too late."""
    return to_utc(arrival, time(), zone)


def _tell_missing(connection: Connection, source: SourceRow, stay: StayRow, now: datetime) -> None:
    facts = {
        "guest_name": stay.guest_name or stay.reservation_code,
        "reservation_code": stay.reservation_code,
        "source_name": source.name,
        "stay": str(stay.id),
    }
    alarms.begin(connection, source.host, HostAlarm.STAY_MISSING, f"stay-{stay.id}", facts, now)


# ------------------------------------------------------------------------------------------------------------ a feed


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What is known of a feed's stays: those it rules and those that another source rules, by key."""

    stays: Mapping[str, StayId]
    sighted: Mapping[str, StayId]
    known: Sequence[KnownStay]
    counted: Sequence[KnownStay]
    """Those whose absence would be odd: all but those that their own source says are over."""


async def _read_feed(tools: Tools, source: SourceRow, now: datetime) -> Mapping[str, Any]:
    """Fetch a calendar and reconcile it with what is known of it; how far it is read now."""
    place = await tools.database.ask(_place, source)
    today = to_local(now, place.zone).date()
    settings = {**source.settings, "zone": place.zone, "property": str(source.id)}
    reader = tools.sources.feed(replace(source, settings=hosts.Credentials(settings)))
    read = await reader.read(source.progress.get("validators", {}), today)
    marks = source.progress.get("marks", {})
    shelf = await tools.database.ask(_shelf, source, place, marks, today)
    if read is None:
        await _follow(tools, source, shelf, feed.unchanged(shelf.known, now, today), {}, now)
        return source.progress
    shown = _shown(tools, source, read)
    events = {event.external_id: event for event in read.events}
    verdict = feed.reconcile(shelf.known, shown, now, today)
    if (why := feed.suspicious(shelf.counted, shown, today)) is not None:
        await _follow(
            tools, source, shelf, Verdict(verdict.upserts, first_arrivals=verdict.first_arrivals), events, now
        )
        raise _Unbelievable(why)
    await _follow(tools, source, shelf, verdict, events, now)
    return {
        "validators": dict(read.validators),
        "marks": {key: each.mark for key, each in shown.shown.items()},
        "publisher": read.publisher,
        "unattended": read.unattended,
        "remarks": list(read.remarks)[:20],
    }


def _place(connection: Connection, source: SourceRow) -> PropertyRow:
    assert source.property is not None  # noqa: S101 - a feed is connected for a property
    return hosts.properties(connection, [source.property])[source.property]


def _shown(tools: Tools, source: SourceRow, read: FeedRead) -> Read:
    """The read as reconciling sees it; a mark tells no reader of the database what an event says."""
    shown = {
        event.external_id: Shown(event.arrival, event.departure, _mark(tools, source, event)) for event in read.events
    }
    return Read(shown, read.unclear)


def _mark(tools: Tools, source: SourceRow, event: ReservationEvent) -> str:
    return tools.vault.index(feed.fingerprint(event), f"feed {source.id}").hex()[:16]


def _shelf(
    connection: Connection, source: SourceRow, place: PropertyRow, marks: Mapping[str, str], today: date
) -> _Shelf:
    prefix = f"{source.id}:"
    ruled = stays.brief_of_source(connection, source.id, today - DAY)
    words = sources.sightings_by(connection, source.id, today - DAY)
    every: list[Brief | SightingRow] = [*ruled, *words]
    known = []
    for each in every:
        key = each.external_id.removeprefix(prefix)
        absence = Absence(each.absent_count, each.absent_since) if each.absent_since else None
        opens = _opens(each.arrival, place.zone)
        known.append(KnownStay(key, each.arrival, each.departure, opens, each.status, absence, marks.get(key, "")))
    sighted = {each.external_id.removeprefix(prefix): each.stay for each in words}
    over = stays.withdrawn_by_first(connection, sighted.values())
    return _Shelf(
        {each.external_id.removeprefix(prefix): each.stay for each in ruled},
        sighted,
        known,
        [each for each in known if sighted.get(each.key) not in over],
    )


async def _follow(
    tools: Tools,
    source: SourceRow,
    shelf: _Shelf,
    verdict: Verdict,
    events: Mapping[str, ReservationEvent],
    now: datetime,
) -> None:
    """Do what the verdict says, a page of stays in each transaction."""
    known = {**shelf.stays, **shelf.sighted}
    wanted = [key for key in verdict.upserts if key in known or events[key].status in BOOKED]
    upserts = [_scoped(source, key, events[key], verdict.first_arrivals.get(key)) for key in wanted]
    for start in range(0, len(upserts), PAGE):
        page = upserts[start : start + PAGE]
        await transact(tools, partial(_take_events, tools=tools, source=source, page=page, now=now))
    if verdict.absences or verdict.gone or verdict.started_missing or verdict.back:
        await transact(tools, lambda c: _note_absent(c, tools, source, shelf, verdict, now))


def _scoped(source: SourceRow, key: str, event: ReservationEvent, arrival: date | None) -> ReservationEvent:
    """Keys are unique within a feed only."""
    return replace(event, external_id=f"{source.id}:{key}", arrival=arrival or event.arrival)


def _take_events(
    connection: Connection, tools: Tools, source: SourceRow, page: Sequence[ReservationEvent], now: datetime
) -> None:
    for event in page:
        reservations.apply(connection, tools, _said(source, now), event, now)


def _note_absent(
    connection: Connection, tools: Tools, source: SourceRow, shelf: _Shelf, verdict: Verdict, now: datetime
) -> None:
    for key, absence in {**verdict.absences, **verdict.started_missing}.items():
        _set_absence(connection, source, shelf, key, absence)
    for key in verdict.gone:
        _gone(connection, tools, source, shelf, key, now)
    for key in verdict.started_missing:
        if key in shelf.stays:
            _tell_missing(connection, source, stays.held(connection, tools.vault, shelf.stays[key]), now)
        else:
            _gone(connection, tools, source, shelf, key, now)
    for key in verdict.back:
        if key in shelf.stays:
            alarms.end(connection, source.host, HostAlarm.STAY_MISSING, f"stay-{shelf.stays[key]}", now)


def _set_absence(connection: Connection, source: SourceRow, shelf: _Shelf, key: str, absence: Absence) -> None:
    values = {"absent_count": absence.count, "absent_since": absence.since}
    if key in shelf.stays:
        stays.set_values(connection, shelf.stays[key], values)
    else:
        sources.set_sighting(connection, source.id, f"{source.id}:{key}", values)


def _gone(connection: Connection, tools: Tools, source: SourceRow, shelf: _Shelf, key: str, now: datetime) -> None:
    if key in shelf.stays:
        stay = stays.held(connection, tools.vault, shelf.stays[key])
        reservations.withdraw(connection, tools, _said(source, now), stay, "the calendar shows it no more", now)
    else:
        sources.set_sighting(connection, source.id, f"{source.id}:{key}", {"status": StayStatus.CANCELLED.value})
        reservations.reconsider(connection, tools, shelf.sighted[key], now)
