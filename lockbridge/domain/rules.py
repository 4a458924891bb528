"""When which text goes to a guest, and by which way (R34–R37): rules, which of them holds, and when it is due."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from operator import attrgetter

from lockbridge.domain.messages import GuestMessage, WhenNotReady
from lockbridge.domain.stay import to_local, to_utc

ACCESS_CODE = "access-code"
CORRECTION = "correction"
BACKUP_CODE = "backup-code"
DOOR_CODE = "door-code"
THANKS = "thanks"
"""The rules that work out of the box."""

LATE = timedelta(hours=24)
"""A message that could not be planned when it was due is of no use much later: nobody is greeted after a week."""
URGENT = timedelta(hours=12)
"""A message about a code that opens within this waits for nobody's sleep."""
MOST_DAYS = 365
MOST_HOURS = 24 * 30

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z]{2,4})?")


class Trigger(StrEnum):
    """What a rule counts from, or waits for."""

    BOOKED = "booked"
    BEFORE_CHECK_IN = "before_check_in"
    AFTER_CHECK_IN = "after_check_in"
    BEFORE_CHECK_OUT = "before_check_out"
    AFTER_CHECK_OUT = "after_check_out"
    CODE_SET = "code_set"
    CODE_CHANGED = "code_changed"
    BACKUP_GIVEN = "backup_given"

    @property
    def happens(self) -> bool:
        """Whether nobody knows when it will be: the message is made when it happens, and waits for nothing else."""
        return self in (Trigger.CODE_CHANGED, Trigger.BACKUP_GIVEN)

    @property
    def before(self) -> bool:
        """Whether its days and hours count backwards."""
        return self in (Trigger.BEFORE_CHECK_IN, Trigger.BEFORE_CHECK_OUT)


class By(StrEnum):
    """By which way a message goes."""

    AUTO = "auto"
    """As the booking asks for (R37): the platform's inbox, e-mail, SMS."""
    EMAIL = "email"
    PLATFORM = "platform"
    SMS = "sms"
    WEBHOOK = "webhook"
    FIELD = "field"
    """No text to read: the door code, put where the booking platform keeps it."""


class BadRule(ValueError):
    """A rule makes no sense; the message says what, and what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is said when. ``at`` is a local time of day on the day ``days`` away; without it ``hours`` count, too."""

    name: str
    trigger: Trigger
    template: str = ""
    days: int = 0
    hours: int = 0
    at: time | None = None
    channel: By = By.AUTO
    language: str | None = None
    when_not_ready: WhenNotReady = WhenNotReady.HOLD
    enabled: bool = True

    @property
    def kind(self) -> str:
        """What its messages are called: those of the rules out of the box by their part, others by their rule."""
        return _PARTS.get(self.name, self.name)


_PARTS = {
    ACCESS_CODE: GuestMessage.ACCESS_CODE.value,
    CORRECTION: GuestMessage.CORRECTION.value,
    BACKUP_CODE: GuestMessage.BACKUP_CODE.value,
}
_TRIGGERS = {
    CORRECTION: (Trigger.CODE_CHANGED,),
    BACKUP_CODE: (Trigger.BACKUP_GIVEN,),
    ACCESS_CODE: tuple(trigger for trigger in Trigger if not trigger.happens),
}
_RULES = {part: name for name, part in _PARTS.items()} | {
    GuestMessage.EXTENDED.value: ACCESS_CODE,
    GuestMessage.FALLBACK.value: ACCESS_CODE,
}


def rule_of(kind: str) -> str:
    """The name of the rule that a message of this kind follows where it does not say so itself."""
    return _RULES.get(kind, kind)


def defaults(hours_before: timedelta, when_not_ready: WhenNotReady) -> tuple[Rule, ...]:
    """The rules that work out of the box: the code before check-in, corrections, backups, the door code, thanks."""
    return (
        Rule(
            name=ACCESS_CODE,
            trigger=Trigger.BEFORE_CHECK_IN,
            template=GuestMessage.ACCESS_CODE.value,
            hours=round(hours_before / timedelta(hours=1)),
            when_not_ready=when_not_ready,
        ),
        Rule(name=CORRECTION, trigger=Trigger.CODE_CHANGED, template=GuestMessage.CORRECTION.value),
        Rule(name=BACKUP_CODE, trigger=Trigger.BACKUP_GIVEN, template=GuestMessage.BACKUP_CODE.value),
        Rule(name=DOOR_CODE, trigger=Trigger.CODE_SET, channel=By.FIELD),
        Rule(name=THANKS, trigger=Trigger.AFTER_CHECK_OUT, template=GuestMessage.THANKS.value, hours=2),
    )


