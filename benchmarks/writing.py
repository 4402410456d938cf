"""What writers keep of their rate where the rollups are: listens per second, with and without them, by turns.

Listens are written as songswap-airflow's loader does: in batches of one INSERT … ON CONFLICT DO NOTHING, committed one
by one. The service runs on the database meanwhile, and folds in what is written.
"""

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from statistics import median
from typing import Any

import psycopg2
from sqlalchemy import Engine, make_url, text

from benchmarks.platforms import Platform
from benchmarks.server import url_of

PAGE = 50  # what Spotify gives of a user's recent listens at once
POPULAR = 20  # tracks that many writers write about at once


@dataclass(frozen=True)
class Load:
    """`writers` at once, each with `batches` of `batch` listens; of popular tracks alone, or of any."""

    name: str
    writers: int
    batches: int
    batch: int
    popular: bool = False

    def shortened(self, part: float) -> "Load":
        """The same with a part of the batches."""
        return replace(self, batches=round(self.batches * part))


LOADS = (
    Load("batches of 50", 1, 100, 50),
    Load("batches of 1,000", 1, 10, 1000),
    Load("8 writers at once, batches of 50, popular tracks", 8, 20, 50, popular=True),
)


@dataclass(frozen=True)
class Rates:
    """Listens per second, medians; `kept` is the median of the ratios of neighbouring rounds."""

    without: float
    with_rollups: float
    kept: float
    deadlocks: int


class Listening:
    """New listens of a platform's users, in the hour before its last one; all different, and with a seed the same."""

    def __init__(self, platform: Platform, seed: str) -> None:
        self._end = platform.end
        self._chance = random.Random(seed)
        with platform.bare.connect() as connection:
            self._users = connection.scalar(text('SELECT count(*) FROM "Users"')) or 0
            self._tracks = connection.scalar(text('SELECT count(*) FROM "Tracks"')) or 0
            self._popular = connection.scalars(
                text('SELECT track_id FROM "History" GROUP BY track_id ORDER BY count(*) DESC, track_id LIMIT :number'),
                {"number": POPULAR},
            ).all()

    def insert(self, listens: int, *, popular: bool = False, user: int | None = None) -> str:
        """A statement that inserts `listens` listens: pages of 50, each of one user, or all of the given one."""
        pages = (self._page(min(PAGE, listens - start), popular, user) for start in range(0, listens, PAGE))
        rows = ", ".join(chain.from_iterable(pages))
        return f'INSERT INTO "History" (user_id, played_at, track_id) VALUES {rows} ON CONFLICT DO NOTHING'

    def _page(self, listens: int, popular: bool, user: int | None) -> Iterator[str]:
        user = user or self._chance.randint(1, self._users)
        last = self._end - timedelta(microseconds=self._chance.randrange(3_600_000_000))
        for play in range(listens):
            any_track = f"track{int(self._tracks * self._chance.random() ** 3):017x}"
            track = self._chance.choice(self._popular) if popular else any_track
            yield f"({user}, '{last - timedelta(milliseconds=play)}', '{track}')"


def connect(engine: Engine) -> Any:
    """A connection of the driver's own: nothing of SQLAlchemy's is in what it takes."""
    return psycopg2.connect(make_url(url_of(engine)).set(drivername="postgresql").render_as_string(hide_password=False))


def measure(platform: Platform, load: Load, rounds: int) -> Rates:
    """The rates of a load on both databases of a platform, after a round to warm up."""
    listening = Listening(platform, load.name)
    before = _deadlocks(platform.rolled_up)
    rates: dict[Engine, list[float]] = {platform.bare: [], platform.rolled_up: []}
    failed = 0
    for turn in range(rounds + 1):
        statements = [
            [listening.insert(load.batch, popular=load.popular) for _ in range(load.batches)]
            for _ in range(load.writers)
        ]
        # Who begins, changes: what the other has left to be written to disk slows down the second.
        for engine in sorted(rates, key=lambda engine: (engine is platform.bare) == bool(turn % 2)):
            rate, errors = _rate(engine, load, statements)
            failed += errors
            if turn:
                rates[engine].append(rate)
    kept = median(own / bare for own, bare in zip(rates[platform.rolled_up], rates[platform.bare], strict=True))
    deadlocks = max(failed, _deadlocks(platform.rolled_up) - before)
    return Rates(
        _rounded(median(rates[platform.bare])), _rounded(median(rates[platform.rolled_up])), _rounded(kept), deadlocks
    )


def _rate(engine: Engine, load: Load, statements: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Listens per second, and how many batches fell to a deadlock."""
    connections = [connect(engine) for _ in statements]

    def write(connection: Any, own: Sequence[str]) -> int:
        deadlocks = 0
        for statement in own:
            try:
                with connection, connection.cursor() as cursor:  # a transaction
                    cursor.execute(statement)
            except psycopg2.errors.DeadlockDetected:
                deadlocks += 1
        return deadlocks

    with ThreadPoolExecutor(len(connections)) as writers:
        started = time.perf_counter()
        deadlocks = sum(writers.map(write, connections, statements))
        seconds = time.perf_counter() - started
    for connection in connections:
        connection.close()
    return load.writers * load.batches * load.batch / seconds, deadlocks


def _deadlocks(engine: Engine) -> int:
    with engine.connect() as connection:
        number = connection.scalar(text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
    return int(number or 0)


def _rounded(rate: float) -> float:
    """A rate without digits that mean nothing."""
    return float(f"{rate:.4g}")
