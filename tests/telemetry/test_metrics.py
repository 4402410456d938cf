"""`/metrics`: every request, answer of the cache, statement and connection is counted once, over all workers."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import sleep

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from app.telemetry.metrics import METHODS, OTHER_METHOD, UNKNOWN_ROUTE
from tests.support.faulty_servers import Valkey, free_port, wait_until
from tests.support.servers import Answer, Gunicorn, Scrape, Start, database, starting, three_listens, url_of

REQUESTS = "http_request_duration_seconds_count"
ANSWERS = "insights_cache_answers_total"
LISTENS = "/insights/total/listens/<user_id>"


@pytest.fixture(scope="module")
def engine_of_all(server_url: str) -> Iterator[Engine]:
    with database(server_url, "metrics", three_listens) as engine:
        yield engine


@pytest.fixture
def start(engine_of_all: Engine, tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path, url_of(engine_of_all)) as start:
        yield start


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    server = Valkey()
    yield server
    server.remove()


def directory_of(server: Gunicorn) -> Path:
    environ = Path(f"/proc/{server.workers()[0]}/environ").read_bytes()
    assert b"PROMETHEUS_MULTIPROC_DIR" not in environ  # it is made by gunicorn.conf.py
    files = Path(f"/proc/{server.workers()[0]}/maps").read_text()
    (directory,) = set(re.findall(r"(\S+)/histogram_\d+\.db", files))
    return Path(directory)


def scrape(client: FlaskClient) -> Scrape:
    answer = client.get("/metrics")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return Scrape.of(answer.data)


# --- One process ------------------------------------------------------------------------------------------------------


def test_requests_are_counted_by_template_method_and_status(client: FlaskClient) -> None:
    before = scrape(client)
    client.get("/insights/total/listens/1")
    client.get("/insights/total/listens/2")
    client.get("/insights/total/listens/2?limit=1")
    client.head("/insights/total/listens/2")
    after = scrape(client)

    def more(**labels: str) -> float:
        return after.total(REQUESTS, **labels) - before.total(REQUESTS, **labels)

    assert more(route=LISTENS, method="GET", status="200") == 2
    assert more(route=LISTENS, method="GET", status="400") == 1
    assert more(route=LISTENS, method="HEAD", status="200") == 1
    assert more(route="/metrics") == 1
    assert more() == 5


def test_what_a_caller_makes_up_adds_no_series(client: FlaskClient) -> None:
    before = scrape(client)
    for number in range(20):
        client.get(f"/nowhere/{number}")
        client.open("/health", method=f"MADEUP{number}")
    found = scrape(client)
    assert found.total(REQUESTS, route=UNKNOWN_ROUTE, method="GET", status="404") >= 20
    assert found.total(REQUESTS, method=OTHER_METHOD) >= 20
    assert found.labels(REQUESTS, "method") <= METHODS | {OTHER_METHOD}
    new = found.labels(REQUESTS, "route") - before.labels(REQUESTS, "route")
    assert new <= {"/health", "/metrics", UNKNOWN_ROUTE}


def test_hits_are_counted(client: FlaskClient) -> None:
    client.get("/insights/total/listens/1")
    before = scrape(client)
    for _ in range(5):
        assert client.get("/insights/total/listens/1").headers["X-Cache"] == "HIT"
    after = scrape(client)
    assert after.total(ANSWERS, state="HIT") - before.total(ANSWERS, state="HIT") == 5
    of_route = {"route": LISTENS, "status": "200"}
    assert after.total(REQUESTS, **of_route) - before.total(REQUESTS, **of_route) == 5


# --- Several workers --------------------------------------------------------------------------------------------------


def test_workers_are_added_up(start: Start, valkey: Valkey) -> None:
    server = start(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=valkey.url, CACHE_KEY_PREFIX="sum:")
    paths = [f"/insights/total/listens/{user}" for user in range(1, 11)] * 20
    answers: list[Answer] = []
    files = [directory_of(server) / f"histogram_{worker}.db" for worker in (1, 2)]
    # On a busy machine one worker may answer many before the other has its turn.
    while not answers or not all(b"/insights/total/listens" in file.read_bytes() for file in files):
        assert len(answers) < 10_000
        with ThreadPoolExecutor(8) as callers:
            answers += callers.map(server.ask, paths)
    assert {answer.status for answer in answers} == {200}

    scrapes = [server.scrape() for _ in range(6)]  # whichever worker answers
    for before, found in enumerate(scrapes):
        assert found.total(REQUESTS, route=LISTENS, status="200") == len(answers)
        assert found.total("http_request_duration_seconds_bucket", route=LISTENS, le="+Inf") == len(answers)
        assert sum(found.total(ANSWERS, state=state) for state in ("HIT", "MISS", "BYPASS")) == len(answers)
        # On a busy machine the cache may be too slow for one.
        computed = found.total(ANSWERS, state="MISS") + found.total(ANSWERS, state="BYPASS")
        # Each scrape before this one has asked whether there are rollups.
        assert found.total("insights_database_query_duration_seconds_count") == computed + before
        assert found.total("insights_build_info", version="1.0.0") == 1


def test_what_a_killed_worker_has_counted_stays_and_what_it_held_does_not(start: Start) -> None:
    server = start(CACHE_TYPE="NullCache")
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(server.ask, ["/insights/total/listens/1"] * 50))
    before = server.scrape()
    assert before.total("insights_database_connections") >= 2
    old = server.workers()
    for worker in old:
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: len(server.workers()) == 2 and not set(server.workers()) & set(old), what="new workers")
    wait_until(server._is_up)
    after = server.scrape()
    assert after.total(REQUESTS, route=LISTENS) == before.total(REQUESTS, route=LISTENS) == 50
    assert after.total("insights_database_connections") == 0


def test_the_numbers_survive_a_reload_and_their_directory_goes_with_the_server(start: Start) -> None:
    server = start()
    for _ in range(10):
        server.ask("/insights/total/listens/1")
    directory, old = directory_of(server), server.workers()
    assert directory.stat().st_mode & 0o777 == 0o700
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(server.workers()) == 2 and not set(server.workers()) & set(old), what="the reload")
    server.ask("/insights/total/listens/1")
    assert server.scrape().total(REQUESTS, route=LISTENS) == 11
    assert server.stop() == 0
    assert not directory.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", place], check=False).returncode:
        pytest.skip("only root may mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill_up(place: Path) -> None:
    with suppress(OSError), (place / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def ask_all_over(server: Gunicorn) -> set[int]:
    """The statuses of 420 requests of 30 kinds: more kinds than the first page of a file has room for."""
    names = ("clock", "streaks", "summary", "sessions", "top/tracks", "top/artists", "top/genres", "total/listens",
             "history", "features")  # fmt: skip
    paths = [
        f"/insights/{name}/1?{query}" for name in names for query in ("", "tz=Europe/Paris", "unknown=1")
    ]  # history has no tz
    with ThreadPoolExecutor(8) as callers:
        return {answer.status for answer in callers.map(server.ask, paths * 14)}


def test_a_disk_that_fills_up_costs_no_answer_and_no_number(start: Start, small_disk: Path) -> None:
    server = start(TMPDIR=str(small_disk), CACHE_TYPE="NullCache")
    assert directory_of(server).parent == small_disk
    wait_until(lambda: len(server.workers()) == 2)
    workers = server.workers()
    fill_up(small_disk)
    assert ask_all_over(server) == {200, 400}
    assert server.workers() == workers
    assert server.scrape().total(REQUESTS, status="200") >= 266
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: len(server.workers()) == 2 and not set(server.workers()) & set(workers), what="new workers")
    wait_until(server._is_up)
    assert ask_all_over(server) == {200, 400}
    assert server.scrape().total(REQUESTS, status="200") >= 532


def test_a_disk_that_is_full_at_the_start_costs_metrics_alone(start: Start, small_disk: Path) -> None:
    fill_up(small_disk)
    os.truncate(small_disk / "filling", (small_disk / "filling").stat().st_size - 100_000)  # some place, but too little
    server = start(TMPDIR=str(small_disk), CACHE_TYPE="NullCache")
    wait_until(lambda: len(server.workers()) == 2)
    workers = server.workers()
    assert ask_all_over(server) == {200, 400}
    assert server.workers() == workers
    assert server.ask("/metrics").status == 200
    assert "No space for metrics" in server.output.read_text()
    assert list(small_disk.iterdir()) == [small_disk / "filling"]


def test_folders_of_killed_servers_are_removed_and_those_of_others_stay(start: Start, tmp_path: Path) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    killed, other = start(TMPDIR=str(place)), start(TMPDIR=str(place))
    wait_until(lambda: len(killed.workers()) == 2)
    left, kept = directory_of(killed), directory_of(other)
    processes = [killed.process.pid, *killed.workers()]
    for process in processes:
        os.kill(process, signal.SIGKILL)
    killed.process.wait()
    wait_until(lambda: not any(Path(f"/proc/{process}/exe").exists() for process in processes), what="their end")
    third = start(TMPDIR=str(place))
    assert not left.exists()
    assert set(place.iterdir()) == {kept, directory_of(third)}


# --- The cache --------------------------------------------------------------------------------------------------------


def test_answers_are_counted_by_their_state(start: Start) -> None:
    server = start(WEB_CONCURRENCY="1", CACHE_DEFAULT_TIMEOUT="1")
    states = [server.ask("/insights/total/listens/1").headers["X-Cache"] for _ in range(3)]
    sleep(1.1)
    states += [server.ask("/insights/total/listens/1").headers["X-Cache"] for _ in range(3)]
    found = server.scrape()
    assert set(states) == {"MISS", "HIT"}
    for state in set(states):
        assert found.total(ANSWERS, state=state) == states.count(state)
    assert found.labels(ANSWERS, "state") == {"HIT", "MISS", "STALE", "BYPASS"}  # from the start


def test_stale_answers_are_counted_while_the_database_is_away(start: Start, engine_of_all: Engine) -> None:
    server = start(WEB_CONCURRENCY="1", CACHE_DEFAULT_TIMEOUT="1", DATABASE_STATEMENT_TIMEOUT="0.3")
    server.ask("/insights/total/listens/1")
    sleep(1.1)
    with engine_of_all.begin() as blocker:
        blocker.execute(text('LOCK TABLE "History" IN ACCESS EXCLUSIVE MODE'))
        assert server.ask("/insights/total/listens/1").headers["X-Cache"] == "STALE"
    found = server.scrape()
    assert found.total(ANSWERS, state="STALE") == 1
    # The statement that failed is counted, with the time that it took.
    assert found.total("insights_database_query_duration_seconds_count") == 2
    assert found.total("insights_database_query_duration_seconds_sum") >= 0.3


def test_errors_of_the_shared_cache_are_counted(start: Start) -> None:
    server = start(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert server.ask("/insights/total/listens/1").headers["X-Cache"] == "BYPASS"
    found = server.scrape()
    assert found.total(ANSWERS, state="BYPASS") == 1
    assert found.total("insights_cache_errors_total", error="cache_unreachable") >= 1


# --- The database -----------------------------------------------------------------------------------------------------


def test_connections_in_use_go_up_and_down(start: Start, engine_of_all: Engine) -> None:
    server = start(WEB_CONCURRENCY="1", CACHE_TYPE="NullCache", DATABASE_POOL_SIZE="3", DATABASE_MAX_OVERFLOW="4")
    with engine_of_all.begin() as blocker, ThreadPoolExecutor(5) as callers:
        blocker.execute(text('LOCK TABLE "History" IN ACCESS EXCLUSIVE MODE'))
        waiting = [callers.submit(server.ask, f"/insights/total/listens/{user}") for user in range(1, 6)]
        wait_until(lambda: server.scrape().total("insights_database_connections_in_use") == 5)
        assert server.scrape().total("insights_database_connections_max") == 7
        blocker.rollback()
        assert {answer.result().status for answer in waiting} == {200}
    found = server.scrape()
    assert found.total("insights_database_connections_in_use") == 0
    assert found.total("insights_database_connections") == 3  # what is beyond the pool's size is closed


def test_connections_that_cannot_be_made_or_are_cut_are_not_in_use(start: Start, engine_of_all: Engine) -> None:
    server = start(WEB_CONCURRENCY="1", CACHE_TYPE="NullCache")
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    cut = text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    for _ in range(3):
        assert server.ask("/insights/total/listens/1").status == 200
        with engine_of_all.begin() as connection:
            connection.execute(cut)
    away = start(WEB_CONCURRENCY="1", SQLALCHEMY_DATABASE_URI="postgresql://nobody@127.0.0.1:1/nothing")
    assert {away.ask("/insights/total/listens/1").status for _ in range(3)} == {503}
    for each in (server, away):
        assert each.scrape().total("insights_database_connections_in_use") == 0
    assert server.scrape().total("insights_database_connections") == 1
    assert away.scrape().total("insights_database_connections") == 0


def test_a_scrape_while_others_count(start: Start) -> None:
    server = start(CACHE_TYPE="NullCache")
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            server.ask("/nowhere")

    callers = [threading.Thread(target=ask) for _ in range(3)]
    for caller in callers:
        caller.start()
    try:
        totals = [server.scrape().total(REQUESTS) for _ in range(20)]
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    assert totals == sorted(totals)
