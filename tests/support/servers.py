"""A gunicorn with the project's settings, on a database whose rows all connections see."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import Session

from app.models.base import Base
from config import NO_SETTINGS
from tests.conftest import SECRET
from tests.support.factories import Platform
from tests.support.faulty_servers import free_port, wait_until

ROOT = Path(__file__).parents[2]


def three_listens(platform: Platform) -> None:
    """A user with three listens of one track."""
    platform.listens(platform.user(1), platform.track(primary=[platform.artist()]), 3)


class Answer(NamedTuple):
    """What a caller gets."""

    status: int
    headers: dict[str, str]
    body: bytes


class Scrape(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """The samples of a `/metrics`, by name and labels."""

    @classmethod
    def of(cls, exposition: bytes) -> "Scrape":
        families = text_string_to_metric_families(exposition.decode())
        samples = [sample for family in families for sample in family.samples]
        scrape = cls({(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples})
        assert len(scrape) == len(samples), "a sample is there twice"
        return scrape

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that have these labels."""
        return sum(value for (of, own), value in self.items() if of == name and own >= labels.items())

    def labels(self, name: str, label: str) -> set[str]:
        """The values of a label."""
        return {dict(own)[label] for of, own in self if of == name}


@dataclass
class Gunicorn:
    """A running gunicorn."""

    process: "subprocess.Popen[bytes]"
    port: int
    output: Path

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """An answer, on a connection of its own; any worker may give it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=given)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def scrape(self) -> Scrape:
        """What `/metrics` says."""
        return Scrape.of(self.ask("/metrics").body)

    def invalidate(self, query: str = "") -> int:
        """The status of an invalidation."""
        return self.ask(f"/cache/invalidate{query}", "POST", X_Invalidation_Secret=SECRET).status

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged; every line is JSON."""
        return [orjson.loads(line) for line in self.output.read_text().splitlines()]

    def requests(self) -> list[dict[str, Any]]:
        """The lines of its requests."""
        return [line for line in self.lines() if line["event"] == "request"]

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        try:
            return self.ask("/health").status == 200
        except OSError:
            return False


def end(process: "subprocess.Popen[bytes]") -> None:
    """Stop a server that may run still: by SIGTERM, and where that takes more than 30 s by SIGKILL."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


Start = Callable[..., Gunicorn]


@contextmanager
def starting(folder: Path, url: str) -> Iterator[Start]:
    """Starts gunicorns on a database, with the settings given, and stops them at the end."""
    started: list[Gunicorn] = []

    def start(**settings: str) -> Gunicorn:
        port = free_port()
        environ = NO_SETTINGS | {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "ALLOW_ANONYMOUS": "true",
            "LOG_LEVEL": "INFO",
        }
        environ |= {"SQLALCHEMY_DATABASE_URI": url, "CACHE_INVALIDATION_SECRET": SECRET, "WEB_CONCURRENCY": "2"}
        environ |= settings
        output = folder / f"output{len(started)}"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"],
                cwd=ROOT,
                env=environ,
                stdout=stream,
                stderr=stream,
            )
        started.append(Gunicorn(process, port, output))
        wait_until(started[-1]._is_up, what="the start of gunicorn")
        return started[-1]

    yield start
    for server in started:
        end(server.process)


@contextmanager
def database(server_url: str, name: str, fill: Callable[[Platform], None]) -> Iterator[Engine]:
    """A database of its own with the platform's tables, filled for all to see."""
    admin = create_engine(server_url, isolation_level="AUTOCOMMIT")
    name = f"songswap_{name}_{os.getpid()}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine = create_engine(make_url(server_url).set(database=name))
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        fill(Platform(session))
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def url_of(engine: Engine) -> str:
    """The URL of an engine's database, with the password."""
    return engine.url.render_as_string(hide_password=False)
