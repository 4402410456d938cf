"""`docker/nginx.conf`, as it stands, in front of a gunicorn: what a buffering proxy keeps from the service."""

import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.faulty_servers import NGINX, nginx
from tests.support.servers import ROOT, Gunicorn, database, starting, three_listens, url_of

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


@pytest.fixture
def unlimited(engine_of_all: Engine, tmp_path: Path) -> Iterator[Gunicorn]:
    """A service that may be asked as often as one likes."""
    with starting(tmp_path, url_of(engine_of_all)) as start:
        yield start(WEB_CONCURRENCY="1", TRUSTED_PROXIES="1")


HISTORY = "/insights/history/1?limit=1"
NEXT = b'"next":"/insights/history/1?before='


@pytest.mark.parametrize("header", ["SCRIPT_NAME: /insights", "SCRIPT_NAME: /elsewhere", "PATH_INFO: /health"])
def test_no_header_stands_for_a_part_of_the_path(header: str, unlimited: Gunicorn) -> None:
    for _ in range(2):  # what was computed for this caller, and what the cache has for others
        answer = send(unlimited, HISTORY, header)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert NEXT in answer
    assert NEXT in unlimited.ask(HISTORY).body


def test_a_caller_s_own_prefix_is_not_passed_on(unlimited: Gunicorn, tmp_path: Path) -> None:
    with nginx(tmp_path, unlimited.port) as port:
        assert NEXT in send(replace(unlimited, port=port), HISTORY, "X-Forwarded-Prefix: /evil")


def send(server: Gunicorn, path: str, header: str) -> bytes:
    """What a server answers to a request with a header as it is written here."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n\r\n"
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_sub_path_as_the_documentation_has_it(unlimited: Gunicorn, tmp_path: Path) -> None:
    (text,) = re.findall("### Sub-path.*?```nginx\n(.*?)```", (ROOT / "docs/operations.md").read_text(), re.DOTALL)
    location, passed, prefix = text.splitlines()
    edits = {
        "location / {": location,
        "proxy_pass http://api;": passed,
        'proxy_set_header X-Forwarded-Prefix "";': prefix,
    }
    with nginx(tmp_path, unlimited.port, edits=edits) as port:
        proxy = replace(unlimited, port=port)
        url, rows = f"/listening{HISTORY}", []
        while url:
            page = json.loads(proxy.ask(url).body)
            rows += page["items"]
            url = page["next"]
        assert rows == json.loads(unlimited.ask("/insights/history/1").body)["items"]
        assert json.loads(proxy.ask("/listening/nowhere").body)["instance"] == "/listening/nowhere"
        assert json.loads(proxy.ask("/listening/openapi.json").body)["servers"] == [{"url": "/listening"}]
        for address in re.findall(r'(?:src|href|data-document)="([^"]+)"', proxy.ask("/listening/docs").body.decode()):
            assert proxy.ask(address).status == 200, address


def test_its_log_holds_nothing_that_a_caller_sent(proxy: Gunicorn) -> None:
    proxy.ask("/planted?planted", X_API_Key="planted")
    proxy.ask("/planted?" + "planted" * 2000)
    files = [path for path in proxy.output.parent.iterdir() if path.is_file()]
    assert proxy.output in files
    assert [path for path in files if b"planted" in path.read_bytes()] == []
