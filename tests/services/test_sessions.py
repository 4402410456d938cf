"""Sessions: a listen's instant is the end of its play, and the gap is from one play's end to the next one's start."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.factories import Platform

MINUTE = 60_000


def told(client: FlaskClient, **query: Any) -> list[tuple[str, str, int]]:
    """Start, end and listens of the sessions, the longest first."""
    found = client.get("/insights/sessions/1", query_string=query).json
    assert found["sessions"] == len(found["longest"])
    return [(session["start"], session["end"], session["listens"]) for session in found["longest"]]


def test_a_session_lasts_from_the_first_start_to_the_last_end(client: FlaskClient, platform: Platform) -> None:
    user, track = platform.user(1), platform.track(duration_ms=3 * MINUTE)
    platform.listen(user, track, "2026-11-01T12:03")
    platform.listen(user, track, "2026-11-01T12:06:30.5")

    found = client.get("/insights/sessions/1").json

    assert found["longest"] == [
        {"start": "2026-11-01T12:00:00Z", "end": "2026-11-01T12:06:30.5Z", "listens": 2, "duration_ms": 390_500}
    ]
    assert (found["mean_listens"], found["mean_duration_ms"]) == (2.0, 390_500.0)


@pytest.mark.parametrize(("ended", "sessions"), [("12:43:00", 1), ("12:43:00.001", 2)])
def test_the_gap_ends_where_the_next_play_starts(
    ended: str, sessions: int, client: FlaskClient, platform: Platform
) -> None:
    user, track = platform.user(1), platform.track(duration_ms=3 * MINUTE)
    platform.listen(user, track, "2026-11-01T12:10")
    platform.listen(user, track, f"2026-11-01T{ended}")

    assert len(told(client, gap_minutes=30)) == sessions


def test_a_long_play_holds_together_the_short_ones_that_it_covers(client: FlaskClient, platform: Platform) -> None:
    user, short = platform.user(1), platform.track(duration_ms=3 * MINUTE)
    platform.listen(user, short, "2026-11-01T12:10")
    platform.listen(user, short, "2026-11-01T13:50")
    platform.listen(user, platform.track(duration_ms=120 * MINUTE), "2026-11-01T14:00")

    assert told(client) == [("2026-11-01T12:00:00Z", "2026-11-01T14:00:00Z", 3)]


def test_the_gap_goes_from_the_latest_end_of_all_plays_before(client: FlaskClient, platform: Platform) -> None:
    user, short = platform.user(1), platform.track(duration_ms=3 * MINUTE)
    platform.listen(user, short, "2026-11-01T12:10")
    platform.listen(user, platform.track(duration_ms=120 * MINUTE), "2026-11-01T14:00")
    platform.listen(user, short, "2026-11-01T14:33")
    platform.listen(user, short, "2026-11-01T15:07")

    assert told(client) == [
        ("2026-11-01T12:00:00Z", "2026-11-01T14:33:00Z", 3),
        ("2026-11-01T15:04:00Z", "2026-11-01T15:07:00Z", 1),
    ]


def test_a_play_counts_in_the_window_that_it_ends_in(client: FlaskClient, platform: Platform) -> None:
    user, track = platform.user(1), platform.track(duration_ms=10 * MINUTE)
    platform.listen(user, track, "2026-11-01T23:59:59.999999")
    platform.listen(user, track, "2026-11-02T00:00")
    platform.listen(user, track, "2026-11-03T00:00")

    query = {"from": "2026-11-02", "to": "2026-11-03"}

    assert told(client, **query) == [("2026-11-01T23:50:00Z", "2026-11-02T00:00:00Z", 1)]


def test_sessions_of_equal_length_are_told_newest_first(client: FlaskClient, platform: Platform) -> None:
    user, track = platform.user(1), platform.track(duration_ms=3 * MINUTE)
    for day in (2, 3, 1):
        platform.listen(user, track, f"2026-11-0{day}T12:03")

    assert [start[:10] for start, _, _ in told(client)] == ["2026-11-03", "2026-11-02", "2026-11-01"]
