"""A deadline for each answer of a database that may have gone silent.

A stopped server, or a proxy that takes every byte and delivers none, leaves a connection that looks well to TCP and to
libpq, and statement timeouts are the server's to keep. So processes that serve let psycopg2 wait here. It refuses COPY
where a wait callback is installed; commands that load data run without one.
"""

import select
import time
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, STATUS_BEGIN, connection, set_wait_callback
from psycopg2.extras import wait_select

EVENTS = {POLL_READ: select.POLLIN, POLL_WRITE: select.POLLOUT}


class DeadlineConnection(connection):
    """A connection that is closed where an answer does not come in time, in a process with `install`.

    `connect_within` (seconds) is for a connection or a transaction to begin, `answer_within` for any other statement.
    """

    def __init__(self, dsn: str, *, connect_within: float, answer_within: float) -> None:
        self.connect_within = connect_within
        self.answer_within = answer_within
        super().__init__(dsn)

    def rollback(self) -> None:
        """Roll back. The server has done so where the connection is gone: a request keeps the answer that it has."""
        try:
            super().rollback()
        except psycopg2.Error:
            if not self.closed:
                raise


def install() -> None:
    """Let all connections of this process that are a DeadlineConnection keep their deadlines."""
    set_wait_callback(_wait)


def _wait(waiting: Any) -> None:
    """Wait for an answer. psycopg2 closes a connection whose wait raises: its answer could come later."""
    if not isinstance(waiting, DeadlineConnection):
        wait_select(waiting)
        return
    begins = not waiting.autocommit and waiting.status != STATUS_BEGIN
    seconds = waiting.connect_within if begins else waiting.answer_within
    deadline = time.monotonic() + seconds
    while (state := waiting.poll()) != POLL_OK:
        poll = select.poll()  # select() knows no descriptors above 1023
        poll.register(waiting, EVENTS[state])
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise psycopg2.OperationalError(f"no answer within {seconds:g} s")
