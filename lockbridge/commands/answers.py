"""The answers to a form – a lock app's, a property's – from options, the environment, a prompt or standard input."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

import typer

from lockbridge.contract import FormField
from lockbridge.workflows.connect import BadInput


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """``name=value`` texts as a mapping. Raises BadInput."""
    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            msg = f"{option} {text!r} is not NAME=VALUE"
            raise BadInput(msg)
        found[name.strip()] = value
    return found


def from_environment(given: Sequence[str]) -> dict[str, str]:
    """``name=VARIABLE`` texts as a mapping to what the variables hold. Raises BadInput."""
    found = {}
    for name, variable in pairs(given, "--from-env").items():
        if variable not in os.environ:
            msg = f"the environment has no variable {variable} (for {name})"
            raise BadInput(msg)
        found[name] = os.environ[variable]
    return found


class Form(Protocol):
    """What a host fills in to connect something."""

    @property
    def title(self) -> str:
        """What it is called."""
        ...

    @property
    def fields(self) -> tuple[FormField, ...]:
        """Its fields."""
        ...


def fill_in(spec: Form, given: Mapping[str, str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """The form, filled in: what was given, else what was ``known``, else by asking. Raises BadInput."""
    names = [field.name for field in spec.fields]
    strangers = sorted(set(given) - set(names))
    if strangers:
        msg = f"{spec.title} has no field {strangers[0]!r}: it has {', '.join(names)}"
        raise BadInput(msg)
    have = {**(known or {}), **given}
    return {field.name: have[field.name] if field.name in have else _ask(field) for field in spec.fields}


def _ask(field: FormField) -> str:
    """A prompt that echoes no secret; without a terminal a secret that is needed is one line of standard input."""
    if field.default is not None and not (field.secret and sys.stdin.isatty()):
        return field.default
    words = field.label + (f" ({field.help})" if field.help else "")
    if sys.stdin.isatty():
        return str(typer.prompt(words, default=field.default, hide_input=field.secret))
    line = sys.stdin.readline().rstrip("\r\n") if field.secret else ""
    if not line:
        way = f"--from-env {field.name}=VARIABLE, or a line on standard input" if field.secret else ""
        msg = f"{field.name!r} is missing: give it with {way or f'--set {field.name}=…'}"
        raise BadInput(msg)
    return line
