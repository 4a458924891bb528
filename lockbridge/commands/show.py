"""How commands tell people and programs: tables at a terminal, plain lines elsewhere, JSON where asked for."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDEST = 60
"""A longer cell pushes the rest of its own line aside, not that of all others."""


def say(text: str) -> None:
    """One line for the person who asked."""
    typer.echo(text)


def as_json(value: Any) -> None:
    """The value for programs: names with underscores, instants as ISO 8601 with their offset."""
    typer.echo(orjson.dumps(_for_programs(value), default=str, option=orjson.OPT_INDENT_2).decode())


def _for_programs(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {re.sub(r"\W", "_", str(name)): _for_programs(inner) for name, inner in value.items()}
    return [_for_programs(inner) for inner in value] if isinstance(value, list | tuple) else value


def table(rows: Sequence[Mapping[str, Any]], *, empty: str) -> None:
    """Rows under their names: ruled and folded to the width of a terminal, else one line for each."""
    if not rows:
        say(empty)
    elif sys.stdout.isatty():
        Console().print(_ruled(rows))
    else:
        typer.echo("\n".join(_lined(rows)))


def _ruled(rows: Sequence[Mapping[str, Any]]) -> Table:
    ruled = Table(*rows[0], header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        ruled.add_row(*(Text(cell(value)) for value in row.values()))
    return ruled


def _lined(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    cells = [list(rows[0]), *([cell(value) for value in row.values()] for row in rows)]
    widths = [min(WIDEST, max(len(line[column]) for line in cells)) for column in range(len(cells[0]))]
    for line in cells:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def cell(value: Any) -> str:
    """A value as a person reads it."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment(value)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else " ".join(str(value).split())


def moment(instant: datetime) -> str:
    """An instant in its own zone."""
    return f"{instant:%Y-%m-%d %H:%M %Z}"


def counted(count: int, thing: str, things: str | None = None) -> str:
    """``1 lock``, ``2 locks``; ``things`` is the plural where it is not just an s."""
    return f"{count} {thing if count == 1 else things or thing + 's'}"


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show that something takes a while: a spinner when somebody watches, else one line on standard error."""
    if not sys.stderr.isatty():
        typer.echo(f"{text} …", err=True)
        yield
        return
    with Console(stderr=True).status(f"{text} …"):
        yield
