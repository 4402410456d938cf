"""What the routes of everyone's insights call: the measures that there are for all, or for a group."""

from app.services.activity import activity, clock
from app.services.blend import blended_artists, blended_genres, blended_tracks
from app.services.discoveries import discovered_artists, discovered_tracks
from app.services.entities import artist_page, track_page
from app.services.features import features
from app.services.rankings import top_artists, top_genres, top_listeners, top_primary_artists, top_tracks
from app.services.summary import global_summary
from app.services.totals import (
    distinct_artists,
    distinct_genres,
    distinct_listeners,
    distinct_primary_artists,
    distinct_tracks,
    total_listen_time,
    total_listens,
)

__all__ = [
    "activity",
    "artist_page",
    "blended_artists",
    "blended_genres",
    "blended_tracks",
    "clock",
    "discovered_artists",
    "discovered_tracks",
    "distinct_artists",
    "distinct_genres",
    "distinct_listeners",
    "distinct_primary_artists",
    "distinct_tracks",
    "features",
    "global_summary",
    "top_artists",
    "top_genres",
    "top_listeners",
    "top_primary_artists",
    "top_tracks",
    "total_listen_time",
    "total_listens",
    "track_page",
]
