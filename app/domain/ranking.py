"""How a list is ranked, and which page of it is meant."""

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
