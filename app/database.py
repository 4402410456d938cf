"""How the service talks to PostgreSQL: read-only snapshots, bounded in time."""

from typing import Any

from flask import Flask
from sqlalchemy import Connection, Engine, event

from app.extensions import db


def engine_options(config: dict[str, Any]) -> dict[str, Any]:
    """SQLAlchemy engine options from the settings.

    One request reads one snapshot (REPEATABLE READ), so that the queries behind a page agree with each other; and
    READ ONLY, for the platform's tables are not ours. psycopg2 sends both along with BEGIN, at no extra round trip.
    The TCP settings end a wait for a server that has gone silent, where no statement timeout can help.
    """
    connect_timeout = config["DATABASE_CONNECT_TIMEOUT"]
    return {
        "pool_size": config["DATABASE_POOL_SIZE"],
        "max_overflow": config["DATABASE_MAX_OVERFLOW"],
        "pool_timeout": config["DATABASE_POOL_TIMEOUT"],
        "pool_pre_ping": True,
        "pool_use_lifo": True,
        "isolation_level": "REPEATABLE READ",
        "execution_options": {"postgresql_readonly": True},
        "connect_args": {
            "connect_timeout": connect_timeout,
            "application_name": "songswap-insights",
            "keepalives_idle": connect_timeout,
            "keepalives_interval": connect_timeout,
            "keepalives_count": 2,
            "tcp_user_timeout": connect_timeout * 1000,
        },
    }


def init_app(app: Flask) -> None:
    """Bind the engine, and bound every transaction."""
    db.init_app(app)
    with app.app_context():
        tune_transactions(db.engine, app.config["DATABASE_STATEMENT_TIMEOUT"])


def tune_transactions(engine: Engine, statement_timeout: float) -> None:
    """Give every transaction of `engine` its statement timeout (in seconds) and its planner settings.

    SET LOCAL rather than session settings, which would leak to other clients behind a pooler in transaction mode.
    Compiling a plan (`jit`) takes longer than the queries here run. Pages in memory or on SSD are nearly as cheap to
    read at random as in sequence; with the default `random_page_cost` the planner scans whole catalogue tables to
    look up a few hundred tracks.
    """
    settings = (
        f"SET LOCAL statement_timeout = {round(statement_timeout * 1000)}; "
        "SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1"
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(settings)
        cursor.close()
