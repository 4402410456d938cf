"""After a person is deleted and the cache invalidated, no answer of any process holds that person.

`docs/operations.md` tells an operator to do just this.
"""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Engine, text

from tests.factories import Platform
from tests.faults import Valkey
from tests.servers import Answer, Gunicorn, Start, database, starting, url_of

PERSON, FRIEND = 1, 2
NAME = "PersonToForget"
TRACK, ARTIST = "6QgjcU0zLnzq5OrUoSZ3OK", "4wyNyxs74Ux8UIDopNjIai"
WORKERS = 2


def fill(platform: Platform) -> None:
    """Two people who share a track; one of them has another, and most of the listens."""
    person, friend = platform.user(PERSON, NAME), platform.user(FRIEND, "friend")
    artist, own_artist = platform.artist(ARTIST, genres=["pop"]), platform.artist(genres=["rock"])
    shared = platform.track(TRACK, primary=[artist], features={})
    own = platform.track(primary=[own_artist], features={})
    for day in ("2025-06-01", "2026-06-01"):
        platform.listens(person, shared, 5, day)
        platform.listens(person, own, 7, day)
        platform.listens(friend, shared, 2, day)


@pytest.fixture
def people(server_url: str) -> Iterator[Engine]:
    with database(server_url, "deleted", fill) as engine:
        yield engine


@pytest.fixture
def start(people: Engine, tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path, url_of(people)) as start:
        yield start


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    server = Valkey()
    yield server
    server.remove()


def all_paths(server: Gunicorn) -> list[str]:
    """Every insight: of the person, of a friend, of the two, of everyone, and of groups with and without the person."""
    paths = []
    for template, operations in orjson.loads(server.ask("/openapi.json").body)["paths"].items():
        if not template.startswith("/insights"):
            continue
        takes = {parameter["name"] for parameter in operations["get"].get("parameters", [])}
        for one, other in ((PERSON, FRIEND), (FRIEND, PERSON)):
            path = template.format(user_id=one, other_user_id=other, year=2026, track_id=TRACK, artist_id=ARTIST)
            paths.append(path)
            if "users" in takes:
                paths += [f"{path}?users={PERSON}", f"{path}?users={PERSON},{FRIEND}", f"{path}?users={FRIEND}"]
    return list(dict.fromkeys(paths))


def answers(server: Gunicorn, paths: list[str]) -> dict[str, Answer]:
    """What each path gives; each worker has answered it, most likely, and knows it by heart."""
    found = {}
    for path in paths:
        for _ in range(2 * WORKERS):
            found[path] = server.ask(path)
            assert found[path].status == 200, path
    return found


def delete_the_person(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text('DELETE FROM "Users" WHERE id = :id'), {"id": PERSON})


def test_no_answer_holds_a_deleted_person(start: Start, people: Engine, valkey: Valkey) -> None:
    # The least time that an answer is fresh is far longer than this test takes.
    fleet = [start(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=valkey.url, WEB_CONCURRENCY=str(WORKERS)) for _ in range(2)]
    paths = all_paths(fleet[0])
    before, _ = (answers(server, paths) for server in fleet)
    assert sum(NAME in answer.body.decode() for answer in before.values()) >= 4

    delete_the_person(people)
    assert NAME in fleet[0].ask("/insights/global/top/listeners").body.decode()  # from the cache: the call is needed
    assert fleet[1].invalidate(f"?user_id={PERSON}") == 200
    assert NAME in fleet[0].ask("/insights/global/top/listeners").body.decode()  # and this one is not enough
    assert fleet[1].invalidate() == 200

    # What a service that has never known the person says.
    truth = answers(start(CACHE_TYPE="NullCache"), paths)
    assert not any(NAME in answer.body.decode() for answer in truth.values())
    for server in fleet:
        for path, answer in answers(server, paths).items():
            assert answer.body == truth[path].body, path
            tag = before[path].headers["ETag"]
            again = server.ask(path, If_None_Match=tag)
            assert (again.status == 304) is (before[path].body == answer.body and tag == answer.headers["ETag"]), path
    # Nothing of the person is left that does not end by itself, within the time that an answer may be served.
    kept = list(valkey.client.scan_iter(match="songswap-insights:answer:*"))
    assert kept
    assert all(0 < valkey.client.ttl(key) <= 3600 + 3600 for key in kept)


def test_neither_does_one_of_a_single_process(start: Start, people: Engine) -> None:
    server = start(CACHE_TYPE="SimpleCache", WEB_CONCURRENCY="1")
    paths = all_paths(server)
    before = answers(server, paths)
    delete_the_person(people)
    assert server.invalidate() == 200
    truth = answers(start(CACHE_TYPE="NullCache"), paths)
    assert sum(before[path].body != truth[path].body for path in paths) > 50
    assert {path: answer.body for path, answer in answers(server, paths).items()} == {
        path: answer.body for path, answer in truth.items()
    }


def test_the_call_fails_where_the_cache_cannot_be_reached(start: Start, valkey: Valkey) -> None:
    server = start(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=valkey.url)
    valkey.kill()
    assert server.invalidate() == 503
