"""The memory of a gunicorn worker, by how many different cache keys were asked for.

A SimpleCache holds CACHE_THRESHOLD answers, however many there were: what grows is what a million requests would show.
The first keys are those of all questions there are, for their statements stay in memory, too. Then come those of long
lists, which fill the cache as far as it goes; the others are of short answers. A tenth of them is asked for twice.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path

from benchmarks.client import Client
from benchmarks.platforms import Platform
from benchmarks.questions import questions
from benchmarks.server import url_of
from benchmarks.service import gunicorn

THRESHOLD = 1000  # the default of CACHE_THRESHOLD
CALLERS = 4
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Memory:
    """The resident memory of a worker in MB, by the number of different keys."""

    keys: list[int]
    resident: list[float]

    @property
    def most(self) -> float:
        return max(self.resident)

    @property
    def growth(self) -> float | None:
        """MB that a million keys more would add, at the pace of the last half; None where the cache is barely full."""
        middle = len(self.keys) // 2
        if self.keys[middle] < 5 * THRESHOLD:
            return None
        pace = (self.resident[-1] - self.resident[middle]) / (self.keys[-1] - self.keys[middle])
        return round(pace * 1_000_000, 1)


def measure(platform: Platform, keys: int, folder: Path, samples: int = 20) -> Memory:
    """A worker's memory at the beginning, and `samples` times on the way to `keys` keys."""
    asked = _paths(platform, keys)
    done, found = [0], []
    settings = {"SQLALCHEMY_DATABASE_URI": url_of(platform.rolled_up), "CACHE_TYPE": "SimpleCache"}
    with gunicorn(folder / "memory.log", **settings, LOG_LEVEL="WARNING") as server:
        found.append(server.memory())
        while part := list(islice(asked, -(-keys // samples))):
            with ThreadPoolExecutor(CALLERS) as callers:
                list(callers.map(_ask, [server.port] * CALLERS, (part[caller::CALLERS] for caller in range(CALLERS))))
            done.append(done[-1] + len(part))
            found.append(server.memory())
    return Memory(done, [round(size / MEGABYTE, 1) for size in found])


def _paths(platform: Platform, keys: int) -> Iterator[str]:
    every = [
        question.path.format(**platform.sample.ids(number))
        for number, question in enumerate(questions(platform.end, quick=False))
    ][: keys // 4]
    yield from every
    keys -= len(every)
    lists = (
        f"/insights/global/top/{list_}?limit=100&offset={offset}&by={by}"
        for offset, list_, by in product(
            range(10_000), ("tracks", "artists", "primary-artists"), ("count", "listen_time")
        )
    )
    yield from islice(lists, min(keys, 3 * THRESHOLD))
    yield from (f"/insights/total/listens/{user}" for user in range(1, keys - 3 * THRESHOLD + 1))


def _ask(port: int, paths: list[str]) -> None:
    with Client(port) as client:
        for number, path in enumerate(paths):
            for _ in range(2 if number % 10 == 0 else 1):
                answer = client.get(path)
                if answer.status != 200:
                    raise SystemExit(f"{path} gives {answer.status}: {answer.body[:500]!r}")
