"""The database role of docs/role.sql: every route works under it, and nothing else does."""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import Session

from app import create_app
from app.archive.export import export
from app.archive.store import Store
from app.archive.verification import broken_files, wrong_months
from app.cli.embedded.database import PLATFORM_TABLES
from app.models.base import Base
from app.rollups.installation.install import install
from app.rollups.state import rollups_of
from app.rollups.upkeep.building import build, start_anew
from app.rollups.upkeep.transactions import one_operator
from app.rollups.upkeep.upkeep import Upkeep
from app.taste import installation as taste
from app.taste.building import build as build_model
from config import load_settings
from tests.conftest import NOW, SECRET
from tests.support.factories import Platform
from tests.web.test_examples import PATH_VALUES, fill

SCRIPT = Path("docs/role.sql").read_text()
# Roles belong to the server, which may be somebody's own (TEST_DATABASE_URL).
ROLE = f"songswap_insights_test_{os.getpid()}"
DATABASE = ROLE
PASSWORD = "a password of the tests"

FILES = {"static": "docs.js", "page.static": "style.css", "docs.static": "swagger-ui.css"}
# Together they take every way to the tables that a parameter may open.
QUERY = {
    "range": "this_month",
    "tz": "Europe/Paris",
    "by": "listen_time",
    "compare": "previous",
    "users": "1,2",
    "bucket": "week",
    "days": "1",
    "genre": "soul",
    "as_string": "true",
    "gap_minutes": "45",
    "limit": "3",
}


@pytest.fixture(scope="module")
def owner(server_url: str) -> Iterator[Engine]:
    """Connections of the owner of a platform's database: with its tokens, and with rollups installed."""
    admin = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {DATABASE}"))
    engine = create_engine(make_url(server_url).set(database=DATABASE))
    with engine.begin() as connection:
        connection.execute(text('CREATE TABLE "SpotifyTokens" (user_id int PRIMARY KEY, refresh_token text NOT NULL)'))
        connection.execute(text("INSERT INTO \"SpotifyTokens\" VALUES (1, 'a token')"))
        Base.metadata.create_all(connection)
    with Session(engine) as session:
        fill(Platform(session))
        session.commit()
    run_script(engine)  # without the schema `insights`, and again with it
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        install(connection, lambda done: None)
        start_anew(connection)
        build(connection, lambda: NOW, lambda done: None)
        taste.install(connection)
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {DATABASE} WITH (FORCE)"))
        connection.execute(text(f"DROP ROLE IF EXISTS {ROLE}"))
    admin.dispose()


def run_script(owner: Engine) -> None:
    # The driver's own cursor: the script is no template, and its `:` and `%` mean nothing.
    with owner.begin() as connection, closing(connection.connection.cursor()) as cursor:
        cursor.execute(SCRIPT.replace("songswap_insights", ROLE))


@pytest.fixture(scope="module")
def role_url(owner: Engine) -> URL:
    """The database under the role, which the script has made twice: again is no error."""
    run_script(owner)
    run_script(owner)
    with owner.begin() as connection:
        connection.execute(text(f"ALTER ROLE {ROLE} PASSWORD '{PASSWORD}'"))
    return owner.url.set(username=ROLE, password=PASSWORD)


