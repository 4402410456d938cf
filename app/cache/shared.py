"""The backend that a fleet shares: Redis or Valkey, without which everything goes on, only slower."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from flask import Flask
from flask_caching.backends.base import BaseCache
from redis.exceptions import OutOfMemoryError, ReadOnlyError

from app.cache.breaker import Breaker, CacheUnavailableError
from app.cache.entries import Entry
from app.cache.locks import FleetLock
from app.cache.redis import TIMEOUT, GetMany, connect, reader
from app.counters import Window

Reply = TypeVar("Reply")

# Seconds that the calls of one request may take together; the last of them may take TIMEOUT beyond that.
PATIENCE = 0.12

# The calls of a request whose answer is computed: to read, to lock, to read again, and to write.
CALLS = 4

# Adds one to "count ends" in one step, where the window has not ended; ARGV: now, and the seconds of a new window.
HIT = """
local now, count, ends = tonumber(ARGV[1]), 0, ARGV[1] + ARGV[2]
local kept = redis.call('GET', KEYS[1])
if kept then
    local counted, until_then = string.match(kept, '^(%d+) ([%d.]+)$')
    if tonumber(until_then) > now then count, ends = tonumber(counted), tonumber(until_then) end
end
local window = string.format('%d %.3f', count + 1, ends)
redis.call('SET', KEYS[1], window, 'PX', math.max(1, math.ceil((ends - now) * 1000)))
return window
"""

# Seconds after which numbers are sent to where the fleet adds them up.
COUNTS_AFTER = 0.2


class SharedCache(BaseCache):
    """Answers in Redis or Valkey. Each call raises CacheUnavailableError rather than an error of Redis."""

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__()
        self._url = url
        self._prefix = prefix
        self._client: Any = None
        self._read: GetMany
        self._client_lock = threading.Lock()
        self._spent = _Spent()
        self._counts: Counter[str] = Counter()
        self._counts_lock = threading.Lock()
        self._counts_are_due = False
        self._reach = Breaker("cache_unreachable", (Exception,), self._try_to_read, is_open=True)
        self._pace = Breaker("cache_slow", (TimeoutError,), self._try_as_many_calls_as_a_request_makes)
        # A full server still answers what it has, and so does one that has become a replica.
        self._room = Breaker("cache_takes_nothing", (OutOfMemoryError, ReadOnlyError), self._try_to_write)
        # A client of several servers may ask one after the other. Its calls are waited for no longer than others.
        self._beside = ThreadPoolExecutor(32, "cache") if "+" in url.partition("://")[0] else None

    @classmethod
    def factory(cls, app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> "SharedCache":
        """Flask-Caching's way to make a backend. Nothing is connected yet: the service starts without its cache."""
        return cls(config["CACHE_REDIS_URL"], config["CACHE_KEY_PREFIX"])

    def begin(self) -> None:
        self._spent.seconds = 0.0

    def get_many(self, *keys: str) -> list[bytes | None]:
        return self._call(lambda: self._get_many(keys))

    def set(self, key: str, value: Entry, timeout: Any = None) -> bool:
        return self._write(lambda: bool(self._client.set(self._prefix + key, value.dump(), ex=timeout)))

    def add(self, key: str, value: bytes, timeout: Any = None) -> bool:
        return self._write(lambda: bool(self._client.set(self._prefix + key, value, ex=timeout, nx=True)))

    def delete(self, key: str) -> bool:
        # Past the breaker: who invalidates must know that it was done, and may wait for that.
        with _unavailable():
            return bool(self._connected().delete(self._prefix + key))

    def keys(self, prefix: str) -> Iterator[str]:
        # SCAN: in small steps, so that the server answers others meanwhile.
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", self._prefix + prefix) + "*"
        self._reach.run(lambda: None)
        with _unavailable():
            for key in self._client.scan_iter(match=pattern, count=1000):
                yield key.decode(errors="replace").removeprefix(self._prefix)

    def lock(self, key: str) -> FleetLock:
        return FleetLock(f"{self._prefix}lock:{key}", lambda: self._client, self._write)

    def hit(self, key: str, seconds: int) -> Window:
        return self._write(lambda: _window(self._client.eval(HIT, 1, self._prefix + key, time.time(), seconds)))

    def window(self, key: str) -> Window:
        return self._call(lambda: _window(*self._get_many((key,))))

    def count(self, name: str) -> None:
        # Sent together, a moment later: a hit should not cost a second round trip.
        with self._counts_lock:
            self._counts[name] += 1
            was_due, self._counts_are_due = self._counts_are_due, True
        if not was_due:
            timer = threading.Timer(COUNTS_AFTER, self._send_counts)
            timer.daemon = True
            timer.start()

    def counts(self) -> Mapping[str, int]:
        self._send_counts()
        self._reach.run(lambda: None)
        with _unavailable():
            found = self._client.hgetall(self._prefix + "counts")
        return {name.decode(): int(number) for name, number in found.items()}

    def _send_counts(self) -> None:
        with self._counts_lock:
            counts, self._counts = self._counts, Counter()
            self._counts_are_due = False

        def send() -> None:
            pipe = self._client.pipeline(transaction=False)
            for name, amount in counts.items():
                pipe.hincrby(self._prefix + "counts", name, amount)
            pipe.execute(raise_on_error=False)  # a server that is full counts nothing

        try:
            self._reach.run(send)
        except CacheUnavailableError:  # then with the next
            with self._counts_lock:
                self._counts += counts

    def _get_many(self, keys: tuple[str, ...]) -> list[bytes | None]:
        return self._read([self._prefix + key for key in keys])

    def _call(self, call: Callable[[], Reply]) -> Reply:
        return self._pace.run(lambda: self._timed(call))

    def _timed(self, call: Callable[[], Reply]) -> Reply:
        if self._spent.seconds > PATIENCE:
            raise TimeoutError
        started = time.perf_counter()
        try:
            return self._reach.run(call if self._beside is None else lambda: self._bounded(call))
        finally:
            self._spent.seconds += time.perf_counter() - started

    def _write(self, call: Callable[[], Reply]) -> Reply:
        return self._call(lambda: self._room.run(call))

    def _bounded(self, call: Callable[[], Reply]) -> Reply:
        assert self._beside
        return self._beside.submit(call).result(TIMEOUT)

    def _connected(self) -> Any:
        with self._client_lock:
            if self._client is None:
                client = connect(self._url)
                self._read = reader(client)
                self._client = client
        return self._client

    def _try_to_read(self) -> None:
        self._connected()
        self._get_many(("trial",))

    def _try_as_many_calls_as_a_request_makes(self) -> None:
        started = time.perf_counter()
        for _ in range(CALLS):
            self._try_to_read()
        if time.perf_counter() - started > PATIENCE:
            raise TimeoutError

    def _try_to_write(self) -> None:
        self._client.set(self._prefix + "trial", b"", ex=1)


def _window(kept: bytes | None) -> Window:
    hits, ends = (kept or b"0 0").split()
    return Window(int(hits), float(ends))


class _Spent(threading.local):
    """The seconds that the calls of this thread's request have taken."""

    seconds = 0.0


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise CacheUnavailableError("the shared cache cannot be reached") from error
