"""Rows that one process takes for itself while others pass them over."""

from typing import Any

from sqlalchemy import Select, Table, select


def chosen(wanted: Select[tuple[Any]], of: Table | None = None) -> Select[tuple[Any]]:
    """The ids of the wanted rows that nobody else is taking now, for the ``WHERE id IN (…)`` of an update.

    They are chosen once, in a CTE: a subquery with a limit may be asked anew for each row of the table, when PostgreSQL
    finds that cheaper; one that passes over locked rows then finds others each time, more than the limit in all. A CTE
    that locks rows is never folded into the statement around it.
    """
    once = wanted.with_for_update(of=of, skip_locked=True).cte("chosen")
    return select(*once.c)
