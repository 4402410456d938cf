"""How a list is ranked, and which page of it is meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
DEFAULT_CHART_LIMIT = 5
MAX_CHART_LIMIT = 20
MAX_OFFSET = 10_000


class SortBy(StrEnum):
    """The measure that a list is ranked by."""

    COUNT = "count"
    LISTEN_TIME = "listen_time"


@dataclass(frozen=True)
class Page:
    """A part of a list: `limit` rows after the first `offset`."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0


@dataclass(frozen=True)
class Ranking(Page):
    """A page of a list in descending order of a measure; `compare` adds each row's place in the window before."""

    by: SortBy = SortBy.COUNT
    compare: bool = False


def competition_ranks(values: Sequence[float]) -> list[int]:
    """The ranks of values in descending order: equal ones have the first one's (1, 1, 3)."""
    ranks: list[int] = []
    for place, value in enumerate(values):
        ranks.append(ranks[-1] if place and value == values[place - 1] else place + 1)
    return ranks
