"""The command line itself: help, exit codes, one clear line for every mistake."""

import re
import subprocess
import sys

import pytest

from lockbridge import cli
from lockbridge.contract import AccountRefused, LockFull, LockOffline, OutcomeUnknown, Unreachable
from lockbridge.storage.database import SchemaNewer, StorageUnavailable
from lockbridge.storage.vault import WrongKey
from lockbridge.workflows.connect import BadInput
from tests.commands.conftest import ROOT, Command

COMMANDS = [
    *(name.split() for name in ["serve", "worker", "demo", "simulate", "simulator", "migrate", "doctor"]),
    *(["host", name] for name in ("add", "list", "hook")),
    *(["person", name] for name in ("add", "list", "support", "recover")),
    *(["property", name] for name in ("add", "list", "set", "match", "unmatch")),
    *(["lock-app", name] for name in ("kinds", "matrix", "add", "list", "test", "change", "webhook")),
    *(["lock", name] for name in ("list", "preview", "resync")),
    *(["keypad", name] for name in ("list", "done")),
    *(["platform", name] for name in ("connect", "kinds", "list", "matrix", "properties", "reconnect", "sync")),
    *(["stay", name] for name in ("list", "show", "explain", "confirm", "cancel", "follow")),
    *(["staff", name] for name in ("add", "revoke")),
    *(["inbox", name] for name in ("list", "replay")),
    *(["message", name] for name in ("rule", "text", "preview", "list")),
    *(["message", "rule", name] for name in ("list", "set", "off", "reset")),
    *(["message", "text", name] for name in ("set", "list", "show")),
    ["code", "list"],
    ["healthcheck", "run"],
    ["key", "rotate"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_in_a_plain_sentence(lockbridge: Command, command):
    said = lockbridge(*command, "--help")
    assert said.code == 0, said.err
    assert "Usage: lockbridge" in said.out
    assert re.search(r"[A-Z][a-z].{10,}\.", said.out)


def test_the_list_above_is_complete(lockbridge: Command):
    assert {command[0] for command in COMMANDS} == set(cli.COMMANDS)
    for group in {command[0] for command in COMMANDS if len(command) > 1}:
        listed = re.findall(r"^│ ([a-z]+) ", lockbridge(group, "--help").out.split("Commands")[1], re.MULTILINE)
        assert set(listed) == {command[1] for command in COMMANDS if command[0] == group and len(command) == 2}


def test_help_lists_the_commands_and_the_exit_codes(lockbridge: Command):
    said = lockbridge("--help")
    assert said.code == 0
    assert all(name in said.out for name in cli.COMMANDS)
    assert "Exit codes: 0 all is well; 1 something is wrong" in " ".join(said.out.split())


def test_help_imports_no_engine():
    code = "import sys; from lockbridge.cli import run; run(['--help']); print('sqlalchemy' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603 - ourselves
    assert ran.stdout.endswith("False\n")


def test_it_tells_its_version(lockbridge: Command):
    assert lockbridge("--version").out.startswith("lockbridge 0.")


def test_without_a_command_it_shows_help_as_a_usage_error(lockbridge: Command):
    said = lockbridge()
    assert (said.code, "Commands" in said.out, said.err) == (2, True, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("hots", "Did you mean 'host'"),
        ("host add Ana", "missing argument 'email'"),
        ("stay list --limit many", "--limit"),
        ("stay list --settings x", "it stands before the command"),
        ("--settings missing.toml host list", "the settings file missing.toml does not exist"),
        ("lock-app add acme", "there is no driver for 'acme': one of home_assistant"),
        ("lock-app add simulator --set url", "is not NAME=VALUE"),
        ("lock-app add simulator --set colour=red", "has no field 'colour': it has url, token"),
        ("lock-app add simulator", "'token' is missing: give it with --from-env token=VARIABLE"),
        ("lock-app add simulator --from-env token=NOPE_X", "the environment has no variable NOPE_X"),
        ("property add X --zone Europe/Berlin --ref foo:1", "platforms are beds24, cloudbeds, generic"),
        ("property add X --zone Europe/Berlin --set colour=red", "there is no setting 'colour'"),
        ("property add X --zone Europe/Berlin --set pin_length=four", "it is a whole number"),
        ("property add X --zone Europe/Berlin --set backups=maybe", "it is true or false"),
        ("property add X --zone Europe/Berlin --set pin_mode=odd", "it is phone or random"),
        ("platform connect airline", "one of beds24, cloudbeds, generic"),
        ("platform connect generic --secret-env NOPE_X", "NOPE_X is empty or missing"),
        ("inbox list --state lost", "a webhook is waiting, done, ignored, dead"),
        ("inbox replay 1 --since 2026-01-01T00:00Z", "not both"),
        ("inbox replay --since yesterday", "write it with its offset"),
        ("staff add X --lock 1 --standing --until 2026-01-01T00:00Z", "not both"),
        ("lock resync", "say which locks"),
    ],
)
def test_a_mistake_is_exit_code_2_and_one_clear_line(lockbridge: Command, arguments, words):
    said = lockbridge(*arguments.split())
    assert said.code == 2
    assert words in said.err
    assert (said.err.count("\n"), said.out) == (1, "")


def test_a_setting_that_makes_no_sense_says_where_it_stands(lockbridge: Command, monkeypatch):
    monkeypatch.setenv("LOCKBRIDGE_SERVER__PORT", "high")
    said = lockbridge("host", "list")
    assert said.code == 2
    assert "environment variable LOCKBRIDGE_SERVER__PORT" in said.err


def test_a_database_without_tables_says_what_to_run(lockbridge: Command):
    said = lockbridge("stay", "list")
    assert said.code == 1
    assert "run 'lockbridge migrate'" in said.err


def test_a_database_that_cannot_be_reached_is_exit_code_3(lockbridge: Command, monkeypatch):
    monkeypatch.setenv("LOCKBRIDGE_DATABASE__URL", "postgresql://nobody:secret@127.0.0.1:1/none")
    said = lockbridge("stay", "list")
    assert said.code == 3
    assert "cannot be reached" in said.err
    assert "secret" not in said.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("x"), 2),
        (ValueError("x"), 2),
        (SchemaNewer("x"), 1),
        (WrongKey("x"), 1),
        (PermissionError(13, "Permission denied", "/x"), 1),
        (AccountRefused("x"), 1),
        (LockFull("x"), 1),
        (Unreachable("x"), 3),
        (LockOffline("x"), 3),
        (OutcomeUnknown("x"), 3),
        (StorageUnavailable("x"), 3),
        (RuntimeError("x"), None),
        (KeyError("x"), None),
    ],
)
def test_an_error_has_the_exit_code_of_its_kind(error, code):
    assert cli.exit_code(error) == code


def test_a_mistake_of_ours_is_not_hidden(lockbridge: Command, monkeypatch):
    monkeypatch.setattr(cli, "app", lambda *_args, **_options: {}["missing"])
    with pytest.raises(KeyError):
        lockbridge("host", "list")
