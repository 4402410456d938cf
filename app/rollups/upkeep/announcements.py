"""What commits announce: whose answers a cached copy of is old from now on.

The triggers of the rollups note in a table whose answers a change makes old, in the writer's transaction. One thread of
each process looks there four times a second for what was committed since it last looked, and ends the generations of
those answers: so a committed listen shows within a second, cached or not.
"""

import threading
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import structlog
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from app.cache import generations
from app.cache.backends import Backend, CacheUnavailableError, backend
from app.cache.keys import EVERYONE
from app.database.engine import own_engine
from app.rollups.installation.triggers import MOST_USERS
from app.rollups.sql import load
from app.rollups.state import INSTALLED

log = structlog.get_logger(__name__)

# Seconds between two looks, and between two at whether the rollups are installed.
TICK, ABSENCE = 0.25, 5
# Seconds between two ends of everyone's generation, or of all: a loader that commits all the time leaves answers some
# life.
LIFE_OF_EVERYONE = 0.5
# Seconds before a connection that was lost is made again.
PAUSE = 0.5

ANNOUNCED = text(load("announced"))


class Seen(NamedTuple):
    """What a look has seen: the first transaction that was not over, and those from there on that were."""

    since: str | None = None
    known: Sequence[str] = ()

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of `ANNOUNCED`."""
        return {"since": self.since, "known": list(self.known)}


class Overdue:
    """The generations that are to end."""

    def __init__(self) -> None:
        self.all = False
        self.users: set[int] = set()

    def note(self, users: Collection[int]) -> None:
        """Note users whose listens have changed, and everyone; of many it is quicker to end all."""
        if len(users) > MOST_USERS:
            self.all = True
        else:
            self.users |= {EVERYONE, *users}

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


class Follower(threading.Thread):
    """Follows announcements for as long as the process runs, and makes good what it has missed."""

    def __init__(self, app: Flask, changed: threading.Event, ended: threading.Event) -> None:
        super().__init__(name="rollups-follower", daemon=True)
        self._app = app
        self._changed = changed
        self._ended = ended
        self._overdue = Overdue()
        self._everyone_ended = 0.0
        self._warned = False

    def run(self) -> None:
        engine = own_engine(self._app.config)
        while True:
            try:
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    self._follow(connection)
            except Exception as error:  # the driver's own among them: whatever it is, the next connection goes on
                if self._ended.is_set():
                    return
                if not self._warned:
                    log.warning("announcements_lost", error=type(error).__name__)
                self._warned = True
            time.sleep(PAUSE)

    def _follow(self, connection: Connection) -> None:
        seen: Seen | None = None
        due = 0.0
        while True:
            if time.monotonic() >= due:
                seen = self._look(connection, seen)
                self._warned = False
                due = time.monotonic() + (ABSENCE if seen is None else TICK)
            self._end_generations()
            time.sleep(TICK)

    def _look(self, connection: Connection, seen: Seen | None) -> Seen | None:
        """Note what was announced since the last look; what this one has seen, None where no rollups can be read."""
        if seen is None:
            if not connection.execute(INSTALLED).one().readable:
                return None
            # Whatever was announced before, this process does not know it.
            self._overdue.all = True
        try:
            found = connection.execute(ANNOUNCED, (seen or Seen()).values).one()
        except ProgrammingError:  # they were uninstalled, and what they had to announce with them
            self._overdue.all = True
            return None
        if found.concerns_all:
            self._overdue.all = True
        if found.changed:
            self._overdue.note(found.users)
            self._changed.set()
        return Seen(found.since, found.known)

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
