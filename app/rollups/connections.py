"""Connections to PostgreSQL besides those of requests."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine

from app import silence
from app.database import engine_options


def direct_engine(config: Mapping[str, Any]) -> Engine:
    """Sessions of their own: a pooler in transaction mode would neither pass on notifications nor keep a lock."""
    uri = config["DATABASE_DIRECT_URI"] or config["SQLALCHEMY_DATABASE_URI"]
    connect_args = engine_options(dict(config))["connect_args"]
    # What these do may take long; only a server that has gone silent ends it.
    connect_args["connection_factory"] = silence.factory(config["DATABASE_CONNECT_TIMEOUT"])
    return create_engine(uri, poolclass=NullPool, connect_args=connect_args)
