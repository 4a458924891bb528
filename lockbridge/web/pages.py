"""Pages from templates: one Jinja2 environment, how instants and statuses are shown, and the files pages link to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from lockbridge.domain.stay import to_local

STATIC = "/static/"
FOREVER = "public, max-age=31536000, immutable"

TONES: Mapping[str, str] = {
    "set": "good",
    "connected": "good",
    "online": "good",
    "done": "good",
    "sent": "good",
    "confirmed": "good",
    "scheduled": "calm",
    "pending": "calm",
    "waiting": "calm",
    "running": "calm",
    "held": "warn",
    "backup given": "warn",
    "removing": "quiet",
    "removed": "quiet",
    "cancelled": "quiet",
    "ignored": "quiet",
    "unknown": "warn",
    "failed": "bad",
    "refused": "bad",
    "dead": "bad",
    "offline": "bad",
    "needs_person": "bad",
}
"""How a status word is coloured; the word itself always stands beside it."""

PLAIN: Mapping[str, str] = {"pin": "PIN", "needs_person": "needs you", "email": "e-mail", "sms": "SMS"}
"""Names from the code that read better as other words."""

_INSTANT = re.compile(r"\b[A-Z][a-z]{2} \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2} UTC\b")


@dataclass(frozen=True, slots=True)
class Static:
    """A file that pages link to. ``version`` is part of its address, so that browsers may keep it for ever."""

    body: bytes
    media_type: str
    version: str


class Pages:
    """Renders the templates of a folder, each compiled once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {each.__name__: each for each in (when, day, clock, tone, words, slug, told)}
        self._environment.globals["asset"] = self.asset

    def render(self, template: str, context: Mapping[str, Any]) -> str:
        """The page. A name that the template uses and the context lacks is an error."""
        return self._environment.get_template(template).render(context)

    @cached_property
    def static(self) -> Mapping[str, Static]:
        """The files that pages link to, by name."""
        return {path.name: _static(path) for path in sorted((self._folder / "static").iterdir())}

    def asset(self, name: str) -> str:
        """The address of a file that pages link to."""
        return f"{STATIC}{name}?v={self.static[name].version}"


def _static(path: Path) -> Static:
    body = path.read_bytes()
    kind = guess_type(path.name)[0] or "application/octet-stream"
    return Static(body, kind, sha256(body).hexdigest()[:10])


def when(instant: datetime | None, zone: str | None = None) -> Markup:
    """An instant on the clock of a zone, with the zone's short name; empty for None.

    Where no zone is known it is UTC, and the console's script shows it on the reader's own clock.
    """
    if instant is None:
        return Markup()
    local = to_local(instant, zone or "UTC")
    shown = f"{local:%a} {local.day} {local:%b %Y, %H:%M}"
    return Markup('<time datetime="{}"{}>{} <abbr title="{}">{}</abbr></time>').format(
        instant.isoformat(), _here("day", zone), shown, zone or "UTC", local.tzname() or ""
    )


def clock(instant: datetime | None, zone: str | None = None) -> Markup:
    """The time of day alone, with the zone's short name."""
    if instant is None:
        return Markup()
    local = to_local(instant, zone or "UTC")
    return Markup('<time datetime="{}"{}>{:%H:%M} <abbr title="{}">{}</abbr></time>').format(
        instant.isoformat(), _here("clock", zone), local, zone or "UTC", local.tzname() or ""
    )


def _here(kind: str, zone: str | None) -> Markup:
    return Markup() if zone else Markup(' data-here="{}"').format(kind)


def day(value: date | None) -> Markup:
    """A date as people write it; empty for None."""
    if value is None:
        return Markup()
    return Markup('<time datetime="{}">{:%a} {} {:%b %Y}</time>').format(value.isoformat(), value, value.day, value)


def tone(status: object) -> str:
    """The class that colours a status word."""
    return TONES.get(str(status), "quiet")


def words(name: object) -> Markup:
    """A name from the code as words: ``lock_offline`` as "lock offline"."""
    return escape(PLAIN.get(str(name)) or str(name).replace("_", " "))


def slug(name: object) -> Markup:
    """A name that hosts give in small letters and hyphens, as a title: ``house-rules`` as "House rules"."""
    return escape(str(name).replace("_", " ").replace("-", " ").capitalize())


def told(why: str, zone: str | None) -> str:
    """A sentence of the history with its instants on the clock of a zone; where none is known they stay in UTC."""
    return _INSTANT.sub(lambda found: _local(found[0], zone), why) if zone else why


def _local(instant: str, zone: str) -> str:
    try:
        local = to_local(datetime.strptime(instant, "%a %d %b %Y %H:%M UTC").replace(tzinfo=UTC), zone)
    except ValueError:
        return instant
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {local.tzname()}"
