"""Building the model once a night."""

from collections.abc import Sequence
from datetime import datetime

from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.database import nightly
from app.taste import model


def _build(engine: Engine, due: datetime) -> Sequence[str] | None:
    with Session(engine) as session:
        found = model.status(session)
    return ("taste", "build", "--nice") if found is None or found.computed_at < due else None


def start(app: Flask) -> None:
    """Begin to build nightly in this process, where TASTE_BUILD_AT says when. Once, by what serves the application."""
    nightly.start(app, nightly.Task(7_305_170_312, "taste_built", "taste_build_failed", _build), "TASTE_BUILD_AT")
