"""One statement for many rows, at little more than the driver's own price.

``connection.execute(statement, rows)`` puts the parameters of each row together anew, which takes as long as SQLite's
own work, and PostgreSQL executes the statement once for each row. A :class:`Batch` binds whole columns for SQLite, and
gives PostgreSQL all rows as one document.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnClause,
    ColumnDefault,
    Connection,
    Insert,
    Text,
    Update,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import ExternallyTraversible, replacement_traverse

from lockbridge.storage.types import dump_rows

Rows = Sequence[Mapping[str, Any]]
Way = Callable[[Connection, Rows], object]
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
        statement = self._statement
        compiled = statement.compile(dialect=dialect, column_keys=keys)
        if dialect.name == "sqlite":
            return _by_columns(compiled, dialect, keys)
        return _as_document(
            _insert_from(statement, keys) if isinstance(statement, Insert) else _update_from(statement, compiled, keys)
        )


_ROWS = cast(bindparam("rows", type_=Text), JSON)


def _as_document(whole: Insert | Update) -> Way:
    """All rows in one parameter: one execution instead of one for each row."""

    def write(connection: Connection, rows: Rows) -> None:
        connection.execute(whole, {"rows": dump_rows(rows)})

    return write


def _insert_from(statement: Insert, keys: Sequence[str]) -> Insert:
    """The rows of the document are the new rows."""
    row: ColumnClause[Any] = literal_column(f'NULL::"{statement.table.name}"')
    found = func.json_populate_recordset(row, _ROWS).table_valued(*keys)
    return statement.from_select(keys, select(*(found.c[key] for key in keys)))


def _update_from(statement: Update, compiled: SQLCompiler, keys: Sequence[str]) -> Update:
    """The table is joined with the rows of the document: where a parameter stood, there is a column of these now."""
    columns: list[ColumnClause[Any]] = [column(key, compiled.binds[key].type) for key in keys]
    given = func.json_to_recordset(_ROWS).table_valued(*columns, name="given").render_derived(with_types=True)

    def its_column(element: ExternallyTraversible, **_: Any) -> ExternallyTraversible | None:
        return given.c[element.key] if isinstance(element, BindParameter) and element.key in keys else None

    whole = replacement_traverse(statement, {}, its_column)
    assert isinstance(whole, Update)  # noqa: S101 - as it was given
    return whole


def _by_columns(compiled: SQLCompiler, dialect: Dialect, keys: Sequence[str]) -> Way:
    """Each parameter for all rows at once, then the driver's own batch."""
    text, columns = str(compiled), _columns(compiled, dialect, keys)

    def write(connection: Connection, rows: Rows) -> None:
        connection.exec_driver_sql(text, list(zip(*(column(rows) for column in columns), strict=True)))

    return write


def _columns(compiled: SQLCompiler, dialect: Dialect, keys: Sequence[str]) -> list[Column]:
    defaults = {its.key: its.default.arg for its in compiled.insert_prefetch if isinstance(its.default, ColumnDefault)}
    found = [(name, compiled.binds[name]) for name in compiled.positiontup or ()]
    return [
        _given(name, _processor(bind, dialect))
        if name in keys or bind.required
        else _fixed(defaults.get(name, bind.effective_value), _processor(bind, dialect))
        for name, bind in found
    ]


def _processor(bind: BindParameter[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    return bind.type.dialect_impl(dialect).bind_processor(dialect)


def _given(name: str, process: Callable[[Any], Any] | None) -> Column:
    value = itemgetter(name)
    return (lambda rows: map(process, map(value, rows))) if process else (lambda rows: map(value, rows))


def _fixed(value: Any, process: Callable[[Any], Any] | None) -> Column:
    bound = process(value) if process else value
    return lambda rows: repeat(bound, len(rows))
