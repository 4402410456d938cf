"""After a person is deleted and the cache invalidated, no answer of any process holds that person.

`docs/operations.md` tells an operator to do just this.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Engine, text

from app.models.rollups import Kind
from config import NO_SETTINGS
from tests.support.factories import Platform
from tests.support.faulty_servers import Valkey, wait_until
from tests.support.servers import ROOT, Answer, Gunicorn, Start, database, starting, url_of

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


def all_paths(server: Gunicorn) -> list[str]:
    """Every insight: of the person, of a friend, of the two, of everyone, and of groups with and without the person."""
    paths = []
    for template, operations in orjson.loads(server.ask("/openapi.json").body)["paths"].items():
        if not template.startswith("/insights"):
            continue
        takes = {parameter["name"]: parameter for parameter in operations["get"].get("parameters", [])}
        for one, other in ((PERSON, FRIEND), (FRIEND, PERSON)):
            path = template.format(user_id=one, other_user_id=other, year=2026, track_id=TRACK, artist_id=ARTIST)
            if "users" in takes:
                paths.append(f"{path}?users={PERSON},{FRIEND}")
                if takes["users"].get("required"):
                    continue
                paths += [f"{path}?users={PERSON}", f"{path}?users={FRIEND}"]
            paths.append(path)
    return list(dict.fromkeys(paths))


def answers(server: Gunicorn, paths: list[str], times: int = WORKERS + 1) -> dict[str, Answer]:
    """What each path gives. Asked several times, most likely each worker has it and knows it by heart."""
    found = {}
    for path in paths:
        for _ in range(times):
            found[path] = server.ask(path)
            assert found[path].status == 200, path
    return found


def delete_the_person(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text('DELETE FROM "Users" WHERE id = :id'), {"id": PERSON})


def flask(engine: Engine, *command: str) -> None:
    """`flask …`, as an operator gives it."""
    environ = NO_SETTINGS | {"PATH": os.environ["PATH"], "SQLALCHEMY_DATABASE_URI": url_of(engine)}
    command_line = [sys.executable, "-m", "flask", "--app", "app.cli", *command]
    subprocess.run(command_line, cwd=ROOT, env=environ, check=True, capture_output=True)


@pytest.mark.thorough
@pytest.mark.parametrize("with_rollups", [False, True], ids=["live", "rollups and a model"])
def test_no_answer_holds_a_deleted_person(start: Start, people: Engine, valkey: Valkey, with_rollups: bool) -> None:
    if with_rollups:
        flask(people, "rollups", "install")
        flask(people, "taste", "build")
    # The least time that an answer is fresh is far longer than this test takes.
    fleet = [start(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=valkey.url, WEB_CONCURRENCY=str(WORKERS)) for _ in range(2)]
    paths = all_paths(fleet[0])
    before, _ = (answers(server, paths) for server in fleet)
    assert sum(NAME in answer.body.decode() for answer in before.values()) >= 4

    delete_the_person(people)
    # What a service that has never known the person says.
    truth = answers(start(CACHE_TYPE="NullCache"), paths, times=1)
    assert not any(NAME in answer.body.decode() for answer in truth.values())
    if with_rollups:  # the deletion announces itself
        wait_until(lambda: all(server.ask(path).body == truth[path].body for server in fleet for path in paths), 10)
    else:
        assert NAME in fleet[0].ask("/insights/global/top/listeners").body.decode()  # from the cache: a call is needed
        assert fleet[1].invalidate(f"?user_id={PERSON}") == 200
        assert NAME in fleet[0].ask("/insights/global/top/listeners").body.decode()  # and this one is not enough
    assert fleet[1].invalidate() == 200

    for server in fleet:
        for path, answer in answers(server, paths).items():
            assert answer.body == truth[path].body, path
            if (tag := before[path].headers.get("ETag")) is None:
                continue
            again = server.ask(path, If_None_Match=tag)
            assert (again.status == 304) is (before[path].body == answer.body and tag == answer.headers["ETag"]), path
    # Nothing of the person is left that does not end by itself, within the time that an answer may be served.
    kept = [valkey.client.ttl(key) for key in valkey.client.scan_iter(match="songswap-insights:answer:*")]
    assert all(0 < seconds <= 3600 + 3600 for seconds in kept)
    assert max(kept) > 3600  # those of any day


def test_the_rollups_forget_the_person_when_the_deletion_is_folded_in(people: Engine) -> None:
    flask(people, "rollups", "install")
    delete_the_person(people)
    flask(people, "rollups", "fold")
    of_person = {
        "listen_changes": f"user_id = {PERSON}",
        "rankings": f"kind = {Kind.LISTENER:d} AND id = lpad('{PERSON}', 10, '0')",
    }
    with people.connect() as connection:
        for table, condition in of_person.items():
            rows = connection.execute(text(f"SELECT count(*) FROM insights.{table} WHERE {condition}"))
            assert rows.scalar() == 0, table
        assert connection.execute(text("SELECT count(*) FROM insights.rankings")).scalar()  # the friend's


def test_neither_does_one_of_a_single_process(start: Start, people: Engine) -> None:
    server = start(CACHE_TYPE="SimpleCache", WEB_CONCURRENCY="1")
    paths = all_paths(server)
    before = answers(server, paths)
    delete_the_person(people)
    assert server.invalidate() == 200
    truth = answers(start(CACHE_TYPE="NullCache"), paths, times=1)
    assert sum(before[path].body != truth[path].body for path in paths) > 50
    assert {path: answer.body for path, answer in answers(server, paths).items()} == {
        path: answer.body for path, answer in truth.items()
    }


def test_the_call_fails_where_the_cache_cannot_be_reached(start: Start, valkey: Valkey) -> None:
    server = start(CACHE_TYPE="RedisCache", CACHE_REDIS_URL=valkey.url)
    valkey.kill()
    assert server.invalidate() == 503
