"""`flask taste`, and what the service answers with a model, without one, and with an old one."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.cli import create_app
from app.rollups.state import read
from app.services import similar
from config import load_settings
from tests.conftest import NOW
from tests.rollups.test_commands import schema_dump
from tests.support.factories import Platform
from tests.support.faulty_servers import wait_until
from tests.support.servers import database, starting, url_of

LISTENERS = 4
Run = Callable[..., str]


def fill(platform: Platform) -> None:
    """Some listeners with an artist in common, each with one artist of its own, and a user who never listened."""
    shared = platform.artist("shared")
    of_all = platform.track("of-all", primary=[shared])
    for number in range(1, LISTENERS + 1):
        listener = platform.user(number, f"listener {number}")
        own = platform.track(f"of-{number}", primary=[platform.artist(f"own-{number}")])
        platform.listens(listener, of_all, 3)
        platform.listens(listener, own, number)
    platform.user(99, "silent")


@pytest.fixture
def people(server_url: str) -> Iterator[Engine]:
    with database(server_url, "taste", fill) as engine:
        yield engine


@pytest.fixture
def app(people: Engine) -> Flask:
    given = {"SQLALCHEMY_DATABASE_URI": url_of(people), "CACHE_TYPE": "NullCache", "ALLOW_ANONYMOUS": "true"}
    app = create_app(load_settings(given))
    app.config["CLOCK"] = lambda: NOW
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def taste(app: Flask) -> Run:
    """Runs a command, and gives what it says."""

    def run(*arguments: str, group: str = "taste") -> str:
        result = app.test_cli_runner().invoke(args=[group, *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    return run


def execute(engine: Engine, sql: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(sql))


def usernames(client: FlaskClient, user_id: int = 1) -> list[str]:
    return [row["username"] for row in client.get(f"/insights/similar/{user_id}").json]


def test_a_model_answers_as_of_its_instant_and_drop_leaves_no_trace(
    taste: Run, client: FlaskClient, people: Engine
) -> None:
    before = schema_dump(people)
    paths = ("/insights/similar/1", "/insights/recommendations/tracks/1", "/insights/similar/1?users=2,3")
    live = [client.get(path) for path in paths]
    assert not any("X-Computed-At" in answer.headers for answer in live)
    assert client.get("/ready").json["checks"]["taste"] == "not built"
    assert taste("status") == "There is no model: flask taste build\n"

    assert f"of {LISTENERS} listeners" in taste("build")
    ahead = [client.get(path) for path in paths]
    assert [answer.json for answer in ahead] == [answer.json for answer in live]
    assert ["X-Computed-At" in answer.headers for answer in ahead] == [True, True, False]
    assert f"listeners  {LISTENERS}\n" in taste("status")
    assert client.get("/ready").json["checks"]["taste"] == "ok"

    # Who listens alike is as of then; what nobody recommends any more, as of now.
    execute(people, """INSERT INTO "History" (user_id, played_at, track_id) VALUES (1, '2026-11-22', 'of-4')""")
    assert client.get(paths[0]).json == ahead[0].json
    assert client.get(paths[2]).json != ahead[2].json
    assert "of-4" in {row["track_id"] for row in ahead[1].json}
    assert "of-4" not in {row["track_id"] for row in client.get(paths[1]).json}

    assert client.get("/insights/similar/99").json == []
    taste("drop")
    assert schema_dump(people) == before
    taste("drop")
    assert schema_dump(people) == before


def test_a_build_replaces_the_model_and_an_old_one_is_not_asked(
    taste: Run, client: FlaskClient, people: Engine
) -> None:
    taste("build")
    execute(people, "UPDATE insights.taste_models SET computed_at = computed_at - interval '47 hours 59 minutes'")
    assert "X-Computed-At" in client.get("/insights/similar/1").headers
    execute(people, "UPDATE insights.taste_models SET computed_at = computed_at - interval '2 minutes'")
    assert "X-Computed-At" not in client.get("/insights/similar/1").headers
    assert client.get("/ready").json["checks"]["taste"].endswith("too long ago")
    execute(people, 'DELETE FROM "Users" WHERE id = 2')
    taste("build")
    assert usernames(client) == ["listener 3", "listener 4"]
    assert f"listeners  {LISTENERS - 1}\n" in taste("status")


def test_a_deleted_user_is_in_no_answer_from_the_commit_on(taste: Run, client: FlaskClient, people: Engine) -> None:
    taste("build")
    assert usernames(client) == ["listener 2", "listener 3", "listener 4"]
    execute(people, 'DELETE FROM "Users" WHERE id = 3')
    assert usernames(client) == ["listener 2", "listener 4"]
    assert usernames(client, 3) == []
    assert {row["track_id"] for row in client.get("/insights/recommendations/tracks/1").json} == {"of-2", "of-4"}


def test_of_many_listeners_the_command_is_named(
    taste: Run, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = ("/insights/similar/1", "/insights/recommendations/tracks/1", "/insights/recommendations/artists/1")
    monkeypatch.setattr(similar, "LIVE", LISTENERS)  # the silent user is none of them
    assert [client.get(path).status_code for path in paths] == [200] * 3
    monkeypatch.setattr(similar, "LIVE", LISTENERS - 1)
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 503
        assert "flask taste build" in answer.json["detail"]
    assert client.get("/insights/similar/1?users=2,3").status_code == 200
    taste("build")
    assert [client.get(path).status_code for path in paths] == [200] * 3


def test_rollups_and_the_model_leave_each_other_alone(taste: Run, client: FlaskClient, people: Engine) -> None:
    before = schema_dump(people)
    taste("build")
    with_model = schema_dump(people)
    assert client.get("/ready").json["checks"]["rollups"] == "not installed"
    taste("install", group="rollups")
    assert client.get("/ready").json["checks"] == {
        "database": "ok",
        "schema": "ok",
        "cache": "none",
        "rollups": "ok",
        "taste": "ok",
    }
    taste("verify", group="rollups")
    assert "X-Computed-At" in client.get("/insights/similar/1").headers
    taste("uninstall", group="rollups")
    assert schema_dump(people) == with_model
    assert "X-Computed-At" in client.get("/insights/similar/1").headers
    taste("install", group="rollups")
    taste("drop")
    with Session(people) as session:
        assert read(session).distrust is None
    taste("uninstall", group="rollups")
    assert schema_dump(people) == before


def test_a_build_ends_cached_answers_where_rollups_announce(taste: Run, people: Engine) -> None:
    taste("install", group="rollups")
    count = text("SELECT count(*) FROM insights.announcements WHERE users = '{}'")
    with people.connect() as connection:
        before = connection.scalar(count)
    taste("build")
    with people.connect() as connection:
        assert connection.scalar(count) == before + 1


def test_roles_that_use_the_schema_may_ask_a_new_model(taste: Run, people: Engine) -> None:
    role = f"songswap_taste_{os.getpid()}"
    taste("install", group="rollups")
    execute(people, f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA insights TO {role}")
    try:
        taste("build")
        with people.connect() as connection:
            granted = text("SELECT has_table_privilege(:role, 'insights.taste_neighbours', 'SELECT, INSERT, DELETE')")
            assert connection.scalar(granted, {"role": role})
    finally:
        execute(people, f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize("command", ["build", "status", "drop"])
def test_a_database_that_is_away_is_told_of_in_a_line(command: str) -> None:
    app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": "postgresql://u@127.0.0.1:1/x"}))
    result = app.test_cli_runner().invoke(args=["taste", command])
    assert result.exit_code == 1
    assert result.output.startswith("Error: connection to server")


def test_the_service_does_not_need_scipy() -> None:
    """And without it the command says what to install."""
    program = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("scipy", "numpy"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
from app.cli import create_app
from config import load_settings
app = create_app(load_settings({"SQLALCHEMY_DATABASE_URI": "postgresql://u@127.0.0.1:1/x"}))
print(app.test_cli_runner().invoke(args=["taste", "build"]).output)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Error: numpy is missing: pip install -r requirements-batch.txt"


@pytest.mark.thorough
def test_one_process_of_a_fleet_builds_nightly(people: Engine, tmp_path: Any) -> None:
    with starting(tmp_path, url_of(people)) as start:
        server = start(TASTE_BUILD_AT="00:00", WEB_CONCURRENCY="3", CACHE_TYPE="NullCache")
        wait_until(lambda: b'"taste":"ok"' in server.ask("/ready").body, 30, what="the build")
        wait_until(
            lambda: [line["event"] for line in server.lines() if "taste" in line["event"]] == ["taste_built"], 10
        )
        assert "X-Computed-At" in server.ask("/insights/similar/1").headers
        assert server.scrape()  # no child counted among the workers
