"""Health, readiness, and what happens where the database is not as it has to be."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg2.extensions import connection
from sqlalchemy import Connection, create_engine, make_url, text
from werkzeug.test import TestResponse

from app import create_app
from app.extensions import db
from app.models.base import Base
from app.models.history import History
from config import load_settings
from tests.web.test_errors import check_problem

ONE_CONNECTION = {"DATABASE_POOL_SIZE": "1", "DATABASE_MAX_OVERFLOW": "0", "DATABASE_POOL_TIMEOUT": "0.2"}


@pytest.fixture
def own_database(server_url: str) -> Iterator[str]:
    """A database that a test may break."""
    admin = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS songswap_broken"))
        connection.execute(text("CREATE DATABASE songswap_broken"))
    yield make_url(server_url).set(database="songswap_broken").render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE songswap_broken WITH (FORCE)"))
    admin.dispose()


def service_on(url: str, **settings: str) -> FlaskClient:
    return create_app(load_settings({"SQLALCHEMY_DATABASE_URI": url} | settings)).test_client()


def write(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def check_away(answer: TestResponse, detail: str) -> None:
    """An answer is the problem of a database that cannot answer now."""
    assert check_problem(answer, 503)["detail"] == detail
    assert answer.headers["Retry-After"] == "5"


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_health_touches_nothing(client: FlaskClient, statements: list[str]) -> None:
    assert client.get("/health").json == {"status": "ok"}
    assert statements == []


def test_ready_on_the_platforms_schema(client: FlaskClient, statements: list[str]) -> None:
    answer = client.get("/ready")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    checks = {"database": "ok", "schema": "ok", "cache": "ok", "rollups": "not installed", "taste": "not built"}
    assert answer.json["checks"] == checks
    assert len(statements) == 4  # the schema, whether it is a replica, the rollups, the model


def test_ready_without_its_cache(database_url: str) -> None:
    gone = service_on(database_url, CACHE_TYPE="RedisCache", CACHE_REDIS_URL=f"redis://127.0.0.1:{closed_port()}")
    none = service_on(database_url, CACHE_TYPE="NullCache")
    for client, said in ((gone, "cannot be reached"), (none, "none")):
        answer = client.get("/ready")
        assert (answer.status_code, answer.json["checks"]["cache"]) == (200, said)


def test_an_answer_to_options_is_empty(client: FlaskClient) -> None:
    answer = client.options("/insights/total/listens/1", headers={"Accept-Encoding": "gzip"})
    assert (answer.data, answer.headers.get("Content-Encoding")) == (b"", None)


def test_a_missing_table_is_named_and_answers_are_503_until_it_is_back(own_database: str) -> None:
    write(own_database, 'ALTER TABLE "History" RENAME TO elsewhere')
    client = service_on(own_database)
    ready = client.get("/ready")
    assert ready.status_code == 503
    assert '"History"' in ready.json["checks"]["schema"]
    refused = client.get("/insights/total/listens/1")
    check_away(refused, "The database lacks a table or a column of the platform, or does not let this service read it")
    assert "History" not in refused.text  # no driver text
    write_back = create_engine(own_database)
    with write_back.begin() as connection:
        connection.execute(text('ALTER TABLE elsewhere RENAME TO "History"'))
    write_back.dispose()
    assert client.get("/ready").status_code == 200
    assert client.get("/insights/total/listens/1").json == 0


def test_a_missing_column_is_named(own_database: str) -> None:
    write(own_database, 'ALTER TABLE "Tracks" DROP COLUMN duration_ms')
    ready = service_on(own_database).get("/ready")
    assert ready.status_code == 503
    assert ready.json["checks"]["schema"] == 'missing or not readable: column "Tracks".duration_ms'


def test_a_table_that_may_not_be_read_is_named(own_database: str) -> None:
    write(
        own_database,
        "DROP ROLE IF EXISTS songswap_reader",
        "CREATE ROLE songswap_reader LOGIN",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO songswap_reader",
        'REVOKE SELECT ON "ArtistGenres" FROM songswap_reader',
    )
    reader = make_url(own_database).set(username="songswap_reader").render_as_string(hide_password=False)
    try:
        client = service_on(reader)
        assert '"ArtistGenres"' in client.get("/ready").json["checks"]["schema"]
        assert client.get("/insights/total/listens/1").json == 0
        assert client.get("/insights/distinct/genres/1").status_code == 503
    finally:
        write(own_database, "DROP OWNED BY songswap_reader", "DROP ROLE songswap_reader")


def test_an_unreachable_database_is_a_503_and_the_process_stays_up() -> None:
    client = service_on(f"postgresql://postgres@127.0.0.1:{closed_port()}/nowhere")
    ready = client.get("/ready")
    assert ready.status_code == 503
    assert ready.json["checks"]["database"] == "cannot be reached"
    check_away(client.get("/insights/global/top/tracks"), "The database cannot be reached")
    assert client.get("/health").status_code == 200


def test_cut_connections_are_replaced(own_database: str, server_url: str) -> None:
    write(own_database)
    client = service_on(own_database, CACHE_TYPE="NullCache")
    assert client.get("/insights/total/listens/1").status_code == 200
    admin = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'songswap_broken'")
        )
    admin.dispose()
    assert client.get("/insights/total/listens/1").status_code == 200


def cut(driver_connection: connection) -> None:
    with socket.socket(fileno=os.dup(driver_connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


def terminate(driver_connection: connection) -> None:
    with suppress(psycopg2.OperationalError):
        driver_connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")


# The next statement raises an OperationalError, or an InterfaceError where the driver knows already.
@pytest.mark.parametrize("end", [cut, connection.close, terminate])
def test_a_connection_that_is_cut_under_a_request_is_a_503_and_is_replaced(
    end: Callable[[connection], None], own_database: str
) -> None:
    write(own_database)
    app = create_app(load_settings(ONE_CONNECTION | {"SQLALCHEMY_DATABASE_URI": own_database}))
    client = app.test_client()
    ends = [end]

    @app.before_request
    def end_once() -> None:
        if ends:
            ends.pop()(db.session.connection().connection.driver_connection)

    check_away(client.get("/insights/total/listens/1"), "The database cannot be reached")
    assert client.get("/insights/total/listens/1").json == 0


def test_a_query_that_runs_too_long_is_a_503(own_database: str) -> None:
    write(own_database)
    client = service_on(own_database, DATABASE_STATEMENT_TIMEOUT="0.2")
    blocker = create_engine(own_database)
    with blocker.begin() as connection:
        connection.execute(text('LOCK TABLE "History" IN ACCESS EXCLUSIVE MODE'))
        refused = client.get("/insights/total/listens/1")
    blocker.dispose()
    check_away(refused, "The database took too long to answer")


def test_a_pool_that_has_no_connection_left_is_a_503(own_database: str) -> None:
    write(own_database)
    app = create_app(load_settings(ONE_CONNECTION | {"SQLALCHEMY_DATABASE_URI": own_database}))
    client = app.test_client()
    with app.app_context(), db.engine.connect():
        check_away(client.get("/insights/total/listens/1"), "The database is busy")
        assert client.get("/ready").json["checks"]["database"] == "is busy"
    assert client.get("/insights/total/listens/1").json == 0


@pytest.mark.parametrize(
    ("sqlstate", "told"),
    [
        ("40001", "gave this query up, because of others that ran at the same time"),
        ("40P01", "gave this query up, because of others that ran at the same time"),
        ("53100", "is out of disk, memory or connections"),
        ("53200", "is out of disk, memory or connections"),
        ("53300", "is out of disk, memory or connections"),
        ("54000", "has limits that are too low for this query"),
        ("54001", "has limits that are too low for this query"),
        ("55P03", "has locked what this query reads"),
        ("55000", "cannot answer"),
        ("57014", "took too long to answer"),
        ("57P01", "cannot be reached"),
        ("57P03", "cannot be reached"),
        ("58030", "cannot read its files"),
        ("26000", "cannot answer"),
        ("08006", "cannot be reached"),
    ],
)
def test_an_error_of_the_database_says_what_it_is(sqlstate: str, told: str, own_database: str) -> None:
    write(
        own_database,
        f'CREATE FUNCTION fail() RETURNS SETOF "History" LANGUAGE plpgsql AS '
        f"$$BEGIN RAISE EXCEPTION 'a row' USING ERRCODE = '{sqlstate}'; END$$",
        'ALTER TABLE "History" RENAME TO elsewhere',
        'CREATE VIEW "History" AS SELECT * FROM fail()',
    )
    refused = service_on(own_database).get("/insights/total/listens/1")
    check_away(refused, f"The database {told}")
    assert "a row" not in refused.text


def test_the_service_cannot_write(own_database: str) -> None:
    write(own_database)
    app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": own_database}))
    with app.app_context(), pytest.raises(Exception, match="read-only transaction"):
        db.session.execute(text('DELETE FROM "History"'))


def test_deletes_cascade_in_the_database_and_in_the_orm(platform: Any, connection: Connection) -> None:
    user, artist = platform.user(), platform.artist(genres=["pop"])
    track = platform.track(primary=[artist], images=[(64, 64, "u")], preview="p", features={})
    other = platform.track(primary=[artist])
    platform.listens(user, track, 2)
    platform.listens(user, other, 1)
    platform.session.refresh(track)
    platform.session.delete(track)
    platform.session.flush()
    assert platform.session.query(History).count() == 1
    for table in Base.metadata.tables.values():
        for key in table.foreign_keys:
            assert (key.ondelete, key.onupdate) == ("CASCADE", "CASCADE"), key


def test_every_answer_has_a_request_id(client: FlaskClient) -> None:
    assert client.get("/health", headers={"X-Request-ID": "abc-1.2_3"}).headers["X-Request-ID"] == "abc-1.2_3"
    for given in ("", "a b", "ü", "x" * 129):
        made = client.get("/nowhere", headers={"X-Request-ID": given}).headers["X-Request-ID"]
        assert made != given
        assert len(made) == 32


def test_two_apps_in_one_process_do_not_share_an_engine(app: Flask, own_database: str) -> None:
    write(own_database, "INSERT INTO \"Users\" VALUES (1, 'a', 'a', 'a')")
    assert service_on(own_database).get("/insights/total/listens/1").json == 0
