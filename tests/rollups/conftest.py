"""Databases with rollups in them, on the suite's server."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, NullPool, create_engine, text

from app.rollups.installation import install as installation
from app.rollups.installation.indexes import build_indexes
from app.rollups.upkeep.building import build, start_anew
from app.rollups.upkeep.transactions import one_operator
from tests.conftest import NOW
from tests.support.factories import Platform
from tests.support.servers import database


def quiet(_what: str) -> None:
    """Says nothing of what is done."""


@contextmanager
def operator(engine: Engine) -> Iterator[Connection]:
    """A connection in autocommit for one operator at a time."""
    with one_operator(engine) as connection:
        yield connection


def install(engine: Engine) -> None:
    """Install the rollups and build them for the instant of the tests."""
    with operator(engine) as connection:
        installation.install(connection, quiet)
        build_indexes(connection, quiet)
        start_anew(connection)
        build(connection, lambda: NOW, quiet)


def nothing(_platform: Platform) -> None:
    """Leaves a platform empty."""


@pytest.fixture(scope="session")
def plain_role(server_url: str) -> Iterator[str]:
    """A role without any right on the schema `insights`, and none on the platform's tables but what a test grants."""
    name = f"songswap_plain_{os.getpid()}"
    admin = create_engine(server_url, poolclass=NullPool)
    with admin.begin() as connection:
        connection.execute(text(f"CREATE ROLE {name}"))
    yield name
    with admin.begin() as connection:
        connection.execute(text(f"DROP ROLE {name}"))


@pytest.fixture(scope="session")
def make_database(server_url: str, plain_role: str) -> Callable[..., "Iterator[Engine]"]:
    """Makes databases of their own, which the plain role may read."""

    def make(name: str, fill: Callable[[Platform], None] = nothing) -> Iterator[Engine]:
        with database(server_url, name, fill) as engine:
            with engine.begin() as connection:
                connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {plain_role}"))
            yield engine

    return make
