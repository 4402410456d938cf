"""Who may write the rollups, and the transactions in which that is done.

One process at a time writes, holds the lock for it, and reads snapshots taken after it has the lock (REPEATABLE READ).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from time import sleep
from typing import Any

import psycopg2
from sqlalchemy import Connection, text

# Of all advisory locks in a database, the writer's, and that of transactions besides the writer's own. There is a third
# one in triggers.py.
LOCK = 7_305_170_311
BESIDE = 7_305_170_313

# A fold reads what it deletes; the planner's plans are for the few rows that are there most of the time.
TUNING = (
    "SET LOCAL statement_timeout = 0; SET LOCAL jit = off; SET LOCAL work_mem = '128MB';"
    " SET LOCAL random_page_cost = 1.1"
)

# A writer that died may have left a transaction besides its own, which is about to commit, or to find out. A writer
# that comes meanwhile gives the lock back.
TAKE = text("""
    SELECT CASE WHEN NOT pg_try_advisory_lock(:lock) THEN false
        WHEN pg_try_advisory_xact_lock(:beside) THEN true ELSE NOT pg_advisory_unlock(:lock) END
""").bindparams(lock=LOCK, beside=BESIDE)


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
def snapshot(connection: Connection, exported: str | None = None) -> Iterator[Connection]:
    """A transaction that reads one snapshot and may write, on a connection in autocommit.

    A new snapshot, or one that another transaction has exported and still reads.
    """
    connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE")
    try:
        if exported is not None:
            connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{exported}'")
        connection.exec_driver_sql(TUNING)
        yield connection
    except BaseException:
        if not connection.invalidated:
            connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


@contextmanager
def beside(writer: Connection) -> Iterator[Connection]:
    """A transaction on a connection of its own, that reads the snapshot of the writer's open one, not what that wrote.

    It is committed with the end of the block. Where what it writes is right only with what the writer commits, the
    writer has to have committed by then. Nobody else writes before this is over, even if the writer dies.
    """
    exported = str(writer.scalar(text("SELECT pg_export_snapshot()")))
    connecting = writer.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with connecting as connection, snapshot(connection, exported):
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": BESIDE})
        yield connection


@contextmanager
def meanwhile(connection: Connection, work: Callable[[Connection], None]) -> Iterator[None]:
    """Do work on a connection while the block runs, and wait for its end; broken off where the block fails."""
    driver: Any = connection.connection.driver_connection
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work, connection)
        try:
            yield
            working.result()
        except BaseException:
            # Again and again: it may be between two statements.
            while not working.done():
                with suppress(psycopg2.Error):
                    driver.cancel()
                wait([working], timeout=0.5)
            raise
