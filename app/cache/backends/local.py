"""The backend of one process: its own memory."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Any

from flask import Flask
from flask_caching.backends import SimpleCache
from flask_caching.backends.base import BaseCache

from app.cache.backends import with_bytes
from app.cache.keys import PREFIX

# Generations for each answer. They outlive answers, and would push them out where both had the same room.
TOKENS = 10


class LocalBackend(BaseCache):
    """At most CACHE_THRESHOLD answers, and the generations. What expires first makes room."""

    def __init__(self, threshold: int) -> None:
        super().__init__()
        self._threshold = threshold
        self._answers = with_bytes(SimpleCache(threshold))
        self._tokens = with_bytes(SimpleCache(threshold * TOKENS))
        self._keys: set[str] = set()  # of answers; SimpleCache lists none
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    @classmethod
    def factory(cls, app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> "LocalBackend":
        """Flask-Caching's way to make a backend."""
        return cls(app.config["CACHE_THRESHOLD"])

    def get_many(self, *keys: str) -> list[bytes | None]:
        return [self._part(key).get(key) for key in keys]

    def set(self, key: str, value: Any, timeout: Any = None) -> bool:
        self._part(key).set(key, value, timeout)
        with self._lock:
            self._keys.add(key)
            if len(self._keys) > 2 * self._threshold:
                self._forget_expired()
        return True

    def add(self, key: str, value: Any, timeout: Any = None) -> bool:
        return self._part(key).add(key, value, timeout)

    def delete(self, key: str) -> bool:
        return self._part(key).delete(key)

    def keys(self, prefix: str) -> Iterator[str]:
        with self._lock:
            self._forget_expired()
            return iter([key for key in self._keys if key.startswith(prefix)])

    def lock(self, _key: str) -> Callable[[], object]:
        return lambda: None  # one caller at a time in this process is enough: see app.cache.answers

    def count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    def counts(self) -> Mapping[str, int]:
        return dict(self._counts)

    def _part(self, key: str) -> SimpleCache:
        return self._answers if key.startswith(PREFIX) else self._tokens

    def _forget_expired(self) -> None:
        self._keys = {key for key in self._keys if self._answers.has(key)}
