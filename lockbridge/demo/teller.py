"""Prints the story as a timeline: local time, where it was read, what happened and why. Nothing is printed by heart."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lockbridge.domain.ids import LockId
from lockbridge.domain.stay import to_local
from lockbridge.storage.journal import Entry
from lockbridge.workflows.explain import StayView

STYLES = {"engine": "cyan", "lock": "magenta", "mail": "green", "door": "yellow", "web": "blue", "hand": "red"}
"""Where a line was read: our database, the lock app, the mail server, a door, the webhook address, a person's deed."""
BEFORE = datetime.min.replace(tzinfo=UTC)
LONGEST_REFRAIN = 4
"""How many lines that come over and over together are still taken for one refrain."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline. ``source`` is one of :data:`STYLES`."""

    at: datetime
    source: str
    what: str
    why: str = ""

    @property
    def said(self) -> tuple[str, str, str]:
        """The line without its time: two that say the same are repeats."""
        return self.source, self.what, self.why


@dataclass(slots=True)
class Teller:
    """Tells what is new, once; keeps what was promised and did not hold."""

    console: Console
    broken: list[str] = field(default_factory=list)
    checked: int = 0
    _zone: str = "UTC"
    _day: str = ""
    _begun: datetime = BEFORE
    _known: Counter[Entry] = field(default_factory=Counter)
    _mails: int = 0

    def chapter(self, title: str, zone: str, now: datetime) -> None:
        """Begin a chapter; its times are those of this zone, and what happened before it is not told any more."""
        self._zone, self._day, self._begun = zone, "", now
        self.console.print()
        self.console.print(Rule(Text(title, "bold"), align="left", style="dim"))

    def line(self, at: datetime, source: str, what: str, why: str = "") -> None:
        """One line of the timeline. ``source`` is one of :data:`STYLES`."""
        self._print(Line(at, source, what, why))

    def _print(self, line: Line) -> None:
        local = to_local(line.at, self._zone)
        self._new_day(f"{local:%a %d %b %Y}, {self._zone.rpartition('/')[2].replace('_', ' ')}")
        text = Text(line.what)
        if line.why:
            text.append(f" – {line.why}", "dim")
        self._row(f"{local:%H:%M}", Text(line.source, STYLES[line.source]), text)

    def _new_day(self, day: str) -> None:
        if day != self._day:
            self._day = day
            self.console.print(Text(f"  {day}", "bold"))

    def _row(self, first: str, second: Text, third: Text) -> None:
        row = Table.grid(padding=(0, 1))
        row.add_column(width=9, justify="right")
        row.add_column(width=6)
        row.add_column(ratio=1, overflow="fold")
        row.add_row(first, second, third)
        self.console.print(row)

    def table(self, heading: str, rows: Mapping[str, str]) -> None:
        """A short list of things with their meaning."""
        grid = Table.grid(padding=(0, 2))
        for name, meaning in rows.items():
            grid.add_row(Text(f"  {name}"), Text(meaning))
        self.console.print(Text(heading))
        self.console.print(grid)

    def check(self, promise: str, holds: object) -> None:
        """What must be true for the story to be true; told either way."""
        self.checked += 1
        if not holds:
            self.broken.append(promise)
        mark = Text("✓ true", "bold green") if holds else Text("✗ NOT", "bold red")
        self._row("", mark, Text(promise, "bold"))

    def news(self, views: Sequence[StayView], mails: Sequence[EmailMessage]) -> None:
        """What the database has on these stays, and the mail server in all, that was not told yet, in order."""
        lines = [line for view in views for line in self._history(view)]
        lines += [_mail_line(mail) for mail in mails[self._mails :]]
        self._mails = len(mails)
        for line in collapsed(sorted(lines, key=lambda line: line.at)):
            self._print(line)

    def has_news(self, view: StayView) -> bool:
        """Whether the database has something to tell of a stay that was not told yet."""
        return bool(Counter(view.history) - self._known)

    def _history(self, view: StayView) -> list[Line]:
        names = {line.lock: line.lock_name for line in view.access}
        return [_history_line(entry, names) for entry in self._fresh(view.history) if entry.at >= self._begun]

    def _fresh(self, history: Sequence[Entry]) -> list[Entry]:
        """What was not told yet; of entries that say the same, the later ones are new."""
        counted: Counter[Entry] = Counter()
        fresh = []
        for entry in history:
            counted[entry] += 1
            if counted[entry] > self._known[entry]:
                fresh.append(entry)
        self._known |= counted
        return fresh

    def holds(self, at: datetime, lock_name: str, held: list[dict[str, Any]]) -> None:
        """What is physically on a lock."""
        for code in held:
            whose = "not ours" if code["made_by"] == "hand" else "ours"
            self.line(at, "lock", f"{lock_name} holds {code['pin']} {_label(code)}({whose}){self._window(code)}")
        if not held:
            self.line(at, "lock", f"{lock_name} holds nothing")

    def _window(self, code: dict[str, Any]) -> str:
        if code["starts"] is None:
            return ""
        begins, ends = (self._local(code[name]) for name in ("starts", "ends"))
        return f", {begins} to {ends}"

    def _local(self, instant: str) -> str:
        return f"{to_local(datetime.fromisoformat(instant), self._zone):%a %d %H:%M}"


def _history_line(entry: Entry, names: Mapping[LockId, str]) -> Line:
    where = f"{names.get(entry.lock, 'a lock')}: " if entry.lock is not None else ""
    return Line(entry.at, "engine", where + entry.kind.replace("_", " "), entry.why)


def _mail_line(mail: EmailMessage) -> Line:
    return Line(mail["Date"].datetime, "mail", f"to {mail['To']}: {mail['Subject']}", essence(mail))


def collapsed(lines: Sequence[Line]) -> Iterator[Line]:
    """The lines; what is said over and over, alone or a few together, is told once and counted."""
    rest = list(lines)
    while rest:
        period = max(range(1, LONGEST_REFRAIN + 1), key=lambda length: (_times(rest, length) - 1) * length)
        times = _times(rest, period)
        if times == 1:
            yield rest.pop(0)
        else:
            yield from rest[:period]
            last = rest[period * times - 1]
            yield Line(last.at, last.source, f"… and {'once more' if times == 2 else f'{times - 1} times more'}")  # noqa: PLR2004 - twice
            rest = rest[period * times :]


def _times(lines: Sequence[Line], period: int) -> int:
    """How often the first ``period`` lines are said in a row."""
    block = [line.said for line in lines[:period]]
    times = 1
    while [line.said for line in lines[period * times : period * (times + 1)]] == block:
        times += 1
    return times


def _label(code: dict[str, Any]) -> str:
    return f"“{code['name']}” " if code["name"] else ""


def text_of(mail: EmailMessage) -> str:
    """The plain text of an e-mail."""
    body = mail.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""


def pin_in(mail: EmailMessage) -> str:
    """The digits a guest finds in an e-mail: the first indented line of digits; "" when there are none."""
    indented = (line.strip() for line in text_of(mail).splitlines() if line.startswith("    "))
    return next((line for line in indented if line.isdigit()), "")


def essence(mail: EmailMessage) -> str:
    """The digits of an e-mail where it has some, else its first paragraph."""
    if pin := pin_in(mail):
        return f"the code {pin}"
    paragraphs = (" ".join(part.split()) for part in text_of(mail).split("\n\n"))
    return next((part for part in paragraphs if part), "")
