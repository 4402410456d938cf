"""How an answer is found: fresh in the cache, stale in the cache, or computed by one caller for all."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from enum import StrEnum
from threading import Event, Lock, Thread
from typing import NamedTuple

from flask import Response, current_app
from sqlalchemy.exc import SQLAlchemyError

from app.cache import generations
from app.cache.backends import ProcessLock, backend
from app.cache.breaker import CacheUnavailableError
from app.cache.entries import Entry
from app.cache.keys import Question
from app.errors import unavailable

# Seconds between two looks at whether another process has the answer.
POLL = 0.03

# Seconds that a request may lose to a slow cache before it goes on without; a last call may take as much again.
PATIENCE = 0.12

# The part of an entry's time by which it may be shorter, so that entries written together do not expire together.
JITTER = 0.1


class State(StrEnum):
    """What the header `X-Cache` says of an answer."""

    HIT = "HIT"  # from the cache, or from the caller that computed it while this one waited
    MISS = "MISS"  # computed
    STALE = "STALE"  # past its time, while another caller computes it anew, or where nobody can
    BYPASS = "BYPASS"  # computed, with no cache to keep it


class Found(NamedTuple):
    """An answer, and how it was come by."""

    entry: Entry
    state: State


class Times(NamedTuple):
    """Seconds that an answer is fresh, and that it may be served stale after that."""

    fresh: float
    stale: float


class NotKept(Exception):
    """The computation gave a response that the cache is not to keep."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Patience:
    """How long the calls to the backend have taken one request."""

    def __init__(self) -> None:
        self.spent = 0.0

    @contextmanager
    def call(self) -> Iterator[None]:
        """Time a call. Raises CacheUnavailableError where the calls before took too long."""
        if self.spent > PATIENCE:
            raise CacheUnavailableError("the cache is slow")
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spent += time.perf_counter() - started


_flights: dict[str, Future[Found]] = {}
_flights_lock = Lock()


def find(question: Question, compute: Callable[[], Response], times: Times) -> Found:
    """The answer to a question.

    Of any number of callers that lack it, in all processes that share the backend, one computes it; the others are
    served the stale answer where there is one, and wait where there is none, at most DATABASE_STATEMENT_TIMEOUT. Where
    the database is away, the stale answer is served. Raises what `compute` raises.
    """
    patience = Patience()
    try:
        with patience.call():
            key, entry = _look_up(question)
    except CacheUnavailableError:
        return _computed(compute, question, times, State.BYPASS)
    now = _now()
    if entry is not None and now < entry.fresh_until:
        return Found(entry, State.HIT)
    stale = entry if entry is not None and now < entry.serve_until else None
    with _flights_lock:
        flight = _flights.get(key)
        leads = flight is None
        if flight is None:
            flight = _flights[key] = Future()
    if not leads:
        return Found(stale, State.STALE) if stale else _wait(flight, compute, question, times)
    try:
        found = _lead(key, stale, question, compute, times, patience)
    except BaseException as error:
        flight.set_exception(error)
        raise
    else:
        flight.set_result(found)
        return found
    finally:
        with _flights_lock:
            del _flights[key]


def _look_up(question: Question) -> tuple[str, Entry | None]:
    """The answer's key in the generations of now, and what is there."""
    key = question.key(generations.current(question.users))
    return key, Entry.read(backend().get_many(key)[0])


def _wait(flight: Future[Found], compute: Callable[[], Response], question: Question, times: Times) -> Found:
    """The answer of the caller in this process that is computing it."""
    try:
        return Found(flight.result(current_app.config["DATABASE_STATEMENT_TIMEOUT"]).entry, State.HIT)
    except (TimeoutError, NotKept):
        return _computed(compute, question, times, State.BYPASS)


def _lead(
    key: str,
    stale: Entry | None,
    question: Question,
    compute: Callable[[], Response],
    times: Times,
    patience: Patience,
) -> Found:
    """The answer for all callers in this process: another process's, or one computed here."""
    lock = backend().lock(key)
    deadline = time.monotonic() + current_app.config["DATABASE_STATEMENT_TIMEOUT"]
    try:
        while True:
            with patience.call():
                is_ours = lock.acquire(blocking=False)
            if is_ours:
                break
            if stale:
                return Found(stale, State.STALE)
            if time.monotonic() > deadline:
                return _computed(compute, question, times, State.BYPASS)
            time.sleep(POLL)
            patience.spent = 0.0  # this is waiting for the answer, not for the cache
            if fresh := _fresh(key, patience):
                return fresh
    except CacheUnavailableError:
        return _computed(compute, question, times, State.BYPASS)
    with _held(lock):
        with suppress(CacheUnavailableError):
            if fresh := _fresh(key, patience):  # another process was done just before the lock was ours
                return fresh
        try:
            entry = _computed(compute, question, times, State.MISS).entry
        except SQLAlchemyError as error:
            if stale is not None and unavailable(error):
                return Found(stale, State.STALE)
            raise
        try:
            with patience.call():
                backend().set(key, entry.dump(), timeout=max(1, round(entry.serve_until - _now())))
        except CacheUnavailableError:
            return Found(entry, State.BYPASS)
        return Found(entry, State.MISS)


def _fresh(key: str, patience: Patience) -> Found | None:
    with patience.call():
        entry = Entry.read(backend().get_many(key)[0])
    return Found(entry, State.HIT) if entry is not None and _now() < entry.fresh_until else None


def _computed(compute: Callable[[], Response], question: Question, times: Times, state: State) -> Found:
    asked_at = _now()
    response = compute()
    fresh_until = asked_at + times.fresh * random.uniform(1 - JITTER, 1)
    serve_until = fresh_until + times.stale
    if question.until is not None:
        # From then on "now" is another day, and this the answer to another question.
        fresh_until, serve_until = (min(instant, question.until.timestamp()) for instant in (fresh_until, serve_until))
    return Found(Entry.of(response, fresh_until, serve_until), state)


@contextmanager
def _held(lock: ProcessLock, renew_after: float = 1.5) -> Iterator[None]:
    """Hold a lock that was taken, for as long as it takes: it is renewed, and given back at the end."""
    done = Event()

    def renew() -> None:
        with suppress(Exception):  # then the lock is lost, and another caller may compute the same
            while not done.wait(renew_after):
                lock.reacquire()

    Thread(target=renew, daemon=True, name="cache-lock").start()
    try:
        yield
    finally:
        done.set()
        lock.release()


def _now() -> float:
    instant: float = current_app.config["CLOCK"]().timestamp()
    return instant
