"""What guests are told: what was said and what is coming, by which rules, in whose words, and how it would read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, MessageId, PropertyId, StayId
from lockbridge.domain.messages import SHORT_CODES, GuestMessage, UnknownShortCode, WhenNotReady
from lockbridge.domain.people import Right
from lockbridge.domain.rules import BadRule, By, Rule, Trigger, is_language, is_text_name
from lockbridge.services import Services
from lockbridge.storage import correspondence, hosts, stays
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.rules import Written
from lockbridge.storage.stays import StayRow
from lockbridge.web.desk import Connecting, Desk, NotHere, Number, Seeing, number_in
from lockbridge.workflows import foretell, rules, writing
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.foretell import Draft
from lockbridge.workflows.rules import Held

router = APIRouter()
PART = "messages"
PAGE = 25
MOST_STAYS = 20
"""Among how many coming stays one chooses for a preview."""
INVENTED = ""

TRIGGERS: Mapping[Trigger, str] = {
    Trigger.BOOKED: "after the booking",
    Trigger.BEFORE_CHECK_IN: "before check-in",
    Trigger.AFTER_CHECK_IN: "after check-in",
    Trigger.BEFORE_CHECK_OUT: "before check-out",
    Trigger.AFTER_CHECK_OUT: "after check-out",
    Trigger.CODE_SET: "when the code is on its locks",
    Trigger.CODE_CHANGED: "when the code has changed",
    Trigger.BACKUP_GIVEN: "when a backup code is given",
}
AT: Mapping[Trigger, str] = {
    Trigger.BOOKED: "as soon as it is booked",
    Trigger.BEFORE_CHECK_IN: "at check-in",
    Trigger.AFTER_CHECK_IN: "at check-in",
    Trigger.BEFORE_CHECK_OUT: "at check-out",
    Trigger.AFTER_CHECK_OUT: "at check-out",
}
"""The same without days and hours."""
WAYS: Mapping[By, str] = {
    By.AUTO: "as the booking asks for (inbox, e-mail, SMS)",
    By.EMAIL: "by e-mail",
    By.PLATFORM: "through the platform’s inbox",
    By.SMS: "by SMS",
    By.WEBHOOK: "by webhook to your own system",
    By.FIELD: "where the platform keeps the door code",
}
UNREADY: Mapping[WhenNotReady, str] = {
    WhenNotReady.HOLD: "wait until it is",
    WhenNotReady.FALLBACK: "say that it comes later",
    WhenNotReady.BACKUP: "give a backup code",
}
SAID_BY: Mapping[str, str] = {"default": "lockbridge", "host": "you, for all", "property": "you, for this property"}
LANGUAGES: Mapping[str, str] = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "it": "Italiano",
    "pt": "Português",
    "nl": "Nederlands",
    "da": "Dansk",
    "sv": "Svenska",
    "pl": "Polski",
}


def when_of(rule: Rule) -> str:
    """When a rule speaks, in words: ``2 days before check-in, at 18:00``."""
    amounts = ((rule.days, "day"), (rule.hours, "hour"))
    counted = " and ".join(f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in amounts if number)
    words = f"{counted} {TRIGGERS[rule.trigger]}" if counted else AT.get(rule.trigger, TRIGGERS[rule.trigger])
    return f"{words}, at {rule.at:%H:%M}" if rule.at is not None else words


# ------------------------------------------------------------------------------------------------ said, and to be said


@router.get("/messages")
async def show(desk: Seeing, before: Number = 0) -> Response:
    """What is to be said next, and what was said lately."""
    older = MessageId(before) if before else None
    coming, lately = await desk.services.database.ask(_letters, desk.host, older)
    last = lately[PAGE - 1].id if len(lately) > PAGE else None
    shown = {"part": PART, "coming": coming, "lately": lately[:PAGE], "next": last, "ways": WAYS, "before": before}
    return desk.page("console/messages/list.html", {**shown, "quiet": desk.services.policy.quiet})


def _letters(connection: Connection, host: HostId, before: MessageId | None) -> tuple[Sequence[Any], Sequence[Any]]:
    coming = correspondence.coming(connection, host, PAGE) if before is None else []
    return coming, correspondence.lately(connection, host, PAGE + 1, before)


@router.get("/messages/sent/{message}")
async def show_letter(desk: Seeing, message: int, show: str = "") -> Response:
    """One message: when, by which way, and – asked for, by somebody who may – its words."""
    letter = await desk.services.database.ask(correspondence.get, desk.services.vault, desk.host, MessageId(message))
    if letter is None:
        raise NotHere
    opened = bool(show) and desk.may(Right.SEE_PINS)
    if opened:
        await desk.note(f"read the message {letter.kind.replace('_', ' ')} to", f"stay {letter.stay}")
    shown = {"part": PART, "letter": letter, "opened": opened, "ways": WAYS}
    return desk.page("console/messages/letter.html", shown)


# --------------------------------------------------------------------------------------------------------------- rules


@dataclass(frozen=True, slots=True)
class Line:
    """A rule as the list shows it."""

    held: Held
    when: str
    said_by: str


@router.get("/messages/rules")
async def show_rules(desk: Seeing, at: str = "") -> Response:
    """The rules that hold, for all properties or at one."""
    places = await desk.services.database.ask(hosts.properties_of_host, desk.host)
    place = _place(places, at)
    held = await rules.rules_of(desk.services, desk.host, place)
    lines = [Line(each, when_of(each.rule), SAID_BY[each.said_by]) for each in held]
    shown = {"part": PART, "lines": lines, "places": places, "at": place or "", "ways": WAYS, "unready": UNREADY}
    return desk.page("console/messages/rules.html", shown)


def _place(places: Sequence[PropertyRow], at: str) -> PropertyId | None:
    """The property a rule is for; empty: all of them."""
    if not at:
        return None
    found = next((place.id for place in places if f"{place.id}" == at), None)
    if found is None:
        raise NotHere
    return found


async def _their_place(desk: Desk, at: str) -> PropertyId | None:
    return _place(await desk.services.database.ask(hosts.properties_of_host, desk.host), at)


@router.get("/messages/rules/new")
async def new_rule(desk: Connecting, at: str = "") -> Response:
    """The form of a new rule."""
    blank = Rule(name="", trigger=Trigger.BEFORE_CHECK_IN, template="")
    return await _rule_form(desk, await _their_place(desk, at), blank, is_new=True)


@router.get("/messages/rules/edit/{name}")
async def edit_rule(desk: Connecting, name: str, at: str = "") -> Response:
    """The form of a rule."""
    place = await _their_place(desk, at)
    held = next(
        (each for each in await rules.rules_of(desk.services, desk.host, place) if each.rule.name == name), None
    )
    if held is None:
        raise NotHere
    return await _rule_form(desk, place, held.rule, is_new=False)


async def _rule_form(
    desk: Desk, place: PropertyId | None, rule: Rule, *, is_new: bool, error: str = "", status: int = 200
) -> Response:
    names = await desk.services.database.ask(rules.templates, desk.host)
    places = await desk.services.database.ask(hosts.properties_of_host, desk.host)
    shown = {
        "part": PART,
        "rule": rule,
        "is_new": is_new,
        "at": place or "",
        "place": next((each.name for each in places if each.id == place), ""),
        "triggers": [(key.value, words) for key, words in TRIGGERS.items()],
        "ways": [(key.value, words) for key, words in WAYS.items()],
        "unready": [(key.value, words) for key, words in UNREADY.items()],
        "texts": [("", "–"), *((name, name.replace("_", " ")) for name in sorted(names))],
        "languages": [("", "the property’s, else the host’s"), *((key, words) for key, words in LANGUAGES.items())],
        "error": error,
    }
    return desk.page("console/messages/rule.html", shown, status=status)


@router.post("/messages/rules/save")
async def save_rule(desk: Connecting) -> Response:
    """Make or change a rule; messages not sent yet follow it."""
    place = await _their_place(desk, desk.text("at"))
    is_new = desk.checked("is_new")
    blank = Rule(name=desk.text("name"), trigger=Trigger.BEFORE_CHECK_IN)
    rule = blank
    try:
        rule = _rule(desk)
        await _check_new(desk, place, rule.name, is_new=is_new)
        await rules.set_rule(desk.services, desk.host, place, rule, desk.now)
    except BadRule as error:
        return await _rule_form(desk, place, rule, is_new=is_new, error=str(error), status=422)
    await desk.note("changed the message rule", f"{rule.name}{f' of property {place}' if place else ''}")
    return desk.go(_rules_path(desk, place), f"{rule.name}: {when_of(rule)}. Messages not sent yet follow it.")


def _rules_path(desk: Desk, place: PropertyId | None) -> str:
    return f"{desk.base}/messages/rules" + (f"?at={place}" if place else "")


async def _check_new(desk: Desk, place: PropertyId | None, name: str, *, is_new: bool) -> None:
    """A new rule takes no other's place unseen. Raises BadRule."""
    if is_new and name in {each.rule.name for each in await rules.rules_of(desk.services, desk.host, place)}:
        msg = f"there is a rule {name!r} already: change that one, or take another name"
        raise BadRule(msg)


