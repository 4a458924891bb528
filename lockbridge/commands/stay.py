"""``lockbridge stay``: the reservations, their codes, and why everything is as it is."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from lockbridge.commands.session import HostOption, JsonOption, RevealOption, run, the_host
from lockbridge.commands.show import as_json, cell, say, table
from lockbridge.domain.code import Pin
from lockbridge.domain.ids import HostId, StayId
from lockbridge.domain.stay import StayStatus, to_local
from lockbridge.services import Services
from lockbridge.storage import hosts, stays
from lockbridge.storage.stays import StayRow
from lockbridge.workflows import reservations
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.explain import Access, StayView, view

app = typer.Typer(no_args_is_help=True)
HIDDEN = "••••"

StayArgument = Annotated[str, typer.Argument(metavar="STAY", help="Its number or its reservation code.")]


@app.command("list")
def list_stays(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many.")] = 100,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """List a host's reservations by arrival, those that are over left out."""

    async def work(built: Services) -> list[dict[str, Any]]:
        owner, after = await the_host(built, host), None if every else built.clock.now()
        return await built.database.ask(_stays, built, owner, after, limit)

    rows = run(context, work)
    if json:
        as_json(rows)
    else:
        table(rows, empty="there are no stays" + ("" if every else " to come: --all lists those that are over"))


def _stays(
    connection: Connection, built: Services, host: HostId, after: datetime | None, limit: int
) -> list[dict[str, Any]]:
    found = stays.of_host(connection, built.vault, host, after=after, limit=limit)
    places = hosts.properties(connection, {row.property for row in found if row.property is not None})
    return [_stay(row, places[row.property].name if row.property is not None else None) for row in found]


def _stay(row: StayRow, place: str | None) -> dict[str, Any]:
    return {
        "stay": row.id,
        "code": row.reservation_code,
        "guest": row.guest_name,
        "property": place or f"unknown ({row.platform}:{row.property_ref})",
        "arrival": row.arrival.isoformat(),
        "departure": row.departure.isoformat(),
        "status": row.status.value,
        "trouble": row.trouble,
    }


