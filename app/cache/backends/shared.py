"""The backend that a fleet shares: Redis or Valkey, without which everything goes on, only slower."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from circuitbreaker import CircuitBreaker
from flask import Flask
from flask_caching.backends.base import BaseCache
from flask_caching.backends.rediscache import RedisCache
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import LockError, RedisClusterException, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.lock import Lock

from app.cache.backends import CacheUnavailableError, with_bytes
from app.cache.backends.redis import Client
from app.telemetry.metrics import CACHE_ERRORS

log = structlog.get_logger(__name__)

Reply = TypeVar("Reply")

# A server that is away, or does not answer. One that refuses a command (it is full, or a replica) is there.
AWAY = (RedisConnectionError, RedisTimeoutError, RedisClusterException, OSError)

ERRORS = {event: CACHE_ERRORS.labels(event) for event in ("cache_unreachable", "cache_refused")}

# Seconds after which a server that was away is tried again.
RETRY_AFTER = 2

# Seconds that a lock lasts beyond the time of the longest statement.
LOCK_MARGIN = 5


class SharedBackend(BaseCache):
    """Answers in Redis or Valkey. Each call raises CacheUnavailableError rather than an error of Redis."""

    def __init__(self, client: Any, prefix: str, lock_time: float) -> None:
        super().__init__()
        self._client = client
        self._prefix = prefix
        self._lock_time = lock_time
        self._kept = with_bytes(RedisCache(client, key_prefix=prefix))
        self._breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=RETRY_AFTER, expected_exception=AWAY)
        self._uncounted: Counter[str] = Counter()
        self._uncounted_lock = threading.Lock()

    @classmethod
    def factory(cls, app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> "SharedBackend":
        """Flask-Caching's way to make a backend."""
        lock_time = app.config["DATABASE_STATEMENT_TIMEOUT"] + LOCK_MARGIN
        return cls(Client(app.config), app.config["CACHE_KEY_PREFIX"], lock_time)

    def get_many(self, *keys: str) -> list[bytes | None]:
        return self._call(lambda: self._kept.get_many(*keys))

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        return bool(self._call(lambda: self._kept.set(key, value, timeout)))

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        return bool(self._call(lambda: self._kept.add(key, value, timeout)))

    def delete(self, key: str) -> bool:
        # Past the breaker: who invalidates must know that it was done, and may wait for that.
        return self._try(lambda: self._kept.delete(key))

    def keys(self, prefix: str) -> Iterator[str]:
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", self._prefix + prefix) + "*"
        # SCAN: in small steps, so that the server answers others meanwhile.
        found = self._call(lambda: list(self._client.scan_iter(match=pattern, count=1000)))
        return (key.decode(errors="replace").removeprefix(self._prefix) for key in found)

    def lock(self, key: str) -> Callable[[], object] | None:
        lock = Lock(self._client, f"{self._prefix}lock:{key}", timeout=self._lock_time)
        return (lambda: self._release(lock)) if self._call(lambda: lock.acquire(blocking=False)) else None

    def count(self, name: str) -> None:
        with self._uncounted_lock:
            self._uncounted[name] += 1
        self._send_counts()

    def counts(self) -> Mapping[str, int]:
        self._send_counts()
        found = self._call(lambda: self._client.hgetall(self._prefix + "counts"))
        return {name.decode(): int(number) for name, number in found.items()}

    def _send_counts(self) -> None:
        with self._uncounted_lock:
            counts, self._uncounted = self._uncounted, Counter()

        def send() -> None:
            for name in list(counts):
                self._client.hincrby(self._prefix + "counts", name, counts[name])
                del counts[name]

        try:
            self._call(send)
        except CacheUnavailableError:  # then with the next
            with self._uncounted_lock:
                self._uncounted += counts

    def _release(self, lock: Lock) -> None:
        def release() -> None:
            with suppress(LockError):  # the computation took longer than the lock lasts
                lock.release()

        with suppress(CacheUnavailableError):  # it falls free by itself
            self._call(release)

    def _call(self, call: Callable[[], Reply]) -> Reply:
        """What a call gives; none is made while the breaker is open."""
        if self._breaker.opened:
            raise CacheUnavailableError("the shared cache was away a moment ago")
        return self._try(call)

    def _try(self, call: Callable[[], Reply]) -> Reply:
        was_away = self._breaker.failure_count > 0
        try:
            reply: Reply = self._breaker.call(call)
        except AWAY as error:
            if not was_away:
                log.warning("cache_unreachable", error=type(error).__name__)
            raise _unavailable("cache_unreachable") from error
        except RedisError as error:
            log.warning("cache_refused", error=type(error).__name__)
            raise _unavailable("cache_refused") from error
        if was_away:
            log.info("cache_unreachable_over")
        return reply


class ClusterBackend(SharedBackend):
    """Answers in a cluster, which does not give the values of several keys at once: they lie on different servers."""

    def get_many(self, *keys: str) -> list[bytes | None]:
        return self._call(lambda: self._client.mget_nonatomic([self._prefix + key for key in keys]))


def _unavailable(event: str) -> CacheUnavailableError:
    ERRORS[event].inc()
    return CacheUnavailableError(event)
