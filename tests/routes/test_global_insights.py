"""The insights of everyone and of groups, and the numbers, each definition of the contract by example."""

import pytest
from flask.testing import FlaskClient

from tests.support.factories import Platform

GLOBAL = "/insights/global"


def test_a_top_listener_has_every_field_of_the_contract(client: FlaskClient, platform: Platform) -> None:
    track = platform.track(duration_ms=1000)
    platform.listens(platform.user(7, "ann"), track, 3)
    platform.listens(platform.user(5, "bob"), track, 1)

    assert client.get(f"{GLOBAL}/top/listeners", query_string={"limit": 1}).json == [
        {"rank": 1, "user_id": 7, "username": "ann", "count": 3, "listen_time_ms": 3000, "share": 0.75}
    ]


def test_listeners_of_equal_count_go_by_id_as_a_number(client: FlaskClient, platform: Platform) -> None:
    track = platform.track()
    for user_id in (10, 9, 2_147_483_647, 2):
        platform.listens(platform.user(user_id), track, 1)

    rows = client.get(f"{GLOBAL}/top/listeners").json

    assert [(row["rank"], row["user_id"]) for row in rows] == [(1, 2), (1, 9), (1, 10), (1, 2_147_483_647)]


def test_two_users_of_one_name_stay_two(client: FlaskClient, platform: Platform) -> None:
    track = platform.track()
    for user_id in (1, 2):
        platform.listens(platform.user(user_id, "same"), track, 1)

    assert [row["username"] for row in client.get(f"{GLOBAL}/top/listeners").json] == ["same", "same"]
    assert client.get(f"{GLOBAL}/distinct/listeners").json == 2


def test_listens_of_all_users_are_summed(client: FlaskClient, platform: Platform) -> None:
    one, two = platform.user(1), platform.user(2)
    shared = platform.track("shared", duration_ms=1000, primary=[platform.artist("a")])
    platform.listen(one, shared, "2026-01-01")
    platform.listen(two, shared, "2026-01-01")  # the same instant
    platform.listens(two, platform.track("own", duration_ms=500), 1)

    rows = client.get(f"{GLOBAL}/top/tracks").json
    assert [(row["track_id"], row["count"], row["listen_time_ms"]) for row in rows] == [
        ("shared", 2, 2000),
        ("own", 1, 500),
    ]
    assert [(row["artist_id"], row["count"]) for row in client.get(f"{GLOBAL}/top/artists").json] == [("a", 2)]
    assert client.get(f"{GLOBAL}/total/listens").json == 3
    assert client.get(f"{GLOBAL}/total/listen-time").json == 2500


def test_totals_and_distincts_are_over_listens_not_over_the_catalogue(client: FlaskClient, platform: Platform) -> None:
    platform.user(1)
    platform.user(2)
    platform.track("never heard", primary=[platform.artist("never heard")])
    heard = platform.track(primary=[platform.artist("p")], featured=[platform.artist("f")])
    platform.listens(platform.user(3), heard, 2)

    numbers = {
        name: client.get(f"{GLOBAL}/distinct/{name}").json
        for name in ("tracks", "artists", "primary-artists", "listeners")
    }

    assert numbers == {"tracks": 1, "artists": 2, "primary-artists": 1, "listeners": 1}


def test_an_artist_who_is_featured_here_and_primary_there_is_one(client: FlaskClient, platform: Platform) -> None:
    user, artist = platform.user(1), platform.artist("a")
    platform.listens(user, platform.track(primary=[artist]), 1)
    platform.listens(user, platform.track(featured=[artist]), 2)

    assert [(row["artist_id"], row["count"]) for row in client.get(f"{GLOBAL}/top/artists").json] == [("a", 3)]
    assert [(row["artist_id"], row["count"]) for row in client.get(f"{GLOBAL}/top/primary-artists").json] == [("a", 1)]
    assert client.get(f"{GLOBAL}/distinct/artists").json == 1


@pytest.fixture
def three_listeners(platform: Platform) -> None:
    """Users 1, 2 and 3 with as many listens of one track; user 4 with none."""
    track = platform.track("t", primary=[platform.artist("a")])
    for user_id in (1, 2, 3):
        platform.listens(platform.user(user_id), track, user_id)
    platform.user(4)


