"""From stays to wanted codes: gather what is known, let the domain decide, write it down (R2–R4, R8–R19, R30, R44)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from lockbridge.domain import book, naming, pins
from lockbridge.domain.backup import given_until
from lockbridge.domain.book import Booked, Decided, Decision, LockBook, PropertyFacts
from lockbridge.domain.code import CodeKind, Pin
from lockbridge.domain.ids import CodeId, HostId, LockId, PlacementId, PropertyId, StayId
from lockbridge.domain.messages import GuestMessage, HostAlarm, message_key
from lockbridge.domain.placement import Ended, Placement
from lockbridge.domain.retry import next_healthcheck
from lockbridge.domain.rules import Trigger
from lockbridge.domain.stay import StaySpan, chains
from lockbridge.storage import codes, hosts, journal, locks, outbox, stays
from lockbridge.storage.codes import CodeRow, Placed
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.journal import Entry
from lockbridge.storage.locks import LockRow
from lockbridge.storage.outbox import NewMessage
from lockbridge.storage.rows import index_pin, seal_pin
from lockbridge.storage.stays import StayRow
from lockbridge.workflows import alarms, rules
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.rules import Chain, Rules

LOOK_BACK = timedelta(days=3)
"""Stays that departed longer ago than this have nothing left to decide (buffers and deletion delay included)."""


@dataclass(slots=True)
class Written:
    """What a run decided, collected to be written in a few batches."""

    new_codes: list[dict[str, Any]] = field(default_factory=list)
    changed_codes: list[dict[str, Any]] = field(default_factory=list)
    added: dict[HostId, list[Placement]] = field(default_factory=lambda: defaultdict(list))
    rewished: dict[HostId, list[Placement]] = field(default_factory=lambda: defaultdict(list))
    planned: dict[StayId, dict[str, Any]] = field(default_factory=dict)
    told: dict[CodeId, bytes] = field(default_factory=dict)
    """Which digits (by index) the guests of these codes were told last: they will try them on a new lock too."""
    messages: list[NewMessage] = field(default_factory=list)
    silenced: set[StayId] = field(default_factory=set)
    replanned: set[StayId] = field(default_factory=set)
    """Stays that may have messages from before; those that were not planned again are not sent."""
    rewritten: set[StayId] = field(default_factory=set)
    """Stays whose platforms may hold a door code that is another now."""
    history: list[Entry] = field(default_factory=list)
    poked: dict[LockId, datetime] = field(default_factory=dict)
    troubled: list[tuple[HostId, StayId, dict[str, Any]]] = field(default_factory=list)

    def poke(self, lock: LockId, at: datetime) -> None:
        """Have the lock looked after no later than ``at``."""
        self.poked[lock] = min(at, self.poked.get(lock, at))


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything the decisions of one run are made from."""

    places: Mapping[PropertyId, PropertyRow]
    facts: Mapping[PropertyId, PropertyFacts]
    rules: Mapping[PropertyId, Rules]
    """By which their guests are written to."""
    stays: Mapping[PropertyId, Sequence[StayRow]]
    codes: Mapping[CodeId, CodeRow]
    placements: Mapping[CodeId, Sequence[Placed]]
    books: Mapping[LockId, LockBook]
    backups: Mapping[StayId, Sequence[Placed]]
    """The backup codes that were given to these stays."""
    told: Mapping[CodeId, Mapping[PlacementId, bytes]]
    """On which locks guests were told digits, and which (by index), former locks included."""
    homeless: Sequence[StayRow]
    """Due stays of properties that are not known here."""
    several: frozenset[tuple[HostId, str]]


async def book_due(tools: Tools, now: datetime, limit: int = 500) -> int:
    """Plan the stays that are due for it. How many."""
    return await transact(tools, partial(_book_due, tools=tools, now=now, limit=limit))


def _book_due(connection: Connection, tools: Tools, now: datetime, limit: int) -> int:
    due = stays.due_for_planning(connection, now, limit)
    if due:
        book_stays(connection, tools, due, now)
    return len(due)


