"""`docker/nginx.conf`, as it stands, in front of a gunicorn: what a buffering proxy keeps from the service."""

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from tests.support.faulty_servers import NGINX, nginx
from tests.support.servers import Gunicorn, database, starting, three_listens, url_of

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt install nginx-light)")

THREADS = 2
PATH = "/insights/total/listens/1"
HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def engine_of_all(server_url: str) -> Iterator[Engine]:
    with database(server_url, "proxy", three_listens) as engine:
        yield engine


@pytest.fixture(scope="module")
def service(engine_of_all: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """One worker with few threads: a client that holds one is noticed."""
    with starting(tmp_path_factory.mktemp("service"), url_of(engine_of_all)) as start:
        limits = {"RATELIMIT_ENABLED": "true", "RATELIMIT_DEFAULT": "5 per minute", "TRUSTED_PROXIES": "1"}
        yield start(WEB_CONCURRENCY="1", GUNICORN_THREADS=str(THREADS), **limits)


@pytest.fixture(scope="module")
def proxy(service: Gunicorn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """The service by way of nginx."""
    folder = tmp_path_factory.mktemp("nginx")
    with nginx(folder, service.port) as port:
        yield replace(service, port=port, output=folder / "errors")


@pytest.mark.parametrize(
    "sent",
    [HEAD, HEAD + b"Content-Length: 60000\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"],
    ids=["head", "body", "chunks"],
)
def test_a_slow_client_holds_no_thread(proxy: Gunicorn, sent: bytes) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port))) for _ in range(20 * THREADS)]
        for connection in slow:
            connection.sendall(sent)
        time.sleep(0.2)
        started = time.monotonic()
        assert [proxy.ask("/health").status for _ in range(5)] == [200] * 5
        assert time.monotonic() - started < 2


def send_body(server: Gunicorn, size: int) -> int:
    """The status of a request with a body."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request("GET", "/health", b"x" * size)
        return connection.getresponse().status


def test_what_is_too_large_does_not_reach_the_service(proxy: Gunicorn, service: Gunicorn) -> None:
    around = len("GET /health? HTTP/1.1")
    assert proxy.ask("/health?" + "x" * (8190 - around)).status == 200
    assert send_body(proxy, 65536) == 200
    reached = len(service.requests())
    assert proxy.ask("/health?" + "x" * (8191 - around)).status == 414
    assert send_body(proxy, 65537) == 413
    assert len(service.requests()) == reached


def test_requests_keep_their_ids_and_answers_their_headers(proxy: Gunicorn, service: Gunicorn) -> None:
    answer = proxy.ask(PATH, X_Request_ID="from-outside")
    assert (answer.status, answer.body.strip()) == (200, b"3")
    assert answer.headers["X-Request-ID"] == "from-outside"
    assert {"ETag", "X-Cache", "Vary", "RateLimit-Limit"} <= answer.headers.keys()
    assert "from-outside" in {line["request_id"] for line in service.requests()}
    assert proxy.ask(PATH, If_None_Match=answer.headers["ETag"]).status == 304


def test_the_address_is_the_one_that_nginx_saw(proxy: Gunicorn) -> None:
    answers = [proxy.ask(PATH, X_Forwarded_For=f"192.0.2.{number}").status for number in range(10)]
    assert answers[-5:] == [429] * 5


def test_its_log_holds_nothing_that_a_caller_sent(proxy: Gunicorn) -> None:
    proxy.ask("/planted?planted", X_API_Key="planted")
    proxy.ask("/planted?" + "planted" * 2000)
    files = [path for path in proxy.output.parent.iterdir() if path.is_file()]
    assert proxy.output in files
    assert [path for path in files if b"planted" in path.read_bytes()] == []
