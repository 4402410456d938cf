"""The service behind gunicorn, as it runs in production, on a port of this machine alone."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks.client import Client
from config import NO_SETTINGS

ROOT = Path(__file__).parent.parent
SERVICE = "app:create_app()"
PATIENCE = 60  # seconds until a server answers

# A question that no rollup covers may scan all listens; it is measured to its end.
SETTINGS = {"ALLOW_ANONYMOUS": "true", "DATABASE_STATEMENT_TIMEOUT": "3600", "WEB_CONCURRENCY": "1"}


@dataclass(frozen=True)
class Gunicorn:
    """A running gunicorn, and the seconds from its start to its first answer."""

    pid: int
    port: int
    seconds_to_start: float

    def memory(self) -> int:
        """The bytes of its workers' resident memory."""
        workers = psutil.Process(self.pid).children()
        return sum(worker.memory_info().rss for worker in workers)


@contextmanager
def gunicorn(log: Path, app: str = SERVICE, path: str = "/health", **settings: str) -> Iterator[Gunicorn]:
    """A gunicorn with the project's settings that serves `app`, from its first answer under `path` on.

    `settings` are the service's; those of the environment are not taken. `log` takes what it writes. Ends the program
    where it does not answer.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = NO_SETTINGS | {"PATH": os.environ["PATH"], "HOME": str(log.parent)} | SETTINGS | settings
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", app]
    with log.open("wb") as stream:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=stream, stderr=stream, start_new_session=True)
    try:
        while not _answers(port, path):
            if process.poll() is not None or time.perf_counter() - started > PATIENCE:
                raise SystemExit(f"{app} does not answer:\n{log.read_text()[-2000:]}")
            time.sleep(0.005)
        yield Gunicorn(process.pid, port, time.perf_counter() - started)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int, path: str) -> bool:
    try:
        with Client(port) as client:
            return client.get(path).status == 200
    except OSError:
        return False
