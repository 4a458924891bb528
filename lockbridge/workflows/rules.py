"""The rules by which guests are written to: which hold where, what they plan for a stay, and what hosts choose."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from lockbridge.domain import rules as ruling
from lockbridge.domain.code import Window
from lockbridge.domain.ids import CodeId, HostId, PropertyId, StayId
from lockbridge.domain.messages import GuestMessage, check_text, message_key
from lockbridge.domain.rules import ACCESS_CODE, BadRule, By, Moments, Rule, Trigger
from lockbridge.domain.stay import Buffers, access_window
from lockbridge.storage import hosts, outbox, rules, stays
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.outbox import NewMessage
from lockbridge.storage.rules import Written
from lockbridge.storage.stays import StayRow
from lockbridge.workflows.ports import Policy, Tools, transact

Rules = Mapping[str, Rule]
"""The rules that hold at one property, by name."""
LONGEST_SUBJECT = 200
LONGEST_BODY = 10_000


def by_place(connection: Connection, policy: Policy, places: Iterable[PropertyRow]) -> dict[PropertyId, Rules]:
    """The rules that hold at each of these properties: its own, else its host's, else the product's."""
    wanted = list(places)
    chosen = rules.of_hosts(connection, {place.host for place in wanted})
    usual = ruling.defaults(policy.code_hours_before, policy.when_not_ready)
    return {place.id: _nearest(usual, chosen.get(place.host, rules.NOTHING), place.id) for place in wanted}


def _nearest(usual: Iterable[Rule], chosen: rules.Chosen, place: PropertyId | None) -> Rules:
    return ruling.nearest(usual, chosen.everywhere, chosen.at.get(place, ()) if place is not None else ())


# ------------------------------------------------------------------------------------------- what is planned for a stay


@dataclass(frozen=True, slots=True)
class Chain:
    """The stays of one guest that share a code (R44; usually one), as messages are planned for them."""

    place: PropertyRow
    group: Sequence[StayRow]
    code: CodeId
    window: Window
    set_from: datetime
    """When the code is put on its locks."""
    fields: Collection[StayId] = ()
    """Those of them whose platform keeps the door code."""

    def moments(self) -> Moments:
        """What rules count from: the check-in of the first stay, the check-out of the last."""
        first, last = self.group[0], self.group[-1]
        return Moments(
            zone=self.place.zone,
            booked=first.created_at,
            opens=self.window.starts,
            check_in=self._between(first).starts,
            check_out=self._between(last).ends or self._between(last).starts,
            closes=self.window.ends or self._between(last).starts,
            set_from=self.set_from,
        )

    def _between(self, row: StayRow) -> Window:
        booked, usual = row.booked(), self.place.usual_times
        check_in, check_out = booked.check_in or usual[0], booked.check_out or usual[1]
        return access_window(row.arrival, check_in, row.departure, check_out, self.place.zone, Buffers())


def planned(chain: Chain, holding: Rules, now: datetime) -> Iterator[NewMessage]:
    """The messages that the rules plan for a chain of stays: each once, at its time, those due already at once.

    What comes before or at check-in is for its first stay, what comes at check-out for its last, so that a guest who
    stays on is neither greeted nor thanked in between.
    """
    of_chain = chain.moments()
    for rule in holding.values():
        if not rule.enabled or rule.trigger.happens:
            continue
        for row in _addressed(rule, chain):
            moments = of_chain if row is chain.group[0] else replace(of_chain, booked=row.created_at)
            due = ruling.due(rule, moments)
            if due is not None and now < ruling.useful_until(rule, moments):
                yield from _messages(rule, chain, row, max(due, now))


def _addressed(rule: Rule, chain: Chain) -> Iterable[StayRow]:
    if rule.channel is By.FIELD:
        return [row for row in chain.group if row.id in chain.fields]
    if rule.trigger is Trigger.BOOKED and rule.name != ACCESS_CODE:
        return chain.group
    return chain.group[-1:] if rule.trigger in _AT_THE_END else chain.group[:1]


_AT_THE_END = (Trigger.BEFORE_CHECK_OUT, Trigger.AFTER_CHECK_OUT)


def _messages(rule: Rule, chain: Chain, row: StayRow, due: datetime) -> Iterator[NewMessage]:
    """One message – and for the access code, one for each stay joined to the first that says just that (R44)."""
    language = row.language or "en"
    if rule.name != ACCESS_CODE:
        key, channel = message_key("rule", rule.name, row.id), By.FIELD if rule.channel is By.FIELD else By.AUTO
        yield NewMessage(
            row.host, key, rule.kind, due, row.id, language=language, rule=rule.name, channel=channel.value
        )
        return
    key = message_key(rule.kind, chain.code)
    yield NewMessage(row.host, key, rule.kind, due, row.id, language=language, rule=rule.name)
    kind = GuestMessage.EXTENDED.value
    for joined in chain.group[1:]:
        key, language = message_key(kind, joined.id), joined.language or "en"
        yield NewMessage(joined.host, key, kind, due, joined.id, language=language, rule=rule.name)


def happened(holding: Rules, trigger: Trigger, message: NewMessage) -> list[NewMessage]:
    """The messages for something that has just happened: ``message`` is that of the rule out of the box."""
    wanted = [rule for rule in holding.values() if rule.enabled and rule.trigger is trigger]
    return [
        replace(
            message,
            key=message.key if ruling.rule_of(message.kind) == rule.name else f"event:{rule.name}:{message.key}",
            kind=rule.kind,
            rule=rule.name,
        )
        for rule in wanted
    ]


def happened_to(
    connection: Connection, tools: Tools, stay: StayId, trigger: Trigger, messages: Sequence[NewMessage], now: datetime
) -> None:
    """Have the guest of a stay told of something that has just happened, as the rules at its property say."""
    row = stays.by_ids(connection, tools.vault, [stay]).get(stay)
    if row is None or row.property is None:
        return
    place = hosts.properties(connection, [row.property])[row.property]
    holding = by_place(connection, tools.policy, [place])[place.id]
    outbox.add(connection, [each for message in messages for each in happened(holding, trigger, message)], now)


# -------------------------------------------------------------------------------------------------- what hosts choose


@dataclass(frozen=True, slots=True)
class Held:
    """A rule that holds, and who said so: ``default``, ``host`` or ``property``."""

    rule: Rule
    said_by: str


async def rules_of(tools: Tools, host: HostId, place: PropertyId | None) -> list[Held]:
    """The rules that hold at a property of a host, or (None) everywhere where no property says otherwise."""
    return await tools.database.ask(_rules_of, tools, host, place)


def _rules_of(connection: Connection, tools: Tools, host: HostId, place: PropertyId | None) -> list[Held]:
    _check_place(connection, host, place)
    chosen = rules.of_hosts(connection, [host]).get(host, rules.NOTHING)
    usual = ruling.defaults(tools.policy.code_hours_before, tools.policy.when_not_ready)
    here = {rule.name for rule in chosen.at.get(place, ())} if place is not None else set()
    everywhere = {rule.name for rule in chosen.everywhere}
    return [
        Held(rule, "property" if name in here else "host" if name in everywhere else "default")
        for name, rule in _nearest(usual, chosen, place).items()
    ]


def _check_place(connection: Connection, host: HostId, place: PropertyId | None) -> None:
    if place is not None and place not in {row.id for row in hosts.properties_of_host(connection, host)}:
        msg = f"this host has no property {place}: 'lockbridge property list' shows them"
        raise BadRule(msg)


async def set_rule(tools: Tools, host: HostId, place: PropertyId | None, rule: Rule, now: datetime) -> None:
    """Have a rule hold for a property or (None) everywhere; what it plans for coming stays follows at once.

    Raises BadRule.
    """
    await transact(tools, lambda c: _set_rule(c, host, place, rule, now))


def _set_rule(connection: Connection, host: HostId, place: PropertyId | None, rule: Rule, now: datetime) -> None:
    _check_place(connection, host, place)
    ruling.check_rule(rule, templates(connection, host))
    rules.set_rule(connection, host, place, rule, now)
    _plan_again(connection, host, place, now)


def templates(connection: Connection, host: HostId) -> set[str]:
    """The names of the texts a rule of this host can use: ours, and the host's own."""
    return {kind.value for kind in GuestMessage} | set(rules.texts_of(connection, [host])[host])


