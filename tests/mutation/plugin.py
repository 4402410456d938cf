"""The pytest plugin of `make mutants`: it records the lines that each test runs, or runs a choice of tests."""

import functools
import json
import signal
import sys
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage

from tests.mutation import MUTATED

_LruCache = type(functools.lru_cache(lambda: None))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-lines", metavar="FILE", help="write to FILE which lines each test runs")
    parser.addoption("--choice", metavar="FILE", help="run the tests that FILE names, and end at the first failure")


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("--record-lines"):
        config.pluginmanager.register(Recorder(Path(path)))
    if path := config.getoption("--choice"):
        config.pluginmanager.register(Choice(json.loads(Path(path).read_text())))


class Recorder:
    """Write the duration in seconds of each test that passes, and the lines of MUTATED that it runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._without: set[str] = set()  # tests that failed or were skipped
        self._coverage = Coverage(data_file=None, include=MUTATED, config_file=False)
        self._coverage.set_option("run:core", "ctrace")  # sys.monitoring cannot tell the tests apart
        self._coverage.set_option("run:disable_warnings", ["no-data-collected"])  # some files run nothing of it

    def pytest_sessionstart(self) -> None:
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        # A line that fills a cache of the process counts for each test that needs it, not for the first one alone.
        for name, module in list(sys.modules.items()):
            if name.startswith("app."):
                for value in vars(module).values():
                    if isinstance(value, _LruCache):
                        value.cache_clear()
        self._coverage.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        if not report.passed:
            self._without.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        tests: dict[str, Any] = {
            test: {"seconds": seconds, "lines": {}}
            for test, seconds in self._seconds.items()
            if test not in self._without
        }
        for file in data.measured_files():
            path = str(Path(file).relative_to(Path.cwd()))
            for line, contexts in data.contexts_by_lineno(file).items():
                for test in tests.keys() & set(contexts):
                    tests[test]["lines"].setdefault(path, []).append(line)
        self._path.write_text(json.dumps({"tests": tests, "left out": sorted(self._without)}))


class Choice:
    """Run the tests that are given with their durations in seconds; interrupt the run at one that takes far longer."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        signal.signal(signal.SIGALRM, signal.default_int_handler)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self._seconds]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        signal.setitimer(signal.ITIMER_REAL, 15 + 5 * self._seconds[item.nodeid])
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
