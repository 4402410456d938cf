"""The worker class: what slow, hasty and rude clients get, and that nobody waits for them."""

import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.factories import Platform
from tests.servers import Gunicorn, Start, database, starting, url_of

HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
HEALTH = b'{"status":"ok"}'
THREADS = 2


def fill(platform: Platform) -> None:
    platform.listens(platform.user(1), platform.track(primary=[platform.artist()]), 3)


@pytest.fixture(scope="module")
def engine_of_all(server_url: str) -> Iterator[Engine]:
    with database(server_url, "worker", fill) as engine:
        yield engine


@pytest.fixture(scope="module")
def start(engine_of_all: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    with starting(tmp_path_factory.mktemp("worker"), url_of(engine_of_all)) as start:
        yield start


@pytest.fixture(scope="module")
def server(start: Start) -> Gunicorn:
    """One worker with few threads: what holds some of them is felt by all."""
    return start(WEB_CONCURRENCY="1", GUNICORN_THREADS=str(THREADS))


@pytest.fixture
def connections(server: Gunicorn) -> Iterator["Connections"]:
    with Connections(server) as connections:
        yield connections


class Connections:
    """Connections to a server, closed at the end."""

    def __init__(self, server: Gunicorn) -> None:
        self._server = server
        self._open: list[socket.socket] = []

    def __enter__(self) -> "Connections":
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._open:
            connection.close()

    def __call__(self, sent: bytes = b"") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._server.port), timeout=20)
        self._open.append(connection)
        connection.sendall(sent)
        return connection


def read(connection: socket.socket, answers: int = 1, end: bytes = HEALTH) -> bytes:
    """What comes, until so many answers are there or the connection is closed."""
    received = b""
    while received.count(end) < answers and (data := connection.recv(65536)):
        received += data
    return received


def assert_nobody_waits(server: Gunicorn) -> None:
    started = time.monotonic()
    for _ in range(5):
        assert server.ask("/health").status == 200
    assert time.monotonic() - started < 2


def test_heads_that_come_slowly_hold_no_thread(server: Gunicorn, connections: Connections) -> None:
    slow = [connections(HEAD) for _ in range(20 * THREADS)]
    assert_nobody_waits(server)
    for connection in slow:
        connection.sendall(b"X-More: of it\r\n")
    assert_nobody_waits(server)
    for connection in slow:
        connection.sendall(b"\r\n")
        assert read(connection).startswith(b"HTTP/1.1 200")


def test_a_request_that_comes_a_byte_at_a_time(connections: Connections) -> None:
    connection = connections()
    for _ in range(2):  # over a connection that is kept
        for byte in HEAD + b"\r\n":
            connection.sendall(bytes([byte]))
            time.sleep(0.002)
        assert read(connection).startswith(b"HTTP/1.1 200")


def test_requests_that_come_before_their_time(server: Gunicorn, connections: Connections) -> None:
    request = HEAD + b"\r\n"
    connection = connections(request * 3 + request[:20])
    assert read(connection, 3).count(b"HTTP/1.1 200") == 3
    slow = [connections(request + request[:20]) for _ in range(20 * THREADS)]
    for each in slow:
        read(each)
    assert_nobody_waits(server)
    connection.sendall(request[20:])
    assert read(connection).startswith(b"HTTP/1.1 200")


def test_an_empty_line_before_a_request(connections: Connections) -> None:
    assert read(connections(b"\r\n" + HEAD + b"\r\n")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"x" * 9000, b"414"),
        (b"GET /" + b"x" * 100_000, b"414"),
        (HEAD + b"X-Long: " + b"x" * 70_000, b"431"),
        (HEAD + b"X-Many: of it\r\n" * 65 + b"\r\n", b"431"),
        (HEAD + b"Expect: nonsense\r\n\r\n", b"417"),
        (HEAD + b"Transfer-Encoding: nonsense\r\n\r\n", b"501"),
        (b"GET /insights/tracks/\xff HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /health HTTP/3.0\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_what_is_refused_is_refused_at_once(
    server: Gunicorn, connections: Connections, sent: bytes, status: bytes
) -> None:
    rude = [connections(sent) for _ in range(20 * THREADS)]
    assert_nobody_waits(server)  # for them to close their ends
    for connection in rude:
        head, _, body = read(connection, end=b"never").partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        document = json.loads(body)
        assert head.split()[1] == status
        assert document["status"] == int(status)
        assert document["error"] == document["detail"]
        assert (headers["Content-Type"], headers["Cache-Control"]) == ("application/problem+json", "no-store")
        assert headers["X-Request-ID"] == document["request_id"]


def test_bodies_that_never_come_hold_no_thread(server: Gunicorn, connections: Connections) -> None:
    slow = [connections(HEAD + b"Content-Length: 60000\r\n\r\n") for _ in range(20 * THREADS)]
    assert_nobody_waits(server)
    for connection in slow:
        assert read(connection, end=b"never").startswith(b"HTTP/1.1 200")  # and is closed


@pytest.mark.parametrize("framing", [b"Content-Length: 60000", b"Transfer-Encoding: chunked"])
def test_bodies_that_trickle_in_hold_no_thread(server: Gunicorn, connections: Connections, framing: bytes) -> None:
    slow = [connections(HEAD + framing + b"\r\n\r\n") for _ in range(20 * THREADS)]
    for _ in range(50):  # each byte within the time that a body is waited for
        for connection in slow:
            with suppress(OSError):
                connection.sendall(b"1")
        time.sleep(0.005)
    assert_nobody_waits(server)


