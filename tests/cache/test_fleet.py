"""A fleet as in production: two gunicorns of two workers each, one Valkey, one PostgreSQL, and what befalls them."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import Session

from app.models.base import Base
from config import NO_SETTINGS
from tests.conftest import SECRET
from tests.support.factories import Platform
from tests.support.faulty_servers import Address, Proxy, Valkey, free_port, wait_until

ROOT = Path(__file__).parents[2]
LISTENS = 5


class Answer(NamedTuple):
    status: int
    state: str | None
    body: bytes


@dataclass
class Instance:
    """A gunicorn with the project's settings."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def ask(self, path: str, method: str = "GET", timeout: float = 60) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, headers={"X-Invalidation-Secret": SECRET})
            response = connection.getresponse()
            return Answer(response.status, response.headers["X-Cache"], response.read())
        finally:
            connection.close()

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.ask("/health").status == 200
        except OSError:
            return False

    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def events(self) -> Counter[str]:
        """How often each event was logged; requests that the cache has a part in are told apart by its state."""
        lines = [orjson.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]
        return Counter(line.get("cache") or line["event"] for line in lines)


@dataclass
class Fleet:
    """Instances that share a Valkey and a database."""

    instances: list[Instance]
    valkey: Valkey
    users: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    def new_path(self) -> str:
        """An insight that nobody has asked for."""
        return f"/insights/total/listens/{next(self.users)}"

    def ask_all(self, path: str, times: int = 4) -> list[Answer]:
        return [instance.ask(path) for _ in range(times) for instance in self.instances]

    def states(self, path: str, times: int = 4) -> set[str | None]:
        answers = self.ask_all(path, times)
        assert {answer.status for answer in answers} == {200}
        return {answer.state for answer in answers}

    def events(self) -> Counter[str]:
        return sum((instance.events() for instance in self.instances), Counter())


@pytest.fixture(scope="module")
def database(server_url: str) -> Iterator[Engine]:
    """A database of its own, with listens that are there for all connections."""
    name = f"songswap_fleet_{os.getpid()}"
    admin = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine = create_engine(make_url(server_url).set(database=name))
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        platform = Platform(session)
        user, track = platform.user(id=1), platform.track(primary=[platform.artist()])
        platform.listens(user, track, LISTENS)
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(scope="module")
def way_to_database(database: Engine) -> Iterator[Proxy]:
    """The network between the fleet and its database."""
    url = database.url
    host = str(url.query.get("host") or url.host or "/var/run/postgresql")
    port = int(str(url.query.get("port") or url.port or 5432))
    target: Address = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
    with Proxy(target) as proxy:
        yield proxy


Start = Callable[..., Instance]


