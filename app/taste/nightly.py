"""Building the model once a night, by one process of the fleet, in a child that gives way to all others."""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import structlog
from flask import Flask
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.database.engine import own_engine
from app.taste import model

log = structlog.get_logger(__name__)

PROJECT = Path(__file__).parents[2]
# Seconds between two looks at the time.
TICK = 30.0
# The advisory lock of the process that builds; `flask taste build` itself has the operators'.
NIGHTLY = 7_305_170_312
# A child counts for no `/metrics`.
NOT_INHERITED = {"METRICS_PROCESSES", "PROMETHEUS_MULTIPROC_DIR"}


class Nightly(threading.Thread):
    """Builds the model where none was built since the last TASTE_BUILD_AT; one try a night."""

    def __init__(self, app: Flask, at: time) -> None:
        super().__init__(name="taste-nightly", daemon=True)
        self._app = app
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
                    log.warning("taste_build_failed", error=type(error).__name__)
            pause.wait(TICK)

    def _due(self) -> datetime:
        """The last instant at which a build was due."""
        now: datetime = self._app.config["CLOCK"]()
        today = datetime.combine(now.astimezone(UTC), self._at, UTC)
        return today if today <= now else today - timedelta(days=1)

    def _look(self, engine: Engine, due: datetime) -> None:
        """Build, unless another process is at it, or somebody was since `due`. Raises SQLAlchemyError."""
        # The lock lasts as long as the build, in a transaction that holds no snapshot.
        with engine.connect().execution_options(isolation_level="READ COMMITTED") as locking:
            locking.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            if not locking.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": NIGHTLY}):
                return
            with Session(engine) as session:
                found = model.status(session)
            if found is None or found.computed_at < due:
                self._build()

    def _build(self) -> None:
        command = [sys.executable, "-m", "flask", "--app", "app.cli", "taste", "build", "--nice"]
        environ = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        done = subprocess.run(command, cwd=PROJECT, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            log.warning("taste_build_failed", error=done.stderr.strip().rpartition("\n")[2])
        else:
            log.info("taste_built")


def start(app: Flask) -> None:
    """Begin to build nightly in this process, where TASTE_BUILD_AT says when. Once, by what serves the application."""
    if app.config["TASTE_BUILD_AT"] is not None:
        Nightly(app, app.config["TASTE_BUILD_AT"]).start()
