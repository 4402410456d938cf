"""The insights of everyone, or of a group of users."""

from flask import Blueprint

from app.routes.measures import Insights
from app.routes.presentation import listen_time
from app.schemas.answers import lists, pages, patterns
from app.schemas.requests import audiences
from app.schemas.requests import parameters as takes
from app.schemas.requests.windows import InWindow
from app.services import insights_global_service as service

insights_global_bp = Blueprint("insights_global", __name__, url_prefix="/insights/global")

add = Insights(insights_global_bp, audiences.OfEveryoneAboutSubject, of_everyone=True).add

add("/top/tracks", service.top_tracks, takes.RankedInWindow, lists.RankedTrackSchema(many=True))
add("/top/artists", service.top_artists, takes.RankedInWindow, lists.RankedArtistSchema(many=True))
add("/top/primary-artists", service.top_primary_artists, takes.RankedInWindow, lists.RankedArtistSchema(many=True))
add("/top/genres", service.top_genres, takes.RankedInWindow, lists.RankedGenreSchema(many=True))
add("/top/listeners", service.top_listeners, takes.RankedInWindow, lists.RankedListenerSchema(many=True))
add("/discoveries/tracks", service.discovered_tracks, takes.PagesInWindow, lists.DiscoveredTrackSchema(many=True))
add("/discoveries/artists", service.discovered_artists, takes.PagesInWindow, lists.DiscoveredArtistSchema(many=True))
add("/total/listens", service.total_listens, InWindow, lists.NUMBER)
add("/total/listen-time", listen_time(service.total_listen_time), takes.ListenTimeInWindow, lists.LISTEN_TIME)
add("/distinct/tracks", service.distinct_tracks, InWindow, lists.NUMBER)
add("/distinct/artists", service.distinct_artists, InWindow, lists.NUMBER)
add("/distinct/primary-artists", service.distinct_primary_artists, InWindow, lists.NUMBER)
add("/distinct/genres", service.distinct_genres, InWindow, lists.NUMBER)
add("/distinct/listeners", service.distinct_listeners, InWindow, lists.NUMBER)
add("/summary", service.global_summary, InWindow, pages.GlobalSummarySchema())
add("/activity", service.activity, takes.ActivityInWindow, patterns.ActivitySchema())
add("/clock", service.clock, InWindow, patterns.ClockSchema())
add("/features", service.features, InWindow, patterns.FeaturesSchema())

blend = Insights(insights_global_bp, audiences.Blended, of_everyone=True).add

blend("/blend/tracks", service.blended_tracks, takes.PagesInWindow, lists.BlendedTrackSchema(many=True))
blend("/blend/artists", service.blended_artists, takes.PagesInWindow, lists.BlendedArtistSchema(many=True))
blend("/blend/genres", service.blended_genres, takes.PagesInWindow, lists.BlendedGenreSchema(many=True))
