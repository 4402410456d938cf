"""Each way to reach a Redis or Valkey: a server, a socket, TLS, Sentinels, a cluster."""

import shutil
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cache.conftest import Service
from tests.support.faulty_servers import Proxy, Valkey, free_port, make_certificate, wait_until

MakeService = Callable[..., Service]


@pytest.fixture
def on(make_service: MakeService) -> MakeService:
    return lambda url, **settings: make_service(**({"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": url} | settings))


def assert_all_of_it_works(service: Service, other: Service) -> None:
    """Two services on one backend: shared answers, single flight, invalidation, numbers."""
    paths = [f"/probe/list/{user}" for user in range(1, 20)] + ["/probe/compare/1/2", "/probe/everyone"]
    assert {service.state(path) for path in paths} == {"MISS"}
    assert {other.state(path) for path in paths} == {"HIT"}
    assert other.size() == len(paths)
    assert other.invalidate("?user_id=1") == 200
    assert {path for path in paths if service.state(path) == "MISS"} == {"/probe/list/1", "/probe/compare/1/2"}
    service.stats()
    assert other.stats()["misses"] == len(paths) + 2
    assert service.invalidate() == 200
    assert {other.state(path) for path in paths} == {"MISS"}


def test_a_server_and_a_database_of_it(on: MakeService, own_valkey: Callable[..., Valkey]) -> None:
    valkey = own_valkey()
    url = valkey.url.removesuffix("/0") + "/7"
    assert_all_of_it_works(on(url), on(url))
    with valkey.client as client:
        assert client.dbsize() == 0


