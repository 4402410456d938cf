"""What an operator installs next to the platform's tables, and takes away again without a trace.

The schema `insights` with its tables (by Alembic, from `migrations/`), triggers that note each change, and indexes.
"""

from collections.abc import Callable
from pathlib import Path
from time import sleep

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from app.rollups.installation.indexes import create_extension, drop_extension, drop_indexes
from app.rollups.installation.triggers import ARE_ON, CHANNEL, PREFIX, WATCHED, functions, triggers

MIGRATIONS = Path(__file__).parents[3] / "migrations"


def install(connection: Connection, tell: Callable[[str], None]) -> None:
    """Install what is missing or of an older version, on a connection in autocommit. By one process at a time.

    `build_indexes` builds the indexes. Raises OperationalError where the platform's tables stay locked by others.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    watched = is_complete(connection)

    def everything() -> None:
        # The platform's tables first: a writer of `insights` has locked one of them. From then on writers wait, so this
        # waits for readers of `insights` for 200 ms at most.
        _lock_platform(connection, "SHARE ROW EXCLUSIVE")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '200ms'")
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS insights")
        command.upgrade(config, "head")
        for function in functions():
            connection.exec_driver_sql(function)
        for trigger in triggers():
            connection.exec_driver_sql(trigger)
        if not watched:
            # What was written while a trigger was missing is nowhere noted.
            connection.exec_driver_sql(
                "UPDATE insights.state SET trusted = false, reason = 'a trigger was missing or switched off'"
                " WHERE slots_built OR EXISTS (SELECT FROM insights.windows)"
            )
        announce_all(connection)  # and with it who was to be announced in an older version's way

    if not (watched and _version(connection) == ScriptDirectory.from_config(config).get_current_head()):
        tell("schema, functions and triggers")
        _with_short_locks(connection, everything)
    create_extension(connection)


def _version(connection: Connection) -> str:
    return str(connection.scalar(text("SELECT version_num FROM insights.alembic_version")))


def uninstall(connection: Connection, tell: Callable[[str], None]) -> None:
    """Take everything away that `install` made, on a connection in autocommit."""

    def everything() -> None:
        _lock_platform(connection, "ACCESS EXCLUSIVE")
        announce_all(connection)  # and with it who is still to be announced
        # A reader of these goes on to the platform's tables, which are locked: waiting for it could deadlock.
        for table in connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'insights'")
        ).scalars():
            connection.exec_driver_sql(f"LOCK TABLE insights.{table} IN ACCESS EXCLUSIVE MODE NOWAIT")
        for table in WATCHED:
            for name in ("insert", "update", "delete", "truncate"):
                connection.exec_driver_sql(f'DROP TRIGGER IF EXISTS {PREFIX}{name} ON "{table}"')
        drop_extension(connection)
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS insights CASCADE")

    tell("triggers and schema")
    _with_short_locks(connection, everything)
    drop_indexes(connection, tell)


def announce_all(connection: Connection) -> None:
    """Announce, with the transaction that is open, that every answer may be old."""
    connection.execute(text("SELECT pg_notify(:channel, 'all')"), {"channel": CHANNEL})


def is_complete(connection: Connection) -> bool:
    """Whether the schema is there, and every trigger, switched on."""
    return bool(connection.scalar(text(f"SELECT to_regclass('insights.state') IS NOT NULL AND {ARE_ON}")))


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
