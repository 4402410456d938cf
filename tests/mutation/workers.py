"""Running tests against mutants, in copies of the project."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, NamedTuple

from app.cli.embedded.server import EmbeddedPostgres
from tests.mutation.mutants import Mutant

NOT_COPIED = (".git", ".venv", ".env", ".data", ".mutants", ".hypothesis", ".*_cache", "node_modules")
TIME_LIMIT = "time limit"

# Exit codes of pytest.
PASSED, FAILED = 0, 1
BROKEN = (3, 5)  # an error of pytest or a plugin, no tests

Tests = dict[str, Any]  # by node id: the seconds that a test takes, and the lines that it runs by file


class Choice(NamedTuple):
    """Tests in the order of their files, with the seconds that each takes; and what to say if they all pass."""

    seconds: dict[str, float]
    note: str


class Verdict(NamedTuple):
    """Whether a mutant was noticed, what noticed it or did not, and how many seconds it took."""

    mutant: Mutant
    noticed: bool
    by: str
    seconds: float


class Worker(NamedTuple):
    """A copy of the project, and the URL of a PostgreSQL server of its own."""

    tree: Path
    url: str

    def record(self, files: list[str]) -> Tests:
        """What the tests in these files take and run, without those that fail or are skipped."""
        if not files:
            return {}
        path = self.tree / "lines.json"
        code, output = self._pytest("--record-lines", str(path), *files)
        if code not in (PASSED, FAILED) or not path.exists():
            raise SystemExit(f"The suite does not run:\n{output}")
        recorded = json.loads(path.read_text())
        for test in recorded["left out"]:
            print(f"Left out, as it is skipped or fails without a mutant: {test}", flush=True)
        tests: Tests = recorded["tests"]
        return tests

    def check(self, choice: Choice) -> None:
        """Raise SystemExit if tests fail without a mutant."""
        code, output = self._run(choice) if choice.seconds else (PASSED, "")
        if code != PASSED:
            raise SystemExit(f"Tests fail without a mutant:\n{output}")

    def try_out(self, mutant: Mutant, choice: Choice) -> Verdict:
        """Run tests against a mutant until one fails."""
        if not choice.seconds:
            return Verdict(mutant, False, choice.note, 0)
        began = time.monotonic()
        file = self.tree / mutant.path
        original = file.read_text()
        file.write_text(mutant.text)
        try:
            code, output = self._run(choice)
        finally:
            file.write_text(original)
        if code in BROKEN:
            raise SystemExit(f"pytest does not work with {mutant.place}:\n{mutant.diff}\n{output}")
        if code == PASSED:
            by = choice.note
        elif failed := re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE):
            by = failed[1]
        else:
            by = TIME_LIMIT if code is None or "KeyboardInterrupt" in output else "import"
        return Verdict(mutant, code != PASSED, by, time.monotonic() - began)

    def _run(self, choice: Choice) -> tuple[int | None, str]:
        path = self.tree / "choice.json"
        path.write_text(json.dumps(choice.seconds))
        files = dict.fromkeys(map(file_of, choice.seconds))
        # The plugin ends a test that takes too long. This is for what the plugin cannot end.
        limit = 120 + 2 * sum(choice.seconds.values())
        return self._pytest("--exitfirst", "--choice", str(path), *files, limit=limit)

    def _pytest(self, *arguments: str, limit: float | None = None) -> tuple[int | None, str]:
        """The exit code of pytest, None after `limit` seconds, and its output."""
        command = [sys.executable, "-m", "pytest", "-p", "tests.mutation.plugin", "-p", "no:cacheprovider", "--tb=no"]
        command += ["--hypothesis-profile", "thorough"]
        environ = os.environ | {"TEST_DATABASE_URL": self.url}
        with TemporaryFile("w+") as output:
            process = subprocess.Popen([*command, *arguments], cwd=self.tree, env=environ, stdout=output, stderr=output)
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
                process.send_signal(signal.SIGINT)  # lets the tests stop their servers
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            output.seek(0)
            return code, output.read()


@contextmanager
def worker() -> Iterator[Worker]:
    """A copy of the project as it is in the working tree, and a server, for the length of the block."""
    with (
        TemporaryDirectory(prefix="songswap-mutants-") as folder,
        EmbeddedPostgres.temporary({"fsync": "off"}) as server,
    ):
        tree = Path(folder) / "project"
        shutil.copytree(".", tree, ignore=shutil.ignore_patterns(*NOT_COPIED))
        yield Worker(tree, server.uri("postgres"))


def file_of(test: str) -> str:
    """The file of a test's node id."""
    return test.partition("::")[0]
