"""The project's own database: the platform's tables in the embedded PostgreSQL."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from flask import current_app
from sqlalchemy import Connection, Engine, NullPool, create_engine, exists, func, select, text

from app.cli.embedded.server import EmbeddedPostgres
from app.database.engine import for_commands
from app.models.base import Base
from app.models.history import Track, User

PROJECT = Path(__file__).parents[3]
DATABASE = "songswap"

# What has a schema of its own is this service's, and made by its own migrations.
PLATFORM_TABLES = [table for table in Base.metadata.sorted_tables if table.schema is None]

# Any number will do, as long as all who build in the database take the same.
BUILDERS_LOCK = 5001


def embedded_server() -> EmbeddedPostgres:
    """The server that `make run`, and commands without SQLALCHEMY_DATABASE_URI, work on."""
    return EmbeddedPostgres(PROJECT / ".data" / "postgres")


def engine_for(uri: str) -> Engine:
    """An engine for commands: unlike requests they may write, and take as long as they need."""
    return for_commands(create_engine(uri, poolclass=NullPool, connect_args={"client_encoding": "utf8"}))


@contextmanager
def embedded_database(server: EmbeddedPostgres) -> Iterator[Engine]:
    """The database with the platform's tables in it, made where they are missing; up for the length of the block."""
    with server:
        _create_database(server)
        engine = engine_for(server.uri(DATABASE))
        with engine.begin() as connection:
            lock_builders(connection)
            Base.metadata.create_all(connection, tables=PLATFORM_TABLES)
        yield engine


def database_of_command() -> AbstractContextManager[object]:
    """Whatever database a command works on: where it is the embedded one, that is up for the length of the block."""
    if current_app.config["EMBEDDED"]:
        return embedded_database(current_app.extensions["embedded_postgres"])
    return nullcontext()


def lock_builders(connection: Connection) -> None:
    """Wait for others who are creating or filling tables, and keep them out until the end of the transaction."""
    connection.execute(select(func.pg_advisory_xact_lock(BUILDERS_LOCK)))


def is_empty(connection: Connection) -> bool:
    """Whether there is neither a user nor a track, and so nothing that somebody could miss."""
    return not connection.scalar(select(exists(select(User.id)) | exists(select(Track.id))))


def continue_user_ids(connection: Connection) -> None:
    """Let new users get ids after the highest there is; rows that came with their id leave the sequence behind."""
    sequence = func.pg_get_serial_sequence('"Users"', "id")
    connection.execute(select(func.setval(sequence, select(func.max(User.id)).scalar_subquery())))


def _create_database(server: EmbeddedPostgres) -> None:
    # CREATE DATABASE runs in no transaction, hence the lock of the session rather than of a transaction.
    autocommit = engine_for(server.uri("postgres")).execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        connection.execute(select(func.pg_advisory_lock(BUILDERS_LOCK)))
        found = connection.scalar(text("SELECT true FROM pg_database WHERE datname = :name"), {"name": DATABASE})
        if not found:
            connection.execute(text(f'CREATE DATABASE "{DATABASE}"'))
