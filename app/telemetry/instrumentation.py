"""Counts and times what requests ask of PostgreSQL: their statements, and the connections of the pool.

Announcements and the upkeep of the rollups have connections of their own, which are not counted.
"""

import time
from typing import Any

from flask import current_app, g, has_app_context, has_request_context
from sqlalchemy import Engine, event
from sqlalchemy.pool import QueuePool

from app.telemetry.metrics import CONNECTIONS, CONNECTIONS_IN_USE, CONNECTIONS_MAX, QUERIES

# The attribute of a statement's context with its start, and the key of a connection's record while it is in use.
STARTED, IN_USE = "songswap_started", "songswap_in_use"


@event.listens_for(Engine, "before_cursor_execute")
def _begin(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
    if has_request_context():
        setattr(context, STARTED, time.perf_counter())


@event.listens_for(Engine, "after_cursor_execute")
def _end(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
    _observe(context)


@event.listens_for(Engine, "handle_error")
def _fail(error: Any) -> None:
    _observe(error.execution_context)


def _observe(context: Any) -> None:
    """Count a statement once, even if fetching its rows fails after it has succeeded."""
    if (started := getattr(context, STARTED, None)) is None:
        return
    delattr(context, STARTED)
    QUERIES.observe(time.perf_counter() - started)
    g.queries += 1


@event.listens_for(QueuePool, "connect")
def _open(_connection: Any, _record: Any) -> None:
    CONNECTIONS.inc()
    if has_app_context():
        CONNECTIONS_MAX.set(current_app.config["DATABASE_POOL_SIZE"] + current_app.config["DATABASE_MAX_OVERFLOW"])


@event.listens_for(QueuePool, "close")
def _close(_connection: Any, _record: Any) -> None:
    CONNECTIONS.dec()


@event.listens_for(QueuePool, "checkout")
def _check_out(_connection: Any, record: Any, _proxy: Any) -> None:
    # This event comes twice if the connection was dead and has been replaced.
    if not record.record_info.get(IN_USE):
        record.record_info[IN_USE] = True
        CONNECTIONS_IN_USE.inc()


@event.listens_for(QueuePool, "checkin")
def _check_in(_connection: Any, record: Any) -> None:
    # A connection that could not be made is checked in without a check-out.
    if record.record_info.pop(IN_USE, False):
        CONNECTIONS_IN_USE.dec()
