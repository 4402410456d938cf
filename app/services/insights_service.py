"""The insights of one user: the measures that the user routes ask, each with that user as its audience."""

from app.services.rankings import top_artists, top_primary_artists, top_tracks
from app.services.totals import (
    distinct_artists,
    distinct_primary_artists,
    distinct_tracks,
    total_listen_time,
    total_listens,
)

__all__ = [
    "distinct_artists",
    "distinct_primary_artists",
    "distinct_tracks",
    "top_artists",
    "top_primary_artists",
    "top_tracks",
    "total_listen_time",
    "total_listens",
]