def book_stays(
    connection: Connection, tools: Tools, due: Sequence[tuple[StayId, PropertyId | None]], now: datetime
) -> None:
    """Decide for these stays and write it down, in the caller's transaction."""
    gathered = _gather(connection, tools, due, now)
    mine = {stay for stay, _ in due}
    groups = sorted(_chains_due(gathered, mine, now), key=lambda chain: not _owns_code(gathered, chain[1]))
    run = _Run(tools, gathered, now, iter(codes.reserve_ids(connection, len(groups))))
    for row in gathered.homeless:
        run.leave_property(row)
    for property_row, group in groups:
        run.book_chain(property_row, group)
    _write(connection, tools, run.written, mine, now)


# ------------------------------------------------------------------------------------------------------------ gather


def _gather(
    connection: Connection, tools: Tools, due: Sequence[tuple[StayId, PropertyId | None]], now: datetime
) -> Gathered:
    mine = [stay for stay, _ in due]
    wanted = {place for _, place in due if place is not None} | stays.properties_sharing_codes(connection, mine)
    hosts.guard_properties(connection, wanted)
    lock_rows = _locks_of(connection, wanted)
    codes.guard_locks(connection, {lock.id for group in lock_rows.values() for lock in group})
    found = stays.of_properties(connection, tools.vault, wanted, (now - LOOK_BACK).date(), mine)
    known_codes = {stay.code for stay in found if stay.code is not None}
    placements = codes.placements_of(connection, tools.vault, known_codes)
    places = hosts.properties(connection, wanted)
    by_place: dict[PropertyId, list[StayRow]] = defaultdict(list)
    for stay in found:
        if stay.property is not None:
            by_place[stay.property].append(stay)
    return Gathered(
        places,
        _facts(connection, tools, places, lock_rows),
        rules.by_place(connection, tools.policy, places.values()),
        by_place,
        codes.by_ids(connection, tools.vault, known_codes),
        placements,
        lock_books(connection, tools, {lock.id: lock for group in lock_rows.values() for lock in group}),
        codes.backups_given_to(connection, tools.vault, [stay.id for stay in found]),
        codes.told_of(connection, known_codes),
        [stay for stay in found if stay.property is None],
        _several(connection, found, now),
    )


def _locks_of(connection: Connection, properties: Collection[PropertyId]) -> dict[PropertyId, list[LockRow]]:
    matched = hosts.matches(connection, properties)
    rows = locks.by_ids(connection, {lock for _, lock in matched})
    found: dict[PropertyId, list[LockRow]] = defaultdict(list)
    for place, lock in matched:
        found[place].append(rows[lock])
    return found


def _facts(
    connection: Connection,
    tools: Tools,
    places: Mapping[PropertyId, PropertyRow],
    lock_rows: Mapping[PropertyId, Sequence[LockRow]],
) -> dict[PropertyId, PropertyFacts]:
    chosen = hosts.host_settings(connection, {place.host for place in places.values()})
    return {
        key: place.facts(
            tools.policy.codes.with_overrides(chosen[place.host]),
            tuple(lock.lock for lock in lock_rows.get(key, ())),
        )
        for key, place in places.items()
    }


def lock_books(connection: Connection, tools: Tools, rows: Mapping[LockId, LockRow]) -> dict[LockId, LockBook]:
    """Which digits and names are taken on these locks, by ours and by strangers' codes (R10, R14)."""
    books = {key: LockBook(row.lock, _indexer(tools, row.host)) for key, row in rows.items()}
    for mine in codes.on_locks(connection, rows):
        entries = books[mine.lock]
        entries.names.setdefault(mine.name.casefold(), set()).add(mine.code)
        if mine.pin_index is not None:
            entries.pins.setdefault(mine.pin_index, []).append((mine.window, mine.code))
    for stranger in locks.strangers_on(connection, tools.vault, rows):
        entries = books[stranger.lock]
        if stranger.name:
            entries.strange_names.add(stranger.name.casefold())
        if stranger.pin_index is not None:
            entries.strange_pins.add(stranger.pin_index)
    for key, entries in books.items():
        _note_shapes(connection, tools, key, entries)
    return books


def _indexer(tools: Tools, host: HostId) -> Any:
    return lambda pin: index_pin(tools.vault, pin, host)


