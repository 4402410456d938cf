"""What every measure that gives a list gives."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

Row = TypeVar("Row", covariant=True)


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """One page of a list, how many rows it has over all pages, and when it was computed if that was ahead."""

    rows: list[Row]
    total: int
    computed_at: datetime | None = None
