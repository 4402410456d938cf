"""A circuit breaker: while a part is away, its callers are told at once rather than each finding out by waiting."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import structlog

log = structlog.get_logger(__name__)


class CacheUnavailableError(Exception):
    """The cache cannot be used now: answer without it."""


class Breaker:
    """Opens at a failure; after `retry_after` seconds lets one caller try, and closes when that one succeeds.

    An outage is logged once, and so is its end, whatever the number of requests between.
    """

    def __init__(self, event: str, failures: tuple[type[Exception], ...], retry_after: float = 1.0) -> None:
        self._event = event
        self._failures = failures
        self._retry_after = retry_after
        self._lock = Lock()
        self._failing = False
        self._next_try = 0.0

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Run a call. Raises CacheUnavailableError where it fails, and at once while the breaker is open."""
        with self._lock:
            if self._failing:
                now = time.monotonic()
                if now < self._next_try:
                    raise CacheUnavailableError(self._event)
                self._next_try = now + self._retry_after
        try:
            yield
        except self._failures as error:
            self.trip(error)
            raise CacheUnavailableError(self._event) from error
        if self._failing:
            self._close()

    def trip(self, error: Exception) -> None:
        """Note a failure."""
        with self._lock:
            first, self._failing = not self._failing, True
            self._next_try = time.monotonic() + self._retry_after
        if first:
            log.warning(self._event, error=type(error).__name__)

    def _close(self) -> None:
        with self._lock:
            was_failing, self._failing = self._failing, False
        if was_failing:
            log.info(self._event + "_over")
