"""Whether the database has what this service reads, and how far it is behind the one that is written to."""

from sqlalchemy import column, select, table, text
from sqlalchemy.orm import Session

from app.models import history  # noqa: F401  registers the platform's tables
from app.models.base import Base

# Of a read replica, the seconds since what it shows was committed on the primary; null where it has not replayed any
# commit yet. 0 where it has replayed all that the primary has sent and may still send.
LAG = text("""
    SELECT CASE
        WHEN EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL)
            AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
        ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
    END AS seconds WHERE pg_is_in_recovery()
""")

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


def replica_lag(session: Session) -> str | None:
    """How far a read replica is behind, for people; None where the database is no replica."""
    row = session.execute(LAG).one_or_none()
    if row is None:
        return None
    return "unknown" if row.seconds is None else f"{row.seconds:.1f} s behind"
