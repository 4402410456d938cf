"""How soon a committed listen shows in cached answers, and how long uncached ones take while a loader writes."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.client import Client
from benchmarks.hits import settle
from benchmarks.platforms import Platform
from benchmarks.samples import Times
from benchmarks.server import url_of
from benchmarks.service import gunicorn
from benchmarks.writing import PAGE, Listening, connect

# What an own listen shows in, by whom it is about.
SHOWN = {"everyone": "/insights/global/total/listens", "the user": "/insights/total/listens/{typical}"}
PATIENCE = 30  # seconds

# What is asked while a loader writes.
ASKED = (
    "/insights/global/top/tracks",
    "/insights/global/top/artists?range=30d",
    "/insights/global/total/listen-time?range=this_year",
    "/insights/global/clock",
    "/insights/top/tracks/{typical}",
)
# A loader that has 1,000 listens a second to write, 86 million a day, commits them user by user.
BATCHES_A_SECOND = 20


class UnderLoad(NamedTuple):
    """The times of a question, while nobody writes and while a loader does."""

    idle: Times
    busy: Times


def until_shown(platform: Platform, rounds: int, folder: Path) -> dict[str, Times]:
    """From the commit of a listen until the answer that was in the cache is a new one: ms, by whom it is about."""
    ids = platform.sample.ids(0)
    settings = {"SQLALCHEMY_DATABASE_URI": url_of(platform.rolled_up), "CACHE_TYPE": "SimpleCache"}
    listening, connection = Listening(platform, "freshness"), connect(platform.rolled_up)
    found = {}
    with gunicorn(folder / "freshness.log", **settings) as server, Client(server.port) as client:
        for whom, path in SHOWN.items():
            path = path.format(**ids)
            times = []
            for _ in range(rounds):
                settle(client, path)
                before = client.get(path)
                with connection, connection.cursor() as cursor:  # a transaction
                    cursor.execute(listening.insert(1, user=platform.sample.typical[0]))
                committed = time.perf_counter()
                while json.loads(client.get(path).body) == json.loads(before.body):
                    if time.perf_counter() > committed + PATIENCE:
                        raise SystemExit(f"{path} does not show a listen after {PATIENCE} s")
                times.append((time.perf_counter() - committed) * 1000)
            found[whom] = Times.of(times)
    connection.close()
    return found


def under_load(platform: Platform, port: int, seconds: float) -> dict[str, UnderLoad]:
    """The times of some questions to the service on the port, uncached, each asked for `seconds`."""
    with Client(port) as client:
        idle = {path: _ask(client, path.format(**platform.sample.ids(0)), seconds) for path in ASKED}
        with _loader(platform):
            busy = {path: _ask(client, path.format(**platform.sample.ids(0)), seconds) for path in ASKED}
    return {path: UnderLoad(idle[path], busy[path]) for path in ASKED}


def _ask(client: Client, path: str, seconds: float) -> Times:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not times:
        answer = client.get(path)
        if answer.status != 200:
            raise SystemExit(f"{path} gives {answer.status}: {answer.body[:500]!r}")
        times.append(answer.ms)
        time.sleep(0.01)
    return Times.of(times)


@contextmanager
def _loader(platform: Platform) -> Iterator[None]:
    """A loader that writes for the length of the block."""
    ends = threading.Event()
    listening, connection = Listening(platform, "loader"), connect(platform.rolled_up)

    def write() -> None:
        due = time.perf_counter()
        while not ends.wait(max(0.0, due - time.perf_counter())):
            with connection, connection.cursor() as cursor:  # a transaction
                cursor.execute(listening.insert(PAGE))
            due += 1 / BATCHES_A_SECOND

    thread = threading.Thread(target=write)
    thread.start()
    try:
        time.sleep(1)
        yield
    finally:
        ends.set()
        thread.join()
        connection.close()
