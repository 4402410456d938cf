"""Of any number of callers that lack an answer, one computes it."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from werkzeug.exceptions import NotFound

from app.cache import answers
from app.cache.backends import backend
from tests.cache.conftest import Service
from tests.support.faulty_servers import Valkey, wait_until


def ask_together(services: list[Service], times: int, path: str = "/probe/list/1") -> list[tuple[int, str]]:
    """The status and `X-Cache` of requests that are made at once."""
    together = threading.Barrier(len(services) * times)

    def ask(service: Service) -> tuple[int, str]:
        together.wait()
        response = service.get(path)
        return response.status_code, response.headers.get("X-Cache", "")

    with ThreadPoolExecutor(len(services) * times) as pool:
        return list(pool.map(ask, services * times))


class Elsewhere:
    """Computations of other processes, for which this process' own flights do not count."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(answers, "_flights", self)

    def get(self, key: str) -> None:
        return None

    def __setitem__(self, key: str, flight: object) -> None:
        pass

    def __delitem__(self, key: str) -> None:
        pass


def test_of_many_threads_one_computes(service: Service) -> None:
    service.probe.takes = 0.3
    assert Counter(ask_together([service], 20)) == {(200, "MISS"): 1, (200, "HIT"): 19}
    assert service.probe.calls == 1


def test_different_questions_do_not_wait_for_each_other(service: Service) -> None:
    service.probe.may_end = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(service.state, "/probe/list/1"), pool.submit(service.state, "/probe/list/2")
        wait_until(lambda: service.probe.calls == 2)
        service.probe.may_end.set()
        assert (first.result(), second.result()) == ("MISS", "MISS")


def test_of_many_processes_one_computes(shared: Callable[..., Service], monkeypatch: pytest.MonkeyPatch) -> None:
    Elsewhere(monkeypatch)
    services = [shared() for _ in range(4)]
    for service in services:
        service.probe.takes = 0.3
    assert Counter(ask_together(services, 3)) == {(200, "MISS"): 1, (200, "HIT"): 11}
    assert sum(service.probe.calls for service in services) == 1


def test_a_failure_is_everyone_s_who_waited_and_frees_the_key(service: Service) -> None:
    service.probe.error, service.probe.takes = RuntimeError("a fault"), 0.3
    assert Counter(ask_together([service], 8)) == {(500, ""): 8}
    assert service.probe.calls == 1
    service.probe.error = None
    assert service.state() == "MISS"


def test_a_404_is_everyone_s_who_waited(service: Service) -> None:
    service.probe.error, service.probe.takes = NotFound("There is nothing of this id"), 0.3
    assert Counter(ask_together([service], 5)) == {(404, ""): 5}
    assert service.probe.calls == 1


def test_who_waited_for_an_answer_that_is_not_kept_computes_it(service: Service) -> None:
    service.probe.status, service.probe.takes = 404, 0.2
    assert Counter(ask_together([service], 4)) == {(404, "BYPASS"): 4}
    assert service.probe.calls == 4


def test_a_failure_elsewhere_lets_another_process_compute(
    shared: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    Elsewhere(monkeypatch)
    failing, other = shared(), shared()
    failing.probe.may_end, failing.probe.error = threading.Event(), RuntimeError("a fault")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(failing.get)
        assert failing.probe.running.wait(20)
        second = pool.submit(other.state)
        failing.probe.may_end.set()
        assert first.result().status_code == 500
        assert second.result() == "MISS"


def test_who_gets_the_lock_right_after_another_process_takes_its_answer(
    shared: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    Elsewhere(monkeypatch)
    service, late = shared(), shared()
    with late.app.app_context():
        store = backend()
    lock_of = store.lock

    def lock_afterwards(key: str) -> Callable[[], object] | None:
        assert service.state() == "MISS"
        return lock_of(key)

    monkeypatch.setattr(store, "lock", lock_afterwards)
    assert late.state() == "HIT"
    assert late.probe.calls == 0


def test_nobody_waits_for_longer_than_a_statement_may_take(make_cached: Callable[..., Service]) -> None:
    service = make_cached(DATABASE_STATEMENT_TIMEOUT="0.3")
    service.probe.may_end = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(service.state)
        assert service.probe.running.wait(20)
        late = service.get()
        assert (late.status_code, late.json["detail"]) == (503, "The answer is still being computed")
        assert late.headers["Retry-After"] == "5"
        service.probe.may_end.set()
        assert first.result() == "MISS"
    assert service.probe.calls == 1
    assert service.state() == "HIT"


def test_nobody_waits_for_another_process_for_longer_either(
    shared: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    Elsewhere(monkeypatch)
    slow, other = shared(), shared(DATABASE_STATEMENT_TIMEOUT="0.3")
    slow.probe.may_end = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(slow.state)
        assert slow.probe.running.wait(20)
        assert other.get().status_code == 503
        slow.probe.may_end.set()
        assert first.result() == "MISS"
    assert other.probe.calls == 0
    assert other.state() == "HIT"


def test_the_lock_of_a_dead_process_falls_free(
    shared: Callable[..., Service], valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    Elsewhere(monkeypatch)
    dying, other = shared(DATABASE_STATEMENT_TIMEOUT="3"), shared()
    dying.probe.may_end = threading.Event()
    with ThreadPoolExecutor(1) as pool, valkey.client as client:
        first = pool.submit(dying.state)
        assert dying.probe.running.wait(20)
        (lock,) = client.keys(f"{dying.app.config['CACHE_KEY_PREFIX']}lock:*")
        assert 3000 < client.pttl(lock) <= 8000  # longer than a statement may take
        client.pexpire(lock, 200)  # as if that time were nearly over
        assert other.state() == "MISS"
        dying.probe.may_end.set()
        assert first.result() == "MISS"


def test_a_lost_lock_is_no_outage(shared: Callable[..., Service], valkey: Valkey) -> None:
    service = shared()
    service.probe.may_end = threading.Event()
    with ThreadPoolExecutor(1) as pool, valkey.client as client:
        first = pool.submit(service.state)
        assert service.probe.running.wait(20)
        client.delete(*client.keys(f"{service.app.config['CACHE_KEY_PREFIX']}lock:*"))
        service.probe.may_end.set()
        assert first.result() == "MISS"
    assert service.state() == "HIT"


def test_nothing_is_left_behind(service: Service) -> None:
    for error in (None, RuntimeError("a fault"), NotFound()):
        service.probe.error = error
        with suppress(AssertionError):
            service.state()
        service.invalidate()
    assert answers._flights == {}
