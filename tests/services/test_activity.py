"""A series: which bucket an instant belongs to."""

from flask.testing import FlaskClient

from tests.support.factories import Platform


def test_the_full_hour_begins_a_bucket(client: FlaskClient, platform: Platform) -> None:
    user, track = platform.user(1), platform.track()
    for instant in ("10:00", "10:59:59.999999", "11:00", "11:00:00.000001"):
        platform.listen(user, track, f"2026-11-01T{instant}")
    platform.listen(user, track, "2026-11-01T12:00")
    query = {"bucket": "hour", "from": "2026-11-01T10:00", "to": "2026-11-01T12:00"}

    buckets = client.get("/insights/activity/1", query_string=query).json["buckets"]

    assert [(bucket["start"], bucket["end"], bucket["count"]) for bucket in buckets] == [
        ("2026-11-01T10:00:00Z", "2026-11-01T11:00:00Z", 2),
        ("2026-11-01T11:00:00Z", "2026-11-01T12:00:00Z", 2),
    ]
