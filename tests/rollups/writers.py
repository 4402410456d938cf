"""Sessions that write to the platform's tables as songswap-app, the loader and people at a prompt do."""

import io
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2 import errors
from psycopg2.extras import execute_values
from sqlalchemy import Engine

# What a writer may be told: that others hold what it wants, or that its rows do not fit with those that are there.
REFUSALS = (
    errors.LockNotAvailable,
    errors.UniqueViolation,
    errors.ForeignKeyViolation,
    errors.SerializationFailure,
    errors.CardinalityViolation,
)
# For as long as one session waits for a lock, nobody else goes on: they take turns in one thread.
PATIENCE = "30ms"


class Writer:
    """One session, which takes turns with others."""

    def __init__(self, engine: Engine) -> None:
        url = engine.url
        self._connection = psycopg2.connect(
            dbname=url.database,
            user=url.username,
            password=url.password,
            port=url.port,
            host=url.query.get("host") or url.host,
        )
        self._connection.autocommit = True
        self._cursor = self._connection.cursor()
        self._cursor.execute(f"SET lock_timeout = '{PATIENCE}'")
        self.is_open = False
        self.savepoints = 0

    def begin(self, isolation: str) -> None:
        self._cursor.execute(f"BEGIN ISOLATION LEVEL {isolation}")
        self._cursor.execute('SELECT 1 FROM "Users" LIMIT 1')  # its snapshot, where it has one for all of it
        self.is_open = True

    def commit(self) -> None:
        self._end("COMMIT")

    def roll_back(self) -> None:
        self._end("ROLLBACK")

    def save(self) -> None:
        self.savepoints += 1
        self._cursor.execute(f"SAVEPOINT s{self.savepoints}")

    def roll_back_to_savepoint(self) -> None:
        """Undo what was done since the last savepoint, which stays."""
        self._cursor.execute(f"ROLLBACK TO s{self.savepoints}")

    def release(self) -> None:
        self._cursor.execute(f"RELEASE s{self.savepoints}")
        self.savepoints -= 1

    def run(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> bool:
        """Run a statement; whether it was not refused. An open transaction goes on either way."""
        return self._attempt(lambda: self._cursor.execute(sql, values))

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> bool:
        """Run an INSERT of many rows in one statement."""
        return self._attempt(lambda: execute_values(self._cursor, sql, rows, page_size=len(rows)))

    def copy(self, rows: Sequence[tuple[int, datetime, str]]) -> bool:
        """COPY listens."""
        lines = "".join(f"{user}\t{instant.isoformat()}\t{track}\n" for user, instant, track in rows)
        return self._attempt(
            lambda: self._cursor.copy_expert(
                'COPY "History" (user_id, played_at, track_id) FROM STDIN', io.StringIO(lines)
            )
        )

    def close(self) -> None:
        with suppress(psycopg2.Error):
            self._connection.close()

    def _end(self, how: str) -> None:
        self._cursor.execute(how)
        self.is_open, self.savepoints = False, 0

    def _attempt(self, act: Any) -> bool:
        if self.is_open:
            self._cursor.execute("SAVEPOINT attempt")
        try:
            act()
        except REFUSALS:
            if self.is_open:
                self._cursor.execute("ROLLBACK TO attempt; RELEASE attempt")
            return False
        if self.is_open:
            self._cursor.execute("RELEASE attempt")
        return True
