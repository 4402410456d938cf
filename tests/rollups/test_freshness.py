"""A committed change shows in cached answers, long before their time is over: real services, caches and connections."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.rollups.conftest import install
from tests.support.factories import Platform
from tests.support.faulty_servers import Valkey, wait_until
from tests.support.servers import Start, database, starting, url_of

MINE, OTHERS, EVERYONES = "/insights/total/listens/1", "/insights/total/listens/2", "/insights/global/total/listens"
GROUPS = f"{EVERYONES}?users=1,2"
WORKERS = 2
# Requests after which each worker has most likely answered one.
TIMES = 12 * WORKERS

Listen = Callable[..., None]


def fill(platform: Platform) -> None:
    track = platform.track("track", primary=[platform.artist("artist", genres=["pop"])])
    for number in (1, 2):
        platform.listens(platform.user(number), track, 3)


@pytest.fixture
def platform_engine(server_url: str) -> Iterator[Engine]:
    with database(server_url, "freshness", fill) as engine:
        install(engine)
        yield engine


@pytest.fixture
def start(platform_engine: Engine, tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path, url_of(platform_engine)) as start:
        yield start


@pytest.fixture
def listen(platform_engine: Engine) -> Listen:
    """Commits a listen of a user, at a second of its own."""
    seconds = iter(range(60))

    def insert(user: int = 1) -> None:
        with platform_engine.begin() as connection:
            connection.execute(
                text("INSERT INTO \"History\" VALUES (:user, :instant, 'track')"),
                {"user": user, "instant": f"2026-11-22 12:00:{next(seconds):02}"},
            )

    return insert


class Fleet:
    """Services of two workers each, whose answers are cached, and who all follow."""

    def __init__(self, engine: Engine, start: Start, number: int, **settings: str) -> None:
        self._engine = engine
        self.servers = [start(WEB_CONCURRENCY=str(WORKERS), **settings) for _ in range(number)]
        wait_until(lambda: self.followers() == number * WORKERS, what="a follower in each process")
        # One that begins to follow ends all answers, once: what was announced before, it does not know.
        time.sleep(1)
        paths = MINE, OTHERS, EVERYONES, GROUPS
        wait_until(lambda: all(self.answers(path) and self.is_cached(path) for path in paths))

    def followers(self) -> int:
        """How many have looked for announcements."""
        with self._engine.connect() as connection:
            found = connection.execute(
                text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE :look"),
                {"look": "%concerns_all%"},
            )
            return len(set(found.scalars()) - {connection.scalar(text("SELECT pg_backend_pid()"))})

    def answers(self, path: str) -> set[bytes]:
        """What all processes say."""
        return {server.ask(path).body.strip() for server in self.servers for _ in range(TIMES)}

    def is_cached(self, path: str) -> bool:
        """Whether all processes have it."""
        return all(server.ask(path).headers["X-Cache"] == "HIT" for server in self.servers for _ in range(TIMES))

    def all_say(self, answers: set[bytes], path: str) -> bool:
        """Whether the processes give these answers and no other."""
        return self.answers(path) == answers

    def wait_for(self, number: int, path: str) -> None:
        """Wait until all say a number."""
        wait_until(lambda: self.all_say({b"%d" % number}, path), what=f"{number} in {path}")


@pytest.fixture
def redis_settings(valkey: Valkey) -> dict[str, str]:
    return {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": valkey.url}


@pytest.fixture(params=["RedisCache", "SimpleCache"])
def fleet(
    platform_engine: Engine, start: Start, redis_settings: dict[str, str], request: pytest.FixtureRequest
) -> Fleet:
    return Fleet(platform_engine, start, 2, **redis_settings | {"CACHE_TYPE": request.param})


@pytest.fixture
def service(platform_engine: Engine, start: Start, redis_settings: dict[str, str]) -> Fleet:
    return Fleet(platform_engine, start, 1, **redis_settings)


@pytest.mark.thorough
def test_a_commit_shows_in_all_processes_and_ends_no_other_users_answers(fleet: Fleet, listen: Listen) -> None:
    listen()
    fleet.wait_for(4, MINE)
    fleet.wait_for(7, EVERYONES)
    fleet.wait_for(7, GROUPS)
    assert fleet.is_cached(OTHERS)


def test_what_is_committed_while_nobody_looks_shows(service: Fleet, platform_engine: Engine, listen: Listen) -> None:
    with platform_engine.connect() as connection:
        cut = text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'songswap-insights%'"
        )
        assert (connection.scalar(cut) or 0) >= 2 * WORKERS
    listen()
    service.wait_for(4, MINE)
    service.wait_for(7, EVERYONES)


def test_what_is_committed_while_redis_is_away_shows(service: Fleet, valkey: Valkey, listen: Listen) -> None:
    valkey.stop_answering()
    listen()
    service.wait_for(4, MINE)
    valkey.answer_again()
    service.wait_for(4, MINE)
    service.wait_for(7, EVERYONES)
    wait_until(lambda: service.is_cached(MINE))
    service.wait_for(4, MINE)


CHANGES = {
    "UPDATE \"Artists\" SET name = 'Renamed'": "/insights/top/artists/1",
    'UPDATE "Tracks" SET duration_ms = 1': "/insights/global/total/listen-time",
    "UPDATE \"Users\" SET username = 'renamed' WHERE id = 2": "/insights/global/top/listeners",
    "UPDATE \"Users\" SET username = 'again' WHERE id = 2": "/insights/global/top/listeners?users=2",
    "INSERT INTO \"TrackPopularity\" VALUES ('track', '2026-11-22', 50)": "/insights/tracks/track?users=1",
    'DELETE FROM "Users" WHERE id = 2': "/insights/global/top/listeners",
    'TRUNCATE "ArtistGenres"': "/insights/global/top/genres",
    'TRUNCATE "History"': MINE,
}


def test_a_change_of_anything_else_shows(service: Fleet, start: Start, platform_engine: Engine) -> None:
    truth = start(CACHE_TYPE="NullCache")
    for change, path in CHANGES.items():
        wait_until(partial(service.is_cached, path))
        before = service.answers(path)
        with platform_engine.begin() as connection:
            connection.execute(text(change))
        after = {truth.ask(path).body.strip()}
        assert after != before
        wait_until(partial(service.all_say, after, path), what=f"{change} in {path}")
