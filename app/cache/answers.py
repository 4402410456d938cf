"""How an answer is found: fresh in the cache, stale in the cache, or computed by one caller for all."""

import random
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from enum import StrEnum
from threading import Lock
from typing import NamedTuple

from flask import Response, current_app
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import ServiceUnavailable

from app.cache import generations
from app.cache.backends import Backend, CacheUnavailableError
from app.cache.entries import Entry
from app.cache.keys import Question
from app.database.outages import unavailable
from app.telemetry.metrics import CACHE_ANSWERS

# Seconds between two looks at whether another process has the answer.
POLL = 0.03

# Seconds after a refresh that failed because the database is away, in which this process serves what is stale at once:
# to find out that a database does not answer may take long.
NEXT_REFRESH = 1.0

# The part of an entry's time by which it may be shorter, so that entries written together do not expire together.
JITTER = 0.1


class State(StrEnum):
    """What the header `X-Cache` says of an answer."""

    HIT = "HIT"  # from the cache, or from the caller that computed it while this one waited
    MISS = "MISS"  # computed
    STALE = "STALE"  # past its time; another caller is computing it again, or nobody can
    BYPASS = "BYPASS"  # computed, with no cache to keep it


COUNTERS = {state: CACHE_ANSWERS.labels(state.value) for state in State}


class Found(NamedTuple):
    """An answer and its cache state."""

    entry: Entry
    state: State


class NotKept(Exception):
    """The computation gave a response that the cache is not to keep."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class StillComputedError(ServiceUnavailable):
    """Another caller still computes the answer when this one's time is over. A second computation would end later."""

    def __init__(self) -> None:
        super().__init__("The answer is still being computed", retry_after=5)


class Asked(NamedTuple):
    """A question, how to compute its answer, and the seconds that this is fresh, and may be served stale after that."""

    question: Question
    compute: Callable[[], Response]
    fresh: float
    stale: float

    def computed(self, state: State) -> Found:
        """The answer, computed now. Raises what `compute` raises."""
        asked_at = now()
        response = self.compute()
        fresh_until = asked_at + self.fresh * random.uniform(1 - JITTER, 1)
        serve_until = fresh_until + self.stale
        if (until := self.question.until) is not None:
            # From then on "now" is another day, and this the answer to another question.
            fresh_until, serve_until = min(fresh_until, until), min(serve_until, until)
        return Found(Entry.of(response, fresh_until, serve_until), state)

    def read(self, stored: bytes | None) -> Entry | None:
        """The answer that is kept; None for one from a time to come, when the clock was ahead."""
        entry = Entry.read(stored)
        return entry if entry is not None and entry.fresh_until <= now() + self.fresh else None


_no_refresh_until = 0.0
_flights: dict[str, Future[Found]] = {}
_flights_lock = Lock()


def find(store: Backend, asked: Asked) -> Found:
    """The answer to a question.

    Of any number of callers that lack it, in all processes that share the backend, one computes it; the others are
    served the stale answer where there is one, and wait where there is none, at most DATABASE_STATEMENT_TIMEOUT; then
    that raises StillComputedError. Where the database is away, the stale answer is served. Raises what the computation
    raises.
    """
    try:
        key, stored = generations.look_up(store, asked.question)
    except CacheUnavailableError:
        return asked.computed(State.BYPASS)
    entry = asked.read(stored)
    instant = now()
    if entry is not None and instant < entry.fresh_until:
        return Found(entry, State.HIT)
    stale = entry if entry is not None and instant < entry.serve_until else None
    if stale and time.monotonic() < _no_refresh_until:
        return Found(stale, State.STALE)
    with _flights_lock:
        flight = _flights.get(key)
        leads = flight is None
        if flight is None:
            flight = _flights[key] = Future()
    if not leads:
        return Found(stale, State.STALE) if stale else _wait(flight, asked)
    try:
        found = _lead(store, key, stale, asked)
        flight.set_result(found)
        return found
    except BaseException as error:
        flight.set_exception(error)
        raise
    finally:
        with _flights_lock:
            del _flights[key]


def _wait(flight: Future[Found], asked: Asked) -> Found:
    """The answer of the caller in this process that is computing it."""
    try:
        return as_waited_for(flight.result(current_app.config["DATABASE_STATEMENT_TIMEOUT"]))
    except NotKept:
        return asked.computed(State.BYPASS)
    except TimeoutError:
        raise StillComputedError from None


def as_waited_for(found: Found) -> Found:
    """What another caller found, to one who waited for it."""
    return Found(found.entry, State.HIT if found.state is State.MISS else found.state)


def _lead(store: Backend, key: str, stale: Entry | None, asked: Asked) -> Found:
    """The answer for all callers in this process: another process's, or one computed here."""
    deadline = time.monotonic() + current_app.config["DATABASE_STATEMENT_TIMEOUT"]
    try:
        while (release := store.lock(key)) is None:
            if stale:
                return Found(stale, State.STALE)
            if time.monotonic() > deadline:
                raise StillComputedError
            time.sleep(POLL)
            if fresh := _fresh(store, key, asked):
                return fresh
    except CacheUnavailableError:
        return asked.computed(State.BYPASS)
    try:
        return _compute(store, key, stale, asked)
    finally:
        release()


def _compute(store: Backend, key: str, stale: Entry | None, asked: Asked) -> Found:
    """The answer for all callers in all processes."""
    global _no_refresh_until
    with suppress(CacheUnavailableError):
        if fresh := _fresh(store, key, asked):  # another process was done just before the lock was ours
            return fresh
    try:
        found = asked.computed(State.MISS)
    except SQLAlchemyError as error:
        if stale is None or now() >= stale.serve_until or not unavailable(error):
            raise
        _no_refresh_until = time.monotonic() + NEXT_REFRESH
        return Found(stale, State.STALE)
    try:
        store.set(key, found.entry.dump(), timeout=max(1, round(found.entry.serve_until - now())))
    except CacheUnavailableError:
        return Found(found.entry, State.BYPASS)
    return found


def _fresh(store: Backend, key: str, asked: Asked) -> Found | None:
    entry = asked.read(store.get_many(key)[0])
    return Found(entry, State.HIT) if entry is not None and now() < entry.fresh_until else None


def count(store: Backend, state: State) -> None:
    """Count an answer by its state: for the fleet, and for `/metrics`."""
    store.count(state)
    COUNTERS[state].inc()


def now() -> float:
    """The present instant, in seconds since 1970."""
    instant: float = current_app.config["CLOCK"]().timestamp()
    return instant
