"""The insights of one user."""

from flask import Blueprint

from app.routes.export import export
from app.routes.measures import Insights
from app.routes.presentation import keyset_pages, listen_time
from app.schemas.answers import charts, lists, pages, patterns
from app.schemas.requests import audiences
from app.schemas.requests import parameters as takes
from app.schemas.requests.windows import InWindow
from app.services import insights_service as service

insights_bp = Blueprint("insights", __name__, url_prefix="/insights")

add = Insights(insights_bp, audiences.OfUserAboutSubject, "/<user_id>").add

add("/top/tracks", service.top_tracks, takes.RankedInWindow, lists.RankedTrackSchema(many=True))
add("/top/artists", service.top_artists, takes.RankedInWindow, lists.RankedArtistSchema(many=True))
add("/top/primary-artists", service.top_primary_artists, takes.RankedInWindow, lists.RankedArtistSchema(many=True))
add("/top/genres", service.top_genres, takes.RankedInWindow, lists.RankedGenreSchema(many=True))
add("/discoveries/tracks", service.discovered_tracks, takes.PagesInWindow, lists.DiscoveredTrackSchema(many=True))
add("/discoveries/artists", service.discovered_artists, takes.PagesInWindow, lists.DiscoveredArtistSchema(many=True))
add("/forgotten/tracks", service.forgotten_tracks, takes.ForgottenInWindow, lists.ForgottenTrackSchema(many=True))
add("/forgotten/artists", service.forgotten_artists, takes.ForgottenInWindow, lists.ForgottenArtistSchema(many=True))
add("/total/listens", service.total_listens, InWindow, lists.NUMBER)
add("/total/listen-time", listen_time(service.total_listen_time), takes.ListenTimeInWindow, lists.LISTEN_TIME)
add("/distinct/tracks", service.distinct_tracks, InWindow, lists.NUMBER)
add("/distinct/artists", service.distinct_artists, InWindow, lists.NUMBER)
add("/distinct/primary-artists", service.distinct_primary_artists, InWindow, lists.NUMBER)
add("/distinct/genres", service.distinct_genres, InWindow, lists.NUMBER)
add("/charts/tracks", service.track_charts, takes.ChartsInWindow, charts.TrackChartsSchema())
add("/charts/artists", service.artist_charts, takes.ChartsInWindow, charts.ArtistChartsSchema())
add("/charts/primary-artists", service.primary_artist_charts, takes.ChartsInWindow, charts.ArtistChartsSchema())
add("/charts/genres", service.genre_charts, takes.ChartsInWindow, charts.GenreChartsSchema())
add("/summary", service.user_summary, takes.TodayInWindow, pages.UserSummarySchema())
add("/activity", service.activity, takes.ActivityInWindow, patterns.ActivitySchema())
add("/clock", service.clock, InWindow, patterns.ClockSchema())
add("/streaks", service.streaks, takes.StreaksInWindow, patterns.StreaksSchema())
add("/sessions", service.sessions, takes.SessionsInWindow, patterns.SessionsSchema())
add("/features", service.features, InWindow, patterns.FeaturesSchema())
add("/history", keyset_pages(service.history), takes.Before, pages.PlaybackSchema())
add("/on-this-day", service.on_this_day, takes.OnDay, pages.OnThisDaySchema())
add("/wrapped", service.wrapped, takes.InYear, pages.WrappedSchema(), more="/<year>", of_everyone=True)
add("/review", service.review, takes.ReviewInWindow, pages.ReviewSchema(), of_everyone=True)
add("/compare", service.compare, takes.ComparisonInWindow, pages.ComparisonSchema(), more="/<other_user_id>")
insights_bp.add_url_rule("/export/<user_id>", "export", export)

of_user = Insights(insights_bp, audiences.OfUser, "/<user_id>", of_everyone=True).add
similar_to = Insights(insights_bp, audiences.SimilarTo, "/<user_id>", of_everyone=True).add

similar_to("/similar", service.similar, takes.InPages, lists.NeighbourSchema(many=True))
of_user("/recommendations/tracks", service.recommended_tracks, takes.InPages, lists.RecommendedTrackSchema(many=True))
of_user(
    "/recommendations/artists", service.recommended_artists, takes.InPages, lists.RecommendedArtistSchema(many=True)
)
