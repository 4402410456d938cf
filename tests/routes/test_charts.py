"""Charts: the head of the list of each calendar bucket, with movement."""

from random import Random
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection

from tests.oracle.checks import Substance, examples, loaded, uncached
from tests.support.factories import Platform
from tests.support.histories import any_user, listened
from tests.web.test_errors import check_problem, wrong

settings = uncached  # the fixture of conftest.py, overridden

KINDS = ["tracks", "artists", "primary-artists", "genres"]
CHARTS = "/insights/charts/tracks/1"


def moves(page: dict[str, Any]) -> list[tuple[str, list[tuple[str, int, int | None]]]]:
    """Each bucket's first day, with its tracks, their ranks, and their ranks in the bucket before."""
    return [
        (bucket["start"][:10], [(row["track_id"], row["rank"], row["previous_rank"]) for row in bucket["rows"]])
        for bucket in page["buckets"]
    ]


@pytest.fixture
def three_months(platform: Platform) -> None:
    """User 1 listens to `b` more than to `a` in January, to nothing in February, and to `a`, `b` and `c` in March."""
    user, tracks = platform.user(1), {id_: platform.track(id_) for id_ in "abc"}
    for id_, number, day in (
        ("a", 9, "2025-12-31"),
        ("a", 1, "2026-01-05"),
        ("b", 2, "2026-01-06"),
        ("a", 3, "2026-03-30"),  # a Monday
        ("b", 1, "2026-03-29"),
        ("c", 1, "2026-03-30"),
        ("c", 1, "2026-04-05"),
    ):
        platform.listens(user, tracks[id_], number, day=day)


@pytest.mark.usefixtures("three_months")
def test_a_chart_has_ranks_in_the_whole_list_before_and_the_oldest_has_none(client: FlaskClient) -> None:
    page = client.get(CHARTS, query_string={"from": "2026-01-01", "to": "2026-04-01", "bucket": "month"}).json
    assert moves(page) == [
        ("2026-03-01", [("a", 1, None), ("b", 2, None), ("c", 2, None)]),
        ("2026-02-01", []),
        ("2026-01-01", [("b", 1, None), ("a", 2, None)]),
    ]
    page = client.get(CHARTS, query_string={"range": "this_year", "bucket": "quarter", "limit": 1}).json
    assert moves(page) == [
        ("2026-10-01", []),
        ("2026-07-01", []),
        ("2026-04-01", [("c", 1, 3)]),  # third before, though one row alone is told
        ("2026-01-01", [("a", 1, None)]),
    ]
    assert page["buckets"][-1]["rows"][0]["share"] == 0.5
    assert "previous_count" not in page["buckets"][-1]["rows"][0]


@pytest.mark.usefixtures("three_months")
def test_weeks_begin_on_monday_and_end_with_the_listens(client: FlaskClient) -> None:
    page = client.get(CHARTS, query_string={"from": "2026-03-28", "bucket": "week"}).json
    assert [(bucket["start"], bucket["end"]) for bucket in page["buckets"]] == [
        ("2026-03-30T00:00:00Z", "2026-04-06T00:00:00Z"),
        ("2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z"),
    ]
    assert moves(page)[0][1] == [("a", 1, None), ("c", 2, None)]


@pytest.mark.usefixtures("three_months")
@pytest.mark.parametrize(
    ("window", "bucket"),
    [
        ({}, "month"),
        ({"from": "2016-01-01", "to": "2026-01-01"}, "month"),
        ({"from": "2016-01-01", "to": "2026-01-01T00:00:00.000001Z"}, "year"),
        ({"from": "2016-01-01"}, "year"),
        ({"from": "2027-01-01"}, "month"),  # without listens
    ],
)
def test_the_bucket_is_the_month_where_that_gives_at_most_120(
    window: dict[str, str], bucket: str, client: FlaskClient
) -> None:
    page = client.get(CHARTS, query_string=window).json
    assert page["bucket"] == bucket
    assert len(page["buckets"]) <= 120


@pytest.mark.parametrize(
    "query",
    [{"from": "2016-01-01", "to": "2026-01-02", "bucket": "month"}, {"from": "1970-01-01", "to": "2090-01-02"}],
)
def test_more_than_120_buckets_are_an_error(query: dict[str, str], client: FlaskClient) -> None:
    assert wrong(client.get(CHARTS, query_string=query)) == ["bucket"]


@pytest.mark.parametrize("bucket", ["hour", "day", "half_year", "Month"])
def test_other_buckets_are_an_error(bucket: str, client: FlaskClient) -> None:
    assert wrong(client.get(CHARTS, query_string={"bucket": bucket})) == ["bucket"]


@pytest.mark.parametrize("limit", ["0", "21", "100", "x"])
def test_a_wrong_limit_has_its_own_detail(limit: str, client: FlaskClient) -> None:
    problem = check_problem(client.get(CHARTS, query_string={"limit": limit}), 400)
    assert problem["detail"] == "Limit must be between 1 and 20"


@pytest.mark.parametrize("name", ["offset", "compare", "users"])
def test_what_lists_take_besides_is_unknown(name: str, client: FlaskClient) -> None:
    assert wrong(client.get(CHARTS, query_string={name: "1"})) == [name]


@pytest.mark.parametrize("kind", KINDS)
@examples(10)
def test_the_rows_of_a_bucket_are_the_top_list_of_its_span(
    kind: str, rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    history = listened(rng)
    user, query = any_user(rng, history), {"by": rng.choice(("count", "listen_time")), "limit": 20}
    with loaded(history.world, connection):
        page = client.get(f"/insights/charts/{kind}/{user}", query_string=history.query | query)
        if page.status_code == 400:  # more than 120 buckets
            return
        found = [bucket for bucket in page.json["buckets"] if bucket["rows"]]
        substance.note(bool(found))
        for bucket in found:
            if bucket["start"] < "1970" or bucket["end"] > "2101":  # more than may be asked for
                continue
            span = {"from": bucket["start"], "to": bucket["end"]}
            rows = client.get(f"/insights/top/{kind}/{user}", query_string=span | query).json
            assert [{name: row[name] for name in rows[0]} for row in bucket["rows"]] == rows
