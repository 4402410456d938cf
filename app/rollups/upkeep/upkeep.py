"""What keeps the rollups short of changes and up to date: one process of the fleet at a time folds and counts."""

import threading
import time

import structlog
from flask import Flask
from sqlalchemy import Connection, text

from app.database.engine import direct_engine
from app.rollups.counts.windows import missing_windows
from app.rollups.installation.install import is_complete
from app.rollups.state import IS_CURRENT
from app.rollups.upkeep.announcements import Listener
from app.rollups.upkeep.building import build, start_anew
from app.rollups.upkeep.folding import LOGS, fold
from app.rollups.upkeep.transactions import snapshot, the_only_writer

log = structlog.get_logger(__name__)

# Seconds between two looks while nothing is announced, and after one that failed.
TICK, PAUSE = 1.0, 5.0
# The most that this may take of a core, so that a loader and the questions have the rest.
SHARE = 0.5
# But after a long count no more seconds than these: changes wait meanwhile.
LONGEST = 2.0
# Seconds for one statement: more than any count takes, but an answer that was lost on its way never comes.
PATIENCE = 3600
# Seconds after which the server ends a session that does nothing, and its locks with it: where an answer was lost,
# another process takes over. No pause here is as long.
IDLE = 30
# Changes after which the log is swept: what is deleted from it would be read over by every question.
SWEEP = 5000
SWEPT = (*LOGS, "unannounced", "rankings")


class Upkeep(threading.Thread):
    """Folds changes in soon after they are committed, and counts the windows of a new day."""

    def __init__(self, app: Flask, heard: threading.Event, ended: threading.Event) -> None:
        super().__init__(name="rollups-upkeep", daemon=True)
        self._app = app
        self._heard = heard
        self._ended = ended
        self._unswept = 0

    def run(self) -> None:
        engine = direct_engine(self._app.config, answer_within=PATIENCE)
        while True:
            try:
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    self._keep(connection)
            except Exception as error:  # whatever it is, the next look may do better
                if self._ended.is_set():
                    return
                log.warning("rollups_upkeep_failed", error=type(error).__name__)
            time.sleep(PAUSE)

    def _keep(self, connection: Connection) -> None:
        connection.exec_driver_sql(
            f"SET statement_timeout = 0; SET idle_session_timeout = '{IDLE}s';"
            f" SET idle_in_transaction_session_timeout = '{IDLE}s'"
        )
        while True:
            started = time.monotonic()
            self.look(connection)
            time.sleep(min(max(0.1, (time.monotonic() - started) * (1 / SHARE - 1)), LONGEST))
            self._heard.wait(TICK)
            self._heard.clear()

    def look(self, connection: Connection) -> None:
        """Do what there is to do, unless another process is at it. Raises SQLAlchemyError."""
        now = self._app.config["CLOCK"]
        with the_only_writer(connection, wait=False) as is_only:
            if not is_only or not connection.scalar(IS_CURRENT):
                return
            state = connection.execute(
                text("SELECT trusted, EXISTS (SELECT FROM insights.truncations) AS truncated FROM insights.state")
            ).one()
            if not state.trusted:
                return
            if not is_complete(connection):
                # What was written meanwhile is nowhere noted: from now on only a rebuild helps.
                log.warning("rollups_not_trusted", reason="a trigger is missing or switched off")
                connection.execute(
                    text("UPDATE insights.state SET trusted = false, reason = 'a trigger was missing or switched off'")
                )
                return
            if state.truncated:
                log.info("rollups_rebuilt", reason="a table was truncated")
                start_anew(connection)
            with snapshot(connection):
                changes = fold(connection)
            self._sweep(connection, changes)
            if state.truncated or missing_windows(connection, now()):
                build(connection, now, _tell)

    def _sweep(self, connection: Connection, changes: int) -> None:
        self._unswept += changes
        if self._unswept > SWEEP:
            self._unswept = 0
            connection.execute(text(f"VACUUM {', '.join(f'insights.{table}' for table in SWEPT)}"))


def _tell(part: str) -> None:
    log.info("rollups_built", part=part)


def start(app: Flask, *, writes: bool, ended: threading.Event | None = None) -> None:
    """Begin to hear announcements in this process, and to keep the rollups where it `writes` to the database.

    Once, by what serves the application. A caller that stops the database sets `ended` before.
    """
    heard, ended = threading.Event(), ended or threading.Event()
    Listener(app, heard, ended).start()
    if writes:
        Upkeep(app, heard, ended).start()
