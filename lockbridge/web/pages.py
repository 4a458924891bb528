"""Pages from templates: one Jinja2 environment, how instants and statuses are shown, and the files pages link to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
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
        self._environment.filters |= {"when": when, "day": day, "clock": clock, "tone": tone, "words": words}
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
    """An instant on the clock of a zone – UTC where none is known – with the zone's short name; empty for None."""
    if instant is None:
        return Markup()
    local = to_local(instant, zone or "UTC")
    shown = f"{local:%a} {local.day} {local:%b %Y, %H:%M}"
    return Markup('<time datetime="{}">{} <abbr title="{}">{}</abbr></time>').format(
        instant.isoformat(), shown, zone or "UTC", local.tzname() or ""
    )


def clock(instant: datetime | None, zone: str | None = None) -> Markup:
    """The time of day alone, with the zone's short name."""
    if instant is None:
        return Markup()
    local = to_local(instant, zone or "UTC")
    return Markup('<time datetime="{}">{:%H:%M} <abbr title="{}">{}</abbr></time>').format(
        instant.isoformat(), local, zone or "UTC", local.tzname() or ""
    )


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
    return escape(str(name).replace("_", " "))
