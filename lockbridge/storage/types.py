"""Column types that mean the same on SQLite and PostgreSQL: a UTC instant, and JSON.

In a table: ``Field(sa_type=UtcDateTime)``, ``Field(sa_type=Json)``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import JSON, BigInteger, BindParameter, DateTime, bindparam
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


IDS: BindParameter[Any] = bindparam("_ids", expanding=True)
"""Any number of ids, given as ``{"_ids": [...]}`` to a question that is built once.

Building one takes SQLAlchemy as long as asking it.
"""


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Takes aware datetimes of any zone, gives back datetimes whose ``tzinfo`` is ``datetime.UTC``.

    SQLite keeps whole microseconds since 1970 (an integer: exact, ordered, quick to compare); PostgreSQL keeps
    ``timestamptz``. A naive datetime raises ``ValueError``, anything else ``TypeError``.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """An integer where the database has no type for instants."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """The instant as this database keeps it."""
        return None if value is None else self._kept(value, sqlite=dialect.name == "sqlite")

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        """The same for many values: hot paths bind a dozen instants a row."""
        sqlite, kept = dialect.name == "sqlite", self._kept
        return lambda value: None if value is None else kept(value, sqlite=sqlite)

    @staticmethod
    def _kept(value: datetime, *, sqlite: bool) -> Any:
        instant = _checked(value)
        return (instant - EPOCH) // MICROSECOND if sqlite else instant

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The instant, in UTC."""
        return self.result_processor(dialect, None)(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002 - SQLAlchemy's signature
        """The same for many values: hot paths read a dozen instants a row."""
        return _from_microseconds if dialect.name == "sqlite" else _from_timestamp


def _from_microseconds(value: int | None) -> datetime | None:
    return None if value is None else EPOCH + timedelta(0, 0, value)


def _from_timestamp(value: datetime | None) -> datetime | None:
    return None if value is None else _in_utc(value)


def _checked(value: datetime) -> datetime:
    """The instant in UTC. Raises as :class:`UtcDateTime` says."""
    if type(value) is datetime and value.tzinfo is UTC:
        return value
    _refuse_naive(value)
    return value.astimezone(UTC)


def _refuse_naive(value: object) -> None:
    if not isinstance(value, datetime):
        msg = f"an instant column takes an aware datetime, not {type(value).__name__}"
        raise TypeError(msg)
    if value.tzinfo is None or value.utcoffset() is None:
        msg = f"{value:%Y-%m-%d %H:%M:%S} has no time zone: an instant column takes aware datetimes only"
        raise ValueError(msg)


def _in_utc(value: datetime) -> datetime:
    return value if value.tzinfo is UTC else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """A JSON document (``jsonb`` on PostgreSQL). ``None`` is stored as SQL ``NULL``.

    Character zero, which PostgreSQL cannot keep, becomes U+FFFD on both databases. Dataclasses – a ``Pin`` among
    them – are refused with ``TypeError``: what goes into a document is chosen field by field.
    """

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """``jsonb`` where there is one."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(JSONB(none_as_null=True))
        return dialect.type_descriptor(JSON(none_as_null=True))


def dump_json(value: Any) -> str:
    """The document as compact JSON text. Raises ``TypeError`` for what JSON cannot say, dataclasses included."""
    return _storable_json(orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_UTC_Z))


def _storable_json(document: bytes) -> str:
    text = document.decode()
    return _ESCAPED_ZERO.sub(r"\1\\ufffd", text) if "\\u0000" in text else text


_OUR_TEXTS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def dump_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as one JSON text that PostgreSQL reads back as rows of a table (``json_populate_recordset``).

    Raises ``TypeError`` for a naive datetime and for what JSON cannot say, dataclasses included.
    """
    return _storable_json(orjson.dumps(rows, _as_text, _OUR_TEXTS))


def _as_text(value: object) -> str:
    """Bytes and instants as PostgreSQL reads them, and as :func:`dump_json` writes them into documents."""
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, datetime):
        return f"{_checked(value).isoformat().removesuffix('+00:00')}Z"
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError


def load_json(text: str | bytes | float) -> Any:
    """The document behind JSON text. Raises ``ValueError`` when it is not JSON.

    A number is itself: SQLite gives the document ``7`` back as one.
    """
    return text if isinstance(text, int | float) else orjson.loads(text)


_ESCAPED_ZERO = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def storable(text: str) -> str:
    """The text with what a database cannot keep – character zero, half a surrogate pair – replaced by U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
