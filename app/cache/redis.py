"""A client for the Redis or Valkey that CACHE_REDIS_URL names: a server, a service that Sentinels watch, or a cluster.

    redis://[user:password@]host:port[/db]          rediss:// for TLS, unix:///path for a socket
    redis+sentinel://[user:password@]host:port,host:port/service[/db]
    redis+cluster://[user:password@]host:port,host:port

`valkey` may stand for `redis`, and `rediss+…` is TLS. Sentinels want the same password, or none.
"""

import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse
from redis.retry import Retry
from redis.sentinel import Sentinel

from config import SEVERAL_REDIS_SERVERS

# Seconds, for connecting and for each reply. On a network of one's own a reply takes less than a hundredth of it.
TIMEOUT = 0.1

GetMany = Callable[[list[str]], list[bytes | None]]


def connect(url: str) -> Any:
    """A client whose calls take bytes and give bytes. A cluster's client asks the cluster for its nodes at once."""
    options: dict[str, Any] = {
        "socket_timeout": TIMEOUT,
        "socket_connect_timeout": TIMEOUT,
        # Nothing is tried twice: the pool sees by itself where a connection was closed while it was idle.
        "retry": Retry(NoBackoff(), 0),
        # No words with the server before the first command, but the password and the database.
        "protocol": 2,
        "driver_info": None,
    }
    several = SEVERAL_REDIS_SERVERS.fullmatch(url)
    if several is None:
        return Redis.from_url(re.sub("^valkey", "redis", url), **options)
    if several["user"] is not None:
        options["username"] = unquote(several["user"]) or None
        options["password"] = unquote(several["password"]) or None
    options["ssl"] = bool(several["tls"])
    hosts = [(host, int(port)) for host, port in (address.split(":") for address in several["hosts"].split(","))]
    if several["kind"] == "cluster":
        nodes = [ClusterNode(host, port) for host, port in hosts]  # type: ignore[no-untyped-call]
        return RedisCluster(startup_nodes=nodes, **options)
    # By this name a Sentinel without a password takes any; it knows no others.
    of_sentinels = options | ({"username": "default"} if options.get("password") else {})
    sentinel: Any = Sentinel(hosts, sentinel_kwargs=of_sentinels, **options)  # type: ignore[no-untyped-call]
    return sentinel.master_for(several["service"], db=int(several["db"] or 0))


def reader(client: Any) -> GetMany:
    """How to get the values of several keys in one round trip; None for what is not there or no string."""
    if isinstance(client, RedisCluster):
        get_many: GetMany = client.mget_nonatomic  # the keys lie in different slots
        return get_many
    return _OwnConnections(client.connection_pool).get_many


class _OwnConnections:
    """A connection for each thread. Taking one from a pool costs more system calls than a command does."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._own = threading.local()

    def get_many(self, keys: list[str]) -> list[bytes | None]:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._pool.connection_class(**self._pool.connection_kwargs)
        try:
            try:
                return self._ask(connection, keys)
            except RedisConnectionError:  # most likely it was closed while it was idle
                connection.disconnect()
                return self._ask(connection, keys)
        except BaseException:
            connection.disconnect()  # or the next command would read this one's reply
            raise

    @staticmethod
    def _ask(connection: Any, keys: list[str]) -> list[bytes | None]:
        if not connection.is_connected:
            connection.connect()
        connection.send_command("MGET", *keys)
        values: list[bytes | None] = connection.read_response()
        if not isinstance(values, list) or len(values) != len(keys):
            raise InvalidResponse("not a reply to MGET")
        return values