def nearest(*levels: Iterable[Rule]) -> dict[str, Rule]:
    """The rule that holds for each name: of the last level that has one (defaults, host, property)."""
    return {rule.name: rule for level in levels for rule in level}


@dataclass(frozen=True, slots=True)
class Moments:
    """What rules count from, in UTC; ``zone`` is the property's."""

    zone: str
    booked: datetime
    opens: datetime
    """When the code opens, buffer included: what is to be known before check-in is to be known before this."""
    check_in: datetime
    check_out: datetime
    closes: datetime
    """When the code closes, buffer included."""
    set_from: datetime
    """When the code is put on its locks: it cannot be confirmed earlier."""

    def of(self, trigger: Trigger) -> datetime:
        """The instant a trigger counts from. Raises KeyError for one that just happens."""
        return _ANCHORS[trigger](self)


_ANCHORS: Mapping[Trigger, Callable[[Moments], datetime]] = {
    Trigger.BOOKED: attrgetter("booked"),
    Trigger.BEFORE_CHECK_IN: attrgetter("opens"),
    Trigger.AFTER_CHECK_IN: attrgetter("check_in"),
    Trigger.BEFORE_CHECK_OUT: attrgetter("check_out"),
    Trigger.AFTER_CHECK_OUT: attrgetter("check_out"),
    Trigger.CODE_SET: attrgetter("set_from"),
}


def due(rule: Rule, moments: Moments) -> datetime | None:
    """When a rule's message is due in a stay (UTC); None for one that is made when something happens.

    Whole days keep the time on the property's clock, hours are hours. A local time that the clocks skip moves
    forward; of one that comes twice it is the first. The access code is never due after its window opens (R36).
    """
    if rule.trigger.happens:
        return None
    sign = -1 if rule.trigger.before else 1
    if rule.at is not None:
        anchor = moments.check_in if rule.trigger is Trigger.BEFORE_CHECK_IN else moments.of(rule.trigger)
        day = to_local(anchor, moments.zone).date() + sign * timedelta(days=rule.days)
        at = to_utc(day, rule.at, moments.zone)
    else:
        at = _days_away(moments.of(rule.trigger), sign * rule.days, moments.zone) + sign * timedelta(hours=rule.hours)
    return min(at, moments.opens) if rule.name == ACCESS_CODE else at


def _days_away(anchor: datetime, days: int, zone: str) -> datetime:
    if not days:
        return anchor
    local = to_local(anchor, zone)
    return to_utc(local.date() + timedelta(days=days), local.time(), zone)


def useful_until(rule: Rule, moments: Moments) -> datetime:
    """Until when a message of the rule is worth making: what goes before something, until then.

    Raises KeyError for a rule whose messages are made when something happens.
    """
    if rule.name == ACCESS_CODE or rule.trigger is Trigger.CODE_SET:
        return moments.closes
    if rule.trigger.before:
        return moments.check_in if rule.trigger is Trigger.BEFORE_CHECK_IN else moments.check_out
    return (due(rule, moments) or moments.of(rule.trigger)) + LATE


def check_rule(rule: Rule, templates: Collection[str]) -> None:
    """Refuse a rule that makes no sense; ``templates`` are the texts there are. Raises BadRule."""
    for wrong, why in _complaints(rule, templates):
        if wrong:
            msg = f"the rule {rule.name!r}: {why}"
            raise BadRule(msg)


