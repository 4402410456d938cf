"""The service with one route more, the floor that targets are multiples of.

`/floor/<user_id>` has all that an insight has (gunicorn, Flask, the checks of its parameters, a session and its
snapshot), and asks the database one `SELECT 1`.
"""

from flask import Blueprint, Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import create_app as create_service
from app.domain.audience import Audience
from app.domain.windows import Window
from app.listens.statements import execute
from app.routes.measures import Insights
from app.schemas.answers.lists import NUMBER
from app.schemas.requests.audiences import OfUserAboutSubject
from app.schemas.requests.windows import InWindow

ONE = select(1)


def one(session: Session, audience: Audience, window: Window) -> int:
    """The number 1."""
    number: int = execute(session, ONE).scalar_one()
    return number


def create_app() -> Flask:
    """The service, and the floor."""
    app = create_service()
    floor = Blueprint("floor", __name__)
    Insights(floor, OfUserAboutSubject, "/<user_id>").add("/floor", one, InWindow, NUMBER)
    app.register_blueprint(floor)
    return app
