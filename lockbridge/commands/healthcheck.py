"""``lockbridge healthcheck``: the check of coming arrivals."""

import typer

from lockbridge.commands.exits import WRONG
from lockbridge.commands.session import JsonOption
from lockbridge.commands.session import run as in_session
from lockbridge.commands.show import as_json, counted, say, working
from lockbridge.services import Services
from lockbridge.workflows import healthcheck
from lockbridge.workflows.healthcheck import Report

app = typer.Typer(no_args_is_help=True)


@app.callback()
def check() -> None:
    """The check of coming arrivals."""


@app.command()
def run(context: typer.Context, json: JsonOption = False) -> None:
    """Check every arrival of the next 24 hours now, as the worker does at 8:00 in New York.

    What is not on its lock is tried again; else a backup code is given, or the host is told.
    """

    async def work(built: Services) -> Report:
        return await healthcheck.check_all(built, built.clock.now())

    with working("looking at the arrivals of the next 24 hours"):
        report = in_session(context, work)
    if json:
        as_json(report.as_dict())
    else:
        say(_words(report))
    if report.hosts_told:
        raise typer.Exit(WRONG)


def _words(report: Report) -> str:
    if not report.attempted:
        return "every code that opens within 24 hours and is due is on its lock"
    told = f"{counted(report.backups_given, 'backup code')} given, {report.hosts_told} told to the host"
    return f"{counted(report.attempted, 'code')} not confirmed before, {report.already_fine} of them now; {told}"