@pytest.mark.usefixtures("three_listeners")
@pytest.mark.parametrize(
    ("users", "listens", "listeners"),
    [
        ("1", 1, 1),
        ("1,3", 4, 2),
        ("3,1", 4, 2),
        ("3,3,3", 3, 1),  # a set
        ("03,3", 3, 1),
        ("4", 0, 0),
        ("77", 0, 0),
        ("1,77,2147483647", 1, 1),
        ("", 6, 3),  # empty is the default: everyone
    ],
)
def test_users_is_a_set_and_the_insight_is_over_that_group_alone(
    users: str, listens: int, listeners: int, client: FlaskClient
) -> None:
    query = {"users": users}

    rows = client.get(f"{GLOBAL}/top/listeners", query_string=query).json

    assert client.get(f"{GLOBAL}/total/listens", query_string=query).json == listens
    assert client.get(f"{GLOBAL}/distinct/listeners", query_string=query).json == listeners == len(rows)
    assert sum(row["share"] for row in rows) == pytest.approx(1 if listens else 0)


@pytest.mark.usefixtures("three_listeners")
def test_a_group_has_up_to_500_users(client: FlaskClient) -> None:
    def get(numbers: list[int]) -> int:
        return client.get(f"{GLOBAL}/total/listens", query_string={"users": ",".join(map(str, numbers))}).status_code

    most = list(range(1, 501))
    assert get(most) == 200
    assert get([*most, 501]) == 400


def test_a_repeated_user_counts_once_towards_the_500(client: FlaskClient) -> None:
    # A set: these are 500 users, given 501 times.
    users = ",".join(map(str, [*range(1, 501), 500]))

    assert client.get(f"{GLOBAL}/total/listens", query_string={"users": users}).status_code == 200


@pytest.mark.parametrize(
    ("path", "empty"),
    [
        ("top/tracks", []),
        ("top/artists", []),
        ("top/primary-artists", []),
        ("top/listeners", []),
        ("total/listens", 0),
        ("total/listen-time", 0),
        ("distinct/tracks", 0),
        ("distinct/artists", 0),
        ("distinct/primary-artists", 0),
        ("distinct/listeners", 0),
    ],
)
@pytest.mark.parametrize("query", [{}, {"users": "1"}, {"range": "today"}])
def test_an_empty_platform_has_the_empty_result(
    path: str, empty: object, query: dict[str, str], client: FlaskClient
) -> None:
    answer = client.get(f"{GLOBAL}/{path}", query_string=query)

    assert (answer.status_code, answer.json) == (200, empty)


@pytest.fixture(params=["/insights/total/listen-time/1", f"{GLOBAL}/total/listen-time"])
def listen_time_path(request: pytest.FixtureRequest) -> str:
    """The listen time of a user, and of everyone."""
    return str(request.param)


@pytest.mark.parametrize("flag", ["true", "TRUE", "True", "1", "yes", "YES", "yEs"])
def test_as_string_gives_the_text(flag: str, listen_time_path: str, client: FlaskClient, platform: Platform) -> None:
    day = 86_400_000
    long, short = platform.track(duration_ms=24 * day), platform.track(duration_ms=4 * 3_600_000 + 35 * 60_000 + 1999)
    user = platform.user(1)
    platform.listens(user, long, 2)
    platform.listens(user, short, 1)

    assert client.get(listen_time_path, query_string={"as_string": flag}).json == "48d 4h 35m 1s"


@pytest.mark.parametrize("flag", ["false", "FALSE", "0", "no", "No", ""])
def test_as_string_off_gives_the_number(
    flag: str, listen_time_path: str, client: FlaskClient, platform: Platform
) -> None:
    platform.listens(platform.user(1), platform.track(duration_ms=1234), 1)

    assert client.get(listen_time_path, query_string={"as_string": flag}).json == 1234


def test_as_string_of_nothing(listen_time_path: str, client: FlaskClient) -> None:
    assert client.get(listen_time_path, query_string={"as_string": "yes"}).json == "0d 0h 0m 0s"


def test_listen_time_goes_beyond_32_bits(listen_time_path: str, client: FlaskClient, platform: Platform) -> None:
    platform.listens(platform.user(1), platform.track(duration_ms=2_147_483_647), 3)

    assert client.get(listen_time_path).json == 3 * 2_147_483_647
