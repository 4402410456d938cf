"""The insights with paths of their own against the oracle: history, anniversaries, years, pairs, tracks and artists."""

import csv
import io
import json
from random import Random
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection

from tests.oracle import artist_page, compare, export, history, on_this_day, track_page, wrapped
from tests.oracle.calendar import instant_text, local_date
from tests.oracle.checks import Substance, difference, examples, is_about_something, loaded, uncached
from tests.oracle.lists import ranking
from tests.support.histories import (
    any_anniversary,
    any_group,
    any_limit,
    any_pair,
    any_subject,
    any_user,
    listened,
    mostly,
)
from tests.web.test_errors import check_problem, wrong

settings = uncached  # the fixture of conftest.py, overridden


@examples(40)
def test_history_is_the_oracles_to_the_last_page(
    rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    listens = listened(rng)
    user_id = any_user(rng, listens)
    limit = any_limit(rng)
    subject, about = any_subject(rng, listens, {user_id})
    asked = listens.asked(frozenset({user_id}), subject)
    substance.note(is_about_something(asked, len(asked.ever) > limit.get("limit", 1)))
    before, url = None, f"/insights/history/{user_id}?" + urlencode(limit | about)
    with loaded(listens.world, connection):
        while url:
            answer = client.get(url)
            expected = history(asked, user_id, before=before, **limit)
            assert difference(answer.json["items"], expected["items"]) is None
            assert (answer.json["next"] is None) == (expected["next"] is None)
            url = answer.json["next"]
            if url:
                assert urlsplit(url).path == f"/insights/history/{user_id}"
                assert parse_qs(urlsplit(url).query).keys() == {"before", "limit", *about}
                shown = expected["items"][-1]["played_at"]
                before = next(row.played_at for row in asked.ever if instant_text(row.played_at) == shown)


@examples(40)
def test_an_export_is_the_oracles_in_both_formats(
    rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    listens = listened(rng)
    user_id = any_user(rng, listens)
    subject, about = any_subject(rng, listens, {user_id})
    asked = listens.asked(frozenset({user_id}), subject)
    expected = export(asked)
    substance.note(is_about_something(asked, len(expected) > 1))
    with loaded(listens.world, connection):
        query = listens.query | about
        lines = client.get(f"/insights/export/{user_id}", query_string=query, buffered=True)
        query |= {"format": "csv"}
        rows = client.get(f"/insights/export/{user_id}", query_string=query, buffered=True)
    assert difference([json.loads(line) for line in lines.text.splitlines()], expected) is None
    assert list(csv.DictReader(io.StringIO(rows.text, newline=""))) == [
        {name: str(row[name]) for name in ("played_at", "track_id", "track_name", "duration_ms")}
        | {"artist_names": "; ".join(artist["artist_name"] for artist in row["artists"])}
        for row in expected
    ]


@examples(40)
def test_on_this_day_is_the_oracles(
    rng: Random, client: FlaskClient, connection: Connection, substance: Substance
) -> None:
    listens = listened(rng)
    user_id = any_user(rng, listens)
    day = any_anniversary(rng, listens, user_id)
    subject, about = any_subject(rng, listens, {user_id})
    asked = listens.asked(frozenset({user_id}), subject)
    expected = on_this_day(asked, date=day)
    substance.note(is_about_something(asked, any(len(year["top_tracks"]) > 1 for year in expected["years"])))
    query = {"tz": listens.window.tz.key} | ({"date": day.isoformat()} if day else {}) | about
    with loaded(listens.world, connection):
        answer = client.get(f"/insights/on-this-day/{user_id}", query_string=query)
    assert difference(answer.json, expected) is None


@examples(40)
def test_a_year_is_the_oracles(rng: Random, client: FlaskClient, connection: Connection, substance: Substance) -> None:
    listens = listened(rng)
    user_id = any_user(rng, listens)
    subject, about = any_subject(rng, listens, {user_id})
    asked = listens.asked(frozenset({user_id}), subject)
    years = [local_date(listen.played_at, listens.window.tz).year for listen in asked.ever]
    year = mostly(rng, [year for year in years if year in range(1970, 2101)], (1970, 2100))
    expected = wrapped(asked, year)
    substance.note(is_about_something(asked, expected["distinct_tracks"] > 1))
    with loaded(listens.world, connection):
        query = {"tz": listens.window.tz.key} | about
        answer = client.get(f"/insights/wrapped/{user_id}/{year}", query_string=query)
    assert difference(answer.json, expected) is None


@examples(40)
def test_compare_is_the_oracles(rng: Random, client: FlaskClient, connection: Connection, substance: Substance) -> None:
    listens = listened(rng)
    users = any_pair(rng, listens)
    limit = any_limit(rng)
    subject, about = any_subject(rng, listens, users)
    one, other = (listens.asked(frozenset({user}), subject) for user in users)
    expected = compare(one, other, users, **limit)
    substance.note(is_about_something(one, users[0] != users[1] and bool(expected["shared_tracks"])))
    with loaded(listens.world, connection):
        answer = client.get("/insights/compare/{}/{}".format(*users), query_string=listens.query | limit | about)
        swapped = client.get("/insights/compare/{1}/{0}".format(*users), query_string=listens.query | limit | about)
    assert difference(answer.json, expected) is None
    assert difference(swapped.json, compare(other, one, users[::-1], **limit)) is None
    # Symmetric, and 1 for a user with itself.
    assert swapped.json["similarity"] == answer.json["similarity"]
    if users[0] == users[1] and answer.json["distinct_shared_primary_artists"]:
        assert answer.json["similarity"] == pytest.approx(1)


PAGES = [
    pytest.param("tracks", track_page),
    pytest.param("artists", artist_page),
]


@pytest.mark.parametrize(("name", "page"), PAGES)
@examples(40)
def test_a_tracks_or_artists_page_is_the_oracles(
    name: Literal["tracks", "artists"],
    page: Any,
    rng: Random,
    client: FlaskClient,
    connection: Connection,
    substance: Substance,
) -> None:
    listens = listened(rng, everything=True)
    group = any_group(rng, listens)
    asked = listens.asked(group)
    played = [row.key for row in ranking(asked, name)]
    id = mostly(rng, played, list(getattr(listens.world, name)))
    limit = any_limit(rng)
    expected = page(asked, id, **limit)
    substance.note(expected["listens"] > 1)
    users = {} if group is None else {"users": ",".join(map(str, group))}
    with loaded(listens.world, connection):
        answer = client.get(f"/insights/{name}/{quote(id, safe='')}", query_string=listens.query | users | limit)
    assert answer.status_code == 200, answer.text
    assert difference(answer.json, expected) is None


@pytest.mark.parametrize(("name", "page"), PAGES)
@pytest.mark.parametrize("id", ["unknown", "x" * 25, "x" * 2000, "%20", "%EF%BF%BD"])
def test_an_unknown_track_or_artist_is_a_404(name: str, page: Any, id: str, client: FlaskClient) -> None:
    problem = check_problem(client.get(f"/insights/{name}/{id}"), 404)
    assert problem["detail"] == f"There is nothing of this id in {name}"


@pytest.mark.parametrize("id", ["%00", "a%00", "%00a"])
@pytest.mark.parametrize(("name", "page"), PAGES)
def test_an_id_with_a_nul_is_a_400(name: str, page: Any, id: str, client: FlaskClient) -> None:
    assert wrong(client.get(f"/insights/{name}/{id}")) == [f"{name.removesuffix('s')}_id"]
