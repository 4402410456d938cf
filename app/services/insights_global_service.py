"""The insights of everyone or of a group: the measures of one user, and those of the listeners among them."""

from app.services.insights_service import (
    distinct_artists,
    distinct_primary_artists,
    distinct_tracks,
    top_artists,
    top_primary_artists,
    top_tracks,
    total_listen_time,
    total_listens,
)
from app.services.rankings import top_listeners
from app.services.totals import distinct_listeners

__all__ = [
    "distinct_artists",
    "distinct_listeners",
    "distinct_primary_artists",
    "distinct_tracks",
    "top_artists",
    "top_listeners",
    "top_primary_artists",
    "top_tracks",
    "total_listen_time",
    "total_listens",
]
