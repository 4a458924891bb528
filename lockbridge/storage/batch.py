"""One statement for many rows, at little more than the driver's own price.

``connection.execute(statement, rows)`` puts the parameters of each row together anew, which takes as long as SQLite's
own work, and PostgreSQL executes the statement once for each row. A :class:`Batch` binds whole columns for SQLite, and
gives PostgreSQL all rows as one document: on both, rows are joined with the statement under the name ``given``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnClause,
    ColumnDefault,
    Connection,
    FromClause,
    Insert,
    Text,
    Update,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import ExternallyTraversible, replacement_traverse
from sqlalchemy.types import TypeEngine

from lockbridge.storage.types import dump_rows

Rows = Sequence[Mapping[str, Any]]
Way = Callable[[Connection, Rows], object]
Types = Mapping[str, TypeEngine[Any]]
Column = Callable[[Rows], Iterable[Any]]


class Batch:
    """A statement to be executed for each of many rows. Make it once, at module level.

    ``write(connection, rows)`` means ``connection.execute(statement, rows)``: values become what the types of their
    columns and parameters ask for; columns that the rows leave out get their defaults, where these are plain values.
    """

    def __init__(self, statement: Insert | Update) -> None:
        self._statement = statement
        self._ways: dict[tuple[str, ...], Way] = {}

    def write(self, connection: Connection, rows: Rows) -> None:
        """Execute it for these rows, if any. All have the same keys, and no two of them concern the same stored row."""
        if rows:
            known = (connection.dialect.name, *rows[0])
            if known not in self._ways:
                self._ways[known] = self._way(connection.dialect, list(rows[0]))
            self._ways[known](connection, rows)

    def _way(self, dialect: Dialect, keys: list[str]) -> Way:
        types = self._types(dialect, keys)
        if dialect.name == "sqlite":
            given = table("given", *(column(key, types[key]) for key in keys))
            return _in_chunks(self._whole(given, keys), dialect, types)
        return _as_document(self._whole(self._recordset(types), keys))

    def _types(self, dialect: Dialect, keys: list[str]) -> Types:
        """What the values under each key are."""
        binds = self._statement.compile(dialect=dialect, column_keys=keys).binds
        return {key: binds[key].type for key in keys}

    def _recordset(self, types: Types) -> FromClause:
        """The rows of the document, where PostgreSQL shall read it."""
        if isinstance(self._statement, Insert):
            row: ColumnClause[Any] = literal_column(f'NULL::"{self._statement.table.name}"')
            return func.json_populate_recordset(row, _ROWS).table_valued(*types)
        columns = [column(key, its) for key, its in types.items()]
        return func.json_to_recordset(_ROWS).table_valued(*columns, name="given").render_derived(with_types=True)

    def _whole(self, given: FromClause, keys: Sequence[str]) -> Insert | Update:
        """The statement for all the rows that ``given`` has."""
        if isinstance(self._statement, Insert):
            return self._statement.from_select(keys, select(*(given.c[key] for key in keys)).where(true()))
        return self._joined(self._statement, given)

    @staticmethod
    def _joined(statement: Update, given: FromClause) -> Update:
        """The table is joined with the rows: where a parameter stood, there is a column of these now."""

        def its_column(element: ExternallyTraversible, **_: Any) -> ExternallyTraversible | None:
            return given.c.get(element.key) if isinstance(element, BindParameter) else None

        whole = replacement_traverse(statement, {}, its_column)
        assert isinstance(whole, Update)  # noqa: S101 - as it was given
        return whole


_ROWS = cast(bindparam("rows", type_=Text), JSON)


def _as_document(whole: Insert | Update) -> Way:
    """All rows in one parameter: one execution instead of one for each row."""

    def write(connection: Connection, rows: Rows) -> None:
        connection.execute(whole, {"rows": dump_rows(rows)})

    return write


CHUNKS = (64, 16, 4, 1)
"""How many rows one statement takes on SQLite: few sizes, so that the driver finds each of them prepared already."""


def _in_chunks(whole: Insert | Update, dialect: Dialect, types: Types) -> Way:
    """Each parameter for all rows at once, then a few statements of many rows each.

    The driver gives up the interpreter at each statement and waits to have it back: one for each row would make a
    transaction, for which other processes wait, as long as other threads are busy.
    """
    columns = [_given(key, _processor(its, dialect)) for key, its in types.items()]
    compiled = whole.compile(dialect=dialect)
    others = _others(compiled, dialect)
    columns_given = ", ".join(types)
    texts = [
        (size, f"WITH given({columns_given}) AS (VALUES {_marks(size, len(types))}) {compiled}") for size in CHUNKS
    ]

    def write(connection: Connection, rows: Rows) -> None:
        values = list(zip(*(column(rows) for column in columns), strict=True))
        at = 0
        for size, text in texts:
            while at + size <= len(values):
                connection.exec_driver_sql(text, (*chain.from_iterable(values[at : at + size]), *others))
                at += size

    return write


def _marks(rows: int, columns: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)


def _others(compiled: SQLCompiler, dialect: Dialect) -> list[Any]:
    """The parameters that are the same for every row. Raises KeyError for one that the rows should have had."""
    defaults = {its.key: its.default.arg for its in compiled.insert_prefetch if isinstance(its.default, ColumnDefault)}
    binds = [(name, compiled.binds[name]) for name in compiled.positiontup or ()]
    forgotten = [name for name, bind in binds if bind.required]
    if forgotten:
        raise KeyError(*forgotten)
    return [_bound(defaults.get(name, bind.effective_value), bind.type, dialect) for name, bind in binds]


def _bound(value: Any, its: TypeEngine[Any], dialect: Dialect) -> Any:
    process = _processor(its, dialect)
    return process(value) if process else value


def _processor(its: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    return its.dialect_impl(dialect).bind_processor(dialect)


def _given(name: str, process: Callable[[Any], Any] | None) -> Column:
    value = itemgetter(name)
    return (lambda rows: map(process, map(value, rows))) if process else (lambda rows: map(value, rows))
