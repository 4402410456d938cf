"""Insights narrowed to one track, one artist or one genre."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.factories import Platform
from tests.web.test_errors import check_problem, wrong

GENRE = "r&b, 'soul'; %é\N{GUITAR}"
NOT_ABOUT_A_SUBJECT = {
    *("/insights/tracks/<track_id>", "/insights/artists/<artist_id>", "/insights/similar/<user_id>"),
    *(f"/insights/recommendations/{kind}/<user_id>" for kind in ("tracks", "artists")),
    *(f"/insights/global/blend/{kind}" for kind in ("tracks", "artists", "genres")),
}


@pytest.fixture
def two_tracks(platform: Platform) -> None:
    """User 1 has heard `duet`, by `lead` with `guest`, three times, and `solo`, by `guest`, once; user 2 each once."""
    lead, guest = platform.artist("lead", genres=["pop"]), platform.artist("guest", genres=[GENRE])
    duet, solo = platform.track("duet", primary=[lead], featured=[guest]), platform.track("solo", primary=[guest])
    one, two = platform.user(1), platform.user(2)
    platform.listens(one, duet, 3)
    platform.listens(one, solo, 1)
    platform.listens(two, duet, 1)
    platform.listens(two, solo, 1)


@pytest.mark.usefixtures("two_tracks")
@pytest.mark.parametrize(
    ("about", "number"),
    [
        ({}, 4),
        ({"track_id": "duet"}, 3),
        ({"artist_id": "guest"}, 4),  # as credited
        ({"artist_id": "lead"}, 3),
        ({"genre": GENRE}, 1),  # by the primary artists' genres
        ({"genre": "pop"}, 3),
        ({"genre": "Pop"}, 0),
        ({"track_id": "lead"}, 0),
        ({"genre": ""}, 4),  # as if it were not given
    ],
)
def test_only_listens_of_the_subject_count(about: dict[str, str], number: int, client: FlaskClient) -> None:
    assert client.get("/insights/total/listens/1", query_string=about).json == number


@pytest.mark.usefixtures("two_tracks")
def test_shares_and_ranks_are_over_what_is_left(client: FlaskClient) -> None:
    rows = client.get("/insights/top/tracks/1?track_id=solo").json
    assert [(row["rank"], row["track_id"], row["share"]) for row in rows] == [(1, "solo", 1.0)]
    # Nothing else that they listened to makes them different.
    assert client.get("/insights/compare/1/2?track_id=solo").json["similarity"] == 1
    # Of `duet` user 1 has three listens, and user 2 one: that is all the listeners it has.
    assert client.get("/insights/wrapped/1/2026?track_id=duet").json["percentile"] == 1
    assert client.get("/insights/wrapped/1/2026?track_id=solo").json["percentile"] == 0


@pytest.mark.usefixtures("two_tracks")
def test_the_next_page_of_a_history_is_about_the_same(client: FlaskClient) -> None:
    page = client.get("/insights/history/1", query_string={"genre": "pop", "limit": 2}).json
    assert parse_qs(urlsplit(page["next"]).query)["genre"] == ["pop"]
    assert [item["track_id"] for item in client.get(page["next"]).json["items"]] == ["duet"]
    assert client.get("/insights/history/1", query_string={"genre": GENRE, "limit": 1}).json["next"] is None


@pytest.mark.usefixtures("two_tracks")
def test_answers_about_different_subjects_are_kept_apart(client: FlaskClient) -> None:
    def state(query: Mapping[str, str]) -> str:
        return client.get("/insights/total/listens/1", query_string=query).headers["X-Cache"]

    queries = [{}, {"track_id": "pop"}, {"artist_id": "pop"}, {"genre": "pop"}, {"genre": "pop,UTC"}]
    assert [state(query) for query in queries] == ["MISS"] * 5
    assert [state(query) for query in queries] == ["HIT"] * 5
    assert state({"track_id": "", "genre": "pop"}) == "HIT"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"track_id": "a", "artist_id": "b"}, "track_id and artist_id"),
        ({"genre": "a", "track_id": "b"}, "track_id and genre"),
        ({"genre": "a", "track_id": "b", "artist_id": "c"}, "track_id and artist_id and genre"),
    ],
)
@pytest.mark.parametrize("path", ["/insights/top/tracks/1", "/insights/global/summary", "/insights/export/1"])
def test_two_subjects_are_an_error_that_names_them(
    path: str, query: dict[str, str], named: str, client: FlaskClient
) -> None:
    problem = check_problem(client.get(path, query_string=query), 400)
    assert problem["detail"] == f"{named} cannot stand together: give one subject"


@pytest.mark.parametrize("name", ["track_id", "artist_id", "genre"])
def test_a_subject_with_a_nul_is_an_error(name: str, client: FlaskClient) -> None:
    assert wrong(client.get("/insights/total/listens/1", query_string={name: "a\0"})) == [name]


def test_every_insight_but_the_pages_takes_a_subject(app: Flask, client: FlaskClient) -> None:
    paths: dict[str, Any] = client.get("/openapi.json").json["paths"]
    insights = {path: operations["get"] for path, operations in paths.items() if path.startswith("/insights/")}
    takes = {path: {one["name"] for one in described["parameters"]} for path, described in insights.items()}
    others = {path.replace("<", "{").replace(">", "}") for path in NOT_ABOUT_A_SUBJECT}
    assert {path for path, names in takes.items() if not {"track_id", "artist_id", "genre"} <= names} == others
