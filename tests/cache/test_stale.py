"""After its time an answer is served for a while longer, while one caller refreshes it or nobody can."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from psycopg2 import OperationalError as DriverError
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.cache import answers
from app.cache.entries import Entry
from app.schemas.requests import audiences
from tests.cache.conftest import Service
from tests.cache.test_contract import HOUR
from tests.cache.test_single_flight import Elsewhere
from tests.support.faulty_servers import Valkey, wait_until

AWAY = OperationalError("SELECT 1", {}, DriverError("server closed the connection unexpectedly"))
# The connection has ended, and the driver does not say so by an OperationalError.
CUT = DatabaseError("SELECT 1", {}, psycopg2.DatabaseError("SSL error: unexpected EOF"), connection_invalidated=True)


def test_one_caller_refreshes_while_the_others_take_the_stale_answer(service: Service) -> None:
    service.state()
    service.clock.forward(hours=1)
    service.probe.answer, service.probe.may_end = "a new answer", threading.Event()
    service.probe.running.clear()
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(service.get)
        assert service.probe.running.wait(20)
        others = [service.get() for _ in range(3)]
        assert {(other.json, other.headers["X-Cache"]) for other in others} == {("an answer", "STALE")}
        service.probe.may_end.set()
        assert refreshing.result().headers["X-Cache"] == "MISS"
        assert refreshing.result().json == "a new answer"
    assert service.get().json == "a new answer"
    assert service.state() == "HIT"
    assert service.probe.calls == 2


def test_other_processes_take_the_stale_answer_too(
    shared: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    Elsewhere(monkeypatch)
    service, other = shared(), shared()
    service.state()
    for each in (service, other):
        each.clock.forward(hours=1)
    service.probe.may_end = threading.Event()
    service.probe.running.clear()
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(service.state)
        assert service.probe.running.wait(20)
        assert other.state() == "STALE"
        service.probe.may_end.set()
        assert refreshing.result() == "MISS"
    assert other.state() == "HIT"
    assert other.probe.calls == 0


def test_the_stale_answer_is_gone_after_the_grace_period(service: Service) -> None:
    service.state()
    service.clock.forward(hours=2)
    service.probe.error = AWAY
    assert service.get().status_code == 503


@pytest.mark.parametrize(
    ("path", "first", "refreshed", "end"),
    [
        # At most an hour fresh, and another one stale.
        ("/probe/list/1", "2026-11-23T12:00:00", "2026-11-23T13:50:00", "2026-11-23T14:00:00"),
        ("/probe/today/1", "2026-11-23T22:30:00", "2026-11-23T23:59:59", "2026-11-24T00:00:00"),
    ],
)
def test_a_refresh_that_fails_after_the_stale_answer_s_end_serves_it_no_more(
    service: Service, path: str, first: str, refreshed: str, end: str
) -> None:
    service.clock.set(first)
    service.state(path)
    service.clock.set(refreshed)
    service.probe.error, service.probe.may_end = AWAY, threading.Event()
    service.probe.running.clear()
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(service.get, path)
        assert service.probe.running.wait(20)
        assert service.state(path) == "STALE"
        service.clock.set(end)
        service.probe.may_end.set()
        assert refreshing.result().status_code == 503


@pytest.mark.parametrize("error", [AWAY, CUT, PoolTimeout("QueuePool limit reached")])
def test_while_the_database_is_away_the_stale_answer_is_served(service: Service, error: Exception) -> None:
    service.state()
    service.clock.forward(hours=1, minutes=30)
    service.probe.error = error
    assert [service.state() for _ in range(3)] == ["STALE"] * 3
    assert service.get().json == "an answer"
    assert service.get("/probe/list/2").status_code == 503
    service.probe.error, service.probe.answer = None, "a new answer"
    wait_until(lambda: service.get().json == "a new answer", 5)


def test_while_the_database_is_away_not_every_request_finds_that_out_anew(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "NEXT_REFRESH", 60)
    paths = [f"/probe/list/{user}" for user in range(1, 10)]
    for path in paths:
        service.state(path)
    service.clock.forward(hours=1)
    service.probe.error, service.probe.calls = AWAY, 0
    assert {service.state(path) for path in paths} == {"STALE"}
    assert service.probe.calls == 1
    assert service.get("/probe/list/99").status_code == 503
    monkeypatch.setattr(answers, "_no_refresh_until", 0.0)


def test_a_fault_of_the_service_itself_is_not_hidden_by_a_stale_answer(service: Service) -> None:
    service.state()
    service.clock.forward(hours=1)
    for error in (IntegrityError("SELECT 1", {}, DriverError("a fault")), RuntimeError("a fault")):
        service.probe.error = error
        assert service.get().status_code == 500


@pytest.mark.parametrize(
    ("path", "now", "least", "most"),
    [
        ("/probe/list/1", "2026-11-23T12:00:00", 0.9 * HOUR + HOUR, 2 * HOUR),
        ("/probe/today/1", "2026-11-23T12:00:00", 0.9 * HOUR + HOUR, 2 * HOUR),
        ("/probe/today/1", "2026-11-23T23:00:00", HOUR, HOUR),  # until midnight
    ],
)
def test_an_answer_is_kept_for_as_long_as_it_may_be_served(
    path: str, now: str, least: float, most: float, shared: Callable[..., Service], valkey: Valkey
) -> None:
    service = shared()
    service.clock.set(now)
    service.state(path)
    with valkey.client as client:
        (key,) = client.keys(f"{service.app.config['CACHE_KEY_PREFIX']}answer:*")
        assert least - 20 < client.ttl(key) <= most


def test_without_a_grace_period_nothing_is_served_stale(make_cached: Callable[..., Service]) -> None:
    service = make_cached(CACHE_STALE_TIMEOUT="0")
    service.state()
    service.clock.forward(hours=1)
    service.probe.error = AWAY
    assert service.get().status_code == 503
    service.probe.error = None
    assert service.state() == "MISS"


def test_what_is_stale_at_once_is_computed_by_one_at_a_time(service: Service) -> None:
    service.add("/probe/now", audiences.OfEveryone, timeout=0)
    for _ in range(3):
        assert service.state("/probe/now") == "MISS"


def test_stale_answers_are_counted(service: Service) -> None:
    service.state()
    service.clock.forward(hours=1)
    service.probe.error = AWAY
    service.state()
    assert service.stats()["stale"] == 1


def test_who_waits_for_a_refresh_that_ends_stale_is_told_so() -> None:
    entry = Entry(b"", (), "", 0, 0)
    for found, told in (("MISS", "HIT"), ("HIT", "HIT"), ("STALE", "STALE"), ("BYPASS", "BYPASS")):
        assert answers.as_waited_for(answers.Found(entry, answers.State(found))).state == told


@pytest.mark.parametrize("path", ["/probe/list/1?range=today", "/probe/list/1?range=7d", "/probe/today/1"])
@pytest.mark.parametrize(
    ("zone", "before", "midnight"),
    [
        ("UTC", "2026-11-23T23:59:59", "2026-11-24T00:00:00"),
        ("Europe/Paris", "2026-11-23T22:59:59", "2026-11-23T23:00:00"),
        ("Asia/Kathmandu", "2026-11-23T18:14:59", "2026-11-23T18:15:00"),
        ("Pacific/Kiritimati", "2026-11-23T09:59:59", "2026-11-23T10:00:00"),
    ],
)
def test_what_depends_on_now_ends_at_midnight(
    service: Service, path: str, zone: str, before: str, midnight: str
) -> None:
    path += f"{'&' if '?' in path else '?'}tz={zone}"
    service.clock.set(before)
    assert [service.state(path), service.state(path)] == ["MISS", "HIT"]
    service.clock.set(midnight)
    service.probe.error = AWAY
    assert service.get(path).status_code == 503  # not even stale
    service.probe.error = None
    assert [service.state(path), service.state(path)] == ["MISS", "HIT"]


def test_what_does_not_depend_on_now_outlives_midnight(service: Service) -> None:
    service.clock.set("2026-11-23T23:59:59")
    service.state()
    service.clock.set("2026-11-24T00:00:01")
    assert service.state() == "HIT"


@pytest.mark.parametrize("path", ["/probe/list/1", "/probe/list/1?range=today", "/probe/list/1?range=last_week"])
@pytest.mark.parametrize("ahead", [{"minutes": 20}, {"days": 1}, {"days": 400}])
def test_what_was_computed_while_the_clock_was_ahead_is_not_served_when_it_is_put_back(
    service: Service, path: str, ahead: dict[str, float]
) -> None:
    service.clock.forward(**ahead)
    assert [service.state(path), service.state(path)] == ["MISS", "HIT"]
    service.clock.forward(**{unit: -number for unit, number in ahead.items()})
    service.probe.error = AWAY
    assert service.get(path).status_code == 503  # not even stale
    service.probe.error, service.probe.answer = None, "the answer of today"
    assert service.get(path).json == "the answer of today"
    assert service.state(path) == "HIT"


def test_a_clock_that_goes_to_and_fro_over_midnight_finds_the_answers_of_each_day(service: Service) -> None:
    for day, instant in (("a", "23T23:59:58"), ("b", "24T00:00:01"), ("a", "23T23:59:59"), ("b", "24T00:00:02")):
        service.clock.set(f"2026-11-{instant}")
        service.probe.answer = day
        for path in ("/probe/today/1", "/probe/list/1?range=today", "/probe/list/1?range=7d"):
            assert service.get(path).json == day


def test_a_computation_that_lasts_past_midnight_is_not_served_again(service: Service) -> None:
    service.clock.set("2026-11-23T23:59:59")
    service.probe.may_end = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(service.state, "/probe/today/1")
        assert service.probe.running.wait(20)
        service.clock.set("2026-11-24T00:00:01")
        service.probe.may_end.set()
        assert first.result() == "MISS"
    service.probe.may_end = None
    assert service.state("/probe/today/1") == "MISS"
