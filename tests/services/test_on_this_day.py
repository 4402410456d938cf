"""The same day of earlier years: from its first instant up to the next midnight, three tracks each."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.factories import Platform


def years(client: FlaskClient, **query: Any) -> list[dict[str, Any]]:
    """The years with listens."""
    return client.get("/insights/on-this-day/1", query_string=query).json["years"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("zone", "midnights"), [("UTC", ("10T00:00", "11T00:00")), ("US/Eastern", ("10T04:00", "11T04:00"))]
)
def test_the_next_midnight_belongs_to_the_next_day(
    zone: str, midnights: tuple[str, str], client: FlaskClient, platform: Platform
) -> None:
    user, track = platform.user(1), platform.track()
    for midnight in midnights:
        platform.listen(user, track, f"2020-05-{midnight}")

    for day in ("10", "11"):
        assert [year["count"] for year in years(client, date=f"2026-05-{day}", tz=zone)] == [1]
    assert years(client, date="2026-05-09", tz=zone) == []


def test_of_several_in_the_third_place_the_smallest_id_is_told(client: FlaskClient, platform: Platform) -> None:
    user = platform.user(1)
    for id, number in (("d", 1), ("c", 1), ("b", 2), ("a", 1)):
        platform.listens(user, platform.track(id), number, day="2020-05-10")

    (year,) = years(client, date="2026-05-10")

    assert [(row["track_id"], row["rank"]) for row in year["top_tracks"]] == [("b", 1), ("a", 2), ("c", 2)]