def _rule(desk: Desk) -> Rule:
    """The rule as it was filled in. Raises BadRule."""
    try:
        return Rule(
            name=desk.text("name"),
            trigger=Trigger(desk.text("trigger")),
            template=desk.text("template"),
            days=int(desk.text("days") or 0),
            hours=int(desk.text("hours") or 0),
            at=time.fromisoformat(desk.text("clock")) if desk.text("clock") else None,
            channel=By(desk.text("channel")),
            language=desk.text("language") or None,
            when_not_ready=WhenNotReady(desk.text("when_not_ready")),
            enabled=desk.checked("enabled"),
        )
    except ValueError as error:
        msg = "days and hours are whole numbers, a time of day is written like 18:00"
        raise BadRule(msg) from error


@router.post("/messages/rules/off/{name}")
async def switch_off(desk: Connecting, name: str) -> Response:
    """Have a rule send nothing, there or everywhere."""
    return await _switch(desk, name, on=False)


@router.post("/messages/rules/on/{name}")
async def switch_on(desk: Connecting, name: str) -> Response:
    """Have a rule speak again."""
    return await _switch(desk, name, on=True)


async def _switch(desk: Desk, name: str, *, on: bool) -> Response:
    place = await _their_place(desk, desk.text("at"))
    held = {each.rule.name: each.rule for each in await rules.rules_of(desk.services, desk.host, place)}
    if name not in held:
        raise NotHere
    await rules.set_rule(desk.services, desk.host, place, replace(held[name], enabled=on), desk.now)
    await desk.note(f"switched {'on' if on else 'off'} the message rule", name)
    said = "speaks again" if on else "is off; what it planned and was not sent is cancelled"
    return desk.go(_rules_path(desk, place), f"{name} {said}.")


