"""The PostgreSQL server that is measured: one of the benchmark's own, or the one of BENCH_DATABASE_URL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text

from app.cli.embedded.server import EmbeddedPostgres
from config import load_settings

GIVEN = "BENCH_DATABASE_URL"
MEGABYTE = 1 << 20

# What a report says about the server. Everything else is PostgreSQL's default.
SHOWN = ("server_version", "shared_buffers", "work_mem", "max_wal_size", "fsync", "synchronous_commit", "jit")


def tuned() -> dict[str, str]:
    """Settings as an operator makes them for a server of this memory."""
    memory = total_memory() // MEGABYTE
    return {
        "shared_buffers": f"{min(memory // 4, 4096)}MB",
        "effective_cache_size": f"{memory // 2}MB",
        "maintenance_work_mem": "256MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
    }


def total_memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a database on a server on which databases may be created."""
    if given := os.environ.get(GIVEN):
        yield str(load_settings({"SQLALCHEMY_DATABASE_URI": given})["SQLALCHEMY_DATABASE_URI"])
        return
    with EmbeddedPostgres.temporary(tuned()) as server:
        yield server.uri("postgres")


def settings(engine: Engine) -> dict[str, str]:
    """The server's version, and its settings that matter most here."""
    with engine.connect() as connection:
        return {name: str(connection.scalar(text("SELECT current_setting(:name)"), {"name": name})) for name in SHOWN}


@contextmanager
def database(server_url: str, name: str, template: str = "template1") -> Iterator[Engine]:
    """A database of its own, a copy of `template`, which nobody may be connected to; dropped at the end."""
    admin = create_engine(server_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    name = f"songswap_benchmark_{name}_{os.getpid()}".lower()
    # Copying files rather than writing all of a copy to the log, too.
    run(admin, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    engine = create_engine(make_url(server_url).set(database=name), poolclass=NullPool)
    try:
        yield engine
    finally:
        run(admin, f'DROP DATABASE "{name}" WITH (FORCE)')


def run(engine: Engine, statement: str) -> None:
    """Run a statement by itself, in no transaction."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(statement)


def url_of(engine: Engine) -> str:
    """The URL of an engine's database, with the password."""
    return engine.url.render_as_string(hide_password=False)


def plain(connection: Connection, statement: str) -> list[tuple[object, ...]]:
    """The rows of a statement as the driver gives them, with nothing of SQLAlchemy's in the time that it takes."""
    cursor = connection.connection.cursor()
    cursor.execute(statement)
    return list(cursor.fetchall())
