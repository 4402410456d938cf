"""How many statements an answer takes: few, and as many for a long history as for none."""

from collections.abc import Mapping

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection

from app.taste import installation as taste
from app.taste.building import compare, read, replace
from tests.support.factories import Platform

USER_LISTS = ["top/tracks", "top/artists", "top/primary-artists", "top/genres"]
USER_NUMBERS = [
    "total/listens",
    "total/listen-time",
    "distinct/tracks",
    "distinct/artists",
    "distinct/primary-artists",
    "distinct/genres",
]

LISTS = [
    *(f"/insights/{path}/1" for path in USER_LISTS),
    *(f"/insights/global/{path}" for path in [*USER_LISTS, "top/listeners"]),
]
# Lists that are compared with no other window.
FORGOTTEN = [f"/insights/forgotten/{kind}/1" for kind in ("tracks", "artists")]
NUMBERS = [
    *(f"/insights/{path}/1" for path in USER_NUMBERS),
    *(f"/insights/global/{path}" for path in [*USER_NUMBERS, "distinct/listeners"]),
]
# Pages that put several insights together.
PAGES = [
    *(f"/insights/{path}/1" for path in ("summary", "activity", "clock", "features", "streaks", "sessions")),
    *(f"/insights/global/{path}" for path in ("summary", "activity", "clock", "features")),
    *(f"/insights/{audience}" for audience in ("discoveries/tracks/1", "discoveries/artists/1")),
    *(f"/insights/global/discoveries/{kind}" for kind in ("tracks", "artists")),
    "/insights/history/1",
    "/insights/on-this-day/1",
    "/insights/wrapped/1/2026",
    "/insights/review/1",
    *(f"/insights/charts/{kind}/1" for kind in ("tracks", "artists", "primary-artists", "genres")),
    "/insights/compare/1/2",
    "/insights/tracks/heard",
    "/insights/artists/heard",
]
MOST = dict.fromkeys(PAGES, 8) | {
    # The ends of the listens, all charts, and what the catalogue knows of them.
    **{f"/insights/charts/{kind}/1": 3 for kind in ("tracks", "artists", "primary-artists")},
    "/insights/charts/genres/1": 2,
    "/insights/compare/1/2": 3,  # the comparison, and the names of artists and tracks
    "/insights/artists/heard": 10,  # followers and genres besides all that a track's page has, and the rank
}
WINDOWS = [
    {},
    {"range": "this_year", "tz": "America/Havana"},
    {"from": "2026-01-01", "to": "2027-01-01"},
    {"to": "2027-01-01", "tz": "Asia/Kathmandu"},
]


def asks_for_rollups(path: str) -> int:
    """The statement with which an answer about everyone begins: whether there are rollups."""
    return int("/global/" in path)


@pytest.fixture
def long_history(platform: Platform) -> None:
    """Ninety listens by two users of thirty tracks, with several artists and images each."""
    users = [platform.user(1), platform.user(2)]
    for number in range(30):
        artists = [platform.artist(f"{number}-{place}", images=[(64, 64, "s"), (300, 300, "l")]) for place in range(3)]
        track = platform.track(primary=artists[:2], featured=artists[2:], images=[(64, 64, "s")], preview="p")
        platform.listens(users[number % 2], track, 3)


def number_of_statements(statements: list[str], client: FlaskClient, path: str, query: Mapping[str, object]) -> int:
    """The statements behind one answer, which has to be a new one."""
    statements.clear()
    answer = client.get(path, query_string=query)
    assert (answer.status_code, answer.headers["X-Cache"]) == (200, "MISS")
    return len(statements)


@pytest.mark.usefixtures("long_history")
@pytest.mark.parametrize("path", LISTS + FORGOTTEN)
def test_a_list_takes_at_most_two_statements_whatever_its_length(
    path: str, client: FlaskClient, statements: list[str]
) -> None:
    pages: list[dict[str, object]] = [
        {"limit": 1},
        {"limit": 100},
        {"limit": 5, "offset": 7},
        {"limit": 3, "by": "listen_time"},
    ]
    for window in WINDOWS:
        numbers = {number_of_statements(statements, client, path, window | page) for page in pages}

        assert len(numbers) == 1, (window, numbers)
        assert max(numbers) <= 2 + asks_for_rollups(path), window


@pytest.mark.usefixtures("long_history")
@pytest.mark.parametrize("path", LISTS)
def test_a_comparison_takes_at_most_three(path: str, client: FlaskClient, statements: list[str]) -> None:
    query = {"range": "this_year", "compare": "previous"}
    numbers = {number_of_statements(statements, client, path, query | {"limit": limit}) for limit in (1, 100)}

    assert len(numbers) == 1, numbers
    assert max(numbers) <= 3 + asks_for_rollups(path)


