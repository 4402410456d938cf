"""What keeps the rollups short of changes and up to date: one process of the fleet at a time folds and counts."""

import threading
import time

import structlog
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.database.engine import own_engine
from app.database.outages import sqlstate
from app.rollups.installation.install import DISTRUST
from app.rollups.state import TRUNCATED, UNWATCHED, Rollups, read
from app.rollups.upkeep.announcements import Follower
from app.rollups.upkeep.building import build, forget
from app.rollups.upkeep.transactions import writing

log = structlog.get_logger(__name__)

# Seconds between two looks while nothing is announced, and after one that failed.
TICK, PAUSE = 1.0, 5.0
# The most that this may take of a core, so that a loader and the questions have the rest.
SHARE = 0.5
# But after a long count no more seconds than these: changes wait meanwhile.
LONGEST = 2.0
# Seconds for one statement: more than any count takes, but an answer that was lost on its way never comes.
PATIENCE = 3600
# Changes after which the log is swept: what is deleted from it would be read over by every question.
SWEEP = 5000
SWEPT = (
    "insights.listen_changes, insights.credit_changes, insights.genre_changes, insights.duration_changes,"
    " insights.touched_days, insights.announcements, insights.rankings"
)
# Seconds for which announcements are kept. Who has not looked for longer ends all answers.
KEPT = 60.0

LOCK_NOT_AVAILABLE = "55P03"


class Upkeep(threading.Thread):
    """Folds changes in soon after they are committed, and counts the windows of a new day."""

    def __init__(self, app: Flask, changed: threading.Event, ended: threading.Event) -> None:
        super().__init__(name="rollups-upkeep", daemon=True)
        self._app = app
        self._changed = changed
        self._ended = ended
        self._unswept = 0
        self._horizon = ""
        self._horizon_at = 0.0

    def run(self) -> None:
        engine = own_engine(self._app.config, writes=True, answer_within=PATIENCE)
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
        while True:
            started = time.monotonic()
            self.look(connection)
            time.sleep(min(max(0.1, (time.monotonic() - started) * (1 / SHARE - 1)), LONGEST))
            self._changed.wait(TICK)
            self._changed.clear()

    def look(self, connection: Connection) -> None:
        """Do what there is to do, unless another process is at it. Raises SQLAlchemyError."""
        if connection.scalar(text("SELECT pg_is_in_recovery()")):
            return
        try:
            if _is_in_order(connection):
                self._sweep(connection, build(connection, self._app.config["CLOCK"], _tell, wait=False))
        except OperationalError as error:
            if sqlstate(error) != LOCK_NOT_AVAILABLE:
                raise

    def _sweep(self, connection: Connection, changes: int) -> None:
        if time.monotonic() > self._horizon_at + KEPT:
            if self._horizon:
                connection.execute(text(FORGET), {"horizon": self._horizon})
            self._horizon = connection.scalar(text(HORIZON)) or ""
            self._horizon_at = time.monotonic()
        self._unswept += changes
        if self._unswept > SWEEP:
            self._unswept = 0
            connection.execute(text(f"VACUUM {SWEPT}"))


# The first transaction that is not over.
HORIZON = "SELECT CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text)"
FORGET = """
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    WITH gone AS (DELETE FROM insights.announcements WHERE transaction < CAST(:horizon AS xid8) RETURNING transaction)
    UPDATE insights.state SET forgotten = CAST(:horizon AS xid8) WHERE EXISTS (SELECT FROM gone);
    COMMIT
"""


def _is_in_order(connection: Connection) -> bool:
    """Whether the rollups may be added to. Where they are not believed, do what the service can do about it."""
    rollups = _read(connection)
    if rollups is None or rollups.distrust not in (UNWATCHED, TRUNCATED):
        return rollups is not None and rollups.distrust is None
    with writing(connection, wait=False):
        rollups = _read(connection)
        if rollups is not None and rollups.distrust == UNWATCHED:
            # What was written meanwhile is nowhere noted: from now on only a rebuild helps.
            log.warning("rollups_not_trusted", reason=UNWATCHED)
            connection.execute(text(DISTRUST))
        elif rollups is not None and rollups.distrust == TRUNCATED:
            log.info("rollups_rebuilt", reason=TRUNCATED)
            forget(connection)
    return False  # at the next look


def _read(connection: Connection) -> Rollups | None:
    with Session(connection) as session:
        return read(session)


def _tell(part: str) -> None:
    log.info("rollups_built", part=part)


def start(app: Flask, *, writes: bool, ended: threading.Event | None = None) -> None:
    """Begin to follow announcements in this process, and to keep the rollups where it `writes` to the database.

    Once, by what serves the application. A caller that stops the database sets `ended` before.
    """
    changed, ended = threading.Event(), ended or threading.Event()
    Follower(app, changed, ended).start()
    if writes:
        Upkeep(app, changed, ended).start()
