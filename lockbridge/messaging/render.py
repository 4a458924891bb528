"""Texts from templates. The templates are ours; hosts write plain text with short codes, never template code."""

import html
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from lockbridge.domain.messages import (
    SHORT_CODES,
    DateStyle,
    DoorCode,
    GuestMessage,
    HostAlarm,
    StayFacts,
    fill,
    short_code_values,
)
from lockbridge.domain.people import PersonMail

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import SandboxedEnvironment

FALLBACK_LANGUAGE = "en"
_TURNS_TEXT_AROUND = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Text:
    """A message ready to send: a subject of one line, plain text, and HTML where there is some."""

    subject: str
    text: str
    html: str | None = None


def clean(text: str) -> str:
    """The text without control characters (line breaks stay) and without marks that turn the writing direction."""
    return "".join(char for char in text if char == "\n" or _is_plain(char))


def _is_plain(char: str) -> bool:
    return unicodedata.category(char) not in {"Cc", "Cs"} and char not in _TURNS_TEXT_AROUND


def one_line(text: str) -> str:
    """The text on one line, for subjects and for names inside a text."""
    return clean(" ".join(text.split()))


def breaks(text: str) -> Markup:
    """A value for HTML: escaped (unless it is markup already), its lines kept apart."""
    return Markup("<br>\n").join(text.splitlines())