def test_chunks_are_counted_where_they_come_at_once(connections: Connections) -> None:
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    kept = connections(chunked + b"5\r\n01234\r\n0\r\n\r\n" + chunked + b"0\r\n\r\n" + HEAD + b"\r\n")
    assert read(kept, 3).count(b"HTTP/1.1 200") == 3
    large = connections(chunked + b"10001\r\n" + b"x" * 0x10001 + b"\r\n0\r\n\r\n")
    assert read(large, end=b'"status":413').startswith(b"HTTP/1.1 413")
    assert read(connections(chunked + b"5\r\n012"), end=b"never").startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"zz\r\nxx\r\n", b"400"),
        (b"-5\r\n", b"400"),
        (b"5\r\nhelloXX0\r\n\r\n", b"400"),
        (b"11170\r\n" + b"x" * 0x11170 + b"\r\nzz\r\n", b"413"),  # answered before the parser comes to it
    ],
)
def test_chunks_that_are_none_are_a_400(connections: Connections, body: bytes, status: bytes) -> None:
    answer = read(connections(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body), end=b"never")
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1") == 1
    assert b"application/problem+json" in answer


def test_health_waits_for_no_database(server: Gunicorn, connections: Connections, engine_of_all: Engine) -> None:
    with engine_of_all.begin() as connection:
        connection.execute(text('LOCK TABLE "History" IN ACCESS EXCLUSIVE MODE'))
        request = b"GET /insights/total/listens/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        waiting = [connections(request) for _ in range(2 * THREADS)]
        time.sleep(0.2)
        assert_nobody_waits(server)
    for each in waiting:
        assert read(each, end=b"\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_a_body_that_comes_is_no_part_of_the_next_request(connections: Connections) -> None:
    connection = connections(HEAD + b"Content-Length: 10\r\n\r\n0123456789" + HEAD + b"\r\n")
    assert read(connection, 2).count(b"HTTP/1.1 200") == 2


def test_who_says_nothing_is_sent_away(connections: Connections) -> None:
    idle, slow = connections(), connections(HEAD)
    started = time.monotonic()
    assert idle.recv(1) == slow.recv(1) == b""
    assert 8 < time.monotonic() - started < 15


def test_where_all_connections_are_taken_the_oldest_of_the_waiting_gives_way(
    engine_of_all: Engine, tmp_path: Path
) -> None:
    with starting(tmp_path, url_of(engine_of_all)) as start:
        server = start(WEB_CONCURRENCY="1", GUNICORN_CMD_ARGS="--worker-connections 20")
        with Connections(server) as connections:
            slow = [connections(HEAD) for _ in range(60)]
            assert_nobody_waits(server)
            assert slow[0].recv(1) == b""
            slow[-1].sendall(b"\r\n")
            assert read(slow[-1]).startswith(b"HTTP/1.1 200")


def test_where_descriptors_run_out_idle_connections_give_way(engine_of_all: Engine, tmp_path: Path) -> None:
    with starting(tmp_path, url_of(engine_of_all)) as start:
        server = start(WEB_CONCURRENCY="1")
        (worker,) = server.workers()
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (64, 64))
        with Connections(server) as connections:
            kept = [connections(HEAD + b"\r\n") for _ in range(100)]
            for connection in kept:
                assert read(connection).startswith(b"HTTP/1.1 200")
            assert_nobody_waits(server)
            assert kept[0].recv(1) == b""
            kept[-1].sendall(HEAD + b"\r\n")
            assert read(kept[-1]).startswith(b"HTTP/1.1 200")


def test_a_worker_takes_more_descriptors_than_it_begins_with(server: Gunicorn) -> None:
    (worker,) = server.workers()
    few, most = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    assert few >= min(4096, most)


def test_no_request_is_lost_at_the_stop(engine_of_all: Engine, tmp_path: Path) -> None:
    with starting(tmp_path, url_of(engine_of_all)) as start:
        server = start(WEB_CONCURRENCY="2", GUNICORN_THREADS="2")
        over, answered, lost = threading.Event(), [], []

        def keep_asking() -> None:
            while not over.is_set():
                try:
                    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
                except OSError:
                    return  # the door is closed
                answer = b""
                with connection:
                    try:
                        connection.sendall(HEAD + b"Connection: close\r\n\r\n")
                        while data := connection.recv(65536):
                            answer += data
                    except OSError as error:
                        answer += repr(error).encode()
                (answered if answer.endswith(HEALTH) else lost).append(answer)

        threads = [threading.Thread(target=keep_asking) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        with Connections(server) as connections:
            kept, begun = connections(HEAD + b"\r\n"), connections(HEAD)
            read(kept)
            started = time.monotonic()
            server.process.terminate()
            time.sleep(0.3)
            kept.sendall(HEAD + b"\r\n")
            begun.sendall(b"\r\n")
            for connection in (kept, begun):
                assert b"Connection: close" in read(connection)
            assert server.process.wait(20) == 0
        assert time.monotonic() - started < 8
        over.set()
        for thread in threads:
            thread.join(30)
        assert lost == []
        assert len(answered) > 50
