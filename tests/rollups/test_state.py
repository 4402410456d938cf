"""Rollups in half a state: answers are live and right, `/ready` says why, and an installation repairs them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.cli import create_app
from app.database.engine import own_engine
from app.extensions import db
from app.rollups import state
from app.rollups.state import NONE, rollups_of
from app.rollups.upkeep.upkeep import Upkeep
from config import load_settings
from tests.conftest import NOW
from tests.rollups.conftest import nothing
from tests.rollups.loads import fill
from tests.rollups.programs import run
from tests.support.servers import database, url_of

EVERYONES = "/insights/global/top/tracks"
PATHS = (EVERYONES, "/insights/global/summary", "/insights/top/artists/1", "/insights/wrapped/1/2026")


@pytest.fixture
def engine(server_url: str) -> Iterator[Engine]:
    """A platform's database with rollups."""
    with database(server_url, "rollups_state", nothing) as engine:
        with engine.begin() as connection:
            fill(connection)
        assert rollups(engine, "install").exit_code == 0
        yield engine


@contextmanager
def serving(engine: Engine, url: str | None = None) -> Iterator[Flask]:
    """The service on a database, which has answered out of its rollups, if it has any."""
    settings = {"SQLALCHEMY_DATABASE_URI": url or url_of(engine), "CACHE_TYPE": "NullCache", "ALLOW_ANONYMOUS": "true"}
    app = create_app(load_settings(settings))
    app.config["CLOCK"] = lambda: NOW
    app.test_client().get(EVERYONES)
    yield app
    with app.app_context():
        db.engine.dispose()


def rollups(engine: Engine, *arguments: str) -> Result:
    app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": url_of(engine)}))
    app.config["CLOCK"] = lambda: NOW
    return app.test_cli_runner().invoke(args=["rollups", *arguments])


def answers(app: Flask) -> list[str]:
    found = [app.test_client().get(path) for path in PATHS]
    assert {answer.status_code for answer in found} == {200}
    return [answer.text for answer in found]


def check(app: Flask) -> str:
    """What `/ready` says of the rollups."""
    ready = app.test_client().get("/ready")
    assert ready.status_code == 200
    return str(ready.json["checks"]["rollups"])


def believes(engine: Engine) -> bool:
    with Session(engine) as session:
        return rollups_of(session) is not NONE


def execute(engine: Engine, sql: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(sql)


DROPPED = ("rankings", "state", "announcements", "genre_changes")
HALVES = {
    **{f"DROP TABLE insights.{table} CASCADE": state.LACKING for table in DROPPED},
    "DELETE FROM insights.state": state.EMPTIED,
    "DELETE FROM insights.alembic_version": state.EMPTIED,
    **{f"TRUNCATE insights.{table}": state.EMPTIED for table in ("rankings", "sizes", "slots", "firsts")},
    "UPDATE insights.alembic_version SET version_num = '0009'": state.OTHER_VERSION,
    "ALTER TABLE insights.state DROP distrust": state.OTHER_VERSION,
    'DROP TRIGGER songswap_insights_update ON "Tracks"': state.UNWATCHED,
    "DROP SCHEMA insights CASCADE": "not installed",
}


@pytest.mark.parametrize("half", HALVES)
def test_half_a_state_is_answered_live_told_of_and_repaired(half: str, engine: Engine) -> None:
    with serving(engine) as app:
        expected = answers(app)
        assert check(app) == "ok"
        execute(engine, half)
        assert answers(app) == expected
        assert check(app) == HALVES[half]
        assert not believes(engine)
        assert rollups(engine, "status").exit_code == 0
        keeper = Upkeep(app, Event(), Event())
        with own_engine(app.config, writes=True).connect().execution_options(isolation_level="AUTOCOMMIT") as own:
            keeper.look(own)
        assert rollups(engine, "install").exit_code == 0
        assert answers(app) == expected
        assert check(app) == "ok"
    assert believes(engine)
    assert rollups(engine, "verify").exit_code == 0


@pytest.mark.parametrize("taken", ["SELECT ON insights.rankings", "ALL ON insights.state", "USAGE ON SCHEMA insights"])
def test_what_is_not_granted_is_answered_live(taken: str, engine: Engine) -> None:
    name = f"songswap_half_{os.getpid()}"
    execute(engine, f"CREATE ROLE {name} LOGIN PASSWORD 'half'")
    grants = "USAGE ON SCHEMA insights", "SELECT ON ALL TABLES IN SCHEMA public"
    for grant in grants:
        execute(engine, f"GRANT {grant} TO {name}")
    try:
        assert rollups(engine, "install").exit_code == 0  # grants what the role needs of the schema that it may use
        url = engine.url.set(username=name, password="half").render_as_string(hide_password=False)
        with serving(engine, url) as app:
            expected = answers(app)
            assert check(app) == "ok"
            execute(engine, f"REVOKE {taken} FROM {name}")
            assert answers(app) == expected
            assert check(app) == state.LACKING
            if "SCHEMA" in taken:
                execute(engine, f"GRANT {taken} TO {name}")
            assert rollups(engine, "install").exit_code == 0
            assert check(app) == "ok"
    finally:
        execute(engine, f"DROP OWNED BY {name}")
        execute(engine, f"DROP ROLE {name}")


@pytest.mark.parametrize("left_out", ["insights.*", "insights.rankings", None])
def test_what_was_restored_without_rows_is_answered_live(left_out: str | None, engine: Engine, server_url: str) -> None:
    options = [f"--exclude-table-data={left_out}"] if left_out else []
    # Of PostgreSQL 17 and newer, whose program this is; the server may be older.
    dumped = run("pg_dump", engine, *options).replace("SET transaction_timeout = 0;", "")
    with database(server_url, "rollups_restored", nothing) as restored:
        execute(restored, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        run("psql", restored, "--quiet", "--set=ON_ERROR_STOP=1", stdin=dumped)
        with serving(engine) as original, serving(restored) as app:
            assert answers(app) == answers(original)
            assert check(app) == (state.EMPTIED if left_out else "ok")
            assert believes(restored) is (left_out is None)
            assert rollups(restored, "install").exit_code == 0
            assert check(app) == "ok"
        assert rollups(restored, "verify").exit_code == 0
