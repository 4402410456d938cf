"""A real PostgreSQL for the suite, and a service on it whose every write is rolled back after each test."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import create_app
from app.cli.embedded.server import EmbeddedPostgres
from app.extensions import db
from app.models.base import Base
from config import load_settings
from tests.oracle.checks import Substance
from tests.support import depth  # noqa: F401  # it registers Hypothesis's profiles
from tests.support.factories import Platform
from tests.support.faulty_servers import Valkey

# What a shell runs in the background ignores Ctrl-C, and so does what that starts. The suite ends servers by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A Monday, a little after noon in UTC.
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
SECRET = "a secret of the tests"


@pytest.fixture(autouse=True, scope="session")
def no_dotenv() -> Iterator[None]:
    """The settings of a developer's `.env` are none of this process. (Others are given NO_SETTINGS.)"""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("config.DOTENV", os.devnull)
        yield


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a database on a server on which databases may be created: TEST_DATABASE_URL, or an embedded one."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield str(load_settings({"SQLALCHEMY_DATABASE_URI": given})["SQLALCHEMY_DATABASE_URI"])
        return
    with EmbeddedPostgres.temporary({"fsync": "off"}) as server:
        yield server.uri("postgres")


@pytest.fixture(scope="session")
def database_url(server_url: str) -> Iterator[str]:
    """A fresh database with the platform's schema, which this project did not fill."""
    name = f"songswap_test_{os.getpid()}"
    admin = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        _create_database(connection, name)
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()
    yield url
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def _create_database(connection: Connection, name: str) -> None:
    """A database that sorts text as people do, where the server can: byte order must not come from the database."""
    try:
        connection.execute(
            text(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' ENCODING UTF8")
        )
    except DBAPIError:  # the embedded server is built without ICU
        connection.execute(text(f"CREATE DATABASE {name}"))


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    """Connections that may write."""
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is rolled back after the test."""
    with engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()


@pytest.fixture
def settings(database_url: str) -> dict[str, Any]:
    """The service's settings; a module or class may override this fixture to change some."""
    given = {"SQLALCHEMY_DATABASE_URI": database_url, "CACHE_INVALIDATION_SECRET": SECRET, "EXPLORER": "true"}
    return load_settings(given)


@pytest.fixture
def app(settings: dict[str, Any], connection: Connection) -> Iterator[Flask]:
    """The service on the test's own connection, at a fixed instant."""
    app = create_app(settings)
    app.config.update(TESTING=True, CLOCK=lambda: NOW)
    with app.app_context():
        own_engine = db.engines[None]
        # A savepoint: what the service's session ends is its own part of the test's transaction.
        connection.begin_nested()
        db.engines[None] = connection  # type: ignore[index]
    yield app
    own_engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Requests to the service."""
    return app.test_client()


@pytest.fixture
def platform(connection: Connection) -> Iterator[Platform]:
    """Rows that the platform would have written, seen by the service at once."""
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        yield Platform(session)


@pytest.fixture
def statements(connection: Connection) -> Iterator[list[str]]:
    """The statements that run on the test's connection from now on."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            seen.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    yield seen
    event.remove(connection, "before_cursor_execute", note)


@pytest.fixture
def substance() -> Iterator[Substance]:
    """What counts a property's examples, and fails it at its end where too few are about something."""
    tally = Substance()
    yield tally
    tally.check()


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A Valkey of a test's own."""
    server = Valkey()
    yield server
    server.remove()
