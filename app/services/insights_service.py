"""What the routes of one user's insights call: the measures that there are for a user."""

from app.services.activity import activity, clock
from app.services.charts import artist_charts, genre_charts, primary_artist_charts, track_charts
from app.services.comparison import compare
from app.services.discoveries import discovered_artists, discovered_tracks
from app.services.export import export
from app.services.features import features
from app.services.forgotten import forgotten_artists, forgotten_tracks
from app.services.on_this_day import on_this_day
from app.services.playback import history
from app.services.rankings import top_artists, top_genres, top_primary_artists, top_tracks
from app.services.recommendations import recommended_artists, recommended_tracks
from app.services.sessions import sessions
from app.services.similar import similar
from app.services.streaks import streaks
from app.services.summary import user_summary
from app.services.totals import (
    distinct_artists,
    distinct_genres,
    distinct_primary_artists,
    distinct_tracks,
    total_listen_time,
    total_listens,
)
from app.services.wrapped import review, wrapped

__all__ = [
    "activity",
    "artist_charts",
    "clock",
    "compare",
    "discovered_artists",
    "discovered_tracks",
    "distinct_artists",
    "distinct_genres",
    "distinct_primary_artists",
    "distinct_tracks",
    "export",
    "features",
    "forgotten_artists",
    "forgotten_tracks",
    "genre_charts",
    "history",
    "on_this_day",
    "primary_artist_charts",
    "recommended_artists",
    "recommended_tracks",
    "review",
    "sessions",
    "similar",
    "streaks",
    "top_artists",
    "top_genres",
    "top_primary_artists",
    "top_tracks",
    "total_listen_time",
    "total_listens",
    "track_charts",
    "user_summary",
    "wrapped",
]
