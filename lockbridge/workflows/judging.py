"""What is to be done with a message now: sent, and by which ways, or held, replaced or dropped, and why (R35–R37)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from lockbridge.domain import rules as ruling
from lockbridge.domain.ids import HostId, MessageId, PlacementId, PropertyId, SourceId, StayId
from lockbridge.domain.messages import GuestMessage, SendAs, StayFacts, at_send_time, short_code_values
from lockbridge.domain.rules import By, Rule, Trigger
from lockbridge.domain.stay import StayStatus
from lockbridge.messaging.render import Text
from lockbridge.storage import codes, hosts, outbox, rules, sources, stays
from lockbridge.storage.codes import CodeRow, Placed
from lockbridge.storage.hosts import HostHook, PropertyRow
from lockbridge.storage.outbox import MessageRow, Telling
from lockbridge.storage.rules import Texts
from lockbridge.storage.sources import SourceRow
from lockbridge.storage.stays import StayRow
from lockbridge.workflows import deliver
from lockbridge.workflows.ports import Tools
from lockbridge.workflows.rules import Rules, by_place
from lockbridge.workflows.wording import Doors, Words, doors_of, speak_of_staff, stay_facts, words

BACKUP_AHEAD = timedelta(hours=24)
"""A backup works as soon as it is known: it is given no earlier than this before the door opens."""
GIVING = timedelta(minutes=1)
"""How long a backup that is to be given at the opening may take; without one the guest hears the code itself (R36)."""
RECHECK = timedelta(minutes=30)
"""How often a held message is looked at without being woken, to be safe."""
EXTRA = "extra"
"""Marks a message that goes a second way: should it be refused, the first has told the guest."""
REISSUED = "reissued"
"""Marks a correction about all doors of a stay: the old digits work until a lock has the new ones."""
OPENING = "opening"
"""Marks the message at the window's opening for a guest whom no text has told the PIN (R36)."""


@dataclass(frozen=True, slots=True)
class Due:
    """A message to a guest with everything that is needed to send it."""

    message: MessageRow
    stay: StayRow
    place: PropertyRow
    doors: Doors
    rule: Rule
    code: CodeRow | None = None
    texts: Texts = field(default_factory=dict)
    source: SourceRow | None = None
    hook: HostHook | None = None
    tellings: Sequence[Telling] = ()
    repeats: bool = False
    """Another message, sent at the same time, says all that this one would."""
    page: str = field(default="", repr=False)
    """The address of the guest's page, where the text tells it."""
    host_language: str | None = None

    @property
    def corrects(self) -> bool:
        """Whether it is about digits that hold no longer."""
        return self.rule.trigger is Trigger.CODE_CHANGED

    @property
    def opens(self) -> datetime | None:
        """When the code opens that it could be about."""
        return self.doors.own[0].placement.window.starts if self.doors.own else None


@dataclass(frozen=True, slots=True)
class Stray:
    """A message that cannot be about anything any more."""

    message: MessageRow
    why: str


@dataclass(frozen=True, slots=True)
class Ready:
    """What goes now: the text, its ways, and whether it may not wait (for the morning, or for its turn)."""

    text: Text
    ways: tuple[By, ...]
    about_code: bool
    urgent: bool


@dataclass(frozen=True, slots=True)
class NotNow:
    """A message that is not sent now: held until, or (None) dropped."""

    until: datetime | None
    why: str
    instead: SendAs = SendAs.HOLD
    """What the host wants to be said meanwhile (R35)."""


# -------------------------------------------------------------------------------------------------------------- load


def load(connection: Connection, tools: Tools, messages: Sequence[MessageRow]) -> list[Due | Stray]:
    """These messages to guests with what is true now."""
    rows = stays.by_ids(connection, tools.vault, {row.stay for row in messages if row.stay is not None})
    around = _around(connection, tools, rows.values(), {row.stay for row in messages if row.stay and _changes(row)})
    loaded = [
        _due(connection, tools, message, rows.get(message.stay) if message.stay else None, around)
        for message in messages
    ]
    first: dict[tuple[StayId, str | None, str], MessageId] = {}
    return [replace(due, repeats=_tells_backups_again(due, first)) if isinstance(due, Due) else due for due in loaded]


def _changes(message: MessageRow) -> bool:
    """Whether it may be about changed digits: then it matters which were told by which way."""
    return bool(message.facts) or message.channel == By.FIELD


@dataclass(frozen=True, slots=True)
class _Around:
    """What several messages share."""

    places: Mapping[PropertyId, PropertyRow]
    rules: Mapping[PropertyId, Rules]
    texts: Mapping[HostId, Texts]
    sources: Mapping[SourceId, SourceRow]
    hooks: Mapping[HostId, HostHook | None]
    tellings: Mapping[StayId, Sequence[Telling]]
    languages: Mapping[HostId, str]