def _complaints(rule: Rule, templates: Collection[str]) -> Iterable[tuple[bool, str]]:
    field, fixed = rule.channel is By.FIELD, _TRIGGERS.get(rule.name, tuple(Trigger))
    counted = bool(rule.days or rule.hours or rule.at)
    yield not _NAME.fullmatch(rule.name), "a name is small letters, digits and hyphens, like house-rules"
    yield rule_of(rule.name) != rule.name, "this name is taken by a message of its own"
    yield rule.trigger not in fixed, f"it goes with the trigger {' or '.join(fixed)}"
    yield field and rule.trigger is not Trigger.CODE_SET, "the platform's field is written with the trigger code_set"
    yield field and rule.when_not_ready is not WhenNotReady.HOLD, "the platform's field has no text but the code: hold"
    yield rule.name == DOOR_CODE and not field, "door-code writes the platform's field and goes no other way"
    yield not field and rule.template not in templates, _no_text(rule.template, templates)
    yield rule.trigger.happens | (rule.trigger is Trigger.CODE_SET) and counted, f"{rule.trigger} has no days or hours"
    yield rule.at is not None and rule.hours > 0, "give a local time of day or hours, not both"
    yield not 0 <= rule.days <= MOST_DAYS, f"days are 0 to {MOST_DAYS}"
    yield not 0 <= rule.hours <= MOST_HOURS, f"hours are 0 to {MOST_HOURS}"
    yield bool(rule.language and not is_language(rule.language)), "a language is two letters, like de"


def _no_text(template: str, templates: Collection[str]) -> str:
    return f"there is no text {template!r}: there are {', '.join(sorted(templates))}"


def is_text_name(text: str) -> bool:
    """Whether a host's own text can be called so."""
    return re.fullmatch("[a-z][a-z0-9_-]{0,39}", text) is not None


def is_language(text: str) -> bool:
    """Whether it looks like the tag of a language: ``de``, ``pt-BR``."""
    return _LANGUAGE.fullmatch(text) is not None


# ------------------------------------------------------------------------------------------------------ which way


@dataclass(frozen=True, slots=True)
class Reach:
    """By which ways a guest can be reached, and whether the booking was made with the host directly."""

    inbox: bool = False
    email: bool = False
    sms: bool = False
    direct: bool = False


def ways(chosen: By, reach: Reach) -> tuple[By, ...]:
    """By which ways a message goes, the first first; empty: there is none (R37).

    ``auto``: the platform's inbox where it has one and the booking is not a direct one; else e-mail, and for a direct
    booking an SMS too; without an e-mail address an SMS. A wish for an inbox that the booking has not is ``auto``.
    """
    plain = {By.EMAIL: reach.email, By.SMS: reach.sms, By.WEBHOOK: True, By.FIELD: True}
    if chosen in plain:
        return (chosen,) if plain[chosen] else ()
    if reach.inbox and (chosen is By.PLATFORM or not reach.direct):
        return (By.PLATFORM,)
    if reach.email:
        return (By.EMAIL, By.SMS) if reach.direct and reach.sms else (By.EMAIL,)
    return (By.SMS,) if reach.sms else ()


def instead(refused: By, chosen: By, reach: Reach) -> By | None:
    """The way that is tried when one refuses for good; None: there is no other, or the rule wanted just this one."""
    if chosen not in (By.AUTO, By.PLATFORM):
        return None
    if refused is By.PLATFORM and reach.email:
        return By.EMAIL
    if refused in (By.PLATFORM, By.EMAIL) and reach.sms and not reach.direct:
        return By.SMS
    return None


_DIRECT = frozenset({"direct", "website", "manual", "phone", "email", "walk-in", "walkin", "owner", "homepage"})


def is_direct(booked_on: str | None) -> bool:
    """Whether a platform's word for where the stay was booked means: with the host (``direct``, ``Website``, …)."""
    words = re.split(r"[^a-z-]+", (booked_on or "").casefold())
    return not _DIRECT.isdisjoint(words)


# ----------------------------------------------------------------------------------------------------- when it waits


@dataclass(frozen=True, slots=True)
class Quiet:
    """The hours of the night in which guests are not written to, on the property's clock; equal times: none."""

    starts: time
    ends: time

    def until(self, now: datetime, zone: str) -> datetime | None:
        """When the quiet that holds now is over (UTC); None: it is not quiet now."""
        local = to_local(now, zone)
        at = local.time().replace(tzinfo=None, fold=0)
        night = self.starts > self.ends
        if not ((at >= self.starts or at < self.ends) if night else self.starts <= at < self.ends):
            return None
        day = local.date() + timedelta(days=1 if night and at >= self.starts else 0)
        return max(to_utc(day, self.ends, zone), now)


NIGHT = Quiet(time(22), time(7))