@router.post("/messages/rules/reset/{name}")
async def reset_rule(desk: Connecting, name: str) -> Response:
    """Forget what was said about a rule there: what is said further up holds again."""
    place = await _their_place(desk, desk.text("at"))
    try:
        await rules.reset_rule(desk.services, desk.host, place, name, desk.now)
    except BadRule:
        raise NotHere from None
    await desk.note("reset the message rule", name)
    return desk.go(_rules_path(desk, place), f"{name} is as it was before you changed it.")


# --------------------------------------------------------------------------------------------------------------- texts


@router.get("/messages/texts")
async def show_texts(desk: Seeing) -> Response:
    """The texts there are, each in its languages."""
    shelves = await desk.services.database.ask(writing.shelves, desk.services, desk.host)
    return desk.page("console/messages/texts.html", {"part": PART, "shelves": shelves, "languages": LANGUAGES})


@router.post("/messages/texts")
async def new_text(desk: Connecting) -> Response:
    """Begin a text of one's own: to its editor."""
    name, language = desk.text("name"), desk.text("language") or "en"
    if not name:
        return desk.go(f"{desk.base}/messages/texts", "Give the text a name, like house-rules.", trouble=True)
    clean = "-".join(name.casefold().split())
    return desk.go(f"{desk.base}/messages/texts/{clean}/{language}")


@router.get("/messages/texts/{name}/{language}")
async def edit_text(desk: Connecting, name: str, language: str) -> Response:
    """The editor of a text, with what it would read like."""
    _check_path(name, language)
    found = await desk.services.database.ask(writing.opened, desk.services, desk.host, name, language)
    return await _editor(desk, found)


def _check_path(name: str, language: str) -> None:
    if not is_text_name(name) or not is_language(language):
        raise NotHere


