"""Which tests run against a mutant: those that run its statement, file by file, the quickest file first.

If no test runs the statement, as with a constant of a module, they are the tests that run anything of the module. What
runs in another process, such as gunicorn, is not recorded: a test is chosen by what it runs in its own.
"""

import json
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from tests.mutation.mutants import Mutant, statement
from tests.mutation.workers import Choice, Tests, Worker, file_of

# Kept until the code changes, or the file of the test.
LINES = Path(".mutants/lines.json")

WHOLE_FILE = 0  # in place of a line


def recorded(workers: list[Worker], pool: ThreadPoolExecutor) -> Tests:
    """What each test takes and runs: from LINES, or recorded now."""
    files = sorted(str(path) for path in Path("tests").rglob("test_*.py"))
    code = [path for top in ("app", "benchmarks", "tests") for path in sorted(Path(top).rglob("*.py"))]
    shared = sha256(b"".join(path.read_bytes() for path in code if str(path) not in files)).digest()
    keys = {file: sha256(shared + Path(file).read_bytes()).hexdigest() for file in files}
    known = json.loads(LINES.read_text()) if LINES.exists() else {}
    kept = {file: known[file] for file in files if known.get(file, {}).get("key") == keys[file]}
    if missing := [file for file in files if file not in kept]:
        print(f"Recording the lines that tests run. Files of tests: {len(missing)}", flush=True)
        kept |= {file: {"key": keys[file], "tests": {}} for file in missing}
        for tests in pool.map(Worker.record, workers, [missing[n :: len(workers)] for n in range(len(workers))]):
            for test, found in tests.items():
                kept[file_of(test)]["tests"][test] = found
        LINES.parent.mkdir(exist_ok=True)
        LINES.write_text(json.dumps(kept))
    return {test: found for one in kept.values() for test, found in one["tests"].items()}


class Choices:
    """The tests for any mutant, of those that take at most `longest` seconds."""

    def __init__(self, tests: Tests, longest: float) -> None:
        self._seconds = {test: found["seconds"] for test, found in tests.items()}
        self._longest = longest
        self._by_line: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        for test, found in tests.items():
            for path, lines in found["lines"].items():
                for line in (WHOLE_FILE, *lines):
                    self._by_line[path, line].add(test)

    def of(self, mutant: Mutant) -> Choice:
        """The tests for a mutant."""
        note = ""
        lines = statement(Path(mutant.path).read_text(), mutant.line)
        if not (tests := set[str]().union(*(self._by_line[mutant.path, line] for line in lines))):
            tests, note = self._by_line[mutant.path, WHOLE_FILE], ", which run its module but not this line"
        quick = [test for test in tests if self._seconds[test] <= self._longest]
        if len(quick) < len(tests):
            note += f"; {len(tests) - len(quick)} longer ones are left out"
        totals: defaultdict[str, float] = defaultdict(float)
        for test in quick:
            totals[file_of(test)] += self._seconds[test]
        order = sorted(quick, key=lambda test: (totals[file_of(test)], test))
        return Choice({test: self._seconds[test] for test in order}, f"passes {len(quick)} tests{note}")

    def quickest(self, mutants: list[Mutant]) -> Choice:
        """The tests that take the least time, of those for one of these mutants."""
        found = [choice for choice in map(self.of, mutants) if choice.seconds]
        return min(found, key=lambda choice: sum(choice.seconds.values()), default=Choice({}, ""))
