"""The insights of one user."""

from flask import Blueprint

from app.routes.measures import Insights, listen_time
from app.schemas.insights import LISTEN_TIME, NUMBER, RankedArtistSchema, RankedTrackSchema
from app.schemas.parameters import InWindow, ListenTimeInWindow, OfUser, RankedInWindow
from app.services import insights_service as service

insights_bp = Blueprint("insights", __name__, url_prefix="/insights")

add = Insights(insights_bp, OfUser, "{}/<user_id>").add

add("/top/tracks", service.top_tracks, takes=RankedInWindow, gives=RankedTrackSchema(many=True))
add("/top/artists", service.top_artists, takes=RankedInWindow, gives=RankedArtistSchema(many=True))
add("/top/primary-artists", service.top_primary_artists, takes=RankedInWindow, gives=RankedArtistSchema(many=True))
add("/total/listens", service.total_listens, takes=InWindow, gives=NUMBER)
add("/total/listen-time", listen_time(service.total_listen_time), takes=ListenTimeInWindow, gives=LISTEN_TIME)
add("/distinct/tracks", service.distinct_tracks, takes=InWindow, gives=NUMBER)
add("/distinct/artists", service.distinct_artists, takes=InWindow, gives=NUMBER)
add("/distinct/primary-artists", service.distinct_primary_artists, takes=InWindow, gives=NUMBER)
