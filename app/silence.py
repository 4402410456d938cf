"""An end to waiting for a database that has gone silent.

A server that hangs, or a network that swallows what it is given, leaves a connection whole: TCP sees nothing wrong,
libpq waits for as long as it takes, and statement timeouts are the server's own to keep. So each process watches what
it waits for. What has taken longer than DATABASE_CONNECT_TIMEOUT has it ask for a new connection; where not even that
is answered within the same time, the connections that wait are shut, and their requests end as in any outage. A server
that is busy does answer, and is left to its work.

While the server is silent one caller at a time tries to connect. The others are told at once, and threads are left for
what needs no database.
"""

import os
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg2
import structlog
from psycopg2.extensions import connection, cursor
from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import Dialect

log = structlog.get_logger(__name__)

# Seconds between two looks at what is waited for; by which an attempt that timed out may seem to have taken less.
TICK, SLACK = 0.25, 0.2


class WatchedCursor(cursor):
    """A cursor that notes since when it waits."""

    def execute(self, query: Any, vars: Any = None) -> None:
        watched: Any = self.connection
        with watched.waiting():
            super().execute(query, vars)


class WatchedConnection(connection):
    """A connection that notes since when it waits. `patience` and `longest` are in seconds."""

    def __init__(self, dsn: str, *args: Any, patience: float, longest: float) -> None:
        super().__init__(dsn, *args)
        self.cursor_factory = WatchedCursor
        self.waits_since: float | None = None
        self.patience = patience
        self.longest = longest
        # As it was given: what psycopg2 tells has no password.
        self._given = dsn
        _watch.add(self)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Note that the server is waited for, as long as it is."""
        self.waits_since = time.monotonic()
        try:
            yield
        finally:
            self.waits_since = None

    def commit(self) -> None:
        with self.waiting():
            super().commit()

    def rollback(self) -> None:
        """Roll back. Where the connection is gone the server has done it: a request that has its answer keeps it."""
        try:
            with self.waiting():
                super().rollback()
        except psycopg2.Error:
            if not self.closed:
                raise

    def server_is_silent(self) -> bool:
        """Whether the server leaves a new connection without any answer. A refusal is an answer."""
        started = time.monotonic()
        try:
            psycopg2.connect(self._given).close()
        except psycopg2.Error:
            return time.monotonic() - started > self.patience - SLACK
        return False

    def shut(self) -> None:
        """End the wait for an answer, in whatever thread, as if the server had closed the connection."""
        try:
            with socket.socket(fileno=os.dup(self.fileno())) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)
        except (OSError, psycopg2.Error):
            pass  # it has ended by itself


class _Watch:
    """The connections of this process, and the thread that looks at them."""

    def __init__(self) -> None:
        self._connections: weakref.WeakSet[WatchedConnection] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._process: int | None = None

    def add(self, watched: WatchedConnection) -> None:
        with self._lock:
            self._connections.add(watched)
            if self._process != os.getpid():
                self._process = os.getpid()
                threading.Thread(target=self._run, daemon=True, name="database-watch").start()

    def _run(self) -> None:
        next_trial = 0.0
        while True:
            time.sleep(TICK)
            now = time.monotonic()
            waiting = self._waiting_since(now)
            for watched, since in waiting:
                if now > since + watched.longest:
                    watched.shut()
            overdue = [watched for watched, since in waiting if now > since + watched.patience]
            if not overdue or now < next_trial:
                continue
            if overdue[0].server_is_silent():
                log.warning("database_silent", connections=len(overdue))
                for watched, _ in self._waiting_since(now):
                    watched.shut()
            else:
                next_trial = time.monotonic() + overdue[0].patience

    def _waiting_since(self, instant: float) -> list[tuple[WatchedConnection, float]]:
        """What has been waiting since before an instant."""
        with self._lock:
            found = [(watched, watched.waits_since) for watched in self._connections]
        return [(watched, since) for watched, since in found if since is not None and since < instant]


_watch = _Watch()


def factory(patience: float, longest: float = float("inf")) -> Any:
    """psycopg2's `connection_factory`: connections of which none waits for longer than `longest` (in seconds).

    `patience` is what the connection's `connect_timeout` is.
    """
    return partial(WatchedConnection, patience=patience, longest=longest)


def one_at_a_time(engine: Engine, patience: float) -> None:
    """Let one caller at a time try to connect while the server is silent. To others it cannot be reached."""
    trial = threading.Lock()
    silent = threading.Event()

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, _record: Any, arguments: Any, named: Any) -> Any:
        was_silent = silent.is_set()
        if was_silent and not trial.acquire(blocking=False):
            raise psycopg2.OperationalError("the server is silent")
        started = time.monotonic()
        try:
            connected = dialect.connect(*arguments, **named)
        except psycopg2.OperationalError:
            if time.monotonic() - started > patience - SLACK:
                silent.set()
            else:
                silent.clear()
            raise
        else:
            silent.clear()
            return connected
        finally:
            if was_silent:
                trial.release()
