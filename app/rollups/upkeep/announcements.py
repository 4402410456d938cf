"""What commits announce: whose answers a cached copy of is old from now on.

The triggers of the rollups send a notification with a commit. One thread of each process hears it (LISTEN), looks for
commits that happened at the same time as one that announced itself, and ends the generations of those answers: so a
committed listen shows within a second, cached or not.
"""

import select
import threading
import time
from collections.abc import Collection, Iterable

import structlog
from flask import Flask
from sqlalchemy import Connection, text

from app.cache import generations
from app.cache.backends import Backend, CacheUnavailableError, backend
from app.cache.keys import EVERYONE
from app.database.engine import direct_engine
from app.rollups.installation.triggers import CHANNEL, MOST_USERS
from app.rollups.state import IS_CURRENT

log = structlog.get_logger(__name__)

# Seconds: between two looks for the unannounced, and at what else is to be done; between two ends of everyone's
# generation, or of all, so that a loader that commits all the time leaves the answers some life; before a connection
# that was lost is made again.
TICK, LIFE_OF_EVERYONE, PAUSE = 0.25, 0.5, 0.5
# Seconds between two looks at whether the rollups are installed.
ABSENCE = 5

# The users whose listens were changed, unannounced, by commits since the snapshot `seen`; and the snapshot of now.
UNANNOUNCED = text("""
    SELECT CAST(pg_current_snapshot() AS text) AS snapshot, (
        SELECT array_agg(DISTINCT user_id) FROM insights.unannounced, unnest(users) AS user_id
        WHERE transaction >= pg_snapshot_xmin(CAST(:seen AS pg_snapshot))
            AND NOT pg_visible_in_snapshot(transaction, CAST(:seen AS pg_snapshot))
    ) AS users
""")


class Overdue:
    """The generations that are to end."""

    def __init__(self) -> None:
        self.all = False
        self.users: set[int] = set()

    def note(self, payload: str) -> None:
        """Note an announcement: `all`, `everyone`, or the ids of the users whose listens have changed."""
        if payload == "all":
            self.all = True
        elif payload == "everyone":
            self.users.add(EVERYONE)
        else:
            self.note_users(payload.split(","))

    def note_users(self, users: Collection[str | int]) -> None:
        """Note users whose listens have changed; of many it is quicker to end all."""
        if len(users) > MOST_USERS:
            self.all = True
        else:
            self.users |= {EVERYONE, *map(int, users)}

    def end(self, store: Backend, *, everyone: bool) -> None:
        """End them, all and that of everyone only where it is said so. What the backend was not told stays overdue."""
        if self.all and everyone:
            generations.end(store)
            self.all = False
            self.users.clear()
        for user_id in self._due(everyone):
            generations.end(store, user_id)
            self.users.discard(user_id)

    def are_due(self, *, everyone: bool) -> bool:
        """Whether there is anything to end."""
        return bool(self._due(everyone)) or (self.all and everyone)

    def _due(self, everyone: bool) -> Iterable[int]:
        return sorted(self.users) if everyone else sorted(self.users - {EVERYONE})


class Listener(threading.Thread):
    """Hears announcements for as long as the process runs, and makes good what it has missed."""

    def __init__(self, app: Flask, heard: threading.Event, ended: threading.Event) -> None:
        super().__init__(name="rollups-listener", daemon=True)
        self._app = app
        self._heard = heard
        self._ended = ended
        self._overdue = Overdue()
        self._everyone_ended = 0.0
        self._warned = False

    def run(self) -> None:
        engine = direct_engine(self._app.config)
        while True:
            try:
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    self._follow(connection)
            except Exception as error:  # the driver's own among them: whatever it is, the next connection hears again
                if self._ended.is_set():
                    return
                if not self._warned:
                    log.warning("announcements_lost", error=type(error).__name__)
                self._warned = True
            time.sleep(PAUSE)

    def _follow(self, connection: Connection) -> None:
        connection.execute(text(f"LISTEN {CHANNEL}"))
        raw = connection.connection.driver_connection
        assert raw is not None
        # Not select(), which knows no descriptors above 1023.
        poll = select.poll()
        poll.register(raw, select.POLLIN)
        seen: str | None = None
        due = time.monotonic()
        while True:
            if time.monotonic() >= due:
                seen = self._look(connection, seen)
                self._warned = False
                due = time.monotonic() + (ABSENCE if seen is None else TICK)
            if poll.poll(TICK * 1000):
                raw.poll()
            while raw.notifies:
                self._overdue.note(raw.notifies.pop(0).payload)
                self._heard.set()
            self._end_generations()

    def _look(self, connection: Connection, seen: str | None) -> str | None:
        """Note who is unannounced since a snapshot; the snapshot of now, None where no rollups of this version are."""
        if not connection.scalar(IS_CURRENT):
            return None
        if seen is None:
            # Whatever was announced before, this process has not heard it.
            self._overdue.all = True
        found = connection.execute(UNANNOUNCED, {"seen": seen}).one()
        if found.users:
            self._overdue.note_users(found.users)
            self._heard.set()
        return str(found.snapshot)

    def _end_generations(self) -> None:
        overdue = self._overdue
        everyone = time.monotonic() > self._everyone_ended + LIFE_OF_EVERYONE
        if not overdue.are_due(everyone=everyone):
            return
        with self._app.app_context():
            try:
                overdue.end(backend(), everyone=everyone)
            except CacheUnavailableError:
                return  # at the next tick, until it is back
        if everyone:
            self._everyone_ended = time.monotonic()