def _around(connection: Connection, tools: Tools, rows: Iterable[StayRow], changed: Collection[StayId]) -> _Around:
    about = list(rows)
    owners = {row.host for row in about}
    places = hosts.properties(connection, {row.property for row in about if row.property is not None})
    return _Around(
        places,
        by_place(connection, tools.policy, places.values()),
        rules.texts_of(connection, owners),
        sources.by_ids(connection, tools.vault, {row.source for row in about if row.source is not None}),
        {owner: hosts.hook_of(connection, tools.vault, owner) for owner in owners},
        outbox.tellings(connection, changed),
        hosts.languages(connection, owners),
    )


def _due(
    connection: Connection, tools: Tools, message: MessageRow, stay: StayRow | None, around: _Around
) -> Due | Stray:
    if stay is None or stay.property is None:
        return Stray(message, "its stay has no property")
    rule = around.rules[stay.property].get(message.rule or ruling.rule_of(message.kind))
    if rule is None:
        return Stray(message, "its rule is no longer there")
    return Due(
        message,
        stay,
        around.places[stay.property],
        doors_of(connection, tools, stay, staff=speak_of_staff(around.texts[stay.host])),
        rule,
        codes.by_ids(connection, tools.vault, [stay.code]).get(stay.code) if stay.code is not None else None,
        around.texts[stay.host],
        around.sources.get(stay.source) if stay.source is not None else None,
        around.hooks[stay.host],
        around.tellings.get(stay.id, ()),
        host_language=around.languages.get(stay.host),
    )


def _tells_backups_again(due: Due, first: dict[tuple[StayId, str | None, str], MessageId]) -> bool:
    """Whether an earlier message of this batch tells the stay all its backups already: two were given at once."""
    if due.rule.trigger is not Trigger.BACKUP_GIVEN:
        return False
    same = (due.stay.id, due.rule.name, due.message.channel)
    return first.setdefault(same, due.message.id) != due.message.id


# ------------------------------------------------------------------------------------------------------------- judge


def judge(tools: Tools, due: Due, now: datetime) -> Ready | NotNow:
    """What to do with a message now."""
    if why := moot(due):
        return NotNow(None, why)
    chosen = words_for(tools, due)
    if chosen is None:
        return NotNow(None, f"there is no text {due.rule.template!r} any more")
    changed = _to_correct(tools, due) if due.corrects else None
    if changed is not None and not changed.doors:
        return NotNow(None, changed.why)
    return _in_time(tools, due, chosen, changed, now)


def moot(due: Due) -> str | None:
    """Why a message is of no use any more; None: it is."""
    owed, opening = due.doors.owed, bool(due.message.facts.get(OPENING))
    known = bool(due.doors.own) and all(_knows(item) for item in due.doors.own if item.placement.id in owed)
    joined = due.code is not None and due.code.stay != due.stay.id
    reasons = (
        (due.stay.status is StayStatus.CANCELLED, "the stay was cancelled"),
        (not due.rule.enabled, "its rule was switched off"),
        (due.repeats, "another message tells all backups of the stay"),
        (due.message.kind == GuestMessage.EXTENDED and not joined, "the stay does not follow another one any more"),
        (due.message.kind == GuestMessage.FALLBACK and due.doors.ready, "the code is on its locks by now"),
        (opening and known, "the guest knows the code"),
    )
    return next((why for holds, why in reasons if holds), None)


def words_for(tools: Tools, due: Due) -> Words | None:
    """The text of a message, in the guest's language where it is there."""
    wanted = (due.stay.language, due.rule.language, due.place.language, due.host_language)
    if due.message.facts.get(OPENING):
        return words(tools.renderer, {}, GuestMessage.ACCESS_CODE, wanted)
    own = due.message.kind not in (GuestMessage.EXTENDED, GuestMessage.FALLBACK)
    return words(tools.renderer, due.texts, due.rule.template if own else due.message.kind, wanted)


def tells_page(tools: Tools, due: Due) -> bool:
    """Whether the text of a message that is still of use tells the address of the guest's page."""
    chosen = words_for(tools, due) if moot(due) is None else None
    return chosen is not None and chosen.names_page


def _in_time(tools: Tools, due: Due, chosen: Words, changed: "_Changed | None", now: datetime) -> Ready | NotNow:
    """A text about a code waits for it (R35), at the longest until its window opens (R36); any other goes."""
    only = changed.doors if changed is not None else None
    facts = stay_facts(due.stay, due.place, due.doors, only, due.page)
    trigger = due.rule.trigger
    waits = bool(chosen.codes) or trigger in (Trigger.CODE_SET, Trigger.CODE_CHANGED)
    at_once = trigger is Trigger.BACKUP_GIVEN or due.message.kind in (GuestMessage.EXTENDED, GuestMessage.FALLBACK)
    if waits and not at_once and (held := _held(due, chosen, facts, only, now)) is not None:
        return held
    ways = changed.ways if changed is not None else ways_of(tools, due)
    about_code = waits or due.message.kind == GuestMessage.FALLBACK
    soon = due.opens is not None and due.opens - now <= ruling.URGENT
    return Ready(chosen.filled(tools.renderer, facts), ways, about_code, trigger.happens or (about_code and soon))


