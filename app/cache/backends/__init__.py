"""Where answers are kept: Flask-Caching's backends, with the few things more that this service needs.

Values are bytes. Nothing is pickled, so nothing that a shared server holds can make this service run code.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar, cast

from cachelib.serializers import BaseSerializer
from flask import Flask

from app.extensions import cache

MODULES = {
    "SimpleCache": "local.LocalBackend",
    "RedisCache": "shared.SharedBackend",
    "RedisSentinelCache": "shared.SharedBackend",
    "RedisClusterCache": "shared.ClusterBackend",
    "NullCache": "none.NoBackend",
}


Kept = TypeVar("Kept", bound=Any)


class CacheUnavailableError(Exception):
    """The cache cannot be used now: answer without it."""


class AsBytes(BaseSerializer):
    """Bytes as they are."""

    def dumps(self, value: bytes, *_: Any) -> bytes:
        return value

    def loads(self, bvalue: bytes | None) -> bytes | None:
        return bvalue


def with_bytes(kept: Kept) -> Kept:
    """Let one of Flask-Caching's backends keep bytes rather than pickles."""
    kept.serializer = AsBytes()
    return kept


class Backend(Protocol):
    """What the cache asks of a backend. Each call may raise CacheUnavailableError."""

    def get_many(self, *keys: str) -> list[bytes | None]:
        """The values of the keys, None for what is not there."""

    def set(self, key: str, value: bytes, timeout: int) -> object:
        """Keep a value for some seconds."""

    def add(self, key: str, value: bytes, timeout: int) -> bool:
        """Keep a value where there is none yet; whether there was none."""

    def delete(self, key: str) -> object:
        """Forget a value, even where the backend was found to be away a moment ago."""

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin so, of what has not expired."""

    def lock(self, key: str) -> Callable[[], object] | None:
        """Take the lock of a key: what gives it back; None where another process holds it."""

    def count(self, name: str) -> None:
        """Add one to a number."""

    def counts(self) -> Mapping[str, int]:
        """The numbers."""


def init_app(app: Flask) -> None:
    """Bind the cache to the backend that CACHE_TYPE names."""
    kind = f"{__name__}.{MODULES[app.config['CACHE_TYPE']]}"
    cache.init_app(app, {"CACHE_TYPE": kind, "CACHE_NO_NULL_WARNING": True})


def backend() -> Backend:
    """The backend of the current application."""
    return cast(Backend, cache.cache)
