"""A circuit breaker: while a part is away, its callers are told at once rather than each finding out by waiting."""

import time
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import TypeVar

import structlog

from app.metrics import CACHE_ERRORS

log = structlog.get_logger(__name__)

Reply = TypeVar("Reply")

# Seconds between two trials of a part that is away.
RETRY_AFTER = 1.0

# Seconds that the first callers of a part that is not connected yet wait for it.
FIRST_TRIAL = 0.2


class CacheUnavailableError(Exception):
    """The cache cannot be used now: answer without it."""


class Breaker:
    """Opens at a failure; then a trial is made outside the requests, at most one a second, until one succeeds.

    So an outage costs time to nobody but those who are there when it begins, however long a trial hangs. It is logged
    once, and so is its end. A breaker that `is_open` from the beginning is for a part that is yet to be connected,
    which its trial does; the first callers wait for that, a moment at most.
    """

    def __init__(
        self,
        event: str,
        failures: tuple[type[Exception], ...],
        trial: Callable[[], object],
        is_open: bool = False,
    ) -> None:
        self._event = event
        self._errors = CACHE_ERRORS.labels(event)
        self._failures = failures
        self._trial = trial
        self._lock = Lock()
        self._open = is_open
        self._is_logged = False
        self._next_trial = 0.0
        self._first_tried = Event()
        self._first_ends = 0.0
        if not is_open:
            self._first_tried.set()

    def run(self, call: Callable[[], Reply]) -> Reply:
        """What the call gives. Raises CacheUnavailableError where it fails, and at once while the breaker is open."""
        if self._open:
            self._try_beside()
            self._first_tried.wait(max(0.0, self._first_ends - time.monotonic()))
            if self._open:
                raise CacheUnavailableError(self._event)
        try:
            return call()
        except CacheUnavailableError:  # another breaker's
            raise
        except self._failures as error:
            self._trip(error)
            raise CacheUnavailableError(self._event) from error

    def _trip(self, error: Exception) -> None:
        self._errors.inc()
        with self._lock:
            self._open = True
            self._next_trial = time.monotonic() + RETRY_AFTER
            is_news, self._is_logged = not self._is_logged, True
        if is_news:
            log.warning(self._event, error=type(error).__name__)

    def _try_beside(self) -> None:
        """Start a trial where one is due."""
        with self._lock:
            now = time.monotonic()
            if not self._open or now < self._next_trial:
                return
            self._next_trial = float("inf")
            self._first_ends = self._first_ends or now + FIRST_TRIAL
        Thread(target=self._try, daemon=True, name=self._event).start()

    def _try(self) -> None:
        try:
            self._trial()
        except Exception as error:  # whatever it is, the part cannot be used
            self._trip(error)
        else:
            with self._lock:
                self._open = False
                was_logged, self._is_logged = self._is_logged, False
            if was_logged:
                log.info(f"{self._event}_over")
        finally:
            self._first_tried.set()
