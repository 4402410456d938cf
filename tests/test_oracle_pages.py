"""The insights with paths of their own against the oracle: history, anniversaries, years, pairs, tracks and artists."""

from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from app.windows import format_instant
from tests.histories import groups, limits, listened, local_dates, user_ids
from tests.oracle import artist_page, compare, history, on_this_day, track_page, wrapped
from tests.oracle.checks import bounded, difference, loaded, uncached

settings = uncached  # the fixture of conftest.py, overridden


@given(data=st.data())
@bounded(40)
def test_history_is_the_oracles_to_the_last_page(
    data: st.DataObject, client: FlaskClient, connection: Connection
) -> None:
    listens = data.draw(listened())
    user_id = data.draw(user_ids(listens.world))
    limit = data.draw(limits())
    asked = listens.asked(frozenset({user_id}))
    before, url = None, f"/insights/history/{user_id}?" + urlencode(limit)
    with loaded(listens.world, connection):
        while url:
            answer = client.get(url)
            expected = history(asked, user_id, before=before, **limit)
            assert difference(answer.json["items"], expected["items"]) is None
            assert (answer.json["next"] is None) == (expected["next"] is None)
            url = answer.json["next"]
            if url:
                assert urlsplit(url).path == f"/insights/history/{user_id}"
                assert parse_qs(urlsplit(url).query).keys() == {"before", "limit"}
                shown = expected["items"][-1]["played_at"]
                before = next(row.played_at for row in asked.ever if format_instant(row.played_at) == shown)


@given(data=st.data())
@bounded(40)
def test_on_this_day_is_the_oracles(data: st.DataObject, client: FlaskClient, connection: Connection) -> None:
    listens = data.draw(listened())
    user_id = data.draw(user_ids(listens.world))
    day = data.draw(st.none() | local_dates(listens))
    query = {"tz": listens.window.tz.key} | ({"date": day.isoformat()} if day else {})
    with loaded(listens.world, connection):
        answer = client.get(f"/insights/on-this-day/{user_id}", query_string=query)
    assert difference(answer.json, on_this_day(listens.asked(frozenset({user_id})), date=day)) is None


@given(data=st.data())
@bounded(40)
def test_a_year_is_the_oracles(data: st.DataObject, client: FlaskClient, connection: Connection) -> None:
    listens = data.draw(listened())
    user_id = data.draw(user_ids(listens.world))
    years = {listen.played_at.year for listen in listens.world.listens} | {1970, 2100}
    year = data.draw(st.sampled_from(sorted(years)))
    with loaded(listens.world, connection):
        answer = client.get(f"/insights/wrapped/{user_id}/{year}", query_string={"tz": listens.window.tz.key})
    assert difference(answer.json, wrapped(listens.asked(frozenset({user_id})), year)) is None


@given(data=st.data())
@bounded(40)
def test_compare_is_the_oracles(data: st.DataObject, client: FlaskClient, connection: Connection) -> None:
    listens = data.draw(listened())
    users = data.draw(st.tuples(user_ids(listens.world), user_ids(listens.world)))
    limit = data.draw(limits())
    one, other = (listens.asked(frozenset({user})) for user in users)
    with loaded(listens.world, connection):
        answer = client.get("/insights/compare/{}/{}".format(*users), query_string=listens.query | limit)
        swapped = client.get("/insights/compare/{1}/{0}".format(*users), query_string=listens.query | limit)
    assert difference(answer.json, compare(one, other, users, **limit)) is None
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
@given(data=st.data())
@bounded(40)
def test_a_tracks_or_artists_page_is_the_oracles(
    name: str, page: Any, data: st.DataObject, client: FlaskClient, connection: Connection
) -> None:
    listens = data.draw(listened(everything=True))
    id = data.draw(st.sampled_from(list(getattr(listens.world, name))))
    group = data.draw(groups(listens.world))
    limit = data.draw(limits())
    users = {} if group is None else {"users": ",".join(map(str, group))}
    with loaded(listens.world, connection):
        answer = client.get(f"/insights/{name}/{quote(id, safe='')}", query_string=listens.query | users | limit)
    assert answer.status_code == 200, answer.text
    assert difference(answer.json, page(listens.asked(group), id, **limit)) is None


@pytest.mark.parametrize(("name", "page"), PAGES)
@pytest.mark.parametrize("id", ["unknown", "x" * 25, "x" * 2000, "%20", "%FF", "%00"])
def test_an_unknown_track_or_artist_is_a_404(name: str, page: Any, id: str, client: FlaskClient) -> None:
    answer = client.get(f"/insights/{name}/{id}")
    # A NUL byte or bytes that are no text cannot be an id of any track: either is a fair answer to them.
    assert answer.status_code in ({400, 404} if id in {"%FF", "%00"} else {404})
    assert answer.content_type == "application/problem+json"