@pytest.fixture(scope="module")
def start(database: Engine, way_to_database: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts an instance."""
    started: list[Instance] = []
    url = database.url.set(host="127.0.0.1", port=way_to_database.port, query={"sslmode": "disable"})

    def start(**settings: str) -> Instance:
        port = free_port()
        folder = tmp_path_factory.mktemp("instance")
        environ = NO_SETTINGS | {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GUNICORN_THREADS": "8",
            "LOG_LEVEL": "INFO",
        }
        environ |= {"SQLALCHEMY_DATABASE_URI": url.render_as_string(hide_password=False)}
        environ |= {"CACHE_TYPE": "RedisCache", "CACHE_INVALIDATION_SECRET": SECRET, "WEB_CONCURRENCY": "2"}
        environ |= {"ALLOW_ANONYMOUS": "true"} | settings
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"],
                cwd=ROOT,
                env=environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(Instance(process, port, folder / "log"))
        wait_until(started[-1].is_up, 60, "the start of gunicorn")
        return started[-1]

    yield start
    for instance in started:
        instance.process.terminate()
    for instance in started:
        try:
            instance.process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(instance.process.pid, signal.SIGKILL)
            instance.process.wait()


@pytest.fixture(scope="module")
def fleet(start: Start) -> Iterator[Fleet]:
    """Two instances with two workers each, all of which have found the cache."""
    valkey = Valkey()
    fleet = Fleet([start(CACHE_REDIS_URL=valkey.url) for _ in range(2)], valkey)
    with ThreadPoolExecutor(16) as pool:
        wait_until(lambda: "BYPASS" not in set().union(*pool.map(fleet.states, [fleet.new_path()] * 16)), 60)
    yield fleet
    valkey.remove()


@contextmanager
def held_up(database: Engine) -> Iterator[None]:
    """While this lasts, no query gets at the listens."""
    with database.connect() as connection, connection.begin():
        connection.execute(text('LOCK TABLE "History" IN ACCESS EXCLUSIVE MODE'))
        yield


def waiting(database: Engine) -> int:
    """How many queries wait for the listens."""
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%History%'
    """
    with database.connect() as connection:  # a connection each time: within a transaction the view stands still
        return int(connection.execute(text(query)).scalar_one())


def test_one_computes_and_all_see_it(fleet: Fleet) -> None:
    path = fleet.new_path()
    before = fleet.events()
    answers = fleet.ask_all(path, 20)
    assert Counter(answer.state for answer in answers) == {"MISS": 1, "HIT": 39}
    assert len({answer.body for answer in answers}) == 1
    assert fleet.events()["MISS"] == before["MISS"] + 1


def test_an_invalidation_through_one_is_seen_by_all(fleet: Fleet, database: Engine) -> None:
    path = "/insights/total/listens/1"
    fleet.instances[0].ask("/cache/invalidate", "POST")
    listens = int(fleet.instances[0].ask(path).body)
    for number, query in enumerate(["", "?user_id=1", ""]):
        with Session(database) as session, session.begin():
            track_id = session.execute(text('SELECT id FROM "Tracks"')).scalar_one()
            new = {"at": f"2026-02-0{number + 1}", "track_id": track_id}
            session.execute(text('INSERT INTO "History" VALUES (1, :at, :track_id)'), new)
        assert {int(answer.body) for answer in fleet.ask_all(path)} == {listens}
        assert fleet.instances[number % 2].ask(f"/cache/invalidate{query}", "POST").status == 200
        listens += 1
        answers = fleet.ask_all(path)
        assert {int(answer.body) for answer in answers} == {listens}
        assert Counter(answer.state for answer in answers) == {"MISS": 1, "HIT": 7}


def test_numbers_are_those_of_the_fleet(fleet: Fleet) -> None:
    paths = [fleet.new_path() for _ in range(5)]
    before = orjson.loads(fleet.instances[0].ask("/cache/stats").body)
    for path in paths:
        fleet.ask_all(path, 2)
    for instance in fleet.instances:
        stats = orjson.loads(instance.ask("/cache/stats").body)
        gained = {name: stats[name] - before[name] for name in ("size", "hits", "misses", "stale", "errors")}
        assert gained == {"size": 5, "hits": 15, "misses": 5, "stale": 0, "errors": 0}
        assert orjson.loads(instance.ask("/cache/size").body) == {"size": stats["size"]}


def test_200_cold_requests_at_once_run_the_query_once(fleet: Fleet, database: Engine) -> None:
    # Where the machine is so busy that Valkey keeps a caller waiting, that one rightly computes for itself. So it is
    # tried again then; the callers of one process never compute twice.
    for _ in range(3):
        path, before = fleet.new_path(), fleet.events()
        with ThreadPoolExecutor(200) as pool:
            with held_up(database):
                requests = [pool.submit(fleet.instances[number % 2].ask, path) for number in range(200)]
                wait_until(lambda: waiting(database), 30)
                time.sleep(1.5)
                queries = waiting(database)
            answers = [request.result() for request in requests]
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1
        gained = fleet.events() - before
        if queries == 1 and Counter(answer.state for answer in answers) == {"MISS": 1, "HIT": 199}:
            assert (gained["MISS"], gained["BYPASS"], gained["HIT"]) == (1, 0, 199)
            return
    pytest.fail(f"it ran {queries} times: {gained}")


@pytest.mark.thorough
def test_a_crash_of_the_cache_under_load(fleet: Fleet) -> None:
    paths = ["/insights/total/listens/1", "/insights/top/tracks/1", "/insights/summary/1", "/insights/global/clock"]
    over = threading.Event()
    answers: list[Answer] = []

    def keep_asking(number: int) -> None:
        while not over.is_set():
            for path in paths:
                answers.append(fleet.instances[number % 2].ask(path))
                time.sleep(0.01)

    with ThreadPoolExecutor(6) as pool:
        load = [pool.submit(keep_asking, number) for number in range(6)]
        try:
            wait_until(lambda: len(answers) > 100)
            fleet.valkey.kill()
            wait_until(lambda: [answer.state for answer in answers[-20:]] == ["BYPASS"] * 20)
            fleet.valkey.start()
            began = len(answers)
            wait_until(lambda: "HIT" in {answer.state for answer in answers[began:]}, 5, "the cache's return")
            wait_until(lambda: {answer.state for answer in answers[-20:]} == {"HIT"}, 10)
        finally:
            over.set()
        for each in load:
            each.result()
    assert {answer.status for answer in answers} == {200}
    # Once an outage for each of the requests that it took by surprise, whatever the number of requests.
    assert 1 <= fleet.events()["cache_unreachable"] <= 4 * 6
    assert "Traceback" not in "".join(instance.log.read_text() for instance in fleet.instances)


@pytest.mark.thorough
def test_a_worker_that_is_killed_while_it_computes(start: Start, fleet: Fleet, database: Engine) -> None:
    path = fleet.new_path()
    settings = {"CACHE_REDIS_URL": fleet.valkey.url, "CACHE_KEY_PREFIX": "killed:", "DATABASE_STATEMENT_TIMEOUT": "2"}
    dying, other = [start(**settings, WEB_CONCURRENCY="1") for _ in range(2)]
    wait_until(
        lambda: dying.ask("/insights/total/listens/1").state == other.ask("/insights/total/listens/1").state == "HIT"
    )
    with ThreadPoolExecutor(1) as pool:
        with held_up(database):
            request = pool.submit(dying.ask, path)
            wait_until(lambda: waiting(database) == 1)
            os.kill(dying.workers()[0], signal.SIGKILL)
            with pytest.raises((OSError, http.client.HTTPException)):
                request.result()
        # Callers who wait are told to come again, until the time of the lock is over.
        assert other.ask(path).status == 503
        wait_until(lambda: other.ask(path).status == 200, 20)
    wait_until(dying.is_up)
    assert dying.ask(path).state == "HIT"


@pytest.mark.thorough
def test_while_postgresql_is_away(start: Start, fleet: Fleet, way_to_database: Proxy) -> None:
    settings = {"CACHE_REDIS_URL": fleet.valkey.url, "CACHE_KEY_PREFIX": "brief:", "CACHE_DEFAULT_TIMEOUT": "1"}
    instances = [start(**settings, WEB_CONCURRENCY="1") for _ in range(2)]
    path = "/insights/top/tracks/1"
    wait_until(lambda: instances[0].ask(path).state == "HIT")
    fresh = instances[0].ask(path)
    time.sleep(1.1)
    way_to_database.cut()
    try:
        for instance in instances * 3:
            assert instance.ask(path) == Answer(200, "STALE", fresh.body)
            assert instance.ask(fleet.new_path()).status == 503
            assert instance.ask("/health").status == 200
    finally:
        way_to_database.mend()
    wait_until(lambda: instances[1].ask(path).state in {"HIT", "MISS"}, 10)
    assert instances[0].ask(fleet.new_path()).status == 200


@pytest.mark.thorough
def test_a_start_without_the_cache(start: Start) -> None:
    valkey = Valkey()
    try:
        valkey.kill()
        instance = start(CACHE_REDIS_URL=valkey.url)
        assert {instance.ask("/insights/total/listens/1").state for _ in range(6)} == {"BYPASS"}
        assert instance.ask("/cache/invalidate", "POST").status == 503
        valkey.start()
        wait_until(lambda: instance.ask("/insights/total/listens/1").state == "HIT", 10)
    finally:
        valkey.remove()
