"""Logging: one line per event, for a person or as JSON, and never a secret in it.

Everything, whichever library wrote it, passes :func:`hide_secrets`. Log a constant sentence and put what varies into
named values (``log.info("push refused", lock=7, detail=text)``): the names are what the hiding goes by.
"""

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Literal, TextIO

import orjson
import structlog
from pydantic import SecretBytes, SecretStr

from lockbridge.domain.code import Pin

HIDDEN = "••••"

SECRET_WORDS = frozenset(
    [
        *("pin", "pins", "digits", "token", "tokens", "secret", "secrets", "password", "passwd", "apikey"),
        *("authorization", "cookie", "signature", "credential", "credentials", "phone", "phones", "email", "contact"),
    ]
)
"""A value is hidden when a word of its name is one of these …"""
HARMLESS_ENDINGS = frozenset(["reason", "detail", "length", "mode", "id", "ids", "kind", "state", "count", "index"])
"""… unless the name says it is only about it: ``pin_reason``."""
FREE_TEXT = frozenset(
    ["error", "detail", "text", "body", "message", "response", "answer", "exception", "stack", "name", "code", "why"]
)
"""Values of these names are somebody's words: runs of four and more digits in them may be a PIN or a phone number."""

QUIET = ("httpx", "httpcore", "apscheduler", "alembic", "uvicorn.access", "mail.log", "asyncio")
"""Libraries that log URLs with tokens in them, or every second."""

_DIGITS = re.compile(r"(?P<date>\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?)|\d(?:[ .()/-]?\d){3,}")
_IN_TEXT = [
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {HIDDEN}"),
    (
        re.compile(r"(?i)\b([\w-]*(?:token|secret|password|api[_-]?key|signature|pin|phone))=[^&\s\"']+"),
        rf"\1={HIDDEN}",
    ),
    (re.compile(r"(/webhooks/[\w-]+/)[^/?\s\"']+"), rf"\1{HIDDEN}"),
    (re.compile(r"(\w://[^/\s:@]*):[^/\s@]+@"), rf"\1:{HIDDEN}@"),
]


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The event with PINs, credentials, phone numbers and addresses of webhooks hidden. For structlog."""
    for name, value in event.items():
        event[name] = _harmless(name, value)
    return event


def _harmless(name: str, value: Any) -> Any:
    """The value as it may be logged under this name."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Pin | SecretStr | SecretBytes):
        return str(value)
    if _is_secret(name):
        return HIDDEN
    if isinstance(value, int | float | date):
        return value
    return _harmless_text(name, value)


def _harmless_text(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _harmless(str(key), inner) for key, inner in value.items()}
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        return [_harmless(name, inner) for inner in value]
    return _scrubbed(name, value if isinstance(value, str) else repr(value))


def _scrubbed(name: str, text: str) -> str:
    for pattern, instead in _IN_TEXT:
        text = pattern.sub(instead, text)
    if _words(name)[-1] not in FREE_TEXT:
        return text
    return "\n".join(
        line if line.startswith("  File ") else _DIGITS.sub(_unless_date, line) for line in text.split("\n")
    )


def _unless_date(found: re.Match[str]) -> str:
    return found["date"] or HIDDEN


@lru_cache(maxsize=1024)
def _words(name: str) -> tuple[str, ...]:
    """``phoneNumber``, ``phone-number`` and ``phone_number`` are the same two words."""
    return tuple(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower().split("_"))


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    words = _words(name)
    return not SECRET_WORDS.isdisjoint(words) and words[-1] not in HARMLESS_ENDINGS


def set_up(level: str = "info", style: Literal["console", "json"] = "console", stream: TextIO | None = None) -> None:
    """Send all logging of this process to ``stream`` (default: standard error). May be called again.

    ``level`` is ``debug``, ``info``, ``warning`` or ``error``; instants are UTC.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(style, colors=handler.stream.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # A tick that takes longer than a second is told about every second; its next knock does the work.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            *_common(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _common() -> list[Any]:
    """What is added to our own events and to those of libraries alike."""
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(style: str, *, colors: bool) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_common(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            hide_secrets,
            _renderer(style, colors=colors),
        ],
    )


def _renderer(style: str, *, colors: bool) -> Callable[..., str | bytes]:
    if style == "json":
        return structlog.processors.JSONRenderer(serializer=_json)
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


def _json(event: Any, **_options: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS).decode()