class Renderer:
    """Renders the templates of one directory (its layout is told in ``templates/README.md``), each compiled once."""

    def __init__(self, templates: Path) -> None:
        self._root = templates
        self._alarms: dict[HostAlarm, tuple[Template, Template]] = {}
        self._dates: dict[str, DateStyle] = {}

    @cached_property
    def _env(self) -> "SandboxedEnvironment":
        return _environment(self._root)

    def render_guest(self, kind: GuestMessage, language: str, facts: StayFacts) -> Text:
        """The message in the guest's language, else in English. Values are escaped for each of its parts."""
        spoken, known = self._spoken(language), _cleaned(facts)
        values = {**short_code_values(known, self._date_style(spoken)), "other_codes": known.other_codes}
        subject, text, body = (
            self._env.get_template(f"guest/{spoken}/{kind}/{part}").render(values)
            for part in ("subject.txt", "body.txt", "body.html")
        )
        return Text(one_line(subject), text.rstrip() + "\n", body)

    def render_written(self, subject: str, body: str, language: str, facts: StayFacts) -> Text:
        """A message that a host wrote: plain text with short codes, shown as written.

        Raises UnknownShortCode.
        """
        known, dates = _cleaned(facts), self._date_style(self._spoken(language))
        marked_up = fill(html.escape(clean(body)), known, html.escape, dates=dates)
        page = self._env.get_template("guest/written.html").render(body=breaks(Markup(marked_up)))  # noqa: S704 - escaped
        return Text(one_line(fill(subject, known, dates=dates)), fill(clean(body), known, dates=dates), page)

    def as_written(self, kind: GuestMessage, language: str) -> Text:
        """The message as a host would have written it: its short codes stand in it. To begin a text of one's own."""
        spoken = self._spoken(language)
        values = {name: f"%{name}%" for name in SHORT_CODES} | {"other_codes": ""}
        subject, text = (
            self._env.get_template(f"guest/{spoken}/{kind}/{part}").render(values)
            for part in ("subject.txt", "body.txt")
        )
        return Text(one_line(subject), text.rstrip() + "\n")

    @property
    def languages(self) -> list[str]:
        """The languages in which there are templates, English first."""
        return sorted(self._folders.values(), key=lambda language: (language != FALLBACK_LANGUAGE, language))

    def render_host(self, alarm: HostAlarm, context: Mapping[str, object]) -> Text:
        """The e-mail to the host; ``context`` holds at least :meth:`variables`. Instants are written as they are given.

        Raises jinja2.UndefinedError when a variable is missing.
        """
        subject, body = self._alarm(alarm)
        values = {name: _shown(value) for name, value in ({"arrivals": (), "console": ""} | dict(context)).items()}
        return Text(one_line(subject.render(values)), body.render(values).rstrip() + "\n")

    def render_person(self, kind: PersonMail, context: Mapping[str, object]) -> Text:
        """The e-mail to somebody who signs in, or will.

        Raises jinja2.UndefinedError when a variable is missing.
        """
        whole = self._env.get_template(f"email/person/{kind}.txt").render(_shown(context))
        subject, _, body = whole.partition("\n")
        return Text(one_line(subject), body.strip() + "\n")

    def render_several(self, alarms: Sequence[Text]) -> Text:
        """One e-mail for several alarms, the gravest first."""
        said = {"gravest": alarms[0].subject, "alarms": alarms}
        subject, _, body = (self._root / "email" / "several.txt").read_text(encoding="utf-8").partition("\n")
        filled = (self._env.from_string(part).render(said) for part in (subject, body.lstrip("\n")))
        return Text(one_line(next(filled)), next(filled).rstrip() + "\n")

    def variables(self, alarm: HostAlarm) -> frozenset[str]:
        """What the context of an alarm must hold (``arrivals``, a list, and ``console`` may always be left out)."""
        from jinja2 import meta  # noqa: PLC0415 - as below

        parsed = self._env.parse(self._source(alarm))
        return frozenset(meta.find_undeclared_variables(parsed)) - {"arrivals", "console"}

    def dates(self, language: str) -> DateStyle:
        """How a language writes days and times."""
        return self._date_style(self._spoken(language))

    def speaks(self, language: str) -> bool:
        """Whether there are templates in this language."""
        return self._known(language) is not None

    def _spoken(self, language: str) -> str:
        return self._known(language) or FALLBACK_LANGUAGE

    def _known(self, language: str) -> str | None:
        """The folder for a language, whatever the case of its tag; for ``de-AT`` without one, that for ``de``."""
        wanted = language.replace("_", "-").casefold()
        return self._folders.get(wanted) or self._folders.get(wanted.partition("-")[0])

    @cached_property
    def _folders(self) -> Mapping[str, str]:
        return {folder.name.casefold(): folder.name for folder in (self._root / "guest").iterdir() if folder.is_dir()}

    def _date_style(self, language: str) -> DateStyle:
        if language not in self._dates:
            words = tomllib.loads((self._root / "guest" / language / "words.toml").read_text(encoding="utf-8"))
            self._dates[language] = DateStyle(**{name: _frozen(value) for name, value in words.items()})
        return self._dates[language]

    def _source(self, alarm: HostAlarm) -> str:
        return (self._root / "email" / "host" / f"{alarm}.txt").read_text(encoding="utf-8")

    def _alarm(self, alarm: HostAlarm) -> "tuple[Template, Template]":
        if alarm not in self._alarms:
            subject, _, body = self._source(alarm).partition("\n")
            self._alarms[alarm] = (self._env.from_string(subject), self._env.from_string(body.lstrip("\n")))
        return self._alarms[alarm]


def _environment(templates: Path) -> "SandboxedEnvironment":
    from jinja2 import FileSystemLoader, StrictUndefined  # noqa: PLC0415 - 2 MB: who only takes webhooks goes without
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - as above

    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(templates),
        autoescape=lambda name: bool(name and name.endswith(".html")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["breaks"] = breaks
    return environment


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _cleaned(facts: StayFacts) -> StayFacts:
    return replace(
        facts,
        guest_name=one_line(facts.guest_name),
        guest_first_name=one_line(facts.guest_first_name),
        property_name=one_line(facts.property_name),
        doors=tuple(_cleaned_door(door) for door in facts.doors),
        staff=tuple(_cleaned_door(door) for door in facts.staff),
    )


def _cleaned_door(door: DoorCode) -> DoorCode:
    return replace(door, lock_name=one_line(door.lock_name))


def _shown(value: object) -> object:
    """A value as an alarm shows it: strings on one line, instants with their zone, the inside of lists likewise."""
    match value:
        case str():
            return one_line(value)
        case datetime():
            return f"{value:%Y-%m-%d %H:%M %Z}".strip()
        case Mapping():
            return {key: _shown(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_shown(inner) for inner in value]
        case _:
            return value
