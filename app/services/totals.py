"""Totals and distincts: one number over the listens of an audience in a window."""

from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.audience import Audience
from app.services.sources import listens_of
from app.windows import Window


def total_listens(session: Session, audience: Audience, window: Window) -> int:
    """The number of listens."""
    return _number(session, listens_of(session, audience, window).count())


def total_listen_time(session: Session, audience: Audience, window: Window) -> int:
    """The listen time in milliseconds, 0 where there is none."""
    return _number(session, listens_of(session, audience, window).listen_time())


def distinct_tracks(session: Session, audience: Audience, window: Window) -> int:
    """The number of different tracks listened to."""
    return _number(session, listens_of(session, audience, window).by_track.number)


def distinct_artists(session: Session, audience: Audience, window: Window) -> int:
    """The number of different credited artists listened to."""
    return _number(session, listens_of(session, audience, window).by_artist.number)


def distinct_primary_artists(session: Session, audience: Audience, window: Window) -> int:
    """The number of different primary artists listened to."""
    return _number(session, listens_of(session, audience, window).by_primary_artist.number)


def distinct_genres(session: Session, audience: Audience, window: Window) -> int:
    """The number of different genres of the primary artists listened to."""
    return _number(session, listens_of(session, audience, window).by_genre.number)


def distinct_listeners(session: Session, audience: Audience, window: Window) -> int:
    """The number of users with a listen."""
    return _number(session, listens_of(session, audience, window).distinct_listeners())


def _number(session: Session, query: Select[int]) -> int:
    return session.execute(query).scalar_one()
