"""The nearest listeners, against a plain computation."""

from fractions import Fraction
from math import sqrt
from random import Random

import numpy as np
import pytest
from scipy.sparse import csr_array

from app.taste import nearest as module
from app.taste.model import MOST
from app.taste.nearest import nearest

Found = list[tuple[list[int], list[float], list[int]]]


def found(plays: list[list[int]]) -> Found:
    matrix = csr_array(np.array(plays, dtype=np.int64))
    return [(one.rows.tolist(), one.similarities.tolist(), one.shared.tolist()) for one in nearest(matrix)]


def plainly(plays: list[list[int]]) -> Found:
    answers: Found = []
    for row, own in enumerate(plays):
        near = []
        for other, theirs in enumerate(plays):
            product = sum(a * b for a, b in zip(own, theirs, strict=True))
            if other != row and product:
                lengths = sqrt(sum(a * a for a in own) * sum(b * b for b in theirs))
                shared = sum(bool(a and b) for a, b in zip(own, theirs, strict=True))
                near.append((-round(min(product / lengths, 1.0), 9), other, shared))
        near = [one for one in sorted(near) if one[0] < 0][:MOST]
        answers.append(([other for _, other, _ in near], [-value for value, _, _ in near], [one[2] for one in near]))
    return answers


@pytest.mark.parametrize("seed", range(5))
def test_any_matrix(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 7)  # several blocks, and a last one that is shorter
    rng = Random(seed)
    # Few different counts of few artists: many listeners are equally alike, at the cut above all.
    plays = [[rng.choice((0, 0, 1, 1, 2, 5)) for _ in range(6)] for _ in range(250)]
    assert found(plays) == plainly(plays)


def test_everyone_the_same_is_cut_by_id() -> None:
    rows = [one[0] for one in found([[3, 1]] * (MOST + 50))]
    assert rows[0] == list(range(1, MOST + 1))
    assert rows[-1] == list(range(MOST))
    assert rows[50] == [row for row in range(MOST + 1) if row != 50]


def test_a_tie_after_rounding_is_cut_by_id() -> None:
    """The last listeners differ less than a similarity's last digit: the first by id stays, not the most alike."""
    far = 10**6
    plays = [[far, 1], *[[far, 1]] * (MOST - 1), [far, 3], [far, 2]]
    exact = [Fraction(far * far + n, 1) / Fraction(sqrt((far**2 + 1) * (far**2 + n * n))) for n in (3, 2)]
    assert exact[0] < exact[1]
    assert found(plays)[0][0] == list(range(1, MOST + 1))


@pytest.mark.parametrize(
    ("plays", "expected"),
    [
        ([[4]], [([], [], [])]),
        ([[4, 0], [0, 4]], [([], [], [])] * 2),
        ([[1, 3 * 10**9], [1, 0]], [([], [], [])] * 2),  # so little alike that it is 0 when rounded
    ],
    ids=["alone", "nothing in common", "too little in common"],
)
def test_nobody_is_near(plays: list[list[int]], expected: Found) -> None:
    assert found(plays) == expected


def test_without_listeners() -> None:
    assert list(nearest(csr_array((0, 0), dtype=np.int64))) == []
