"""What a guest will be told: each message as it would read now, when, and by which way – nothing is sent or changed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta

from sqlalchemy import Connection

from lockbridge.domain import rules as ruling
from lockbridge.domain.code import Pin, Window
from lockbridge.domain.ids import HostId, MessageId, StayId
from lockbridge.domain.messages import DoorCode, StayFacts, check_text, short_code_values
from lockbridge.domain.rules import By
from lockbridge.domain.stay import to_local
from lockbridge.messaging.render import Text
from lockbridge.storage import hosts, outbox, stays
from lockbridge.storage.outbox import MessageRow
from lockbridge.storage.rules import Written
from lockbridge.workflows import judging
from lockbridge.workflows.judging import Due
from lockbridge.workflows.ports import Tools
from lockbridge.workflows.rules import Chain
from lockbridge.workflows.wording import Doors, doors_of, stay_facts

DIGIT = "•"


@dataclass(frozen=True, slots=True)
class Foretold:
    """One message to come. ``at`` is UTC; None: when it happens. ``text`` is None for the platform's field."""

    rule: str
    at: datetime | None
    ways: tuple[By, ...]
    text: Text | None = field(repr=False)
    note: str
    """What is to be said about it: held, switched off, nobody to send it to."""


def foretell(
    connection: Connection, tools: Tools, host: HostId, stay: StayId, now: datetime, *, rule: str | None, digits: bool
) -> list[Foretold]:
    """The messages to come of a stay, by time; of one ``rule`` also when it plans none (switched off, no event).

    Without ``digits`` each code is as many dots. Raises BadRule for a rule that is not there.
    """
    known = outbox.of_stay(connection, tools.vault, host, stay)
    coming = [row for row in known if row.state in ("waiting", "held") and not row.to_host]
    wanted = coming if rule is None else [row for row in coming if row.rule == rule] or [_as_if(host, stay, rule, now)]
    due = [each for each in judging.load(connection, tools, wanted) if isinstance(each, Due)]
    if rule is not None and not due:
        msg = f"there is no rule {rule!r} at the stay's property: 'lockbridge message rule list' shows them"
        raise ruling.BadRule(msg)
    told = [_foretold(tools, each, now, digits=digits) for each in due]
    return sorted(told, key=lambda each: (each.at is None, each.at or now, each.rule))


def _as_if(host: HostId, stay: StayId, rule: str, now: datetime) -> MessageRow:
    """A message of a rule that plans none."""
    return MessageRow(
        MessageId(0), host, stay, rule, rule, False, "en", {}, "waiting", 0, None, now, None, None, None, rule
    )


def _foretold(tools: Tools, due: Due, now: datetime, *, digits: bool) -> Foretold:
    words = None if due.rule.channel is By.FIELD else judging.words_for(tools, due)
    facts = stay_facts(due.stay, due.place, due.doors, page=_page(tools))
    text = words.filled(tools.renderer, facts) if words is not None else None
    if due.rule.channel is By.FIELD:
        text = Text("", facts.smartlock_code)
    hidden = text if digits or text is None else _hidden(text, due.doors)
    ways = judging.ways_of(tools, due)
    return Foretold(due.rule.name, _when(tools, due, now), ways, hidden, _note(due, ways))


def _hidden(text: Text, doors: Doors) -> Text:
    pins = {pin.digits for pin in doors.pins().values()} | {door.pin.digits for door in doors.staff}
    return replace(text, subject=_dotted(text.subject, pins), text=_dotted(text.text, pins), html=None)


def _dotted(text: str, pins: Iterable[str]) -> str:
    for pin in sorted(pins, key=len, reverse=True):
        text = re.sub(rf"(?<![0-9]){pin}(?![0-9])", DIGIT * len(pin), text)
    return text


def _when(tools: Tools, due: Due, now: datetime) -> datetime | None:
    """When it goes if nothing holds it: after the quiet hours, unless it may not wait for them."""
    at = due.message.next_at or _planned(due, now)
    if at is None:
        return None
    at = max(at, now)
    soon = due.opens is not None and due.opens - at <= ruling.URGENT
    urgent = due.rule.trigger.happens or due.rule.channel is By.FIELD or soon
    return at if urgent else tools.policy.quiet.until(at, due.place.zone) or at


def _planned(due: Due, now: datetime) -> datetime | None:
    """When the rule would have it due in this stay alone."""
    if due.code is None:
        return None
    chain = Chain(due.place, [due.stay], due.code.id, Window(due.code.opens_at, due.code.closes_at), now)
    return ruling.due(due.rule, chain.moments())


def _note(due: Due, ways: Sequence[By]) -> str:
    if (why := judging.moot(due)) is not None:
        return why
    if due.message.state == "held":
        return "held until the code is on its locks, at the longest until the window opens"
    if due.message.error:
        return f"tried {due.message.attempts} times: {due.message.error}"
    return "" if ways else "nobody to send it to: no way to reach the guest is known"


# ------------------------------------------------------------------------------------------------- a text being written


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that is being written, as a guest would read it."""

    text: Text = field(repr=False)
    guest: str
    """Whose stay it is filled with."""
    missing: frozenset[str] = frozenset()
    """The short codes in it for which the stay has no value yet."""


def draft(
    connection: Connection, tools: Tools, host: HostId, written: Written, stay: StayId | None, now: datetime
) -> Draft:
    """A text as the guest of a stay would read it now, each code as many dots; None: as an invented guest would.

    Raises UnknownShortCode, which names the nearest.
    """
    check_text(written.subject, "the subject")
    check_text(written.body, "the text")
    row = stays.get(connection, tools.vault, host, stay) if stay is not None else None
    if row is None or row.property is None:
        facts = replace(invented(connection, host, now), page=_page(tools))
        return Draft(_filled(tools, written, facts), f"{facts.guest_name} (invented)")
    place = hosts.properties(connection, [row.property])[row.property]
    doors = doors_of(connection, tools, row, staff=True)
    facts = stay_facts(row, place, doors, page=_page(tools))
    text = _hidden(_filled(tools, written, facts), doors)
    return Draft(text, row.guest_name or row.reservation_code, _missing(written, facts))


def _missing(written: Written, facts: StayFacts) -> frozenset[str]:
    said = f"{written.subject}\n{written.body}"
    return frozenset(name for name, value in short_code_values(facts).items() if not value and f"%{name}%" in said)


def _page(tools: Tools) -> str:
    """Where a guest's page is, without what is secret in it."""
    return f"{tools.policy.public_url}/g/{DIGIT * 4}"


def _filled(tools: Tools, written: Written, facts: StayFacts) -> Text:
    return tools.renderer.render_written(written.subject, written.body, written.language, facts)


def invented(connection: Connection, host: HostId, now: datetime) -> StayFacts:
    """A stay nobody has booked: next week, at the host's first property."""
    place = next(iter(hosts.properties_of_host(connection, host)), None)
    zone, usual = (place.zone, place.usual_times) if place is not None else ("UTC", (time(16), time(11)))
    day = to_local(now, zone).date() + timedelta(days=7)
    return StayFacts(
        guest_name="Ida Example",
        property_name=place.name if place is not None else "Lake House",
        check_in=datetime.combine(day, usual[0]),
        check_out=datetime.combine(day + timedelta(days=2), usual[1]),
        zone=zone,
        phone="+15550104711",
        doors=(DoorCode(DOOR, Pin("482915")), DoorCode(DOOR, Pin("730264"), is_backup=True)),
        staff=(DoorCode(DOOR, Pin("615038")),),
    )


DOOR = "Front door"
