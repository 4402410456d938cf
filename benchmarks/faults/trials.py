"""What a fault is, and what is expected of the service in it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from subprocess import CalledProcessError

from benchmarks.faults.load import Load, Sample, statuses
from benchmarks.faults.stage import ROLLED_UP, Service, Stage, until

# Seconds within which all answers are right again after a fault has ended.
RECOVERY = 5.0
# Answers before a fault and after it without which the trial says nothing, and how long (s) a busy machine may need.
ENOUGH, BUSY = 50, 30.0


@dataclass
class Outcome:
    """What happened, and what of it was not expected."""

    samples: list[Sample] = field(default_factory=list)
    recovery: float | None = None
    failures: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> None:
        """Note an expectation that does not hold."""
        if not holds:
            self.failures.append(what)

    @property
    def statuses(self) -> Counter[str]:
        return statuses(self.samples)

    @property
    def longest(self) -> float:
        return max((sample.seconds for sample in self.samples), default=0.0)

    @property
    def wrong(self) -> int:
        return sum(sample.is_right is False for sample in self.samples)

    @property
    def stale(self) -> int:
        return sum(sample.state == "STALE" for sample in self.samples)


@dataclass(frozen=True)
class Fault:
    """A fault: `run` lets it befall a service and tells what happened."""

    name: str
    what: str
    expected: str
    run: Callable[[Stage], Outcome]


FAULTS: list[Fault] = []


def fault(what: str, expected: str) -> Callable[[Callable[[Stage], Outcome]], Callable[[Stage], Outcome]]:
    """Add a function to the faults that are tried, under its name."""

    def add(run: Callable[[Stage], Outcome]) -> Callable[[Stage], Outcome]:
        FAULTS.append(Fault(run.__name__, what, expected, run))
        return run

    return add


@dataclass
class Watched:
    """A fault under load: when it was over."""

    outcome: Outcome
    ended: float = float("inf")

    def end(self) -> None:
        """Say that the fault is over, from now on."""
        self.ended = time.monotonic()


@contextmanager
def under_load(
    stage: Stage,
    service: Service,
    *,
    allowed: str = "200 503",
    longest: float = 10.0,
    clients: int = 8,
) -> Iterator[Watched]:
    """Load before, during and after the block, in which the fault begins and ends; then what is always expected.

    No answer is wrong; all statuses are among those `allowed`; no request takes longer than `longest` (s); and after
    the fault every answer that ends RECOVERY seconds after its end, or later, is a right 200.
    """
    watched = Watched(Outcome())
    outcome = watched.outcome
    with Load(service.url, stage.right, clients) as load:
        stage.wait(2)
        until(lambda: len(load.samples) > ENOUGH, BUSY)
        before = len(load.samples)
        yield watched
        time.sleep(max(2.0, (RECOVERY + 1) * stage.hurry))
        until(lambda: load.samples[-ENOUGH].began > watched.ended, BUSY)
    outcome.samples = list(load.samples)
    outcome.expect(before >= ENOUGH, f"there was a load before ({before} answers)")
    outcome.expect(all(sample.is_good for sample in load.samples[:before]), "all was well before")
    for sample in [sample for sample in outcome.samples if sample.is_right is False][:3]:
        outcome.expect(False, f"no wrong answer, not {sample.note}")
    found = set(outcome.statuses)
    unexpected = [s.note for s in outcome.samples if s.status is None][:3]
    outcome.expect(found <= set(allowed.split()), f"statuses of {allowed}, not {sorted(found)} {unexpected or ''}")
    outcome.expect(outcome.longest <= longest, f"no request over {longest:g} s, not {outcome.longest:.2f} s")
    bad = [sample for sample in outcome.samples if not sample.is_good]
    last = max((sample.began + sample.seconds for sample in bad), default=0.0)
    outcome.recovery = max(0.0, last - watched.ended)
    outcome.expect(outcome.recovery <= RECOVERY, f"recovery within {RECOVERY:g} s, not {outcome.recovery:.2f} s")
    after = sum(sample.began > watched.ended for sample in outcome.samples)
    outcome.expect(after >= ENOUGH, f"there was a load after ({after} answers)")


def expect_upkeep(stage: Stage, service: Service, outcome: Outcome) -> None:
    """Expect that committed listens show, cached or not, and that the rollups are what the live tables say."""
    path = "/insights/total/listens/1"
    track = stage.postgres.execute('SELECT min(id) FROM "Tracks"', ROLLED_UP)
    listens = int(service.get(path)[1])

    def shows(number: int) -> bool:
        return {service.get(path)[1].strip() for _ in range(6)} == {str(number).encode()}

    new = "INSERT INTO \"History\" VALUES (1, '2026-01-02', :track)"
    stage.postgres.execute(new, ROLLED_UP, track=track)
    shown = until(lambda: shows(listens + 1), 10)
    stage.postgres.execute("DELETE FROM \"History\" WHERE user_id = 1 AND played_at = '2026-01-02'", ROLLED_UP)
    gone = until(lambda: shows(listens), 10)
    outcome.expect(max(shown, gone) <= RECOVERY, f"a committed listen shows within 5 s, not {shown:.1f}, {gone:.1f} s")
    try:
        stage.flask(ROLLED_UP, "rollups", "verify")
    except CalledProcessError as error:
        outcome.expect(False, f"the rollups are what the live tables say: {error.stderr!r}")