def _plan_again(connection: Connection, host: HostId, place: PropertyId | None, now: datetime) -> None:
    places = [place] if place is not None else [row.id for row in hosts.properties_of_host(connection, host)]
    stays.replan_properties(connection, places, now)


async def switch_off(tools: Tools, host: HostId, place: PropertyId | None, name: str, now: datetime) -> None:
    """Have a rule send nothing, at a property or (None) everywhere. Raises BadRule when there is no such rule."""
    held = {each.rule.name: each.rule for each in await rules_of(tools, host, place)}
    if name not in held:
        raise BadRule(_no_rule(name, held))
    await transact(tools, lambda c: _switch(c, host, place, replace(held[name], enabled=False), now))


def _switch(connection: Connection, host: HostId, place: PropertyId | None, rule: Rule, now: datetime) -> None:
    rules.set_rule(connection, host, place, rule, now)
    _plan_again(connection, host, place, now)


def _no_rule(name: str, held: Iterable[str]) -> str:
    return f"there is no rule {name!r} there: there are {', '.join(sorted(held))}"


async def reset_rule(tools: Tools, host: HostId, place: PropertyId | None, name: str, now: datetime) -> None:
    """Forget what was chosen there for a rule: what is chosen further up holds again. Raises BadRule."""
    if not await transact(tools, lambda c: _reset(c, host, place, name, now)):
        where = f"for property {place}" if place is not None else "for all properties"
        msg = f"no rule {name!r} was set {where}: 'lockbridge message rule list' shows who said what"
        raise BadRule(msg)


