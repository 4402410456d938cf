"""One run of everything: what it measures becomes one JSON document."""

import os
import platform as machine
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.domain.now import now
from benchmarks import building, freshness, hits, latency, memory, plain, statements, writing
from benchmarks.generate import this_hour
from benchmarks.platforms import Platform, platform
from benchmarks.questions import FLOOR, GROUPS, Question, questions
from benchmarks.samples import Times
from benchmarks.server import postgresql, settings, total_memory, url_of
from benchmarks.service import gunicorn

Results = dict[str, Any]


@dataclass(frozen=True)
class Effort:
    """How much is measured: rounds, the most seconds for each question, cache keys."""

    rounds: int = 40
    warm_up: int = 5  # each of the typical users
    seconds: float = 1.0
    plain_rounds: int = 3
    plain_seconds: float = 30
    write_rounds: int = 15
    write_batches: float = 1.0  # of those of a load
    starts: int = 5
    shown: int = 10
    load_seconds: float = 3
    hits: int = 2000
    hit_seconds: int = 3
    keys: int = 100_000
    quick: bool = False


QUICK = Effort(
    rounds=1,
    warm_up=0,
    seconds=0.1,
    plain_rounds=1,
    write_rounds=1,
    write_batches=0.1,
    starts=1,
    shown=1,
    load_seconds=0.1,
    hits=50,
    hit_seconds=1,
    keys=100,
    quick=True,
)


def measure(sizes: Mapping[str, int], effort: Effort, tell: Callable[[str], None]) -> Results:
    """Everything, on platforms of the given numbers of listens, smallest first. `tell` is told how it goes."""
    sizes = dict(sorted(sizes.items(), key=lambda size: size[1]))
    end = this_hour()
    results: Results = {"made_at": now().isoformat(timespec="seconds"), "machine": _machine(), "effort": asdict(effort)}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="songswap-benchmark-")))
        server_url = stack.enter_context(postgresql())
        platforms = [
            stack.enter_context(platform(server_url, size, listens, end, tell)) for size, listens in sizes.items()
        ]
        largest = platforms[-1]
        results["postgresql"] = settings(largest.bare)
        results["platforms"] = {one.size: _build(one, tell) for one in platforms}
        with _timed(f"{largest.size}: flask taste build", tell):
            building.flask(largest.rolled_up, "taste", "build")
        with _services(platforms, folder) as ports:
            results["latency"] = _latency(platforms, ports, end, effort, tell)
            results["plain"] = _plain(largest, ports[largest.size], effort, tell)
        with _timed("cold start, cached hits", tell):
            results["cold_start_seconds"] = hits.cold_start(largest, effort.starts, folder)
            found = hits.hits(largest, effort.hits, effort.hit_seconds, folder)
            results["hits"] = {
                name: {"times": hit.times._asdict(), "per_second": hit.per_second} for name, hit in found.items()
            }
        with _timed(f"memory after {effort.keys:,} keys", tell):
            held = memory.measure(largest, effort.keys, folder)
            results["memory"] = asdict(held) | {"most": held.most, "growth": held.growth}
        with _timed("freshness", tell):
            shown = freshness.until_shown(largest, effort.shown, folder)
            results["freshness"] = {whom: times._asdict() for whom, times in shown.items()}
        with _services([largest], folder) as ports:
            with _timed("answers while a loader writes", tell):
                loaded = freshness.under_load(largest, ports[largest.size], effort.load_seconds)
            results["under_load"] = {
                path: {"idle": both.idle._asdict(), "busy": both.busy._asdict()} for path, both in loaded.items()
            }
            results["writing"] = dict(_writing(largest, effort, tell))
        with _timed("flask rollups verify", tell):
            results["verified"] = building.verify(largest)
    results["machine"]["load_at_end"] = round(os.getloadavg()[0], 2)
    return results


def _build(one: Platform, tell: Callable[[str], None]) -> Results:
    with _timed(f"{one.size}: flask rollups install", tell):
        built, taken = building.install(one), building.disk(one)
    users = {"typical": [one.sample.listens[user] for user in one.sample.typical]}
    users["heaviest"] = [one.sample.listens[one.sample.heaviest]]
    return {"listens": one.listens, "users": users, "build": asdict(built), "disk": asdict(taken)}


@contextmanager
def _services(platforms: Sequence[Platform], folder: Path) -> Iterator[dict[str, int]]:
    """The services on the platforms with rollups, without a cache: their ports by size."""
    with ExitStack() as stack:
        yield {
            one.size: stack.enter_context(
                gunicorn(
                    folder / f"service-{one.size}.log",
                    "benchmarks.floor:create_app()",
                    SQLALCHEMY_DATABASE_URI=url_of(one.rolled_up),
                    CACHE_TYPE="NullCache",
                )
            ).port
            for one in platforms
        }


def _latency(
    platforms: Sequence[Platform], ports: Mapping[str, int], end: datetime, effort: Effort, tell: Callable[[str], None]
) -> list[Results]:
    """Each group's questions with their times, statements and buffers by size, and the group's times in all."""
    found = []
    asked = questions(end, quick=effort.quick)
    with ExitStack() as stack:
        explained = [stack.enter_context(statements.Explained.of(one)) for one in platforms]
        for group in GROUPS:
            own = [question for question in asked if question.group == group]
            with _timed(f"{group}: {len(own)} questions", tell):
                times = latency.measure([FLOOR, *own], platforms, ports, effort.rounds, effort.seconds, effort.warm_up)
                found.append(
                    {
                        "group": group,
                        "load": round(os.getloadavg()[0], 2),
                        "floor": Times.of(times.pop(FLOOR)[platforms[-1].size])._asdict(),
                        "times": {one.size: _of_all(times, one.size) for one in platforms},
                        "questions": [_question(question, times[question], explained) for question in own],
                    }
                )
    return found


def _question(
    question: Question, times: Mapping[str, Sequence[float]], explained: Sequence[statements.Explained]
) -> Results:
    efforts = {one.platform.size: one.effort(question) for one in explained}
    return {
        "path": question.path,
        "times": {size: Times.of(one)._asdict() for size, one in times.items()},
        "statements": {size: effort.statements for size, effort in efforts.items()},
        "buffers": {size: effort.buffers for size, effort in efforts.items()},
    }


def _of_all(times: latency.Measured, size: str) -> dict[str, float]:
    return Times.of(ms for by_size in times.values() for ms in by_size[size])._asdict()


def _plain(one: Platform, port: int, effort: Effort, tell: Callable[[str], None]) -> list[Results]:
    found = []
    with _timed("plain aggregates over the live tables, and DuckDB", tell):
        for question, times in plain.compare(one, port, effort.plain_rounds, effort.plain_seconds):
            found.append({"name": question.name, "path": question.path, **times._asdict()})
    return found


def _writing(one: Platform, effort: Effort, tell: Callable[[str], None]) -> Iterator[tuple[str, Results]]:
    for load in writing.LOADS:
        with _timed(f"writing in {load.name}", tell):
            rates = writing.measure(one, load.shortened(effort.write_batches), effort.write_rounds)
        yield load.name, asdict(rates)


def _machine() -> Results:
    cpu = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", cpu.read_text()) if cpu.exists() else None
    return {
        "processor": model[1] if model else machine.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(total_memory() / (1 << 30)),
        "python": machine.python_version(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


@contextmanager
def _timed(what: str, tell: Callable[[str], None]) -> Iterator[None]:
    started = time.perf_counter()
    yield
    tell(f"{what}: {time.perf_counter() - started:.1f} s")
