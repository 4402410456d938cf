"""What every measure that gives a list gives."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row", covariant=True)


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """One page of a list, and how many rows the list has over all pages."""

    rows: list[Row]
    total: int
