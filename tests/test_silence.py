"""A database that takes everything and answers nothing: an end to the wait, in all that asks it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask, Response
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from app import create_app
from app.rollups.connections import direct_engine
from benchmarks.faults.servers import Proxy, wait_until
from config import load_settings
from tests.conftest import SECRET
from tests.servers import database, three_listens, url_of

PATH = "/insights/total/listens/1"
# Seconds to connect in, for the test's sake as few as may be.
PATIENCE = 2


@pytest.fixture(scope="module")
def own(server_url: str) -> Iterator[Engine]:
    with database(server_url, "silence", three_listens) as engine:
        yield engine


@pytest.fixture
def network(own: Engine) -> Iterator[Proxy]:
    host = str(own.url.query.get("host") or own.url.host)
    port = int(own.url.port or 5432)
    with Proxy(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)) as proxy:
        yield proxy


@pytest.fixture
def service(own: Engine, network: Proxy) -> Flask:
    url = make_url(url_of(own)).set(host="127.0.0.1", port=network.port, query={"sslmode": "disable"})
    settings = {
        "SQLALCHEMY_DATABASE_URI": url.render_as_string(hide_password=False),
        "CACHE_TYPE": "NullCache",
        "DATABASE_CONNECT_TIMEOUT": str(PATIENCE),
        "DATABASE_STATEMENT_TIMEOUT": "10",
        "CACHE_INVALIDATION_SECRET": SECRET,
    }
    return create_app(load_settings(settings))


def test_a_query_that_is_never_answered_ends(service: Flask, own: Engine, network: Proxy) -> None:
    client = service.test_client()
    assert client.get(PATH).status_code == 200
    with ThreadPoolExecutor(1) as pool, capture_logs() as logged:
        with own.connect() as connection, connection.begin():
            connection.execute(text('LOCK TABLE "History" IN ACCESS EXCLUSIVE MODE'))
            started = time.monotonic()
            waiting = pool.submit(client.get, PATH)
            time.sleep(0.5)
            network.swallow()
        answer = waiting.result(30)
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["detail"] == "The database cannot be reached"
    assert 2 * PATIENCE - 0.5 < time.monotonic() - started < 2 * PATIENCE + 3
    assert "database_silent" in [line["event"] for line in logged]
    network.mend()
    started = time.monotonic()
    wait_until(lambda: client.get(PATH).status_code == 200, 5)


def test_while_it_is_silent_one_caller_at_a_time_finds_that_out(service: Flask, network: Proxy) -> None:
    assert service.test_client().get(PATH).status_code == 200
    network.swallow()
    assert service.test_client().get(PATH).status_code == 503

    def ask(_number: int) -> float:
        started = time.monotonic()
        assert service.test_client().get(PATH).status_code == 503
        return time.monotonic() - started

    with ThreadPoolExecutor(6) as pool:
        times = sorted(pool.map(ask, range(6)))
    assert times[0] < 1
    assert sum(taken > 1 for taken in times) == 1
    network.mend()
    wait_until(lambda: service.test_client().get(PATH).status_code == 200, 5)


def test_a_query_that_is_slow_is_left_to_its_work(service: Flask, own: Engine) -> None:
    client = service.test_client()
    with ThreadPoolExecutor(1) as pool:
        with own.connect() as connection, connection.begin():
            connection.execute(text('LOCK TABLE "History" IN ACCESS EXCLUSIVE MODE'))
            waiting = pool.submit(client.get, PATH)
            time.sleep(3 * PATIENCE)
        assert waiting.result(30).status_code == 200


def test_a_wait_ends_though_the_server_is_well(service: Flask, own: Engine, network: Proxy) -> None:
    client = service.test_client()
    with ThreadPoolExecutor(1) as pool:
        with own.connect() as connection, connection.begin():
            connection.execute(text('LOCK TABLE "History" IN ACCESS EXCLUSIVE MODE'))
            waiting = pool.submit(client.get, PATH)
            time.sleep(0.3)
            network.swallow()
            time.sleep(0.3)
        time.sleep(0.3)
        network.mend()  # the answer is gone, and will not come again
        assert waiting.result(60).status_code == 503


def test_what_works_beside_the_requests_ends_its_waits_too(service: Flask, network: Proxy) -> None:
    engine = direct_engine(service.config)
    ended = threading.Event()

    def wait() -> None:
        with engine.connect() as one:
            one.execute(text("SELECT 1"))
            network.swallow()
            with pytest.raises(OperationalError):
                one.execute(text("SELECT 1"))
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert ended.wait(2 * PATIENCE + 4)
    thread.join()
    network.mend()


def test_an_answer_that_was_read_is_given_though_its_connection_is_cut(service: Flask, network: Proxy) -> None:
    cuts = [False]

    @service.after_request
    def cut(response: Response) -> Response:
        if cuts[0]:  # after the queries, before the end of the transaction
            network.cut()
            time.sleep(0.2)
        return response

    client = service.test_client()
    for _ in range(3):
        assert client.get(PATH).status_code == 200
        cuts[0] = True
        assert client.get(PATH).json == 3
        network.mend()
        cuts[0] = False
