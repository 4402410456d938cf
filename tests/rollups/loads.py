"""Writers that keep writing, each in a thread of its own, on the tracks that everybody listens to."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

import psycopg2
from psycopg2.extras import execute_values
from sqlalchemy import URL, Connection, Engine, text

TRACKS, ARTISTS, USERS = 20, 6, 8
BATCH = 50

CATALOGUE = f"""
    INSERT INTO "Users" SELECT id, 'listener', id || '@example.com', 'spotify-' || id
        FROM generate_series(1, {USERS}) id;
    INSERT INTO "Artists" SELECT 'artist' || n, 'Artist' FROM generate_series(1, {ARTISTS}) n;
    INSERT INTO "Tracks" SELECT 'track' || n, 'Track', n * 10007 FROM generate_series(1, {TRACKS}) n;
    INSERT INTO "ArtistTracks" SELECT 'track' || n, 'artist' || a, a % 2 = 0
        FROM generate_series(1, {TRACKS}) n, generate_series(1, {ARTISTS}) a WHERE (n + a) % 3 = 0;
    INSERT INTO "ArtistGenres" SELECT 'artist' || a, 'genre' || g
        FROM generate_series(1, {ARTISTS}) a, generate_series(1, 3) g WHERE (a + g) % 2 = 0
"""
# From the end of 2026 back, so that every window has some.
LISTENS = f"""
    INSERT INTO "History"
    SELECT 1 + n % {USERS}, timestamp '2026-11-23 20:00' - n * interval '47 minutes 0.5 seconds',
        'track' || 1 + n * n % {TRACKS}
    FROM generate_series(1, 2000) n
"""


def fill(connection: Connection) -> None:
    """A platform with a catalogue and 2,000 listens of two months."""
    connection.execute(text(CATALOGUE))
    connection.execute(text(LISTENS))


def connect(url: URL) -> "psycopg2.extensions.connection":
    """A connection of the driver's own, as the loader has one."""
    host = url.query.get("host") or url.host
    assert isinstance(host, str) or host is None
    return psycopg2.connect(dbname=url.database, user=url.username, password=url.password, port=url.port, host=host)


class Load:
    """What writers have done so far: their errors, their commits, and the longest that one of them waited."""

    def __init__(self, url: URL) -> None:
        self.errors: list[Exception] = []
        self.committed = 0
        self.longest = 0.0
        self._url = url
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, writers: int) -> None:
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(writers)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number: int) -> None:
        """Listens of a year of the writer's own, new ones and known ones; now and then a deletion, or a correction."""
        try:
            connection = connect(self._url)
            with connection, connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '60s'")
            for batch in count():
                if self._stop.is_set():
                    break
                begun = time.monotonic()
                with connection, connection.cursor() as cursor:
                    rows = [
                        (1 + batch % USERS, f"{2010 + number}-01-01", batch * BATCH // 2 + place, place % TRACKS + 1)
                        for place in range(BATCH)
                    ]
                    execute_values(
                        cursor,
                        'INSERT INTO "History" VALUES %s ON CONFLICT DO NOTHING',
                        rows,
                        template="(%s, timestamp %s + %s * interval '1 minute', 'track' || %s)",
                    )
                    if batch % 5 == 4:
                        cursor.execute(
                            "DELETE FROM \"History\" WHERE played_at = timestamp %s + %s * interval '1 minute'",
                            (f"{2010 + number}-01-01", batch * BATCH // 2),
                        )
                    if batch % 7 == 6:
                        cursor.execute(
                            'UPDATE "Tracks" SET duration_ms = duration_ms + 1 WHERE id = %s', (f"track{number + 1}",)
                        )
                self.committed += 1
                self.longest = max(self.longest, time.monotonic() - begun)
                time.sleep(0.02)  # the processors are for others, too
            connection.close()
        except Exception as error:
            self.errors.append(error)


@contextmanager
def writing(engine: Engine, writers: int = 4) -> Iterator[Load]:
    """Writers for the length of the block, of whom none has had an error in the end."""
    load = Load(engine.url)
    load.start(writers)
    try:
        yield load
    finally:
        load.stop()
    assert load.errors == []


def wait_for_commits(load: Load, number: int, seconds: float = 60) -> None:
    """Wait until `number` more transactions are committed."""
    goal, deadline = load.committed + number, time.monotonic() + seconds
    while load.committed < goal and not load.errors:
        assert time.monotonic() < deadline, f"{goal - load.committed} commits are missing"
        time.sleep(0.01)


def closing(connection: "psycopg2.extensions.connection") -> None:
    """Close a connection whose server may be gone."""
    with suppress(psycopg2.Error):
        connection.close()
