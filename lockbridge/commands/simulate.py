"""``lockbridge simulate``: weeks of bookings under a virtual clock, judged by an oracle."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lockbridge.config import load
from lockbridge.simulation.report import Report
from lockbridge.simulation.run import simulate as run
from lockbridge.simulation.world import Size


def simulate(
    stays: int = typer.Option(200, min=1, max=100_000, help="How many stays are booked."),
    locks: int = typer.Option(40, min=1, max=10_000, help="On how many locks."),
    days: int = typer.Option(30, min=10, max=365, help="Over how many days."),
    seed: int = typer.Option(1, help="What is drawn: the same seed gives the same run."),
    faults: Literal["none", "mild", "harsh"] = typer.Option("mild", help="How much goes wrong."),
    as_json: bool = typer.Option(False, "--json", help="Print the report as JSON."),
    database: str | None = typer.Option(None, help="An empty database (URL) instead of a temporary SQLite file."),
) -> None:
    """Run the whole engine over simulated weeks; exit code 1 when a door did not do as it should."""
    try:
        with _progress(days) as progress:
            report = run(Size(stays, locks, days, seed), faults, load(), url=database, progress=progress)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--database") from None
    if as_json:
        sys.stdout.write(orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _show(report, f"{stays} stays, {locks} locks, {days} days, seed {seed}, faults {faults}")
    raise typer.Exit(0 if report.content else 1)


@contextmanager
def _progress(days: int) -> Iterator[Callable[[int], None]]:
    """A bar where a person watches, else a line for every tenth of the way; on standard error."""
    if not sys.stderr.isatty():
        yield lambda day: _say(day, days)
        return
    columns = (TextColumn("day {task.completed} of {task.total}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=days)
        yield lambda day: bar.update(task, completed=day)


def _say(day: int, days: int) -> None:
    if day * 10 // days != (day - 1) * 10 // days:
        sys.stderr.write(f"day {day} of {days}\n")


def _show(report: Report, title: str) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title=title, show_header=False)
    for name, value in report.rows():
        table.add_row(name, value)
    console.print(table)
    for reason in report.reasons():
        console.print(escape(reason), highlight=False)
    console.print("The oracle is content." if report.content else "The oracle is NOT content.", highlight=False)
