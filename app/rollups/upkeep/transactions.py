"""Who may write the rollups, and the transactions in which that is done.

One process at a time writes, holds the lock for it, and reads snapshots taken after it has the lock (REPEATABLE READ).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep

from sqlalchemy import Connection, text

# The writer's advisory lock.
LOCK = 7_305_170_311

# A fold reads what it deletes; the planner's plans are for the few rows that are there most of the time.
TUNING = (
    "SET LOCAL statement_timeout = 0; SET LOCAL jit = off; SET LOCAL work_mem = '128MB';"
    " SET LOCAL random_page_cost = 1.1"
)

TAKE = text("SELECT pg_try_advisory_lock(:lock)").bindparams(lock=LOCK)


@contextmanager
def the_only_writer(connection: Connection, *, wait: bool = True) -> Iterator[bool]:
    """Whether this connection, one in autocommit, alone may write the rollups, for the length of the block.

    It waits until it may, or takes no for an answer.
    """
    if wait:
        connection.execute(text("SET statement_timeout = 0"))
        # Asked again and again: a statement that waits holds a snapshot, and what the other one may be at, CREATE INDEX
        # CONCURRENTLY, waits for all snapshots. They would wait for each other.
        while not connection.scalar(TAKE):
            sleep(0.2)
    elif not connection.scalar(TAKE):
        yield False
        return
    try:
        yield True
    finally:
        # A connection that is lost has lost its locks.
        if not connection.invalidated:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})


@contextmanager
def snapshot(connection: Connection) -> Iterator[Connection]:
    """A transaction that reads one snapshot and may write, on a connection in autocommit."""
    connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE")
    try:
        connection.exec_driver_sql(TUNING)
        yield connection
    except BaseException:
        if not connection.invalidated:
            connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")
