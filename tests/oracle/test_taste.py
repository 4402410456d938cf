"""Similar listeners, recommendations and blends against the oracle."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, text

from app.taste import installation
from app.taste.building import compare, read, replace
from tests.oracle.checks import Substance, difference, examples, loaded, uncached, window_headers
from tests.oracle.lists import Asked, Kind
from tests.oracle.taste import blend, recommendations, similar
from tests.support.histories import any_page, any_pair, any_user, listened

KINDS: list[tuple[str, Kind]] = [("tracks", "tracks"), ("artists", "primary-artists"), ("genres", "genres")]

settings = uncached  # the fixture of conftest.py, overridden


def check_page(
    client: FlaskClient, path: str, whole: list[dict[str, Any]], page: dict[str, Any], **query: Any
) -> dict[str, str]:
    """A page of a list; gives the headers."""
    answer = client.get(path, query_string=query | page)
    assert answer.status_code == 200, answer.text
    first = page.get("offset", 0)
    assert difference(answer.json, whole[first : first + page.get("limit", 10)], path) is None
    assert answer.headers["X-Total-Count"] == str(len(whole))
    return dict(answer.headers)


def build_model(connection: Connection) -> None:
    """What `flask taste build` does, in the test's transaction."""
    installation.install(connection)
    counts = read(connection)
    replace(connection, counts, compare(counts))


def delete_one(rng: Random, history: Any, connection: Connection, user_id: int) -> None:
    """Delete somebody, most of the time another one than the user, from the world and the database."""
    gone = rng.choice([*sorted(history.world.users), *sorted(history.world.users.keys() - {user_id})])
    connection.execute(text('DELETE FROM "Users" WHERE id = :id'), {"id": gone})
    del history.world.users[gone]
    for key in [key for key in history.world.history if key[0] == gone]:
        del history.world.history[key]


def about(rng: Random) -> tuple[Any, int, Asked]:
    history = listened(rng)
    user_id = any_user(rng, history)
    return history, user_id, history.asked(frozenset({user_id}), None)


@examples(60)
def test_similar_listeners_are_the_oracles(
    rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    history, user_id, asked = about(rng)
    some = rng.sample(sorted(history.world.users), rng.randint(1, len(history.world.users)))
    with loaded(history.world, connection):
        headers = check_page(client, f"/insights/similar/{user_id}", similar(asked), any_page(rng))
        assert not any(name.startswith("X-Window") for name in headers)
        users = ",".join(map(str, some))
        check_page(client, f"/insights/similar/{user_id}", similar(asked, some), any_page(rng), users=users)
        for row in client.get(f"/insights/similar/{user_id}").json:
            pair = client.get(f"/insights/compare/{user_id}/{row['user_id']}").json
            assert row["similarity"] == round(pair["similarity"], 9)
            assert row["distinct_shared_primary_artists"] == pair["distinct_shared_primary_artists"]
    substance.note(bool(similar(asked)))


@examples(60)
def test_the_models_neighbours_are_the_oracles_and_a_deleted_user_is_nobodys(
    rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    history, user_id, asked = about(rng)
    path = f"/insights/similar/{user_id}"
    with loaded(history.world, connection):
        build_model(connection)
        substance.note(bool(similar(asked)))
        headers = check_page(client, path, similar(asked), any_page(rng))
        assert datetime.fromisoformat(headers["X-Computed-At"]) <= datetime.now(UTC)
        delete_one(rng, history, connection, user_id)
        asked = history.asked(frozenset({user_id}), None)
        check_page(client, path, similar(asked) if user_id in history.world.users else [], any_page(rng))
        connection.execute(text("UPDATE insights.taste_models SET computed_at = computed_at - interval '49 hours'"))
        assert "X-Computed-At" not in client.get(path).headers


@examples(60)
def test_recommendations_are_the_oracles_and_never_heard(
    rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    history = listened(rng)
    user_id = any_user(rng, history)
    # Of few tracks a user mostly knows all: this one knows one or two.
    rows = history.world.history
    own = sorted({track for (user, _), track in rows.items() if user == user_id})
    known = rng.sample(own, min(len(own), rng.randint(1, 2)))
    for key in [key for key, track in rows.items() if key[0] == user_id and track not in known]:
        del rows[key]
    asked = history.asked(frozenset({user_id}), None)
    heard = {listen.track_id for listen in asked.ever}
    found = False
    with loaded(history.world, connection):
        for is_computed_ahead in (False, True):
            if is_computed_ahead:
                build_model(connection)
            for name, kind in KINDS[:2]:
                path = f"/insights/recommendations/{name}/{user_id}"
                whole = recommendations(asked, kind)
                headers = check_page(client, path, whole, any_page(rng))
                assert ("X-Computed-At" in headers) is is_computed_ahead
                found = found or bool(whole)
        told = client.get(f"/insights/recommendations/tracks/{user_id}?limit=100").json
    substance.note(found or not similar(asked))
    assert not heard & {row["track_id"] for row in told}
    artists = [row["artist_id"] for row in told if row["artist_id"]]
    assert all(artists.count(artist) <= 2 for artist in artists)


@examples(60)
def test_a_blend_is_the_oracles(rng: Random, client: FlaskClient, connection: Connection, substance: Substance) -> None:
    history = listened(rng)
    users = list(dict.fromkeys(any_pair(rng, history)))
    users += [user for user in history.world.users if user not in users][: 2 - len(users) or rng.choice((0, 0, 1))]
    asked = history.asked(None, None)
    shared = False
    with loaded(history.world, connection):
        for name, kind in KINDS:
            whole = blend(asked, users, kind)
            shared = shared or bool(whole)
            query = history.query | {"users": ",".join(map(str, [*users, users[0]]))}
            headers = check_page(client, f"/insights/global/blend/{name}", whole, any_page(rng), **query)
            for header, value in window_headers(asked.window).items():
                assert headers.get(header) == value
    substance.note(shared or len(history.listeners) < 2)


@pytest.mark.parametrize("users", ["1", "1,1", ",".join(map(str, range(1, 22))), "x", ""])
def test_a_blend_is_of_two_to_twenty(client: FlaskClient, users: str) -> None:
    answer = client.get(f"/insights/global/blend/tracks?users={users}")
    assert (answer.status_code, answer.json["errors"][0]["parameter"]) == (400, "users")


def test_none_is_narrowed_to_a_subject(client: FlaskClient) -> None:
    for path in ("similar/1", "recommendations/tracks/1", "global/blend/tracks?users=1,2"):
        mark = "&" if "?" in path else "?"
        assert client.get(f"/insights/{path}{mark}genre=pop").status_code == 400
    assert client.get("/insights/similar/1?range=today").status_code == 400
