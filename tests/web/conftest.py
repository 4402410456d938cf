"""The fixtures of the cache's tests, for what is counted where the cache is."""

from tests.cache.conftest import (  # noqa: F401
    kind,
    make_cached,
    make_service,
    own_valkey,
    patience,
    service,
    shared,
    valkey,
)
