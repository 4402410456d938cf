"""`/insights/cards/...`: insights as pictures, for other pages and chats."""

from collections.abc import Callable
from functools import partial
from typing import Any

from apifairy import authenticate, other_responses
from flask import Blueprint, Response
from sqlalchemy.orm import Session

from app.cache.decorators import cached
from app.domain.audience import Audience
from app.domain.ranking import Ranking
from app.domain.windows import Window
from app.extensions import db
from app.page.cards.drawing import Look, draw, png
from app.routes.arguments import checked
from app.schemas.answers.problems import BAD_SIGNATURE, UNAVAILABLE, WRONG_PARAMETERS
from app.schemas.requests.parameters import CardInWindow
from app.services import catalogue
from app.services import insights_service as service
from app.web.auth import key

cards_bp = Blueprint("cards", __name__, url_prefix="/insights/cards")

MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png"}

Measure = Callable[..., Any]


def _add(kind: str, measure: Measure, description: str, *, of_everyone: bool = False) -> None:
    """Serve the card of a measure; `of_everyone` says that its answer also depends on the listens of others."""

    @other_responses(WRONG_PARAMETERS | BAD_SIGNATURE | UNAVAILABLE)
    @authenticate(key)
    @checked(CardInWindow)
    @cached(of_everyone=of_everyone)
    def view(audience: Audience, window: Window, theme: str, shape: str, format: str, title: str) -> Response:
        session = db.session()
        answer = measure(session, audience=audience, window=window)
        look = Look(theme, shape, title or _name(session, audience))
        card = draw(kind, answer, window, look)
        return Response(png(card) if format == "png" else card, content_type=MEDIA_TYPES[format])

    view.__doc__ = description
    cards_bp.add_url_rule(f"/{kind}/<user_id>", kind.replace("-", "_"), view)


def _name(session: Session, audience: Audience) -> str:
    """The user's name, or the number of one who is not there."""
    (user_id,) = audience.user_ids or (0,)
    return catalogue.usernames(session, [user_id]).get(user_id, f"User {user_id}")


five = partial(partial, ranking=Ranking(limit=5))

_add("top-tracks", five(service.top_tracks), "The five tracks with most listens, as a picture.")
_add("top-artists", five(service.top_artists), "The five artists with most listens, as a picture.")
_add("top-genres", five(service.top_genres), "The five genres with most listens, as a picture.")
_add("activity", partial(service.activity, bucket=None), "Listens over time, as a picture.")
_add("clock", service.clock, "Listens by hour of the week, as a picture.")
_add("review", service.review, "A window in numbers, as a picture.", of_everyone=True)