def _note_shapes(connection: Connection, tools: Tools, lock: LockId, entries: LockBook) -> None:
    """Rules that look at the digits of other codes (R13) need them opened; few locks have such rules."""
    rules = entries.lock.capabilities.pin_rules
    if not (rules.one_length_per_lock or rules.unique_first_four):
        return
    strange = [stranger.pin for stranger in locks.strangers_on(connection, tools.vault, [lock])]
    held = [pin.digits for pin in (*codes.pins_on_lock(connection, tools.vault, lock), *strange) if pin is not None]
    if rules.one_length_per_lock and held:
        entries.held_length = len(held[0])
    if rules.unique_first_four:
        entries.first_fours = frozenset(digits[:4] for digits in held)


def _several(connection: Connection, found: Iterable[StayRow], now: datetime) -> frozenset[tuple[HostId, str]]:
    names: dict[HostId, set[str]] = defaultdict(set)
    for stay in found:
        if stay.guest_name and stay.code is None:
            names[stay.host].add(stay.guest_name)
    return frozenset(
        (host, name)
        for host, theirs in names.items()
        for name in stays.names_with_several(connection, host, theirs, now)
    )


# ------------------------------------------------------------------------------------------------------------ decide


def _chains_due(
    gathered: Gathered, due: Collection[StayId], now: datetime
) -> Iterable[tuple[PropertyRow, list[StayRow]]]:
    """The due stays in chains of one guest (R44), and those they share a code with; others stand alone."""
    shared = {row.code for rows in gathered.stays.values() for row in rows if row.id in due and row.code is not None}
    for key, rows in gathered.stays.items():
        if key not in gathered.places:
            continue
        place, facts = gathered.places[key], gathered.facts[key]
        by_id = {row.id: row for row in rows}
        spans, alone = _spans(rows, facts, now)
        groups = [[by_id[span.stay] for span in chain] for chain in chains(spans)]
        for group in (*groups, *([row] for row in alone)):
            if any(row.id in due or row.code in shared for row in group):
                yield place, group


def _owns_code(gathered: Gathered, group: Sequence[StayRow]) -> bool:
    """Whether a code was made for a stay of this group: where a chain falls apart, that part keeps it (R19, R44)."""
    ids = {row.id for row in group}
    return any(row.code in gathered.codes and gathered.codes[row.code].stay in ids for row in group if row.code)


def _spans(rows: Sequence[StayRow], facts: PropertyFacts, now: datetime) -> tuple[list[StaySpan], list[StayRow]]:
    """The stays that may belong together, and those that stand alone.

    One that is over still belongs to the guest's chain as long as a later one goes on with its code: the guest is in
    the house, and the digits must not change under them (R19, R44).
    """
    spans, alone, over = [], [], []
    for row in rows:
        booked = row.booked(owner_codes=facts.settings.owner_codes)
        if not book.wants_code(booked) or _impossible(booked, facts):
            alone.append(row)
        elif booked.window(facts).over(now):
            over.append((row, booked))
        else:
            spans.append((row.code, book.span(booked, facts)))
    going_on = {code for code, _ in spans if code is not None}
    alone.extend(row for row, _ in over if row.code not in going_on)
    before = [book.span(booked, facts) for row, booked in over if row.code in going_on]
    return [*before, *(span for _, span in spans)], alone


