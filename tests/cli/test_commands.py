"""`flask embedded`, and what every command does with settings."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import make_url

from app.cli import create_app
from app.cli.embedded.database import DATABASE
from app.cli.embedded.server import EmbeddedPostgres
from config import load_settings
from tests.cli.conftest import PROJECT
from tests.cli.test_embedded import USER

Python = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def runner(unstarted: EmbeddedPostgres) -> FlaskCliRunner:
    return create_app(load_settings({}), unstarted).test_cli_runner()


def test_status(runner: FlaskCliRunner, unstarted: EmbeddedPostgres) -> None:
    assert "not running" in runner.invoke(args=["embedded", "status"]).output
    unstarted.start()
    lines = runner.invoke(args=["embedded", "status"]).output.splitlines()
    assert lines[0] == f"server    process {unstarted.pid}"
    assert lines[2] == f"data      {unstarted.data}"
    # The address is one that the setting takes.
    address = lines[3].split()[1]
    settings = load_settings({"SQLALCHEMY_DATABASE_URI": address})
    assert make_url(settings["SQLALCHEMY_DATABASE_URI"]) == make_url(unstarted.uri(DATABASE))


def test_stop_ends_whoever_uses_it(
    runner: FlaskCliRunner, unstarted: EmbeddedPostgres, tmp_path: Path, python: Python
) -> None:
    user = python("-c", USER, str(tmp_path / "postgres"))
    assert user.stdout is not None
    user.stdout.readline()
    assert f"used by   {user.pid}\n" in runner.invoke(args=["embedded", "status"]).output
    assert runner.invoke(args=["embedded", "stop"]).output == "The embedded PostgreSQL is stopped.\n"
    assert user.wait(10) is not None
    assert not unstarted.pid


def test_reset_asks_and_deletes(runner: FlaskCliRunner, unstarted: EmbeddedPostgres) -> None:
    unstarted.start()
    assert runner.invoke(args=["embedded", "reset"], input="n\n").exit_code == 1
    assert unstarted.pid
    assert runner.invoke(args=["embedded", "reset"], input="y\n").output.endswith("Deleted.\n")
    assert not unstarted.pid
    assert not unstarted.data.exists()


def test_a_new_key_is_printed_once_beside_its_pair(runner: FlaskCliRunner) -> None:
    made = set()
    for _ in range(2):
        result = runner.invoke(args=["api-keys", "new", "songswap-app"])
        assert result.exit_code == 0
        (_, key), (_, pair) = (line.split() for line in result.output.splitlines())
        assert len(key) >= 40
        assert pair == f"songswap-app:{hashlib.sha256(key.encode()).hexdigest()}"
        assert load_settings({"API_KEYS": pair})["API_KEYS"][0].name == "songswap-app"
        made.add(key)
    assert len(made) == 2


@pytest.mark.parametrize("name", ["", "an app", "app:", "app,", "é", "x" * 65])
def test_a_key_has_a_name_that_the_setting_takes(runner: FlaskCliRunner, name: str) -> None:
    result = runner.invoke(args=["api-keys", "new", name])
    assert result.exit_code == 2
    assert "key  " not in result.output


def test_commands_run_without_keys(clean: EmbeddedPostgres) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "flask", "api-keys", "new", "app"],
        cwd=PROJECT,
        env=os.environ
        | {"FLASK_APP": "app.cli", "API_KEYS": "", "ALLOW_ANONYMOUS": "", "SQLALCHEMY_DATABASE_URI": clean.uri("x")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("key  ")


@pytest.mark.parametrize(
    ("command", "name", "value", "message"),
    [
        (["-m", "flask", "embedded", "status"], "FLASK_RUN_PORT", "http", "must be a whole number from 1 to 65535"),
        (["-m", "flask"], "SQLALCHEMY_DATABASE_URI", "sqlite://", "must be a PostgreSQL URL"),
        (["run.py"], "SQLALCHEMY_DATABASE_URI", "sqlite://", "must be a PostgreSQL URL"),
    ],
)
def test_a_wrong_setting_is_one_line(command: list[str], name: str, value: str, message: str) -> None:
    result = subprocess.run(
        [sys.executable, *command],
        cwd=PROJECT,
        env=os.environ | {"FLASK_APP": "app.cli", name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: {name} {message}")
    assert result.stderr.count("\n") == 1


def test_rollups_of_the_embedded_database(runner: FlaskCliRunner, unstarted: EmbeddedPostgres) -> None:
    for command, told in (("status", "not installed"), ("install", "are installed"), ("status", "trusted   yes")):
        result = runner.invoke(args=["rollups", command])
        assert result.exit_code == 0
        assert told in result.output
        assert not unstarted.pid
