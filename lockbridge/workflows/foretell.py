"""What a guest will be told: each message as it would read now, when, and by which way – nothing is sent or changed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from lockbridge.domain import rules as ruling
from lockbridge.domain.code import Window
from lockbridge.domain.ids import HostId, MessageId, StayId
from lockbridge.domain.rules import By
from lockbridge.messaging.render import Text
from lockbridge.storage import outbox
from lockbridge.storage.outbox import MessageRow
from lockbridge.workflows import judging
from lockbridge.workflows.judging import Due
from lockbridge.workflows.ports import Tools
from lockbridge.workflows.rules import Chain
from lockbridge.workflows.wording import stay_facts

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
    facts = stay_facts(due.stay, due.place, due.doors)
    text = words.filled(tools.renderer, facts) if words is not None else None
    if due.rule.channel is By.FIELD:
        text = Text("", facts.smartlock_code)
    hidden = text if digits or text is None else _hidden(text, due)
    ways = judging.ways_of(tools, due)
    return Foretold(due.rule.name, _when(tools, due, now), ways, hidden, _note(due, ways))


def _hidden(text: Text, due: Due) -> Text:
    pins = {pin.digits for pin in due.doors.pins().values()} | {door.pin.digits for door in due.doors.staff}
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
