"""The mutation test: what it mutates is there, and which lines stand for a mutant."""

from collections import Counter
from pathlib import Path

import pytest

from tests.mutation import MUTATED, mutants

SOURCE = """\
@dataclass(frozen=True)
class Span:
    start: int | None = 1

    @property
    def length(self) -> int:
        try:
            if self.start and (
                self.start > 2
            ):
                return 3
        except ValueError:
            return -1
        return sum(
            [4, 5]
        )


class Shape(Protocol):
    sides: int = 6
"""


@pytest.mark.parametrize("pattern", MUTATED)
def test_what_is_mutated_is_there(pattern: str) -> None:
    assert list(Path().glob(pattern))


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        pytest.param(1, range(1, 17), id="the head of a class stands for the class"),
        pytest.param(3, range(3, 4), id="a field"),
        pytest.param(5, range(5, 17), id="the head of a function stands for the function"),
        pytest.param(9, range(8, 11), id="the head of an if"),
        pytest.param(11, range(11, 12), id="what is in an if"),
        pytest.param(12, range(12, 13), id="an except"),
        pytest.param(15, range(14, 17), id="a statement of several lines"),
    ],
)
def test_the_lines_of_a_statement(line: int, lines: range) -> None:
    assert mutants.statement(SOURCE, line) == lines


def test_mutants_are_of_code_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "span.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mutants, "MUTATED", ["*.py"])

    sample = mutants.sample(100, seed=1)

    assert sample == mutants.sample(100, seed=1)
    # Two decorators; `1`; the condition, `and`, `>` and `2`; `3`; the exception; `-` and `1`; `4` and `5`.
    assert Counter(mutant.line for mutant in sample) == {1: 1, 3: 1, 5: 1, 8: 2, 9: 2, 11: 1, 12: 1, 13: 2, 15: 2}
    assert all(mutant.diff for mutant in sample)
