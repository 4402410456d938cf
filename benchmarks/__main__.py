"""`python -m benchmarks`, which `make bench` runs: measure everything, and write docs/benchmarks/."""

import argparse
import logging
import signal
import sys
from pathlib import Path
from types import FrameType

from click import ClickException

from benchmarks.platforms import SIZES
from benchmarks.report import FOLDER, write
from benchmarks.run import QUICK, Effort, measure
from benchmarks.targets import rows


def sizes(text: str) -> dict[str, int]:
    """Sizes by name: those of SIZES, or plain numbers of listens."""
    try:
        return {name: SIZES.get(name) or int(name) for name in text.split(",")}
    except ValueError:
        raise argparse.ArgumentTypeError(f"takes {', '.join(SIZES)} and numbers, not {text}") from None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure everything.")
    parser.add_argument(
        "--sizes", type=sizes, default="S,M", help="S (1 M listens), M (10 M), L (100 M), or numbers; default: S,M"
    )
    parser.add_argument("--quick", action="store_true", help="few questions and rounds: to see that it works")
    parser.add_argument("--rounds", type=int, default=Effort.rounds, help="of each question")
    parser.add_argument("--keys", type=int, default=Effort.keys, help="different cache keys, for the worker's memory")
    parser.add_argument("--output", type=Path, default=FOLDER, help="default: docs/benchmarks")
    arguments = parser.parse_args()
    # SIGTERM as Ctrl-C: what was started is stopped, and what was made is removed.
    signal.signal(signal.SIGTERM, _interrupt)
    logging.disable()
    effort = QUICK if arguments.quick else Effort(rounds=arguments.rounds, keys=arguments.keys)
    try:
        results = measure(arguments.sizes, effort, lambda line: print(line, flush=True))
    except ClickException as error:
        raise SystemExit(error.message) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    write(results, arguments.output.resolve())
    print()
    for row in rows(results):
        print(f"{row.verdict:>16}  {row.what}: {row.measured}; target {row.target}")
    print(f"\nThe report is in {arguments.output}", file=sys.stderr)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
