"""Where answers are kept: Flask-Caching backends, with the few things more that this service needs.

Beside Flask-Caching's `get_many`, `set`, `add` and `delete` each has `keys` (of what has not expired), `lock` (held by
one of the processes that share the backend), and `count` and `counts` (numbers that those share). Values are bytes as
they are: nothing is pickled, so nothing that a shared backend holds can make this service run code.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

from cachelib.serializers import BaseSerializer
from flask import Flask
from flask_caching.backends import NullCache, SimpleCache

from app.cache.breaker import CacheUnavailableError
from app.extensions import cache


class ProcessLock(Protocol):
    """A lock that one process holds, and that falls free by itself some seconds after that process has died."""

    def acquire(self, *, blocking: bool) -> bool:
        """Take the lock if it is free."""

    def reacquire(self) -> object:
        """Hold the lock for its full time from now on."""

    def release(self) -> None:
        """Give the lock back."""


class Backend(Protocol):
    """What the cache of answers asks of a backend. Each call may raise CacheUnavailableError."""

    def get_many(self, *keys: str) -> list[bytes | None]:
        """The values of the keys, None for what is not there."""

    def set(self, key: str, value: bytes, timeout: int) -> object:
        """Keep a value for some seconds."""

    def add(self, key: str, value: bytes, timeout: int) -> bool:
        """Keep a value where there is none yet; whether there was none."""

    def delete(self, key: str) -> object:
        """Forget a value, even where the backend was found to be away a moment ago."""

    def keys(self) -> Iterator[str]:
        """The keys of what has not expired."""

    def lock(self, key: str) -> ProcessLock:
        """The lock of a key."""

    def count(self, name: str) -> None:
        """Add one to a number."""

    def counts(self) -> Mapping[str, int]:
        """The numbers."""


class RawBytes(BaseSerializer):
    """Bytes as they are."""

    def dumps(self, value: bytes, protocol: int = 0) -> bytes:
        return value

    def loads(self, bvalue: bytes | None) -> bytes | None:
        return bvalue


class NoLock:
    """The lock of a backend that one process has to itself: single flight within the process is enough."""

    def acquire(self, *, blocking: bool) -> bool:
        return True

    def reacquire(self) -> None:
        pass

    def release(self) -> None:
        pass


class LocalCache(SimpleCache):
    """Answers in the memory of one process."""

    serializer = RawBytes()  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._counts: Counter[str] = Counter()

    def keys(self) -> Iterator[str]:
        now = time.time()
        with self._lock:
            return iter([key for key, (expires, _) in self._cache.items() if expires > now])

    def lock(self, key: str) -> NoLock:
        return NoLock()

    def count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    def counts(self) -> Mapping[str, int]:
        return dict(self._counts)


class NoCache(NullCache):
    """No answers at all: every look-up finds that there is no cache."""

    def get_many(self, *keys: str) -> list[bytes | None]:
        raise CacheUnavailableError("there is no cache")

    def keys(self) -> Iterator[str]:
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


def backend() -> Backend:
    """The backend of the current application."""
    return cast(Backend, cache.cache)
