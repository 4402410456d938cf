"""A client of the Redis or Valkey that the settings name: a server, one that Sentinels watch, or a cluster."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.connection import SSLConnection, parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

# Seconds for connecting and for each reply. On a network of one's own a reply takes less than a hundredth of it.
TIMEOUT = 0.1


class Client:
    """A client that is made when it is first used: a cluster's asks for its nodes at once, and these may be away."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._made = cache(lambda: _client(config))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made(), name)


def patience() -> dict[str, Any]:
    """The options of a client that waits for TIMEOUT, and tries nothing twice."""
    return {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT, "retry": Retry(NoBackoff(), 0)}


def options_of(url: str) -> dict[str, Any]:
    """What a URL says of its server, as options of a client; `ssl` is whether it wants TLS."""
    options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
    options["ssl"] = options.pop("connection_class", None) is SSLConnection
    return options


def _client(config: Mapping[str, Any]) -> Any:
    url: str = config["CACHE_REDIS_URL"]
    # Nothing is said on a new connection but the password and the database: less to be allowed, and to wait for.
    options = patience() | {"protocol": 2, "driver_info": None}
    if config["CACHE_TYPE"] == "RedisClusterCache":
        return RedisCluster.from_url(url, **options)
    if config["CACHE_TYPE"] == "RedisCache":
        return Redis.from_url(url, **options)
    named = options_of(url)
    service = named.pop("host")
    options |= named
    # By this name a Sentinel without a password takes any; it knows no databases.
    of_sentinels = options | {"db": 0} | ({"username": "default"} if named.get("password") else {})
    sentinels: Any = Sentinel(config["CACHE_REDIS_SENTINELS"], sentinel_kwargs=of_sentinels, **options)  # type: ignore[no-untyped-call]
    return sentinels.master_for(service)
