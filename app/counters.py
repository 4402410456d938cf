"""Counts of what one caller does, in windows of time that begin with the first of it."""

import time
from collections.abc import Callable
from math import ceil
from threading import Lock
from typing import NamedTuple, Protocol

# Callers that one process keeps counts of.
MOST = 10_000


class Window(NamedTuple):
    """The number of hits, and the instant (in seconds since 1970) at which counting starts at 0 again."""

    hits: int
    ends: float

    @property
    def seconds_left(self) -> int:
        """Whole seconds until then, at least 1."""
        return max(1, ceil(self.ends - time.time()))

    def headers(self, allowed: int) -> dict[str, str]:
        """The `RateLimit` headers under a limit of `allowed` hits."""
        return {
            "RateLimit-Limit": str(allowed),
            "RateLimit-Remaining": str(max(0, allowed - self.hits)),
            "RateLimit-Reset": str(self.seconds_left),
        }


class Counters(Protocol):
    """Where is counted. Each call may raise CacheUnavailableError."""

    def hit(self, key: str, seconds: int) -> Window:
        """Count one hit. If it opens a window, that ends after `seconds`."""

    def window(self, key: str) -> Window:
        """What was counted."""


class LocalCounters:
    """Counts in the memory of one process. Where there are too many, the oldest window makes room."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[str, Window] = {}
        self._lock = Lock()

    def hit(self, key: str, seconds: int) -> Window:
        with self._lock:
            now = self._clock()
            window = self._windows.get(key)
            if window is None or window.ends <= now:
                self._windows.pop(key, None)
                window = Window(0, now + seconds)
            window = self._windows[key] = Window(window.hits + 1, window.ends)
            if len(self._windows) > MOST:
                del self._windows[next(iter(self._windows))]
        return window

    def window(self, key: str) -> Window:
        now = self._clock()
        window = self._windows.get(key)
        return window if window is not None and window.ends > now else Window(0, now)
