"""The command line. Commands are imported when they are called, so that ``--help`` and a typing mistake cost nothing.

Errors become one line on standard error – what, where, what to do – and an exit code that scripts can use.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from lockbridge import __version__
from lockbridge.commands.exits import OK, UNREACHABLE, USAGE, WRONG

COMMANDS = {
    "serve": ("running:serve", "Take webhooks and carry codes to the locks."),
    "worker": ("running:work", "Carry codes to the locks, without a web server."),
    "demo": ("showing:demo", "Show the main job with real parts, in under a minute."),
    "simulate": ("simulate:simulate", "Drive the whole engine over weeks and judge it by an oracle."),
    "simulator": ("showing:simulator", "Run a simulated lock app over HTTP, to try things out."),
    "migrate": ("looking:migrate", "Bring the database to this version."),
    "doctor": ("looking:doctor", "Look at settings, database, key, clock, mail and lock apps."),
    "host": ("host:app", "Who rents out properties."),
    "person": ("person:app", "Who signs in to the console, and for whom."),
    "property": ("place:app", "The places that are rented, and which locks open them."),
    "lock-app": ("lock_app:app", "The accounts that locks are reached through."),
    "lock": ("lock:app", "The locks, and what is on them."),
    "keypad": ("keypad:app", "What somebody has to program at locks that have no connection."),
    "platform": ("platform:app", "The booking platforms, and the addresses they send webhooks to."),
    "stay": ("stay:app", "The reservations, their codes, and why everything is as it is."),
    "message": ("message:app", "What guests are told: by which rules, in whose words, and what was said."),
    "code": ("code:app", "The codes on the locks."),
    "staff": ("staff:app", "Codes for people who work at a property."),
    "healthcheck": ("healthcheck:app", "The check of coming arrivals."),
    "inbox": ("inbox:app", "The webhooks that came in."),
    "key": ("key:app", "The key that PINs and credentials are encrypted with."),
}
"""By name: the module under ``lockbridge.commands`` with what to take from it, and one sentence."""

EPILOGUE = (
    "Exit codes: 0 all is well; 1 something is wrong, and was said; 2 the command or its input makes no sense; "
    "3 the database or a lock app cannot be reached."
)


class LazyGroup(TyperGroup):
    """The commands by name; a module is imported when its command is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._only_listed = False
        for name, (_, sentence) in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=sentence)

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # typer's own context
        """The list of commands; none is imported for it."""
        self._only_listed = True
        super().format_help(ctx, formatter)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """The command; None when there is none of this name."""
        if self._only_listed or cmd_name not in COMMANDS:
            return self.commands.get(cmd_name)
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        found = getattr(import_module(f"lockbridge.commands.{module}"), attribute)
        if isinstance(found, typer.Typer):
            group = typer.main.get_group(found)
            group.help = COMMANDS[cmd_name][1]
            return group
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(found)
        return typer.main.get_command(alone)


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog=EPILOGUE,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lockbridge {__version__}")
        raise typer.Exit


@app.callback()
def lockbridge(
    context: typer.Context,
    settings: Annotated[
        Path | None,
        typer.Option(help="The settings file; without it the one LOCKBRIDGE_SETTINGS names, or the defaults."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From a booking webhook to a working code on a lock, and a message to the guest."""
    from lockbridge.commands.session import Chosen  # noqa: PLC0415 - after --help, which needs none of it

    context.obj = Chosen(settings)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code. A terminal that knows no ``•`` shows another sign."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Errors are told on standard error."""
    try:
        code = app(arguments, standalone_mode=False, prog_name="lockbridge")
    except typer.Abort:
        _complain("stopped: nothing more was done")
        return WRONG
    except Exception as error:
        known = exit_code(error)
        if known is None:
            raise
        _complain(_words(error))
        return known
    return code if isinstance(code, int) else OK


def _complain(text: str) -> None:
    if text:
        typer.echo(f"lockbridge: {text}", err=True)


def _words(error: Exception) -> str:
    if isinstance(error, typer.TyperException):
        return _usage_words(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _usage_words(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "lockbridge"
    words = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        return words
    if "--settings" in words:
        words += " (it stands before the command: lockbridge --settings FILE …)"
    stop = "" if words.endswith((".", "?", "…")) else "."
    return f"{words[:1].lower()}{words[1:]}{stop} See '{command} --help'"


def exit_code(error: Exception) -> int | None:
    """The exit code for an error that a person can do something about; None for a mistake of ours."""
    if isinstance(error, typer.TyperException):
        return USAGE
    kind = next((name for base in type(error).__mro__ if (name := base.__name__) in _CODES), None)
    if kind == "ProviderError":
        return WRONG if getattr(error, "remedy", "") in {"ask", "replan"} else UNREACHABLE
    return _CODES[kind] if kind else None


_CODES = {
    "BadInput": USAGE,
    "ConfigError": USAGE,
    "VaultError": WRONG,
    "SchemaError": WRONG,
    "StorageUnavailable": UNREACHABLE,
    "ProviderError": UNREACHABLE,
    "SendError": UNREACHABLE,
    "CannotListen": WRONG,
    "NotAnswered": UNREACHABLE,
    "AssetsMissing": WRONG,
    "TimeZonesMissing": WRONG,
    "OSError": WRONG,
    "ValueError": USAGE,
}
"""By the name of the class or of one it derives from, the nearest first: naming them imports none of them."""