def test_a_socket(on: MakeService, own_valkey: Callable[..., Valkey], tmp_path: Path) -> None:
    path = tmp_path / "valkey.sock"
    own_valkey("--unixsocket", str(path))
    assert_all_of_it_works(on(f"unix://{path}"), on(f"unix://{path}"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to make a certificate with")
def test_tls(on: MakeService, own_valkey: Callable[..., Valkey], tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Proxy(("127.0.0.1", own_valkey().port), context) as proxy:
        url = f"rediss://127.0.0.1:{proxy.port}/0"
        trusted = f"{url}?ssl_ca_certs={certificate}"
        assert_all_of_it_works(on(trusted), on(trusted))
        # Whom nobody vouches for is not talked to.
        assert [on(url).state(), on(url).invalidate()] == ["BYPASS", 503]
        assert on(url + "?ssl_cert_reqs=none").state() == "HIT"


def as_cluster(valkey: Valkey) -> Valkey:
    """A cluster of one: it has every slot, and refuses a command for several."""
    with valkey.client as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    return in_order(valkey)


def in_order(cluster: Valkey) -> Valkey:
    """The cluster, once it says that it is in order; it remembers its slots."""
    with cluster.client as client:
        wait_until(lambda: "cluster_state:ok" in str(client.execute_command("CLUSTER", "INFO")))
    return cluster


@pytest.fixture
def cluster(own_valkey: Callable[..., Valkey]) -> Valkey:
    return as_cluster(own_valkey("--cluster-enabled", "yes", "--cluster-port", str(free_port())))


@pytest.fixture
def on_cluster(make_service: MakeService, cluster: Valkey) -> Callable[[], Service]:
    return lambda: make_service(CACHE_TYPE="RedisClusterCache", CACHE_REDIS_URL=cluster.url)


def test_a_cluster(on_cluster: Callable[[], Service]) -> None:
    assert_all_of_it_works(on_cluster(), on_cluster())


@pytest.mark.thorough
def test_a_cluster_that_is_away_at_first(on_cluster: Callable[[], Service], cluster: Valkey) -> None:
    cluster.kill()
    service = on_cluster()
    assert {service.state(f"/probe/list/{user}") for user in range(1, 20)} == {"BYPASS"}
    assert [service.invalidate(), service.size_status()] == [503, 503]
    cluster.start()
    in_order(cluster)
    wait_until(lambda: service.state() == "HIT", 10)


@pytest.mark.thorough
def test_a_cluster_that_crashes(on_cluster: Callable[[], Service], cluster: Valkey) -> None:
    service = on_cluster()
    assert [service.state(), service.state()] == ["MISS", "HIT"]
    cluster.kill()
    assert {service.state(f"/probe/list/{user}") for user in range(1, 20)} == {"BYPASS"}
    cluster.start()
    in_order(cluster)
    wait_until(lambda: service.state() == "HIT", 10)


@pytest.mark.thorough
def test_a_cluster_that_hangs_costs_a_request_little(
    on_cluster: Callable[[], Service], cluster: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cache.backends.redis.TIMEOUT", 0.1)
    service = on_cluster()
    wait_until(lambda: service.state() == "HIT", 10)
    cluster.stop_answering()
    started = time.monotonic()
    assert {service.state(f"/probe/list/{user}") for user in range(2, 20)} == {"BYPASS"}
    assert time.monotonic() - started < 0.5 + 0.3  # the second number is for what the test itself does
    cluster.answer_again()
    wait_until(lambda: service.state() == "HIT", 10)


def by_sentinels(*ports: int, credentials: str = "") -> dict[str, str]:
    return {
        "CACHE_TYPE": "RedisSentinelCache",
        "CACHE_REDIS_URL": f"redis://{credentials}songs/0",
        "CACHE_REDIS_SENTINELS": ",".join(f"127.0.0.1:{port}" for port in ports),
    }


@pytest.fixture(params=["no password", "one password", "a password of the server alone"])
def watched(request: pytest.FixtureRequest, own_valkey: Callable[..., Valkey]) -> dict[str, str]:
    """The settings for a server that a Sentinel watches; a second Sentinel in them is away."""
    password = "" if request.param == "no password" else "a secret"
    master = own_valkey(*(["--requirepass", password] if password else []))
    lines = [f"sentinel monitor songs 127.0.0.1 {master.port} 1", "sentinel down-after-milliseconds songs 1000"]
    if password:
        lines.append(f'sentinel auth-pass songs "{password}"')
    if request.param == "one password":
        lines.append(f'requirepass "{password}"')
    sentinel = own_valkey(sentinel_of="\n".join(lines) + "\n")
    credentials = f":{password.replace(' ', '%20')}@" if password else ""
    return by_sentinels(free_port(), sentinel.port, credentials=credentials)


def test_a_service_that_sentinels_watch(make_service: MakeService, watched: dict[str, str]) -> None:
    assert_all_of_it_works(make_service(**watched), make_service(**watched))


def test_a_service_that_no_sentinel_knows(make_service: MakeService, own_valkey: Callable[..., Valkey]) -> None:
    sentinel = own_valkey(sentinel_of="sentinel deny-scripts-reconfig yes\n")
    service = make_service(**by_sentinels(sentinel.port))
    assert {service.state(f"/probe/list/{user}") for user in range(1, 20)} == {"BYPASS"}
    assert service.invalidate() == 503


@pytest.mark.thorough
def test_a_failover(make_service: MakeService, own_valkey: Callable[..., Valkey]) -> None:
    master, replica = own_valkey(), own_valkey()
    with replica.client as client:
        client.replicaof("127.0.0.1", master.port)
    sentinel = own_valkey(
        sentinel_of=f"sentinel monitor songs 127.0.0.1 {master.port} 1\nsentinel down-after-milliseconds songs 500\n"
        "sentinel failover-timeout songs 3000\n"
    )
    with sentinel.client as client:
        wait_until(lambda: client.execute_command("SENTINEL", "REPLICAS", "songs"), 30, "the replica's discovery")
    service = make_service(**by_sentinels(sentinel.port))
    assert [service.state(), service.state()] == ["MISS", "HIT"]
    master.kill()
    assert service.state("/probe/list/2") == "BYPASS"
    wait_until(lambda: service.state("/probe/list/3") == "HIT", 30, "the failover")
    assert service.invalidate() == 200
    with replica.client as client:
        assert client.keys("songswap-insights:answer:*")
