"""What has to hold between answers, whatever the history, window and zone."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import Connection

from app.windows import format_instant
from tests.histories import Listened, listened, user_ids
from tests.oracle import World
from tests.oracle.checks import bounded, links, loaded, uncached
from tests.oracle.measures import OF_EVERYONE, SHARED

settings = uncached  # the fixture of conftest.py, overridden

LISTS = ["top/tracks", "top/artists", "top/primary-artists"]
ALL_PATHS = [measure.path for measure in OF_EVERYONE]
SHARED_PATHS = [measure.path for measure in SHARED if measure.path != "summary"]


def whole_list(client: FlaskClient, path: str, query: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """A list read as a client does: from `next` to `next`, to the end."""
    answer = client.get(path, query_string=query | {"limit": limit})
    rows = list(answer.json)
    while url := links(answer).get("next"):
        answer = client.get(url)
        assert answer.json
        rows += answer.json
    assert answer.headers["X-Total-Count"] == str(len(rows))
    return rows


def totals(client: FlaskClient, query: dict[str, Any]) -> tuple[int, int]:
    """Listens and listen time of everyone."""
    return (
        client.get("/insights/global/total/listens", query_string=query).json,
        client.get("/insights/global/total/listen-time", query_string=query).json,
    )


@given(history=listened(), limit=st.integers(1, 3), by=st.sampled_from(("count", "listen_time")))
@bounded(25)
def test_the_pages_of_top_tracks_hold_every_row_once_and_sum_to_the_total(
    history: Listened, limit: int, by: str, client: FlaskClient, connection: Connection
) -> None:
    query = history.query | {"by": by}
    with loaded(history.world, connection):
        rows = whole_list(client, "/insights/global/top/tracks", query, limit)
        listens, listen_time = totals(client, history.query)
        distinct = client.get("/insights/global/distinct/tracks", query_string=history.query).json
    assert len({row["track_id"] for row in rows}) == len(rows) == distinct
    assert sum(row["count"] for row in rows) == listens
    assert sum(row["listen_time_ms"] for row in rows) == listen_time
    whole = listens if by == "count" else listen_time
    assert sum(row["share"] for row in rows) == pytest.approx(1 if whole else 0)


@given(history=listened(), data=st.data())
@bounded(25)
def test_a_window_split_in_two_adds_up(
    history: Listened, data: st.DataObject, client: FlaskClient, connection: Connection
) -> None:
    window = history.window
    inside = [listen.played_at for listen in history.asked(None).listens]
    assume(inside)
    middle = data.draw(st.sampled_from(inside)) + data.draw(st.sampled_from((timedelta(0), timedelta.resolution)))
    assume(middle not in (window.start, window.end))
    bounds = {"from": window.start, "to": window.end}
    ends = {name: format_instant(instant) for name, instant in bounds.items() if instant is not None}
    cut = format_instant(middle)
    with loaded(history.world, connection):
        whole = totals(client, history.query)
        left, right = totals(client, ends | {"to": cut}), totals(client, ends | {"from": cut})
    assert whole == (left[0] + right[0], left[1] + right[1])


@pytest.mark.parametrize("path", ALL_PATHS)
@given(history=listened())
@bounded(6)
def test_a_group_of_everyone_equals_everyone(
    path: str, history: Listened, client: FlaskClient, connection: Connection
) -> None:
    everyone = ",".join(map(str, history.world.users))
    with loaded(history.world, connection):
        answer = client.get(f"/insights/global/{path}", query_string=history.query)
        of_group = client.get(f"/insights/global/{path}", query_string=history.query | {"users": everyone})
    assert of_group.status_code == answer.status_code
    assert of_group.json == answer.json or answer.status_code == 400  # too many buckets


@pytest.mark.parametrize("path", SHARED_PATHS)
@given(data=st.data())
@bounded(6)
def test_a_user_equals_a_group_of_one(
    path: str, data: st.DataObject, client: FlaskClient, connection: Connection
) -> None:
    history = data.draw(listened())
    user_id = data.draw(user_ids(history.world))
    with loaded(history.world, connection):
        own = client.get(f"/insights/{path}/{user_id}", query_string=history.query)
        group = client.get(f"/insights/global/{path}", query_string=history.query | {"users": user_id})
    assert own.status_code == group.status_code
    assert own.json == group.json or own.status_code == 400  # too many buckets


@given(history=listened(), bucket=st.sampled_from(("hour", "day", "week", "month", "year")))
@bounded(40)
def test_activity_the_clock_and_the_totals_agree(
    history: Listened, bucket: str, client: FlaskClient, connection: Connection
) -> None:
    with loaded(history.world, connection):
        listens, listen_time = totals(client, history.query)
        clock = client.get("/insights/global/clock", query_string=history.query).json
        series = client.get("/insights/global/activity", query_string=history.query | {"bucket": bucket})
    assert [len(hours) for hours in clock["count"]] == [len(hours) for hours in clock["listen_time_ms"]] == [24] * 7
    assert (sum(map(sum, clock["count"])), sum(map(sum, clock["listen_time_ms"]))) == (listens, listen_time)
    if series.status_code == 400:  # more than 10,000 buckets
        return
    buckets = series.json["buckets"]
    assert (sum(b["count"] for b in buckets), sum(b["listen_time_ms"] for b in buckets)) == (listens, listen_time)
    assert all(left["end"] == right["start"] for left, right in pairwise(buckets))


def test_an_empty_platform_has_empty_answers(client: FlaskClient, connection: Connection) -> None:
    with loaded(World(), connection):
        assert totals(client, {}) == (0, 0)
        for path in LISTS:
            assert whole_list(client, f"/insights/global/{path}", {}, 10) == []