@pytest.mark.usefixtures("long_history")
@pytest.mark.parametrize("path", NUMBERS)
def test_a_number_takes_one_statement(path: str, client: FlaskClient, statements: list[str]) -> None:
    for window in WINDOWS:
        assert number_of_statements(statements, client, path, window) == 1 + asks_for_rollups(path), window


@pytest.mark.usefixtures("long_history")
@pytest.mark.parametrize("about", [{"track_id": "heard"}, {"artist_id": "3-1"}, {"genre": "pop"}])
@pytest.mark.parametrize("path", LISTS + NUMBERS)
def test_an_answer_about_a_subject_takes_no_more_and_asks_for_no_rollups(
    path: str, about: dict[str, str], client: FlaskClient, statements: list[str]
) -> None:
    assert number_of_statements(statements, client, path, about) <= (1 if path in NUMBERS else 2)


@pytest.mark.usefixtures("long_history")
@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/insights/similar/1", 3),  # whether there is a model, how many listen, who is alike
        ("/insights/similar/1?users=2,3", 1),
        ("/insights/recommendations/tracks/1", 5),  # the same, what they play, and its names
        ("/insights/recommendations/artists/1", 5),
        ("/insights/global/blend/tracks?users=1,2", 2),
        ("/insights/global/blend/artists?users=1,2", 2),
        ("/insights/global/blend/genres?users=1,2", 1),
    ],
)
def test_who_listens_alike_takes_few(path: str, most: int, client: FlaskClient, statements: list[str]) -> None:
    path, _, users = path.partition("?users=")
    query = {"limit": 100} | ({"users": users} if users else {})
    assert number_of_statements(statements, client, path, query) <= most


@pytest.mark.usefixtures("long_history")
@pytest.mark.parametrize(("path", "most"), [("similar", 3), ("recommendations/tracks", 5)])
def test_with_a_model_no_more(
    path: str, most: int, client: FlaskClient, connection: Connection, statements: list[str]
) -> None:
    taste.install(connection)
    counts = read(connection)
    replace(connection, counts, compare(counts))
    statements.clear()
    assert number_of_statements(statements, client, f"/insights/{path}/1", {}) <= most


@pytest.mark.parametrize("path", PAGES)
def test_a_page_takes_as_many_for_a_long_history_as_for_a_short_one(
    path: str, client: FlaskClient, platform: Platform, statements: list[str]
) -> None:
    one, two = platform.user(1), platform.user(2)
    artist = platform.artist("heard", genres=["pop"])
    tracks = [platform.track("heard", primary=[artist], features={})]
    tracks += [platform.track(primary=[platform.artist(genres=["pop", "rock"])], features={}) for _ in range(30)]
    for user in (one, two):
        platform.listens(user, tracks[0], 1, day="2025-11-23")
        platform.listens(user, tracks[0], 1, day="2026-11-22")
    short = number_of_statements(statements, client, path, {"tz": "UTC"} if "history" not in path else {})

    for number, track in enumerate(tracks):
        for user in (one, two):
            platform.listens(user, track, 2, day=f"2026-{1 + number % 11:02}-11")
            platform.listens(user, track, 1, day=f"{1990 + number}-11-23")
    # Other parameters, for the answer to the first ones is in the cache.
    query = {"limit": 50} if "history" in path else {"tz": "Etc/UTC"}
    long = number_of_statements(statements, client, path, query)

    assert long == short <= MOST[path]


@pytest.mark.usefixtures("long_history")
@pytest.mark.parametrize("query", [{}, {"format": "csv"}, {"from": "2026-01-01", "tz": "Asia/Tokyo"}])
def test_an_export_takes_one_statement(query: dict[str, str], client: FlaskClient, statements: list[str]) -> None:
    statements.clear()
    assert client.get("/insights/export/1", query_string=query, buffered=True).text.count("\n") >= 45
    assert len(statements) == 1


@pytest.mark.parametrize("path", LISTS + NUMBERS)
def test_an_empty_history_takes_no_more(path: str, client: FlaskClient, statements: list[str]) -> None:
    most = (1 if path in NUMBERS else 2) + asks_for_rollups(path)
    assert number_of_statements(statements, client, path, {}) <= most


@pytest.mark.usefixtures("long_history")
@pytest.mark.parametrize("path", LISTS + NUMBERS)
def test_a_cached_answer_and_a_wrong_request_take_none(path: str, client: FlaskClient, statements: list[str]) -> None:
    client.get(path)
    statements.clear()

    assert client.get(path).headers["X-Cache"] == "HIT"
    assert client.get(path, query_string={"nonsense": 1}).status_code == 400
    assert statements == []
