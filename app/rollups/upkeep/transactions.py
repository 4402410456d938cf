"""The transactions in which the rollups are written, and who may write. All locks are a transaction's.

So all of it works through a pooler in transaction mode.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep

from sqlalchemy import Connection, Engine, text

from app.database.engine import pinned

# The operators' advisory lock.
OPERATORS = 7_305_170_311

# A fold reads what it deletes; the planner's plans are for the few rows that are there most of the time. The server
# ends a transaction whose client has gone silent, and its locks with it.
TUNING = pinned(
    statement_timeout="0",
    lock_timeout="0",
    idle_in_transaction_session_timeout="30s",
    jit="off",
    work_mem="128MB",
    random_page_cost="1.1",
)


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """A transaction that reads one snapshot and may write, on a connection in autocommit."""
    connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE")
    try:
        connection.exec_driver_sql(TUNING)
        yield
    except BaseException:
        if not connection.invalidated:
            connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


@contextmanager
def writing(connection: Connection, *, wait: bool = True) -> Iterator[None]:
    """A transaction that alone writes the rollups, and reads a snapshot taken after it may, on one in autocommit.

    It waits for another one, or raises OperationalError (LockNotAvailable).
    """
    with snapshot(connection):
        # LOCK takes no snapshot: what the transaction before has committed is in this one's.
        connection.exec_driver_sql(f"LOCK TABLE insights.state IN SHARE ROW EXCLUSIVE MODE {'' if wait else 'NOWAIT'}")
        yield


@contextmanager
def one_operator(engine: Engine) -> Iterator[Connection]:
    """A connection in autocommit for one operator at a time: the next one waits for the end of the block."""
    locking = engine.connect().execution_options(isolation_level="READ COMMITTED")
    with locking, engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        locking.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        # Asked again and again: a statement that waits holds a snapshot, and what the other one may be at, CREATE INDEX
        # CONCURRENTLY, waits for all snapshots. They would wait for each other.
        while not locking.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": OPERATORS}):
            sleep(0.2)
        yield connection