@app.command()
def show(
    context: typer.Context,
    stay: StayArgument,
    reveal: RevealOption = False,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Show a reservation and what is on which lock for it (Property Access)."""
    seen = _view(context, stay, host)
    facts = _facts(seen, reveal=reveal)
    access = [_access(line, seen, reveal=reveal) for line in seen.access]
    if json:
        as_json({"stay": facts, "access": access})
        return
    _tell_facts(facts)
    say("")
    table(access, empty="no code is planned for it" + (f": {seen.stay.trouble}" if seen.stay.trouble else " yet"))


@app.command()
def explain(
    context: typer.Context,
    stay: StayArgument,
    reveal: RevealOption = False,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Tell what was decided for a reservation and why: each PIN and name, each push and answer, each message."""
    seen = _view(context, stay, host)
    history = [
        {"at": _local(entry.at, seen), "what": entry.kind, "lock": _lock_name(entry.lock, seen), "why": entry.why}
        for entry in seen.history
    ]
    messages = [_message(seen, message, reveal=reveal) for message in seen.messages]
    access = [_access(line, seen, reveal=reveal) for line in seen.access]
    if json:
        as_json({"stay": _facts(seen, reveal=reveal), "access": access, "history": history, "messages": messages})
        return
    _tell_facts(_facts(seen, reveal=reveal))
    for title, rows in (("What happened", history), ("Messages", messages), ("On the locks", access)):
        say(f"\n{title}")
        table(rows, empty="nothing yet")


@app.command()
def confirm(context: typer.Context, stay: StayArgument, host: HostOption = None) -> None:
    """Say that a stay is a booking, whatever its calendar can tell: it gets its code."""
    _decide(context, stay, host, StayStatus.CONFIRMED, "is confirmed: it gets its code")


@app.command()
def cancel(context: typer.Context, stay: StayArgument, host: HostOption = None) -> None:
    """Say that a stay is cancelled, whatever its sources say: its code is taken away."""
    _decide(context, stay, host, StayStatus.CANCELLED, "is cancelled: its code is taken away")


@app.command()
def follow(context: typer.Context, stay: StayArgument, host: HostOption = None) -> None:
    """Take back what was said by `confirm` or `cancel`: the stay's sources decide again."""
    _decide(context, stay, host, None, "follows its sources again")


def _decide(context: typer.Context, stay: str, host: int | None, status: StayStatus | None, outcome: str) -> None:
    async def work(built: Services) -> StayRow:
        owner, now = await the_host(built, host), built.clock.now()
        row = (await built.database.ask(find_stay, built, owner, stay, now)).stay
        await reservations.decide(built, owner, row.id, status, now)
        decided = await built.database.ask(stays.get, built.vault, owner, row.id)
        assert decided is not None  # noqa: S101 - it was found a moment ago
        return decided

    row = run(context, work)
    holds = status is None or row.status is status
    words = outcome if holds else f"stays {row.status.value}: its source says {row.raw_status or row.status.value}"
    say(f"stay {row.id}, {row.guest_name or row.reservation_code}, {words}")


def _view(context: typer.Context, stay: str, host: int | None) -> StayView:
    async def work(built: Services) -> StayView:
        return await built.database.ask(find_stay, built, await the_host(built, host), stay, built.clock.now())

    return run(context, work)


def find_stay(connection: Connection, built: Services, host: HostId, stay: str, now: datetime) -> StayView:
    """By reservation code first, then by number."""
    coded = stays.by_code(connection, built.vault, host, stay)
    if len(coded) > 1:
        msg = f"several stays are called {stay!r}: say which by number ({', '.join(str(row.id) for row in coded)})"
        raise BadInput(msg)
    number = coded[0].id if coded else int(stay) if stay.isascii() and stay.isdecimal() and len(stay) < 19 else 0  # noqa: PLR2004 - a 64-bit number
    found = view(connection, built, host, StayId(number), now)
    if found is None:
        msg = f"this host has no stay {stay!r}: 'lockbridge stay list --all' shows them"
        raise BadInput(msg)
    return found


def _facts(seen: StayView, *, reveal: bool) -> dict[str, Any]:
    row = seen.stay
    facts = _stay(row, seen.place.name if seen.place else None)
    contact = {"phone": row.contact.phone, "e-mail": row.contact.email}
    facts |= contact if reveal else {name: HIDDEN if value else None for name, value in contact.items()}
    facts |= {
        "platform": f"{row.platform} says {row.raw_status or row.status.value}",
        "sources disagree": row.disagreement,
        "check-in": _hour(row.host_check_in, row.check_in, row.check_in_from),
        "check-out": _hour(row.host_check_out, row.check_out, row.check_out_from),
    }
    if seen.code is not None:
        facts |= {
            "pin": pin_text(seen.code.pin, reveal=reveal),
            "why this pin": _why(seen.code.pin_reason, seen.code.pin_detail),
            "name on locks": seen.code.name,
            "why this name": _why(seen.code.name_reason, seen.code.name_detail),
            "opens": _local(seen.code.opens_at, seen),
            "closes": _local(seen.code.closes_at, seen),
        }
    return facts


def _hour(host: str | None, told: str | None, source: str | None) -> str | None:
    """A time of day and who said it; None: the property's usual one."""
    if host is not None:
        return f"{host} (set by the host)"
    return f"{told} ({source or 'platform'})" if told is not None else None


def _why(reason: str, detail: str) -> str:
    words = reason.replace("_", " ")
    return f"{words}: {detail}" if detail else words


def pin_text(pin: Pin | None, *, reveal: bool) -> str | None:
    """The digits, or their mask."""
    return None if pin is None else pin.digits if reveal else pin.masked


def _access(line: Access, seen: StayView, *, reveal: bool) -> dict[str, Any]:
    return {
        "lock": line.lock,
        "lock name": line.lock_name,
        "pin": pin_text(line.pin, reveal=reveal),
        "name": line.code_name,
        "status": line.shown.status.value,
        "reason": line.shown.reason,
        "next": _local(line.shown.next_at, seen),
        "backup": line.is_backup,
    }


def _message(seen: StayView, message: Any, *, reveal: bool) -> dict[str, Any]:
    row = asdict(message)
    return {
        "message": row["kind"],
        "to": "host" if row["to_host"] else "guest",
        "by": row["channel"],
        "state": row["state"],
        "sent": _local(row["sent_at"], seen),
        "next": _local(row["next_at"], seen),
        "trouble": row["error"],
        **({"text": row["text"]} if reveal else {}),
    }


def _lock_name(lock: int | None, seen: StayView) -> str | None:
    return next((line.lock_name for line in seen.access if line.lock == lock), None if lock is None else f"lock {lock}")


def _local(at: datetime | None, seen: StayView) -> datetime | None:
    """As the property's clock shows it; in UTC where no property is known."""
    return to_local(at, seen.place.zone) if at is not None and seen.place else at


def _tell_facts(facts: dict[str, Any]) -> None:
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        if value is not None and value != "":
            say(f"{name.ljust(width)}  {cell(value)}")
