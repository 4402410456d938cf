"""Times of requests, and what is told of them."""

from collections.abc import Iterable
from typing import NamedTuple


class Times(NamedTuple):
    """Percentiles (nearest rank) of `number` times, in ms."""

    p50: float
    p95: float
    p99: float
    number: int

    @classmethod
    def of(cls, times: Iterable[float]) -> "Times":
        ordered = sorted(times)
        p50, p95, p99 = (ordered[-(-len(ordered) * percent // 100) - 1] for percent in (50, 95, 99))
        return cls(round(p50, 3), round(p95, 3), round(p99, 3), len(ordered))
