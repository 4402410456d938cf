"""The backend that a fleet shares: Redis or Valkey, without which everything goes on, only slower."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from threading import Lock, Timer
from typing import Any, TypeVar

from flask import Flask
from flask_caching.backends.base import BaseCache
from redis.exceptions import LockError, OutOfMemoryError, ReadOnlyError, RedisError
from redis.lock import Lock as RedisLock

from app.cache.breaker import Breaker, CacheUnavailableError
from app.cache.redis import connect

Reply = TypeVar("Reply")

# Seconds after which the lock of a process that has died is free. One that lives renews its lock.
LOCK_TIME = 5.0

# Seconds after which numbers are sent to where the fleet adds them up.
COUNTS_AFTER = 0.2


class SharedCache(BaseCache):
    """Answers in Redis or Valkey. Each call raises CacheUnavailableError rather than an error of Redis."""

    def __init__(self, url: str, prefix: str, default_timeout: int) -> None:
        super().__init__(default_timeout)
        self._url = url
        self._prefix = prefix
        self._counts: Counter[str] = Counter()
        self._counts_lock = Lock()
        self._reach = Breaker("cache_unreachable", (RedisError, OSError))
        # A full server still answers what it has, and so does one that has become a replica.
        self._room = Breaker("cache_takes_nothing", (OutOfMemoryError, ReadOnlyError))

    @classmethod
    def factory(cls, app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> "SharedCache":
        """Flask-Caching's way to make a backend. Nothing is connected yet: the service starts without its cache."""
        return cls(config["CACHE_REDIS_URL"], config["CACHE_KEY_PREFIX"], config["CACHE_DEFAULT_TIMEOUT"])

    @cached_property
    def _client(self) -> Any:
        return connect(self._url)

    def get_many(self, *keys: str) -> list[bytes | None]:
        def get() -> list[bytes | None]:
            # Single commands in one round trip: the keys lie in different slots of a cluster.
            pipe = self._client.pipeline(transaction=False)
            for key in keys:
                pipe.get(self._prefix + key)
            found: list[bytes | None] = pipe.execute()
            return found

        return self._read(get)

    def set(self, key: str, value: bytes, timeout: Any = None) -> bool:
        return bool(self._write(lambda: self._client.set(self._prefix + key, value, ex=timeout)))

    def add(self, key: str, value: bytes, timeout: Any = None) -> bool:
        return bool(self._write(lambda: self._client.set(self._prefix + key, value, ex=timeout, nx=True)))

    def delete(self, key: str) -> bool:
        # Past the breaker: who invalidates must know that it was done, and may wait for that.
        try:
            return bool(self._client.delete(self._prefix + key))
        except (RedisError, OSError) as error:
            self._reach.trip(error)
            raise CacheUnavailableError("the shared cache cannot be reached") from error

    def keys(self) -> Iterator[str]:
        # SCAN: in small steps, so that the server answers others meanwhile.
        found = self._client.scan_iter(match=f"{self._prefix}*", count=1000)
        while key := self._read(lambda: next(found, None)):
            yield key.decode().removeprefix(self._prefix)

    def lock(self, key: str) -> "_GuardedLock":
        return _GuardedLock(self, key)

    def count(self, name: str) -> None:
        # Sent together, a moment later: a hit should not cost a second round trip.
        with self._counts_lock:
            is_first = not self._counts
            self._counts[name] += 1
        if is_first:
            timer = Timer(COUNTS_AFTER, self._send_counts)
            timer.daemon = True
            timer.start()

    def counts(self) -> Mapping[str, int]:
        self._send_counts()
        found = self._read(lambda: self._client.hgetall(self._prefix + "counts"))
        return {name.decode(): int(number) for name, number in found.items()}

    def _send_counts(self) -> None:
        with self._counts_lock:
            counts, self._counts = self._counts, Counter()

        def send() -> None:
            pipe = self._client.pipeline(transaction=False)
            for name, amount in counts.items():
                pipe.hincrby(self._prefix + "counts", name, amount)
            pipe.execute()

        try:
            self._write(send)
        except CacheUnavailableError:
            with self._counts_lock:  # with the next, then
                self._counts += counts

    def _read(self, call: Callable[[], Reply]) -> Reply:
        with self._reach.guard():
            return call()

    def _write(self, call: Callable[[], Reply]) -> Reply:
        with self._reach.guard(), self._room.guard():
            return call()


class _GuardedLock:
    """Redis' own lock by redis-py, behind the breakers."""

    def __init__(self, cache: SharedCache, key: str) -> None:
        self._cache = cache
        self._key = key

    @cached_property
    def _lock(self) -> RedisLock:
        # Not thread-local: the thread that renews the lock is not the one that took it.
        name = f"{self._cache._prefix}lock:{self._key}"
        return RedisLock(self._cache._client, name, timeout=LOCK_TIME, thread_local=False)

    def acquire(self, *, blocking: bool) -> bool:
        return bool(self._cache._write(lambda: self._lock.acquire(blocking=blocking)))

    def reacquire(self) -> object:
        return self._cache._write(lambda: self._lock.reacquire())

    def release(self) -> None:
        with suppress(CacheUnavailableError, LockError):  # it falls free by itself
            self._cache._write(lambda: self._lock.release())