def _impossible(booked: Booked, facts: PropertyFacts) -> str | None:
    try:
        booked.window(facts)
    except ValueError as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of the decisions: what they are made from, and what they come to."""

    tools: Tools
    gathered: Gathered
    now: datetime
    new_codes: Iterator[CodeId]
    written: Written = field(default_factory=Written)
    used: set[CodeId] = field(default_factory=set)
    """Codes that belong to a chain of this run already: a chain that fell apart leaves its code to the first part."""

    def book_chain(self, place: PropertyRow, group: Sequence[StayRow]) -> None:
        facts, first = self.gathered.facts[place.id], group[0]
        owners = facts.settings.owner_codes
        booked = [
            row.booked(owner_codes=owners, several_stays=_has_several(row, group, self.gathered)) for row in group
        ]
        impossible = _impossible(booked[0], facts)
        if book.loses_code(booked[0]):
            self._withdraw(first)
        elif not book.wants_code(booked[0]) or impossible:
            self.written.planned[first.id] = _row(first.id, first.code, None, None, impossible)
            self._report(place, first, facts, impossible)
        else:
            before, surplus = self._before(group)
            decision = book.decide(booked, facts, before, self.gathered.books, self.tools.below, self.now)
            self._note(place, group, before, decision)
            for code in surplus:
                self._end(code, first.host, Ended.SUPERSEDED)

    def _before(self, group: Sequence[StayRow]) -> tuple[Decided, list[CodeId]]:
        """What was decided for the chain before, and codes of its other stays that are no longer needed (R44)."""
        known = [row.code for row in group if row.code in self.gathered.codes and row.code not in self.used]
        mine, *surplus = dict.fromkeys(code for code in known if code is not None) or [None]
        if mine is None:
            return Decided(next(self.new_codes), None, ""), []
        self.used.update((mine, *(code for code in surplus if code is not None)))
        code, placed = self.gathered.codes[mine], self.gathered.placements.get(mine, ())
        told = frozenset(self.gathered.told.get(mine, ()))
        before = Decided(code.id, code.pin, code.name, tuple(item.placement for item in placed), told)
        return before, [code for code in surplus if code is not None]

    def leave_property(self, row: StayRow) -> None:
        """The stay's property is not known here: what it had elsewhere comes off; its digits are kept for later."""
        if book.loses_code(self._booked(row)):
            self._withdraw(row)
            return
        shared = self._is_shared(row)
        trouble = "its property is not known here"
        self.written.planned[row.id] = _row(row.id, None if shared else row.code, None, None, trouble)
        if row.code is not None and not shared:
            self._end(row.code, row.host, Ended.MOVED)

    def _withdraw(self, row: StayRow) -> None:
        """A cancelled stay: its code comes off as R30 says, and nothing more is said to the guest."""
        self.written.silenced.add(row.id)
        self.written.rewritten.add(row.id)
        shared = self._is_shared(row)
        self.written.planned[row.id] = _row(row.id, None if shared else row.code, self._ends(row), None, None)
        if row.code is None or shared:
            return
        at, revoked = row.cancelled_at or self.now, row.revoked_at is not None
        for item in self.gathered.backups.get(row.id, ()):
            self.written.rewished[row.host].append(book.ended(item.placement, Ended.CANCELLED, self.now))
            self.written.poke(item.placement.lock, self.now)
        for item in self.gathered.placements.get(row.code, ()):
            ended = book.revoked(item.placement, self.now) if revoked else book.cancelled(item.placement, at)
            if ended != item.placement:
                self.written.rewished[row.host].append(ended)
                self.written.poke(ended.lock, max(ended.remove_at or self.now, self.now))
                what = "code was revoked; it" if revoked else "stay was cancelled; the code"
                why = f"the {what} is to come off at {alarms.moment(ended.remove_at or self.now)}"
                kind = "revoked" if revoked else "cancelled"
                self.written.history.append(Entry(self.now, row.host, kind, why, row.id, row.code, ended.lock))

    def _ends(self, row: StayRow) -> datetime | None:
        """When a stay without a code is over, so that it is forgotten in time (R45)."""
        facts = self.gathered.facts.get(row.property) if row.property is not None else None
        booked = self._booked(row)
        return booked.window(facts).ends if facts is not None and not _impossible(booked, facts) else None

    def _booked(self, row: StayRow) -> Booked:
        facts = self.gathered.facts.get(row.property) if row.property is not None else None
        return row.booked(owner_codes=facts is not None and facts.settings.owner_codes)

    def _is_shared(self, row: StayRow) -> bool:
        """Whether another live stay of the guest goes on with this code (R44)."""
        return row.code is not None and any(
            other.code == row.code and other.id != row.id and book.wants_code(self._booked(other))
            for rows in self.gathered.stays.values()
            for other in rows
        )

    def _end(self, code: CodeId, host: HostId, why: Ended) -> None:
        for item in self.gathered.placements.get(code, ()):
            if item.placement.ended is None:
                self.written.rewished[host].append(book.ended(item.placement, why, self.now))
                self.written.poke(item.placement.lock, self.now)

    def _note(self, place: PropertyRow, group: Sequence[StayRow], before: Decided, decision: Decision) -> None:
        """Collect one decision for writing."""
        first, code, window = group[0], decision.code, decision.window
        over = window is not None and window.over(self.now)
        again = next_healthcheck(self.now) if decision.trouble else decision.waiting_until
        unused = over and before.code not in self.gathered.codes
        for row in group:
            ends = window.ends if window else None
            self.written.planned[row.id] = _row(row.id, None if unused else code, ends, again, decision.trouble)
        if unused:
            return
        self._note_code(group, before, decision)
        self._note_placements(first.host, decision)
        self._note_corrections(place, first, before, decision)
        self._note_backups(group, window.ends)
        self._note_history(first, decision)
        self._report(place, first, self.gathered.facts[place.id], decision.trouble)
        if self.gathered.facts[place.id].locks and not (over and self._is_shared(first)):
            self._note_messages(place, group, decision)

    def _note_placements(self, host: HostId, decision: Decision) -> None:
        self.written.added[host].extend(decision.added)
        if known := self.gathered.told.get(decision.code):
            self.written.told[decision.code] = list(known.values())[-1]
        self.written.rewished[host].extend(decision.changed)
        for placement in (*decision.added, *decision.changed):
            due = placement.remove_at if placement.ended and placement.remove_at else placement.push_at
            self.written.poke(placement.lock, max(due, self.now))

    def _note_corrections(self, place: PropertyRow, first: StayRow, before: Decided, decision: Decision) -> None:
        """Digits chosen after the guest was told others, on one lock or after a move: a correction each (R11, R36)."""
        if not before.told:
            return
        kind, at = GuestMessage.CORRECTION.value, f"{self.now:%Y%m%dT%H%M%S%f}"
        fresh = [placement.lock for placement in decision.added if decision.pin is not None and placement.pin]
        for lock in dict.fromkeys((*(lock for lock, _ in decision.apart), *fresh)):
            key, about = message_key(kind, decision.code, lock, at), {"code": decision.code, "lock": lock}
            usual = NewMessage(first.host, key, kind, self.now, first.id, facts=about)
            holding = self.gathered.rules[place.id]
            self.written.messages.extend(rules.happened(holding, Trigger.CODE_CHANGED, usual))

    def _note_code(self, group: Sequence[StayRow], before: Decided, decision: Decision) -> None:
        old, first = self.gathered.codes.get(before.code), group[0]
        values = {
            "stay_id": first.id,
            **_pin_values(self.tools, decision, old),
            **_name_values(decision, old),
            "opens_at": decision.window.starts,
            "closes_at": decision.window.ends,
        }
        if old is None:
            known = {"id": decision.code, "host_id": first.host, "kind": CodeKind.GUEST.value, "created_at": self.now}
            self.written.new_codes.append(known | values)
        elif _code_differs(old, first, decision):
            self.written.changed_codes.append({"_id": decision.code, **values})
        if old is not None and (decision.added or decision.changed or _code_differs(old, first, decision)):
            self.written.rewritten.update(row.id for row in group)

    def _note_backups(self, group: Sequence[StayRow], ends: datetime | None) -> None:
        """A backup that was given to a stay works until the stay's window ends – also when that moves (R25)."""
        for row in group:
            for item in self.gathered.backups.get(row.id, ()):
                if ends is not None and item.placement.window.ends != ends and item.placement.ended is None:
                    self.written.rewished[row.host].append(given_until(item.placement, ends))
                    self.written.poke(item.placement.lock, self.now)

    def _note_history(self, first: StayRow, decision: Decision) -> None:
        code, said = decision.code, []
        if decision.waiting_until:
            said.append(("waiting", f"no phone number yet: waiting until {alarms.moment(decision.waiting_until)}"))
        if decision.pin is not None:
            said.append(("pin", pins.explain(decision.pin.reason, decision.pin.detail)))
        if decision.name is not None:
            said.append(("name", naming.because(decision.name)))
        self.written.history.extend(Entry(self.now, first.host, kind, why, first.id, code) for kind, why in said)
        for placement in decision.added:
            why = f"to be on the lock from {alarms.moment(placement.push_at)}"
            self.written.history.append(Entry(self.now, first.host, "planned", why, first.id, code, placement.lock))
        for placement in decision.changed:
            why = f"the code is {placement.ended} there" if placement.ended else "its window, PIN or name changed"
            self.written.history.append(Entry(self.now, first.host, "replanned", why, first.id, code, placement.lock))

    def _note_messages(self, place: PropertyRow, group: Sequence[StayRow], decision: Decision) -> None:
        """What the rules plan for the guest, each message under a key of its own (R36, R38)."""
        live = [*decision.added, *(item.placement for item in self.gathered.placements.get(decision.code, ()))]
        chain = Chain(
            place,
            group,
            decision.code,
            decision.window,
            set_from=max((placement.push_at for placement in live), default=self.now),
            fields=[row.id for row in group if self._has_field(row)],
        )
        self.written.messages.extend(rules.planned(chain, self.gathered.rules[place.id], self.now))
        self.written.replanned.update(row.id for row in group if row.code is not None)

    def _has_field(self, row: StayRow) -> bool:
        """Whether the platform that the stay comes from keeps the door code."""
        platform = self.tools.platforms.get(row.platform)
        return row.source is not None and platform is not None and platform.writes_codes

    def _report(self, place: PropertyRow, first: StayRow, facts: PropertyFacts, trouble: str | None) -> None:
        if trouble is None:
            return
        check_in = f"{first.arrival:%a %d %b %Y} {first.host_check_in or first.check_in or place.check_in} {place.zone}"
        about = {
            "guest_name": first.guest_name or first.reservation_code,
            "property_name": place.name,
            "lock_names": ", ".join(lock.name for lock in facts.locks),
            "check_in": check_in,
            "reason": trouble,
        }
        self.written.troubled.append((first.host, first.id, about))


