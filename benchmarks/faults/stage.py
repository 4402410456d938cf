"""What the faults befall: a PostgreSQL of one's own with demo data, a Valkey, gunicorns."""

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import psutil  # type: ignore[import-untyped]
from sqlalchemy import Engine, create_engine, make_url, text

from app.cli.database import PLATFORM_TABLES
from app.cli.demo import Size, fill
from app.cli.embedded import EmbeddedPostgres
from app.models.base import Base
from benchmarks.faults.load import Client, Question, known_paths
from benchmarks.faults.servers import Proxy, Valkey, free_port, wait_until
from config import NO_SETTINGS

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the trials"
SEED, LAST_LISTEN = 20, datetime(2026, 1, 1)
PLAIN, ROLLED_UP = "plain", "rolled_up"
# The database's; the two workers may take up to 24 of them.
MAX_CONNECTIONS = 40


class Postgres:
    """A server whose writes reach the disk, on a port of its own for its whole life."""

    def __init__(self, server: EmbeddedPostgres, port: int) -> None:
        self.server = server
        self.port = port

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["Postgres"]:
        """A server for the length of the block."""
        port = free_port()
        settings = {"fsync": "on", "listen_addresses": "127.0.0.1", "port": str(port)}
        with EmbeddedPostgres.temporary(settings | {"max_connections": str(MAX_CONNECTIONS)}) as server:
            yield cls(server, port)

    def url(self, database: str, port: int | None = None) -> str:
        """The URL of a database; with another port, that of a proxy."""
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{database}?sslmode=disable"

    def engine(self, database: str) -> Engine:
        """Connections apart from the service's, each closed after use."""
        url = make_url(self.url(database)).set(drivername="postgresql+psycopg2")
        return create_engine(url, isolation_level="AUTOCOMMIT", pool_size=1, pool_pre_ping=True)

    def execute(self, statement: str, database: str = "postgres", **values: Any) -> Any:
        """The first value that a statement gives, if any."""
        engine = self.engine(database)
        try:
            with engine.connect() as connection:
                result = connection.execute(text(statement), values)
                return result.scalar() if result.returns_rows else None
        finally:
            engine.dispose()

    def kill(self) -> None:
        """End all of its processes at once, as a crash of the machine does."""
        postmaster = psutil.Process(self.server.pid)
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, 10)

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()

    def make(self, database: str, size: Size) -> None:
        """A database with demo data; the same data for the same size."""
        self.execute(f"CREATE DATABASE {database}")
        engine = self.engine(database)
        with engine.connect().execution_options(isolation_level="READ COMMITTED") as connection, connection.begin():
            Base.metadata.create_all(connection, tables=PLATFORM_TABLES)
            fill(connection, size, SEED, LAST_LISTEN)
        engine.dispose()
        self.execute("VACUUM (ANALYZE)", database)


class Service:
    """A gunicorn as gunicorn.conf.py configures it."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self.port = port

    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def get(self, path: str) -> tuple[int, bytes, str | None]:
        """Status, body and `X-Cache` of an answer, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read(), response.headers.get("X-Cache")
        finally:
            connection.close()

    def is_up(self) -> bool:
        assert self.process.poll() is None, "gunicorn does not start"
        try:
            return self.get("/health")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise


class Stage:
    """All of it, and the right answers."""

    def __init__(self, postgres: Postgres, folder: Path, hurry: float) -> None:
        self.postgres = postgres
        self.folder = folder
        # What the length of a fault and of the load around it is multiplied by.
        self.hurry = hurry
        self.right: dict[str, bytes] = {}

    @classmethod
    @contextmanager
    def set_up(cls, size: Size, hurry: float = 1.0) -> Iterator["Stage"]:
        """A stage for the length of the block."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="songswap-faults-")))
            stage = cls(stack.enter_context(Postgres.running()), folder, hurry)
            for database in (PLAIN, ROLLED_UP):
                stage.postgres.make(database, size)
            stage.flask(ROLLED_UP, "rollups", "install")
            with stage.service(PLAIN, {"CACHE_TYPE": "NullCache"}) as service:
                client = Client(service.url, None)
                for path in known_paths():
                    assert client.ask(Question(path, path)).status == 200, path
                    stage.right[path] = service.get(path)[1]
                client.close()
            yield stage

    def mend(self) -> None:
        """Let the database be as it was, after a trial that broke."""
        self.postgres.stop()
        (self.postgres.server.data / "standby.signal").unlink(missing_ok=True)
        self.postgres.start()
        self.postgres.execute("ALTER SYSTEM RESET ALL")
        self.postgres.execute("SELECT pg_reload_conf()")

    def wait(self, seconds: float) -> None:
        """Let time pass, less of it in a hurry."""
        time.sleep(seconds * self.hurry)

    def flask(self, database: str, *command: str) -> None:
        """Run a flask command on a database. Raises CalledProcessError where it fails."""
        environ = self._environ(self.postgres.url(database))
        subprocess.run(
            [sys.executable, "-m", "flask", *command], cwd=ROOT, env=environ, check=True, capture_output=True
        )

    @contextmanager
    def valkey(self, *options: str) -> Iterator[Valkey]:
        valkey = Valkey(*options)
        try:
            yield valkey
        finally:
            valkey.remove()

    @contextmanager
    def way_to(self, port: int) -> Iterator[Proxy]:
        """A network that can fail, to a server of this machine."""
        with Proxy(("127.0.0.1", port)) as proxy:
            yield proxy

    @contextmanager
    def service(
        self,
        database: str,
        settings: Mapping[str, str],
        *,
        through: Proxy | None = None,
        stderr: IO[bytes] | None = None,
    ) -> Iterator[Service]:
        """A service on a database, up for the length of the block."""
        url = self.postgres.url(database, through.port if through else None)
        port = free_port()
        log = (self.folder / f"log-{port}").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"],
            cwd=ROOT,
            env=self._environ(url) | dict(settings),
            stdout=subprocess.DEVNULL,
            stderr=stderr or log,
            start_new_session=True,
        )
        service = Service(process, port)
        try:
            wait_until(service.is_up, 60, "the start of gunicorn")
            yield service
        finally:
            log.close()
            service.stop()

    def _environ(self, url: str) -> dict[str, str]:
        environ = NO_SETTINGS | {"PATH": os.environ["PATH"], "HOME": str(self.folder), "ALLOW_ANONYMOUS": "true"}
        environ |= {"FLASK_APP": "app.cli", "SQLALCHEMY_DATABASE_URI": url, "CACHE_INVALIDATION_SECRET": SECRET}
        return environ


def redis(valkey: Valkey, port: int | None = None) -> Mapping[str, str]:
    """The settings of a service that shares a Valkey; with another port, that of a proxy."""
    url = f"redis://127.0.0.1:{port or valkey.port}/0"
    return {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": url}


def until(condition: Callable[[], object], seconds: float) -> float:
    """The seconds until a condition holds, infinite where it does not in time."""
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        if condition():
            return time.monotonic() - started
        time.sleep(0.05)
    return float("inf")
