"""Mutation test, as `make mutants` runs it: change the code in small ways and see whether the tests notice.

1. Every test runs once, and the lines that it runs are recorded: choices.py.
2. A random sample of mutants is made: mutants.py.
3. Against each mutant run the tests that run its statement, until one fails: workers.py.

A mutant is noticed if a test fails, or takes far longer than without it. The exit code is 1 if less than TARGET of the
mutants are noticed. `--longest` leaves out slow tests, which is said of each survivor; raise it to run them.
"""

import argparse
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue

from tests.mutation.choices import Choices, recorded
from tests.mutation.mutants import Mutant, sample
from tests.mutation.workers import TIME_LIMIT, Verdict, Worker, worker

TARGET = 0.9
WORKERS = 2


def main() -> None:
    parser = argparse.ArgumentParser(prog="make mutants", description="See which changes of the code the tests notice.")
    parser.add_argument("--number", type=int, default=200, help="of mutants; default: 200")
    parser.add_argument("--seed", type=int, default=1, help="of the random sample; default: 1")
    parser.add_argument("--only", default="", help="those mutants of the sample whose file:line has this text in it")
    parser.add_argument("--longest", type=float, default=30, help="seconds that a test may take; default: 30")
    arguments = parser.parse_args()
    mutants = [one for one in sample(arguments.number, arguments.seed) if arguments.only in one.place]
    if not mutants:
        parser.error("there is no such mutant")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # removes the copies and servers, as Ctrl-C does
    with ExitStack() as stack:
        workers = [stack.enter_context(worker()) for _ in range(WORKERS)]
        pool = stack.enter_context(ThreadPoolExecutor(WORKERS))
        choices = Choices(recorded(workers, pool), arguments.longest)
        list(pool.map(Worker.check, workers, [choices.quickest(mutants)] * WORKERS))
        free: SimpleQueue[Worker] = SimpleQueue()
        for one in workers:
            free.put(one)

        def try_out(mutant: Mutant) -> Verdict:
            worker = free.get()
            try:
                return worker.try_out(mutant, choices.of(mutant))
            finally:
                free.put(worker)

        verdicts = []
        for verdict in pool.map(try_out, mutants):
            verdicts.append(verdict)
            print(f"{len(verdicts):>3}/{len(mutants)} {_line(verdict)}", flush=True)
    raise SystemExit(_report(verdicts))


def _report(verdicts: list[Verdict]) -> int:
    """Print the mutants that survived and the share that was noticed; 1 if that is less than TARGET, else 0."""
    survivors = [verdict for verdict in verdicts if not verdict.noticed]
    for survivor in sorted(survivors):
        print(f"\n{_line(survivor)}\n{survivor.mutant.diff}")
    share = 1 - len(survivors) / len(verdicts)
    slow = sum(verdict.by == TIME_LIMIT for verdict in verdicts)
    print(
        f"\n{len(verdicts) - len(survivors)} of {len(verdicts)} mutants noticed: {share:.1%} ({slow} by a time limit)"
    )
    return int(share < TARGET)


def _line(verdict: Verdict) -> str:
    word = "noticed" if verdict.noticed else "SURVIVED"
    return f"{word:<8} {verdict.seconds:>4.0f} s  {verdict.mutant.place} {verdict.mutant.operator}: {verdict.by}"


if __name__ == "__main__":
    main()
