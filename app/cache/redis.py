"""A client for the Redis or Valkey that CACHE_REDIS_URL names: a server, a service that Sentinels watch, or a cluster.

    redis://[user:password@]host:port[/db]          rediss:// for TLS, unix:///path for a socket
    redis+sentinel://[user:password@]host:port,host:port/service[/db]
    redis+cluster://[user:password@]host:port,host:port

`valkey` may stand for `redis`, and `rediss+…` is TLS.
"""

from typing import Any
from urllib.parse import unquote

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from redis.sentinel import Sentinel

from config import SEVERAL_REDIS_SERVERS

# Seconds, for connecting and for each reply. On a network of one's own a reply takes less than a hundredth of it.
TIMEOUT = 0.1


def connect(url: str) -> Any:
    """A client whose calls take bytes and give bytes. A cluster's client asks the cluster for its nodes at once."""
    options: dict[str, Any] = {
        "socket_timeout": TIMEOUT,
        "socket_connect_timeout": TIMEOUT,
        # One try more, on a new connection: the server may have closed the old one while it was idle. No try more
        # after a timeout, which would only be waited for again.
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    }
    several = SEVERAL_REDIS_SERVERS.fullmatch(url)
    if several is None:
        return Redis.from_url(url if url.startswith("unix") else url.replace("valkey", "redis", 1), **options)
    if several["user"] is not None:
        options["username"] = unquote(several["user"]) or None
        options["password"] = unquote(several["password"]) or None
    options["ssl"] = bool(several["tls"])
    hosts = [(host, int(port)) for host, port in (address.split(":") for address in several["hosts"].split(","))]
    if several["kind"] == "cluster":
        nodes = [ClusterNode(host, port) for host, port in hosts]  # type: ignore[no-untyped-call]
        return RedisCluster(startup_nodes=nodes, **options)
    sentinel: Any = Sentinel(hosts, sentinel_kwargs=options.copy(), **options)  # type: ignore[no-untyped-call]
    return sentinel.master_for(several["service"], db=int(several["db"] or 0))
