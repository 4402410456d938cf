"""Clients that keep asking, over connections that are kept, and compare each answer with the right one."""

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from benchmarks.client import Client

CLIENTS = 8
# Seconds that a client waits: longer than any answer may take.
PATIENCE = 60.0
# The part of requests that nobody has asked before.
NEW = 0.1

USERS = range(1, 13)
# What songswap-app's pages ask of a user and of everyone. No listen comes after END: windows that end later have the
# same listens and the same answers, and are different questions to the cache.
END = datetime(2090, 1, 1)
PATHS = [
    *("/insights/top/tracks/{user}?limit=10&to={end}", "/insights/top/artists/{user}?limit=10&to={end}"),
    *("/insights/top/genres/{user}?limit=10&to={end}", "/insights/total/listens/{user}?to={end}"),
    *("/insights/total/listen-time/{user}?to={end}", "/insights/distinct/tracks/{user}?to={end}"),
    *("/insights/global/top/tracks?limit=10&to={end}", "/insights/global/top/primary-artists?limit=10&to={end}"),
    *("/insights/global/top/listeners?limit=10&to={end}", "/insights/global/total/listens?to={end}"),
]


class Sample(NamedTuple):
    """A request: when it began (time.monotonic), the seconds it took, and what came of it (`lost`: no answer)."""

    began: float
    seconds: float
    status: str
    cache: str | None = None
    is_right: bool = True
    note: str = ""

    @property
    def is_good(self) -> bool:
        return self.status == "200" and self.is_right


def known_paths() -> list[str]:
    """All paths that are asked more than once."""
    return sorted({path.format(user=user, end=END.isoformat()) for path in PATHS for user in USERS})


@contextmanager
def load(port: int, right: Mapping[str, bytes]) -> Iterator[list[Sample]]:
    """The samples of clients that ask one question after another for the length of the block; `right` is by path."""
    samples: list[Sample] = []
    over = threading.Event()

    def run(number: int) -> None:
        rng = random.Random(number)
        end = END
        with Client(port, PATIENCE) as client:
            while not over.is_set():
                path, user = rng.choice(PATHS), rng.choice(USERS)
                same_as = asked = path.format(user=user, end=END.isoformat())
                if rng.random() < NEW:
                    end += timedelta(seconds=1, microseconds=number)
                    asked = path.format(user=user, end=end.isoformat())
                samples.append(ask(client, asked, right[same_as]))
                over.wait(0.005)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield samples
    finally:
        over.set()
        for thread in threads:
            thread.join()


def ask(client: Client, path: str, right: bytes) -> Sample:
    """Ask once, and check the answer."""
    began = time.monotonic()
    try:
        status, cache, body, _ = client.get(path)
    except ConnectionError as error:
        return Sample(began, time.monotonic() - began, "lost", note=repr(error))
    is_right = body == right if status == 200 else is_problem(status, body)
    note = "" if is_right else f"{path}: {body[:200]!r}"
    return Sample(began, time.monotonic() - began, str(status), cache, is_right, note)


def is_problem(status: int, body: bytes) -> bool:
    """Whether an answer that is no 200 is a problem document."""
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return bool(document["status"] == status and document["error"] == document["detail"])
