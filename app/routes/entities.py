"""The pages of a track and of an artist, for everyone or a group of users."""

from flask import Blueprint

from app.routes.measures import Insights
from app.schemas.answers import pages
from app.schemas.requests import parameters as takes
from app.schemas.requests.audiences import OfEveryone
from app.services import insights_global_service as service

entities_bp = Blueprint("entities", __name__, url_prefix="/insights")

add = Insights(entities_bp, OfEveryone, of_everyone=True).add

add("/tracks/<track_id>", service.track_page, takes.TrackInWindow, pages.TrackPageSchema())
add("/artists/<artist_id>", service.artist_page, takes.ArtistInWindow, pages.ArtistPageSchema())
