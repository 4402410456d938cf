"""The nearest listeners of each: the cosine of every two vectors of listens by primary artist.

Needs SciPy (requirements-batch.txt). Counts and their products are whole numbers, so that a similarity is, to the last
bit, the one that a comparison of the two users gives.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.taste.model import DIGITS, MOST

# Rows whose products with all others are in memory at a time: 12 bytes a pair.
BLOCK = 200


class Nearest(NamedTuple):
    """The nearest of one row, nearest first, then by row: parallel arrays."""

    rows: NDArray[np.int32]
    similarities: NDArray[np.float64]
    shared: NDArray[np.int32]


def nearest(plays: csr_array) -> Iterator[Nearest]:
    """For each row of a matrix of whole numbers, up to 100 others with a similarity above 0, rounded to 9 decimals.

    `shared` is in how many columns both rows have something.
    """
    columns = plays.T.tocsr()
    has = plays.astype(bool).astype(np.int32)
    squares = np.asarray(plays.astype(np.float64).power(2).sum(axis=1))
    for start in range(0, plays.shape[0], BLOCK):
        products = plays[start : start + BLOCK] @ columns
        for row, (first, end) in enumerate(zip(products.indptr, products.indptr[1:], strict=False), start):
            rows, product = products.indices[first:end], products.data[first:end]
            cosines = np.minimum(product / np.sqrt(squares[rows] * squares[row]), 1.0)
            others = rows != row
            rows, similarities = _best(rows[others], cosines[others])
            own = np.zeros(plays.shape[1], np.int32)
            own[plays.indices[plays.indptr[row] : plays.indptr[row + 1]]] = 1
            yield Nearest(rows, similarities, has[rows] @ own)


def _best(rows: NDArray[np.int32], cosines: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The first rows by rounded cosine, descending, then by row."""
    if len(rows) > MOST:
        # What rounds to the same as the last of them is less than a last digit away.
        candidates = cosines > np.partition(cosines, -MOST)[-MOST] - 2 * 10.0**-DIGITS
        rows, cosines = rows[candidates], cosines[candidates]
    # Python rounds correctly, NumPy nearly so.
    distinct, places = np.unique(cosines, return_inverse=True)
    rounded = np.array([round(value, DIGITS) for value in distinct.tolist()])[places] if len(rows) else cosines
    order = np.lexsort((rows, -rounded))[:MOST]
    order = order[rounded[order] > 0]
    return rows[order], rounded[order]
