"""The year's review: of equals it names the earlier."""

from flask.testing import FlaskClient

from tests.support.factories import Platform


def test_ties_go_to_the_earlier_month_day_hour_and_streak(client: FlaskClient, platform: Platform) -> None:
    user, track = platform.user(1), platform.track()
    for instant in ("05-06T09:10", "05-06T09:20", "05-07T08:00", "03-05T22:10", "03-05T22:20", "03-06T23:00"):
        platform.listen(user, track, f"2025-{instant}")

    year = client.get("/insights/wrapped/1/2025").json

    assert year["top_month"] == 3
    assert year["top_day"] == {"date": "2025-03-05", "count": 2}
    assert year["busiest_hour"] == 9
    assert year["longest_streak"] == {"start": "2025-03-05", "end": "2025-03-06", "days": 2}


def test_a_longer_streak_and_a_fuller_month_day_and_hour_go_before_an_earlier_one(
    client: FlaskClient, platform: Platform
) -> None:
    user, track = platform.user(1), platform.track()
    for instant in ("01-01T01:00", "03-05T22:10", "03-05T22:20", "03-06T23:00"):
        platform.listen(user, track, f"2025-{instant}")

    year = client.get("/insights/wrapped/1/2025").json

    assert (year["top_month"], year["busiest_hour"]) == (3, 22)
    assert year["top_day"] == {"date": "2025-03-05", "count": 2}
    assert year["longest_streak"] == {"start": "2025-03-05", "end": "2025-03-06", "days": 2}
