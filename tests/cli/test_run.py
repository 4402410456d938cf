"""`python run.py` and `flask run` as processes: up, asked, and taken down again."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from sqlalchemy import text

from app.cli.embedded.commands import users
from app.cli.embedded.database import DATABASE, embedded_database, engine_for
from app.cli.embedded.server import EmbeddedPostgres
from tests.cli.conftest import PROJECT, Python, wait_until

Process = subprocess.Popen[str]


def banner(process: Process) -> str:
    """What the process prints; it serves from then on."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            break
    else:
        raise AssertionError(f"it ended: {''.join(lines)}{process.stderr.read() if process.stderr else ''}")
    port = int(re.findall(r"http://127\.0\.0\.1:(\d+)", "".join(lines))[0])
    wait_until(lambda: is_up(port))
    return "".join(lines)


def ends_quietly(process: Process, number: signal.Signals) -> None:
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    # Nor does anything go on to look for a database that is taken away; requests are logged by the service alone.
    assert [
        word for word in ("Traceback", "announcements_lost", "rollups_upkeep_failed", "GET /") if word in errors
    ] == []


def is_up(port: int) -> bool:
    # A server that restarts itself may cut a connection that it has taken: not every such error is a URLError.
    try:
        return bool(urlopen(f"http://127.0.0.1:{port}/health", timeout=30).status == 200)
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_serves_what_it_prints_and_stops_all_of_it(
    run: Python, unstarted: EmbeddedPostgres, number: signal.Signals
) -> None:
    process = run()
    urls = re.findall(r"http://\S+", banner(process))
    assert len(urls) == 5
    for url in urls[1:]:
        with urlopen(url, timeout=30) as response:
            assert response.status == 200
            assert len(response.read()) > 10
    assert unstarted.pid
    ends_quietly(process, number)
    assert not unstarted.pid


def test_the_second_run_keeps_the_data(run: Python, unstarted: EmbeddedPostgres) -> None:
    def latest() -> object:
        with engine_for(unstarted.uri(DATABASE)).connect() as connection:
            return connection.scalar(text('SELECT max(played_at) FROM "History"'))

    first = run()
    banner(first)
    made = latest()
    ends_quietly(first, signal.SIGINT)
    second = run()
    banner(second)
    assert latest() == made
    ends_quietly(second, signal.SIGINT)


def test_impatient_ctrl_c(run: Python, unstarted: EmbeddedPostgres) -> None:
    process = run()
    banner(process)
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.02)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert not unstarted.pid


def test_ctrl_c_before_it_serves(run: Python, unstarted: EmbeddedPostgres) -> None:
    process = run()
    wait_until(lambda: unstarted.pid)
    ends_quietly(process, signal.SIGINT)
    assert not unstarted.pid


def test_what_a_killed_run_left_is_taken_over(run: Python, unstarted: EmbeddedPostgres) -> None:
    killed = run()
    banner(killed)
    killed.kill()
    killed.wait()
    assert unstarted.pid
    heir = run()
    banner(heir)
    ends_quietly(heir, signal.SIGINT)
    assert not unstarted.pid


def test_debug_reloads_with_one_postgresql(run: Python, unstarted: EmbeddedPostgres, port: int) -> None:
    process = run(DEBUG="true")
    banner(process)
    wait_until(lambda: is_up(port))
    pid = unstarted.pid
    assert process.pid in {user.pid for user in users(unstarted)}
    ends_quietly(process, signal.SIGINT)
    assert pid is not None
    assert not unstarted.pid
    assert not is_up(port)


def test_a_taken_port(python: Python, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        process = python("run.py", FLASK_RUN_PORT=str(port))
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors == f"Error: Port {port} cannot be used (Address already in use): set FLASK_RUN_PORT to another\n"


def test_flask_run_wants_keys_or_a_word_for_a_named_database(python: Python, clean: EmbeddedPostgres) -> None:
    settings = {"FLASK_APP": "app.cli", "SQLALCHEMY_DATABASE_URI": clean.uri("postgres")}
    refused = python("-m", "flask", "run", **settings, API_KEYS="", ALLOW_ANONYMOUS="")
    _, errors = refused.communicate(timeout=30)
    assert refused.returncode == 2
    assert errors.startswith("Error: API_KEYS must be set")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(("command", "word"), [(["run.py"], ""), (["-m", "flask", "run"], "true")])
def test_a_named_database_is_served_and_not_written(
    python: Python, clean: EmbeddedPostgres, port: int, command: list[str], word: str
) -> None:
    uri = clean.uri("postgres")
    settings = {"FLASK_APP": "app.cli", "FLASK_RUN_PORT": str(port), "SQLALCHEMY_DATABASE_URI": uri}
    process = python(*command, **settings, API_KEYS="", ALLOW_ANONYMOUS=word)
    wait_until(lambda: is_up(port))
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    with engine_for(uri).connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")) == 0


@pytest.mark.thorough
def test_flask_run_brings_the_same_database(tmp_path: Path, python: Python, port: int) -> None:
    """In a copy of the project, for `flask run` takes no other server than the project's."""
    project = tmp_path / "project"
    shutil.copytree(PROJECT / "app", project / "app")
    shutil.copy(PROJECT / "config.py", project)
    server = EmbeddedPostgres(project / ".data" / "postgres")
    try:
        process = python("-m", "flask", "run", cwd=project, FLASK_APP="app.cli", FLASK_RUN_PORT=str(port))
        wait_until(lambda: is_up(port), seconds=60)
        assert [user.pid for user in users(server)] == [process.pid]
        with urlopen(f"http://127.0.0.1:{port}/insights/global/distinct/listeners", timeout=30) as response:
            assert response.read() == b"48"
        ends_quietly(process, signal.SIGTERM)
        assert not server.pid
    finally:
        server.remove()


@pytest.mark.thorough
def test_rollups_of_a_named_database_are_read_and_left_alone(
    python: Python, clean: EmbeddedPostgres, port: int
) -> None:
    with embedded_database(clean) as engine, engine.begin() as connection:
        connection.execute(text("""INSERT INTO "Users" VALUES (1, 'ada', 'ada@example.com', 'ada')"""))
        connection.execute(text("""INSERT INTO "Tracks" VALUES ('track', 'Track', 1000)"""))
    settings = {"FLASK_APP": "app.cli", "FLASK_RUN_PORT": str(port), "SQLALCHEMY_DATABASE_URI": clean.uri(DATABASE)}
    assert python("-m", "flask", "rollups", "install", **settings).wait(60) == 0
    with engine.begin() as connection:
        connection.execute(text("""INSERT INTO "History" VALUES (1, now() - interval '1 day', 'track')"""))
    process = python("run.py", **settings)
    wait_until(lambda: is_up(port))
    time.sleep(3)  # the upkeep looks once a second
    with urlopen(f"http://127.0.0.1:{port}/insights/global/total/listens", timeout=30) as response:
        assert response.read() == b"1"
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM insights.listen_changes")) == 1
    ends_quietly(process, signal.SIGINT)
