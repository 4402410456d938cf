"""An outage costs those who are there when it begins, and nobody after them."""

import threading
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.cache import breaker
from app.cache.breaker import Breaker, CacheUnavailableError
from benchmarks.faults.servers import wait_until


class Part:
    """Something that can be away."""

    def __init__(self) -> None:
        self.is_away = False
        self.calls = self.trials = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def call(self) -> str:
        self.calls += 1
        return self._answer()

    def try_it(self) -> None:
        self.trials += 1
        self._answer()

    def _answer(self) -> str:
        self.may_answer.wait(20)
        if self.is_away:
            raise OSError("away")
        return "here"


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Part:
    monkeypatch.setattr(breaker, "RETRY_AFTER", 0.1)
    return Part()


def make(part: Part, **options: Any) -> Breaker:
    return Breaker("part_away", (OSError,), part.try_it, **options)


def is_refused(made: Breaker, part: Part) -> bool:
    try:
        made.run(part.call)
    except CacheUnavailableError:
        return True
    return False


def test_while_it_is_closed_calls_go_through(part: Part) -> None:
    made = make(part)
    assert [made.run(part.call) for _ in range(3)] == ["here"] * 3
    assert part.trials == 0


def test_a_fault_of_another_kind_is_not_an_outage(part: Part) -> None:
    made = make(part)
    with pytest.raises(ZeroDivisionError):
        made.run(lambda: 1 / 0)
    assert not is_refused(made, part)


def test_after_a_failure_no_call_is_made_until_a_trial_succeeds(part: Part) -> None:
    made = make(part)
    part.is_away = True
    assert is_refused(made, part)
    assert part.calls == 1
    wait_until(lambda: is_refused(made, part) and part.trials >= 2)
    assert part.calls == 1
    part.is_away = False
    wait_until(lambda: not is_refused(made, part))


def test_a_trial_that_hangs_holds_nobody(part: Part) -> None:
    made = make(part)
    part.is_away = True
    assert is_refused(made, part)
    part.may_answer.clear()
    wait_until(lambda: is_refused(made, part) and part.trials)
    assert all(is_refused(made, part) for _ in range(1000))
    assert (part.calls, part.trials) == (1, 1)
    part.is_away = False
    part.may_answer.set()
    wait_until(lambda: not is_refused(made, part))


def test_an_outage_is_logged_once_and_so_is_its_end(part: Part) -> None:
    made = make(part)
    with capture_logs() as logged:
        for _ in range(2):
            part.is_away, part.trials = True, 0
            wait_until(lambda: is_refused(made, part) and part.trials > 2)
            part.is_away = False
            wait_until(lambda: not is_refused(made, part))
    assert [(line["event"], line["log_level"]) for line in logged] == [
        ("part_away", "warning"),
        ("part_away_over", "info"),
    ] * 2


def test_what_is_yet_to_be_connected_is_waited_for(part: Part) -> None:
    made = make(part, is_open=True)
    assert made.run(part.call) == "here"
    assert part.trials == 1


def test_but_not_for_long(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "FIRST_TRIAL", 0.05)
    part.may_answer.clear()
    made = make(part, is_open=True)
    assert is_refused(made, part)
    assert all(is_refused(made, part) for _ in range(1000))
    assert part.calls == 0
    part.may_answer.set()
    wait_until(lambda: not is_refused(made, part))
