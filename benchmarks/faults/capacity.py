"""How much the service can answer, and how fast it is at 80 % of that."""

import os
import platform
import random
import threading
import time
from dataclasses import dataclass

from benchmarks.faults.load import PATIENCE, Client, Load, Sample, median, percentile, questions
from benchmarks.faults.stage import ROLLED_UP, Service, Stage, redis

PART, MOST = 0.8, 5.0
# The part of the capacity that must still be there afterwards.
STEADY = 0.85
CONNECTIONS = 16


@dataclass
class Figures:
    """Rates in requests per second, times in seconds."""

    cache: str
    capacity: float
    capacity_after: float
    rate: float
    seconds: float
    requests: int
    errors: int
    p50: float
    p99: float
    longest: float
    hit_ratio: float
    machine: str
    busy: float

    @property
    def ratio(self) -> float:
        return self.p99 / self.p50 if self.p50 else float("inf")

    @property
    def is_steady(self) -> bool:
        """Whether the capacity was still there afterwards; where not, other work has taken a part of the machine."""
        return self.capacity_after > STEADY * self.capacity

    @property
    def failures(self) -> list[str]:
        """What was not reached."""
        found = [f"{self.errors} errors"] if self.errors else []
        return found + ([f"p99 is {self.ratio:.1f} times p50"] if self.ratio >= MOST else [])


def measure(stage: Stage, seconds: float, rounds: int) -> list[Figures]:
    """The capacity in a closed loop; then latencies in an open loop at a part of it, for `seconds`.

    Without a cache first, where all answers are computed; then with a Valkey, where most are not.
    The capacity is taken again afterwards; where it has gone, the round says nothing about a part of it, and is
    repeated, `rounds` times at most. The open loop asks at random instants that are fixed beforehand (a Poisson
    process), and a request's time counts from its instant: what has to wait for a connection has waited.
    """
    with stage.service(ROLLED_UP, {"CACHE_TYPE": "NullCache"}) as service:
        found = _rounds(service, stage, "none", seconds, rounds)
    with stage.valkey() as valkey, stage.service(ROLLED_UP, redis(valkey)) as service:
        return found + _rounds(service, stage, "Valkey", seconds, rounds)


def _rounds(service: Service, stage: Stage, cache: str, seconds: float, rounds: int) -> list[Figures]:
    _capacity(service, stage, min(8.0, seconds / 3))  # warms up
    found: list[Figures] = []
    while len(found) < rounds and not (found and found[-1].is_steady):
        found.append(_round(service, stage, cache, seconds))
    return found


def _capacity(service: Service, stage: Stage, seconds: float) -> float:
    """Right answers per second to clients that ask without a pause."""
    with Load(service.url, stage.right, CONNECTIONS, pause=0.0) as load:
        started = time.monotonic()
        time.sleep(seconds)
        return sum(sample.is_good for sample in load.samples) / (time.monotonic() - started)


def _round(service: Service, stage: Stage, cache: str, seconds: float) -> Figures:
    capacity = _capacity(service, stage, min(10.0, seconds / 3))
    load_before = os.getloadavg()[0]
    samples = _open_loop(service.url, stage, capacity * PART, seconds)
    after = _capacity(service, stage, min(10.0, seconds / 3))
    times = [sample.seconds for sample in samples]
    return Figures(
        cache=cache,
        capacity=capacity,
        capacity_after=after,
        rate=capacity * PART,
        seconds=seconds,
        requests=len(samples),
        errors=sum(not sample.is_good for sample in samples),
        p50=median(times),
        p99=percentile(times, 0.99),
        longest=max(times),
        hit_ratio=sum(sample.state == "HIT" for sample in samples) / len(samples),
        machine=f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        busy=load_before,
    )


def _open_loop(url: str, stage: Stage, rate: float, seconds: float) -> list[Sample]:
    rng = random.Random(1)
    instants, instant = [], 0.0
    while instant < seconds:
        instants.append(instant := instant + rng.expovariate(rate))
    asked = questions(rng.randrange(1, 1_000_000))
    plan = iter([(instant, next(asked)) for instant in instants])
    lock = threading.Lock()
    samples: list[Sample] = []
    started = time.monotonic() + 0.5

    def run() -> None:
        client = Client(url, stage.right)
        while True:
            with lock:
                following = next(plan, None)
            if following is None:
                break
            began = started + following[0]
            time.sleep(max(0.0, began - time.monotonic()))
            samples.append(client.ask(following[1], began))
        client.close()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + PATIENCE)
    return samples
