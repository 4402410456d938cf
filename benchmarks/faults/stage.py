"""What the faults befall: a PostgreSQL of one's own with demo data, a Valkey, gunicorns, and the network between."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg2
from sqlalchemy import create_engine

from app.cli.demo import Size, fill
from app.cli.embedded.database import PLATFORM_TABLES
from app.cli.embedded.server import EmbeddedPostgres
from app.models.base import Base
from benchmarks.client import Answer, Client
from benchmarks.faults.load import known_paths
from benchmarks.service import ROOT, gunicorn
from config import NO_SETTINGS
from tests.support.faulty_servers import Proxy, Valkey, free_port, nginx

SEED, LAST_LISTEN = 20, datetime(2026, 1, 1)
# The database's; the two workers may take up to 24 of them.
MAX_CONNECTIONS = 40
# Answers are fresh for two seconds only, so that stale ones have their part.
SETTINGS = {
    "WEB_CONCURRENCY": "2",
    "CACHE_DEFAULT_TIMEOUT": "2",
    "DATABASE_STATEMENT_TIMEOUT": "5",
}


class Postgres:
    """A server whose writes reach the disk, on a port of its own for its whole life."""

    def __init__(self, server: EmbeddedPostgres, port: int) -> None:
        self.server = server
        self.port = port

    def url(self, port: int | None = None, database: str = "insights") -> str:
        """The URL of a database; with another port, that of a proxy."""
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{database}?sslmode=disable"

    def execute(self, statement: str, *values: object, database: str = "insights") -> Any:
        """The first value that a statement gives, if any."""
        with closing(psycopg2.connect(self.url(database=database))) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(statement, values)
            row = cursor.fetchone() if cursor.description else None
            return row and row[0]

    def signal(self, number: int) -> None:
        """Send a signal to all of its processes at once."""
        postmaster = psutil.Process(self.server.pid)
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.send_signal(number)
        if number == signal.SIGKILL:
            psutil.wait_procs(processes, 10)
            self.server.stop()


@dataclass
class Scene:
    """What one fault may befall: `services` are gunicorns, of which each has two workers. Callers ask `port`."""

    postgres: Postgres
    network: Proxy
    valkey: Valkey
    cache_network: Proxy
    services: list[psutil.Process]
    port: int
    wait: Callable[[float], None]


class Stage:
    """A database with rollups, and the right answers."""

    def __init__(self, postgres: Postgres, folder: Path, hurry: float) -> None:
        self.postgres = postgres
        self.folder = folder
        # What the length of a fault and of the load around it is multiplied by.
        self.hurry = hurry
        self.right: dict[str, bytes] = {}

    @classmethod
    @contextmanager
    def set_up(cls, size: Size, hurry: float = 1.0) -> Iterator["Stage"]:
        """A stage for the length of the block. The right answers are those without cache and rollups."""
        port = free_port()
        settings = {"fsync": "on", "listen_addresses": "127.0.0.1", "port": str(port)}
        with (
            EmbeddedPostgres.temporary(settings | {"max_connections": str(MAX_CONNECTIONS)}) as server,
            tempfile.TemporaryDirectory(prefix="songswap-faults-") as folder,
        ):
            stage = cls(Postgres(server, port), Path(folder), hurry)
            stage.postgres.execute("CREATE DATABASE insights", database="postgres")
            engine = create_engine(stage.postgres.url().replace(":", "+psycopg2:", 1))
            with engine.begin() as connection:
                Base.metadata.create_all(connection, tables=PLATFORM_TABLES)
                fill(connection, size, SEED, LAST_LISTEN)
            engine.dispose()
            stage.postgres.execute("VACUUM (ANALYZE)")
            settings = {"SQLALCHEMY_DATABASE_URI": stage.postgres.url(), "CACHE_TYPE": "NullCache"}
            with gunicorn(stage.folder / "log", **settings) as service:
                stage.right = {path: get(service.port, path).body for path in known_paths()}
            stage.flask("rollups", "install")
            yield stage

    def wait(self, seconds: float) -> None:
        """Let time pass, less of it in a hurry."""
        time.sleep(seconds * self.hurry)

    def flask(self, *command: str) -> None:
        """Run a flask command on the database. Raises CalledProcessError where it fails."""
        environ = NO_SETTINGS | {"PATH": os.environ["PATH"], "SQLALCHEMY_DATABASE_URI": self.postgres.url()}
        flask = [sys.executable, "-m", "flask", "--app", "app.cli"]
        subprocess.run([*flask, *command], cwd=ROOT, env=environ, check=True, capture_output=True)

    @contextmanager
    def scene(self, *, behind_nginx: bool) -> Iterator[Scene]:
        """A service, or two of them behind nginx, up for the length of the block."""
        with ExitStack() as stack:
            valkey = Valkey()
            stack.callback(valkey.remove)
            network = stack.enter_context(Proxy(("127.0.0.1", self.postgres.port)))
            cache_network = stack.enter_context(Proxy(("127.0.0.1", valkey.port)))
            settings = SETTINGS | {
                "SQLALCHEMY_DATABASE_URI": self.postgres.url(network.port),
                "CACHE_TYPE": "RedisCache",
                "CACHE_REDIS_URL": f"redis://127.0.0.1:{cache_network.port}/0",
            }
            services = [
                stack.enter_context(gunicorn(self.folder / f"log{number}", **settings))
                for number in range(2 if behind_nginx else 1)
            ]
            port = services[0].port
            if behind_nginx:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="songswap-nginx-")))
                port = stack.enter_context(nginx(folder, *(service.port for service in services)))
            processes = [psutil.Process(service.pid) for service in services]
            yield Scene(self.postgres, network, valkey, cache_network, processes, port, self.wait)


def get(port: int, path: str) -> Answer:
    """An answer, on a connection of its own."""
    with Client(port, 60) as client:
        return client.get(path)
