"""``lockbridge message``: what guests are told – by which rules, in whose words, and what was said."""

import sys
from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from lockbridge.commands.session import HostOption, JsonOption, run, the_host
from lockbridge.commands.show import as_json, cell, say, table
from lockbridge.commands.stay import StayArgument, find_stay
from lockbridge.domain.ids import HostId, PropertyId
from lockbridge.domain.messages import SHORT_CODES, WhenNotReady
from lockbridge.domain.rules import BadRule, By, Rule, Trigger
from lockbridge.domain.stay import to_local
from lockbridge.services import Services
from lockbridge.storage.rules import Written
from lockbridge.workflows import rules
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.foretell import Foretold, foretell
from lockbridge.workflows.rules import Held

app = typer.Typer(no_args_is_help=True)
rule_app = typer.Typer(no_args_is_help=True)
text_app = typer.Typer(no_args_is_help=True)
app.add_typer(rule_app, name="rule", help="When guests are told what, and by which way.")
app.add_typer(text_app, name="text", help="Texts of your own, with short codes.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What it is called, like house-rules.")]
PlaceOption = Annotated[
    int | None, typer.Option("--property", help="For this property only; without it for all that say nothing else.")
]


# ----------------------------------------------------------------------------------------------------------- rules


@rule_app.command("list")
def list_rules(
    context: typer.Context, place: PlaceOption = None, host: HostOption = None, json: JsonOption = False
) -> None:
    """List the rules that hold, and whether you, a property or lockbridge itself said so."""

    async def work(built: Services) -> list[Held]:
        return await rules.rules_of(built, await the_host(built, host), _place(place))

    rows = [_rule(held) for held in run(context, work)]
    if json:
        as_json(rows)
    else:
        table(rows, empty="there are no rules")


def _place(place: int | None) -> PropertyId | None:
    return None if place is None else PropertyId(place)


def _rule(held: Held) -> dict[str, Any]:
    rule = held.rule
    return {
        "rule": rule.name,
        "on": "yes" if rule.enabled else "off",
        "when": _when(rule),
        "text": rule.template or None,
        "by": rule.channel.value,
        "language": rule.language,
        "if not ready": rule.when_not_ready.value,
        "said by": held.said_by,
    }


def _when(rule: Rule) -> str:
    """``24 h before check in``, ``2 days before check in at 18:00``, ``code changed``."""
    words = rule.trigger.value.replace("_", " ")
    days = [f"{rule.days} day{'' if rule.days == 1 else 's'}"] if rule.days else []
    hours = [f"{rule.hours} h"] if rule.hours else []
    at = [f"at {rule.at:%H:%M}"] if rule.at is not None else []
    return " ".join([*days, *hours, words, *at])


@rule_app.command("set")
def set_rule(
    context: typer.Context,
    name: NameArgument,
    on: Annotated[Trigger | None, typer.Option("--on", help="What it waits for, or counts from.")] = None,
    days: Annotated[int | None, typer.Option(help="How many days before or after.")] = None,
    hours: Annotated[int | None, typer.Option(help="How many hours before or after.")] = None,
    at: Annotated[str | None, typer.Option(help="At which local time of that day, like 18:00.")] = None,
    text: Annotated[str | None, typer.Option(help="Which text: yours, or one that comes with lockbridge.")] = None,
    by: Annotated[By | None, typer.Option(help="By which way it goes.")] = None,
    language: Annotated[str | None, typer.Option(help="The language where the guest's is not known.")] = None,
    not_ready: Annotated[
        WhenNotReady | None, typer.Option("--not-ready", help="What happens while the code is not on its locks.")
    ] = None,
    place: PlaceOption = None,
    host: HostOption = None,
) -> None:
    """Make or change a rule, and switch it on; messages that were not sent yet follow it. What is not given stays."""
    chosen = {
        "trigger": on,
        "days": days,
        "hours": hours,
        "template": text,
        "channel": by,
        "language": language,
        "when_not_ready": not_ready,
    }
    changes = {key: value for key, value in chosen.items() if value is not None} | _clock(at, hours)

    async def work(built: Services) -> Held:
        owner, where = await the_host(built, host), _place(place)
        held = {each.rule.name: each.rule for each in await rules.rules_of(built, owner, where)}
        rule = _changed(held.get(name), name, changes)
        await rules.set_rule(built, owner, where, rule, built.clock.now())
        return Held(rule, "")

    say(f"{name}: {_when(run(context, work).rule)}; see it on a stay: lockbridge message preview STAY --rule {name}")


def _clock(at: str | None, hours: int | None) -> dict[str, Any]:
    """A local time takes the place of hours, and hours that of a local time."""
    if at is None:
        return {} if hours is None else {"at": None}
    try:
        return {"at": time.fromisoformat(at)} | ({} if hours else {"hours": 0})
    except ValueError:
        msg = f"--at {at!r} is no time of day: write it like 18:00"
        raise BadInput(msg) from None


def _changed(known: Rule | None, name: str, changes: dict[str, Any]) -> Rule:
    if known is not None:
        return replace(known, **{"enabled": True, **changes})
    if "trigger" not in changes:
        msg = f"there is no rule {name!r} yet: say what it waits for with --on ({', '.join(Trigger)})"
        raise BadRule(msg)
    return Rule(name=name, **changes)


@rule_app.command("off")
def switch_off(context: typer.Context, name: NameArgument, place: PlaceOption = None, host: HostOption = None) -> None:
    """Switch a rule off; what it planned and was not sent yet is cancelled."""

    async def work(built: Services) -> None:
        await rules.switch_off(built, await the_host(built, host), _place(place), name, built.clock.now())

    run(context, work)
    say(f"{name} is off; lockbridge message rule set {name} switches it on again")


