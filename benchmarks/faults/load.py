"""Clients that keep asking, over connections that are kept, and check every answer against the right one."""

import http.client
import itertools
import json
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

# How long a client waits: longer than any answer may take.
PATIENCE = 60.0
# No listen comes after it: windows that end later all have the same listens, and are different questions to the cache.
END = datetime(2090, 1, 1)

USERS = range(1, 13)
# What songswap-app's pages ask of a user and of everyone, {window} being what makes a question a new one.
LISTS = [
    *("/insights/top/tracks/{user}?limit=10", "/insights/top/artists/{user}?limit=10"),
    *("/insights/top/primary-artists/{user}?limit=10", "/insights/top/genres/{user}?limit=10"),
    *("/insights/total/listens/{user}?", "/insights/total/listen-time/{user}?", "/insights/distinct/tracks/{user}?"),
    *("/insights/global/top/tracks?limit=10", "/insights/global/top/primary-artists?limit=10"),
    *("/insights/global/top/listeners?limit=10", "/insights/global/total/listens?"),
]
PAGES = ["/insights/summary/{user}?", "/insights/activity/{user}?bucket=month", "/insights/clock/{user}?"]
# The part of requests that nobody has asked before; the rest is a page that somebody looks at again.
NEW = 0.1


class Question(NamedTuple):
    """What is asked, and the path whose answer is the right one."""

    path: str
    same_as: str


def _windowed(path: str, end: datetime) -> str:
    return f"{path}{'' if path.endswith('?') else '&'}to={end.isoformat()}"


def known_paths() -> list[str]:
    """The paths of the mix, each with a window that is the same at any time."""
    paths = (template.format(user=user) for template in LISTS + PAGES for user in USERS)
    return sorted({_windowed(path, END) for path in paths})


def questions(seed: int, new: float = NEW) -> Iterator[Question]:
    """The mix, without an end; no two seeds make the same new questions."""
    rng = random.Random(seed)
    paths = known_paths()
    lists = [path.format(user=user) for path in LISTS for user in USERS]
    for number in itertools.count(1):
        if rng.random() < new:
            path = rng.choice(lists)
            end = END + timedelta(seconds=number, microseconds=seed)
            yield Question(_windowed(path, end), _windowed(path, END))
        else:
            yield Question(path := rng.choice(paths), path)


class Sample(NamedTuple):
    """One request: when it began (time.monotonic), the seconds it took, and what came of it.

    `status` is None where there was no answer: it was `refused` before it was sent, or else lost.
    """

    began: float
    seconds: float
    status: int | None
    state: str | None = None
    is_right: bool | None = None
    refused: bool = False
    note: str = ""

    @property
    def is_good(self) -> bool:
        return self.status == 200 and bool(self.is_right)


class Client:
    """One connection, made again where it was closed."""

    def __init__(self, url: str, right: Mapping[str, bytes] | None) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
        self._right = right

    def ask(self, question: Question, began: float | None = None) -> Sample:
        """Ask, and check the answer; `began` is when it was to begin, where that is not now."""
        started = time.monotonic() if began is None else began
        connection = self._connection
        if connection.sock is None:
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                seconds = time.monotonic() - started
                return Sample(started, seconds, None, refused=True, note=type(error).__name__)
        try:
            connection.request("GET", question.path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return Sample(started, time.monotonic() - started, None, note=f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - started
        state = response.headers.get("X-Cache")
        if response.status == 200:
            is_right = None if self._right is None else body == self._right[question.same_as]
        else:
            is_right = _is_problem(response, body)
        note = "" if is_right is not False else f"{question.path}: {body[:200]!r}"
        return Sample(started, seconds, response.status, state, is_right, note=note)

    def close(self) -> None:
        self._connection.close()


def _is_problem(response: http.client.HTTPResponse, body: bytes) -> bool:
    """Whether an answer that is no 200 is a problem document that may not be kept."""
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return (
        response.headers.get("Content-Type") == "application/problem+json"
        and response.headers.get("Cache-Control") == "no-store"
        and document["status"] == response.status
        and document["error"] == document["detail"]
    )


@dataclass
class Load:
    """Clients that ask one question after another for the length of a block (a closed loop)."""

    url: str
    right: Mapping[str, bytes]
    clients: int = 8
    new: float = NEW
    pause: float = 0.005
    samples: list[Sample] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._over = threading.Event()
        seeds = random.SystemRandom().sample(range(1, 1_000_000), self.clients)
        self._threads = [threading.Thread(target=self._run, args=(seed,), daemon=True) for seed in seeds]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE + 5)

    def _run(self, seed: int) -> None:
        client = Client(self.url, self.right)
        for question in questions(seed, self.new):
            if self._over.is_set():
                break
            sample = client.ask(question)
            self.samples.append(sample)
            # Who is refused at once comes back a moment later.
            self._over.wait(0.05 if sample.status is None else self.pause)
        client.close()


def statuses(samples: Iterable[Sample]) -> Counter[str]:
    """How often each status came; `lost` and `refused` where none did."""
    return Counter("refused" if s.refused else "lost" if s.status is None else str(s.status) for s in samples)


def percentile(values: list[float], part: float) -> float:
    """The value below which a part (0 to 1) of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def median(values: list[float]) -> float:
    return statistics.median(values) if values else 0.0
