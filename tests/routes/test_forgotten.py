"""What a user listened to in a window, and not at all of late."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.factories import Platform
from tests.web.test_errors import wrong

# Now is 23 November 2026, 12:34:56 UTC, and the day before the 180 days begin is 27 May.
TRACKS, ARTISTS = "/insights/forgotten/tracks/1", "/insights/forgotten/artists/1"


@pytest.fixture(autouse=True)
def old_loves(platform: Platform) -> None:
    """User 1 has not heard `old` for years; the guest of `gone` comes back on another track, which is `new`."""
    user, other = platform.user(1), platform.user(2)
    lead, guest = platform.artist("lead"), platform.artist("guest")
    old, gone = platform.track("old", primary=[lead]), platform.track("gone", primary=[lead], featured=[guest])
    new, edge = platform.track("new", primary=[guest]), platform.track("edge")
    platform.listens(user, old, 2, day="2020-01-01")
    platform.listens(user, gone, 3, day="2024-01-01")
    platform.listens(user, gone, 1, day="2026-05-27")
    platform.listen(user, edge, "2026-05-27T23:59:59.999999")
    platform.listens(user, new, 1, day="2025-01-01")
    platform.listens(user, new, 1, day="2026-11-23")
    platform.listens(other, old, 1, day="2026-11-23")


def rows(client: FlaskClient, path: str, **query: Any) -> list[tuple[int, str, int]]:
    answer = client.get(path, query_string=query)
    assert answer.headers["X-Total-Count"] == str(len(answer.json))
    return [(row["rank"], row.get("track_id") or row["artist_id"], row["count"]) for row in answer.json]


def test_what_was_played_in_the_last_days_is_not_forgotten(client: FlaskClient) -> None:
    assert rows(client, TRACKS) == [(1, "gone", 4), (2, "old", 2), (3, "edge", 1)]
    assert rows(client, TRACKS, days=181) == [(1, "old", 2)]
    assert rows(client, TRACKS, tz="Asia/Tokyo") == [(1, "gone", 4), (2, "old", 2)]  # where it is the 28th
    assert rows(client, TRACKS, days=3660) == []


def test_artists_are_credited_ones_and_come_back_with_any_of_their_tracks(client: FlaskClient) -> None:
    assert rows(client, ARTISTS) == [(1, "lead", 6)]
    assert rows(client, ARTISTS, days=181) == []


def test_the_counts_are_those_of_the_window_and_the_last_listen_is_ever(client: FlaskClient) -> None:
    query = {"from": "2024-01-01", "to": "2025-01-01", "limit": 1}
    (row,), (top,) = (client.get(path, query_string=query).json for path in (TRACKS, "/insights/top/tracks/1"))
    assert row.pop("last_listened_at") >= "2026-05-27"
    assert row["count"] == 3
    del top["share"]
    assert row == top


@pytest.mark.parametrize(
    "query",
    [{"days": "0"}, {"days": "3661"}, {"days": "1.5"}, {"compare": "previous"}, {"users": "1"}, {"bucket": "month"}],
)
def test_wrong_parameters_are_named(query: dict[str, str], client: FlaskClient) -> None:
    assert wrong(client.get(TRACKS, query_string=query)) == list(query)