def _held(
    due: Due, chosen: Words, facts: StayFacts, only: frozenset[PlacementId] | None, now: datetime
) -> NotNow | None:
    """Why a text about a code does not go now; None: it goes."""
    if due.code is not None and due.code.closes_at is not None and due.code.closes_at <= now:
        return NotNow(None, "the stay is over")
    if _none_yet(due):
        return NotNow(now + RECHECK, "no code yet")
    window = due.doors.own[0].placement.window
    values = short_code_values(facts)
    whole = all(values[name] for name in chosen.codes)
    needs_own = chosen.codes != {"backup_code"}
    ready = whole and (not needs_own or _confirmed(due.doors, only))
    send_as = at_send_time(due.rule.when_not_ready, confirmed=ready, window=window, now=now)
    if send_as is SendAs.SEND and whole and (ready or chosen.codes):
        return None
    if send_as is SendAs.BACKUP and window.starts - now > BACKUP_AHEAD:
        return NotNow(min(window.starts - BACKUP_AHEAD, now + RECHECK), "a backup opens at once: not so long ahead")
    if send_as is SendAs.BACKUP and now >= window.starts + GIVING and whole and not due.doors.backups:
        return None
    instead = SendAs.HOLD if due.corrects else send_as
    return NotNow(held_until(window.starts, now), "the code is not on the lock yet", instead)


def _none_yet(due: Due) -> bool:
    """Whether there is no code to tell: none is planned, or no lock has the one that was issued anew."""
    if due.code is None or not due.doors.own:
        return True
    return bool(due.message.facts.get(REISSUED)) and not any(item.placement.confirmed for item in due.doors.own)


def held_until(opens: datetime, now: datetime) -> datetime:
    """A held message is woken by its code's confirmation; at the latest it is looked at when the window opens (R36)."""
    if opens > now:
        return min(opens, now + RECHECK)
    return now + (RECHECK if now >= opens + GIVING else GIVING)


def _confirmed(doors: Doors, only: frozenset[PlacementId] | None) -> bool:
    chosen = [item for item in doors.own if only is None or item.placement.id in only]
    return bool(chosen) and all(item.placement.confirmed for item in chosen)


def ways_of(tools: Tools, due: Due) -> tuple[By, ...]:
    """By which ways a message goes: the one it was tried by, else as its rule says (R37); empty: by none."""
    tried = By(due.message.channel)
    if tried is not By.AUTO:
        return (tried,)
    return ruling.ways(due.rule.channel, deliver.reach(tools, due.stay, due.source))


# ------------------------------------------------------------------------------------------------------- corrections


@dataclass(frozen=True, slots=True)
class _Changed:
    """Which doors a correction is about, and by which ways it goes: those by which wrong digits were told (R36)."""

    doors: frozenset[PlacementId] = frozenset()
    """Empty: it is not needed."""
    ways: tuple[By, ...] = ()
    why: str = "the guest knows the digits that work"


def _to_correct(tools: Tools, due: Due) -> _Changed:
    concerned, tried = _concerned(due), By(due.message.channel)
    if due.rule.name != ruling.CORRECTION:
        said = [telling for telling in due.tellings if telling.rule == due.rule.name]
        doors = frozenset(item.placement.id for item in concerned if not _heard(said, item, otherwise=False))
        return _Changed(doors, ways_of(tools, due))
    told = {telling.way for telling in due.tellings}
    if told == {By.FIELD}:
        return _Changed(why="the platform's field told it, and is written again")
    if told and due.rule.channel is By.AUTO and tried is By.AUTO:
        return _by_way(due.tellings, concerned, sorted(told - {By.FIELD}, key=list(By).index))
    ways = ways_of(tools, due)
    said = [telling for telling in due.tellings if telling.way in ways[:1]]
    doors = frozenset(item.placement.id for item in concerned if not _heard(said, item, otherwise=_knows(item)))
    return _Changed(doors, ways)


def _by_way(tellings: Sequence[Telling], concerned: Sequence[Placed], ways: Sequence[By]) -> _Changed:
    wrong = {
        way: frozenset(
            item.placement.id
            for item in concerned
            if not _heard([telling for telling in tellings if telling.way is way], item, otherwise=_knows(item))
        )
        for way in ways
    }
    needed = tuple(way for way in ways if wrong[way])
    return _Changed(wrong[needed[0]], needed) if needed else _Changed()


def _concerned(due: Due) -> list[Placed]:
    """The placement a message about changed digits speaks of, by itself or by its lock; or all of the stay."""
    placement, lock = due.message.facts.get("placement"), due.message.facts.get("lock")
    everywhere = bool(due.message.facts.get(REISSUED))
    return [
        item for item in due.doors.own if everywhere or item.placement.id == placement or item.placement.lock == lock
    ]


def _knows(item: Placed) -> bool:
    return item.told_index == item.pin_index


def _heard(tellings: Sequence[Telling], item: Placed, *, otherwise: bool) -> bool:
    """Whether the last of these texts that spoke of a placement told the digits that work; ``otherwise``: none did."""
    key, works = item.placement.id, item.pin_index.hex() if item.pin_index is not None else None
    said = [telling.told[key] for telling in tellings if telling.told is not None and key in telling.told]
    return said[-1] == works if said else otherwise
