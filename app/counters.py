"""Counts of what one caller does, in windows of time that begin with the first of it."""

from typing import NamedTuple, Protocol


class Window(NamedTuple):
    """The number of hits, and the instant (in seconds since 1970) at which counting starts at 0 again."""

    hits: int
    ends: float


class Counters(Protocol):
    """Where is counted. Each call may raise CacheUnavailableError."""

    def hit(self, key: str, seconds: int) -> Window:
        """Count one hit. If it opens a window, that ends after `seconds`."""

    def window(self, key: str) -> Window:
        """What was counted."""
