"""Connections to PostgreSQL besides those of requests."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine

from app.database.engine import engine_options


def direct_engine(config: Mapping[str, Any], *, answer_within: float | None = None) -> Engine:
    """Sessions of their own: a pooler in transaction mode would neither pass on notifications nor keep a lock.

    An answer takes `answer_within` seconds at most in a process that serves, a request's time unless it is given.
    """
    uri = config["DATABASE_DIRECT_URI"] or config["SQLALCHEMY_DATABASE_URI"]
    options = engine_options(dict(config), answer_within=answer_within)
    return create_engine(uri, poolclass=NullPool, connect_args=options["connect_args"])
