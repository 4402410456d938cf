"""How the service talks to PostgreSQL: read-only snapshots, bounded in time."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import psycopg2
from flask import Flask
from sqlalchemy import Engine, NullPool, create_engine, event
from sqlalchemy.exc import InvalidatePoolError, OperationalError

from app.database.deadline import DeadlineConnection
from app.extensions import db
from app.telemetry import instrumentation  # noqa: F401  counts what engines and pools do

# Where a pooled connection's record notes that it has not been used yet.
IS_NEW = "songswap_is_new"

# What a role or a database may set otherwise (ALTER ROLE … SET), and an answer would change with: where the platform's
# tables are looked for, how values are written and read as text, and how many rows a GIN index finds.
#
# `standard_conforming_strings` is not one of them: psycopg2 quotes by what the server said when it connected.
PINNED = {
    "search_path": "public",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "1",
    "gin_fuzzy_search_limit": "0",
}
# The same of the sessions of commands, which write, and take as long as they need.
OF_COMMANDS = PINNED | {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",  # from PostgreSQL 17 on
    "idle_in_transaction_session_timeout": "0",
}


def engine_options(config: dict[str, Any], *, answer_within: float | None = None) -> dict[str, Any]:
    """SQLAlchemy engine options from the settings; `answer_within` (seconds) is for statements without their timeout.

    One request reads one snapshot (REPEATABLE READ), so that the queries behind a page agree with each other; psycopg2
    sends that along with BEGIN, at no extra round trip.
    Where a server or the network has gone silent no statement timeout can help: the TCP settings end the wait where
    packets are lost, and app.database.deadline where they are taken and not answered. What a request asked for stands
    in no error's text, and so in no log. A compiled statement takes a quarter of a megabyte, and SQLAlchemy would keep
    500 to 750 of them.
    """
    connect_timeout = config["DATABASE_CONNECT_TIMEOUT"]
    if answer_within is None:
        answer_within = config["DATABASE_STATEMENT_TIMEOUT"] + connect_timeout
    return {
        "pool_size": config["DATABASE_POOL_SIZE"],
        "max_overflow": config["DATABASE_MAX_OVERFLOW"],
        "pool_timeout": config["DATABASE_POOL_TIMEOUT"],
        "pool_use_lifo": True,
        "query_cache_size": 100,
        "isolation_level": "REPEATABLE READ",
        "hide_parameters": True,
        "connect_args": {
            "connect_timeout": connect_timeout,
            "application_name": "songswap-insights",
            "client_encoding": "utf8",
            "keepalives_idle": connect_timeout,
            "keepalives_interval": connect_timeout,
            "keepalives_count": 2,
            "tcp_user_timeout": connect_timeout * 1000,
            "connection_factory": partial(
                DeadlineConnection, connect_within=connect_timeout, answer_within=answer_within
            ),
        },
    }


def init_app(app: Flask) -> None:
    """Bind the engine, and bound every transaction."""
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(app.config)
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    event.listen(engine, "connect", _read_only)
    event.listen(engine, "checkout", partial(_begin, _limits(app.config["DATABASE_STATEMENT_TIMEOUT"])))


def own_engine(config: Mapping[str, Any], *, writes: bool = False, answer_within: float | None = None) -> Engine:
    """Connections besides the requests' pool, to the database that answers come from, or that is written to.

    An answer takes `answer_within` seconds at most in a process that serves, a request's time unless it is given.
    """
    uri = config["SQLALCHEMY_DATABASE_URI"]
    if writes:
        uri = config["DATABASE_DIRECT_URI"] or uri
    options = engine_options(dict(config), answer_within=answer_within)
    return create_engine(uri, poolclass=NullPool, connect_args=options["connect_args"])


def for_commands(engine: Engine) -> Engine:
    """The engine, with sessions that may write, and take as long as they need."""
    event.listen(engine, "connect", _pin, insert=True)  # before what SQLAlchemy asks for
    return engine


def _pin(connection: Any, _record: Any) -> None:
    connection.autocommit = True  # or a rollback would take it back
    with connection.cursor() as cursor:
        # Those that this PostgreSQL has.
        cursor.execute(
            "SELECT set_config(name, %s::json ->> lower(name), false) FROM pg_settings WHERE lower(name) = ANY(%s)",
            (json.dumps(OF_COMMANDS), list(OF_COMMANDS)),
        )
    connection.autocommit = False


def pinned(**settings: str) -> str:
    """The statement that pins what answers depend on, and other settings, for the transaction that is open.

    SET LOCAL rather than settings of the session, which would leak to other clients behind a pooler in transaction
    mode.
    """
    return "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in (PINNED | settings).items())


def _limits(timeout: float) -> str:
    """What bounds a transaction, and tells the planner of this service's statements.

    Compiling a plan (`jit`) takes longer than the queries here run. Pages in memory or on SSD are nearly as cheap
    to read at random as in sequence; with the default `random_page_cost` the planner scans whole catalogue tables to
    look up a few hundred tracks. A set of ids that is expected to be larger than `work_mem` is read again for each row
    that is looked up in it: with the default, after a load of 100,000 listens, lists would take minutes.
    """
    return pinned(statement_timeout=str(round(timeout * 1000)), jit="off", random_page_cost="2", work_mem="64MB")


def _read_only(connection: Any, record: Any) -> None:
    """The platform's tables are not ours. This too goes along with BEGIN.

    As SQLAlchemy's option `postgresql_readonly` it would be set and taken back for each request, and fail where the
    connection was cut after the last query: a right answer would be lost.
    """
    connection.readonly = True
    record.info[IS_NEW] = True


def _begin(limits: str, connection: Any, record: Any, _proxy: Any) -> None:
    """Begin the transaction in which a connection is used, and so find out whether it is still good.

    SQLAlchemy's `pool_pre_ping` asks with a transaction of its own: five round trips more for each request.
    """
    is_new = record.info.pop(IS_NEW, False)
    try:
        with connection.cursor() as cursor:
            cursor.execute(limits)
    except psycopg2.Error as error:
        if is_new:
            raise OperationalError(limits, None, error) from error
        raise InvalidatePoolError from error
