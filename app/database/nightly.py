"""What the service does once a night, by one process of the fleet, in a child that gives way to all others."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple

import structlog
from flask import Flask
from sqlalchemy import Engine, text

from app.database.engine import own_engine

log = structlog.get_logger(__name__)

PROJECT = Path(__file__).parents[2]
# Seconds between two looks at the time.
TICK = 30.0
# A child counts for no `/metrics`.
NOT_INHERITED = {"METRICS_PROCESSES", "PROMETHEUS_MULTIPROC_DIR"}


class Task(NamedTuple):
    """A nightly command.

    `command` gives the arguments of `flask` for the instant (UTC) since which it is due, None where it was done since;
    it may raise SQLAlchemyError. `lock` is the advisory lock of the process that runs it. `done` and `failed` are the
    events in the log; a child that says nothing had nothing to do.
    """

    lock: int
    done: str
    failed: str
    command: Callable[[Engine, datetime], Sequence[str] | None]


class Nightly(threading.Thread):
    """Runs a task where it was not done since the last time of day `at` (UTC); one try a night."""

    def __init__(self, app: Flask, task: Task, at: time) -> None:
        super().__init__(name=task.done, daemon=True)
        self._app = app
        self._task = task
        self._at = at
        self._tried: datetime | None = None

    def run(self) -> None:
        engine = own_engine(self._app.config, writes=True)
        pause = threading.Event()
        while True:
            due = self._due()
            if self._tried != due:
                try:
                    self._look(engine, due)
                    self._tried = due
                except Exception as error:  # the database may be there at the next look
                    log.warning(self._task.failed, error=type(error).__name__)
            pause.wait(TICK)

    def _due(self) -> datetime:
        """The last instant at which the task was due."""
        now: datetime = self._app.config["CLOCK"]()
        today = datetime.combine(now.astimezone(UTC), self._at, UTC)
        return today if today <= now else today - timedelta(days=1)

    def _look(self, engine: Engine, due: datetime) -> None:
        """Run it, unless another process is at it, or it was done since `due`. Raises SQLAlchemyError."""
        # The lock lasts as long as the command, in a transaction that holds no snapshot.
        with engine.connect().execution_options(isolation_level="READ COMMITTED") as locking:
            locking.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            if not locking.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": self._task.lock}):
                return
            if (arguments := self._task.command(engine, due)) is not None:
                self._run(arguments)

    def _run(self, arguments: Sequence[str]) -> None:
        command = [sys.executable, "-m", "flask", "--app", "app.cli", *arguments]
        environ = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        done = subprocess.run(command, cwd=PROJECT, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            log.warning(self._task.failed, error=done.stderr.strip().rpartition("\n")[2])
        elif done.stdout.strip():
            log.info(self._task.done)


def start(app: Flask, task: Task, setting: str) -> None:
    """Begin to run a task in this process, where the setting says when. Once, by what serves the application."""
    if app.config[setting] is not None:
        Nightly(app, task, app.config[setting]).start()
