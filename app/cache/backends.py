"""The backends of the cache: Flask-Caching's own, and the little that this service needs beyond them."""

import time
from collections.abc import Iterator
from typing import Any

from cachelib.serializers import BaseSerializer
from flask import Flask
from flask_caching.backends import NullCache, RedisCache, SimpleCache

from app.extensions import cache

# The classes that stand behind the values of CACHE_TYPE.
BACKENDS = {
    "SimpleCache": "app.cache.backends.LocalCache",
    "RedisCache": "app.cache.backends.SharedCache",
    "NullCache": "app.cache.backends.NoCache",
}


def init_app(app: Flask) -> None:
    """Bind the cache to the backend that `CACHE_TYPE` names."""
    cache.init_app(app, {"CACHE_TYPE": BACKENDS[app.config["CACHE_TYPE"]], "CACHE_NO_NULL_WARNING": True})


def keys() -> Iterator[str]:
    """The keys of all entries that have not expired, whatever the backend."""
    backend: Any = cache.cache
    yield from backend.keys()


class RawBytes(BaseSerializer):
    """Bytes as they are: nothing that a shared backend holds is ever unpickled."""

    def dumps(self, value: bytes, protocol: int = 0) -> bytes:
        return value

    def loads(self, bvalue: bytes | None) -> bytes | None:
        return bvalue


class LocalCache(SimpleCache):
    """Answers in the memory of one process."""

    serializer = RawBytes()  # type: ignore[assignment]

    def keys(self) -> Iterator[str]:
        """The keys of all entries that have not expired."""
        now = time.time()
        with self._lock:
            return iter([key for key, (expires, _) in self._cache.items() if expires > now])


class SharedCache(RedisCache):
    """Answers that a whole fleet shares, in Redis or Valkey."""

    serializer = RawBytes()  # type: ignore[assignment]

    def keys(self) -> Iterator[str]:
        """The keys of all entries that have not expired, read in steps that do not block the server."""
        prefix: str = self._get_prefix()
        for key in self._read_client.scan_iter(match=f"{prefix}*", count=1000):
            yield key.decode().removeprefix(prefix)


class NoCache(NullCache):
    """No answers at all."""

    def keys(self) -> Iterator[str]:
        """Nothing."""
        return iter(())
