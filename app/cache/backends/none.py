"""No cache: every look-up finds that there is none."""

from collections.abc import Callable, Iterator, Mapping

from flask_caching.backends import NullCache

from app.cache.backends import CacheUnavailableError


class NoBackend(NullCache):
    """Keeps nothing."""

    def get_many(self, *_keys: str) -> list[bytes | None]:
        raise CacheUnavailableError("there is no cache")

    def keys(self, _prefix: str) -> Iterator[str]:
        return iter(())

    def lock(self, _key: str) -> Callable[[], object] | None:
        return None

    def count(self, name: str) -> None:
        pass

    def counts(self) -> Mapping[str, int]:
        return {}
