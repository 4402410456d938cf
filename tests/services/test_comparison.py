"""Two users side by side."""

import pytest
from flask.testing import FlaskClient

from tests.support.factories import Platform


def test_shared_lists_go_by_the_smaller_of_the_two_counts_and_then_by_id(
    client: FlaskClient, platform: Platform
) -> None:
    ana, ben = platform.user(1), platform.user(2)
    for id, *counts in (("a", 5, 1), ("d", 2, 3), ("b", 1, 4), ("c", 2, 2), ("alone", 9, 0)):
        track = platform.track(id, primary=[platform.artist(id)])
        for user, number in zip((ana, ben), counts, strict=True):
            platform.listens(user, track, number)

    found = client.get("/insights/compare/1/2").json

    expected = [("c", [2, 2]), ("d", [2, 3]), ("a", [5, 1]), ("b", [1, 4])]
    assert [(row["track_id"], row["counts"]) for row in found["shared_tracks"]] == expected
    assert [(row["artist_id"], row["counts"]) for row in found["shared_primary_artists"]] == expected


@pytest.mark.parametrize("counts", [(1, 1), (1, 1, 1), (1, 2), (3, 3, 1), (5, 2)])
def test_users_who_listen_in_proportion_are_exactly_1_alike(
    counts: tuple[int, ...], client: FlaskClient, platform: Platform
) -> None:
    one, other = platform.user(1), platform.user(2)
    for count in counts:
        track = platform.track(primary=[platform.artist()])
        platform.listens(one, track, count)
        platform.listens(other, track, 2 * count)

    for path in ("1/2", "2/1", "1/1"):
        assert client.get(f"/insights/compare/{path}").json["similarity"] == 1