def _reset(connection: Connection, host: HostId, place: PropertyId | None, name: str, now: datetime) -> bool:
    if not rules.drop_rule(connection, host, place, name):
        return False
    _plan_again(connection, host, place, now)
    return True


async def set_text(tools: Tools, host: HostId, text: Written, now: datetime) -> None:
    """Store a text that a host wrote; it holds for every message not sent yet.

    Raises UnknownShortCode (R34), which names the text and the short code that was probably meant, and BadRule.
    """
    where = f"the text {text.name!r} ({text.language})"
    check_text(text.subject, f"the subject of {where}")
    check_text(text.body, where)
    if problem := _problem(text):
        msg = f"{where}: {problem}"
        raise BadRule(msg)
    await transact(tools, lambda c: rules.set_text(c, host, text, now))


def _problem(text: Written) -> str | None:
    if not ruling.is_text_name(text.name):
        return "a name is small letters, digits, hyphens and underscores, like house-rules"
    if not ruling.is_language(text.language):
        return "a language is two letters, like de"
    if not text.body.strip() or not text.subject.strip():
        return "it needs a subject and something to say"
    if len(text.subject) > LONGEST_SUBJECT or len(text.body) > LONGEST_BODY:
        return f"at most {LONGEST_SUBJECT} characters of subject and {LONGEST_BODY} of text"
    return None


async def texts_of(tools: Tools, host: HostId) -> list[Written]:
    """The texts a host wrote, by name and language."""
    found = await tools.database.ask(rules.texts_of, [host])
    return [text for by_language in found[host].values() for text in by_language.values()]


async def drop_text(tools: Tools, host: HostId, name: str, language: str, now: datetime) -> None:
    """Forget a text in one language; of a name of ours, ours holds again. Raises BadRule.

    The last one of a name that a rule uses stays: a rule without a text would say nothing.
    """
    await transact(tools, lambda c: _drop_text(c, host, name, language, now))


def _drop_text(connection: Connection, host: HostId, name: str, language: str, now: datetime) -> None:
    own = rules.texts_of(connection, [host])[host].get(name, {})
    if language not in own:
        msg = f"you have no text {name!r} ({language})"
        raise BadRule(msg)
    users = _users(connection, host, name)
    if len(own) == 1 and users and name not in set(GuestMessage):
        msg = f"the text {name!r} is used by {', '.join(sorted(users))}: give the rule another text first"
        raise BadRule(msg)
    rules.drop_text(connection, host, name, language)
    _plan_again(connection, host, None, now)


def _users(connection: Connection, host: HostId, name: str) -> set[str]:
    chosen = rules.of_hosts(connection, [host]).get(host, rules.NOTHING)
    every = [*chosen.everywhere, *(rule for of_place in chosen.at.values() for rule in of_place)]
    return {rule.name for rule in every if rule.template == name}