@pytest.fixture(scope="module")
def role(role_url: URL) -> Iterator[Engine]:
    engine = create_engine(role_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def service(role_url: URL) -> Flask:
    uri = role_url.render_as_string(hide_password=False)
    given = {"SQLALCHEMY_DATABASE_URI": uri, "CACHE_TYPE": "NullCache", "EXPLORER": "true"}
    app = create_app(load_settings(given | {"CACHE_INVALIDATION_SECRET": SECRET}))
    app.config["CLOCK"] = lambda: NOW
    return app


def test_the_script_names_the_tables_of_the_models() -> None:
    granted = re.findall(r"GRANT SELECT[^;]* ON\s+(\"[^;]+?)\s+TO songswap_insights;", SCRIPT)
    names = re.findall(r'"(\w+)"', " ".join(granted))
    assert sorted(names) == sorted(table.name for table in PLATFORM_TABLES)


def test_the_role_may_read_the_platforms_tables_and_write_its_own(role_url: URL, owner: Engine) -> None:
    privileges = text(
        "SELECT oid::regclass::text, privilege FROM pg_class, "
        "unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS privilege "
        "WHERE relkind IN ('r', 'v', 'm', 'p') AND relnamespace::regnamespace::text IN ('public', 'insights') "
        "AND has_table_privilege(:role, oid, privilege)"
    )
    expected = {(f'"{table.name}"', "SELECT") for table in PLATFORM_TABLES} - {('"Users"', "SELECT")}
    with owner.connect() as connection:
        own = connection.scalars(
            text(
                "SELECT oid::regclass::text FROM pg_class WHERE relnamespace::regnamespace::text"
                " = 'insights' AND relkind IN ('r', 'p')"
            )
        ).all()
        expected |= {(name, privilege) for name in own for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")}
        found = {(name, privilege) for name, privilege in connection.execute(privileges, {"role": ROLE})}
        attributes = connection.execute(
            text(
                "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles "
                "WHERE rolname = :role"
            ),
            {"role": ROLE},
        ).one()
    assert found == expected
    assert not any(attributes)


@pytest.mark.parametrize("query", [{}, QUERY])
def test_every_route_answers_under_the_role(service: Flask, query: dict[str, str]) -> None:
    client = service.test_client()
    document = client.get("/openapi.json").json["paths"]
    asked = 0
    for rule in service.url_map.iter_rules():
        for method in rule.methods & {"GET", "POST"}:
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            takes = document.get(path, {}).get(method.lower(), {}).get("parameters", [])
            names = {parameter["name"] for parameter in takes if parameter["in"] == "query"}
            wanted = {parameter["name"] for parameter in takes if parameter.get("required")} & names
            answer = client.open(
                path.format(**PATH_VALUES, filename=FILES.get(rule.endpoint)),
                method=method,
                query_string={
                    name: value for name, value in QUERY.items() if name in wanted or (name in names and name in query)
                },
                headers={"X-Invalidation-Secret": SECRET},
            )
            with answer:
                assert answer.status_code == 200, (rule.rule, answer.text)
            asked += 1
    assert asked > 45


@pytest.mark.usefixtures("service")
def test_tokens_and_addresses_are_refused(role: Engine) -> None:
    for statement in (
        'SELECT * FROM "SpotifyTokens"',
        'SELECT count(user_id) FROM "SpotifyTokens"',
        'SELECT * FROM "Users"',
        'SELECT email FROM "Users"',
        'SELECT spotify_id FROM "Users"',
    ):
        with role.connect() as connection, pytest.raises(ProgrammingError) as refused:
            connection.execute(text(statement))
        assert isinstance(refused.value.orig, psycopg2.errors.InsufficientPrivilege)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO \"Users\" VALUES (9, 'i', 'i', 'i')",
        "UPDATE \"Users\" SET username = 'i'",
        'DELETE FROM "History"',
        'TRUNCATE "History"',
        'CREATE INDEX ON "History" (track_id)',
        "CREATE TABLE insights.mine (id int)",
        "DROP TABLE insights.state",
        "TRUNCATE insights.slots",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
    ],
)
def test_what_the_service_never_does_is_refused(role: Engine, statement: str) -> None:
    with role.connect() as connection, pytest.raises(DBAPIError) as refused:
        connection.execute(text(statement))
    assert isinstance(refused.value.orig, psycopg2.errors.InsufficientPrivilege)


def test_the_rollups_are_read_and_kept_up_under_the_role(owner: Engine, role: Engine, service: Flask) -> None:
    listen = text("INSERT INTO \"History\" VALUES (1, '2026-10-20 10:00', :track_id)")
    with owner.begin() as connection:
        connection.execute(listen, {"track_id": PATH_VALUES["track_id"]})
    with Session(role) as session:
        assert rollups_of(session).has_slots
        assert rollups_of(session).listens_changed
    keeper = Upkeep(service, threading.Event(), threading.Event())
    with role.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        keeper.look(connection)
    with Session(role) as session:
        assert not rollups_of(session).listens_changed


def test_the_model_of_taste_is_built_and_read_under_the_role(role: Engine, service: Flask) -> None:
    with one_operator(role) as connection:
        taste.install(connection)
        build_model(role, lambda done: None)
    assert "X-Computed-At" in service.test_client().get("/insights/similar/1").headers


def test_the_archive_is_exported_under_the_role(role: Engine, tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    with one_operator(role) as connection:
        archive = export(connection, store, NOW, nullcontext)
        assert [*broken_files(store, archive), *wrong_months(connection, store, archive, nullcontext)] == []
    assert sum(file.rows for file in archive.listens) > 0


def test_the_tables_of_the_rollups_are_vacuumed_under_the_role(role: Engine) -> None:
    with role.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.server_version_info < (17,):
            pytest.skip("before PostgreSQL 17 that is for owners alone, and autovacuum does it")
        connection.connection.notices.clear()
        connection.execute(text("VACUUM (ANALYZE) insights.rankings, insights.listen_changes"))
        assert connection.connection.notices == []


@pytest.mark.usefixtures("role_url")
@pytest.mark.parametrize(
    "grant", ['SELECT ON "SpotifyTokens"', 'SELECT (refresh_token) ON "SpotifyTokens"', 'SELECT ON "Users"']
)
def test_the_script_refuses_a_database_whose_secrets_everybody_may_read(owner: Engine, grant: str) -> None:
    with owner.connect() as connection:
        connection.execute(text(f"GRANT {grant} TO PUBLIC"))
        cursor = connection.connection.cursor()
        with pytest.raises(psycopg2.errors.RaiseException, match="can read"):
            cursor.execute(SCRIPT.replace("songswap_insights", ROLE))


@pytest.mark.usefixtures("role_url")
def test_the_script_takes_back_what_was_granted_by_hand(owner: Engine, role: Engine) -> None:
    with owner.begin() as connection:
        connection.execute(text(f'GRANT DELETE ON "History" TO {ROLE}'))
        connection.execute(text(f'GRANT SELECT ON "SpotifyTokens" TO {ROLE}'))
    run_script(owner)
    with role.connect() as connection, pytest.raises(ProgrammingError):
        connection.execute(text('DELETE FROM "History"'))
    with role.connect() as connection, pytest.raises(ProgrammingError):
        connection.execute(text('SELECT FROM "SpotifyTokens"'))
