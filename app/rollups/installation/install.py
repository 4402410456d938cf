"""What an operator installs next to the platform's tables, and takes away again without a trace.

The schema `insights` with its tables (by Alembic, from `migrations/`), triggers that note each change, and indexes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import sleep

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.models import taste
from app.rollups.installation.indexes import create_extension, drop_extension, drop_indexes
from app.rollups.installation.triggers import ARE_ON, WATCHED, functions, triggers
from app.rollups.state import EMPTIED, LACKING, OTHER_VERSION, read

MIGRATIONS = Path(__file__).parents[3] / "migrations"

# What was written while a trigger was missing is nowhere noted.
DISTRUST = "UPDATE insights.state SET distrust = 'a trigger was missing or switched off'"


def install(connection: Connection, tell: Callable[[str], None]) -> None:
    """Install what is missing, on a connection in autocommit, and replace a schema of another version or in parts.

    By one operator at a time. `build_indexes` builds the indexes. Raises OperationalError where the platform's tables
    stay locked by others.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    keeps_tables, roles = has_tables(connection), roles_of_schema(connection)

    def everything() -> None:
        if keeps_tables:
            # The platform's tables first: a writer of `insights` has locked one of them.
            _lock_platform(connection, "SHARE ROW EXCLUSIVE")
            connection.exec_driver_sql(DISTRUST)
        else:
            _take_away(connection)
            connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS insights")
            command.upgrade(config, "head")
            connection.exec_driver_sql("INSERT INTO insights.announcements (users) VALUES (NULL)")
        for statement in (*functions(), *triggers()):
            connection.exec_driver_sql(statement)

    if not is_complete(connection):
        tell("schema, functions and triggers")
        _with_short_locks(connection, everything)
    grant(connection, roles)
    create_extension(connection)


def roles_of_schema(connection: Connection) -> Sequence[str]:
    """The roles, quoted, that may use the schema besides its owner."""
    return connection.scalars(
        text("""
            SELECT DISTINCT CAST(CAST(a.grantee AS regrole) AS text) FROM pg_namespace n, aclexplode(n.nspacl) a
            WHERE n.nspname = 'insights' AND a.privilege_type = 'USAGE' AND a.grantee NOT IN (0, n.nspowner)
        """)
    ).all()


def grant(connection: Connection, roles: Sequence[str]) -> None:
    """Let roles, quoted, use the schema as docs/role.sql does: rows come and go, tables do not."""
    for role in roles:
        connection.exec_driver_sql(f"""
            GRANT USAGE ON SCHEMA insights TO {role};
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA insights TO {role};
            GRANT USAGE ON ALL SEQUENCES IN SCHEMA insights TO {role}
        """)


def uninstall(connection: Connection, tell: Callable[[str], None]) -> None:
    """Take everything away that `install` made, on a connection in autocommit. By one operator at a time."""
    tell("triggers and schema")
    _with_short_locks(connection, lambda: _take_away(connection))
    drop_indexes(connection, tell)


def _take_away(connection: Connection) -> None:
    """Drop all that is in the schema but the model of taste, and the triggers, in the transaction that is open."""
    if not connection.scalar(text("SELECT to_regnamespace('insights') IS NOT NULL")):
        _lock_platform(connection, "SHARE ROW EXCLUSIVE")
        return
    _lock_platform(connection, "ACCESS EXCLUSIVE")
    tables = connection.scalars(text(TABLES_OF_SCHEMA), {"others": list(taste.TABLES)}).all()
    # A reader of these goes on to the platform's tables, which are locked: waiting for it could deadlock.
    for table in tables:
        connection.exec_driver_sql(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE NOWAIT")
    drop_extension(connection)
    for table in tables:
        connection.exec_driver_sql(f"DROP TABLE {table} CASCADE")
    for function in connection.scalars(text(FUNCTIONS_OF_SCHEMA)).all():
        connection.exec_driver_sql(f"DROP FUNCTION {function} CASCADE")
    drop_empty_schema(connection)


def drop_empty_schema(connection: Connection) -> None:
    """Drop the schema where no table is left in it."""
    if not connection.scalars(text(TABLES_OF_SCHEMA), {"others": []}).all():
        connection.exec_driver_sql("DROP SCHEMA insights CASCADE")


TABLES_OF_SCHEMA = """
    SELECT CAST(c.oid AS regclass) FROM pg_class c
    WHERE c.relnamespace = to_regnamespace('insights') AND c.relkind IN ('r', 'p') AND c.relname <> ALL(:others)
"""
FUNCTIONS_OF_SCHEMA = """
    SELECT CAST(oid AS regprocedure) FROM pg_proc WHERE pronamespace = to_regnamespace('insights')
"""


def has_tables(connection: Connection) -> bool:
    """Whether the schema is there, of this version, with all its tables and rows."""
    with Session(connection) as session:
        rollups = read(session)
    return rollups is not None and rollups.distrust not in (LACKING, OTHER_VERSION, EMPTIED)


def is_complete(connection: Connection) -> bool:
    """Whether the schema is there as it has to be, and every trigger, switched on."""
    return has_tables(connection) and bool(connection.scalar(text(ARE_ON)))


def _lock_platform(connection: Connection, mode: str) -> None:
    """Lock the watched tables: waits for the busiest, before it holds any, and for no other, so that none deadlocks."""
    busiest, *others = WATCHED
    connection.exec_driver_sql(f'LOCK TABLE "{busiest}" IN {mode} MODE')
    for table in others:
        connection.exec_driver_sql(f'LOCK TABLE "{table}" IN {mode} MODE NOWAIT')


ATTEMPTS = 60
LOCK_NOT_AVAILABLE = "55P03"


def _with_short_locks(connection: Connection, change: Callable[[], None]) -> None:
    """Make a change in a transaction that waits for each lock for 2 seconds at most, and begins again where it must.

    Writers queue behind a transaction that waits for a lock: so the wait is short, and there is a pause after it.
    """
    for attempt in range(ATTEMPTS):
        connection.exec_driver_sql("BEGIN")
        try:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = 0")
            change()
            connection.exec_driver_sql("COMMIT")
            return
        except OperationalError as error:
            connection.exec_driver_sql("ROLLBACK")
            is_lock_timeout = getattr(error.orig, "pgcode", None) == LOCK_NOT_AVAILABLE
            if not is_lock_timeout or attempt + 1 == ATTEMPTS:
                raise
            sleep(0.5)
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
