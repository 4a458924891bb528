"""How alembic reaches the database: the caller brings an open connection, and its transaction, along."""

from typing import Any

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel.sql.sqltypes import AutoString

from lockbridge.storage import types
from lockbridge.storage.tables import metadata


def render_item(kind: str, item: Any, autogenerate: AutogenContext) -> str | bool:
    """Column types as a migration names them: SQLModel's strings plainly, ours by their module."""
    if kind == "type" and isinstance(item, AutoString):
        return "sa.String()"
    if kind == "type" and isinstance(item, types.UtcDateTime | types.Json):
        autogenerate.imports.add("from lockbridge.storage import types")
        return f"types.{type(item).__name__}()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=render_item,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
