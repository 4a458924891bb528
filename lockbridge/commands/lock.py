"""``lockbridge lock``: the locks, and what is on them."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from lockbridge.commands.exits import UNREACHABLE, WRONG
from lockbridge.commands.session import HostOption, JsonOption, run, the_host
from lockbridge.commands.show import as_json, say, table, working
from lockbridge.domain.ids import HostId, LockId
from lockbridge.domain.plan import Plan
from lockbridge.services import Services
from lockbridge.storage import hosts, locks
from lockbridge.storage.locks import LockRow
from lockbridge.workflows import connect
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.resync import Report, resync_all

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_locks(context: typer.Context, host: HostOption = None, json: JsonOption = False) -> None:
    """List a host's locks with their class, whether they can be reached, and what they open.

    Class A keeps windows, B gives out codes it computes, C is a slot that lockbridge fills and clears in time.
    """

    async def work(built: Services) -> list[dict[str, Any]]:
        return await built.database.ask(_locks, await the_host(built, host))

    rows = run(context, work)
    if json:
        as_json(rows)
    else:
        table(rows, empty="there are no locks yet: connect a lock app, lockbridge lock-app add --help")


def _locks(connection: Connection, host: HostId) -> list[dict[str, Any]]:
    places = hosts.properties_of_host(connection, host)
    names = {place.id: place.name for place in places}
    matched = hosts.matches(connection, list(names))
    return [
        {
            "lock": row.id,
            "name": row.name,
            "class": row.capabilities.lock_class.value,
            "state": _state(row),
            "battery": None if row.battery is None else f"{row.battery:.0%}",
            "opens": [names[place] for place, lock in matched if lock == row.id],
            "seen": row.looked_at,
            "lock-app": row.app,
        }
        for row in locks.locks_of_host(connection, host)
    ]


def _state(row: LockRow) -> str:
    if row.missing:
        return "gone from its lock app"
    return {True: "online", False: "offline", None: "unknown"}[row.online]


@app.command()
def preview(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="LOCK", help="Its number, as `lock list` shows it.")],
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Read a lock and show what would be done to it, without doing it."""

    async def work(built: Services) -> tuple[LockRow, Plan]:
        owner = await the_host(built, host)
        return await connect.preview_lock(built, owner, LockId(number), built.clock.now())

    with working("reading the lock"):
        row, plan = run(context, work)
    actions = [{"do": action.verb.value, "code": action.ref, "why": action.why} for action in plan.actions]
    if json:
        as_json({"lock": row.id, "actions": actions, "refused": plan.refused, "waiting_for_room": len(plan.no_room)})
        return
    say(f"lock {row.id}, {row.name}:")
    table(actions, empty="nothing to do: it holds what is wanted")
    if plan.refused:
        say(f"this would be refused: {plan.refused}")


@app.command()
def resync(
    context: typer.Context,
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="LOCK...", help="Numbers, as `lock list` shows.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every lock of the host.")] = False,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Put on locks what should be on them: missing codes again, wrong ones corrected, old ones off. Others' stay."""
    if every == bool(numbers):
        msg = "say which locks, by number, or --all"
        raise BadInput(msg)

    async def work(built: Services) -> list[tuple[LockRow, Report]]:
        known = await built.database.ask(locks.locks_of_host, await the_host(built, host))
        chosen = _chosen(known, numbers or [], every=every)
        return list(zip(chosen, await resync_all(built, [row.id for row in chosen], built.clock.now), strict=True))

    with working("reading the locks and putting right what differs"):
        done = run(context, work)
    rows = [{"lock": row.id, "name": row.name, **_report(report)} for row, report in done]
    if json:
        as_json(rows)
    else:
        table(rows, empty="there are no locks")
    _leave([report for _, report in done])


def _chosen(known: Sequence[LockRow], numbers: Sequence[int], *, every: bool) -> list[LockRow]:
    rows = {row.id: row for row in known}
    stranger = next((number for number in numbers if number not in rows), None)
    if stranger is not None:
        msg = f"this host has no lock {stranger}: 'lockbridge lock list' shows them"
        raise BadInput(msg)
    return list(known) if every else [rows[LockId(number)] for number in numbers]


def _report(report: Report) -> dict[str, Any]:
    return {
        "pushed": report.pushed,
        "kept": report.kept,
        "corrected": report.corrected,
        "removed": report.removed,
        "failed": report.failed,
        "trouble": report.unread,
    }


def _leave(reports: Sequence[Report]) -> None:
    if any(report.unread for report in reports):
        raise typer.Exit(UNREACHABLE)
    if any(report.failed for report in reports):
        raise typer.Exit(WRONG)
