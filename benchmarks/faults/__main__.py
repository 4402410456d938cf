"""Try every fault, and write what happened to docs/reliability.md.

    python -m benchmarks.faults                         all of it, some minutes
    python -m benchmarks.faults --only redis killed     those whose name has one of these texts in it; writes nothing

Needs the packages of requirements-dev.txt, and nginx. The exit code is 1 where an expectation does not hold.
"""

import argparse

from app.cli.demo import Size
from benchmarks.faults import database, redis_cache, report, service  # noqa: F401  # they add to FAULTS
from benchmarks.faults.stage import Stage
from benchmarks.faults.trials import FAULTS, Fault, Outcome
from tests.support.faulty_servers import NGINX

SIZE = Size(users=50, listens=60_000, artists=200)


def main() -> None:
    parser = argparse.ArgumentParser(description="Try every fault, and write docs/reliability.md.")
    parser.add_argument("--only", nargs="+", metavar="TEXT", default=[""], help="try what has this in its name")
    only = parser.parse_args().only
    if NGINX is None:
        raise SystemExit("nginx is not installed (Debian: apt install nginx-light)")
    tried: list[tuple[Fault, Outcome]] = []
    with Stage.set_up(SIZE) as stage:
        for fault in FAULTS:
            if any(text in fault.name for text in only):
                outcome = fault.run(stage)
                tried.append((fault, outcome))
                print(
                    f"{fault.name}: {dict(outcome.statuses)} longest {outcome.longest:.2f} s, "
                    f"recovery {outcome.recovery:.1f} s, hits {outcome.hits:.1f} s",
                    *(f"\n    FAILED: {failure}" for failure in outcome.failures),
                    flush=True,
                )
        postgresql = stage.postgres.execute("SHOW server_version")
    if only == [""]:
        report.write(tried, postgresql)
    raise SystemExit(any(outcome.failures for _, outcome in tried))


if __name__ == "__main__":
    main()
