"""Where answers are kept: Flask-Caching backends, with the few things more that this service needs.

Values are entries and tokens. What a shared backend keeps is bytes: nothing is pickled, so nothing that it holds can
make this service run code.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any, Protocol, cast

from flask import Flask
from flask_caching.backends import NullCache
from flask_caching.backends.base import BaseCache

from app.cache.breaker import CacheUnavailableError
from app.cache.entries import Entry
from app.counters import Counters
from app.extensions import cache


class ProcessLock(Protocol):
    """A lock that one process holds, and that falls free by itself some seconds after that process has died."""

    def acquire(self) -> bool:
        """Take the lock if it is free; whether it was."""

    def held(self) -> AbstractContextManager[None]:
        """Hold the lock that was taken for as long as it takes, then give it back."""


class Backend(Protocol):
    """What the cache of answers asks of a backend. Each call may raise CacheUnavailableError."""

    def begin(self) -> None:
        """Forget how long calls took: those of one request fail where they take too long together."""

    def get_many(self, *keys: str) -> list[Any]:
        """The values of the keys, None for what is not there: tokens as bytes, entries as `Entry.read` takes them."""

    def set(self, key: str, value: Entry, timeout: int) -> object:
        """Keep an entry for some seconds."""

    def add(self, key: str, value: bytes, timeout: int) -> bool:
        """Keep a token where there is none yet; whether there was none."""

    def delete(self, key: str) -> object:
        """Forget a value, even where the backend was found to be away a moment ago."""

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin so, of what has not expired."""

    def lock(self, key: str) -> ProcessLock:
        """The lock of a key."""

    def count(self, name: str) -> None:
        """Add one to a number."""

    def counts(self) -> Mapping[str, int]:
        """The numbers."""


class NoLock:
    """The lock of a backend that one process has to itself: single flight within the process is enough."""

    def acquire(self) -> bool:
        return True

    def held(self) -> AbstractContextManager[None]:
        return nullcontext()


# Bytes of the answers that one process keeps in its memory, however few they are, and the most tokens for each of them.
LOCAL_BYTES = 32 * 1024 * 1024
TOKENS = 3


class LocalCache(BaseCache):
    """Answers in the memory of one process, with their tokens. What was asked for least recently makes room."""

    def __init__(self, threshold: int) -> None:
        super().__init__()
        self._threshold = threshold
        self._answers = self._bytes = 0
        self._kept: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    @classmethod
    def factory(cls, app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> "LocalCache":
        """Flask-Caching's way to make a backend."""
        return cls(config["CACHE_THRESHOLD"])

    def begin(self) -> None:
        pass

    def get_many(self, *keys: str) -> list[Any]:
        now = time.time()
        with self._lock:
            return [self._get(key, now) for key in keys]

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        with self._lock:
            self._set(key, value, timeout)
        return True

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        with self._lock:
            is_new = self._get(key, time.time()) is None
            if is_new:
                self._set(key, value, timeout)
        return is_new

    def delete(self, key: str) -> bool:
        with self._lock:
            return self._drop(key)

    def keys(self, prefix: str) -> Iterator[str]:
        now = time.time()
        with self._lock:
            return iter([key for key, (ends, _) in self._kept.items() if ends > now and key.startswith(prefix)])

    def lock(self, key: str) -> NoLock:
        return NoLock()

    def count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    def counts(self) -> Mapping[str, int]:
        return dict(self._counts)

    def _get(self, key: str, now: float) -> Any:
        ends, value = self._kept.get(key, (0.0, None))
        if ends <= now:
            return None
        self._kept.move_to_end(key)
        return value

    def _set(self, key: str, value: Any, timeout: float) -> None:
        self._drop(key)
        self._kept[key] = (time.time() + timeout, value)
        self._answers += isinstance(value, Entry)
        self._bytes += _length(value)
        while self._is_full:
            self._drop(next(iter(self._kept)))

    @property
    def _is_full(self) -> bool:
        return (
            self._answers > self._threshold
            or len(self._kept) - self._answers > self._threshold * TOKENS
            or self._bytes > LOCAL_BYTES
        )

    def _drop(self, key: str) -> bool:
        if key not in self._kept:
            return False
        _, value = self._kept.pop(key)
        self._answers -= isinstance(value, Entry)
        self._bytes -= _length(value)
        return True


def _length(value: Any) -> int:
    return len(value.payload) if isinstance(value, Entry) else len(value)


class NoCache(NullCache):
    """No answers at all: every look-up finds that there is no cache."""

    def begin(self) -> None:
        pass

    def get_many(self, *keys: str) -> list[Any]:
        raise CacheUnavailableError("there is no cache")

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(())

    def lock(self, key: str) -> NoLock:
        return NoLock()

    def count(self, name: str) -> None:
        pass

    def counts(self) -> Mapping[str, int]:
        return {}


def init_app(app: Flask) -> None:
    """Bind the cache to the backend that CACHE_TYPE names."""
    backends = {
        "SimpleCache": "backends.LocalCache",
        "RedisCache": "shared.SharedCache",
        "NullCache": "backends.NoCache",
    }
    kind = "app.cache." + backends[app.config["CACHE_TYPE"]]
    cache.init_app(app, {"CACHE_TYPE": kind, "CACHE_NO_NULL_WARNING": True})
    app.before_request(lambda: backend().begin())


def backend() -> Backend:
    """The backend of the current application."""
    return cast(Backend, cache.cache)


def shared_counters(app: Flask) -> Counters | None:
    """Where a fleet counts together; None where each process is on its own."""
    return cast(Counters, app.extensions["cache"][cache]) if app.config["CACHE_TYPE"] == "RedisCache" else None
