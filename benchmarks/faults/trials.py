"""What a fault is, and what is expected of the service in it."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from subprocess import CalledProcessError
from typing import Any

from benchmarks.faults.load import Sample, load
from benchmarks.faults.stage import Scene, Stage, get

# Seconds after the end of a fault within which all answers are right again.
RECOVERY = 5.0
# Seconds after the end of a fault within which there are hits again.
HITS = 10.0
# Answers before a fault, and after it, without which the trial says nothing.
ENOUGH = 50
# Seconds that a busy machine may need for them.
BUSY = 30.0


@dataclass
class Outcome:
    """What happened, and what was expected in vain. `hits` and `recovery` are seconds from the end of the fault."""

    samples: list[Sample]
    hits: float
    recovery: float = 0.0
    failures: list[str] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> None:
        """Note an expectation that does not hold."""
        if not holds:
            self.failures.append(what)

    @property
    def statuses(self) -> Counter[str]:
        return Counter(sample.status for sample in self.samples)

    @property
    def longest(self) -> float:
        return max(sample.seconds for sample in self.samples)


@dataclass(frozen=True)
class Fault:
    """A fault: `befall` lets it begin and end. No answer may be wrong, and requests have these limits."""

    name: str
    what: str
    expected: str
    befall: Callable[[Scene], None]
    statuses: str = "200 503"
    longest: float = 10.0
    lost: int = 0
    behind_nginx: bool = False

    def run(self, stage: Stage) -> Outcome:
        """Let it befall a service under load, which goes on before, during and after it."""
        with stage.scene(behind_nginx=self.behind_nginx) as scene:
            with load(scene.port, stage.right) as samples:
                stage.wait(2)
                until(lambda: len(samples) >= ENOUGH, BUSY)
                before = len(samples)
                self.befall(scene)
                ended = time.monotonic()
                hits = until(lambda: _hits(scene.port), BUSY)
                time.sleep(max(2.0, (RECOVERY + 1) * stage.hurry))
                until(lambda: samples[-ENOUGH].began > ended, BUSY)
            outcome = Outcome(samples, hits)
            outcome.recovery = max([0.0, *(s.began + s.seconds - ended for s in samples if not s.is_good)])
            outcome.expect(before >= ENOUGH and samples[-ENOUGH].began > ended, "a load before and after")
            outcome.expect(all(sample.is_good for sample in samples[:before]), "all well before")
            self._expect(outcome)
            _expect_upkeep(stage, scene, outcome)
        return outcome

    def _expect(self, outcome: Outcome) -> None:
        notes = [sample.note for sample in outcome.samples if sample.note][:3]
        outcome.expect(all(sample.is_right for sample in outcome.samples), f"no wrong answer, but {notes}")
        outcome.expect(outcome.statuses.keys() <= {*self.statuses.split(), "lost"}, f"statuses {self.statuses}")
        outcome.expect(outcome.statuses["lost"] <= self.lost, f"{self.lost} requests lost at most, but {notes}")
        outcome.expect(outcome.longest <= self.longest, f"no request over {self.longest:g} s")
        outcome.expect(outcome.recovery <= RECOVERY, f"recovery within {RECOVERY:g} s")
        outcome.expect(outcome.hits <= HITS, f"hits within {HITS:g} s")


FAULTS: list[Fault] = []


def fault(what: str, expected: str, **limits: Any) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Add a function to the faults that are tried, under its name; `limits` are fields of Fault."""

    def add(befall: Callable[[Scene], None]) -> Callable[[Scene], None]:
        FAULTS.append(Fault(befall.__name__, what, expected, befall, **limits))
        return befall

    return add


def until(condition: Callable[[], object], seconds: float) -> float:
    """The seconds until a condition holds, infinite where it does not in time."""
    started = time.monotonic()
    while time.monotonic() < started + seconds:
        if condition():
            return time.monotonic() - started
        time.sleep(0.05)
    return float("inf")


def _hits(port: int) -> bool:
    """Whether all workers find the cache; eight answers leave hardly one of them out."""
    path = "/insights/total/listens/1"
    return {get(port, path).cache for _ in range(8)} <= {"HIT", "MISS", "STALE"} and get(port, path).cache == "HIT"


def _expect_upkeep(stage: Stage, scene: Scene, outcome: Outcome) -> None:
    """Expect that committed listens show, cached or not, and that the rollups are what the live tables say."""
    path = "/insights/total/listens/1"
    track = scene.postgres.execute('SELECT min(id) FROM "Tracks"')
    listens = int(get(scene.port, path).body)

    def shows(number: int) -> bool:
        return {get(scene.port, path).body.strip() for _ in range(6)} == {str(number).encode()}

    scene.postgres.execute("INSERT INTO \"History\" VALUES (1, '2026-01-02', %s)", track)
    shown = until(lambda: shows(listens + 1), 10)
    scene.postgres.execute("DELETE FROM \"History\" WHERE user_id = 1 AND played_at = '2026-01-02'")
    gone = until(lambda: shows(listens), 10)
    outcome.expect(max(shown, gone) <= RECOVERY, f"a committed listen shows within 5 s, not {shown:.1f}, {gone:.1f} s")
    try:
        stage.flask("rollups", "verify")
    except CalledProcessError as error:
        outcome.expect(False, f"the rollups are what the live tables say: {error.stderr!r}")