def _has_several(row: StayRow, group: Sequence[StayRow], gathered: Gathered) -> bool:
    alone = sum(1 for other in group if other.guest_name == row.guest_name) < 2  # noqa: PLR2004 - one and another
    return alone and row.guest_name is not None and (row.host, row.guest_name) in gathered.several


def _code_differs(old: CodeRow, first: StayRow, decision: Decision) -> bool:
    window = decision.window
    return (
        decision.pin is not None
        or decision.name is not None
        or old.stay != first.id
        or (old.opens_at, old.closes_at) != (window.starts, window.ends)
    )


def _pin_values(tools: Tools, decision: Decision, old: CodeRow | None) -> dict[str, Any]:
    if decision.pin is None:
        pin, reason, detail = (old.pin, old.pin_reason, old.pin_detail) if old else (None, "", "")
    else:
        pin, reason, detail = decision.pin.pin, decision.pin.reason.value, decision.pin.detail
    return {"pin_sealed": seal_pin(tools.vault, pin), "pin_reason": reason, "pin_detail": detail}


def _name_values(decision: Decision, old: CodeRow | None) -> dict[str, Any]:
    if decision.name is None:
        name, reason, detail = (old.name, old.name_reason, old.name_detail) if old else ("", "", "")
    else:
        name, reason, detail = decision.name.name, decision.name.reason.value, decision.name.detail
    return {"name": name, "name_reason": reason, "name_detail": detail}


