"""Times of requests, and what is told of them."""

from collections.abc import Iterable
from typing import NamedTuple


class Times(NamedTuple):
    """Percentiles (nearest rank) of `number` times, in ms.

    p10 is near to what it takes while the machine has nothing else to do.
    """

    p10: float
    p50: float
    p95: float
    p99: float
    number: int

    @classmethod
    def of(cls, times: Iterable[float]) -> "Times":
        ordered = sorted(times)
        p10, p50, p95, p99 = (round(ordered[-(-len(ordered) * percent // 100) - 1], 3) for percent in (10, 50, 95, 99))
        return cls(p10, p50, p95, p99, len(ordered))
