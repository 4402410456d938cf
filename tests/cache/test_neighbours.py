"""Others may keep things in the same Valkey: what this service does there, and what it leaves alone."""

import threading
from collections.abc import Callable
from contextlib import suppress

from tests.cache.conftest import Service
from tests.support.faulty_servers import Valkey

# Everything that the README says the service's user must be allowed to do.
COMMANDS = {"MGET", "SET", "SETNX", "EXPIRE", "DEL", "EVALSHA", "EVAL", "SCRIPT", "SCAN", "HINCRBY", "HGETALL"}

# What Flask-Limiter needs besides.
OF_LIMITS = {"EVALSHA", "SCRIPT", "INCRBY", "EXPIRE", "TTL", "GET", "PING", "HELLO", "CLIENT"}

NEIGHBOURS = {"other:key": "theirs", "songswap-insight": "theirs", "songswap-insights": "theirs", "": "theirs"}


def use_it_all(service: Service) -> None:
    for path in ("/probe/list/1", "/probe/list/1", "/probe/compare/1/2", "/probe/everyone"):
        service.state(path)
    assert service.client.post("/cache/invalidate", headers={"X-Invalidation-Secret": "wrong"}).status_code == 403
    assert service.invalidate("?user_id=1") == service.invalidate() == 200
    service.state()
    assert (service.size(), service.stats()["hits"]) == (1, 1)


def test_the_keys_of_others_are_left_alone(
    make_service: Callable[..., Service], own_valkey: Callable[..., Valkey]
) -> None:
    valkey = own_valkey()
    with valkey.client as client:
        client.mset(NEIGHBOURS)
        service = make_service(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=valkey.url)
        use_it_all(service)
        assert client.mget(NEIGHBOURS) == list(NEIGHBOURS.values())
        own = set(client.keys("*")) - NEIGHBOURS.keys()
        assert own
        assert all(key.startswith("songswap-insights:") for key in own)


def test_two_services_with_prefixes_of_their_own_do_not_meet(
    make_service: Callable[..., Service], own_valkey: Callable[..., Valkey]
) -> None:
    shared = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": own_valkey().url}
    # As patterns, each would match the other.
    one, other = make_service(**shared, CACHE_KEY_PREFIX="a*"), make_service(**shared, CACHE_KEY_PREFIX="a[*]?")
    assert [one.state(), other.state(), one.state(), other.state()] == ["MISS", "MISS", "HIT", "HIT"]
    assert [one.size(), other.size()] == [1, 1]
    one.invalidate()
    assert [one.state(), other.state()] == ["MISS", "HIT"]


def test_no_command_blocks_the_server_or_looks_beyond_the_prefix(
    make_service: Callable[..., Service], own_valkey: Callable[..., Valkey]
) -> None:
    valkey = own_valkey()
    seen: list[list[str]] = []
    watching = threading.Event()
    watcher = valkey.client

    def watch() -> None:
        with suppress(Exception), watcher.monitor() as monitor:
            watching.set()
            seen.extend(line["command"].split() for line in monitor.listen())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    assert watching.wait(20)
    settings = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": valkey.url, "RATELIMIT_ENABLED": "true"}
    use_it_all(make_service(**settings, CACHE_KEY_PREFIX="ours:"))
    valkey.kill()
    thread.join(20)
    watcher.close()
    commands = [words for words in seen if words[0].upper() not in {"PING", "GET", "PEXPIRE"}]
    assert {words[0].upper() for words in commands} <= COMMANDS | OF_LIMITS
    for words in commands:
        if words[0].upper() in {"SET", "DEL", "HINCRBY", "HGETALL", "INCRBY", "EXPIRE", "TTL"}:
            assert words[1].startswith("ours:")
        if words[0].upper() == "MGET":
            assert all(key.startswith("ours:") for key in words[1:] if ":" in key)


def test_a_user_who_may_do_no_more_than_that_will_do(
    make_service: Callable[..., Service], own_valkey: Callable[..., Valkey]
) -> None:
    valkey = own_valkey()
    allowed = [f"+{command.lower()}" for command in (*sorted(COMMANDS | OF_LIMITS), "pexpire")]
    with valkey.client as client:
        client.execute_command(
            "ACL", "SETUSER", "songswap", "on", ">a+secret", "~songswap-insights:*", "-@all", *allowed
        )
    url = valkey.url.replace("127", "songswap:a%2Bsecret@127")
    use_it_all(make_service(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=url, RATELIMIT_ENABLED="true"))
    with valkey.client as client:
        assert client.acl_log() == []
