"""Totals and distincts: one number over the listens of an audience in a window."""

from collections.abc import Callable
from operator import attrgetter, methodcaller

from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.domain.audience import Audience
from app.domain.windows import Window
from app.listens.live import Listens
from app.listens.sources import listens_of
from app.listens.statements import run

# Made once, as they are what statements are known by.
LISTENS = methodcaller("count")
LISTEN_TIME = methodcaller("listen_time")
TRACKS = attrgetter("by_track.number")
ARTISTS = attrgetter("by_artist.number")
PRIMARY_ARTISTS = attrgetter("by_primary_artist.number")
GENRES = attrgetter("by_genre.number")
LISTENERS = methodcaller("distinct_listeners")


def total_listens(session: Session, audience: Audience, window: Window) -> int:
    """The number of listens."""
    return _number(session, audience, window, LISTENS)


def total_listen_time(session: Session, audience: Audience, window: Window) -> int:
    """The listen time in milliseconds, 0 where there is none."""
    return _number(session, audience, window, LISTEN_TIME)


def distinct_tracks(session: Session, audience: Audience, window: Window) -> int:
    """The number of different tracks listened to."""
    return _number(session, audience, window, TRACKS)


def distinct_artists(session: Session, audience: Audience, window: Window) -> int:
    """The number of different credited artists listened to."""
    return _number(session, audience, window, ARTISTS)


def distinct_primary_artists(session: Session, audience: Audience, window: Window) -> int:
    """The number of different primary artists listened to."""
    return _number(session, audience, window, PRIMARY_ARTISTS)


def distinct_genres(session: Session, audience: Audience, window: Window) -> int:
    """The number of different genres of the primary artists listened to."""
    return _number(session, audience, window, GENRES)


def distinct_listeners(session: Session, audience: Audience, window: Window) -> int:
    """The number of users with a listen."""
    return _number(session, audience, window, LISTENERS)


def _number(session: Session, audience: Audience, window: Window, query: Callable[[Listens], Select[int]]) -> int:
    number: int = run(session, query, listens_of(session, audience, window)).scalar_one()
    return number