def _row(
    stay: StayId, code: CodeId | None, ends: datetime | None, again: datetime | None, trouble: str | None
) -> dict[str, Any]:
    return {"_id": stay, "code_id": code, "ends_at": ends, "plan_at": again, "trouble": trouble}


# ------------------------------------------------------------------------------------------------------------- write


def _write(connection: Connection, tools: Tools, written: Written, mine: Collection[StayId], now: datetime) -> None:
    codes.insert_codes(connection, written.new_codes)
    codes.change_codes(connection, written.changed_codes)
    for host, added in written.added.items():
        codes.insert_placements(connection, tools.vault, host, added, written.told)
    for host, changed in written.rewished.items():
        codes.rewish(connection, tools.vault, host, changed)
    stays.planned(connection, [{**row, "_mine": key in mine} for key, row in written.planned.items()])
    outbox.add(connection, written.messages, now)
    outbox.cancel_others(connection, written.replanned, {(each.host, each.key) for each in written.messages})
    outbox.cancel_unsent(connection, written.silenced)
    outbox.rewrite_fields(connection, written.rewritten, now)
    journal.write(connection, written.history)
    locks.poke_each(connection, written.poked)
    for host, stay, about in written.troubled:
        alarms.begin(connection, host, HostAlarm.PIN_SPACE_EXHAUSTED, f"stay-{stay}", about, now)


def other_pin(connection: Connection, tools: Tools, placement: Placement, rows: Mapping[LockId, LockRow]) -> Pin | None:
    """Digits that are free for this placement on all of these locks (R11); None when there are none left."""
    books = lock_books(connection, tools, rows)
    spaces = [entries.space(placement.window, placement.code) for entries in books.values()]
    length = len(placement.pin.digits) if placement.pin else tools.policy.codes.pin_length
    return pins.random_pin(pins.pin_length(length, spaces), spaces, tools.below)