@rule_app.command("reset")
def reset_rule(context: typer.Context, name: NameArgument, place: PlaceOption = None, host: HostOption = None) -> None:
    """Forget what was said about a rule there: what is said further up holds again."""

    async def work(built: Services) -> None:
        await rules.reset_rule(built, await the_host(built, host), _place(place), name, built.clock.now())

    run(context, work)
    say(f"what was said about {name} is forgotten")


# ----------------------------------------------------------------------------------------------------------- texts

CODES = ", ".join(f"%{name}%" for name in SHORT_CODES)


@text_app.command("set", epilog=f"Short codes: {CODES}.")
def set_text(
    context: typer.Context,
    name: NameArgument,
    language: Annotated[str, typer.Option(help="Its language, like de.")],
    subject: Annotated[str, typer.Option(help="The subject, on one line.")],
    file: Annotated[Path | None, typer.Option(help="Where the text stands; without it, standard input.")] = None,
    host: HostOption = None,
) -> None:
    """Store a text of your own. A short code that does not exist is refused, with the one you probably meant."""
    body = file.read_text(encoding="utf-8") if file is not None else sys.stdin.read()
    text = Written(name, language, " ".join(subject.split()), body)

    async def work(built: Services) -> None:
        await rules.set_text(built, await the_host(built, host), text, built.clock.now())

    run(context, work)
    say(f"stored {name} ({language}); a rule uses it: lockbridge message rule set RULE --text {name}")


@text_app.command("list")
def list_texts(context: typer.Context, host: HostOption = None, json: JsonOption = False) -> None:
    """List your texts, each in its languages."""
    rows = [
        {"text": text.name, "language": text.language, "subject": text.subject, "characters": len(text.body)}
        for text in _texts(context, host)
    ]
    if json:
        as_json(rows)
    else:
        table(rows, empty="you have written no text yet: lockbridge message text set --help")


def _texts(context: typer.Context, host: int | None) -> list[Written]:
    async def work(built: Services) -> list[Written]:
        return await rules.texts_of(built, await the_host(built, host))

    return run(context, work)


@text_app.command("show")
def show_text(context: typer.Context, name: NameArgument, host: HostOption = None, json: JsonOption = False) -> None:
    """Show a text of yours in all its languages."""
    found = [text for text in _texts(context, host) if text.name == name]
    if not found:
        msg = f"you have no text {name!r}: 'lockbridge message text list' shows them"
        raise BadInput(msg)
    if json:
        as_json([{"language": text.language, "subject": text.subject, "text": text.body} for text in found])
        return
    for text in found:
        say(f"{text.language} – {text.subject}\n\n{text.body.rstrip()}\n")


# --------------------------------------------------------------------------------------------------------- of a stay


@app.command()
def preview(
    context: typer.Context,
    stay: StayArgument,
    rule: Annotated[str | None, typer.Option(help="Only what this rule says, even where it plans nothing.")] = None,
    show_codes: Annotated[bool, typer.Option("--show-codes", help="Show the digits instead of dots.")] = False,
    host: HostOption = None,
    json: JsonOption = False,
) -> None:
    """Show what the guest of a stay will be told, as it would read now, when and by which way. Nothing is sent."""

    async def work(built: Services) -> tuple[str, list[Foretold]]:
        owner = await the_host(built, host)
        return await built.database.ask(_foretold, built, owner, stay, rule, show_codes)

    zone, found = run(context, work)
    rows = [_shown(each, zone) for each in found]
    if json:
        as_json(rows)
        return
    for row in rows:
        body = row.pop("text")
        say("\n".join(f"{name.ljust(8)}{cell(value)}" for name, value in row.items() if value))
        say(f"\n{body}\n")
    if not rows:
        say("nothing more is planned to be said to the guest")


def _foretold(
    connection: Connection, built: Services, host: HostId, stay: str, rule: str | None, show_codes: bool
) -> tuple[str, list[Foretold]]:
    now = built.clock.now()
    seen = find_stay(connection, built, host, stay, now)
    found = foretell(connection, built, host, seen.stay.id, now, rule=rule, digits=show_codes)
    return seen.place.zone if seen.place else "UTC", found


def _shown(each: Foretold, zone: str) -> dict[str, Any]:
    return {
        "rule": each.rule,
        "when": to_local(each.at, zone) if each.at is not None else "when it happens",
        "by": [way.value for way in each.ways],
        "note": each.note,
        "subject": each.text.subject if each.text else None,
        "text": each.text.text.rstrip() if each.text else "",
    }


@app.command("list")
def list_messages(
    context: typer.Context, stay: StayArgument, host: HostOption = None, json: JsonOption = False
) -> None:
    """List what was said to the guest of a stay and what is to be said: when, by which way, and what came of it."""

    async def work(built: Services) -> list[dict[str, Any]]:
        owner = await the_host(built, host)
        return await built.database.ask(_messages, built, owner, stay)

    rows = run(context, work)
    if json:
        as_json(rows)
    else:
        table(rows, empty="nothing was said and nothing is planned")


def _messages(connection: Connection, built: Services, host: HostId, stay: str) -> list[dict[str, Any]]:
    seen = find_stay(connection, built, host, stay, built.clock.now())
    zone = seen.place.zone if seen.place else "UTC"
    return [
        {
            "message": row.kind.replace("_", " "),
            "rule": row.rule,
            "by": row.channel,
            "state": row.state,
            "sent": to_local(row.sent_at, zone) if row.sent_at else None,
            "next": to_local(row.next_at, zone) if row.next_at else None,
            "told a code": bool(row.told),
            "trouble": row.error,
        }
        for row in seen.messages
        if not row.to_host
    ]
