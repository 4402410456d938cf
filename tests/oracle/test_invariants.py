"""What has to hold between answers, whatever the history, window and zone."""

from itertools import pairwise
from random import Random
from typing import Any, Literal
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection

from tests.conftest import NOW
from tests.oracle import World
from tests.oracle.calendar import MICROSECOND, instant_text
from tests.oracle.checks import Substance, examples, links, loaded, uncached
from tests.oracle.lists import distinct, ranking
from tests.oracle.measures import OF_EVERYONE, SHARED
from tests.support.histories import any_group, any_user, listened

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


@examples(25)
def test_the_pages_of_top_tracks_hold_every_row_once_and_sum_to_the_total(
    rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    history, limit, by = listened(rng), rng.randint(1, 3), rng.choice(("count", "listen_time"))
    substance.note(distinct(history.asked(None), "tracks") > 1)
    query = history.query | {"by": by}
    with loaded(history.world, connection):
        rows = whole_list(client, "/insights/global/top/tracks", query, limit)
        listens, listen_time = totals(client, history.query)
        number = client.get("/insights/global/distinct/tracks", query_string=history.query).json
    assert len({row["track_id"] for row in rows}) == len(rows) == number
    assert sum(row["count"] for row in rows) == listens
    assert sum(row["listen_time_ms"] for row in rows) == listen_time
    whole = listens if by == "count" else listen_time
    assert sum(row["share"] for row in rows) == pytest.approx(1 if whole else 0)


@examples(25)
def test_a_window_split_in_two_adds_up(
    rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    history = listened(rng)
    window = history.window
    instants = [listen.played_at for listen in history.asked(None).listens]
    cuts = [instant for listen in instants for instant in (listen, listen + MICROSECOND)]
    inside = [instant for instant in cuts if window.holds(instant) and instant != window.start]
    substance.note(len(inside) > 1)
    middle = rng.choice(inside or [NOW])
    bounds = {"from": window.start, "to": window.end}
    ends = {name: instant_text(instant) for name, instant in bounds.items() if instant is not None}
    cut = instant_text(middle)
    with loaded(history.world, connection):
        whole = totals(client, history.query)
        left, right = totals(client, ends | {"to": cut}), totals(client, ends | {"from": cut})
    assert whole == (left[0] + right[0], left[1] + right[1])


@pytest.mark.parametrize("path", ALL_PATHS)
@examples(6)
def test_a_group_of_everyone_equals_everyone(
    path: str, rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    history = listened(rng)
    substance.note(len(history.listeners) > 1)
    everyone = ",".join(map(str, history.world.users))
    with loaded(history.world, connection):
        answer = client.get(f"/insights/global/{path}", query_string=history.query)
        of_group = client.get(f"/insights/global/{path}", query_string=history.query | {"users": everyone})
    assert of_group.status_code == answer.status_code
    assert of_group.json == answer.json or answer.status_code == 400  # too many buckets


@pytest.mark.parametrize("path", SHARED_PATHS)
@examples(6)
def test_a_user_equals_a_group_of_one(
    path: str, rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    history = listened(rng)
    user_id = any_user(rng, history)
    substance.note(distinct(history.asked(frozenset({user_id})), "tracks") > 1)
    with loaded(history.world, connection):
        own = client.get(f"/insights/{path}/{user_id}", query_string=history.query)
        group = client.get(f"/insights/global/{path}", query_string=history.query | {"users": user_id})
    assert own.status_code == group.status_code
    assert own.json == group.json or own.status_code == 400  # too many buckets


@examples(40)
def test_activity_the_clock_and_the_totals_agree(
    rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    history, bucket = listened(rng), rng.choice(("hour", "day", "week", "month", "year"))
    substance.note(len(history.asked(None).listens) > 1)
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


@pytest.mark.parametrize("name", ["tracks", "artists"])
@examples(25)
def test_a_page_of_a_track_or_artist_tells_the_numbers_of_the_answers_about_it(
    name: Literal["tracks", "artists"],
    rng: Random,
    client: FlaskClient,
    connection: Connection,
    substance: Substance,
) -> None:
    history = listened(rng)
    group = any_group(rng, history)
    id_ = rng.choice([row.key for row in ranking(history.asked(None), name)] or ["unheard"])
    about = {f"{name.removesuffix('s')}_id": id_}
    query = history.query | ({} if group is None else {"users": ",".join(map(str, group))})
    with loaded(history.world, connection):
        page = client.get(f"/insights/{name}/{quote(id_, safe='')}", query_string=query | {"limit": 100}).json
        summary = client.get("/insights/global/summary", query_string=query | about).json
        listeners, tracks, ranks = (
            client.get(f"/insights/global/top/{kind}", query_string=query | more | {"limit": 100}).json
            for kind, more in (("listeners", about), ("tracks", about), (name, {}))
        )
    if id_ == "unheard":
        return
    substance.note(page["listens"] > 1)
    assert [page[field] for field in ("listens", "listen_time_ms", "listeners")] == [
        summary[field] for field in ("listens", "listen_time_ms", "distinct_listeners")
    ]
    assert [page[f"{end}_listened_at"] for end in ("first", "last")] == [
        summary[f"{end}_listen_at"] for end in ("first", "last")
    ]
    assert page["top_listeners"] == listeners
    assert page.get("top_tracks", tracks) == tracks
    assert page["rank"] == next((row["rank"] for row in ranks if row[f"{name.removesuffix('s')}_id"] == id_), None)


def test_an_empty_platform_has_empty_answers(client: FlaskClient, connection: Connection) -> None:
    with loaded(World(), connection):
        assert totals(client, {}) == (0, 0)
        for path in LISTS:
            assert whole_list(client, f"/insights/global/{path}", {}, 10) == []
