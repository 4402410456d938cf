"""The review of a year, and of any window: of equals it names the earlier."""

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


def test_a_review_is_of_this_month_and_its_percentile_is_among_those_who_listened_then(
    client: FlaskClient, platform: Platform
) -> None:
    track = platform.track()
    for user, number in ((1, 3), (2, 1), (3, 9)):
        platform.listens(platform.user(user), track, number, day="2026-11-02" if user < 3 else "2026-10-02")

    month = client.get("/insights/review/1").json
    quarter = client.get("/insights/review/1?range=this_quarter").json

    assert (month["window"]["range"], month["listens"], month["percentile"]) == ("this_month", 3, 1)
    assert quarter["percentile"] == 0.5
    assert client.get("/insights/review/3").json["percentile"] is None
    assert not month.keys() & {"year", "tz", "months", "top_month"}
