"""Blend: what the users of a small group share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, CTE, Integer, Select, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Session

from app.domain.ranking import Page, competition_ranks
from app.domain.windows import Window
from app.listens.by_user import by_genre, by_primary_artist, by_track
from app.listens.expressions import between
from app.listens.statements import execute
from app.models.history import History
from app.rollups.spans import Span
from app.services import catalogue
from app.services.listing import Listing
from app.taste.model import DIGITS


@dataclass(frozen=True, kw_only=True)
class Shared:
    """A place in the list: the least of the users' shares, and the listens of each, in the order of the users."""

    rank: int
    score: float
    counts: list[int]


@dataclass(frozen=True, kw_only=True)
class SharedTrack(catalogue.Track, Shared):
    """A track that each of them listened to."""


@dataclass(frozen=True, kw_only=True)
class SharedArtist(catalogue.Artist, Shared):
    """A primary artist that each of them listened to."""


@dataclass(frozen=True, kw_only=True)
class SharedGenre(Shared):
    """A genre that each of them listened to."""

    genre: str


def blended_tracks(session: Session, users: Sequence[int], window: Window, page: Page) -> Listing[SharedTrack]:
    """Tracks that each of the users listened to in the window.

    The score is the least of their shares (listens of it over the user's listens), rounded to 9 decimals; the list goes
    by it, descending, then by id.
    """
    places, total = _places(session, TRACKS, users, window, page)
    tracks = catalogue.tracks(session, list(places))
    return Listing([SharedTrack(**vars(tracks[id_]), **vars(place)) for id_, place in places.items()], total)


def blended_artists(session: Session, users: Sequence[int], window: Window, page: Page) -> Listing[SharedArtist]:
    """Primary artists that each of the users listened to in the window; scored as tracks are."""
    places, total = _places(session, ARTISTS, users, window, page)
    artists = catalogue.artists(session, list(places))
    return Listing([SharedArtist(**vars(artists[id_]), **vars(place)) for id_, place in places.items()], total)


def blended_genres(session: Session, users: Sequence[int], window: Window, page: Page) -> Listing[SharedGenre]:
    """Genres that each of the users listened to in the window; scored as tracks are."""
    places, total = _places(session, GENRES, users, window, page)
    return Listing([SharedGenre(genre=id_, **vars(place)) for id_, place in places.items()], total)


def _places(
    session: Session, query: Select[Any], users: Sequence[int], window: Window, page: Page
) -> tuple[dict[str, Shared], int]:
    """The places on a page by id, in order, and the number of rows over all pages."""
    span = Span.of(window)
    rows = execute(session, query, {"users": list(users), "start": span.starts, "end": span.ends})
    shared = []
    for row in rows:
        of_user = {user: (plays, whole) for user, plays, whole in row.listens}
        counts = [of_user[user][0] for user in users]
        shared.append((round(min(plays / whole for plays, whole in of_user.values()), DIGITS), row.id, counts))
    shared.sort(key=lambda one: (-one[0], one[1].encode()))
    ranks = competition_ranks([score for score, _, _ in shared])
    ranked = list(zip(ranks, shared, strict=True))[page.offset : page.offset + page.limit]
    return {id_: Shared(rank=rank, score=score, counts=counts) for rank, (score, id_, counts) in ranked}, len(shared)


def _query(count: Callable[[CTE], CTE]) -> Select[Any]:
    """`id`, and for each of `users` the user, the listens of it, and all listens; of what all of them have."""
    users = bindparam("users", type_=ARRAY(Integer))
    start, end = bindparam("start", type_=TIMESTAMP()), bindparam("end", type_=TIMESTAMP())
    tracks = by_track(History.user_id == any_(users), between(History.played_at, start, end))
    wholes = select(tracks.c.user_id, func.sum(tracks.c.plays).label("plays")).group_by(tracks.c.user_id).cte("wholes")
    counts = count(tracks)
    listens = func.json_agg(func.json_build_array(counts.c.user_id, counts.c.plays, wholes.c.plays))
    return (
        select(counts.c.id, listens.label("listens"))
        .join_from(counts, wholes, wholes.c.user_id == counts.c.user_id)
        .group_by(counts.c.id)
        .having(func.count() == func.cardinality(users))
    )


TRACKS, ARTISTS, GENRES = _query(lambda tracks: tracks), _query(by_primary_artist), _query(by_genre)
