"""How the service talks to PostgreSQL: read-only snapshots, bounded in time."""

from typing import Any

from flask import Flask, current_app
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction

from app import silence
from app.extensions import db
from app.instrumentation import WITH_BEGIN


def engine_options(config: dict[str, Any]) -> dict[str, Any]:
    """SQLAlchemy engine options from the settings.

    One request reads one snapshot (REPEATABLE READ), so that the queries behind a page agree with each other; psycopg2
    sends that along with BEGIN, at no extra round trip.
    Where a server or the network has gone silent no statement timeout can help: the TCP settings end the wait where
    packets are lost, and app.silence where they are taken and not answered. What a request asked for stands in no
    error's text, and so in no log.
    """
    connect_timeout = config["DATABASE_CONNECT_TIMEOUT"]
    return {
        "pool_size": config["DATABASE_POOL_SIZE"],
        "max_overflow": config["DATABASE_MAX_OVERFLOW"],
        "pool_timeout": config["DATABASE_POOL_TIMEOUT"],
        "pool_pre_ping": True,
        "pool_use_lifo": True,
        "isolation_level": "REPEATABLE READ",
        "hide_parameters": True,
        "connect_args": {
            "connect_timeout": connect_timeout,
            "application_name": "songswap-insights",
            "keepalives_idle": connect_timeout,
            "keepalives_interval": connect_timeout,
            "keepalives_count": 2,
            "tcp_user_timeout": connect_timeout * 1000,
            "connection_factory": silence.factory(
                connect_timeout, config["DATABASE_STATEMENT_TIMEOUT"] + connect_timeout
            ),
        },
    }


def init_app(app: Flask) -> None:
    """Bind the engine, and bound every transaction.

    SET LOCAL rather than settings of the session, which would leak to other clients behind a pooler in transaction
    mode. Compiling a plan (`jit`) takes longer than the queries here run. Pages in memory or on SSD are nearly as cheap
    to read at random as in sequence; with the default `random_page_cost` the planner scans whole catalogue tables to
    look up a few hundred tracks.
    """
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(app.config)
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    silence.one_at_a_time(engine, app.config["DATABASE_CONNECT_TIMEOUT"])
    event.listen(engine, "connect", _read_only)


def _read_only(connection: Any, _record: Any) -> None:
    """The platform's tables are not ours. This too goes along with BEGIN.

    As SQLAlchemy's option `postgresql_readonly` it would be set and taken back for each request, and fail where the
    connection was cut after the last query: a right answer would be lost.
    """
    connection.readonly = True


@event.listens_for(db.session, "after_begin")
def _tune(_session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    timeout = round(current_app.config["DATABASE_STATEMENT_TIMEOUT"] * 1000)
    connection.exec_driver_sql(
        f"SET LOCAL statement_timeout = {timeout}; SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1",
        execution_options=WITH_BEGIN,
    )