async def _editor(
    desk: Desk, written: Written, *, about: str = INVENTED, error: str = "", status: int = 200, **more: Any
) -> Response:
    choices, shelves = await desk.services.database.ask(_around, desk.services, desk.host, desk.now)
    shelf = next((each for each in shelves if each.name == written.name), None)
    own, ours = (shelf.own, shelf.ours) if shelf is not None else ((), ())
    tabs = list(dict.fromkeys((*ours, *own, *LANGUAGES, written.language)))
    shown = {
        "part": PART,
        "written": written,
        "own": own,
        "ours": ours,
        "tabs": [(tab, LANGUAGES.get(tab, tab)) for tab in tabs],
        "short_codes": SHORT_CODES,
        "choices": choices,
        "about": about,
        "preview": await _preview(desk, written, about),
        "error": error,
    }
    return desk.page("console/messages/text.html", {**shown, **more}, status=status)


def _around(
    connection: Connection, services: Services, host: HostId, now: datetime
) -> tuple[list[tuple[str, str]], list[writing.Shelf]]:
    coming = [
        row
        for row in stays.of_host(connection, services.vault, host, after=now, limit=MOST_STAYS)
        if row.property is not None
    ]
    return [(f"{row.id}", _named(row)) for row in coming], writing.shelves(connection, services, host)


def _named(row: StayRow) -> str:
    return f"{row.guest_name or row.reservation_code}, from {row.arrival:%a} {row.arrival.day} {row.arrival:%b %Y}"


@dataclass(frozen=True, slots=True)
class Previewed:
    """A text as a guest would read it, or what is wrong with it."""

    draft: Draft | None = None
    error: str = ""


async def _preview(desk: Desk, written: Written, about: str) -> Previewed:
    stay = StayId(number_in(about)) or None
    try:
        found = await desk.services.database.ask(foretell.draft, desk.services, desk.host, written, stay, desk.now)
    except UnknownShortCode as error:
        return Previewed(error=str(error))
    return Previewed(found)


def _typed(desk: Desk, name: str, language: str) -> Written:
    body = desk.text("body").replace("\r\n", "\n")
    return Written(name, language, " ".join(desk.text("subject").split()), body)


@router.post("/messages/preview")
async def preview(desk: Connecting) -> Response:
    """What is being typed, as a guest would read it: a piece of a page."""
    written = _typed(desk, desk.text("name"), desk.text("language"))
    found = await _preview(desk, written, desk.text("about"))
    return desk.page("console/messages/preview.html", {"preview": found})


@router.post("/messages/texts/{name}/{language}")
async def save_text(desk: Connecting, name: str, language: str) -> Response:
    """Store the text, show it, or send it to its writer: as the button says."""
    _check_path(name, language)
    written, about = _typed(desk, name, language), desk.text("about")
    try:
        if desk.text("do") == "preview":
            return await _editor(desk, written, about=about)
        if desk.text("do") == "test":
            return await _test(desk, written, about)
        await rules.set_text(desk.services, desk.host, written, desk.now)
    except (BadRule, BadInput, UnknownShortCode) as error:
        return await _editor(desk, written, about=about, error=str(error), status=422)
    await desk.note("wrote the text", f"{name} ({language})")
    return desk.go(f"{desk.base}/messages/texts/{name}/{language}", _stored(name))


def _stored(name: str) -> str:
    ours = name in set(GuestMessage)
    return "Stored: messages not sent yet say this." if ours else f"Stored. A rule says it when its text is “{name}”."


async def _test(desk: Desk, written: Written, about: str) -> Response:
    await writing.send_to_me(desk.services, desk.host, written, desk.person.email, desk.now)
    said = (f"A test is on its way to {desk.person.email}.", False)
    return await _editor(desk, written, about=about, said=said)


@router.post("/messages/texts/{name}/{language}/drop")
async def drop_text(desk: Connecting, name: str, language: str) -> Response:
    """Forget the host's own text in this language."""
    try:
        await rules.drop_text(desk.services, desk.host, name, language, desk.now)
    except BadRule as error:
        return desk.go(f"{desk.base}/messages/texts", f"{error}.", trouble=True)
    await desk.note("dropped the text", f"{name} ({language})")
    return desk.go(f"{desk.base}/messages/texts", f"{name} ({language}) is no longer yours.")
