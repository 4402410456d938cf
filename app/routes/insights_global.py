"""The insights of everyone, or of a group of users."""

from flask import Blueprint

from app.routes.measures import Insights, listen_time
from app.schemas.insights import LISTEN_TIME, NUMBER, RankedArtistSchema, RankedListenerSchema, RankedTrackSchema
from app.schemas.parameters import InWindow, ListenTimeInWindow, OfEveryone, RankedInWindow
from app.services import insights_global_service as service

insights_global_bp = Blueprint("insights_global", __name__, url_prefix="/insights/global")

add = Insights(insights_global_bp, OfEveryone, "{}").add

add("/top/tracks", service.top_tracks, takes=RankedInWindow, gives=RankedTrackSchema(many=True))
add("/top/artists", service.top_artists, takes=RankedInWindow, gives=RankedArtistSchema(many=True))
add("/top/primary-artists", service.top_primary_artists, takes=RankedInWindow, gives=RankedArtistSchema(many=True))
add("/top/listeners", service.top_listeners, takes=RankedInWindow, gives=RankedListenerSchema(many=True))
add("/total/listens", service.total_listens, takes=InWindow, gives=NUMBER)
add("/total/listen-time", listen_time(service.total_listen_time), takes=ListenTimeInWindow, gives=LISTEN_TIME)
add("/distinct/tracks", service.distinct_tracks, takes=InWindow, gives=NUMBER)
add("/distinct/artists", service.distinct_artists, takes=InWindow, gives=NUMBER)
add("/distinct/primary-artists", service.distinct_primary_artists, takes=InWindow, gives=NUMBER)
add("/distinct/listeners", service.distinct_listeners, takes=InWindow, gives=NUMBER)
