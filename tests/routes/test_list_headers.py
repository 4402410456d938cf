"""What a list says of itself: `X-Total-Count`, `Link`, `X-Window-From` and `X-Window-To`."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.oracle.checks import links
from tests.support.factories import Platform

LISTS = [
    "/insights/top/tracks/1",
    "/insights/top/artists/1",
    "/insights/top/primary-artists/1",
    "/insights/global/top/tracks",
    "/insights/global/top/artists",
    "/insights/global/top/primary-artists",
]


@pytest.fixture
def seven(platform: Platform) -> None:
    """Seven tracks of one artist each, with ties, heard by user 1."""
    user = platform.user(1)
    for number in range(7):
        track = platform.track(f"t{number}", primary=[platform.artist(f"a{number}")])
        platform.listens(user, track, 1 + number // 3)


def offsets(answer: TestResponse) -> dict[str, int]:
    """Where the links lead to."""
    return {rel: int(parse_qs(urlsplit(url).query)["offset"][0]) for rel, url in links(answer).items()}


@pytest.mark.usefixtures("seven")
@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_following_next_to_the_end_gives_every_row_once(path: str, limit: int, client: FlaskClient) -> None:
    whole = client.get(path, query_string={"limit": 100}).json
    rows: list[Any] = []
    url: str | None = f"{path}?limit={limit}"
    while url:
        answer = client.get(url)
        assert answer.headers["X-Total-Count"] == "7"
        rows += answer.json
        url = links(answer).get("next")
    assert rows == whole
    assert len(rows) == 7


@pytest.mark.usefixtures("seven")
def test_following_prev_to_the_start_gives_every_row_once(client: FlaskClient) -> None:
    answer = client.get(LISTS[0] + "?limit=3")
    answer = client.get(links(answer)["last"])
    rows = answer.json
    while url := links(answer).get("prev"):
        answer = client.get(url)
        rows = answer.json + rows
    assert rows == client.get(LISTS[0]).json


@pytest.mark.usefixtures("seven")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"limit": 3}, {"first": 0, "next": 3, "last": 6}),
        ({"limit": 3, "offset": 3}, {"first": 0, "prev": 0, "next": 6, "last": 6}),
        ({"limit": 3, "offset": 6}, {"first": 0, "prev": 3, "last": 6}),
        ({"limit": 10}, {"first": 0, "last": 0}),
        ({"limit": 7}, {"first": 0, "last": 0}),
    ],
)
def test_the_links_are_those_that_exist(query: dict[str, int], expected: dict[str, int], client: FlaskClient) -> None:
    assert offsets(client.get(LISTS[0], query_string=query)) == expected


@pytest.mark.usefixtures("seven")
@pytest.mark.parametrize("offset", [7, 8, 10_000])
def test_beyond_the_end_there_are_no_rows_but_the_total_and_a_way_back(offset: int, client: FlaskClient) -> None:
    answer = client.get(LISTS[0], query_string={"limit": 3, "offset": offset})

    assert (answer.status_code, answer.json, answer.headers["X-Total-Count"]) == (200, [], "7")
    assert "next" not in links(answer)
    assert client.get(links(answer)["prev"]).json


def test_an_empty_list_has_the_total_0_and_no_page_to_turn_to(client: FlaskClient) -> None:
    answer = client.get(LISTS[0])

    assert answer.headers["X-Total-Count"] == "0"
    assert not {"prev", "next"} & links(answer).keys()


@pytest.mark.usefixtures("seven")
def test_links_begin_with_a_slash_and_keep_all_parameters(client: FlaskClient) -> None:
    query = {
        "users": "1,2",
        "from": "2025-01-01T00:00:00+01:00",
        "to": "2027-01-01",
        "tz": "America/Argentina/Buenos_Aires",
        "by": "listen_time",
        "compare": "previous",
        "limit": "2",
        "offset": "2",
    }

    answer = client.get("/insights/global/top/tracks", query_string=query)

    assert links(answer).keys() == {"first", "prev", "next", "last"}
    for url in links(answer).values():
        assert url.startswith("/insights/global/top/tracks?")
        kept = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert kept | {"offset": "2"} == query


@pytest.mark.usefixtures("seven")
def test_a_link_whose_offset_is_not_allowed_is_left_out(client: FlaskClient, platform: Platform) -> None:
    answer = client.get(LISTS[0], query_string={"limit": 1, "offset": 10_000})

    assert all(offset <= 10_000 for offset in offsets(answer).values())


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ({}, None, None),
        ({"range": "all_time"}, None, None),
        ({"from": "2026-01-01"}, "2026-01-01T00:00:00Z", None),
        ({"to": "2026-01-01T00:00:00.250000"}, None, "2026-01-01T00:00:00.25Z"),
        ({"range": "this_month", "tz": "Europe/Paris"}, "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        ({"range": "today", "tz": "Asia/Kathmandu"}, "2026-11-22T18:15:00Z", "2026-11-23T18:15:00Z"),
    ],
)
def test_the_window_is_told_but_for_open_ends(
    path: str, query: dict[str, str], start: str | None, end: str | None, client: FlaskClient
) -> None:
    headers = client.get(path, query_string=query).headers

    assert (headers.get("X-Window-From"), headers.get("X-Window-To")) == (start, end)


@pytest.mark.usefixtures("seven")
def test_a_cached_answer_has_the_same_headers(client: FlaskClient) -> None:
    names = ("X-Total-Count", "Link", "X-Window-From", "X-Window-To", "Content-Type")
    first, again = (client.get(LISTS[0], query_string={"range": "this_year", "limit": 2}) for _ in range(2))

    assert (first.headers["X-Cache"], again.headers["X-Cache"]) == ("MISS", "HIT")
    assert [first.headers[name] for name in names] == [again.headers[name] for name in names]
    assert again.json == first.json


@pytest.mark.usefixtures("seven")
def test_a_cached_answers_links_keep_the_parameters_of_who_asks(client: FlaskClient) -> None:
    queries = [{"limit": "2"}, {"tz": "UTC", "range": "all_time", "limit": "2"}, {"by": "count", "limit": "2"}]
    answers = [client.get(LISTS[0], query_string=query) for query in [*queries, *queries]]

    assert [answer.headers["X-Cache"] for answer in answers] == ["MISS"] + 5 * ["HIT"]
    for query, answer in zip([*queries, *queries], answers, strict=True):
        for url in links(answer).values():
            assert parse_qs(urlsplit(url).query).keys() == query.keys() | {"offset"}
