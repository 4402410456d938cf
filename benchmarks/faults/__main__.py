"""Try every fault, and write what happened to docs/reliability.md.

    python -m benchmarks.faults                         all of it, a quarter of an hour
    python -m benchmarks.faults --only redis slow       those whose name has one of these texts in it; writes nothing
    python -m benchmarks.faults --only load

Needs the packages of requirements-dev.txt. The exit code is 1 where an expectation does not hold.
"""

import argparse
import traceback
from pathlib import Path

from app.cli.demo import Size
from benchmarks.faults import database, redis_cache, service  # noqa: F401  # they add to FAULTS
from benchmarks.faults.capacity import Figures, measure
from benchmarks.faults.report import render
from benchmarks.faults.stage import Stage
from benchmarks.faults.trials import FAULTS, RECOVERY, Fault, Outcome

SIZE = Size(users=50, listens=60_000, artists=200)
LOAD = "load"
REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"


def main() -> None:
    parser = argparse.ArgumentParser(description="Try every fault, and write docs/reliability.md.")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help=f"try what has this in its name, or {LOAD}")
    parser.add_argument("--seconds", type=float, default=60, help="of the open loop (60)")
    parser.add_argument("--rounds", type=int, default=3, help="of the load at most, until the machine is steady (3)")
    chosen = parser.parse_args()
    tried: list[tuple[Fault, Outcome]] = []
    figures: list[Figures] = []
    with Stage.set_up(SIZE) as stage:
        for fault in FAULTS:
            if chosen.only and not any(text in fault.name for text in chosen.only):
                continue
            try:
                outcome = fault.run(stage)
            except Exception as error:  # the trial itself broke; the others are tried all the same
                traceback.print_exc()
                outcome = Outcome(failures=[f"the trial broke: {type(error).__name__}"])
                stage.mend()
            tried.append((fault, outcome))
            print(
                f"{fault.name}: {dict(outcome.statuses)} wrong {outcome.wrong} stale {outcome.stale} "
                f"longest {outcome.longest:.2f} s recovery {outcome.recovery} {outcome.remarks or ''}",
                flush=True,
            )
            for failure in outcome.failures:
                print(f"    FAILED: {failure}", flush=True)
        if not chosen.only or LOAD in chosen.only:
            figures = measure(stage, chosen.seconds, chosen.rounds)
            for figure in figures:
                print(figure, figure.failures or "", flush=True)
    if not chosen.only:
        REPORT.write_text(render(tried, figures, RECOVERY))
    last = {figure.cache: figure for figure in figures}
    failed = any(outcome.failures for _, outcome in tried) or any(figure.failures for figure in last.values())
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
