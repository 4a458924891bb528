"""Questions about the rules by which guests are written to, and the texts that hosts wrote."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.domain.ids import HostId, PropertyId
from lockbridge.domain.messages import WhenNotReady
from lockbridge.domain.rules import By, Rule, Trigger
from lockbridge.storage.tables import MESSAGE_RULE, MESSAGE_TEXT


@dataclass(frozen=True, slots=True)
class Written:
    """A text that a host wrote, in one language: plain text with short codes."""

    name: str
    language: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one host has chosen: rules for all of their properties, and for single ones."""

    everywhere: tuple[Rule, ...] = ()
    at: Mapping[PropertyId, tuple[Rule, ...]] = field(default_factory=dict)


NOTHING = Chosen()


def of_hosts(connection: Connection, hosts: Collection[HostId]) -> dict[HostId, Chosen]:
    """The rules these hosts have chosen; one who chose none is left out."""
    found: dict[HostId, dict[PropertyId | None, list[Rule]]] = defaultdict(lambda: defaultdict(list))
    theirs = select(MESSAGE_RULE).where(MESSAGE_RULE.c.host_id.in_(hosts)).order_by(MESSAGE_RULE.c.id)
    for row in connection.execute(theirs):
        found[HostId(row.host_id)][row.property_id].append(_rule(row))
    return {
        host: Chosen(
            tuple(chosen.pop(None, ())), {PropertyId(key): tuple(rules) for key, rules in chosen.items() if key}
        )
        for host, chosen in found.items()
    }


def _rule(row: Row[Any]) -> Rule:
    return Rule(
        name=row.name,
        trigger=Trigger(row.trigger),
        template=row.template,
        days=row.days,
        hours=row.hours,
        at=time.fromisoformat(row.at) if row.at else None,
        channel=By(row.channel),
        language=row.language,
        when_not_ready=WhenNotReady(row.when_not_ready),
        enabled=row.enabled,
    )


def set_rule(connection: Connection, host: HostId, place: PropertyId | None, rule: Rule, now: datetime) -> None:
    """Store a host's rule, for one property or (None) for all of them; one of the same name there is replaced."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    chosen = {
        "trigger": rule.trigger.value,
        "template": rule.template,
        "days": rule.days,
        "hours": rule.hours,
        "at": f"{rule.at:%H:%M}" if rule.at is not None else None,
        "channel": rule.channel.value,
        "language": rule.language,
        "when_not_ready": rule.when_not_ready.value,
        "enabled": rule.enabled,
    }
    new = dialect.insert(MESSAGE_RULE).values(host_id=host, property_id=place, name=rule.name, created_at=now, **chosen)
    of_host = place is None
    connection.execute(
        new.on_conflict_do_update(
            index_elements=["host_id" if of_host else "property_id", "name"],
            index_where=MESSAGE_RULE.c.property_id.is_(None) if of_host else MESSAGE_RULE.c.property_id.is_not(None),
            set_=chosen,
        )
    )


def drop_rule(connection: Connection, host: HostId, place: PropertyId | None, name: str) -> bool:
    """Forget what a host has chosen, so that the next level holds again. False when there was nothing."""
    same = MESSAGE_RULE.c.property_id.is_(None) if place is None else MESSAGE_RULE.c.property_id == place
    mine = delete(MESSAGE_RULE).where(MESSAGE_RULE.c.host_id == host, MESSAGE_RULE.c.name == name, same)
    return connection.execute(mine).rowcount > 0


Texts = Mapping[str, Mapping[str, Written]]
"""A host's own texts by name, each by language."""


def texts_of(connection: Connection, hosts: Collection[HostId]) -> dict[HostId, Texts]:
    """The texts these hosts wrote."""
    found: dict[HostId, dict[str, dict[str, Written]]] = {host: {} for host in hosts}
    theirs = select(MESSAGE_TEXT).where(MESSAGE_TEXT.c.host_id.in_(hosts))
    for row in connection.execute(theirs.order_by(MESSAGE_TEXT.c.name, MESSAGE_TEXT.c.language)):
        text = Written(row.name, row.language, row.subject, row.body)
        found[HostId(row.host_id)].setdefault(row.name, {})[row.language] = text
    return dict(found)


def set_text(connection: Connection, host: HostId, text: Written, now: datetime) -> None:
    """Store a text; one of the same name and language is replaced."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    words = {"subject": text.subject, "body": text.body, "changed_at": now}
    new = dialect.insert(MESSAGE_TEXT).values(host_id=host, name=text.name, language=text.language, **words)
    connection.execute(new.on_conflict_do_update(index_elements=["host_id", "name", "language"], set_=words))


def drop_text(connection: Connection, host: HostId, name: str, language: str) -> bool:
    """Forget a text in one language. False when there was none."""
    mine = (MESSAGE_TEXT.c.host_id == host, MESSAGE_TEXT.c.name == name, MESSAGE_TEXT.c.language == language)
    return connection.execute(delete(MESSAGE_TEXT).where(*mine)).rowcount > 0
