"""Ranked lists in pages."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.factories import Platform

# As bytes order them, which no locale does.
IN_ORDER = ["10", "A", "B", "_", "a", "b", "é"]


@pytest.mark.parametrize("by", ["count", "listen_time"])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        *((f"top/{kind}s/1", f"{kind.removeprefix('primary-')}_id") for kind in ("track", "artist", "primary-artist")),
        ("top/genres/1", "genre"),
        ("global/top/tracks", "track_id"),
        ("global/top/genres", "genre"),
    ],
)
def test_ties_go_by_id_within_pages_and_across_their_edges(
    path: str, name: str, by: str, client: FlaskClient, platform: Platform
) -> None:
    user = platform.user(1)
    for id in ("b", "é", "10", "_", "A", "a", "B"):
        platform.listens(user, platform.track(id, primary=[platform.artist(id, genres=[id])]), 1)

    def page(limit: int, offset: int) -> list[Any]:
        query = {"by": by, "limit": limit, "offset": offset}
        return [row[name] for row in client.get(f"/insights/{path}", query_string=query).json]

    assert [page(3, offset) for offset in (0, 3, 6)] == [IN_ORDER[:3], IN_ORDER[3:6], IN_ORDER[6:]]
    assert page(2, 2) == IN_ORDER[2:4]
