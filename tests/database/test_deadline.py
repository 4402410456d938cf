"""A database that takes everything and answers nothing: an end to the wait, in all that asks it."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from flask import Flask, Response
from psycopg2.extensions import set_wait_callback
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app import create_app
from app.database import deadline
from app.database.engine import own_engine
from config import load_settings
from tests.conftest import SECRET
from tests.support.faulty_servers import Proxy, wait_until
from tests.support.servers import database, three_listens, url_of

PATH = "/insights/total/listens/1"
# Seconds to connect in, as few as may be.
CONNECT = 2
# Seconds for a statement.
STATEMENT = 0.5
# Seconds for its answer to come.
ANSWER = STATEMENT + CONNECT

MakeService = Callable[..., Flask]


@pytest.fixture(scope="module", autouse=True)
def deadlines() -> Iterator[None]:
    """As in a process that serves."""
    deadline.install()
    yield
    set_wait_callback(None)


@pytest.fixture(scope="module")
def own(server_url: str) -> Iterator[Engine]:
    with database(server_url, "deadline", three_listens) as engine:
        yield engine


@pytest.fixture
def network(own: Engine) -> Iterator[Proxy]:
    host = str(own.url.query.get("host") or own.url.host)
    port = int(own.url.port or 5432)
    with Proxy(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)) as proxy:
        yield proxy


@pytest.fixture
def make(own: Engine, network: Proxy) -> MakeService:
    url = make_url(url_of(own)).set(host="127.0.0.1", port=network.port, query={"sslmode": "disable"})

    def make(**settings: str) -> Flask:
        standard = {
            "SQLALCHEMY_DATABASE_URI": url.render_as_string(hide_password=False),
            "CACHE_TYPE": "NullCache",
            "DATABASE_CONNECT_TIMEOUT": str(CONNECT),
            "DATABASE_STATEMENT_TIMEOUT": str(STATEMENT),
            "CACHE_INVALIDATION_SECRET": SECRET,
        }
        return create_app(load_settings(standard | settings))

    return make


@pytest.fixture
def service(make: MakeService) -> Flask:
    return make()


@contextmanager
def taking(least: float, most: float) -> Iterator[None]:
    """What the block takes, in seconds; a busy machine may need one more."""
    started = time.monotonic()
    yield
    assert least - 0.1 < time.monotonic() - started < most + 1


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """A table that no query can read meanwhile."""
    with engine.connect() as connection, connection.begin():
        connection.execute(text('LOCK TABLE "History" IN ACCESS EXCLUSIVE MODE'))
        yield


def check_away(answer: TestResponse) -> None:
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["detail"] == "The database cannot be reached"


def test_a_query_that_is_never_answered_ends(service: Flask, own: Engine, network: Proxy) -> None:
    client = service.test_client()
    assert client.get(PATH).status_code == 200
    with ThreadPoolExecutor(1) as pool, locked(own), taking(ANSWER, ANSWER):
        waiting = pool.submit(client.get, PATH)
        time.sleep(0.2)
        network.swallow()
        check_away(waiting.result(10))
    network.mend()
    wait_until(lambda: client.get(PATH).status_code == 200, 5)


def test_requests_that_come_meanwhile_end_sooner_and_the_next_are_answered(service: Flask, network: Proxy) -> None:
    assert service.test_client().get(PATH).status_code == 200
    network.swallow()
    with ThreadPoolExecutor(4) as pool, taking(CONNECT, 2 * CONNECT):
        for answer in pool.map(lambda _: service.test_client().get(PATH), range(4)):
            check_away(answer)
    network.mend()
    with taking(0, 0):
        assert service.test_client().get(PATH).status_code == 200


def test_a_pooled_connection_that_is_lost_is_replaced(service: Flask, network: Proxy) -> None:
    client = service.test_client()
    assert client.get(PATH).status_code == 200
    network.swallow()
    with ThreadPoolExecutor(1) as pool, taking(CONNECT, CONNECT):
        waiting = pool.submit(client.get, PATH)
        time.sleep(0.2)
        network.mend()
        assert waiting.result(10).status_code == 200


def test_a_query_that_is_slow_is_left_to_its_work(make: MakeService, own: Engine) -> None:
    client = make(DATABASE_STATEMENT_TIMEOUT="10").test_client()
    with ThreadPoolExecutor(1) as pool:
        with locked(own):
            waiting = pool.submit(client.get, PATH)
            time.sleep(CONNECT + 0.2)
        assert waiting.result(10).status_code == 200


def test_what_works_beside_the_requests_ends_its_waits_too(service: Flask, network: Proxy) -> None:
    engine = own_engine(service.config, answer_within=0.5)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as one:
        one.execute(text("SELECT 1"))
        network.swallow()
        with taking(0.5, 0.5), pytest.raises(OperationalError, match=r"no answer within 0\.5 s"):
            one.execute(text("SELECT 1"))
        assert one.invalidated


def test_a_wait_can_be_interrupted(own: Engine, service: Flask) -> None:
    engine = own_engine(service.config, answer_within=60)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with engine.connect() as connection, taking(0.5, 0.5):
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            with pytest.raises(KeyboardInterrupt):
                connection.execute(text("SELECT pg_sleep(30)"))
            assert connection.invalidated
    finally:
        signal.signal(signal.SIGALRM, previous)


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
