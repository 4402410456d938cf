"""A Valkey that is away, hangs, is full or talks nonsense: each answer is a 200, and loses at most half a second."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from tests.cache.conftest import Service
from tests.cache.test_single_flight import Elsewhere
from tests.support.faulty_servers import BlackHole, Proxy, Valkey, free_port, wait_until

# Seconds that the cache may cost a request, whatever it does.
MOST = 0.5

MakeService = Callable[..., Service]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """As little patience as in production; what was away is tried again sooner."""
    monkeypatch.setattr("app.cache.backends.shared.RETRY_AFTER", 1)


@pytest.fixture
def on(make_service: MakeService) -> MakeService:
    """Makes a service on a Valkey at a URL."""
    return lambda url, **settings: make_service(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=url, **settings)


def on_port(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


def times_of(service: Service, requests: int, path: str = "/probe/list/{}") -> list[float]:
    """The seconds that requests for different answers take, none of which the cache has."""
    times = []
    for number in range(requests):
        started = time.monotonic()
        assert service.state(path.format(number + 1)) == "BYPASS"
        times.append(time.monotonic() - started)
    return times


def works(service: Service) -> bool:
    """Whether the cache keeps answers; there may be one already."""
    return service.state("/probe/list/999") in {"HIT", "MISS"} and service.state("/probe/list/999") == "HIT"


def assert_an_outage_costs_one_request_at_most(service: Service) -> None:
    with capture_logs() as logged:
        first, *others = times_of(service, 50)
        # A busy machine takes time of its own, so it is the sum that tells.
        assert first < MOST
        assert sum(others) < 1.0
    warnings = [line["event"] for line in logged if line["log_level"] == "warning"]
    assert warnings == ["cache_unreachable"]


def test_refused_from_the_start(on: MakeService) -> None:
    assert_an_outage_costs_one_request_at_most(on(on_port(free_port())))


def test_a_black_hole_from_the_start(on: MakeService) -> None:
    with BlackHole() as port:
        assert_an_outage_costs_one_request_at_most(on(on_port(port)))


def test_a_name_that_nobody_knows(on: MakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert_an_outage_costs_one_request_at_most(on("redis://cache.invalid:6379/0"))


class Parrot:
    """Answers whatever is sent with the same words."""

    def __init__(self, words: bytes) -> None:
        self._words = words

    def __enter__(self) -> int:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                with caller, suppress(OSError):
                    while self._words and caller.recv(1000):
                        caller.sendall(self._words)


@pytest.mark.parametrize(
    "words",
    [
        b"-LOADING Valkey is loading the dataset in memory\r\n",
        b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
        b"-CLUSTERDOWN The cluster is down\r\n",
        b"-ERR max number of clients reached\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"",
    ],
)
def test_a_server_that_says_something_else(on: MakeService, words: bytes) -> None:
    with Parrot(words) as port:
        service = on(on_port(port))
        assert {service.state(f"/probe/list/{user}") for user in range(1, 20)} == {"BYPASS"}


def test_a_wrong_password(on: MakeService, own_valkey: Callable[..., Valkey]) -> None:
    valkey = own_valkey("--requirepass", "right")
    for url in (valkey.url, valkey.url.replace("127", ":wrong@127")):
        with capture_logs() as logged:
            service = on(url)
            assert {service.state(f"/probe/list/{user}") for user in range(1, 20)} == {"BYPASS"}
            assert service.invalidate() == 503
        assert "wrong" not in str(logged)
    assert works(on(valkey.url.replace("127", ":right@127")))


@pytest.fixture
def valkey_and_service(own_valkey: Callable[..., Valkey], on: MakeService) -> tuple[Valkey, Service]:
    """A Valkey with an answer in it."""
    valkey = own_valkey()
    service = on(valkey.url)
    wait_until(lambda: works(service))
    return valkey, service


def test_a_crash(valkey_and_service: tuple[Valkey, Service]) -> None:
    valkey, service = valkey_and_service
    for _ in range(2):
        valkey.kill()
        assert_an_outage_costs_one_request_at_most(service)
        assert (service.size_status(), service.invalidate()) == (503, 503)
        valkey.start()
        wait_until(lambda: works(service), 5)


def test_a_server_that_hangs(valkey_and_service: tuple[Valkey, Service]) -> None:
    valkey, service = valkey_and_service
    service.probe.answer = "another answer"
    valkey.stop_answering()
    assert_an_outage_costs_one_request_at_most(service)
    valkey.answer_again()
    wait_until(lambda: works(service), 5)
    # No reply that came late is taken for another's.
    assert service.get("/probe/list/999").json == "an answer"
    for user in range(1000, 1010):
        service.probe.answer = user
        assert service.get(f"/probe/list/{user}").json == user


@pytest.mark.parametrize("delay", [0.02, 0.3])
def test_a_slow_server(own_valkey: Callable[..., Valkey], on: MakeService, delay: float) -> None:
    with Proxy(("127.0.0.1", own_valkey().port)) as proxy:
        service = on(on_port(proxy.port))
        wait_until(lambda: works(service))
        proxy.delay(delay)
        times = []
        for user in range(1, 9):
            started = time.monotonic()
            assert service.get(f"/probe/list/{user}").status_code == 200
            times.append(time.monotonic() - started)
        assert max(times) < MOST
        proxy.mend()
        wait_until(lambda: works(service), 5)


def test_connections_that_are_cut(own_valkey: Callable[..., Valkey], on: MakeService) -> None:
    with Proxy(("127.0.0.1", own_valkey().port)) as proxy:
        service = on(on_port(proxy.port))
        wait_until(lambda: works(service))
        for _ in range(3):
            proxy.cut()
            proxy.mend()
            wait_until(lambda: works(service), 5)


def test_a_connection_that_was_closed_while_idle_is_no_outage(valkey_and_service: tuple[Valkey, Service]) -> None:
    valkey, service = valkey_and_service
    for _ in range(3):
        with valkey.client as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert service.state("/probe/list/999") == "HIT"
        assert service.state("/probe/list/1000") in {"MISS", "HIT"}


def test_a_full_server_still_answers_what_it_has(valkey_and_service: tuple[Valkey, Service]) -> None:
    valkey, service = valkey_and_service
    with valkey.client as client, capture_logs() as logged:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        for user in range(1, 30):
            assert service.state(f"/probe/list/{user}") == "BYPASS"
            assert service.state("/probe/list/999") == "HIT"
        assert {line["event"] for line in logged if line["log_level"] == "warning"} == {"cache_refused"}
        assert (service.size(), service.get("/cache/stats").status_code) == (1, 200)
        assert service.invalidate() == 200
        client.config_set("maxmemory", 0)
    wait_until(lambda: service.state("/probe/list/1") == "HIT", 5)


def test_a_server_that_takes_no_writes(valkey_and_service: tuple[Valkey, Service]) -> None:
    valkey, service = valkey_and_service
    with valkey.client as client, capture_logs() as logged:
        client.replicaof("127.0.0.1", free_port())
        for user in range(1, 30):
            assert service.state(f"/probe/list/{user}") == "BYPASS"
            assert service.state("/probe/list/999") == "HIT"
        assert {line["event"] for line in logged if line["log_level"] == "warning"} == {"cache_refused"}
        assert service.invalidate() == 503
        assert service.state("/probe/list/999") == "HIT"
        client.replicaof("NO", "ONE")
    wait_until(lambda: service.state("/probe/list/1") == "HIT", 5)
    assert service.invalidate() == 200


def test_an_outage_during_the_computation(valkey_and_service: tuple[Valkey, Service]) -> None:
    valkey, service = valkey_and_service
    service.probe.may_end = threading.Event()
    service.probe.running.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(service.state)
        assert service.probe.running.wait(20)
        valkey.kill()
        service.probe.may_end.set()
        assert first.result() == "BYPASS"


def test_an_outage_while_another_process_computes(
    valkey_and_service: tuple[Valkey, Service], on: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    Elsewhere(monkeypatch)
    valkey, service = valkey_and_service
    other = on(valkey.url)
    wait_until(lambda: works(other))
    service.probe.may_end = threading.Event()
    service.probe.running.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(service.state)
        assert service.probe.running.wait(20)
        second = pool.submit(other.state)
        time.sleep(0.2)
        valkey.kill()
        assert second.result() == "BYPASS"
        service.probe.may_end.set()
        assert first.result() == "BYPASS"


def test_what_was_counted_during_an_outage_is_not_lost(valkey_and_service: tuple[Valkey, Service]) -> None:
    valkey, service = valkey_and_service
    valkey.kill()
    times_of(service, 20)
    valkey.start()
    wait_until(lambda: works(service), 5)
    assert service.stats()["errors"] >= 20
