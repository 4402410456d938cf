"""Whether the database has what this service reads."""

from sqlalchemy import column, select, table, text
from sqlalchemy.orm import Session

from app.models import history  # noqa: F401  registers the platform's tables
from app.models.base import Base

COLUMNS = table("columns", column("table_name"), column("column_name"), schema="information_schema")


def missing_from_schema(session: Session) -> list[str]:
    """The tables, and columns of tables that are there, that this service reads and its role does not see. Sorted."""
    visible = select(COLUMNS.c.table_name, COLUMNS.c.column_name).where(
        text("table_schema = ANY(current_schemas(false))"), COLUMNS.c.table_name.in_(Base.metadata.tables)
    )
    seen: dict[str, set[str]] = {}
    for table_name, column_name in session.execute(visible):
        seen.setdefault(table_name, set()).add(column_name)
    missing = [f'table "{name}"' for name in Base.metadata.tables if name not in seen]
    missing += [
        f'column "{name}".{needed.name}'
        for name, columns in Base.metadata.tables.items()
        for needed in columns.columns
        if name in seen and needed.name not in seen[name] and not needed.info.get("unread")
    ]
    return sorted(missing)
